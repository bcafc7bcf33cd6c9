"""What the agency decides of its own motion: cancellation by outcome, judgment or law, and correction (art. 29, 37).

Two persons open the case; whatever it does to the register, it does with its deposit (art. 26).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ledger.errors import FieldError
from registry import answering, holding
from registry import store as views
from registry.afterlife import service, store
from registry.afterlife.dispute import DisputeAct, DisputeState
from registry.afterlife.instrument import AuthorityType
from registry.afterlife.remark import Consentable, RemarkKind
from registry.asset import content_of, data_file
from registry.case import Act, State
from registry.certificate import Status
from registry.errors import GuardRefused, NotEntitled, Unknown
from registry.form import Cancellation, Held, Operation, RegistrationType
from registry.rights import Right
from tests.registry.afterlife.afterlife_house import CLERK, OBJECTOR, REGISTRANT, After, after, instrument, pledge_of
from tests.registry.registry_house import DEVELOPER, PROVIDER, RIVAL, a_form, applicant, decision, judgment


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GuardRefused) as refused:
        act()
    return refused.value.guard


@pytest.mark.clause("G26", "G37", "Z-04", "Z-05", "L-07")
@pytest.mark.parametrize("move", ["Z-04", "Z-05"])
def test_by_law__two_persons_with_written_notice__ends_with_the_deposit_and_is_told(later: After, move: str) -> None:
    assert refusal(lambda: later.decide(move, notice=None)) == "written_notice"
    assert refusal(lambda: later.decide(move, ground=" ")) == "ground_is_cited"
    for who in (("staff:reviewer",), (CLERK, "staff:approver"), (REGISTRANT,), ("staff:reviewer", "staff:second")):
        with pytest.raises(NotEntitled):
            later.decide(move, *who)
    case = later.decide(move)
    later.house.now += 3600
    assert (later.status, later.told()) == ("VALID", []), "decided, not deposited: the deposited record prevails"
    assert holding.holds_right(later.house.session, PROVIDER, later.code, Right.USE, later.house.now)
    later.house.deposit(case)
    assert later.status == "CANCELLED"
    assert later.told() == [("CANCELLED", False, False)]
    at = later.house.now
    assert not holding.holds_right(later.house.session, PROVIDER, later.code, Right.USE, at)
    assert refusal(lambda: later.decide(move)) == "certificate_is_in_force"
    later.house.now = at - 1
    assert later.status == "VALID", "it ended at the instant of its deposit, not before"


@pytest.mark.clause("G37", "Z-03")
def test_by_judgment__needs_an_instrument_in_effect(later: After) -> None:
    assert refusal(lambda: later.decide("Z-03")) == "rests_on_an_outcome"
    ahead = judgment(after(later.today, 1))
    assert refusal(lambda: later.decide("Z-03", instrument=ahead)) == "judgment_in_effect"
    seizure = replace(instrument(RemarkKind.PRESERVATION), type=AuthorityType.POLICE, effective_on=later.today)
    assert refusal(lambda: later.decide("Z-03", instrument=seizure)) == "judgment_in_effect"
    later.cancel(move="Z-03", instrument=judgment(later.today))
    assert later.status == "CANCELLED"


@pytest.mark.clause("G37", "Z-04")
def test_of_own_motion__not_round_an_objection_nor_over_a_remark(later: After) -> None:
    identity = later.object()
    assert refusal(lambda: later.decide("Z-04")) == "no_open_objection"
    assert refusal(lambda: later.decide("Z-05", objection=identity)) == "ground_is_the_law"
    later.move(identity, DisputeAct("O-11"), OBJECTOR)
    seizure = later.record(RemarkKind.PRESERVATION)
    assert refusal(lambda: later.decide("Z-04")) == "nothing_stops_it"
    later.lift(seizure)
    later.cancel()
    assert later.status == "CANCELLED"


@pytest.mark.clause("G26", "Z-04")
@pytest.mark.parametrize("what", ["seizure", "pledge", "objection"])
def test_of_own_motion__what_comes_between_decision_and_deposit_stops_it(later: After, what: str) -> None:
    case = later.decide("Z-04")
    came = {
        "seizure": partial(later.record, RemarkKind.PRESERVATION),
        "pledge": partial(later.record, RemarkKind.PLEDGE, paper=pledge_of(RIVAL)),
        "objection": later.object,
    }[what]()
    assert refusal(lambda: later.house.deposit(case)) == "ground_still_stands"
    if what == "objection":
        later.move(came, DisputeAct("O-11"), OBJECTOR)
    else:
        later.lift(came, paper=pledge_of(RIVAL) if what == "pledge" else None)
    later.house.deposit(case)
    assert later.status == "CANCELLED"


@pytest.mark.clause("G23", "G26", "E-01", "Z-04", "D24")
def test_forged__a_temporary_control_stops_the_harm_at_once__the_deposit_ends_it(later: After) -> None:
    """Between decision and deposit nobody signs anything new about it; the control is no bar to the agency itself."""
    later.record(RemarkKind.TEMP_CONTROL)
    case = later.decide("Z-04")
    session, at = later.house.session, later.house.now
    assert (later.status, later.standing.encumbered) == ("VALID", True)
    assert not service.use_effect(session, later.code, at).signing
    assert store.stops(session, later.code, Operation.TRANSFER, at)
    later.house.deposit(case)
    assert later.told() == [("VALID", True, False), ("CANCELLED", False, False)]


@pytest.mark.clause("G37", "Z-03", "Z-05")
@pytest.mark.parametrize("move", ["Z-03", "Z-05"])
def test_by_judgment_or_law__goes_before_a_seizure(later: After, move: str) -> None:
    later.record(RemarkKind.PRESERVATION)
    later.cancel(move=move, instrument=judgment(later.today))
    assert later.told() == [("VALID", True, False), ("CANCELLED", False, False)]


@pytest.mark.clause("G37", "Z-05", "L-02")
def test_per_right_type__the_others_stay__the_last_one_ends_the_certificate(later: After) -> None:
    session = later.house.session
    pledge = later.record(RemarkKind.PLEDGE, rights=(Right.OPERATE,))

    def held() -> list[bool]:
        return [holding.holds_right(session, PROVIDER, later.code, right, later.house.now) for right in Right]

    case = later.decide("Z-05", rights=(Right.OPERATE,))
    assert (held(), later.row.version) == ([True] * 3, 1)
    later.house.deposit(case)
    assert (held(), later.row.version, later.status) == ([True, True, False], 2, "VALID")
    assert store.registered_rights(session, later.row) == {Right.HOLD, Right.USE}
    found = answering.check(session, later.code, later.house.now)
    assert found.view is not None
    assert [row.right for row in found.view.rights] == ["HOLD", "USE"]
    assert store.remarks_of(session, later.code) == [], "a remark on a right that is gone stands no more"
    assert pledge
    assert later.told() == [("VALID", True, False), ("VALID", False, False)]
    assert refusal(lambda: later.object(rights=(Right.OPERATE,))) == "rights_are_registered"
    gone = replace(later.draft("Z-05"), cancellation=Cancellation("Z-05", (Held(PROVIDER, Right.OPERATE),)))
    again = decision("Z-05", gone)
    assert refusal(lambda: later.house.open_by_agency(again)) == "differs_only_as_allowed"
    later.cancel(rights=(Right.HOLD, Right.USE))
    assert (later.status, later.told()[-1]) == ("CANCELLED", ("CANCELLED", False, False))


def test_cancelled__the_same_right_may_be_registered_again(later: After) -> None:
    identity = later.house.file(a_form())
    later.house.accept(identity)
    later.house.publish(identity)
    later.house.now += 14 * 86400
    later.house.timers()
    case = later.decide("Z-04")
    with pytest.raises(GuardRefused, match="已登记"):
        later.house.ask_deposit(identity)
    later.house.deposit(case)
    assert later.house.deposit(identity).code != later.code


@pytest.mark.clause("Z-03", "O-08")
def test_by_objection__only_its_certificate_and_its_rights__closed_with_the_deposit(later: After) -> None:
    identity = later.object(rights=(Right.USE,))
    later.notify(identity)
    assert refusal(lambda: later.decide("Z-03", objection=identity)) == "within_objection"
    part = {"objection": identity, "rights": (Right.USE,)}
    assert refusal(lambda: later.decide("Z-03", **part)) == "outcome_is_there"
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    other = After(later.house, later.house.certificate(a_form(content=b"other\n1\n")))
    assert refusal(lambda: other.decide("Z-03", **part)) == "its_own_objection"
    with pytest.raises(Unknown):
        later.decide("Z-03", objection="0" * 32)
    case = later.decide("Z-03", **part)
    assert refusal(lambda: later.decide("Z-03", **part)) == "decided_once"
    assert (later.dispute(identity).state, later.standing.objection) == (DisputeState.ADMITTED, True)
    assert later.matters() == [], "what is left waits as a case for its deposit"
    done = later.house.deposit(case)
    assert (later.dispute(identity).state, later.dispute(identity).result) == (DisputeState.CLOSED, done.entry.id)
    assert (later.status, later.told()) == ("VALID", [("VALID", False, True), ("VALID", False, False)])
    assert store.registered_rights(later.house.session, later.row) == {Right.HOLD, Right.OPERATE}


@pytest.mark.clause("G29", "O-11", "Z-03")
def test_by_objection__withdrawn_before_the_deposit__nothing_is_left_to_carry_out(later: After) -> None:
    identity = later.object()
    later.notify(identity)
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    case = later.decide("Z-03", objection=identity)
    later.move(identity, DisputeAct("O-11"), OBJECTOR)
    assert refusal(lambda: later.house.deposit(case)) == "ground_still_stands"
    later.house.move(case, Act("I-14", ground="RF-5", reason="异议已撤回"), "staff:second", "staff:approver")
    assert (later.house.case(case).state, later.status) == (State.REFUSED, "VALID")


@pytest.mark.clause("G29", "B-04")
def test_correct__rests_on_an_outcome__keeps_data_and_holders(later: After) -> None:
    assert refusal(lambda: later.decide("B-04")) == "rests_on_an_outcome"
    ruling = judgment(later.today)
    known = later.house.case(later.row.application).form.description
    with pytest.raises(FieldError, match=r"change\.items"):
        later.decide("B-04", instrument=ruling, description=known)
    other = replace(known, content=content_of((data_file("b.csv", b"b\n", 1),)))
    assert refusal(lambda: later.decide("B-04", instrument=ruling, description=other)) == "same_data"
    identity = later.object()
    later.notify(identity)
    later.move(identity, DisputeAct("O-04"), REGISTRANT)
    form = later.draft("B-04")
    stranger = replace(form, applicants=(applicant(RIVAL, "绍兴某某数据有限公司（演示）"),))
    replaced = decision("B-04", stranger, instrument=ruling)
    assert refusal(lambda: later.house.open_by_agency(replaced)) == "differs_only_as_allowed", "art. 35: same holders"
    with pytest.raises(NotEntitled):
        later.decide("B-04", "staff:reviewer", objection=identity)
    later.correct(objection=identity)
    assert (later.row.version, later.status, later.dispute(identity).state) == (2, "VALID", DisputeState.CLOSED)


@pytest.mark.clause("G29", "B-04", "B-03")
def test_correct__the_flags_stay_with_the_new_version(later: After) -> None:
    seizure = later.record(RemarkKind.PRESERVATION)
    later.correct(instrument=judgment(later.today))
    assert (later.row.version, later.status) == (2, "VALID")
    assert later.matters() == []
    assert later.standing.encumbered
    assert [item.id for item in store.remarks_of(later.house.session, later.code)] == [seizure]
    assert later.told() == [("VALID", True, False)], "the second version has the flags of the first without a word"
    later.lift(seizure)
    assert later.told()[-1] == ("VALID", False, False)


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


def test_status__of_everything_asked_of_a_cancelled_certificate(later: After) -> None:
    later.cancel()
    session, at = later.house.session, later.house.now
    assert answering.check(session, later.code, at).status is Status.CANCELLED
    assert [line.status for line in answering.catalogue(session, at).listings] == [Status.CANCELLED]
    assert not holding.right_in_force(session, later.code, Right.HOLD, at)
    assert views.standing_of(session, later.row).ended is Status.CANCELLED
