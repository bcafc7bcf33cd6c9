"""Counting at every entry, so that a figure is read in a few rows however many certificates there are."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from registry.calendar import day_of
from registry.certificate import Record, RegisterEntry, Status
from registry.code import month_of
from registry.statistics.figures import Dimension, Figure, Line, figure
from registry.statistics.tables import RegistrationCountRow, RegistrationRow
from registry.tables import ToldRow

LAST_DAY = "last_day"
PUBLISHED, WAIVED = "已公示", "经申请不公示"
_TOLD = frozenset({Status.TRANSFERRED, Status.CANCELLED, Status.RENEWAL_PENDING})
"""What time alone does not tell. SUPERSEDED is never the status of a newest version."""


def count(session: Session, entry: RegisterEntry, record: Record) -> None:
    """Counts a new register entry, and moves the certificate's last day from its old version to this one."""
    scheme = record.scheme
    _add(session, Dimension.PUBLICITY.value, scheme, WAIVED if record.publicity_waived else PUBLISHED)
    if not record.publicity_waived:
        _add(session, Dimension.TYPE.value, scheme, record.type.value)
        _add(session, Dimension.MONTH.value, scheme, month_of(entry.deposited_at))
        _add(session, Dimension.KIND.value, scheme, record.description.kind.value)
        _add(session, Dimension.SOURCE.value, scheme, record.source_kind.value)
        for right in sorted({row.right.value for row in record.rights}):
            _add(session, Dimension.RIGHT.value, scheme, right)
    known = session.get(RegistrationRow, entry.code)
    if known is None:
        known = RegistrationRow(code=entry.code, version=entry.version, scheme=scheme, last_day=entry.last_day)
        session.add(known)
    else:
        _add(session, LAST_DAY, known.scheme, known.last_day, -1)
        known.version, known.scheme, known.last_day = entry.version, scheme, entry.last_day
    _add(session, LAST_DAY, scheme, entry.last_day)


def figures(session: Session, at: int) -> tuple[Figure, ...]:
    """Every figure as of `at` (seconds UTC)."""
    stored: dict[str, list[Line]] = {}
    table = RegistrationCountRow
    columns = (col(table.dimension), col(table.scheme), col(table.value), col(table.count))
    for dimension, scheme, value, number in session.execute(select(*columns)):
        stored.setdefault(dimension, []).append(Line(scheme, value, number))
    lines = {item: stored.get(item.value, []) for item in Dimension}
    lines[Dimension.STATUS] = _by_status(session, stored.get(LAST_DAY, []), at)
    return tuple(figure(item, at, lines[item]) for item in Dimension)


def _by_status(session: Session, last_days: list[Line], at: int) -> list[Line]:
    """Validity ends by itself with the last day; what else ended or prolonged a certificate was told of it."""
    today = day_of(at).isoformat()
    counted: Counter[tuple[str, Status]] = Counter()
    for line in last_days:
        counted[line.scheme, _by_time(line.value, today)] += line.count
    for scheme, last_day, status in _told(session):
        by_time = _by_time(last_day, today)
        if status is Status.RENEWAL_PENDING and by_time is Status.VALID:
            continue  # filed before the end, which has not come
        counted[scheme, by_time] -= 1
        counted[scheme, status] += 1
    return [Line(scheme, status.value, number) for (scheme, status), number in counted.items()]


def _by_time(last_day: str, today: str) -> Status:
    return Status.VALID if today <= last_day else Status.LAPSED


def _told(session: Session) -> list[tuple[str, str, Status]]:
    """Scheme, last day and status of the certificates whose newest version was last told to be one of `_TOLD`."""
    later = aliased(ToldRow)
    last = select(func.max(col(later.no))).where(
        col(later.code) == col(ToldRow.code), col(later.version) == col(ToldRow.version)
    )
    rows = session.execute(
        select(col(RegistrationRow.scheme), col(RegistrationRow.last_day), col(ToldRow.status))
        .join(
            RegistrationRow,
            and_(col(RegistrationRow.code) == col(ToldRow.code), col(RegistrationRow.version) == col(ToldRow.version)),
        )
        .where(col(ToldRow.status).in_([status.value for status in _TOLD]), col(ToldRow.no) == last.scalar_subquery())
    )
    return [(scheme, last_day, Status(status)) for scheme, last_day, status in rows]


def _add(session: Session, dimension: str, scheme: str, value: str, number: int = 1) -> None:
    row = session.get(RegistrationCountRow, (dimension, scheme, value))
    if row is None:
        session.add(RegistrationCountRow(dimension=dimension, scheme=scheme, value=value, count=number))
    else:
        row.count += number
    session.flush()
