"""The life of an entry, as three words.

A fact and its outbox row are written in one transaction; `ledger.log` empties the outbox into the tree;
`ledger.anchoring` publishes heads. A process may die between any two of these and be started again.
"""

from __future__ import annotations

from enum import Enum

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from ledger import tables

HEADS = "EvidenceLog"


class State(Enum):
    """How far an entry has come, and what is lost if the process dies there: nothing, from the first state on."""

    SEQUENCED = "sequenced"
    """Stored with its fact in one transaction, not yet in the tree; the next integration takes it up."""
    INTEGRATED = "integrated"
    """Has a leaf and a place in the tree; the next head will cover it."""
    PUBLISHED = "published"
    """Covered by a head that k witnesses cosigned and that stands on the chain."""


def state_of(session: Session, fact_id: str) -> State | None:
    """The state of a fact's entry, or None if there is no such fact."""
    index = session.execute(select(tables.entry.c.log_index).where(tables.entry.c.fact_id == fact_id)).scalar()
    if index is None:
        stored = session.execute(select(tables.fact.c.id).where(tables.fact.c.id == fact_id)).first()
        return State.SEQUENCED if stored else None
    return State.PUBLISHED if index < published_size(session) else State.INTEGRATED


def head_key(size: int) -> str:
    """The key under which a head's chain receipt is kept; sorts like the size."""
    return f"head:{size:020d}"


def size_of(key: str) -> int:
    """The size in a head's key."""
    return int(key.removeprefix("head:"))


def published_size(session: Session) -> int:
    """Size of the largest head that stands on the chain; 0 before the first."""
    table = tables.chain_receipt
    key = session.execute(select(func.max(table.c.key)).where(table.c.contract == HEADS)).scalar()
    return size_of(key) if key else 0


def waiting(session: Session, limit: int) -> list[tuple[str, str]]:
    """Both digests (hex; SHA-256 is the id) of facts not yet in the tree, oldest first."""
    table, fact = tables.outbox, tables.fact
    rows = session.execute(
        select(fact.c.id, fact.c.sm3)
        .join(table, table.c.fact_id == fact.c.id)
        .order_by(table.c.seq)
        .limit(limit)
    )  # fmt: skip
    return [(row.id, row.sm3) for row in rows]


def backlog(session: Session) -> int:
    """How many facts wait for integration."""
    return session.execute(select(func.count()).select_from(tables.outbox)).scalar_one()


def oldest(session: Session) -> int | None:
    """When the fact that waits longest for integration was taken in (seconds UTC), or None."""
    first = select(func.min(tables.outbox.c.seq)).scalar_subquery()
    query = select(tables.fact.c.at).join(tables.outbox, tables.outbox.c.fact_id == tables.fact.c.id)
    return session.execute(query.where(tables.outbox.c.seq == first)).scalar()


def take(session: Session, fact_ids: list[str], first_index: int) -> None:
    """Gives the facts the next places in the log, in this transaction."""
    if fact_ids:
        session.execute(
            insert(tables.entry), [{"log_index": first_index + i, "fact_id": id_} for i, id_ in enumerate(fact_ids)]
        )
        taken = select(tables.entry.c.fact_id).where(tables.entry.c.log_index >= first_index)
        session.execute(delete(tables.outbox).where(tables.outbox.c.fact_id.in_(taken)))
