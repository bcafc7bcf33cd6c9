"""What every call that takes a statement in asks first and does last: its kind, who signed, if it is known, one fact.

Nothing here commits or decides: between the first and the last step stands the stage that the statement is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from clearing.errors import BadTerms, NotSigned
from ledger import store as ledger
from ledger.facts import Fact, Signed, Statement
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.errors import Unknown

Projectors = Mapping[str, Callable[[Session, Fact], None]]
"""How facts of each kind fold into the views."""


def of_kind(signed: Signed, kind: str) -> Statement:
    """The statement, if it is of this kind. Raises `BadTerms`."""
    if signed.statement.kind != kind:
        raise BadTerms("statement.kind", kind, signed.statement.kind)
    return signed.statement


def require_one(session: Session, signed: Signed, by: str, role: str = "", *, at: int) -> None:
    """Exactly one signature, of `by` ("party:…") in this role with the key on record at `at` (seconds UTC).

    Raises `NotSigned`, `BadSignature`.
    """
    given = [(signature.by, signature.role) for signature in signed.signatures]
    if given != [(by, role)]:
        said = ", ".join(f"{name} {as_}".strip() for name, as_ in given) or "—"
        expected = f"one signature, of {by}" + (f" in the role {role}" if role else "")
        raise NotSigned(signed.statement.subject, expected, said[:200])
    signers.require_signature(session, signed, by, role, at=at)


def require_on_record(session: Session, named: Iterable[tuple[str, str]], at: int) -> None:
    """Every party a statement names beside its signers, as (field, identity), is on record at `at` (seconds UTC).

    Raises `BadTerms` naming the first field whose party is not: nobody could ever answer, be paid or be held to it.
    """
    for field, identity in named:
        try:
            registry.party_at(session, identity, at)
        except Unknown:
            raise BadTerms(field, "在册当事方 / a party on record", identity[:80]) from None


def roles_of(session: Session, party: str, at: int) -> frozenset[str]:
    """The roles in which a party is on record at `at` (seconds UTC); none when it is not."""
    try:
        return frozenset(registry.party_at(session, party, at).roles.split())
    except Unknown:
        return frozenset()


def replay(session: Session, signed: Signed, at: int) -> Appended | None:
    """The first fact if this statement is stored already, None if it is the subject's next; raises `Conflict` or
    `Stale`."""
    statement = signed.statement
    if (statement.no, statement.prev) == ledger.next_of(session, statement.subject):
        return None
    return ledger.append(session, signed, at=at)


def take(session: Session, signed: Signed, projectors: Projectors, *, at: int, parts: Sequence[bytes] = ()) -> Appended:
    """Stores the statement as a fact and folds it into the views, once. Raises the ledger's `Conflict` and `Stale`."""
    taken = ledger.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        projectors[taken.fact.kind](session, taken.fact)
    return taken
