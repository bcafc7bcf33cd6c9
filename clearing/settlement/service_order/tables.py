"""Views of service orders, derived from facts by `clearing.settlement.service_order.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Table

from ledger.tables import derived, metadata

contract = Table(
    "clearing_service_contract",
    metadata,
    derived("id", String(32), key=True),
    derived("buyer", String(18), index=True),
    derived("provider", String(18), index=True),
    derived("supervisor", String(18), index=True),
    derived("fact_id", String(64)),
)

order = Table(
    "clearing_service_order",
    metadata,
    derived("id", String(32), key=True),
    derived("contract", String(32), index=True),
    derived("name", String(64)),
    derived("settled", String(40), nullable=True),
)
"""`settled` is the 项目周期 that settled the order; without it the order comes into the next one."""

month = Table(
    "clearing_service_month",
    metadata,
    derived("contract", String(32), key=True),
    derived("month", String(7), key=True),
    derived("fact_id", String(64)),
)

incident = Table(
    "clearing_service_incident",
    metadata,
    derived("contract", String(32), key=True),
    derived("fact", String(64), key=True),
    derived("fact_id", String(64)),
    derived("settled", String(40), nullable=True),
)

cycle = Table(
    "clearing_project_cycle",
    metadata,
    derived("contract", String(32), key=True),
    derived("cycle", String(40), key=True),
    derived("first", String(7)),
    derived("last", String(7)),
    derived("accepted_at", BigInteger()),
    derived("acceptance", String(64)),
    derived("settlement", String(64), nullable=True),
    derived("pay", BigInteger(), nullable=True),
    derived("invoice", String(64), nullable=True),
    derived("due", BigInteger(), nullable=True),
    derived("payment", String(64), nullable=True),
    derived("bank", String(12), nullable=True),
    derived("reference", String(64), nullable=True),
    derived("paid_on", String(10), nullable=True),
)
"""A 项目周期: `due` is the end of the last day of payment, seconds UTC, once the invoice is there; of its payment the
fact, the bank entry and the day that booked it."""
