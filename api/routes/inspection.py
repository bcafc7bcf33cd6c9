"""Access to the files (art. 30): ask with a purpose, decide, hand out. Each paper handed out is logged as a fact."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended
from registry import store as registry
from registry.inspection import service, store

router = APIRouter(prefix="/api", tags=["inspection 查询复制"])


@router.post(
    "/inspections",
    openapi_extra=describe("inspection-requested/v1", "registry.inspection.access.Request"),
    summary="申请查询、复制登记资料 / ask to see or copy files",
)
def ask(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.ask(session, system.house, body.signed, at=now))


@router.post(
    "/inspections/decisions",
    openapi_extra=describe("inspection-decided/v1", "registry.inspection.access.Decision"),
    summary="准许或不准许查询 / grant or refuse",
)
def decide(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.decide(session, system.house, body.signed, at=now))


@router.post("/inspections/{inspection}/copies/{paper}", summary="取得复制件（留痕） / a marked copy; logged")
def copy(inspection: str, paper: str, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> Response:
    if not service.is_reader(session, inspection, caller.holder):
        _require_agency(session, system.house.uscc, caller, now)
    made = service.hand_out(
        session, inspection, paper, system.agency.signer, at=now, attachments=system.attachment_bytes
    )
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Copy-Mark": made.said.mark}
    return Response(made.data, media_type="application/zip", headers=headers | {"Cache-Control": "no-store"})


@router.get("/inspections", summary="待决定的查询申请与查询记录 / requests that wait, and the log")
def inspections(
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    matter: Annotated[str, Query(max_length=60, description="application:… | certificate:…")] = "",
) -> dict[str, Any]:
    _require_agency(session, system.house.uscc, caller, now)
    return {
        "as_of": now,
        "waiting": [row.model_dump() for row in store.waiting(session)],
        "log": [row.model_dump() for row in store.log_of(session, matter)],
    }


def _require_agency(session: ReadDep, agency: str, caller: Caller, now: int) -> None:
    """Raises `Forbidden` unless the caller is the agency or of its staff."""
    kind, _, name = caller.holder.partition(":")
    organisation = registry.staff_at(session, name, now).organisation if kind == "staff" else name
    if organisation != agency:
        raise Forbidden("只有查询人和登记机构可以办理。 / Only the reader and the registration agency may do this.")
