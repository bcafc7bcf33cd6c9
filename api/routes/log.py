"""The log for anybody: the next act of a subject, heads, bundles, and how far an entry has come."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import status
from api.apikey import Forbidden
from api.auth import CallerDep
from api.deps import ReadDep, SystemDep
from api.proofs import bundle_of, may_read
from ledger import outbox, store
from ledger.answer import WITHHELD, assemble

router = APIRouter(prefix="/api", tags=["log 日志"])


@router.get("/subjects/{subject}", summary="下一事项的编号与前项摘要 / number and prev of a subject's next act")
def next_act(subject: str, session: ReadDep) -> dict[str, Any]:
    no, prev = store.next_of(session, subject)
    return {"no": no} if prev is None else {"no": no, "prev": prev.document()}


@router.get(
    "/subjects/{subject}/facts",
    summary="某主体的全部事项与完备性证明（相关方） / all facts of a subject, proved complete, for whom they concern",
)
def facts(subject: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> Response:
    """Acts the caller may not read are given by their digests only; that a subject has no act at all, anybody with a
    key may have proved, since number and last digest of every subject are public anyway."""
    found = assemble(
        session,
        system.settings.origin,
        subject,
        lambda fact: may_read(session, fact, caller.holder, system.houses),
    )
    rows = (*found.facts, *found.newer)
    if rows and all(row.why == WITHHELD for row in rows):
        raise Forbidden("事项只给相关方。 / The facts of a subject are for those they concern.")
    return Response(found.bytes(), media_type="application/json", headers={"Content-Disposition": "attachment"})


@router.get("/log", summary="日志状态 / state of the log")
def state(session: ReadDep, system: SystemDep) -> dict[str, Any]:
    return status.public(system, session)


@router.get("/log/entries/{fact_id}", summary="事项状态 / how far an entry has come")
def entry(fact_id: str, session: ReadDep) -> dict[str, Any]:
    store.fact(session, fact_id)
    state = outbox.state_of(session, fact_id)
    return {"fact": fact_id, "state": state.value if state else ""}


@router.get(
    "/bundles/{fact_id}", summary="证据包（相关方） / proof bundle of a fact or one of its parts, for whom it concerns"
)
def bundle(
    fact_id: str,
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    part: Annotated[int | None, Query(ge=0)] = None,
    fields: Annotated[str | None, Query(max_length=1000, description="all, 或逗号分隔的字段名 / or names")] = None,
) -> Response:
    if not may_read(session, store.fact(session, fact_id), caller.holder, system.houses, part):
        raise Forbidden("证据包只给相关方。 / A bundle is for those its fact concerns.")
    data = bundle_of(session, fact_id, system.houses, part, fields).bytes()
    return Response(data, media_type="application/json", headers={"Content-Disposition": "attachment"})
