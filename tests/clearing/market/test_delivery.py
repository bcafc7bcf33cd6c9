"""Deliveries through the service: who may say what under which agreement, and what settlement would read of them."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from sqlmodel import Session

from clearing.errors import Clash, NotSigned, TooEarly, UnknownFact, WrongMove
from clearing.market.agreement import Act as AgreementAct
from clearing.market.agreement import State as AgreementState
from clearing.market.delivery import service, store, tables
from clearing.market.delivery.act import Act, Ruling
from clearing.market.delivery.moves import Progress, State
from clearing.market.errors import NotEntitled
from clearing.market.promise import Inspection, Silence
from ledger import store as ledger
from ledger.errors import BadSignature, Conflict, Stale
from tests.clearing.market.handing import CALENDAR, Handing, digest, found, sent
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House
from tests.databases import in_memory

JUNE = NOW + 35 * DAY


def test_delivery__received_and_silent__deemed_accepted_on_reading_and_no_fact_more(house: House) -> None:
    handing = Handing(house)
    handing.deliver()
    assert handing.accepted() == [(0, 100)], "what is claimed counts nothing"
    handing.receive()
    ends = handing.reading().items[0].due.ends
    assert ends is not None
    before = ledger.count(house.session)
    assert handing.accepted(ends - 1) == [(0, 100)]
    assert handing.accepted(ends) == [(100, 100)]
    assert handing.reading(ends).progress is Progress.ACCEPTED
    assert ledger.count(house.session) == before
    assert handing.case.items[0].state is State.INSPECTION


def test_delivery__by_item__accepted_objected_delivered_again_and_decided(house: House) -> None:
    handing = Handing(house)
    handing.deliver(sent("a", 10), sent("b", 20), sent("c", 30))
    handing.receive()
    handing.say(Act.ACCEPT, items=("a",))
    handing.object_to(b=5, c=30)
    assert handing.reading().progress is Progress.DISPUTED
    assert handing.accepted() == [(25, 60)]
    handing.say(Act.CONTEST, items=("c",), text="演示")
    handing.say(Act.ADMIT, items=("b",), by="2026-06-05")
    handing.say(Act.REDELIVER, shipment=handing.shipment(sent("b", 5, 9)))
    handing.receive(NOW + DAY)
    handing.say(Act.ACCEPT, NOW + DAY, items=("b",))
    handing.say(Act.ESCALATE, NOW + DAY, items=("c",), text="演示")
    assert handing.reading().progress is Progress.DECISION
    ruled = {"rulings": (Ruling("c", 12),), "decider": COURT, "document": digest(3)}
    handing.say(Act.DECIDE, NOW + 2 * DAY, **ruled)
    assert handing.accepted(NOW + 2 * DAY) == [(42, 60)]
    assert handing.reading(NOW + 2 * DAY).progress is Progress.PARTLY
    [line] = service.accepted_quantities(house.session, handing.agreement, calendar=CALENDAR, at=NOW + 2 * DAY)
    assert (line.closed, line.quantity.rejected) == (True, 18)


def test_act__sent_again__gets_the_first_fact__and_another_one_is_refused(house: House) -> None:
    handing = Handing(house)
    first = handing.make(handing.body(Act.DELIVER, shipment=handing.shipment()))
    taken = handing.put(first)
    again = handing.put(first, NOW + 5)
    assert (again.fact.id, again.replayed) == (taken.fact.id, True)
    other = handing.make(handing.body(Act.WITHDRAW, items=("data.csv",)))
    rival = handing.make(handing.body(Act.RECEIVE, found=(found(sent()),)))
    handing.put(other)
    with pytest.raises((Conflict, Stale)):
        handing.put(rival)


def test_signature__of_the_side_that_speaks_alone(house: House) -> None:
    handing = Handing(house)
    body = handing.body(Act.DELIVER, shipment=handing.shipment())
    for by in (CONSUMER, SELLER, OPERATOR):
        with pytest.raises(NotSigned):
            handing.put(handing.make(body, by=by))
    with pytest.raises(NotSigned):
        handing.put(handing.make(body, role="CONSUMER"))
    signed = handing.make(body)
    value = signed.signatures[0].value
    forged = replace(signed.signatures[0], value=value[:-1] + ("1" if value[-1] == "0" else "0"))
    with pytest.raises(BadSignature):
        handing.put(replace(signed, signatures=(forged,)))
    with pytest.raises(NotSigned):
        handing.put(replace(signed, signatures=signed.signatures * 2))


def test_delivery__only_under_an_agreement_in_force_in_its_revision_and_by_who_hands_over(house: House) -> None:
    handing = Handing(house)
    unknown = replace(handing.body(Act.DELIVER, shipment=handing.shipment()), agreement=secrets.token_hex(32))
    with pytest.raises(UnknownFact):
        handing.put(handing.make(unknown))
    with pytest.raises(WrongMove, match="revision 1"):
        handing.deliver(revision=2)
    stranger = replace(handing.body(Act.DELIVER, shipment=handing.shipment()), provider=OPERATOR)
    with pytest.raises(NotEntitled):
        handing.put(handing.make(stranger, by=OPERATOR))
    other = replace(handing.body(Act.DELIVER, shipment=handing.shipment()), consumer=OPERATOR)
    with pytest.raises(NotEntitled):
        handing.put(handing.make(other))
    with pytest.raises(WrongMove, match="NONE"):
        handing.say(Act.RECEIVE, found=(found(sent()),))
    house.take(house.by_court(handing.agreement, AgreementAct.SUSPEND, AgreementState.SUSPENDED), NOW)
    with pytest.raises(WrongMove, match="effective"):
        handing.deliver()


def test_rectification__goes_on_after_the_agreement_stopped(house: House) -> None:
    handing = Handing(house)
    handing.deliver()
    handing.receive()
    handing.object_to(**{"data.csv": 4})
    house.take(house.by_court(handing.agreement, AgreementAct.SUSPEND, AgreementState.SUSPENDED), NOW)
    handing.say(Act.REDELIVER, shipment=handing.shipment(sent(quantity=4, number=11)))
    handing.receive()
    handing.say(Act.ACCEPT, items=("data.csv",))
    assert handing.accepted() == [(100, 100)]


def test_decision__by_the_supervisor_of_the_terms_or_else_an_authority(house: House) -> None:
    for inspection, right, wrong in ((Inspection(decider=OPERATOR), OPERATOR, COURT), (None, COURT, OPERATOR)):
        handing = Handing(house, inspection=inspection, silence=Silence.ESCALATE)
        handing.deliver()
        handing.receive()
        at = NOW + 30 * DAY
        for decider in (wrong, right):
            ruled = {"rulings": (Ruling("data.csv", 40),), "decider": decider, "document": digest(3)}
            signed = handing.make(handing.body(Act.DECIDE, **ruled), by=decider)
            if decider == right:
                handing.put(signed, at)
            else:
                with pytest.raises(NotEntitled):
                    handing.put(signed, at)
        assert handing.accepted(at) == [(40, 100)]


def test_supervisor__on_a_side_of_the_agreement__refused_at_signing(house: House) -> None:
    with pytest.raises(Exception, match=r"terms\.inspection\.decider"):
        Handing(house, inspection=Inspection(decider=PROVIDER))


def test_period__of_a_continuous_mode__delivered_once_unless_withdrawn(house: House) -> None:
    handing = Handing(house, mode="M1")
    with pytest.raises(TooEarly):
        handing.deliver(period="2026-06")
    handing.deliver(at=JUNE, period="2026-06")
    other = Handing(house, agreement=handing.agreement)
    with pytest.raises(Clash):
        other.deliver(at=JUNE, period="2026-06")
    handing.say(Act.WITHDRAW, JUNE, items=("data.csv",))
    assert handing.reading(JUNE).progress is Progress.WITHDRAWN
    other.deliver(at=JUNE, period="2026-06")
    other.receive(JUNE)
    lines = service.accepted_quantities(
        house.session, handing.agreement, calendar=CALENDAR, at=JUNE + 30 * DAY, period="2026-06"
    )
    assert [(line.delivery, line.quantity.accepted) for line in lines] == [(other.id, 100)]


def test_withdrawal__of_a_second_delivery__refused_so_that_nothing_accepted_is_lost(house: House) -> None:
    handing = Handing(house)
    handing.deliver()
    handing.receive()
    handing.object_to(**{"data.csv": 4})
    handing.say(Act.REDELIVER, shipment=handing.shipment(sent(quantity=4, number=11)))
    with pytest.raises(Exception, match=r"body\.items"):
        handing.say(Act.WITHDRAW, items=("data.csv",))


def test_views__made_again_from_the_facts__are_the_same(house: House) -> None:
    handing = Handing(house, silence=Silence.REJECT)
    handing.deliver(sent("a", 10), sent("b", 20))
    handing.receive()
    handing.say(Act.ADMIT, NOW + 30 * DAY, items=("a", "b"))
    handing.say(Act.REDELIVER, NOW + 30 * DAY, shipment=handing.shipment(sent("a", 10), sent("b", 20)))
    engine = in_memory()
    with Session(engine) as scratch:
        for fact in ledger.all_facts(house.session):
            if fact.kind in store.PROJECTORS:
                store.PROJECTORS[fact.kind](scratch, fact)
        for table in (tables.delivery, tables.act):
            ours = house.session.execute(table.select().order_by(*table.primary_key)).all()
            assert ours == scratch.execute(table.select().order_by(*table.primary_key)).all()
            assert ours
    engine.dispose()
