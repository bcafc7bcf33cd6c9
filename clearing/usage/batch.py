"""A batch: a run of usage records under one signature of the connector.

The header is the body of the fact "usage-batch/v1" about "connector-log:<id>"; the records are its parts, committed to
by the twin parts root in the statement. Batches of a connector form a chain of their own (`no`, `prev`).

On the wire a batch is lines, each ended by a line feed: first {"signatures", "statement"} in canonical form, then each
record in canonical form. Everything here needs no database, so it is done before a writer's turn comes.
Source: exchange.md §5.3, §5.5; decisions D5, D9, D10, D13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from clearing.usage.record import (
    Admitted,
    ConnectorId,
    Count,
    Hex64,
    Ordinal,
    Side,
    UsageRecord,
    read_records,
)
from ledger import canonical, signing
from ledger.digest import TwinDigest
from ledger.errors import FieldError
from ledger.facts import Parts, Signed, Statement
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.party import connector_subject

USAGE_BATCH = "usage-batch/v1"
LOG_PROMISE = "log-promise/v1"
BATCH_TYPE = "application/x-ndjson"
MAX_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class AgreementRange:
    """The records of one (agreement, side) in the batch: their `agr_seq` range, and the billable units among them."""

    agreement: Hex64
    side: Side
    first: Ordinal
    last: Ordinal
    count: Ordinal
    quantity: Count


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """Body of usage-batch/v1. `first_prev` is the digest of the record before the first (absent before record 1)."""

    connector: ConnectorId
    first_seq: Ordinal
    last_seq: Ordinal
    count: Annotated[int, Meta(ge=1, le=MAX_RECORDS)]
    last_hash: Twin
    agreements: Annotated[tuple[AgreementRange, ...], Meta(min_length=1, max_length=MAX_RECORDS)]
    first_prev: Twin | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """Body of log-promise/v1, the answer of intake (D6): what was taken in, when, and when it will be in the log.

    `digest` is that of the fact, `statement` that of the batch statement; a missed `integrate_by` is a provable fault.
    """

    digest: Twin
    statement: Twin
    received_at: Count
    integrate_by: Count


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that agrees with itself: header, records and the bytes they came as."""

    header: BatchHeader
    records: tuple[UsageRecord, ...]
    parts: Parts


@dataclass(frozen=True, slots=True)
class Received:
    """A batch as a connector sent it; `key` is the SM2 key its signature holds under, not yet compared with any."""

    signed: Signed
    batch: Batch
    key: str


def subject_of(connector: str) -> str:
    """The subject of a connector's batches."""
    return f"connector-log:{connector}"


def freeze(records: Sequence[Admitted], no: int, prev: TwinDigest | None, key: Sm2Key) -> Signed:
    """The signed batch over these records, as number `no` of the log; it is sent as these bytes ever after."""
    parts = Parts.of([item.data for item in records])
    header = _header_of([item.record for item in records], parts)
    statement = Statement(USAGE_BATCH, subject_of(header.connector), no, prev, body_of(header), parts.commitment)
    by = connector_subject(header.connector)
    return Signed(statement, (signing.sign_sm2(key, statement, by=by),))


def batch_bytes(signed: Signed, parts: Sequence[bytes]) -> bytes:
    """The lines that carry a batch."""
    return b"\n".join((canonical.encode(signed.document()), *parts, b""))


def read_batch(data: bytes) -> Received:
    """The batch in these lines, found whole. Raises `Malformed`, `FieldError`, `BadSignature`; the last line feed may
    be missing."""
    data = data.removesuffix(b"\n")
    lines = data.count(b"\n")
    if not 1 <= lines <= MAX_RECORDS:
        raise FieldError("parts", f"1…{MAX_RECORDS}", str(lines))
    first, *parts = data.split(b"\n")
    return receive(Signed.of_document(canonical.decode(first)), parts)


def receive(signed: Signed, parts: Sequence[bytes]) -> Received:
    """A batch that agrees with itself and whose connector's signature holds. Raises as `read_batch`."""
    batch = check_batch(signed.statement, parts)
    by = connector_subject(batch.header.connector)
    return Received(signed, batch, signing.key_of(signed.statement, signed.signatures, by=by))


def check_batch(statement: Statement, parts: Sequence[bytes]) -> Batch:
    """The header and records of a batch, or a refusal of the whole: `Malformed`, `FieldError` (decisions D9).

    Header, parts root, record chain and per-agreement ranges must all say the same.
    """
    if statement.kind != USAGE_BATCH:
        raise FieldError("statement.kind", USAGE_BATCH, statement.kind)
    header = read(BatchHeader, statement.body)
    if statement.subject != subject_of(header.connector):
        raise FieldError("statement.subject", subject_of(header.connector), statement.subject)
    if not 1 <= len(parts) <= MAX_RECORDS:
        raise FieldError("parts", f"1…{MAX_RECORDS}", str(len(parts)))
    hashed = Parts.of(parts)
    if statement.parts != hashed.commitment:
        raise FieldError("statement.parts", "所附记录的根 / the root over the records sent", "不一致 / differs")
    records = tuple(read_records(parts))
    if records[0].seq != header.first_seq:
        raise FieldError("parts[0].seq", str(header.first_seq), str(records[0].seq))
    _check_chain(records, hashed, header)
    found = _header_of(records, hashed)
    for name in BatchHeader.__slots__:
        if getattr(found, name) != getattr(header, name):
            raise FieldError(f"body.{name}", str(getattr(found, name))[:120], str(getattr(header, name))[:120])
    return Batch(header, records, hashed)


def _check_chain(records: Sequence[UsageRecord], parts: Parts, header: BatchHeader) -> None:
    """The records are of one connector, without a gap, each naming the one before. Raises `FieldError` by position."""
    sha256, sm3 = (header.first_prev.sha256, header.first_prev.sm3) if header.first_prev else ("", "")
    for position, record in enumerate(records):
        if record.connector != header.connector:
            raise FieldError(f"parts[{position}].connector", header.connector, record.connector)
        if record.seq != header.first_seq + position:
            raise FieldError(f"parts[{position}].seq", str(header.first_seq + position), str(record.seq))
        given = (record.prev.sha256, record.prev.sm3) if record.prev else ("", "")
        if given != (sha256, sm3):
            raise FieldError(f"parts[{position}].prev", sha256 or "—", given[0] or "—")
        sha256, sm3 = parts.sha256[position].hex(), parts.sm3[position].hex()


def _header_of(records: Sequence[UsageRecord], parts: Parts) -> BatchHeader:
    """The header over records that follow each other."""
    first, last = records[0], records[-1]
    return BatchHeader(
        connector=first.connector,
        first_seq=first.seq,
        last_seq=last.seq,
        count=len(records),
        first_prev=Twin(first.prev.sha256, first.prev.sm3) if first.prev else None,
        last_hash=Twin(parts.sha256[-1].hex(), parts.sm3[-1].hex()),
        agreements=_ranges(records),
    )


def _ranges(records: Sequence[UsageRecord]) -> tuple[AgreementRange, ...]:
    groups: dict[tuple[str, Side], list[UsageRecord]] = {}
    for record in records:
        groups.setdefault((record.agreement, record.side), []).append(record)
    return tuple(
        AgreementRange(
            agreement=agreement,
            side=side,
            first=min([record.agr_seq for record in group]),
            last=max([record.agr_seq for record in group]),
            count=len(group),
            quantity=sum([record.quantity for record in group if record.billable]),
        )
        for (agreement, side), group in sorted(groups.items())
    )
