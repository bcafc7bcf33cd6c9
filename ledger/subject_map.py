"""The map of all subjects beside the log: kept up to date, stated as a fact with each head, read for any answer.

`cover` brings the map up to the log's size and states its root as a fact; the next head covers that fact. Rows are
written anew where something changed and carry the log size they are of, so that the map of the published head is
served while newer ones are already stated; what is older than that is dropped where it is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.orm import Session

from ledger import bulk, completeness, log, outbox, store, tables
from ledger.completeness import Leaf
from ledger.digest import TwinDigest
from ledger.errors import FieldError
from ledger.facts import Fact, Signed, Statement, require_fields
from ledger.signing import SystemSigner

KIND = "subject-map/v1"
_MANY = 1_000
"""For more keys than this all kept nodes are read, instead of those along their ways."""
_SLICE = 10_000
"""Rows written at once."""


def subject_of(origin: str) -> str:
    """The subject of a log's map facts; characters a subject cannot have become colons."""
    return "subject-map:" + re.sub(r"[^A-Za-z0-9._-]", ":", origin)


def read(fact: Fact) -> tuple[int, TwinDigest, int]:
    """(log size, root, number of subjects) of a map fact. Raises `FieldError`."""
    body = fact.body
    if fact.kind != KIND:
        raise FieldError("kind", KIND, fact.kind)
    require_fields(body, "body", {"root", "size", "subjects"}, set())
    for name in ("size", "subjects"):
        if type(body[name]) is not int or body[name] < 0:
            raise FieldError(f"body.{name}", "≥ 0", repr(body[name])[:80])
    return body["size"], TwinDigest.of_document(body["root"], "body.root"), body["subjects"]


def cover(session: Session, origin: str, signer: SystemSigner, *, at: int) -> Fact | None:
    """Puts whatever waits into the log, then states the map over it, and puts that fact into the log too.

    None if nothing but map facts came since the last one, so that a log at rest does not grow. One writer at a time.
    """
    while log.integrate(session):
        pass
    last = newest(session, origin)
    first, _, subjects = read(last) if last else (0, None, 0)
    if not _due(session, first):
        return None
    size = log.size(session)
    root, fresh = advance(session, first, size, published_size(session, origin))
    body = {"root": root.document(), "size": size, "subjects": subjects + fresh}
    no, prev = store.next_of(session, subject_of(origin))
    statement = Statement(KIND, subject_of(origin), no, prev, body)
    fact = store.append(session, Signed(statement, (signer.sign(statement),)), at=at).fact
    log.integrate(session)
    return fact


def newest(session: Session, origin: str) -> Fact | None:
    """The map fact stated last."""
    return _newest(session, origin, None)


def published(session: Session, origin: str) -> Fact | None:
    """The map fact that the published head covers, the last one if there are more."""
    return _newest(session, origin, outbox.published_size(session))


def published_size(session: Session, origin: str) -> int:
    """Log size of the published map; 0 before the first."""
    fact = published(session, origin)
    return read(fact)[0] if fact else 0


def prove(session: Session, subject: str, size: int) -> tuple[Leaf | None, list[bytes]]:
    """`completeness.prove` in the map over the first `size` entries, which must be the published or a newer one."""
    key = completeness.key_of(subject)
    return completeness.prove(_Stored(session, size, [key]), key)


def advance(session: Session, first: int, size: int, published: int) -> tuple[TwinDigest, int]:
    """Takes the map from log size `first` to `size`: its root, and how many subjects are new.

    Rows that the map of size `published` and newer ones no longer need are dropped where they were replaced.
    """
    changes, fresh = changes_of(session, first, size)
    root, kept = completeness.update(_Stored(session, first, [leaf.key for leaf in changes]), changes)
    _write(session, tables.map_leaf, ((leaf.key, size, leaf.acts, leaf.last) for leaf in changes), published)
    _write(session, tables.map_node, ((position, size, value) for position, value in kept.items()), published)
    return completeness.parted(root), fresh


