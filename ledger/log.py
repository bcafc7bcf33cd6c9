"""The log: facts become leaves of the twin tree, the tree gets signed heads, and any leaf can be proved.

Only hashes of complete subtrees are stored (`node`), each written once; a leaf, a head or a proof costs O(log n) reads
whatever the size. `integrate` and `seal` are each one transaction of their caller.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from ledger import merkle, outbox, tables
from ledger.checkpoint import Checkpoint, LogKeys, parse, sign_note
from ledger.digest import TwinDigest
from ledger.errors import BrokenLog, UnknownFact


@dataclass(frozen=True, slots=True)
class Head:
    """A signed tree head as stored: the checkpoint, its signed note and how many witnesses cosigned it."""

    checkpoint: Checkpoint
    note: str
    witnesses: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a fact stands in the tree of `size` leaves, and the path that proves it."""

    index: int
    size: int
    path: list[TwinDigest]


def size(session: Session) -> int:
    """Number of leaves in the tree."""
    return int(session.execute(select(func.coalesce(func.max(tables.entry.c.log_index) + 1, 0))).scalar_one())


def reader(session: Session) -> merkle.Read:
    """Reads stored nodes, remembering what it has read."""
    seen: dict[tuple[int, int], TwinDigest] = {}

    def read(level: int, position: int) -> TwinDigest:
        key = (level, position)
        if key not in seen:
            row = session.execute(
                select(tables.node.c.sha256, tables.node.c.sm3).where(
                    tables.node.c.level == level, tables.node.c.position == position
                )
            ).first()
            if row is None:
                raise BrokenLog(f"缺少节点 {level}/{position}。 / Node {level}/{position} is missing.")
            seen[key] = TwinDigest(bytes.fromhex(row.sha256), bytes.fromhex(row.sm3))
        return seen[key]

    return read


def integrate(session: Session, limit: int = 5_000) -> int:
    """Moves waiting facts into the tree, oldest first; returns how many. One writer at a time."""
    ids = outbox.waiting(session, limit)
    if not ids:
        return 0
    first = size(session)
    rows = session.execute(select(tables.fact.c.id, tables.fact.c.sm3).where(tables.fact.c.id.in_(ids))).all()
    sm3_of = {row.id: row.sm3 for row in rows}
    outbox.take(session, ids, first)
    grow(session, first, [TwinDigest(bytes.fromhex(id_), bytes.fromhex(sm3_of[id_])) for id_ in ids])
    return len(ids)


def grow(session: Session, first: int, digests: list[TwinDigest]) -> None:
    """Stores the leaf hashes of `digests` from index `first` on, and every subtree they complete."""
    read = reader(session)
    fresh: dict[tuple[int, int], TwinDigest] = {}

    def node(level: int, position: int) -> TwinDigest:
        return fresh[level, position] if (level, position) in fresh else read(level, position)

    for offset, digest in enumerate(digests):
        level, position = 0, first + offset
        fresh[level, position] = merkle.leaf_hash(digest)
        while position & 1:
            parent = merkle.node_hash(node(level, position - 1), node(level, position))
            level, position = level + 1, position >> 1
            fresh[level, position] = parent
    session.execute(
        insert(tables.node),
        [
            {"level": level, "position": position, "sha256": value.sha256.hex(), "sm3": value.sm3.hex()}
            for (level, position), value in fresh.items()
        ],
    )


def rebuild(session: Session) -> int:
    """Throws the stored nodes away and computes them again from the facts in log order; returns how many leaves."""
    rows = session.execute(
        select(tables.entry.c.fact_id, tables.fact.c.sm3)
        .join(tables.fact, tables.fact.c.id == tables.entry.c.fact_id)
        .order_by(tables.entry.c.log_index)
    ).all()
    session.execute(tables.node.delete())
    if rows:
        grow(session, 0, [TwinDigest(bytes.fromhex(row.fact_id), bytes.fromhex(row.sm3)) for row in rows])
    return len(rows)


def seal(session: Session, keys: LogKeys, *, at: int) -> Head | None:
    """Signs a head over the whole tree if it has grown since the last one; returns it, or None."""
    current = size(session)
    last = latest(session)
    if current == (last.checkpoint.size if last else 0):
        return None
    checkpoint = Checkpoint(keys.origin, current, merkle.root(reader(session), current), at)
    note = sign_note(checkpoint, keys)
    store_head(session, Head(checkpoint, note, 0))
    return Head(checkpoint, note, 0)


def store_head(session: Session, head: Head) -> None:
    """Stores a signed head; its columns repeat what its note says."""
    session.execute(
        insert(tables.head).values(
            size=head.checkpoint.size,
            sha256=head.checkpoint.root.sha256.hex(),
            sm3=head.checkpoint.root.sm3.hex(),
            at=head.checkpoint.at,
            note=head.note,
            witnesses=head.witnesses,
        )
    )


def cosigned(session: Session, size_: int, note: str, witnesses: int) -> None:
    """Replaces the note of a head by the same note with witness lines added."""
    session.execute(tables.head.update().where(tables.head.c.size == size_).values(note=note, witnesses=witnesses))


def latest(session: Session) -> Head | None:
    """The newest head."""
    return _head(session, select(tables.head).order_by(tables.head.c.size.desc()).limit(1))


def head_at(session: Session, size_: int) -> Head | None:
    """The head of exactly this size."""
    return _head(session, select(tables.head).where(tables.head.c.size == size_))


def heads(session: Session) -> list[Head]:
    """All heads, smallest first."""
    rows = session.execute(select(tables.head.c.note, tables.head.c.witnesses).order_by(tables.head.c.size))
    return [Head(parse(row.note)[0], row.note, row.witnesses) for row in rows]


def index_of(session: Session, fact_id: str) -> int:
    """The fact's place in the log. Raises `UnknownFact` if it has none yet."""
    index = session.execute(select(tables.entry.c.log_index).where(tables.entry.c.fact_id == fact_id)).scalar()
    if index is None:
        raise UnknownFact(fact_id)
    return int(index)


def prove(session: Session, fact_id: str, size_: int) -> Inclusion:
    """Inclusion proof of a fact in the tree of `size_` leaves."""
    index = index_of(session, fact_id)
    return Inclusion(index, size_, merkle.inclusion_path(reader(session), index, size_))


def consistency(session: Session, first: int, second: int) -> list[TwinDigest]:
    """Proof that the tree of `second` leaves extends that of `first`."""
    return merkle.consistency_path(reader(session), first, second)


def _head(session: Session, query: object) -> Head | None:
    row = session.execute(query).first()  # type: ignore[call-overload]
    return Head(parse(row.note)[0], row.note, row.witnesses) if row else None
