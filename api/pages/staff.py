"""The staff's pages: the work list by time left, requests to be admitted, objections to verify, colleagues' keys."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import DeskRefused, Slot, Waiting
from api.office import moves, store, todo, words
from api.office.access import require_role
from api.pages.objecting import objection_of
from api.pages.office import FormDep, WaitingDep, office_page, see
from api.sessions import HolderDep, Visitor, VisitorDep
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry import store as registry
from registry.afterlife import store as afterlife
from registry.afterlife.dispute import DISPUTE_STATE_NAMES, Dispute, DisputeState, RegisterObjection, notice_due
from registry.afterlife.dispute import OBJECTION as REGISTER_OBJECTION
from registry.calendar import day_of
from registry.errors import CalendarPending
from registry.objection import OBJECTION, Objection
from registry.party import PARTY, STAFF, STAFF_ROLES, Staff, party_subject, staff_subject
from registry.rights import RIGHT_NAMES
from registry.scheme import scheme_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/office")
def office(request: Request, visitor: VisitorDep, session: ReadDep, system: SystemDep) -> Response:
    """Where each goes after login: an applicant to the applications, staff to the work list."""
    if visitor is None:
        return RedirectResponse("/office/login", 303)
    own = visitor.is_staff and visitor.organisation == system.settings.agency
    return RedirectResponse("/office/work" if own else "/office/applications", 303)


@router.get("/office/work")
def work(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep, count: WaitingDep
) -> HTMLResponse:
    _require_staff(visitor, system)
    return office_page(
        request,
        "work",
        visitor,
        work=todo.work_of(session, system, visitor, now),
        count=count,
        requests=len(_admissions(session)) if "intake" in visitor.roles else 0,
        objections=len(store.waiting_objections(session)) if "intake" in visitor.roles else 0,
        roles=[words.ROLES.get(role, role) for role in sorted(visitor.roles)],
        now=now,
    )


# Requests to be admitted ----------------------------------------------------------------------------------------------


@router.get("/office/admissions")
def admissions(request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep) -> HTMLResponse:
    require_role(visitor, system.settings.agency, "intake")
    return office_page(request, "admissions", visitor, requests=_admissions(session))


def _admissions(session: Session) -> list[Waiting]:
    return waiting.open_of_kind(session, PARTY)


# Objections of people without a key -----------------------------------------------------------------------------------


@router.get("/office/objections")
def objection_list(request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep) -> HTMLResponse:
    require_role(visitor, system.settings.agency, "intake")
    filed = afterlife.disputes_in(session, (DisputeState.FILED, DisputeState.INCOMPLETE))
    own = [item for item in filed if item.agency == system.house.uscc]
    return office_page(
        request,
        "objections",
        visitor,
        requests=store.waiting_objections(session),
        filed=[(item, _notice_due(session, system, item)) for item in own],
        states=DISPUTE_STATE_NAMES,
    )


def _notice_due(session: Session, system: System, known: Dispute) -> str:
    """The last day of C11, in words where there is none yet."""
    scheme = scheme_of(registry.case(session, registry.certificate(session, known.certificate).application).form.scheme)
    try:
        due = notice_due(known, scheme, system.calendar)
    except CalendarPending as pending:
        return f"{pending.year} 年日历未公布"
    return day_of(due - 1).isoformat() if due is not None else "材料补齐后起算"


@router.get("/office/objections/{identity}")
def objection_page(
    request: Request, identity: str, visitor: HolderDep, session: ReadDep, system: SystemDep
) -> HTMLResponse:
    require_role(visitor, system.settings.agency, "intake")
    row = store.objection_request(session, identity)
    return office_page(
        request,
        "objection_request",
        visitor,
        row=row,
        papers=moves.papers_of(row.papers, "papers"),
        case=registry.case(session, row.application) if row.application else None,
        names={right.value: name for right, name in RIGHT_NAMES.items()},
        taken=store.is_taken(session, row),
        waiting=waiting.about(session, [store.objection_subject(row)]),
    )


@router.post("/office/objections/{identity}/statement")
def take_objection(
    identity: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """The clerk has verified the contact and states the objection (I-17, O-01); it waits for the clerk's signature."""
    require_role(visitor, system.settings.agency, "intake")
    row = store.objection_request(session, identity)
    if fields.get("verified") != "1":
        raise FieldError("verified", "已核实联系方式 / the contact was verified", "未勾选 / not ticked")
    subject = store.objection_subject(row)
    if row.answer or store.is_taken(session, row) or waiting.about(session, [subject]):
        raise DeskRefused("该异议已处理或正在待签。", "it was dealt with already, or waits for a signature")
    body: Objection | RegisterObjection
    if row.certificate:
        body = objection_of(row)
    else:
        body = Objection(row.application, row.objector, row.contact, row.reason, moves.papers_of(row.papers, "papers"))
    made = desk.draft(
        session,
        title=f"收到{'登记后' if row.certificate else ''}异议：{row.objector}"[:200],
        kind=REGISTER_OBJECTION if row.certificate else OBJECTION,
        subject=subject,
        body=body_of(body),
        slots=(Slot(visitor.holder, "intake"),),
        by=visitor.holder,
        at=now,
        back=f"/office/objections/{row.id}",
    )
    return see(f"/office/desk/{made.id}")


