"""Complaints: the table, the evidence that nobody may thin out, and that the other side sees the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product

import pytest

from clearing.errors import BadTerms, ClearingError, NotSigned, UnknownFact, WrongMove
from clearing.market.errors import NotEntitled
from clearing.settlement.dispute import service, store
from clearing.settlement.dispute.opening import (
    DISPUTE_ACT,
    Act,
    Complaint,
    Dispute,
    DisputeAct,
    Evidence,
    Side,
    State,
    Topic,
    act_of,
    decide,
)
from ledger import signing
from ledger import store as ledger
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.asset import Twin
from tests.clearing.market.handing import Handing
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House
from tests.clearing.settlement.disputing import office_of
from tests.clearing.usage.batches import Line, admit, line_of
from tests.databases import Place

SPEC = """
– OPEN F OPEN | OPEN ANSWER R ANSWERED | OPEN MEDIATE FR MEDIATION | ANSWERED MEDIATE FR MEDIATION
OPEN OFFER FR OPEN | ANSWERED OFFER FR ANSWERED | MEDIATION OFFER FR MEDIATION | OUTSIDE OFFER FR OUTSIDE
MEDIATION PROPOSE M MEDIATION
OPEN LEAVE FR OUTSIDE | ANSWERED LEAVE FR OUTSIDE | MEDIATION LEAVE FR OUTSIDE
OPEN WITHDRAW F WITHDRAWN | ANSWERED WITHDRAW F WITHDRAWN | MEDIATION WITHDRAW F WITHDRAWN
OUTSIDE WITHDRAW F WITHDRAWN
OPEN DECIDE O DECIDED | ANSWERED DECIDE O DECIDED | MEDIATION DECIDE O DECIDED | OUTSIDE DECIDE O DECIDED
"""
"""exchange.md §5.8: 提交 (可撤销), the other side's answer; clearing §9: 协商 → 平台调解 → 外部管辖. ACCEPT is apart:
it needs something on the table."""
TWIN = Twin("1" * 64, "2" * 64)
COMPLAINT = Complaint(Topic.DELIVERY, "少行", "重新交付", (Evidence("3" * 64, TWIN),), "4" * 32)


def body_for(act: Act, side: Side, **changes: object) -> DisputeAct:
    complaint = COMPLAINT if act is Act.OPEN else None
    text = "数量无误" if act in (Act.ANSWER, Act.OFFER, Act.PROPOSE) else None
    return replace(DisputeAct(act, side, "a" * 64, CONSUMER, PROVIDER, complaint, text), **changes)


def test_table__every_state_act_and_side__as_the_text_says() -> None:
    sides = {"F": Side.FILER, "R": Side.RESPONDENT, "M": Side.MEDIATOR, "O": Side.OPERATOR}
    rows = [row.split() for line in SPEC.strip().splitlines() for row in line.split("|")]
    allowed = {
        (State.NONE if start == "–" else State(start), Act(act), sides[side]): State(target)
        for start, act, who, target in rows
        for side in who
    }
    for state, act, side in product(State, Act, Side):
        stands = None if state is State.NONE else Dispute("a" * 64, CONSUMER, PROVIDER, COMPLAINT, state, NOW, NOW)
        target: State | None = None
        with suppress(WrongMove):
            target = decide(stands, body_for(act, side), NOW).state
        assert target == allowed.get((state, act, side)), (state, act, side)


class Court:
    """A delivery and an agreement with records, and whoever complains about either."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.handing = Handing(house)
        self.handing.deliver()
        self.handing.receive()
        self.line: Line = line_of(house)
        admit(house, self.line.more(3), NOW + 60)
        admit(house, self.line.more(1, occurred_at=NOW + 3 * DAY), NOW + 4 * DAY)

    def evidence(self, topic: Topic = Topic.DELIVERY, end: int = NOW + DAY) -> tuple[Evidence, ...]:
        agreement = self.handing.agreement if topic is Topic.DELIVERY else self.line.agreement
        facts = service.evidence_of(
            self.house.session, agreement, topic, delivery=self.handing.id, start=NOW, end=end
        )  # fmt: skip
        return tuple(service.entry_of(fact) for fact in facts)

    def complaint(self, topic: Topic = Topic.DELIVERY, evidence: tuple[Evidence, ...] = ()) -> Complaint:
        given = evidence or self.evidence(topic)
        if topic is Topic.DELIVERY:
            return Complaint(topic, "少行", "重新交付", given, self.handing.id)
        return Complaint(topic, "多计", "退款", given, start=NOW, end=NOW + DAY)

    def say(
        self, act: Act, side: Side, identity: str = "d" * 32, complaint: Complaint | None = None, by: str = "",
        **changes: object,
    ) -> Appended:  # fmt: skip
        use = complaint is not None and complaint.topic is Topic.USE
        agreement = self.line.agreement if use else self.handing.agreement
        body = body_for(act, side, agreement=agreement, complaint=complaint, **changes)
        by = by or (body.filer if side is Side.FILER else body.respondent)
        subject = f"dispute:{identity}"
        statement = Statement(DISPUTE_ACT, subject, *ledger.next_of(self.house.session, subject), body_of(body))
        signature = signing.sign_sm2(self.house.keys[by].sm2, statement, by=f"party:{by}", role=side.value)
        office = office_of(self.house)
        return service.take(
            self.house.session, Signed(statement, (signature,)), office, operator=OPERATOR, at=NOW + 5 * DAY
        )


