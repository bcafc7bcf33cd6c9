"""Any piece of a word finds its certificates, newest first; what was waived is found by its whole code alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry import answering, validity
from registry.asset import AssetKind
from registry.catalogue import Listing
from registry.certificate import Status
from registry.errors import Unknown
from registry.party import PartyKind
from registry.rights import Right
from registry.search import store as search
from registry.search.grams import grams_of, runs_of, text_of, tokens_of
from registry.search.store import Wanted, place_of
from registry.statistics import store as statistics
from registry.statistics.figures import Dimension
from tests.counts import few
from tests.databases import in_memory
from tests.registry.registry_house import AGENCY
from tests.registry.search.questions import SYNTAX, answers, fill
from tests.registry.search.register_world import AGENCY_NAME, START, Register

NOW = START + 86_400 * 900
WORDS = [
    "航班", "客流", "港口", "某某", "公司", "数据", "据数", "交通", "登记", "概述", "取引", "거래", "𠮷野",
]  # fmt: skip


def opened(*, waived: bool) -> Register:
    engine = in_memory()
    register = Register(Session(engine))
    fill(register, waived=waived)
    return register


@pytest.fixture(scope="module")
def whole() -> Iterator[Register]:
    register = opened(waived=True)
    yield register
    register.session.close()


@pytest.fixture(scope="module")
def without_waived() -> Iterator[Register]:
    register = opened(waived=False)
    yield register
    register.session.close()


@pytest.fixture
def register() -> Iterator[Register]:
    engine = in_memory()
    with Session(engine) as session:
        yield Register(session)


def codes(register: Register, wanted: Wanted, at: int = NOW, limit: int = 200) -> list[str]:
    return [item.code for item in answering.catalogue(register.session, at, wanted, limit=limit).listings]


@pytest.mark.clause("G24", "D29")
@pytest.mark.parametrize(
    "word", ["航班", "客流", "港口", "某某", "公司", "数据", "据数", "交通", "登记", "概述", "取引", "거래", "𠮷野"]
)
def test_search__two_characters__find_every_line_that_has_them(whole: Register, word: str) -> None:
    found = codes(whole, Wanted(word))
    assert found == answers(whole, Wanted(word), NOW)
    assert found


@pytest.mark.parametrize("word", ["数", "𠮷", "x", "据", "1"])
def test_search__one_character__finds_it_anywhere_in_a_run(whole: Register, word: str) -> None:
    assert codes(whole, Wanted(word)) == answers(whole, Wanted(word), NOW) != []


def test_search__neighbours_elsewhere__are_not_the_word(register: Register) -> None:
    scattered, together = register.put("港口 口吞 吞量"), register.put("港口吞量")
    assert codes(register, Wanted("港口吞量")) == [together]
    assert set(codes(register, Wanted("港口 吞量"))) == {scattered, together}


def test_search__width_case_and_composition__make_no_difference(register: Register) -> None:
    code = register.put("ＡＢＣ全角Ｄａｔａ Caf\u00e9")
    for word in ("abc", "ABC", "ａｂｃ全", "dAtA", "cafe\u0301", "CAFÉ", code.lower(), code[3:9]):
        assert codes(register, Wanted(word)) == [code], word


@pytest.mark.parametrize("word", SYNTAX)
def test_search__what_an_index_takes_for_its_own__is_a_word_like_others(whole: Register, word: str) -> None:
    assert codes(whole, Wanted(word)) == answers(whole, Wanted(word), NOW)


PIECES = [*SYNTAX, "秘密", "琥珀", "航班", "数据", "公司", "SJ44", "张某", "2024", "杭州", "用于分析", AGENCY_NAME]
QUESTIONS = st.builds(
    Wanted,
    words=st.one_of(st.lists(st.sampled_from(PIECES), max_size=3).map(" ".join), st.text(max_size=12)),
    kind=st.sampled_from([None, *AssetKind]),
    agency=st.sampled_from(["", AGENCY]),
    right=st.sampled_from([None, *Right]),
    status=st.sampled_from([None, Status.VALID, Status.LAPSED, Status.CANCELLED]),
    since=st.sampled_from([None, START, START + 86_400 * 100 + 3]),
    until=st.sampled_from([None, START + 86_400 * 200, NOW]),
)


@pytest.mark.clause("G24", "I-16")
@settings(max_examples=few(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(wanted=QUESTIONS, limit=st.integers(1, 30), days=st.integers(0, 2_000))
def test_search__any_question__answers_as_without_the_waived_ones(
    whole: Register, without_waived: Register, wanted: Wanted, limit: int, days: int
) -> None:
    """Nothing of a waived registration can be asked out: not by words, filters, paging or counting."""
    at = START + days * 86_400
    pages = []
    for register in (whole, without_waived):
        found = answering.catalogue(register.session, at, wanted, limit=limit)
        second = answering.catalogue(register.session, at, wanted, limit=limit, before=int(found.next or 0))
        pages.append((found, second if found.next else None))
    assert pages[0] == pages[1]
    assert codes(whole, wanted, at) == answers(whole, wanted, at)


@pytest.mark.clause("G24", "I-16")
def test_waived__whole_code_and_nothing_else__code_status_and_agency(whole: Register) -> None:
    waived = [code for code, (_, record) in whole.entries.items() if record.publicity_waived]
    assert len(waived) > 3
    for code in waived:
        for asked in (code, code.lower(), f" {code} "):
            (line,) = answering.catalogue(whole.session, START, Wanted(asked)).listings
            assert line == Listing(code, agency=AGENCY_NAME, status=Status.VALID)
        for wanted in (
            Wanted(code[:-1]), Wanted(code[2:]), Wanted(f"{code} 数据"), Wanted(code, right=Right.USE),
            Wanted(code, status=Status.VALID), Wanted(code, agency=AGENCY), Wanted(code, since=0),
            *(Wanted(code, kind=kind) for kind in AssetKind),
        ):  # fmt: skip
            assert answering.catalogue(whole.session, START, wanted).listings == ()


@pytest.mark.clause("G24", "I-16")
def test_statistics__breakdowns__are_those_without_the_waived_ones(whole: Register, without_waived: Register) -> None:
    one, other = ({f.dimension: f for f in statistics.figures(r.session, NOW)} for r in (whole, without_waived))
    told = {Dimension.PUBLICITY, Dimension.STATUS}
    assert {name: one[name] for name in one.keys() - told} == {name: other[name] for name in other.keys() - told}
    assert one[Dimension.PUBLICITY] != other[Dimension.PUBLICITY]


def test_paging__by_key__every_line_once_while_new_ones_come_in(register: Register) -> None:
    made = [register.put(f"第{number}份数据", at=START + number // 3) for number in range(23)]
    seen: list[str] = []
    before = search.FIRST
    while True:
        page = answering.catalogue(register.session, NOW, Wanted("数据"), limit=4, before=before)
        seen += [item.code for item in page.listings]
        register.put("新来的数据", at=START + 1_000 + len(seen))
        if not page.next:
            break
        before = int(page.next)
    expected = sorted(made, key=lambda code: (register.entries[code][0].deposited_at, code), reverse=True)
    assert seen == expected


def test_paging__of_a_rare_status__ends_a_page_early_and_goes_on(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_LOOKED", 6)
    pending = [register.put(f"数据{number}", at=START + number, years=1) for number in range(20)]
    page = answering.catalogue(register.session, NOW, Wanted(status=Status.RENEWAL_PENDING), limit=2)
    assert page.listings == ()
    assert page.next
    asked, before = 0, search.FIRST
    while (
        page := answering.catalogue(
            register.session, NOW, Wanted(status=Status.RENEWAL_PENDING), limit=2, before=before
        )
    ).next:
        before, asked = int(page.next), asked + 1
    assert asked < len(pending)


def test_version__a_new_one__takes_the_place_of_the_old(register: Register) -> None:
    code = register.put("旧名称航班数据")
    register.put("新名称客流数据", code=code, version=2, at=START + 99)
    assert codes(register, Wanted("航班")) == codes(register, Wanted("旧名")) == []
    (line,) = answering.catalogue(register.session, NOW, Wanted("客流")).listings
    assert (line.version, line.data_name, search.lines(register.session)) == (2, "新名称客流数据", 1)
    register.put("又不公示", code=code, version=3, at=START + 199, waived=True)
    assert search.lines(register.session) == 0


def test_natural_person__name__is_not_searched(register: Register) -> None:
    register.put("数据", holder="张某某", holder_kind=PartyKind.NATURAL)
    assert codes(register, Wanted("张某")) == []


def test_index__made_again__finds_the_same_and_keeps_nothing_of_what_is_gone(register: Register) -> None:
    gone, kept = register.put("琥珀航班"), register.put("翡翠航班")
    register.session.execute(text("DELETE FROM register_line WHERE code = :code"), {"code": gone})
    search.make_index_again(register.session)
    assert codes(register, Wanted("航班")) == [kept]
    token = tokens_of("琥珀")[0].encode()
    blocks = register.session.execute(text("SELECT block FROM register_fts_data")).scalars()
    assert not any(token in block for block in blocks)


@settings(max_examples=few(200), deadline=None)
@given(text=st.text(max_size=30), start=st.integers(0, 30), length=st.integers(1, 8))
def test_tokens__of_any_piece_of_a_run__are_among_those_of_the_text(text: str, start: int, length: int) -> None:
    searched = text_of([text])
    have = set(grams_of(searched).split())
    assert runs_of(searched) == searched.split()
    for run in searched.split():
        piece = run[start % len(run) :][:length]
        for token in tokens_of(piece):
            assert any(gram.startswith(token[:-1]) for gram in have) if token.endswith("*") else token in have
        assert all(letter in "abcdefghijklmnopqrstuvwxyz*" for token in tokens_of(piece) for letter in token)


@given(
    one=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 99), st.integers(0, 9), st.integers(1, 9999)),
    other=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 99), st.integers(0, 9), st.integers(1, 9999)),
)
def test_place__later_deposit_above__different_codes_of_one_second_apart(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    places = [place_of(f"SJ{region:02d}{digit}202611{serial:04d}", at) for at, region, digit, serial in (one, other)]
    assert (places[0] < places[1]) == (one < other) or one[0] == other[0]
    assert (places[0] == places[1]) == (one == other) or one[0] != other[0]
    assert 0 <= min(places) <= max(places) < 2**63 - 1


def test_certificate__unknown_code__nothing(register: Register) -> None:
    assert codes(register, Wanted("SJ3312026080001")) == []
    with pytest.raises(Unknown):
        validity.certificate_status(register.session, "SJ3312026080001", NOW)
