"""Every step of a plan against an oracle that hands out fen by fen, and refusals for plans that give away too much."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, Held, HoldReason
from clearing.settlement.sharing import (
    Shortfall,
    entitled_after,
    entitlements,
    lineage_of,
    paid,
    share,
    shortfalls,
    split_each,
)
from clearing.settlement.weighing import Contributed, Derived, Sampling, contribution
from clearing.terms import (
    MAX_FEN,
    WHOLE,
    Holder,
    SharingPlan,
    Slice,
    Step,
    StepKind,
    Weight,
    check_plan,
    check_terms,
)
from ledger.reading import body_of, read
from tests.clearing import naive
from tests.clearing.builders import plan, ratio, terms
from tests.clearing.settlement.test_sharing import charge
from tests.counts import few

check = settings(deadline=None, max_examples=few(40))
PARTIES = "ABCDE"
LINEAGE = "g/1/CNY"
limits = st.integers(0, 40)


def cost(party: str, limit: int) -> Step:
    return Step(StepKind.COST_RECOVERY, party, limit)


def tranche(party: str, limit: int) -> Step:
    return Step(StepKind.TRANCHE, party, limit)


def tiered(*slices: tuple[int, Mapping[str, int]]) -> Step:
    return Step(StepKind.TIERED, slices=tuple(Slice(start, ratio(**weights).weights) for start, weights in slices))


def guarantee(party: str, least: int, funder: str, guarantor: str = "G") -> Step:
    return Step(StepKind.GUARANTEE, party, least, funder=funder, guarantor=guarantor)


def cap(party: str, most: int, overflow: str) -> Step:
    return Step(StepKind.CAP, party, most, overflow=overflow)


def by_contribution(**agreed: int) -> Step:
    return Step(StepKind.CONTRIBUTION, weights=tuple(Weight(party, weight) for party, weight in agreed.items()))


def weights(draw: st.DrawFn) -> dict[str, int]:
    found = {party: draw(st.integers(0, 7)) for party in PARTIES}
    return found if any(found.values()) else {"A": 1}


@st.composite
def bounds(draw: st.DrawFn) -> list[Step]:
    """Guarantees and caps that may stand beside each other."""
    steps, least = [], 0
    if draw(st.booleans()):
        least = draw(limits)
        steps.append(guarantee("A", least, draw(st.sampled_from("BC"))))
    if draw(st.booleans()):
        steps.append(guarantee("D", draw(limits), "B"))
    if draw(st.booleans()):
        steps.append(cap("A", least + draw(limits), draw(st.sampled_from("CDE"))))
    if draw(st.booleans()):
        steps.append(cap("B", draw(limits), draw(st.sampled_from("CDE"))))
    return steps


@st.composite
def plans(draw: st.DrawFn) -> SharingPlan:
    """Any plan of agreed weights over five parties."""
    steps = [cost(party, draw(limits)) for party in draw(st.sets(st.sampled_from("AB")))]
    steps += [tranche(party, draw(limits)) for party in draw(st.lists(st.sampled_from("CD"), max_size=3))]
    dividing = draw(st.sampled_from(["ratio", "tiered", "none"]))
    if dividing == "ratio":
        steps.append(ratio(**weights(draw)))
    elif dividing == "tiered":
        starts = [0, *sorted(draw(st.sets(st.integers(1, 60), max_size=3)))]
        steps.append(tiered(*((start, weights(draw)) for start in starts)))
    steps += draw(bounds())
    found = plan(*(steps or [cost("A", 1)]), parties=PARTIES)
    check_plan(found)
    return found


payments = st.lists(st.one_of(st.integers(-40, 60), st.sampled_from([0, 1, -1])), max_size=5)


@check
@given(plans(), payments)
def test_share__any_plan__each_payment_adds_up_and_nobody_is_a_fen_off(sharing: SharingPlan, nets: list[int]) -> None:
    """After every payment and refund, against entitlements handed out fen by fen and rounded fen by fen."""
    document, total, given_so_far = body_of(sharing), 0, dict.fromkeys(PARTIES, 0)
    for number, net in enumerate(nets):
        result = share("c", charge(net, number), sharing, total)
        total = result.after
        exact = naive.entitlements(document, total)
        assert sum(line.amount for line in result.shares) == net
        assert sum(Fraction(line.entitlement) for line in result.shares) == net
        assert sum(Fraction(line.carry_after) for line in result.shares) == 0
        for line in result.shares:
            given_so_far[line.party] += line.amount
            assert Fraction(line.carry_after) == exact[line.party] - given_so_far[line.party]
            assert abs(exact[line.party] - given_so_far[line.party]) < 1
        # A plan whose guarantees or costs are due at 0 already has given something before the first payment.
        opening = naive.rounded(naive.entitlements(document, 0), LINEAGE)
        rounded = naive.rounded(exact, LINEAGE)
        assert given_so_far == {party: rounded[party] - opening[party] for party in PARTIES}


@check
@given(plans(), payments, st.randoms(use_true_random=False))
def test_share__any_order_of_payments_holders_and_weights__gives_the_same_totals(
    sharing: SharingPlan, nets: list[int], rng: random.Random
) -> None:
    steps = tuple(replace(step, weights=tuple(rng.sample(step.weights, len(step.weights)))) for step in sharing.steps)
    holders = tuple(rng.sample(sharing.holders, len(PARTIES)))
    turned = replace(sharing, holders=holders, steps=steps)
    totals = []
    for used, order in ((sharing, nets), (turned, rng.sample(nets, len(nets)))):
        given_so_far, before = dict.fromkeys(PARTIES, 0), 0
        for net in order:
            result = share("c", charge(net), used, before)
            before = result.after
            for line in result.shares:
                given_so_far[line.party] += line.amount
        totals.append(given_so_far)
    assert totals[0] == totals[1]
    assert read(SharingPlan, body_of(sharing)) == sharing


@check
@given(plans(), payments, st.integers(-500, 500))
def test_split_each__many_at_once__equals_one_by_one(sharing: SharingPlan, nets: list[int], before: int) -> None:
    order = [holder.party for holder in sharing.holders]
    total = before
    for net, amounts in zip(nets, split_each(sharing, LINEAGE, before, nets), strict=True):
        result = share("c", charge(net), sharing, total)
        total = result.after
        assert {line.party: line.amount for line in result.shares} == dict(zip(order, amounts, strict=True))


@check
@given(plans(), st.sampled_from([0, 1, MAX_FEN, -MAX_FEN]))
def test_paid__the_smallest_and_the_largest_total__adds_up(sharing: SharingPlan, total: int) -> None:
    exact = entitlements(sharing, total)
    given_in_all = paid(sharing, LINEAGE, total)
    assert sum(exact.values()) == sum(given_in_all.values()) == total
    assert all(abs(exact[party] - given_in_all[party]) < 1 for party in PARTIES)


def test_share__beyond_the_bounds_of_an_amount__is_refused() -> None:
    for net in (1, MAX_FEN):
        with pytest.raises(BadMoney, match="lineage total"):
            share("c", charge(net), plan(), MAX_FEN)
    with pytest.raises(BadMoney):
        paid(plan(), LINEAGE, 10**15)


def test_paid__a_hundred_thousand_holders__as_the_exact_fractions_say() -> None:
    """Weights drawn once; half of the holders have the same one, so ties are decided by hash."""
    rng = random.Random(7)
    drawn = [rng.choice([1000, rng.randrange(2000)]) for _ in range(100_000)]
    whole = sum(drawn)
    scaled = [WHOLE * weight // whole for weight in drawn]
    scaled[0] += WHOLE - sum(scaled)
    names = [f"演示{number}" for number in range(100_000)]
    sharing = SharingPlan(
        1, 0, tuple(Holder(name, "holder") for name in names),
        (Step(StepKind.RATIO, weights=tuple(map(Weight, names, scaled))),), names[0],
    )  # fmt: skip
    check_plan(sharing)
    total = 123_456_789_012_347
    found = paid(sharing, LINEAGE, total)
    assert sum(found.values()) == total
    parts = {name: divmod(total * weight, WHOLE) for name, weight in zip(names, scaled, strict=True)}
    behind = sorted(names, key=lambda name: (-parts[name][1], _hash(name)))
    extra = set(behind[: total - sum(whole for whole, _ in parts.values())])
    assert found == {name: parts[name][0] + (name in extra) for name in names}


def _hash(party: str) -> bytes:
    return hashlib.sha256((LINEAGE + party).encode()).digest()


def test_tiered__one_payment_across_a_bound__is_split_exactly_there() -> None:
    """The first 1,000 fen go 7:3, what comes after 1:1; a payment from 900 to 1,100 gives 70 + 50 and 30 + 50."""
    sharing = plan(tiered((0, {"A": 7, "B": 3}), (1000, {"A": 1, "B": 1})), parties="AB")
    lines = {line.party: line.amount for line in share("c", charge(200), sharing, 900).shares}
    assert lines == {"A": 120, "B": 80}


def test_waterfall__each_tranche_fills_before_the_next() -> None:
    sharing = plan(cost("A", 100), tranche("B", 50), tranche("C", 30), parties="ABCD")
    assert [tuple(paid(sharing, LINEAGE, total).values()) for total in (90, 120, 170, 200)] == [
        (90, 0, 0, 0),
        (100, 20, 0, 0),
        (100, 50, 20, 0),
        (100, 50, 30, 20),
    ]


def test_guarantee__the_funder_pays_until_it_has_nothing_then_the_guarantor_owes() -> None:
    """A has a tenth and is to have 100: of 60 fen B's 30 go to A, 64 are missing; of 500 B gives 50."""
    sharing = plan(ratio(A=1, B=5, C=4), guarantee("A", 100, "B"))
    for total, expected, missing in ((60, (36, 0, 24), 64), (500, (100, 200, 200), 0), (1000, (100, 500, 400), 0)):
        assert tuple(paid(sharing, LINEAGE, total).values()) == expected
        result = share("c", charge(total), sharing, 0)
        assert result.shortfalls == ((Shortfall("A", "G", missing),) if missing else ())
    assert share("c", charge(1), plan(), 0).shortfalls is None


