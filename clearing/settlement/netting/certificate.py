"""Positions are discharged by the fewest needed transfers, and a certificate says why no less money would do.

Modes (signed, `terms.NettingMode`): multilateral pays positions only, without novation; bilateral pays the balance of
each pair; with a clearing house (合约更替) each obligation becomes two against the house, so everybody pays or is paid
by the house, whose own position is 0. Source: domain clearing §8.

Minimum funding. Let p be the positions. A set of payments x ≥ 0 discharges them when every party pays p⁻ more than it
receives or receives p⁺ more than it pays. Of all such sets the least money moved is F = Σ max(0, −p): the price 1 on
every net payer and 0 on every net receiver is a dual solution (no payment has a price difference above 1) and its
value is F. So with no limits the positions themselves are the dual prices and nothing else needs to be stored; where
limits choose among the obligations, `gridlock` stores prices of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from clearing.errors import BadTerms, ProofRefused
from clearing.settlement.netting.positions import Columns, Position, columns_of
from clearing.settlement.statement import Obligation
from clearing.terms import NettingMode


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that has to move: `payer` → `payee`, fen > 0."""

    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the checker needs: gross G, bilateral funding B, minimum funding F, positions and transfers."""

    gross: int
    bilateral: int
    minimum: int
    positions: tuple[Position, ...]
    transfers: tuple[Transfer, ...]


def transfers_of(positions: Sequence[Position]) -> tuple[Transfer, ...]:
    """At most n − 1 transfers that discharge all positions: largest payer to largest receiver, ties by party id."""
    owing = [(item.net, item.party) for item in positions if item.net < 0]
    due = [(-item.net, item.party) for item in positions if item.net > 0]
    heapify(owing)
    heapify(due)
    found: list[Transfer] = []
    while owing and due:
        (debt, payer), (claim, payee) = heappop(owing), heappop(due)
        amount = min(-debt, -claim)
        found.append(Transfer(payer, payee, amount))
        if debt + amount:
            heappush(owing, (debt + amount, payer))
        if claim + amount:
            heappush(due, (claim + amount, payee))
    return tuple(found)


def net(obligations: Sequence[Obligation]) -> Certificate:
    """Net a set of obligations. The order of the set has no effect. Raises as `columns_of`."""
    columns = columns_of(obligations)
    positions = columns.positions()
    return Certificate(
        gross=columns.gross,
        bilateral=columns.bilateral(),
        minimum=sum(max(0, -item.net) for item in positions),
        positions=positions,
        transfers=transfers_of(positions),
    )


def payments_of(obligations: Sequence[Obligation], mode: NettingMode, house: str = "") -> tuple[Transfer, ...]:
    """The payments that discharge the obligations in a mode; all modes leave everybody with the same balance.

    multilateral: `transfers_of`, F moves. bilateral: one payment for each pair that is not even, B moves. clearing
    house: one payment of each party to or from `house`, by its position; F moves in and out again. Raises BadTerms
    when the house is missing or one of the parties, and as `columns_of`.
    """
    columns = columns_of(obligations)
    if mode is NettingMode.BILATERAL:
        return _each_pair(columns)
    if mode is NettingMode.CLEARING_HOUSE:
        _outside(house, columns.parties)
        return tuple(
            Transfer(item.party, house, -item.net) if item.net < 0 else Transfer(house, item.party, item.net)
            for item in columns.positions()
            if item.net
        )
    return transfers_of(columns.positions())


def _each_pair(columns: Columns) -> tuple[Transfer, ...]:
    first, second, balance = (column.tolist() for column in columns.pairs())
    found = []
    for one, other, amount in zip(first, second, balance, strict=True):
        payer, payee = (one, other) if amount > 0 else (other, one)
        if amount:
            found.append(Transfer(columns.parties[payer], columns.parties[payee], abs(amount)))
    return tuple(found)


def novated(obligations: Sequence[Obligation], house: str) -> tuple[Obligation, ...]:
    """合约更替: each obligation replaced by debtor → house and house → creditor of the same amount and items.

    Positions of everybody else stay, the house's is 0. Raises BadTerms when the house is missing or one of the parties.
    """
    _outside(house, {party for item in obligations for party in (item.debtor, item.creditor)})
    return tuple(
        leg
        for item in obligations
        for leg in (
            Obligation(item.debtor, house, item.amount, item.items),
            Obligation(house, item.creditor, item.amount, item.items),
        )
    )


def _outside(house: str, parties: Sequence[str] | set[str]) -> None:
    if not house or house in parties:
        raise BadTerms("house", "a clearing house that is none of the parties", house)


def check_certificate(obligations: Sequence[Obligation], given: Certificate) -> None:
    """Confirm a netting run without re-running it. Raises ProofRefused with the number of the first step that fails.

    (1) each position is the sum of its obligations  (2) positions sum to 0  (3) gross  (4) F ≤ B ≤ G
    (5) transfers discharge every position exactly  (6) they move F, and no set of transfers can move less, because
    every net payer has to pay its position  (7) there are at most n − 1 of them
    """
    columns = columns_of(obligations)
    _step(1, columns.parties, tuple(item.party for item in given.positions))
    for summed, claimed in zip(columns.positions(), given.positions, strict=True):
        _step(1, summed, claimed)
    stated = {item.party: item.net for item in given.positions}
    _step(2, 0, sum(stated.values()))
    _step(3, columns.gross, given.gross)
    if not given.minimum <= given.bilateral <= given.gross or given.bilateral != columns.bilateral():
        raise ProofRefused(4, "F ≤ B ≤ G", (given.minimum, given.bilateral, given.gross))
    check_payments(stated, given.transfers, step=5)
    moved = sum(move.amount for move in given.transfers)
    _step(6, (sum(-amount for amount in stated.values() if amount < 0),) * 2, (given.minimum, moved))
    if len(given.transfers) > max(0, len(stated) - 1) or any(move.amount <= 0 for move in given.transfers):
        raise ProofRefused(7, f"at most {max(0, len(stated) - 1)} transfers > 0", len(given.transfers))


def check_payments(positions: Mapping[str, int], payments: Sequence[Transfer], step: int = 5) -> None:
    """Do the payments discharge every position exactly? Raises ProofRefused with `step`."""
    left = dict(positions)
    for move in payments:
        left[move.payer] = left.get(move.payer, 0) + move.amount
        left[move.payee] = left.get(move.payee, 0) - move.amount
    _step(step, {}, {party: amount for party, amount in left.items() if amount})


def _step(step: int, expected: object, given: object) -> None:
    if expected != given:
        raise ProofRefused(step, str(expected), given)
