"""What the applicant files: the application forms of annexes 1 to 5 (registration.md 4.1, 4.2) and the text shown in
publicity.

The form is the body of application-submitted/v1. It is complete enough to be attributed and read, or it is refused;
whether it will be granted is the agency's decision in writing, never the software's (art. 17). The forms of annexes 2
to 5 restate the register record as it shall be afterwards, with one section of their own; `registry.succession` drafts
them from the entry in force, so that nobody types it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ledger.reading import read
from registry.asset import Count, Day, Description, Long, Short, Twin
from registry.party import IdType, PartyKind, Person, shown_name
from registry.rights import (
    Basis,
    Gap,
    Right,
    RightRow,
    SourceKind,
    judge,
)
from registry.scheme import NATIONAL_2026, Scheme

SUBMITTED = "application-submitted/v1"

Named = Annotated[str, Meta(min_length=1, max_length=200)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]
DESCRIPTION = "description."
"""How the items of a change that concern the data begin; the others concern a holder."""


class RegistrationType(StrEnum):
    """登记类型 (art. 32)."""

    INITIAL = "初次登记"
    TRANSFER = "转让登记"
    CHANGE = "变更登记"
    RENEWAL = "续期登记"
    CANCELLATION = "注销登记"


LATER = frozenset(RegistrationType) - {RegistrationType.INITIAL}
"""The types that continue or end a certificate; an 初次登记 must be there first (art. 33)."""


class Operation(StrEnum):
    """What is done with a certificate: what a remark or an objection may block (registration.md 1.7).

    The first five are registrations; the last two are a further pledge and a new agreement.
    """

    TRANSFER = "transfer"
    CHANGE_IDENTITY = "change_identity"
    CHANGE_DESCRIPTION = "change_description"
    RENEWAL = "renewal"
    CANCELLATION = "cancellation"
    REPLEDGE = "repledge"
    CONTRACT = "contract"


class PublicData(StrEnum):
    """Case of art. 15: none, (一) duty data, (二) product of 授权运营, (三) public utility."""

    NONE = "无"
    DUTY = "一"
    OPERATED = "二"
    UTILITY = "三"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A paper handed in, by kind and twin digest; immutable, replaced only by a new version."""

    kind: Named
    name: Named
    media_type: Named
    size: Count
    digest: Twin


@dataclass(frozen=True, slots=True)
class Business:
    """经营情况 of annex 1."""

    legal_representative: Short
    founded: Day
    address: Short
    term: Short
    scope: Long
    standing: Short


