"""Queries over usage evidence and the projector that folds a batch into rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, repeat
from operator import add, attrgetter
from typing import Any

from sqlalchemy import Select, Table, TextClause, and_, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import store as market
from clearing.market.agreement import Role, State, Terms
from clearing.market.agreement import standing as agreement_standing
from clearing.market.policy import Decision
from clearing.terms import Period
from clearing.usage import tables
from clearing.usage.batch import USAGE_BATCH, Batch, BatchHeader, check_batch
from clearing.usage.closing import HEARTBEAT, PERIOD_CLOSE, Heartbeat, Line, PeriodClose, Tally, UnitTotal, read_report
from clearing.usage.control import LiveCounter, live_counter
from clearing.usage.finding import FINDING_EXPLAINED, Explanation, Finding, FindingKind, read_explanation
from clearing.usage.held import USAGE_HELD, records_of
from clearing.usage.intake import Context, UseClass, classify
from clearing.usage.metered import MeteredUse
from clearing.usage.record import Admitted, Side, StatusClass, UsageRecord, decode
from ledger import bulk, canonical
from ledger import store as ledger
from ledger import tables as ledger_tables
from ledger.errors import Erased
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.calendar import day_of

VIEWS: tuple[Table, ...] = (
    tables.batch,
    tables.record,
    tables.held,
    tables.finding,
    tables.explanation,
    tables.close,
    tables.heartbeat,
)
_AT_ONCE = 256
"""Most records in one statement; sizes are powers of two, so that few statements are ever made."""


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
        select(
            table,
            batch.c.fact_id,
            batch.c.received_at,
            batch.c.root_sha256,
            batch.c.root_sm3,
            place.label("at_position"),
        )
        .join(batch, and_(batch.c.connector == table.c.connector, batch.c.no == table.c.no))
        .outerjoin(entry, entry.c.fact_id == batch.c.fact_id)
        .where(table.c.agreement == agreement)
        .order_by(place, table.c.connector, table.c.seq)
    )
    if start is not None and end is not None:
        inside = [and_(column >= start, column < end) for column in (table.c.occurred_at, batch.c.received_at)]
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
            side=Side(row.side),
            unit=row.unit,
            quantity=row.quantity,
            decision="deny" if row.decision == "deny" else "allow",
            outcome_ok=row.status == StatusClass.OK.value,
            use_class=UseClass(row.use_class),
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


def unsigned_uses(session: Session, agreement: str, connectors: Iterable[str]) -> list[MeteredUse]:
    """Records of an agreement that came alone, from these connectors, and that no batch of theirs covers; in no order.
    Those whose text was erased are left out: nothing is known of them but a digest."""
    table = tables.held
    query = select(table.c.fact_id, table.c.position, table.c.received_at).where(
        table.c.batch.is_(None), table.c.connector.in_(list(connectors))
    )
    found: list[MeteredUse] = []
    parts: dict[str, list[bytes]] = {}
    for row in session.execute(query.order_by(table.c.fact_id, table.c.position)):
        if row.fact_id not in parts:
            parts = {row.fact_id: _parts_left(session, row.fact_id)}
        if not parts[row.fact_id]:
            continue
        item = decode(parts[row.fact_id][row.position])
        record = item.record
        if record.agreement == agreement:
            found.append(
                MeteredUse(
                    connector=record.connector,
                    seq=record.seq,
                    agreement=agreement,
                    revision=record.revision,
                    request_id=record.request_id,
                    side=record.side,
                    unit=record.unit,
                    quantity=record.quantity,
                    decision="deny" if record.decision is Decision.DENY else "allow",
                    outcome_ok=record.status is StatusClass.OK,
                    use_class=UseClass.OK,
                    occurred_at=record.occurred_at,
                    received_at=row.received_at,
                    batch="",
                    root_sha256="",
                    root_sm3="",
                    position=NOT_IN_LOG,
                    digest=item.digest.sha256.hex(),
                )
            )
    return found


def lines(session: Session, agreement: str) -> dict[Line, list[tuple[int, int]]]:
    """Who reports under an agreement, and in which spans [from, to) each of its revisions named the connector.

    Seconds UTC; a span without an end yet ends with its revision's term. Raises `UnknownFact`.
    """
    market.agreement(session, agreement)
    found: dict[Line, list[tuple[int, int]]] = {}
    for revision, since, until in market.revisions(session, agreement):
        terms = market.terms_of(session, agreement, revision)
        first, last = max(since, terms.effective), min(until or terms.expiry, terms.expiry)
        for party in terms.parties:
            side = Side.CONSUME if party.role is Role.CONSUMER else Side.PROVIDE
            for connector in party.connectors:
                found.setdefault(Line(connector, agreement, side), []).append((first, last))
    return found


def reported(session: Session, line: Line, body: PeriodClose | Heartbeat) -> str | None:
    """The fact that closed this month, or gave the heartbeat of this day, before."""
    table, time = (
        (tables.close, tables.close.c.period == body.period)
        if isinstance(body, PeriodClose)
        else (tables.heartbeat, tables.heartbeat.c.day == body.day)
    )
    own = (table.c.connector == line.connector, table.c.agreement == line.agreement, table.c.side == line.side.value)
    return session.execute(select(table.c.fact_id).where(*own, time)).scalar()


def _parts_left(session: Session, fact_id: str) -> list[bytes]:
    try:
        return ledger.parts_of(session, fact_id)
    except Erased:
        return []


def closes(session: Session, agreement: str) -> dict[tuple[Line, str], PeriodClose]:
    """What the connectors of an agreement closed their months with, by line and month."""
    table = tables.close
    rows = session.execute(select(table).where(table.c.agreement == agreement))
    return {
        (Line(row.connector, agreement, Side(row.side)), row.period): read(
            PeriodClose, canonical.decode(row.document.encode())
        )
        for row in rows
    }


def heartbeats(session: Session, agreement: str, first: str, last: str) -> dict[Line, set[str]]:
    """The days from `first` to `last` (YYYY-MM-DD) on which each connector of an agreement gave a heartbeat."""
    table = tables.heartbeat
    query = select(table.c.connector, table.c.side, table.c.day).where(
        table.c.agreement == agreement, table.c.day.between(first, last)
    )
    found: dict[Line, set[str]] = {}
    for row in session.execute(query):
        found.setdefault(Line(row.connector, agreement, Side(row.side)), set()).add(row.day)
    return found


def facts_about(session: Session, agreement: str, start: int, end: int) -> list[str]:
    """Ids of the batches with a record of the agreement that occurred in [start, end), seconds UTC, and of the closes
    and heartbeats its connectors gave for months and days that touch that time."""
    record, batch, close, beat = tables.record, tables.batch, tables.close, tables.heartbeat
    batches = (
        select(batch.c.fact_id)
        .join(record, and_(record.c.connector == batch.c.connector, record.c.no == batch.c.no))
        .where(record.c.agreement == agreement, record.c.occurred_at >= start, record.c.occurred_at < end)
        .distinct()
    )
    first, last = day_of(start).isoformat(), day_of(end - 1).isoformat()
    closes = select(close.c.fact_id).where(close.c.agreement == agreement, close.c.period.between(first[:7], last[:7]))
    beats = select(beat.c.fact_id).where(beat.c.agreement == agreement, beat.c.day.between(first, last))
    return [name for query in (batches, closes, beats) for name in session.execute(query).scalars()]


def tally(session: Session, line: Line, period: Period) -> Tally:
    """What is held of a connector's records of one agreement that occurred in the period."""
    table = tables.record
    own = and_(
        table.c.agreement == line.agreement,
        table.c.occurred_at >= period.start,
        table.c.occurred_at < period.end,
        table.c.connector == line.connector,
        table.c.side == line.side.value,
    )
    number = session.execute(select(func.count()).where(own)).scalar_one()
    used = (
        select(table.c.unit, func.sum(table.c.quantity))
        .where(own, table.c.decision != Decision.DENY.value)
        .group_by(table.c.unit)
    )
    totals = sorted((unit, int(quantity)) for unit, quantity in session.execute(used))
    last = session.execute(select(table.c.sha256).where(own).order_by(table.c.seq.desc()).limit(1)).scalar()
    return Tally(number, tuple(UnitTotal(unit, quantity) for unit, quantity in totals), last or "")


