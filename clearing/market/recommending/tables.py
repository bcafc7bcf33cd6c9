"""What recommendations rest on: operational, kept for 90 days, evidence of nothing; the switch is a view of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table

from ledger.tables import DERIVED, OPERATIONAL, metadata

search = Table(
    "market_search",
    metadata,
    Column("id", String(32), primary_key=True, info=OPERATIONAL),
    Column("party", String(18), nullable=False, info=OPERATIONAL),
    Column("at", BigInteger, nullable=False, info=OPERATIONAL),
    Column("words", String(80), nullable=False, info=OPERATIONAL),
    Column("industry", String(3), nullable=False, info=OPERATIONAL),
    Column("type", String(8), nullable=False, info=OPERATIONAL),
    Index("ix_market_search_party", "party", "at"),
)
"""A search an organisation sent to be kept: never who of it searched."""

total = Table(
    "market_search_total",
    metadata,
    Column("month", String(7), primary_key=True, info=OPERATIONAL),
    Column("industry", String(3), primary_key=True, info=OPERATIONAL),
    Column("type", String(8), primary_key=True, info=OPERATIONAL),
    Column("count", BigInteger, nullable=False, info=OPERATIONAL),
)
"""What is left of searches after 90 days: how many there were in a month, of nobody in particular."""

unpersonalised = Table(
    "market_unpersonalised",
    metadata,
    Column("party", String(18), primary_key=True, info=DERIVED),
    Column("at", BigInteger, nullable=False, info=DERIVED),
)
"""Who switched personal recommendations off, and when."""
