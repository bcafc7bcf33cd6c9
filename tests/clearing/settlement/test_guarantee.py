"""A guarantee is called once a plan version is over, corrected when its charges are, and paid like everything else.

What is due is computed here by handing out fen after fen (`naive`); everything is 演示.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api import proofs
from api.office import statements as accounts
from clearing.errors import BadTerms
from clearing.market import service as contracts
from clearing.market.agreement import Act, Ground, GroundKind, State
from clearing.settlement import disputed, guarantee, service, sharing, stating, store, tables, tracing
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import cycle_id
from clearing.settlement.flows import Flow, flows_of
from clearing.settlement.flows import What as Flowing
from clearing.settlement.guarantee import GUARANTEE_CALL, Ended, GuaranteeCall, agreement_of, claim_of, due, ended
from clearing.settlement.inputs import Declared, Inputs
from clearing.settlement.journal import Account, Kind
from clearing.settlement.payment import Direction
from clearing.settlement.statement import Line, ObligationPart
from clearing.settlement.stating import PERIOD_INPUTS, PeriodInputs
from clearing.settlement.tracing import What
from clearing.terms import (
    DAY,
    AgreementTerms,
    Period,
    Served,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Terms,
    month,
)
from ledger import store as facts
from ledger.facts import Statement
from ledger.reading import body_of
from registry.asset import Twin
from tests.clearing import naive
from tests.clearing.builders import plan, ratio, terms
from tests.clearing.market.house import CONSUMER, NOW, PROVIDER, SELLER, House, terms_of
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.disputing import JUNE, Month
from tests.clearing.settlement.market import APRIL, MARCH, OFFICE, OPERATOR, Market, signed_by, use
from tests.counts import few
from tests.databases import Place

MAY = month("2026-05")
END = MARCH.start + 20 * DAY
"""When the agreement ends: its records may come until 30 days later, the 20th of April."""
PLAN = plan(ratio(A=1, B=5, C=4), Step(StepKind.GUARANTEE, "A", 100, funder="B", guarantor="Y"))
G = AgreementTerms("g4", 0, terms("X", sharing=PLAN))
CLAIM = claim_of("g4/1/CNY", "A")


def over(item: AgreementTerms = G, until: int = END) -> service.ServedBefore:
    """What the market would say: the one revision, in force until then."""
    return lambda session, before: [Served(item, until)]


def missing(sharing_plan: SharingPlan, net: int, party: str = "A", least: int = 100) -> int:
    """The guarantee less what `net` fen give the party, handed out fen by fen."""
    got = naive.rounded(naive.entitlements(body_of(sharing_plan), net), f"g4/{sharing_plan.version}/CNY")
    return max(0, least - got[party])


@pytest.fixture
def market() -> Market:
    """20 calls in March; 10 more that came and were logged before April's cut-off, and 4 logged only after it."""
    found = Market()
    late = [(15, MARCH.end + 3 * DAY)] * 10 + [(25, MARCH.end + 9 * DAY)] * 4
    found.uses["g4"] = [use("g4", n, MARCH.start + n) for n in range(20)]
    found.uses["g4"] += [
        use("g4", 20 + n, END - 500 + n, position=position, received_at=received)
        for n, (position, received) in enumerate(late)
    ]
    return found


def rated(
    session: Session, market: Market, period: Period, mark: int, agreements: Sequence[AgreementTerms] = (),
    earlier: Sequence[AgreementTerms] = (G,), served: service.ServedBefore | None = None,
) -> tuple[str, service.RatedCycle]:  # fmt: skip
    at = period.end + DAY
    cycle = service.open_cycle(session, OFFICE, operator=OPERATOR, period=period, grace=DAY, at=period.start).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=mark, at=at)
    found = service.rate(
        session, OFFICE, cycle=cycle, agreements=agreements, uses=market.of, at=at, earlier=earlier,
        served=served or over(),
    )  # fmt: skip
    demo.invoice(session, period, at)
    return cycle, found


def paid(session: Session, market: Market, period: Period, cycle: str) -> None:
    """From statements to the close: everybody confirms and pays."""
    at = period.end + DAY
    service.issue_statements(session, OFFICE, cycle=cycle, at=at)
    demo.confirm(session, cycle, at)
    service.close_window(session, OFFICE, cycle=cycle, at=at)
    service.net(session, OFFICE, cycle=cycle, at=at)
    batch = demo.instruct(session, cycle, at)
    for direction in (Direction.FUNDING, Direction.PAYOUT):
        service.import_bank_file(session, OFFICE, market.file(*demo.booked(batch, direction)), at=at)
        service.advance_payments(session, OFFICE, cycle=cycle, at=at)
    demo.close(session, cycle, at)


