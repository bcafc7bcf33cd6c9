"""Whom a verifier believes: the trust file (`shuqing-trust/v1`), which is the verifier's own and never in a bundle.

    {"format": "shuqing-trust/v1", "made_at": seconds, "origin": "…",
     "log": {"name", "ed25519", "sm2"}, "witnesses": {"k", "keys": {name: ed25519 hex}},
     "chain": {"chain_id", "contracts": {name: {"address", "code_keccak256"}}},
     "identities": {"party:…": {"sm2", "evm"?, "roles": […]}}, "required": {kind: [rule, …]},
     "vouchers": {"party/v1": "role:…", "staff/v1": "body:organisation", "connector/v1": "body:owner"}}

Rules in `required` say who must sign a statement of a kind; the small language is described in `ledger.signers`.
`vouchers` says who must have signed an identity fact for its keys to count: a trusted identity with a role, or the
party named in a field of its body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger import reading
from ledger.errors import FieldError

FORMAT = "shuqing-trust/v1"


@dataclass(frozen=True, slots=True)
class LogTrust:
    """The log's note name and public keys."""

    name: str
    ed25519: str
    sm2: str


@dataclass(frozen=True, slots=True)
class WitnessTrust:
    """At least `k` of these named Ed25519 keys must have cosigned a head."""

    k: int
    keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class ContractTrust:
    """Where a contract lives and keccak-256 of its runtime code (0x hex)."""

    address: str
    code_keccak256: str


@dataclass(frozen=True, slots=True)
class ChainTrust:
    """The chain and the contracts that are believed."""

    chain_id: int
    contracts: dict[str, ContractTrust]


@dataclass(frozen=True, slots=True)
class Identity:
    """A directly trusted signer: its keys and the roles it may sign in."""

    sm2: str
    evm: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """The whole trust file."""

    format: str
    made_at: int
    origin: str
    log: LogTrust
    witnesses: WitnessTrust
    chain: ChainTrust
    identities: dict[str, Identity]
    required: dict[str, tuple[str, ...]]
    vouchers: dict[str, str]

    def document(self) -> dict[str, Any]:
        return reading.body_of(self)  # type: ignore[no-any-return]


def read(value: Any) -> Trust:
    """Reads a trust file. Raises `FieldError`."""
    trust = reading.read(Trust, value, "trust")
    if trust.format != FORMAT:
        raise FieldError("trust.format", FORMAT, repr(trust.format)[:80])
    if not 1 <= trust.witnesses.k <= len(trust.witnesses.keys):
        raise FieldError("trust.witnesses.k", f"1…{len(trust.witnesses.keys)}", str(trust.witnesses.k))
    return trust
