"""The log for anybody: the next act of a subject, heads, bundles, and how far an entry has come."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.auth import CallerDep, Forbidden
from api.deps import ReadDep, SystemDep
from api.proofs import bundle_of, may_read
from ledger import log, outbox, store

router = APIRouter(prefix="/api", tags=["log 日志"])


@router.get("/subjects/{subject}", summary="下一事项的编号与前项摘要 / number and prev of a subject's next act")
def next_act(subject: str, session: ReadDep) -> dict[str, Any]:
    no, prev = store.next_of(session, subject)
    return {"no": no} if prev is None else {"no": no, "prev": prev.document()}


@router.get("/log", summary="日志状态 / state of the log")
def status(session: ReadDep) -> dict[str, Any]:
    head = log.latest(session)
    return {
        "sequenced": outbox.backlog(session),
        "integrated": log.size(session),
        "published": outbox.published_size(session),
        "head": head.note.split("\n") if head else [],
        "witnesses": head.witnesses if head else 0,
    }


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
) -> Response:
    if not may_read(session, store.fact(session, fact_id), caller.holder, system.houses):
        raise Forbidden("证据包只给相关方。 / A bundle is for those its fact concerns.")
    data = bundle_of(session, fact_id, system.houses, part).bytes()
    return Response(data, media_type="application/json", headers={"Content-Disposition": "attachment"})
