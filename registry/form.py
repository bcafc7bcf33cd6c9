"""What the applicant files: 初次登记申请表 (guide, annex 1; registration.md 4.1) and the text shown in publicity.

The form is the body of application-submitted/v1. It is complete enough to be attributed and read, or it is refused;
whether it will be granted is the agency's decision in writing, never the software's (art. 17).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from registry.asset import Count, Day, Description, Long, Short, Twin
from registry.party import IdType, PartyKind
from registry.rights import Basis, Gap, RightRow, SourceKind, judge
from registry.scheme import NATIONAL_2026, Scheme

SUBMITTED = "application-submitted/v1"

Named = Annotated[str, Meta(min_length=1, max_length=200)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]


class RegistrationType(StrEnum):
    """登记类型 (art. 32)."""

    INITIAL = "初次登记"


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
    """登记申请人: every one of them signs. Contact, phone and address never leave the file (registration.md 5.6)."""

    name: Named
    kind: PartyKind
    id_type: IdType
    id_no: Identity
    contact: Named
    phone: Named
    address: Short
    business: Business | None = None


@dataclass(frozen=True, slots=True)
class Representative:
    """代理人 with a 授权委托书 among the attachments (art. 16); signs in the role "representative"."""

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
class Form:
    """The application form of an 初次登记.

    `years` is the term asked for, `authorised_until` the last day of a source authorisation that ends earlier,
    `waiver_reason` the reason for 申请不公示 ("" = publicity), `participants` the other parties of a data fusion.
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


@dataclass(frozen=True, slots=True)
class Publicity:
    """What is published for five working days (art. 24), and nothing else."""

    applicants: tuple[Named, ...]
    data_name: Short
    overview: Long
    limits: tuple[Long, ...]


def publicity_text(form: Form) -> Publicity:
    """The publicity text of a form: names of applicants (of a natural person the family name, P), data and limits."""
    names = tuple(
        item.name[0] + "*" * (len(item.name) - 1) if item.kind is PartyKind.NATURAL else item.name
        for item in form.applicants
    )
    limits = tuple(f"{row.right.value}: {row.limits or '无'}" for row in form.rights)
    return Publicity(names, form.description.data_name, form.description.overview, (form.description.limits, *limits))


def applicant_ids(form: Form) -> frozenset[str]:
    """Identity numbers of all applicants."""
    return frozenset(item.id_no for item in form.applicants)


def attachment_kinds(form: Form) -> frozenset[str]:
    """The kinds of paper handed in."""
    return frozenset(item.kind for item in form.attachments)


def right_gaps(form: Form, scheme: Scheme = NATIONAL_2026) -> tuple[Gap, ...]:
    """What the matrix of art. 21 finds missing or forbidden in this form, row by row. Raises `NotDefined`."""
    kinds = {item.id_no: item.kind for item in form.applicants}
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
