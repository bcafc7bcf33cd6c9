"""The form of a listing: the groups of product metadata field by field, to a listing and back, with a message at each
field that is wrong. Samples and statistics are not asked here: they come signed by API and stay as they were.
Source: exchange.md §2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from api.office.application_form import Message, name_of
from api.office.fields import flat, rows
from api.office.refusals import told
from api.office.widgets import Group, Widget
from clearing.market.gates import Defect, Weight
from clearing.market.listing import TYPE_NAMES, Listing, PriceRegime, ProductType, VenueClass
from clearing.market.product import (
    Circulation,
    DatasetClass,
    ElementForm,
    Environment,
    Grant,
    Level,
    Masking,
    Mode,
    Origin,
    Period,
    Proceeds,
    PublicPurpose,
    QualityGrade,
    SellerKind,
)
from clearing.market.template import models
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of, read
from registry.asset import DataForm
from registry.rights import Right, SourceKind

LEVELS = {Weight.STOP: "S", Weight.REVIEW: "R", Weight.ADVICE: "W"}
SPARE = 3
"""Empty rows shown below those that are filled."""
ROWS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "content.volume": (20, ("number", "unit")),
    "content.fields": (2000, ("name", "meaning", "type", "level", "personal")),
    "provenance.chain": (50, ("kind", "issuer", "day", "digest.sha256", "digest.sm3")),
    "external_ids": (20, ("scheme", "number")),
}
"""Repeated groups: at most so many rows, each with these fields; a row with an empty first field is left out."""
OPTIONAL: Mapping[str, str] = {
    "delivery.interface": "version", "security.persons": "most_sensitive", "security.approval": "kind",
    "commerce.operation": "number", "quality": "scheme",
}  # fmt: skip
"""Groups that may be absent: they are there once this field of theirs is filled."""
LISTS = frozenset({"sources", "content.tags", "use.purposes", "use.scenes", "use.regions"})
CHOSEN: Mapping[str, tuple[Enum, ...]] = {"delivery.modes": tuple(Mode), "use.environments": tuple(Environment)}
"""Several of a list: one tick each, by its place in the list."""
NUMBERS = frozenset(
    {f"security.persons.{name}" for name in ("most_sensitive", "sensitive", "other")}
    | {f"quality.{name}" for name in ("normativity", "completeness", "accuracy", "consistency", "timeliness",
                                      "accessibility")}
)  # fmt: skip
SCORES = frozenset(name for name in NUMBERS if name.startswith("quality."))
TICKS = frozenset(
    {"security.cross_border", "security.persons.on_duty", "use.resale", "use.second_grant", "delivery.interface.agents",
     "quality.conforms"}
)  # fmt: skip
KEPT = ("preview", "delivery.manual", "delivery.targets")
"""What the form does not ask for; a new version keeps it as it was."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A listing, if the fields make one, and the messages by field name; `defects` are those of the pre-check."""

    listing: Listing | None
    messages: Mapping[str, tuple[Message, ...]]


def values_of(listing: Listing) -> dict[str, str]:
    """What stands in the fields of this listing."""
    values = {
        name: text for name, text in flat(body_of(listing)).items()
        if not name.startswith((*KEPT, *CHOSEN))
    }  # fmt: skip
    for name in SCORES & values.keys():
        values[name] = f"{int(values[name]) // 100}.{int(values[name]) % 100:02d}"
    for name, members in CHOSEN.items():
        held = _at(listing, name)
        values |= {f"{name}.t{place}": "1" for place, member in enumerate(members) if member in held}
    return values


def groups(values: Mapping[str, str]) -> list[Group]:
    """The sections of the form with what has been typed."""
    laid: list[Group] = []
    for group in _SECTIONS:
        if not group.repeated:
            laid.append(group.filled(values))
            continue
        most = ROWS[group.repeated][0]
        filled = max((place + 1 for place in _places(values, group.repeated)), default=0)
        for place in range(min(filled + SPARE, most)):
            fields = tuple(replace(item, name=f"{group.repeated}.{place}.{item.name}") for item in group.widgets)
            anchor = "" if place else group.anchor
            made = replace(group, title=f"{group.title} {place + 1}", widgets=fields, anchor=anchor)
            laid.append(made.filled(values))
    return laid


