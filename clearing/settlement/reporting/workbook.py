"""The reports as XLSX for a clerk. Every cell is written as a string, so nothing a party typed becomes a formula."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import xlsxwriter

from clearing import money
from clearing.settlement.reporting.activity import Figure
from clearing.settlement.reporting.assessment import UNRATED, Assessment, Cell, Totals
from clearing.settlement.reporting.definitions import Definition
from clearing.settlement.reporting.disclosure import Disclosure, Line, class_name, mode_name
from clearing.settlement.reporting.material import LEFT_NAMES, SIDE_NAMES, Side
from registry.calendar import text_of

Rows = Sequence[Sequence[str]]
_NOT_TOLD = "不列示"
_DEFINITION_HEAD = (
    "编号", "指标名", "业务定义", "分子/分母", "维度与过滤", "账期与粒度", "生效日", "口径负责人", "版本号", "验证用例",
    "影响系统", "参数",
)  # fmt: skip


def assessment_xlsx(report: Assessment, names: Mapping[str, str]) -> bytes:
    """Sheets 说明, 数商, 产品, 剔除的交易, 口径清单; `names` are what parties are called, by USCC. Amounts are yuan."""
    parties: list[Sequence[str]] = [
        (
            "当事方", "名称", "活跃度", *(f"贡献度（{SIDE_NAMES[side]}）" for side in Side), "有效数商", "原因",
            "对账成功率", "信用等级", "信用评分", "已结算交易", "口径", "截至",
        ),
        *(
            (row.party, names.get(row.party, ""), row.activity.value,
             *(_value(row.contribution.get(side)) for side in Side), row.effective.value,
             "；".join(row.effective.reasons), row.reconciled.value, row.credit.grade or UNRATED, row.credit.score,
             str(row.credit.deals), _labels(row.activity, row.effective, row.reconciled) + f" {row.credit.definition}",
             text_of(report.as_of))
            for row in report.parties
        ),
    ]  # fmt: skip
    products: list[Sequence[str]] = [
        ("产品", "名称", "卖方", "卖方名称", "活跃度", "有效数据产品", "原因", "已结算交易", "净结算额(元)", "评价份数",
         "平均评价", "行业大类", "市场占有率", "口径", "截至"),
        *(
            (row.product, row.name, row.seller, names.get(row.seller, ""), row.activity.value, row.effective.value,
             "；".join(row.effective.reasons), str(row.sales.orders), money.yuan(row.sales.amount),
             str(row.sales.ratings), row.sales.mean, row.sales.category, row.sales.share.value,
             _labels(row.activity, row.effective, row.sales.share), text_of(report.as_of))
            for row in report.products
        ),
    ]  # fmt: skip
    out: list[Sequence[str]] = [
        ("合约", "账期", "买方", "收款方", "金额(元)", "原因"),
        *(
            (deal.agreement, deal.period, deal.buyer, deal.payee, money.yuan(deal.amount),
             LEFT_NAMES[deal.left] if deal.left else "")
            for deal in report.left_out
        ),
    ]  # fmt: skip
    head = [
        ("项目", "内容"), ("报表", "考核统计报表"), ("窗口", report.window), ("起", text_of(report.start)),
        ("止（不含）", text_of(report.end)), ("截至", text_of(report.as_of)),
        ("有效数商", f"{report.effective_parties} / {len(report.parties)}"),
        ("有效数据产品", f"{report.effective_products} / {len(report.products)}"),
    ]  # fmt: skip
    sheets: dict[str, Rows] = {"说明": head, "数商": parties, "产品": products, "剔除的交易": out}
    return workbook(sheets | {"口径清单": definition_rows(report.definitions)})


def totals_xlsx(report: Totals) -> bytes:
    """Sheets 说明 and 汇总."""
    head = [
        ("项目", "内容"), ("报表", "监管汇总"), ("口径", report.definition), ("窗口", report.window),
        ("截至", text_of(report.as_of)), ("范围", report.scope), ("不列示", f"少于 {report.k} 个当事方的"),
    ]  # fmt: skip
    rows: list[Sequence[str]] = [("表", "项", "当事方数", "净结算额(元)")]
    for table in report.tables:
        rows += [(table.title, *_cell(cell)) for cell in (*table.cells, table.total)]
    return workbook({"说明": head, "汇总": rows})


def disclosure_xlsx(report: Disclosure) -> bytes:
    """Sheets 说明, 交易, 其他 and 口径清单. Amounts are yuan."""
    head = [
        ("项目", "内容"), ("报表", "年度披露"), ("年度", report.year), ("起", text_of(report.start)),
        ("止（不含）", text_of(report.end)), ("截至", text_of(report.as_of)),
        ("口径", " ".join(one.label for one in report.definitions)), ("范围", report.definitions[0].dimensions),
        ("不列示", f"少于 {report.k} 个当事方的"), ("未列入", "、".join(report.left_out)),
    ]  # fmt: skip
    deals: list[Sequence[str]] = [
        ("产品类型", "交付方式", "当事方数", "已结算交易", "净结算额(元)"),
        *((class_name(line), mode_name(line), *_told(line)) for line in report.deals),
        ("合计", "", *_told(report.total)),
    ]
    others: list[Sequence[str]] = [("表", "项", "数目", "所涉当事方数")]
    for section in report.sections:
        parties = _number(section.parties)
        others += [(section.title, one.label, _number(one.number), parties) for one in section.counts]
        if section.rate_name:
            others.append((section.title, section.rate_name, section.rate or _NOT_TOLD, parties))
    sheets: dict[str, Rows] = {"说明": head, "交易": deals, "其他": others}
    return workbook(sheets | {"口径清单": definition_rows(report.definitions)})


def definition_rows(definitions: Sequence[Definition]) -> Rows:
    """统一口径清单 as a table, the ten fields with number and parameters."""
    return [
        _DEFINITION_HEAD,
        *(
            (one.code, one.name, one.meaning, one.ratio, one.dimensions, one.grain, one.effective, one.owner,
             str(one.version), "、".join(one.cases), one.affects,
             "；".join(f"{name}={value}" for name, value in one.numbers.items()))
            for one in definitions
        ),
    ]  # fmt: skip


def workbook(sheets: Mapping[str, Rows]) -> bytes:
    """A workbook of text: the first row of each sheet is its head."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, plain = book.add_format({"bold": True, "text_wrap": True}), book.add_format({"valign": "top"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.set_column(0, max((len(row) for row in rows), default=1) - 1, 22)
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                sheet.write_string(number, column, text, plain if number else bold)
        sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def _value(figure: Figure | None) -> str:
    return "" if figure is None else figure.value


def _labels(*figures: Figure) -> str:
    return " ".join(figure.definition for figure in figures)


def _cell(cell: Cell) -> tuple[str, str, str]:
    told = cell.parties is not None and cell.amount is not None
    if not told:
        return cell.label, _NOT_TOLD, _NOT_TOLD
    return cell.label, str(cell.parties), money.yuan(cell.amount or 0)


def _told(line: Line) -> tuple[str, str, str]:
    return (
        _number(line.parties), _number(line.orders), _NOT_TOLD if line.amount is None else money.yuan(line.amount)
    )  # fmt: skip


def _number(number: int | None) -> str:
    return _NOT_TOLD if number is None else str(number)