# What every batch asks and writes, made once: building a statement costs more than running it.
_OVERLAPPING = (
    select(tables.batch.c.statement_sha256)
    .where(tables.batch.c.connector == bindparam("who"))
    .where(tables.batch.c.first_seq <= bindparam("last"), tables.batch.c.last_seq >= bindparam("first"))
    .limit(1)
)
_HELD_AMONG = (
    select(tables.held.c.seq, tables.held.c.sha256)
    .where(tables.held.c.connector == bindparam("who"))
    .where(tables.held.c.seq.between(bindparam("first"), bindparam("last")))
    .order_by(tables.held.c.seq)
)
_HIGHEST = select(func.max(tables.batch.c.last_seq)).where(tables.batch.c.connector == bindparam("who"))
_NEIGHBOURS = (
    select(tables.batch.c.first_seq, tables.batch.c.last_seq, tables.batch.c.first_prev, tables.batch.c.last_hash)
    .where(tables.batch.c.connector == bindparam("who"))
    .where(or_(tables.batch.c.last_seq == bindparam("before"), tables.batch.c.first_seq == bindparam("after")))
    .order_by(tables.batch.c.first_seq)
)
_NEW_BATCH = insert(tables.batch)
_SIGN_HELD = (
    update(tables.held)
    .where(tables.held.c.connector == bindparam("who"))
    .where(tables.held.c.seq.between(bindparam("first"), bindparam("last")))
    .where(
        select(tables.record.c.seq)
        .where(tables.record.c.connector == tables.held.c.connector, tables.record.c.seq == tables.held.c.seq)
        .where(tables.record.c.sha256 == tables.held.c.sha256)
        .exists()
    )
    .values(batch=bindparam("fact"))
)


