"""Recommendations as a page: why each product is shown, and the list that is the same for everybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep
from api.pages.market import TYPES
from api.pages.render import page
from api.sessions import VisitorDep
from clearing.market.recommending import service, store

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/recommendations")
def recommendations_page(
    request: Request, caller: CallerDep, visitor: VisitorDep, session: ReadDep, now: NowDep
) -> HTMLResponse:
    party = organisation_of(session, caller, now)
    found = service.recommend(session, party, at=now)
    return page(
        request, "recommendations", found=found, kept=store.searches(session, party, now), types=TYPES, now=now,
        csrf=visitor.csrf if visitor else "",
    )  # fmt: skip
