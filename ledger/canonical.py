"""A value has exactly one byte form, or none.

The form is RFC 8785 (JSON Canonicalization Scheme) over a narrow profile (decisions D7): ASCII keys, no floats,
no null, integers up to 2^53-1, strings in Unicode NFC without controls or anything invisible (bidirectional and
zero-width marks, soft hyphens, variation selectors, tags).
Inside the profile "sorted keys, no white space, raw UTF-8" *is* RFC 8785, so a fast encoder can be used.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from ledger.errors import FieldError, Malformed

MAX_INT = 2**53 - 1
MAX_DEPTH = 24
MAX_BYTES = 16 * 1024 * 1024

# Controls, line separators, surrogates, U+FFF9…FFFF, and every Default_Ignorable_Code_Point of Unicode: bidirectional
# and zero-width marks, soft hyphen, fillers, variation selectors, tags. Texts that look the same must be the same.
_FORBIDDEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PRINTABLE = b"\n" + bytes(range(0x20, 0x7F))
_COMMON = re.compile("[\u3001-\u3011\u4e00-\u9fff\uff01-\uff5e]*")
_KEY = re.compile(r"[A-Za-z0-9_.:@$/\-]{1,128}")
_OUTLINE = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_SAFE_NESTING = 500
_ROWS = {list, tuple}
_Way = tuple[Any, ...]
"""Where a value stands: () is the top, (way of the container, key or place in it) anything else. Written out only in an
error, because every fact is walked through whenever it is read."""
_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


def encode(value: Any) -> bytes:
    """The canonical bytes of `value` (dict, list, str, int, bool). Raises `FieldError` naming the offending path."""
    _check(value, (), 0)
    return _encoder.encode(value)


def decode(data: bytes) -> Any:
    """The value of canonical bytes. Raises `Malformed` unless `encode(decode(data)) == data`."""
    _check_outline(data)
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"不是有效的 JSON：{error}。 / Not valid JSON: {error}.") from error
    if encode(value) != data:
        raise Malformed(
            "不是规范形式（键序、空白、重复键或转义不同）。"
            " / Not the canonical form (key order, white space, duplicate key or escape differs)."
        )
    return value


def members(data: bytes) -> dict[str, bytes]:
    """The canonical bytes of each member of the object that these canonical bytes are. `data` is not checked again:
    it must have come from `encode` or through `decode`."""
    return {key: bytes(value) for key, value in _members.decode(data).items()}


def items(data: bytes) -> list[bytes]:
    """As `members`, of the list that these canonical bytes are."""
    return [bytes(value) for value in _items.decode(data)]


def joined(parts: Mapping[str, bytes]) -> bytes:
    """The canonical bytes of the object whose members have these canonical bytes; the way back from `members`."""
    return _encoder.encode({key: msgspec.Raw(value) for key, value in parts.items()})


def is_plain(data: bytes) -> bool:
    """Do these JSON lines hold only text that needs no look at each string: no escapes, printable ASCII and the common
    Chinese characters, none of which a mark can combine with? False says nothing: `decode` decides then."""
    if b"\\" in data:
        return False
    foreign = data.translate(None, _PRINTABLE)
    try:
        return not foreign or _COMMON.fullmatch(foreign.decode()) is not None
    except UnicodeDecodeError:
        return False


def parse(data: bytes) -> Any:
    """Reads ordinary JSON typed by people or programs: any key order and white space, but the same profile and UTF-8.

    Duplicate keys, floats, null and everything else outside the profile are refused with `Malformed` or `FieldError`.
    """
    _check_outline(data)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise FieldError(twice, "出现一次 / once", "重复出现 / twice")
        return result

    def no_float(text: str) -> Any:
        raise Malformed(f"不接受小数 {text}，请用整数或文本。 / No fraction {text}: use an integer or text.")

    try:
        # Decoded here: the parser itself would also take UTF-16, UTF-32 and a byte order mark.
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_float=no_float, parse_constant=no_float)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"不是有效的 JSON：{error}。 / Not valid JSON: {error}.") from error
    _check(value, (), 0)
    return value


def _check_outline(data: bytes) -> None:
    """Size and nesting before any parser sees the bytes: both JSON parsers recurse in C, and where somebody raised
    Python's recursion limit a hostile text of brackets ends the process instead of raising an error."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"数据超过 {MAX_BYTES} 字节。 / More than {MAX_BYTES} bytes.")
    # What opens right where its neighbour closes is no level deeper. Such marks may stand in texts too: each is taken
    # off together with an opening that was counted.
    opened = data.count(b"[") + data.count(b"{") - data.count(b"],[") - data.count(b"},{")
    if opened <= _SAFE_NESTING:
        return
    depth = 0
    for token in _OUTLINE.finditer(data):
        mark = data[token.start()]
        if mark != 0x22:
            depth += 1 if mark in b"[{" else -1
        if depth > _SAFE_NESTING:
            raise FieldError("$", f"嵌套不超过 {MAX_DEPTH} 层 / at most {MAX_DEPTH} levels", "更深 / deeper")


def _check(value: Any, way: _Way, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FieldError(_path(way), f"嵌套不超过 {MAX_DEPTH} 层 / at most {MAX_DEPTH} levels", "更深 / deeper")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not _is_key(key):
                raise FieldError(f"{_path(way)}.{key!r}"[:200], "ASCII 键名 / an ASCII key", repr(key)[:40])
            # Most values are short ASCII texts, not worth a call.
            if type(item) is str and depth < MAX_DEPTH and item.isascii() and item.isprintable():
                continue
            _check(item, (way, key), depth + 1)
    elif type(value) is int:
        if not -MAX_INT <= value <= MAX_INT:
            expected = "绝对值不超过 2^53-1 的整数 / an integer within 2^53-1"
            raise FieldError(_path(way), expected, str(value)[:40])
    elif isinstance(value, str):
        if not (value.isascii() and value.isprintable()):
            _check_text(value, way)
    elif isinstance(value, list | tuple):
        if depth < MAX_DEPTH - 1 and are_counts(value):
            return
        for position, item in enumerate(value):
            if type(item) is str and depth < MAX_DEPTH and item.isascii() and item.isprintable():
                continue
            _check(item, (way, position), depth + 1)
    elif value is not True and value is not False:
        expected = "文本、整数、真假、列表或对象 / text, integer, boolean, list or object"
        raise FieldError(_path(way), expected, _name(value))


def are_counts(values: list[Any] | tuple[Any, ...]) -> bool:
    """Only whole numbers of the profile, or only rows of them? Counts come by the thousand, so nothing here is called
    for each of them. False says nothing."""
    if values and type(values[0]) in _ROWS:
        if not set(map(type, values)) <= _ROWS:
            return False
        values = list(chain.from_iterable(values))
    if not values or type(values[0]) is not int or set(map(type, values)) != {int}:
        return False
    return bool(min(values) >= -MAX_INT and max(values) <= MAX_INT)


@lru_cache(1_024)
def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def _path(way: _Way) -> str:
    """`way` as people write it: $.body.items[3]."""
    steps: list[str] = []
    while way:
        way, step = way
        steps.append(f"[{step}]" if type(step) is int else f".{step}")
    return "$" + "".join(reversed(steps))


def _check_text(text: str, way: _Way) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        expected = "不含控制符和不可见字符的文本 / text without controls or invisible characters"
        raise FieldError(_path(way), expected, f"U+{ord(found.group()):04X}")
    if not unicodedata.is_normalized("NFC", text):
        raise FieldError(_path(way), "Unicode NFC 文本 / text in Unicode NFC", "未规范化 / not normalised")


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__
