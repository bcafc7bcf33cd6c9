"""Figures published, objected to and corrected, on a real database; and a real cycle read as figures read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from clearing.errors import BadTerms, Clash, NotSigned, TooEarly, UnknownFact, WrongMove
from clearing.market.errors import Lapsed, NotEntitled
from clearing.settlement.reporting import service, store
from clearing.settlement.reporting.definitions import Code
from clearing.settlement.reporting.objection import (
    ANSWER,
    CREDIT_FIGURE,
    OBJECTION,
    OFFICER,
    PARTY_RELATION,
    Answer,
    Objection,
    Relation,
    objection_subject,
    relation_subject,
)
from clearing.settlement.reporting.store import Published
from ledger import sm
from ledger import store as ledger
from ledger.errors import BadSignature
from ledger.facts import Fact, Signed
from ledger.store import Appended
from registry.errors import CalendarPending
from tests.clearing.market.house import CONSUMER, COURT, NOW, OPERATOR, PROVIDER, SELLER, House
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.reporting_story import Story, stored
from tests.databases import Place

DAY = 86_400
AS_OF = NOW + 60 * DAY
AT = AS_OF + service.SETTLED_FOR
OBJECTION_ID = "a" * 32


def days(at: int, length: int) -> int:
    return at + length * DAY


def late_payer() -> Story:
    """Six settled orders of CONSUMER from SELLER; five times it paid late."""
    story = Story()
    agreement = story.agreement("a", SELLER, CONSUMER, NOW)
    for month in range(1, 7):
        at = NOW + month * DAY
        story.order(agreement, f"2026-0{month}", CONSUMER, {SELLER: 100 * month}, at)
        story.payment(CONSUMER, 100 * month, at, at, [("2026-07-01", 100 * month, at + DAY)] if month < 6 else [])
    return story


class Desk:
    """Everybody who speaks about figures, with their keys."""

    def __init__(self, place: Place) -> None:
        self.house = House(place.engine())
        self.session = self.house.session
        self.officer, self.other = sm.generate(), sm.generate()
        self.house.hire("officer", self.officer, OFFICER)
        self.house.hire("other", self.other, "listing_reviewer")
        stored(self.session, late_payer())

    def publish(self, as_of: int = AS_OF, at: int = 0) -> list[Fact]:
        return service.publish(
            self.session, signer=self.house.operator, operator=OPERATOR, as_of=as_of,
            at=at or as_of + service.SETTLED_FOR,
        )  # fmt: skip

    def figure(self, party: str = CONSUMER) -> Published:
        found = store.newest(self.session, party)
        assert found is not None
        return found

    def object_(self, body: Objection, at: int = AT, by: str = CONSUMER, identity: str = OBJECTION_ID) -> Appended:
        key = self.house.keys[by].sm2
        signed = self.house.signed(OBJECTION, objection_subject(identity), body, f"party:{by}", key)
        return self.send(signed, at)

    def send(self, signed: Signed, at: int = AT) -> Appended:
        return service.take_objection(self.session, signed, operator=OPERATOR, working_days=days, at=at)

    def answer(
        self, body: Answer, at: int = AT + DAY, name: str = "officer", role: str = OFFICER, identity: str = OBJECTION_ID
    ) -> Appended:
        key = self.officer if name == "officer" else self.other
        signed = self.house.signed(ANSWER, objection_subject(identity), body, f"staff:{name}", key, role)
        return service.take_answer(
            self.session, signed, signer=self.house.operator, operator=OPERATOR, at=at
        )  # fmt: skip

    def relate(self, related: bool, by: str, key: sm.Sm2Key, role: str = "", at: int = AT) -> Appended:
        first, second = sorted((SELLER, CONSUMER))
        body = Relation(first, second, related, "演示")
        signed = self.house.signed(PARTY_RELATION, relation_subject(first, second), body, by, key, role)
        return service.take_relation(self.session, signed, operator=OPERATOR, at=at)


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    made = Desk(place)
    yield made
    made.house.close()


def late_key(desk: Desk) -> str:
    """The key of the default: the one payment that never came."""
    found = service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AS_OF)
    return next(one.key for one in found.credit.inputs if one.what == "default")


def test_publish__who_is_rated__once_for_a_second_and_recomputable_for_ever(desk: Desk) -> None:
    stated = desk.publish()
    assert {fact.body["party"] for fact in stated} == {CONSUMER, SELLER}
    assert {fact.kind for fact in stated} == {CREDIT_FIGURE}
    figure = desk.figure()
    # Performance and compliance clean, every payment faulty, no statement and no reading: (35 + 15) / 70.
    assert (figure.body.score, figure.body.exact, figure.body.grade) == ("71.43", "500/7", "A")
    assert (figure.body.deals, figure.body.n) == (6, 18)
    assert desk.publish() == []
    assert store.grades(desk.session) == {CONSUMER: "A", SELLER: "AAA"}
    assert store.shown(desk.session, CONSUMER) == {"credit": "A"}
    assert service.verify(desk.session, figure.body, operator=OPERATOR)
    more = Story()
    more.payment(CONSUMER, 1, AS_OF + 1, AS_OF + 2, [("2026-08-30", 1, AS_OF + 1)])
    stored(desk.session, more)
    assert service.verify(desk.session, figure.body, operator=OPERATOR)
    wrong = replace(figure.body, score="99.99")
    assert not service.verify(desk.session, wrong, operator=OPERATOR)


def test_objection__its_life__frozen_recomputed_corrected_and_kept(desk: Desk) -> None:
    desk.publish()
    before, key = desk.figure(), late_key(desk)
    body = Objection(CONSUMER, Code.CREDIT, "银行差错", before.fact_id, inputs=(key,))
    first = desk.object_(body)
    again_sent = desk.send(Signed(first.fact.statement, first.fact.signatures))
    assert (again_sent.fact, again_sent.replayed) == (first.fact, True)
    assert store.shown(desk.session, CONSUMER) == {"credit": "A（有异议）"}
    account = service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AS_OF)
    assert account.objected
    with pytest.raises(WrongMove, match="没有待答复的异议"):
        desk.object_(body, identity="b" * 32)
    published = desk.publish(AS_OF + DAY)
    assert {fact.body["party"] for fact in published} == {SELLER}, "frozen while objected to"

    again = service.recomputed(desk.session, body, operator=OPERATOR)
    assert again == "A 71.43"
    with pytest.raises(Clash, match=r"A 71\.43"):
        desk.answer(Answer(CONSUMER, False, "不采纳", "AAA 100.00"))
    with pytest.raises(BadSignature):
        desk.answer(Answer(CONSUMER, True, "采纳", again), name="other", role="listing_reviewer")
    with pytest.raises(Clash):
        desk.answer(Answer(SELLER, True, "采纳", again))
    with pytest.raises(BadTerms, match="set_aside"):
        desk.answer(Answer(CONSUMER, True, "采纳", again, ("payment:none",)))
    assert store.objection(desk.session, OBJECTION_ID).answer is None

    aside = (key,)
    corrected = service.recomputed(desk.session, body, operator=OPERATOR, set_aside=aside)
    desk.answer(Answer(CONSUMER, True, "采纳", corrected, aside))
    after = desk.figure()
    assert after.fact_id != before.fact_id
    assert (after.body.as_of, after.body.corrects, after.body.set_aside) == (before.body.as_of, before.fact_id, aside)
    assert after.body.n == before.body.n - 1
    assert f"{after.body.grade} {after.body.score}" == corrected
    for figure in (before, after):
        assert service.verify(desk.session, figure.body, operator=OPERATOR)
    assert not store.figure(desk.session, before.fact_id).newest
    account = service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AT + 2 * DAY)
    assert not account.objected
    assert key not in {one.key for one in account.credit.inputs}, "set aside for good"
    assert key in {one.key for one in service.account(
        desk.session, CONSUMER, operator=OPERATOR, as_of=AT + DAY - 1).credit.inputs}  # fmt: skip
    with pytest.raises(WrongMove, match="答复一次"):
        desk.answer(Answer(CONSUMER, False, "再答", again))
    assert CONSUMER in {fact.body["party"] for fact in desk.publish(AT + 3 * DAY)}


def test_objection__refused__stays_as_it_was(desk: Desk) -> None:
    desk.publish()
    body = Objection(CONSUMER, Code.CREDIT, "不服", desk.figure().fact_id)
    desk.object_(body)
    desk.answer(Answer(CONSUMER, False, "属实", service.recomputed(desk.session, body, operator=OPERATOR)))
    assert [item.answer.upheld for item in store.objections(desk.session, CONSUMER) if item.answer] == [False]
    assert len(store.published(desk.session, CONSUMER)) == 1


def test_objection__too_late_of_another_or_about_nothing__refused(desk: Desk) -> None:
    desk.publish()
    figure = desk.figure()
    body = Objection(CONSUMER, Code.CREDIT, "不服", figure.fact_id)
    with pytest.raises(Lapsed):
        desk.object_(body, at=figure.at + 10 * DAY)
    with pytest.raises(NotEntitled):
        desk.object_(Objection(SELLER, Code.CREDIT, "不服", figure.fact_id), by=SELLER)
    with pytest.raises(NotSigned):
        desk.object_(body, by=SELLER)
    with pytest.raises(UnknownFact):
        desk.object_(Objection(CONSUMER, Code.CREDIT, "不服", "9" * 64))
    with pytest.raises(BadTerms, match=r"body\.inputs"):
        desk.object_(Objection(CONSUMER, Code.CREDIT, "不服", figure.fact_id, inputs=("payment:none",)))
    with pytest.raises(BadTerms, match=r"body\.published"):
        desk.object_(Objection(CONSUMER, Code.CREDIT, "不服", period="2026-06", as_of=AS_OF))
    with pytest.raises(BadTerms, match=r"body\.figure"):
        desk.object_(Objection(CONSUMER, Code.SALES, "不服", period="2026-06", as_of=AS_OF))
    with pytest.raises(BadTerms, match="as_of"):
        desk.object_(Objection(CONSUMER, Code.CONTRIBUTION, "不服", period="2026-06", as_of=AT))
    desk.publish(AS_OF + DAY)
    with pytest.raises(WrongMove, match="现行"):
        desk.object_(body, at=AT + DAY)
    assert store.objections(desk.session) == []


def test_objection__no_calendar_for_the_year__nobody_is_late(desk: Desk) -> None:
    desk.publish()

    def pending(at: int, length: int) -> int:
        raise CalendarPending(2027)

    body = Objection(CONSUMER, Code.CREDIT, "不服", desk.figure().fact_id)
    key = desk.house.keys[CONSUMER].sm2
    signed = desk.house.signed(OBJECTION, objection_subject("c" * 32), body, f"party:{CONSUMER}", key)
    service.take_objection(desk.session, signed, operator=OPERATOR, working_days=pending, at=AT + 400 * DAY)
    assert len(store.objections(desk.session, open_only=True)) == 1


def test_objection__to_a_figure_of_a_window__answered_with_that_figure(desk: Desk) -> None:
    body = Objection(CONSUMER, Code.CONTRIBUTION, "少计", period="2026-06", as_of=AS_OF)
    desk.object_(body)
    again = service.recomputed(desk.session, body, operator=OPERATOR)
    assert again == "buyer 100.00"
    with pytest.raises(BadTerms, match="set_aside"):
        desk.answer(Answer(CONSUMER, True, "采纳", again, ("x",)))
    desk.answer(Answer(CONSUMER, True, "采纳", again))


def test_relation__either_side_says_it__only_staff_ends_it(desk: Desk) -> None:
    seller = desk.house.keys[SELLER].sm2
    with pytest.raises(BadSignature):
        desk.relate(False, f"party:{SELLER}", seller)
    with pytest.raises(BadSignature):
        desk.relate(True, f"party:{PROVIDER}", desk.house.keys[PROVIDER].sm2)
    desk.relate(True, f"party:{SELLER}", seller)
    after = service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AT)
    assert (after.credit.deals, after.credit.grade) == (0, None)
    assert service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AT - 1).credit.deals == 6
    desk.relate(False, "staff:officer", desk.officer, OFFICER, at=AT + DAY)
    assert [one.related for one in store.relations(desk.session)] == [False]
    assert service.account(desk.session, CONSUMER, operator=OPERATOR, as_of=AT + DAY).credit.deals == 6


def test_as_of__must_lie_a_minute_back(desk: Desk) -> None:
    assert service.as_of_at(None, AT) == AS_OF
    assert service.as_of_at(AS_OF, AT) == AS_OF
    for wrong in (AS_OF + 1, AT, AT + DAY, 0, -1):
        with pytest.raises(BadTerms, match="as_of"):
            service.as_of_at(wrong, AT)
    with pytest.raises(TooEarly):
        service.assess(desk.session, "2027-01", operator=OPERATOR, as_of=AS_OF)


def test_views__replayed_from_the_facts__the_same(desk: Desk) -> None:
    desk.publish()
    body = Objection(CONSUMER, Code.CREDIT, "不服", desk.figure().fact_id, inputs=(late_key(desk),))
    desk.object_(body)
    aside = (late_key(desk),)
    corrected = service.recomputed(desk.session, body, operator=OPERATOR, set_aside=aside)
    desk.answer(Answer(CONSUMER, True, "采纳", corrected, aside))
    desk.relate(True, f"party:{SELLER}", desk.house.keys[SELLER].sm2)

    def views() -> list[list[tuple[object, ...]]]:
        return [[tuple(row) for row in desk.session.execute(table.select().order_by(*table.primary_key))]
                for table in store.VIEWS]  # fmt: skip

    kept = views()
    assert all(kept)
    for table in store.VIEWS:
        desk.session.execute(delete(table))
    for fact in ledger.facts_of_kind(desk.session, *store.PROJECTORS):
        store.PROJECTORS[fact.kind](desk.session, fact)
    assert views() == kept


def test_court__sees_no_figure_of_its_own(desk: Desk) -> None:
    found = service.account(desk.session, COURT, operator=OPERATOR, as_of=AS_OF)
    assert (found.credit.inputs, found.credit.grade, found.published) == ((), None, None)


# A real cycle --------------------------------------------------------------------------------------------------------


def test_real_cycles__what_was_paid_is_what_figures_count(place: Place) -> None:
    """Two months through the whole settlement: deals add up to the statements, payments are on time, nobody is rated
    with two orders."""
    made = demo.Market()
    made.call(demo.MARCH, g1=1001, g2=500, g3=40)
    made.call(demo.APRIL, g1=7, g2=331, g3=800)
    with demo.database(place) as session:
        for period in (demo.MARCH, demo.APRIL):
            demo.whole_cycle(session, made, period)
        as_of = demo.APRIL.end + 3 * DAY
        material = store.material(session, as_of, "OP")
        assert sum(deal.amount for deal in material.deals) == _charged(session)
        assert {deal.left for deal in material.deals} == {None}
        assert len({deal.order for deal in material.deals}) == 6
        early = store.material(session, demo.MARCH.end + DAY + 59, "OP")
        assert early.deals == (), "March is settled a second later"
        found = service.account(session, "X", operator="OP", as_of=as_of)
        assert (found.credit.deals, found.credit.grade) == (4, None)
        kinds = {one.what for one in found.credit.inputs}
        assert "answered" in kinds
        stands = [one for one in found.credit.inputs if one.what == "settled"]
        notices = {fact.id for fact in ledger.facts_of_kind(session, "notice/v1") if fact.body["party"] == "X"}
        assert all(notices & set(one.facts) for one in stands)
        assert "default" not in kinds
        report = service.trades(session, "2026-03", operator="OP", at=as_of)
        own = service.trades(session, "2026-03", operator="OP", at=as_of, party="Y")
        assert [deal.agreement for deal in own.deals] == ["g2"]
        assert len(report.deals) == 3


def _charged(session: Session) -> int:
    from clearing.settlement import store as settlement

    return sum(charge.gross for month in ("2026-03", "2026-04") for _, charge in settlement.charges(session, month))
