"""Every rule of the pre-check: a form that makes it fire, and one next to it that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ledger.errors import FieldError
from registry.asset import Source
from registry.calendar import published
from registry.errors import NotDefined
from registry.form import Declarations, Form, PublicData, Representative
from registry.party import IdType, PartyKind
from registry.precheck import (
    NOTHING,
    RULES,
    Finding,
    Known,
    Level,
    Sample,
    examined,
    missing_elements,
    precheck,
    require_submittable,
)
from registry.rights import Basis, Right
from registry.scheme import NATIONAL_2026, SCHEMES, scheme_of
from tests.registry.registry_house import (
    AGENCY,
    DEVELOPER,
    PROVIDER,
    a_form,
    a_person,
    applicant,
    attachment,
    by_persons,
    moment,
)

NOW = moment("2026-08-03 09:00")
RESIDENT = "11010519491231002X"


def data(form: Form, **changes: Any) -> Form:
    return replace(form, description=replace(form.description, **changes))


def person(form: Form, **changes: Any) -> Form:
    return replace(form, applicants=(replace(form.applicants[0], **changes),))


def row(**changes: Any) -> Form:
    form = a_form()
    return replace(form, rights=(replace(form.rights[0], **changes), *form.rights[1:]))


def declared(case: PublicData, number: str = "") -> Form:
    return replace(a_form(), declarations=Declarations(False, False, case, number))


def sample(text: str) -> Known:
    return Known(samples=(Sample("样例.csv", text),))


def fusion(*consents: str) -> Form:
    form = replace(a_form(), right_basis=Basis.M5B, participants=("甲公司",))
    rights = tuple(replace(item, consents=consents) for item in form.rights)
    return replace(form, rights=rights, attachments=(*form.attachments, attachment("参与方名单")))


@dataclass(frozen=True)
class Try:
    """A rule, a form that makes it fire at a level and field, and one that does not."""

    rule: str
    level: str
    field: str
    fires: Form
    quiet: Form
    known: Known = NOTHING
    known_quiet: Known | None = None
    says: str = ""
    at: int = NOW


FORM = a_form()
NATURAL = by_persons(a_person())
BAD_CONTENT = data(FORM, content=replace(FORM.description.content, digest=FORM.attachments[0].digest))
TRIES = [
    Try("PC-01", "S", "description.data_name", data(FORM, data_name=" "), FORM, says="数据名称未填写"),
    Try("PC-01", "S", "applicants[0].contact", person(FORM, contact=" "), FORM, says="联系人未填写"),
    Try("PC-01", "S", "applicants[0].id_no", person(FORM, id_no=" "), FORM, says="证件号码未填写"),
    Try("PC-01", "R", "description.industry", data(FORM, industry=""), FORM, says="所属行业未填写"),
    Try("PC-01", "R", "description.volume", data(FORM, volume=()), FORM, says="数据量未填写"),
    Try("PC-01", "R", "applicants[0].address", person(FORM, address=""), FORM, says="联系地址未填写"),
    Try("PC-01", "R", "applicants[0].business", person(FORM, business=None), FORM, says="经营情况未填写"),
    Try("PC-02", "S", "applicants[0].id_no", person(FORM, id_no="91350100M000100Y34"), FORM, says="请核对证照"),
    Try("PC-03", "S", "applicants[0].id_no",
        person(NATURAL, id_no="110105194912310021"), NATURAL, says="请核对证照"),
    Try("PC-01", "S", "applicants[0].party", person(NATURAL, party=""), NATURAL, says="当事方编号未填写"),
    Try("PC-01", "S", "applicants[0].salt", person(NATURAL, salt=" "), NATURAL, says="身份盐值未填写"),
    Try("PC-03", "S", "applicants[0].party", person(NATURAL, party=PROVIDER), NATURAL, says="照本人钥匙文件"),
    Try("PC-03", "S", "applicants[0].salt", person(NATURAL, salt="5A" * 32), NATURAL, says="照本人钥匙文件"),
    Try("PC-03", "S", "applicants[0].id_no", person(NATURAL, id_type=IdType.OTHER, id_no="e1234567"),
        person(NATURAL, id_type=IdType.OTHER, id_no="E1234567"), says="请核对证照"),
    Try("PC-04", "R", "applicants[0].salt", person(FORM, salt="5a" * 32), FORM, says="仅由自然人填写"),
    Try("PC-04", "R", "applicants[0].id_type", person(FORM, kind=PartyKind.NATURAL), FORM, says="不一致"),
    Try("PC-04", "R", "applicants[0].id_type", person(FORM, id_type=IdType.RESIDENT, id_no=RESIDENT),
        NATURAL, says="统一社会信用代码"),
    Try("PC-05", "W", "description.data_name", data(FORM, data_name="数" * 41), data(FORM, data_name="数" * 40),
        says="共41字，不宜超过40个字"),
    Try("PC-06", "W", "description.data_name", data(FORM, data_name="全国民航运输航班起降记录数据集"), FORM,
        says="“时间”"),
    Try("PC-07", "W", "description.overview", data(FORM, overview="述" * 401), data(FORM, overview="述" * 400),
        says="共401字，不宜超过400个字"),
    Try("PC-08", "R", "description.industry", data(FORM, industry="航空运输业"), FORM,
        says="G56 交通运输、仓储和邮政业/航空运输业"),
    Try("PC-08", "R", "description.industry", data(FORM, industry_code="G55"), FORM, says="门类及大类名称"),
    Try("PC-09", "R", "description.time_from", data(FORM, time_from="2014-01-01"), data(FORM, time_from="2013-12-31"),
        says="起止颠倒"),
    Try("PC-09", "S", "description.time_to", data(FORM, time_to="2013-02-30"), FORM, says="日期不存在"),
    Try("PC-10", "R", "rights", replace(FORM, right_basis=Basis.M7), FORM, says="第二十一条第七项"),
    Try("PC-10", "R", "rights",
        replace(FORM, right_basis=Basis.M4A, attachments=(*FORM.attachments, attachment("公开数据收集说明"))),
        replace(a_form(rights=(Right.HOLD, Right.USE)), right_basis=Basis.M4A), says="不可登记数据经营权"),
    Try("PC-11", "R", "rights", replace(FORM, right_basis=Basis.M2), FORM, says="登记数据持有权须提交：授权采集合同"),
    Try("PC-11", "R", "description.sources", replace(FORM, right_basis=Basis.M6),
        a_form(sources=(Source("SJ3312026110001"),)), says="原始数据的登记凭证"),
    Try("PC-12", "R", "rights", fusion(), fusion("甲公司"), says="甲公司同意"),
    Try("PC-13", "R", "declarations.public_data", declared(PublicData.DUTY), declared(PublicData.UTILITY),
        says="不进行数据产权登记"),
    Try("PC-14", "R", "declarations.public_data_no", declared(PublicData.OPERATED), declared(PublicData.OPERATED, "A1"),
        says="请填写登记编号"),
    Try("PC-14", "R", "declarations.public_data_no", declared(PublicData.OPERATED, "A1"),
        declared(PublicData.OPERATED, "A1"), Known(verified_numbers=frozenset()),
        Known(verified_numbers=frozenset({"A1"})), says="A1 尚未核验"),
    Try("PC-15", "R", "applicants", a_form(AGENCY), FORM, says="其他登记机构"),
    Try("PC-16", "W", "applicants[0]", FORM, FORM, Known(affiliates=frozenset({PROVIDER})), says="回避"),
    Try("PC-17", "R", "rights", replace(FORM, rights=()), FORM, says="至少选择一项"),
    Try("PC-18", "R", "years", replace(FORM, years=6), FORM, says="2031-08-03"),
    Try("PC-18", "R", "years", replace(FORM, authorised_until="2028-01-01"),
        replace(FORM, authorised_until="2031-08-03"), says="2028-01-01"),
    Try("PC-18", "R", "rights[0].term_to", row(term_from="2026-08-03", term_to="2031-08-04"),
        row(term_from="2026-08-03", term_to="2031-08-03"), says="第1行"),
    Try("PC-19", "R", "rights", replace(FORM, rights=(replace(FORM.rights[0], holder_id="X"),)), FORM,
        says="应包含登记申请人"),
    Try("PC-19", "R", "rights[0].term_from", row(term_from="2026-08-03"),
        row(term_from="2026-08-03", term_to="2027-08-03"), says="第1行的期限起止"),
    Try("PC-19", "R", "rights[0].limits", row(limits=" "), FORM, says="第1行的限制"),
    Try("PC-20", "R", "description.limits", data(FORM, limits=" "), data(FORM, limits="无"), says="请填“无”"),
    Try("PC-21", "R", "attachments", replace(FORM, attachments=FORM.attachments[1:]), FORM, says="身份佐证"),
    Try("PC-21", "R", "attachments", replace(FORM, representative=Representative("代理人", AGENCY)),
        replace(FORM, representative=Representative("代理人", AGENCY),
                attachments=(*FORM.attachments, attachment("授权委托书"))), says="授权委托书"),
    Try("PC-21", "R", "attachments", replace(FORM, declarations=Declarations(True, False)),
        replace(FORM, declarations=Declarations(True, False),
                attachments=(*FORM.attachments, attachment("合规佐证"))), says="合规佐证"),
    Try("PC-22", "S", "description.content", BAD_CONTENT, FORM, says="重新计算"),
    Try("PC-22", "S", "attachments", FORM, FORM, Known(unreadable=("样例.csv",)), says="样例.csv无法读取"),
    Try("PC-23", "R", "declarations.personal_info", FORM, replace(FORM, declarations=Declarations(True, False)),
        sample(f"id,x\n{RESIDENT},1\n"), sample(f"id,x\n{RESIDENT},1\n"), says="居民身份证号码"),
    Try("PC-23", "R", "declarations.personal_info", FORM, FORM, sample("姓名,年龄\n某某,3\n"), sample("a,b\n1,2\n"),
        says="姓名"),
    Try("PC-24", "R", "rights", FORM, FORM, Known(registered=((Right.USE, "SJ3312026110001"),)),
        says="数据使用权已登记或在办：SJ3312026110001"),
    Try("PC-25", "W", "description.content", FORM, FORM, Known(similar=("SJ3312026110001",)), says="转人工核对"),
    Try("PC-26", "R", "description.content", FORM, FORM, Known(disputes=("在办",)), says="尚未解决的权属纠纷"),
    Try("PC-27", "S", "applicants[0]", FORM, FORM, Known(signed=frozenset()), Known(signed=frozenset({PROVIDER})),
        says="尚未签署"),
    Try("PC-32", "W", "scheme", FORM, FORM, Known(calendar=published()), Known(calendar=published()),
        says="2027年工作日安排未公布", at=moment("2026-12-21 09:00")),
]  # fmt: skip


ARTICLES = {
    "PC-01": "G16", "PC-02": "G16", "PC-03": "G16", "PC-04": "G16", "PC-05": "G19", "PC-06": "G19", "PC-07": "G19",
    "PC-08": "G19", "PC-09": "G19", "PC-10": "G21", "PC-11": "G20", "PC-12": "G21", "PC-13": "G15", "PC-14": "G15",
    "PC-15": "G10", "PC-16": "G10", "PC-17": "G16", "PC-18": "G26", "PC-19": "G21", "PC-20": "G23", "PC-21": "G33",
    "PC-22": "G16", "PC-23": "G20", "PC-24": "G39", "PC-25": "G39", "PC-26": "G22", "PC-27": "G16", "PC-32": "G17",
}  # fmt: skip


def found(form: Form, rule: str, known: Known, at: int = NOW) -> list[Finding]:
    return [item for item in precheck(form, NATIONAL_2026, at, known) if item.rule == rule]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.clause(ARTICLES[case.rule], case.rule), id=f"{case.rule}-{case.field}")
        for case in TRIES
    ],
)
def test_rule__fires_where_it_should_and_stays_quiet_next_to_it(case: Try) -> None:
    hits = [item for item in found(case.fires, case.rule, case.known, case.at) if item.field == case.field]
    assert hits, case.rule
    assert {item.level.value for item in hits} == {case.level}
    assert any(case.says in item.zh for item in hits), hits
    for item in hits:
        assert item.zh.rstrip("）").endswith("。") or item.zh.endswith("）")
        assert item.en[0].isascii()
        assert item.en.endswith(".")
    quiet = NOTHING if case.known_quiet is None else case.known_quiet
    assert [item for item in found(case.quiet, case.rule, quiet) if item.field == case.field] == []


def test_rules__every_one_has_a_case_at_each_of_its_levels() -> None:
    tried = {(case.rule, case.level) for case in TRIES}
    other_types = {"PC-28", "PC-29", "PC-30", "PC-31"}
    """Shown by test_later_types."""
    first = RULES.keys() - other_types
    assert tried == {(rule, level) for rule in first for level in RULES[rule][0]}
    assert set(RULES) == {f"PC-{n:02d}" for n in range(1, 33)}


def test_precheck__complete_form__finds_nothing() -> None:
    assert precheck(a_form(), NATIONAL_2026, NOW) == ()
    everything = Known(
        calendar=published(),
        signed=frozenset({PROVIDER}),
        verified_numbers=frozenset(),
        samples=(Sample("a", "x,y\n1,2"),),
    )
    assert precheck(a_form(), NATIONAL_2026, NOW, everything) == ()


@pytest.mark.clause("G17")
def test_precheck__only_s_findings_stop() -> None:
    red = precheck(replace(a_form(), right_basis=Basis.M7), NATIONAL_2026, NOW)
    assert {item.level for item in red} == {Level.RED}
    require_submittable(red)
    with pytest.raises(FieldError, match="PC-02"):
        require_submittable(precheck(person(a_form(), id_no="x"), NATIONAL_2026, NOW))


def test_precheck__most_serious_first() -> None:
    form = data(person(a_form(), id_no="x"), data_name="数" * 41, limits="")
    levels = [item.level.value for item in precheck(form, NATIONAL_2026, NOW)]
    assert levels == sorted(levels, key="SRW".index)
    assert len(set(levels)) == 3


def test_precheck__derived_data_with_sources__passes() -> None:
    assert precheck(a_form(sources=(Source("SJ3312026110001"),), rights=(Right.USE,)), NATIONAL_2026, NOW) == ()


def test_precheck__joint_applicants__each_signs_or_the_representative() -> None:
    second = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    joint = replace(a_form(), applicants=(*a_form().applicants, second))
    known = Known(signed=frozenset({PROVIDER}))
    assert [item.field for item in found(joint, "PC-27", known)] == ["applicants[1]"]
    represented = replace(joint, representative=Representative("代理人", AGENCY))
    assert found(represented, "PC-27", Known(signed=frozenset({AGENCY}))) == []


@pytest.mark.parametrize("name", ["legacy", "data_ip_local", "public_data_2025"])
def test_precheck__rule_set_without_a_matrix__is_refused_by_name(name: str) -> None:
    with pytest.raises(NotDefined, match=name):
        precheck(a_form(), SCHEMES[name], NOW)


def test_scheme__unknown_or_not_yet_in_force__is_refused() -> None:
    with pytest.raises(FieldError):
        scheme_of("nothing")
    with pytest.raises(FieldError):
        scheme_of("national_2026", "2026-06-30")


# Elements of the name -------------------------------------------------------------------------------------------------


@pytest.mark.clause("G19", "PC-06")
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("2024年全国高空设备租赁数据集", ""),
        ("2013年纽约三机场民航航班起降记录数据集", ""),
        ("2020-2023年长三角物流园区车辆进出记录数据接口", ""),
        ("2024年浙江省停车场泊位占用数据产品", ""),
        ("近三年杭州市道路拥堵指数", ""),
        ("数据集", "时间 地域 行业 内容"),
        ("全国高空设备租赁数据集", "时间"),
        ("2024年高空设备租赁数据集", "地域"),
        ("2024年全国高空作业记录数据集", "行业"),
        ("2024年全国租赁数据集", "内容"),
        ("2024年全国高空设备租赁记录", "数据类型"),
        ("股市行情（2024年全国金融数据集）", "时间 地域 行业 数据类型"),
    ],
)
def test_name_elements__seen_or_missed(name: str, missing: str) -> None:
    assert " ".join(item.name for item in missing_elements(name, NATIONAL_2026.name_elements)) == missing


def test_name_elements__compatibility_forms__count_as_one_character() -> None:
    assert found(data(FORM, data_name="é" * 40), "PC-05", NOTHING) == []
    assert found(data(FORM, data_name="e\u0301" * 40), "PC-05", NOTHING) == []


# Attachments themselves -----------------------------------------------------------------------------------------------


def reader(papers: dict[str, bytes]) -> Callable[[str], bytes | None]:
    return papers.get


def test_examined__attachments_are_compared_and_the_sample_is_read() -> None:
    form = a_form()
    papers = {item.name: item.kind.encode() for item in form.attachments}
    known = examined(form, NOTHING, reader(papers))
    assert known.unreadable == ()
    assert known.samples == (Sample("数据样例.pdf", "数据样例"),)
    papers["身份佐证.pdf"] = b"changed"
    del papers["合法取得佐证.pdf"]
    known = examined(form, NOTHING, reader(papers))
    assert known.unreadable == ("身份佐证.pdf", "合法取得佐证.pdf")
    assert [item.rule for item in precheck(form, NATIONAL_2026, NOW, known)] == ["PC-22", "PC-22"]
