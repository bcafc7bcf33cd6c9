"""The golden vectors of registration.md 2.4, to the day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.calendar import (
    Calendar,
    Pause,
    add_months,
    add_years,
    day_of,
    due,
    end_of,
    last_day,
    next_working_day,
    published,
    start_of,
    text_of,
    working_days_before,
)
from registry.certificate import Standing, Status, last_day_of_validity, status_at
from registry.errors import CalendarPending
from registry.scheme import NATIONAL_2026
from tests.counts import few

TABLE = published()
day = date.fromisoformat


@pytest.mark.parametrize(
    ("trigger", "length", "expected"),
    [
        ("2026-02-13", 3, "2026-02-25"),  # V1
        ("2026-02-26", 10, "2026-03-11"),  # V1, C03 from the deemed day
        ("2026-09-29", 3, "2026-10-09"),  # V2
        ("2026-09-18", 5, "2026-09-24"),  # V3
        ("2026-09-30", 5, "2026-10-13"),  # V4
        ("2026-12-24", 5, "2026-12-31"),  # V5
        ("2026-09-24", 10, "2026-10-15"),  # V7
        ("2026-09-23", 5, "2026-10-08"),  # V8
        ("2026-08-03", 10, "2026-08-17"),  # V9
        ("2026-11-20", 20, "2026-12-18"),  # V17
        ("2026-12-18", 5, "2026-12-25"),  # V17
    ],
)
def test_period__golden_vectors(trigger: str, length: int, expected: str) -> None:
    assert last_day(day(trigger), length, TABLE) == day(expected)


def test_deemed_acceptance__can_be_a_working_saturday() -> None:
    assert next_working_day(day("2026-02-25"), TABLE) == day("2026-02-26")
    assert next_working_day(day("2026-10-09"), TABLE) == day("2026-10-10")


@pytest.mark.parametrize("worked", ["2026-02-14", "2026-02-28", "2026-09-20", "2026-10-10"])
def test_calendar__moved_weekend_days_are_worked(worked: str) -> None:
    assert TABLE.is_working(day(worked))


def test_period__pauses_are_merged_not_added() -> None:
    """V10 to V13: supplement, publicity, two overlapping objections, extension."""
    start = day("2026-08-03")
    pauses = [Pause("supplement", "2026-08-06", "2026-08-12")]
    assert last_day(start, 10, TABLE, pauses) == day("2026-08-21")
    pauses.append(Pause("publicity", "2026-08-14", "2026-08-21"))
    assert last_day(start, 10, TABLE, pauses) == day("2026-08-28")
    pauses += [Pause("objection", "2026-08-18", "2026-08-27"), Pause("objection", "2026-08-20", "2026-08-25")]
    assert last_day(start, 10, TABLE, pauses) == day("2026-09-03")
    assert last_day(start, 20, TABLE, pauses) == day("2026-09-17")


def test_period__open_pause__has_no_end_yet() -> None:
    assert due(day("2026-08-03"), 10, TABLE, [Pause("publicity", "2026-08-14")]) is None


def test_period__year_not_published__is_pending_not_guessed() -> None:
    """V6."""
    with pytest.raises(CalendarPending) as pending:
        last_day(day("2026-12-25"), 5, TABLE)
    assert pending.value.year == 2027
    assert "2027年工作日安排未公布" in str(pending.value)


def test_report_before_a_change__counts_backwards() -> None:
    """V16: C13, change on 2026-10-12."""
    assert working_days_before(day("2026-10-12"), 5, TABLE) == day("2026-09-29")


@pytest.mark.parametrize(
    ("deposit", "expected"), [("2026-09-01 10:12", "2031-08-31"), ("2028-02-29 09:00", "2033-02-27")]
)
def test_validity__deposit_plus_five_years_less_a_day(deposit: str, expected: str) -> None:
    """V14, V15; the instant after is 00:00 in Shanghai of the next day."""
    from registry_house import moment

    assert last_day_of_validity(moment(deposit), 5, NATIONAL_2026) == day(expected)
    assert last_day_of_validity(moment(deposit), 99, NATIONAL_2026) == day(expected)
    assert last_day_of_validity(moment(deposit), 5, NATIONAL_2026, ["2029-01-31"]) == day("2029-01-31")


def test_status__lapses_at_midnight_unless_a_renewal_was_filed_in_time() -> None:
    until = start_of(day("2031-09-01"))
    plain = Standing(1, until)
    assert status_at(plain, 0) is None
    assert (status_at(plain, until - 1), status_at(plain, until)) == (Status.VALID, Status.LAPSED)
    assert status_at(Standing(1, until, renewal_filed_at=until - 1), until) is Status.RENEWAL_PENDING
    assert status_at(Standing(1, until, renewal_filed_at=until), until) is Status.LAPSED
    assert status_at(Standing(1, until, Status.CANCELLED, 100), 99) is Status.VALID
    assert status_at(Standing(1, until, Status.CANCELLED, 100), until) is Status.CANCELLED


def test_instants__days_are_those_of_shanghai() -> None:
    assert text_of(end_of(day("2026-08-21"))) == "2026-08-22T00:00:00+08:00"
    assert day_of(start_of(day("2026-08-22")) - 1) == day("2026-08-21")


def test_months__missing_day_becomes_the_last_one() -> None:
    assert add_months(day("2026-08-31"), -6) == day("2026-02-28")
    assert add_months(day("2026-11-20"), 6) == day("2027-05-20")
    assert add_years(day("2028-02-29"), 5) == day("2033-02-28")


@settings(max_examples=few(60), deadline=None)
@given(st.dates(day("2005-01-01"), day("2026-10-01")), st.integers(1, 30))
def test_period__counts_exactly_that_many_working_days(start: date, length: int) -> None:
    """The independent count: working days after the trigger up to the last day."""
    last = last_day(start, length, TABLE)
    days = [start + timedelta(days=n) for n in range(1, (last - start).days + 1)]
    assert sum(TABLE.is_working(item) for item in days) == length
    assert TABLE.is_working(last)


def test_calendar__monday_to_friday_code_would_be_wrong() -> None:
    naive = Calendar("naive", frozenset(), frozenset(), frozenset({2026}))
    assert last_day(day("2026-02-13"), 3, naive) != last_day(day("2026-02-13"), 3, TABLE)
