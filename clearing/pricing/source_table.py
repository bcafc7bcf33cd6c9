"""The rows of a table or view, of a SQLite file or a PostgreSQL server, as texts in an order that its content fixes.

Nothing is written and the environment is not asked: an address names host, user and database itself. The reading is
one statement in one read-only transaction, so a table that others write to is seen as it stood at one moment.

Canonical bytes of a table, of which its digest and size are taken in the same pass: one line for the column names and
one for each row; a line is its cells and a line feed; a cell is "-" for no value, else the number of bytes of its UTF-8
text in decimal, ":" and those bytes. Rows stand in the order of the primary key, or where there is none of all columns,
falling back on all columns where a key repeats: texts by their bytes, no value first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from clearing.pricing.cell_text import cell_text
from clearing.pricing.errors import PricingRefused

SQLITE_MAGIC = b"SQLite format 3\0"
_AT_ONCE = 10_000
_SETTINGS = (
    "SET TimeZone TO 'UTC'",
    "SET DateStyle TO 'ISO, YMD'",
    "SET IntervalStyle TO 'iso_8601'",
    "SET extra_float_digits TO 1",
    "SET bytea_output TO 'hex'",
    "SET search_path TO pg_catalog",
)
_CONNECT_S = 10
_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Address:
    """postgresql://user:password@host:port/database?sslmode=…; never shown and never kept.

    Host, user and database must be there: what an address leaves out, the client library would take from the
    environment. Of parameters only `sslmode` is understood (`prefer` without it).
    """

    url: str = field(repr=False)

    def parts(self) -> dict[str, Any]:
        """What `psycopg` is given. Raises INPUT_FORM `data.address` without showing the address."""
        expected = "postgresql://用户@主机/数据库 / user@host/database"
        try:
            parsed = urlsplit(self.url)
            port = parsed.port or 5432
        except ValueError:
            raise PricingRefused("INPUT_FORM", "data.address", expected, "不是地址 / not an address") from None
        query = re.fullmatch(r"(?:sslmode=([a-z-]+))?", parsed.query)
        database = unquote(parsed.path.removeprefix("/"))
        if parsed.scheme not in ("postgresql", "postgres") or not (parsed.hostname and parsed.username and database):
            raise PricingRefused("INPUT_FORM", "data.address", expected, "缺少部分 / a part is missing")
        if query is None or (mode := query[1] or "prefer") not in _SSL:
            raise PricingRefused(
                "INPUT_FORM", "data.address", f"sslmode={'|'.join(_SSL)}", "其他参数 / other parameters"
            )
        return {
            "host": parsed.hostname, "port": port, "user": unquote(parsed.username), "dbname": database,
            "password": unquote(parsed.password or ""), "sslmode": mode, "connect_timeout": _CONNECT_S,
            "client_encoding": "utf8", "application_name": "shuqing", "hostaddr": "", "options": "",
            "passfile": "no password file", "gssencmode": "disable", "target_session_attrs": "any",
        }  # fmt: skip


def table_rows(source: Path | Address, name: str | None) -> Iterator[list[str | None]]:
    """Column names, then the rows of table or view `name` (of a PostgreSQL schema: "schema.name"), streamed.

    Raises `PricingRefused` INPUT_FORM: `data.part` without a name or for one that is not there, `data` for a file that
    is not a SQLite database or cannot be read, `data.address` for a server that cannot be reached.
    """
    if not name:
        raise PricingRefused("INPUT_FORM", "data.part", "表或视图的名称 / name of a table or view", "缺失 / missing")
    return _postgresql(source, name) if isinstance(source, Address) else _sqlite(source, name)


def canonical_bytes(row: Iterable[str | None]) -> bytes:
    """One line of the canonical bytes of a table."""
    cells = (None if cell is None else cell.encode("utf-8", "surrogatepass") for cell in row)
    return b"".join(b"-" if cell is None else b"%d:%b" % (len(cell), cell) for cell in cells) + b"\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sqlite(path: Path, name: str) -> Iterator[list[str | None]]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            listed = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name"
            names = [row[0] for row in connection.execute(listed)]
            if name not in names:
                raise _no_such(names, name)
            columns = connection.execute(f"PRAGMA table_info({_quoted(name)})").fetchall()
            key = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
            order = [*key, *(column[1] for column in columns if column[1] not in key)]
            ordered = ", ".join(f"{_quoted(column)} COLLATE BINARY" for column in order)
            wanted = ", ".join(_quoted(column[1]) for column in columns)
            yield [column[1] for column in columns]
            for row in connection.execute(f"SELECT {wanted} FROM {_quoted(name)} ORDER BY {ordered}"):
                yield [cell_text(cell) for cell in row]
    except sqlite3.Error as error:
        given = str(error).splitlines()[0][:120]
        raise PricingRefused("INPUT_FORM", "data", "可读的 SQLite 文件 / a readable SQLite file", given) from error


def _no_such(names: list[str], name: str) -> PricingRefused:
    return PricingRefused("INPUT_FORM", "data.part", " | ".join(names)[:200] or "一张表 / a table", name)


def _postgresql(address: Address, name: str) -> Iterator[list[str | None]]:
    given = address.parts()
    try:
        with closing(psycopg.connect(**given)) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # The client library may have handed over settings of its environment: what shapes a text is set here.
            for setting in _SETTINGS:
                connection.execute(setting)
            columns, query = _statement(connection, name)
            yield [*columns]
            with connection.cursor(name="rows") as cursor:
                cursor.itersize = _AT_ONCE
                for row in cursor.execute(query):
                    yield [cell_text(cell) for cell in row]
    except psycopg.Error as error:
        # The server's message may repeat the address: only its class and state are passed on.
        shown = f"{type(error).__name__} {error.sqlstate or ''}".strip()
        raise PricingRefused("INPUT_FORM", "data.address", "可读的表 / a readable table", shown) from None


def _statement(connection: psycopg.Connection[Any], name: str) -> tuple[list[str], sql.Composed]:
    """Columns and the SELECT: numbers as numbers, everything else as the server's own text, ordered."""
    schema, _, table = name.rpartition(".")
    listed = """
        SELECT a.attname, format_type(a.atttypid, NULL), c.oid, array_position(i.indkey::int2[], a.attnum)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
          AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    """
    found = connection.execute(listed, (schema or "public", table)).fetchall()
    if not found:
        known = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
        raise _no_such([row[0] for row in connection.execute(known, (schema or "public",))], name)
    numbers = ("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean")

    def text(column: Any) -> sql.Composable:
        cell: sql.Composable = sql.Identifier(column[0])
        return cell if column[1] in numbers else sql.SQL("({})::text").format(cell)

    def sorts(column: Any) -> list[sql.Composable]:
        cell = sql.Identifier(column[0])
        own = sql.SQL("{} NULLS FIRST").format(cell)
        written = sql.SQL('({})::text COLLATE "C" NULLS FIRST').format(cell)
        return [own] if column[1] in ("smallint", "integer", "bigint", "boolean", "date") else [written]

    key = sorted((column for column in found if column[3] is not None), key=lambda column: column[3])
    order = [item for column in [*key, *(c for c in found if c[3] is None)] for item in sorts(column)]
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(", ").join(text(column) for column in found),
        sql.Identifier(schema or "public", table),
        sql.SQL(", ").join(order),
    )
    return [column[0] for column in found], query
