"""Taking in demands and what is done with them: load, decide by the pure stages, store the fact, fold it.

Nothing here commits or reads a clock. A statement that was stored before is answered with its first fact. Source:
exchange.md §3.1, §1.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market import service as market
from clearing.market.broker import service as brokers
from clearing.market.broker.mandate import Task
from clearing.market.demand import moves, store
from clearing.market.demand.demand import (
    DEMAND,
    DEMAND_BUDGET,
    DEMAND_MOVE,
    MOVE_NAMES,
    OFFICER,
    Budget,
    Demand,
    DemandMove,
    Figures,
    Link,
    Move,
    Visibility,
    budget_subject_of,
    check_budget,
    check_demand,
    id_of,
    subject_of,
)
from clearing.market.demand.moves import STATE_NAMES, Actor, Around, Case, Held, State, actor_of
from clearing.market.demand.store import DemandRow, Hit, Wanted
from clearing.market.errors import GateRefused, NotEntitled
from clearing.market.listing import SYSTEM
from clearing.market.listing_moves import ORDERABLE
from clearing.market.product import day_from
from clearing.market.shelf import store as shelf
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.agency import Agency
from registry.asset import Twin
from registry.calendar import Calendar, day_of, end_of
from registry.clocks import Due, Running
from registry.party import party_subject
from registry.search.store import FIRST
from registry.worklist import Matter, Step

BY_TIME = "§3.1 逾期未认领，升级督办 / escalated because nobody claimed it in time"
BY_LEAD = "§3.1 并入的需求已结束，自动拆出 / taken out because the demand it was merged into has ended"
"""The rules the clock's moves name (decisions D14)."""


@dataclass(frozen=True, slots=True)
class Page:
    """Demands found, latest checked first; `next` is what to ask for the following page, "" at the end."""

    hits: tuple[Hit, ...]
    next: str


@dataclass(frozen=True, slots=True)
class View:
    """What a reader sees of a demand: itself, where it stands, the demands merged into it, and what the operator found;
    `budget` is there only for the demander and the operator."""

    id: str
    value: Demand
    state: State
    since: int
    digest: Twin
    case: Case
    origins: tuple[str, ...]
    budget: Budget | None = None


