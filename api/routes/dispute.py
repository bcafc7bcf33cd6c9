"""Complaints about delivery and use over HTTP: one door for every signed act, and what both sides see."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.proofs import bundle_of, may_read
from api.routes.delivery import concerned
from api.views import appended, plain
from clearing.market import service as market
from clearing.market import store as agreements
from clearing.settlement import store as settlement
from clearing.settlement.dispute import service, store
from clearing.settlement.dispute.opening import Dispute, State, Topic
from clearing.settlement.dispute.store import DisputeRow
from ledger import store as ledger
from ledger.bundle import NotPublished
from ledger.errors import Erased, FieldError
from ledger.facts import Fact
from registry.errors import CalendarPending

router = APIRouter(prefix="/api", tags=["settlement 清算"])


@router.post(
    "/disputes/acts",
    openapi_extra=describe("dispute-act/v1", "clearing.settlement.dispute.opening.DisputeAct"),
    summary="投诉、答复、和解、调解、裁决、撤回 / what is said in a dispute about delivery, use or a charge",
)
def dispute_act(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take(session, body.signed, system.office, operator=system.settings.operator, at=now))


@router.get("/agreements/{agreement}/evidence", summary="投诉须列明的证据 / the facts a complaint must list")
def evidence(
    agreement: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    topic: Topic,
    delivery: Annotated[str, Query(max_length=32, description="交付编号 / id of the delivery")] = "",
    start: Annotated[int, Query(alias="from", ge=0, le=4_102_444_800, description="UTC 秒 / seconds")] = 0,
    end: Annotated[int, Query(alias="to", ge=0, le=4_102_444_800, description="UTC 秒 / seconds")] = 0,
    charge: Annotated[str, Query(max_length=64, description="计费结果的事实号 / fact id of the charge")] = "",
) -> dict[str, Any]:
    row = agreements.agreement(session, agreement)
    if organisation_of(session, caller, now) not in concerned(session, row.id, system):
        raise Forbidden("证据清单只给合约各方和运营方。 / Evidence is listed for the agreement's parties.")
    if topic is Topic.USE and not start < end:
        raise FieldError("to", "> from", f"{start} … {end}")
    facts = service.evidence_of(session, row.id, topic, delivery=delivery, start=start, end=end, charge=charge)
    return {"as_of": now, "agreement": row.id, "evidence": [line_of(fact) for fact in facts]}


@router.get("/disputes", summary="本方的投诉和争议 / the caller's disputes, on either side")
def disputes(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    rows = store.disputes(session, organisation_of(session, caller, now))
    return {"as_of": now, "disputes": [_short(row) for row in rows]}


@router.get("/disputes/{dispute}", summary="一件投诉的状态和证据清单 / one dispute, to both sides")
def dispute(dispute: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = own_dispute(session, dispute, caller, system, now)
    acts = [
        {"no": fact.statement.no, "at": fact.at, "fact": fact.id, "body": fact.body}
        for fact in ledger.facts_of(session, f"dispute:{dispute}")
    ]
    listed = [line_of(fact) for fact in service.listed(session, row.case.complaint)]
    frozen, due = settlement.hold(session, dispute), clock_of(row.case, system)
    money = {"frozen": sum(part.amount for part in frozen.parts) if frozen else 0} | ({"due": due} if due else {})
    said = {**_short(row), **plain(row.case), **money}
    return {"as_of": now, "dispute": said, "evidence": listed, "acts": acts}


@router.get("/disputes/{dispute}/package", summary="证据包 / the complaint's facts, each with its proof bundle")
def package(dispute: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = own_dispute(session, dispute, caller, system, now)
    opened = ledger.facts_of(session, f"dispute:{dispute}")[0]
    facts = [opened, *service.listed(session, row.case.complaint)]
    proved = [line_of(fact) | _proof(session, fact, caller, system) for fact in facts]
    return {"format": "shuqing-dispute-package/v1", "as_of": now, "dispute": row.id, "evidence": proved}


def own_dispute(session: Session, identity: str, caller: Caller, system: System, now: int) -> DisputeRow:
    """A dispute of the caller's organisation, or of anybody for the operator; for an authority once it is mediated or
    outside. Raises `UnknownFact`, `Forbidden`."""
    row = store.dispute(session, identity)
    organisation = organisation_of(session, caller, now)
    sides = {row.case.filer, row.case.respondent, system.settings.operator}
    neutral = row.case.mediated is not None or row.case.state in (State.OUTSIDE, State.DECIDED)
    if organisation not in sides and not (neutral and market.is_authority(session, organisation, now)):
        raise Forbidden("投诉只给双方和运营方。 / A complaint is shown to its two sides and the operator.")
    return row


def clock_of(case: Dispute, system: System) -> int | None:
    """When the layer the dispute is in is overdue, seconds UTC; None outside of the platform, after the end, and while
    the year's calendar is not published."""
    try:
        if case.state in (State.OPEN, State.ANSWERED):
            return system.office.working_days(case.opened_at, service.NEGOTIATION)
        if case.state is State.MEDIATION and case.mediated is not None:
            return system.office.working_days(case.mediated, service.MEDIATION)
    except CalendarPending:
        pass
    return None


def line_of(fact: Fact) -> dict[str, Any]:
    """A fact as an evidence list names it."""
    entry = service.entry_of(fact)
    return {
        "fact": entry.fact, "digest": plain(entry.digest), "kind": fact.kind, "subject": fact.subject,
        "no": fact.statement.no, "at": fact.at,
    }  # fmt: skip


def _proof(session: Session, fact: Fact, caller: Caller, system: System) -> dict[str, Any]:
    """The bundle, or why there is none to show: not in a published head yet, erased, or not the caller's to see."""
    if not may_read(session, fact, caller.holder, system.houses):
        return {"why": "不向本方公开 / not the caller's to see"}
    try:
        return {"bundle": bundle_of(session, fact.id, system.houses).document()}
    except (NotPublished, Erased) as refusal:
        return {"why": str(refusal)}


def _short(row: DisputeRow) -> dict[str, Any]:
    case = row.case
    return {
        "id": row.id, "agreement": case.agreement, "filer": case.filer, "respondent": case.respondent,
        "topic": case.complaint.topic.value, "state": case.state.value,
        "state_name": service.STATE_NAMES[case.state.value], "opened_at": case.opened_at, "since": case.since,
    }  # fmt: skip
