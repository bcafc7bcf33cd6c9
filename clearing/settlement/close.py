"""关账: one closed cycle as the operator and the auditor sign it and as SettlementBook keeps it (D23).

The root covers the statement facts of the cycle, the commitment hides the totals. No amount leaves in the clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from clearing.errors import BadTerms
from clearing.terms import Address
from ledger import canonical
from ledger.digest import TwinDigest
from ledger.merkle import MemoryTree
from ledger.reading import body_of
from registry.asset import Hex64


@dataclass(frozen=True, slots=True)
class Totals:
    """What the cycle moved, fen: charges gross and net, shares, netted gross, money in and out of the account.

    `suspense` is what no instruction explains at the close. `salt` (64 hex) keeps the commitment from being guessed.
    """

    gross: int
    net: int
    shared: int
    netted: int
    money_in: int
    money_out: int
    suspense: int
    salt: str


@dataclass(frozen=True, slots=True)
class CycleClose:
    """The body of a cycle-closed fact. Digests are hex, times seconds UTC, `auditor` is a lower-case 0x address.

    `operator_id` is the opaque 32-byte id under which SettlementBook knows the operator, `name` the cycle's name there.
    """

    cycle: str
    operator: str
    operator_id: Hex64
    name: str
    currency: str
    root_sha256: Hex64
    root_sm3: Hex64
    statements: int
    totals: Totals
    totals_commitment: Hex64
    closed_at: int
    auditor: Address
    deadline: int


def operator_id(operator: str) -> str:
    """The opaque id of an operator on the chain: SHA-256 of a tag and its 统一社会信用代码, hex."""
    return hashlib.sha256(b"shuqing/operator/v1\x00" + operator.encode()).hexdigest()


def statement_root(digests: Sequence[TwinDigest]) -> TwinDigest:
    """Twin root over the digests of the cycle's statement facts, in order of party."""
    return MemoryTree(digests).root()


def commitment_of(totals: Totals) -> str:
    """The salted commitment to the totals, hex."""
    return hashlib.sha256(canonical.encode(body_of(totals))).hexdigest()


def close_of(
    *,
    cycle: str,
    operator: str,
    period: str,
    currency: str,
    statements: Sequence[TwinDigest],
    totals: Totals,
    closed_at: int,
    auditor: str,
    deadline: int,
) -> CycleClose:
    """The close of a cycle. Raises BadTerms when there is no statement or the name does not fit 32 bytes."""
    if not statements:
        raise BadTerms("statements", "at least one", 0)
    if not period.isascii() or not 1 <= len(period) <= 32:
        raise BadTerms("period", "1 to 32 ASCII characters", period)
    root = statement_root(statements)
    return CycleClose(
        cycle=cycle,
        operator=operator,
        operator_id=operator_id(operator),
        name=period,
        currency=currency,
        root_sha256=root.sha256.hex(),
        root_sm3=root.sm3.hex(),
        statements=len(statements),
        totals=totals,
        totals_commitment=commitment_of(totals),
        closed_at=closed_at,
        auditor=auditor.lower(),
        deadline=deadline,
    )
