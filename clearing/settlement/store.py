"""The rows of settlement: each fact kind has one projector, and the queries the services decide with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import journal, payment, tables
from clearing.settlement.bank_file import BankEntry, BankFile
from clearing.settlement.close import CycleClose
from clearing.settlement.cycle import CycleMove
from clearing.settlement.invoice import Invoice
from clearing.settlement.journal import Account, BankEffect, BankPosting, Kind, Netted, Posting, Transaction
from clearing.settlement.netting import Run
from clearing.settlement.notice import PartB
from clearing.settlement.payment import Batch, Direction, Expected
from clearing.settlement.rating import Charge
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import Line, ObligationPart, PartA, read_part
from clearing.terms import CURRENCY
from clearing.usage.metering import MeterReading
from ledger import canonical
from ledger import store as facts
from ledger.facts import Fact
from ledger.reading import body_of, read


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The body of a statement-confirmed fact: the party accepts the statement with this fact id."""

    statement: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A bank entry as a part of its file's fact, with its salt."""

    entry: BankEntry
    salt: str


def _text(value: Any) -> str:
    return canonical.encode(body_of(value)).decode()


def _post(session: Session, transaction: Transaction) -> None:
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
            quantity=body.quantity,
            counted=body.counted,
            document=_text(body),
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
            buyer=body.buyer,
            invoice_issuer=body.invoice_issuer,
            gross=body.gross,
            net=body.net,
            tax=body.tax,
            document=_text(body),
        )
    )
    _post(session, journal.charged(fact.id, body, fact.at))


def _shares(session: Session, fact: Fact) -> None:
    body = read(Shares, fact.body)
    session.execute(
        insert(tables.shares).values(
            fact_id=fact.id,
            charge=body.charge,
            lineage=body.lineage,
            number=fact.statement.no,
            after=body.after,
            period=body.period,
        )
    )
    rows = [
        {
            "fact_id": fact.id,
            "party": line.party,
            "role": line.role,
            "agreement": body.agreement,
            "period": body.period,
            "entitlement": line.entitlement,
            "amount": line.amount,
            "carry": line.carry_after,
        }
        for line in body.shares
    ]
    session.execute(insert(tables.share), rows)
    _post(session, journal.shared(fact.id, body, fact.at))


def _invoice(session: Session, fact: Fact) -> None:
    body = read(Invoice, fact.body)
    session.execute(update(tables.charge).where(tables.charge.c.fact_id == body.charge).values(invoice=fact.id))
    _post(session, journal.invoiced(fact.id, body.issuer, body.agreement, body.period, body.tax, CURRENCY, fact.at))


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
    session.execute(insert(tables.position), rows)
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(netting=fact.id))
    positions = {item.party: item.net for item in body.certificate.positions}
    items = netted_items(part_documents(session, fact.id))
    _post(session, journal.netted(fact.id, body.period, items, positions, body.currency, fact.at))


def _notice(session: Session, fact: Fact) -> None:
    body = read(PartB, fact.body)
    table = tables.statement
    session.execute(update(table).where(table.c.fact_id == body.statement).values(notice=fact.id))


def _instructions(session: Session, fact: Fact) -> None:
    body = read(Batch, fact.body)
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
        }
        for item in body.instructions
    ]
    if rows:
        session.execute(insert(tables.instruction), rows)
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(instructions=fact.id))
    payouts = [(item.party, item.amount) for item in body.instructions if item.direction is Direction.PAYOUT]
    _post(session, journal.instructed(fact.id, body.period, payouts, body.currency, fact.at))


def _bank_file(session: Session, fact: Fact) -> None:
    body = read(BankFile, fact.body)
    if fact.statement.no == 0 and body.opening:
        _post(session, journal.bank_opening(fact.id, body.account, body.opening, body.currency, fact.at))
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
        _post(session, journal.banked(event_id, body.account, effect, body.currency, fact.at))


def _book(session: Session, end_to_end: str, effect: BankPosting) -> None:
    if effect.effect is BankEffect.UNKNOWN:
        return
    after = payment.booked_after(expected(session, end_to_end)[end_to_end], effect)
    table = tables.instruction
    session.execute(
        update(table).where(table.c.end_to_end == end_to_end).values(booked=after.booked, returned=int(after.returned))
    )


def _closed(session: Session, fact: Fact) -> None:
    body = read(CycleClose, fact.body)
    session.execute(update(tables.cycle).where(tables.cycle.c.cycle == body.cycle).values(closed=fact.id))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    "cycle-state/v1": _cycle_state,
    "meter-reading/v1": _meter_reading,
    "charge/v1": _charge,
    "shares/v1": _shares,
    "invoice/v1": _invoice,
    "statement/v1": _statement,
    "statement-confirmed/v1": _confirmed,
    "netting/v1": _netting,
    "notice/v1": _notice,
    "payment-instructions/v1": _instructions,
    "bank-file/v1": _bank_file,
    "cycle-closed/v1": _closed,
}


def project(session: Session, fact: Fact) -> None:
    """Write the view rows of one settlement fact."""
    PROJECTORS[fact.kind](session, fact)


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


def charges(session: Session, period: str) -> list[tuple[str, Charge]]:
    """(fact id, charge) of a period, ordered by agreement and revision."""
    rows = session.execute(select(tables.charge).where(tables.charge.c.period == period))
    found = [(row.fact_id, read(Charge, canonical.decode(row.document.encode()))) for row in rows]
    return sorted(found, key=lambda item: (item[1].agreement, item[1].revision))


