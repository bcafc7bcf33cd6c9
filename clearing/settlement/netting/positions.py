"""Obligations become one position per party: what it is owed less what it owes.

`Columns` holds the same obligations as integer arrays, so a million of them are summed in a second; `positions_of` and
`bilateral` are the plain definition, which the columns must equal to the last fen. Source: domain clearing §8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement.statement import Obligation
from clearing.terms import MAX_FEN

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Position:
    """净头寸 of one party: `incoming` − `outgoing` = `net`, fen; `count` obligations it is part of."""

    party: str
    incoming: int
    outgoing: int
    count: int
    net: int


def check_obligation(item: Obligation) -> None:
    """Two different parties and 1 to 10^15 − 1 fen. Raises BadTerms or BadMoney."""
    money.fen(item.amount, "obligation.amount")
    if item.debtor == item.creditor or item.amount <= 0:
        raise BadTerms("obligation", "two parties and an amount > 0", (item.debtor, item.creditor, item.amount))


def positions_of(obligations: Iterable[Obligation]) -> tuple[Position, ...]:
    """One position per party named, sorted by party. Sums to 0. Raises BadTerms or BadMoney for a bad obligation."""
    incoming: dict[str, int] = {}
    outgoing: dict[str, int] = {}
    count: dict[str, int] = {}
    for item in obligations:
        check_obligation(item)
        outgoing[item.debtor] = outgoing.get(item.debtor, 0) + item.amount
        incoming[item.creditor] = incoming.get(item.creditor, 0) + item.amount
        for party in (item.debtor, item.creditor):
            count[party] = count.get(party, 0) + 1
    return tuple(
        Position(party, inn := incoming.get(party, 0), out := outgoing.get(party, 0), count[party], inn - out)
        for party in sorted(count)
    )


def bilateral(obligations: Iterable[Obligation]) -> int:
    """B: the money needed when each pair nets by itself, fen."""
    pairs: dict[tuple[str, str], int] = {}
    for item in obligations:
        first, second = sorted((item.debtor, item.creditor))
        pairs[first, second] = pairs.get((first, second), 0) + (item.amount if item.debtor == first else -item.amount)
    return sum(abs(amount) for amount in pairs.values())


@dataclass(frozen=True, slots=True)
class Columns:
    """Obligations as arrays: `parties` sorted by id, `debtor` and `creditor` as places in it, `amount` in fen.

    The gross amount is within the bounds of money, so no sum of any choice of them leaves 64 bits.
    """

    parties: tuple[str, ...]
    debtor: Integers
    creditor: Integers
    amount: Integers
    gross: int

    def positions(self) -> tuple[Position, ...]:
        """The same as `positions_of`."""
        incoming, outgoing = self.incoming().tolist(), self.outgoing().tolist()
        size = len(self.parties)
        count = (np.bincount(self.debtor, minlength=size) + np.bincount(self.creditor, minlength=size)).tolist()
        return tuple(
            Position(party, inn, out, many, inn - out)
            for party, inn, out, many in zip(self.parties, incoming, outgoing, count, strict=True)
        )

    def incoming(self) -> Integers:
        """What each party is owed, fen."""
        return self._sums(self.creditor)

    def outgoing(self) -> Integers:
        """What each party owes, fen."""
        return self._sums(self.debtor)

    def _sums(self, owner: Integers) -> Integers:
        sums = np.zeros(len(self.parties), dtype=np.int64)
        np.add.at(sums, owner, self.amount)
        return sums

    def pairs(self) -> tuple[Integers, Integers, Integers]:
        """(first party, second party, what the first owes the second on balance) of each pair, sorted, fen."""
        size = len(self.parties)
        key = np.minimum(self.debtor, self.creditor) * size + np.maximum(self.debtor, self.creditor)
        signed = np.where(self.debtor < self.creditor, self.amount, -self.amount)
        order = np.argsort(key, kind="stable")
        found, starts = np.unique(key[order], return_index=True)
        sums = np.add.reduceat(signed[order], starts) if len(key) else signed
        return found // max(size, 1), found % max(size, 1), sums

    def bilateral(self) -> int:
        """The same as the function of that name."""
        return int(np.abs(self.pairs()[2]).sum())


def columns_of(obligations: Sequence[Obligation]) -> Columns:
    """The arrays of a set of obligations. Raises BadTerms or BadMoney for a bad one, BadMoney for a gross amount
    beyond 10^15 − 1."""
    amounts = [item.amount for item in obligations]
    if set(map(type, amounts)) - {int} or min(amounts, default=1) < 1 or max(amounts, default=1) > MAX_FEN:
        _refuse(obligations)
    debtors = [item.debtor for item in obligations]
    creditors = [item.creditor for item in obligations]
    parties = tuple(sorted(set(debtors) | set(creditors)))
    place = {party: number for number, party in enumerate(parties)}
    debtor, creditor = (
        np.fromiter(map(place.__getitem__, names), np.int64, len(names)) for names in (debtors, creditors)
    )
    if bool((debtor == creditor).any()):
        _refuse(obligations)
    gross = money.fen(sum(amounts), "gross")
    return Columns(parties, debtor, creditor, np.array(amounts, dtype=np.int64), gross)


def _refuse(obligations: Iterable[Obligation]) -> None:
    for item in obligations:
        check_obligation(item)
