"""Views folded from facts, and the questions asked of them.

`PROJECTORS` names, for each kind of fact, the one function that writes its view rows. A projector reads nothing but
the fact and earlier views, so `reindex` and `audit` get the same rows from the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from ledger.store import parts_of
from registry import application, form, objection, party
from registry.afterlife import store as afterlife
from registry.afterlife.tables import RightEndingRow
from registry.application import role_of
from registry.case import (
    DECISION,
    FINAL,
    MOVE,
    Act,
    Actor,
    AgencyDecision,
    Case,
    State,
)
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENDING,
    ENTRY,
    IN_FORCE,
    ISSUED,
    USE_AUTHORISATION,
    DepositReceipt,
    Issue,
    RegisterEnding,
    RegisterEntry,
    Standing,
    Status,
    UseAuthorisation,
    record_in,
    status_at,
)
from registry.code import LAST_SERIAL, read_code
from registry.errors import CodeExhausted, Unknown
from registry.form import DESCRIPTION, Form, RegistrationType, held_by_applicants
from registry.objection import Objection
from registry.party import Connector, Party, Staff
from registry.search import store as search
from registry.search.tables import RegisterLineRow
from registry.statistics import store as statistics
from registry.statistics.tables import RegistrationCountRow, RegistrationRow
from registry.tables import (
    ApplicationRow,
    AuthorisationRow,
    CertificateRow,
    ClaimRow,
    CodeCounterRow,
    ConnectorRow,
    DepositRow,
    HoldingRow,
    IssueRow,
    ObjectionRow,
    PartyRow,
    StaffRow,
    ToldRow,
)
from registry.telling import TOLD, CertificateState, Telling

_CASES = msgspec.json.Decoder(Case)
"""A case is read back as `_write_case` wrote it; whether a row was tampered with is for `audit` to say."""


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
            uscc=body.uscc,
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
    kinds = {item.id_no: item.kind.value for item in record.holders}
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
    _count_code(session, body.code)
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

TABLES = (
    PartyRow,
    StaffRow,
    ConnectorRow,
    ApplicationRow,
    ClaimRow,
    ObjectionRow,
    DepositRow,
    CertificateRow,
    HoldingRow,
    IssueRow,
    AuthorisationRow,
    CodeCounterRow,
    ToldRow,
    RegisterLineRow,
    RegistrationRow,
    RegistrationCountRow,
)
"""Every view table of the registry; `reindex` empties them and replays the facts."""


# Questions ------------------------------------------------------------------------------------------------------------


def party_at(session: Session, uscc: str, at: int) -> PartyRow:
    """The party's version in force at `at`. Raises `Unknown`."""
    row = session.scalars(
        select(PartyRow)
        .where(col(PartyRow.uscc) == uscc, col(PartyRow.from_at) <= at)
        .order_by(col(PartyRow.no).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("当事方 / party", uscc)
    return row


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


# Made once: every batch of usage asks, and building a statement costs more than running it.
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
    content = _content_of(session, known.form)
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
    for uscc in sorted(parties):
        try:
            if role in party_at(session, uscc, at).roles.split():
                found.append(uscc)
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


def deposit_of(session: Session, record_sha256: str) -> DepositRow | None:
    """The receipt for a deposit record, if it came."""
    return session.get(DepositRow, record_sha256)


def take_serial(session: Session, region: str, agency: str, month: str) -> int:
    """The next serial of this region, agency digit and month, taken in the running transaction.

    The counter row is incremented in place, so two writers never get the same number: the second waits for the first,
    and a roll-back gives its number back before anybody saw it. Raises `CodeExhausted` after 9999.
    """
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"region": region, "agency": agency, "month": month, "last": 0}
    session.execute(make(CodeCounterRow).values(**row).on_conflict_do_nothing())
    last = col(CodeCounterRow.last)
    taken = session.execute(
        update(CodeCounterRow)
        .where(
            col(CodeCounterRow.region) == region,
            col(CodeCounterRow.agency) == agency,
            col(CodeCounterRow.month) == month,
            last < LAST_SERIAL,
        )
        .values(last=last + 1)
        .returning(last)
        .execution_options(synchronize_session=False)
    ).scalar()
    if taken is None:
        raise CodeExhausted(region, agency, month)
    return int(taken)


def last_serial(session: Session, region: str, agency: str, month: str) -> int:
    """The last serial taken in this region, agency digit and month; 0 before the first."""
    row = session.get(CodeCounterRow, (region, agency, month), populate_existing=True)
    return row.last if row else 0


def _count_code(session: Session, text: str) -> None:
    """The counter never lies below a code that exists, also when views are rebuilt from facts."""
    code = read_code(text)
    row = session.get(CodeCounterRow, (code.region, code.agency, code.month), populate_existing=True)
    if row is None:
        _add(session, CodeCounterRow(region=code.region, agency=code.agency, month=code.month, last=code.serial))
    else:
        row.last = max(row.last, code.serial)
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


def _content_of(session: Session, asked: Form) -> str:
    """The data that this registration will be of: unless it changes the content itself, that of its certificate now,
    which another registration may have changed since the form was written."""
    own = asked.change is not None and any(item.item == f"{DESCRIPTION}content" for item in asked.change.items)
    if own or not asked.certificate:
        return asked.description.content.digest.sha256
    return certificate(session, asked.certificate).content


def _write_claims(session: Session, known: Case) -> None:
    content = _content_of(session, known.form)
    wanted = {(row.right.value, row.holder_id) for row in held_by_applicants(known.form)}
    stored = list(session.scalars(select(ClaimRow).where(col(ClaimRow.application) == known.application)))
    for claim in stored:
        if (claim.right, claim.holder) not in wanted or claim.content != content:
            session.delete(claim)
    session.flush()
    kept = {(claim.right, claim.holder) for claim in stored if claim.content == content}
    for right, holder in sorted(wanted - kept):
        _add(session, ClaimRow(application=known.application, right=right, holder=holder, content=content))


def _holders_of(session: Session, triple: tuple[str, str, str], at: int) -> list[str]:
    content, right, holder = triple
    same = (col(HoldingRow.right) == right, col(HoldingRow.holder) == holder)
    return [row.code for row in _held(session, col(HoldingRow.content) == content, *same, at=at)]


def _held(session: Session, *which: ColumnElement[bool], at: int) -> list[HoldingRow]:
    """Rights under certificate versions in force at `at`, without those the agency has cancelled."""
    same_right = col(RightEndingRow.right) == col(HoldingRow.right)
    cancelled = exists().where(col(RightEndingRow.code) == col(HoldingRow.code), same_right)
    rows = session.execute(
        select(HoldingRow, CertificateRow)
        .join(
            CertificateRow,
            (col(CertificateRow.code) == col(HoldingRow.code))
            & (col(CertificateRow.version) == col(HoldingRow.version)),
        )
        .where(~cancelled, *which)
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
