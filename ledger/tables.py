"""The ledger's tables. Every column says its class (decisions D3): fact, derived or operational.

`fact` and `part` are append-only: triggers refuse update and delete, except the lawful erasure of a body.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)
from sqlmodel import SQLModel

FACT = {"class": "fact"}
DERIVED = {"class": "derived"}
OPERATIONAL = {"class": "operational"}

metadata = SQLModel.metadata


def _column(name: str, type_: Any, info: dict[str, str], *args: Any, **keywords: Any) -> Column[Any]:
    return Column(name, type_, *args, info=info, nullable=keywords.pop("nullable", False), **keywords)


def derived(
    name: str, type_: Any, *, key: bool = False, index: bool = False, unique: bool = False, nullable: bool = False
) -> Column[Any]:
    """A column of a view: what it holds follows from facts."""
    return Column(
        name, type_, primary_key=key, index=index, unique=unique, nullable=nullable, autoincrement=False, info=DERIVED
    )


_SERIAL = BigInteger().with_variant(Integer, "sqlite")

fact = Table(
    "fact",
    metadata,
    _column("seq", _SERIAL, OPERATIONAL, primary_key=True, autoincrement=True),
    _column("id", String(64), DERIVED, unique=True),
    _column("sm3", String(64), DERIVED),
    _column("kind", String(80), DERIVED, index=True),
    _column("subject", String(240), DERIVED),
    _column("no", BigInteger, DERIVED),
    _column("statement_sha256", String(64), DERIVED),
    _column("statement_sm3", String(64), DERIVED),
    _column("at", BigInteger, DERIVED),
    _column("bytes", LargeBinary, FACT, nullable=True),
    UniqueConstraint("subject", "no", name="uq_fact_subject_no"),
)

part = Table(
    "part",
    metadata,
    _column("fact_id", String(64), FACT, ForeignKey("fact.id"), primary_key=True),
    _column("bytes", LargeBinary, FACT, nullable=True),
)
"""All parts of a fact in one row, joined by line feeds, which canonical JSON does not have."""

subject_secret = Table(
    "subject_secret",
    metadata,
    _column("subject", String(240), OPERATIONAL, primary_key=True),
    _column("secret", LargeBinary, OPERATIONAL),
)

outbox = Table(
    "outbox",
    metadata,
    _column("fact_id", String(64), OPERATIONAL, ForeignKey("fact.id"), primary_key=True),
    _column("seq", BigInteger, OPERATIONAL, index=True),
)

entry = Table(
    "entry",
    metadata,
    _column("log_index", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("fact_id", String(64), DERIVED, ForeignKey("fact.id"), unique=True),
)

tile = Table(
    "tile",
    metadata,
    _column("level", Integer, DERIVED, primary_key=True, autoincrement=False),
    _column("position", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("sha256", LargeBinary, DERIVED),
    _column("sm3", LargeBinary, DERIVED),
)

head = Table(
    "head",
    metadata,
    _column("size", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("sha256", String(64), DERIVED),
    _column("sm3", String(64), DERIVED),
    _column("at", BigInteger, DERIVED),
    _column("note", Text, FACT),
    _column("witnesses", Integer, DERIVED),
)

chain_receipt = Table(
    "chain_receipt",
    metadata,
    _column("contract", String(40), DERIVED, primary_key=True),
    _column("key", String(80), DERIVED, primary_key=True),
    _column("chain_id", BigInteger, DERIVED),
    _column("address", String(42), DERIVED),
    _column("tx", String(66), DERIVED),
    _column("block", BigInteger, DERIVED),
    _column("block_hash", String(66), DERIVED),
    Index("ix_chain_receipt_key", "key"),
    Index("ix_chain_receipt_block", "block"),
)

# Heads that stood on the chain once and do not any more: bundles name them, so they are written again, in order.
head_lost = Table(
    "head_lost",
    metadata,
    _column("size", BigInteger, OPERATIONAL, primary_key=True, autoincrement=False),
)

# Who may publish: `until` in milliseconds of the wall clock, `term` grows with every change of hands.
leader = Table(
    "leader",
    metadata,
    _column("name", String(40), OPERATIONAL, primary_key=True),
    _column("worker", String(120), OPERATIONAL),
    _column("term", BigInteger, OPERATIONAL),
    _column("until", BigInteger, OPERATIONAL),
)

# The transaction that waits for its block, if it waits long enough to be worth a look; `since` in milliseconds.
chain_pending = Table(
    "chain_pending",
    metadata,
    _column("sender", String(42), OPERATIONAL, primary_key=True),
    _column("contract", String(40), OPERATIONAL),
    _column("function", String(80), OPERATIONAL),
    _column("nonce", BigInteger, OPERATIONAL),
    _column("tx", String(66), OPERATIONAL),
    _column("replacements", Integer, OPERATIONAL),
    _column("since", BigInteger, OPERATIONAL),
)

# What went wrong beside the requests and when it was put right; times in milliseconds of the wall clock.
incident = Table(
    "incident",
    metadata,
    _column("id", _SERIAL, OPERATIONAL, primary_key=True, autoincrement=True),
    _column("kind", String(20), OPERATIONAL),
    _column("key", String(140), OPERATIONAL),
    _column("detail", Text, OPERATIONAL),
    _column("at", BigInteger, OPERATIONAL),
    _column("seen_at", BigInteger, OPERATIONAL),
    _column("repaired_at", BigInteger, OPERATIONAL, nullable=True, index=True),
)

map_leaf = Table(
    "map_leaf",
    metadata,
    _column("key", LargeBinary(64), DERIVED, primary_key=True),
    _column("size", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("count", BigInteger, DERIVED),
    _column("last", LargeBinary(64), DERIVED),
)

map_node = Table(
    "map_node",
    metadata,
    _column("position", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("size", BigInteger, DERIVED, primary_key=True, autoincrement=False),
    _column("hash", LargeBinary(64), DERIVED),
)

_SQLITE_GUARDS = (
    """CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
       BEGIN SELECT RAISE(ABORT, '{table} is append-only: no delete'); END""",
    """CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
       WHEN NOT (NEW.bytes IS NULL AND {same})
       BEGIN SELECT RAISE(ABORT, '{table} is append-only: no update'); END""",
)
_POSTGRESQL_GUARD = (
    """CREATE OR REPLACE FUNCTION {table}_guard() RETURNS trigger AS $$
       BEGIN
         IF TG_OP IN ('DELETE', 'TRUNCATE') OR NEW.bytes IS NOT NULL OR NOT ({same}) THEN
           RAISE EXCEPTION '{table} is append-only';
         END IF;
         RETURN NEW;
       END $$ LANGUAGE plpgsql""",
    """CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
       FOR EACH ROW EXECUTE FUNCTION {table}_guard()""",
    """CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
       FOR EACH STATEMENT EXECUTE FUNCTION {table}_guard()""",
)


def guards(dialect: str) -> list[str]:
    """The statements that make `fact` and `part` append-only; migrations and `create_all` use the same ones."""
    templates = _SQLITE_GUARDS if dialect == "sqlite" else _POSTGRESQL_GUARD
    statements = []
    for table in (fact, part):
        comparison = "IS" if dialect == "sqlite" else "IS NOT DISTINCT FROM"
        same = " AND ".join(f"NEW.{c.name} {comparison} OLD.{c.name}" for c in table.columns if c.name != "bytes")
        statements += [template.format(table=table.name, same=same) for template in templates]
    if dialect == "postgresql":
        # Digests and salts do not shrink: trying costs three times the insert itself.
        statements.append("ALTER TABLE part ALTER COLUMN bytes SET STORAGE EXTERNAL")
    return statements


def _escape(statement: str) -> str:
    return statement.replace("%", "%%")


for _dialect in ("sqlite", "postgresql"):
    for _statement in guards(_dialect):
        _table = fact if " fact" in _statement.split("BEGIN")[0] else part
        _ddl = DDL(_escape(_statement))  # type: ignore[no-untyped-call]
        event.listen(_table, "after_create", _ddl.execute_if(dialect=_dialect))
