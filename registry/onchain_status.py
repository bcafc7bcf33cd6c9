"""The status of certificates on chain: the agency's signed calls that change it, and what was true at any instant.

The contract keeps what holds now and, of the past, only what it can keep for 5,000 gas a change; its events keep the
rest. `status_at` reads them and answers what `inForceAt` answers, also where that says UNKNOWN / HISTORY.
Source: decisions D19, D20, D21; contracts/src/IRightsRegistry.sol.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ledger import eip712
from ledger.chain import Call, Chain, ChainEvent
from ledger.errors import FieldError
from ledger.facts import Fact
from ledger.reading import read
from ledger.verify import Status as Answer
from registry.certificate import IN_FORCE, PAPER_TYPE, Status
from registry.onchain import CONTRACT, NUMBERS, SIGNATURE_LIFE, Sign, agency_id, certificate_key
from registry.telling import TOLD, Telling

IN_BULK = frozenset({Status.VALID, Status.SUPERSEDED, Status.TRANSFERRED, Status.CANCELLED})
"""What can be given in bulk: the other two depend on each certificate's own expiry."""
INDEX_END = 2**32


@dataclass(frozen=True, slots=True)
class State:
    """Status and flags from `effective_at` (second UTC) on. Both flags are always stated."""

    status: Status
    encumbered: bool
    objection: bool
    effective_at: int


@dataclass(frozen=True, slots=True)
class Told:
    """A state and where on the chain it was told."""

    state: State
    block: int
    log_index: int
    tx: str


class StatusFace:
    """Writes certificate-status/v1 facts of one agency (a `ledger.anchoring.Face`), one by one in the log's order."""

    contract = CONTRACT
    kinds = frozenset({TOLD})
    limit = 500
    event = "StatusChanged"

    def __init__(self, uscc: str, agency_typed_signer: Sign) -> None:
        self._uscc = uscc
        self._sign = agency_typed_signer

    def done(self, chain: Chain, fact: Fact) -> bool:
        """Did the chain tell exactly this of the certificate?"""
        key, _ = self._change(fact)
        told = chain.events(CONTRACT, self.event, where={"key": key})
        return self.fact_key(fact) in {self.event_key(event.args) for event in told}

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        """RightsRegistry.setStatus over these facts, signed for this chain and contract."""
        return status_call(chain, self._uscc, [self._change(fact) for fact in facts], self._sign)

    def fact_key(self, fact: Fact) -> str:
        """Certificate key, status, flags and instant: what the event says."""
        key, state = self._change(fact)
        return _name(key, NUMBERS[state.status], state.encumbered, state.objection, state.effective_at)

    def event_key(self, args: Mapping[str, Any]) -> str:
        """The same of a StatusChanged event."""
        return _name(
            bytes(args["key"]), args["status"], args["encumbered"], args["objection"], int(args["effectiveAt"])
        )

    def _change(self, fact: Fact) -> tuple[bytes, State]:
        told = read(Telling, fact.body)
        key = certificate_key(self._uscc, PAPER_TYPE, told.code, told.version)
        return key, State(told.status, told.encumbered, told.objection, told.effective_at)


def _name(key: bytes, status: int, encumbered: bool, objection: bool, effective_at: int) -> str:
    return f"{key.hex()}/{status}/{int(encumbered)}{int(objection)}/{effective_at}"


def status_call(chain: Chain, uscc: str, changes: Sequence[tuple[bytes, State]], sign: Sign) -> Call:
    """RightsRegistry.setStatus: certificate keys with their new states, signed by the agency for this chain.

    The contract refuses an instant ahead of its clock, any change of a final status, RENEWAL_PENDING from expiry on,
    LAPSED before it, and a second change dated before `certificate(key).changedAt`.
    """
    rows = [
        (key, NUMBERS[state.status], state.encumbered, state.objection, state.effective_at) for key, state in changes
    ]
    agency, nonce, deadline = agency_id(uscc), secrets.randbits(255), chain.next_time() + SIGNATURE_LIFE
    digest = _digest(chain, "StatusBatch", eip712.status_batch(agency, rows, nonce, deadline))
    return Call(CONTRACT, "setStatus", (agency, rows, nonce, deadline, sign(digest)))


