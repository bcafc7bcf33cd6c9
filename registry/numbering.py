"""How far the 9,999 codes of a region, agency digit and month have been used (annex 6; registration.md 5.1).

The counter itself is taken one by one inside the transaction that enters a certificate (`registry.store.take_serial`):
a number whose transaction is rolled back was never seen by anybody and is given to the next one, so the numbers of a
month that are in the register are 1, 2, 3 … without a gap. Where the national system assigns the code, its numbers are
its own and the counter only stays above them.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.code import LAST_SERIAL

ALERT_PERCENT = 80
"""From this share of the month's codes on a person is told (P)."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """The codes of one region, agency digit and month ("202611"): `last` is the last serial taken, 0 for none."""

    region: str
    digit: str
    month: str
    last: int

    @property
    def left(self) -> int:
        """How many codes the month still has."""
        return LAST_SERIAL - self.last

    @property
    def alarming(self) -> bool:
        """Is so much of the month used that a person must know?"""
        return self.last * 100 >= LAST_SERIAL * ALERT_PERCENT

    def __str__(self) -> str:
        return (
            f"{self.month} 月地区 {self.region} 机构 {self.digit} 已用编码 {self.last}/{LAST_SERIAL}"
            f" / codes used this month"
        )
