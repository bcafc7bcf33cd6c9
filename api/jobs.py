"""What runs beside the requests: timers, integration, sealing, cosigning, anchoring. Each step is its own commit.

The worker may be killed at any line. Every step first looks at what is stored (and, for the chain, at what the
chain holds), so running it again finishes what was begun and does nothing twice. No database transaction is open
while a witness or a node is asked. `sequence` needs the database only; `relay` does what waits for others. Who calls
them when, and why no second worker does so at the same time, stands in `api.worker`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog
from sqlmodel import Session

from api import memory
from api.bootstrap import System
from api.papers import keep, path_of
from clearing.market.demand import service as demand
from clearing.market.gratis import service as gratis
from clearing.market.recommending import store as recommending
from clearing.market.shelf import service as shelf
from clearing.pricing.element import service as elements
from ledger import anchoring, archive, checkpoint, incidents, log, outbox, rebuild, store, subject_map
from ledger.anchoring import Face, Found, Place
from ledger.digest import TwinDigest
from ledger.errors import ChainUnavailable, ForkedLog, NotLeader, TransactionReverted, WitnessRefused, WrongChain
from ledger.facts import Signed
from registry import depositing, issuing, moving
from registry import store as store_
from registry.afterlife import service as afterlife
from registry.case import State
from registry.certificate import DepositRequest
from registry.code import month_of
from registry.duties import service as duties
from registry.errors import GuardRefused, RegistryError
from registry.issuing import Papers
from registry.national import service as national
from registry.national import store as national_store
from registry.national.exchange import Imported
from registry.numbering import Allocation, last_serial
from registry.seal import Sealed
from registry.search import store as search

logger = structlog.get_logger()

BATCH = 5_000
"""Facts taken into the tree in one transaction."""


REPORT_EVERY = 3_600
"""Seconds between two packages of results over HTTP."""
RETRY = 60_000
"""Milliseconds after which a refused head or fact is tried again."""
REFUSALS = 8
"""After so many refused facts in one round a contract is left alone until the next."""


def wall() -> int:
    """Milliseconds of the machine's clock: for leases and incidents, never for facts."""
    return time.time_ns() // 1_000_000


@contextmanager
def transaction(system: System, *, fenced: bool = True) -> Iterator[Session]:
    """One write transaction, committed at its end; the only commit outside a request.

    In a worker it raises `NotLeader` at once if another worker has taken over, unless `fenced` is False.
    """
    with Session(system.engine) as session:
        if fenced and system.duty is not None:
            system.duty.require(session)
        yield session
        session.commit()


@contextmanager
def snapshot(system: System) -> Iterator[Session]:
    """A session to read from."""
    with Session(system.reader) as session:
        yield session


def timers(system: System) -> None:
    """Makes every move of registrations, remarks and objections whose time has come, under the agency's system key, and
    states missed duties."""
    with transaction(system) as session:
        for run in (duties.run_timers, moving.run_timers, afterlife.run_timers):
            run(session, system.house, system.agency.signer, at=system.clock(), calendar=system.calendar)


def market_timers(system: System) -> int:
    """States what time and certificates have brought about on the market, under the operator's system key, and forgets
    searches that were kept long enough."""
    with transaction(system) as session:
        signer, at = system.operator.signer, system.clock()
        recommending.forget(session, at)
        return sum(area.run_timers(session, signer, at=at) for area in (shelf, demand, gratis, elements))


def deposits(system: System) -> int:
    """Sends what waits to the national system, records its receipts, issues the papers.

    A time-out leaves the case as it is, to be asked again; the authority answers the first receipt again. A case that
    is refused, or that finds no code left this month, keeps no other from its turn; the first such error is raised in
    the end. Where the national system is reached by files, the receipts come with an import.
    """
    done, failed = 0, list[Exception]()
    with snapshot(system) as session:
        waiting = national.waiting(session, system.house, results=int(_results_are_due(system, session)))
    for text in waiting.publicity:
        try:
            signed = system.national.release(text)
            if signed is not None:
                with transaction(system) as session:
                    national.take_release(session, system.house, signed, at=system.clock())
        except RegistryError as error:
            failed.append(error)
    for request in waiting.deposits:
        try:
            signed = system.national.deposit(request)
            if signed is None:
                continue
            _take_deposit(system, request, signed)
            done += 1
        except RegistryError as error:
            failed.append(error)
    if waiting.results:
        try:
            report_results(system)
        except RegistryError as error:
            failed.append(error)
    failed += _issue_waiting(system)
    watch_codes(system)
    if failed:
        raise failed[0]
    return done


