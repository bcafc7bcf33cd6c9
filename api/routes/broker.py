"""Mandates over HTTP: given by principal and broker together, ended by either, shown to whom they concern."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session

from api.apikey import Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market.broker import service, store
from clearing.market.broker.mandate import Held
from clearing.market.negotiation import store as negotiations

router = APIRouter(prefix="/api", tags=["market 交易"])


@router.post(
    "/mandates",
    openapi_extra=describe("mandate/v1", "clearing.market.broker.mandate.Mandate; signed by principal and broker"),
    summary="委托经纪，佣金随委托披露 / a mandate for a broker, with its commission",
)
def mandate(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.give(session, body.signed, at=now))


@router.post(
    "/mandates/endings",
    openapi_extra=describe("mandate-ending/v1", "clearing.market.broker.mandate.MandateEnding"),
    summary="解除委托 / principal or broker ends a mandate",
)
def ending(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.end(session, body.signed, at=now))


@router.get("/mandates", summary="本方的委托 / the mandates one gave or was given")
def mandates(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    found = store.mandates(session, organisation_of(session, caller, now))
    return {"as_of": now, "mandates": [line(held, now) for held in found]}


@router.get("/mandates/{mandate}", summary="一份委托及其佣金 / one mandate with its commission, to whom it concerns")
def one_mandate(mandate: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    held = store.mandate(session, mandate)
    if organisation_of(session, caller, now) not in _concerned(session, system, held):
        raise Forbidden(
            "委托只对委托人、经纪、交易对方和运营方公开。 / For principal, broker, other side and operator only."
        )
    return {"as_of": now, "mandate": line(held, now)}


def _concerned(session: Session, system: System, held: Held) -> set[str]:
    """Principal, broker, operator, and whoever the broker dealt with under it: the commission is disclosed to them."""
    dealt = negotiations.under(session, held.id)
    others = {party for row in dealt for party in (row.consumer, row.provider)}
    return {held.value.principal, held.value.broker, system.settings.operator, *others}


def line(held: Held, now: int) -> dict[str, Any]:
    """A mandate and whether it runs."""
    return {"id": held.id, "in_force": held.in_force(now), "ended_at": held.ended_at, "mandate": plain(held.value)}
