"""Where the databases of tests are: who asks for `place` runs on SQLite, and on PostgreSQL in `make test-services`."""

from __future__ import annotations

import pytest

from tests.databases import Place, databases, files
from tests.services.server import Server


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return files(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def postgresql(server: Server) -> Place:
    return databases(server)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest) -> Place:
    """Fresh databases with every table, of the one kind and of the other."""
    found: Place = request.getfixturevalue(request.param)
    return found
