"""Renewals and deletions folded from facts; until when files are kept; which renewals are due."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from ledger import log
from ledger.facts import Fact
from ledger.reading import read
from registry import store as registry
from registry.certificate import status_at
from registry.retention.keeping import (
    DELETION,
    RENEWAL,
    DeletionApproval,
    DueRenewal,
    Keeping,
    Renewal,
    ended_on,
    keeping_of,
    renewal_due,
)
from registry.retention.tables import DeletionRow, RenewalRow
from registry.tables import CertificateRow


def _renewed(session: Session, fact: Fact) -> None:
    body = read(Renewal, fact.body)
    session.add(
        RenewalRow(
            size=body.size, no=fact.statement.no, at=fact.at, algorithm=body.algorithm, content=body.content,
            fact_id=fact.id,
        )
    )  # fmt: skip
    session.flush()


def _approved(session: Session, fact: Fact) -> None:
    body = read(DeletionApproval, fact.body)
    session.add(DeletionRow(fact=body.fact, at=fact.at, ground=body.ground, basis=body.basis, fact_id=fact.id))
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {RENEWAL: _renewed, DELETION: _approved}
TABLES = (RenewalRow, DeletionRow)


def approval(session: Session, fact_id: str) -> DeletionRow | None:
    """The approval to delete this fact's text."""
    return session.get(DeletionRow, fact_id)


def renewed_at(session: Session, size: int) -> int | None:
    """When the proof of this head was last renewed."""
    return session.scalar(select(func.max(col(RenewalRow.at))).where(col(RenewalRow.size) == size))


def keeping(session: Session, code: str, now: int) -> Keeping:
    """Until when a certificate's file is kept. Raises `Unknown`."""
    return _keeping(session, registry.certificate(session, code), now)


def keepings(session: Session, now: int) -> list[Keeping]:
    """Until when each certificate's file is kept, by code."""
    later = aliased(CertificateRow)
    newest = select(func.max(col(later.version))).where(col(later.code) == col(CertificateRow.code)).scalar_subquery()
    rows = session.scalars(
        select(CertificateRow).where(col(CertificateRow.version) == newest).order_by(col(CertificateRow.code))
    )
    return [_keeping(session, row, now) for row in rows]


def renewals_due(session: Session, by: str) -> list[DueRenewal]:
    """The plan: the newest head, which covers all before it, and every head that was renewed, due by a legal day."""
    heads = log.heads(session)
    renewed = set(session.scalars(select(col(RenewalRow.size))))
    chosen = {head.checkpoint.size: head for head in heads if head.checkpoint.size in renewed}
    chosen |= {head.checkpoint.size: head for head in heads[-1:]}
    newest = max(chosen, default=0)
    found = []
    for size, head in sorted(chosen.items()):
        if size != newest and any(other > size and renewed_at(session, other) for other in chosen):
            continue  # a renewal of a later head hashes everything under this one again
        found.append(renewal_due(size, head.checkpoint.at, renewed_at(session, size)))
    return [item for item in found if item.due <= by]


def _keeping(session: Session, row: CertificateRow, now: int) -> Keeping:
    standing = registry.standing_of(session, row)
    told = registry.last_told(session, row.code, row.version)
    pending = [
        name for name, on in (("异议", standing.objection or told.objection), ("权利限制", told.encumbered)) if on
    ]
    return keeping_of(row.code, ended_on(standing, status_at(standing, now), now), pending)
