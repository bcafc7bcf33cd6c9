"""One use that goes on: every window of a stream is decided, recorded, and only then handed on.

The first window bears the request id of the call, the k-th that id followed by ".k". A window that passes the limit is
cut there; what is refused is on record too, is said in an event `refused`, and ends the stream. An agreement that is
suspended or over ends it alike: no message leaves after that. A reader who goes away was counted the windows on record.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from api.connector.state import Book, Held, Kept, Use, reference
from api.connector.stream import Flow, mark, windows
from clearing.market.agreement import standing
from clearing.market.policy import Action, Decision, Request
from clearing.usage.record import StatusClass

MESSAGE_UNITS = frozenset({"message", "消息"})
"""Units that one message of a stream is one of."""
ID_ROOM = 16
"""Characters a request id leaves for the number of a window."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A stream under an agreement. `use` is the call it began with, `asked` the line of what was asked for; `marked`
    says that it comes from the provider's connector; `is_open` tells whether its access token still lets anybody in,
    `refusal` words a refusal."""

    held: Held
    use: Use
    asked: str
    marked: bool
    book: Book
    clock: Callable[[], int]
    is_open: Callable[[], bool]
    refusal: Callable[[Kept], dict[str, Any]]

    async def delivered(self, flow: Flow) -> AsyncIterator[bytes]:
        """The bytes for the reader, to the end of the stream or of what is allowed."""
        number = 0
        async with windows(flow, marked=self.marked) as found:
            async for window in found:
                if not self.is_open():
                    return
                left = window.messages
                if not left:
                    yield b":\n\n"
                while left:
                    number += 1
                    kept, count = await self._record(left, number, refused_before=window.marked == 0)
                    place = mark(kept.record.connector, kept.record.seq, kept.sha256, count)
                    if not count:
                        yield place + (self._refused(kept) if kept.record.decision is Decision.DENY else left[0])
                        return
                    yield place + b"".join(left[:count])
                    left = left[count:]

    def _refused(self, kept: Kept) -> bytes:
        said = json.dumps(self.refusal(kept), ensure_ascii=False)
        return f"event: refused\ndata: {said}\n\n".encode()

    async def _record(self, messages: list[bytes], number: int, *, refused_before: bool) -> tuple[Kept, int]:
        """The record of as many of the messages as are allowed, and how many; 0 with the record of the refusal, or of a
        failed use where the connector before us refused."""
        held, now = self.held, self.clock()
        stands = standing(held.state, held.terms.effective, held.terms.expiry, now)
        request = Request(Action.READ, self.use.purpose, self.use.user, len(messages), stands)
        outcome, counted, allowed = held.meter.take_most(request, now)
        status = StatusClass.OK if allowed else StatusClass.NONE
        suffix = f".{number}" if number > 1 else ""
        if refused_before and allowed:
            status = StatusClass.CLIENT
        use = replace(
            self.use, revision=held.revision, terms=held.terms, request_id=self.use.request_id + suffix,
            request=reference(held.secret, "request", self.asked + suffix), at=now, counted=counted, outcome=outcome,
            status=status, size=sum(map(len, messages[:allowed])), latency_ms=self.use.latency_ms if allowed else 0,
            quantity=allowed or 1,
        )  # fmt: skip
        delivered = False
        try:
            kept = await self.book.keep(use)
            delivered = status is StatusClass.OK
        finally:
            if allowed and not delivered:
                held.meter.give_back(allowed, now)
        return kept, allowed if delivered else 0
