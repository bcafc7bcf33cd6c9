"""What a connector says about the end of its records: a heartbeat each day, a close for each month, zero allowed.

A hash chain shows what is missing between two records, not what is missing after the last. So each connector states for
every agreement it serves, day by day that it is there and how far it has come, and month by month how many records the
month has and which is the last. Both are acts of one chain about "connector-report:<id>", signed by the connector.
Months and days are those of Asia/Shanghai and of `occurred_at`.

Source: exchange.md §5.3 (tail), §5.7 (UC60); decisions D9, D13.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.market.policy import Decision
from clearing.terms import DAY, Period, month
from clearing.usage.record import Admitted, ConnectorId, Count, Hex64, Side
from ledger import signing
from ledger.digest import TwinDigest
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.calendar import day_of, start_of
from registry.party import connector_subject

PERIOD_CLOSE = "usage-period-close/v1"
HEARTBEAT = "usage-heartbeat/v1"
HEARTBEAT_GRACE = DAY
"""Seconds after the end of a day until its heartbeat is missed (a parameter of ours; the specification names none)."""

Unit = Annotated[str, Meta(min_length=1, max_length=64)]
MonthName = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\Z")]
DayName = Annotated[str, Meta(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")]


@dataclass(frozen=True, slots=True)
class UnitTotal:
    """How many units of one kind were used; refused uses have none."""

    unit: Unit
    quantity: Count


@dataclass(frozen=True, slots=True)
class PeriodClose:
    """Body of usage-period-close/v1: the connector's records of one agreement in one month.

    `count` includes refused uses, `totals` stand in the order of their units, `last_hash` is the digest of the last
    record and absent when there is none.
    """

    connector: ConnectorId
    agreement: Hex64
    side: Side
    period: MonthName
    count: Count
    totals: tuple[UnitTotal, ...]
    last_hash: Twin | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Body of usage-heartbeat/v1: on this day the connector was there; `count` records of the agreement so far."""

    connector: ConnectorId
    agreement: Hex64
    side: Side
    day: DayName
    count: Count
    last_hash: Twin | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What the platform holds of a connector's records of one agreement in one month; `last` is SHA-256 hex or ""."""

    count: int
    totals: tuple[UnitTotal, ...]
    last: str


class Lapse(StrEnum):
    """What is wrong with the end of a connector's records."""

    NO_CLOSE = "NO_CLOSE"  # the month is over and was not closed
    CUT_TAIL = "CUT_TAIL"  # records the connector closed over never came
    AFTER_CLOSE = "AFTER_CLOSE"  # records came that the connector did not close over
    OTHER_END = "OTHER_END"  # as many records, and other ones
    SILENT = "UC60"  # no heartbeat


@dataclass(frozen=True, slots=True)
class Line:
    """The records of one connector under one agreement."""

    connector: str
    agreement: str
    side: Side


@dataclass(frozen=True, slots=True)
class TailFinding:
    """A lapse of one line in [start, end), seconds UTC; `expected` and `found` are numbers of records or heartbeats."""

    connector: str
    side: Side
    kind: Lapse
    start: int
    end: int
    expected: int
    found: int


def subject_of(connector: str) -> str:
    """The subject of what a connector says about the end of its records."""
    return f"connector-report:{connector}"


def read_report(statement: Statement) -> PeriodClose | Heartbeat:
    """The body of either kind, agreeing with its subject and itself. Raises `FieldError`."""
    if statement.kind not in (PERIOD_CLOSE, HEARTBEAT):
        raise FieldError("statement.kind", f"{PERIOD_CLOSE} | {HEARTBEAT}", statement.kind)
    if statement.parts is not None:
        raise FieldError("statement.parts", "没有分项 / no parts", str(statement.parts.count))
    body: PeriodClose | Heartbeat
    if statement.kind == HEARTBEAT:
        body = read(Heartbeat, statement.body)
        _day(body.day)
    else:
        body = read(PeriodClose, statement.body)
        units = [total.unit for total in body.totals]
        if units != sorted(set(units)):
            raise FieldError("body.totals", "按单位排序且不重复 / each unit once, in order", str(units)[:80])
        if body.count == 0 and units:
            raise FieldError("body.totals", "没有记录时为空 / empty without records", str(units)[:80])
    if (body.count == 0) != (body.last_hash is None):
        raise FieldError("body.last_hash", "有记录时必填 / present with records only", f"count={body.count}")
    if statement.subject != subject_of(body.connector):
        raise FieldError("statement.subject", subject_of(body.connector), statement.subject)
    return body


