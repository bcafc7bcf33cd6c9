"""A market settles on a real database: conservation, refusals, replays, and an audit that finds every change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, BankFileRefused, Clash, NotSigned, ProofRefused, TooEarly, WrongMove
from clearing.settlement import correcting, journal, notice, projecting, service, statement, store, tables
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import State
from clearing.settlement.journal import Account, Kind
from clearing.settlement.netting import Run
from clearing.settlement.notice import PartB
from clearing.settlement.payment import Direction
from clearing.settlement.reporting.trades import trade_report
from clearing.settlement.statement import Line, ObligationPart
from clearing.terms import DAY, AgreementTerms
from clearing.usage.finding import CHECKER, MAKER
from ledger import store as facts
from ledger.errors import BadSignature, Conflict
from ledger.facts import Signed
from ledger.reading import read
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, APRIL, MARCH, OFFICE, Market, database, signed_by
from tests.databases import Place


@pytest.fixture
def market() -> Market:
    found = Market()
    found.call(MARCH, g1=1001, g2=500, g3=40)
    found.call(APRIL, g1=7, g2=331, g3=800)
    return found


AT = MARCH.end + DAY


def to_netted(session: Session, market: Market) -> str:
    cycle = demo.to_statements(session, market, MARCH, AT)
    demo.confirm(session, cycle, AT)
    service.close_window(session, OFFICE, cycle=cycle, at=AT)
    service.net(session, OFFICE, cycle=cycle, at=AT)
    return cycle


def test_whole_cycle__two_months__money_in_is_money_out_and_nothing_is_left(session: Session, market: Market) -> None:
    """g1: 1,001 calls × 3.5 fen = 3,504 (rounded once); all claims end at 0 and the audit finds nothing."""
    for period in (MARCH, APRIL):
        cycle = demo.whole_cycle(session, market, period)
        sums = service.money_sums(session, cycle=cycle)
        assert sums.agrees
        assert sums.file_in > 0
        assert sums.suspense == 0
        assert store.cycle(session, cycle).state is State.CLOSED
        secret = service.netting_secret(OFFICE, cycle)
        found = service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, secret=secret)
        assert found == []
    assert store.charges(session, "2026-03")[0][1].gross == 3504
    assert store.balance(session) == {}
    march = service.audit(session, cycle="OP.2026-03.CNY", agreements=AGREEMENTS, uses=market.of)
    assert march == []


def test_statements__opening_lines_closing__add_up_and_sum_to_the_journal(session: Session, market: Market) -> None:
    """closing(n) = opening(n+1); Σ statements over parties = what the journal says parties owe and are owed."""
    demo.whole_cycle(session, market, MARCH)
    before = store.last_statements(session)
    demo.to_statements(session, market, APRIL, APRIL.end + DAY)
    issued = store.statements(session, "OP.2026-04.CNY")
    assert {item.body.party for item in issued} == set("ABCXY")
    for item in issued:
        statement.check(item.body, store.part_documents(session, item.fact_id))
        assert item.body.opening == before[item.body.party].closing
        assert item.body.first == before[item.body.party].last
    balance = store.balance(session)
    owned = sum(amount for account, amount in balance.items() if account.kind in (Kind.PAY, Kind.RCV))
    assert sum(item.body.closing for item in issued) == -owned
    journal.trial_balance(balance)


def test_rate__after_it__no_revenue_waits_for_division(session: Session, market: Market) -> None:
    demo.to_statements(session, market, MARCH, AT)
    assert not [account for account in store.balance(session) if account.kind in (Kind.REV, Kind.TAX)]


def test_issue_statements__without_invoices__tax_waits_and_is_not_owed(session: Session, market: Market) -> None:
    cycle = demo.to_statements(session, market, MARCH, AT, invoices=False)
    taxes = sum(charge.tax for _, charge in store.charges(session, "2026-03"))
    owes = sum(item.body.owes for item in store.statements(session, cycle))
    assert owes == sum(charge.net for _, charge in store.charges(session, "2026-03"))
    assert sum(amount for account, amount in store.balance(session).items() if account.kind is Kind.TAX) == -taxes
    assert len(store.uninvoiced(session, "2026-03")) == 3


def test_issue_statements__a_buyer_back_at_zero__is_told_of_charge_and_reversal(
    session: Session, market: Market
) -> None:
    """What was charged and taken back before the first statement moved the buyer, though it ends where it began."""
    cycle = demo.to_rated(session, market, MARCH, AT)
    buyers = {item.agreement: item.terms.buyer for item in AGREEMENTS}
    plans = {item.agreement: item.terms.plan for item in AGREEMENTS}
    for charge_id, charge in store.charges(session, "2026-03"):
        if buyers[charge.agreement] == "Y":
            undone = correcting.reversal(charge_id, charge, charge_id, "2026-03")
            subject = f"charge:{charge.reading}"
            service.post_charge(session, OFFICE, subject, undone, plans[charge.agreement], AT)
    assert "Y" not in {account.party for account in store.balance(session) if account.stated}
    service.issue_statements(session, OFFICE, cycle=cycle, at=AT)
    found = store.statement_of(session, cycle, "Y")
    assert (found.body.opening, found.body.closing) == (0, 0)
    lines = [part.amount for part in store.part_documents(session, found.fact_id) if isinstance(part, Line)]
    assert len(lines) > 1
    assert sum(lines) == 0
    named = [item.row for item in service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of)]
    assert not [where for where in named if where.startswith("statement Y")]


def test_issue_statements__out_of_the_order_of_periods__is_refused(session: Session, market: Market) -> None:
    """April cannot state before March has, for March's closing is its opening."""
    at = APRIL.end + DAY
    march = demo.to_rated(session, market, MARCH, AT)
    april = demo.to_rated(session, market, APRIL, at)
    with pytest.raises(WrongMove, match=march):
        service.issue_statements(session, OFFICE, cycle=april, at=at)
    service.issue_statements(session, OFFICE, cycle=march, at=at)
    service.issue_statements(session, OFFICE, cycle=april, at=at)
    for cycle in (march, april):
        found = service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, earlier=AGREEMENTS)
        assert found == []


