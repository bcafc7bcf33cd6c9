"""Sketches taken in, and the report to the reviewer (PC-24, PC-25; guide art. 39(二))."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import PartsRoot, Signed
from ledger.reading import read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.likeness import store
from registry.likeness.compare import compare
from registry.likeness.fingerprint import FINGERPRINT, Fingerprint, Report, Similar, check_fingerprint, looked_up
from registry.likeness.sketch import groups_of
from registry.party import party_subject


def take_fingerprint(session: Session, signed: Signed, parts: Sequence[bytes], *, at: int) -> Appended:
    """Takes in fingerprint/v1 with its groups as parts, signed by the holder. Raises `FieldError`, `BadSignature`."""
    statement = signed.statement
    if statement.kind != FINGERPRINT:
        raise FieldError("statement.kind", FINGERPRINT, statement.kind)
    body = read(Fingerprint, statement.body)
    check_fingerprint(body, parts)
    if statement.no == 0 and facts.next_of(session, statement.subject)[0] == 0:
        if statement.parts != PartsRoot.over(parts):
            raise FieldError("statement.parts", "所附分组的承诺 / the commitment to the groups", "不符 / differs")
        signers.require_signature(session, signed, party_subject(body.holder), at=at)
    taken = facts.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        store.PROJECTORS[FINGERPRINT](session, taken.fact)
    return taken


def report(session: Session, application: str) -> Report:
    """What is on record about the data of an application. Raises `Unknown`."""
    case = registry.case(session, application)
    content = case.form.description.content.digest.sha256
    codes, applications = store.matters_of(session, content)
    own = store.of_content(session, content)
    return Report(
        application,
        bool(own),
        tuple(code for code in codes if code != case.code),
        tuple(other for other in applications if other != application),
        _similar(session, content, own[0].fact_id) if own else (),
    )


def _similar(session: Session, content: str, fact_id: str) -> tuple[Similar, ...]:
    ours = groups_of(facts.parts_of(session, fact_id))
    found = []
    for row in store.candidates(session, looked_up(ours), content):
        likeness = compare(ours, store.groups(session, row))
        if likeness.alarming:
            codes, applications = store.matters_of(session, row.content)
            found.append(Similar(row.id, row.holder, tuple(codes), tuple(applications), likeness))
    return tuple(sorted(found, key=lambda item: (-item.likeness.permille, item.fingerprint)))
