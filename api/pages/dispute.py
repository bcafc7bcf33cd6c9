"""Pages of a complaint for both its sides: where it stands, what was said, the list of evidence."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.auth import CallerDep, organisation_of
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.render import page
from api.routes.dispute import clock_of, line_of, own_dispute
from clearing.settlement import store as settlement
from clearing.settlement.dispute import service, store
from clearing.settlement.dispute.opening import act_of
from ledger import store as ledger

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/disputes")
def disputes_page(request: Request, caller: CallerDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    organisation = organisation_of(session, caller, now)
    return page(
        request, "disputes", rows=store.disputes(session, organisation), organisation=organisation, now=now,
        states=service.STATE_NAMES, topics=service.TOPIC_NAMES,
    )  # fmt: skip


@router.get("/disputes/{dispute}")
def dispute_page(
    request: Request, dispute: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    row = own_dispute(session, dispute, caller, system, now)
    said = [(fact.at, act_of(fact.statement)) for fact in ledger.facts_of(session, f"dispute:{dispute}")]
    organisation = organisation_of(session, caller, now)
    return page(
        request, "dispute", row=row, said=said, mine=organisation, now=now, states=service.STATE_NAMES,
        topics=service.TOPIC_NAMES, acts=service.ACT_NAMES,
        evidence=[line_of(fact) for fact in service.listed(session, row.case.complaint)],
        frozen=settlement.hold(session, dispute), due=clock_of(row.case, system), operator=system.settings.operator,
    )  # fmt: skip
