"""A statement that waits: who has to sign it, who has, and what has become of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ledger.facts import Signature, Signed, Statement
from registry.errors import RegistryError


class Outcome(StrEnum):
    """What has become of a statement at the desk."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"
    STALE = "stale"
    WITHDRAWN = "withdrawn"


class DeskRefused(RegistryError):
    """The desk does not take this: not yours to sign, already signed, already ended."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")


@dataclass(frozen=True, slots=True)
class Slot:
    """One signature that is needed: by a named signer, or (`by` "") by any member of staff of `organisation` who has
    this role. `role` is what is signed into the statement; for a party it is "" or "representative"."""

    by: str = ""
    role: str = ""
    organisation: str = ""

    def fits(self, holder: str, organisation: str, roles: frozenset[str]) -> bool:
        """May this person sign here?"""
        if self.by:
            return holder == self.by
        return holder.startswith("staff:") and organisation == self.organisation and self.role in roles


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement at the desk. `signatures` stand beside `slots`, `None` where one is missing.

    `note` is what people should know beside the statement (a contact); it is not signed and not part of the fact.
    `back` is the page that drafted it, to draft it anew; `text` what the service answered: a fact id or a refusal.
    """

    id: str
    title: str
    statement: Statement
    slots: tuple[Slot, ...]
    signatures: tuple[Signature | None, ...]
    drafted_by: str
    drafted_at: int
    back: str
    outcome: Outcome
    text: str
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[Slot, ...]:
        return tuple(slot for slot, given in zip(self.slots, self.signatures, strict=True) if given is None)

    @property
    def signers(self) -> frozenset[str]:
        return frozenset(item.by for item in self.signatures if item is not None)

    @property
    def signed(self) -> Signed:
        """The statement with the signatures it has."""
        return Signed(self.statement, tuple(item for item in self.signatures if item is not None))

    def place_for(self, holder: str, organisation: str, roles: frozenset[str]) -> int | None:
        """The free place this person may sign in: one of their own before one for anybody of a role; else `None`.

        Nobody signs twice: two roles need two persons.
        """
        if self.outcome is not Outcome.OPEN or holder in self.signers:
            return None
        reserved = {slot.by for slot in self.missing if slot.by}
        free = [
            place
            for place, slot in enumerate(self.slots)
            if self.signatures[place] is None
            and slot.fits(holder, organisation, roles)
            and (slot.by or holder not in reserved)
        ]
        return min(free, key=lambda place: not self.slots[place].by, default=None)
