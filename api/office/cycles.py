"""A settlement cycle as the operator sees it: what its state waits for, statements, netting, payments, suspense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session

from clearing.errors import UnknownFact
from clearing.settlement import service, store, suspense
from clearing.settlement.cover import COVER_CALL, Asked, CoverCall
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.netting import Run
from clearing.settlement.netting.default import Default
from clearing.settlement.netting.gridlock import Proved
from clearing.settlement.notice import Held, Reason
from clearing.settlement.payment import (
    BankAccount,
    Batch,
    Direction,
    Expected,
    Instruction,
    booked_after,
    match,
)
from clearing.settlement.reissue import ReissueOrder
from clearing.settlement.store import StoredStatement
from clearing.settlement.suspense import Ageing, Late, Open, PaidTwice, Suggestion
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import read
from registry.calendar import day_of, text_of

WAITS: Mapping[State, tuple[str, str]] = {
    State.OPEN: ("账期届满及宽限期后截止", "the cut-off"),
    State.CUT_OFF: ("计量、计费、清分", "metering, rating, sharing"),
    State.RATED: ("开票，然后出账", "invoices, then statements"),
    State.ISSUED: ("各方确认账单", "confirmations"),
    State.CONFIRMED: ("轧差", "netting"),
    State.NETTED: ("经办、复核两人签署付款指令", "instructions signed by two persons"),
    State.INSTRUCTED: ("净付款方备付到账", "what net payers bring"),
    State.FUNDED: ("银行付款入账", "pay-outs booked by the bank"),
    State.SETTLED: ("运营方与审计方签署关账", "the close, by operator and auditor"),
    State.CLOSED: ("已关账，无待办", "nothing"),
}
"""What each state waits for."""

STEPS: Mapping[str, tuple[str, str]] = {
    "cut-off": ("截止", "Cut off"),
    "rating": ("计量、计费、清分", "Meter, rate, share"),
    "statements": ("出账", "Issue statements"),
    "window": ("结束确认期", "End the window"),
    "netting": ("轧差并发净额通知", "Net"),
    "payments": ("按到账推进", "Move on as booked"),
    "default": ("宣告逾期未备付，移出轧差", "Declare the default"),
}
"""The system's steps, by the names they have in the API."""

PROVED: Mapping[Proved, str] = {
    Proved.BOUND: "已达上界，没有更多可以通过",
    Proved.SEARCH: "已逐一比较，没有更多可以通过",
    Proved.NOT: "未证明最多，不超过上界",
}
"""What shows that no other choice lets more through."""

_NEXT = {
    State.OPEN: "cut-off",
    State.CUT_OFF: "rating",
    State.RATED: "statements",
    State.ISSUED: "window",
    State.CONFIRMED: "netting",
    State.INSTRUCTED: "payments",
    State.FUNDED: "payments",
}
WAYS = {Direction.FUNDING: "备付（入）", Direction.PAYOUT: "付款（出）"}
EVENTS = {"payment-instructions/v1": "付款指令", "payment-reissue/v1": "退汇重付", COVER_CALL: "向担保方催付"}


@dataclass(frozen=True, slots=True)
class Row:
    """A cycle in the list. `owes` is what its statements say is owed, fen; `batch` the sums to bring and to pay."""

    cycle: CycleMove
    statements: int
    confirmed: int
    owes: int
    batch: Batch | None
    overdue: bool


@dataclass(frozen=True, slots=True)
class Order:
    """An instruction as it stands, in words with their colour; `account` is whom it pays or who brings it."""

    instruction: Instruction
    expected: Expected
    said: str
    colour: str


