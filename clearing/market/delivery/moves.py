"""Where each item of a delivery stands: one table of (state, act, side), the clock of the inspection, the quantities.

An item moves by itself, so acceptance may be partial by item. Every act has one target, whatever it came from, and what
silence brings about is no act: it is computed from the receipt, the terms, the calendar and the time handed in, and
never stored. So the facts alone fold into a case, and a reading names the instant it was made for.
Source: exchange.md §4.8; 民法典 201, 203, 621, 622, 646.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from clearing.errors import BadTerms, TooEarly, WrongMove
from clearing.market.agreement import Terms
from clearing.market.delivery.act import Act, DeliveryAct, Sent, Shipment, Side, same
from clearing.market.errors import Lapsed, NotEntitled
from clearing.market.promise import Counting, Inspection, Silence
from clearing.terms import DAY, BillingBasis, month
from registry.calendar import ONE_DAY, Calendar, add_years, day_of, end_of, last_day
from registry.clocks import Due, Running
from registry.errors import CalendarPending

FUTURE_LIMIT = 300
"""Seconds a stated time of delivery may lie ahead of its receipt (§5.3)."""
LONGEST_YEARS = 2
"""民法典 621: without an agreed period, two years from the receipt at most."""
CLOCK = "inspection"


class State(StrEnum):
    """Where an item stands. DEEMED is never stored: it is how an inspection reads that ended in silence."""

    NONE = "NONE"
    SENT = "SENT"
    INSPECTION = "INSPECTION"
    DEEMED = "DEEMED"
    OBJECTED = "OBJECTED"
    CONTESTED = "CONTESTED"
    RECTIFYING = "RECTIFYING"
    ESCALATED = "ESCALATED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"


_P, _C, _D = Side.PROVIDER, Side.CONSUMER, Side.DECIDER
_IN_DISPUTE = (State.OBJECTED, State.CONTESTED, State.RECTIFYING)

MOVES: Mapping[tuple[State, Act, Side], State] = {
    (State.NONE, Act.DELIVER, _P): State.SENT,
    (State.SENT, Act.WITHDRAW, _P): State.WITHDRAWN,
    (State.SENT, Act.RECEIVE, _C): State.INSPECTION,
    (State.SENT, Act.REFUSE, _C): State.OBJECTED,
    **{(state, Act.ACCEPT, _C): State.ACCEPTED
       for state in (State.INSPECTION, State.DEEMED, *_IN_DISPUTE, State.ESCALATED)},
    (State.INSPECTION, Act.OBJECT, _C): State.OBJECTED,
    (State.DEEMED, Act.LATE, _C): State.OBJECTED,
    (State.OBJECTED, Act.ADMIT, _P): State.RECTIFYING,
    (State.CONTESTED, Act.ADMIT, _P): State.RECTIFYING,
    (State.OBJECTED, Act.CONTEST, _P): State.CONTESTED,
    **{(state, Act.REDELIVER, _P): State.SENT for state in _IN_DISPUTE},
    **{(state, Act.CONCEDE, _P): State.REJECTED for state in (*_IN_DISPUTE, State.ESCALATED)},
    **{(state, Act.ESCALATE, _C): State.ESCALATED for state in _IN_DISPUTE},
    (State.CONTESTED, Act.ESCALATE, _P): State.ESCALATED,
    (State.ESCALATED, Act.DECIDE, _D): State.DECIDED,
}  # fmt: skip
"""Every move. Time makes the others: an inspection that ends in silence reads DEEMED, OBJECTED or ESCALATED."""
TARGETS: Mapping[Act, State] = {act: target for (_, act, _), target in MOVES.items()}
FINAL = frozenset({State.ACCEPTED, State.REJECTED, State.DECIDED, State.WITHDRAWN})
TURNS: Mapping[State, Side] = {
    State.SENT: _C, State.INSPECTION: _C, State.OBJECTED: _P, State.RECTIFYING: _P, State.CONTESTED: _C,
    State.ESCALATED: _D,
}  # fmt: skip
"""Whose turn it is; nobody has to do anything about what is deemed accepted or final."""
_SILENCE = {Silence.ACCEPT: State.DEEMED, Silence.REJECT: State.OBJECTED, Silence.ESCALATE: State.ESCALATED}


class Progress(StrEnum):
    """Where the whole delivery stands: the item that keeps it open, else what came of it."""

    DECISION = "DECISION"
    DISPUTED = "DISPUTED"
    DELIVERED = "DELIVERED"
    INSPECTION = "INSPECTION"
    WITHDRAWN = "WITHDRAWN"
    ACCEPTED = "ACCEPTED"
    PARTLY = "PARTLY"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: of `quantity` so much is `accepted`, so much `rejected`, and the rest `pending` in its state.

    `sent` is what was handed over last, `round` counts deliveries from 1, `received_at` is when the receipt was taken
    in (seconds UTC); only an item under inspection has it.
    """

    sent: Sent
    quantity: int
    pending: int
    state: State = State.SENT
    accepted: int = 0
    rejected: int = 0
    round: int = 1
    received_at: int | None = None

    @property
    def id(self) -> str:
        """Its name in the delivery."""
        return self.sent.item


