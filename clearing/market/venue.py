"""Where a product must be traded and who sets its price, by jurisdiction, party and day (exchange.md §2.6).

A rule counts from the day it is in force, never from the day it was passed; it is asked with the day of signing, and
with the day of listing for what is known by then. A rule that another replaces gets its last day, and stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from clearing.market.listing import PriceRegime, VenueClass
from clearing.market.product import Operation, PublicPurpose, SellerKind


@dataclass(frozen=True, slots=True)
class VenueRule:
    """场内必须: what triggers it in one jurisdiction ("" for all), from `first` to `last` ("" while it is in force)."""

    id: str
    source: str
    jurisdiction: str
    first: str
    last: str
    operated_public_data: bool
    state_owned_seller: bool
    fiscal_purchase: bool


@dataclass(frozen=True, slots=True)
class RegimeRule:
    """The price regime of public data under authorised operation: free purposes, and the regime of the other."""

    id: str
    source: str
    first: str
    last: str
    free: frozenset[PublicPurpose]
    otherwise: PriceRegime


@dataclass(frozen=True, slots=True)
class Buyer:
    """What the venue rule asks about a buyer: a 公共管理和服务机构 that buys data on 财政 funds."""

    public_body: bool
    fiscal_funds: bool


VENUE_RULES: tuple[VenueRule, ...] = (
    VenueRule("hubei-40", "《湖北省数据条例》第四十条", "42", "2025-10-01", "", True, True, True),
)
REGIME_RULES: tuple[RegimeRule, ...] = (
    # The day of issue stands for the day in force (P): the notice's own words are to be checked before it is quoted.
    RegimeRule(
        "ndrc-2025-65", "发改价格〔2025〕65号", "2025-01-16", "",
        frozenset({PublicPurpose.GOVERNANCE, PublicPurpose.WELFARE}), PriceRegime.GUIDED,
    ),
)  # fmt: skip


def venue_of(
    day: date, jurisdiction: str, operation: Operation | None, seller: SellerKind, buyer: Buyer | None = None,
    rules: tuple[VenueRule, ...] = VENUE_RULES,
) -> tuple[VenueClass, tuple[str, ...]]:  # fmt: skip
    """The venue class on this day and the ids of the rules that make it 场内必须; an unknown buyer triggers nothing."""
    found = tuple(
        rule.id
        for rule in rules
        if rule.jurisdiction in ("", jurisdiction)
        and _in_force(rule.first, rule.last, day)
        and (
            (rule.operated_public_data and operation is not None)
            or (rule.state_owned_seller and seller is SellerKind.STATE_OWNED)
            or (rule.fiscal_purchase and buyer is not None and buyer.public_body and buyer.fiscal_funds)
        )
    )
    return (VenueClass.REQUIRED if found else VenueClass.OPEN), found


def regimes_of(
    day: date, operation: Operation | None, rules: tuple[RegimeRule, ...] = REGIME_RULES
) -> frozenset[PriceRegime]:
    """The regimes a product may have on this day: public data under operation one, others their own price or none."""
    if operation is None:
        return frozenset({PriceRegime.FREE_PRICING, PriceRegime.GRATIS})
    rule = next((item for item in rules if _in_force(item.first, item.last, day)), None)
    if rule is None:
        return frozenset(PriceRegime)
    return frozenset({PriceRegime.GRATIS if operation.purpose in rule.free else rule.otherwise})


def _in_force(first: str, last: str, day: date) -> bool:
    return first <= day.isoformat() <= (last or "9999-12-31")
