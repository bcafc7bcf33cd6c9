"""Views of non-tax revenue, derived from facts by `clearing.settlement.public_revenue.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Table

from ledger.tables import derived, metadata

due = Table(
    "clearing_non_tax_due",
    metadata,
    derived("id", String(32), key=True),
    derived("authority", String(18), index=True),
    derived("payer", String(18), index=True),
    derived("treasury", String(18), index=True),
    derived("issuer", String(18), index=True),
    derived("item", String(20)),
    derived("period", String(7)),
    derived("fen", BigInteger()),
    derived("basis", String(64), unique=True),
    derived("origin", String(64), nullable=True, index=True),
    derived("notice", String(32), nullable=True, unique=True),
    derived("state", String(12)),
    derived("paid", BigInteger()),
    derived("ticketed", BigInteger()),
    derived("allocated", BigInteger()),
    derived("refunded", BigInteger()),
    derived("fact_id", String(64)),
)
"""`notice` is the 缴款码, `basis` the SHA-256 of the document it was assessed by: both serve once."""

ticket = Table(
    "clearing_fiscal_ticket",
    metadata,
    derived("code", String(8), key=True),
    derived("number", String(10), key=True),
    derived("due", String(32), index=True),
    derived("fen", BigInteger()),
    derived("refunded", BigInteger()),
    derived("fact_id", String(64)),
    derived("allocation", String(64), nullable=True),
)

entry = Table(
    "clearing_non_tax_entry",
    metadata,
    derived("bank", String(12), key=True),
    derived("reference", String(64), key=True),
    derived("due", String(32), index=True),
    derived("fen", BigInteger()),
    derived("fact_id", String(64)),
)
"""Bank entries that were used up: payments > 0, refunds < 0 fen."""

plan = Table(
    "clearing_allocation_plan",
    metadata,
    derived("plan", String(32), key=True),
    derived("version", Integer(), key=True),
    derived("authority", String(18), index=True),
    derived("total", BigInteger()),
    derived("fact_id", String(64)),
)
"""`total`: what the lineage of this version holds, fen, refunds taken off."""

line = Table(
    "clearing_allocation_line",
    metadata,
    derived("fact_id", String(64), key=True),
    derived("purpose", String(40), key=True),
    derived("due", String(32), index=True),
    derived("plan", String(32)),
    derived("version", Integer()),
    derived("budget_class", String(9)),
    derived("amount", BigInteger()),
)
"""Lines of allocations, and of refunds with the other sign."""
