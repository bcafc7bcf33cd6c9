"""What settlement looks up: every table is a view folded from facts, so every column is derived (D2, D3)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Table, Text, UniqueConstraint

from ledger.tables import derived, metadata

PARTY = String(64)
NAME = String(200)
FACT = String(64)

cycle = Table(
    "clearing_cycle",
    metadata,
    derived("cycle", NAME, key=True),
    derived("operator", PARTY),
    derived("period", String(40)),
    derived("state", String(20)),
    derived("until", BigInteger),
    derived("document", Text),
    derived("netting", FACT, nullable=True),
    derived("instructions", FACT, nullable=True),
    derived("closed", FACT, nullable=True),
)

reading = Table(
    "clearing_meter_reading",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("agreement", NAME),
    derived("revision", Integer),
    derived("period", String(40)),
    derived("sequence", Integer),
    derived("booked", String(40), index=True),
    derived("quantity", BigInteger),
    derived("counted", BigInteger),
    derived("document", Text),
    UniqueConstraint("agreement", "revision", "period", "sequence", name="uq_meter_reading"),
)

period_inputs = Table(
    "clearing_period_inputs",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("agreement", NAME),
    derived("revision", Integer),
    derived("period", String(40)),
    derived("number", BigInteger),
    derived("at", BigInteger),
    UniqueConstraint("agreement", "revision", "period", "number", name="uq_period_inputs"),
)

charge = Table(
    "clearing_charge",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("reading", FACT, index=True),
    derived("agreement", NAME, index=True),
    derived("period", String(40)),
    derived("booked", String(40), index=True),
    derived("corrects", FACT, index=True, nullable=True),
    derived("buyer", PARTY, index=True),
    derived("invoice_issuer", PARTY),
    derived("gross", BigInteger),
    derived("net", BigInteger),
    derived("tax", BigInteger),
    derived("invoice", FACT, nullable=True),
    derived("document", Text),
)

shares = Table(
    "clearing_shares",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("charge", FACT, unique=True),
    derived("lineage", NAME),
    derived("number", BigInteger),
    derived("after", BigInteger),
    derived("booked", String(40), index=True),
    UniqueConstraint("lineage", "number", name="uq_shares_lineage"),
)

share = Table(
    "clearing_share",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("party", PARTY, key=True),
    derived("role", PARTY),
    derived("agreement", NAME),
    derived("period", String(40)),
    derived("booked", String(40)),
    derived("entitlement", String(80)),
    derived("amount", BigInteger),
    derived("carry", String(80)),
    Index("ix_clearing_share_party", "party", "booked"),
)

journal_transaction = Table(
    "clearing_journal_transaction",
    metadata,
    derived("no", BigInteger, key=True),
    derived("event", String(40)),
    derived("event_id", String(200)),
    derived("at", BigInteger, index=True),
    derived("value_date", BigInteger),
    derived("currency", String(3)),
    UniqueConstraint("event", "event_id", name="uq_journal_event"),
)

posting = Table(
    "clearing_posting",
    metadata,
    derived("no", BigInteger, key=True),
    derived("line", Integer, key=True),
    derived("kind", String(8)),
    derived("party", PARTY, index=True),
    derived("agreement", NAME),
    derived("period", String(40)),
    derived("amount", BigInteger),
    Index("ix_clearing_posting_account", "kind", "party", "agreement", "period"),
)

guarantee_call = Table(
    "clearing_guarantee_call",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("claim", NAME),
    derived("number", BigInteger),
    derived("guarantor", PARTY),
    derived("booked", String(40), index=True),
    derived("amount", BigInteger),
    UniqueConstraint("claim", "number", name="uq_guarantee_call"),
)

hold = Table(
    "clearing_hold",
    metadata,
    derived("dispute", String(32), key=True),
    derived("fact_id", FACT, unique=True),
    derived("charge", FACT),
    derived("released", FACT, nullable=True),
    derived("document", Text),
)

statement = Table(
    "clearing_statement",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("cycle", NAME),
    derived("party", PARTY),
    derived("period", String(40)),
    derived("opening", BigInteger),
    derived("closing", BigInteger),
    derived("last", BigInteger),
    derived("confirmed_at", BigInteger, nullable=True),
    derived("document", Text),
    derived("notice", FACT, nullable=True),
    UniqueConstraint("cycle", "party", name="uq_statement_party"),
)

position = Table(
    "clearing_net_position",
    metadata,
    derived("netting", FACT, key=True),
    derived("party", PARTY, key=True),
    derived("incoming", BigInteger),
    derived("outgoing", BigInteger),
    derived("count", Integer),
    derived("net", BigInteger),
)

instruction = Table(
    "clearing_payment_instruction",
    metadata,
    derived("end_to_end", String(35), key=True),
    derived("fact_id", FACT, index=True),
    derived("direction", String(8)),
    derived("party", PARTY),
    derived("period", String(40)),
    derived("amount", BigInteger),
    derived("booked", BigInteger),
    derived("returned", Integer),
    derived("void", Integer),
    derived("replaces", String(35), unique=True, nullable=True),
)

bank_file = Table(
    "clearing_bank_file",
    metadata,
    derived("fact_id", FACT, key=True),
    derived("digest", String(64), unique=True),
    derived("bank", String(12)),
    derived("account", String(32)),
    derived("number", BigInteger),
    derived("opening", BigInteger),
    derived("closing", BigInteger),
)

bank_entry = Table(
    "clearing_bank_entry",
    metadata,
    derived("bank", String(12), key=True),
    derived("account", String(32), key=True),
    derived("reference", String(64), key=True),
    derived("fact_id", FACT),
    derived("amount", BigInteger),
    derived("effect", String(12)),
    derived("applied", BigInteger),
    derived("end_to_end", String(35)),
    derived("document", Text),
)
