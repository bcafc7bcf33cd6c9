"""Pages of the holder: the list of cards, and a card with its lines."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep
from api.deps import NowDep, ReadDep
from api.pages.render import page
from api.routes.cards import holder_of, own_card
from registry.cards import store
from registry.cards.card import STATE_NAMES
from registry.certificate import STATUS_NAMES, Status
from registry.rights import RIGHT_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

RIGHTS = {right.value: name for right, name in RIGHT_NAMES.items()}
STATUSES = {status.value: STATUS_NAMES[status] for status in Status}


@router.get("/cards")
def cards_page(request: Request, caller: CallerDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    holder = holder_of(session, caller, now)
    return page(
        request,
        "cards",
        cards=store.cards_of(session, holder),
        holder=holder,
        names=STATE_NAMES,
        rights=RIGHTS,
        now=now,
    )


@router.get("/cards/{card}")
def card_page(request: Request, card: str, caller: CallerDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    known = own_card(session, card, caller, now)
    return page(
        request, "card", card=known, lines=store.lines_of(session, known), names=STATE_NAMES, rights=RIGHTS,
        statuses=STATUSES, now=now,
    )  # fmt: skip
