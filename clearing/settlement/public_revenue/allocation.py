"""用途清分: a ticket divided among purposes by weights of 10^9, with the rounding of §4 and no other.

One plan version is one rounding lineage over all its tickets: `before` is what was allocated under it, less what was
given back; a purpose's line is what it has been given after the amount less what before. So lines add up to the
amount, every purpose is within 1 fen of its exact part at every moment, and a −1 fen line that only corrects an earlier
rounding may occur and says so. Source: domain clearing §4, §6; D33, D34.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement import sharing
from clearing.terms import CURRENCY, WHOLE, Holder, Positive, SharingPlan, Short, Step, StepKind, Weight, check_plan
from registry.asset import Twin

GOVERNMENT = "政府(非税)"
"""The role of every purpose: the budget has no commercial payee (§4)."""

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
PurposeCode = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,40}\Z")]
BudgetClass = Annotated[str, Meta(pattern=r"^[0-9]{3}([0-9]{2}){0,3}\Z")]
"""政府收支分类科目: 类、款、项、目 as 3, 5, 7 or 9 digits."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """用途: its part of 10^9, its budget class, and the digest of the document that approved it."""

    code: PurposeCode
    name: Short
    budget_class: BudgetClass
    approval: Twin
    weight: Annotated[int, Meta(ge=0, le=WHOLE)]


Purposes = Annotated[tuple[Purpose, ...], Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Line:
    """What one amount gave (or a refund took from) a purpose: `amount` fen; `entitlement` its exact part.

    `carry_before` and `carry_after` are the exact cumulative part minus what was given, each within (−1, 1) fen.
    `label` is "" or "carry" for a line whose sign is only an earlier rounding's.
    """

    code: PurposeCode
    budget_class: BudgetClass
    approval: Twin
    amount: int
    entitlement: str
    carry_before: str
    carry_after: str
    label: str


def sharing_plan(version: int, purposes: Purposes) -> SharingPlan:
    """The purposes as a plan of one ratio step. Raises BadTerms unless codes differ and weights sum to 10^9."""
    codes = [purpose.code for purpose in purposes]
    if len(set(codes)) != len(codes):
        raise BadTerms("purposes", "每个用途一次 / each purpose once", codes)
    weights = tuple(Weight(purpose.code, purpose.weight) for purpose in purposes)
    if (total := sum(weight.weight for weight in weights)) != WHOLE:
        raise BadTerms("purposes", f"Σ weight = {WHOLE}", total)
    plan = SharingPlan(
        version, 0, tuple(Holder(code, GOVERNMENT) for code in codes), (Step(StepKind.RATIO, weights=weights),),
        residual=codes[0],
    )  # fmt: skip
    check_plan(plan)
    return plan


def divide(plan: str, version: Positive, purposes: Purposes, before: int, amount: int) -> tuple[Line, ...]:
    """The lines of `amount` fen (< 0: a refund) in the lineage of this plan version, in order of code.

    They sum to the amount. Raises BadMoney when the lineage would fall below 0 or leave the bounds.
    """
    money.fen(before, "before", least=0)
    after = money.fen(before + money.fen(amount, "amount"), "lineage total", least=0)
    rule = sharing_plan(version, purposes)
    lineage = sharing.lineage_of(plan, rule, CURRENCY)
    had, has = sharing.paid(rule, lineage, before), sharing.paid(rule, lineage, after)
    exact_before, exact_after = sharing.entitlements(rule, before), sharing.entitlements(rule, after)
    lines = []
    for purpose in sorted(purposes, key=lambda purpose: purpose.code):
        code = purpose.code
        given, part = has[code] - had[code], exact_after[code] - exact_before[code]
        lines.append(
            Line(
                code, purpose.budget_class, purpose.approval, given, money.fraction_text(part),
                money.fraction_text(exact_before[code] - had[code]), money.fraction_text(exact_after[code] - has[code]),
                "carry" if given and Fraction(given) * part <= 0 else "",
            )
        )  # fmt: skip
    return tuple(lines)
