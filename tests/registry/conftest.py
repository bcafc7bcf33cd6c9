from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.registry_house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "registry.db")
    yield opened
    opened.session.close()
    opened.engine.dispose()
