"""The working days of one year, as the yearly State Council notice lays them down (registration.md 2.3).

A body names the days that are not what their weekday says: holidays, and weekend days that are worked (调休); naming
every day of the year is as good. A later version replaces the whole year, but no day that has passed: so a period that
has ended keeps its end, and one that runs is counted anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta

from ledger.errors import FieldError
from registry.asset import Day
from registry.calendar import ONE_DAY, Calendar

CALENDAR = "calendar-published/v1"

ALWAYS_OFF = ("01-01", "05-01", "10-01", "10-02", "10-03")
"""Holidays of every year (《全国年节及纪念日放假办法》); a table without them is no such notice."""


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day: worked or not."""

    date: Day
    working: bool


@dataclass(frozen=True, slots=True)
class YearTable:
    """Body of calendar-published/v1, act `version` − 1 of subject "calendar:<year>"; signed by two members of staff.

    `document_no` is that of the notice, e.g. 国办发明电〔…〕…号.
    """

    year: Annotated[int, Meta(ge=2000, le=2199)]
    version: Annotated[int, Meta(ge=1, le=999)]
    document_no: Annotated[str, Meta(min_length=1, max_length=200)]
    rows: Annotated[tuple[DayRow, ...], Meta(min_length=1, max_length=366)]

    @property
    def source(self) -> str:
        """How this version is named in due dates and timers: "2027.1"."""
        return f"{self.year}.{self.version}"


def calendar_subject(year: int) -> str:
    """The subject of all versions of a year."""
    return f"calendar:{year}"


def check_rows(table: YearTable, where: str = "body") -> YearTable:
    """The table itself, if its rows are real days of its year, each once, in order, with the holidays every year has.

    Raises `FieldError`.
    """
    before = ""
    for position, row in enumerate(table.rows):
        field = f"{where}.rows[{position}].date"
        day = _day(row.date, field)
        if day.year != table.year:
            raise FieldError(field, f"{table.year} 年的日期 / a day of that year", row.date)
        if row.date <= before:
            raise FieldError(field, f"晚于 {before}，每日一行 / later than the row before", row.date)
        before = row.date
    off = {row.date for row in table.rows if not row.working}
    missing = [f"{table.year}-{day}" for day in ALWAYS_OFF if f"{table.year}-{day}" not in off]
    if missing:
        raise FieldError(f"{where}.rows", "含元旦、劳动节、国庆节的放假日 / with the holidays of every year",
                         f"缺 / without {', '.join(missing)}")  # fmt: skip
    return table


def amended(calendar: Calendar, tables: Iterable[YearTable]) -> Calendar:
    """The calendar with these tables in place of what it had for their years."""
    for table in tables:
        off = (date.fromisoformat(row.date) for row in table.rows if not row.working)
        worked = (date.fromisoformat(row.date) for row in table.rows if row.working)
        calendar = calendar.with_year(table.year, table.source, off, worked)
    return calendar


def differences(calendar: Calendar, table: YearTable) -> tuple[DayRow, ...]:
    """The days that this table makes other than the calendar has them now; for a year it lacks, other than Monday to
    Friday."""
    then = amended(calendar, (table,))
    known = table.year in calendar.years
    days = (date(table.year, 1, 1) + n * ONE_DAY for n in range(366))
    return tuple(
        DayRow(day.isoformat(), then.is_working(day))
        for day in days
        if day.year == table.year and then.is_working(day) != (calendar.is_working(day) if known else day.weekday() < 5)
    )


def require_future(calendar: Calendar, table: YearTable, today: date) -> None:
    """Raises `FieldError` if an amendment changes a day that is over, or today: what was counted by it has ended."""
    if table.year not in calendar.years:
        return
    for row in differences(calendar, table):
        if row.date <= today.isoformat():
            raise FieldError(
                "body.rows", f"只改动 {today.isoformat()} 以后的日期 / only days after today are changed", row.date
            )


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FieldError(field, "存在的日期 / a day there is", text) from error
