"""The shelf life of a listing: one table (state, move) with who may take it, and the case folded from its statements.

While a new version is reviewed the old one serves (UPDATING): moves of the review are looked up under the stage that
version has reached, all others under the listing's own state. Running agreements stay on the version they were signed
for, whatever happens here. Source: exchange.md §2.3, §2.4, §1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from clearing.errors import BadTerms, TooEarly, WrongMove
from clearing.market.errors import NotEntitled
from clearing.market.listing import APPROVER, REVIEWER, SYSTEM, Listing, ListingMove, MigrationPlan, Move, subject_of
from clearing.market.product import day_from
from registry.asset import Twin
from registry.calendar import Calendar, Pause, day_of, due, end_of

NOTICE_SECONDS = 30 * 86_400
REVIEW_DAYS = 15
"""审批时限: working days from submission to decision, corrections not counted (P)."""


class State(StrEnum):
    """States of a listing; DRAFT is before the first fact or after a withdrawal."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    REVIEW = "REVIEW"
    CORRECTION = "CORRECTION"
    REJECTED = "REJECTED"
    PUBLICITY = "PUBLICITY"
    LISTED = "LISTED"
    UPDATING = "UPDATING"
    SUSPENDED = "SUSPENDED"
    NOTICE = "NOTICE"
    DELISTED = "DELISTED"
    RETIRED = "RETIRED"
    EMERGENCY = "EMERGENCY"


STATE_NAMES: Mapping[State, str] = {
    State.DRAFT: "草稿",
    State.SUBMITTED: "已提交",
    State.REVIEW: "审核中",
    State.CORRECTION: "补正",
    State.REJECTED: "不予上架",
    State.PUBLICITY: "公示",
    State.LISTED: "上架",
    State.UPDATING: "更新",
    State.SUSPENDED: "暂停",
    State.NOTICE: "下架预告",
    State.DELISTED: "下架",
    State.RETIRED: "退市",
    State.EMERGENCY: "紧急下架",
}
ORDERABLE = frozenset({State.LISTED, State.UPDATING})
SHOWN = ORDERABLE | {State.SUSPENDED, State.NOTICE}
"""What a search may show; only the former are on offer."""
PUBLIC = SHOWN | {State.DELISTED, State.RETIRED, State.EMERGENCY}
"""What has been on the shelf once: its page stays, for those who hold a licence."""


class Actor(StrEnum):
    """Who takes a move: the seller, the operator's reviewer or approver, REG or ARB, the clock, any other party."""

    SELLER = "seller"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    AUTHORITY = "authority"
    CLOCK = "clock"
    PARTY = "party"


_RANK: Mapping[Actor, int] = {
    Actor.CLOCK: 0, Actor.PARTY: 0, Actor.SELLER: 1, Actor.REVIEWER: 2, Actor.APPROVER: 2, Actor.AUTHORITY: 3,
}  # fmt: skip
"""Who may lift what another has stopped: nobody below them, so that no notice given and called off undoes an order."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a move leads, and who may take it."""

    target: State
    actors: frozenset[Actor]


def _by(target: State, *actors: Actor) -> Edge:
    return Edge(target, frozenset(actors))


