"""What is due on a case, when, and whose turn it is: computed from the case with today's calendar, never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from registry.case import Case, Role, State, World, acceptance_ends, completion_due, publicity_ends
from registry.errors import CalendarPending
from registry.objection import Raised, investigation_ends

STEPS: dict[State, int] = {
    State.DRAFT: 0,
    State.SUBMITTED: 1,
    State.CORRECTION: 1,
    State.UNDER_REVIEW: 2,
    State.SUPPLEMENT: 2,
    State.PUBLICITY: 3,
    State.OBJECTION: 4,
    State.READY: 5,
    State.DEPOSITING: 5,
    State.REGISTERED: 6,
    State.ISSUED: 7,
}
"""Which of the seven steps (art. 14) a case is in, counted from 0; 7 is past the last. An ended case has none."""
TURN: dict[State, tuple[Role, ...]] = {
    State.SUBMITTED: (Role.INTAKE,),
    State.CORRECTION: (Role.APPLICANT,),
    State.UNDER_REVIEW: (Role.REVIEWER, Role.APPROVER),
    State.SUPPLEMENT: (Role.APPLICANT, Role.REVIEWER),
    State.PUBLICITY: (Role.SYSTEM,),
    State.OBJECTION: (Role.REVIEWER, Role.APPROVER),
    State.READY: (Role.DEPOSIT_OFFICER,),
    State.DEPOSITING: (Role.SYSTEM,),
    State.REGISTERED: (Role.SYSTEM,),
}


@dataclass(frozen=True, slots=True)
class Due:
    """One clock of a case: `ends` is an exclusive instant, `None` while it pauses or cannot be computed (`why`)."""

    clock: str
    zh: str
    ends: int | None
    why: str = ""

    def left(self, now: int) -> str:
        """The time left in words, "已超期" when it has ended."""
        if self.ends is None:
            return self.why
        if now >= self.ends:
            return "已超期"
        days, rest = divmod(self.ends - now, 86_400)
        return f"剩 {days} 天 {rest // 3600} 小时" if days else f"剩 {rest // 3600} 小时 {rest % 3600 // 60} 分"


def dues(case: Case, world: World) -> list[Due]:
    """The clocks that run or pause on this case, the nearest first."""
    found = list(_dues(case, world))
    return sorted(found, key=lambda due: (due.ends is None, due.ends or 0, due.clock))


def _dues(case: Case, world: World) -> Iterator[Due]:
    if case.state is State.SUBMITTED:
        yield _due("C01", "受理告知期限", lambda: acceptance_ends(case, world))
    if case.state is State.CORRECTION and case.deadline is not None:
        yield Due("C02", "补正期限", case.deadline)
    if case.state is State.SUPPLEMENT and case.deadline is not None:
        yield Due("C05", "补充材料期限", case.deadline)
    if case.released_at is not None and case.state in (State.PUBLICITY, State.OBJECTION):
        yield _due("C06", "公示期", lambda: publicity_ends(case, world))
    for raised in case.objections:
        if raised.outcome is None:
            yield _due("C07", f"异议 {raised.id[:8]} 调查期限", partial(_c07, raised, world))
    if case.accepted_on and case.state in STEPS and case.state is not State.ISSUED:
        yield _due("C03", "办结期限", lambda: completion_due(case, world))


def _c07(raised: Raised, world: World) -> int:
    return investigation_ends(raised, world.scheme, world.calendar)


def _due(clock: str, zh: str, ends: Callable[[], int | None]) -> Due:
    try:
        at = ends()
    except CalendarPending as pending:
        return Due(clock, zh, None, str(pending).partition(" / ")[0])
    return Due(clock, zh, at, "" if at is not None else "暂停计时")
