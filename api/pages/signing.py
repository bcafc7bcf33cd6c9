"""The signature desk: what waits for me, one statement in words, a signature made in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlmodel import Session

from api.apikey import Forbidden
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service, store
from api.desk.waiting import Outcome, Waiting
from api.office import history, words
from api.office.access import may_see, require_role
from api.pages.office import FormDep, JsonDep, office_page, see
from api.sessions import HolderDep, ScriptDep, Visitor
from clearing.settlement.service_order.statements import KINDS as SERVICE_KINDS
from ledger import canonical
from ledger.errors import BadSignature
from ledger.facts import Signature, require_fields
from ledger.reading import read
from registry import store as registry
from registry.party import Party, Person, document_of, opens
from registry.signers import keys_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

OUTCOMES = {
    Outcome.OPEN: ("等待签署", "waiting for signatures", "warn"),
    Outcome.READY: ("已签齐，待提供方签署并生效", "signed by all, to be finalised", "plain"),
    Outcome.DONE: ("已签齐并办结", "signed and taken in", "good"),
    Outcome.REFUSED: ("未办成", "refused", "bad"),
    Outcome.STALE: ("已过时，须重新起草", "out of date", "bad"),
    Outcome.WITHDRAWN: ("已撤回", "withdrawn", "plain"),
}


@router.get("/office/desk")
def desk_page(request: Request, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    mine = service.waits_for(session, visitor.holder, visitor.organisation, visitor.roles)
    shown = {item.id for item in mine}
    others = [item for item in store.of_person(session, visitor.holder) if item.id not in shown]
    names = history.names(session, {item.drafted_by for item in (*mine, *others)}, now)
    return office_page(
        request, "desk", visitor, mine=mine, others=others, outcomes=OUTCOMES, kinds=words.KINDS, names=names
    )


@router.get("/office/desk/{identity}")
def statement_page(request: Request, identity: str, visitor: HolderDep, session: ReadDep, now: NowDep) -> HTMLResponse:
    waiting = _seen(store.get(session, identity), visitor)
    place = waiting.place_for(visitor.holder, visitor.organisation, visitor.roles)
    stale = waiting.outcome is Outcome.OPEN and service.is_stale(session, waiting)
    return office_page(
        request,
        "statement",
        visitor,
        waiting=waiting,
        text=waiting.statement.bytes().decode(),
        parts=canonical.encode([part.decode() for part in waiting.parts]).decode() if waiting.parts else "",
        slot=waiting.slots[place] if place is not None and not stale else None,
        stale=stale,
        outcome=OUTCOMES[waiting.outcome],
        open=waiting.outcome is Outcome.OPEN,
        done=waiting.outcome is Outcome.DONE,
        again=_again(waiting),
        place=_place(waiting),
        withdrawable=waiting.drafted_by == visitor.holder and not service.is_bound(session, waiting),
        person=_person(session, waiting),
        roles=words.ROLES,
        names=history.names(session, {waiting.drafted_by, *(slot.by for slot in waiting.slots if slot.by)}, now),
    )


@router.post("/office/desk/{identity}/signatures")
def sign(
    identity: str, visitor: ScriptDep, value: JsonDep, session: WriteDep, system: SystemDep, now: NowDep
) -> JSONResponse:
    require_fields(value, "request", {"signature"}, {"typed"})
    signature = Signature.of_document(value["signature"])
    typed = Signature.of_document(value["typed"]) if "typed" in value else None
    if signature.by != visitor.holder:
        raise BadSignature(signature.by, f"当前登录的是 {visitor.holder} / {visitor.holder} is logged in")
    _seen(store.get(session, identity), visitor)
    key = keys_of(session, visitor.holder, now).sm2
    made = service.sign(
        session, system, identity, signature, organisation=visitor.organisation, roles=visitor.roles, key=key, at=now,
        typed=typed,
    )  # fmt: skip
    return JSONResponse({"location": f"/office/desk/{made.id}", "outcome": made.outcome.value})


@router.post("/office/desk/{identity}/withdrawal")
def withdraw(identity: str, _fields: FormDep, visitor: HolderDep, session: WriteDep) -> Response:
    service.withdraw(session, identity, visitor.holder)
    return see(f"/office/desk/{identity}")


@router.post("/office/desk/{identity}/refusal")
def refuse(
    identity: str, fields: FormDep, visitor: HolderDep, session: WriteDep, system: SystemDep
) -> Response:  # fmt: skip
    """A clerk sends back a request to be admitted, with a reason."""
    require_role(visitor, system.settings.agency, "intake")
    waiting = store.get(session, identity)
    if waiting.statement.kind != "party/v1":
        raise Forbidden("只有入册申请可以退回。 / Only requests to be admitted are sent back.")
    service.decline(session, identity, fields.get("reason", "")[:2000])
    return see(f"/office/desk/{identity}")


def _person(session: Session, waiting: Waiting) -> dict[str, Any] | None:
    """What a natural person showed beside a request to be admitted, tried on the commitment; `other` is the party that
    has filed with the same paper. Nothing once the request has ended."""
    if "person" not in waiting.note:
        return None
    person, party = read(Person, waiting.note["person"], "person"), read(Party, waiting.statement.body)
    other = registry.person_with(session, document_of(person.id_type, person.id_no))
    opened = party.commitment is not None and opens(person, party.commitment)
    return {"person": person, "opened": opened, "other": other}


def _seen(waiting: Waiting, visitor: Visitor) -> Waiting:
    if not may_see(visitor, waiting):
        raise Forbidden("这份文件与您无关。 / This statement does not concern you.")
    return waiting


def _again(waiting: Waiting) -> str:
    """Where the same can be drafted anew from what was typed."""
    if waiting.outcome in (Outcome.DONE, Outcome.READY) or not waiting.back:
        return ""
    return f"{waiting.back}?again={waiting.id}"


PLACES: Mapping[str, tuple[str, str, str]] = {
    "application": ("/office/cases/", "查看本案", "The case"),
    "negotiation": ("/office/deals/", "查看磋商", "The negotiation"),
    "agreement": ("/office/agreements/", "查看协议", "The agreement"),
    "listing": ("/office/listings/", "查看上架", "The listing"),
    "payments": ("/office/cycles/", "查看账期", "The cycle"),
    "dispute": ("/disputes/", "查看争议", "The dispute"),
    "quote": ("/office/pricing/quotes/", "查看报价", "The quote"),
}
"""Where the page of a subject is, and what the way there is called."""


def _place(waiting: Waiting) -> tuple[str, str, str] | None:
    """The page of what a statement is about, if it has one."""
    kind, _, identity = waiting.statement.subject.partition(":")
    if kind == "objection":
        kind, identity = "application", str(waiting.statement.body.get("application", ""))
    if kind == "statement":
        return f"/office/statements/{identity.rpartition('.')[0]}", "查看账单", "The statement"
    if waiting.statement.kind in SERVICE_KINDS:
        return f"/office/service-orders/{waiting.statement.body.get('contract', '')}", "查看合同", "The contract"
    if kind not in PLACES or not identity:
        return None
    href, zh, en = PLACES[kind]
    return href + identity, zh, en
