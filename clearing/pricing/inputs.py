"""Documents come in strictly: canonical profile, known fields, no float and no null, or INPUT_FORM by field."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from clearing.pricing.errors import PricingRefused
from ledger import canonical
from ledger.errors import FieldError, Malformed
from ledger.reading import read

T = TypeVar("T")

Fen = Annotated[int, msgspec.Meta(ge=0, le=10**15 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]


def read_input(type_: type[T], value: Any, where: str) -> T:
    """A typed input of the canonical profile (no float, null, unknown field). Raises INPUT_FORM with the field."""
    try:
        canonical.encode(value)
    except FieldError as error:
        raise PricingRefused("INPUT_FORM", error.field, error.expected, error.given) from error
    return read_decoded(type_, value, where)


def read_decoded(type_: type[T], value: Any, where: str) -> T:
    """As `read_input`, for what came out of `decode` and so is of the profile. Raises INPUT_FORM with the field."""
    try:
        return read(type_, value, where)
    except FieldError as error:
        raise PricingRefused("INPUT_FORM", error.field, error.expected, error.given) from error


def decode(data: bytes, where: str) -> Any:
    """The value of canonical bytes. Raises INPUT_FORM."""
    try:
        return canonical.decode(data)
    except Malformed as error:
        raise PricingRefused("INPUT_FORM", where, "规范 JSON / canonical JSON", str(error)) from error
