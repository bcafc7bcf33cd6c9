"""Objections after registration against the real house: only both sides, or a judgment, end one (guide art. 29)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from registry.afterlife import service, store
from registry.afterlife.dispute import Conclusion, DisputeAct, DisputeState, notice_due
from registry.afterlife.instrument import AuthorityType
from registry.calendar import Calendar, published
from registry.case import Answer
from registry.errors import GuardRefused, IllegalMove, NotEntitled, Unknown
from registry.form import Operation, Representative
from registry.rights import Right, RightRow
from registry.scheme import NATIONAL_2026
from tests.registry.afterlife.afterlife_house import CLERK, OBJECTOR, REGISTRANT, After, after
from tests.registry.registry_house import (
    AGENCY,
    CALENDAR,
    DEVELOPER,
    PROVIDER,
    TWO,
    House,
    a_form,
    an_item,
    applicant,
    attachment,
    judgment,
    moment,
)

S = DisputeState
C = Conclusion


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GuardRefused) as refused:
        act()
    return refused.value.guard


@pytest.mark.clause("G29", "O-01")
def test_file__flag_told_at_once_and_kept_until_it_is_closed(later: After) -> None:
    identity = later.object()
    assert later.dispute(identity).state is S.FILED
    assert later.dispute(identity).registrants == (PROVIDER,)
    assert later.told() == [("VALID", False, True)]
    session, now = later.house.session, later.house.now
    assert store.stops(session, later.code, Operation.TRANSFER, now)
    assert store.stops(session, later.code, Operation.CANCELLATION, now)
    assert store.stops(session, later.code, Operation.CHANGE_IDENTITY, now) == ()
    assert store.stops(session, later.code, Operation.RENEWAL, now) == ()
    later.move(identity, DisputeAct("O-11"), OBJECTOR)
    assert later.dispute(identity).state is S.WITHDRAWN
    assert later.told() == [("VALID", False, True), ("VALID", False, False)]
    assert store.stops(session, later.code, Operation.TRANSFER, now) == ()


@pytest.mark.clause("G29", "O-01")
def test_file__who_may(later: After) -> None:
    assert refusal(lambda: later.object(REGISTRANT)) == "against_somebody_else"
    assert refusal(lambda: later.object(f"party:{AGENCY}")) == "not_the_agency"
    for who in (("staff:reviewer",), TWO, (OBJECTOR, f"party:{DEVELOPER}"), (OBJECTOR, CLERK)):
        with pytest.raises(NotEntitled):
            later.object(*who)
    assert refusal(lambda: later.object(rights=(Right.USE, Right.USE))) == "rights_are_registered"
    with pytest.raises(Unknown):
        later.object(certificate="SJ3312026120001")
    assert later.told() == []
    by_clerk = later.object(CLERK)
    assert later.dispute(by_clerk).objector == ""


def test_file__against_what_is_not_in_force_any_more__refused(later: After) -> None:
    later.cancel()
    assert refusal(lambda: later.object()) == "certificate_in_force"


@pytest.mark.clause("G29", "O-02", "C11")
def test_papers__c11_starts_when_they_are_complete(later: After) -> None:
    identity = later.object()
    later.move(identity, DisputeAct("O-02", items=(an_item(1), an_item(2))), CLERK)
    assert later.dispute(identity).state is S.INCOMPLETE
    [line] = later.matters()
    assert (line.role, line.clock, line.due) == ("objector", "", None)
    with pytest.raises(IllegalMove):
        later.notify(identity)
    assert (
        refusal(lambda: later.move(identity, DisputeAct("O-02", answers=(Answer(1, "已补"),)), OBJECTOR))
        == "every_item_answered"
    )
    later.wait("2026-09-23 10:00")
    later.move(identity, DisputeAct("O-02", answers=(Answer(1, "已补"), Answer(2, "已补"))), OBJECTOR)
    [line] = later.matters()
    assert (line.role, line.clock, line.due) == ("intake", "C11", moment("2026-10-09 00:00")), "V8: ends 10-08"
    later.wait("2026-10-20 10:00")
    later.notify(identity)
    assert later.dispute(identity).state is S.NOTIFIED, "C11 is an alert; a late notice is still a notice"


@pytest.mark.clause("C11")
def test_c11__golden_vector_and_the_unpublished_year(later: After) -> None:
    found = later.dispute(later.object())
    table = published()
    complete = replace(found, complete_at=moment("2026-09-23 09:00"))
    assert notice_due(complete, NATIONAL_2026, table) == moment("2026-10-09 00:00")
    later.wait("2026-12-30 10:00")
    late = later.object()
    line = next(line for line in later.matters() if line.subject.endswith(late))
    assert (line.clock, line.due) == ("C11", None), "2027 is not published"


@pytest.mark.clause("G29", "O-03", "C12")
def test_notice__may_give_more_time_than_c12_never_less(later: After) -> None:
    identity = later.object()
    start = later.today
    papers = (attachment("异议书面通知"),)
    assert refusal(lambda: later.move(identity, DisputeAct("O-03"), CLERK)) == "fields"
    short = DisputeAct("O-03", papers=papers, deadline=moment(f"{after(start, 5)} 00:00"))
    assert refusal(lambda: later.move(identity, short, CLERK)) == "time_to_answer"
    odd = DisputeAct("O-03", papers=papers, deadline=moment(f"{after(start, 60)} 00:01"))
    assert refusal(lambda: later.move(identity, odd, CLERK)) == "time_to_answer"
    later.move(identity, DisputeAct("O-03", papers=papers, deadline=moment(f"{after(start, 60)} 00:00")), CLERK)
    later.wait(f"{after(start, 59)} 23:59")
    assert later.timers() == []
    later.wait(f"{after(start, 60)} 00:00")
    assert later.timers() == ["O-06"]


@pytest.mark.clause("G29", "O-06", "C12")
def test_silence__is_never_admission(later: After) -> None:
    """Notified Monday 2026-08-17: C12 ends with 2026-08-31."""
    identity = later.object()
    later.notify(identity)
    later.wait("2026-08-31 23:59")
    assert later.timers() == []
    [line] = later.matters()
    assert (line.role, line.clock, line.due) == ("applicant", "C12", moment("2026-09-01 00:00"))
    later.wait("2026-09-01 00:00")
    assert later.timers() == ["O-06"]
    assert later.timers() == []
    assert later.dispute(identity).state is S.CONTESTED
    assert later.told() == [("VALID", False, True)]
    with pytest.raises(IllegalMove):
        later.move(identity, DisputeAct("O-04"), REGISTRANT)
    later.contest(identity)
    assert later.dispute(identity).explained


@pytest.mark.clause("C12")
def test_silence__in_an_unpublished_year__fires_nothing(later: After) -> None:
    later.wait("2026-12-25 10:00")
    identity = later.object()
    later.notify(identity)
    later.house.now = moment("2027-03-01 10:00")
    assert later.timers() == []
    assert later.dispute(identity).state is S.NOTIFIED
    table = published()
    loaded = Calendar("2027", table.holidays, table.workdays, table.years | {2027})
    made = service.run_timers(
        later.house.session, later.house.agency, later.house.signer, at=later.house.now, calendar=loaded
    )
    assert [fact.body["move"] for fact in made] == ["O-06"]


@pytest.mark.clause("G29", "O-04", "Z-03")
def test_admitted__closed_by_the_cancellation_that_follows(later: After) -> None:
    identity = later.object()
    later.notify(identity)
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    assert (later.dispute(identity).state, later.status) == (S.ADMITTED, "VALID")
    [line] = later.matters()
    assert (line.role, line.moves) == ("reviewer", ("B-04", "Z-03"))
    done = later.cancel(move="Z-03", objection=identity)
    assert later.status == "CANCELLED"
    assert (later.dispute(identity).state, later.dispute(identity).result) == (S.CLOSED, done.entry.id)
    assert later.told() == [("VALID", False, True), ("CANCELLED", False, False)]
    assert later.matters() == []


@pytest.mark.clause("G29", "O-04", "B-04")
def test_admitted__closed_by_the_correction_that_follows__flag_down(later: After) -> None:
    identity = later.object()
    later.notify(identity)
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    case = later.decide("B-04", objection=identity)
    assert (later.dispute(identity).state, later.told()) == (S.ADMITTED, [("VALID", False, True)])
    later.house.deposit(case)
    assert (later.dispute(identity).state, later.status, later.row.version) == (S.CLOSED, "VALID", 2)
    assert later.told() == [("VALID", False, True), ("VALID", False, False)]
    assert later.matters() == []


@pytest.mark.clause("G29", "O-05")
def test_contested__needs_words_and_papers__both_sides_may_be_called_on(later: After) -> None:
    identity = later.object()
    later.notify(identity)
    assert (
        refusal(lambda: later.move(identity, DisputeAct("O-05", reason="不认可"), REGISTRANT)) == "explanation_is_given"
    )
    later.contest(identity)
    assert later.dispute(identity).state is S.CONTESTED
    later.move(identity, DisputeAct("O-05", items=(an_item(),)), "staff:reviewer")
    assert later.dispute(identity).open_items == (an_item(),)
    with pytest.raises(NotEntitled):
        later.move(identity, DisputeAct("O-05", reason="x", papers=(attachment("说明"),)), OBJECTOR)


@pytest.mark.clause("G29", "O-07")
def test_conclude__two_persons_in_writing(later: After) -> None:
    identity = later.object()
    later.notify(identity)
    with pytest.raises(IllegalMove):
        later.conclude(identity, C.UPHELD)
    later.contest(identity)
    bare = DisputeAct("O-07", conclusion=C.UPHELD, reason="经查")
    assert refusal(lambda: later.move(identity, bare, *TWO)) == "written_conclusion"
    with pytest.raises(NotEntitled):
        later.move(identity, DisputeAct("O-07", conclusion=C.UPHELD), "staff:reviewer")
    later.conclude(identity, C.PARTLY)
    assert (later.dispute(identity).state, later.dispute(identity).conclusion) == (S.CONCLUDED, C.PARTLY)
    assert {line.role for line in later.matters()} == {"applicant", "objector"}


@pytest.mark.clause("G29", "O-08")
def test_not_upheld__both_accept__closed_by_itself_and_nothing_changes(later: After) -> None:
    identity = later.to_conclusion(C.NOT_UPHELD)
    later.accept(identity, OBJECTOR)
    assert later.dispute(identity).state is S.CONCLUDED
    assert refusal(lambda: later.accept(identity, OBJECTOR)) == "side_has_not_answered"
    assert refusal(lambda: later.reject(identity, OBJECTOR)) == "side_has_not_answered"
    later.accept(identity, REGISTRANT)
    assert (later.dispute(identity).state, later.status) == (S.CLOSED, "VALID")
    assert later.told() == [("VALID", False, True), ("VALID", False, False)]


@pytest.mark.clause("G29", "O-08", "Z-03")
@pytest.mark.parametrize("conclusion", [C.UPHELD, C.PARTLY])
def test_upheld__both_accept__acted_on_then_closed(later: After, conclusion: Conclusion) -> None:
    identity = later.to_conclusion(conclusion)
    later.accept(identity, REGISTRANT)
    assert refusal(lambda: later.decide("Z-03", objection=identity)) == "outcome_is_there"
    later.accept(identity, OBJECTOR)
    assert (later.dispute(identity).state, later.status) == (S.CONCLUDED, "VALID"), "not before the agency acted"
    assert later.matters()[0].moves == ("B-04", "Z-03")
    later.cancel(move="Z-03", objection=identity)
    assert (later.dispute(identity).state, later.status) == (S.CLOSED, "CANCELLED")


def test_system__cannot_close_what_is_not_done(later: After) -> None:
    identity = later.to_conclusion(C.UPHELD)
    agency = f"party:{AGENCY}"

    def close(result: str = "") -> None:
        body = DisputeAct("O-08", rule="G29", result=result)
        signed = later.house.signed(
            "register-objection-move/v1", f"register-objection:{identity}", body, (agency, "system")
        )
        service.move(
            later.house.session, later.house.agency, signed, later.house.signer, at=later.house.now, calendar=CALENDAR
        )

    assert refusal(close) == "both_accept"
    later.accept(identity, REGISTRANT)
    later.accept(identity, OBJECTOR)
    assert refusal(close) == "acted_on_outcome"
    assert refusal(lambda: close("0" * 64)) == "acted_on_outcome"
    assert later.dispute(identity).state is S.CONCLUDED


@pytest.mark.clause("G29", "O-09", "O-10")
@pytest.mark.parametrize("who", [REGISTRANT, OBJECTOR])
@pytest.mark.parametrize("other_accepted_before", [False, True])
def test_rejected__disputed__certificate_and_flag_stay_until_a_judgment(
    later: After, who: str, other_accepted_before: bool
) -> None:
    identity = later.to_conclusion(C.UPHELD)
    if other_accepted_before:
        later.accept(identity, OBJECTOR if who == REGISTRANT else REGISTRANT)
    later.reject(identity, who)
    assert (later.dispute(identity).state, later.status) == (S.DISPUTED, "VALID")
    assert later.told() == [("VALID", False, True)]
    assert refusal(lambda: later.decide("Z-03", objection=identity)) == "judgment_in_effect"
    assert refusal(lambda: later.decide("B-04", objection=identity)) == "judgment_in_effect"
    assert refusal(lambda: later.decide("Z-04")) == "no_open_objection"
    assert later.status == "VALID"
    ruling = judgment(later.today)
    later.cancel(move="Z-03", objection=identity, instrument=ruling)
    assert (later.dispute(identity).state, later.status) == (S.CLOSED, "CANCELLED")
    assert later.dispute(identity).instrument == ruling


@pytest.mark.clause("G29", "O-10")
def test_judgment__for_the_register__two_persons_close_and_nothing_changes(later: After) -> None:
    identity = later.to_conclusion(C.UPHELD)
    later.reject(identity, REGISTRANT)

    def rule(**changes: object) -> None:
        paper = replace(judgment(later.today), **changes)  # type: ignore[arg-type]
        later.move(identity, DisputeAct("O-10", instrument=paper, reason="驳回诉讼请求"), *TWO)

    assert refusal(lambda: rule(effective_on=after(later.today, 1))) == "judgment_in_effect"
    assert refusal(lambda: rule(effective_on=None)) == "judgment_in_effect"
    assert refusal(lambda: rule(type=AuthorityType.POLICE)) == "judgment_in_effect"
    rule(type=AuthorityType.ARBITRATION)
    assert (later.dispute(identity).state, later.status) == (S.CLOSED, "VALID")
    assert later.told() == [("VALID", False, True), ("VALID", False, False)]


@pytest.mark.clause("O-11")
def test_withdraw__from_every_open_state_by_the_objector_alone(later: After) -> None:
    filed = later.object()
    incomplete = later.object()
    later.move(incomplete, DisputeAct("O-02", items=(an_item(),)), CLERK)
    notified, admitted, contested = later.object(), later.object(), later.object()
    for identity in (notified, admitted, contested):
        later.notify(identity)
    later.move(admitted, DisputeAct("O-04"), REGISTRANT)
    later.contest(contested)
    concluded, disputed = later.to_conclusion(C.PARTLY), later.to_conclusion(C.UPHELD)
    later.reject(disputed, REGISTRANT)
    every = (filed, incomplete, notified, admitted, contested, concluded, disputed)
    assert len({later.dispute(identity).state for identity in every}) == 7
    for number, identity in enumerate(every, 1):
        with pytest.raises(NotEntitled):
            later.move(identity, DisputeAct("O-11"), REGISTRANT)
        later.move(identity, DisputeAct("O-11"), OBJECTOR)
        assert later.standing.objection == (number < 7)
        with pytest.raises(IllegalMove):
            later.move(identity, DisputeAct("O-11"), OBJECTOR)
    assert later.told() == [("VALID", False, True), ("VALID", False, False)]


def test_clerk__speaks_for_a_verified_contact_on_its_paper_never_for_a_party(later: After) -> None:
    own, contact = later.object(), later.object(CLERK)
    paper = (attachment("撤回书"),)
    assert refusal(lambda: later.move(own, DisputeAct("O-11", papers=paper), CLERK)) == "clerk_speaks_for_a_contact"
    assert refusal(lambda: later.move(contact, DisputeAct("O-11"), CLERK)) == "clerk_speaks_for_a_contact"
    with pytest.raises(NotEntitled):
        later.move(contact, DisputeAct("O-11"), OBJECTOR)
    later.move(contact, DisputeAct("O-11", papers=paper), CLERK)
    assert later.standing.objection


def test_separation__nobody_reviews_and_approves_one_objection(later: After) -> None:
    later.house.hire("swing", "reviewer", "approver")
    identity = later.object()
    later.notify(identity)
    later.contest(identity)
    signed = later.house.signed(
        "register-objection-move/v1", f"register-objection:{identity}", DisputeAct("O-05", items=(an_item(),)),
        ("staff:swing", "reviewer"),
    )  # fmt: skip
    house = later.house
    service.move(house.session, house.agency, signed, house.signer, at=house.now, calendar=CALENDAR)
    act = DisputeAct("O-07", conclusion=C.UPHELD, reason="经查", papers=(attachment("处理结论"),))
    both = house.signed(
        "register-objection-move/v1", f"register-objection:{identity}", act,
        ("staff:reviewer", "reviewer"), ("staff:swing", "approver"),
    )  # fmt: skip
    with pytest.raises(NotEntitled):
        service.move(house.session, house.agency, both, house.signer, at=house.now, calendar=CALENDAR)


@pytest.mark.clause("G29", "O-04", "O-08", "O-09")
def test_several_registrants__all_agree_or_one_disagrees__a_holder_objects_against_the_others(house: House) -> None:
    second = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    form = a_form()
    rows = tuple(RightRow(second.name, DEVELOPER, right, "无") for right in Right)
    joint = After(
        house, house.certificate(replace(form, applicants=(*form.applicants, second), rights=form.rights + rows))
    )
    other = f"party:{DEVELOPER}"
    assert joint.dispute(joint.object(other)).registrants == (PROVIDER,)
    identity = joint.object()
    assert joint.dispute(identity).registrants == tuple(sorted((PROVIDER, DEVELOPER)))
    joint.notify(identity)
    assert refusal(lambda: joint.move(identity, DisputeAct("O-04"), REGISTRANT)) == "every_registrant_signed"
    joint.contest(identity)
    joint.conclude(identity, C.NOT_UPHELD)
    assert refusal(lambda: joint.accept(identity, REGISTRANT)) == "every_registrant_signed"
    joint.move(identity, DisputeAct("O-08"), REGISTRANT, other)
    joint.accept(identity, OBJECTOR)
    assert joint.dispute(identity).state is S.CLOSED
    once_more = joint.to_conclusion(C.UPHELD)
    joint.reject(once_more, other)
    assert joint.dispute(once_more).state is S.DISPUTED


def test_representative__of_the_application__answers_for_all(house: House) -> None:
    form = replace(a_form(), representative=Representative("代理人（演示）", DEVELOPER))
    form = replace(form, attachments=(*form.attachments, attachment("授权委托书")))
    later = After(house, house.certificate(form))
    identity = later.object()
    later.notify(identity)
    act = DisputeAct("O-04")
    signed = house.signed(
        "register-objection-move/v1", f"register-objection:{identity}", act, (f"party:{DEVELOPER}", "representative")
    )
    service.move(house.session, house.agency, signed, house.signer, at=house.now, calendar=CALENDAR)
    assert later.dispute(identity).state is S.ADMITTED


def test_stranger__has_no_say(later: After) -> None:
    identity = later.to_conclusion(C.UPHELD)
    for move in ("O-08", "O-09", "O-11"):
        with pytest.raises(NotEntitled):
            later.move(identity, DisputeAct(move, reason="x"), f"party:{DEVELOPER}")


def test_running_time_backwards__refused(later: After) -> None:
    identity = later.object()
    later.house.now -= 1
    assert refusal(lambda: later.notify(identity)) == "time_runs_forward"
