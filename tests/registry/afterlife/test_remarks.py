"""Remarks against the real house: who may record, extend, lift and end them, and what is told of the certificate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger import store as facts
from ledger.digest import twin
from ledger.errors import BadSignature, Conflict, FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from registry import answering
from registry.afterlife import service, store
from registry.afterlife.instrument import AuthorityType
from registry.afterlife.remark import Consentable, Recorded, RemarkAct, RemarkKind, RemarkState, Signing, state_of
from registry.case import Act
from registry.catalogue import Check
from registry.errors import GuardRefused, IllegalMove, NotEntitled, Unknown
from registry.form import Operation
from registry.rights import Right
from tests.registry.afterlife.afterlife_house import CLERK, REGISTRANT, After, after, instrument, pledge_of
from tests.registry.registry_house import DEVELOPER, PROVIDER, RIVAL, TWO, House, a_form, attachment

K = RemarkKind


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GuardRefused) as refused:
        act()
    return refused.value.guard


@pytest.mark.clause("G23", "E-01")
@pytest.mark.parametrize("kind", list(K))
def test_record__every_kind_by_two_persons__flag_told_at_once_where_it_encumbers(
    later: After, kind: RemarkKind
) -> None:
    identity = later.record(kind)
    encumbers = kind in (K.PRESERVATION, K.TEMP_CONTROL, K.PLEDGE)
    assert later.standing.encumbered == encumbers
    assert later.told() == ([("VALID", True, False)] if encumbers else [])
    assert state_of(later.remark(identity), later.house.now) is RemarkState.ACTIVE


@pytest.mark.clause("G23", "E-01")
@pytest.mark.parametrize(
    "who",
    [
        ("staff:reviewer",), ("staff:approver",), (CLERK,), (CLERK, "staff:approver"),
        ("staff:reviewer", "staff:second"), (REGISTRANT,),
    ],
)  # fmt: skip
def test_record__by_anybody_else__refused(later: After, who: tuple[str, ...]) -> None:
    with pytest.raises(NotEntitled):
        later.record(K.PRESERVATION, *who)
    assert later.told() == []


def test_record__one_person_in_both_roles_or_staff_of_somebody_else__refused(later: After) -> None:
    later.house.hire("both", "reviewer", "approver")
    later.house.hire("foreign", "approver", organisation=RIVAL)
    body = RemarkAct("E-01", record=_recorded(later), instrument=instrument(K.PRESERVATION))
    for first, second in (("both", "both"), ("reviewer", "foreign")):
        who = [(f"staff:{first}", "reviewer"), (f"staff:{second}", "approver")]
        with pytest.raises(NotEntitled):
            _send(later, body, *who)
    with pytest.raises(FieldError):
        _send(later, RemarkAct("E-01", instrument=instrument(K.PRESERVATION)), *later.roles(*TWO))


def _send(later: After, body: RemarkAct, *who: tuple[str, str]) -> None:
    signed = later.house.signed("remark/v1", f"remark:{'1' * 32}", body, *who)
    service.remark(later.house.session, later.house.agency, signed, later.house.signer, at=later.house.now)


def _recorded(later: After) -> Recorded:
    return Recorded(K.PRESERVATION, (Right.USE,), later.today, certificate=later.code)


@pytest.mark.clause("G23", "E-01")
def test_record__conditions__each_refused_by_name(later: After) -> None:
    court = instrument(K.PRESERVATION)
    assert refusal(lambda: later.record(K.TEMP_CONTROL, paper=court)) == "issuer_fits_kind"
    assert refusal(lambda: later.record(K.PLEDGE, paper=court)) == "issuer_fits_kind"
    assert refusal(lambda: later.record(K.PRESERVATION, rights=(Right.USE, Right.USE))) == "rights_are_registered"
    with pytest.raises(Unknown):
        later.record(K.PRESERVATION, application="1" * 32)
    past = after(later.today, -1)
    assert refusal(lambda: later.record(K.AGREED, from_day=past, to_day=past)) == "days_in_order"
    ahead = after(later.today, 1)
    assert refusal(lambda: later.record(K.PRESERVATION, from_day=ahead)) == "days_in_order"
    assert refusal(lambda: later.record(K.AGREED, certificate="")) == "one_target"
    with pytest.raises(Unknown):
        later.record(K.AGREED, certificate="SJ3312026120001")
    later.record(K.AGREED, from_day=ahead)
    assert later.told() == []


@pytest.mark.clause("G23", "E-01")
def test_record__certificate_or_application_named_twice__refused(later: After) -> None:
    case = later.row.application
    assert refusal(lambda: later.record(K.AGREED, certificate=later.code, application=case)) == "one_target"
    assert refusal(lambda: later.record(K.AGREED, application=case)) == "one_target", "it has led to a certificate"


@pytest.mark.clause("G23", "E-01")
def test_record__before_deposit__moves_onto_the_certificate_and_is_told_with_it(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    early = After(house, "")
    seizure = early.record(K.PRESERVATION, application=identity, rights=(Right.USE,))
    agreed = early.record(K.AGREED, application=identity)
    with pytest.raises(GuardRefused):
        early.record(K.PLEDGE, application=identity)
    house.now += 14 * 86400
    house.timers()
    early.code = house.deposit(identity).code
    assert early.standing.encumbered
    assert early.told() == [("VALID", True, False)]
    assert [item.id for item in store.remarks_of(house.session, early.code)] == [seizure, agreed]
    assert store.remarks_on(house.session, store.application_subject(identity)) == []
    assert store.stops(house.session, early.code, Operation.TRANSFER, house.now, {Right.USE})
    assert not store.stops(house.session, early.code, Operation.TRANSFER, house.now, {Right.HOLD})
    early.lift(seizure)
    assert early.told() == [("VALID", True, False), ("VALID", False, False)]


def test_application__that_ended__takes_no_remark(house: House) -> None:
    identity = house.file(a_form())
    house.move(identity, Act("I-03"), f"party:{PROVIDER}")
    assert refusal(lambda: After(house, "").record(K.AGREED, application=identity)) == "one_target"


@pytest.mark.clause("E-02")
def test_extend__later_end_by_the_same_authority(later: After) -> None:
    end = after(later.today, 30)
    identity = later.record(K.PRESERVATION, to_day=end)
    other = instrument(K.PRESERVATION, issuer_id="另一法院")
    assert refusal(lambda: later.extend(identity, after(end, 30), paper=other)) == "same_authority"
    police = instrument(K.PRESERVATION, type=AuthorityType.POLICE)
    assert refusal(lambda: later.extend(identity, after(end, 30), paper=police)) == "same_authority"
    assert refusal(lambda: later.extend(identity, end)) == "later_end"
    later.extend(identity, after(end, 30))
    assert later.remark(identity).to_day == after(end, 30)
    later.wait(f"{after(end, 31)} 00:00")
    assert refusal(lambda: later.extend(identity, after(end, 30))) == "later_end"
    assert state_of(later.remark(identity), later.house.now) is RemarkState.UNVERIFIED
    later.extend(identity, after(end, 90))
    assert state_of(later.remark(identity), later.house.now) is RemarkState.ACTIVE
    assert later.told() == [("VALID", True, False)], "an extension changes no flag"


def test_extend__a_remark_without_end__refused(later: After) -> None:
    identity = later.record(K.PRESERVATION)
    assert refusal(lambda: later.extend(identity, after(later.today, 9))) == "later_end"


@pytest.mark.clause("E-03", "E-05")
def test_lift__one_of_several__leaves_the_others(later: After) -> None:
    first = later.record(K.PRESERVATION, paper=instrument(K.PRESERVATION, issuer_id="甲法院"))
    second = later.record(K.PRESERVATION, paper=instrument(K.PRESERVATION, issuer_id="乙法院"))
    assert refusal(lambda: later.lift(first, paper=instrument(K.PRESERVATION, issuer_id="乙法院"))) == "same_authority"
    later.lift(first, paper=instrument(K.PRESERVATION, issuer_id="甲法院"))
    assert later.standing.encumbered
    [left] = [item for item in store.remarks_of(later.house.session, later.code) if item.end is None]
    assert left.id == second
    later.lift(second, paper=instrument(K.PRESERVATION, issuer_id="乙法院"))
    assert not later.standing.encumbered
    assert later.told() == [("VALID", True, False), ("VALID", False, False)]
    with pytest.raises(IllegalMove):
        later.lift(second)


@pytest.mark.clause("E-03")
def test_lift__a_pledge__by_paper_of_its_pledgee_or_its_own_consent(later: After) -> None:
    one = later.record(K.PLEDGE, paper=pledge_of(RIVAL))
    two = later.record(K.PLEDGE, paper=pledge_of(DEVELOPER))
    bare = RemarkAct("E-03", reason="清偿")
    assert refusal(lambda: later.act(one, bare)) == "same_authority"
    with pytest.raises(NotEntitled):
        later.consent(one, Consentable.LIFT, f"party:{DEVELOPER}")
    later.consent(one, Consentable.LIFT, f"party:{RIVAL}")
    later.act(one, bare)
    later.lift(two, paper=pledge_of(DEVELOPER))
    assert later.told() == [("VALID", True, False), ("VALID", False, False)]


def test_lift__a_seizure__consent_of_nobody_replaces_the_document(later: After) -> None:
    identity = later.record(K.PRESERVATION)
    assert refusal(lambda: later.act(identity, RemarkAct("E-03"))) == "same_authority"
    assert refusal(lambda: later.consent(identity, Consentable.LIFT, f"party:{RIVAL}")) == "is_a_standing_pledge"


@pytest.mark.clause("E-04")
def test_end__agreed_terms_end_by_themselves__the_timer_notes_it_once(later: After) -> None:
    identity = later.record(K.AGREED, to_day=later.today)
    assert later.timers() == []
    later.wait(f"{after(later.today, 1)} 00:00")
    assert state_of(later.remark(identity), later.house.now) is RemarkState.ENDED, "before any timer ran"
    assert later.timers() == ["E-04"]
    assert later.timers() == []
    assert later.remark(identity).end is RemarkState.ENDED
    with pytest.raises(IllegalMove):
        later.extend(identity, after(later.today, 30))


@pytest.mark.clause("E-04")
@pytest.mark.parametrize("kind", [K.PRESERVATION, K.TEMP_CONTROL])
def test_end__authority_measures_keep_blocking_until_an_officer_confirms(later: After, kind: RemarkKind) -> None:
    identity = later.record(kind, to_day=later.today)
    with pytest.raises(IllegalMove):
        later.confirm(identity)
    later.wait(f"{after(later.today, 1)} 00:00")
    assert later.timers() == ["E-04"]
    assert later.standing.encumbered
    assert store.stops(later.house.session, later.code, Operation.TRANSFER, later.house.now)
    [line] = later.matters()
    assert (line.subject, line.state, line.moves) == (f"remark:{identity}", "UNVERIFIED", ("E-02", "E-03", "E-04"))
    assert refusal(lambda: later.confirm(identity, reason="")) == "fields"
    assert refusal(lambda: later.confirm(identity, reason=" ")) == "reason_is_given"
    with pytest.raises(NotEntitled):
        later.confirm(identity, CLERK)
    later.confirm(identity)
    assert not later.standing.encumbered
    assert later.told() == [("VALID", True, False), ("VALID", False, False)]
    assert later.matters() == []
    assert later.timers() == []


@pytest.mark.clause("E-04")
def test_end__of_a_pledge__only_its_pledgee_ends_it(later: After) -> None:
    identity = later.record(K.PLEDGE, paper=pledge_of(RIVAL), to_day=later.today)
    later.wait(f"{after(later.today, 1)} 00:00")
    assert later.timers() == ["E-04"]
    assert refusal(lambda: later.confirm(identity)) == "is_not_a_pledge"
    later.lift(identity, paper=pledge_of(RIVAL))
    assert not later.standing.encumbered


@pytest.mark.clause("E-04", "E-02")
def test_end__extended_after_it_was_noted__the_new_end_is_noted_again(later: After) -> None:
    identity = later.record(K.PRESERVATION, to_day=later.today)
    later.wait(f"{after(later.today, 1)} 00:00")
    assert later.timers() == ["E-04"]
    later.extend(identity, after(later.today, 3))
    later.wait(f"{after(later.today, 5)} 00:00")
    assert later.timers() == ["E-04"]


def test_timer__only_the_agency_notes_an_end(later: After) -> None:
    identity = later.record(K.PRESERVATION, to_day=later.today)
    later.wait(f"{after(later.today, 1)} 00:00")
    act = RemarkAct("E-04", rule="E-04")
    for by in (f"party:{RIVAL}", "staff:reviewer"):
        signed = later.house.signed("remark/v1", f"remark:{identity}", act, (by, "system"))
        with pytest.raises(NotEntitled):
            service.remark(later.house.session, later.house.agency, signed, later.house.signer, at=later.house.now)


@pytest.mark.clause("G23")
def test_repledge__next_rank_after_a_pledge__refused_under_seizure(later: After) -> None:
    later.record(K.PLEDGE, paper=pledge_of(RIVAL))
    later.record(K.PLEDGE, paper=pledge_of(DEVELOPER))
    effect = service.use_effect(later.house.session, later.code, later.house.now)
    assert effect.pledgees == (RIVAL, DEVELOPER)
    seizure = later.record(K.PRESERVATION, rights=(Right.USE,))
    assert refusal(lambda: later.record(K.PLEDGE)) == "pledge_may_follow"
    later.record(K.PLEDGE, rights=(Right.HOLD,), paper=pledge_of(AGENT))
    later.lift(seizure)
    later.record(K.PLEDGE, paper=instrument(K.PLEDGE, issuer_id="第四人"))
    ranks = [item.instrument.issuer_id for item in store.remarks_of(later.house.session, later.code)]
    assert ranks == [RIVAL, DEVELOPER, "演示-court", AGENT, "第四人"]


AGENT = "91330000MA00000001"


@pytest.mark.clause("E-03")
def test_consent__by_the_pledgee_or_two_persons_with_its_paper__opens_one_operation(later: After) -> None:
    identity = later.record(K.PLEDGE, paper=pledge_of(RIVAL))
    session, now = later.house.session, later.house.now
    assert store.stops(session, later.code, Operation.TRANSFER, now)
    assert refusal(lambda: later.consent(identity, Consentable.TRANSFER, *TWO)) == "written_consent"
    with pytest.raises(NotEntitled):
        later.consent(identity, Consentable.TRANSFER, "staff:reviewer", paper=attachment("质权人同意书"))
    with pytest.raises(NotEntitled):
        later.consent(identity, Consentable.TRANSFER, REGISTRANT)
    later.consent(identity, Consentable.TRANSFER, *TWO, paper=attachment("质权人同意书"))
    assert store.stops(session, later.code, Operation.TRANSFER, now) == ()
    assert store.stops(session, later.code, Operation.CANCELLATION, now)
    later.consent(identity, Consentable.CANCELLATION, f"party:{RIVAL}")
    assert store.stops(session, later.code, Operation.CANCELLATION, now) == ()
    [verdict] = service.verdicts(session, later.code, Operation.TRANSFER, now)
    assert (verdict.consented, verdict.stops) == (True, False)


def test_follow_and_settle__transferred_rights_take_their_remarks_along_kept_ones_stay(later: After) -> None:
    house = later.house
    both = later.record(K.PLEDGE, paper=pledge_of(RIVAL))
    use_only = later.record(K.PRESERVATION, rights=(Right.USE,))
    held = later.record(K.AGREED, rights=(Right.HOLD,))
    other = house.certificate(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", b"x\n1\n"))
    store.follow(house.session, later.code, other, {Right.USE})
    store.settle(house.session, later.code, {Right.HOLD, Right.OPERATE})
    assert [item.id for item in store.remarks_of(house.session, other)] == [both, use_only]
    assert [item.record.rights for item in store.remarks_of(house.session, other)] == [(Right.USE,), (Right.USE,)]
    assert [item.id for item in store.remarks_of(house.session, later.code)] == [both, held]
    assert store.remarks_of(house.session, later.code)[0].record.rights == (Right.HOLD, Right.OPERATE)
    assert store.codes_of(house.session, both) == sorted([later.code, other])
    later.lift(both, paper=pledge_of(RIVAL))
    assert not later.standing.encumbered
    assert After(house, other).standing.encumbered


def test_same_act_again__the_first_fact__other_content__refused(later: After) -> None:
    identity = later.record(K.PRESERVATION)
    before = facts.count(later.house.session)
    act = RemarkAct("E-03", instrument=instrument(K.PRESERVATION))
    signed = later.house.signed("remark/v1", f"remark:{identity}", act, *later.roles(*TWO))
    house = later.house
    first = service.remark(house.session, house.agency, signed, house.signer, at=house.now)
    again = service.remark(house.session, house.agency, signed, house.signer, at=house.now)
    assert again.replayed
    assert again.fact.id == first.fact.id
    assert facts.count(house.session) == before + 2, "the lifting and what was told of it, once"
    body = body_of(RemarkAct("E-03", reason="另一内容"))
    other = Statement("remark/v1", signed.statement.subject, 1, signed.statement.prev, body)
    with pytest.raises(Conflict):
        service.remark(house.session, house.agency, Signed(other, signed.signatures), house.signer, at=house.now)


def test_signature_of_another_key__refused(later: After) -> None:
    house = later.house
    body = RemarkAct("E-01", record=_recorded(later), instrument=instrument(K.PRESERVATION))
    signed = house.signed("remark/v1", f"remark:{'3' * 32}", body, *later.roles(*TWO))
    forged = type(signed)(signed.statement, (signed.signatures[0], signed.signatures[0]))
    with pytest.raises(NotEntitled):
        service.remark(house.session, house.agency, forged, house.signer, at=house.now)
    house.keys["staff:approver"] = house.keys["staff:reviewer"]
    wrong = house.signed("remark/v1", f"remark:{'3' * 32}", body, *later.roles(*TWO))
    with pytest.raises(BadSignature):
        service.remark(house.session, house.agency, wrong, house.signer, at=house.now)
    assert later.told() == []


@pytest.mark.clause("E-06")
def test_check__shows_kinds_and_days_at_once_and_counts_what_stops_the_purpose(later: After) -> None:
    house = later.house
    pdf = house.issue(later.code).pdf

    def check(purpose: Operation | None = None) -> Check:
        return answering.check(house.session, later.code, house.now, file=twin(pdf), purpose=purpose)

    assert check().ok
    identity = later.record(K.PRESERVATION, to_day=after(later.today, 30), rights=(Right.USE,), terms="裁定全文")
    found = check()
    assert not found.ok
    [flag] = found.flags
    assert (flag.kind, flag.authority, flag.from_day, flag.to_day) == (
        K.PRESERVATION, AuthorityType.COURT, later.today, after(later.today, 30),
    )  # fmt: skip
    assert "裁定全文" not in str(found)
    assert "某某" not in str(found.flags)
    assert check(Operation.RENEWAL).ok
    assert not check(Operation.TRANSFER).ok
    later.lift(identity)
    assert check().ok


def test_use_effect__signing_words_of_the_instrument_decide(later: After) -> None:
    session, now = later.house.session, later.house.now
    quiet = later.record(K.PRESERVATION)
    assert not service.use_effect(session, later.code, now).signing
    later.lift(quiet)
    later.record(K.PRESERVATION, signing=Signing.ALLOWED)
    assert service.use_effect(session, later.code, now).signing
    with pytest.raises(Unknown):
        service.use_effect(session, "SJ3312026120001", now)
