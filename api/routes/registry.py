"""Registration over HTTP: parties, the seven steps, certificates and the public check."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import DocumentDep, SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.pages.checking import checked
from api.pages.guard import LimitedDep
from api.papers import paper
from api.proofs import bundle_of
from api.views import appended, plain
from ledger import reading
from ledger.digest import TwinDigest
from registry import admitting, answering, entries, filing, holding, moving, store
from registry.case import Case
from registry.certificate import record_digest
from registry.form import Form, Operation
from registry.succession import Wish

router = APIRouter(prefix="/api", tags=["registry 登记"])


@router.post("/parties", openapi_extra=describe("party/v1", "registry.party.Party"), summary="主体入册 / admit a party")
def party(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(admitting.register_party(session, system.house, body.signed, at=now))


@router.post("/staff", openapi_extra=describe("staff/v1", "registry.party.Staff"), summary="工作人员 / staff")
def staff(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(admitting.register_staff(session, system.house, body.signed, at=now))


@router.post(
    "/connectors", openapi_extra=describe("connector/v1", "registry.party.Connector"), summary="连接器 / a connector"
)
def connector(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(admitting.register_connector(session, system.house, body.signed, at=now))


@router.post("/precheck", summary="登记预检 / pre-check of a form")
def precheck(value: DocumentDep, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    form = reading.read(Form, value, "form")
    known = filing.known_of(session, form, now, system.calendar)
    return {"findings": plain(filing.check_form(system.house, form, now, known))}


@router.post(
    "/applications",
    openapi_extra=describe("application-submitted/v1", "registry.form.Form"),
    summary="申请 / apply for registration",
)
def application(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    taken = filing.submit_application(session, system.house, body.signed, at=now, calendar=system.calendar)
    return appended(taken)


@router.post(
    "/applications/decisions",
    openapi_extra=describe("register-decision/v1", "registry.case.AgencyDecision"),
    summary="依职权变更、注销 / a change or cancellation opened by the agency",
)
def decision(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(filing.open_by_agency(session, system.house, body.signed, at=now, calendar=system.calendar))


@router.post("/certificates/{code}/draft", summary="转让、变更、续期、注销申请表 / the form of a later registration")
def draft(
    code: str, value: DocumentDep, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    wish = reading.read(Wish, value, "wish")
    entry = entries.entry_in_force(session, code, now)
    _require_own(session, {item.identity for item in entry.record.holders} | {system.house.uscc}, caller, now)
    return {"form": reading.body_of(filing.draft_form(session, code, wish, now))}


@router.post(
    "/applications/moves",
    openapi_extra=describe("application-move/v1", "registry.case.Act"),
    summary="受理、审查、公示等办理 / a move of an application",
)
def move(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(moving.move(session, system.house, body.signed, at=now, calendar=system.calendar))


@router.post(
    "/objections", openapi_extra=describe("objection/v1", "registry.objection.Objection"), summary="异议 / object"
)
def objection(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(moving.object_to(session, system.house, body.signed, at=now, calendar=system.calendar))


@router.post(
    "/authorisations",
    openapi_extra=describe("use-authorisation/v1", "registry.asset.UseAuthorisation"),
    summary="使用授权 / let another party derive data",
)
def authorisation(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(holding.authorise_use(session, body.signed, at=now))


@router.get("/applications/{application}", summary="办理状态 / state of an application")
def application_state(application: str, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    case = store.case(session, application)
    _require_concerned(session, case, caller, now)
    return {"application": application, "state": case.state.value, "code": case.code}


@router.get("/applications/{application}/record", summary="待存证内容摘要 / digest of the record to be deposited")
def deposit_record(application: str, caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    _require_concerned(session, store.case(session, application), caller, now)
    return {"record": plain(record_digest(entries.deposit_record(session, application)))}


@router.get("/check/{code}", summary="公开核验 / public check: integrity and status")
def check(
    code: str,
    session: ReadDep,
    now: NowDep,
    _limited: LimitedDep,
    t: Annotated[str, Query(max_length=64, description="二维码中的令牌 / token from the QR code")] = "",
    sha256: Annotated[str, Query(max_length=64, description="文件的 SHA-256 / of the file to compare")] = "",
    sm3: Annotated[str, Query(max_length=64, description="文件的 SM3 / of the file to compare")] = "",
    purpose: Annotated[Operation | None, Query(description="核验用途 / what it is to serve; none: any")] = None,
) -> dict[str, Any]:
    given = {name: value for name, value in (("sha256", sha256), ("sm3", sm3)) if value}
    file = TwinDigest.of_document(given, "file") if given else None
    return checked(session, code, now, token=t, file=file, purpose=purpose).document()


@router.get("/certificates/{code}/bundle", summary="凭证证据包 / the certificate's proof bundle, for whoever holds it")
def certificate_bundle(
    code: str,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    t: Annotated[str, Query(max_length=64, description="二维码中的令牌 / token from the QR code")] = "",
) -> Response:
    found = answering.check(session, code, now, token=t)
    if not found.token_matches:
        raise Forbidden("请使用凭证二维码中的令牌。 / Use the token from the certificate's QR code.")
    return Response(bundle_of(session, found.entry_id, system.houses).bytes(), media_type="application/json")


@router.get("/certificates/{code}/{form}", summary="凭证文件 / the certificate paper (pdf or json)")
def certificate_paper(
    code: str,
    form: str,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    t: Annotated[str, Query(max_length=64, description="二维码中的令牌 / token from the QR code")] = "",
) -> Response:
    data, media_type = paper(system, session, code, form, t, now)
    return Response(data, media_type=media_type)


def _require_concerned(session: Session, case: Case, caller: Caller, now: int) -> None:
    """Raises `Forbidden` unless the caller is an applicant, the agency, or staff of one of them."""
    _require_own(session, {item.identity for item in case.form.applicants} | {case.form.agency}, caller, now)


def _require_own(session: Session, organisations: set[str], caller: Caller, now: int) -> None:
    kind, _, name = caller.holder.partition(":")
    organisation = store.staff_at(session, name, now).organisation if kind == "staff" else name
    if organisation not in organisations:
        raise Forbidden("只有申请人和登记机构可以查看。 / Only the applicants and the agency may look.")
