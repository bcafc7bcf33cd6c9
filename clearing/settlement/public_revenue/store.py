"""Queries about non-tax revenue and the projectors that fold its facts into rows and journal transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import projecting as settlement
from clearing.settlement import tables as settlement_tables
from clearing.settlement.public_revenue import statements, tables
from clearing.settlement.public_revenue.path import State
from clearing.settlement.public_revenue.posting import posted
from clearing.settlement.public_revenue.standing import Standing, folded
from clearing.settlement.public_revenue.statements import (
    Allocation,
    Divided,
    Due,
    Payment,
    Plan,
    RefundPaid,
    Ticket,
    TicketKey,
    body_in,
    due_subject,
    id_of,
)
from ledger import store as ledger
from ledger.facts import Fact

VIEWS: tuple[Table, ...] = (tables.due, tables.ticket, tables.entry, tables.plan, tables.line)


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """A version of a plan as stored; `total` is what its lineage holds, fen."""

    plan: str
    body: Plan
    total: int
    fact: str


def standing(session: Session, due: str) -> Standing:
    """Where a due stands by its facts. Raises `UnknownFact`."""
    return _standing(session, due, None)


def _standing(session: Session, due: str, last: int | None) -> Standing:
    """By its facts up to number `last`: a rebuild has the later ones already."""
    facts = ledger.facts_of(session, due_subject(due))
    if not facts:
        raise UnknownFact("non-tax due", due[:80])
    acts = [(body_in(fact.statement), fact.id) for fact in facts if last is None or fact.statement.no <= last]
    return folded(due, acts)


def dues(session: Session, party: str | None) -> list[str]:
    """The dues a party takes part in, of everybody without one; by the order of their assessment's id."""
    table = tables.due
    query = select(table.c.id).order_by(table.c.period, table.c.id)
    if party is not None:
        sides = (table.c.authority, table.c.payer, table.c.treasury, table.c.issuer)
        query = query.where(or_(*(side == party for side in sides)))
    return list(session.scalars(query))


def due_with(session: Session, *, basis: str = "", origin: str = "", notice: str = "") -> str | None:
    """The due that was assessed by this document, follows from this fact and was not withdrawn, or has this 缴款码."""
    table = tables.due
    if basis:
        query = select(table.c.id).where(table.c.basis == basis)
    elif origin:
        query = select(table.c.id).where(table.c.origin == origin, table.c.state != State.WITHDRAWN.value)
    else:
        query = select(table.c.id).where(table.c.notice == notice)
    return session.scalars(query.limit(1)).first()


def due_of_ticket(session: Session, ticket: TicketKey) -> str | None:
    """The due this ticket was issued for."""
    table = tables.ticket
    mine = (table.c.code == ticket.code, table.c.number == ticket.number)
    return session.scalars(select(table.c.due).where(*mine)).first()


def due_of_entry(session: Session, bank: str, reference: str) -> str | None:
    """The due this bank entry paid, or paid back."""
    table = tables.entry
    return session.scalars(select(table.c.due).where(table.c.bank == bank, table.c.reference == reference)).first()


