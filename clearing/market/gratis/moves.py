"""The life of an application for a free product: one table (state, move) with who may take it, and the case it folds
into. Source: exchange.md §3.1, sharing path; a withdrawal and a revocation are two events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from clearing.errors import BadTerms, TooEarly, WrongMove
from clearing.market.demand.demand import OFFICER, Evaluation
from clearing.market.errors import NotEntitled
from clearing.market.gratis.request import GratisMove, GratisRequest, Ground, Move, subject_of
from clearing.market.listing import SYSTEM
from clearing.market.product import Paper, day_from
from registry.calendar import day_of, end_of


class State(StrEnum):
    """States of an application; NONE is before its first statement."""

    NONE = "NONE"
    APPLIED = "APPLIED"
    SCREENED = "SCREENED"
    ACCEPTED = "ACCEPTED"
    APPROVED = "APPROVED"
    AUTHORISED = "AUTHORISED"
    GRANTED = "GRANTED"
    EXPIRED = "EXPIRED"
    ENDED = "ENDED"
    EVALUATED = "EVALUATED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"


STATE_NAMES: Mapping[State, str] = {
    State.NONE: "未申请", State.APPLIED: "申请", State.SCREENED: "初审通过", State.ACCEPTED: "受理",
    State.APPROVED: "提供方审核通过", State.AUTHORISED: "已二次授权", State.GRANTED: "授权", State.EXPIRED: "到期",
    State.ENDED: "终止", State.EVALUATED: "评价", State.REFUSED: "不予通过", State.WITHDRAWN: "申请方撤回",
    State.REVOKED: "提供方撤销",
}  # fmt: skip


class Actor(StrEnum):
    """Who takes a move: the applicant, the operator's demand officer, the seller, the clock."""

    APPLICANT = "applicant"
    OFFICER = "officer"
    PROVIDER = "provider"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a move leads, and who may take it."""

    target: State
    actors: frozenset[Actor]


def _by(target: State, *actors: Actor) -> Edge:
    return Edge(target, frozenset(actors))


_S, _M, _A = State, Move, Actor
_BEFORE = (_S.APPLIED, _S.SCREENED, _S.ACCEPTED, _S.APPROVED, _S.AUTHORISED)
MOVES: Mapping[tuple[State, Move], Edge] = {
    (_S.NONE, _M.APPLY): _by(_S.APPLIED, _A.APPLICANT),
    (_S.APPLIED, _M.SCREEN): _by(_S.SCREENED, _A.OFFICER),
    (_S.SCREENED, _M.ACCEPT): _by(_S.ACCEPTED, _A.OFFICER),
    (_S.ACCEPTED, _M.APPROVE): _by(_S.APPROVED, _A.PROVIDER),
    (_S.APPROVED, _M.SECOND): _by(_S.AUTHORISED, _A.PROVIDER),
    (_S.APPROVED, _M.GRANT): _by(_S.GRANTED, _A.PROVIDER),
    (_S.AUTHORISED, _M.GRANT): _by(_S.GRANTED, _A.PROVIDER),
    (_S.GRANTED, _M.ASK): _by(_S.GRANTED, _A.APPLICANT),
    (_S.GRANTED, _M.CHANGE): _by(_S.GRANTED, _A.PROVIDER),
    (_S.GRANTED, _M.EXPIRE): _by(_S.EXPIRED, _A.CLOCK),
    (_S.GRANTED, _M.END): _by(_S.ENDED, _A.APPLICANT, _A.PROVIDER),
    (_S.GRANTED, _M.REVOKE): _by(_S.REVOKED, _A.PROVIDER),
    (_S.EXPIRED, _M.EVALUATE): _by(_S.EVALUATED, _A.APPLICANT),
    (_S.ENDED, _M.EVALUATE): _by(_S.EVALUATED, _A.APPLICANT),
    **{(state, _M.REFUSE): _by(_S.REFUSED, _A.OFFICER) for state in (_S.APPLIED, _S.SCREENED)},
    **{(state, _M.REFUSE): _by(_S.REFUSED, _A.PROVIDER) for state in (_S.ACCEPTED, _S.APPROVED, _S.AUTHORISED)},
    **{(state, _M.WITHDRAW): _by(_S.WITHDRAWN, _A.APPLICANT) for state in _BEFORE},
}

CARRIES: Mapping[Move, tuple[frozenset[str], frozenset[str]]] = {
    Move.APPROVE: (frozenset(), frozenset({"grounds"})),
    Move.SECOND: (frozenset({"papers"}), frozenset()),
    Move.GRANT: (frozenset({"until"}), frozenset()),
    Move.ASK: (frozenset({"reason"}), frozenset({"until", "scope"})),
    Move.CHANGE: (frozenset(), frozenset({"until", "scope"})),
    Move.EXPIRE: (frozenset({"rule"}), frozenset()),
    Move.END: (frozenset({"reason"}), frozenset()),
    Move.EVALUATE: (frozenset({"evaluation"}), frozenset()),
    Move.REFUSE: (frozenset({"reason"}), frozenset()),
    Move.REVOKE: (frozenset({"reason"}), frozenset()),
}
"""What a move must carry and what it may; a reason may go with any."""


@dataclass(frozen=True, slots=True)
class Case:
    """Where an application stands since `since`; `until` is the first second after the grant (0: none), `scope` what it
    covers."""

    state: State = State.NONE
    since: int = 0
    scope: str = ""
    until: int = 0
    grounds: tuple[Ground, ...] = ()
    papers: tuple[Paper, ...] = ()
    evaluation: Evaluation | None = None
    reason: str = ""
    rule: str = ""


def actor_of(by: str, role: str, applicant: str) -> Actor:
    """In which capacity a statement was signed; whether the signer has it is for the service to ask."""
    if role in (OFFICER, SYSTEM):
        return Actor.OFFICER if role == OFFICER else Actor.CLOCK
    return Actor.APPLICANT if by == f"party:{applicant}" else Actor.PROVIDER


def applied(body: GratisRequest, at: int) -> Case:
    """The case after the application."""
    return Case(MOVES[State.NONE, Move.APPLY].target, at, body.scope)


def check_move(
    identity: str, request: GratisRequest, case: Case, body: GratisMove, actor: Actor, by: str, at: int
) -> None:
    """Is this move open now, to this signer ("party:…", "staff:…"), with what it carries?

    Raises `WrongMove`, `NotEntitled`, `BadTerms`, `TooEarly`.
    """
    edge = MOVES.get((case.state, body.move))
    if edge is None or body.move is Move.APPLY:
        allowed = ", ".join(sorted(move for move in Move if (case.state, move) in MOVES)) or "—"
        raise WrongMove(subject_of(identity), f"{case.state}: {allowed}", body.move)
    if actor not in edge.actors or (actor is Actor.PROVIDER and by != f"party:{request.provider}"):
        raise NotEntitled(body.move, " | ".join(sorted(edge.actors)), f"{actor} {by}")
    _check_fields(body)
    if body.move is Move.GRANT and case.grounds and case.state is State.APPROVED:
        raise WrongMove(subject_of(identity), f"二次授权：{'、'.join(case.grounds)} / the second grant", "—")
    if body.move is Move.SECOND and not case.grounds:
        raise WrongMove(subject_of(identity), "需要二次授权的申请 / one that needs a second grant", "—")
    if len(set(body.grounds)) != len(body.grounds):
        raise BadTerms("body.grounds", "每项一次 / each once", "重复 / repeated")
    if body.move in (Move.ASK, Move.CHANGE) and not (body.until or body.scope):
        raise BadTerms("body.until", "新的期限或范围 / a new last day or scope", "空 / empty")
    if body.until and day_from(body.until, "body.until") < day_of(at):
        raise BadTerms("body.until", f"≥ {day_of(at)}", body.until)
    if body.move is Move.GRANT and body.until > request.until:
        raise BadTerms("body.until", f"≤ {request.until}，申请的期限 / as applied for", body.until)
    if body.move is Move.EXPIRE and at < case.until:
        raise TooEarly(subject_of(identity), case.until, at)


def moved(case: Case, body: GratisMove, at: int) -> Case:
    """The case after a move that was allowed."""
    target = MOVES[case.state, body.move].target
    since = case.since if target is case.state else at
    after = replace(case, state=target, since=since, reason=body.reason, rule=body.rule)
    match body.move:
        case Move.APPROVE:
            return replace(after, grounds=body.grounds)
        case Move.SECOND:
            return replace(after, papers=body.papers)
        case Move.GRANT | Move.CHANGE:
            until = end_of(day_from(body.until, "body.until")) if body.until else case.until
            return replace(after, until=until, scope=body.scope or case.scope)
        case Move.EVALUATE:
            return replace(after, evaluation=body.evaluation)
        case _:
            return after


def _check_fields(body: GratisMove) -> None:
    needs, may = CARRIES.get(body.move, (frozenset(), frozenset()))
    empty = GratisMove(body.move)
    for name in (field.name for field in fields(GratisMove) if field.name != "move"):
        given, filled = getattr(body, name), getattr(body, name) != getattr(empty, name)
        if name in needs and not filled:
            raise BadTerms(f"body.{name}", f"{body.move} 须填写 / required", given)
        if filled and name not in needs | may | {"reason"}:
            raise BadTerms(f"body.{name}", f"{body.move} 不应填写 / does not belong here", "已填写 / given")
