"""Instructions for the account holder out, booked entries matched to them. The platform holds no client money.

The supervised account 监管账户 is funded by net payers and pays net receivers; one instruction per party and direction.
Amounts are fen inside and yuan with two decimals in files. Source: domain clearing §10.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clearing import money
from clearing.errors import BadMoney, BadTerms
from clearing.settlement.bank_file import BankEntry
from clearing.settlement.journal import BankEffect, BankPosting

BATCH_COLUMNS = ("序号", "付款账号", "收款户名", "收款账号", "开户行", "联行号", "金额(元)", "用途", "指令号")


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
class Expected:
    """An instruction as it stands: what was booked on it so far (≥ 0) and whether it came back. `elsewhere` is what of
    it is no longer due because the party's guarantor, or the party instead of its guarantor, brought it."""

    direction: Direction
    party: str
    period: str
    amount: int
    booked: int
    returned: bool
    elsewhere: int = 0

    @property
    def due(self) -> int:
        """What is still to be booked on it, fen."""
        return self.amount - self.booked - self.elsewhere


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
        due = item.due
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
    return replace(item, booked=booked, returned=returned)


def discharged(items: Iterable[Expected], direction: Direction) -> bool:
    """Is every instruction of this direction booked in full or returned?"""
    return all(item.due == 0 or item.returned for item in items if item.direction is direction)
