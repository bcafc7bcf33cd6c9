"""Queries about service orders and the projectors that fold their facts into rows and journal transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import RowMapping, Table, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import projecting as settlement
from clearing.settlement.service_order import statements, tables
from clearing.settlement.service_order.clocks import Invoiced, payment_due
from clearing.settlement.service_order.posting import paid, posted
from clearing.settlement.service_order.statements import (
    CycleAccepted,
    CycleInvoiced,
    CyclePaid,
    CycleSettled,
    IncidentFound,
    Placed,
    body_in,
    id_of,
)
from ledger import store as ledger
from ledger.facts import Fact
from ledger.reading import read

VIEWS: tuple[Table, ...] = (tables.contract, tables.order, tables.month, tables.incident, tables.cycle)


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A contract as stored: its terms and the fact that states them."""

    id: str
    terms: statements.Contract
    fact_id: str


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A 项目周期 as stored; `pay` in fen and `due` in seconds UTC once there are any. `payment` is the fact that says
    it was paid, by the entry `reference` of `bank`, booked on the day `paid_on`."""

    contract: str
    cycle: str
    first: str
    last: str
    accepted_at: int
    acceptance: str
    settlement: str | None
    pay: int | None
    invoice: str | None
    due: int | None
    payment: str | None
    bank: str | None
    reference: str | None
    paid_on: str | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A 服务单 as stored; `settled` names the 项目周期 that settled it."""

    id: str
    contract: str
    name: str
    settled: str | None


