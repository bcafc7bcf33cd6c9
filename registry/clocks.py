"""The clocks C01…C20 of registration.md 2.1: when each period ends, from its trigger, by the rule set and the calendar.

One function, `period`, counts what the rule set says (working days, days, months, years, a fixed day; forward or
backward; with the pauses the clock knows). What is not one period of the table has a function of its own. A period in
months, years or on a fixed day never waits for the calendar; one in working days of an unpublished year raises
`CalendarPending`, and `answer` turns that into a value for those who only look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from registry.calendar import (
    ONE_DAY,
    Calendar,
    Pause,
    add_months,
    add_years,
    end_of,
    last_day,
    next_working_day,
    working_days_before,
)
from registry.errors import CalendarPending
from registry.scheme import Clock, Direction, Scheme, Unit


class Running(StrEnum):
    """How it stands with a period: it has an end, it pauses, or its year is not published."""

    RUNNING = "running"
    PAUSED = "paused"
    PENDING = "calendar_pending"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Due:
    """The end of a period: its last day, the first instant after it (seconds UTC), and the calendar it was counted by.

    Without an end, `running` says why; `year` is the year that is not published. `calendar` is "" where no working day
    was counted.
    """

    clock: str
    running: Running
    last: str = ""
    ends: int | None = None
    calendar: str = ""
    year: int | None = None


def counted_pauses(clock: Clock, pauses: Iterable[Pause]) -> tuple[Pause, ...]:
    """The pauses this clock does not count, by kind ("objection:<id>" is of kind "objection")."""
    return tuple(pause for pause in pauses if pause.reason.partition(":")[0] in clock.pauses)


def period(
    clock_id: str,
    trigger: date,
    scheme: Scheme,
    calendar: Calendar,
    *,
    pauses: Iterable[Pause] = (),
    extension: int = 0,
) -> date:
    """The last day of a period, or for a clock that runs backwards the latest day on which it is kept.

    `extension` adds to the length in its own unit. Raises `CalendarPending`, `NotDefined`; every pause must be closed.
    """
    clock = scheme.clocks[clock_id]
    length = clock.length + extension
    if clock.fixed:
        return date.fromisoformat(f"{trigger.year + clock.length}-{clock.fixed}")
    before = clock.direction is Direction.BEFORE
    match clock.unit:
        case Unit.WORKING_DAY:
            if before:
                return working_days_before(trigger, length, calendar)
            return last_day(trigger, length, calendar, counted_pauses(clock, pauses))
        case Unit.DAY:
            return trigger + (-length if before else length) * ONE_DAY
        case Unit.MONTH:
            return add_months(trigger, -length if before else length)
        case Unit.YEAR:
            return add_years(trigger, -length if before else length)


def answer(
    clock_id: str,
    trigger: date,
    scheme: Scheme,
    calendar: Calendar,
    *,
    pauses: Iterable[Pause] = (),
    extension: int = 0,
) -> Due:
    """The same as a value that says so when there is no end yet: an open pause, an unpublished year."""
    clock, pauses = scheme.clocks[clock_id], tuple(pauses)
    if any(not pause.end for pause in counted_pauses(clock, pauses)):
        return Due(clock_id, Running.PAUSED)
    try:
        last = period(clock_id, trigger, scheme, calendar, pauses=pauses, extension=extension)
    except CalendarPending as pending:
        return Due(clock_id, Running.PENDING, year=pending.year)
    used = calendar.version_used(trigger, last) if clock.unit is Unit.WORKING_DAY and not clock.fixed else ""
    return Due(clock_id, Running.RUNNING, last.isoformat(), end_of(last), used)


def deemed_acceptance(received: date, scheme: Scheme, calendar: Calendar) -> date:
    """The first working day after C01's last day (art. 17): a working Saturday too. Raises `CalendarPending`."""
    return next_working_day(period("C01", received, scheme, calendar), calendar)


def completion(
    accepted: date, scheme: Scheme, calendar: Calendar, pauses: Iterable[Pause] = (), extension: int = 0
) -> date:
    """The last day of 办结: C03 and what C04 added, in one count. Raises `CalendarPending`."""
    return period("C03", accepted, scheme, calendar, pauses=pauses, extension=extension)


def validity(deposited: date, years: int, scheme: Scheme, earlier: Sequence[date] = ()) -> date:
    """C08: the last day of validity, anniversary − 1 (or the anniversary); never beyond the longest term of the rule
    set nor an `earlier` end of a source authorisation. Raises `NotDefined`."""
    anniversary = add_years(deposited, min(years, scheme.max_years))
    last = anniversary - ONE_DAY if scheme.validity_end == "day_before" else anniversary
    return min([last, *earlier])


def renewal_window(last: date, scheme: Scheme, calendar: Calendar) -> tuple[date, date]:
    """C09: the first and the last day on which a renewal may be filed; the last is the day before validity ends."""
    return period("C09", last, scheme, calendar), last - ONE_DAY


def lapse(last: date) -> int:
    """C10: the instant of 自动失效, 00:00 +08:00 after the last day of validity, unless a renewal was filed in time."""
    return end_of(last)


def report_before_change(change: date, scheme: Scheme, calendar: Calendar) -> date:
    """C13: the latest day to report a planned change of the agency (art. 12). Raises `CalendarPending`."""
    return period("C13", change, scheme, calendar)


def earliest_exit(reported: date, scheme: Scheme, calendar: Calendar) -> date:
    """C15: the first day on which an agency may leave after reporting it on `reported` (art. 13; 以上 includes)."""
    return period("C15", reported, scheme, calendar)


def yearly(clock_id: str, reported_year: int, scheme: Scheme, calendar: Calendar) -> date:
    """C18, C19: the last day to report on (to assess) a year that is over (art. 11)."""
    return period(clock_id, date(reported_year, 12, 31), scheme, calendar)


def keep_until(out_of_force: date, scheme: Scheme, calendar: Calendar) -> date:
    """C20: files are kept at least to this day (art. 10(二); the start is a reading, P)."""
    return period("C20", out_of_force, scheme, calendar)
