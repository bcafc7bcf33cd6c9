"""Sketches of data, and what they say to the reviewer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.apikey import Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from registry import store
from registry.likeness import service

router = APIRouter(prefix="/api", tags=["registry 登记"])


@router.post(
    "/fingerprints",
    openapi_extra=describe("fingerprint/v1", "registry.likeness.fingerprint.Fingerprint"),
    summary="数据指纹（自愿） / a sketch of the data (voluntary)",
)
def fingerprint(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.take_fingerprint(session, body.signed, body.parts, at=now))


@router.get("/applications/{application}/likeness", summary="相同与相似数据 / the same and similar data")
def likeness(application: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    kind, _, name = caller.holder.partition(":")
    organisation = store.staff_at(session, name, now).organisation if kind == "staff" else name
    if organisation != system.house.uscc:
        raise Forbidden("只有登记机构可以查看。 / Only the registration agency may look.")
    return {"as_of": now, "report": plain(service.report(session, application))}
