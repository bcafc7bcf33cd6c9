"""The life of a demand: one table (state, move) with who may take it, and the case folded from its statements.

Parts are claimed and linked one by one; the state changes with the last of them. Source: exchange.md §3.1, §1.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from clearing.errors import BadTerms, TooEarly, WrongMove
from clearing.market.demand.demand import (
    OFFICER,
    DemandMove,
    Evaluation,
    Figures,
    Link,
    Move,
    Part,
    Reason,
    Reported,
    subject_of,
)
from clearing.market.errors import NotEntitled
from clearing.market.listing import SYSTEM
from clearing.market.product import day_from
from registry.calendar import day_of, end_of
from registry.party import check_identity

DAY = 86_400
CLAIM_SECONDS = 5 * DAY
"""How long a part waits for its owner before it is escalated (P); never past the part's own last day."""


class State(StrEnum):
    """States of a demand; NONE is before its first statement."""

    NONE = "NONE"
    DRAFT = "DRAFT"
    CHECKED = "CHECKED"
    MERGED = "MERGED"
    SPLIT = "SPLIT"
    CLAIMED = "CLAIMED"
    LINKED = "LINKED"
    EVALUATED = "EVALUATED"
    ANALYSED = "ANALYSED"
    REPORTED = "REPORTED"
    WITHDRAWN = "WITHDRAWN"
    CLOSED_UNMET = "CLOSED_UNMET"


STATE_NAMES: Mapping[State, str] = {
    State.NONE: "未提出",
    State.DRAFT: "梳理",
    State.CHECKED: "校核",
    State.MERGED: "汇总分析",
    State.SPLIT: "分解",
    State.CLAIMED: "认领",
    State.LINKED: "资源关联",
    State.EVALUATED: "评价",
    State.ANALYSED: "绩效分析",
    State.REPORTED: "上报",
    State.WITHDRAWN: "撤回",
    State.CLOSED_UNMET: "未满足关闭",
}
OPEN = frozenset({State.CHECKED, State.MERGED, State.SPLIT, State.CLAIMED, State.LINKED})
"""A demand that was checked and is still looked after."""
MET = frozenset({State.LINKED, State.EVALUATED, State.ANALYSED, State.REPORTED})
"""Something stands against every part: whoever went along with it may evaluate."""


