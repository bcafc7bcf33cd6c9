"""When something is due: payments in calendar days from the later of two events, answers and orders in working days.

The day that starts a clock is not counted; a calendar day that is no working day is not moved (S11). No published
calendar for the year: no date (`CalendarPending`). Source: domain clearing §5 (payments, S10–S12); invariant 26.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.settlement.service_order.scheme import Response, Scheme
from clearing.terms import Fen
from registry.calendar import Calendar, day_of, end_of, last_day

Instant = Annotated[int, Meta(ge=0, le=4_102_444_800)]
"""Seconds UTC, up to the year 2100: a day of the calendar."""


@dataclass(frozen=True, slots=True)
class Invoiced:
    """等额发票: its amount in fen and when the buyer received it, seconds UTC."""

    fen: Fen
    received_at: Instant


@dataclass(frozen=True, slots=True)
class Due:
    """When an amount is due (end of that day, seconds UTC, exclusive); None while one of the two events is missing."""

    fen: int
    due: int | None
    why: str = ""


def payment_due(
    amount: int, event_at: int | None, invoice: Invoiced | None, scheme: Scheme, *, may_defer: bool = False,
    deferred_to: date | None = None,
) -> Due:  # fmt: skip
    """`payment_days` calendar days from the later of the event and the invoice over exactly `amount`.

    Over the budget of the 项目周期 the buyer may move the date into the next year; the amount stays. Raises BadTerms
    for a date moved without that right or elsewhere.
    """
    if amount == 0:
        return Due(0, None, "无应付款 / nothing to pay")
    if event_at is None:
        return Due(amount, None, "付款条件未成就 / the event is missing")
    if invoice is None or invoice.fen != amount:
        given = "—" if invoice is None else invoice.fen
        return Due(amount, None, f"发票应为 {amount} 分，实为 {given} / the invoice is not over {amount} fen")
    day = day_of(max(event_at, invoice.received_at)) + timedelta(days=scheme.payment_days)
    if deferred_to is not None:
        if not may_defer:
            raise BadTerms("deferred_to", "累计结算超过周期预算 / settlements above the budget", str(deferred_to))
        if deferred_to.year != day.year + 1:
            raise BadTerms("deferred_to", f"{day.year + 1}", str(deferred_to))
        day = deferred_to
    return Due(amount, end_of(day))


@dataclass(frozen=True, slots=True)
class ResponseDue:
    """Both clocks of a request's answer and the one that scores; ends of days, seconds UTC, exclusive."""

    working_days: int
    calendar_days: int
    scores: int


def response_due(requested_at: int, scheme: Scheme, calendar: Calendar) -> ResponseDue:
    """Until when a request must be answered, by both clocks of the tender (S10)."""
    day = day_of(requested_at)
    working = end_of(last_day(day, scheme.response_working_days, calendar))
    natural = end_of(day + timedelta(days=scheme.response_calendar_days))
    return ResponseDue(working, natural, working if scheme.response is Response.WORKING_DAYS else natural)


def placing_due(requested_at: int, scheme: Scheme, calendar: Calendar) -> int:
    """Until when a 服务单 must be placed after the request (下达, S10)."""
    return end_of(last_day(day_of(requested_at), scheme.placing_days, calendar))


def supplier_due(money_in_at: int, scheme: Scheme, calendar: Calendar) -> int:
    """Until when a supplier must be settled with after the money came in (及时, S12)."""
    return end_of(last_day(day_of(money_in_at), scheme.supplier_days, calendar))