def test_notices__every_party__verifies_its_own_proof(session: Session, market: Market) -> None:
    cycle = to_netted(session, market)
    for item in store.statements(session, cycle):
        assert item.notice is not None
        part_b = read(PartB, facts.fact(session, item.notice).body)
        own = [
            statement.Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        notice.check(part_b, own)
        with pytest.raises(ProofRefused):
            notice.check(part_b, own[1:])


def test_close_window__an_unconfirmed_statement__waits_and_only_its_lines_are_held(
    session: Session, market: Market
) -> None:
    """C does not answer: after the window the rest is netted, what C is owed waits for the next cycle."""
    cycle = demo.to_statements(session, market, MARCH, AT)
    demo.confirm(session, cycle, AT, but="C")
    with pytest.raises(WrongMove, match="C"):
        service.close_window(session, OFFICE, cycle=cycle, at=AT + 5 * DAY - 1)
    service.close_window(session, OFFICE, cycle=cycle, at=AT + 5 * DAY)
    run_id = service.net(session, OFFICE, cycle=cycle, at=AT + 5 * DAY)
    assert run_id is not None
    assert "C" not in {item.party for item in read(Run, facts.fact(session, run_id).body).certificate.positions}
    held = read(PartB, facts.fact(session, store.statement_of(session, cycle, "C").notice or "").body).held
    assert {item.reason for item in held} == {"unconfirmed"}
    waiting = sum(amount for account, amount in store.balance(session).items() if account.party == "C")
    assert waiting == -sum(item.amount for item in held)
    assert service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of) == []
    april = demo.to_statements(session, market, APRIL, APRIL.end + DAY)
    body = store.statement_of(session, april, "C").body
    assert body.owed > -waiting


