"""Views folded from facts, and the calendar in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger import canonical
from ledger import tables as ledger
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.calendar import Calendar, published
from registry.rulebook.rule_set import RULE_SET, RuleSet
from registry.rulebook.tables import CalendarYearRow, RuleSetRow
from registry.rulebook.year_table import CALENDAR, YearTable, amended

Marks = tuple[tuple[int, int, str], ...]
"""Year, newest version and fact of every year that was published by a fact: what a calendar is known by."""


def _published(session: Session, fact: Fact) -> None:
    body = read(YearTable, fact.body)
    session.add(
        CalendarYearRow(
            year=body.year,
            version=body.version,
            document_no=body.document_no,
            document=canonical.encode(body_of(body)).decode(),
            from_at=fact.at,
            fact_id=fact.id,
        )
    )
    session.flush()


def _ruled(session: Session, fact: Fact) -> None:
    body = read(RuleSet, fact.body)
    session.add(
        RuleSetRow(
            scheme=body.scheme,
            version=body.version,
            sha256=body.digest.sha256,
            sm3=body.digest.sm3,
            from_at=fact.at,
            fact_id=fact.id,
        )
    )
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {CALENDAR: _published, RULE_SET: _ruled}
TABLES = (CalendarYearRow, RuleSetRow)


def project(session: Session, fact: Fact) -> None:
    """Writes the view rows of a newly stored fact."""
    PROJECTORS[fact.kind](session, fact)


def marks(session: Session) -> Marks:
    """What the calendar in force is made of; a few small rows."""
    columns = (col(CalendarYearRow.year), col(CalendarYearRow.version), col(CalendarYearRow.fact_id))
    newest = {row.year: (row.year, row.version, row.fact_id) for row in session.execute(_ordered(*columns))}
    return tuple(newest[year] for year in sorted(newest))


def years(session: Session) -> list[CalendarYearRow]:
    """Every published version, oldest first."""
    return list(session.scalars(_ordered(CalendarYearRow)))


def year_tables(session: Session) -> tuple[YearTable, ...]:
    """The newest version of every year that was published by a fact."""
    return _newest(years(session))


def calendar_at(session: Session, size: int) -> Calendar:
    """What the program ships, amended by the facts among the first `size` log entries: the same whenever one asks."""
    fact_id = ledger.entry.c.fact_id
    known = _ordered(CalendarYearRow).join(ledger.entry, fact_id == col(CalendarYearRow.fact_id))
    return amended(published(), _newest(session.scalars(known.where(ledger.entry.c.log_index < size))))


def rule_sets(session: Session) -> list[RuleSetRow]:
    """Every version of a rule set that stands in the log."""
    return list(session.scalars(select(RuleSetRow).order_by(col(RuleSetRow.scheme), col(RuleSetRow.from_at))))


class InForce:
    """The calendar in force: what the program ships, amended by the facts. Made again only when a fact was added."""

    def __init__(self, shipped: Calendar) -> None:
        self._shipped = shipped
        self._known: tuple[Marks, Calendar] = ((), shipped)

    def of(self, session: Session) -> Calendar:
        """The calendar as this session sees it."""
        found = marks(session)
        known, calendar = self._known
        if known != found:
            calendar = amended(self._shipped, year_tables(session))
            self._known = (found, calendar)
        return calendar


def _newest(rows: Iterable[CalendarYearRow]) -> tuple[YearTable, ...]:
    newest = {row.year: row for row in rows}
    return tuple(read(YearTable, canonical.decode(row.document.encode())) for row in newest.values())


def _ordered(*what: object):  # type: ignore[no-untyped-def]
    return select(*what).order_by(col(CalendarYearRow.year), col(CalendarYearRow.version))  # type: ignore[call-overload]
