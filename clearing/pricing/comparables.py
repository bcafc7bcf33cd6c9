"""The market approach (市场法, pricing §10): at least three arm's-length cases, each corrected to the asset valued.

Cases are left out by the same test as trades in `history`, each with its reason. The names of the corrections follow
common practice and are not checked against the appraisers' guideline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from clearing.pricing.arithmetic import HALF, ONE, TWO, ZERO, exact, number
from clearing.pricing.errors import PricingRefused
from clearing.pricing.history import not_arms_length
from clearing.pricing.inputs import Fen, Positive
from clearing.pricing.quality import Count

CORRECTIONS: dict[str, str] = {
    "quality": "质量",
    "density": "价值密度",
    "date": "期日",
    "capacity": "容量",
    "supply_demand": "供求",
    "other": "其他",
}
"""In the fixed order in which they are multiplied."""
FEWEST = 3
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Corrections:
    """Six factors as decimal text, "1" where nothing differs. One outside [0.5, 2] needs its reason in `justified`."""

    quality: str
    density: str
    date: str
    capacity: str
    supply_demand: str
    other: str
    justified: dict[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarketCase:
    """One struck deal over a comparable asset: fen, UTC seconds, parties by code only; only tax-exclusive ones count.

    `weight` is the appraiser's, a positive integer; `evidence` the digest or number of the source document.
    """

    id: str
    price_fen: Fen
    weight: Positive
    at: Count
    seller: str
    buyer: str
    relation: Literal["none", "related", "unchecked"]
    tax_basis: Literal["exclusive", "inclusive"]
    corrections: Corrections
    evidence: str
    consideration: Literal["cash", "equity", "other"] = "cash"
    subsidised: bool = False
    refunded: bool = False
    disputed: bool = False
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Market:
    """A market approach at `base_date` (UTC seconds): the cases looked at, and how the corrected prices are joined."""

    base_date: Count
    statistic: Literal["weighted_mean", "weighted_median"]
    cases: tuple[MarketCase, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The cases that count, by id, with their corrected prices in fen (unrounded), and the others with reasons."""

    admitted: tuple[tuple[MarketCase, Decimal], ...]
    excluded: tuple[tuple[MarketCase, str], ...]


@exact
def market_comparables(market: Market) -> Decimal:
    """valuation.market_comparables@1: V_j = price·Π correction; their weighted mean or weighted median, fen, unrounded.

    The median is the first V_j, sorted by (V_j, id), where 2·cumulative weight ≥ total: always one of the V_j.
    Raises as `select`.
    """
    admitted = select(market).admitted
    if market.statistic == "weighted_median":
        return _median([(value, case.id, case.weight) for case, value in admitted])
    total = ZERO
    for case, value in admitted:
        total = total + Decimal(case.weight) * value
    return total / Decimal(sum(case.weight for case, _ in admitted))


@exact
def select(market: Market) -> Selection:
    """Sorts the cases into admitted and excluded, in id order.

    Raises FUTURE_TRADE for a case after the base date, INPUT_FORM for two cases with one id or one without evidence,
    SCORE_RANGE for a correction ≤ 0 or, unjustified, outside [0.5, 2]; TOO_FEW_CASES when fewer than three are left.
    """
    ids = [case.id for case in market.cases]
    if len(set(ids)) != len(ids):
        raise PricingRefused("INPUT_FORM", "market.cases", "案例编号唯一 / unique ids", ids)
    circles = {(case.buyer, case.seller) for case in market.cases}
    admitted: list[tuple[MarketCase, Decimal]] = []
    excluded: list[tuple[MarketCase, str]] = []
    for case in sorted(market.cases, key=lambda case: case.id):
        where = f"market.cases.{case.id}"
        if case.at > market.base_date:
            raise PricingRefused("FUTURE_TRADE", f"{where}.at", f"≤ {market.base_date}", case.at)
        if not case.evidence.strip():
            raise PricingRefused("INPUT_FORM", f"{where}.evidence", "案例来源 / source of the case", "缺失 / missing")
        corrected = _corrected(case, where)
        reason = "" if case.tax_basis == "exclusive" else "not_comparable:tax_basis"
        reason = reason or not_arms_length(case, circles) or ("zero_price" if case.price_fen == 0 else "")
        if reason:
            excluded.append((case, reason))
        else:
            admitted.append((case, corrected))
    if len(admitted) < FEWEST:
        given = f"{len(admitted)}（排除 / excluded: {', '.join(f'{c.id} {why}' for c, why in excluded) or '—'}）"
        raise PricingRefused("TOO_FEW_CASES", "market.cases", f"≥ {FEWEST}", given)
    return Selection(tuple(admitted), tuple(excluded))


def _corrected(case: MarketCase, where: str) -> Decimal:
    unknown = sorted(set(case.corrections.justified) - set(CORRECTIONS))
    if unknown:
        expected = " | ".join(CORRECTIONS)
        raise PricingRefused("INPUT_FORM", f"{where}.corrections.justified", expected, ", ".join(unknown))
    value = Decimal(case.price_fen)
    for name in CORRECTIONS:
        place, text = f"{where}.corrections.{name}", getattr(case.corrections, name)
        factor = number(text, place)
        if factor <= 0:
            raise PricingRefused("SCORE_RANGE", place, "> 0", text)
        if not HALF <= factor <= TWO and not case.corrections.justified.get(name, "").strip():
            raise PricingRefused("SCORE_RANGE", place, "[0.5, 2]，否则说明理由 / or a reason", text)
        value = value * factor
    return value


def _median(values: Sequence[tuple[Decimal, str, int]]) -> Decimal:
    ordered = sorted(values)
    total, cumulative = sum(weight for _, _, weight in ordered), 0
    for value, _, weight in ordered:
        cumulative += weight
        if 2 * cumulative >= total:
            return value * ONE
    raise PricingRefused("TOO_FEW_CASES", "market.cases", f"≥ {FEWEST}", len(ordered))