def contract(session: Session, identity: str) -> ContractRow:
    """The contract with this 32-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.contract).where(tables.contract.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("service contract", identity[:80])
    fact = ledger.fact(session, row["fact_id"])
    return ContractRow(row["id"], read(statements.Contract, fact.body), row["fact_id"])


def contracts(session: Session, party: str) -> list[str]:
    """The contracts a party takes part in, by id."""
    table = tables.contract
    mine = or_(table.c.buyer == party, table.c.provider == party, table.c.supervisor == party)
    return list(session.scalars(select(table.c.id).where(mine).order_by(table.c.id)))


def order(session: Session, identity: str) -> OrderRow:
    """The order with this 32-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.order).where(tables.order.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("service order", identity[:80])
    return OrderRow(**row)


def orders(session: Session, contract_: str) -> list[OrderRow]:
    """All orders of a contract, by id."""
    query = select(tables.order).where(tables.order.c.contract == contract_).order_by(tables.order.c.id)
    return [OrderRow(**row) for row in session.execute(query).mappings()]


def month_facts(session: Session, contract_: str, last: str) -> list[Fact]:
    """Scores and waivers of the months up to `last`, in their order."""
    table = tables.month
    query = select(table.c.month).where(table.c.contract == contract_, table.c.month <= last).order_by(table.c.month)
    names = session.scalars(query).all()
    return [fact for name in names for fact in ledger.facts_of(session, f"service-month:{contract_}.{name}")]


def incidents_unsettled(session: Session, contract_: str) -> list[str]:
    """Fact ids of incidents no settlement has counted yet, by what happened."""
    table = tables.incident
    query = select(table.c.fact_id).where(table.c.contract == contract_, table.c.settled.is_(None))
    return list(session.scalars(query.order_by(table.c.fact)))


def facts_about(session: Session, contract_: str) -> list[Fact]:
    """Every fact about a contract, each subject's in their order. Raises `UnknownFact`."""
    found = [ledger.fact(session, contract(session, contract_).fact_id)]
    subjects = [f"service-order:{order.id}" for order in orders(session, contract_)]
    subjects += [f"project-cycle:{contract_}.{row.cycle}" for row in cycles(session, contract_)]
    found += [fact for subject in subjects for fact in ledger.facts_of(session, subject)]
    query = select(tables.incident.c.fact_id).where(tables.incident.c.contract == contract_)
    names = session.scalars(query.order_by(tables.incident.c.fact)).all()
    return [*found, *(ledger.fact(session, name) for name in names), *month_facts(session, contract_, "9999-12")]


def all_contracts(session: Session) -> list[str]:
    """Every contract, by id."""
    return list(session.scalars(select(tables.contract.c.id).order_by(tables.contract.c.id)))


def cycles(session: Session, contract_: str = "") -> list[CycleRow]:
    """The 项目周期 of a contract, or of all, the earliest first."""
    table = tables.cycle
    query = select(table).order_by(table.c.contract, table.c.first)
    if contract_:
        query = query.where(table.c.contract == contract_)
    return [_cycle(row) for row in session.execute(query).mappings()]


def cycle(session: Session, contract_: str, name: str) -> CycleRow:
    """One 项目周期. Raises `UnknownFact`."""
    found = [row for row in cycles(session, contract_) if row.cycle == name]
    if not found:
        raise UnknownFact("project cycle", f"{contract_}.{name}"[:120])
    return found[0]


def before(session: Session, row: CycleRow) -> CycleRow | None:
    """The 项目周期 before this one, None for the first of a contract."""
    earlier = [other for other in cycles(session, row.contract) if other.first < row.first]
    return earlier[-1] if earlier else None


def paid_by(session: Session, bank: str, reference: str) -> str | None:
    """The 项目周期 that a bank entry paid, "⟨contract⟩.⟨cycle⟩"."""
    table = tables.cycle
    query = select(table.c.contract, table.c.cycle).where(table.c.bank == bank, table.c.reference == reference)
    row = session.execute(query).first()
    return None if row is None else f"{row.contract}.{row.cycle}"


def _cycle(row: RowMapping) -> CycleRow:
    return CycleRow(**row)


def _project_contract(session: Session, fact: Fact) -> None:
    body: statements.Contract = body_in(fact.statement)
    values = {"buyer": body.buyer, "provider": body.provider, "supervisor": body.supervisor}
    session.execute(insert(tables.contract).values(id=body.contract, fact_id=fact.id, **values))


def _project_order(session: Session, fact: Fact) -> None:
    body: Placed = body_in(fact.statement)
    row = {"id": id_of(fact.subject), "contract": body.contract, "name": body.name}
    session.execute(insert(tables.order).values(**row))


def _project_month(session: Session, fact: Fact) -> None:
    body: statements.MonthlyScore = body_in(fact.statement)
    session.execute(insert(tables.month).values(contract=body.contract, month=body.month, fact_id=fact.id))


def _project_incident(session: Session, fact: Fact) -> None:
    body: IncidentFound = body_in(fact.statement)
    session.execute(insert(tables.incident).values(contract=body.contract, fact=body.fact, fact_id=fact.id))


def _project_acceptance(session: Session, fact: Fact) -> None:
    body: CycleAccepted = body_in(fact.statement)
    session.execute(
        insert(tables.cycle).values(
            contract=body.contract, cycle=body.cycle, first=body.first, last=body.last, accepted_at=fact.at,
            acceptance=fact.id,
        )
    )  # fmt: skip


def _project_settlement(session: Session, fact: Fact) -> None:
    body: CycleSettled = body_in(fact.statement)
    _of_cycle(session, body, settlement=fact.id, pay=body.settlement.pay)
    done = [line.order for line in body.settlement.orders if not line.held]
    session.execute(update(tables.order).where(tables.order.c.id.in_(done)).values(settled=body.cycle))
    counted = [item.fact for item in body.settlement.incidents]
    table = tables.incident
    mine = (table.c.contract == body.contract, table.c.fact.in_(counted))
    session.execute(update(table).where(*mine).values(settled=body.cycle))
    last = before(session, cycle(session, body.contract, body.cycle))
    for transaction in posted(body, last.cycle if last else "", fact.id, fact.at):
        settlement.post(session, transaction)


def _project_invoice(session: Session, fact: Fact) -> None:
    body: CycleInvoiced = body_in(fact.statement)
    row, terms = cycle(session, body.contract, body.cycle), contract(session, body.contract).terms
    due = payment_due(row.pay or 0, row.accepted_at, Invoiced(body.fen, fact.at), terms.scheme)
    _of_cycle(session, body, invoice=fact.id, due=due.due)


def _project_payment(session: Session, fact: Fact) -> None:
    body: CyclePaid = body_in(fact.statement)
    _of_cycle(session, body, payment=fact.id, bank=body.bank, reference=body.reference, paid_on=body.booked_on)
    settlement.post(session, paid(body, fact.id, fact.at))


def _of_cycle(session: Session, body: CycleSettled | CycleInvoiced | CyclePaid, **values: str | int | None) -> None:
    table = tables.cycle
    mine = (table.c.contract == body.contract, table.c.cycle == body.cycle)
    session.execute(update(table).where(*mine).values(**values))


def _nothing(session: Session, fact: Fact) -> None:
    """Kinds read from their subject's facts: no row of their own."""


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    statements.SERVICE_SCHEME: _project_contract,
    statements.SERVICE_ORDER: _project_order,
    statements.ORDER_SCORE: _nothing,
    statements.ORDER_ACCEPTANCE: _nothing,
    statements.ORDER_ZEROED: _nothing,
    statements.MONTHLY_SCORE: _project_month,
    statements.WAIVER: _nothing,
    statements.INCIDENT: _project_incident,
    statements.PROJECT_ACCEPTANCE: _project_acceptance,
    statements.PROJECT_SETTLEMENT: _project_settlement,
    statements.PROJECT_INVOICE: _project_invoice,
    statements.PROJECT_PAYMENT: _project_payment,
}
