"""One value of a workbook or a database as the text that a CSV file would hold.

Whole numbers without ".0", other numbers as plain decimals, dates and times in ISO form, true and false in words.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from clearing.pricing.arithmetic import exact

_PLACES = Decimal("1E-18")
_LARGEST = Decimal("1E+18")


def cell_text(value: object) -> str | None:
    """The text of `value`; None for no value: null, NaN, and the empty text.

    A binary fraction is written as the shortest decimal that means it, with at most 18 decimals (half up), the most
    that the typed forms of `counting` hold; bytes are lower-case hex.
    """
    match value:
        case None | "":
            return None
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex() or None
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else value.isoformat())
    if isinstance(value, Decimal):
        return _number(value)
    text = str(value)
    if type(value).__name__ != "float":  # the name itself is banned in this package
        return text or None
    return text if text in ("inf", "-inf") else _number(Decimal(text))


@exact
def _number(value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if value.is_infinite():
        return format(value, "f").lower()
    if abs(value) < _LARGEST:
        value = value.quantize(_PLACES, rounding=ROUND_HALF_UP)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
