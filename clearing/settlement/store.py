"""The rows of settlement: the queries its steps decide with; `projecting` writes the rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import payment, suspense, tables
from clearing.settlement.bank_file import BankEntry, BankFile
from clearing.settlement.cover import (
    COVER_CALL,
    FUNDING_GUARANTEE,
    RECOURSE_REPAID,
    CoverCall,
    FundingGuarantee,
    RecourseRepaid,
    Standing,
    stands_on,
)
from clearing.settlement.cover import end_to_end_of as cover_id
from clearing.settlement.cover import subject_of as cover_subject
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.guarantee import GuaranteeCall
from clearing.settlement.hold import Hold
from clearing.settlement.invoice import Invoice
from clearing.settlement.journal import Account, BankEffect, BankPosting, Kind, Posting, Transaction
from clearing.settlement.netting import Funded, Run
from clearing.settlement.netting.default import Default
from clearing.settlement.netting.limits import NettingLimits, Stood
from clearing.settlement.netting.limits import subject_of as limits_subject
from clearing.settlement.payment import Batch, Direction, Expected
from clearing.settlement.rating import Charge, CorrectionKind
from clearing.settlement.reissue import ReissueOrder
from clearing.settlement.sharing import Shares, entitled_after
from clearing.settlement.statement import Line, ObligationPart, PartA, read_part
from clearing.settlement.stating import PeriodInputs, Stated
from clearing.settlement.suspense import PaidTwice, Suspended, suspended
from clearing.settlement.weighing import Derived
from clearing.terms import month_after
from clearing.usage.metering import MeterReading
from ledger import canonical
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import read
from registry.calendar import text_of


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The body of a statement-confirmed fact: the party accepts the statement with this fact id."""

    statement: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A bank entry as a part of its file's fact, with its salt."""

    entry: BankEntry
    salt: str


def next_number(session: Session) -> int:
    """The number the next journal transaction gets; numbers run from 0 without gaps."""
    return session.execute(select(func.count()).select_from(tables.journal_transaction)).scalar_one()


def cycle(session: Session, name: str) -> CycleMove:
    """The cycle's present state. Raises UnknownFact."""
    return read(CycleMove, canonical.decode(_cycle_row(session, name).document.encode()))


def cycles(session: Session) -> list[CycleMove]:
    """Every cycle, in order of period."""
    rows = session.execute(select(tables.cycle.c.document).order_by(tables.cycle.c.period, tables.cycle.c.cycle))
    return [read(CycleMove, canonical.decode(row.document.encode())) for row in rows]


def _cycle_row(session: Session, name: str) -> Any:
    row = session.execute(select(tables.cycle).where(tables.cycle.c.cycle == name)).first()
    if row is None:
        raise UnknownFact("cycle", name)
    return row


def netting_of(session: Session, name: str) -> str | None:
    """Fact id of the cycle's netting run, None when nothing was netted."""
    found: str | None = _cycle_row(session, name).netting
    return found


def instructions_of(session: Session, name: str) -> str | None:
    """Fact id of the cycle's payment instructions."""
    found: str | None = _cycle_row(session, name).instructions
    return found


def closed_of(session: Session, name: str) -> str | None:
    """Fact id of the cycle's close."""
    found: str | None = _cycle_row(session, name).closed
    return found


def charge(session: Session, fact_id: str) -> tuple[Charge, str | None]:
    """A charge and its invoice's fact id. Raises UnknownFact."""
    row = session.execute(select(tables.charge).where(tables.charge.c.fact_id == fact_id)).first()
    if row is None:
        raise UnknownFact("charge", fact_id)
    return read(Charge, canonical.decode(row.document.encode())), row.invoice


def charges(session: Session, booked: str) -> list[tuple[str, Charge]]:
    """(fact id, charge) that the cycle of the period `booked` posted, corrections of earlier periods with them."""
    found = _charges(session, tables.charge.c.booked == booked)
    return sorted(found, key=lambda item: item[1].label)


def charges_in_force(session: Session, agreement: str, revision: int, booked: str) -> dict[str, tuple[str, Charge]]:
    """The charge of each period of an agreement revision that was charged, as cycles before that of `booked` left it:
    the first one, or the one made anew last."""
    table = tables.charge
    made = [
        (body.booked or body.period, name, body)
        for name, body in _charges(session, (table.c.agreement == agreement) & (table.c.booked < booked))
        if body.revision == revision and (body.corrects is None or body.corrects.kind is CorrectionKind.ANEW)
    ]
    return {body.period: (name, body) for _, name, body in sorted(made, key=lambda item: item[0])}


