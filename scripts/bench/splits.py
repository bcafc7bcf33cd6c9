"""Divisions a second in one rounding lineage: `splits()`.

Recipe: COUNT (10^6) charges of 1 to 100,000 fen in one lineage with five holders whose weights do not divide evenly,
amounts drawn by a fixed seed; `split_each`, which gives the amounts of `share`, in one process, medians of RUNS (3).
Baseline in the same run: `plain`, floor division by the same weights, which loses up to four fen a charge. `facts` is
the whole share fact with entitlements and carries as exact text, over FACTS (20,000) charges. `per_processor_s` is by
what the process itself used, for a machine that others use too. Checked: the sum of each
division, and every holder within 1 fen of its exact part at the end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from clearing.settlement import sharing
from clearing.settlement.rating import Charge, rate
from clearing.terms import MAX_FEN, WHOLE, SharingPlan
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
    used: dict[str, list[float]] = {"split": [], "plain": [], "facts": []}
    answers: dict[str, Any] = {}
    reading = MeterReading(
        item.agreement, 1, MARCH.name, MARCH.start, MARCH.end, item.terms.period.basis, "call", 1, 1, (), (), 1
    )
    charges: list[Charge] = [replace(rate("r", reading, item.terms), net=net) for net in nets[:facts]]
    works: dict[str, Callable[[], Any]] = {
        "split": lambda: list(sharing.split_each(plan, "lineage", 0, nets)),
        "plain": lambda: [tuple([net * weight // WHOLE for weight in weights]) for net in nets],
        "facts": lambda: divided(plan, charges),
    }
    for _ in range(runs):
        for name, work in works.items():
            started, begun = time.perf_counter(), time.process_time()
            answers[name] = work()
            taken[name].append(time.perf_counter() - started)
            used[name].append(time.process_time() - begun)
    found, plain = answers["split"], answers["plain"]
    assert list(map(sum, found)) == nets
    given = list(map(sum, zip(*found, strict=True)))
    assert all(abs(part - Fraction(sum(nets) * weight, WHOLE)) < 1 for part, weight in zip(given, weights, strict=True))
    counts = {"split": count, "plain": count, "facts": facts}
    speed, alone = (
        {name: round(counts[name] / statistics.median(times)) for name, times in all_times.items()}
        for all_times in (taken, used)
    )
    return {
        "splits_per_s": speed["split"],
        "share_facts_per_s": speed["facts"],
        "baseline_per_s": {"plain": speed["plain"]},
        "per_processor_s": alone,
        "fen_lost_by_plain": sum(nets) - sum(map(sum, plain)),
        "recipe": " ".join((__doc__ or "").split()),
    }


def divided(plan: SharingPlan, charges: list[Charge]) -> None:
    before = 0
    for charge in charges:
        before = sharing.share("c", charge, plan, before).after