def test_net__nobody_confirmed__the_run_is_empty_and_the_cycle_still_closes(session: Session, market: Market) -> None:
    """Silence holds every line, and no line holds a cycle: all of it is stated again by the next one."""
    cycle = demo.to_statements(session, market, MARCH, AT)
    service.close_window(session, OFFICE, cycle=cycle, at=AT + 5 * DAY)
    service.net(session, OFFICE, cycle=cycle, at=AT + 5 * DAY)
    for item in store.statements(session, cycle):
        part_b = read(PartB, facts.fact(session, item.notice or "").body)
        own = [part for part in store.part_documents(session, item.fact_id) if isinstance(part, ObligationPart)]
        assert [held.reason for held in part_b.held] == ["unconfirmed"] * len(own)
        assert part_b.root is None
    assert demo.instruct(session, cycle, AT + 6 * DAY).instructions == ()
    moved = service.advance_payments(session, OFFICE, cycle=cycle, at=AT + 6 * DAY)
    assert moved.state is State.SETTLED
    demo.close(session, cycle, AT + 7 * DAY)
    secret = service.netting_secret(OFFICE, cycle)
    assert service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, secret=secret) == []
    april = demo.to_statements(session, market, APRIL, APRIL.end + DAY)
    owed = sum(charge.gross for name in ("2026-03", "2026-04") for _, charge in store.charges(session, name))
    assert sum(item.body.owes for item in store.statements(session, april)) == owed


def test_cut_off__before_the_grace_ends__is_too_early(session: Session) -> None:
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=MARCH, grace=DAY, at=MARCH.start).cycle
    with pytest.raises(TooEarly):
        service.cut_off(session, OFFICE, cycle=cycle, high_water=10, at=AT - 1)
    assert store.cycle(session, cycle).state is State.OPEN


def test_open_cycle__again__is_the_first_answer_and_another_grace_a_conflict(session: Session) -> None:
    first = service.open_cycle(session, OFFICE, operator="OP", period=MARCH, grace=DAY, at=5)
    assert service.open_cycle(session, OFFICE, operator="OP", period=MARCH, grace=DAY, at=6) == first
    with pytest.raises(Conflict):
        service.open_cycle(session, OFFICE, operator="OP", period=MARCH, grace=2 * DAY, at=6)


def test_every_step__out_of_order__is_refused_and_nothing_is_written(session: Session, market: Market) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    count = facts.count(session)
    for step in (
        lambda: service.cut_off(session, OFFICE, cycle=cycle, high_water=11, at=AT),
        lambda: service.rate(session, OFFICE, cycle=cycle, agreements=AGREEMENTS, uses=market.of, at=AT),
        lambda: service.issue_statements(session, OFFICE, cycle=cycle, at=AT),
        lambda: service.close_window(session, OFFICE, cycle=cycle, at=AT),
        lambda: service.net(session, OFFICE, cycle=cycle, at=AT),
        lambda: demo.instruct(session, cycle, AT),
        lambda: demo.close(session, cycle, AT),
    ):
        with pytest.raises(WrongMove):
            step()
    assert facts.count(session) == count


def test_rate__one_revision_listed_twice__is_refused(session: Session, market: Market) -> None:
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=MARCH, grace=0, at=0).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=10, at=AT)
    with pytest.raises(BadTerms, match="once"):
        service.rate(session, OFFICE, cycle=cycle, agreements=[*AGREEMENTS, AGREEMENTS[0]], uses=market.of, at=AT)


def test_record_invoice__off_by_one_fen_foreign_or_twice__is_refused(session: Session, market: Market) -> None:
    demo.to_statements(session, market, MARCH, AT, invoices=False)
    charge = store.charges(session, "2026-03")[0][0]
    draft = service.draft_invoice(session, charge=charge, number="INV", issued_at=AT)
    wrong = replace(draft, body={**draft.body, "tax": draft.body["tax"] + 1})
    with pytest.raises(BadTerms, match="tax"):
        service.record_invoice(session, OFFICE, signed_by(wrong, ("party:A", "")), at=AT)
    with pytest.raises(BadSignature):
        service.record_invoice(session, OFFICE, signed_by(draft, ("party:B", "")), at=AT)
    signed = signed_by(draft, ("party:A", ""))
    first = service.record_invoice(session, OFFICE, signed, at=AT)
    assert service.record_invoice(session, OFFICE, signed, at=AT + 9) == first
    other = service.draft_invoice(session, charge=charge, number="INV2", issued_at=AT)
    with pytest.raises(Conflict):
        service.record_invoice(session, OFFICE, signed_by(other, ("party:A", "")), at=AT)
    assert sum(1 for _, item in store.transactions(session) if item.event == "tax") == 1


