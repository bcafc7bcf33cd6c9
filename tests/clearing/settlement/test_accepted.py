"""What was accepted is what is billed: every unit once, in the period it was accepted in, and nothing that was claimed.

The oracle adds up the acts (`summed`); prices are worked out beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from clearing.errors import BadTerms
from clearing.market import service as market
from clearing.market.agreement import Act as AgreementAct
from clearing.market.agreement import Role, TermsParty
from clearing.market.agreement import State as AgreementState
from clearing.market.delivery import service as delivering
from clearing.market.delivery.accepting import Acceptance, Told, acceptances
from clearing.market.delivery.act import Act, Objection, Reason, Ruling
from clearing.market.promise import Silence
from clearing.settlement import service, store, tables, tracing
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import cycle_id
from clearing.settlement.statement import Line
from clearing.terms import DAY, LATEST, AgreementTerms, BillingBasis, Period, month
from clearing.usage.store import metered_uses
from ledger import canonical, log
from ledger.reading import body_of
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.market.accepting_cases import TERMS, UNIT, inspection_over, summed, told
from tests.clearing.market.handing import CALENDAR, Handing, digest, sent
from tests.clearing.market.house import CONSUMER, COURT, OPERATOR, PROVIDER, SELLER, House
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.disputing import office_of
from tests.clearing.settlement.market import OFFICE, database
from tests.counts import few
from tests.databases import Place

MONTHS = [month(f"2026-{number:02d}") for number in range(5, 11)]
ITEM = AgreementTerms(
    "g", 0, terms("X", replace(per_call(), unit=UNIT), plan(ratio(A=5, B=3, C=2))), billing=BillingBasis.ACCEPTED
)
Story = tuple[Silence, list[list[Told]]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    silence = draw(st.sampled_from([Silence.ACCEPT, Silence.ACCEPT, Silence.ACCEPT, Silence.REJECT]))
    return silence, [draw(told(silence, f"d{number}")) for number in range(draw(st.integers(1, 3)))]


class Log:
    """The acts of a story in the order of time; the first so many are in the log."""

    def __init__(self, story: Story) -> None:
        self.silence, self.deliveries = story
        self.order = sorted((act.at, act.fact) for acts in self.deliveries for act in acts)

    def known(self, mark: int) -> list[list[Told]]:
        names = {fact for _, fact in self.order[:mark]}
        return [[act for act in acts if act.fact in names] for acts in self.deliveries]

    def accepted(self, session: Session, item: AgreementTerms, mark: int) -> Iterator[Acceptance]:
        for number, acts in enumerate(self.known(mark)):
            yield from acceptances(f"d{number}", acts, TERMS[self.silence], CALENDAR)

    def expected(self, mark: int, period: Period) -> int:
        """Units accepted in a period, as so many acts say."""
        counted = [one for acts in self.known(mark) for one in summed(acts, self.silence)]
        return sum(quantity for _, at, quantity in counted if at in period)

    def rate(self, session: Session, period: Period, mark: int) -> None:
        at = period.end + DAY
        cycle = service.open_cycle(session, OFFICE, operator="OP", period=period, grace=DAY, at=period.start).cycle
        service.cut_off(session, OFFICE, cycle=cycle, high_water=mark, at=at)
        service.rate(
            session, OFFICE, cycle=cycle, agreements=[ITEM], uses=lambda *_: (), at=at, earlier=[ITEM],
            accepted=self.accepted,
        )  # fmt: skip

    def audit(self, session: Session, period: Period, **changes: Any) -> list[Finding]:
        given_: dict[str, Any] = {"accepted": self.accepted} | changes
        return service.audit(
            session, cycle=cycle_id("OP", period.name), agreements=[ITEM], uses=lambda *_: (), earlier=[ITEM], **given_
        )


@settings(deadline=None, max_examples=few(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), lags=st.lists(st.sampled_from([0, 0, DAY, 12 * DAY, 40 * DAY]), min_size=5, max_size=5))
def test_any_deliveries__every_accepted_unit_is_billed_once_and_nothing_else(
    place: Place, story: Story, lags: Sequence[int]
) -> None:
    """`lags`: how far the log is behind at each cut-off; at the last one it holds everything."""
    told_, marks = Log(story), []
    with database(place) as session:
        for number, (period, lag) in enumerate(zip(MONTHS, [*lags, 0], strict=True)):
            taken = sum(at < period.end + DAY - lag for at, _ in told_.order)
            marks.append(max([taken, *marks[-1:]]) if period is not MONTHS[-1] else len(told_.order))
            told_.rate(session, period, marks[-1])
            assert told_.audit(session, period) == []
            charges = [body for one in MONTHS[: number + 1] for _, body in store.charges(session, one.name)]
            for past in MONTHS[: number + 1]:
                due = told_.expected(marks[-1], past)
                own = [body for body in charges if body.period == past.name]
                assert sum(body.quantity for body in own) == due
                assert sum(body.gross for body in own) == (35 * due + 5) // 10  # 3.5 fen, half up
        last = {body.period: body for _, body in store.last_readings(session, "g", 0, "2027-01")}
        counted = [one for body in last.values() for one in body.accepted or ()]
        assert len({(one.delivery, one.item, one.fact) for one in counted}) == len(counted)
        found = Counter({(one.delivery, one.item): 0 for one in counted})
        for one in counted:
            found[one.delivery, one.item] += one.quantity
        wanted: Counter[tuple[str, str]] = Counter()
        for number, acts in enumerate(told_.deliveries):
            for item, at, quantity in summed(acts, told_.silence):
                if at < MONTHS[-1].end:
                    wanted[f"d{number}", item] += quantity
        assert found == wanted


def _accepted(*, without: str = "", more: int = 0) -> Any:
    """Two reports accepted in June, seven units; one act left out, or one more than there was."""
    whole = [
        Acceptance("d0", "a", 3, MONTHS[1].start + 5, "fact-a"),
        Acceptance("d0", "b", 4, MONTHS[1].start + 9, "fact-b", True),
    ]
    made = [Acceptance("d0", "c", more, MONTHS[1].start + 11, "fact-c")] if more else []
    return lambda *_: [one for one in whole if one.fact != without] + made


def test_audit__a_changed_a_left_out_and_an_invented_acceptance__are_named(session: Session) -> None:
    june, told_ = MONTHS[1], Log((Silence.ACCEPT, []))
    told_.accepted = _accepted()  # type: ignore[method-assign]
    told_.rate(session, june, 10)
    [(name, reading)] = store.readings(session, june.name)
    assert (reading.quantity, reading.counted, reading.unit, reading.high_water) == (7, 2, UNIT, 10)
    assert told_.audit(session, june) == []
    for evidence in (_accepted(without="fact-b"), _accepted(more=2)):
        fields = {finding.field for finding in told_.audit(session, june, accepted=evidence)}
        assert {"accepted", "quantity", "gross"} <= fields
    kept = reading.accepted or ()
    for wrong in (
        replace(reading, quantity=8),
        replace(reading, accepted=(replace(kept[0], quantity=4), kept[1])),
        replace(reading, accepted=kept[:1]),
        replace(reading, accepted=(*kept, Acceptance("d0", "c", 1, june.start + 11, "fact-c"))),
        replace(reading, accepted=None),
    ):
        with session.begin_nested() as point:
            document = canonical.encode(body_of(wrong)).decode()
            session.execute(update(tables.reading).where(tables.reading.c.fact_id == name).values(document=document))
            assert any(finding.row.startswith("reading g#0") for finding in told_.audit(session, june))
            point.rollback()


def test_rate__nobody_says_what_was_accepted__refused_instead_of_billing_nothing(session: Session) -> None:
    june = MONTHS[1]
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=june, grace=DAY, at=june.start).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=0, at=june.end + DAY)
    with pytest.raises(BadTerms, match="billing"):
        service.rate(session, OFFICE, cycle=cycle, agreements=[ITEM], uses=lambda *_: (), at=june.end + DAY)


def test_rate__beside_agreements_of_use__each_by_its_own_evidence(session: Session) -> None:
    told_, used = Log((Silence.ACCEPT, [])), demo.Market()
    told_.accepted = _accepted()  # type: ignore[method-assign]
    used.call(MONTHS[1], g1=10, g=99)
    items = [*demo.AGREEMENTS[:1], ITEM]
    cycle = service.open_cycle(session, OFFICE, operator="OP", period=MONTHS[1], grace=DAY, at=0).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=10, at=MONTHS[1].end + DAY)
    given_: dict[str, Any] = {"agreements": items, "uses": used.of, "accepted": told_.accepted, "earlier": items}
    service.rate(session, OFFICE, cycle=cycle, at=MONTHS[1].end + DAY, **given_)
    found = {body.agreement: body for _, body in store.readings(session, MONTHS[1].name)}
    assert {name: body.quantity for name, body in found.items()} == {"g": 7, "g1": 10}
    assert "accepted" not in body_of(found["g1"]), "what is read from records keeps its bytes"
    assert service.audit(session, cycle=cycle, **given_) == []


# Through the market and the log ---------------------------------------------------------------------------------------

JUNE, JULY, AUGUST, OCTOBER = MONTHS[1], MONTHS[2], MONTHS[3], MONTHS[5]


class Project:
    """An agreement billed by acceptance, 3.5 fen an item, whose cycles read the house's own facts and log."""

    def __init__(self, house: House) -> None:
        parties = (
            TermsParty(PROVIDER, Role.PROVIDER), TermsParty(CONSUMER, Role.CONSUMER), TermsParty(SELLER, Role.OPERATOR),
        )  # fmt: skip
        delivery = TERMS[Silence.ACCEPT].delivery
        self.house, self.session, self.office = house, house.session, office_of(house)
        self.agreement, _ = house.conclude(
            billing=BillingBasis.ACCEPTED, unit=UNIT, parties=parties, delivery=delivery, limit=1
        )  # fmt: skip

    def hand(self, at: int, **amounts: int) -> Handing:
        """Something delivered, and received in the same second."""
        handing = Handing(self.house, agreement=self.agreement)
        handing.deliver(*(sent(name, amount, unit=UNIT) for name, amount in amounts.items()), at=at)
        handing.receive(at)
        return handing

    def seal(self) -> int:
        while log.integrate(self.session):
            pass
        return log.size(self.session)

    def cycle(self, period: Period, mark: int | None = None) -> list[tuple[str, int, int]]:
        """Cut off and rated at a mark, by default with everything in the log, and audited clean; (period, units, fen)
        of each charge it posted that is of something."""
        at = period.end + DAY
        cycle = service.open_cycle(
            self.session, self.office, operator=OPERATOR, period=period, grace=DAY, at=period.start
        ).cycle
        mark = self.seal() if mark is None else mark
        service.cut_off(self.session, self.office, cycle=cycle, high_water=mark, at=at)
        service.rate(self.session, self.office, cycle=cycle, at=at, **self.evidence(period))
        assert self.audit(period) == []
        charges = [body for _, body in store.charges(self.session, period.name)]
        return sorted((body.period, body.quantity, body.gross) for body in charges if body.quantity)

    def evidence(self, period: Period) -> dict[str, Any]:
        return {
            "agreements": delivering.settling(self.session, period.start, period.end),
            "earlier": delivering.settling(self.session, period.start - LATEST, period.start),
            "uses": metered_uses, "served": market.served, "accepted": delivering.accepted_under,
        }  # fmt: skip

    def audit(self, period: Period) -> list[Finding]:
        return service.audit(self.session, cycle=cycle_id(OPERATOR, period.name), **self.evidence(period))


