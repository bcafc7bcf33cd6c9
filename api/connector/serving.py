"""The connector's doors as an application, put together from its settings, and run."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api import keyfiles, memory
from api.client import PlatformClient
from api.connector.agreements import Agreements
from api.connector.dataspace import Dataspace
from api.connector.proxy import MAX_REQUEST, Proxy, bearer, problem, sha256
from api.connector.sending import Sender
from api.connector.settings import Settings, clock_of, load_settings
from api.connector.state import open_book
from api.connector.transfers import Transfers
from api.connector.watching import Watcher
from clearing.errors import BadTerms, ClearingError, UnknownFact
from clearing.market.negotiation.dataspace import BASE, CONTEXT
from clearing.market.transfer import Word
from ledger import canonical, sm
from ledger.errors import LedgerError
from ledger.sm import Sm2Key


def application(
    settings: Settings, key: Sm2Key, platform: PlatformClient, clock: Callable[[], int], api_key: str = ""
) -> ASGIApp:
    """The connector as an ASGI application. `clock` answers the present second UTC."""
    book = open_book(settings)
    agreements = Agreements(settings, clock, book)
    sender = Sender(settings, key, platform, clock, book, agreements)
    proxy = Proxy(settings, clock, book, agreements)
    watcher = Watcher(settings, api_key, agreements)
    dataspace = Dataspace(Path(settings.state), book.vault, settings.dataspace_url, clock)
    transfers = Transfers(settings, key, book.vault, agreements, clock)

    def guarded(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def route(request: Request) -> Response:
            given = sha256(bearer(request))
            if not hmac.compare_digest(given, settings.admin_token_sha256):
                return problem(401, "ACCESS", "需要管理员令牌。 / The administrator's token is needed.")
            try:
                return JSONResponse(await handler(request))
            except (LedgerError, ClearingError) as error:
                return problem(422, type(error).__name__, str(error))

        return route

    async def put(request: Request) -> Any:
        return await agreements.put(canonical.parse(await request.body()))

    async def begin(request: Request) -> Any:
        return await dataspace.begin(canonical.parse(await request.body()))

    async def say(request: Request) -> Any:
        body = await request.body()
        return await dataspace.say(
            request.path_params["pid"], request.path_params["word"], json.loads(body) if body else None
        )

    async def talks(_request: Request) -> Any:
        return {"negotiations": dataspace.talks()}

    async def open_(request: Request) -> Any:
        return await transfers.begin(canonical.parse(await request.body()))

    async def steer(request: Request) -> Any:
        return await transfers.say(request.path_params["pid"], request.path_params["word"])

    async def opened(_request: Request) -> Any:
        return {"transfers": await transfers.transfers()}

    async def flush(_request: Request) -> Any:
        return await sender.flush()

    async def status(_request: Request) -> Any:
        summaries = [agreements.summary(held) for held in agreements]
        return {**book.counts(), "agreements": summaries, "error": sender.last_error, "groups": book.groups,
                "watch_error": watcher.last_error}  # fmt: skip

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(book.write_forever())]
        if settings.watch:
            tasks.append(asyncio.create_task(watcher.watch_forever()))
        if settings.flush_seconds:
            tasks.append(asyncio.create_task(sender.flush_forever()))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await proxy.close()
        sender.close()
        dataspace.close()
        transfers.close()
        book.close()

    routes = [
        Route("/connector/agreements", guarded(put), methods=["PUT"]),
        Route("/connector/flush", guarded(flush), methods=["POST"]),
        Route("/connector/status", guarded(status), methods=["GET"]),
        Route("/connector/negotiations", guarded(begin), methods=["POST"]),
        Route("/connector/negotiations", guarded(talks), methods=["GET"]),
        Route("/connector/negotiations/{pid}/{word}", guarded(say), methods=["POST"]),
        Route("/connector/transfers", guarded(open_), methods=["POST"]),
        Route("/connector/transfers", guarded(opened), methods=["GET"]),
        Route("/connector/transfers/{pid}/{word}", guarded(steer), methods=["POST"]),
        *negotiation_routes(dataspace),
        *transfer_routes(transfers),
        Route("/connector/catalogue", proxy.catalogue, methods=["GET"]),
    ]
    own = Starlette(routes=routes, lifespan=lifespan)
    protocol = (f"{BASE}/negotiations/", f"{BASE}/transfers/") if settings.dataspace_url else ()
    own_paths = ("/connector/", *protocol)

    async def doors(scope: Scope, receive: Receive, send: Send) -> None:
        """A use goes past the framework's layers and routing, which cost more than deciding about it."""
        if scope["type"] == "http" and scope["method"] in _METHODS and not scope["path"].startswith(own_paths):
            response = await proxy(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await own(scope, receive, send)

    return doors


def negotiation_routes(dataspace: Dataspace) -> list[Route]:
    """The protocol's doors of a consumer, for the providers it negotiates with."""
    place, error = f"{BASE}/negotiations/{{pid}}", "ContractNegotiationError"
    doors = [Route(place, _stands(dataspace.document, error), methods=["GET"])]
    for path in ("offers", "agreement", "events", "termination"):

        async def heard(request: Request, path: str = path) -> Response:
            return JSONResponse(dataspace.hear(request.path_params["pid"], path, await _said(request)))

        doors.append(Route(f"{place}/{path}", _refusing(heard, error), methods=["POST"]))
    return doors


def transfer_routes(transfers: Transfers) -> list[Route]:
    """The protocol's doors of either side, for the other connectors of its agreements."""
    place, error = f"{BASE}/transfers/{{pid}}", "TransferError"

    async def requested(request: Request) -> Response:
        document = await transfers.hear_request(await _said(request))
        after = BackgroundTask(transfers.tell_started, document["providerPid"])
        location = {"Location": f"{BASE}/transfers/{document['providerPid']}"}
        return JSONResponse(document, 201, location, background=after)

    doors = [
        Route(f"{BASE}/transfers/request", _refusing(requested, error), methods=["POST"]),
        Route(place, _stands(transfers.document, error), methods=["GET"]),
    ]
    for word in Word:

        async def heard(request: Request, word: Word = word) -> Response:
            return JSONResponse(transfers.hear(request.path_params["pid"], word, await _said(request)))

        doors.append(Route(f"{place}/{word}", _refusing(heard, error), methods=["POST"]))
    return doors


Handler = Callable[[Request], Awaitable[Response]]


def _stands(document: Callable[[str], Any], error: str) -> Handler:
    async def found(request: Request) -> Response:
        return JSONResponse(document(request.path_params["pid"]))

    return _refusing(found, error)


def _refusing(handler: Handler, type_: str) -> Handler:
    """With every refusal as the protocol's error of this type."""

    async def handled(request: Request) -> Response:
        try:
            return await handler(request)
        except (LedgerError, ClearingError) as error:
            pid = str(request.path_params.get("pid", ""))[:80]
            document = {
                "@context": [CONTEXT], "@type": type_, "providerPid": pid, "consumerPid": pid,
                "code": type(error).__name__, "reason": [{"message": str(error)}],
            }  # fmt: skip
            return JSONResponse(document, 404 if isinstance(error, UnknownFact) else 400)

    return handled


async def _said(request: Request) -> Any:
    """The document of a message. Raises `BadTerms`."""
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > MAX_REQUEST:
            raise BadTerms("body", f"≤ {MAX_REQUEST}", f"> {MAX_REQUEST}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadTerms("body", "JSON", str(error)) from error


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"})
"""Of a use; whatever else comes is no call of a data API."""


def build(settings: Settings) -> ASGIApp:
    """The application of these settings: opens the state, reads the key."""
    sm.self_check()
    key = keyfiles.load(Path(settings.key_file)).sm2
    api_key = keyfiles.token(Path(settings.api_key_file)) if settings.api_key_file else ""
    platform = PlatformClient(settings.platform, api_key)
    return application(settings, key, platform, clock_of(settings), api_key)


def run(config: Path) -> None:
    """Serves until stopped; prints one JSON line with its address when it can be called."""
    settings = load_settings(config)
    app = build(settings)
    memory.settle()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
        host, port = listener.getsockname()[:2]
        print(json.dumps({"connector": settings.id, "listening": f"http://{host}:{port}"}), flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        server.run(sockets=[listener])