def overlapping(session: Session, connector: str, first: int, last: int) -> str | None:
    """Statement digest (SHA-256) of a stored batch that holds one of these numbers already."""
    return session.execute(_OVERLAPPING, {"who": connector, "first": first, "last": last}).scalar()


def findings(session: Session, connector: str = "") -> list[Finding]:
    """Open findings, of one connector or of all; those of held records are computed now, after the stored ones."""
    table = tables.finding
    query = select(table).order_by(table.c.connector, table.c.first_seq)
    if connector:
        query = query.where(table.c.connector == connector)
    stored = [
        Finding(r.connector, FindingKind(r.kind), r.first_seq, r.last_seq, r.since) for r in session.execute(query)
    ]
    return stored + held_findings(session, connector)


def dated_before(session: Session, finding: Finding) -> int | None:
    """When the use before the finding occurred (seconds UTC): what it hides is hardly older. None if there is none."""
    table = tables.record
    before = (table.c.connector == finding.connector) & (table.c.seq < finding.first_seq)
    query = select(table.c.occurred_at).where(before).order_by(table.c.seq.desc()).limit(1)
    return session.execute(query).scalar()


def explanations(session: Session, connector: str) -> list[Explanation]:
    """What was said about the findings of a connector, the oldest first."""
    table = tables.explanation
    query = select(table.c.document).where(table.c.connector == connector).order_by(table.c.no)
    return [read(Explanation, canonical.decode(text.encode())) for text in session.execute(query).scalars()]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: its digest (SHA-256, hex), and its position among the parts of a fact."""

    sha256: str
    fact_id: str
    position: int


def places_of(session: Session, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Place]:
    """Which of these records (connector, seq) were taken in before; what came alone and in a batch, by the first."""
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        size = 1 << (len(chunk) - 1).bit_length()
        values: dict[str, str | int] = {}
        for place in range(size):
            values[f"c{place}"], values[f"s{place}"] = chunk[min(place, len(chunk) - 1)]
        for row in session.execute(_find(size), values):
            if row.alone or (row.connector, row.seq) not in found:
                found[row.connector, row.seq] = Place(row.sha256, row.fact_id, row.position)
    return found


@lru_cache
def _find(size: int) -> TextClause:
    """Records by `size` keys at once. In SQL text, made once for each size: SQLite reads the whole table for a list
    of pairs after IN, and SQLAlchemy compiles a list of VALUES anew every time."""
    keys = ", ".join(f"(:c{place}, CAST(:s{place} AS BIGINT))" for place in range(size))
    this = "t.connector = w.connector AND t.seq = w.seq"
    batched = (
        "SELECT t.connector, t.seq, t.sha256, b.fact_id, t.seq - b.first_seq AS position, 0 AS alone FROM wanted w"
        f" JOIN {tables.record.name} t ON {this}"
        f" JOIN {tables.batch.name} b ON b.connector = t.connector AND b.no = t.no"
    )
    alone = (
        "SELECT t.connector, t.seq, t.sha256, t.fact_id, t.position, 1 AS alone FROM wanted w"
        f" JOIN {tables.held.name} t ON {this}"
    )
    return text(f"WITH wanted(connector, seq) AS (VALUES {keys}) {batched} UNION ALL {alone}")


def put_held(session: Session, fact: Fact, records: Sequence[Admitted]) -> None:
    """The rows of a usage-held/v1 and its records."""
    start = 0
    while start < len(records):
        size = min(1 << (len(records) - start).bit_length() - 1, _AT_ONCE)
        values: dict[str, str | int] = {"fact": fact.id, "at": fact.at, "start": start}
        for place, item in enumerate(records[start : start + size]):
            record = item.record
            values[f"c{place}"], values[f"s{place}"] = record.connector, record.seq
            values[f"d{place}"] = item.digest.sha256.hex()
            values[f"p{place}"] = record.prev.sha256 if record.prev else ""
        session.execute(_insert(size), values)
        start += size


@lru_cache
def _insert(size: int) -> TextClause:
    """Rows of `size` held records in one step: SQLite lets the interpreter go at each step, and a busy event loop takes
    its time to give it back."""
    rows = ", ".join(f"(:c{i}, :s{i}, :d{i}, :p{i}, :fact, :start + {i}, :at)" for i in range(size))
    columns = "connector, seq, sha256, prev_sha256, fact_id, position, received_at"
    return text(f"INSERT INTO {tables.held.name} ({columns}) VALUES {rows}")


def held_otherwise(session: Session, batch: Batch) -> str | None:
    """Digest (SHA-256) of the first held record that the batch does not repeat."""
    header = batch.header
    for row in session.execute(_HELD_AMONG, _numbers_of(header)):
        if row.sha256 != batch.parts.sha256[row.seq - header.first_seq].hex():
            return str(row.sha256)
    return None


def _numbers_of(header: BatchHeader) -> dict[str, Any]:
    return {"who": header.connector, "first": header.first_seq, "last": header.last_seq}


def held_findings(session: Session, connector: str = "") -> list[Finding]:
    """UNSIGNED runs of held records, and FORK where one does not fit its neighbours or a batch."""
    held, before, following = tables.held, tables.held.alias(), tables.batch
    batched, previous = tables.record, tables.record.alias()
    query = (
        select(
            held.c.connector, held.c.seq, held.c.sha256, held.c.prev_sha256, held.c.received_at,
            func.coalesce(before.c.sha256, previous.c.sha256).label("before"),
            batched.c.sha256.label("batched"), following.c.first_prev,
        )
        .outerjoin(before, and_(before.c.connector == held.c.connector, before.c.seq == held.c.seq - 1))
        .outerjoin(previous, and_(previous.c.connector == held.c.connector, previous.c.seq == held.c.seq - 1))
        .outerjoin(batched, and_(batched.c.connector == held.c.connector, batched.c.seq == held.c.seq))
        .outerjoin(following, and_(following.c.connector == held.c.connector, following.c.first_seq == held.c.seq + 1))
        .where(held.c.batch.is_(None))
        .order_by(held.c.connector, held.c.seq)
    )  # fmt: skip
    if connector:
        query = query.where(held.c.connector == connector)
    forks: list[Finding] = []
    runs: list[Finding] = []
    for row in session.execute(query):
        if row.before not in (None, row.prev_sha256) or row.batched not in (None, row.sha256):
            forks.append(Finding(row.connector, FindingKind.FORK, row.seq, row.seq, row.received_at))
        if row.first_prev not in (None, row.sha256):
            forks.append(Finding(row.connector, FindingKind.FORK, row.seq + 1, row.seq + 1, row.received_at))
        if runs and (runs[-1].connector, runs[-1].last_seq + 1) == (row.connector, row.seq):
            runs[-1] = replace(runs[-1], last_seq=row.seq, since=min(runs[-1].since, row.received_at))
        else:
            runs.append(Finding(row.connector, FindingKind.UNSIGNED, row.seq, row.seq, row.received_at))
    return forks + runs


def records(session: Session, agreement: str, limit: int = 1000) -> list[RecordRow]:
    """The newest records of an agreement, newest first."""
    table = tables.record
    query = _rows().where(table.c.agreement == agreement)
    rows = session.execute(
        query.order_by(table.c.occurred_at.desc(), table.c.connector, table.c.seq.desc()).limit(limit)
    )
    return [RecordRow(*row) for row in rows]


def record_at(session: Session, connector: str, seq: int) -> RecordRow:
    """The record with this identity. Raises `UnknownFact`."""
    table = tables.record
    row = session.execute(_rows().where(table.c.connector == connector, table.c.seq == seq)).first()
    if row is None:
        raise UnknownFact("usage record", f"{connector}/{seq}")
    return RecordRow(*row)


def _rows() -> Select[Any]:
    table, batch = tables.record, tables.batch
    columns = [
        batch.c.fact_id if name == "fact_id"
        else (table.c.seq - batch.c.first_seq).label(name) if name == "position"
        else table.c[name]
        for name in RecordRow.__slots__
    ]  # fmt: skip
    return select(*columns).join(batch, and_(batch.c.connector == table.c.connector, batch.c.no == table.c.no))


def classes(session: Session, agreement: str) -> dict[str, int]:
    """How many records of each class an agreement has."""
    table = tables.record
    query = select(table.c.use_class, func.count()).where(table.c.agreement == agreement).group_by(table.c.use_class)
    return {name: int(number) for name, number in session.execute(query.order_by(table.c.use_class))}


def has_billable(session: Session, agreement: str) -> bool:
    """Was anything used under this agreement that may be billed? The ground on which its sides evaluate each other."""
    return classes(session, agreement).get(UseClass.OK.value, 0) > 0


def counter(session: Session, agreement: str) -> LiveCounter:
    """The live counter of an agreement under the revision in force now: used units, each request id once, and
    refused uses."""
    row = market.agreement(session, agreement)
    terms = market.terms_of(session, agreement, row.revision)
    table = tables.record
    once = (
        select(func.max(table.c.quantity).label("quantity"))
        .where(
            table.c.agreement == agreement,
            table.c.use_class == UseClass.OK.value,
            table.c.status == StatusClass.OK.value,
        )
        .group_by(table.c.request_id)
        .subquery()
    )
    used = session.execute(select(func.coalesce(func.sum(once.c.quantity), 0))).scalar_one()
    refused = classes(session, agreement).get(UseClass.REFUSED.value, 0)
    return live_counter(agreement, terms.settlement.tariff.unit, terms.policy, int(used), refused)


def _project_batch(session: Session, fact: Fact) -> None:
    take(session, fact, check_batch(fact.statement, ledger.parts_of(session, fact.id)))


def take(session: Session, fact: Fact, batch: Batch) -> dict[str, int]:
    """Writes the rows of a batch and the findings at its seams; returns how many records fell in each class."""
    header, root = batch.header, batch.parts.commitment.root
    _note_seams(session, header, fact.at)
    row = {
        "fact_id": fact.id,
        "connector": header.connector,
        "no": fact.statement.no,
        "first_seq": header.first_seq,
        "last_seq": header.last_seq,
        "received_at": fact.at,
        "statement_sha256": fact.statement.digest().sha256.hex(),
        "root_sha256": root.sha256.hex(),
        "root_sm3": root.sm3.hex(),
        "first_prev": header.first_prev.sha256 if header.first_prev else "",
        "last_hash": header.last_hash.sha256,
    }
    session.execute(_NEW_BATCH, row)
    classes = _classes(batch.records, _Agreements(session), fact.at)
    own = zip(repeat(fact.statement.no), classes, map(bytes.hex, batch.parts.sha256), strict=False)
    bulk.insert_rows(session, tables.record, list(map(add, map(_STATED, batch.records), own)))
    _sign_held(session, header, fact.id)
    return dict(sorted(Counter(classes).items()))


# `_value_` is what `value` answers, without the cost of a property on each of many records.
_STATED = attrgetter(
    "connector", "seq", "agreement", "revision", "side._value_", "request_id", "occurred_at", "unit", "quantity",
    "decision._value_", "status._value_", "latency_ms",
)  # fmt: skip
"""The columns of a row that its record states, in the order of the table; the three of the batch follow them."""
_JUDGED = attrgetter(
    "agreement", "occurred_at", "connector", "side", "decision", "revision", "listing", "version", "certificate",
    "purpose", "billable", "unit", "quantity", "status",
)  # fmt: skip
"""All that the class of a record depends on, beside the time of receipt."""


def _classes(records: Sequence[UsageRecord], agreements: _Agreements, at: int) -> list[str]:
    """The class of each record; those that agree in all that matters are judged once."""
    known: dict[tuple[Any, ...], str] = {}
    found = []
    for record, case in zip(records, map(_JUDGED, records), strict=True):
        use_class = known.get(case)
        if use_class is None:
            use_class = known[case] = classify(record, agreements.context(record), at).value
        found.append(use_class)
    return found


def classes_of(session: Session, connector: str, no: int) -> dict[str, int]:
    """How many records of one batch fell in each class."""
    table = tables.record
    query = select(table.c.use_class).where(table.c.connector == connector, table.c.no == no)
    return dict(sorted(Counter(session.execute(query).scalars()).items()))


def _project_held(session: Session, fact: Fact) -> None:
    put_held(session, fact, records_of(fact.statement, ledger.parts_of(session, fact.id)))


def _sign_held(session: Session, header: BatchHeader, batch: str) -> None:
    """Marks the held records that the batch repeats; one it contradicts stays unsigned and is a finding."""
    session.execute(_SIGN_HELD, _numbers_of(header) | {"fact": batch})


class _Agreements:
    """Agreements as they stood at an instant; acts and terms are read once per batch."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._history: dict[str, list[tuple[int, int, State]]] = {}
        self._terms: dict[tuple[str, int], Terms] = {}
        self._contexts: dict[tuple[str, int], Context | None] = {}

    def context(self, record: UsageRecord) -> Context | None:
        """What held when the record's use occurred; None before the agreement was concluded."""
        key = (record.agreement, record.occurred_at)
        if key not in self._contexts:
            self._contexts[key] = self._look(*key)
        return self._contexts[key]

    def _look(self, agreement: str, at: int) -> Context | None:
        if agreement not in self._history:
            self._history[agreement] = market.history(self._session, agreement)
        revision, state = market.revision_at(self._history[agreement], at)
        if revision == 0:
            return None
        if (agreement, revision) not in self._terms:
            self._terms[agreement, revision] = market.terms_of(self._session, agreement, revision)
        terms = self._terms[agreement, revision]
        return Context(revision, terms, agreement_standing(state, terms.effective, terms.expiry, at))


