"""Instructions for the account holder out, bank files in. The platform holds no client money.

The supervised account 监管账户 is funded by net payers and pays net receivers; one instruction per party and direction.
Amounts are fen inside and yuan with two decimals in files. Source: domain clearing §10.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from clearing import money
from clearing.errors import BadMoney, BadTerms, BankFileRefused
from clearing.settlement.journal import BankEffect, BankPosting

BATCH_COLUMNS = ("序号", "付款账号", "收款户名", "收款账号", "开户行", "联行号", "金额(元)", "用途", "指令号")
FILE_COLUMNS = ("bank", "account", "currency", "opening", "closing", "first_day", "last_day")
ENTRY_COLUMNS = (
    "reference", "booking_date", "value_date", "amount", "name", "counter_account", "end_to_end", "return_code",
    "remark",
)  # fmt: skip
MAX_ROWS = 100_000


class Direction(StrEnum):
    """备付 money a net payer brings; 付款 money a net receiver gets."""

    FUNDING = "funding"
    PAYOUT = "payout"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account as the bank knows it: 12-digit 联行号, bank name, number (≤ 32 digits, zeros kept), exact 户名."""

    code: str
    bank: str
    number: str
    name: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """One payment to or from the supervised account. `end_to_end` comes back on the bank file and is its identity."""

    end_to_end: str
    direction: Direction
    party: str
    amount: int
    account: BankAccount


@dataclass(frozen=True, slots=True)
class Batch:
    """The body of a payment-instructions fact, signed by two persons. Sums are fen over each direction."""

    cycle: str
    operator: str
    period: str
    netting: str
    currency: str
    account: BankAccount
    instructions: tuple[Instruction, ...]
    funding: int
    payout: int


def check_account(account: BankAccount, field: str) -> None:
    """Refuse what a bank or a spreadsheet would misread. Raises BadTerms naming the field."""
    plain = r"[^=+\-@\s\x00-\x1f][^\x00-\x1f]{0,69}"
    rules = (
        ("code", r"[0-9]{12}", "a 联行号 of 12 digits", account.code),
        ("number", r"[0-9]{1,32}", "1 to 32 digits", account.number),
        ("name", plain, "a 户名 that does not start with = + - @ or space", account.name),
        ("bank", plain, "a bank name that does not start with = + - @ or space", account.bank),
    )
    for name, pattern, expected, given in rules:
        if not re.fullmatch(pattern, given):
            raise BadTerms(f"{field}.{name}", expected, given)


def end_to_end_of(netting: str, direction: Direction, party: str) -> str:
    """The instruction's id, 34 characters, from what it discharges: a resend has the same one."""
    return "SQ" + hashlib.sha256(f"{netting}|{direction}|{party}".encode()).hexdigest()[:32].upper()


def batch_of(
    cycle: str,
    operator: str,
    period: str,
    netting: str,
    currency: str,
    positions: Mapping[str, int],
    account: BankAccount,
    accounts: Mapping[str, BankAccount],
    paid_in: int = 0,
) -> Batch:
    """The instructions that discharge the positions of one netting run: fen a party is due (> 0) or brings (< 0). They
    sum to what the account holds for them already.

    Raises BadTerms when a party with a position has no usable account on record.
    """
    check_account(account, "account")
    instructions = []
    for party, amount in sorted(positions.items()):
        if not amount:
            continue
        if party not in accounts:
            raise BadTerms("accounts", f"a bank account of {party}", "missing")
        check_account(accounts[party], f"accounts.{party}")
        direction = Direction.PAYOUT if amount > 0 else Direction.FUNDING
        instructions.append(
            Instruction(
                end_to_end=end_to_end_of(netting, direction, party),
                direction=direction,
                party=party,
                amount=abs(amount),
                account=accounts[party],
            )
        )
    sums = {way: sum(item.amount for item in instructions if item.direction is way) for way in Direction}
    if sums[Direction.PAYOUT] - sums[Direction.FUNDING] != paid_in:
        raise BadMoney("positions", f"a sum of {paid_in}", sums[Direction.PAYOUT] - sums[Direction.FUNDING])
    return Batch(
        cycle=cycle,
        operator=operator,
        period=period,
        netting=netting,
        currency=currency,
        account=account,
        instructions=tuple(instructions),
        funding=sums[Direction.FUNDING],
        payout=sums[Direction.PAYOUT],
    )


def batch_csv(batch: Batch) -> bytes:
    """The pay-outs as the bank's batch table, UTF-8 with BOM, one row per instruction."""
    payouts = [item for item in batch.instructions if item.direction is Direction.PAYOUT]
    return _table([(batch.account, item.account, item) for item in payouts], batch.period)


