"""What the two sides say about a delivery, as values: a signed statement about "delivery:<32 hex>".

Every act is one fact of one chain (`no`, `prev`). The provider states what it handed over item by item, with a digest
or a range of offsets; the receiver states what it recomputed; what is accepted, objected to, answered, delivered again
and decided names the items it is about. Papers are named by their digests. Source: exchange.md §4.8, §1.3; D5, D13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64, Seconds, Short
from clearing.market.product import day_from
from clearing.terms import Positive, Quantity, month
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Twin
from registry.party import check_identity, party_subject

DELIVERY_ACT = "delivery-act/v1"
MOST_ITEMS = 1_000
MOST_PAPERS = 50
CONTINUOUS = frozenset({"M1", "M3", "M4"})
"""Modes that are delivered all the time: their deliveries are stated per account period (§4.8)."""

ItemId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
ModeCode = Annotated[str, Meta(pattern=r"^M[1-7]\Z")]
MonthName = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\Z")]
DayName = Annotated[str, Meta(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")]
Words = Annotated[str, Meta(min_length=1, max_length=2000)]


class Side(StrEnum):
    """Who speaks: the side that delivers, the side that receives, whoever decides between them (监理、仲裁、法院)."""

    PROVIDER = "PROVIDER"
    CONSUMER = "CONSUMER"
    DECIDER = "DECIDER"


class Act(StrEnum):
    """交付 撤回 签收 拒收 验收 异议 逾期异议 承认 不认可 认可不计数 重新交付 提请决定 决定."""

    DELIVER = "DELIVER"
    WITHDRAW = "WITHDRAW"
    RECEIVE = "RECEIVE"
    REFUSE = "REFUSE"
    ACCEPT = "ACCEPT"
    OBJECT = "OBJECT"
    LATE = "LATE"
    ADMIT = "ADMIT"
    CONTEST = "CONTEST"
    CONCEDE = "CONCEDE"
    REDELIVER = "REDELIVER"
    ESCALATE = "ESCALATE"
    DECIDE = "DECIDE"


class Reason(StrEnum):
    """What an objection finds wrong: 数量 质量 版本 格式 迟延 其他."""

    QUANTITY = "quantity"
    QUALITY = "quality"
    VERSION = "version"
    FORMAT = "format"
    DELAY = "delay"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Sent:
    """One item as the provider handed it over: `quantity` in `unit`, and what lets the receiver check it.

    `digest` is that of the bytes or of their manifest; a stream names its offsets `[first, last]` instead.
    """

    item: ItemId
    what: Annotated[str, Meta(min_length=1, max_length=400)]
    unit: Annotated[str, Meta(min_length=1, max_length=64)]
    quantity: Positive
    bytes: Quantity
    digest: Twin | None = None
    first: Quantity | None = None
    last: Quantity | None = None


@dataclass(frozen=True, slots=True)
class Shipment:
    """交付记录: under which revision which licensed version was handed over, how, and what (§4.8).

    `version` is the digest of the listing version in the terms, `mode` and `channel` say how, `key_id` names the
    encryption key, `delivered_at` is the provider's own time (seconds UTC), `period` the account period (a month) of a
    continuous mode.
    """

    revision: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    version: Twin
    mode: ModeCode
    channel: Short
    delivered_at: Seconds
    items: Annotated[tuple[Sent, ...], Meta(min_length=1, max_length=MOST_ITEMS)]
    key_id: Short | None = None
    period: MonthName | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One item as the receiver found it: what it recomputed itself."""

    item: ItemId
    bytes: Quantity
    digest: Twin | None = None
    first: Quantity | None = None
    last: Quantity | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong with how much of an item; the rest of it is accepted."""

    item: ItemId
    quantity: Positive
    reason: Reason
    text: Words


@dataclass(frozen=True, slots=True)
class Ruling:
    """How much of what is in dispute about an item counts as accepted; the rest does not."""

    item: ItemId
    accepted: Quantity


@dataclass(frozen=True, slots=True)
class DeliveryAct:
    """Body of delivery-act/v1: one act of `side` between the same two parties under the same agreement.

    - DELIVER, REDELIVER: `shipment`; again only what is in dispute of an item, whole
    - RECEIVE, REFUSE: `found`, what was recomputed: all as stated, or none of it
    - OBJECT, LATE: `objections` with the digests of the evidence; LATE: the provider knew of the defect
    - the others name `items`; ADMIT may promise a day `by`, CONTEST and ESCALATE say why
    - DECIDE: `rulings`, by `decider` with the digest of the decision
    """

    act: Act
    side: Side
    agreement: Hex64
    provider: str
    consumer: str
    shipment: Shipment | None = None
    found: Annotated[tuple[Found, ...], Meta(min_length=1, max_length=MOST_ITEMS)] | None = None
    objections: Annotated[tuple[Objection, ...], Meta(min_length=1, max_length=MOST_ITEMS)] | None = None
    items: Annotated[tuple[ItemId, ...], Meta(min_length=1, max_length=MOST_ITEMS)] | None = None
    rulings: Annotated[tuple[Ruling, ...], Meta(min_length=1, max_length=MOST_ITEMS)] | None = None
    text: Words | None = None
    evidence: Annotated[tuple[Twin, ...], Meta(min_length=1, max_length=MOST_PAPERS)] | None = None
    by: DayName | None = None
    decider: str | None = None
    document: Twin | None = None

    @property
    def sender(self) -> str:
        """Signer name of the side that speaks."""
        parties = {Side.PROVIDER: self.provider, Side.CONSUMER: self.consumer, Side.DECIDER: self.decider or ""}
        return party_subject(parties[self.side])

    @property
    def named(self) -> tuple[str, ...]:
        """The items the act is about, in its own order."""
        if self.items is not None:
            return self.items
        listed: Sequence[Sent | Found | Objection | Ruling]
        listed = self.shipment.items if self.shipment else self.found or self.objections or self.rulings or ()
        return tuple(entry.item for entry in listed)


_NEEDS: Mapping[Act, frozenset[str]] = {
    Act.DELIVER: frozenset({"shipment"}),
    Act.REDELIVER: frozenset({"shipment"}),
    Act.RECEIVE: frozenset({"found"}),
    Act.REFUSE: frozenset({"found"}),
    Act.OBJECT: frozenset({"objections", "evidence"}),
    Act.LATE: frozenset({"objections", "evidence", "text"}),
    Act.CONTEST: frozenset({"items", "text"}),
    Act.ESCALATE: frozenset({"items", "text"}),
    Act.DECIDE: frozenset({"rulings", "decider", "document"}),
    **dict.fromkeys((Act.WITHDRAW, Act.ACCEPT, Act.ADMIT, Act.CONCEDE), frozenset({"items"})),
}
_MAY: Mapping[Act, frozenset[str]] = {
    Act.ADMIT: frozenset({"text", "by", "evidence"}),
    Act.CONTEST: frozenset({"evidence"}),
    Act.ESCALATE: frozenset({"evidence"}),
}
_FIELDS = ("shipment", "found", "objections", "items", "rulings", "text", "evidence", "by", "decider", "document")


def subject_of(delivery: str) -> str:
    """The subject of the delivery with this 32-hex id."""
    return f"delivery:{delivery}"


def id_of(subject: str) -> str:
    """The 32-hex id inside a delivery's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("delivery:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "delivery:<32 hex>", subject[:120])
    return identity


