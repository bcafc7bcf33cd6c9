"""Foreign certificates folded from facts, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger.facts import Fact
from ledger.reading import read
from registry.errors import Unknown
from registry.foreign.check import CHECKED, ForeignCheck, ForeignState
from registry.foreign.link import LINKED, ForeignLink
from registry.foreign.paper import FOREIGN, ForeignPaper, PaperType
from registry.foreign.tables import ForeignLinkRow, ForeignRow


def _imported(session: Session, fact: Fact) -> None:
    body = read(ForeignPaper, fact.body)
    session.add(
        ForeignRow(
            id=fact.subject.partition(":")[2], issuer=body.issuer, issuer_name=body.issuer_name,
            paper_type=body.paper_type.value, number=body.number, version=body.version, holder_name=body.holder_name,
            holder_id=body.holder_id, data_name=body.data_name, valid_until=body.valid_until or "",
            state=ForeignState.IMPORTED.value, method="", as_of=0, evidence="", evidence_sm3="",
            imported_at=fact.at, fact_id=fact.id, check_id="",
        )
    )  # fmt: skip
    session.flush()


def _checked(session: Session, fact: Fact) -> None:
    body = read(ForeignCheck, fact.body)
    row = foreign(session, fact.subject.partition(":")[2])
    row.state, row.method, row.as_of = body.result.value, body.method.value, body.as_of
    row.evidence, row.evidence_sm3, row.check_id = body.evidence.sha256, body.evidence.sm3, fact.id
    row.valid_until = body.valid_until or row.valid_until
    session.flush()


def _linked(session: Session, fact: Fact) -> None:
    body = read(ForeignLink, fact.body)
    if session.get(ForeignLinkRow, (body.application, body.foreign)) is None:
        no = fact.statement.no
        session.add(ForeignLinkRow(application=body.application, foreign=body.foreign, no=no, fact_id=fact.id))
        session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {FOREIGN: _imported, CHECKED: _checked, LINKED: _linked}
TABLES = (ForeignRow, ForeignLinkRow)


def foreign(session: Session, identity: str) -> ForeignRow:
    """A foreign certificate by its id. Raises `Unknown`."""
    row = session.get(ForeignRow, identity)
    if row is None:
        raise Unknown("外部凭证 / foreign certificate", identity)
    return row


def numbered(session: Session, number: str, paper_type: PaperType | None = None) -> list[ForeignRow]:
    """The foreign certificates with this number, of one kind or of any."""
    query = select(ForeignRow).where(col(ForeignRow.number) == number)
    if paper_type is not None:
        query = query.where(col(ForeignRow.paper_type) == paper_type.value)
    return list(session.scalars(query.order_by(col(ForeignRow.id))))


def linked(session: Session, application: str) -> list[ForeignRow]:
    """The foreign certificates an application names, in the order they were named."""
    return list(
        session.scalars(
            select(ForeignRow)
            .join(ForeignLinkRow, col(ForeignLinkRow.foreign) == col(ForeignRow.id))
            .where(col(ForeignLinkRow.application) == application)
            .order_by(col(ForeignLinkRow.no))
        )
    )
