"""Decimal arithmetic that gives the same digits on every machine (pricing §3).

Every public function of the pricing core runs inside `CONTEXT`, entered afresh, so an ambient context changed by a
library cannot move a digit. Only `+ - * /`, `Decimal.exp` and `Decimal.ln` are used: they are correctly rounded in the
C and in the pure-Python build alike, and therefore exactly monotone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from clearing.pricing.errors import PricingRefused

P = ParamSpec("P")
R = TypeVar("R")

MAX_INTEGER = 2**53 - 1
ZERO, ONE, TWO, HALF = Decimal(0), Decimal(1), Decimal(2), Decimal("0.5")

PRECISION = 50
E_LIMIT = 999999
CONTEXT = Context(
    prec=PRECISION,
    rounding=ROUND_HALF_EVEN,
    Emin=-E_LIMIT,
    Emax=E_LIMIT,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
CONTEXT_DOCUMENT = {"emax": E_LIMIT, "emin": -E_LIMIT, "precision": PRECISION, "rounding": "ROUND_HALF_EVEN"}

_FORM = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
_NEGATIVE_ZERO = re.compile(r"-[0.]+")
_STORED = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,120})?")
_PLACES = Decimal("1E-12")
_RECORDED_LIMIT = 30


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Runs `function` inside a fresh copy of `CONTEXT`."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(CONTEXT):
            return function(*args, **kwargs)

    return inside


def number(value: Any, field: str, low: Decimal | None = None, high: Decimal | None = None) -> Decimal:
    """A Decimal from its text form (§3 "Input form") or from an integer, low ≤ result ≤ high.

    Raises `PricingRefused` INPUT_FORM for a float, an exponent, NaN, a leading plus, negative zero or too many
    digits, SCORE_RANGE for a value outside the limits.
    """
    counted = type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER
    if not counted and not (isinstance(value, str) and _FORM.fullmatch(value) and not _NEGATIVE_ZERO.fullmatch(value)):
        raise PricingRefused("INPUT_FORM", field, '十进制文本，如 "0.25" / plain decimal text', value)
    result = Decimal(value)
    if (low is not None and result < low) or (high is not None and result > high):
        raise PricingRefused("SCORE_RANGE", field, f"[{low}, {'∞' if high is None else high}]", str(value))
    return result


def integer(value: Any, field: str, low: int = 0, high: int = MAX_INTEGER) -> int:
    """An integer, low ≤ value ≤ high. Raises `PricingRefused` INPUT_FORM."""
    if type(value) is not int or not low <= value <= high:
        raise PricingRefused("INPUT_FORM", field, f"整数 / an integer in [{low}, {high}]", value)
    return value


@exact
def recorded(value: Decimal) -> str:
    """The recorded copy of an intermediate value: exactly 12 decimals, half-even, plain notation, no negative zero.

    Raises `PricingRefused` INPUT_FORM above 10^30, which no meaningful price reaches.
    """
    if value and value.adjusted() >= _RECORDED_LIMIT:
        raise PricingRefused("INPUT_FORM", "intermediate", f"< 10^{_RECORDED_LIMIT}", f"{value:.3E}")
    return format(value.quantize(_PLACES) + 0, "f")


@exact
def stored(value: Decimal) -> str:
    """The full-precision copy kept as evidence (decisions D38): all digits, plain notation."""
    return format(value + 0, "f")


def from_stored(text: str, field: str) -> Decimal:
    """Reads what `stored` wrote. Raises `PricingRefused` INPUT_FORM."""
    if not isinstance(text, str) or not _STORED.fullmatch(text):
        raise PricingRefused("INPUT_FORM", field, "50 位十进制文本 / a 50-digit decimal text", text)
    return Decimal(text)
