"""Reading and writing drafts and objection requests, and the cases a party takes part in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from api.office import words
from api.office.application_form import values_of
from api.office.fields import flat
from api.office.tables import ObjectionRequestRow
from ledger import canonical
from ledger import store as facts
from ledger.reading import read
from registry import filing
from registry import store as registry
from registry.afterlife import store as afterlife
from registry.afterlife.dispute import OBJECTION as REGISTER_OBJECTION
from registry.afterlife.dispute import Dispute, RegisterObjection
from registry.afterlife.tables import DisputeRow
from registry.agency import Agency
from registry.case import Case
from registry.errors import FileRefused, Unknown
from registry.form import SUBMITTED, Attachment, Form
from registry.intake.tables import DraftRow
from registry.precheck import Finding, Level
from registry.tables import ApplicationRow, CertificateRow, ClaimRow, HoldingRow

TYPED = ("application", "correction")
"""Kinds of draft whose body is what was typed into the office's form."""
KINDS = (*TYPED, SUBMITTED)
"""What can be opened in the office: also what an import or a program left; typed into here, it is of the first kind."""
PAGE = 50
"""Drafts on one page of a list."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is typing. `application` and `move` are set for the corrected form of a case."""

    id: str
    holder: str
    kind: str
    values: Mapping[str, str]
    application: str
    move: str
    updated_at: int


def save_draft(
    session: Session, holder: str, values: Mapping[str, str], *, at: int, identity: str = "",
    kind: str = "application", application: str = "", move: str = "",
) -> Draft:  # fmt: skip
    """Keeps what was typed; a new draft when `identity` is "". Raises `Unknown` for somebody else's draft."""
    body = json.dumps({"application": application, "move": move, "values": dict(values)}, ensure_ascii=False)
    if identity:
        draft(session, holder, identity)
        row = session.get(DraftRow, identity)
        assert row is not None
        row.body, row.updated_at = body, at
        row.kind = kind if row.kind == SUBMITTED else row.kind
    else:
        identity = secrets.token_hex(16)
        session.add(DraftRow(id=identity, holder=holder, kind=kind, body=body, updated_at=at))
    session.flush()
    return draft(session, holder, identity)


def draft(session: Session, holder: str, identity: str) -> Draft:
    """Somebody's own draft. Raises `Unknown`, also for another's."""
    row = session.get(DraftRow, identity)
    if row is None or row.holder != holder or row.kind not in KINDS:
        raise Unknown("草稿 / draft", identity[:40])
    return _draft(row)


def drafts(session: Session, holder: str, page: int = 1) -> list[Draft]:
    """One page of somebody's drafts, newest first."""
    rows = session.exec(
        select(DraftRow)
        .where(DraftRow.holder == holder, col(DraftRow.kind).in_(KINDS))
        .order_by(col(DraftRow.updated_at).desc(), col(DraftRow.id))
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    )
    return [_draft(row) for row in rows]


def count_drafts(session: Session, holder: str) -> int:
    """How many drafts somebody has."""
    query = select(func.count()).select_from(DraftRow)
    return session.exec(query.where(DraftRow.holder == holder, col(DraftRow.kind).in_(KINDS))).one()


def corrections(session: Session, holder: str, application: str) -> list[Draft]:
    """Somebody's corrected forms of one case, newest first."""
    rows = session.exec(
        select(DraftRow)
        .where(DraftRow.holder == holder, DraftRow.kind == "correction")
        .order_by(col(DraftRow.updated_at).desc(), col(DraftRow.id))
    )
    return [found for found in map(_draft, rows) if found.application == application]


def discard_draft(session: Session, holder: str, identity: str) -> None:
    """Throws a draft away. Raises `Unknown`."""
    draft(session, holder, identity)
    session.delete(session.get(DraftRow, identity))
    session.flush()


def _draft(row: DraftRow) -> Draft:
    body = json.loads(row.body)
    if row.kind == SUBMITTED:
        values = values_of(body, flat(body)) if isinstance(body, dict) else {}
        return Draft(row.id, row.holder, row.kind, values, "", "", row.updated_at)
    return Draft(row.id, row.holder, row.kind, body["values"], body["application"], body["move"], row.updated_at)


def missing(session: Session, agency: Agency) -> Callable[[Form], tuple[Finding, ...]]:
    """What the form alone does not show: papers that were not handed in, or are too many (PC-22), and natural persons
    who are not those admitted under their identities (PC-03)."""

    def found(form: Form) -> tuple[Finding, ...]:
        try:
            return (*filing.papers_not_received(session, agency, form), *filing.strangers(session, form))
        except FileRefused as refusal:
            chinese, _, english = str(refusal).partition(" / ")
            return (Finding("PC-22", Level.STOP, "attachments", chinese, english),)

    return found


