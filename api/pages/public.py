"""The public pages: what this is, the check of a certificate, the state of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlmodel import Session

from api import verifiers
from api.bodies import read_body
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep
from api.pages.checking import checked
from api.pages.guard import LimitedDep
from api.pages.render import page
from api.pages.upload import CheckForm, read_form
from ledger import checkpoint, log, outbox, tables
from ledger.anchoring import Place, place_of
from ledger.digest import twin
from ledger.log import Head
from registry.afterlife.blocking import OPERATION_NAMES
from registry.afterlife.instrument import AUTHORITY_NAMES
from registry.afterlife.remark import KIND_NAMES as REMARK_NAMES
from registry.afterlife.remark import REMARK_STATE_NAMES
from registry.asset import AssetKind
from registry.catalogue import CodeAnswer, Integrity
from registry.certificate import STATUS_NAMES, Status
from registry.document import KIND_NAMES
from registry.form import Operation
from registry.rights import RIGHT_NAMES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

HEADS = 20

INTEGRITY_TEXTS = {
    Integrity.INTACT: (
        "文件完整",
        "与核发时逐字节一致。这只说明文件未被改动，不说明凭证现在有效。",
        "The bytes are those that were issued. This alone does not mean that the certificate is in force.",
    ),
    Integrity.ALTERED: (
        "文件不一致",
        "与本凭证当前版本核发的文件不同：被改动过，或不是这张凭证的文件。",
        "Not the bytes issued for the current version: altered, or another paper.",
    ),
    Integrity.NO_FILE_GIVEN: (
        "未提交文件",
        "没有核对任何文件。上传凭证的 PDF 或 JSON 可以核对。",
        "No file was compared.",
    ),
    Integrity.CANNOT_CHECK: (
        "无法核对",
        "没有可供比较的核发文件，不能判断该文件是否完整。",
        "There is no issued paper to compare the file with.",
    ),
}
STATUS_TEXTS: dict[Status | CodeAnswer, tuple[str, str, str]] = {
    Status.VALID: (STATUS_NAMES[Status.VALID], "在查询时刻处于有效期内。", "Within its validity at the time above."),
    Status.RENEWAL_PENDING: (
        STATUS_NAMES[Status.RENEWAL_PENDING],
        "已届满，期满前提出的续期申请正在办理。",
        "Expired; a renewal filed in time is being handled.",
    ),
    Status.SUPERSEDED: (
        STATUS_NAMES[Status.SUPERSEDED],
        "已有新版本，以新版本为准。",
        "A newer version has taken its place.",
    ),
    Status.TRANSFERRED: (
        STATUS_NAMES[Status.TRANSFERRED],
        "权利已转让，以受让方的凭证为准。",
        "The rights were transferred; the new holder's certificate counts.",
    ),
    Status.LAPSED: (STATUS_NAMES[Status.LAPSED], "有效期已届满，凭证不再有效。", "Its validity has ended."),
    Status.CANCELLED: (STATUS_NAMES[Status.CANCELLED], "登记已注销，凭证不再有效。", "The registration was cancelled."),
    CodeAnswer.UNKNOWN_CODE: ("查无此号", "登记簿中没有这个凭证编码。", "No such code is in the register."),
    CodeAnswer.MALFORMED_CODE: (
        "编码格式不符",
        "凭证编码为 15 位：SJ 加 13 位数字，例如 SJ3312026110001。请核对后重新输入。",
        "A code has 15 characters: SJ and 13 digits.",
    ),
}
STATE_TEXTS = {
    outbox.State.SEQUENCED: "已受理，待入列",
    outbox.State.INTEGRATED: "已入列，待发布",
    outbox.State.PUBLISHED: "已发布：见证方已联署，树头已锚定",
}


@dataclass(frozen=True, slots=True)
class HeadLine:
    """A head with the names of the witnesses that cosigned it and its place on the chain, if it has one."""

    head: Head
    witnesses: tuple[str, ...]
    place: Place | None


@router.get("/")
def home(request: Request) -> HTMLResponse:
    return page(request, "home")


@router.get("/check")
def check_page(
    request: Request,
    session: ReadDep,
    now: NowDep,
    _limited: LimitedDep,
    code: Annotated[str, Query(max_length=200)] = "",
    v: Annotated[str, Query(max_length=20)] = "",
    t: Annotated[str, Query(max_length=64)] = "",
    purpose: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    return _checked_page(request, session, now, CheckForm(code, v, t, purpose=purpose))


@router.post("/check")
async def check_file(request: Request, session: ReadDep, now: NowDep, _limited: LimitedDep) -> HTMLResponse:
    """Writes nothing: the file is digested, compared and forgotten."""
    form = read_form(request.headers.get("content-type", ""), await read_body(request))
    return await run_in_threadpool(_checked_page, request, session, now, form)


@router.get("/log")
def log_page(request: Request, session: ReadDep, system: SystemDep, now: NowDep) -> HTMLResponse:
    heads = _heads(session, system)
    return page(
        request,
        "log",
        heads=heads,
        now=now,
        origin=system.settings.origin,
        waiting=outbox.backlog(session),
        integrated=log.size(session),
        published=outbox.published_size(session),
        witnesses=[witness.name for witness in system.witnesses],
        quorum=system.settings.witness_quorum,
    )


@router.get("/verify")
def verify_page(request: Request) -> HTMLResponse:
    """Where the stand-alone verifiers are and which digests they have; a missing one is said to be missing."""
    files: list[dict[str, object]] = []
    for path, name, read in (
        ("/verifier", "verifier.html", verifiers.page),
        ("/verifier.py", "verify_bundle.py", verifiers.program),
    ):
        try:
            data = read()
        except verifiers.NotBuilt as missing:
            files.append({"name": name, "missing": str(missing).partition(" / ")[0]})
        else:
            files.append({"path": path, "name": name, "size": len(data), "digest": twin(data).document()})
    return page(request, "verify", files=files)


@router.get("/verifier")
def verifier(download: bool = False) -> Response:
    """The verifier page itself, with the policy it states: to look at, or as a file to keep."""
    data = verifiers.page()
    headers = {"Content-Security-Policy": verifiers.policy(data) + "; frame-ancestors 'none'"}
    return Response(data, media_type="text/html", headers=headers | (_attached("verifier.html") if download else {}))


@router.get("/verifier.py")
def verifier_program() -> Response:
    return Response(verifiers.program(), media_type="text/x-python", headers=_attached("verify_bundle.py"))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _checked_page(request: Request, session: Session, now: int, form: CheckForm) -> HTMLResponse:
    code = "".join(form.code.split()).upper()
    if not code:
        return page(request, "check", result=None, form=form, code="", purposes=OPERATION_NAMES)
    file = twin(form.file) if form.file is not None else None
    purpose = Operation(form.purpose) if form.purpose in set(Operation) else None
    result = checked(session, code, now, token=form.t, file=file, purpose=purpose)
    check = result.check
    return page(
        request,
        "check",
        result=result,
        check=check,
        form=form,
        code=code,
        integrity_text=INTEGRITY_TEXTS[check.integrity],
        status_text=STATUS_TEXTS[check.status],
        known=isinstance(check.status, Status),
        in_force=check.status in (Status.VALID, Status.RENEWAL_PENDING),
        state=STATE_TEXTS[result.state] if result.state else "",
        published=result.state is outbox.State.PUBLISHED,
        other_version=bool(form.v) and bool(check.version) and form.v != str(check.version),
        rights=RIGHT_NAMES,
        kinds=_kinds(),
        purposes=OPERATION_NAMES,
        remarks=REMARK_NAMES,
        remark_states=REMARK_STATE_NAMES,
        authorities=AUTHORITY_NAMES,
    )


def _kinds() -> dict[str, str]:
    return {kind.value: KIND_NAMES[kind] for kind in AssetKind}


def _heads(session: Session, system: System) -> list[HeadLine]:
    """The newest heads, newest first."""
    keys = {witness.name: witness.public for witness in system.witnesses}
    sizes = session.scalars(select(tables.head.c.size).order_by(tables.head.c.size.desc()).limit(HEADS))
    found = []
    for size in list(sizes):
        head = log.head_at(session, size)
        assert head is not None
        names = tuple(name for name, _ in checkpoint.verify_witnesses(head.note, keys))
        found.append(HeadLine(head, names, place_of(session, outbox.HEADS, outbox.head_key(size))))
    return found