def ends_at(body: PeriodClose | Heartbeat) -> int:
    """The second from which the statement may be made: a month is closed when it is over, a day has begun."""
    return month(body.period).end if isinstance(body, PeriodClose) else start_of(_day(body.day))


def close_of(line: Line, period: str, records: Iterable[Admitted]) -> PeriodClose:
    """The close of a month; `records` are all the connector made in it under the agreement, in their order."""
    totals: dict[str, int] = {}
    count, last = 0, None
    for item in records:
        count, last = count + 1, item.digest
        if item.record.decision is not Decision.DENY:
            totals[item.record.unit] = totals.get(item.record.unit, 0) + item.record.quantity
    ordered = tuple(UnitTotal(unit, quantity) for unit, quantity in sorted(totals.items()))
    link = Twin.of(last) if last else None
    return PeriodClose(line.connector, line.agreement, line.side, period, count, ordered, link)


def freeze(body: PeriodClose | Heartbeat, no: int, prev: TwinDigest | None, key: Sm2Key) -> Signed:
    """The connector's signed statement, as act `no` of its reports; it is sent as these bytes ever after."""
    kind = PERIOD_CLOSE if isinstance(body, PeriodClose) else HEARTBEAT
    statement = Statement(kind, subject_of(body.connector), no, prev, body_of(body))
    return Signed(statement, (signing.sign_sm2(key, statement, by=connector_subject(body.connector)),))


def months_of(start: int, end: int) -> Iterator[Period]:
    """The months that touch [start, end), in order."""
    while start < end:
        found = month(day_of(start).strftime("%Y-%m"))
        yield found
        start = found.end


def days_of(start: int, end: int) -> Iterator[date]:
    """The days that lie wholly in [start, end), in order."""
    day = day_of(start)
    if start_of(day) < start:
        day += timedelta(days=1)
    while start_of(day + timedelta(days=1)) <= end:
        yield day
        day += timedelta(days=1)


def check_close(
    line: Line, period: Period, close: PeriodClose | None, held: Tally, due: int, at: int
) -> list[TailFinding]:
    """The close of a month against what the platform holds of it; without one nothing is found before `due`."""

    def finding(kind: Lapse, expected: int, found: int) -> list[TailFinding]:
        return [TailFinding(line.connector, line.side, kind, period.start, period.end, expected, found)]

    if close is None:
        return finding(Lapse.NO_CLOSE, 1, 0) if at >= due else []
    if close.count != held.count:
        kind = Lapse.CUT_TAIL if close.count > held.count else Lapse.AFTER_CLOSE
        return finding(kind, close.count, held.count)
    last = close.last_hash.sha256 if close.last_hash else ""
    return [] if (last, close.totals) == (held.last, held.totals) else finding(Lapse.OTHER_END, close.count, held.count)


def check_heartbeats(line: Line, beats: AbstractSet[str], start: int, end: int, at: int) -> list[TailFinding]:
    """Runs of whole days of [start, end) without a heartbeat, as far as they are due at `at`."""
    silent = [
        day for day in days_of(start, end)
        if str(day) not in beats and start_of(day + timedelta(days=1)) + HEARTBEAT_GRACE <= at
    ]  # fmt: skip
    found = []
    for run in _runs(silent):
        first, last = start_of(run[0]), start_of(run[-1] + timedelta(days=1))
        found.append(TailFinding(line.connector, line.side, Lapse.SILENT, first, last, len(run), 0))
    return found


def _runs(days: Iterable[date]) -> list[list[date]]:
    runs: list[list[date]] = []
    for day in days:
        if runs and runs[-1][-1] + timedelta(days=1) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FieldError("body.day", "YYYY-MM-DD", text[:20]) from None
