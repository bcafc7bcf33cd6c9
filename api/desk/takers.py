"""Which kinds can be signed at the desk, and the service each is taken in by. One line a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlmodel import Session

from api.bootstrap import System
from clearing.market.delivery import service as delivering
from ledger.facts import Signed
from ledger.store import Appended
from registry import admitting, filing, moving
from registry.afterlife import service as afterlife

Taker = Callable[[Session, System, Signed, int], Appended]
"""How a kind is taken in once everybody has signed: (session, system, statement with signatures, instant)."""


def _party(session: Session, system: System, signed: Signed, at: int) -> Appended:
    """The clerk has looked at the papers and signed; with that the agency confirms by its own key (decisions D14)."""
    agency = system.agency.signer
    whole = Signed(signed.statement, (*signed.signatures, agency.sign(signed.statement)))
    return admitting.register_party(session, system.house, whole, at=at)


def _staff(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return admitting.register_staff(session, system.house, signed, at=at)


def _application(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return filing.submit_application(session, system.house, signed, at=at, calendar=system.calendar)


def _move(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return moving.move(session, system.house, signed, at=at, calendar=system.calendar)


def _objection(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return moving.object_to(session, system.house, signed, at=at, calendar=system.calendar)


def _decision(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return filing.open_by_agency(session, system.house, signed, at=at, calendar=system.calendar)


def _remark(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return afterlife.remark(session, system.house, signed, system.agency.signer, at=at)


def _consent(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return afterlife.consent(session, system.house, signed, at=at)


def _dispute(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return afterlife.object_to(session, system.house, signed, system.agency.signer, at=at)


def _dispute_move(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return afterlife.move(session, system.house, signed, system.agency.signer, at=at, calendar=system.calendar)


def _delivery(session: Session, system: System, signed: Signed, at: int) -> Appended:
    return delivering.take(session, signed, calendar=system.calendar, at=at)


TAKERS: Mapping[str, Taker] = {
    "party/v1": _party,
    "staff/v1": _staff,
    "application-submitted/v1": _application,
    "application-move/v1": _move,
    "objection/v1": _objection,
    "register-decision/v1": _decision,
    "remark/v1": _remark,
    "remark-consent/v1": _consent,
    "register-objection/v1": _dispute,
    "register-objection-move/v1": _dispute_move,
    "delivery-act/v1": _delivery,
}
