"""The work list for people: each line of `registry.worklist` with its clock's name, its last day and its badge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from api.bootstrap import MATTERS, System
from api.office import words
from api.sessions import Visitor
from registry import waiting
from registry.calendar import day_of
from registry.clocks import Running
from registry.scheme import Scheme, scheme_of
from registry.worklist import Level, Line

LEVELS: Mapping[Level, tuple[str, str, str]] = {
    Level.OVERDUE: ("已超期", "overdue", "bad"),
    Level.TODAY: ("今日届满", "today", "bad"),
    Level.SOON: ("两个工作日内", "within 2 working days", "warn"),
    Level.LATER: ("期限内", "in time", "plain"),
    Level.PENDING: ("日历未公布", "calendar not published", "plain"),
    Level.PAUSED: ("暂停或无期限", "paused or no clock", "plain"),
}
"""What a level is called in both languages, and the colour of its badge."""
PLACES: Mapping[str, str] = {
    "application": "/office/cases/",
    "register-objection": "/office/register-objections/",
    "certificate": "/office/certificates/",
    "remark": "/office/remarks/",
    "demand": "/demands/mine/",
    "negotiation": "/office/deals/",
}
"""Where the page of a subject is, by its kind."""


@dataclass(frozen=True, slots=True)
class Task:
    """One line as it is shown: `href` its page ("" if it has none), `due` the last day or why there is none."""

    line: Line
    href: str
    clock: str
    due: str
    left: str
    badge: str
    colour: str
    role: str


@dataclass(frozen=True, slots=True)
class Work:
    """A work list: the lines, least time left first, and how many there are of each level that occurs."""

    tasks: tuple[Task, ...]
    counts: tuple[tuple[str, str, str, int], ...]
    calendar: str


def work_of(session: Session, system: System, visitor: Visitor, now: int) -> Work:
    """What waits for this person now; of a party its own matters."""
    found = waiting.worklist(
        session, system.house, visitor.holder, at=now, calendar=system.calendar, sources=MATTERS
    )  # fmt: skip
    scheme = scheme_of(system.house.scheme, day_of(now).isoformat())
    counts = tuple((*LEVELS[level], number) for level, number in found.counts.items() if number)
    return Work(tuple(task_of(line, scheme) for line in found.lines), counts, found.calendar)


def task_of(line: Line, scheme: Scheme) -> Task:
    """A line in words."""
    kind, _, identity = line.subject.partition(":")
    badge, _, colour = LEVELS[line.level]
    known = {code: clock.name for code, clock in scheme.clocks.items()}
    return Task(
        line,
        f"{PLACES[kind]}{identity}" if kind in PLACES else "",
        f"{line.clock} {known[line.clock]}" if line.clock in known else line.clock,
        _due(line),
        _left(line),
        badge,
        colour,
        words.ROLES.get(line.role, line.role),
    )


def _due(line: Line) -> str:
    if line.running is Running.RUNNING:
        return line.last
    return {Running.PAUSED: "暂停", Running.PENDING: f"{line.year or ''}年日历未公布"}.get(line.running, "–")


def _left(line: Line) -> str:
    if line.level in (Level.SOON, Level.LATER) and line.left is not None:
        return f"剩 {line.left} 个工作日"
    return ""
