"""数据产权登记凭证: what is deposited, what stands in the register, and whether it is in force.

The *deposit record* is what the deposit authority takes in (art. 26); the *register entry* is the record with its code
and times, one fact per certificate version, whose digest goes on paper and chain (decisions D18); the paper's own
digests are a second fact, so that nothing contains its own digest. The entry's statement keeps the record as its
parts, one salted field each (`ledger.disclosure`): a holder may show the rights without the description.

A later registration makes a new entry: the next version of the code, or a new code for whoever the rights moved to.
The entry names its *predecessor* and what that becomes, so superseding and transferring need no words of their own.
Only a whole 注销 has no entry to follow; the *ending* is its deposited fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger import canonical, disclosure
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry.asset import Count, Day, Description, Long, Short, Twin
from registry.calendar import (
    ONE_DAY,
    add_months,
    day_of,
    end_of,
)
from registry.clocks import validity
from registry.form import (
    Applicant,
    Identity,
    Named,
    RegistrationType,
)
from registry.party import PartyKind, masked
from registry.rights import Basis, RightRow, SourceKind
from registry.scheme import Scheme

ENTRY = "register-entry/v1"
ENDING = "register-ending/v1"
ISSUED = "certificate-issued/v1"
DEPOSIT_RECEIPT = "deposit-receipt/v1"
USE_AUTHORISATION = "use-authorisation/v1"
RECORD = "deposit-record/v1"
"""The tag in front of a deposit record."""

PAPER_TYPE = "REGISTRATION_CERT"

Instant = Annotated[int, Meta(ge=0, le=2**32 - 1)]
FieldName = Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


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
    """权利人 as the register names it: no contact, phone or address.

    `identity` is the party identity. A natural person has it in place of the number, which stands masked beside it for
    the paper (`number`, "" for organisations); the name is masked too. Only the form on file has both in full.
    """

    name: Named
    kind: PartyKind
    identity: Identity
    number: Short = ""

    @property
    def shown_number(self) -> str:
        """The identity number as the paper prints it: masked."""
        return self.number or masked(self.identity)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The certificate version that an entry continues, and what it becomes at the deposit (CANCELLED: by an ending).

    `successors` is how many entries of one deposit continue it: two when only part of the rights moved.
    """

    code: Short
    version: Annotated[int, Meta(ge=1)]
    status: Annotated[str, Meta(pattern=r"^(SUPERSEDED|TRANSFERRED|CANCELLED)\Z")]
    successors: Annotated[int, Meta(ge=1, le=2)] = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What is deposited (art. 26): applicant, data, rights and limits, and the digests of every fact that led here.

    `facts` are the twin digests of the application's facts in order, up to the request for deposit. `salt` follows
    from the salt of the first of them, so that the record's digest tells nobody the content. `remainder` is the digest
    of the record of what the transferor's certificate keeps, when only part of it moved: one deposit covers both. A
    record without rights ends its predecessor's certificate.
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
    predecessor: Predecessor | None = None
    remainder: Twin | None = None


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
    cert_code: Annotated[str, Meta(pattern=r"^([A-Z0-9]{15})?\Z")] = ""


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
    type: RegistrationType = RegistrationType.INITIAL
    predecessor: Predecessor | None = None


@dataclass(frozen=True, slots=True)
class RegisterEnding:
    """Body of register-ending/v1: the deposited record of a whole 注销, signed by the agency; no version follows.

    `version` is the one that ended, at `ended_at` (the deposit instant), on the ground Z-01 to Z-05.
    """

    code: str
    version: Annotated[int, Meta(ge=1)]
    status: Annotated[str, Meta(pattern=r"^CANCELLED\Z")]
    ground: Annotated[str, Meta(pattern=r"^Z-0[1-5]\Z")]
    agency: Identity
    agency_name: Named
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1, max_length=64)]
    record_digest: Twin
    receipt: Twin
    receipt_number: Named
    authority_name: Named
    ended_at: Instant


@dataclass(frozen=True, slots=True)
class Document:
    """One paper of a certificate, its size in bytes and twin digest: the unsigned "body" of the PDF, the sealed "pdf",
    the "json" document, the "vc" (verifiable credential)."""

    form: Annotated[str, Meta(pattern=r"^(body|pdf|json|vc)\Z")]
    size: Count
    digest: Twin


