"""Service orders over HTTP: one door for every signed statement, and what the three parties of a contract see."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.settlement.service_order import clocks, service, store
from clearing.settlement.service_order.settling import Advances
from clearing.settlement.service_order.statements import KINDS, CyclePaid
from clearing.settlement.service_order.store import ContractRow
from clearing.terms import MAX_FEN
from ledger.reading import read
from registry.asset import Twin

router = APIRouter(prefix="/api", tags=["settlement 清算"])
FenQuery = Annotated[int, Query(ge=0, le=MAX_FEN, description="本周期已付预付服务费，分 / advances paid, fen")]

AtQuery = Annotated[int | None, Query(ge=0, le=4_102_444_800, description="秒，UTC / seconds UTC")]


@router.post(
    "/service-orders/statements",
    openapi_extra=describe("|".join(KINDS), "clearing.settlement.service_order.statements"),
    summary="服务单方案、下达、评分、验收、免除、事故、结算、发票、付款 / whatever is stated about service orders",
)
def state(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take(session, body.signed, at=now))


@router.get("/service-orders", summary="本方参与的服务合同 / the contracts the caller takes part in")
def contracts(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    return {"as_of": now, "contracts": store.contracts(session, organisation_of(session, caller, now))}


@router.get("/service-orders/{contract}", summary="一份合同：方案、服务单、项目周期 / terms, orders and cycles")
def contract(contract: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = _own(session, contract, caller, system, now)
    orders = [
        {**plain(order), "sheet": plain(service.sheet_of(session, order.id))}
        for order in store.orders(session, row.id)
    ]  # fmt: skip
    cycles = [plain(cycle) for cycle in store.cycles(session, row.id)]
    return {"as_of": now, "contract": row.id, "terms": plain(row.terms), "orders": orders, "cycles": cycles}


@router.get(
    "/service-orders/{contract}/clocks",
    summary="按已签方案：需求答复、下达、供应商结算的期限 / until when, by the signed scheme and the working days",
)
def deadlines(
    contract: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep,
    requested_at: AtQuery = None, money_in_at: AtQuery = None,
) -> dict[str, Any]:  # fmt: skip
    """Ends of days, seconds UTC, exclusive: of a request made at `requested_at` the answer by both clocks and the
    placing of the order; of money that came in at `money_in_at` the settlement with a supplier."""
    scheme = _own(session, contract, caller, system, now).terms.scheme
    found: dict[str, Any] = {"as_of": now}
    if requested_at is not None:
        found["response"] = plain(clocks.response_due(requested_at, scheme, system.calendar))
        found["placing"] = clocks.placing_due(requested_at, scheme, system.calendar)
    if money_in_at is not None:
        found["supplier"] = clocks.supplier_due(money_in_at, scheme, system.calendar)
    return found


@router.get(
    "/service-orders/{contract}/cycles/{cycle}/draft",
    summary="项目周期结算稿，待招标人与中标人签署 / what both sign to settle a cycle",
)
def draft(
    contract: str, cycle: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep,
    first: FenQuery = 0, second: FenQuery = 0,
) -> dict[str, Any]:  # fmt: skip
    row = _own(session, contract, caller, system, now)
    return {"as_of": now, "body": plain(service.draft(session, row.id, cycle, Advances(first, second)))}


@router.get(
    "/service-orders/{contract}/cycles/{cycle}/payment-draft",
    summary="项目周期结算付款稿，待招标人与中标人签署 / what both sign when a settlement was paid",
)
def payment_draft(
    contract: str, cycle: str, bank: str, reference: str, booked_on: str, sha256: str, sm3: str, caller: CallerDep,
    session: ReadDep, system: SystemDep, now: NowDep,
) -> dict[str, Any]:  # fmt: skip
    row = _own(session, contract, caller, system, now)
    body = service.draft_payment(
        session, row.id, cycle, bank=bank, reference=reference, booked_on=booked_on, evidence=Twin(sha256, sm3)
    )
    return {"as_of": now, "body": plain(read(CyclePaid, plain(body), "query"))}


def _own(session: Session, identity: str, caller: Caller, system: System, now: int) -> ContractRow:
    """A contract of the caller's organisation, or any for the operator. Raises `UnknownFact`, `Forbidden`."""
    row = store.contract(session, identity)
    concerned = {row.terms.buyer, row.terms.provider, row.terms.supervisor, system.settings.operator}
    if organisation_of(session, caller, now) not in concerned:
        raise Forbidden("服务单只给招标人、中标人、监理和运营方。 / Shown to buyer, provider, supervisor and operator.")
    return row
