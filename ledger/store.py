"""The append-only fact table: taking in a signed statement, finding facts again, erasing a body.

Uniqueness is a constraint inside the transaction: a subject has each act number once. The outbox row is written in
the same transaction, so a fact that is stored will be integrated and a fact that is rolled back leaves no trace.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger import tables
from ledger.digest import TwinDigest, derive_salt
from ledger.errors import Conflict, Erased, FieldError, Stale, UnknownFact
from ledger.facts import Fact, Parts, Signed, Statement

_LOOKED_UP = 500
"""Facts asked for by id in one query."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The stored fact; `replayed` says that it was stored before and this call changed nothing."""

    fact: Fact
    replayed: bool


# Made once: building a statement costs more than running it, and every batch of usage runs all of these.
_NEXT_OF = (
    select(tables.fact.c.no, tables.fact.c.statement_sha256, tables.fact.c.statement_sm3)
    .where(tables.fact.c.subject == bindparam("about"))
    .order_by(tables.fact.c.no.desc())
    .limit(1)
)
_SECRET_OF = select(tables.subject_secret.c.secret).where(tables.subject_secret.c.subject == bindparam("about"))
_NEW_FACT = insert(tables.fact).returning(tables.fact.c.seq)
_NEW_PARTS, _NEW_SECRET, _NEW_TASK = insert(tables.part), insert(tables.subject_secret), insert(tables.outbox)


def append(
    session: Session,
    signed: Signed,
    *,
    at: int,
    parts: Parts | Sequence[bytes] = (),
    place: tuple[int, TwinDigest | None] | None = None,
) -> Appended:
    """Stores a signed statement as a fact, once. Signatures are the caller's to check before; `place` is what
    `next_of` told the caller in this transaction, if it asked.

    The same act again returns the first fact. Raises `Conflict` if the act number says something else already,
    `Stale` if the statement does not continue the subject's last act, `FieldError` if the parts do not match.
    """
    statement = signed.statement
    no, prev = place or next_of(session, statement.subject)
    if statement.no < no:
        # One look decides, so that a writer who was faster in between makes this a replay or a conflict, never stale.
        first = _existing(session, statement)
        if first is not None:
            return Appended(first, replayed=True)
    _require_next(statement, no, prev)
    checked = _require_parts(statement, parts)
    try:
        with session.begin_nested():
            salt = derive_salt(_secret(session, statement.subject), f"{statement.subject}#{statement.no}")
            # Read back before it is stored: a fact nobody can read again would stop every replay.
            fact = Fact.of_bytes(Fact(statement, signed.signatures, at, salt).bytes())
            _insert(session, fact)
    except IntegrityError:
        # Another writer stored this act number, or the subject's secret, between our look and our insert.
        first = _existing(session, statement)
        if first is None:
            raise
        return Appended(first, replayed=True)
    _insert_parts(session, fact, checked)
    return Appended(fact, replayed=False)


def restore(session: Session, fact: Fact, parts: Sequence[bytes] = ()) -> None:
    """Puts an exported fact back as it was (import, decisions D2). Raises `FieldError` if its parts do not match."""
    checked = _require_parts(fact.statement, parts)
    _insert(session, fact)
    _insert_parts(session, fact, checked)


def next_of(session: Session, subject: str) -> tuple[int, TwinDigest | None]:
    """Number and `prev` that the next statement about `subject` must carry."""
    row = session.execute(_NEXT_OF, {"about": subject}).first()
    if row is None:
        return 0, None
    return row.no + 1, TwinDigest(bytes.fromhex(row.statement_sha256), bytes.fromhex(row.statement_sm3))


def fact(session: Session, fact_id: str) -> Fact:
    """The fact with this id. Raises `UnknownFact` or `Erased`."""
    row = session.execute(select(tables.fact.c.bytes).where(tables.fact.c.id == fact_id)).first()
    if row is None:
        raise UnknownFact(fact_id)
    if row.bytes is None:
        raise Erased(fact_id)
    return Fact.of_bytes(row.bytes)


def facts_of(session: Session, subject: str, first: int = 0) -> list[Fact]:
    """Every fact about `subject` from act `first` on, in act order; erased ones are left out."""
    rows = session.execute(
        select(tables.fact.c.bytes)
        .where(tables.fact.c.subject == subject, tables.fact.c.no >= first, tables.fact.c.bytes.is_not(None))
        .order_by(tables.fact.c.no)
    )
    return [Fact.of_bytes(row.bytes) for row in rows]


def facts_of_kind(session: Session, *kinds: str) -> list[Fact]:
    """Every fact of these kinds in the order they were taken in; erased ones are left out."""
    rows = session.execute(
        select(tables.fact.c.bytes)
        .where(tables.fact.c.kind.in_(kinds), tables.fact.c.bytes.is_not(None))
        .order_by(tables.fact.c.seq)
    )
    return [Fact.of_bytes(row.bytes) for row in rows]


def parts_of(session: Session, fact_id: str) -> list[bytes]:
    """The parts of a fact in order. Raises `Erased` if they were erased."""
    row = session.execute(select(tables.part.c.bytes).where(tables.part.c.fact_id == fact_id)).first()
    if row is None:
        return []
    if row.bytes is None:
        raise Erased(fact_id)
    return split_parts(row.bytes)


def split_parts(data: bytes) -> list[bytes]:
    """The parts in the bytes of a `part` row."""
    return data.split(b"\n")


