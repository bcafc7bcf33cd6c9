"""All clocks C01…C20 and the golden vectors V1…V18 (registration.md 2.1, 2.4), against a naive day-by-day oracle."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.calendar import Calendar, Pause, end_of, published, start_of, working_days_in
from registry.clocks import (
    Running,
    answer,
    completion,
    deemed_acceptance,
    earliest_exit,
    keep_until,
    lapse,
    period,
    renewal_window,
    report_before_change,
    validity,
    yearly,
)
from registry.errors import CalendarPending, NotDefined
from registry.scheme import NATIONAL_2026 as N
from registry.scheme import SCHEMES
from tests.counts import few
from tests.registry.registry_house import moment

TABLE = published()
EMPTY = Calendar("none", frozenset(), frozenset(), frozenset())
day = date.fromisoformat


def last(clock: str, trigger: str, *pauses: Pause, extension: int = 0) -> str:
    return period(clock, day(trigger), N, TABLE, pauses=pauses, extension=extension).isoformat()


# Golden vectors -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G17", "C01", "I-08")
def test_v1_v2__acceptance_over_spring_festival_and_national_day() -> None:
    assert last("C01", "2026-02-13") == "2026-02-25"
    assert deemed_acceptance(day("2026-02-13"), N, TABLE) == day("2026-02-26")
    assert last("C03", "2026-02-26") == "2026-03-11"
    assert last("C01", "2026-09-29") == "2026-10-09"
    assert deemed_acceptance(day("2026-09-29"), N, TABLE) == day("2026-10-10")  # a working Saturday


@pytest.mark.clause("G24", "C06")
@pytest.mark.parametrize(
    ("released", "expected"),
    [("2026-09-18", "2026-09-24"), ("2026-09-30", "2026-10-13"), ("2026-12-24", "2026-12-31")],
)
def test_v3_v4_v5__publicity(released: str, expected: str) -> None:
    assert last("C06", released) == expected


@pytest.mark.clause("G24", "C06")
def test_v6__publicity_into_an_unpublished_year__is_pending() -> None:
    with pytest.raises(CalendarPending) as pending:
        last("C06", "2026-12-25")
    assert pending.value.year == 2027
    found = answer("C06", day("2026-12-25"), N, TABLE)
    assert (found.running, found.year, found.ends, found.last) == (Running.PENDING, 2027, None, "")


@pytest.mark.clause("G25", "C07")
def test_v7__investigation_of_an_objection() -> None:
    assert last("C07", "2026-09-24") == "2026-10-15"


@pytest.mark.clause("G29", "C11")
def test_v8__notice_of_an_objection() -> None:
    assert last("C11", "2026-09-23") == "2026-10-08"


@pytest.mark.clause("G28", "C03", "C04", "I-13")
def test_v9_to_v13__completion_with_merged_pauses_and_extension() -> None:
    assert last("C03", "2026-08-03") == "2026-08-17"
    pauses = [Pause("supplement", "2026-08-06", "2026-08-12")]
    assert last("C03", "2026-08-03", *pauses) == "2026-08-21"
    pauses.append(Pause("publicity", "2026-08-14", "2026-08-21"))
    assert last("C03", "2026-08-03", *pauses) == "2026-08-28"
    pauses += [Pause("objection:a", "2026-08-18", "2026-08-27"), Pause("objection:b", "2026-08-20", "2026-08-25")]
    assert last("C03", "2026-08-03", *pauses) == "2026-09-03"
    assert last("C03", "2026-08-03", *pauses, extension=10) == "2026-09-17"
    assert completion(day("2026-08-03"), N, TABLE, pauses, 10) == day("2026-09-17")


@pytest.mark.clause("G26", "C08")
@pytest.mark.clause("G36", "C09", "C10")
def test_v14__validity_renewal_and_lapse() -> None:
    until = validity(day("2026-09-01"), 5, N)
    assert until == day("2031-08-31")
    assert renewal_window(until, N, EMPTY) == (day("2031-02-28"), day("2031-08-30"))
    assert lapse(until) == moment("2031-09-01 00:00")


@pytest.mark.clause("G26", "C08")
def test_v15__validity_from_a_leap_day__and_what_ends_earlier() -> None:
    assert validity(day("2028-02-29"), 5, N) == day("2033-02-27")
    assert validity(day("2028-02-29"), 9, N) == day("2033-02-27")
    assert validity(day("2028-02-29"), 5, N, [day("2030-01-01")]) == day("2030-01-01")
    with pytest.raises(NotDefined):
        validity(day("2028-02-29"), 5, SCHEMES["legacy"])


@pytest.mark.clause("G12", "C13")
def test_v16__report_before_a_change() -> None:
    assert report_before_change(day("2026-10-12"), N, TABLE) == day("2026-09-29")


@pytest.mark.clause("G13", "C15", "C16", "C17")
def test_v17__exit_of_an_agency() -> None:
    assert earliest_exit(day("2026-11-20"), N, EMPTY) == day("2027-05-20")
    assert (last("C16", "2026-11-20"), last("C17", "2026-12-18")) == ("2026-12-18", "2026-12-25")


@pytest.mark.clause("G10", "C20")
def test_v18__files_are_kept_twenty_years() -> None:
    assert keep_until(day("2031-08-31"), N, EMPTY) == day("2051-08-31")


# The other clocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "trigger", "expected"),
    [
        ("C02", "2026-08-03", "2026-08-17"),
        ("C04", "2026-08-03", "2026-08-17"),
        ("C05", "2026-09-23", "2026-10-14"),
        ("C12", "2026-02-13", "2026-03-05"),
        ("C14", "2026-09-29", "2026-10-12"),
    ],
)
def test_notices__default_lengths(clock: str, trigger: str, expected: str) -> None:
    assert last(clock, trigger) == expected


@pytest.mark.clause("G11", "C18", "C19")
def test_yearly_reports__fixed_days_of_the_year_after() -> None:
    assert yearly("C18", 2026, N, EMPTY) == day("2027-03-31")
    assert yearly("C19", 2026, N, EMPTY) == day("2027-04-30")


def test_months_and_years__never_wait_for_the_calendar() -> None:
    waiting = {"C01", "C02", "C03", "C04", "C05", "C06", "C07", "C11", "C12", "C13", "C14", "C16", "C17"}
    found = set()
    for clock in N.clocks:
        try:
            period(clock, day("2026-09-01"), N, EMPTY)
        except CalendarPending:
            found.add(clock)
    assert found == waiting


def test_renewal__of_public_data__sixty_calendar_days() -> None:
    first, final = renewal_window(day("2029-03-01"), SCHEMES["public_data_2025"], EMPTY)
    assert (first, final) == (day("2028-12-31"), day("2029-02-28"))


def test_answer__pauses_only_where_the_clock_knows_them() -> None:
    open_pause = [Pause("publicity", "2026-08-14")]
    assert answer("C03", day("2026-08-03"), N, TABLE, pauses=open_pause).running is Running.PAUSED
    found = answer("C06", day("2026-08-14"), N, TABLE, pauses=open_pause)
    assert (found.running, found.last, found.ends) == (Running.RUNNING, "2026-08-21", end_of(day("2026-08-21")))
    unknown = Pause("power cut", "2026-08-04", "2026-08-14")
    assert last("C03", "2026-08-03", unknown) == "2026-08-17"


def test_answer__names_the_calendar_it_was_counted_by() -> None:
    assert answer("C01", day("2026-08-03"), N, TABLE).calendar == TABLE.version
    assert answer("C20", day("2026-08-03"), N, TABLE).calendar == ""
    longer = TABLE.with_year(2027, "2027.1", [day("2027-01-01")], [])
    assert longer.version == f"{TABLE.version}+2027.1"
    assert answer("C06", day("2026-12-25"), N, longer).calendar == f"{TABLE.version} 2027.1"
    assert answer("C06", day("2027-03-01"), N, longer).calendar == "2027.1"
    assert longer.with_year(2027, "2027.2", [], []).version == f"{TABLE.version}+2027.2"


# The oracle: every day one by one, asked of the published table itself, nothing shared with the code under test -------

HOLIDAYS, WORKED = TABLE.holidays, TABLE.workdays
PAUSES = st.lists(
    st.tuples(
        st.sampled_from(["supplement", "publicity", "objection:x", "other"]), st.integers(0, 40), st.integers(0, 25)
    ),
    max_size=5,
)


def naive(trigger: date, length: int, spans: list[tuple[date, date]]) -> date | None:
    """The last day, or `None` when it lies in a year the table does not have."""
    counted, today = 0, trigger
    while counted < length:
        today = today + timedelta(days=1)
        if today.year > 2026:
            return None
        is_weekend = today.isoweekday() in (6, 7)
        works = today in WORKED or (not is_weekend and today not in HOLIDAYS)
        inside = False
        for first, final in spans:
            if first < today and not final < today:
                inside = True
        if works and not inside:
            counted += 1
    return today


@pytest.mark.clause("G28", "C03")
@settings(max_examples=few(150), deadline=None)
@given(st.dates(day("2020-01-01"), day("2026-12-31")), st.integers(0, 10), PAUSES)
def test_completion__agrees_with_the_oracle(accepted: date, extension: int, pauses: list[tuple[str, int, int]]) -> None:
    made = [
        Pause(kind, str(accepted + timedelta(days=begin)), str(accepted + timedelta(days=begin + length)))
        for kind, begin, length in pauses
    ]
    spans = [(day(item.start), day(item.end)) for item in made if item.reason != "other"]
    expected = naive(accepted, 10 + extension, spans)
    found = answer("C03", accepted, N, TABLE, pauses=made, extension=extension)
    if expected is None:
        assert (found.running, found.year) == (Running.PENDING, 2027)
    else:
        assert (found.last, found.ends) == (expected.isoformat(), start_of(expected + timedelta(days=1)))


@settings(max_examples=few(150), deadline=None)
@given(st.sampled_from(["C01", "C02", "C05", "C06", "C07", "C11", "C12", "C14", "C16", "C17"]),
       st.dates(day("2020-01-01"), day("2026-12-31")))  # fmt: skip
def test_forward_clocks__agree_with_the_oracle(clock: str, trigger: date) -> None:
    expected = naive(trigger, N.clocks[clock].length, [])
    found = answer(clock, trigger, N, TABLE)
    assert found.last == ("" if expected is None else expected.isoformat())


@pytest.mark.clause("G12", "C13")
@settings(max_examples=few(100), deadline=None)
@given(st.dates(day("2020-02-15"), day("2026-12-31")))
def test_report_before_a_change__five_working_days_lie_between_and_none_to_spare(change: date) -> None:
    found = report_before_change(change, N, TABLE)

    def between(first: date) -> int:
        return working_days_in(first, change - timedelta(days=1), TABLE) + TABLE.is_working(first)

    assert between(found) == 5
    assert between(found + timedelta(days=1)) < 5


@pytest.mark.parametrize(
    ("eve", "back"),
    [
        ("2026-02-14", "2026-02-24"),
        ("2026-09-30", "2026-10-08"),
        ("2026-04-30", "2026-05-06"),
        ("2026-09-24", "2026-09-28"),
    ],
)
def test_holidays__the_working_day_after_the_eve(eve: str, back: str) -> None:
    """Spring Festival, National Day, Labour Day, Mid-Autumn of 2026, each with the days that are worked instead."""
    assert TABLE.is_working(day(eve))
    found = next(day(eve) + timedelta(days=n) for n in range(1, 30) if TABLE.is_working(day(eve) + timedelta(days=n)))
    assert found == day(back)
