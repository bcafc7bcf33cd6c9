"""A statement that waits: who has to sign it, who has, and what has become of it. Values only."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ledger.facts import Signature, Signed, Statement
from registry.errors import RegistryError


class Outcome(StrEnum):
    """What has become of a statement at the desk. READY: signed by everybody, and waiting for what it goes in with."""

    OPEN = "open"
    READY = "ready"
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
    """One place to sign: for a named signer, or (`by` "") for any member of staff of `organisation` who has this role.
    `role` is what is signed into the statement; of a party it is "", "representative", or its role in a negotiation or
    an agreement. With an `address` (0x…, lower case) two signatures belong there: SM2, and that of the address."""

    by: str = ""
    role: str = ""
    organisation: str = ""
    address: str = ""

    def fits(self, holder: str, organisation: str, roles: frozenset[str]) -> bool:
        """May this person sign here?"""
        if self.by:
            return holder == self.by
        return holder.startswith("staff:") and organisation == self.organisation and self.role in roles


@dataclass(frozen=True, slots=True)
class Waiting:
    """A statement at the desk. `signatures` stand beside `slots`, `None` where one is missing; `typed` those of the
    addresses. `parts` are the fields the statement commits to.

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
    parts: tuple[bytes, ...] = ()
    typed: tuple[Signature | None, ...] = ()

    @property
    def missing(self) -> tuple[Slot, ...]:
        return tuple(slot for slot, given in zip(self.slots, self.signatures, strict=True) if given is None)

    @property
    def signers(self) -> frozenset[str]:
        return frozenset(item.by for item in self.signatures if item is not None)

    @property
    def signed(self) -> Signed:
        """The statement with the signatures it has: for each place SM2, then the one of its address."""
        typed = self.typed or (None,) * len(self.signatures)
        pairs = zip(self.signatures, typed, strict=True)
        return Signed(self.statement, tuple(item for pair in pairs for item in pair if item is not None))

    def place_for(self, holder: str, organisation: str, roles: frozenset[str]) -> int | None:
        """The free place this person may sign in: one of their own before one for anybody of a role; else `None`.

        Nobody takes a place for anybody of a role after another: two roles need two persons. Places named for one party
        in several roles are all its own.
        """
        if self.outcome is not Outcome.OPEN:
            return None
        taken = self.signers | {slot.by for slot in self.missing if slot.by}
        free = [
            place
            for place, slot in enumerate(self.slots)
            if self.signatures[place] is None
            and slot.fits(holder, organisation, roles)
            and (slot.by or holder not in taken)
        ]
        return min(free, key=lambda place: not self.slots[place].by, default=None)


def drafted(
    statement: Statement,
    slots: Sequence[Slot],
    *,
    title: str,
    by: str,
    at: int,
    back: str = "",
    note: Mapping[str, Any] | None = None,
    parts: Sequence[bytes] = (),
) -> Waiting:
    """A statement that begins to wait, under an id of its own; `parts` are the fields it commits to."""
    statement.bytes()  # refuses what has no canonical form, before anybody is asked to sign it
    none = (None,) * len(slots)
    return Waiting(
        secrets.token_hex(16), title[:200], statement, tuple(slots), none, by, at, back, Outcome.OPEN, "", note or {},
        tuple(parts), none,
    )  # fmt: skip
