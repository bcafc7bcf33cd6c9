"""Rule sets as data: what is shipped is what the sources say, and what they do not say is refused, never invented."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ledger.errors import FieldError
from registry.application import RULES
from registry.conditions import GROUNDS
from registry.errors import NotDefined
from registry.industry import TABLES, table_of
from registry.rights import MATRIX, RIGHT_NAMES, Basis, Right
from registry.rulefile import DEFAULT, industry_documents, rule_documents
from registry.scheme import (
    NATIONAL_2026,
    PROCEDURE,
    SCHEMES,
    VERSIONS,
    Announce,
    digest_of,
    library,
    scheme_at,
    scheme_from,
    scheme_of,
)

INDUSTRY = TABLES["GB/T 4754-2017"]


def document(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(rule_documents()[DEFAULT]) | changes


def test_shipped__four_rule_sets_each_with_source_and_version() -> None:
    assert sorted(SCHEMES) == ["data_ip_local", "legacy", "national_2026", "public_data_2025"]
    assert all(item.source and item.version and item.title and item.paper for item in SCHEMES.values())
    assert VERSIONS["national_2026"] == (NATIONAL_2026,)


@pytest.mark.clause("G14")
def test_national__seven_steps_and_twenty_clocks() -> None:
    assert NATIONAL_2026.steps == PROCEDURE
    assert sorted(NATIONAL_2026.clocks) == [f"C{n:02d}" for n in range(1, 21)]
    NATIONAL_2026.require_steps()


LENGTHS = {
    "C01": (3, "工作日"), "C02": (10, "工作日"), "C03": (10, "工作日"), "C04": (10, "工作日"), "C05": (10, "工作日"),
    "C06": (5, "工作日"), "C07": (10, "工作日"), "C08": (5, "年"), "C09": (6, "月"), "C10": (0, "日"),
    "C11": (5, "工作日"), "C12": (10, "工作日"), "C13": (5, "工作日"), "C14": (5, "工作日"), "C15": (6, "月"),
    "C16": (20, "工作日"), "C17": (5, "工作日"), "C20": (20, "年"),
}  # fmt: skip


@pytest.mark.parametrize("clock", sorted(LENGTHS))
def test_national__each_clock__has_the_length_of_the_guide(clock: str) -> None:
    found = NATIONAL_2026.clocks[clock]
    assert (found.length, found.unit.value) == LENGTHS[clock]
    assert found.basis


@pytest.mark.clause("G28", "C03", "C04")
def test_national__only_completion_and_its_extension_pause() -> None:
    pausing = {name for name, clock in NATIONAL_2026.clocks.items() if clock.pauses}
    assert pausing == {"C03", "C04"}
    assert set(NATIONAL_2026.clocks["C03"].pauses) == {"supplement", "publicity", "objection"}


@pytest.mark.clause("G24")
def test_national__publicity_by_type_of_registration() -> None:
    found = {rule.name: NATIONAL_2026.publicity_required(rule.name) for rule in NATIONAL_2026.types}
    assert found == {
        "初次登记": Announce.REQUIRED, "转让登记": Announce.REQUIRED, "变更登记": Announce.PUBLISHED_ITEMS,
        "续期登记": Announce.REQUIRED, "注销登记": Announce.NONE,
    }  # fmt: skip
    assert [rule.name for rule in NATIONAL_2026.types if rule.waivable] == ["初次登记"]


@pytest.mark.clause("G22")
def test_national__reasons__belong_to_moves_there_are() -> None:
    assert sorted(NATIONAL_2026.reasons) == [
        "NA-1", "NA-2", "NA-3", "NF-1", "RF-1", "RF-2", "RF-3", "RF-4", "RF-5", "TM-1",
    ]  # fmt: skip
    assert {move for reason in NATIONAL_2026.reasons.values() for move in reason.moves} <= set(RULES)
    assert GROUNDS["I-14"] == GROUNDS["I-21"] == {f"RF-{n}" for n in range(1, 6)}
    assert (GROUNDS["I-09"], GROUNDS["I-12"]) == ({"NA-1", "NA-2", "NA-3"}, {"TM-1"})
    assert NATIONAL_2026.grounds("I-03") == frozenset()


@pytest.mark.clause("G15")
@pytest.mark.parametrize(
    ("case", "registrable", "number"), [("一", False, False), ("二", True, True), ("三", True, False)]
)
def test_national__public_data__by_case_of_article_15(case: str, registrable: bool, number: bool) -> None:
    rule = NATIONAL_2026.public_data_rule(case)
    assert rule is not None
    assert (rule.registrable, rule.needs_number) == (registrable, number)
    assert NATIONAL_2026.public_data_rule("无") is None


@pytest.mark.clause("G3")
@pytest.mark.parametrize(
    ("label", "right"),
    [
        ("数据持有权", Right.HOLD), ("资源持有权", Right.HOLD), ("数据加工使用权", Right.USE),
        ("加工使用权", Right.USE), ("产品经营权", Right.OPERATE), (" 经营权 ", Right.OPERATE),
    ],
)  # fmt: skip
def test_labels__old_names__mean_the_same_codes(label: str, right: Right) -> None:
    assert NATIONAL_2026.right_of(label) is right


def test_labels__of_another_family_of_rights__are_not_mapped() -> None:
    assert SCHEMES["legacy"].right_of("资源持有") is Right.HOLD
    with pytest.raises(NotDefined):
        SCHEMES["data_ip_local"].right_of("数据知识产权")
    with pytest.raises(NotDefined, match="所有权"):
        NATIONAL_2026.right_of("所有权")


def test_matrix__is_the_default_rule_set_s() -> None:
    assert {basis.value: ground for basis, ground in MATRIX.items()} == dict(NATIONAL_2026.matrix)
    assert NATIONAL_2026.matrix[Basis.M4A].verdicts == MATRIX[Basis.M4A].verdicts
    assert RIGHT_NAMES[Right.OPERATE] == "数据经营权"


ABSENT = [
    ("legacy", lambda s: s.clocks["C01"], "C01"),
    ("legacy", lambda s: s.max_years, "max_years"),
    ("legacy", lambda s: s.validity_end, "有效期末日"),
    ("data_ip_local", lambda s: s.clocks["C06"], "C06"),
    ("data_ip_local", lambda s: s.matrix[Basis.M1], "M1"),
    ("public_data_2025", lambda s: s.clocks["C07"], "C07"),
    ("public_data_2025", lambda s: s.max_extension, "max_extension"),
    ("public_data_2025", lambda s: s.name_advice, "name_advice"),
    ("public_data_2025", lambda s: s.overview_advice, "overview_advice"),
    ("public_data_2025", lambda s: s.publicity_required("变更登记"), "变更登记"),
    ("public_data_2025", lambda s: s.type_rule("转让登记"), "转让登记"),
    ("public_data_2025", lambda s: s.require_steps(), "信息存证"),
    ("legacy", lambda s: s.require_steps(), "异议处理"),
]


@pytest.mark.parametrize(("name", "ask", "named"), ABSENT)
def test_absent__asking_for_what_a_source_does_not_say__is_refused_by_name(name: str, ask: Any, named: str) -> None:
    with pytest.raises(NotDefined) as refused:
        ask(SCHEMES[name])
    assert name in str(refused.value)
    assert named in str(refused.value)
    assert " / Rule set " in str(refused.value)


def test_public_data_2025__what_it_says() -> None:
    scheme = SCHEMES["public_data_2025"]
    assert scheme.steps == ("申请", "受理", "形式审核", "公示", "赋码")
    lengths = {name: (clock.length, clock.unit.value) for name, clock in scheme.clocks.items()}
    assert (lengths["C03"], lengths["C06"], lengths["C08"]) == ((20, "工作日"), (10, "工作日"), (3, "年"))
    assert lengths["C09"] == (60, "日")
    assert "没有视为受理" in scheme.clocks["C01"].on_expiry
    assert scheme_of("public_data_2025", "2030-02-28").id == "public_data_2025"
    with pytest.raises(FieldError):
        scheme_of("public_data_2025", "2030-03-01")


# Versions by date -----------------------------------------------------------------------------------------------------


def two_versions() -> Any:
    return library(
        {
            "one": document(effective_to="2027-12-31"),
            "two": document(version="2", effective_from="2028-01-01", limits=document()["limits"] | {"max_years": 3}),
        }
    )


@pytest.mark.parametrize(
    ("day", "version"), [("2026-07-01", "1"), ("2027-12-31", "1"), ("2028-01-01", "2"), ("2040-01-01", "2"), ("", "2")]
)
def test_version__is_that_of_the_day(day: str, version: str) -> None:
    assert scheme_of("national_2026", day, two_versions()).version == version


@pytest.mark.parametrize(("day", "version"), [("2027-12-31", "1"), ("2028-01-01", "2"), ("2099-01-01", "2")])
def test_case__goes_on_with_the_version_of_its_day__also_after_that_ended(day: str, version: str) -> None:
    assert scheme_at("national_2026", day, two_versions()).version == version
    assert scheme_at("legacy", "2030-01-01").id == "legacy"
    with pytest.raises(FieldError):
        scheme_at("legacy", "2020-01-01")


def test_version__before_the_first__or_unknown_day__is_refused() -> None:
    with pytest.raises(FieldError, match="2026-07-01"):
        scheme_of("national_2026", "2026-06-30")
    with pytest.raises(FieldError):
        scheme_of("nothing")
    with pytest.raises(NotDefined, match="施行日期"):
        scheme_of("data_ip_local", "2026-08-01")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"version": "2", "effective_from": "2028-01-01"}),
        ({"effective_to": "2028-01-01"}, {"version": "2", "effective_from": "2028-01-01"}),
        ({"effective_to": "2027-12-31"}, {"version": "1", "effective_from": "2028-01-01"}),
    ],
)
def test_versions__in_force_on_one_day__are_refused(first: dict[str, Any], second: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match="effective_from"):
        library({"one": document(**first), "two": document(**second)})


# Broken files ---------------------------------------------------------------------------------------------------------


def broken(path: str, value: Any) -> dict[str, Any]:
    """The shipped document with one place changed; "⌫" takes it away."""
    made = document()
    *way, last = path.split(".")
    place: Any = made
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value == "⌫":
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("id", "National", "id"),
        ("steps", [], "steps"),
        ("title", "⌫", "title"),
        ("colour", "red", "colour"),
        ("effective_from", "2026-13-01", "effective_from"),
        ("effective_to", "2020-01-01", "effective_to"),
        ("clocks.C01.length", "three", "C01"),
        ("clocks.C01.unit", "周", "unit"),
        (
            "clocks.X",
            {"name": "x", "trigger": "x", "length": 1, "unit": "日", "on_expiry": "x", "basis": "P"},
            "clocks.X",
        ),
        ("limits.max_years", 0, "limits"),
        ("matrix.M1", "⌫", "matrix"),
        ("matrix.M1.basis", "M2", "matrix.M1.basis"),
        ("matrix.M1.verdicts.HOLD", "⌫", "matrix.M1.verdicts"),
        ("matrix.M1.verdicts.HOLD", "Z", "matrix.M1.verdicts"),
        ("matrix.M7.why_not", "⌫", "matrix.M7.why_not"),
        ("reasons.RF-1.moves", [], "reasons.RF-1"),
        ("reasons.refuse", {"text": "x", "moves": ["I-14"], "basis": "P"}, "reasons.refuse"),
        ("public_data.0.ends_with", "NA-9", "ends_with"),
        ("name_elements.0.patterns.0", "(", "name_elements.时间"),
        ("labels.1.label", "数据持有权", "labels"),
        ("right_names.OWN", "所有权", "OWN"),
        ("industry", "GB/T 0000", "industry"),
    ],
)
def test_file__broken__is_refused_at_import_with_the_field(path: str, value: Any, named: str) -> None:
    with pytest.raises(FieldError) as refused:
        scheme_from(broken(path, value), "rules/test.json")
    assert refused.value.field.startswith("rules/test.json")
    assert named in refused.value.field + refused.value.expected


# Digests --------------------------------------------------------------------------------------------------------------


def test_digest__is_twin_and_its_own_for_each_version() -> None:
    digests = {name: digest_of(name, scheme.version) for name, scheme in SCHEMES.items()}
    assert len({item.sha256 for item in digests.values()}) == len({item.sm3 for item in digests.values()}) == 4
    with pytest.raises(FieldError, match="national_2026 1"):
        digest_of("national_2026", "2")


# Industries -----------------------------------------------------------------------------------------------------------


def test_industries__twenty_sections_and_ninety_seven_divisions() -> None:
    assert "".join(section.code for section in INDUSTRY.sections) == "ABCDEFGHIJKLMNOPQRST"
    assert [code[1:] for code, _ in INDUSTRY.names()] == [f"{n:02d}" for n in range(1, 98)]


@pytest.mark.parametrize(
    ("name", "code", "there"),
    [
        ("交通运输、仓储和邮政业/航空运输业", "G56", True),
        (" 金融业 ／ 保险业 ", "J68", True),
        ("金融业/保险业", "J67", False),
        ("金融业", "J", False),
        ("航空运输业/交通运输、仓储和邮政业", "G56", False),
    ],
)
def test_industries__name_and_code_belong_together(name: str, code: str, there: bool) -> None:
    assert INDUSTRY.has(name, code) is there


def test_industries__a_near_miss__is_suggested() -> None:
    assert INDUSTRY.suggestions("金融/保险", "") == ("J68 金融业/保险业",)
    assert INDUSTRY.suggestions("x", "G56") == ("G56 交通运输、仓储和邮政业/航空运输业",)
    assert INDUSTRY.suggestions("", "") == ()


def test_industries__a_broken_table__is_refused() -> None:
    table = copy.deepcopy(industry_documents()["gbt4754_2017"])
    table["sections"][0]["divisions"]["97"] = "再来"
    with pytest.raises(FieldError, match="sections"):
        table_of(table, "rules/test.json")
    table = copy.deepcopy(industry_documents()["gbt4754_2017"])
    table["sections"].reverse()
    with pytest.raises(FieldError, match="sections"):
        table_of(table, "rules/test.json")
