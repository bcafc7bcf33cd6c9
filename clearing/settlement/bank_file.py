"""A bank statement file as values, in whatever format it came: sums that hold, entries that come once.

Amounts are fen inside and yuan with two decimals in files. The CSV form is read here; `camt053` reads the other.
Source: domain clearing §10.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from clearing import money
from clearing.errors import BadMoney, BankFileRefused

FILE_COLUMNS = ("bank", "account", "currency", "opening", "closing", "first_day", "last_day")
ENTRY_COLUMNS = (
    "reference", "booking_date", "value_date", "amount", "name", "counter_account", "end_to_end", "return_code",
    "remark",
)  # fmt: skip
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One booked entry. `amount` > 0 is money in, fen; dates are `YYYY-MM-DD`; `reference` is the bank's own key."""

    reference: str
    booking_date: str
    value_date: str
    amount: int
    name: str
    counter_account: str
    end_to_end: str
    return_code: str
    remark: str


@dataclass(frozen=True, slots=True)
class BankFile:
    """The body of a bank-file fact; the entries are its parts. `digest` is the SHA-256 of the file as received."""

    bank: str
    account: str
    currency: str
    opening: int
    closing: int
    first_day: str
    last_day: str
    digest: str
    entries: int


def read_bank_csv(data: bytes) -> tuple[BankFile, tuple[BankEntry, ...]]:
    """Read a bank statement, UTF-8 CSV: a row of FILE_COLUMNS, one row of values, a row of ENTRY_COLUMNS, the entries.

    Amounts are yuan with two decimals, money out negative. Raises BankFileRefused naming row and field when anything
    is malformed, a reference comes twice or opening + Σ entries ≠ closing.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BankFileRefused(0, "file", "CSV in UTF-8", str(error)) from error
    for row, columns in ((0, FILE_COLUMNS), (2, ENTRY_COLUMNS)):
        given = tuple(rows[row]) if len(rows) > row else ()
        if given != columns:
            raise BankFileRefused(row + 1, "columns", ",".join(columns), ",".join(given))
    if len(rows) > MAX_ROWS:
        raise BankFileRefused(0, "rows", f"at most {MAX_ROWS}", len(rows))
    head = _named(rows[1], FILE_COLUMNS, 2)
    entries = [
        (number, entry_of(_named(row, ENTRY_COLUMNS, number), number)) for number, row in enumerate(rows[3:], start=4)
    ]
    return file_of(data, head, 2, entries)


def file_of(
    data: bytes, head: Mapping[str, str], row: int, numbered: Sequence[tuple[int, BankEntry]]
) -> tuple[BankFile, tuple[BankEntry, ...]]:
    """The file of these texts by FILE_COLUMNS, read at `row`, and these entries with their rows, whatever its format.

    Raises BankFileRefused when a text is malformed, a reference comes twice or opening + Σ entries ≠ closing.
    """
    seen: set[str] = set()
    for number, entry in numbered:
        if entry.reference in seen:
            raise BankFileRefused(number, "reference", "each reference once", entry.reference)
        seen.add(entry.reference)
    entries = tuple(entry for _, entry in numbered)
    file = BankFile(
        bank=_matching(head["bank"], r"[0-9]{12}", "a 联行号 of 12 digits", row, "bank"),
        account=_matching(head["account"], r"[0-9]{1,32}", "1 to 32 digits", row, "account"),
        currency=_matching(head["currency"], "CNY", "CNY", row, "currency"),
        opening=_amount(head["opening"], row, "opening"),
        closing=_amount(head["closing"], row, "closing"),
        first_day=_day(head["first_day"], row, "first_day"),
        last_day=_day(head["last_day"], row, "last_day"),
        digest=hashlib.sha256(data).hexdigest(),
        entries=len(entries),
    )
    total = file.opening + sum(entry.amount for entry in entries)
    if total != file.closing:
        raise BankFileRefused(row, "closing", f"opening + entries = {money.yuan(total)}", head["closing"])
    return file, entries


def new_entries(
    file: BankFile, entries: Sequence[BankEntry], known: Mapping[str, BankEntry], closing: int | None
) -> tuple[BankEntry, ...]:
    """The entries not imported before. `closing` is the account's balance after the last file, None for the first.

    Raises BankFileRefused when a known entry comes with other content or the file does not continue the last balance.
    """
    for number, entry in enumerate(entries, start=4):
        before = known.get(entry.reference)
        if before is not None and before != entry:
            raise BankFileRefused(number, "reference", f"the entry booked before under {entry.reference}", entry)
    fresh = tuple(entry for entry in entries if entry.reference not in known)
    if closing is not None and closing + sum(entry.amount for entry in fresh) != file.closing:
        raise BankFileRefused(2, "opening", f"the last closing balance {money.yuan(closing)}", money.yuan(file.opening))
    return fresh


def _named(row: list[str], columns: tuple[str, ...], number: int) -> dict[str, str]:
    if len(row) != len(columns):
        raise BankFileRefused(number, "columns", f"{len(columns)} values", len(row))
    return dict(zip(columns, row, strict=True))


def entry_of(row: Mapping[str, str], number: int) -> BankEntry:
    """The entry of these texts by ENTRY_COLUMNS, amount in yuan with two decimals. Raises BankFileRefused."""
    amount = _amount(row["amount"], number, "amount")
    if not amount:
        raise BankFileRefused(number, "amount", "an amount other than 0", row["amount"])
    text = r"[^\x00-\x1f]{0,140}"
    return BankEntry(
        reference=_matching(row["reference"], r"[A-Za-z0-9._/-]{1,64}", "1 to 64 plain characters", number,
                            "reference"),
        booking_date=_day(row["booking_date"], number, "booking_date"),
        value_date=_day(row["value_date"], number, "value_date"),
        amount=amount,
        name=_matching(row["name"], text, "at most 140 characters", number, "name"),
        counter_account=_matching(row["counter_account"], r"[0-9]{0,32}", "at most 32 digits", number,
                                  "counter_account"),
        end_to_end=_matching(row["end_to_end"], r"[A-Za-z0-9]{0,35}", "at most 35 plain characters", number,
                             "end_to_end"),
        return_code=_matching(row["return_code"], r"[A-Za-z0-9]{0,8}", "a bank return code", number, "return_code"),
        remark=_matching(row["remark"], text, "at most 140 characters", number, "remark"),
    )  # fmt: skip


def _matching(value: str, pattern: str, expected: str, row: int, field: str) -> str:
    if not re.fullmatch(pattern, value):
        raise BankFileRefused(row, field, expected, value)
    return value


def _amount(text: str, row: int, field: str) -> int:
    try:
        return money.parse_yuan(text, field)
    except BadMoney as error:
        raise BankFileRefused(row, field, error.expected, text) from error


def _day(text: str, row: int, field: str) -> str:
    _matching(text, r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date YYYY-MM-DD", row, field)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BankFileRefused(row, field, "a date YYYY-MM-DD", text) from error
