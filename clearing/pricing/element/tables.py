"""Elements as they stand, derived from facts by `clearing.pricing.element.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Table, Text

from ledger.tables import derived, metadata

version = Table(
    "pricing_element_version",
    metadata,
    derived("element", String(20), key=True),
    derived("version", BigInteger(), key=True),
    derived("state", String(10), index=True),
    derived("since", BigInteger()),
    derived("name", String(100)),
    derived("domain", String(200), index=True),
    derived("form", String(10)),
    derived("developer", String(18), index=True),
    derived("fact_id", String(64)),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
    derived("case", Text()),
)
"""Every version: `document` is what was last stated of it, in the fact `fact_id`, with that statement's twin digest."""

source = Table(
    "pricing_element_source",
    metadata,
    derived("element", String(20), key=True),
    derived("version", BigInteger(), key=True),
    derived("position", Integer(), key=True),
    derived("resource", String(200)),
    derived("certificate", String(200), index=True),
    derived("developer", String(18)),
    derived("valid_to", BigInteger(), nullable=True),
)
"""What a version is made from: asked by the timer that looks for rights that were lost."""
