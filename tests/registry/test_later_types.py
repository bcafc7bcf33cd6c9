"""转让, 变更, 续期, 注销 on a real database with real keys: what each may change, what it leaves, what it ends."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pypdf
import pytest
from sqlalchemy import select

from ledger import store as facts
from ledger.digest import twin
from ledger.errors import BadSignature, FieldError
from ledger.reading import read
from ledger.verify import Refused
from registry import answering, depositing, entries, filing, holding, moving, precheck, store, validity
from registry.asset import AssetKind, Source, Twin
from registry.calendar import end_of
from registry.case import Act, Answer, Item, State
from registry.catalogue import Integrity
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENDING,
    ENTRY,
    RegisterEntry,
    Status,
    UseAuthorisation,
    record_digest,
    record_in,
    renewal_window,
)
from registry.errors import GuardRefused, IllegalMove, NotEntitled, Unknown
from registry.form import Change, Changed, Form, Held, RegistrationType
from registry.party import PartyKind
from registry.precheck import Level
from registry.proof import RegisterEntryRules
from registry.rights import Basis, Right, SourceKind
from registry.scheme import NATIONAL_2026
from registry.succession import change_form
from registry.tables import CertificateRow
from registry.telling import TOLD
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
    applicant,
    attachment,
    decision,
    moment,
)

TRANSFER, CHANGE, RENEWAL, CANCELLATION = list(RegistrationType)[1:]
SELLER, BUYER = "杭州某某航空数据有限公司（演示）", "宁波某某数据元件有限公司（演示）"
ALL = tuple(Held(PROVIDER, right) for right in Right)
RECEIVER = (applicant(DEVELOPER, BUYER),)


def checked(house: House, form: Form) -> tuple[precheck.Finding, ...]:
    """The pre-check with what the register knows."""
    known = filing.known_of(house.session, form, house.now, CALENDAR)
    return filing.check_form(house.agency, form, house.now, known)


def rights_of(house: House, code: str) -> set[tuple[str, str]]:
    row = store.certificate(house.session, code)
    return {(item.holder, item.right) for item in store.holdings(house.session, row.code, row.version)}


def status_of(house: House, code: str, at: int | None = None) -> Status | None:
    return validity.certificate_status(house.session, code, house.now if at is None else at).status


def version(house: House, code: str) -> int:
    return store.certificate(house.session, code).version


def refused_by(attempt: Callable[[], object]) -> str:
    with pytest.raises(GuardRefused) as refused:
        attempt()
    return refused.value.guard


def pending_review(house: House, form: Form) -> Callable[[], object]:
    """Filed and accepted: what is left is the step that the reviewers take."""
    identity = house.file(form)
    house.accept(identity)
    return lambda: house.publish(identity)


# --- 变更 -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G35", "B-01", "B-03", "L-02", "A11")
def test_change__of_a_name__next_version_of_the_same_code_and_term(house: House) -> None:
    code = house.certificate(a_form())
    first = store.certificate(house.session, code)
    person = replace(a_form().applicants[0], name="杭州更名后数据有限公司（演示）")
    form = house.draft(code, CHANGE, applicants=(person,))
    assert form.change == Change((Changed(f"{PROVIDER}.name", SELLER, person.name),))
    house.now += 3600
    done = house.later(form)
    row = store.certificate(house.session, code)
    assert (done.code, row.version, row.last_day, row.valid_until) == (code, 2, first.last_day, first.valid_until)
    assert {item.holder_name for item in store.holdings(house.session, code, 2)} == {person.name}
    assert (status_of(house, code), status_of(house, code, row.valid_from - 1)) == (Status.VALID, Status.VALID)
    assert (first.ended, first.ended_at, first.ended_by) == ("SUPERSEDED", row.valid_from, done.entry.id)
    entry = read(RegisterEntry, done.entry.body)
    assert (entry.type, entry.predecessor and entry.predecessor.version) == (CHANGE, 1)


@pytest.mark.clause("G35", "B-01")
def test_change__of_an_address__is_known_from_the_form_on_file_and_is_not_published(house: House) -> None:
    code = house.certificate(a_form())
    person = a_form().applicants[0]
    assert person.business
    moved = replace(person, business=replace(person.business, address="新址（演示）"))
    form = house.draft(code, CHANGE, applicants=(moved,))
    assert form.change == Change((Changed(f"{PROVIDER}.business.address", "演示地址", "新址（演示）"),))
    identity = house.file(form)
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="不涉及公示事项"), *TWO)
    house.deposit(identity)
    again = house.draft(code, CHANGE, applicants=(replace(moved, address="又一址"),))
    assert again.change == Change((Changed(f"{PROVIDER}.address", "演示地址", "又一址"),)), "the last form on file"
    assert answering.check(house.session, code, house.now).view is not None, "what was published stays published"


@pytest.mark.clause("G35", "B-01", "G24")
def test_change__of_the_data_name__is_published(house: House) -> None:
    code = house.certificate(a_form())
    data = replace(a_form().description, data_name="2013年全国民航起降数据集（演示）", time_to="2014-12-31")
    identity = house.file(house.draft(code, CHANGE, description=data))
    house.accept(identity)
    without = Act("I-16", review=PASSED, reason="不公示")
    assert refused_by(lambda: house.move(identity, without, *TWO)) == "waiver_was_asked"
    house.publish(identity)
    house.now += 14 * 86400
    house.timers()
    house.deposit(identity)
    assert store.certificate(house.session, code).data_name == data.data_name
    assert [item.data_name for item in answering.catalogue(house.session, house.now).listings] == [data.data_name]


@pytest.mark.clause("G35", "B-02", "PC-30")
@pytest.mark.parametrize("what", ["holder", "source", "basis", "kind", "rights", "items", "years", "party_kind"])
def test_change__of_what_is_no_change__is_red_before_and_refused_at_review(house: House, what: str) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CHANGE, description=replace(a_form().description, overview="另一概述"))
    person = form.applicants[0]
    wrong = {
        "holder": replace(form, applicants=(*form.applicants, *RECEIVER)),
        "source": replace(form, source_kind=SourceKind.CONTRACT),
        "basis": replace(form, right_basis=Basis.M2),
        "kind": replace(form, description=replace(form.description, kind=AssetKind.PRODUCT)),
        "rights": replace(form, rights=form.rights[:1]),
        "items": replace(form, description=replace(form.description, limits="无")),
        "years": replace(form, years=4),
        "party_kind": replace(form, applicants=(replace(person, kind=PartyKind.UNINCORPORATED),)),
    }[what]
    entry = entries.entry_in_force(house.session, code, house.now)
    found = precheck.precheck(wrong, NATIONAL_2026, house.now, precheck.Known(entry=entry))
    assert "PC-30" in {item.rule for item in found if item.level is Level.RED}
    assert not precheck.stops(found), "art. 17: only the agency refuses, in writing"
    assert refused_by(pending_review(house, wrong)) == "differs_only_as_allowed"


@pytest.mark.clause("G35")
def test_change__of_the_data__needs_all_holders__of_ones_name__not(house: House) -> None:
    both = (a_form().applicants[0], *RECEIVER)
    rows = (*a_form().rights, replace(a_form().rights[0], holder_id=DEVELOPER, holder_name=BUYER))
    code = house.certificate(replace(a_form(), applicants=both, rights=rows))
    renamed = replace(RECEIVER[0], name="宁波更名（演示）")
    house.later(house.draft(code, CHANGE, applicants=(renamed,)))
    names = {item.holder: item.holder_name for item in store.holdings(house.session, code, 2)}
    assert names == {PROVIDER: SELLER, DEVELOPER: renamed.name}
    form = house.draft(code, CHANGE, description=replace(a_form().description, overview="另一概述"))
    alone = replace(form, applicants=form.applicants[:1])
    assert refused_by(pending_review(house, alone)) == "differs_only_as_allowed"


# --- 续期 -------------------------------------------------------------------------------------------------------------


def short_lived(house: House, until: str = "2026-12-10") -> str:
    return house.certificate(a_form(authorised_until=until))


@pytest.mark.clause("G36", "C09", "R-01")
@pytest.mark.parametrize(
    ("last", "first_day", "last_day"),
    [("2031-08-31", "2031-02-28", "2031-08-30"), ("2028-08-31", "2028-02-29", "2028-08-30"),
     ("2033-02-27", "2032-08-27", "2033-02-26")],
)  # fmt: skip
def test_renewal_window__six_months_before_the_last_day_to_the_day_before_it(
    last: str, first_day: str, last_day: str
) -> None:
    """V14: deposit 2026-09-01, five years, to 2031-08-31; renew 2031-02-28 to 08-30."""
    assert tuple(day.isoformat() for day in renewal_window(last, NATIONAL_2026)) == (first_day, last_day)


@pytest.mark.clause("G36", "R-01", "R-05", "PC-31")
def test_renewal__out_of_its_window__is_refused_by_the_minute(house: House) -> None:
    code = short_lived(house)
    row = store.certificate(house.session, code)
    assert row.last_day == "2026-12-10"
    form = replace(house.draft(code, RENEWAL, years=3), authorised_until=None)
    house.at("2026-12-10 00:00")
    assert refused_by(lambda: house.file(form)) == "filed_in_its_window"
    found = checked(house, form)
    assert "PC-31" in {item.rule for item in found}
    house.at("2026-12-09 23:59")
    house.file(form)
    assert refused_by(lambda: house.file(form)) == "no_other_renewal"
    early = house.certificate(a_form(RIVAL, "绍兴某某数据有限公司（演示）"))
    assert refused_by(lambda: house.file(house.draft(early, RENEWAL, years=3))) == "filed_in_its_window"


@pytest.mark.clause("G36", "G26", "R-02", "R-03", "L-03", "L-05", "A12")
def test_renewal__pending_over_expiry__neither_lapses_nor_is_plainly_valid_and_begins_anew(house: House) -> None:
    code = short_lived(house)
    old = store.certificate(house.session, code)
    house.at("2026-12-01 09:00")
    identity = house.file(replace(house.draft(code, RENEWAL, years=3), authorised_until=None))
    house.timers()
    assert store.last_told(house.session, code, 1).status is Status.RENEWAL_PENDING, "told before expiry (D19)"
    assert status_of(house, code) is Status.VALID
    house.accept(identity)
    house.publish(identity)
    assert status_of(house, code, old.valid_until - 1) is Status.VALID
    house.at("2026-12-15 09:00")
    assert "I-18" in house.timers()
    assert status_of(house, code) is Status.RENEWAL_PENDING
    assert holding.holds_right(house.session, PROVIDER, code, Right.USE, house.now)
    house.deposit(identity)
    new = store.certificate(house.session, code)
    assert (new.version, new.last_day, status_of(house, code)) == (2, "2029-12-14", Status.VALID)
    assert status_of(house, code, old.valid_until) is Status.RENEWAL_PENDING
    assert house.timers() == []
    assert store.last_told(house.session, code, 1).status is Status.SUPERSEDED
    assert store.last_told(house.session, code, 2).status is Status.VALID


@pytest.mark.clause("G36", "R-04", "L-06")
@pytest.mark.parametrize("how", ["withdrawn", "refused"])
def test_renewal__not_granted__the_certificate_lapsed_at_its_old_end(house: House, how: str) -> None:
    code = short_lived(house)
    end = store.certificate(house.session, code).valid_until
    house.at("2026-12-01 09:00")
    identity = house.file(replace(house.draft(code, RENEWAL, years=3), authorised_until=None))
    house.accept(identity)
    house.timers()
    house.at("2026-12-14 09:00")
    house.timers()
    assert status_of(house, code) is Status.RENEWAL_PENDING
    if how == "withdrawn":
        house.move(identity, Act("I-03"), f"party:{PROVIDER}")
    else:
        house.move(identity, Act("I-14", ground="RF-4", reason="材料虚假"), *TWO)
    house.timers()
    assert (status_of(house, code), status_of(house, code, end)) == (Status.LAPSED, Status.LAPSED)
    assert status_of(house, code, end - 1) is Status.VALID
    told = [fact for fact in facts.facts_of_kind(house.session, TOLD) if fact.body["status"] == "LAPSED"]
    assert [(fact.body["effective_at"], fact.body["basis"]) for fact in told] == [(end, "R-04")]
    assert refused_by(lambda: house.file(house.draft(code, RENEWAL, years=3))) == "certificate_is_in_force"
    assert house.certificate(a_form()) != code, "after a lapse only a new 初次登记"


@pytest.mark.clause("G36", "R-04")
def test_renewal__withdrawn_while_the_term_runs__is_plainly_valid_again_and_may_be_filed_again(house: House) -> None:
    code = short_lived(house)
    house.at("2026-11-01 09:00")
    form = replace(house.draft(code, RENEWAL, years=3), authorised_until=None)
    identity = house.file(form)
    house.timers()
    house.move(identity, Act("I-03"), f"party:{PROVIDER}")
    house.timers()
    assert store.last_told(house.session, code, 1).status is Status.VALID
    house.file(form)
    house.timers()
    assert store.last_told(house.session, code, 1).status is Status.RENEWAL_PENDING


@pytest.mark.clause("G36", "C10", "L-04", "A13")
def test_lapse__of_itself_at_midnight__told_once_and_final(house: House) -> None:
    code = short_lived(house)
    row = store.certificate(house.session, code)
    house.now = row.valid_until - 1
    assert moving.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=CALENDAR) == []
    house.now += 3600
    [told] = moving.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=CALENDAR)
    assert (told.body["status"], told.body["effective_at"], told.body["basis"]) == ("LAPSED", row.valid_until, "C10")
    assert moving.run_timers(house.session, house.agency, house.signer, at=house.now, calendar=CALENDAR) == []
    assert (row.ended, row.ended_at) == ("LAPSED", row.valid_until)


@pytest.mark.clause("G36", "G20")
def test_renewal__of_derived_data__needs_the_source_again_and_ends_with_it(house: House) -> None:
    source = house.certificate(a_form())

    def allowed(until: str) -> str:
        grant = UseAuthorisation(source, PROVIDER, DEVELOPER, ("USE",), house.now, moment(until), ("演示",))
        subject = f"authorisation:{house.now:032x}"
        signed = house.signed("use-authorisation/v1", subject, grant, (f"party:{PROVIDER}", ""))
        return holding.authorise_use(house.session, signed, at=house.now).fact.id

    derived = a_form(DEVELOPER, BUYER, b"hour,delay\n1,2\n", (Source(source, allowed("2026-12-11 00:00")),))
    code = house.certificate(derived)
    house.at("2026-12-01 09:00")
    form = house.draft(code, RENEWAL, years=3)
    stale = house.file(form)
    house.accept(stale)
    house.move(stale, Act("I-03"), f"party:{DEVELOPER}")
    fresh = replace(form.description, sources=(Source(source, allowed("2027-03-01 00:00")),))
    house.later(replace(form, description=fresh))
    assert store.certificate(house.session, code).last_day == "2027-02-28"


@pytest.mark.clause("G36")
def test_renewal__leaving_out_a_right_or_a_holder__is_refused(house: House) -> None:
    code = short_lived(house)
    house.at("2026-11-02 09:00")
    form = replace(house.draft(code, RENEWAL, years=3), authorised_until=None)
    assert form.renewal
    part = replace(form, renewal=replace(form.renewal, rights=(Right.USE,)))
    assert refused_by(pending_review(house, part)) == "differs_only_as_allowed"


@pytest.mark.clause("G36", "G34")
def test_renewal__filed_before_a_part_moved_away__renews_what_is_left(house: House) -> None:
    code = short_lived(house)
    house.at("2026-11-02 09:00")
    renewal = house.file(replace(house.draft(code, RENEWAL, years=3), authorised_until=None))
    house.review(renewal)
    moved = house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER))
    assert (version(house, code), store.certificate(house.session, code).renewal_filed_at) == (
        2, house.case(renewal).submitted_at,
    )  # fmt: skip
    assert store.last_told(house.session, code, 2).status is Status.RENEWAL_PENDING, "the mark goes with the code"
    house.deposit(renewal)
    assert (version(house, code), rights_of(house, code)) == (3, {(PROVIDER, "HOLD"), (PROVIDER, "OPERATE")})
    assert store.certificate(house.session, code).last_day > store.certificate(house.session, moved.code).last_day


# --- 注销 -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G37", "Z-01", "L-07", "A14")
def test_cancellation__of_everything__ends_by_a_deposited_fact_without_a_paper(house: House) -> None:
    code = house.certificate(a_form())
    house.issue(code)
    house.now += 3600
    identity = house.file(house.draft(code, CANCELLATION))
    house.review(identity)
    done = house.deposit(identity)
    assert (done.entry.kind, done.code, house.case(identity).state) == (ENDING, code, State.ISSUED)
    assert status_of(house, code) is Status.CANCELLED
    assert status_of(house, code, done.entry.body["ended_at"] - 1) is Status.VALID
    assert not holding.right_in_force(house.session, code, Right.USE, house.now)
    [receipt] = [item for item in facts.facts_of_kind(house.session, DEPOSIT_RECEIPT) if item.id == done.receipt.id]
    assert receipt.body["record"] == done.entry.body["record_digest"], "the deposit covers the ending"
    told = facts.facts_of_kind(house.session, TOLD)[-1]
    assert (told.body["status"], told.body["basis"]) == ("CANCELLED", done.entry.id)
    again = house.take_receipt(house.receipt(identity, number=receipt.body["number"], deposited_at=house.now))
    assert (again.replayed, again.entry.id) == (True, done.entry.id)
    assert house.certificate(a_form()) != code, "the right may be registered anew"


@pytest.mark.clause("G37", "Z-01", "L-02")
def test_cancellation__of_one_right__leaves_the_others_in_the_next_version(house: House) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),))
    house.later(form)
    assert version(house, code) == 2
    assert rights_of(house, code) == {(PROVIDER, "HOLD"), (PROVIDER, "USE")}
    assert not holding.right_in_force(house.session, code, Right.OPERATE, house.now)
    assert refused_by(pending_review(house, form)) == "differs_only_as_allowed"


@pytest.mark.clause("G37", "Z-02")
def test_cancellation__by_extinction__asks_for_the_proof(house: House) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CANCELLATION, reason="Z-02")
    rules = {item.zh for item in checked(house, form)}
    assert "缺少材料：权利消灭佐证。" in rules
    proved = replace(form, attachments=(*form.attachments, attachment(precheck.EXTINCTION_PROOF)))
    house.later(proved)
    assert status_of(house, code) is Status.CANCELLED


@pytest.mark.clause("G37", "Z-03", "Z-04", "Z-05")
@pytest.mark.parametrize("move", ["Z-03", "Z-04", "Z-05"])
def test_cancellation__by_the_agency__two_persons_no_applicant_and_no_way_to_withdraw(house: House, move: str) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CANCELLATION, reason=move)
    decided = decision(move, form)
    with pytest.raises(NotEntitled):
        house.open_by_agency(decided, "staff:reviewer")
    with pytest.raises(NotEntitled):
        house.open_by_agency(decided, f"party:{PROVIDER}")
    assert refused_by(lambda: house.open_by_agency(replace(decided, move="B-04"))) == "ground_of_the_move"
    identity = house.open_by_agency(decided)
    assert refused_by(lambda: house.move(identity, Act("I-03"), f"party:{PROVIDER}")) == "applied_for"
    house.deposit(identity)
    assert (house.case(identity).state, status_of(house, code)) == (State.ISSUED, Status.CANCELLED)
    assert refused_by(lambda: house.open_by_agency(decided)) == "certificate_is_in_force"
    by_holder = replace(form, cancellation=replace(form.cancellation, reason=move))  # type: ignore[type-var]
    other = house.certificate(a_form(DEVELOPER, BUYER))
    wrong = replace(house.draft(other, CANCELLATION), cancellation=by_holder.cancellation)
    assert refused_by(pending_review(house, wrong)) == "differs_only_as_allowed"


@pytest.mark.clause("G29", "B-04")
def test_change__by_the_agency__corrects_limits_too(house: House) -> None:
    code = house.certificate(a_form())
    entry = entries.entry_in_force(house.session, code, house.now)
    rows = tuple(replace(row, limits="仅限境内") for row in entry.record.rights)
    form = change_form(entry, house.case(store.certificate(house.session, code).application).form, rights=rows)
    assert refused_by(pending_review(house, form)) == "differs_only_as_allowed"
    identity = house.open_by_agency(decision("B-04", form))
    house.deposit(identity)
    record = entries.entry_in_force(house.session, code, house.now).record
    assert {row.limits for row in record.rights} == {"仅限境内"}
    assert (record.type, version(house, code)) == (CHANGE, 2)


# --- 转让 -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G34", "T-01", "T-04", "T-05", "L-08", "L-01", "A10")
def test_transfer__of_everything__new_code_remaining_term_old_one_transferred(house: House) -> None:
    code = house.certificate(a_form())
    old = store.certificate(house.session, code)
    house.now += 86400
    form = house.draft(code, TRANSFER, moved=ALL, receivers=RECEIVER)
    with pytest.raises(GuardRefused):
        house.file(form, f"party:{PROVIDER}")
    done = house.later(form)
    new = store.certificate(house.session, done.code)
    assert done.code != code
    assert (new.version, new.last_day, new.predecessor, new.predecessor_version) == (1, old.last_day, code, 1)
    assert (status_of(house, code), status_of(house, done.code)) == (Status.TRANSFERRED, Status.VALID)
    assert rights_of(house, done.code) == {(DEVELOPER, right.value) for right in Right}
    assert not holding.holds_right(house.session, PROVIDER, code, Right.HOLD, house.now)
    assert holding.holds_right(house.session, PROVIDER, code, Right.HOLD, new.valid_from - 1)
    assert len(facts.facts_of_kind(house.session, TOLD)) == 0, "the deposit itself says so on chain"
    back = house.draft(done.code, TRANSFER, moved=tuple(Held(DEVELOPER, right) for right in Right),
                       receivers=(a_form().applicants[0],))  # fmt: skip
    third = house.later(back)
    assert rights_of(house, third.code) == {(PROVIDER, right.value) for right in Right}


@pytest.mark.clause("G34", "G21", "T-03", "T-04", "D25")
def test_transfer__of_a_part__two_entries_of_one_receipt_and_other_holders_untouched(house: House) -> None:
    both = (a_form().applicants[0], applicant(RIVAL, "绍兴某某数据有限公司（演示）"))
    shared = replace(a_form().rights[1], holder_id=RIVAL, holder_name=both[1].name)
    code = house.certificate(replace(a_form(), applicants=both, rights=(*a_form().rights, shared)))
    house.now += 86400
    moved = (Held(PROVIDER, Right.USE), Held(PROVIDER, Right.OPERATE))
    identity = house.file(house.draft(code, TRANSFER, moved=moved, receivers=RECEIVER))
    house.review(identity)
    done = house.deposit(identity)
    assert (version(house, code), version(house, done.code)) == (2, 1)
    assert rights_of(house, code) == {(PROVIDER, "HOLD"), (RIVAL, "USE")}
    assert rights_of(house, done.code) == {(DEVELOPER, "USE"), (DEVELOPER, "OPERATE")}
    assert (status_of(house, code), status_of(house, done.code)) == (Status.VALID, Status.VALID)
    first, second = (read(RegisterEntry, fact.body) for fact in facts.facts_of_kind(house.session, ENTRY)[-2:])
    assert first.predecessor == second.predecessor
    assert first.predecessor
    assert (first.predecessor.successors, first.receipt) == (2, second.receipt)
    main, rest = (
        record_in(read(RegisterEntry, fact.body), facts.parts_of(house.session, fact.id))
        for fact in facts.facts_of_kind(house.session, ENTRY)[-2:]
    )
    assert main.remainder == record_digest(rest) == second.record_digest, "one deposit covers both"
    assert main.salt != rest.salt
    papers = [house.issue(done.code), house.issue(code)]
    assert house.case(identity).state is State.ISSUED
    for paper in papers:
        answer = answering.check(house.session, paper.code, house.now, file=twin(paper.pdf))
        assert answer.integrity is Integrity.INTACT


@pytest.mark.clause("G34", "T-02", "PC-29", "PC-28")
@pytest.mark.parametrize(
    ("what", "rule"),
    [("keeps", "PC-29"), ("shorter", "PC-29"), ("limited", "PC-29"), ("not_held", "PC-28"), ("nobody", "PC-28"),
     ("more", "PC-28"), ("other_data", "PC-30"), ("empty_handed", "PC-19")],
)  # fmt: skip
def test_transfer__that_is_none__is_red_before_and_refused_at_review(house: House, what: str, rule: str) -> None:
    code = house.certificate(a_form(rights=(Right.HOLD, Right.USE)))
    form = house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER)
    [row] = form.rights
    assert form.transfer
    wrong = {
        "keeps": replace(form, rights=(row, replace(row, holder_id=PROVIDER, holder_name=SELLER))),
        "shorter": replace(form, rights=(replace(row, term_to="2027-12-31"),)),
        "limited": replace(form, rights=(replace(row, limits="仅限一次使用"),)),
        "not_held": replace(form, transfer=replace(form.transfer, moved=(Held(PROVIDER, Right.OPERATE),))),
        "nobody": replace(form, transfer=replace(form.transfer, moved=(*form.transfer.moved, ALL[0]))),
        "more": replace(form, rights=(row, replace(row, right=Right.OPERATE))),
        "other_data": replace(form, description=replace(form.description, limits="无")),
        "empty_handed": replace(form, applicants=(*form.applicants, applicant(RIVAL, "绍兴某某数据有限公司（演示）"))),
    }[what]  # fmt: skip
    entry = entries.entry_in_force(house.session, code, house.now)
    found = precheck.precheck(wrong, NATIONAL_2026, house.now, precheck.Known(entry=entry))
    assert rule in {item.rule for item in found if item.level is Level.RED}
    assert refused_by(pending_review(house, wrong)) == "differs_only_as_allowed"


@pytest.mark.clause("G10", "G34", "T-01", "PC-15")
def test_transfer__to_the_agency_or_without_a_receiver__is_refused(house: House) -> None:
    code = house.certificate(a_form())
    to_agency = house.draft(code, TRANSFER, moved=ALL, receivers=(applicant(AGENCY, house.agency.name),))
    assert refused_by(lambda: house.file(to_agency)) == "agency_is_not_applicant"
    alone = replace(to_agency, applicants=to_agency.applicants[:1], rights=())
    with pytest.raises(FieldError, match="转让方、受让方共同申请"):
        house.file(alone)
    with pytest.raises(FieldError):
        house.draft(code, TRANSFER, moved=ALL)


@pytest.mark.clause("G21", "D25")
def test_transfer__to_somebody_who_holds_the_right_already__is_never_deposited(house: House) -> None:
    code = house.certificate(a_form())
    house.certificate(a_form(DEVELOPER, BUYER, rights=(Right.USE,)))
    identity = house.file(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER))
    house.review(identity)
    assert refused_by(lambda: house.ask_deposit(identity)) == "nobody_holds_it_twice"


@pytest.mark.clause("G21", "D25")
@pytest.mark.parametrize("order", ["registered", "depositing", "transfer_first"])
def test_transfer__of_data_that_changed_meanwhile__is_compared_as_it_is_now(house: House, order: str) -> None:
    """The form still says the old content; the receiver holds the right in the new one."""
    code = house.certificate(a_form(content=b"old\n"))
    moved = (Held(PROVIDER, Right.USE),)
    transfer = house.file(house.draft(code, TRANSFER, moved=moved, receivers=RECEIVER))
    new = a_form(content=b"new\n").description
    change = house.file(house.draft(code, CHANGE, description=new))
    house.review(transfer)
    house.move(change, Act("I-16", review=PASSED, reason="不涉及公示事项"), *TWO)
    house.deposit(change)
    theirs = house.file(a_form(DEVELOPER, BUYER, b"new\n", rights=(Right.USE,), waiver_reason="商业秘密"))
    house.accept(theirs)
    house.move(theirs, Act("I-16", review=PASSED, reason="同意"), *TWO)
    first, second = (transfer, theirs) if order == "transfer_first" else (theirs, transfer)
    house.ask_deposit(first)
    if order == "registered":
        house.take_receipt(house.receipt(first))
    assert refused_by(lambda: house.ask_deposit(second)) == "nobody_holds_it_twice"


@pytest.mark.clause("G20", "D26")
def test_authorisation__given_under_an_old_version__is_good_while_the_grantor_holds_the_right(house: House) -> None:
    code = house.certificate(a_form())
    grant = UseAuthorisation(code, PROVIDER, RIVAL, ("USE",), house.now, moment("2028-01-01 00:00"), ("演示",))
    signed = house.signed("use-authorisation/v1", "authorisation:" + "a" * 32, grant, (f"party:{PROVIDER}", ""))
    given = holding.authorise_use(house.session, signed, at=house.now).fact.id
    derived = a_form(RIVAL, "绍兴某某数据有限公司（演示）", b"x\n", (Source(code, given),))
    assert holding.source_gaps(house.session, derived, house.now) == ()
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    assert version(house, code) == 2
    assert holding.source_gaps(house.session, derived, house.now) == ()
    house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER))
    assert holding.source_gaps(house.session, derived, house.now) != ()


# --- together ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G33")
def test_two_registrations_of_one_certificate__the_second_builds_on_the_first(house: House) -> None:
    code = house.certificate(a_form())
    person = replace(a_form().applicants[0], name="杭州更名后数据有限公司（演示）")
    renamed = house.file(house.draft(code, CHANGE, applicants=(person,)))
    part = house.file(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    house.review(renamed)
    assert house.case(part).state is State.UNDER_REVIEW, "silence was acceptance meanwhile"
    house.move(part, Act("I-16", review=PASSED, reason="不公示"), *TWO)
    house.ask_deposit(part)
    assert refused_by(lambda: house.ask_deposit(renamed)) == "nobody_holds_it_twice", "one deposit at a time"
    house.take_receipt(house.receipt(part))
    house.deposit(renamed)
    row = store.certificate(house.session, code)
    held = store.holdings(house.session, code, row.version)
    assert row.version == 3
    assert {(item.right, item.holder_name) for item in held} == {("HOLD", person.name), ("USE", person.name)}


@pytest.mark.clause("G33")
def test_certificate_ended_meanwhile__deposit_is_not_asked_for(house: House) -> None:
    code = house.certificate(a_form())
    change = house.file(house.draft(code, CHANGE, description=replace(a_form().description, overview="另一概述")))
    house.review(change)
    house.later(house.draft(code, CANCELLATION))
    assert refused_by(lambda: house.ask_deposit(change)) == "certificate_is_in_force"
    house.move(change, Act("I-14", ground="RF-5", reason="凭证已注销"), *TWO)
    assert house.case(change).state is State.REFUSED


@pytest.mark.clause("G23", "PC-28")
@pytest.mark.parametrize("kind", [TRANSFER, CHANGE, CANCELLATION])
def test_blocked__by_what_hangs_on_the_certificate__not_by_the_agencys_own_decision(
    house: House, monkeypatch: pytest.MonkeyPatch, kind: RegistrationType
) -> None:
    code = house.certificate(a_form())
    wish = {
        TRANSFER: {"moved": ALL, "receivers": RECEIVER},
        CHANGE: {"description": replace(a_form().description, overview="另一概述")},
        CANCELLATION: {},
    }[kind]
    asked: list[str] = []

    def blocks(session: object, of: str, operation: str, at: int, rights: object) -> tuple[str, ...]:
        asked.append(operation)
        return ("PRESERVATION 查封",)

    form = house.draft(code, kind, **wish)
    monkeypatch.setattr(filing, "_blocks", blocks)
    assert refused_by(pending_review(house, form)) == "nothing_blocks_it"
    expected = {TRANSFER: "transfer", CHANGE: "change_description", CANCELLATION: "cancellation"}[kind]
    assert set(asked) == {expected}
    decided = house.open_by_agency(decision("Z-03", house.draft(code, CANCELLATION, reason="Z-03")))
    house.deposit(decided)
    assert status_of(house, code) is Status.CANCELLED


def test_corrected_form__keeps_type_and_certificate(house: House) -> None:
    code = house.certificate(a_form())
    other = house.certificate(a_form(content=b"other\n"))
    form = house.draft(code, CANCELLATION)
    identity = house.file(form)
    deadline = end_of(date.fromisoformat("2026-09-30"))
    house.move(identity, Act("I-04", items=(Item(1, "x", "y"),), deadline=deadline), "staff:clerk")
    answers = (Answer(1, "改"),)
    for wrong in (house.draft(other, CANCELLATION), replace(a_form(), certificate="")):
        act = Act("I-05", answers=answers, form=wrong)
        assert refused_by(lambda act=act: house.move(identity, act, f"party:{PROVIDER}")) == "same_parties_same_agency"
    house.move(identity, Act("I-05", answers=answers, form=form), f"party:{PROVIDER}")


@pytest.mark.parametrize("kind", list(RegistrationType))
def test_form__with_the_section_of_another_type__is_not_submittable(house: House, kind: RegistrationType) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CANCELLATION) if kind is not CANCELLATION else a_form(content=b"new\n")
    with pytest.raises(FieldError, match="PC-01"):
        house.file(replace(form, type=kind))


def test_unknown_certificate__is_named(house: House) -> None:
    code = house.certificate(a_form())
    with pytest.raises(Unknown, match="SJ3312026089999"):
        house.file(replace(house.draft(code, CANCELLATION), certificate="SJ3312026089999"))


def test_two_rows_for_one_right__are_not_submittable(house: House) -> None:
    with pytest.raises(FieldError, match="PC-19"):
        house.file(a_form(rights=(Right.USE, Right.USE)))


def test_strangers__cannot_file_or_decide(house: House) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, CANCELLATION)
    with pytest.raises((NotEntitled, BadSignature)):
        house.file(form, f"party:{RIVAL}")
    with pytest.raises(IllegalMove):
        house.move(house.file(form), Act("I-24", record=Twin("0" * 64, "0" * 64)), "staff:officer")


@pytest.mark.clause("G27", "L-02")
def test_papers__of_every_version__the_older_one_is_intact_and_superseded(house: House) -> None:
    code = house.certificate(a_form())
    first = house.issue(code)
    house.now += 60
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    second = house.issue(code)
    old = answering.check(house.session, code, house.now, file=twin(first.pdf))
    new = answering.check(house.session, code, house.now, file=twin(second.pdf))
    assert (old.integrity, old.version, old.status) == (Integrity.INTACT, 1, Status.SUPERSEDED)
    assert (new.integrity, new.version, new.status) == (Integrity.INTACT, 2, Status.VALID)
    by_token = answering.check(house.session, code, house.now, token=str(first.fact.body["token"]))
    assert (by_token.version, by_token.token_matches, by_token.status) == (1, True, Status.SUPERSEDED)
    assert answering.check(house.session, code, house.now).version == 2


@pytest.mark.clause("G27", "L-01")
def test_issue__of_a_version_already_superseded__still_ends_its_case(house: House) -> None:
    identity = house.file(a_form(waiver_reason="商业秘密"))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
    code = house.deposit(identity).code
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    rows = store.not_issued(house.session, identity)
    assert [(row.code, row.version) for row in rows] == [(code, 1)]
    house.issue(code, 1)
    assert house.case(identity).state is State.ISSUED


def test_register__lists_each_certificate_once(house: House) -> None:
    code = house.certificate(a_form())
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    other = house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER)).code
    listed = {item.code: item.version for item in answering.catalogue(house.session, house.now).listings}
    assert listed == {code: 3, other: 1}
    assert {row.code for row in store.certificates(house.session, holder=DEVELOPER)} == {other}
    assert len(house.session.scalars(select(CertificateRow)).all()) == 4


@pytest.mark.clause("G26", "I-25", "I-26")
def test_deposit__after_the_certificate_has_ended__registers_nothing_and_comes_back_to_people(house: House) -> None:
    code = short_lived(house)
    end = store.certificate(house.session, code).valid_until
    change = house.file(house.draft(code, CHANGE, description=replace(a_form().description, overview="另一概述")))
    house.review(change)
    house.now = end - 60
    house.ask_deposit(change)
    house.now = end + 60
    late = house.receipt(change)
    with pytest.raises(GuardRefused) as refused, house.session.begin_nested():
        house.take_receipt(late)
    assert (refused.value.move, version(house, code)) == ("I-25", 1)
    depositing.record_deposit_refusal(
        house.session, house.agency, change, str(refused.value), house.signer, at=house.now, calendar=CALENDAR
    )
    assert house.case(change).state is State.READY


@pytest.mark.clause("G26", "I-25")
def test_deposit__in_time__counts_though_its_receipt_arrives_after_the_end(house: House) -> None:
    code = short_lived(house)
    end = store.certificate(house.session, code).valid_until
    cancel = house.file(house.draft(code, CANCELLATION))
    house.review(cancel)
    house.now = end - 60
    house.ask_deposit(cancel)
    house.now = end - 30
    receipt = house.receipt(cancel)
    house.now = end + 30
    house.take_receipt(receipt)
    assert status_of(house, code) is Status.CANCELLED
    assert house.timers() == []


@pytest.mark.clause("G23", "PC-28")
def test_precheck__names_what_blocks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    code = house.certificate(a_form())
    form = house.draft(code, TRANSFER, moved=ALL, receivers=RECEIVER)
    assert not [item for item in checked(house, form) if item.rule == "PC-28"]
    monkeypatch.setattr(filing, "_blocks", lambda *_: ("PRESERVATION 查封",))
    [found] = [item for item in checked(house, form) if item.rule == "PC-28"]
    assert "查封" in found.zh


@pytest.mark.clause("G27", "G34")
def test_paper__names_type_version_and_the_certificate_before(house: House) -> None:
    code = house.certificate(a_form())
    done = house.later(house.draft(code, TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=RECEIVER))
    pages = pypdf.PdfReader(io.BytesIO(house.issue(done.code).pdf)).pages
    text = "".join("".join(page.extract_text() for page in pages).split())
    for expected in (done.code, "转让登记", f"{code}第1版（已被新版本取代）", BUYER, "数据使用权"):
        assert "".join(expected.split()) in text
    assert "数据经营权" not in text


@pytest.mark.clause("G34", "T-05")
def test_bundle_rules__an_entry_that_misnames_its_predecessor__is_refused(house: House) -> None:
    code = house.certificate(a_form())
    house.later(house.draft(code, CANCELLATION, ended=(Held(PROVIDER, Right.OPERATE),)))
    fact = facts.facts_of_kind(house.session, ENTRY)[-1]
    parts = facts.parts_of(house.session, fact.id)

    def judged(**changes: object) -> None:
        statement = replace(fact.statement, body={**fact.body, **changes})
        shown = [SimpleNamespace(index=number, data=data) for number, data in enumerate(parts)]
        bundle = SimpleNamespace(main=SimpleNamespace(fact=replace(fact, statement=statement)), parts=shown)
        RegisterEntryRules().recompute(bundle)  # type: ignore[arg-type]

    judged()
    other = dict(fact.body["predecessor"])
    stranger = {**other, "code": code[:-1] + "9"}
    for wrong in (
        {"version": 3}, {"predecessor": {**other, "version": 2}}, {"predecessor": stranger}, {"type": "变更登记"},
    ):  # fmt: skip
        with pytest.raises(Refused):
            judged(**wrong)
