"""The log: facts become leaves of the twin tree, the tree gets signed heads, and any leaf can be proved.

The tree is stored as tiles (`ledger.tiles`), one row each: the pages of the database are the tiles on disk, so a batch
of leaves and its places in the log stand or fall in one transaction. A batch rewrites the right edge and adds full
tiles; a head or proof reads one tile of each level and the edge, whatever the size. `integrate` and `seal` are each one
transaction of their caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from ledger import merkle, outbox, store, tables, tiles
from ledger.checkpoint import Checkpoint, LogKeys, parse, sign_note
from ledger.digest import TwinDigest
from ledger.errors import UnknownFact
from ledger.merkle import Flat
from ledger.tiles import Address, Edge, Tile

CHUNK = 10_000
"""Leaves read at once where all of them are read."""


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
    """Reads hashes of complete subtrees from the stored tiles, remembering what it has read."""
    return tiles.reader(partial(load, session))


def load(session: Session, level: int, position: int) -> Flat:
    """The hashes of a stored tile. Raises `BrokenLog` if it is not there or is no tile."""
    table = tables.tile
    row = session.execute(
        select(table.c.sha256, table.c.sm3).where(table.c.level == level, table.c.position == position)
    ).first()
    if row is None:
        raise tiles.missing(level, position, f"1…{tiles.WIDTH}", 0)
    if not all(isinstance(side, bytes) for side in row) or len(row.sha256) != len(row.sm3) or len(row.sm3) % 32:
        raise tiles.missing(level, position, f"1…{tiles.WIDTH}", "无法读取的内容 / content that cannot be read")
    return row.sha256, row.sm3


def integrate(session: Session, limit: int = 5_000) -> int:
    """Moves waiting facts into the tree, oldest first; returns how many. One writer at a time."""
    waiting = outbox.waiting(session, limit)
    if waiting:
        first = size(session)
        outbox.take(session, [fact_id for fact_id, _ in waiting], first)
        grow(session, first, (bytes.fromhex(fact_id + sm3) for fact_id, sm3 in waiting))
    return len(waiting)


def grow(session: Session, first: int, leaves: Iterable[bytes]) -> int:
    """Stores tiles for `leaves` (each SHA-256 ‖ SM3) from index `first` on; returns the size of the tree.

    Memory does not grow with the number of leaves. Raises `BrokenLog` if the edge of the tree of `first` is damaged.
    """
    edge = Edge(first, partial(load, session))
    table = tables.tile
    for tile in list(edge.partial()):
        session.execute(delete(table).where(table.c.level == tile.level, table.c.position == tile.position))
    written = []
    for tile in edge.extend(leaves):
        written.append(_row(tile))
        if len(written) == tiles.WIDTH:
            session.execute(insert(table), written)
            written = []
    written += [_row(tile) for tile in edge.partial()]
    if written:
        session.execute(insert(table), written)
    return edge.size


def rebuild(session: Session) -> int:
    """Throws the tiles away and makes them again from the facts in log order; returns how many leaves."""
    session.execute(delete(tables.tile))
    return grow(session, 0, leaves(session))


def leaves(session: Session, first: int = 0, end: int | None = None) -> Iterator[bytes]:
    """SHA-256 ‖ SM3 of the facts at the places first..end-1 of the log, read in slices."""
    for fact_id, sm3 in store.placed(session, [tables.fact.c.sm3], first, end, CHUNK):
        yield bytes.fromhex(fact_id + sm3)


def published(session: Session, address: Address) -> Flat | None:
    """The tile a reader asks for, cut to the width asked for; None unless the newest signed head covers it."""
    head = latest(session)
    if head is None or not address.within(head.checkpoint.size):
        return None
    left, right = load(session, address.level, address.position)
    return left[: 32 * address.width], right[: 32 * address.width]


def published_entries(session: Session, address: Address) -> bytes | None:
    """The entry bundle a reader asks for; None unless the newest signed head covers it."""
    head = latest(session)
    if head is None or not address.within(head.checkpoint.size):
        return None
    first = tiles.WIDTH * address.position
    return tiles.bundle(leaves(session, first, first + address.width))


def seal(session: Session, keys: LogKeys, *, at: int) -> Head | None:
    """Signs a head over the whole tree if it has grown since the last one; returns it, or None.

    A head says: all of this existed by then. When the clock runs backwards the last head's time is kept, because a
    later time is still true and heads must not stop; time never decreases from head to head.
    """
    current = size(session)
    last = latest(session)
    if current == (last.checkpoint.size if last else 0):
        return None
    if last:
        at = max(at, last.checkpoint.at)
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


def latest_cosigned(session: Session, quorum: int) -> Head | None:
    """The newest head that at least `quorum` witnesses cosigned."""
    query = select(tables.head).where(tables.head.c.witnesses >= quorum)
    return _head(session, query.order_by(tables.head.c.size.desc()).limit(1))


def head_at(session: Session, size_: int) -> Head | None:
    """The head of exactly this size."""
    return _head(session, select(tables.head).where(tables.head.c.size == size_))


def first_over(session: Session, index: int) -> Head | None:
    """The smallest head that covers the leaf at this place."""
    return _head(session, select(tables.head).where(tables.head.c.size > index).order_by(tables.head.c.size).limit(1))


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


def _row(tile: Tile) -> dict[str, object]:
    return {"level": tile.level, "position": tile.position, "sha256": tile.hashes[0], "sm3": tile.hashes[1]}