@dataclass(frozen=True, slots=True)
class Release:
    """A batch that two persons released: the fact, what it is, whether a default has undone it, its orders; `asked` are
    the guarantors that are to pay them."""

    fact: Fact
    name: str
    void: bool
    batch: Batch
    orders: tuple[Order, ...]
    asked: tuple[Asked, ...] = ()

    @property
    def pays(self) -> bool:
        """Is there anything for the bank to pay out?"""
        return any(item.instruction.direction is Direction.PAYOUT for item in self.orders)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One cycle, whole. `steps` may be taken now; `returned` came back and were not issued again; `run` with its fact;
    `limited` is what its limits kept out; `late` came after its day; `candidates` of each line of `suspense` are what
    it may be meant for; `to_instruct`: instructions are to be signed, for the accounts of `instructs`; `to_call`:
    guarantors that are to be called before a default."""

    cycle: CycleMove
    overdue: bool
    statements: tuple[StoredStatement, ...]
    uninvoiced: int
    run: tuple[str, Run] | None
    limited: tuple[Held, ...]
    releases: tuple[Release, ...]
    defaults: tuple[tuple[str, Default], ...]
    returned: tuple[Instruction, ...]
    sums: service.MoneySums | None
    late: tuple[Late, ...]
    suspense: Ageing
    candidates: tuple[tuple[Suggestion, ...], ...]
    twice: tuple[PaidTwice, ...]
    steps: tuple[str, ...]
    closed: str | None
    to_instruct: bool
    instructs: tuple[str, ...]
    to_call: tuple[Asked, ...]

    @property
    def confirmed(self) -> int:
        return sum(item.confirmed_at is not None for item in self.statements)

    @property
    def settled(self) -> bool:
        """Has all the money moved, so that in and out must be the same?"""
        waiting = any(
            item.expected.due > 0 and not item.expected.returned
            for one in self.releases
            if not one.void
            for item in one.orders
        )
        return not waiting and not self.returned and ORDER.index(self.cycle.state) >= ORDER.index(State.SETTLED)


def rows(session: Session, now: int) -> list[Row]:
    """Every cycle, the newest first."""
    found = []
    for cycle in reversed(store.cycles(session)):
        issued = store.statements(session, cycle.cycle)
        found.append(
            Row(
                cycle,
                len(issued),
                sum(item.confirmed_at is not None for item in issued),
                sum(item.body.owes for item in issued),
                _batch(session, cycle.cycle),
                _overdue(cycle, now),
            )
        )
    return found


def sheet(session: Session, name: str, now: int) -> Sheet:
    """One cycle. Raises `UnknownFact`."""
    cycle = store.cycle(session, name)
    run_id = store.netting_of(session, name)
    run = (run_id, read(Run, facts.fact(session, run_id).body)) if run_id else None
    defaults = tuple(store.defaults(session, name))
    issued = tuple(store.statements(session, name))
    back = store.returned(session, cycle.period)
    released = tuple(_releases(session, name, {body.instructions for _, body in defaults}))
    known = {item.instruction.end_to_end: item.instruction for one in released for item in one.orders}
    instructed = store.instructions_of(session, name) is not None
    moved = ORDER.index(cycle.state) >= ORDER.index(State.INSTRUCTED)
    to_instruct = run is not None and not instructed and cycle.state in (State.NETTED, State.INSTRUCTED)
    ran_out = cycle.state is State.INSTRUCTED and now >= cycle.until
    to_call = service.to_call(session, cycle=name) if ran_out else ()
    return Sheet(
        cycle=cycle,
        overdue=_overdue(cycle, now),
        statements=issued,
        uninvoiced=len(store.uninvoiced(session, cycle.period)) if cycle.state is State.RATED else 0,
        run=run,
        limited=_limited(session, name, run[0]) if run else (),
        releases=released,
        defaults=defaults,
        returned=tuple(known[item] for item in back),
        sums=service.money_sums(session, cycle=name) if moved else None,
        late=tuple(_late(session, cycle, released)),
        suspense=(ageing := _ageing(session, now)),
        candidates=_candidates(session, ageing),
        twice=store.paid_twice(session),
        steps=tuple(step for step in _steps(cycle, issued, instructed, now) if step != "default" or not to_call),
        closed=store.closed_of(session, name),
        to_instruct=to_instruct,
        instructs=tuple(party for party, amount in run[1].final.items() if amount) if run and to_instruct else (),
        to_call=to_call,
    )


def accounts(session: Session) -> tuple[BankAccount | None, dict[str, BankAccount]]:
    """The supervised account and the account of each party, as instructions last named them."""
    supervised, found = None, dict[str, BankAccount]()
    for cycle in store.cycles(session):
        for fact in facts.facts_of(session, f"payments:{cycle.cycle}"):
            batch = store.batch_in(fact)
            supervised = batch.account
            asked = read(CoverCall, fact.body).asked if fact.kind == COVER_CALL else ()
            whose = [item.guarantor for item in asked] or [item.party for item in batch.instructions]
            found |= {party: item.account for party, item in zip(whose, batch.instructions, strict=True)}
    return supervised, found


def _limited(session: Session, name: str, run: str) -> tuple[Held, ...]:
    _, held = service.netted_in(session, name, run)
    return tuple(item for item in held if item.reason is Reason.LIMITED)


def _batch(session: Session, name: str) -> Batch | None:
    try:
        return store.batch(session, name)
    except UnknownFact:
        return None


def _overdue(cycle: CycleMove, now: int) -> bool:
    return cycle.state not in (State.OPEN, State.CLOSED) and now > cycle.until


def _steps(cycle: CycleMove, issued: tuple[StoredStatement, ...], instructed: bool, now: int) -> list[str]:
    """What may be done now; the service decides."""
    ran_out = now >= cycle.until
    if cycle.state is State.OPEN and not ran_out:
        return []
    if cycle.state is State.ISSUED and not ran_out and any(item.confirmed_at is None for item in issued):
        return []
    if cycle.state is State.INSTRUCTED:
        return (["payments", "default"] if ran_out else ["payments"]) if instructed else []
    return [_NEXT[cycle.state]] if cycle.state in _NEXT else []


def _releases(session: Session, name: str, undone: set[str]) -> list[Release]:
    chain = facts.facts_of(session, f"payments:{name}")
    orders = [read(ReissueOrder, fact.body) for fact in chain if fact.kind == "payment-reissue/v1"]
    again = {old for order in orders for old in order.replaces}
    found = []
    for fact in chain:
        batch, void = store.batch_in(fact), fact.id in undone
        call = read(CoverCall, fact.body) if fact.kind == COVER_CALL else None
        void = void or (call is not None and call.instructions in undone)
        standing = store.instructions(session, fact.id)
        shown = tuple(
            Order(item, standing[item.end_to_end], *_said(standing[item.end_to_end], void, item.end_to_end in again))
            for item in batch.instructions
        )
        found.append(Release(fact, EVENTS[fact.kind], void, batch, shown, call.asked if call else ()))
    return found


def _said(item: Expected, void: bool, again: bool) -> tuple[str, str]:
    """What has become of an instruction, and the colour of it."""
    brings = item.direction is Direction.FUNDING
    if void:
        return "已作废", "plain"
    if item.returned:
        return ("退汇，已重付", "plain") if again else ("退汇，待重付", "bad")
    if item.elsewhere and not item.due:
        return "已另行付足", "good"
    if item.booked == item.amount:
        return ("已到账" if brings else "已付款"), "good"
    if item.booked:
        return "部分到账", "warn"
    return ("已指令，待到账" if brings else "已指令，待付款"), "plain"


def _ageing(session: Session, now: int) -> Ageing:
    """What waits in suspense; its own sum is its total here, and the page holds it against the journal's."""
    items = store.in_suspense(session)
    on = max([text_of(now)[:10], *(item.booking_date for item in items)])
    return suspense.aged(items, sum(item.amount for item in items), on=on)


