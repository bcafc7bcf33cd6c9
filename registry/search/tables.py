"""The line of the public register, and the index over its tokens.

`register_line` is a view of facts like any other. The index is the database's own: a virtual FTS5 table kept by
triggers on SQLite, an expression index on PostgreSQL. It holds nothing that is not in the lines, so it stands in no
metadata, and neither reindex nor audit needs to know of it.
"""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Integer, String, Text, event
from sqlmodel import SQLModel

from registry.tables import derived

PLACE = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's own row number is 64 bits wide, but only under the name INTEGER."""


class RegisterLineRow(SQLModel, table=True):
    """The newest version of a published certificate. Lines sort by `place`: later deposit first, then by code.

    `grams` holds the tokens of `text` and those of the filters: kind, rights, agency.
    """

    __tablename__ = "register_line"
    place: int = derived(PLACE, key=True)
    code: str = derived(String(15), index=True)
    version: int = derived(Integer)
    text: str = derived(Text)
    grams: str = derived(Text)


_SQLITE = (
    """CREATE VIRTUAL TABLE register_fts USING fts5(grams, content='register_line', content_rowid='place',
       tokenize="unicode61 remove_diacritics 0", columnsize=0, detail=none)""",
    """CREATE TRIGGER register_line_fts_insert AFTER INSERT ON register_line
       BEGIN INSERT INTO register_fts (rowid, grams) VALUES (NEW.place, NEW.grams); END""",
    """CREATE TRIGGER register_line_fts_delete AFTER DELETE ON register_line
       BEGIN INSERT INTO register_fts (register_fts, rowid, grams) VALUES ('delete', OLD.place, OLD.grams); END""",
    """CREATE TRIGGER register_line_fts_update AFTER UPDATE ON register_line
       BEGIN INSERT INTO register_fts (register_fts, rowid, grams) VALUES ('delete', OLD.place, OLD.grams);
       INSERT INTO register_fts (rowid, grams) VALUES (NEW.place, NEW.grams); END""",
)
_POSTGRESQL = (
    "CREATE INDEX register_line_grams ON register_line USING gin (to_tsvector('simple', grams)) WITH (fastupdate=off)",
)


def search_index(dialect: str) -> tuple[str, ...]:
    """The statements that make the index; migrations and `create_all` use the same ones."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL


for _dialect in ("sqlite", "postgresql"):
    for _statement in search_index(_dialect):
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(RegisterLineRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))  # type: ignore[attr-defined]
