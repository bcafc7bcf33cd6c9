"""One settlement cycle of one operator, period and currency: its states, in order, each entered once.

Later facts go to the next open period. Clocks are working days; the calendar is passed in as a function, because no
calendar for a year means refuse, not guess. Source: domain clearing §9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from clearing.errors import TooEarly, WrongMove
from clearing.terms import CURRENCY, Period

WorkingDays = Callable[[int, int], int]
"""(instant, n) → the instant at which n working days have passed; seconds UTC."""


class State(StrEnum):
    """开放 截止 已计费 已出账 已确认 已轧差 已指令 已备付 已结算 已关账."""

    OPEN = "open"
    CUT_OFF = "cut_off"
    RATED = "rated"
    ISSUED = "statements_issued"
    CONFIRMED = "confirmed"
    NETTED = "netted"
    INSTRUCTED = "instructed"
    FUNDED = "funded"
    SETTLED = "settled"
    CLOSED = "closed"


ORDER = tuple(State)

CLOCKS = {
    State.CUT_OFF: 1,
    State.RATED: 1,
    State.ISSUED: 5,
    State.CONFIRMED: 1,
    State.NETTED: 1,
    State.INSTRUCTED: 3,
    State.FUNDED: 1,
    State.SETTLED: 2,
    State.CLOSED: 0,
}
"""Working days a state may last before it is overdue: the clock of §9 of what comes next."""


@dataclass(frozen=True, slots=True)
class CycleMove:
    """The body of a cycle-state fact: the cycle has entered `state`.

    `start`, `end`, `until` are seconds UTC; `until` is when the state's clock runs out. `high_water` is the cut-off as
    the number of log entries it covers, absent while open; `posted` is how many transactions the journal had when it
    was rated, absent before: it tells what came first in that second.
    """

    cycle: str
    operator: str
    period: str
    start: int
    end: int
    currency: str
    state: State
    until: int
    high_water: int | None = None
    posted: int | None = None

    @property
    def window(self) -> Period:
        """The period as a value."""
        return Period(self.period, self.start, self.end)


def cycle_id(operator: str, period: str, currency: str = CURRENCY) -> str:
    """The name of a cycle: operator, period and currency."""
    return f"{operator}.{period}.{currency}"


def opened(operator: str, period: Period, grace: int) -> CycleMove:
    """A new cycle. Its clock runs until cut-off, period end + grace seconds."""
    name = cycle_id(operator, period.name)
    return CycleMove(name, operator, period.name, period.start, period.end, CURRENCY, State.OPEN, period.end + grace)


def renewed(now: CycleMove, at: int, working_days: WorkingDays) -> CycleMove:
    """The cycle in the state it is in, its clock begun anew: instructions that replace those nobody funded."""
    return replace(now, until=working_days(at, CLOCKS[now.state]))


def advanced(
    now: CycleMove, to: State, at: int, working_days: WorkingDays, *, high_water: int | None = None,
    posted: int | None = None,
) -> CycleMove:  # fmt: skip
    """The cycle in its next state. Raises WrongMove unless `to` follows the present state, TooEarly before cut-off.

    `high_water` must be given for the cut-off and for nothing else; `posted` is kept from the rating on.
    """
    if ORDER.index(to) != ORDER.index(now.state) + 1:
        raise WrongMove(now.cycle, str(ORDER[ORDER.index(to) - 1]), str(now.state))
    if to is State.CUT_OFF and at < now.until:
        raise TooEarly(now.cycle, now.until, at)
    if (high_water is not None) != (to is State.CUT_OFF):
        raise WrongMove(now.cycle, "a high-water mark at cut-off only", str(to))
    mark = high_water if to is State.CUT_OFF else now.high_water
    length = posted if to is State.RATED else now.posted
    return replace(now, state=to, until=working_days(at, CLOCKS[to]), high_water=mark, posted=length)