@router.post("/office/objections/{identity}/refusal")
def refuse_objection(
    identity: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep
) -> Response:
    require_role(visitor, system.settings.agency, "intake")
    row = store.objection_request(session, identity)
    reason = fields.get("reason", "")
    if not reason or row.answer or store.is_taken(session, row):
        raise FieldError("reason", "不予收件的理由 / why it is not taken in", "未填写或已处理 / empty, or dealt with")
    store.answer_objection(session, row, reason[:2000])
    return see("/office/objections")


# Colleagues -----------------------------------------------------------------------------------------------------------


@router.get("/office/colleagues")
def colleagues(request: Request, visitor: HolderDep) -> HTMLResponse:
    _require_house(visitor)
    return office_page(request, "colleagues", visitor, roles=_role_names(), typed={}, chinese="", english="")


@router.post("/office/colleagues")
def hire(request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep) -> Response:
    """A member of staff with a key and roles, stated by the organisation itself."""
    _require_house(visitor)
    roles = tuple(role for role in sorted(STAFF_ROLES) if fields.get(f"role.{role}") == "1")
    document = {
        "organisation": visitor.organisation,
        "sm2": fields.get("sm2", "").lower(),
        "roles": list(roles),
        "active": fields.get("active", "1") == "1",
    }
    try:
        body = read(Staff, document)
        if not roles and body.active:
            raise FieldError("roles", "至少一个角色 / at least one role", "无 / none")
        subject = staff_subject(fields.get("identity", ""))
        made = desk.draft(
            session, title=f"经办人员 {fields.get('identity', '')}"[:200], kind=STAFF, subject=subject,
            body=body_of(body), slots=(Slot(party_subject(visitor.organisation)),), by=visitor.holder, at=now,
            back="/office/colleagues",
        )  # fmt: skip
    except FieldError as error:
        chinese, english = words.told(error)
        return office_page(
            request, "colleagues", visitor, 422, roles=_role_names(), typed=fields, chinese=chinese, english=english
        )
    return see(f"/office/desk/{made.id}")


def _role_names() -> list[tuple[str, str]]:
    return [(role, words.ROLES[role]) for role in ("intake", "reviewer", "approver", "deposit_officer")]


def _require_house(visitor: Visitor) -> None:
    if visitor.is_staff:
        raise Forbidden("请以机构自己的钥匙登录。 / Log in with the organisation's own key.")


def _require_staff(visitor: Visitor, system: System) -> None:
    if not visitor.is_staff or visitor.organisation != system.settings.agency:
        raise Forbidden("本页面供登记机构经办人员使用。 / For the agency's own staff.")
