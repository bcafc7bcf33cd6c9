"""One 项目周期 whole: score sheets, acceptances, decisions and documents in; scores, settlement and dates out.

The trial reads a case from a document, the service assembles it from signed facts, the audit assembles it again: the
same function computes all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64, Seconds
from clearing.settlement.service_order.card import Effect
from clearing.settlement.service_order.clocks import Due, Instant, Invoiced, payment_due
from clearing.settlement.service_order.damages import MonthScore
from clearing.settlement.service_order.faults import Fault, Outage, availability_events, fault_events, level_of
from clearing.settlement.service_order.faults import limits_broken as broken_by
from clearing.settlement.service_order.pass_through import PassAccount, Passed, passed
from clearing.settlement.service_order.scheme import TENDER, Scheme, check
from clearing.settlement.service_order.scorecard import Event, Scored, score
from clearing.settlement.service_order.settling import (
    Accepted,
    Carry,
    Incident,
    Item,
    MonthName,
    Order,
    ProjectCycle,
    Settlement,
    refund,
    settle,
)
from clearing.terms import Short
from registry.asset import Twin
from registry.calendar import add_months, start_of

Events = Annotated[tuple[Event, ...], Meta(max_length=2_000)]


@dataclass(frozen=True, slots=True)
class MonthSheet:
    """What happened in a month, as the 监理 states it: events of the card, measured faults and outages."""

    month: MonthName
    events: Events = ()
    faults: Annotated[tuple[Fault, ...], Meta(max_length=500)] = ()
    outages: Annotated[tuple[Outage, ...], Meta(max_length=500)] = ()
    waived_at: Seconds | None = None


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """A 服务单 with what was accepted of it and the events of its first score and of its re-score, if there are any."""

    order: Short
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=500)]
    accepted: tuple[Accepted, ...] | None = None
    scored: Events | None = None
    rescored: Events | None = None
    zeroed: bool = False


@dataclass(frozen=True, slots=True)
class IncidentSheet:
    """An incident with the row of 5.5.2 its 监理 `document` names."""

    fact: Hex64
    number: Annotated[int, Meta(ge=1, le=99)]
    document: Twin


@dataclass(frozen=True, slots=True)
class Case:
    """`causes` are the root causes of faults before this 项目周期. `report_at` is when its 验收报告 was there; `ended`
    says that the agreement ends with it."""

    cycle: ProjectCycle
    orders: Annotated[tuple[OrderSheet, ...], Meta(max_length=1_000)]
    months: Annotated[tuple[MonthSheet, ...], Meta(max_length=36)]
    scheme: Scheme = TENDER
    incidents: Annotated[tuple[IncidentSheet, ...], Meta(max_length=500)] = ()
    causes: tuple[Short, ...] = ()
    report_at: Instant | None = None
    invoice: Invoiced | None = None
    deferred_to: str | None = None
    pass_through: tuple[PassAccount, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True)
class FaultFinding:
    """The level of a fault and the limits it broke."""

    fact: str
    level: str
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MonthScored:
    """A month's score with its reckoning and what its faults were."""

    month: str
    scored: Scored
    faults: tuple[FaultFinding, ...]


@dataclass(frozen=True, slots=True)
class OrderScored:
    """An order's first score and its re-score."""

    order: str
    first: Scored | None
    again: Scored | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a case leads to. `refund` is what the buyer claims back when the agreement has ended."""

    months: tuple[MonthScored, ...]
    orders: tuple[OrderScored, ...]
    settlement: Settlement
    due: Due
    pass_through: tuple[Passed, ...]
    refund: Carry | None


def score_month(sheet: MonthSheet, scheme: Scheme, causes: Sequence[str] = ()) -> MonthScored:
    """4.3.1 for one month; `causes` are the root causes of the months before. Raises BadTerms."""
    window = month_window(sheet.month)
    events = (
        *sheet.events,
        *fault_events(sheet.faults, scheme, frozenset(causes)),
        *availability_events(sheet.outages, scheme, *window),
    )
    scored = score(scheme.month_card, events, scheme.weeks, scheme.steps, f"months.{sheet.month}.events")
    findings = [FaultFinding(f.fact, level_of(f, scheme).code, broken_by(f, scheme)) for f in sheet.faults]
    return MonthScored(sheet.month, scored, tuple(findings))


def month_window(month: str) -> tuple[int, int]:
    """[start, end) of a month "YYYY-MM" in Asia/Shanghai, seconds UTC."""
    start = date(int(month[:4]), int(month[5:]), 1)
    return start_of(start), start_of(add_months(start, 1))


def score_order(order: str, events: Sequence[Event], scheme: Scheme) -> Scored:
    """4.3.2 for one 服务单. Raises BadTerms."""
    return score(scheme.order_card, events, scheme.weeks, scheme.steps, f"orders.{order}.events")


def outcome(case: Case) -> Outcome:
    """Scores, settles and dates one 项目周期. Raises BadTerms, WrongMove, BadMoney."""
    check(case.scheme)
    causes, months = list(case.causes), []
    for sheet in sorted(case.months, key=lambda sheet: sheet.month):
        months.append(score_month(sheet, case.scheme, causes))
        causes += [fault.cause for fault in sheet.faults]
    orders = [
        OrderScored(
            sheet.order,
            None if sheet.scored is None else score_order(sheet.order, sheet.scored, case.scheme),
            None if sheet.rescored is None else score_order(sheet.order, sheet.rescored, case.scheme),
        )
        for sheet in sorted(case.orders, key=lambda sheet: sheet.order)
    ]
    settlement = _settled(case, months, orders)
    due = payment_due(
        settlement.pay, case.report_at, case.invoice, case.scheme, may_defer=settlement.may_defer,
        deferred_to=_day(case.deferred_to),
    )  # fmt: skip
    back = refund(settlement) if case.ended else None
    return Outcome(tuple(months), tuple(orders), settlement, due, passed(case.pass_through), back)


def _settled(case: Case, months: Sequence[MonthScored], orders: Sequence[OrderScored]) -> Settlement:
    waived = {sheet.month: sheet.waived_at for sheet in case.months}
    scored = {item.order: item for item in orders}
    sheets = [
        Order(
            sheet.order, sheet.items, sheet.accepted, _score(scored[sheet.order].first),
            _score(scored[sheet.order].again), sheet.zeroed,
        )
        for sheet in case.orders
    ]  # fmt: skip
    return settle(
        case.cycle,
        sheets,
        [MonthScore(item.month, item.scored.score, waived[item.month]) for item in months],
        [Incident(item.fact, item.number) for item in case.incidents],
        case.scheme,
        scored_facts=frozenset(_deducted(months, orders)),
    )


def _deducted(months: Sequence[MonthScored], orders: Sequence[OrderScored]) -> list[str]:
    cards = [item.scored for item in months]
    cards += [card for item in orders for card in (item.first, item.again) if card is not None]
    lines = [line for card in cards for line in card.lines]
    return [line.fact for line in lines if line.effect != Effect.BONUS and line.points != "0"]


def _score(scored: Scored | None) -> str | None:
    return None if scored is None else scored.score


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadTerms("deferred_to", "YYYY-MM-DD", text) from None
