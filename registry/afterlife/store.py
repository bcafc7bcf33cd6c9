"""Views of remarks and objections, and the questions asked of them.

`registry.store` asks here too: what a certificate's state is depends on these views. So nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.afterlife import blocking, dispute_moves
from registry.afterlife import dispute as disputes_
from registry.afterlife import remark as remarks_
from registry.afterlife.dispute import Dispute, DisputeAct, DisputeState, RegisterObjection
from registry.afterlife.remark import ENCUMBERING, Consent, Remark, RemarkAct, RemarkKind
from registry.afterlife.tables import DisputeRow, RemarkPlaceRow, RemarkRow
from registry.case import Role
from registry.certificate import certificate_subject
from registry.errors import Unknown
from registry.form import Operation
from registry.moves import staff_role
from registry.rights import Right
from registry.tables import ApplicationRow, CertificateRow, HoldingRow


def project(session: Session, fact: Fact) -> None:
    """Writes the view rows of a newly stored fact."""
    PROJECTORS[fact.kind](session, fact)


def application_subject(identity: str) -> str:
    """The place of a remark that arrived before the deposit."""
    return f"application:{identity}"


# Projectors -----------------------------------------------------------------------------------------------------------


def _remarked(session: Session, fact: Fact) -> None:
    act, identity = read(RemarkAct, fact.body), _identity(fact)
    if act.move == "E-01":
        remark = remarks_.recorded(identity, act, fact.at)
        _write_remark(session, remark)
        record = remark.record
        target = (
            certificate_subject(record.certificate) if record.certificate else application_subject(record.application)
        )
        _place(session, identity, target, record.rights)
        return
    signed = fact.signatures[0]
    role = staff_role(signed) if signed.by.startswith("staff:") else Role.SYSTEM
    _write_remark(session, remarks_.apply(remark_of(session, identity), act, role, fact.at))


def _consented(session: Session, fact: Fact) -> None:
    body = read(Consent, fact.body)
    _write_remark(session, remarks_.consented(remark_of(session, _identity(fact)), body, fact.at))


def _objected(session: Session, fact: Fact) -> None:
    body = read(RegisterObjection, fact.body)
    row = _newest(session, body.certificate)
    by = fact.signatures[0].by
    objector = by if by.startswith("party:") else ""
    registrants = sorted(holders(session, row) - {objector.removeprefix("party:")})
    filed = dispute_moves.filed(
        _identity(fact), body, row.agency, objector, registrants, _representative(session, row), fact.at
    )
    _write_dispute(session, filed)


def _dispute_moved(session: Session, fact: Fact) -> None:
    known = dispute(session, _identity(fact))
    roles = [(item.by, dispute_moves.role_of(known, item)) for item in fact.signatures]
    _write_dispute(session, dispute_moves.apply(known, read(DisputeAct, fact.body), roles, fact.at))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {
    remarks_.REMARK: _remarked,
    remarks_.CONSENT: _consented,
    disputes_.OBJECTION: _objected,
    disputes_.MOVE: _dispute_moved,
}

TABLES = (RemarkRow, RemarkPlaceRow, DisputeRow)
"""Every view table of what follows the issue; `reindex` empties them and replays the facts."""


def move_onto(session: Session, application: str, code: str) -> None:
    """Remarks that arrived before the deposit stand on the certificate from its first version on (E-01)."""
    for place in _places(session, application_subject(application)):
        _place(session, place.remark, certificate_subject(code), _rights_of(place))
        session.delete(place)
    session.flush()


def follow(session: Session, old: str, new: str, rights: Set[Right]) -> None:
    """Remarks of certificate `old` that hit `rights` stand on `new`, to which those were transferred, in their order.

    What the transferor keeps is settled by its own next version (`settle`).
    """
    for place in _places(session, certificate_subject(old)):
        moved = tuple(right for right in _rights_of(place) if right in rights)
        if moved:
            _place(session, place.remark, certificate_subject(new), moved)


def settle(session: Session, code: str, rights: Set[Right]) -> None:
    """After another version of a certificate, remarks stand there for the rights that it still has."""
    for place in _places(session, certificate_subject(code)):
        kept = tuple(right for right in _rights_of(place) if right in rights)
        if kept:
            place.rights = _text(kept)
        else:
            session.delete(place)
    session.flush()


# Questions ------------------------------------------------------------------------------------------------------------


def remark_of(session: Session, identity: str) -> Remark:
    """The remark with this 32-hex id. Raises `Unknown`."""
    row = session.get(RemarkRow, identity)
    if row is None:
        raise Unknown("备注 / remark", identity)
    return _read_remark(row)


def remarks_on(session: Session, target: str) -> list[Remark]:
    """The remarks at a place, by rank, those ended too; each with the rights it hits there."""
    rows = session.execute(
        select(RemarkRow, RemarkPlaceRow)
        .join(RemarkPlaceRow, col(RemarkPlaceRow.remark) == col(RemarkRow.id))
        .where(col(RemarkPlaceRow.target) == target)
        .order_by(col(RemarkPlaceRow.rank))
    )
    return [remarks_.hitting(_read_remark(row), _rights_of(place)) for row, place in rows]


def remarks_of(session: Session, code: str) -> list[Remark]:
    """The remarks on a certificate, by rank, those ended too."""
    return remarks_on(session, certificate_subject(code))


def codes_of(session: Session, remark: str) -> list[str]:
    """The certificates a remark stands on."""
    targets = session.scalars(
        select(col(RemarkPlaceRow.target))
        .where(col(RemarkPlaceRow.remark) == remark)
        .order_by(col(RemarkPlaceRow.target))
    )
    return [code for kind, _, code in (target.partition(":") for target in targets) if kind == "certificate"]


def remarks_past(session: Session, day: str) -> list[Remark]:
    """Standing remarks whose end lies before `day` (ISO)."""
    rows = session.scalars(
        select(RemarkRow)
        .where(col(RemarkRow.to_day) < day, col(RemarkRow.standing))
        .order_by(col(RemarkRow.to_day), col(RemarkRow.id))
    )
    return [_read_remark(row) for row in rows]


def remarks_to_note(session: Session, day: str) -> list[Remark]:
    """Those of `remarks_past` whose end no timer has noted yet (E-04)."""
    return [item for item in remarks_past(session, day) if item.noted != item.to_day]


def encumbered(session: Session, code: str) -> bool:
    """Does a remark that sets the flag ENCUMBERED stand on this certificate?"""
    found = exists().where(
        col(RemarkPlaceRow.target) == certificate_subject(code),
        col(RemarkPlaceRow.remark) == col(RemarkRow.id),
        col(RemarkRow.encumbers),
        col(RemarkRow.standing),
    )
    return bool(session.scalar(select(found)))


def objection_open(session: Session, code: str) -> bool:
    """Is an objection after registration open against this certificate?"""
    found = exists().where(col(DisputeRow.certificate) == code, col(DisputeRow.open))
    return bool(session.scalar(select(found)))


def dispute(session: Session, identity: str) -> Dispute:
    """The objection with this 32-hex id. Raises `Unknown`."""
    row = session.get(DisputeRow, identity)
    if row is None:
        raise Unknown("登记后异议 / objection after registration", identity)
    return _read_dispute(row)


def disputes_in(session: Session, states: Iterable[DisputeState]) -> list[Dispute]:
    """The objections in these states, longest unchanged first."""
    rows = session.scalars(
        select(DisputeRow)
        .where(col(DisputeRow.state).in_([state.value for state in states]))
        .order_by(col(DisputeRow.changed_at), col(DisputeRow.id))
    )
    return [_read_dispute(row) for row in rows]


def registered_rights(session: Session, row: CertificateRow) -> frozenset[Right]:
    """The right types of a certificate version."""
    return frozenset(Right(item.right) for item in _holdings(session, row))


def holders(session: Session, row: CertificateRow) -> frozenset[str]:
    """The identity numbers of everybody who holds a right under a certificate version."""
    return frozenset(item.holder for item in _holdings(session, row))


def stops(
    session: Session,
    code: str,
    operation: Operation,
    at: int,
    rights: Set[Right] = frozenset(Right),
    but: Set[RemarkKind] = frozenset(),
) -> tuple[str, ...]:
    """Why an operation on these rights of a certificate may not be done at `at`, Chinese first. Empty: it may.

    Remarks stop what the table of 1.7 says, those of the kinds `but` nothing; an open objection stops 转让, 申请注销.
    """
    return blocking.stops(
        remarks_of(session, code),
        objection_open(session, code),
        operation,
        at,
        rights=rights,
        version=_newest(session, code).version,
        but=but,
    )


# Inside ---------------------------------------------------------------------------------------------------------------


def _newest(session: Session, code: str) -> CertificateRow:
    row = session.scalars(
        select(CertificateRow)
        .where(col(CertificateRow.code) == code)
        .order_by(col(CertificateRow.version).desc())
        .limit(1)
    ).first()
    if row is None:
        raise Unknown("凭证 / certificate", code)
    return row


def _holdings(session: Session, row: CertificateRow) -> list[HoldingRow]:
    return list(
        session.scalars(
            select(HoldingRow).where(col(HoldingRow.code) == row.code, col(HoldingRow.version) == row.version)
        )
    )


def _representative(session: Session, row: CertificateRow) -> str:
    """The identity number of who represents the applicants of this version, "" for nobody."""
    found = session.get(ApplicationRow, row.application)
    form: dict[str, Any] = canonical.decode(found.case.encode())["form"] if found is not None else {}
    return str(form.get("representative", {}).get("id_no", ""))


def _places(session: Session, target: str) -> list[RemarkPlaceRow]:
    return list(
        session.scalars(
            select(RemarkPlaceRow).where(col(RemarkPlaceRow.target) == target).order_by(col(RemarkPlaceRow.rank))
        )
    )


def _place(session: Session, remark: str, target: str, rights: Iterable[Right]) -> None:
    last = session.scalar(select(func.max(col(RemarkPlaceRow.rank))).where(col(RemarkPlaceRow.target) == target))
    _add(session, RemarkPlaceRow(remark=remark, target=target, rank=(last or 0) + 1, rights=_text(rights)))


def _rights_of(place: RemarkPlaceRow) -> tuple[Right, ...]:
    return tuple(Right(name) for name in place.rights.split())


def _text(rights: Iterable[Right]) -> str:
    return " ".join(right.value for right in rights)


def _write_remark(session: Session, remark: Remark) -> None:
    values: dict[str, Any] = {
        "kind": remark.record.kind.value,
        "encumbers": remark.record.kind in ENCUMBERING,
        "standing": remark.end is None,
        "to_day": remark.to_day,
        "noted": remark.noted,
    }
    _write(session, RemarkRow, remark.id, remark, values)


def _write_dispute(session: Session, known: Dispute) -> None:
    values: dict[str, Any] = {
        "certificate": known.certificate,
        "state": known.state.value,
        "open": known.state in disputes_.OPEN,
        "filed_at": known.filed_at,
        "changed_at": known.changed_at,
    }
    _write(session, DisputeRow, known.id, known, values)


def _write(session: Session, table: type[SQLModel], identity: str, value: object, columns: dict[str, Any]) -> None:
    columns["document"] = canonical.encode(body_of(value)).decode()
    row = session.get(table, identity)
    if row is None:
        _add(session, table(id=identity, **columns))
        return
    for name, item in columns.items():
        setattr(row, name, item)
    session.flush()


def _read_remark(row: RemarkRow) -> Remark:
    return read(Remark, canonical.decode(row.document.encode()))


def _read_dispute(row: DisputeRow) -> Dispute:
    return read(Dispute, canonical.decode(row.document.encode()))


def _add(session: Session, row: SQLModel) -> None:
    session.add(row)
    session.flush()


def _identity(fact: Fact) -> str:
    return fact.subject.partition(":")[2]
