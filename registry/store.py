"""Views folded from facts, and the questions asked of them.

`PROJECTORS` names, for each kind of fact, the one function that writes its view rows. A projector reads nothing but
the fact and earlier views, so `reindex` and `audit` get the same rows from the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from sqlmodel import SQLModel, col

from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from ledger.store import parts_of
from registry import application, form, objection, party
from registry.application import role_of
from registry.case import MOVE, Act, Case, State
from registry.certificate import (
    DEPOSIT_RECEIPT,
    ENTRY,
    ISSUED,
    USE_AUTHORISATION,
    DepositReceipt,
    Issue,
    RegisterEntry,
    Standing,
    Status,
    UseAuthorisation,
    record_in,
)
from registry.code import LAST_SERIAL, read_code
from registry.errors import CodeExhausted, Unknown
from registry.form import Form, held_by_applicants
from registry.objection import Objection
from registry.party import Connector, Party, Staff
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
        ),
    )
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


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    party.PARTY: _party,
    party.STAFF: _staff,
    party.CONNECTOR: _connector,
    form.SUBMITTED: _submitted,
    MOVE: _moved,
    objection.OBJECTION: _objected,
    DEPOSIT_RECEIPT: _deposited,
    ENTRY: _entered,
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


def connector_at(session: Session, identity: str, at: int) -> ConnectorRow:
    """The connector's version in force at `at`. Raises `Unknown`."""
    row = session.scalars(
        select(ConnectorRow)
        .where(col(ConnectorRow.id) == identity, col(ConnectorRow.from_at) <= at)
        .order_by(col(ConnectorRow.no).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("连接器 / connector", identity)
    return row


def case(session: Session, identity: str) -> Case:
    """The application's case. Raises `Unknown`."""
    row = session.get(ApplicationRow, identity)
    if row is None:
        raise Unknown("申请件 / application", identity)
    return read(Case, canonical.decode(row.case.encode()))


def cases_in(session: Session, states: Iterable[State]) -> list[Case]:
    """The cases in these states, longest unchanged first."""
    rows = session.scalars(
        select(ApplicationRow)
        .where(col(ApplicationRow.state).in_([state.value for state in states]))
        .order_by(col(ApplicationRow.changed_at), col(ApplicationRow.id))
    )
    return [read(Case, canonical.decode(row.case.encode())) for row in rows]


def conflicts_of(session: Session, known: Case, at: int) -> tuple[str, ...]:
    """Certificates in force, and cases being deposited, with a (data, right, holder) of this case (decisions D25)."""
    found: set[str] = set()
    for row in held_by_applicants(known.form):
        triple = known.form.description.content.digest.sha256, row.right.value, row.holder_id
        found.update(_holders_of(session, triple, at))
        found.update(_claims_of(session, triple, known.application))
    return tuple(sorted(found))


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


def is_taken(session: Session, code: str) -> bool:
    """Does the register have a certificate with this code?"""
    return session.scalar(select(col(CertificateRow.code)).where(col(CertificateRow.code) == code).limit(1)) is not None


def certificate_of(session: Session, identity: str) -> CertificateRow | None:
    """The certificate an application led to, if it did."""
    return session.scalars(select(CertificateRow).where(col(CertificateRow.application) == identity)).first()


def certificates(
    session: Session, text: str = "", holder: str = "", limit: int = 50, offset: int = 0
) -> list[CertificateRow]:
    """Certificates whose code, data name or agency contains `text` in letters of either case, and held by `holder`;
    newest deposit first."""
    query = select(CertificateRow)
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
        held = select(col(HoldingRow.code)).where(col(HoldingRow.holder) == holder)
        query = query.where(col(CertificateRow.code).in_(held))
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


def standing_of(session: Session, row: CertificateRow) -> Standing:
    """What decides the state of a certificate version, from every view that has a say in it."""
    return Standing(row.valid_from, row.valid_until)


def last_told(session: Session, code: str, version: int) -> CertificateState:
    """The state last told of a version; nobody need be told that a certificate began VALID and without flags."""
    row = session.scalars(
        select(ToldRow)
        .where(col(ToldRow.code) == code, col(ToldRow.version) == version)
        .order_by(col(ToldRow.no).desc())
        .limit(1)
    ).first()
    if row is None:
        return CertificateState(Status.VALID)
    return CertificateState(Status(row.status), row.encumbered, row.objection)


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


def _write_claims(session: Session, known: Case) -> None:
    content = known.form.description.content.digest.sha256
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
    later = aliased(CertificateRow)
    newest = select(func.max(col(later.version))).where(col(later.code) == col(HoldingRow.code)).scalar_subquery()
    same_code = col(CertificateRow.code) == col(HoldingRow.code)
    rows = session.execute(
        select(col(HoldingRow.code))
        .join(
            CertificateRow,
            same_code & (col(CertificateRow.version) == col(HoldingRow.version)),
        )
        .where(
            col(HoldingRow.content) == triple[0],
            col(HoldingRow.right) == triple[1],
            col(HoldingRow.holder) == triple[2],
            col(HoldingRow.version) == newest,
            col(CertificateRow.valid_until) > at,
        )
    )
    return [row.code for row in rows]


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
