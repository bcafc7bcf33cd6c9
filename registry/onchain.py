"""The register entry on chain: RightsRegistry.deposit, many certificates in one call under the agency's signature.

Anchoring follows the deposit and never decides about it (decisions D18). Only digests, times and the code go there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ledger import eip712
from ledger.chain import Call, Chain
from ledger.digest import sha256
from ledger.errors import ChainError
from ledger.facts import Fact
from ledger.reading import read
from registry.certificate import ENTRY, PAPER_TYPE, RegisterEntry, Status

CONTRACT = "RightsRegistry"
PAPER_TYPES: Mapping[str, int] = {PAPER_TYPE: 1}
NUMBERS: Mapping[Status, int] = {status: number for number, status in enumerate(Status, 1)}
"""contracts/codes.json, certificateStatus; a test keeps them equal."""
SIGNATURE_LIFE = 3600
"""Seconds a batch signature may wait for its block."""

Sign = Callable[[bytes], bytes]
"""Signs a 32-byte EIP-712 digest with the agency's secp256k1 key: 65 bytes r ‖ s ‖ v."""


def agency_id(uscc: str) -> bytes:
    """The agency's name on chain: SHA-256 of "agency:" and its USCC."""
    return sha256(f"agency:{uscc}".encode())


def code_word(code: str) -> bytes:
    """The code as the contract takes it: ASCII, left-aligned in 32 bytes."""
    return code.encode("ascii").ljust(32, b"\0")


def certificate_key(uscc: str, paper_type: str, code: str, version: int) -> bytes:
    """keccak256(abi.encode(agencyId, paperType, code, version)) (decisions D18)."""
    types = ("bytes32", "uint8", "bytes32", "uint32")
    return eip712.commitment(types, (agency_id(uscc), PAPER_TYPES[paper_type], code_word(code), version))


class RegisterEntryFace:
    """Writes register-entry/v1 facts of one agency (a `ledger.anchoring.Face`).

    `agency_typed_signer` signs the batch digest; the transaction itself may be sent by anyone (decisions D16).
    """

    contract = CONTRACT
    kinds = frozenset({ENTRY})
    limit = 500
    event = "Deposited"

    def __init__(self, uscc: str, agency_typed_signer: Sign) -> None:
        self._uscc = uscc
        self._sign = agency_typed_signer

    def units(self, facts: Sequence[Fact]) -> list[list[Fact]]:
        """Facts that must be written in one call, in order: the two entries that share a predecessor after the transfer
        of a part stand next to each other, or the contract finds the predecessor ended. One alone is left out."""
        pairs: dict[tuple[str, int], list[Fact]] = {}
        found = []
        for fact in facts:
            before = read(RegisterEntry, fact.body).predecessor
            if before is None or before.successors == 1:
                found.append([fact])
                continue
            pair = pairs.setdefault((before.code, before.version), [])
            pair.append(fact)
            if len(pair) == before.successors:
                found.append(pair)
        return found

    def done(self, chain: Chain, fact: Fact) -> bool:
        """Is the certificate on chain with this fact's digests? Raises `ChainError` if it is there with others."""
        key = bytes.fromhex(self.fact_key(fact))
        digest = fact.digest()
        if chain.read(CONTRACT, "matches", key, digest.sha256, digest.sm3):
            return True
        if chain.read(CONTRACT, "certificate", key)["status"] != 0:
            code = fact.body["code"]
            raise ChainError(
                f"链上凭证 {code} 的摘要与登记簿不一致。 / Certificate {code} is on chain with other digests."
            )
        return False

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        """RightsRegistry.deposit over these facts, signed for this chain and contract."""
        entries = [_entry(fact) for fact in facts]
        nonce = secrets.randbits(255)
        deadline = chain.next_time() + SIGNATURE_LIFE
        agency = agency_id(self._uscc)
        message = eip712.deposit_batch(agency, entries, nonce, deadline)
        digest = eip712.digest_of(CONTRACT, chain.chain_id, chain.address(CONTRACT), "DepositBatch", message)
        return Call(CONTRACT, "deposit", (agency, entries, nonce, deadline, self._sign(digest)))

    def fact_key(self, fact: Fact) -> str:
        """The certificate key, hex: what the event names."""
        entry = read(RegisterEntry, fact.body)
        return certificate_key(entry.agency, entry.paper_type, entry.code, entry.version).hex()

    def event_key(self, args: Mapping[str, Any]) -> str:
        """The certificate key of a Deposited event, hex."""
        return bytes(args["key"]).hex()


def commitment_of(fact: Fact) -> bytes:
    """The commitment the contract keeps: keccak256(abi.encode(sha256, sm3, key, validFrom, validUntil))."""
    entry = read(RegisterEntry, fact.body)
    key = certificate_key(entry.agency, entry.paper_type, entry.code, entry.version)
    digest = fact.digest()
    types = ("bytes32", "bytes32", "bytes32", "uint32", "uint32")
    return eip712.commitment(types, (digest.sha256, digest.sm3, key, entry.valid_from, entry.valid_until))


def _entry(fact: Fact) -> tuple[Any, ...]:
    """The struct Entry of a fact, in the order of the contract."""
    entry, digest = read(RegisterEntry, fact.body), fact.digest()
    before: tuple[Any, ...] = (bytes(32), 0, 0, 0)
    if entry.predecessor is not None:
        old = entry.predecessor
        before = (code_word(old.code), PAPER_TYPES[entry.paper_type], old.version, NUMBERS[Status(old.status)])
    return (
        code_word(entry.code), PAPER_TYPES[entry.paper_type], entry.version, digest.sha256, digest.sm3,
        entry.valid_from, entry.valid_until, *before,
    )  # fmt: skip
