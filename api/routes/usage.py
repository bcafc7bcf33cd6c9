"""Single usage records over HTTP: the one route that shares its commit with others (decisions D11)."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session
from starlette.types import Receive, Scope, Send

from api import auth
from api.bodies import receive_body, require_media
from api.bootstrap import System
from api.group import GroupCommit
from api.pages.guard import HEADERS
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

        self.group: GroupCommit[Admitted, bytes | Refusal] = GroupCommit(system.engine, hold)
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
    answer = await _held(request.app.state.desk, request.scope, request.receive)
    return _refused(answer) if isinstance(answer, Refusal) else Response(answer, media_type="application/json")


async def _held(desk: Desk, scope: Scope, receive: Receive) -> bytes | Refusal:
    headers = dict(reversed(scope["headers"]))  # of two alike the first counts
    given = {name: headers.get(name, b"").decode("latin-1") for name in _READ}
    caller = await desk.callers.get(auth.key_in(given[b"authorization"]))
    require_media(given[b"content-type"], "application/json")
    item = decode(await receive_body(receive, given[b"content-length"], MAX_RECORD))
    await desk.reporters.get((caller, item.record.connector))
    return await desk.group.take(item)


def _refused(refusal: Refusal) -> Response:
    message = "该序号已有不同内容，未计入，已存拒收记录。 / Another record holds this number; kept as refused."
    return JSONResponse({"error": "Conflict", "message": message, **refusal.answer()}, 409)


_READ = (b"authorization", b"content-type", b"content-length")
_HEAD = [(b"content-type", b"application/json"), *((k.lower().encode(), v.encode()) for k, v in HEADERS.items())]


def is_single(scope: Scope) -> bool:
    """Is this a request to the route above?"""
    return scope["type"] == "http" and (scope["path"], scope["method"]) == (RECORD_PATH, "POST")


async def answer_single(app: FastAPI, scope: Scope, receive: Receive, send: Send) -> None:
    """Takes the route above past the framework: its layers, routing and objects cost more than storing a record.

    What it answers is the same: its errors go through the handlers of the application.
    """
    scope["app"] = app
    fault: Exception | None = None
    answer: Response
    try:
        found = await _held(app.state.desk, scope, receive)
    except Exception as error:
        handlers = app.exception_handlers
        kind = next(kind for kind in type(error).__mro__ if kind in handlers)
        fault = error if kind is Exception else None
        answer = handlers[kind](Request(scope, receive), error)  # type: ignore[assignment]
    else:
        if isinstance(found, bytes):
            head = [*_HEAD, (b"content-length", b"%d" % len(found))]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": found})
            return
        answer = _refused(found)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    await answer(scope, receive, send)
    if fault is not None:
        raise fault  # ours alone: the server logs it
