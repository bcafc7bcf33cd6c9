"""The yearly report as three papers with one content: canonical JSON, workbook, PDF."""

from __future__ import annotations

import io
import json
from pathlib import Path

import xlsxwriter

from ledger import canonical
from ledger.reading import body_of
from registry.calendar import text_of
from registry.document import typeset
from registry.duties.figures import AnnualReport

TEMPLATE = Path(__file__).with_name("report.typ")
HEAD = ("指标 / figure", "名称 / name", "数值 / value", "口径 / scope", "规则 / rule")
NOTICE = "依据签名事实逐项计数，参照《数据产权登记工作指引（试行）》第十一条。"


def report_json(report: AnnualReport) -> bytes:
    """The report as a canonical document."""
    return canonical.encode(body_of(report))


def report_xlsx(report: AnnualReport) -> bytes:
    """The report as a workbook; every cell a string, so that nothing becomes a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("年度报告")
    for column, width in enumerate((26, 34, 12, 24, 34)):
        sheet.set_column(column, column, width)
    rows = [
        ("登记机构", report.agency_name, report.agency, "", ""),
        ("年度", str(report.year), "截至 / as of", text_of(report.as_of), ""),
        HEAD,
        *((item.id, item.name, str(item.value), item.scope, item.rule) for item in report.figures),
    ]
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text)
    sheet.freeze_panes(3, 0)
    book.close()
    return out.getvalue()


def report_pdf(report: AnnualReport, fonts: Path) -> bytes:
    """The report as PDF. Raises `PaperRefused`."""
    fields = {
        "title": f"{report.year} 年度数据产权登记业务开展情况报告",
        "agency": f"{report.agency_name}（{report.agency}）",
        "as_of": f"截至 {text_of(report.as_of)}（不含）　应于 {report.due} 前报告",
        "rules": "、".join(report.rules) or "—",
        "notice": report.notice,
        "head": ["指标", "名称", "数值", "口径", "规则"],
        "rows": [[item.id, item.name, str(item.value), item.scope, item.rule] for item in report.figures],
    }
    return typeset(TEMPLATE, {"report": json.dumps(fields, ensure_ascii=False)}, fonts, report.as_of)