def act_of(statement: Statement) -> DeliveryAct:
    """The act a statement carries, complete for its sort. Raises `FieldError`, `BadTerms`."""
    _require(statement.kind == DELIVERY_ACT, "statement.kind", DELIVERY_ACT, statement.kind)
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    id_of(statement.subject)
    body = read(DeliveryAct, statement.body)
    check_identity(body.provider, "body.provider")
    check_identity(body.consumer, "body.consumer")
    _require(body.provider != body.consumer, "body.provider", "another party than the consumer", body.provider)
    if body.decider is not None:
        check_identity(body.decider, "body.decider")
        _require(body.decider not in (body.provider, body.consumer), "body.decider", "neither side", body.decider)
    needs, may = _NEEDS[body.act], _MAY.get(body.act, frozenset({"text"})) | {"text"}
    for name in _FIELDS:
        given = getattr(body, name) is not None
        _require(given or name not in needs, f"body.{name}", f"{body.act} 必填 / given in {body.act}", None)
        _require(not given or name in needs | may, f"body.{name}", f"{body.act} 不填 / absent in {body.act}", name)
    _require(len(set(body.named)) == len(body.named), "body.items", "每项一次 / each item once", "重复 / one twice")
    if body.shipment is not None:
        _check_shipment(body.shipment)
    for place, entry in enumerate(body.found or ()):
        _check_proof(f"body.found[{place}]", entry)
    if body.by is not None:
        day_from(body.by, "body.by")
    return body


def same(sent: Sent, found: Found) -> bool:
    """Did the receiver find what the provider stated?"""
    stated = (sent.bytes, sent.digest, sent.first, sent.last)
    return stated == (found.bytes, found.digest, found.first, found.last)


def _check_shipment(shipment: Shipment) -> None:
    for place, entry in enumerate(shipment.items):
        _check_proof(f"body.shipment.items[{place}]", entry)
    continuous, given = shipment.mode in CONTINUOUS, shipment.period is not None
    expected = f"{shipment.mode} {'必填 / given' if continuous else '不填 / absent'}"
    _require(continuous == given, "body.shipment.period", expected, shipment.period)
    if shipment.period is not None:
        month(shipment.period)


def _check_proof(where: str, entry: Sent | Found) -> None:
    ranged = entry.first is not None and entry.last is not None
    alone = (entry.first is None) == (entry.last is None) and ranged != (entry.digest is not None)
    _require(alone, f"{where}.digest", "摘要，或首末位移 / a digest, or first and last offset", "both or neither")
    if entry.first is not None and entry.last is not None:
        _require(entry.first <= entry.last, f"{where}.last", f"≥ {entry.first}", entry.last)


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
