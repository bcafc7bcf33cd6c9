"""What several test modules share: one run of the whole demonstration a session, and one PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.chain_fixture import anvil
from tests.played import Played, shuqing
from tests.services.server import Missing, Server, postgresql, provide

CALLS = 60


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Plays `shuqing demo` through to its end, then starts the chain again from the state it left behind."""
    out = tmp_path_factory.mktemp("journey") / "out"
    done = shuqing("demo", "--out", out, "--calls", str(CALLS), seconds=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    state = out.parent / "anvil.json"
    shutil.copy(out / "world" / "anvil.json", state)
    with anvil(state=state) as rpc:
        yield Played(done.returncode, done.stdout, out, rpc)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    try:
        provide()
    except Missing as missing:
        pytest.exit(f"make test-services：{missing}", returncode=1)
    with postgresql() as running:
        yield running
