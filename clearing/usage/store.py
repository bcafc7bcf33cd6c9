"""Queries over usage evidence and the projector that folds a batch into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Table, and_, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import store as market
from clearing.market.agreement import State, Terms
from clearing.market.agreement import standing as agreement_standing
from clearing.usage import tables
from clearing.usage.batch import USAGE_BATCH, BatchHeader, check_batch
from clearing.usage.control import LiveCounter, live_counter
from clearing.usage.intake import Context, UseClass, classify
from clearing.usage.metering import MeteredUse
from clearing.usage.record import StatusClass, UsageRecord
from ledger import store as ledger
from ledger import tables as ledger_tables
from ledger.facts import Fact

VIEWS: tuple[Table, ...] = (tables.batch, tables.record, tables.finding)
GAP, FORK = "GAP", "FORK"

# Metering decides these itself and then names them precisely; every other class but OK is never billed.
_METERED = frozenset({UseClass.OK, UseClass.LATE, UseClass.UNIT, UseClass.FAILED})


@dataclass(frozen=True, slots=True)
class Finding:
    """GAP: numbers that never came. FORK: a record that does not continue the one before. Both block the close."""

    connector: str
    kind: str
    first_seq: int
    last_seq: int
    since: int


@dataclass(frozen=True, slots=True)
class RecordRow:
    """Where a record stands: its batch fact, its place in it, and its class."""

    connector: str
    seq: int
    fact_id: str
    position: int
    agreement: str
    request_id: str
    occurred_at: int
    quantity: int
    unit: str
    decision: str
    reasons: str
    status: str
    use_class: str


def project(session: Session, fact: Fact) -> None:
    """Folds one fact into the views; facts of other kinds are passed over."""
    projector = PROJECTORS.get(fact.kind)
    if projector is not None:
        projector(session, fact)


NOT_IN_LOG = 2**53 - 1


def metered_uses(
    session: Session, agreement: str, start: int | None = None, end: int | None = None, upto: int | None = None
) -> list[MeteredUse]:
    """Every admitted record of an agreement as metering reads it, in the order of (batch, place).

    Without limits this is what `read_meter` wants. `start`, `end` keep records that occurred or were received in
    [start, end), `upto` those of batches up to this place in the log, counted from 1; a batch that is not in the log
    yet stands after every place.
    """
    table, batch, entry = tables.record, tables.batch, ledger_tables.entry
    place = func.coalesce(entry.c.log_index + 1, NOT_IN_LOG)
    query = (
        select(table, batch.c.root_sha256, batch.c.root_sm3, place.label("at_position"))
        .join(batch, batch.c.fact_id == table.c.fact_id)
        .outerjoin(entry, entry.c.fact_id == table.c.fact_id)
        .where(table.c.agreement == agreement)
        .order_by(place, table.c.connector, table.c.seq)
    )
    if start is not None and end is not None:
        inside = [and_(column >= start, column < end) for column in (table.c.occurred_at, table.c.received_at)]
        query = query.where(or_(*inside))
    if upto is not None:
        query = query.where(place <= upto)
    return [
        MeteredUse(
            connector=row.connector,
            seq=row.seq,
            agreement=row.agreement,
            revision=row.revision,
            request_id=row.request_id,
            unit=row.unit,
            quantity=row.quantity,
            decision="deny" if row.decision == "deny" else "allow",
            outcome_ok=row.status == StatusClass.OK.value,
            billable=row.use_class in _METERED,
            occurred_at=row.occurred_at,
            received_at=row.received_at,
            batch=row.fact_id,
            root_sha256=row.root_sha256,
            root_sm3=row.root_sm3,
            position=row.at_position,
            digest=row.sha256,
        )
        for row in session.execute(query)
    ]


def overlapping(session: Session, connector: str, first: int, last: int) -> str | None:
    """Statement digest (SHA-256) of a stored batch that holds one of these numbers already."""
    table = tables.batch
    return session.execute(
        select(table.c.statement_sha256)
        .where(table.c.connector == connector, table.c.first_seq <= last, table.c.last_seq >= first)
        .limit(1)
    ).scalar()


def findings(session: Session, connector: str = "") -> list[Finding]:
    """Open findings, of one connector or of all."""
    table = tables.finding
    query = select(table).order_by(table.c.connector, table.c.first_seq)
    if connector:
        query = query.where(table.c.connector == connector)
    return [Finding(r.connector, r.kind, r.first_seq, r.last_seq, r.since) for r in session.execute(query)]


def records(session: Session, agreement: str, limit: int = 1000) -> list[RecordRow]:
    """The newest records of an agreement, newest first."""
    table = tables.record
    columns = [table.c[name] for name in RecordRow.__slots__]
    query = select(*columns).where(table.c.agreement == agreement)
    rows = session.execute(
        query.order_by(table.c.occurred_at.desc(), table.c.connector, table.c.seq.desc()).limit(limit)
    )
    return [RecordRow(*row) for row in rows]


def record_at(session: Session, connector: str, seq: int) -> RecordRow:
    """The record with this identity. Raises `UnknownFact`."""
    table = tables.record
    columns = [table.c[name] for name in RecordRow.__slots__]
    row = session.execute(select(*columns).where(table.c.connector == connector, table.c.seq == seq)).first()
    if row is None:
        raise UnknownFact("usage record", f"{connector}/{seq}")
    return RecordRow(*row)


def classes(session: Session, agreement: str) -> dict[str, int]:
    """How many records of each class an agreement has."""
    table = tables.record
    query = select(table.c.use_class, func.count()).where(table.c.agreement == agreement).group_by(table.c.use_class)
    return {name: int(number) for name, number in session.execute(query.order_by(table.c.use_class))}


def counter(session: Session, agreement: str) -> LiveCounter:
    """The live counter of an agreement under the revision in force now: counted units and refused uses."""
    row = market.agreement(session, agreement)
    terms = market.terms_of(session, agreement, row.revision)
    table = tables.record
    used = session.execute(
        select(func.coalesce(func.sum(table.c.quantity), 0)).where(
            table.c.agreement == agreement,
            table.c.use_class == UseClass.OK.value,
            table.c.status == StatusClass.OK.value,
        )
    ).scalar_one()
    refused = classes(session, agreement).get(UseClass.REFUSED.value, 0)
    return live_counter(agreement, terms.settlement.tariff.unit, terms.policy, int(used), refused)


def _project_batch(session: Session, fact: Fact) -> None:
    parts = ledger.parts_of(session, fact.id)
    header, admitted = check_batch(fact.statement, parts)
    assert fact.statement.parts is not None
    root = fact.statement.parts.root
    _note_seams(session, header, fact.at)
    session.execute(
        insert(tables.batch).values(
            fact_id=fact.id,
            connector=header.connector,
            no=fact.statement.no,
            first_seq=header.first_seq,
            last_seq=header.last_seq,
            received_at=fact.at,
            statement_sha256=fact.statement.digest().sha256.hex(),
            root_sha256=root.sha256.hex(),
            root_sm3=root.sm3.hex(),
            first_prev=header.first_prev.sha256 if header.first_prev else "",
            last_hash=header.last_hash.sha256,
        )
    )
    seen = _counted_before(session, [item.record for item in admitted])
    agreement_at = _Agreements(session)
    rows = []
    for position, item in enumerate(admitted):
        record = item.record
        key = _counted_key(record)
        context = agreement_at.context(record, counted_before=key in seen)
        use_class = classify(record, context, fact.at)
        counted = use_class is UseClass.OK
        if counted:
            seen.add(key)
        rows.append(
            {
                "connector": record.connector,
                "seq": record.seq,
                "fact_id": fact.id,
                "position": position,
                "agreement": record.agreement,
                "revision": record.revision,
                "agr_seq": record.agr_seq,
                "side": record.side.value,
                "direction": record.direction.value,
                "request_id": record.request_id,
                "occurred_at": record.occurred_at,
                "received_at": fact.at,
                "unit": record.unit,
                "quantity": record.quantity,
                "decision": record.decision.value,
                "reasons": ",".join(record.reasons),
                "status": record.status.value,
                "use_class": use_class.value,
                "counted_key": key if counted else None,
                "sha256": item.digest.sha256.hex(),
                "sm3": item.digest.sm3.hex(),
            }
        )
    session.execute(insert(tables.record), rows)


class _Agreements:
    """Agreements as they stood at an instant; acts and terms are read once per batch."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._history: dict[str, list[tuple[int, int, State]]] = {}
        self._terms: dict[tuple[str, int], Terms] = {}

    def context(self, record: UsageRecord, *, counted_before: bool) -> Context | None:
        if record.agreement not in self._history:
            self._history[record.agreement] = market.history(self._session, record.agreement)
        revision, state = market.revision_at(self._history[record.agreement], record.occurred_at)
        if revision == 0:
            return None
        key = (record.agreement, revision)
        if key not in self._terms:
            self._terms[key] = market.terms_of(self._session, *key)
        terms = self._terms[key]
        standing = agreement_standing(state, terms.effective, terms.expiry, record.occurred_at)
        return Context(revision, terms, standing, counted_before)


