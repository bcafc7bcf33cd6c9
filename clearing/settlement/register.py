"""台账: what became of each obligation of a cycle, from its statement to the bank's entries.

An obligation is met by money its debtor brought, and by what the netting offset once every net payer has brought its
own: until then a default could still undo the run. Money that is too little is spread over all the debtor owes in the
run (`partial`). Source: domain clearing §1 row 11, §8 F2, §10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.settlement import netted, partial, store
from clearing.settlement.bank_file import BankEntry
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.netting.gridlock import Reason as Limit
from clearing.settlement.notice import Held, Reason
from clearing.settlement.payment import Direction
from clearing.settlement.statement import Obligation, ObligationPart
from clearing.settlement.store import StoredStatement
from clearing.settlement.trace_sheet import TraceRow
from registry.calendar import text_of

HELD = {
    Reason.UNCONFIRMED: "未经双方确认",
    Reason.DISPUTED: "争议冻结",
    Reason.CORRECTED: "出账后已更正",
    Reason.DEFAULTED: "逾期未备付，已移出轧差",
    Reason.LIMITED: "超出净借记限额或双边限额，留待下期",
}
LIMITED = {
    Limit.DEBIT_CAP: "超出付款方净借记限额，留待下期",
    Limit.PAIR_LIMIT: "超出双边限额，留待下期",
}
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Stated:
    """An obligation as its debtor's statement has it: the statement, the number of the part, who confirmed last."""

    statement: str
    obligation: Obligation
    no: int
    confirmed_at: int | None


def rows(session: Session, cycle: str) -> list[TraceRow]:
    """One row per obligation, and one more for the part of it that waits. In order of debtor and creditor; none before
    the statements are issued. Raises UnknownFact."""
    now = store.cycle(session, cycle)
    if ORDER.index(now.state) < ORDER.index(State.ISSUED):
        return []
    run = store.netting_of(session, cycle)
    kept, held = netted.netted_in(session, cycle, run) if run else netted.eligible(session, cycle)
    stated = _stated(store.statements(session, cycle), session)
    booked = store.entries_of(session, now.period)
    orders: defaultdict[tuple[str, Direction], list[str]] = defaultdict(list)
    for name, item in store.orders_of(session, now.period).items():
        orders[item.party, item.direction].append(name)
    invoices = store.invoice_numbers(
        session, {part.agreement for item in stated.values() for part in item.obligation.items}
    )
    met = _met(session, now, run, kept, stated)

    def row(item: Obligation | Held, settled: int, state: str, in_run: bool) -> TraceRow:
        pair = item.debtor, item.creditor
        known = stated[pair]
        parts = known.obligation.items if item.items is None else item.items
        brought = orders[item.debtor, Direction.FUNDING] if in_run else []
        paid = orders[item.creditor, Direction.PAYOUT] if in_run else []
        received, sent = _booked(booked, brought), _booked(booked, paid)
        return TraceRow(
            obligation=f"{known.statement}#{known.no}",
            debtor=item.debtor,
            creditor=item.creditor,
            agreement=_joined(part.agreement for part in parts),
            period=_joined(part.period for part in parts),
            amount=item.amount,
            statement=known.statement,
            confirmed_at="" if known.confirmed_at is None else text_of(known.confirmed_at),
            netting=run if in_run and run else "",
            funding=_joined(brought),
            funding_reference=_joined(one.reference for one in received),
            funded_on=_joined(one.booking_date for one in received),
            payout=_joined(paid),
            payout_reference=_joined(one.reference for one in sent),
            paid_on=_joined(one.booking_date for one in sent),
            settled=settled,
            state=state,
            document=_joined(no for part in parts for no in invoices.get((part.agreement, part.period), ())),
        )

    instructed = store.instructions_of(session, cycle) is not None
    found = [
        row(item, part, _said(now, item, part, instructed), True)
        for item in kept
        for part in (met[item.debtor, item.creditor],)
    ]
    found += [row(item, 0, LIMITED[item.limit] if item.limit else HELD[item.reason], False) for item in held]
    return sorted(found, key=lambda one: (one.debtor, one.creditor, one.state))


def _stated(issued: Sequence[StoredStatement], session: Session) -> dict[Pair, _Stated]:
    confirmed = {item.body.party: item.confirmed_at for item in issued}
    found = {}
    for item in issued:
        for part in store.part_documents(session, item.fact_id):
            if isinstance(part, ObligationPart) and part.debtor == item.body.party:
                both = (confirmed[part.debtor], confirmed.get(part.creditor))
                last = None if None in both else max(at for at in both if at is not None)
                obligation = Obligation(part.debtor, part.creditor, part.amount, part.items)
                found[part.debtor, part.creditor] = _Stated(item.fact_id, obligation, part.no, last)
    return found


def _met(
    session: Session, now: CycleMove, run: str | None, kept: Sequence[Obligation], stated: dict[Pair, _Stated]
) -> dict[Pair, int]:
    """What of each obligation in the run is met, fen."""
    amounts = {(item.debtor, item.creditor): item.amount for item in kept}
    if ORDER.index(now.state) >= ORDER.index(State.FUNDED):
        return amounts
    found = dict.fromkeys(amounts, 0)
    if run is None:
        return found
    for party, money in store.paid_in(session, run, store.instructions_of(session, now.cycle)).items():
        dues = {creditor: amount for (debtor, creditor), amount in amounts.items() if debtor == party}
        if total := sum(dues.values()):
            lineage = next(item.statement for pair, item in stated.items() if pair[0] == party)
            parts = partial.spread(lineage, dues, 0, min(money, total))
            found |= {(party, creditor): part for creditor, part in parts.items()}
    return found


def _said(now: CycleMove, item: Obligation, part: int, instructed: bool) -> str:
    if now.state in (State.SETTLED, State.CLOSED):
        return "已结清"
    if now.state is State.FUNDED:
        return "已备付，待付款入账"
    if part:
        return "部分到账" if part < item.amount else "已到账"
    if now.state is State.INSTRUCTED and instructed:
        return "已指令，待备付"
    return "待轧差" if now.state in (State.ISSUED, State.CONFIRMED) else "已轧差，待付款指令"


def _booked(entries: Mapping[str, Sequence[BankEntry]], orders: Iterable[str]) -> list[BankEntry]:
    """The bank's entries of these instructions in the order of days."""
    found = [one for name in orders for one in entries.get(name, ())]
    return sorted(found, key=lambda one: (one.booking_date, one.reference))


def _joined(texts: Iterable[str]) -> str:
    """Each text once, in the order they come."""
    return "、".join(dict.fromkeys(texts))
