"""Queries about outages, checks and measured calls, and the projectors of the first two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, func, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import store as market
from clearing.market import tables as agreements
from clearing.market.agreement import State, Terms
from clearing.market.policy import Decision
from clearing.usage import tables as usage
from clearing.usage.record import StatusClass
from clearing.usage.service_level import notice, tables
from clearing.usage.service_level.measure import Span
from clearing.usage.service_level.notice import OUTAGE_ACT, QUALITY_CHECK, Outage, QualityCheck, act_of, check_of, id_of
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read

VIEWS: tuple[Table, ...] = (tables.outage, tables.check)
ANSWERED = (StatusClass.OK, StatusClass.REDIRECT, StatusClass.CLIENT, StatusClass.SERVER)
"""Calls whose latency is measured; a refused call was not served, one without an answer has no time of answer."""


@dataclass(frozen=True, slots=True)
class OutageRow:
    """An outage as stored; `since` is when its last act was taken in, seconds UTC."""

    id: str
    since: int
    case: Outage


@dataclass(frozen=True, slots=True)
class Served:
    """An agreement that owed service in a time: its consumer, its terms then, and when it was in force."""

    agreement: str
    listing: str
    consumer: str
    terms: Terms
    owed: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """Calls that no latency is measured of: refused ones, and ones the source never answered."""

    refused: int
    unanswered: int


def outage(session: Session, identity: str) -> OutageRow:
    """The outage with this 32-hex id. Raises `UnknownFact`."""
    found = find(session, identity)
    if found is None:
        raise UnknownFact("outage", identity[:80])
    return found


def find(session: Session, identity: str) -> OutageRow | None:
    """The outage with this id, None before its first act."""
    row = session.execute(select(tables.outage).where(tables.outage.c.id == identity)).first()
    return _outage(row) if row is not None else None


def outages(session: Session, listings: Iterable[str]) -> list[OutageRow]:
    """Everything that was announced or reported about these listings, in the order of its beginning."""
    table = tables.outage
    rows = session.execute(select(table).where(table.c.listing.in_(tuple(listings))))
    return sorted(map(_outage, rows), key=lambda row: (row.case.start, row.id))


def checks(session: Session, listings: Iterable[str], period: str) -> list[QualityCheck]:
    """The checks of these listings in a month, in the order they were taken in."""
    table = tables.check
    query = select(table.c.document).where(table.c.listing.in_(tuple(listings)), table.c.period == period)
    rows = session.execute(query.order_by(table.c.at, table.c.id)).scalars()
    return [read(QualityCheck, canonical.decode(row.encode())) for row in rows]


def agreed_on(session: Session) -> set[str]:
    """The listings that anybody has or had an agreement on."""
    return set(session.execute(select(agreements.agreement.c.listing).distinct()).scalars())


def served(session: Session, listings: Iterable[str], window: Span) -> list[Served]:
    """The agreements on these listings that were in force in the window, in the order of their ids."""
    found = []
    for row in (row for listing in listings for row in market.agreements(session, listing=listing)):
        spans, revision = _in_force(session, row.id, window)
        if spans:
            terms = market.terms_of(session, row.id, revision)
            found.append(Served(row.id, row.listing, row.consumer, terms, tuple(spans)))
    return sorted(found, key=lambda one: one.agreement)


def milliseconds(session: Session, agreement: str, side: str, window: Span) -> list[int]:
    """The latency of every answered call of one side's connectors in the window."""
    table = usage.record
    query = select(table.c.latency_ms).where(
        *_calls(agreement, side, window),
        table.c.decision != Decision.DENY.value,
        table.c.status.in_([status.value for status in ANSWERED]),
    )
    return list(session.execute(query).scalars())


def left(session: Session, agreement: str, side: str, window: Span) -> Left:
    """How many calls of the window no latency is measured of."""
    table = usage.record

    def number(status: StatusClass) -> int:
        query = select(func.count()).where(*_calls(agreement, side, window), table.c.status == status.value)
        return int(session.execute(query).scalar_one())

    return Left(number(StatusClass.NONE), number(StatusClass.ERROR))


def _calls(agreement: str, side: str, window: Span) -> list[ColumnElement[bool]]:
    table = usage.record
    start, end = window
    return [
        table.c.agreement == agreement, table.c.side == side, table.c.occurred_at >= start, table.c.occurred_at < end,
    ]  # fmt: skip


def _in_force(session: Session, agreement: str, window: Span) -> tuple[list[Span], int]:
    """When the agreement was in force in the window, and its last revision then."""
    acts = market.history(session, agreement)
    spans: list[Span] = []
    last = 0
    for place, (since, revision, state) in enumerate(acts):
        if state is not State.EFFECTIVE:
            continue
        terms = market.terms_of(session, agreement, revision)
        until = acts[place + 1][0] if place + 1 < len(acts) else window[1]
        start, end = max(since, terms.effective, window[0]), min(until, terms.expiry, window[1])
        if start < end:
            spans.append((start, end))
            last = revision
    return spans, last


def _outage(row: object) -> OutageRow:
    case = read(Outage, canonical.decode(row.case.encode()), "case")  # type: ignore[attr-defined]
    return OutageRow(row.id, row.since, case)  # type: ignore[attr-defined]


def _project_outage(session: Session, fact: Fact) -> None:
    body, identity = act_of(fact.statement), id_of(fact.subject)
    before = find(session, identity)
    case = notice.moved(before.case if before else None, body, fact.at)
    values = {"no": fact.statement.no, "since": fact.at, "case": canonical.encode(body_of(case)).decode()}
    if before is None:
        session.execute(insert(tables.outage).values(id=identity, listing=case.listing, **values))
    else:
        session.execute(update(tables.outage).where(tables.outage.c.id == identity).values(**values))


def _project_check(session: Session, fact: Fact) -> None:
    body = check_of(fact.statement)
    session.execute(
        insert(tables.check).values(
            id=id_of(fact.subject, "quality-check"), listing=body.listing, period=body.period, at=fact.at,
            fact_id=fact.id, document=canonical.encode(body_of(body)).decode(),
        )
    )  # fmt: skip


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    OUTAGE_ACT: _project_outage,
    QUALITY_CHECK: _project_check,
}
