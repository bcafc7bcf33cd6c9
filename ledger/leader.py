"""One process at a time does what must not be done twice: a lease in the database, renewed while its worker lives.

The row's `term` grows each time the lease changes hands, so a worker that slept through its lease is found out by the
next transaction it opens, not by its clock (a fencing token). Clocks only decide how soon a dead worker is replaced:
`now` and `until` are milliseconds of the wall clock, given by the caller. Every function runs in its caller's write
transaction; writers come one by one on both databases, so two claims cannot cross.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ledger import tables
from ledger.errors import NotLeader


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may act under `name`, in which term, until when (milliseconds)."""

    name: str
    worker: str
    term: int
    until: int


def current(session: Session, name: str) -> Lease | None:
    """The lease as stored, expired or not; None if nobody ever held it."""
    row = session.execute(select(tables.leader).where(tables.leader.c.name == name)).first()
    return Lease(row.name, row.worker, row.term, row.until) if row else None


def claim(session: Session, name: str, worker: str, *, now: int, lasts: int) -> Lease | None:
    """The lease for `lasts` milliseconds if it is free or has run out, else None."""
    held = current(session, name)
    if held is not None and held.until > now:
        return None
    taken = Lease(name, worker, held.term + 1 if held else 1, now + lasts)
    values = {"name": name, "worker": worker, "term": taken.term, "until": taken.until}
    if held is None:
        session.execute(insert(tables.leader).values(values))
    else:
        session.execute(update(tables.leader).where(tables.leader.c.name == name).values(values))
    return taken


def renew(session: Session, lease: Lease, *, now: int, lasts: int) -> Lease:
    """The same lease for longer, also when it had run out and nobody took it. Raises `NotLeader`."""
    require(session, lease)
    return _until(session, lease, now + lasts)


def release(session: Session, lease: Lease) -> None:
    """Gives the lease back at once; does nothing if somebody else has it."""
    if _ours(current(session, lease.name), lease):
        _until(session, lease, 0)


def require(session: Session, lease: Lease) -> None:
    """Raises `NotLeader` if the lease has passed to somebody else."""
    held = current(session, lease.name)
    if not _ours(held, lease):
        raise NotLeader(lease.name, held.worker if held else "")


def _ours(held: Lease | None, lease: Lease) -> bool:
    return held is not None and (held.worker, held.term) == (lease.worker, lease.term)


def _until(session: Session, lease: Lease, until: int) -> Lease:
    session.execute(update(tables.leader).where(tables.leader.c.name == lease.name).values(until=until))
    return Lease(lease.name, lease.worker, lease.term, until)
