"""`make bench`, second half: what clearing costs, measured now on this machine, each figure beside its target.

    python -m scripts.bench_clearing [--only PART,…] [--json FILE]

Parts: netting (10^6 obligations of 10^4 parties, certificate and every participant's proof). Each is a function in
`scripts/bench/` with its recipe in the file and a baseline in the same run. Times are medians. A figure short of its
target is printed as such. The numbers mean nothing on another machine; this one is printed with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scripts.bench import netting
from scripts.bench.telling import run

PARTS: dict[str, Callable[[], dict[str, Any]]] = {"netting": netting.netting}


def targets(results: dict[str, Any]) -> Iterator[tuple[str, float, str, float]]:
    """(what, measured, "≥" or "≤", target) of every figure we are held to."""
    if "netting" in results:
        found = results["netting"]
        yield "netting 10^6 obligations with certificate, s", found["seconds"]["net_and_check"], "≤", netting.SECONDS
        yield "the same with sum tree and all proofs, s", found["all_s"], "≤", netting.SECONDS
        yield "netting, memory, MB", found["peak_mb"], "≤", netting.MEGABYTES
        yield "netting, largest proof, bytes", found["proof_bytes_max"], "≤", netting.BYTES


if __name__ == "__main__":
    raise SystemExit(run(__doc__ or "", PARTS, targets))
