"""What everybody must be paid, in plain dicts and Fractions: written from the domain text, without a line of clearing.

The simulator tells this model every step it takes; the model says what the readings, charges, shares, balances,
statements, positions and bank matches must then be. Nothing here imports the product, so nothing it does wrong can be
right by agreement. Source: domain clearing §2–§4, §6–§10, §12.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from tests.clearing.settlement.deliveries_oracle import Delivery
from tests.clearing.settlement.guarantors_oracle import Guarantee, Guarantors
from tests.clearing.settlement.limits_oracle import Limits, chosen
from tests.clearing.settlement.orders_oracle import Orders

DAY = 86_400
LATE = 30 * DAY
WHOLE = 10**9
ORDER = (
    "open", "cut_off", "rated", "statements_issued", "confirmed", "netted", "instructed", "funded", "settled", "closed",
)  # fmt: skip
CLOCK = {"cut_off": 1, "rated": 1, "statements_issued": 5, "confirmed": 1, "netted": 1, "instructed": 3, "funded": 1,
         "settled": 2, "closed": 0}  # fmt: skip
NO_LIMITS = Limits()
PARTY_KINDS = ("RCV", "RCVD", "PAY", "HOLD")

Key = tuple[str, str, str, str]
"""(kind, party, agreement, period) of an account."""
Pair = tuple[str, str]
Items = tuple[tuple[str, str, int], ...]
"""(agreement, period, fen) an obligation is made of."""


@dataclass(frozen=True)
class Plan:
    """costs, then slices of weights (parts of 10^9), then guarantees (party, fen, funder, guarantor), then caps (party,
    fen, to)."""

    version: int
    holders: tuple[str, ...]
    slices: tuple[tuple[int, dict[str, int]], ...]
    costs: tuple[tuple[str, int], ...] = ()
    caps: tuple[tuple[str, int, str], ...] = ()
    guarantees: tuple[tuple[str, int, str, str], ...] = ()


@dataclass
class Deal:
    """One agreement revision: its price rule and plan, in force in [since, until). `expiry` is the end of its term,
    none where it outlives the market. `accepted`: what is accepted of deliveries is billed, not what is used."""

    agreement: str
    revision: int
    buyer: str
    issuer: str
    kind: str
    tiers: tuple[tuple[int, int, int], ...]
    plan: Plan
    since: int
    until: int | None = None
    fixed: int = 0
    allowance: int = 0
    block: int = 1
    least: int | None = None
    most: int | None = None
    inclusive: bool = True
    bp: int = 600
    expiry: int | None = None
    accepted: bool = False

    @property
    def lineage(self) -> str:
        return f"{self.agreement}/{self.plan.version}/CNY"


@dataclass
class Use:
    """One admitted record; `sound` says that nothing in it stands against billing, `logged` when it came in the log."""

    agreement: str
    revision: int
    request: str
    quantity: int
    occurred: int
    received: int
    seq: int
    sound: bool
    logged: int | None = None


@dataclass
class Charge:
    """A charge or what corrects one (`of`), by its place in the model's list."""

    number: int
    agreement: str
    revision: int
    period: str
    booked: str
    kind: str
    quantity: int
    gross: int
    net: int
    tax: int
    of: int | None = None
    invoiced: bool = False
    undone: bool = False
    credited: int = 0
    credited_net: int = 0


@dataclass
class Dispute:
    """A dispute about a charge; `parts` is what is frozen under it."""

    name: str
    charge: int
    amount: int
    state: str = "OPEN"
    by: str = ""
    accepted: frozenset[str] = frozenset()
    table: int | None = None
    parts: dict[str, int] = field(default_factory=dict)
    upheld: int = 0

    @property
    def running(self) -> bool:
        return self.state in ("OPEN", "ANSWERED", "MEDIATION", "OUTSIDE")


