"""Which status sets which bit, and the bit string decoded by another program."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FieldError
from registry.certificate import Status
from registry.credential.status_list import FULL, SIZE, Purpose, encoded, place, purposes_of
from tests.counts import few
from tests.registry.credential.independent import bits

TABLE = {
    Status.VALID: (None, "suspension"),
    Status.RENEWAL_PENDING: ("suspension", "suspension"),
    Status.SUPERSEDED: ("revocation", "revocation"),
    Status.TRANSFERRED: ("revocation", "revocation"),
    Status.LAPSED: (None, None),
    Status.CANCELLED: ("revocation", "revocation"),
    None: (None, None),
}
"""Written down from registration.md 5.5: the list that marks a status, freely and under temporary control."""


@pytest.mark.clause("G29")
def test_purposes__every_status__as_the_table_says() -> None:
    assert set(TABLE) == {*Status, None}
    for status, (free, controlled) in TABLE.items():
        assert [purpose.value for purpose in purposes_of(status)] == ([free] if free else [])
        assert [purpose.value for purpose in purposes_of(status, True)] == ([controlled] if controlled else [])


def decoded(text: str) -> set[int]:
    return bits(json.dumps({"credentialSubject": {"encodedList": text}}).encode())


@settings(max_examples=few(15), deadline=None)
@given(st.sets(st.integers(0, SIZE - 1), max_size=40))
def test_encoded__another_program_reads_exactly_these_bits__in_any_order(indices: set[int]) -> None:
    shuffled = sorted(indices, reverse=True)
    assert encoded(indices) == encoded(shuffled)
    assert decoded(encoded(indices)) == indices


def test_encoded__first_and_last_bit__and_the_w3c_form_of_an_empty_list() -> None:
    assert decoded(encoded([0, SIZE - 1])) == {0, SIZE - 1}
    assert decoded(encoded([])) == set()
    assert len(encoded([])) < 100
    assert encoded([]).startswith("uH4sIAAAAAAA")  # gzip, no time


@pytest.mark.parametrize("index", [-1, SIZE, 10**9])
def test_encoded__no_place_in_the_list__is_refused(index: int) -> None:
    with pytest.raises(FieldError, match="status_index"):
        encoded([index])


def test_place__never_one_that_is_taken__and_a_new_list_when_half_full() -> None:
    source = random.Random(5)
    taken: set[int] = set()
    for _ in range(3_000):
        number, index = place(3, taken, lambda n: source.randrange(min(n, 4_000)))
        assert number == 3
        assert index not in taken
        taken.add(index)
    assert place(3, set(range(FULL)), lambda n: n - 1) == (4, SIZE - 1)
    assert place(3, set(range(FULL - 1)), lambda n: n - 1) == (3, SIZE - 1)
    assert FULL * 2 == SIZE == 131_072
    assert {purpose.value for purpose in Purpose} == {"revocation", "suspension"}
