"""数据产权登记凭证: what is deposited, what stands in the register, and whether it is in force.

The *deposit record* is what the deposit authority takes in (art. 26); the *register entry* is the record with its code
and times, one fact per certificate version, whose digest goes on paper and chain (decisions D18); the paper's own
digests are a second fact, so that nothing contains its own digest. The entry's statement keeps the record as its
parts, one salted field each (`ledger.disclosure`): a holder may show the rights without the description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger import canonical, disclosure
from ledger.digest import TwinDigest, derive_salt, twin
from ledger.errors import FieldError
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.asset import Count, Day, Description, Long, Short, Twin
from registry.calendar import ONE_DAY, add_years, day_of, end_of
from registry.case import Case
from registry.form import Identity, Named, RegistrationType, held_by_applicants
from registry.party import PartyKind
from registry.rights import Basis, RightRow, SourceKind
from registry.scheme import Scheme

ENTRY = "register-entry/v1"
ISSUED = "certificate-issued/v1"
DEPOSIT_RECEIPT = "deposit-receipt/v1"
USE_AUTHORISATION = "use-authorisation/v1"
RECORD = "deposit-record/v1"
"""The tag in front of a deposit record."""

PAPER_TYPE = "REGISTRATION_CERT"

Instant = Annotated[int, Meta(ge=0, le=2**32 - 1)]
FieldName = Annotated[str, Meta(pattern="^[a-z_]{1,40}$")]
Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Status(StrEnum):
    """Status of a certificate version (decisions D19); one enumeration everywhere."""

    VALID = "VALID"
    RENEWAL_PENDING = "RENEWAL_PENDING"
    SUPERSEDED = "SUPERSEDED"
    TRANSFERRED = "TRANSFERRED"
    LAPSED = "LAPSED"
    CANCELLED = "CANCELLED"


STATUS_NAMES = {
    Status.VALID: "有效",
    Status.RENEWAL_PENDING: "届满待续",
    Status.SUPERSEDED: "已被新版本取代",
    Status.TRANSFERRED: "已转出",
    Status.LAPSED: "自动失效",
    Status.CANCELLED: "已注销",
}
IN_FORCE = frozenset({Status.VALID, Status.RENEWAL_PENDING})


@dataclass(frozen=True, slots=True)
class Holder:
    """权利人 as the register names it: no contact, phone or address."""

    name: Named
    kind: PartyKind
    id_no: Identity


@dataclass(frozen=True, slots=True)
class Record:
    """What is deposited (art. 26): applicant, data, rights and limits, and the digests of every fact that led here.

    `facts` are the twin digests of the application's facts in order, up to the request for deposit. `salt` follows
    from the salt of the first of them, so that the record's digest tells nobody the content.
    """

    application: str
    scheme: Short
    agency: Identity
    type: RegistrationType
    holders: tuple[Holder, ...]
    description: Description
    source_kind: SourceKind
    right_basis: Basis
    rights: tuple[RightRow, ...]
    years: int
    publicity_waived: bool
    remarks: tuple[Long, ...]
    facts: tuple[Twin, ...]
    salt: Hex64
    authorised_until: Day | None = None


@dataclass(frozen=True, slots=True)
class DepositRequest:
    """What is sent to the deposit authority: the digest of the record, never the record itself.

    `subject` is the subject its receipt must have, `requested_at` the second the request was decided.
    """

    subject: str
    application: str
    agency: Identity
    authority: Identity
    record: Twin
    requested_at: int


@dataclass(frozen=True, slots=True)
class DepositReceipt:
    """Body of deposit-receipt/v1, act 0 of the request's subject, signed by the authority: the legal deposit time.

    `cert_code` is the certificate's code where the national system assigns codes, "" where the agency does.
    """

    authority: Identity
    agency: Identity
    application: str
    record: Twin
    number: Named
    deposited_at: Instant
    cert_code: Annotated[str, Meta(pattern="^([A-Z0-9]{15})?$")] = ""


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """Body of register-entry/v1: THE deposited record of one certificate version, signed by the agency.

    `fields` names the statement's parts, which hold the record; `record_digest` is that of the whole record.
    `valid_from` is the deposit instant, `last_day` the last legal day of validity, `valid_until` the first instant
    after it (+08:00); `receipt` is the twin digest of the deposit receipt fact.
    """

    code: str
    version: Annotated[int, Meta(ge=1)]
    paper_type: str
    agency: Identity
    agency_name: Named
    agency_catalogue_no: Short
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1, max_length=64)]
    record_digest: Twin
    receipt: Twin
    receipt_number: Named
    authority_name: Named
    deposited_at: Instant
    valid_from: Instant
    valid_until: Instant
    last_day: Day


@dataclass(frozen=True, slots=True)
class Document:
    """One paper of a certificate: "pdf" or "json", its size and twin digest."""

    form: Annotated[str, Meta(pattern="^(pdf|json)$")]
    size: Count
    digest: Twin


@dataclass(frozen=True, slots=True)
class Issue:
    """Body of certificate-issued/v1: which papers were issued for which register entry.

    `entry` is the twin digest of the register-entry fact, `token` the random text in the QR code, `check_url` the
    address of the check page without query.
    """

    code: str
    version: Annotated[int, Meta(ge=1)]
    entry: Twin
    documents: tuple[Document, ...]
    token: Short
    check_url: Short


@dataclass(frozen=True, slots=True)
class UseAuthorisation:
    """Body of use-authorisation/v1: the holder lets somebody use the data to derive other data; signed by the holder.

    In force from `from_at` (included) to `to_at` (excluded), seconds UTC.
    """

    certificate: str
    holder: Identity
    grantee: Identity
    rights: Annotated[tuple[Annotated[str, Meta(pattern="^USE$")], ...], Meta(min_length=1, max_length=1)]
    from_at: Instant
    to_at: Instant
    scenes: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides the status of a version at an instant. Instants in seconds UTC; `ended_at` belongs to `ended`."""

    valid_from: int
    valid_until: int
    ended: Status | None = None
    ended_at: int = 0
    renewal_filed_at: int | None = None
    encumbered: bool = False
    objection: bool = False


