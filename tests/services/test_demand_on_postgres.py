"""Demands, rankings, mandates, evaluations and recommendations on PostgreSQL: the same answers as on SQLite."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from clearing.market.broker import store as brokers
from clearing.market.demand import service
from clearing.market.demand.store import Wanted
from clearing.market.matching import service as matching
from clearing.market.matching import store as rankings
from clearing.market.profile import service as profiles
from clearing.market.recommending import service as recommending
from clearing.market.recommending import store as kept
from clearing.market.recommending.reasons import KEPT_SECONDS
from clearing.market.shelf.store import Wanted as Goods
from tests.clearing.market.brokers import BRK, Broker
from tests.clearing.market.demand_questions import FILTERS, WORDS, answers, fill
from tests.clearing.market.demands import Desk
from tests.clearing.market.house import CONSUMER, NOW, SELLER, House
from tests.clearing.market.test_profile import Market

pytestmark = pytest.mark.services


def test_search__every_question__as_without_an_index(writer: Engine) -> None:
    desk = Desk(House(writer))
    shown, session = fill(desk), desk.house.session
    for word in WORDS:
        for filters in FILTERS:
            wanted = Wanted(word, **filters)  # type: ignore[arg-type]
            page = service.search(session, wanted, limit=200)
            assert [hit.summary.demand for hit in page.hits] == answers(shown, wanted), wanted
    session.rollback()
    session.close()


def test_views__written_and_read(writer: Engine) -> None:
    house = House(writer)
    desk, broker, market, session = Desk(house), Broker(house), Market(house), house.session
    listing, demand = house.listed(), desk.state()
    desk.budget(demand, 1, 2)
    matching.take_ranking(session, demand, signer=house.operator, at=NOW)
    assert [item.listing for item in rankings.ranking(session, demand, 0)[1].ranked] == [listing]
    desk.to_linked(demand)
    mandate = broker.give()
    assert [held.id for held in brokers.in_force(session, BRK, CONSUMER, NOW)] == [mandate]
    agreement, _ = house.conclude(listing=listing)
    market.evaluate(agreement, CONSUMER, SELLER, 4)
    market.reply(agreement, CONSUMER, SELLER)
    assert profiles.view(session, SELLER, at=NOW).mean == "4.00"
    recommending.keep_search(session, SELLER, Goods("航班"), at=NOW)
    assert recommending.recommend(session, SELLER, at=NOW).on
    assert kept.forget(session, NOW + KEPT_SECONDS) == 1
    recommending.switch(session, SELLER, on=False, signer=house.operator, at=NOW)
    assert kept.is_off(session, SELLER)
    session.rollback()
    session.close()
