"""数商 profiles over HTTP: declared, evaluated after a deal, answered; what the public sees of a party."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, WriteDep
from api.views import appended, plain
from clearing.market.profile import service, store
from clearing.settlement.reporting import store as reporting
from clearing.usage import store as usage

router = APIRouter(prefix="/api", tags=["market 交易"])


@router.post(
    "/profiles",
    openapi_extra=describe("party-profile/v1", "clearing.market.profile.profile.Profile"),
    summary="数商申报：类型、行业、简介 / a party declares its kinds, sectors and itself",
)
def profile(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.declare(session, body.signed, at=now))


@router.post(
    "/evaluations",
    openapi_extra=describe("deal-evaluation/v1", "clearing.market.profile.profile.DealEvaluation"),
    summary="交易评价：每份合约每方一次 / one side of a concluded agreement evaluates the other",
)
def evaluation(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.evaluate(session, body.signed, delivered=usage.has_billable, at=now))


@router.post(
    "/evaluations/replies",
    openapi_extra=describe("deal-reply/v1", "clearing.market.profile.profile.DealReply"),
    summary="被评价方回复 / the answer of who was evaluated",
)
def reply(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.reply(session, body.signed, at=now))


@router.get("/profiles", summary="已申报的数商 / the parties that declared a profile")
def profiles(session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "profiles": [{"party": party, "profile": plain(item)} for party, item in
                                       store.profiles(session)]}  # fmt: skip


@router.get("/profiles/{party}", summary="数商主页的内容 / what the public sees of a party")
def one_profile(party: str, session: ReadDep, now: NowDep) -> dict[str, Any]:
    shown = service.view(session, party, at=now, figures=reporting.shown(session, party))
    return {
        "as_of": now, "party": party, "name": shown.name, "declared": plain(shown.declared),
        "classified": plain(shown.rows), "mean": shown.mean, "evaluations": plain(shown.evaluations),
        "figures": dict(shown.figures),
        "certificates": [{"code": row.code, "version": row.version, "name": row.data_name} for row in
                         shown.certificates],
        "listings": [{"id": row.id, "product": row.value.product, "name": row.value.name} for row in shown.listings],
    }  # fmt: skip
