"""Figures from facts: recomputed by an oracle that knows only what the story was meant to be, never how it is read."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms
from clearing.market.delivery.act import Act as DeliveryMove
from clearing.market.delivery.act import DeliveryAct, Found, Objection, Reason, Sent, Shipment
from clearing.market.delivery.act import Side as DeliverySide
from clearing.market.listing import Move
from clearing.market.profile.profile import DEAL_EVALUATION, DealEvaluation
from clearing.settlement.dispute.opening import Act, Decision, Side
from clearing.settlement.reporting import activity, assessment, credit, workbook
from clearing.settlement.reporting.activity import window_of
from clearing.settlement.reporting.credit import Component, Input, What
from clearing.settlement.reporting.definitions import DEFINITIONS, Code, in_force
from clearing.settlement.reporting.material import Left, Material, Told, material_of
from clearing.settlement.reporting.material import Side as Stands
from clearing.settlement.reporting.objection import Grade
from clearing.usage.metering import Exclusion
from tests.clearing.settlement.reporting_story import PLATFORM, ZERO, Story, named
from tests.counts import few

DAY = 86_400
START = 1_780_000_000
RULE = in_force(Code.CREDIT, START)
BUYERS, SELLERS = ("B0", "B1", "B2"), ("S0", "S1")
ROOT = Path(__file__).resolve().parents[3]


def at_day(second: int) -> str:
    """The day in Shanghai, by the standard library's own arithmetic."""
    return (datetime.fromtimestamp(second, UTC) + timedelta(hours=8)).date().isoformat()


# A story as it was meant, and as facts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    buyer: int
    seller: int
    day: int
    fen: int
    related: bool
    paid_after: int  # days after it fell due; None of them: never
    paid: bool
    confirmed: bool
    differs: bool


