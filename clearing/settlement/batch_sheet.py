"""The bank's batch table as XLSX, and the workbook it sends back: which rows failed, and why.

Every cell is text, so accounts keep their zeros and nothing is a formula; the last row holds count and sum, recomputed
and compared before release. What comes back must be our own rows, none missing, none changed: a spreadsheet program
that made a number of an account is noticed. Source: domain clearing §10, §12 invariant 19, §13 trap 20.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearing import money
from clearing.errors import BadMoney, BadTerms, BankFileRefused
from clearing.settlement.payment import BATCH_COLUMNS, BankAccount, Batch, Direction, Instruction, check_account
from clearing.settlement.workbook import text_book
from ledger.errors import FieldError
from registry.sheet import rows_of

RESULT_COLUMNS = (*BATCH_COLUMNS, "处理结果", "失败原因")
DONE, FAILED = "成功", "失败"
TOTAL = "合计"
ERROR_COLUMNS = ("行", "指令号", "收款户名", "收款账号", "金额(元)", "失败原因")
MAX_ROWS = 100_000
_WIDTHS = (8, 36, 32, 36, 28, 16, 20, 28, 38, 12, 40)


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a bank says of one row; `row` counts from 1 with the heading, `reason` is "" when it was done."""

    row: int
    end_to_end: str
    done: bool
    reason: str


def batch_xlsx(batch: Batch) -> bytes:
    """The pay-outs as the bank's workbook.

    Raises BadTerms for an account a spreadsheet would misread, BadMoney when the rows are not the batch's pay-outs.
    """
    return text_book({"付款": [BATCH_COLUMNS, *_payouts(batch)]}, _WIDTHS)


def funding_xlsx(batch: Batch, party: str) -> bytes:
    """The one row a net payer hands to its own bank. Raises BadTerms when it owes nothing."""
    due = [item for item in batch.instructions if item.direction is Direction.FUNDING and item.party == party]
    if len(due) != 1:
        raise BadTerms("party", "a net payer of this batch", party)
    return text_book({"付款": [BATCH_COLUMNS, *_rows(batch, [(due[0].account, batch.account, due[0])])]}, _WIDTHS)


def _payouts(batch: Batch) -> list[tuple[str, ...]]:
    due = [item for item in batch.instructions if item.direction is Direction.PAYOUT]
    total = sum(item.amount for item in due)
    if total != batch.payout:
        raise BadMoney("payout", money.yuan(total), money.yuan(batch.payout))
    return _rows(batch, [(batch.account, item.account, item) for item in due])


def _rows(batch: Batch, due: Sequence[tuple[BankAccount, BankAccount, Instruction]]) -> list[tuple[str, ...]]:
    """(from, to, instruction) as texts, with the row of count and sum at the end."""
    rows: list[tuple[str, ...]] = []
    for number, (payer, to, item) in enumerate(due, start=1):
        check_account(payer, "payer")
        check_account(to, item.end_to_end)
        amount = money.yuan(money.fen(item.amount, item.end_to_end, least=1))
        rows.append((str(number), payer.number, to.name, to.number, to.bank, to.code, amount,
                     f"清分结算 {batch.period}", item.end_to_end))  # fmt: skip
    total = sum(money.parse_yuan(row[6]) for row in rows)
    return [*rows, (TOTAL, "", f"{len(rows)} 笔", "", "", "", money.yuan(total), "", "")]


def read_results(batch: Batch, data: bytes) -> tuple[RowResult, ...]:
    """Read the workbook of a batch's pay-outs that a bank returned with RESULT_COLUMNS.

    Raises BankFileRefused naming row and column for another form, a row that is missing, twice or not as it was sent, a
    result other than 成功 and 失败, a failure without reason, or a sum that is not that of the rows.
    """
    try:
        rows = rows_of("workbook", data, MAX_ROWS + 3)
    except FieldError as error:
        raise BankFileRefused(0, "file", error.expected, error.given) from error
    wide = len(RESULT_COLUMNS)
    cells = [_as_wide(row, wide) for row in rows]
    if not cells or cells[0] != RESULT_COLUMNS:
        raise BankFileRefused(1, "columns", ",".join(RESULT_COLUMNS), ",".join(cells[0]) if cells else "")
    sent = _payouts(batch)
    if len(cells) - 1 != len(sent):
        raise BankFileRefused(0, "rows", f"{len(sent)} with the sum", len(cells) - 1)
    results = []
    for number, (row, ours) in enumerate(zip(cells[1:], sent, strict=True), start=2):
        if len(row) != wide:
            raise BankFileRefused(number, "columns", str(wide), len(row))
        for column, cell, expected in zip(BATCH_COLUMNS, row, ours, strict=False):
            if cell != expected:
                raise BankFileRefused(number, column, expected, cell)
        if ours[0] == TOTAL:
            continue
        result, reason = row[len(BATCH_COLUMNS) :]
        if result not in (DONE, FAILED):
            raise BankFileRefused(number, "处理结果", f"{DONE} | {FAILED}", result)
        if (result == FAILED) != bool(reason):
            raise BankFileRefused(number, "失败原因", "a reason for a failure and for nothing else", reason)
        results.append(RowResult(number, ours[8], result == DONE, reason))
    return tuple(results)


def _as_wide(row: Sequence[str], width: int) -> tuple[str, ...]:
    """The row without empty cells beyond the width, filled up to it."""
    filled = [*row, *[""] * (width - len(row))]
    while len(filled) > width and not filled[-1]:
        filled.pop()
    return tuple(filled)


def error_xlsx(batch: Batch, results: Sequence[RowResult]) -> bytes:
    """The failed rows, one by one, for whoever corrects the accounts. Raises BadTerms for a row of another batch."""
    known = {item.end_to_end: item for item in batch.instructions}
    rows = []
    for result in results:
        item = known.get(result.end_to_end)
        if item is None:
            raise BadTerms("end_to_end", "an instruction of this batch", result.end_to_end)
        if not result.done:
            account = item.account
            rows.append((str(result.row), item.end_to_end, account.name, account.number, money.yuan(item.amount),
                         result.reason))  # fmt: skip
    total = sum(known[result.end_to_end].amount for result in results if not result.done)
    last = (TOTAL, f"{len(rows)} 笔", "", "", money.yuan(total), "")
    return text_book({"失败明细": [ERROR_COLUMNS, *rows, last]}, (8, 38, 32, 36, 20, 60))
