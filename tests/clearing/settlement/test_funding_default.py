"""A net payer does not bring its money: the rest is netted again and paid, and nobody pays twice or for another."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from clearing.errors import TooEarly, WrongMove
from clearing.settlement import journal, notice, service, store, tables
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import State
from clearing.settlement.journal import Kind
from clearing.settlement.netting import Run
from clearing.settlement.notice import PartB, Reason
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.statement import Obligation, ObligationPart
from clearing.terms import DAY
from ledger import store as facts
from ledger.reading import read
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, APRIL, MARCH, OFFICE, Market

AT = MARCH.end + DAY


def instructed(session: Session, market: Market) -> tuple[str, Batch]:
    cycle = demo.to_netted(session, market, MARCH)
    return cycle, demo.instruct(session, cycle, AT + 40)


def fund(session: Session, market: Market, batch: Batch, but: str, at: int) -> None:
    """Everybody funds but those named."""
    due = [(item.amount, item.end_to_end, "") for item in batch.instructions
           if item.direction is Direction.FUNDING and item.party not in but]  # fmt: skip
    service.import_bank_file(session, OFFICE, market.file(*due), at=at)


def audited(session: Session, market: Market, cycle: str) -> list[Finding]:
    secret = service.netting_secret(OFFICE, cycle)
    return service.audit(
        session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, secret=secret, earlier=AGREEMENTS
    )  # fmt: skip


def test_default__the_rest_is_netted_again_and_the_cycle_goes_on_to_its_close(session: Session, market: Market) -> None:
    """Y owes for g2 and brings nothing. What g2's payees lose is theirs to bear; X and the others settle among them."""
    cycle, batch = instructed(session, market)
    payers = {item.party for item in batch.instructions if item.direction is Direction.FUNDING}
    assert "Y" in payers
    fund(session, market, batch, "Y", AT + 50)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT + 50).state is State.INSTRUCTED
    late = store.cycle(session, cycle).until
    with pytest.raises(TooEarly):
        service.declare_default(session, OFFICE, cycle=cycle, at=late - 1)
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    journal.trial_balance(store.balance(session))
    with pytest.raises(WrongMove):
        service.declare_default(session, OFFICE, cycle=cycle, at=late)
    run = read(Run, facts.fact(session, store.netting_of(session, cycle) or "").body)
    assert "Y" not in {item.party for item in run.certificate.positions}
    again = demo.instruct(session, cycle, late + 1)
    assert store.cycle(session, cycle).until == late + 1 + 3 * DAY, "a new clock for what is still to be brought"
    fund(session, market, again, "", late + 2)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=late + 2).state is State.FUNDED
    service.import_bank_file(session, OFFICE, market.file(*demo.booked(again, Direction.PAYOUT)), at=late + 3)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=late + 3).state is State.SETTLED
    sums = service.money_sums(session, cycle=cycle)
    assert sums.agrees
    assert sums.suspense == 0
    demo.close(session, cycle, late + 4)
    assert audited(session, market, cycle) == []
    left = store.balance(session)
    owed = {account.party: amount for account, amount in left.items() if account.agreement == "g2"}
    assert {account.agreement for account in left} == {"g2"}, "what Y owes stays owed, and nothing else is open"
    assert sum(owed.values()) == 0
    assert owed["Y"] > 0