_S, _M, _A = State, Move, Actor
MOVES: Mapping[tuple[State, Move], Edge] = {
    (_S.DRAFT, _M.SUBMIT): _by(_S.SUBMITTED, _A.SELLER),
    (_S.REJECTED, _M.SUBMIT): _by(_S.SUBMITTED, _A.SELLER),
    (_S.CORRECTION, _M.SUBMIT): _by(_S.REVIEW, _A.SELLER),
    (_S.LISTED, _M.SUBMIT): _by(_S.UPDATING, _A.SELLER),
    (_S.SUBMITTED, _M.WITHDRAW): _by(_S.DRAFT, _A.SELLER),
    (_S.REVIEW, _M.WITHDRAW): _by(_S.DRAFT, _A.SELLER),
    (_S.CORRECTION, _M.WITHDRAW): _by(_S.DRAFT, _A.SELLER),
    (_S.SUBMITTED, _M.TAKE_UP): _by(_S.REVIEW, _A.REVIEWER),
    (_S.REVIEW, _M.ASK): _by(_S.CORRECTION, _A.REVIEWER),
    (_S.REVIEW, _M.PASS_FORM): _by(_S.REVIEW, _A.REVIEWER),
    (_S.REVIEW, _M.ASSESS): _by(_S.REVIEW, _A.REVIEWER),
    (_S.REVIEW, _M.PUBLISH): _by(_S.PUBLICITY, _A.APPROVER),
    (_S.REVIEW, _M.APPROVE): _by(_S.LISTED, _A.APPROVER),
    (_S.REVIEW, _M.REJECT): _by(_S.REJECTED, _A.APPROVER),
    (_S.PUBLICITY, _M.APPROVE): _by(_S.LISTED, _A.APPROVER),
    (_S.PUBLICITY, _M.REJECT): _by(_S.REJECTED, _A.APPROVER),
    (_S.PUBLICITY, _M.OBJECT): _by(_S.PUBLICITY, _A.PARTY),
    (_S.PUBLICITY, _M.SETTLE): _by(_S.PUBLICITY, _A.REVIEWER),
    (_S.LISTED, _M.SUSPEND): _by(_S.SUSPENDED, _A.SELLER, _A.REVIEWER, _A.AUTHORITY, _A.CLOCK),
    (_S.UPDATING, _M.SUSPEND): _by(_S.SUSPENDED, _A.SELLER, _A.REVIEWER, _A.AUTHORITY, _A.CLOCK),
    (_S.SUSPENDED, _M.RESUME): _by(_S.LISTED, _A.REVIEWER, _A.AUTHORITY),
    (_S.LISTED, _M.NOTICE): _by(_S.NOTICE, _A.SELLER, _A.REVIEWER),
    (_S.SUSPENDED, _M.NOTICE): _by(_S.NOTICE, _A.SELLER, _A.REVIEWER),
    (_S.NOTICE, _M.CALL_OFF): _by(_S.LISTED, _A.SELLER, _A.REVIEWER, _A.AUTHORITY),
    (_S.NOTICE, _M.DELIST): _by(_S.DELISTED, _A.CLOCK, _A.SELLER, _A.REVIEWER),
    (_S.DELISTED, _M.RETIRE): _by(_S.RETIRED, _A.CLOCK, _A.REVIEWER),
    (_S.LISTED, _M.EMERGENCY): _by(_S.EMERGENCY, _A.APPROVER, _A.AUTHORITY),
    (_S.UPDATING, _M.EMERGENCY): _by(_S.EMERGENCY, _A.APPROVER, _A.AUTHORITY),
    (_S.SUSPENDED, _M.EMERGENCY): _by(_S.EMERGENCY, _A.APPROVER, _A.AUTHORITY),
    (_S.NOTICE, _M.EMERGENCY): _by(_S.EMERGENCY, _A.APPROVER, _A.AUTHORITY),
    (_S.EMERGENCY, _M.EXPLAIN): _by(_S.EMERGENCY, _A.APPROVER, _A.AUTHORITY),
    (_S.EMERGENCY, _M.RESUME): _by(_S.LISTED, _A.APPROVER, _A.AUTHORITY),
    (_S.EMERGENCY, _M.DELIST): _by(_S.DELISTED, _A.APPROVER, _A.AUTHORITY),
}
REVIEWING = frozenset({State.SUBMITTED, State.REVIEW, State.CORRECTION, State.PUBLICITY})
"""Stages of a version under review."""
_OF_REVIEW = frozenset(move for (state, move), _ in MOVES.items() if state in REVIEWING)

CARRIES: Mapping[Move, tuple[frozenset[str], frozenset[str]]] = {
    Move.ASK: (frozenset({"items"}), frozenset()),
    Move.ASSESS: (frozenset({"assessment"}), frozenset()),
    Move.PUBLISH: (frozenset({"days"}), frozenset()),
    Move.REJECT: (frozenset({"codes", "reason"}), frozenset()),
    Move.OBJECT: (frozenset({"reason"}), frozenset()),
    Move.SETTLE: (frozenset({"reason"}), frozenset({"upheld"})),
    Move.SUSPEND: (frozenset({"reason"}), frozenset({"rule"})),
    Move.NOTICE: (frozenset({"reason", "plan"}), frozenset()),
    Move.DELIST: (frozenset(), frozenset({"rule"})),
    Move.RETIRE: (frozenset(), frozenset({"rule"})),
    Move.EMERGENCY: (frozenset({"rule"}), frozenset({"stop_access"})),
    Move.EXPLAIN: (frozenset({"reason"}), frozenset()),
}
"""What a move must carry and what it may; a reason may go with any."""


