"""The settlement of one 项目周期: fees of accepted orders, damages, advances used up, what is paid and what is carried.

    order_fee(o)  = Σ_items price × accepted × coefficient                                        4.5.1
    settlement(c) = 90 % × Σ_accepted order_fee − (monthly damages not waived + incident damages)  4.5.3
    balance       = settlement − (advances in the netting basis + carry in)
    pay           = max(0, balance);   carry out = max(0, −balance)

Exact to the end, then once half up to fen on the settlement; damages are whole fen, so only its first term is rounded.
Source: domain clearing §5, S1–S5, S9; invariants 21, 23, 24.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from clearing import money
from clearing.errors import BadTerms, WrongMove
from clearing.settlement.service_order.coefficient import Standing, standing_of
from clearing.settlement.service_order.damages import (
    IncidentDamages,
    MonthDamages,
    MonthScore,
    Right,
    incident_fen,
    month_damages,
    termination,
)
from clearing.settlement.service_order.scheme import Negative, NettingBasis, Scheme, Stacking
from clearing.terms import MAX_FEN, Fen, Positive, Quantity, Short

MonthName = Annotated[str, Meta(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])\Z")]
UNACCEPTED = "未验收 / not accepted"


@dataclass(frozen=True, slots=True)
class Item:
    """服务项: `price` fen per `per` units, `quantity` units ordered."""

    code: Short
    name: Short
    price: Fen
    quantity: Positive
    per: Positive = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the provider claims of an item and what the 监理 accepts; only the latter is paid."""

    code: Short
    claimed: Quantity
    accepted: Quantity


@dataclass(frozen=True, slots=True)
class Order:
    """A 服务单 as it comes into a settlement: without `accepted` it was not accepted. Scores are exact text."""

    order: str
    items: tuple[Item, ...]
    accepted: tuple[Accepted, ...] | None = None
    score: str | None = None
    rescore: str | None = None
    zeroed: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of 5.5.2 that the 监理 document names for one incident; `fact` is the id of what happened."""

    fact: str
    number: int


@dataclass(frozen=True, slots=True)
class Carry:
    """What goes from one 项目周期 to the next, fen: advances not used up, and settlements below zero."""

    advance: Fen = 0
    penalty: Fen = 0

    @property
    def total(self) -> int:
        return self.advance + self.penalty


@dataclass(frozen=True, slots=True)
class Advances:
    """预付服务费 paid in this 项目周期, fen: P1 and P2."""

    first: Fen = 0
    second: Fen = 0

    def netted(self, basis: NettingBasis) -> int:
        """How much of it a settlement uses up (S1)."""
        return self.first + (self.second if basis is NettingBasis.BOTH else 0)


@dataclass(frozen=True, slots=True)
class ProjectCycle:
    """A 项目周期: `first` to `last` month, when it was accepted (seconds UTC), its advances and what came over."""

    name: Short
    first: MonthName
    last: MonthName
    accepted_at: int
    advances: Advances = Advances()
    carry_in: Carry = Carry()
    budget: Fen = MAX_FEN
    settled_before: Fen = 0


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order in a settlement: exact fee and the fee rounded for display; no fee, and why, while it is held."""

    order: str
    grade: str
    coefficient: str
    fee: str
    shown: int
    held: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """项目周期结算. Fen; `fees` and `memo` (the part no formula pays, S2) are exact.

    `counted` is what of the settlement enters the balance and `collected` what is demanded of the provider at once:
    both differ from carrying on only for a settlement below zero (S4). `used` are the advances used up.
    """

    cycle: str
    orders: tuple[OrderLine, ...]
    months: tuple[MonthDamages, ...]
    incidents: tuple[IncidentDamages, ...]
    fees: str
    earned: int
    memo: str
    damages: int
    settlement: int
    counted: int
    collected: int
    netted: int
    used: int
    carry_in: Carry
    pay: int
    carry_out: Carry
    may_defer: bool
    right: Right | None = None


def months_of(first: str, last: str) -> tuple[str, ...]:
    """The months "YYYY-MM" from `first` to `last`, both included. Raises BadTerms for an end before the start."""
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    if start > end:
        raise BadTerms("last", f"≥ {first}", last)
    return tuple(f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, end + 1))


def order_fee(items: Sequence[Item], accepted: Sequence[Accepted], coefficient: str) -> Fraction:
    """4.5.1, exact fen, without the 90 %. Raises BadTerms unless each item is accepted once, up to what was ordered."""
    codes = [item.code for item in items]
    if sorted(codes) != sorted(line.code for line in accepted):
        raise BadTerms("accepted", " ".join(codes), " ".join(line.code for line in accepted))
    prices = {item.code: item for item in items}
    total = Fraction(0)
    for place, line in enumerate(accepted):
        item = prices[line.code]
        if line.accepted > item.quantity:
            raise BadTerms(f"accepted[{place}].accepted", f"≤ {item.quantity}", line.accepted)
        total += Fraction(item.price * line.accepted, item.per)
    return total * Fraction(coefficient)


