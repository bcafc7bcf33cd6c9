"""What the agency does of its own motion: cancellation by outcome, judgment or law, and correction (art. 29, 37)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from afterlife_house import CLERK, OBJECTOR, REGISTRANT, After, after, instrument, judgment, pledge_of
from registry_house import CALENDAR, DEVELOPER, PROVIDER, RIVAL, TWO, a_form, applicant, attachment

from ledger.errors import FieldError
from registry import answering, holding
from registry import store as views
from registry.afterlife import service, store
from registry.afterlife.dispute import DisputeAct
from registry.afterlife.ending import CANCELLATION, Cancellation
from registry.afterlife.instrument import AuthorityType
from registry.afterlife.remark import Consentable, RemarkKind
from registry.asset import content_of, data_file
from registry.case import AgencyDecision
from registry.certificate import Holder, Status
from registry.errors import GuardRefused, NotEntitled, Unknown
from registry.form import Held, RegistrationType
from registry.party import PartyKind
from registry.rights import Right


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GuardRefused) as refused:
        act()
    return refused.value.guard


@pytest.mark.clause("G37", "Z-04", "Z-05")
@pytest.mark.parametrize("move", ["Z-04", "Z-05"])
def test_by_law__two_persons_with_written_notice__ends_at_once_and_is_told(later: After, move: str) -> None:
    assert refusal(lambda: later.cancel(move=move, notice=None)) == "written_notice"
    assert refusal(lambda: later.cancel(move=move, version=2)) == "newest_version"
    for who in (("staff:reviewer",), (CLERK, "staff:approver"), (REGISTRANT,), ("staff:reviewer", "staff:second")):
        with pytest.raises(NotEntitled):
            later.cancel(*who, move=move)
    assert later.status == "VALID"
    later.house.now += 3600
    later.cancel(move=move)
    assert later.status == "CANCELLED"
    assert later.told() == [("CANCELLED", False, False)]
    at = later.house.now
    assert not holding.holds_right(later.house.session, PROVIDER, later.code, Right.USE, at)
    assert refusal(lambda: later.cancel(move=move)) == "certificate_in_force"
    later.house.now = at - 1
    assert later.status == "VALID", "it ended at its instant, not before"


@pytest.mark.clause("G37", "Z-03")
def test_by_judgment__needs_an_instrument_in_effect(later: After) -> None:
    assert refusal(lambda: later.cancel(move="Z-03")) == "rests_on_an_outcome"
    ahead = judgment(after(later.today, 1))
    assert refusal(lambda: later.cancel(move="Z-03", instrument=ahead)) == "judgment_in_effect"
    seizure = replace(instrument(RemarkKind.PRESERVATION), type=AuthorityType.POLICE, effective_on=later.today)
    assert refusal(lambda: later.cancel(move="Z-03", instrument=seizure)) == "judgment_in_effect"
    later.cancel(move="Z-03", instrument=judgment(later.today), notice=None)
    assert later.status == "CANCELLED"


@pytest.mark.clause("G37", "Z-04")
def test_of_own_motion__not_round_an_objection_nor_over_a_remark(later: After) -> None:
    identity = later.object()
    assert refusal(lambda: later.cancel()) == "no_open_objection"
    assert refusal(lambda: later.cancel(move="Z-05", objection=identity)) == "ground_is_the_law"
    later.move(identity, DisputeAct("O-11"), OBJECTOR)
    seizure = later.record(RemarkKind.PRESERVATION)
    assert refusal(lambda: later.cancel()) == "nothing_stops_it"
    later.lift(seizure)
    later.cancel()
    assert later.status == "CANCELLED"


@pytest.mark.clause("G37", "Z-03", "Z-05")
@pytest.mark.parametrize("move", ["Z-03", "Z-05"])
def test_by_judgment_or_law__goes_before_a_seizure(later: After, move: str) -> None:
    later.record(RemarkKind.PRESERVATION)
    later.cancel(move=move, instrument=judgment(later.today))
    assert later.told() == [("VALID", True, False), ("CANCELLED", False, False)]


@pytest.mark.clause("G37", "Z-05")
def test_per_right_type__the_others_stay__the_last_one_ends_the_certificate(later: After) -> None:
    session, at = later.house.session, later.house.now
    later.cancel(rights=(Right.OPERATE,))
    assert (later.status, later.told()) == ("VALID", [])
    assert [holding.holds_right(session, PROVIDER, later.code, right, at) for right in Right] == [
        True,
        True,
        False,
    ]
    found = answering.check(session, later.code, at)
    assert found.view is not None
    assert [row.right for row in found.view.rights] == ["HOLD", "USE"]
    assert found.cancelled == (Right.OPERATE,)
    assert refusal(lambda: later.cancel(rights=(Right.OPERATE,))) == "rights_are_registered"
    assert refusal(lambda: later.object(rights=(Right.OPERATE,))) == "rights_are_registered"
    later.cancel(rights=(Right.HOLD, Right.USE))
    assert (later.status, later.told()) == ("CANCELLED", [("CANCELLED", False, False)])


def test_cancelled__the_same_right_may_be_registered_again(later: After) -> None:
    identity = later.house.file(a_form())
    later.house.accept(identity)
    later.house.publish(identity)
    later.house.now += 14 * 86400
    later.house.timers()
    with pytest.raises(GuardRefused, match="已登记"):
        later.house.ask_deposit(identity)
    later.cancel()
    assert later.house.deposit(identity).code != later.code


@pytest.mark.clause("Z-03", "O-08")
def test_by_objection__only_its_certificate_and_its_rights(later: After) -> None:
    identity = later.object(rights=(Right.USE,))
    later.notify(identity)
    assert refusal(lambda: later.cancel(move="Z-03", objection=identity, notice=None)) == "within_objection"
    part = {"move": "Z-03", "objection": identity, "notice": None, "rights": (Right.USE,)}
    assert refusal(lambda: later.cancel(**part)) == "outcome_is_there"
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    other = After(later.house, later.house.certificate(a_form(content=b"other\n1\n")))
    assert refusal(lambda: other.cancel(**part)) == "its_own_objection"
    with pytest.raises(Unknown):
        later.cancel(move="Z-03", objection="0" * 32)
    later.cancel(**part)
    assert (later.status, later.told()) == ("VALID", [("VALID", False, True), ("VALID", False, False)])
    assert store.ended_rights(later.house.session, later.code) == {Right.USE}


@pytest.mark.clause("G29", "B-04")
def test_correct__rests_on_an_outcome__keeps_data_and_holders(later: After) -> None:
    assert refusal(lambda: later.correct()) == "rests_on_an_outcome"
    ruling = judgment(later.today)
    assert refusal(lambda: later.correct(instrument=ruling, description=None)) == "something_changes"
    form = later.house.case(later.row.application).form
    other = replace(form.description, content=content_of((data_file("b.csv", b"b\n", 1),)))
    assert refusal(lambda: later.correct(instrument=ruling, description=other)) == "same_data"
    identity = later.object()
    later.notify(identity)
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    stranger = (Holder("绍兴某某数据有限公司（演示）", PartyKind.LEGAL, RIVAL),)
    assert refusal(lambda: later.correct(objection=identity, holders=stranger)) == "same_holders"
    with pytest.raises(NotEntitled):
        later.correct("staff:reviewer", objection=identity)
    later.correct(objection=identity)
    later.correct(instrument=ruling, holders=stranger)
    waiting = [line for line in later.matters() if line.moves == ("B-04",)]
    assert [line.subject for line in waiting] == [f"certificate:{later.code}"] * 2
    assert later.status == "VALID"


@pytest.mark.clause("G29", "B-04", "B-03")
def test_correct__carried_out_by_a_decision_on_its_ground__the_flags_stay_with_the_new_version(later: After) -> None:
    seizure = later.record(RemarkKind.PRESERVATION)
    taken = later.correct(instrument=judgment(later.today))
    assert [line.moves for line in later.matters()] == [("B-04",)]
    description = replace(later.house.case(later.row.application).form.description, time_to="2013-11-30")
    form = later.house.draft(later.code, RegistrationType.CHANGE, description=description)
    case = later.house.open_by_agency(AgencyDecision("B-04", form, "时域有误", basis=taken.fact.id))
    later.house.deposit(case)
    assert (later.row.version, later.status) == (2, "VALID")
    assert later.matters() == []
    assert later.standing.encumbered
    assert [item.id for item in store.remarks_of(later.house.session, later.code)] == [seizure]
    assert later.told() == [("VALID", True, False)], "the second version has the flags of the first without a word"
    assert refusal(lambda: later.correct(instrument=judgment(later.today), version=1)) == "newest_version"
    later.lift(seizure)
    assert later.told()[-1] == ("VALID", False, False)


@pytest.mark.clause("G37", "Z-05", "L-02")
def test_per_right_type__the_version_without_it_is_made_by_a_decision_and_nothing_else_before(later: After) -> None:
    pledge = later.record(RemarkKind.PLEDGE, rights=(Right.OPERATE,))
    taken = later.cancel(move="Z-05", rights=(Right.OPERATE,))
    assert [line.state for line in later.matters()] == ["CANCELLED_IN_PART"]
    ended = (Held(PROVIDER, Right.OPERATE),)
    form = later.house.draft(later.code, RegistrationType.CANCELLATION, reason="Z-05", ended=ended)
    case = later.house.open_by_agency(AgencyDecision("Z-05", form, "登记错误", basis=taken.fact.id))
    later.house.deposit(case)
    assert (later.row.version, later.status) == (2, "VALID")
    assert store.standing_rights(later.house.session, later.row) == {Right.HOLD, Right.USE}
    assert store.remarks_of(later.house.session, later.code) == [], "a remark on a right that is gone stands no more"
    assert not later.standing.encumbered
    assert pledge
    assert later.matters() == []


@pytest.mark.clause("G29", "O-09")
def test_decision__while_an_objection_is_open__only_on_an_outcome_or_the_law(later: After) -> None:
    later.object()
    form = later.house.draft(later.code, RegistrationType.CANCELLATION, reason="Z-04")
    decision = AgencyDecision("Z-04", form, "登记错误")
    assert refusal(lambda: later.house.open_by_agency(decision)) == "rests_on_an_outcome"
    false = replace(decision, basis="0" * 64)
    assert refusal(lambda: later.house.open_by_agency(false)) == "rests_on_an_outcome"


@pytest.mark.clause("G34", "G35", "G36", "G37", "T-01", "Z-01")
@pytest.mark.parametrize(
    ("kind", "stopped"),
    [
        (RemarkKind.PRESERVATION, {"transfer", "description", "cancellation"}),
        (RemarkKind.TEMP_CONTROL, {"transfer", "description", "cancellation"}),
        (RemarkKind.PLEDGE, {"transfer", "description", "cancellation"}),
        (RemarkKind.AGREED, set()),
        (None, {"transfer", "cancellation"}),
    ],
)
def test_later_registrations__stopped_by_the_table__none_is_an_open_objection(
    later: After, kind: RemarkKind | None, stopped: set[str]
) -> None:
    if kind is None:
        later.object()
    else:
        later.record(kind)
    house, code = later.house, later.code
    description = replace(house.case(later.row.application).form.description, overview="更新后的概述")
    renamed = replace(house.case(later.row.application).form.applicants[0], address="新地址")
    receiver = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    forms = {
        "transfer": house.draft(
            code, RegistrationType.TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(receiver,)
        ),
        "identity": house.draft(code, RegistrationType.CHANGE, applicants=(renamed,)),
        "description": house.draft(code, RegistrationType.CHANGE, description=description),
        "cancellation": house.draft(code, RegistrationType.CANCELLATION),
    }
    for name, form in forms.items():
        case = house.file(form)
        house.accept(case)
        if name in stopped:
            assert refusal(partial(house.publish, case)) == "nothing_blocks_it"
        else:
            house.publish(case)


@pytest.mark.clause("G34", "T-01", "T-05")
def test_transfer__of_a_pledged_right_with_consent__the_pledge_goes_along(later: After) -> None:
    pledge = later.record(RemarkKind.PLEDGE, paper=pledge_of(RIVAL), rights=(Right.USE, Right.HOLD))
    house = later.house
    receiver = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    form = house.draft(
        later.code, RegistrationType.TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(receiver,)
    )  # fmt: skip
    case = house.file(form)
    house.accept(case)
    assert refusal(lambda: house.publish(case)) == "nothing_blocks_it"
    later.consent(pledge, Consentable.TRANSFER, f"party:{RIVAL}")
    house.publish(case)
    house.now += 14 * 86400
    house.timers()
    new = After(house, house.deposit(case).code)
    assert new.code != later.code
    assert later.row.version == 2
    assert [item.record.rights for item in store.remarks_of(house.session, new.code)] == [(Right.USE,)]
    assert [item.record.rights for item in store.remarks_of(house.session, later.code)] == [(Right.HOLD,)]
    assert new.standing.encumbered
    assert later.standing.encumbered
    later.lift(pledge, paper=pledge_of(RIVAL))
    assert not new.standing.encumbered
    assert new.told()[-1] == later.told()[-1] == ("VALID", False, False)


def test_subject__is_the_certificate(later: After) -> None:
    statement = Cancellation("Z-05", 1, tuple(Right), "第三十七条", "登记错误", notice=attachment("注销通知"))
    signed = later.house.signed(CANCELLATION, f"party:{later.code}", statement, *later.roles(*TWO))
    with pytest.raises(FieldError, match="certificate:"):
        service.cancel(
            later.house.session, later.house.agency, signed, later.house.signer, at=later.house.now, calendar=CALENDAR
        )


def test_status__of_everything_asked_of_a_cancelled_certificate(later: After) -> None:
    later.cancel()
    session, at = later.house.session, later.house.now
    assert answering.check(session, later.code, at).status is Status.CANCELLED
    assert [line.status for line in answering.catalogue(session, at).listings] == [Status.CANCELLED]
    assert not holding.right_in_force(session, later.code, Right.HOLD, at)
    assert views.standing_of(session, later.row).ended is Status.CANCELLED
