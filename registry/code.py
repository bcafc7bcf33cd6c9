"""The 15-character certificate code of annex 6: SJ + region 2 + agency 1 + month of assignment 6 + serial 4."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import FieldError
from registry.calendar import day_of
from registry.errors import CodeExhausted

LAST_SERIAL = 9999

# [0-9] and fullmatch, because \d takes full-width digits and $ a trailing newline.
_CODE = re.compile(r"SJ([0-9]{2})([0-9])(20[0-9]{2}(?:0[1-9]|1[0-2]))(?!0000)([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Code:
    """The parts of a code; the month is that of assignment in Asia/Shanghai, not of deposit."""

    region: str
    agency: str
    month: str
    serial: int

    def __str__(self) -> str:
        return f"SJ{self.region}{self.agency}{self.month}{self.serial:04d}"


def is_code(text: str) -> bool:
    """Has `text` the form of a certificate code?"""
    return bool(_CODE.fullmatch(text))


def read_code(text: str, field: str = "code") -> Code:
    """The parts of `text`. Raises `FieldError`."""
    found = _CODE.fullmatch(text)
    if not found:
        raise FieldError(field, "如 SJ3312026110001 的 15 位凭证编码 / a 15-character code", repr(text)[:40])
    return Code(found[1], found[2], found[3], int(found[4]))


def month_of(at: int) -> str:
    """The month a code assigned at `at` carries, e.g. "202611"."""
    return day_of(at).strftime("%Y%m")


def numbered(region: str, agency: str, month: str, serial: int) -> Code:
    """The code with this serial. Raises `CodeExhausted` past 9999: a month is never borrowed, a serial never reused."""
    if serial > LAST_SERIAL:
        raise CodeExhausted(region, agency, month)
    code = Code(region, agency, month, serial)
    read_code(str(code))
    return code