class Actor(StrEnum):
    """Who takes a move: the demander, the operator's officer, the owner of a part, the clock."""

    DEMANDER = "demander"
    OFFICER = "officer"
    OWNER = "owner"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a move leads, and who may take it. `each`: part by part, and the state changes with the last."""

    target: State
    actors: frozenset[Actor]
    each: bool = False


def _by(target: State, *actors: Actor, each: bool = False) -> Edge:
    return Edge(target, frozenset(actors), each)


_S, _M, _A = State, Move, Actor
MOVES: Mapping[tuple[State, Move], Edge] = {
    (_S.NONE, _M.STATE): _by(_S.DRAFT, _A.DEMANDER),
    (_S.DRAFT, _M.STATE): _by(_S.DRAFT, _A.DEMANDER),
    (_S.DRAFT, _M.CHECK): _by(_S.CHECKED, _A.OFFICER),
    (_S.CHECKED, _M.MERGE): _by(_S.MERGED, _A.OFFICER),
    (_S.MERGED, _M.UNMERGE): _by(_S.CHECKED, _A.OFFICER, _A.CLOCK),
    (_S.MERGED, _M.SPLIT): _by(_S.SPLIT, _A.OFFICER),
    (_S.SPLIT, _M.CLAIM): _by(_S.CLAIMED, _A.OWNER, each=True),
    (_S.SPLIT, _M.REASSIGN): _by(_S.SPLIT, _A.OFFICER),
    (_S.SPLIT, _M.ESCALATE): _by(_S.SPLIT, _A.CLOCK),
    (_S.CLAIMED, _M.LINK): _by(_S.LINKED, _A.OWNER, _A.OFFICER, each=True),
    (_S.LINKED, _M.LINK): _by(_S.LINKED, _A.OWNER, _A.OFFICER),
    (_S.MERGED, _M.EVALUATE): _by(_S.EVALUATED, _A.DEMANDER),
    (_S.LINKED, _M.EVALUATE): _by(_S.EVALUATED, _A.DEMANDER),
    (_S.EVALUATED, _M.ANALYSE): _by(_S.ANALYSED, _A.OFFICER),
    (_S.ANALYSED, _M.REPORT): _by(_S.REPORTED, _A.OFFICER),
    **{(state, _M.WITHDRAW): _by(_S.WITHDRAWN, _A.DEMANDER) for state in (_S.DRAFT, *OPEN)},
    **{(state, _M.CLOSE): _by(_S.CLOSED_UNMET, _A.OFFICER) for state in (_S.DRAFT, *OPEN)},
}

CARRIES: Mapping[Move, tuple[frozenset[str], frozenset[str]]] = {
    Move.CHECK: (frozenset(), frozenset({"duplicates", "listings"})),
    Move.MERGE: (frozenset(), frozenset({"into"})),
    Move.UNMERGE: (frozenset(), frozenset({"rule"})),
    Move.SPLIT: (frozenset({"parts"}), frozenset()),
    Move.REASSIGN: (frozenset({"number", "part"}), frozenset()),
    Move.ESCALATE: (frozenset({"number", "rule"}), frozenset()),
    Move.CLAIM: (frozenset({"number"}), frozenset()),
    Move.LINK: (frozenset({"number", "link"}), frozenset()),
    Move.EVALUATE: (frozenset({"evaluation"}), frozenset()),
    Move.ANALYSE: (frozenset({"figures"}), frozenset()),
    Move.REPORT: (frozenset({"reported"}), frozenset()),
    Move.WITHDRAW: (frozenset({"code"}), frozenset()),
    Move.CLOSE: (frozenset({"code", "reason"}), frozenset()),
}
"""What a move must carry and what it may; a reason may go with any."""
_CODES = {Move.WITHDRAW: "W", Move.CLOSE: "U"}


@dataclass(frozen=True, slots=True)
class Held:
    """A part as it stands: with its owner since `since`; claimed, escalated and linked at (seconds UTC, 0 for not)."""

    part: Part
    since: int
    claimed_at: int = 0
    escalated_at: int = 0
    link: Link | None = None
    linked_at: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """When a state was entered."""

    state: State
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """Where a demand stands since `since`, stated first at `stated_at`; `into` is the demand it goes along with.

    `duplicates` and `listings` are what the check found; `code`, `reason` and `rule` belong to the last move.
    """

    state: State = State.NONE
    since: int = 0
    stated_at: int = 0
    passed: tuple[Passed, ...] = ()
    duplicates: tuple[str, ...] = ()
    listings: tuple[str, ...] = ()
    into: str = ""
    parts: tuple[Held, ...] = ()
    evaluation: Evaluation | None = None
    figures: Figures | None = None
    reported: Reported | None = None
    code: Reason | None = None
    reason: str = ""
    rule: str = ""

    @property
    def checked(self) -> bool:
        """Was it ever taken up? Before that it is a draft nobody else sees."""
        return any(item.state is State.CHECKED for item in self.passed)


@dataclass(frozen=True, slots=True)
class Around:
    """What the guards ask about other demands: how many go along with this one, and the one it goes along with, or is
    to go along with."""

    followers: int = 0
    lead: Case | None = None


def actor_of(by: str, role: str, demander: str, move: Move) -> Actor:
    """In which capacity a statement was signed; whether the signer has it is for the service to ask."""
    if role in (OFFICER, SYSTEM):
        return Actor.OFFICER if role == OFFICER else Actor.CLOCK
    if by == f"party:{demander}" and move not in (Move.CLAIM, Move.LINK):
        return Actor.DEMANDER
    return Actor.OWNER


def edge_of(identity: str, case: Case, move: Move) -> Edge:
    """The row of the table that this move takes now. Raises `WrongMove`."""
    edge = MOVES.get((case.state, move))
    if edge is None:
        allowed = ", ".join(sorted(open_moves(case.state))) or "—"
        raise WrongMove(subject_of(identity), f"{case.state}: {allowed}", move)
    return edge


def open_moves(state: State) -> tuple[Move, ...]:
    """The moves the table has for a state."""
    return tuple(move for move in Move if (state, move) in MOVES)


def stated(identity: str, case: Case, at: int) -> Case:
    """The case after the demand was stated, for the first time or anew. Raises `WrongMove`."""
    edge = edge_of(identity, case, Move.STATE)
    return replace(_entered(case, edge.target, at), stated_at=case.stated_at or at)


def check_move(identity: str, case: Case, body: DemandMove, actor: Actor, by: str, around: Around, at: int) -> None:
    """Is this move open now, to this signer ("party:…", "staff:…"), with what it carries?

    Raises `WrongMove`, `NotEntitled`, `BadTerms`, `TooEarly`.
    """
    if body.move is Move.STATE:
        raise WrongMove(subject_of(identity), "demand/v1", body.move)
    edge = edge_of(identity, case, body.move)
    if actor not in edge.actors:
        raise NotEntitled(body.move, " | ".join(sorted(edge.actors)), actor)
    _check_fields(body, actor)
    _check_merging(identity, case, body.move, body.into, around)
    held = _held(case, body)
    if actor is Actor.OWNER and held is not None and by != f"party:{held.part.owner}":
        raise NotEntitled(body.move, f"party:{held.part.owner}", by)
    _check_parts(identity, case, body, held, at)


def moved(identity: str, case: Case, body: DemandMove, at: int) -> Case:
    """The case after a move that was allowed. Raises `WrongMove`."""
    edge = edge_of(identity, case, body.move)
    told = replace(case, reason=body.reason, rule=body.rule, code=body.code)
    parts = _parts_after(case, body, at)
    whole = not edge.each or all(item.link if body.move is Move.LINK else item.claimed_at for item in parts)
    after = replace(_entered(told, edge.target, at) if whole else told, parts=parts)
    match body.move:
        case Move.CHECK:
            return replace(after, duplicates=body.duplicates, listings=body.listings)
        case Move.MERGE:
            return replace(after, into=body.into)
        case Move.UNMERGE:
            return replace(after, into="")
        case Move.EVALUATE:
            return replace(after, evaluation=body.evaluation)
        case Move.ANALYSE:
            return replace(after, figures=body.figures)
        case Move.REPORT:
            return replace(after, reported=body.reported)
        case _:
            return after


def escalates_at(held: Held) -> int:
    """From which second an unclaimed part is to be escalated: five days after it was given, or the end of its last
    day."""
    return min(held.since + CLAIM_SECONDS, end_of(day_from(held.part.due, "part.due")))


def next_escalation(case: Case) -> int:
    """When the clock has to look at this demand again, seconds UTC; 0 for never."""
    if case.state is not State.SPLIT:
        return 0
    waiting = [escalates_at(item) for item in case.parts if not item.claimed_at and not item.escalated_at]
    return min(waiting, default=0)


def figures_of(case: Case, others: Sequence[Evaluation]) -> Figures:
    """绩效分析 of an evaluated demand and of those that went along with it: the mean of all satisfactions, half even.

    Days are whole days since the demand was stated, to the first time each stage was entered; a stage the demand did
    not pass (it went along with another) counts 0.
    """
    given = [item for item in (case.evaluation, *others) if item is not None]
    total = sum(item.satisfaction for item in given)
    mean = (Decimal(total) / max(1, len(given))).quantize(Decimal("0.01"), ROUND_HALF_EVEN)

    def days(state: State) -> int:
        entered = next((item.at for item in case.passed if item.state is state), case.stated_at)
        return (entered - case.stated_at) // DAY

    return Figures(
        len(given), str(mean), days(State.CHECKED), days(State.CLAIMED), days(State.LINKED), days(State.EVALUATED)
    )


def _entered(case: Case, state: State, at: int) -> Case:
    if state is case.state:
        return case
    return replace(case, state=state, since=at, passed=(*case.passed, Passed(state, at)))


def _held(case: Case, body: DemandMove) -> Held | None:
    if body.number is None:
        return None
    if body.number >= len(case.parts):
        raise BadTerms("body.number", f"0 … {len(case.parts) - 1}", body.number)
    return case.parts[body.number]


def _parts_after(case: Case, body: DemandMove, at: int) -> tuple[Held, ...]:
    if body.move is Move.SPLIT:
        return tuple(Held(part, at) for part in body.parts)
    if body.number is None:
        return case.parts
    held = case.parts[body.number]
    match body.move:
        case Move.REASSIGN if body.part is not None:
            held = Held(body.part, at)
        case Move.ESCALATE:
            held = replace(held, escalated_at=at)
        case Move.CLAIM:
            held = replace(held, claimed_at=at)
        case Move.LINK:
            held = replace(held, link=body.link, linked_at=at)
    return (*case.parts[: body.number], held, *case.parts[body.number + 1 :])


def _check_fields(body: DemandMove, actor: Actor) -> None:
    needs, may = CARRIES[body.move]
    if actor is Actor.CLOCK:
        needs = needs | {"rule"}
    empty = DemandMove(body.move)
    for name in (field.name for field in fields(DemandMove) if field.name != "move"):
        given, filled = getattr(body, name), getattr(body, name) != getattr(empty, name)
        if name in needs and not filled:
            raise BadTerms(f"body.{name}", f"{body.move} 须填写 / required", given)
        if filled and name not in needs | may | {"reason"}:
            raise BadTerms(f"body.{name}", f"{body.move} 不应填写 / does not belong here", "已填写 / given")
    if body.code is not None and body.code[0] != _CODES[body.move]:
        expected = " | ".join(reason for reason in Reason if reason[0] == _CODES[body.move])
        raise BadTerms("body.code", expected, body.code)


def _check_merging(identity: str, case: Case, move: Move, into: str, around: Around) -> None:
    """A demand goes along with one that goes its own way, and nothing goes along with a demand that does not."""
    subject = subject_of(identity)
    if move is Move.MERGE and into:
        if into == identity or around.lead is None:
            raise BadTerms("body.into", "另一项需求 / another demand", into)
        if around.lead.state not in (State.CHECKED, State.MERGED) or around.lead.into:
            expected = "校核或汇总分析中、自行推进的需求 / a demand that was checked and goes its own way"
            raise WrongMove(subject_of(into), expected, f"{around.lead.state} {around.lead.into}".strip())
        if around.followers:
            raise WrongMove(subject, "没有并入本需求的需求 / no demand merged into it", str(around.followers))
    if move is Move.UNMERGE and not case.into:
        raise WrongMove(subject, "并入了其他需求 / a demand merged into another", "—")
    if move in (Move.SPLIT, Move.ANALYSE) and case.into:
        raise WrongMove(subject, f"由 {case.into} 一并办理 / done for that demand", move)
    if move is Move.EVALUATE and case.state is State.MERGED and (around.lead is None or around.lead.state not in MET):
        expected = "并入的需求已资源关联 / that the demand it went along with was met"
        raise WrongMove(subject, expected, around.lead.state if around.lead else "—")


def _check_parts(identity: str, case: Case, body: DemandMove, held: Held | None, at: int) -> None:
    subject = subject_of(identity)
    for place, part in enumerate(body.parts):
        _check_part(part, f"body.parts[{place}]", at)
    if body.part is not None:
        _check_part(body.part, "body.part", at)
    if body.link is not None:
        _check_link(body.link, at)
    if held is None:
        return
    if body.move in (Move.CLAIM, Move.REASSIGN, Move.ESCALATE) and held.claimed_at:
        raise WrongMove(subject, f"第 {body.number} 项未认领 / part {body.number} unclaimed", "已认领 / claimed")
    if body.move is Move.ESCALATE and held.escalated_at:
        raise WrongMove(subject, f"第 {body.number} 项未升级 / part {body.number} not escalated", "已升级 / escalated")
    if body.move is Move.ESCALATE and at < escalates_at(held):
        raise TooEarly(subject, escalates_at(held), at)
    if body.move is Move.LINK and held.link is not None and held.link.listing:
        raise WrongMove(subject, f"第 {body.number} 项未关联产品 / part {body.number} not linked", held.link.listing)


def _check_part(part: Part, where: str, at: int) -> None:
    check_identity(part.owner, f"{where}.owner")
    if day_from(part.due, f"{where}.due") < day_of(at):
        raise BadTerms(f"{where}.due", f"≥ {day_of(at)}", part.due)


def _check_link(link: Link, at: int) -> None:
    if bool(link.listing) is bool(link.promise):
        raise BadTerms("body.link", "上架或承诺，恰好其一 / a listing or a promise, exactly one", link.listing or "—")
    if bool(link.promise) is not bool(link.due):
        raise BadTerms("body.link.due", "承诺须有期限，上架没有 / a day with a promise, none with a listing", link.due)
    if link.due and day_from(link.due, "body.link.due") < day_of(at):
        raise BadTerms("body.link.due", f"≥ {day_of(at)}", link.due)
