"""Intake of usage batches: all or nothing, once, with a signed promise as the answer.

Source: exchange.md §5.3, §5.5; decisions D6, D9, D10. Nothing here commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from clearing.usage import store, tables
from clearing.usage.batch import LOG_PROMISE, BatchHeader, Promise, check_batch
from ledger import canonical
from ledger import store as ledger
from ledger.errors import Conflict
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from registry import service as registration
from registry.asset import Twin
from registry.party import connector_subject

INTEGRATE_WITHIN = 3_600


@dataclass(frozen=True, slots=True)
class Admission:
    """The stored batch, the operator's promise, how many records fell in each class, and whether it came before."""

    fact: Fact
    promise: Signed
    classes: dict[str, int]
    replayed: bool

    def document(self) -> dict[str, Any]:
        """The answer of the route: {classes, fact, promise, replayed}."""
        return {
            "classes": self.classes,
            "fact": self.fact.id,
            "promise": self.promise.document(),
            "replayed": self.replayed,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """A validly signed batch that contradicts one taken in before: answered 409 and kept by `record_refusal`."""

    connector: str
    first_seq: int
    last_seq: int
    given: Twin
    stored_sha256: str
    document: str
    at: int

    def answer(self) -> dict[str, Any]:
        """What the 409 says."""
        return {"connector": self.connector, "first_seq": self.first_seq, "given": self.given.sha256,
                "last_seq": self.last_seq, "stored": self.stored_sha256}  # fmt: skip


def admit(
    session: Session, signed: Signed, parts: Sequence[bytes], *, signer: SystemSigner, at: int
) -> Admission | Refusal:
    """Takes in a batch. The same batch again gets the first answer; another one over its numbers is a `Refusal`.

    Raises `Malformed`, `FieldError`, `BadSignature`, `Unknown` (connector) and `Stale` with nothing written. Gaps and
    disorder are admitted as findings; records with semantic faults are stored with their class.
    """
    header, _ = check_batch(signed.statement, parts)
    registration.require_signature(session, signed, connector_subject(header.connector), at=at)
    try:
        if (signed.statement.no, signed.statement.prev) == ledger.next_of(session, signed.statement.subject):
            overlapping = store.overlapping(session, header.connector, header.first_seq, header.last_seq)
            if overlapping is not None:
                return _refusal(signed, header, overlapping, at)
        taken = ledger.append(session, signed, at=at, parts=parts)
    except Conflict as conflict:
        return _refusal(signed, header, conflict.existing, at)
    if not taken.replayed:
        store.project(session, taken.fact)
    return Admission(taken.fact, _promise(taken.fact, signer), _classes(session, taken.fact), taken.replayed)


def record_refusal(session: Session, refusal: Refusal) -> None:
    """Keeps a refused batch, once per digest; the route calls this in a transaction that is committed."""
    table = tables.refusal
    key = (table.c.connector == refusal.connector) & (table.c.given_sha256 == refusal.given.sha256)
    if session.execute(select(table.c.at).where(key)).first() is None:
        session.execute(
            insert(table).values(
                connector=refusal.connector,
                given_sha256=refusal.given.sha256,
                given_sm3=refusal.given.sm3,
                stored_sha256=refusal.stored_sha256,
                first_seq=refusal.first_seq,
                last_seq=refusal.last_seq,
                at=refusal.at,
                document=refusal.document,
            )
        )


def _refusal(signed: Signed, header: BatchHeader, stored: str, at: int) -> Refusal:
    document = canonical.encode(signed.document()).decode()
    given = Twin.of(signed.statement.digest())
    return Refusal(header.connector, header.first_seq, header.last_seq, given, stored, document, at)


def _promise(fact: Fact, signer: SystemSigner) -> Signed:
    promise = Promise(Twin.of(fact.digest()), Twin.of(fact.statement.digest()), fact.at, fact.at + INTEGRATE_WITHIN)
    statement = Statement(LOG_PROMISE, f"log-promise:{fact.id}", 0, None, body_of(promise))
    return Signed(statement, (signer.sign(statement),))


def _classes(session: Session, fact: Fact) -> dict[str, int]:
    table = tables.record
    rows = session.execute(select(table.c.use_class).where(table.c.fact_id == fact.id)).scalars()
    return dict(sorted(Counter(rows).items()))
