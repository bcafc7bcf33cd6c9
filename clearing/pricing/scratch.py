"""A data file laid out as a table of texts in a scratch database: `t`, with columns c0, c1, … Pricing's door to DuckDB.

CSV in UTF-8 is read where it lies; another encoding, a workbook and a database table are first written as such a CSV
file, so each gives what the CSV of the same table would give. Parquet is not copied: `t` is a view of it, and a column
is grouped by its own values before they become texts. Nothing is written outside a temporary folder.
"""

from __future__ import annotations

import csv
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from clearing.pricing.errors import PricingRefused
from clearing.pricing.file_format import check_format
from clearing.pricing.manifest import DataSpec, Dialect
from clearing.pricing.source_table import Address, canonical_bytes, table_rows
from clearing.pricing.text_file import BLOCK, header, recode
from clearing.pricing.workbook import sheet_rows
from ledger.digest import TwinDigest

MEMORY_LIMIT = "1GB"
MOST_COLUMNS = 2_000
"""Columns of a table. The limit keeps a full count of the widest table within the memory limit: 2,000 × 5,000 mixed
cells of CSV take 0.7 GB at the peak, Python included."""
_LARGE = 32 << 20
"""Bytes of CSV above which the table lies compressed on disk; a smaller one stays in memory, without waiting for it."""
_OWN = Dialect()
_SELF_NAMED = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(.*\)|DATE|TIMESTAMP.*|BOOLEAN|TIME")
"""Types of which different values have different texts, none of them empty."""


def engine() -> str:
    """Name and version of the counting engine, for the side record outside the digest."""
    return f"duckdb {duckdb.__version__}"


def text(value: str) -> str:
    """SQL of a text."""
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


@dataclass
class _Reading:
    """Bytes on their way to the scratch database, with their number and digests."""

    size: int = 0
    states: tuple[Any, Any] = field(default_factory=lambda: (hashlib.sha256(), hashlib.new("sm3")))

    def take(self, block: bytes) -> None:
        self.size += len(block)
        for state in self.states:
            state.update(block)

    def digest(self) -> TwinDigest:
        return TwinDigest(self.states[0].digest(), self.states[1].digest())


@dataclass
class Scratch:
    """The open scratch database: names of the columns, size in bytes and digest of the source, its number of rows."""

    _connection: duckdb.DuckDBPyConnection
    names: list[str]
    size: int
    digest: TwinDigest
    _groups: list[tuple[str, str, bool]]
    rows: int = 0

    def run(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        return self._connection.execute(query).fetchall()

    def integer(self, query: str) -> int:
        """The one integer of the answer; nothing counts as 0."""
        rows = self.run(query)
        return int(rows[0][0] or 0) if rows else 0

    def some(self, source: str) -> bool:
        """Whether FROM `source` has any row; the engine stops at the first."""
        return bool(self.run(f"SELECT 1 FROM {source} LIMIT 1"))

    def table(self) -> str:
        """The name of a table with the rows of `t`, each under a `rowid` that stays; Parquet is copied for it."""
        if self.integer("SELECT count(*) FROM duckdb_views() WHERE view_name = 't'"):
            self.run("CREATE TEMP TABLE IF NOT EXISTS copied AS SELECT * FROM t")
            return "copied"
        return "t"

    def group(self, position: int) -> None:
        """Groups one column into `g`: v its text or NULL, n the number of cells, each v once."""
        key, shown, once = self._groups[position]
        groups = f"SELECT {shown} AS v, n FROM (SELECT {key} AS k, count(*) AS n FROM s GROUP BY 1)"
        if not once:
            groups = f"SELECT v, CAST(sum(n) AS BIGINT) AS n FROM ({groups}) GROUP BY v"
        self.run(f"CREATE OR REPLACE TEMP TABLE g AS {groups}")


@contextmanager
def opened(source: Path | Address, spec: DataSpec, threads: int | None = None) -> Iterator[Scratch]:
    """The source as a scratch table, closed and removed afterwards; `threads` of the engine, all cores without it.

    Raises `PricingRefused`: INPUT_FORM when source and declaration disagree or the source cannot be read
    (`data.encoding` for bytes that are not of the declared encoding), NO_DISTRIBUTION for a source without rows.
    """
    with tempfile.TemporaryDirectory(prefix="shuqing-count-") as name:
        folder = Path(name)
        config: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": name,
            "preserve_insertion_order": "false",
        }
        connection = duckdb.connect(config=config | ({} if threads is None else {"threads": threads}))
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")  # it would print into the caller's own output
            scratch = _loaded(connection, source, spec, folder)
            scratch.rows = scratch.integer("SELECT count(*) FROM t")
            if spec.rows is not None and spec.rows != scratch.rows:
                raise PricingRefused("INPUT_FORM", "data.rows", str(spec.rows), scratch.rows)
            if scratch.rows == 0:
                raise PricingRefused("NO_DISTRIBUTION", "data", "至少一行 / at least one row", 0)
            yield scratch
        except (duckdb.Error, UnicodeError, csv.Error, OSError) as error:
            raise _unreadable(error, spec, folder) from error
        finally:
            connection.close()


