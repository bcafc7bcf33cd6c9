"""Intake over HTTP: papers, drafts, the two steps of submission, and imports of many rows at once."""

from __future__ import annotations

import secrets
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session

from api import jobs, sealed
from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import DocumentDep
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.importing import ENDS, Importer
from api.sealed import Incoming
from api.uploads import ReceivedDep
from api.views import appended, plain
from ledger.errors import FieldError
from ledger.facts import Signed, require_fields
from ledger.reading import body_of
from ledger.signing import message
from registry import store as registry
from registry.errors import FileRefused, Unknown
from registry.form import SUBMITTED
from registry.intake import attachment, service, sniff, store, workbook
from registry.intake.attachment import Paper
from registry.intake.columns import MAX_BYTES
from registry.intake.service import STATE_NAMES, ImportState
from registry.intake.tables import ImportRow

router = APIRouter(prefix="/api", tags=["intake 收件"])

TEMPLATES = {"xlsx": ("申请导入模板.xlsx", sniff.XLSX), "csv": ("申请导入模板.csv", "text/csv; charset=utf-8")}


def holder_of(session: Session, caller: Caller, now: int) -> str:
    """For whom the caller acts: its own organisation, as "party:USCC". Raises `Forbidden`."""
    kind, _, name = caller.holder.partition(":")
    if kind == "party":
        return caller.holder
    if kind == "staff":
        return f"party:{registry.staff_at(session, name, now).organisation}"
    raise Forbidden("只有当事方及其经办人可以办理。 / Only parties and their staff may do this.")


# Papers ---------------------------------------------------------------------------------------------------------------


@router.post("/attachments", summary="上传材料 / hand in a paper: a form, or bare bytes with ?kind=&name=")
def upload(
    incoming: ReceivedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    return _document(keep_paper(system, session, incoming, caller, now))


def keep_paper(system: System, session: Session, incoming: Incoming, caller: Caller, now: int) -> Paper:
    """Looks at the bytes that came, puts them into their place and keeps the record. Raises `FileRefused`."""
    kind = attachment.checked_name(incoming.texts.get("kind", ""), "kind")
    name = attachment.checked_name(incoming.name, "name")
    attachment.require_ending(name)
    with incoming.reader() as file:
        found = sniff.sniff(file, incoming.size, name)
    attachment.require_agreement(kind, name, incoming.declared, found)
    paper = Paper(
        secrets.token_hex(16), holder_of(session, caller, now), incoming.texts.get("draft", ""), kind, name, 1, found,
        incoming.size, incoming.sha256, incoming.sm3, caller.holder, now,
    )  # fmt: skip
    kept = service.keep_paper(session, paper)
    place = sealed.paper_file(system.settings.home, incoming.sha256)
    # Sealed twice, the same content is other bytes; one file of it is enough, and it may be open elsewhere.
    if not place.exists():
        incoming.keep_at(place)
    return kept


@router.get("/attachments", summary="材料清单 / papers handed in, all versions")
def attachments(
    session: ReadDep,
    caller: CallerDep,
    now: NowDep,
    draft: Annotated[str | None, Query(max_length=32)] = None,
) -> dict[str, Any]:
    return {"attachments": plain(store.attachments(session, holder_of(session, caller, now), draft))}


@router.get("/attachments/{attachment}", summary="下载材料（申请人、登记机构；记录在案） / a paper; the look is noted")
def download(
    attachment: str,
    session: ReadDep,
    caller: CallerDep,
    system: SystemDep,
    now: NowDep,
    purpose: Annotated[str, Query(max_length=200, description="查阅目的 / why")] = "",
) -> Response:
    paper = store.attachment(session, attachment)
    holder, agency = holder_of(session, caller, now), f"party:{system.settings.agency}"
    if holder not in (paper.holder, agency):
        raise Forbidden("只有申请人和登记机构可以查看。 / Only the applicant and the agency may look.")
    if holder != paper.holder and not purpose.strip():
        raise FieldError("purpose", "查阅目的 / why it is looked at", "缺失 / missing")
    place = sealed.paper_file(system.settings.home, paper.sha256)
    pieces = sealed.blocks(system.settings.home, place, paper.name, paper.sha256)
    with jobs.transaction(system) as noted:
        service.note_access(noted, paper, caller.holder, purpose.strip(), at=now)
    return StreamingResponse(pieces, media_type=paper.media_type, headers=attached(paper.name))


def attached(name: str) -> dict[str, str]:
    """Headers of a file to be saved under its own name, never shown by the browser in our name."""
    return {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }


# Drafts ---------------------------------------------------------------------------------------------------------------


@router.post("/drafts", summary="新建草稿 / a draft, as typed")
def create_draft(
    value: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"body"}, {"kind"})
    holder = holder_of(session, caller, now)
    made = service.create_draft(session, holder, _text(value.get("kind", SUBMITTED), "kind"), value["body"], at=now)
    return _document(made)


