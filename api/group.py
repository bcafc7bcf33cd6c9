"""Group commit: requests that arrive while a commit is under way are stored together by the next one (decisions D11).

A group closes when the commit before it is done, or when it is full; its requests are answered after the one fsync that
made them all durable. So the slower the disk, the larger the groups, and nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import structlog
from sqlalchemy import Engine
from sqlmodel import Session

logger = structlog.get_logger()

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 256
"""Requests in one group: a larger one saves little and makes its first request wait."""
WAITING = 2_048
"""Requests that may wait for a group; the next one is sent away."""


class Overloaded(Exception):
    """As many requests wait as may; `retry_after` says for how many seconds to stay away."""

    def __init__(self) -> None:
        self.retry_after = 1
        super().__init__(
            "等待写入的请求过多，未写入，请稍后重试。 / Too many wait to be stored; nothing was: try again."
        )


class NotStored(Exception):
    """The group's transaction failed: nothing of it was written."""

    def __init__(self) -> None:
        super().__init__(
            "数据库繁忙或不可用，未写入，请稍后重试。 / The database is busy or away; nothing was written."
        )


class GroupCommit(Generic[Item, Answer]):
    """One writer for the requests of this process's event loop.

    `work` stores a group in the session it is given and returns an answer for each item, or an exception to raise to
    that item's caller alone. It runs in one thread of its own, which also commits. Whoever shuts the server down waits
    for its open requests (uvicorn does), and with them for the last group.
    """

    def __init__(
        self,
        engine: Engine,
        work: Callable[[Session, Sequence[Item]], Sequence[Answer | Exception]],
        *,
        most: int = MOST,
        waiting: int = WAITING,
    ) -> None:
        self._engine, self._work, self._most, self._limit = engine, work, most, waiting
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._thread = ThreadPoolExecutor(1, "group-commit")
        self._running: asyncio.Task[None] | None = None

    async def take(self, item: Item) -> Answer:
        """The answer for `item`, once it is durable. Raises `Overloaded`, `NotStored`, or what `work` answered."""
        if len(self._waiting) >= self._limit:
            raise Overloaded
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, answer))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run(loop))
        return await answer

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            answers: Sequence[Answer | Exception]
            try:
                answers = await loop.run_in_executor(self._thread, self._commit, [item for item, _ in group])
            except Exception as error:  # whatever it was, each caller must hear that nothing was stored
                logger.error("group not stored", size=len(group), error=str(error))
                answers = [NotStored() for _ in group]
            for (_, waiting), answer in zip(group, answers, strict=True):
                if waiting.done():
                    continue  # its caller has gone
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)

    def _commit(self, items: Sequence[Item]) -> Sequence[Answer | Exception]:
        with Session(self._engine) as session:
            answers = self._work(session, items)
            session.commit()
            return answers
