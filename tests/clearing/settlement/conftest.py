"""What most tests of a cycle begin with: a database of each kind, and two months of three agreements in use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from tests.clearing.settlement.market import APRIL, MARCH, Market, database
from tests.databases import Place


@pytest.fixture
def session(place: Place) -> Iterator[Session]:
    with database(place) as opened:
        yield opened


@pytest.fixture
def market() -> Market:
    found = Market()
    found.call(MARCH, g1=1001, g2=500, g3=4000)
    found.call(APRIL, g1=7, g2=331, g3=800)
    return found
