"""数据资产卡片 over HTTP: acts, cards with their lines, the 台账, and what a certificate is linked to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, WriteDep
from api.views import appended, plain
from clearing.market.shelf import tables as market
from ledger.errors import FieldError
from registry import store as registry
from registry.cards import service, store
from registry.cards.card import Card
from registry.cards.ledger_sheet import comma_separated, workbook

router = APIRouter(prefix="/api", tags=["cards 数据资产卡片"])

MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


@router.post(
    "/cards/acts",
    openapi_extra=describe("card/v1", "registry.cards.card.CardAct"),
    summary="入卡、变更、使用、处置、三确 / an act of a card",
)
def card_act(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_act(session, body.signed, at=now))


@router.get("/cards", summary="本单位的卡片 / the caller's cards")
def cards(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "cards": plain(store.cards_of(session, holder_of(session, caller, now)))}


@router.get("/cards/{card}", summary="卡片与其台账行 / a card with its lines")
def one_card(card: str, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    known = own_card(session, card, caller, now)
    return {"as_of": now, "card": plain(known), "lines": plain(store.lines_of(session, known))}


@router.get("/card-ledger.{form}", summary="台账（xlsx 或 csv） / the ledger of all cards")
def card_ledger(form: str, caller: CallerDep, session: ReadDep, now: NowDep) -> Response:
    if form not in MEDIA:
        raise FieldError("form", " | ".join(sorted(MEDIA)), form[:20])
    held = store.cards_of(session, holder_of(session, caller, now))
    data = workbook(held) if form == "xlsx" else comma_separated(held)
    return Response(data, media_type=MEDIA[form])


@router.get("/links/{code}", summary="凭证、卡片、产品的关联 / what a certificate is linked to")
def links(code: str, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    row = registry.certificate(session, code)
    holder = holder_of(session, caller, now)
    named = store.cards_naming(session, code)
    own = {card.id for card in store.cards_of(session, holder)}
    listing = market.listing
    listed = session.execute(
        select(listing.c.id, listing.c.name, listing.c.state, listing.c.product, listing.c.version)
        .where(listing.c.certificate == code)
        .order_by(listing.c.id)
    ).mappings()
    return {
        "as_of": now,
        "certificate": {"code": row.code, "version": row.version, "data_name": row.data_name if row.public else ""},
        "cards": [{"card": ref.card, "status": ref.status, "as_of": ref.as_of} for ref in named if ref.card in own],
        "products": [dict(item) for item in listed],
    }


def holder_of(session: Session, caller: Caller, now: int) -> str:
    """The organisation the caller is or works for. Raises `Forbidden`, `Unknown`."""
    kind, _, name = caller.holder.partition(":")
    if kind == "staff":
        return registry.staff_at(session, name, now).organisation
    if kind != "party":
        raise Forbidden("卡片属于单位。 / Cards belong to organisations.")
    return name


def own_card(session: Session, identity: str, caller: Caller, now: int) -> Card:
    """A card of the caller's organisation. Raises `Unknown`, `Forbidden`."""
    known = store.card(session, identity)
    if known.holder != holder_of(session, caller, now):
        raise Forbidden("只有持有单位可以查看。 / Only the holder may look.")
    return known
