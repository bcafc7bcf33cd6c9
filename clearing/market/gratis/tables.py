"""Applications for free products as they stand, derived from facts by `clearing.market.gratis.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from ledger.tables import derived, metadata

request = Table(
    "market_gratis",
    metadata,
    derived("id", String(32), key=True),
    derived("state", String(16)),
    derived("since", BigInteger()),
    derived("until", BigInteger()),
    derived("applicant", String(18), index=True),
    derived("provider", String(18), index=True),
    derived("listing", String(32)),
    derived("document", Text()),
    derived("case", Text()),
    Index("ix_market_gratis_state", "state", "until"),
)
"""An application: `case` is the folded case, `until` the first second after its grant (0: none)."""
