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
from registry import entries, moves, validity
from registry import store as registry
from registry.afterlife import blocking, dispute_moves, grounds, matter, store, todo
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
from registry.afterlife.grounds import GroundWorld
from registry.afterlife.instrument import Instrument
from registry.afterlife.matter import Matter
from registry.afterlife.remark import CONSENT, REMARK, Consent, Recorded, RemarkAct, RemarkKind, RemarkWorld
from registry.agency import Agency, Signer
from registry.calendar import Calendar, day_of
from registry.case import BEFORE_DEPOSIT, Actor, AgencyDecision, Case, Role, State
from registry.certificate import IN_FORCE
from registry.errors import CalendarPending, NotEntitled
from registry.form import Form, Operation, held_by_applicants, rights_concerned
from registry.moves import Refusal
from registry.rights import Right
from registry.scheme import Scheme, scheme_of
from registry.signers import organisations_of
from registry.tables import CertificateRow
from registry.worklist import Matter as Waiting

_HEX32 = re.compile(r"[0-9a-f]{32}")
_UNDER_WAY = BEFORE_DEPOSIT | {State.DEPOSITING}


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
        rights={right.value for right in store.registered_rights(session, row)},
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


# What the agency decides of its own motion ----------------------------------------------------------------------------


def require_ground(session: Session, agency: Agency, decision: AgencyDecision, at: int) -> None:
    """B-04, Z-03 to Z-05: does the decision rest on something? Raises `GuardRefused`, `Unknown`."""
    grounds.decide(decision, _ground_world(session, decision.form, decision.objection, at), at)


def ground_lost(session: Session, case: Case, at: int) -> Refusal:
    """Why what the agency decided may not be deposited at `at`; `None` for an application and while it may."""
    if not case.opened_by:
        return None
    world = _ground_world(session, case.form, case.objection, at)
    found = grounds.unmet(case.opened_by, case.objection, case.instrument, world, at)
    return found[1:] if found is not None else None


def close_acted_on(
    session: Session, agency: Agency, case: Case, result: Fact, signer: Signer, *, at: int, calendar: Calendar
) -> None:
    """Closes the objection that a deposited case of the agency's own rests on; `result` is what the deposit made."""
    _close(session, agency, case.objection, signer, at, calendar, result.id, case.instrument)


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
    """What waits for whom: open objections and ends to verify; nearest due first."""
    found = [
        line
        for known in store.disputes_in(session, OPEN)
        if known.agency == agency.uscc
        for line in matter.of_dispute(known, _dispute_world(session, agency, known, calendar))
    ]
    for past in store.remarks_past(session, day_of(at).isoformat()):
        found += matter.of_remark(past, at)
    return sorted(found, key=lambda line: (line.due is None, line.due or 0, line.subject, line.role))


def waiting(session: Session, agency: Agency, at: int, calendar: Calendar) -> list[Waiting]:
    """The same for the one work list (`registry.waiting.worklist`)."""
    found = []
    for item in matters(session, agency, at=at, calendar=calendar):
        kind, _, identity = item.subject.partition(":")
        known = store.dispute(session, identity) if kind == "register-objection" else None
        codes = [known.certificate] if known else store.codes_of(session, identity)
        found.append(todo.line_of(item, codes, known, calendar))
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
        open=case.state in _UNDER_WAY,
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
        rights=store.registered_rights(session, row),
        holders=store.holders(session, row),
        open=validity.certificate_status(session, code, at).status in IN_FORCE,
        version=row.version,
        stops=store.stops(session, code, Operation.REPLEDGE, at, rights),
    )


def _dispute_world(session: Session, agency: Agency, known: Dispute, calendar: Calendar) -> DisputeWorld:
    scheme = _scheme(session, registry.certificate(session, known.certificate))
    decided = _decided_on(session, known)
    return DisputeWorld(
        agency.uscc,
        scheme,
        calendar,
        acted=frozenset(entries.made_by(session, case).id for case in decided if case.code),
        pending=any(case.state in _UNDER_WAY for case in decided),
    )


def _scheme(session: Session, row: CertificateRow) -> Scheme:
    return scheme_of(registry.case(session, row.application).form.scheme)


def _ground_world(session: Session, form: Form, objection: str, at: int) -> GroundWorld:
    code = form.certificate
    known = store.dispute(session, objection) if objection else None
    decided = [case.application for case in _decided_on(session, known) if case.state in _UNDER_WAY] if known else []
    return GroundWorld(
        certificate=code,
        dispute=known,
        pending="".join(decided[:1]),
        open=store.objection_open(session, code),
        # 管制 guards the public, nobody's claim: it does not keep the agency from ending what it stopped (P).
        stops=store.stops(session, code, Operation.CANCELLATION, at, rights_concerned(form), {RemarkKind.TEMP_CONTROL}),
    )


def _decided_on(session: Session, known: Dispute) -> list[Case]:
    """The cases the agency opened on the outcome of this objection."""
    return [case for case in registry.cases_about(session, known.certificate) if case.objection == known.id]


def _subject(signed: Signed, kind: str, prefix: str) -> str:
    _require_kind(signed, kind)
    given, _, identity = signed.statement.subject.partition(":")
    if given != prefix or not _HEX32.fullmatch(identity):
        raise FieldError("statement.subject", f"{prefix}:<32 hex>", signed.statement.subject)
    return identity


def _require_kind(signed: Signed, kind: str) -> None:
    if signed.statement.kind != kind:
        raise FieldError("statement.kind", kind, signed.statement.kind)
    if signed.statement.parts is not None:
        raise FieldError("statement.parts", "无 / none", "有 / present")
