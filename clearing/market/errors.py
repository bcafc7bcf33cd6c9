"""What can go wrong on the market, as members of the clearing family.

ClearingError
  GateRefused         a gate of exchange.md §8.4 does not let the listing or agreement pass
  NotEntitled         whoever signed may not take this step
  Defective           a listing with the list of everything the pre-check found
  Lapsed              an offer, quote or request whose time is over
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from clearing.errors import ClearingError


class GateRefused(ClearingError):
    """A gate is closed: `gate` is its number (G1 …), with what it expects and what it found."""

    def __init__(self, gate: str, field: str, expected: str, given: object) -> None:
        self.gate, self.field, self.expected, self.given = gate, field, expected, given
        super().__init__(f"准入条件 {gate} 不满足 gate {gate} refused: {field}: expected {expected}, given {given!r}")


class NotEntitled(ClearingError):
    """The signer may not take this step: another role, another party, or the same person twice."""

    def __init__(self, step: str, expected: str, given: str) -> None:
        self.step, self.expected, self.given = step, expected, given
        super().__init__(f"无权办理 {step} not entitled: expected {expected}, given {given}")


class Listed(Protocol):
    """What a defect says of itself."""

    @property
    def code(self) -> str:
        """Its code in the table of the pre-check."""

    @property
    def field(self) -> str:
        """The field it is about."""

    @property
    def zh(self) -> str:
        """What is wrong and what was expected, in Chinese."""

    @property
    def en(self) -> str:
        """The same in English."""


class Defective(ClearingError):
    """The pre-check found defects: all of them at once, each with its code, field and both languages."""

    def __init__(self, subject: str, defects: Sequence[Listed]) -> None:
        self.defects = tuple(defects)
        found = "；".join(f"{item.code} {item.field}：{item.zh}" for item in self.defects)
        english = "; ".join(f"{item.code} {item.field}: {item.en}" for item in self.defects)
        super().__init__(f"预检不通过，共 {len(self.defects)} 项：{found} / pre-check of {subject}: {english}")


class Lapsed(ClearingError):
    """A proposal's last second has passed: it can never be taken up any more. Times are seconds UTC."""

    def __init__(self, field: str, until: int, given: int) -> None:
        self.field, self.until, self.given = field, until, given
        self.expected = f"≤ {until}"
        super().__init__(f"报价或要约已失效 lapsed: {field}: expected a time ≤ {until}, given {given}")
