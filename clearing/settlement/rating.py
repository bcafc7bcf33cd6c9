"""A quantity becomes money here, rounded once.

Order: billable quantity → free purpose → allowance → tiers → minimum → maximum → round half up to fen → split net and
tax. Exact fractions until the rounding. Source: domain clearing §3, §6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from clearing import money
from clearing.errors import BadTerms
from clearing.terms import Tariff, TariffKind, Tax, Terms, Tier
from clearing.usage.metering import MeterReading


@dataclass(frozen=True, slots=True)
class TierLine:
    """What one part of the tariff contributes: `quantity` units from `start` on at `numerator`/`divisor` fen.

    `amount` is exact fen as `n` or `n/d`. A fixed amount stands as a line of quantity 0 with `start` 0.
    """

    start: int
    quantity: int
    numerator: int
    divisor: int
    amount: str


@dataclass(frozen=True, slots=True)
class Rated:
    """The price of one quantity: `exact` fen before rounding (after minimum and maximum), then gross, net and tax."""

    quantity: int
    lines: tuple[TierLine, ...]
    bound: str
    exact: str
    gross: int
    net: int
    tax: int


class CorrectionKind(StrEnum):
    """冲销 · 重计 · 贷记: a charge undone, made anew on another reading, given back in part."""

    REVERSAL = "reversal"
    ANEW = "anew"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a charge corrects: the fact id of the earlier `charge`, and of the fact that is the reason (`basis`)."""

    kind: CorrectionKind
    charge: str
    basis: str


@dataclass(frozen=True, slots=True)
class Charge:
    """计费结果: what one reading costs under the tariff version it was signed with. Amounts are fen.

    `reading` is the id of the reading fact. `bound` is "", "minimum", "maximum" or "free". A correction says what it
    `corrects`; it is posted by the cycle of the period `booked`, and what it gives back is negative.
    """

    reading: str
    agreement: str
    revision: int
    period: str
    buyer: str
    invoice_issuer: str
    currency: str
    tariff_version: int
    unit: str
    quantity: int
    lines: tuple[TierLine, ...]
    bound: str
    exact: str
    rounding: str
    gross: int
    net: int
    tax: int
    tax_bp: int
    corrects: Correction | None = None
    booked: str | None = None

    @property
    def label(self) -> str:
        """What it is called within its cycle: agreement, revision, and for a correction the period and the reason."""
        name = f"{self.agreement}#{self.revision}"
        if self.corrects is None:
            return name
        return f"{name}/{self.period} {self.corrects.kind} {self.corrects.basis[:16]}"


def rate_quantity(quantity: int, tariff: Tariff, tax: Tax, *, free: bool = False) -> Rated:
    """Price a quantity ≥ 0. `free` is a use for 公共治理 or 公益事业: price 0 and no minimum.

    Raises BadTerms for a negative quantity, BadMoney when the amount is out of bounds.
    """
    if quantity < 0:
        raise BadTerms("quantity", "≥ 0", quantity)
    lines = () if free else _BY_KIND[tariff.kind](quantity, tariff)
    exact = sum((Fraction(line.amount) for line in lines), Fraction(0))
    bound = "free" if free else ""
    if not free and tariff.minimum_fen is not None and exact < tariff.minimum_fen:
        exact, bound = Fraction(tariff.minimum_fen), "minimum"
    if tariff.maximum_fen is not None and exact > tariff.maximum_fen:
        exact, bound = Fraction(tariff.maximum_fen), "maximum"
    parts = money.split_tax(money.round_half_up(exact), tax)
    return Rated(quantity, lines, bound, money.fraction_text(exact), parts.gross, parts.net, parts.tax)


def rate(reading_id: str, reading: MeterReading, terms: Terms, *, free: bool = False) -> Charge:
    """The charge of one reading under the terms its agreement revision was signed with.

    Raises BadTerms when the reading counts another unit than the tariff prices.
    """
    if reading.unit != terms.tariff.unit:
        raise BadTerms("reading.unit", terms.tariff.unit, reading.unit)
    rated = rate_quantity(reading.quantity, terms.tariff, terms.tax, free=free)
    return Charge(
        reading=reading_id,
        agreement=reading.agreement,
        revision=reading.revision,
        period=reading.period,
        buyer=terms.buyer,
        invoice_issuer=terms.invoice_issuer,
        currency=terms.currency,
        tariff_version=terms.tariff.version,
        unit=reading.unit,
        quantity=rated.quantity,
        lines=rated.lines,
        bound=rated.bound,
        exact=rated.exact,
        rounding="half-up-once",
        gross=rated.gross,
        net=rated.net,
        tax=rated.tax,
        tax_bp=terms.tax.bp,
    )


def _fixed(quantity: int, tariff: Tariff) -> tuple[TierLine, ...]:
    return (TierLine(0, 0, tariff.fixed_fen, 1, str(tariff.fixed_fen)),)


def _per_unit(quantity: int, tariff: Tariff) -> tuple[TierLine, ...]:
    blocks = -(-quantity // tariff.block)
    return (_line(tariff.tiers[0], blocks),)


def _graduated(quantity: int, tariff: Tariff) -> tuple[TierLine, ...]:
    ends = [tier.start for tier in tariff.tiers[1:]] + [quantity]
    slices = [min(quantity, end) - tier.start for tier, end in zip(tariff.tiers, ends, strict=True)]
    return tuple(_line(tier, part) for tier, part in zip(tariff.tiers, slices, strict=True) if part > 0)


def _volume(quantity: int, tariff: Tariff) -> tuple[TierLine, ...]:
    tier = [tier for tier in tariff.tiers if tier.start <= quantity][-1]
    return (_line(tier, quantity),)


def _subscription(quantity: int, tariff: Tariff) -> tuple[TierLine, ...]:
    return _fixed(quantity, tariff) + _graduated(max(quantity - tariff.allowance, 0), tariff)


def _line(tier: Tier, quantity: int) -> TierLine:
    amount = Fraction(quantity * tier.numerator, tier.divisor)
    return TierLine(tier.start, quantity, tier.numerator, tier.divisor, money.fraction_text(amount))


_BY_KIND: dict[TariffKind, Callable[[int, Tariff], tuple[TierLine, ...]]] = {
    TariffKind.FIXED: _fixed,
    TariffKind.PER_UNIT: _per_unit,
    TariffKind.GRADUATED: _graduated,
    TariffKind.VOLUME: _volume,
    TariffKind.SUBSCRIPTION: _subscription,
}