def audited(
    session: Session, market: Market, cycle: str, agreements: Sequence[AgreementTerms] = (), **more: object
) -> list[Finding]:
    secret = service.netting_secret(OFFICE, cycle)
    given_more = {"earlier": (G,), "served": over()} | more
    return service.audit(session, cycle=cycle, agreements=agreements, uses=market.of, secret=secret, **given_more)  # type: ignore[arg-type]


def called(session: Session, period: Period) -> list[GuaranteeCall]:
    return [body for _, body in store.guarantee_calls(session, period.name)]


def test_three_months__called_when_it_is_over_corrected_twice_and_everything_is_paid(
    session: Session, market: Market
) -> None:
    """March: 20 calls × 3.5 = 70 fen, net 66; nothing is called, the agreement ended 13 days before the cut-off. April
    counts 30 calls, net 99: A was given 59, so Y owes 41. May counts 34, net 112: A has 67, and 8 go back."""
    nets, owed = {MARCH: 66, APRIL: 99, MAY: 112}, 0
    for period, mark in ((MARCH, 10), (APRIL, 20), (MAY, 30)):
        current = (G,) if period is MARCH else ()
        cycle, found = rated(session, market, period, mark, current)
        assert store.lineage_total(session, "g4/1/CNY") == nets[period]
        calls = called(session, period)
        if period is MARCH:
            assert (calls, found.guarantees) == ([], ())
        else:
            demanded = missing(PLAN, nets[period])
            assert [(one.amount, one.called) for one in calls] == [(demanded - owed, owed)]
            assert (calls[0].given, calls[0].guaranteed, calls[0].ended) == (100 - demanded, 100, END)
            assert [facts.fact(session, name).kind for name in found.guarantees] == [GUARANTEE_CALL]
            owed = demanded
        paid(session, market, period, cycle)
        assert audited(session, market, cycle, current) == []
    assert owed == 33
    assert store.balance(session) == {}
    for period in (MARCH, APRIL, MAY):  # later cycles change nothing of what the audit of an earlier one finds
        cycle = cycle_id(OPERATOR, period.name)
        assert audited(session, market, cycle, (G,) if period is MARCH else ()) == []


def test_call__stands_on_both_statements_with_its_reasons_and_is_an_obligation_of_the_guarantor(
    session: Session, market: Market
) -> None:
    paid(session, market, MARCH, rated(session, market, MARCH, 10, (G,))[0])
    cycle, found = rated(session, market, APRIL, 20)
    service.issue_statements(session, OFFICE, cycle=cycle, at=APRIL.end + DAY)
    [name] = found.guarantees
    for party, amount in (("A", 41), ("Y", -41)):
        statement = store.statement_of(session, cycle, party)
        parts = store.part_documents(session, statement.fact_id)
        [line] = [part for part in parts if isinstance(part, Line) and part.event == "guarantee"]
        assert (line.amount, line.event_id, agreement_of(line.agreement)) == (amount, name, "g4")
        owing = [part for part in parts if isinstance(part, ObligationPart) and "Y" in (part.debtor, part.creditor)]
        assert [(part.debtor, part.creditor, part.amount) for part in owing] == [("Y", "A", 41)]
        lines = [part for part in parts if isinstance(part, Line)]
        obligations = [part for part in parts if isinstance(part, ObligationPart)]
        assert Flow("Y", "A", Flowing.GUARANTEE, 41) in flows_of(party, obligations, lines, ())
        steps = tracing.trace(session, line).steps
        assert [step.what for step in steps][:3] == [What.GUARANTEE, What.SHARES, What.CHARGE]
        assert {What.READING, What.INVOICE} <= {step.what for step in steps}
        assert steps[0].fact.id == name
    call = facts.fact(session, name)
    nobody: frozenset[str] = frozenset()
    assert all(proofs.may_read(session, call, f"party:{party}", nobody) for party in "AY")
    assert not proofs.may_read(session, call, "party:STRANGER", nobody)


