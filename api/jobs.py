"""What runs beside the requests: timers, integration, sealing, cosigning, anchoring. Each step is its own commit.

The publisher may be killed at any line. Every step first looks at what is stored (and, for the chain, at what the
chain holds), so running it again finishes what was begun and does nothing twice. No database transaction is open
while a witness or a node is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from api import authority
from api.bootstrap import System
from api.papers import keep
from ledger import anchoring, archive, checkpoint, log, outbox, rebuild, store
from ledger.anchoring import Place
from ledger.digest import TwinDigest
from ledger.errors import ChainError, LedgerError, WitnessRefused
from registry import service as registration
from registry import store as store_
from registry.case import State

logger = structlog.get_logger()

BATCH = 5_000
"""Facts taken into the tree in one transaction."""


@contextmanager
def transaction(system: System) -> Iterator[Session]:
    """One write transaction, committed at its end; the only commit outside a request."""
    with Session(system.engine) as session:
        yield session
        session.commit()


@contextmanager
def snapshot(system: System) -> Iterator[Session]:
    """A session to read from."""
    with Session(system.reader) as session:
        yield session


def timers(system: System) -> None:
    """Makes every registration move whose time has come, under the agency's system key."""
    with transaction(system) as session:
        registration.run_timers(
            session, system.house, system.agency.signer, at=system.clock(), calendar=system.calendar
        )


def deposits(system: System) -> int:
    """Sends waiting deposit requests to the deposit authority, records its receipts, issues the papers.

    A time-out leaves the case as it is, to be asked again; the authority answers the first receipt again.
    """
    done = 0
    with snapshot(system) as session:
        waiting = [case.application for case in store_.cases_in(session, (State.DEPOSITING,))]
        requests = {name: registration.deposit_request(session, system.house, name) for name in waiting}
    for request in requests.values():
        signed = authority.deposit(system.settings.deposit_authority.url, request)
        with transaction(system) as session:
            registration.record_deposit_receipt(
                session, system.house, signed, system.agency.signer, at=system.clock(), calendar=system.calendar
            )
        done += 1
    with snapshot(system) as session:
        registered = [case.code for case in store_.cases_in(session, (State.REGISTERED,))]
    for code in registered:
        with transaction(system) as session:
            papers = registration.issue(
                session,
                system.house,
                code,
                fonts=system.settings.fonts_folder,
                check_url=f"{system.settings.check_base_url}/check",
                signer=system.agency.signer,
                at=system.clock(),
                calendar=system.calendar,
            )
            keep(system, papers, store_.certificate(session, code).version)
    return done


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of the publisher did."""

    integrated: int = 0
    sealed: int = 0
    witnesses: int = 0
    anchored: int = 0
    written: int = 0

    @property
    def idle(self) -> bool:
        return self == Round(witnesses=self.witnesses)


def publish(system: System) -> Round:
    """One round: integrate what waits, seal a head, have it cosigned, anchor it, write facts to their contracts.

    Raises `WitnessRefused` (fail closed) or `ChainError`; what was done before stays done.
    """
    integrated, sealed = seal(system)
    witnesses = cosign(system)
    anchored = anchor(system)
    written = write_facts(system)
    return Round(integrated, sealed, witnesses, anchored, written)


def seal(system: System) -> tuple[int, int]:
    """Takes what waits into the tree and signs a head over it; returns how many entries, and the head's size or 0."""
    integrated = 0
    while True:
        with transaction(system) as session:
            moved = log.integrate(session, BATCH)
        integrated += moved
        if moved < BATCH:
            break  # what came meanwhile waits for the next round: a steady stream must not keep a head from being made
    with transaction(system) as session:
        head = log.seal(session, system.log_keys, at=system.clock())
    return integrated, head.checkpoint.size if head else 0


