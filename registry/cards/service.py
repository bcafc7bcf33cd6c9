"""Acts of cards taken in: signed by the holder, who must be a party on record."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.cards import store
from registry.cards.card import CARD, CardAct, CertificateRef, decide
from registry.certificate import PAPER_TYPE, status_at
from registry.errors import GuardRefused, Unknown
from registry.party import check_identity, party_subject

_HEX32 = re.compile(r"[0-9a-f]{32}")


def take_act(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in card/v1. A certificate of ours that it names must be on record with the status stated.

    Raises `FieldError`, `BadSignature`, `IllegalMove`, `GuardRefused`.
    """
    statement = signed.statement
    if statement.kind != CARD or statement.parts is not None:
        raise FieldError("statement.kind", CARD, statement.kind)
    kind, _, identity = statement.subject.partition(":")
    if kind != "card" or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", "card:<32 hex>", statement.subject)
    act = read(CardAct, statement.body)
    if facts.next_of(session, statement.subject) != (statement.no, statement.prev):
        return facts.append(session, signed, at=at)
    check_identity(act.holder, "body.holder")
    given = [signature.by for signature in signed.signatures]
    if given != [party_subject(act.holder)]:
        raise BadSignature(party_subject(act.holder), f"应由持有单位签署，实为 {given} / signed by {given}")
    signers.require_signature(session, signed, party_subject(act.holder), at=at)
    decide(store.find(session, identity), identity, act, at)
    for place, ref in enumerate(act.rights.certificate_refs if act.rights else ()):
        _check_ref(session, ref, f"body.rights.certificate_refs[{place}]", at)
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.PROJECTORS[CARD](session, taken.fact)
    return taken


def _check_ref(session: Session, ref: CertificateRef, where: str, at: int) -> None:
    """A foreign certificate is taken as stated; one of this register is compared with the register."""
    if ref.as_of > at:
        raise FieldError(f"{where}.as_of", f"≤ {at}", str(ref.as_of))
    try:
        row = registry.certificate(session, ref.number)
    except Unknown:
        return
    if row.agency != ref.issuer or ref.paper_type != PAPER_TYPE:
        raise FieldError(f"{where}.issuer", row.agency, ref.issuer)
    status = status_at(registry.standing_of(session, row), ref.as_of)
    if ref.version > row.version or (ref.version == row.version and (status is None or status.value != ref.status)):
        raise GuardRefused(
            "卡片", "status_as_registered", f"{ref.number} 在该时刻的状态为 {status.value if status else '—'}。",
            "the register says otherwise of this certificate",
        )  # fmt: skip