def test_call__of_which_one_side_says_nothing__waits_and_stops_nobody(session: Session, market: Market) -> None:
    paid(session, market, MARCH, rated(session, market, MARCH, 10, (G,))[0])
    cycle, _ = rated(session, market, APRIL, 20)
    at = APRIL.end + DAY
    service.issue_statements(session, OFFICE, cycle=cycle, at=at)
    demo.confirm(session, cycle, at, but="Y")
    service.close_window(session, OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)
    service.net(session, OFFICE, cycle=cycle, at=at + 30 * DAY)
    assert store.balance(session)[Account(Kind.RCV, "Y", CLAIM, "2026-04")] == 41
    assert audited(session, market, cycle) == []


def test_credit_after_the_call__the_next_cycle_calls_the_difference(session: Session, market: Market) -> None:
    """All of the charge is given back: A has nothing of it, so Y owes the whole guarantee. A credit that the cycle
    posts after it was rated is left to the next one, and the audit knows which came first."""
    paid(session, market, MARCH, rated(session, market, MARCH, 10, (G,))[0])
    april, _ = rated(session, market, APRIL, 20)
    [charge] = [name for name, body in store.charges(session, "2026-04") if body.gross > 0]
    basis = facts.fact(session, charge).id
    at = APRIL.end + DAY
    disputed.give_back(session, OFFICE, charge_id=charge, amount=105, basis=basis, plan=PLAN, at=at)
    assert [one.amount for one in called(session, APRIL)] == [41]
    of_calls = [item for item in audited(session, market, april) if "guarantee" in item.row]
    assert of_calls == [], "the credit came after the rating"
    may, _ = rated(session, market, MAY, 20)
    assert [(one.amount, one.given) for one in called(session, MAY)] == [(59, 0)]
    assert [item for item in audited(session, market, may) if "guarantee" in item.row] == []


def test_nothing_ever_charged__the_whole_guarantee_and_no_division_behind_it(session: Session) -> None:
    cycle, found = rated(session, Market(), APRIL, 20, earlier=())
    [call] = called(session, APRIL)
    assert (call.amount, call.given, call.shares) == (100, 0, None)
    service.issue_statements(session, OFFICE, cycle=cycle, at=APRIL.end + DAY)
    statement = store.statement_of(session, cycle, "Y").fact_id
    assert [step.what for step in tracing.trace(session, tracing.line_of(session, statement, 0)).steps] == [
        What.GUARANTEE
    ]
    assert len(found.guarantees) == 1
    assert audited(session, Market(), cycle, earlier=()) == []


def test_a_charge_is_held__nothing_is_called_until_it_is_made(session: Session) -> None:
    """A revenue share whose base nobody declared: how much A is given is not known. Declared, of 60 fen 6 are A's and
    B's 30 go to it."""
    tariff = Tariff(TariffKind.REVENUE_SHARE, "call", rate=10**6, base="净销售额（演示）")
    item = replace(G, terms=terms("X", tariff, PLAN, bp=0))
    market = Market({"g4": [use("g4", 0, MARCH.start)]})
    rated(session, market, MARCH, 10, (item,), (), over(item))
    cycle, found = rated(session, market, APRIL, 20, (), (item,), over(item))
    assert [(one.agreement, one.revision) for one in found.held] == [("g4", 0)]
    assert called(session, APRIL) == []
    assert audited(session, market, cycle, earlier=(item,), served=over(item)) == []
    body = PeriodInputs("g4", 0, "2026-03", "X", "A", Inputs(declared=Declared(60, "0" * 64)))
    subject = stating.subject_of("g4", 0, "2026-03")
    signed = signed_by(Statement(PERIOD_INPUTS, subject, 0, None, body_of(body)), ("party:A", ""), ("party:X", ""))
    service.state_inputs(session, OFFICE, signed, lambda *_: item, at=MAY.start + 9 * DAY)
    cycle, found = rated(session, market, MAY, 30, (), (item,), over(item))
    assert found.held == ()
    assert [one.amount for one in called(session, MAY)] == [missing(PLAN, 60)] == [64]
    assert audited(session, market, cycle, earlier=(item,), served=over(item)) == []


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("amount", "guarantee"),
        ("row", "guarantee"),
        ("journal", "journal guarantee"),
        ("sooner", "guarantee"),
        ("never", "guarantee"),
    ],
)
def test_audit__a_call_that_does_not_follow_from_the_terms__is_named(
    session: Session, market: Market, what: str, told: str
) -> None:
    """Another amount signed by the operator itself, a call left out or made without ground, a posting changed."""
    paid(session, market, MARCH, rated(session, market, MARCH, 10, (G,))[0])
    served, real = over(), guarantee.due
    if what == "amount":

        def wrong(*arguments: object) -> tuple[GuaranteeCall, ...]:
            return tuple(replace(call, amount=call.amount + 1) for call in real(*arguments))  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(guarantee, "due", wrong)
            cycle, _ = rated(session, market, APRIL, 20)
    else:
        cycle, _ = rated(session, market, APRIL, 20)
    if what == "row":
        session.execute(delete(tables.guarantee_call))
    elif what == "journal":
        table = tables.posting
        number = session.execute(select(table.c.no).where(table.c.agreement == CLAIM)).scalars().first()
        session.execute(update(table).where(table.c.no == number).values(amount=-table.c.amount))
    elif what == "sooner":
        served = over(until=APRIL.end)
    elif what == "never":
        served = service.nothing_guaranteed
    found = audited(session, market, cycle, served=served)
    assert found
    assert any(item.row.startswith(told) for item in found), found
    assert audited(session, market, cycle_id(OPERATOR, "2026-03"), (G,)) == []


