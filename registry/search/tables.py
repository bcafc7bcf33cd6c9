"""The line of the public register, and the index over the tokens of an area's lines.

`register_line` is a view of facts like any other. An index is the database's own: a virtual FTS5 table kept by
triggers on SQLite, an expression index on PostgreSQL. It holds nothing that is not in the lines, so it stands in no
metadata, and neither reindex nor audit needs to know of it.
"""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Integer, String, Table, Text, event
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
    """CREATE VIRTUAL TABLE {area}_fts USING fts5(grams, content='{area}_line', content_rowid='place',
       tokenize="unicode61 remove_diacritics 0", columnsize=0, detail=none)""",
    """CREATE TRIGGER {area}_line_fts_insert AFTER INSERT ON {area}_line
       BEGIN INSERT INTO {area}_fts (rowid, grams) VALUES (NEW.place, NEW.grams); END""",
    """CREATE TRIGGER {area}_line_fts_delete AFTER DELETE ON {area}_line
       BEGIN INSERT INTO {area}_fts ({area}_fts, rowid, grams) VALUES ('delete', OLD.place, OLD.grams); END""",
    """CREATE TRIGGER {area}_line_fts_update AFTER UPDATE ON {area}_line
       BEGIN INSERT INTO {area}_fts ({area}_fts, rowid, grams) VALUES ('delete', OLD.place, OLD.grams);
       INSERT INTO {area}_fts (rowid, grams) VALUES (NEW.place, NEW.grams); END""",
)
_POSTGRESQL = (
    "CREATE INDEX {area}_line_grams ON {area}_line USING gin (to_tsvector('simple', grams)) WITH (fastupdate=off)",
)
AREAS: list[str] = []
"""The areas whose lines are searched: each has a table `⟨area⟩_line` with place, text and grams."""


def search_index(area: str, dialect: str) -> tuple[str, ...]:
    """The statements that make the index of an area's lines; migrations and `create_all` use the same ones."""
    return tuple(statement.format(area=area) for statement in (_SQLITE if dialect == "sqlite" else _POSTGRESQL))


def keep_index(area: str, lines: Table) -> None:
    """Gives a table of lines its index wherever the table is made."""
    AREAS.append(area)
    for dialect in ("sqlite", "postgresql"):
        for statement in search_index(area, dialect):
            made = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(lines, "after_create", made.execute_if(dialect=dialect))


keep_index("register", RegisterLineRow.__table__)  # type: ignore[attr-defined]
