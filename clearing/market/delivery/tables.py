"""Views of deliveries, derived from facts by `clearing.market.delivery.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, String, Table, Text

from ledger.tables import derived, metadata

delivery = Table(
    "market_delivery",
    metadata,
    derived("id", String(32), key=True),
    derived("agreement", String(64)),
    derived("revision", BigInteger()),
    derived("provider", String(18), index=True),
    derived("consumer", String(18), index=True),
    derived("period", String(7)),
    derived("no", BigInteger()),
    derived("since", BigInteger()),
    derived("open", Boolean(), index=True),
    derived("case", Text()),
    Index("ix_market_delivery_agreement", "agreement", "period"),
)
"""A delivery as its acts fold: `case` is the folded case, `no` the number of its last act, `since` when that was taken
in, `period` a month or "", `open` says that an act may still change it. What silence brings about stands in no column:
it depends on when one asks."""


act = Table(
    "market_delivery_act",
    metadata,
    derived("delivery", String(32), key=True),
    derived("no", BigInteger(), key=True),
    derived("fact_id", String(64)),
    derived("act", String(16)),
    derived("side", String(8)),
    derived("at", BigInteger()),
)
"""Every act of a delivery: what was done, by which side, and when it was taken in."""
