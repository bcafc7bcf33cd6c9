"""Instructions and bank files: sums, refusals, matching."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from clearing.errors import BadTerms, BankFileRefused
from clearing.settlement import payment
from clearing.settlement.bank_file import BankEntry, new_entries, read_bank_csv
from clearing.settlement.journal import BankEffect
from clearing.settlement.payment import BankAccount, Direction, Expected, batch_csv, batch_of, match
from tests.clearing.settlement.bank import bank_file, entry

SUPERVISED = BankAccount("102100099996", "演示银行", "0100000000000001", "演示监管账户")
ACCOUNTS = {p: BankAccount("102100099996", "演示银行", f"00{ord(p)}", f"演示{p}公司") for p in "ABZ"}
POSITIONS = {"A": 70, "B": 30, "Z": -100}


def a_batch(accounts: dict[str, BankAccount] | None = None) -> payment.Batch:
    return batch_of("c", "O", "2026-03", "n" * 64, "CNY", POSITIONS, SUPERVISED, accounts or ACCOUNTS)


def test_batch_of__positions__become_one_instruction_each_and_sums_agree() -> None:
    found = a_batch()
    assert (found.funding, found.payout) == (100, 100)
    assert {item.party: item.direction for item in found.instructions} == {
        "A": Direction.PAYOUT, "B": Direction.PAYOUT, "Z": Direction.FUNDING,
    }  # fmt: skip
    assert found == a_batch()
    assert all(len(item.end_to_end) <= 35 for item in found.instructions)


def test_batch_of__a_party_without_account__is_refused() -> None:
    with pytest.raises(BadTerms, match=r"accounts.*B"):
        a_batch({key: value for key, value in ACCOUNTS.items() if key != "B"})


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": "=HYPERLINK(1)"}, "name"), ({"name": "+1"}, "name"), ({"number": "12 3"}, "number"),
     ({"code": "123"}, "code"), ({"bank": "@x"}, "bank"), ({"name": "a\nb"}, "name")],
)  # fmt: skip
def test_batch_of__an_account_a_spreadsheet_would_misread__is_refused(change: dict[str, str], field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        a_batch({**ACCOUNTS, "A": replace(ACCOUNTS["A"], **change)})


def test_batch_csv__payouts__total_the_positions_and_keep_leading_zeros() -> None:
    rows = list(csv.DictReader(io.StringIO(batch_csv(a_batch()).decode("utf-8-sig"))))
    assert [row["金额(元)"] for row in rows] == ["0.70", "0.30"]
    assert [row["收款账号"] for row in rows] == ["0065", "0066"]
    assert len({row["指令号"] for row in rows}) == 2


def test_read_bank_csv__a_good_file__adds_up() -> None:
    file, entries = read_bank_csv(bank_file("0.00", "70.50", entry("1", "100.50"), entry("2", "-30.00")))
    assert (file.opening, file.closing) == (0, 7050)
    assert [item.amount for item in entries] == [10_050, -3000]


@pytest.mark.parametrize(
    ("data", "row", "field"),
    [
        (bank_file("0.00", "1.00"), 2, "closing"),
        (bank_file("0.00", "2.00", entry("1", "1.00"), entry("1", "1.00")), 5, "reference"),
        (bank_file("0.00", "1.0", entry("1", "1.00")), 2, "closing"),
        (bank_file("0.00", "1.00", entry("1", "1,00")), 4, "amount"),
        (bank_file("0.00", "0.00", entry("1", "0.00")), 4, "amount"),
        (bank_file("0.00", "1.00", entry("", "1.00")), 4, "reference"),
        (bank_file("0.00", "1.00", entry("1", "1.00", booking_date="2026-02-30")), 4, "booking_date"),
        (bank_file("0.00", "1.00", entry("1", "1.00", end_to_end="a b")), 4, "end_to_end"),
        (bank_file("0.00", "1.00", entry("1", "1.00")).replace(b"CNY", b"USD"), 2, "currency"),
        (bank_file("0.00", "1.00", entry("1", "1.00")) + b"a,b\r\n", 5, "columns"),
        (b"\xff\xfe", 0, "file"),
        (b"", 1, "columns"),
        (b"bank,account\r\n", 1, "columns"),
    ],
)
def test_read_bank_csv__a_bad_file__is_refused_whole_with_row_and_field(data: bytes, row: int, field: str) -> None:
    with pytest.raises(BankFileRefused) as refused:
        read_bank_csv(data)
    assert (refused.value.row, refused.value.field) == (row, field)


def test_new_entries__known_same_is_ignored_and_known_changed_refused() -> None:
    file, entries = read_bank_csv(bank_file("0.00", "3.00", entry("1", "1.00"), entry("2", "2.00")))
    known = {"1": entries[0]}
    assert new_entries(file, entries, known, 100) == (entries[1],)
    with pytest.raises(BankFileRefused, match="opening"):
        new_entries(file, entries, known, 99)
    with pytest.raises(BankFileRefused, match="reference"):
        new_entries(file, entries, {"1": replace(entries[0], amount=200)}, 100)


FUNDING = Expected(Direction.FUNDING, "Z", "p", 100, 0, False)
PAYOUT = Expected(Direction.PAYOUT, "A", "p", 70, 0, False)


@pytest.mark.parametrize(
    ("item", "amount", "code", "effect", "applied"),
    [
        (FUNDING, 100, "", BankEffect.RECEIPT, 100),
        (FUNDING, 40, "", BankEffect.RECEIPT, 40),
        (FUNDING, 130, "", BankEffect.OVER, 100),
        (FUNDING, -100, "", BankEffect.UNKNOWN, 0),
        (replace(FUNDING, booked=100), 100, "", BankEffect.UNKNOWN, 0),
        (PAYOUT, -70, "", BankEffect.PAID, 70),
        (PAYOUT, -69, "", BankEffect.UNKNOWN, 0),
        (replace(PAYOUT, booked=70), -70, "", BankEffect.UNKNOWN, 0),
        (replace(PAYOUT, booked=70), 70, "AC01", BankEffect.RETURNED, 70),
        (replace(PAYOUT, booked=70), 70, "", BankEffect.UNKNOWN, 0),
        (replace(PAYOUT, booked=70, returned=True), 70, "AC01", BankEffect.UNKNOWN, 0),
        (PAYOUT, 70, "AC01", BankEffect.UNKNOWN, 0),
    ],
)
def test_match__each_case__does_what_the_table_says(
    item: Expected, amount: int, code: str, effect: BankEffect, applied: int
) -> None:
    booked = BankEntry("1", "2026-04-01", "2026-04-01", amount, "", "", "E2E", code, "")
    found = match(booked, {"E2E": item})
    assert (found.effect, found.applied) == (effect, applied)
    assert found.amount == amount
    assert match(replace(booked, end_to_end="other"), {"E2E": item}).effect is BankEffect.UNKNOWN
