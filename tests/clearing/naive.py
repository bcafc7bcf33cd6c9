"""Oracles for rating and sharing, written from the domain text alone: unit by unit, fen by fen, party by party.

They read the plain documents of tariff, inputs and plan, so they share no code with what they judge, and are slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

Document = Mapping[str, Any]


def price(quantity: int, tariff: Document, inputs: Document, *, free: bool = False) -> Fraction:
    """Exact fen before rounding, in the order of §3."""
    if free:
        return Fraction(0)
    amount = _before_adjustments(quantity, tariff, inputs)
    if "quality" in tariff:
        score = Decimal(inputs["scored"]["score"])
        fitting = [band for band in tariff["quality"]["bands"] if Decimal(band["least"]) <= score]
        amount = amount * fitting[-1]["millionths"] / 1_000_000
    if "minimum_fen" in tariff:
        amount = max(amount, Fraction(tariff["minimum_fen"]))
    if "maximum_fen" in tariff:
        amount = min(amount, Fraction(tariff["maximum_fen"]))
    if "credits" in tariff and inputs["measured"]["owed"]:
        measured = inputs["measured"]
        up = 1 - Fraction(measured["down"], measured["owed"])
        row = [row for row in tariff["credits"] if Fraction(row["least"], 1_000_000) <= up][-1]
        amount = max(Fraction(0), amount - amount * row["millionths"] / 1_000_000 - row["fen"])
    return amount


def _before_adjustments(quantity: int, tariff: Document, inputs: Document) -> Fraction:
    kind, fixed = tariff["kind"], Fraction(tariff["fixed_fen"])
    if tariff.get("part_period"):
        fixed = fixed / inputs["active"]["of"] * inputs["active"]["days"]
    if kind == "fixed":
        return fixed
    if kind == "per_unit":
        blocks = sum(1 for unit in range(quantity) if unit % tariff["block"] == 0)
        return blocks * _at(tariff, 0)
    if kind == "graduated":
        return sum((_at(tariff, unit) for unit in range(quantity)), Fraction(0))
    if kind == "volume":
        return quantity * _at(tariff, quantity)
    if kind == "subscription":
        return fixed + sum((_at(tariff, unit) for unit in range(quantity - tariff["allowance"])), Fraction(0))
    if kind == "revenue_share":
        return Fraction(inputs["declared"]["amount"]) * tariff["rate"] / 1_000_000
    total = Fraction(0)
    for event in inputs["events"]:
        total += _fee(tariff, event["before"] + event["amount"]) - _fee(tariff, event["before"])
    return total


def _at(tariff: Document, unit: int) -> Fraction:
    band = [tier for tier in tariff["tiers"] if tier["start"] <= unit][-1]
    return Fraction(band["numerator"], band["divisor"])


def _fee(tariff: Document, stands: int) -> Fraction:
    if stands == 0:
        return Fraction(0)
    fee = Fraction(stands * tariff["rate"], 1_000_000) if "rate" in tariff else Fraction(tariff["fixed_fen"])
    return min(fee, Fraction(tariff["success"].get("cap_fen", fee)))


def half_up(amount: Fraction) -> int:
    """四舍五入 away from zero, by comparing with both neighbours."""
    low = abs(amount).numerator // abs(amount).denominator
    nearest = low if abs(amount) - low < low + 1 - abs(amount) else low + 1
    return nearest if amount >= 0 else -nearest


def split_tax(gross_or_net: int, tax: Document) -> tuple[int, int, int]:
    """gross, net, tax of one amount ≥ 0."""
    rate = Fraction(tax["bp"], 10_000)
    if tax["basis"] == "inclusive":
        net = half_up(gross_or_net / (1 + rate))
        return gross_or_net, net, gross_or_net - net
    added = half_up(gross_or_net * rate)
    return gross_or_net + added, gross_or_net, added


def entitlements(plan: Document, total: int) -> dict[str, Fraction]:
    """Exact cumulative entitlements after `total` fen, handed out one fen after another (or taken, below 0)."""
    got = {holder["party"]: Fraction(0) for holder in plan["holders"]}
    taken: dict[int, int] = {}
    flowed = 0
    for _ in range(abs(total)):
        step = _next_step(plan, taken, total)
        if step is not None:
            taken[step] = taken.get(step, 0) + 1
            got[plan["steps"][step]["party"]] += 1
            continue
        for party, weight in _weights(plan, flowed if total > 0 else 0).items():
            got[party] += Fraction(weight if total > 0 else -weight, 10**9)
        flowed += 1
    return bounded(plan, got)


def _next_step(plan: Document, taken: Mapping[int, int], total: int) -> int | None:
    """Which cost or tranche takes the next fen; none does of a refund below 0."""
    for number, step in enumerate(plan["steps"]):
        first = step["kind"] in ("cost_recovery", "tranche")
        if first and total > 0 and taken.get(number, 0) < step["limit_fen"]:
            return number
    return None


def _weights(plan: Document, flowed: int) -> dict[str, int]:
    """Who shares the fen that comes after `flowed` others reached the dividing step."""
    for step in plan["steps"]:
        if step["kind"] == "ratio":
            return {weight["party"]: weight["weight"] for weight in step["weights"]}
        if step["kind"] == "tiered":
            part = [part for part in step["slices"] if part["start"] <= flowed][-1]
            return {weight["party"]: weight["weight"] for weight in part["weights"]}
    return {plan["residual"]: 10**9}


def bounded(plan: Document, got: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Guarantees from the funder as far as it goes, then caps."""
    after = dict(got)
    for step in plan["steps"]:
        if step["kind"] == "guarantee" and after[step["party"]] < step["limit_fen"]:
            moved = min(step["limit_fen"] - after[step["party"]], max(after[step["funder"]], Fraction(0)))
            after[step["party"]] += moved
            after[step["funder"]] -= moved
        if step["kind"] == "cap" and after[step["party"]] > step["limit_fen"]:
            after[step["overflow"]] += after[step["party"]] - step["limit_fen"]
            after[step["party"]] = Fraction(step["limit_fen"])
    return after


def rounded(exact: Mapping[str, Fraction], lineage: str) -> dict[str, int]:
    """Down, then fen by fen to whoever is furthest behind; ties by the smaller hash."""
    given = {party: amount.numerator // amount.denominator for party, amount in exact.items()}
    for _ in range(int(sum(exact.values())) - sum(given.values())):
        furthest = max(exact[party] - given[party] for party in exact)
        tied = [party for party in exact if exact[party] - given[party] == furthest]
        given[min(tied, key=lambda party: hashlib.sha256((lineage + party).encode()).digest())] += 1
    return given


def shapley(parties: Sequence[str], value: Callable[[frozenset[str]], Fraction]) -> dict[str, Fraction]:
    """The mean marginal value over every order of arrival: the definition, n! orders."""
    orders = list(permutations(parties))
    values = dict.fromkeys(parties, Fraction(0))
    for order in orders:
        for place, party in enumerate(order):
            values[party] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return {party: total / len(orders) for party, total in values.items()}
