"""After the issue, for whoever may act: remarks, objections to a registration, what the agency does of its own motion.

Every form comes from a table of moves (`api.office.acts`); what is filled in goes onto the signature desk, and the
service judges it when the last signature is there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import Slot
from api.office import acts, application_form, later, papers, store, words
from api.office.access import may_see
from api.office.acts import Doable, Ground
from api.office.widgets import Group, Widget
from api.pages.office import FormDep, office_page, see
from api.sessions import HolderDep, Visitor
from ledger.errors import FieldError, LedgerError
from ledger.reading import body_of, read
from registry import entries, filing
from registry import store as registry
from registry.afterlife import service
from registry.afterlife import store as afterlife
from registry.afterlife.dispute import DISPUTE_STATE_NAMES, MOVE, OBJECTION, Dispute, DisputeAct, RegisterObjection
from registry.afterlife.dispute import to_be_acted_on as acted_on
from registry.afterlife.remark import CONSENT, KIND_NAMES, REMARK, Consent, Consentable, RemarkAct
from registry.case import DECISION, AgencyDecision
from registry.errors import IllegalMove, RegistryError, Unknown
from registry.form import Held, RegistrationType
from registry.rights import RIGHT_NAMES
from registry.succession import Wish

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

CONSENTS = {
    Consentable.TRANSFER: "同意转让",
    Consentable.CHANGE_DESCRIPTION: "同意变更数据信息",
    Consentable.CANCELLATION: "同意注销",
    Consentable.LIFT: "同意解除质押",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A form on its page: what it is about, its fields, and what becomes of them."""

    title: str
    about: str
    back: str
    groups: Sequence[Group]
    facts: Mapping[str, str]


# Remarks --------------------------------------------------------------------------------------------------------------


