"""A year's table from a file: CSV (UTF-8), XLSX or JSON.

CSV and XLSX have a head row with the columns date (日期), working (上班: 是 or 否), year (年), document_no (文号) and
version (版本); the last three are the same in every row. JSON is the body of calendar-published/v1 itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from ledger import canonical
from ledger.errors import FieldError
from ledger.reading import read
from registry.rulebook.year_table import DayRow, YearTable, check_rows
from registry.sheet import rows_of

COLUMNS = {
    "date": ("date", "日期"),
    "working": ("working", "上班", "工作日"),
    "year": ("year", "年", "年份"),
    "document_no": ("document_no", "文号"),
    "version": ("version", "版本"),
}
YES, NO = {"是", "yes", "true", "1", "班"}, {"否", "no", "false", "0", "休"}
MOST_ROWS, MOST_BYTES = 400, 2**20


def read_table(name: str, data: bytes) -> YearTable:
    """The table in a file of this name. Raises `FieldError` naming row and column."""
    if len(data) > MOST_BYTES:
        raise FieldError(name, f"≤ {MOST_BYTES} 字节 / bytes", str(len(data)))
    kind = name.rpartition(".")[2].lower()
    if kind == "json":
        return check_rows(read(YearTable, canonical.parse(data), name), name)
    if kind == "csv":
        return _table(name, _csv(name, data))
    if kind == "xlsx":
        return _table(name, rows_of(name, data, MOST_ROWS + 2))
    raise FieldError(name, ".csv | .xlsx | .json", kind[:20] or "—")


def _csv(name: str, data: bytes) -> list[list[str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FieldError(name, "UTF-8", str(error)[:80]) from error
    return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(map(str.strip, row))]


def _table(name: str, rows: Sequence[Sequence[str]]) -> YearTable:
    if len(rows) < 2 or len(rows) > MOST_ROWS:
        raise FieldError(name, f"一行表头和 1 至 {MOST_ROWS} 行 / a head and 1 to {MOST_ROWS} rows", str(len(rows)))
    places = _places(name, rows[0])
    days: list[DayRow] = []
    for number, cells in _numbered(rows):
        row = [*cells, *([""] * len(rows[0]))]
        for column in ("year", "document_no", "version"):
            if row[places[column]] != rows[1][places[column]]:
                raise FieldError(f"{name} 第{number}行 {column}", rows[1][places[column]], row[places[column]][:40])
        days.append(DayRow(row[places["date"]].replace("/", "-"), _working(name, number, row[places["working"]])))
    first = rows[1]
    body = {
        "document_no": first[places["document_no"]],
        "rows": [{"date": day.date, "working": day.working} for day in sorted(days, key=lambda item: item.date)],
        "version": _number(name, "version", first[places["version"]]),
        "year": _number(name, "year", first[places["year"]]),
    }
    return check_rows(read(YearTable, body, name), name)


def _numbered(rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, Sequence[str]]]:
    yield from enumerate(rows[1:], 2)


def _places(name: str, head: Sequence[str]) -> dict[str, int]:
    lower = [cell.lower() for cell in head]
    places = {}
    for column, names in COLUMNS.items():
        found = [lower.index(known) for known in names if known in lower]
        if not found:
            raise FieldError(f"{name} 表头 / head", " | ".join(names), ", ".join(head)[:80])
        places[column] = found[0]
    return places


def _working(name: str, number: int, cell: str) -> bool:
    if cell.lower() in YES | NO:
        return cell.lower() in YES
    raise FieldError(f"{name} 第{number}行 working", "是 | 否", cell[:20] or "空 / empty")


def _number(name: str, column: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) < 6):
        raise FieldError(f"{name} 第2行 {column}", "整数 / a whole number", cell[:20] or "空 / empty")
    return int(cell)
