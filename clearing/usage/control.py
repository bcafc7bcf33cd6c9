"""Use control 使用控制: one decision for platform and connector, live counters, and the alarms they raise.

Counters and alarms warn; they never replace the meter reading (clearing.md §2.10). The connector keeps its counters by
`Meter`; the platform derives its own from admitted records. Source: exchange.md §5.7, §5.8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clearing.market.policy import Action, Counters, Decision, Outcome, Policy, Request, evaluate, limit_of, windows_of


class Alarm(StrEnum):
    """将近上限 · 超次 · 被拒绝的使用."""

    NEAR_LIMIT = "NEAR_LIMIT"
    OVER_LIMIT = "OVER_LIMIT"
    REFUSED_USE = "REFUSED_USE"


@dataclass(frozen=True, slots=True)
class LiveCounter:
    """Units used so far under an agreement, its limit (None: no limit) and how many uses were refused."""

    agreement: str
    unit: str
    used: int
    limit: int | None
    refused: int


class Meter:
    """Counts the units of one agreement as they are decided, so that calls at the same time cannot pass a limit.

    `take` decides and reserves in one step; `give_back` returns a reservation whose use did not take place.
    """

    __slots__ = ("_policy", "_recent", "_windows", "total")

    def __init__(self, policy: Policy, total: int = 0, recent: Sequence[tuple[int, int]] = ()) -> None:
        """`total` units were used before; `recent` are (second, units) of uses within the longest rate window."""
        self._policy = policy
        self._windows = windows_of(policy)
        self._recent = deque(recent)
        self.total = total

    def take(self, request: Request, now: int) -> tuple[Outcome, int]:
        """The outcome and the count before it; an allowed use is counted at once. `now` in seconds UTC."""
        before = self.total
        outcome = evaluate(self._policy, request, Counters(before, self._used_within(now)), now)
        if outcome.decision is not Decision.DENY:
            self.total += request.quantity
            if self._windows:
                self._recent.append((now, request.quantity))
        return outcome, before

    def take_most(self, request: Request, now: int) -> tuple[Outcome, int, int]:
        """As `take`, for as many of the request's units as are allowed; answers their number too, 0 with the outcome of
        a single unit. What is allowed for some units is taken to be allowed for fewer."""
        allowed, refused = 0, request.quantity + 1
        tried = request.quantity
        while refused - allowed > 1:
            outcome = evaluate(
                self._policy, replace(request, quantity=tried), Counters(self.total, self._used_within(now)), now
            )
            if outcome.decision is Decision.DENY:
                refused = tried
            else:
                allowed = tried
            tried = (allowed + refused) // 2
        return *self.take(replace(request, quantity=allowed or 1), now), allowed

    def give_back(self, quantity: int, at: int) -> None:
        """The use reserved at `at` did not take place."""
        self.total -= quantity
        if (at, quantity) in self._recent:
            self._recent.remove((at, quantity))

    def adopt(self, policy: Policy) -> None:
        """Goes on counting under the policy of a new revision."""
        self._policy, self._windows = policy, windows_of(policy)

    def _used_within(self, now: int) -> dict[int, int]:
        if not self._windows:
            return {}
        while self._recent and self._recent[0][0] <= now - self._windows[-1]:
            self._recent.popleft()
        return {
            window: sum(units for second, units in self._recent if second > now - window) for window in self._windows
        }


def live_counter(agreement: str, unit: str, policy: Policy, used: int, refused: int) -> LiveCounter:
    """The counter of an agreement against the limit its policy sets for reading."""
    return LiveCounter(agreement, unit, used, limit_of(policy, Action.READ), refused)


def alarms(counter: LiveCounter, near_percent: int = 80) -> tuple[Alarm, ...]:
    """What the counter calls for: near (from `near_percent` of the limit) or over the limit, refused uses."""
    found = []
    if counter.limit is not None:
        if counter.used > counter.limit:
            found.append(Alarm.OVER_LIMIT)
        elif counter.used * 100 >= counter.limit * near_percent:
            found.append(Alarm.NEAR_LIMIT)
    if counter.refused:
        found.append(Alarm.REFUSED_USE)
    return tuple(found)
