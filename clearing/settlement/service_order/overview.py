"""A whole contract as its facts make it: orders, months, incidents, 项目周期, and what waits for whom until when.

For people who look; nothing here decides. What waits is what a party may state next, by the same kinds and signers as
`statements`; it has an end only where the scheme gives one (payment).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from clearing.settlement.service_order.case import (
    IncidentSheet,
    MonthScored,
    MonthSheet,
    OrderSheet,
    month_window,
    score_month,
    score_order,
)
from clearing.settlement.service_order.clocks import Invoiced, payment_due
from clearing.settlement.service_order.coefficient import RECTIFYING, Standing, standing_of
from clearing.settlement.service_order.damages import band_of, incident_fen
from clearing.settlement.service_order.scheme import MonthBand, Scheme
from clearing.settlement.service_order.scorecard import Scored
from clearing.settlement.service_order.settling import Order, OrderLine, months_of, order_line
from clearing.settlement.service_order.statements import (
    MONTHLY_SCORE,
    ORDER_ACCEPTANCE,
    ORDER_SCORE,
    ORDER_ZEROED,
    PROJECT_ACCEPTANCE,
    PROJECT_INVOICE,
    PROJECT_PAYMENT,
    PROJECT_SETTLEMENT,
    Contract,
    CycleAccepted,
    CycleInvoiced,
    CyclePaid,
    CycleSettled,
    IncidentFound,
    MonthlyScore,
    OrderAcceptance,
    OrderScore,
    OrderZeroed,
    Placed,
    Waiver,
    body_in,
    folded,
    id_of,
)
from ledger.facts import Fact
from registry.asset import Twin
from registry.calendar import text_of


@dataclass(frozen=True, slots=True)
class OrderView:
    """A 服务单: its sheet, its scores, where they put it, and its line as it would enter a settlement now; `settled`
    names the 项目周期 that took it in."""

    id: str
    name: str
    placed_at: int
    sheet: OrderSheet
    first: Scored | None
    again: Scored | None
    standing: Standing
    line: OrderLine
    settled: str = ""


@dataclass(frozen=True, slots=True)
class MonthView:
    """A month with its score and the band it is in, whoever forgoes what that costs. `waiver` is the decision that
    does."""

    sheet: MonthSheet
    scored: MonthScored
    band: MonthBand
    waiver: Twin | None = None

    @property
    def month(self) -> str:
        return self.sheet.month


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident and what its row costs, fen; `settled` names the 项目周期 that counted it."""

    sheet: IncidentSheet
    fen: int
    found_at: int
    settled: str = ""


@dataclass(frozen=True, slots=True)
class CycleView:
    """A 项目周期 and what was said of it. Times are seconds UTC; `due` is the end of the last day of payment."""

    accepted: CycleAccepted
    accepted_at: int
    settled: CycleSettled | None = None
    invoice: CycleInvoiced | None = None
    due: int | None = None
    paid: CyclePaid | None = None

    @property
    def name(self) -> str:
        return self.accepted.cycle

    @property
    def pay(self) -> int:
        """What its settlement pays, fen."""
        return self.settled.settlement.pay if self.settled else 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A statement that is waited for: of this kind, about an order, a month or a 项目周期, perhaps until an instant.

    `open` says that it may be made but nobody waits: there is no clock and nothing else stands still.
    """

    kind: str
    about: str
    until: int | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """A contract whole. `running` are the months since the last settled 项目周期: the first, and the last of an
    accepted one ("" before its acceptance)."""

    contract: Contract
    concluded_at: int
    orders: tuple[OrderView, ...]
    months: tuple[MonthView, ...]
    incidents: tuple[IncidentView, ...]
    cycles: tuple[CycleView, ...]
    running: tuple[str, str]
    turns: tuple[Turn, ...]

    @property
    def open_cycle(self) -> CycleView | None:
        """The 项目周期 that is accepted and not settled."""
        return self.cycles[-1] if self.cycles and self.cycles[-1].settled is None else None


def overview(facts: Iterable[Fact], at: int) -> Overview:
    """The contract whose facts these are, each subject's in their order; `at` is now, seconds UTC. Raises BadTerms."""
    sheets: dict[str, OrderSheet] = {}
    placed: dict[str, tuple[str, int]] = {}
    months: dict[str, MonthSheet] = {}
    waivers: dict[str, Twin] = {}
    found: list[tuple[IncidentSheet, int]] = []
    cycles: dict[str, CycleView] = {}
    invoiced_at: dict[str, int] = {}
    contract, concluded_at = None, 0
    for fact in facts:
        body, own = body_in(fact.statement), id_of(fact.subject)
        match body:
            case Contract():
                contract, concluded_at = body, fact.at
            case Placed() | OrderScore() | OrderAcceptance() | OrderZeroed():
                sheets[own] = folded(sheets.get(own), own, body)
                if isinstance(body, Placed):
                    placed[own] = (body.name, fact.at)
            case MonthlyScore():
                months[body.month] = MonthSheet(body.month, body.events, body.faults, body.outages)
            case Waiver():
                months[body.month] = replace(months[body.month], waived_at=fact.at)
                waivers[body.month] = body.document
            case IncidentFound():
                found.append((IncidentSheet(body.fact, body.number, body.document), fact.at))
            case CycleAccepted():
                cycles[own] = CycleView(body, fact.at)
            case CycleSettled():
                cycles[own] = replace(cycles[own], settled=body)
            case CycleInvoiced():
                cycles[own] = replace(cycles[own], invoice=body)
                invoiced_at[own] = fact.at
            case CyclePaid():
                cycles[own] = replace(cycles[own], paid=body)
    assert contract is not None
    scheme, held = contract.scheme, sorted(cycles.items(), key=lambda item: item[1].accepted.first)
    own_cycles = tuple(_dated(cycle, invoiced_at.get(own), scheme) for own, cycle in held)
    orders = tuple(_order(name, *placed[name], sheet, own_cycles, scheme) for name, sheet in sheets.items())
    orders = tuple(sorted(orders, key=lambda order: (order.placed_at, order.name, order.id)))
    monthly = tuple(_months(months, waivers, scheme))
    incidents = tuple(_incident(sheet, since, own_cycles, scheme) for sheet, since in found)
    running = _running(own_cycles, monthly, concluded_at)
    turns = tuple(_turns(orders, monthly, own_cycles, running, at))
    return Overview(contract, concluded_at, orders, monthly, incidents, own_cycles, running, turns)


