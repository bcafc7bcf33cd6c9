"""How an agreement act reaches AgreementRegistry: the parties' own signatures, carried by whoever pays (decisions D16).

Acts of one agreement go out one by one, in order, because each names the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearing.market.agreement import (
    AGREEMENT_ACT,
    CONTRACT,
    ROLE_CODES,
    SIGNED_BY,
    STATE_CODES,
    Signer,
    Signers,
    State,
    act_of,
    contract_act,
    id_of,
    required_signers,
)
from ledger import eip712
from ledger.chain import Call, Chain
from ledger.errors import ChainError
from ledger.facts import EIP712, Fact, Signature
from registry.party import party_subject


class AgreementFace:
    """Writes agreement-act/v1 into AgreementRegistry; see `ledger.anchoring.Face`."""

    contract = CONTRACT
    kinds = frozenset({AGREEMENT_ACT})
    limit = 1
    event = "ActRecorded"

    def done(self, chain: Chain, fact: Fact) -> bool:
        """Is this act on the chain? Raises `ChainError` if another act stands in its place."""
        stored = chain.read(CONTRACT, "agreement", bytes.fromhex(id_of(fact.subject)))
        last = stored["lastActCommitment"]
        if last == _commitment(fact.statement.digest().sha256, fact.statement.digest().sm3):
            return True
        prev = fact.statement.prev
        if prev is None and stored["state"] == STATE_CODES[State.NONE]:
            return False
        if prev is not None and last == _commitment(prev.sha256, prev.sm3):
            return False
        # Neither this act nor the one before is the last: later acts may stand above it, so the events decide.
        if self.fact_key(fact) in {self.event_key(event.args) for event in self._events(chain, fact)}:
            return True
        raise ChainError(
            f"链上 {fact.subject} 的最近事项与账本不同，第 {fact.statement.no} 号事项未写入。"
            f" / The chain holds other acts of {fact.subject}; act {fact.statement.no} was not written."
        )

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        """`submit(act, signers)` for exactly one act."""
        if len(facts) != 1:
            raise ChainError(f"每次只写一项协议事项，实为 {len(facts)}。 / One act per call, given {len(facts)}.")
        statement = facts[0].statement
        act = act_of(statement)
        signatures = {(s.by, s.role): s for s in facts[0].signatures if s.alg == EIP712}
        by_authority = SIGNED_BY[act.act] is Signers.AUTHORITY
        signers = required_signers(act) if by_authority else act.signers
        rows = tuple(
            _signer_row(signer, signatures.get((party_subject(signer.party), signer.role))) for signer in signers
        )
        return Call(CONTRACT, "submit", (eip712.act_tuple(contract_act(statement, act)), rows))

    def fact_key(self, fact: Fact) -> str:
        """SHA-256 of the act without signatures, hex."""
        return fact.statement.digest().sha256.hex()

    def event_key(self, args: Mapping[str, Any]) -> str:
        """The same digest out of an ActRecorded event."""
        return bytes(args["act"]["actSha256"]).hex()

    def _events(self, chain: Chain, fact: Fact) -> Sequence[Any]:
        return chain.events(CONTRACT, self.event, where={"agreementId": bytes.fromhex(id_of(fact.subject))})


def _commitment(sha256: bytes, sm3: bytes) -> bytes:
    return eip712.commitment(("bytes32", "bytes32"), (sha256, sm3))


def _signer_row(signer: Signer, signature: Signature | None) -> tuple[int, str, int, bytes]:
    """A place of the list; empty signature for those who need not sign this act."""
    address = eip712.to_checksum(signer.address)
    if signature is None:
        return (ROLE_CODES[signer.role], address, 0, b"")
    return (ROLE_CODES[signer.role], address, int(signature.nonce), bytes.fromhex(signature.value))
