"""The life of an element's version: one table (state, move) with who may take it, and the case folded from its facts.

Source: pricing.md §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from clearing.errors import BadTerms, WrongMove
from clearing.market.errors import NotEntitled
from clearing.pricing.element.element import STATED, ElementMove, ElementVersion, Move, subject_of
from registry.asset import Twin


class State(StrEnum):
    """States of a version; NONE is before the element's first."""

    NONE = "NONE"
    DEVELOPING = "DEVELOPING"
    REVIEW = "REVIEW"
    PUBLISHED = "PUBLISHED"
    DELISTED = "DELISTED"


STATE_NAMES: Mapping[State, str] = {
    State.NONE: "—", State.DEVELOPING: "开发中", State.REVIEW: "发布审核中", State.PUBLISHED: "已发布",
    State.DELISTED: "下架",
}  # fmt: skip
CITABLE = frozenset({State.REVIEW, State.PUBLISHED})
"""States in which a quote may be cited; 开发中 gives a 试算 only, 下架 none."""
SHOWN = frozenset({State.PUBLISHED, State.DELISTED})
"""What others than developer and reviewers see."""


class Actor(StrEnum):
    """Who takes a move: the developer, whoever submitted, the holder, a reviewer, the clock."""

    DEVELOPER = "developer"
    SUBMITTER = "submitter"
    HOLDER = "holder"
    REVIEWER = "reviewer"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a move leads, and who may take it."""

    target: State
    actors: frozenset[Actor]


def _by(target: State, *actors: Actor) -> Edge:
    return Edge(target, frozenset(actors))


_S, _M, _A = State, Move, Actor
MOVES: Mapping[tuple[State, Move], Edge] = {
    (_S.NONE, _M.CREATE): _by(_S.DEVELOPING, _A.DEVELOPER),
    (_S.DEVELOPING, _M.REVISE): _by(_S.DEVELOPING, _A.DEVELOPER),
    (_S.DEVELOPING, _M.SUBMIT): _by(_S.REVIEW, _A.DEVELOPER),
    (_S.REVIEW, _M.WITHDRAW): _by(_S.DEVELOPING, _A.SUBMITTER),
    (_S.REVIEW, _M.REJECT): _by(_S.DEVELOPING, _A.REVIEWER),
    (_S.REVIEW, _M.PASS): _by(_S.PUBLISHED, _A.REVIEWER),
    (_S.PUBLISHED, _M.NEW_VERSION): _by(_S.DEVELOPING, _A.DEVELOPER),
    (_S.PUBLISHED, _M.DELIST): _by(_S.DELISTED, _A.HOLDER, _A.REVIEWER, _A.CLOCK),
    (_S.DELISTED, _M.RELIST): _by(_S.DEVELOPING, _A.DEVELOPER),
}
"""`new_version` and `relist` lead to the state of the new version; that of the old one stays as it is."""

CARRIES: Mapping[Move, tuple[frozenset[str], frozenset[str]]] = {
    Move.REJECT: (frozenset({"reason"}), frozenset({"review"})),
    Move.PASS: (frozenset({"review"}), frozenset({"security"})),
    Move.DELIST: (frozenset({"reason"}), frozenset({"rule"})),
}
"""What a move must carry and what it may; a reason may go with any."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed ("party:…", "staff:…"), for whom (USCC), with which key, and in which capacities."""

    by: str
    organisation: str
    key: str
    actors: frozenset[Actor]


@dataclass(frozen=True, slots=True)
class Case:
    """Where a version stands since `since` (seconds UTC); who submitted it, with which key, and who decided on it.

    `published_at` is 0 before it was; `reason` and `rule` are those of the last move.
    """

    state: State = State.NONE
    since: int = 0
    submitter: str = ""
    submitter_key: str = ""
    reviewer: str = ""
    published_at: int = 0
    review: Twin | None = None
    security: Twin | None = None
    reason: str = ""
    rule: str = ""


def edge_of(identity: str, state: State, move: Move) -> Edge:
    """The row of the table that this move takes now. Raises `WrongMove`."""
    edge = MOVES.get((state, move))
    if edge is None:
        allowed = ", ".join(other for before, other in MOVES if before is state)
        raise WrongMove(subject_of(identity), f"{STATE_NAMES[state]} {state}: {allowed}", move)
    return edge


