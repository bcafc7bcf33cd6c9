"""Is a certificate in force: its status at an instant (decisions D19), and telling it when it changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.facts import Fact
from registry import store
from registry.afterlife import store as afterlife
from registry.afterlife.blocking import flags_of
from registry.afterlife.remark import RemarkKind
from registry.agency import Signer
from registry.certificate import IN_FORCE, Status, certificate_subject, status_at
from registry.stating import state_by_system
from registry.tables import CertificateRow
from registry.telling import TOLD, Telling, state_at


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """Status of a certificate at `as_of`, in the version of that time; `None` before its validity began."""

    code: str
    version: int
    status: Status | None
    in_force: bool
    valid_from: int
    valid_until: int
    as_of: int


def certificate_status(session: Session, code: str, at: int) -> CertificateStatus:
    """Status of a certificate at `at` (decisions D19); lapse follows from time alone. Raises `Unknown`."""
    row = store.certificate_at(session, code, at)
    status = status_at(store.standing_of(session, row), at)
    return CertificateStatus(code, row.version, status, status in IN_FORCE, row.valid_from, row.valid_until, at)


def version_status(session: Session, row: CertificateRow, at: int) -> tuple[Status | None, bool]:
    """Status of one version, and whether a temporary control rests on its certificate at `at`."""
    flags = flags_of(afterlife.remarks_of(session, row.code), at)
    controlled = any(flag.kind is RemarkKind.TEMP_CONTROL for flag in flags)
    return status_at(store.standing_of(session, row), at), controlled


def tell(
    session: Session, signer: Signer, row: CertificateRow, *, at: int, basis: str, effective_at: int | None = None
) -> Fact | None:
    """States certificate-status/v1 if the version's state at `at` is not the one told last; else `None`.

    Call it after whatever may have changed the state; `basis` is the fact id or the rule behind the change,
    `effective_at` the second from which it holds (default: `at`). It is told of no earlier second than the telling
    before, and one second later where the very same was told of that second already: on the chain the two would be one.
    """
    state = state_at(store.standing_of(session, row), at)
    if state is None or state == store.last_told(session, row.code, row.version):
        return None
    since = at if effective_at is None else effective_at
    if row.told:  # the contract dates a first change back, later ones not behind what it may have answered since
        since = max(since, store.latest_told(session))
    since = store.next_instant(session, row, state, since)
    body = Telling(row.code, row.version, state.status, state.encumbered, state.objection, since, basis)
    return state_by_system(session, signer, TOLD, certificate_subject(row.code), body, at=at)
