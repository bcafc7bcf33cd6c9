"""The default engine: DuckDB in this process, within a limit of memory, over Parquet files or rows handed in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from clearing.usage.bulk import plan
from clearing.usage.bulk.reading import Rows, row_of
from clearing.usage.metered import MeteredUse

MEMORY_LIMIT = "3GB"
THREADS = 2
_AT_ONCE = 100_000


class Duck:
    """An open DuckDB whose table `known` is the admitted records up to the high-water mark."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, high_water: int) -> None:
        self._connection, self.high_water = connection, high_water

    def give(self, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> None:
        _lay(self._connection, name, columns, rows)

    def step(self, name: str, query: str, kept: bool) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP {'TABLE' if kept else 'VIEW'} {name} AS {query}")

    def rows(self, query: str) -> Rows:
        answer = self._connection.execute(query)  # a cursor of its own would not see what is temporary
        while found := answer.fetchmany(_AT_ONCE):
            yield from found


@contextmanager
def opened(threads: int = THREADS, memory: str = MEMORY_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into a folder of its own; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="shuqing-meter-") as folder:
        config: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": memory,
            "preserve_insertion_order": "false",
            "temp_directory": folder,
            "threads": threads,
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection


@contextmanager
def over_files(paths: Sequence[Path], high_water: int, threads: int = THREADS) -> Iterator[Duck]:
    """The engine over Parquet files with the columns of `plan.COLUMNS`, read where they lie."""
    with opened(threads) as connection:
        names = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in plan.COLUMNS)
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
        connection.execute(
            f"CREATE TEMP VIEW known AS SELECT * FROM (SELECT {names} FROM read_parquet([{files}])) AS rows "
            f"WHERE position <= {int(high_water)}"
        )
        yield Duck(connection, high_water)


@contextmanager
def over_uses(uses: Iterable[MeteredUse], high_water: int, threads: int = THREADS) -> Iterator[Duck]:
    """The engine over records handed in, as the store gives them."""
    with opened(threads) as connection:
        _lay(connection, "known", plan.COLUMNS, (row_of(use) for use in uses if use.position <= high_water))
        yield Duck(connection, high_water)


def _lay(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({', '.join(map(' '.join, columns))})")
    left = iter(rows)
    while part := list(islice(left, _AT_ONCE)):
        lists = [list(column) for column in zip(*part, strict=True)]
        unpacked = ", ".join(f"unnest(CAST(? AS {kind}[]))" for _, kind in columns)
        connection.execute(f"INSERT INTO {name} SELECT {unpacked}", lists)