@router.get("/drafts", summary="草稿清单 / drafts, by id, after one of them")
def drafts(
    session: ReadDep,
    caller: CallerDep,
    now: NowDep,
    after: Annotated[str, Query(max_length=32)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    holder = holder_of(session, caller, now)
    found = service.drafts(session, holder, after=after, limit=limit)
    return {"count": store.count_drafts(session, holder), "drafts": plain(found)}


@router.get("/drafts/{draft}", summary="草稿 / a draft")
def draft(draft: str, session: ReadDep, caller: CallerDep, now: NowDep) -> dict[str, Any]:
    return _document(service.draft(session, holder_of(session, caller, now), draft))


@router.post("/drafts/{draft}", summary="修改草稿 / another body for a draft")
def edit_draft(
    draft: str, value: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"body"}, set())
    return _document(service.edit_draft(session, holder_of(session, caller, now), draft, value["body"], at=now))


@router.post("/drafts/{draft}/withdrawal", summary="撤回（删除）草稿 / deletes a draft")
def withdraw_draft(draft: str, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    service.withdraw_draft(session, holder_of(session, caller, now), draft)
    return {"id": draft, "withdrawn": True}


@router.get("/drafts/{draft}/check", summary="草稿预检 / every field that is wrong, then the pre-check")
def check_draft(draft: str, session: ReadDep, caller: CallerDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    found = service.draft(session, holder_of(session, caller, now), draft)
    return {"findings": plain(service.check(session, system.house, found.kind, found.body, now))}


@router.get("/drafts/{draft}/preview", summary="第一步：公示内容预览与待签内容 / what will be published, what to sign")
def preview_draft(draft: str, session: ReadDep, caller: CallerDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    found = service.preview(session, system.house, holder_of(session, caller, now), draft, now)
    result: dict[str, Any] = {"findings": plain(found.findings), "publicity_sha256": found.publicity_sha256}
    if found.publicity is not None:
        result["publicity"] = body_of(found.publicity)
    if found.statement is not None:
        result["statement"] = found.statement.document()
        result["message"] = message(found.statement).hex()
    return result


@router.post("/drafts/{draft}/submission", summary="第二步：提交已签署的申请 / the signed statement of the preview")
def submit_draft(
    draft: str, value: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"statement", "signatures", "publicity_sha256"}, set())
    signed = Signed.of_document({"statement": value["statement"], "signatures": value["signatures"]})
    require_own(caller, signed)
    seen = _text(value["publicity_sha256"], "publicity_sha256")
    holder = holder_of(session, caller, now)
    taken = service.submit(session, system.house, holder, draft, signed, seen, at=now, calendar=system.calendar)
    return appended(taken)


# Imports --------------------------------------------------------------------------------------------------------------


@router.get("/intake/template", summary="下载导入模板 / the import template")
def template(caller: CallerDep, form: Annotated[str, Query(alias="format", max_length=10)] = "xlsx") -> Response:
    return template_file(form)


def template_file(form: str) -> Response:
    """The import template in one of its forms. Raises `FieldError`."""
    if form not in TEMPLATES:
        raise FieldError("format", " | ".join(TEMPLATES), repr(form))
    name, media_type = TEMPLATES[form]
    data = workbook.template_xlsx() if form == "xlsx" else workbook.template_csv()
    return Response(data, media_type=media_type, headers=attached(name))


@router.post("/intake/imports", summary="上传导入文件 / a file of many applications: a form, or bare bytes with ?name=")
def begin_import(
    request: Request,
    incoming: ReceivedDep,
    caller: CallerDep,
    session: WriteDep,
    system: SystemDep,
    now: NowDep,
    background: BackgroundTasks,
) -> dict[str, Any]:
    row = take_import(system, session, incoming, holder_of(session, caller, now), now)
    background.add_task(importer(request).start, row.id)
    return import_view(row)


def take_import(system: System, session: Session, incoming: Incoming, holder: str, now: int) -> ImportRow:
    """Takes in the file of an import, to be worked on when this is committed. Raises `FileRefused`."""
    name = attachment.checked_name(incoming.name, "name")
    if sniff.ending_of(name) not in TEMPLATES:
        raise FileRefused(name, "请上传 xlsx 或 csv 文件", "an xlsx or csv file is expected")
    if not incoming.size:
        raise FileRefused(name, "文件是空的", "the file is empty")
    if incoming.size > MAX_BYTES:
        raise FileRefused(name, f"超过 {MAX_BYTES} 字节", f"more than {MAX_BYTES} bytes")
    row = service.open_import(session, holder, name, incoming.sha256, at=now)
    incoming.keep_at(sealed.import_file(system.settings.home, row.id, "source"))
    return row


@router.get("/intake/imports", summary="导入清单 / the imports of the caller's organisation")
def imports(session: ReadDep, caller: CallerDep, now: NowDep) -> dict[str, Any]:
    return {"imports": [import_view(row) for row in store.imports(session, holder_of(session, caller, now))]}


@router.get("/intake/imports/{identity}", summary="导入进度 / how far an import is")
def import_(identity: str, request: Request, session: ReadDep, caller: CallerDep, now: NowDep) -> dict[str, Any]:
    return import_view(looked_at(request, session, identity, holder_of(session, caller, now)))


def looked_at(request: Request, session: Session, identity: str, holder: str) -> ImportRow:
    """An import of this holder; one that stopped with its process is carried on. Raises `Unknown`."""
    row = store.import_(session, identity, holder)
    if row.state not in ENDS:
        importer(request).start(row.id)
    return row


@router.get("/intake/imports/{identity}/errors", summary="错误文件 / the rows that were not imported, and why")
def import_errors(identity: str, session: ReadDep, caller: CallerDep, system: SystemDep, now: NowDep) -> Response:
    return errors_file(system, store.import_(session, identity, holder_of(session, caller, now)))


def errors_file(system: System, row: ImportRow) -> Response:
    """The error file of an import. Raises `Unknown` if it has none."""
    try:
        data = sealed.read(system.settings.home, sealed.import_file(system.settings.home, row.id, "errors"), row.name)
    except FileNotFoundError as missing:
        raise Unknown("错误文件 / error file", row.id) from missing
    return Response(data, media_type=sniff.XLSX, headers=attached(f"{row.name.rpartition('.')[0]}-错误.xlsx"))


def import_view(row: ImportRow) -> dict[str, Any]:
    """An import for programs; `done` of `total` rows, of which `written`, `same` (there before) and `wrong`."""
    state = ImportState(row.state)
    return {
        "id": row.id, "name": row.name, "sha256": row.sha256, "state": state.value, "state_name": STATE_NAMES[state],
        "total": row.total, "done": row.done, "written": row.written, "same": row.same, "wrong": row.wrong,
        "red": row.red, "message": row.message, "made_at": row.made_at, "updated_at": row.updated_at,
    }  # fmt: skip


def importer(request: Request) -> Importer:
    """What runs imports in this process."""
    found: Importer = request.app.state.importer
    return found


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise FieldError(field, "文字 / a text", repr(value)[:80])
    return value


def _document(value: Any) -> dict[str, Any]:
    return dict(plain(value))
