"""The 台账: a holder's cards as workbook and as CSV. Text stays text, whatever it begins with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import xlsxwriter

from registry.calendar import text_of
from registry.cards.card import STATE_NAMES, Card, Confirmation
from registry.sheet import no_formula

HEAD = (
    "卡片编号", "名称", "类别", "状态", "权利", "登记凭证", "产品", "管理部门", "安全级别", "入卡日期", "使用次数",
    "确认", "确权", "确值", "处置", "最后变动",
)  # fmt: skip
_WIDTH = 22


def rows(cards: Sequence[Card]) -> Iterator[tuple[str, ...]]:
    """One row a card, under `HEAD`."""
    for card in cards:
        refs = "；".join(f"{ref.number} v{ref.version}（{ref.status}）" for ref in card.rights.certificate_refs)
        yield (
            card.id, card.basic.name, card.basic.category, STATE_NAMES[card.state], "、".join(card.rights.rights), refs,
            "；".join(card.development.product_refs), card.management.department, card.management.security_class,
            card.entered_on, str(card.uses), *(_confirmed(card, item) for item in Confirmation), card.disposed or "—",
            text_of(card.changed_at),
        )  # fmt: skip


def workbook(cards: Sequence[Card]) -> bytes:
    """The 台账 as XLSX; every cell a string, so nothing somebody typed becomes a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("数据资产台账")
    sheet.set_column(0, len(HEAD) - 1, _WIDTH)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate([HEAD, *rows(cards)]):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text)
    book.close()
    return out.getvalue()


def comma_separated(cards: Sequence[Card]) -> bytes:
    """The 台账 as CSV (UTF-8 with a mark for spreadsheet programs); a cell that a program could take for a formula is
    preceded by an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for row in rows(cards):
        writer.writerow(map(no_formula, row))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _confirmed(card: Card, item: Confirmation) -> str:
    found = [report for report in card.reports if report.confirmation is item]
    return "；".join(f"{report.catalogue_no or report.issuer} {report.issued_on}" for report in found) or "—"