def _results_are_due(system: System, session: Session) -> bool:
    """Over HTTP results go once in an hour; by files, whenever somebody packs them."""
    last = national_store.packages(session)[2]
    return system.settings.national == "http" and (last is None or system.clock() - last >= REPORT_EVERY)


def report_results(system: System) -> None:
    """Hands a package of what waits to the national system and takes in its receipts."""
    with transaction(system) as session:
        _, package = national.make_package(session, system.house, system.agency.signer, at=system.clock())
    receipts = system.national.report(package)
    if receipts is not None:
        import_receipts(system, receipts)


def import_receipts(system: System, receipts: bytes) -> Imported:
    """Takes in a parcel of the national system's receipts: all of it or nothing."""
    with transaction(system) as session:
        return national.import_receipts(
            session, system.house, receipts, system.agency.signer, at=system.clock(), calendar=system.calendar
        )


def watch_codes(system: System) -> None:
    """Tells a person when most of this month's certificate codes are used."""
    house = system.house
    with snapshot(system) as session:
        place = (house.region, house.digit, month_of(system.clock()))
        used = Allocation(*place, last_serial(session, *place))
    if used.alarming:
        trouble(system, incidents.LIMIT, "codes", str(used))
    else:
        put_right(system, {(incidents.LIMIT, "codes")})


def _take_deposit(system: System, request: DepositRequest, signed: Signed) -> None:
    """Records a receipt. Where the certificate ended, or was blocked, before the deposit, people decide (I-26)."""
    at, signer = system.clock(), system.agency.signer
    try:
        with transaction(system) as session:
            depositing.record_deposit_receipt(session, system.house, signed, signer, at=at, calendar=system.calendar)
    except GuardRefused as refused:
        with transaction(system) as session:
            depositing.record_deposit_refusal(
                session, system.house, request.application, str(refused), signer, at=at, calendar=system.calendar
            )


def _issue_waiting(system: System) -> list[RegistryError]:
    """Makes the papers of what is registered; one that cannot be made keeps no other waiting."""
    with snapshot(system) as session:
        registered = [
            (row.code, row.version)
            for case in store_.cases_in(session, (State.REGISTERED,))
            for row in store_.not_issued(session, case.application)
        ]
    failed = []
    for code, version in registered:
        try:
            issue_papers(system, code, version)
        except RegistryError as error:
            failed.append(error)
    return failed


