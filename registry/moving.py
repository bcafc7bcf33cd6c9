"""受理 审查 公示 异议: every move of the table, signed by whom it names, and those that time makes."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.errors import LedgerError
from ledger.facts import Fact, Signed
from ledger.reading import read
from ledger.store import Appended
from registry import store
from registry.afterlife.service import ground_lost
from registry.agency import Agency, Signer
from registry.application import actors_of, decide, decide_objection, timer_act
from registry.asset import Twin
from registry.calendar import Calendar
from registry.case import FINAL, MOVE, Act, Actor, Case, Role, State, World, rules_of
from registry.certificate import Status, record_digest
from registry.duties import store as duties
from registry.entries import deposit_record, entry_in_force
from registry.errors import CalendarPending, RegistryError
from registry.filing import blocked_by, papers_not_received, strangers
from registry.form import LATER
from registry.holding import source_gaps
from registry.objection import OBJECTION, Objection
from registry.precheck import precheck, require_submittable
from registry.signers import actors_in
from registry.stating import hex_identity, is_known, next_statement, require_kind, take_in
from registry.validity import tell


def move(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """Any move of the table that is stated by an application-move/v1, signed by whom the table names."""
    statement = signed.statement
    require_kind(signed, MOVE)
    identity = hex_identity(statement.subject, "application")
    act = read(Act, statement.body)
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    if act.move in ("I-15", "I-24"):
        duties.require_listed(session, agency.uscc, act.move)
    case = store.case(session, identity)
    if act.form is not None:
        require_submittable(precheck(act.form, rules_of(case), at))
        require_submittable(papers_not_received(session, agency, act.form))
        require_submittable(strangers(session, act.form))
    decide(case, act, actors_in(session, signed, case.form, at), world_of(session, agency, case, at, calendar), at)
    return take_in(session, signed, at)


def rehearse(
    session: Session,
    agency: Agency,
    application: str,
    act: Act,
    actors: tuple[Actor, ...],
    *,
    at: int,
    calendar: Calendar,
) -> None:
    """Raises what `move` would raise if these actors signed this act now; a page asks before it lets them sign."""
    case = store.case(session, application)
    if act.form is not None:
        require_submittable(precheck(act.form, rules_of(case), at))
        require_submittable(strangers(session, act.form))
    decide(case, act, actors, world_of(session, agency, case, at, calendar), at)


def world_of(
    session: Session, agency: Agency, case: Case, at: int, calendar: Calendar, receipt_record: Twin | None = None
) -> World:
    """What a decision about this case must know at `at` besides the case: also for pages that show its clocks."""
    later = case.form.type in LATER and case.state not in FINAL and case.state is not State.REGISTERED
    return World(
        agency=agency.uscc,
        scheme=rules_of(case),
        calendar=calendar,
        conflicts=store.conflicts_of(session, case, at),
        source_gaps=source_gaps(session, case.form, at),
        record=record_digest(deposit_record(session, case.application)) if case.state is State.READY else None,
        receipt_record=receipt_record,
        entry=entry_in_force(session, case.form.certificate, at) if later else None,
        # An agency's own decision carries out what would block an application; it must still stand on its ground.
        blocked=blocked_by(session, case.form, at) if later and not case.opened_by else (),
        ground_lost=ground_lost(session, case, at) if later else None,
        national_release=agency.national_release,
    )


def may_object(session: Session, agency: Agency, case: Case, *, at: int, calendar: Calendar) -> bool:
    """Would an objection of somebody outside be taken in now?"""
    somebody = Actor("party:", Role.OBJECTOR, "")
    try:
        decide_objection(case, (somebody,), world_of(session, agency, case, at, calendar), at)
    except (RegistryError, LedgerError):
        return False
    return True


def object_to(session: Session, agency: Agency, signed: Signed, *, at: int, calendar: Calendar) -> Appended:
    """An objection (I-17, I-23), signed by the objecting party or by the clerk who verified the objector's contact."""
    require_kind(signed, OBJECTION)
    hex_identity(signed.statement.subject, "objection")
    body = read(Objection, signed.statement.body)
    if is_known(session, signed):
        return facts.append(session, signed, at=at)
    case = store.case(session, body.application)
    actors = actors_in(session, signed, case.form, at)
    decide_objection(case, actors, world_of(session, agency, case, at, calendar), at)
    return take_in(session, signed, at)


def run_timers(session: Session, agency: Agency, signer: Signer, *, at: int, calendar: Calendar) -> list[Fact]:
    """Makes every move whose time has come (I-06, I-08, I-18), and tells what time, or a renewal filed or given up, has
    made of a certificate (L-03, L-04, L-06); a date in an unpublished year fires nothing."""
    made = []
    for case in store.cases_in(session, (State.SUBMITTED, State.CORRECTION, State.PUBLICITY)):
        if case.form.agency != agency.uscc:
            continue
        world = world_of(session, agency, case, at, calendar)
        try:
            act = timer_act(case, world, at)
        except CalendarPending:
            continue
        if act is not None:
            made.append(system_move(session, case, act, world, signer, at))
    return made + _tell_what_time_made(session, agency, signer, at)


def _tell_what_time_made(session: Session, agency: Agency, signer: Signer, at: int) -> list[Fact]:
    made = []
    for row in store.to_be_told(session, at):
        if row.agency != agency.uscc:
            continue
        if row.renewal_filed_at is not None:  # L-03: the mark, in time before expiry
            told = tell(session, signer, row, at=at, basis="R-01", effective_at=row.renewal_filed_at)
        elif row.valid_until <= at:
            basis = "R-04" if row.told == Status.RENEWAL_PENDING else "C10"  # L-06, L-04
            told = tell(session, signer, row, at=at, basis=basis, effective_at=row.valid_until)
        else:  # the renewal came to nothing while the term still runs
            told = tell(session, signer, row, at=at, basis="R-04")
        if told is not None:
            made.append(told)
    return made


def system_move(session: Session, case: Case, act: Act, world: World, signer: Signer, at: int) -> Fact:
    """Decides, signs and stores a move of the system or a timer."""
    statement = next_statement(session, MOVE, f"application:{case.application}", act)
    signature = signer.sign(statement, "system")
    decide(case, act, actors_of(case.form, (signature,), {}), world, at)
    return take_in(session, Signed(statement, (signature,)), at).fact