def _unreadable(error: Exception, spec: DataSpec, folder: Path) -> PricingRefused:
    lines = str(error).replace(str(folder), "").strip().splitlines() or [type(error).__name__]
    encoded = isinstance(error, UnicodeError) or re.search(r"unicode|utf-?8", str(error), re.IGNORECASE)
    if encoded and spec.format == "csv":
        return PricingRefused("INPUT_FORM", "data.encoding", spec.dialect.encoding, lines[0][:160])
    return PricingRefused("INPUT_FORM", "data", f"可读的 {spec.format} 文件 / a readable file", lines[0][:160])


def _loaded(connection: duckdb.DuckDBPyConnection, source: Path | Address, spec: DataSpec, folder: Path) -> Scratch:
    reading = _Reading()
    if isinstance(source, Address):
        if spec.format != "table":
            raise PricingRefused("INPUT_FORM", "data.format", "table", spec.format)
    else:
        check_format(source, spec.format)
    if isinstance(source, Path) and spec.format != "table":
        with source.open("rb") as file:
            while block := file.read(BLOCK):
                reading.take(block)
        _check_digest(spec, reading)
        # The engine gets a plain name: in the file's own it would take *, ? and [ for patterns.
        (folder / "source").symlink_to(source.absolute())
    if spec.format == "parquet":
        names, groups = _view(connection, folder / "source")
    else:
        names = _table(connection, source, spec, folder, reading)
        groups = [(f"c{position}", "k", True) for position in range(len(names))]
    connection.execute("SET enable_external_access = false")
    _check_digest(spec, reading)
    return Scratch(connection, names, reading.size, reading.digest(), groups)


def _check_digest(spec: DataSpec, reading: _Reading) -> None:
    found = reading.digest().sha256.hex()
    if spec.sha256 is not None and spec.sha256 != found:
        raise PricingRefused("INPUT_FORM", "data.sha256", spec.sha256, found)


