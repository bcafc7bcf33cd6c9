from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clearing.market.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path / "market.db")
    yield opened
    opened.close()