def issue_papers(system: System, code: str, version: int | None = None) -> Papers:
    """Makes, seals, keeps and states the papers of a certificate version (the newest). No transaction is open while the
    time-stamp authority is asked. Of an issued one: checks that its papers can be made again; answers the kept file."""
    with snapshot(system) as session:
        draft = issuing.draft_papers(
            session,
            code,
            fonts=system.settings.fonts_folder,
            check_url=f"{system.issuer.base}/check",
            issuer=system.issuer,
            trial=system.seal.trial,
            at=system.clock(),
            version=version,
        )
        issued = issuing.issued_seal(session, code, draft.version) if draft.issued else None
    if issued is not None:
        sealed = Sealed(path_of(system, code, draft.version, "pdf").read_bytes(), issued)
    else:
        reason = f"核发《数据产权登记凭证》{code}（版本 {draft.version}）"
        sealed = system.seal.press(draft.body, draft.picture, reason=reason, place=draft.agency, at=system.clock())
    with transaction(system) as session:
        papers = issuing.issue(
            session, system.house, draft, sealed, signer=system.agency.signer, at=system.clock(),
            calendar=system.calendar,
        )  # fmt: skip
        if not papers.replayed:
            keep(system, papers, draft.version)
    return papers


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of the publisher did."""

    integrated: int = 0
    sealed: int = 0
    witnesses: int = 0
    anchored: int = 0
    written: int = 0
    refused: tuple[Exception, ...] = ()

    @property
    def idle(self) -> bool:
        return self == Round(witnesses=self.witnesses, refused=self.refused)


def publish(system: System) -> Round:
    """One round: integrate what waits, state the map of subjects, seal a head, have it cosigned, anchor it, write facts
    to their contracts.

    Raises `WitnessRefused` (fail closed), `ChainError`, or what a contract refused; the rest was done before.
    """
    integrated, sealed = sequence(system)
    done = relay(system)
    if done.refused:
        raise done.refused[0]
    return replace(done, integrated=integrated, sealed=sealed)


def unsealed(system: System, limit: int) -> int:
    """How many entries no head covers yet; those not yet in the tree are counted up to `limit`."""
    with snapshot(system) as session:
        head = log.latest(session)
        covered = head.checkpoint.size if head else 0
        return len(outbox.waiting(session, limit)) + log.size(session) - covered


def sequence(system: System) -> tuple[int, int]:
    """Takes what waits into the tree, states the map of subjects and signs a head; answers how many moved and its size
    (0: the tree has not grown). Asks nobody outside the database.

    The last batch and the head are one transaction: waiting for the writer's lock twice would double the time until an
    entry can be proved.
    """
    integrated = 0
    while True:
        with transaction(system) as session:
            moved = log.integrate(session, BATCH)
            integrated += moved
            if moved < BATCH:  # what comes meanwhile waits for the next round: a steady stream must not keep heads back
                subject_map.cover(session, system.settings.origin, system.operator.signer, at=system.clock())
                head = log.seal(session, system.log_keys, at=system.clock())
                return integrated, head.checkpoint.size if head else 0


def relay(system: System) -> Round:
    """Carries what is sealed to those outside: witnesses, then the chain. What a contract refuses is answered in
    `refused`, reported, and keeps nothing else waiting. Raises `WitnessRefused`, `ChainError`."""
    try:
        shortage = None
        try:
            witnesses = cosign(system)
        except WitnessRefused as error:
            shortage = error
        examine(system)
        if shortage is not None:
            raise shortage
        anchored, refused = anchor(system)
        written, also = write_facts(system)
    except Exception as error:
        report(system, "relay", error)
        raise
    over = {(incidents.CONTRACTS, ""), (incidents.FORK, ""), (incidents.FAILED, "relay")}
    put_right(system, over if refused or also else over | {(incidents.ROLLBACK, "")})
    return Round(0, 0, witnesses, anchored, written, (*refused, *also))


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


def examine(system: System) -> None:
    """Does the chain still hold what was noted from it? If not, its events are read back and the receipts made to
    agree; what is missing is due again. Raises `WrongChain`, `ForkedLog`, `ChainUnavailable`."""
    chain = system.chain()
    with snapshot(system) as session:
        newest = anchoring.newest_place(session, chain.chain_id)
    if newest is None:
        chain.check()
        return
    if anchoring.holds(chain, newest):
        return
    chain.check()
    detail = (
        f"区块 {newest.block} 应为 {newest.block_hash}，链上为 {chain.block_hash(newest.block) or '无'}"
        f" / block {newest.block} is not the one receipts were noted from"
    )
    trouble(system, incidents.ROLLBACK, "", detail)
    found = _read_back(system)
    with transaction(system) as session:
        wrong = anchoring.restore(session, chain, found)
    logger.warning("the chain forgot blocks; receipts were read back", block=newest.block, wrong=wrong)


def anchor(system: System) -> tuple[int, list[Exception]]:
    """Anchors heads the chain forgot and the newest cosigned one; the size of the last one (or 0), and refusals."""
    chain = system.chain()
    with snapshot(system) as session:
        due = anchoring.due_heads(session, system.settings.witness_quorum)
        published, heads = outbox.published_size(session), log.heads(session) if due else []
        lately = _lately(session, outbox.HEADS)
    if not due:
        return 0, []
    if int(chain.read(outbox.HEADS, "latestSize")) > published:
        # Somebody died between sending a head and noting it, or another relay sent it.
        anchoring.require_ours(chain, heads)
        found = anchoring.find_heads(chain)
        note(system, outbox.HEADS, {outbox.head_key(size): place for size, place in found.items()})
        due = [head for head in due if head.checkpoint.size > max(found, default=0)]
    last, refused = 0, list[Exception]()
    for head in due:
        key = outbox.head_key(head.checkpoint.size)
        if key in lately:
            continue
        try:
            place = anchoring.anchor_head(chain, head, system.sign_head)
        except TransactionReverted as error:
            trouble(system, incidents.REFUSED, f"{outbox.HEADS}/{key}", str(error))
            refused.append(error)
            continue
        note(system, outbox.HEADS, {key: place})
        last = head.checkpoint.size
    return last, refused


def write_facts(system: System) -> tuple[int, list[Exception]]:
    """Writes facts that belong into a contract of their own and are not there yet; how many, and refusals."""
    written, refused = 0, list[Exception]()
    while True:  # faces that share a contract take turns in the order of the log
        before = written
        for face in system.faces:
            done, also = _write_face(system, face)
            written += done
            refused += also
        if written == before or refused:
            return written, refused


def _write_face(system: System, face: Face) -> tuple[int, list[Exception]]:
    written, failures = 0, list[Exception]()
    while len(failures) < REFUSALS:
        with snapshot(system) as session:
            facts = anchoring.due_facts(session, face, _lately(session, face.contract), system.faces)
        if not facts:
            break
        places, refused = anchoring.write_each(system.chain(), face, facts)
        note(system, face.contract, places)
        for fact_id, error in refused.items():
            trouble(system, incidents.REFUSED, f"{face.contract}/{fact_id}", str(error))
        written += len(places)
        failures += refused.values()
    return written, failures


def note(system: System, contract: str, places: Mapping[str, Place]) -> None:
    """Stores where something now stands on the chain, after looking that what stood there before still does: so each
    receipt's block lies on top of those noted earlier, and the newest one speaks for all."""
    examine(system)
    with transaction(system) as session:
        anchoring.note_places(session, contract, places)
        keys = {f"{contract}/{key}" for key in places}
        for incident in incidents.open_ones(session):
            if incident.kind == incidents.REFUSED and incident.key in keys:
                incidents.repair(session, incident.kind, incident.key, now=wall())


