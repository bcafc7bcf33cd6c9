"""What a booked entry without a match is: suggestions for a person, an aged list, late payments, payments made twice.

Nothing here posts. A name is never enough to discharge anything: a suggestion names a candidate, a person decides.
Money in suspense is never income and is listed at every close; the opening balance of an account is listed too, under
the reference "opening". Amounts are fen, days `YYYY-MM-DD`. Source: domain clearing §10, §12 invariant 20, §13 traps 15
and 21.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from clearing import money
from clearing.errors import BadMoney, BadTerms
from clearing.settlement.bank_file import BankEntry
from clearing.settlement.journal import BankEffect, BankPosting
from clearing.settlement.payment import Direction, Expected, booked_after, match

WINDOW = 30
"""Days between due date and booking within which an entry may be meant for an instruction, unless said otherwise."""
BANDS = (7, 30, 90, 180)
"""Upper ends, inclusive, of the age bands in days; what is older stands in the last band."""


@dataclass(frozen=True, slots=True)
class Open:
    """An instruction that still waits for money: its id, what is expected of it, the account's 户名 and its due day."""

    end_to_end: str
    expected: Expected
    name: str
    due: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An entry may be meant for an instruction: same name, same amount, `days` after its due day (before it: < 0)."""

    reference: str
    end_to_end: str
    party: str
    amount: int
    days: int


def suggestions(entry: Suspended, waiting: Iterable[Open], *, window: int = WINDOW) -> tuple[Suggestion, ...]:
    """Candidates of money in suspense, the nearest due day first. More than one is no match either.

    A candidate has the entry's name but for width and spaces, exactly the amount that is still due in the money's
    direction, and a due day at most `window` days away.
    """
    found = []
    for item in waiting:
        due = item.expected.due
        signed = due if item.expected.direction is Direction.FUNDING else -due
        days = days_between(item.due, entry.booking_date)
        open_ = due > 0 and not item.expected.returned
        if open_ and entry.amount == signed and _plain(item.name) == _plain(entry.name) and abs(days) <= window:
            found.append(Suggestion(entry.reference, item.end_to_end, item.expected.party, entry.amount, days))
    return tuple(sorted(found, key=lambda item: (abs(item.days), item.end_to_end)))


def _plain(name: str) -> str:
    """A name without what keyboards differ in: width of characters and brackets, spaces, case."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def days_between(first: str, second: str) -> int:
    """Days from one day to another, negative when the second is earlier. Raises BadTerms for what is not a day."""
    try:
        return (date.fromisoformat(second) - date.fromisoformat(first)).days
    except ValueError as error:
        raise BadTerms("day", "YYYY-MM-DD", f"{first}, {second}") from error


@dataclass(frozen=True, slots=True)
class Late:
    """A net payer's money was booked `days` > 0 after its due day: for the credit report, interest only if signed."""

    end_to_end: str
    party: str
    amount: int
    due: str
    booked: str
    days: int


def late(entry: BankEntry, posting: BankPosting, due: str) -> Late | None:
    """The lateness of a matched funding, None when it came in time or is none."""
    days = days_between(due, entry.booking_date)
    if posting.effect not in (BankEffect.RECEIPT, BankEffect.OVER) or days <= 0:
        return None
    return Late(entry.end_to_end, posting.party, posting.applied, due, entry.booking_date, days)


@dataclass(frozen=True, slots=True)
class PaidTwice:
    """A second booking of a discharged instruction: stop; `amount` fen are claimed back, or owed for a funding."""

    end_to_end: str
    party: str
    direction: Direction
    first: str
    second: str
    amount: int


def paid_twice(entries: Iterable[BankEntry], instructions: Mapping[str, Expected]) -> tuple[PaidTwice, ...]:
    """Every further booking of an instruction that was discharged, in order of the bank's entries.

    `instructions` are as they stood before the first entry. A return is no booking; a payment booked again after its
    return is one, because what is paid anew has an id of its own.
    """
    now = dict(instructions)
    first: dict[str, str] = {}
    found = []
    for entry in entries:
        item = now.get(entry.end_to_end)
        if item is None:
            continue
        effect = match(entry, now)
        same_way = (entry.amount > 0) == (item.direction is Direction.FUNDING)
        if effect.effect is not BankEffect.UNKNOWN:
            now[entry.end_to_end] = booked_after(item, effect)
            if same_way:
                first.setdefault(entry.end_to_end, entry.reference)
        elif same_way and item.booked == item.amount and item.amount:
            found.append(
                PaidTwice(entry.end_to_end, item.party, item.direction, first.get(entry.end_to_end, ""),
                          entry.reference, abs(entry.amount))
            )  # fmt: skip
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Suspended:
    """Money of one entry that waits in SUS: fen in (> 0) or out (< 0), since its booking day."""

    account: str
    reference: str
    booking_date: str
    amount: int
    name: str
    remark: str


@dataclass(frozen=True, slots=True)
class Aged:
    """One line of the list: what waits, for how many days, in which band (0 is the youngest)."""

    item: Suspended
    days: int
    band: int


@dataclass(frozen=True, slots=True)
class Ageing:
    """待查到账账龄: the oldest first; `bands` are the sums per band in fen, `total` is what SUS holds as a credit."""

    on: str
    lines: tuple[Aged, ...]
    bands: tuple[int, ...]
    total: int


def suspended(account: str, entry: BankEntry, posting: BankPosting) -> Suspended | None:
    """What of a booked entry waits in suspense: all of an unknown one, the excess of an over-payment, else nothing."""
    if posting.effect is BankEffect.UNKNOWN:
        amount = entry.amount
    elif posting.effect is BankEffect.OVER:
        amount = entry.amount - posting.applied
    else:
        return None
    return Suspended(account, entry.reference, entry.booking_date, amount, entry.name, entry.remark)


def aged(items: Iterable[Suspended], held: int, *, on: str, bands: Sequence[int] = BANDS) -> Ageing:
    """The list as of a day. `held` is the credit balance of SUS in the journal that it must explain, fen.

    Raises BadMoney when the list does not sum to it, BadTerms for bands out of order or an entry booked after the day.
    """
    if list(bands) != sorted(set(bands)) or min(bands, default=0) < 0:
        raise BadTerms("bands", "ascending days ≥ 0", list(bands))
    lines = []
    for item in items:
        days = days_between(item.booking_date, on)
        if days < 0:
            raise BadTerms("on", f"a day ≥ {item.booking_date}", on)
        lines.append(Aged(item, days, sum(days > end for end in bands)))
    total = sum(line.item.amount for line in lines)
    if total != held:
        raise BadMoney("SUS", money.yuan(held), money.yuan(total))
    sums = tuple(sum(line.item.amount for line in lines if line.band == band) for band in range(len(bands) + 1))
    lines.sort(key=lambda line: (-line.days, line.item.account, line.item.reference))
    return Ageing(on, tuple(lines), sums, total)
