"""`make bench`, second half: what clearing costs, measured now on this machine, each figure beside its target.

    python -m scripts.bench_clearing [--only PART,…] [--json FILE]

Parts: netting (10^6 obligations of 10^4 parties, certificate and every participant's proof), month (10^7 usage rows of
10^4 agreements, metered to written statements), storm (10^7 events with replays and disorder, admitted and rated),
splits (divisions in one lineage). Each is a function in `scripts/bench/` with its recipe in the file and a baseline in
the same run. Times are medians. A figure short of its
target is printed as such. The numbers mean nothing on another machine; this one is printed with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scripts.bench import month, netting, splits, storm
from scripts.bench.telling import run

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "netting": netting.netting,
    "month": month.month,
    "storm": storm.storm,
    "splits": splits.splits,
}


def targets(results: dict[str, Any]) -> Iterator[tuple[str, float, str, float]]:
    """(what, measured, "≥" or "≤", target) of every figure we are held to."""
    if "netting" in results:
        found = results["netting"]
        yield "netting 10^6 obligations with certificate, s", found["seconds"]["net_and_check"], "≤", netting.SECONDS
        yield "the same with sum tree and all proofs, s", found["all_s"], "≤", netting.SECONDS
        yield "netting, memory, MB", found["peak_mb"], "≤", netting.MEGABYTES
        yield "netting, largest proof, bytes", found["proof_bytes_max"], "≤", netting.BYTES
    if "month" in results:
        found = results["month"]
        yield "month of 10^7 rows to written statements, s", found["seconds"]["all"], "≤", month.SECONDS
        yield "month, memory, MB", found["peak_mb"], "≤", month.MEGABYTES
        yield "metering query over a plain GROUP BY, times", found["query_over_group_by"], "≤", month.TIMES
        yield "the same over one by use, times", found["query_over_group_by_use"], "≤", month.TIMES
    if "storm" in results:
        found = results["storm"]
        yield "storm, events counted twice", found["double"], "≤", 0
        yield "storm, events lost", found["lost"], "≤", 0
        yield "storm, admission, events/s", found["admitted_per_s"], "≥", storm.ADMITTED
        yield "storm, rating of the admitted set, events/s", found["rated_per_s"], "≥", storm.RATED
    if "splits" in results:
        yield "splits/s", results["splits"]["splits_per_s"], "≥", splits.PER_SECOND


if __name__ == "__main__":
    raise SystemExit(run(__doc__ or "", PARTS, targets))
