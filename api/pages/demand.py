"""Demands as pages: the list for everybody, one demand, and what a party sees of its own and of others'."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.asking import AskedDemandsDep
from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.market import TYPES
from api.pages.render import page
from api.routes.demand import PROMOTION, require_inside
from api.sessions import VisitorDep
from clearing.market.demand import service, store
from clearing.market.demand.demand import REASON_NAMES, Scene
from clearing.market.demand.moves import MET, OPEN, STATE_NAMES
from clearing.market.demand.service import View
from clearing.market.gates import CODES
from clearing.market.matching import store as rankings
from clearing.market.matching.score import MEASURES
from clearing.market.product import MODE_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PAGE_SIZE = 20
CHOICES = {
    "sector": ("行业 Industry", {code: f"{code} {name.partition('/')[2]}" for code, name in CODES.items()}),
    "scene": ("场景类型 Scene", {scene.value: scene.value for scene in Scene}),
    "output": ("产品类型 Output", TYPES),
    "shown": ("范围 Scope", {"all": "含已办结 with those that ended"}),
}
"""The filters that are chosen from a list."""
NAMES: dict[str, Any] = {
    "states": STATE_NAMES, "types": TYPES, "industries": CODES, "modes": MODE_NAMES, "reasons": REASON_NAMES,
    "open": OPEN, "met": MET,
}  # fmt: skip


@router.get("/demands")
def demands_page(request: Request, session: ReadDep, now: NowDep, asked: AskedDemandsDep) -> HTMLResponse:
    found = service.search(session, asked.wanted, limit=PAGE_SIZE, before=asked.before)
    more = f"/demands?{urlencode(asked.typed | {'after': found.next})}" if found.next else ""
    first = "" if "after" not in request.query_params else f"/demands?{urlencode(asked.typed)}"
    return page(
        request,
        "demands",
        hits=found.hits,
        more=more,
        first=first,
        typed=asked.typed,
        choices=CHOICES,
        now=now,
        **NAMES,
    )


@router.get("/demands/mine")
def own_page(request: Request, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    party = organisation_of(session, caller, now)
    seen = service.seen_by(session, party, operator=system.settings.operator)
    own = store.demands(session, demander=party)
    return page(request, "demands_mine", party=party, own=own, seen=seen, now=now, **NAMES)


@router.get("/demands/mine/{demand}")
def inside_page(
    request: Request, demand: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    party = organisation_of(session, caller, now)
    shown = service.view(session, demand, party=party, operator=system.settings.operator)
    inside = party in (shown.value.demander, system.settings.operator)
    return _shown(request, shown, now, inside=inside)


@router.get("/demands/mine/{demand}/matches")
def matches_page(
    request: Request, demand: str, caller: CallerDep, visitor: VisitorDep, session: ReadDep, system: SystemDep,
    now: NowDep,
) -> HTMLResponse:  # fmt: skip
    row = require_inside(session, system, demand, organisation_of(session, caller, now))
    kept = rankings.rankings(session, demand)
    last = rankings.ranking(session, demand, kept[0].no)[1] if kept else None
    return page(
        request, "matches", row=row, kept=kept, last=last, now=now, csrf=visitor.csrf if visitor else "",
        measures={item.name: item.zh for item in MEASURES}, promotion=PROMOTION,
    )  # fmt: skip


@router.get("/demands/{demand}")
def demand_page(request: Request, demand: str, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    return _shown(request, service.view(session, demand, operator=system.settings.operator), now)


def _shown(request: Request, shown: View, now: int, *, inside: bool = False) -> HTMLResponse:
    return page(request, "demand", shown=shown, inside=inside, now=now, **NAMES)
