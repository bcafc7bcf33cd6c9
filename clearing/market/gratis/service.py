"""Taking in applications for free products and what is done with them: load, decide, store the fact, fold it.

Nothing here commits or reads a clock. Source: exchange.md §3.1, sharing path; §8.4.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, NotSigned
from clearing.market import service as market
from clearing.market.demand.demand import OFFICER
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.gates import is_personal
from clearing.market.gratis import moves, store
from clearing.market.gratis.moves import Actor, actor_of
from clearing.market.gratis.request import (
    GRATIS_MOVE,
    GRATIS_REQUEST,
    GratisMove,
    GratisRequest,
    Ground,
    Move,
    check_request,
    id_of,
    subject_of,
)
from clearing.market.gratis.store import RequestRow
from clearing.market.listing import SYSTEM, Listing, PriceRegime, check_title
from clearing.market.listing_moves import ORDERABLE
from clearing.market.shelf import store as shelf
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.calendar import day_of
from registry.party import party_subject

BY_TIME = "§3.1 授权期满，自动到期 / expired at the end of its grant"
_ASKED = frozenset({Move.SCREEN, Move.ACCEPT, Move.APPROVE, Move.SECOND, Move.GRANT, Move.CHANGE})
"""Moves towards a grant, or to a wider one: shelf and register are asked each time."""


def apply(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a gratis-request/v1 signed by its applicant, for a free product that can be ordered.

    Raises `BadTerms`, `FieldError`, `GateRefused`, `NotSigned`, `BadSignature`, the ledger's `Conflict` and `Stale`.
    """
    statement = taking.of_kind(signed, GRATIS_REQUEST)
    id_of(statement.subject)
    body = read(GratisRequest, statement.body)
    taking.require_one(session, signed, party_subject(body.applicant), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if statement.no:
        raise BadTerms("statement.no", "0", statement.no)
    check_request(body, day_of(at))
    _require_free(session, body, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def move(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in a gratis-move/v1 of the applicant, the seller, or the operator's demand officer. Raises as `apply`, and
    `WrongMove`, `NotEntitled`, `UnknownFact`."""
    body = read(GratisMove, taking.of_kind(signed, GRATIS_MOVE).body)
    row = store.request(session, id_of(signed.statement.subject))
    actor, by = _signer(session, signed, row, body.move, operator, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    moves.check_move(row.id, row.value, row.case, body, actor, by, at)
    if body.move in _ASKED:
        listing = _require_free(session, row.value, at)
        if body.move is Move.APPROVE and is_personal(listing) and Ground.PERSONAL not in body.grounds:
            raise BadTerms(
                "body.grounds", f"{Ground.PERSONAL}：产品涉及个人信息 / it tells of persons", list(body.grounds)
            )
    return taking.take(session, signed, store.PROJECTORS, at=at)


def run_timers(session: Session, signer: SystemSigner, *, at: int) -> int:
    """States the end of every grant whose last day is over, under the operator's system key; answers how many."""
    rows = store.expiring(session, at)
    for row in rows:
        body = GratisMove(Move.EXPIRE, rule=BY_TIME)
        moves.check_move(row.id, row.value, row.case, body, Actor.CLOCK, signer.by, at)
        subject = subject_of(row.id)
        statement = Statement(GRATIS_MOVE, subject, *ledger.next_of(session, subject), body_of(body))
        taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)
    return len(rows)


def _require_free(session: Session, body: GratisRequest, at: int) -> Listing:
    """The listing is this seller's, can be ordered, costs nothing, and its certificate carries it (G1, G9, G10)."""
    row = shelf.listing(session, body.listing)
    if row.value.seller != body.provider:
        raise GateRefused("G10", "listing.seller", row.value.seller, body.provider)
    if row.state not in ORDERABLE:
        raise GateRefused("G10", "listing.state", " | ".join(sorted(ORDERABLE)), row.state)
    if row.value.regime is not PriceRegime.GRATIS:
        raise GateRefused("G8", "listing.regime", PriceRegime.GRATIS, row.value.regime)
    if body.purpose not in row.value.use.purposes:
        raise GateRefused("G8", "body.purpose", " | ".join(row.value.use.purposes), body.purpose)
    title = market.title_of(session, row.value.certificate, row.value.seller, at)
    check_title(title, row.value.certificate, row.value.seller, row.value.right)
    return row.value


def _signer(
    session: Session, signed: Signed, row: RequestRow, taken: Move, operator: str, at: int
) -> tuple[Actor, str]:
    subject = signed.statement.subject
    if len(signed.signatures) != 1:
        raise NotSigned(subject, "one signature", str(len(signed.signatures)))
    by, role = signed.signatures[0].by, signed.signatures[0].role
    kind, _, identity = by.partition(":")
    if (kind, role) not in (("party", ""), ("staff", OFFICER)):
        raise NotSigned(subject, f"party | staff {OFFICER}", f"{by} {role}")
    signers.require_signature(session, signed, by, role, at=at)
    if kind == "staff":
        member = registry.staff_at(session, identity, at)
        if role not in member.roles.split() or member.organisation != operator:
            raise NotEntitled(taken, "运营方的需求经办人 / a demand officer of the operator", by)
    return actor_of(by, role, row.value.applicant), by
