"""Two lists of products for an organisation: one with reasons, from what it did, and one that everybody gets.

Nothing here commits, reads a clock or looks at a price. Source: exchange.md §3.4; PIPL art. 24.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing import taking
from clearing.market import store as agreements
from clearing.market.listing import SYSTEM
from clearing.market.negotiation import store as negotiations
from clearing.market.negotiation.moves import State
from clearing.market.profile import store as profiles
from clearing.market.recommending import store
from clearing.market.recommending.reasons import (
    KEPT_SECONDS,
    RECOMMENDATION_SWITCH,
    Behaviour,
    Item,
    Ordered,
    Product,
    Searched,
    Switch,
    personalised,
)
from clearing.market.shelf import service as shelf
from clearing.market.shelf import store as listings
from clearing.market.shelf.store import Summary, Wanted
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner

LOOKED_AT = 200
"""The newest products on offer that a recommendation looks at (P)."""
MOST = 20
_ORDERED = frozenset(
    {
        State.ORDERED, State.REQUESTED, State.OFFERED, State.ACCEPTED, State.AGREED, State.VERIFIED, State.FINALIZED,
    }
)  # fmt: skip
"""States in which a negotiation is an order."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """Both lists, at most `MOST` products each: `items` is empty while recommendations are switched off."""

    on: bool
    items: tuple[Item, ...]
    plain: tuple[Item, ...]


def recommend(session: Session, party: str, *, at: int) -> Recommended:
    """What may interest an organisation, with reasons, and the newest products whoever asks.

    Its own products, and those it has a running agreement about, are not recommended to it.
    """
    offers = shelf.search(session, Wanted(), at=at, limit=LOOKED_AT).offers
    newest = [offer.summary for offer in offers]
    plain = tuple(Item(product_of(summary)) for summary in newest[:MOST])
    if store.is_off(session, party):
        return Recommended(False, (), plain)
    held = {row.listing for row in agreements.agreements_in_force(session, at) if row.consumer == party}
    others = [product_of(item) for item in newest if item.seller != party and item.listing not in held]
    return Recommended(True, personalised(others, behaviour_of(session, party, at=at))[:MOST], plain)


def product_of(summary: Summary) -> Product:
    """A product on the shelf as it is recommended."""
    return Product(
        summary.listing, summary.product, summary.name, summary.overview, summary.type, summary.industry, summary.theme,
        summary.tags,
    )  # fmt: skip


def behaviour_of(session: Session, party: str, *, at: int) -> Behaviour:
    """Everything a recommendation for this organisation rests on at `at`."""
    since, declared = at - KEPT_SECONDS, profiles.profile(session, party)
    rows = [row for row in negotiations.negotiations(session, party=party, states=_ORDERED) if row.since > since]
    orders = []
    for row in rows:
        if row.consumer == party:
            value = listings.listing(session, row.listing).value
            orders.append(Ordered(row.since, row.listing, value.content.industry, value.name))
    return Behaviour(tuple(orders), store.searches(session, party, at), declared.sectors if declared else ())


def keep_search(session: Session, party: str, wanted: Wanted, *, at: int) -> bool:
    """Keeps what an organisation searched for, unless it asked nothing or recommendations are switched off; answers
    whether it did."""
    searched = Searched(at, wanted.words.strip(), wanted.industry, wanted.type.value if wanted.type else "")
    if searched == Searched(at) or store.is_off(session, party):
        return False
    store.keep(session, party, searched)
    return True


def switch(session: Session, party: str, *, on: bool, signer: SystemSigner, at: int) -> None:
    """Switches personal recommendations on or off, stated under the operator's system key; off, every search kept of
    the organisation is gone. What is so already is not stated again."""
    if on is not store.is_off(session, party):
        return
    subject = f"recommendation-switch:{party}"
    statement = Statement(RECOMMENDATION_SWITCH, subject, *ledger.next_of(session, subject), body_of(Switch(on)))
    taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)
    if not on:
        store.delete_searches(session, party)
