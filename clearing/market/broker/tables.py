"""Mandates as they stand, derived from facts by `clearing.market.broker.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Table, Text

from ledger.tables import derived, metadata

mandate = Table(
    "market_mandate",
    metadata,
    derived("id", String(32), key=True),
    derived("principal", String(18), index=True),
    derived("broker", String(18), index=True),
    derived("first_at", BigInteger()),
    derived("until", BigInteger()),
    derived("ended_at", BigInteger()),
    derived("reason", String(1000)),
    derived("document", Text()),
)
"""A mandate: in force from `first_at` until before `until`, unless it was ended before that (`ended_at`, 0: not)."""
