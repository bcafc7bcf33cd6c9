"""What the two sides of a negotiation say to each other, as values: a signed statement about "negotiation:<64 hex>".

The id is 256 random bits of whoever begins. Every message is one fact of one chain (`no`, `prev`), so a message sent
again is answered with its first fact and one sent out of order with the ledger's refusal. Terms, prices and wishes are
the parts of the statement, one salted field each (`ledger.disclosure`): the log shows none of them (I5), both sides'
signatures cover all of them. Source: exchange.md §3.3, §4.3; decisions D5, D13, D14, D30.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import AgreementAct, FieldName, Hex64, Note, Seconds, Short, Terms
from clearing.market.broker.mandate import Task
from clearing.market.policy import Policy
from clearing.terms import Positive, Tariff, Tax
from ledger import canonical, disclosure
from ledger.digest import TwinDigest, twin
from ledger.facts import PartsRoot, Statement
from ledger.reading import body_of, read
from registry.asset import Twin
from registry.party import check_identity, party_subject

NEGOTIATION_MESSAGE = "negotiation-message/v1"
NEGOTIATION_BROKERED = "negotiation-brokered/v1"
"""The same body, said by a broker: a kind of its own, so that the trust file can say what a broker never says."""
RELAY = "relay"
"""Role in which the operator states what a peer without signatures sent."""

ListingId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=2000)]


class Side(StrEnum):
    """使用方 · 提供方: who asks for the data, and the seller of the listing."""

    CONSUMER = "CONSUMER"
    PROVIDER = "PROVIDER"


class Message(StrEnum):
    """询价 报价 还价 选定 下单 撤回, then what the Dataspace Protocol calls request, offer, …; a counter is either."""

    INQUIRE = "INQUIRE"
    QUOTE = "QUOTE"
    BARGAIN = "BARGAIN"
    SELECT = "SELECT"
    ORDER = "ORDER"
    WITHDRAW = "WITHDRAW"
    REQUEST = "REQUEST"
    OFFER = "OFFER"
    COUNTER = "COUNTER"
    ACCEPT = "ACCEPT"
    AGREEMENT = "AGREEMENT"
    VERIFICATION = "VERIFICATION"
    FINALISE = "FINALISE"
    TERMINATE = "TERMINATE"


class Content(StrEnum):
    """What the parts of a message hold: full terms, a use policy alone, an inquiry, a price."""

    TERMS = "terms"
    POLICY = "policy"
    INQUIRY = "inquiry"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """询价: what is wanted of which listing version. Times are seconds UTC, `[effective, expiry)`; `quantity` is in the
    listing's unit; `salt` is 32 random bytes."""

    version: Positive
    scope: Text
    mode: Annotated[str, Meta(pattern=r"^M[1-7]\Z")]
    quantity: Positive
    effective: Seconds
    expiry: Seconds
    salt: Hex64