@dataclass(frozen=True, slots=True)
class Reviewing:
    """The version under review. `reviewers` took part and may not approve; `formal` and `assessed` are who passed it.

    `passed` is the outcome of the substantive review, `corrected` that the one list was asked for; `cases` objections
    that are open; instants in seconds UTC, 0 for not yet.
    """

    version: int
    digest: Twin
    stage: State
    submitted_at: int
    reviewers: tuple[str, ...] = ()
    formal: str = ""
    assessed: str = ""
    passed: bool = False
    legal: bool = False
    corrected: bool = False
    publicity_until: int = 0
    cases: int = 0
    upheld: bool = False
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Where a listing stands since `since`; `version` and `digest` are those on the shelf (0, none before),
    since `listed_at`.

    `newest` is the highest version ever submitted; `held_by` who suspended it or took it down; `until` the end of a
    notice; `explained_at` when the reasons of an emergency came.
    """

    state: State = State.DRAFT
    since: int = 0
    version: int = 0
    digest: Twin | None = None
    listed_at: int = 0
    newest: int = 0
    review: Reviewing | None = None
    held_by: Actor | None = None
    reason: str = ""
    rule: str = ""
    plan: MigrationPlan | None = None
    until: int = 0
    explained_at: int = 0
    access_stopped: bool = False


def actor_of(by: str, role: str, seller: str, move: Move) -> Actor:
    """In which capacity a statement was signed; whether the signer has it is for the service to ask."""
    if role in (REVIEWER, APPROVER, SYSTEM):
        return {REVIEWER: Actor.REVIEWER, APPROVER: Actor.APPROVER, SYSTEM: Actor.CLOCK}[role]
    if by == f"party:{seller}":
        return Actor.SELLER
    return Actor.PARTY if move is Move.OBJECT else Actor.AUTHORITY


def edge_of(identity: str, case: Case, move: Move) -> Edge:
    """The row of the table that this move takes now. Raises `WrongMove`."""
    state = _looked_up(case, move)
    edge = MOVES.get((state, move))
    if edge is None:
        at = f"{case.state}({case.review.stage})" if case.state is State.UPDATING and case.review else case.state
        allowed = ", ".join(sorted(moves_from(case))) or "—"
        raise WrongMove(subject_of(identity), f"{at}: {allowed}", move)
    return edge


def moves_from(case: Case) -> frozenset[Move]:
    """The moves that the table has for a case as it stands."""
    return frozenset(move for move in Move if (_looked_up(case, move), move) in MOVES)


def after(identity: str, case: Case, move: Move) -> tuple[State, State | None]:
    """State of the listing after a move, and stage of the version under review, if one is left. Raises `WrongMove`."""
    target = edge_of(identity, case, move).target
    if case.state is not State.UPDATING or move not in _OF_REVIEW:
        return target, State.SUBMITTED if target is State.UPDATING else (target if target in REVIEWING else None)
    if target in REVIEWING:
        return State.UPDATING, target
    return State.LISTED, None


def check_move(
    identity: str, case: Case, body: ListingMove, actor: Actor, by: str, organisation: str, seller: str, at: int
) -> None:
    """Is this move open now, to this signer, with what it carries?

    `organisation` is the signer's. Raises `WrongMove`, `NotEntitled`, `BadTerms`, `TooEarly`.
    """
    if body.move is Move.SUBMIT:
        raise WrongMove(subject_of(identity), "listing-submitted/v1", body.move)
    edge = edge_of(identity, case, body.move)
    if actor not in edge.actors:
        raise NotEntitled(body.move, " | ".join(sorted(edge.actors)), actor)
    _check_fields(body, actor)
    if actor in (Actor.REVIEWER, Actor.APPROVER) and organisation == seller:
        raise NotEntitled(body.move, "申请方以外的审核人 / a reviewer who is not the submitter", organisation)
    if actor is Actor.PARTY and organisation == seller:
        raise NotEntitled(body.move, "申请方以外的当事方 / a party other than the submitter", organisation)
    if body.move in (Move.RESUME, Move.CALL_OFF) and _RANK[actor] < _RANK[case.held_by or Actor.CLOCK]:
        raise NotEntitled(body.move, f"{case.held_by}，作出决定的一方或其上级 / who decided, or above", actor)
    if case.review is not None and body.move in _OF_REVIEW:
        _check_review(identity, case.review, body, by, at)
    if body.move is Move.DELIST and case.state is State.NOTICE and at < case.until:
        raise TooEarly(subject_of(identity), case.until, at)
    if body.plan is not None and end_of(day_from(body.plan.ends, "body.plan.ends")) < at + NOTICE_SECONDS:
        least = day_of(at + NOTICE_SECONDS).isoformat()
        raise BadTerms("body.plan.ends", f"≥ {least}，预告不少于 30 日 / 30 days of notice", body.plan.ends)


def check_opinion(identity: str, case: Case, substantive: bool, legal: bool) -> None:
    """G10: the version under review has its own opinion: formal, and substantive where it is due, with legal review.

    Raises `WrongMove` with what is missing.
    """
    review = case.review
    if review is None:
        return
    for there, wanted in (
        (review.formal, "形式审核通过 / a formal review passed"),
        (review.assessed or not substantive, "实质审核 / a substantive review"),
        (review.passed or not review.assessed, "实质审核全部通过 / all six dimensions passed"),
        (review.legal or not legal, "法律审查意见（G5） / a legal review, gate G5"),
    ):
        if not there:
            raise WrongMove(subject_of(identity), wanted, f"version {review.version}: —")


def submitted(identity: str, case: Case, listing: Listing, digest: Twin, at: int) -> Case:
    """The case after a version was submitted. Raises `WrongMove`, or `BadTerms` for a number that was used."""
    state, stage = after(identity, case, Move.SUBMIT)
    before = case.review
    number = listing.version
    if before is not None and before.stage is State.CORRECTION:
        if number != next_version(case):
            raise BadTerms("body.version", str(next_version(case)), number)
        pauses = tuple(replace(item, end=item.end or day_of(at).isoformat()) for item in before.pauses)
        review = Reviewing(
            number, digest, State.REVIEW, before.submitted_at, before.reviewers, corrected=True, pauses=pauses
        )
        return replace(case, state=state, since=case.since if state is case.state else at, review=review)
    least = next_version(case)
    if number < least:
        raise BadTerms("body.version", f"≥ {least}", number)
    review = Reviewing(number, digest, stage or State.SUBMITTED, at)
    return replace(case, state=state, since=at, newest=number, review=review, reason="")


def next_version(case: Case) -> int:
    """The least number the next submission may have; a correction keeps the number of what it corrects.

    Withdrawn before anybody decided, a number is free again; a version that was decided keeps its number.
    """
    if case.review is not None and case.review.stage is State.CORRECTION:
        return case.review.version
    return max(case.newest + (case.state is not State.DRAFT), 1)


def moved(identity: str, case: Case, body: ListingMove, actor: Actor, by: str, at: int) -> Case:
    """The case after a move that was allowed. Raises `WrongMove`."""
    state, stage = after(identity, case, body.move)
    since = case.since if state is case.state else at
    review = _reviewed(case.review, body, actor, by, stage, at) if stage is not None else None
    known = replace(case, state=state, since=since, review=review)
    match body.move:
        case Move.APPROVE if case.review is not None:
            return replace(known, version=case.review.version, digest=case.review.digest, listed_at=at)
        case Move.SUSPEND:
            return replace(known, held_by=actor, reason=body.reason, rule=body.rule)
        case Move.NOTICE if body.plan is not None:
            until = max(at + NOTICE_SECONDS, end_of(day_from(body.plan.ends, "body.plan.ends")))
            return replace(known, plan=body.plan, until=until, reason=body.reason)
        case Move.EMERGENCY:
            explained = at if body.reason else 0
            holder = actor if _RANK[actor] >= _RANK[case.held_by or Actor.CLOCK] else case.held_by
            return replace(
                known, held_by=holder, rule=body.rule, reason=body.reason, explained_at=explained,
                access_stopped=body.stop_access,
            )  # fmt: skip
        case Move.EXPLAIN:
            return replace(known, reason=body.reason, explained_at=case.explained_at or at)
        case Move.RESUME | Move.CALL_OFF:
            return replace(
                known, held_by=None, reason="", rule="", plan=None, until=0, explained_at=0, access_stopped=False
            )
        case Move.REJECT if state is State.REJECTED:
            return replace(known, reason=body.reason)
        case _:
            return known


def review_due(review: Reviewing, calendar: Calendar) -> int | None:
    """When a decision is due, seconds UTC; None while a correction is awaited. Raises `CalendarPending`."""
    return due(day_of(review.submitted_at), REVIEW_DAYS, calendar, review.pauses)


def explain_due(case: Case, calendar: Calendar) -> int | None:
    """When the reasons of an emergency are due: the end of the next working day. None if there is no emergency."""
    return due(day_of(case.since), 1, calendar) if case.state is State.EMERGENCY else None


def _looked_up(case: Case, move: Move) -> State:
    if case.state is State.UPDATING and case.review is not None and move in _OF_REVIEW:
        return case.review.stage
    return case.state


def _check_fields(body: ListingMove, actor: Actor) -> None:
    needs, may = CARRIES.get(body.move, (frozenset(), frozenset()))
    if actor is Actor.CLOCK:
        needs = needs | {"rule"}
    empty = ListingMove(body.move)
    names = [field.name for field in fields(ListingMove) if field.name != "move"]
    for name in names:
        given, filled = getattr(body, name), getattr(body, name) != getattr(empty, name)
        if name in needs and not filled:
            raise BadTerms(f"body.{name}", f"{body.move} 须填写 / required", given)
        if filled and name not in needs | may | {"reason"}:
            raise BadTerms(f"body.{name}", f"{body.move} 不应填写 / does not belong here", "已填写 / given")
    if body.assessment is not None and len({item.dimension for item in body.assessment.findings}) != 6:
        raise BadTerms("body.assessment.findings", "六个维度各一项 / each dimension once", "重复 / repeated")


def _check_review(identity: str, review: Reviewing, body: ListingMove, by: str, at: int) -> None:
    subject = subject_of(identity)
    if body.move in (Move.APPROVE, Move.PUBLISH, Move.REJECT) and by in review.reviewers:
        raise NotEntitled(body.move, "审核人以外的复核人 / an approver who did not review", by)
    if body.move is Move.ASK and review.corrected:
        raise WrongMove(subject, "一次性告知，补正只要求一次 / corrections are asked for once", body.move)
    if body.move is Move.PASS_FORM and review.formal:
        raise WrongMove(subject, "尚未形式审核 / not yet passed", review.formal)
    if body.move is Move.ASSESS and (review.assessed or not review.formal):
        raise WrongMove(subject, "形式审核通过且尚未实质审核 / formal review passed, not yet assessed", body.move)
    if body.move is Move.SETTLE and not review.cases:
        raise WrongMove(subject, "有未了结的异议 / an open objection", "0")
    if body.move is Move.APPROVE and review.stage is State.PUBLICITY:
        if at < review.publicity_until:
            raise TooEarly(subject, review.publicity_until, at)
        if review.cases or review.upheld:
            raise WrongMove(
                subject, "没有未了结或成立的异议 / no objection open or upheld", f"{review.cases} / {review.upheld}"
            )


def _reviewed(
    review: Reviewing | None, body: ListingMove, actor: Actor, by: str, stage: State, at: int
) -> Reviewing | None:
    if review is None:
        return None
    known = replace(review, stage=stage)
    if actor is Actor.REVIEWER:
        known = replace(known, reviewers=tuple(dict.fromkeys((*review.reviewers, by))))
    match body.move:
        case Move.ASK:
            pause = Pause("补正", day_of(at).isoformat())
            return replace(known, corrected=True, pauses=(*review.pauses, pause))
        case Move.PASS_FORM:
            return replace(known, formal=by)
        case Move.ASSESS if body.assessment is not None:
            legal = body.assessment.legal_review is not None
            return replace(known, assessed=by, passed=body.assessment.passed, legal=legal)
        case Move.PUBLISH:
            return replace(known, publicity_until=end_of(day_of(at + body.days * 86_400)))
        case Move.OBJECT:
            return replace(known, cases=review.cases + 1)
        case Move.SETTLE:
            return replace(known, cases=review.cases - 1, upheld=review.upheld or body.upheld)
        case _:
            return known