def read_form(
    values: Mapping[str, str], *, product: str, version: int, seller: str, before: Listing | None = None
) -> Checked:  # fmt: skip
    """The listing the fields make, or what is wrong with them; `before` is the version this one follows."""
    messages: dict[str, list[Message]] = {}

    def say(name: str, zh: str, en: str) -> None:
        messages.setdefault(name, []).append(Message("S", zh, en))

    absent = {name for name, key in OPTIONAL.items() if not values.get(f"{name}.{key}")}
    for item in (item for group in groups(values) for item in group.widgets):
        text = values.get(item.name, "")
        inside = next((name for name in OPTIONAL if item.name.startswith(f"{name}.")), "")
        if not text and item.required and inside not in absent and not _in_empty_row(values, item.name):
            say(item.name, f"请{'选择' if item.kind == 'choice' else '填写'}{item.zh}。", f"{item.en} is missing.")
        elif item.kind == "choice" and text and text not in {value for value, _ in item.options}:
            say(item.name, "请从列表中选择。", "Choose one of the list.")
        elif item.name in SCORES and text and not re.fullmatch(r"(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)", text):
            say(item.name, "应为 0 至 100 的百分数，最多两位小数。", "A percentage from 0 to 100.")
        elif item.name in NUMBERS - SCORES and text and not re.fullmatch(r"[0-9]{1,15}", text):
            say(item.name, "应为整数。", "An integer.")
        elif len(text) > item.most and item.kind in ("text", "long"):
            say(item.name, f"不能超过 {item.most} 个字符。", f"At most {item.most} characters.")
    for name, members in CHOSEN.items():
        if not any(values.get(f"{name}.t{place}") for place in range(len(members))):
            say(f"{name}.t0", "至少选择一项。", "Choose at least one.")
    listing = None
    if not messages:
        try:
            document = _document(values, absent) | {"product": product, "version": version, "seller": seller}
            listing = read(Listing, document, "body")
            if before is not None:
                kept = before.delivery
                delivery = replace(listing.delivery, manual=kept.manual, targets=kept.targets)
                listing = replace(listing, preview=before.preview, delivery=delivery)
        except (FieldError, Malformed) as error:
            field = error.field.removeprefix("body.") if isinstance(error, FieldError) else "name"
            say(name_of(field), *told(error))
    return Checked(listing, {name: tuple(items) for name, items in messages.items()})


def said_of(defects: Iterable[Defect]) -> dict[str, tuple[Message, ...]]:
    """The pre-check's findings beside the fields they are about."""
    found: dict[str, list[Message]] = {}
    for item in defects:
        name = name_of(item.field.removeprefix("body."))
        name = {"delivery.modes": "delivery.modes.t0", "use.environments": "use.environments.t0"}.get(name, name)
        name = {"certificate.status": "certificate", "certificate.holder": "certificate"}.get(name, name)
        code = f"{item.code} {item.gate}".strip()
        found.setdefault(name, []).append(Message(LEVELS[item.weight], item.zh, item.en, code))
    return {name: tuple(items) for name, items in found.items()}


def _document(values: Mapping[str, str], absent: set[str]) -> dict[str, Any]:
    """The document the fields make; what is empty and may be absent is left out."""
    document: dict[str, Any] = {}
    for item in (item for group in _SECTIONS if not group.repeated for item in group.widgets):
        name, text = item.name, values.get(item.name, "")
        if any(name.startswith(f"{group}.") for group in absent) or re.search(r"\.t[0-9]+$", name):
            continue
        if name in TICKS:
            _set(document, name, text == "1")
        elif name in LISTS:
            _set(document, name, [part.strip() for part in re.split("[；;]", text) if part.strip()])
        elif name in SCORES:
            whole, _, rest = text.partition(".")
            _set(document, name, int(whole) * 100 + int(rest.ljust(2, "0")))
        elif name in NUMBERS:
            _set(document, name, int(text or "0"))
        elif text:
            _set(document, name, text)
    for name, members in CHOSEN.items():
        ticked = [m.value for place, m in enumerate(members) if values.get(f"{name}.t{place}")]
        _set(document, name, ticked)
    for name, (_, fields) in ROWS.items():
        _set(document, name, [_row(row) for row in rows(values, name) if row.get(fields[0])])
    return document


