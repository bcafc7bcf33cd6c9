"""Views of demands, all derived from facts by `clearing.market.demand.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from ledger.tables import derived, metadata
from registry.search.tables import PLACE, keep_index

demand = Table(
    "market_demand",
    metadata,
    derived("id", String(32), key=True),
    derived("state", String(16)),
    derived("since", BigInteger()),
    derived("escalates", BigInteger()),
    derived("demander", String(18), index=True),
    derived("visibility", String(8)),
    derived("merged_into", String(32), index=True),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
    derived("case", Text()),
    Index("ix_market_demand_state", "state", "escalates"),
)
"""A demand as it stands: `document` and its statement digest are of the last demand/v1, `case` is the folded case,
`escalates` when the clock has to look (0: never), `merged_into` the demand it goes along with ("": none)."""

budget = Table(
    "market_demand_budget",
    metadata,
    derived("demand", String(32), key=True),
    derived("low_fen", BigInteger()),
    derived("high_fen", BigInteger()),
    derived("at", BigInteger()),
)
"""The band of a demand as its demander stated it last; shown to nobody but the demander and the operator."""

line = Table(
    "demand_line",
    metadata,
    derived("place", PLACE, key=True),
    derived("demand", String(32), index=True),
    derived("summary", Text()),
    derived("text", Text()),
    derived("grams", Text()),
)
"""What is searched and shown of a demand everybody may see, the latest checked first. A place is the number after the
largest there is, so replaying the facts gives the same ones."""

keep_index("demand", line)
