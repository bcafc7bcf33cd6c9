"""Divides each charge so that nobody is ever a whole fen away from the exact entitlement (D33).

One plan version in one currency is one rounding lineage. The plan is evaluated on the cumulative net revenue T of the
lineage, exactly; cumulative entitlements are rounded together; a party's share of a charge is the difference before and
after it. So the order of charges, parties and batches has no effect. Where the weights are derived anew for every
period, what each charge entitles to is added up instead, and the sum before a charge is an argument. Weights are parts
of 10^9 and limits whole fen, so every entitlement is a whole number of 10^-9 fen and nothing here is a fraction until
it is written down. Source: domain clearing §4; D33, D34.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import sub
from typing import Annotated

import msgspec

from clearing import money
from clearing.errors import BadMoney, BadTerms, Held, HoldReason
from clearing.settlement.rating import Charge
from clearing.settlement.weighing import Derived, check_derived
from clearing.terms import DERIVED, WHOLE, SharingPlan, Step, StepKind, Weight


@dataclass(frozen=True, slots=True)
class Share:
    """应分额 of one party in one charge: `entitlement` is its exact part of this charge, `amount` whole fen.

    `carry_before` and `carry_after` are the exact cumulative entitlement minus what was given, each within (−1, 1) fen.
    `label` is "" or "carry" for a −1 fen line that only corrects an earlier rounding.
    """

    party: str
    role: str
    entitlement: str
    amount: int
    carry_before: str
    carry_after: str
    label: str


@dataclass(frozen=True, slots=True)
class Entitled:
    """The exact cumulative entitlement of one party, fen as `n` or `n/d`, before guarantees and caps."""

    party: str
    exact: Annotated[str, msgspec.Meta(pattern=r"^(0|-?[1-9][0-9]{0,30}(/[1-9][0-9]{0,9})?)\Z")]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What `guarantor` would owe `party` if nothing more came in: guarantee minus what was given in all, fen > 0."""

    party: str
    guarantor: str
    amount: int


@dataclass(frozen=True, slots=True)
class Shares:
    """The division of one charge. `before` and `after` are the lineage's cumulative net revenue, fen; `booked` is the
    charge's.

    Under a plan with derived weights, `weights` are those of this charge and `entitled` what it leaves to the next.
    `shortfalls` are what guarantors would owe as things stand after this charge, where the plan has a guarantee.
    """

    charge: str
    agreement: str
    revision: int
    period: str
    buyer: str
    currency: str
    plan_version: int
    lineage: str
    before: int
    after: int
    shares: tuple[Share, ...]
    booked: str | None = None
    weights: Derived | None = None
    entitled: tuple[Entitled, ...] | None = None
    shortfalls: tuple[Shortfall, ...] | None = None


def lineage_of(agreement: str, plan: SharingPlan, currency: str) -> str:
    """The name of a rounding lineage: agreement, plan version, currency."""
    return f"{agreement}/{plan.version}/{currency}"


def entitlements(plan: SharingPlan, total: int) -> dict[str, Fraction]:
    """Exact cumulative entitlement of every holder when the lineage has earned `total` fen net. Sums to `total`.

    Raises Held for a plan whose weights are derived: its entitlements are no function of the total alone.
    """
    return {party: Fraction(part, WHOLE) for party, part in _entitled(plan, total).items()}


def paid(plan: SharingPlan, lineage: str, total: int) -> dict[str, int]:
    """What every holder has been given, whole fen, when the lineage has earned `total`. Sums to `total`.

    One pass over the holders and one sort of their fractions, so 100,000 holders need no state of their own.
    """
    return _rounded(plan, _entitled(plan, total), lineage)


def given(
    plan: SharingPlan, lineage: str, total: int, entitled: Mapping[str, Fraction] | None = None
) -> dict[str, int]:
    """As `paid`, also for a plan whose weights are derived: of it by what every holder is `entitled` to in all.

    Raises BadMoney when the entitlements do not add up to `total`.
    """
    if plan.derived is None:
        return paid(plan, lineage, total)
    return _rounded(plan, _bounded(plan, _opening(plan, total, entitled or {})), lineage)


