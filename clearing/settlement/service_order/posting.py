"""The journal transactions of a settled 项目周期 and of its payment; no other act about service orders moves an
obligation.

Advances and 代列费用 are posted by the settlement that first states them; P2 is none where the scheme does not net it
(S1). After it RCV of the buyer and PAY of the provider are what is paid, ADV and ADVP what is carried of advances, PEN
the damages carried or collected, REF the residue of each fee; the payment takes that RCV and PAY to 0. Source: domain
clearing §5, §7.
"""

from __future__ import annotations

from dataclasses import replace

from clearing.settlement import journal
from clearing.settlement.journal import OrderCycle, Transaction
from clearing.settlement.service_order.pass_through import passed
from clearing.settlement.service_order.statements import CyclePaid, CycleSettled


def posted(body: CycleSettled, before: str, fact: str, at: int) -> tuple[Transaction, ...]:
    """What a settlement posts; `before` names the 项目周期 before it, "" for the first, `fact` and `at` (seconds UTC)
    are the settlement's. Amounts of 0 have no transaction. Raises BadTerms for pass-through that does not add up."""
    found, fees = body.settlement, passed(body.pass_through)
    of = OrderCycle(body.contract, body.cycle, body.buyer, body.provider, fact, at)
    carried = found.carry_in
    forgiven = found.counted - found.settlement - found.collected
    open_ = found.collected + found.carry_out.penalty
    made = (
        journal.order_carried(of, replace(of, cycle=before), carried.advance, carried.penalty),
        journal.order_advanced(of, found.netted),
        journal.order_charged(of, found.earned),
        journal.order_damaged(of, found.damages),
        journal.order_forgiven(of, forgiven),
        journal.order_offset(of, carried.penalty + found.damages - forgiven - open_),
        journal.order_applied(of, found.used),
        journal.order_passed(of, {fee.fee: fee.deposited for fee in fees}),
        journal.order_pass_spent(of, {fee.fee: fee.spent for fee in fees}),
        journal.order_pass_left(of, {fee.fee: fee.residue for fee in fees}),
    )
    return tuple(item for item in made if item.postings)


def paid(body: CyclePaid, fact: str, at: int) -> Transaction:
    """What a payment posts; `fact` and `at` (seconds UTC) are its own."""
    of = OrderCycle(body.contract, body.cycle, body.buyer, body.provider, fact, at)
    return journal.order_paid(of, body.fen)
