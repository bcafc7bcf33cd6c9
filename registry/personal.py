"""Does a data sample look as if it held personal data? Tells, not proof: the answer names kinds, never a value."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ledger.errors import FieldError
from registry.party import resident_id_is_valid
from registry.sheet import MAGIC, rows_of

SAMPLE_NAME = "数据样例"

MOST_CHARACTERS = 2_000_000
MOST_ROWS = 20_000
"""So much of a sample is looked at."""

_RESIDENT = re.compile(
    r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9][0-9]{3}[0-9Xx](?![0-9A-Za-z])"
)
_MOBILE = re.compile(r"(?<![0-9A-Za-z.])(?:\+?86[- ]?)?1[3-9][0-9]{9}(?![0-9A-Za-z.])")
_CARD = re.compile(r"(?<![0-9A-Za-z.])(?:62|4|5[1-5]|3[47])[0-9]{13,17}(?![0-9A-Za-z.])")
_HEADING = re.compile(
    r"姓名|身份证|证件号|手机号|手机|联系电话|家庭住址|住址|银行卡|银行账号|护照号|车牌号|微信号|病历号"
    r"|\b(?:full_?name|first_?name|last_?name|surname|id_?card|passport|mobile|phone|bank_?card|home_?address|email)\b",
    re.IGNORECASE,
)


def text_of(content: bytes) -> str:
    """A sample's bytes as text to look through: UTF-8 or GB 18030 text, or the cells of a workbook; else ""."""
    if content.startswith(MAGIC):
        try:
            return "\n".join("\t".join(row) for row in rows_of(SAMPLE_NAME, content, MOST_ROWS))
        except FieldError:
            return ""
    for encoding in ("utf-8-sig", "gb18030"):
        try:  # the last character may be cut in two
            return codecs.getincrementaldecoder(encoding)().decode(content[: 4 * MOST_CHARACTERS])
        except UnicodeDecodeError:
            continue
    return ""


def luhn_is_valid(number: str) -> bool:
    """Does the check digit of a card number fit (ISO/IEC 7812, modulus 10)?"""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def traces(text: str) -> tuple[tuple[str, str], ...]:
    """The kinds of personal data a text seems to hold, as (Chinese, English); empty when nothing tells.

    Resident numbers count with a right check digit only, cards with a right Luhn digit, headings in the first line.
    """
    return tuple(dict.fromkeys(_found(text[:MOST_CHARACTERS])))


def _found(text: str) -> Iterator[tuple[str, str]]:
    if any(resident_id_is_valid(match.group().upper()) for match in _RESIDENT.finditer(text)):
        yield "居民身份证号码", "resident identity numbers"
    if _MOBILE.search(text):
        yield "手机号码", "mobile numbers"
    cards = (match.group() for match in _CARD.finditer(text))
    if any(luhn_is_valid(card) and not resident_id_is_valid(card) for card in cards):
        yield "银行卡号", "bank card numbers"
    head = text.lstrip("\ufeff \r\n").partition("\n")[0]
    named = sorted({match.group() for match in _HEADING.finditer(head)})
    if named:
        yield f"列名 {'、'.join(named)}", f"column headings {', '.join(named)}"
