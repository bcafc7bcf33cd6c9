"""The rankings that were kept, derived from facts by `clearing.market.matching.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Table

from ledger.tables import derived, metadata

ranking = Table(
    "market_ranking",
    metadata,
    derived("demand", String(32), key=True),
    derived("no", BigInteger(), key=True),
    derived("at", BigInteger()),
    derived("rules", String(40)),
    derived("scored", BigInteger()),
    derived("fact_id", String(64)),
)
"""A ranking by its demand and number; `scored` is how many products passed the filters. The rest is in the fact."""
