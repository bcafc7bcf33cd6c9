"""Views of usage evidence, derived from facts; operational: first answers, and the log of what was refused."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from ledger.tables import OPERATIONAL, derived, metadata

batch = Table(
    "usage_batch",
    metadata,
    derived("fact_id", String(64), key=True),
    derived("connector", String(64)),
    derived("no", BigInteger()),
    derived("first_seq", BigInteger()),
    derived("last_seq", BigInteger()),
    derived("received_at", BigInteger()),
    derived("statement_sha256", String(64)),
    derived("root_sha256", String(64)),
    derived("root_sm3", String(64)),
    derived("first_prev", String(64)),
    derived("last_hash", String(64)),
    Index("ix_usage_batch_range", "connector", "first_seq", unique=True),
    Index("ix_usage_batch_no", "connector", "no", unique=True),
)
"""`first_prev` and `last_hash` are SHA-256 of the records around the seams ("" before record 1)."""

record = Table(
    "usage_record",
    metadata,
    derived("connector", String(64), key=True),
    derived("seq", BigInteger(), key=True),
    derived("agreement", String(64)),
    derived("revision", BigInteger()),
    derived("side", String(8)),
    derived("request_id", String(128)),
    derived("occurred_at", BigInteger()),
    derived("unit", String(64)),
    derived("quantity", BigInteger()),
    derived("decision", String(8)),
    derived("status", String(8)),
    derived("latency_ms", BigInteger()),
    derived("no", BigInteger()),
    derived("use_class", String(12)),
    derived("sha256", String(64)),
    Index("ix_usage_record_agreement", "agreement", "occurred_at"),
)
"""What metering and the service level read, and the way to the evidence: `no` is the number of the connector's batch,
`sha256` that of the record's bytes. (connector, seq) is the identity: unique, inside the transaction (D10)."""

held = Table(
    "usage_held",
    metadata,
    derived("connector", String(64), key=True),
    derived("seq", BigInteger(), key=True),
    derived("sha256", String(64)),
    derived("prev_sha256", String(64)),
    derived("fact_id", String(64)),
    derived("position", Integer()),
    derived("received_at", BigInteger()),
    derived("batch", String(64), nullable=True),
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
    derived("connector", String(64), key=True),
    derived("kind", String(8), key=True),
    derived("first_seq", BigInteger(), key=True),
    derived("last_seq", BigInteger()),
    derived("since", BigInteger()),
)

explanation = Table(
    "usage_explanation",
    metadata,
    derived("connector", String(64), key=True),
    derived("no", BigInteger(), key=True),
    derived("fact_id", String(64)),
    derived("document", Text()),
)
"""What was said about a connector's findings, `document` being the body."""

close = Table(
    "usage_close",
    metadata,
    derived("connector", String(64), key=True),
    derived("agreement", String(64), key=True),
    derived("side", String(8), key=True),
    derived("period", String(7), key=True),
    derived("fact_id", String(64)),
    derived("at", BigInteger()),
    derived("document", Text()),
    Index("ix_usage_close_agreement", "agreement"),
)
"""What a connector closed a month with, `document` being the body; a month is closed once."""

heartbeat = Table(
    "usage_heartbeat",
    metadata,
    derived("connector", String(64), key=True),
    derived("agreement", String(64), key=True),
    derived("side", String(8), key=True),
    derived("day", String(10), key=True),
    derived("fact_id", String(64)),
    derived("at", BigInteger()),
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
