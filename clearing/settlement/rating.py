"""A quantity becomes money here, rounded once.

Order: billable quantity → free purpose → allowance → tiers → × quality coefficient → minimum → maximum → − credit for
lost service → round half up to fen → split net and tax. Exact fractions until the rounding. What varies by period
besides the quantity is an argument (`inputs`) and is copied into the charge. Source: domain clearing §3, §6.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from clearing import money
from clearing.errors import BadTerms, Held, HoldReason
from clearing.settlement.inputs import Active, Inputs, Measured, Scored, SuccessEvent
from clearing.terms import (
    MILLION,
    Credit,
    PriceCap,
    Quality,
    Success,
    Tariff,
    TariffKind,
    Tax,
    Terms,
    Tier,
    check_comparable,
    exact,
    tax_factor,
)
from clearing.usage.metering import MeterReading


@dataclass(frozen=True, slots=True)
class TierLine:
    """What one part of the tariff contributes: `quantity` units from `start` on at `numerator`/`divisor` fen.

    `amount` is exact fen as `n` or `n/d`. A fixed amount stands as a line of quantity 0 with `start` 0. In a revenue
    share and a success fee the units are fen: of the base, or of the success from what it stood at.
    """

    start: int
    quantity: int
    numerator: int
    divisor: int
    amount: str


@dataclass(frozen=True, slots=True)
class Rated:
    """The price of one quantity: `exact` fen before rounding (after every adjustment), then gross, net and tax.

    `coefficient` is the quality coefficient in millionths, `credit` what was taken off for lost service, exact fen;
    both are absent where the tariff has none.
    """

    quantity: int
    lines: tuple[TierLine, ...]
    bound: str
    exact: str
    gross: int
    net: int
    tax: int
    coefficient: int | None = None
    credit: str | None = None


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

    `reading` is the id of the reading fact. `bound` is "", "minimum", "maximum" or "free". `inputs` is what else the
    price was computed from. A correction says what it `corrects`; it, and a charge that had been held, is posted by the
    cycle of the period `booked`. The amounts are below 0 only in what gives back and in a success fee clawed back.
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
    coefficient: int | None = None
    credit: str | None = None
    inputs: Inputs | None = None

    @property
    def label(self) -> str:
        """What it is called within its cycle: agreement, revision, the period where an earlier one is charged or
        corrected, and for a correction the reason."""
        name = f"{self.agreement}#{self.revision}"
        if self.booked is None:
            return name
        name = f"{name}/{self.period}"
        return name if self.corrects is None else f"{name} {self.corrects.kind} {self.corrects.basis[:16]}"


NOTHING = Inputs()


def rate_quantity(
    quantity: int,
    tariff: Tariff,
    tax: Tax,
    *,
    free: bool = False,
    inputs: Inputs = NOTHING,
    cap: PriceCap | None = None,
) -> Rated:
    """Price a quantity ≥ 0. `free` is a use for 公共治理 or 公益事业: price 0, no minimum, nothing asked for.

    Raises BadTerms for a negative quantity and for inputs that contradict themselves or the tariff, BadMoney when the
    amount is out of bounds, Held when an input that the tariff asks for is missing, when the quality has no
    coefficient, or when the price before credits exceeds `cap`.
    """
    if quantity < 0:
        raise BadTerms("quantity", "≥ 0", quantity)
    lines = () if free else _BY_KIND[tariff.kind](quantity, tariff, inputs)
    amount = sum((Fraction(line.amount) for line in lines), Fraction(0))
    bound, coefficient, credit = "free" if free else "", None, None
    if not free and tariff.quality is not None:
        coefficient = coefficient_of(tariff.quality, inputs.scored)
        amount *= Fraction(coefficient, MILLION)
    if not free and tariff.minimum_fen is not None and amount < tariff.minimum_fen:
        amount, bound = Fraction(tariff.minimum_fen), "minimum"
    if tariff.maximum_fen is not None and amount > tariff.maximum_fen:
        amount, bound = Fraction(tariff.maximum_fen), "maximum"
    if cap is not None and not free:
        _check_cap(quantity, amount, tariff, tax, cap)
    if not free and tariff.credits is not None:
        off = min(credit_of(tariff.credits, inputs.measured, amount), amount)
        amount, credit = amount - off, money.fraction_text(off)
    parts = _split(money.round_half_up(amount), tax)
    return Rated(
        quantity, lines, bound, money.fraction_text(amount), parts.gross, parts.net, parts.tax, coefficient, credit
    )


def coefficient_of(quality: Quality, scored: Scored | None) -> int:
    """质量系数 in millionths for an unrounded score; each band's lower bound is inclusive.

    Data that failed 符合性审查 have no score, hence no coefficient: the charge is held, it does not get the worst one.
    Raises Held, and BadTerms for a score of another scheme.
    """
    if scored is None:
        raise Held(HoldReason.NOT_GIVEN, "inputs.scored", f"a score under {quality.scheme}", None)
    if (scored.scheme, scored.version) != (quality.scheme, quality.version):
        expected = f"{quality.scheme} version {quality.version}"
        raise BadTerms("inputs.scored.scheme", expected, f"{scored.scheme} version {scored.version}")
    if scored.score is None:
        raise Held(HoldReason.NO_COEFFICIENT, "inputs.scored.score", "data that passed 符合性审查", None)
    score = exact(scored.score, "inputs.scored.score")
    band = [band for band in quality.bands if exact(band.least, "bands.least") <= score][-1]
    if band.millionths is None:
        raise Held(HoldReason.NO_COEFFICIENT, "inputs.scored.score", "a band with a coefficient", scored.score)
    return band.millionths


def credit_of(rows: tuple[Credit, ...], measured: Measured | None, amount: Fraction) -> Fraction:
    """What the table takes off `amount` for the availability measured; 0 where no service was owed.

    Raises Held without a measurement, BadTerms when more was lost than was owed.
    """
    if measured is None:
        raise Held(HoldReason.NOT_GIVEN, "inputs.measured", "the availability of the period", None)
    if measured.down > measured.owed:
        raise BadTerms("inputs.measured.down", f"≤ owed {measured.owed}", measured.down)
    if not measured.owed:
        return Fraction(0)
    up = MILLION * (measured.owed - measured.down)
    row = [row for row in rows if row.least * measured.owed <= up][-1]
    return amount * Fraction(row.millionths, MILLION) + row.fen


def check_inputs(tariff: Tariff, tax: Tax, inputs: Inputs) -> None:
    """Refuse inputs that contradict themselves or the tariff, or whose amount would be out of bounds.

    What would only hold the charge passes: no score, no coefficient, a price above the cap. Raises BadTerms, BadMoney.
    """
    if inputs.active is not None:
        _active(inputs.active)
    if inputs.scored is not None and tariff.quality is not None:
        with suppress(Held):  # a score without a coefficient is a true statement
            coefficient_of(tariff.quality, inputs.scored)
    if inputs.measured is not None and tariff.credits is not None:
        credit_of(tariff.credits, inputs.measured, Fraction(0))
    if inputs.cap is not None:
        check_comparable(tariff, inputs.cap)
    if inputs.declared is not None or inputs.events is not None:
        rate_quantity(0, replace(tariff, quality=None, credits=None), tax, inputs=inputs)


def rate(
    reading_id: str,
    reading: MeterReading,
    terms: Terms,
    *,
    free: bool = False,
    inputs: Inputs | None = None,
    booked: str | None = None,
) -> Charge:
    """The charge of one reading under the terms its agreement revision was signed with; `booked` names a later cycle.

    Raises BadTerms when the reading counts another unit than the tariff prices or the money is non-tax revenue, which
    is assessed and never charged, and what `rate_quantity` raises.
    """
    if terms.non_tax is not None:
        raise BadTerms("non_tax", "无：非税收入核定应缴，不计费 / none: assessed, never charged", terms.non_tax.item)
    if reading.unit != terms.tariff.unit:
        raise BadTerms("reading.unit", terms.tariff.unit, reading.unit)
    given = inputs or NOTHING
    cap = given.cap or terms.cap
    rated = rate_quantity(reading.quantity, terms.tariff, terms.tax, free=free, inputs=given, cap=cap)
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
        booked=booked,
        coefficient=rated.coefficient,
        credit=rated.credit,
        inputs=inputs,
    )


def _fixed(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    part = _active(inputs.active) if tariff.part_period else Fraction(1)
    return (TierLine(0, 0, tariff.fixed_fen, 1, money.fraction_text(tariff.fixed_fen * part)),)


def _active(active: Active | None) -> Fraction:
    if active is None:
        raise Held(HoldReason.NOT_GIVEN, "inputs.active", "the active days of the period", None)
    if active.days > active.of:
        raise BadTerms("inputs.active.days", f"≤ {active.of}", active.days)
    return Fraction(active.days, active.of)


def _per_unit(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    blocks = -(-quantity // tariff.block)
    return (_line(tariff.tiers[0], blocks),)


def _graduated(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    ends = [tier.start for tier in tariff.tiers[1:]] + [quantity]
    slices = [min(quantity, end) - tier.start for tier, end in zip(tariff.tiers, ends, strict=True)]
    return tuple(_line(tier, part) for tier, part in zip(tariff.tiers, slices, strict=True) if part > 0)


def _volume(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    tier = [tier for tier in tariff.tiers if tier.start <= quantity][-1]
    return (_line(tier, quantity),)


def _subscription(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    return _fixed(quantity, tariff, inputs) + _graduated(max(quantity - tariff.allowance, 0), tariff, inputs)


def _revenue_share(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    if inputs.declared is None:
        raise Held(HoldReason.NOT_GIVEN, "inputs.declared", f"the base of the period: {tariff.base}", None)
    base = money.fen(inputs.declared.amount, "inputs.declared.amount", least=0)
    return (_line(Tier(0, tariff.rate or 0, MILLION), base),)


def _success_fee(quantity: int, tariff: Tariff, inputs: Inputs) -> tuple[TierLine, ...]:
    if inputs.events is None or tariff.success is None:
        raise Held(HoldReason.NOT_GIVEN, "inputs.events", "the successes of the period, none if there were none", None)
    stands: dict[str, int] = {}
    lines = []
    for number, event in enumerate(sorted(inputs.events, key=lambda event: (event.case, event.at, event.before))):
        _check_event(f"inputs.events[{number}]", event, tariff.success, stands.get(event.case, event.before))
        after = stands[event.case] = event.before + event.amount
        fee = success_fee(tariff, after) - success_fee(tariff, event.before)
        price = (tariff.fixed_fen, 1) if tariff.rate is None else (tariff.rate, MILLION)
        lines.append(TierLine(event.before, event.amount, *price, money.fraction_text(fee)))
    return tuple(lines)


def success_fee(tariff: Tariff, stands: int) -> Fraction:
    """What one success costs that stands at `stands` fen: nothing at 0, at most the cap of the tariff.

    A charge is the difference between two such amounts, so taking all of a success back takes back all it cost.
    """
    if not stands:
        return Fraction(0)
    fee = Fraction(tariff.fixed_fen) if tariff.rate is None else Fraction(stands * tariff.rate, MILLION)
    cap = tariff.success.cap_fen if tariff.success else None
    return fee if cap is None else min(fee, Fraction(cap))


def _check_event(field: str, event: SuccessEvent, success: Success, stands: int) -> None:
    if not event.amount:
        raise BadTerms(f"{field}.amount", "≠ 0", event.amount)
    if event.before != stands:
        raise BadTerms(f"{field}.before", f"{stands}, what {event.case} stands at", event.before)
    money.fen(event.before + event.amount, f"{field}.amount", least=0)
    window = success.window if event.amount > 0 else success.clawback
    if not event.since <= event.at <= event.since + window:
        raise BadTerms(f"{field}.at", f"{event.since} to {event.since + window}", event.at)


def _line(tier: Tier, quantity: int) -> TierLine:
    amount = Fraction(quantity * tier.numerator, tier.divisor)
    return TierLine(tier.start, quantity, tier.numerator, tier.divisor, money.fraction_text(amount))


def _check_cap(quantity: int, amount: Fraction, tariff: Tariff, tax: Tax, cap: PriceCap) -> None:
    """The exact amount before credits against the guided price of what was used, blocks counted as they are charged."""
    check_comparable(tariff, cap)
    units = 1 if tariff.kind is TariffKind.FIXED else -(-quantity // tariff.block) * tariff.block
    limit = Fraction(units * cap.fen, cap.size)
    price = amount * tax_factor(tax, cap.basis)
    if price > limit:
        raise Held(HoldReason.ABOVE_CAP, "cap", f"≤ {limit} fen for {units} {cap.unit}", str(price))


def _split(gross: int, tax: Tax) -> money.TaxSplit:
    """Net and tax; a claw-back mirrors the charge it takes back."""
    parts = money.split_tax(abs(gross), tax)
    return parts if gross >= 0 else money.TaxSplit(-parts.gross, -parts.net, -parts.tax)


_BY_KIND: dict[TariffKind, Callable[[int, Tariff, Inputs], tuple[TierLine, ...]]] = {
    TariffKind.FIXED: _fixed,
    TariffKind.PER_UNIT: _per_unit,
    TariffKind.GRADUATED: _graduated,
    TariffKind.VOLUME: _volume,
    TariffKind.SUBSCRIPTION: _subscription,
    TariffKind.REVENUE_SHARE: _revenue_share,
    TariffKind.SUCCESS_FEE: _success_fee,
}
