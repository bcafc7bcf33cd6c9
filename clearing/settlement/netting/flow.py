"""The least to take back of payments in parts so that nobody is below zero: a minimum cost flow in integers.

Its prices are what proves a choice in `gridlock`, whose docstring says why. Successive cheapest ways with prices that
only rise, as in the primal-dual method of Ford and Fulkerson.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import pairwise

Pair = tuple[int, int]
"""(debtor, creditor), each as a place in the list of parties."""


class Residual:
    """A payment in parts while it is taken back: `flow` by pair, between `least` and what it was at first.

    A shortfall travels from debtor to creditor (cost 1, taking back) or from creditor to debtor (cost −1, giving
    again) until a party with room. Prices start at 0 and only rise: each round raises them until a shortfall reaches
    room over edges whose cost is the difference of prices, then sends over such edges all it can.
    """

    def __init__(self, liquidity: Sequence[int], flow: dict[Pair, int], least: Mapping[Pair, int]) -> None:
        self.flow, self.least, self.most = flow, least, dict(flow)
        self.room, self.prices = list(liquidity), [0] * len(liquidity)
        near: list[set[int]] = [set() for _ in liquidity]
        for (debtor, creditor), amount in flow.items():
            self.room[debtor] -= amount
            self.room[creditor] += amount
            near[debtor].add(creditor)
            near[creditor].add(debtor)
        self.near = [sorted(beside) for beside in near]

    def cure(self) -> bool:
        """Take back as little as leaves nobody below zero. False when `least` does not allow it."""
        while any(left < 0 for left in self.room):
            away = self._away()
            short = [far for far, left in zip(away, self.room, strict=True) if left < 0 and far >= 0]
            reach = min(short, default=-1)
            if reach < 0:
                return False
            self.prices = [
                price + (reach if far < 0 else min(far, reach)) for price, far in zip(self.prices, away, strict=True)
            ]
            while self._send():
                pass
        return True

    def _back(self, start: int, end: int) -> int:
        """What can be taken back of start → end."""
        pair = (start, end)
        return self.flow[pair] - self.least.get(pair, 0) if pair in self.flow else 0

    def _again(self, start: int, end: int) -> int:
        """What can be given again of end → start."""
        pair = (end, start)
        return self.most[pair] - self.flow[pair] if pair in self.flow else 0

    def _away(self) -> list[int]:
        """Cost above prices of the cheapest way from each party to one with room; −1 where there is none."""
        away = [0 if left > 0 else -1 for left in self.room]
        heap = [(0, party) for party, left in enumerate(self.room) if left > 0]
        while heap:
            far, end = heappop(heap)
            if far > away[end]:
                continue
            for start in self.near[end]:
                rise = self.prices[end] - self.prices[start]
                cost = rise - 1 if self._again(start, end) else rise + 1 if self._back(start, end) else -1
                if cost >= 0 and (away[start] < 0 or far + cost < away[start]):
                    away[start] = far + cost
                    heappush(heap, (far + cost, start))
        return away

    def _send(self) -> bool:
        """Send one shortfall to room over edges that cost nothing above prices; False when none gets there."""
        came = {party: -1 for party, left in enumerate(self.room) if left < 0}
        todo = list(came)
        for start in todo:
            if self.room[start] > 0:
                self._along(came, start)
                return True
            for end in self.near[start]:
                fall = self.prices[start] - self.prices[end]
                open_ = self._back(start, end) if fall == 1 else self._again(start, end) if fall == -1 else 0
                if open_ and end not in came:
                    came[end] = start
                    todo.append(end)
        return False

    def _along(self, came: Mapping[int, int], end: int) -> None:
        way = [end]
        while came[way[-1]] >= 0:
            way.append(came[way[-1]])
        steps = [(start, stop, self.prices[start] > self.prices[stop]) for stop, start in pairwise(way)]
        amount = min(-self.room[way[-1]], self.room[end])
        for start, stop, taken in steps:
            amount = min(amount, self._back(start, stop) if taken else self._again(start, stop))
        for start, stop, taken in steps:
            self.flow[(start, stop) if taken else (stop, start)] += -amount if taken else amount
        self.room[way[-1]] += amount
        self.room[end] -= amount
