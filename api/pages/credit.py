"""信用 in the office: one's own grade, each input with its evidence, and how to object with one's own key."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot, Waiting
from api.office import refusals
from api.pages.office import FormDep, office_page, see
from api.proofs import may_read
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError
from clearing.settlement.reporting import service
from clearing.settlement.reporting.assessment import UNRATED
from clearing.settlement.reporting.credit import COMPONENT_NAMES, WHAT_NAMES
from clearing.settlement.reporting.definitions import Code
from clearing.settlement.reporting.objection import OBJECTION, Objection, objection_subject, read_objection
from ledger import store as ledger
from ledger.errors import Erased, FieldError, LedgerError
from ledger.facts import Statement
from ledger.reading import body_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/office/credit")
def credit_page(request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    return _page(request, session, system, visitor, now)


@router.post("/office/credit/objections")
def object_(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts an objection to the published figure onto the desk, to be signed with the party's key."""
    subject = objection_subject(secrets.token_hex(16))
    try:
        body = _objection(session, system, visitor, fields, now)
        read_objection(Statement(OBJECTION, subject, 0, None, body))
    except (ClearingError, LedgerError) as refusal:
        return _page(request, session, system, visitor, now, refusal=refusal, typed=fields)
    waiting = desk.draft(
        session, title="信用评分异议", kind=OBJECTION, subject=subject, body=body,
        slots=[Slot(f"party:{visitor.organisation}", "", "")], by=visitor.holder, at=now, back="/office/credit",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


def _objection(session: Session, system: System, visitor: Visitor, fields: FormDep, now: int) -> dict[str, object]:
    found = _account(session, system, visitor, now)
    if found.published is None:
        raise FieldError("figure", "已发布的信用评分 / a published credit figure", "尚无 / none")
    reason, key = fields.get("reason", "").strip(), fields.get("input", "").strip()
    if not reason:
        raise FieldError("reason", "必填 / required", "空 / empty")
    body = Objection(
        visitor.organisation, Code.CREDIT, reason[:2000], found.published.fact_id, inputs=(key,) if key else ()
    )
    return dict(body_of(body))


def _account(session: Session, system: System, visitor: Visitor, now: int) -> service.Account:
    as_of = service.as_of_at(None, now)
    return service.account(session, visitor.organisation, operator=system.settings.operator, as_of=as_of)


def _page(
    request: Request,
    session: Session,
    system: System,
    visitor: Visitor,
    now: int,
    *,
    refusal: Exception | None = None,
    typed: FormDep | None = None,
) -> HTMLResponse:
    found = _account(session, system, visitor, now)
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    holder = f"party:{visitor.organisation}"
    names = {name for one in found.credit.inputs for name in one.facts}
    readable = {name for name in names if _readable(session, system, name, holder)}
    return office_page(
        request, "credit", visitor, 422 if refusal else 200, account=found, credit=found.credit, unrated=UNRATED,
        components=COMPONENT_NAMES, whats=WHAT_NAMES, readable=readable, chinese=chinese, english=english,
        typed=typed or {}, now=now, waiting=[] if refusal else _waiting(session, visitor),
    )  # fmt: skip


def _readable(session: Session, system: System, fact_id: str, holder: str) -> bool:
    try:
        return may_read(session, ledger.fact(session, fact_id), holder, system.houses)
    except Erased:
        return False


def _waiting(session: Session, visitor: Visitor) -> list[Waiting]:
    waits = desk.waits_for(session, visitor.holder, visitor.organisation, visitor.roles)
    return [item for item in waits if item.statement.kind == OBJECTION]