def stated(session: Session, agreement: str, revision: int, until: int | None) -> dict[str, Stated]:
    """What both sides stated of each period of an agreement revision, as it stood at the end of the second `until`;
    None: as it stands now."""
    table = tables.period_inputs
    query = select(table.c.fact_id, table.c.period).where(table.c.agreement == agreement, table.c.revision == revision)
    if until is not None:
        query = query.where(table.c.at <= until)
    last = {row.period: row.fact_id for row in session.execute(query.order_by(table.c.number))}
    return {period: Stated(name, read(PeriodInputs, facts.fact(session, name).body)) for period, name in last.items()}


def entered(session: Session, name: str, state: State) -> Fact | None:
    """The fact by which a cycle entered a state first, None before."""
    moves = facts.facts_of(session, f"cycle:{name}")
    return next((fact for fact in moves if read(CycleMove, fact.body).state is state), None)


def rated_at(session: Session, name: str) -> int | None:
    """The second in which a cycle was rated, None before."""
    fact = entered(session, name, State.RATED)
    return None if fact is None else fact.at


def last_entered(session: Session, state: State) -> int:
    """The last second in which any cycle entered a state; -1 before the first."""
    found = (entered(session, body.cycle, state) for body in cycles(session))
    return max((fact.at for fact in found if fact is not None), default=-1)


def limits(session: Session, operator: str, before: int | None = None) -> Stood | None:
    """The limits an operator's cycles are netted under: the last act taken in, or the last before a second UTC."""
    chain = facts.facts_of(session, limits_subject(operator))
    acts = [fact for fact in chain if before is None or fact.at < before]
    return Stood(acts[-1].id, acts[-1].at, read(NettingLimits, acts[-1].body)) if acts else None


def guarantee_of(session: Session, now: CycleMove, party: str) -> Standing | None:
    """The guarantee that stands for a party in a cycle: the last one taken in up to the second in which it was first
    netted, if that was on one of its days. None before the netting."""
    moved = entered(session, now.cycle, State.NETTED)
    if moved is None:
        return None
    acts = [fact for fact in facts.facts_of(session, cover_subject(now.operator, party)) if fact.at <= moved.at]
    if not acts:
        return None
    body = read(FundingGuarantee, acts[-1].body)
    return Standing(acts[-1].id, acts[-1].at, body) if stands_on(body, text_of(moved.at)[:10]) else None


def guarantees(session: Session, operator: str) -> list[Standing]:
    """The last guarantee stated for each party in an operator's cycles, ended ones too, by party."""
    last: dict[str, Standing] = {}
    for fact in facts.facts_of_kind(session, FUNDING_GUARANTEE):
        body = read(FundingGuarantee, fact.body)
        if body.operator == operator:
            last[body.party] = Standing(fact.id, fact.at, body)
    return [last[party] for party in sorted(last)]


def repaid(session: Session, operator: str, period: str) -> list[tuple[str, RecourseRepaid]]:
    """What guarantors of an operator's cycle say was repaid to them, with its fact, in the order taken in."""
    found = [(fact.id, read(RecourseRepaid, fact.body)) for fact in facts.facts_of_kind(session, RECOURSE_REPAID)]
    return [(name, body) for name, body in found if (body.operator, body.period) == (operator, period)]


def cover_call(session: Session, name: str, instructions: str) -> tuple[str, CoverCall] | None:
    """The call of guarantors for instructions of a cycle with its fact id, None where none was called."""
    return next((one for one in cover_calls(session, name) if one[1].instructions == instructions), None)


def cover_calls(session: Session, name: str) -> list[tuple[str, CoverCall]]:
    """Every call of guarantors in a cycle with its fact id, in order."""
    acts = facts.facts_of(session, f"payments:{name}")
    return [(fact.id, read(CoverCall, fact.body)) for fact in acts if fact.kind == COVER_CALL]


def weights_of(session: Session, charge_id: str) -> Derived | None:
    """The derived weights a charge was divided by, None where all were agreed on. Raises UnknownFact."""
    return read(Shares, facts.fact(session, shares_of(session, charge_id)).body).weights


def in_place_of(session: Session, charge_id: str) -> list[str]:
    """Fact ids of a charge and of those it was made anew in place of, the newest first; none when it was itself
    reversed since: it costs nothing any more. Raises UnknownFact."""
    reversals = dict(_charges(session, tables.charge.c.corrects == charge_id)).values()
    if any(body.corrects and body.corrects.kind is CorrectionKind.REVERSAL for body in reversals):
        return []
    found = [charge_id]
    while (body := charge(session, found[-1])[0]).corrects is not None and body.corrects.kind is CorrectionKind.ANEW:
        found.append(body.corrects.charge)
    return found


