"""What a proof costs who keeps it and who checks it: size of each kind of bundle, time of both verifiers.

    python -m scripts.bench.proof [DEMO_FOLDER]

Recipe: the bundles that `shuqing demo` leaves (without a folder the demo is played into a temporary one). *Core* is the
file without its annexes `parts` and `supports`. The size at ten million leaves is that of the same bundle with paths of
24 hashes on each side, as a log of that size has. Both verifiers run offline with the demo's own trust file and head;
the stand-alone file is timed as a whole process; CPU time stands beside wall time, which a shared machine stretches.
Medians of five runs; the machine is printed. The plain baseline is reading the same file as JSON.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import os
import platform
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api import bootstrap
from ledger import canonical, checkpoint, trust, verify
from scripts.demo import story

RUNS = 5
LEAVES = 10_000_000
LEVELS = 24
CALLS = 60
VERIFIER = Path(__file__).resolve().parent.parent / "verify_bundle.py"


def bundles(demo: Path | None = None) -> dict[str, Any]:
    """Sizes in bytes and median times in milliseconds, by kind of bundle."""
    if demo is not None:
        return {file.stem.removeprefix("bundle-"): _measure(file, demo) for file in sorted(demo.glob("bundle-*.json"))}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with contextlib.redirect_stdout(sys.stderr):
            if story.run(out, CALLS):
                raise SystemExit("the demo did not keep its promises")
        return bundles(out)


def size_of(document: dict[str, Any]) -> tuple[int, int]:
    """(core, whole) in bytes."""
    core = {name: value for name, value in document.items() if name not in ("parts", "supports")}
    return len(canonical.encode({**core, "supports": []})), len(canonical.encode(document)) + 1


def enlarged(document: dict[str, Any]) -> dict[str, Any]:
    """The same bundle with the paths and numbers of a log of ten million leaves."""
    large = copy.deepcopy(document)
    for item in (large, *large["supports"]):
        item["entry"]["index"] += LEAVES - 1_000
        item["entry"]["path"] = {side: base64.b64encode(secrets.token_bytes(32 * LEVELS)).decode() for side in _SIDES}
    large["head"]["note"][1] = str(LEAVES)
    return large


_SIDES = ("sha256", "sm3")


def _measure(file: Path, demo: Path) -> dict[str, Any]:
    data, document = file.read_bytes(), json.loads(file.read_bytes())
    trusted = trust.read(canonical.parse((demo / "trust.json").read_bytes()))
    head = checkpoint.parse((demo / "head.note").read_text(encoding="utf-8"))[0]
    rules = bootstrap.rules()
    command = [
        sys.executable, "-I", str(VERIFIER), str(file), "--trust", str(demo / "trust.json"),
        "--head", str(demo / "head.note"),
    ]  # fmt: skip

    def check() -> None:
        report = verify.verify(data, trusted, head=head, rules=rules)
        assert report.intact, report.failed

    (core, whole), (large_core, large_whole) = size_of(document), size_of(enlarged(document))
    return {
        "core_bytes": core,
        "whole_bytes": whole,
        "core_bytes_at_10^7": large_core,
        "whole_bytes_at_10^7": large_whole,
        **_times("library", check, resource.RUSAGE_SELF),
        **_times("stand_alone", lambda: subprocess.run(command, check=True, capture_output=True), _CHILDREN),
        **_times("reading_json", lambda: json.loads(data), resource.RUSAGE_SELF),
    }


_CHILDREN = resource.RUSAGE_CHILDREN


def _times(name: str, work: Callable[[], Any], who: int) -> dict[str, float]:
    """Median wall and CPU milliseconds of a piece of work."""
    runs = []
    for _ in range(RUNS):
        before, started = resource.getrusage(who), time.perf_counter()
        work()
        wall, after = time.perf_counter() - started, resource.getrusage(who)
        runs.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
    return {f"{name}_ms": round(1_000 * wall, 2), f"{name}_cpu_ms": round(1_000 * cpu, 2)}


def main() -> int:
    demo = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "runs": RUNS, "bundles": bundles(demo)}, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
