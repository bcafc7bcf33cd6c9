"""公示: what art. 24 publishes, for everybody, and the way to object to it, with a key or without one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.bodies import read_body
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot
from api.office import moves, store, words
from api.office.application_form import Message
from api.office.fields import MAX_FORM, read_fields
from api.office.tables import ObjectionRequestRow
from api.pages.guard import LimitedDep
from api.pages.office import FormDep, office_page, see
from api.sessions import Forged, HolderDep, Visitor, VisitorDep
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry import moving
from registry import store as registry
from registry.calendar import day_of
from registry.case import FINAL, Case, State, publicity_ends
from registry.errors import CalendarPending, GuardRefused, Unknown
from registry.form import Publicity, publicity_text
from registry.objection import OBJECTION, Objection
from registry.party import party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

MOST_WAITING = 50
"""Unverified objections to one case; more are refused until a clerk has looked at them."""


async def public_form(request: Request) -> dict[str, str]:
    """A form of our own public page, from somebody without a session. Raises `Forged`."""
    values = read_fields(request.headers.get("content-type", ""), await read_body(request, MAX_FORM))
    values.pop("csrf", None)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forged("请求不是从本站页面发出的。 / The request did not come from a page of this site.")
    return values


PublicFormDep = Annotated[dict[str, str], Depends(public_form)]


@dataclass(frozen=True, slots=True)
class Notice:
    """One publicity notice: the text of art. 24, its first and last day ("": not computable yet), its state."""

    application: str
    type: str
    text: Publicity
    starts: str
    ends: str
    state: str
    can_object: bool


@router.get("/notices")
def notices(request: Request, visitor: VisitorDep, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    cases = registry.cases_in(session, (State.PUBLICITY, State.OBJECTION))
    shown = [notice_of(session, system, case, now) for case in cases if case.released_at is not None]
    return office_page(
        request, "notices", visitor, notices=sorted(shown, key=lambda item: (item.ends, item.starts)), now=now
    )


@router.get("/notices/{application}")
def notice_page(
    request: Request, application: str, visitor: VisitorDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    return _page(request, visitor, _published(session, system, application, now), {}, {})


@router.post("/notices/{application}/objection")
def object_without_key(
    request: Request,
    application: str,
    fields: PublicFormDep,
    visitor: VisitorDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
    _limited: LimitedDep,
) -> HTMLResponse:
    """What somebody without a key leaves; a clerk verifies the contact before it becomes an objection."""
    notice = _open(session, system, application, now)
    body, messages = _objection(application, fields)
    if body is None:
        return _page(request, visitor, notice, fields, messages, 422)
    waiting = [row for row in store.waiting_objections(session) if row.application == application]
    if len(waiting) >= MOST_WAITING:
        raise GuardRefused("I-17", "queue", "待核实的异议过多，请直接联系登记机构。", "too many wait to be verified")
    row = ObjectionRequestRow(
        id=secrets.token_hex(16), application=application, objector=body.objector, contact=body.contact,
        reason=body.reason, papers=fields.get("papers", ""), received_at=now, answer="",
        certificate="", ground="", rights="",
    )  # fmt: skip
    store.put_objection(session, row)
    return office_page(request, "objection_left", visitor, back=f"/notices/{application}", number=row.id)


@router.post("/office/notices/{application}/objection")
def object_with_key(
    request: Request,
    application: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    """A party that is logged in states its objection and signs it itself."""
    notice = _open(session, system, application, now)
    body, messages = _objection(application, fields)
    if body is None:
        return _page(request, visitor, notice, fields, messages, 422)
    made = desk.draft(
        session,
        title=f"异议：{notice.text.data_name}"[:200],
        kind=OBJECTION,
        subject=f"objection:{secrets.token_hex(16)}",
        body=body_of(body),
        slots=(Slot(party_subject(visitor.organisation)),),
        by=visitor.holder,
        at=now,
        back=f"/notices/{application}",
    )
    return see(f"/office/desk/{made.id}")


def notice_of(session: Session, system: System, case: Case, now: int) -> Notice:
    """The notice of a case whose publicity was released."""
    assert case.released_at is not None
    world = moving.world_of(session, system.house, case, now, system.calendar)
    try:
        end = publicity_ends(case, world)
        ends, over = day_of(end - 1).isoformat(), now >= end
    except CalendarPending:
        ends, over = "", False
    can_object = moving.may_object(session, system.house, case, at=now, calendar=system.calendar)
    state = "已结束" if over or case.state not in (State.PUBLICITY, State.OBJECTION) else "公示中"
    if case.state is State.OBJECTION:
        state += "，有异议正在处理"
    if case.state in FINAL and case.state is not State.ISSUED:
        state = "已结束，未予登记"
    return Notice(
        case.application, case.form.type.value, publicity_text(case.form), day_of(case.released_at).isoformat(), ends,
        state, can_object,
    )  # fmt: skip


def _published(session: Session, system: System, application: str, now: int) -> Notice:
    """Only what was released is shown: whatever else is asked for does not exist here. Raises `Unknown`."""
    try:
        case = registry.case(session, application)
    except Unknown:
        case = None
    if case is None or case.released_at is None:
        raise Unknown("公示公告 / notice", application[:40])
    return notice_of(session, system, case, now)


def _open(session: Session, system: System, application: str, now: int) -> Notice:
    notice = _published(session, system, application, now)
    if not notice.can_object:
        raise GuardRefused("I-17", "within_publicity", "现在不能再提出异议。", "no objection can be taken in now")
    return notice


def left_empty(fields: dict[str, str]) -> dict[str, tuple[Message, ...]]:
    """What is missing or too long of what every objection without a key says."""
    messages: dict[str, tuple[Message, ...]] = {}
    for name, zh, most in (
        ("objector", "姓名或单位名称", 200),
        ("contact", "联系方式", 200),
        ("reason", "异议理由", 4000),
    ):
        if not fields.get(name):
            messages[name] = (Message("S", f"请填写{zh}。", "This is missing."),)
        elif len(fields[name]) > most:
            messages[name] = (Message("S", f"不能超过 {most} 个字符。", f"At most {most} characters."),)
    return messages


def _objection(application: str, fields: dict[str, str]) -> tuple[Objection | None, dict[str, tuple[Message, ...]]]:
    """The objection the fields make, or what is to be said beside them."""
    messages = left_empty(fields)
    if messages:
        return None, messages
    try:
        papers = moves.papers_of(fields.get("papers", ""), "papers")
        document = {name: fields[name] for name in ("objector", "contact", "reason")}
        return read(Objection, {"application": application, **document, "papers": body_of(papers)}), {}
    except FieldError as error:
        chinese, english = words.told(error)
        return None, {"papers": (Message("S", chinese, english),)}


def _page(
    request: Request, visitor: Visitor | None, notice: Notice, typed: dict[str, str], messages: dict[str, Any],
    status: int = 200,
) -> HTMLResponse:  # fmt: skip
    party = visitor if visitor is not None and not visitor.is_staff else None
    typed = {"objector": party.name if party else "", "contact": "", "reason": "", "papers": ""} | typed
    return office_page(request, "notice", visitor, status, notice=notice, party=party, typed=typed, messages=messages)
