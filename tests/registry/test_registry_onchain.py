"""Register entries on a real EVM node: written once under the agency's signature, found again, never overwritten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger import eip712
from ledger.anchoring import write_facts
from ledger.chain import Deployment
from ledger.digest import sha256
from ledger.errors import ChainError, TransactionReverted
from ledger.facts import Fact, Statement
from ledger.store import facts_of_kind
from ledger.web3_chain import Web3Chain
from registry.certificate import ENTRY
from registry.onchain import SIGNATURE_LIFE, RegisterEntryFace, agency_id, certificate_key, commitment_of
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all
from tests.chain_fixture import anvil, rpc
from tests.registry.registry_house import AGENCY, DEVELOPER, House, a_form, uscc

AGENCY_KEY, RELAY, LOG, OPERATOR, AUDITOR, COURT, STRANGER = (eip712.new_key() for _ in range(7))
MEMBERS = tuple(eip712.new_key() for _ in range(3))


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil(timestamp=1_788_000_000) as url:
        yield url


@pytest.fixture(scope="module")
def web3(node: str) -> Web3Chain:
    council = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
    parties = Parties(
        log_key=eip712.address_of(LOG),
        agencies={agency_id(AGENCY): eip712.address_of(AGENCY_KEY)},
        operators={b"\x02" * 32: eip712.address_of(OPERATOR)},
        auditors=(eip712.address_of(AUDITOR),),
        authorities=(eip712.address_of(COURT),),
    )
    deployment = deploy_all(Web3Chain(node, Deployment(31337, {}, ARTIFACTS), RELAY), council, parties)
    return Web3Chain(node, deployment, RELAY)


def face(key: bytes = AGENCY_KEY) -> RegisterEntryFace:
    return RegisterEntryFace(AGENCY, lambda digest: eip712.sign(key, digest))


def test_agency_id__and_certificate_key__are_what_the_interface_says() -> None:
    assert agency_id(AGENCY) == sha256(b"agency:" + AGENCY.encode())
    key = certificate_key(AGENCY, "REGISTRATION_CERT", "SJ3312026090001", 1)
    assert key != certificate_key(AGENCY, "REGISTRATION_CERT", "SJ3312026090001", 2)
    assert key != certificate_key(uscc(9), "REGISTRATION_CERT", "SJ3312026090001", 1)


@pytest.mark.chain
def test_deposit__two_entries_in_one_call__then_again_writes_nothing(house: House, web3: Web3Chain) -> None:
    house.certificate(a_form())
    house.certificate(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）"))
    entries = facts_of_kind(house.session, ENTRY)
    assert len(entries) == 2
    with pytest.raises(TransactionReverted):
        write_facts(web3, face(STRANGER), entries)
    places = write_facts(web3, face(), entries)
    assert set(places) == {fact.id for fact in entries}
    assert len(set(places.values())) == 1
    for fact in entries:
        key = bytes.fromhex(face().fact_key(fact))
        body = fact.body
        assert (
            web3.read(
                "RightsRegistry", "certificateKey", agency_id(AGENCY), 1, body["code"].encode().ljust(32, b"\0"), 1
            )
            == key
        )
        stored = web3.read("RightsRegistry", "certificate", key)
        assert stored["commitment"] == commitment_of(fact)[:20]
        assert (stored["validFrom"], stored["validUntil"]) == (body["valid_from"], body["valid_until"])
        assert face().done(web3, fact)
    head = web3.head().number
    assert write_facts(web3, face(), entries) == places
    assert web3.head().number == head
    other = Fact(entries[0].statement, entries[0].signatures, entries[0].at + 1, entries[0].salt)
    with pytest.raises(ChainError, match="摘要"):
        face().done(web3, other)
    assert not face().done(web3, _anew(entries[0]))


@pytest.mark.chain
def test_deposit__on_a_chain_where_nothing_was_written_for_long__taken(
    house: House, web3: Web3Chain, node: str
) -> None:
    """The contract judges the signature by the block that comes, not by the newest one."""
    house.certificate(a_form())
    rpc(node, "evm_increaseTime", 10 * SIGNATURE_LIFE)
    entries = [_anew(fact) for fact in facts_of_kind(house.session, ENTRY)]
    assert len(write_facts(web3, face(), entries)) == 1


def _anew(fact: Fact) -> Fact:
    return Fact(_renamed(fact), fact.signatures, fact.at, fact.salt)


def _renamed(fact: Fact) -> Statement:
    return Statement(fact.kind, "certificate:SJ3312026099999", 0, None, {**fact.body, "code": "SJ3312026099999"})