def hold(session: Session, dispute: str) -> Hold | None:
    """What is frozen under a dispute now, None when nothing is."""
    table = tables.hold
    query = select(table.c.document).where(table.c.dispute == dispute, table.c.released.is_(None))
    document = session.execute(query).scalar()
    return None if document is None else read(Hold, canonical.decode(document.encode()))


@dataclass(frozen=True, slots=True)
class StoredHold:
    """A hold with its fact id and that of its release, None while it stands."""

    fact_id: str
    body: Hold
    released: str | None


def holds(session: Session, period: str) -> list[StoredHold]:
    """Everything ever frozen of the charges for a period."""
    table = tables.hold
    rows = session.execute(select(table.c.fact_id, table.c.document, table.c.released).order_by(table.c.dispute))
    found = [StoredHold(row.fact_id, read(Hold, canonical.decode(row.document.encode())), row.released) for row in rows]
    return [item for item in found if item.body.period == period]


def posting_period(session: Session, corrected: Charge) -> str:
    """The period whose cycle posts a correction made now: the charge's own while its statements are not out, else the
    one after the last that stated anything."""
    issued = [body.period for body in cycles(session) if ORDER.index(body.state) >= ORDER.index(State.ISSUED)]
    own = corrected.booked or corrected.period
    return own if not issued or max(issued) < own else month_after(max(issued))


def credits_of(session: Session, charge_id: str) -> list[tuple[str, Charge]]:
    """What was given back of a charge so far, in the order it was."""
    found = dict(_charges(session, tables.charge.c.corrects == charge_id))
    credited = {
        name: body for name, body in found.items() if body.corrects and body.corrects.kind is CorrectionKind.CREDIT
    }
    if len(credited) < 2:
        return list(credited.items())
    chain = facts.facts_of(session, facts.fact(session, next(iter(credited))).subject)
    return [(fact.id, credited[fact.id]) for fact in chain if fact.id in credited]


def _charges(session: Session, condition: ColumnElement[bool]) -> list[tuple[str, Charge]]:
    table = tables.charge
    rows = session.execute(select(table.c.fact_id, table.c.document).where(condition).order_by(table.c.fact_id))
    return [(row.fact_id, read(Charge, canonical.decode(row.document.encode()))) for row in rows]


def uninvoiced(session: Session, booked: str) -> list[tuple[str, Charge]]:
    """Charges of a cycle whose tax waits for an invoice, or for a red one where tax is given back."""
    table = tables.charge
    return _charges(session, (table.c.booked == booked) & (table.c.tax != 0) & table.c.invoice.is_(None))


def buyers(session: Session) -> dict[str, str]:
    """Who owes under each name in the journal: the buyer of every agreement that was ever charged, and the guarantor of
    every guarantee that was called."""
    table = tables.guarantee_call
    rows = session.execute(select(tables.charge.c.agreement, tables.charge.c.buyer).distinct())
    called = session.execute(select(table.c.claim, table.c.guarantor).distinct())
    return {row.agreement: row.buyer for row in rows} | {row.claim: row.guarantor for row in called}


def lineage_total(session: Session, lineage: str) -> int:
    """Cumulative net revenue of a rounding lineage, fen; 0 before its first charge."""
    table = tables.shares
    statement = select(table.c.after).where(table.c.lineage == lineage).order_by(table.c.number.desc()).limit(1)
    found: int = session.execute(statement).scalar() or 0
    return found


def entitled(session: Session, lineage: str, before: int | None = None) -> dict[str, Fraction]:
    """What each holder of a lineage with derived weights is entitled to in all, exact fen, after its last charge or
    after the one before number `before`; nothing where it has none."""
    table = tables.shares
    query = select(table.c.fact_id).where(table.c.lineage == lineage).order_by(table.c.number.desc()).limit(1)
    if before is not None:
        query = query.where(table.c.number < before)
    name = session.execute(query).scalar()
    return {} if name is None else entitled_after(read(Shares, facts.fact(session, name).body))


@dataclass(frozen=True, slots=True)
class LineageState:
    """A rounding lineage after its division `shares`, None before the first: its cumulative net revenue, fen, and what
    each holder is entitled to where the weights are derived."""

    shares: str | None
    total: int
    entitled: Mapping[str, Fraction]


