"""Recomputes what is stored from the evidence, and from nothing the writer computed (decisions D3).

Four questions, each answered with findings that name the row: do the facts say what their columns say, under signatures
that fit; do they make up the tree and its signed heads; does the chain hold those heads and facts; do the views follow
from the facts? Whatever somebody wrote into a column must come out as a finding, so no value read here is trusted to
have its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import anchoring, checkpoint, outbox, tables, tiles
from ledger.anchoring import Face, Place
from ledger.chain import Chain, head_commitment
from ledger.digest import TwinDigest, hex32, twin
from ledger.errors import ChainError, ChainUnavailable, FieldError, LedgerError
from ledger.facts import SM2, Fact, PartsRoot
from ledger.log import CHUNK
from ledger.rebuild import Finding
from ledger.signing import verify_sm2
from ledger.tiles import Edge, Tile
from ledger.trust import LogTrust


def facts(session: Session) -> Iterator[Finding]:
    """Columns against bytes, parts against their root, act chains against gaps, log places against both."""
    expected_next: dict[str, tuple[int, TwinDigest | None]] = {}
    known: set[str] = set()
    for row in session.execute(select(tables.fact).order_by(tables.fact.c.subject, tables.fact.c.no)):
        known.add(row.id)
        no, prev = expected_next.get(row.subject, (0, None))
        if row.no != no:
            yield Finding("fact", row.id, "no", f"{row.subject} #{no}", f"#{row.no}")
        following = (row.no if isinstance(row.no, int) else no) + 1
        expected_next[row.subject] = (following, _twin(row.statement_sha256, row.statement_sm3))
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
    for fact_id in placed - known:
        yield Finding("fact", fact_id, "*", "有此行 / the row", "已删除 / deleted")
    orphans = select(tables.part.c.fact_id, tables.part.c.position).where(
        tables.part.c.fact_id.not_in(select(tables.fact.c.id))
    )
    for row in session.execute(orphans):
        yield Finding("part", f"{row.fact_id}/{row.position}", "fact_id", "存在的事实 / a stored fact", "没有 / none")


def log(session: Session, trust: LogTrust, witnesses: Mapping[str, str]) -> Iterator[Finding]:
    """Rebuilds both trees from the facts in log order and compares every tile, every head and every signature.

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
        yield from _head_row(row, edge.size, roots.get(row.size), trust, witnesses)


def chain(session: Session, gateway: Chain, faces: Sequence[Face]) -> Iterator[Finding]:
    """Every chain receipt against the contract's events, in both directions, and every head against its commitment."""
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
        if name not in found:
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
    rows = session.execute(select(tables.part).where(tables.part.c.fact_id == fact_id)).all()
    have = {row.position: row.bytes for row in rows}
    places = range(wanted.count if wanted else 0)
    for place in places:
        if place not in have:
            yield Finding("part", f"{fact_id}/{place}", "*", "有此行 / the row", "已删除 / deleted")
        elif not isinstance(have[place], bytes):
            yield Finding("part", f"{fact_id}/{place}", "bytes", "分项的内容 / the part's bytes", "已擦除 / erased")
    for place in have:
        if place not in places:
            yield Finding("part", f"{fact_id}/{place}", "*", "无此行 / no such row", "被插入 / inserted")
    ordered = [have[place] for place in places if isinstance(have.get(place), bytes)]
    if wanted and len(ordered) == wanted.count and PartsRoot.over(ordered) != wanted:
        yield Finding("part", f"{fact_id}/*", "bytes", wanted.root.sha256.hex(), "不符 / differs")


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
