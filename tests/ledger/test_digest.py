"""Both digests against published vectors and an independent SM3 (decisions D5)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from gmssl import sm3 as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import digest
from ledger.digest import TwinDigest, derive_salt, hex32, leaf, twin
from ledger.errors import FieldError, OneSided
from tests.counts import few


def test_sha256__fips_180_4_example() -> None:
    assert digest.sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
        (b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"),
    ],
)
def test_sm3__gb_t_32905_annex_a(data: bytes, expected: str) -> None:
    assert digest.sm3(data).hex() == expected


@settings(max_examples=few(25), deadline=None)
@given(st.binary(max_size=200))
def test_twin__any_bytes__what_two_other_implementations_say(data: bytes) -> None:
    assert twin(data) == TwinDigest(hashlib.new("sha256", data).digest(), bytes.fromhex(oracle.sm3_hash(list(data))))


def test_leaf__binds_tag_and_both_digests() -> None:
    found = twin(b"x")
    assert leaf(found) == b"shuqing/leaf/v1\x00" + found.sha256 + found.sm3
    assert len(leaf(found)) == 80


def test_document__round_trip() -> None:
    assert TwinDigest.of_document(twin(b"x").document()) == twin(b"x")


GOOD = twin(b"x").document()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "prev"),
        ([], "prev"),
        ({}, "prev"),
        (GOOD | {"md5": "00"}, "prev"),
        (GOOD | {"sha256": GOOD["sha256"][:-1]}, "prev.sha256"),
        (GOOD | {"sm3": GOOD["sm3"] + "0"}, "prev.sm3"),
        (GOOD | {"sm3": GOOD["sm3"].upper()}, "prev.sm3"),
        (GOOD | {"sm3": "g" * 64}, "prev.sm3"),
        (GOOD | {"sm3": "0" * 31 + "  " + "0" * 31}, "prev.sm3"),
        (GOOD | {"sha256": 7}, "prev.sha256"),
        (GOOD | {"sha256": "٣" * 64}, "prev.sha256"),
    ],
)
def test_of_document__malformed__refused_by_name(value: Any, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        TwinDigest.of_document(value, "prev")
    assert refused.value.field == field


@pytest.mark.parametrize("side", ["sha256", "sm3"])
def test_of_document__one_algorithm_only__refused_with_its_own_error(side: str) -> None:
    with pytest.raises(OneSided) as refused:
        TwinDigest.of_document({side: GOOD[side]}, "prev")
    assert side in refused.value.given


@pytest.mark.parametrize(("a", "b"), [(31, 32), (32, 33), (0, 32)])
def test_twin_digest__wrong_length__refused(a: int, b: int) -> None:
    with pytest.raises(FieldError):
        TwinDigest(bytes(a), bytes(b))


def test_hex32__names_the_field() -> None:
    with pytest.raises(FieldError, match="salt"):
        hex32("zz", "salt")


def test_derive_salt__same_identity_same_salt__other_secret_other_salt() -> None:
    assert derive_salt(b"k", "asset:1#0") == hmac.new(b"k", b"asset:1#0", "sha256").hexdigest()
    assert len({derive_salt(b"k", "a"), derive_salt(b"k", "b"), derive_salt(b"l", "a")}) == 3
