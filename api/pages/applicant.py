"""The applicant's pages: my applications, the form, its pre-check and preview, signing and submitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import application_form as forms
from api.office import history, store, todo
from api.office.access import case_of, may_see
from api.office.clocks import STEPS
from api.office.fields import flat
from api.office.store import Draft
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from ledger.errors import FieldError
from ledger.reading import body_of
from registry import store as registry
from registry.case import STATE_NAMES
from registry.form import SUBMITTED, Form, publicity_text
from registry.party import IdType, is_person, party_subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/office/applications")
def applications(
    request: Request,
    visitor: HolderDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    _require_party(visitor)
    count = store.count_drafts(session, visitor.holder)
    return office_page(
        request,
        "applications",
        visitor,
        cases=store.cases_of_party(session, visitor.organisation),
        drafts=store.drafts(session, visitor.holder, page),
        count=count,
        page_no=page,
        pages=max(1, -(-count // store.PAGE)),
        imported=SUBMITTED,
        work=todo.work_of(session, system, visitor, now),
        names=STATE_NAMES,
        steps=STEPS,
    )


@router.get("/office/applications/new")
def new_application(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep, again: str = ""
) -> HTMLResponse:
    _require_party(visitor)
    values: dict[str, str] = {}
    if again:
        earlier = waiting.get(session, again)
        if may_see(visitor, earlier) and earlier.statement.kind == SUBMITTED:
            values = forms.values_of(earlier.statement.body, flat(earlier.statement.body))
    if not values:
        values = _own(session, visitor, now)
    return _form_page(
        request, session, visitor, system, now, values, Draft("", visitor.holder, "application", {}, "", "", now)
    )


@router.post("/office/drafts")
def save(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Keeps what was typed, whatever it is; then shows it again with its messages, or goes on to the preview."""
    _require_party(visitor)
    do, identity = fields.pop("do", "save"), fields.pop("draft", "")
    application, move = fields.pop("application", ""), fields.pop("move", "")
    if identity:
        known = store.draft(session, visitor.holder, identity)
        application, move = known.application, known.move
    elif application:
        case_of(session, visitor, application)
    values = forms.renumbered(fields)
    step, _, rest = do.partition(".")
    if step == "add":
        values = forms.grown(values, rest)
    elif step == "remove":
        group, _, place = rest.rpartition(".")
        values = forms.shrunk(values, group, int(place) if place.isdecimal() else -1)
    kind = "correction" if application else "application"
    draft = store.save_draft(
        session, visitor.holder, values, at=now, identity=identity, kind=kind, application=application, move=move
    )
    if do == "preview" and not _checked(session, system, values, now).stops:
        return see(f"/office/drafts/{draft.id}/preview")
    anchor = {"add": rest, "remove": rest.rpartition(".")[0]}.get(step, "")
    return _form_page(
        request, session, visitor, system, now, values, draft, told=do in ("check", "preview"), anchor=anchor
    )


