"""A listing 上架 and what is done with it, as values: the product version offered, the moves, the title it rests on.

Which move may follow which state stands in `listing_moves`, what stops a product from being listed in `gates`. Source:
exchange.md §2.1, §2.2, §2.3, §2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.errors import GateRefused
from clearing.market.product import (
    Commerce,
    Contents,
    Delivering,
    ExternalId,
    Note,
    Provenance,
    Quality,
    Security,
    Text,
    UseTerms,
    Words,
)
from clearing.market.sample import Preview
from registry.asset import Day, Twin
from registry.party import check_identity
from registry.rights import RIGHT_NAMES, Right

LISTING_SUBMITTED = "listing-submitted/v1"
LISTING_MOVE = "listing-move/v1"
REVIEWER = "listing_reviewer"
APPROVER = "listing_approver"
SYSTEM = "system"
"""Roles in which a listing's statements are signed; the operator's system key states what time brings about."""

Identity = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Long = Annotated[str, Meta(min_length=1, max_length=4000)]


class ProductType(StrEnum):
    """The object types of exchange.md §2.1 that rest on a certificate."""

    DATASET = "DS"
    TABLE = "TB"
    REPORT = "RP"
    ELEMENT = "CE"
    CUSTOM = "SL"
    API = "API"
    STREAM = "ST"
    MODEL = "MD"
    SERVICE = "SV"


TYPE_NAMES: Mapping[ProductType, str] = {
    ProductType.DATASET: "数据集",
    ProductType.TABLE: "库表",
    ProductType.REPORT: "报告或指数",
    ProductType.ELEMENT: "数据元件",
    ProductType.CUSTOM: "定制与解决方案",
    ProductType.API: "数据接口",
    ProductType.STREAM: "订阅或消息流",
    ProductType.MODEL: "模型与算法应用",
    ProductType.SERVICE: "数据服务",
}


class VenueClass(StrEnum):
    """场内必须 or open to other places (§2.6)."""

    REQUIRED = "required"
    OPEN = "open"


class PriceRegime(StrEnum):
    """Who sets the price."""

    GUIDED = "政府指导价"
    FREE_PRICING = "自主定价"
    GRATIS = "免费"


class Move(StrEnum):
    """What is done with a listing; `submit` is stated by listing-submitted/v1, the others by listing-move/v1."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    TAKE_UP = "take_up"
    ASK = "ask_correction"
    PASS_FORM = "pass_form"
    ASSESS = "assess"
    PUBLISH = "publish"
    APPROVE = "approve"
    REJECT = "reject"
    OBJECT = "object"
    SETTLE = "settle_objection"
    SUSPEND = "suspend"
    RESUME = "resume"
    NOTICE = "notice"
    CALL_OFF = "call_off_notice"
    DELIST = "delist"
    RETIRE = "retire"
    EMERGENCY = "emergency"
    EXPLAIN = "explain"


class RejectReason(StrEnum):
    """不予上架 reason codes."""

    INCOMPLETE = "L01"
    SOURCE = "L02"
    AUTHORISATION = "L03"
    CERTIFICATE = "L04"
    CONTENT = "L05"
    SECURITY = "L06"
    PRICE = "L07"
    QUALITY = "L08"
    OBJECTION = "L09"
    OTHER = "L99"


REJECT_NAMES: Mapping[RejectReason, str] = {
    RejectReason.INCOMPLETE: "材料不齐",
    RejectReason.SOURCE: "来源不合法",
    RejectReason.AUTHORISATION: "授权不足",
    RejectReason.CERTIFICATE: "与登记凭证不符",
    RejectReason.CONTENT: "内容不合规",
    RejectReason.SECURITY: "安全措施不足",
    RejectReason.PRICE: "价格机制不符",
    RejectReason.QUALITY: "质量不符",
    RejectReason.OBJECTION: "异议成立",
    RejectReason.OTHER: "其他",
}


class Dimension(StrEnum):
    """The six dimensions of the compliance review."""

    SUBJECT = "主体"
    MANAGEMENT = "管理"
    SOURCE = "来源"
    PROCESSING = "处理"
    CONTENT = "内容"
    TRADE = "交易"


