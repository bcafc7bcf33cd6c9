"""Views of the shelf, all derived from facts by `clearing.market.shelf.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Table, Text

from ledger.tables import derived, metadata
from registry.search.tables import PLACE, keep_index

listing = Table(
    "market_listing",
    metadata,
    derived("id", String(32), key=True),
    derived("state", String(16)),
    derived("since", BigInteger()),
    derived("until", BigInteger()),
    derived("product", String(32), index=True),
    derived("version", BigInteger()),
    derived("name", String(40)),
    derived("type", String(8)),
    derived("seller", String(18), index=True),
    derived("certificate", String(200), index=True),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
    derived("case", Text()),
    Index("ix_market_listing_state", "state", "until"),
)
"""A listing as it stands: columns and `document` are of the version on the shelf, before the first of the one
submitted; `sha256`, `sm3` are its statement digest, which agreements name. `case` is the folded case, `until` the end
of a notice."""

version = Table(
    "market_listing_version",
    metadata,
    derived("listing", String(32), key=True),
    derived("no", BigInteger(), key=True),
    derived("version", BigInteger()),
    derived("at", BigInteger()),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
)
"""Every version as it was submitted, by the number of its statement: an agreement keeps the one it was signed for."""

line = Table(
    "market_line",
    metadata,
    derived("place", PLACE, key=True),
    derived("listing", String(32), index=True),
    derived("summary", Text()),
    derived("text", Text()),
    derived("grams", Text()),
)
"""What is searched and shown of a listing on the shelf, the latest put there first. A place is the number after the
largest there is, so replaying the facts gives the same ones."""

keep_index("market", line)

sample = Table(
    "market_sample",
    metadata,
    derived("id", String(32), key=True),
    derived("seller", String(18)),
    derived("content", String(64), index=True),
    derived("at", BigInteger()),
    derived("fact_id", String(64)),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
)
"""An announcement of a sample; `sha256`, `sm3` are its statement digest, which is part of the draw's seed."""
