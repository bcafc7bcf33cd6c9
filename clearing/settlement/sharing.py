"""Divides each charge so that nobody is ever a whole fen away from the exact entitlement (D33).

One plan version in one currency is one rounding lineage. The plan is evaluated on the cumulative net revenue T of the
lineage in exact fractions; cumulative entitlements are rounded together; a party's share of a charge is the difference
before and after it. So the order of charges, parties and batches has no effect. Source: domain clearing §4; D33, D34.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

from clearing import money
from clearing.settlement.rating import Charge
from clearing.terms import WHOLE, SharingPlan, StepKind


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
class Shares:
    """The division of one charge. `before` and `after` are the lineage's cumulative net revenue, fen; `booked` is the
    charge's."""

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


def lineage_of(agreement: str, plan: SharingPlan, currency: str) -> str:
    """The name of a rounding lineage: agreement, plan version, currency."""
    return f"{agreement}/{plan.version}/{currency}"


def entitlements(plan: SharingPlan, total: int) -> dict[str, Fraction]:
    """Exact cumulative entitlement of every holder when the lineage has earned `total` fen net. Sums to `total`.

    Cost recovery takes from what is there and never below 0; the ratio step divides what is left, also when refunds
    made it negative; a cap hands the excess to its overflow party.
    """
    money.fen(total, "lineage total")
    exact = {holder.party: Fraction(0) for holder in plan.holders}
    left = Fraction(total)
    for step in plan.steps:
        if step.kind is StepKind.COST_RECOVERY:
            taken = max(Fraction(0), min(left, Fraction(step.limit_fen or 0)))
            exact[step.party or ""] += taken
            left -= taken
        elif step.kind is StepKind.RATIO:
            for weight in step.weights:
                exact[weight.party] += left * Fraction(weight.weight, WHOLE)
            left = Fraction(0)
    exact[plan.residual] += left
    for step in plan.steps:
        if step.kind is StepKind.CAP:
            excess = max(Fraction(0), exact[step.party or ""] - (step.limit_fen or 0))
            exact[step.party or ""] -= excess
            exact[step.overflow or ""] += excess
    return exact


def paid(plan: SharingPlan, lineage: str, total: int) -> dict[str, int]:
    """What every holder has been given, whole fen, when the lineage has earned `total`. Sums to `total`."""
    exact = entitlements(plan, total)
    return money.round_together(exact, {party: tie_key(lineage, party) for party in exact})


def tie_key(lineage: str, party: str) -> bytes:
    """Decides between equal fractions: SHA-256(lineage ‖ party). Fixed, and nobody's list position."""
    return hashlib.sha256(lineage.encode() + party.encode()).digest()


def share(charge_id: str, charge: Charge, plan: SharingPlan, before: int) -> Shares:
    """Divide one charge whose lineage had earned `before` fen net. A refund is a charge with a negative net.

    The amounts sum to the charge's net. Raises BadMoney when the cumulative total leaves the bounds.
    """
    lineage = lineage_of(charge.agreement, plan, charge.currency)
    after = money.fen(before + charge.net, "lineage total")
    exact_before, exact_after = entitlements(plan, before), entitlements(plan, after)
    paid_before, paid_after = paid(plan, lineage, before), paid(plan, lineage, after)
    lines = []
    for holder in plan.holders:
        party = holder.party
        part = exact_after[party] - exact_before[party]
        amount = paid_after[party] - paid_before[party]
        lines.append(
            Share(
                party=party,
                role=holder.role,
                entitlement=money.fraction_text(part),
                amount=amount,
                carry_before=money.fraction_text(exact_before[party] - paid_before[party]),
                carry_after=money.fraction_text(exact_after[party] - paid_after[party]),
                label="carry" if amount < 0 <= part else "",
            )
        )
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
    )