def _dated(cycle: CycleView, invoiced_at: int | None, scheme: Scheme) -> CycleView:
    if cycle.invoice is None or invoiced_at is None:
        return cycle
    due = payment_due(cycle.pay, cycle.accepted_at, Invoiced(cycle.invoice.fen, invoiced_at), scheme)
    return replace(cycle, due=due.due)


def _order(
    own: str, name: str, placed_at: int, sheet: OrderSheet, cycles: Sequence[CycleView], scheme: Scheme
) -> OrderView:
    first = None if sheet.scored is None else score_order(own, sheet.scored, scheme)
    again = None if sheet.rescored is None else score_order(own, sheet.rescored, scheme)
    scores = (first.score if first else None, again.score if again else None)
    standing = standing_of(scores[0], scheme, rescore=scores[1], zeroed=sheet.zeroed)
    line = order_line(Order(own, sheet.items, sheet.accepted, *scores, sheet.zeroed), scheme)
    settled = [
        cycle.name for cycle in cycles if cycle.settled
        for one in cycle.settled.settlement.orders if one.order == own and not one.held
    ]  # fmt: skip
    return OrderView(own, name, placed_at, sheet, first, again, standing, line, settled[0] if settled else "")


def _months(months: dict[str, MonthSheet], waivers: dict[str, Twin], scheme: Scheme) -> Iterator[MonthView]:
    """In their order, because a fault that comes again costs more than its first time."""
    causes: list[str] = []
    for name in sorted(months):
        sheet = months[name]
        scored = score_month(sheet, scheme, causes)
        causes += [fault.cause for fault in sheet.faults]
        yield MonthView(sheet, scored, band_of(scored.scored.score, scheme), waivers.get(name))


def _incident(sheet: IncidentSheet, found_at: int, cycles: Sequence[CycleView], scheme: Scheme) -> IncidentView:
    settled = [
        cycle.name for cycle in cycles if cycle.settled
        for item in cycle.settled.settlement.incidents if item.fact == sheet.fact
    ]  # fmt: skip
    return IncidentView(sheet, incident_fen(sheet.number, scheme), found_at, settled[0] if settled else "")


def _running(cycles: Sequence[CycleView], months: Sequence[MonthView], concluded_at: int) -> tuple[str, str]:
    if cycles and cycles[-1].settled is None:
        return cycles[-1].accepted.first, cycles[-1].accepted.last
    if cycles:
        return _after(cycles[-1].accepted.last), ""
    return min([text_of(concluded_at)[:7], *(item.month for item in months)]), ""


def _after(month: str) -> str:
    """The month after one."""
    return text_of(month_window(month)[1])[:7]


def _turns(
    orders: Sequence[OrderView], months: Sequence[MonthView], cycles: Sequence[CycleView], running: tuple[str, str],
    at: int,
) -> Iterator[Turn]:  # fmt: skip
    for cycle in cycles:
        if cycle.settled and cycle.pay and cycle.paid is None:
            yield Turn(PROJECT_PAYMENT if cycle.invoice else PROJECT_INVOICE, cycle.name, cycle.due)
    for order in orders:
        if order.settled:
            continue
        if order.standing.held:
            yield Turn(ORDER_SCORE, order.id)
        if order.standing.held == RECTIFYING:
            yield Turn(ORDER_ZEROED, order.id, open=True)
        if order.sheet.accepted is None:
            yield Turn(ORDER_ACCEPTANCE, order.id)
    first, last = running
    scored = {item.month for item in months}
    missing = [name for name in _ended(first, at) if name not in scored]
    yield from (Turn(MONTHLY_SCORE, name) for name in missing)
    if last and not any(name <= last for name in missing):
        yield Turn(PROJECT_SETTLEMENT, cycles[-1].name)
    elif not last and first in scored:
        yield Turn(PROJECT_ACCEPTANCE, first, open=True)


def _ended(first: str, at: int) -> tuple[str, ...]:
    """The months from `first` on that are over."""
    before = text_of(month_window(text_of(at)[:7])[0] - 1)[:7]
    return months_of(first, before) if first <= before else ()
