"""What several test modules share: one run of the whole demonstration a session, and one PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.chain_fixture import anvil
from tests.played import Played, shuqing
from tests.services.server import Missing, Server, postgresql, provide
from tests.telling import TOLD, Tell, told

CALLS = 60
PLAYED = ("played", "played_here")
"""The demonstration, played once in a session on either database."""
LONGEST = (
    "test_kill.py",
    "test_registry_machine.py",
    "test_repair.py",
    "test_two_strangers.py",
    "test_simulator.py",
    "test_transfers.py",
)
"""Files that begin first, so that no process is left alone with them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What several processes of a run share out (`pytest -n`): a file's tests stay together, and those of the played
    demonstration all go to one process, which plays it once."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _turn(groups[item]))


def _group(item: pytest.Item) -> str:
    names = getattr(item, "fixturenames", ())
    return next((played for played in PLAYED if played in names), item.path.name)


def _turn(group: str) -> int:
    order = (*PLAYED, *LONGEST)
    return order.index(group) if group in order else len(order)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for found in terminalreporter.stats.values() for one in found if isinstance(one, pytest.TestReport)]
    if lines := told(reports):
        terminalreporter.section("told")
        terminalreporter.write("\n".join(lines) + "\n")


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Says what a test counted, at the end of the run."""
    return lambda text: request.node.user_properties.append((TOLD, text))


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
