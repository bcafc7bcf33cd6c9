"""Agreement acts on a real EVM node: the parties' own signatures pass the contract, once, in order."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.market.agreement import AGREEMENT_ACT, STATE_CODES, Act, Domain, Ground, GroundKind, State
from clearing.market.onchain import AgreementFace
from ledger import eip712
from ledger.anchoring import write_facts
from ledger.chain import Deployment
from ledger.errors import ChainError
from ledger.facts import EIP712, Fact, Signed
from ledger.store import facts_of_kind
from ledger.web3_chain import Web3Chain
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all
from tests.chain_fixture import anvil
from tests.clearing.market.house import COURT, NOW, House

RELAY = eip712.new_key()
MEMBERS = tuple(eip712.new_key() for _ in range(3))
FACE = AgreementFace()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Web3Chain]]:
    with anvil(timestamp=NOW) as url:
        house = House(Path(tmp_path_factory.mktemp("chain")) / "market.db")
        council = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
        parties = Parties(
            log_key=eip712.address_of(RELAY), authorities=(eip712.to_checksum(house.keys[COURT].address),)
        )
        deployment = deploy_all(Web3Chain(url, Deployment(31337, {}, ARTIFACTS), RELAY), council, parties)
        house.domain = Domain(31337, deployment.addresses["AgreementRegistry"].lower())
        yield house, Web3Chain(url, deployment, RELAY)
        house.close()


def take(house: House, signed: Signed, at: int) -> Fact:
    return house.take(signed, at).fact


@pytest.mark.chain
def test_submit__the_life_of_an_agreement__every_act_once_and_in_order(scene: tuple[House, Web3Chain]):
    house, chain = scene
    listing = house.listed()
    identity, _ = house.conclude(listing=listing)
    amended = house.act(identity, Act.AMEND, State.EFFECTIVE, terms=house.terms(listing, limit=9))
    take(house, house.sign(amended), NOW + 1)
    take(house, house.by_court(identity, Act.SUSPEND, State.SUSPENDED), NOW + 2)
    ground = Ground(GroundKind.STATUTORY, "演示通知", secrets.token_hex(32))
    notice = house.act(identity, Act.RESCIND, State.RESCINDED, ground=ground)
    take(house, house.sign(notice, house.signers()[1:2]), NOW + 3)
    facts = facts_of_kind(house.session, AGREEMENT_ACT)
    assert len(facts) == 4
    assert not FACE.done(chain, facts[0])
    for fact in facts:
        assert set(write_facts(chain, FACE, [fact])) == {fact.id}
    assert all(FACE.done(chain, fact) for fact in facts)
    stored = chain.read("AgreementRegistry", "agreement", bytes.fromhex(identity))
    assert (stored["state"], stored["revision"]) == (STATE_CODES[State.RESCINDED], 2)
    head = chain.head().number
    for fact in facts:
        assert set(write_facts(chain, FACE, [fact])) == {fact.id}
    assert chain.head().number == head
    keys = [FACE.event_key(event.args) for event in chain.events("AgreementRegistry", FACE.event)]
    assert keys == [FACE.fact_key(fact) for fact in facts]


@pytest.mark.chain
def test_done__another_act_stands_in_its_place__says_so(scene: tuple[House, Web3Chain]):
    house, chain = scene
    identity, _ = house.conclude()
    first = facts_of_kind(house.session, AGREEMENT_ACT)[-1]
    write_facts(chain, FACE, [first])
    ends = [
        house.sign(house.act(identity, act, target))
        for act, target in ((Act.TERMINATE, State.TERMINATED), (Act.COMPLETE, State.COMPLETED))
    ]
    facts = [Fact(signed.statement, signed.signatures, NOW, "0" * 64) for signed in ends]
    write_facts(chain, FACE, facts[:1])
    with pytest.raises(ChainError, match="未写入"):
        FACE.done(chain, facts[1])


@pytest.mark.chain
def test_submit__a_signature_missing_or_changed__the_contract_refuses(scene: tuple[House, Web3Chain]):
    house, chain = scene
    terms = house.terms(house.listed())
    signed = house.sign(house.act(secrets.token_hex(32), Act.CONCLUDE, State.EFFECTIVE, terms=terms))
    typed = [i for i, signature in enumerate(signed.signatures) if signature.alg == EIP712]
    for position in typed:
        kept = tuple(s for i, s in enumerate(signed.signatures) if i != position)
        with pytest.raises(ChainError):
            write_facts(chain, FACE, [Fact(signed.statement, kept, NOW, "0" * 64)])
    whole = Fact(signed.statement, signed.signatures, NOW, "0" * 64)
    assert set(write_facts(chain, FACE, [whole])) == {whole.id}