@dataclass(frozen=True, slots=True)
class Quote:
    """报价 or 还价: a price plan with its version, on which side of the tax it stands, and what it rests on.

    `guide_price` cites the guide price the regime asks for (never the deal price); `binding` marks a binding offer
    (要约): the terms ordered on it must carry this very price. Amounts are fen, CNY.
    """

    tariff: Tariff
    tax: Tax
    salt: Hex64
    guide_price: Annotated[str, Meta(max_length=64)] = ""
    binding: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a peer asks for that states a use policy and nothing else."""

    policy: Policy
    salt: Hex64


Document = Terms | Wish | Inquiry | Quote
DOCUMENTS: Mapping[Content, type[Any]] = {
    Content.TERMS: Terms,
    Content.POLICY: Wish,
    Content.INQUIRY: Inquiry,
    Content.QUOTE: Quote,
}
BRINGS: Mapping[Message, frozenset[Content]] = {
    Message.INQUIRE: frozenset({Content.INQUIRY}),
    Message.QUOTE: frozenset({Content.QUOTE}),
    Message.BARGAIN: frozenset({Content.QUOTE}),
    Message.REQUEST: frozenset({Content.TERMS, Content.POLICY}),
    Message.OFFER: frozenset({Content.TERMS}),
    Message.COUNTER: frozenset({Content.TERMS, Content.POLICY}),
}
"""What each message that makes a proposal may bring; a policy alone only from a peer that does not sign."""

_ENDS = frozenset({Message.WITHDRAW, Message.TERMINATE})
_PROPOSAL = frozenset({"content", "fields", "digest", "valid_until"})
_FIELDS: Mapping[Message, frozenset[str]] = {
    **dict.fromkeys(BRINGS, _PROPOSAL),
    **dict.fromkeys((Message.SELECT, Message.ORDER, Message.ACCEPT), frozenset({"digest"})),
    **dict.fromkeys((Message.VERIFICATION, Message.FINALISE), frozenset({"digest"})),
    Message.AGREEMENT: frozenset({"digest", "agreement"}),
    **dict.fromkeys(_ENDS, frozenset()),
}
_FREE = frozenset({"reason", "pid", "relayed"})
_MAY: Mapping[Message, frozenset[str]] = {Message.AGREEMENT: frozenset({"act"})}
BROKERED: Mapping[tuple[Message, Side], Task] = {
    (Message.INQUIRE, Side.CONSUMER): Task.INQUIRE,
    (Message.BARGAIN, Side.CONSUMER): Task.INQUIRE,
    (Message.SELECT, Side.CONSUMER): Task.ORDER,
    (Message.ORDER, Side.CONSUMER): Task.ORDER,
    (Message.WITHDRAW, Side.CONSUMER): Task.INQUIRE,
    (Message.QUOTE, Side.PROVIDER): Task.QUOTE,
    (Message.WITHDRAW, Side.PROVIDER): Task.QUOTE,
}
"""What a broker may say for its principal, and the task its mandate must name: never full terms, nor what follows."""


@dataclass(frozen=True, slots=True)
class NegotiationMessage:
    """Body of negotiation-message/v1 and negotiation-brokered/v1: one step of `side` between the same two parties about
    the same listing.

    - a proposal (inquiry, quote, bargain, request, offer, counter): `digest` is the twin digest of the document in its
      parts, `fields` their names, `valid_until` the last second at which it can be taken up
    - select, order, accept: `digest` is that of the proposal taken up
    - agreement: `act` is the act that concludes `agreement`, frozen before anybody signs it; its terms are those of the
      proposal. `digest` is the twin digest of the act's statement: the one thing every party then signs. Where a peer
      that does not sign asked for a policy alone there is no act, and `digest` is the policy's (D30)
    - verification, finalise: `digest` is that digest again
    - withdraw, terminate: a `reason` if one is given
    `pid` is the consumer's own name of the negotiation in the Dataspace Protocol, given when it begins. `relayed` is
    the twin digest of a message that came without a signature: the operator states that it came, which proves no more.
    `broker` (USCC) speaks for the side under `mandate`; both are given or none.
    """

    message: Message
    side: Side
    consumer: str
    provider: str
    listing: ListingId
    content: Content | None = None
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1, max_length=64)] | None = None
    digest: Twin | None = None
    valid_until: Seconds | None = None
    agreement: Hex64 | None = None
    act: AgreementAct | None = None
    reason: Note | None = None
    pid: Short | None = None
    relayed: Twin | None = None
    broker: str | None = None
    mandate: ListingId | None = None

    @property
    def party(self) -> str:
        """USCC of the side that speaks, or is spoken for."""
        return self.consumer if self.side is Side.CONSUMER else self.provider

    @property
    def other(self) -> str:
        """USCC of the other side."""
        return self.provider if self.side is Side.CONSUMER else self.consumer

    @property
    def sender(self) -> str:
        """Signer name of who speaks: the side, or its broker."""
        return party_subject(self.broker or self.party)


def subject_of(negotiation: str) -> str:
    """The subject of the negotiation with this 64-hex id."""
    return f"negotiation:{negotiation}"


def id_of(subject: str) -> str:
    """The 64-hex id inside a negotiation's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("negotiation:")
    if identity == subject or len(identity) != 64 or identity.strip("0123456789abcdef") or not identity.strip("0"):
        raise BadTerms("statement.subject", "negotiation:<64 hex>, not all 0", subject[:120])
    return identity


def document_digest(document: Document) -> Twin:
    """Twin digest of a proposal's canonical document; for terms what the agreement's act names too."""
    return Twin.of(twin(canonical.encode(body_of(document))))


def document_parts(document: Document) -> tuple[bytes, ...]:
    """The parts of the statement that brings this document."""
    return disclosure.parts_of(body_of(document))


