"""Service orders as signed facts: who signs, what is refused, and that the example settles to the same fen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from clearing.errors import BadTerms, Clash, TooEarly, UnknownFact, WrongMove
from clearing.market.errors import NotEntitled
from clearing.settlement import store as settlement_store
from clearing.settlement import tables as settlement_tables
from clearing.settlement.service_order import service, statements, store, tables
from clearing.settlement.service_order.case import outcome
from clearing.settlement.service_order.scheme import TENDER, Grade
from clearing.settlement.service_order.settling import Advances, Carry
from clearing.settlement.service_order.statements import (
    KINDS,
    Contract,
    CycleAccepted,
    CycleInvoiced,
    CyclePaid,
    IncidentFound,
    MonthlyScore,
    OrderAcceptance,
    OrderScore,
    OrderZeroed,
    Placed,
    Stated,
    Waiver,
    body_in,
    signers_of,
)
from ledger import signing
from ledger import store as ledger
from ledger.errors import BadSignature, FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER, House
from tests.clearing.settlement.service_order.making import document, event, fact, instant
from tests.clearing.settlement.service_order.playing import (
    ACCEPTED_AT,
    CASE,
    KIND_OF,
    MARCH,
    MAY_5,
    ORDERS,
    PARTIES,
    C,
    Office,
)
from tests.databases import Place, in_order


@pytest.fixture
def office(place: Place) -> Iterator[Office]:
    house = House(place.engine())
    yield Office(house)
    house.close()


def test_example__as_facts__settles_to_the_same_fen_as_the_trial(office: Office) -> None:
    """The trial of the example has 5,000,000 fen carried in; the first 项目周期 of a contract has nothing."""
    body = office.play()
    case = replace(CASE, cycle=replace(CASE.cycle, carry_in=Carry()))
    names = {ORDERS[sheet.order]: sheet for sheet in case.orders}
    by_id = tuple(replace(sheet, order=name) for name, sheet in names.items())
    assert body.settlement == outcome(replace(case, orders=by_id)).settlement
    assert (body.settlement.settlement, body.settlement.pay) == (155_002_102, 75_002_102)
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="发票 1", fen=75_002_102), instant(2026, 5, 20, 16))
    row = store.cycle(office.session, C, "2026-1")
    assert (row.pay, row.due) == (75_002_102, instant(2026, 6, 20))
    settled = {order.name: order.settled for order in store.orders(office.session, C)}
    assert settled == {"O-1": "2026-1", "O-2": "2026-1", "O-3": None}
    assert list(service.audit(office.session)) == []


def test_held_order__comes_back_in_the_next_cycle__once(office: Office) -> None:
    """Invariant 23: O-3 adds nothing until buyer and 监理 decide, or the 监理 scores it again."""
    office.play()
    at = instant(2026, 6, 2)
    office.say(MonthlyScore(**PARTIES, month="2026-05"), at)
    office.accept("2026-2", "2026-05", "2026-05", at)
    assert [(line.order, bool(line.held)) for line in office.draft("2026-2", Advances()).settlement.orders] == [
        (ORDERS["O-3"], True)
    ]
    office.say(OrderScore(**PARTIES, events=CASE.orders[1].rescored or ()), at, ORDERS["O-3"])
    body = office.draft("2026-2", Advances())
    assert (body.settlement.settlement, body.settlement.incidents, body.settled_before) == (72_000_000, (), 155_002_102)
    assert body.settlement.may_defer
    office.say(body, at)
    assert list(service.audit(office.session)) == []
    with pytest.raises(WrongMove):
        office.say(OrderZeroed(**PARTIES, document=document()), at, ORDERS["O-3"])


def test_root_cause__of_an_earlier_cycle__is_a_recurrence_in_the_next(office: Office) -> None:
    """S11: the fault of March again in May costs 5 more than another."""
    office.play()
    at = instant(2026, 6, 2)
    [old] = CASE.months[0].faults
    office.say(MonthlyScore(**PARTIES, month="2026-05", faults=(replace(old, fact=fact("again")),)), at)
    office.accept("2026-2", "2026-05", "2026-05", at)
    [month] = office.draft("2026-2", Advances()).settlement.months
    assert month.score == str(100 - 8 - 5 - 5)


def test_zeroed__by_buyer_and_supervisor__settles_at_0(office: Office) -> None:
    office.conclude()
    office.place()
    office.score()
    for order in ("O-1",):
        with pytest.raises(WrongMove):
            office.say(OrderZeroed(**PARTIES, document=document()), MAY_5, ORDERS[order])
    office.say(OrderZeroed(**PARTIES, document=document()), MAY_5, ORDERS["O-3"])
    with pytest.raises(WrongMove):
        office.say(OrderScore(**PARTIES, events=CASE.orders[1].rescored or ()), MAY_5, ORDERS["O-3"])
    office.accept()
    lines = {line.order: line for line in office.draft().settlement.orders}
    assert (lines[ORDERS["O-3"]].held, lines[ORDERS["O-3"]].fee) == ("", "0")
    assert lines[ORDERS["O-2"]].held


@pytest.mark.parametrize("kind", KINDS)
def test_signers__of_each_kind__all_of_them_and_nobody_else(office: Office, kind: str) -> None:
    """Each kind is said by every other set of the parties and refused, nothing written."""
    settled = office.play()
    at = instant(2026, 6, 2)
    office.say(MonthlyScore(**PARTIES, month="2026-05"), at)
    bodies: list[tuple[Stated, str]] = [
        (Contract(**{**PARTIES, "contract": "d" * 32}, award=1, scheme=TENDER), ""),
        (Placed(**PARTIES, name="O-4", items=CASE.orders[0].items), "4" * 32),
        (OrderScore(**PARTIES, events=CASE.orders[1].rescored or ()), ORDERS["O-3"]),
        (OrderAcceptance(**PARTIES, accepted=CASE.orders[2].accepted or (), document=document()), ORDERS["O-3"]),
        (OrderZeroed(**PARTIES, document=document()), ORDERS["O-3"]),
        (MonthlyScore(**PARTIES, month="2026-02"), ""),
        (Waiver(**PARTIES, month="2026-05", document=document()), ""),
        (IncidentFound(**PARTIES, fact=fact("i"), number=1, document=document()), ""),
        (CycleAccepted(**PARTIES, cycle="2026-2", first="2026-05", last="2026-05", report=document()), ""),
        (CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=75_002_102), ""),
        (a_payment(), ""),
        (settled, ""),
    ]
    [(body, order)] = [(body, order) for body, order in bodies if KIND_OF[type(body)] == kind]
    right = {name.removeprefix("party:") for name in signers_of(kind, body)}
    sets = [
        set(),
        {CONSUMER},
        {PROVIDER},
        {COURT},
        {CONSUMER, PROVIDER},
        {CONSUMER, COURT},
        {PROVIDER, COURT},
        {SELLER},
    ]
    count = len(ledger.facts_of_kind(office.session, *KINDS))
    for signers_ in [item for item in sets if item != right]:
        with pytest.raises(BadSignature):
            office.say(body, at, order, by=sorted(signers_))
    assert len(ledger.facts_of_kind(office.session, *KINDS)) == count


def test_statement__the_same_again__gets_the_first_fact(office: Office) -> None:
    first = office.conclude()
    statement = first.fact.statement
    again = service.take(office.session, Signed(statement, first.fact.signatures), at=MARCH + 999)
    assert (again.fact.id, again.replayed) == (first.fact.id, True)


def test_parties__other_than_the_contracts__are_refused(office: Office) -> None:
    office.conclude()
    for role in ("buyer", "provider", "supervisor"):
        body = Placed(**{**PARTIES, role: SELLER}, name="O", items=CASE.orders[0].items)
        with pytest.raises(NotEntitled):
            office.say(body, MARCH, "4" * 32)
    with pytest.raises(UnknownFact):
        office.say(Placed(**{**PARTIES, "contract": "d" * 32}, name="O", items=CASE.orders[0].items), MARCH, "4" * 32)


def test_contract__that_cannot_be_settled__is_refused(office: Office) -> None:
    gap = replace(TENDER, grades=(Grade("E", "0", "60"), Grade("A", "61", None, "1")))
    with pytest.raises(BadTerms, match="grades"):
        office.say(Contract(**PARTIES, award=1, scheme=gap), MARCH)
    with pytest.raises(BadTerms, match="supervisor"):
        office.say(Contract(**{**PARTIES, "supervisor": PROVIDER}, award=1, scheme=TENDER), MARCH)


def test_times__are_those_the_facts_were_taken_in(office: Office) -> None:
    """Trap 9: a waiver after the acceptance is refused; a month is scored, and accepted, when it is over."""
    office.conclude()
    office.place()
    april = MonthlyScore(**PARTIES, month="2026-04")
    with pytest.raises(TooEarly):
        office.say(april, instant(2026, 5, 1) - 1)
    office.say(april, instant(2026, 5, 1))
    with pytest.raises(TooEarly):
        office.accept(at=instant(2026, 5, 1) - 1)
    office.accept()
    for month in ("2026-04",):
        with pytest.raises(WrongMove, match="acceptance"):
            office.waive(month, ACCEPTED_AT)
    with pytest.raises(WrongMove, match="2026-03"):
        office.draft()
    with pytest.raises(WrongMove):
        office.accept("2026-2", "2026-05", "2026-05", instant(2026, 6, 2))


def test_order__out_of_turn__is_refused(office: Office) -> None:
    office.conclude()
    office.place()
    one, first = CASE.orders[0], ORDERS["O-1"]
    assert one.accepted
    assert one.scored
    accepted = OrderAcceptance(**PARTIES, accepted=one.accepted, document=document())
    many = replace(accepted, accepted=(replace(one.accepted[0], accepted=101), one.accepted[1]))
    with pytest.raises(BadTerms, match="accepted"):
        office.say(many, MAY_5, first)
    office.say(accepted, MAY_5, first)
    with pytest.raises(WrongMove):
        office.say(accepted, MAY_5, first)
    with pytest.raises(BadTerms, match="row"):
        office.say(OrderScore(**PARTIES, events=(*one.scored, event("9.9"))), MAY_5, first)
    office.say(OrderScore(**PARTIES, events=one.scored), MAY_5, first)
    with pytest.raises(WrongMove):
        office.say(OrderScore(**PARTIES, events=one.scored), MAY_5, first)
    second = OrderScore(**PARTIES, events=CASE.orders[1].scored or ())
    office.say(second, MAY_5, ORDERS["O-2"])
    office.rescore()
    with pytest.raises(WrongMove):
        office.rescore()
    twice = Placed(**PARTIES, name="O", items=CASE.orders[1].items * 2)
    with pytest.raises(BadTerms, match="items"):
        office.say(twice, MAY_5, "5" * 32)


@pytest.mark.parametrize("name", ["pay", "settlement", "damages", "earned", "netted", "fees", "may_defer", "orders"])
def test_settlement__one_figure_other_than_the_facts_say__is_refused(office: Office, name: str) -> None:
    office.conclude()
    office.place()
    office.score()
    office.accept()
    body = office.draft()
    value = getattr(body.settlement, name)
    other = {int: lambda: value + 1, bool: lambda: not value, str: lambda: value + "1", tuple: lambda: value[1:]}
    with pytest.raises(BadTerms, match="settlement"):
        office.say(replace(body, settlement=replace(body.settlement, **{name: other[type(value)]()})), ACCEPTED_AT)
    with pytest.raises(BadTerms, match="facts"):
        office.say(replace(body, facts=body.facts[1:]), ACCEPTED_AT)
    with pytest.raises(BadTerms, match="advances"):
        office.say(office.draft(advances=Advances(35_000_001, 0)), ACCEPTED_AT)
    office.say(body, ACCEPTED_AT)
    with pytest.raises(WrongMove):
        office.settle()


def test_settlement__drafted_before_another_fact_came__is_refused(office: Office) -> None:
    office.conclude()
    office.place()
    office.score()
    office.accept()
    stale = office.draft()
    office.rescore(ACCEPTED_AT)
    with pytest.raises(BadTerms):
        office.say(stale, ACCEPTED_AT)
    office.settle()


def test_invoice__off_by_one_fen__is_refused(office: Office) -> None:
    office.play()
    for fen in (75_002_101, 75_002_103):
        with pytest.raises(BadTerms, match="fen"):
            office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=fen), ACCEPTED_AT + 99)
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=75_002_102), ACCEPTED_AT + 99)
    with pytest.raises(WrongMove):
        office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="2", fen=75_002_102), ACCEPTED_AT + 99)


def a_payment(fen: int = 75_002_102) -> CyclePaid:
    return CyclePaid(**PARTIES, cycle="2026-1", fen=fen, bank="102100099996", reference="R", booked_on="2026-05-20",
                     evidence=document())  # fmt: skip


def test_payment__of_what_was_settled_and_invoiced__leaves_nobody_owing(office: Office) -> None:
    """Before it the buyer owes the provider 75,002,102 fen and nothing else moves; after it neither owes the other."""
    office.play()
    at, key = instant(2026, 5, 20, 16), f"order/{C}:2026-1"
    owing = {f"RCV:{CONSUMER}:{key}": 75_002_102, f"PAY:{PROVIDER}:{key}": -75_002_102}
    with pytest.raises(WrongMove, match="not invoiced"):
        office.say(a_payment(), at)
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=75_002_102), at)
    before = {account.name: amount for account, amount in settlement_store.balance(office.session).items()}
    assert owing.items() <= before.items()
    entry = {"bank": "102100099996", "reference": "R", "booked_on": "2026-05-20", "evidence": document()}
    drafted = service.draft_payment(office.session, C, "2026-1", **entry)
    assert drafted == a_payment()
    fact_id = office.say(drafted, at).fact.id
    after = {account.name: amount for account, amount in settlement_store.balance(office.session).items() if amount}
    assert after == {name: amount for name, amount in before.items() if amount and name not in owing}
    row = store.cycle(office.session, C, "2026-1")
    assert (row.payment, row.reference, row.paid_on) == (fact_id, "R", "2026-05-20")
    assert list(service.audit(office.session)) == []
    with pytest.raises(WrongMove, match=fact_id):
        office.say(replace(a_payment(), reference="S"), at)
    with pytest.raises(WrongMove, match=fact_id):
        service.draft_payment(office.session, C, "2026-1", **entry)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fen": 75_002_101}, "fen"),
        ({"fen": 75_002_103}, "fen"),
        ({"booked_on": "2026-05-21"}, "booked_on"),
        ({"booked_on": "2026-05-09"}, "booked_on"),
        ({"booked_on": "2026-02-31"}, "booked_on"),
        ({"bank": "1"}, "bank"),
        ({"reference": "=R"}, "reference"),
    ],
)
def test_payment__of_another_amount_day_or_entry__refused_by_field(
    office: Office, changes: dict[str, object], field: str
) -> None:
    """The 项目周期 was accepted on 2026-05-10, and the act comes in on 2026-05-20."""
    office.play()
    at = instant(2026, 5, 20, 16)
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=75_002_102), at)
    with pytest.raises((BadTerms, FieldError), match=field):
        office.say(replace(a_payment(), **changes), at)  # type: ignore[arg-type]
    assert store.cycle(office.session, C, "2026-1").payment is None


def test_payment__by_a_bank_entry_that_paid_another_cycle__refused(office: Office) -> None:
    office.play()
    at = instant(2026, 6, 2)
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=75_002_102), at)
    office.pay("2026-1", 75_002_102, at)
    office.say(MonthlyScore(**PARTIES, month="2026-05"), at)
    office.accept("2026-2", "2026-05", "2026-05", at)
    office.say(OrderScore(**PARTIES, events=CASE.orders[1].rescored or ()), at, ORDERS["O-3"])
    body = office.draft("2026-2", Advances())
    office.say(body, at)
    assert body.settlement.pay == 72_000_000
    office.say(CycleInvoiced(**PARTIES, cycle="2026-2", number="2", fen=72_000_000), at)
    with pytest.raises(Clash, match=r"P3-2026-1.*2026-1"):
        office.pay("2026-2", 72_000_000, at, reference="P3-2026-1")
    office.pay("2026-2", 72_000_000, at)
    assert list(service.audit(office.session)) == []


def test_audit__a_false_payment_signed_by_both__is_named_with_both_numbers(office: Office) -> None:
    """A payment that went past the check: the audit compares it with the settlement computed again."""
    office.play()
    at, subject = instant(2026, 5, 20, 16), f"project-cycle:{C}.2026-1"
    false = body_of(a_payment(7))
    said = Statement(statements.PROJECT_PAYMENT, subject, *ledger.next_of(office.session, subject), false)
    keys = [(f"party:{party}", office.house.keys[party].sm2) for party in (CONSUMER, PROVIDER)]
    signed = Signed(said, tuple(signing.sign_sm2(key, said, by=by) for by, key in keys))
    store.PROJECTORS[said.kind](office.session, ledger.append(office.session, signed, at=at).fact)
    found = list(service.audit(office.session))
    assert f"{C}.2026-1 payment: 应为 / expected 75002102, 实为 / given 7" in found
    assert [line for line in found if line.startswith("journal order-paid")]


def test_cycles__follow_each_other_month_by_month(office: Office) -> None:
    office.play()
    at = instant(2026, 9, 2)
    for first, last in (("2026-06", "2026-06"), ("2026-04", "2026-05"), ("2026-03", "2026-04")):
        with pytest.raises(BadTerms, match="first"):
            office.accept("2026-2", first, last, at)
    office.accept("2026-2", "2026-05", "2026-05", at)


def test_audit__a_settlement_whose_facts_or_row_were_changed__is_named(office: Office) -> None:
    body = office.play()
    session = office.session
    session.execute(update(tables.cycle).values(pay=1))
    assert [line for line in service.audit(session) if "pay" in line]
    session.execute(update(tables.cycle).values(pay=body.settlement.pay))
    assert list(service.audit(session)) == []


def test_audit__a_false_figure_signed_by_both__is_named_with_both_numbers(office: Office) -> None:
    """A settlement that went past the check: the audit computes it again from the facts it names."""
    office.conclude()
    office.place()
    office.score()
    office.accept()
    body = office.draft()
    false = replace(body, settlement=replace(body.settlement, pay=7))
    subject = f"project-cycle:{C}.2026-1"
    said = Statement(statements.PROJECT_SETTLEMENT, subject, *ledger.next_of(office.session, subject), body_of(false))
    keys = [(f"party:{party}", office.house.keys[party].sm2) for party in (CONSUMER, PROVIDER)]
    signed = Signed(said, tuple(signing.sign_sm2(key, said, by=by) for by, key in keys))
    store.PROJECTORS[said.kind](office.session, ledger.append(office.session, signed, at=ACCEPTED_AT).fact)
    found = list(service.audit(office.session))
    assert [line.partition(" ")[2] for line in found] == [
        f"pay: 应为 / expected {body.settlement.pay}, 实为 / given 7"
    ] * 2


def test_views__folded_again_from_the_facts__are_the_same(office: Office) -> None:
    office.play()
    views = (*store.VIEWS, settlement_tables.journal_transaction, settlement_tables.posting)
    kept = [list(office.session.execute(in_order(table))) for table in views]
    for table in views:
        office.session.execute(table.delete())
    for item in ledger.facts_of_kind(office.session, *KINDS):
        store.PROJECTORS[item.kind](office.session, item)
    assert [list(office.session.execute(in_order(table))) for table in views] == kept
    assert all(kept)


@pytest.mark.parametrize(
    ("kind", "subject", "no", "field"),
    [
        ("order-score/v2", f"service-order:{'1' * 32}", 0, "kind"),
        ("service-order/v1", f"service-order:{'1' * 31}", 0, "subject"),
        ("service-order/v1", f"service-orders:{'1' * 32}", 0, "subject"),
    ],
)
def test_statement__not_of_its_sort__names_the_field(kind: str, subject: str, no: int, field: str) -> None:
    body = body_of(Placed(**PARTIES, name="O", items=CASE.orders[0].items))
    with pytest.raises((BadTerms, FieldError), match=field):
        body_in(Statement(kind, subject, no, None, body))
