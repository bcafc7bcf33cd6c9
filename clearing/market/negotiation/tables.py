"""Views of negotiations, derived from facts; operational: the log of messages that were signed and refused."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from ledger.tables import OPERATIONAL, derived, metadata

negotiation = Table(
    "market_negotiation",
    metadata,
    derived("id", String(64), key=True),
    derived("state", String(16), index=True),
    derived("since", BigInteger()),
    derived("consumer", String(18), index=True),
    derived("provider", String(18), index=True),
    derived("listing", String(32)),
    derived("pid", String(200)),
    derived("consent", String(8)),
    derived("rounds", BigInteger()),
    derived("proposal", String(64)),
    derived("valid_until", BigInteger()),
    derived("quote", String(64)),
    derived("agreement", String(64), index=True),
    derived("agreed", String(64)),
    derived("act_sha256", String(64)),
    derived("act_sm3", String(64)),
    derived("consumer_mandate", String(32), index=True),
    derived("provider_mandate", String(32), index=True),
)
"""A negotiation as it stands. `proposal` and `quote` are the facts of the latest proposal and of the latest quote,
`agreed` that of the message that froze `agreement`, `act_*` the statement digest everybody signs, `*_mandate` that
under which a broker spoke last for the side; "" where there is none."""

message = Table(
    "market_negotiation_message",
    metadata,
    derived("negotiation", String(64), key=True),
    derived("no", BigInteger(), key=True),
    derived("fact_id", String(64)),
    derived("message", String(16)),
    derived("side", String(8)),
    derived("state", String(16)),
    derived("at", BigInteger()),
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