def cosign(system: System) -> int:
    """Asks every witness that has not signed the newest head; stores what they answered. Returns how many signed."""
    with snapshot(system) as session:
        head = log.latest(session)
    if head is None:
        return 0
    keys = {witness.name: witness.public for witness in system.witnesses}
    signed = {name for name, _ in checkpoint.verify_witnesses(head.note, keys)}
    lines, refusals = [], []

    def prove(first: int, second: int) -> list[TwinDigest]:
        with snapshot(system) as session:
            return log.consistency(session, first, second)

    for witness in system.witnesses:
        if witness.name not in signed:
            try:
                lines.append(witness.cosign(head.note, prove))
                signed.add(witness.name)
            except WitnessRefused as refused:
                refusals.append(str(refused))
    if lines:
        note = checkpoint.add_lines(head.note, lines)
        with transaction(system) as session:
            log.cosigned(session, head.checkpoint.size, note, len(signed))
    if len(signed) < system.settings.witness_quorum:
        raise WitnessRefused("；".join(refusals) or "见证不足 / too few witnesses")
    return len(signed)


def anchor(system: System) -> int:
    """Anchors the newest cosigned head unless it stands on the chain; returns its size, or 0."""
    with snapshot(system) as session:
        head = anchoring.due_head(session, system.settings.witness_quorum)
        published = outbox.published_size(session)
        known = {item.checkpoint.size for item in log.heads(session)}
    if head is None:
        return 0
    if int(system.chain().read(outbox.HEADS, "latestSize")) > published:
        # Somebody died between sending a head and noting it, or another relay sent it.
        found = anchoring.find_heads(system.chain())
        note(system, outbox.HEADS, {outbox.head_key(size): place for size, place in found.items() if size in known})
    place = anchoring.anchor_head(system.chain(), head, system.sign_head)
    note(system, outbox.HEADS, {outbox.head_key(head.checkpoint.size): place})
    return head.checkpoint.size


def write_facts(system: System) -> int:
    """Writes facts that belong into a contract of their own and are not there yet; returns how many."""
    written = 0
    for face in system.faces:
        while True:
            with snapshot(system) as session:
                facts = anchoring.due_facts(session, face)
            if not facts:
                break
            places = anchoring.write_facts(system.chain(), face, facts)
            note(system, face.contract, places)
            written += len(places)
            if len(places) < len(facts):
                raise ChainError(f"{face.contract}：有事实未写入。 / {face.contract}: some facts were not written.")
    return written


def note(system: System, contract: str, places: dict[str, Place]) -> None:
    """Stores where something now stands on the chain."""
    with transaction(system) as session:
        anchoring.note_places(session, contract, places)


def run(system: System, stop: threading.Event, *, interval: int = 1, tick: Callable[[], None] | None = None) -> None:
    """The worker: a round and the due timers every `interval` seconds until `stop` is set."""
    while not stop.is_set():
        try:
            timers(system)
            deposits(system)
            done = publish(system)
            if not done.idle:
                logger.info("published", **{name: getattr(done, name) for name in Round.__slots__})
        except LedgerError as error:
            logger.warning("publish failed, will try again", error=str(error))
        if tick is not None:
            tick()
        stop.wait(interval)


def reindex(system: System) -> dict[str, int]:
    """Throws away views, tiles and chain receipts and makes them again from facts and chain."""
    with transaction(system) as session:
        rebuild.clear_views(session)
        facts = rebuild.fold(session, session, system.projectors)
        leaves = log.rebuild(session)
    with snapshot(system) as session:
        heads = log.heads(session)
        everything = {face.contract: store.facts_of_kind(session, *face.kinds) for face in system.faces}
    chain = system.chain()
    places = {outbox.head_key(size): place for size, place in anchoring.find_heads(chain).items()}
    known = {outbox.head_key(head.checkpoint.size) for head in heads}
    found = {outbox.HEADS: {key: place for key, place in places.items() if key in known}}
    for face in system.faces:
        found[face.contract] = anchoring.find_facts(chain, face, everything[face.contract])
    with transaction(system) as session:
        anchoring.forget_places(session)
        for contract, stored in found.items():
            anchoring.note_places(session, contract, stored)
    return {
        "facts": facts,
        "leaves": leaves,
        "heads": len(found[outbox.HEADS]),
        "on_chain": sum(len(stored) for stored in found.values()),
    }


def import_facts(system: System, lines: Iterator[bytes]) -> tuple[int, int]:
    """Puts an archive segment into an empty database (`ledger.archive`); nothing is kept if any line is wrong."""
    with transaction(system) as session:
        return archive.restore(session, lines)
