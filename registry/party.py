"""Who takes part: organisations under their 统一社会信用代码, natural persons, staff, the connectors they run.

Each is a fact that binds an identity to public keys (decisions D15). A right check digit proves the form of a code
(GB 32100-2015), not that the organisation exists.

A natural person (自然人) is known by "P" and 17 hex digits, the head of a salted commitment to kind and number of the
identity paper and the full name. Those stand in what the person files and nowhere else: not in party/v1, not in a
signer's name, not in the log (registration.md 5.6). Who knows number, name and salt can open the commitment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from stdnum.cn import uscc as stdnum_uscc

from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from registry.asset import Hex64, Twin

PARTY = "party/v1"
STAFF = "staff/v1"
CONNECTOR = "connector/v1"
COMMITMENT = "person-commitment/v1"
"""The tag in front of what a natural person commits to."""
DOCUMENT = "person-document/v1"
"""The tag in front of kind and number of an identity paper, where two of them are compared."""

AGENCY = "agency"
DEPOSIT_AUTHORITY = "deposit_authority"
AFFILIATE = "affiliate"
"""Role of a party that is under common control with the agency: party and agency both sign for it (3.4, P)."""
STAFF_ROLES = frozenset({"intake", "reviewer", "approver", "deposit_officer"})

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Sm2Public = Annotated[str, Meta(pattern=r"^04[0-9a-f]{128}\Z")]
EvmAddress = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
RoleName = Annotated[str, Meta(pattern=r"^[a-z][a-z_]{1,31}\Z")]

# The letters I O S V Z are not used. python-stdnum is stricter than the standard (it wants digits in places 1 and 2,
# where 登记管理部门 and 机构类别 may be letters, e.g. N2 of rural collectives), so only its check digit is used. No
# 登记管理部门 has the letter P, which here marks natural persons: no identity can be read as both.
_USCC = re.compile(r"(?!P)[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_PERSON = re.compile(r"P[0-9A-F]{17}")
_OTHER_NUMBER = re.compile(r"[0-9A-Z()/-]{4,64}")
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class PartyKind(StrEnum):
    """Legal nature of a party (guide, annex 1: 申请人类型)."""

    NATURAL = "自然人"
    LEGAL = "法人"
    UNINCORPORATED = "非法人组织"


class IdType(StrEnum):
    """Kind of identity number."""

    USCC = "统一社会信用代码"
    RESIDENT = "居民身份证"
    OTHER = "其他证件"


@dataclass(frozen=True, slots=True)
class Person:
    """What a natural person is known by: kind and number of the identity paper, full name, and a salt of 256 bits (64
    hex) that is drawn once and kept with the person's key. It opens the person's commitment."""

    id_type: IdType
    id_no: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Text
    salt: Hex64


@dataclass(frozen=True, slots=True)
class Party:
    """Body of party/v1: a party, its SM2 key and its EVM address; signed by itself and by the agency.

    Of an organisation name and USCC; of a natural person the `commitment`, the name masked, and no code.
    """

    name: Text
    kind: PartyKind
    uscc: str
    sm2: Sm2Public
    evm: EvmAddress
    roles: tuple[RoleName, ...] = ()
    commitment: Twin | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """Body of staff/v1: a person who acts for an organisation in named roles; known by a key, never by name.

    `active` false ends every role from the instant of the fact.
    """

    organisation: str
    sm2: Sm2Public
    roles: tuple[RoleName, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Connector:
    """Body of connector/v1: a metering connector, its owner and the key it signs usage records with."""

    owner: str
    sm2: Sm2Public
    software: Text


def uscc_is_valid(code: str) -> bool:
    """Is this an 18-character 统一社会信用代码 with a right check digit (GB 32100-2015)?"""
    return bool(_USCC.fullmatch(code)) and code[17] == stdnum_uscc.calc_check_digit(code[:17])


def check_uscc(code: str, field: str = "uscc") -> str:
    """`code` itself, or `FieldError`. Lower case, full-width characters and separators are refused, not repaired."""
    if not uscc_is_valid(code):
        raise FieldError(
            field,
            "校验位正确的 18 位统一社会信用代码，请核对证照 / an 18-character USCC with a right check digit",
            repr(code)[:40],
        )
    return code


def resident_id_is_valid(number: str) -> bool:
    """Is this an 18-character 居民身份证号码 with a right check character (GB 11643)?"""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return False
    return number[17] == "10X98765432"[sum(int(c) * w for c, w in zip(number, _RESIDENT_WEIGHTS, strict=False)) % 11]


def is_person(identity: str) -> bool:
    """Has this the form of a natural person's party identity?"""
    return bool(_PERSON.fullmatch(identity))


