"""Queries about disputes and the projector that folds their acts into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import RowMapping, Table, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement.dispute import opening, tables
from clearing.settlement.dispute.opening import DISPUTE_ACT, Dispute, act_of, id_of
from ledger import canonical
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import body_of, read

VIEWS: tuple[Table, ...] = (tables.dispute,)


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute as stored."""

    id: str
    case: Dispute


def dispute(session: Session, identity: str) -> DisputeRow:
    """The dispute with this 32-hex id. Raises `UnknownFact`."""
    found = find(session, identity)
    if found is None:
        raise UnknownFact("dispute", identity[:80])
    return found


def find(session: Session, identity: str) -> DisputeRow | None:
    """The dispute with this id, None before its first act."""
    row = session.execute(select(tables.dispute).where(tables.dispute.c.id == identity)).mappings().first()
    return _row(row) if row is not None else None


def disputes(session: Session, party: str) -> list[DisputeRow]:
    """The disputes of a party on either side, the latest act first."""
    table = tables.dispute
    query = select(table).where(or_(table.c.filer == party, table.c.respondent == party))
    return [_row(row) for row in session.execute(query.order_by(table.c.since.desc(), table.c.id)).mappings()]


def disputed(session: Session, charge: str) -> int:
    """What of a charge is disputed by disputes that run, fen gross."""
    running = select(tables.dispute).where(tables.dispute.c.state.in_([state.value for state in opening.RUNNING]))
    cases = [_row(row).case for row in session.execute(running).mappings()]
    return sum(case.complaint.amount or 0 for case in cases if case.complaint.charge == charge)


def upheld(session: Session) -> list[tuple[str, int, str]]:
    """(charge, fen gross given back, fact id of the act that ended it) of every dispute of which something was upheld,
    in order of its end."""
    found = []
    for row in session.execute(select(tables.dispute).order_by(tables.dispute.c.since, tables.dispute.c.id)).mappings():
        case = _row(row).case
        if case.over and case.complaint.charge is not None and case.upheld:
            last = facts.facts_of(session, opening.subject_of(row["id"]))[-1]
            found.append((case.complaint.charge, case.upheld, last.id))
    return found


def _row(row: RowMapping) -> DisputeRow:
    return DisputeRow(row["id"], read(Dispute, canonical.decode(row["case"].encode()), "case"))


def _project(session: Session, fact: Fact) -> None:
    body, identity = act_of(fact.statement), id_of(fact.subject)
    before = find(session, identity)
    case = opening.moved(before.case if before else None, body, fact.at)
    values = {
        "state": case.state.value, "no": fact.statement.no, "since": fact.at,
        "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip
    if before is None:
        parties = {"agreement": case.agreement, "filer": case.filer, "respondent": case.respondent}
        session.execute(insert(tables.dispute).values(id=identity, **parties, **values))
    else:
        session.execute(update(tables.dispute).where(tables.dispute.c.id == identity).values(**values))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {DISPUTE_ACT: _project}
