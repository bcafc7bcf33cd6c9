"""The table of a delivery's items against the text, the clock against an oracle of its own, the sums of quantities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import chinese_calendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms, ClearingError, TooEarly, WrongMove
from clearing.market.agreement import Delivery
from clearing.market.delivery.act import DELIVERY_ACT, Act, DeliveryAct, Objection, Reason, Ruling, Side, act_of
from clearing.market.delivery.moves import (
    FINAL,
    MOVES,
    TARGETS,
    TURNS,
    Case,
    Progress,
    State,
    clock,
    counted,
    decide,
    inspection_ends,
    moved,
    open_acts,
    progress,
    seen_all,
)
from clearing.market.errors import Lapsed, NotEntitled
from clearing.market.promise import Counting, Inspection, Silence
from ledger.errors import FieldError
from ledger.facts import Statement
from ledger.reading import body_of
from registry.clocks import Running
from registry.errors import CalendarPending
from tests.clearing.market.handing import (
    AGREEMENT,
    CALENDAR,
    ROWS,
    SIDES,
    act_for,
    case_in,
    delivery_terms,
    digest,
    found,
    sent,
    shipment,
)
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, PROVIDER, SELLER
from tests.counts import few
from tests.telling import Tell

SPEC = """
– DELIVER P SENT | SENT WITHDRAW P WITHDRAWN | SENT RECEIVE C INSPECTION | SENT REFUSE C OBJECTED
INSPECTION ACCEPT C ACCEPTED | INSPECTION OBJECT C OBJECTED | DEEMED ACCEPT C ACCEPTED | DEEMED LATE C OBJECTED
OBJECTED ADMIT P RECTIFYING | OBJECTED CONTEST P CONTESTED | CONTESTED ADMIT P RECTIFYING
OBJECTED REDELIVER P SENT | CONTESTED REDELIVER P SENT | RECTIFYING REDELIVER P SENT
OBJECTED CONCEDE P REJECTED | CONTESTED CONCEDE P REJECTED | RECTIFYING CONCEDE P REJECTED
ESCALATED CONCEDE P REJECTED
OBJECTED ACCEPT C ACCEPTED | CONTESTED ACCEPT C ACCEPTED | RECTIFYING ACCEPT C ACCEPTED | ESCALATED ACCEPT C ACCEPTED
OBJECTED ESCALATE C ESCALATED | CONTESTED ESCALATE CP ESCALATED | RECTIFYING ESCALATE C ESCALATED
ESCALATED DECIDE D DECIDED
"""
"""exchange.md §4.8 and the rows deliver/receive, accept/reject of §1.3 typed off, as (from act sides to)."""
LETTERS = {"C": Side.CONSUMER, "P": Side.PROVIDER, "D": Side.DECIDER}
TERMS = delivery_terms()


def edges() -> dict[tuple[State, Act, Side], State]:
    rows = [row.split() for row in SPEC.replace("\n", "|").split("|") if row.strip()]
    return {
        (State.NONE if start == "–" else State(start), Act(act), LETTERS[side]): State(target)
        for start, act, sides, target in rows
        for side in sides
    }


# The table ------------------------------------------------------------------------------------------------------------


def test_table__every_state_act_and_side__as_the_text_says(tell: Tell) -> None:
    allowed, tried = edges(), 0
    for state, act, side in product(State, Act, Side):
        case = case_in(state)
        body = replace(act_for(act, case.items[0] if case else None), side=side)
        target: State | None = None
        with suppress(WrongMove, Lapsed):
            target = decide(case, body, TERMS, CALENDAR, NOW).items[0].state
        assert target == allowed.get((state, act, side)), (state, act, side)
        tried += 1
    assert tried == 12 * 13 * 3
    tell(f"{tried} (state, act, side), {len(allowed)} of the text accepted, 0 others")


def test_table__final_states__let_nothing_follow_and_nobody_wait() -> None:
    for state, side in product(FINAL, Side):
        assert open_acts(state, side) == ()
    assert not FINAL & set(TURNS)
    assert {state for state, _, _ in MOVES} & FINAL == set()


def test_table__one_target_an_act__so_the_facts_fold_without_a_calendar() -> None:
    assert {(act, target) for (_, act, _), target in MOVES.items()} == set(TARGETS.items())
    assert State.DEEMED not in TARGETS.values()


def test_table__whose_turn_it_is__has_something_to_do() -> None:
    for state, side in TURNS.items():
        assert open_acts(state, side), state


@pytest.mark.parametrize("silence", Silence)
@pytest.mark.parametrize("act", Act)
def test_after_the_end__silence_decides_which_acts_are_open(silence: Silence, act: Act) -> None:
    """A stored inspection reads as the terms say silence reads; the table then speaks of that state."""
    reads = {Silence.ACCEPT: State.DEEMED, Silence.REJECT: State.OBJECTED, Silence.ESCALATE: State.ESCALATED}[silence]
    case = case_in(State.DEEMED)
    assert case is not None
    terms = delivery_terms(silence=silence)
    allowed = edges().get((reads, act, SIDES[act]))
    try:
        target: State | None = decide(case, act_for(act, case.items[0]), terms, CALENDAR, NOW).items[0].state
    except (WrongMove, Lapsed):
        target = None
    assert target == allowed


# The clock ------------------------------------------------------------------------------------------------------------


def oracle(received_at: int, days: int, working: bool) -> int | None:
    """Day by day in text of its own: the day after the receipt is the first; None in a year without a calendar."""
    day = (datetime.fromtimestamp(received_at, UTC) + timedelta(hours=8)).date()

    def works() -> bool:
        return bool(chinese_calendar.is_workday(day))

    try:
        if working:
            left = days
            while left:
                day += timedelta(days=1)
                left -= works()
        else:
            day += timedelta(days=days)
            while not works():
                day += timedelta(days=1)
    except NotImplementedError:
        return None
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return int(midnight.timestamp()) - 8 * 3600


FIRST, LAST = 1_767_196_800, 1_798_732_800  # 2026-01-01 and 2027-01-01, 00:00 in Shanghai


@settings(max_examples=few(400))
@given(st.integers(FIRST, LAST - 1), st.integers(1, 60), st.sampled_from(Counting))
def test_clock__against_a_count_of_its_own(received_at: int, days: int, counting: Counting) -> None:
    terms = delivery_terms(acceptance_days=days, inspection=Inspection(counting))
    expected = oracle(received_at, days, counting is Counting.WORKING_DAYS)
    if expected is None:
        with pytest.raises(CalendarPending):
            inspection_ends(received_at, terms, CALENDAR)
    else:
        assert inspection_ends(received_at, terms, CALENDAR) == expected


@settings(max_examples=few(200))
@given(st.integers(FIRST, LAST - 60 * DAY), st.integers(1, 20), st.sampled_from(Silence), st.integers(-2, 2))
def test_silence__counts_from_the_first_second_after_the_last_day(
    received_at: int, days: int, silence: Silence, off: int
) -> None:
    terms = delivery_terms(acceptance_days=days, silence=silence)
    ends = oracle(received_at, days, False)
    assert ends is not None
    case = case_in(State.INSPECTION, received_at=received_at)
    assert case is not None
    [one] = seen_all(case, terms, CALENDAR, ends + off)
    reads = {Silence.ACCEPT: State.DEEMED, Silence.REJECT: State.OBJECTED, Silence.ESCALATE: State.ESCALATED}[silence]
    assert one.state is (reads if off >= 0 else State.INSPECTION)
    assert one.accepted == (ROWS if off >= 0 and silence is Silence.ACCEPT else 0)


@pytest.mark.parametrize(
    ("received", "days", "counting", "last"),
    [
        ("2026-09-30 10:00", 5, Counting.WORKING_DAYS, "2026-10-13"),  # the national holiday, a worked Saturday
        ("2026-09-30 10:00", 5, Counting.DAYS, "2026-10-08"),  # the 5th is a holiday: the next working day
        ("2026-09-01 00:00", 1, Counting.DAYS, "2026-09-02"),
        ("2026-09-01 23:59", 1, Counting.DAYS, "2026-09-02"),
        ("2026-12-24 12:00", 5, Counting.WORKING_DAYS, "2026-12-31"),
    ],
)
def test_clock__worked_examples(received: str, days: int, counting: Counting, last: str) -> None:
    at = int(datetime.fromisoformat(f"{received}+08:00").timestamp())
    terms = delivery_terms(acceptance_days=days, inspection=Inspection(counting))
    ends = int((datetime.fromisoformat(f"{last} 00:00+08:00") + timedelta(days=1)).timestamp())
    assert inspection_ends(at, terms, CALENDAR) == ends


@pytest.mark.parametrize("terms", [delivery_terms(acceptance_days=0),
                                   delivery_terms(inspection=Inspection(quality_in_use=True))])  # fmt: skip
def test_clock__no_period_or_quality_only_in_use__two_years_and_nothing_deemed_before(terms: object) -> None:
    at = int(datetime.fromisoformat("2026-02-28 09:00+08:00").timestamp())
    ends = int(datetime.fromisoformat("2028-02-29 00:00+08:00").timestamp())
    assert inspection_ends(at, terms, CALENDAR) == ends  # type: ignore[arg-type]
    case = case_in(State.INSPECTION, received_at=at)
    assert case is not None
    for when, state in ((at + 400 * DAY, State.INSPECTION), (ends - 1, State.INSPECTION), (ends, State.DEEMED)):
        assert seen_all(case, terms, CALENDAR, when)[0].state is state  # type: ignore[arg-type]


def test_clock__year_not_published__pending_nothing_deemed_and_the_sides_may_still_act() -> None:
    at = int(datetime.fromisoformat("2026-12-30 09:00+08:00").timestamp())
    terms = delivery_terms(inspection=Inspection(Counting.WORKING_DAYS))
    case = case_in(State.INSPECTION, received_at=at)
    assert case is not None
    with pytest.raises(CalendarPending):
        inspection_ends(at, terms, CALENDAR)
    due = clock(case.items[0], terms, CALENDAR)
    assert (due.running, due.year, due.ends) == (Running.PENDING, 2027, None)
    later = at + 300 * DAY
    assert seen_all(case, terms, CALENDAR, later)[0].state is State.INSPECTION
    assert decide(case, act_for(Act.OBJECT, case.items[0]), terms, CALENDAR, later).items[0].state is State.OBJECTED


# Quantities -----------------------------------------------------------------------------------------------------------


def walk(case: Case, steps: list[tuple[int, int, int]]) -> Iterator[tuple[Case, int]]:
    """Legal acts in turn, each chosen by numbers: which item, which of its open acts, how much."""
    at = NOW
    for pick, choice, amount in steps:
        at += DAY
        one = seen_all(case, TERMS, CALENDAR, at)[pick % len(case.items)]
        open_ = [(act, side) for side in Side for act in open_acts(one.state, side)]
        if not open_:
            continue
        act, side = open_[choice % len(open_)]
        body = replace(act_for(act, one.item), side=side)
        part = 1 + amount % max(one.item.pending, 1)
        if body.objections:
            body = replace(body, objections=(Objection(one.item.id, part, Reason.OTHER, "演示"),))
        if body.rulings:
            body = replace(body, rulings=(Ruling(one.item.id, part),))
        if (one.item.round == 3 and act is Act.REDELIVER) or (one.item.round > 1 and act is Act.WITHDRAW):
            with pytest.raises(BadTerms, match=r"round|body\.items"):
                decide(case, body, TERMS, CALENDAR, at)
            continue
        case = decide(case, body, TERMS, CALENDAR, at)
        yield case, at


@settings(max_examples=few(300))
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**6)), min_size=1, max_size=25))
def test_quantities__every_unit_is_somewhere_once__after_any_acts(steps: list[tuple[int, int, int]]) -> None:
    body = act_for(Act.DELIVER, None, shipment=shipment(sent("a", 7), sent("b", 11), sent("c", 1, unit="file")))
    for case, at in walk(decide(None, body, TERMS, CALENDAR, NOW), steps):
        for item in case.items:
            held = item.quantity if item.state is not State.WITHDRAWN else 0
            assert item.accepted + item.rejected + item.pending == held
            assert min(item.accepted, item.rejected, item.pending) >= 0
            assert (item.received_at is not None) == (item.state is State.INSPECTION)
        for when in (at, at + 90 * DAY):
            read = seen_all(case, TERMS, CALENDAR, when)
            for line in counted(read):
                assert line.delivered == line.accepted + line.inspected + line.disputed + line.rejected
                assert 0 <= line.deemed <= line.accepted
            done = progress(read)
            waits = any(line.inspected or line.disputed for line in counted(read))
            open_ = {Progress.DECISION, Progress.DISPUTED, Progress.DELIVERED, Progress.INSPECTION}
            assert (done in open_) is waits


def test_object__to_a_part__the_rest_is_accepted_and_only_the_part_is_delivered_again() -> None:
    case = case_in(State.INSPECTION)
    assert case is not None
    three = (Objection("data.csv", 3, Reason.QUANTITY, "缺 3 行"),)
    case = decide(case, act_for(Act.OBJECT, case.items[0], objections=three), TERMS, CALENDAR, NOW)
    assert (case.items[0].accepted, case.items[0].pending) == (ROWS - 3, 3)
    whole = act_for(Act.REDELIVER, None)
    with pytest.raises(BadTerms, match=r"items\[0\].quantity: expected 3, given 100"):
        decide(case, whole, TERMS, CALENDAR, NOW)
    again = act_for(Act.REDELIVER, case.items[0])
    case = decide(case, again, TERMS, CALENDAR, NOW)
    assert (case.items[0].state, case.items[0].round) == (State.SENT, 2)
    case = decide(case, act_for(Act.RECEIVE, case.items[0]), TERMS, CALENDAR, NOW)
    case = decide(case, act_for(Act.ACCEPT, case.items[0]), TERMS, CALENDAR, NOW)
    assert (case.items[0].accepted, case.items[0].state) == (ROWS, State.ACCEPTED)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_redelivery__up_to_k_rounds_and_no_further(rounds: int) -> None:
    terms = delivery_terms(inspection=Inspection(rounds=rounds))
    case = case_in(State.OBJECTED)
    assert case is not None
    for _ in range(rounds):
        case = decide(case, act_for(Act.REDELIVER, case.items[0]), terms, CALENDAR, NOW)
        case = decide(case, act_for(Act.REFUSE, case.items[0]), terms, CALENDAR, NOW)
    with pytest.raises(BadTerms, match="round"):
        decide(case, act_for(Act.REDELIVER, case.items[0]), terms, CALENDAR, NOW)


def test_late_objection__takes_back_what_silence_accepted_and_nothing_more() -> None:
    case = case_in(State.DEEMED)
    assert case is not None
    late = act_for(Act.LATE, case.items[0], objections=(Objection("data.csv", 10, Reason.QUALITY, "演示"),))
    after = decide(case, late, TERMS, CALENDAR, NOW)
    [line] = counted(seen_all(after, TERMS, CALENDAR, NOW))
    assert (line.accepted, line.disputed) == (ROWS - 10, 10)
    with pytest.raises(Lapsed):
        decide(case, act_for(Act.OBJECT, case.items[0]), TERMS, CALENDAR, NOW)


def test_fold__without_a_calendar__says_what_the_decisions_said() -> None:
    """Silence stood between two acts; the facts alone give the same case."""
    terms = delivery_terms(silence=Silence.REJECT)
    made = act_for(Act.DELIVER, None)
    case = decide(None, made, terms, CALENDAR, NOW)
    received = act_for(Act.RECEIVE, case.items[0])
    case = decide(case, received, terms, CALENDAR, NOW)
    admitted = act_for(Act.ADMIT, case.items[0])
    with pytest.raises(WrongMove):
        decide(case, admitted, terms, CALENDAR, NOW + DAY)
    case = decide(case, admitted, terms, CALENDAR, NOW + 30 * DAY)
    folded: Case | None = None
    for body, at in ((made, NOW), (received, NOW), (admitted, NOW + 30 * DAY)):
        folded = moved(folded, body, at)
    assert folded == case


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (act_for(Act.DELIVER, None, shipment=shipment(version=digest(9))), "version"),
        (act_for(Act.DELIVER, None, shipment=shipment(mode="M5")), "mode"),
        (act_for(Act.DELIVER, None, shipment=shipment(delivered_at=NOW + 301)), "delivered_at"),
    ],
)
def test_delivery__that_does_not_fit_the_terms__names_the_field(body: DeliveryAct, field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        decide(None, body, TERMS, CALENDAR, NOW)


def test_period__still_running__too_early() -> None:
    terms = delivery_terms(delivery=Delivery("M1", "https", "7x24"))
    body = act_for(Act.DELIVER, None, shipment=shipment(mode="M1", period="2026-05"))
    with pytest.raises(TooEarly):
        decide(None, body, terms, CALENDAR, NOW)
    assert decide(None, body, terms, CALENDAR, NOW + 3 * DAY).items[0].state is State.SENT


@pytest.mark.parametrize("act", [Act.RECEIVE, Act.REFUSE])
@pytest.mark.parametrize("changed", ["bytes", "digest", "nothing"])
def test_receipt__as_stated_or_not__is_the_other_act(act: Act, changed: str) -> None:
    case = case_in(State.SENT)
    assert case is not None
    given = {"bytes": {"bytes": 999}, "digest": {"digest": digest(8)}, "nothing": {}}[changed]
    body = act_for(act, case.items[0], found=(found(case.items[0].sent, **given),))
    if (act is Act.RECEIVE) == (changed == "nothing"):
        assert decide(case, body, TERMS, CALENDAR, NOW).items[0].state is TARGETS[act]
    else:
        with pytest.raises(BadTerms, match="found"):
            decide(case, body, TERMS, CALENDAR, NOW)


def test_parties__others_than_those_of_the_delivery__refused() -> None:
    case = case_in(State.SENT)
    assert case is not None
    good = act_for(Act.RECEIVE, case.items[0])
    for bad in (replace(good, provider=SELLER), replace(good, consumer=SELLER), replace(good, agreement="b" * 64)):
        with pytest.raises(NotEntitled):
            decide(case, bad, TERMS, CALENDAR, NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"items": ("data.csv",)}, "body.items"),
        ({"found": None}, "body.found"),
        ({"decider": COURT}, "body.decider"),
        ({"evidence": (digest(1),)}, "body.evidence"),
        ({"provider": CONSUMER}, "body.provider"),
        ({"found": (found(sent()), found(sent()))}, "body.items"),
        ({"found": (found(sent(), digest=None),)}, "digest"),
        ({"found": (found(sent(), first=1, last=2),)}, "digest"),
        ({"found": (found(sent(), digest=None, first=3, last=2),)}, "last"),
    ],
)
def test_act__not_of_its_sort__names_the_field(changes: dict[str, object], field: str) -> None:
    body = replace(act_for(Act.RECEIVE, None), **changes)
    statement = Statement(DELIVERY_ACT, f"delivery:{'1' * 32}", 0, None, body_of(body))
    with pytest.raises((ClearingError, FieldError), match=field):
        act_of(statement)


@pytest.mark.parametrize("period", [None, "2026-13", "2026-05"])
def test_period__given_with_continuous_modes_only(period: str | None) -> None:
    for mode in ("M1", "M2"):
        body = body_of(act_for(Act.DELIVER, None, shipment=shipment(mode=mode, period=period)))
        statement = Statement(DELIVERY_ACT, f"delivery:{'1' * 32}", 0, None, body)
        if (mode == "M1") == (period == "2026-05") and period != "2026-13":
            assert act_of(statement).shipment is not None
        else:
            with pytest.raises((ClearingError, FieldError), match="period"):
                act_of(statement)


def test_agreement__and_parties__are_the_constants_of_the_cases() -> None:
    """A case that were somebody else's would make the table pass for the wrong reason."""
    case = case_in(State.SENT)
    assert case is not None
    assert (case.agreement, case.provider, case.consumer) == (AGREEMENT, PROVIDER, CONSUMER)
