"""The formulas of the service level, as pure functions: what was stated in, shares and milliseconds out.

Shares are exact fractions; nothing is rounded here. Times are seconds UTC, windows half-open.
Source: exchange.md §8.2, traps 12, 49, 50.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from clearing.usage.service_level.notice import Outage, QualityCheck, Source, State

HOUR = 3_600
LEAST_CONSUMERS = 3
"""From so many consumers on a number is published as it is (P): below, it would be the count of one of them."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Availability:
    """Of `period` seconds `planned` were agreed to be down and `unplanned` were down besides."""

    period: int = 0
    planned: int = 0
    unplanned: int = 0

    @property
    def share(self) -> Fraction | None:
        """1 − unplanned / (period − planned); None where no service was owed."""
        owed = self.period - self.planned
        return Fraction(owed - self.unplanned, owed) if owed > 0 else None

    def __add__(self, other: Availability) -> Availability:
        return Availability(self.period + other.period, self.planned + other.planned, self.unplanned + other.unplanned)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of `n` answered calls: the time within which half, 95 % and 99 % were answered; None without a call."""

    n: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None
    p99_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """Of `checked` items `passed` did."""

    checked: int = 0
    passed: int = 0

    @property
    def share(self) -> Fraction | None:
        """passed / checked; None where nothing was checked."""
        return Fraction(self.passed, self.checked) if self.checked else None


@dataclass(frozen=True, slots=True)
class Restoring:
    """Mean time from detection to restoration over `n` incidents, in seconds; an open one runs to the period's end."""

    n: int = 0
    mean: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A number as everybody may see it: as it is, or that it is at least so many."""

    n: int | None
    at_least: int


def published(n: int, consumers: int) -> Published:
    """`n` as it is where enough consumers stand behind it, else its order of magnitude."""
    if n == 0 or consumers >= LEAST_CONSUMERS:
        return Published(n, n)
    return Published(None, 10 ** (len(str(n)) - 1))


def cut(spans: Iterable[Span], window: Span) -> list[Span]:
    """The spans inside the window, joined where they touch, in order."""
    inside = sorted((max(a, window[0]), min(b, window[1])) for a, b in spans)
    joined: list[Span] = []
    for a, b in inside:
        if a >= b:
            continue
        if joined and a <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], b))
        else:
            joined.append((a, b))
    return joined


def without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """What of the spans lies in none of the holes; both joined and in order."""
    found: list[Span] = []
    for a, b in spans:
        for c, d in holes:
            if d <= a or c >= b:
                continue
            if a < c:
                found.append((a, c))
            a = max(a, d)
        if a < b:
            found.append((a, b))
    return found


def length(spans: Iterable[Span]) -> int:
    """How many seconds the spans are, which must not overlap."""
    return sum(b - a for a, b in spans)


def is_planned(outage: Outage, agreement: str, notice_hours: int) -> bool:
    """Does the window count as planned for this agreement? Announced early enough, consented to, both before it began,
    and not called off."""
    early = outage.at <= outage.start - notice_hours * HOUR
    consented = any(item.agreement == agreement and item.at < outage.start for item in outage.consents)
    return outage.state is State.PLANNED and early and consented


def counts(outage: Outage) -> bool:
    """Is it an incident that counts? What the seller contests is listed and left out."""
    return outage.state in (State.OPEN, State.RESTORED)


def availability(
    owed: Sequence[Span], window: Span, outages: Iterable[Outage], agreement: str, notice_hours: int
) -> Availability:
    """Availability of one agreement, in force in the times `owed`. An open incident runs to the window's end."""
    outages = tuple(outages)
    period = cut(owed, window)
    windows = [(item.start, item.end or item.start) for item in outages if is_planned(item, agreement, notice_hours)]
    down = [(item.start, window[1] if item.end is None else item.end) for item in outages if counts(item)]
    planned = [span for part in period for span in cut(windows, part)]
    lost = [span for part in period for span in cut(down, part)]
    return Availability(length(period), length(planned), length(without(lost, planned)))


def latency(milliseconds: Iterable[int]) -> Latency:
    """The nearest-rank percentiles: the least time within which at least that share of the calls was answered."""
    ordered = sorted(milliseconds)
    if not ordered:
        return Latency()
    p50, p95, p99 = (ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 95, 99))
    return Latency(len(ordered), p50, p95, p99)


def rate(checks: Iterable[QualityCheck], source: Source | None = None) -> Rate:
    """Passed and checked items of these checks, or of one source among them."""
    own = [check for check in checks if source is None or check.source is source]
    return Rate(sum(check.checked for check in own), sum(check.passed for check in own))


def restoring(outages: Iterable[Outage], window: Span) -> Restoring:
    """Mean time to restore of the incidents that count and were detected in the window."""
    times = [
        (window[1] if item.end is None else item.end) - item.detected_at
        for item in outages
        if counts(item) and item.detected_at is not None and window[0] <= item.detected_at < window[1]
    ]
    return Restoring(len(times), Fraction(sum(max(0, taken) for taken in times), len(times))) if times else Restoring()
