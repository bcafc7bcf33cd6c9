"""How a closed cycle reaches SettlementBook: the struct both sides sign and the call anyone may send (D16, D23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearing.errors import NotSigned
from clearing.settlement.close import CycleClose
from ledger import eip712
from ledger.chain import Call, Chain
from ledger.errors import ChainError
from ledger.facts import EIP712, Fact, Signature, Statement
from ledger.reading import read

CONTRACT = "SettlementBook"
_COMMITMENT = ("bytes32", "bytes32", "bytes32", "uint64")


def close_message(body: CycleClose) -> dict[str, Any]:
    """The fields of the EIP-712 type CycleClose, in the order of the contract's struct."""
    return {
        "operatorId": bytes.fromhex(body.operator_id),
        "cycle": body.name.encode("ascii").ljust(32, b"\0"),
        "currency": body.currency.encode("ascii"),
        "rootSha256": bytes.fromhex(body.root_sha256),
        "rootSm3": bytes.fromhex(body.root_sm3),
        "totalsCommitment": bytes.fromhex(body.totals_commitment),
        "closedAt": body.closed_at,
        "auditor": eip712.to_checksum(body.auditor),
        "deadline": body.deadline,
    }


def close_digest(body: CycleClose, chain_id: int, address: str) -> bytes:
    """The 32 bytes operator and auditor sign, on one SettlementBook of one chain."""
    return eip712.digest_of(CONTRACT, chain_id, address, "CycleClose", close_message(body))


def sign_close(
    evm: bytes | Callable[[bytes], bytes], statement: Statement, *, by: str, role: str, chain_id: int, address: str
) -> Signature:
    """The EIP-712 signature of `by` ("party:…") in `role` "operator" or "auditor" over a close.

    `evm` is the secp256k1 key, or what signs a digest where the key is in hardware.
    """
    digest = close_digest(read(CycleClose, statement.body), chain_id, address)
    value = evm(digest) if callable(evm) else eip712.sign(evm, digest)
    return Signature(EIP712, by, eip712.recover(digest, value), value.hex(), role, nonce="0")


def signer_of(statement: Statement, signature: Signature, chain_id: int, address: str) -> str:
    """The 0x address that made a signature over a close. Raises the ledger's BadSignature."""
    digest = close_digest(read(CycleClose, statement.body), chain_id, address)
    return eip712.recover(digest, bytes.fromhex(signature.value))


class SettlementFace:
    """Writes cycle-closed facts into SettlementBook, one per call; see `ledger.anchoring.Face`."""

    contract = CONTRACT
    kinds = frozenset({"cycle-closed/v1"})
    limit = 1
    event = "CycleClosed"

    def done(self, chain: Chain, fact: Fact) -> bool:
        """Is this very close in the book? Raises ChainError when another one stands in its place."""
        message = close_message(read(CycleClose, fact.body))
        stored = chain.read(CONTRACT, "closed", message["operatorId"], message["cycle"], message["currency"])
        if not int.from_bytes(stored, "big"):
            return False
        names = ("rootSha256", "rootSm3", "totalsCommitment", "closedAt")
        expected = eip712.commitment(_COMMITMENT, [message[name] for name in names])
        if bytes(stored) != expected:
            raise ChainError(
                f"{fact.subject} 在链上已以其他内容关账：应为 {expected.hex()}，实为 {bytes(stored).hex()}。"
                f" / {fact.subject} is closed on chain with other content:"
                f" expected {expected.hex()}, found {bytes(stored).hex()}."
            )
        return True

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        """SettlementBook.close with the signatures of operator and auditor. Raises NotSigned without both."""
        (fact,) = facts
        typed = {item.role: bytes.fromhex(item.value) for item in fact.signatures if item.alg == EIP712}
        for role in ("operator", "auditor"):
            if role not in typed:
                raise NotSigned(fact.subject, f"an EIP-712 signature as {role}", str(sorted(typed)))
        struct = tuple(close_message(read(CycleClose, fact.body)).values())
        return Call(CONTRACT, "close", (struct, typed["operator"], typed["auditor"]))

    def fact_key(self, fact: Fact) -> str:
        """Operator, cycle and currency, hex."""
        message = close_message(read(CycleClose, fact.body))
        return _key(message["operatorId"], message["cycle"], message["currency"])

    def event_key(self, args: Mapping[str, Any]) -> str:
        """The same name from a CycleClosed event."""
        return _key(args["operatorId"], args["cycle"], args["currency"])


def _key(operator: bytes, cycle: bytes, currency: bytes) -> str:
    return f"{bytes(operator).hex()}/{bytes(cycle).hex()}/{bytes(currency)[:3].hex()}"
