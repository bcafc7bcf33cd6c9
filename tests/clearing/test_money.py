"""Money: sums exact, one rounding, tax identities."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
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


@check
@given(
    st.lists(st.integers(-5000, 5000), min_size=1, max_size=9),
    st.integers(1, 40),
    st.sampled_from([0, 10**15 - 60_000]),
)
def test_round_scaled__in_integers__equals_the_exact_fractions(parts: list[int], scale: int, far: int) -> None:
    """Few denominators, so many fractions are equal and the tie keys decide."""
    parts = [*parts, far * scale, -sum(parts) % scale]
    keys = {str(place): hashlib.sha256(b"%d" % place).digest() for place in range(len(parts))}
    exact = {str(place): Fraction(part, scale) for place, part in enumerate(parts)}
    assert money.round_scaled(parts, scale, lambda place: keys[str(place)]) == list(
        money.round_together(exact, keys).values()
    )
    assert [money.scaled_text(part, scale) for part in parts] == [str(part) for part in exact.values()]
    if scale > 1:
        with pytest.raises(BadMoney, match="whole fen"):
            money.round_scaled([*parts, 1], scale, lambda place: b"")


@check
@given(st.integers(1, 10**15 - 1), st.integers(0, 10_000), st.sampled_from(TaxBasis), st.lists(st.integers(1, 10**14)))
def test_credit__any_notes_and_the_rest__never_exceed_the_invoice_and_close_to_zero(
    amount: int, bp: int, basis: TaxBasis, asked: list[int]
) -> None:
    """Each note is within half a fen of its exact net in all, whatever was credited before."""
    invoice = money.split_tax(amount // (1 if basis is TaxBasis.INCLUSIVE else 2), Tax(basis, bp))
    assume(invoice.gross > 0)
    credited = money.TaxSplit(0, 0, 0)
    for gross in [*asked, invoice.gross]:
        left = invoice.gross - credited.gross
        if not left:
            break
        note = money.credit(invoice, credited, min(gross, left))
        assert note.net + note.tax == note.gross == min(gross, left)
        assert min(note.net, note.tax) >= 0
        credited = money.TaxSplit(credited.gross + note.gross, credited.net + note.net, credited.tax + note.tax)
        assert abs(credited.net - Fraction(invoice.net * credited.gross, invoice.gross)) <= Fraction(1, 2)
    assert credited == invoice


def test_credit__by_hand_and_refused() -> None:
    """7,368 with 417 tax: three notes of 2,456 take 139 tax each; a fourth has nothing left."""
    invoice, credited = money.TaxSplit(7368, 6951, 417), money.TaxSplit(0, 0, 0)
    for _ in range(3):
        note = money.credit(invoice, credited, 2456)
        assert note == money.TaxSplit(2456, 2317, 139)
        credited = money.TaxSplit(credited.gross + 2456, credited.net + note.net, credited.tax + note.tax)
    for original, before, gross, field in (
        (invoice, credited, 1, "gross"),
        (invoice, money.TaxSplit(0, 0, 0), 0, "gross"),
        (invoice, money.TaxSplit(0, 0, 0), 7369, "gross"),
        (invoice, money.TaxSplit(100, 90, 10), 1, "before"),
        (money.TaxSplit(0, 0, 0), money.TaxSplit(0, 0, 0), 1, "original"),
        (money.TaxSplit(2, 1, 2), money.TaxSplit(0, 0, 0), 1, "original"),
    ):
        with pytest.raises(BadMoney, match=field):
            money.credit(original, before, gross)


def test_round_together__a_sum_that_is_no_whole_fen__is_refused() -> None:
    with pytest.raises(BadMoney, match="whole fen"):
        money.round_together({"a": Fraction(1, 2)}, {"a": b""})