# Of a real agreement --------------------------------------------------------------------------------------------------


def guaranteed(least: int = 1000, version: int = 1) -> Terms:
    """What both sides settle by: the provider is to have so many fen, first the seller's, then the consumer's."""
    found = terms_of("a" * 32, Twin("0" * 64, "0" * 64)).settlement
    step = Step(StepKind.GUARANTEE, PROVIDER, least, funder=SELLER, guarantor=CONSUMER)
    return replace(found, plan=replace(found.plan, version=version, steps=(*found.plan.steps, step)))


def test_agreement_whose_term_ends__the_buyer_owes_charge_and_guarantee_as_one_obligation(place: Place) -> None:
    """100 calls of May, net 330, all of it the provider's: the consumer owes 670 besides, one cycle after the end of
    May, when the 30 days of late records are over at the cut-off of June."""
    house = House(place.engine())
    may = Month(house, settlement=guaranteed(), expiry=MAY.end)
    assert called(may.session, MAY) == []
    may.issue(MAY)
    june = may.rate(JUNE)
    [call] = called(may.session, JUNE)
    assert (call.party, call.guarantor, call.given, call.amount) == (PROVIDER, CONSUMER, 330, 670)
    assert call.ended == MAY.end
    may.issue(JUNE)
    for party in (PROVIDER, CONSUMER):
        parts = store.part_documents(may.session, store.statement_of(may.session, june, party).fact_id)
        [owed] = [part for part in parts if isinstance(part, ObligationPart) and part.creditor == PROVIDER]
        assert (owed.debtor, owed.amount) == (CONSUMER, 330 + 670)
        shown = accounts.account(may.session, june, party)
        assert {line.agreement for line in shown.lines} == {may.line.agreement}
        assert Flow(CONSUMER, PROVIDER, Flowing.WHOLE, 1000) in shown.flows, "what it owes of May stands on May's"
    assert [may.audit(period) for period in (MAY, JUNE)] == [[], []]
    house.close()


def test_served__as_the_acts_before_a_second_say_it(place: Place) -> None:
    """Concluded, amended with another version, rescinded: each revision until the act that replaced it; nothing is
    guaranteed by an agreement that is void, and one without a guarantee is none of these."""
    house = House(place.engine())
    session, expiry = house.session, NOW + 300 * DAY
    listing = house.listed()
    house.conclude(listing=listing)
    identity, _ = house.conclude(listing=listing, settlement=guaranteed())

    def spans(before: int) -> list[tuple[str, int, int]]:
        return [(one.item.agreement, one.item.revision, one.until) for one in contracts.served(session, before)]

    assert spans(NOW) == []
    assert spans(NOW + 1) == [(identity, 1, expiry)]
    same_number = house.terms(listing, settlement=guaranteed(least=5))
    with pytest.raises(BadTerms, match=r"plan\.version"):
        house.take(house.sign(house.act(identity, Act.AMEND, State.EFFECTIVE, terms=same_number)), NOW + 4 * DAY)
    changed = house.terms(listing, settlement=guaranteed(version=2))
    house.take(house.sign(house.act(identity, Act.AMEND, State.EFFECTIVE, terms=changed)), NOW + 5 * DAY)
    assert spans(NOW + 5 * DAY) == [(identity, 1, expiry)]
    amended = [(identity, 1, NOW + 5 * DAY), (identity, 2, expiry)]
    assert spans(NOW + 5 * DAY + 1) == amended
    assert [one.lineage for one in ended(contracts.served(session, NOW + 36 * DAY), NOW + 36 * DAY)] == [
        f"{identity}/1/CNY"
    ]
    ground = Ground(GroundKind.AGREED, "演示", "1" * 64)
    rescinded = house.act(identity, Act.RESCIND, State.RESCINDED, ground=ground)
    house.take(house.sign(rescinded, house.signers()[:1]), NOW + 9 * DAY)
    assert spans(NOW + 9 * DAY) == amended
    assert spans(NOW + 9 * DAY + 1) == [(identity, 1, NOW + 5 * DAY), (identity, 2, NOW + 9 * DAY)]
    house.take(house.by_court(identity, Act.VOID, State.VOID), NOW + 10 * DAY)
    assert spans(NOW + 10 * DAY) != spans(NOW + 10 * DAY + 1) == []
    house.close()