@pytest.fixture
def project(place: Place) -> Iterator[Project]:
    house = House(place.engine())
    yield Project(house)
    house.close()


def test_project__accepted_in_part_decided_and_deemed__billed_month_by_month_and_traced(project: Project) -> None:
    """June: 6 by act and 2 beside an objection; July: 1 of 3 by decision and 5 by silence; 30 are only claimed."""
    at = JUNE.start + DAY
    first = project.hand(at, a=6, b=5, c=30)
    first.say(Act.ACCEPT, at + DAY, items=("a",))
    first.object_to(at + DAY, b=3, c=30)
    assert project.cycle(JUNE) == [("2026-06", 8, 28)]
    first.say(Act.ESCALATE, JULY.start, items=("b", "c"), text="演示")
    first.say(Act.DECIDE, JULY.start + DAY, rulings=(Ruling("b", 1),), decider=COURT, document=digest(3))
    project.hand(JULY.start, d=5)
    assert project.cycle(JULY) == [("2026-07", 6, 21)]
    [(name, reading)] = store.readings(project.session, "2026-07")
    kept = reading.accepted or ()
    assert [(one.item, one.quantity, one.deemed) for one in kept] == [("b", 1, False), ("d", 5, True)]
    assert kept[1].at == inspection_over(JULY.start)
    [charge] = [name_ for name_, body in store.charges(project.session, "2026-07") if body.reading == name]
    line = Line("演示", 0, CONSUMER, "charge", charge, "", project.agreement, "2026-07", 21, 0)
    steps = tracing.trace(project.session, line).steps
    assert [step.fact.id for step in steps if step.what is tracing.What.ACCEPTANCE] == [one.fact for one in kept]


