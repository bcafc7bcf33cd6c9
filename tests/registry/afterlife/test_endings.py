"""What the agency does of its own motion: cancellation by outcome, judgment or law, and correction (art. 29, 37)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from afterlife_house import CLERK, OBJECTOR, REGISTRANT, After, after, instrument, judgment
from registry_house import CALENDAR, PROVIDER, RIVAL, TWO, a_form, attachment

from ledger.errors import FieldError
from registry import service as registration
from registry import store as views
from registry.afterlife import service, store
from registry.afterlife.dispute import DisputeAct
from registry.afterlife.ending import CANCELLATION, Cancellation
from registry.afterlife.instrument import AuthorityType
from registry.afterlife.remark import RemarkKind
from registry.asset import content_of, data_file
from registry.certificate import Holder, Status
from registry.errors import GuardRefused, NotEntitled, Unknown
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
    assert not registration.holds_right(later.house.session, PROVIDER, later.code, Right.USE, at)
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
    assert [registration.holds_right(session, PROVIDER, later.code, right, at) for right in Right] == [
        True,
        True,
        False,
    ]
    found = registration.check(session, later.code, at)
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


def test_correct__is_done_once_a_newer_version_exists(later: After) -> None:
    later.correct(instrument=judgment(later.today))
    assert later.matters()
    row = later.row
    values = {name: getattr(row, name) for name in type(row).model_fields}
    later.house.session.add(type(row)(**values | {"version": 2}))
    later.house.session.flush()
    assert later.matters() == []
    assert refusal(lambda: later.correct(instrument=judgment(later.today), version=1)) == "newest_version"


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
    assert registration.check(session, later.code, at).status is Status.CANCELLED
    assert [line.status for line in registration.catalogue(session, at)] == [Status.CANCELLED]
    assert not registration.right_in_force(session, later.code, Right.HOLD, at)
    assert views.standing_of(session, later.row).ended is Status.CANCELLED
