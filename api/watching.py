"""Waiting for acts: a connector asks what became of its agreements, and is answered as soon as something did.

One question a moment to the database serves everybody who waits in this process, whichever process wrote the act.
"""

from __future__ import annotations

import asyncio

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine
from sqlmodel import Session

from clearing.market import store as market

MOMENT = 0.2
"""Seconds between two looks: an act is with a connector that waits well within a second."""
LONGEST = 10
"""Seconds one request may wait, and so the server when it stops."""


class Watch:
    """What the newest act of all agreements is, looked up at most once a moment. For one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mark = (0, 0)
        self._looked = -MOMENT
        self._looking = asyncio.Lock()

    async def mark(self) -> tuple[int, int]:
        """Changes whenever an act was taken in."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked >= MOMENT:
                self._mark = await run_in_threadpool(self._look)
                self._looked = loop.time()
            return self._mark

    async def after(self, mark: tuple[int, int], until: float) -> None:
        """Returns when there is another mark, or at `until` (the loop's time)."""
        loop = asyncio.get_running_loop()
        while loop.time() < until and await self.mark() == mark:
            await asyncio.sleep(min(MOMENT, max(0, until - loop.time())))

    def _look(self) -> tuple[int, int]:
        with Session(self._engine) as session:
            return market.newest_act(session)
