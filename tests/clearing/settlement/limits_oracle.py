"""What goes into a netting run under caps and limits of pairs, by trying every choice.

Written from domain clearing §8 alone: an obligation goes in whole or waits; nobody ends below minus its cap and no pair
above its limit; as much as possible goes in, and of equal choices the one that has the first obligation, in order of
debtor and creditor, at which they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

Pair = tuple[str, str]


@dataclass(frozen=True)
class Limits:
    """caps (party, fen) and limits of pairs (debtor, creditor, fen) as two persons set them."""

    caps: tuple[tuple[str, int], ...] = ()
    pairs: tuple[tuple[str, str, int], ...] = ()


def broken(owed: Mapping[Pair, int], limits: Limits) -> list[str]:
    """Which of the limits these obligations (fen by debtor and creditor) exceed when all of them go in together."""
    found = []
    for party, cap in limits.caps:
        balance = sum(n for pair, n in owed.items() if pair[1] == party) - sum(
            n for pair, n in owed.items() if pair[0] == party
        )
        if balance < -cap:
            found.append(f"{party} at {balance} with a cap of {cap}")
    for debtor, creditor, most in limits.pairs:
        if owed.get((debtor, creditor), 0) > most:
            found.append(f"{debtor} to {creditor} {owed[debtor, creditor]} with a limit of {most}")
    return found


def chosen(owed: Mapping[Pair, int], limits: Limits) -> set[Pair]:
    """The obligations that go in. What nobody's cap stands against always does, so only the debtors with a cap are
    tried both ways."""
    caps, most = dict(limits.caps), {(debtor, creditor): n for debtor, creditor, n in limits.pairs}
    fit = {pair: amount for pair, amount in owed.items() if amount <= most.get(pair, amount)}
    free = {pair for pair in fit if pair[0] not in caps}
    tried = sorted(fit.keys() - free)
    start = dict(caps)
    for debtor, creditor in free:
        if creditor in start:
            start[creditor] += fit[debtor, creditor]
    best, choice = -1, tuple[bool, ...]()
    for way in product((True, False), repeat=len(tried)):  # the choices with the first obligations come first
        value = sum(fit[pair] for pair, taken in zip(tried, way, strict=True) if taken)
        if value > best and _stands(start, zip(tried, way, strict=True), fit):
            best, choice = value, way
    assert best >= 0, "nothing at all is always allowed"
    return free | {pair for pair, taken in zip(tried, choice, strict=True) if taken}


def _stands(start: dict[str, int], ways: Iterable[tuple[Pair, bool]], fit: Mapping[Pair, int]) -> bool:
    room = dict(start)
    for (debtor, creditor), taken in ways:
        if taken:
            room[debtor] -= fit[debtor, creditor]
            if creditor in room:
                room[creditor] += fit[debtor, creditor]
    return min(room.values(), default=0) >= 0