ORDERS = st.builds(
    Order, st.integers(0, 2), st.integers(0, 1), st.integers(0, 700), st.integers(1, 10**6), st.just(False),
    st.integers(-3, 5), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


def told(orders: list[Order]) -> Story:
    """Order i is an agreement of its own, settled on its day; its money was due that day, its statement had to be
    answered by the day after."""
    story = Story()
    for number, one in enumerate(orders):
        at = START + one.day * DAY
        buyer, seller = BUYERS[one.buyer], SELLERS[one.seller]
        agreement = story.agreement(f"a{number}", seller, buyer, at - DAY)
        story.order(agreement, "2026-05", buyer, {seller: one.fen}, at)
        story.reading(agreement, "2026-05", at, differs=Exclusion.P_ONLY if one.differs else None)
        day = at_day(at + one.paid_after * DAY)
        story.payment(buyer, one.fen, at - 5 * DAY, at, [(day, one.fen, at)] if one.paid else ())
        story.statement(buyer, at, at + DAY, at + 60 if one.confirmed else 0)
    return story


def expected(orders: list[Order], party: str, as_of: int) -> tuple[int, Fraction | None]:
    """(settled orders, score) from the story's words alone."""
    good: dict[str, Fraction] = {}
    bad: dict[str, Fraction] = {}

    def count(component: str, at: int, fault: bool, severity: int = 1) -> None:
        age = max(0, (as_of - at) // DAY)
        weight = severity * (Fraction(1, 2) ** (age // 365)) * (1 - Fraction(age % 365, 730))
        side = bad if fault else good
        side[component] = side.get(component, Fraction(0)) + weight

    number = 0
    for one in orders:
        at = START + one.day * DAY
        buyer, seller = BUYERS[one.buyer], SELLERS[one.seller]
        if party not in (buyer, seller):
            continue
        if at <= as_of:
            number += 1
            count("performance", at, False)
            count("compliance", at, False)
            count("quality", at, one.differs)
        if party == buyer and at - 5 * DAY <= as_of:
            booked = one.paid and at <= as_of
            if booked:
                count("payment", at, one.paid_after > 0)
            elif as_of >= last_second(at) + 3 * DAY + 1:
                count("payment", at, True, 3)
        if party == buyer and at <= as_of:
            answered = one.confirmed and at + 60 <= as_of
            if answered or as_of > at + DAY:
                count("response", at, not answered)
    points = {"performance": 35, "quality": 20, "payment": 20, "compliance": 15, "response": 10}
    seen = {name: points[name] for name in points if name in good or name in bad}
    if number < 5:
        return number, None
    score = Fraction(0)
    for name, weight in seen.items():
        whole = good.get(name, Fraction(0)) + bad.get(name, Fraction(0))
        score += weight * good.get(name, Fraction(0)) / whole
    return number, 100 * score / sum(seen.values())


def last_second(at: int) -> int:
    """The last second of the day in Shanghai."""
    return (at + 8 * 3600) // DAY * DAY + DAY - 1 - 8 * 3600


@settings(max_examples=few(60), deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=14), st.integers(0, 760), st.randoms(use_true_random=False))
def test_credit__any_inputs__as_an_oracle_computes_it(orders: list[Order], day: int, shuffle: object) -> None:
    as_of = START + day * DAY + 43_210
    facts = told(orders).told
    shuffle.shuffle(facts)  # type: ignore[attr-defined]
    material = material_of(facts, as_of, PLATFORM)
    for party in (*BUYERS, *SELLERS):
        number, score = expected(orders, party, as_of)
        found = credit.assess(material, party, RULE)
        assert found.deals == number
        assert found.exact == ("" if score is None else str(score))
        if score is not None:
            marks = (("AAA", 90), ("AA", 80), ("A", 70), ("B", 60), ("C", 50), ("D", 0))
            assert found.grade == next(name for name, least in marks if score >= least)
            assert abs(Fraction(found.score) - score) <= Fraction(1, 200)
        else:
            assert (found.score, found.grade) == ("", None)


@settings(max_examples=few(40), deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=10), st.integers(0, 730))
def test_credit__as_of__later_facts_change_nothing(orders: list[Order], day: int) -> None:
    """Invariant 27: the facts up to the second, and the version in force then, are the figure."""
    as_of = START + day * DAY
    story = told(orders)
    known = [item for item in story.told if item.fact.at <= as_of]
    whole, then = (material_of(facts, as_of, PLATFORM) for facts in (story.told, known))
    assert whole == then
    later = replace(RULE, version=2, effective=at_day(as_of + DAY), numbers={**RULE.numbers, "points_payment": 90})
    catalogue = (*DEFINITIONS, later)
    window = window_of(at_day(as_of)[:7])
    assert in_force(Code.CREDIT, as_of, catalogue) == RULE
    assert in_force(Code.CREDIT, as_of + DAY, catalogue) == later
    first = assessment.assessment(then, window)
    assert assessment.assessment(whole, window, tuple(one for one in catalogue if one.code is not Code.TOTALS)) == first


INPUTS = st.builds(
    lambda number, what, age: Input(f"x{number}", WHERE[what], what, START - age * DAY, ("f",)),
    st.integers(0, 10**9), st.sampled_from(sorted(What)), st.integers(0, 1200),
)  # fmt: skip
WHERE = {
    What.SETTLED: Component.PERFORMANCE, What.UPHELD: Component.PERFORMANCE, What.ACCEPTED: Component.QUALITY,
    What.REJECTED: Component.QUALITY, What.RECONCILED: Component.QUALITY, What.DIFFERING: Component.QUALITY,
    What.ON_TIME: Component.PAYMENT, What.LATE: Component.PAYMENT, What.DEFAULT: Component.PAYMENT,
    What.CLEAN: Component.COMPLIANCE, What.STOPPED: Component.COMPLIANCE, What.ANSWERED: Component.RESPONSE,
    What.UNANSWERED: Component.RESPONSE,
}  # fmt: skip


@settings(max_examples=few(200), deadline=None)
@given(st.lists(INPUTS, max_size=20), st.sampled_from(sorted(credit.FAULTS)), st.integers(0, 1200))
def test_credit__one_more_late_payment__never_raises_score_or_grade(inputs: list[Input], what: What, age: int) -> None:
    """Any further fault, of any age and in any component, also the first one of its component."""
    more = Input("more", WHERE[what], what, START - age * DAY, ("f",))
    before, after = (credit.graded("P", RULE, START, 5, items) for items in (inputs, [*inputs, more]))
    if before.exact:
        assert Fraction(after.exact) <= Fraction(before.exact)
        order = list(Grade)
        assert order.index(after.grade) >= order.index(before.grade)  # type: ignore[arg-type]


def test_credit__bands__looked_up_with_the_exact_score_lower_bound_inclusive() -> None:
    """89.999 is shown as 90.00 and is AA all the same: rounding comes after the band (clearing §13, 6)."""
    numbers = RULE.numbers
    for grade, least in (("AAA", 90), ("AA", 80), ("A", 70), ("B", 60), ("C", 50)):
        assert credit.grade_of(Fraction(least), numbers) == grade
        below = credit.grade_of(Fraction(least) - Fraction(1, 10**6), numbers)
        assert list(Grade).index(below) == list(Grade).index(Grade(grade)) + 1
    assert credit.decimals(Fraction(89_999, 1_000)) == "90.00"
    assert credit.decimals(Fraction(1, 200)) == "0.00"
    assert credit.decimals(Fraction(3, 200)) == "0.02"


def test_credit__four_settled_orders__unrated_and_never_bad() -> None:
    """Even with nothing but faults a newcomer has no grade (exchange.md §9, 53)."""
    story = told([Order(0, 0, 1, 100, False, 9, True, False, True)] * 4)
    found = credit.assess(material_of(story.told, START + 90 * DAY, PLATFORM), "B0", RULE)
    assert (found.deals, found.grade, found.score, found.exact) == (4, None, "", "")


def test_decay__half_life__halves_and_never_rises() -> None:
    assert [credit.decay(days, 365) for days in (0, 365, 730)] == [1, Fraction(1, 2), Fraction(1, 4)]
    values = [credit.decay(days, 365) for days in range(800)]
    assert values == sorted(values, reverse=True)


# What counts and what does not ---------------------------------------------------------------------------------------


def material(story: Story, as_of: int = START + 90 * DAY) -> Material:
    return material_of(story.told, as_of, PLATFORM)


def whats(story: Story, party: str, as_of: int = START + 90 * DAY) -> list[tuple[str, str]]:
    """(key without its tail, what) of everything but settled orders."""
    found = credit.inputs_of(material(story, as_of), party, RULE)
    return [(one.key.partition(":")[0], one.what) for one in found if one.what not in (What.SETTLED, What.CLEAN)]


def test_deals__related_own_disputed_reversed__listed_and_counted_nowhere() -> None:
    story = Story()
    pairs = {"plain": ("S", "B"), "related": ("S", "R"), "own": ("S", PLATFORM), "house": (PLATFORM, "B")}
    for name, (seller, buyer) in pairs.items():
        agreement = story.agreement(name, seller, buyer, START)
        story.order(agreement, "2026-05", buyer, {seller: 100}, START + DAY)
    disputed = story.agreement("disputed", "S", "B", START)
    charge = story.order(disputed, "2026-05", "B", {"S": 100}, START + DAY)
    dispute = story.dispute(disputed, "B", "S", START + 2 * DAY, charge.id, 50)
    back = story.agreement("reversed", "S", "B", START)
    story.order(back, "2026-05", "B", {"S": 100}, START + DAY)
    story.order(back, "2026-05", "B", {"S": -100}, START + 2 * DAY)
    pending = story.agreement("pending", "S", "B", START)
    story.order(pending, "2026-05", "B", {"S": 100}, START + DAY, settled=False)
    story.relation("R", "S", True, START)
    reasons = {deal.agreement: deal.left for deal in material(story).deals}
    assert reasons == {
        named("plain"): None, named("related"): Left.RELATED, named("own"): Left.OWN, named("house"): Left.OWN,
        disputed: Left.DISPUTED, back: Left.REVERSED,
    }  # fmt: skip
    story.said(dispute, Act.WITHDRAW, Side.FILER, START + 3 * DAY)
    story.relation("R", "S", False, START + 95 * DAY)
    after = {deal.agreement: deal.left for deal in material(story, START + 96 * DAY).deals}
    assert (after[disputed], after[named("related")]) == (None, None)
    assert {deal.agreement: deal.left for deal in material(story).deals}[named("related")] is Left.RELATED


def test_deals__a_service_s_seller_related_to_the_buyer__not_arm_s_length_for_the_service_either() -> None:
    story = Story()
    agreement = story.agreement("a", "S", "B", START, service="V")
    story.order(agreement, "2026-05", "B", {"S": 100, "V": 10}, START)
    assert [(deal.payee, deal.side, deal.left) for deal in material(story).deals] == [
        ("S", Stands.SELLER, None), ("V", Stands.SERVICE, None),
    ]  # fmt: skip
    story.relation("B", "S", True, START)
    assert {deal.left for deal in material(story).deals} == {Left.RELATED}


def test_payment__by_the_bank_s_day__in_parts_late_and_never() -> None:
    due = START + 10 * DAY
    day, next_day = at_day(due), at_day(due + DAY)
    cases = {
        What.ON_TIME: [(day, 100, due + 20 * DAY)],
        What.LATE: [(day, 99, due), (next_day, 1, due + DAY)],
        What.DEFAULT: [(day, 99, due)],
    }
    for what, booked in cases.items():
        story = Story()
        story.payment("B", 100, START, due, booked)
        assert whats(story, "B") == [("payment", what)]
        assert whats(story, "S") == []
    story = Story()
    story.payment("B", 100, START, due)
    end = last_second(due)
    assert whats(story, "B", end + 3 * DAY) == []
    assert whats(story, "B", end + 3 * DAY + 1) == [("payment", What.DEFAULT)]


def test_dispute__only_what_was_upheld_in_money__counts_against_who_answered_for_it() -> None:
    story = Story()
    agreement = story.agreement("a", "S", "B", START)
    charge = story.order(agreement, "2026-05", "B", {"S": 100}, START)
    names = [story.dispute(agreement, "B", "S", START, charge.id, 10) for _ in range(3)]
    decision = Decision("演示仲裁委员会", "1", "2026-06-01", "2026-06-01", ZERO)
    for identity, upheld in zip(names, (10, 0), strict=False):
        story.said(identity, Act.ANSWER, Side.RESPONDENT, START + DAY, text="答")
        story.said(identity, Act.DECIDE, Side.OPERATOR, START + 2 * DAY, upheld=upheld, decision=decision)
    story.said(names[2], Act.WITHDRAW, Side.FILER, START + DAY)
    found = whats(story, "S")
    assert sorted(found) == sorted([("upheld", What.UPHELD), *[("answer", What.ANSWERED)] * 2])
    assert whats(story, "B") == []


def test_dispute__fifteen_days_of_silence__not_answered() -> None:
    story = Story()
    agreement = story.agreement("a", "S", "B", START)
    identity = story.dispute(agreement, "B", "S", START)
    assert whats(story, "S", START + 15 * DAY) == []
    assert whats(story, "S", START + 15 * DAY + 1) == [("answer", What.UNANSWERED)]
    story.said(identity, Act.ANSWER, Side.RESPONDENT, START + 16 * DAY, text="答")
    assert whats(story, "S") == [("answer", What.UNANSWERED)]


def test_statement__disputing_is_answering_too() -> None:
    story = Story()
    agreement = story.agreement("a", "S", "B", START)
    story.statement("B", START, START + 5 * DAY)
    assert whats(story, "B", START + 5 * DAY) == []
    assert whats(story, "B") == [("statement", What.UNANSWERED)]
    story.dispute(agreement, "B", "S", START + DAY)
    assert whats(story, "B") == [("statement", What.ANSWERED)]


def test_delivery__items_that_came_to_an_end__for_who_delivered() -> None:
    story = Story()
    items = tuple(Sent(name, "演示", "row", 10, 1, digest=ZERO) for name in ("good", "bad", "open"))
    shipment = Shipment(1, ZERO, "M2", "演示", START, items)

    def said(act: DeliveryMove, side: DeliverySide, at: int, **fields: object) -> None:
        story.delivery("d", DeliveryAct(act, side, "1" * 64, "S", "B", **fields), at)  # type: ignore[arg-type]

    said(DeliveryMove.DELIVER, DeliverySide.PROVIDER, START, shipment=shipment)
    found = tuple(Found(item.item, 1, digest=ZERO) for item in items)
    said(DeliveryMove.RECEIVE, DeliverySide.CONSUMER, START + 1, found=found)
    assert whats(story, "S") == []
    said(DeliveryMove.ACCEPT, DeliverySide.CONSUMER, START + 2, items=("good",))
    objection = Objection("bad", 4, Reason.QUALITY, "演示")
    said(DeliveryMove.OBJECT, DeliverySide.CONSUMER, START + 3, objections=(objection,), evidence=(ZERO,))
    said(DeliveryMove.CONCEDE, DeliverySide.PROVIDER, START + 4, items=("bad",))
    assert sorted(whats(story, "S")) == [("delivery", What.ACCEPTED), ("delivery", What.REJECTED)]
    assert whats(story, "B") == []


def test_listing__stopped_by_others__a_violation_and_an_open_breach_until_it_is_back() -> None:
    story = Story()
    identity = story.listing("l", "S", START)
    story.moved(identity, Move.SUSPEND, START + DAY, by="party:S")
    story.moved(identity, Move.RESUME, START + 2 * DAY, role="listing_reviewer")
    assert whats(story, "S") == []
    story.moved(identity, Move.EMERGENCY, START + 3 * DAY, role="listing_approver", rule="演示")
    assert whats(story, "S") == [("stopped", What.STOPPED)]
    assert activity.open_breaches(material(story), "S")
    story.moved(identity, Move.RESUME, START + 4 * DAY, role="listing_approver")
    assert whats(story, "S") == [("stopped", What.STOPPED)]
    assert activity.open_breaches(material(story), "S") == []


def test_reconciled__last_reading_of_each_period__counts() -> None:
    story = Story()
    agreement = story.agreement("a", "S", "B", START)
    for period in ("2026-05", "2026-06", "2026-07"):
        story.reading(agreement, period, START, differs=Exclusion.QTY)
    story.reading(agreement, "2026-05", START + DAY)
    story.reading(agreement, "2026-06", START + DAY, differs=Exclusion.REFUSED)
    for party in ("S", "B"):
        figure = activity.reconciled(material(story), party)
        assert (figure.exact, figure.value, figure.n) == ("2/3", "66.67%", 3)
    assert activity.reconciled(material(story, START), "S").value == "0.00%"
    assert activity.reconciled(material(story), "X").value == ""


# Windows -------------------------------------------------------------------------------------------------------------


def noon(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}T12:00:00+08:00").timestamp())


def busy() -> Story:
    """May is the window before, June the window. Reference of orders: 80th percentile of (S 1, T 0, B 1) = 1."""
    story = Story()
    first = story.listing("l1", "S", noon("2026-04-01"), industry="G56")
    second = story.listing("l2", "S", noon("2026-06-20"), industry="G56")
    story.listing("l3", "T", noon("2026-04-01"), industry="J66")
    one = story.agreement("one", "S", "B", noon("2026-04-02"), listing=first)
    two = story.agreement("two", "S", "C", noon("2026-04-02"), listing=second, service="V")
    story.order(one, "2026-04", "B", {"S": 50}, noon("2026-05-10"))
    story.order(one, "2026-05", "B", {"S": 100}, noon("2026-06-10"))
    story.order(two, "2026-05", "C", {"S": 200, "V": 20}, noon("2026-06-10"))
    story.reading(one, "2026-05", noon("2026-06-01"), quantity=40)
    story.reading(one, "2026-06", noon("2026-07-01"), quantity=10)
    story.statement("B", noon("2026-06-02"), noon("2026-06-07"), noon("2026-06-03"))
    story.statement("B", noon("2026-06-12"), noon("2026-06-17"))
    return story


AFTER = noon("2026-07-20")


def test_activity__window__as_counted_by_hand() -> None:
    found = activity.party_activity(material(busy(), AFTER), window_of("2026-06"))
    # S: 2 listings against 1, 2 orders against 1, 2 counterparties against 1; no duty to answer: 80 of 80.
    assert found["S"].value == "100.00"
    assert [(term.count, term.reference) for term in found["S"].terms] == [(2, 1), (2, 1), (2, 1), (0, 0)]
    # B: no listing, 1 order, 1 counterparty, 1 of 2 statements answered in time: 30 + 20 + 10.
    assert found["B"].value == "60.00"
    # T: one listing and nothing else: 30 of 80.
    assert found["T"].value == "37.50"
    assert found["S"].definition == "K-02/1"
    assert "计入 2 笔" in found["S"].scope


def test_contribution__each_role__adds_up_to_one_hundred() -> None:
    found = activity.contribution(material(busy(), AFTER), window_of("2026-06").now)
    values = {key: Fraction(figure.exact) for key, figure in found.items()}
    assert values == {
        ("S", Stands.SELLER): Fraction(100),
        ("V", Stands.SERVICE): Fraction(100),
        ("B", Stands.BUYER): 60 * Fraction(100, 320) + 40 * Fraction(1, 2),
        ("C", Stands.BUYER): 60 * Fraction(220, 320) + 40 * Fraction(1, 2),
    }
    for side in Stands:
        assert sum(value for (_, role), value in values.items() if role is side) == 100


def test_activity__products__uses_and_orders() -> None:
    facts = material(busy(), AFTER)
    first, second = named("l1p", 32), named("l2p", 32)
    found = activity.product_activity(facts, window_of("2026-06"))
    # l1: 10 calls in June against 40 in May, 1 order against 1: (30·¼ + 50)/80. l2: no use, 1 order: 50/80.
    assert Fraction(found[first].exact) == Fraction(100 * (Fraction(30, 4) + 50), 80)
    assert found[second].value == "62.50"
    assert found[named("l3p", 32)].value == "0.00"
    sold = activity.sales(facts, first, window_of("2026-06").now)
    assert (sold.orders, sold.amount, sold.category, sold.of_category) == (1, 100, "G56", 320)
    assert sold.share.exact == "5/16"


def test_effective__related_parties_or_open_breach__not() -> None:
    june = window_of("2026-06").now

    def effective(story: Story, party: str) -> tuple[str, tuple[str, ...]]:
        figure = activity.effective_party(material(story, AFTER), party, june)
        return figure.value, figure.reasons

    story = busy()
    assert effective(story, "S") == ("是", ())
    assert effective(story, "T") == ("否", ("无已结算的非关联交易",))
    story.payment("B", 100, noon("2026-06-10"), noon("2026-06-13"))
    assert effective(story, "B") == ("否", ("逾期未付",))
    assert effective(story, "C") == ("是", ())
    story.relation("C", "S", True, noon("2026-07-01"))
    assert effective(story, "C") == ("否", ("无已结算的非关联交易",))
    old = Story()
    agreement = old.agreement("a", "S", "B", noon("2025-04-01"))
    old.order(agreement, "2025-05", "B", {"S": 1}, noon("2025-06-30"))
    assert effective(old, "S")[0] == "否"
    old.order(agreement, "2025-06", "B", {"S": 1}, noon("2025-07-01"))
    assert effective(old, "S")[0] == "是"


def test_effective__product__thirty_days_an_order_and_no_poor_rating() -> None:
    story = busy()
    june = window_of("2026-06").now
    first, second, third = (named(name, 32) for name in ("l1p", "l2p", "l3p"))

    def reasons(product: str) -> tuple[str, ...]:
        return activity.effective_product(material(story, AFTER), product, june).reasons

    assert reasons(first) == ()
    assert reasons(second) == ("期末连续在架不足 30 日",)
    assert reasons(third) == ("无已结算的非关联交易",)
    for number, score in enumerate((3, 3, 3, 3, 2)):
        assert reasons(first) == ()
        body = DealEvaluation(named("one"), f"X{number}", "S", score)
        story.fact(DEAL_EVALUATION, f"deal-evaluation:{number}", body, noon("2026-06-15"))
    assert reasons(first) == ("评价均分低于 3",)


def test_window__months_quarters_years__each_with_the_one_before() -> None:
    for name, first, last, before in (
        ("2026-06", "2026-06-01", "2026-07-01", "2026-05-01"),
        ("2026-01", "2026-01-01", "2026-02-01", "2025-12-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01", "2025-10-01"),
        ("2026", "2026-01-01", "2027-01-01", "2025-01-01"),
    ):
        window = window_of(name)
        days = [at_day(second) for second in (window.now.start, window.now.end, window.before.start)]
        assert days == [first, last, before]
        assert window.before.end == window.now.start
    for wrong in ("2026-13", "2026-Q5", "26-01", "2026-", "2026-6", "-", "", "20x6", "20²6", "2026-06-01"):
        with pytest.raises(BadTerms):
            window_of(wrong)


# Totals, workbook, list of definitions -------------------------------------------------------------------------------


@settings(max_examples=few(150), deadline=None)
@given(st.dictionaries(st.sampled_from("ABCDEF"), st.sets(st.integers(0, 60), min_size=1, max_size=30), min_size=1))
def test_totals__cells_of_fewer_than_ten__not_told_nor_to_be_inferred(named_: dict[str, set[int]]) -> None:
    """What is not told is of ten parties or more together and at least two lines, or the total is not told either."""
    rows = {label: [(str(party), 7) for party in sorted(parties)] for label, parties in named_.items()}
    found = assessment.table("t", rows, 10)
    told = {cell.label: cell for cell in found.cells if cell.parties is not None}
    for label, cell in told.items():
        assert cell.parties == len(named_[label]) >= 10
        assert cell.amount == 7 * len(named_[label])
    missing = [named_[label] for label in rows if label not in told]
    assert found.hidden == len(missing)
    if found.total.parties is not None:
        assert found.total.parties == len(set().union(*named_.values())) >= 10
        assert not missing or (len(missing) >= 2 and len(set().union(*missing)) >= 10)


FORMULAS = ("=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "https://example.test", "{=1}")


def test_workbook__names_that_look_like_formulas__stay_text() -> None:
    story = Story()
    for number, text in enumerate(FORMULAS):
        story.listing(f"f{number}", f"S{number}", noon("2026-04-01"), title=text.strip() or "x")
    report = assessment.assessment(material(story, AFTER), window_of("2026-06"))
    names = {f"S{number}": text for number, text in enumerate(FORMULAS)}
    data = workbook.assessment_xlsx(report, names)
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/sheet" in name]
        shared = book.read("xl/sharedStrings.xml").decode()
        assert not [name for name in book.namelist() if "externalLink" in name]
    assert len(sheets) == 5
    for sheet in sheets:
        assert "<f>" not in sheet
        assert "<f " not in sheet
        assert "hyperlink" not in sheet
        assert set(re.findall(r'<c [^>]*?t="([a-zA-Z]+)"', sheet)) <= {"s"}
    for text in ("=1+1", "-2+3", "@SUM(A1)"):
        assert f">{text}<" in shared


def test_assessment__one_party_s__shows_nobody_else() -> None:
    report = assessment.assessment(material(busy(), AFTER), window_of("2026-06"))
    own = report.of_party("T")
    assert [row.party for row in own.parties] == ["T"]
    assert [row.seller for row in own.products] == ["T"]
    assert {row.party for row in report.parties} == {"S", "T", "B", "C", "V"}
    assert [rule.label for rule in report.definitions] == [
        "K-01/1", "K-02/1", "K-03/1", "K-04/1", "K-05/1", "K-06/1", "K-07/1", "K-08/1",
    ]  # fmt: skip


def test_definitions__ten_fields_each_and_a_test_that_exists() -> None:
    tests = (ROOT / "tests" / "clearing" / "settlement").glob("test_*.py")
    known = {name for file in tests for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)}
    assert len({(one.code, one.version) for one in DEFINITIONS}) == len(DEFINITIONS)
    assert {one.code for one in DEFINITIONS} == set(Code)
    for one in DEFINITIONS:
        for name in ("name", "meaning", "ratio", "dimensions", "grain", "owner", "affects"):
            assert getattr(one, name), (one.label, name)
        date.fromisoformat(one.effective)
        assert set(one.cases) <= known, one.label
        assert one.cases
    with pytest.raises(BadTerms, match="2026-01-01"):
        in_force(Code.CREDIT, noon("2025-12-31"))


def test_definitions__a_version_is_never_edited__its_bytes_are_pinned() -> None:
    """Another meaning is another version: whoever changes one of these must add a line to the list instead."""
    kept = {one.label: named(repr(one), 16) for one in DEFINITIONS}
    assert kept == PINNED


PINNED = {
    "K-01/1": "e623564de2bdf6cd",
    "K-02/1": "76b98270dc0541f3",
    "K-03/1": "ee9039c92831f459",
    "K-04/1": "b3c73f988436f2ae",
    "K-05/1": "6dc1374308636fbd",
    "K-06/1": "82f81b9811ee8c5f",
    "K-07/1": "a05b6afa92249f5c",
    "K-08/1": "dea396faa6cc9b00",
    "K-09/1": "e50d88881f4c930f",
    "K-10/1": "e6bd57d10222b03d",
    "K-11/1": "bdb260f3699feef3",
}


def test_material__a_fact_without_its_terms__is_of_nobody_s_role() -> None:
    """Erased terms: the deal still counts, and its payee is taken for the seller."""
    story = Story()
    agreement = story.agreement("a", "S", "B", START)
    story.order(agreement, "2026-05", "B", {"S": 5}, START)
    bare = [Told(item.fact) if item.fact.kind == "agreement-act/v1" else item for item in story.told]
    [deal] = material_of(bare, START + DAY, PLATFORM).deals
    assert (deal.side, deal.left, deal.product) == (Stands.SELLER, None, "")