def _note_seams(session: Session, header: BatchHeader, at: int) -> None:
    """Opens a gap before the batch, closes the gap it fills, and checks both neighbours' hashes."""
    highest = session.execute(_HIGHEST, {"who": header.connector}).scalar()
    if header.first_seq > (highest or 0) + 1:
        _put(session, header.connector, FindingKind.GAP, (highest or 0) + 1, header.first_seq - 1, at)
    elif header.first_seq <= (highest or 0):
        _fill(session, header)
    seam = {"who": header.connector, "before": header.first_seq - 1, "after": header.last_seq + 1}
    neighbours = session.execute(_NEIGHBOURS, seam).all()
    first_prev = header.first_prev.sha256 if header.first_prev else ""
    own = (header.first_seq, header.last_seq, first_prev, header.last_hash.sha256)
    chain = sorted([*(tuple(row) for row in neighbours), own])
    for before, after in pairwise(chain):
        if before[1] + 1 == after[0] and before[3] != after[2]:
            _put(session, header.connector, FindingKind.FORK, after[0], after[0], at)


def _fill(session: Session, header: BatchHeader) -> None:
    table = tables.finding
    gap = session.execute(
        select(table).where(
            table.c.connector == header.connector,
            table.c.kind == FindingKind.GAP,
            table.c.first_seq <= header.first_seq,
            table.c.last_seq >= header.last_seq,
        )
    ).first()
    if gap is None:
        return
    session.execute(
        delete(table).where(
            table.c.connector == gap.connector,
            table.c.kind == FindingKind.GAP,
            table.c.first_seq == gap.first_seq,
        )
    )
    rest = ((gap.first_seq, header.first_seq - 1), (header.last_seq + 1, gap.last_seq))
    for first, last in rest:
        if first <= last:
            _put(session, gap.connector, FindingKind.GAP, first, last, gap.since)


