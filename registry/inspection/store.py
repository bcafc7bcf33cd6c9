"""Requests and the log folded from facts, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger.facts import Fact
from ledger.reading import read
from registry.errors import Unknown
from registry.inspection.access import (
    DECIDED,
    INSPECTED,
    REQUESTED,
    Basis,
    Decision,
    Inspected,
    Request,
    Status,
)
from registry.inspection.tables import InspectionLogRow, InspectionRow


def _requested(session: Session, fact: Fact) -> None:
    body = read(Request, fact.body)
    # Only an applicant of the very matter gets past the service with this basis: the own file waits for nobody.
    own = body.basis is Basis.APPLICANT
    clerk = next((item.by for item in fact.signatures if item.by.startswith("staff:")), "")
    session.add(
        InspectionRow(
            id=_identity(fact), matter=body.matter, reader_id=body.reader_id, basis=body.basis.value,
            status=(Status.GRANTED if own else Status.ASKED).value, papers=" ".join(body.papers), clerk=clerk,
            decided_by="", asked_at=fact.at, since=fact.at, fact_id=fact.id,
        )
    )  # fmt: skip
    session.flush()


def _decided(session: Session, fact: Fact) -> None:
    body = read(Decision, fact.body)
    row = inspection(session, _identity(fact))
    row.status = (Status.GRANTED if body.granted else Status.REFUSED).value
    row.papers = " ".join(body.papers) if body.granted else row.papers
    row.decided_by, row.since = fact.signatures[0].by, fact.at
    session.flush()


def _inspected(session: Session, fact: Fact) -> None:
    body = read(Inspected, fact.body)
    session.add(
        InspectionLogRow(
            inspection=_identity(fact), no=fact.statement.no, matter=body.matter, reader=body.reader,
            reader_id=body.reader_id, basis=body.basis.value, purpose=body.purpose, paper=body.paper,
            sha256=body.digest.sha256, mark=body.mark, decided_by=body.decided_by, at=body.at, fact_id=fact.id,
        )
    )  # fmt: skip
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    REQUESTED: _requested,
    DECIDED: _decided,
    INSPECTED: _inspected,
}
TABLES = (InspectionRow, InspectionLogRow)


def inspection(session: Session, identity: str) -> InspectionRow:
    """A request by its id. Raises `Unknown`."""
    row = session.get(InspectionRow, identity)
    if row is None:
        raise Unknown("查询申请 / inspection", identity)
    return row


def waiting(session: Session, limit: int = 200) -> list[InspectionRow]:
    """The requests that wait for a decision, longest waiting first."""
    return list(
        session.scalars(
            select(InspectionRow)
            .where(col(InspectionRow.status) == Status.ASKED.value)
            .order_by(col(InspectionRow.asked_at), col(InspectionRow.id))
            .limit(limit)
        )
    )


def log_of(session: Session, matter: str = "", *, before: int = 2**53, limit: int = 200) -> list[InspectionLogRow]:
    """What was handed out of a matter, or of all, newest first, before an instant."""
    query = select(InspectionLogRow).where(col(InspectionLogRow.at) < before)
    if matter:
        query = query.where(col(InspectionLogRow.matter) == matter)
    order = col(InspectionLogRow.at).desc(), col(InspectionLogRow.inspection), col(InspectionLogRow.no).desc()
    return list(session.scalars(query.order_by(*order).limit(limit)))


def _identity(fact: Fact) -> str:
    return fact.subject.partition(":")[2]
