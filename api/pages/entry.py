"""The way in: log in with one's key, make a key, ask to be admitted as a party; and the script that does it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlmodel import Session

from api import sessions, verifiers
from api.bootstrap import System
from api.deps import NowDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk import store as waiting
from api.desk.waiting import DeskRefused, Slot
from api.office import words
from api.pages.guard import LimitedDep
from api.pages.office import FormDep, JsonDep, office_page, see
from api.sessions import ScriptDep, VisitorDep
from ledger import sm
from ledger import store as facts
from ledger.errors import BadSignature, FieldError
from ledger.facts import Signed, require_fields
from ledger.reading import body_of, read
from ledger.signing import require_sm2
from registry.party import PARTY, IdType, Party, PartyKind, Person, check_party, check_person, masked_name, opens

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

MOST_REQUESTS = 3
"""Open requests to be admitted under one code; more are refused until a clerk has looked."""
PARTY_ROLES = ("provider", "developer", "consumer")


@router.get("/pictures.js")
def pictures_script() -> Response:
    data = verifiers.pictures_script()
    return Response(data, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/office.js")
def script() -> Response:
    data = verifiers.office_script()
    return Response(data, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/office/login")
def login_page(request: Request, visitor: VisitorDep, next: str = "/office") -> Response:
    """Asked for by somebody who is logged in already and wants to go on, it leads there at once."""
    if visitor is not None and _inside(next) != "/office":
        return see(_inside(next))
    return office_page(request, "login", visitor, next=_inside(next))


@router.post("/office/login/challenge")
def login_challenge(request: Request, value: JsonDep, system: SystemDep, _limited: LimitedDep) -> JSONResponse:
    """Writes nothing: what we ask to be signed carries our own mark."""
    require_fields(value, "request", {"by"}, set())
    if not isinstance(value["by"], str) or not value["by"].startswith(("party:", "staff:")):
        raise FieldError("request.by", "party:… | staff:…", repr(value["by"])[:60])
    statement = sessions.challenge(system, value["by"][:240], sessions.site_of(request))
    return JSONResponse({"statement": statement.bytes().decode()})


@router.post("/office/login")
def login(
    request: Request, value: JsonDep, session: WriteDep, system: SystemDep, now: NowDep, _limited: LimitedDep
) -> JSONResponse:
    require_fields(value, "request", {"signatures", "statement"}, {"next"})
    signed = Signed.of_document({"signatures": value["signatures"], "statement": value["statement"]})
    token = sessions.log_in(session, system, signed, sessions.site_of(request), at=now)
    answer = JSONResponse({"location": _inside(str(value.get("next", "/office")))})
    sessions.set_cookie(request, answer, token)
    return answer


@router.post("/office/session")
def keep_session(request: Request, _visitor: ScriptDep, session: WriteDep) -> JSONResponse:
    sessions.extend(session, request)
    return JSONResponse({})


@router.post("/office/logout")
def logout(request: Request, _fields: FormDep, session: WriteDep) -> Response:
    sessions.end(session, request)
    answer = see("/office/login")
    answer.delete_cookie(sessions.COOKIE)
    return answer


@router.get("/office/keys")
def keys_page(request: Request, visitor: VisitorDep) -> HTMLResponse:
    return office_page(request, "keys", visitor)


@router.get("/office/enrol")
def enrol_page(request: Request, visitor: VisitorDep) -> HTMLResponse:
    roles = [(name, words.VALUES["roles"][name]) for name in PARTY_ROLES]
    papers = [kind.value for kind in IdType if kind is not IdType.USCC]
    return office_page(request, "enrol", visitor, roles=roles, id_types=papers)


@router.post("/office/enrol")
def enrol(value: JsonDep, session: WriteDep, system: SystemDep, now: NowDep, _limited: LimitedDep) -> JSONResponse:
    """A request to be admitted, signed with the new key itself; it waits for a clerk of the agency."""
    require_fields(value, "request", {"contact", "signatures", "statement"}, {"person"})
    require_fields(value["contact"], "request.contact", {"contact", "phone"}, set())
    note: dict[str, Any] = {name: str(text)[:200] for name, text in value["contact"].items()}
    if "person" in value:
        note["person"] = body_of(check_person(read(Person, value["person"], "person"), "person"))
    signed = Signed.of_document({"signatures": value["signatures"], "statement": value["statement"]})
    return JSONResponse({"number": _enrol(session, system, signed, note, now)})


def _enrol(session: Session, system: System, signed: Signed, note: dict[str, Any], now: int) -> str:
    statement = signed.statement
    if (statement.kind, statement.no) != (PARTY, 0) or statement.parts is not None:
        raise FieldError("statement", "party/v1 第 0 号 / act 0 of party/v1", f"{statement.kind} {statement.no}")
    body = check_party(read(Party, statement.body), statement.subject)
    sm.check_public(body.sm2)
    if not set(body.roles) <= set(PARTY_ROLES):
        raise FieldError("body.roles", " | ".join(PARTY_ROLES), " ".join(body.roles)[:80])
    if not all(note.values()):
        raise FieldError("contact", "联系人和电话 / contact and phone", "未填写 / empty")
    _require_opened(body, note)
    own = statement.subject
    require_sm2(statement, signed.signatures, by=own, key=body.sm2)
    if facts.next_of(session, own)[0] > 0:
        raise DeskRefused(f"{own.removeprefix('party:')} 已经入册，请直接登录。", "already admitted: log in")
    if len(waiting.about(session, [own])) >= MOST_REQUESTS:
        raise DeskRefused("该主体已有入册申请等待核对。", "requests of this party wait already")
    made = desk.draft(
        session, title=f"主体入册：{body.name}", kind=PARTY, subject=own, body=statement.body,
        slots=(Slot(own), Slot("", "intake", system.settings.agency)), by=own, at=now, back="/office/enrol", note=note,
    )  # fmt: skip
    own_signature = next(item for item in signed.signatures if item.by == own)
    if made.statement != statement or own_signature.role:
        raise BadSignature(own, "与内容不符 / does not match the statement")
    waiting.sign(session, made.id, 0, own_signature)
    return made.id


def _require_opened(body: Party, note: dict[str, Any]) -> None:
    """A natural person shows the clerk what the statement only commits to; an organisation has nothing to show."""
    natural = body.kind is PartyKind.NATURAL
    if natural != ("person" in note):
        raise FieldError("person", "自然人填写，单位不填 / given by natural persons only", "不符 / it is not so")
    if not natural:
        return
    person = read(Person, note["person"], "person")
    if body.commitment is None or not opens(person, body.commitment):
        raise FieldError(
            "person", "与身份承诺相符的证件类型、号码、姓名和盐值 / what opens the commitment", "不符 / it does not"
        )
    if body.name != masked_name(person.name):
        raise FieldError("body.name", masked_name(person.name), body.name)


def _inside(path: str) -> str:
    """Only pages of the office are gone to after login: never another site."""
    return path if path == "/office" or path.startswith("/office/") else "/office"
