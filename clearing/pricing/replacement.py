"""The cost approach (成本法, pricing §10): what making the data again would cost, less what time and quality take.

Only the counted groups of the cost table carry into it, as into an element. An appraiser's guideline names further
costs (间接成本, 机会成本, 税费); they are not in this version, and we have not checked the guideline's wording.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from clearing.pricing.arithmetic import ONE, ZERO, exact, integer, number
from clearing.pricing.cost import ITEMS
from clearing.pricing.element_price import decay_half_life
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen
from clearing.pricing.quality import Count


@dataclass(frozen=True, slots=True)
class Remade:
    """One cost item at its historical amount in fen and the price index (decimal text > 0) that makes it of today."""

    code: str
    amount_fen: Fen
    price_index: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Depreciation:
    """How value wears off: both counts are months; `span_months` is the life, or the half-life."""

    method: Literal["straight_line", "half_life"]
    age_months: Count
    span_months: Count


@dataclass(frozen=True, slots=True)
class Replacement:
    """A cost approach: items, profit (decimal text ≥ 0), depreciation, quality factor q = Z·β in [0,1].

    A q above one needs `quality_reason`.
    """

    items: tuple[Remade, ...]
    profit: str
    depreciation: Depreciation
    quality: str
    quality_reason: str | None = None


@exact
def replacement_cost(case: Replacement) -> Decimal:
    """valuation.replacement_cost@1: V = C_repl·(1+profit)·(1−dep)·q, C_repl = Σ item·price index; fen, unrounded.

    Raises INPUT_FORM without items, for an unknown code or a missing source, INDIRECT_COST for 间接成本, SCORE_RANGE
    for an index ≤ 0, a negative profit, or a quality factor below 0 or, unjustified, above 1.
    """
    made_again = remade_fen(case)
    profit = number(case.profit, "replacement.profit", ZERO)
    quality = quality_factor(case.quality, case.quality_reason, "replacement.quality")
    return made_again * (ONE + profit) * remaining(case.depreciation) * quality


@exact
def remade_fen(case: Replacement) -> Decimal:
    """C_repl: the items at the prices of the base date, fen, unrounded. Raises as `replacement_cost`."""
    if not case.items:
        raise PricingRefused("INPUT_FORM", "replacement.items", "至少一项 / at least one", 0)
    total = ZERO
    for position, item in enumerate(case.items):
        where = f"replacement.items[{position}]"
        group = ITEMS.get(item.code, ("", ""))[1]
        if group == "indirect":
            raise PricingRefused("INDIRECT_COST", f"{where}.code", "前期费用或建设成本 / a counted group", item.code)
        if group not in ("preliminary", "construction"):
            counted = " | ".join(code for code, (_, name) in ITEMS.items() if name in ("preliminary", "construction"))
            raise PricingRefused("INPUT_FORM", f"{where}.code", counted, item.code)
        if not item.evidence.strip():
            raise PricingRefused("INPUT_FORM", f"{where}.evidence", "指数来源 / source of the index", "缺失 / missing")
        index = number(item.price_index, f"{where}.price_index")
        if index <= 0:
            raise PricingRefused("SCORE_RANGE", f"{where}.price_index", "> 0", item.price_index)
        total = total + Decimal(integer(item.amount_fen, f"{where}.amount_fen")) * index
    return total


@exact
def remaining(depreciation: Depreciation) -> Decimal:
    """1 − dep, in [0,1]: 1 − min(1, age/life), or exp(−ln 2·age/half-life).

    Raises NEGATIVE_AGE, and INPUT_FORM for a span below one month.
    """
    span = integer(depreciation.span_months, "replacement.depreciation.span_months", 1)
    age = depreciation.age_months
    if age < 0:
        raise PricingRefused("NEGATIVE_AGE", "replacement.depreciation.age_months", "≥ 0", age)
    if depreciation.method == "half_life":
        return decay_half_life(age, span)
    return ONE - min(ONE, Decimal(age) / Decimal(span))


@exact
def quality_factor(text: str, reason: str | None, field: str) -> Decimal:
    """q in [0,1]; above one only with a written reason. Raises SCORE_RANGE, INPUT_FORM."""
    q = number(text, field, ZERO)
    if q > ONE and not (reason or "").strip():
        raise PricingRefused("SCORE_RANGE", field, "[0, 1]，否则说明理由 / or a reason", text)
    return q
