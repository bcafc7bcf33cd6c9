"""Who holds a right at an instant, and who may derive data from whose (art. 21, chain of title)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import store
from registry.calendar import day_of
from registry.certificate import IN_FORCE, USE_AUTHORISATION, UseAuthorisation, status_at
from registry.errors import NotEntitled, Unknown
from registry.form import Form
from registry.party import check_identity, party_subject
from registry.rights import MATRIX, Right
from registry.signers import require_all
from registry.stating import hex_identity, is_known, require_kind, take_in


def holds_right(session: Session, party: str, certificate_code: str, right: Right, at: int) -> bool:
    """Does this party hold this right under this certificate, in force at `at`?"""
    return party in _holders_in_force(session, certificate_code, right, at)


def right_in_force(session: Session, certificate_code: str, right: Right, at: int) -> bool:
    """Does anybody hold this right under this certificate, in force at `at`?"""
    return bool(_holders_in_force(session, certificate_code, right, at))


def source_gaps(session: Session, form: Form, at: int) -> tuple[str, ...]:
    """Why an applicant may not derive data from a source: no certificate, not in force, no right of use."""
    gaps = []
    if MATRIX[form.right_basis].needs_source_use and not form.description.sources:
        gaps.append("未列明原始数据的登记凭证")
    for source in form.description.sources:
        for applicant in form.applicants:
            if not _may_use(session, applicant.identity, source.certificate, source.authorisation, at):
                gaps.append(f"{applicant.identity} 对 {source.certificate} 不享有有效的使用权")
    return tuple(gaps)


def authorise_use(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in use-authorisation/v1: a holder of 使用权 lets another party derive data; signed by that holder."""
    require_kind(signed, USE_AUTHORISATION)
    hex_identity(signed.statement.subject, "authorisation")
    body = read(UseAuthorisation, signed.statement.body)
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    if not at < body.to_at or not body.from_at < body.to_at:
        raise FieldError("body.to_at", "晚于现在和 from_at / later than now and from_at", str(body.to_at))
    check_identity(body.grantee, "body.grantee")
    require_all(session, signed, {party_subject(body.holder)}, at)
    if not holds_right(session, body.holder, body.certificate, Right.USE, at):
        raise NotEntitled(
            "授权", f"{body.holder} 不享有 {body.certificate} 的使用权。", "the grantor holds no right of use"
        )
    return take_in(session, signed, at)


def may_derive(session: Session, party: str, code: str, at: int) -> bool:
    """May this party derive data from this certificate's at `at`: by its own 使用权, or by leave of a holder of it?"""
    if holds_right(session, party, code, Right.USE, at):
        return True
    given = store.authorisations_of(session, party, code, at)
    return any(holds_right(session, item.holder, code, Right.USE, at) for item in given)


def _may_use(session: Session, party: str, code: str, authorisation: str, at: int) -> bool:
    if holds_right(session, party, code, Right.USE, at):
        return True
    given = store.authorisation(session, authorisation) if authorisation else None
    return (
        given is not None
        and (given.code, given.grantee) == (code, party)
        and given.from_at <= at < given.to_at
        and holds_right(session, given.holder, code, Right.USE, at)
    )


def source_ends(session: Session, form: Form) -> Sequence[str]:
    """The last days of the source certificates and of the authorisations the applicants rely on."""
    ends = []
    for source in form.description.sources:
        ends.append(store.certificate(session, source.certificate).last_day)
        given = store.authorisation(session, source.authorisation) if source.authorisation else None
        if given is not None:
            ends.append(day_of(given.to_at - 1).isoformat())
    return ends


def _holders_in_force(session: Session, certificate_code: str, right: Right, at: int) -> set[str]:
    """Who holds this right under this certificate at `at`; nobody when it is unknown or not in force."""
    try:
        row = store.certificate_at(session, certificate_code, at)
    except Unknown:
        return set()
    if status_at(store.standing_of(session, row), at) not in IN_FORCE:
        return set()
    day = day_of(at).isoformat()
    return {
        held.holder
        for held in store.holdings(session, row.code, row.version)
        if held.right == right.value and (held.term_from or day) <= day <= (held.term_to or day)
    }
