"""Who must sign which message of a negotiation: real messages through the service, both verifiers, our rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bundle_maker import World
from test_act_signers import Scene

from api.trust_file import REQUIRED
from clearing.market.negotiation import service
from clearing.market.negotiation.message import NEGOTIATION_MESSAGE, Message, NegotiationMessage, Wish
from clearing.market.negotiation.moves import State
from ledger.facts import Fact
from ledger.store import Appended
from registry.asset import Twin
from tests.clearing.market.house import CONSUMER, DOMAIN, NOW, SELLER, House
from tests.clearing.market.talks import UNTIL, C, P, Talk

RULES = {NEGOTIATION_MESSAGE: list(REQUIRED[NEGOTIATION_MESSAGE])}


@pytest.fixture
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    house = House(tmp_path_factory.mktemp("talks") / "market.db")
    yield Talk(house, house.listed())
    house.close()


def steps(talk: Talk, fact: Fact) -> tuple[str, str]:
    return Scene(talk.house, World(at=NOW), {}).steps(fact, required=RULES)


def test_message__by_the_side_that_speaks__both_verifiers_pass(talk: Talk) -> None:
    request = talk.say(Message.REQUEST, C).fact
    answer = talk.say(Message.AGREEMENT, P).fact
    assert [steps(talk, fact) for fact in (request, answer)] == [("", ""), ("", "")]


def test_message__signed_by_the_other_side_for_it__v07(talk: Talk) -> None:
    """The seller's own signature under words that name the consumer as the one who speaks, and the reverse."""
    for side, message, other in ((C, Message.REQUEST, P), (P, Message.OFFER, C)):
        fresh = Talk(talk.house, talk.listing)
        signed, _ = fresh.make(message, side)
        false = fresh.sign(signed.statement, other)
        fact = Fact(false.statement, false.signatures, NOW, "0" * 64)
        assert steps(talk, fact) == ("V07", "V07")


def test_message__of_neither_side_or_none__v07(talk: Talk) -> None:
    signed, _ = talk.make(Message.REQUEST, C)
    for body in ({**signed.statement.body, "side": "BROKER"},
                 {name: value for name, value in signed.statement.body.items() if name != "consumer"}):  # fmt: skip
        false = talk.sign(replace(signed.statement, body=body), C)
        assert steps(talk, Fact(false.statement, false.signatures, NOW, "0" * 64)) == ("V07", "V07")


def test_relayed__what_the_operator_states_proves_nothing_against_the_consumer(talk: Talk) -> None:
    policy = talk.house.terms(talk.listing).policy
    body = NegotiationMessage(
        Message.REQUEST, C, CONSUMER, SELLER, talk.listing, valid_until=UNTIL, relayed=Twin("5" * 64, "6" * 64)
    )
    wish = Wish(policy, "8" * 64)
    taken = service.relay(talk.house.session, talk.id, body, wish, signer=talk.house.operator, domain=DOMAIN, at=NOW)
    assert isinstance(taken, Appended)
    assert talk.state is State.REQUESTED
    assert steps(talk, taken.fact) == ("V07", "V07")
