"""Lawful erasure: the text of a fact goes, its digests and its place in the log stay, and a signed fact says why.

    erasure/v1, subject "erasure:⟨fact id⟩", act 0 (so a fact is erased once), signed by whoever runs the store:
    {"at", "basis": article or decision, "fact": twin digest, "ground": why, "kind", "no", "ordered_by": who ordered it,
     "prev": twin digest (but for act 0), "statement": twin digest}

It repeats no word of what was erased, only what the text held of the log's own order: kind, number, link and time.
What an audit finds missing under such a fact is not tampering; without one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import outbox, store, subject_map, tables
from ledger.digest import TwinDigest
from ledger.errors import FieldError, LedgerError
from ledger.facts import Fact, Signed, Statement, require_fields
from ledger.signing import SystemSigner, verify_sm2

KIND = "erasure/v1"
KEPT = frozenset({KIND, subject_map.KIND})
"""Kinds that are never erased: without them nothing could be shown about the rest."""
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Erasure:
    """Why a fact was erased and what it was, by its digests, kind, number and second of intake."""

    kind: str
    no: int
    at: int
    fact: TwinDigest
    statement: TwinDigest
    prev: TwinDigest | None
    ground: str
    basis: str
    ordered_by: str

    def __post_init__(self) -> None:
        for name in ("basis", "ground", "ordered_by"):
            text = getattr(self, name)
            if not isinstance(text, str) or not 1 <= len(text) <= LONGEST:
                raise FieldError(name, f"1 至 {LONGEST} 个字符 / 1 to {LONGEST} characters", repr(text)[:80])

    def document(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "at": self.at,
            "basis": self.basis,
            "fact": self.fact.document(),
            "ground": self.ground,
            "kind": self.kind,
            "no": self.no,
            "ordered_by": self.ordered_by,
            "statement": self.statement.document(),
        }
        return result if self.prev is None else result | {"prev": self.prev.document()}

    @classmethod
    def of_fact(cls, fact: Fact) -> Erasure:
        """Reads an erasure fact. Raises `FieldError`."""
        body = fact.body
        names = {"at", "basis", "fact", "ground", "kind", "no", "ordered_by", "statement"}
        require_fields(body, "body", names, {"prev"})
        return cls(
            body["kind"],
            body["no"],
            body["at"],
            TwinDigest.of_document(body["fact"], "fact"),
            TwinDigest.of_document(body["statement"], "statement"),
            TwinDigest.of_document(body["prev"], "prev") if "prev" in body else None,
            body["ground"],
            body["basis"],
            body["ordered_by"],
        )

    def of_row(self, row: Any, prev: TwinDigest | None) -> bool:
        """Is this what the columns of the erased fact's row say, after the act with statement digest `prev`?"""
        said = (row.id, row.sm3, row.statement_sha256, row.statement_sm3, row.kind, row.no, row.at)
        digests = (self.fact.sha256, self.fact.sm3, self.statement.sha256, self.statement.sm3)
        return said == (*(d.hex() for d in digests), self.kind, self.no, self.at) and prev == self.prev

    def __str__(self) -> str:
        return (
            f"不可重算：依 {self.basis} 擦除（{self.ground}；决定：{self.ordered_by}）"
            f" / not recomputable: erased under {self.basis} ({self.ground}; ordered by {self.ordered_by})"
        )


def erase(
    session: Session, fact_id: str, *, ground: str, basis: str, ordered_by: str, signer: SystemSigner, at: int
) -> Fact:
    """Erases a published fact and states why; the views that told of it are the caller's to make again.

    Raises `UnknownFact`, `Erased` if that was done before, `FieldError` if the fact is not published yet (what stays of
    it must be witnessed first) or of a kind that is kept.
    """
    found = store.fact(session, fact_id)
    state = outbox.state_of(session, fact_id)
    if state is not outbox.State.PUBLISHED:
        raise FieldError("fact", "已发布的事实 / a published fact", f"{fact_id[:16]}… {state.value if state else '—'}")
    if found.kind in KEPT:
        raise FieldError("fact", "可擦除的类别 / a kind that may be erased", found.kind)
    statement = found.statement
    link = (found.digest(), statement.digest(), statement.prev)
    what = Erasure(found.kind, statement.no, found.at, *link, ground, basis, ordered_by)
    said = Statement(KIND, f"erasure:{fact_id}", 0, None, what.document())
    fact = store.append(session, Signed(said, (signer.sign(said),)), at=at).fact
    store.erase(session, fact_id)
    return fact


def stated(session: Session, keys: frozenset[str]) -> Mapping[str, Erasure]:
    """Every erasure that one of these SM2 keys validly signed, by the id of the erased fact."""
    found: dict[str, Erasure] = {}
    for data in session.execute(select(tables.fact.c.bytes).where(tables.fact.c.kind == KIND)).scalars():
        try:
            fact = Fact.of_bytes(data if isinstance(data, bytes) else b"")
            erasure = Erasure.of_fact(fact)
        except LedgerError:
            continue
        if any(s.key in keys and verify_sm2(fact.statement, s) for s in fact.signatures):
            found[erasure.fact.sha256.hex()] = erasure
    return found
