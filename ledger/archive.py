"""Facts leave the database as archive segments and come back from them (backup, hand-over, second copy; D2).

A segment is a text file, one canonical JSON document a line, in log order: first a header {"format", "origin"},
then for each fact {"fact": …} or, if it was erased, {"erased": {…digests…}}, with "parts" (their canonical texts),
then the heads {"head": [note lines], "witnesses": n} and a closing line that a cut file lacks: {"facts": n, "heads": n,
"leaves": n, "root": …, "lines": twin digest of all lines before it}. The digest finds what the root does not cover:
facts that still waited, parts' order, cosignatures. It guards against accidents; who altered a file on purpose can
recompute it, but not the signatures of facts and heads, which `audit` checks, nor the chain.
What is not in a segment cannot come back: the per-subject salt secrets, API keys, drafts, caches and attempt counters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from ledger import canonical, log, merkle, store, tables
from ledger.checkpoint import parse
from ledger.digest import TwinDigest
from ledger.errors import Malformed
from ledger.facts import Fact
from ledger.log import Head

FORMAT = "shuqing-facts/v1"


def export(session: Session, origin: str) -> Iterator[bytes]:
    """The lines of an archive segment holding every fact, part and head."""
    seen = _Lines()
    yield seen.add(canonical.encode({"format": FORMAT, "origin": origin}) + b"\n")
    facts = 0
    for row in _rows_in_log_order(session):
        facts += 1
        yield seen.add(canonical.encode(_line(session, row)) + b"\n")
    heads = log.heads(session)
    for head in heads:
        yield seen.add(canonical.encode({"head": head.note.split("\n"), "witnesses": head.witnesses}) + b"\n")
    size = log.size(session)
    root = merkle.root(log.reader(session), size)
    closing = {"facts": facts, "heads": len(heads), "leaves": size, "lines": seen.digest(), "root": root.document()}
    yield canonical.encode(closing) + b"\n"


def fact_lines(session: Session, size: int) -> Iterator[bytes]:
    """The lines of the first `size` facts of the log, as `export` writes them."""
    for place, row in enumerate(_rows_in_log_order(session)):
        if place == size:
            return
        yield canonical.encode(_line(session, row)) + b"\n"


def restore(session: Session, lines: Iterable[bytes]) -> tuple[int, int]:
    """Puts the facts and heads of a segment into an empty database and rebuilds the tree; returns their numbers.

    Raises `Malformed` if the segment is cut, altered or of another format; nothing is then to be committed.
    """
    try:
        return _restore(session, iter(lines))
    except (IntegrityError, DataError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(
            f"归档有重复或无法识别的行：{str(error)[:200]}。 / The archive repeats a line or has an unknown one."
        ) from error


def _restore(session: Session, stream: Iterator[bytes]) -> tuple[int, int]:
    seen = _Lines()
    header = canonical.decode(seen.add(next(stream, b"")).removesuffix(b"\n"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise Malformed(f"不是 {FORMAT} 归档。 / Not a {FORMAT} archive.")
    if store.count(session):
        raise Malformed("数据库非空，不能导入。 / The database is not empty; import refused.")
    facts = heads = 0
    closing: dict[str, Any] | None = None
    for raw in stream:
        if closing is not None:
            raise Malformed("结束行之后仍有内容。 / Content after the closing line.")
        value = canonical.decode(raw.removesuffix(b"\n"))
        if "lines" in value:
            closing = value
            continue
        seen.add(raw)
        if "head" in value:
            if not heads:
                _integrate_all(session)
            _restore_head(session, value)
            heads += 1
        else:
            _restore_fact(session, value)
            facts += 1
    if closing is None or (closing["facts"], closing["heads"]) != (facts, heads):
        raise Malformed(
            "归档不完整（缺少结束行或数量不符）。 / The archive is cut: closing line missing or counts differ."
        )
    if closing["lines"] != seen.digest():
        raise Malformed("归档的内容与其结束行不符。 / The archive's lines do not match its closing line.")
    _integrate_all(session)
    if _root_at(session, closing["leaves"]) != TwinDigest.of_document(closing["root"], "root"):
        raise Malformed("归档的树根与内容不符。 / The archive's root does not match its content.")
    return facts, heads


class _Lines:
    """The running twin digest of the lines of a segment."""

    __slots__ = ("_sha256", "_sm3")

    def __init__(self) -> None:
        self._sha256, self._sm3 = hashlib.sha256(), hashlib.new("sm3")

    def add(self, line: bytes) -> bytes:
        self._sha256.update(line)
        self._sm3.update(line)
        return line

    def digest(self) -> dict[str, str]:
        return {"sha256": self._sha256.hexdigest(), "sm3": self._sm3.hexdigest()}


def _integrate_all(session: Session) -> None:
    while log.integrate(session):
        pass


def _root_at(session: Session, size: int) -> TwinDigest:
    if not 0 <= size <= log.size(session):
        raise Malformed(f"归档的树大小 {size} 与内容不符。 / Tree size {size} does not match the archive's facts.")
    return merkle.root(log.reader(session), size)


def _restore_head(session: Session, value: dict[str, Any]) -> None:
    note = "\n".join(value["head"])
    checkpoint = parse(note)[0]
    if _root_at(session, checkpoint.size) != checkpoint.root:
        raise Malformed(
            f"大小为 {checkpoint.size} 的树头与归档中的事实不符。 / Head {checkpoint.size} does not match the facts."
        )
    log.store_head(session, Head(checkpoint, note, value["witnesses"]))


def _restore_fact(session: Session, value: dict[str, Any]) -> None:
    if "erased" in value:
        _restore_erased(session, value["erased"])
    else:
        parts = [text.encode() for text in value.get("parts", [])]
        store.restore(session, Fact.of_document(value["fact"]), parts)


def _rows_in_log_order(session: Session) -> Iterator[Any]:
    table, entry = tables.fact, tables.entry
    query = (
        select(table)
        .outerjoin(entry, entry.c.fact_id == table.c.id)
        .order_by(entry.c.log_index.is_(None), entry.c.log_index, table.c.seq)
    )
    yield from session.execute(query)


def _line(session: Session, row: Any) -> dict[str, Any]:
    if row.bytes is None:
        names = ("id", "sm3", "kind", "subject", "no", "statement_sha256", "statement_sm3", "at")
        return {"erased": {name: getattr(row, name) for name in names}}
    line: dict[str, Any] = {"fact": canonical.decode(row.bytes)}
    parts = store.parts_of(session, row.id)
    if parts:
        line["parts"] = [part.decode() for part in parts]
    return line


def _restore_erased(session: Session, value: dict[str, Any]) -> None:
    seq = session.execute(insert(tables.fact).values(**value, bytes=None).returning(tables.fact.c.seq)).scalar_one()
    session.execute(insert(tables.outbox).values(fact_id=value["id"], seq=seq))
