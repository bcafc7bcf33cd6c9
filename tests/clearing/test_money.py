"""Money: sums exact, one rounding, tax identities."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import money
from clearing.errors import BadMoney
from clearing.terms import MAX_FEN, Tax, TaxBasis
from tests.counts import few

amounts = st.integers(0, MAX_FEN // 2)
rates = st.sampled_from([0, 100, 300, 600, 900, 1300, 10_000])
check = settings(deadline=None, max_examples=few(100))


def test_split__three_equal_holders__one_gets_the_odd_fen() -> None:
    """100 fen over three equal weights: the sum first, because a fair split that loses a fen is worse."""
    parts = money.split(100, {"a": 1, "b": 1, "c": 1})
    assert sum(parts.values()) == 100
    assert parts == {"a": 34, "b": 33, "c": 33}


@check
@given(amounts, st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 10**9), min_size=1))
def test_split__any_weights__sum_is_exact_and_nobody_is_a_fen_off(amount: int, weights: dict[str, int]) -> None:
    if sum(weights.values()) == 0:
        with pytest.raises(BadMoney):
            money.split(amount, weights)
        return
    parts = money.split(amount, weights)
    assert sum(parts.values()) == amount
    total = sum(weights.values())
    assert all(abs(parts[party] - Fraction(amount * weight, total)) < 1 for party, weight in weights.items())
    assert parts == money.split(amount, dict(reversed(weights.items())))


@pytest.mark.parametrize("amount", [-1, MAX_FEN + 1, True, 1.0, "1"])
def test_split__a_bad_amount__is_refused_by_name(amount: object) -> None:
    with pytest.raises(BadMoney, match="amount"):
        money.split(amount, {"a": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exact", "expected"),
    [("1/2", 1), ("49/100", 0), ("3/2", 2), ("5/2", 3), ("-1/2", -1), ("-5/2", -3), ("0", 0), ("-49/100", 0)],
)
def test_round_half_up__halves__go_away_from_zero(exact: str, expected: int) -> None:
    """Half-even would answer 2 for 5/2."""
    assert money.round_half_up(Fraction(exact)) == expected


@check
@given(amounts, rates)
def test_split_tax__inclusive__net_is_the_exact_net_rounded_half_up(gross: int, bp: int) -> None:
    parts = money.split_tax(gross, Tax(TaxBasis.INCLUSIVE, bp))
    exact = Fraction(gross * 10_000, 10_000 + bp)
    assert parts.gross == gross
    assert parts.net + parts.tax == gross
    assert abs(parts.net - exact) <= Fraction(1, 2)
    assert parts.net == int((exact + Fraction(1, 2)) // 1)


@check
@given(amounts, rates)
def test_split_tax__exclusive__tax_is_the_exact_tax_rounded_half_up(net: int, bp: int) -> None:
    parts = money.split_tax(net, Tax(TaxBasis.EXCLUSIVE, bp))
    assert parts.net == net
    assert parts.gross == net + parts.tax
    assert parts.tax == int((Fraction(net * bp, 10_000) + Fraction(1, 2)) // 1)


@check
@given(st.integers(-MAX_FEN, MAX_FEN))
def test_yuan__any_amount__reads_back(amount: int) -> None:
    assert money.parse_yuan(money.yuan(amount)) == amount


@pytest.mark.parametrize(
    "text", ["1", "1.0", "1.005", "01.00", "+1.00", "1,000.00", " 1.00", "-0.00", "1e2", "１.00", ""]
)
def test_parse_yuan__anything_but_two_decimals__is_refused(text: str) -> None:
    with pytest.raises(BadMoney):
        money.parse_yuan(text)


def test_round_together__a_sum_that_is_no_whole_fen__is_refused() -> None:
    with pytest.raises(BadMoney, match="whole fen"):
        money.round_together({"a": Fraction(1, 2)}, {"a": b""})
