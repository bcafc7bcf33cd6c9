"""A published world that tests may hurt: a copy of the demonstration's installation with a node and witnesses of its
own, facts that keep arriving, `shuqing worker` processes, and what must hold when everything has come to rest."""

from __future__ import annotations

import json
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlmodel import Session

from api import bootstrap, checks, jobs, keyfiles, settings
from api.bootstrap import System
from clearing.market.agreement import AgreementAct, sign_act, subject_of
from clearing.market.store import project as project_agreement
from ledger import anchoring, incidents, log, outbox, signing, store, subject_map, tables
from ledger.facts import Fact, Signed, Statement
from ledger.incidents import Incident
from ledger.merkle import MemoryTree
from ledger.reading import body_of, read
from registry import admitting
from registry.certificate import ENTRY
from registry.party import Staff
from registry.projecting import project as project_registry
from scripts.demo.cast import AGENCY
from scripts.demo.world import Processes, answers, free_port, processes
from tests.chain_fixture import Node
from tests.played import ROOT, Played, shuqing


class World:
    """A copy of the demonstration's installation with its own node and witnesses, and keys to state new facts with."""

    def __init__(self, played: Played, home: Path, node: Node, witnesses: dict[str, str], **changes: Any) -> None:
        self.home, self.node = home, node
        found = settings.load(home)
        kept = tuple(w.model_copy(update={"url": witnesses[w.name]}) for w in found.witnesses)
        clock = home / "clock"
        clock.write_text((played.out / "world" / "clock").read_text())
        found = found.model_copy(update={"rpc_url": node.url, "witnesses": kept, "clock_file": clock} | changes)
        settings.save(found)
        self.system: System = bootstrap.build(found)
        self.keys = {
            keys.by: keys for keys in map(keyfiles.load, (played.out / "world" / "keys").glob("party-*.json"))
        } | {keys.by: keys for keys in (self.system.agency, self.system.operator)}
        self.at = self.system.clock()
        with jobs.snapshot(self.system) as session:
            self.act = store.facts_of_kind(session, "agreement-act/v1")[0]
            self.entry = store.facts_of_kind(session, ENTRY)[0]
            self.parts = {fact.id: store.parts_of(session, fact.id) for fact in (self.act, self.entry)}
        self.stated: list[str] = []
        self.workers: list[subprocess.Popen[bytes]] = []
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

    def certificate(self) -> Fact:
        """One more fact for the contract of certificates."""
        with jobs.transaction(self.system) as session:
            fact = self._certificate(session)
        self.stated.append(fact.id)
        return fact

    def _staff(self, session: Session) -> Fact:
        statement = Statement(
            "staff/v1", f"staff:{secrets.token_hex(8)}", 0, None,
            body_of(Staff(AGENCY, self.system.agency.sm2.public, ("intake",))),
        )  # fmt: skip
        signed = Signed(statement, (self.system.agency.signer.sign(statement),))
        return admitting.register_staff(session, self.system.house, signed, at=self.at).fact

    def _certificate(self, session: Session) -> Fact:
        """The demonstration's entry under a fresh code, signed by the agency: what the registry would state."""
        self.codes += 1
        code = f"SJ331202611{self.codes:04d}"
        body = self.entry.body | {"code": code}
        statement = Statement(ENTRY, f"certificate:{code}", 0, None, body, self.entry.statement.parts)
        signed = Signed(statement, (signing.sign_sm2(self.system.agency.sm2, statement, by=f"party:{AGENCY}"),))
        fact = store.append(session, signed, at=self.at, parts=self.parts[self.entry.id]).fact
        project_registry(session, fact)
        return fact

    def _agreement(self, session: Session) -> Fact:
        """The demonstration's agreement concluded again under another id, signed by its parties both ways."""
        act = read(AgreementAct, self.act.body)
        act = replace(act, negotiation_id=secrets.token_hex(32), deadline=self.at + 86_400 * 365)
        subject, root = subject_of(secrets.token_hex(32)), self.act.statement.parts
        statement = Statement("agreement-act/v1", subject, 0, None, body_of(act), root)
        signatures = []
        for signer in act.signers:
            keys = self.keys[f"party:{signer.party}"]
            signatures += sign_act(statement, signer, keys.sm2, keys.evm)
        parts = self.parts[self.act.id]
        fact = store.append(session, Signed(statement, tuple(signatures)), at=self.at, parts=parts).fact
        project_agreement(session, fact)
        return fact

    def unnoted(self) -> bool:
        """Does a head stand on the chain that the database knows nothing of: was the last kill before the note?"""
        latest = int(self.system.chain().read(outbox.HEADS, "latestSize"))
        with jobs.snapshot(self.system) as session:
            return latest > outbox.published_size(session)

    def count(self) -> int:
        """How many facts are stored, those that state the subject map aside: as many of them as heads needed."""
        with jobs.snapshot(self.system) as session:
            return store.count(session) - len(store.facts_of_kind(session, subject_map.KIND))

    def incidents(self, kind: str) -> list[Incident]:
        """Every incident of this kind, oldest first."""
        with jobs.snapshot(self.system) as session:
            return [found for found in incidents.latest(session, 1_000)[::-1] if found.kind == kind]

    def status(self) -> tuple[int, dict[str, Any]]:
        """Exit code and answer of `shuqing ledger status --json`."""
        done = shuqing("ledger", "status", "--json", "--home", self.home)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, json.loads(done.stdout)

    def said(self) -> str:
        """The end of what the workers said."""
        return (self.home / "worker.log").read_text()[-3000:]

    def close(self) -> None:
        """Closes the database."""
        self.system.engine.dispose()
        self.system.reader.dispose()


