"""Views of deliveries, derived from facts by `clearing.market.delivery.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


delivery = Table(
    "market_delivery",
    metadata,
    _column("id", String(32), key=True),
    _column("agreement", String(64)),
    _column("revision", BigInteger()),
    _column("provider", String(18), index=True),
    _column("consumer", String(18), index=True),
    _column("period", String(7)),
    _column("no", BigInteger()),
    _column("since", BigInteger()),
    _column("open", Boolean(), index=True),
    _column("case", Text()),
    Index("ix_market_delivery_agreement", "agreement", "period"),
)
"""A delivery as its acts fold: `case` is the folded case, `no` the number of its last act, `since` when that was taken
in, `period` a month or "", `open` says that an act may still change it. What silence brings about stands in no column:
it depends on when one asks."""


act = Table(
    "market_delivery_act",
    metadata,
    _column("delivery", String(32), key=True),
    _column("no", BigInteger(), key=True),
    _column("fact_id", String(64)),
    _column("act", String(16)),
    _column("side", String(8)),
    _column("at", BigInteger()),
)
"""Every act of a delivery: what was done, by which side, and when it was taken in."""
