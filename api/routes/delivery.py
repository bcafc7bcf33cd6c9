"""Delivery and acceptance over HTTP: one door for every signed act, and what the parties see of it."""

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
from clearing.market import store as agreements
from clearing.market.delivery import service as delivering
from clearing.market.delivery import store
from clearing.market.delivery.act import CONTINUOUS, Side
from clearing.market.delivery.moves import TURNS, Seen, inspection_of, open_acts
from clearing.market.delivery.service import Reading
from clearing.terms import month
from registry.calendar import text_of

router = APIRouter(prefix="/api", tags=["market 交易"])


@router.post(
    "/deliveries/acts",
    openapi_extra=describe("delivery-act/v1", "clearing.market.delivery.act.DeliveryAct"),
    summary="交付、签收、验收、异议、答复、重新交付、决定 / an act of a delivery",
)
def delivery_act(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(delivering.take(session, body.signed, calendar=system.calendar, at=now))


@router.get("/deliveries", summary="本方的交付 / the caller's deliveries, on either side")
def deliveries(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    organisation = organisation_of(session, caller, now)
    found = delivering.readings(session, organisation, calendar=system.calendar, at=now)
    return {"as_of": now, "deliveries": [line_of(made) for made in found]}


@router.get("/deliveries/{delivery}", summary="一次交付：状态、时限、下一步、全过程 / one delivery, to those concerned")
def delivery(delivery: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    made = delivering.reading(session, delivery, calendar=system.calendar, at=now)
    side = side_of(session, made, caller, system, now)
    return {
        "as_of": now,
        "delivery": line_of(made),
        "shipment": plain(made.row.case.shipment),
        "items": [_item(one, side) for one in made.items],
        "acts": [plain(done) for done in store.acts_of(session, delivery)],
    }


@router.get(
    "/agreements/{agreement}/accepted", summary="有效完成数量：按交付和账期 / accepted quantity per delivery and period"
)
def accepted(
    agreement: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    period: Annotated[str, Query(max_length=7, description="账期 YYYY-MM / the account period")] = "",
) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    if organisation_of(session, caller, now) not in concerned(session, row.id, system):
        raise Forbidden("有效完成数量只给合约各方和运营方。 / Accepted quantities are for the agreement's parties.")
    if period:
        month(period)
    found = delivering.accepted_quantities(session, row.id, calendar=system.calendar, at=now, period=period)
    return {"as_of": now, "agreement": row.id, "accepted": plain(found)}


@router.get("/agreements/{agreement}/delivery", summary="按约交付须写明的内容 / what a delivery under it must state")
def expected_delivery(
    agreement: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    if organisation_of(session, caller, now) not in concerned(session, row.id, system):
        raise Forbidden("合约内容只给合约各方和运营方。 / What was agreed is for the agreement's parties.")
    revision, terms, standing = agreements.terms_at(session, row.id, now)
    return {
        "as_of": now, "agreement": row.id, "standing": standing.value, "revision": revision,
        "version": plain(terms.product.digest), "mode": terms.delivery.mode, "endpoint": terms.delivery.endpoint,
        "periodic": terms.delivery.mode in CONTINUOUS, "consumer": terms.policy.assignee,
        "acceptance_days": terms.acceptance_days, "silence": terms.silence.value,
        "inspection": plain(inspection_of(terms)),
    }  # fmt: skip


def concerned(session: Session, agreement: str, system: System) -> frozenset[str]:
    """Everybody who signs for an agreement, the parties of its terms, and the operator who settles it."""
    row = agreements.agreement(session, agreement)
    parties = {party.party for party in agreements.terms_of(session, agreement, row.revision).parties}
    return agreements.signers_of(session, agreement) | parties | {system.settings.operator}


def side_of(session: Session, made: Reading, caller: Caller, system: System, now: int) -> Side | None:
    """On which side of a delivery the caller stands; None for the operator and the other parties of its agreement.
    Raises `Forbidden` for everybody else."""
    organisation = organisation_of(session, caller, now)
    row = made.row
    decider = inspection_of(delivering.terms_of(session, row)).decider
    sides = {row.provider: Side.PROVIDER, row.consumer: Side.CONSUMER, decider: Side.DECIDER}
    if organisation not in sides and organisation not in concerned(session, row.agreement, system):
        raise Forbidden("交付只给合约各方、监理和运营方。 / A delivery is shown to the parties of its agreement.")
    return sides.get(organisation)


def line_of(made: Reading) -> dict[str, Any]:
    """A delivery as a list shows it: where it stands, the clock that ends first, the quantities."""
    due = delivering.first_due(list(made.items))
    ends = {"ends_at": text_of(due.ends)} if due.ends is not None else {}
    row = made.row
    return {
        "id": row.id, "agreement": row.agreement, "provider": row.provider, "consumer": row.consumer,
        "period": row.period, "since": row.since, "progress": made.progress.value,
        "progress_name": delivering.PROGRESS_NAMES[made.progress], "clock": {**plain(due), **ends},
        "counted": plain(made.counted),
    }  # fmt: skip


def _item(one: Seen, side: Side | None) -> dict[str, Any]:
    item, turn = one.item, TURNS.get(one.state)
    return {
        "item": item.id, "sent": plain(item.sent), "state": one.state.value,
        "state_name": delivering.STATE_NAMES[one.state],
        "quantity": item.quantity, "unit": item.sent.unit, "accepted": one.accepted, "deemed": one.deemed,
        "rejected": item.rejected, "pending": item.pending - one.deemed, "round": item.round, "clock": plain(one.due),
        "turn": turn.value if turn else "", "next": [act.value for act in open_acts(one.state, side)] if side else [],
    }  # fmt: skip
