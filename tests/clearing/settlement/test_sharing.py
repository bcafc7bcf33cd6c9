"""Sharing against exact fractions: sum exact, nobody a whole fen off, no order matters (D33, D34)."""

from __future__ import annotations

import random
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.settlement.rating import Charge
from clearing.settlement.sharing import entitlements, paid, share
from clearing.terms import WHOLE, SharingPlan, Step, StepKind, check_plan
from tests.clearing.builders import plan, ratio
from tests.counts import few

check = settings(deadline=None, max_examples=few(60))


def charge(net: int, number: int = 0) -> Charge:
    return Charge(
        reading=f"r{number}", agreement="g", revision=0, period="2026-03", buyer="Z", invoice_issuer="A",
        currency="CNY", tariff_version=1, unit="call", quantity=0, lines=(), bound="", exact=str(net),
        rounding="half-up-once", gross=net, net=net, tax=0, tax_bp=0,
    )  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> SharingPlan:
    weights = {party: draw(st.integers(0, 7)) for party in "ABCD"}
    steps = [ratio(**weights) if sum(weights.values()) else ratio(A=1)]
    if draw(st.booleans()):
        steps.insert(0, Step(StepKind.COST_RECOVERY, "B", draw(st.integers(0, 500))))
    if draw(st.booleans()):
        steps.append(Step(StepKind.CAP, "A", draw(st.integers(0, 500)), overflow="C"))
    found = plan(*steps, parties="ABCD")
    check_plan(found)
    return found


payments = st.lists(st.integers(-300, 400), max_size=30)


def oracle(sharing: SharingPlan, total: int) -> dict[str, Fraction]:
    """Exact entitlement written down independently: step by step over plain dictionaries of weights."""
    left, got = Fraction(total), {holder.party: Fraction(0) for holder in sharing.holders}
    for step in sharing.steps:
        if step.kind == "cost_recovery" and left > 0:
            part = min(left, step.limit_fen)
            got[step.party], left = got[step.party] + part, left - part
        if step.kind == "ratio":
            for item in step.weights:
                got[item.party] += Fraction(left * item.weight, WHOLE)
            left = Fraction(0)
    got[sharing.residual] += left
    for step in sharing.steps:
        if step.kind == "cap" and got[step.party] > step.limit_fen:
            got[step.overflow] += got[step.party] - step.limit_fen
            got[step.party] = Fraction(step.limit_fen)
    return got


@check
@given(plans(), payments)
def test_share__any_payments_and_refunds__sum_is_exact_and_drift_below_one_fen(
    sharing: SharingPlan, nets: list[int]
) -> None:
    """After every single payment, not only at the end."""
    total, given_so_far = 0, dict.fromkeys("ABCD", 0)
    for number, net in enumerate(nets):
        result = share(f"c{number}", charge(net, number), sharing, total)
        total += net
        assert sum(line.amount for line in result.shares) == net
        assert sum(Fraction(line.entitlement) for line in result.shares) == net
        for line in result.shares:
            given_so_far[line.party] += line.amount
            exact = oracle(sharing, total)[line.party]
            assert abs(exact - given_so_far[line.party]) < 1
            assert Fraction(line.carry_after) == exact - given_so_far[line.party]
            assert exact.denominator != 1 or given_so_far[line.party] == exact
        assert result.after == total


@check
@given(plans(), payments, st.randoms(use_true_random=False))
def test_share__any_order_of_payments_and_parties__gives_the_same_totals(
    sharing: SharingPlan, nets: list[int], rng: random.Random
) -> None:
    def run(order: list[int], used: SharingPlan) -> dict[str, int]:
        totals, before = dict.fromkeys("ABCD", 0), 0
        for net in order:
            result = share("c", charge(net), used, before)
            before = result.after
            for line in result.shares:
                totals[line.party] += line.amount
        return totals

    shuffled = rng.sample(nets, len(nets))
    holders = tuple(rng.sample(sharing.holders, len(sharing.holders)))
    turned = SharingPlan(sharing.version, sharing.effective, holders, sharing.steps, sharing.residual)
    assert run(nets, sharing) == run(shuffled, turned)


def test_paid__ten_thousand_payments_of_one_fen__favour_nobody() -> None:
    """A plain largest remainder gives the first of three all 10,000 fen; here each has a third at every moment."""
    sharing, given_so_far = plan(), dict.fromkeys("ABC", 0)
    for total in range(1, 10_001):
        given_so_far = paid(sharing, "g/1/CNY", total)
        assert max(given_so_far.values()) - min(given_so_far.values()) <= 1
    assert sum(given_so_far.values()) == 10_000


def test_share__zero_weight__gets_nothing() -> None:
    sharing = plan(ratio(A=0, B=1, C=0))
    given_parts = {line.party: line.amount for line in share("c", charge(101), sharing, 7).shares}
    assert given_parts == {"A": 0, "B": 101, "C": 0}


def test_share__full_refund__takes_back_exactly_what_was_given() -> None:
    sharing = plan(Step(StepKind.COST_RECOVERY, "A", 30), ratio(A=1, B=1, C=1))
    first = share("c", charge(101), sharing, 0)
    back = share("d", charge(-101), sharing, first.after)
    given_so_far = {line.party: line.amount for line in first.shares}
    assert {line.party: -line.amount for line in back.shares} == given_so_far
    assert all(line.carry_after == "0" for line in back.shares)


def test_share__a_minus_one_fen_correction__is_labelled_carry() -> None:
    """With weights 1:1:1 the second fen may move the first one: the line says so."""
    labels = set()
    for weights in ({"A": 5, "B": 4, "C": 4}, {"A": 1, "B": 2, "C": 2}, {"A": 7, "B": 9, "C": 9}):
        before = 0
        for _ in range(40):
            result = share("c", charge(1), plan(ratio(**weights)), before)
            before = result.after
            for line in result.shares:
                assert line.amount >= -1
                assert (line.label == "carry") == (line.amount == -1)
                labels.add(line.label)
    assert labels == {"", "carry"}


def test_entitlements__cost_recovery_and_cap__by_hand() -> None:
    """1,000 fen: A takes its 100 cost, 900 go 1:2 to B and C, B is capped at 250 and the excess 50 goes to C."""
    sharing = plan(Step(StepKind.COST_RECOVERY, "A", 100), ratio(B=1, C=2), Step(StepKind.CAP, "B", 250, overflow="C"))
    exact = entitlements(sharing, 1000)
    assert round(exact["A"]) == 100
    assert exact["B"] == 250
    assert sum(exact.values()) == 1000
