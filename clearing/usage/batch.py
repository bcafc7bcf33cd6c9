"""A batch: a run of usage records under one signature of the connector.

The header is the body of the fact "usage-batch/v1" about "connector-log:<id>"; the records are its parts, committed to
by the twin parts root in the statement. Batches of a connector form a chain of their own (`no`, `prev`).
Source: exchange.md §5.3, §5.5; decisions D5, D9, D10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from clearing.usage.record import Admitted, ConnectorId, Count, Hex64, Ordinal, Side, check_chain, decode
from ledger import signing
from ledger.digest import TwinDigest
from ledger.errors import FieldError
from ledger.facts import PartsRoot, Signed, Statement
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.party import connector_subject

USAGE_BATCH = "usage-batch/v1"
LOG_PROMISE = "log-promise/v1"
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


def subject_of(connector: str) -> str:
    """The subject of a connector's batches."""
    return f"connector-log:{connector}"


def header_of(records: Sequence[Admitted]) -> BatchHeader:
    """The header over records that follow each other."""
    first, last = records[0], records[-1]
    return BatchHeader(
        connector=first.record.connector,
        first_seq=first.record.seq,
        last_seq=last.record.seq,
        count=len(records),
        first_prev=first.record.prev,
        last_hash=Twin.of(last.digest),
        agreements=_ranges(records),
    )


def freeze(records: Sequence[Admitted], no: int, prev: TwinDigest | None, key: Sm2Key) -> Signed:
    """The signed batch over these records, as number `no` of the log; it is sent as these bytes ever after."""
    header = header_of(records)
    parts = PartsRoot.over([item.data for item in records])
    statement = Statement(USAGE_BATCH, subject_of(header.connector), no, prev, body_of(header), parts)
    by = connector_subject(header.connector)
    return Signed(statement, (signing.sign_sm2(key, statement, by=by),))


def check_batch(statement: Statement, parts: Sequence[bytes]) -> tuple[BatchHeader, list[Admitted]]:
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
    if statement.parts is None or statement.parts != PartsRoot.over(parts):
        raise FieldError("statement.parts", "所附记录的根 / the root over the records sent", "不一致 / differs")
    records = [decode(data, f"parts[{position}]") for position, data in enumerate(parts)]
    if records[0].record.seq != header.first_seq:
        raise FieldError("parts[0].seq", str(header.first_seq), str(records[0].record.seq))
    check_chain(records, header.connector, header.first_prev)
    found = header_of(records)
    for name in BatchHeader.__slots__:
        if getattr(found, name) != getattr(header, name):
            raise FieldError(f"body.{name}", str(getattr(found, name))[:120], str(getattr(header, name))[:120])
    return header, records


def _ranges(records: Sequence[Admitted]) -> tuple[AgreementRange, ...]:
    groups: dict[tuple[str, Side], list[Admitted]] = {}
    for item in records:
        groups.setdefault((item.record.agreement, item.record.side), []).append(item)
    return tuple(
        AgreementRange(
            agreement=agreement,
            side=side,
            first=min(item.record.agr_seq for item in group),
            last=max(item.record.agr_seq for item in group),
            count=len(group),
            quantity=sum(item.record.quantity for item in group if item.record.billable),
        )
        for (agreement, side), group in sorted(groups.items())
    )
