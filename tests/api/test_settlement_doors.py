"""A period's money over HTTP: a line leads to its evidence, and nobody reads a neighbour's money."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.settlement.statement import Line
from clearing.terms import DAY
from ledger import canonical
from tests.api.shop import Shop, open_shop
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.disputing import MAY, Month, store


class Period:
    """May of one agreement, stated, confirmed and netted on a platform behind a real server."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.month = Month(shop.house)
        self.cycle = self.month.issue(MAY)
        at = MAY.end + 2 * DAY
        self.month.confirm(self.cycle, at)
        self.netting = self.month.net(self.cycle, at) or ""
        shop.house.session.commit()

    def path(self, party: str, rest: str = "") -> str:
        return f"/api/cycles/{self.cycle}/statements/{party}{rest}"

    def lines(self, party: str) -> list[Line]:
        stored = store.statement_of(self.month.session, self.cycle, party)
        parts = store.part_documents(self.month.session, stored.fact_id)
        self.month.session.rollback()  # no lock between two requests
        return [part for part in parts if isinstance(part, Line)]


@pytest.fixture
def period(tmp_path: Path, empty_database: Path) -> Iterator[Period]:
    with open_shop(tmp_path, empty_database) as shop:
        yield Period(shop)


def test_line__of_one_s_own_statement__with_every_fact_its_parties_may_read(period: Period) -> None:
    for party in (PROVIDER, SELLER, CONSUMER):
        for line in period.lines(party):
            answer = period.shop.get(period.path(party, f"/lines/{line.no}"), f"party:{party}")
            assert answer.status_code == 200, answer.text
            found = canonical.parse(answer.content)
            assert (found["line"]["no"], found["line"]["event"]) == (line.no, line.event)
            readable = {step["what"]: "body" in step for step in found["steps"]}
            assert readable["charge"]
            assert readable["reading"]
            assert readable["agreement"]
            assert all(set(step["digest"]) == {"sha256", "sm3"} for step in found["steps"])
            assert found["batches"]


def test_line__of_another__or_that_is_not_there__is_refused(period: Period) -> None:
    for by, party, no, status in (
        (SELLER, PROVIDER, "0", 403), (COURT, PROVIDER, "0", 403), (PROVIDER, PROVIDER, "99", 404),
        (PROVIDER, PROVIDER, "-1", 422), (PROVIDER, PROVIDER, "x", 422), (COURT, COURT, "0", 404),
    ):  # fmt: skip
        answer = period.shop.get(period.path(party, f"/lines/{no}"), f"party:{by}")
        assert answer.status_code == status, (by, party, no, answer.text)


def test_netting__holds_every_party_s_money__so_no_party_gets_its_bundle(period: Period) -> None:
    """Each has its own notice, with its own proof (D36)."""
    for party in (PROVIDER, SELLER, CONSUMER):
        answer = period.shop.get(f"/api/bundles/{period.netting}", f"party:{party}")
        assert answer.status_code == 403, answer.text
