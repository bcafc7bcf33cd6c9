"""Views of the shelf, all derived from facts by `clearing.market.shelf.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata
from registry.search.tables import PLACE, keep_index


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


listing = Table(
    "market_listing",
    metadata,
    _column("id", String(32), key=True),
    _column("state", String(16)),
    _column("since", BigInteger()),
    _column("until", BigInteger()),
    _column("product", String(32), index=True),
    _column("version", BigInteger()),
    _column("name", String(40)),
    _column("type", String(8)),
    _column("seller", String(18), index=True),
    _column("certificate", String(200), index=True),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    _column("document", Text()),
    _column("case", Text()),
    Index("ix_market_listing_state", "state", "until"),
)
"""A listing as it stands: columns and `document` are of the version on the shelf, before the first of the one
submitted; `sha256`, `sm3` are its statement digest, which agreements name. `case` is the folded case, `until` the end
of a notice."""

version = Table(
    "market_listing_version",
    metadata,
    _column("listing", String(32), key=True),
    _column("no", BigInteger(), key=True),
    _column("version", BigInteger()),
    _column("at", BigInteger()),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    _column("document", Text()),
)
"""Every version as it was submitted, by the number of its statement: an agreement keeps the one it was signed for."""

line = Table(
    "market_line",
    metadata,
    _column("place", PLACE, key=True),
    _column("listing", String(32), index=True),
    _column("summary", Text()),
    _column("text", Text()),
    _column("grams", Text()),
)
"""What is searched and shown of a listing on the shelf, the latest put there first. A place is the number after the
largest there is, so replaying the facts gives the same ones."""

keep_index("market", line)

sample = Table(
    "market_sample",
    metadata,
    _column("id", String(32), key=True),
    _column("seller", String(18)),
    _column("content", String(64), index=True),
    _column("at", BigInteger()),
    _column("fact_id", String(64)),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    _column("document", Text()),
)
"""An announcement of a sample; `sha256`, `sm3` are its statement digest, which is part of the draw's seed."""
