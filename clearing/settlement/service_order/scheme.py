"""The parameters of a service-order agreement, signed by both sides as one value: bands, cards, damages, clocks.

What the tender leaves open (S1–S12) is a field with its default. `check` refuses at signing what could not be settled
later. Source: domain clearing §5 (4.3.1, 4.3.2, 4.5, 5.5 of the tender); D32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.settlement.service_order.card import Card, Figure, check_bands, check_card
from clearing.settlement.service_order.tender import MONTH_CARD, ORDER_CARD
from clearing.terms import DAY, Fen, Short

Percent = Annotated[int, Meta(ge=0, le=100)]
Days = Annotated[int, Meta(ge=1, le=366)]
Lapse = Annotated[int, Meta(ge=0, le=366 * DAY)]
"""Seconds that may pass."""


class NettingBasis(StrEnum):
    """S1: which advances a settlement uses up: P1 alone, or P1 and P2."""

    FIRST = "first"
    BOTH = "both"


class Negative(StrEnum):
    """S4: a settlement below zero is carried on, collected at once, or counts as zero."""

    CARRY = "carry"
    COLLECT = "collect"
    ZERO = "zero"


class Weeks(StrEnum):
    """S8: a week, or a step of a share, counts when completed or once begun."""

    COMPLETED = "completed"
    BEGUN = "begun"


class Response(StrEnum):
    """S10: which of the tender's two response clocks scores: 2 working days, or 三日内."""

    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"


class Stacking(StrEnum):
    """S9: a fact on a monthly card and in 5.5.2 has both effects, or the incident's damages alone fall away."""

    ALL = "all"
    SCORE_ONLY = "score_only"


@dataclass(frozen=True, slots=True)
class Grade:
    """评级: order scores from `start` (inclusive) to `end` (exclusive); without `coefficient` rectification decides."""

    name: Short
    start: Figure
    end: Figure | None = None
    coefficient: Figure | None = None


@dataclass(frozen=True, slots=True)
class Rectified:
    """整改后复评: `passed` is the coefficient of a re-score ≥ `least`, `failed` of one below."""

    least: Figure
    passed: Figure
    failed: Figure


@dataclass(frozen=True, slots=True)
class MonthBand:
    """月度违约金: monthly scores from `start` (inclusive) to `end` (exclusive) cost `fen`."""

    start: Figure
    fen: Fen
    end: Figure | None = None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One row of 5.5.2, 重大事故违约金."""

    number: Annotated[int, Meta(ge=1, le=99)]
    name: Short
    fen: Fen


@dataclass(frozen=True, slots=True)
class FaultLevel:
    """A level of fault and its limits in seconds; `over` is how long users must be cut off for more than, none for
    faults that cut nobody off. `row` is its row on the monthly card. No `response`: 立即."""

    code: Short
    row: Short
    reporting: Lapse
    recovery: Lapse
    handling: Lapse
    over: Lapse | None = None
    response: Lapse | None = None


@dataclass(frozen=True, slots=True)
class FaultRows:
    """The rows of the monthly card that measured faults and outages deduct."""

    availability: Short = "3.1"
    recovery: Short = "3.8"
    reporting: Short = "3.9"
    recurrence: Short = "3.11"


GRADES = (
    Grade("E", "0", "60", None), Grade("D", "60", "70", "0.85"), Grade("C", "70", "80", "0.9"),
    Grade("B", "80", "90", "0.95"), Grade("A", "90", None, "1"),
)  # fmt: skip
MONTH_BANDS = (
    MonthBand("0", 100_000_000, "60"),
    MonthBand("60", 20_000_000, "80"),
    MonthBand("80", 0),
)
INCIDENTS = (
    IncidentRow(1, "因运营服务的人为失误导致服务中断", 10_000_000),
    IncidentRow(2, "依据本招标要求未能履行具体条款", 20_000_000),
    IncidentRow(3, "因运营服务的责任事故导致服务中断", 20_000_000),
    IncidentRow(4, "因运营服务的责任事故导致数据丢失", 50_000_000),
    IncidentRow(5, "因运营服务的责任事故导致数据泄露", 50_000_000),
    IncidentRow(6, "因运营服务重大责任事故导致数据无法使用", 100_000_000),
)
MINUTE, HOUR = 60, 3_600
LEVELS = (
    FaultLevel("A1", "3.2", 5 * MINUTE, 10 * MINUTE, 2 * HOUR, over=60 * MINUTE),
    FaultLevel("A2", "3.3", 5 * MINUTE, 10 * MINUTE, 2 * HOUR, over=30 * MINUTE),
    FaultLevel("B1", "3.4", 5 * MINUTE, 10 * MINUTE, 2 * HOUR, over=10 * MINUTE),
    FaultLevel("B2", "3.5", 5 * MINUTE, 10 * MINUTE, 2 * HOUR, over=0),
    FaultLevel("C+", "3.6", 30 * MINUTE, 60 * MINUTE, 4 * HOUR, response=5 * MINUTE),
    FaultLevel("C", "3.7", 60 * MINUTE, 120 * MINUTE, 48 * HOUR, response=5 * MINUTE),
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """服务单结算方案. Percentages are of 中标金额 (`first`, `second`) and of the accepted order fees (`settled`).

    `below` is the monthly score under which a month counts towards termination, `in_a_row` or `in_total` of them in
    one 项目周期. `outage_notice` and `risky_notice` are seconds of notice, `payment_days` calendar days,
    `supplier_days` working days after the money came in.
    """

    grades: Annotated[tuple[Grade, ...], Meta(min_length=1, max_length=20)] = GRADES
    rectified: Rectified = Rectified("60", "0.8", "0")
    month_bands: Annotated[tuple[MonthBand, ...], Meta(min_length=1, max_length=20)] = MONTH_BANDS
    incidents: Annotated[tuple[IncidentRow, ...], Meta(min_length=1, max_length=99)] = INCIDENTS
    levels: Annotated[tuple[FaultLevel, ...], Meta(min_length=1, max_length=20)] = LEVELS
    fault_rows: FaultRows = FaultRows()
    month_card: Card = MONTH_CARD
    order_card: Card = ORDER_CARD
    first: Percent = 35
    second: Percent = 45
    settled: Percent = 90
    netting_basis: NettingBasis = NettingBasis.BOTH
    negative: Negative = Negative.CARRY
    weeks: Weeks = Weeks.COMPLETED
    steps: Weeks = Weeks.COMPLETED
    stacking: Stacking = Stacking.ALL
    response: Response = Response.WORKING_DAYS
    response_working_days: Days = 2
    response_calendar_days: Days = 3
    placing_days: Days = 5
    payment_days: Days = 30
    supplier_days: Days = 10
    below: Figure = "60"
    in_a_row: Annotated[int, Meta(ge=1, le=36)] = 3
    in_total: Annotated[int, Meta(ge=1, le=36)] = 4
    outage_notice: Lapse = 72 * HOUR
    risky_notice: Lapse = 3 * DAY


TENDER = Scheme()
"""The tender's numbers with the defaults of S1–S12."""