def order_line(order: Order, scheme: Scheme) -> OrderLine:
    """One order: its fee, or why it waits for a later 项目周期. Raises BadTerms, WrongMove."""
    standing = standing_of(order.score, scheme, rescore=order.rescore, zeroed=order.zeroed)
    if order.accepted is None:
        standing = Standing(standing.grade, None, UNACCEPTED)
    if order.accepted is None or standing.coefficient is None:
        return OrderLine(order.order, standing.grade, "", "0", 0, standing.held)
    fee = order_fee(order.items, order.accepted, standing.coefficient)
    shown = money.round_half_up(fee)
    return OrderLine(order.order, standing.grade, standing.coefficient, str(fee), shown, "")


def settle(
    cycle: ProjectCycle, orders: Sequence[Order], months: Sequence[MonthScore], incidents: Sequence[Incident],
    scheme: Scheme, *, scored_facts: Set[str] = frozenset(),
) -> Settlement:  # fmt: skip
    """Settles a 项目周期. `scored_facts` are the facts its cards deduct (S9).

    Raises WrongMove while a month has no score (S5), BadTerms for a month, order or incident that comes twice or does
    not belong, BadMoney out of bounds.
    """
    by_month = _months(cycle, months)
    _once("orders", [order.order for order in orders])
    _once("incidents", [incident.fact for incident in incidents])
    lines = tuple(order_line(order, scheme) for order in sorted(orders, key=lambda order: order.order))
    monthly = tuple(month_damages(month, cycle.accepted_at, scheme) for month in by_month)
    costs = tuple(_incident(incident, scheme, scored_facts) for incident in incidents)
    fees = sum((Fraction(line.fee) for line in lines), Fraction(0))
    earned = money.round_half_up(fees * scheme.settled / 100)
    damages = sum(month.fen for month in monthly) + sum(cost.fen for cost in costs)
    settlement = money.fen(earned - damages, "settlement")
    floored = settlement if scheme.negative is Negative.CARRY else max(0, settlement)
    collected = floored - settlement if scheme.negative is Negative.COLLECT else 0
    netted = cycle.advances.netted(scheme.netting_basis)
    pay, used, carry = _balance(floored, netted, cycle.carry_in)
    return Settlement(
        cycle=cycle.name, orders=lines, months=monthly, incidents=costs, fees=str(fees), earned=earned,
        memo=str(fees * (100 - scheme.settled) / 100), damages=damages, settlement=settlement, counted=floored,
        collected=collected, netted=netted, used=used, carry_in=cycle.carry_in, pay=pay, carry_out=carry,
        may_defer=cycle.settled_before + max(0, settlement) > cycle.budget, right=termination(by_month, scheme),
    )  # fmt: skip


def refund(last: Settlement) -> Carry:
    """What the buyer claims back when the agreement ends: the carry of its last settlement. How much a settlement below
    zero left in it was decided by `negative` when it was settled (S4)."""
    return last.carry_out


def advance(award: int, percent: int) -> int:
    """P1 or P2: `percent` of 中标金额 (fen), half up."""
    return money.round_half_up(Fraction(money.fen(award, "award", least=0) * percent, 100))


def _balance(counted: int, netted: int, carry_in: Carry) -> tuple[int, int, Carry]:
    """What was earned pays old penalties first, then uses up advances; what remains is paid."""
    left = max(0, counted)
    penalty = min(left, carry_in.penalty)
    advances = netted + carry_in.advance
    used = min(left - penalty, advances)
    carry = Carry(advances - used, carry_in.penalty - penalty + max(0, -counted))
    return left - penalty - used, used, carry


def _months(cycle: ProjectCycle, months: Sequence[MonthScore]) -> tuple[MonthScore, ...]:
    wanted = months_of(cycle.first, cycle.last)
    _once("months", [month.month for month in months])
    given = {month.month: month for month in months}
    if foreign := sorted(set(given) - set(wanted)):
        raise BadTerms("months", f"{cycle.first} … {cycle.last}", " ".join(foreign))
    if missing := [month for month in wanted if month not in given]:
        names = " ".join(missing)
        raise WrongMove(cycle.name, "每月有评分 / a score for every month", f"缺 {names} / missing: {names}")
    return tuple(given[month] for month in wanted)


def _incident(incident: Incident, scheme: Scheme, scored: Set[str]) -> IncidentDamages:
    fen, also = incident_fen(incident.number, scheme), incident.fact in scored
    spared = also and scheme.stacking is Stacking.SCORE_ONLY
    return IncidentDamages(incident.fact, incident.number, 0 if spared else fen, also)


def _once(field: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise BadTerms(field, "每项一次 / each once", sorted(name for name in names if names.count(name) > 1)[0])
