"""Mandates as a page: what a party gave to brokers, or was given as one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep
from api.pages.render import page
from clearing.market.broker import store
from clearing.market.broker.mandate import TASK_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/mandates")
def mandates_page(request: Request, caller: CallerDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    party = organisation_of(session, caller, now)
    return page(request, "mandates", party=party, held=store.mandates(session, party), tasks=TASK_NAMES, now=now)