def lineage_state(session: Session, lineage: str, before: int | None = None) -> LineageState:
    """A lineage as it stands, or as it stood before the journal had the transaction with the number `before`."""
    table = tables.shares
    rows = session.execute(select(table).where(table.c.lineage == lineage).order_by(table.c.number.desc()))
    for row in rows:
        if _posted_before(session, "share", row.fact_id, before):
            after = entitled_after(read(Shares, facts.fact(session, row.fact_id).body))
            return LineageState(row.fact_id, row.after, after)
    return LineageState(None, 0, {})


def _posted_before(session: Session, event: str, event_id: str, number: int | None) -> bool:
    """Always, where there is no number to compare with."""
    if number is None:
        return True
    table = tables.journal_transaction
    query = select(table.c.no).where(table.c.event == event, table.c.event_id == event_id)
    found: int | None = session.execute(query).scalar()
    return found is not None and found < number


def guarantee_calls(session: Session, booked: str) -> list[tuple[str, GuaranteeCall]]:
    """(fact id, call) that the cycle of the period `booked` posted."""
    table = tables.guarantee_call
    names = session.execute(select(table.c.fact_id).where(table.c.booked == booked).order_by(table.c.claim)).scalars()
    return [(name, read(GuaranteeCall, facts.fact(session, name).body)) for name in names]


def called(session: Session, claims: Collection[str], booked: str, before: int | None = None) -> dict[str, int]:
    """What other cycles than that of the period `booked` called under these claims, fen; `before` leaves out what the
    journal had from that number on."""
    table = tables.guarantee_call
    found: dict[str, int] = {}
    for row in session.execute(select(table).where(table.c.claim.in_(claims), table.c.booked != booked)):
        if _posted_before(session, "guarantee", row.fact_id, before):
            found[row.claim] = found.get(row.claim, 0) + row.amount
    return found


def balance(session: Session, *, until: int | None = None) -> dict[Account, int]:
    """Balances that are not zero; with `until`, as they were after that second UTC."""
    table, moment = tables.posting, tables.journal_transaction
    keys = (table.c.kind, table.c.party, table.c.agreement, table.c.period)
    query = select(*keys, func.sum(table.c.amount).label("total")).group_by(*keys)
    if until is not None:
        query = query.where(table.c.no.in_(select(moment.c.no).where(moment.c.at <= until)))
    rows = session.execute(query)
    found = {Account(Kind(row.kind), row.party, row.agreement, row.period): int(row.total) for row in rows}
    return {account: total for account, total in sorted(found.items()) if total}


def unbalanced(session: Session) -> dict[int, int]:
    """Journal numbers whose stored postings do not sum to 0, with the sum in fen: only tampering makes these."""
    table = tables.posting
    total = func.sum(table.c.amount)
    rows = session.execute(select(table.c.no, total.label("total")).group_by(table.c.no).having(total != 0))
    return {row.no: int(row.total) for row in rows}


def transactions(session: Session, first: int = 0, *, without: Collection[int] = ()) -> list[tuple[int, Transaction]]:
    """(number, transaction) from number `first` on, in journal order; `without` leaves some out.

    Raises Unbalanced for a stored transaction that does not sum to 0.
    """
    table = tables.posting
    postings: dict[int, list[Posting]] = {}
    for row in session.execute(select(table).where(table.c.no >= first).order_by(table.c.no, table.c.line)):
        account = Account(Kind(row.kind), row.party, row.agreement, row.period)
        postings.setdefault(row.no, []).append(Posting(account, row.amount))
    head = tables.journal_transaction
    rows = session.execute(select(head).where(head.c.no >= first).order_by(head.c.no))
    return [
        (
            row.no,
            Transaction(row.event, row.event_id, row.at, row.value_date, row.currency, tuple(postings.get(row.no, ()))),
        )
        for row in rows
        if row.no not in without
    ]


def last_statements(session: Session) -> dict[str, PartA]:
    """Every party's latest statement."""
    rows = session.execute(select(tables.statement.c.document).order_by(tables.statement.c.last))
    found = [read(PartA, canonical.decode(row.document.encode())) for row in rows]
    return {body.party: body for body in found}


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A statement with what happened to it: fact id, when its party confirmed it, its notice."""

    fact_id: str
    body: PartA
    confirmed_at: int | None
    notice: str | None


def statements(session: Session, name: str) -> list[StoredStatement]:
    """The statements of a cycle in order of party."""
    table = tables.statement
    rows = session.execute(select(table).where(table.c.cycle == name).order_by(table.c.party))
    return [
        StoredStatement(row.fact_id, read(PartA, canonical.decode(row.document.encode())), row.confirmed_at, row.notice)
        for row in rows
    ]


def statement_of(session: Session, name: str, party: str) -> StoredStatement:
    """One party's statement in a cycle. Raises UnknownFact."""
    for item in statements(session, name):
        if item.body.party == party:
            return item
    raise UnknownFact("statement", f"{name}/{party}")


