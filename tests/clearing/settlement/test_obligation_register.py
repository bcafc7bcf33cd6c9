"""台账: at every moment it holds exactly what the statements say is owed, and what is met is the money that came."""

from __future__ import annotations

from io import BytesIO

from openpyxl import load_workbook
from sqlalchemy.orm import Session

from clearing.settlement import register, service, store
from clearing.settlement.payment import Batch, Direction
from clearing.settlement.statement import ObligationPart
from clearing.settlement.trace_sheet import TraceRow, trace_xlsx
from clearing.terms import DAY
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import MARCH, OFFICE, Market

AT = MARCH.end + DAY


def owed(session: Session, cycle: str) -> dict[tuple[str, str], int]:
    """The obligations as all statements say them, debtor's and creditor's alike."""
    return {
        (part.debtor, part.creditor): part.amount
        for item in store.statements(session, cycle)
        for part in store.part_documents(session, item.fact_id)
        if isinstance(part, ObligationPart)
    }


def summed(rows: list[TraceRow]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = row.debtor, row.creditor
        found[pair] = found.get(pair, 0) + row.amount
    return found


def states(rows: list[TraceRow], but: str = "") -> set[str]:
    return {row.state for row in rows if row.debtor not in but and row.creditor not in but}


def pay(session: Session, market: Market, batch: Batch, direction: Direction, at: int, **less: int) -> None:
    """Everybody of one direction, each less what is named."""
    sign = 1 if direction is Direction.FUNDING else -1
    due = [
        (sign * (item.amount - less.get(item.party, 0)), item.end_to_end, "")
        for item in batch.instructions
        if item.direction is direction
    ]
    service.import_bank_file(session, OFFICE, market.file(*due), at=at)


def test_register__from_statement_to_bank__holds_what_is_owed_and_what_came(session: Session, market: Market) -> None:
    cycle = demo.to_statements(session, market, MARCH, AT)
    stated = owed(session, cycle)
    seen = [states(register.rows(session, cycle))]
    demo.confirm(session, cycle, AT + 10)
    service.close_window(session, OFFICE, cycle=cycle, at=AT + 20)
    seen.append(states(register.rows(session, cycle)))
    service.net(session, OFFICE, cycle=cycle, at=AT + 30)
    seen.append(states(register.rows(session, cycle)))
    batch = demo.instruct(session, cycle, AT + 40)
    seen.append(states(register.rows(session, cycle)))
    assert seen == [{"未经双方确认"}, {"待轧差"}, {"已轧差，待付款指令"}, {"已指令，待备付"}]
    pay(session, market, batch, Direction.FUNDING, AT + 50)
    service.advance_payments(session, OFFICE, cycle=cycle, at=AT + 50)
    rows = register.rows(session, cycle)
    assert states(rows) == {"已备付，待付款入账"}
    assert all(row.settled == row.amount for row in rows)
    pay(session, market, batch, Direction.PAYOUT, AT + 60)
    service.advance_payments(session, OFFICE, cycle=cycle, at=AT + 60)
    rows = register.rows(session, cycle)
    assert states(rows) == {"已结清"}
    assert summed(rows) == stated
    ids = {(item.party, item.direction): item.end_to_end for item in batch.instructions}
    for row in rows:
        assert row.funding == ids.get((row.debtor, Direction.FUNDING), "")
        assert row.payout == ids.get((row.creditor, Direction.PAYOUT), "")
        assert bool(row.funding_reference) is bool(row.funded_on) is bool(row.funding)
        assert bool(row.payout_reference) is bool(row.paid_on) is bool(row.payout)
        assert row.confirmed_at
        assert row.netting == store.netting_of(session, cycle)
        assert row.document.startswith("INV2026-03-"), "the invoice of the agreement's charge"


def test_register__part_of_the_money__is_spread_over_all_its_payer_owes(session: Session, market: Market) -> None:
    cycle = demo.to_netted(session, market, MARCH)
    batch = demo.instruct(session, cycle, AT + 40)
    due = {item.party: item.amount for item in batch.instructions if item.direction is Direction.FUNDING}
    payer = max(due, key=lambda party: due[party])
    short = due[payer] // 3
    pay(session, market, batch, Direction.FUNDING, AT + 50, **{payer: short})
    rows = register.rows(session, cycle)
    for party, amount in due.items():
        own = [row for row in rows if row.debtor == party]
        came, total = amount - (short if party == payer else 0), sum(row.amount for row in own)
        assert sum(row.settled for row in own) == came, "every fen that came is met, none that did not"
        assert all(abs(row.settled * total - came * row.amount) < total for row in own), "within one fen of its part"
    assert "部分到账" in {row.state for row in rows if row.debtor == payer}


def test_register__who_defaults__leaves_with_what_it_owes_and_the_rest_goes_on(
    session: Session, market: Market
) -> None:
    cycle = demo.to_netted(session, market, MARCH)
    stated = owed(session, cycle)
    batch = demo.instruct(session, cycle, AT + 40)
    due = next(item.amount for item in batch.instructions if item.party == "Y")
    pay(session, market, batch, Direction.FUNDING, AT + 50, Y=due - 1)
    late = store.cycle(session, cycle).until
    service.declare_default(session, OFFICE, cycle=cycle, at=late)
    rows = register.rows(session, cycle)
    assert summed(rows) == stated
    left = [row for row in rows if "Y" in (row.debtor, row.creditor) and not row.netting]
    assert {(row.state, row.settled) for row in left} == {("逾期未备付，已移出轧差", 0)}
    paid = [row for row in rows if "Y" in (row.debtor, row.creditor) and row.netting]
    assert {row.debtor for row in paid} == {"Y"}
    assert sum(row.settled for row in paid) == sum(row.amount for row in paid) == 1, "what Y brought is its creditors'"
    kept = [row for row in rows if row not in left and row not in paid]
    brought = {item.party: item.amount for item in batch.instructions if item.direction is Direction.FUNDING}
    for party in {row.debtor for row in kept}:
        own = [row for row in kept if row.debtor == party]
        came = min(brought.get(party, 0), sum(row.amount for row in own))
        assert sum(row.settled for row in own) == came, "what it had brought counts in the new run"
        assert all(bool(row.funding_reference) is (party in brought) for row in own), "with the bank's entry it came by"
    assert {row.state for row in kept if not row.settled} == {"已轧差，待付款指令"}


def test_register__as_a_workbook__one_line_each_and_its_sum(session: Session, market: Market) -> None:
    cycle = demo.whole_cycle(session, market, MARCH)
    rows = register.rows(session, cycle)
    [sheet] = load_workbook(BytesIO(trace_xlsx(rows, as_of="2026-04-30"))).worksheets
    lines = list(sheet.iter_rows(values_only=True))
    assert len(lines) == len(rows) + 2
    assert lines[-1][0] == f"合计 {len(rows)} 项"
    assert lines[-1][5] == lines[-1][15], "all that is owed is met"


def test_register__before_the_statements__is_empty(session: Session, market: Market) -> None:
    cycle = demo.to_rated(session, market, MARCH, AT)
    assert register.rows(session, cycle) == []
