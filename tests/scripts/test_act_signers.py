"""Who must sign which act of an agreement: real acts through the service, both verifiers, the rules we publish."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from bundle_maker import World, encode

from api import bootstrap
from api.trust_file import REQUIRED
from clearing.market.agreement import Act, Ground, GroundKind, Role, State
from ledger import checkpoint, trust, verify
from ledger.canonical import encode as canonical
from ledger.facts import Fact, Signature
from scripts import verify_bundle as vb
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, new_keys


@dataclass
class Scene:
    """A house of the market, its acts in a log of their own, and a trust file with everybody's keys."""

    house: House
    world: World
    facts: dict[str, Fact]

    def trust(self, **changes: Any) -> dict[str, Any]:
        roles = {COURT: ["court"], OPERATOR: ["operator"]}
        document = self.world.trust()
        document["identities"] = {
            f"party:{uscc}": {"sm2": keys.sm2.public, "evm": keys.address, "roles": roles.get(uscc, [])}
            for uscc, keys in self.house.keys.items()
        }
        document["required"] = {"agreement-act/v1": list(REQUIRED["agreement-act/v1"])}
        contracts = document["chain"]["contracts"]
        contracts["AgreementRegistry"]["address"] = self.house.domain.contract
        document["chain"]["chain_id"] = self.house.domain.chain_id
        return document | changes

    def steps(self, fact: Fact, **changes: Any) -> tuple[str, str]:
        """The first failing step of (library, stand-alone) for a fact the log took in."""
        self.world.facts.append(fact)
        self.world.at = max(self.world.at, fact.at)
        note = self.world.note()
        document = self.world.bundle(len(self.world.facts) - 1, note=note)
        document["chain"]["chain_id"] = self.house.domain.chain_id
        given = canonical(self.trust(**changes))
        head, _ = checkpoint.parse(note)
        failed = verify.verify(
            encode(document), trust.read(self.trust(**changes)), head=head, rules=bootstrap.rules()
        ).failed
        own = vb.read_trust(given)
        last = vb.run(vb.Case(encode(document), own, None, vb.read_given(note.encode(), own)))[-1]
        return failed.code if failed else "", str(last["code"]) if last["ok"] is False else ""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One act of each sort: concluded by all, suspended by a court, rescinded by one party, expired by one."""
    house = House(tmp_path_factory.mktemp("acts") / "market.db")
    facts: dict[str, Fact] = {}
    listing = house.listed()
    identity, signed = house.conclude(listing=listing)
    facts["CONCLUDE"] = house.take(signed, NOW).fact
    facts["SUSPEND"] = house.take(house.by_court(identity, Act.SUSPEND, State.SUSPENDED), NOW + 1).fact
    ground = Ground(GroundKind.STATUTORY, "演示通知", secrets.token_hex(32))
    notice = house.act(identity, Act.RESCIND, State.RESCINDED, ground=ground)
    facts["RESCIND"] = house.take(house.sign(notice, house.signers()[1:2]), NOW + 2).fact
    expiring, _ = house.conclude(listing=listing)
    end = house.sign(house.act(expiring, Act.EXPIRE, State.EXPIRED), house.signers()[:1])
    facts["EXPIRE"] = house.take(end, NOW + 300 * DAY).fact
    yield Scene(house, World(at=NOW), facts)
    house.close()


@pytest.mark.parametrize("act", ["CONCLUDE", "SUSPEND", "RESCIND", "EXPIRE"])
def test_act__as_the_service_took_it__signed_by_whom_it_must(scene: Scene, act: str) -> None:
    assert scene.steps(scene.facts[act]) == ("", "")


def resigned(scene: Scene, act: str, *signers: tuple[Role, str]) -> Fact:
    """The act under other real signatures."""
    fact = scene.facts[act]
    signed = scene.house.sign(fact.statement, tuple(scene.house.signer(role, party) for role, party in signers))
    return replace(fact, signatures=signed.signatures, _cache={})


ALL = ((Role.PROVIDER, PROVIDER), (Role.CONSUMER, CONSUMER), (Role.OPERATOR, SELLER))


@pytest.mark.parametrize(
    ("act", "signers"),
    [
        ("CONCLUDE", ALL[:2]),
        ("CONCLUDE", ALL[1:]),
        ("SUSPEND", ALL),
        ("SUSPEND", ALL[:1]),
        ("SUSPEND", ((Role.AUTHORITY, COURT), ALL[0])),
        ("RESCIND", ALL),
        ("RESCIND", ALL[:2]),
        ("EXPIRE", ALL[1:]),
    ],
)
def test_act__signed_by_fewer_or_others_or_more__refused_for_its_signers(
    scene: Scene, act: str, signers: tuple[tuple[Role, str], ...]
) -> None:
    assert scene.steps(resigned(scene, act, *signers)) == ("V07", "V07")


@pytest.mark.parametrize("drop", [0, 1])
@pytest.mark.parametrize("act", ["CONCLUDE", "SUSPEND", "RESCIND"])
def test_act__one_of_the_two_algorithms_missing__refused(scene: Scene, act: str, drop: int) -> None:
    fact = scene.facts[act]
    signatures: tuple[Signature, ...] = fact.signatures[:drop] + fact.signatures[drop + 1 :]
    assert scene.steps(replace(fact, signatures=signatures, _cache={})) == ("V07", "V07")


def test_act__an_authority_without_the_role__refused(scene: Scene) -> None:
    identities = scene.trust()["identities"]
    identities[f"party:{COURT}"]["roles"] = ["operator"]
    assert scene.steps(scene.facts["SUSPEND"], identities=identities) == ("V07", "V07")


def test_act__no_rule_for_this_act__refused(scene: Scene) -> None:
    rules = {"agreement-act/v1": [rule for rule in REQUIRED["agreement-act/v1"] if "RESCIND" not in rule]}
    assert scene.steps(scene.facts["RESCIND"], required=rules) == ("V07", "V07")
    assert scene.steps(scene.facts["CONCLUDE"], required=rules) == ("", "")


def test_act__a_stranger_s_key__refused_as_unknown(scene: Scene) -> None:
    identities = scene.trust()["identities"]
    identities[f"party:{CONSUMER}"]["sm2"] = new_keys().sm2.public
    assert scene.steps(scene.facts["CONCLUDE"], identities=identities) == ("V06", "V06")
