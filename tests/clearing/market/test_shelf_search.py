"""The search of the shelf on SQLite: as without an index, page after page, and of nothing that is not shown."""

from __future__ import annotations

import pytest

from clearing.market.listing import Move
from clearing.market.listing_moves import State
from clearing.market.shelf import service, store
from clearing.market.shelf.store import Wanted
from registry.search.store import make_index_again
from tests.clearing.market.house import NOW, House, listing_of
from tests.clearing.market.shelf_questions import FILTERS, NAMES, WORDS, answers, fill


def found(house: House, wanted: Wanted, limit: int = 200, before: str = "") -> tuple[list[str], str]:
    more = {"before": int(before)} if before else {}
    page = service.search(house.session, wanted, at=NOW, limit=limit, **more)
    return [offer.summary.product for offer in page.offers], page.next


def test_search__every_question__as_without_an_index(house: House) -> None:
    shelved = fill(house)
    for word in WORDS:
        for filters in FILTERS:
            wanted = Wanted(word, **filters)  # type: ignore[arg-type]
            assert found(house, wanted)[0] == answers(shelved, wanted), wanted
    assert sum(bool(answers(shelved, Wanted(word))) for word in WORDS) > 10


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_search__page_after_page__every_product_once_in_order(house: House, limit: int) -> None:
    shelved = fill(house)
    for wanted in (Wanted(), Wanted("数据"), Wanted(all_shown=True)):
        got: list[str] = []
        following = ""
        for _ in range(len(NAMES) + 2):
            page, following = found(house, wanted, limit, following)
            got += page
            if not following:
                break
        assert got == answers(shelved, wanted)


def test_search__suspended_or_delisted__not_on_offer_and_back_when_resumed(house: House) -> None:
    identity = house.listed()
    product = listing_of().product
    assert found(house, Wanted("航班"))[0] == [product]
    house.review(identity, Move.SUSPEND, reason="演示")
    assert found(house, Wanted("航班"))[0] == []
    [offer] = service.search(house.session, Wanted("航班", all_shown=True), at=NOW, limit=5).offers
    assert (offer.state, offer.orderable) == (State.SUSPENDED, False)
    assert "暂停" in offer.why
    house.review(identity, Move.RESUME)
    assert found(house, Wanted("航班"))[0] == [product]


def test_search__new_version__found_by_its_words_and_no_longer_by_the_old_ones(house: House) -> None:
    identity = house.listed()
    house.submit(listing_of(version=2, name="演示客流特征"), identity)
    assert found(house, Wanted("客流"))[0] == []
    house.approve(identity)
    assert found(house, Wanted("客流"))[0] == [listing_of().product]
    assert found(house, Wanted("演示航班延误特征"))[0] == []
    assert store.shelved(house.session) == 1


def test_search__index_made_again__answers_the_same(house: House) -> None:
    shelved = fill(house)
    make_index_again(house.session)
    for word in ("航班", "数据", "数"):
        assert found(house, Wanted(word))[0] == answers(shelved, Wanted(word))
