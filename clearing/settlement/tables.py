"""What settlement looks up: every table is a view folded from facts, so every column is derived (D2, D3)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint
from sqlmodel import SQLModel

DERIVED = {"class": "derived"}
metadata = SQLModel.metadata


def _column(name: str, type_: Any, *, key: bool = False, **keywords: Any) -> Column[Any]:
    if key:
        keywords["autoincrement"] = False
    nullable = keywords.pop("nullable", False)
    return Column(name, type_, info=DERIVED, primary_key=key, nullable=nullable, **keywords)


PARTY = String(64)
NAME = String(200)
FACT = String(64)

cycle = Table(
    "clearing_cycle",
    metadata,
    _column("cycle", NAME, key=True),
    _column("operator", PARTY),
    _column("period", String(40)),
    _column("state", String(20)),
    _column("until", BigInteger),
    _column("document", Text),
    _column("netting", FACT, nullable=True),
    _column("instructions", FACT, nullable=True),
    _column("closed", FACT, nullable=True),
)

reading = Table(
    "clearing_meter_reading",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("agreement", NAME),
    _column("revision", Integer),
    _column("period", String(40), index=True),
    _column("quantity", BigInteger),
    _column("counted", BigInteger),
    _column("document", Text),
    UniqueConstraint("agreement", "revision", "period", name="uq_meter_reading"),
)

charge = Table(
    "clearing_charge",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("reading", FACT, unique=True),
    _column("agreement", NAME),
    _column("period", String(40), index=True),
    _column("buyer", PARTY, index=True),
    _column("invoice_issuer", PARTY),
    _column("gross", BigInteger),
    _column("net", BigInteger),
    _column("tax", BigInteger),
    _column("invoice", FACT, nullable=True),
    _column("document", Text),
)

shares = Table(
    "clearing_shares",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("charge", FACT, unique=True),
    _column("lineage", NAME),
    _column("number", BigInteger),
    _column("after", BigInteger),
    _column("period", String(40), index=True),
    UniqueConstraint("lineage", "number", name="uq_shares_lineage"),
)

share = Table(
    "clearing_share",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("party", PARTY, key=True),
    _column("role", PARTY),
    _column("agreement", NAME),
    _column("period", String(40)),
    _column("entitlement", String(80)),
    _column("amount", BigInteger),
    _column("carry", String(80)),
    Index("ix_clearing_share_party", "party", "period"),
)

journal_transaction = Table(
    "clearing_journal_transaction",
    metadata,
    _column("no", BigInteger, key=True),
    _column("event", String(40)),
    _column("event_id", String(200)),
    _column("at", BigInteger, index=True),
    _column("value_date", BigInteger),
    _column("currency", String(3)),
    UniqueConstraint("event", "event_id", name="uq_journal_event"),
)

posting = Table(
    "clearing_posting",
    metadata,
    _column("no", BigInteger, key=True),
    _column("line", Integer, key=True),
    _column("kind", String(8)),
    _column("party", PARTY, index=True),
    _column("agreement", NAME),
    _column("period", String(40)),
    _column("amount", BigInteger),
    Index("ix_clearing_posting_account", "kind", "party", "agreement", "period"),
)

statement = Table(
    "clearing_statement",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("cycle", NAME),
    _column("party", PARTY),
    _column("period", String(40)),
    _column("opening", BigInteger),
    _column("closing", BigInteger),
    _column("last", BigInteger),
    _column("confirmed_at", BigInteger, nullable=True),
    _column("document", Text),
    _column("notice", FACT, nullable=True),
    UniqueConstraint("cycle", "party", name="uq_statement_party"),
)

position = Table(
    "clearing_net_position",
    metadata,
    _column("netting", FACT, key=True),
    _column("party", PARTY, key=True),
    _column("incoming", BigInteger),
    _column("outgoing", BigInteger),
    _column("count", Integer),
    _column("net", BigInteger),
)

instruction = Table(
    "clearing_payment_instruction",
    metadata,
    _column("end_to_end", String(35), key=True),
    _column("fact_id", FACT, index=True),
    _column("direction", String(8)),
    _column("party", PARTY),
    _column("period", String(40)),
    _column("amount", BigInteger),
    _column("booked", BigInteger),
    _column("returned", Integer),
)

bank_file = Table(
    "clearing_bank_file",
    metadata,
    _column("fact_id", FACT, key=True),
    _column("digest", String(64), unique=True),
    _column("bank", String(12)),
    _column("account", String(32)),
    _column("number", BigInteger),
    _column("opening", BigInteger),
    _column("closing", BigInteger),
)

bank_entry = Table(
    "clearing_bank_entry",
    metadata,
    _column("bank", String(12), key=True),
    _column("account", String(32), key=True),
    _column("reference", String(64), key=True),
    _column("fact_id", FACT),
    _column("amount", BigInteger),
    _column("effect", String(12)),
    _column("applied", BigInteger),
    _column("end_to_end", String(35)),
    _column("document", Text),
)
