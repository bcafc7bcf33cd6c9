"""What went wrong beside the requests: one open row per trouble, closed when it is put right.

Operational, no evidence. `kind` says what happened, `key` to what; the same trouble seen again refreshes its row.
Times are milliseconds of the wall clock, given by the caller; every function runs in its caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from ledger import tables

ROLLBACK: Final = "rollback"
"""The chain forgot blocks that receipts were noted from; they are read back and written again."""
CONTRACTS: Final = "contracts"
"""The contracts, or the chain itself, are not those of the deployment."""
FORK: Final = "fork"
"""The chain holds a head of this log that the database does not."""
REFUSED: Final = "refused"
"""A contract refuses one head or fact; the key is "contract/fact id"."""
FAILED: Final = "failed"
"""A step of the worker failed for another reason; the key is its name."""

LIMIT: Final = "limit"
"""Something that comes in a fixed number is nearly used up; the key says what."""

NEEDS_A_PERSON: Final = frozenset({CONTRACTS, FORK, REFUSED, FAILED, LIMIT})
"""Kinds that do not go away by waiting."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble: since when, last seen when, and when it was put right (None: still open)."""

    kind: str
    key: str
    detail: str
    at: int
    seen_at: int
    repaired_at: int | None


def report(session: Session, kind: str, key: str, detail: str, *, now: int) -> bool:
    """Opens an incident, or refreshes the open one; answers whether it is new."""
    table = tables.incident
    same = (table.c.kind == kind, table.c.key == key, table.c.repaired_at.is_(None))
    known = session.execute(select(table.c.id).where(*same)).first()
    if known is not None:
        session.execute(update(table).where(table.c.id == known.id).values(detail=detail, seen_at=now))
        return False
    session.execute(insert(table).values(kind=kind, key=key, detail=detail, at=now, seen_at=now))
    return True


def repair(session: Session, kind: str, key: str, *, now: int) -> None:
    """Closes the open incident of this kind and key, if there is one."""
    table = tables.incident
    same = (table.c.kind == kind, table.c.key == key, table.c.repaired_at.is_(None))
    session.execute(update(table).where(*same).values(repaired_at=now))


def open_ones(session: Session) -> list[Incident]:
    """What is not put right yet, oldest first."""
    table = tables.incident
    return _read(session, select(table).where(table.c.repaired_at.is_(None)).order_by(table.c.id))


def latest(session: Session, limit: int) -> list[Incident]:
    """The newest ones, open or not, newest first."""
    return _read(session, select(tables.incident).order_by(tables.incident.c.id.desc()).limit(limit))


def _read(session: Session, query: Select[Any]) -> list[Incident]:
    return [
        Incident(row.kind, row.key, row.detail, row.at, row.seen_at, row.repaired_at) for row in session.execute(query)
    ]
