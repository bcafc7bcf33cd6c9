"""Exits folded from facts, and what follows from them for keys, intake and codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from ledger import canonical
from ledger import store as facts
from ledger.errors import BadSignature
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.case import FINAL
from registry.certificate import Standing, status_at
from registry.errors import GuardRefused
from registry.handover.leaving import EXIT, NO_INTAKE, CertificateLine, ExitAct, FormerLog, Leaving, apply
from registry.handover.tables import AgencyExitRow, CustodyRow
from registry.tables import ApplicationRow, CertificateRow


def _acted(session: Session, fact: Fact) -> None:
    agency = fact.subject.partition(":")[2]
    act = read(ExitAct, fact.body)
    known = apply(leaving(session, agency), act, fact.at)
    values: dict[str, Any] = {
        "state": known.state.value,
        "handed_at": known.handed_at,
        "exited_at": known.exited_at,
        "leaving": canonical.encode(body_of(known)).decode(),
    }
    row = session.get(AgencyExitRow, agency)
    if row is None:
        session.add(AgencyExitRow(agency=agency, **values))
    else:
        for name, value in values.items():
            setattr(row, name, value)
    if act.move == "H-08":
        for part in facts.parts_of(session, fact.id):
            line = read(CertificateLine, canonical.decode(part), "parts")
            session.add(
                CustodyRow(
                    code=line.code, agency=agency, custodian=known.receiver, since=fact.at, fact_id=fact.id
                )
            )  # fmt: skip
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {EXIT: _acted}
TABLES = (AgencyExitRow, CustodyRow)


def leaving(session: Session, agency: str) -> Leaving:
    """An agency's exit; state NONE for one that stays."""
    row = session.get(AgencyExitRow, agency)
    return read(Leaving, canonical.decode(row.leaving.encode())) if row else Leaving(agency)


def custody_of(session: Session, code: str) -> CustodyRow | None:
    """Who keeps this certificate instead of the agency that issued it; `None` while that agency does."""
    return session.get(CustodyRow, code)


def running(session: Session, agency: str) -> list[str]:
    """The agency's applications that have not come to an end."""
    final = [state.value for state in FINAL]
    return list(
        session.scalars(
            select(col(ApplicationRow.id))
            .where(col(ApplicationRow.agency) == agency, col(ApplicationRow.state).not_in(final))
            .order_by(col(ApplicationRow.submitted_at), col(ApplicationRow.id))
        )
    )


def certificates(
    session: Session, agency: str, at: int, standing: Callable[[CertificateRow], Standing]
) -> list[CertificateLine]:
    """The newest version of each certificate this agency issued, as it stands at `at`, by code."""
    later = aliased(CertificateRow)
    newest = select(func.max(col(later.version))).where(col(later.code) == col(CertificateRow.code)).scalar_subquery()
    rows = session.scalars(
        select(CertificateRow)
        .where(col(CertificateRow.agency) == agency, col(CertificateRow.version) == newest)
        .order_by(col(CertificateRow.code))
    )
    found = []
    for row in rows:
        status = status_at(standing(row), at)
        found.append(
            CertificateLine(row.code, row.version, status.value if status else "", row.valid_from, row.valid_until)
        )
    return found


def former_logs(session: Session) -> Sequence[FormerLog]:
    """The logs whose facts this installation continues, by what the exits it received say."""
    rows = session.scalars(select(AgencyExitRow).order_by(col(AgencyExitRow.agency)))
    cases = [read(Leaving, canonical.decode(row.leaving.encode())) for row in rows]
    return [case.log for case in cases if case.log is not None]


def require_intake(session: Session, agency: str) -> None:
    """Raises `GuardRefused` from H-04 on: what begins now begins with the receiver (P)."""
    state = leaving(session, agency).state
    if state in NO_INTAKE:
        raise GuardRefused(
            "I-02", "intake_is_open", "本机构正在退出登记业务，不再受理新的申请。",
            "this agency is leaving and takes nothing new in",
        )  # fmt: skip


def require_in_office(session: Session, organisation: str, by: str, at: int) -> None:
    """Raises `BadSignature` for a new signature of an agency that has left (H-09), or of its staff after the hand-over
    (H-07). What was signed before stays as good as it was."""
    row = session.get(AgencyExitRow, organisation)
    if row is None:
        return
    ended = row.exited_at if by.startswith("party:") else row.handed_at
    if ended is not None and at > ended:
        raise BadSignature(
            by, "该机构已退出登记业务，其密钥不得用于新的签名 / the agency has left; its keys sign no more"
        )


def require_own_digit(session: Session, region: str, digit: str) -> None:
    """Raises `GuardRefused` if this region and digit belong to an agency that left: they are not used again (P)."""
    used = select(col(CustodyRow.code)).where(col(CustodyRow.code).startswith(f"SJ{region}{digit}")).limit(1)
    if session.scalar(used) is not None:
        raise GuardRefused(
            "I-25", "digit_is_not_reused", f"编码位 {region}{digit} 属已退出的登记机构，不得再用。",
            "these code digits belong to an agency that left",
        )  # fmt: skip