@check
@given(plans(), st.integers(0, 200))
def test_guarantee__what_was_given_and_what_is_owed_besides__make_the_guarantee(
    sharing: SharingPlan, total: int
) -> None:
    """And nobody is pushed below 0 for another's guarantee."""
    given_in_all = paid(sharing, LINEAGE, total)
    assert min(given_in_all.values()) >= 0
    owed = {item.party: item.amount for item in shortfalls(sharing, given_in_all)}
    for step in sharing.steps:
        if step.kind is StepKind.GUARANTEE and step.party is not None and step.limit_fen is not None:
            assert given_in_all[step.party] + owed.get(step.party, 0) >= step.limit_fen
            assert step.party not in owed or given_in_all[step.party] + owed[step.party] == step.limit_fen


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ((tranche("A", 5), cost("B", 5)), r"plan\.steps"),
        ((ratio(A=1), tranche("A", 5)), r"plan\.steps"),
        ((ratio(A=1), tiered((0, {"A": 1}))), "dividing"),
        ((ratio(A=1), by_contribution()), "dividing"),
        ((cap("A", 5, "B"), guarantee("A", 1, "B")), r"plan\.steps"),
        ((tranche("X", 5),), r"\[0\]\.party"),
        ((Step(StepKind.TRANCHE, "A"),), r"\[0\]\.limit_fen"),
        ((tranche("A", MAX_FEN + 1),), r"\[0\]\.limit_fen"),
        ((replace(tranche("A", 5), funder="B"),), r"\[0\]\.funder"),
        ((Step(StepKind.TIERED),), "slices"),
        ((Step(StepKind.TIERED, slices=()),), "slices"),
        ((tiered((1, {"A": 1})),), "slices"),
        ((tiered((0, {"A": 1}), (0, {"A": 1})),), r"slices\[1\]\.start"),
        ((tiered((0, {"X": 1})),), r"slices\[0\]\.weights\.party"),
        ((Step(StepKind.TIERED, slices=(Slice(0, (Weight("A", WHOLE - 1),)),)),), "sum of 1000000000"),
        ((replace(ratio(A=1), slices=(Slice(0, ratio(A=1).weights),)),), r"\[0\]\.slices"),
        ((replace(ratio(A=1), error=1),), r"\[0\]\.error"),
        ((by_contribution(A=WHOLE),), "below"),
        ((by_contribution(X=1),), "weights"),
        ((replace(by_contribution(), error=1),), "error"),
        ((Step(StepKind.SHAPLEY, error=10**6 + 1),), "error"),
        ((ratio(A=1), Step(StepKind.GUARANTEE, "A", 5, guarantor="G")), r"\[1\]\.funder"),
        ((ratio(A=1), Step(StepKind.GUARANTEE, "A", 5, funder="B")), r"\[1\]\.guarantor"),
        ((ratio(A=1), guarantee("A", 5, "A")), r"\[1\]\.funder"),
        ((ratio(A=1), guarantee("A", 5, "X")), r"\[1\]\.funder"),
        ((ratio(A=1), guarantee("A", 5, "B", "A")), r"\[1\]\.guarantor"),
        ((ratio(A=1), guarantee("A", 5, "B"), guarantee("A", 6, "C")), "one guarantee per party"),
        ((ratio(A=1), guarantee("A", 5, "B"), guarantee("B", 5, "C")), r"\[1\]\.funder"),
        ((ratio(A=1), guarantee("A", 5, "B"), cap("A", 4, "C")), "guarantee 5"),
        ((ratio(A=1), cap("A", 5, "B"), cap("A", 6, "C")), "one cap per party"),
        ((ratio(A=1), cap("A", 5, "X")), r"\[1\]\.overflow"),
    ],
)
def test_check_plan__an_impossible_plan__is_refused_by_field(steps: tuple[Step, ...], field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        check_plan(plan(*steps))


def test_check_terms__a_guarantee_with_funder_and_guarantor__can_be_signed() -> None:
    check_terms(terms(sharing=plan(ratio(A=1), guarantee("A", 5, "B"))))
    with pytest.raises(BadTerms, match=r"plan\.steps\[1\]\.guarantor"):
        check_terms(terms(sharing=plan(ratio(A=1), guarantee("A", 5, "B", "A"))))


# Weights of a period --------------------------------------------------------------------------------------------------


@st.composite
def derived_plans(draw: st.DrawFn) -> SharingPlan:
    """A contribution step, with or without agreed proportions and with the bounds of other plans."""
    agreed = {party: draw(st.integers(0, WHOLE // 4)) for party in draw(st.sets(st.sampled_from("CDE")))}
    return plan(by_contribution(**agreed), *draw(bounds()), parties=PARTIES)


@st.composite
def periods(draw: st.DrawFn) -> tuple[int, tuple[Contributed, ...]]:
    net = draw(st.integers(-300, 400))
    measures = draw(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 50), min_size=1))
    measures[draw(st.sampled_from("ABC"))] = draw(st.integers(1, 50))
    return net, tuple(Contributed(party, quantity) for party, quantity in measures.items())


def run(sharing: SharingPlan, order: list[tuple[int, tuple[Contributed, ...]]]) -> tuple[dict[str, int], list[Derived]]:
    """All charges in this order, each with the weights of its period; checks each one on the way."""
    step = sharing.derived
    assert step is not None
    lineage = lineage_of("g", sharing, "CNY")
    entitled: dict[str, Fraction] = {}
    used, total, given_so_far, raw = [], 0, dict.fromkeys(PARTIES, 0), dict.fromkeys(PARTIES, Fraction(0))
    opening = naive.rounded(naive.bounded(body_of(sharing), raw), lineage)
    for net, contributed in order:
        derived = contribution(step, contributed, lineage)
        result = share("c", charge(net), sharing, total, weights=derived, entitled=entitled)
        assert sum(line.amount for line in result.shares) == net
        for weight in derived.weights:
            raw[weight.party] += Fraction(net * weight.weight, WHOLE)
        exact = naive.bounded(body_of(sharing), raw)
        for line in result.shares:
            given_so_far[line.party] += line.amount
            assert Fraction(line.carry_after) == exact[line.party] - given_so_far[line.party]
            assert abs(Fraction(line.carry_after)) < 1
        rounded = naive.rounded(exact, lineage)
        assert given_so_far == {party: rounded[party] - opening[party] for party in PARTIES}
        assert result.weights == derived
        total, entitled = result.after, entitled_after(result)
        used.append(derived)
    return given_so_far, used


@check
@given(derived_plans(), st.lists(periods(), max_size=10), st.randoms(use_true_random=False))
def test_share__weights_of_each_period__add_up_in_any_order(
    sharing: SharingPlan, charges: list[tuple[int, tuple[Contributed, ...]]], rng: random.Random
) -> None:
    """Sum exact and drift below a fen after every charge, whichever period's charge comes first."""
    check_plan(sharing)
    first, _ = run(sharing, charges)
    second, _ = run(replace(sharing, holders=sharing.holders[::-1]), rng.sample(charges, len(charges)))
    assert first == second


@check
@given(derived_plans(), periods(), periods())
def test_share__a_late_record__reversed_and_charged_anew_leaves_the_new_weights_alone(
    sharing: SharingPlan, one: tuple[int, tuple[Contributed, ...]], other: tuple[int, tuple[Contributed, ...]]
) -> None:
    """A charge under weights that are derived again is taken back under the old ones: nothing of them stays."""
    corrected, _ = run(sharing, [one, (-one[0], one[1]), other])
    plain, _ = run(sharing, [other])
    assert corrected == plain


def test_share__derived_weights_missing_or_anothers__are_refused() -> None:
    sharing = plan(by_contribution(A=100_000_000), parties="ABC")
    step = sharing.steps[0]
    good = contribution(step, [Contributed("B", 3), Contributed("C", 1)], LINEAGE)
    assert {weight.party: weight.weight for weight in good.weights} == {
        "A": 100_000_000, "B": 675_000_000, "C": 225_000_000,
    }  # fmt: skip
    with pytest.raises(Held) as held:
        share("c", charge(5), sharing, 0)
    assert held.value.reason is HoldReason.NOT_GIVEN
    with pytest.raises(Held, match="NOT_GIVEN"):
        paid(sharing, LINEAGE, 5)
    wrong = [
        (replace(good, method=StepKind.SHAPLEY), "method"),
        (replace(good, weights=good.weights[1:]), "sum"),
        (replace(good, weights=(Weight("X", WHOLE),)), "party"),
        (replace(good, weights=(Weight("B", WHOLE),)), "agreed"),
        (replace(good, weights=(Weight("A", WHOLE + 1), Weight("B", -1))), "sum"),
    ]
    for given_weights, field in wrong:
        with pytest.raises(BadTerms, match=field):
            share("c", charge(5), sharing, 0, weights=given_weights)
    for entitled in ({}, {"B": Fraction(6)}, {"X": Fraction(7)}, {"B": Fraction(1, 3), "C": Fraction(20, 3)}):
        with pytest.raises(BadMoney, match="entitled"):
            share("c", charge(5), sharing, 7, weights=good, entitled=entitled)
    with pytest.raises(BadTerms, match="agreed weights"):
        share("c", charge(5), plan(), 0, weights=good)


def test_sampling__is_no_part_of_contributions() -> None:
    """A value of one kind stays readable as the other's field is absent."""
    derived = contribution(by_contribution(), [Contributed("B", 1)], LINEAGE)
    assert body_of(derived).keys() == {"method", "weights", "inputs"}
    assert read(Derived, body_of(replace(derived, sampling=Sampling("0" * 64, 2)))).sampling is not None
