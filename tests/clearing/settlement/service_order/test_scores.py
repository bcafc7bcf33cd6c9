"""Scores against the naive formulas: every row, every measure, both cards (invariants 22, 23; traps 6, 8)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms
from clearing.settlement.service_order.faults import (
    Announced,
    Fault,
    Outage,
    Work,
    availability_events,
    excused,
    fault_events,
    level_of,
    limits_broken,
    unavailable,
)
from clearing.settlement.service_order.scheme import TENDER, Weeks
from clearing.settlement.service_order.scorecard import Event, score
from clearing.terms import DAY
from ledger.errors import FieldError
from ledger.reading import body_of, read
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import (
    START,
    card_events,
    document,
    event,
    fact,
    instant,
    naive_of,
    plain,
)
from tests.counts import few

check = settings(deadline=None, max_examples=few(80))
CARDS = {
    "month": (TENDER.month_card, naive.MONTH, naive.MONTH_WEIGHTS),
    "order": (TENDER.order_card, naive.ORDER, naive.ORDER_WEIGHTS),
}
FULL = [event("2.1", part=1, whole=1), event("2.2", part=1, whole=1), event("4.1", points="100")]
"""An order to which nothing happened."""
ROWS = [(name, code) for name, (_, text, _) in CARDS.items() for code in naive.rows(text)]


def base(name: str, code: str = "") -> list[Event]:
    return [item for item in FULL if item.row != code] if name == "order" else []


def naive_score(name: str, events: list[Event]) -> Fraction:
    _, text, weights = CARDS[name]
    return naive.score([naive_of(item) for item in events], text, weights)


@pytest.mark.parametrize(("name", "code"), ROWS)
@given(data=st.data())
@settings(deadline=None, max_examples=few(4))
def test_row__each_of_both_cards__as_the_naive_formula(name: str, code: str, data: st.DataObject) -> None:
    card, text, _ = CARDS[name]
    given_ = event(code, authority=document("责任"), **plain(naive.rows(text)[code], data.draw))
    events = [*base(name, code), given_]
    found = score(card, events)
    assert Fraction(found.score) == naive_score(name, events)
    assert [line.row for line in found.lines if line.fact == given_.fact] == [code]


@pytest.mark.parametrize("name", CARDS)
@given(data=st.data())
@check
def test_score__any_events__as_the_naive_formula_whatever_their_order(name: str, data: st.DataObject) -> None:
    card, text, _ = CARDS[name]
    events = data.draw(card_events(text))
    found = score(card, events)
    assert Fraction(found.score) == naive_score(name, events)
    assert 0 <= Fraction(found.score) <= 100
    assert all(Fraction(item.points) >= 0 for item in found.classes)
    shuffled = data.draw(st.permutations(events))
    assert score(card, shuffled).score == found.score


@pytest.mark.parametrize("name", CARDS)
@given(data=st.data())
@check
def test_score__one_more_deduction__never_raises_it(name: str, data: st.DataObject) -> None:
    card, text, _ = CARDS[name]
    words = naive.rows(text)
    events = data.draw(card_events(text))
    taken = {item.row for item in events}
    single = {code for code, word in words.items() if word in ("rate", "performance", "survey", "availability")}
    code = data.draw(
        st.sampled_from([c for c, w in words.items() if not w.startswith("+") and c not in single & taken])
    )
    more = event(code, "one more", authority=document("责任"), **plain(words[code], data.draw))
    assert Fraction(score(card, [*events, more]).score) <= Fraction(score(card, events).score)


def test_bonus__each_within_its_own_cap__before_the_total_is_capped() -> None:
    """Trap 8: 9 × 保障 is 10, not 18; summed and only then capped at 100 the month would be 100, in another band."""
    events = [event("10.6", count=9), event("10.4"), event("10.5")]
    assert score(TENDER.month_card, events).score == str(100 - 50 - 20 + 10)
    assert score(TENDER.month_card, events[:1]).score == "100"
    three = [event("10.8", str(n), points="5") for n in range(4)]
    assert score(TENDER.month_card, [*three, event("10.4")]).score == str(100 - 50 + 15)


def test_complaints__one_two_and_a_notice__are_no_line() -> None:
    """Trap 6: 1 → 2 points, 2 → all 5 of the class; in the order card all 15 of the 大项, its survey too."""
    for counts, lost in (([1], 2), ([2], 5), ([1, 1], 5), ([7], 5)):
        events = [event("9.1", str(n), count=times) for n, times in enumerate(counts)]
        assert score(TENDER.month_card, events).score == str(100 - lost), counts
    assert score(TENDER.month_card, [event("9.2")]).score == "95"
    blame = {"authority": document("责任")}
    for times, lost in ((1, 2), (2, 15), (3, 15)):
        events = [*FULL, event("4.2", count=times, **blame)]
        assert score(TENDER.order_card, events).score == str(100 - lost)


def test_class__more_lost_than_it_weighs__is_0_and_takes_nothing_of_the_others() -> None:
    found = score(TENDER.month_card, [event("7.4", count=50)])
    assert found.score == "94"
    assert [item.points for item in found.classes if item.code == "7"] == ["0"]
    assert score(TENDER.month_card, [event("4.5", points="50"), event("10.2"), event("10.4")]).score == "0"


@pytest.mark.parametrize(("part", "lost"), [(6, 4), (59, None), (10, 0)])
def test_performance__under_60_percent__nothing(part: int, lost: int | None) -> None:
    share = {"part": part, "whole": 100 if part > 10 else 10}
    expected = 10 if lost is None else lost
    assert score(TENDER.order_card, [FULL[0], event("2.2", **share), FULL[2]]).score == str(100 - expected)


def test_weeks__completed_or_begun__as_signed() -> None:
    """S8: one second before a week is none; the other reading counts it."""
    for late, completed, begun in ((naive.WEEK - 1, 0, 1), (naive.WEEK, 1, 1), (naive.WEEK + 1, 1, 2), (1, 0, 1)):
        given_ = [event("2.1", due_at=START, done_at=START + late)]
        assert score(TENDER.month_card, given_).score == str(100 - 2 * completed)
        assert score(TENDER.month_card, given_, Weeks.BEGUN).score == str(100 - 2 * begun)


def test_steps__of_availability__completed_or_begun_as_signed() -> None:
    """99.99 % is the bound: at it nothing is lost; 0.01 % under it 0.2; a step begun only where signed so."""
    for part, completed, begun in ((9_999_000, 0, 0), (9_998_999, 0, 1), (9_998_000, 1, 1), (9_997_999, 1, 2)):
        given_ = [event("3.1", part=part, whole=10_000_000)]
        assert Fraction(score(TENDER.month_card, given_).score) == 100 - Fraction(completed, 5)
        assert Fraction(score(TENDER.month_card, given_, steps=Weeks.BEGUN).score) == 100 - Fraction(begun, 5)


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("month", "99.1", {}, "row"),
    ("month", "1.1", {}, "due_at"),
    ("month", "1.1", {"due_at": 5}, "done_at"),
    ("month", "1.1", {"due_at": 5, "done_at": 5}, "done_at"),
    ("month", "1.2", {"due_at": 5, "done_at": 6}, "due_at"),
    ("month", "1.2", {"points": "2"}, "points"),
    ("month", "3.1", {"part": 1}, "whole"),
    ("month", "3.1", {"part": 2, "whole": 1}, "part"),
    ("month", "3.1", {"part": 0, "whole": 0}, "whole"),
    ("month", "3.1", {"part": 1, "whole": 1, "count": 2}, "count"),
    ("month", "4.5", {"points": "19.9"}, "points"),
    ("month", "4.5", {"points": "50.1"}, "points"),
    ("month", "10.1", {}, "authority"),
    ("order", "4.2", {}, "authority"),
    ("order", "5.8", {"points": "2.5"}, "points"),
]


@pytest.mark.parametrize(("name", "row", "given_", "field"), REFUSED)
def test_event__that_does_not_fit_its_row__names_the_field(
    name: str, row: str, given_: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadTerms) as refused:
        score(CARDS[name][0], [*base(name), event(row, "x", **given_)])
    assert refused.value.field.endswith(f".{field}")


def test_event__without_the_deciding_bodys_document__cannot_be_read() -> None:
    """Invariant 25, and the same for an event that names it as null."""
    whole = body_of(event("1.2"))
    assert read(Event, whole) == event("1.2")
    del whole["document"]
    for body in (whole, {**whole, "document": None}):
        with pytest.raises(FieldError, match="document"):
            read(Event, body)


def test_events__together__once_what_is_once_and_nothing_twice() -> None:
    for events, field in (
        (FULL[:2], "events"),
        ([*FULL, replace(FULL[0], fact=fact("other"))], "events"),
        ([*FULL, event("1.1"), event("1.1")], "events[4].fact"),
    ):
        with pytest.raises(BadTerms) as refused:
            score(TENDER.order_card, events)
        assert refused.value.field == field
    twice = [event("3.1", "a", part=1, whole=2), event("3.1", "b", part=1, whole=2)]
    with pytest.raises(BadTerms, match=r"3\.1"):
        score(TENDER.month_card, twice)


def test_breach_of_rules__already_deducted_elsewhere__is_refused() -> None:
    """「除按照本考核体系已完成扣分的以外」."""
    first, again = event("2.8", "same"), replace(event("5.4"), fact=fact("2.8same"))
    assert score(TENDER.month_card, [first, event("5.4")]).score == str(100 - 5 - 2)
    with pytest.raises(BadTerms, match=r"5\.4"):
        score(TENDER.month_card, [first, again])


# --- faults and outages ----------------------------------------------------------------------------------------------


def fault(unusable: int = 0, cause: str = "c", **more: Any) -> Fault:
    limits = {"response": 0, "reporting": 0, "recovery": unusable, "handling": 0, **more}
    return Fault(fact(f"fault {cause}{unusable}"), document(), cause, unusable, **limits)


@pytest.mark.parametrize(
    ("seconds", "level", "points"),
    [
        (1, "B2", 4), (600, "B2", 4), (601, "B1", 6), (1800, "B1", 6), (1801, "A2", 8), (3600, "A2", 8),
        (3601, "A1", 10),
    ],
)  # fmt: skip
def test_level__by_time_cut_off__bounds_belong_below(seconds: int, level: str, points: int) -> None:
    """(0, 10], (10, 30], (30, 60], > 60 min; every B1, A2, A1 also breaks the 10 minutes of recovery: 5 more."""
    given_ = fault(seconds)
    assert level_of(given_, TENDER).code == level
    late = 5 if seconds > 600 else 0
    assert score(TENDER.month_card, fault_events([given_], TENDER)).score == str(100 - points - late)


def test_level__nobody_cut_off__c_plus_or_c() -> None:
    assert level_of(fault(degraded=True), TENDER).code == "C+"
    assert level_of(fault(), TENDER).code == "C"


LIMITS = {
    "A1": (None, 300, 600, 7_200), "A2": (None, 300, 600, 7_200), "B1": (None, 300, 600, 7_200),
    "B2": (None, 300, 600, 7_200), "C+": (300, 1_800, 3_600, 14_400), "C": (300, 3_600, 7_200, 172_800),
}  # fmt: skip
CUT = {"A1": 3_601, "A2": 3_600, "B1": 1_800, "B2": 600, "C+": 0, "C": 0}


@pytest.mark.parametrize("level", LIMITS)
@pytest.mark.parametrize(("place", "name"), list(enumerate(["response", "reporting", "recovery", "handling"])))
def test_limits__each_of_each_level__broken_by_one_second_and_not_before(level: str, place: int, name: str) -> None:
    limit = LIMITS[level][place]
    always = {"recovery"} if level in ("A1", "A2", "B1") else set()
    for over in (0, 1):
        value = max((limit or 0) + over, CUT[level] if name == "recovery" else 0)
        given_ = fault(CUT[level], degraded=level == "C+", **{name: value})
        broken = {name} if limit is not None and over else set()
        assert set(limits_broken(given_, TENDER)) == always | broken, over
        rows = {item.row for item in fault_events([given_], TENDER)}
        assert ("3.8" in rows, "3.9" in rows) == ("recovery" in always | broken, "reporting" in broken)


def test_recurrence__same_root_cause__across_months_too() -> None:
    first, again = fault(1, "disk"), fault(2, "disk")
    rows = [item.row for item in fault_events([first, again, fault(3, "net")], TENDER)]
    assert rows == ["3.5", "3.5", "3.11", "3.5"]
    assert [item.row for item in fault_events([first], TENDER, {"disk"})] == ["3.5", "3.11"]
    with pytest.raises(BadTerms, match="recovery"):
        fault_events([replace(first, unusable=9, recovery=8)], TENDER)


MARCH = (instant(2026, 3, 1), instant(2026, 4, 1))
BEGIN = instant(2026, 3, 10, 1)


def planned(noticed: int, consented: int | None, work: Work = Work.OUTAGE, name: str = "up") -> Outage:
    consent = document("同意") if consented is not None else None
    announced = Announced(work, document("通知"), noticed, consent, consented)
    return Outage(BEGIN, BEGIN + 7_200, document(name), fact(name), announced)


@pytest.mark.parametrize(
    ("noticed", "consented", "free"),
    [
        (BEGIN - 3 * DAY, BEGIN - 1, True),
        (BEGIN - 3 * DAY + 1, BEGIN - 1, False),
        (BEGIN - 3 * DAY, BEGIN, False),
        (BEGIN - 3 * DAY, None, False),
        (BEGIN + 1, BEGIN + 1, False),
    ],
)
@pytest.mark.parametrize("work", Work)
def test_planned_outage__late_notice_or_consent__has_no_effect(
    noticed: int, consented: int | None, free: bool, work: Work
) -> None:
    """Invariant 25. 7,200 s of March are 0.2688 %: 25 whole steps under 99.99 %, 5 points."""
    outage = planned(noticed, consented, work)
    assert excused(outage, TENDER) is free
    found = score(TENDER.month_card, availability_events([outage], TENDER, *MARCH))
    below = Fraction(7_200, 31 * DAY) - Fraction(1, 10_000)
    steps = 0 if free else (below / Fraction(1, 10_000)).__floor__()
    assert steps in (0, 25)
    assert Fraction(found.score) == 100 - Fraction(steps, 5)


def test_planned_outage__notice_of_a_risky_operation__has_its_own_time() -> None:
    scheme = replace(TENDER, risky_notice=DAY)
    assert not excused(planned(BEGIN - DAY, BEGIN - 1), scheme)
    assert excused(planned(BEGIN - DAY, BEGIN - 1, Work.RISKY), scheme)


spans = st.lists(st.tuples(st.integers(-40, 140), st.integers(1, 60)), max_size=6)


@given(spans)
@check
def test_unavailable__overlapping_spans__each_second_once_and_only_of_the_month(found: list[tuple[int, int]]) -> None:
    outages = [Outage(200 + a, 200 + a + n, document(), fact(f"{k}")) for k, (a, n) in enumerate(found)]
    seconds = {second for item in outages for second in range(item.start, item.end)} & set(range(200, 300))
    assert unavailable(outages, TENDER, 200, 300) == len(seconds)
    events = availability_events(outages, TENDER, 200, 300)
    assert [(item.part, item.whole) for item in events] == ([(100 - len(seconds), 100)] if seconds else [])


def test_outage__that_ends_before_it_starts__is_refused() -> None:
    with pytest.raises(BadTerms, match="end"):
        availability_events([Outage(5, 5, document(), fact("x"))], TENDER, 0, 10)