# By itself ------------------------------------------------------------------------------------------------------------


@st.composite
def guaranteed_plans(draw: st.DrawFn) -> tuple[SharingPlan, dict[str, int]]:
    weights = draw(st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any))
    least = {"A": draw(st.integers(0, 150))} | ({"D": draw(st.integers(0, 150))} if draw(st.booleans()) else {})
    steps = [ratio(**dict(zip("ABCD", weights, strict=True)))]
    steps += [Step(StepKind.GUARANTEE, party, limit, funder="B", guarantor="Y") for party, limit in least.items()]
    return plan(*steps, parties="ABCD"), least


@settings(max_examples=few(60), deadline=None)
@given(guaranteed_plans(), st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_due__after_every_total__what_was_given_and_called_makes_the_guarantee(
    drawn: tuple[SharingPlan, dict[str, int]], totals: list[int]
) -> None:
    """Whatever the charges are corrected to, and however often: all calls together are what is missing then, or 0."""
    sharing_plan, least = drawn
    version = Ended(replace(G, terms=terms("X", sharing=sharing_plan)), frozenset({0}), END)
    sums: dict[str, int] = {}
    for total in totals:
        got = sharing.given(sharing_plan, version.lineage, total)
        for call in due(version, got, None, sums, (), "2026-04"):
            assert call.amount
            assert call.called == sums.get(call.claim, 0)
            sums[call.claim] = call.called + call.amount
        assert due(version, got, None, sums, (), "2026-04") == ()
        for party, limit in least.items():
            demanded = missing(sharing_plan, total, party, limit)
            assert sums.get(claim_of(version.lineage, party), 0) == demanded


def test_ended__only_when_every_revision_of_the_version_is_and_its_late_records_are() -> None:
    """Two revisions under version 1, then version 2: the first is over 30 days after its last revision, to the second;
    one with a longer limit for late records holds it back; without a guarantee there is nothing to call."""
    second = replace(G, revision=1)
    third = replace(G, revision=2, terms=replace(G.terms, plan=replace(PLAN, version=2)))
    spans = [Served(G, 100 * DAY), Served(second, 200 * DAY), Served(third, 300 * DAY)]
    assert ended(spans, 230 * DAY) == ()
    [one] = ended(spans, 230 * DAY + 1)
    assert (one.lineage, one.revisions, one.at, one.item) == ("g4/1/CNY", {0, 1}, 200 * DAY, second)
    assert [one.lineage for one in ended(spans[::-1], 400 * DAY)] == ["g4/1/CNY", "g4/2/CNY"]
    slow = replace(G.terms.period, late_limit=160 * DAY)
    held_back = [Served(replace(G, terms=replace(G.terms, period=slow)), 100 * DAY), *spans[1:]]
    assert ended(held_back, 260 * DAY) == ()
    plain = [Served(replace(G, terms=terms("X")), 100 * DAY)]
    assert ended(plain, 10**9) == ()


def test_claim__names_its_agreement_and_no_agreement_is_one() -> None:
    assert agreement_of(CLAIM) == "g4"
    assert agreement_of(claim_of("a/b/2/CNY", "A")) == "a/b"
    assert (agreement_of("g4"), guarantee.is_claim("g4"), guarantee.is_claim(CLAIM)) == ("g4", False, True)
