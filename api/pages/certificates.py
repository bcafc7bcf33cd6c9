"""Certificates in the office: mine, one of them with what stands on it, and the four later registrations of it."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import acts, application_form, later, store, words
from api.office.access import may_see
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError, LedgerError
from ledger.reading import body_of
from registry import entries, filing, validity
from registry import store as registry
from registry.afterlife import store as afterlife
from registry.afterlife.blocking import stops as stops_of
from registry.afterlife.dispute import DISPUTE_STATE_NAMES
from registry.afterlife.remark import KIND_NAMES, REMARK_STATE_NAMES, Remark, RemarkKind, state_of
from registry.application import decide_submission
from registry.calendar import day_of
from registry.case import FINAL, STATE_NAMES, Actor, Role, World
from registry.certificate import STATUS_NAMES, InForce, Status, certificate_subject
from registry.errors import RegistryError, Unknown
from registry.form import SUBMITTED, Form, Operation, RegistrationType
from registry.party import party_subject
from registry.precheck import Finding
from registry.rights import RIGHT_NAMES
from registry.scheme import scheme_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

OPERATIONS = {
    Operation.TRANSFER: "转让", Operation.CHANGE_IDENTITY: "变更身份信息", Operation.CHANGE_DESCRIPTION: "变更数据信息",
    Operation.RENEWAL: "续期", Operation.CANCELLATION: "注销", Operation.REPLEDGE: "再质押",
    Operation.CONTRACT: "新签使用合约",
}  # fmt: skip


@router.get("/office/certificates")
def certificates(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep, text: str = ""
) -> HTMLResponse:
    """The certificates a party holds rights under; any by code or name for the agency."""
    if _is_agency(visitor, system):
        rows = registry.certificates(session, text[:200], limit=50)
    else:
        rows = store.certificates_of_holder(session, visitor.organisation)
    return office_page(
        request,
        "certificates",
        visitor,
        rows=[(row, _status(validity.certificate_status(session, row.code, now).status)) for row in rows],
        text=text[:200],
        search=_is_agency(visitor, system),
    )


@router.get("/office/certificates/{code}")
def certificate_page(
    request: Request, code: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    entry = entries.entry_in_force(session, code, now)
    remarks = [item for item in afterlife.remarks_of(session, code) if _may_read(item, entry, visitor, system)]
    inside = _inside(entry, visitor, system)
    disputes = [
        item
        for item in store.disputes_of(session, code)
        if inside or visitor.holder == item.objector or visitor.organisation == item.representative
    ]
    own = later.held(entry, visitor.organisation) if not visitor.is_staff else ()
    about = [certificate_subject(code), *(f"remark:{item.id}" for item in remarks)]
    return office_page(
        request,
        "certificate",
        visitor,
        entry=entry,
        public=inside or registry.certificate(session, code).public,
        inside=inside,
        standing=_status(entry.status),
        remarks=[(item, state_of(item, now), _doable(item, visitor, system, now)) for item in remarks],
        disputes=disputes,
        stops=_stops(session, code, remarks, now) if inside else [],
        own=own,
        types=later.TYPES if own else {},
        may_record=acts.of_remark(None, visitor, system.house.uscc, now) if inside else [],
        agency_acts=acts.of_agency(visitor, system.house.uscc),
        under_way=[
            (case, STATE_NAMES[case.state])
            for case in registry.cases_about(session, code)
            if _is_agency(visitor, system) and case.state not in FINAL
        ],
        may_object=not visitor.is_staff and visitor.organisation != system.house.uscc,
        waiting=[item for item in waiting.about(session, about) if may_see(visitor, item)],
        kinds=KIND_NAMES,
        states=REMARK_STATE_NAMES,
        dispute_states=DISPUTE_STATE_NAMES,
        rights=RIGHT_NAMES,
        holders={item.identity: item.name for item in entry.record.holders},
        pledge=RemarkKind.PLEDGE,
    )


@router.get("/office/certificates/{code}/registrations/{kind}")
def later_page(
    request: Request, code: str, kind: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    type_, entry = _own(session, visitor, code, kind, now)
    return _later_page(request, visitor, entry, type_, kind, {}, (), None)


@router.post("/office/certificates/{code}/registrations/{kind}")
def apply_later(
    request: Request,
    code: str,
    kind: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    """Drafts the form from the register and shows what the pre-check says; the very form that was shown, sent again,
    goes onto the desk for all who apply."""
    type_, entry = _own(session, visitor, code, kind, now)
    do, seen = fields.pop("do", "check"), fields.pop("seen", "")
    try:
        form = later.completed(
            filing.draft_form(session, code, later.wish_of(type_, entry, visitor.organisation, fields), now), fields
        )
        findings = _findings(session, system, form, now)
    except (RegistryError, LedgerError) as refusal:
        return _later_page(request, visitor, entry, type_, kind, fields, (), refusal)
    try:
        _rehearse(system, entry, form, now)
    except RegistryError as refusal:
        return _later_page(request, visitor, entry, type_, kind, fields, findings, refusal)
    if do != "submit" or seen != _digest(form) or any(item.level.value == "S" for item in findings):
        return _later_page(request, visitor, entry, type_, kind, fields, findings, None, form)
    made = desk.draft(
        session,
        title=f"{type_.value}申请：{entry.record.description.data_name}"[:200],
        kind=SUBMITTED,
        subject=f"application:{secrets.token_hex(16)}",
        body=body_of(form),
        slots=tuple(Slot(party_subject(item.identity)) for item in form.applicants),
        by=visitor.holder,
        at=now,
    )
    return see(f"/office/desk/{made.id}")


def _rehearse(system: System, entry: InForce, form: Form, now: int) -> None:
    """Raises what filing this form would raise if all who apply signed it now."""
    actors = tuple(Actor(party_subject(item.identity), Role.APPLICANT, item.identity) for item in form.applicants)
    scheme = scheme_of(form.scheme, day_of(now).isoformat())
    decide_submission("0" * 32, form, actors, World(system.house.uscc, scheme, system.calendar, entry=entry), now)


def _digest(form: Form) -> str:
    return twin(canonical.encode(body_of(form))).sha256.hex()


def _own(
    session: Session, visitor: Visitor, code: str, kind: str, now: int
) -> tuple[RegistrationType, InForce]:  # fmt: skip
    """The type and the entry, for who holds a right under it. Raises `Unknown` or `Forbidden`."""
    if kind not in later.TYPES:
        raise Unknown("登记类型 / type of registration", kind[:20])
    entry = entries.entry_in_force(session, code, now)
    if visitor.is_staff or not later.held(entry, visitor.organisation):
        raise Forbidden("只有权利人可以申请，请以权利人的钥匙登录。 / Only a holder applies, with its own key.")
    return later.TYPES[kind], entry


def _findings(session: Session, system: System, form: Form, now: int) -> tuple[Finding, ...]:
    known = filing.known_of(session, form, now, system.calendar)
    found = filing.check_form(system.house, form, now, known)
    return (*found, *store.missing(session, system.house)(form))


def _later_page(
    request: Request,
    visitor: Visitor,
    entry: InForce,
    type_: RegistrationType,
    kind: str,
    typed: dict[str, str],
    findings: tuple[Finding, ...],
    refusal: Exception | None,
    form: Form | None = None,
) -> HTMLResponse:
    chinese, english = words.told(refusal) if refusal else ("", "")
    field = application_form.name_of(refusal.field) if isinstance(refusal, FieldError) else ""
    stops = any(item.level.value == "S" for item in findings)
    return office_page(
        request,
        "later",
        visitor,
        200 if refusal is None else 422 if field else 409,
        entry=entry,
        type=type_,
        kind=kind,
        groups=later.groups(type_, entry, visitor.organisation, typed),
        kinds=application_form.paper_kinds(),
        messages={field: (application_form.Message("S", chinese, english),)} if field else {},
        refused=refusal is not None,
        chinese=chinese,
        english=english,
        findings=findings,
        stops=stops,
        form=form,
        seen=_digest(form) if form is not None and not stops else "",
    )


def _status(status: Status | None) -> str:
    return STATUS_NAMES[status] if status else "尚未生效"


def _is_agency(visitor: Visitor, system: System) -> bool:
    return visitor.organisation == system.house.uscc


def _inside(entry: InForce, visitor: Visitor, system: System) -> bool:
    """The agency and the holders see all that stands on a certificate."""
    return _is_agency(visitor, system) or visitor.organisation in {item.identity for item in entry.record.holders}


def _may_read(item: Remark, entry: InForce, visitor: Visitor, system: System) -> bool:
    return _inside(entry, visitor, system) or item.instrument.issuer_id == visitor.organisation


def _doable(item: Remark, visitor: Visitor, system: System, now: int) -> list[acts.Doable]:
    return acts.of_remark(item, visitor, system.house.uscc, now)


def _stops(session: Session, code: str, remarks: list[Remark], now: int) -> list[tuple[str, tuple[str, ...]]]:
    """What may not be done with it now, and why."""
    version, disputed = registry.certificate(session, code).version, afterlife.objection_open(session, code)
    found = [(name, stops_of(remarks, disputed, what, now, version=version)) for what, name in OPERATIONS.items()]
    return [(name, tuple(text.partition(" / ")[0] for text in why)) for name, why in found if why]
