"""Two members of staff publish a year and record a rule set; held timers fire, running clocks move, ended ones stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import rebuild
from ledger.errors import BadSignature, Conflict, FieldError
from ledger.facts import Signed
from ledger.reading import body_of
from ledger.store import Appended
from registry import admitting, moving, waiting
from registry import store as views
from registry.asset import Twin
from registry.calendar import Calendar, published
from registry.case import Act, State
from registry.errors import NotEntitled, Unknown
from registry.projecting import PROJECTORS
from registry.rulebook import service, store
from registry.rulebook.rule_set import RULE_SET, RuleSet, rule_set_of
from registry.rulebook.store import InForce
from registry.rulebook.tables import CalendarYearRow, RuleSetRow
from registry.rulebook.year_table import CALENDAR, DayRow, YearTable
from registry.scheme import NATIONAL_2026
from tests.registry.registry_house import PROVIDER, House, a_form
from tests.registry.rulebook.test_year_table import ROWS, YEAR

BOTH = (("staff:clerk", "intake"), ("staff:reviewer", "reviewer"))
pytestmark = pytest.mark.clause("G17", "G24", "A19")


def in_force(house: House) -> Calendar:
    return InForce(published()).of(house.session)


def signed(house: House, table: YearTable, *who: tuple[str, str], **more: Any) -> Signed:
    return house.signed(CALENDAR, f"calendar:{table.year}", table, *(who or BOTH), **more)


def publish(house: House, table: YearTable, *who: tuple[str, str]) -> Appended:
    return service.publish_calendar(house.session, house.agency, signed(house, table, *who), at=house.now)


def timers(house: House) -> list[str]:
    made = moving.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=in_force(house))
    return [fact.body["move"] for fact in made]


def test_publish__held_timer_fires_as_soon_as_the_year_is_there(house: House) -> None:
    """Received Wed 2026-12-30: C01 ends Tue 2027-01-05 under this table, deemed accepted on the 6th."""
    house.at("2026-12-30 09:00")
    identity = house.file(a_form())
    house.at("2027-01-07 09:00")
    assert timers(house) == []
    publish(house, YEAR)
    assert timers(house) == ["I-08"]
    case = house.case(identity)
    assert (case.state, case.accepted_on) == (State.UNDER_REVIEW, "2027-01-06")
    fact = views.case(house.session, identity)
    assert fact.deemed


def test_publish__the_timer_s_fact_names_the_calendar_it_acted_under(house: House) -> None:
    house.at("2026-12-30 09:00")
    house.file(a_form())
    house.at("2027-01-07 09:00")
    publish(house, YEAR)
    made = moving.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=in_force(house))
    assert made[0].body["calendar"] == f"{published().version}+2027.1"


def test_amendment__running_clock_moves_and_an_ended_one_does_not(house: House) -> None:
    publish(house, YEAR)
    house.at("2027-03-01 09:00")
    ended, running = house.file(a_form()), house.file(a_form(content=b"other\n"))
    house.now += 1
    moving.move(
        house.session, house.agency, house.act(ended, Act("I-07", accepted_on="2027-03-01"), "staff:clerk"),
        at=house.now, calendar=in_force(house),
    )  # fmt: skip
    found = waiting.worklist(house.session, house.agency, "staff:clerk", at=house.now, calendar=in_force(house))
    assert [line.last for line in found.lines] == ["2027-03-04"]
    assert found.lines[0].calendar == "2027.1"
    house.at("2027-03-02 09:00")
    rows = tuple(sorted((*ROWS, DayRow("2027-03-03", False)), key=lambda row: row.date))
    publish(house, replace(YEAR, version=2, document_no="演示〔2027〕2号", rows=rows))
    found = waiting.worklist(house.session, house.agency, "staff:clerk", at=house.now, calendar=in_force(house))
    assert [(line.last, line.calendar) for line in found.lines] == [("2027-03-05", "2027.2")]
    assert house.case(ended).accepted_on == "2027-03-01"
    house.at("2027-03-05 00:00")
    assert timers(house) == []
    house.at("2027-03-08 00:00")
    assert timers(house) == ["I-08"]
    assert house.case(running).accepted_on == "2027-03-08"


def test_amendment__of_a_shipped_year__wins_over_it(house: House) -> None:
    shipped = published()
    rows = {row.date: row.working for row in _shipped_rows(shipped)} | {"2026-09-02": False}
    table = YearTable(2026, 1, "演示", tuple(DayRow(key, rows[key]) for key in sorted(rows)))
    house.at("2026-09-02 09:00")
    with pytest.raises(FieldError, match="2026-09-02"):
        publish(house, table)
    house.at("2026-09-01 09:00")
    publish(house, table)
    calendar = in_force(house)
    assert [day for day in calendar.holidays ^ shipped.holidays if day.year == 2026] != []
    assert calendar.version == f"{shipped.version}+2026.1"


def _shipped_rows(calendar: Calendar) -> list[DayRow]:
    moved = sorted(day for day in calendar.holidays | calendar.workdays if day.year == 2026)
    return [DayRow(str(day), calendar.is_working(day)) for day in moved]


def test_publish__same_statement_again__is_the_first_fact_and_another_is_a_conflict(house: House) -> None:
    statement = signed(house, YEAR)
    ask: dict[str, Any] = {"at": house.now}
    first = service.publish_calendar(house.session, house.agency, statement, **ask)
    again = service.publish_calendar(house.session, house.agency, statement, **ask)
    assert (first.replayed, again.replayed, again.fact.id) == (False, True, first.fact.id)
    other = replace(statement, statement=replace(statement.statement, body=body_of(replace(YEAR, document_no="别号"))))
    with pytest.raises(Conflict):
        service.publish_calendar(house.session, house.agency, other, **ask)


SIGNERS = [
    ((("staff:clerk", "intake"),), BadSignature),
    ((("staff:clerk", "intake"), ("staff:clerk", "intake")), BadSignature),
    ((*BOTH, ("staff:approver", "approver")), BadSignature),
    ((("staff:clerk", "intake"), (f"party:{PROVIDER}", "")), BadSignature),
    ((("staff:clerk", "intake"), ("staff:stranger", "intake")), NotEntitled),
    ((("staff:clerk", "intake"), ("staff:twin", "intake")), BadSignature),
    ((("staff:clerk", "intake"), ("staff:ghost", "intake")), Unknown),
]


@pytest.mark.parametrize(("who", "error"), SIGNERS)
def test_publish__by_anybody_but_two_of_the_agency_s_staff__is_refused(
    house: House, who: tuple[tuple[str, str], ...], error: type[Exception]
) -> None:
    house.hire("stranger", "intake", organisation=PROVIDER)
    house.keys["staff:twin"] = house.keys["staff:clerk"]
    house.keys["staff:ghost"] = house.keys["staff:approver"]
    with pytest.raises(error):
        publish(house, YEAR, *who)
    assert store.years(house.session) == []
    assert in_force(house) == published()


def test_publish__by_somebody_who_left__is_refused(house: House) -> None:
    staff = views.staff_at(house.session, "clerk", house.now)
    leaving = {"active": False, "organisation": staff.organisation, "roles": ["intake"], "sm2": staff.sm2}
    gone = house.signed("staff/v1", "staff:clerk", leaving, (f"party:{house.agency.uscc}", ""))
    admitting.register_staff(house.session, house.agency, gone, at=house.now)
    with pytest.raises(BadSignature, match="停用"):
        publish(house, YEAR)


def test_publish__changed_after_signing__is_refused(house: House) -> None:
    statement = signed(house, YEAR)
    body = body_of(replace(YEAR, rows=YEAR.rows[:-1]))
    forged = replace(statement, statement=replace(statement.statement, body=body))
    with pytest.raises(BadSignature):
        service.publish_calendar(house.session, house.agency, forged, at=house.now)


@pytest.mark.parametrize(
    ("table", "subject", "field"),
    [
        (replace(YEAR, version=2), "calendar:2027", "body.version"),
        (YEAR, "calendar:2028", "statement.subject"),
        (replace(YEAR, rows=YEAR.rows[1:]), "calendar:2027", "body.rows"),
    ],
)
def test_publish__wrong_version_subject_or_rows__is_refused_by_field(
    house: House, table: YearTable, subject: str, field: str
) -> None:
    statement = house.signed(CALENDAR, subject, table, *BOTH)
    with pytest.raises(FieldError) as refused:
        service.publish_calendar(house.session, house.agency, statement, at=house.now)
    assert refused.value.field == field


def test_in_force__is_made_again_only_when_a_fact_was_added(house: House) -> None:
    calendars = InForce(published())
    first = calendars.of(house.session)
    assert calendars.of(house.session) is first
    publish(house, YEAR)
    second = calendars.of(house.session)
    assert second is not first
    assert calendars.of(house.session) is second
    assert 2027 in second.years


# Rule sets ------------------------------------------------------------------------------------------------------------


def record(house: House, body: RuleSet, *who: tuple[str, str]) -> Appended:
    statement = house.signed(RULE_SET, f"rule-set:{body.scheme}", body, *(who or BOTH))
    return service.record_rule_set(house.session, house.agency, statement, at=house.now)


def test_rule_set__recorded__stands_beside_what_is_shipped(house: House) -> None:
    before = {item.scheme: item.fact_id for item in service.rule_sets(house.session)}
    assert set(before.values()) == {""}
    taken = record(house, rule_set_of(NATIONAL_2026))
    after = {item.scheme: item for item in service.rule_sets(house.session)}
    assert (after["national_2026"].fact_id, after["national_2026"].agrees) == (taken.fact.id, True)
    assert after["legacy"].fact_id == ""
    with pytest.raises(FieldError, match="version"):
        record(house, rule_set_of(NATIONAL_2026))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"digest": Twin("0" * 64, "0" * 64)}, "body.digest"),
        ({"version": "9"}, "body.scheme"),
        ({"scheme": "mine"}, "body.scheme"),
        ({"title": "别的"}, "body.title"),
        ({"effective_from": "2020-01-01"}, "body.effective_from"),
    ],
)
def test_rule_set__that_is_not_shipped__is_refused(house: House, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as refused:
        record(house, replace(rule_set_of(NATIONAL_2026), **changes))
    assert refused.value.field == field


def test_rule_set__by_one_person__is_refused(house: House) -> None:
    with pytest.raises(BadSignature):
        record(house, rule_set_of(NATIONAL_2026), BOTH[0])


def test_rule_set__another_text_under_a_recorded_version__does_not_agree(house: House) -> None:
    record(house, rule_set_of(NATIONAL_2026))
    row = store.rule_sets(house.session)[0]
    row.sm3 = "0" * 64
    house.session.flush()
    found = {item.scheme: item.agrees for item in service.rule_sets(house.session)}
    assert found == {"national_2026": False, "legacy": True, "data_ip_local": True, "public_data_2025": True}


def test_reindex__views_from_facts__are_the_same_rows(house: House) -> None:
    publish(house, YEAR)
    record(house, rule_set_of(NATIONAL_2026))
    session = house.session

    def rows() -> list[dict[str, Any]]:
        found = [*session.query(CalendarYearRow), *session.query(RuleSetRow)]
        return [row.model_dump() for row in found]

    before = rows()
    session.commit()
    rebuild.clear_views(session)
    assert rows() == []
    rebuild.fold(session, session, PROJECTORS | store.PROJECTORS)
    assert rows() == before
