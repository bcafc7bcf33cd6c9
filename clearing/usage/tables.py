"""Views of usage evidence, derived from batch facts, and the operational log of refused batches."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, OPERATIONAL, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, **keywords: Any) -> Column[Any]:
    nullable = keywords.pop("nullable", False)
    return Column(name, type_, primary_key=key, nullable=nullable, autoincrement=False, info=DERIVED, **keywords)


batch = Table(
    "usage_batch",
    metadata,
    _column("fact_id", String(64), key=True),
    _column("connector", String(64)),
    _column("no", BigInteger()),
    _column("first_seq", BigInteger()),
    _column("last_seq", BigInteger()),
    _column("received_at", BigInteger()),
    _column("statement_sha256", String(64)),
    _column("root_sha256", String(64)),
    _column("root_sm3", String(64)),
    _column("first_prev", String(64)),
    _column("last_hash", String(64)),
    Index("ix_usage_batch_range", "connector", "first_seq", unique=True),
)
"""`first_prev` and `last_hash` are SHA-256 of the records around the seams ("" before record 1)."""

record = Table(
    "usage_record",
    metadata,
    _column("connector", String(64), key=True),
    _column("seq", BigInteger(), key=True),
    _column("fact_id", String(64), index=True),
    _column("position", Integer()),
    _column("agreement", String(64)),
    _column("revision", BigInteger()),
    _column("agr_seq", BigInteger()),
    _column("side", String(8)),
    _column("direction", String(8)),
    _column("request_id", String(128)),
    _column("occurred_at", BigInteger()),
    _column("received_at", BigInteger()),
    _column("unit", String(64)),
    _column("quantity", BigInteger()),
    _column("decision", String(8)),
    _column("reasons", String(80)),
    _column("status", String(8)),
    _column("use_class", String(12)),
    _column("counted_key", String(220), nullable=True, unique=True),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    Index("ix_usage_record_agreement", "agreement", "occurred_at"),
)
"""`counted_key` is agreement/side/request id of a counted record and null for all others: a request counts once."""

finding = Table(
    "usage_finding",
    metadata,
    _column("connector", String(64), key=True),
    _column("kind", String(8), key=True),
    _column("first_seq", BigInteger(), key=True),
    _column("last_seq", BigInteger()),
    _column("since", BigInteger()),
    _column("blocks_close", Boolean()),
)

refusal = Table(
    "usage_refusal",
    metadata,
    Column("connector", String(64), primary_key=True, info=OPERATIONAL),
    Column("given_sha256", String(64), primary_key=True, info=OPERATIONAL),
    Column("given_sm3", String(64), nullable=False, info=OPERATIONAL),
    Column("stored_sha256", String(64), nullable=False, info=OPERATIONAL),
    Column("first_seq", BigInteger, nullable=False, info=OPERATIONAL),
    Column("last_seq", BigInteger, nullable=False, info=OPERATIONAL),
    Column("at", BigInteger, nullable=False, info=OPERATIONAL),
    Column("document", Text, nullable=False, info=OPERATIONAL),
)
"""Validly signed batches that say something else about numbers already taken in: evidence of two histories (D9)."""
