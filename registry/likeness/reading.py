"""A data file as columns of codes: CSV (UTF-8 or GB18030, told apart) and Parquet, read by DuckDB as text.

A value is its text; empty text is no value. Each column is given out as its distinct values and a code for each row, so
what follows works on distinct values.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import numpy as np

from ledger.errors import FieldError
from registry.likeness.columns import Column

MOST_COLUMNS = 1_000


def columns_of(file: Path) -> tuple[Column, ...]:
    """The columns of a data file. Raises `FieldError` for a file that is missing, empty, or no table."""
    if not file.is_file() or file.stat().st_size == 0:
        raise FieldError("file", "有内容的数据文件 / a data file with content", file.name)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        source, options = (
            (file, "") if file.suffix.lower() == ".parquet" else (_utf8(file, Path(folder)), ", all_varchar=true")
        )
        reader = "read_parquet" if file.suffix.lower() == ".parquet" else "read_csv"
        try:
            engine.execute(f"CREATE TABLE t AS SELECT * FROM {reader}($file{options})", {"file": str(source)})
        except duckdb.Error as error:
            raise FieldError("file", "CSV 或 Parquet 数据表 / a table as CSV or Parquet", str(error)[:120]) from error
        names = [row[0] for row in engine.execute("SELECT column_name FROM (DESCRIBE t)").fetchall()]
        if not 0 < len(names) <= MOST_COLUMNS:
            raise FieldError("file", f"1–{MOST_COLUMNS} 列 / columns", str(len(names)))
        return tuple(_column(engine, name) for name in names)


def _column(engine: duckdb.DuckDBPyConnection, name: str) -> Column:
    quoted = '"' + name.replace('"', '""') + '"'
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE d AS SELECT v, row_number() OVER (ORDER BY v) - 1 AS id FROM"
        f" (SELECT DISTINCT {quoted}::VARCHAR AS v FROM t WHERE trim({quoted}::VARCHAR) <> '')"
    )
    values = tuple(row[0] for row in engine.execute("SELECT v FROM d ORDER BY id").fetchall())
    codes = engine.execute(
        f"SELECT coalesce(d.id, -1) AS id FROM t LEFT JOIN d ON t.{quoted}::VARCHAR = d.v ORDER BY t.rowid"
    ).fetchnumpy()["id"]
    return Column(name, values, np.asarray(codes, dtype=np.int64))


def _utf8(file: Path, folder: Path) -> Path:
    """The file itself, or a copy in UTF-8 if it is GB18030. Raises `FieldError` for anything else."""
    data = file.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise FieldError(
                "file", "UTF-8 或 GB18030 文本 / text in UTF-8 or GB18030", f"字节 {error.start}"
            ) from error
        copy = folder / "utf8.csv"
        copy.write_text(text, encoding="utf-8")
        return copy
    return file
