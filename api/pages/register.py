"""The public register to be searched, and its statistics, as pages."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.asking import AskedDep
from api.deps import NowDep, ReadDep
from api.pages.render import page
from registry import answering
from registry.asset import AssetKind
from registry.certificate import STATUS_NAMES, Status
from registry.document import KIND_NAMES
from registry.rights import RIGHT_NAMES
from registry.statistics import store as statistics
from registry.statistics.figures import Dimension

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PAGE_SIZE = 20
CHOICES = {
    "kind": ("类型 Kind", {kind.value: KIND_NAMES[kind] for kind in AssetKind}),
    "right": ("权利 Right", {right.value: name for right, name in RIGHT_NAMES.items()}),
    "status": ("状态 Status", {item.value: STATUS_NAMES[item] for item in Status if item is not Status.SUPERSEDED}),
}
"""The filters that are chosen from a list. SUPERSEDED is never the status of a newest version."""
VALUE_NAMES = {
    Dimension.KIND: CHOICES["kind"][1],
    Dimension.RIGHT: CHOICES["right"][1],
    Dimension.STATUS: CHOICES["status"][1],
}


@router.get("/register")
def register_page(request: Request, session: ReadDep, now: NowDep, asked: AskedDep) -> HTMLResponse:
    found = answering.catalogue(session, now, asked.wanted, limit=PAGE_SIZE, before=asked.before)
    more = f"/register?{urlencode(asked.typed | {'after': found.next})}" if found.next else ""
    return page(
        request, "register", rows=found.listings, more=more, typed=asked.typed, choices=CHOICES, now=now,
        first="" if "after" not in request.query_params else f"/register?{urlencode(asked.typed)}",
        names=STATUS_NAMES, kinds=CHOICES["kind"][1],
    )  # fmt: skip


@router.get("/statistics")
def statistics_page(request: Request, session: ReadDep, now: NowDep) -> HTMLResponse:
    return page(request, "statistics", figures=statistics.figures(session, now), now=now, names=VALUE_NAMES)
