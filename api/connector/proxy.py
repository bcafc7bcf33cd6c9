"""One use: decide, deliver, record, release."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.connector.agreements import Agreements
from api.connector.settings import Mode, Settings
from api.connector.source import Answer, Body, FolderSource, Live, source_of
from api.connector.state import Book, Held, Kept, Use, reference
from api.connector.subscription import ID_ROOM, MESSAGE_UNITS, Subscription
from clearing.market import policy as policies
from clearing.market.agreement import standing
from clearing.market.policy import Action, Decision
from clearing.usage.record import StatusClass
from ledger import canonical
from ledger.errors import FieldError

MAX_REQUEST = 1024 * 1024
MAX_REPEATS = 3
REPEAT_SECONDS = 600
LONGEST_ID = 128
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}")
_NOT_FORWARDED = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "content-length", "content-encoding", "accept-encoding", "authorization", "x-request-id",
        "x-purpose", "x-user",
    }
)  # fmt: skip
_FOR_CONNECTORS = ("x-purpose", "x-user")
_MARKS = {"x-usage-record", "x-usage-digest"}
_NOT_RELEASED = frozenset(name.encode() for name in _NOT_FORWARDED - {"content-encoding"} | _MARKS)
"""What is not passed back; the body is, as it came; the marks of the other side's record give way to our own."""


