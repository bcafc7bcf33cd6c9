"""Acts of an exit taken in, and the next act of a hand-over drawn up for whoever has to sign it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from ledger import canonical
from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from ledger.facts import PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.asset import Twin
from registry.duties import store as duties
from registry.errors import NotEntitled
from registry.handover import store
from registry.handover.leaving import (
    EXIT,
    CertificateLine,
    ExitAct,
    ExitRole,
    FormerLog,
    Leaving,
    Surroundings,
    decide,
)
from registry.party import check_uscc


def exit_subject(agency: str) -> str:
    """The subject of an agency's exit."""
    return f"exit:{agency}"


def take_act(session: Session, signed: Signed, parts: Sequence[bytes] = (), *, at: int) -> Appended:
    """Takes in agency-exit/v1, signed by whom the table names.

    Raises `FieldError`, `BadSignature`, `IllegalMove`, `NotEntitled`, `GuardRefused`.
    """
    statement = signed.statement
    if statement.kind != EXIT:
        raise FieldError("statement.kind", EXIT, statement.kind)
    kind, _, agency = statement.subject.partition(":")
    if kind != "exit":
        raise FieldError("statement.subject", "exit:<USCC>", statement.subject)
    check_uscc(agency, "statement.subject")
    act = read(ExitAct, statement.body)
    if (statement.parts is None) != (act.move != "H-08" or not parts):
        raise FieldError("statement.parts", "仅 H-08 带分项 / with H-08 only", act.move)
    stated = tuple(read(CertificateLine, canonical.decode(part), "parts") for part in parts)
    if facts.next_of(session, statement.subject) != (statement.no, statement.prev):
        return facts.append(session, signed, at=at, parts=parts)
    case = store.leaving(session, agency)
    roles = [_role(session, case, signed, signature, at) for signature in signed.signatures]
    decide(case, act, roles, _around(session, case, act, stated, at), at)
    taken = facts.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        store.PROJECTORS[EXIT](session, taken.fact)
    return taken


def exported(session: Session, agency: str, manifest: Twin, log: FormerLog) -> Statement:
    """H-06, to be signed by the leaving agency."""
    return _next(session, agency, ExitAct("H-06", manifest=manifest, log=log))


def handed_over(session: Session, agency: str) -> Statement:
    """H-07, to be signed by both sides: the receiver when it has verified and imported the parcel."""
    return _next(session, agency, ExitAct("H-07", manifest=store.leaving(session, agency).manifest))


def in_custody(session: Session, agency: str, at: int) -> tuple[Statement, tuple[bytes, ...]]:
    """H-08 with its parts, to be signed by the receiver: every certificate with code, state and validity at `at`."""
    lines = store.certificates(session, agency, at, lambda row: registry.standing_of(session, row))
    parts = tuple(canonical.encode(body_of(line)) for line in lines)
    root = PartsRoot.over(parts) if parts else None
    return _next(session, agency, ExitAct("H-08", as_of=at), root), parts


def exited(session: Session, agency: str) -> Statement:
    """H-09, to be signed by the leaving agency: its last signature."""
    return _next(session, agency, ExitAct("H-09"))


def _next(session: Session, agency: str, act: ExitAct, parts: PartsRoot | None = None) -> Statement:
    no, prev = facts.next_of(session, exit_subject(agency))
    return Statement(EXIT, exit_subject(agency), no, prev, body_of(act), parts)


def _around(
    session: Session, case: Leaving, act: ExitAct, stated: tuple[CertificateLine, ...], at: int
) -> Surroundings:
    if act.move == "H-08" and act.as_of is not None:
        if not case.changed_at <= act.as_of <= at:
            raise FieldError("body.as_of", f"{case.changed_at}…{at}", str(act.as_of))
        lines = store.certificates(session, case.agency, act.as_of, lambda row: registry.standing_of(session, row))
        return Surroundings(certificates=tuple(lines), stated=stated)
    return Surroundings(
        running=tuple(store.running(session, case.agency)), removed=duties.is_removed(session, case.agency)
    )


def _role(session: Session, case: Leaving, signed: Signed, signature: Signature, at: int) -> ExitRole:
    """In which capacity this signature stands, after it was verified with the key in force."""
    signers.require_signature(session, signed, signature.by, signature.role, at=at)
    kind, _, name = signature.by.partition(":")
    if kind == "staff":
        staff = registry.staff_at(session, name, at)
        if staff.organisation != case.agency or signature.role not in staff.roles.split():
            raise NotEntitled("退出", f"{signature.by} 不是该机构的经办人。", "not staff of the agency in this role")
        if signature.role in (ExitRole.REVIEWER, ExitRole.APPROVER):
            return ExitRole(signature.role)
    if kind == "party":
        if name == case.agency:
            return ExitRole.AGENCY
        if case.receiver and name == case.receiver:
            return ExitRole.RECEIVER
        for role in (ExitRole.PROVINCE, ExitRole.NATIONAL):
            if role.value in registry.party_at(session, name, at).roles.split():
                return role
    raise BadSignature(signature.by, "与该机构的退出无关 / nothing to do with this exit")
