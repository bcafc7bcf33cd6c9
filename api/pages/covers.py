"""担保备付 in the office: a guarantor drafts what it signs, and all it concerns see what was called and is owed."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from api.apikey import Caller
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot, Waiting
from api.office import covers, deals, refusals
from api.pages.office import FormDep, office_page, see
from api.pages.render import day as day_of
from api.routes import cover as doors
from api.sessions import HolderDep, Visitor
from clearing.errors import ClearingError
from clearing.settlement import service as settlement
from clearing.settlement.cover import FUNDING_GUARANTEE, RECOURSE_REPAID
from ledger.errors import LedgerError
from registry.errors import RegistryError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/office/funding-guarantees")
def guarantees_page(
    request: Request, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    return _page(request, session, visitor, system, now)


@router.post("/office/funding-guarantees")
def draft_guarantee(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts a guarantee onto the desk, to be signed with the keys of guarantor and party."""
    try:
        party, most, first, last = covers.typed(fields)
        covers.require_known(session, party, now)
        drafted = settlement.draft_guarantee(
            session, operator=system.settings.operator, guarantor=visitor.organisation, party=party, most=most,
            first=first, last=last,
        )  # fmt: skip
    except (ClearingError, LedgerError, RegistryError) as refusal:
        return _page(request, session, visitor, system, now, refusal=refusal, typed=fields)
    waiting = desk.draft(
        session, title=f"担保备付：{party}", kind=drafted.kind, subject=drafted.subject, body=drafted.body,
        slots=[Slot(f"party:{code}", "", "") for code in (visitor.organisation, party)], by=visitor.holder, at=now,
        back="/office/funding-guarantees",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


@router.post("/office/funding-guarantees/repaid")
def draft_repaid(
    request: Request, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep, now: NowDep
) -> Response:
    """Puts that a party has repaid its guarantor onto the desk, to be signed with the guarantor's key."""
    try:
        drafted = settlement.draft_repaid(
            session, operator=system.settings.operator, guarantor=visitor.organisation,
            party=fields.get("party", ""), period=fields.get("period", ""), amount=covers.repaid(fields),
        )  # fmt: skip
    except (ClearingError, LedgerError, RegistryError) as refusal:
        return _page(request, session, visitor, system, now, refusal=refusal)
    waiting = desk.draft(
        session, title=f"收到偿还：{fields['party']}", kind=drafted.kind, subject=drafted.subject, body=drafted.body,
        slots=[Slot(f"party:{visitor.organisation}", "", "")], by=visitor.holder, at=now,
        back="/office/funding-guarantees",
    )  # fmt: skip
    return see(f"/office/desk/{waiting.id}")


@router.get("/office/funding-guarantees/{cycle}/{party}")
def cover_file(
    cycle: str, party: str, visitor: HolderDep, session: ReadDep, system: SystemDep, now: NowDep
) -> Response:
    """The file the guarantor of a party hands to its bank."""
    answer = doors.cover_file(cycle, party, Caller(visitor.holder, by_session=True), session, system, now, "xlsx")
    answer.headers["Content-Disposition"] = f'attachment; filename="cover-{party[:40]}.xlsx"'
    return answer


def _page(
    request: Request, session: Session, visitor: Visitor, system: System, now: int, *,
    refusal: Exception | None = None, typed: Mapping[str, str] | None = None,
) -> HTMLResponse:  # fmt: skip
    chinese, english = refusals.told(refusal) if refusal else ("", "")
    operator, own = system.settings.operator, visitor.organisation
    rows, calls = covers.rows(session, operator, own, now), covers.calls(session, operator, own)
    parties = {code for one in rows for code in (one.standing.body.guarantor, one.standing.body.party)}
    owed = covers.owed(session, operator, own)
    parties |= {code for one in owed for code in (one.guarantor, one.party)}
    parties |= {code for one in calls for code in (one.asked.guarantor, one.asked.party)}
    return office_page(
        request, "covers", visitor, 422 if refusal else 200, rows=rows, calls=calls, owed=owed, own=own,
        chinese=chinese, english=english, typed=typed or {}, names=deals.names_of(session, parties, now),
        today=day_of(now), waiting=_waiting(session, visitor),
    )  # fmt: skip


def _waiting(session: Session, visitor: Visitor) -> list[Waiting]:
    waits = desk.waits_for(session, visitor.holder, visitor.organisation, visitor.roles)
    return [item for item in waits if item.statement.kind in (FUNDING_GUARANTEE, RECOURSE_REPAID)]
