"""Who must sign which act of a delivery: real acts through the service, both verifiers, our rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bundle_maker import World
from test_act_signers import Scene

from api.trust_file import REQUIRED
from clearing.market.delivery.act import DELIVERY_ACT, Act, Ruling
from clearing.market.promise import Silence
from ledger.facts import Fact
from ledger.signing import sign_sm2
from tests.clearing.market.handing import Handing, digest
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House

RULES = {DELIVERY_ACT: list(REQUIRED[DELIVERY_ACT])}


@pytest.fixture
def handing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handing]:
    house = House(tmp_path_factory.mktemp("deliveries") / "market.db")
    yield Handing(house, silence=Silence.ESCALATE)
    house.close()


def steps(handing: Handing, fact: Fact) -> tuple[str, str]:
    return Scene(handing.house, World(at=NOW), {}).steps(fact, required=RULES)


def test_act__by_the_side_that_speaks__both_verifiers_pass__by_any_other_v07(handing: Handing) -> None:
    ruled = {"rulings": (Ruling("data.csv", 40),), "decider": COURT, "document": digest(3)}
    facts = [handing.deliver().fact, handing.receive().fact, handing.say(Act.DECIDE, NOW + 30 * DAY, **ruled).fact]
    for fact, right in zip(facts, (PROVIDER, CONSUMER, COURT), strict=True):
        assert steps(handing, fact) == ("", "")
        for other in {PROVIDER, CONSUMER, COURT, SELLER, OPERATOR} - {right}:
            key = handing.house.keys[other].sm2
            signature = sign_sm2(key, fact.statement, by=f"party:{other}", role=fact.body["side"])
            assert steps(handing, replace(fact, signatures=(signature,), _cache={})) == ("V07", "V07")


def test_act__of_no_known_side__v07(handing: Handing) -> None:
    fact = handing.deliver().fact
    statement = replace(fact.statement, body={**fact.body, "side": "BROKER"})
    signature = sign_sm2(handing.house.keys[PROVIDER].sm2, statement, by=f"party:{PROVIDER}", role="PROVIDER")
    assert steps(handing, Fact(statement, (signature,), NOW, "0" * 64)) == ("V07", "V07")
