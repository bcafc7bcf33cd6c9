"""The questions asked of the views that `registry.projecting` folds from facts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, bindparam, exists, func, literal, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.afterlife import store as afterlife
from registry.afterlife.tables import RemarkPlaceRow, RemarkRow
from registry.case import FINAL, Case, State
from registry.certificate import IN_FORCE, Standing, Status, certificate_subject, status_at
from registry.errors import Unknown
from registry.form import DESCRIPTION, Form, RegistrationType, held_by_applicants
from registry.rights import Right
from registry.tables import (
    ApplicationRow,
    AuthorisationRow,
    CertificateRow,
    ClaimRow,
    ConnectorRow,
    HoldingRow,
    IssueRow,
    PartyRow,
    PersonRow,
    StaffRow,
    ToldRow,
)
from registry.telling import CertificateState

_CASES = msgspec.json.Decoder(Case)
"""A case is read back as `_write_case` wrote it; whether a row was tampered with is for `audit` to say."""


def party_at(session: Session, identity: str, at: int) -> PartyRow:
    """The party's version in force at `at`. Raises `Unknown`."""
    row = session.scalars(
        select(PartyRow)
        .where(col(PartyRow.id) == identity, col(PartyRow.from_at) <= at)
        .order_by(col(PartyRow.no).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("当事方 / party", identity)
    return row


def person_with(session: Session, document: str) -> str:
    """The party identity of the natural person with this paper (`registry.party.document_of`), "" if none filed."""
    row = session.get(PersonRow, document)
    return row.party if row is not None else ""


def paper_of(session: Session, identity: str) -> str:
    """The paper (as `person_with` asks for it) under which this natural person has filed, "" if nothing was filed."""
    return session.scalar(select(col(PersonRow.document)).where(col(PersonRow.party) == identity)) or ""


def staff_at(session: Session, identity: str, at: int) -> StaffRow:
    """The staff member's version in force at `at`. Raises `Unknown`."""
    row = session.scalars(
        select(StaffRow)
        .where(col(StaffRow.id) == identity, col(StaffRow.from_at) <= at)
        .order_by(col(StaffRow.no).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("经办人 / staff", identity)
    return row


_CONNECTOR_AT = (
    select(ConnectorRow)
    .where(col(ConnectorRow.id) == bindparam("identity"), col(ConnectorRow.from_at) <= bindparam("at"))
    .order_by(col(ConnectorRow.no).desc())
    .limit(1)
)


def connector_at(session: Session, identity: str, at: int) -> ConnectorRow:
    """The connector's version in force at `at`. Raises `Unknown`."""
    row = session.scalars(_CONNECTOR_AT, {"identity": identity, "at": at}).first()
    if row is None:
        raise Unknown("连接器 / connector", identity)
    return row


def case(session: Session, identity: str) -> Case:
    """The application's case. Raises `Unknown`."""
    row = session.get(ApplicationRow, identity)
    if row is None:
        raise Unknown("申请件 / application", identity)
    return _CASES.decode(row.case)


def cases_about(session: Session, code: str) -> list[Case]:
    """The cases of later registrations of a certificate, in the order of filing."""
    rows = session.scalars(
        select(ApplicationRow)
        .where(col(ApplicationRow.certificate) == code)
        .order_by(col(ApplicationRow.submitted_at), col(ApplicationRow.id))
    )
    return [_CASES.decode(row.case) for row in rows]


def cases_in(session: Session, states: Iterable[State]) -> list[Case]:
    """The cases in these states, longest unchanged first."""
    rows = session.scalars(
        select(ApplicationRow)
        .where(col(ApplicationRow.state).in_([state.value for state in states]))
        .order_by(col(ApplicationRow.changed_at), col(ApplicationRow.id))
    )
    return [_CASES.decode(row.case) for row in rows]


def conflicts_of(session: Session, known: Case, at: int) -> tuple[str, ...]:
    """Certificates in force, and cases being deposited, with a (data, right, holder) of this case (decisions D25); for
    a later type also other cases of its certificate that are being deposited: they build on the same version."""
    found: set[str] = set()
    content = content_of(session, known.form)
    for row in held_by_applicants(known.form):
        triple = content, row.right.value, row.holder_id
        found.update(_holders_of(session, triple, at))
        found.update(_claims_of(session, triple, known.application))
    if known.form.type is not RegistrationType.TRANSFER:
        found.discard(known.form.certificate)
    if known.form.certificate:
        found.update(_depositing(session, known))
    return tuple(sorted(found))


Taken = tuple[str, str, str]
"""A right, its holder, and the certificate or application under which it is held or asked for."""


def taken(session: Session, content: str, at: int, but: str = "") -> tuple[list[Taken], list[Taken]]:
    """Who holds rights in this very data (sha256 of its content) in force at `at`, and who has applied for them."""
    held = [(row.right, row.holder, row.code) for row in _held(session, col(HoldingRow.content) == content, at=at)]
    over = [state.value for state in FINAL | {State.REGISTERED}]
    asked = session.execute(
        select(col(ClaimRow.right), col(ClaimRow.holder), col(ClaimRow.application))
        .join(ApplicationRow, col(ApplicationRow.id) == col(ClaimRow.application))
        .where(
            col(ClaimRow.content) == content,
            col(ClaimRow.application) != but,
            col(ApplicationRow.state).not_in(over),
        )
    )
    return held, [(row[0], row[1], row[2]) for row in asked]


def disputed(session: Session, content: str, but: str = "") -> list[str]:
    """Applications for rights in this very data with an open objection, but not this one."""
    rows = session.scalars(
        select(col(ClaimRow.application))
        .join(ApplicationRow, col(ApplicationRow.id) == col(ClaimRow.application))
        .where(
            col(ClaimRow.content) == content,
            col(ClaimRow.application) != but,
            col(ApplicationRow.state) == State.OBJECTION.value,
        )
        .distinct()
    )
    return sorted(rows)


def with_role(session: Session, parties: Iterable[str], role: str, at: int) -> list[str]:
    """Those of these parties on record that have this role at `at`."""
    found = []
    for identity in sorted(parties):
        try:
            if role in party_at(session, identity, at).roles.split():
                found.append(identity)
        except Unknown:
            continue
    return found


def certificate(session: Session, code: str) -> CertificateRow:
    """The newest version of a certificate. Raises `Unknown`."""
    row = session.scalars(
        select(CertificateRow)
        .where(col(CertificateRow.code) == code)
        .order_by(col(CertificateRow.version).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("凭证 / certificate", code)
    return row


def certificate_at(session: Session, code: str, at: int) -> CertificateRow:
    """The version that had begun at `at` (the first one before that). Raises `Unknown`."""
    row = session.scalars(
        select(CertificateRow)
        .where(
            col(CertificateRow.code) == code,
            or_(col(CertificateRow.valid_from) <= at, col(CertificateRow.version) == 1),
        )
        .order_by(col(CertificateRow.version).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("凭证 / certificate", code)
    return row


def certificate_version(session: Session, code: str, version: int) -> CertificateRow:
    """This version of a certificate. Raises `Unknown`."""
    row = session.get(CertificateRow, (code, version))
    if row is None:
        raise Unknown("凭证 / certificate", f"{code} v{version}")
    return row


def versions(session: Session, code: str) -> list[CertificateRow]:
    """Every version of a certificate, newest first."""
    query = select(CertificateRow).where(col(CertificateRow.code) == code)
    return list(session.scalars(query.order_by(col(CertificateRow.version).desc())))


def certificates_of(session: Session, identity: str) -> list[CertificateRow]:
    """What an application led to: nothing yet, one certificate version, or two after the transfer of a part (the new
    certificate first)."""
    query = select(CertificateRow).where(col(CertificateRow.application) == identity)
    return list(session.scalars(query.order_by(col(CertificateRow.version), col(CertificateRow.code))))


def is_taken(session: Session, code: str) -> bool:
    """Does the register have a certificate with this code?"""
    return session.scalar(select(col(CertificateRow.code)).where(col(CertificateRow.code) == code).limit(1)) is not None


def certificate_of(session: Session, identity: str) -> CertificateRow | None:
    """The certificate an application led to, if it did."""
    return next(iter(certificates_of(session, identity)), None)


def not_issued(session: Session, identity: str) -> list[CertificateRow]:
    """The certificate versions of an application whose papers are not issued yet."""
    return [row for row in certificates_of(session, identity) if issue_of(session, row.code, row.version) is None]


def to_be_told(session: Session, at: int) -> list[CertificateRow]:
    """Versions whose state may have changed by time or by a renewal filed or given up, soonest end first."""
    open_, pending = col(CertificateRow.ended) == "", Status.RENEWAL_PENDING.value
    filed = col(CertificateRow.renewal_filed_at)
    queries = (
        select(CertificateRow).where(open_, col(CertificateRow.valid_until) <= at),
        select(CertificateRow).where(open_, filed.is_not(None), col(CertificateRow.told) != pending),
        select(CertificateRow).where(open_, filed.is_(None), col(CertificateRow.told) == pending),
    )
    found = {(row.code, row.version): row for query in queries for row in session.scalars(query)}
    return sorted(found.values(), key=lambda row: (row.valid_until, row.code))


def certificates(
    session: Session, text: str = "", holder: str = "", limit: int = 50, offset: int = 0
) -> list[CertificateRow]:
    """Certificates, in their newest version, whose code, data name or agency contains `text` in letters of either case,
    and held by `holder`; newest deposit first."""
    query = select(CertificateRow).where(col(CertificateRow.ended) != Status.SUPERSEDED.value)
    if text:
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(
            or_(
                col(CertificateRow.code).ilike(pattern, escape="\\"),
                col(CertificateRow.data_name).ilike(pattern, escape="\\"),
                col(CertificateRow.agency_name).ilike(pattern, escape="\\"),
            )
        )
    if holder:
        held = select(HoldingRow).where(
            col(HoldingRow.holder) == holder,
            col(HoldingRow.code) == col(CertificateRow.code),
            col(HoldingRow.version) == col(CertificateRow.version),
        )
        query = query.where(held.exists())
    ordered = query.order_by(col(CertificateRow.deposited_at).desc(), col(CertificateRow.code).desc())
    return list(session.scalars(ordered.limit(limit).offset(offset)))


def holdings(session: Session, code: str, version: int) -> list[HoldingRow]:
    """The rights under a certificate version, in a fixed order."""
    return list(
        session.scalars(
            select(HoldingRow)
            .where(col(HoldingRow.code) == code, col(HoldingRow.version) == version)
            .order_by(col(HoldingRow.holder), col(HoldingRow.right))
        )
    )


def issue_of(session: Session, code: str, version: int) -> IssueRow | None:
    """The issued papers of a certificate version, if they are."""
    return session.get(IssueRow, (code, version))


def version_shown(session: Session, code: str, file_sha256: str, token: str) -> CertificateRow:
    """The version whose issued paper has this digest, or whose QR code this token; the newest otherwise.

    Raises `Unknown`.
    """
    newest = certificate(session, code)
    if newest.version > 1 and (file_sha256 or token):
        papers = or_(
            col(IssueRow.pdf_sha256) == file_sha256,
            col(IssueRow.json_sha256) == file_sha256,
            col(IssueRow.token) == token,
        )
        query = select(col(IssueRow.version)).where(col(IssueRow.code) == code, papers)
        found = session.scalars(query.order_by(col(IssueRow.version).desc()).limit(1)).first()
        if found is not None:
            return certificate_version(session, code, found)
    return newest


def standing_of(session: Session, row: CertificateRow) -> Standing:
    """What decides the state of a certificate version, from every view that has a say in it."""
    ended = Status(row.ended) if row.ended else None
    return Standing(
        row.valid_from,
        row.valid_until,
        ended,
        row.ended_at,
        row.renewal_filed_at,
        encumbered=afterlife.encumbered(session, row.code),
        objection=afterlife.objection_open(session, row.code),
    )


def last_told(session: Session, code: str, version: int) -> CertificateState:
    """The state last told of a version, by a telling or by its successor's entry, which ends it without words.

    Nobody need be told that a certificate began VALID, with the flags its predecessor had: the contract hands them on.
    """
    row = session.get(CertificateRow, (code, version))
    if row is not None and row.ended in (Status.SUPERSEDED, Status.TRANSFERRED):
        return CertificateState(Status(row.ended))
    return _told_before_its_end(session, code, version)


def latest_told(session: Session) -> int:
    """The latest instant from which any told state holds that something may still follow; 0 if there is none."""
    lasting = col(ToldRow.status).in_([status.value for status in IN_FORCE])
    return session.scalar(select(func.max(col(ToldRow.effective_at))).where(lasting)) or 0


def _told_before_its_end(session: Session, code: str, version: int) -> CertificateState:
    told = session.scalars(
        select(ToldRow)
        .where(col(ToldRow.code) == code, col(ToldRow.version) == version)
        .order_by(col(ToldRow.no).desc())
        .limit(1)
    ).first()
    if told is not None:
        return CertificateState(Status(told.status), told.encumbered, told.objection)
    row = session.get(CertificateRow, (code, version))
    if row is None or not row.predecessor:
        return CertificateState(Status.VALID)
    before = _told_before_its_end(session, row.predecessor, row.predecessor_version)
    return CertificateState(Status.VALID, before.encumbered, before.objection)


def next_instant(session: Session, row: CertificateRow, state: CertificateState, at: int) -> int:
    """The first second from `at` on of which this state of the version can be told, after all that was told of it."""
    told = session.scalars(
        select(ToldRow).where(
            col(ToldRow.code) == row.code, col(ToldRow.version) == row.version, col(ToldRow.effective_at) >= at
        )
    ).all()
    since = max([at, *(known.effective_at for known in told)])
    same = {
        known.effective_at
        for known in told
        if (known.status, known.encumbered, known.objection) == (state.status, state.encumbered, state.objection)
    }
    return since + 1 if since in same else since


def status_places(session: Session, number: int) -> list[tuple[int, CertificateRow]]:
    """The certificate versions of a status list by their index in it."""
    same = (col(CertificateRow.code) == col(IssueRow.code)) & (col(CertificateRow.version) == col(IssueRow.version))
    rows = session.execute(
        select(col(IssueRow.status_index), CertificateRow)
        .join(CertificateRow, same)
        .where(col(IssueRow.status_list) == number)
        .order_by(col(IssueRow.status_index))
    )
    return [(index, row) for index, row in rows]


def status_taken(session: Session) -> tuple[int, set[int]]:
    """The newest status list (1 before the first certificate) and the places given in it."""
    number = session.scalars(select(func.max(col(IssueRow.status_list)))).one() or 1
    return number, set(session.scalars(select(col(IssueRow.status_index)).where(col(IssueRow.status_list) == number)))


def authorisation(session: Session, fact_id: str) -> AuthorisationRow | None:
    """A use authorisation by its fact id."""
    return session.get(AuthorisationRow, fact_id)


def authorisations_of(session: Session, uscc: str, code: str, at: int) -> list[AuthorisationRow]:
    """The use authorisations this party has for this certificate at `at`; who gave them may have lost the right."""
    query = select(AuthorisationRow).where(col(AuthorisationRow.code) == code, col(AuthorisationRow.grantee) == uscc)
    return list(session.scalars(query.where(col(AuthorisationRow.from_at) <= at, at < col(AuthorisationRow.to_at))))


def undoubted(code: ColumnElement[str], holder: ColumnElement[str], right: Right, at: int) -> ColumnElement[bool]:
    """True of rows whose certificate surely gives `holder` the right at `at`: in force by its days, nothing remarked.
    Of the others only `holding`, `validity` and `afterlife` can tell; most of them are in order too."""
    remarked = exists().where(
        col(RemarkPlaceRow.target) == literal(certificate_subject("")) + code,
        col(RemarkPlaceRow.remark) == col(RemarkRow.id),
        col(RemarkRow.standing),
    )
    return exists().where(
        col(CertificateRow.code) == code,
        col(CertificateRow.valid_from) <= at,
        col(CertificateRow.valid_until) > at,
        col(CertificateRow.ended) == "",
        col(HoldingRow.code) == col(CertificateRow.code),
        col(HoldingRow.version) == col(CertificateRow.version),
        col(HoldingRow.right) == right.value,
        col(HoldingRow.holder) == holder,
        col(HoldingRow.term_from).is_(None),
        col(HoldingRow.term_to).is_(None),
    ).correlate_except(CertificateRow, HoldingRow) & ~remarked.correlate_except(RemarkPlaceRow, RemarkRow)


def content_of(session: Session, asked: Form) -> str:
    """The data that this registration will be of: unless it changes the content itself, that of its certificate now,
    which another registration may have changed since the form was written."""
    own = asked.change is not None and any(item.item == f"{DESCRIPTION}content" for item in asked.change.items)
    if own or not asked.certificate:
        return asked.description.content.digest.sha256
    return certificate(session, asked.certificate).content


def certificates_held(session: Session, holder: str, at: int) -> list[CertificateRow]:
    """The published certificates, by code, in force at `at` under which this party holds a right."""
    codes = {(row.code, row.version) for row in _held(session, col(HoldingRow.holder) == holder, at=at)}
    found = [session.get_one(CertificateRow, pair) for pair in sorted(codes)]
    return [row for row in found if row.public and row.valid_from <= at]


def _holders_of(session: Session, triple: tuple[str, str, str], at: int) -> list[str]:
    content, right, holder = triple
    same = (col(HoldingRow.right) == right, col(HoldingRow.holder) == holder)
    return [row.code for row in _held(session, col(HoldingRow.content) == content, *same, at=at)]


def _held(session: Session, *which: ColumnElement[bool], at: int) -> list[HoldingRow]:
    """Rights under certificate versions in force at `at`."""
    rows = session.execute(
        select(HoldingRow, CertificateRow)
        .join(
            CertificateRow,
            (col(CertificateRow.code) == col(HoldingRow.code))
            & (col(CertificateRow.version) == col(HoldingRow.version)),
        )
        .where(*which)
    )
    return [held for held, row in rows if status_at(standing_of(session, row), at) in IN_FORCE]


def _depositing(session: Session, known: Case) -> list[str]:
    return list(
        session.scalars(
            select(col(ApplicationRow.id)).where(
                col(ApplicationRow.certificate) == known.form.certificate,
                col(ApplicationRow.id) != known.application,
                col(ApplicationRow.state) == State.DEPOSITING.value,
            )
        )
    )


def _claims_of(session: Session, triple: tuple[str, str, str], but: str) -> list[str]:
    rows = session.execute(
        select(col(ClaimRow.application))
        .join(ApplicationRow, col(ApplicationRow.id) == col(ClaimRow.application))
        .where(
            col(ClaimRow.content) == triple[0],
            col(ClaimRow.right) == triple[1],
            col(ClaimRow.holder) == triple[2],
            col(ClaimRow.application) != but,
            col(ApplicationRow.state) == State.DEPOSITING.value,
        )
    )
    return [row.application for row in rows]