def paid_parts(amount: int, owes: Mapping[Pair, Items]) -> dict[Pair, Items]:
    """The parts of debts that `amount` fen pay: to every creditor in proportion, whole fen, the left-over ones to the
    largest remainders, then by name; of one debt what lessens it whole, then its items in order."""
    claims = {pair: sum(n for _, _, n in items) for pair, items in owes.items()}
    parts = {pair: amount * claim // sum(claims.values()) for pair, claim in claims.items()}
    remainders = sorted(claims, key=lambda pair: (-(amount * claims[pair] % sum(claims.values())), pair))
    for pair in remainders[: amount - sum(parts.values())]:
        parts[pair] += 1
    found: dict[Pair, Items] = {}
    for pair, items in owes.items():
        left = parts[pair] - sum(n for _, _, n in items if n < 0)
        taken: list[tuple[str, str, int]] = []
        for agreement, period, n in items if parts[pair] else ():
            pays = min(n, left)
            left -= max(pays, 0)
            if pays:
                taken.append((agreement, period, pays))
        if taken:
            found[pair] = tuple(taken)
    return found


@dataclass
class Order:
    """A payment instruction of the supervised account and what was booked on it; `by` a guarantor in place of the
    party, if it was called."""

    period: str
    batch: int
    direction: str
    party: str
    amount: int
    manner: str = "pays"
    booked: int = 0
    returned: bool = False
    void: bool = False
    by: str = ""


@dataclass
class Stated:
    opening: int
    closing: int
    confirmed: bool = False
    silent: bool = False


@dataclass
class Cycle:
    """A cycle as it stands; `stated` and `run` are obligations by (debtor, creditor), `limited` those that `limits`
    kept out of any run, `waiting` of the last. `cut` is the second of its cut-off. `stood` are the guarantees for it
    by party; `funded` is what parties brought under earlier runs, `covered` what their guarantors did."""

    period: str
    start: int
    end: int
    until: int
    state: str = "open"
    upto: int = 0
    cut: int = 0
    statements: dict[str, Stated] = field(default_factory=dict)
    stated: dict[Pair, Items] = field(default_factory=dict)
    run: dict[Pair, Items] = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    limited: dict[Pair, Items] = field(default_factory=dict)
    waiting: dict[Pair, Items] = field(default_factory=dict)
    runs: int = 0
    stood: dict[str, Guarantee] = field(default_factory=dict)
    funded: dict[str, int] = field(default_factory=dict)
    covered: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    instructed: bool = False
    called: bool = False
    defaults: int = 0


def half_up(exact: Fraction) -> int:
    whole = int(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


def price(deal: Deal, quantity: int) -> Fraction:
    """The exact amount before rounding."""
    tiers = [(start, Fraction(num, den)) for start, num, den in deal.tiers]
    ends = [start for start, _ in tiers[1:]] + [None]

    def sliced(units: int) -> Fraction:
        within = [
            max(0, (units if end is None else min(units, end)) - s) for (s, _), end in zip(tiers, ends, strict=True)
        ]
        return sum((part * p for part, (_, p) in zip(within, tiers, strict=True)), Fraction(0))

    if deal.kind == "fixed":
        amount = Fraction(deal.fixed)
    elif deal.kind == "per_unit":
        amount = -(-quantity // deal.block) * tiers[0][1]
    elif deal.kind == "graduated":
        amount = sliced(quantity)
    elif deal.kind == "volume":
        amount = quantity * [p for s, p in tiers if s <= quantity][-1]
    else:
        amount = deal.fixed + sliced(max(0, quantity - deal.allowance))
    if deal.least is not None:
        amount = max(amount, Fraction(deal.least))
    if deal.most is not None:
        amount = min(amount, Fraction(deal.most))
    return amount


def taxed(deal: Deal, amount: int) -> tuple[int, int, int]:
    """(gross, net, tax) of one rounded amount."""
    if deal.inclusive:
        net = half_up(Fraction(amount * 10_000, 10_000 + deal.bp))
        return amount, net, amount - net
    tax = half_up(Fraction(amount * deal.bp, 10_000))
    return amount + tax, amount, tax


def entitled(plan: Plan, total: int) -> dict[str, Fraction]:
    """Exact cumulative entitlement of every holder."""
    exact = dict.fromkeys(plan.holders, Fraction(0))
    left = total
    for party, limit in plan.costs:
        taken = max(0, min(left, limit))
        exact[party] += taken
        left -= taken
    for place, (start, weights) in enumerate(plan.slices):
        end = plan.slices[place + 1][0] if place + 1 < len(plan.slices) else None
        within = min(left, 0) if place == 0 else 0
        within += max(0, (left if end is None else min(left, end)) - start)
        for party, weight in weights.items():
            exact[party] += Fraction(within * weight, WHOLE)
    for party, least, funder, _ in plan.guarantees:
        moved = min(max(Fraction(0), least - exact[party]), max(Fraction(0), exact[funder]))
        exact[party] += moved
        exact[funder] -= moved
    for party, most, to in plan.caps:
        excess = max(Fraction(0), exact[party] - most)
        exact[party] -= excess
        exact[to] += excess
    return exact


def paid(plan: Plan, lineage: str, total: int) -> dict[str, int]:
    """Whole fen by the rule of §4: down, then one fen up for the largest fractions; ties by SHA-256."""
    exact = entitled(plan, total)
    assert sum(exact.values()) == total
    down = {party: part.numerator // part.denominator for party, part in exact.items()}
    left = total - sum(down.values())

    def place(party: str) -> tuple[Fraction, bytes]:
        return down[party] - exact[party], hashlib.sha256(lineage.encode() + party.encode()).digest()

    for party in sorted(down, key=place)[:left]:
        down[party] += 1
    return down


def over(deals: Mapping[tuple[str, int], Deal], lineage: str, cut: int) -> bool:
    """Was every revision with this plan version out of force at a cut-off for longer than records may be late?"""
    own = [deal for deal in deals.values() if deal.lineage == lineage]
    return all(deal.until is not None and deal.until + LATE < cut for deal in own)


class Oracle:
    """The whole market as it must be."""

    def __init__(self) -> None:
        self.deals: dict[tuple[str, int], Deal] = {}
        self.uses: list[Use] = []
        self.logged = 0
        self.book: defaultdict[Key, int] = defaultdict(int)
        self.totals: defaultdict[str, int] = defaultdict(int)
        self.charges: list[Charge] = []
        self.readings: dict[tuple[str, int, str], int] = {}
        self.cycles: dict[str, Cycle] = {}
        self.disputes: dict[str, Dispute] = {}
        self.orders: list[Order] = []
        self.moved: defaultdict[str, int] = defaultdict(int)
        self.closing: dict[str, int] = {}
        self.bank = 0
        self.entries = 0
        self.cash: defaultdict[str, int] = defaultdict(int)  # what each party got from the account less what it brought
        self.limits = NO_LIMITS
        self.called: defaultdict[str, int] = defaultdict(int)  # fen by claim
        self.guarantors: dict[str, str] = {}
        self.cover = Guarantors()
        self.deliveries: dict[str, Delivery] = {}
        self.orders_of: dict[str, Orders] = {}

    # The book ---------------------------------------------------------------------------------------------------------

    def post(self, *legs: tuple[Key, int]) -> None:
        assert sum(amount for _, amount in legs) == 0, legs
        for key, amount in legs:
            if amount:
                self.book[key] += amount
                self.moved[key[1]] += key[0] in PARTY_KINDS

    def balances(self) -> dict[Key, int]:
        """Every account that is not 0; those of service orders and of guarantors stand beside the monthly cycle."""
        found = {key: amount for key, amount in self.book.items() if amount} | self.cover.book()
        for orders in self.orders_of.values():
            found |= orders.book()
        return found

    def ends(self, agreement: str) -> int | None:
        """When its term ends, None where it outlives the market."""
        return max((deal.revision, deal.expiry) for (name, _), deal in self.deals.items() if name == agreement)[1]

    def buyer(self, agreement: str) -> str:
        """Who owes under this name: the buyer of the agreement, the guarantor of the claim."""
        return self.guarantors.get(agreement) or self.deals[agreement, 1].buyer

    # Use and charges --------------------------------------------------------------------------------------------------

    def quantity(self, agreement: str, revision: int, start: int, end: int, upto: int) -> int:
        """Units of the records in the log by then, one of each request id: the earliest that can be billed. Where what
        is accepted is billed: units accepted in that time, as the acts in the log by then say."""
        if self.deals[agreement, revision].accepted:
            own = [d for d in self.deliveries.values() if (d.agreement, d.revision) == (agreement, revision)]
            return sum(n for one in own for _, at, n in one.accepted(upto) if start <= at < end)
        first: dict[str, Use] = {}
        known = [use for use in self.uses if use.agreement == agreement and (use.logged or upto + 1) <= upto]
        for use in sorted(known, key=lambda use: (use.occurred, use.received, use.seq)):
            if use.sound and use.received - use.occurred <= LATE:
                first.setdefault(use.request, use)
        return sum(use.quantity for use in first.values() if use.revision == revision and start <= use.occurred < end)

    def rate(self, cycle: Cycle) -> None:
        for (agreement, revision), deal in sorted(self.deals.items(), key=lambda item: item[0]):
            if max(deal.since, cycle.start) < min(deal.until or cycle.end, cycle.end) or self._handled(deal, cycle):
                units = self.quantity(agreement, revision, cycle.start, cycle.end, cycle.upto)
                self.readings[agreement, revision, cycle.period] = units
                self.charge(deal, cycle.period, cycle.period, "first", units)
        for (agreement, revision, period), before in sorted(self.readings.items()):
            earlier = self.cycles[period]
            late = LATE if not self.deals[agreement, revision].accepted else cycle.start
            if not earlier.end <= cycle.start <= earlier.end + late:
                continue
            units = self.quantity(agreement, revision, earlier.start, earlier.end, cycle.upto)
            if units == before:
                continue
            self.readings[agreement, revision, period] = units
            own = (agreement, revision, period)
            old = [
                c for c in self.charges if (c.agreement, c.revision, c.period) == own and c.kind in ("first", "anew")
            ][-1]
            old.undone = True
            deal = self.deals[agreement, revision]
            self._book(Charge(len(self.charges), *own, cycle.period, "reversal", -old.quantity, -old.gross, -old.net,
                              -old.tax, old.number))  # fmt: skip
            self.charge(deal, period, cycle.period, "anew", units, old.number)
        self._call(cycle)

    def _handled(self, deal: Deal, cycle: Cycle) -> bool:
        """Was something delivered under a revision that is over, so that it may have been accepted in this time? It
        gets a reading then, of 0 if nothing was."""
        own = [d for d in self.deliveries.values() if (d.agreement, d.revision) == (deal.agreement, deal.revision)]
        return any(said.at < cycle.end and said.lasts >= cycle.start for one in own for said in one.said)

    def _call(self, cycle: Cycle) -> None:
        """Of every version that is over: what is missing to a guarantee after all it gave is the guarantor's to pay."""
        for lineage, deal in sorted({deal.lineage: deal for deal in self.deals.values()}.items()):
            if not over(self.deals, lineage, cycle.cut):
                continue
            given = paid(deal.plan, lineage, self.totals[lineage])
            for party, least, _, guarantor in deal.plan.guarantees:
                claim = f"guarantee/{lineage}/{party}"
                amount = max(0, least - given[party]) - self.called.get(claim, 0)
                if amount:
                    self.guarantors[claim] = guarantor
                    self.called[claim] += amount
                    own = (claim, cycle.period)
                    self.post((("RCV", guarantor, *own), amount), (("PAY", party, *own), -amount))

    def charge(self, deal: Deal, period: str, booked: str, kind: str, units: int, of: int | None = None) -> None:
        exact = price(deal, units)
        gross, net, tax = taxed(deal, half_up(exact))
        on_its_side = gross if deal.inclusive else net
        assert abs(on_its_side - exact) <= Fraction(1, 2)
        self._book(
            Charge(len(self.charges), deal.agreement, deal.revision, period, booked, kind, units, gross, net, tax, of)
        )

    def _book(self, charge: Charge) -> None:
        """The buyer owes gross; net is divided at once, tax waits for its invoice."""
        deal = self.deals[charge.agreement, charge.revision]
        own = (charge.agreement, charge.period)
        before, after = self._shared(deal, charge.net)
        self.totals[deal.lineage] += charge.net
        self.charges.append(charge)
        self.post(
            (("RCV", deal.buyer, *own), charge.gross),
            (("TAX", deal.issuer, *own), -charge.tax),
            *((("PAY", party, *own), before[party] - after[party]) for party in before),
        )

    def _shared(self, deal: Deal, net: int) -> tuple[dict[str, int], dict[str, int]]:
        total = self.totals[deal.lineage]
        return paid(deal.plan, deal.lineage, total), paid(deal.plan, deal.lineage, total + net)

    def invoice(self, charge: Charge) -> None:
        deal = self.deals[charge.agreement, charge.revision]
        own = (deal.issuer, charge.agreement, charge.period)
        self.post((("TAX", *own), charge.tax), (("PAY", *own), -charge.tax))
        charge.invoiced = True

    # Disputes ---------------------------------------------------------------------------------------------------------

    def left(self, charge: Charge) -> int:
        """Fen gross of a charge that may still be disputed: less what is disputed or was given back of it, and of those
        it was made in place of; nothing of one that was reversed."""
        if charge.undone:
            return 0
        left, one = charge.gross, charge
        while True:
            left -= one.credited + sum(d.amount for d in self.disputes.values() if d.running and d.charge == one.number)
            if one.of is None:
                return left
            one = self.charges[one.of]

    def _credit(self, charge: Charge, amount: int) -> tuple[int, int]:
        """(net, tax) of the next credit note."""
        upto = half_up(Fraction(charge.net * (charge.credited + amount), charge.gross))
        net = upto - charge.credited_net
        return net, amount - net

    def open(self, dispute: Dispute) -> None:
        self.disputes[dispute.name] = dispute
        charge = self.charges[dispute.charge]
        deal = self.deals[charge.agreement, charge.revision]
        same = [d for d in self.disputes.values() if d.charge == dispute.charge and d.running]
        net, tax = self._credit(charge, sum(d.amount for d in same))
        before, after = self._shared(deal, -net)
        taken = {party: before[party] - after[party] for party in before}
        if charge.invoiced:
            taken[deal.issuer] = taken.get(deal.issuer, 0) + tax
        for standing in same:
            for party, amount in standing.parts.items():
                taken[party] -= amount
        own = (charge.agreement, charge.period)
        for party, amount in taken.items():
            frozen = min(amount, -self.book["PAY", party, *own])
            if frozen > 0:
                dispute.parts[party] = frozen
        self._hold(dispute, 1)

    def _hold(self, dispute: Dispute, sign: int) -> None:
        charge = self.charges[dispute.charge]
        own, buyer = (charge.agreement, charge.period), self.buyer(charge.agreement)
        total = sign * sum(dispute.parts.values())
        self.post(
            *((("PAY", party, *own), sign * amount) for party, amount in dispute.parts.items()),
            *((("HOLD", party, *own), -sign * amount) for party, amount in dispute.parts.items()),
            (("RCVD", buyer, *own), total),
            (("RCV", buyer, *own), -total),
        )

    def end(self, dispute: Dispute, state: str, upheld: int) -> None:
        dispute.state, dispute.upheld = state, upheld
        self._hold(dispute, -1)
        dispute.parts = {}
        if not upheld:
            return
        charge = self.charges[dispute.charge]
        net, tax = self._credit(charge, upheld)
        charge.credited += upheld
        charge.credited_net += net
        assert charge.credited <= charge.gross
        issued = [c.period for c in self.cycles.values() if ORDER.index(c.state) >= ORDER.index("statements_issued")]
        booked = charge.booked if not issued or max(issued) < charge.booked else month_after(max(issued))
        self._book(Charge(len(self.charges), charge.agreement, charge.revision, charge.period, booked, "credit", 0,
                          -upheld, -net, -tax, charge.number))  # fmt: skip

    # Statements and netting -------------------------------------------------------------------------------------------

    def due_of(self, party: str) -> int:
        """What a party's statement closes with: + is due to it."""
        return -sum(amount for key, amount in self.book.items() if key[1] == party and key[0] in PARTY_KINDS)

    def obligations(self) -> dict[Pair, Items]:
        """What is owed and was not netted; a negative sum is a refund unless it is only rounding."""
        parts: dict[Pair, list[tuple[str, str, int]]] = {}
        for (kind, party, agreement, period), amount in sorted(self.book.items()):
            if kind == "PAY" and agreement != "net" and amount:
                parts.setdefault((self.buyer(agreement), party), []).append((agreement, period, -amount))
        found: dict[Pair, list[tuple[str, str, int]]] = {}
        for (buyer, payee), items in parts.items():
            total = sum(amount for _, _, amount in items)
            if total > 0:
                found.setdefault((buyer, payee), []).extend(items)
            elif total < -len(items):
                found.setdefault((payee, buyer), []).extend((a, p, -amount) for a, p, amount in items)
        return {pair: tuple(sorted(items)) for pair, items in found.items()}

    def issue(self, cycle: Cycle, silent: set[str]) -> None:
        cycle.stated = self.obligations()
        owing = {party for pair in cycle.stated for party in pair}
        for party in sorted(self.moved.keys() | owing):
            if self.moved[party] or party in owing:
                closing = self.due_of(party)
                cycle.statements[party] = Stated(self.closing.get(party, 0), closing, silent=party in silent)
                self.closing[party] = closing
                self.moved[party] = 0

    def net(self, cycle: Cycle, day: str) -> None:
        ready: dict[Pair, Items] = {}
        for (debtor, creditor), items in cycle.stated.items():
            if not (cycle.statements[debtor].confirmed and cycle.statements[creditor].confirmed):
                continue
            open_ = []
            for agreement, period, stated in items:
                forward = self.buyer(agreement) == debtor
                claim = -self.book["PAY", creditor if forward else debtor, agreement, period]
                low, high = sorted((0, stated))
                amount = min(max(claim if forward else -claim, low), high)
                if amount:
                    open_.append((agreement, period, amount))
            if sum(amount for _, _, amount in open_) > 0:
                ready[debtor, creditor] = tuple(open_)
        cycle.limits, cycle.limited, cycle.stood = self.limits, {}, self.cover.stood(day)
        self._limit(cycle, ready, {})
        if ready:
            cycle.runs += 1
            self._net(cycle, 1)

    def _limit(self, cycle: Cycle, ready: dict[Pair, Items], paid: Mapping[Pair, Items]) -> None:
        """The run of what is ready within the limits, and of what is `paid`, which gives room to whom it is paid."""
        got = {party: sum(n for pair, items in paid.items() for _, _, n in items if pair[1] == party)
               for party, _ in cycle.limits.caps}  # fmt: skip
        room = replace(cycle.limits, caps=tuple((party, cap + got[party]) for party, cap in cycle.limits.caps))
        goes = chosen({pair: sum(n for _, _, n in items) for pair, items in ready.items()}, room)
        cycle.run = {pair: items for pair, items in ready.items() if pair in goes} | dict(paid)
        cycle.waiting = {pair: items for pair, items in ready.items() if pair not in goes}
        cycle.limited |= cycle.waiting

    def positions(self, cycle: Cycle) -> dict[str, int]:
        found: dict[str, int] = {}
        for (debtor, creditor), items in cycle.run.items():
            amount = sum(part for _, _, part in items)
            found[debtor] = found.get(debtor, 0) - amount
            found[creditor] = found.get(creditor, 0) + amount
        return found

    def final(self, cycle: Cycle) -> dict[str, int]:
        found = self.positions(cycle)
        for party, amount in self._brought(cycle):
            found[party] = found.get(party, 0) + amount
        return found

    def _brought(self, cycle: Cycle) -> list[tuple[str, int]]:
        return [*cycle.funded.items(), *cycle.covered.items()]

    def _net(self, cycle: Cycle, sign: int) -> None:
        legs: list[tuple[Key, int]] = []
        for (debtor, creditor), items in cycle.run.items():
            for agreement, period, amount in items:
                if self.buyer(agreement) == debtor:
                    legs += [
                        (("PAY", creditor, agreement, period), amount),
                        (("RCV", debtor, agreement, period), -amount),
                    ]
                else:
                    legs += [
                        (("PAY", debtor, agreement, period), -amount),
                        (("RCV", creditor, agreement, period), amount),
                    ]
        for party, amount in self.final(cycle).items():
            legs.append((("PAY" if amount > 0 else "RCV", party, "net", cycle.period), -amount))
        legs += [(("RCV", party, "net", cycle.period), amount) for party, amount in self._brought(cycle)]
        self.post(*((key, sign * amount) for key, amount in legs))

    # Money ------------------------------------------------------------------------------------------------------------

    def instruct(self, cycle: Cycle, manners: dict[str, str]) -> None:
        final = self.final(cycle)
        for party, amount in sorted(final.items()):
            if amount:
                way = "payout" if amount > 0 else "funding"
                self.orders.append(
                    Order(cycle.period, cycle.batches, way, party, abs(amount), manners.get(party, "pays"))
                )
        cycle.batches += 1
        cycle.instructed = True
        self._instruct(cycle, 1)

    def live(self, cycle: Cycle, way: str) -> list[Order]:
        return [o for o in self.orders if o.period == cycle.period and not o.void and o.direction == way]

    def _instruct(self, cycle: Cycle, sign: int) -> None:
        for order in self.live(cycle, "payout"):
            own = (order.party, "net", cycle.period)
            self.post((("PAY", *own), sign * order.amount), (("TRN", *own), -sign * order.amount))

    def due(self, order: Order) -> int:
        """Fen still to be booked on an instruction: what it says, but of a debt that two are to bring no more than is
        missing of it."""
        if order.direction == "payout":
            return 0 if order.returned else order.amount - order.booked
        both = [o for o in self.live(self.cycles[order.period], "funding") if o.party == order.party]
        missing = sum(o.amount for o in both if not o.by) - sum(o.booked for o in both)
        return min(order.amount - order.booked, missing)

    def done(self, cycle: Cycle, way: str) -> bool:
        return not any(self.due(order) for order in self.live(cycle, way))

    def asked(self, cycle: Cycle) -> dict[str, int]:
        """What guarantors are to be called for, by party, before anybody may be left out of an instructed cycle."""
        if cycle.called:
            return {}
        short = {o.party: self.due(o) for o in self.live(cycle, "funding") if self.due(o)}
        return self.cover.asked(short, cycle.stood)

    def called_elsewhere(self, cycle: Cycle) -> bool:
        """Is one of these guarantors still to pay for the same party in another cycle?"""
        pairs = {(party, cycle.stood[party].guarantor) for party in self.asked(cycle)}
        others = [o for other in self.cycles.values() if other is not cycle and other.state == "instructed"
                  for o in self.live(other, "funding")]  # fmt: skip
        return any(o.by and (o.party, o.by) in pairs and self.due(o) for o in others)

    def call(self, cycle: Cycle, manners: dict[str, str]) -> None:
        for party, amount in sorted(self.asked(cycle).items()):
            by = cycle.stood[party].guarantor
            self.orders.append(Order(cycle.period, cycle.batches, "funding", party, amount, manners[party], by=by))
        cycle.batches += 1
        cycle.called = True

    def locked(self, party: str) -> bool:
        """Was a cycle that is not funded netted under a guarantee for the party, which is in its run?"""
        return any(c.state in ("netted", "instructed") and party in c.stood and party in self.final(c)
                   for c in self.cycles.values())  # fmt: skip

    def repay(self, guarantor: str, party: str, period: str, amount: int) -> None:
        """The guarantor says that it got so much from the party, not over the account."""
        self.cover.pay(guarantor, party, period, -amount)
        self.cash[party] -= amount
        self.cash[guarantor] += amount

    def default(self, cycle: Cycle) -> None:
        """Who is short leaves with all it owes and is owed, but for the part of its debts that what it and then its
        guarantor brought pays; what others paid in counts, or comes back."""
        own, paid = dict(cycle.funded), dict(cycle.covered)
        for order in self.live(cycle, "funding"):
            if order.booked:
                brought = paid if order.by else own
                brought[order.party] = brought.get(order.party, 0) + order.booked
        leaves = self._leaving(cycle, own, paid)
        assert leaves
        self._instruct(cycle, -1)
        self._net(cycle, -1)
        for order in self.orders:
            order.void = order.void or order.period == cycle.period
        left = {pair: items for pair, items in cycle.run.items() if leaves & set(pair)}
        needs, parts = dict[str, int](), dict[Pair, Items]()
        for party in leaves:
            owes = {pair: items for pair, items in left.items() if pair[0] == party}
            needs[party] = sum(n for items in owes.values() for _, _, n in items) - own.get(party, 0)
            parts |= paid_parts(own.get(party, 0) + paid.get(party, 0), owes)
        self._limit(cycle, {pair: items for pair, items in cycle.run.items() if pair not in left}, parts)
        needs = {party: -net - own.get(party, 0) for party, net in self.positions(cycle).items()} | needs
        cycle.funded, cycle.covered, cycle.instructed, cycle.called = own, {}, False, False
        for party, amount in paid.items():
            self._counts(cycle, party, amount, max(0, min(amount, needs.get(party, 0))))
        cycle.runs += 1
        cycle.defaults += 1
        self._net(cycle, 1)

    def _leaving(self, cycle: Cycle, own: dict[str, int], paid: dict[str, int]) -> set[str]:
        """Who is short by itself and is not helped by its guarantor, also not when others have left."""
        short = {party for party, net in self.positions(cycle).items() if net + own.get(party, 0) < 0}
        leaves: set[str] = set()
        while True:
            stays = replace(cycle, run={pair: items for pair, items in cycle.run.items() if not leaves & set(pair)})
            nets = self.positions(stays)
            more = {party for party in short - leaves
                    if nets.get(party, 0) + own.get(party, 0) + paid.get(party, 0) < 0}  # fmt: skip
            if not more:
                return leaves
            leaves |= more

    def _counts(self, cycle: Cycle, party: str, paid: int, used: int) -> None:
        """Of what a guarantor paid so much is used for the party; the rest is the guarantor's, as if it had brought it
        for itself."""
        guarantor, back = cycle.stood[party].guarantor, paid - used
        if used:
            cycle.covered[party] = used
        if back:
            cycle.funded[guarantor] = cycle.funded.get(guarantor, 0) + back
            self.cover.pay(guarantor, party, cycle.period, -back)
            self.post((("RCV", party, "net", cycle.period), back), (("RCV", guarantor, "net", cycle.period), -back))

    def entry(self, amount: int, order: Order | None, code: str) -> None:
        """One booked bank entry: by id and amount only; what does not fit waits in suspense."""
        self.bank += amount
        self.entries += 1
        account, suspense = ("BNK", BANK_ACCOUNT, "", ""), ("SUS", BANK_ACCOUNT, "", "")
        if order is not None and not order.void:
            own, due = (order.party, "net", order.period), self.due(order)
            if order.direction == "funding" and amount > 0 and due > 0:
                applied = min(due, amount)
                order.booked += applied
                self.cash[order.by or order.party] -= applied
                if order.by:
                    self.cover.pay(order.by, order.party, order.period, applied)
                self.post((account, amount), (("RCV", *own), -applied), (suspense, applied - amount))
                return
            if order.direction == "payout":
                if code and amount == order.booked and not order.returned:
                    order.returned = True
                    self.cash[order.party] -= amount
                    self.post((account, amount), (("PAY", *own), -amount))
                    return
                if -amount == order.amount and not order.booked:
                    order.booked = order.amount
                    self.cash[order.party] -= amount
                    self.post((account, amount), (("TRN", *own), -amount))
                    return
        self.post((account, amount), (suspense, -amount))

    def advance(self, cycle: Cycle) -> str:
        """The state the bank's entries allow."""
        state = cycle.state
        if state == "instructed" and cycle.instructed and self.done(cycle, "funding"):
            state = "funded"
        if state == "funded" and self.done(cycle, "payout"):
            state = "settled"
        return state

    # From scratch -----------------------------------------------------------------------------------------------------

    def earned(self) -> dict[str, int]:
        """What each party has been entitled to in all (as a payee) less what it was charged (as a buyer), from the last
        reading of every period, whatever the order in which things came."""
        found: defaultdict[str, int] = defaultdict(int)
        nets: defaultdict[str, int] = defaultdict(int)
        for (agreement, revision, _), units in self.readings.items():
            deal = self.deals[agreement, revision]
            gross, net, _ = taxed(deal, half_up(price(deal, units)))
            nets[deal.lineage] += net
            found[deal.buyer] -= gross
        for charge in self.charges:
            deal = self.deals[charge.agreement, charge.revision]
            if charge.kind == "credit":
                nets[deal.lineage] += charge.net
                found[deal.buyer] -= charge.gross
            if charge.invoiced:
                found[deal.issuer] += charge.tax
        for deal in {deal.lineage: deal for deal in self.deals.values()}.values():
            for party, amount in paid(deal.plan, deal.lineage, nets[deal.lineage]).items():
                found[party] += amount
        for claim, amount in self.called.items():
            found[self.guarantors[claim]] -= amount
            found[claim.rpartition("/")[2]] += amount
        return dict(found)


BANK_ACCOUNT = "0100000000000001"


def month_after(period: str) -> str:
    year, month = map(int, period.split("-"))
    return f"{year + month // 12}-{month % 12 + 1:02d}"
