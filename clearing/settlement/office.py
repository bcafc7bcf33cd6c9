"""What a step of settlement needs from outside, and the acts every step is made of: state, take in, move a cycle.

Nobody commits here. What the system states is signed by the office's system signer; what a party or a person states
comes in already signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, NotSigned, WrongMove
from clearing.market.delivery.accepting import Acceptance
from clearing.settlement import cycle as cycles
from clearing.settlement import projecting, store
from clearing.settlement.cycle import CycleMove, State, WorkingDays
from clearing.terms import AgreementTerms, Served
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.metered import MeteredUse
from ledger import store as facts
from ledger.digest import derive_salt
from ledger.facts import Fact, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner

Uses = Callable[[Session, str], Iterable[MeteredUse]]
"""(session, agreement) → every admitted usage record of the agreement, of all periods."""


Accepted = Callable[[Session, AgreementTerms, int], Iterable[Acceptance]]
"""(session, agreement revision, high-water mark) → all that was accepted under it, as so many log entries say."""


ServedBefore = Callable[[Session, int], Iterable[Served]]
"""(session, second UTC) → every revision ever in force of the agreements with a guarantee, as known before then."""


RevisionTerms = Callable[[Session, str, int], AgreementTerms]
"""(session, agreement, revision) → what it settles by, however long ago it ended."""


Terms = Callable[[Session, str, int], AgreementTerms]
"""(session, agreement, revision) → its terms. Raises UnknownFact."""


def nothing_guaranteed(session: Session, before: int) -> tuple[Served, ...]:
    """Of agreements none of which has a guarantee."""
    return ()


def nothing_accepted(session: Session, item: AgreementTerms, high_water: int) -> tuple[Acceptance, ...]:
    """Of agreements none of which bills by acceptance. Raises BadTerms."""
    raise BadTerms(f"{item.agreement} billing", "records of use: nothing says here what was accepted", item.billing)


@dataclass(frozen=True, slots=True)
class Office:
    """What settlement needs from outside.

    `require_signature(session, signed, by, role, at)` raises unless `by` ("party:…", "staff:…") signed in `role` with
    the key on record; who signs in a role must be staff of the operator and have it. `require_on_record(session, named,
    at)` raises unless each party of `named`, (field, identity), is on record. `typed_signer_ok(session, statement,
    signature, by, at)` says whether an EIP-712 signature is that of `by`. `secret` is 32 bytes from which salts and
    netting secrets are derived, so a re-run has the same bytes.
    """

    signer: SystemSigner
    secret: bytes
    working_days: WorkingDays
    require_signature: Callable[[Session, Signed, str, str, int], None]
    require_on_record: Callable[[Session, Iterable[tuple[str, str]], int], None]
    typed_signer_ok: Callable[[Session, Statement, Signature, str, int], bool]


def in_state(session: Session, cycle: str, state: State) -> CycleMove:
    """The cycle as it stands. Raises UnknownFact, and WrongMove in any other state."""
    now = store.cycle(session, cycle)
    if now.state is not state:
        raise WrongMove(cycle, str(state), str(now.state))
    return now


def advance(
    session: Session, office: Office, now: CycleMove, to: State, at: int, *, high_water: int | None = None,
    posted: int | None = None,
) -> CycleMove:  # fmt: skip
    """Move a cycle on by one state, its clock with it. Raises WrongMove, TooEarly."""
    move = cycles.advanced(now, to, at, office.working_days, high_water=high_water, posted=posted)
    state_move(session, office, move, at)
    return move


def state_move(session: Session, office: Office, move: CycleMove, at: int, no: int | None = None) -> Fact:
    """Append a state of a cycle; `no` 0 opens it."""
    return state_fact(session, office, "cycle-state/v1", f"cycle:{move.cycle}", move, at, no=no)


def state_fact(
    session: Session,
    office: Office,
    kind: str,
    subject: str,
    body: Any,
    at: int,
    *,
    parts: Sequence[bytes] = (),
    no: int | None = None,
) -> Fact:
    """Append what the system states. `no` 0 insists on being the first act; otherwise the next one is taken."""
    root = PartsRoot.over(parts) if parts else None
    if no == 0:
        statement = Statement(kind, subject, 0, None, body_of(body), root)
    else:
        statement = next_statement(session, kind, subject, body_of(body), root)
    signed = Signed(statement, (office.signer.sign(statement),))
    return take(session, signed, at, parts)


def next_statement(
    session: Session, kind: str, subject: str, body: dict[str, Any], parts: PartsRoot | None = None
) -> Statement:
    """The next act about a subject, for somebody to sign."""
    no, prev = facts.next_of(session, subject)
    return Statement(kind, subject, no, prev, body, parts)


def take(session: Session, signed: Signed, at: int, parts: Sequence[bytes] = ()) -> Fact:
    """Append what is signed and project it; the same act again is the first fact. Raises Conflict for another one."""
    appended = facts.append(session, signed, at=at, parts=parts)
    if not appended.replayed:
        projecting.project(session, appended.fact)
    return appended.fact


def of_kind(signed: Signed, kind: str) -> Statement:
    """The statement, when it is of this kind. Raises Clash."""
    if signed.statement.kind != kind:
        raise Clash(signed.statement.subject, kind, signed.statement.kind)
    return signed.statement


def require_subject(signed: Signed, subject: str) -> None:
    """Raises Clash when a statement is about another subject than its body says."""
    if signed.statement.subject != subject:
        raise Clash(signed.statement.subject, subject, signed.statement.subject)


def require_two(session: Session, office: Office, signed: Signed, at: int) -> None:
    """Maker and checker, two different persons, signed, and nobody else. Raises NotSigned, BadSignature."""
    signers = [(item.role, item.by) for item in signed.signatures]
    roles, persons = sorted(role for role, _ in signers), {by for _, by in signers}
    if roles != sorted((MAKER, CHECKER)) or len(persons) != 2:
        raise NotSigned(signed.statement.subject, f"two persons, {MAKER} and {CHECKER}", str(signers)[:200])
    for role, by in signers:
        office.require_signature(session, signed, by, role, at)


def salt(office: Office, subject: str, part: object) -> str:
    """The salt of one part: the same whenever the step is run again."""
    return derive_salt(office.secret, f"{subject}#{part}")


def digest(text: str) -> str:
    """A name short enough for a subject, SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