def _candidates(session: Session, ageing: Ageing) -> tuple[tuple[Suggestion, ...], ...]:
    """For each line in suspense the instructions of any cycle that it may be meant for."""
    if not ageing.lines:
        return ()
    waiting = [
        Open(item.instruction.end_to_end, item.expected, item.instruction.account.name, _last_day(cycle.until))
        for cycle in store.cycles(session)
        if cycle.state in (State.INSTRUCTED, State.FUNDED)
        for one in _releases(
            session, cycle.cycle, {body.instructions for _, body in store.defaults(session, cycle.cycle)}
        )
        if not one.void
        for item in one.orders
    ]
    return tuple(suspense.suggestions(line.item, waiting) for line in ageing.lines)


def _late(session: Session, cycle: CycleMove, released: Sequence[Release]) -> Iterator[Late]:
    """What net payers brought after the last day their instructions gave them."""
    moves = [(fact.at, read(CycleMove, fact.body)) for fact in facts.facts_of(session, f"cycle:{cycle.cycle}")]
    due = {at: _last_day(move.until) for at, move in moves if move.state is State.INSTRUCTED}
    booked = store.entries_of(session, cycle.period)
    for one in released:
        for item in one.orders:
            if item.instruction.direction is not Direction.FUNDING:
                continue
            now = replace(item.expected, booked=0)
            for entry in booked.get(item.instruction.end_to_end, ()):
                effect = match(entry, {item.instruction.end_to_end: now})
                now = booked_after(now, effect)
                if (found := suspense.late(entry, effect, due[one.fact.at])) is not None:
                    yield found


def _last_day(until: int) -> str:
    """The day whose end a clock runs to."""
    return day_of(until - 1).isoformat()
