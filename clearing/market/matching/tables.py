"""The rankings that were kept, derived from facts by `clearing.market.matching.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String, Table
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, autoincrement=False, info=DERIVED)


ranking = Table(
    "market_ranking",
    metadata,
    _column("demand", String(32), key=True),
    _column("no", BigInteger(), key=True),
    _column("at", BigInteger()),
    _column("rules", String(40)),
    _column("scored", BigInteger()),
    _column("fact_id", String(64)),
)
"""A ranking by its demand and number; `scored` is how many products passed the filters. The rest is in the fact."""
