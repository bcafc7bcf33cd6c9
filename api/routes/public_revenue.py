"""Non-tax revenue over HTTP: one door for every signed statement, and what the four parties of a due see."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.settlement.public_revenue import service, store
from clearing.settlement.public_revenue.book import book_xlsx
from clearing.settlement.public_revenue.standing import Standing
from clearing.settlement.public_revenue.statements import KINDS, TicketKey
from clearing.terms import MAX_FEN
from registry.calendar import SHANGHAI

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
router = APIRouter(prefix="/api/non-tax", tags=["settlement 清算"])
PlanQuery = Annotated[str, Query(max_length=32, description="清分方案，按其最新版本 / the plan, by its newest version")]
RefundQuery = Annotated[int, Query(ge=0, le=MAX_FEN, description="退付，分；0 为清分 / refund, fen; 0: allocate")]


@router.post(
    "/statements",
    openapi_extra=describe("|".join(KINDS), "clearing.settlement.public_revenue.statements"),
    summary="应缴核定、通知、到账、票据、用途清分、退付 / whatever is stated about non-tax revenue",
)
def state(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take(session, body.signed, at=now))


@router.get("/dues", summary="本方参与的应缴 / the dues the caller takes part in")
def dues(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "dues": store.dues(session, _whose(session, caller, system, now))}


@router.get("/dues/{due}", summary="一笔应缴：状态、票据、清分、退付 / a due and where it stands")
def due(due: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "due": plain(_own(session, due, caller, system, now))}


@router.get(
    "/dues/{due}/tickets/{code}/{number}/division",
    summary="清分或退付稿，待两人签署 / a ticket divided, or a refund taken back, for two persons to sign",
)
def division(
    due: str, code: str, number: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep,
    plan: PlanQuery = "", refund: RefundQuery = 0,
) -> dict[str, Any]:  # fmt: skip
    found = _own(session, due, caller, system, now)
    divided = service.division(session, found.id, TicketKey(code, number), plan, refund)
    return {"as_of": now, "division": plain(divided)}


@router.get("/plans/{plan}", summary="清分方案的各版本 / the versions of an allocation plan")
def plan(plan: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    found = store.versions(session, plan)
    party = _whose(session, caller, system, now)
    if party not in (None, found[0].body.authority):
        raise Forbidden("清分方案只给执收单位和运营方。 / Shown to its authority and the operator.")
    return {"as_of": now, "plan": plan, "versions": [plain(version) for version in found]}


@router.get("/book", summary="台账 / the book of the caller's dues")
def book(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "book": plain(service.book(session, _whose(session, caller, system, now)))}


@router.get("/book/xlsx", summary="台账（Excel） / the book as XLSX")
def book_workbook(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> Response:
    found = service.book(session, _whose(session, caller, system, now))
    as_of = datetime.fromtimestamp(now, SHANGHAI).isoformat()
    return Response(book_xlsx(found, as_of=as_of), media_type=XLSX)


def _whose(session: Session, caller: Caller, system: System, now: int) -> str | None:
    """The caller's organisation; None for the operator, which sees everybody's. Raises `Forbidden`."""
    party = organisation_of(session, caller, now)
    return None if party == system.settings.operator else party


def _own(session: Session, identity: str, caller: Caller, system: System, now: int) -> Standing:
    """A due of the caller's organisation, or any for the operator. Raises `UnknownFact`, `Forbidden`."""
    found = store.standing(session, identity)
    party, named = _whose(session, caller, system, now), found.due
    if party not in (None, named.authority, named.payer, named.treasury, named.issuer):
        raise Forbidden("应缴只给执收单位、缴款人、财政、开票单位和运营方。 / Shown to its parties and the operator.")
    return found
