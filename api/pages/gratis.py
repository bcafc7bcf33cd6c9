"""The unpaid path as a page: a party's applications for free products, and those for its own."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.render import page
from clearing.market.gratis import store
from clearing.market.gratis.moves import STATE_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/gratis")
def gratis_page(request: Request, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    party = organisation_of(session, caller, now)
    rows = store.requests(session, "" if party == system.settings.operator else party)
    return page(request, "gratis", party=party, rows=rows, states=STATE_NAMES, now=now)
