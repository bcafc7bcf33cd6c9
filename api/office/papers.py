"""The papers of a case for whoever looks: those of its form, of its moves and of its objections, with where to open
them. The agency opens what anybody handed in for the case, everybody else only their own; each look is noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlmodel import Session

from api.office.history import Line
from api.sessions import Visitor
from ledger.reading import read
from registry.case import Case
from registry.form import Attachment
from registry.intake.attachment import Paper, holders_of
from registry.intake.store import papers_with
from registry.objection import OBJECTION
from registry.party import party_subject


@dataclass(frozen=True, slots=True)
class Listed:
    """One paper: what it came with, what is stated of it, and its id in the store ("": not here, or not for them)."""

    of: str
    paper: Attachment
    id: str


def listed(session: Session, visitor: Visitor, case: Case, lines: Iterable[Line]) -> list[Listed]:
    """Every paper this person may know of, those of the form first."""
    known = list(lines)
    is_agency = visitor.organisation == case.form.agency
    named = [*_of_form(case), *_of_lines(known, with_objections=is_agency)]
    holders = {party_subject(visitor.organisation)}
    if is_agency:
        holders |= holders_of(case.form) | {by for line in known for by, _ in line.signers if by.startswith("party:")}
    kept = papers_with(session, holders, {paper.digest.sha256 for _, paper in named})
    return [Listed(of, paper, _id(paper, kept)) for of, paper in named]


def openable(
    session: Session, visitor: Visitor, agency: str, concerned: Iterable[str], named: Iterable[tuple[str, Attachment]]
) -> list[Listed]:
    """Papers of an objection after registration, opened by the agency or by who handed them in."""
    known = list(named)
    holders = set(concerned) if visitor.organisation == agency else {party_subject(visitor.organisation)}
    kept = papers_with(session, holders, {paper.digest.sha256 for _, paper in known})
    return [Listed(of, paper, _id(paper, kept)) for of, paper in known]


def _of_form(case: Case) -> Iterator[tuple[str, Attachment]]:
    for paper in case.form.attachments:
        yield "申请表", paper


def _of_lines(lines: Iterable[Line], *, with_objections: bool) -> Iterator[tuple[str, Attachment]]:
    for line in lines:
        if line.kind != OBJECTION or with_objections:
            for place, paper in enumerate(line.body.get("papers") or ()):
                yield line.name, read(Attachment, paper, f"papers[{place}]")


def _id(paper: Attachment, kept: Iterable[Paper]) -> str:
    """The record with these bytes; of several the one under this kind and name."""
    same = [item for item in kept if item.attachment().digest == paper.digest and item.size == paper.size]
    best = [item for item in same if (item.kind, item.name) == (paper.kind, paper.name)]
    return next((item.id for item in (*best, *same)), "")