def part_documents(session: Session, fact_id: str) -> list[Line | ObligationPart]:
    """The parts of a statement or netting fact as values."""
    return [read_part(data) for data in facts.parts_of(session, fact_id)]


def returned(session: Session, period: str) -> list[str]:
    """Ids of the pay-outs of a period's cycle that came back and were not issued again."""
    table = tables.instruction
    again = select(table.c.replaces).where(table.c.replaces.is_not(None))
    query = select(table.c.end_to_end).where(
        table.c.period == period, table.c.returned == 1, table.c.end_to_end.not_in(again)
    )
    return sorted(session.execute(query).scalars())


def batch_of_instruction(session: Session, end_to_end: str) -> Batch:
    """The batch an instruction was released with. Raises UnknownFact."""
    table = tables.instruction
    found = session.execute(select(table.c.fact_id).where(table.c.end_to_end == end_to_end)).scalar()
    if found is None:
        raise UnknownFact("instruction", end_to_end)
    return batch_in(facts.fact(session, found))


def batch_in(fact: Fact) -> Batch:
    """The batch that payment instructions, first or again, release. Raises UnknownFact for a fact of another kind."""
    if fact.kind == "payment-reissue/v1":
        return read(ReissueOrder, fact.body).batch
    if fact.kind == "payment-instructions/v1":
        return read(Batch, fact.body)
    if fact.kind == COVER_CALL:
        return read(CoverCall, fact.body).batch
    raise UnknownFact("payment batch", fact.id)


def expected(session: Session, end_to_end: str) -> Mapping[str, Expected]:
    """The instruction with this id as it stands, or nothing."""
    table = tables.instruction
    row = session.execute(select(table).where(table.c.end_to_end == end_to_end, table.c.void == 0)).first()
    return {} if row is None else {end_to_end: _standing(session, [row])[0]}


def batch(session: Session, name: str) -> Batch:
    """The payment instructions of a cycle. Raises UnknownFact before they were released."""
    fact_id = instructions_of(session, name)
    if fact_id is None:
        raise UnknownFact("payment instructions", name)
    return read(Batch, facts.fact(session, fact_id).body)


def paid_in(session: Session, run_id: str, batch_id: str | None) -> dict[str, int]:
    """What is there for each party so far, fen, from itself or its guarantor: on the instructions of a batch, if there
    is one, and before it under earlier runs."""
    found: dict[str, int] = {}
    for item in brought(session, run_id, batch_id):
        found[item.party] = found.get(item.party, 0) + item.amount
    return found


def brought(session: Session, run_id: str, batch_id: str | None) -> tuple[Funded, ...]:
    """As `paid_in`, what guarantors brought apart, by party and guarantor."""
    run = read(Run, facts.fact(session, run_id).body)
    found = {(item.party, item.by): item.amount for item in run.funded or ()}
    paid: list[tuple[str, str | None, int]] = []
    if batch_id:
        paid += [(item.party, None, item.booked) for item in _funding(session, batch_id)]
        if call := cover_call(session, run.cycle, batch_id):
            by = {item.party: item.guarantor for item in call[1].asked}
            paid += [(item.party, by[item.party], item.booked) for item in _funding(session, call[0])]
    for party, guarantor, amount in paid:
        if amount:
            found[party, guarantor] = found.get((party, guarantor), 0) + amount
    ordered = sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    return tuple(Funded(party, amount, guarantor) for (party, guarantor), amount in ordered)


def _funding(session: Session, batch_id: str) -> list[Expected]:
    return [item for item in instructions(session, batch_id).values() if item.direction is Direction.FUNDING]


def defaults(session: Session, name: str) -> list[tuple[str, Default]]:
    """(fact id, default) of a cycle, in order."""
    chain = facts.facts_of(session, f"netting:{name}")
    return [(fact.id, read(Default, fact.body)) for fact in chain if fact.kind == "funding-default/v1"]