@contextmanager
def open_world(played: Played, folder: Path, **changes: Any) -> Iterator[World]:
    """The demonstration's world under a new home, its chain and witnesses running; `changes` are settings."""
    home = played.copy(folder / "home")
    state = folder / "anvil.json"
    state.write_bytes((played.out / "world" / "anvil.json").read_bytes())
    node = Node()
    with processes(folder / "logs") as children:
        try:
            node.start(state)
            names = [w.name for w in settings.load(home).witnesses]
            made = World(
                played, home, node, {name: _witness(children, played, folder, name) for name in names}, **changes
            )
            try:
                yield made
            finally:
                for process in made.workers:
                    if process.poll() is None:
                        process.kill()
                        process.wait()
                made.close()
        finally:
            node.stop()


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
def arriving(world: World, rng: random.Random) -> Iterator[None]:
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


def start_worker(world: World) -> subprocess.Popen[bytes]:
    """`shuqing worker --home …`; comes back once it says that it is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHUQING_")}
    said = world.home / "worker.log"
    with said.open("ab") as out:
        begun = out.tell()
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "api", "worker", "--home", str(world.home)], cwd=ROOT, env=environment,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    world.workers.append(process)
    while b"worker ready" not in said.read_bytes()[begun:]:
        assert process.poll() is None, said.read_text()[-2000:]
        time.sleep(0.01)
    return process


def stop_worker(process: subprocess.Popen[bytes]) -> None:
    """Ends a worker as its supervisor would, and expects it to end well."""
    process.terminate()
    assert process.wait(30) == 0


@contextmanager
def working(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """A worker for the length of the block."""
    process = start_worker(world)
    yield process
    stop_worker(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a worker that must be alive, without warning."""
    assert process.poll() is None, "the worker had ended by itself"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def at_rest(world: World) -> bool:
    """Everything that was stated is in the tree, under an anchored head, and in its contract."""
    with jobs.snapshot(world.system) as session:
        return (
            outbox.backlog(session) == 0
            and outbox.published_size(session) == log.size(session)
            and not any(anchoring.due_facts(session, face) for face in world.system.faces)
        )


def until(holds: Callable[[], bool], seconds: int, world: World) -> None:
    """Waits for a condition; shows what the workers said if it does not come to pass."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, world.said()
        time.sleep(0.05)


def nothing_lost(world: World, before: int) -> None:
    """Every stated fact is stored and in the tree once, under the newest head."""
    assert world.count() == before + len(world.stated)
    with jobs.snapshot(world.system) as session:
        assert outbox.backlog(session) == 0
        entries = list(session.execute(tables.entry.select().order_by(tables.entry.c.log_index)))
        assert [row.log_index for row in entries] == list(range(store.count(session)))
        assert set(world.stated) <= {row.fact_id for row in entries}
        tree = MemoryTree([store.fact(session, row.fact_id).digest() for row in entries])
        head = log.latest(session)
        assert head is not None
        assert (head.checkpoint.size, head.checkpoint.root) == (tree.size, tree.root())
        assert head.witnesses == len(world.system.witnesses)


def nothing_twice(world: World) -> None:
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


def audited(world: World) -> list[str]:
    """What `shuqing audit` finds."""
    return [finding for _, area in checks.audit(world.system, offline=False) for finding in area]
