"""A settled period is corrected by the next one: what came late costs what it would have cost, and no order matters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from clearing.errors import BadMoney, BadTerms
from clearing.settlement import correcting, journal, notice, service, store
from clearing.settlement import statement as statements
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import State
from clearing.settlement.journal import Account, Kind
from clearing.settlement.notice import Held, PartB, Reason
from clearing.settlement.rating import Charge, CorrectionKind, rate
from clearing.settlement.statement import Item, Obligation, ObligationPart
from clearing.terms import DAY, AgreementTerms, PeriodBasis
from clearing.usage.metering import MeterReading
from ledger import store as facts
from ledger.reading import read
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.market import AGREEMENTS, APRIL, MARCH, OFFICE, Market, database, use
from tests.counts import few
from tests.databases import Place


def reading(quantity: int) -> MeterReading:
    """A reading of March with this many calls."""
    return MeterReading("g", 0, "2026-03", 0, 1, PeriodBasis.OCCURRED, "call", quantity, quantity, (), (), 10)


@pytest.fixture
def market() -> Market:
    found = Market()
    found.call(MARCH, g1=1001, g2=500, g3=40)
    found.call(APRIL, g1=7, g2=331, g3=800)
    return found


def late(market: Market, agreement: str, number: int, **changes: object) -> None:
    """So many calls of March that arrived when its cut-off (10) was over, before April's (20)."""
    known = market.uses[agreement]
    for n in range(number):
        seq = len(known)
        known.append(
            use(agreement, seq, MARCH.end - 500 + n, **{"received_at": APRIL.start + 5 * DAY, "position": 15} | changes)
        )


def paid_to(session: Session, agreement: str) -> dict[str, int]:
    """What each party has been given of an agreement over all periods."""
    found: dict[str, int] = {}
    for name in ("2026-03", "2026-04", "2026-05"):
        for body, shares, _ in store.deals(session, name):
            for party, _, amount in shares if body.agreement == agreement else ():
                found[party] = found.get(party, 0) + amount
    return found


def audited(session: Session, market: Market, cycle: str) -> list[Finding]:
    secret = service.netting_secret(OFFICE, cycle)
    return service.audit(
        session, cycle=cycle, agreements=AGREEMENTS, uses=market.of, secret=secret, earlier=AGREEMENTS
    )  # fmt: skip


def test_late_records__the_whole_period_is_read_again__as_if_they_had_come_in_time(
    session: Session, market: Market, place: Place
) -> None:
    """March had 1,001 calls of g1 at 3.5 fen = 3,504; 10 came late: 1,011 calls = 3,538.5, so 3,539. The other database
    had them in time: same totals, same shares to the fen; what changed stands in April's statement under 2026-03."""
    march = demo.whole_cycle(session, market, MARCH)
    late(market, "g1", 10)
    april = demo.whole_cycle(session, market, APRIL, mark=20)
    posted = [body for _, body in store.charges(session, "2026-04") if body.corrects]
    assert [(body.corrects.kind, body.period, body.gross) for body in posted if body.corrects] == [
        (CorrectionKind.ANEW, "2026-03", 3539),
        (CorrectionKind.REVERSAL, "2026-03", -3504),
    ]
    with database(place) as other:
        in_time = Market(uses=market.uses)
        demo.whole_cycle(other, in_time, MARCH, mark=20)
        demo.whole_cycle(other, in_time, APRIL, mark=20)
        assert paid_to(session, "g1") == paid_to(other, "g1")
    for cycle in (march, april):
        assert audited(session, market, cycle) == []
    assert store.balance(session) == {}
    lines = [
        (part.event, part.period)
        for part in store.part_documents(session, store.statement_of(session, april, "A").fact_id)
        if isinstance(part, statements.Line) and part.agreement == "g1"
    ]
    assert ("share", "2026-03") in lines
    assert ("share", "2026-04") in lines
    assert {item.body.party for item in store.statements(session, april)} == set("ABCXY")


