"""Deliveries that go any way the table of moves lets them, and a count of their acceptances that knows none of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import chinese_calendar
from hypothesis import strategies as st

from clearing.errors import ClearingError
from clearing.market.agreement import Delivery
from clearing.market.delivery.accepting import Told
from clearing.market.delivery.act import Act, DeliveryAct, Objection, Reason, Ruling
from clearing.market.delivery.moves import Case, decide
from clearing.market.promise import Silence
from clearing.terms import BillingBasis
from tests.clearing.market.handing import CALENDAR, act_for, delivery_terms, sent, shipment
from tests.clearing.market.house import DAY, NOW

DAYS = 5
"""Natural days of the inspection in `TERMS`."""
UNIT = "item"
TERMS = {
    silence: delivery_terms(
        billing=BillingBasis.ACCEPTED,
        unit=UNIT,
        silence=silence,
        acceptance_days=DAYS,
        delivery=Delivery("M2", "x", "y"),
    )
    for silence in Silence
}
WAITS = [0, 3_600, DAY, 2 * DAY, 6 * DAY, 9 * DAY]
"""Seconds between acts; all of them end in 2026, whose calendar is published."""
LIKELY = [Act.RECEIVE, Act.RECEIVE, Act.ACCEPT, Act.OBJECT, Act.LATE, Act.REDELIVER, Act.ESCALATE, Act.DECIDE, *Act]


@st.composite
def told(draw: st.DrawFn, silence: Silence, name: str) -> list[Told]:
    """The acts of one delivery that were taken in, from `NOW` on; `name` is in their fact ids."""
    terms, at = TERMS[silence], NOW + draw(st.sampled_from(WAITS))
    items = [sent(f"i{n}", draw(st.integers(1, 9)), unit=UNIT) for n in range(draw(st.integers(1, 3)))]
    made = act_for(Act.DELIVER, None, shipment=shipment(*items))
    case, acts = decide(None, made, terms, CALENDAR, at), [Told(f"{name}-0", at, made)]
    for act, wait, place, part in draw(
        st.lists(st.tuples(st.sampled_from(LIKELY), st.sampled_from(WAITS), st.integers(0, 9), st.integers(0, 9)),
                 max_size=14)
    ):  # fmt: skip
        at += wait
        body = _said(act, case, place, part)
        with suppress(ClearingError):
            case = decide(case, body, terms, CALENDAR, at)
            acts.append(Told(f"{name}-{len(acts)}", at, body))
    return acts


def _said(act: Act, case: Case, place: int, part: int) -> DeliveryAct:
    """The act about one item, or about each that its side may do it about, with a part of what waits."""
    item = case.items[place % len(case.items)]
    body = act_for(act, item)
    if body.objections is not None:
        quantity = max(1, item.pending * part // 9)
        return replace(body, objections=(Objection(item.id, quantity, Reason.QUALITY, "演示"),))
    if body.rulings is not None:
        return replace(body, rulings=(Ruling(item.id, item.pending * part // 9),))
    return body


def summed(acts: Iterable[Told], silence: Silence) -> list[tuple[str, int, int]]:
    """(item, second, quantity) of what was accepted: added up act by act, each item by itself."""
    open_: dict[str, int] = {}
    received: dict[str, int] = {}
    found: list[tuple[str, int, int]] = []

    def silent_since(item: str, at: int) -> int | None:
        """When silence accepted what waits of the item, if it had by `at`."""
        if silence is not Silence.ACCEPT or item not in received:
            return None
        ends = inspection_over(received[item])
        return ends if at >= ends else None

    for act in acts:
        body = act.body
        for item in body.named:
            before = silent_since(item, act.at)
            date = act.at if before is None else before
            waits = open_.get(item, 0)
            left = waits
            if body.act is Act.DELIVER:
                left = next(one.quantity for one in body.shipment.items if one.item == item)
            elif body.act is Act.ACCEPT:
                left = 0
                found.append((item, date, waits))
            elif body.act in (Act.OBJECT, Act.LATE):
                left = next(one.quantity for one in body.objections if one.item == item)
                found.append((item, date, waits - left))
            elif body.act is Act.DECIDE:
                left = 0
                found.append((item, act.at, next(one.accepted for one in body.rulings if one.item == item)))
            elif body.act in (Act.CONCEDE, Act.WITHDRAW):
                left = 0
            open_[item] = left
            received.pop(item, None)
            if body.act is Act.RECEIVE:
                received[item] = act.at
    for item in received:
        if (ends := silent_since(item, 2**53)) is not None:
            found.append((item, ends, open_[item]))
    return [one for one in found if one[2]]


def inspection_over(received_at: int) -> int:
    """The first second after `DAYS` natural days, the last of them a working day, in Shanghai."""
    zone = timezone(timedelta(hours=8))
    day = datetime.fromtimestamp(received_at, UTC).astimezone(zone).date() + timedelta(days=DAYS)
    while not chinese_calendar.is_workday(day):
        day += timedelta(days=1)
    following = day + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=zone).timestamp())