class Proxy:
    """The data path: a request in, the answer of the upstream out, and a durable record between the two."""

    def __init__(self, settings: Settings, clock: Callable[[], int], book: Book, agreements: Agreements) -> None:
        self._settings, self._clock, self._book, self._agreements = settings, clock, book, agreements
        self._in_flight: set[tuple[str, str]] = set()
        self._source = source_of(settings.upstream, settings.upstream_timeout, Path(settings.state).parent)

    async def close(self) -> None:
        await self._source.close()

    async def catalogue(self, request: Request) -> Response:
        """The files this connector hands out, to whoever an agreement lets in; a look is no use."""
        held = self._agreements.of_token(sha256(bearer(request)))
        if held is None:
            return _let_in_by_nothing()
        if isinstance(self._source, FolderSource):
            return JSONResponse({"files": await self._source.catalogue()})
        if self._settings.mode is Mode.CONSUMER:
            headers = {"authorization": f"Bearer {held.access}"}
            answer = await self._source.ask("GET", "/connector/catalogue", headers, b"")
            if answer is not None and isinstance(answer.body, Body):
                return Response(b"".join([data async for data in answer.body.chunks()]), answer.status,
                                media_type="application/json")  # fmt: skip
        return problem(404, "CATALOGUE", "数据源不是文件夹。 / The source is not a folder.")

    async def __call__(self, request: Request) -> Response:
        """One use: decide, deliver, record, release."""
        held = self._agreements.of_token(sha256(bearer(request)))
        if held is None:
            return _let_in_by_nothing()
        if self._settings.mode is Mode.CONSUMER and not held.access:
            said = "提供方连接器尚未放行（connector transfer）。 / Not let in yet by the provider's connector."
            return problem(409, "TRANSFER", said)
        request_id = request.headers.get("x-request-id", "")
        if not request_id and self._settings.mode is Mode.CONSUMER:
            request_id = secrets.token_hex(16)
        longest = LONGEST_ID - ID_ROOM if _is_counted_in_messages(held) else LONGEST_ID
        if not _REQUEST_ID.fullmatch(request_id) or len(request_id) > longest:
            expected = f"应为 8 至 {longest} 个字符。 / Expected 8 to {longest} of [A-Za-z0-9._:-]."
            return problem(400, "X-Request-Id", expected)
        try:
            purpose, user = _words(request, "x-purpose"), _words(request, "x-user")
        except FieldError as error:
            return problem(400, error.field, str(error))
        body = await request.body()
        if len(body) > MAX_REQUEST:
            return problem(413, "body", f"不超过 {MAX_REQUEST} 字节。 / At most {MAX_REQUEST} bytes.")
        query = request.scope["query_string"]
        target = (request.scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        asked = f"{request.method} {target} {hashlib.sha256(body).hexdigest()}"
        slot = (held.id, request_id)
        if slot in self._in_flight:
            return problem(409, "X-Request-Id", "同号请求正在处理。 / A request with this id is under way.")
        self._in_flight.add(slot)
        response = None
        try:
            known = self._book.find(held.id, request_id)
            if known is not None:
                response = await self._again(held, known, asked, request, target, body)
            else:
                response = await self._first(held, request, target, body, request_id, asked, purpose, user)
            return response
        finally:
            if not isinstance(response, _Subscribed):
                self._in_flight.discard(slot)

    async def _first(
        self, held: Held, request: Request, target: str, body: bytes, request_id: str, asked: str, purpose: str,
        user: str,
    ) -> Response:  # fmt: skip
        now = self._clock()
        stands = standing(held.state, held.terms.effective, held.terms.expiry, now)
        user = user or held.terms.policy.assignee
        # No environment is attested over plain HTTP, so a policy that asks for one refuses here (UC22).
        outcome, counted = held.meter.take(policies.Request(Action.READ, purpose, user, 1, stands), now)
        use = Use(
            held=held, revision=held.revision, terms=held.terms, request_id=request_id,
            request=reference(held.secret, "request", asked), purpose=purpose, user=user, at=now, counted=counted,
            outcome=outcome, status=StatusClass.NONE, size=0, latency_ms=0,
        )  # fmt: skip
        if outcome.decision is Decision.DENY:
            return _refused(await self._book.keep(use))
        delivered = False
        try:
            started = time.perf_counter_ns()
            answer = await self._ask(held, request_id, request, target, body)
            use = replace(use, latency_ms=(time.perf_counter_ns() - started) // 1_000_000)
            if answer is not None and isinstance(answer.body, Live):
                return self._subscribed(use, asked, answer, answer.body, sha256(bearer(request)))
            use = replace(use, status=_status_class(answer), size=answer.body.size if answer else 0)
            kept = await self._book.keep(use)
            delivered = use.status is StatusClass.OK
        finally:
            if not delivered:
                held.meter.give_back(1, now)
        return _release(answer, kept)

    async def _again(self, held: Held, kept: Kept, asked: str, request: Request, target: str, body: bytes) -> Response:
        """The same request id again: never recorded twice. A delivered use may be fetched again a few times, soon."""
        record = kept.record
        if record.request != reference(held.secret, "request", asked):
            return problem(409, "X-Request-Id", "该编号已用于另一请求。 / This id was used for another request.", kept)
        if record.decision is Decision.DENY:
            return _refused(kept)
        if record.status is not StatusClass.OK:
            return problem(409, "X-Request-Id", "该次调用已失败，请换新编号。 / That call failed; use a new id.", kept)
        # The messages that have come meanwhile would be others.
        of_a_stream = record.unit in MESSAGE_UNITS
        if of_a_stream or kept.repeats >= MAX_REPEATS or self._clock() > record.occurred_at + REPEAT_SECONDS:
            return problem(409, "X-Request-Id", "该次调用已交付。 / That call was delivered.", kept)
        await self._book.note_repeat(kept)
        answer = await self._ask(held, record.request_id, request, target, body)
        if answer is not None and isinstance(answer.body, Live):  # the unit has changed with a revision
            answer = _no_stream(answer.body)
        return _release(answer, kept)

    async def _ask(self, held: Held, request_id: str, request: Request, target: str, body: bytes) -> Answer | None:
        headers = {
            name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED and value.isascii()
        }
        if self._settings.mode is Mode.CONSUMER:  # the provider's connector meters the same use under the same id
            headers |= {name: request.headers[name] for name in _FOR_CONNECTORS if name in request.headers}
            headers |= {"authorization": f"Bearer {held.access}", "x-request-id": request_id}
        headers["accept-encoding"] = "identity"
        answer = await self._source.ask(request.method, target, headers, body)
        if answer is not None and isinstance(answer.body, Live) and not _is_counted_in_messages(held):
            return _no_stream(answer.body)
        return answer

    def _subscribed(self, use: Use, asked: str, answer: Answer, live: Live, token: str) -> Response:
        """The stream as it goes on; the call itself used nothing yet, its windows do."""
        held = use.held
        subscription = Subscription(
            held, use, asked, self._settings.mode is Mode.CONSUMER, self._book, self._clock,
            lambda: self._agreements.of_token(token) is held, _said,
        )  # fmt: skip
        slot = (held.id, use.request_id)

        def ended() -> None:
            self._in_flight.discard(slot)
            live.close()

        response = _Subscribed(subscription.delivered(live), answer.status)
        response.ended = ended
        return _passed(response, answer)


def _let_in_by_nothing() -> Response:
    return problem(401, "ACCESS", "没有此访问令牌对应的合约。 / No agreement for this access token.")


class _Subscribed(StreamingResponse):
    """A stream; its request id is free for nothing else until it has ended."""

    ended: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ended()


def _refused(kept: Kept) -> Response:
    said = _said(kept)
    return problem(403, said["code"], said["message"], kept)


def _said(kept: Kept) -> dict[str, Any]:
    """A refusal in words, with the record it left."""
    reason = kept.record.reasons[0].value
    return _document(reason, _REFUSALS.get(reason, "拒绝。 / Refused."), kept)


_REFUSALS = {
    "UC10": "合约尚未生效。 / The agreement is not effective yet.",
    "UC11": "合约已到期或终止。 / The agreement has ended.",
    "UC12": "合约已中止。 / The agreement is suspended.",
    "UC20": "使用者不在约定范围。 / The user is not named.",
    "UC21": "用途不在约定范围。 / The purpose is outside the agreement.",
    "UC22": "使用环境未证明。 / The environment is unproven.",
    "UC23": "区域不在约定范围。 / The region is outside the agreement.",
    "UC24": "不在约定时间内。 / Outside the agreed time.",
    "UC25": "约定次数已用完。 / The agreed count is used up.",
    "UC26": "超过约定频率。 / The agreed rate is exceeded.",
    "UC27": "超出授权范围。 / Outside the granted scope.",
    "UC90": "策略无法判定，按拒绝处理。 / The policy cannot be decided: refused.",
}


def _release(answer: Answer | None, kept: Kept) -> Response:
    if answer is None:
        return problem(502, "UPSTREAM", "数据源无应答。 / The data source does not answer.", kept)
    response: Response
    assert isinstance(answer.body, Body), "a stream is not released whole"
    if isinstance(answer.body.content, bytes):
        response = Response(answer.body.content, answer.status, _marks(kept))
    else:
        length = {"Content-Length": str(answer.body.size)}
        response = StreamingResponse(answer.body.chunks(), answer.status, _marks(kept) | length)
    return _passed(response, answer)


def _passed(response: Response, answer: Answer) -> Response:
    """With the headers of the source that may be passed back."""
    passed = ((name.lower(), value) for name, value in answer.headers)
    response.raw_headers.extend((name, value) for name, value in passed if name not in _NOT_RELEASED)
    return response


def problem(status: int, code: str, message: str, kept: Kept | None = None) -> Response:
    """A refusal as JSON: its code, what it means, and the record it left, if any."""
    return JSONResponse(_document(code, message, kept), status, _marks(kept) if kept else None)


def _document(code: str, message: str, kept: Kept | None) -> dict[str, Any]:
    document: dict[str, Any] = {"code": code, "message": message}
    if kept is not None:
        record = kept.record
        document["record"] = {"connector": record.connector, "seq": record.seq, "sha256": kept.sha256}
        document["reasons"] = [reason.value for reason in record.reasons]
    return document


def _is_counted_in_messages(held: Held) -> bool:
    return held.terms.settlement.tariff.unit in MESSAGE_UNITS


def _no_stream(live: Live) -> Answer:
    """What a stream is answered with under an agreement by the call: nobody could say what such a call is."""
    live.close()
    said = _document("STREAM", "连续流须按消息计量。 / An endless stream needs an agreement by the message.", None)
    content = canonical.encode(said)
    return Answer(502, ((b"content-type", b"application/json"),), Body(content, len(content)))


def _marks(kept: Kept) -> dict[str, str]:
    return {"X-Usage-Record": f"{kept.record.connector}/{kept.record.seq}", "X-Usage-Digest": kept.sha256}


def _status_class(answer: Answer | None) -> StatusClass:
    if answer is None:
        return StatusClass.ERROR
    classes = {2: StatusClass.OK, 3: StatusClass.REDIRECT, 4: StatusClass.CLIENT}
    return classes.get(answer.status // 100, StatusClass.SERVER)


def bearer(request: Request) -> str:
    """The access token a request came with, or ""."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _words(request: Request, name: str) -> str:
    """A header of at most 200 characters; other than ASCII it comes percent-encoded in UTF-8."""
    value = unquote(request.headers.get(name, ""), errors="replace")
    if len(value) > 200:
        raise FieldError(name, "不超过 200 个字符 / at most 200 characters", str(len(value)))
    try:
        canonical.encode(value)
    except FieldError as error:
        raise FieldError(name, error.expected, error.given) from error
    return value


def sha256(text: str) -> str:
    """What is kept of a token: its SHA-256, hex."""
    return hashlib.sha256(text.encode()).hexdigest()
