"""Fixtures of the ledger's tests: an empty world, its database open in one session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from tests.ledger.builders import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.engine.dispose()


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with world.session() as opened:
        yield opened