@pytest.fixture
def court(place: Place) -> Iterator[Court]:
    house = House(place.engine())
    yield Court(house)
    house.close()


def test_complaint__about_a_delivery__with_every_act_of_it(court: Court) -> None:
    evidence = court.evidence()
    facts = [ledger.fact(court.house.session, item.fact) for item in evidence]
    assert [fact.kind for fact in facts] == ["agreement-act/v1", "delivery-act/v1", "delivery-act/v1"]
    assert [Twin.of(fact.digest()) for fact in facts] == [item.digest for item in evidence]
    court.say(Act.OPEN, Side.FILER, complaint=court.complaint())
    court.say(Act.ANSWER, Side.RESPONDENT)
    [row] = store.disputes(court.house.session, PROVIDER)
    assert (row.case.state, row.case.filer) == (State.ANSWERED, CONSUMER)
    assert [fact.id for fact in service.listed(court.house.session, row.case.complaint)] == [f.id for f in facts]
    court.say(Act.WITHDRAW, Side.FILER)
    assert store.dispute(court.house.session, "d" * 32).case.state is State.WITHDRAWN


def test_complaint__about_use__with_the_batches_of_its_time_alone(court: Court) -> None:
    def kinds(end: int) -> list[str]:
        return [ledger.fact(court.house.session, e.fact).kind for e in court.evidence(Topic.USE, end)]

    assert kinds(NOW + DAY) == ["agreement-act/v1", "usage-batch/v1"]
    assert kinds(NOW + 5 * DAY) == ["agreement-act/v1", "usage-batch/v1", "usage-batch/v1"]
    court.say(Act.OPEN, Side.FILER, complaint=court.complaint(Topic.USE))
    assert len(store.disputes(court.house.session, CONSUMER)) == 1


@pytest.mark.parametrize("topic", [Topic.DELIVERY, Topic.USE])
def test_evidence__one_left_out__refused_whichever_it_is(court: Court, topic: Topic) -> None:
    whole = court.evidence(topic)
    for place in range(len(whole)):
        thinned = (*whole[:place], *whole[place + 1 :])
        with pytest.raises(BadTerms, match="left out"):
            court.say(Act.OPEN, Side.FILER, complaint=court.complaint(topic, thinned))


def test_evidence__taken_in_after_the_list_was_made__is_asked_for(court: Court) -> None:
    stale = court.complaint()
    court.handing.object_to(**{"data.csv": 3})
    with pytest.raises(BadTerms, match="left out"):
        court.say(Act.OPEN, Side.FILER, complaint=stale)
    court.say(Act.OPEN, Side.FILER, complaint=court.complaint())


def test_evidence__with_another_digest_or_of_another_agreement_or_unknown__refused(court: Court) -> None:
    whole = court.evidence()
    false = (replace(whole[0], digest=TWIN), *whole[1:])
    foreign = (*whole, court.evidence(Topic.USE)[0])
    unknown = (*whole, Evidence("0" * 64, TWIN))
    for evidence, field in ((false, "digest"), (foreign, r"evidence\[3\]"), (unknown, r"evidence\[3\].fact")):
        with pytest.raises(BadTerms, match=field):
            court.say(Act.OPEN, Side.FILER, complaint=court.complaint(evidence=evidence))


def test_signer__the_side_alone_and_both_are_parties(court: Court) -> None:
    complaint = court.complaint()
    with pytest.raises(NotSigned):
        court.say(Act.OPEN, Side.FILER, complaint=complaint, by=PROVIDER)
    for changes in ({"filer": COURT}, {"respondent": COURT}):
        with pytest.raises(NotEntitled):
            court.say(Act.OPEN, Side.FILER, complaint=complaint, **changes)
    court.say(Act.OPEN, Side.FILER, complaint=complaint)
    with pytest.raises(NotEntitled):
        court.say(Act.ANSWER, Side.RESPONDENT, respondent=SELLER)
    with pytest.raises(UnknownFact):
        service.evidence_of(court.house.session, "0" * 64, Topic.DELIVERY, delivery=court.handing.id)
    with pytest.raises(BadTerms):
        service.evidence_of(court.house.session, court.line.agreement, Topic.DELIVERY, delivery=court.handing.id)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (body_for(Act.OPEN, Side.FILER, complaint=None), "complaint"),
        (body_for(Act.ANSWER, Side.RESPONDENT, complaint=COMPLAINT), "complaint"),
        (body_for(Act.ANSWER, Side.RESPONDENT, text=None), "text"),
        (body_for(Act.OPEN, Side.FILER, respondent=CONSUMER), "respondent"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, delivery=None)), "delivery"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, start=1)), "start"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, topic=Topic.USE)), "delivery"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, topic=Topic.USE, delivery=None, start=2, end=2)),
         "end"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, evidence=COMPLAINT.evidence * 2)), "evidence"),
        (body_for(Act.OPEN, Side.FILER, complaint=replace(COMPLAINT, evidence=())), "evidence"),
    ],
)  # fmt: skip
def test_act__not_of_its_sort__names_the_field(body: DisputeAct, field: str) -> None:
    statement = Statement(DISPUTE_ACT, f"dispute:{secrets.token_hex(16)}", 0, None, body_of(body))
    with pytest.raises((ClearingError, FieldError), match=field):
        act_of(statement)
