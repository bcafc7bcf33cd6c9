"""One metered use, chained to the one before it by the connector that saw it.

A record is a *part* of a batch fact: canonical bytes under the batch's twin root, so that each can be proved alone. Its
identity is (connector, seq); `agr_seq` orders the records of one (agreement, side); `request_id` joins the two sides.
Source: exchange.md §5.1, §5.2 (M1), §5.3; decisions D5, D10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from clearing.market.policy import Decision, Reason
from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry.asset import Twin

FUTURE_LIMIT = 300

Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Ordinal = Annotated[int, Meta(ge=1, le=2**53 - 1)]
ConnectorId = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
RequestId = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._:-]{7,127}$")]


class Side(StrEnum):
    """Who reports: the side that delivers or the side that uses. Independent of the direction (D10)."""

    PROVIDE = "PROVIDE"
    CONSUME = "CONSUME"


class Direction(StrEnum):
    """What is measured: 消耗 of a user or 贡献 of a source."""

    CONSUMPTION = "消耗"
    CONTRIBUTION = "贡献"


class StatusClass(StrEnum):
    """How the call ended; NONE when it was refused before delivery, ERROR when the source did not answer."""

    OK = "2xx"
    REDIRECT = "3xx"
    CLIENT = "4xx"
    SERVER = "5xx"
    ERROR = "error"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """A use of mode M1 as one side saw it. `occurred_at` is seconds UTC by the connector's clock.

    `prev` is the twin digest of the connector's record before (absent in its first). `counted` is the number of units
    used before this one under the agreement: with it the decision can be replayed. `policy` names the use policy by
    SHA-256, `user_ref` and `request` are salted references (user; method, path and body), `salt` keeps the digest of
    the record silent. `billable` is false for what was refused and for trials; whether a failed call costs anything is
    for the tariff.
    """

    connector: ConnectorId
    seq: Ordinal
    agreement: Hex64
    revision: Ordinal
    agr_seq: Ordinal
    side: Side
    direction: Direction
    request_id: RequestId
    occurred_at: Count
    listing: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    version: Ordinal
    certificate: Annotated[str, Meta(min_length=1, max_length=200)]
    policy: Hex64
    purpose: Annotated[str, Meta(max_length=200)]
    user_ref: Hex64
    request: Hex64
    counted: Count
    decision: Decision
    reasons: tuple[Reason, ...]
    unit: Annotated[str, Meta(min_length=1, max_length=64)]
    quantity: Count
    billable: bool
    bytes: Count
    latency_ms: Count
    status: StatusClass
    salt: Hex64
    prev: Twin | None = None
    mode: Literal["M1"] = "M1"
    schema: Literal["usage-record/v1"] = "usage-record/v1"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A record as it was sent: the value, its bytes and their twin digest."""

    record: UsageRecord
    data: bytes
    digest: TwinDigest


def encode(record: UsageRecord) -> bytes:
    """The canonical bytes of a record: a part of its batch."""
    return canonical.encode(body_of(record))


def decode(data: bytes, where: str = "record") -> Admitted:
    """Reads canonical record bytes. Raises `Malformed` or `FieldError`."""
    record = read(UsageRecord, canonical.decode(data), where)
    _check(record, where)
    return Admitted(record, data, twin(data))


def check_chain(records: Sequence[Admitted], connector: str, first_prev: Twin | None) -> None:
    """The records are of one connector, without a gap, each naming the one before. Raises `FieldError` by position.

    `first_prev` is what the batch header says comes before the first record.
    """
    expected_prev = first_prev
    seq = records[0].record.seq if records else 1
    for position, item in enumerate(records):
        record, where = item.record, f"parts[{position}]"
        if record.connector != connector:
            raise FieldError(f"{where}.connector", connector, record.connector)
        if record.seq != seq + position:
            raise FieldError(f"{where}.seq", str(seq + position), str(record.seq))
        if record.prev != expected_prev:
            raise FieldError(f"{where}.prev", _sha(expected_prev), _sha(record.prev))
        expected_prev = Twin.of(item.digest)


def _check(record: UsageRecord, where: str) -> None:
    if (record.seq == 1) != (record.prev is None):
        raise FieldError(f"{where}.prev", "首条记录没有 prev，其余必有 / absent in record 1 only", f"seq={record.seq}")
    refused = record.decision is Decision.DENY
    if refused and record.billable:
        raise FieldError(f"{where}.billable", "false（已拒绝的使用不计费）/ false for a refused use", "true")
    if refused != (record.status is StatusClass.NONE):
        raise FieldError(f"{where}.status", "none（仅限已拒绝的使用）/ none for a refused use only", record.status)
    if (record.decision is Decision.ALLOW) != (not record.reasons):
        raise FieldError(
            f"{where}.reasons", "拒绝或标记的理由 / reasons of a refusal or mark", str(list(record.reasons))
        )


def _sha(digest: Twin | None) -> str:
    return digest.sha256 if digest else "—"
