"""The service level over HTTP: outages and checks as signed statements, a month's figures for parties and for all."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.apikey import Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.routes.delivery import concerned
from api.views import appended, plain
from clearing.market import store as agreements
from clearing.usage.service_level import service, store

router = APIRouter(prefix="/api", tags=["usage 使用"])


@router.post(
    "/outages/acts",
    openapi_extra=describe("outage-act/v1", "clearing.usage.service_level.notice.OutageAct"),
    summary="计划停机公告与同意、故障报告与恢复 / planned outages and incidents",
)
def outage_act(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_outage(session, body.signed, at=now))


@router.post(
    "/quality-checks",
    openapi_extra=describe("quality-check/v1", "clearing.usage.service_level.notice.QualityCheck"),
    summary="准确率、合规通过率的检查结果 / the result of a check",
)
def quality_check(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_check(session, body.signed, at=now))


@router.get("/agreements/{agreement}/outages", summary="本合约产品的停机与故障 / outages that concern an agreement")
def outages(agreement: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    _require_party(session, caller, system, row.id, now)
    found = store.outages(session, [row.listing])
    shown = [plain(item) for item in found]
    for item, line in zip(found, shown, strict=True):  # another consumer's agreement is nobody else's business
        line["case"]["agreement"] = item.case.agreement if item.case.agreement == row.id else ""
        line["case"]["consents"] = [plain(given) for given in item.case.consents if given.agreement == row.id]
    return {"as_of": now, "agreement": row.id, "outages": shown}


@router.get("/agreements/{agreement}/service/{month}", summary="一份合约一个月的服务水平 / an agreement's month")
def of_agreement(
    agreement: str, month: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    _require_party(session, caller, system, row.id, now)
    return plain(service.of_agreement(session, row.id, month, at=now))  # type: ignore[no-any-return]


@router.get("/market/products/{product}/service/{month}", summary="服务水平披露 / a product's month, published")
def disclosure(product: str, month: str, session: ReadDep, now: NowDep) -> dict[str, Any]:
    return plain(service.disclosure(session, product, month, at=now))  # type: ignore[no-any-return]


def _require_party(session: ReadDep, caller: CallerDep, system: SystemDep, agreement: str, now: int) -> None:
    if organisation_of(session, caller, now) not in concerned(session, agreement, system):
        raise Forbidden("只给合约各方和运营方。 / For the agreement's parties and the operator only.")
