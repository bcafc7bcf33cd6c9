"""Measured faults and outages become events of the monthly card: levels, limits, recurrence, availability.

A limit broken costs points where the card has a row: 恢复 late 5, 发现+预判+传报 late = 迟报 4; 响应 and 处理 late are
shown, the tender prices them nowhere. A planned outage or risky operation is excused only if it was announced long
enough before and consented to, both on record before it began. Source: domain clearing §5 (fault levels, S8, S11).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64, Seconds
from clearing.settlement.service_order.scheme import FaultLevel, Lapse, Scheme
from clearing.settlement.service_order.scorecard import Event
from clearing.terms import Short
from registry.asset import Twin


class Work(StrEnum):
    """计划停机 · 其他有风险的操作: what an announcement is for."""

    OUTAGE = "outage"
    RISKY = "risky"


@dataclass(frozen=True, slots=True)
class Announced:
    """Notice and consent for planned work, each with its document and when it went on record, seconds UTC."""

    work: Work
    notice: Twin
    noticed_at: Seconds
    consent: Twin | None = None
    consented_at: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """Time in [start, end), seconds UTC, in which the service was not there."""

    start: Seconds
    end: Seconds
    document: Twin
    fact: Hex64
    announced: Announced | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as measured, in seconds: `unusable` is how long users were cut off; `degraded` are slower service, lost
    redundancy, faults of interfaces that are not core (C+). `cause` is its root cause's name, the same in all months.
    """

    fact: Hex64
    document: Twin
    cause: Short
    unusable: Lapse
    response: Lapse
    reporting: Lapse
    recovery: Lapse
    handling: Lapse
    degraded: bool = False


def excused(outage: Outage, scheme: Scheme) -> bool:
    """Was this planned work that does not count: announced long enough before, and consented to before it began?"""
    work = outage.announced
    if work is None or work.consent is None or work.consented_at is None:
        return False
    notice = scheme.outage_notice if work.work is Work.OUTAGE else scheme.risky_notice
    return work.noticed_at + notice <= outage.start and work.consented_at < outage.start


def level_of(fault: Fault, scheme: Scheme) -> FaultLevel:
    """The level of a fault: by how long users were cut off, without that C+ or C."""
    if fault.unusable:
        return next(level for level in scheme.levels if level.over is not None and fault.unusable > level.over)
    uncut = [level for level in scheme.levels if level.over is None]
    return uncut[0] if fault.degraded else uncut[1]


def limits_broken(fault: Fault, scheme: Scheme) -> tuple[str, ...]:
    """Which limits of its level a fault broke: response, reporting, recovery, handling; 立即 is no number."""
    level = level_of(fault, scheme)
    limits = {"response": level.response, "reporting": level.reporting, "recovery": level.recovery,
              "handling": level.handling}  # fmt: skip
    return tuple(name for name, most in limits.items() if most is not None and getattr(fault, name) > most)


def fault_events(faults: Sequence[Fault], scheme: Scheme, earlier: Set[str] = frozenset()) -> tuple[Event, ...]:
    """What the faults of a month deduct; `earlier` are the root causes of the months before.

    Raises BadTerms for a recovery shorter than the time users were cut off.
    """
    events, causes = [], set(earlier)
    for place, fault in enumerate(faults):
        if fault.recovery < fault.unusable:
            raise BadTerms(f"faults[{place}].recovery", f"≥ {fault.unusable}", fault.recovery)
        broken = limits_broken(fault, scheme)
        rows = [level_of(fault, scheme).row]
        rows += [scheme.fault_rows.recovery] if "recovery" in broken else []
        rows += [scheme.fault_rows.reporting] if "reporting" in broken else []
        rows += [scheme.fault_rows.recurrence] if fault.cause in causes else []
        causes.add(fault.cause)
        events += [Event(row, fault.document, fault.fact) for row in rows]
    return tuple(events)


def unavailable(outages: Sequence[Outage], scheme: Scheme, start: int, end: int) -> int:
    """Seconds of [start, end) in which the service was not there without excuse; overlaps count once."""
    spans = sorted((max(item.start, start), min(item.end, end)) for item in outages if not excused(item, scheme))
    total, reached = 0, start
    for first, last in spans:
        total += max(0, last - max(first, reached))
        reached = max(reached, last)
    return total


def availability_events(outages: Sequence[Outage], scheme: Scheme, start: int, end: int) -> tuple[Event, ...]:
    """The availability of the month [start, end) as an event of its card; none while nothing unexcused happened.

    Raises BadTerms for an outage that ends before it starts.
    """
    for place, item in enumerate(outages):
        if item.start >= item.end:
            raise BadTerms(f"outages[{place}].end", f"> {item.start}", item.end)
    down = unavailable(outages, scheme, start, end)
    if not down:
        return ()
    first = next(item for item in outages if not excused(item, scheme) and item.start < end and item.end > start)
    row = scheme.fault_rows.availability
    return (Event(row, first.document, first.fact, part=end - start - down, whole=end - start),)
