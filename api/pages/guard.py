"""What protects the public pages: answer headers, and a limit of checks per address (serials can be guessed).

The limit lives in the memory of one process. Behind a reverse proxy every caller has the proxy's address, so the proxy
must limit instead, or uvicorn must be told to trust its forwarding headers.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHECKS, SECONDS = 60, 60
ADDRESSES = 10_000

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every answer. No referrer: the address of a check page holds the token of a paper."""
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class TooMany(Exception):
    """The address has used up its checks; `retry_after` says for how many seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"查询过于频繁：每 {SECONDS} 秒最多 {CHECKS} 次，请 {retry_after} 秒后再试。"
            f" / Too many checks: at most {CHECKS} in {SECONDS} seconds; try again in {retry_after} seconds."
        )


class Window:
    """A sliding window per address. At most `addresses` are remembered; the one seen longest ago is forgotten first."""

    def __init__(self, limit: int = CHECKS, seconds: int = SECONDS, addresses: int = ADDRESSES) -> None:
        self.limit, self.seconds, self.addresses = limit, seconds, addresses
        self._taken: OrderedDict[str, deque[int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str, now: int) -> int:
        """Counts one request at second `now`; answers 0, or for how many seconds the address must wait."""
        with self._lock:
            taken = self._taken.setdefault(address, deque())
            self._taken.move_to_end(address)
            if len(self._taken) > self.addresses:
                self._taken.popitem(last=False)
            while taken and taken[0] <= now - self.seconds:
                taken.popleft()
            if len(taken) >= self.limit:
                return taken[0] + self.seconds - now
            taken.append(now)
            return 0


def limited(request: Request) -> None:
    """Raises `TooMany` when the caller's address has used up its checks."""
    window: Window = request.app.state.window
    wait = window.take(request.client.host if request.client else "", int(time.monotonic()))
    if wait:
        raise TooMany(wait)


LimitedDep = Annotated[None, Depends(limited)]


class AnswerHeaders:
    """Adds the headers above to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _RAW if pair[0] not in own)]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
