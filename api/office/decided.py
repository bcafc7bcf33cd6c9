"""What the agency has decided about a certificate and not yet carried out: the next version it must make, as a wish."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from ledger import store as facts
from ledger.reading import read
from registry import entries
from registry.afterlife import store as afterlife
from registry.afterlife.ending import CANCELLATION, CORRECTION, Cancellation, Correction
from registry.asset import Twin
from registry.certificate import InForce, certificate_subject
from registry.form import Held, RegistrationType
from registry.succession import Wish


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision waiting to be carried out: the fact `basis`, its move and reason, the digest of its instrument.

    `wish` is `None` where it also names other holders or rights: that version is drafted over the API.
    """

    basis: str
    move: str
    reason: str
    instrument: Twin | None
    wish: Wish | None


def decided(session: Session, code: str, at: int) -> list[Decided]:
    """The decisions about a certificate whose version is not made, oldest first."""
    entry = entries.entry_in_force(session, code, at)
    dropped = afterlife.rights_to_drop(session, code)
    to_make = {row.fact_id for row in afterlife.corrections_to_make(session) if row.code == code}
    found = []
    for fact in facts.facts_of(session, certificate_subject(code)):
        if fact.kind == CORRECTION and fact.id in to_make:
            found.append(_corrected(read(Correction, fact.body), fact.id))
        if fact.kind == CANCELLATION:
            body = read(Cancellation, fact.body)
            if dropped & set(body.rights):
                found.append(_cancelled(body, fact.id, entry))
    return found


def _corrected(body: Correction, fact_id: str) -> Decided:
    plain = body.description is not None and not body.holders and not body.rights
    wish = Wish(RegistrationType.CHANGE, description=body.description) if plain else None
    return Decided(fact_id, "B-04", body.reason, body.instrument.digest if body.instrument else None, wish)


def _cancelled(body: Cancellation, fact_id: str, entry: InForce) -> Decided:
    ended = tuple(Held(row.holder_id, row.right) for row in entry.record.rights if row.right in body.rights)
    wish = Wish(RegistrationType.CANCELLATION, reason=body.move, ended=ended)
    return Decided(fact_id, body.move, body.reason, body.instrument.digest if body.instrument else None, wish)
