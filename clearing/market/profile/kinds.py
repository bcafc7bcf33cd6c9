"""The kinds of 数商 (exchange.md §1.2): an attribute that a party declares of itself, never a permission.

Each kind stands in one row with the words of a draft standard (T/SDME 征求意见稿), of Shanghai's six kinds and of the
national types of enterprise; 参照 only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a party of the data market does; it may be several."""

    RESOURCE = "资源"
    INTEGRATION = "集成"
    PROCESSING = "加工"
    FACILITY = "设施"
    TECHNOLOGY = "技术"
    REGISTRATION = "登记"
    ASSESSMENT = "评估"
    AUDIT = "审计"
    BROKERAGE = "经纪"
    INTERMEDIARY = "中介"
    APPLICATION = "应用"
    CONSULTING = "咨询"
    PRODUCT = "产品"
    DELIVERY = "交付"
    CLEARING = "清算"
    ARBITRATION = "仲裁"
    SECURITY = "安全"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of §1.2: the kinds it covers, and what three classifications call them."""

    kinds: tuple[Kind, ...]
    draft: str
    shanghai: str
    national: str


TABLE: tuple[Row, ...] = (
    Row(
        (Kind.RESOURCE, Kind.INTEGRATION, Kind.PROCESSING),
        draft="数据生产商：资源集成商、加工服务商",
        shanghai="供方与需方",
        national="数据资源企业",
    ),
    Row(
        (Kind.FACILITY, Kind.TECHNOLOGY),
        draft="数据生产商：基础设施提供商",
        shanghai="其他",
        national="数据技术企业、数据基础设施企业",
    ),
    Row(
        (Kind.REGISTRATION, Kind.ASSESSMENT, Kind.AUDIT),
        draft="数据流通商：登记、评估、审计服务机构",
        shanghai="专业评估服务商",
        national="数据服务企业",
    ),
    Row(
        (Kind.BROKERAGE, Kind.INTERMEDIARY),
        draft="数据流通商：经纪；服务商：中介服务",
        shanghai="专业中介服务商",
        national="数据服务企业",
    ),
    Row(
        (Kind.APPLICATION, Kind.CONSULTING, Kind.PRODUCT),
        draft="数据应用商",
        shanghai="供方与需方；专业咨询服务商",
        national="数据应用企业",
    ),
    Row(
        (Kind.DELIVERY, Kind.CLEARING, Kind.ARBITRATION, Kind.SECURITY),
        draft="数据服务商：集中交付、集中清算、交易仲裁、安全服务",
        shanghai="交付服务商；其他",
        national="数据服务企业、数据安全企业",
    ),
)
ROW_OF: Mapping[Kind, Row] = {kind: row for row in TABLE for kind in row.kinds}
