"""The close as SettlementBook takes it: written once, found again, and never over another close."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from clearing.errors import NotSigned
from clearing.settlement import onchain
from clearing.settlement.close import CycleClose, Totals, close_of, commitment_of
from clearing.settlement.onchain import SettlementFace, close_message, sign_close
from ledger import eip712
from ledger.chain import MEMORY_CHAIN_ID, MemoryChain, Refused
from ledger.digest import twin
from ledger.errors import ChainError
from ledger.facts import Fact, Statement
from ledger.reading import body_of, read

OPERATOR, AUDITOR = eip712.new_key(), eip712.new_key()
TOTALS = Totals(7368, 6951, 6951, 7368, 7368, 7368, 0, "ab" * 32)


@dataclass(frozen=True)
class Book:
    """A contract model by its functions."""

    writes: dict[str, Any]
    reads: dict[str, Any]


def book() -> MemoryChain:
    """SettlementBook in memory: keeps the commitment, checks both signatures, refuses a second close."""
    kept: dict[tuple[bytes, bytes, bytes], bytes] = {}

    def closed(operator: bytes, cycle: bytes, currency: bytes) -> bytes:
        return kept.get((operator, cycle, currency), bytes(32))

    def close(
        domain: dict[str, Any], now: int, struct: tuple[Any, ...], by_operator: bytes, by_auditor: bytes
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        names = [name for _, name in eip712.TYPES["CycleClose"]]
        message = dict(zip(names, struct, strict=True))
        digest = eip712.digest_of("SettlementBook", domain["chain_id"], domain["address"], "CycleClose", message)
        if eip712.recover(digest, by_operator) != eip712.address_of(OPERATOR):
            raise Refused("UnknownOperator")
        if eip712.recover(digest, by_auditor) != message["auditor"]:
            raise Refused("NotAuditor")
        key = (message["operatorId"], message["cycle"], message["currency"])
        if key in kept:
            raise Refused("AlreadyClosed")
        kept[key] = eip712.commitment(
            ("bytes32", "bytes32", "bytes32", "uint64"),
            [message[name] for name in ("rootSha256", "rootSm3", "totalsCommitment", "closedAt")],
        )
        yield "CycleClosed", message

    return MemoryChain({"SettlementBook": Book(reads={"closed": closed}, writes={"close": close})}, now=1000)


def a_fact(chain: MemoryChain, *, closed_at: int = 900, signers: tuple[str, ...] = ("operator", "auditor")) -> Fact:
    body = close_of(
        cycle="OP.2026-03.CNY", operator="OP", period="2026-03", currency="CNY", statements=[twin(b"1"), twin(b"2")],
        totals=TOTALS, closed_at=closed_at, auditor=eip712.address_of(AUDITOR), deadline=2000,
    )  # fmt: skip
    statement = Statement("cycle-closed/v1", "close:OP.2026-03.CNY", 0, None, body_of(body))
    keys = {"operator": OPERATOR, "auditor": AUDITOR}
    address = chain.address("SettlementBook")
    signatures = tuple(
        sign_close(keys[role], statement, by="party:OP", role=role, chain_id=MEMORY_CHAIN_ID, address=address)
        for role in signers
    )
    return Fact(statement, signatures, 900, "cd" * 32)


def test_face__a_close__is_written_once_and_found_again() -> None:
    chain, face = book(), SettlementFace()
    fact = a_fact(chain)
    assert not face.done(chain, fact)
    receipt = chain.send(face.call(chain, [fact]))
    assert face.done(chain, fact)
    assert face.event_key(dict(receipt.events[0].args)) == face.fact_key(fact)
    with pytest.raises(ChainError):
        chain.send(face.call(chain, [fact]))


def test_face__another_close_in_its_place__is_named_not_overwritten() -> None:
    chain, face = book(), SettlementFace()
    chain.send(face.call(chain, [a_fact(chain)]))
    with pytest.raises(ChainError, match="other content"):
        face.done(chain, a_fact(chain, closed_at=901))


def test_face__without_the_auditor__is_not_sent() -> None:
    chain = book()
    with pytest.raises(NotSigned, match="auditor"):
        SettlementFace().call(chain, [a_fact(chain, signers=("operator",))])


def test_signer_of__each_changed_field__is_another_signer() -> None:
    chain = book()
    fact = a_fact(chain)
    address = chain.address("SettlementBook")
    body = read(CycleClose, fact.body)
    own = eip712.address_of(OPERATOR)
    assert onchain.signer_of(fact.statement, fact.signatures[0], MEMORY_CHAIN_ID, address) == own
    changes = [
        {"operator_id": "00" * 32}, {"name": "2026-04"}, {"currency": "USD"}, {"root_sha256": "00" * 32},
        {"root_sm3": "00" * 32}, {"totals_commitment": "00" * 32}, {"closed_at": 901}, {"deadline": 1},
        {"auditor": own.lower()},
    ]  # fmt: skip
    assert len(changes) == len(close_message(body))
    for change in changes:
        other = replace(fact.statement, body=body_of(replace(body, **change)))
        assert onchain.signer_of(other, fact.signatures[0], MEMORY_CHAIN_ID, address) != own


def test_close_of__the_commitment__changes_with_the_salt_and_each_total() -> None:
    """Without the salt the totals cannot be guessed; with it they cannot be changed."""
    known = {commitment_of(TOTALS), commitment_of(replace(TOTALS, salt="00" * 32))}
    for name in ("gross", "net", "shared", "netted", "money_in", "money_out", "suspense"):
        known.add(commitment_of(replace(TOTALS, **{name: 1})))
    assert len(known) == 9
