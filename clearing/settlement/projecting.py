"""Views of settlement folded from facts: one function for each kind of fact, which writes its rows.

A projector reads nothing but the fact and earlier rows, so `reindex` and `audit` get the same rows from the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from clearing.settlement import journal, payment, tables
from clearing.settlement.bank_file import BankFile
from clearing.settlement.close import CycleClose
from clearing.settlement.cover import COVER_CALL, FUNDING_GUARANTEE, RECOURSE_REPAID, CoverCall, RecourseRepaid
from clearing.settlement.cycle import CycleMove
from clearing.settlement.guarantee import GUARANTEE_CALL, GuaranteeCall
from clearing.settlement.hold import Hold
from clearing.settlement.invoice import Invoice
from clearing.settlement.journal import BankEffect, BankPosting, Transaction
from clearing.settlement.netting import Run
from clearing.settlement.netting.default import Default
from clearing.settlement.netting.limits import NETTING_LIMITS
from clearing.settlement.notice import PartB
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.rating import Charge
from clearing.settlement.reissue import ReissueOrder
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import PartA, netted_items
from clearing.settlement.stating import PERIOD_INPUTS, PeriodInputs
from clearing.settlement.store import (
    Confirmation,
    StoredEntry,
    buyers,
    cover_call,
    cycle,
    expected,
    next_number,
    part_documents,
    transactions,
)
from clearing.terms import CURRENCY
from clearing.usage.metering import MeterReading
from ledger import canonical
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import body_of, read


def _text(value: Any) -> str:
    return canonical.encode(body_of(value)).decode()


def post(session: Session, transaction: Transaction) -> None:
    """Writes one transaction under the next number: for projectors only, an event of the journal is always a fact's."""
    table = tables.journal_transaction
    number = next_number(session)
    session.execute(
        insert(table).values(
            no=number,
            event=transaction.event,
            event_id=transaction.event_id,
            at=transaction.at,
            value_date=transaction.value_date,
            currency=transaction.currency,
        )
    )
    rows = [
        {
            "no": number,
            "line": line,
            "kind": str(item.account.kind),
            "party": item.account.party,
            "agreement": item.account.agreement,
            "period": item.account.period,
            "amount": item.amount,
        }
        for line, item in enumerate(transaction.postings)
    ]
    if rows:
        session.execute(insert(tables.posting), rows)


def _cycle_state(session: Session, fact: Fact) -> None:
    body = read(CycleMove, fact.body)
    table = tables.cycle
    values = {"state": str(body.state), "until": body.until, "document": _text(body)}
    if fact.statement.no == 0:
        session.execute(insert(table).values(cycle=body.cycle, operator=body.operator, period=body.period, **values))
    else:
        session.execute(update(table).where(table.c.cycle == body.cycle).values(**values))


def _meter_reading(session: Session, fact: Fact) -> None:
    body = read(MeterReading, fact.body)
    session.execute(
        insert(tables.reading).values(
            fact_id=fact.id,
            agreement=body.agreement,
            revision=body.revision,
            period=body.period,
            sequence=body.sequence,
            booked=body.booked or body.period,
            quantity=body.quantity,
            counted=body.counted,
            document=_text(body),
        )
    )


def _period_inputs(session: Session, fact: Fact) -> None:
    body = read(PeriodInputs, fact.body)
    session.execute(
        insert(tables.period_inputs).values(
            fact_id=fact.id,
            agreement=body.agreement,
            revision=body.revision,
            period=body.period,
            number=fact.statement.no,
            at=fact.at,
        )
    )


def _charge(session: Session, fact: Fact) -> None:
    body = read(Charge, fact.body)
    session.execute(
        insert(tables.charge).values(
            fact_id=fact.id,
            reading=body.reading,
            agreement=body.agreement,
            period=body.period,
            booked=body.booked or body.period,
            corrects=body.corrects.charge if body.corrects else None,
            buyer=body.buyer,
            invoice_issuer=body.invoice_issuer,
            gross=body.gross,
            net=body.net,
            tax=body.tax,
            document=_text(body),
        )
    )
    post(session, journal.charged(fact.id, body, fact.at))


def _shares(session: Session, fact: Fact) -> None:
    body = read(Shares, fact.body)
    session.execute(
        insert(tables.shares).values(
            fact_id=fact.id,
            charge=body.charge,
            lineage=body.lineage,
            number=fact.statement.no,
            after=body.after,
            booked=body.booked or body.period,
        )
    )
    rows = [
        {
            "fact_id": fact.id,
            "party": line.party,
            "role": line.role,
            "agreement": body.agreement,
            "period": body.period,
            "booked": body.booked or body.period,
            "entitlement": line.entitlement,
            "amount": line.amount,
            "carry": line.carry_after,
        }
        for line in body.shares
    ]
    session.execute(insert(tables.share), rows)
    post(session, journal.shared(fact.id, body, fact.at))