def says_the_same(one: Document | None, other: Document | None) -> bool:
    """Do two proposals say the same? A fresh salt makes no other proposal, nor does a policy taken from the terms."""
    if isinstance(one, Wish) and isinstance(other, Terms):
        return one.policy == other.policy
    if one is None or other is None or type(one) is not type(other):
        return False
    return replace(one, salt="") == replace(other, salt="")


def message_statement(
    subject: str, no: int, prev: TwinDigest | None, message: NegotiationMessage, document: Document | None = None
) -> Statement:
    """The statement of a message that brings `document`, whose parts travel beside it (`document_parts`)."""
    kind = NEGOTIATION_MESSAGE if message.broker is None else NEGOTIATION_BROKERED
    if document is None:
        return Statement(kind, subject, no, prev, body_of(message))
    value = body_of(document)
    content = next(content for content, type_ in DOCUMENTS.items() if isinstance(document, type_))
    whole = replace(
        message, content=content, fields=disclosure.names_of(value), digest=document_digest(document)
    )  # fmt: skip
    root = PartsRoot.over(disclosure.parts_of(value))
    return Statement(kind, subject, no, prev, body_of(whole), root)


def message_of(statement: Statement) -> NegotiationMessage:
    """The message a statement carries, complete for its sort. Raises `FieldError`, `BadTerms`."""
    kinds = (NEGOTIATION_MESSAGE, NEGOTIATION_BROKERED)
    _require(statement.kind in kinds, "statement.kind", " | ".join(kinds), statement.kind)
    id_of(statement.subject)
    body = read(NegotiationMessage, statement.body)
    _require((statement.kind == NEGOTIATION_BROKERED) is (body.broker is not None), "body.broker", "of its kind", None)
    check_identity(body.consumer, "body.consumer")
    check_identity(body.provider, "body.provider")
    _require(body.consumer != body.provider, "body.provider", "another party than the consumer", body.provider)
    needed = _FIELDS[body.message]
    allowed = needed | _MAY.get(body.message, frozenset()) | _FREE
    for name in ("content", "fields", "digest", "valid_until", "agreement", "act", "reason", "pid", "relayed"):
        given = getattr(body, name) is not None
        _require(given or name not in needed, f"body.{name}", f"given in {body.message}", None)
        _require(not given or name in allowed, f"body.{name}", f"absent in {body.message}", name)
    _require(body.reason is None or body.message in _ENDS, "body.reason", "only where it ends", body.message)
    if body.relayed is not None:
        consumer = body.side is Side.CONSUMER and body.message not in (Message.INQUIRE, Message.BARGAIN)
        _require(consumer, "body.relayed", "a consumer's message of the Dataspace Protocol", body.message)
    _require((body.broker is None) is (body.mandate is None), "body.mandate", "given with a broker", body.mandate)
    if body.broker is not None:
        check_identity(body.broker, "body.broker")
        _require((body.message, body.side) in BROKERED, "body.broker", "said by the party itself", body.message)
        _require(body.broker not in (body.consumer, body.provider), "body.broker", "neither side", body.broker)
    if body.content is not None:
        allowed_content = BRINGS[body.message]
        _require(body.content in allowed_content, "body.content", sorted(allowed_content), body.content)
        alone = body.content is Content.POLICY
        _require(alone <= (body.relayed is not None), "body.content", "full terms where it is signed", body.content)
    return body


def read_document(statement: Statement, body: NegotiationMessage, parts: Sequence[bytes]) -> Document | None:
    """What the message brings in its parts, None if nothing. Raises `BadTerms`, `Malformed`, `FieldError`."""
    root = PartsRoot.over(parts) if parts else None
    _require(root == statement.parts, "statement.parts", "the root over the fields sent", "another")
    _require(bool(parts) == (body.content is not None), "parts", f"the fields of {body.message}", len(parts))
    if body.content is None or body.fields is None:
        return None
    _require(len(body.fields) == len(parts), "body.fields", f"{len(parts)} names", len(body.fields))
    where = body.content.value
    document: Document = read(DOCUMENTS[body.content], disclosure.document_of(body.fields, parts), where)
    digest = document_digest(document)
    _require(body.digest == digest, "body.digest", digest.sha256, body.digest and body.digest.sha256)
    return document


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
