"""From what happened to a score, exactly: a card and its events give the points of each class and the total.

    score = min(100, max(0, Σ_class max(0, weight − lost) − Σ deductions from the total + Σ min(cap, bonus)))

Nothing is rounded. An event names the deciding body's document, or it is none; one that rests on liability names the
document of the authority that found it. Source: domain clearing §5 (4.3.1, 4.3.2; S7, S8, S9, S11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.market.agreement import Hex64, Seconds
from clearing.settlement.service_order.card import FULL, ONCE, Card, Code, Effect, Figure, Measure, Row, ScoreClass
from clearing.settlement.service_order.scheme import Weeks
from clearing.terms import DAY
from registry.asset import Twin

WEEK = 7 * DAY
Count = Annotated[int, Meta(ge=1, le=10_000)]
Amount = Annotated[int, Meta(ge=0, le=2**53 - 1)]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a card counts, under `row`. `fact` is the id of what happened, the same on every card (S9).

    `document` is the deciding body's, `authority` the one that attributes liability. `due_at` and `done_at` (seconds
    UTC) measure delay from the last plan both sides confirmed; `part` of `whole` is a share; `points` is what the
    document states, or a surveyed score.
    """

    row: Code
    document: Twin
    fact: Hex64
    count: Count = 1
    due_at: Seconds | None = None
    done_at: Seconds | None = None
    part: Amount | None = None
    whole: Amount | None = None
    points: Figure | None = None
    authority: Twin | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What one event did: exact `points` as `n` or `n/d`, "" where it leaves nothing of its class."""

    row: str
    fact: str
    effect: str
    points: str


@dataclass(frozen=True, slots=True)
class ClassPoints:
    """What is left of a class: exact, never below 0."""

    code: str
    weight: int
    points: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A score with its reckoning; all exact fractions as `n` or `n/d`."""

    score: str
    classes: tuple[ClassPoints, ...]
    off_total: str
    bonus: str
    lines: tuple[Line, ...]


def score(
    card: Card, events: Sequence[Event], weeks: Weeks = Weeks.COMPLETED, steps: Weeks = Weeks.COMPLETED,
    field: str = "events",
) -> Scored:  # fmt: skip
    """The score of a card, in [0, 100]. Raises BadTerms for an event that does not fit its row, the same fact twice
    under one row, liability without an authority's document, and a missing rate or survey."""
    rows = {row.code: (item, row) for item in card.classes for row in item.rows}
    for place, event in enumerate(events):
        found = rows.get(event.row)
        if found is None:
            raise BadTerms(f"{field}[{place}].row", f"{card.name} 中的行 / a row of the card", event.row)
        _check(event, found[1], f"{field}[{place}]")
    _check_together(card, events, field)
    lines, classes = [], []
    off_total = bonus = left = Fraction(0)
    for item in card.classes:
        lost, forfeited = Fraction(0), False
        for row in item.rows:
            given = [event for event in events if event.row == row.code]
            if row.measure in (Measure.COMPLAINTS, Measure.FORFEIT):
                nothing = row.measure is Measure.FORFEIT or sum(event.count for event in given) > 1
                forfeited |= bool(given) and nothing
                lost += 0 if nothing else Fraction(row.points) * len(given)
                lines += [
                    Line(row.code, event.fact, row.effect.value, "" if nothing else row.points) for event in given
                ]
                continue
            counted = [_POINTS[row.measure](event, row, weeks, steps) for event in given]
            lines += [
                Line(row.code, event.fact, row.effect.value, str(one))
                for event, one in zip(given, counted, strict=True)
            ]
            total = sum(counted, Fraction(0))
            if row.effect is Effect.CLASS:
                lost += total
            elif row.effect is Effect.TOTAL:
                off_total += total
            else:
                bonus += min(Fraction(row.cap or 0), total)
        points = Fraction(0) if forfeited else max(Fraction(0), item.weight - lost)
        classes.append(ClassPoints(item.code, item.weight, str(points)))
        left += points
    total = min(Fraction(FULL), max(Fraction(0), left - off_total + bonus))
    return Scored(str(total), tuple(classes), str(off_total), str(bonus), tuple(lines))


def whole_steps(share: Fraction, step: Fraction, weeks: Weeks) -> int:
    """How many steps fit into a share ≥ 0: whole ones, or also the one begun (S8)."""
    steps = share / step
    return steps.__floor__() if weeks is Weeks.COMPLETED else steps.__ceil__()


def _each(event: Event, row: Row, weeks: Weeks, _: Weeks) -> Fraction:
    points = Fraction(row.points)
    if event.due_at is not None and event.done_at is not None:
        late = whole_steps(Fraction(event.done_at - event.due_at), Fraction(WEEK), weeks)
        points += Fraction(row.per_week) * max(0, late - row.grace_weeks)
    return points * event.count


