"""Transfer 传输: the Dataspace Protocol's states of handing data over, and what a consumer's connector asks with.

A transfer opens a provider's connector to a token that its consumer has made: only the token's digest is sent, signed
by the consumer's connector, with its owner's word that the connector signs for it (connector/v1). It begins under an
agreement in force and ends with it. Who suspended it may go on with it, nobody else.
Source: exchange.md §4.3 Transfer; Dataspace Protocol 2025-1, Transfer Process Protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms, WrongMove
from clearing.market.agreement import Role, Terms, id_of
from clearing.market.negotiation.message import Side
from ledger.facts import Signed
from ledger.reading import read
from ledger.signing import require_sm2
from registry.party import CONNECTOR, Connector, connector_subject

TRANSFER_REQUEST = "transfer-request/v1"
FORMAT = "HttpData-PULL"
"""The one way data is handed over: the consumer fetches."""
SKEW = 300
"""Seconds a request may be off the provider's clock."""


class State(StrEnum):
    """已请求 · 传输中 · 中止 · 完成 · 终止; the last two are final."""

    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class Word(StrEnum):
    """What either side says of a transfer that was requested; the last part of the path it is said at."""

    START = "start"
    SUSPEND = "suspension"
    COMPLETE = "completion"
    TERMINATE = "termination"


TYPES: Mapping[Word, str] = {
    Word.START: "TransferStartMessage",
    Word.SUSPEND: "TransferSuspensionMessage",
    Word.COMPLETE: "TransferCompletionMessage",
    Word.TERMINATE: "TransferTerminationMessage",
}
OPEN = frozenset({State.REQUESTED, State.STARTED, State.SUSPENDED})
_BOTH = frozenset(Side)
MOVES: Mapping[tuple[State, Word], tuple[State, frozenset[Side]]] = {
    (State.REQUESTED, Word.START): (State.STARTED, frozenset({Side.PROVIDER})),
    (State.REQUESTED, Word.TERMINATE): (State.TERMINATED, _BOTH),
    (State.STARTED, Word.SUSPEND): (State.SUSPENDED, _BOTH),
    (State.STARTED, Word.COMPLETE): (State.COMPLETED, _BOTH),
    (State.STARTED, Word.TERMINATE): (State.TERMINATED, _BOTH),
    (State.SUSPENDED, Word.START): (State.STARTED, _BOTH),
    (State.SUSPENDED, Word.TERMINATE): (State.TERMINATED, _BOTH),
}
"""Where a word leads, and who may say it."""
LEADS: Mapping[Word, State] = {word: target for (_, word), (target, _) in MOVES.items()}
"""Where a word leads from wherever it may be said."""


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Body of transfer-request/v1, about an agreement: `connector` asks, as `consumer_pid`, that the token with this
    SHA-256 be let in; `at` in seconds UTC."""

    connector: Annotated[str, Meta(min_length=1, max_length=64)]
    consumer_pid: Annotated[str, Meta(min_length=1, max_length=200)]
    token_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    at: Annotated[int, Meta(ge=0, le=2**53 - 1)]


def after(transfer: str, state: State, word: Word, side: Side, suspended_by: Side | None) -> State:
    """Where the word of this side leads. Raises `WrongMove`."""
    target, sides = MOVES.get((state, word), (None, frozenset[Side]()))
    goes_on = (state, word) == (State.SUSPENDED, Word.START)
    if target is None or side not in sides or (goes_on and side is not suspended_by):
        held = f", {suspended_by}" if goes_on else ""
        raise WrongMove(transfer, f"{state}{held}", f"{word} of {side}")
    return target


def check_request(
    signed: Signed, registration: Signed, terms: Terms, keys: Mapping[str, str], now: int
) -> TransferRequest:
    """The request, if it comes from a connector of the agreement's consumer. `keys` are the SM2 keys by which the
    agreement was signed, by party. Raises `BadSignature`, `BadTerms`, `FieldError`."""
    statement = signed.statement
    if statement.kind != TRANSFER_REQUEST:
        raise BadTerms("signed.statement.kind", TRANSFER_REQUEST, statement.kind)
    id_of(statement.subject)
    request = read(TransferRequest, statement.body, "signed.statement.body")
    by, told = connector_subject(request.connector), registration.statement
    if (told.kind, told.subject) != (CONNECTOR, by):
        raise BadTerms("registration.statement", f"{CONNECTOR} {by}", f"{told.kind} {told.subject}"[:160])
    connector = read(Connector, told.body, "registration.statement.body")
    named = [party for party in terms.parties if party.party == connector.owner and party.role is Role.CONSUMER]
    if not any(request.connector in party.connectors for party in named):
        raise BadTerms("body.connector", "使用方列名的连接器 / one the terms name for the consumer", request.connector)
    owner = f"party:{connector.owner}"
    require_sm2(told, registration.signatures, by=owner, key=keys.get(connector.owner, ""))
    require_sm2(statement, signed.signatures, by=by, key=connector.sm2)
    if abs(now - request.at) > SKEW:
        raise BadTerms("body.at", f"{now} ± {SKEW}", str(request.at))
    return request