def test_late_records__beyond_the_signed_limit_or_of_a_period_long_over__change_nothing(
    session: Session, market: Market
) -> None:
    demo.whole_cycle(session, market, MARCH)
    late(market, "g1", 3, received_at=MARCH.end + 30 * DAY)
    april = demo.whole_cycle(session, market, APRIL, mark=20)
    [again] = [body for _, body in store.readings(session, "2026-04") if body.booked]
    assert (again.period, again.sequence, again.quantity) == ("2026-03", 1, 1001)
    assert [item.reason.value for item in again.excluded] == ["LATE"] * 3
    assert not [body for _, body in store.charges(session, "2026-04") if body.corrects]
    assert audited(session, market, april) == []


def test_late_records__twice_in_a_row__each_reading_follows_the_one_before(session: Session, market: Market) -> None:
    """First an excluded record (a reading, no charge), then one that counts: the charge in force is still found."""
    demo.whole_cycle(session, market, MARCH)
    late(market, "g2", 1, outcome_ok=False)
    demo.whole_cycle(session, market, APRIL, mark=20)
    assert [body.sequence for _, body in store.readings(session, "2026-04") if body.booked] == [1]
    item = AGREEMENTS[1]
    _, before = store.last_readings(session, "g2", 0, "2026-05")[0]
    assert before.sequence == 1
    _, charge = store.charges_in_force(session, "g2", 0, "2026-05")[before.period]
    assert (charge.gross, charge.quantity) == (rate("", replace(before), item.terms).gross, 500)


def test_late_records__no_record__nothing_is_posted(session: Session, market: Market) -> None:
    demo.whole_cycle(session, market, MARCH)
    demo.whole_cycle(session, market, APRIL, mark=20)
    assert not [body for _, body in store.readings(session, "2026-04") if body.booked]


def test_audit__a_correction_left_out_or_slipped_in__is_named(session: Session, market: Market) -> None:
    demo.whole_cycle(session, market, MARCH)
    late(market, "g1", 10)
    april = demo.whole_cycle(session, market, APRIL, mark=20)
    without = service.audit(session, cycle=april, agreements=AGREEMENTS, uses=market.of)
    assert any("g1#0/2026-03" in found.row and found.found == "present" for found in without)
    late(market, "g2", 1)
    found = audited(session, market, april)
    assert any(item.row.startswith("reading g2#0/2026-03") and item.found == "missing" for item in found)


# Credits --------------------------------------------------------------------------------------------------------------


@settings(max_examples=few(100))
@given(
    quantity=st.integers(1, 10**6),
    bp=st.sampled_from((0, 300, 600, 1300)),
    parts=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
)
def test_credit__in_parts__never_more_than_was_charged_and_the_last_closes_to_zero(
    quantity: int, bp: int, parts: list[int]
) -> None:
    """net credited so far = net × gross credited / gross, rounded; gross = net + tax in every credit (§6)."""
    given_terms = replace(terms("X", per_call(), plan(ratio(A=1))), tax=replace(terms().tax, bp=bp))
    charge = rate("r", reading(quantity=quantity), given_terms)
    credits: list[Charge] = []
    for part in parts:
        rest = charge.gross + sum(item.gross for item in credits)
        if rest == 0:
            break
        credits.append(correcting.credit("c", charge, credits, min(part, rest), "b", "2026-04"))
    for item in credits:
        assert item.gross == item.net + item.tax < 0
    rest = charge.gross + sum(item.gross for item in credits)
    if rest:
        with pytest.raises(BadMoney):
            correcting.credit("c", charge, credits, rest + 1, "b", "2026-04")
        credits.append(correcting.credit("c", charge, credits, rest, "b", "2026-04"))
    for name in ("gross", "net", "tax"):
        assert getattr(charge, name) + sum(getattr(item, name) for item in credits) == 0
    with pytest.raises(BadMoney):
        correcting.credit("c", charge, credits, 1, "b", "2026-04")


def test_reversal__mirrors_every_amount() -> None:
    charge = rate("r", reading(quantity=77), terms("X", per_call(7, 3), plan(ratio(A=1, B=2))))
    undone = correcting.reversal("c", charge, "b", "2026-04")
    assert (undone.gross, undone.net, undone.tax) == (-charge.gross, -charge.net, -charge.tax)
    assert undone.label == "g#0/2026-03 reversal b"


