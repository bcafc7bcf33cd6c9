"""A disputed charge: only the disputed part waits, a release restores every fen, what is upheld flows back once.

100 calls at 3.5 fen are 350 fen gross, 330 net and 20 tax; provider and seller have 165 each, the seller the tax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlmodel import Session

from clearing.errors import BadTerms, ProofRefused, WrongMove
from clearing.market import service as market
from clearing.market.errors import NotEntitled
from clearing.settlement import notice, projecting, store, tables
from clearing.settlement import service as settlement
from clearing.settlement.dispute import store as disputes
from clearing.settlement.dispute.opening import Act, Decision, DisputeAct, Side, State
from clearing.settlement.inputs import Inputs
from clearing.settlement.notice import PartB, Reason
from clearing.settlement.rating import CorrectionKind
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import Obligation, ObligationPart
from clearing.settlement.weighing import Contributed, contribution
from clearing.terms import (
    DAY,
    Holder,
    Period,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Terms,
    Tier,
)
from clearing.usage import store as usage
from clearing.usage.finding import CHECKER, MAKER
from ledger import store as facts
from ledger.errors import BadSignature
from ledger.facts import Signed
from ledger.reading import read
from registry.asset import Twin
from registry.errors import NotEntitled as NotStaff
from tests.clearing.market.house import CONSUMER, COURT, OPERATOR, PROVIDER, SELLER, House
from tests.clearing.settlement.disputing import JUNE, MAY, Month
from tests.clearing.usage.batches import admit
from tests.counts import few
from tests.databases import Place

DECISION = Decision("演示仲裁委员会", "（2026）演示裁字第 1 号", "2026-06-20", "2026-06-21", Twin("1" * 64, "2" * 64))
RATED = {"RCV consumer": 350, "PAY provider": -165, "PAY seller": -185}


@pytest.fixture
def may(place: Place) -> Iterator[Month]:
    house = House(place.engine())
    yield Month(house)
    house.close()


def test_dispute__freezes_the_disputed_part_of_every_payee_and_nothing_else(may: Month) -> None:
    """106 of 350 gross is 100 net and 6 tax: 50 of each holder, the tax of the seller."""
    assert may.balance() == RATED
    may.open(106)
    assert may.balance() == {
        "RCV consumer": 244, "RCVD consumer": 106, "PAY provider": -115, "HOLD provider": -50, "PAY seller": -129,
        "HOLD seller": -56,
    }  # fmt: skip
    assert may.audit(MAY) == []


def test_withdraw__restores_every_balance(may: Month) -> None:
    may.open(77)
    may.say(Act.WITHDRAW)
    assert may.balance() == RATED
    assert may.audit(MAY) == []
    with pytest.raises(WrongMove):
        may.say(Act.WITHDRAW)


def test_net__while_disputed__the_rest_goes_on_and_the_notice_says_what_waits(may: Month) -> None:
    cycle = may.issue(MAY)
    at = MAY.end + 2 * DAY
    may.open(106, at)
    may.confirm(cycle, at)
    may.net(cycle, at)
    parts = {item.body.party: item for item in store.statements(may.session, cycle)}
    for party, frozen in ((PROVIDER, 50), (SELLER, 56), (CONSUMER, 106)):
        item = parts[party]
        part_b = read(PartB, facts.fact(may.session, item.notice or "").body)
        assert sum(held.amount for held in part_b.held) == frozen
        assert {held.reason for held in part_b.held} == {Reason.DISPUTED}
        own = [
            Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(may.session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        notice.check(part_b, own)
        with pytest.raises(ProofRefused):
            notice.check(replace(part_b, held=()), own)
    assert may.balance()["PAY provider"] == -115, "net, the held part apart"
    assert may.audit(MAY) == []


def test_agreement_of_both__is_credited_in_the_next_cycle_and_seen_by_the_audit(may: Month) -> None:
    """53 of 350 given back: 50 net and 3 tax. After June everything that moved is 297 gross."""
    cycle = may.issue(MAY)
    at = MAY.end + 2 * DAY
    may.open(106, at)
    may.say(Act.ANSWER, Side.RESPONDENT, at, text="部分认可")
    may.say(Act.OFFER, Side.RESPONDENT, at, text="退还一半", upheld=53)
    with pytest.raises(WrongMove):
        may.say(Act.ACCEPT, Side.RESPONDENT, at)
    may.say(Act.ACCEPT, Side.FILER, at)
    row = disputes.dispute(may.session, may.dispute)
    assert (row.case.state, row.case.upheld) == (State.SETTLED, 53)
    [(_, credit)] = store.credits_of(may.session, may.charge)
    assert (credit.gross, credit.net, credit.tax, credit.booked) == (-53, -50, -3, "2026-06")
    assert may.balance() == {"RCV consumer": 297, "TAX seller": 3, "PAY provider": -140, "PAY seller": -160}
    may.confirm(cycle, at)
    may.net(cycle, at)
    assert may.audit(MAY) == []
    may.rate(JUNE)
    assert [body.corrects is not None for _, body in store.charges(may.session, "2026-06")] == [False, True]
    june = may.issue(JUNE)
    may.confirm(june, JUNE.end + 2 * DAY)
    may.net(june, JUNE.end + 2 * DAY)
    assert may.audit(JUNE) == []
    assert may.audit(MAY) == []
    assert may.balance() == {
        "RCV consumer": 300, "PAY provider": -140, "PAY seller": -160, "RCV seller": 3, "PAY consumer": -3,
    }, "May's net positions, and June's: the tax of the credit, owed back once its red invoice is recorded"  # fmt: skip


def test_decision__years_after_the_agreement_ended__is_given_back_and_audited(may: Month) -> None:
    """A court takes longer than any record may be late: the cycle knows no terms of the agreement any more."""
    may.issue(MAY)
    at = JUNE.end + DAY
    may.open(106, MAY.end + 2 * DAY)
    may.say(Act.OFFER, Side.RESPONDENT, MAY.end + 2 * DAY, text="退还一半", upheld=53)
    may.say(Act.ACCEPT, Side.FILER, MAY.end + 2 * DAY)
    cycle = settlement.open_cycle(
        may.session, may.office, operator=OPERATOR, period=JUNE, grace=DAY, at=JUNE.start
    ).cycle  # fmt: skip
    settlement.cut_off(may.session, may.office, cycle=cycle, high_water=usage.NOT_IN_LOG, at=at)
    settlement.rate(may.session, may.office, cycle=cycle, agreements=(), uses=usage.metered_uses, at=at)
    may.issue(JUNE)
    known = {"session": may.session, "cycle": cycle, "agreements": (), "uses": usage.metered_uses}
    assert settlement.audit(**known, revision=market.revision_terms) == []
    without = settlement.audit(**known)
    assert {(item.row.split()[0], item.expected) for item in without} >= {("charge", "absent")}


def test_mediation__binds_only_when_both_accept(may: Month) -> None:
    may.open(350)
    with pytest.raises(WrongMove):
        may.say(Act.PROPOSE, Side.MEDIATOR, mediator=OPERATOR, text="演示", upheld=100)
    may.say(Act.MEDIATE, Side.RESPONDENT)
    with pytest.raises(NotEntitled, match="no party"):
        may.say(Act.PROPOSE, Side.MEDIATOR, mediator=PROVIDER, text="演示", upheld=100)
    may.say(Act.PROPOSE, Side.MEDIATOR, mediator=COURT, text="演示", upheld=100)
    may.say(Act.ACCEPT, Side.FILER)
    assert disputes.dispute(may.session, may.dispute).case.state is State.MEDIATION
    may.say(Act.PROPOSE, Side.MEDIATOR, mediator=OPERATOR, text="演示", upheld=80)
    may.say(Act.ACCEPT, Side.RESPONDENT)
    assert disputes.dispute(may.session, may.dispute).case.state is State.MEDIATION, "a new proposal asks both again"
    may.say(Act.ACCEPT, Side.FILER)
    assert disputes.dispute(may.session, may.dispute).case.upheld == 80


def test_decision__entered_by_two_persons_of_the_operator(may: Month) -> None:
    may.open(350)
    may.say(Act.LEAVE, Side.FILER)
    body = {"decision": DECISION, "upheld": 350}
    act = DisputeAct(Act.DECIDE, Side.OPERATOR, may.body.agreement, CONSUMER, SELLER, **body)
    maker = ("staff:maker", MAKER)
    for by in ((maker,), (maker, ("staff:maker", CHECKER)), ((f"party:{COURT}", ""),)):
        with pytest.raises((NotEntitled, NotStaff, BadSignature)):
            may.take(act, MAY.end + 3 * DAY, by)
    with pytest.raises(BadTerms, match="upheld"):
        may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=351)
    with pytest.raises(BadTerms, match="in_force"):
        may.say(Act.DECIDE, Side.OPERATOR, decision=replace(DECISION, in_force="2026-06-19"), upheld=1)
    may.say(Act.DECIDE, Side.OPERATOR, **body)
    assert may.balance() == {"TAX seller": 20, "PAY seller": -20}, "all given back but the tax, whose red invoice waits"
    may.invoice(MAY, MAY.end + 4 * DAY)
    assert may.balance() == {}, "the statements were not out: the credit is May's own"
    assert may.audit(MAY) == []


def test_decision__after_the_money_moved__is_owed_back_in_the_next_cycle(may: Month) -> None:
    cycle = may.issue(MAY)
    may.confirm(cycle, MAY.end + 2 * DAY)
    may.net(cycle, MAY.end + 2 * DAY)
    may.open(106, MAY.end + 3 * DAY)
    assert store.hold(may.session, may.dispute) is None, "nothing of it is still owed"
    may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=106)
    may.rate(JUNE)
    june = may.issue(JUNE)
    own = [
        (part.debtor, part.creditor, part.amount)
        for part in store.part_documents(may.session, store.statement_of(may.session, june, CONSUMER).fact_id)
        if isinstance(part, ObligationPart)
    ]
    assert sorted(own) == sorted([(PROVIDER, CONSUMER, 50), (SELLER, CONSUMER, 56)])
    may.confirm(june, JUNE.end + 2 * DAY)
    may.net(june, JUNE.end + 2 * DAY)
    assert may.audit(JUNE) == []
    assert may.audit(MAY) == []


def test_complaint__of_more_than_was_charged_or_twice_or_by_a_payee__is_refused(may: Month) -> None:
    with pytest.raises(BadTerms, match="350"):
        may.open(351)
    may.open(300)
    first, may.dispute = may.dispute, "e" * 32
    with pytest.raises(BadTerms, match="50"):
        may.open(51)
    may.open(50)
    may.dispute = first
    may.say(Act.WITHDRAW)
    assert may.balance()["RCVD consumer"] == 50
    may.dispute = "f" * 32
    with pytest.raises(NotEntitled, match=CONSUMER):
        may.say(Act.OPEN, complaint=may.complaint(1), filer=SELLER, respondent=CONSUMER)
    may.say(Act.OPEN, complaint=may.complaint(1))
    with pytest.raises(BadTerms, match="upheld"):
        may.say(Act.OFFER, text="演示")


def test_complaint__about_a_charge_made_anew__one_use_is_given_back_once(may: Month) -> None:
    """10 more calls of May come in June: 350 becomes 385. The old charge has nothing left to dispute, and what is
    disputed or was given back of it counts against the new one."""
    may.issue(MAY)
    may.open(106)
    admit(may.house, may.line.more(10), MAY.end + 3 * DAY)
    at = JUNE.end + 3 * DAY
    may.rate(JUNE)
    old, running = may.charge, may.dispute
    [anew] = [
        name for name, body in store.charges(may.session, JUNE.name)
        if body.corrects and body.corrects.kind is CorrectionKind.ANEW
    ]  # fmt: skip
    may.dispute = "e" * 32
    with pytest.raises(BadTerms, match="≤ 0"):
        may.open(1, at)
    may.charge = anew
    with pytest.raises(BadTerms, match="≤ 279"):
        may.open(280, at)
    may.charge, may.dispute = old, running
    may.say(Act.DECIDE, Side.OPERATOR, at, decision=DECISION, upheld=106)
    assert may.balance()["RCV consumer"] == 385 - 106
    may.charge, may.dispute = anew, "f" * 32
    with pytest.raises(BadTerms, match="≤ 279"):
        may.open(280, at)
    may.open(279, at)
    may.say(Act.DECIDE, Side.OPERATOR, at, decision=DECISION, upheld=279)
    assert may.balance().get("RCV consumer", 0) == 0, "everything is given back, and no fen more"
    assert may.audit(JUNE) == []


def test_audit__a_credit_nobody_posted_or_a_hold_that_was_changed__is_named(may: Month) -> None:
    may.open(106)
    table = tables.posting
    moved = select(table.c.no).where(table.c.kind == "HOLD").distinct()
    number = may.session.execute(moved).scalar_one()
    for line, change in ((0, 1), (1, -1)):
        values = {"amount": table.c.amount + change}
        may.session.execute(update(table).where(table.c.no == number, table.c.line == line).values(**values))
    assert any("journal hold" in found.row for found in may.audit(MAY))
    for line, change in ((0, -1), (1, 1)):
        values = {"amount": table.c.amount + change}
        may.session.execute(update(table).where(table.c.no == number, table.c.line == line).values(**values))
    may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=106)
    assert may.audit(MAY) == []
    may.session.execute(delete(tables.charge).where(tables.charge.c.corrects == may.charge))
    assert any("credit" in found.row and found.found == "missing" for found in may.audit(MAY))


def test_views__folded_again_from_the_facts__are_the_same(may: Month, place: Place) -> None:
    may.open(106)
    may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=53)
    engine = place.engine()
    projectors = projecting.PROJECTORS | disputes.PROJECTORS
    with Session(engine) as second:
        for fact in facts.all_facts(may.session):
            facts.restore(second, fact, facts.parts_of(may.session, fact.id))
            if fact.kind in projectors:
                projectors[fact.kind](second, fact)
        for view in (tables.hold, tables.posting, tables.charge, *disputes.VIEWS):
            order = list(view.primary_key.columns)
            left = may.session.execute(select(view).order_by(*order)).all()
            assert left
            assert left == second.execute(select(view).order_by(*order)).all(), view.name
    engine.dispose()


class Contributing(Month):
    """The same agreement, its revenue divided by what provider and seller contributed: 3 to 1 in May, 1 to 1 after."""

    def rate(self, period: Period) -> str:
        parts = [Contributed(PROVIDER, 3 if period is MAY else 1), Contributed(SELLER, 1)]
        draft = settlement.draft_inputs(
            self.session, market.revision_terms, agreement=self.line.agreement, revision=1, period=period.name,
            inputs=Inputs(), weights=contribution(BY_DATA, parts, ""),
        )  # fmt: skip
        both = tuple(self._sign(draft, f"party:{party}", "") for party in (CONSUMER, SELLER))
        settlement.state_inputs(
            self.session, self.office, Signed(draft, both), market.revision_terms, at=period.end
        )  # fmt: skip
        return super().rate(period)


BY_DATA = Step(StepKind.CONTRIBUTION)
CONTRIBUTED = SharingPlan(1, 0, (Holder(PROVIDER, "holder"), Holder(SELLER, "operator")), (BY_DATA,), SELLER)
TARIFF = Tariff(TariffKind.PER_UNIT, "call", tiers=(Tier(0, 35, 10),))


def test_dispute__under_derived_weights__is_frozen_given_back_and_audited_by_those_of_its_month(
    place: Place,
) -> None:
    """106 of 350 is 100 net: 75 of the provider, 25 of the seller and the tax, in June too, whose weights are equal."""
    house = House(place.engine())
    terms = Terms(CONSUMER, SELLER, TARIFF, Tax(TaxBasis.INCLUSIVE, 600), CONTRIBUTED)
    may = Contributing(house, settlement=terms)
    cycle = may.issue(MAY)
    at = MAY.end + 2 * DAY
    may.open(106, at)
    held = may.balance()
    assert abs(held["HOLD provider"] + 75) <= 1
    assert abs(held["HOLD seller"] + 25 + 6) <= 1
    assert held["RCVD consumer"] == 106
    assert may.audit(MAY) == []
    may.confirm(cycle, at)
    may.net(cycle, at)
    may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=106)
    may.rate(JUNE)
    [credit] = [name for name, body in store.charges(may.session, "2026-06") if body.corrects]
    shares = read(Shares, facts.fact(may.session, store.shares_of(may.session, credit)).body)
    assert {line.party: line.entitlement for line in shares.shares} == {PROVIDER: "-75", SELLER: "-25"}
    may.issue(JUNE)
    assert may.audit(JUNE) == []
    assert may.audit(MAY) == []
    house.close()


@settings(
    max_examples=few(8),
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(disputed=st.integers(1, 350), upheld=st.integers(0, 350), withdrawn=st.booleans(), issued=st.booleans())
def test_any_dispute__hold_is_what_is_open__and_nobody_gains_or_loses_beside_the_credit(
    place: Place, disputed: int, upheld: int, withdrawn: bool, issued: bool
) -> None:
    """Invariant 17, and that buyer and payees move by exactly what is upheld, whenever the dispute comes."""
    house = House(place.engine())
    may = Month(house)
    if issued:
        may.issue(MAY)
    may.open(disputed)
    held = may.balance()
    assert -sum(amount for name, amount in held.items() if name.startswith("HOLD")) == disputed
    assert held["RCVD consumer"] == disputed
    given_back = 0 if withdrawn else min(disputed, upheld)
    if withdrawn:
        may.say(Act.WITHDRAW)
    else:
        may.say(Act.DECIDE, Side.OPERATOR, decision=DECISION, upheld=given_back)
    after = may.balance()
    assert after.get("RCV consumer", 0) == 350 - given_back
    assert not [name for name in after if name.startswith(("HOLD", "RCVD"))]
    assert sum(after.values()) == 0
    assert may.audit(MAY) == []
    house.close()