def split_each(plan: SharingPlan, lineage: str, before: int, nets: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """The amounts `share` gives for charges of these nets, one after another, in order of `plan.holders`."""
    total, given = before, list(paid(plan, lineage, before).values())
    tie = _tie_of(plan, lineage)
    for net in nets:
        total += net
        after = money.round_scaled(list(_entitled(plan, total).values()), WHOLE, tie)
        yield tuple(map(sub, after, given))
        given = after


def shortfalls(plan: SharingPlan, given: Mapping[str, int]) -> tuple[Shortfall, ...]:
    """What is missing to each guarantee after the funder's share was used up, when so much was given in all."""
    return tuple(
        Shortfall(step.party or "", step.guarantor or "", (step.limit_fen or 0) - given[step.party or ""])
        for step in plan.steps
        if step.kind is StepKind.GUARANTEE and given[step.party or ""] < (step.limit_fen or 0)
    )


def share(
    charge_id: str,
    charge: Charge,
    plan: SharingPlan,
    before: int,
    *,
    weights: Derived | None = None,
    entitled: Mapping[str, Fraction] | None = None,
) -> Shares:
    """Divide one charge whose lineage had earned `before` fen net. A refund is a charge with a negative net.

    A plan with a derived step needs the `weights` of the charge's period, and what every holder was `entitled` to
    before this charge (`Shares.entitled` of the charge before it; nothing for the first); a net of 0 needs no weights,
    there is nothing to divide. The amounts sum to the charge's net. Raises BadMoney when the cumulative total leaves
    the bounds or differs from the entitlements, Held when the weights are missing, BadTerms when they are another
    step's.
    """
    lineage = lineage_of(charge.agreement, plan, charge.currency)
    after = money.fen(before + charge.net, "lineage total")
    step = plan.derived
    if step is None:
        if weights is not None or entitled is not None:
            raise BadTerms("weights", "none for a plan with agreed weights", "derived weights")
        summed, exact_before, exact_after = None, _entitled(plan, before), _entitled(plan, after)
    else:
        if weights is None and charge.net:
            raise Held(HoldReason.NOT_GIVEN, "weights", f"the {step.kind} weights of {charge.period}", None)
        opening = _opening(plan, before, entitled or {})
        if weights is not None:
            check_derived(step, weights, opening)
        summed = _added(plan, opening, before, after, weights.weights if weights else ())
        exact_before, exact_after = _bounded(plan, opening), _bounded(plan, summed)
    paid_before, paid_after = _rounded(plan, exact_before, lineage), _rounded(plan, exact_after, lineage)
    lines = []
    for holder in plan.holders:
        party = holder.party
        part = exact_after[party] - exact_before[party]
        amount = paid_after[party] - paid_before[party]
        lines.append(
            Share(
                party=party,
                role=holder.role,
                entitlement=_text(part),
                amount=amount,
                carry_before=_text(exact_before[party] - WHOLE * paid_before[party]),
                carry_after=_text(exact_after[party] - WHOLE * paid_after[party]),
                label="carry" if amount < 0 <= part else "",
            )
        )
    guarantees = any(step.kind is StepKind.GUARANTEE for step in plan.steps)
    return Shares(
        charge=charge_id,
        agreement=charge.agreement,
        revision=charge.revision,
        period=charge.period,
        buyer=charge.buyer,
        currency=charge.currency,
        plan_version=plan.version,
        lineage=lineage,
        before=before,
        after=after,
        shares=tuple(sorted(lines, key=lambda line: line.party)),
        booked=charge.booked,
        weights=weights,
        entitled=None if summed is None else tuple(Entitled(party, _text(summed[party])) for party in sorted(summed)),
        shortfalls=shortfalls(plan, paid_after) if guarantees else None,
    )


def entitled_after(shares: Shares) -> dict[str, Fraction]:
    """What the next charge of a lineage with derived weights takes as `entitled`."""
    return {item.party: Fraction(item.exact) for item in shares.entitled or ()}


def _entitled(plan: SharingPlan, total: int) -> dict[str, int]:
    """Cumulative entitlement of every holder in 10^-9 fen."""
    exact, left = _before_dividing(plan, money.fen(total, "lineage total"))
    for step in plan.steps:
        if step.kind is StepKind.RATIO:
            for weight in step.weights:
                exact[weight.party] += left * weight.weight
            break
        if step.kind is StepKind.TIERED:
            _add_slices(exact, step, left)
            break
        if step.kind in DERIVED:
            raise Held(HoldReason.NOT_GIVEN, "weights", f"the {step.kind} weights of each period", None)
    else:
        exact[plan.residual] += left * WHOLE
    _bound(plan, exact)
    return exact


def _before_dividing(plan: SharingPlan, total: int) -> tuple[dict[str, int], int]:
    """Cost recovery and tranches take from what is there, never below 0: entitlements in 10^-9 fen, and fen left."""
    exact = {holder.party: 0 for holder in plan.holders}
    left = total
    for step in plan.steps:
        if step.kind is StepKind.COST_RECOVERY or step.kind is StepKind.TRANCHE:
            taken = max(0, min(left, step.limit_fen or 0))
            exact[step.party or ""] += taken * WHOLE
            left -= taken
    return exact, left


def _add_slices(exact: dict[str, int], step: Step, left: int) -> None:
    """Each slice of what is left by its own weights; what refunds made negative by the first slice's."""
    slices = step.slices or ()
    for number, part in enumerate(slices):
        end = slices[number + 1].start if number + 1 < len(slices) else max(left, part.start)
        within = min(left, end) - part.start
        if within > 0 or number == 0:
            for weight in part.weights:
                exact[weight.party] += within * weight.weight


def _bounded(plan: SharingPlan, exact: Mapping[str, int]) -> dict[str, int]:
    bounded = dict(exact)
    _bound(plan, bounded)
    return bounded


def _bound(plan: SharingPlan, bounded: dict[str, int]) -> None:
    """Guarantees out of what the funder has, then caps, in place; the sum stays."""
    for step in plan.steps:
        if step.kind is StepKind.GUARANTEE:
            missing = max(0, WHOLE * (step.limit_fen or 0) - bounded[step.party or ""])
            moved = min(missing, max(0, bounded[step.funder or ""]))
            bounded[step.funder or ""] -= moved
            bounded[step.party or ""] += moved
        elif step.kind is StepKind.CAP:
            excess = max(0, bounded[step.party or ""] - WHOLE * (step.limit_fen or 0))
            bounded[step.party or ""] -= excess
            bounded[step.overflow or ""] += excess


def _opening(plan: SharingPlan, before: int, entitled: Mapping[str, Fraction]) -> dict[str, int]:
    """`entitled` in 10^-9 fen, for every holder of the plan."""
    opening = {holder.party: 0 for holder in plan.holders}
    for party, exact in entitled.items():
        part = exact * WHOLE
        if party not in opening or part.denominator != 1:
            raise BadMoney("entitled", "whole 10^-9 fen of a holder of the plan", (party, str(exact)))
        opening[party] = int(part)
    if sum(opening.values()) != before * WHOLE:
        raise BadMoney("entitled", f"a sum of {before}, what the lineage has earned", _text(sum(opening.values())))
    return opening


def _added(
    plan: SharingPlan, opening: Mapping[str, int], before: int, after: int, weights: tuple[Weight, ...]
) -> dict[str, int]:
    """What the revenue from `before` to `after` adds to the opening entitlements, divided by the charge's weights."""
    first, left_before = _before_dividing(plan, before)
    then, left_after = _before_dividing(plan, after)
    summed = {party: part + then[party] - first[party] for party, part in opening.items()}
    for weight in weights:
        summed[weight.party] += (left_after - left_before) * weight.weight
    return summed


def _rounded(plan: SharingPlan, exact: Mapping[str, int], lineage: str) -> dict[str, int]:
    rounded = money.round_scaled(list(exact.values()), WHOLE, _tie_of(plan, lineage))
    return dict(zip(exact, rounded, strict=True))


def _tie_of(plan: SharingPlan, lineage: str) -> Callable[[int], bytes]:
    """The tie key of the holder at a place; entitlements are kept in order of `plan.holders`."""
    return lambda place: money.tie_key(lineage, plan.holders[place].party)


def _text(part: int) -> str:
    return money.scaled_text(part, WHOLE)
