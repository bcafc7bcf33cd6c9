"""Who takes part: organisations under their 统一社会信用代码, the staff that acts for them, the connectors they run.

Each is a fact that binds an identity to public keys (decisions D15). A right check digit proves the form of a code
(GB 32100-2015), not that the organisation exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from stdnum.cn import uscc as stdnum_uscc

from ledger.errors import FieldError

PARTY = "party/v1"
STAFF = "staff/v1"
CONNECTOR = "connector/v1"

AGENCY = "agency"
DEPOSIT_AUTHORITY = "deposit_authority"
AFFILIATE = "affiliate"
"""Role of a party that is under common control with the agency: party and agency both sign for it (3.4, P)."""
STAFF_ROLES = frozenset({"intake", "reviewer", "approver", "deposit_officer"})

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Sm2Public = Annotated[str, Meta(pattern="^04[0-9a-f]{128}$")]
EvmAddress = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
RoleName = Annotated[str, Meta(pattern="^[a-z][a-z_]{1,31}$")]

# The letters I O S V Z are not used. python-stdnum is stricter than the standard (it wants digits in places 1 and 2,
# where 登记管理部门 and 机构类别 may be letters, e.g. N2 of rural collectives), so only its check digit is used.
_USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
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
class Party:
    """Body of party/v1: an organisation, its SM2 key and its EVM address; signed by itself and by the agency."""

    name: Text
    kind: PartyKind
    uscc: str
    sm2: Sm2Public
    evm: EvmAddress
    roles: tuple[RoleName, ...] = ()


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


def check_party(body: Party, subject: str) -> Party:
    """The body of party/v1 belongs to its subject "party:<USCC>". Raises `FieldError`."""
    check_uscc(body.uscc)
    if subject != party_subject(body.uscc):
        raise FieldError("statement.subject", party_subject(body.uscc), subject)
    if body.kind is PartyKind.NATURAL:
        raise FieldError("kind", "持统一社会信用代码的法人或非法人组织 / an organisation with a USCC", body.kind.value)
    return body


def party_subject(uscc: str) -> str:
    """The subject, and the signer name, of a party."""
    return f"party:{uscc}"


def staff_subject(identity: str) -> str:
    """The subject, and the signer name, of a member of staff."""
    return f"staff:{identity}"


def connector_subject(identity: str) -> str:
    """The subject, and the signer name, of a connector."""
    return f"connector:{identity}"


def masked(number: str) -> str:
    """An identity number as public pages show it: the first four and last two characters (registration.md 4.4, P)."""
    return number if len(number) <= 6 else number[:4] + "*" * (len(number) - 6) + number[-2:]
