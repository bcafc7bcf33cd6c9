"""冻结: which part of whose claim waits while a charge is disputed, and nothing else does.

What is frozen is what a credit of the disputed amount would take from each payee, as far as it is still owed: a claim
already netted is settled, and what is decided later is given back in a later cycle. Source: domain clearing §7, §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldPart:
    """`amount` fen > 0 of what a payee is owed."""

    party: str
    amount: int


@dataclass(frozen=True, slots=True)
class Hold:
    """The body of a dispute-hold fact, and of its release: frozen under the dispute with this 32-hex id."""

    dispute: str
    charge: str
    agreement: str
    period: str
    buyer: str
    parts: tuple[HeldPart, ...]


def parts_of(taken: Mapping[str, int], owed: Mapping[str, int]) -> tuple[HeldPart, ...]:
    """What is frozen of each payee's claim: `taken` is what a credit would take, `owed` what is still owed, fen."""
    amounts = {party: min(amount, owed.get(party, 0)) for party, amount in taken.items()}
    return tuple(HeldPart(party, amounts[party]) for party in sorted(amounts) if amounts[party] > 0)
