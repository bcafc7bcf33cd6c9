"""Which queued obligations go through together when money is short: as much as possible, by limits, with a proof.

Choose X from the queue so that Σ_X a is largest while ℓ_i + in_X(i) − out_X(i) ≥ 0 for every party i, where ℓ_i is its
available funds plus its net debit cap, and no pair (debtor, creditor) exceeds its limit. Each obligation goes through
whole or waits, unless it was signed for splitting. All in integer fen. Source: domain clearing §8.

Bound. If every obligation could be paid in part, this would be a flow: pay everything, then take back as little as
cures the parties below zero. Each unit taken back from debtor d helps d and hurts its creditor, so a shortfall travels
along obligations to a party with room, at cost 1 an obligation: a minimum cost flow with integer prices y_i, "how much
more would go through if i had one fen more". By duality no choice can exceed

    bound(y) = Σ_i ℓ_i · y_i + Σ_pairs u_dc · max(0, 1 − y_d + y_c)         for any y ≥ 0,

u_dc being the smaller of the pair's limit and its queued total. So the checker needs y and one pass. Branch and bound
on the obligations the flow pays in part closes the gap; `Proved` says whether bound or search proves the value.
Choosing to the last fen is NP-hard (subset sum), so the search has a limit of `steps`; a search cut off says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from clearing import money
from clearing.errors import BadTerms, ProofRefused
from clearing.settlement.netting.flow import Pair, Residual

PARTIES = 20
"""Up to so many parties the search runs; above, a heuristic value and the bound are given."""
STEPS = 5_000
"""Flows the search may solve, each about a millisecond. With 20 parties they are enough for about 60 obligations of any
size, and for 100 where a party's money covers a few of its payments; what is not proved says so."""


class Reason(StrEnum):
    """Why an obligation waits: 净借记限额 (funds and cap of its debtor) or 双边限额 (limit of the pair)."""

    DEBIT_CAP = "debit_cap"
    PAIR_LIMIT = "pair_limit"


class Proved(StrEnum):
    """What shows that no other choice lets more through: the bound reaches the value, the search ended, or nothing."""

    BOUND = "bound"
    SEARCH = "search"
    NOT = "not"


@dataclass(frozen=True, slots=True)
class Queued:
    """An obligation in the queue, fen; `due` in seconds UTC; `divisible` only if the parties signed for splitting."""

    id: str
    debtor: str
    creditor: str
    amount: int
    due: int = 0
    divisible: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """`liquidity`: ℓ of each party, available funds plus net debit cap, fen ≥ 0. `pairs`: the most that may go through
    from a debtor to a creditor in this run, fen ≥ 0. Who is not named is not limited."""

    liquidity: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passed:
    """What goes through of an obligation: all of it, or a part if it is divisible."""

    id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What stays queued, fen, and why: `room` is what the limit named would still let through."""

    id: str
    amount: int
    reason: Reason
    room: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The choice: `value` = Σ passed ≤ `bound` = bound(`prices`); prices by party id, only those above 0."""

    passed: tuple[Passed, ...]
    waiting: tuple[Waiting, ...]
    value: int
    bound: int
    prices: tuple[tuple[str, int], ...]
    proved: Proved


def choose(queue: Iterable[Queued], limits: Limits, steps: int = STEPS) -> Outcome:
    """The best choice found; the order of the queue has no effect. Ties go to earlier due dates, then smaller ids.

    Up to PARTIES parties the search proves it within `steps` flows, above only the bound can. Among equal choices the
    one that has the first obligation in order of (due, id) at which they differ, as far as the steps reach. Raises
    BadTerms for a repeated id, a party owing itself or a limit below 0, BadMoney for an amount or gross out of bounds.
    """
    case = _Case(queue, limits)
    root = case.parts()
    everything = [item.amount for item in case.items]
    best, ended = max(case.rounded(root.paid), case.rounded(everything), key=sum), False
    if len(case.parties) <= PARTIES:
        search = _Search(case, steps)
        best, ended = search.best(case.improved(best), {}, root.value)
        best = search.first(best) if ended else best
    value = sum(best)
    proved = Proved.BOUND if value == root.value else Proved.SEARCH if ended else Proved.NOT
    prices = tuple((party, price) for party, price in zip(case.parties, root.prices, strict=True) if price)
    passed = tuple(Passed(item.id, paid) for item, paid in zip(case.items, best, strict=True) if paid)
    return Outcome(passed, case.waiting(best), value, root.value, prices, proved)