def test_confirm_statement__by_another_for_another_or_late__is_refused(session: Session, market: Market) -> None:
    cycle = demo.to_statements(session, market, MARCH, AT)
    draft = service.draft_confirmation(session, cycle=cycle, party="A")
    with pytest.raises(BadSignature):
        service.confirm_statement(session, OFFICE, signed_by(draft, ("party:B", "")), at=AT)
    foreign = replace(draft, subject=service.statement_subject(cycle, "B"))
    with pytest.raises(Clash):
        service.confirm_statement(session, OFFICE, signed_by(foreign, ("party:B", "")), at=AT)
    signed = signed_by(draft, ("party:A", ""))
    first = service.confirm_statement(session, OFFICE, signed, at=AT)
    late = service.draft_confirmation(session, cycle=cycle, party="B")
    service.close_window(session, OFFICE, cycle=cycle, at=AT + 5 * DAY)
    assert service.confirm_statement(session, OFFICE, signed, at=AT + 9 * DAY) == first
    with pytest.raises(WrongMove):
        service.confirm_statement(session, OFFICE, signed_by(late, ("party:B", "")), at=AT + 9 * DAY)


def test_instruct__one_person_or_other_amounts__is_refused(session: Session, market: Market) -> None:
    cycle = to_netted(session, market)
    accounts = {party: demo.account_of(party) for party in "ABCXY"}
    draft = service.draft_instructions(session, cycle=cycle, account=demo.SUPERVISED, accounts=accounts)
    for who in ((("staff:m", MAKER),), (("staff:m", MAKER), ("staff:m", CHECKER))):
        with pytest.raises(NotSigned):
            service.instruct(session, OFFICE, signed_by(draft, *who), at=AT)
    changed = [{**item, "amount": item["amount"] + 1} for item in draft.body["instructions"]]
    forged = replace(draft, body={**draft.body, "instructions": changed})
    with pytest.raises(Clash):
        service.instruct(session, OFFICE, signed_by(forged, ("staff:m", MAKER), ("staff:k", CHECKER)), at=AT)
    signed = signed_by(draft, ("staff:m", MAKER), ("staff:k", CHECKER))
    first = service.instruct(session, OFFICE, signed, at=AT)
    assert service.instruct(session, OFFICE, signed, at=AT + 1) == first


def test_import_bank_file__repeated_partial_over_unknown_and_paid_twice(session: Session, market: Market) -> None:
    """Less money does not fund, more and what has no id waits in suspense, BNK is always the bank's balance."""
    cycle = to_netted(session, market)
    batch = demo.instruct(session, cycle, AT)
    (first, *others) = demo.booked(batch, Direction.FUNDING)
    over = [(amount + 5, name, "") for amount, name, _ in others]
    data = market.file((first[0] - 1, first[1], ""), *over, (77, "", ""))
    done = service.import_bank_file(session, OFFICE, data, at=AT)
    again = service.import_bank_file(session, OFFICE, data, at=AT + 1)
    assert (again.fact, again.repeated, again.entries) == (done.fact, True, 0)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT).state is State.INSTRUCTED
    with pytest.raises(BankFileRefused, match="opening"):
        service.import_bank_file(session, OFFICE, Market(balance=1).file((5, "", "")).replace(b"R1", b"R99"), at=AT)
    service.import_bank_file(session, OFFICE, market.file((1, first[1], "")), at=AT)
    payouts = demo.booked(batch, Direction.PAYOUT)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT).state is State.FUNDED
    amount, name, _ = payouts[0]
    service.import_bank_file(session, OFFICE, market.file(*payouts, (amount, name, "")), at=AT)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT).state is State.SETTLED
    balance = store.balance(session)
    assert balance[Account(Kind.BNK, "0100000000000001")] == market.balance
    paid_twice = amount
    assert service.money_sums(session, cycle=cycle).suspense == 77 + 5 * len(others) + paid_twice


def test_import_bank_file__returned_payout__is_owed_again(session: Session, market: Market) -> None:
    cycle = to_netted(session, market)
    batch = demo.instruct(session, cycle, AT)
    payouts = demo.booked(batch, Direction.PAYOUT)
    amount, name, _ = payouts[0]
    entries = [*demo.booked(batch, Direction.FUNDING), *payouts, (-amount, name, "AC04")]
    service.import_bank_file(session, OFFICE, market.file(*entries), at=AT)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT).state is State.SETTLED
    party = next(item.party for item in batch.instructions if item.end_to_end == name)
    assert store.balance(session)[Account(Kind.PAY, party, "net", "2026-03")] == amount
    sums = service.money_sums(session, cycle=cycle)
    assert (sums.file_in, sums.file_out) == (sums.journal_in, sums.journal_out)
    assert sums.file_in - sums.file_out == -amount


