"""Public-data products under a guided price (发改价格〔2025〕65号): purpose, cap, allowed revenue (pricing §7).

Free purposes cost nothing whatever the model says; other purposes need a cap in force, and no cap means no price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen
from clearing.pricing.quality import Count

Regime = Literal["market", "guided"]
Purpose = Literal["governance", "welfare", "industry"]
FREE = ("governance", "welfare")


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap as the authorising body set it: fen per `billing_size` `billing_unit`, in force from ≤ t < to."""

    id: str
    product: str
    version: Count
    billing_unit: str
    billing_size: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    fen: Fen
    kind: Literal["trial", "formal"]
    issuer: str
    document: str
    effective_from: Count
    effective_to: Count | None = None

    def in_force(self, at: int) -> bool:
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)


@dataclass(frozen=True, slots=True)
class Limit:
    """What the regime does to a price: the cap in fen per billing unit (None = no limit), free of charge or not."""

    cap_fen: int | None
    free: bool
    cap_id: str = ""


def limit_of(
    regime: Regime, purpose: Purpose | None, cap: Cap | None, *, product: str, version: int,
    billing_unit: str, billing_size: int, at: int,
) -> Limit:  # fmt: skip
    """The limit that binds a price of this product at `at`.

    Raises PURPOSE_MISSING, CAP_MISSING (none, another product's, or not in force) and UNIT_MISMATCH (billing basis).
    """
    if regime == "market":
        if cap is not None:
            raise PricingRefused("INPUT_FORM", "cap", "市场调节价不带上限 / none under market regime", cap.id)
        return Limit(None, False)
    if purpose is None:
        raise PricingRefused("PURPOSE_MISSING", "purpose", "governance | welfare | industry", "缺失 / missing")
    if purpose in FREE:
        return Limit(0, True)
    if cap is None:
        raise PricingRefused("CAP_MISSING", "cap", "有效的上限 / a cap in force", "缺失 / missing")
    if (cap.product, cap.version) != (product, version):
        raise PricingRefused("CAP_MISSING", "cap.product", f"{product} v{version}", f"{cap.product} v{cap.version}")
    if not cap.in_force(at):
        raise PricingRefused("CAP_MISSING", "cap.effective_from", f"{at} 时有效 / in force", cap.id)
    if (cap.billing_unit, cap.billing_size) != (billing_unit, billing_size):
        raise PricingRefused(
            "UNIT_MISMATCH",
            "cap.billing_unit",
            f"{billing_size} {billing_unit}",
            f"{cap.billing_size} {cap.billing_unit}",
        )
    return Limit(cap.fen, False, cap.id)


def check_price(limit: Limit, unit_price_fen: int) -> None:
    """A struck or billed unit price above the limit is CAP_EXCEEDED. Evaluated at signing and again on each bill."""
    if limit.cap_fen is not None and unit_price_fen > limit.cap_fen:
        raise PricingRefused("CAP_EXCEEDED", "unit_price_fen", f"≤ {limit.cap_fen}", unit_price_fen)


@dataclass(frozen=True, slots=True)
class Year:
    """One period of an operator's public-data business, fen on one tax basis: base = net cost + profit + tax."""

    base_fen: int
    actual_fen: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a period may earn after deducting last period's excess, and the excess it hands on. Fen."""

    deduct_fen: int
    allowed_fen: int
    over_fen: int


def allowances(years: Sequence[Year]) -> tuple[Allowance, ...]:
    """Carry-over of the allowed revenue (最高准许收入): an excess is handed on whole, a shortfall is not.

    deduct(t) = over(t−1), over(0) = 0; allowed = max(0, base − deduct);
    over = max(0, actual − allowed) + max(0, deduct − base). Raises INPUT_FORM for a negative figure.
    """
    result: list[Allowance] = []
    over = 0
    for position, year in enumerate(years):
        if year.base_fen < 0 or year.actual_fen < 0:
            raise PricingRefused("INPUT_FORM", f"years[{position}]", "≥ 0", f"{year.base_fen}, {year.actual_fen}")
        deduct, allowed = over, max(0, year.base_fen - over)
        over = max(0, year.actual_fen - allowed) + max(0, deduct - year.base_fen)
        result.append(Allowance(deduct, allowed, over))
    return tuple(result)
