"""The registration agency this house works for, and its system key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ledger import sm
from ledger.facts import Signature, Statement
from registry.code import numbered
from registry.party import check_uscc


class Signer(Protocol):
    """The agency's system key: signs what timers and the system state (decisions D14)."""

    @property
    def by(self) -> str:
        """ "party:<USCC>" of the agency."""

    def sign(self, statement: Statement, role: str = "") -> Signature:
        """The signature over a statement in a role."""


@dataclass(frozen=True, slots=True)
class Agency:
    """The registration agency this house works for, and the deposit authority it deposits with.

    `region` and `digit` are the agency's parts of the code (annex 6), `authority_key` the authority's SM2 public key,
    `national_release` says that the national system releases publicity texts (`registry.national`).
    """

    uscc: str
    name: str
    region: str
    digit: str
    catalogue_no: str
    authority: str
    authority_name: str
    authority_key: str
    scheme: str = "national_2026"
    papers_received: bool = False
    """Must the papers a form names have been handed in here (PC-22)?"""
    national_release: bool = False

    def __post_init__(self) -> None:
        check_uscc(self.uscc, "agency.uscc")
        check_uscc(self.authority, "agency.authority")
        sm.check_public(self.authority_key)
        numbered(self.region, self.digit, "202601", 1)