def check(scheme: Scheme, field: str = "scheme") -> None:
    """Raises BadTerms for bands that overlap or leave gaps, for a higher score that would cost more, for a card that
    does not add up, and for rows named that are not there."""
    check_bands(tuple((grade.start, grade.end) for grade in scheme.grades), f"{field}.grades")
    check_bands(tuple((band.start, band.end) for band in scheme.month_bands), f"{field}.month_bands")
    _check_grades(scheme, f"{field}.grades")
    fen = [band.fen for band in scheme.month_bands]
    _require(fen == sorted(fen, reverse=True), f"{field}.month_bands", "分高不多扣 / a higher score costs no more", fen)
    for name in ("grades", "incidents", "levels"):
        keys = [getattr(item, {"grades": "name", "incidents": "number", "levels": "code"}[name])
                for item in getattr(scheme, name)]  # fmt: skip
        _require(len(set(keys)) == len(keys), f"{field}.{name}", "每项一次 / each once", keys)
    check_card(scheme.month_card, f"{field}.month_card")
    check_card(scheme.order_card, f"{field}.order_card")
    _check_faults(scheme, field)
    _require(scheme.first + scheme.second <= 100, f"{field}.second", f"≤ {100 - scheme.first}", scheme.second)


def _check_grades(scheme: Scheme, field: str) -> None:
    known = [Fraction(grade.coefficient) for grade in scheme.grades if grade.coefficient is not None]
    lowest = scheme.grades[0].coefficient is None
    _require(
        all(grade.coefficient is not None for grade in scheme.grades[1:]), field,
        "只有最低一档可以先整改 / only the lowest may wait for rectification", [g.coefficient for g in scheme.grades],
    )  # fmt: skip
    failed, passed = Fraction(scheme.rectified.failed), Fraction(scheme.rectified.passed)
    order = [failed, passed, *known] if lowest else known
    _require(
        order == sorted(order), field, "分高系数不低 / a higher score has no lower coefficient", [str(c) for c in order]
    )
    _require(max(order, default=Fraction(0)) <= 1, field, "≤ 1", str(max(order, default=0)))


def _check_faults(scheme: Scheme, field: str) -> None:
    rows = {row.code for item in scheme.month_card.classes for row in item.rows}
    named = [level.row for level in scheme.levels]
    named += [getattr(scheme.fault_rows, name) for name in FaultRows.__slots__]
    _require(
        set(named) <= rows, f"{field}.levels", "月度表中的行 / rows of the monthly card", sorted(set(named) - rows)
    )
    cut_off = [level.over for level in scheme.levels if level.over is not None]
    _require(
        cut_off == sorted(set(cut_off), reverse=True) and cut_off[-1:] == [0], f"{field}.levels",
        "由长到短，最后为 0 / from the longest down to 0", cut_off,
    )  # fmt: skip
    others = len(scheme.levels) - len(cut_off)
    _require(others == 2, f"{field}.levels", "两级无中断 (C+, C) / two without a cut-off", others)


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
