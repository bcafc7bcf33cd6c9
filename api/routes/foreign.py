"""Certificates of other issuers: taken in and checked by the agency's staff, linked, never made ours."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.apikey import Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from registry import store as registry
from registry.foreign import service, store

router = APIRouter(prefix="/api", tags=["foreign 外部凭证"])


@router.post(
    "/foreign-certificates",
    openapi_extra=describe("foreign-certificate/v1", "registry.foreign.paper.ForeignPaper"),
    summary="导入外部凭证 / take a foreign certificate in",
)
def take_in(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_in(session, system.house, body.signed, at=now))


@router.post(
    "/foreign-certificates/checks",
    openapi_extra=describe("foreign-check/v1", "registry.foreign.check.ForeignCheck"),
    summary="核验外部凭证 / what a check of it found",
)
def check(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_check(session, system.house, body.signed, at=now))


@router.post(
    "/foreign-certificates/links",
    openapi_extra=describe("foreign-link/v1", "registry.foreign.link.ForeignLink"),
    summary="申请件关联已有登记 / an application names an earlier registration",
)
def link(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.link(session, system.house, body.signed, at=now))


@router.get("/foreign-certificates/{identity}", summary="外部凭证的核验状态 / how a foreign certificate stands")
def standing(identity: str, _caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    row = store.foreign(session, identity)
    key = {name: getattr(row, name) for name in ("issuer", "issuer_name", "paper_type", "number", "version")}
    stands: dict[str, Any] = plain(service.standing(session, identity, now))
    return key | {"method": row.method, "valid_until": row.valid_until} | stands


@router.get("/applications/{application}/earlier", summary="已有登记（第四十一条） / earlier registrations (art. 41)")
def earlier(application: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    kind, _, name = caller.holder.partition(":")
    organisation = registry.staff_at(session, name, now).organisation if kind == "staff" else name
    applicants = {item.identity for item in registry.case(session, application).form.applicants}
    if organisation not in applicants | {system.house.uscc}:
        raise Forbidden("只有申请人和登记机构可以查看。 / Only the applicants and the agency may look.")
    return {"as_of": now, "earlier": plain(service.earlier(session, application, now))}