def check_choice(queue: Sequence[Queued], limits: Limits, given: Outcome) -> None:
    """Confirm a choice without making it again. Raises ProofRefused with the number of the first step that fails.

    (1) every obligation passes whole, waits whole or, if divisible, does both  (2) nobody falls below zero
    (3) no pair exceeds its limit  (4) value is the sum of what passed  (5) the prices give the bound, which no choice
    exceeds  (6) "proved by the bound" means value = bound  (7) what waits does not fit in beside what passed
    """
    case = _Case(queue, limits)
    passed = {entry.id: entry.amount for entry in given.passed}
    waits = {entry.id: entry.amount for entry in given.waiting}
    paid = [passed.get(item.id, 0) for item in case.items]
    _step(1, len(passed) + len(waits), len(given.passed) + len(given.waiting))
    _step(1, True, set(passed) | set(waits) == {item.id for item in case.items})
    for item, amount in zip(case.items, paid, strict=True):
        _step(1, (item.id, item.amount), (item.id, amount + waits.get(item.id, 0)))
        if amount not in (0, item.amount) and not (item.divisible and 0 < amount < item.amount):
            raise ProofRefused(1, f"{item.id} whole", amount)
    balance, room = case.left(paid)
    for party, left in zip(case.parties, balance, strict=True):
        if left < 0:
            raise ProofRefused(2, f"{party}: liquidity left ≥ 0", left)
    for pair, left in room.items():
        if left < 0:
            raise ProofRefused(3, f"{case.parties[pair[0]]} → {case.parties[pair[1]]}: within the limit", -left)
    _step(4, sum(paid), given.value)
    prices = dict(given.prices)
    if min(prices.values(), default=0) < 0 or not set(prices) <= set(limits.liquidity) & set(case.parties):
        raise ProofRefused(5, "prices ≥ 0 on limited parties only", prices)
    _step(5, case.bound([prices.get(party, 0) for party in case.parties]), given.bound)
    if given.value > given.bound:
        raise ProofRefused(5, f"value ≤ {given.bound}", given.value)
    if given.proved is Proved.BOUND:
        _step(6, given.bound, given.value)
    _step(7, case.waiting(paid), given.waiting)


def _step(step: int, expected: object, given: object) -> None:
    if expected != given:
        raise ProofRefused(step, str(expected), given)


@dataclass(frozen=True, slots=True)
class _Flow:
    """The best payment in parts: fen of each item, Σ of them, and the price of each party."""

    paid: list[int]
    value: int
    prices: list[int]


