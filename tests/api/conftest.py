from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.house import Platform, open_platform, template


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def platform(tmp_path: Path, empty_database: Path) -> Iterator[Platform]:
    """A platform of one test's own, with parties and staff."""
    with open_platform(tmp_path / "home", empty_database) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Platform]:
    """A platform that a module's tests share because none of them may change it."""
    with open_platform(tmp_path_factory.mktemp("shared") / "home", empty_database) as opened:
        yield opened
