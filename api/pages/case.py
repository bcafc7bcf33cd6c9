"""One case for everybody it concerns: the form, papers, history, clocks, and the form of each move one may begin."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.office import application_form, clocks, history, moves, papers, store, words
from api.office.access import case_of, may_see
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from ledger.errors import FieldError, LedgerError
from ledger.reading import body_of
from registry import entries, moving
from registry.case import MOVE, STATE_NAMES, Case, State
from registry.errors import IllegalMove, RegistryError
from registry.form import Form
from registry.likeness import service as likeness
from registry.likeness.fingerprint import Report

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True)
class Begun:
    """A move somebody is about to draft, with what its form must know."""

    chosen: moves.Possible
    before: moves.Before


@router.get("/office/cases/{application}")
def case_page(
    request: Request, application: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    case = case_of(session, visitor, application)
    world = moving.world_of(session, system.house, case, now, system.calendar)
    subjects, lines = [f"application:{application}"], history.lines(session, case)
    return office_page(
        request,
        "case",
        visitor,
        case=case,
        form=body_of(case.form),
        state=STATE_NAMES[case.state],
        steps=world.scheme.steps,
        step=clocks.STEPS.get(case.state),
        turn=[words.ROLES[role.value] for role in clocks.TURN.get(case.state, ())],
        dues=clocks.dues(case, world),
        now=now,
        lines=lines,
        objections=history.objections(session, case) if visitor.organisation == case.form.agency else {},
        outcomes=words.VALUES["outcome"],
        possible=moves.possible(case, visitor),
        waiting=[item for item in waiting.about(session, subjects) if may_see(visitor, item)],
        label=words.label,
        values=words.VALUES,
        issued=case.state is State.ISSUED,
        papers=papers.listed(session, visitor, case, lines),
        agency_looks=visitor.organisation == case.form.agency,
        likeness=_likeness(session, visitor, case),
        names=history.names(session, {by for line in lines for by, _ in line.signers}, now),
    )


@router.get("/office/cases/{application}/moves/{move}")
def move_page(
    request: Request,
    application: str,
    move: str,
    visitor: HolderDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    again: str = "",
    form: str = "",
) -> HTMLResponse:
    begun = _begin(session, system, visitor, application, move, now)
    typed: dict[str, str] = {}
    if again:
        earlier = waiting.get(session, again)
        if may_see(visitor, earlier) and earlier.statement.kind == MOVE:
            typed = moves.typed_of(earlier.statement.body)
    if form:
        typed["form"] = form
    return _move_page(request, session, visitor, begun, typed, None)


@router.post("/office/cases/{application}/moves/{move}")
def draft_move(
    request: Request,
    application: str,
    move: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    """Makes the statement of a move, asks the table whether it could be made now, and puts it onto the desk."""
    begun = _begin(session, system, visitor, application, move, now)
    try:
        corrected = _corrected(session, system, visitor, fields.get("form", ""), application, now)
        act = moves.act_of(begun.chosen, begun.before, fields, corrected)
        places = moves.slots(begun.chosen, visitor, begun.before.case, act)
        moving.rehearse(
            session,
            system.house,
            application,
            act,
            moves.actors(places, begun.before.case),
            at=now,
            calendar=system.calendar,
        )
    except (RegistryError, LedgerError) as refusal:
        return _move_page(request, session, visitor, begun, fields, refusal)
    made = desk.draft(
        session,
        title=f"{begun.chosen.name}：{begun.before.case.form.description.data_name}"[:200],
        kind=MOVE,
        subject=f"application:{application}",
        body=body_of(act),
        slots=places,
        by=visitor.holder,
        at=now,
        back=f"/office/cases/{application}/moves/{move}",
    )
    return see(f"/office/desk/{made.id}")


def _likeness(session: Session, visitor: Visitor, case: Case) -> Report | None:
    """The report on the same and similar data, for those who review this case (art. 39(二))."""
    if visitor.organisation != case.form.agency or not visitor.roles & {"reviewer", "approver"}:
        return None
    return likeness.report(session, case.application)


def _begin(session: Session, system: System, visitor: Visitor, application: str, move: str, now: int) -> Begun:
    case = case_of(session, visitor, application)
    found = [item for item in moves.possible(case, visitor) if item.rule.move == move]
    if not found:
        raise IllegalMove(STATE_NAMES[case.state], move[:8])
    record = entries.deposit_record(session, application) if "record" in found[0].rule.needs else None
    world = moving.world_of(session, system.house, case, now, system.calendar)
    texts = history.objections(session, case) if "decisions" in found[0].rule.needs else {}
    return Begun(found[0], moves.Before(case, world, now, record, texts))


def _corrected(
    session: Session, system: System, visitor: Visitor, identity: str, application: str, now: int
) -> Form | None:
    """The corrected form of a draft, if one was chosen."""
    if not identity:
        return None
    draft = store.draft(session, visitor.holder, identity)
    found = application_form.checked(
        draft.values, system.settings.agency, now, also=store.missing(session, system.house)
    )
    if draft.application != application or found.form is None or found.stops:
        raise FieldError("form", "填写完整的更正稿 / a complete corrected form", "尚不能提交 / not complete")
    return found.form


def _move_page(
    request: Request,
    session: Session,
    visitor: Visitor,
    begun: Begun,
    typed: dict[str, str],
    refusal: Exception | None,
) -> HTMLResponse:
    chinese, english = words.told(refusal) if refusal else ("", "")
    field = refusal.field if isinstance(refusal, FieldError) else ""
    case = begun.before.case
    return office_page(
        request,
        "move",
        visitor,
        200 if refusal is None else 422 if field else 409,
        case=case,
        chosen=begun.chosen,
        basis=words.basis(begun.chosen.rule.basis),
        groups=moves.form_of(begun.chosen, begun.before, typed),
        drafts=store.corrections(session, visitor.holder, case.application),
        state=STATE_NAMES[case.state],
        roles=words.ROLES,
        kinds=application_form.paper_kinds(),
        chinese=chinese,
        english=english,
        messages={field.removeprefix("act."): (application_form.Message("S", chinese, english),)} if field else {},
        refused=refusal is not None,
    )