class _Case:
    """One queue in order of (due, id), with parties as numbers. Unlimited parties get more room than could be used."""

    def __init__(self, queue: Iterable[Queued], limits: Limits) -> None:
        self.items = sorted(queue, key=lambda item: (item.due, item.id))
        if len({item.id for item in self.items}) != len(self.items):
            raise BadTerms("queue", "each id once", sorted(item.id for item in self.items))
        for item in self.items:
            money.fen(item.amount, "queue.amount")
            if item.debtor == item.creditor or item.amount <= 0:
                raise BadTerms("queue", "two parties and an amount > 0", (item.debtor, item.creditor, item.amount))
        gross = money.fen(sum(item.amount for item in self.items), "queue.gross")
        self.parties = sorted({party for item in self.items for party in (item.debtor, item.creditor)})
        number = {party: place for place, party in enumerate(self.parties)}
        for party, amount in limits.liquidity.items():
            money.fen(amount, f"limits.{party}", least=0)
        for (debtor, creditor), amount in limits.pairs.items():
            money.fen(amount, f"limits.{debtor} → {creditor}", least=0)
        self.liquidity = [limits.liquidity.get(party, 2 * gross + 1) for party in self.parties]
        self.ends = [(number[item.debtor], number[item.creditor]) for item in self.items]
        self.owed_by: list[list[int]] = [[] for _ in self.parties]
        total: dict[Pair, int] = {}
        for place, (pair, item) in enumerate(zip(self.ends, self.items, strict=True)):
            self.owed_by[pair[0]].append(place)
            total[pair] = total.get(pair, 0) + item.amount
        self.most = {
            pair: min(total[pair], limits.pairs.get((self.parties[pair[0]], self.parties[pair[1]]), total[pair]))
            for pair in total
        }

    def left(self, paid: Sequence[int]) -> tuple[list[int], dict[Pair, int]]:
        """What each party and each pair could still bear after `paid`."""
        balance, room = list(self.liquidity), dict(self.most)
        for (debtor, creditor), amount in zip(self.ends, paid, strict=True):
            balance[debtor] -= amount
            balance[creditor] += amount
            room[debtor, creditor] -= amount
        return balance, room

    def bound(self, prices: Sequence[int]) -> int:
        """bound(y) of the module's docstring."""
        parties = sum(room * price for room, price in zip(self.liquidity, prices, strict=True))
        return parties + sum(
            most * max(0, 1 - prices[debtor] + prices[creditor]) for (debtor, creditor), most in self.most.items()
        )

    def waiting(self, paid: Sequence[int]) -> tuple[Waiting, ...]:
        """What stays, in order of (due, id), with the limit that stops it."""
        balance, room = self.left(paid)
        found = []
        for item, pair, amount in zip(self.items, self.ends, paid, strict=True):
            if amount < item.amount:
                least = 1 if item.divisible else item.amount
                reason = Reason.PAIR_LIMIT if room[pair] < least else Reason.DEBIT_CAP
                left = room[pair] if reason is Reason.PAIR_LIMIT else balance[pair[0]]
                if left >= least:
                    raise ProofRefused(7, f"{item.id} fits in", left)
                found.append(Waiting(item.id, item.amount - amount, reason, left))
        return tuple(found)

    def implied(self, fixed: Mapping[int, bool]) -> dict[int, bool] | None:
        """`fixed` and what follows from it; None when nobody can pay what is in.

        Out is what its debtor cannot pay though everything that may comes in. In is what its debtor can pay though
        nothing more comes in and all it owes goes out, where no pair limit binds: letting it in only adds.
        """
        found = dict(fixed)
        richest, poorest = list(self.liquidity), list(self.liquidity)
        room = dict(self.most)
        for number, (debtor, creditor) in enumerate(self.ends):
            amount, held = self.items[number].amount, found.get(number)
            if held is not False:
                poorest[debtor] -= amount
                richest[creditor] += amount
                room[debtor, creditor] -= amount
            if held:
                richest[debtor] -= amount
                poorest[creditor] += amount
        todo = list(range(len(self.parties)))
        while todo:
            party = todo.pop()
            if richest[party] < 0:
                return None
            for number in self.owed_by[party]:
                item, (_, creditor) = self.items[number], self.ends[number]
                if number in found or (item.divisible and richest[party] > 0):
                    continue
                if item.amount > richest[party]:
                    found[number] = False
                    poorest[party] += item.amount
                    richest[creditor] -= item.amount
                    room[party, creditor] += item.amount
                    todo += [party, creditor]
                elif poorest[party] >= 0 and room[party, creditor] >= 0:
                    found[number] = True
                    richest[party] -= item.amount
                    poorest[creditor] += item.amount
                    todo += [party, creditor]
        return found

    def flow(self, given: Mapping[int, bool]) -> _Flow | None:
        """Best payment in parts where the `given` items are wholly in or out; None when they cannot be."""
        fixed = self.implied(given)
        if fixed is None:
            return None
        return self._flow(fixed)

    def parts(self) -> _Flow:
        """Best payment in parts with nothing fixed, whose prices are the certificate's: paying nothing is allowed."""
        found = self._flow({})
        if found is None:
            raise BadTerms("limits", "limits that allow to pay nothing", "none")
        return found

    def _flow(self, fixed: Mapping[int, bool]) -> _Flow | None:
        least: dict[Pair, int] = {}
        total: dict[Pair, int] = {}
        for number, (pair, item) in enumerate(zip(self.ends, self.items, strict=True)):
            held = fixed.get(number)
            if held is not False:
                total[pair] = total.get(pair, 0) + item.amount
            if held:
                least[pair] = least.get(pair, 0) + item.amount
        if any(amount > self.most[pair] for pair, amount in least.items()):
            return None
        flow = {pair: min(amount, self.most[pair]) for pair, amount in total.items()}
        residual = Residual(self.liquidity, flow, least)
        if not residual.cure():
            return None
        value, paid = sum(flow.values()), []
        spare = {pair: amount - least.get(pair, 0) for pair, amount in flow.items()}
        for number, (pair, item) in enumerate(zip(self.ends, self.items, strict=True)):
            held = fixed.get(number)
            amount = item.amount if held else 0 if held is False else min(item.amount, spare[pair])
            if held is None:
                spare[pair] -= amount
            paid.append(amount)
        return _Flow(paid, value, residual.prices)

    def rounded(self, parts: Sequence[int]) -> list[int]:
        """A choice near `parts`: nothing paid in part or beyond a pair's limit, shortfalls cured, then filled up."""
        paid = [
            amount if item.divisible or amount == item.amount else 0
            for item, amount in zip(self.items, parts, strict=True)
        ]
        _, room = self.left(paid)
        for number in reversed(range(len(paid))):
            if room[self.ends[number]] < 0:
                room[self.ends[number]] += paid[number]
                paid[number] = 0
        self._cure(paid, -1)
        return self.filled(paid)

    def _cure(self, paid: list[int], kept: int) -> bool:
        """Take out, of each party below zero, the smallest item that is enough or else its largest, but not `kept`."""
        balance, room = self.left(paid)
        pair = self.ends[kept] if kept >= 0 else None  # an empty queue has no last item either
        if pair is not None and room[pair] < 0:
            others = [number for number in self.owed_by[pair[0]] if self.ends[number] == pair and number != kept]
            for number in sorted(others, key=lambda number: -paid[number]):
                if room[pair] < 0:
                    room[pair] += paid[number]
                    balance[pair[0]] += paid[number]
                    balance[pair[1]] -= paid[number]
                    paid[number] = 0
            if room[pair] < 0:
                return False
        short = [party for party, left in enumerate(balance) if left < 0]
        while short:
            party = short.pop()
            while balance[party] < 0:
                mine = [number for number in self.owed_by[party] if paid[number] and number != kept]
                if not mine:
                    return False
                number = min(mine, key=lambda number: (self._loss(number, paid[number], balance), number))
                back = min(paid[number], -balance[party]) if self.items[number].divisible else paid[number]
                creditor = self.ends[number][1]
                paid[number] -= back
                balance[party] += back
                balance[creditor] -= back
                if balance[creditor] < 0:
                    short.append(creditor)
        return True

    def _loss(self, number: int, amount: int, balance: Sequence[int]) -> int:
        """What taking it out costs for each fen of its debtor's shortfall, in thousandths: itself, and the shortfall
        that its creditor then has."""
        debtor, creditor = self.ends[number]
        short = -balance[debtor]
        back = min(amount, short) if self.items[number].divisible else amount
        made = back - max(0, min(back, balance[creditor]))
        return 1_000 * (back + made) // min(back, short)

    def filled(self, paid: list[int]) -> list[int]:
        """Let in what still fits, largest first, until nothing does."""
        balance, room = self.left(paid)
        order = sorted(range(len(paid)), key=lambda number: (-self.items[number].amount, number))
        again = True
        while again:
            again = False
            for number in order:
                item, pair = self.items[number], self.ends[number]
                want = item.amount - paid[number]
                fits = min(want, balance[pair[0]], room[pair])
                if fits > 0 and (fits == want or item.divisible):
                    paid[number] += fits
                    balance[pair[0]] -= fits
                    balance[pair[1]] += fits
                    room[pair] -= fits
                    again = True
        return paid

    def improved(self, paid: list[int]) -> list[int]:
        """Let in one that waits, cure what that breaks, exchange and fill up again; kept while the value grows."""
        paid = self.exchanged(paid)
        value, stale = sum(paid), 0
        while stale < len(paid):
            for number, item in enumerate(self.items):
                stale += 1
                if paid[number] < item.amount <= self.most[self.ends[number]]:
                    other = list(paid)
                    other[number] = item.amount
                    if self._cure(other, number):
                        other = self.exchanged(self.filled(other))
                        if sum(other) > value:
                            paid, value, stale = other, sum(other), 0
                if stale >= len(paid):
                    break
        return paid

    def exchanged(self, paid: list[int]) -> list[int]:
        """Exchange one that is in for a larger one that waits, largest gain first, until none is left."""
        while (swap := self._swap(paid)) is not None:
            out, into = swap
            paid = list(paid)
            paid[out], paid[into] = 0, self.items[into].amount
            paid = self.filled(paid)
        return paid

    def _swap(self, paid: Sequence[int]) -> tuple[int, int] | None:
        """The exchange that gains most; both have the same debtor, whose money the larger one needs."""
        balance, room = self.left(paid)
        best: tuple[int, int, int] | None = None
        for into, item in enumerate(self.items):
            pair = debtor, creditor = self.ends[into]
            if paid[into]:
                continue
            for out in self.owed_by[debtor]:
                back = paid[out]
                gain = item.amount - back
                if not back or gain <= 0 or gain > balance[debtor] or (best is not None and gain <= best[0]):
                    continue
                payee = self.ends[out][1]
                if payee == creditor:
                    if gain <= room[pair]:
                        best = (gain, out, into)
                elif back <= balance[payee] and item.amount <= room[pair]:
                    best = (gain, out, into)
        return None if best is None else best[1:]


