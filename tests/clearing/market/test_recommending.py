"""Recommendations: every one with its reason, from the organisation's own doing alone; the plain list; the switch."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from clearing.market.listing import ProductType
from clearing.market.negotiation.message import Message
from clearing.market.profile.profile import PARTY_PROFILE, Profile
from clearing.market.profile.service import declare
from clearing.market.recommending import service, store, tables
from clearing.market.recommending.reasons import (
    KEPT_SECONDS,
    WEIGHTS,
    Basis,
    Behaviour,
    Ordered,
    Product,
    Searched,
    personalised,
    reasons_of,
)
from clearing.market.shelf import service as shelf
from clearing.market.shelf.store import Wanted
from ledger import store as facts
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, SELLER, House, contents_of
from tests.clearing.market.talks import C, Talk

BASES = {
    "order": Behaviour(orders=(Ordered(NOW - DAY, "b" * 32, "G56", "旧产品"),)),
    "search": Behaviour(searches=(Searched(NOW - DAY, "航班 延误"),)),
    "sector": Behaviour(sectors=("G56", "J66")),
}


@pytest.fixture
def product(house: House) -> Product:
    house.listed()
    return service.product_of(shelf.search(house.session, Wanted(), at=NOW, limit=1).offers[0].summary)


@pytest.mark.parametrize("basis", Basis)
def test_reason__of_each_basis_alone__named_in_both_tongues(product: Product, basis: Basis) -> None:
    [why] = reasons_of(product, BASES[basis.value])
    assert why.basis is basis
    assert "本单位" in why.zh
    assert why.en
    assert reasons_of(product, Behaviour()) == ()


@pytest.mark.parametrize(
    ("search", "hit"),
    [
        (Searched(NOW, "航班"), True), (Searched(NOW, "客流"), False), (Searched(NOW, "航班", "J66"), False),
        (Searched(NOW, "", "G56"), True), (Searched(NOW, "", "", "API"), True), (Searched(NOW, "", "", "DS"), False),
        (Searched(NOW, "航班 客流"), False), (Searched(NOW, "", "G56", "API"), True),
    ],
)  # fmt: skip
def test_search__counts_where_all_it_asked_is_there(product: Product, search: Searched, hit: bool) -> None:
    assert bool(reasons_of(product, Behaviour(searches=(search,)))) is hit


def test_order__by_the_weight_of_the_reasons(house: House) -> None:
    for number, industry in enumerate(("J66", "G56", "A01")):
        house.listed(product=f"{number:032x}", content=contents_of(industry=industry))
    found = [
        service.product_of(offer.summary) for offer in shelf.search(house.session, Wanted(), at=NOW, limit=9).offers
    ]
    behaviour = Behaviour(orders=(Ordered(NOW, "b" * 32, "J66", "旧产品"),), sectors=("G56",))
    items = personalised(found, behaviour)
    assert [item.shown.industry for item in items] == ["J66", "G56"]
    assert WEIGHTS == {"order": 3, "search": 2, "sector": 1}


def test_recommend__from_orders_searches_and_sectors_on_record__and_nothing_of_others(house: House) -> None:
    session = house.session
    listing = house.listed()
    other = house.listed(product="8" * 32, name="气象", content=contents_of(industry="M74", theme="气象", tags=()))
    assert service.recommend(session, CONSUMER, at=NOW).items == ()
    Talk(house, listing).say(Message.INQUIRE, C)
    assert service.recommend(session, CONSUMER, at=NOW).items == ()  # an inquiry is no order
    Talk(house, listing).say(Message.REQUEST, C)
    assert service.keep_search(session, CONSUMER, Wanted("气象"), at=NOW)
    assert not service.keep_search(session, CONSUMER, Wanted(), at=NOW)
    found = service.recommend(session, CONSUMER, at=NOW)
    assert [(item.shown.listing, [why.basis.value for why in item.why]) for item in found.items] == [
        (listing, ["order"]), (other, ["search"]),
    ]  # fmt: skip
    signed = house.signed(
        PARTY_PROFILE, f"party-profile:{COURT}", Profile(sectors=("M74",)), f"party:{COURT}", house.keys[COURT].sm2
    )
    declare(session, signed, at=NOW)
    assert [item.shown.listing for item in service.recommend(session, COURT, at=NOW).items] == [other]
    assert service.recommend(session, SELLER, at=NOW).items == ()
    every = {service.recommend(session, party, at=NOW).plain for party in (CONSUMER, COURT, SELLER)}
    assert len(every) == 1


def test_recommend__own_products_and_those_under_agreement__left_out(house: House) -> None:
    listing = house.listed()
    service.keep_search(house.session, SELLER, Wanted("航班"), at=NOW)
    service.keep_search(house.session, CONSUMER, Wanted("航班"), at=NOW)
    assert service.recommend(house.session, SELLER, at=NOW).items == ()
    assert len(service.recommend(house.session, CONSUMER, at=NOW).items) == 1
    house.conclude(listing=listing)
    assert service.recommend(house.session, CONSUMER, at=NOW).items == ()
    assert len(service.recommend(house.session, CONSUMER, at=NOW).plain) == 1


def test_products__the_same_with_and_without_a_reason(house: House) -> None:
    """What is shown of a product, its price regime among it, does not depend on who looks."""
    house.listed()
    service.keep_search(house.session, CONSUMER, Wanted("航班"), at=NOW)
    found = service.recommend(house.session, CONSUMER, at=NOW)
    assert [item.shown for item in found.items] == [item.shown for item in found.plain]


def test_switch__off__nothing_kept_nothing_personal_and_on_again(house: House) -> None:
    session = house.session
    house.listed()
    service.keep_search(session, CONSUMER, Wanted("航班"), at=NOW)
    service.keep_search(session, COURT, Wanted("航班"), at=NOW)
    for _ in range(2):  # pressed twice, stated once
        service.switch(session, CONSUMER, on=False, signer=house.operator, at=NOW)
    assert len(facts.facts_of(session, f"recommendation-switch:{CONSUMER}")) == 1
    assert store.searches(session, CONSUMER, NOW + 1) == ()
    assert not service.keep_search(session, CONSUMER, Wanted("航班"), at=NOW)
    found = service.recommend(session, CONSUMER, at=NOW)
    assert (found.on, found.items, len(found.plain)) == (False, (), 1)
    assert len(service.recommend(session, COURT, at=NOW + 1).items) == 1
    for _ in range(2):
        service.switch(session, CONSUMER, on=True, signer=house.operator, at=NOW)
    assert len(facts.facts_of(session, f"recommendation-switch:{CONSUMER}")) == 2
    assert service.keep_search(session, CONSUMER, Wanted("航班"), at=NOW)


def test_forget__after_90_days__only_totals_of_nobody(house: House) -> None:
    session = house.session
    for party, at, kind in (
        (CONSUMER, NOW, ProductType.API), (COURT, NOW, ProductType.API), (CONSUMER, NOW + DAY, None),
    ):  # fmt: skip
        service.keep_search(session, party, Wanted("航班", type=kind, industry="G56"), at=at)
    assert store.forget(session, NOW + KEPT_SECONDS - 1) == 0
    assert len(store.searches(session, CONSUMER, NOW + KEPT_SECONDS - 1)) == 2
    assert len(store.searches(session, CONSUMER, NOW + KEPT_SECONDS)) == 1
    assert store.forget(session, NOW + KEPT_SECONDS) == 2
    service.keep_search(session, COURT, Wanted("客流", type=ProductType.API, industry="G56"), at=NOW + 1)
    assert store.forget(session, NOW + KEPT_SECONDS + 2) == 1
    totals = [tuple(row) for row in session.execute(select(tables.total))]
    assert totals == [("2026-05", "G56", "API", 3)]
    assert CONSUMER not in str(totals)
