"""Databases of the session's PostgreSQL server, and one run of the whole demonstration on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from api import bootstrap
from tests.chain_fixture import anvil
from tests.conftest import CALLS
from tests.played import Played, shuqing
from tests.services.server import Server


@pytest.fixture
def address(server: Server) -> str:
    """A migrated database of one test's own."""
    url = server.database()
    bootstrap.migrate(url)
    return url


@pytest.fixture
def writer(address: str) -> Iterator[Engine]:
    """The engine the program writes with."""
    engine = bootstrap.engine(address, write=True)
    yield engine
    engine.dispose()


@pytest.fixture
def reader(address: str) -> Iterator[Engine]:
    """The engine the program reads with."""
    engine = bootstrap.engine(address, write=False)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def played_here(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """`shuqing demo` through to its end on PostgreSQL; then its chain again, from the state it left behind."""
    out = tmp_path_factory.mktemp("journey") / "out"
    there = {"SHUQING_DATABASE_URL": server.database()}
    done = shuqing("demo", "--out", out, "--calls", str(CALLS), environment=there, seconds=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    state = out.parent / "anvil.json"
    shutil.copy(out / "world" / "anvil.json", state)
    with anvil(state=state) as rpc:
        yield Played(done.returncode, done.stdout, out, rpc)
