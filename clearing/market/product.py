"""What a product says about itself: the groups of metadata of exchange.md §2.2 as typed values.

The words of the rules are the values of the enumerations, so that what is signed is what the page shows. Numbers are
integers; a score is in hundredths of a percent. What must agree between the groups is asked in `gates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.promise import ServiceTargets
from registry.asset import Count, DataForm, Day, Twin, Volume
from registry.rights import SourceKind

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(min_length=1, max_length=1000)]
Note = Annotated[str, Meta(max_length=1000)]
Uscc = Annotated[str, Meta(min_length=18, max_length=18)]
Score = Annotated[int, Meta(ge=0, le=10_000)]


class Origin(StrEnum):
    """Class of the data by whose it is."""

    PUBLIC = "公共数据"
    ENTERPRISE = "企业数据"
    PERSONAL = "个人数据"


class Level(StrEnum):
    """分级 of 数据安全法 art. 21, lowest first; local schemes of four steps are mapped to it before listing."""

    GENERAL = "一般数据"
    IMPORTANT = "重要数据"
    CORE = "核心数据"


LEVEL_ORDER: Mapping[Level, int] = {level: place for place, level in enumerate(Level)}


class Circulation(StrEnum):
    """流通类型: traded as it is, only as a result or component, or not at all."""

    DIRECT = "可直接交易"
    INDIRECT = "间接交易"
    NONE = "不可交易"


class Period(StrEnum):
    """更新周期 of §2.2."""

    YEAR = "年"
    MONTH = "月"
    WEEK = "周"
    DAY = "日"
    HOUR = "时"
    MINUTE = "分"
    SECOND = "秒"
    NEVER = "无更新"


class Grant(StrEnum):
    """授权方式 of what the seller was granted."""

    WHOLE = "整体授权"
    SECTOR = "领域授权"
    SCENE = "场景授权"


class Mode(StrEnum):
    """Delivery modes of exchange.md §5.2."""

    API = "M1"
    PUSH = "M2"
    STREAM = "M3"
    AGENT = "M4"
    REPORT = "M5"
    PRIVATE = "M6"
    CUSTODY = "M7"


MODE_NAMES: Mapping[str, str] = {
    Mode.API: "接口请求",
    Mode.PUSH: "数据集、文件或库表",
    Mode.STREAM: "消息流订阅",
    Mode.AGENT: "智能体",
    Mode.REPORT: "报告或指数",
    Mode.PRIVATE: "沙箱、隐私计算",
    Mode.CUSTODY: "托管或委托交付",
}


class Environment(StrEnum):
    """Where a product may be used; `own` is the buyer's own."""

    OWN = "own"
    ZONE = "安全区"
    SANDBOX = "沙箱"
    TEE = "可信执行环境"
    MPC = "多方安全计算"
    FEDERATED = "联邦学习"


CONTROLLED = frozenset(Environment) - {Environment.OWN}
"""Environments that let results out and data not."""


class Masking(StrEnum):
    """What was done to personal data; 去标识 is not 匿名 (PIPL art. 73)."""

    NOT_PERSONAL = "不含个人信息"
    PLAIN = "未处理"
    DEIDENTIFIED = "去标识化"
    ANONYMOUS = "匿名化"


class SellerKind(StrEnum):
    """Who sells, as the venue rule asks (§2.6)."""

    STATE_OWNED = "国有企业"
    PUBLIC_BODY = "公共管理和服务机构"
    OTHER = "其他市场主体"


class Proceeds(StrEnum):
    """收益性质: what the seller earns, or income of the treasury."""

    OPERATING = "经营收入"
    NON_TAX = "非税收入"


class PublicPurpose(StrEnum):
    """What a public-data product is for (发改价格〔2025〕65号): the first two are free of charge."""

    GOVERNANCE = "公共治理"
    WELFARE = "公益事业"
    INDUSTRY = "产业发展"


class ElementForm(StrEnum):
    """形态 of a 数据元件."""

    DATASET = "数据集型"
    FEATURE = "数据特征型"


class DatasetClass(StrEnum):
    """Classes of 高质量数据集."""

    COMMON = "通识"
    SECTOR_COMMON = "行业通识"
    SECTOR_EXPERT = "行业专识"


class QualityGrade(StrEnum):
    """Grades of the quality scheme, best first. Data that fails the conformity gate has none, not E."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


@dataclass(frozen=True, slots=True)
class Paper:
    """A document the seller holds, named by kind, issuer, day and digest of its bytes; it is shown on demand."""

    kind: Text
    issuer: Text
    day: Day
    digest: Twin


@dataclass(frozen=True, slots=True)
class ExternalId:
    """The product's number in another catalogue, e.g. ("公共数据目录", "…")."""

    scheme: Text
    number: Text


