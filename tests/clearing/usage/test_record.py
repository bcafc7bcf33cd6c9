"""The quick reader of records and the strict one give the same verdict on every text (decisions D7)."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearing.usage import record as records
from clearing.usage.batch import BatchHeader, read_batch
from clearing.usage.record import UsageRecord, encode, read_record, read_records
from ledger import canonical, sm
from ledger.errors import BadSignature, FieldError, LedgerError, Malformed
from ledger.reading import body_of
from tests.clearing.usage.batches import Line
from tests.counts import few
from tests.usage_world import Source

RECORDS = [item.data for item in Line("a" * 64, "b" * 32, "e" * 64).more(3)]
DOCUMENTS: list[dict[str, Any]] = [json.loads(data) for data in RECORDS]
NAMES = sorted(DOCUMENTS[1])
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["消耗", "é", "e\u0301", "\u0301", "\u200b", "\u202e", "\x7f", "\x1f", "\\", '"', "\ud800", "\uffff", "𠀀"]
)  # fmt: skip
VALUES: Any = (
    st.none() | st.booleans() | st.integers() | TEXTS | st.floats() | st.sampled_from([2**53 - 1, 2**53, -0.0, 1.0])
    | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS, max_size=2)
    | st.sampled_from(["f" * 64, "F" * 64, "f" * 63 + "\n", "f" * 63 + "٣", " " * 64, "f" * 32, "f" * 31 + " "])
)  # fmt: skip


def strictly(data: bytes) -> UsageRecord | None:
    """The verdict of the strict reader alone."""
    try:
        found = records._strict(data, "record")
        records._check(found, "record")
    except (Malformed, FieldError):
        return None
    return found


def verdict(data: bytes) -> UsageRecord | None:
    try:
        return read_record(data)
    except (Malformed, FieldError):
        return None


def same(data: bytes) -> None:
    found = verdict(data)
    assert found == strictly(data), data
    if b"\n" not in data:
        try:
            together = read_records([RECORDS[1], data, RECORDS[2]])[1]
        except (Malformed, FieldError):
            assert found is None, data
        else:
            assert together == found
    if found is not None:
        assert encode(found) == data


def test_fields__stand_in_the_order_of_the_canonical_bytes() -> None:
    assert list(UsageRecord.__struct_fields__) == sorted(UsageRecord.__struct_fields__)


def test_integers__every_one_is_bounded_by_its_type() -> None:
    """What the quick reader relies on: no integer beyond 2^53-1, no float, no free mapping can be in a record."""
    for field in msgspec.inspect.type_info(UsageRecord).fields:  # type: ignore[attr-defined]
        for kind in getattr(field.type, "types", (field.type,)):
            assert not isinstance(kind, msgspec.inspect.FloatType | msgspec.inspect.AnyType | msgspec.inspect.DictType)
            if isinstance(kind, msgspec.inspect.IntType):
                assert 0 <= (kind.ge if kind.ge is not None else -1) <= (kind.le or 2**60) <= 2**53 - 1, field.name


@pytest.mark.parametrize("data", RECORDS)
def test_quick__good_record__same_as_strict(data: bytes) -> None:
    assert verdict(data) == strictly(data) is not None


def test_quick__takes_the_short_way_on_what_connectors_send() -> None:
    assert [records._quick(data + b"\n") is not None for data in RECORDS] == [False, True, True]
    assert records._quick(b"".join(data + b"\n" for data in RECORDS[1:])) == [read_record(data) for data in RECORDS[1:]]


@given(place=st.integers(0, 2), name=st.sampled_from(NAMES), value=VALUES)
@example(place=0, name="prev", value=None)
@example(place=1, name="prev", value=None)
@example(place=1, name="purpose", value="e\u0301")
@example(place=1, name="unit", value="\x7f")
@example(place=1, name="purpose", value="\x1f")
@example(place=1, name="purpose", value="\u2028")
@settings(max_examples=few(400), deadline=None)
def test_one_value_replaced__same_verdict(place: int, name: str, value: Any) -> None:
    changed = json.dumps(DOCUMENTS[place] | {name: value}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    same(changed.encode("utf-8", "surrogatepass"))
    escaped = json.dumps(DOCUMENTS[place] | {name: value}, sort_keys=True, separators=(",", ":"))
    same(escaped.encode())


@given(place=st.integers(0, 2), at=st.integers(0, 1200), length=st.integers(0, 4), put=st.binary(max_size=4) | TEXTS)
@settings(max_examples=few(600), deadline=None)
def test_bytes_replaced__same_verdict(place: int, at: int, length: int, put: bytes | str) -> None:
    data = RECORDS[place]
    patch = put if isinstance(put, bytes) else put.encode("utf-8", "surrogatepass")
    same(data[:at] + patch + data[at + length :])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"mode":"M1",', b""),
        lambda data: data.replace(b'"mode":"M1",', b'"mode":"M1","mode":"M1",'),
        lambda data: data.replace(b'"mode":"M1",', b'"mode":"M1","more":1,'),
        lambda data: data.replace(b'"quantity":1', b'"quantity":1.0'),
        lambda data: data.replace(b'"quantity":1', b'"quantity":1e0'),
        lambda data: data.replace(b'"quantity":1', b'"quantity":-0'),
        lambda data: data.replace(b'"quantity":1', b'"quantity":9007199254740992'),
        lambda data: data.replace(b'"quantity":1', b'"quantity":"1"'),
        lambda data: data.replace(b'"unit":"call"', b'"unit":"c\\u0061ll"'),
        lambda data: data.replace(b'"unit":"call"', b'"unit":"c\xffll"'),
        lambda data: data.replace(b'"unit":"call"', b'"unit":"\xe6a\xb6\x88"'),
        lambda data: data.replace(b'"unit":"call"', b'"unit":""'),
        lambda data: data.replace("消耗".encode(), b"\\u6d88\\u8017"),
        lambda data: data + b" ",
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data[:-1] + b',"zzz":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_hostile__same_refusal(change: Any) -> None:
    data = change(RECORDS[1])
    assert data != RECORDS[1]
    assert verdict(data) is None is strictly(data)


@given(st.text(max_size=6))
@settings(max_examples=few(500), deadline=None)
def test_is_plain__true__then_nothing_in_the_profile_is_broken(text: str) -> None:
    data = json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if canonical.is_plain(data):
        assert canonical.decode(data) == text
        assert unicodedata.is_normalized("NFC", text)


def test_is_plain__every_common_character__combines_with_nothing() -> None:
    """No neighbour can change the normal form of what the pattern lets through."""
    letters = [chr(code) for code in range(0x3000, 0x10000) if canonical._COMMON.fullmatch(chr(code))]
    assert len(letters) > 20_000
    assert not [letter for letter in letters if unicodedata.combining(letter)]
    joined = "".join(letters)
    assert unicodedata.is_normalized("NFC", joined + joined[::-1])
    assert unicodedata.is_normalized("NFC", "".join("a" + letter for letter in letters))


SOURCE = Source(Line("a" * 64, "b" * 32, "e" * 64), sm.generate(), "")
BODY = SOURCE.body(3)


def refused_or_read(data: bytes) -> bool:
    """Only the package's own errors come out of the batch reader."""
    try:
        received = read_batch(data)
    except LedgerError:
        return False
    assert isinstance(received.batch.header, BatchHeader)
    return True