def bulk_status_call(chain: Chain, uscc: str, indexes: Sequence[int], state: State, sign: Sign) -> Call:
    """RightsRegistry.setStatusByIndex: one state for every certificate index (`certificate(key).index`), signed.

    Raises FieldError unless the indexes ascend strictly and the status is one of IN_BULK.
    """
    if state.status not in IN_BULK:
        raise FieldError("status", " | ".join(sorted(IN_BULK)), state.status)
    if not indexes or any(a >= b for a, b in pairwise(indexes)) or not 0 <= indexes[0] <= indexes[-1] < INDEX_END:
        raise FieldError("indexes", "0 ≤ i₁ < i₂ < … < 2^32", f"{list(indexes[:4])} … ({len(indexes)})")
    change = (
        struct.pack(f">{len(indexes)}I", *indexes),
        NUMBERS[state.status],
        state.encumbered,
        state.objection,
        state.effective_at,
    )
    agency, nonce, deadline = agency_id(uscc), secrets.randbits(255), chain.next_time() + SIGNATURE_LIFE
    digest = _digest(chain, "BulkStatus", eip712.bulk_status(agency, change, nonce, deadline))
    return Call(CONTRACT, "setStatusByIndex", (agency, change, nonce, deadline, sign(digest)))


def status_history(chain: Chain, key: bytes) -> tuple[Told, ...]:
    """Every change of the certificate, in the order in which the chain took them."""
    deposited = chain.events(CONTRACT, "Deposited", where={"key": key})
    return _history(chain, key, deposited[0].args) if deposited else ()


def status_at(chain: Chain, key: bytes, instant: int) -> Answer:
    """Was the certificate in force at `instant`? Names of contracts/codes.json; never UNKNOWN / HISTORY.

    The state at an instant is the one told last among those effective by then; before the first one, VALID without
    flags. Validity and flags are then judged as the contract does.
    """
    as_of = chain.head().time
    deposited = chain.events(CONTRACT, "Deposited", where={"key": key})
    if not deposited:
        return Answer("UNKNOWN", "UNKNOWN_KEY", as_of)
    args = deposited[0].args
    state = State(Status.VALID, False, False, args["validFrom"])
    for told in _history(chain, key, args):
        if told.state.effective_at <= instant:
            state = told.state
    return Answer(*judge(state, args["validFrom"], args["validUntil"], instant), as_of)


def judge(state: State, valid_from: int, valid_until: int, instant: int) -> tuple[str, str]:
    """Code and reason of a state at an instant: RightsRegistry's rule, word for word."""
    if state.status not in IN_FORCE:
        return "NOT_IN_FORCE", state.status
    if instant < valid_from:
        return "NOT_IN_FORCE", "NOT_YET_VALID"
    if instant >= valid_until and state.status is Status.VALID:
        return "NOT_IN_FORCE", "LAPSED"
    if state.encumbered or state.objection:
        flags = ("ENCUMBERED",) * state.encumbered + ("OBJECTION",) * state.objection
        return "IN_FORCE_LIMITED", "_AND_".join(flags)
    return "IN_FORCE_LIMITED" if instant >= valid_until else "IN_FORCE", state.status


def _history(chain: Chain, key: bytes, deposited: Mapping[str, Any]) -> tuple[Told, ...]:
    alone = chain.events(CONTRACT, "StatusChanged", where={"key": key})
    together = chain.events(CONTRACT, "StatusChangedInBulk", where={"agencyId": deposited["agencyId"]})
    listed = (event for event in together if deposited["index"] in _indexes(event.args["indexes"]))
    return tuple(sorted(map(_told, (*alone, *listed)), key=lambda told: (told.block, told.log_index)))


def _told(event: ChainEvent) -> Told:
    args = event.args
    state = State(tuple(Status)[args["status"] - 1], args["encumbered"], args["objection"], args["effectiveAt"])
    return Told(state, event.block, event.log_index, event.tx)


def _indexes(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 4}I", packed)


def _digest(chain: Chain, type_name: str, message: Mapping[str, Any]) -> bytes:
    return eip712.digest_of(CONTRACT, chain.chain_id, chain.address(CONTRACT), type_name, message)