def state(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a demand/v1 signed by its demander, or by a broker under a mandate, the first time or while a draft.

    Raises `BadTerms`, `FieldError`, `WrongMove`, `NotEntitled`, `BadSignature`, the ledger's `Conflict` and `Stale`.
    """
    body, identity = read(Demand, taking.of_kind(signed, DEMAND).body), id_of(signed.statement.subject)
    taking.require_one(session, signed, party_subject(body.broker or body.demander), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    check_demand(body, day_of(at))
    if body.broker:
        principal, task = body.demander, Task.DEMAND
        brokers.require(session, body.mandate, broker=body.broker, principal=principal, task=task, at=at)
    before = store.find_demand(session, identity)
    if before is not None and before.value.demander != body.demander:
        raise BadTerms("body.demander", before.value.demander, body.demander)
    moves.stated(identity, before.case if before else Case(), at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def set_budget(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a demand-budget/v1 of the demander, while its demand is looked after. Raises as `state`."""
    check_budget(read(Budget, taking.of_kind(signed, DEMAND_BUDGET).body))
    row = store.demand(session, id_of(signed.statement.subject, "demand-budget"))
    taking.require_one(session, signed, party_subject(row.value.demander), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if row.state is not State.DRAFT and row.state not in moves.OPEN:
        raise WrongMove(budget_subject_of(row.id), " | ".join(sorted({State.DRAFT, *moves.OPEN})), row.state)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def move(session: Session, signed: Signed, *, operator: str, signer: SystemSigner, at: int) -> Appended:
    """Takes in a demand-move/v1: of the demander, of the operator's demand officer, or of the owner of a part.

    When a demand ends that others were merged into, they are taken out of it in the same transaction, under the
    operator's system key `signer`. Raises as `state`, and `NotEntitled`, `NotSigned`, `TooEarly`, `GateRefused`.
    """
    body, identity = read(DemandMove, taking.of_kind(signed, DEMAND_MOVE).body), id_of(signed.statement.subject)
    row = store.demand(session, identity)
    actor, by = _signer(session, signed, row, body.move, operator, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    moves.check_move(identity, row.case, body, actor, by, _around(session, row, body), at)
    _check_world(session, row, body, actor, at)
    taken = taking.take(session, signed, store.PROJECTORS, at=at)
    if body.move in (Move.WITHDRAW, Move.CLOSE):
        for follower in store.followers(session, identity):
            if follower.state is State.MERGED:
                _state(session, signer, follower, DemandMove(Move.UNMERGE, rule=BY_LEAD), at)
    return taken


def run_timers(session: Session, signer: SystemSigner, *, at: int) -> int:
    """Escalates every part that nobody claimed in time; answers how many."""
    done = 0
    for row in store.escalating(session, at):
        for number, held in enumerate(row.case.parts):
            if not held.claimed_at and not held.escalated_at and at >= moves.escalates_at(held):
                now = store.demand(session, row.id)
                _state(session, signer, now, DemandMove(Move.ESCALATE, number=number, rule=BY_TIME), at)
                done += 1
    return done


def search(session: Session, wanted: Wanted, *, limit: int, before: int = FIRST) -> Page:
    """Public demands that answer a question, page by page."""
    hits = store.find(session, wanted, limit, before)
    return Page(tuple(hits), str(hits[-1].place) if len(hits) == limit else "")


def view(session: Session, identity: str, *, party: str = "", operator: str) -> View:
    """A demand as `party` (USCC, "" for the public) sees it. Raises `UnknownFact` where it sees none."""
    row = store.demand(session, identity)
    inside = bool(party) and party in (row.value.demander, operator)
    if not inside and not sees(row, party):
        raise UnknownFact("demand", identity)
    origins = tuple(item.id for item in store.followers(session, identity)) if inside or party else ()
    budget = store.budget_of(session, identity) if inside else None
    return View(row.id, row.value, row.state, row.since, row.digest, row.case, origins, budget)


def sees(row: DemandRow, party: str) -> bool:
    """May this party ("" for the public) see the demand? Owners of its parts may, whatever its visibility."""
    if not row.case.checked:
        return False
    if row.value.visibility is Visibility.PUBLIC:
        return True
    owners = {held.part.owner for held in row.case.parts}
    return bool(party) and (row.value.visibility is Visibility.PARTIES or party in {*owners, *row.value.invited})


def seen_by(session: Session, party: str, *, operator: str) -> list[DemandRow]:
    """Every demand a party on record sees besides its own, newest state first; the operator sees all."""
    rows = store.demands(session)
    return [row for row in rows if row.value.demander != party and (party == operator or sees(row, party))]


def figures(session: Session, identity: str) -> Figures:
    """What 绩效分析 of this demand must say, computed from its own statements and those merged into it."""
    row = store.demand(session, identity)
    return moves.figures_of(row.case, store.evaluations(session, identity))


def waiting(session: Session, agency: Agency, at: int, calendar: Calendar) -> list[Matter]:
    """Matters of parties for the work list: parts to claim and to link, demands to evaluate."""
    found = []
    for row in store.demands(session, states=(State.SPLIT, State.CLAIMED, State.LINKED)):
        if row.state is State.LINKED:
            found.append(_matter(row, Move.EVALUATE, row.value.demander, Due("deadline", Running.NONE)))
        for held in row.case.parts:
            todo = Move.CLAIM if row.state is State.SPLIT and not held.claimed_at else Move.LINK
            if held.link is None and (todo is Move.CLAIM or row.state is State.CLAIMED):
                found.append(_matter(row, todo, held.part.owner, _due(held, todo)))
    return found


# Inside ---------------------------------------------------------------------------------------------------------------


def _matter(row: DemandRow, todo: Move, party: str, due: Due) -> Matter:
    return Matter(
        subject=subject_of(row.id),
        title=row.value.title,
        type="demand",
        state=row.state.value,
        state_name=STATE_NAMES[row.state],
        role="party",
        steps=(Step(todo, *MOVE_NAMES[todo]),),
        due=due,
        parties=frozenset({party}),
        private=True,
    )


def _due(held: Held, todo: Move) -> Due:
    ends = moves.escalates_at(held) if todo is Move.CLAIM else end_of(day_from(held.part.due, "part.due"))
    return Due("part", Running.RUNNING, day_of(ends - 1).isoformat(), ends)


def _around(session: Session, row: DemandRow, body: DemandMove) -> Around:
    other = body.into or row.case.into
    lead = store.find_demand(session, other) if other else None
    count = sum(item.state in (State.MERGED, State.EVALUATED) for item in store.followers(session, row.id))
    return Around(count, lead.case if lead else None)


def _check_world(session: Session, row: DemandRow, body: DemandMove, actor: Actor, at: int) -> None:
    """What the register, the shelf and the other demands say at this moment."""
    owners = [part.owner for part in (*body.parts, *([body.part] if body.part else ()))]
    missing = set(owners) - set(market.signer_keys(session, owners, at))
    if missing:
        raise GateRefused("G11", "part.owner", "parties on record", sorted(missing))
    for place, duplicate in enumerate(body.duplicates):
        if duplicate == row.id or store.find_demand(session, duplicate) is None:
            raise BadTerms(f"body.duplicates[{place}]", "另一项需求 / another demand", duplicate)
    for place, listing in enumerate(body.listings):
        if shelf.find_listing(session, listing) is None:
            raise BadTerms(f"body.listings[{place}]", "一项上架 / a listing", listing)
    if body.link is not None and body.link.listing:
        _check_link(session, row, body.link, body.number or 0)
    if body.move is Move.ANALYSE and body.figures != figures(session, row.id):
        expected = body_of(figures(session, row.id))
        raise BadTerms("body.figures", str(expected), str(body_of(body.figures)))


def _check_link(session: Session, row: DemandRow, link: Link, number: int) -> None:
    """The listing can be ordered and is the owner's own."""
    listing, owner = shelf.listing(session, link.listing), row.case.parts[number].part.owner
    if listing.state not in ORDERABLE:
        raise GateRefused("G10", "body.link.listing", " | ".join(sorted(ORDERABLE)), listing.state)
    if listing.value.seller != owner:
        raise GateRefused("G10", "body.link.listing", f"{owner} 的上架 / a listing of the owner", listing.value.seller)


def _signer(session: Session, signed: Signed, row: DemandRow, taken: Move, operator: str, at: int) -> tuple[Actor, str]:
    """Who signed and in which capacity; the capacity is one the signer has."""
    subject = signed.statement.subject
    if len(signed.signatures) != 1:
        raise NotSigned(subject, "one signature", str(len(signed.signatures)))
    by, role = signed.signatures[0].by, signed.signatures[0].role
    kind, _, identity = by.partition(":")
    if kind == "staff":
        if role != OFFICER:
            raise NotSigned(subject, OFFICER, role or by)
        signers.require_signature(session, signed, by, role, at=at)
        member = registry.staff_at(session, identity, at)
        if role not in member.roles.split():
            raise NotSigned(subject, f"a member of staff in the role {role}", by)
        if member.organisation != operator:
            raise NotEntitled(taken, "运营方的需求经办人 / a demand officer of the operator", member.organisation)
    elif kind != "party" or role:
        raise NotSigned(subject, f"{party_subject(row.value.demander)} | staff | owner of a part", f"{by} {role}")
    else:
        signers.require_signature(session, signed, by, at=at)
    return actor_of(by, role, row.value.demander, taken), by


def _state(session: Session, signer: SystemSigner, row: DemandRow, body: DemandMove, at: int) -> None:
    """A move of the clock, under the operator's system key."""
    subject = subject_of(row.id)
    moves.check_move(row.id, row.case, body, Actor.CLOCK, signer.by, _around(session, row, body), at)
    statement = Statement(DEMAND_MOVE, subject, *ledger.next_of(session, subject), body_of(body))
    taking.take(session, Signed(statement, (signer.sign(statement, SYSTEM),)), store.PROJECTORS, at=at)
