"""The signature desk for programs: what waits for the caller's signature, and the signature it gives.

Whoever signs by command line, or with keys a browser never sees, signs the same bytes in the same places as the pages.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep
from api.bodies import DocumentDep
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service
from api.desk.waiting import Waiting
from ledger.errors import BadSignature
from ledger.facts import Signature, require_fields
from registry import store as registry
from registry.signers import keys_of

router = APIRouter(prefix="/api", tags=["desk 签署台"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["signature"],
                    "properties": {"signature": {"type": "object"}, "typed": {"type": "object"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}


@router.get("/desk", summary="待签文件 / statements that wait for the caller's signature")
def desk(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    organisation, roles = _capacity(session, caller, now)
    found = service.waits_for(session, caller.holder, organisation, roles)
    return {"as_of": now, "waiting": [_shown(item, caller, organisation, roles) for item in found]}


@router.post("/desk/{identity}/signatures", openapi_extra=_BODY, summary="签署 / signs what waits at the desk")
def sign(
    identity: str, value: DocumentDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"signature"}, {"typed"})
    signature = Signature.of_document(value["signature"])
    typed = Signature.of_document(value["typed"]) if "typed" in value else None
    if signature.by != caller.holder:
        raise BadSignature(signature.by, f"接口密钥属于 {caller.holder} / the API key is that of {caller.holder}")
    organisation, roles = _capacity(session, caller, now)
    key = keys_of(session, caller.holder, now).sm2
    made = service.sign(
        session, system, identity, signature, organisation=organisation, roles=roles, key=key, at=now, typed=typed
    )
    return {"id": made.id, "outcome": made.outcome.value, "text": made.text, "missing": len(made.missing)}


def _shown(waiting: Waiting, caller: Caller, organisation: str, roles: frozenset[str]) -> dict[str, Any]:
    """A statement with the place that is the caller's."""
    place = waiting.place_for(caller.holder, organisation, roles)
    assert place is not None
    slot = waiting.slots[place]
    return {
        "id": waiting.id,
        "title": waiting.title,
        "statement": waiting.statement.document(),
        "parts": [part.decode() for part in waiting.parts],
        "role": slot.role,
        "address": slot.address,
        "missing": len(waiting.missing),
    }


def _capacity(session: Session, caller: Caller, now: int) -> tuple[str, frozenset[str]]:
    """Organisation and roles of a party or a member of staff. Raises `Forbidden`, `Unknown`."""
    kind, _, identity = caller.holder.partition(":")
    if kind == "party":
        return identity, frozenset(registry.party_at(session, identity, now).roles.split())
    if kind == "staff":
        staff = registry.staff_at(session, identity, now)
        return staff.organisation, frozenset(staff.roles.split())
    raise Forbidden("只有当事方和经办人员签署。 / Only parties and staff sign at the desk.")