@dataclass(frozen=True, slots=True)
class Finding:
    """One dimension: passed or not, and on what evidence; `paper` is the digest of a document relied on."""

    dimension: Dimension
    passed: bool
    evidence: Words
    paper: Twin | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """实质审核: six findings, 产权合规 in its three parts, 「实质性加工和创新性劳动」 in words.

    `legal_review` is the opinion gate G5 asks for when sensitive records pass the threshold.
    """

    findings: Annotated[tuple[Finding, ...], Meta(min_length=6, max_length=6)]
    source_lawful: bool
    authorised: bool
    registered: bool
    substantial_work: Words
    legal_review: Twin | None = None

    @property
    def passed(self) -> bool:
        """Does every dimension pass, and all three parts of 产权合规?"""
        return all(item.passed for item in self.findings) and self.source_lawful and self.authorised and self.registered


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """数据迁移方案: the listing that follows ("" for none), how data is taken out, until when, whom to ask."""

    export: Words
    ends: Day
    contact: Text
    successor: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Body of listing-submitted/v1: one product version as it is offered. The seller is named by USCC.

    `certificate` is the code the right rests on, `sources` the certificates of what the data is derived from, `policy`
    says in words what the use policy of an agreement may allow, `guide_price` cites a guide price (never the deal
    price) by the id of its fact.
    """

    product: Identity
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    overview: Annotated[str, Meta(min_length=1, max_length=400)]
    type: ProductType
    seller: str
    certificate: Short
    right: Right
    venue: VenueClass
    regime: PriceRegime
    unit: Short
    policy: Long
    provenance: Provenance
    content: Contents
    security: Security
    use: UseTerms
    delivery: Delivering
    commerce: Commerce
    quality: Quality | None = None
    preview: Preview | None = None
    sources: Annotated[tuple[Short, ...], Meta(max_length=200)] = ()
    guide_price: Annotated[str, Meta(max_length=64)] = ""
    external_ids: Annotated[tuple[ExternalId, ...], Meta(max_length=20)] = ()
    migration_guide: Note = ""


@dataclass(frozen=True, slots=True)
class ListingMove:
    """Body of listing-move/v1. Which fields a move must carry stands in `listing_moves`; the others stay empty.

    `days` is the length of a publicity in days, `rule` what an emergency or a timer acts by.
    """

    move: Move
    reason: Note = ""
    codes: tuple[RejectReason, ...] = ()
    items: Annotated[tuple[Words, ...], Meta(max_length=100)] = ()
    assessment: Assessment | None = None
    plan: MigrationPlan | None = None
    days: Annotated[int, Meta(ge=0, le=60)] = 0
    rule: Annotated[str, Meta(max_length=200)] = ""
    stop_access: bool = False
    upheld: bool = False


@dataclass(frozen=True, slots=True)
class Title:
    """What the registry says of a certificate at an instant: whose it is, which rights it gives, whether it holds.

    `rights` are those of `holder`; validity ends at `until` (first second after it), `blocked` is a 查封 or 管制 that
    stops new deals (D24), `content` the SHA-256 of the data's content digest.
    """

    certificate: str
    holder: str
    rights: frozenset[Right]
    in_force: bool
    reason: str
    until: int
    blocked: bool = False
    content: str = ""


def subject_of(listing: str) -> str:
    """The subject of a listing with this 32-hex id."""
    return f"listing:{listing}"


def check_listing(listing: Listing, subject: str) -> Listing:
    """The body belongs to its subject and names a seller who sells. Raises `BadTerms` or `FieldError`."""
    check_identity(listing.seller, "body.seller")
    if not subject.startswith("listing:") or len(subject) != 40:
        raise BadTerms("statement.subject", "listing:<32 hex>", subject)
    if listing.right is not Right.OPERATE:
        raise BadTerms("body.right", f"{Right.OPERATE} ({RIGHT_NAMES[Right.OPERATE]})", str(listing.right))
    if len(set(listing.sources)) != len(listing.sources):
        raise BadTerms("body.sources", "each certificate once", list(listing.sources))
    return listing


def check_title(title: Title | None, certificate: str, seller: str, right: Right) -> Title:
    """Gates G1 and G9: the certificate is in force, gives the seller the right, and no seizure blocks new deals."""
    if title is None:
        raise GateRefused("G1", "certificate", "a registered certificate", certificate)
    if not title.in_force:
        raise GateRefused("G1", "certificate.status", "in force", title.reason)
    if title.holder != seller:
        raise GateRefused("G1", "certificate.holder", seller, title.holder)
    if right not in title.rights:
        raise GateRefused("G1", "certificate.rights", f"{right} ({RIGHT_NAMES[right]})", sorted(title.rights))
    if title.blocked:
        raise GateRefused("G9", "certificate.encumbrance", "nothing that stops new deals", title.reason)
    return title
