"""Receipts and packages folded from facts, and what still waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger import canonical, tables
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import read
from registry import store as registry
from registry.application import released
from registry.case import MOVE, Case, State, awaits_release
from registry.national.exchange import (
    DEPOSIT_REFUSAL,
    PACKAGE,
    PACKAGE_RECEIPT,
    PUBLICITY_RECEIPT,
    RESULTS,
    DepositRefusal,
    Item,
    PackageMade,
    PackageReceipt,
    PublicityReceipt,
)
from registry.national.tables import DepositRefusalRow, NationalPackageRow, NationalResultRow, PublicityReleaseRow
from registry.projecting import write_case


def _released(session: Session, fact: Fact) -> None:
    body = read(PublicityReceipt, fact.body)
    application = facts.fact(session, body.application_digest.sha256).subject.partition(":")[2]
    session.add(
        PublicityReleaseRow(
            request=body.application_digest.sha256, application=application, number=body.number,
            released_at=body.released_at, fact_id=fact.id,
        )
    )  # fmt: skip
    session.flush()
    # A case never waits for two releases: without the first it does not come back to a second publicity.
    write_case(session, released(registry.case(session, application), body.released_at))


def _refused(session: Session, fact: Fact) -> None:
    body = read(DepositRefusal, fact.body)
    session.add(
        DepositRefusalRow(
            record=body.record.sha256, application=body.application, refused_at=body.refused_at, fact_id=fact.id
        )
    )
    session.flush()


def _packed(session: Session, fact: Fact) -> None:
    body = read(PackageMade, fact.body)
    session.add(
        NationalPackageRow(
            number=body.number, made_at=fact.at, items=body.publicity + body.deposits + body.results,
            manifest=body.manifest.sha256, fact_id=fact.id, receipt="",
        )
    )  # fmt: skip
    session.flush()


def _acknowledged(session: Session, fact: Fact) -> None:
    body = read(PackageReceipt, fact.body)
    row = package(session, body.manifest.sha256)
    assert row is not None
    row.receipt = fact.id
    session.flush()
    sent = {item.id for item in items_of(session, row) if item.kind == "result"}
    known = set(session.scalars(select(col(NationalResultRow.fact_id)).where(col(NationalResultRow.fact_id).in_(sent))))
    rows = [{"fact_id": fact_id, "package": body.package} for fact_id in sorted(sent - known)]
    if rows:
        session.execute(insert(NationalResultRow), rows)


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    PUBLICITY_RECEIPT: _released,
    DEPOSIT_REFUSAL: _refused,
    PACKAGE: _packed,
    PACKAGE_RECEIPT: _acknowledged,
}
TABLES = (PublicityReleaseRow, DepositRefusalRow, NationalPackageRow, NationalResultRow)


def newest_publication(session: Session, application: str) -> Fact:
    """The last I-15 of an application. Raises `LookupError` if it was never published."""
    acts = facts.facts_of(session, f"application:{application}")
    return [fact for fact in acts if fact.kind == MOVE and fact.body["move"] == "I-15"][-1]


def unreleased(session: Session, agency: str) -> list[Case]:
    """The agency's cases whose publicity text waits for its release."""
    cases = registry.cases_in(session, (State.PUBLICITY,))
    return [case for case in cases if awaits_release(case) and case.form.agency == agency]


def package(session: Session, manifest: str) -> NationalPackageRow | None:
    """The package whose manifest has this SHA-256."""
    query = select(NationalPackageRow).where(col(NationalPackageRow.manifest) == manifest)
    return session.scalars(query).first()


def items_of(session: Session, row: NationalPackageRow) -> list[Item]:
    """What a package holds."""
    return [read(Item, canonical.decode(part), "parts") for part in facts.parts_of(session, row.fact_id)]


def packages(session: Session) -> tuple[int, int, int | None]:
    """How many packages were made, the newest acknowledged one's number (0: none), and when the last was made."""
    made, last = session.execute(
        select(func.count(), func.max(col(NationalPackageRow.made_at))).select_from(NationalPackageRow)
    ).one()
    acknowledged = session.scalar(
        select(func.coalesce(func.max(col(NationalPackageRow.number)), 0)).where(col(NationalPackageRow.receipt) != "")
    )
    return int(made), int(acknowledged or 0), last


def unreported(session: Session, limit: int) -> list[Fact]:
    """Results that no acknowledged package held, oldest first, at most `limit`."""
    ids = session.scalars(_unreported(tables.fact.c.id).order_by(tables.fact.c.seq).limit(limit))
    return [facts.fact(session, fact_id) for fact_id in list(ids)]


def count_unreported(session: Session) -> int:
    """How many results no acknowledged package held."""
    return int(session.scalar(_unreported(func.count())) or 0)


def _unreported(what: Any) -> Select[Any]:
    table = tables.fact
    return (
        select(what)
        .select_from(table)
        .outerjoin(NationalResultRow, col(NationalResultRow.fact_id) == table.c.id)
        .where(table.c.kind.in_(RESULTS), table.c.bytes.is_not(None), col(NationalResultRow.fact_id).is_(None))
    )
