"""Fees, damages, balance and dates against the naive formulas (invariants 21–26; traps 7–11)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadMoney, BadTerms, WrongMove
from clearing.settlement.service_order.case import Case, outcome
from clearing.settlement.service_order.clocks import Invoiced, payment_due, placing_due, response_due, supplier_due
from clearing.settlement.service_order.coefficient import RECTIFYING, UNSCORED, standing_of
from clearing.settlement.service_order.damages import (
    MonthScore,
    Right,
    incident_fen,
    month_damages,
    month_fen,
    termination,
)
from clearing.settlement.service_order.pass_through import Cost, Fee, PassAccount, passed
from clearing.settlement.service_order.scheme import TENDER, Negative, NettingBasis, Response, Scheme, Stacking
from clearing.settlement.service_order.settling import (
    UNACCEPTED,
    Accepted,
    Advances,
    Carry,
    Incident,
    Item,
    Order,
    ProjectCycle,
    Settlement,
    advance,
    months_of,
    order_fee,
    refund,
    settle,
)
from ledger.reading import read
from registry.calendar import published
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import document, fact, instant
from tests.counts import few

check = settings(deadline=None, max_examples=few(100))
EXAMPLE = Path(__file__).resolve().parents[4] / "scripts" / "examples" / "trial_order.json"
ACCEPTED_AT = instant(2026, 5, 10)
CYCLE = ProjectCycle("2026-1", "2026-03", "2026-04", ACCEPTED_AT)
GOOD = (MonthScore("2026-03", "100"), MonthScore("2026-04", "80"))

near = st.sampled_from(
    [Fraction(n) + d for n in (60, 70, 80, 90) for d in (Fraction(-1, 10**6), 0, Fraction(1, 10**6))]
)
scores = st.one_of(near, st.fractions(0, 100, max_denominator=30))


# --- coefficient and monthly damages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "grade", "coefficient"),
    [
        ("100", "A", "1"), ("90", "A", "1"), ("899999/10000", "B", "19/20"), ("80", "B", "19/20"),
        ("799999/10000", "C", "9/10"), ("70", "C", "9/10"), ("699999/10000", "D", "17/20"), ("60", "D", "17/20"),
        ("599999/10000", "E", None), ("0", "E", None),
    ],
)  # fmt: skip
def test_coefficient__just_below_and_at_each_bound(score: str, grade: str, coefficient: str | None) -> None:
    """Trap 6: 89.9999 is looked up as it is, never rounded to 90 first."""
    found = standing_of(score, TENDER)
    assert (found.grade, found.coefficient) == (grade, coefficient)
    assert found.held == ("" if coefficient else RECTIFYING)


@pytest.mark.parametrize(
    ("score", "fen"),
    [("80", 0), ("100", 0), ("799999/10000", 20_000_000), ("60", 20_000_000), ("599999/10000", 100_000_000),
     ("0", 100_000_000)],
)  # fmt: skip
def test_month_damages__just_below_and_at_each_bound(score: str, fen: int) -> None:
    assert month_fen(score, TENDER) == fen


@given(scores, scores)
@check
def test_bands__a_higher_score__never_a_lower_coefficient_nor_higher_damages(one: Fraction, other: Fraction) -> None:
    """Invariant 22. An E order stands between nothing and 0.8 whatever its re-score."""
    low, high = sorted((one, other))
    assert month_fen(str(low), TENDER) >= month_fen(str(high), TENDER)
    first = [standing_of(str(score), TENDER).coefficient for score in (low, high)]
    numbers = [Fraction(c) if c is not None else Fraction(4, 5) for c in first]
    assert numbers[0] <= numbers[1]
    again = [Fraction(standing_of("0", TENDER, rescore=str(score)).coefficient or "-1") for score in (low, high)]
    assert 0 <= again[0] <= again[1] <= Fraction(4, 5)


@given(st.none() | scores, st.none() | scores, st.booleans())
@check
def test_standing__every_combination__as_the_naive_formula_or_refused(
    first: Fraction | None, again: Fraction | None, zeroed: bool
) -> None:
    """Trap 7: a re-score is no new grade, and only an E order has one; a decision sets 0 only where none was made."""
    texts = [None if score is None else str(score) for score in (first, again)]
    held = first is not None and first < 60
    if (again is not None or zeroed) and (not held or (again is not None and zeroed)):
        with pytest.raises(WrongMove):
            standing_of(texts[0], TENDER, rescore=texts[1], zeroed=zeroed)
        return
    expected = naive.coefficient(first, again, zeroed)
    found = standing_of(texts[0], TENDER, rescore=texts[1], zeroed=zeroed)
    assert (None if found.coefficient is None else Fraction(found.coefficient)) == expected
    assert bool(found.held) == (expected is None)
    assert found.held == (UNSCORED if first is None else RECTIFYING if expected is None else "")
    if held:
        assert found.grade == "E"


@pytest.mark.parametrize("score", ["100.1", "-1", "101"])
def test_score__outside_of_0_to_100__has_no_band(score: str) -> None:
    with pytest.raises(BadTerms):
        standing_of(score, TENDER)
    with pytest.raises(BadTerms):
        month_fen(score, TENDER)


def test_waiver__on_record_before_the_acceptance__and_no_later_one() -> None:
    """Trap 9, invariant 25; the score stays."""
    for waived_at, fen in (
        (ACCEPTED_AT - 1, 0),
        (ACCEPTED_AT, 100_000_000),
        (ACCEPTED_AT + 1, 100_000_000),
        (None, 100_000_000),
    ):
        found = month_damages(MonthScore("2026-03", "59", waived_at), ACCEPTED_AT, TENDER)
        assert (found.fen, found.waived, found.score) == (fen, 100_000_000 - fen, "59")


@pytest.mark.parametrize("number", naive.INCIDENT_FEN)
def test_incident__each_row_of_5_5_2(number: int) -> None:
    assert incident_fen(number, TENDER) == naive.INCIDENT_FEN[number]
    with pytest.raises(BadTerms):
        incident_fen(number + 6, TENDER)


def test_termination__every_year_of_months__three_in_a_row_or_four_in_total() -> None:
    """All 2^10 sequences; waived months count (S6); nothing happens by itself: the right is only recorded."""
    names = months_of("2026-01", "2026-10")
    for bad in product((False, True), repeat=10):
        months = [
            MonthScore(name, "599/10" if is_bad else "60", 0 if n % 2 else None)
            for n, (name, is_bad) in enumerate(zip(names, bad, strict=True))
        ]
        first: tuple[int, str] | None = None
        for end in range(10):
            if end >= 2 and all(bad[end - 2 : end + 1]):
                first = first or (end, "连续")
            if sum(bad[: end + 1]) >= 4:
                first = first or (end, "累计")
        found = termination(months, TENDER)
        assert (found is None) == (first is None)
        if found is not None and first is not None:
            assert (found.month, found.ground[:2]) == (names[first[0]], first[1])
            assert len(found.months) == (3 if first[1] == "连续" else 4)


# --- the settlement --------------------------------------------------------------------------------------------------


@st.composite
def orders(draw: st.DrawFn) -> list[Order]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        items = tuple(
            Item(f"I{n}", "项", draw(st.integers(0, 10**8)), draw(st.integers(1, 50)), draw(st.integers(1, 7)))
            for n in range(draw(st.integers(1, 3)))
        )
        taken = [draw(st.integers(0, item.quantity)) for item in items]
        lines = tuple(
            Accepted(item.code, draw(st.integers(0, 99)), quantity) for item, quantity in zip(items, taken, strict=True)
        )
        first = draw(st.none() | scores)
        again = draw(st.none() | scores) if first is not None and first < 60 else None
        zeroed = first is not None and first < 60 and again is None and draw(st.booleans())
        texts = [None if score is None else str(score) for score in (first, again)]
        found.append(Order(f"O{number}", items, draw(st.sampled_from([lines, lines, None])), *texts, zeroed))
    return found


amounts = st.one_of(st.just(0), st.integers(0, 10**10))


@st.composite
def cycles(draw: st.DrawFn) -> ProjectCycle:
    return replace(
        CYCLE, advances=Advances(draw(amounts), draw(amounts)), carry_in=Carry(draw(amounts), draw(amounts)),
        budget=draw(amounts), settled_before=draw(amounts),
    )  # fmt: skip


@st.composite
def month_scores(draw: st.DrawFn) -> list[MonthScore]:
    waived = st.sampled_from([None, ACCEPTED_AT - 1, ACCEPTED_AT, ACCEPTED_AT + 1])
    return [MonthScore(name, str(draw(scores)), draw(waived)) for name in ("2026-03", "2026-04")]


incidents_ = st.lists(st.integers(1, 6), max_size=2)
schemes = st.builds(
    lambda basis, negative, stacking: replace(TENDER, netting_basis=basis, negative=negative, stacking=stacking),
    st.sampled_from(NettingBasis), st.sampled_from(Negative), st.sampled_from(Stacking),
)  # fmt: skip


@given(orders(), cycles(), month_scores(), incidents_, schemes, st.booleans())
@check
def test_settlement__anything__as_the_naive_formula(
    given_: list[Order], cycle: ProjectCycle, months: list[MonthScore], rows: list[int], scheme: Scheme, scored: bool
) -> None:
    incidents = [Incident(fact(f"i{n}"), row) for n, row in enumerate(rows)]
    known = frozenset({fact("i0")}) if scored else frozenset()
    found = settle(cycle, given_, months, incidents, scheme, scored_facts=known)
    # fees: 4.5.1, without the 90 %
    total = Fraction(0)
    for order in given_:
        first, again = (None if text is None else Fraction(text) for text in (order.score, order.rescore))
        coefficient = naive.coefficient(first, again, order.zeroed)
        [line] = [line for line in found.orders if line.order == order.order]
        assert bool(line.held) == (order.accepted is None or coefficient is None)
        if order.accepted is not None and coefficient is not None:
            fee = Fraction(0)
            for item, taken in zip(order.items, order.accepted, strict=True):
                fee += Fraction(item.price, item.per) * taken.accepted * coefficient
            assert (Fraction(line.fee), line.shown) == (fee, naive.half_up(fee))
            total += fee
        else:
            assert (line.fee, line.shown) == ("0", 0)
    # damages
    damages = 0
    for month in months:
        if month.waived_at is None or month.waived_at >= cycle.accepted_at:
            damages += naive.month_fen(Fraction(month.score))
    for n, row in enumerate(rows):
        if not (scored and n == 0 and scheme.stacking is Stacking.SCORE_ONLY):
            damages += naive.INCIDENT_FEN[row]
    settlement = naive.half_up(Fraction(90, 100) * total - damages)
    assert (found.damages, found.settlement) == (damages, settlement)
    assert Fraction(found.fees) == total
    assert Fraction(found.memo) == total / 10
    # balance, invariant 24 with the two parts of S4 that do not carry on
    counted = settlement if scheme.negative is Negative.CARRY else max(0, settlement)
    netted = cycle.advances.first
    if scheme.netting_basis is NettingBasis.BOTH:
        netted += cycle.advances.second
    balance = counted - (netted + cycle.carry_in.advance + cycle.carry_in.penalty)
    assert found.pay == max(0, balance)
    assert found.carry_out.total == max(0, -balance)
    assert found.pay - found.carry_out.total == found.counted - found.netted - cycle.carry_in.total
    assert found.pay == 0 or found.carry_out.total == 0
    assert found.collected == (max(0, -settlement) if scheme.negative is Negative.COLLECT else 0)
    # invariant 21
    assert found.used >= 0
    assert found.carry_out.advance >= 0
    assert found.carry_out.penalty >= 0
    assert netted + cycle.carry_in.advance == found.used + found.carry_out.advance
    assert found.may_defer == (cycle.settled_before + max(0, settlement) > cycle.budget)


@given(orders(), month_scores(), st.randoms(use_true_random=False))
@check
def test_settlement__the_order_of_its_orders_and_months__has_no_effect(
    given_: list[Order], months: list[MonthScore], random: Any
) -> None:
    found = settle(CYCLE, given_, months, [], TENDER)
    shuffled = random.sample(given_, len(given_))
    assert settle(CYCLE, shuffled, list(reversed(months)), [], TENDER) == found


def order(score: str | None = "95", accepted: int | None = 10, **more: Any) -> Order:
    """10 units at 1,000.00 yuan each."""
    lines = None if accepted is None else (Accepted("I", 10, accepted),)
    return Order("O", (Item("I", "项", 100_000, 10),), lines, score, **more)


@pytest.mark.parametrize(("basis", "pay", "carry"), [(NettingBasis.BOTH, 0, 100_000), (NettingBasis.FIRST, 350_000, 0)])
def test_s1__both_readings_of_the_advance(basis: NettingBasis, pay: int, carry: int) -> None:
    """90 % of 10,000 yuan against 5,500 and 4,500 of advances: all of it is netted, or P1 alone, and then more is paid
    in all (13,500) than the 90 % formula allows: why `both` is the default."""
    cycle = replace(CYCLE, advances=Advances(550_000, 450_000))
    found = settle(cycle, [order()], GOOD, [], replace(TENDER, netting_basis=basis))
    assert (found.settlement, found.pay, found.carry_out) == (900_000, pay, Carry(carry, 0))
    assert TENDER.netting_basis is NettingBasis.BOTH


def test_fee__accepted_not_claimed_quantity__and_only_of_what_was_ordered() -> None:
    """Trap 8: ten are claimed, seven accepted."""
    assert settle(CYCLE, [order(accepted=7)], GOOD, [], TENDER).settlement == 630_000
    with pytest.raises(BadTerms, match="accepted"):
        settle(CYCLE, [order(accepted=11)], GOOD, [], TENDER)
    items = (Item("I", "项", 1, 1), Item("K", "项", 1, 1))
    one = Accepted("I", 1, 1)
    for lines in ((one,), (one, one), (one, replace(one, code="L")), (one, replace(one, code="K"), one)):
        with pytest.raises(BadTerms, match="accepted"):
            order_fee(items, lines, "1")


def test_held__unaccepted_unscored_unrectified__add_nothing_and_come_back_until_decided() -> None:
    """Invariant 23: the same order in two cycles; it counts once, in the one after its re-score."""
    for held, why in ((order(accepted=None), UNACCEPTED), (order(None), UNSCORED), (order("59"), RECTIFYING)):
        found = settle(CYCLE, [held], GOOD, [], TENDER)
        assert (found.settlement, found.orders[0].held) == (0, why)
    later = replace(CYCLE, name="2026-2")
    assert settle(later, [order("59", rescore="60")], GOOD, [], TENDER).settlement == 720_000
    assert settle(later, [order("59", rescore="59")], GOOD, [], TENDER).settlement == 0
    assert settle(later, [order("59", zeroed=True)], GOOD, [], TENDER).orders[0].held == ""


def test_months__one_missing__blocks_the_cycle() -> None:
    """S5."""
    for months, missing in ((GOOD[:1], "2026-04"), (GOOD[1:], "2026-03"), ((), "2026-03 2026-04")):
        with pytest.raises(WrongMove, match=missing):
            settle(CYCLE, [], months, [], TENDER)
    for months in ((*GOOD, GOOD[0]), (*GOOD, MonthScore("2026-05", "90"))):
        with pytest.raises(BadTerms, match="months"):
            settle(CYCLE, [], months, [], TENDER)
    assert months_of("2025-11", "2026-02") == ("2025-11", "2025-12", "2026-01", "2026-02")
    with pytest.raises(BadTerms):
        months_of("2026-02", "2026-01")


def test_twice__an_order_or_an_incident__is_refused() -> None:
    with pytest.raises(BadTerms, match="orders"):
        settle(CYCLE, [order(), order()], GOOD, [], TENDER)
    with pytest.raises(BadTerms, match="incidents"):
        settle(CYCLE, [], GOOD, [Incident(fact("i"), 1), Incident(fact("i"), 2)], TENDER)
    with pytest.raises(BadMoney):
        settle(CYCLE, [replace(order(), items=(Item("I", "项", 10**15 - 1, 10),))], GOOD, [], TENDER)


def test_rounding__half_up_once_on_the_settlement__whatever_the_damages() -> None:
    """S3: three orders of 1/3 fen at 90 % are 0.9 → 1, not 3 × 0; a half goes up, also below zero."""
    third = Item("I", "项", 1, 1, 3)
    three = [Order(f"O{n}", (third,), (Accepted("I", 1, 1),), "95") for n in range(3)]
    assert settle(CYCLE, three, GOOD, [], TENDER).settlement == 1
    half = Order("O", (Item("I", "项", 5, 1, 9),), (Accepted("I", 1, 1),), "95")
    bad = (MonthScore("2026-03", "70"), GOOD[1])
    assert settle(CYCLE, [half], GOOD, [], TENDER).settlement == 1
    assert settle(CYCLE, [half], bad, [], TENDER).settlement == 1 - 20_000_000


@pytest.mark.parametrize(
    ("negative", "collected", "carry", "next_pay"),
    [
        (Negative.CARRY, 0, Carry(300_000, 19_100_000), 0),
        (Negative.COLLECT, 19_100_000, Carry(300_000, 0), 600_000),
        (Negative.ZERO, 0, Carry(300_000, 0), 600_000),
    ],
)
def test_s4__a_settlement_below_zero__three_ways(
    negative: Negative, collected: int, carry: Carry, next_pay: int
) -> None:
    """9,000 yuan earned, 200,000 of damages: −191,000; 3,000 of advances stay unused. What the buyer claims back at
    the end is what then is carried."""
    scheme = replace(TENDER, negative=negative)
    cycle = replace(CYCLE, advances=Advances(300_000, 0))
    found = settle(cycle, [order()], (MonthScore("2026-03", "70"), GOOD[1]), [], scheme)
    assert (found.settlement, found.pay, found.collected, found.carry_out) == (-19_100_000, 0, collected, carry)
    assert refund(found) == carry
    later = settle(replace(CYCLE, carry_in=found.carry_out), [order()], GOOD, [], scheme)
    assert later.pay == next_pay
    if negative is Negative.CARRY:
        assert later.carry_out == Carry(300_000, 19_100_000 - 900_000)


def test_carry__over_three_cycles__no_fen_is_lost() -> None:
    """Advances of 20,000 yuan, 9,000 earned a cycle: 11,000, 2,000 carried; the third pays 7,000."""
    carry, paid = Carry(), 0
    for number in range(3):
        advances = Advances(2_000_000, 0) if number == 0 else Advances()
        found = settle(replace(CYCLE, advances=advances, carry_in=carry), [order()], GOOD, [], TENDER)
        carry, paid = found.carry_out, paid + found.pay
    assert (carry, paid) == (Carry(), 3 * 900_000 - 2_000_000)


def test_advances__35_and_45_percent__half_up() -> None:
    assert (advance(1_000, 35), advance(1_000, 45), advance(10, 45), advance(30, 35)) == (350, 450, 5, 11)
    assert advance(29, 35) == naive.half_up(Fraction(29 * 35, 100)) == 10


# --- dates -----------------------------------------------------------------------------------------------------------

MAY_1, MAY_9 = instant(2026, 5, 1, 23, 59), instant(2026, 5, 9, 8)


@pytest.mark.parametrize(
    ("event", "invoice", "last"),
    [(MAY_1, MAY_9, (2026, 6, 8)), (MAY_9, MAY_1, (2026, 6, 8)), (MAY_1, MAY_1, (2026, 5, 31)),
     (instant(2026, 12, 31, 12), MAY_1, (2027, 1, 30))],
)  # fmt: skip
def test_due__30_calendar_days_from_the_later_event__in_shanghai(
    event: int, invoice: int, last: tuple[int, int, int]
) -> None:
    """Invariant 26; the end of that day, also if it is no working day (30 January 2027 is a Saturday, S11)."""
    found = payment_due(500, event, Invoiced(500, invoice), TENDER)
    assert found.due == instant(*last) + 86_400


def test_due__one_of_two_events_missing_or_an_invoice_off_by_one_fen__no_date() -> None:
    for event, invoice in (
        (None, Invoiced(500, MAY_1)), (MAY_1, None), (MAY_1, Invoiced(499, MAY_1)), (MAY_1, Invoiced(501, MAY_1)),
    ):  # fmt: skip
        found = payment_due(500, event, invoice, TENDER)
        assert found.due is None
        assert found.fen == 500
        assert found.why
    assert payment_due(0, MAY_1, Invoiced(0, MAY_1), TENDER).due is None


def test_due__above_the_budget__the_date_moves_and_the_amount_stays() -> None:
    """Trap 11."""
    invoice = Invoiced(500, MAY_9)
    moved = payment_due(500, MAY_1, invoice, TENDER, may_defer=True, deferred_to=date(2027, 2, 1))
    assert (moved.fen, moved.due) == (500, instant(2027, 2, 2))
    for may, day in ((False, date(2027, 2, 1)), (True, date(2026, 12, 31)), (True, date(2028, 1, 1))):
        with pytest.raises(BadTerms, match="deferred_to"):
            payment_due(500, MAY_1, invoice, TENDER, may_defer=may, deferred_to=day)


def test_clocks__working_and_calendar_days__each_by_its_own_name() -> None:
    """Trap 10, S10, S12: asked on Thursday 30 April 2026; 1–5 May are holidays, Saturday the 9th is worked."""
    calendar, asked = published(), instant(2026, 4, 30, 10)
    found = response_due(asked, TENDER, calendar)
    assert found.working_days == found.scores == instant(2026, 5, 8)
    assert found.calendar_days == instant(2026, 5, 4)
    by_days = replace(TENDER, response=Response.CALENDAR_DAYS)
    assert response_due(asked, by_days, calendar).scores == found.calendar_days
    assert placing_due(asked, TENDER, calendar) == instant(2026, 5, 12)
    assert supplier_due(asked, TENDER, calendar) == instant(2026, 5, 19)


# --- pass-through ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 10**6), max_size=4), st.integers(0, 10**6))
@check
def test_pass_through__in_is_cost_plus_residue__and_no_account_pays_for_another(costs: list[int], more: int) -> None:
    """Invariant 26."""
    lines = tuple(Cost("收款方", fen, document(str(n))) for n, fen in enumerate(costs))
    account = PassAccount(Fee.AUDIT, sum(costs) + more, lines)
    other = PassAccount(Fee.SUPERVISION, 10**9)
    first, second = passed([account, other])
    assert (first.deposited, first.spent, first.residue) == (sum(costs) + more, sum(costs), more)
    assert second.residue == 10**9
    if costs:
        with pytest.raises(BadTerms, match="audit"):
            passed([replace(account, deposited=sum(costs) - 1), other])
        with pytest.raises(BadTerms, match="costs"):
            passed([account, PassAccount(Fee.REVIEW, 10**9, lines)])
    with pytest.raises(BadTerms):
        passed([account, account])


def test_pass_through__whatever_it_holds__moves_no_fen_of_the_settlement() -> None:
    case = read(Case, json.loads(EXAMPLE.read_text("utf-8")), "case")
    assert outcome(case).settlement == outcome(replace(case, pass_through=())).settlement


# --- three orders over two months, by hand ---------------------------------------------------------------------------


def test_example__three_orders_over_two_months__worked_out_by_hand() -> None:
    """scripts/examples/trial_order.json.

    March: a request late 17 days = 2 weeks → 4 of 需求管理's 4; a fault of 45 min = A2 (8) over the 10 min of recovery
    (5); 2,700 of 2,678,400 s = 0.1008 % cut off, 9 whole steps under 99.99 % → 1.8; two complaints → all 5; inspection
    30 off the total; 3 × 重点保障 → 6. 100 − 4 − 14.8 − 5 − 30 + 6 = 52.2 → 1,000,000 yuan, waived the day before the
    acceptance. April: a vulnerability 0.5, a larger leak 20 → 79.5 → 200,000 yuan; the waiver of the very instant of
    acceptance is too late; two planned hours noticed 72 h before and consented to cost nothing. The leak is row 5 of
    5.5.2 as well: 500,000 yuan.

    O-1: 10 − 9, 10 − 8, survey 75 → 6: 91, A. 90 × 10,000 yuan + 7 × 10.01/3 yuan = 90,000,000 + 7,007/3 fen.
    O-2: 5 + 10 (59 % of 60) + 10 + 50: 25, E; again 100 − 2 × 20 = 60 → 0.8 of 4 × 500,000 yuan = 160,000,000 fen.
    O-3: 5 + 10 + 10 + 20: 55, E, not scored again: held.
    """
    case = read(Case, json.loads(EXAMPLE.read_text("utf-8")), "case")
    found = outcome(case)
    assert [(m.month, m.scored.score) for m in found.months] == [("2026-03", "261/5"), ("2026-04", "159/2")]
    assert [(f.level, f.broken) for f in found.months[0].faults] == [("A2", ("recovery",))]
    assert [o.first.score if o.first else "" for o in found.orders] == ["91", "25", "55"]
    assert [o.again.score if o.again else "" for o in found.orders] == ["", "60", ""]
    it: Settlement = found.settlement
    assert [(line.grade, line.coefficient, line.shown, line.held) for line in it.orders] == [
        ("A", "1", 90_002_336, ""), ("E", "4/5", 160_000_000, ""), ("E", "", 0, RECTIFYING),
    ]  # fmt: skip
    assert Fraction(it.fees) == 250_000_000 + Fraction(7_007, 3)
    assert it.earned == 225_002_102  # 225,000,000 + 2,102.1
    assert [(month.fen, month.waived) for month in it.months] == [(0, 100_000_000), (20_000_000, 0)]
    assert [(i.fen, i.also_scored) for i in it.incidents] == [(50_000_000, True)]
    assert it.damages == 70_000_000
    assert it.settlement == 155_002_102
    assert (it.netted, it.carry_in.total, it.pay, it.carry_out) == (80_000_000, 5_000_000, 70_002_102, Carry())
    assert it.may_defer
    assert it.right is None
    assert found.due.due == instant(2026, 6, 20)  # 30 days from the invoice of 20 May: the end of 19 June
    assert [(p.fee, p.residue) for p in found.pass_through] == [("supervision", 600_000), ("audit", 500_000)]
    p1 = outcome(replace(case, scheme=replace(TENDER, netting_basis=NettingBasis.FIRST))).settlement
    assert (p1.netted, p1.pay) == (35_000_000, 115_002_102)
    spared = outcome(replace(case, scheme=replace(TENDER, stacking=Stacking.SCORE_ONLY))).settlement
    assert (spared.damages, spared.settlement) == (20_000_000, 205_002_102)


def test_example__changed_in_one_place__changes_as_the_text_says() -> None:
    case = read(Case, json.loads(EXAMPLE.read_text("utf-8")), "case")
    march, april = case.months
    with pytest.raises(WrongMove, match="2026-04"):
        outcome(replace(case, months=(march,)))
    assert outcome(replace(case, months=(april, march))) == outcome(case)
    off = replace(case, invoice=Invoiced(70_002_101, ACCEPTED_AT))
    assert outcome(off).due.due is None
    moved = outcome(replace(case, deferred_to="2027-01-15"))
    assert (moved.due.due, moved.due.fen) == (instant(2027, 1, 16), 70_002_102)
    with pytest.raises(BadTerms, match="deferred_to"):
        outcome(replace(case, deferred_to="2027-1-15x"))
    third = replace(case.orders[2], rescored=case.orders[1].rescored)
    again = outcome(replace(case, orders=(*case.orders[:2], third))).settlement
    assert again.settlement == 155_002_102 + 72_000_000
    caused = outcome(replace(case, causes=("disk-3",))).months[0].scored
    assert Fraction(caused.score) == Fraction(261, 5) - 5
    assert outcome(case).refund is None
    assert outcome(replace(case, ended=True)).refund == Carry()


def test_right__to_terminate__is_shown_and_changes_no_number() -> None:
    scheme = replace(TENDER, in_a_row=2)
    bad = (MonthScore("2026-03", "59", ACCEPTED_AT - 1), MonthScore("2026-04", "59", ACCEPTED_AT - 1))
    found, without = settle(CYCLE, [order()], bad, [], scheme), settle(CYCLE, [order()], bad, [], TENDER)
    assert found.right == Right("2026-04", ("2026-03", "2026-04"), "连续 2 次 / 2 in a row")
    assert replace(found, right=None) == without
