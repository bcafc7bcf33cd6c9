"""Views of outages and checks, derived from facts by `clearing.usage.service_level.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


outage = Table(
    "service_outage",
    metadata,
    _column("id", String(32), key=True),
    _column("listing", String(32), index=True),
    _column("no", BigInteger()),
    _column("since", BigInteger()),
    _column("case", Text()),
)
"""A planned outage or an incident as its acts fold: `no` is the last act's number, `since` when it was taken in."""

check = Table(
    "service_check",
    metadata,
    _column("id", String(32), key=True),
    _column("listing", String(32)),
    _column("period", String(7)),
    _column("at", BigInteger()),
    _column("fact_id", String(64)),
    _column("document", Text()),
    Index("ix_service_check_listing", "listing", "period"),
)
"""A check as it was stated, `document` being the body."""
