"""Divisions a second in one rounding lineage: `splits()`.

Recipe: COUNT (10^6) charges of 1 to 100,000 fen in one lineage with five holders whose weights do not divide evenly,
amounts drawn by a fixed seed; `split_each`, which gives the amounts of `share`, in one process, medians of RUNS (3).
Baseline in the same run: `plain`, floor division by the same weights, which loses up to four fen a charge. `facts` is
the whole share fact with entitlements and carries as exact text, over FACTS (20,000) charges. Checked: the sum of each
division, and every holder within 1 fen of its exact part at the end.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from clearing.settlement import sharing
from clearing.settlement.rating import Charge, rate
from clearing.terms import MAX_FEN, WHOLE
from clearing.usage.metering import MeterReading
from scripts.bench.month import MARCH, agreed

COUNT, FACTS, RUNS = 1_000_000, 20_000, 3
PER_SECOND = 100_000


def splits(count: int = COUNT, facts: int = FACTS, runs: int = RUNS) -> dict[str, Any]:
    """Divisions a second, with and without the fact around them."""
    item = agreed(1)[0]
    plan = item.terms.plan
    nets = np.random.default_rng(20260731).integers(1, 100_000, size=count).tolist()
    assert sum(nets) <= MAX_FEN
    weights = [weight.weight for weight in plan.steps[0].weights]
    taken: dict[str, list[float]] = {"split": [], "plain": [], "facts": []}
    reading = MeterReading(
        item.agreement, 1, MARCH.name, MARCH.start, MARCH.end, item.terms.period.basis, "call", 1, 1, (), (), 1
    )
    charges: list[Charge] = [replace(rate("r", reading, item.terms), net=net) for net in nets[:facts]]
    for _ in range(runs):
        started = time.perf_counter()
        found = list(sharing.split_each(plan, "lineage", 0, nets))
        taken["split"].append(time.perf_counter() - started)
        started = time.perf_counter()
        plain = [tuple([net * weight // WHOLE for weight in weights]) for net in nets]
        taken["plain"].append(time.perf_counter() - started)
        started, before = time.perf_counter(), 0
        for charge in charges:
            before = sharing.share("c", charge, plan, before).after
        taken["facts"].append(time.perf_counter() - started)
    assert list(map(sum, found)) == nets
    given = list(map(sum, zip(*found, strict=True)))
    assert all(abs(part - Fraction(sum(nets) * weight, WHOLE)) < 1 for part, weight in zip(given, weights, strict=True))
    median = {name: statistics.median(times) for name, times in taken.items()}
    return {
        "splits_per_s": round(count / median["split"]),
        "share_facts_per_s": round(facts / median["facts"]),
        "baseline_per_s": {"plain": round(count / median["plain"])},
        "fen_lost_by_plain": sum(nets) - sum(map(sum, plain)),
        "recipe": " ".join((__doc__ or "").split()),
    }
