"""数商 for everybody: those that declared a profile, and the page of one party."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import NowDep, ReadDep
from api.pages.market import TYPES
from api.pages.render import page
from clearing.market.gates import CODES
from clearing.market.profile import service, store
from clearing.market.profile.kinds import TABLE
from clearing.settlement.reporting import store as reporting
from registry import store as registry

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/profiles")
def profiles_page(request: Request, session: ReadDep, now: NowDep) -> HTMLResponse:
    found = [(party, registry.party_at(session, party, now).name, item) for party, item in store.profiles(session)]
    return page(request, "profiles", found=found, table=TABLE, industries=CODES, now=now)


@router.get("/profiles/{party}")
def profile_page(request: Request, party: str, session: ReadDep, now: NowDep) -> HTMLResponse:
    shown = service.view(session, party, at=now, figures=reporting.shown(session, party))
    return page(
        request, "profile", shown=shown, figures=service.FIGURES, industries=CODES, types=TYPES, now=now
    )  # fmt: skip
