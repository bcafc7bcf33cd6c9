"""Profiles and evaluations as they stand, derived from facts by `clearing.market.profile.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


profile = Table(
    "market_profile",
    metadata,
    _column("party", String(18), key=True),
    _column("at", BigInteger()),
    _column("document", Text()),
)
"""What a party declared last."""

evaluation = Table(
    "market_evaluation",
    metadata,
    _column("agreement", String(64), key=True),
    _column("by", String(18), key=True),
    _column("party", String(18)),
    _column("score", BigInteger()),
    _column("text", Text()),
    _column("at", BigInteger()),
    _column("reply", Text()),
    _column("replied_at", BigInteger()),
    Index("ix_market_evaluation_party", "party", "at"),
)
"""What one side (`by`) of an agreement says of the other (`party`), and the answer ("" and 0: none yet)."""
