"""Demands over HTTP: stated, worked on and met; what everybody, a party and the operator see of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api.apikey import Forbidden
from api.asking import AskedDemandsDep
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market.demand import moves, service, store
from clearing.market.demand.store import DemandRow
from clearing.market.matching import service as matching
from clearing.market.matching import store as rankings_
from clearing.settlement.reporting import store as reporting
from clearing.usage.service_level import service as service_level

router = APIRouter(prefix="/api", tags=["market 交易"])

PROMOTION = "不提供付费推广，排序中没有推广位。 / Paid promotion is not offered: no place in a ranking is bought."


@router.post(
    "/demands",
    openapi_extra=describe("demand/v1", "clearing.market.demand.demand.Demand"),
    summary="提出需求 / state a demand, or state a draft anew",
)
def demand(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.state(session, body.signed, at=now))


@router.post(
    "/demands/budgets",
    openapi_extra=describe("demand-budget/v1", "clearing.market.demand.demand.Budget"),
    summary="需求的预算区间（不公开） / the private budget of a demand",
)
def budget(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.set_budget(session, body.signed, at=now))


@router.post(
    "/demands/moves",
    openapi_extra=describe("demand-move/v1", "clearing.market.demand.demand.DemandMove"),
    summary="校核、汇总、分解、认领、关联、评价、分析、上报、撤回、关闭 / a move of a demand",
)
def demand_move(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    operator, signer = system.settings.operator, system.operator.signer
    return appended(service.move(session, body.signed, operator=operator, signer=signer, at=now))


@router.get("/demands", summary="本方的需求和可见的需求；运营方看全部 / one's own demands, and those one may see")
def demands(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    party = organisation_of(session, caller, now)
    seen = service.seen_by(session, party, operator=system.settings.operator)
    own = store.demands(session, demander=party)
    return {"as_of": now, "own": [line(row) for row in own], "seen": [line(row) for row in seen]}


@router.get("/demands/{demand}", summary="一项需求 / one demand as the caller may see it")
def one_demand(demand: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    party = organisation_of(session, caller, now)
    shown = service.view(session, demand, party=party, operator=system.settings.operator)
    return {"as_of": now, "demand": plain(shown), "moves": list(moves.open_moves(shown.state))}


@router.get("/demands/{demand}/figures", summary="绩效分析的数字 / the figures an analysis must state")
def demand_figures(demand: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    service.view(session, demand, party=organisation_of(session, caller, now), operator=system.settings.operator)
    return {"as_of": now, "figures": plain(service.figures(session, demand))}


@router.post("/demands/{demand}/rankings", summary="供需匹配：计算并留存一次排序 / match a demand, and keep the answer")
def match(demand: str, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_inside(session, system, demand, organisation_of(session, caller, now))
    records, grades = service_level.records(session, at=now), reporting.grades(session)
    taken = matching.take_ranking(
        session, demand, signer=system.operator.signer, at=now, records=records, grades=grades
    )  # fmt: skip
    return appended(taken) | {"ranking": taken.fact.body, "promotion": PROMOTION}


@router.get("/demands/{demand}/rankings", summary="留存的匹配排序 / the rankings kept of a demand")
def rankings(demand: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_inside(session, system, demand, organisation_of(session, caller, now))
    return {"as_of": now, "rankings": plain(rankings_.rankings(session, demand))}


@router.get("/demands/{demand}/rankings/{no}", summary="一次排序，含各分量与筛除数 / one ranking with all it rests on")
def ranking(
    demand: str, no: int, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_inside(session, system, demand, organisation_of(session, caller, now))
    row, body = rankings_.ranking(session, demand, no)
    return {"as_of": now, "kept": plain(row), "ranking": plain(body), "promotion": PROMOTION}


@router.get("/market/demands", summary="需求检索 / search the public demands")
def public_demands(
    session: ReadDep, now: NowDep, asked: AskedDemandsDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> dict[str, Any]:
    found = service.search(session, asked.wanted, limit=limit, before=asked.before)
    return {"as_of": now, "demands": plain(found.hits), "next": found.next}


def require_inside(session: Session, system: System, demand: str, party: str) -> DemandRow:
    """The demand, if this party stated it or operates the market. Raises `Forbidden`, `UnknownFact`."""
    row = store.demand(session, demand)
    if party not in (row.value.demander, system.settings.operator):
        raise Forbidden("匹配结果只给需求方和运营方。 / A ranking is for the demander and the operator only.")
    return row


def line(row: DemandRow) -> dict[str, Any]:
    """A demand in a list."""
    return {"id": row.id, "state": row.state.value, "since": row.since, "title": row.value.title,
            "demander": row.value.demander, "deadline": row.value.deadline, "digest": plain(row.digest),
            "into": row.case.into}  # fmt: skip
