"""What may be netted, and why the rest may not: nothing is netted across liens, kinds of money or open questions.

Source: domain clearing §8 (eligible), §13 trap 18, §12 invariant 12.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Proceeds(StrEnum):
    """What an obligation is paid for or from: 应税 · 非税 · 代收代付 · 预付. Only the first may be netted."""

    TAXABLE = "taxable"
    NON_TAX = "non_tax"
    PASS_THROUGH = "pass_through"
    ADVANCE = "advance"


class Ground(StrEnum):
    """Why an obligation is held back, as part B says it."""

    UNCONFIRMED = "unconfirmed"
    DISPUTED = "disputed"
    NOT_DUE = "not_due"
    CURRENCY = "currency"
    NOT_CASH = "not_cash"
    NON_TAX = "non_tax"
    PASS_THROUGH = "pass_through"
    ADVANCE = "advance"
    LIEN = "lien"
    FREEZE = "freeze"
    PAYEE_CONFLICT = "payee_conflict"


_NEVER = {
    Proceeds.NON_TAX: Ground.NON_TAX,
    Proceeds.PASS_THROUGH: Ground.PASS_THROUGH,
    Proceeds.ADVANCE: Ground.ADVANCE,
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What decides about one obligation, named by `id`. `due` in seconds UTC.

    `confirmed` by debtor and creditor; `disputed` if any of it is; `cash` unless settled in shares or in kind; `lien`,
    `freeze` and `payee_conflict` (two claims to the money) as they stand on the day of the run.
    """

    id: str
    currency: str
    due: int
    confirmed: bool
    disputed: bool = False
    cash: bool = True
    proceeds: Proceeds = Proceeds.TAXABLE
    lien: bool = False
    freeze: bool = False
    payee_conflict: bool = False


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One obligation that is not netted, with every ground."""

    id: str
    grounds: tuple[Ground, ...]


def grounds_against(item: Attributes, currency: str, at: int) -> tuple[Ground, ...]:
    """Every ground against netting it in a run of `currency` at `at` (seconds UTC); none: it is eligible."""
    found = {
        Ground.UNCONFIRMED: not item.confirmed,
        Ground.DISPUTED: item.disputed,
        Ground.NOT_DUE: item.due > at,
        Ground.CURRENCY: item.currency != currency,
        Ground.NOT_CASH: not item.cash,
        Ground.LIEN: item.lien,
        Ground.FREEZE: item.freeze,
        Ground.PAYEE_CONFLICT: item.payee_conflict,
    }
    kind = () if item.proceeds is Proceeds.TAXABLE else (_NEVER[item.proceeds],)
    return (*kind, *(ground for ground, holds in found.items() if holds))


def eligible(items: Iterable[Attributes], currency: str, at: int) -> tuple[tuple[str, ...], tuple[HeldBack, ...]]:
    """Ids that may be netted, and what is held back for part B; both sorted by id."""
    ready: list[str] = []
    held: list[HeldBack] = []
    for item in sorted(items, key=lambda item: item.id):
        grounds = grounds_against(item, currency, at)
        if grounds:
            held.append(HeldBack(item.id, grounds))
        else:
            ready.append(item.id)
    return tuple(ready), tuple(held)