@dataclass(frozen=True, slots=True)
class Case:
    """A delivery as its facts say it is. `since` is when its last act was taken in."""

    agreement: str
    provider: str
    consumer: str
    shipment: Shipment
    items: tuple[Item, ...]
    since: int


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it reads at an instant: `state` after silence, `due` the inspection's clock, `deemed` what silence
    accepted."""

    item: Item
    state: State
    due: Due
    deemed: int

    @property
    def accepted(self) -> int:
        """有效完成数量: what was accepted, by act, by decision or by silence."""
        return self.item.accepted + self.deemed


@dataclass(frozen=True, slots=True)
class Counted:
    """What settlement reads of a delivery in one unit: `delivered` is only claimed, `accepted` is what counts.

    `deemed` is the part of `accepted` that silence accepted, `inspected` waits for the receipt or the inspection,
    `disputed` for an answer or a decision. A withdrawn item counts nowhere.
    """

    unit: str
    delivered: int
    accepted: int
    deemed: int
    inspected: int
    disputed: int
    rejected: int


def inspection_of(terms: Terms) -> Inspection:
    """How the terms let a delivery be inspected."""
    return terms.inspection or Inspection()


def inspection_ends(received_at: int, terms: Terms, calendar: Calendar) -> int:
    """The first second at which silence counts, for a receipt taken in at `received_at` (both seconds UTC).

    The day of the receipt is not counted. Natural days end on a working day (民法典 203). Where no period was agreed,
    or quality shows only in use, it is the two years of 民法典 621. Raises `CalendarPending`: a date is never guessed.
    """
    start, inspection, days = day_of(received_at), inspection_of(terms), terms.acceptance_days
    if days == 0 or inspection.quality_in_use:
        return end_of(add_years(start, LONGEST_YEARS))
    if inspection.counting is Counting.WORKING_DAYS:
        return end_of(last_day(start, days, calendar))
    last = start + days * ONE_DAY
    while not calendar.is_working(last):
        last += ONE_DAY
    return end_of(last)


def longest_inspection(terms: Terms) -> int:
    """Seconds within which an inspection has ended under every calendar; more than it takes, never less."""
    days = terms.acceptance_days
    if days == 0 or inspection_of(terms).quality_in_use:
        return (LONGEST_YEARS * 366 + 1) * DAY
    return (2 * days + 31) * DAY


def clock(item: Item, terms: Terms, calendar: Calendar) -> Due:
    """The clock of an item: none unless it is under inspection, pending while the year is not published."""
    if item.received_at is None:
        return Due(CLOCK, Running.NONE)
    try:
        ends = inspection_ends(item.received_at, terms, calendar)
    except CalendarPending as pending:
        return Due(CLOCK, Running.PENDING, year=pending.year)
    first, last = day_of(item.received_at), day_of(ends - 1)
    counted = terms.acceptance_days and not inspection_of(terms).quality_in_use
    version = calendar.version_used(first, last) if counted else ""
    return Due(CLOCK, Running.RUNNING, last.isoformat(), ends, version)


def seen(item: Item, terms: Terms, calendar: Calendar, at: int) -> Seen:
    """The item as it reads at `at`. While the calendar is not published nothing is deemed."""
    due = clock(item, terms, calendar)
    if item.state is not State.INSPECTION or due.ends is None or at < due.ends:
        return Seen(item, item.state, due, 0)
    state = _SILENCE[terms.silence]
    return Seen(item, state, due, item.pending if state is State.DEEMED else 0)


def seen_all(case: Case, terms: Terms, calendar: Calendar, at: int) -> tuple[Seen, ...]:
    """Every item as it reads at `at`, in the order of the delivery."""
    return tuple(seen(item, terms, calendar, at) for item in case.items)


def progress(items: Iterable[Seen]) -> Progress:
    """Where the whole delivery stands."""
    items = tuple(items)
    states = {item.state for item in items}
    if State.ESCALATED in states:
        return Progress.DECISION
    if states & set(_IN_DISPUTE):
        return Progress.DISPUTED
    if State.SENT in states:
        return Progress.DELIVERED
    if State.INSPECTION in states:
        return Progress.INSPECTION
    if states == {State.WITHDRAWN}:
        return Progress.WITHDRAWN
    if not any(item.item.rejected for item in items):
        return Progress.ACCEPTED
    return Progress.PARTLY if any(item.accepted for item in items) else Progress.REJECTED


def counted(items: Iterable[Seen]) -> tuple[Counted, ...]:
    """The quantities by unit, in the order of the units."""
    rows: dict[str, list[int]] = {}
    for one in items:
        if one.state is State.WITHDRAWN:
            continue
        row = rows.setdefault(one.item.sent.unit, [0] * 6)
        waits = one.item.pending - one.deemed
        disputed = one.state in (*_IN_DISPUTE, State.ESCALATED)
        added = (one.item.quantity, one.accepted, one.deemed, 0 if disputed else waits, waits if disputed else 0,
                 one.item.rejected)  # fmt: skip
        rows[one.item.sent.unit] = [have + more for have, more in zip(row, added, strict=True)]
    return tuple(Counted(unit, *row) for unit, row in sorted(rows.items()))


def open_acts(state: State, side: Side) -> tuple[Act, ...]:
    """What this side may do about an item in this state."""
    return tuple(act for act in Act if (state, act, side) in MOVES)


def decide(case: Case | None, body: DeliveryAct, terms: Terms, calendar: Calendar, at: int) -> Case:
    """The delivery after this act, by everything that needs no registry. `terms` are those it was made under.

    Raises `WrongMove` for an act the state of an item does not allow, `NotEntitled` for other parties, `Lapsed` for an
    objection after the inspection, `BadTerms` for content that does not fit, `TooEarly` for a period still running.
    """
    if case is None:
        _require_move(State.NONE, body, "—")
        assert body.shipment is not None
        _check_made(body.shipment, terms, at)
        return moved(None, body, at)
    if (body.agreement, body.provider, body.consumer) != (case.agreement, case.provider, case.consumer):
        expected = f"{case.provider} → {case.consumer}, {case.agreement[:12]}…"
        raise NotEntitled(body.act, expected, f"{body.provider} → {body.consumer}, {body.agreement[:12]}…")
    items = {one.item.id: one for one in seen_all(case, terms, calendar, at)}
    for name in body.named:
        if name not in items:
            raise BadTerms("body.items", " | ".join(items)[:400], name)
        one = items[name]
        if one.state is State.DEEMED and body.act is Act.OBJECT:
            raise Lapsed(f"items[{name}].inspection", (one.due.ends or 1) - 1, at)
        _require_move(one.state, body, name)
        first = body.act is not Act.WITHDRAW or one.item.round == 1  # else what was accepted before would be lost
        _require(first, "body.items", "首次交付的项 / an item delivered for the first time", name)
    _check_found(case, body)
    _check_amounts(case, body)
    if body.act is Act.REDELIVER:
        _check_again(case, body, terms, at)
    return moved(case, body, at)


def moved(case: Case | None, body: DeliveryAct, at: int) -> Case:
    """The delivery after an act that was decided and stored."""
    if case is None:
        assert body.shipment is not None
        items = tuple(Item(sent, sent.quantity, sent.quantity) for sent in body.shipment.items)
        return Case(body.agreement, body.provider, body.consumer, body.shipment, items, at)
    named = frozenset(body.named)
    items = tuple(_after(item, body, at) if item.id in named else item for item in case.items)
    return replace(case, items=items, since=at)


def _after(item: Item, body: DeliveryAct, at: int) -> Item:
    state = TARGETS[body.act]
    received = at if state is State.INSPECTION else None
    item = replace(item, state=state, received_at=received)
    if body.act is Act.ACCEPT:
        return replace(item, accepted=item.accepted + item.pending, pending=0)
    if body.act is Act.CONCEDE:
        return replace(item, rejected=item.rejected + item.pending, pending=0)
    if body.act is Act.WITHDRAW:
        return replace(item, pending=0)
    if body.objections is not None:
        held = next(entry.quantity for entry in body.objections if entry.item == item.id)
        return replace(item, accepted=item.accepted + item.pending - held, pending=held)
    if body.rulings is not None:
        granted = next(entry.accepted for entry in body.rulings if entry.item == item.id)
        lost = item.pending - granted
        return replace(item, accepted=item.accepted + granted, rejected=item.rejected + lost, pending=0)
    if body.shipment is not None:
        sent = next(entry for entry in body.shipment.items if entry.item == item.id)
        return replace(item, sent=sent, round=item.round + 1)
    return item


def _require_move(state: State, body: DeliveryAct, item: str) -> None:
    if (state, body.act, body.side) not in MOVES:
        allowed = ", ".join(open_acts(state, body.side)) or "—"
        raise WrongMove(f"item {item}", f"{state}, {body.side}: {allowed}", f"{body.act} of {body.side}")


def _check_made(shipment: Shipment, terms: Terms, at: int) -> None:
    """The first delivery fits the terms: the licensed version, the agreed mode, a period that is over; the unit of the
    tariff where acceptance is billed."""
    expected = terms.product.digest
    _require(shipment.version == expected, "body.shipment.version", expected.sha256, shipment.version.sha256)
    _require(shipment.mode == terms.delivery.mode, "body.shipment.mode", terms.delivery.mode, shipment.mode)
    if terms.billing is BillingBasis.ACCEPTED:
        unit = terms.settlement.tariff.unit
        for place, sent in enumerate(shipment.items):
            _require(sent.unit == unit, f"body.shipment.items[{place}].unit", unit, sent.unit)
    _require_past(shipment, at)
    if shipment.period is not None and at < month(shipment.period).end:
        raise TooEarly("body.shipment.period", month(shipment.period).end, at)


def _check_again(case: Case, body: DeliveryAct, terms: Terms, at: int) -> None:
    """Delivered again is exactly what is in dispute, the same way, within the agreed rounds."""
    made, most = body.shipment, 1 + inspection_of(terms).rounds
    assert made is not None
    first = case.shipment
    same_way = (first.revision, first.version, first.mode, first.period)
    given = (made.revision, made.version, made.mode, made.period)
    _require(given == same_way, "body.shipment", "同一合约版本、产品版本、方式、账期 / as delivered first", "another")
    _require_past(made, at)
    known = {item.id: item for item in case.items}
    for place, sent in enumerate(made.items):
        item, where = known[sent.item], f"body.shipment.items[{place}]"
        _require(sent.unit == item.sent.unit, f"{where}.unit", item.sent.unit, sent.unit)
        _require(sent.quantity == item.pending, f"{where}.quantity", item.pending, sent.quantity)
        _require(item.round < most, f"{where}.round", f"至多整改 {most - 1} 次 / at most {most - 1} again", item.round)


def _check_found(case: Case, body: DeliveryAct) -> None:
    """签收 means that every named item is as it was stated, 拒收 that none of them is."""
    known = {item.id: item for item in case.items}
    for place, found in enumerate(body.found or ()):
        agrees = same(known[found.item].sent, found)
        expected = "与交付记录一致（不一致用 REFUSE） / as stated (REFUSE where it is not)"
        if body.act is Act.REFUSE:
            expected = "与交付记录不一致（一致用 RECEIVE） / other than stated (RECEIVE where it is as stated)"
        _require(agrees is (body.act is Act.RECEIVE), f"body.found[{place}]", expected, found.item)


def _check_amounts(case: Case, body: DeliveryAct) -> None:
    known = {item.id: item for item in case.items}
    for place, entry in enumerate(body.objections or ()):
        most = known[entry.item].pending
        _require(entry.quantity <= most, f"body.objections[{place}].quantity", f"≤ {most}", entry.quantity)
    for place, ruling in enumerate(body.rulings or ()):
        most = known[ruling.item].pending
        _require(ruling.accepted <= most, f"body.rulings[{place}].accepted", f"≤ {most}", ruling.accepted)


def _require_past(shipment: Shipment, at: int) -> None:
    latest = at + FUTURE_LIMIT
    _require(shipment.delivered_at <= latest, "body.shipment.delivered_at", f"≤ {latest}", shipment.delivered_at)


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
