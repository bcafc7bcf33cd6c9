"""Folding applications for free products into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.gratis import moves, tables
from clearing.market.gratis.moves import Case, State
from clearing.market.gratis.request import GRATIS_MOVE, GRATIS_REQUEST, GratisMove, GratisRequest, id_of
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read


@dataclass(frozen=True, slots=True)
class RequestRow:
    """An application as it stands."""

    id: str
    value: GratisRequest
    case: Case


def request(session: Session, identity: str) -> RequestRow:
    """The application with this 32-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.request).where(tables.request.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("gratis request", identity[:80])
    return _row(row)


def requests(session: Session, party: str = "") -> list[RequestRow]:
    """Applications of a party on either side, or all; newest state first."""
    table = tables.request
    query = select(table).order_by(table.c.since.desc(), table.c.id)
    if party:
        query = query.where(or_(table.c.applicant == party, table.c.provider == party))
    return [_row(row) for row in session.execute(query).mappings()]


def expiring(session: Session, at: int) -> list[RequestRow]:
    """Grants that have run out by `at`."""
    table = tables.request
    query = select(table).where(table.c.state == State.GRANTED.value, table.c.until <= at).order_by(table.c.id)
    return [_row(row) for row in session.execute(query).mappings()]


def _project_request(session: Session, fact: Fact) -> None:
    value = read(GratisRequest, fact.body)
    row = RequestRow(id_of(fact.subject), value, moves.applied(value, fact.at))
    session.execute(insert(tables.request).values(_columns(row)))


def _project_move(session: Session, fact: Fact) -> None:
    row = request(session, id_of(fact.subject))
    after = RequestRow(row.id, row.value, moves.moved(row.case, read(GratisMove, fact.body), fact.at))
    session.execute(update(tables.request).where(tables.request.c.id == row.id).values(_columns(after)))


def _columns(row: RequestRow) -> dict[str, Any]:
    value, case = row.value, row.case
    return {
        "id": row.id, "state": case.state.value, "since": case.since, "until": case.until,
        "applicant": value.applicant, "provider": value.provider, "listing": value.listing,
        "document": canonical.encode(body_of(value)).decode(), "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip


def _row(row: RowMapping) -> RequestRow:
    value = read(GratisRequest, canonical.decode(row["document"].encode()))
    return RequestRow(row["id"], value, read(Case, canonical.decode(row["case"].encode()), "case"))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    GRATIS_REQUEST: _project_request,
    GRATIS_MOVE: _project_move,
}
