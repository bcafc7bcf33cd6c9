"""A contract of service orders in plain numbers: what each 项目周期 must come to, by the naive formulas alone.

Source: domain clearing §5, §7, S1, S4, S5; invariants 21–26. Nothing here imports the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from tests.clearing.settlement.service_order import naive

Key = tuple[str, str, str, str]


@dataclass
class Placed:
    """A 服务单 of one item: its exact price a unit, and what was said about it since."""

    name: str
    price: Fraction
    ordered: int
    accepted: int | None = None
    score: Fraction | None = None
    again: Fraction | None = None
    zeroed: bool = False
    settled: str = ""

    @property
    def coefficient(self) -> Fraction | None:
        """None while it is held."""
        return naive.coefficient(self.score, self.again, self.zeroed) if self.accepted is not None else None


@dataclass
class Month:
    """A month with its score; `waived` when the buyer forwent its damages before the acceptance."""

    score: Fraction
    waived: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a 项目周期 comes to, fen."""

    earned: int
    damages: int
    settlement: int
    netted: int
    carry_in: int
    pay: int
    unused: int
    open: int
    claimed: int
    forgiven: int


@dataclass
class Orders:
    """One contract. `cycles` are those settled: name, what it left, (put in, spent) by fee."""

    name: str
    buyer: str
    provider: str
    supervisor: str
    award: int
    negative: str
    both: bool
    since: str
    placed: dict[str, Placed] = field(default_factory=dict)
    months: dict[str, Month] = field(default_factory=dict)
    incidents: list[tuple[str, int]] = field(default_factory=list)
    counted: int = 0
    running: tuple[str, str] | None = None
    cycles: list[tuple[str, dict[str, int], dict[str, tuple[int, int]]]] = field(default_factory=list)
    bounds: list[tuple[str, str]] = field(default_factory=list)
    owed: int = 0
    """What the last settled 项目周期 pays and no invoice was sent for."""
    outcome: Outcome | None = None

    def accepted(self, month: str) -> bool:
        """Is the month in a 项目周期 that was accepted?"""
        return any(first <= month <= last for first, last in self.bounds)

    def settle(self, first: int, second: int) -> Outcome:
        """What the running 项目周期 comes to when these advances were paid in it."""
        assert self.running is not None
        start, end = self.running
        done = [o for o in self.placed.values() if not o.settled and o.coefficient is not None]
        fees = sum(((o.coefficient or 0) * o.price * (o.accepted or 0) for o in done), Fraction(0))
        earned = naive.half_up(fees * Fraction(90, 100))
        damages = sum(naive.month_fen(m.score) for name, m in self.months.items()
                      if start <= name <= end and not m.waived)  # fmt: skip
        damages += sum(naive.INCIDENT_FEN[row] for _, row in self.incidents[self.counted :])
        before = self.cycles[-1][1] if self.cycles else {"unused": 0, "open": 0}
        netted = first + (second if self.both else 0)
        settlement = earned - damages
        left = naive.left_over(settlement, netted + before["unused"], before["open"], self.negative)
        forgiven = -settlement if settlement < 0 and self.negative == "zero" else 0
        carry_in = before["unused"] + before["open"]
        return Outcome(
            earned, damages, settlement, netted, carry_in, left["pay"], left["unused"], left["open"], left["claimed"],
            forgiven,
        )  # fmt: skip

    def settled(self, outcome: Outcome, fees: dict[str, tuple[int, int]]) -> None:
        """The running 项目周期 is over with this outcome."""
        assert self.running is not None
        for order in self.placed.values():
            if order.coefficient is not None and not order.settled:
                order.settled = self.running[0]
        left = {"pay": outcome.pay, "unused": outcome.unused, "open": outcome.open, "claimed": outcome.claimed}
        self.cycles.append((self.running[0], left, fees))
        self.counted = len(self.incidents)
        self.owed, self.outcome = outcome.pay, outcome
        self.running = None

    def book(self) -> dict[Key, int]:
        """(kind, party, agreement, period) → fen of every account of the contract that is not 0."""
        found = naive.book(self.name, self.buyer, self.provider, self.cycles)
        return {(*account.split(":"),): amount for account, amount in found.items()}  # type: ignore[misc]
