"""Folding mandates into rows, and the questions asked of them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.market.broker import tables
from clearing.market.broker.mandate import MANDATE, MANDATE_ENDING, Held, Mandate, MandateEnding, id_of, span_of
from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read


def mandate(session: Session, identity: str) -> Held:
    """The mandate with this 32-hex id. Raises `UnknownFact`."""
    row = session.execute(select(tables.mandate).where(tables.mandate.c.id == identity)).mappings().first()
    if row is None:
        raise UnknownFact("mandate", identity[:80])
    return _held(row)


def mandates(session: Session, party: str) -> list[Held]:
    """The mandates a party gave or was given, the one that ends last first."""
    table = tables.mandate
    query = select(table).where(or_(table.c.principal == party, table.c.broker == party))
    return [_held(row) for row in session.execute(query.order_by(table.c.until.desc(), table.c.id)).mappings()]


def in_force(session: Session, broker: str, principal: str, at: int) -> tuple[Held, ...]:
    """The mandates in force at `at` that this broker has from this principal."""
    table = tables.mandate
    query = select(table).where(table.c.broker == broker, table.c.principal == principal).order_by(table.c.id)
    found = [_held(row) for row in session.execute(query).mappings()]
    return tuple(held for held in found if held.in_force(at))


def _project_mandate(session: Session, fact: Fact) -> None:
    value = read(Mandate, fact.body)
    first, until = span_of(value)
    session.execute(
        insert(tables.mandate).values(
            id=id_of(fact.subject), principal=value.principal, broker=value.broker, first_at=first, until=until,
            ended_at=0, reason="", document=canonical.encode(body_of(value)).decode(),
        )
    )  # fmt: skip


def _project_ending(session: Session, fact: Fact) -> None:
    body, table = read(MandateEnding, fact.body), tables.mandate
    values = {"ended_at": fact.at, "reason": body.reason}
    session.execute(update(table).where(table.c.id == id_of(fact.subject)).values(**values))


def _held(row: RowMapping) -> Held:
    value = read(Mandate, canonical.decode(row["document"].encode()))
    return Held(row["id"], value, row["first_at"], row["until"], row["ended_at"])


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    MANDATE: _project_mandate,
    MANDATE_ENDING: _project_ending,
}
