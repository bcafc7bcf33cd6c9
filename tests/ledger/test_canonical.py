"""One byte form (decisions D7), against an independent writer of RFC 8785."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import canonical
from ledger.errors import FieldError, Malformed
from scripts import verify_bundle
from tests.counts import few

ESCAPES = {'"': '\\"', "\\": "\\\\"}


def rfc8785(value: Any) -> str:
    """RFC 8785 section 3.2 for our types, written from the RFC: no JSON library, keys by UTF-16 code units."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(ESCAPES.get(mark, mark) for mark in value) + '"'
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{rfc8785(name)}:{rfc8785(value[name])}" for name in names) + "}"
    return "[" + ",".join(map(rfc8785, value)) + "]"


def fits(text: str) -> bool:
    return not canonical._FORBIDDEN.search(text) and unicodedata.is_normalized("NFC", text)


TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"]), max_size=12)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(fits),
    st.sampled_from(["数据产权登记", '"\\/', 'a"b\\c/d', "é", "𠮷野家", "<>&'"]),
)
KEYS = st.text("abcXYZ019_.:@$/-", min_size=1, max_size=8)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-canonical.MAX_INT, canonical.MAX_INT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=few(150), deadline=None)
@given(VALUES)
def test_encode__any_document_of_the_profile__is_rfc_8785_and_comes_back(value: Any) -> None:
    data = canonical.encode(value)
    assert data == rfc8785(value).encode()
    assert canonical.decode(data) == value
    assert canonical.parse(data) == value


@settings(max_examples=few(60), deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.randoms(use_true_random=False))
def test_parse__any_order_and_white_space__same_value_but_decode_refuses(value: dict[str, Any], random: Any) -> None:
    names = list(value)
    random.shuffle(names)
    loose = json.dumps({name: value[name] for name in names}, indent=1, ensure_ascii=True).encode()
    assert canonical.parse(loose) == value
    if loose != canonical.encode(value):
        with pytest.raises(Malformed):
            canonical.decode(loose)


def test_encode__tuple__written_as_a_list() -> None:
    assert canonical.encode({"b": (1, 2), "a": "中"}) == '{"a":"中","b":[1,2]}'.encode()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": 1.0}, "$.a"),
        ({"a": [1, 0.5]}, "$.a[1]"),
        ({"a": float("nan")}, "$.a"),
        ({"a": None}, "$.a"),
        ([None], "$[0]"),
        ([1, 2, True, 2**53], "$[3]"),
        ([[1, 2], [3, 2**53]], "$[1][1]"),
        ([[1, 2], (3, -(2**53))], "$[1][1]"),
        ([[1, 2], [3, 0.5]], "$[1][1]"),
        ([[1, 2], [None]], "$[1][0]"),
        ([[1, 2], {"a": None}], "$[1].a"),
        ({"a": 2**53}, "$.a"),
        ({"a": -(2**53)}, "$.a"),
        ({"a": {"b": 10**40}}, "$.a.b"),
        ({"a": b"x"}, "$.a"),
        ({"a": bytearray(b"x")}, "$.a"),
        ({"a": memoryview(b"x")}, "$.a"),
        ({"a": {1}}, "$.a"),
        ({"a": range(3)}, "$.a"),
        ({"a": "e\u0301"}, "$.a"),
        ({"a": "a\nb"}, "$.a"),
        ({"a": "\x7f"}, "$.a"),
        ({"a": "\x85"}, "$.a"),
        ({"a": "\x00"}, "$.a"),
        ({"a": "数\u202e清"}, "$.a"),
        ({"a": "\u2066"}, "$.a"),
        ({"a": "\u061c"}, "$.a"),
        ({"a": "清\u200b分"}, "$.a"),
        ({"a": "\u200d"}, "$.a"),
        ({"a": "\u2060"}, "$.a"),
        ({"a": "\ufeff"}, "$.a"),
        ({"a": "\ud800"}, "$.a"),
        ({"a": "\u2028"}, "$.a"),
        ({"a": "\uffff"}, "$.a"),
        ({"a": ["ok", {"b": "\u0007"}]}, "$.a[1].b"),
        ({"键": 1}, "$.'键'"),
        ({"": 1}, "$.''"),
        ({"a b": 1}, "$.'a b'"),
        ({"x" * 129: 1}, "$.'xxx"),
        ({1: 1}, "$.1"),
    ],
)
def test_encode__outside_the_profile__refused_with_the_path(value: Any, path: str) -> None:
    with pytest.raises(FieldError) as refused:
        canonical.encode(value)
    assert refused.value.field.startswith(path)
    assert refused.value.expected
    assert refused.value.given


