"""The page for imports: template, upload, progress without a script, error file. Who calls is asked as everywhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.auth import CallerDep, SenderDep
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.importing import ENDS
from api.pages.render import page
from api.routes.intake import (
    errors_file,
    holder_of,
    import_view,
    importer,
    looked_at,
    take_import,
    template_file,
)
from api.sessions import VisitorDep
from api.uploads import PostedDep
from registry.intake import store
from registry.intake.columns import MAX_BYTES, MAX_ROWS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/intake")
def intake_page(
    request: Request, session: ReadDep, caller: CallerDep, visitor: VisitorDep, now: NowDep
) -> HTMLResponse:
    rows = [import_view(row) for row in store.imports(session, holder_of(session, caller, now))]
    csrf = visitor.csrf if visitor else ""
    return page(request, "intake", rows=rows, most=MAX_ROWS, mib=MAX_BYTES >> 20, csrf=csrf)


@router.get("/intake/template")
def template_page(caller: CallerDep, form: Annotated[str, Query(alias="format", max_length=10)] = "xlsx") -> Response:
    return template_file(form)


@router.post("/intake")
def upload_page(
    request: Request,
    incoming: PostedDep,
    caller: SenderDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
    background: BackgroundTasks,
) -> Response:
    row = take_import(system, session, incoming, holder_of(session, caller, now), now)
    background.add_task(importer(request).start, row.id)
    return RedirectResponse(f"/intake/{row.id}", 303, background=background)


@router.get("/intake/{identity}")
def progress_page(
    identity: str, request: Request, session: ReadDep, caller: CallerDep, system: SystemDep, now: NowDep
) -> HTMLResponse:
    row = import_view(looked_at(request, session, identity, holder_of(session, caller, now)))
    running = row["state"] not in ENDS
    return page(request, "intake_progress", headers={"Refresh": "2"} if running else None, row=row, running=running)


@router.get("/intake/{identity}/errors")
def errors_page(identity: str, session: ReadDep, caller: CallerDep, system: SystemDep, now: NowDep) -> Response:
    return errors_file(system, store.import_(session, identity, holder_of(session, caller, now)))
