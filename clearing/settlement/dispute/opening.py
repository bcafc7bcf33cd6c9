"""What the sides of a dispute say, whoever mediates and whoever decides: a signed statement about "dispute:<32 hex>".

Three layers: the parties negotiate (an offer that the other side accepts), somebody mediates (a proposal that binds
when both accept), and the outside decides (a decision of court or arbitration that two persons of the operator enter).
Whoever complained may withdraw at any time. Source: exchange.md §5.8 (objects of objection; states visible; unanswered
messages are evidence too), §1.3; clearing §9; decisions D13, D37.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import Hex64, Seconds
from clearing.market.delivery.act import Words
from clearing.market.errors import NotEntitled
from clearing.terms import MAX_FEN
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Day, Twin
from registry.party import check_identity, party_subject

DISPUTE_ACT = "dispute-act/v1"
MOST_FACTS = 5_000
MOST_PAPERS = 50


class Topic(StrEnum):
    """交付 · 使用 · 账单: what the complaint is about."""

    DELIVERY = "DELIVERY"
    USE = "USE"
    STATEMENT = "STATEMENT"


class Act(StrEnum):
    """投诉 答复 提议 接受 请求调解 调解方案 外部管辖 裁决 撤回."""

    OPEN = "OPEN"
    ANSWER = "ANSWER"
    OFFER = "OFFER"
    ACCEPT = "ACCEPT"
    MEDIATE = "MEDIATE"
    PROPOSE = "PROPOSE"
    LEAVE = "LEAVE"
    DECIDE = "DECIDE"
    WITHDRAW = "WITHDRAW"


class Side(StrEnum):
    """Who complains, whom it is about, who mediates, who enters what was decided outside."""

    FILER = "FILER"
    RESPONDENT = "RESPONDENT"
    MEDIATOR = "MEDIATOR"
    OPERATOR = "OPERATOR"


class State(StrEnum):
    """待答复 · 已答复 · 调解中 · 外部管辖 · 已和解 · 已裁决 · 已撤回."""

    NONE = "NONE"
    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    MEDIATION = "MEDIATION"
    OUTSIDE = "OUTSIDE"
    SETTLED = "SETTLED"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"


RUNNING = (State.OPEN, State.ANSWERED, State.MEDIATION, State.OUTSIDE)
PARTIES = (Side.FILER, Side.RESPONDENT)
MOVES: Mapping[tuple[State, Act, Side], State] = (
    {
        (State.NONE, Act.OPEN, Side.FILER): State.OPEN,
        (State.OPEN, Act.ANSWER, Side.RESPONDENT): State.ANSWERED,
        (State.MEDIATION, Act.PROPOSE, Side.MEDIATOR): State.MEDIATION,
    }
    | {(state, Act.OFFER, side): state for state in RUNNING for side in PARTIES}
    | {(state, Act.ACCEPT, side): state for state in RUNNING for side in PARTIES}
    | {(state, Act.MEDIATE, side): State.MEDIATION for state in (State.OPEN, State.ANSWERED) for side in PARTIES}
    | {(state, Act.LEAVE, side): State.OUTSIDE for state in RUNNING[:-1] for side in PARTIES}
    | {(state, Act.DECIDE, Side.OPERATOR): State.DECIDED for state in RUNNING}
    | {(state, Act.WITHDRAW, Side.FILER): State.WITHDRAWN for state in RUNNING}
)
"""An acceptance that completes what is on the table ends the dispute: SETTLED."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact the complaint rests on: its id and its twin digest."""

    fact: Hex64
    digest: Twin


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is complained about: a `delivery` by its id, the use in [start, end), seconds UTC, or `amount` fen gross of
    a charge by its fact id; what is asked for."""

    topic: Topic
    text: Words
    demand: Words
    evidence: Annotated[tuple[Evidence, ...], Meta(min_length=1, max_length=MOST_FACTS)]
    delivery: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    charge: Hex64 | None = None
    amount: Annotated[int, Meta(ge=1, le=MAX_FEN)] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """裁决文书: which body decided, under which number, on which day, in force from when; its text's digest."""

    body: Words
    number: Annotated[str, Meta(min_length=1, max_length=200)]
    date: Day
    in_force: Day
    text: Twin


@dataclass(frozen=True, slots=True)
class DisputeAct:
    """Body of dispute-act/v1: one act of `side` between two parties of an agreement.

    OPEN carries the `complaint`, ANSWER, OFFER, PROPOSE a `text`, PROPOSE the `mediator`, DECIDE the `decision`; any
    may name `papers` by their digests. Where a charge is disputed OFFER, PROPOSE and DECIDE say with `upheld` how many
    fen gross of it are given back.
    """

    act: Act
    side: Side
    agreement: Hex64
    filer: str
    respondent: str
    complaint: Complaint | None = None
    text: Words | None = None
    papers: Annotated[tuple[Twin, ...], Meta(min_length=1, max_length=MOST_PAPERS)] | None = None
    upheld: Annotated[int, Meta(ge=0, le=MAX_FEN)] | None = None
    mediator: str | None = None
    decision: Decision | None = None

    @property
    def sender(self) -> str:
        """Signer name of the side that speaks; of the operator two persons do."""
        by = {Side.FILER: self.filer, Side.RESPONDENT: self.respondent, Side.MEDIATOR: self.mediator or ""}
        return party_subject(by[self.side])


