"""An uploaded XLSX or CSV as lines of text, exactly as typed, or refused whole with a clear message.

An XLSX is unpacked once under a limit and looked through for formulas, merged cells and cells far away; the reading
library is handed a copy that holds exactly the bytes that were looked at.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from python_calamine import CalamineWorkbook

from registry.errors import FileRefused
from registry.intake import sniff
from registry.intake.columns import (
    APPLICATIONS,
    ERRORS,
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    MAX_INSIDE,
    MAX_RIGHTS,
    MAX_ROWS,
    RIGHTS,
    SHEETS,
)

_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
MAX_OF = {APPLICATIONS: MAX_ROWS, RIGHTS: MAX_RIGHTS}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not empty: its number in the file (from 1) and its cells as typed, in the template's order."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """The lines of both sheets of an import file."""

    applications: tuple[Line, ...]
    rights: tuple[Line, ...]


def read_book(name: str, data: bytes) -> Book:
    """The lines of an import file. Raises `FileRefused`; nothing of a refused file is used."""
    ending = sniff.ending_of(name)
    if ending not in ("xlsx", "csv"):
        raise FileRefused(name, "请上传 xlsx 或 csv 文件", "an xlsx or csv file is expected")
    if len(data) > MAX_BYTES:
        raise FileRefused(name, f"超过 {MAX_BYTES} 字节", f"more than {MAX_BYTES} bytes")
    found = sniff.sniff(io.BytesIO(data), len(data), name)
    if found != sniff.ENDINGS[ending]:
        raise FileRefused(name, f"扩展名为 {ending}，内容却是 {found}", f"named {ending}, but it is {found}")
    tables = _xlsx(name, data) if ending == "xlsx" else {APPLICATIONS: _csv(name, data)}
    lines = {sheet: tuple(_lines(name, sheet, table)) for sheet, table in tables.items()}
    if not lines[APPLICATIONS]:
        raise FileRefused(name, f"“{APPLICATIONS}”表没有内容", "there is no line to import")
    return Book(lines[APPLICATIONS], lines.get(RIGHTS, ()))


def text_of(value: Any) -> str:
    """A cell as the text a person typed: whole numbers without a point, days as 2024-01-31."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        plain = Decimal(repr(value))
        return str(int(value)) if plain == plain.to_integral_value() else f"{plain:f}"
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != datetime.min.time() else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def decoded(name: str, data: bytes) -> str:
    """The text of a CSV: UTF-8, with or without its mark, or else GB18030. Raises `FileRefused`."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused(name, "编码应为 UTF-8 或 GB18030", "its encoding must be UTF-8 or GB18030")


# CSV ------------------------------------------------------------------------------------------------------------------


def _csv(name: str, data: bytes) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(decoded(name, data), newline=""), strict=True)
    table = []
    before = 0
    try:
        for row in reader:
            table.append((before + 1, [cell.strip() for cell in row]))
            before = reader.line_num
            if len(table) > MAX_ROWS + 1:
                raise _too_many(name, APPLICATIONS)
    except csv.Error as error:
        raise FileRefused(
            name,
            f"第 {reader.line_num} 行不是有效的 CSV（{error}）",
            f"line {reader.line_num} is not valid CSV: {error}",
        ) from error
    return table


# XLSX -----------------------------------------------------------------------------------------------------------------


def _xlsx(name: str, data: bytes) -> dict[str, list[tuple[int, list[str]]]]:
    copy = _looked_through(name, data)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(copy))
        if APPLICATIONS not in book.sheet_names:
            raise FileRefused(name, f"没有名为“{APPLICATIONS}”的工作表，请使用下载的模板", f"no sheet {APPLICATIONS}")
        wanted = [sheet for sheet in SHEETS if sheet in book.sheet_names]
        return {
            sheet: [
                (number, [text_of(cell) for cell in row])
                for number, row in enumerate(book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), 1)
            ]
            for sheet in wanted
        }
    except (FileRefused, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the reader is a Rust library: what it cannot read may also panic
        raise FileRefused(name, "不是可以读取的 xlsx 工作簿", "it is not a workbook that can be read") from error


def _looked_through(name: str, data: bytes) -> bytes:
    """The same workbook, unpacked under a limit, looked through, and put together again without compression."""
    found = sniff.members(io.BytesIO(data), len(data), name)
    if sum(item.file_size for item in found) > MAX_INSIDE:
        raise FileRefused(name, f"展开后超过 {MAX_INSIDE} 字节", f"it unpacks to more than {MAX_INSIDE} bytes")
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as copy:
            for item in found:
                content = archive.read(item)
                if _SHEET_PART.fullmatch(item.filename):
                    _look_through(name, content)
                copy.writestr(zipfile.ZipInfo(item.filename), content)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise FileRefused(name, "压缩包已损坏，无法读取", "the archive is damaged") from error
    return out.getvalue()


class _Look:
    """Follows one sheet's XML: where it is, and what may not be there."""

    def __init__(self, name: str) -> None:
        self.name, self.row, self.column, self.cell = name, 0, 0, ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition(":")[2]
        if local == "c":
            self._cell(attributes.get("r", ""))
        elif local == "row":
            self._row(attributes.get("r", ""))
        elif local == "f":
            raise FileRefused(self.name, f"单元格 {self.cell} 是公式，请改为填写值", f"cell {self.cell} is a formula")
        elif local == "mergeCell":
            where = attributes.get("ref", "")[:40]
            raise FileRefused(self.name, f"合并单元格 {where}，请取消合并", f"merged cells {where}")
        elif local in ("v", "is") and (self.column > MAX_COLUMNS or self.row > MAX_RIGHTS + 1):
            raise FileRefused(
                self.name,
                f"单元格 {self.cell} 超出范围（最多 {MAX_COLUMNS} 列、{MAX_RIGHTS} 行）",
                f"cell {self.cell} lies too far away",
            )

    def _row(self, reference: str) -> None:
        if reference and not re.fullmatch("[0-9]{1,7}", reference):
            raise FileRefused(self.name, "工作表行号不正确", "a row has no valid number")
        self.row, self.column = int(reference) if reference else self.row + 1, 0

    def _cell(self, reference: str) -> None:
        if not reference:
            self.column += 1
        else:
            place = _REFERENCE.fullmatch(reference)
            if place is None:
                raise FileRefused(self.name, "单元格位置不正确", "a cell has no valid place")
            self.column, self.row = _column_number(place[1]), int(place[2])
        self.cell = reference or f"R{self.row}C{self.column}"


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _look_through(name: str, content: bytes) -> None:
    look = _Look(name)

    def no_doctype(*_: Any) -> None:
        raise FileRefused(name, "工作表含有不允许的声明", "a sheet declares a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = look.start
    parser.StartDoctypeDeclHandler = no_doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FileRefused(name, "工作表不是有效的 XML", "a sheet is not valid XML") from error


# Both -----------------------------------------------------------------------------------------------------------------


def _lines(name: str, sheet: str, table: Sequence[tuple[int, list[str]]]) -> Iterator[Line]:
    headings = _headings(name, sheet, table[0][1] if table else [])
    wanted = [headings.index(column.heading) for column in SHEETS[sheet]]
    said = headings.index(ERRORS) if ERRORS in headings else -1
    count = 0
    for number, row in table[1:]:
        extra = next((cell for cell in row[len(headings) :] if cell), None)
        if extra is not None:
            raise FileRefused(
                name,
                f"“{sheet}”表第 {number} 行的单元格比表头多（{extra[:20]}）",
                f"{sheet} line {number} has more cells than headings",
            )
        if not any(cell for place, cell in enumerate(row) if place != said):
            continue
        if any(len(cell) > MAX_CELL for cell in row):
            raise FileRefused(
                name,
                f"“{sheet}”表第 {number} 行有单元格超过 {MAX_CELL} 个字",
                f"{sheet} line {number}: a cell is too long",
            )
        count += 1
        if count > MAX_OF[sheet]:
            raise _too_many(name, sheet)
        yield Line(number, tuple(row[place] if place < len(row) else "" for place in wanted))


def _headings(name: str, sheet: str, first: Sequence[str]) -> list[str]:
    """The headings of a sheet, in any order: all of the template's, each once, and no other but 错误."""
    given = list(first)
    while given and not given[-1]:
        given.pop()
    known = [column.heading for column in SHEETS[sheet]]
    missing = [heading for heading in known if heading not in given]
    foreign = [heading or "（空）" for heading in given if heading not in (*known, ERRORS)]
    twice = sorted({heading for heading in given if given.count(heading) > 1 and heading})
    for which, headings, english in (
        ("缺少", missing, "missing"),
        ("多出", foreign, "unknown"),
        ("重复", twice, "twice"),
    ):
        if headings:
            listed = "、".join(headings[:5])[:200]
            raise FileRefused(
                name,
                f"“{sheet}”表的表头{which}：{listed}；请使用下载的模板",
                f"headings of {sheet} {english}: {listed}",
            )
    return given


def _too_many(name: str, sheet: str) -> FileRefused:
    most = MAX_OF[sheet]
    return FileRefused(name, f"“{sheet}”表超过 {most} 行，请分成几个文件", f"more than {most} lines in {sheet}")
