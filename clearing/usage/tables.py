"""Views of usage evidence, derived from facts; operational: first answers, and the log of what was refused."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text
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
    Index("ix_usage_batch_no", "connector", "no", unique=True),
)
"""`first_prev` and `last_hash` are SHA-256 of the records around the seams ("" before record 1)."""

record = Table(
    "usage_record",
    metadata,
    _column("connector", String(64), key=True),
    _column("seq", BigInteger(), key=True),
    _column("agreement", String(64)),
    _column("revision", BigInteger()),
    _column("side", String(8)),
    _column("request_id", String(128)),
    _column("occurred_at", BigInteger()),
    _column("unit", String(64)),
    _column("quantity", BigInteger()),
    _column("decision", String(8)),
    _column("status", String(8)),
    _column("latency_ms", BigInteger()),
    _column("no", BigInteger()),
    _column("use_class", String(12)),
    _column("sha256", String(64)),
    Index("ix_usage_record_agreement", "agreement", "occurred_at"),
)
"""What metering and the service level read, and the way to the evidence: `no` is the number of the connector's batch,
`sha256` that of the record's bytes. (connector, seq) is the identity: unique, inside the transaction (D10)."""

held = Table(
    "usage_held",
    metadata,
    _column("connector", String(64), key=True),
    _column("seq", BigInteger(), key=True),
    _column("sha256", String(64)),
    _column("prev_sha256", String(64)),
    _column("fact_id", String(64)),
    _column("position", Integer()),
    _column("received_at", BigInteger()),
    _column("batch", String(64), nullable=True),
)
"""Records that came alone. `prev_sha256` is "" in record 1; `batch` is the fact of the batch that repeats the record,
null as long as its connector has not signed for it."""
Index(
    "ix_usage_held_unsigned",
    held.c.connector,
    held.c.seq,
    sqlite_where=held.c.batch.is_(None),
    postgresql_where=held.c.batch.is_(None),
)

finding = Table(
    "usage_finding",
    metadata,
    _column("connector", String(64), key=True),
    _column("kind", String(8), key=True),
    _column("first_seq", BigInteger(), key=True),
    _column("last_seq", BigInteger()),
    _column("since", BigInteger()),
)

explanation = Table(
    "usage_explanation",
    metadata,
    _column("connector", String(64), key=True),
    _column("no", BigInteger(), key=True),
    _column("fact_id", String(64)),
    _column("document", Text()),
)
"""What was said about a connector's findings, `document` being the body."""

close = Table(
    "usage_close",
    metadata,
    _column("connector", String(64), key=True),
    _column("agreement", String(64), key=True),
    _column("side", String(8), key=True),
    _column("period", String(7), key=True),
    _column("fact_id", String(64)),
    _column("at", BigInteger()),
    _column("document", Text()),
    Index("ix_usage_close_agreement", "agreement"),
)
"""What a connector closed a month with, `document` being the body; a month is closed once."""

heartbeat = Table(
    "usage_heartbeat",
    metadata,
    _column("connector", String(64), key=True),
    _column("agreement", String(64), key=True),
    _column("side", String(8), key=True),
    _column("day", String(10), key=True),
    _column("fact_id", String(64)),
    _column("at", BigInteger()),
    Index("ix_usage_heartbeat_agreement", "agreement", "day"),
)

answer = Table(
    "usage_answer",
    metadata,
    Column("fact_id", String(64), primary_key=True, info=OPERATIONAL),
    Column("document", Text, nullable=False, info=OPERATIONAL),
)
"""The first answer to a batch or to a group of single records, kept because a signature is not made twice alike: a
replay gets these bytes (D9)."""

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
"""Validly signed batches, and single records, that say something else about numbers already taken in: evidence of two
histories (D9)."""
