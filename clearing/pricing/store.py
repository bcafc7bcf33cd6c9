"""Queries of pricing and the projector that folds its facts into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.pricing import tables
from clearing.pricing.quote import PRICE_QUOTE, PriceQuote
from ledger import store as facts
from ledger.digest import TwinDigest
from ledger.facts import Fact
from ledger.reading import body_of, read

VIEWS: tuple[Table, ...] = (tables.quote,)
_TWINS = ("report", "evidence")


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A quote as it stands: its body, the fact it stands in, when it was taken in, and what replaced it (or None)."""

    quote: PriceQuote
    fact_id: str
    at: int
    superseded_by: str | None


def project_quote(session: Session, fact: Fact) -> None:
    """Writes the row of a price-quote/v1 fact."""
    row = body_of(read(PriceQuote, fact.body))
    values = {key: value for key, value in row.items() if key not in (*_TWINS, "report_id")}
    for name in _TWINS:
        values |= {f"{name}_{algorithm}": value for algorithm, value in row[name].items()}
    session.execute(insert(tables.quote).values(id=row["report_id"], fact_id=fact.id, at=fact.at, **values))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {PRICE_QUOTE: project_quote}


def project(session: Session, fact: Fact) -> None:
    """Runs the projector of the fact's kind."""
    PROJECTORS[fact.kind](session, fact)


def quote(session: Session, report_id: str) -> QuoteRow:
    """The quote with this id. Raises `UnknownFact`."""
    row = session.execute(
        select(tables.quote.c.fact_id, tables.quote.c.report_sha256).where(tables.quote.c.id == report_id)
    ).first()
    if row is None:
        raise UnknownFact("quote", report_id)
    return _row(session, row.fact_id, row.report_sha256)


def quotes_of(session: Session, element: str) -> list[QuoteRow]:
    """Every quote of an element, oldest `as_of` first."""
    table = tables.quote
    rows = session.execute(
        select(table.c.fact_id, table.c.report_sha256)
        .where(table.c.element == element)
        .order_by(table.c.as_of, table.c.id)
    ).all()
    return [_row(session, row.fact_id, row.report_sha256) for row in rows]


def issued_by(session: Session, issuer: str, limit: int = 200) -> list[QuoteRow]:
    """The quotes this party ("party:⟨USCC⟩") has issued, the latest taken in first."""
    table = tables.quote
    rows = session.execute(
        select(table.c.fact_id, table.c.report_sha256)
        .where(table.c.issuer == issuer)
        .order_by(table.c.at.desc(), table.c.id)
        .limit(limit)
    ).all()
    return [_row(session, row.fact_id, row.report_sha256) for row in rows]


def by_report(session: Session, sha256: str) -> PriceQuote | None:
    """The quote whose report has this SHA-256, or None."""
    fact_id = session.execute(
        select(tables.quote.c.fact_id).where(tables.quote.c.report_sha256 == sha256)
    ).scalar_one_or_none()
    return None if fact_id is None else read(PriceQuote, facts.fact(session, fact_id).body)


def documents(session: Session, report_id: str) -> tuple[bytes, bytes]:
    """Report and evidence bytes of a quote. Restricted: the evidence holds frequency profiles. Raises `UnknownFact`."""
    report, evidence = facts.parts_of(session, quote(session, report_id).fact_id)
    return report, evidence


def _row(session: Session, fact_id: str, report_sha256: str) -> QuoteRow:
    stored = facts.fact(session, fact_id)
    later = session.execute(
        select(tables.quote.c.id).where(tables.quote.c.supersedes == report_sha256).order_by(tables.quote.c.id)
    ).scalars()
    return QuoteRow(read(PriceQuote, stored.body), fact_id, stored.at, next(iter(later), None))


def report_digest(quote_: PriceQuote) -> TwinDigest:
    """The report digest of a quote as a twin."""
    return TwinDigest.of_document(body_of(quote_.report))
