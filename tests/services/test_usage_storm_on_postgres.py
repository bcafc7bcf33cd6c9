"""The storm of `tests/test_usage_storm.py` on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.server import Server
from tests.test_usage_storm import BATCHES, KILLS
from tests.usage_storm import WRITERS, storm

pytestmark = pytest.mark.services


def test_storm__on_postgresql__nothing_lost_nothing_double(server: Server, tmp_path: Path) -> None:
    tally = storm(tmp_path / "home", BATCHES, KILLS, server.database())
    assert tally.repeated > WRITERS * BATCHES // 5
    assert tally.lost_connections
