"""The unpaid path to free products over HTTP: applied for, decided, ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.apikey import Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market.gratis import service, store

router = APIRouter(prefix="/api", tags=["market 交易"])


@router.post(
    "/gratis",
    openapi_extra=describe("gratis-request/v1", "clearing.market.gratis.request.GratisRequest"),
    summary="免费产品的共享申请 / apply for a free product",
)
def gratis(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.apply(session, body.signed, at=now))


@router.post(
    "/gratis/moves",
    openapi_extra=describe("gratis-move/v1", "clearing.market.gratis.request.GratisMove"),
    summary="初审、受理、审核、二次授权、授权、变更、终止、撤回、撤销 / a move of an application",
)
def gratis_move(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.move(session, body.signed, operator=system.settings.operator, at=now))


@router.get("/gratis", summary="本方的共享申请；运营方看全部 / one's own applications; the operator sees all")
def requests(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    party = organisation_of(session, caller, now)
    rows = store.requests(session, "" if party == system.settings.operator else party)
    return {"as_of": now, "requests": [plain(row) for row in rows]}


@router.get("/gratis/{gratis}", summary="一项共享申请 / one application, to those it concerns")
def one_request(gratis: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = store.request(session, gratis)
    if organisation_of(session, caller, now) not in (row.value.applicant, row.value.provider, system.settings.operator):
        raise Forbidden("共享申请只给申请方、提供方和运营方查看。 / For applicant, seller and operator only.")
    return {"as_of": now, "request": plain(row)}
