"""Natural persons: known by a commitment, sign under it, hold under it; number and given name stay in the form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_document import text_of_pdf

from ledger import canonical, rebuild, sm
from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from ledger.reading import body_of, read
from registry import admitting, answering, entries, filing, holding, precheck
from registry import store as views
from registry.asset import Description, Source
from registry.case import Act, Answer, State
from registry.certificate import USE_AUTHORISATION, RegisterEntry, Status, UseAuthorisation, record_in, status_at
from registry.errors import GuardRefused, NotEntitled
from registry.form import Applicant, Held, RegistrationType, Representative, publicity_text
from registry.party import (
    IdType,
    Party,
    PartyKind,
    check_party,
    commitment_of,
    document_of,
    identity_of,
    is_party,
    is_person,
    masked,
    masked_name,
    number_is_valid,
    opens,
    party_subject,
    uscc_is_valid,
)
from registry.projecting import PROJECTORS
from registry.rights import Right, RightRow
from registry.scheme import NATIONAL_2026
from registry.search.store import Wanted
from tests.counts import few
from tests.registry.registry_house import (
    AGENCY,
    CALENDAR,
    DEVELOPER,
    HUMAN,
    HUMAN_NUMBER,
    PROVIDER,
    House,
    a_form,
    a_person,
    an_item,
    applicant,
    attachment,
    by_persons,
    dump,
)

ME = a_person()
OTHER = a_person("李四", "110105194912310142")
NAMES = st.text("张王欧阳三丰abc·", min_size=1, max_size=8)
SALTS = st.text("0123456789abcdef", min_size=64, max_size=64)


def admitted(house: House, *people: Applicant) -> None:
    for human in people or (ME,):
        house.admit(human)


def full_rights(code: str, name: str) -> tuple[RightRow, ...]:
    return tuple(RightRow(name, code, right, "无") for right in Right)


# Numbers and commitments ----------------------------------------------------------------------------------------------


def remainder_of(number: str) -> int:
    """ISO 7064 MOD 11-2 from the left, doubled each time; 1 is right. Another way than the weights of ours."""
    left = 0
    for character in number:
        left = (left + (10 if character == "X" else int(character))) * 2 % 11
    return left * 6 % 11  # the last doubling taken back: 6 is the inverse of 2


@settings(max_examples=few(200), deadline=None)
@given(st.text("0123456789", min_size=17, max_size=17))
def test_resident_number__only_the_standards_check_character_passes(first: str) -> None:
    right = [c for c in "0123456789X" if number_is_valid(IdType.RESIDENT, first + c)]
    assert right == [c for c in "0123456789X" if remainder_of(first + c) == 1]
    assert len(right) == 1


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (IdType.RESIDENT, ["11010519491231002X", "110105194912310142"],
         ["110105194912310021", "11010519491231002x", "1101051949123100", "１1010519491231002X", "",
          "11010519491231002X\n"]),
        (IdType.OTHER, ["E12345678", "H0123456(7)", "AB/123-4", "1234"],
         ["e12345678", "E 1234567", "E12", "Ｅ12345678", "", "E" * 65, "E12345678\n"]),
        (IdType.USCC, [PROVIDER], [PROVIDER[:-1], HUMAN_NUMBER, ME.party]),
    ],
)  # fmt: skip
def test_number__of_each_kind_of_paper__right_and_wrong(kind: IdType, good: list[str], bad: list[str]) -> None:
    assert [number for number in good if not number_is_valid(kind, number)] == []
    assert [number for number in bad if number_is_valid(kind, number)] == []


@settings(max_examples=few(50), deadline=None)
@given(NAMES, SALTS)
def test_commitment__is_the_twin_of_its_canonical_text__and_the_identity_its_head(name: str, salt: str) -> None:
    """Computed here by hand, without the library."""
    human = a_person(name, salt=salt)
    text = json.dumps(
        {"id_no": HUMAN_NUMBER, "id_type": "居民身份证", "name": name, "salt": salt, "tag": "person-commitment/v1"},
        ensure_ascii=False, sort_keys=True, separators=(",", ":"),
    ).encode()  # fmt: skip
    made = commitment_of(human.person)
    assert (made.sha256, made.sm3) == (hashlib.sha256(text).hexdigest(), hashlib.new("sm3", text).hexdigest())
    assert human.party == identity_of(made) == "P" + made.sha256[:17].upper()
    assert len(human.party) == 18


CHANGES: dict[str, dict[str, object]] = {
    "number": {"id_no": "110105194912310142"},
    "name": {"name": "张三"},
    "type": {"id_type": IdType.OTHER},
    "salt": {"salt": "5b" * 32},
}


@pytest.mark.parametrize("what", CHANGES)
def test_commitment__opened_with_anything_else__does_not_open(what: str) -> None:
    made = commitment_of(ME.person)
    assert opens(ME.person, made)
    assert not opens(replace(ME, **CHANGES[what]).person, made)  # type: ignore[arg-type]
    assert not opens(ME.person, replace(made, sm3="0" * 64)), "both digests count"


@settings(max_examples=few(300), deadline=None)
@given(st.from_regex(r"P[0-9A-F]{17}", fullmatch=True))
def test_identity__of_a_person__is_never_that_of_an_organisation(identity: str) -> None:
    assert is_person(identity)
    assert is_party(identity)
    assert not uscc_is_valid(identity)


@pytest.mark.parametrize(
    "text", ["", "P", "p" + "0" * 17, "P" + "a" * 17, "P" + "0" * 18, "Q" + "0" * 17, ME.party + "\n"]
)
def test_identity__of_another_form__is_none(text: str) -> None:
    assert not is_party(text)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("11010519491231002X", "1101************2X"),
        ("E1234567", "E******7"),
        ("1234", "1**4"),
        ("123", "***"),
        ("", ""),
    ],
)
def test_masked__shows_less_of_a_short_number(number: str, shown: str) -> None:
    assert masked(number) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("张三丰", "张**"), ("李四", "李*"), ("王", "王*"), ("John Doe", "J*******")]
)
def test_masked_name__always_hides_something(name: str, shown: str) -> None:
    assert masked_name(name) == shown


# Being admitted -------------------------------------------------------------------------------------------------------


def a_party(**changes: object) -> Party:
    body = Party("张**", PartyKind.NATURAL, "", "04" + "0" * 128, "0x" + "0" * 40, (), commitment_of(ME.person))
    return replace(body, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "no", "body", "field"),
    [
        (ME.party, 0, a_party(uscc=PROVIDER), "commitment"),
        (ME.party, 0, a_party(commitment=None), "commitment"),
        (ME.party, 0, a_party(name="张三丰"), "name"),
        (ME.party, 0, a_party(name="张"), "name"),
        (OTHER.party, 0, a_party(), "statement.subject"),
        (PROVIDER, 0, a_party(), "statement.subject"),
        (PROVIDER, 1, a_party(), "statement.subject"),
        (PROVIDER, 0, a_party(kind=PartyKind.LEGAL, uscc=PROVIDER, name="某公司"), "commitment"),
        (ME.party, 1, a_party(kind=PartyKind.LEGAL, uscc=PROVIDER, commitment=None), "statement.subject"),
        (ME.party, 0, a_party(kind=PartyKind.LEGAL, uscc=ME.party, commitment=None), "uscc"),
    ],
)  # fmt: skip
def test_party__that_contradicts_itself__is_refused_by_field(subject: str, no: int, body: Party, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        check_party(body, party_subject(subject), no)
    assert refused.value.field == field


def test_party__of_a_person__signed_by_person_and_agency__holds_nothing_personal(house: House) -> None:
    by = party_subject(ME.party)
    house.keys[by] = sm.generate()
    body = a_party(sm2=house.keys[by].public)
    for who in ([(by, "")], [(f"party:{AGENCY}", "")], [(by, ""), (f"party:{PROVIDER}", "")]):
        with pytest.raises(BadSignature):
            admitting.register_party(
                house.session, house.agency, house.signed("party/v1", by, body, *who), at=house.now
            )
    admitted(house)
    (fact,) = facts.facts_of(house.session, by)
    for secret in (HUMAN_NUMBER, HUMAN[1:], ME.salt):
        assert secret.encode() not in fact.bytes()
    row = views.party_at(house.session, ME.party, house.now)
    assert (row.name, row.kind) == ("张**", "自然人")


# Filing ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "field"), [(name, "id_no") for name in CHANGES] + [("party", "party")])
def test_filing__what_does_not_open_the_commitment__is_named_and_nothing_written(
    house: House, what: str, field: str
) -> None:
    admitted(house, ME, OTHER)
    wrong = replace(ME, **(CHANGES[what] if what in CHANGES else {"party": a_person(salt="00" * 32).party}))  # type: ignore[arg-type]
    if what == "type":
        wrong = replace(wrong, id_no="E1234567")
    before, count = dump(house), facts.count(house.session)
    with pytest.raises(FieldError) as refused:
        house.file(by_persons(wrong), party_subject(ME.party))
    assert refused.value.field == f"body.applicants[0].{field}"
    assert HUMAN_NUMBER not in str(refused.value)
    assert (dump(house), facts.count(house.session)) == (before, count)


def test_filing__under_anothers_identity__neither_signed_nor_opened(house: House) -> None:
    admitted(house, ME, OTHER)
    with pytest.raises(FieldError, match="不符"):
        house.file(by_persons(replace(ME, party=OTHER.party)))
    with pytest.raises(NotEntitled):
        house.file(by_persons(ME), party_subject(OTHER.party))


def test_one_paper__two_identities__the_second_is_refused__reindex_gives_the_same_rows(house: House) -> None:
    double = a_person(salt="00" * 32)
    admitted(house, ME, double)
    with pytest.raises(FieldError, match="一人只能有一个当事方编号"):
        house.file(by_persons(ME, double))
    house.file(by_persons(ME))
    with pytest.raises(FieldError, match="一人只能有一个当事方编号") as refused:
        house.file(by_persons(double))
    assert refused.value.field == "body.applicants[0].party"
    assert views.person_with(house.session, document_of(IdType.RESIDENT, HUMAN_NUMBER)) == ME.party
    house.file(by_persons(ME, rights=full_rights(ME.party, ME.shown)[:1]))
    before = dump(house)
    rebuild.clear_views(house.session)
    house.session.expunge_all()
    rebuild.fold(house.session, house.session, PROJECTORS)
    assert dump(house) == before


def test_one_identity__two_papers__the_second_is_refused(house: House) -> None:
    """A later act of the party commits to another paper: the agency was deceived, the number cannot change (B-02)."""
    admitted(house)
    house.file(by_persons(ME))
    another = replace(ME, id_type=IdType.OTHER, id_no="E1234567")
    admitted(house, another)
    with pytest.raises(FieldError, match="证件号码不能更换"):
        house.file(by_persons(another))


def test_correction__with_another_number__is_refused(house: House) -> None:
    admitted(house, ME, OTHER)
    identity = house.file(by_persons(ME))
    deadline = house.now - (house.now + 8 * 3600) % 86400 + 11 * 86400
    house.move(identity, Act("I-04", items=(an_item(),), deadline=deadline), "staff:clerk")
    for wrong in (replace(ME, **CHANGES["number"]), replace(ME, salt="")):  # type: ignore[arg-type]
        act = Act("I-05", answers=(Answer(1, "已补充"),), form=by_persons(wrong))
        with pytest.raises(FieldError, match=r"applicants\[0\]"):
            house.move(identity, act, party_subject(ME.party))
    act = Act("I-05", answers=(Answer(1, "已补充"),), form=by_persons(replace(ME, phone="0571-11111111")))
    house.move(identity, act, party_subject(ME.party))
    assert house.case(identity).version == 2


def test_form__erased__the_paper_is_nobodys_again(house: House) -> None:
    admitted(house)
    identity = house.file(by_persons(ME))
    (fact,) = facts.facts_of(house.session, f"application:{identity}")
    facts.erase(house.session, fact.id)
    rebuild.clear_views(house.session)
    house.session.expunge_all()
    rebuild.fold(house.session, house.session, PROJECTORS)
    assert views.person_with(house.session, document_of(IdType.RESIDENT, HUMAN_NUMBER)) == ""
    assert HUMAN_NUMBER not in str(dump(house))


# From form to certificate ---------------------------------------------------------------------------------------------


@pytest.mark.clause("G21", "G24", "I-02", "I-15", "I-25", "I-27")
def test_person__on_ground_m3__seven_steps_to_a_certificate__read_back(house: House) -> None:
    """G21(三): whoever lawfully collects, generates or receives data as a natural person has the rights."""
    admitted(house)
    form = by_persons(ME)
    assert [item for item in filing.check_form(house.agency, form, house.now) if item.level != "W"] == []
    assert publicity_text(form).applicants == ("张**",)
    code = house.certificate(form)
    papers = house.issue(code)
    assert house.case(views.certificate(house.session, code).application).state is State.ISSUED
    text = text_of_pdf(papers.pdf)
    assert HUMAN in text, "the paper itself has the full name"
    assert "1101************2X" in text
    assert HUMAN_NUMBER not in text
    assert "张**" not in text
    for right in Right:
        assert holding.holds_right(house.session, ME.party, code, right, house.now)


def test_matrix__ground_m3__is_for_natural_persons_alone(house: House) -> None:
    admitted(house)
    legal = replace(a_form(), right_basis=by_persons(ME).right_basis)
    assert {gap.rule for gap in precheck.right_gaps(legal, NATIONAL_2026)} == {"PC-10"}
    assert precheck.right_gaps(by_persons(ME), NATIONAL_2026) == ()


def test_nothing_personal__in_entry_credential_check_register_or_rights(house: House) -> None:
    """Number and given name are looked for in the bytes of whatever leaves the house."""
    admitted(house)
    code = house.certificate(by_persons(ME))
    papers = house.issue(code)
    row = views.certificate(house.session, code)
    entry = facts.fact(house.session, row.fact_id)
    parts = facts.parts_of(house.session, row.fact_id)
    fields = read(RegisterEntry, entry.body).fields
    check = answering.check(house.session, code, house.now, token=papers.fact.body["token"])
    assert check.view is not None
    assert {(item.holder, item.id_masked) for item in check.view.rights} == {("张**", "")}
    shown = {
        "entry": entry.bytes(),
        "issue": papers.fact.bytes(),
        "credential": papers.credential,
        "json": papers.json,
        "check": repr(check).encode(),
        "register": repr(answering.catalogue(house.session, house.now)).encode(),
        **{f"part {name}": part for name, part in zip(fields, parts, strict=True)},
    }
    for name, data in shown.items():
        for secret in (HUMAN_NUMBER, HUMAN[1:], HUMAN, ME.salt, "演示联系人"):
            assert secret.encode() not in data, (name, secret)
    assert HUMAN_NUMBER.encode() not in papers.pdf
    assert answering.catalogue(house.session, house.now, Wanted(words=HUMAN)).listings == ()


def test_joint__organisation_and_person__both_sign_both_hold(house: House) -> None:
    admitted(house)
    company = a_form().applicants[0]
    rights = (*full_rights(PROVIDER, company.name), *full_rights(ME.party, HUMAN))
    form = replace(a_form(), applicants=(company, ME), rights=rights)
    with pytest.raises(GuardRefused, match=ME.party):
        house.file(form, party_subject(PROVIDER))
    code = house.certificate(form)
    held = {(row.holder, row.holder_name) for row in views.holdings(house.session, code, 1)}
    assert held == {(PROVIDER, company.name), (ME.party, "张**")}, "whatever name the row was typed with"
    text = text_of_pdf(house.issue(code).pdf)
    assert HUMAN in text
    assert company.name in text


def test_never_twice__the_same_data_right_and_person(house: House) -> None:
    admitted(house)
    house.certificate(by_persons(ME))
    known = filing.known_of(house.session, by_persons(ME), house.now, CALENDAR)
    assert {right for right, _ in known.registered} == set(Right)
    again = house.file(by_persons(ME))
    house.review(again)
    with pytest.raises(GuardRefused) as refused:
        house.deposit(again)
    assert refused.value.guard == "nobody_holds_it_twice"


def moved_all(holder: str) -> tuple[Held, ...]:
    return tuple(Held(holder, right) for right in Right)


@pytest.mark.clause("G34", "T-01", "T-04")
def test_transfer__from_a_person_to_an_organisation_and_to_a_person__code_by_code(house: House) -> None:
    admitted(house, ME, OTHER)
    code = house.certificate(by_persons(ME))
    company = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    form = house.draft(code, RegistrationType.TRANSFER, moved=moved_all(ME.party), receivers=(company,))
    with pytest.raises(GuardRefused, match=ME.party):
        house.file(form, party_subject(DEVELOPER))
    second = house.later(form).code
    assert {row.holder for row in views.holdings(house.session, second, 1)} == {DEVELOPER}
    assert status_at(views.standing_of(house.session, views.certificate(house.session, code)), house.now) is (
        Status.TRANSFERRED
    )
    back = house.draft(second, RegistrationType.TRANSFER, moved=moved_all(DEVELOPER), receivers=(OTHER,))
    third = house.later(back).code
    assert {(row.holder, row.holder_name) for row in views.holdings(house.session, third, 1)} == {(OTHER.party, "李*")}
    assert OTHER.name in text_of_pdf(house.issue(third).pdf)


@pytest.mark.clause("G35", "B-01")
def test_change__of_a_persons_name__after_the_party_committed_to_it(house: House) -> None:
    """The identity stays that of the first act; what was filed under the earlier name stays that party's."""
    admitted(house)
    code = house.certificate(by_persons(ME))
    renamed = replace(ME, name="张君宝")
    change = house.draft(code, RegistrationType.CHANGE, applicants=(renamed,))
    with pytest.raises(FieldError, match="不符"):
        house.file(change)
    admitted(house, renamed)
    house.later(change)
    row = views.certificate(house.session, code)
    entry = read(RegisterEntry, facts.fact(house.session, row.fact_id).body)
    record = record_in(entry, facts.parts_of(house.session, row.fact_id))
    (holder,) = record.holders
    assert (holder.name, holder.identity, holder.number) == ("张**", ME.party, masked(HUMAN_NUMBER))
    assert {item.holder_name for item in record.rights} == {"张**"}
    assert "张君宝" in text_of_pdf(house.issue(code).pdf)
    assert HUMAN in text_of_pdf(house.drawn(code, 1).body), "the older version names the person as it was called"
    older = by_persons(replace(ME, phone="0571-22222222"), rights=full_rights(ME.party, ME.shown)[:1])
    assert filing.strangers(house.session, older) == ()