def _table(
    connection: duckdb.DuckDBPyConnection, source: Path | Address, spec: DataSpec, folder: Path, reading: _Reading
) -> list[str]:
    """Makes the table `t` of a source that is, or is first written as, CSV in UTF-8; its column names."""
    plain, dialect = folder / "source", spec.dialect
    if spec.format == "csv":
        assert isinstance(source, Path)
        names = _checked_names(header(source, dialect))
        if dialect.encoding == "gb18030":
            plain = folder / "recoded.csv"
            with source.open("rb") as file, plain.open("w", encoding="utf-8", newline="") as target:
                recode(file, target, dialect.encoding)
    else:
        plain = folder / "rows.csv"
        if spec.format == "table":
            rows, dialect = _digested(table_rows(source, spec.part), reading), _OWN
        else:
            assert isinstance(source, Path)
            rows, dialect = sheet_rows(source, spec.part), Dialect(nulls=dialect.nulls)
        names = _written(rows, plain)
    if plain.stat().st_size > _LARGE:
        connection.execute(f"ATTACH {text(str(folder / 'count.db'))} AS disk")
        connection.execute("USE disk")
    types = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(names)))
    nulls = ", ".join(text(token) for token in ("", *dialect.nulls))
    connection.execute(
        f"CREATE TABLE t AS SELECT * FROM read_csv({text(str(plain))}, auto_detect=false, header=true, "
        f"columns={{{types}}}, delim={text(dialect.delimiter)}, quote={text(dialect.quote)}, "
        f"escape={text(dialect.quote)}, nullstr=[{nulls}], encoding='utf-8', compression='none', "
        "ignore_errors=false, null_padding=false)"
    )
    connection.execute("CREATE VIEW s AS SELECT * FROM t")
    plain.unlink()
    return names


def _digested(rows: Iterable[list[str | None]], reading: _Reading) -> Iterator[list[str | None]]:
    for row in rows:
        reading.take(canonical_bytes(row))
        yield row


def _written(rows: Iterator[list[str | None]], target: Path) -> list[str]:
    """Writes header and rows as CSV, every cell quoted: a line of one empty cell is then a row too."""
    names = _checked_names([cell or "" for cell in next(rows, [])])
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    return names


def _checked_names(names: list[str]) -> list[str]:
    if len(names) > MOST_COLUMNS:
        raise PricingRefused("INPUT_FORM", "data.columns", f"≤ {MOST_COLUMNS} 列 / columns", len(names))
    if not names or len(set(names)) != len(names) or "" in names:
        twice = [name for place, name in enumerate(names) if not name or name in names[:place]]
        raise PricingRefused(
            "INPUT_FORM", "data.header", "一行互不相同的列名 / one row of distinct names", twice[:20] or names[:20]
        )
    return names


def _view(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], list[tuple[str, str, bool]]]:
    """Makes `s`, the Parquet file, and `t`, its cells as texts; names, and how each column is grouped."""
    connection.execute(f"SET allowed_paths = [{text(str(path))}]")
    connection.execute(f"CREATE VIEW s AS SELECT * FROM read_parquet({text(str(path))})")
    columns = [(str(row[0]), str(row[1])) for row in connection.execute("DESCRIBE SELECT * FROM s").fetchall()]
    names = _checked_names([name for name, _ in columns])
    cells, groups = [], []
    for position, (name, type_) in enumerate(columns):
        cell = _name(name)
        cells.append(f"{_shown(cell, type_)} AS c{position}")
        if _SELF_NAMED.fullmatch(type_):
            groups.append((cell, _shown("k", type_), True))
        elif type_ in ("FLOAT", "DOUBLE"):
            groups.append((cell, _shown("k", type_), False))
        else:
            groups.append((_shown(cell, type_), "k", True))
    connection.execute(f"CREATE VIEW t AS SELECT {', '.join(cells)} FROM s")
    return names, groups


def _shown(cell: str, type_: str) -> str:
    """SQL of the text of a Parquet value; NULL for no value, NaN and the empty text."""
    if type_ == "VARCHAR":
        return f"NULLIF({cell}, '')"
    written = f"CAST({cell} AS VARCHAR)"
    if type_ in ("FLOAT", "DOUBLE"):
        # The shortest text of the number, written without exponent, so CSV and Parquet count alike.
        plain = f"CAST(TRY_CAST({written} AS DECIMAL(38,18)) AS VARCHAR)"
        return f"CASE WHEN isnan({cell}) THEN NULL ELSE COALESCE({plain}, {written}) END"
    return written if _SELF_NAMED.fullmatch(type_) else f"NULLIF({written}, '')"