def placed(
    session: Session, columns: Sequence[Column[Any]], first: int = 0, end: int | None = None, batch: int = 10_000
) -> Iterator[Sequence[Any]]:
    """Id and these columns of the facts at the places first..end-1 of the log, in its order, read in slices.

    Facts enter the log nearly in the order in which they were stored. So a slice is read as a run of stored rows, which
    lie together; to look each up by its id would touch a page of the index for every one. Those that stand elsewhere
    are looked up.
    """
    fact, entry = tables.fact, tables.entry
    query = select(fact.c.id, *columns)
    places = select(entry.c.log_index, entry.c.fact_id).order_by(entry.c.log_index).limit(batch)
    if end is not None:
        places = places.where(entry.c.log_index < end)
    while entries := session.execute(places.where(entry.c.log_index >= first)).all():
        first = entries[-1].log_index + 1
        ids = [fact_id for _, fact_id in entries]
        start = select(fact.c.seq).where(fact.c.id == ids[0]).scalar_subquery()
        rows = session.execute(query.where(fact.c.seq >= start).order_by(fact.c.seq).limit(len(ids))).all()
        found = {row[0]: row for row in rows}
        elsewhere = [fact_id for fact_id in ids if fact_id not in found]
        for i in range(0, len(elsewhere), _LOOKED_UP):
            more = session.execute(query.where(fact.c.id.in_(elsewhere[i : i + _LOOKED_UP])))
            found |= {row[0]: row for row in more}
        yield from (found[fact_id] for fact_id in ids if fact_id in found)


def all_facts(session: Session, batch: int = 1_000) -> Iterator[Fact]:
    """Every fact, read in slices: those in the tree in log order, then those that wait; erased ones are left out.

    The log order is what heads prove; `seq` is operational and would let a reordering go unnoticed.
    """
    table, entry = tables.fact, tables.entry
    for _, data in placed(session, [table.c.bytes], batch=batch):
        if data is not None:
            yield Fact.of_bytes(data)
    waiting = select(table.c.seq, table.c.bytes).where(table.c.id.not_in(select(entry.c.fact_id)))
    last = -1
    while rows := session.execute(waiting.where(table.c.seq > last).order_by(table.c.seq).limit(batch)).all():
        last = rows[-1].seq
        yield from (Fact.of_bytes(data) for _, data in rows if data is not None)


def count(session: Session) -> int:
    """How many facts are stored, erased ones included."""
    return session.execute(select(func.count()).select_from(tables.fact)).scalar_one()


def erase(session: Session, fact_id: str) -> None:
    """Erases body, parts and salt secret of a fact; digest, leaf and proofs stay (decisions D2, D4)."""
    subject = session.execute(select(tables.fact.c.subject).where(tables.fact.c.id == fact_id)).scalar()
    if subject is None:
        raise UnknownFact(fact_id)
    session.execute(update(tables.fact).where(tables.fact.c.id == fact_id).values(bytes=None))
    session.execute(update(tables.part).where(tables.part.c.fact_id == fact_id).values(bytes=None))
    session.execute(tables.subject_secret.delete().where(tables.subject_secret.c.subject == subject))


def _existing(session: Session, statement: Statement) -> Fact | None:
    table = tables.fact
    row = session.execute(
        select(table.c.id, table.c.bytes, table.c.statement_sha256, table.c.statement_sm3).where(
            table.c.subject == statement.subject, table.c.no == statement.no
        )
    ).first()
    if row is None:
        return None
    digest = statement.digest()
    if (row.statement_sha256, row.statement_sm3) != (digest.sha256.hex(), digest.sm3.hex()):
        raise Conflict(statement.subject, statement.no, row.statement_sha256)
    if row.bytes is None:
        raise Erased(row.id)
    return Fact.of_bytes(row.bytes)


def _require_next(statement: Statement, no: int, prev: TwinDigest | None) -> None:
    if statement.no != no:
        raise Stale(statement.subject, "no", no, statement.no)
    if statement.prev != prev:
        expected = prev.sha256.hex() if prev else "—"
        raise Stale(statement.subject, "prev", expected, statement.prev.sha256.hex() if statement.prev else "—")


def _require_parts(statement: Statement, parts: Parts | Sequence[bytes]) -> Parts | None:
    number = len(parts.data if isinstance(parts, Parts) else parts)
    if statement.parts is None:
        if number:
            raise FieldError("statement.parts", "与所附分项一致 / the commitment to the parts sent", "缺失 / missing")
        return None
    if number != statement.parts.count:
        raise FieldError("statement.parts.count", str(number), str(statement.parts.count))
    checked = parts if isinstance(parts, Parts) else Parts.of(parts)
    if checked.commitment != statement.parts:
        raise FieldError("statement.parts.root", "与所附分项一致 / the root over the parts sent", "不一致 / differs")
    return checked


def _insert_parts(session: Session, fact: Fact, parts: Parts | None) -> None:
    if parts is not None:
        session.execute(_NEW_PARTS, {"fact_id": fact.id, "bytes": b"\n".join(parts.data)})


def _secret(session: Session, subject: str) -> bytes:
    found = session.execute(_SECRET_OF, {"about": subject}).scalar()
    if found is None:
        found = secrets.token_bytes(32)
        session.execute(_NEW_SECRET, {"subject": subject, "secret": found})
    return bytes(found)


def _insert(session: Session, fact: Fact) -> None:
    digest, stated = fact.digest(), fact.statement.digest()
    row = {
        "id": digest.sha256.hex(),
        "sm3": digest.sm3.hex(),
        "kind": fact.kind,
        "subject": fact.subject,
        "no": fact.statement.no,
        "statement_sha256": stated.sha256.hex(),
        "statement_sm3": stated.sm3.hex(),
        "at": fact.at,
        "bytes": fact.bytes(),
    }
    seq = session.execute(_NEW_FACT, row).scalar_one()
    session.execute(_NEW_TASK, {"fact_id": fact.id, "seq": seq})
