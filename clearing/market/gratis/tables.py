"""Applications for free products as they stand, derived from facts by `clearing.market.gratis.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


request = Table(
    "market_gratis",
    metadata,
    _column("id", String(32), key=True),
    _column("state", String(16)),
    _column("since", BigInteger()),
    _column("until", BigInteger()),
    _column("applicant", String(18), index=True),
    _column("provider", String(18), index=True),
    _column("listing", String(32)),
    _column("document", Text()),
    _column("case", Text()),
    Index("ix_market_gratis_state", "state", "until"),
)
"""An application: `case` is the folded case, `until` the first second after its grant (0: none)."""
