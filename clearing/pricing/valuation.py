"""The income approach (收益法, pricing §10). A value is never a price: it stands beside P1, never averaged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from clearing.pricing.arithmetic import MAX_INTEGER, ONE, ZERO, exact, number
from clearing.pricing.errors import PricingRefused

Fen = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]


@dataclass(frozen=True, slots=True)
class Flow:
    """One year's cash flow in fen, at the year's end, and the part of it the data earns (分成率, text in [0,1])."""

    cash_fen: Fen
    attribution: str


@dataclass(frozen=True, slots=True)
class Income:
    """An income approach: yearly flows over the life, the discount rate with its derivation."""

    rate: str
    derivation: str
    flows: tuple[Flow, ...]


@exact
def income_dcf(income: Income) -> Decimal:
    """valuation.income_dcf@1: disc(0) = 1, disc(t) = disc(t−1)·(1+rate); V = Σ attribution·CF/disc(t), fen, unrounded.

    No terminal value. Raises SCORE_RANGE for a rate ≤ 0 or an attribution outside [0,1], INPUT_FORM without flows.
    """
    rate = number(income.rate, "income.rate")
    if rate <= 0:
        raise PricingRefused("SCORE_RANGE", "income.rate", "> 0", income.rate)
    if not income.flows:
        raise PricingRefused("INPUT_FORM", "income.flows", "至少一年 / at least one year", 0)
    return _sum(rate, income.flows)


def _sum(rate: Decimal, flows: Sequence[Flow]) -> Decimal:
    discount, value = ONE, ZERO
    for position, flow in enumerate(flows):
        discount = discount * (ONE + rate)
        attribution = number(flow.attribution, f"income.flows[{position}].attribution", ZERO, ONE)
        value = value + attribution * Decimal(flow.cash_fen) / discount
    return value


@dataclass(frozen=True, slots=True)
class IncomeLimits:
    """What bounds an income period, in years as decimal text, and the tax basis of the flows.

    Economic life (经济寿命) of the data, the remaining term of the right held, and that of the source's authorisation;
    `evidence` says where the three come from.
    """

    economic_life: str
    right_remaining: str
    source_authorisation: str
    tax_basis: Literal["before_income_tax", "after_income_tax"]
    evidence: str


@exact
def check_income(income: Income, limits: IncomeLimits) -> int:
    """The life in years (one flow a year, the last at its end), or a refusal.

    Raises TERM_EXCEEDED when a flow lies after the shortest of the three terms, INPUT_FORM without a derivation of the
    rate or evidence of the terms, SCORE_RANGE for a negative term.
    """
    for field, text in (("income.derivation", income.derivation), ("limits.evidence", limits.evidence)):
        if not text.strip():
            raise PricingRefused("INPUT_FORM", field, "说明来源 / where it comes from", "缺失 / missing")
    terms = ("economic_life", "right_remaining", "source_authorisation")
    shortest = min(terms, key=lambda name: number(getattr(limits, name), f"limits.{name}", ZERO))
    life = len(income.flows)
    if Decimal(life) > number(getattr(limits, shortest), f"limits.{shortest}"):
        expected = f"≤ {getattr(limits, shortest)} 年 / years ({shortest})"
        raise PricingRefused("TERM_EXCEEDED", "income.flows", expected, life)
    return life