@router.get("/office/drafts/{identity}")
def draft_page(
    request: Request, identity: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    draft = store.draft(session, visitor.holder, identity)
    return _form_page(request, session, visitor, system, now, dict(draft.values), draft, told=True)


@router.post("/office/drafts/{identity}/discard")
def discard(identity: str, _fields: FormDep, visitor: HolderDep, session: WriteDep) -> Response:
    store.discard_draft(session, visitor.holder, identity)
    return see("/office/applications")


@router.get("/office/drafts/{identity}/preview")
def preview(
    request: Request, identity: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    draft = store.draft(session, visitor.holder, identity)
    form = _form_of(session, draft, system, now)
    found = _checked(session, system, draft.values, now)
    return office_page(
        request,
        "preview",
        visitor,
        draft=draft,
        text=publicity_text(form),
        waived=bool(form.waiver_reason.strip()),
        findings=found.findings,
        slots=_slots(form),
        names=history.names(session, {slot.by for slot in _slots(form)}, now),
        back=f"/office/cases/{draft.application}/moves/{draft.move}?form={draft.id}" if draft.application else "",
    )


@router.post("/office/drafts/{identity}/submission")
def submit(
    identity: str, _fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """I-01 and I-02: the form goes onto the desk, for every applicant or the representative to sign. The application
    keeps the number of its draft, so that a row imported twice is one application."""
    draft = store.draft(session, visitor.holder, identity)
    if draft.application:
        raise FieldError("draft", "初次申请的草稿 / a draft of a new application", draft.kind)
    form = _form_of(session, draft, system, now)
    made = desk.draft(
        session,
        title=f"申请：{form.description.data_name}"[:200],
        kind=SUBMITTED,
        subject=f"application:{identity}",
        body=body_of(form),
        slots=_slots(form),
        by=visitor.holder,
        at=now,
        back="/office/applications/new",
    )
    store.discard_draft(session, visitor.holder, identity)
    return see(f"/office/desk/{made.id}")


@router.get("/office/cases/{application}/correction/{move}")
def correct(
    request: Request, application: str, move: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    """The form of a case, to be corrected together with an answer."""
    case = case_of(session, visitor, application)
    _require_party(visitor)
    values = forms.values_of(body_of(case.form), flat(body_of(case.form)))
    draft = Draft("", visitor.holder, "correction", {}, application, move[:4], now)
    return _form_page(request, session, visitor, system, now, values, draft)


def _form_page(
    request: Request,
    session: Session,
    visitor: Visitor,
    system: System,
    now: int,
    values: dict[str, str],
    draft: Draft,
    *,
    told: bool = False,
    anchor: str = "",
) -> HTMLResponse:
    found = _checked(session, system, values, now) if told else None
    messages = found.messages if found else {}
    return office_page(
        request,
        "application",
        visitor,
        draft=draft,
        groups=forms.groups(values),
        later=values.get("later", ""),
        messages=messages,
        stops=sum(item.level == "S" for items in messages.values() for item in items),
        told=told,
        anchor=anchor,
        kinds=forms.paper_kinds(),
        person=visitor.organisation if is_person(visitor.organisation) else "",
        at_least_one=forms.AT_LEAST_ONE,
        addable=[(name, _TITLES[name]) for name in forms.REPEATED],
        agency=system.settings.agency_name,
    )


_TITLES = {
    "applicants": "共同申请人",
    "description.volume": "数据量",
    "description.sources": "来源凭证",
    "rights": "权利",
}


def _checked(session: Session, system: System, values: Mapping[str, str], now: int) -> forms.Checked:
    return forms.checked(values, system.settings.agency, now, also=store.missing(session, system.house))


def _form_of(session: Session, draft: Draft, system: System, now: int) -> Form:
    found = _checked(session, system, draft.values, now)
    if found.form is None or found.stops:
        raise FieldError(
            "form", "填写完整、可以提交的申请表 / a complete form", "尚有必须改正之处 / corrections are due"
        )
    return found.form


def _slots(form: Form) -> tuple[Slot, ...]:
    if form.representative is not None:
        return (Slot(party_subject(form.representative.id_no), "representative"),)
    return tuple(Slot(party_subject(item.identity)) for item in form.applicants)


def _own(session: Session, visitor: Visitor, now: int) -> dict[str, str]:
    """A new form begins with what is on record about the party itself."""
    party = registry.party_at(session, visitor.organisation, now)
    person = {"name": party.name, "kind": party.kind, "id_type": IdType.USCC.value, "id_no": party.id}
    if is_person(party.id):  # number, name and salt are in the person's own key file, not here
        person = {"kind": party.kind, "id_type": IdType.RESIDENT.value, "party": party.id}
    right = {"holder_name": party.name, "holder_id": party.id, "limits": "无"}
    return {f"applicants.0.{name}": text for name, text in person.items()} | {
        f"rights.0.{name}": text for name, text in right.items()
    }


def _require_party(visitor: Visitor) -> None:
    if visitor.is_staff:
        raise Forbidden("本页面供申请人使用，请以申请人的钥匙登录。 / For applicants: log in with a party's key.")
