"""The paper something rests on: of a court, an office, a pledgee, or the parties; by its digest, never its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from registry.asset import Day, Twin
from registry.form import Identity, Named


class AuthorityType(StrEnum):
    """Who issued the instrument; of a remark, the public sees only this (registration.md 5.6)."""

    COURT = "court"
    PROCURATORATE = "procuratorate"
    POLICE = "police"
    ARBITRATION = "arbitration"
    ADMINISTRATION = "administration"
    OTHER_BODY = "other_body"
    PLEDGEE = "pledgee"
    PARTIES = "parties"


AUTHORITY_NAMES: Mapping[AuthorityType, str] = {
    AuthorityType.COURT: "人民法院",
    AuthorityType.PROCURATORATE: "人民检察院",
    AuthorityType.POLICE: "公安机关",
    AuthorityType.ARBITRATION: "仲裁机构",
    AuthorityType.ADMINISTRATION: "行政主管部门",
    AuthorityType.OTHER_BODY: "其他有权机关",
    AuthorityType.PLEDGEE: "质权人",
    AuthorityType.PARTIES: "约定各方",
}
JUDGES = frozenset({AuthorityType.COURT, AuthorityType.ARBITRATION})
"""Whose instruments, once in effect, end a dispute (art. 29)."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A document: its issuer (`issuer_id` is the issuer's USCC or other number), number, day and twin digest.

    `effective_on` is the legal day it took effect, for judgments and awards.
    """

    type: AuthorityType
    issuer: Named
    issuer_id: Identity
    number: Named
    issued_on: Day
    digest: Twin
    effective_on: Day | None = None


def same_issuer(one: Instrument, other: Instrument) -> bool:
    """Do both come from the same authority, pledgee or parties?"""
    return (one.type, one.issuer_id) == (other.type, other.issuer_id)
