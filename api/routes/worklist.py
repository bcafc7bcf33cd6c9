"""The work list: what waits for the caller, least time left first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import CallerDep
from api.bootstrap import MATTERS
from api.deps import NowDep, ReadDep, SystemDep
from api.views import plain
from registry import waiting

router = APIRouter(prefix="/api", tags=["registry 登记"])


@router.get("/worklist", summary="待办事项 / what waits for the caller")
def worklist(
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    role: Annotated[str, Query(max_length=32, description="只看某一角色 / one role only")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    found = waiting.worklist(
        session, system.house, caller.holder, at=now, calendar=system.calendar, role=role, sources=MATTERS
    )
    return {
        "as_of": found.as_of,
        "calendar": found.calendar,
        "counts": plain(found.counts),
        "total": len(found.lines),
        "lines": plain(found.lines[:limit]),
    }
