"""kill -9 of the worker at random moments: nothing lost, nothing anchored twice (issue 2, done-when 4).

A real `shuqing worker` process publishes a real log with real witnesses onto a real node while facts keep arriving.
Half of the kills come at a random moment; half come the instant a new block appears, that is between the sending of a
transaction and the note of its receipt, which is the line where a careless publisher would write twice.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session

from api import bootstrap, checks, jobs, keyfiles, settings
from api.bootstrap import System
from clearing.market.agreement import AgreementAct, sign_act, subject_of
from clearing.market.store import project as project_agreement
from ledger import anchoring, log, outbox, signing, store, tables
from ledger.facts import Fact, Signed, Statement
from ledger.merkle import MemoryTree
from ledger.reading import body_of, read
from registry import service as registration
from registry.certificate import ENTRY
from registry.party import Staff
from registry.store import project as project_registry
from scripts.demo.cast import AGENCY
from scripts.demo.world import Processes, answers, free_port, processes
from tests.chain_fixture import anvil
from tests.played import ROOT, Played

KILLS = 20


class World:
    """A copy of the demonstration's installation with its own node and witnesses, and keys to state new facts with."""

    def __init__(self, played: Played, home: Path, node: str, witnesses: dict[str, str]) -> None:
        self.home, self.node = home, node
        found = settings.load(home)
        kept = tuple(w.model_copy(update={"url": witnesses[w.name]}) for w in found.witnesses)
        clock = home / "clock"
        clock.write_text((played.out / "world" / "clock").read_text())
        found = found.model_copy(update={"rpc_url": node, "witnesses": kept, "clock_file": clock})
        settings.save(found)
        self.system: System = bootstrap.build(found)
        self.keys = {
            keys.by: keys for keys in map(keyfiles.load, (played.out / "world" / "keys").glob("party-*.json"))
        } | {keys.by: keys for keys in (self.system.agency, self.system.operator)}
        self.at = self.system.clock()
        with jobs.snapshot(self.system) as session:
            self.act = store.facts_of_kind(session, "agreement-act/v1")[0]
            self.entry = store.facts_of_kind(session, ENTRY)[0]
        self.stated: list[str] = []
        self.codes = 0

    def arrive(self, rng: random.Random) -> None:
        """One more fact: mostly somebody's new key, sometimes one that belongs into a contract of its own."""
        with jobs.transaction(self.system) as session:
            match rng.randrange(6):
                case 0:
                    fact = self._agreement(session)
                case 1:
                    fact = self._certificate(session)
                case _:
                    fact = self._staff(session)
        self.stated.append(fact.id)

    def _staff(self, session: Session) -> Fact:
        statement = Statement(
            "staff/v1", f"staff:{secrets.token_hex(8)}", 0, None,
            body_of(Staff(AGENCY, self.system.agency.sm2.public, ("intake",))),
        )  # fmt: skip
        signed = Signed(statement, (self.system.agency.signer.sign(statement),))
        return registration.register_staff(session, self.system.house, signed, at=self.at).fact

    def _certificate(self, session: Session) -> Fact:
        """The demonstration's entry under a fresh code, signed by the agency: what the registry would state."""
        self.codes += 1
        code = f"SJ331202611{self.codes:04d}"
        statement = Statement(ENTRY, f"certificate:{code}", 0, None, self.entry.body | {"code": code})
        signed = Signed(statement, (signing.sign_sm2(self.system.agency.sm2, statement, by=f"party:{AGENCY}"),))
        fact = store.append(session, signed, at=self.at).fact
        project_registry(session, fact)
        return fact

    def _agreement(self, session: Session) -> Fact:
        """The demonstration's agreement concluded again under another id, signed by its parties both ways."""
        act = read(AgreementAct, self.act.body)
        act = replace(act, negotiation_id=secrets.token_hex(32), deadline=self.at + 86_400 * 365)
        statement = Statement("agreement-act/v1", subject_of(secrets.token_hex(32)), 0, None, body_of(act))
        signatures = []
        for signer in act.signers:
            keys = self.keys[f"party:{signer.party}"]
            signatures += sign_act(statement, signer, keys.sm2, keys.evm)
        fact = store.append(session, Signed(statement, tuple(signatures)), at=self.at).fact
        project_agreement(session, fact)
        return fact

    def unnoted(self) -> bool:
        """Does a head stand on the chain that the database knows nothing of: was the last kill before the note?"""
        latest = int(self.system.chain().read(outbox.HEADS, "latestSize"))
        with jobs.snapshot(self.system) as session:
            return latest > outbox.published_size(session)

    def close(self) -> None:
        self.system.engine.dispose()
        self.system.reader.dispose()


@pytest.fixture
def world(played: Played, tmp_path: Path) -> Iterator[World]:
    home = played.copy(tmp_path / "home")
    state = tmp_path / "anvil.json"
    state.write_bytes((played.out / "world" / "anvil.json").read_bytes())
    with anvil(state=state) as node, processes(tmp_path / "logs") as children:
        names = [w.name for w in settings.load(home).witnesses]
        made = World(played, home, node, {name: _witness(children, played, tmp_path, name) for name in names})
        yield made
        made.close()


