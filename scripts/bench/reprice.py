"""10,000 quotes priced again from stored evidence, as `shuqing price batch` does it for an operator's catalogue.

    python -m scripts.bench.reprice

Recipe: the demonstration's element (delay features by airport and hour, real flights, seven columns) is counted and
priced once; its evidence lies in 10,000 files. A run reads every file, prices it under the policy in force a day later
without a sensitivity table, and writes report and evidence, in one process a core; medians of five. Beside it stands
what one evidence of the whole flights table (19 columns) costs alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clearing.pricing import counting
from clearing.pricing.declaring import declare
from clearing.pricing.manifest import Counted
from clearing.pricing.policies import DEMO_DOMAIN, POLICIES
from clearing.pricing.policy import choose
from clearing.pricing.price_report import PriceReport, price
from clearing.pricing.quality import Assessed
from clearing.pricing.repricing import reprice
from scripts.demo import papers
from scripts.demo.features import flights, hourly_delays

QUOTES, RUNS, LIMIT_S = 10_000, 5, 30
AS_OF = 1_790_000_000
DAY = 86_400


def repricing(quotes: int = QUOTES, runs: int = RUNS) -> dict[str, Any]:
    """Seconds for all quotes, and milliseconds for one of a wide element."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = flights(folder)
        element = hourly_delays(whole, folder)
        narrow = _priced(_counted(element, None))
        wide = _priced(_counted(whole, (Assessed("accuracy", "unit", "0.9", "x"), *_OTHERS)))
        stored = folder / "stored"
        stored.mkdir()
        for number in range(quotes):
            (stored / f"{number:05d}.json").write_bytes(narrow.evidence)
        taken = [_batch(stored, folder / f"out-{run}") for run in range(runs)]
    return {
        "seconds": round(statistics.median(taken), 1), "quotes": quotes, "runs": runs,
        "evidence_bytes": len(narrow.evidence), "wide_ms": round(_one(wide) * 1000, 1),
        "wide_evidence_bytes": len(wide.evidence), "recipe": " ".join((__doc__ or "").split()),
    }  # fmt: skip


_OTHERS = tuple(Assessed(name, "unit", "0.9", "x") for name in ("consistency", "timeliness", "accessibility"))


def _counted(path: Path, assessed: tuple[Assessed, ...] | None) -> Counted:
    constants = choose(POLICIES, DEMO_DOMAIN, "element", AS_OF).constants
    spec = papers.data_spec(path.name) if assessed is None else declare(path)
    found = counting.count(path, spec, bins=constants.bins, calendar=constants.calendar, as_of=AS_OF)
    return found if assessed is None else Counted(found.manifest, found.rules, found.columns, assessed)


def _priced(counted: Counted) -> PriceReport:
    request = papers.price_question("演示凭证", AS_OF, AS_OF - DAY)
    return price(request, choose(POLICIES, DEMO_DOMAIN, "element", AS_OF), counted)


def _batch(stored: Path, out: Path) -> float:
    command = [sys.executable, "-m", "api", "price", "batch", str(stored), "--out", str(out)]
    started = time.perf_counter()
    subprocess.run([*command, "--as-of", str(AS_OF + DAY)], check=True, capture_output=True)
    return time.perf_counter() - started


def _one(report: PriceReport) -> float:
    policy = choose(POLICIES, DEMO_DOMAIN, "element", AS_OF + DAY)
    times = []
    for number in range(20):
        started = time.perf_counter()
        reprice(
            report.evidence, policy, report_id=f"{number:032x}", as_of=AS_OF + DAY, valid_until=AS_OF + 90 * DAY
        )  # fmt: skip
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    print(json.dumps(repricing(), ensure_ascii=False, indent=1))
