from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FieldError
from registry.party import check_uscc, masked, resident_id_is_valid, uscc_is_valid
from tests.counts import few

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def by_the_formula(first: str) -> str:
    """GB 32100-2015 as registration.md 9 writes it, independent of the library."""
    return ALPHABET[(31 - sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(first)) % 31) % 31]


RURAL = "N2330100MF0000000"
"""Organisations of the rural register begin with N, where python-stdnum wants a digit."""


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91330100MAE0001410", RURAL + by_the_formula(RURAL)])
def test_uscc__valid_vectors__including_remainder_zero_and_letters_in_front(code: str) -> None:
    assert check_uscc(code) == code


@pytest.mark.parametrize(
    "code",
    [
        "91350100M000100Y4Z", "9133010OMAE0001410", "91350100M000100Y34", "91330100mae0001410", "",
        " 91330100MAE0001410", "91330100MAE0001410\n", "９1330100MAE0001410", "91330100MAE000141",
        "91330100MAE00014100",
    ],
)  # fmt: skip
def test_uscc__invalid_vectors__are_refused_by_field(code: str) -> None:
    with pytest.raises(FieldError, match="uscc"):
        check_uscc(code)


@settings(max_examples=few(100), deadline=None)
@given(st.text("0123456789", min_size=6, max_size=6), st.text(ALPHABET, min_size=9, max_size=9))
def test_uscc__only_the_formula_s_check_character_passes(region: str, body: str) -> None:
    first = "91" + region + body
    assert [c for c in ALPHABET if uscc_is_valid(first + c)] == [by_the_formula(first)]


def test_resident_id__sample_and_one_changed_digit() -> None:
    assert resident_id_is_valid("11010519491231002X")
    assert not resident_id_is_valid("11010519491231003X")
    assert not resident_id_is_valid("11010519491231002x")


def test_masked__keeps_four_and_two() -> None:
    assert masked("91330100MAE0001410") == "9133************10"
