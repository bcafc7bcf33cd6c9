"""Views folded from facts.

`PROJECTORS` names, for each kind of fact, the one function that writes its view rows. A projector reads nothing but
the fact and earlier views, so `reindex` and `audit` get the same rows from the same facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from ledger.store import parts_of
from registry import application, form, objection, party
from registry.afterlife import store as afterlife
from registry.application import role_of
from registry.case import DECISION, FINAL, MOVE, Act, Actor, AgencyDecision, Case, State
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENDING,
    ENTRY,
    ISSUED,
    USE_AUTHORISATION,
    DepositReceipt,
    Issue,
    RegisterEnding,
    RegisterEntry,
    Status,
    UseAuthorisation,
    record_in,
)
from registry.form import Form, RegistrationType, held_by_applicants
from registry.numbering import count_code
from registry.objection import Objection
from registry.party import Connector, Party, PartyKind, Staff
from registry.search import store as search
from registry.statistics import store as statistics
from registry.store import case, certificate, certificate_version, content_of
from registry.tables import (
    ApplicationRow,
    AuthorisationRow,
    CertificateRow,
    ClaimRow,
    ConnectorRow,
    DepositRow,
    HoldingRow,
    IssueRow,
    ObjectionRow,
    PartyRow,
    PersonRow,
    StaffRow,
    ToldRow,
)
from registry.telling import TOLD, Telling


def project(session: Session, fact: Fact) -> None:
    """Writes the view rows of a newly stored fact."""
    PROJECTORS[fact.kind](session, fact)


def _add(session: Session, row: SQLModel) -> None:
    """Adds a view row at once, so that the next projector, or the next line, finds it."""
    session.add(row)
    session.flush()


def _identity(fact: Fact) -> str:
    return fact.subject.partition(":")[2]


def _party(session: Session, fact: Fact) -> None:
    body = read(Party, fact.body)
    _add(
        session,
        PartyRow(
            id=_identity(fact),
            no=fact.statement.no,
            name=body.name,
            kind=body.kind.value,
            sm2=body.sm2,
            evm=body.evm.lower(),
            roles=" ".join(sorted(body.roles)),
            from_at=fact.at,
            fact_id=fact.id,
        ),
    )


def _staff(session: Session, fact: Fact) -> None:
    body = read(Staff, fact.body)
    _add(
        session,
        StaffRow(
            id=_identity(fact),
            no=fact.statement.no,
            organisation=body.organisation,
            sm2=body.sm2,
            roles=" ".join(sorted(body.roles)),
            active=body.active,
            from_at=fact.at,
            fact_id=fact.id,
        ),
    )


def _connector(session: Session, fact: Fact) -> None:
    body = read(Connector, fact.body)
    _add(
        session,
        ConnectorRow(
            id=_identity(fact),
            no=fact.statement.no,
            owner=body.owner,
            sm2=body.sm2,
            software=body.software,
            from_at=fact.at,
            fact_id=fact.id,
        ),
    )


def _opened(session: Session, fact: Fact) -> None:
    body = read(AgencyDecision, fact.body)
    actors = [Actor(item.by, role_of(body.form, item), body.form.agency) for item in fact.signatures]
    write_case(session, application.opened(_identity(fact), body, actors, fact.at))


def _submitted(session: Session, fact: Fact) -> None:
    write_case(session, application.submitted(_identity(fact), read(Form, fact.body), fact.at))


def _moved(session: Session, fact: Fact) -> None:
    known = case(session, _identity(fact))
    roles = [(item.by, role_of(known.form, item)) for item in fact.signatures]
    write_case(session, application.apply(known, read(Act, fact.body), roles, fact.at))


def _objected(session: Session, fact: Fact) -> None:
    body = read(Objection, fact.body)
    _add(session, ObjectionRow(id=_identity(fact), application=body.application, received_at=fact.at))
    write_case(session, application.objected(case(session, body.application), _identity(fact), fact.at))


def _deposited(session: Session, fact: Fact) -> None:
    body = read(DepositReceipt, fact.body)
    _add(
        session,
        DepositRow(
            record=body.record.sha256,
            application=body.application,
            number=body.number,
            deposited_at=body.deposited_at,
            fact_id=fact.id,
        ),
    )


def _entered(session: Session, fact: Fact) -> None:
    body = read(RegisterEntry, fact.body)
    record = record_in(body, parts_of(session, fact.id))
    data = record.description
    before = body.predecessor
    old = None if before is None else certificate_version(session, before.code, before.version)
    # A renewal still pending is one of the code, whatever else changes meanwhile; what it granted needs none.
    goes_on = old is not None and old.code == body.code and body.type is not RegistrationType.RENEWAL
    _add(
        session,
        CertificateRow(
            code=body.code,
            version=body.version,
            application=record.application,
            agency=record.agency,
            agency_name=body.agency_name,
            data_name=data.data_name,
            kind=data.kind.value,
            content=data.content.digest.sha256,
            public=not record.publicity_waived,
            deposited_at=body.deposited_at,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
            last_day=body.last_day,
            fact_id=fact.id,
            entry_sm3=fact.digest().sm3.hex(),
            type=body.type.value,
            predecessor=before.code if before else "",
            predecessor_version=before.version if before else 0,
            renewal_filed_at=old.renewal_filed_at if old is not None and goes_on else None,
        ),
    )
    if old is not None and before is not None:
        _end(session, old, before.status, body.valid_from, fact.id)
    kinds = {item.identity: item.kind.value for item in record.holders}
    for row in record.rights:
        _add(
            session,
            HoldingRow(
                code=body.code,
                version=body.version,
                right=row.right.value,
                holder=row.holder_id,
                holder_name=row.holder_name,
                holder_kind=kinds[row.holder_id],
                content=data.content.digest.sha256,
                term_from=row.term_from,
                term_to=row.term_to,
            ),
        )
    count_code(session, body.code)
    search.enter(session, body, record)
    statistics.count(session, body, record)
    rights = frozenset(row.right for row in record.rights)
    afterlife.move_onto(session, record.application, body.code)
    if old is not None and old.code == body.code:
        afterlife.settle(session, body.code, rights)
    elif old is not None:
        afterlife.follow(session, old.code, body.code, rights)


def _ended(session: Session, fact: Fact) -> None:
    body = read(RegisterEnding, fact.body)
    row = certificate_version(session, body.code, body.version)
    _end(session, row, body.status, body.ended_at, fact.id)


def _end(session: Session, row: CertificateRow, status: str, at: int, fact_id: str) -> None:
    """The second of two entries that share a predecessor finds it ended already."""
    row.ended, row.ended_at, row.ended_by = status, at, row.ended_by or fact_id
    session.flush()


def _issued(session: Session, fact: Fact) -> None:
    body = read(Issue, fact.body)
    digests = {item.form: item.digest for item in body.documents}
    _add(
        session,
        IssueRow(
            code=body.code,
            version=body.version,
            issued_at=fact.at,
            token=body.token,
            check_url=body.check_url,
            pdf_sha256=digests["pdf"].sha256,
            pdf_sm3=digests["pdf"].sm3,
            json_sha256=digests["json"].sha256,
            json_sm3=digests["json"].sm3,
            status_list=body.status_list,
            status_index=body.status_index,
            fact_id=fact.id,
        ),
    )


def _authorised(session: Session, fact: Fact) -> None:
    body = read(UseAuthorisation, fact.body)
    _add(
        session,
        AuthorisationRow(
            fact_id=fact.id,
            code=body.certificate,
            holder=body.holder,
            grantee=body.grantee,
            from_at=body.from_at,
            to_at=body.to_at,
        ),
    )


def _told(session: Session, fact: Fact) -> None:
    body = read(Telling, fact.body)
    _add(
        session,
        ToldRow(
            code=body.code,
            no=fact.statement.no,
            version=body.version,
            status=body.status.value,
            encumbered=body.encumbered,
            objection=body.objection,
            effective_at=body.effective_at,
            fact_id=fact.id,
        ),
    )
    row = certificate_version(session, body.code, body.version)
    row.told = body.status.value
    if body.status is Status.LAPSED:  # whenever it was told, validity ended by itself (art. 36)
        _end(session, row, body.status.value, row.valid_until, fact.id)
    session.flush()


def write_case(session: Session, known: Case) -> None:
    """Stores the case as it now is; for projectors."""
    document = canonical.encode(body_of(known)).decode()
    data = known.form.description
    values: dict[str, Any] = {
        "state": known.state.value,
        "agency": known.form.agency,
        "data_name": data.data_name,
        "content": data.content.digest.sha256,
        "submitted_at": known.submitted_at,
        "changed_at": known.changed_at,
        "code": known.code,
        "type": known.form.type.value,
        "certificate": known.form.certificate,
        "case": document,
    }
    row = session.get(ApplicationRow, known.application)
    if row is None:
        _add(session, ApplicationRow(id=known.application, **values))
    else:
        for name, value in values.items():
            setattr(row, name, value)
        session.flush()
    _write_claims(session, known)
    _write_persons(session, known.form)
    if known.form.type is RegistrationType.RENEWAL:
        _write_renewal(session, known)


def _write_renewal(session: Session, known: Case) -> None:
    """A renewal filed in time keeps its certificate from lapsing until it is decided (art. 36)."""
    row = certificate(session, known.form.certificate)
    if known.state in FINAL or known.state is State.REGISTERED:
        # If it was granted, the version it kept in force has ended, and its successor is another row.
        if row.renewal_filed_at == known.submitted_at:
            row.renewal_filed_at = None
    elif row.renewal_filed_at is None and known.submitted_at < row.valid_until:
        row.renewal_filed_at = known.submitted_at
    session.flush()


def _write_claims(session: Session, known: Case) -> None:
    content = content_of(session, known.form)
    wanted = {(row.right.value, row.holder_id) for row in held_by_applicants(known.form)}
    stored = list(session.scalars(select(ClaimRow).where(col(ClaimRow.application) == known.application)))
    for claim in stored:
        if (claim.right, claim.holder) not in wanted or claim.content != content:
            session.delete(claim)
    session.flush()
    kept = {(claim.right, claim.holder) for claim in stored if claim.content == content}
    for right, holder in sorted(wanted - kept):
        _add(session, ClaimRow(application=known.application, right=right, holder=holder, content=content))


def _write_persons(session: Session, form: Form) -> None:
    """The first form with a paper says whose it is; filing refuses it to anybody else."""
    for person in form.applicants:
        if person.kind is PartyKind.NATURAL:
            document = party.document_of(person.id_type, person.id_no)
            if session.get(PersonRow, document) is None:
                _add(session, PersonRow(document=document, party=person.identity))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    party.PARTY: _party,
    party.STAFF: _staff,
    party.CONNECTOR: _connector,
    form.SUBMITTED: _submitted,
    DECISION: _opened,
    MOVE: _moved,
    objection.OBJECTION: _objected,
    DEPOSIT_RECEIPT: _deposited,
    ENTRY: _entered,
    ENDING: _ended,
    ISSUED: _issued,
    USE_AUTHORISATION: _authorised,
    TOLD: _told,
}
