"""主体入册: parties, staff and connectors come under their keys (decisions D15)."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from ledger import sm
from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry.agency import Agency
from registry.party import (
    CONNECTOR,
    PARTY,
    STAFF,
    Connector,
    Party,
    Staff,
    check_identity,
    check_party,
    check_uscc,
    party_subject,
)
from registry.signers import keys_of, require_all, require_key
from registry.stating import is_known, require_kind, take_in

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register_party(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in party/v1: identity and keys of an organisation or a natural person, signed by itself and by the agency.

    The agency's signature says that it has compared the identity paper; of a natural person also that number and name
    open the commitment, which the statement does not hold. A later version is signed with the new key and, if the key
    changes, with the old one too (decisions D15).
    """
    require_kind(signed, PARTY)
    body = check_party(read(Party, signed.statement.body), signed.statement.subject, signed.statement.no)
    sm.check_public(body.sm2)
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    own, house = signed.statement.subject, party_subject(agency.uscc)
    require_key(signed, own, body.sm2)
    if signed.statement.no > 0:
        require_key(signed, own, keys_of(session, own, at).sm2)
    if own != house:
        require_key(signed, house, keys_of(session, house, at).sm2)
    return take_in(session, signed, at)


def register_staff(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in staff/v1: the key and roles of a person who acts for an organisation, signed by that organisation."""
    require_kind(signed, STAFF)
    body = read(Staff, signed.statement.body)
    check_uscc(body.organisation, "body.organisation")
    sm.check_public(body.sm2)
    _require_name(signed.statement.subject, "staff")
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    require_all(session, signed, {party_subject(body.organisation)}, at)
    _require_same_owner(session, signed, "organisation")
    return take_in(session, signed, at)


def register_connector(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in connector/v1: a metering connector's key, signed by its owner."""
    require_kind(signed, CONNECTOR)
    body = read(Connector, signed.statement.body)
    check_identity(body.owner, "body.owner")
    sm.check_public(body.sm2)
    _require_name(signed.statement.subject, "connector")
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    require_all(session, signed, {party_subject(body.owner)}, at)
    _require_same_owner(session, signed, "owner")
    return take_in(session, signed, at)


def _require_same_owner(session: Session, signed: Signed, field: str) -> None:
    """A later version of a staff member or connector stays with its organisation."""
    earlier = facts.facts_of(session, signed.statement.subject)
    if earlier and earlier[-1].body[field] != signed.statement.body[field]:
        raise FieldError(f"body.{field}", str(earlier[-1].body[field]), str(signed.statement.body[field]))


def _require_name(subject: str, prefix: str) -> None:
    kind, _, identity = subject.partition(":")
    if kind != prefix or not _NAME.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<A-Z a-z 0-9 . _ ->", subject)