def record_of(case: Case, facts: Sequence[Fact], remarks: tuple[str, ...] = ()) -> Record:
    """The deposit record of a case with its facts so far."""
    form = case.form
    return Record(
        application=case.application,
        scheme=form.scheme,
        agency=form.agency,
        type=form.type,
        holders=tuple(Holder(item.name, item.kind, item.id_no) for item in form.applicants),
        description=form.description,
        source_kind=form.source_kind,
        right_basis=form.right_basis,
        rights=held_by_applicants(form),
        years=form.years,
        publicity_waived=case.waived,
        remarks=remarks,
        facts=tuple(Twin.of(fact.digest()) for fact in facts),
        salt=derive_salt(bytes.fromhex(facts[0].salt), RECORD),
        authorised_until=form.authorised_until,
    )


def record_digest(record: Record) -> Twin:
    """Twin digest of the record under its own tag: what the deposit authority signs for."""
    return Twin.of(twin(canonical.encode({"record": body_of(record), "tag": RECORD})))


def record_parts(record: Record) -> tuple[bytes, ...]:
    """The parts of the register entry's statement."""
    return disclosure.parts_of(body_of(record))


def record_in(entry: RegisterEntry, parts: Sequence[bytes]) -> Record:
    """The record an entry keeps in its parts. Raises `FieldError` unless it is the one the entry's digest names."""
    record = read(Record, disclosure.document_of(entry.fields, parts), "record")
    if record_digest(record) != entry.record_digest:
        raise FieldError("body.record_digest", record_digest(record).sha256, entry.record_digest.sha256)
    return record


def deposit_subject(record: Twin) -> str:
    """The subject of the receipt for this record: one record is deposited once."""
    return f"deposit:{record.sha256}"


def certificate_subject(code: str) -> str:
    """The subject of everything that happens to a certificate."""
    return f"certificate:{code}"


def last_day_of_validity(deposited_at: int, years: int, scheme: Scheme, earlier: Sequence[str] = ()) -> date:
    """Deposit date + N years − 1 day, inclusive; never later than the scheme's maximum or an `earlier` end (ISO days).

    A source authorisation that ends earlier ends the validity too (registration.md 2.2, P).
    """
    anniversary = add_years(day_of(deposited_at), min(years, scheme.max_years))
    last = anniversary - ONE_DAY if scheme.validity_end == "day_before" else anniversary
    return min([last, *(date.fromisoformat(day) for day in earlier)])


def register_entry(
    record: Record,
    receipt: DepositReceipt,
    receipt_digest: TwinDigest,
    code: str,
    scheme: Scheme,
    agency_name: str,
    agency_catalogue_no: str,
    authority_name: str,
    source_ends: Sequence[str] = (),
) -> RegisterEntry:
    """The register entry that a verified deposit receipt completes; `source_ends` are the last days of its sources."""
    earlier = [*source_ends, *([record.authorised_until] if record.authorised_until else [])]
    last = last_day_of_validity(receipt.deposited_at, record.years, scheme, earlier)
    return RegisterEntry(
        code=code,
        version=1,
        paper_type=PAPER_TYPE,
        agency=record.agency,
        agency_name=agency_name,
        agency_catalogue_no=agency_catalogue_no,
        fields=disclosure.names_of(body_of(record)),
        record_digest=record_digest(record),
        receipt=Twin.of(receipt_digest),
        receipt_number=receipt.number,
        authority_name=authority_name,
        deposited_at=receipt.deposited_at,
        valid_from=receipt.deposited_at,
        valid_until=end_of(last),
        last_day=last.isoformat(),
    )


def status_at(standing: Standing, at: int) -> Status | None:
    """The status at an instant; `None` before the certificate began. Validity ends by itself at `valid_until`.

    A renewal filed in time keeps a certificate from lapsing (art. 36); it is then pending, not plainly valid.
    """
    if at < standing.valid_from:
        return None
    if standing.ended is not None and at >= standing.ended_at:
        return standing.ended
    if at < standing.valid_until:
        return Status.VALID
    filed = standing.renewal_filed_at
    return Status.RENEWAL_PENDING if filed is not None and filed < standing.valid_until else Status.LAPSED
