"""年度披露 for everybody: the years there are, and one of them, naming nobody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import NowDep, ReadDep, SystemDep
from api.pages.guard import LimitedDep
from api.pages.render import page
from clearing.settlement.reporting import service
from clearing.settlement.reporting.disclosure import class_name, mode_name

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/disclosure")
def disclosures_page(request: Request, now: NowDep) -> HTMLResponse:
    return page(request, "disclosures", years=service.disclosed_years(now), now=now)


@router.get("/disclosure/{year}")
def disclosure_page(
    request: Request, year: str, session: ReadDep, system: SystemDep, now: NowDep, _limited: LimitedDep
) -> HTMLResponse:
    found = service.disclose(session, year, operator=system.settings.operator, at=now)
    return page(request, "disclosure", it=found, class_name=class_name, mode_name=mode_name)
