"""One metered use, chained to the one before it by the connector that saw it.

A record is a *part* of a batch fact: canonical bytes under the batch's twin root, so that each can be proved alone. Its
identity is (connector, seq); `agr_seq` orders the records of one (agreement, side); `request_id` joins the two sides.
Source: exchange.md §5.1, §5.2 (M1), §5.3; decisions D5, D10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from clearing.market.policy import Decision, Reason
from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of, read

FUTURE_LIMIT = 300

Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Digits64 = Annotated[str, Meta(min_length=64, max_length=64)]
"""Like `Hex64`; that they are lower-case hex is checked for all of a record's digits in one step (`_check`)."""
Digits32 = Annotated[str, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Ordinal = Annotated[int, Meta(ge=1, le=2**53 - 1)]
CONNECTOR_ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
REQUEST_ID = "[A-Za-z0-9][A-Za-z0-9._:-]{7,127}"
ConnectorId = Annotated[str, Meta(pattern=rf"^{CONNECTOR_ID}\Z")]
ConnectorText = Annotated[str, Meta(min_length=1, max_length=64)]
"""Like `ConnectorId`; its pattern is checked for all records of a batch in one step (`_check`)."""
RequestText = Annotated[str, Meta(min_length=8, max_length=128)]


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


class Link(msgspec.Struct, frozen=True, gc=False):
    """The twin digest of the connector's record before, 64 lower-case hex characters each."""

    sha256: Digits64
    sm3: Digits64

    @classmethod
    def to(cls, digest: TwinDigest) -> Link:
        """The link to the record with this digest."""
        return cls(digest.sha256.hex(), digest.sm3.hex())


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A use of mode M1 as one side saw it. `occurred_at` is seconds UTC by the connector's clock.

    `prev` is the twin digest of the connector's record before (absent in its first). `counted` is the number of units
    used before this one under the agreement: with it the decision can be replayed. `policy` names the use policy by
    SHA-256, `user_ref` and `request` are salted references (user; method, path and body), `salt` keeps the digest of
    the record silent. `billable` is false for what was refused and for trials; whether a failed call costs anything is
    for the tariff. The fields stand in the order of the canonical bytes, so that none is searched for or sorted.
    """

    agr_seq: Ordinal
    agreement: Digits64
    billable: bool
    bytes: Count
    certificate: Annotated[str, Meta(min_length=1, max_length=200)]
    connector: ConnectorText
    counted: Count
    decision: Decision
    direction: Direction
    latency_ms: Count
    listing: Digits32
    mode: Literal["M1"] = "M1"
    occurred_at: Count
    policy: Digits64
    prev: Link | None = None
    purpose: Annotated[str, Meta(max_length=200)]
    quantity: Count
    reasons: tuple[Reason, ...]
    request: Digits64
    request_id: RequestText
    revision: Ordinal
    salt: Digits64
    schema: Literal["usage-record/v1"] = "usage-record/v1"
    seq: Ordinal
    side: Side
    status: StatusClass
    unit: Annotated[str, Meta(min_length=1, max_length=64)]
    user_ref: Digits64
    version: Ordinal


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
    return Admitted(read_record(data, where), data, twin(data))


def read_record(data: bytes, where: str = "record") -> UsageRecord:
    """The record these canonical bytes are. Raises `Malformed` or `FieldError`."""
    found = _quick(data + b"\n")
    record = found[0] if found is not None and len(found) == 1 else _strict(data, where)
    _check(record, where)
    return record


def read_records(parts: Sequence[bytes]) -> list[UsageRecord]:
    """The records these canonical texts are; none holds a line feed. Raises `Malformed` or `FieldError` by position."""
    found = _quick(b"\n".join((*parts, b"")))
    if found is None or len(found) != len(parts):
        return [read_record(data, f"parts[{position}]") for position, data in enumerate(parts)]
    alike = _are_well_written(found)
    for position, record in enumerate(found):
        if not (alike and _is_common(record)):
            _check(record, f"parts[{position}]")
    return found


def _strict(data: bytes, where: str) -> UsageRecord:
    try:
        value = canonical.decode(data)
    except FieldError as error:
        raise FieldError(where + error.field.removeprefix("$"), error.expected, error.given) from error
    except Malformed as error:
        raise Malformed(f"{where}：{error}") from error
    record = read(UsageRecord, value, where)
    # Two fields have but one value; left out, they would make a second byte form of the same record.
    for name in sorted(body_of(record).keys() - value.keys()):
        raise FieldError(f"{where}.{name}", "必填 / required", "缺失 / missing")
    return record


_decoder = msgspec.json.Decoder(UsageRecord)
_encoder = msgspec.json.Encoder()


def _quick(lines: bytes) -> list[UsageRecord] | None:
    """The records if their lines are canonical beyond doubt, else None: the strict reader then decides, record by
    record, and names the fault.

    Every integer of a record is bounded by its type and every text holds plain characters, so what is left of the
    profile is that the typed values encode to these very bytes; that refuses unknown fields too.
    """
    if not canonical.is_plain(lines):
        return None
    try:
        records = _decoder.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # A record without `prev` is a connector's first, or says null: the encoder writes null for both.
    if any(record.prev is None for record in records) or _encoder.encode_lines(records) != lines:
        return None
    return records


_DIGITS = ("agreement", "listing", "policy", "request", "salt", "user_ref")
_NO_LINK = Link("", "")
_digits_of = attrgetter(*_DIGITS, "prev.sha256", "prev.sm3")
_connector_id, _request_id = re.compile(CONNECTOR_ID), re.compile(REQUEST_ID)
_request_ids = re.compile(f"(?:{REQUEST_ID}\n)*")


def _are_well_written(records: Sequence[UsageRecord]) -> bool:
    """Are the digits of all these records, each with a `prev`, lower-case hex, and their names names? Read together:
    one look at a long text costs less than many at short ones."""
    digits = "".join(chain.from_iterable(map(_digits_of, records)))
    return (
        digits.isascii()
        and not digits.encode().translate(None, b"0123456789abcdef")
        and all(map(_connector_id.fullmatch, {record.connector for record in records}))
        and _request_ids.fullmatch("".join([f"{record.request_id}\n" for record in records])) is not None
    )


def _is_common(record: UsageRecord) -> bool:
    """An allowed use that took place, not the connector's first: nothing in it can contradict anything else."""
    return (
        record.decision is Decision.ALLOW
        and not record.reasons
        and record.status is not StatusClass.NONE
        and record.seq != 1
    )


def _is_hex(text: str) -> bool:
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False


def _check(record: UsageRecord, where: str) -> None:
    r, link = record, record.prev or _NO_LINK
    if not _is_hex(f"{r.agreement}{r.listing}{r.policy}{r.request}{r.salt}{r.user_ref}{link.sha256}{link.sm3}"):
        digits = {name: getattr(record, name) for name in _DIGITS}
        digits |= {"prev.sha256": link.sha256, "prev.sm3": link.sm3}
        name = next(name for name, text in digits.items() if not _is_hex(text))
        raise FieldError(f"{where}.{name}", "小写十六进制 / lower-case hex", repr(digits[name])[:80])
    if not _connector_id.fullmatch(r.connector):
        raise FieldError(f"{where}.connector", CONNECTOR_ID, repr(r.connector)[:80])
    if not _request_id.fullmatch(r.request_id):
        raise FieldError(f"{where}.request_id", REQUEST_ID, repr(r.request_id)[:80])
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
