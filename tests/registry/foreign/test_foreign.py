"""Foreign certificates are named by four things, checked before use, linked, and never become ours; junk is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, store
from ledger.digest import twin
from ledger.errors import BadSignature, FieldError
from ledger.reading import body_of
from registry import answering
from registry.asset import Twin
from registry.case import Act
from registry.errors import GuardRefused, IllegalMove, NotEntitled, Unknown
from registry.foreign import check as checks
from registry.foreign import service
from registry.foreign import store as views
from registry.foreign.check import CHECKED, GOOD_FOR, MOVES, ForeignCheck, ForeignState, Method, checked, relied_upon
from registry.foreign.link import LINKED, ForeignLink
from registry.foreign.paper import (
    FOREIGN,
    PAPER_NAMES,
    PAPER_SAYS,
    USES_OF_ART_31,
    ForeignPaper,
    PaperType,
    require_plausible,
    subject_of,
)
from registry.search.store import Wanted
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, House, a_form, open_house

CLERK, REVIEWER, APPROVER = ("staff:clerk", "intake"), ("staff:reviewer", "reviewer"), ("staff:approver", "approver")
A_TWIN = Twin.of(twin(b"transcript"))
NAME = "2013年全国民航运输航班起降记录数据集（演示）"


@pytest.fixture
def house(tmp_path: Any) -> House:
    return open_house(tmp_path / "foreign.db")


def paper(**changes: Any) -> ForeignPaper:
    body = ForeignPaper(
        issuer="演示-33-9", issuer_name="某某大数据中心（演示）", paper_type=PaperType.DATA_IP, number="演示知2025001",
        version="1", holder_name="杭州某某航空数据有限公司（演示）", data_name=NAME, transcript=A_TWIN,
        holder_id=PROVIDER,
    )  # fmt: skip
    return replace(body, **changes)


def take_in(house: House, body: ForeignPaper, *who: tuple[str, str]) -> str:
    signed = house.signed(FOREIGN, subject_of(body), body, *(who or (CLERK,)))
    return service.take_in(house.session, house.agency, signed, at=house.now).fact.subject.partition(":")[2]


def check(house: House, identity: str, result: ForeignState, *who: tuple[str, str], **more: Any) -> None:
    body = ForeignCheck(
        result, Method.ISSUER_SITE, more.pop("as_of", house.now), A_TWIN, more.pop("note", "见截图"), **more
    )
    signed = house.signed(CHECKED, f"foreign:{identity}", body, *(who or (REVIEWER,)))
    service.take_check(house.session, house.agency, signed, at=house.now)


def link(house: House, application: str, identity: str, *who: tuple[str, str]) -> None:
    body = ForeignLink(application, identity)
    signed = house.signed(LINKED, f"foreign-link:{application}", body, *(who or ((f"party:{PROVIDER}", ""),)))
    service.link(house.session, house.agency, signed, at=house.now)


# Junk -----------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("7.3")
@pytest.mark.parametrize("text", ["某某数据集团有限公司", "https://example.test", "－", "0571-00000000"])
def test_junk__one_text_for_provider_receiver_address_phone_and_url__refused(house: House, text: str) -> None:
    """The negative fixture 202503010001, as it was found: one string wherever a different one should stand."""
    junk = paper(
        number="202503010001", paper_type=PaperType.TRADE, provider=text, receiver=text, address=f" {text}", phone=text,
        url=text,
    )  # fmt: skip
    with pytest.raises(FieldError, match="provider"):
        take_in(house, junk)
    assert views.numbered(house.session, "202503010001") == []


@pytest.mark.clause("7.3")
def test_junk__one_number_on_two_kinds_of_paper__the_second_refused(house: House) -> None:
    first = paper(number="202503010001", paper_type=PaperType.EVIDENCE)
    identity = take_in(house, first)
    with pytest.raises(FieldError, match=r"body\.number"):
        take_in(house, replace(first, paper_type=PaperType.TRADE))
    other_issuer = take_in(house, replace(first, paper_type=PaperType.TRADE, issuer="演示-11-2"))
    newer = take_in(house, replace(first, version="2"))
    assert {row.id for row in views.numbered(house.session, "202503010001")} == {identity, other_issuer, newer}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issuer": " "}, "issuer"), ({"number": "1 "}, "number"), ({"number": ""}, "number"),
        ({"version": ""}, "version"), ({"holder_name": "\u3000"}, "holder_name"),
        ({"issued_on": "2025-13-01"}, "issued_on"), ({"issuer": AGENCY}, "issuer"),
        ({"url": "05710", "phone": "0571 0", "provider": "甲"}, "url"),
    ],
)  # fmt: skip
def test_transcript__a_wrong_field__is_named(house: House, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError, match=field):
        take_in(house, paper(**changes))


@given(
    texts=st.lists(st.sampled_from(["", "甲", "乙", "丙"]), min_size=5, max_size=5),
    known=st.lists(st.tuples(st.sampled_from(["演示-33-9", "x"]), st.sampled_from(list(PaperType))), max_size=3),
)
def test_plausible__any_transcript__refused_for_the_named_reasons_alone(
    texts: list[str], known: list[tuple[str, PaperType]]
) -> None:
    names = ("provider", "receiver", "address", "phone", "url")
    body = paper(**dict(zip(names, texts, strict=True)))
    said = [text for text in texts if text]
    same = len(said) > 1 and len(set(said)) == 1
    phone_is_url = bool(texts[3]) and texts[3] == texts[4]
    twice = ("演示-33-9", PaperType.DATA_IP) not in known and any(issuer == "演示-33-9" for issuer, _ in known)
    twice = twice or any(issuer == "演示-33-9" and kind is not PaperType.DATA_IP for issuer, kind in known)
    if same or phone_is_url or twice:
        with pytest.raises(FieldError):
            require_plausible(body, known)
    else:
        require_plausible(body, known)


def test_transcript__unknown_kind_of_paper__is_named(house: House) -> None:
    signed = house.signed(FOREIGN, "foreign:" + "1" * 32, body_of(paper()) | {"paper_type": "登记证书"}, CLERK)
    with pytest.raises(FieldError, match="paper_type"):
        service.take_in(house.session, house.agency, signed, at=house.now)


# Names and states -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("7.3")
def test_key__issuer_kind_number_and_version__each_makes_another_certificate() -> None:
    variants = [
        paper(issuer=issuer, paper_type=kind, number=number, version=version)
        for issuer, kind, number, version in product("ab", PaperType, "12", "12")
    ]
    assert len({subject_of(item) for item in variants}) == len(variants)
    assert subject_of(paper(data_name="别的名称", url="x")) == subject_of(paper())


@pytest.mark.clause("7.3")
@pytest.mark.parametrize(("state", "result"), list(product(ForeignState, ForeignState)))
def test_state_table__every_cell(state: ForeignState, result: ForeignState) -> None:
    body = ForeignCheck(result, Method.ORIGINAL, 100, A_TWIN, "说明")
    if result in MOVES[state]:
        assert checked(state, body, 0, 100) is result
        assert result is not ForeignState.IMPORTED
        with pytest.raises(FieldError, match="as_of"):
            checked(state, body, 101, 200)
        with pytest.raises(FieldError, match="as_of"):
            checked(state, body, 0, 99)
        if result is not ForeignState.VERIFIED:
            with pytest.raises(FieldError, match="note"):
                checked(state, replace(body, note=" "), 0, 100)
    else:
        assert result is ForeignState.IMPORTED
        with pytest.raises(IllegalMove):
            checked(state, body, 0, 100)


@pytest.mark.clause("7.3")
@pytest.mark.parametrize("state", list(ForeignState))
@pytest.mark.parametrize("age", [-1, 0, GOOD_FOR - 1, GOOD_FOR])
@pytest.mark.parametrize("valid_until", ["", "2026-08-03", "2026-08-02"])
def test_relied_upon__verified_lately_and_not_over__and_never_else(
    state: ForeignState, age: int, valid_until: str
) -> None:
    at = 1_785_718_800  # 2026-08-03 in Beijing
    expected = state is ForeignState.VERIFIED and 0 <= age < GOOD_FOR and valid_until != "2026-08-02"
    assert relied_upon(state, at - age, valid_until, at) is expected


@pytest.mark.clause("7.3")
def test_check__with_method_time_and_evidence__and_again_before_use(house: House) -> None:
    identity = take_in(house, paper())
    assert service.standing(house.session, identity, house.now).must_recheck
    with pytest.raises(GuardRefused):
        service.require_usable(house.session, identity, house.now)
    check(house, identity, ForeignState.VERIFIED)
    row = views.foreign(house.session, identity)
    assert (row.state, row.method, row.as_of, row.evidence) == ("VERIFIED", "签发方查询网站", house.now, A_TWIN.sha256)
    service.require_usable(house.session, identity, house.now)
    house.now += GOOD_FOR
    with pytest.raises(GuardRefused, match="重新核验"):
        service.require_usable(house.session, identity, house.now)
    check(house, identity, ForeignState.UNVERIFIABLE, APPROVER)
    check(house, identity, ForeignState.FAILED)
    check(house, identity, ForeignState.VERIFIED, valid_until="2026-08-01")
    assert service.standing(house.session, identity, house.now).must_recheck
    kinds = [fact.kind for fact in store.facts_of(house.session, f"foreign:{identity}")]
    assert kinds == [FOREIGN, *[CHECKED] * 4]


@pytest.mark.clause("7.3")
def test_import_and_check__only_by_staff_in_their_roles(house: House) -> None:
    for who in ((f"party:{PROVIDER}", ""), ("staff:officer", "deposit_officer"), ("staff:clerk", "reviewer")):
        with pytest.raises((BadSignature, NotEntitled)):
            take_in(house, paper(), who)
    with pytest.raises(BadSignature):
        take_in(house, paper(), CLERK, REVIEWER)
    identity = take_in(house, paper())
    for who in ((f"party:{PROVIDER}", ""), CLERK):
        with pytest.raises((BadSignature, NotEntitled)):
            check(house, identity, ForeignState.VERIFIED, who)
    with pytest.raises(Unknown):
        check(house, "0" * 32, ForeignState.VERIFIED)
    signed = house.signed(FOREIGN, "foreign:" + "1" * 32, paper(), CLERK)
    with pytest.raises(FieldError, match="subject"):
        service.take_in(house.session, house.agency, signed, at=house.now)


@pytest.mark.clause("G15", "PC-14")
def test_is_verified__public_data_code__of_that_kind_number_and_lately(house: House) -> None:
    code = paper(paper_type=PaperType.PUBLIC_DATA, number="GG2026001")

    def verified(kind: PaperType = PaperType.PUBLIC_DATA, number: str = "GG2026001", later: int = 0) -> bool:
        return service.is_verified(house.session, kind, number, house.now + later)

    assert not verified()
    identity = take_in(house, code)
    assert not verified()
    check(house, identity, ForeignState.VERIFIED)
    assert verified()
    assert not verified(number="GG2026002")
    assert not verified(PaperType.REGISTRATION)
    assert not verified(later=GOOD_FOR)
    check(house, identity, ForeignState.FAILED)
    assert not verified()


# Never ours -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("7.2", "7.3")
def test_foreign__never_becomes_a_certificate_of_ours(house: House) -> None:
    for kind in PaperType:
        identity = take_in(house, paper(paper_type=kind, number=f"n-{kind.value}"))
        check(house, identity, ForeignState.VERIFIED)
        assert views.foreign(house.session, identity).paper_type == kind.value
    assert answering.catalogue(house.session, house.now, Wanted()).listings == ()
    assert set(PAPER_NAMES) == set(PAPER_SAYS) == set(PaperType)
    assert {PaperType.REGISTRATION} == USES_OF_ART_31
    assert not any(name for name in vars(service) | vars(checks) if "convert" in name or "reissue" in name)


@pytest.mark.clause("G41")
def test_link__shown_to_the_reviewer__with_what_agrees(house: House) -> None:
    application = house.file(a_form())
    same, other = take_in(house, paper()), take_in(house, paper(number="2", holder_name="别的公司", holder_id="x"))
    check(house, same, ForeignState.VERIFIED)
    link(house, application, same)
    link(house, application, other, REVIEWER)
    link(house, application, same)
    one, two = service.earlier(house.session, application, house.now)
    assert (one.id, one.state, one.relied_upon) == (same, "VERIFIED", True)
    assert [(item.item, item.agrees) for item in one.items] == [
        ("数据名称", True),
        ("权利人", True),
        ("证件号码", True),
    ]
    assert (two.id, two.state, two.relied_upon) == (other, "IMPORTED", False)
    assert [item.agrees for item in two.items] == [True, False, False]
    assert not service.earlier(house.session, application, house.now + GOOD_FOR)[0].relied_upon


@pytest.mark.clause("G41")
def test_link__of_a_stranger_a_failed_paper_or_a_closed_case__refused(house: House) -> None:
    application = house.file(a_form())
    identity = take_in(house, paper())
    with pytest.raises((BadSignature, NotEntitled)):
        link(house, application, identity, (f"party:{RIVAL}", ""))
    with pytest.raises(Unknown):
        link(house, application, "0" * 32)
    check(house, identity, ForeignState.FAILED)
    with pytest.raises(GuardRefused):
        link(house, application, identity)
    check(house, identity, ForeignState.VERIFIED)
    house.move(application, Act("I-03"), f"party:{PROVIDER}")
    with pytest.raises(NotEntitled):
        link(house, application, identity)
    assert service.earlier(house.session, application, house.now) == ()


def test_views__replayed_from_the_facts__are_the_same_rows(house: House) -> None:
    application = house.file(a_form())
    identity = take_in(house, paper())
    check(house, identity, ForeignState.VERIFIED, valid_until="2027-01-01")
    link(house, application, identity)

    def rows() -> list[dict[str, Any]]:
        found = [row for table in views.TABLES for row in house.session.query(table).all()]
        return sorted((row.model_dump() for row in found), key=canonical.encode)

    before = rows()
    for table in views.TABLES:
        house.session.query(table).delete()
    house.session.expunge_all()
    for fact in store.all_facts(house.session):
        if fact.kind in views.PROJECTORS:
            views.PROJECTORS[fact.kind](house.session, fact)
    assert rows() == before
    assert len(before) == 2