def test_close__without_both_keys_or_with_other_totals__is_refused(session: Session, market: Market) -> None:
    demo.whole_cycle(session, market, MARCH)
    closed = facts.facts_of(session, "close:OP.2026-03.CNY")[0]
    signed = Signed(closed.statement, closed.signatures)
    assert service.close(session, OFFICE, signed, at=AT + DAY) == closed
    other = replace(closed.statement, body={**closed.body, "closed_at": closed.body["closed_at"] + 1})
    with pytest.raises(Conflict):
        service.close(session, OFFICE, Signed(other, closed.signatures), at=AT)


@pytest.mark.parametrize("form", ["operator only", "same key", "not the auditor", "other content"])
def test_close__each_missing_or_wrong_signature__is_refused(form: str, session: Session, market: Market) -> None:
    at = AT
    cycle = to_netted(session, market)
    batch = demo.instruct(session, cycle, at)
    entries = [*demo.booked(batch, Direction.FUNDING), *demo.booked(batch, Direction.PAYOUT)]
    service.import_bank_file(session, OFFICE, market.file(*entries), at=at)
    service.advance_payments(session, OFFICE, cycle=cycle, at=at)
    auditor = demo.eip712.address_of(demo.EVM["party:AUDIT"])
    draft = service.draft_close(session, OFFICE, cycle=cycle, auditor=auditor, closed_at=at, deadline=at + DAY)
    sign = demo.onchain.sign_close
    kwargs = {"chain_id": 31337, "address": demo.BOOK}
    operator = sign(demo.EVM["party:OP"], draft, by="party:OP", role="operator", **kwargs)
    audited = sign(demo.EVM["party:AUDIT"], draft, by="party:AUDIT", role="auditor", **kwargs)
    if form == "operator only":
        with pytest.raises(NotSigned):
            service.close(session, OFFICE, Signed(draft, (operator,)), at=at)
    elif form == "same key":
        with pytest.raises(NotSigned):
            service.close(session, OFFICE, Signed(draft, (operator, replace(operator, role="auditor"))), at=at)
    elif form == "not the auditor":
        other = replace(audited, value=operator.value)
        with pytest.raises(NotSigned):
            service.close(session, OFFICE, Signed(draft, (operator, other)), at=at)
    else:
        forged = replace(draft, body={**draft.body, "statements": 99})
        with pytest.raises(Clash):
            service.close(session, OFFICE, Signed(forged, (operator, audited)), at=at)
    assert store.cycle(session, cycle).state is State.SETTLED


def test_project__replaying_every_fact__gives_the_same_rows(session: Session, market: Market, place: Place) -> None:
    """Views depend on facts alone: a second database folded from the same facts has the same rows."""
    demo.whole_cycle(session, market, MARCH)
    demo.to_statements(session, market, APRIL, APRIL.end + DAY)
    views = [table for table in tables.metadata.sorted_tables if table.name.startswith("clearing_")]
    with database(place) as second:
        for fact in facts.all_facts(session):
            facts.restore(second, fact, facts.parts_of(session, fact.id))
            if fact.kind in projecting.PROJECTORS:
                projecting.project(second, fact)
        for table in views:
            order = list(table.primary_key.columns)
            left = session.execute(select(table).order_by(*order)).all()
            assert left == second.execute(select(table).order_by(*order)).all(), table.name
            if table in (tables.posting, tables.bank_entry, tables.share):
                assert left


def test_audit__a_dropped_or_added_usage_record__shows_in_everything_that_follows(
    session: Session, market: Market
) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    market.uses["g1"].pop(0)
    rows = {finding.row.split()[0] for finding in _audit(session, market, cycle)}
    assert {"reading", "charge", "shares", "journal"} <= rows
    fields = {f.field: (f.expected, f.found) for f in _audit(session, market, cycle) if f.row.startswith("reading g1")}
    assert fields["quantity"] == ("1000", "1001")