@given(st.binary(max_size=300) | st.lists(st.binary(max_size=60), max_size=8).map(b"\n".join))
@settings(max_examples=few(300), deadline=None)
def test_read_batch__any_bytes__refused(data: bytes) -> None:
    assert not refused_or_read(data)


@given(at=st.integers(0, len(BODY)), length=st.integers(0, 40), put=st.binary(max_size=6) | st.just(b"\n"))
@settings(max_examples=few(600), deadline=None)
def test_read_batch__valid_bytes_changed__refused(at: int, length: int, put: bytes) -> None:
    changed = BODY[:at] + put + BODY[at + length :]
    assert refused_or_read(changed) == (changed.removesuffix(b"\n") == BODY.removesuffix(b"\n"))


@given(order=st.permutations(range(4)), repeat=st.integers(0, 3), drop=st.integers(0, 3))
@settings(max_examples=few(100), deadline=None)
def test_read_batch__lines_moved_repeated_or_dropped__refused(order: list[int], repeat: int, drop: int) -> None:
    lines = BODY.removesuffix(b"\n").split(b"\n")
    assert refused_or_read(b"\n".join(lines))
    moved = [lines[place] for place in order]
    assert refused_or_read(b"\n".join(moved)) == (moved == lines)
    assert not refused_or_read(b"\n".join([*lines, lines[repeat]]))
    assert not refused_or_read(b"\n".join(lines[:drop] + lines[drop + 1 :]))


def test_read_batch__good__what_was_sent() -> None:
    received = read_batch(BODY)
    assert (received.key, received.batch.header.count) == (SOURCE.key.public, 3)
    assert [body_of(record) for record in received.batch.records] == [json.loads(line) for line in BODY.split()[1:]]


def test_read_batch__signature_of_another__refused() -> None:
    first, rest = BODY.split(b"\n", 1)
    value = re.search(rb'"value":"([0-9a-f]{128})"', first)
    assert value is not None
    with pytest.raises(BadSignature):
        read_batch(first.replace(value[1], b"1" * 128) + b"\n" + rest)
