"""What the two sides of a dispute say before anybody decides: a signed statement about "dispute:<32 hex>".

Source: exchange.md §5.8 (objects of objection; states visible; unanswered messages are evidence too), §1.3; clearing
§9 (version-pinned evidence bundle); decisions D13, D37.
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
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Twin
from registry.party import check_identity, party_subject

DISPUTE_ACT = "dispute-act/v1"
MOST_FACTS = 5_000
MOST_PAPERS = 50


class Topic(StrEnum):
    """交付 · 使用: what the complaint is about."""

    DELIVERY = "DELIVERY"
    USE = "USE"


class Act(StrEnum):
    """投诉 答复 撤回."""

    OPEN = "OPEN"
    ANSWER = "ANSWER"
    WITHDRAW = "WITHDRAW"


class Side(StrEnum):
    """Who complains, and whom it is about."""

    FILER = "FILER"
    RESPONDENT = "RESPONDENT"


class State(StrEnum):
    """待答复 · 已答复 · 已撤回."""

    NONE = "NONE"
    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    WITHDRAWN = "WITHDRAWN"


MOVES: Mapping[tuple[State, Act, Side], State] = {
    (State.NONE, Act.OPEN, Side.FILER): State.OPEN,
    (State.OPEN, Act.ANSWER, Side.RESPONDENT): State.ANSWERED,
    (State.OPEN, Act.WITHDRAW, Side.FILER): State.WITHDRAWN,
    (State.ANSWERED, Act.WITHDRAW, Side.FILER): State.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact the complaint rests on: its id and its twin digest."""

    fact: Hex64
    digest: Twin


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is complained about: a `delivery` by its id, or the use in [start, end), seconds UTC; what is asked for."""

    topic: Topic
    text: Words
    demand: Words
    evidence: Annotated[tuple[Evidence, ...], Meta(min_length=1, max_length=MOST_FACTS)]
    delivery: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")] | None = None
    start: Seconds | None = None
    end: Seconds | None = None


@dataclass(frozen=True, slots=True)
class DisputeAct:
    """Body of dispute-act/v1: one act of `side` between two parties of an agreement.

    OPEN carries the `complaint`, ANSWER a `text`; either may name `papers` by their digests.
    """

    act: Act
    side: Side
    agreement: Hex64
    filer: str
    respondent: str
    complaint: Complaint | None = None
    text: Words | None = None
    papers: Annotated[tuple[Twin, ...], Meta(min_length=1, max_length=MOST_PAPERS)] | None = None

    @property
    def sender(self) -> str:
        """Signer name of the side that speaks."""
        return party_subject(self.filer if self.side is Side.FILER else self.respondent)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as its facts say it is; `opened_at` and `since` are seconds UTC."""

    agreement: str
    filer: str
    respondent: str
    complaint: Complaint
    state: State
    opened_at: int
    since: int


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
    _require(body.act is not Act.ANSWER or body.text is not None, "body.text", "答复内容 / what is answered", None)
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
    return moved(dispute, body, at)


def moved(dispute: Dispute | None, body: DisputeAct, at: int) -> Dispute:
    """The dispute after an act that was decided and stored."""
    if dispute is None:
        assert body.complaint is not None
        return Dispute(body.agreement, body.filer, body.respondent, body.complaint, State.OPEN, at, at)
    return replace(dispute, state=MOVES[dispute.state, body.act, body.side], since=at)


def _check_complaint(complaint: Complaint) -> None:
    delivery = complaint.topic is Topic.DELIVERY
    expected = f"{complaint.topic} {'必填 / given' if delivery else '不填 / absent'}"
    _require(delivery == (complaint.delivery is not None), "body.complaint.delivery", expected, complaint.delivery)
    for name in ("start", "end"):
        given = getattr(complaint, name) is not None
        expected = f"{complaint.topic} {'不填 / absent' if delivery else '必填 / given'}"
        _require(given is not delivery, f"body.complaint.{name}", expected, name)
    if complaint.start is not None and complaint.end is not None:
        _require(complaint.start < complaint.end, "body.complaint.end", f"> {complaint.start}", complaint.end)
    named = [item.fact for item in complaint.evidence]
    _require(len(set(named)) == len(named), "body.complaint.evidence", "每项一次 / each fact once", "one twice")


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