@dataclass(frozen=True, slots=True)
class SealMark:
    """登记专用章 on the issued PDF: twin digest of its key certificate (DER) and whom that names.

    `trial`: it is a 演示用印. `stamped_at` (seconds UTC) and `stamped_by` are those of the time stamp, if there is one.
    """

    certificate: Twin
    holder: Short
    trial: bool
    stamped_at: Instant | None = None
    stamped_by: Annotated[str, Meta(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """Body of certificate-issued/v1: which papers were issued for which register entry; its one part is the credential.

    `entry` is the twin digest of the register-entry fact, `token` the random text in the QR code, `check_url` the
    address of the check page without query. `status_list` and `status_index` are the place of this version in the
    two status lists (registration.md 5.5), drawn at random and never given twice.
    """

    code: str
    version: Annotated[int, Meta(ge=1)]
    entry: Twin
    documents: tuple[Document, ...]
    token: Short
    check_url: Short
    status_list: Annotated[int, Meta(ge=1, le=9999)]
    status_index: Annotated[int, Meta(ge=0, lt=131_072)]
    seal: SealMark


@dataclass(frozen=True, slots=True)
class UseAuthorisation:
    """Body of use-authorisation/v1: the holder lets somebody use the data to derive other data; signed by the holder.

    In force from `from_at` (included) to `to_at` (excluded), seconds UTC.
    """

    certificate: str
    holder: Identity
    grantee: Identity
    rights: Annotated[tuple[Annotated[str, Meta(pattern=r"^USE\Z")], ...], Meta(min_length=1, max_length=1)]
    from_at: Instant
    to_at: Instant
    scenes: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class InForce:
    """A certificate version as a later registration finds it: what stands in the register and how it stands.

    `applicants` are the holders as their last forms describe them; `renewal_filed` says that a renewal is pending.
    """

    code: str
    version: int
    status: Status | None
    record: Record
    valid_from: int
    valid_until: int
    last_day: str
    applicants: tuple[Applicant, ...] = ()
    renewal_filed: bool = False


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


def holder_of(person: Applicant) -> Holder:
    """An applicant as the register names it: of a natural person neither number nor given name."""
    number = masked(person.id_no) if person.kind is PartyKind.NATURAL else ""
    return Holder(person.shown, person.kind, person.identity, number)


def record_digest(record: Record) -> Twin:
    """Twin digest of the record under its own tag: what the deposit authority signs for."""
    return Twin.of(twin(canonical.encode({"record": body_of(record), "tag": RECORD})))


def record_parts(record: Record) -> tuple[bytes, ...]:
    """The parts of the register entry's statement."""
    return disclosure.parts_of(body_of(record))


def record_in(entry: RegisterEntry | RegisterEnding, parts: Sequence[bytes]) -> Record:
    """The record an entry or ending keeps in its parts. Raises `FieldError` unless its digest names this one."""
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
    return validity(day_of(deposited_at), years, scheme, [date.fromisoformat(day) for day in earlier])


def renewal_window(last_day: str, scheme: Scheme) -> tuple[date, date]:
    """First and last day on which a renewal may be filed (art. 36): six months before the last day of validity, and the
    day before it. 31 August less six months is the last of February."""
    last = date.fromisoformat(last_day)
    return add_months(last, -scheme.clocks["C09"].length), last - ONE_DAY


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
    last_day: str | None = None,
) -> RegisterEntry:
    """The register entry that a verified deposit receipt completes; `source_ends` are the last days of its sources.

    `last_day` keeps the validity of the predecessor; without it the term runs from this deposit.
    """
    if last_day is None:
        earlier = [*source_ends, *([record.authorised_until] if record.authorised_until else [])]
        last = last_day_of_validity(receipt.deposited_at, record.years, scheme, earlier)
    else:
        last = date.fromisoformat(last_day)
    before = record.predecessor
    return RegisterEntry(
        code=code,
        version=before.version + 1 if before is not None and before.code == code else 1,
        type=record.type,
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
        predecessor=before,
    )


def register_ending(
    record: Record,
    receipt: DepositReceipt,
    receipt_digest: TwinDigest,
    ground: str,
    agency_name: str,
    authority_name: str,
) -> RegisterEnding:
    """The ending that a verified deposit receipt completes: the predecessor's certificate is cancelled as a whole."""
    assert record.predecessor is not None
    return RegisterEnding(
        code=record.predecessor.code,
        version=record.predecessor.version,
        status=Status.CANCELLED.value,
        ground=ground,
        agency=record.agency,
        agency_name=agency_name,
        fields=disclosure.names_of(body_of(record)),
        record_digest=record_digest(record),
        receipt=Twin.of(receipt_digest),
        receipt_number=receipt.number,
        authority_name=authority_name,
        ended_at=receipt.deposited_at,
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
