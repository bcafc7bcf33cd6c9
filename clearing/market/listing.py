"""A listing 上架: one version of a product with the certificate it stands on, and the states of its shelf life.

Gate first: the certificate must be in force and give the seller 经营权 (G1), asked of the registry by the service and
passed in as values. A reviewer other than the submitter decides. Running agreements stay on the version they were
signed for. Source: exchange.md §2.1, §2.3, §2.4, §2.6, §8.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms, WrongMove
from clearing.market.errors import GateRefused, NotEntitled
from registry.party import check_uscc
from registry.rights import RIGHT_NAMES, Right

LISTING_SUBMITTED = "listing-submitted/v1"
LISTING_MOVE = "listing-move/v1"
REVIEWER = "listing_reviewer"

Name = Annotated[str, Meta(min_length=1, max_length=40)]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Long = Annotated[str, Meta(max_length=4000)]


class ProductType(StrEnum):
    """The object types of exchange.md §2.1."""

    DATASET = "DS"
    TABLE = "TB"
    REPORT = "RP"
    ELEMENT = "CE"
    CUSTOM = "SL"
    API = "API"
    STREAM = "ST"
    MODEL = "MD"
    SERVICE = "SV"


class VenueClass(StrEnum):
    """场内必须 or open to other places (鄂 第四十条); judged on the signing date."""

    REQUIRED = "required"
    OPEN = "open"


class PriceRegime(StrEnum):
    """Who sets the price."""

    GUIDED = "政府指导价"
    FREE_PRICING = "自主定价"
    GRATIS = "免费"


class State(StrEnum):
    """States of a listing; DRAFT is before the first fact or after a withdrawal."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    REJECTED = "REJECTED"
    LISTED = "LISTED"
    SUSPENDED = "SUSPENDED"
    NOTICE = "NOTICE"
    DELISTED = "DELISTED"


class Move(StrEnum):
    """Acts on a listing after it was submitted."""

    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    NOTICE = "notice"
    CALL_OFF = "call_off_notice"
    DELIST = "delist"


class Actor(StrEnum):
    """Who may take a move: the seller, or a listing reviewer of the operator."""

    SELLER = "seller"
    REVIEWER = "reviewer"


MOVES: Mapping[tuple[State, Move], State] = {
    (State.SUBMITTED, Move.WITHDRAW): State.DRAFT,
    (State.SUBMITTED, Move.APPROVE): State.LISTED,
    (State.SUBMITTED, Move.REJECT): State.REJECTED,
    (State.LISTED, Move.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Move.RESUME): State.LISTED,
    (State.LISTED, Move.NOTICE): State.NOTICE,
    (State.SUSPENDED, Move.NOTICE): State.NOTICE,
    (State.NOTICE, Move.CALL_OFF): State.LISTED,
    (State.NOTICE, Move.DELIST): State.DELISTED,
}
ACTORS: Mapping[Move, frozenset[Actor]] = {
    Move.WITHDRAW: frozenset({Actor.SELLER}),
    Move.APPROVE: frozenset({Actor.REVIEWER}),
    Move.REJECT: frozenset({Actor.REVIEWER}),
    Move.SUSPEND: frozenset({Actor.SELLER, Actor.REVIEWER}),
    Move.RESUME: frozenset({Actor.REVIEWER}),
    Move.NOTICE: frozenset({Actor.SELLER, Actor.REVIEWER}),
    Move.CALL_OFF: frozenset({Actor.SELLER, Actor.REVIEWER}),
    Move.DELIST: frozenset({Actor.SELLER, Actor.REVIEWER}),
}
NOTICE_SECONDS = 30 * 86_400
_NEEDS_REASON = frozenset({Move.REJECT, Move.SUSPEND, Move.NOTICE})


@dataclass(frozen=True, slots=True)
class Listing:
    """Body of listing-submitted/v1: one product version as it is offered. The seller is named by USCC.

    `certificate` is the code the right rests on, `sources` the certificates of the resources an element comes from,
    `policy` says in words what the use policy of an agreement may allow, `guide_price` cites a guide price (never the
    deal price) by the id of its fact.
    """

    product: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    version: Annotated[int, Meta(ge=1, le=2**31)]
    name: Name
    overview: Annotated[str, Meta(min_length=1, max_length=400)]
    type: ProductType
    seller: str
    certificate: Short
    right: Right
    venue: VenueClass
    regime: PriceRegime
    unit: Short
    policy: Long
    sources: tuple[Short, ...] = ()
    guide_price: Annotated[str, Meta(max_length=64)] = ""


@dataclass(frozen=True, slots=True)
class ListingMove:
    """Body of listing-move/v1: what is done with the listing and why (a reason is required for the unwelcome moves)."""

    move: Move
    reason: Annotated[str, Meta(max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Title:
    """What the registry says of a certificate at an instant: whose it is, which rights it gives, whether it holds.

    `rights` are those of `holder`; validity ends at `until` (first second after it), `blocked` is a 查封 or 管制 that
    stops new deals (D24).
    """

    certificate: str
    holder: str
    rights: frozenset[Right]
    in_force: bool
    reason: str
    until: int
    blocked: bool = False


def subject_of(listing: str) -> str:
    """The subject of a listing with this 32-hex id."""
    return f"listing:{listing}"


def check_listing(listing: Listing, subject: str) -> Listing:
    """The body belongs to its subject and makes sense on its own. Raises `BadTerms` or `FieldError`."""
    check_uscc(listing.seller, "body.seller")
    if not subject.startswith("listing:") or len(subject) != 40:
        raise BadTerms("statement.subject", "listing:<32 hex>", subject)
    if listing.right is not Right.OPERATE:
        raise BadTerms("body.right", f"{Right.OPERATE} ({RIGHT_NAMES[Right.OPERATE]})", str(listing.right))
    if len(set(listing.sources)) != len(listing.sources):
        raise BadTerms("body.sources", "each certificate once", list(listing.sources))
    if listing.regime is PriceRegime.GUIDED and not listing.guide_price:
        raise BadTerms("body.guide_price", "a guide price under 政府指导价", listing.guide_price)
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


def after(listing: str, state: State, move: Move) -> State:
    """The state a move leads to. Raises `WrongMove` if the table has no such edge."""
    target = MOVES.get((state, move))
    if target is None:
        allowed = ", ".join(sorted(m for s, m in MOVES if s is state)) or "—"
        raise WrongMove(subject_of(listing), f"{state}: {allowed}", move)
    return target


def check_move(body: ListingMove, actor: Actor, submitter: str, signer_organisation: str) -> None:
    """Is this actor allowed the move, does it give a reason, and is the reviewer not the seller's own?"""
    if actor not in ACTORS[body.move]:
        raise NotEntitled(body.move, " | ".join(sorted(ACTORS[body.move])), actor)
    if body.move in _NEEDS_REASON and not body.reason:
        raise BadTerms("body.reason", f"a reason for {body.move}", body.reason)
    if actor is Actor.REVIEWER and signer_organisation == submitter:
        raise NotEntitled(body.move, "申请方以外的审核人 / a reviewer who is not the submitter", signer_organisation)