def _witness(children: Processes, played: Played, folder: Path, name: str) -> str:
    """A witness of the demonstration, with its memory of the log, on another port."""

    own = folder / name
    shutil.copytree(played.out / "world" / name, own)
    port = free_port()
    children.python(
        name, "scripts.counterparties.witness", "--home", str(own), "--port", str(port), "--clock",
        str(played.out / "world" / "clock"), "--name", name, ready=answers(f"http://127.0.0.1:{port}/key"),
    )  # fmt: skip
    return f"http://127.0.0.1:{port}"


@contextmanager
def _arriving(world: World, rng: random.Random) -> Iterator[None]:
    """About ten facts a second from another thread until the block is left; its failure fails the test."""
    stop, failures = threading.Event(), []

    def state() -> None:
        try:
            while not stop.wait(0.1):
                world.arrive(rng)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=state)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        assert failures == []


def _worker(world: World) -> subprocess.Popen[bytes]:
    """`shuqing worker --home …`; comes back once it says that it is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHUQING_")}
    said = world.home / "worker.log"
    with said.open("ab") as out:
        begun = out.tell()
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "api.cli", "worker", "--home", str(world.home)], cwd=ROOT, env=environment,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    while b"worker ready" not in said.read_bytes()[begun:]:
        assert process.poll() is None, said.read_text()[-2000:]
        time.sleep(0.01)
    return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, "the worker had ended by itself"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def _next_block(world: World, seconds: float) -> None:
    """Waits for the node's next block, looking every few milliseconds over one open connection."""
    end, question = time.monotonic() + seconds, {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    with httpx.Client(base_url=world.node, timeout=10, trust_env=False) as client:
        height = client.post("/", json=question).json()["result"]
        while client.post("/", json=question).json()["result"] == height:
            assert time.monotonic() < end, (world.home / "worker.log").read_text()[-3000:]
            time.sleep(0.002)


@pytest.mark.chain
def test_worker__killed_twenty_times_while_anchoring__loses_nothing_and_writes_nothing_twice(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    with jobs.snapshot(world.system) as session:
        before = store.count(session)
    caught = 0
    with _arriving(world, random.Random(seed + 1)):
        for number in range(KILLS):
            process = _worker(world)
            if number % 2:
                _next_block(world, 30)
            else:
                time.sleep(rng.uniform(0, 0.5))
            _kill(process)
            caught += world.unnoted()
    process = _worker(world)
    _until(lambda: _settled(world), 60)
    process.terminate()
    assert process.wait(30) == 0
    with capsys.disabled():
        print(f"\nseed {seed}: {KILLS} kills, {len(world.stated)} facts, {caught} kills fell between send and note")
    _nothing_lost(world, before)
    _nothing_twice(world)
    found = [finding for _, area in checks.audit(world.system, offline=False) for finding in area]
    assert found == []
    assert caught > 0, "no kill fell between send and note: the test did not test"


def _settled(world: World) -> bool:
    """Everything that was stated is in the tree, under an anchored head, and in its contract."""
    with jobs.snapshot(world.system) as session:
        return (
            outbox.backlog(session) == 0
            and outbox.published_size(session) == log.size(session)
            and not any(anchoring.due_facts(session, face) for face in world.system.faces)
        )


def _until(holds: object, seconds: int) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "the worker did not come to rest"
        time.sleep(0.05)


def _nothing_lost(world: World, before: int) -> None:
    with jobs.snapshot(world.system) as session:
        assert store.count(session) == before + len(world.stated)
        assert outbox.backlog(session) == 0
        entries = list(session.execute(tables.entry.select().order_by(tables.entry.c.log_index)))
        assert [row.log_index for row in entries] == list(range(before + len(world.stated)))
        assert set(world.stated) <= {row.fact_id for row in entries}
        tree = MemoryTree([store.fact(session, row.fact_id).digest() for row in entries])
        head = log.latest(session)
        assert head is not None
        assert (head.checkpoint.size, head.checkpoint.root) == (tree.size, tree.root())
        assert head.witnesses == len(world.system.witnesses)


def _nothing_twice(world: World) -> None:
    """Every event of the four contracts once; nothing on the chain that is not stored, nothing stored twice."""
    chain, system = world.system.chain(), world.system
    sizes = Counter(int(event.args["size"]) for event in chain.events(outbox.HEADS, "Anchored"))
    assert set(sizes.values()) == {1}
    with jobs.snapshot(system) as session:
        for size in sizes:
            assert log.head_at(session, size) is not None
            assert anchoring.place_of(session, outbox.HEADS, outbox.head_key(size)) is not None
        for face in system.faces:
            facts = store.facts_of_kind(session, *face.kinds)
            wanted = {face.fact_key(fact) for fact in facts}
            seen = Counter(face.event_key(event.args) for event in chain.events(face.contract, face.event))
            assert seen == Counter(wanted), face.contract
            for fact in facts:
                assert face.done(chain, fact)
                assert anchoring.place_of(session, face.contract, fact.id) is not None