def instructions(session: Session, fact_id: str) -> dict[str, Expected]:
    """The instructions of one batch as they stand."""
    table = tables.instruction
    rows = session.execute(select(table).where(table.c.fact_id == fact_id).order_by(table.c.end_to_end)).all()
    return dict(zip((row.end_to_end for row in rows), _standing(session, rows), strict=True))


def orders_of(session: Session, period: str) -> dict[str, Expected]:
    """The instructions of a period's cycle that stand, by id, those issued again with them; and those that a default
    undid after money had come on them, which counts on."""
    table = tables.instruction
    counts = or_(table.c.void == 0, table.c.booked != 0)
    query = select(table).where(table.c.period == period, counts).order_by(table.c.end_to_end)
    return {row.end_to_end: _expected(row) for row in session.execute(query)}


def entries_of(session: Session, period: str) -> dict[str, list[BankEntry]]:
    """The bank's entries that moved the instructions of a period's cycle, by the instruction's id, in order of day."""
    entry, order = tables.bank_entry, tables.instruction
    query = (
        select(entry.c.end_to_end, entry.c.document)
        .join(order, order.c.end_to_end == entry.c.end_to_end)
        .where(order.c.period == period, entry.c.effect != str(BankEffect.UNKNOWN))
    )
    found: dict[str, list[BankEntry]] = {}
    for row in session.execute(query):
        found.setdefault(row.end_to_end, []).append(read(BankEntry, canonical.decode(row.document.encode())))
    return {name: sorted(items, key=lambda item: (item.booking_date, item.reference)) for name, items in found.items()}


def _standing(session: Session, rows: Sequence[Any]) -> list[Expected]:
    """The instructions of one period's cycle, with what is not due on them because the party, or its guarantor, has
    brought it on the other one: of two that stand for one debt, the larger is the debt."""
    table, found = tables.instruction, [_expected(row) for row in rows]
    if not any(item.direction is Direction.FUNDING for item in found):
        return found
    ours = table.c.period == found[0].period
    if len(found) == 1:  # by their ids, since every entry of a bank file asks for one instruction
        runs = session.execute(select(tables.cycle.c.netting).where(tables.cycle.c.period == found[0].period)).scalars()
        party = found[0].party
        names = [(payment.end_to_end_of(run, Direction.FUNDING, party), cover_id(run, party)) for run in runs if run]
        ours = table.c.end_to_end.in_([name for pair in names for name in pair])
    query = (
        select(table.c.party, func.max(table.c.amount).label("debt"), func.sum(table.c.booked).label("booked"))
        .where(ours, table.c.direction == str(Direction.FUNDING), table.c.void == 0)
        .group_by(table.c.party)
        .having(func.count() > 1)
    )
    both = {row.party: (row.debt, int(row.booked)) for row in session.execute(query)}
    for number, (row, item) in enumerate(zip(rows, found, strict=True)):
        if item.direction is Direction.FUNDING and not row.void and item.party in both:
            debt, booked = both[item.party]
            found[number] = replace(item, elsewhere=max(0, item.amount + booked - item.booked - debt))
    return found


def _expected(row: Any) -> Expected:
    return Expected(Direction(row.direction), row.party, row.period, row.amount, row.booked, bool(row.returned))


def bank_file(session: Session, digest: str) -> str | None:
    """Fact id of the file with this SHA-256, if it was imported."""
    found: str | None = session.execute(
        select(tables.bank_file.c.fact_id).where(tables.bank_file.c.digest == digest)
    ).scalar()
    return found


def bank_closing(session: Session, bank: str, account: str) -> int | None:
    """The account's balance after its last file, None before the first."""
    table = tables.bank_file
    query = select(table.c.closing).where(table.c.bank == bank, table.c.account == account)
    found: int | None = session.execute(query.order_by(table.c.number.desc()).limit(1)).scalar()
    return found


def bank_entries(session: Session, bank: str, account: str) -> dict[str, BankEntry]:
    """Every entry known of an account, by its reference."""
    table = tables.bank_entry
    rows = session.execute(select(table).where(table.c.bank == bank, table.c.account == account))
    return {row.reference: read(BankEntry, canonical.decode(row.document.encode())) for row in rows}


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """Where a bank entry stands: the fact id of its file, and of the instructions it was matched to, if any."""

    file: str
    instructions: str | None