def plan(session: Session, identity: str, version: int | None = None) -> PlanVersion:
    """A version of a plan, the newest without one. Raises `UnknownFact`."""
    table = tables.plan
    query = select(table).where(table.c.plan == identity).order_by(table.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(table.c.version == version)
    row = session.execute(query).mappings().first()
    if row is None:
        raise UnknownFact("allocation plan", f"{identity[:80]} {version or ''}".strip())
    body = body_in(ledger.fact(session, row["fact_id"]).statement)
    return PlanVersion(identity, body, row["total"], row["fact_id"])


def versions(session: Session, identity: str) -> list[PlanVersion]:
    """All versions of a plan, the first first. Raises `UnknownFact`."""
    newest = plan(session, identity).body.version
    return [plan(session, identity, version) for version in range(1, newest + 1)]


def charged(session: Session, fact: str) -> bool:
    """Is this fact a taxable charge, or a meter reading that was charged?"""
    table = settlement_tables.charge
    query = select(table.c.fact_id).where(or_(table.c.fact_id == fact, table.c.reading == fact)).limit(1)
    return session.scalars(query).first() is not None


def due_rows(session: Session) -> list[dict[str, Any]]:
    """The rows of all dues, by id."""
    return [dict(row) for row in session.execute(select(tables.due).order_by(tables.due.c.id)).mappings()]


def totals(session: Session) -> dict[tuple[str, int], int]:
    """What every lineage holds by its row, fen."""
    table = tables.plan
    rows = session.execute(select(table.c.plan, table.c.version, table.c.total))
    return {(row.plan, row.version): row.total for row in rows}


def row_of(standing_: Standing) -> dict[str, Any]:
    """The row of a due."""
    due, notice = standing_.due, standing_.notice
    return {
        "id": standing_.id, "authority": due.authority, "payer": due.payer, "treasury": due.treasury,
        "issuer": due.issuer, "item": due.item, "period": due.period, "fen": due.fen, "basis": due.basis.sha256,
        "origin": due.origin, "notice": notice.code if notice else None, "state": standing_.state.value,
        "paid": standing_.paid, "ticketed": standing_.ticketed, "allocated": standing_.allocated,
        "refunded": standing_.refunded, "fact_id": standing_.fact,
    }  # fmt: skip


def _project_plan(session: Session, fact: Fact) -> None:
    body: Plan = body_in(fact.statement)
    row = {"plan": id_of(fact.subject), "version": body.version, "authority": body.authority}
    session.execute(insert(tables.plan).values(**row, total=0, fact_id=fact.id))


def _project(session: Session, fact: Fact) -> None:
    """Any act about a due: its row as it now stands, what belongs to the act, and its journal transaction."""
    body, own = body_in(fact.statement), id_of(fact.subject)
    now = _standing(session, own, fact.statement.no)
    if isinstance(body, Due):
        session.execute(insert(tables.due).values(**row_of(now)))
    else:
        session.execute(update(tables.due).where(tables.due.c.id == own).values(**row_of(now)))
    match body:
        case Payment() | RefundPaid():
            sign = 1 if isinstance(body, Payment) else -1
            row = {"bank": body.bank, "reference": body.reference, "due": own, "fen": sign * body.fen}
            session.execute(insert(tables.entry).values(**row, fact_id=fact.id))
        case Ticket():
            key = {"code": body.ticket.code, "number": body.ticket.number}
            session.execute(insert(tables.ticket).values(**key, due=own, fen=body.fen, refunded=0, fact_id=fact.id))
        case Divided():
            _divided(session, fact, body, now)
    transaction = posted(now, body, fact.id, fact.at)
    if transaction is not None:
        settlement.post(session, transaction)


def _divided(session: Session, fact: Fact, body: Divided, now: Standing) -> None:
    rows = [
        {"fact_id": fact.id, "purpose": line.code, "due": now.id, "plan": body.plan, "version": body.version,
         "budget_class": line.budget_class, "amount": line.amount}
        for line in body.lines
    ]  # fmt: skip
    session.execute(insert(tables.line), rows)
    table = tables.plan
    mine = (table.c.plan == body.plan, table.c.version == body.version)
    moved = sum(line.amount for line in body.lines)
    session.execute(update(table).where(*mine).values(total=table.c.total + moved))
    values: dict[str, Any] = {"refunded": now.issued(body.ticket).refunded}
    if isinstance(body, Allocation):
        values = {"allocation": fact.id}
    key = (tables.ticket.c.code == body.ticket.code, tables.ticket.c.number == body.ticket.number)
    session.execute(update(tables.ticket).where(*key).values(**values))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    kind: _project if move else _project_plan for kind, (_, move, _) in statements.KINDS.items()
}
