"""The agency's standing is data: what it must report, publish and answer, and what it may not do while not listed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from ledger import canonical
from ledger.errors import BadSignature
from registry.afterlife.dispute import DisputeAct
from registry.asset import Twin
from registry.calendar import day_of, end_of
from registry.case import Act, Answer
from registry.certificate import record_digest
from registry.duties import service, store
from registry.duties.complaint import (
    COMPLAINT,
    Addressee,
    Category,
    Complaint,
    ComplaintAct,
    ComplaintState,
    decide_complaint,
)
from registry.duties.office import (
    CHANGE,
    DISCLOSURE,
    LISTING,
    PROFILE,
    Change,
    ChangeAct,
    ChangeState,
    Condition,
    Disclosure,
    Listing,
    ListingState,
    Matter,
    Profile,
    Proof,
    Topic,
    annual_due,
    decide_change,
    latest_report_day,
    unmet,
    update_due,
)
from registry.duties.report import report_json, report_pdf, report_xlsx
from registry.entries import deposit_record
from registry.errors import CalendarPending, GuardRefused, IllegalMove, NotEntitled
from registry.form import Attachment
from tests.registry.afterlife.afterlife_house import CLERK, OBJECTOR, After
from tests.registry.registry_house import (
    AGENCY,
    CALENDAR,
    FONTS,
    PROVIDER,
    RIVAL,
    House,
    a_form,
    an_item,
    attachment,
    moment,
    open_house,
)

TWIN = Twin("0" * 64, "1" * 64)
OWN = (f"party:{AGENCY}", "")
TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))
PAPER = Attachment("收费标准", "fees.pdf", "application/pdf", 3, TWIN)
PROOFS = tuple(Proof(item, True, "2026-01-01", attachment("证明")) for item in Condition)
P_01 = ChangeAct("P-01", AGENCY, Matter.SEAT, "2026-10-12", "住所变更", TWIN)
Q_01 = ComplaintAct("Q-01", AGENCY, Addressee.AGENCY, Category.TIME, "电话", TWIN)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "registry.db")
    yield opened
    opened.session.close()
    opened.engine.dispose()


def take(house: House, kind: str, subject: str, body: Any, *who: tuple[str, str]) -> None:
    signed = house.signed(kind, subject, body, *who)
    service.report_change(house.session, house.agency, signed, house.signer, at=house.now, calendar=CALENDAR)


def listed(house: House, state: ListingState) -> None:
    body = Listing(state, day_of(house.now).isoformat(), "演示〔2026〕1号", TWIN)
    take(house, LISTING, f"listing:{AGENCY}", body, *TWO)


# Standing -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G7", "G8", "G9")
def test_profile__each_condition_with_its_proof__and_those_that_ran_out_are_named(house: House) -> None:
    profile = Profile(PROVIDER, "演示地址", True, PROOFS, 3)
    take(house, PROFILE, f"agency:{AGENCY}", profile, OWN)
    assert store.profile(house.session, AGENCY) == profile
    worse = replace(
        profile, proofs=(replace(PROOFS[0], met=False), replace(PROOFS[1], until="2026-08-02"), *PROOFS[2:])
    )
    assert unmet(profile, day_of(house.now)) == ()
    assert unmet(worse, day_of(house.now)) == (Condition.G7_1, Condition.G7_2)
    with pytest.raises(GuardRefused, match=r"G7\(七\)"):
        take(house, PROFILE, f"agency:{AGENCY}", replace(profile, proofs=PROOFS[:-1]), OWN)
    with pytest.raises(NotEntitled):
        take(house, PROFILE, f"agency:{AGENCY}", profile, (f"party:{RIVAL}", ""))


@pytest.mark.clause("G8", "G38", "I-15", "I-24", "I-27")
def test_listing__suspended_or_removed__nothing_is_published_deposited_or_issued(house: House) -> None:
    waiting = house.file(a_form(content=b"waiting\n"))
    house.accept(waiting)
    ready = house.file(a_form())
    house.accept(ready)
    house.publish(ready)
    house.now += 14 * 86400
    house.timers()
    listed(house, ListingState.SUSPENDED)
    with pytest.raises(GuardRefused, match="已被暂停"):
        house.publish(waiting)
    with pytest.raises(GuardRefused, match="已被暂停"):
        house.ask_deposit(ready)
    listed(house, ListingState.LISTED)
    code = house.deposit(ready).code
    listed(house, ListingState.REMOVED)
    with pytest.raises(GuardRefused, match="移出目录"):
        house.issue(code)
    listed(house, ListingState.LISTED)
    house.issue(code)
    assert store.is_removed(house.session, AGENCY) is False


@pytest.mark.clause("G26", "G38", "I-25")
def test_listing__suspended_after_the_request__the_deposit_that_came_is_still_registered(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    house.now += 14 * 86400
    house.timers()
    record = record_digest(deposit_record(house.session, identity))
    house.move(identity, Act("I-24", record=record), "staff:officer")
    listed(house, ListingState.SUSPENDED)
    assert house.take_receipt(house.receipt(identity)).code


# Changes --------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G12", "C13")
def test_c13__five_working_days_before__v16() -> None:
    assert latest_report_day(date(2026, 10, 12), CALENDAR) == date(2026, 9, 29)


@pytest.mark.clause("G12", "C14")
def test_c14__five_working_days_after__over_national_day() -> None:
    assert update_due(date(2026, 9, 29), CALENDAR) == end_of(date(2026, 10, 12))
    with pytest.raises(CalendarPending):
        update_due(date(2026, 12, 30), CALENDAR)


@pytest.mark.clause("G12", "C13", "P-01", "P-02", "P-03", "P-04")
@pytest.mark.parametrize("state", [None, *ChangeState])
@pytest.mark.parametrize("move", ["P-01", "P-02", "P-03", "P-04"])
def test_change__every_state_and_move__allowed_or_refused_as_written(state: ChangeState | None, move: str) -> None:
    acts = {
        "P-01": P_01,
        "P-02": ChangeAct("P-02", AGENCY, confirmed_on="2026-08-03"),
        "P-03": ChangeAct("P-03", AGENCY),
        "P-04": ChangeAct("P-04", AGENCY, reason="不再变更"),
    }
    after = {
        (None, "P-01"): ChangeState.REPORTED, (ChangeState.REPORTED, "P-02"): ChangeState.CONFIRMED,
        (ChangeState.CONFIRMED, "P-03"): ChangeState.UPDATED, (ChangeState.REPORTED, "P-04"): ChangeState.DROPPED,
    }  # fmt: skip
    known = None if state is None else Change(AGENCY, Matter.SEAT, "2026-10-12", "2026-09-01", state, 0)
    if (state, move) in after:
        assert decide_change(known, acts[move], moment("2026-09-01 09:00")).state is after[state, move]
    else:
        with pytest.raises(IllegalMove):
            decide_change(known, acts[move], moment("2026-09-01 09:00"))


@pytest.mark.clause("G12", "C13", "C14")
@pytest.mark.parametrize(("reported", "breaches"), [("2026-09-29 23:59", []), ("2026-09-30 00:00", ["C13"])])
def test_change__reported_late__is_taken_in_and_stands_as_a_breach(
    house: House, reported: str, breaches: list[str]
) -> None:
    house.at(reported)
    take(house, CHANGE, "agency-change:" + "1" * 32, P_01, OWN)
    assert [row.rule for row in store.breaches(house.session, AGENCY)] == breaches
    assert store.change(house.session, "1" * 32) is not None


@pytest.mark.clause("G12", "C14")
def test_change__not_updated_in_time__is_a_breach_once(house: House) -> None:
    house.at("2026-09-01 09:00")
    take(house, CHANGE, "agency-change:" + "1" * 32, P_01, OWN)
    confirmed = ChangeAct("P-02", AGENCY, confirmed_on="2026-09-01")
    with pytest.raises(NotEntitled):
        take(house, CHANGE, "agency-change:" + "1" * 32, confirmed, OWN)
    take(house, CHANGE, "agency-change:" + "1" * 32, confirmed, *TWO)
    house.at("2026-09-08 23:59")
    assert timers(house) == []
    house.at("2026-09-09 00:00")
    assert timers(house) == ["C14"]
    assert timers(house) == []


def timers(house: House) -> list[str]:
    made = service.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=CALENDAR)
    return [fact.body["rule"] for fact in made]


# Disclosure and complaints --------------------------------------------------------------------------------------------


@pytest.mark.clause("G10", "D26")
def test_disclosure__versions_are_kept_and_of_fees_only_the_paper(house: House) -> None:
    body = Disclosure(Topic.FEES, "收费标准", "2026-08-01", PAPER)
    for version in (1, 2):
        service.disclose(
            house.session, house.agency, replace(body, title=f"收费标准{version}"), house.signer, at=house.now
        )
    assert [row.version for row in store.disclosures(house.session, AGENCY)] == [2, 1]
    again = service.disclose(house.session, house.agency, replace(body, title="收费标准2"), house.signer, at=house.now)
    assert again.replayed
    with pytest.raises(GuardRefused, match="只公开文件"):
        service.disclose(house.session, house.agency, replace(body, text="每件若干元"), house.signer, at=house.now)
    with pytest.raises(NotEntitled):
        take(house, DISCLOSURE, f"disclosure:{AGENCY}:fees", replace(body, title="x"), (f"party:{RIVAL}", ""))


@pytest.mark.clause("G10", "G11", "Q-01", "Q-02", "Q-03")
@pytest.mark.parametrize("state", [None, *ComplaintState])
@pytest.mark.parametrize("to", list(Addressee))
@pytest.mark.parametrize("move", ["Q-01", "Q-02", "Q-03"])
def test_complaint__every_state_addressee_and_move__as_written(
    state: ComplaintState | None, to: Addressee, move: str
) -> None:
    known = None if state is None else Complaint(AGENCY, to, Category.FEE, state, 0)
    act = replace(Q_01, to=to) if move == "Q-01" else ComplaintAct(move, AGENCY, outcome="已答复")
    received = state is ComplaintState.RECEIVED
    fits = move == ("Q-03" if to is Addressee.PROVINCE else "Q-02")
    if (state is None and move == "Q-01") or (received and fits):
        assert decide_complaint(known, act, 1).agency == AGENCY
    elif received and move != "Q-01":
        with pytest.raises(GuardRefused):
            decide_complaint(known, act, 1)
    else:
        with pytest.raises(IllegalMove):
            decide_complaint(known, act, 1)


@pytest.mark.clause("G10", "G11", "Q-01", "Q-02")
def test_complaint__by_the_clerk__is_answered_by_the_agency(house: House) -> None:
    subject = "complaint:" + "2" * 32
    with pytest.raises((NotEntitled, BadSignature)):
        take(house, COMPLAINT, subject, Q_01, (f"party:{RIVAL}", ""))
    take(house, COMPLAINT, subject, Q_01, ("staff:clerk", "intake"))
    take(house, COMPLAINT, subject, ComplaintAct("Q-02", AGENCY, outcome="已说明"), OWN)
    known = store.complaint(house.session, "2" * 32)
    assert known is not None
    assert (known.state, known.closed_at) == (ComplaintState.ANSWERED, house.now)


# The yearly report ----------------------------------------------------------------------------------------------------


def lived_year(house: House) -> str:
    """One certificate, one refusal, one deemed acceptance and one still waiting, a complaint."""
    code = house.certificate(a_form())
    house.issue(code)
    refused = house.file(a_form(content=b"refused\n"))
    house.accept(refused)
    house.move(refused, Act("I-14", ground="RF-2", reason="来源违法"), "staff:second", "staff:approver")
    house.file(a_form(content=b"deemed\n"))
    house.now += 8 * 86400
    assert house.timers() == ["I-08"]
    house.file(a_form(content=b"waiting\n"))
    take(house, COMPLAINT, "complaint:" + "3" * 32, Q_01, ("staff:clerk", "intake"))
    return code


@pytest.mark.clause("G11", "G10", "C18")
def test_report__counted_from_facts__every_figure_by_hand(house: House) -> None:
    code = lived_year(house)
    house.at("2027-01-05 09:00")
    report = service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR, incidents=4)
    values = {item.id: item.value for item in report.figures}
    expected = {
        "filed": 4, "filed.初次登记": 4, "move.I-07": 2, "move.I-08": 1, "move.I-27": 1, "ground.RF-2": 1,
        "ground.RF-1": 0, "state.ISSUED": 1, "state.REFUSED": 1, "state.UNDER_REVIEW": 1, "state.SUBMITTED": 1,
        "state.PUBLICITY": 0, "on_time.C03": 2, "overdue.C03": 0, "status.VALID": 1, "status.LAPSED": 0,
        "complaints": 1, "complaints_answered": 0, "incidents": 4, "reviewers": 2, "objections": 0, "missed.Q-02": 1,
        "on_time.Q-02": 0, "on_time.C11": 0, "overdue.C11": 0, "missed.C11": 0, "register_objections": 0,
        "decisions": 0,
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert all(item.scope and item.rule for item in report.figures)
    assert (report.as_of, report.due) == (moment("2027-01-01 00:00"), "2027-03-31")
    assert code


@pytest.mark.clause("G11")
def test_report__what_happened_after_the_year__changes_no_figure(house: House) -> None:
    lived_year(house)
    house.at("2027-01-05 09:00")
    first = service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR)
    house.file(a_form(content=b"next year\n"))
    house.at("2032-01-05 09:00")
    again = service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR)
    assert again.figures == first.figures


def figures(house: House, year: int = 2026) -> dict[str, int]:
    report = service.annual_report(house.session, house.agency, year, at=house.now, calendar=CALENDAR)
    return {item.id: item.value for item in report.figures}


@pytest.mark.clause("G11", "G29", "C11")
def test_report__notices_of_objections_after_registration__in_time_late_missed_and_not_begun(house: House) -> None:
    """C11 runs from complete papers; 2026-09-07 is a Monday, so five working days end with 09-14."""
    later = After(house, house.certificate(a_form()))
    house.at("2026-09-07 09:00")
    in_time, late, incomplete, withdrawn, missed = (later.object() for _ in range(5))
    later.move(incomplete, DisputeAct("O-02", items=(an_item(),)), CLERK)
    later.move(withdrawn, DisputeAct("O-11"), OBJECTOR)
    house.at("2026-09-14 23:59")
    later.notify(in_time)
    house.at("2026-09-15 00:00")
    later.notify(late)
    later.move(incomplete, DisputeAct("O-02", answers=(Answer(1, "已补"),)), OBJECTOR)
    house.at("2026-09-21 09:00")
    later.notify(incomplete)
    house.at("2026-12-30 09:00")
    recent = later.object()
    house.at("2027-01-04 09:00")
    found = figures(house)
    counts = {how: found[f"{how}.C11"] for how in ("on_time", "overdue", "undated", "missed")}
    assert counts == {"on_time": 2, "overdue": 1, "undated": 0, "missed": 1}
    assert found["register_objections"] == 6
    assert missed != recent


@pytest.mark.clause("G11", "Q-02", "Q-03")
def test_report__complaints__judged_by_the_time_to_answer_and_alerted_before(house: House) -> None:
    """Fifteen working days from 2026-08-03 (a Monday) end with 2026-08-24."""
    house.at("2026-08-03 09:00")
    subjects = [f"complaint:{number}" + "a" * 31 for number in range(4)]
    for subject in subjects:
        to = Addressee.PROVINCE if subject == subjects[1] else Addressee.AGENCY
        take(house, COMPLAINT, subject, replace(Q_01, to=to), ("staff:clerk", "intake"))
    ends = moment("2026-08-25 00:00")
    alerts = service.alerts(house.session, house.agency, at=house.now, calendar=CALENDAR)
    assert [(line["rule"], line["due"]) for line in alerts if line["about"] in subjects] == [
        ("Q-02", ends), ("Q-03", ends), ("Q-02", ends), ("Q-02", ends),
    ]  # fmt: skip
    house.now = ends - 1
    take(house, COMPLAINT, subjects[0], ComplaintAct("Q-02", AGENCY, outcome="已说明"), OWN)
    take(house, COMPLAINT, subjects[1], ComplaintAct("Q-03", AGENCY, outcome="已转送"), OWN)
    house.now = ends
    take(house, COMPLAINT, subjects[2], ComplaintAct("Q-02", AGENCY, outcome="已说明"), OWN)
    house.at("2027-01-04 09:00")
    found = figures(house)
    counts = {how: found[f"{how}.Q-02"] for how in ("on_time", "overdue", "undated", "missed")}
    assert counts == {"on_time": 2, "overdue": 1, "undated": 0, "missed": 1}


@pytest.mark.clause("G11", "C18")
def test_report__not_filed_by_31_march__is_a_breach_and_filed_twice_is_two_versions(house: House) -> None:
    lived_year(house)
    with pytest.raises(GuardRefused, match="尚未结束"):
        service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR)
    assert annual_due(2026) == moment("2027-04-01 00:00")
    house.at("2027-03-31 23:59")
    assert timers(house) == []
    house.at("2027-04-01 00:00")
    assert timers(house) == ["C18"]
    report = service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR)
    assert not service.file_report(house.session, house.agency, report, house.signer, at=house.now).replayed
    assert service.file_report(house.session, house.agency, report, house.signer, at=house.now).replayed
    other = replace(report, notice="更正")
    assert not service.file_report(house.session, house.agency, other, house.signer, at=house.now).replayed
    assert [row.no for row in store.annual_reports(house.session, AGENCY)] == [0, 1]


@pytest.mark.clause("G11")
def test_report__three_papers__one_content(house: House) -> None:
    lived_year(house)
    house.at("2027-01-05 09:00")
    report = service.annual_report(house.session, house.agency, 2026, at=house.now, calendar=CALENDAR)
    document = canonical.decode(report_json(report))
    sheet = load_workbook(io.BytesIO(report_xlsx(report))).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=4)]
    pdf = report_pdf(report, FONTS)
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert [row[0] for row in cells] == [item["id"] for item in document["figures"]]
    assert [row[2] for row in cells] == [str(item["value"]) for item in document["figures"]]
    assert "2026 年度数据产权登记业务开展情况报告" in text.replace("\n", "")
    assert report_pdf(report, FONTS) == pdf
    assert "元" not in json.dumps(document, ensure_ascii=False)


@pytest.mark.clause("G38", "G40")
def test_decisions__of_a_certificate__say_who_when_why_and_by_which_rule(house: House) -> None:
    code = lived_year(house)
    found = store.decisions_of(house.session, code)
    by_step = {item.step: item for item in found if item.step}
    assert by_step["I-15"].by == ("staff:reviewer reviewer", "staff:approver approver")
    assert "G24" in by_step["I-15"].rule
    assert {item.scheme for item in found} == {"national_2026"}
    assert [item.at for item in found] == sorted(item.at for item in found)
    assert {"application-submitted/v1", "register-entry/v1", "certificate-issued/v1"} <= {item.kind for item in found}
    assert "chinesecalendar" in by_step["I-18"].rule
