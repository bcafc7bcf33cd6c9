"""Workbooks, and a statement as one. Every cell is written as a string, so nothing a party typed becomes a formula."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime

import xlsxwriter

from clearing import money
from clearing.settlement.guarantee import agreement_of
from clearing.settlement.journal import NET
from clearing.settlement.statement import Line, ObligationPart, PartA

EVENT_NAMES = {
    "charge": "计费",
    "share": "应分额",
    "guarantee": "保底差额",
    "non-tax-assessed": "非税收入核定",
    "non-tax-paid": "非税收入已缴",
    "non-tax-refund": "非税收入应退付",
    "non-tax-refunded": "非税收入已退付",
    "order-advance": "预付服务费",
    "order-carry": "上一项目周期结转",
    "order-fees": "项目周期服务费",
    "order-damages": "违约金",
    "order-forgiven": "违约金免计",
    "order-offset": "违约金抵扣",
    "order-applied": "预付服务费抵扣",
    "order-paid": "项目周期结算付款",
    "order-pass": "代列费用存入",
    "order-pass-cost": "代列费用实际支出",
    "order-pass-residue": "代列费用结余",
    "tax": "税额",
    "hold": "争议冻结",
    "release": "解除冻结",
    "netting": "轧差",
    "instruction": "付款指令",
    "receipt": "备付到账",
    "over": "超付待查",
    "paid": "付款入账",
    "returned": "退汇",
    "unknown": "待查到账",
    "cover-recourse": "担保方代为备付，可追偿",
    "cover-returned": "退还担保方",
    "recourse-repaid": "被担保方直接偿还担保方",
    "bank-opening": "银行期初余额",
}
"""What a clerk calls the events of the journal; a reversal is shown as 冲销 of its event."""
_NO_TIME = datetime(2000, 1, 1)
"""The program would write the moment it ran into the file."""
_WIDTHS = (18, 22, 40, 40, 12, 16)
LINE_COLUMNS = ("序号", "事项", "凭据", "合约", "账期", "金额(元)")
OBLIGATION_COLUMNS = ("序号", "付款方", "收款方", "金额(元)")


def statement_xlsx(body: PartA, parts: Sequence[Line | ObligationPart]) -> bytes:
    """The workbook of one statement: sheets 清分账单, 明细, 应付义务. Amounts are yuan text with two decimals."""
    return text_book(
        {
            "清分账单": summary_rows(body),
            "明细": [LINE_COLUMNS, *(line_row(part) for part in parts if isinstance(part, Line))],
            "应付义务": [
                OBLIGATION_COLUMNS, *(obligation_row(part) for part in parts if isinstance(part, ObligationPart))
            ],
        },
        _WIDTHS,
    )  # fmt: skip


def text_book(sheets: Mapping[str, Sequence[Sequence[str]]], widths: Sequence[int]) -> bytes:
    """A workbook of these sheets, every cell a string and the first row fixed; the same rows give the same bytes."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _NO_TIME})
    for name, rows in sheets.items():
        _write(book.add_worksheet(name), rows, widths)
    book.close()
    return out.getvalue()


def event_name(event: str) -> str:
    """The Chinese name of a journal event; an unknown one is shown as it is."""
    plain = event.removeprefix("reversal-")
    name = EVENT_NAMES.get(plain, plain)
    return name if plain == event else f"冲销：{name}"


def line_row(line: Line) -> tuple[str, ...]:
    """A line under LINE_COLUMNS; what was netted belongs to no one agreement."""
    agreement = "轧差净额" if line.agreement == NET else agreement_of(line.agreement)
    return (str(line.no), event_name(line.event), line.event_id, agreement, line.period, money.yuan(line.amount))


def obligation_row(part: ObligationPart) -> tuple[str, ...]:
    """An obligation under OBLIGATION_COLUMNS."""
    return (str(part.no), part.debtor, part.creditor, money.yuan(part.amount))


def summary_rows(body: PartA) -> list[tuple[str, str]]:
    """What a statement says in all: what it is called, and its value."""
    return [
        ("当事方", body.party),
        ("账期", body.period),
        ("币种", body.currency),
        ("期初余额(元)", money.yuan(body.opening)),
        ("期末余额(元)", money.yuan(body.closing)),
        ("应收(元)", money.yuan(body.owed)),
        ("应付(元)", money.yuan(body.owes)),
        ("结转(元)", money.yuan(body.carried)),
    ]


def _write(sheet: xlsxwriter.worksheet.Worksheet, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text)
