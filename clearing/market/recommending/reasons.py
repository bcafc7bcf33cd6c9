"""Why a product is recommended: the three bases of exchange.md §3.4, each as a line that names it.

Only what an organisation did counts: orders and searches on record, sectors it declared. Source: PIPL art. 24.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clearing.market.listing import ProductType
from clearing.market.matching.overlap import share_of_text
from registry.calendar import day_of

RECOMMENDATION_SWITCH = "recommendation-switch/v1"
KEPT_SECONDS = 90 * 86_400
"""How long what a recommendation rests on is kept (§3.4)."""


class Basis(StrEnum):
    """What a recommendation rests on."""

    ORDER = "order"
    SEARCH = "search"
    SECTOR = "sector"


WEIGHTS: Mapping[Basis, int] = {Basis.ORDER: 3, Basis.SEARCH: 2, Basis.SECTOR: 1}
"""How much each basis counts for the order (P)."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Body of recommendation-switch/v1 about "recommendation-switch:<USCC>": the operator's system key states that the
    organisation switched personal recommendations on or off. Who of it pressed the button is not said."""

    on: bool


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order of the organisation: when, and what was ordered."""

    at: int
    listing: str
    industry: str
    name: str


@dataclass(frozen=True, slots=True)
class Searched:
    """A search the organisation sent to be kept; "" asks nothing."""

    at: int
    words: str = ""
    industry: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an organisation did in the last 90 days, and the sectors it declared."""

    orders: tuple[Ordered, ...] = ()
    searches: tuple[Searched, ...] = ()
    sectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """为什么显示: the basis, and the line in both tongues."""

    basis: Basis
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Product:
    """What is shown of a product, and what reasons are looked for in."""

    listing: str
    product: str
    name: str
    overview: str
    type: ProductType
    industry: str
    theme: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A product with the reasons why it is shown; none in the list that is not personalised."""

    shown: Product
    why: tuple[Reason, ...] = ()


def reasons_of(product: Product, behaviour: Behaviour) -> tuple[Reason, ...]:
    """What a product has to do with what an organisation did: at most one reason of each basis."""
    found = []
    order = next((item for item in behaviour.orders if item.industry == product.industry), None)
    if order is not None:
        day = day_of(order.at).isoformat()
        found.append(
            Reason(
                Basis.ORDER, f"本单位 {day} 订购过同行业的“{order.name}”",
                f"your organisation ordered a product of the same sector on {day}",
            )
        )  # fmt: skip
    search = next((item for item in behaviour.searches if _answers(product, item)), None)
    if search is not None:
        day = day_of(search.at).isoformat()
        asked = " ".join(filter(None, (search.words, search.industry, search.type)))
        found.append(
            Reason(Basis.SEARCH, f"本单位 {day} 检索过“{asked}”", f"your organisation searched for this on {day}")
        )
    if product.industry in behaviour.sectors:
        found.append(
            Reason(Basis.SECTOR, f"本单位申报的行业 {product.industry}", f"a sector you declared: {product.industry}")
        )
    return tuple(found)


def personalised(products: Sequence[Product], behaviour: Behaviour) -> tuple[Item, ...]:
    """Those with a reason, the weightiest first, else in the order given."""
    items = [Item(product, reasons_of(product, behaviour)) for product in products]
    return tuple(
        sorted((item for item in items if item.why), key=lambda item: -sum(WEIGHTS[why.basis] for why in item.why))
    )


def _answers(product: Product, search: Searched) -> bool:
    text = " ".join((product.name, product.overview, product.theme, *product.tags))
    return (
        (not search.words or share_of_text(search.words, text) == 1)
        and (not search.industry or search.industry == product.industry)
        and (not search.type or search.type == product.type.value)
    )