def _guarantee_call(session: Session, fact: Fact) -> None:
    body = read(GuaranteeCall, fact.body)
    session.execute(
        insert(tables.guarantee_call).values(
            fact_id=fact.id,
            claim=body.claim,
            number=fact.statement.no,
            guarantor=body.guarantor,
            booked=body.period,
            amount=body.amount,
        )
    )
    post(session, journal.guaranteed(fact.id, body, fact.at))


def _invoice(session: Session, fact: Fact) -> None:
    body = read(Invoice, fact.body)
    session.execute(update(tables.charge).where(tables.charge.c.fact_id == body.charge).values(invoice=fact.id))
    post(session, journal.invoiced(fact.id, body.issuer, body.agreement, body.period, body.tax, CURRENCY, fact.at))


def _statement(session: Session, fact: Fact) -> None:
    body = read(PartA, fact.body)
    session.execute(
        insert(tables.statement).values(
            fact_id=fact.id,
            cycle=body.cycle,
            party=body.party,
            period=body.period,
            opening=body.opening,
            closing=body.closing,
            last=body.last,
            document=_text(body),
        )
    )


def _confirmed(session: Session, fact: Fact) -> None:
    body = read(Confirmation, fact.body)
    table = tables.statement
    session.execute(update(table).where(table.c.fact_id == body.statement).values(confirmed_at=fact.at))


def _last_stands(session: Session, fact: Fact) -> None:
    """What stands is the last act of the chain; nothing else is looked up by it."""


def _repaid(session: Session, fact: Fact) -> None:
    body = read(RecourseRepaid, fact.body)
    one = journal.recourse_repaid(fact.id, body.party, body.guarantor, body.period, body.amount, CURRENCY, fact.at)
    post(session, one)


def _netting(session: Session, fact: Fact) -> None:
    body = read(Run, fact.body)
    rows = [
        {
            "netting": fact.id,
            "party": item.party,
            "incoming": item.incoming,
            "outgoing": item.outgoing,
            "count": item.count,
            "net": item.net,
        }
        for item in body.certificate.positions
    ]
    if rows:
        session.execute(insert(tables.position), rows)
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(netting=fact.id))
    items = netted_items(part_documents(session, fact.id), buyers(session))
    post(session, journal.netted(fact.id, body.period, items, body.final, body.currency, fact.at, body.brought))


def _default(session: Session, fact: Fact) -> None:
    """Undoes the run and the instructions that were not funded: both transactions are mirrored, nothing of them can be
    booked any more."""
    body = read(Default, fact.body)
    undone = {("instruction", body.instructions), ("netting", body.netting)}
    for _, item in reversed(transactions(session)):
        if (item.event, item.event_id) in undone:
            post(session, item.mirror(fact.id, fact.at))
    orders, table = tables.instruction, tables.cycle
    call = cover_call(session, body.cycle, body.instructions)
    batches = [body.instructions, *([call[0]] if call else [])]
    session.execute(update(orders).where(orders.c.fact_id.in_(batches)).values(void=1))
    if body.returned:
        now = cycle(session, body.cycle)
        back = [(item.party, item.by or "", item.amount) for item in body.returned]
        post(session, journal.cover_returned(fact.id, now.period, back, now.currency, fact.at))
    session.execute(update(table).where(table.c.cycle == body.cycle).values(netting=None, instructions=None))


def _notice(session: Session, fact: Fact) -> None:
    body = read(PartB, fact.body)
    table = tables.statement
    session.execute(update(table).where(table.c.fact_id == body.statement).values(notice=fact.id))


def _instructions(session: Session, fact: Fact) -> None:
    body = read(Batch, fact.body)
    _order(session, fact, body, {})
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(instructions=fact.id))


def _reissue(session: Session, fact: Fact) -> None:
    body = read(ReissueOrder, fact.body)
    made = [item.end_to_end for item in body.batch.instructions]
    _order(session, fact, body.batch, dict(zip(made, body.replaces, strict=True)))


def _cover_call(session: Session, fact: Fact) -> None:
    """Moves no money; its number in the journal tells what was missing when it was made."""
    _order(session, fact, read(CoverCall, fact.body).batch, {})