def _put(session: Session, connector: str, kind: str, first: int, last: int, at: int) -> None:
    values = {"connector": connector, "kind": kind, "first_seq": first, "last_seq": last, "since": at}
    session.execute(insert(tables.finding).values(**values))


def _project_report(session: Session, fact: Fact) -> None:
    body = read_report(fact.statement)
    values = {"connector": body.connector, "agreement": body.agreement, "side": body.side.value, "fact_id": fact.id}
    if isinstance(body, PeriodClose):
        document = canonical.encode(body_of(body)).decode()
        session.execute(insert(tables.close).values(**values, period=body.period, at=fact.at, document=document))
    else:
        session.execute(insert(tables.heartbeat).values(**values, day=body.day, at=fact.at))


def _project_explanation(session: Session, fact: Fact) -> None:
    body = read_explanation(fact.statement)
    document = canonical.encode(body_of(body)).decode()
    values = {"connector": body.connector, "no": fact.statement.no, "fact_id": fact.id, "document": document}
    session.execute(insert(tables.explanation).values(**values))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    USAGE_BATCH: _project_batch,
    USAGE_HELD: _project_held,
    FINDING_EXPLAINED: _project_explanation,
    PERIOD_CLOSE: _project_report,
    HEARTBEAT: _project_report,
}
