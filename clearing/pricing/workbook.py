"""The rows of one sheet of an .xlsx workbook as texts, streamed; values only, nothing is computed.

Limits: what the format itself holds (1,048,576 rows of 16,384 columns), 2 GiB unpacked, 256 MiB of shared texts, which
the reader keeps in memory. A formula counts by the value its program saved with it; one without is refused.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import iterparse

from openpyxl import load_workbook
from openpyxl.styles.numbers import is_datetime
from openpyxl.utils.exceptions import InvalidFileException

from clearing.pricing.cell_text import cell_text
from clearing.pricing.errors import PricingRefused
from clearing.pricing.text_file import BLOCK

MOST_UNPACKED = 2 << 30
MOST_SHARED = 256 << 20
"""Bytes, of the whole workbook and of its shared texts: a small file may hold a very large one."""
MOST_ROWS = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_MALFORMED = (InvalidFileException, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, OSError, IndexError,
              NotImplementedError, EOFError, TypeError, AttributeError)  # fmt: skip


def sheet_rows(path: Path, sheet: str | None) -> Iterator[list[str | None]]:
    """Header and rows of the sheet named `sheet`, or of the first one; each row as wide as the header.

    Empty columns right of the header and empty rows below the last filled one are not part of the table. Raises
    `PricingRefused` INPUT_FORM: `data` for a file that is not an .xlsx workbook (damaged, encrypted, an old .xls),
    `data.macros`, `data.size` above the limits, `data.part` for a sheet that is not there, `data.header` for an empty
    sheet, `data.cells.⟨address⟩` for a value beside the header or a formula without a saved value.
    """
    check(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            book = load_workbook(path, read_only=True, data_only=True)
            try:
                found = _sheet(book, sheet)
                _check_formulas(path, found)
                yield from _rows(found)
            finally:
                book.close()
    except _MALFORMED as error:
        raise _not_a_workbook(type(error).__name__) from error


def check(path: Path) -> None:
    """A readable, unencrypted workbook without macros, within the limits. Raises as `sheet_rows` does."""
    try:
        with path.open("rb") as file:
            if file.read(len(_OLE)) == _OLE:
                raise _not_a_workbook("加密文件或旧式 .xls / encrypted, or an old .xls")
        with zipfile.ZipFile(path) as packed:
            items = packed.infolist()
            types = packed.read("[Content_Types].xml")[: 1 << 20] if len(items) < 100_000 else b""
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _not_a_workbook(type(error).__name__) from error
    if any(item.flag_bits & 1 for item in items):
        raise _not_a_workbook("加密文件 / encrypted")
    if b"macroEnabled" in types or any(item.filename.lower().endswith("vbaproject.bin") for item in items):
        raise PricingRefused(
            "INPUT_FORM", "data.macros", "不含宏的工作簿 / a workbook without macros", "含宏 / it has macros"
        )
    shared = sum(item.file_size for item in items if item.filename.lower().endswith("sharedstrings.xml"))
    for size, most in ((sum(item.file_size for item in items), MOST_UNPACKED), (shared, MOST_SHARED)):
        if size > most:
            raise PricingRefused("INPUT_FORM", "data.size", f"解压后 ≤ {most} 字节 / bytes unpacked", size)


def _not_a_workbook(given: str) -> PricingRefused:
    return PricingRefused("INPUT_FORM", "data", "可读的 .xlsx 工作簿 / a readable .xlsx workbook", given)


def _sheet(book: Any, name: str | None) -> Any:
    names = [sheet.title for sheet in book.worksheets]
    if not names or (name is not None and name not in names):
        raise PricingRefused("INPUT_FORM", "data.part", " | ".join(names)[:200], name or "没有工作表 / no sheet")
    sheet = book.worksheets[0 if name is None else names.index(name)]
    sheet.reset_dimensions()  # what a file says of its own size is often wrong
    return sheet


def _check_formulas(path: Path, sheet: Any) -> None:
    """Refuses a formula without a saved value: the reader shows it as an empty cell, so the XML itself is asked."""
    member = sheet._worksheet_path  # the reader has no public name for it; a test holds it
    with zipfile.ZipFile(path) as packed:
        with packed.open(member) as stream:
            tail, found = b"", False
            while not found and (block := stream.read(BLOCK)):
                found = _FORMULA.search(tail + block) is not None
                tail = block[-64:]
        if not found:
            return
        with packed.open(member) as stream:
            for _, element in iterparse(stream):
                tag = element.tag.rpartition("}")[2]
                if tag == "c":
                    inside = {child.tag.rpartition("}")[2]: child for child in element}
                    saved = inside.get("v")
                    # The empty text is a saved value too, but only of a formula whose value is a text.
                    empty = saved is None or (not saved.text and element.get("t") != "str")
                    if "f" in inside and empty:
                        raise PricingRefused(
                            "INPUT_FORM", f"data.cells.{element.get('r', '?')}",
                            "公式带有已保存的值 / a formula with its saved value", "没有值 / none",
                        )  # fmt: skip
                if tag in ("c", "row"):
                    element.clear()


def _rows(sheet: Any) -> Iterator[list[str | None]]:
    width, waiting = 0, 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > MOST_ROWS:
            raise PricingRefused("INPUT_FORM", "data.rows", f"≤ {MOST_ROWS}", "更多 / more")
        texts = [_text(cell) for cell in row]
        filled = max((place for place, text in enumerate(texts, 1) if text is not None), default=0)
        if not width:
            width = filled
            if not filled:
                break
        if filled > width:
            raise PricingRefused(
                "INPUT_FORM", f"data.cells.{_address(row, filled)}", f"{width} 列 / columns, as the header", filled
            )
        if not filled and number > 1:
            waiting += 1
            continue
        for _ in range(waiting):
            yield [None] * width
        waiting = 0
        yield texts[:width] + [None] * (width - len(texts))
    if not width:
        raise PricingRefused("INPUT_FORM", "data.header", "第一行为列名 / names in the first row", "空 / empty")


def _address(row: Sequence[Any], place: int) -> str:
    cell = row[place - 1]
    return str(getattr(cell, "coordinate", place))


def _text(cell: Any) -> str | None:
    """The text of a cell: a day-only number format makes a date of what is stored as midnight."""
    value = cell.value
    if value is not None and hasattr(value, "hour") and hasattr(value, "year"):
        midnight = not (value.hour or value.minute or value.second or value.microsecond)
        if midnight and is_datetime(cell.number_format) == "date":
            return cell_text(value.date())
    return cell_text(value)