@dataclass(frozen=True, slots=True)
class Provenance:
    """权利与来源: how the data came to be the seller's; `sources` of the listing are its lineage."""

    source_kind: SourceKind
    statement: Words
    origin: Origin
    grant: Grant
    chain: Annotated[tuple[Paper, ...], Meta(max_length=50)] = ()


@dataclass(frozen=True, slots=True)
class DataField:
    """One field: its name, what it means, its type in words, its level, and whether it tells of a person."""

    name: Text
    meaning: Text
    type: Text
    level: Level = Level.GENERAL
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """内容与更新. `digest` is that of the data as its certificate has it; `updated_on` the last update."""

    digest: Twin
    industry: Annotated[str, Meta(pattern=r"^[A-Z][0-9]{2}\Z")]
    theme: Text
    time_from: Day
    time_to: Day
    region: Text
    volume: Annotated[tuple[Volume, ...], Meta(min_length=1, max_length=20)]
    form: DataForm
    period: Period
    updated_on: Day
    fields: Annotated[tuple[DataField, ...], Meta(max_length=2000)] = ()
    tags: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=20)], ...], Meta(max_length=20)] = ()
    annotation: Note = ""
    element: ElementForm | None = None
    dataset_class: DatasetClass | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """质量: six scores in hundredths of a percent, by whom and when, under which scheme; `promise` binds the seller.

    `conforms` is the conformity gate (符合性): without it there is no grade.
    """

    scheme: Text
    assessor: Uscc
    assessed_on: Day
    conforms: bool
    normativity: Score
    completeness: Score
    accuracy: Score
    consistency: Score
    timeliness: Score
    accessibility: Score
    grade: QualityGrade | None = None
    promise: Note = ""


QUALITY_NAMES: Mapping[str, str] = {
    "normativity": "规范性",
    "completeness": "完整性",
    "accuracy": "准确性",
    "consistency": "一致性",
    "timeliness": "时效性",
    "accessibility": "可访问性",
}


@dataclass(frozen=True, slots=True)
class Persons:
    """How many records, for gate G5: of 行踪、通信内容、征信、财产, of 住宿、通信记录、健康、交易, and others.

    `on_duty`: got in the course of duty or service, which halves the thresholds.
    """

    most_sensitive: Count
    sensitive: Count
    other: Count
    on_duty: bool = False


@dataclass(frozen=True, slots=True)
class Security:
    """安全: level of the whole, how it may circulate, what was masked, whether it may cross the border.

    `approval` is the regulator's for 重要数据.
    """

    level: Level
    circulation: Circulation
    masking: Masking
    cross_border: bool = False
    method: Note = ""
    persons: Persons | None = None
    approval: Paper | None = None


@dataclass(frozen=True, slots=True)
class UseTerms:
    """使用: what a licence may allow; an agreement narrows it. `policy` of the listing says it in words."""

    purposes: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=50)]
    environments: Annotated[tuple[Environment, ...], Meta(min_length=1)]
    scenes: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()
    regions: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()
    resale: bool = False
    second_grant: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """接口: version, way of authorisation, status codes, weekly service hours, agents allowed, an example call."""

    version: Text
    authorisation: Text
    status_codes: Words
    hours: Text
    agents: bool
    example: Annotated[str, Meta(min_length=1, max_length=4000)]


@dataclass(frozen=True, slots=True)
class Delivering:
    """交付: modes, targets in words, the standard it is delivered by, who helps (a role, never a person's number).

    `targets` are the same in numbers; they are published beside the results.
    """

    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)]
    service_level: Words
    standard: Text
    support: Text
    contact_role: Text
    interface: Interface | None = None
    manual: Twin | None = None
    questions: Annotated[str, Meta(max_length=4000)] = ""
    targets: ServiceTargets | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """公共数据授权运营: authorisation with its days, what the product is for, the price cap's id for 产业发展."""

    number: Text
    grantor: Text
    from_day: Day
    to_day: Day
    purpose: PublicPurpose
    cap: Annotated[str, Meta(max_length=64)] = ""


@dataclass(frozen=True, slots=True)
class Commerce:
    """商务: who sells where, the price plan, the kind of proceeds, the model contract with its version.

    `jurisdiction` is the province of the seller by the first two digits of its administrative code, e.g. "42".
    """

    seller_kind: SellerKind
    jurisdiction: Annotated[str, Meta(pattern=r"^[1-9][0-9]\Z")]
    plan: Text
    proceeds: Proceeds
    template: Text
    operation: Operation | None = None


def day_from(text: str, field: str) -> date:
    """The day a text names. Raises `BadTerms` for one that does not exist, such as 2026-02-30."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadTerms(field, "存在的日期 / a day that exists", text) from None
