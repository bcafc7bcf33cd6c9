"""What happens to a certificate after it was issued, as the outside calls it: load, decide, store, tell.

Nothing here commits, reads a clock or waits for a chain. A statement that was stored before is answered with its first
fact. Whenever a flag or the status of a certificate changes, it is told in the same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Set

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import moves, validity
from registry import store as registry
from registry.afterlife import blocking, dispute_moves, ending, matter, store, todo
from registry.afterlife import remark as remarks_
from registry.afterlife.blocking import UseEffect, Verdict
from registry.afterlife.dispute import (
    MOVE,
    OBJECTION,
    OPEN,
    Dispute,
    DisputeAct,
    DisputeState,
    DisputeWorld,
    RegisterObjection,
)
from registry.afterlife.ending import CANCELLATION, CORRECTION, Cancellation, Correction, EndingWorld
from registry.afterlife.instrument import Instrument
from registry.afterlife.matter import Matter
from registry.afterlife.remark import CONSENT, REMARK, Consent, Recorded, RemarkAct, RemarkWorld
from registry.agency import Agency, Signer
from registry.calendar import Calendar, day_of
from registry.case import BEFORE_DEPOSIT, Actor, Role, State
from registry.certificate import IN_FORCE, certificate_subject
from registry.code import is_code
from registry.errors import CalendarPending, NotEntitled
from registry.form import Operation, held_by_applicants
from registry.rights import Right
from registry.scheme import Scheme, scheme_of
from registry.signers import organisations_of
from registry.tables import CertificateRow
from registry.worklist import Matter as Waiting

_HEX32 = re.compile(r"[0-9a-f]{32}")
_OPEN_FOR_REMARKS = BEFORE_DEPOSIT | {State.DEPOSITING}


# Remarks --------------------------------------------------------------------------------------------------------------


def remark(session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int) -> Appended:
    """Takes in remark/v1: a remark recorded, extended, lifted, or its end confirmed (E-01…E-04).

    Raises `Unknown`, `IllegalMove`, `NotEntitled`, `GuardRefused`, `FieldError`, `BadSignature`.
    """
    identity = _subject(signed, REMARK, "remark")
    act = read(RemarkAct, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    known = store.remark_of(session, identity) if signed.statement.no else None
    record = known.record if known is not None else act.record
    if record is None:
        raise FieldError("body.record", "必填 / required", "缺失 / missing")
    world = _remark_world(session, agency, record, at)
    remarks_.decide(known, act, _staff_actors(session, signed, agency, at), world, at)
    return _take(session, signed, at, signer, lambda: store.codes_of(session, identity))


def consent(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in remark-consent/v1: a pledgee lets one operation happen, or lets its pledge be lifted.

    Signed by the pledgee, or by reviewer and approver who hold its written consent.
    """
    identity = _subject(signed, CONSENT, "remark")
    body = read(Consent, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    known = store.remark_of(session, identity)
    if body.certificate not in store.codes_of(session, identity):
        raise FieldError("body.certificate", " | ".join(store.codes_of(session, identity)) or "–", body.certificate)
    world = _certificate_world(session, agency, body.certificate, at)
    signers = frozenset(item.by for item in signed.signatures)
    organisations = organisations_of(session, signed, at)
    remarks_.decide_consent(known, body, signers, world, at)
    if organisations:
        actors = _staff_actors(session, signed, agency, at)
        if sorted(actor.role for actor in actors) != [Role.APPROVER, Role.REVIEWER]:
            raise NotEntitled("E-03", "应由审查人和复核人签署。", "signed by a reviewer and an approver")
        moves.require_separation(actors, agency.uscc, world.holders, "E-03")
    return _take(session, signed, at)


def verdicts(
    session: Session, code: str, operation: Operation, at: int, rights: Set[Right] = frozenset(Right)
) -> tuple[Verdict, ...]:
    """What each remark on a certificate does to an operation on these rights; for the officer who decides on it."""
    row = registry.certificate(session, code)
    remarks = store.remarks_of(session, code)
    return blocking.verdicts(remarks, operation, at, rights=rights, version=row.version)


def use_effect(session: Session, code: str, at: int) -> UseEffect:
    """What holds for agreements about a certificate at `at` (decisions D24): in force, new signing, whose income.

    Raises `Unknown`.
    """
    status = validity.certificate_status(session, code, at).status
    return blocking.use(store.remarks_of(session, code), status, at)


# Objections after registration ----------------------------------------------------------------------------------------


def object_to(session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int) -> Appended:
    """Takes in register-objection/v1 (O-01), signed by the objector or by the clerk who verified its contact."""
    _subject(signed, OBJECTION, "register-objection")
    body = read(RegisterObjection, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    if signed.statement.no:
        raise FieldError("statement.no", "0", str(signed.statement.no))
    row = registry.certificate(session, body.certificate)
    organisations = organisations_of(session, signed, at)
    actors = tuple(
        Actor(item.by, moves.staff_role(item), organisations[item.by])
        if item.by in organisations
        else Actor(item.by, Role.OBJECTOR, item.by.partition(":")[2])
        for item in signed.signatures
    )
    if any(not actor.by.startswith(("party:", "staff:")) for actor in actors):
        raise NotEntitled("O-01", "仅当事方和经办人可以提出。", "only parties and staff file an objection")
    dispute_moves.decide_filing(
        body,
        actors,
        agency=agency.uscc,
        registrants=store.holders(session, row) - {actor.organisation for actor in actors},
        rights={right.value for right in store.standing_rights(session, row)},
        in_force=validity.certificate_status(session, row.code, at).in_force,
    )
    return _take(session, signed, at, signer, lambda: [body.certificate])


def move(session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar) -> Appended:
    """Takes in register-objection-move/v1 (O-02…O-11), signed by whom the table names.

    Where the last acceptance leaves nothing to do, the closing follows in the same transaction (O-08).
    """
    identity = _subject(signed, MOVE, "register-objection")
    act = read(DisputeAct, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    known = store.dispute(session, identity)
    organisations = organisations_of(session, signed, at)
    actors = tuple(
        Actor(item.by, dispute_moves.role_of(known, item), organisations.get(item.by, item.by.partition(":")[2]))
        for item in signed.signatures
    )
    dispute_moves.decide(known, act, actors, _dispute_world(session, agency, known, calendar), at)
    taken = _take(session, signed, at, signer, lambda: [known.certificate])
    _close(session, agency, identity, signer, at, calendar)
    return taken


# What the agency does of its own motion -------------------------------------------------------------------------------


def cancel(
    session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar
) -> Appended:
    """Takes in register-cancellation/v1 (Z-03, Z-04, Z-05): the rights end at `at`, the certificate with its last one.

    Where rights remain, `registry.filing.open_by_agency` makes the version without the cancelled ones.
    An objection that led to it is closed in the same transaction. Raises `NotEntitled`, `GuardRefused`, `Unknown`.
    """
    code = _certificate(signed, CANCELLATION)
    body = read(Cancellation, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    row = registry.certificate(session, code)
    world = _ending_world(session, agency, row, body.objection, at)
    ending.decide_cancellation(body, _staff_actors(session, signed, agency, at), world, at)
    taken = _take(session, signed, at, signer, lambda: [code])
    _close(session, agency, body.objection, signer, at, calendar, taken.fact.id, body.instrument)
    return taken


def correct(
    session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar
) -> Appended:
    """Takes in register-correction/v1 (B-04): what the next version of the certificate must say.

    An objection that led to it is closed in the same transaction. The correction waits in the work list until it is
    carried out: by `registry.filing.open_by_agency`, with this fact as its basis, and the deposit that follows.
    """
    code = _certificate(signed, CORRECTION)
    body = read(Correction, signed.statement.body)
    if (first := _replay(session, signed, at)) is not None:
        return first
    row = registry.certificate(session, code)
    world = _ending_world(session, agency, row, body.objection, at)
    ending.decide_correction(body, _staff_actors(session, signed, agency, at), world, at)
    taken = _take(session, signed, at, signer, lambda: [code])
    _close(session, agency, body.objection, signer, at, calendar, taken.fact.id, body.instrument)
    return taken


# Time -----------------------------------------------------------------------------------------------------------------


def run_timers(session: Session, agency: Agency, signer: Signer, *, at: int, calendar: Calendar) -> list[Fact]:
    """Notes every end of a remark (E-04) and takes silent registrants' objections into investigation (O-06)."""
    made = []
    for known in store.remarks_to_note(session, day_of(at).isoformat()):
        act = remarks_.timer_act(known, at)
        if act is not None:
            made.append(_system_act(session, REMARK, f"remark:{known.id}", act, signer, at))
    for found in store.disputes_in(session, (DisputeState.NOTIFIED,)):
        if found.agency != agency.uscc:
            continue
        try:
            silent = dispute_moves.timer_act(found, _dispute_world(session, agency, found, calendar), at)
        except CalendarPending:
            continue
        if silent is not None:
            made.append(_dispute_act(session, agency, found, silent, signer, at, calendar))
    return made


def matters(session: Session, agency: Agency, *, at: int, calendar: Calendar) -> list[Matter]:
    """What waits for whom: open objections, ends to verify, corrections to make; nearest due first."""
    found = [
        line
        for known in store.disputes_in(session, OPEN)
        if known.agency == agency.uscc
        for line in matter.of_dispute(known, _dispute_world(session, agency, known, calendar))
    ]
    for past in store.remarks_past(session, day_of(at).isoformat()):
        found += matter.of_remark(past, at)
    found += [matter.of_correction(row.code, row.fact_id) for row in store.corrections_to_make(session)]
    found += [matter.of_cancelled_rights(code) for code in store.codes_to_drop_from(session)]
    return sorted(found, key=lambda line: (line.due is None, line.due or 0, line.subject, line.role))


def waiting(session: Session, agency: Agency, at: int, calendar: Calendar) -> list[Waiting]:
    """The same for the one work list (`registry.waiting.worklist`)."""
    found = []
    for item in matters(session, agency, at=at, calendar=calendar):
        kind, _, identity = item.subject.partition(":")
        known = store.dispute(session, identity) if kind == "register-objection" else None
        codes = [identity] if kind == "certificate" else store.codes_of(session, identity)
        found.append(todo.line_of(item, [known.certificate] if known else codes, known, calendar))
    return found


# Inside ---------------------------------------------------------------------------------------------------------------


def _close(
    session: Session,
    agency: Agency,
    objection: str,
    signer: Signer,
    at: int,
    calendar: Calendar,
    result: str = "",
    instrument: Instrument | None = None,
) -> None:
    """Closes an objection to which nothing is left to be done."""
    if not objection:
        return
    known = store.dispute(session, objection)
    act = dispute_moves.closing_act(known, result, instrument)
    if act is not None:
        _dispute_act(session, agency, known, act, signer, at, calendar)


def _dispute_act(
    session: Session, agency: Agency, known: Dispute, act: DisputeAct, signer: Signer, at: int, calendar: Calendar
) -> Fact:
    world = _dispute_world(session, agency, known, calendar)
    dispute_moves.decide(known, act, (Actor(signer.by, Role.SYSTEM, agency.uscc),), world, at)
    fact = _system_act(session, MOVE, f"register-objection:{known.id}", act, signer, at)
    _tell(session, signer, [known.certificate], fact, at)
    return fact


def _system_act(session: Session, kind: str, subject: str, body: object, signer: Signer, at: int) -> Fact:
    no, prev = facts.next_of(session, subject)
    statement = Statement(kind, subject, no, prev, body_of(body))
    taken = facts.append(session, Signed(statement, (signer.sign(statement, Role.SYSTEM.value),)), at=at)
    store.project(session, taken.fact)
    return taken.fact


def _tell(session: Session, signer: Signer, codes: Iterable[str], fact: Fact, at: int) -> None:
    for code in codes:
        validity.tell(session, signer, registry.certificate(session, code), at=at, basis=fact.id)


def _take(
    session: Session,
    signed: Signed,
    at: int,
    signer: Signer | None = None,
    codes: Callable[[], Iterable[str]] = lambda: (),
) -> Appended:
    """Stores the fact, folds it, and tells what became of the certificates it is about."""
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.project(session, taken.fact)
        if signer is not None:
            _tell(session, signer, codes(), taken.fact, at)
    return taken


def _replay(session: Session, signed: Signed, at: int) -> Appended | None:
    """The first fact if this act is stored already, None if it is the subject's next; raises `Conflict` or `Stale`."""
    statement = signed.statement
    if (statement.no, statement.prev) == facts.next_of(session, statement.subject):
        return None
    return facts.append(session, signed, at=at)


def _staff_actors(session: Session, signed: Signed, agency: Agency, at: int) -> tuple[Actor, ...]:
    """Every signature verified; staff in their roles, the agency itself as the system. Raises `NotEntitled`."""
    organisations = organisations_of(session, signed, at)
    actors = []
    for item in signed.signatures:
        if item.by in organisations:
            actors.append(Actor(item.by, moves.staff_role(item), organisations[item.by]))
        elif item.by == f"party:{agency.uscc}" and item.role == Role.SYSTEM:
            actors.append(Actor(item.by, Role.SYSTEM, agency.uscc))
        else:
            raise NotEntitled("签名", f"{item.by} 不是本登记机构的经办人。", f"{item.by} is not staff of this agency")
    return tuple(actors)


def _remark_world(session: Session, agency: Agency, record: Recorded, at: int) -> RemarkWorld:
    if bool(record.application) == bool(record.certificate):
        return RemarkWorld(agency.uscc, frozenset(), frozenset(), False, 0)
    if record.certificate:
        return _certificate_world(session, agency, record.certificate, at, frozenset(record.rights))
    case = registry.case(session, record.application)
    rows = held_by_applicants(case.form)
    return RemarkWorld(
        agency=agency.uscc,
        rights=frozenset(row.right for row in rows),
        holders=frozenset(row.holder_id for row in rows),
        open=case.state in _OPEN_FOR_REMARKS,
        version=0,
        stops=blocking.stops(
            store.remarks_on(session, store.application_subject(case.application)),
            False,
            Operation.REPLEDGE,
            at,
            rights=frozenset(record.rights),
        ),
    )


def _certificate_world(
    session: Session, agency: Agency, code: str, at: int, rights: Set[Right] = frozenset(Right)
) -> RemarkWorld:
    row = registry.certificate(session, code)
    return RemarkWorld(
        agency=agency.uscc,
        rights=store.standing_rights(session, row),
        holders=store.holders(session, row),
        open=validity.certificate_status(session, code, at).status in IN_FORCE,
        version=row.version,
        stops=store.stops(session, code, Operation.REPLEDGE, at, rights),
    )


def _dispute_world(session: Session, agency: Agency, known: Dispute, calendar: Calendar) -> DisputeWorld:
    scheme = _scheme(session, registry.certificate(session, known.certificate))
    return DisputeWorld(agency.uscc, scheme, calendar, store.acted_on(session, known.id))


def _scheme(session: Session, row: CertificateRow) -> Scheme:
    return scheme_of(registry.case(session, row.application).form.scheme)


def _ending_world(session: Session, agency: Agency, row: CertificateRow, objection: str, at: int) -> EndingWorld:
    return EndingWorld(
        agency=agency.uscc,
        version=row.version,
        in_force=validity.certificate_status(session, row.code, at).in_force,
        rights=store.standing_rights(session, row),
        holders=store.holders(session, row),
        content=row.content,
        dispute=store.dispute(session, objection) if objection else None,
        certificate=row.code,
        open=store.objection_open(session, row.code),
        stops=store.stops(session, row.code, Operation.CANCELLATION, at),
    )


def _subject(signed: Signed, kind: str, prefix: str) -> str:
    _require_kind(signed, kind)
    given, _, identity = signed.statement.subject.partition(":")
    if given != prefix or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<32 hex>", signed.statement.subject)
    return identity


def _certificate(signed: Signed, kind: str) -> str:
    _require_kind(signed, kind)
    code = signed.statement.subject.partition(":")[2]
    if not is_code(code) or signed.statement.subject != certificate_subject(code):
        raise FieldError("statement.subject", "certificate:<code>", signed.statement.subject)
    return code


def _require_kind(signed: Signed, kind: str) -> None:
    if signed.statement.kind != kind:
        raise FieldError("statement.kind", kind, signed.statement.kind)
    if signed.statement.parts is not None:
        raise FieldError("statement.parts", "无 / none", "有 / present")
