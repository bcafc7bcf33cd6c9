"""Brokers: what a mandate allows and what not, both sides' consent, and that no agreement is signed for a principal."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from clearing.errors import BadTerms, NotSigned, UnknownFact, WrongMove
from clearing.market.broker import service, store
from clearing.market.broker.mandate import Commission, Held, Task, check_mandate, check_use, span_of
from clearing.market.demand import service as demanding
from clearing.market.demand.demand import DEMAND
from clearing.market.errors import NotEntitled
from clearing.market.negotiation import store as negotiations
from clearing.market.negotiation.message import BROKERED, Message, Side, message_of, message_statement
from clearing.market.negotiation.moves import State
from clearing.market.negotiation.service import Refusal
from ledger.errors import BadSignature, FieldError
from ledger.store import Appended
from registry.calendar import day_of, end_of
from tests.clearing.market.brokers import BRK, Broker, mandate_of
from tests.clearing.market.demands import demand_of
from tests.clearing.market.house import CONSUMER, DAY, NOW, PROVIDER, SELLER, House
from tests.clearing.market.talks import C, P, Talk, body_of_message, document_for

ID = "a" * 32
# (message, side) → task, written down again by hand from the permission table of exchange.md §1.3
SAYS = {
    ("INQUIRE", "CONSUMER"): "inquire", ("BARGAIN", "CONSUMER"): "inquire", ("WITHDRAW", "CONSUMER"): "inquire",
    ("SELECT", "CONSUMER"): "order", ("ORDER", "CONSUMER"): "order",
    ("QUOTE", "PROVIDER"): "quote", ("WITHDRAW", "PROVIDER"): "quote",
}  # fmt: skip


@pytest.fixture
def broker(house: House) -> Broker:
    return Broker(house)


def held_of(**changes: object) -> Held:
    value = mandate_of(**changes)
    return Held(ID, value, *span_of(value), 0)


def test_messages__what_a_broker_may_say__and_nothing_of_the_agreement() -> None:
    assert {(message.value, side.value): task.value for (message, side), task in BROKERED.items()} == SAYS
    agreement = {"REQUEST", "OFFER", "COUNTER", "ACCEPT", "AGREEMENT", "VERIFICATION", "FINALISE", "TERMINATE"}
    assert {message.value for message, _ in BROKERED} == {message.value for message in Message} - agreement


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"principal": BRK}, "body.broker"), ({"tasks": (Task.ORDER, Task.ORDER)}, "body.tasks"),
        ({"commission": Commission()}, "body.commission"), ({"commission": Commission(1, 1)}, "body.commission"),
        ({"first": "2026-02-30"}, "body.first"), ({"last": day_of(NOW - 2 * DAY).isoformat()}, "body.last"),
        ({"first": "2025-01-01", "last": "2025-02-01"}, "body.last"), ({"broker": "x" * 18}, "body.broker"),
    ],
)  # fmt: skip
def test_mandate__that_does_not_hold_together__names_the_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises((BadTerms, FieldError)) as refused:
        check_mandate(mandate_of(**changes), day_of(NOW))
    assert refused.value.field == field


USE = {"broker": BRK, "principal": CONSUMER, "task": Task.ORDER, "listing": ID, "other": SELLER, "against": (),
       "at": NOW}  # fmt: skip


@pytest.mark.parametrize(
    ("held", "changes"),
    [
        (held_of(), {"broker": PROVIDER}), (held_of(), {"principal": PROVIDER}), (held_of(), {"task": Task.QUOTE}),
        (held_of(listing="b" * 32), {}), (held_of(), {"at": NOW + 40 * DAY}), (held_of(), {"at": NOW - 2 * DAY}),
        (replace(held_of(), ended_at=NOW), {}), (held_of(), {"other": BRK}),
        (held_of(), {"against": (held_of(principal=SELLER, both_sides=True),)}),
        (held_of(both_sides=True), {"against": (held_of(principal=SELLER),)}),
        (held_of(both_sides=True),
         {"against": (held_of(principal=SELLER, both_sides=True), held_of(principal=SELLER))}),
    ],
)  # fmt: skip
def test_use__beyond_the_mandate__refused(held: Held, changes: dict[str, object]) -> None:
    check_use(held_of(), **USE)  # type: ignore[arg-type]
    with pytest.raises(NotEntitled):
        check_use(held, **USE | changes)  # type: ignore[arg-type]


def test_use__both_sides__both_consents_and_nothing_less() -> None:
    for own, theirs in product((False, True), repeat=2):
        against = (held_of(principal=SELLER, both_sides=theirs),)
        if own and theirs:
            check_use(held_of(both_sides=own), **USE | {"against": against})  # type: ignore[arg-type]
        else:
            with pytest.raises(NotEntitled):
                check_use(held_of(both_sides=own), **USE | {"against": against})  # type: ignore[arg-type]


def test_in_force__first_and_last_second(broker: Broker) -> None:
    held = broker.held(broker.give())
    last = end_of(day_of(NOW + 30 * DAY))
    assert [held.in_force(at) for at in (held.first_at - 1, held.first_at, last - 1, last)] == [
        False,
        True,
        True,
        False,
    ]


def test_mandate__signed_by_both_a_registered_broker_and_ended_by_either(broker: Broker) -> None:
    session = broker.house.session
    for by in ((CONSUMER,), (BRK,), (CONSUMER, SELLER), (CONSUMER, BRK, SELLER)):
        with pytest.raises(BadSignature):
            service.give(session, broker.make(by=by), at=NOW)
    for party in (CONSUMER, BRK):
        mandate = broker.give()
        with pytest.raises(NotSigned):
            broker.end(mandate, SELLER)
        broker.end(mandate, party, NOW + 5)
        assert (broker.held(mandate).in_force(NOW + 4), broker.held(mandate).in_force(NOW + 5)) == (True, False)
        with pytest.raises(WrongMove):
            broker.end(mandate, party, NOW + 9)
    with pytest.raises(BadTerms, match=r"statement\.no"):
        service.give(session, broker.make(mandate), at=NOW)
    assert len(store.mandates(session, CONSUMER)) == len(store.mandates(session, BRK)) == 2


def test_mandate__of_who_is_not_on_the_register__refused(house: House) -> None:
    stranger = Broker(house, roles="consumer")
    with pytest.raises(NotEntitled, match="broker"):
        stranger.give()


def test_broker__inquires_bargains_and_orders__then_the_principal_goes_on_itself(broker: Broker) -> None:
    house = broker.house
    mandate, talk = broker.give(), Talk(house, house.listed())
    assert isinstance(broker.say(talk, mandate, Message.INQUIRE, C), Appended)
    talk.say(Message.QUOTE, P)
    assert isinstance(broker.say(talk, mandate, Message.BARGAIN, C), Appended)
    talk.say(Message.QUOTE, P)
    for message in (Message.SELECT, Message.ORDER):
        assert isinstance(broker.say(talk, mandate, message, C), Appended)
    row = negotiations.negotiation(house.session, talk.id)
    assert (row.state, row.consumer, row.consumer_mandate, row.provider_mandate) == (
        State.ORDERED, CONSUMER, mandate, "",
    )  # fmt: skip
    assert [item.id for item in negotiations.negotiations(house.session, party=BRK)] == [talk.id]
    assert [item.id for item in negotiations.under(house.session, mandate)] == [talk.id]
    assert negotiations.negotiations(house.session, party=PROVIDER) == []
    for message, side in ((Message.OFFER, P), (Message.ACCEPT, C), (Message.AGREEMENT, P), (Message.VERIFICATION, C),
                          (Message.FINALISE, P)):  # fmt: skip
        talk.say(message, side)
    assert talk.state is State.FINALIZED


@pytest.mark.parametrize("message", Message)
@pytest.mark.parametrize("side", [C, P])
def test_message__by_a_broker__refused_as_no_message_unless_the_table_has_it(message: Message, side: Side) -> None:
    body = body_of_message(message, side, None, negotiation="b" * 64, broker=BRK, mandate=ID)
    statement = message_statement(f"negotiation:{'b' * 64}", 0, None, body, document_for(message))
    if (message.value, side.value) in SAYS:
        assert message_of(statement).sender == f"party:{BRK}"
    else:
        with pytest.raises(BadTerms, match=r"body\.broker"):
            message_of(statement)


def test_broker__without_the_task_the_time_or_the_signature__an_error_and_no_transition(broker: Broker) -> None:
    house = broker.house
    listing = house.listed()
    inquire = broker.give(tasks=(Task.INQUIRE,))
    talk = Talk(house, listing)
    broker.say(talk, inquire, Message.INQUIRE, C)
    talk.say(Message.QUOTE, P)
    refused = broker.say(talk, inquire, Message.SELECT, C)
    assert isinstance(refused, Refusal)
    assert isinstance(refused.error, NotEntitled)
    assert talk.state is State.QUOTED
    broker.end(inquire, CONSUMER, NOW)
    fresh = Talk(house, listing)
    refused = broker.say(fresh, inquire, Message.INQUIRE, C)
    assert isinstance(refused, Refusal)
    refused = broker.say(Talk(house, listing), "e" * 32, Message.INQUIRE, C)
    assert isinstance(refused, Refusal)
    assert isinstance(refused.error, UnknownFact)
    signed, parts = fresh.make(Message.INQUIRE, C, broker=BRK, mandate=broker.give())
    with pytest.raises(NotSigned):  # the side's own signature under words that name its broker
        fresh.put(signed, parts)
    with pytest.raises(BadTerms, match=r"body\.mandate"):
        fresh.put(*fresh.make(Message.INQUIRE, C, broker=BRK))


def test_broker_of_both_sides__acts_only_where_both_agreed(broker: Broker) -> None:
    house = broker.house
    listing = house.listed()
    for ours, theirs in product((False, True), repeat=2):
        mine = broker.give(both_sides=ours)
        yours = broker.give(principal=SELLER, tasks=(Task.QUOTE,), both_sides=theirs)
        said = broker.say(Talk(house, listing), mine, Message.INQUIRE, C)
        assert isinstance(said, Appended) is (ours and theirs)
        if not isinstance(said, Appended):
            assert "双方都同意" in str(said.error)
        for mandate, party in ((mine, CONSUMER), (yours, SELLER)):
            broker.end(mandate, party)


def test_broker__quotes_for_the_seller_under_its_mandate(broker: Broker) -> None:
    house = broker.house
    mandate, talk = broker.give(principal=SELLER, tasks=(Task.QUOTE,)), Talk(house, house.listed())
    talk.say(Message.INQUIRE, C)
    assert isinstance(broker.say(talk, mandate, Message.QUOTE, P), Appended)
    assert negotiations.negotiation(house.session, talk.id).provider_mandate == mandate


def test_demand__stated_by_a_broker_under_its_mandate_alone(broker: Broker) -> None:
    house = broker.house

    def state(by: str, **changes: object) -> Appended:
        value = demand_of(**changes)
        signed = house.signed(DEMAND, f"demand:{ID}", value, f"party:{by}", house.keys[by].sm2)
        return demanding.state(house.session, signed, at=NOW)

    mandate = broker.give()
    with pytest.raises(NotSigned):
        state(BRK)
    with pytest.raises(NotSigned):
        state(CONSUMER, broker=BRK, mandate=mandate)
    with pytest.raises(BadTerms, match=r"body\.mandate"):
        state(BRK, broker=BRK)
    with pytest.raises(NotEntitled):
        state(BRK, broker=BRK, mandate=broker.give(tasks=(Task.ORDER,)))
    assert not state(BRK, broker=BRK, mandate=mandate).replayed