@router.get("/office/certificates/{code}/remark")
def remark_page(
    request: Request, code: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    chosen = _one(acts.of_remark(None, visitor, system.house.uscc, now), "E-01", "–")
    return _page(request, visitor, _new_remark(session, chosen, code, {}), None, {})


@router.post("/office/certificates/{code}/remark")
def record_remark(
    request: Request, code: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    chosen = _one(acts.of_remark(None, visitor, system.house.uscc, now), "E-01", "–")
    ground = _ground(session, code)
    try:
        document = acts.document_of(chosen, ground, fields)
        document["record"] = {**document["record"], "certificate": code}
        body = read(RemarkAct, {"move": "E-01", **document}, "act")
    except (RegistryError, LedgerError) as refusal:
        return _page(request, visitor, _new_remark(session, chosen, code, fields), refusal, fields)
    name = KIND_NAMES[body.record.kind] if body.record else ""
    return _drafted(
        session, visitor, now, f"备注：{name} {code}", REMARK, f"remark:{secrets.token_hex(16)}", body,
        acts.slots(chosen, visitor, system.house.uscc),
    )  # fmt: skip


@router.get("/office/remarks/{identity}")
def remark_place(identity: str, _visitor: HolderDep, session: ReadDep) -> Response:
    """A remark is shown on the certificate it stands on."""
    return see(f"/office/certificates/{_code_of(session, identity)}")


@router.get("/office/remarks/{identity}/moves/{move}")
def remark_move_page(
    request: Request, identity: str, move: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    chosen = _remark_move(session, system, visitor, identity, move, now)
    return _page(request, visitor, _known_remark(session, chosen, identity, {}), None, {})


@router.post("/office/remarks/{identity}/moves/{move}")
def move_remark(
    request: Request,
    identity: str,
    move: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    chosen = _remark_move(session, system, visitor, identity, move, now)
    try:
        body = read(RemarkAct, {"move": move, **acts.document_of(chosen, Ground(), fields)}, "act")
    except (RegistryError, LedgerError) as refusal:
        return _page(request, visitor, _known_remark(session, chosen, identity, fields), refusal, fields)
    known = afterlife.remark_of(session, identity)
    return _drafted(
        session, visitor, now, f"{chosen.name}：{KIND_NAMES[known.record.kind]}", REMARK, f"remark:{identity}", body,
        acts.slots(chosen, visitor, system.house.uscc),
    )  # fmt: skip


@router.get("/office/certificates/{code}/remarks/{identity}/consent")
def consent_page(request: Request, code: str, identity: str, visitor: HolderDep, session: ReadDep) -> HTMLResponse:
    return _page(request, visitor, _consent(session, visitor, code, identity), None, {})


@router.post("/office/certificates/{code}/remarks/{identity}/consent")
def give_consent(
    request: Request, code: str, identity: str, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:
    """A pledgee lets one operation happen, for the version the certificate has now."""
    asked = _consent(session, visitor, code, identity)
    version = registry.certificate(session, code).version
    try:
        body = read(Consent, {"operation": fields.get("operation", ""), "certificate": code, "version": version}, "act")
    except LedgerError as refusal:
        return _page(request, visitor, asked, refusal, fields)
    title = f"质权人{CONSENTS[body.operation]} {code}"
    return _drafted(session, visitor, now, title, CONSENT, f"remark:{identity}", body, (Slot(visitor.holder),))


def _new_remark(session: Session, chosen: Doable, code: str, typed: Mapping[str, str]) -> Asked:
    groups = acts.form_of(chosen, _ground(session, code), typed)
    return Asked("E-01 备注记载", f"凭证 {code}", f"/office/certificates/{code}", groups, _facts(chosen))


def _known_remark(session: Session, chosen: Doable, identity: str, typed: Mapping[str, str]) -> Asked:
    known = afterlife.remark_of(session, identity)
    code = _code_of(session, identity)
    facts = _facts(chosen) | {
        "备注": f"{KIND_NAMES[known.record.kind]}，{known.record.from_day} 至 {known.to_day or '未定'}",
        "原文书": f"{known.instrument.issuer}，{known.instrument.number}",
    }
    back = f"/office/certificates/{code}"
    return Asked(f"{chosen.move} {chosen.name}", f"凭证 {code}", back, acts.form_of(chosen, Ground(), typed), facts)


def _remark_move(
    session: Session, system: System, visitor: Visitor, identity: str, move: str, now: int
) -> Doable:  # fmt: skip
    known = afterlife.remark_of(session, identity)
    return _one(acts.of_remark(known, visitor, system.house.uscc, now), move, identity[:8])


def _consent(session: Session, visitor: Visitor, code: str, identity: str) -> Asked:
    known = afterlife.remark_of(session, identity)
    if visitor.holder != f"party:{known.instrument.issuer_id}" or code not in afterlife.codes_of(session, identity):
        raise Forbidden("只有质权人可以同意。 / Only the pledgee may consent.")
    options = tuple((item.value, name) for item, name in CONSENTS.items())
    widget = Widget("operation", "同意的事项", "Operation", "choice", options, required=True)
    told = "同意只对凭证现在的版本有效，办理一次即用尽。"
    group = Group("质权人同意", "Consent of the pledgee", (widget,), help=told, anchor="operation")
    return Asked("质权人同意", f"凭证 {code}", f"/office/certificates/{code}", [group], {})


# Objections after registration ----------------------------------------------------------------------------------------


@router.get("/office/certificates/{code}/objection")
def objection_page(request: Request, code: str, visitor: HolderDep, session: ReadDep) -> HTMLResponse:
    return _page(request, visitor, _filing(session, visitor, code, {}), None, {})


@router.post("/office/certificates/{code}/objection")
def file_objection(
    request: Request, code: str, fields: FormDep, visitor: HolderDep, session: WriteDep, now: NowDep
) -> Response:
    """O-01: the objector states and signs its objection to a registration itself."""
    asked = _filing(session, visitor, code, fields)
    try:
        document = acts.document_of(acts.FILING, _ground(session, code), fields)
        body = read(RegisterObjection, {**_renamed(document), "certificate": code}, "act")
    except (RegistryError, LedgerError) as refusal:
        return _page(request, visitor, asked, refusal, fields)
    subject = f"register-objection:{secrets.token_hex(16)}"
    slot = (Slot(visitor.holder),)
    return _drafted(session, visitor, now, f"登记后异议：{code}", OBJECTION, subject, body, slot)


@router.get("/office/register-objections/{identity}")
def dispute_page(
    request: Request, identity: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    known = _dispute(session, system, visitor, identity)
    filed, lines = store.dispute_lines(session, identity)
    concerned = {known.objector, *(f"party:{code}" for code in known.registrants), f"party:{known.agency}"} - {""}
    named = [item for line in lines for item in line.papers]
    return office_page(
        request,
        "dispute",
        visitor,
        known=known,
        filed=filed,
        lines=lines,
        state=DISPUTE_STATE_NAMES[known.state],
        possible=acts.of_dispute(known, visitor),
        waiting=[item for item in waiting.about(session, [f"register-objection:{identity}"]) if may_see(visitor, item)],
        papers=papers.openable(session, visitor, system.house.uscc, concerned, named),
        agency_looks=visitor.organisation == system.house.uscc,
        rights=RIGHT_NAMES,
        conclusions=acts.CONCLUSION_NAMES,
    )


@router.get("/office/register-objections/{identity}/moves/{move}")
def dispute_move_page(
    request: Request, identity: str, move: str, visitor: HolderDep, session: ReadDep, system: SystemDep
) -> HTMLResponse:
    known = _dispute(session, system, visitor, identity)
    chosen = _one(acts.of_dispute(known, visitor), move, DISPUTE_STATE_NAMES[known.state])
    return _page(request, visitor, _dispute_form(known, chosen, {}), None, {})


@router.post("/office/register-objections/{identity}/moves/{move}")
def move_dispute(
    request: Request,
    identity: str,
    move: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    known = _dispute(session, system, visitor, identity)
    chosen = _one(acts.of_dispute(known, visitor), move, DISPUTE_STATE_NAMES[known.state])
    try:
        document = acts.document_of(chosen, Ground(items=known.open_items), fields)
        body = read(DisputeAct, {"move": move, **document}, "act")
    except (RegistryError, LedgerError) as refusal:
        return _page(request, visitor, _dispute_form(known, chosen, fields), refusal, fields)
    return _drafted(
        session, visitor, now, f"{chosen.name}：{known.certificate}", MOVE, f"register-objection:{identity}", body,
        acts.slots(chosen, visitor, system.house.uscc, known.registrants),
    )  # fmt: skip


def _dispute(session: Session, system: System, visitor: Visitor, identity: str) -> Dispute:
    """The objection, for its sides and the agency. Raises `Unknown` or `Forbidden`."""
    known = afterlife.dispute(session, identity)
    sides = {*known.registrants, known.representative, known.objector.removeprefix("party:"), system.house.uscc}
    if visitor.organisation not in sides:
        raise Forbidden("只有相关各方和登记机构可以查看。 / Only those concerned and the agency may look.")
    return known


def _dispute_form(known: Dispute, chosen: Doable, typed: Mapping[str, str]) -> Asked:
    groups = acts.form_of(chosen, Ground(items=known.open_items), typed)
    facts = _facts(chosen) | {"现在的状态": DISPUTE_STATE_NAMES[known.state]}
    back = f"/office/register-objections/{known.id}"
    return Asked(f"{chosen.move} {chosen.name}", f"凭证 {known.certificate}", back, groups, facts)


def _filing(session: Session, visitor: Visitor, code: str, typed: Mapping[str, str]) -> Asked:
    if visitor.is_staff:
        raise Forbidden("异议由异议申请人签署。 / An objection is signed by its objector.")
    groups = acts.form_of(acts.FILING, _ground(session, code), typed or {"objector": visitor.name})
    return Asked("O-01 登记后异议申请", f"凭证 {code}", f"/office/certificates/{code}", groups, _facts(acts.FILING))


def _renamed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The page calls the ground of an objection otherwise, because a cancellation's is another field."""
    return {("ground" if name == "dispute_ground" else name): value for name, value in document.items()}


# What the agency does of its own motion -------------------------------------------------------------------------------


@router.get("/office/certificates/{code}/acts/{move}")
def ending_page(
    request: Request, code: str, move: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    chosen = _one(acts.of_agency(visitor, system.house.uscc), move, code[:15])
    return _page(request, visitor, _ending(session, chosen, code, {}, now), None, {})


@router.post("/office/certificates/{code}/acts/{move}")
def end(
    request: Request,
    code: str,
    move: str,
    fields: FormDep,
    visitor: HolderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
) -> Response:
    """Z-03 to Z-05 and B-04: two persons open the case; the register changes with its deposit (art. 26)."""
    chosen = _one(acts.of_agency(visitor, system.house.uscc), move, code[:15])
    try:
        body = _decision(session, chosen, code, fields, now)
        service.require_ground(session, system.house, body, now)
    except (RegistryError, LedgerError) as refusal:
        return _page(request, visitor, _ending(session, chosen, code, fields, now), refusal, fields)
    return _drafted(
        session, visitor, now, f"{chosen.name}：{code}", DECISION, f"application:{secrets.token_hex(16)}", body,
        acts.slots(chosen, visitor, system.house.uscc),
    )  # fmt: skip


def _decision(session: Session, chosen: Doable, code: str, typed: Mapping[str, str], now: int) -> AgencyDecision:
    """What was filled in, with the form that the register itself drafts. Raises `FieldError`."""
    entry = entries.entry_in_force(session, code, now)
    document = acts.document_of(chosen, _ground(session, code), typed)
    if chosen.move == "B-04":
        wish = Wish(RegistrationType.CHANGE, description=later.description_of(entry.record.description, typed))
    else:
        named = set(document.pop("rights"))
        rows = [row for row in entry.record.rights if row.right.value in named]
        whole = len(rows) == len(entry.record.rights)
        ended = () if whole else tuple(Held(row.holder_id, row.right) for row in rows)
        wish = Wish(RegistrationType.CANCELLATION, reason=chosen.move, ended=ended)
    document |= {"move": chosen.move, "form": body_of(filing.draft_form(session, code, wish, now))}
    if typed.get("objection"):
        document["objection"] = typed["objection"]
    return read(AgencyDecision, document, "act")


def _ending(session: Session, chosen: Doable, code: str, typed: Mapping[str, str], now: int) -> Asked:
    groups = acts.form_of(chosen, _ground(session, code), typed)
    open_ones = [item for item in store.disputes_of(session, code) if acted_on(item)]
    if chosen.move in ("Z-03", "B-04") and open_ones:
        options = tuple((item.id, f"{item.ground.value}，{DISPUTE_STATE_NAMES[item.state]}") for item in open_ones)
        widget = Widget("objection", "据以处置的异议（没有不选）", "Objection", "choice", options,
                        value=typed.get("objection", ""))  # fmt: skip
        groups.insert(0, Group("依据", "Ground", (widget,), anchor="objection"))
    if chosen.move == "B-04":
        known = entries.entry_in_force(session, code, now).record.description
        group = later.description_group(known, files=False)
        told = "只改登记有误的内容；数据文件不能更换。"
        filled = tuple(acts.filled(item, typed) for item in group.widgets)
        groups.append(
            Group("更正后的数据信息", "The description as it shall be", filled, help=told, anchor="description")
        )
    return Asked(f"{chosen.move} {chosen.name}", f"凭证 {code}", f"/office/certificates/{code}", groups, _facts(chosen))


def _code_of(session: Session, identity: str) -> str:
    """The first certificate a remark stands on. Raises `Unknown`."""
    afterlife.remark_of(session, identity)
    codes = afterlife.codes_of(session, identity)
    if not codes:
        raise Unknown("备注所在的凭证 / the certificate of the remark", identity[:32])
    return codes[0]


# Inside ---------------------------------------------------------------------------------------------------------------


def _ground(session: Session, code: str) -> Ground:
    row = registry.certificate(session, code)
    return Ground(tuple(sorted(afterlife.registered_rights(session, row), key=list(RIGHT_NAMES).index)))


def _one(found: Sequence[Doable], move: str, state: str) -> Doable:
    """The move, if it may be begun. Raises `IllegalMove`."""
    for item in found:
        if item.move == move:
            return item
    raise IllegalMove(state, move[:8])


def _facts(chosen: Doable) -> dict[str, str]:
    roles = "、".join(words.ROLES[role.value] for role in sorted(chosen.signers, key=lambda role: role.value))
    several = "（须为不同的人）" if len(chosen.signers) > 1 else ""
    everybody = "全体登记申请人（或代理人）" if chosen.every_registrant else ""
    return {"文书": chosen.paper, "依据": words.basis(chosen.basis), "由谁签署": everybody or roles + several}


def _drafted(
    session: Session, visitor: Visitor, now: int, title: str, kind: str, subject: str, body: Any,
    slots: tuple[Slot, ...],
) -> Response:  # fmt: skip
    made = desk.draft(
        session, title=title[:200], kind=kind, subject=subject, body=body_of(body), slots=slots, by=visitor.holder,
        at=now,
    )  # fmt: skip
    return see(f"/office/desk/{made.id}")


def _page(
    request: Request, visitor: Visitor, asked: Asked, refusal: Exception | None, typed: Mapping[str, str]
) -> HTMLResponse:
    chinese, english = words.told(refusal) if refusal else ("", "")
    field = application_form.name_of(refusal.field).removeprefix("act.") if isinstance(refusal, FieldError) else ""
    known = {item.name for group in asked.groups for item in group.widgets} | {item.anchor for item in asked.groups}
    while field and field not in known:
        field = field.rpartition(".")[0]
    return office_page(
        request,
        "act",
        visitor,
        200 if refusal is None else 422,
        asked=asked,
        groups=asked.groups,
        kinds=application_form.act_kinds(),
        messages={field: (application_form.Message("S", chinese, english),)} if field else {},
        refused=refusal is not None,
        chinese=chinese,
        english=english,
    )
