"""The batch as a workbook: text cells only, sums recomputed, and what a bank returns taken row by row or not at all."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
import xlsxwriter
from openpyxl import load_workbook

from clearing.errors import BadMoney, BadTerms, BankFileRefused
from clearing.settlement.batch_sheet import (
    DONE,
    FAILED,
    RESULT_COLUMNS,
    RowResult,
    batch_xlsx,
    error_xlsx,
    funding_xlsx,
    read_results,
)
from clearing.settlement.pain001 import payout_initiation
from clearing.settlement.trace_sheet import NAMES, TraceRow, trace_xlsx
from clearing.settlement.workbook import text_book
from tests.clearing.settlement.test_pain001 import NUMBERS, WHEN
from tests.clearing.settlement.test_payment import ACCOUNTS, a_batch


def cells(data: bytes) -> list[list[str]]:
    """Every cell of the first sheet, and proof that none is a number or a formula."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for name in packed.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f" not in packed.read(name).replace(b"<formatting", b"")
    sheet = load_workbook(io.BytesIO(data)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value not in (None, "")} <= {"s"}
    return [["" if cell.value is None else cell.value for cell in row] for row in sheet.iter_rows()]


def test_batch__rows__keep_zeros_and_sum_to_the_pain001() -> None:
    rows = cells(batch_xlsx(a_batch()))
    assert [row[3] for row in rows[1:]] == ["0065", "0066", ""]
    assert [row[6] for row in rows[1:]] == ["0.70", "0.30", "1.00"]
    made = payout_initiation(a_batch(), NUMBERS, **WHEN)
    assert rows[-1][6] == "1.00"
    assert made.total == 100
    assert [row[8] for row in rows[1:-1]] == [item.end_to_end for item in made.transfers]
    assert batch_xlsx(a_batch()) == batch_xlsx(a_batch())


def test_funding__the_one_row__goes_to_the_supervised_account() -> None:
    rows = cells(funding_xlsx(a_batch(), "Z"))
    assert rows[1][1:4] == ["0090", "演示监管账户", "0100000000000001"]
    assert [row[6] for row in rows[1:]] == ["1.00", "1.00"]
    with pytest.raises(BadTerms, match="net payer"):
        funding_xlsx(a_batch(), "A")


def test_batch__sum_that_is_not_the_rows_or_a_formula__is_not_released() -> None:
    with pytest.raises(BadMoney, match="payout"):
        batch_xlsx(replace(a_batch(), payout=101))
    batch = a_batch()
    evil = replace(batch.instructions[0], account=replace(ACCOUNTS["A"], name="=HYPERLINK(1)"))
    with pytest.raises(BadTerms, match="name"):
        batch_xlsx(replace(batch, instructions=(evil, *batch.instructions[1:])))
    huge = replace(batch.instructions[0], amount=10**15)
    with pytest.raises(BadMoney):
        batch_xlsx(replace(batch, instructions=(huge, *batch.instructions[1:]), payout=10**15 + 30))


def returned(*results: tuple[str, str]) -> list[list[str]]:
    """The rows of our own workbook with a bank's two columns behind them."""
    head, *rows, total = cells(batch_xlsx(a_batch()))
    return [[*head, *RESULT_COLUMNS[-2:]], *([*row, *result] for row, result in zip(rows, results, strict=True)), total]


def book(rows: list[list[str]]) -> bytes:
    return text_book({"付款": rows}, [10])


GOOD = ((DONE, ""), (FAILED, "账号户名不符"))


def test_results__of_our_rows__are_read_and_failures_listed() -> None:
    found = read_results(a_batch(), book(returned(*GOOD)))
    ids = [item.end_to_end for item in a_batch().instructions]
    assert found == (RowResult(2, ids[0], True, ""), RowResult(3, ids[1], False, "账号户名不符"))
    rows = cells(error_xlsx(a_batch(), found))
    assert rows[1] == ["3", ids[1], "演示B公司", "0066", "0.30", "账号户名不符"]
    assert rows[-1][:5] == ["合计", "1 笔", "", "", "0.30"]


def test_errors__reason_that_looks_like_a_formula__stays_text() -> None:
    found = read_results(a_batch(), book(returned((DONE, ""), (FAILED, "=cmd|' /C calc'!A0"))))
    assert cells(error_xlsx(a_batch(), found))[1][-1] == "=cmd|' /C calc'!A0"


def changed(row: int, column: int, text: str) -> list[list[str]]:
    rows = returned(*GOOD)
    rows[row][column] = text
    return rows


@pytest.mark.parametrize(
    ("rows", "row", "field"),
    [
        (changed(1, 3, "65"), 2, "收款账号"),
        (changed(1, 6, "0.71"), 2, "金额(元)"),
        (changed(2, 8, "SQ"), 3, "指令号"),
        (changed(3, 6, "1.01"), 4, "金额(元)"),
        (changed(1, 9, "也许"), 2, "处理结果"),
        (changed(1, 10, "为何"), 2, "失败原因"),
        (changed(2, 10, ""), 3, "失败原因"),
        (changed(0, 9, "结果"), 1, "columns"),
        ([*returned(*GOOD)[:2], returned(*GOOD)[3]], 0, "rows"),
        ([*returned(*GOOD)[:2], *returned(*GOOD)[1:2], returned(*GOOD)[3]], 3, "序号"),
        ([[*row, "", "x"] if row[0] == "1" else row for row in returned(*GOOD)], 2, "columns"),
        ([], 1, "columns"),
    ],
)
def test_results__that_are_not_our_rows__are_refused_whole(rows: list[list[str]], row: int, field: str) -> None:
    with pytest.raises(BankFileRefused) as refused:
        read_results(a_batch(), book(rows))
    assert (refused.value.row, refused.value.field) == (row, field)


def test_results__a_program_made_numbers_of_accounts__is_noticed() -> None:
    out = io.BytesIO()
    made = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = made.add_worksheet()
    for number, row in enumerate(returned(*GOOD)):
        for column, text in enumerate(row):
            sheet.write(number, column, int(text) if column == 3 and text.isdigit() else text)
    made.close()
    with pytest.raises(BankFileRefused, match="收款账号"):
        read_results(a_batch(), out.getvalue())
    with pytest.raises(BankFileRefused, match="file"):
        read_results(a_batch(), b"PK\x03\x04 no workbook")


def trace(**changes: object) -> TraceRow:
    base = dict.fromkeys(TraceRow.__dataclass_fields__, "x")
    return TraceRow(**{**base, "amount": 70, "settled": 70, **changes})  # type: ignore[arg-type]


def test_trace__rows__are_text_with_their_sums() -> None:
    rows = cells(trace_xlsx([trace(debtor="=1+1", document="00012"), trace(settled=0)], as_of="2026-04-30"))
    assert tuple(rows[0]) == NAMES
    assert rows[1][1] == "=1+1"
    assert rows[1][-1] == "00012"
    assert (rows[3][0], rows[3][1], rows[3][5], rows[3][15]) == ("合计 2 项", "截至 2026-04-30", "1.40", "0.70")
    with pytest.raises(BadMoney, match="amount"):
        trace_xlsx([trace(settled=71)], as_of="x")
