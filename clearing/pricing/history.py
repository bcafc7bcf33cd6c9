"""The historical reference price C0: arm's-length trades of the same thing, or none at all (pricing §5.3).

Every trade left out is listed with its reason. Nothing left means cold start: λ becomes 0, and no zero stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import msgspec

from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen
from clearing.pricing.quality import Count


@dataclass(frozen=True, slots=True)
class Trade:
    """One struck price, fen per billing unit, tax-exclusive unless `tax_basis` says otherwise. Parties by code only.

    `relation`: what the check of 关联方 found; an unchecked pair does not count.
    """

    id: str
    element: str
    version: Count
    stage: str
    scene: str
    billing_unit: str
    billing_size: Count
    right: str
    tax_basis: Literal["exclusive", "inclusive"]
    currency: str
    unit_price_fen: Fen
    quantity: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    at: Count
    seller: str
    buyer: str
    relation: Literal["none", "related", "unchecked"]
    consideration: Literal["cash", "equity", "other"] = "cash"
    subsidised: bool = False
    refunded: bool = False
    disputed: bool = False
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Comparable:
    """What a trade must equal to be comparable; `versions` holds the version priced and its declared predecessors."""

    element: str
    versions: tuple[int, ...]
    stage: str
    scene: str
    billing_unit: str
    billing_size: int
    right: str
    as_of: int
    window_s: int
    minimum: int
    weights: Literal["equal", "quantity"]


@dataclass(frozen=True, slots=True)
class Reference:
    """C0 in fen (None = cold start), the trades behind it, the others with reasons, and the number of buyers."""

    price_fen: int | None
    admitted: tuple[Trade, ...]
    excluded: tuple[tuple[Trade, str], ...]
    buyers: int


def reference_price(
    trades: Sequence[Trade], wanted: Comparable, median: Callable[[Sequence[tuple[int, str, int]]], int]
) -> Reference:
    """Sorts the trades into admitted and excluded and takes `median` over (price, id, weight) of the admitted.

    Raises FUTURE_TRADE for a trade after `as_of`, INPUT_FORM for two trades with one id. Fewer admitted than the
    minimum is a cold start; excluded trades never move a price.
    """
    ids = [trade.id for trade in trades]
    if len(set(ids)) != len(ids):
        raise PricingRefused("INPUT_FORM", "trades", "成交编号唯一 / unique ids", ids)
    for trade in trades:
        if trade.at > wanted.as_of:
            raise PricingRefused("FUTURE_TRADE", f"trades.{trade.id}.at", f"≤ {wanted.as_of}", trade.at)
    window = [trade for trade in trades if trade.at > wanted.as_of - wanted.window_s]
    circles = {(trade.buyer, trade.seller) for trade in window if trade.element == wanted.element}
    admitted: list[Trade] = []
    excluded: list[tuple[Trade, str]] = []
    for trade in sorted(trades, key=lambda trade: trade.id):
        reason = _why_not(trade, wanted, circles)
        if reason:
            excluded.append((trade, reason))
        else:
            admitted.append(trade)
    price = None
    if len(admitted) >= wanted.minimum:
        price = median([(t.unit_price_fen, t.id, t.quantity if wanted.weights == "quantity" else 1) for t in admitted])
    return Reference(price, tuple(admitted), tuple(excluded), len({trade.buyer for trade in admitted}))


def _why_not(trade: Trade, wanted: Comparable, circles: set[tuple[str, str]]) -> str:
    same = (
        ("element", trade.element == wanted.element),
        ("version", trade.version in wanted.versions),
        ("stage", trade.stage == wanted.stage),
        ("scene", trade.scene == wanted.scene),
        ("billing_unit", (trade.billing_unit, trade.billing_size) == (wanted.billing_unit, wanted.billing_size)),
        ("right", trade.right == wanted.right),
        ("tax_basis", trade.tax_basis == "exclusive"),
        ("currency", trade.currency == "CNY"),
    )
    different = next((name for name, equal in same if not equal), "")
    reasons = (
        (bool(different), f"not_comparable:{different}"),
        (trade.at <= wanted.as_of - wanted.window_s, "outside_window"),
    )
    early = next((reason for holds, reason in reasons if holds), "")
    return early or not_arms_length(trade, circles) or ("zero_price" if trade.unit_price_fen == 0 else "")


class Deal(Protocol):
    """What decides whether two parties dealt at arm's length; a trade and a valuation case both have it."""

    @property
    def seller(self) -> str: ...
    @property
    def buyer(self) -> str: ...
    @property
    def relation(self) -> str: ...
    @property
    def consideration(self) -> str: ...
    @property
    def subsidised(self) -> bool: ...
    @property
    def refunded(self) -> bool: ...
    @property
    def disputed(self) -> bool: ...
    @property
    def capped(self) -> bool: ...


def not_arms_length(deal: Deal, circles: set[tuple[str, str]]) -> str:
    """Why a deal says nothing of a market price (关联方, 自成交, 回转, 非现金, 奖补 …), or "".

    `circles`: (buyer, seller) of every deal looked at, so that A→B beside B→A is seen.
    """
    reasons = (
        (deal.seller == deal.buyer, "self_dealing"),
        (deal.relation == "related", "related_party"),
        (deal.relation == "unchecked", "relation_not_checked"),
        ((deal.seller, deal.buyer) in circles, "circle"),
        (deal.consideration != "cash", "non_cash"),
        (deal.subsidised, "subsidised"),
        (deal.refunded, "refunded"),
        (deal.disputed, "disputed"),
        (deal.capped, "bound_by_cap"),
    )
    return next((reason for holds, reason in reasons if holds), "")