def trouble(system: System, kind: str, key: str, detail: str) -> None:
    """Reports an incident, in the database and once in the program's log."""
    with transaction(system) as session:
        new = incidents.report(session, kind, key, detail, now=wall())
    if new:
        logger.error("incident", kind=kind, key=key, detail=detail)


def put_right(system: System, over: Set[tuple[str, str]]) -> None:
    """Closes those of these incidents (kind, key) that are open."""
    with snapshot(system) as session:
        known = over & {(found.kind, found.key) for found in incidents.open_ones(session)}
    if known:
        with transaction(system) as session:
            for kind, key in known:
                incidents.repair(session, kind, key, now=wall())
        logger.info("incidents put right", kinds=sorted(kind for kind, _ in known))


def report(system: System, step: str, error: Exception) -> None:
    """What goes away by waiting (no answer, too few witnesses, another worker's turn) is no incident."""
    match error:
        case ChainUnavailable() | WitnessRefused() | NotLeader():
            return
        case WrongChain():
            trouble(system, incidents.CONTRACTS, "", str(error))
        case ForkedLog():
            trouble(system, incidents.FORK, "", str(error))
        case _:
            trouble(system, incidents.FAILED, step, f"{type(error).__name__}: {error}")


def _lately(session: Session, contract: str) -> list[str]:
    """Keys of this contract's refusals that are too fresh to be tried again."""
    return [
        found.key.removeprefix(f"{contract}/")
        for found in incidents.open_ones(session)
        if found.kind == incidents.REFUSED and found.key.startswith(f"{contract}/") and found.seen_at > wall() - RETRY
    ]


def _read_back(system: System) -> Found:
    with snapshot(system) as session:
        heads = log.heads(session)
        contracts = {face.contract for face in system.faces}
        facts = {
            contract: store.facts_of_kind(
                session, *(kind for face in system.faces if face.contract == contract for kind in face.kinds)
            )
            for contract in contracts
        }
    return anchoring.read_back(system.chain(), system.faces, heads, facts)


def reindex(system: System) -> dict[str, int]:
    """Throws away views, tiles and chain receipts and makes them again from facts and chain."""
    found = _read_back(system)
    with transaction(system) as session, memory.uncollected():
        rebuild.clear_views(session)
        facts = rebuild.fold(session, session, system.projectors)
        search.make_index_again(session)
        leaves = log.rebuild(session)
        anchoring.forget_places(session)
        for contract, stored in found.items():
            anchoring.note_places(session, contract, stored)
        subjects = subject_map.rebuild(session, system.settings.origin)
    return {
        "facts": facts,
        "leaves": leaves,
        "subjects": subjects,
        "heads": len(found[outbox.HEADS]),
        "on_chain": sum(len(stored) for stored in found.values()),
    }


def import_facts(system: System, lines: Iterator[bytes]) -> tuple[int, int]:
    """Puts an archive segment into an empty database (`ledger.archive`); nothing is kept if any line is wrong."""
    with transaction(system) as session:
        return archive.restore(session, lines)
