"""Valuation approaches (pricing §10). A value kind is never a price: the figure stands beside P1, never averaged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

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
