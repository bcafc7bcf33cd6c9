"""What the migrations build is what the code's metadata says, append-only guards included, however often they run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, TextClause, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from api import bootstrap, schema
from ledger.tables import guards


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    """A database file brought up by `bootstrap.migrate`, opened as the program opens it."""
    url = f"sqlite:///{tmp_path / 'migrated.db'}"
    bootstrap.migrate(url)
    engine = bootstrap.engine(url, write=True)
    yield engine
    engine.dispose()


def _schema(path: Path) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    finally:
        connection.close()


def test_migrate__schema_and_metadata__are_the_same(migrated: Engine) -> None:
    with migrated.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_object": _ours}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []


def _ours(_item: object, name: str | None, *_rest: object) -> bool:
    """The indexes of the searches make tables of their own; the next test compares those."""
    return not (name or "").startswith(("register_fts", "market_fts", "demand_fts"))


def test_migrate__index_of_the_search__is_that_of_create_all(migrated: Engine, tmp_path: Path) -> None:
    file = tmp_path / "made.db"
    made = create_engine(f"sqlite:///{file}")
    SQLModel.metadata.create_all(made)
    made.dispose()
    one, other = ({row for row in _schema(path) if "_fts" in row[1]} for path in (tmp_path / "migrated.db", file))
    for area in ("register", "market", "demand"):
        wanted = {f"{area}_fts", f"{area}_line_fts_insert", f"{area}_line_fts_delete", f"{area}_line_fts_update"}
        assert {name for _, name, _ in one} >= wanted
    assert one == other


def test_migrate__nullability_keys_and_uniqueness__are_those_of_create_all(migrated: Engine, tmp_path: Path) -> None:
    """`compare_metadata` does not look at primary keys, nor at SQLite's CHECKs; so both databases are read back."""
    made = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    SQLModel.metadata.create_all(made)
    migrated_view, made_view = inspect(migrated), inspect(made)
    for table in schema.TABLES:
        for question in ("get_pk_constraint", "get_foreign_keys", "get_unique_constraints", "get_indexes"):
            one, other = (getattr(view, question)(table.name) for view in (migrated_view, made_view))
            assert _bare(one) == _bare(other), (table.name, question)
        one, other = (
            [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in view.get_columns(table.name)]
            for view in (migrated_view, made_view)
        )
        assert one == other, table.name
    made.dispose()


def _bare(answer: object) -> object:
    """Constraints without the names SQLite lets one leave out, in one order."""
    if isinstance(answer, dict):
        return {key: _bare(value) for key, value in answer.items() if key != "name"}
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        return sorted((_bare(item) for item in answer), key=repr)
    return str(answer) if isinstance(answer, TextClause) else answer


def test_migrate__fact_and_part__are_append_only(migrated: Engine, tmp_path: Path) -> None:
    named = {name for kind, name, _ in _schema(tmp_path / "migrated.db") if kind == "trigger"}
    triggers = {name for name in named if name.startswith(("fact_", "part_"))}
    assert len(triggers) == len(guards("sqlite")) == 4
    row = {"id": "a" * 64, "other": "b" * 64}
    with migrated.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fact (seq, id, sm3, kind, subject, no, statement_sha256, statement_sm3, at, bytes) "
                "VALUES (1, :id, :id, 'k/v1', 's:1', 0, :id, :id, 1, x'00')"
            ),
            row,
        )
        connection.execute(text("INSERT INTO part (fact_id, bytes) VALUES (:id, x'00')"), row)
    refused = (
        "UPDATE fact SET bytes = x'01'", "UPDATE fact SET at = 2", "UPDATE fact SET at = 2, bytes = NULL",
        "DELETE FROM fact", "UPDATE part SET bytes = x'01'", "UPDATE part SET fact_id = 'x'", "DELETE FROM part",
        "INSERT OR REPLACE INTO part (fact_id, bytes) VALUES (:id, x'01')",
        "INSERT OR REPLACE INTO fact (seq, id, sm3, kind, subject, no, statement_sha256, statement_sm3, at, bytes) "
        "VALUES (1, :id, :id, 'k/v1', 's:1', 0, :id, :id, 2, x'00')",
    )  # fmt: skip
    for statement in refused:
        with pytest.raises(IntegrityError, match=r"append-only|UNIQUE|FOREIGN"), migrated.begin() as connection:
            connection.execute(text(statement), row)
    with migrated.begin() as connection:  # lawful erasure
        connection.execute(text("UPDATE part SET bytes = NULL"))
        connection.execute(text("UPDATE fact SET bytes = NULL"))


def test_migrate__twice__changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "twice.db"
    bootstrap.migrate(f"sqlite:///{file}")
    first = _schema(file)
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO api_key VALUES ('p', 's', 'party:x', 1, NULL)")
    connection.commit()
    connection.close()
    bootstrap.migrate(f"sqlite:///{file}")
    assert _schema(file) == first
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM api_key").fetchone() == (1,)
    connection.close()
