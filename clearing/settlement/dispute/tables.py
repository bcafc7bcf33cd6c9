"""Views of disputes, derived from facts by `clearing.settlement.dispute.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


dispute = Table(
    "clearing_dispute",
    metadata,
    _column("id", String(32), key=True),
    _column("agreement", String(64), index=True),
    _column("filer", String(18), index=True),
    _column("respondent", String(18), index=True),
    _column("state", String(16)),
    _column("no", BigInteger()),
    _column("since", BigInteger()),
    _column("case", Text()),
)
"""A dispute as its acts fold: `no` is the number of the last one, `since` when it was taken in."""
