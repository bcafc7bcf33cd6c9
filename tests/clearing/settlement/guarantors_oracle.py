"""Who stands for whom, what guarantors are asked for, and what is owed to them for what they paid.

Written from domain clearing §8 alone: one guarantor a party; what stood when a cycle was netted stands for it; a
guarantor is asked for what is missing, up to where the party owes it the most that was agreed; what it paid is owed to
it apart from every statement, until it says that it got it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Guarantee:
    """`guarantor` stands for `party` in cycles netted on the days from `first` to `last`, while it is owed less than
    `most` fen in all."""

    guarantor: str
    party: str
    most: int
    first: str
    last: str

    def stands(self, day: str) -> bool:
        return self.most > 0 and self.first <= day <= self.last

    def lasts(self, day: str) -> bool:
        """Does it keep other guarantors away on this day? Also before its first day it does."""
        return self.most > 0 and day <= self.last


class Guarantors:
    """What was agreed last for each party, and `owed`: fen by (guarantor, party, period)."""

    def __init__(self) -> None:
        self.agreed: dict[str, Guarantee] = {}
        self.owed: defaultdict[tuple[str, str, str], int] = defaultdict(int)

    def stood(self, day: str) -> dict[str, Guarantee]:
        """What stands by party for a cycle that is netted on this day."""
        return {party: one for party, one in self.agreed.items() if one.stands(day)}

    def asked(self, short: Mapping[str, int], stood: Mapping[str, Guarantee]) -> dict[str, int]:
        """Fen that the guarantor of each party is asked for, of those that did not bring so much."""
        found = {}
        for party, missing in short.items():
            if party in stood:
                room = stood[party].most - self.owes(party, stood[party].guarantor)
                if min(missing, room) > 0:
                    found[party] = min(missing, room)
        return found

    def owes(self, party: str, guarantor: str) -> int:
        """What a party owes its guarantor over every cycle."""
        return sum(n for (to, by, _), n in self.owed.items() if (to, by) == (guarantor, party))

    @property
    def total(self) -> int:
        return sum(self.owed.values())

    def pay(self, guarantor: str, party: str, period: str, amount: int) -> None:
        """A guarantor has paid for its party in the cycle of a period; below 0, it got so much back."""
        self.owed[guarantor, party, period] += amount
        assert self.owed[guarantor, party, period] >= 0

    def book(self) -> dict[Key, int]:
        """The accounts of it that are not 0."""
        found: dict[Key, int] = {}
        for (guarantor, party, period), amount in self.owed.items():
            if amount:
                found["RCV", party, f"recourse/{guarantor}", period] = amount
                found["PAY", guarantor, f"recourse/{party}", period] = -amount
        return found