@dataclass(frozen=True, slots=True)
class Applicant:
    """登记申请人: every one of them signs. Contact, phone and address never leave the file (registration.md 5.6).

    A natural person names the `party` identity it signs under and the `salt` (64 hex) with which type, number and name
    open that party's commitment; neither number nor full name leave the file. Organisations leave both empty.
    """

    name: Named
    kind: PartyKind
    id_type: IdType
    id_no: Identity
    contact: Named
    phone: Named
    address: Short
    business: Business | None = None
    party: Short = ""
    salt: Short = ""

    @property
    def identity(self) -> str:
        """The party identity: what signatures, rights and certificates know this applicant by."""
        return self.party if self.kind is PartyKind.NATURAL else self.id_no

    @property
    def person(self) -> Person:
        """What opens a natural person's commitment. Raises `FieldError` where the salt has another form."""
        document = {"id_type": self.id_type.value, "id_no": self.id_no, "name": self.name, "salt": self.salt}
        return read(Person, document, "person")

    @property
    def shown(self) -> str:
        """The name where others see it: of a natural person the family name only (P)."""
        return shown_name(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Representative:
    """代理人 with a 授权委托书 among the attachments (art. 16); signs in the role "representative".

    `id_no` is the party identity it signs under: a USCC, or that of a natural person.
    """

    name: Named
    id_no: Identity


@dataclass(frozen=True, slots=True)
class Declarations:
    """What the applicant declares about personal information, important data and public data (art. 15, 20)."""

    personal_info: bool
    important_data: bool
    public_data: PublicData = PublicData.NONE
    public_data_no: Short = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A right that somebody holds under the certificate."""

    holder: Identity
    right: Right


@dataclass(frozen=True, slots=True)
class Transfer:
    """【转让权利内容】 of annex 2. Who gives is whoever holds a moved right; who receives is every other applicant.

    The form's `rights` are those of the transferees, with the limits and terms they have; `scope` and `use` are
    数据范围 and 使用范围 in words.
    """

    moved: Annotated[tuple[Held, ...], Meta(min_length=1, max_length=100)]
    scope: Long = ""
    use: Long = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """变更前内容 and 变更后内容 of one item; what is no text stands as canonical JSON, content as its SHA-256."""

    item: Named
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """【变更事项】 of annex 3: every item that differs from the register, and no other."""

    items: Annotated[tuple[Changed, ...], Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Renewal:
    """【续期事项】 of annex 4: the kinds of right; the term asked for is the form's `years`."""

    rights: Annotated[tuple[Right, ...], Meta(min_length=1, max_length=3)]


@dataclass(frozen=True, slots=True)
class Cancellation:
    """【注销事由】 of annex 5: Z-01 by the holder, Z-02 extinction, Z-03 to Z-05 by the agency; all, or `ended`."""

    reason: Annotated[str, Meta(pattern=r"^Z-0[1-5]\Z")]
    ended: Annotated[tuple[Held, ...], Meta(max_length=100)] = ()
    note: Long = ""


@dataclass(frozen=True, slots=True)
class Form:
    """The application form of any type of registration.

    `years` is the term asked for, `authorised_until` the last day of a source authorisation that ends earlier,
    `waiver_reason` the reason for 申请不公示 ("" = publicity), `participants` the other parties of a data fusion.
    `certificate` is the code that a later registration is about, and one section says what it asks for.
    """

    scheme: Short
    agency: Identity
    type: RegistrationType
    applicants: Annotated[tuple[Applicant, ...], Meta(min_length=1, max_length=20)]
    description: Description
    source_kind: SourceKind
    right_basis: Basis
    rights: Annotated[tuple[RightRow, ...], Meta(max_length=100)]
    declarations: Declarations
    attachments: tuple[Attachment, ...]
    years: Annotated[int, Meta(ge=1, le=100)]
    authorised_until: Day | None = None
    waiver_reason: Long = ""
    participants: tuple[Named, ...] = ()
    representative: Representative | None = None
    certificate: Short = ""
    transfer: Transfer | None = None
    change: Change | None = None
    renewal: Renewal | None = None
    cancellation: Cancellation | None = None


@dataclass(frozen=True, slots=True)
class Publicity:
    """What is published for five working days (art. 24), and nothing else."""

    applicants: tuple[Named, ...]
    data_name: Short
    overview: Long
    limits: tuple[Long, ...]


def publicity_text(form: Form) -> Publicity:
    """The publicity text of a form: names of applicants (of a natural person the family name, P), data and limits."""
    names = tuple(item.shown for item in form.applicants)
    limits = tuple(f"{row.right.value}: {row.limits or '无'}" for row in form.rights)
    return Publicity(names, form.description.data_name, form.description.overview, (form.description.limits, *limits))


def applicant_ids(form: Form) -> frozenset[str]:
    """Party identities of all applicants."""
    return frozenset(item.identity for item in form.applicants)


def transferors(form: Form) -> frozenset[str]:
    """Party identities of those who give up a right by this transfer."""
    return frozenset(item.holder for item in form.transfer.moved) if form.transfer else frozenset()


def transferees(form: Form) -> frozenset[str]:
    """Party identities of the applicants who receive: those who give nothing."""
    return applicant_ids(form) - transferors(form) if form.transfer else frozenset()


def operations_of(form: Form) -> tuple[Operation, ...]:
    """What this registration does to its certificate; nothing for an 初次登记."""
    if form.change is not None:
        described = any(item.item.startswith(DESCRIPTION) for item in form.change.items)
        personal = any(not item.item.startswith(DESCRIPTION) for item in form.change.items)
        return (Operation.CHANGE_IDENTITY,) * personal + (Operation.CHANGE_DESCRIPTION,) * described
    sections = ((form.transfer, Operation.TRANSFER), (form.renewal, Operation.RENEWAL))
    found = tuple(operation for section, operation in sections if section is not None)
    return found or ((Operation.CANCELLATION,) if form.cancellation else ())


def rights_concerned(form: Form) -> frozenset[Right]:
    """The right types that a later registration is about: those moved or ended, else all of them."""
    held = form.transfer.moved if form.transfer else form.cancellation.ended if form.cancellation else ()
    return frozenset(item.right for item in held) or frozenset(Right)


def attachment_kinds(form: Form) -> frozenset[str]:
    """The kinds of paper handed in."""
    return frozenset(item.kind for item in form.attachments)


def right_gaps(form: Form, scheme: Scheme = NATIONAL_2026) -> tuple[Gap, ...]:
    """What the matrix of art. 21 finds missing or forbidden in this form, row by row. Raises `NotDefined`."""
    kinds = {item.identity: item.kind for item in form.applicants}
    return tuple(
        gap
        for row in form.rights
        for gap in judge(
            form.right_basis,
            row.right,
            kinds.get(row.holder_id, PartyKind.LEGAL),
            attachment_kinds(form),
            row.clause,
            frozenset(form.participants),
            frozenset(row.consents),
            scheme.matrix,
        )
    )


def held_by_applicants(form: Form) -> tuple[RightRow, ...]:
    """The rows that this registration will create: the rights of the applicants, not of others merely named."""
    ids = applicant_ids(form)
    return tuple(row for row in form.rights if row.holder_id in ids)
