"""A write is a signed statement: read strictly from the raw body, the same for every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from api.auth import CallerDep
from clearing.usage.batch import BATCH_TYPE, MAX_RECORDS, Received, read_batch
from ledger import canonical
from ledger.errors import FieldError, Malformed
from ledger.facts import Signed, require_fields

MAX_BODY = 16 * 1024 * 1024


class TooLarge(Malformed):
    """The request's body is larger than we take in."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"请求超过 {limit} 字节。 / The request is larger than {limit} bytes.")


class WrongType(FieldError):
    """The body's media type is not the one this route reads."""


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A signed statement with the parts it commits to, as sent."""

    signed: Signed
    parts: tuple[bytes, ...]


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body, never more than `limit` bytes of it in memory. Raises `TooLarge`."""
    return await receive_body(request.receive, request.headers.get("content-length", ""), limit)


async def receive_body(receive: Receive, announced: str, limit: int) -> bytes:
    """As `read_body`, from the server itself; `announced` is the header Content-Length. Raises `ClientDisconnect`."""
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise TooLarge(limit)
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(limit)
        more = message.get("more_body", False)
    return body


async def _raw(request: Request, _caller: CallerDep) -> bytes:
    """Depends on the caller, so that nothing is read from whoever has no key."""
    return await read_body(request)


RawDep = Annotated[bytes, Depends(_raw)]


def require_type(request: Request, expected: str) -> None:
    """Raises `WrongType` unless the body is announced as this media type."""
    require_media(request.headers.get("content-type", ""), expected)


def require_media(given: str, expected: str) -> None:
    """Raises `WrongType` unless this header announces the media type."""
    if given.partition(";")[0].strip().lower() != expected:
        raise WrongType("Content-Type", expected, repr(given)[:80])


def _document(request: Request, raw: RawDep) -> Any:
    require_type(request, "application/json")
    return canonical.parse(raw)


DocumentDep = Annotated[Any, Depends(_document)]


def _signed(value: DocumentDep) -> SignedBody:
    require_fields(value, "request", {"statement", "signatures"}, {"parts"})
    texts = value.get("parts", [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise FieldError("request.parts", "文本的列表 / a list of texts", repr(texts)[:80])
    signed = Signed.of_document({"statement": value["statement"], "signatures": value["signatures"]})
    return SignedBody(signed, tuple(text.encode() for text in texts))


SignedDep = Annotated[SignedBody, Depends(_signed)]


def _batch(request: Request, raw: RawDep) -> Received:
    """Read, hashed and its signature checked before the route asks for the writer's turn."""
    require_type(request, BATCH_TYPE)
    return read_batch(raw)


BatchDep = Annotated[Received, Depends(_batch)]

_SIGNATURE = {
    "type": "object",
    "required": ["alg", "by", "key", "value"],
    "properties": {
        "alg": {"enum": ["sm2-sm3", "eip712-secp256k1"]},
        "by": {"type": "string", "examples": ["party:91330100MAE0001410"]},
        "key": {"type": "string"},
        "value": {"type": "string"},
        "role": {"type": "string"},
        "signer_id": {"type": "string"},
        "nonce": {"type": "string"},
    },
    "additionalProperties": False,
}


def describe(kind: str, about: str) -> dict[str, Any]:
    """The OpenAPI description of a signed write of this kind."""
    schema = _signed_schema(kind, about)
    schema["properties"]["parts"] = {"type": "array", "items": {"type": "string"}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe_batch(kind: str, about: str) -> dict[str, Any]:
    """The OpenAPI description of a signed write whose parts follow it as lines."""
    schema = {
        "type": "string",
        "description": (
            "每行以换行符结束：首行为签署的陈述，其后每行一条规范形式的记录，"
            f"至多 {MAX_RECORDS} 条、{MAX_BODY} 字节。 / Lines ended by a line feed: the signed statement, then one"
            f" record in canonical form a line; at most {MAX_RECORDS} records and {MAX_BODY} bytes."
        ),
        "x-first-line": _signed_schema(kind, about),
    }
    return {"requestBody": {"required": True, "content": {BATCH_TYPE: {"schema": schema}}}}


def _signed_schema(kind: str, about: str) -> dict[str, Any]:
    statement = {
        "type": "object",
        "required": ["body", "kind", "no", "subject"],
        "properties": {
            "body": {"type": "object", "description": about},
            "kind": {"const": kind} if "|" not in kind else {"enum": kind.split("|")},
            "no": {"type": "integer", "minimum": 0},
            "prev": {"type": "object"},
            "parts": {"type": "object"},
            "subject": {"type": "string"},
        },
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["statement", "signatures"],
        "properties": {"statement": statement, "signatures": {"type": "array", "items": _SIGNATURE}},
        "additionalProperties": False,
    }