def is_party(identity: str) -> bool:
    """Can a party have this identity: a USCC, or that of a natural person?"""
    return is_person(identity) or uscc_is_valid(identity)


def check_identity(identity: str, field: str) -> str:
    """The identity of a party itself, or `FieldError`."""
    return identity if is_person(identity) else check_uscc(identity, field)


def number_is_valid(kind: IdType, number: str) -> bool:
    """Has this number the form, and the check character, of its kind of identity paper?

    Other papers than these two: 4 to 64 digits, capital letters, brackets, strokes and hyphens, so that one number has
    one spelling (P).
    """
    if kind is IdType.USCC:
        return uscc_is_valid(number)
    return resident_id_is_valid(number) if kind is IdType.RESIDENT else bool(_OTHER_NUMBER.fullmatch(number))


def check_person(person: Person, field: str) -> Person:
    """The person, whose paper is one that natural persons have and its number well formed. Raises `FieldError`."""
    if person.id_type is IdType.USCC:
        raise FieldError(f"{field}.id_type", "居民身份证或其他证件 / an identity paper", person.id_type.value)
    if not number_is_valid(person.id_type, person.id_no):
        raise FieldError(
            f"{field}.id_no",
            "格式和校验位正确的证件号码，请核对证件 / a well-formed number of this kind of paper",
            masked(person.id_no),
        )
    return person


def commitment_of(person: Person) -> Twin:
    """Twin digest of the canonical form of the tag, `id_type`, `id_no`, `name` and `salt`. Raises `FieldError`."""
    document = {
        "id_no": person.id_no,
        "id_type": person.id_type.value,
        "name": person.name,
        "salt": person.salt,
        "tag": COMMITMENT,
    }
    return Twin.of(twin(canonical.encode(document)))


def opens(person: Person, commitment: Twin) -> bool:
    """Is this the person who committed?"""
    return commitment_of(person) == commitment


def identity_of(commitment: Twin) -> str:
    """The party identity that follows from a natural person's first commitment."""
    return f"P{commitment.sha256[:17].upper()}"


def document_of(kind: IdType, number: str) -> str:
    """The SHA-256 (64 hex) under which kind and number of an identity paper are compared. Without a salt it can be
    guessed: it stays in the register's own tables, beside the forms that hold the number itself."""
    return twin(canonical.encode({"id_no": number, "id_type": kind.value, "tag": DOCUMENT})).sha256.hex()


def check_party(body: Party, subject: str, no: int = 0) -> Party:
    """The body of party/v1, act `no`, belongs to its subject "party:⟨USCC, or P identity⟩". Raises `FieldError`.

    A later act of a natural person may commit to another name; the identity is that of the first.
    """
    if body.kind is not PartyKind.NATURAL:
        check_uscc(body.uscc)
        if body.commitment is not None:
            raise FieldError("commitment", "仅自然人有此项 / of natural persons only", body.commitment.sha256[:16])
        own = body.uscc
    else:
        if body.uscc or body.commitment is None:
            raise FieldError(
                "commitment", "自然人以身份承诺入册，不填统一社会信用代码 / a commitment and no USCC",
                "缺失 / missing" if body.commitment is None else body.uscc[:18],
            )  # fmt: skip
        if not re.fullmatch(r"[^*]\*+", body.name):
            raise FieldError("name", "姓氏和 * 号 / the family name and *", masked_name(body.name))
        own = identity_of(body.commitment) if no == 0 else subject.removeprefix("party:")
        if not is_person(own):
            raise FieldError("statement.subject", "party:P…", subject)
    if subject != party_subject(own):
        raise FieldError("statement.subject", party_subject(own), subject)
    return body


def party_subject(identity: str) -> str:
    """The subject, and the signer name, of a party: of an organisation by its USCC, of a person by its P identity."""
    return f"party:{identity}"


def staff_subject(identity: str) -> str:
    """The subject, and the signer name, of a member of staff."""
    return f"staff:{identity}"


def connector_subject(identity: str) -> str:
    """The subject, and the signer name, of a connector."""
    return f"connector:{identity}"


def masked(number: str) -> str:
    """An identity number as public pages show it: the first four and last two characters, of a short number one each
    (registration.md 4.4, P)."""
    first, last = (4, 2) if len(number) > 10 else (1, 1)
    if len(number) <= 3:
        return "*" * len(number)
    return number[:first] + "*" * (len(number) - first - last) + number[-last:]


def masked_name(name: str) -> str:
    """The name of a natural person where others see it: the family name, at least its first character, and a star for
    each character more (P)."""
    return name[:1] + "*" * max(1, len(name) - 1)


def shown_name(kind: PartyKind, name: str) -> str:
    """A party's name where others see it."""
    return masked_name(name) if kind is PartyKind.NATURAL else name
