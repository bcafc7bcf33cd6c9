"""Who asks to see what, on which basis and for which purpose, and what was decided (guide art. 30)."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger.errors import FieldError
from registry.asset import Long, Short, Twin
from registry.certificate import Instant
from registry.code import is_code
from registry.errors import GuardRefused, NotEntitled
from registry.form import Identity, Named

REQUESTED = "inspection-requested/v1"
DECIDED = "inspection-decided/v1"
INSPECTED = "inspection/v1"

OPEN_FOR = 30 * 86_400
"""Seconds after the request, or the decision, in which papers are handed out (P)."""

FORM, FILE, RECORD = "form", "file", "record"
"""The application form as it stands; every fact of the application; the full record of a certificate."""
ATTACHMENT = "attachment-"
_PAPER = re.compile(rf"{FORM}|{FILE}|{RECORD}|{ATTACHMENT}[0-9a-f]{{64}}")
_MATTER = re.compile(r"(application):([0-9a-f]{32})|(certificate):(.{15})")


class Basis(StrEnum):
    """In which capacity somebody asks; a state body under the laws it names."""

    APPLICANT = "登记申请人"
    INTERESTED = "利害关系人"
    STATE_BODY = "国家机关"


class Status(StrEnum):
    """Where a request stands. That of an applicant for the own file needs no decision."""

    ASKED = "ASKED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Request:
    """Body of inspection-requested/v1, act 0 of "inspection:<32 hex>"; signed by the reader, or by the clerk who
    verified the reader's identity.

    `matter` is "application:<id>" or "certificate:<code>", `papers` what is asked for: "form", "file", "record" or
    "attachment-<SHA-256>". `document_no` is the number of the state body's letter, `interest` what the interested
    party's interest is.
    """

    reader: Named
    reader_id: Identity
    basis: Basis
    purpose: Long
    matter: Short
    papers: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=100)]
    document_no: Short = ""
    interest: Long = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Body of inspection-decided/v1, act 1: granted for these papers, or refused; always with a reason."""

    granted: bool
    reason: Long
    papers: Annotated[tuple[Short, ...], Meta(max_length=100)] = ()


@dataclass(frozen=True, slots=True)
class Inspected:
    """Body of inspection/v1: one paper was handed out. `decided_by` is "" for an applicant's own file.

    `digest` and `size` are of the paper itself, without the mark.
    """

    reader: Named
    reader_id: Identity
    basis: Basis
    purpose: Long
    matter: Short
    paper: Short
    digest: Twin
    size: Annotated[int, Meta(ge=0)]
    mark: Short
    at: Instant
    document_no: Short = ""
    decided_by: Short = ""


def check_request(body: Request) -> tuple[str, str]:
    """The kind and name of the matter asked about. Raises `FieldError` naming what is missing, the purpose first."""
    if not body.purpose.strip():
        raise FieldError("body.purpose", "查询、复制目的（第三十条） / the purpose of looking or copying", "空 / empty")
    if body.basis is Basis.STATE_BODY and not body.document_no.strip():
        raise FieldError("body.document_no", "国家机关文书号 / the number of the state body's document", "空 / empty")
    if body.basis is Basis.INTERESTED and not body.interest.strip():
        raise FieldError("body.interest", "利害关系说明 / what the interest is", "空 / empty")
    found = _MATTER.fullmatch(body.matter)
    if found is None or (found[4] and not is_code(found[4])):
        raise FieldError("body.matter", "application:<32 hex> | certificate:<code>", body.matter)
    check_papers(body.papers, "body.papers")
    return (found[1], found[2]) if found[1] else (found[3], found[4])


def check_papers(papers: tuple[str, ...], field: str) -> None:
    """Raises `FieldError` for a paper of no known name, or named twice."""
    for place, name in enumerate(papers):
        if not _PAPER.fullmatch(name) or name in papers[:place]:
            raise FieldError(f"{field}[{place}]", f"{FORM} | {FILE} | {RECORD} | {ATTACHMENT}<SHA-256>", name)


def entitled(body: Request, concerned: Set[str]) -> bool:
    """Is this the own file of whoever asks? `concerned` are the identity numbers of applicants and holders.

    Raises `NotEntitled` for an applicant who is none.
    """
    if body.basis is not Basis.APPLICANT:
        return False
    if body.reader_id not in concerned:
        raise NotEntitled(
            "G30", f"{body.reader_id} 不是该件的登记申请人。", f"{body.reader_id} is no applicant of this matter"
        )
    return True


def check_decision(status: Status, request: Request, decision: Decision, clerk: str, decider: str) -> None:
    """Raises unless this decides an open request: granted papers among those asked for, by another person than the
    clerk who took the request in ("" where the reader signed)."""
    if status is not Status.ASKED:
        raise GuardRefused("G30", "asked", f"该查询申请已有结论（{status.value}）。", f"it is {status.value} already")
    if not decision.reason.strip():
        raise FieldError("body.reason", "决定理由 / the reason", "空 / empty")
    if decision.granted != bool(decision.papers) or not set(decision.papers) <= set(request.papers):
        raise FieldError("body.papers", " | ".join(request.papers), ", ".join(decision.papers) or "空 / empty")
    if clerk and clerk == decider:
        raise NotEntitled("G30", "代收申请的经办人不得作出决定。", "who took the request in may not decide it")


def require_open(status: Status, granted: tuple[str, ...], paper: str, since: int, at: int) -> None:
    """Raises `GuardRefused` unless this paper may be handed out now."""
    if status is not Status.GRANTED:
        raise GuardRefused("G30", "granted", "该查询申请尚未准许。", "the request is not granted")
    if paper not in granted:
        raise GuardRefused("G30", "granted", f"未准许查询 {paper}。", f"{paper} is not among what was granted")
    if not since <= at < since + OPEN_FOR:
        raise GuardRefused(
            "G30", "in_time", "已超过准许的查询期限，请重新申请。", "the time to look is over; ask again"
        )