def stating(identity: str, newest: State) -> Move:
    """The move an element-version/v1 takes when the newest version stands in this state. Raises `WrongMove`."""
    for (state, move), _ in MOVES.items():
        if state is newest and move in STATED:
            return move
    raise WrongMove(subject_of(identity), f"{STATE_NAMES[newest]} {newest}: 不能改动 / frozen", Move.REVISE)


def check_stated(identity: str, newest: tuple[ElementVersion, Case] | None, value: ElementVersion) -> Move:
    """The move that stating `value` takes after the newest version: its number follows, its developer stays.

    Raises `WrongMove`, `BadTerms`.
    """
    if newest is None:
        move, number, developer = Move.CREATE, 1, value.developer
    else:
        before, case = newest
        move = stating(identity, case.state)
        number = before.version + (move is not Move.REVISE)
        developer = before.developer
    if value.version != number:
        raise BadTerms("body.version", str(number), value.version)
    if value.developer != developer:
        raise BadTerms("body.developer", developer, value.developer)
    return move


def stated(case: Case | None, move: Move, at: int) -> Case:
    """The case of a version that was stated; of one stated anew, what the reviewers said stays."""
    if move is Move.REVISE and case is not None:
        return replace(case, since=at)
    return Case(State.DEVELOPING, at)


def check_move(identity: str, value: ElementVersion, case: Case, body: ElementMove, signer: Signer) -> None:
    """Is this move open now, to this signer, with what it carries? Raises `WrongMove`, `NotEntitled`, `BadTerms`."""
    if body.move in STATED:
        raise WrongMove(subject_of(identity), "element-version/v1", body.move)
    edge = edge_of(identity, case.state, body.move)
    acting = signer.actors & edge.actors
    if not acting:
        raise NotEntitled(body.move, " | ".join(sorted(edge.actors)), f"{signer.by} {' '.join(sorted(signer.actors))}")
    _check_fields(body, acting)
    if acting == {Actor.REVIEWER}:
        if signer.organisation == value.developer:
            raise NotEntitled(body.move, "开发方以外的审核人 / a reviewer of another organisation", signer.organisation)
        if signer.by == case.submitter or signer.key == case.submitter_key:
            raise NotEntitled(body.move, "提交人以外的审核人 / a reviewer who did not submit", signer.by)
    if body.move is Move.PASS:
        known = value.security
        if known is None and body.security is None:
            raise BadTerms("body.security", "安全审核结果摘要，已发布之前必填 / required to publish", "缺失 / missing")
        if known is not None and body.security not in (None, known):
            raise BadTerms("body.security", known.sha256, body.security and body.security.sha256)


def moved(identity: str, value: ElementVersion, case: Case, body: ElementMove, by: str, key: str, at: int) -> Case:
    """The case after a move that was allowed, signed by `by` with `key`. Raises `WrongMove`."""
    state = edge_of(identity, case.state, body.move).target
    known = replace(case, state=state, since=at, reason=body.reason, rule=body.rule)
    match body.move:
        case Move.SUBMIT:
            return replace(known, submitter=by, submitter_key=key, reviewer="", review=None)
        case Move.REJECT:
            return replace(known, reviewer=by, review=body.review)
        case Move.PASS:
            security = body.security or value.security
            return replace(known, reviewer=by, review=body.review, security=security, published_at=at)
        case _:
            return known


def open_moves(state: State) -> tuple[Move, ...]:
    """The moves the table has for a state, in the order of the moves."""
    return tuple(move for move in Move if (state, move) in MOVES)


def _check_fields(body: ElementMove, acting: frozenset[Actor]) -> None:
    needs, may = CARRIES.get(body.move, (frozenset(), frozenset()))
    if acting == {Actor.CLOCK}:
        needs = needs | {"rule"}
    else:
        may = may - {"rule"}
    empty = ElementMove(body.move, body.version)
    for name in (field.name for field in fields(ElementMove) if field.name not in ("move", "version")):
        given, filled = getattr(body, name), getattr(body, name) != getattr(empty, name)
        if name in needs and not filled:
            raise BadTerms(f"body.{name}", f"{body.move} 须填写 / required", given)
        if filled and name not in needs | may | {"reason"}:
            raise BadTerms(f"body.{name}", f"{body.move} 不应填写 / does not belong here", "已填写 / given")
