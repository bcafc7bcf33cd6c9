"""A table on a PostgreSQL server is counted as the same table in a file, and its password is never shown."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clearing.pricing.counting import count
from clearing.pricing.declaring import declare
from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec
from clearing.pricing.source_table import Address
from tests.services.server import Server

pytestmark = pytest.mark.services

ROWS = [
    (2, "乙", 0.5, "2024-03-01"),
    (10, "甲", -1.0, None),
    (1, None, 0.5, "2024-02-29"),
    (3, "Ä", None, "2024-02-29"),
]
COLUMNS = (
    ColumnSpec("id", "integer", "discrete"),
    ColumnSpec("名", "text", "categorical"),
    ColumnSpec("x", "decimal", "continuous"),
    ColumnSpec("d", "date", "timestamp"),
)


def counted(source: Path | Address, part: str) -> Counted:
    spec = DataSpec("t", "table", COLUMNS, part=part)
    return count(source, spec, bins=4, calendar="day", as_of=1_800_000_000)


def test_table__postgresql_and_sqlite__the_same_counts_and_digest(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.database().replace("+psycopg", "")
    file = tmp_path / "t.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, "名" TEXT, x REAL, d TEXT)')
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", ROWS)
        connection.commit()
    with server.connect(url.rpartition("/")[2]) as connection:
        connection.execute('CREATE TABLE t (id bigint PRIMARY KEY, "名" text, x double precision, d date)')
        connection.cursor().executemany("INSERT INTO t VALUES (%s, %s, %s, %s)", ROWS)
        connection.execute("CREATE VIEW v AS SELECT * FROM t")
    for name, value in {"PGTZ": "America/New_York", "PGDATESTYLE": "German", "PGDATABASE": "none"}.items():
        monkeypatch.setitem(os.environ, name, value)
    here, there = counted(file, "t"), counted(Address(url), "public.t")
    assert here.columns == there.columns
    assert here.manifest.digest == there.manifest.digest
    assert counted(Address(url), "v").columns == here.columns
    assert declare(Address(url), "t").columns[0] == COLUMNS[0]
    with pytest.raises(PricingRefused, match=r"data\.part"):
        counted(Address(url), "nothing")
    with pytest.raises(PricingRefused, match=r"data\.address") as caught:
        counted(Address(url.replace(server.password, "wrong-password")), "t")
    assert "wrong-password" not in str(caught.value)
