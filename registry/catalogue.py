"""What the public sees of the register: the list of certificates and the answer of the check page.

Two separate answers, integrity and status; a matching file is not a certificate in force. Shown is what art. 24 lets be
published, plus the rights; of a registration whose publicity was waived only code, status and agency.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledger.digest import TwinDigest
from registry.afterlife.blocking import Flag
from registry.asset import Twin
from registry.certificate import (
    Document,
    SealMark,
    Status,
)
from registry.form import Operation


class Integrity(StrEnum):
    """Are the bytes handed in the bytes that were issued?"""

    INTACT = "INTACT"
    ALTERED = "ALTERED"
    NO_FILE_GIVEN = "NO_FILE_GIVEN"
    CANNOT_CHECK = "CANNOT_CHECK"


class CodeAnswer(StrEnum):
    """Why there is no status to give."""

    UNKNOWN_CODE = "UNKNOWN_CODE"
    MALFORMED_CODE = "MALFORMED_CODE"


@dataclass(frozen=True, slots=True)
class PublicRight:
    """One right as the public sees it: an organisation's code is masked, of a natural person only the family name."""

    holder: str
    id_masked: str
    right: str
    limits: str


@dataclass(frozen=True, slots=True)
class PublicView:
    """What may be published of a registration (art. 24 and the rights)."""

    data_name: str
    overview: str
    limits: str
    rights: tuple[PublicRight, ...]
    source_kind: str
    kind: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Custodian:
    """Who keeps a certificate instead of the agency that issued it, and since when (second UTC); art. 13."""

    uscc: str
    name: str
    since: int


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of the check page at `as_of` (seconds UTC).

    `entry` is the twin digest of the register-entry fact that paper and chain carry, `entry_id` its fact id for proofs;
    whether it is anchored is the ledger's answer. `view` is `None` where publicity was waived. `flags` and `objection`
    say what limits the certificate, `stops` why it may not serve the `purpose` (any, where none was asked); `custodian`
    is who keeps it since its `agency` left (flag CUSTODIAN_CHANGED). `ok` means INTACT, VALID, nothing that stops it.
    """

    code: str
    status: Status | CodeAnswer
    integrity: Integrity
    as_of: int
    version: int = 0
    agency: str = ""
    deposited_at: int = 0
    valid_from: int = 0
    valid_until: int = 0
    last_day: str = ""
    issued: bool = False
    seal: SealMark | None = None
    token_matches: bool = False
    entry: Twin | None = None
    entry_id: str = ""
    view: PublicView | None = None
    flags: tuple[Flag, ...] = ()
    objection: bool = False
    purpose: Operation | None = None
    stops: tuple[str, ...] = ()
    custodian: Custodian | None = None
    ok: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the public register; of a registration whose publicity was waived only code, agency and status."""

    code: str
    version: int = 0
    data_name: str = ""
    kind: str = ""
    agency: str = ""
    deposited_at: int = 0
    last_day: str = ""
    status: Status = Status.VALID

    @property
    def waived(self) -> bool:
        """Was publicity waived, so that the rest is not shown?"""
        return not self.version


@dataclass(frozen=True, slots=True)
class Found:
    """One page of the public register; `next` is the key to ask the next page with, "" after the last one."""

    listings: tuple[Listing, ...]
    next: str = ""


def integrity_of(documents: tuple[Document, ...], given: TwinDigest | None) -> Integrity:
    """Compares a handed-in file with the issued papers; both digests of one paper must match.

    The body of the PDF without its seal is not an issued paper.
    """
    if given is None:
        return Integrity.NO_FILE_GIVEN
    if not documents:
        return Integrity.CANNOT_CHECK
    issued = {item.digest for item in documents if item.form != "body"}
    return Integrity.INTACT if Twin.of(given) in issued else Integrity.ALTERED
