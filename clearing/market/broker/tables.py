"""Mandates as they stand, derived from facts by `clearing.market.broker.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


mandate = Table(
    "market_mandate",
    metadata,
    _column("id", String(32), key=True),
    _column("principal", String(18), index=True),
    _column("broker", String(18), index=True),
    _column("first_at", BigInteger()),
    _column("until", BigInteger()),
    _column("ended_at", BigInteger()),
    _column("reason", String(1000)),
    _column("document", Text()),
)
"""A mandate: in force from `first_at` until before `until`, unless it was ended before that (`ended_at`, 0: not)."""