@pytest.mark.parametrize("edge", [canonical.MAX_INT, -canonical.MAX_INT, 0])
def test_encode__edge_integers__kept(edge: int) -> None:
    assert canonical.decode(canonical.encode([edge])) == [edge]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_encode__depth__24_levels_and_no_more() -> None:
    assert canonical.decode(canonical.encode(nested(24))) == nested(24)
    with pytest.raises(FieldError, match="24"):
        canonical.encode(nested(25))


ROWS = st.lists(st.lists(st.integers(-canonical.MAX_INT, canonical.MAX_INT), max_size=3), max_size=6)


@settings(max_examples=few(60), deadline=None)
@given(st.one_of(ROWS, ROWS.map(lambda rows: [1, *rows, []]), st.lists(st.integers(-9, 9), max_size=9)))
def test_encode__rows_of_counts__as_any_other_list(rows: list[Any]) -> None:
    assert canonical.encode(rows) == json.dumps(rows, separators=(",", ":")).encode()
    held = tuple(tuple(row) if isinstance(row, list) else row for row in rows)
    assert canonical.encode(held) == canonical.encode(rows)


def test_encode__rows_of_counts__lie_no_deeper_than_24_levels() -> None:
    for counts, most in ([1], 23), ([[1]], 22), ([[]], 23):
        for levels in (most, most + 1):
            value: Any = counts
            for _ in range(levels):
                value = {"a": value}
            if levels == most:
                assert canonical.decode(canonical.encode(value)) == value
            else:
                with pytest.raises(FieldError, match="24"):
                    canonical.encode(value)


@settings(max_examples=few(60), deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), VALUES), VALUES)
def test_members__taken_apart_changed_and_joined__as_encoded_whole(document: dict[str, Any], other: Any) -> None:
    data = canonical.encode(document)
    parts = canonical.members(data)
    assert parts == {key: canonical.encode(value) for key, value in document.items()}
    assert canonical.joined(parts) == data
    assert canonical.items(canonical.encode([*document.values()])) == [*map(canonical.encode, document.values())]
    assert canonical.joined({"z": canonical.encode(other)} | parts) == canonical.encode(document | {"z": other})


OPENINGS = ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"\\"[":', b"}]"), (b"[[],[],", b"]"), (b'["],[",', b"]"))


