"""Fresh databases for tests, with the migrated schema: SQLite files, or databases of a PostgreSQL server.

A test that wants one asks for the fixture `place` (tests/clearing/conftest.py) and so runs on both kinds.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Select, Table, create_engine, event, select
from sqlmodel import SQLModel

from api import bootstrap
from tests.services.server import Server


@dataclass(frozen=True)
class Place:
    """Makes databases of one kind, each a copy of one that was migrated once. `new` gives the address of one, `opened`
    an engine on it, `drop` makes an end of it."""

    new: Callable[[], str]
    opened: Callable[[str], Engine]
    drop: Callable[[str], None]

    def url(self) -> str:
        """The address of a new database."""
        return self.new()

    def engine(self) -> Engine:
        """An engine on a new database, which is gone when the engine is disposed of."""
        url = self.new()
        made = self.opened(url)
        event.listen(made, "engine_disposed", lambda _: self.drop(url))
        return made


@cache
def _tables() -> bytes:
    """An SQLite database with every table, which takes longer to make than most tests."""
    made = create_engine("sqlite://")
    SQLModel.metadata.create_all(made)
    with closing(made.raw_connection()) as connection:
        found: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    made.dispose()
    return found


def with_tables(file: Path) -> str:
    """Makes an SQLite file with every table; returns its address."""
    file.write_bytes(_tables())
    return f"sqlite:///{file}"


def in_order(table: Table) -> Select[Any]:
    """All rows of a table by its key: a server gives them in any order otherwise."""
    return select(table).order_by(*table.primary_key.columns)


def in_memory() -> Engine:
    """An engine on a database in memory with every table, one for each thread."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(_tables())
        return connection

    return create_engine("sqlite://", creator=connect)


def files(folder: Path) -> Place:
    """SQLite files in a folder."""
    first, numbers = folder / "migrated.db", count()
    bootstrap.migrate(f"sqlite:///{first}")

    def new() -> str:
        return f"sqlite:///{shutil.copy(first, folder / f'{next(numbers)}.db')}"

    return Place(new, _file_engine, lambda url: Path(url.removeprefix("sqlite:///")).unlink())


def _file_engine(url: str) -> Engine:
    made = create_engine(url)
    # A test database need not survive a power loss.
    event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return made


def databases(server: Server) -> Place:
    """Databases of a server, opened as the program opens them. Hardly any test commits: what nothing was committed to
    is handed out again, which is far quicker than another copy."""
    first = server.database()
    bootstrap.migrate(first)
    empty: list[str] = []

    def drop(url: str) -> None:
        if server.holds(url, [table.name for table in SQLModel.metadata.sorted_tables]):
            server.drop(url)
        else:
            empty.append(url)

    return Place(
        lambda: empty.pop() if empty else server.database(first), lambda url: bootstrap.engine(url, write=True), drop
    )  # fmt: skip