def changes_of(session: Session, first: int, size: int) -> tuple[list[Leaf], int]:
    """The leaves that the log's entries first…size-1 imply, and how many of their subjects are new."""
    fact = tables.fact
    columns = [fact.c.subject, fact.c.no, fact.c.statement_sha256, fact.c.statement_sm3]
    last: dict[str, tuple[int, bytes]] = {}
    fresh = 0
    for _, subject, no, sha256, sm3 in store.placed(session, columns, first, size):
        last[subject] = no + 1, bytes.fromhex(sha256 + sm3)
        fresh += no == 0
    found = []
    while last:  # emptied on the way: names and leaves of a large log need not lie in memory together
        name, (acts, value) = last.popitem()
        found.append(Leaf(completeness.key_of(name), acts, value))
    found.sort(key=completeness.by_key)
    return found, fresh


def rebuild(session: Session, origin: str) -> int:
    """Throws the stored map away and makes it again from facts and log, as of the published head and every map fact
    after it; returns the number of its leaves."""
    session.execute(tables.map_leaf.delete())
    session.execute(tables.map_node.delete())
    start = published(session, origin)
    facts = store.facts_of(session, subject_of(origin), start.statement.no if start else 0)
    first = 0
    for fact in facts:
        size = read(fact)[0]
        advance(session, first, size, 0)
        first = size
    return int(session.execute(select(func.count(tables.map_leaf.c.key.distinct()))).scalar_one())


class _Stored:
    """The stored map as of log size `size`, along the ways of `keys`."""

    def __init__(self, session: Session, size: int, keys: Sequence[bytes]) -> None:
        self._session, self._size = session, size
        table = tables.map_node
        deepest = (session.execute(select(func.max(table.c.position))).scalar() or 0).bit_length() - 1
        query = select(table.c.position, table.c.hash).where(table.c.size <= size).order_by(table.c.size)
        if len(keys) <= _MANY:
            ways = {completeness.way(key, depth) for key in keys for depth in range(deepest + 1)}
            query = query.where(table.c.position.in_(bindparam("positions", expanding=True)))
            around = sorted(ways | {position ^ 1 for position in ways})
            chunks = [{"positions": around[i : i + _MANY]} for i in range(0, len(around), _MANY)]
        else:
            chunks = [{}]
        self._nodes: dict[int, bytes] = {}
        for chunk in chunks:
            self._nodes |= {row.position: row.hash for row in session.execute(query, chunk)}

    def node(self, position: int) -> bytes | None:
        return self._nodes.get(position)

    def leaves(self, position: int) -> list[Leaf]:
        table = tables.map_leaf
        first, last = completeness.span(position)
        rows = self._session.execute(
            select(table.c.key, table.c.count, table.c.last)
            .where(table.c.key.between(first, last), table.c.size <= self._size)
            .order_by(table.c.key, table.c.size)
        )
        return list({key: Leaf(key, count, last) for key, count, last in rows}.values())


def _newest(session: Session, origin: str, below: int | None) -> Fact | None:
    fact, entry = tables.fact, tables.entry
    query = select(fact.c.bytes).join(entry, entry.c.fact_id == fact.c.id).where(fact.c.subject == subject_of(origin))
    if below is not None:
        query = query.where(entry.c.log_index < below)
    found = session.execute(query.order_by(fact.c.no.desc()).limit(1)).scalar()
    return Fact.of_bytes(found) if found else None


def _due(session: Session, first: int) -> bool:
    fact, entry = tables.fact, tables.entry
    query = select(entry.c.log_index).join(fact, fact.c.id == entry.c.fact_id)
    return session.execute(query.where(entry.c.log_index >= first, fact.c.kind != KIND).limit(1)).first() is not None


def _write(session: Session, table: Table, rows: Iterable[tuple[Any, ...]], published: int) -> None:
    """Inserts rows given in the order of the table's columns, and drops what they replaced for the published map."""
    key, newer = next(iter(table.columns)), table.alias()
    needed = select(func.max(newer.c.size)).where(
        newer.c[key.name] == bindparam("value"), newer.c.size <= bindparam("published")
    )
    replaced = table.delete().where(key == bindparam("value"), table.c.size < needed.scalar_subquery())
    source = iter(rows)
    while some := list(islice(source, _SLICE)):
        bulk.insert_rows(session, table, some)
        if published:
            session.connection().execute(replaced, [{"value": row[0], "published": published} for row in some])