def test_default__notices_say_what_left_and_every_proof_still_holds(session: Session, market: Market) -> None:
    cycle, batch = instructed(session, market)
    fund(session, market, batch, "Y", AT + 50)
    service.declare_default(session, OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)
    for item in store.statements(session, cycle):
        part_b = read(PartB, facts.fact(session, item.notice or "").body)
        own = [
            Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        if part_b.proof.leaves:
            notice.check(part_b, own)
        left = [held for held in part_b.held if held.reason is Reason.DEFAULTED]
        assert {held.debtor for held in left} <= {"Y"} | {part.debtor for part in own if part.creditor == "Y"}
        assert bool(left) == any("Y" in (part.debtor, part.creditor) for part in own)
    assert audited(session, market, cycle) == []


def test_default__what_is_paid_on_old_instructions_later__waits_in_suspense(session: Session, market: Market) -> None:
    cycle, batch = instructed(session, market)
    fund(session, market, batch, "Y", AT + 50)
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    due = next(item for item in batch.instructions if item.party == "Y")
    service.import_bank_file(session, OFFICE, market.file((due.amount, due.end_to_end, "")), at=late + 1)
    assert service.money_sums(session, cycle=cycle).suspense == due.amount
    assert audited(session, market, cycle) == []


def test_default__of_everybody__nothing_is_left_to_net_and_all_of_it_stays_owed(
    session: Session,
) -> None:
    """X and Y owe, A, B and C are owed: without X and Y there is nothing."""
    market = Market()
    market.call(MARCH, g1=1001, g2=500)
    market.call(APRIL, g1=7)
    cycle, _ = instructed(session, market)
    before = {account: amount for account, amount in store.balance(session).items() if account.kind is Kind.BNK}
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    run = read(Run, facts.fact(session, store.netting_of(session, cycle) or "").body)
    assert (run.root, run.certificate.positions, run.final) == (None, (), {})
    again = demo.instruct(session, cycle, late + 1)
    assert again.instructions == ()
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=late + 2).state is State.SETTLED
    assert {a: n for a, n in store.balance(session).items() if a.kind is Kind.BNK} == before
    demo.close(session, cycle, late + 3)
    assert audited(session, market, cycle) == []
    april = demo.to_statements(session, market, APRIL, APRIL.end + 9 * DAY)
    periods = {
        item.period
        for stored in store.statements(session, april)
        for part in store.part_documents(session, stored.fact_id)
        if isinstance(part, ObligationPart)
        for item in part.items
    }
    assert periods == {"2026-03", "2026-04"}, "what stayed owed is stated again"


def test_default__twice__what_who_left_had_brought_pays_its_creditors(session: Session, market: Market) -> None:
    """Y brings a fen and leaves; what then is due of the others is not brought either. Y's fen is one creditor's, as
    long as that creditor stays; Y is asked for nothing again."""
    cycle, batch = instructed(session, market)
    due = next(item for item in batch.instructions if item.party == "Y")
    service.import_bank_file(session, OFFICE, market.file((1, due.end_to_end, "")), at=AT + 50)
    fund(session, market, batch, "Y", AT + 51)
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    again = demo.instruct(session, cycle, late + 1)
    assert "Y" not in {item.party for item in again.instructions}
    (_, first), *_ = store.defaults(session, cycle)
    largest = max(first.exposures, key=lambda item: item.claim)
    assert {item.creditor: item.covered for item in first.exposures if item.covered} == {largest.creditor: 1}
    assert {item.borne + item.covered - item.claim for item in first.exposures} == {0}
    short = {item.party for item in again.instructions if item.direction is Direction.FUNDING}
    assert short, "somebody has to bring more than it had"
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    last = demo.instruct(session, cycle, late + 1)
    back = {item.party: item.amount for item in last.instructions if item.party == "Y"}
    assert back == ({"Y": 1} if largest.creditor in short else {}), "of a claim that left too the fen comes back"
    fund(session, market, last, "", late + 2)
    service.advance_payments(session, OFFICE, cycle=cycle, at=late + 2)
    service.import_bank_file(session, OFFICE, market.file(*demo.booked(last, Direction.PAYOUT)), at=late + 3)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=late + 3).state is State.SETTLED
    assert service.money_sums(session, cycle=cycle).agrees
    demo.close(session, cycle, late + 4)
    assert audited(session, market, cycle) == []
    journal.trial_balance(store.balance(session))


def test_default__nobody_short__is_refused(session: Session, market: Market) -> None:
    cycle, batch = instructed(session, market)
    fund(session, market, batch, "", AT + 50)
    with pytest.raises(WrongMove, match="short"):
        service.declare_default(session, OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)


def test_audit__a_changed_amount_of_the_second_run__is_named(session: Session, market: Market) -> None:
    cycle, batch = instructed(session, market)
    fund(session, market, batch, "Y", AT + 50)
    service.declare_default(session, OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)
    table = tables.instruction
    paid = table.c.booked > 0
    session.execute(update(table).where(paid).values(booked=table.c.booked - 1))
    assert any(found.row.startswith("default") for found in audited(session, market, cycle))
