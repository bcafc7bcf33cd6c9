"""The seven steps on a real database with real keys: the straight way, every turn-off, and what must be refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from ledger import rebuild, sm, store
from ledger.digest import twin
from ledger.errors import BadSignature, Conflict, FieldError, Stale
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry import admitting, answering, depositing, document, filing, holding, moving, signers, validity
from registry import store as views
from registry.asset import Source, Twin
from registry.calendar import end_of
from registry.case import Act, Answer, State, completion_due
from registry.catalogue import CodeAnswer, Integrity, Listing
from registry.certificate import Status, UseAuthorisation
from registry.errors import (
    CodeExhausted,
    DepositRefused,
    GuardRefused,
    IllegalMove,
    NotEntitled,
    PaperRefused,
    Unknown,
)
from registry.objection import Decision, Outcome
from registry.party import Party, PartyKind, Staff
from registry.projecting import PROJECTORS
from registry.rights import Right
from registry.search.store import Wanted
from registry.tables import CertificateRow, CodeCounterRow
from tests.registry.registry_house import (
    AGENCY,
    CALENDAR,
    DEVELOPER,
    PASSED,
    PROVIDER,
    RIVAL,
    TWO,
    House,
    a_form,
    an_item,
    applicant,
    dump,
    moment,
)


def test_registration__seven_steps__ends_with_a_certificate_in_force(house: House) -> None:
    identity = house.file(a_form())
    assert house.case(identity).state is State.SUBMITTED
    house.at("2026-08-05 10:00")
    house.accept(identity)
    house.at("2026-08-14 10:00")
    house.publish(identity)
    assert house.timers() == []
    house.at("2026-08-21 23:59")
    assert house.timers() == []
    house.at("2026-08-22 00:00")
    assert house.timers() == ["I-18"]
    house.at("2026-09-01 10:12")
    registered = house.deposit(identity)
    assert registered.code == "SJ3312026090001"
    papers = house.issue(registered.code)
    case = house.case(identity)
    assert case.state is State.ISSUED
    assert case.code == registered.code
    status = validity.certificate_status(house.session, registered.code, house.now)
    assert (status.status, status.in_force) == (Status.VALID, True)
    assert registered.entry.body["last_day"] == "2031-08-31"
    answer = answering.check(house.session, registered.code, house.now, file=twin(papers.pdf))
    assert (answer.integrity, answer.status) == (Integrity.INTACT, Status.VALID)


def test_registration__lapse__follows_from_time_alone_at_midnight_in_shanghai(house: House) -> None:
    code = house.certificate(a_form())
    row = views.certificate(house.session, code)
    last = end_of(date.fromisoformat(row.last_day)) - 1
    assert validity.certificate_status(house.session, code, last).status is Status.VALID
    lapsed = validity.certificate_status(house.session, code, last + 1)
    assert (lapsed.status, lapsed.in_force) == (Status.LAPSED, False)
    assert not holding.holds_right(house.session, PROVIDER, code, Right.USE, last + 1)


def test_correction__answered_in_time__clock_starts_again_and_list_is_not_extended(house: House) -> None:
    identity = house.file(a_form())
    house.at("2026-08-05 10:00")
    deadline = end_of(date.fromisoformat("2026-08-18"))
    house.move(identity, Act("I-04", items=(an_item(1), an_item(2)), deadline=deadline), "staff:clerk")
    house.at("2026-08-12 10:00")
    with pytest.raises(GuardRefused) as missing:
        house.move(identity, Act("I-05", answers=(Answer(1, "已补充"),)), f"party:{PROVIDER}")
    assert missing.value.guard == "every_item_answered"
    better = replace(a_form(), description=replace(a_form().description, limits="无"))
    answers = (Answer(1, "已补充"), Answer(2, "已补充"))
    house.move(identity, Act("I-05", answers=answers, form=better), f"party:{PROVIDER}")
    case = house.case(identity)
    assert (case.state, case.version, case.c01_from) == (State.SUBMITTED, 2, "2026-08-12")
    assert case.form.description.limits == "无"
    with pytest.raises(GuardRefused) as again:
        house.move(identity, Act("I-04", items=(an_item(3),), deadline=deadline), "staff:clerk")
    assert again.value.guard == "one_complete_list"


def test_correction__not_answered__is_deemed_not_filed_by_the_timer(house: House) -> None:
    identity = house.file(a_form())
    deadline = end_of(date.fromisoformat("2026-08-11"))
    house.move(identity, Act("I-04", items=(an_item(),), deadline=deadline), "staff:clerk")
    house.now = deadline - 1
    assert house.timers() == []
    house.now = deadline
    with pytest.raises(GuardRefused):
        house.move(identity, Act("I-05", answers=(Answer(1, "迟到"),)), f"party:{PROVIDER}")
    assert house.timers() == ["I-06"]
    assert house.case(identity).state is State.NOT_FILED


def test_acceptance__silence__is_acceptance_on_a_working_saturday(house: House) -> None:
    """V2: received Tue 2026-09-29, C01 ends 10-09, deemed accepted on Saturday 10-10, a working day."""
    house.at("2026-09-29 11:00")
    identity = house.file(a_form())
    house.at("2026-10-09 23:59")
    assert house.timers() == []
    house.at("2026-10-10 00:00")
    with pytest.raises(GuardRefused) as late:
        house.accept(identity)
    assert late.value.guard == "written_in_time"
    assert house.timers() == ["I-08"]
    case = house.case(identity)
    assert (case.accepted_on, case.deemed, case.state) == ("2026-10-10", True, State.UNDER_REVIEW)


def test_acceptance__calendar_of_next_year_missing__nothing_is_deemed(house: House) -> None:
    house.at("2026-12-30 09:00")
    identity = house.file(a_form())
    house.at("2027-02-01 09:00")
    assert house.timers() == []
    assert house.case(identity).state is State.SUBMITTED
    house.accept(identity)
    assert house.case(identity).state is State.UNDER_REVIEW


def test_objection__rejected_after_publicity__goes_on_and_deposit_waits_for_it(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.at("2026-08-14 10:00")
    house.publish(identity)
    house.at("2026-08-18 10:00")
    first = house.object(identity)
    second = house.object(identity, ("staff:clerk", "intake"), reason="登记错误")
    house.at("2026-08-24 10:00")
    assert house.timers() == []
    with pytest.raises(IllegalMove):
        house.move(identity, Act("I-24", record=Twin("0" * 64, "0" * 64)), "staff:officer")
    reject = tuple(Decision(item, Outcome.REJECTED, "证据不足") for item in (first, second))
    with pytest.raises(GuardRefused) as half:
        house.move(identity, Act("I-19", decisions=reject[:1]), *TWO)
    assert half.value.guard == "every_objection_decided"
    house.move(identity, Act("I-19", decisions=reject), *TWO)
    assert house.case(identity).state is State.READY
    assert house.deposit(identity).code.startswith("SJ331202608")


def test_objection__rejected_during_publicity__publicity_goes_on(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    house.at("2026-08-04 10:00")
    objection = house.object(identity)
    house.move(identity, Act("I-20", decisions=(Decision(objection, Outcome.WITHDRAWN, "异议人撤回"),)), *TWO)
    assert house.case(identity).state is State.PUBLICITY
    house.at("2026-08-11 00:00")
    assert house.timers() == ["I-18"]


def test_objection__upheld__ends_in_refusal_with_a_ground(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    objection = house.object(identity)
    upheld = (Decision(objection, Outcome.UPHELD, "权属证据成立"),)
    with pytest.raises(GuardRefused):
        house.move(identity, Act("I-21", decisions=upheld, ground="NA-1", reason="错"), *TWO)
    house.move(identity, Act("I-21", decisions=upheld, ground="RF-3", reason="权属纠纷未解决"), *TWO)
    assert house.case(identity).state is State.REFUSED
    with pytest.raises(IllegalMove):
        house.accept(identity)


def test_objection__after_publicity_before_deposit__is_taken(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    house.at("2026-08-11 08:00")
    house.timers()
    house.object(identity)
    assert house.case(identity).state is State.OBJECTION


def test_objection__by_the_applicant_itself__is_refused(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    house.publish(identity)
    with pytest.raises(NotEntitled):
        house.object(identity, (f"party:{PROVIDER}", ""))


def test_refusal__needs_a_known_ground_and_two_persons(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    with pytest.raises(NotEntitled):
        house.move(identity, Act("I-14", ground="RF-2", reason="来源违法"), "staff:reviewer")
    house.move(identity, Act("I-14", ground="RF-2", reason="来源违法"), *TWO)
    assert house.case(identity).state is State.REFUSED


@pytest.mark.clause("G18", "I-10", "I-11", "I-12", "C05")
def test_supplement__and_extension__move_the_due_date_as_the_guide_counts(house: House) -> None:
    """V10 and V13 through the service: accepted 08-03, supplement 08-06 to 08-12, then ten more working days."""
    identity = house.file(a_form())
    house.accept(identity)
    house.at("2026-08-06 10:00")
    deadline = end_of(date.fromisoformat("2026-08-19"))
    house.move(identity, Act("I-10", items=(an_item(),), deadline=deadline), "staff:reviewer")
    world = moving.world_of(house.session, house.agency, house.case(identity), house.now, CALENDAR)
    assert completion_due(house.case(identity), world) is None
    house.at("2026-08-12 10:00")
    house.move(identity, Act("I-11", answers=(Answer(1, "已补充"),)), f"party:{PROVIDER}")
    assert completion_due(house.case(identity), world) == moment("2026-08-22 00:00")
    with pytest.raises(GuardRefused):
        house.move(identity, Act("I-13", days=11, reason="来源复杂"), *TWO)
    house.move(identity, Act("I-13", days=10, reason="来源复杂"), *TWO)
    assert completion_due(house.case(identity), world) == moment("2026-09-05 00:00")
    with pytest.raises(GuardRefused):
        house.move(identity, Act("I-13", days=1, reason="再延"), *TWO)


@pytest.mark.clause("G18", "I-10", "I-11", "I-12", "C05")
def test_termination__one_condition_only__is_refused(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    deadline = end_of(date.fromisoformat("2026-08-19"))
    house.move(identity, Act("I-10", items=(an_item(),), deadline=deadline), "staff:reviewer")
    act = Act("I-12", ground="TM-1", reason="无法补充", cannot_supply=True)
    with pytest.raises(GuardRefused) as half:
        house.move(identity, act, *TWO)
    assert half.value.guard == "both_conditions"
    house.move(identity, replace(act, cannot_verify=True), *TWO)
    assert house.case(identity).state is State.TERMINATED


def test_waiver__granted_on_request__registers_without_showing_the_data(house: House) -> None:
    identity = house.file(replace(a_form(), waiver_reason="涉及商业秘密"))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意不公示"), *TWO)
    code = house.deposit(identity).code
    answer = answering.check(house.session, code, house.now)
    assert (answer.status, answer.view) == (Status.VALID, None)
    assert answering.catalogue(house.session, house.now).listings == ()
    (line,) = answering.catalogue(house.session, house.now, Wanted(code)).listings
    assert line == Listing(code, agency=house.agency.name, status=Status.VALID)


def test_waiver__not_asked_for__is_refused(house: House) -> None:
    identity = house.file(a_form())
    house.accept(identity)
    with pytest.raises(GuardRefused) as refused:
        house.move(identity, Act("I-16", review=PASSED, reason="机构决定"), *TWO)
    assert refused.value.guard == "waiver_was_asked"


def test_submission__sent_again__gets_the_first_fact(house: House) -> None:
    signed = house.signed("application-submitted/v1", "application:" + "a" * 32, a_form(), (f"party:{PROVIDER}", ""))
    take = lambda item: filing.submit_application(  # noqa: E731
        house.session, house.agency, item, at=house.now, calendar=CALENDAR
    )
    first = take(signed)
    house.now += 60
    again = take(signed)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.fact.id == first.fact.id
    other = replace(a_form(), years=3)
    with pytest.raises(Conflict):
        take(_first_act(house, other))


def _first_act(house: House, form: object) -> Signed:
    statement = Statement("application-submitted/v1", "application:" + "a" * 32, 0, None, body_of(form))
    return Signed(statement, (house.signature(statement, f"party:{PROVIDER}", ""),))


def test_move__sent_again_or_against_an_older_state(house: House) -> None:
    identity = house.file(a_form())
    accept = house.act(identity, Act("I-07", accepted_on="2026-08-03"), "staff:clerk")
    stale = house.act(identity, Act("I-03"), f"party:{PROVIDER}")
    take = lambda item: moving.move(  # noqa: E731
        house.session, house.agency, item, at=house.now, calendar=CALENDAR
    )
    first = take(accept)
    house.publish(identity)
    assert take(accept).fact.id == first.fact.id
    assert house.case(identity).state is State.PUBLICITY
    with pytest.raises(Conflict):
        take(stale)
    late = replace(stale, statement=replace_no(stale, 9))
    with pytest.raises(Stale):
        take(late)


def replace_no(signed: Signed, no: int) -> Statement:
    old = signed.statement
    return Statement(old.kind, old.subject, no, old.prev, old.body)


def test_signature__of_another_key__is_refused_and_nothing_written(house: House) -> None:
    before = store.count(house.session)
    form = a_form()
    signed = house.signed("application-submitted/v1", "application:" + "b" * 32, form, (f"party:{RIVAL}", ""))
    forged = replace(signed, signatures=(replace(signed.signatures[0], by=f"party:{PROVIDER}"),))
    tampered = Signed(
        house.signed("application-submitted/v1", "application:" + "b" * 32, replace(form, years=1)).statement,
        house.signed("application-submitted/v1", "application:" + "b" * 32, form, (f"party:{PROVIDER}", "")).signatures,
    )
    for bad in (forged, tampered, replace(signed, signatures=())):
        with pytest.raises(BadSignature):
            filing.submit_application(house.session, house.agency, bad, at=house.now, calendar=CALENDAR)
    with pytest.raises(NotEntitled):
        filing.submit_application(house.session, house.agency, signed, at=house.now, calendar=CALENDAR)
    assert store.count(house.session) == before


def test_joint_applicants__both_must_sign(house: House) -> None:
    both = (a_form().applicants[0], applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）"))
    rows = (*a_form().rights, replace(a_form().rights[0], holder_id=DEVELOPER, holder_name=both[1].name))
    form = replace(a_form(), applicants=both, rights=rows)
    with pytest.raises(GuardRefused) as missing:
        house.file(form, f"party:{PROVIDER}")
    assert missing.value.guard == "every_applicant_signed"
    assert house.file(form)


def test_separation__reviewer_is_not_approver_and_staff_is_not_a_stranger(house: House) -> None:
    house.hire("double", "reviewer", "approver")
    house.hire("guest", "approver", organisation=PROVIDER)
    identity = house.file(a_form())
    house.accept(identity)
    text = Act("I-14", ground="RF-1", reason="理由")
    for who in (
        [("staff:double", "reviewer"), ("staff:double", "approver")],
        [("staff:reviewer", "reviewer"), ("staff:guest", "approver")],
        [("staff:reviewer", "reviewer"), ("staff:second", "approver")],
        [("staff:clerk", "intake")],
    ):
        signed = house.signed("application-move/v1", f"application:{identity}", text, *who)
        with pytest.raises(NotEntitled):
            moving.move(house.session, house.agency, signed, at=house.now, calendar=CALENDAR)
    deadline = end_of(date.fromisoformat("2026-08-19"))
    ask = house.signed(
        "application-move/v1", f"application:{identity}", Act("I-10", items=(an_item(),), deadline=deadline),
        ("staff:double", "reviewer"),
    )  # fmt: skip
    moving.move(house.session, house.agency, ask, at=house.now, calendar=CALENDAR)
    approve = house.signed(
        "application-move/v1", f"application:{identity}", text, ("staff:reviewer", "reviewer"),
        ("staff:double", "approver"),
    )  # fmt: skip
    with pytest.raises(NotEntitled, match="审查人"):
        moving.move(house.session, house.agency, approve, at=house.now, calendar=CALENDAR)


def test_staff__dismissed__can_act_no_more(house: House) -> None:
    identity = house.file(a_form())
    body = Staff(AGENCY, house.keys["staff:clerk"].public, ("intake",), active=False)
    signed = house.signed("staff/v1", "staff:clerk", body, (f"party:{AGENCY}", ""))
    house.now += 60
    admitting.register_staff(house.session, house.agency, signed, at=house.now)
    with pytest.raises(BadSignature):
        house.accept(identity)


def test_agency__as_its_own_applicant__is_refused(house: House) -> None:
    with pytest.raises(GuardRefused) as refused:
        house.file(a_form(AGENCY, house.agency.name))
    assert refused.value.guard == "agency_is_not_applicant"


def test_deposit__receipt_of_another_key_record_or_time__is_refused(house: House) -> None:
    identity = house.file(replace(a_form(), waiver_reason="商业秘密"))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
    house.ask_deposit(identity)
    good = house.receipt(identity)
    stranger = sm.generate()
    house.keys["stranger"] = stranger
    forged = replace(good, signatures=(sign_sm2(stranger, good.statement, by=good.signatures[0].by),))
    with pytest.raises(BadSignature):
        house.take_receipt(forged)
    with pytest.raises(DepositRefused):
        house.take_receipt(house.receipt(identity, record=Twin("1" * 64, "2" * 64)))
    with pytest.raises(DepositRefused):
        house.take_receipt(house.receipt(identity, deposited_at=house.now + 1))
    with pytest.raises(DepositRefused):
        house.take_receipt(house.receipt(identity, authority=RIVAL))
    assert house.case(identity).state is State.DEPOSITING
    first = house.take_receipt(good)
    assert house.take_receipt(good).entry.id == first.entry.id
    assert len(list(house.session.scalars(select(CertificateRow)))) == 1
    with pytest.raises(Conflict):
        house.take_receipt(house.receipt(identity, number="另一编号"))


def test_deposit__refused_by_the_authority__waits_and_can_be_asked_again(house: House) -> None:
    identity = house.file(replace(a_form(), waiver_reason="商业秘密"))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
    house.ask_deposit(identity)
    depositing.record_deposit_refusal(
        house.session, house.agency, identity, "格式不符", house.signer, at=house.now, calendar=CALENDAR
    )
    assert house.case(identity).state is State.READY
    assert house.deposit(identity).code == "SJ3312026080001"


def test_duplicate__same_holder_right_and_data__is_never_deposited_twice(house: House) -> None:
    house.certificate(a_form())
    with pytest.raises(GuardRefused) as twice:
        house.certificate(a_form(rights=(Right.USE,)))
    assert twice.value.guard == "nobody_holds_it_twice"
    other = house.certificate(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）"))
    assert other == "SJ3312026090001"


def test_derived__needs_the_right_of_use_in_every_source(house: House) -> None:
    source = house.certificate(a_form())
    form = a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", b"hour,delay\n1,2\n", (Source(source),))
    identity = house.file(form)
    house.accept(identity)
    with pytest.raises(GuardRefused) as refused:
        house.publish(identity)
    assert refused.value.guard == "source_rights_held"
    granted = UseAuthorisation(
        source, PROVIDER, DEVELOPER, ("USE",), house.now, moment("2028-03-01 00:00"), ("延误特征",)
    )
    stranger = replace(granted, holder=RIVAL)
    with pytest.raises(NotEntitled):
        holding.authorise_use(
            house.session,
            house.signed("use-authorisation/v1", "authorisation:" + "c" * 32, stranger, (f"party:{RIVAL}", "")),
            at=house.now,
        )
    signed = house.signed("use-authorisation/v1", "authorisation:" + "d" * 32, granted, (f"party:{PROVIDER}", ""))
    authorisation = holding.authorise_use(house.session, signed, at=house.now).fact.id
    allowed = a_form(
        DEVELOPER, "宁波某某数据元件有限公司（演示）", b"hour,delay\n1,2\n", (Source(source, authorisation),)
    )
    code = house.certificate(allowed)
    assert views.certificate(house.session, code).last_day == "2028-02-29"
    assert holding.holds_right(house.session, DEVELOPER, code, Right.OPERATE, house.now)
    assert not holding.holds_right(house.session, DEVELOPER, source, Right.USE, house.now)


def test_code__month_used_up__is_an_error_and_never_a_reuse(house: House) -> None:
    identity = house.file(replace(a_form(), waiver_reason="商业秘密"))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
    house.session.add(CodeCounterRow(region="33", agency="1", month="202608", last=9998))
    house.session.flush()
    assert house.deposit(identity).code == "SJ3312026089999"
    second = house.file(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", waiver_reason="商业秘密"))
    house.accept(second)
    house.move(second, Act("I-16", review=PASSED, reason="同意"), *TWO)
    house.ask_deposit(second)
    with pytest.raises(CodeExhausted), house.session.begin_nested():
        house.take_receipt(house.receipt(second))
    assert house.case(second).state is State.DEPOSITING
    house.at("2026-09-01 09:00")
    assert house.take_receipt(house.receipt(second)).code == "SJ3312026090001"


def test_issue__again__gives_the_same_bytes_and_other_bytes_are_altered(house: House) -> None:
    code = house.certificate(a_form())
    with pytest.raises(Unknown):
        house.issue("SJ3312026089999")
    before = answering.check(house.session, code, house.now, file=twin(b"x"))
    assert (before.integrity, before.issued) == (Integrity.CANNOT_CHECK, False)
    first, again = house.issue(code), house.issue(code)
    assert (first.pdf, first.json, again.replayed) == (again.pdf, again.json, True)
    assert answering.check(house.session, code, house.now, file=twin(first.json)).integrity is Integrity.INTACT
    flipped = bytes([first.pdf[0] ^ 1]) + first.pdf[1:]
    answer = answering.check(house.session, code, house.now, file=twin(flipped), token="wrong")
    assert (answer.integrity, answer.status, answer.token_matches) == (Integrity.ALTERED, Status.VALID, False)
    token = str(first.fact.body["token"])
    assert answering.check(house.session, code, house.now, token=token).token_matches


def test_issue__template_gives_other_bytes__is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    code = house.certificate(a_form())
    house.issue(code)
    monkeypatch.setattr(document, "DEMO_SEAL", "他用印")
    with pytest.raises(PaperRefused):
        house.issue(code)


@pytest.mark.parametrize("code", ["", "SJ33120261100010", "sj3312026110001", "SJ3312026110000", "x" * 500])
def test_check__malformed_or_unknown_code__is_an_answer_not_an_error(house: House, code: str) -> None:
    assert answering.check(house.session, code, house.now).status is CodeAnswer.MALFORMED_CODE
    assert answering.check(house.session, "SJ3312026110001", house.now).status is CodeAnswer.UNKNOWN_CODE


def test_check__shows_no_contact_and_no_whole_identity_number(house: House) -> None:
    code = house.certificate(a_form())
    text = repr(answering.check(house.session, code, house.now))
    assert PROVIDER not in text
    assert "演示联系人" not in text
    assert "0571-00000000" not in text


def test_party__key_change__needs_old_and_new_key_and_the_agency(house: House) -> None:
    by, house_by = f"party:{PROVIDER}", f"party:{AGENCY}"
    fresh = sm.generate()
    evm = signers.keys_of(house.session, by, house.now).evm
    body = Party("杭州某某航空数据有限公司（演示）", PartyKind.LEGAL, PROVIDER, fresh.public, evm)
    old = house.keys[by]
    statement = house.signed("party/v1", by, body).statement
    signatures = (
        sign_sm2(fresh, statement, by=by),
        sign_sm2(old, statement, by=by),
        sign_sm2(house.keys[house_by], statement, by=house_by),
    )
    for left_out in range(3):
        some = tuple(item for position, item in enumerate(signatures) if position != left_out)
        with pytest.raises(BadSignature):
            admitting.register_party(house.session, house.agency, Signed(statement, some), at=house.now)
    admitting.register_party(house.session, house.agency, Signed(statement, signatures), at=house.now)
    assert signers.keys_of(house.session, by, house.now).sm2 == fresh.public
    assert signers.keys_of(house.session, by, house.now - 1).sm2 == old.public


def test_form__unknown_field_or_bad_check_digit__names_the_field(house: House) -> None:
    document = body_of(a_form())
    document["surprise"] = 1
    signed = house.signed("application-submitted/v1", "application:" + "e" * 32, document, (f"party:{PROVIDER}", ""))
    with pytest.raises(FieldError, match="surprise"):
        filing.submit_application(house.session, house.agency, signed, at=house.now, calendar=CALENDAR)
    bad = a_form(PROVIDER[:-1] + ("0" if PROVIDER[-1] != "0" else "1"))
    with pytest.raises(FieldError, match=r"applicants\[0\].id_no"):
        house.file(bad, f"party:{PROVIDER}")


def test_reindex__views_from_facts__are_the_same_rows(house: House) -> None:
    code = house.certificate(a_form())
    house.issue(code)
    before = dump(house)
    rebuild.clear_views(house.session)
    house.session.expunge_all()
    assert answering.catalogue(house.session, house.now).listings == ()
    rebuild.fold(house.session, house.session, PROJECTORS)
    assert dump(house) == before
