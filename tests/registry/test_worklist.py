"""The work list: who sees what, how urgent, in which order; through the real house."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from registry import worklist as todo
from registry.application import RULES
from registry.calendar import day_of, end_of
from registry.case import FINAL, Act, Role, State, rules_of
from registry.clocks import Due, Running
from registry.errors import NotEntitled
from registry.objection import Outcome
from registry.scheme import NATIONAL_2026
from registry.waiting import Worklist, worklist
from registry.worklist import DUTIES, MOVE_NAMES, Level, Line, Matter, Viewer, level_of, lines, seen_by, steps_of
from tests.registry.registry_house import AGENCY, CALENDAR, DEVELOPER, PROVIDER, RIVAL, House, a_form, an_item, moment

pytestmark = pytest.mark.clause("G17", "G28", "C01", "C03")


def seen(house: House, by: str, role: str = "") -> Worklist:
    return worklist(house.session, house.agency, by, at=house.now, calendar=CALENDAR, role=role)


def brief(found: Worklist) -> list[tuple[str, str, str, str]]:
    return [(line.state, line.clock, line.last or line.running.value, line.level.value) for line in found.lines]


# Tables ---------------------------------------------------------------------------------------------------------------


def test_moves__every_one_has_a_name_in_both_languages() -> None:
    assert set(MOVE_NAMES) == set(RULES)
    assert all(zh and en.isascii() for zh, en in MOVE_NAMES.values())


def test_duties__every_open_state_is_somebody_s_and_no_final_one_is() -> None:
    assert set(DUTIES) == set(State) - FINAL - {State.DRAFT}
    for state, duties in DUTIES.items():
        for role, clock in duties:
            assert steps_of(state, role), (state, role)
            assert clock in NATIONAL_2026.clocks


@pytest.mark.parametrize(
    ("state", "role", "moves"),
    [
        (State.SUBMITTED, Role.INTAKE, "I-04 I-07"),
        (State.SUBMITTED, Role.APPROVER, "I-09"),
        (State.CORRECTION, Role.APPLICANT, "I-03 I-05"),
        (State.UNDER_REVIEW, Role.APPROVER, "I-13 I-14 I-15 I-16"),
        (State.UNDER_REVIEW, Role.REVIEWER, "I-10 I-13 I-14 I-15 I-16"),
        (State.READY, Role.DEPOSIT_OFFICER, "I-24"),
        (State.REGISTERED, Role.SYSTEM, "I-27"),
        (State.ISSUED, Role.REVIEWER, ""),
    ],
)
def test_steps__are_those_of_the_table_of_moves(state: State, role: Role, moves: str) -> None:
    assert " ".join(step.move for step in steps_of(state, role)) == moves


# Levels ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "level", "left"),
    [
        ("2026-08-15 00:00", Level.OVERDUE, 0),
        ("2026-08-14 23:59", Level.TODAY, 0),
        ("2026-08-14 00:00", Level.TODAY, 0),
        ("2026-08-13 23:59", Level.SOON, 1),
        ("2026-08-12 09:00", Level.SOON, 2),
        ("2026-08-11 09:00", Level.LATER, 3),
    ],
)
def test_level__of_a_period_that_ends_on_friday_14_august(now: str, level: Level, left: int) -> None:
    due = Due("C03", Running.RUNNING, "2026-08-14", end_of(date(2026, 8, 14)))
    assert level_of(due, moment(now), CALENDAR) == (level, left)


def test_level__over_the_national_holiday__counts_working_days() -> None:
    """From Wed 09-30 to Fri 10-09 lie nine days and two working days."""
    due = Due("C01", Running.RUNNING, "2026-10-09", end_of(date(2026, 10, 9)))
    assert level_of(due, moment("2026-09-30 10:00"), CALENDAR) == (Level.SOON, 2)


def test_level__without_an_end() -> None:
    assert level_of(Due("C03", Running.PAUSED), 0, CALENDAR) == (Level.PAUSED, None)
    assert level_of(Due("C03", Running.PENDING, year=2027), 0, CALENDAR) == (Level.PENDING, None)
    far = Due("C20", Running.RUNNING, "2051-08-31", end_of(date(2051, 8, 31)))
    assert level_of(far, moment("2026-08-03 09:00"), CALENDAR) == (Level.LATER, None)


# The house ------------------------------------------------------------------------------------------------------------


def test_worklist__follows_a_case_through_its_steps(house: House) -> None:
    identity = house.file(a_form())
    assert brief(seen(house, "staff:clerk")) == [("SUBMITTED", "C01", "2026-08-06", "later")]
    assert seen(house, "staff:reviewer").lines == ()
    house.accept(identity)
    assert brief(seen(house, "staff:reviewer")) == [("UNDER_REVIEW", "C03", "2026-08-17", "later")]
    assert brief(seen(house, "staff:approver")) == [("UNDER_REVIEW", "C03", "2026-08-17", "later")]
    house.at("2026-08-13 10:00")
    assert brief(seen(house, "staff:reviewer")) == [("UNDER_REVIEW", "C03", "2026-08-17", "soon")]
    house.at("2026-08-18 00:00")
    assert brief(seen(house, "staff:reviewer")) == [("UNDER_REVIEW", "C03", "2026-08-17", "overdue")]


def test_worklist__supplement__applicant_acts_and_the_reviewer_s_clock_pauses(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.at("2026-08-06 10:00")
    deadline = end_of(date(2026, 8, 20))
    house.move(identity, Act("I-10", items=(an_item(),), deadline=deadline), "staff:reviewer")
    assert brief(seen(house, "staff:reviewer")) == [("SUPPLEMENT", "C03", "paused", "paused")]
    own = seen(house, f"party:{PROVIDER}")
    assert [(line.role, line.clock, line.ends) for line in own.lines] == [("applicant", "C05", deadline)]
    assert [step.move for step in own.lines[0].steps] == ["I-03", "I-11"]
    assert seen(house, f"party:{RIVAL}").lines == ()


def test_worklist__objections__each_counts_and_the_first_to_end_is_shown(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.at("2026-08-14 10:00")
    house.publish(identity)
    assert brief(seen(house, "staff:clerk")) == [("PUBLICITY", "C06", "2026-08-21", "later")]
    house.at("2026-08-18 10:00")
    first = house.object(identity)
    house.at("2026-08-20 10:00")
    house.object(identity, ("staff:clerk", "intake"), reason="登记错误")
    assert brief(seen(house, "staff:approver")) == [("OBJECTION", "C07", "2026-09-01", "later")]
    case = house.case(identity)
    assert case.objections[0].id == first
    decided = replace(case, objections=(replace(case.objections[0], outcome=Outcome.REJECTED), case.objections[1]))
    assert todo.due_of(decided, "C07", rules_of(decided), CALENDAR).last == "2026-09-03"


def test_worklist__nobody_is_asked_to_approve_what_they_reviewed(house: House) -> None:
    house.hire("both", "reviewer", "approver")
    identity = house.file(a_form())
    house.accept(identity)
    assert {line.role for line in seen(house, "staff:both").lines} == {"reviewer", "approver"}
    case = replace(house.case(identity), reviewers=("staff:both",))
    matters = todo.matters_of(case, rules_of(case), CALENDAR)
    both = Viewer("staff:both", AGENCY, frozenset({"reviewer", "approver"}))
    assert {item.role for item in seen_by(matters, both)} == {"reviewer"}


def test_worklist__unpublished_year__says_so(house: House) -> None:
    house.at("2026-12-30 09:00")
    house.file(a_form())
    found = seen(house, "staff:clerk")
    assert brief(found) == [("SUBMITTED", "C01", "calendar_pending", "calendar_pending")]
    assert (found.lines[0].year, found.counts[Level.PENDING]) == (2027, 1)


def test_worklist__least_time_left_first__with_counts_by_level(house: House) -> None:
    old = house.file(a_form())
    house.at("2026-08-05 09:00")
    new = house.file(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", b"other\n"))
    paused = house.file(a_form(content=b"third\n"))
    house.accept(paused)
    house.publish(paused)
    found = seen(house, f"party:{AGENCY}")
    assert [line.subject.partition(":")[2] for line in found.lines] == [old, new, paused, paused]
    assert [line.level.value for line in found.lines] == ["soon", "later", "later", "paused"]
    assert (found.counts[Level.SOON], found.counts[Level.LATER], found.counts[Level.PAUSED]) == (1, 2, 1)
    assert sum(found.counts.values()) == len(found.lines)
    assert found.calendar == CALENDAR.version


def test_worklist__ended_cases__leave_it(house: House) -> None:
    identity = house.file(a_form())
    house.move(identity, Act("I-03"), f"party:{PROVIDER}")
    assert seen(house, f"party:{AGENCY}").lines == ()
    assert seen(house, f"party:{PROVIDER}").lines == ()


def test_worklist__a_role_that_is_not_held__is_refused(house: House) -> None:
    house.file(a_form())
    with pytest.raises(NotEntitled):
        seen(house, "staff:clerk", "approver")
    with pytest.raises(NotEntitled):
        seen(house, "connector:x")
    assert seen(house, f"party:{AGENCY}", "approver").lines == ()
    assert len(seen(house, f"party:{AGENCY}", "intake").lines) == 1


def test_worklist__staff_of_an_applicant__sees_its_own_cases_only(house: House) -> None:
    house.hire("agent", "intake", organisation=PROVIDER)
    house.file(a_form())
    house.file(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", b"other\n"))
    assert len(seen(house, "staff:agent").lines) == 1


def test_worklist__other_areas__hand_in_their_matters(house: House) -> None:
    house.file(a_form())
    day = day_of(house.now)
    renewal = Matter(
        "certificate:SJ3312026080001", "演示", "续期登记", "VALID", "有效", "intake", (), Due("C09", Running.RUNNING,
        day.isoformat(), end_of(day)), parties=frozenset({RIVAL}),
    )  # fmt: skip

    def source(*_: object) -> list[Matter]:
        return [renewal]

    found = worklist(house.session, house.agency, "staff:clerk", at=house.now, calendar=CALENDAR, sources=(source,))
    assert [line.subject.partition(":")[0] for line in found.lines] == ["certificate", "application"]
    assert found.lines[0].level is Level.TODAY
    own = worklist(house.session, house.agency, f"party:{RIVAL}", at=house.now, calendar=CALENDAR, sources=(source,))
    assert [line.clock for line in own.lines] == ["C09"]


def test_lines__say_the_calendar_they_were_counted_by(house: House) -> None:
    identity = house.file(a_form())
    case = house.case(identity)
    made = lines(todo.matters_of(case, rules_of(case), CALENDAR), house.now, CALENDAR)
    assert isinstance(made[0], Line)
    assert made[0].calendar == CALENDAR.version
