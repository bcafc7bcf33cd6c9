"""The import template and the error file as XLSX. Every cell is written as a string, so nothing becomes a formula."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter

from registry.intake.columns import (
    APPLICATIONS,
    ERRORS,
    HELP,
    KEY,
    MAIN,
    MAX_BYTES,
    MAX_RIGHTS,
    MAX_ROWS,
    RIGHT_ROWS,
    RIGHTS,
    SHEETS,
    Cell,
    Column,
)
from registry.intake.rows import Fault
from registry.intake.sheets import Book, Line

_WIDTH, _ERROR_WIDTH = 20, 80
_ROWS = {APPLICATIONS: MAX_ROWS, RIGHTS: MAX_RIGHTS}
MAX_STRING = 32_767

RULES = (
    ("用法", "每件申请在“申请”表占一行；一行只写一个申请人，多个申请人共同申请的请在网上逐件填写。"),
    ("上限", f"每个文件最多 {MAX_ROWS} 件申请、{MAX_RIGHTS} 行权利、{MAX_BYTES // 1024 // 1024} MiB。"),
    (
        "权利",
        "只有申请人自己的权利且限制相同的，在“登记权利”“权利限制”填写；其他情形在“权利”表每项权利一行，用内部编号对应。",
    ),
    ("多项", "“每行一项”的栏目在单元格内用 Alt+Enter 换行，每行填一项。"),
    ("日期", "按 2024-01-31 填写，也可以用 Excel 日期。"),
    ("公式", "不接受公式、合并单元格和宏；单元格里以 = 开头的文字按文字处理。"),
    ("材料", "先上传材料，再按“材料类型|文件名”填写；数据样例等缺少的，预检会提示，但不妨碍导入。"),
    ("出错", "有错的行不导入，另存在错误文件中，原样保留并标红，末列写明栏目和规则；改好后直接上传错误文件即可。"),
    ("重复", "同一行（内部编号和内容都相同）再次导入不会重复。"),
    ("导入以后", "每行成为一份草稿，可以查看、修改、撤回、预览公示内容，签署后才是申请。"),
)


def template_xlsx() -> bytes:
    """The empty template: sheets 申请, 权利 and 说明, with dropdowns for every enumeration."""
    out, book = _workbook()
    styles = _Styles(book)
    for sheet, columns in SHEETS.items():
        made = book.add_worksheet(sheet)
        _head(made, columns, styles)
        _dropdowns(made, columns, _ROWS[sheet])
    _help(book.add_worksheet(HELP), styles)
    book.close()
    return out.getvalue()


def template_csv() -> bytes:
    """The headings of sheet 申请 as CSV: UTF-8 with its mark, so that Excel reads it."""
    return ("\ufeff" + ",".join(column.heading for column in MAIN) + "\r\n").encode()


def errors_xlsx(book: Book, faults: Iterable[Fault]) -> bytes:
    """The error file: the lines that were not imported, as typed, wrong cells marked, and why in the column 错误.

    It has the template's sheets, so it can be corrected and uploaded as it is.
    """
    by_line: dict[tuple[str, int], list[Fault]] = defaultdict(list)
    for fault in faults:
        by_line[fault.sheet, fault.number].append(fault)
    keys = {line.cells[0] for line in book.rights if (RIGHTS, line.number) in by_line}
    keys |= {line.cells[0] for line in book.applications if (APPLICATIONS, line.number) in by_line}
    out, made = _workbook()
    styles = _Styles(made)
    for sheet, lines in ((APPLICATIONS, book.applications), (RIGHTS, book.rights)):
        page = made.add_worksheet(sheet)
        columns = SHEETS[sheet]
        _head(page, columns, styles)
        page.write_string(0, len(columns), ERRORS, styles.head)
        page.set_column(len(columns), len(columns), _ERROR_WIDTH)
        _dropdowns(page, columns, _ROWS[sheet])
        row = 0
        for line in lines:
            if line.cells[0] in keys or (sheet, line.number) in by_line:
                row += 1
                _line(page, row, columns, line, by_line.get((sheet, line.number), ()), styles)
    _help(made.add_worksheet(HELP), styles)
    made.close()
    return out.getvalue()


class _Styles:
    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.text = book.add_format({"num_format": "@"})
        self.head = book.add_format({"bold": True, "bg_color": "#E8EFF9", "border": 1})
        self.required = book.add_format({"bold": True, "bg_color": "#12468A", "font_color": "#FFFFFF", "border": 1})
        self.wrong = book.add_format({"num_format": "@", "bg_color": "#FBEAE8", "font_color": "#A3231B", "border": 1})
        self.why = book.add_format({"font_color": "#A3231B"})


def _workbook() -> tuple[io.BytesIO, xlsxwriter.Workbook]:
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return out, xlsxwriter.Workbook(out, options)


def _head(sheet: Any, columns: Sequence[Column], styles: _Styles) -> None:
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, len(columns) - 1, _WIDTH, styles.text)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column.heading, styles.required if column.required else styles.head)


def _dropdowns(sheet: Any, columns: Sequence[Column], rows: int) -> None:
    for place, column in enumerate(columns):
        if column.choices:
            typed = [name for name, _ in column.choices]
            sheet.data_validation(
                1, place, rows, place,
                {"validate": "list", "source": typed, "error_title": column.heading,
                 "error_message": "请从下拉选项中选择。"},
            )  # fmt: skip


def _line(
    sheet: Any, row: int, columns: Sequence[Column], line: Line, faults: Sequence[Fault], styles: _Styles
) -> None:
    wrong = {fault.heading for fault in faults}
    for place, (column, text) in enumerate(zip(columns, line.cells, strict=True)):
        if text or column.heading in wrong:
            style = styles.wrong if column.heading in wrong else styles.text
            sheet.write_string(row, place, text[:MAX_STRING], style)
    if faults:
        sheet.write_string(row, len(columns), "；".join(fault.text for fault in faults)[:MAX_STRING], styles.why)


def _help(sheet: Any, styles: _Styles) -> None:
    sheet.set_column(0, 0, _WIDTH)
    sheet.set_column(1, 5, 30)
    row = 0
    for title, text in RULES:
        sheet.write_string(row, 0, title, styles.head)
        sheet.write_string(row, 1, text)
        row += 1
    row += 1
    for name, columns in ((APPLICATIONS, MAIN), (RIGHTS, RIGHT_ROWS)):
        for place, heading in enumerate((f"{name}表栏目", "必填", "填写方式", "可选值", "规则", "例")):
            sheet.write_string(row, place, heading, styles.head)
        for column in columns:
            row += 1
            typed = "、".join(text for text, _ in column.choices)
            need = "必填" if column.required or column.heading == KEY else ""
            cells = (column.heading, need, Cell(column.cell).value, typed, column.rule, column.example)
            for place, text in enumerate(cells):
                sheet.write_string(row, place, text)
        row += 2