def _row(row: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, text in row.items():
        if name == "personal":
            document[name] = text == "1"
        elif text:
            _set(document, name, text)
    return document


def _set(document: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for step in path:
        document = document.setdefault(step, {})
    document[last] = value


def _at(listing: Listing, name: str) -> tuple[Any, ...]:
    found: Any = listing
    for step in name.split("."):
        found = getattr(found, step)
    return tuple(found)


def _places(values: Mapping[str, str], group: str) -> list[int]:
    """Places of the rows of a group in which something stands."""
    found = (re.match(rf"{re.escape(group)}\.([0-9]+)\.", name) for name, text in values.items() if text)
    return [int(match[1]) for match in found if match]


def _in_empty_row(values: Mapping[str, str], name: str) -> bool:
    """Is this a field of a row in which nothing is filled?"""
    for group in ROWS:
        match = re.match(rf"{re.escape(group)}\.([0-9]+)\.", name)
        if match:
            return int(match[1]) not in _places(values, group)
    return False


_MODELS = tuple(
    (f"{model.id}-{model.version}", f"{model.title}（第 {model.version} 版）") for model in models().values()
)


def _options(members: Iterable[Enum], names: Mapping[Any, str] | None = None) -> tuple[tuple[str, str], ...]:
    return tuple((item.value, (names or {}).get(item, item.value)) for item in members)


def _ticks(name: str, labels: Mapping[Any, str]) -> tuple[Widget, ...]:
    return tuple(
        Widget(f"{name}.t{place}", labels.get(member, member.value), str(member.value), "tick")
        for place, member in enumerate(CHOSEN[name])
    )


_MODES = {
    Mode.API: "交付：接口请求", Mode.PUSH: "交付：数据集、文件或库表", Mode.STREAM: "交付：消息流订阅",
    Mode.AGENT: "交付：智能体", Mode.REPORT: "交付：报告或指数", Mode.PRIVATE: "交付：沙箱、隐私计算",
    Mode.CUSTODY: "交付：托管或委托交付",
}  # fmt: skip
_PLACES = {member: f"环境：{'使用方自有环境' if member is Environment.OWN else member.value}" for member in Environment}
_VENUES = {VenueClass.REQUIRED: "须场内交易", VenueClass.OPEN: "不限场内"}
_LISTED = "多项用；分开"
_SECTIONS: tuple[Group, ...] = (
    Group("产品", "Product", (
        Widget("name", "产品名称", "Name", required=True, most=40, help="宜含时间、地域、行业、内容、类型，至多 40 字"),
        Widget("type", "产品类型", "Type", "choice", _options(ProductType, TYPE_NAMES), required=True),
        Widget("overview", "产品概述", "Overview", "long", required=True, most=400),
        Widget("unit", "计量单位", "Unit", required=True, help="如 次、条、份、月"),
        Widget("policy", "使用条件", "Terms of use", "long", required=True, most=4000),
    )),
    Group("权利与来源", "Rights and source", (
        Widget("certificate", "登记凭证编码", "Certificate", required=True),
        Widget("right", "依据的权利", "Right", "choice", ((Right.OPERATE.value, "数据经营权"),), required=True),
        Widget("provenance.source_kind", "数据来源", "Source", "choice", _options(SourceKind), required=True),
        Widget("provenance.statement", "来源说明", "Statement", "long", required=True, most=1000),
        Widget("provenance.origin", "数据类属", "Class", "choice", _options(Origin), required=True),
        Widget("provenance.grant", "授权方式", "Authorisation", "choice", _options(Grant), required=True),
        Widget("sources", "来源数据的凭证编码", "Sources", most=4000, help=f"衍生创造和数据元件填写，{_LISTED}"),
    )),
    Group("授权链条文件", "Chain of authorisation", (
        Widget("kind", "文件种类", "Kind"),
        Widget("issuer", "出具单位", "Issuer", required=True),
        Widget("day", "日期", "Day", "date", required=True),
        Widget("digest.sha256", "SHA-256 摘要", "SHA-256", required=True, most=64),
        Widget("digest.sm3", "SM3 摘要", "SM3", required=True, most=64),
    ), repeated="provenance.chain", anchor="provenance.chain"),
    Group("内容与更新", "Content", (
        Widget("content.digest.sha256", "数据的 SHA-256 摘要", "SHA-256", required=True, most=64,
               help="与登记凭证所载数据内容一致"),
        Widget("content.digest.sm3", "数据的 SM3 摘要", "SM3", required=True, most=64),
        Widget("content.industry", "行业大类代码", "Industry", required=True, most=3, help="GB/T 4754，如 G56"),
        Widget("content.theme", "主题", "Theme", required=True),
        Widget("content.time_from", "时域起", "From", "date", required=True),
        Widget("content.time_to", "时域止", "To", "date", required=True),
        Widget("content.region", "地域", "Region", required=True),
        Widget("content.form", "数据形态", "Form", "choice", _options(DataForm), required=True),
        Widget("content.period", "更新周期", "Update period", "choice", _options(Period), required=True),
        Widget("content.updated_on", "最近更新", "Last update", "date", required=True),
        Widget("content.tags", "标签", "Tags", most=500, help=_LISTED),
        Widget("content.annotation", "标注情况", "Annotation", "long", most=1000),
        Widget("content.element", "元件形态", "Form of the element", "choice", _options(ElementForm),
               help="仅数据元件选择"),
        Widget("content.dataset_class", "高质量数据集类别", "Class of the data set", "choice", _options(DatasetClass),
               help="仅数据集可选"),
    )),
    Group("数据量", "Volume", (
        Widget("number", "数量", "Number", "number", most=24), Widget("unit", "单位", "Unit", required=True),
    ), repeated="content.volume", anchor="content.volume"),
    Group("字段", "Field", (
        Widget("name", "字段名", "Name"), Widget("meaning", "含义", "Meaning", required=True),
        Widget("type", "类型", "Type", required=True),
        Widget("level", "分级", "Level", "choice", _options(Level), required=True),
        Widget("personal", "含个人信息", "Personal", "tick"),
    ), repeated="content.fields", anchor="content.fields"),
    Group("质量（已评估的填写）", "Quality", (
        Widget("quality.scheme", "评价方法及版本", "Scheme"),
        Widget("quality.assessor", "评估机构统一社会信用代码", "Assessor", required=True, most=18),
        Widget("quality.assessed_on", "评估日期", "Assessed on", "date", required=True),
        Widget("quality.conforms", "符合性通过", "Conforms", "tick"),
        Widget("quality.grade", "等级", "Grade", "choice", _options(QualityGrade), help="符合性未通过的不评等级"),
        *(Widget(f"quality.{name}", f"{zh}（%）", name, "number", required=True, most=6) for name, zh in (
            ("normativity", "规范性"), ("completeness", "完整性"), ("accuracy", "准确性"), ("consistency", "一致性"),
            ("timeliness", "时效性"), ("accessibility", "可访问性"))),
        Widget("quality.promise", "质量承诺", "Promise", "long", most=1000),
    ), anchor="quality"),
    Group("安全", "Security", (
        Widget("security.level", "数据分级", "Level", "choice", _options(Level), required=True),
        Widget("security.circulation", "流通类型", "Circulation", "choice", _options(Circulation), required=True),
        Widget("security.masking", "个人信息处理", "Personal data", "choice", _options(Masking), required=True),
        Widget("security.method", "去标识、匿名的方法", "Method", "long", most=1000),
        Widget("security.cross_border", "可出境", "May cross the border", "tick"),
    ), anchor="security"),
    Group("个人信息数量（含个人信息的填写）", "Records on persons", (
        Widget("security.persons.most_sensitive", "行踪、通信内容、征信、财产（条）", "Most sensitive", "number",
               most=15),
        Widget("security.persons.sensitive", "住宿、通信记录、健康、交易（条）", "Sensitive", "number", most=15),
        Widget("security.persons.other", "其他（条）", "Other", "number", most=15),
        Widget("security.persons.on_duty", "在履职或提供服务过程中取得", "Got on duty", "tick"),
    ), anchor="security.persons"),
    Group("主管方批准（重要数据填写）", "Approval", (
        Widget("security.approval.kind", "文件种类", "Kind"),
        Widget("security.approval.issuer", "批准单位", "Issuer", required=True),
        Widget("security.approval.day", "日期", "Day", "date", required=True),
        Widget("security.approval.digest.sha256", "SHA-256 摘要", "SHA-256", required=True, most=64),
        Widget("security.approval.digest.sm3", "SM3 摘要", "SM3", required=True, most=64),
    ), anchor="security.approval"),
    Group("使用", "Use", (
        Widget("use.purposes", "用途", "Purposes", required=True, most=4000, help=_LISTED),
        Widget("use.scenes", "场景", "Scenes", most=4000, help=_LISTED),
        Widget("use.regions", "使用地域", "Regions", most=4000, help=_LISTED),
        *_ticks("use.environments", _PLACES),
        Widget("use.resale", "可转售", "Resale", "tick"),
        Widget("use.second_grant", "可二次授权", "Second grant", "tick"),
    )),
    Group("交付", "Delivery", (
        *_ticks("delivery.modes", _MODES),
        Widget("delivery.service_level", "服务水平目标", "Service level", "long", required=True, most=1000),
        Widget("delivery.standard", "交付标准", "Standard", required=True),
        Widget("delivery.support", "技术支持单位", "Support", required=True),
        Widget("delivery.contact_role", "联系岗位", "Contact role", required=True, help="写岗位，不写个人电话"),
        Widget("delivery.questions", "常见问题", "FAQ", "long", most=4000),
    )),
    Group("接口（接口、消息流产品填写）", "Interface", (
        Widget("delivery.interface.version", "接口版本", "Version"),
        Widget("delivery.interface.authorisation", "授权方式", "Authorisation", required=True),
        Widget("delivery.interface.status_codes", "状态码", "Status codes", "long", required=True, most=1000),
        Widget("delivery.interface.hours", "每周对外服务时间", "Hours", required=True),
        Widget("delivery.interface.agents", "允许代理", "Agents allowed", "tick"),
        Widget("delivery.interface.example", "调用示例", "Example", "long", required=True, most=4000),
    ), anchor="delivery.interface"),
    Group("商务", "Commerce", (
        Widget("regime", "价格机制", "Price regime", "choice", _options(PriceRegime), required=True),
        Widget("guide_price", "依据的指导价编号", "Guide price", most=64, help="政府指导价填写；指导价不是成交价"),
        Widget("commerce.plan", "价格方案编号", "Price plan", required=True),
        Widget("venue", "交易场所", "Venue", "choice", _options(VenueClass, _VENUES), required=True),
        Widget("commerce.seller_kind", "卖方性质", "Seller", "choice", _options(SellerKind), required=True),
        Widget("commerce.jurisdiction", "卖方所在省份代码（前两位）", "Province", required=True, most=2),
        Widget("commerce.proceeds", "收益性质", "Proceeds", "choice", _options(Proceeds), required=True),
        Widget("commerce.template", "合同模板", "Model text", "choice", _MODELS, required=True),
        Widget("migration_guide", "迁移指南", "Migration guide", "long", most=1000, help="新版本改动接口的填写"),
    )),
    Group("公共数据授权运营（公共数据填写）", "Public data", (
        Widget("commerce.operation.number", "授权编号", "Number"),
        Widget("commerce.operation.grantor", "授权单位", "Grantor", required=True),
        Widget("commerce.operation.from_day", "授权起", "From", "date", required=True),
        Widget("commerce.operation.to_day", "授权止", "To", "date", required=True),
        Widget("commerce.operation.purpose", "用于", "Purpose", "choice", _options(PublicPurpose), required=True),
        Widget("commerce.operation.cap", "最高限价编号", "Cap", most=64),
    ), anchor="commerce.operation"),
    Group("其他目录编号", "Other catalogues", (
        Widget("scheme", "目录", "Catalogue"), Widget("number", "编号", "Number", required=True),
    ), repeated="external_ids", anchor="external_ids"),
)  # fmt: skip