class _Search:
    """Depth first over the items a flow pays in part; every flow solved is one step."""

    def __init__(self, case: _Case, steps: int) -> None:
        self.case, self.steps = case, steps

    def best(
        self, known: list[int], fixed: Mapping[int, bool], most: int, enough: int | None = None
    ) -> tuple[list[int], bool]:
        """The best choice under `fixed` if it beats `known`, else `known`; and whether the search ended.

        With `enough` it stops at the first choice of that value. Choices made on the way need not obey `fixed` unless
        `enough` is given.
        """
        found, value = known, sum(known)
        floor = value if enough is None else enough - 1
        open_ = [(most, fixed)]
        while open_ and floor < most:
            above, held = open_.pop()
            if above <= floor:
                continue
            if not self.steps:
                return found, False
            self.steps -= 1
            flow = self.case.flow(held)
            if flow is None or flow.value <= floor:
                continue
            parts = [
                number
                for number, (item, amount) in enumerate(zip(self.case.items, flow.paid, strict=True))
                if 0 < amount < item.amount and not item.divisible
            ]
            candidate: list[int] | None = None
            if enough is None:
                candidate = self.case.rounded(flow.paid)
            elif not parts:
                candidate = flow.paid
            if candidate is not None and sum(candidate) > floor:
                found, floor = candidate, sum(candidate)
                if enough is not None:
                    return found, True
            if parts and flow.value > floor:
                number = max(parts, key=lambda n: (min(flow.paid[n], self.case.items[n].amount - flow.paid[n]), -n))
                mostly = 2 * flow.paid[number] > self.case.items[number].amount
                open_ += [(flow.value, {**held, number: not mostly}), (flow.value, {**held, number: mostly})]
        return found, True

    def first(self, best: list[int]) -> list[int]:
        """Of all choices of the same value the one that has the earliest obligations, as far as the steps last."""
        value, fixed = sum(best), dict[int, bool]()
        for number, item in enumerate(self.case.items):
            if best[number] < item.amount:
                other, _ = self.best(best, {**fixed, number: True}, value, enough=value)
                if other is not best:
                    best = other
            if not item.divisible or best[number] == item.amount:
                fixed[number] = best[number] == item.amount
        return best