def _note_seams(session: Session, header: BatchHeader, at: int) -> None:
    """Opens a gap before the batch, closes the gap it fills, and checks both neighbours' hashes."""
    table = tables.batch
    highest = session.execute(select(func.max(table.c.last_seq)).where(table.c.connector == header.connector)).scalar()
    if header.first_seq > (highest or 0) + 1:
        _put(session, header.connector, GAP, (highest or 0) + 1, header.first_seq - 1, at)
    elif header.first_seq <= (highest or 0):
        _fill(session, header)
    seam = or_(table.c.last_seq == header.first_seq - 1, table.c.first_seq == header.last_seq + 1)
    neighbours = session.execute(
        select(table.c.first_seq, table.c.last_seq, table.c.first_prev, table.c.last_hash)
        .where(table.c.connector == header.connector, seam)
        .order_by(table.c.first_seq)
    ).all()
    first_prev = header.first_prev.sha256 if header.first_prev else ""
    own = (header.first_seq, header.last_seq, first_prev, header.last_hash.sha256)
    chain = sorted([*(tuple(row) for row in neighbours), own])
    for before, after in pairwise(chain):
        if before[1] + 1 == after[0] and before[3] != after[2]:
            _put(session, header.connector, FORK, after[0], after[0], at)


def _fill(session: Session, header: BatchHeader) -> None:
    table = tables.finding
    gap = session.execute(
        select(table).where(
            table.c.connector == header.connector,
            table.c.kind == GAP,
            table.c.first_seq <= header.first_seq,
            table.c.last_seq >= header.last_seq,
        )
    ).first()
    if gap is None:
        return
    session.execute(
        delete(table).where(table.c.connector == gap.connector, table.c.kind == GAP, table.c.first_seq == gap.first_seq)
    )
    rest = ((gap.first_seq, header.first_seq - 1), (header.last_seq + 1, gap.last_seq))
    for first, last in rest:
        if first <= last:
            _put(session, gap.connector, GAP, first, last, gap.since)


def _put(session: Session, connector: str, kind: str, first: int, last: int, at: int) -> None:
    values = {"connector": connector, "kind": kind, "first_seq": first, "last_seq": last, "since": at}
    session.execute(insert(tables.finding).values(**values, blocks_close=True))


def _counted_key(record: UsageRecord) -> str:
    return f"{record.agreement}/{record.side}/{record.request_id}"


def _counted_before(session: Session, wanted: Iterable[UsageRecord]) -> set[str]:
    keys = sorted({_counted_key(record) for record in wanted})
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        column = tables.record.c.counted_key
        found.update(session.execute(select(column).where(column.in_(keys[start : start + 500]))).scalars())
    return found


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {USAGE_BATCH: _project_batch}
