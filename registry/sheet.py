"""Sheets: the first of an .xlsx workbook as rows of texts, within limits; no cell, read or written, is a formula."""

from __future__ import annotations

import io
import warnings
import zipfile
from datetime import date, datetime

from ledger.errors import FieldError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAGIC = b"PK\x03\x04"
MOST_UNPACKED = 64 * 2**20
"""Bytes a workbook may unpack to: a small file may hold a very large one."""


def no_formula(text: str) -> str:
    """A cell of a CSV file that a spreadsheet program opens: what it could take for a formula begins with an
    apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def rows_of(name: str, data: bytes, most_rows: int) -> list[list[str]]:
    """At most `most_rows` rows, empty ones left out. Raises `FieldError` naming the file."""
    from openpyxl import load_workbook  # slow to load, and whoever checks a form reads no workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
        if unpacked > MOST_UNPACKED:
            raise FieldError(name, f"解压后 ≤ {MOST_UNPACKED} 字节 / bytes unpacked", str(unpacked))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            rows = [
                [_text(cell) for cell in row]
                for row in book.worksheets[0].iter_rows(max_row=most_rows, values_only=True)
            ]
            book.close()
    except (InvalidFileException, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, OSError, IndexError) as error:
        raise FieldError(name, "Excel 工作簿（.xlsx） / an .xlsx workbook", type(error).__name__) from error
    return [row for row in rows if any(row)]


def _text(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "是" if cell else "否"
    return "" if cell is None else str(cell).strip()