# What both sides owe each other ---------------------------------------------------------------------------------------


def test_obligations__a_refund_is_owed_back__a_rounding_fen_is_carried() -> None:
    balance = {
        Account(Kind.PAY, "B", "g1", "2026-03"): 40,
        Account(Kind.PAY, "C", "g1", "2026-03"): 1,
        Account(Kind.PAY, "X", "g2", "2026-03"): -5,
    }
    found = statements.obligations_of(balance, {"g1": "X", "g2": "B"})
    assert found == (
        Obligation("B", "X", 45, (Item("g1", "2026-03", 40), Item("g2", "2026-03", 5))),
    )  # fmt: skip


def test_held__on_two_grounds__both_are_left_out() -> None:
    """Of 93 fen 4 were credited after the statement and the rest defaulted: nothing of the pair is left in the run."""
    stated = Obligation("X", "B", 93, (Item("g1", "2026-03", 93),))
    other = Obligation("X", "C", 5, (Item("g1", "2026-03", 5),))
    held = (
        Held("X", "B", 4, Reason.CORRECTED, (Item("g1", "2026-03", 4),)),
        Held("X", "B", 89, Reason.DEFAULTED, (Item("g1", "2026-03", 89),)),
    )
    assert notice.without([stated, other], held) == [other]
    assert notice.without([stated], held[:1]) == [Obligation("X", "B", 89, (Item("g1", "2026-03", 89),))]


def test_netted_refund__clears_what_it_names() -> None:
    """B owes X 40 of a refund under g1 (X buys there) and 5 under g2 (B buys): four accounts come to zero."""
    part = ObligationPart("obligation", 0, "B", "X", 45, (Item("g1", "2026-03", 40), Item("g2", "2026-03", 5)))
    items = statements.netted_items([part], {"g1": "X", "g2": "B"})
    moved = journal.netted("n", "2026-04", items, {"B": -45, "X": 45}, "CNY", 0)
    legs = {posting.account: posting.amount for posting in moved.postings}
    assert legs[Account(Kind.PAY, "B", "g1", "2026-03")] == -40
    assert legs[Account(Kind.RCV, "X", "g1", "2026-03")] == 40
    assert legs[Account(Kind.PAY, "X", "g2", "2026-03")] == 5
    assert legs[Account(Kind.RCV, "B", "g2", "2026-03")] == -5


def test_late_reversal__less_use_than_charged__the_buyer_gets_it_back(session: Session, market: Market) -> None:
    """g3 is billed by both sides' words later: 40 calls become none, April has none: what was paid flows back."""
    march = demo.whole_cycle(session, market, MARCH)
    assert store.cycle(session, march).state is State.CLOSED
    paid = store.charges(session, "2026-03")[2][1].gross
    market.uses["g3"] = [replace(item, position=99) for item in market.uses["g3"]]
    april = demo.to_netted(session, market, APRIL, mark=20)
    body = store.statement_of(session, april, "A").body
    back = next(
        part
        for part in store.part_documents(session, store.statement_of(session, april, "X").fact_id)
        if isinstance(part, ObligationPart) and part.creditor == "A"
    )
    assert (back.debtor, [item.amount for item in back.items if item.agreement == "g3"]) == ("X", [paid])
    assert body.owed >= paid
    for item in store.statements(session, april):
        part_b = read(PartB, facts.fact(session, item.notice or "").body)
        own = [
            Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        notice.check(part_b, own)
    assert audited(session, market, april) == []


def test_agreement_of_earlier_periods__named_twice__is_refused(session: Session, market: Market) -> None:
    demo.whole_cycle(session, market, MARCH)
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=APRIL, grace=DAY, at=APRIL.start).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=10, at=APRIL.end + DAY)
    twice: list[AgreementTerms] = [AGREEMENTS[0], AGREEMENTS[0]]
    with pytest.raises(BadTerms, match="earlier"):
        service.rate(
            session, OFFICE, cycle=cycle, agreements=AGREEMENTS, uses=market.of, at=APRIL.end + DAY, earlier=twice
        )
