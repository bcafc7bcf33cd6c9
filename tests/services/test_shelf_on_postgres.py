"""The search of the shelf on PostgreSQL: the same answers as on SQLite and as without an index."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from clearing.market.shelf import service
from clearing.market.shelf.store import Wanted
from tests.clearing.market.house import NOW, House
from tests.clearing.market.shelf_questions import FILTERS, WORDS, answers, fill

pytestmark = pytest.mark.services


def test_search__every_question__as_without_an_index(writer: Engine) -> None:
    house = House(writer)
    shelved = fill(house)
    for word in WORDS:
        for filters in FILTERS:
            wanted = Wanted(word, **filters)  # type: ignore[arg-type]
            page = service.search(house.session, wanted, at=NOW, limit=200)
            assert [offer.summary.product for offer in page.offers] == answers(shelved, wanted), wanted
            first = service.search(house.session, wanted, at=NOW, limit=3)
            assert first.offers == page.offers[:3]
    house.session.rollback()
    house.session.close()
