"""Recomputes what is stored from the evidence, and from nothing the writer computed (decisions D3).

Five questions, each answered with findings that name the row: do the facts say what their columns say, under signatures
that fit; do they make up the tree and its signed heads; does the map of subjects follow from the log; does the chain
hold those heads and facts; do the views follow from the facts? Whatever somebody wrote into a column must come out as a
finding, so no value read here is trusted to have its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from ledger import anchoring, checkpoint, completeness, outbox, store, subject_map, tables, tiles
from ledger.anchoring import Face, Place
from ledger.chain import Chain, head_commitment
from ledger.completeness import Leaf, MemoryMap
from ledger.digest import TwinDigest, hex32, twin
from ledger.erasure import Erasure
from ledger.errors import ChainError, ChainUnavailable, FieldError, LedgerError
from ledger.facts import SM2, Fact, PartsRoot
from ledger.log import CHUNK
from ledger.rebuild import Finding
from ledger.signing import verify_sm2
from ledger.tiles import Edge, Tile
from ledger.trust import LogTrust


def facts(session: Session, erased: Mapping[str, Erasure] | None = None) -> Iterator[Finding]:
    """Columns against bytes, parts against their root, act chains against gaps, log places against both.

    A fact without its text is a finding unless `erased` (`erasure.stated`) names it as its row does.
    """
    expected_next: dict[str, tuple[int, TwinDigest | None]] = {}
    known: set[str] = set()
    for row in session.execute(select(tables.fact).order_by(tables.fact.c.subject, tables.fact.c.no)):
        known.add(row.id)
        no, prev = expected_next.get(row.subject, (0, None))
        if row.no != no:
            yield Finding("fact", row.id, "no", f"{row.subject} #{no}", f"#{row.no}")
        following = (row.no if isinstance(row.no, int) else no) + 1
        expected_next[row.subject] = (following, _twin(row.statement_sha256, row.statement_sm3))
        lawful = (erased or {}).get(row.id) if row.bytes is None else None
        if lawful is not None and lawful.of_row(row, prev):
            continue
        if row.bytes is None:
            yield Finding(
                "fact", row.id, "bytes", "事实的内容 / the fact's bytes", "已擦除，不可重算 / erased: not recomputable"
            )
        elif not isinstance(row.bytes, bytes):
            yield Finding("fact", row.id, "bytes", "字节串 / a byte string", type(row.bytes).__name__)
        else:
            yield from _fact_row(session, row, prev)
    entries = list(session.execute(select(tables.entry).order_by(tables.entry.c.log_index)))
    missing = set(range(len(entries)))
    for row in entries:
        if row.log_index in missing:
            missing.remove(row.log_index)
        else:
            yield Finding("entry", str(row.log_index), "log_index", f"0…{len(entries) - 1}", str(row.log_index))
    for index in sorted(missing):
        yield Finding("entry", str(index), "*", "有此行 / the row", "已删除 / deleted")
    placed = {row.fact_id for row in entries}
    waiting = set(session.execute(select(tables.outbox.c.fact_id)).scalars())
    for fact_id in placed & waiting:
        yield Finding("outbox", fact_id, "*", "已在日志中 / in the log", "又在待入列中 / waiting too")
    for fact_id in known - placed - waiting:
        yield Finding("entry", fact_id, "*", "在日志或待入列中 / in the log or waiting", "都不在 / neither")
    for fact_id in (placed | waiting) - known:
        yield Finding("fact", fact_id, "*", "有此行 / the row", "已删除 / deleted")
    orphans = select(tables.part.c.fact_id).where(tables.part.c.fact_id.not_in(select(tables.fact.c.id)))
    for fact_id in session.execute(orphans).scalars():
        yield Finding("part", str(fact_id), "fact_id", "存在的事实 / a stored fact", "没有 / none")


def log(
    session: Session, trust: LogTrust, witnesses: Mapping[str, str], former: Mapping[str, LogTrust] | None = None
) -> Iterator[Finding]:
    """Rebuilds both trees from the facts in log order and compares every tile, every head and every signature.

    Heads under the name of a `former` log, which this one continues, are held to that log's keys.

    The tree is never whole in memory: tiles are compared as they fill, roots taken where a head says there is one.
    """
    heads = session.execute(select(tables.head).order_by(tables.head.c.size)).all()
    sizes = {row.size for row in heads if isinstance(row.size, int) and row.size > 0}
    edge, roots, leaves = Edge(), dict[int, TwinDigest](), _leaves(session)
    for size in sorted(sizes):
        yield from _tiles(session, edge.extend(islice(leaves, size - edge.size)))
        if edge.size < size:
            break
        roots[size] = edge.root()
    yield from _tiles(session, edge.extend(leaves))
    yield from _tiles(session, edge.partial())
    for row in session.execute(select(tables.tile.c.level, tables.tile.c.position)):
        counted = isinstance(row.level, int) and isinstance(row.position, int)
        if not counted or not 0 <= row.position < tiles.count(row.level, edge.size):
            yield Finding("tile", f"{row.level}/{row.position}", "*", "无此行 / no such row", "被插入 / inserted")
    for row in heads:
        name = row.note.partition("\n")[0] if isinstance(row.note, str) else ""
        signed_by = (former or {}).get(name, trust)
        yield from _head_row(row, edge.size, roots.get(row.size), signed_by, witnesses)


def maps(session: Session, origin: str) -> Iterator[Finding]:
    """Replays the map of all subjects from the log: every map fact must state it, every stored row belong to it."""
    try:
        published = subject_map.published_size(session, origin)
    except (LedgerError, ValueError, TypeError):
        published = 0  # the row that cannot be read is named elsewhere
    leaves, nodes = (_MapRows(session, table, published) for table in (tables.map_leaf, tables.map_node))
    replayed, first, subjects = MemoryMap(), 0, 0
    waiting: list[tuple[int, Leaf, bool]] = []
    for index, fact_id, subject, no, sha256, sm3, kind, data in session.execute(_LOGGED):
        if not isinstance(index, int):
            continue
        if kind == subject_map.KIND:
            try:
                size, stated, count = subject_map.read(Fact.of_bytes(data if isinstance(data, bytes) else b""))
            except LedgerError as error:
                yield Finding("fact", fact_id, "body", "一份总目 / a map", str(error))
                size, stated, count = index, None, 0
            if not first < size <= index:
                yield Finding("fact", fact_id, "body.size", f"{first + 1}…{index}", str(size))
            ready = [item for item in waiting if item[0] < size]
            waiting = [item for item in waiting if item[0] >= size]
            subjects += sum(fresh for _, _, fresh in ready)
            changed = {leaf.key: leaf for _, leaf, _ in ready}
            root, kept = replayed.update(list(changed.values()))
            first = size
            if stated is not None and completeness.joined(stated) != root:
                yield Finding("fact", fact_id, "body.root", root[:32].hex(), stated.sha256.hex())
            if stated is not None and count != subjects:
                yield Finding("fact", fact_id, "body.subjects", str(subjects), str(count))
            leaves.change(size, {key: (leaf.acts, leaf.last) for key, leaf in changed.items()})
            nodes.change(size, {position: (value,) for position, value in kept.items()})
        digest = _twin(sha256, sm3)
        if isinstance(subject, str) and isinstance(no, int) and digest is not None:
            leaf = Leaf(completeness.key_of(subject), no + 1, completeness.joined(digest))
            waiting.append((index, leaf, no == 0))
    for rows in (leaves, nodes):
        yield from rows.findings()


_LOGGED = (
    select(
        tables.entry.c.log_index, tables.fact.c.id, tables.fact.c.subject, tables.fact.c.no,
        tables.fact.c.statement_sha256, tables.fact.c.statement_sm3, tables.fact.c.kind, tables.fact.c.bytes,
    )
    .join(tables.fact, tables.fact.c.id == tables.entry.c.fact_id)
    .order_by(tables.entry.c.log_index)
)  # fmt: skip


class _MapRows:
    """The stored rows of a map table, taken off one by one as the replay says what they should be.

    A value holds from the version that brought it until the next: one row in between must say it, under the number of
    a version, unless a published map came after. What was replaced before may have been dropped, or not yet.
    """

    def __init__(self, session: Session, table: Table, published: int) -> None:
        self._name, self._published = table.name, published
        key, size, *values = table.columns
        self._columns = [column.name for column in values]
        self._stored: dict[object, dict[object, tuple[object, ...]]] = {}
        for found in session.execute(select(key, size, *values)):
            self._stored.setdefault(found[0], {})[found[1]] = tuple(found[2:])
        self._now: dict[object, tuple[int, tuple[object, ...]]] = {}
        self._before: list[tuple[object, int, int, tuple[object, ...]]] = []
        self._versions: list[int] = []

    def change(self, version: int, rows: Mapping[Any, tuple[object, ...]]) -> None:
        """These values hold from `version` on."""
        self._versions.append(version)
        for key, row in rows.items():
            if key in self._now:
                since, old = self._now[key]
                if version > self._published or self._within(key, since, version):
                    self._before.append((key, since, version, old))
            self._now[key] = (version, row)

    def findings(self) -> Iterator[Finding]:
        versions = set(self._versions)
        end = max(versions, default=0) + 1
        for key, since, until, row in self._before + [(key, *now[:1], end, now[1]) for key, now in self._now.items()]:
            size = next((size for size in self._within(key, since, until) if size in versions), None)
            if size is not None:
                have = self._stored[key].pop(size)
                for column, want, found in zip(self._columns, row, have, strict=True):
                    if want != found:
                        yield Finding(self._name, _place(key, size), column, _value(want), _value(found))
            elif until > self._published:
                yield Finding(self._name, _place(key, since), "*", "有此行 / the row", "已删除 / deleted")
        for key, left in self._stored.items():
            for extra in left:
                yield Finding(self._name, _place(key, extra), "*", "无此行 / no such row", "被插入 / inserted")

    def _within(self, key: object, since: int, until: int) -> list[int]:
        return [size for size in self._stored.get(key, ()) if isinstance(size, int) and since <= size < until]


def _place(key: object, size: object) -> str:
    return f"{_value(key)}/{size}"


def _value(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def chain(
    session: Session, gateway: Chain, faces: Sequence[Face], erased: Mapping[str, Erasure] | None = None
) -> Iterator[Finding]:
    """Every chain receipt against the contract's events, in both directions, and every head against its commitment.

    The receipt of a lawfully erased fact is let be: which event is its own stood in the text.
    """
    stored = {(row.contract, row.key): row for row in session.execute(select(tables.chain_receipt))}
    found: dict[tuple[str, str], Place] = {}
    for size, place in anchoring.find_heads(gateway).items():
        found[outbox.HEADS, outbox.head_key(size)] = place
        row = session.execute(select(tables.head).where(tables.head.c.size == size)).first()
        if row is None:
            yield Finding("head", str(size), "*", "链上有此树头 / the chain holds this head", "没有 / none")
            continue
        committed = bytes(gateway.read(outbox.HEADS, "commitmentAt", size))
        root = _twin(row.sha256, row.sm3)
        readable = root is not None and isinstance(row.at, int) and 0 <= row.at < 2**64
        if root is None or not readable or committed != head_commitment(size, root.sha256, root.sm3, row.at):
            yield Finding("head", str(size), "sha256/sm3/at", committed.hex(), "不符 / differs")
    for face in faces:
        facts_ = _readable(session, face)
        places = anchoring.find_facts(gateway, face, facts_)
        found |= {(face.contract, fact_id): place for fact_id, place in places.items()}
        yield from _contract_agrees(gateway, face, [fact for fact in facts_ if fact.id in places])
    for name, place in found.items():
        row = stored.get(name)
        if row is None:
            yield Finding("chain_receipt", "/".join(name), "*", "有此行 / the row", "缺失 / missing")
            continue
        want = anchoring.place_row(name[0], name[1], place)
        for column, value in want.items():
            if getattr(row, column) != value:
                yield Finding("chain_receipt", "/".join(name), column, str(value), str(getattr(row, column)))
    for name in stored:
        if name not in found and name[1] not in (erased or {}):
            yield Finding("chain_receipt", "/".join(name), "*", "链上有此事件 / an event on the chain", "没有 / none")


def _readable(session: Session, face: Face) -> list[Fact]:
    """Facts the face can name; one that cannot be read was a finding of `facts` already."""
    found = []
    for row in session.execute(select(tables.fact.c.bytes).where(tables.fact.c.kind.in_(face.kinds))):
        try:
            fact = Fact.of_bytes(row.bytes if isinstance(row.bytes, bytes) else b"")
            face.fact_key(fact)
        except LedgerError:
            continue
        found.append(fact)
    return found


def _contract_agrees(gateway: Chain, face: Face, written: Sequence[Fact]) -> Iterator[Finding]:
    """An event names a fact; whether the contract holds the same commitment is asked here."""
    for fact in written:
        try:
            reason = "" if face.done(gateway, fact) else "没有 / none"
        except ChainUnavailable:
            raise
        except ChainError as error:
            reason = str(error)
        if reason:
            yield Finding(
                "fact", fact.id, face.contract, "合约中的同一承诺 / the same commitment in the contract", reason
            )


def _twin(sha256: object, sm3: object) -> TwinDigest | None:
    """Two columns as a digest, or None if somebody wrote something else there."""
    try:
        return TwinDigest(hex32(sha256, "sha256"), hex32(sm3, "sm3"))
    except FieldError:
        return None


def _fact_row(session: Session, row: object, prev: TwinDigest | None) -> Iterator[Finding]:
    fact_id = str(row.id)  # type: ignore[attr-defined]
    try:
        fact = Fact.of_bytes(row.bytes)  # type: ignore[attr-defined]
    except LedgerError as error:
        yield Finding("fact", fact_id, "bytes", "规范形式 / canonical form", str(error))
        return
    digest, stated = twin(fact.bytes()), fact.statement.digest()
    want = {
        "id": digest.sha256.hex(),
        "sm3": digest.sm3.hex(),
        "kind": fact.kind,
        "subject": fact.subject,
        "no": fact.statement.no,
        "statement_sha256": stated.sha256.hex(),
        "statement_sm3": stated.sm3.hex(),
        "at": fact.at,
    }
    for column, value in want.items():
        if getattr(row, column) != value:
            yield Finding("fact", fact_id, column, str(value), str(getattr(row, column)))
    if fact.statement.prev != prev:
        yield Finding("fact", fact_id, "prev", prev.sha256.hex() if prev else "—", "不连续 / not the act before")
    if not fact.signatures:
        yield Finding("fact", fact_id, "signatures", "至少一个 / at least one", "没有 / none")
    for place, signature in enumerate(fact.signatures):
        if signature.alg == SM2 and not verify_sm2(fact.statement, signature):
            yield Finding(
                "fact", fact_id, f"signatures[{place}]", f"{signature.by} 的有效签名 / valid", "不符 / differs"
            )
    yield from _parts(session, fact_id, fact.statement.parts)


def _parts(session: Session, fact_id: str, wanted: PartsRoot | None) -> Iterator[Finding]:
    row = session.execute(select(tables.part.c.bytes).where(tables.part.c.fact_id == fact_id)).first()
    if row is None:
        if wanted:
            yield Finding("part", fact_id, "*", "有此行 / the row", "已删除 / deleted")
    elif wanted is None:
        yield Finding("part", fact_id, "*", "无此行 / no such row", "被插入 / inserted")
    elif not isinstance(row.bytes, bytes):
        yield Finding("part", fact_id, "bytes", "分项的内容 / the bytes of the parts", "已擦除 / erased")
    elif PartsRoot.over(store.split_parts(row.bytes)) != wanted:
        yield Finding("part", fact_id, "bytes", wanted.root.sha256.hex(), "不符 / differs")


def _leaves(session: Session) -> Iterator[bytes]:
    """SHA-256 ‖ SM3 of every fact in log order; one whose columns cannot be read takes its place as zeros."""
    rows = session.execute(
        select(tables.entry.c.fact_id, tables.fact.c.sm3)
        .join(tables.fact, tables.fact.c.id == tables.entry.c.fact_id)
        .order_by(tables.entry.c.log_index)
        .execution_options(yield_per=CHUNK)
    )
    for row in rows:
        digest = _twin(row.fact_id, row.sm3)
        yield digest.sha256 + digest.sm3 if digest else bytes(64)


def _tiles(session: Session, wanted: Iterable[Tile]) -> Iterator[Finding]:
    """Compares recomputed tiles with the stored ones; a difference is named by its first hash."""
    table = tables.tile
    for tile in wanted:
        name = f"{tile.level}/{tile.position}"
        row = session.execute(
            select(table.c.sha256, table.c.sm3).where(table.c.level == tile.level, table.c.position == tile.position)
        ).first()
        if row is None:
            yield Finding("tile", name, "*", "有此行 / the row", "已删除 / deleted")
            continue
        for column, want in zip(("sha256", "sm3"), tile.hashes, strict=True):
            have = getattr(row, column)
            if have == want:
                continue
            if not isinstance(have, bytes) or len(have) != len(want):
                length = f"{len(have)}" if isinstance(have, bytes) else type(have).__name__
                yield Finding("tile", name, column, f"{len(want)} 字节 / bytes", length)
            else:
                place = next(i for i in range(0, len(want), 32) if have[i : i + 32] != want[i : i + 32])
                values = [f"[{place // 32}] {side[place : place + 32].hex()}" for side in (want, have)]
                yield Finding("tile", name, column, *values)


def _head_row(
    row: object, length: int, root: TwinDigest | None, trust: LogTrust, witnesses: Mapping[str, str]
) -> Iterator[Finding]:
    name = str(row.size)  # type: ignore[attr-defined]
    if root is None:
        yield Finding("head", name, "size", f"1…{length}", f"{name}：与日志长度不符 / the log is not that long")
        return
    try:
        said = checkpoint.verify_log(row.note, trust.name, trust.ed25519, trust.sm2)  # type: ignore[attr-defined]
        cosigned = checkpoint.verify_witnesses(row.note, witnesses)  # type: ignore[attr-defined]
    except LedgerError as error:
        yield Finding("head", name, "note", "有效的签名 / valid signatures", str(error))
        return
    want = {
        "size": said.size,
        "sha256": said.root.sha256.hex(),
        "sm3": said.root.sm3.hex(),
        "at": said.at,
        "witnesses": len({witness for witness, _ in cosigned}),
    }
    for column, value in want.items():
        if getattr(row, column) != value:
            yield Finding("head", name, column, str(value), str(getattr(row, column)))
    if said.root != root:
        yield Finding("head", name, "root", root.sha256.hex(), said.root.sha256.hex())
