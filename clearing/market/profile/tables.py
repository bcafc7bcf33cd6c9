"""Profiles and evaluations as they stand, derived from facts by `clearing.market.profile.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from ledger.tables import derived, metadata

profile = Table(
    "market_profile",
    metadata,
    derived("party", String(18), key=True),
    derived("at", BigInteger()),
    derived("document", Text()),
)
"""What a party declared last."""

evaluation = Table(
    "market_evaluation",
    metadata,
    derived("agreement", String(64), key=True),
    derived("by", String(18), key=True),
    derived("party", String(18)),
    derived("score", BigInteger()),
    derived("text", Text()),
    derived("at", BigInteger()),
    derived("reply", Text()),
    derived("replied_at", BigInteger()),
    Index("ix_market_evaluation_party", "party", "at"),
)
"""What one side (`by`) of an agreement says of the other (`party`), and the answer ("" and 0: none yet)."""