def test_project__what_silence_accepted_is_objected_to_later__taken_back_and_billed_again_when_decided(
    project: Project,
) -> None:
    """5 in June; 2 of them objected to in July, so June is charged for 3; 1 of the 2 is granted in August."""
    handing = project.hand(JUNE.start + DAY, a=5)
    assert project.cycle(JUNE) == [("2026-06", 5, 18)]
    objections = (Objection("a", 2, Reason.QUALITY, "演示"),)
    handing.say(Act.LATE, JULY.start + DAY, objections=objections, evidence=(digest(1),), text="供方明知（演示）")
    assert project.cycle(JULY) == [("2026-06", -5, -18), ("2026-06", 3, 11)]
    handing.say(Act.ESCALATE, AUGUST.start, items=("a",), text="演示")
    handing.say(Act.DECIDE, AUGUST.start, rulings=(Ruling("a", 1),), decider=COURT, document=digest(3))
    assert project.cycle(AUGUST) == [("2026-08", 1, 4)]
    assert [project.audit(period) for period in (JUNE, JULY, AUGUST)] == [[], [], []]


def test_project__accepted_in_time_and_not_in_the_log_at_the_cut_off__billed_once_by_the_next_cycle(
    project: Project,
) -> None:
    handing = project.hand(JUNE.start + DAY, a=5)
    mark = project.seal()
    handing.say(Act.ACCEPT, JUNE.start + 2 * DAY, items=("a",))
    # Without the act the inspection ends in silence, in June too: the same units, so nothing is charged anew.
    assert project.cycle(JUNE, mark) == [("2026-06", 5, 18)]
    assert project.cycle(JULY) == []
    late = project.hand(AUGUST.end - DAY, b=4)
    mark = project.seal()
    late.say(Act.ACCEPT, AUGUST.end - 1, items=("b",))
    assert project.cycle(AUGUST, mark) == []
    assert project.cycle(MONTHS[4]) == [("2026-08", 4, 14)]


def test_project__accepted_after_the_agreement_was_completed__billed_all_the_same(project: Project) -> None:
    handing = project.hand(JUNE.start + DAY, a=5)
    handing.object_to(JUNE.start + 2 * DAY, a=5)
    done = project.house.act(project.agreement, AgreementAct.COMPLETE, AgreementState.COMPLETED)
    project.house.take(project.house.sign(done), JUNE.start + 3 * DAY)
    assert project.cycle(JUNE) == []
    handing.say(Act.ACCEPT, AUGUST.start + DAY, items=("a",))
    assert market.agreement_terms(project.session, AUGUST.start, AUGUST.end) == []
    assert project.cycle(AUGUST) == [("2026-08", 5, 18)]
    assert delivering.settling(project.session, OCTOBER.start, OCTOBER.end) == []
    [item] = delivering.settling(project.session, AUGUST.start, AUGUST.end)
    assert (item.agreement, item.billing, item.limit) == (project.agreement, BillingBasis.ACCEPTED, None)