def uninvoiced(session: Session, period: str) -> list[tuple[str, Charge]]:
    """Charges of a period whose tax waits for an invoice."""
    table = tables.charge
    rows = session.execute(
        select(table.c.fact_id).where(table.c.period == period, table.c.tax > 0, table.c.invoice.is_(None))
    )
    ids = {row.fact_id for row in rows}
    return [item for item in charges(session, period) if item[0] in ids]


def buyers(session: Session) -> dict[str, str]:
    """The buyer of every agreement that was ever charged."""
    rows = session.execute(select(tables.charge.c.agreement, tables.charge.c.buyer).distinct())
    return {row.agreement: row.buyer for row in rows}


def lineage_total(session: Session, lineage: str) -> int:
    """Cumulative net revenue of a rounding lineage, fen; 0 before its first charge."""
    table = tables.shares
    statement = select(table.c.after).where(table.c.lineage == lineage).order_by(table.c.number.desc()).limit(1)
    found: int = session.execute(statement).scalar() or 0
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


def netted_items(parts: Sequence[Line | ObligationPart]) -> list[Netted]:
    """What a netting run discharges, by agreement and period."""
    return [
        Netted(part.debtor, part.creditor, item.agreement, item.period, item.amount)
        for part in parts
        if isinstance(part, ObligationPart)
        for item in part.items
    ]


def expected(session: Session, end_to_end: str) -> Mapping[str, Expected]:
    """The instruction with this id as it stands, or nothing."""
    table = tables.instruction
    row = session.execute(select(table).where(table.c.end_to_end == end_to_end)).first()
    return {} if row is None else {end_to_end: _expected(row)}


def batch(session: Session, name: str) -> Batch:
    """The payment instructions of a cycle. Raises UnknownFact before they were released."""
    fact_id = instructions_of(session, name)
    if fact_id is None:
        raise UnknownFact("payment instructions", name)
    return read(Batch, facts.fact(session, fact_id).body)


def instructions(session: Session, fact_id: str) -> dict[str, Expected]:
    """The instructions of one batch as they stand."""
    table = tables.instruction
    rows = session.execute(select(table).where(table.c.fact_id == fact_id).order_by(table.c.end_to_end))
    return {row.end_to_end: _expected(row) for row in rows}


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


def booked(session: Session, batch: str) -> list[tuple[BankEffect, int, int]]:
    """(effect, amount, applied) of every bank entry matched to a batch's instructions."""
    entry, order = tables.bank_entry, tables.instruction
    rows = session.execute(
        select(entry.c.effect, entry.c.amount, entry.c.applied)
        .join(order, order.c.end_to_end == entry.c.end_to_end)
        .where(order.c.fact_id == batch, entry.c.effect != str(BankEffect.UNKNOWN))
    )
    return [(BankEffect(row.effect), row.amount, row.applied) for row in rows]


def readings(session: Session, period: str) -> list[tuple[str, MeterReading]]:
    """(fact id, reading) of a period, ordered by agreement and revision."""
    table = tables.reading
    rows = session.execute(select(table).where(table.c.period == period).order_by(table.c.agreement, table.c.revision))
    return [(row.fact_id, read(MeterReading, canonical.decode(row.document.encode()))) for row in rows]


def shares_ids(session: Session, period: str) -> list[str]:
    """Fact ids of the shares of a period."""
    return list(session.execute(select(tables.shares.c.fact_id).where(tables.shares.c.period == period)).scalars())


def invoices(session: Session, period: str) -> list[tuple[str, Invoice]]:
    """(fact id, invoice) recorded for the charges of a period."""
    table = tables.charge
    rows = session.execute(select(table.c.invoice).where(table.c.period == period, table.c.invoice.is_not(None)))
    return [(row.invoice, read(Invoice, facts.fact(session, row.invoice).body)) for row in rows]


def lineages_before(session: Session, period: str) -> dict[str, int]:
    """Cumulative total of every lineage before its first charge of a period."""
    table = tables.shares
    found: dict[str, int] = {}
    rows = session.execute(select(table).where(table.c.period == period).order_by(table.c.lineage, table.c.number))
    for row in rows:
        if row.lineage not in found:
            query = select(table.c.after).where(table.c.lineage == row.lineage, table.c.number == row.number - 1)
            found[row.lineage] = session.execute(query).scalar() or 0
    return found


def statements_before(session: Session, now: CycleMove) -> dict[str, PartA]:
    """Every party's latest statement of an earlier period than the cycle's."""
    table = tables.statement
    query = select(table.c.document).where(table.c.period < now.period).order_by(table.c.last)
    found = [read(PartA, canonical.decode(row.document.encode())) for row in session.execute(query)]
    return {body.party: body for body in found}


def shared_total(session: Session, period: str) -> int:
    """What the shares of a period add up to, fen."""
    table = tables.share
    return int(session.execute(select(func.sum(table.c.amount)).where(table.c.period == period)).scalar() or 0)


def deals(session: Session, period: str) -> list[tuple[Charge, list[tuple[str, str, int]], str | None]]:
    """Per charge of a period: the charge, its shares as (party, role, fen), and its invoice's fact id."""
    row_of = tables.shares
    found = []
    for name, body in charges(session, period):
        shares_id = session.execute(select(row_of.c.fact_id).where(row_of.c.charge == name)).scalar()
        rows = session.execute(
            select(tables.share).where(tables.share.c.fact_id == shares_id).order_by(tables.share.c.party)
        )
        found.append((body, [(row.party, row.role, row.amount) for row in rows], charge(session, name)[1]))
    return found
