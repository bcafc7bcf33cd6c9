"""The drill of decisions D17: new contracts take over from old ones, and nobody has to be believed for it.

The council names the successor and stops the old contract's writes; the last head of the old chain is the first fact of
the new log. A reader who only knows the old address finds the new one and proves that the one continues the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from ledger import eip712, merkle
from ledger.chain import Call, Deployment, head_commitment
from ledger.digest import TwinDigest, twin
from ledger.errors import TransactionReverted
from ledger.facts import Statement
from ledger.web3_chain import Web3Chain
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, decide, deploy_all
from tests.chain_fixture import anvil

NOW = 1_788_000_000
RELAY, LOG, NEXT_LOG, AGENCY = (eip712.new_key() for _ in range(4))
MEMBERS = tuple(eip712.new_key() for _ in range(3))
COUNCIL = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil(timestamp=NOW) as url:
        yield url


def deployed(url: str, log_key: bytes) -> Web3Chain:
    chain = Web3Chain(url, Deployment(31337, {}, ARTIFACTS), RELAY)
    parties = Parties(eip712.address_of(log_key), {b"\x01" * 32: eip712.address_of(AGENCY)})
    deploy_all(chain, COUNCIL, parties)
    return chain


class Log:
    """A log small enough to keep in a list: leaf hashes, root, path."""

    def __init__(self, *facts: bytes) -> None:
        self.leaves = [merkle.leaf_hash(twin(fact)) for fact in facts]

    def read(self, level: int, position: int) -> TwinDigest:
        if level == 0:
            return self.leaves[position]
        return merkle.node_hash(self.read(level - 1, 2 * position), self.read(level - 1, 2 * position + 1))

    def anchor(self, chain: Web3Chain, key: bytes) -> tuple[int, bytes, bytes, int]:
        root = merkle.root(self.read, len(self.leaves))
        head = (len(self.leaves), root.sha256, root.sm3, chain.head().time)
        message = dict(zip(("size", "sha256Root", "sm3Root", "time"), head, strict=True))
        digest = eip712.digest_of("EvidenceLog", 31337, chain.address("EvidenceLog"), "Head", message)
        chain.send(Call("EvidenceLog", "anchor", (*head, eip712.sign(key, digest))))
        return head


@pytest.mark.chain
def test_migration__pointer_and_last_head_lead_from_the_old_log_to_the_new(node: str) -> None:
    old = deployed(node, LOG)
    log = Log(*(secrets.token_bytes(40) for _ in range(5)))
    head = log.anchor(old, LOG)

    # the council: new contracts, a pointer at each, no more writes on the old ones
    new = deployed(node, NEXT_LOG)
    for contract in ("RightsRegistry", "AgreementRegistry", "EvidenceLog", "SettlementBook"):
        decide(old, COUNCIL, contract, "NAME_SUCCESSOR", bytes(32), eip712.word(new.address(contract)))
        decide(old, COUNCIL, contract, "PAUSE", bytes(32), bytes(32))
    log.leaves.append(merkle.leaf_hash(twin(b"too late")))
    with pytest.raises(TransactionReverted) as refused:
        log.anchor(old, LOG)
    assert refused.value.error == "EnforcedPause"
    with pytest.raises(TransactionReverted) as again:
        decide(old, COUNCIL, "EvidenceLog", "NAME_SUCCESSOR", bytes(32), eip712.word(old.address("RightsRegistry")))
    assert again.value.error == "SuccessorAlreadyNamed"

    # the new log begins with the old one's last head
    body = {
        "chain": 31337,
        "address": old.address("EvidenceLog"),
        "size": head[0],
        "root": TwinDigest(head[1], head[2]).document(),
        "time": head[3],
    }
    first = Statement("log-continued/v1", "log:new", 0, None, body).bytes()
    next_log = Log(first, b"second", b"third")
    next_head = next_log.anchor(new, NEXT_LOG)

    # a reader with nothing but the old address, a node and the first fact
    reader = Web3Chain(node, old.deployment, None)
    address = reader.read("EvidenceLog", "successor")
    assert address == new.address("EvidenceLog")
    there = Web3Chain(node, Deployment(31337, {"EvidenceLog": address}, ARTIFACTS), None)
    size = reader.read("EvidenceLog", "latestSize")
    assert size == body["size"]
    assert reader.read("EvidenceLog", "commitmentAt", size) == head_commitment(*head)
    path = [node_.sha256 for node_ in merkle.inclusion_path(next_log.read, 0, 3)]
    leaf = merkle.leaf_hash(twin(first)).sha256
    assert there.read("EvidenceLog", "verifyInclusion", leaf, 0, next_head[0], path, *next_head[1:]) is True

    # another past cannot be put in its place: not on the old chain, not in the new log
    assert head_commitment(size, head[2], head[1], head[3]) != reader.read("EvidenceLog", "commitmentAt", size)
    assert b'"size":5' in first
    other = merkle.leaf_hash(twin(first.replace(b'"size":5', b'"size":4'))).sha256
    assert there.read("EvidenceLog", "verifyInclusion", other, 0, next_head[0], path, *next_head[1:]) is False
    # what the old contracts hold stays readable
    assert reader.read("RightsRegistry", "agency", b"\x01" * 32) == (eip712.address_of(AGENCY), False)
