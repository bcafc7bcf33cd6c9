"""Views of outages and checks, derived from facts by `clearing.usage.service_level.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from ledger.tables import derived, metadata

outage = Table(
    "service_outage",
    metadata,
    derived("id", String(32), key=True),
    derived("listing", String(32), index=True),
    derived("no", BigInteger()),
    derived("since", BigInteger()),
    derived("case", Text()),
)
"""A planned outage or an incident as its acts fold: `no` is the last act's number, `since` when it was taken in."""

check = Table(
    "service_check",
    metadata,
    derived("id", String(32), key=True),
    derived("listing", String(32)),
    derived("period", String(7)),
    derived("at", BigInteger()),
    derived("fact_id", String(64)),
    derived("document", Text()),
    Index("ix_service_check_listing", "listing", "period"),
)
"""A check as it was stated, `document` being the body."""
