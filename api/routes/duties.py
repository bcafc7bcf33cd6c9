"""The agency's duties and its exit over HTTP; what it must publish anybody may read."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.disclosing import path_of
from api.views import appended, plain
from ledger.errors import UnknownFact
from registry import store as registry
from registry.calendar import day_of
from registry.code import month_of
from registry.duties import service, store
from registry.duties.office import unmet
from registry.handover import service as handover
from registry.handover import store as exits
from registry.national import service as national
from registry.numbering import Allocation, last_serial
from registry.retention import service as retention

router = APIRouter(prefix="/api", tags=["agency 登记机构"])

KINDS = "agency-profile/v1|agency-listing/v1|agency-change/v1|agency-disclosure/v1|complaint/v1"


@router.post(
    "/agency/acts",
    openapi_extra=describe(KINDS, "registry.duties.office, registry.duties.complaint"),
    summary="机构信息、目录、变更报告、投诉 / profile, listing, change report, complaint",
)
def agency_act(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    if body.signed.statement.kind == "agency-disclosure/v1":
        raise Forbidden("公开事项由 shuqing agency publish 办理。 / Disclosures are made by command.")
    taken = service.report_change(
        session, system.house, body.signed, system.agency.signer, at=now, calendar=system.calendar
    )
    return appended(taken)


@router.post(
    "/agency/exit",
    openapi_extra=describe("agency-exit/v1", "registry.handover.leaving.ExitAct"),
    summary="退出与移交 / a move of the agency's exit",
)
def exit_act(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(handover.take_act(session, body.signed, body.parts, at=now))


@router.post(
    "/retention/approvals",
    openapi_extra=describe("deletion-approval/v1", "registry.retention.keeping.DeletionApproval"),
    summary="删除须两人批准 / two persons approve a deletion",
)
def approve_deletion(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(retention.approve_deletion(session, system.house, body.signed, at=now))


@router.get("/agency", summary="登记机构公开信息 / what the agency must publish")
def agency(session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    house = system.house
    listing = store.listing(session, house.uscc)
    newest: dict[str, Any] = {}
    for row in store.disclosures(session, house.uscc):
        if row.effective_from <= day_of(now).isoformat():
            newest.setdefault(
                row.topic,
                {"version": row.version, "title": row.title, "from": row.effective_from, "text": row.text,
                 "file": f"/api/agency/papers/{row.sha256}", "sha256": row.sha256, "sm3": row.sm3},
            )  # fmt: skip
    return {
        "as_of": now,
        "agency": house.uscc,
        "name": house.name,
        "catalogue_no": house.catalogue_no,
        "listing": {"state": listing.state, "since": listing.since} if listing else None,
        "exit": exits.leaving(session, house.uscc).state.value,
        "disclosures": newest,
        "reports": [{"year": row.year, "fact": row.fact_id} for row in store.annual_reports(session, house.uscc)],
    }


@router.get("/agency/papers/{sha256}", summary="公开的文件 / a disclosed paper")
def disclosed_paper(sha256: str, session: ReadDep, system: SystemDep) -> Response:
    row = store.disclosed_file(session, sha256)
    if row is None or not path_of(system, row.sha256).exists():
        raise UnknownFact(sha256[:64])
    headers = {"Content-Disposition": f'attachment; filename="{row.topic}-v{row.version}"'}
    return Response(path_of(system, row.sha256).read_bytes(), media_type="application/octet-stream", headers=headers)


@router.get("/agency/supervision", summary="监管视图 / the regulator's view")
def supervision(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    house = system.house
    _require_supervisor(session, system, caller, now)
    profile = store.profile(session, house.uscc)
    place = (house.region, house.digit, month_of(now))
    used = Allocation(*place, last_serial(session, *place))
    return {
        "as_of": now,
        "agency": house.uscc,
        "profile": plain(profile) if profile else None,
        "unmet": [item.value for item in unmet(profile, day_of(now))] if profile else None,
        "changes": [{"id": identity, **plain(change)} for identity, change in store.changes(session, house.uscc)],
        "breaches": [
            {"rule": row.rule, "due": row.due, "about": row.about, "at": row.at, "fact": row.fact_id}
            for row in store.breaches(session, house.uscc)
        ],
        "alerts": service.alerts(session, house, at=now, calendar=system.calendar),
        "exit": plain(exits.leaving(session, house.uscc)),
        "codes": {"month": used.month, "used": used.last, "left": used.left, "alarming": used.alarming},
        "national": plain(national.sync_status(session, house)),
    }


@router.get("/certificates/{code}/decisions", summary="谁决定了什么 / who decided what about a certificate")
def decisions(code: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    _require_supervisor(session, system, caller, now)
    return {"as_of": now, "code": code, "decisions": plain(store.decisions_of(session, code))}


@router.get("/certificates/{code}/custodian", summary="凭证由谁保管 / who keeps a certificate")
def custodian(code: str, session: ReadDep, now: NowDep) -> dict[str, Any]:
    row = registry.certificate(session, code)
    kept = exits.custody_of(session, code)
    return {
        "as_of": now,
        "code": code,
        "issued_by": row.agency,
        "custodian": kept.custodian if kept else row.agency,
        "custodian_changed": kept is not None,
        "since": kept.since if kept else None,
    }


def _require_supervisor(session: Session, system: System, caller: Caller, now: int) -> None:
    """Raises `Forbidden` unless the caller is the agency, its staff, or a data authority."""
    kind, _, name = caller.holder.partition(":")
    organisation = registry.staff_at(session, name, now).organisation if kind == "staff" else name
    if organisation == system.house.uscc:
        return
    roles = registry.party_at(session, name, now).roles.split() if kind == "party" else []
    if not set(roles) & set(service.AUTHORITIES):
        raise Forbidden("只有登记机构和数据管理部门可以查看。 / Only the agency and the data authorities may look.")
