"""Sketch rows folded from facts, and who shares names with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger.facts import Fact
from ledger.reading import read
from ledger.store import parts_of
from registry.case import State
from registry.likeness.fingerprint import FINGERPRINT, Fingerprint, check_fingerprint, looked_up
from registry.likeness.sketch import Group, groups_of
from registry.likeness.tables import FingerprintNameRow, FingerprintRow
from registry.tables import ApplicationRow, CertificateRow

LEAST_SHARED = 3
"""Names two sketches must share to be compared in full."""
CANDIDATES = 50
CHUNK = 500


def _fingerprint(session: Session, fact: Fact) -> None:
    body = read(Fingerprint, fact.body)
    identity = fact.subject.partition(":")[2]
    groups = check_fingerprint(body, parts_of(session, fact.id))
    session.add(
        FingerprintRow(
            id=identity, content=body.content.sha256, holder=body.holder, rows=body.rows, columns=body.columns,
            groups=body.groups, at=fact.at, fact_id=fact.id,
        )
    )  # fmt: skip
    session.flush()
    rows = [{"name": name, "fingerprint": identity} for name in sorted(looked_up(groups))]
    session.execute(insert(FingerprintNameRow), rows)


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {FINGERPRINT: _fingerprint}
TABLES = (FingerprintRow, FingerprintNameRow)


def of_content(session: Session, content: str) -> list[FingerprintRow]:
    """The sketches of this content (SHA-256), newest first."""
    return list(
        session.scalars(
            select(FingerprintRow)
            .where(col(FingerprintRow.content) == content)
            .order_by(col(FingerprintRow.at).desc(), col(FingerprintRow.id))
        )
    )


def candidates(session: Session, names: Iterable[int], but_content: str) -> list[FingerprintRow]:
    """Sketches of other content that share at least `LEAST_SHARED` names, those that share most first."""
    wanted = sorted(names)
    shared: dict[str, int] = {}
    for start in range(0, len(wanted), CHUNK):
        for found, count in session.execute(
            select(col(FingerprintNameRow.fingerprint), func.count())
            .where(col(FingerprintNameRow.name).in_(wanted[start : start + CHUNK]))
            .group_by(col(FingerprintNameRow.fingerprint))
        ):
            shared[found] = shared.get(found, 0) + count
    first = sorted((identity for identity in shared if shared[identity] >= LEAST_SHARED), key=lambda i: (-shared[i], i))
    rows = [session.get(FingerprintRow, identity) for identity in first[:CANDIDATES]]
    return [row for row in rows if row is not None and row.content != but_content]


def groups(session: Session, row: FingerprintRow) -> tuple[Group, ...]:
    """The groups of a stored sketch."""
    return groups_of(parts_of(session, row.fact_id))


def matters_of(session: Session, content: str) -> tuple[Sequence[str], Sequence[str]]:
    """Codes of certificates and ids of applications that got as far as being filed, about this content."""
    codes = session.scalars(
        select(col(CertificateRow.code))
        .where(col(CertificateRow.content) == content)
        .distinct()
        .order_by(col(CertificateRow.code))
    )
    applications = session.scalars(
        select(col(ApplicationRow.id))
        .where(col(ApplicationRow.content) == content, col(ApplicationRow.state) != State.ISSUED.value)
        .order_by(col(ApplicationRow.submitted_at), col(ApplicationRow.id))
    )
    return list(codes), list(applications)