def cases_of_party(session: Session, identity: str) -> list[Case]:
    """The cases this party applies in, newest first: those that claim a right for it, and those that name it."""
    claimed = select(ClaimRow.application).where(ClaimRow.holder == identity)
    rows = session.exec(
        select(ApplicationRow)
        .where(
            col(ApplicationRow.id).in_(claimed)
            | col(ApplicationRow.case).contains(f'"id_no":"{identity}"')
            | col(ApplicationRow.case).contains(f'"party":"{identity}"')
        )
        .order_by(col(ApplicationRow.submitted_at).desc(), col(ApplicationRow.id))
    )
    found = [read(Case, canonical.decode(row.case.encode())) for row in rows]
    return [case for case in found if identity in _parties(case)]


def _parties(case: Case) -> set[str]:
    representative = case.form.representative
    return {item.identity for item in case.form.applicants} | ({representative.id_no} if representative else set())


def certificates_of_holder(session: Session, uscc: str) -> list[CertificateRow]:
    """The newest versions of the certificates under which this party holds a right, newest first."""
    codes = session.exec(select(HoldingRow.code).where(HoldingRow.holder == uscc).distinct()).all()
    found = [registry.certificate(session, code) for code in codes]
    own = [row for row in found if uscc in {item.holder for item in registry.holdings(session, row.code, row.version)}]
    return sorted(own, key=lambda row: (-row.deposited_at, row.code))


def disputes_of(session: Session, code: str) -> list[Dispute]:
    """Every objection after registration against a certificate, oldest first."""
    ids = session.exec(
        select(DisputeRow.id).where(DisputeRow.certificate == code).order_by(col(DisputeRow.changed_at))
    ).all()
    return [afterlife.dispute(session, identity) for identity in ids]


@dataclass(frozen=True, slots=True)
class DisputeLine:
    """One fact of an objection after registration: when, what, by whom, in which words, with which papers."""

    at: int
    name: str
    signers: tuple[str, ...]
    body: Mapping[str, Any]
    papers: tuple[tuple[str, Attachment], ...]


def dispute_lines(session: Session, identity: str) -> tuple[RegisterObjection | None, list[DisputeLine]]:
    """What was filed (`None` once erased), and everything that has happened, in order."""
    filed, lines = None, []
    for fact in facts.facts_of(session, f"register-objection:{identity}"):
        if fact.kind == REGISTER_OBJECTION:
            filed = read(RegisterObjection, fact.body)
        move = str(fact.body.get("move", "O-01"))
        name = words.MOVES.get(move, move)
        papers = tuple((name, read(Attachment, item, "papers")) for item in fact.body.get("papers") or ())
        lines.append(DisputeLine(fact.at, f"{move} {name}", tuple(s.by for s in fact.signatures), fact.body, papers))
    return filed, lines


def put_objection(session: Session, row: ObjectionRequestRow) -> None:
    """Keeps an objection somebody left without a key."""
    session.add(row)
    session.flush()


def objection_request(session: Session, identity: str) -> ObjectionRequestRow:
    """The request with this id. Raises `Unknown`."""
    row = session.get(ObjectionRequestRow, identity)
    if row is None:
        raise Unknown("异议登记 / objection request", identity[:40])
    return row


def waiting_objections(session: Session) -> list[ObjectionRequestRow]:
    """Requests that are neither taken in as a fact nor answered, oldest first."""
    rows = session.exec(
        select(ObjectionRequestRow)
        .where(ObjectionRequestRow.answer == "")
        .order_by(col(ObjectionRequestRow.received_at), col(ObjectionRequestRow.id))
    )
    return [row for row in rows if not is_taken(session, row)]


def is_taken(session: Session, row: ObjectionRequestRow) -> bool:
    """Has a clerk stated this objection as a fact?"""
    return facts.next_of(session, objection_subject(row))[0] > 0


def objection_subject(row: ObjectionRequestRow) -> str:
    """The subject this objection will have as a fact."""
    return f"{'register-' if row.certificate else ''}objection:{row.id}"


def answer_objection(session: Session, row: ObjectionRequestRow, answer: str) -> None:
    """Notes why a request was not taken in."""
    row.answer = answer
    session.add(row)
    session.flush()