def funding_csv(batch: Batch, party: str) -> bytes:
    """What a net payer hands to its own bank to fund the supervised account: the same table with its one row.

    Raises BadTerms when the party has nothing to fund.
    """
    due = [item for item in batch.instructions if item.direction is Direction.FUNDING and item.party == party]
    if not due:
        raise BadTerms("party", "a net payer of this batch", party)
    return _table([(item.account, batch.account, item) for item in due], batch.period)


def _table(rows: Sequence[tuple[BankAccount, BankAccount, Instruction]], period: str) -> bytes:
    """The bank's table over (from, to, instruction)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(BATCH_COLUMNS)
    for number, (payer, to, item) in enumerate(rows, start=1):
        writer.writerow(
            (number, payer.number, to.name, to.number, to.bank, to.code, money.yuan(item.amount),
             f"清分结算 {period}", item.end_to_end)
        )  # fmt: skip
    return b"\xef\xbb\xbf" + out.getvalue().encode()


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
    entries = tuple(_entry(_named(row, ENTRY_COLUMNS, number), number) for number, row in enumerate(rows[3:], start=4))
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=4):
        if entry.reference in seen:
            raise BankFileRefused(number, "reference", "each reference once", entry.reference)
        seen.add(entry.reference)
    file = BankFile(
        bank=_matching(head["bank"], r"[0-9]{12}", "a 联行号 of 12 digits", 2, "bank"),
        account=_matching(head["account"], r"[0-9]{1,32}", "1 to 32 digits", 2, "account"),
        currency=_matching(head["currency"], "CNY", "CNY", 2, "currency"),
        opening=_amount(head["opening"], 2, "opening"),
        closing=_amount(head["closing"], 2, "closing"),
        first_day=_day(head["first_day"], 2, "first_day"),
        last_day=_day(head["last_day"], 2, "last_day"),
        digest=hashlib.sha256(data).hexdigest(),
        entries=len(entries),
    )
    total = file.opening + sum(entry.amount for entry in entries)
    if total != file.closing:
        raise BankFileRefused(2, "closing", f"opening + entries = {money.yuan(total)}", head["closing"])
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


@dataclass(frozen=True, slots=True)
class Expected:
    """An instruction as it stands: what was booked on it so far (≥ 0) and whether it came back."""

    direction: Direction
    party: str
    period: str
    amount: int
    booked: int
    returned: bool


def match(entry: BankEntry, expected: Mapping[str, Expected]) -> BankPosting:
    """What a booked entry does, by its EndToEndId and amount only; a name is never enough.

    Less money than expected discharges part, more leaves the excess in suspense; a pay-out with another amount, a
    second booking of one instruction and everything unknown go to suspense.
    """
    item = expected.get(entry.end_to_end)
    unknown = BankPosting(BankEffect.UNKNOWN, entry.amount, 0, "", "")
    if item is None or not entry.amount:
        return unknown
    if item.direction is Direction.FUNDING:
        due = item.amount - item.booked
        if entry.amount < 0 or due <= 0:
            return unknown
        effect = BankEffect.OVER if entry.amount > due else BankEffect.RECEIPT
        return BankPosting(effect, entry.amount, min(entry.amount, due), item.party, item.period)
    if entry.return_code and entry.amount == item.booked and not item.returned:
        return BankPosting(BankEffect.RETURNED, entry.amount, entry.amount, item.party, item.period)
    if -entry.amount == item.amount and not item.booked:
        return BankPosting(BankEffect.PAID, entry.amount, item.amount, item.party, item.period)
    return unknown


def booked_after(item: Expected, effect: BankPosting) -> Expected:
    """The instruction after a matched entry."""
    returned = item.returned or effect.effect is BankEffect.RETURNED
    booked = item.booked + (0 if effect.effect is BankEffect.RETURNED else abs(effect.applied))
    return Expected(item.direction, item.party, item.period, item.amount, booked, returned)


def discharged(items: Iterable[Expected], direction: Direction) -> bool:
    """Is every instruction of this direction booked in full or returned?"""
    return all(item.booked == item.amount or item.returned for item in items if item.direction is direction)


def _named(row: list[str], columns: tuple[str, ...], number: int) -> dict[str, str]:
    if len(row) != len(columns):
        raise BankFileRefused(number, "columns", f"{len(columns)} values", len(row))
    return dict(zip(columns, row, strict=True))


def _entry(row: Mapping[str, str], number: int) -> BankEntry:
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