def _steps(event: Event, row: Row, _: Weeks, steps: Weeks) -> Fraction:
    return Fraction(row.points) * whole_steps(_share(event), Fraction(row.step or 1), steps)


def _shortfall(event: Event, row: Row, _: Weeks, steps: Weeks) -> Fraction:
    below = max(Fraction(0), Fraction(row.target or 0) - _share(event))
    return Fraction(row.points) * whole_steps(below, Fraction(row.step or 1), steps)


def _stated(event: Event, row: Row, _: Weeks, __: Weeks) -> Fraction:
    return Fraction(event.points or 0)


def _rate(event: Event, row: Row, _: Weeks, __: Weeks) -> Fraction:
    share = _share(event)
    kept = share if share >= Fraction(row.target or 0) else Fraction(0)
    return Fraction(row.points) * (1 - kept)


def _survey(event: Event, row: Row, _: Weeks, __: Weeks) -> Fraction:
    surveyed = Fraction(event.points or 0)
    return next(Fraction(band.points) for band in reversed(row.bands) if Fraction(band.start) <= surveyed)


_POINTS: dict[Measure, Callable[[Event, Row, Weeks, Weeks], Fraction]] = {
    Measure.EVENT: _each,
    Measure.STEPS: _steps,
    Measure.SHORTFALL: _shortfall,
    Measure.STATED: _stated,
    Measure.RATE: _rate,
    Measure.SURVEY: _survey,
}
_SHARES = frozenset({Measure.STEPS, Measure.SHORTFALL, Measure.RATE})
_COUNTED = frozenset({Measure.EVENT, Measure.COMPLAINTS})
_PAIRS = (("due_at", "done_at"), ("part", "whole"), ("points",))


def _share(event: Event) -> Fraction:
    return Fraction(event.part or 0, event.whole or 1)


def _check(event: Event, row: Row, field: str) -> None:
    weekly = row.per_week != "0"
    wanted = (weekly, row.measure in _SHARES, row.measure in (Measure.STATED, Measure.SURVEY))
    for names, needed in zip(_PAIRS, wanted, strict=True):
        for name in names:
            given = getattr(event, name)
            expected = f"{row.code} {row.name}: {'必填 / given' if needed else '不填 / absent'}"
            _require((given is not None) == needed, f"{field}.{name}", expected, given)
    _require(event.count == 1 or row.measure in _COUNTED, f"{field}.count", "1", event.count)
    if event.due_at is not None and event.done_at is not None:
        _require(event.done_at > event.due_at, f"{field}.done_at", f"> {event.due_at} (逾期 / late)", event.done_at)
    if event.part is not None and event.whole is not None:
        _require(event.whole > 0, f"{field}.whole", "> 0", event.whole)
        _require(event.part <= event.whole, f"{field}.part", f"≤ {event.whole}", event.part)
    if event.points is not None:
        least, most = ("0", str(FULL)) if row.measure is Measure.SURVEY else (row.points, row.most or row.points)
        within = Fraction(least) <= Fraction(event.points) <= Fraction(most)
        _require(within, f"{field}.points", f"{least} … {most}", event.points)
    if row.liable:
        expected = f"{row.name}：认定责任的文件 / the document that attributes liability"
        _require(event.authority is not None, f"{field}.authority", expected, event.authority)


def _check_together(card: Card, events: Sequence[Event], field: str) -> None:
    for place, event in enumerate(events):
        first = next(n for n, other in enumerate(events) if (other.row, other.fact) == (event.row, event.fact))
        _require(first == place, f"{field}[{place}].fact", "同一事实在一行中一次 / a fact once in a row", event.fact)
    counts = Counter(event.row for event in events)
    deducted = {(row.code, event.fact) for item, row, event in _placed(card, events) if row.effect is not Effect.BONUS}
    for item in card.classes:
        for row in item.rows:
            if row.measure in ONCE:
                _require(counts[row.code] == 1, field, f"{row.code} {row.name} 一次 / exactly once", counts[row.code])
            if row.measure is Measure.SHORTFALL:
                _require(
                    counts[row.code] <= 1, field, f"{row.code} {row.name} 至多一次 / at most once", counts[row.code]
                )
            if row.elsewhere:
                own = {fact for code, fact in deducted if code == row.code}
                twice = own & {fact for code, fact in deducted if code != row.code}
                _require(not twice, field, f"{row.code}：他处未扣分 / not deducted elsewhere", sorted(twice))


def _placed(card: Card, events: Sequence[Event]) -> list[tuple[ScoreClass, Row, Event]]:
    rows = {row.code: (item, row) for item in card.classes for row in item.rows}
    return [(*rows[event.row], event) for event in events]


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
