"""Legal days: counted in Asia/Shanghai, in working days with 调休, from a published table or not at all.

The day that triggers a period is not counted (civil code art. 201; the guide only says 自…之日起, P). A period ends at
24:00 of its last day, kept as the next midnight, exclusive, in UTC seconds. China has had one zone, +08:00 and no
summer time, in all years the guide can meet, so the offset is fixed.
"""

from __future__ import annotations

import calendar as month_lengths
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from chinese_calendar import constants

from registry.errors import CalendarPending

SHANGHAI = timezone(timedelta(hours=8))
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The published working days: public holidays, weekend days that are worked (调休), and the years covered.

    `version` names the whole table, `year_versions` what each year was taken from where that is not `version`.
    """

    version: str
    holidays: frozenset[date]
    workdays: frozenset[date]
    years: frozenset[int]
    year_versions: tuple[tuple[int, str], ...] = ()

    def is_working(self, day: date) -> bool:
        """Is `day` a 工作日? Raises `CalendarPending` when its year is not published."""
        if day.year not in self.years:
            raise CalendarPending(day.year)
        if day in self.workdays:
            return True
        return day not in self.holidays and day.weekday() < 5

    def version_used(self, first: date, last: date) -> str:
        """What the working days from `first` to `last` were taken from: one version, or those of several years."""
        known = dict(self.year_versions)
        years = range(min(first, last).year, max(first, last).year + 1)
        return " ".join(dict.fromkeys(known.get(year, self.version.partition("+")[0]) for year in years))

    def with_year(self, year: int, source: str, holidays: Iterable[date], workdays: Iterable[date]) -> Calendar:
        """This calendar with one year as `source` has it, in place of what it had for that year."""
        versions = dict(self.year_versions) | {year: source}
        base = self.version.partition("+")[0]
        return Calendar(
            version="+".join([base, *(versions[known] for known in sorted(versions))]),
            holidays=frozenset(day for day in self.holidays if day.year != year) | frozenset(holidays),
            workdays=frozenset(day for day in self.workdays if day.year != year) | frozenset(workdays),
            years=self.years | {year},
            year_versions=tuple(sorted(versions.items())),
        )


@dataclass(frozen=True, slots=True)
class Pause:
    """A time that a period does not count: the days after `start` up to and including `end`; open while `end` is ""."""

    reason: str
    start: str
    end: str = ""


def published() -> Calendar:
    """The table of the yearly State Council notices as the chinesecalendar package carries it: our first content."""
    holidays = frozenset(constants.holidays)
    return Calendar(
        version=f"chinesecalendar-{max(day.year for day in holidays)}",
        holidays=holidays,
        workdays=frozenset(constants.workdays),
        years=frozenset(day.year for day in holidays),
    )


def day_of(instant: int) -> date:
    """The legal date in Asia/Shanghai of an instant in seconds UTC."""
    return datetime.fromtimestamp(instant, UTC).astimezone(SHANGHAI).date()


def start_of(day: date) -> int:
    """The instant 00:00 Asia/Shanghai of `day`, seconds UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp())


def end_of(day: date) -> int:
    """The instant 24:00 Asia/Shanghai of `day`, seconds UTC: the first instant after it."""
    return start_of(day + ONE_DAY)


def text_of(instant: int) -> str:
    """An instant as people read it: "2026-09-01T10:12:03+08:00"."""
    return datetime.fromtimestamp(instant, UTC).astimezone(SHANGHAI).isoformat()


def last_day(trigger: date, length: int, calendar: Calendar, pauses: Iterable[Pause] = ()) -> date:
    """The last day of a period of `length` working days after `trigger`; days inside a pause do not count.

    Overlapping pauses are merged because each day is asked once. Every pause must be closed. Raises `CalendarPending`.
    """
    closed = [(date.fromisoformat(pause.start), date.fromisoformat(pause.end)) for pause in pauses]
    day, left = trigger, length
    while left > 0:
        day += ONE_DAY
        if calendar.is_working(day) and not any(start < day <= end for start, end in closed):
            left -= 1
    return day


def next_working_day(day: date, calendar: Calendar) -> date:
    """The first working day after `day`. Raises `CalendarPending`."""
    return last_day(day, 1, calendar)


def due(trigger: date, length: int, calendar: Calendar, pauses: Iterable[Pause] = ()) -> int | None:
    """The instant the period ends (exclusive), or `None` while a pause is open: no date can be named yet."""
    pauses = tuple(pauses)
    if any(not pause.end for pause in pauses):
        return None
    return end_of(last_day(trigger, length, calendar, pauses))


def working_days_before(day: date, count: int, calendar: Calendar) -> date:
    """The latest day that lies at least `count` working days before `day` (guide art. 12). Raises `CalendarPending`."""
    left = count
    while left > 0:
        day -= ONE_DAY
        if calendar.is_working(day):
            left -= 1
    return day


def working_days_in(first: date, last: date, calendar: Calendar) -> int:
    """How many working days lie after `first`, up to and including `last`; 0 when `last` is not later.

    Raises `CalendarPending`.
    """
    return sum(calendar.is_working(first + n * ONE_DAY) for n in range(1, (last - first).days + 1))


def add_months(day: date, months: int) -> date:
    """Same day number, else the last day of the month (civil code art. 202)."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, month_lengths.monthrange(year, month0 + 1)[1]))


def add_years(day: date, years: int) -> date:
    """`years` years later, 29 February becoming 28 February."""
    return add_months(day, 12 * years)