def _order(session: Session, fact: Fact, body: Batch, replaces: Mapping[str, str]) -> None:
    """The instructions of a batch, and what leaves with its pay-outs."""
    rows = [
        {
            "end_to_end": item.end_to_end,
            "fact_id": fact.id,
            "direction": str(item.direction),
            "party": item.party,
            "period": body.period,
            "amount": item.amount,
            "booked": 0,
            "returned": 0,
            "void": 0,
            "replaces": replaces.get(item.end_to_end),
        }
        for item in body.instructions
    ]
    if rows:
        session.execute(insert(tables.instruction), rows)
    payouts = [(item.party, item.amount) for item in body.instructions if item.direction is Direction.PAYOUT]
    post(session, journal.instructed(fact.id, body.period, payouts, body.currency, fact.at))


def _bank_file(session: Session, fact: Fact) -> None:
    body = read(BankFile, fact.body)
    if fact.statement.no == 0 and body.opening:
        post(session, journal.bank_opening(fact.id, body.account, body.opening, body.currency, fact.at))
    session.execute(
        insert(tables.bank_file).values(
            fact_id=fact.id,
            digest=body.digest,
            bank=body.bank,
            account=body.account,
            number=fact.statement.no,
            opening=body.opening,
            closing=body.closing,
        )
    )
    for data in facts.parts_of(session, fact.id):
        entry = read(StoredEntry, canonical.decode(data), "part").entry
        effect = payment.match(entry, expected(session, entry.end_to_end))
        _book(session, entry.end_to_end, effect)
        session.execute(
            insert(tables.bank_entry).values(
                bank=body.bank,
                account=body.account,
                reference=entry.reference,
                fact_id=fact.id,
                amount=entry.amount,
                effect=str(effect.effect),
                applied=effect.applied,
                end_to_end=entry.end_to_end,
                document=_text(entry),
            )
        )
        event_id = f"{body.bank}/{body.account}/{entry.reference}"
        post(session, journal.banked(event_id, body.account, effect, body.currency, fact.at))
        if effect.effect in (BankEffect.RECEIPT, BankEffect.OVER):
            _recourse(session, fact, entry.end_to_end, event_id, effect)


def _recourse(session: Session, fact: Fact, end_to_end: str, event_id: str, effect: BankPosting) -> None:
    """What was booked for a party is owed to its guarantor, where that was asked to bring it."""
    table, own = tables.instruction, tables.cycle.c.instructions
    order = session.execute(select(table.c.fact_id).where(table.c.end_to_end == end_to_end)).scalar_one()
    if session.execute(select(own).where(own == order)).first() is not None:
        return
    body = read(CoverCall, facts.fact(session, order).body)
    asked = next(item for item in body.asked if item.party == effect.party)
    one = journal.recourse(
        event_id, asked.party, asked.guarantor, effect.period, effect.applied, body.batch.currency, fact.at
    )
    post(session, one)


def _book(session: Session, end_to_end: str, effect: BankPosting) -> None:
    if effect.effect is BankEffect.UNKNOWN:
        return
    after = payment.booked_after(expected(session, end_to_end)[end_to_end], effect)
    table = tables.instruction
    session.execute(
        update(table).where(table.c.end_to_end == end_to_end).values(booked=after.booked, returned=int(after.returned))
    )


def _hold(session: Session, fact: Fact) -> None:
    body = read(Hold, fact.body)
    session.execute(
        insert(tables.hold).values(dispute=body.dispute, fact_id=fact.id, charge=body.charge, document=_text(body))
    )
    post(session, journal.held(fact.id, body, CURRENCY, fact.at))


def _release(session: Session, fact: Fact) -> None:
    body = read(Hold, fact.body)
    session.execute(update(tables.hold).where(tables.hold.c.dispute == body.dispute).values(released=fact.id))
    post(session, journal.released(fact.id, body, CURRENCY, fact.at))


def _closed(session: Session, fact: Fact) -> None:
    body = read(CycleClose, fact.body)
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(closed=fact.id))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    "cycle-state/v1": _cycle_state,
    "meter-reading/v1": _meter_reading,
    PERIOD_INPUTS: _period_inputs,
    "charge/v1": _charge,
    "shares/v1": _shares,
    GUARANTEE_CALL: _guarantee_call,
    "invoice/v1": _invoice,
    "statement/v1": _statement,
    "statement-confirmed/v1": _confirmed,
    NETTING_LIMITS: _last_stands,
    FUNDING_GUARANTEE: _last_stands,
    RECOURSE_REPAID: _repaid,
    "netting/v1": _netting,
    "funding-default/v1": _default,
    "notice/v1": _notice,
    "payment-instructions/v1": _instructions,
    "payment-reissue/v1": _reissue,
    COVER_CALL: _cover_call,
    "bank-file/v1": _bank_file,
    "cycle-closed/v1": _closed,
    "dispute-hold/v1": _hold,
    "dispute-release/v1": _release,
}


def project(session: Session, fact: Fact) -> None:
    """Write the view rows of one settlement fact."""
    PROJECTORS[fact.kind](session, fact)