@pytest.mark.parametrize("read", [canonical.decode, canonical.parse])
@pytest.mark.parametrize("depth", [25, 3_000, 300_000])
def test_read__nested_too_deeply__refused_not_crashed(read: Any, depth: int) -> None:
    """Also where a library has raised Python's recursion limit: the parsers' own C recursion would end the process."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        for opening, closing in OPENINGS:
            with pytest.raises(Malformed):
                read(opening * depth + b"1" + closing * depth)
            with pytest.raises(Malformed):
                read(opening * depth)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("read", [canonical.decode, canonical.parse])
def test_read__many_brackets_side_by_side_or_in_text__no_nesting(read: Any) -> None:
    value = [[] for _ in range(2_000)] + ["[" * 2_000, '"[{' * 700, "\\" * 900]
    assert read(canonical.encode(value)) == value


@pytest.mark.parametrize(
    "data", [b'"' + b'\\"' * 400_000, b"[" * 501 + b'"' + b'\\"' * 400_000 + b"\\", b'"[' * 300_000]
)
def test_read__unterminated_text__answered_at_once(data: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(Malformed):
        canonical.decode(data)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("read", [canonical.decode, canonical.parse])
def test_read__too_large__refused_before_it_is_parsed(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "MAX_BYTES", 10)
    assert read(b'"12345678"') == "12345678"
    with pytest.raises(Malformed, match="10"):
        read(b'"123456789"')


NOT_CANONICAL = [
    b'{"b":1,"a":2}',
    b'{"a": 1}',
    b' {"a":1}',
    b'{"a":1}\n',
    b'{"a":"\\u0041"}',
    b'{"a":"\\/"}',
    b'{"a":"\\u4e2d"}',
    b"[-0]",
    b'{"a":1,"a":1}',
]
NOT_IN_PROFILE = [
    b"",
    b"{",
    b"nul",
    b"null",
    b"[null]",
    b"1.0",
    b"1e3",
    b"NaN",
    b"[Infinity]",
    b"[01]",
    b"9007199254740992",
    b"-9007199254740992",
    b"1" * 400,
    b"1" * 10_000,
    b'{"a":1,"a":2}',
    '{"键":1}'.encode(),
    '"e\u0301"'.encode(),
    b'"\\ud800"',
    b'"\\u200b"',
    b'"\\u0000"',
    b'"\xed\xa0\x80"',
    b'"\xff"',
    b'"\t"',
    b"{'a':1}",
    b"[1,]",
    b"// no\n1",
]  # fmt: skip


IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Default_Ignorable_Code_Point, from DerivedCoreProperties.txt of Unicode 15.1."""


def test_text__every_default_ignorable_code_point__refused_by_library_and_stand_alone_file() -> None:
    """Soft hyphens, fillers, variation selectors, tags: what nobody sees must not make two texts of one."""
    for first, last in IGNORABLE:
        for point in range(first, last + 1):
            text = f"数{chr(point)}清"
            with pytest.raises(FieldError):
                canonical.encode(text)
            with pytest.raises(ValueError, match="not accepted"):
                verify_bundle.check_profile(text, 0)


def test_text__neighbours_of_what_is_refused__accepted() -> None:
    refused = {point for first, last in IGNORABLE for point in range(first, last + 1)}
    refused |= {*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xD800, 0xE000), *range(0xFFF9, 0x10000)}
    for first, last in IGNORABLE:
        for point in {first - 1, last + 1} - refused:
            text = unicodedata.normalize("NFC", chr(point))
            assert canonical.decode(canonical.encode(text)) == text
            verify_bundle.check_profile(text, 0)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize("read", [canonical.decode, canonical.parse])
def test_read__byte_order_mark__refused(read: Any, mark: bytes) -> None:
    with pytest.raises(Malformed):
        read(mark + b'{"a":1}')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"])
@pytest.mark.parametrize("read", [canonical.decode, canonical.parse])
def test_read__another_encoding__refused(read: Any, encoding: str) -> None:
    with pytest.raises(Malformed):
        read('{"a":"数清"}'.encode(encoding))


@pytest.mark.parametrize("data", NOT_CANONICAL + NOT_IN_PROFILE)
def test_decode__any_other_form__refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        canonical.decode(data)


@pytest.mark.parametrize("data", NOT_IN_PROFILE)
def test_parse__outside_the_profile__refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        canonical.parse(data)


def test_parse__duplicate_key__names_it() -> None:
    with pytest.raises(FieldError) as refused:
        canonical.parse(b'{"x":{"weight":1,"other":2,"weight":1}}')
    assert refused.value.field == "weight"


def test_parse__fraction__says_which() -> None:
    with pytest.raises(Malformed, match=r"0\.25"):
        canonical.parse(b'{"share":0.25}')


@settings(max_examples=few(150), deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=30).map(str.encode))
def test_decode__any_bytes__the_one_form_or_malformed(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except Malformed:
        return
    assert canonical.encode(value) == data
