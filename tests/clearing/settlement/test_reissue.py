"""A payment that came back is issued again, once, under a new id, by two persons; the money sums agree in the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, NotSigned, WrongMove
from clearing.settlement import service, store
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import State
from clearing.settlement.payment import BankAccount, Batch, Direction
from clearing.settlement.reissue import ReissueOrder
from clearing.terms import DAY
from clearing.usage.finding import CHECKER, MAKER
from ledger.facts import Statement
from ledger.reading import body_of, read
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, MARCH, OFFICE, Market, signed_by

AT = MARCH.end + DAY
TWO = (("staff:m", MAKER), ("staff:k", CHECKER))
CORRECTED = BankAccount("102100099996", "演示银行", "0099", "演示甲公司")


@pytest.fixture
def market() -> Market:
    found = Market()
    found.call(MARCH, g1=1001, g2=500, g3=40)
    return found


def returned(session: Session, market: Market) -> tuple[str, Batch, str, int]:
    """(cycle, batch, id, amount): one pay-out came back."""
    cycle = demo.to_netted(session, market, MARCH)
    batch = demo.instruct(session, cycle, AT + 40)
    payouts = demo.booked(batch, Direction.PAYOUT)
    amount, name, _ = payouts[0]
    entries = [*demo.booked(batch, Direction.FUNDING), *payouts, (-amount, name, "AC04")]
    service.import_bank_file(session, OFFICE, market.file(*entries), at=AT + 50)
    assert service.advance_payments(session, OFFICE, cycle=cycle, at=AT + 50).state is State.SETTLED
    return cycle, batch, name, -amount


def audited(session: Session, market: Market, cycle: str) -> list[Finding]:
    return service.audit(session, cycle=cycle, agreements=AGREEMENTS, uses=market.of)


def draft(session: Session, cycle: str, name: str, account: BankAccount = CORRECTED) -> Statement:
    return service.draft_reissue(session, cycle=cycle, accounts={name: account})


def test_returned__paid_again_to_the_corrected_account__and_the_sums_agree(session: Session, market: Market) -> None:
    cycle, _, name, amount = returned(session, market)
    assert store.returned(session, "2026-03") == [name]
    assert not service.money_sums(session, cycle=cycle).agrees
    signed = signed_by(draft(session, cycle, name), *TWO)
    fact = service.reissue_payments(session, OFFICE, signed, at=AT + 60)
    assert service.reissue_payments(session, OFFICE, signed, at=AT + 61) == fact
    order = read(ReissueOrder, fact.body)
    [again] = order.batch.instructions
    assert (again.amount, again.account, order.replaces) == (amount, CORRECTED, (name,))
    assert again.end_to_end != name
    assert store.returned(session, "2026-03") == []
    assert audited(session, market, cycle) == []
    service.import_bank_file(session, OFFICE, market.file((-amount, again.end_to_end, "")), at=AT + 70)
    sums = service.money_sums(session, cycle=cycle)
    assert sums.agrees
    assert sums.suspense == 0
    assert store.balance(session) == {}
    demo.close(session, cycle, AT + 80)
    assert audited(session, market, cycle) == []


def test_returned_twice__each_time_another_id(session: Session, market: Market) -> None:
    cycle, _, name, amount = returned(session, market)
    ids = [name]
    for at in (60, 70):
        order = read(ReissueOrder, service.reissue_payments(
            session, OFFICE, signed_by(draft(session, cycle, ids[-1]), *TWO), at=AT + at).body)  # fmt: skip
        ids.append(order.batch.instructions[0].end_to_end)
        back = market.file((-amount, ids[-1], ""), (amount, ids[-1], "AC01"))
        service.import_bank_file(session, OFFICE, back, at=AT + at + 5)
    assert len(set(ids)) == 3
    assert store.returned(session, "2026-03") == [ids[-1]]
    assert audited(session, market, cycle) == []


def test_reissue__of_what_did_not_come_back_or_twice_or_by_one_person__is_refused(
    session: Session, market: Market
) -> None:
    cycle, batch, name, _ = returned(session, market)
    other = next(item.end_to_end for item in batch.instructions
                 if item.direction is Direction.PAYOUT and item.end_to_end != name)  # fmt: skip
    with pytest.raises(WrongMove, match=name):
        draft(session, cycle, other)
    with pytest.raises(BadTerms, match="accounts"):
        service.draft_reissue(session, cycle=cycle, accounts={})
    with pytest.raises(BadTerms, match="number"):
        draft(session, cycle, name, replace(CORRECTED, number="12 3"))
    good = draft(session, cycle, name)
    with pytest.raises(NotSigned):
        service.reissue_payments(session, OFFICE, signed_by(good, TWO[0]), at=AT)
    body = read(ReissueOrder, good.body)
    [item] = body.batch.instructions
    for wrong in (
        replace(body, batch=replace(body.batch, instructions=(replace(item, amount=item.amount + 1),))),
        replace(body, batch=replace(body.batch, instructions=(replace(item, party="Z"),))),
        replace(body, batch=replace(body.batch, payout=1)),
    ):
        forged = replace(good, body=body_of(wrong))
        with pytest.raises((Clash, WrongMove, BadTerms)):
            service.reissue_payments(session, OFFICE, signed_by(forged, *TWO), at=AT)
    service.reissue_payments(session, OFFICE, signed_by(good, *TWO), at=AT)
    with pytest.raises(WrongMove):
        draft(session, cycle, name)
