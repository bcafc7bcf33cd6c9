"""One table knows HTTP: domain error → status. Messages stay the domain's, Chinese first.

A test fails if an error class is missing here. Bad input never answers 500; 500 is left for what only we can have
done wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

import clearing.errors as c
import clearing.market.errors as m
import clearing.pricing.errors as p
import ledger.errors as l
import ledger.verify
import ledger.witness
import registry.errors as r
from api import dsp
from api.apikey import Forbidden, Unauthorised
from api.bodies import TooLarge, WrongType
from api.desk.waiting import DeskRefused
from api.group import NotStored, Overloaded
from api.pages.guard import HEADERS, TooMany
from api.pages.render import error_page
from api.sessions import Forged, NotLoggedIn
from api.uploads import DataTooLarge
from api.verifiers import NotBuilt
from clearing.market.negotiation.dataspace import BASE
from ledger.answer import NotCovered
from ledger.bundle import NotPublished

STATUS: dict[type[Exception], int] = {
    l.LedgerError: 500,
    l.Malformed: 422,
    l.FieldError: 422,
    l.OneSided: 422,
    l.BadSignature: 403,
    l.Conflict: 409,
    l.Stale: 409,
    l.UnknownFact: 404,
    l.Erased: 410,
    l.StillNeeded: 409,
    l.BrokenLog: 500,
    l.WitnessRefused: 503,
    l.NotLeader: 503,
    l.ChainError: 503,
    l.ChainUnavailable: 503,
    l.NodeRefused: 503,
    l.TransactionReverted: 409,
    l.ForkedLog: 503,
    l.WrongChain: 503,
    ledger.verify.Refused: 422,
    ledger.witness.Refused: 503,
    NotPublished: 409,
    NotBuilt: 404,
    NotCovered: 409,
    r.RegistryError: 500,
    r.Unknown: 404,
    r.IllegalMove: 409,
    r.NotEntitled: 403,
    r.GuardRefused: 409,
    r.CalendarPending: 409,
    r.NotDefined: 422,
    r.CodeExhausted: 409,
    r.DepositRefused: 409,
    r.PaperRefused: 500,
    r.FileRefused: 422,
    c.ClearingError: 500,
    c.BadMoney: 422,
    c.BadTerms: 422,
    c.Held: 409,
    c.Unbalanced: 500,
    c.WrongMove: 409,
    c.TooEarly: 409,
    c.Clash: 409,
    c.UnknownFact: 404,
    c.NotSigned: 403,
    c.BankFileRefused: 422,
    c.ProofRefused: 422,
    m.GateRefused: 409,
    m.NotEntitled: 403,
    m.Defective: 422,
    m.Lapsed: 409,
    p.PricingRefused: 422,
    p.KindMixed: 422,
    Unauthorised: 401,
    Forbidden: 403,
    NotLoggedIn: 401,
    DeskRefused: 409,
    Forged: 403,
    TooLarge: 413,
    DataTooLarge: 413,
    WrongType: 415,
    TooMany: 429,
    NotStored: 503,
    Overloaded: 503,
}


def status_of(error: Exception) -> int:
    """The HTTP status of a domain error; a class kept private by its module answers as its base."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def document(error: Exception) -> dict[str, Any]:
    """What is answered: the error's name and message, and its fields where it has them."""
    result: dict[str, Any] = {"error": type(error).__name__, "message": _clean(str(error), 2000)}
    for name in ("field", "expected", "given", "code"):
        value = getattr(error, name, None)
        if isinstance(value, str | int):
            result[name] = _clean(str(value), 400)
    if isinstance(error, m.Defective):
        result["defects"] = [{"code": item.code, "field": item.field, "zh": item.zh, "en": item.en} for item in
                             error.defects]  # fmt: skip
    return result


def install(app: FastAPI) -> None:
    """Answers every domain error by the table, and the framework's own in the same shape."""

    def domain(request: Request, error: Exception) -> Response:
        wait = error.retry_after if isinstance(error, TooMany | Overloaded) else 0
        return _answer(request, document(error), status_of(error), {"Retry-After": str(wait)} if wait else None)

    for kind in STATUS:
        app.add_exception_handler(kind, domain)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        wrong = l.FieldError(field, first["msg"].removeprefix("Input should be "), repr(first.get("input"))[:80])
        return _answer(request, document(wrong), 422)

    @app.exception_handler(DataError)
    def _too_long(request: Request, _error: DataError) -> Response:
        """PostgreSQL refuses what does not fit its column; SQLite would keep it."""
        wrong = l.FieldError(
            "request", "不超过规定长度的内容 / values within their lengths", "过长或超出范围 / too long"
        )
        return _answer(request, document(wrong), 422)

    @app.exception_handler(OperationalError)
    def _busy(request: Request, _error: OperationalError) -> Response:
        message = "数据库繁忙或不可用，未写入，请稍后重试。 / The database is busy or away; nothing was written."
        return _answer(request, {"error": "Busy", "message": message}, 503)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        message = _HTTP.get(error.status_code, f"请求不被接受。 / {error.detail}")
        return _answer(request, {"error": "HTTP", "message": message}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    def _fault(request: Request, _error: Exception) -> Response:
        """Ours alone; the server logs it. This answer leaves outside of the middleware, so it carries its headers."""
        message = "平台内部错误，未写入任何内容，请稍后重试。 / A fault of ours: nothing was written; try again later."
        return _answer(request, {"error": "Fault", "message": message}, 500, HEADERS)


_HTTP = {
    404: "没有此页面或接口。 / No such page or route.",
    405: "此接口不支持该方法。 / This route does not take that method.",
}


def _answer(request: Request, body: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    """JSON for programs, a page for people; what lies under /api, or our script asks for, is for programs. A peer of
    the Dataspace Protocol gets the protocol's own documents."""
    if request.url.path.startswith(BASE):
        return dsp.error_answer(request.url.path, body, status, headers)
    if request.url.path.startswith("/api/") or request.headers.get("accept") == "application/json":
        return JSONResponse(body, status, headers)
    return error_page(request, body["message"], status, headers)


def _clean(text: str, limit: int) -> str:
    """A text that can be sent: hostile input may put lone surrogates or megabytes into a message."""
    return text[:limit].encode("utf-8", "replace").decode()