@dataclass(frozen=True, slots=True)
class Table:
    """What is on the table: how much is given back (fen, of a disputed charge), whose it is, and who agrees to it."""

    by: Side
    accepted: tuple[Side, ...]
    upheld: int | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as its facts say it is; `opened_at` and `since` are seconds UTC. `upheld` is what is given back in the
    end, `mediated` when mediation began."""

    agreement: str
    filer: str
    respondent: str
    complaint: Complaint
    state: State
    opened_at: int
    since: int
    table: Table | None = None
    upheld: int | None = None
    mediated: int | None = None

    @property
    def over(self) -> bool:
        """Has it ended?"""
        return self.state not in RUNNING


def subject_of(dispute: str) -> str:
    """The subject of the dispute with this 32-hex id."""
    return f"dispute:{dispute}"


def id_of(subject: str) -> str:
    """The 32-hex id inside a dispute's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("dispute:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "dispute:<32 hex>", subject[:120])
    return identity


def act_of(statement: Statement) -> DisputeAct:
    """The act a statement carries, complete for its sort. Raises `FieldError`, `BadTerms`."""
    _require(statement.kind == DISPUTE_ACT, "statement.kind", DISPUTE_ACT, statement.kind)
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    id_of(statement.subject)
    body = read(DisputeAct, statement.body)
    check_identity(body.filer, "body.filer")
    check_identity(body.respondent, "body.respondent")
    _require(body.filer != body.respondent, "body.respondent", "another party than the filer", body.respondent)
    opens = body.act is Act.OPEN
    expected = f"{Act.OPEN} 必填，其余不填 / given in {Act.OPEN}, absent else"
    _require(opens == (body.complaint is not None), "body.complaint", expected, body.act)
    if body.act in (Act.ANSWER, Act.OFFER, Act.PROPOSE):
        _require(body.text is not None, "body.text", f"{body.act} 的内容 / what is said", None)
    for field, given, act in (("mediator", body.mediator, Act.PROPOSE), ("decision", body.decision, Act.DECIDE)):
        expected = f"{act} 必填，其余不填 / given in {act}, absent else"
        _require((given is not None) == (body.act is act), f"body.{field}", expected, body.act)
    if body.mediator is not None:
        check_identity(body.mediator, "body.mediator")
        _require(body.mediator not in (body.filer, body.respondent), "body.mediator", "neither side", body.mediator)
    if body.decision is not None:
        later = body.decision.in_force >= body.decision.date
        _require(later, "body.decision.in_force", f"≥ {body.decision.date}", body.decision.in_force)
    if body.complaint is not None:
        _check_complaint(body.complaint)
    return body


def decide(dispute: Dispute | None, body: DisputeAct, at: int) -> Dispute:
    """The dispute after this act. Raises `WrongMove`, `NotEntitled`."""
    state = dispute.state if dispute else State.NONE
    if (state, body.act, body.side) not in MOVES:
        allowed = ", ".join(f"{act} of {side}" for (from_, act, side) in MOVES if from_ is state) or "—"
        raise WrongMove("dispute", f"{state}: {allowed}", f"{body.act} of {body.side}")
    if dispute is not None:
        stands = (dispute.agreement, dispute.filer, dispute.respondent)
        given = (body.agreement, body.filer, body.respondent)
        if given != stands:
            raise NotEntitled(body.act, " ".join(stands[1:]), " ".join(given[1:]))
        _check_upheld(dispute, body)
        if body.act is Act.ACCEPT and (dispute.table is None or body.side in dispute.table.accepted):
            raise WrongMove("dispute", "对方或调解人的方案 / a proposal of another", f"{body.act} of {body.side}")
    return moved(dispute, body, at)


def moved(dispute: Dispute | None, body: DisputeAct, at: int) -> Dispute:
    """The dispute after an act that was decided and stored."""
    if dispute is None:
        assert body.complaint is not None
        return Dispute(body.agreement, body.filer, body.respondent, body.complaint, State.OPEN, at, at)
    now = replace(dispute, state=MOVES[dispute.state, body.act, body.side], since=at)
    if body.act in (Act.OFFER, Act.PROPOSE):
        accepted = (body.side,) if body.side in PARTIES else ()
        return replace(now, table=Table(body.side, accepted, body.upheld))
    if body.act is Act.MEDIATE:
        return replace(now, mediated=at)
    if body.act is Act.DECIDE:
        return replace(now, upheld=body.upheld, table=None)
    if body.act is Act.ACCEPT and now.table is not None:
        table = replace(now.table, accepted=tuple(sorted((*now.table.accepted, body.side))))
        if set(table.accepted) == set(PARTIES):
            return replace(now, state=State.SETTLED, table=table, upheld=table.upheld)
        return replace(now, table=table)
    return now


def _check_upheld(dispute: Dispute, body: DisputeAct) -> None:
    """How much is given back is said of a disputed charge, and of nothing else."""
    amount = dispute.complaint.amount
    if amount is None or body.act not in (Act.OFFER, Act.PROPOSE, Act.DECIDE):
        _require(body.upheld is None, "body.upheld", "不填 / absent", body.upheld)
    else:
        fits = body.upheld is not None and body.upheld <= amount
        _require(fits, "body.upheld", f"0 – {amount} 分 fen", body.upheld)


_NAMES = {Topic.DELIVERY: ("delivery",), Topic.USE: ("start", "end"), Topic.STATEMENT: ("charge", "amount")}
"""Which fields of a complaint say what it is about."""


def _check_complaint(complaint: Complaint) -> None:
    for topic, names in _NAMES.items():
        wanted = topic is complaint.topic
        for name in names:
            given = getattr(complaint, name)
            expected = f"{complaint.topic} {'必填 / given' if wanted else '不填 / absent'}"
            _require((given is not None) is wanted, f"body.complaint.{name}", expected, given)
    if complaint.start is not None and complaint.end is not None:
        _require(complaint.start < complaint.end, "body.complaint.end", f"> {complaint.start}", complaint.end)
    named = [item.fact for item in complaint.evidence]
    _require(len(set(named)) == len(named), "body.complaint.evidence", "每项一次 / each fact once", "one twice")


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
