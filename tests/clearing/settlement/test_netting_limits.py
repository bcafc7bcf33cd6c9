"""Gridlock: brute force over every choice is the oracle up to twelve; no choice breaks a cap, a limit or the bound."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, ProofRefused
from clearing.settlement.netting.gridlock import (
    PARTIES,
    Limits,
    Outcome,
    Passed,
    Proved,
    Queued,
    Reason,
    check_choice,
    choose,
)
from tests.counts import few

check = settings(deadline=None, max_examples=few(60))
NAMES = "ABCDEFGHIJKL"


@st.composite
def cases(draw: st.DrawFn, parties: str = NAMES, longest: int = 12, dear: bool = True) -> tuple[list[Queued], Limits]:
    """Queues from small change, where choices are often equal, to amounts of ten digits."""
    most = draw(st.sampled_from([3, 50, 10**10] if dear else [3, 50]))
    some = parties[: draw(st.integers(2, len(parties)))]
    queue = []
    for number in range(draw(st.integers(1, longest))):
        debtor, creditor = draw(st.permutations(some))[:2]
        queue.append(Queued(f"o{number:02d}", debtor, creditor, draw(st.integers(1, most)), draw(st.integers(0, 2))))
    liquidity = draw(st.dictionaries(st.sampled_from(some), st.integers(0, most)))
    pairs = draw(st.dictionaries(st.sampled_from([(q.debtor, q.creditor) for q in queue]), st.integers(0, most)))
    return queue, Limits(liquidity, pairs)


def allowed(queue: list[Queued], amounts: tuple[int, ...], limits: Limits) -> bool:
    balance, room = dict(limits.liquidity), dict(limits.pairs)
    for item, amount in zip(queue, amounts, strict=True):
        if item.debtor in balance:
            balance[item.debtor] -= amount
        if item.creditor in balance:
            balance[item.creditor] += amount
        if (item.debtor, item.creditor) in room:
            room[item.debtor, item.creditor] -= amount
    return min([0, *balance.values(), *room.values()]) == 0


def brute_force(queue: list[Queued], limits: Limits) -> tuple[int, tuple[int, ...]]:
    """Largest value, then the choice that has the earliest of (due, id)."""
    ways = [range(item.amount + 1) if item.divisible else (0, item.amount) for item in queue]
    return max((sum(amounts), amounts) for amounts in product(*ways) if allowed(queue, amounts, limits))


@check
@given(cases(), st.randoms(use_true_random=False))
def test_choose__small_queues__is_what_brute_force_finds_ties_included(
    case: tuple[list[Queued], Limits], rng: object
) -> None:
    queue, limits = case
    ordered = sorted(queue, key=lambda item: (item.due, item.id))
    value, amounts = brute_force(ordered, limits)
    found = choose(queue, limits)
    assert found.value == value
    assert found.passed == tuple(Passed(q.id, a) for q, a in zip(ordered, amounts, strict=True) if a)
    assert found.proved is not Proved.NOT
    assert found.bound >= value
    check_choice(queue, limits, found)
    shuffled = list(queue)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(shuffled, limits) == found


@check
@given(cases("ABCD", 5, dear=False), st.lists(st.booleans(), min_size=5, max_size=5))
def test_choose__some_signed_for_splitting__no_split_of_whole_fen_lets_more_through(
    case: tuple[list[Queued], Limits], divisible: list[bool]
) -> None:
    queue = [
        replace(item, divisible=splits, amount=min(item.amount, 6))
        for item, splits in zip(case[0], divisible, strict=False)
    ]
    found = choose(queue, case[1])
    check_choice(queue, case[1], found)
    assert found.value == brute_force(queue, case[1])[0]


@check
@given(cases("ABCD", 5, dear=False))
def test_choose__all_signed_for_splitting__reaches_the_bound(case: tuple[list[Queued], Limits]) -> None:
    """The bound is that of payments in parts, so here it is met exactly."""
    queue = [replace(item, divisible=True) for item in case[0]]
    found = choose(queue, case[1])
    assert (found.value, found.proved) == (found.bound, Proved.BOUND)


@settings(deadline=None, max_examples=few(10))
@given(st.integers(2, 60), st.integers(1, 10**9), st.integers(0, 4), st.integers(0, 2**32))
def test_choose__many_parties_or_few_steps__breaks_nothing_and_says_what_it_did_not_prove(
    parties: int, most: int, covers: int, seed: int
) -> None:
    queue = []
    for number in range(150):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        debtor = (seed >> 40) % parties
        creditor = (debtor + 1 + (seed >> 20) % (parties - 1)) % parties
        queue.append(Queued(f"{number:03d}", f"P{debtor}", f"P{creditor}", 1 + (seed >> 16) % most))
    limits = Limits({f"P{number}": (number * most * covers) // parties for number in range(parties)})
    found = choose(queue, limits, steps=5)
    check_choice(queue, limits, found)
    amounts = {entry.id: entry.amount for entry in found.passed}
    assert allowed(queue, tuple(amounts.get(item.id, 0) for item in queue), limits)
    assert found.value <= found.bound <= sum(item.amount for item in queue)
    assert found.proved is not Proved.SEARCH or parties <= PARTIES


RING = [Queued("a", "A", "B", 90), Queued("b", "B", "C", 80), Queued("c", "C", "A", 70), Queued("d", "A", "C", 50)]
"""Nobody can pay alone; together the ring needs 20 from A and 0 from the others."""


def test_choose__a_ring_nobody_can_start__goes_through_together() -> None:
    found = choose(RING, Limits({"A": 20, "B": 0, "C": 0}))
    assert [entry.id for entry in found.passed] == ["a", "b", "c"]
    assert found.waiting[0].reason is Reason.DEBIT_CAP
    assert (found.waiting[0].id, found.waiting[0].room) == ("d", 0)
    assert not choose(RING, Limits({"A": 19, "B": 0, "C": 0})).passed


def test_choose__a_limit_of_the_pair__is_the_reason_given() -> None:
    found = choose(RING, Limits(pairs={("A", "B"): 89}))
    assert [(entry.id, entry.reason, entry.room) for entry in found.waiting] == [("a", Reason.PAIR_LIMIT, 89)]
    split = choose([replace(RING[0], divisible=True), *RING[1:]], Limits(pairs={("A", "B"): 89}))
    assert [(entry.id, entry.amount) for entry in split.waiting] == [("a", 1)]


def test_choose__no_limits__lets_all_through() -> None:
    found = choose(RING, Limits())
    assert (found.value, found.bound, found.waiting, found.prices) == (290, 290, (), ())


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"passed": (Passed("a", 90), Passed("a", 90))}, 1),
        ({"passed": (Passed("a", 89), Passed("b", 80), Passed("c", 70))}, 1),
        ({"passed": (Passed("d", 50),)}, 1),
        ({"value": 241}, 4),
        ({"bound": 239}, 5),
        ({"bound": 291}, 5),
        ({"prices": (("A", -1),)}, 5),
        ({"prices": (("X", 1),)}, 5),
    ],
)
def test_check_choice__each_false_claim__fails_at_its_step(change: dict[str, object], step: int) -> None:
    limits = Limits({"A": 20, "B": 0, "C": 0})
    with pytest.raises(ProofRefused) as refused:
        check_choice(RING, limits, replace(choose(RING, limits), **change))  # type: ignore[arg-type]
    assert refused.value.step == step


def test_check_choice__proved_by_a_bound_it_does_not_reach__is_refused() -> None:
    limits = Limits({"A": 19, "B": 0, "C": 0})
    found = choose(RING, limits)
    assert (found.proved, found.value < found.bound) == (Proved.SEARCH, True)
    with pytest.raises(ProofRefused) as refused:
        check_choice(RING, limits, replace(found, proved=Proved.BOUND))
    assert refused.value.step == 6


def test_check_choice__beyond_a_cap_beyond_a_pair_or_too_little__is_refused() -> None:
    everything = choose(RING, Limits())
    for limits, step in ((Limits({"A": 69}), 2), (Limits(pairs={("A", "B"): 89}), 3)):
        with pytest.raises(ProofRefused) as refused:
            check_choice(RING, limits, everything)
        assert refused.value.step == step
    stopped = choose(RING, Limits(pairs={("A", "B"): 89}))
    idle = Outcome(
        (), tuple(replace(stopped.waiting[0], id=q.id, amount=q.amount) for q in RING), 0, 290, (), Proved.NOT
    )
    with pytest.raises(ProofRefused) as refused:
        check_choice(RING, Limits(), idle)
    assert refused.value.step == 7


def test_choose__an_empty_queue__is_the_empty_choice_and_proved() -> None:
    limits = Limits({"A": 5}, {("A", "B"): 3})
    found = choose([], limits)
    assert found == Outcome((), (), 0, 0, (), Proved.BOUND)
    check_choice([], limits, found)


def test_choose__nonsense_and_huge_amounts__are_refused() -> None:
    for queue, limits, error in (
        ([RING[0], RING[0]], Limits(), BadTerms),
        ([Queued("a", "A", "A", 5)], Limits(), BadTerms),
        ([Queued("a", "A", "B", 0)], Limits(), BadTerms),
        ([Queued("a", "A", "B", 10**15)], Limits(), BadMoney),
        ([Queued("a", "A", "B", 10**15 - 1), Queued("b", "A", "B", 1)], Limits(), BadMoney),
        (RING, Limits({"A": -1}), BadMoney),
        (RING, Limits(pairs={("A", "B"): -1}), BadMoney),
    ):
        with pytest.raises(error):
            choose(queue, limits)
