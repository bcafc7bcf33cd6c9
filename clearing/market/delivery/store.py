"""Queries about deliveries and the projector that folds their acts into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import RowMapping, Table, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market import tables as market
from clearing.market.delivery import moves, tables
from clearing.market.delivery.accepting import Told
from clearing.market.delivery.act import DELIVERY_ACT, Act, DeliveryAct, Side, act_of, id_of, subject_of
from clearing.market.delivery.moves import FINAL, Case
from ledger import canonical
from ledger import store as ledger
from ledger import tables as ledger_tables
from ledger.facts import Fact
from ledger.reading import body_of, read

VIEWS: tuple[Table, ...] = (tables.delivery, tables.act)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as stored; times are seconds UTC, parties identities, the rest as in `tables.delivery`."""

    id: str
    agreement: str
    revision: int
    provider: str
    consumer: str
    period: str
    since: int
    case: Case


@dataclass(frozen=True, slots=True)
class Done:
    """One act of a delivery as it was taken in, with what it said."""

    no: int
    act: Act
    side: Side
    at: int
    fact_id: str
    body: DeliveryAct


def delivery(session: Session, identity: str) -> DeliveryRow:
    """The delivery with this 32-hex id. Raises `UnknownFact`."""
    found = find(session, identity)
    if found is None:
        raise UnknownFact("delivery", identity[:80])
    return found


def find(session: Session, identity: str) -> DeliveryRow | None:
    """The delivery with this id, None before its first act."""
    row = session.execute(select(tables.delivery).where(tables.delivery.c.id == identity)).mappings().first()
    return _row(row) if row is not None else None


def deliveries(
    session: Session, *, party: str = "", agreement: str = "", period: str = "", open_only: bool = False
) -> list[DeliveryRow]:
    """Deliveries of a party on either side, of an agreement, of a period, or those an act may still change; the latest
    act first."""
    table = tables.delivery
    query = select(table).order_by(table.c.since.desc(), table.c.id)
    if party:
        query = query.where(or_(table.c.provider == party, table.c.consumer == party))
    if agreement:
        query = query.where(table.c.agreement == agreement)
    if period:
        query = query.where(table.c.period == period)
    if open_only:
        query = query.where(table.c.open.is_(True))
    return [_row(row) for row in session.execute(query).mappings()]


def acts_of(session: Session, identity: str) -> list[Done]:
    """The acts of a delivery in order. Raises `Erased` if a text is not there any more."""
    return [_done(fact) for fact in ledger.facts_of(session, subject_of(identity))]


def told(session: Session, agreement: str, revision: int, size: int) -> dict[str, list[Told]]:
    """The acts of every delivery under an agreement revision that are among the first `size` log entries, in order.
    Raises `Erased` if a text is not there any more."""
    act, entry = tables.act, ledger_tables.entry
    query = (
        select(act.c.delivery, act.c.fact_id)
        .join(tables.delivery, tables.delivery.c.id == act.c.delivery)
        .join(entry, entry.c.fact_id == act.c.fact_id)
        .where(tables.delivery.c.agreement == agreement, tables.delivery.c.revision == revision)
        .where(entry.c.log_index < size)
        .order_by(act.c.delivery, act.c.no)
    )
    found: dict[str, list[Told]] = {}
    for row in session.execute(query).all():
        fact = ledger.fact(session, row.fact_id)
        found.setdefault(row.delivery, []).append(Told(fact.id, fact.at, act_of(fact.statement)))
    return found


def acts_before(session: Session, before: int) -> list[tuple[str, int, Act, int]]:
    """(agreement, revision, act, second UTC) of every act taken in before that second under terms that bill by
    acceptance."""
    act, delivery, terms = tables.act, tables.delivery, market.agreement_terms
    query = (
        select(delivery.c.agreement, delivery.c.revision, act.c.act, act.c.at)
        .join(delivery, delivery.c.id == act.c.delivery)
        .join(terms, and_(terms.c.agreement == delivery.c.agreement, terms.c.revision == delivery.c.revision))
        .where(act.c.at < before, terms.c.document.contains('"billing":"ACCEPTED"', autoescape=True))
    )
    return [(row.agreement, row.revision, Act(row.act), row.at) for row in session.execute(query)]


def _done(fact: Fact) -> Done:
    body = act_of(fact.statement)
    return Done(fact.statement.no, body.act, body.side, fact.at, fact.id, body)


def _project(session: Session, fact: Fact) -> None:
    body, identity = act_of(fact.statement), id_of(fact.subject)
    before = find(session, identity)
    case = moves.moved(before.case if before else None, body, fact.at)
    values = {
        "no": fact.statement.no, "since": fact.at, "open": any(item.state not in FINAL for item in case.items),
        "case": canonical.encode(body_of(case)).decode(),
    }  # fmt: skip
    table = tables.delivery
    if before is None:
        shipment = case.shipment
        session.execute(
            insert(table).values(
                id=identity, agreement=case.agreement, revision=shipment.revision, provider=case.provider,
                consumer=case.consumer, period=shipment.period or "", **values,
            )
        )  # fmt: skip
    else:
        session.execute(update(table).where(table.c.id == identity).values(**values))
    session.execute(
        insert(tables.act).values(
            delivery=identity, no=fact.statement.no, fact_id=fact.id, act=body.act.value, side=body.side.value,
            at=fact.at,
        )
    )  # fmt: skip


def _row(row: RowMapping) -> DeliveryRow:
    return DeliveryRow(
        row["id"], row["agreement"], row["revision"], row["provider"], row["consumer"], row["period"], row["since"],
        _case(row["case"]),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _case(document: str) -> Case:
    """Cases are frozen, and the same text is the same case."""
    return read(Case, canonical.decode(document.encode()), "case")


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {DELIVERY_ACT: _project}
