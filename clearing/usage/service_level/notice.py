"""What is said about the service of a listing: planned outages, incidents, checks; signed by whom each names.

A planned outage and an incident are chains of acts about "outage:<32 hex>", a check is one statement about
"quality-check:<32 hex>". Times in bodies are seconds UTC as the signer states them; what counts as early enough is
decided by when a statement was taken in. Source: exchange.md §8.2, trap 49; clearing §3 (SLA credit); D13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import Hex64, Seconds
from clearing.market.delivery.act import MonthName, Words
from clearing.terms import Positive, Quantity
from ledger.facts import Statement
from ledger.reading import read
from registry.asset import Twin
from registry.party import check_identity, party_subject

OUTAGE_ACT = "outage-act/v1"
QUALITY_CHECK = "quality-check/v1"

ListingId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Act(StrEnum):
    """计划停机公告 同意 取消 · 故障报告 不认可 恢复."""

    ANNOUNCE = "ANNOUNCE"
    CONSENT = "CONSENT"
    CALL_OFF = "CALL_OFF"
    REPORT = "REPORT"
    CONTEST = "CONTEST"
    RESTORE = "RESTORE"


class State(StrEnum):
    """Where an outage stands."""

    NONE = "NONE"
    PLANNED = "PLANNED"
    CALLED_OFF = "CALLED_OFF"
    OPEN = "OPEN"
    CONTESTED = "CONTESTED"
    RESTORED = "RESTORED"


class Speaker(StrEnum):
    """As whom somebody speaks: the side that serves, or a consumer under an agreement."""

    SELLER = "SELLER"
    CONSUMER = "CONSUMER"


class Metric(StrEnum):
    """准确率 · 合规通过率."""

    ACCURACY = "accuracy"
    COMPLIANCE = "compliance"


class Source(StrEnum):
    """Who checked: the side that serves, a consumer, or somebody on neither side (评估、监理、监管)."""

    SELLER = "SELLER"
    CONSUMER = "CONSUMER"
    THIRD = "THIRD"


_S, _C = Speaker.SELLER, Speaker.CONSUMER
MOVES: Mapping[tuple[State, Act, Speaker], State] = {
    (State.NONE, Act.ANNOUNCE, _S): State.PLANNED,
    (State.PLANNED, Act.CONSENT, _C): State.PLANNED,
    (State.PLANNED, Act.CALL_OFF, _S): State.CALLED_OFF,
    (State.NONE, Act.REPORT, _S): State.OPEN,
    (State.NONE, Act.REPORT, _C): State.OPEN,
    (State.OPEN, Act.CONTEST, _S): State.CONTESTED,
    (State.OPEN, Act.RESTORE, _S): State.RESTORED,
    (State.CONTESTED, Act.RESTORE, _S): State.RESTORED,
}
"""Every move. The seller contests what a consumer reported, never its own report (`moved`)."""


@dataclass(frozen=True, slots=True)
class OutageAct:
    """Body of outage-act/v1, signed by party `by` as `speaker`; a consumer names its `agreement`.

    - ANNOUNCE: the window `[start, end)`
    - REPORT: `start` when it began, `detected_at` when it was noticed
    - RESTORE: `end` when the service was there again
    """

    act: Act
    speaker: Speaker
    by: str
    listing: ListingId
    agreement: Hex64 | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    detected_at: Seconds | None = None
    text: Words | None = None


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """Body of quality-check/v1: of `checked` items of a month's service `passed` did, by which method.

    `evidence` is the digest of the protocol. A consumer names its `agreement`.
    """

    by: str
    source: Source
    listing: ListingId
    metric: Metric
    period: MonthName
    checked: Positive
    passed: Quantity
    method: Words
    evidence: Twin
    agreement: Hex64 | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """A consumer's consent to a planned outage, and when it was taken in."""

    agreement: str
    at: int


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage as its facts say it is. `at` is when its first act was taken in; `end` None while it is open."""

    listing: str
    state: State
    speaker: Speaker
    at: int
    start: int
    end: int | None = None
    detected_at: int | None = None
    agreement: str = ""
    consents: tuple[Consent, ...] = ()

    @property
    def planned(self) -> bool:
        """Is it a window that was announced, rather than an incident?"""
        return self.state in (State.PLANNED, State.CALLED_OFF)


_NEEDS: Mapping[Act, frozenset[str]] = {
    Act.ANNOUNCE: frozenset({"start", "end", "text"}),
    Act.CONSENT: frozenset(),
    Act.CALL_OFF: frozenset(),
    Act.REPORT: frozenset({"start", "detected_at", "text"}),
    Act.CONTEST: frozenset({"text"}),
    Act.RESTORE: frozenset({"end"}),
}


def subject_of(outage: str) -> str:
    """The subject of the outage with this 32-hex id."""
    return f"outage:{outage}"


def id_of(subject: str, kind: str = "outage") -> str:
    """The 32-hex id inside a subject "outage:…" or "quality-check:…". Raises `BadTerms`."""
    identity = subject.removeprefix(f"{kind}:")
    if identity == subject or len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", f"{kind}:<32 hex>", subject[:120])
    return identity


def act_of(statement: Statement) -> OutageAct:
    """The act a statement carries, complete for its sort. Raises `FieldError`, `BadTerms`."""
    _check_form(statement, OUTAGE_ACT, "outage")
    body = read(OutageAct, statement.body)
    check_identity(body.by, "body.by")
    needs = _NEEDS[body.act]
    for name in ("start", "end", "detected_at", "text"):
        given = getattr(body, name) is not None
        _require(given or name not in needs, f"body.{name}", f"{body.act} 必填 / given in {body.act}", None)
        _require(not given or name in needs | {"text"}, f"body.{name}", f"{body.act} 不填 / absent in {body.act}", name)
    _require_agreement(body.speaker is Speaker.CONSUMER, body.agreement)
    if body.start is not None and body.end is not None:
        _require(body.start < body.end, "body.end", f"> {body.start}", body.end)
    if body.start is not None and body.detected_at is not None:
        _require(body.start <= body.detected_at, "body.detected_at", f"≥ {body.start}", body.detected_at)
    return body


def check_of(statement: Statement) -> QualityCheck:
    """The check a statement carries. Raises `FieldError`, `BadTerms`."""
    _check_form(statement, QUALITY_CHECK, "quality-check")
    body = read(QualityCheck, statement.body)
    check_identity(body.by, "body.by")
    _require(body.passed <= body.checked, "body.passed", f"≤ {body.checked}", body.passed)
    _require_agreement(body.source is Source.CONSUMER, body.agreement)
    return body


def sender_of(body: OutageAct | QualityCheck) -> str:
    """Signer name of whoever states it."""
    return party_subject(body.by)


def decide(outage: Outage | None, body: OutageAct, at: int, future: int) -> Outage:
    """The outage after this act. Raises `WrongMove`, `BadTerms`; stated times lie at most `future` seconds ahead."""
    state = outage.state if outage else State.NONE
    if (state, body.act, body.speaker) not in MOVES:
        allowed = ", ".join(f"{act} of {who}" for (from_, act, who) in MOVES if from_ is state) or "—"
        raise WrongMove("outage", f"{state}: {allowed}", f"{body.act} of {body.speaker}")
    if outage is not None:
        _require(body.listing == outage.listing, "body.listing", outage.listing, body.listing)
        own = body.act is Act.CONTEST and outage.speaker is Speaker.SELLER
        _require(not own, "body.act", "对需方报告的故障 / an incident a consumer reported", body.act)
    for name in ("start", "end", "detected_at"):
        stated = getattr(body, name)
        if stated is not None and body.act is not Act.ANNOUNCE:
            _require(stated <= at + future, f"body.{name}", f"≤ {at + future}", stated)
    if outage is not None and body.end is not None:
        _require(body.end >= outage.start, "body.end", f"≥ {outage.start}", body.end)
    return moved(outage, body, at)


def moved(outage: Outage | None, body: OutageAct, at: int) -> Outage:
    """The outage after an act that was decided and stored."""
    state = MOVES[outage.state if outage else State.NONE, body.act, body.speaker]
    if outage is None:
        assert body.start is not None
        return Outage(
            body.listing, state, body.speaker, at, body.start, body.end, body.detected_at, body.agreement or ""
        )
    if body.act is Act.CONSENT:
        assert body.agreement is not None
        return replace(outage, consents=(*outage.consents, Consent(body.agreement, at)))
    return replace(outage, state=state, end=body.end if body.act is Act.RESTORE else outage.end)


def _check_form(statement: Statement, kind: str, subject: str) -> None:
    _require(statement.kind == kind, "statement.kind", kind, statement.kind)
    _require(statement.parts is None, "statement.parts", "没有分项 / no parts", "parts")
    id_of(statement.subject, subject)


def _require_agreement(consumer: bool, agreement: str | None) -> None:
    expected = "需方必填，其余不填 / given by a consumer, absent else"
    _require(consumer == (agreement is not None), "body.agreement", expected, agreement)


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
