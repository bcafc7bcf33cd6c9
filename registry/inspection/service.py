"""Access to the files as the outside calls it: ask with a purpose, decide, hand out. Every hand-out is a fact."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from ledger import canonical
from ledger import store as facts
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import signers, stating
from registry import store as registry
from registry.agency import Agency, Signer
from registry.asset import Twin
from registry.case import STAFF
from registry.certificate import RegisterEntry, record_in
from registry.errors import Unknown
from registry.inspection import store
from registry.inspection.access import (
    ATTACHMENT,
    DECIDED,
    FILE,
    FORM,
    INSPECTED,
    RECORD,
    REQUESTED,
    Decision,
    Inspected,
    Request,
    Status,
    check_decision,
    check_papers,
    check_request,
    entitled,
    require_open,
)
from registry.inspection.copying import Copy, copy_of, mark_of
from registry.inspection.tables import InspectionRow
from registry.party import party_subject

Attachments = Callable[[str], bytes]
"""The bytes of an attachment by its SHA-256, from wherever attachments are kept. Raises `Unknown`."""

_HEX32 = re.compile(r"[0-9a-f]{32}")
_ROLES = frozenset(role.value for role in STAFF)


def ask(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in inspection-requested/v1. Raises `FieldError` (no purpose), `NotEntitled`, `Unknown`, `BadSignature`."""
    stating.require_kind(signed, REQUESTED)
    _identity(signed.statement.subject)
    body = read(Request, signed.statement.body)
    kind, name = check_request(body)
    concerned, papers = _matter(session, kind, name)
    if stating.is_known(session, signed):
        return facts.append(session, signed, at=at)
    if signed.statement.no != 0:
        raise FieldError("statement.no", "0", str(signed.statement.no))
    reader = party_subject(body.reader_id)
    if [item.by for item in signed.signatures] == [reader]:
        signers.require_signature(session, signed, reader, at=at)
    else:
        signers.require_staff(session, signed, agency, _ROLES, at)
    entitled(body, concerned)
    for place, paper in enumerate(body.papers):
        if paper not in papers:
            raise FieldError(f"body.papers[{place}]", " | ".join(sorted(papers)), paper)
    return _stored(session, signed, at)


def decide(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in inspection-decided/v1, signed by one member of the agency's staff. Raises as `check_decision`."""
    stating.require_kind(signed, DECIDED)
    row = store.inspection(session, _identity(signed.statement.subject))
    body = read(Decision, signed.statement.body)
    check_papers(body.papers, "body.papers")
    if stating.is_known(session, signed):
        return facts.append(session, signed, at=at)
    decider = signers.require_staff(session, signed, agency, _ROLES, at)
    check_decision(Status(row.status), _request(session, row), body, row.clerk, decider)
    return _stored(session, signed, at)


def hand_out(session: Session, identity: str, paper: str, signer: Signer, *, at: int, attachments: Attachments) -> Copy:
    """One paper of a granted request, marked, and the fact that it was handed out.

    Raises `Unknown`, `GuardRefused`, or what `attachments` raises; then nothing is written.
    """
    row = store.inspection(session, identity)
    require_open(Status(row.status), tuple(row.papers.split()), paper, row.since, at)
    request = _request(session, row)
    kind, name = check_request(request)
    file_name, data = _paper(session, kind, name, paper, attachments)
    no, prev = facts.next_of(session, f"inspection:{identity}")
    said = Inspected(
        reader=request.reader, reader_id=request.reader_id, basis=request.basis, purpose=request.purpose,
        matter=request.matter, paper=paper, digest=Twin.of(twin(data)), size=len(data), mark=mark_of(identity, no),
        at=at, document_no=request.document_no, decided_by=row.decided_by,
    )  # fmt: skip
    statement = Statement(INSPECTED, f"inspection:{identity}", no, prev, body_of(said))
    _stored(session, Signed(statement, (signer.sign(statement, "system"),)), at)
    return copy_of(said, file_name, data)


def is_reader(session: Session, identity: str, by: str) -> bool:
    """Is "party:…" the reader of this request? Raises `Unknown`."""
    return by == party_subject(store.inspection(session, identity).reader_id)


def _matter(session: Session, kind: str, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Whose file it is (identity numbers), and the papers it holds. Raises `Unknown`."""
    if kind == "certificate":
        row = registry.certificate(session, name)
        held = registry.holdings(session, row.code, row.version)
        case = registry.case(session, row.application)
        own = {item.holder for item in held}
        return frozenset(own | {item.identity for item in case.form.applicants}), frozenset({RECORD})
    case = registry.case(session, name)
    papers = {f"{ATTACHMENT}{item.digest.sha256}" for item in case.form.attachments}
    return frozenset(item.identity for item in case.form.applicants), frozenset({FORM, FILE} | papers)


def _paper(session: Session, kind: str, name: str, paper: str, attachments: Attachments) -> tuple[str, bytes]:
    """File name and bytes of a paper."""
    if paper == RECORD:
        row = registry.certificate(session, name)
        entry = read(RegisterEntry, facts.fact(session, row.fact_id).body)
        record = record_in(entry, facts.parts_of(session, row.fact_id))
        return f"{name}-v{row.version}.json", canonical.encode({"entry": body_of(entry), "record": body_of(record)})
    case = registry.case(session, name)
    if paper == FORM:
        return f"{name}-form.json", canonical.encode(body_of(case.form))
    if paper == FILE:
        known = facts.facts_of(session, f"application:{name}")
        return f"{name}-file.jsonl", b"".join(fact.bytes() + b"\n" for fact in known)
    found = next((item for item in case.form.attachments if f"{ATTACHMENT}{item.digest.sha256}" == paper), None)
    if found is None:  # the form was corrected since, and the paper with it
        raise Unknown("附件 / attachment", paper)
    data = attachments(found.digest.sha256)
    if Twin.of(twin(data)) != found.digest:
        raise FieldError("attachment", found.digest.sha256, twin(data).sha256.hex())
    ending = found.name.rpartition(".")[2]
    return f"{paper}.{ending if ending.isascii() and ending.isalnum() else 'bin'}", data


def _request(session: Session, row: InspectionRow) -> Request:
    return read(Request, facts.fact(session, row.fact_id).body)


def _identity(subject: str) -> str:
    kind, _, identity = subject.partition(":")
    if kind != "inspection" or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", "inspection:<32 hex>", subject)
    return identity


def _stored(session: Session, signed: Signed, at: int) -> Appended:
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken
