"""台账: one row per obligation with the ids of everything on its way to a bank receipt, as XLSX.

A pure renderer: `register` fills the rows. Every cell is text; the sum is recomputed. Source: domain clearing
§1 row 11, §10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from clearing import money
from clearing.settlement.workbook import text_book


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One obligation on its way. Ids are fact ids or the bank's own; amounts fen; days and moments texts of ISO 8601.

    What has not happened yet is "". After a netting the debtor's money comes under `funding` and the creditor's goes
    out under `payout`, each one payment for all obligations of its party; several ids are joined by 、. `document` has
    the numbers of the invoices or of the 财政电子票据.
    """

    obligation: str
    debtor: str
    creditor: str
    agreement: str
    period: str
    amount: int
    statement: str
    confirmed_at: str
    netting: str
    funding: str
    funding_reference: str
    funded_on: str
    payout: str
    payout_reference: str
    paid_on: str
    settled: int
    state: str
    document: str


NAMES = (
    "应付义务", "付款方", "收款方", "合约", "账期", "金额(元)", "清分账单", "双方确认时间", "轧差", "备付指令号",
    "备付银行流水号", "备付入账日", "付款指令号", "付款银行流水号", "付款入账日", "已结清(元)", "状态",
    "发票或财政电子票据号",
)  # fmt: skip
_WIDTH = 24


def trace_xlsx(rows: Sequence[TraceRow], *, as_of: str) -> bytes:
    """The workbook: sheet 台账, in the order given, with the sums and the moment it stands for in the last row.

    Raises BadMoney for an amount out of bounds or more settled than owed.
    """
    for row in rows:
        money.fen(row.settled, f"{row.obligation}.settled", least=0)
        money.fen(row.amount - row.settled, f"{row.obligation}.amount", least=0)
    sums = {name: money.yuan(sum(getattr(row, name) for row in rows)) for name in ("amount", "settled")}
    last = [sums.get(field.name, "") for field in fields(TraceRow)]
    last[:2] = [f"合计 {len(rows)} 项", f"截至 {as_of}"]
    return text_book({"台账": [NAMES, *(_cells(row) for row in rows), last]}, [_WIDTH] * len(NAMES))


def _cells(row: TraceRow) -> list[str]:
    values = [getattr(row, field.name) for field in fields(TraceRow)]
    return [money.yuan(value) if isinstance(value, int) else value for value in values]
