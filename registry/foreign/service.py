"""Foreign certificates as the outside calls it: staff takes them in and checks them; applications link to them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import signers, stating
from registry import store as registry
from registry.agency import Agency
from registry.case import FINAL, Role
from registry.errors import GuardRefused, NotEntitled
from registry.foreign import store
from registry.foreign.check import CHECKED, ForeignCheck, ForeignState, checked, relied_upon
from registry.foreign.link import LINKED, Earlier, ForeignLink, agreements
from registry.foreign.paper import FOREIGN, PAPER_SAYS, ForeignPaper, PaperType, require_plausible, subject_of
from registry.foreign.tables import ForeignRow
from registry.party import party_subject

IMPORTERS = frozenset({Role.INTAKE.value, Role.REVIEWER.value})
CHECKERS = frozenset({Role.REVIEWER.value, Role.APPROVER.value})


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a foreign certificate may be used now; `must_recheck` says that it must be asked for again first."""

    id: str
    state: ForeignState
    must_recheck: bool
    as_of: int
    at: int


def take_in(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in foreign-certificate/v1, signed by a clerk or reviewer of the agency. Raises `FieldError` for junk."""
    stating.require_kind(signed, FOREIGN)
    body = read(ForeignPaper, signed.statement.body)
    if signed.statement.subject != subject_of(body):
        raise FieldError("statement.subject", subject_of(body), signed.statement.subject)
    if stating.is_known(session, signed):
        return facts.append(session, signed, at=at)
    if signed.statement.no != 0:
        raise FieldError("statement.no", "0", str(signed.statement.no))
    signers.require_staff(session, signed, agency, IMPORTERS, at)
    known = [(row.issuer, PaperType(row.paper_type)) for row in store.numbered(session, body.number)]
    require_plausible(body, known)
    if body.issuer == agency.uscc:
        raise FieldError("body.issuer", "其他机构 / another issuer", f"{body.issuer} 为本登记机构 / this agency")
    return _stored(session, signed, at)


def take_check(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in foreign-check/v1, signed by a reviewer or approver of the agency. Raises `IllegalMove`, `FieldError`."""
    stating.require_kind(signed, CHECKED)
    body = read(ForeignCheck, signed.statement.body)
    row = store.foreign(session, _identity(signed.statement.subject))
    if stating.is_known(session, signed):
        return facts.append(session, signed, at=at)
    signers.require_staff(session, signed, agency, CHECKERS, at)
    checked(ForeignState(row.state), body, row.as_of, at)
    return _stored(session, signed, at)


def link(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in foreign-link/v1, signed by an applicant or by staff of the agency, while the application is open."""
    stating.require_kind(signed, LINKED)
    body = read(ForeignLink, signed.statement.body)
    if signed.statement.subject != f"foreign-link:{body.application}":
        raise FieldError("statement.subject", f"foreign-link:{body.application}", signed.statement.subject)
    case = registry.case(session, body.application)
    row = store.foreign(session, body.foreign)
    if stating.is_known(session, signed):
        return facts.append(session, signed, at=at)
    by = {item.by for item in signed.signatures}
    applicant = next((item for item in case.form.applicants if by == {party_subject(item.identity)}), None)
    if applicant is None:
        signers.require_staff(session, signed, agency, IMPORTERS, at)
    else:
        signers.require_signature(session, signed, party_subject(applicant.identity), at=at)
    if case.state in FINAL:
        raise NotEntitled(
            "G41", f"申请件已办结（{case.state.value}）。", f"the application is over ({case.state.value})"
        )
    if row.state == ForeignState.FAILED.value:
        raise GuardRefused("G41", "verified", "该外部凭证核验不符。", "the foreign certificate failed its check")
    return _stored(session, signed, at)


# Answers --------------------------------------------------------------------------------------------------------------


def earlier(session: Session, application: str, at: int) -> tuple[Earlier, ...]:
    """What the reviewer sees of the earlier registrations an application names (art. 41). Raises `Unknown`."""
    form = registry.case(session, application).form
    return tuple(
        Earlier(
            row.id, row.issuer_name, row.paper_type, PAPER_SAYS[PaperType(row.paper_type)], row.number, row.version,
            row.state, row.method, row.as_of, row.valid_until, not must_recheck(row, at),
            agreements(form, row.data_name, row.holder_name, row.holder_id),
        )
        for row in store.linked(session, application)
    )  # fmt: skip


def must_recheck(row: ForeignRow, at: int) -> bool:
    """Must this certificate be checked (again) before it is used in a contract or a pledge?"""
    return not relied_upon(ForeignState(row.state), row.as_of, row.valid_until, at)


def standing(session: Session, identity: str, at: int) -> Standing:
    """How a foreign certificate stands at `at`: what clearing and pledges ask before they rely on it."""
    row = store.foreign(session, identity)
    return Standing(row.id, ForeignState(row.state), must_recheck(row, at), row.as_of, at)


def require_usable(session: Session, identity: str, at: int) -> None:
    """Raises `GuardRefused` unless the foreign certificate was verified lately enough, `Unknown` if there is none."""
    found = standing(session, identity, at)
    if found.must_recheck:
        raise GuardRefused(
            "7.3", "verified_lately",
            f"外部凭证 {identity} 使用前须重新核验（{found.state.value}）。",
            f"foreign certificate {identity} must be checked again before use ({found.state.value})",
        )  # fmt: skip


def is_verified(session: Session, paper_type: PaperType, number: str, at: int) -> bool:
    """Is a paper of this kind and number on record and verified lately enough (PC-14: PUBLIC_DATA_CODE)?"""
    return store.verified(session, number, paper_type, at)


def _identity(subject: str) -> str:
    kind, _, identity = subject.partition(":")
    if kind != "foreign":
        raise FieldError("statement.subject", "foreign:<32 hex>", subject)
    return identity


def _stored(session: Session, signed: Signed, at: int) -> Appended:
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken
