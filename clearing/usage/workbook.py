"""The 使用对账报告 as XLSX. Every cell is written as a string, so nothing a connector sent can become a formula."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import xlsxwriter

from clearing.terms import SHANGHAI
from clearing.usage.metered import MeteredUse
from clearing.usage.report import Difference, Report

MATCH_NAMES = {
    "OK": "一致",
    "OK-T": "容差内一致",
    "P-ONLY": "仅提供方有",
    "C-ONLY": "仅使用方有",
    "QTY": "数量不符",
    "UNIT": "单位不符",
    "TIME": "账期不符",
    "VERSION": "版本不符",
    "OUTCOME": "成败不符",
    "DUP": "重复",
    "CONFLICT": "同号不同内容",
    "SIG": "签名不符",
    "SCOPE": "超范围",
}
"""What a clerk calls the classes of exchange.md §5.4."""
LAPSE_NAMES = {
    "NO_CLOSE": "未做月度截止",
    "CUT_TAIL": "截止后缺记录",
    "AFTER_CLOSE": "截止外的记录",
    "OTHER_END": "末条记录不符",
    "UC60": "无心跳",
    "GAP": "缺号",
    "FORK": "分叉",
    "UNSIGNED": "连接器未签",
}
_WIDTHS = (14, 34, 10, 10, 20, 26, 12, 10, 20, 26, 12, 10, 20)
_DIFFERENCES = (
    "类别", "唯一请求号", "计费数量", "暂挂数量", "入账时间",
    "提供方记录", "数量", "单位", "发生时间", "使用方记录", "数量", "单位", "发生时间",
)  # fmt: skip


def report_xlsx(report: Report) -> bytes:
    """The workbook of one report: sheets 对账汇总, 差异明细, 截止与心跳. Times are those of Asia/Shanghai."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    _write(book.add_worksheet("对账汇总"), _summary(report))
    _write(book.add_worksheet("差异明细"), [_DIFFERENCES, *map(_difference, report.differences)])
    _write(book.add_worksheet("截止与心跳"), _findings(report))
    book.close()
    return out.getvalue()


def _summary(report: Report) -> list[tuple[str, ...]]:
    head = [
        ("合约", report.agreement),
        ("起", _time(report.start)),
        ("止（不含）", _time(report.end)),
        ("截至", _time(report.as_of)),
        ("计费依据", report.billing.value),
        ("计费数量", f"{report.billed} {report.unit}"),
        ("暂挂数量", f"{report.held} {report.unit}"),
        ("未列出的差异", str(report.unlisted)),
        ("类别", "名称", "条数", "计费数量", "暂挂数量"),
    ]
    return head + [
        (item.match.value, MATCH_NAMES[item.match], str(item.count), str(item.billed), str(item.held))
        for item in report.classes
    ]


def _difference(item: Difference) -> tuple[str, ...]:
    start = (f"{item.match} {MATCH_NAMES[item.match]}", item.request_id, str(item.billed), str(item.held))
    return (*start, _time(item.dated), *_record(item.provide), *_record(item.consume))


def _record(use: MeteredUse | None) -> tuple[str, ...]:
    if use is None:
        return ("", "", "", "")
    return (f"{use.connector}/{use.seq}", str(use.quantity), use.unit, _time(use.occurred_at))


def _findings(report: Report) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("连接器", "事项", "一方", "应有", "实有", "起", "止（不含）", "运营方说明")]
    rows += [
        (
            item.connector, f"{item.kind} {LAPSE_NAMES[item.kind]}", item.side.value, str(item.expected),
            str(item.found), _time(item.start), _time(item.end), "",
        )
        for item in report.tails
    ]  # fmt: skip
    rows += [
        (item.connector, f"{item.kind} {LAPSE_NAMES[item.kind]}", "", "", "", _time(item.since), "", item.explained)
        for item in report.seams
    ]
    return rows


def _time(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _write(sheet: xlsxwriter.worksheet.Worksheet, rows: Sequence[tuple[str, ...]]) -> None:
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text)
