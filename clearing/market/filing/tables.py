"""Filings as they stand, derived from facts by `clearing.market.filing.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Table, Text

from ledger.tables import derived, metadata

filing = Table(
    "market_filing",
    metadata,
    derived("agreement", String(64), key=True),
    derived("revision", Integer(), key=True),
    derived("state", String(10)),
    derived("since", BigInteger()),
    derived("filer", String(18), index=True),
    derived("number", String(100)),
    derived("first", Text()),
)
"""The filing of a revision: `first` is the body of its first act, `number` the authority's, "" until it filed."""
