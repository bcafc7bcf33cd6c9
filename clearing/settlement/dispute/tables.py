"""Views of disputes, derived from facts by `clearing.settlement.dispute.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Table, Text

from ledger.tables import derived, metadata

dispute = Table(
    "clearing_dispute",
    metadata,
    derived("id", String(32), key=True),
    derived("agreement", String(64), index=True),
    derived("filer", String(18), index=True),
    derived("respondent", String(18), index=True),
    derived("state", String(16)),
    derived("no", BigInteger()),
    derived("since", BigInteger()),
    derived("case", Text()),
)
"""A dispute as its acts fold: `no` is the number of the last one, `since` when it was taken in."""
