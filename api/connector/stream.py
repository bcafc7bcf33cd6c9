"""An endless answer: server-sent events, handed on in windows, each on record before its first message leaves.

A window ends with WINDOW messages, or LINGER after its first one came. It begins with a comment that names its record
and how many messages it has; by it a consumer's connector makes the same windows. Comments of a source, such marks
among them, and events without data, which mean nothing to a reader, are dropped: what is not counted is not delivered.
Source: exchange.md §5.2 M3; the format is that of the HTML standard, section 9.2.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

STREAM = "text/event-stream"
WINDOW = 500
"""Messages in a window at most."""
LONGEST = 1024 * 1024
"""Bytes of a message at most; a window is full with FULL bytes."""
FULL = 4 * LONGEST
LINGER = 0.2
"""Seconds a window waits for more after its first message."""
ALIVE = 10.0
"""Seconds after which a reader who waits gets an empty comment."""
_BREAK = re.compile(rb"\r\n|\n|\r")
_MARK = re.compile(rb": usage [A-Za-z0-9._-]{1,64}/[0-9]{1,18} [0-9a-f]{64} ([0-9]{1,3})")


class Flow(Protocol):
    """The content of an answer that has no end."""

    def chunks(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None: ...


class Overlong(Exception):
    """A message of more than LONGEST bytes."""


@dataclass(slots=True)
class Window:
    """Messages, each with the blank line after it, `size` bytes in all; `marked` is how many the connector before us
    announced, None without one. After a mark of 0 comes what it refused with."""

    marked: int | None = None
    messages: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, message: bytes) -> None:
        self.messages.append(message)
        self.size += len(message)

    @property
    def is_full(self) -> bool:
        most = WINDOW if self.marked is None else min(max(self.marked, 1), WINDOW)
        return len(self.messages) >= most or self.size >= FULL


def mark(connector: str, seq: int, sha256: str, count: int) -> bytes:
    """The comment a window begins with; with a count of 0 a refusal follows it."""
    return f": usage {connector}/{seq} {sha256} {count}\n\n".encode()


async def read(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | int]:
    """Every message, and the number a mark announces. What follows the last blank line is no message. Raises
    `Overlong`."""
    rest, lines, size = b"", list[bytes](), 0
    async for data in chunks:
        rest += data
        place = 0
        # A CR at the end may be half of a CRLF.
        for found in _BREAK.finditer(rest, 0, len(rest) - rest.endswith(b"\r")):
            line, place = rest[place : found.start()], found.end()
            if line.startswith(b":"):
                announced = _MARK.fullmatch(line)
                if announced is not None and not lines:
                    yield int(announced[1])
            elif line:
                lines.append(line)
                size += len(line)
            else:
                if any(line == b"data" or line.startswith(b"data:") for line in lines):
                    yield b"\n".join(lines) + b"\n\n"
                lines, size = [], 0
        rest = rest[place:]
        if len(rest) + size > LONGEST:
            raise Overlong


@asynccontextmanager
async def windows(flow: Flow, *, marked: bool) -> AsyncIterator[AsyncIterator[Window]]:
    """The windows of a flow, to its end; it is closed afterwards. A window without messages says that the reader has
    waited for a while. `marked`: the flow comes from a connector, and its marks count; a source must not make any."""
    queue: asyncio.Queue[bytes | int | None] = asyncio.Queue(16)

    async def fill() -> None:
        try:
            async for item in read(flow.chunks()):
                if marked or isinstance(item, bytes):
                    await queue.put(item)
        except Overlong:
            pass
        await queue.put(None)

    reader = asyncio.create_task(fill())
    try:
        yield _gathered(queue)
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
        flow.close()


async def _gathered(queue: asyncio.Queue[bytes | int | None]) -> AsyncIterator[Window]:
    window, until = Window(), None
    loop = asyncio.get_running_loop()
    while True:
        item: bytes | int | None = b""
        try:
            async with asyncio.timeout(ALIVE if until is None else max(until - loop.time(), 0)):
                item = await queue.get()
        except TimeoutError:
            if until is None:
                yield Window()
                continue
        if isinstance(item, bytes) and item:
            window.add(item)
            if window.marked is None and until is None:
                until = loop.time() + LINGER
            if not window.is_full:
                continue
        if window.messages:
            yield window
        if item is None:
            return
        window, until = Window(item if isinstance(item, int) else None), None