def test_renewal_and_cancellation__by_a_person__drafted_and_deposited(house: House) -> None:
    admitted(house)
    code = house.certificate(by_persons(ME))
    end = entries.entry_in_force(house.session, code, house.now)
    form = house.draft(code, RegistrationType.CANCELLATION, ended=(Held(ME.party, Right.USE),))
    house.later(form)
    assert {row.right for row in views.holdings(house.session, code, 2)} == {"HOLD", "OPERATE"}
    assert entries.entry_in_force(house.session, code, house.now).last_day == end.last_day


def test_representative__a_person__signs_for_the_applicant(house: House) -> None:
    admitted(house)
    proxy = attachment(precheck.PROXY)
    form = replace(a_form(), representative=Representative(HUMAN, ME.party))
    form = replace(form, attachments=(*form.attachments, proxy))
    signed = house.signed(
        "application-submitted/v1", "application:" + "a" * 32, form, (party_subject(ME.party), "representative")
    )
    filing.submit_application(house.session, house.agency, signed, at=house.now, calendar=CALENDAR)
    assert house.case("a" * 32).state is State.SUBMITTED


def described(code: str, authorisation: str) -> Description:
    return replace(a_form().description, sources=(Source(code, authorisation),))


def test_authorisation__from_and_to_persons(house: House) -> None:
    admitted(house, ME, OTHER)
    code = house.certificate(by_persons(ME))
    body = UseAuthorisation(code, ME.party, OTHER.party, ("USE",), house.now, house.now + 86400, ("训练",))
    signed = house.signed(USE_AUTHORISATION, "authorisation:" + "b" * 32, body, (party_subject(ME.party), ""))
    taken = holding.authorise_use(house.session, signed, at=house.now)
    derived = replace(by_persons(OTHER), description=described(code, taken.fact.id))
    assert holding.source_gaps(house.session, derived, house.now) == ()
    assert holding.source_gaps(house.session, replace(derived, applicants=(a_person("王五"),)), house.now) != ()


def test_form__of_an_organisation__reads_as_before() -> None:
    """A form without the fields of natural persons is the same form."""
    document = body_of(a_form())
    for person in document["applicants"]:
        del person["party"], person["salt"]
    assert read(type(a_form()), document) == a_form()
    assert canonical.encode(document) != canonical.encode(body_of(a_form()))
