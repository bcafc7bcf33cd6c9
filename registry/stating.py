"""How a statement becomes a fact: its kind and subject, its place in the log of its subject, the views after it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Fact, PartsRoot, Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.agency import Signer
from registry.projecting import project

_HEX32 = re.compile(r"[0-9a-f]{32}")


def take_in(session: Session, signed: Signed, at: int, parts: Sequence[bytes] = ()) -> Appended:
    """Stores the fact and folds it into the views; sent again, it is the first fact that is answered."""
    taken = facts.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        project(session, taken.fact)
    return taken


def is_known(session: Session, signed: Signed) -> bool:
    """Is this act number taken, or not next? Then the ledger answers: the first fact, a conflict, or stale."""
    return facts.next_of(session, signed.statement.subject) != (signed.statement.no, signed.statement.prev)


def require_kind(signed: Signed, kind: str) -> None:
    """The statement is of this kind and has no parts. Raises `FieldError`."""
    if signed.statement.kind != kind:
        raise FieldError("statement.kind", kind, signed.statement.kind)
    if signed.statement.parts is not None:
        raise FieldError("statement.parts", "无 / none", "有 / present")


def hex_identity(subject: str, prefix: str) -> str:
    """The 32 hex characters of "<prefix>:<32 hex>". Raises `FieldError`."""
    kind, _, identity = subject.partition(":")
    if kind != prefix or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<32 hex>", subject)
    return identity


def state_by_system(session: Session, signer: Signer, kind: str, subject: str, body: object, *, at: int) -> Fact:
    """What follows from views or from time, stated with the system key (decisions D14)."""
    statement = next_statement(session, kind, subject, body)
    return take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at).fact


def next_statement(
    session: Session, kind: str, subject: str, body: object, parts: PartsRoot | None = None
) -> Statement:
    """The statement that comes next in the log of its subject."""
    no, prev = facts.next_of(session, subject)
    return Statement(kind, subject, no, prev, body_of(body), parts)