def bank_entry(session: Session, event_id: str) -> BookedEntry:
    """The entry that the journal calls `event_id` (bank/account/reference). Raises UnknownFact."""
    bank, _, rest = event_id.partition("/")
    account, _, reference = rest.partition("/")
    entry, order = tables.bank_entry, tables.instruction
    row = session.execute(
        select(entry.c.fact_id, order.c.fact_id.label("batch"))
        .outerjoin(order, order.c.end_to_end == entry.c.end_to_end)
        .where(entry.c.bank == bank, entry.c.account == account, entry.c.reference == reference)
    ).first()
    if row is None:
        raise UnknownFact("bank entry", event_id)
    return BookedEntry(row.fact_id, row.batch)


def booked(session: Session, period: str) -> list[tuple[BankEffect, int, int]]:
    """(effect, amount, applied) of every bank entry matched to an instruction of the period's cycle, void ones too."""
    entry, order = tables.bank_entry, tables.instruction
    rows = session.execute(
        select(entry.c.effect, entry.c.amount, entry.c.applied)
        .join(order, order.c.end_to_end == entry.c.end_to_end)
        .where(order.c.period == period, entry.c.effect != str(BankEffect.UNKNOWN))
    )
    return [(BankEffect(row.effect), row.amount, row.applied) for row in rows]


def booked_on(session: Session, fact_id: str) -> list[tuple[str, str, int]]:
    """(entry as the journal calls it, party, fen applied) of what was booked on the fundings of a batch."""
    entry, order = tables.bank_entry, tables.instruction
    rows = session.execute(
        select(entry, order.c.party)
        .join(order, order.c.end_to_end == entry.c.end_to_end)
        .where(order.c.fact_id == fact_id, entry.c.effect.in_([str(BankEffect.RECEIPT), str(BankEffect.OVER)]))
        .order_by(entry.c.bank, entry.c.account, entry.c.reference)
    )
    return [(f"{row.bank}/{row.account}/{row.reference}", row.party, row.applied) for row in rows]


def in_suspense(session: Session) -> list[Suspended]:
    """What SUS holds, item by item: entries that no instruction explains, what was paid too much, and the balance an
    account was opened with, under the reference "opening"."""
    file, entry = tables.bank_file, tables.bank_entry
    opened = select(file.c.fact_id).where(file.c.number == 0, file.c.opening != 0).order_by(file.c.bank, file.c.account)
    bodies = [read(BankFile, facts.fact(session, name).body) for name in session.execute(opened).scalars()]
    found = [Suspended(item.account, "opening", item.first_day, item.opening, "", "") for item in bodies]
    unexplained = entry.c.effect.in_([str(BankEffect.UNKNOWN), str(BankEffect.OVER)])
    query = select(entry).where(unexplained).order_by(entry.c.bank, entry.c.account, entry.c.reference)
    for row in session.execute(query):
        booked_entry = read(BankEntry, canonical.decode(row.document.encode()))
        posting = BankPosting(BankEffect(row.effect), row.amount, row.applied, "", "")
        item = suspended(row.account, booked_entry, posting)
        if item is not None:
            found.append(item)
    return found


def paid_twice(session: Session) -> tuple[PaidTwice, ...]:
    """The second bookings of instructions that were met already, whose money waits in suspense."""
    entry, order, file = tables.bank_entry, tables.instruction, tables.bank_file
    doubtful = select(entry.c.end_to_end).where(entry.c.effect == str(BankEffect.UNKNOWN), entry.c.end_to_end != "")
    orders = session.execute(select(order).where(order.c.void == 0, order.c.end_to_end.in_(doubtful))).all()
    before = {row.end_to_end: replace(_expected(row), booked=0, returned=False) for row in orders}
    query = (
        select(entry.c.document)
        .join(file, file.c.fact_id == entry.c.fact_id)
        .where(entry.c.end_to_end.in_(list(before)))
        .order_by(file.c.bank, file.c.account, file.c.number, entry.c.reference)
    )
    entries = [read(BankEntry, canonical.decode(row.document.encode())) for row in session.execute(query)]
    return suspense.paid_twice(entries, before)


def readings(session: Session, booked: str) -> list[tuple[str, MeterReading]]:
    """(fact id, reading) that the cycle of the period `booked` made, earlier periods read again with them."""
    table = tables.reading
    order = (table.c.agreement, table.c.revision, table.c.period)
    rows = session.execute(select(table.c.fact_id, table.c.document).where(table.c.booked == booked).order_by(*order))
    return [(row.fact_id, read(MeterReading, canonical.decode(row.document.encode()))) for row in rows]


