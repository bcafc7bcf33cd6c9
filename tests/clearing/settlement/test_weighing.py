"""Contribution and Shapley weights: by definition on small cases, sampled ones drawn the same way everywhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, Held, HoldReason
from clearing.settlement.weighing import (
    Coalition,
    Contributed,
    Derived,
    Sampling,
    coalitions_met,
    contribution,
    permutations,
    shapley,
    shapley_exact,
    shapley_sampled,
    value_of,
)
from clearing.terms import WHOLE, Step, StepKind, Weight
from tests.clearing import naive
from tests.counts import few

check = settings(deadline=None, max_examples=few(30))
CONTRIBUTION, SHAPLEY = Step(StepKind.CONTRIBUTION), Step(StepKind.SHAPLEY)
LINEAGE = "g/1/CNY"
START = "5a" * 32


def by_party(derived: Derived) -> dict[str, int]:
    assert [weight.party for weight in derived.weights] == sorted(weight.party for weight in derived.weights)
    return {weight.party: weight.weight for weight in derived.weights}


def valued(amounts: dict[str, str]) -> tuple[Coalition, ...]:
    """Coalitions named by their letters, quality and difference 1."""
    return tuple(Coalition(tuple(members), amount, "1", "1") for members, amount in amounts.items())


def subsets(parties: str) -> list[str]:
    return ["".join(found) for size in range(1, len(parties) + 1) for found in combinations(parties, size)]


@check
@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 10**12), min_size=1), st.integers(0, WHOLE - 1))
def test_contribution__any_measures__weights_add_up_and_follow_the_measure(
    measures: dict[str, int], agreed: int
) -> None:
    contributed = [Contributed(party, quantity) for party, quantity in measures.items()]
    step = replace(CONTRIBUTION, weights=(Weight("Z", agreed),))
    total = sum(measures.values())
    if not total:
        with pytest.raises(Held) as held:
            contribution(step, contributed, LINEAGE)
        assert held.value.reason is HoldReason.NO_CONTRIBUTION
        return
    derived = contribution(step, contributed, LINEAGE)
    weights = by_party(derived)
    exact = {party: Fraction((WHOLE - agreed) * quantity, total) for party, quantity in measures.items()}
    assert weights == naive.rounded(exact, LINEAGE) | {"Z": agreed}
    assert sum(weights.values()) == WHOLE
    assert all(weights[party] == 0 for party, quantity in measures.items() if not quantity)
    assert contribution(step, contributed[::-1], LINEAGE) == derived


def test_contribution__wrong_measures__are_refused() -> None:
    for contributed, field in (
        ([Contributed("A", 1), Contributed("A", 1)], "once"),
        ([Contributed("A", 2), Contributed("B", -1)], "quantity"),
    ):
        with pytest.raises(BadTerms, match=field):
            contribution(CONTRIBUTION, contributed, LINEAGE)
    with pytest.raises(Held, match="NO_CONTRIBUTION"):
        contribution(CONTRIBUTION, [], LINEAGE)


@check
@given(st.integers(1, 4), st.data())
def test_shapley_exact__any_values__equals_the_mean_over_all_orders(n: int, data: st.DataObject) -> None:
    parties = "ABCD"[:n]
    table = {frozenset(members): Fraction(data.draw(st.integers(0, 1000)), 7) for members in subsets(parties)}
    table[frozenset()] = Fraction(0)
    found = shapley_exact(parties, table.__getitem__)
    assert found == naive.shapley(parties, table.__getitem__)
    assert sum(found.values()) == table[frozenset(parties)]


def test_shapley__by_hand__the_value_is_amount_times_quality_times_difference() -> None:
    """A alone 8, B alone 2, together 16: φ_A = (8 + 14) / 2 = 11, φ_B = 5."""
    pooled = (
        Coalition(("A",), "4.0", "2", "1"),
        Coalition(("B",), "4", "0.5", "1.00"),
        Coalition(("B", "A"), "8", "4", "0.5"),
    )
    assert [value_of(item) for item in pooled] == [8, 2, 16]
    derived = shapley(SHAPLEY, pooled, LINEAGE)
    assert by_party(derived) == {"A": WHOLE * 11 // 16, "B": WHOLE * 5 // 16}
    assert (derived.method, derived.sampling, derived.error) == (StepKind.SHAPLEY, None, None)
    assert shapley(SHAPLEY, pooled[::-1], LINEAGE) == derived


def test_shapley__equal_parties_and_one_that_adds_nothing() -> None:
    """A and B each bring 3, C nothing: halves and 0."""
    amounts = {members: str(3 * len(set(members) & set("AB"))) for members in subsets("ABC")}
    assert by_party(shapley(SHAPLEY, valued(amounts), LINEAGE)) == {"A": WHOLE // 2, "B": WHOLE // 2, "C": 0}


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [({"A": "9", "B": "1", "AB": "5"}, HoldReason.NEGATIVE), ({"A": "1", "B": "1", "AB": "0"}, HoldReason.NO_VALUE)],
)
def test_shapley__no_weights_can_be_derived__is_held(amounts: dict[str, str], reason: HoldReason) -> None:
    with pytest.raises(Held) as held:
        shapley(SHAPLEY, valued(amounts), LINEAGE)
    assert held.value.reason is reason


@pytest.mark.parametrize(
    ("coalitions", "sampling"),
    [
        ((), None),
        (valued({"A": "1", "AB": "2"}), None),
        (valued({"A": "1", "B": "1", "AB": "2", "BA": "2"}), None),
        ((*valued({"A": "1"}), Coalition((), "1", "1", "1")), None),
        (valued({"A": "1", "B": "1", "AB": "2", "C": "2"}), None),
        (valued({"A": "1", "B": "1", "AB": "1e3"}), None),
        (valued({"A": "1", "B": "1", "AB": "2"}), Sampling(START, 2)),
    ],
)
def test_shapley__a_table_with_holes_or_doubles__is_refused(
    coalitions: tuple[Coalition, ...], sampling: Sampling | None
) -> None:
    with pytest.raises(BadTerms, match=r"coalition|sampling"):
        shapley(SHAPLEY, coalitions, LINEAGE, sampling)


def test_permutations__drawn_by_hand_from_the_stream__are_the_same() -> None:
    """The first order of four, worked out here: 64-bit quarters of SHA-256(start ‖ counter), last place first."""
    block = hashlib.sha256(bytes.fromhex(START) + bytes(8)).digest()
    numbers = [int.from_bytes(block[at : at + 8], "big") for at in (0, 8, 16)]
    order = list("ABCD")
    for last, number in zip((3, 2, 1), numbers, strict=True):
        order[last], order[number % (last + 1)] = order[number % (last + 1)], order[last]
    assert next(permutations("DCBA", Sampling(START, 1))) == tuple(order)


def test_permutations__six_thousand_orders_of_three__each_about_a_thousand_times() -> None:
    """A fixed start, so this is one computation; 4 standard deviations are 115."""
    counts: dict[tuple[str, ...], int] = {}
    for order in permutations("ABC", Sampling(START, 6000)):
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 115 for count in counts.values())


def test_shapley_sampled__adds_up_and_the_error_covers_the_exact_value() -> None:
    parties = "ABCDE"
    table = {frozenset(members): Fraction(len(members) ** 2 + 5 * ("A" in members)) for members in subsets(parties)}
    table[frozenset()] = Fraction(0)
    exact = shapley_exact(parties, table.__getitem__)
    sampling = Sampling(START, 400)
    sampled, error = shapley_sampled(parties, table.__getitem__, sampling)
    assert sum(sampled.values()) == sum(exact.values()) == table[frozenset(parties)]
    orders = list(permutations(parties, sampling))
    marginals = [
        table[frozenset(order[: order.index("B") + 1])] - table[frozenset(order[: order.index("B")])]
        for order in orders
    ]
    mean = sum(marginals) / len(orders)
    square = sum((marginal - mean) ** 2 for marginal in marginals) / (len(orders) * (len(orders) - 1))
    assert sampled["B"] == mean
    assert Fraction(error, 10**6) ** 2 * table[frozenset(parties)] ** 2 >= square
    worst = max(abs(sampled[party] - exact[party]) for party in parties)
    assert worst < 4 * Fraction(error, 10**6) * table[frozenset(parties)]
    assert 0 < error < 20_000


def test_shapley__thirteen_parties__are_sampled_within_the_agreed_error_only() -> None:
    """v = number of parties, so every marginal is 1: no error at all, and an equal split that is derived."""
    parties, sampling = "ABCDEFGHIJKLM", Sampling(START, 8)
    met = coalitions_met(parties, sampling)
    coalitions = tuple(Coalition(tuple(members), str(len(members)), "1", "1") for members in met)
    allowed = replace(SHAPLEY, error=0)
    derived = shapley(allowed, coalitions, LINEAGE, sampling)
    assert (derived.error, derived.sampling) == (0, sampling)
    assert set(by_party(derived).values()) == {WHOLE // 13, WHOLE // 13 + 1}
    uneven = tuple(replace(item, amount=str(len(item.parties) ** 2)) for item in coalitions)
    with pytest.raises(Held, match="IMPRECISE"):
        shapley(allowed, uneven, LINEAGE, sampling)
    for step, given_sampling in ((SHAPLEY, sampling), (allowed, None), (allowed, Sampling("00" * 32, 8))):
        with pytest.raises(BadTerms, match=r"sampling|coalitions"):
            shapley(step, coalitions, LINEAGE, given_sampling)
    with pytest.raises(BadTerms, match="at most 12"):
        shapley_exact(parties, lambda members: Fraction(len(members)))
