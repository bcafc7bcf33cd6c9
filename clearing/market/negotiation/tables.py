"""Views of negotiations, derived from facts; operational: the log of messages that were signed and refused."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, OPERATIONAL, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


negotiation = Table(
    "market_negotiation",
    metadata,
    _column("id", String(64), key=True),
    _column("state", String(16), index=True),
    _column("since", BigInteger()),
    _column("consumer", String(18), index=True),
    _column("provider", String(18), index=True),
    _column("listing", String(32)),
    _column("pid", String(200)),
    _column("consent", String(8)),
    _column("rounds", BigInteger()),
    _column("proposal", String(64)),
    _column("valid_until", BigInteger()),
    _column("quote", String(64)),
    _column("agreement", String(64), index=True),
    _column("agreed", String(64)),
    _column("act_sha256", String(64)),
    _column("act_sm3", String(64)),
    _column("consumer_mandate", String(32), index=True),
    _column("provider_mandate", String(32), index=True),
)
"""A negotiation as it stands. `proposal` and `quote` are the facts of the latest proposal and of the latest quote,
`agreed` that of the message that froze `agreement`, `act_*` the statement digest everybody signs, `*_mandate` that
under which a broker spoke last for the side; "" where there is none."""

message = Table(
    "market_negotiation_message",
    metadata,
    _column("negotiation", String(64), key=True),
    _column("no", BigInteger(), key=True),
    _column("fact_id", String(64)),
    _column("message", String(16)),
    _column("side", String(8)),
    _column("state", String(16)),
    _column("at", BigInteger()),
)
"""Every message: who spoke, the state it led to, and when it was taken in."""

refused = Table(
    "market_negotiation_refusal",
    metadata,
    Column("negotiation", String(64), primary_key=True, info=OPERATIONAL),
    Column("given_sha256", String(64), primary_key=True, info=OPERATIONAL),
    Column("given_sm3", String(64), nullable=False, info=OPERATIONAL),
    Column("by", String(240), nullable=False, info=OPERATIONAL),
    Column("error", String(40), nullable=False, info=OPERATIONAL),
    Column("at", BigInteger, nullable=False, info=OPERATIONAL),
    Column("document", Text, nullable=False, info=OPERATIONAL),
)
"""Validly signed messages that were an error and made no transition (exchange.md §4.3), once per digest: evidence of
what a side tried to say, without the parts."""
