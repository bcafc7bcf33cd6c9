"""When each part of a delivery was accepted, and by which fact: what settlement bills where acceptance is the basis.

The quantities are those of `moves`; here each gets its second. What silence accepted is dated at the end of the
inspection, whatever is said later: an ACCEPT only confirms it, a LATE takes out again what it objects to. So every
accepted unit has one date, a function of the acts. Source: exchange.md §4.8; 民法典 621.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clearing.market.agreement import Terms
from clearing.market.delivery.act import DeliveryAct
from clearing.market.delivery.moves import Case, Seen, moved, seen, seen_all
from registry.calendar import Calendar

_FOREVER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Told:
    """One act as it was taken in: its fact id, the second (UTC), what it said."""

    fact: str
    at: int
    body: DeliveryAct


@dataclass(frozen=True, slots=True)
class Acceptance:
    """有效完成数量: `quantity` of an item, accepted `at` (seconds UTC) by the act `fact`; where it is `deemed`, by the
    silence after the receipt `fact`, at the end of the inspection."""

    delivery: str
    item: str
    quantity: int
    at: int
    fact: str
    deemed: bool = False


def acceptances(delivery: str, acts: Iterable[Told], terms: Terms, calendar: Calendar) -> tuple[Acceptance, ...]:
    """What of a delivery is accepted, in the order of time, from its acts in their order.

    An inspection that still runs stands here too, at the end it has if nobody speaks: nothing is left out of a period
    that is over, and a later act moves or removes only what lies after it.
    """
    return tuple(sorted(_accepted(delivery, acts, terms, calendar), key=lambda one: (one.at, one.item, one.fact)))


def _accepted(delivery: str, acts: Iterable[Told], terms: Terms, calendar: Calendar) -> Iterator[Acceptance]:
    case: Case | None = None
    receipts: dict[str, str] = {}
    for act in acts:
        before, case = case, moved(case, act.body, act.at)
        for old, new in zip(before.items if before else case.items, case.items, strict=True):
            if granted := new.accepted - old.accepted:
                one = seen(old, terms, calendar, act.at)
                if one.deemed:
                    yield _deemed(delivery, one, granted, receipts)
                else:
                    yield Acceptance(delivery, new.id, granted, act.at, act.fact)
            if new.received_at is not None and old.received_at is None:
                receipts[new.id] = act.fact
    for one in seen_all(case, terms, calendar, _FOREVER) if case else ():
        if one.deemed:
            yield _deemed(delivery, one, one.deemed, receipts)


def _deemed(delivery: str, one: Seen, quantity: int, receipts: dict[str, str]) -> Acceptance:
    assert one.due.ends is not None
    return Acceptance(delivery, one.item.id, quantity, one.due.ends, receipts[one.item.id], True)