def test_audit__each_changed_journal_row__is_named(session: Session, market: Market) -> None:
    """Two postings of one transaction moved against each other: it still balances, and is still found."""
    cycle = demo.whole_cycle(session, market, MARCH)
    table = tables.posting
    total = session.execute(select(table.c.no).where(table.c.kind.in_(("REV", "PAY", "RCV"))).distinct()).scalars()
    events = dict(store.transactions(session))
    for number in list(total):
        if events[number].event.startswith("bank"):
            continue
        for line, change in ((0, 1), (1, -1)):
            _shift(session, number, line, change)
        found = _audit(session, market, cycle)
        assert any(events[number].event_id in finding.row for finding in found), events[number]
        for line, change in ((0, -1), (1, 1)):
            _shift(session, number, line, change)
    assert _audit(session, market, cycle) == []


def test_audit__one_posting_off_by_a_fen__is_named_by_its_number(session: Session, market: Market) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    _shift(session, 4, 0, 1)
    assert any(f.row == "journal transaction 4" and f.found == "1" for f in _audit(session, market, cycle))


def test_audit__a_deleted_or_inserted_transaction__is_named(session: Session, market: Market) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    table = tables.journal_transaction
    row = session.execute(select(table).where(table.c.event == "share")).first()
    assert row is not None
    session.execute(update(table).where(table.c.no == row.no).values(event_id="x"))
    found = _audit(session, market, cycle)
    assert any(finding.found == "missing" and row.event_id in finding.row for finding in found)
    assert any(finding.found == "posted" for finding in found)


def test_audit__a_deleted_charge_or_statement_row__is_named(session: Session, market: Market) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    with session.begin_nested() as point:
        session.execute(delete(tables.charge).where(tables.charge.c.agreement == "g2"))
        assert any(f.row == "charge g2#0" and f.found == "missing" for f in _audit(session, market, cycle))
        point.rollback()
    with session.begin_nested() as point:
        session.execute(delete(tables.statement).where(tables.statement.c.party == "B"))
        assert any(f.row == "statement B" and f.found == "missing" for f in _audit(session, market, cycle))
        point.rollback()
    session.execute(
        insert(tables.reading).values(
            fact_id="0" * 64, agreement="g9", revision=0, period="2026-03", sequence=0, booked="2026-03", quantity=1,
            counted=1, document=session.execute(select(tables.reading.c.document)).scalar().replace('"g1"', '"g9"'),
        )
    )  # fmt: skip
    assert any("g9" in f.row and f.found == "present" for f in _audit(session, market, cycle))


def test_report__trade_rows__total_the_charges(session: Session, market: Market) -> None:
    demo.to_statements(session, market, MARCH, AT)
    report = trade_report("OP", "2026-03", State.ISSUED, store.deals(session, "2026-03"), AT)
    assert report.gross == sum(charge.gross for _, charge in store.charges(session, "2026-03"))
    assert [deal.sellers for deal in report.deals] == [("A", "B", "C"), ("A", "B", "C"), ("X",)]
    assert all(deal.invoiced for deal in report.deals)


def test_largest_amounts__through_a_cycle__to_the_fen(session: Session) -> None:
    """999 calls at 10¹² fen: nearly the most an amount may be, so every column on the way must be wide enough."""
    whole, at = 999 * 10**12, MARCH.end + DAY
    dear = [AgreementTerms("g1", 0, terms("X", per_call(10**12, 1), plan(ratio(A=5, B=3, C=2)), issuer="A"))]
    market = Market()
    market.call(MARCH, g1=999)
    cycle = demo.to_netted(session, market, MARCH, agreements=dear)
    batch = demo.instruct(session, cycle, at + 40)
    assert (batch.funding, batch.payout) == (whole, whole)
    for direction in (Direction.FUNDING, Direction.PAYOUT):
        service.import_bank_file(session, OFFICE, market.file(*demo.booked(batch, direction)), at=at + 50)
        service.advance_payments(session, OFFICE, cycle=cycle, at=at + 50)
    assert store.cycle(session, cycle).state is State.SETTLED
    assert store.balance(session) == {}
    assert service.audit(session, cycle=cycle, agreements=dear, uses=market.of) == []


def _audit(session: Session, market: Market, cycle: str) -> list[Finding]:
    return service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of)


def _shift(session: Session, number: int, line: int, change: int) -> None:
    table = tables.posting
    session.execute(
        update(table).where(table.c.no == number, table.c.line == line).values(amount=table.c.amount + change)
    )