def last_readings(session: Session, agreement: str, revision: int, booked: str) -> list[tuple[str, MeterReading]]:
    """(fact id, reading) of every period of an agreement revision as last read by a cycle before that of `booked`,
    in order of period."""
    table = tables.reading
    query = (
        select(table.c.fact_id, table.c.period, table.c.document)
        .where(table.c.agreement == agreement, table.c.revision == revision, table.c.booked < booked)
        .order_by(table.c.period, table.c.sequence)
    )
    found = {row.period: row for row in session.execute(query)}
    return [(row.fact_id, read(MeterReading, canonical.decode(row.document.encode()))) for row in found.values()]


def corrected_later(session: Session, period: str) -> frozenset[str]:
    """Fact ids of charges, shares and invoices by which later cycles correct this period."""
    table, divided = tables.charge, tables.shares
    query = (
        select(table.c.fact_id, table.c.invoice, divided.c.fact_id.label("shares"))
        .join(divided, divided.c.charge == table.c.fact_id)
        .where(table.c.period == period, table.c.booked != period)
    )
    return frozenset(name for row in session.execute(query) for name in row if name is not None)


def shares_of(session: Session, charge_id: str) -> str:
    """Fact id of the shares of a charge. Raises UnknownFact."""
    found = session.execute(select(tables.shares.c.fact_id).where(tables.shares.c.charge == charge_id)).scalar()
    if found is None:
        raise UnknownFact("shares of charge", charge_id)
    return str(found)


def shares_ids(session: Session, booked: str) -> list[str]:
    """Fact ids of the shares a cycle posted, each lineage in its order."""
    table = tables.shares
    query = select(table.c.fact_id).where(table.c.booked == booked).order_by(table.c.lineage, table.c.number)
    return list(session.execute(query).scalars())


def invoices(session: Session, booked: str) -> list[tuple[str, Invoice]]:
    """(fact id, invoice) recorded for the charges of a cycle."""
    table = tables.charge
    rows = session.execute(select(table.c.invoice).where(table.c.booked == booked, table.c.invoice.is_not(None)))
    return [(row.invoice, read(Invoice, facts.fact(session, row.invoice).body)) for row in rows]


def invoice_numbers(session: Session, agreements: Collection[str]) -> dict[tuple[str, str], list[str]]:
    """The numbers of the invoices recorded for each (agreement, period), in the order of issue."""
    table = tables.charge
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(agreements):
        query = select(table.c.invoice).where(table.c.agreement == name, table.c.invoice.is_not(None))
        bodies = [read(Invoice, facts.fact(session, row.invoice).body) for row in session.execute(query)]
        for body in sorted(bodies, key=lambda item: (item.issued_at, item.number)):
            found.setdefault((body.agreement, body.period), []).append(body.number)
    return found


def lineages_before(session: Session, booked: str) -> dict[str, tuple[int, dict[str, Fraction]]]:
    """Cumulative total of every lineage, and what each holder was entitled to where the weights are derived, before the
    first charge a cycle posted to it."""
    table = tables.shares
    found: dict[str, tuple[int, dict[str, Fraction]]] = {}
    rows = session.execute(select(table).where(table.c.booked == booked).order_by(table.c.lineage, table.c.number))
    for row in rows:
        if row.lineage not in found:
            query = select(table.c.after).where(table.c.lineage == row.lineage, table.c.number == row.number - 1)
            total = session.execute(query).scalar() or 0
            found[row.lineage] = total, entitled(session, row.lineage, row.number)
    return found


def statements_before(session: Session, now: CycleMove) -> dict[str, PartA]:
    """Every party's latest statement of an earlier period than the cycle's."""
    table = tables.statement
    query = select(table.c.document).where(table.c.period < now.period).order_by(table.c.last)
    found = [read(PartA, canonical.decode(row.document.encode())) for row in session.execute(query)]
    return {body.party: body for body in found}


def shared_total(session: Session, booked: str) -> int:
    """What the shares a cycle posted add up to, fen."""
    table = tables.share
    return int(session.execute(select(func.sum(table.c.amount)).where(table.c.booked == booked)).scalar() or 0)


def deals(session: Session, booked: str) -> list[tuple[Charge, list[tuple[str, str, int]], str | None]]:
    """Per charge a cycle posted: the charge, its shares as (party, role, fen), and its invoice's fact id."""
    found = []
    for name, body in charges(session, booked):
        shares_id = shares_of(session, name)
        rows = session.execute(
            select(tables.share).where(tables.share.c.fact_id == shares_id).order_by(tables.share.c.party)
        )
        found.append((body, [(row.party, row.role, row.amount) for row in rows], charge(session, name)[1]))
    return found
