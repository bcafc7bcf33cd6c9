"""Views of demands, all derived from facts by `clearing.market.demand.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata
from registry.search.tables import PLACE, keep_index


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


demand = Table(
    "market_demand",
    metadata,
    _column("id", String(32), key=True),
    _column("state", String(16)),
    _column("since", BigInteger()),
    _column("escalates", BigInteger()),
    _column("demander", String(18), index=True),
    _column("visibility", String(8)),
    _column("merged_into", String(32), index=True),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    _column("document", Text()),
    _column("case", Text()),
    Index("ix_market_demand_state", "state", "escalates"),
)
"""A demand as it stands: `document` and its statement digest are of the last demand/v1, `case` is the folded case,
`escalates` when the clock has to look (0: never), `merged_into` the demand it goes along with ("": none)."""

budget = Table(
    "market_demand_budget",
    metadata,
    _column("demand", String(32), key=True),
    _column("low_fen", BigInteger()),
    _column("high_fen", BigInteger()),
    _column("at", BigInteger()),
)
"""The band of a demand as its demander stated it last; shown to nobody but the demander and the operator."""

line = Table(
    "demand_line",
    metadata,
    _column("place", PLACE, key=True),
    _column("demand", String(32), index=True),
    _column("summary", Text()),
    _column("text", Text()),
    _column("grams", Text()),
)
"""What is searched and shown of a demand everybody may see, the latest checked first. A place is the number after the
largest there is, so replaying the facts gives the same ones."""

keep_index("demand", line)
