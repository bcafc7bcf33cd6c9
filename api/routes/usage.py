"""Single usage records over HTTP: the one route that shares its commit with others (decisions D11)."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session
from starlette.types import ASGIApp, Receive, Scope, Send

from api import auth
from api.bodies import read_body, require_type
from api.bootstrap import System
from api.group import GroupCommit
from clearing.usage import service as usage
from clearing.usage.record import Admitted, decode
from clearing.usage.service import Refusal

router = APIRouter()

RECORD_PATH = "/api/usage/records"
MAX_RECORD = 128 * 1024
"""Bytes of one record's request; a record itself is about one kilobyte."""


class Desk:
    """What the route keeps between requests: who came a moment ago, and the group that is being made."""

    def __init__(self, system: System) -> None:
        def hold(session: Session, records: Sequence[Admitted]) -> Sequence[bytes | Refusal | Exception]:
            answers = usage.hold(session, records, signer=system.operator.signer, at=system.clock())
            for answer in answers:
                if isinstance(answer, Refusal):
                    usage.record_refusal(session, answer)
            return answers

        self.group = GroupCommit(system.engine, hold)
        self.callers = auth.callers(system.reader, system.clock)
        self.reporters = auth.reporters(system.reader, system.clock)


@router.post(
    RECORD_PATH,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object", "description": "clearing.usage.record.UsageRecord, canonical bytes"}
                }
            },
        },
        "security": [{"api_key": []}],
    },
    summary="单条使用存证 / one usage record, held until its connector signs a batch over it",
    tags=["usage 使用"],
)
async def usage_record(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    caller = await desk.callers.get(auth.key_of(request))
    require_type(request, "application/json")
    item = decode(await read_body(request, MAX_RECORD))
    await desk.reporters.get((caller, item.record.connector))
    answer = await desk.group.take(item)
    if isinstance(answer, Refusal):
        message = "该序号已有不同内容，未计入，已存拒收记录。 / Another record holds this number; kept as refused."
        return JSONResponse({"error": "Conflict", "message": message, **answer.answer()}, 409)
    return Response(answer, media_type="application/json")


class Direct:
    """Takes the route above past the framework's routing and dependencies, which cost more than storing a record.

    What it answers is the same: its errors go through the handlers of the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"], scope["method"]) != (RECORD_PATH, "POST"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await usage_record(request)
        except Exception as error:
            handlers = request.app.exception_handlers
            kind = next(kind for kind in type(error).__mro__ if kind in handlers)
            if kind is Exception:
                raise
            answer = handlers[kind](request, error)
        await answer(scope, receive, send)
