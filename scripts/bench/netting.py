"""Netting of 10^6 obligations of 10^4 parties, with certificate and every proof: `netting()`, or run this module.

Recipe: OBLIGATIONS (10^6) different pairs of PARTIES (10^4) drawn by a fixed seed, each 1 fen to 10^6 yuan with one
item; made before the clock starts. Timed one after the other in one process, RUNS (3) times, medians: `net`
(positions, bilateral funding, transfers), `check` (the separate checker), `tree` (the sum tree with all proofs), and
one participant's `proof` check (median of PROOFS, 20); `processor_s` is what the process itself used of a processor,
for a machine that others use too. Baselines in the same run: `plain`, the definitions in dictionaries, whose result
must be the same; `hashes`, the 2 × 10^6 SHA-256 calls no salted tree can do without. Memory is the peak of the
process, obligations included, before the baselines.

    python -m scripts.bench.netting
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from clearing.settlement import netting as stage
from clearing.settlement.statement import Item, Obligation

OBLIGATIONS, PARTIES, RUNS, SECRET = 1_000_000, 10_000, 3, b"s" * 32
PROOFS = 20
SECONDS, MEGABYTES, BYTES = 5, 1_000, 3_072


def netting() -> dict[str, Any]:
    """The figures of a fresh process, so that the peak of memory is netting's own."""
    done = subprocess.run([sys.executable, "-m", "scripts.bench.netting"], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def obligations(count: int = OBLIGATIONS, parties: int = PARTIES) -> list[Obligation]:
    """`count` obligations between different pairs."""
    draw = np.random.default_rng(20260731)
    names = [f"91330000{number:010d}" for number in range(parties)]
    codes = draw.choice(parties * (parties - 1), size=count, replace=False, shuffle=True).tolist()
    amounts = draw.integers(1, 10**8, size=count).tolist()
    found = []
    for number, (code, amount) in enumerate(zip(codes, amounts, strict=True)):
        debtor, other = divmod(code, parties - 1)
        items = (Item(f"agreement:OP-2026-{number % 50_000:06d}", "2026-07", amount),)
        found.append(Obligation(names[debtor], names[other + (other >= debtor)], amount, items))
    return found


def measured() -> dict[str, Any]:
    """Everything named in the recipe, in this process."""
    owed = obligations()
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {"net": [], "check": [], "tree": []}
    used: list[float] = []
    for _ in range(RUNS):
        before = time.process_time()
        certificate = _timed(times["net"], lambda: stage.net(owed))
        _timed(times["check"], lambda: stage.check_certificate(owed, certificate))  # noqa: B023
        root, proofs = _timed(times["tree"], lambda: stage.sum_tree(owed, SECRET))
        used.append(time.process_time() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    checks: list[float] = []
    for p in certificate.positions[:: PARTIES // PROOFS]:
        own = stage.own_of(p.party, owed)
        _timed(checks, lambda: stage.check_proof(own, proofs[p.party], root, certificate.gross, p.net))  # noqa: B023
    plain: list[float] = []
    positions, bilateral = _timed(plain, lambda: (stage.positions_of(owed), stage.bilateral(owed)))
    assert (positions, bilateral) == (certificate.positions, certificate.bilateral)
    hashes: list[float] = []
    leaf = b"x" * 200
    _timed(hashes, lambda: [hashlib.sha256(leaf).digest() for _ in range(2 * OBLIGATIONS)])
    median = {name: round(statistics.median(taken), 2) for name, taken in times.items()}
    return {
        "seconds": median | {"net_and_check": round(median["net"] + median["check"], 2)},
        "all_s": round(statistics.median(map(sum, zip(*times.values(), strict=True))), 2),
        "processor_s": round(statistics.median(used), 2),
        "proof_check_ms": round(1_000 * statistics.median(checks), 2),
        "peak_mb": round(peak),
        "proof_bytes_max": max(proof.packed_size() for proof in proofs.values()),
        "efficiency": f"{1 - certificate.minimum / certificate.gross:.4f}",
        "baseline_s": {"plain": round(plain[0], 2), "hashes": round(hashes[0], 2)},
        "recipe": " ".join((__doc__ or "").split()),
    }


def _timed(taken: list[float], work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    found = work()
    taken.append(time.perf_counter() - started)
    return found


if __name__ == "__main__":
    print(json.dumps(measured(), ensure_ascii=False, indent=1))
