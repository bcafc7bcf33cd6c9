"""What became of the agreements it serves, from the platform: a suspension stands here a moment after it stands there.

One request waits at the platform for the next act. The platform is believed nothing it could not show: an act counts
if it is good by the table of acts and under the keys the parties concluded with, which the administrator vouched for.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp

from api.connector.agreements import RUNNING, Agreements
from api.connector.settings import Settings
from clearing.errors import ClearingError
from clearing.market.agreement import State
from ledger import canonical
from ledger.errors import FieldError, LedgerError

WAIT = 10
"""Seconds one request waits."""
PAUSE = 1
"""Seconds until the next try, when the platform is away or answers what cannot be used."""
_WATCHED = RUNNING | {State.PENDING}


class Watcher:
    """Asks for acts for as long as it runs; `last_error` is why the last answer could not be used."""

    def __init__(self, settings: Settings, api_key: str, agreements: Agreements) -> None:
        self._url = f"{settings.platform.rstrip('/')}/api/connectors/{settings.id}/acts"
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._agreements = agreements
        self.last_error = ""

    async def watch_forever(self) -> None:
        timeout = aiohttp.ClientTimeout(total=WAIT + 10, sock_connect=10)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout, trust_env=False) as http:
            while True:
                self._agreements.changed.clear()
                known = {held.id: held.no + 1 for held in self._agreements if held.state in _WATCHED}
                if not known:
                    await self._agreements.changed.wait()
                    continue
                try:
                    for document in await self._unless_changed(self._ask(http, known)) or []:
                        await self._agreements.follow(document)
                    self.last_error = ""
                except (aiohttp.ClientError, TimeoutError, LedgerError, ClearingError) as error:
                    self.last_error = f"{type(error).__name__}: {error}"[:1000]
                    await asyncio.sleep(PAUSE)

    async def _ask(self, http: aiohttp.ClientSession, known: dict[str, int]) -> list[Any]:
        async with http.post(self._url, data=canonical.encode({"known": known, "wait": WAIT})) as answer:
            data = await answer.read()
            if answer.status != 200:
                raise FieldError("platform", "200", f"{answer.status} {data[:200]!r}")
            document = canonical.parse(data)
            if not isinstance(document, dict) or not isinstance(document.get("acts"), list):
                raise FieldError("platform.acts", "事项的列表 / a list of acts", repr(document)[:80])
            return list(document["acts"])

    async def _unless_changed(self, asking: Any) -> list[Any] | None:
        """The answer; None when meanwhile the agreements were changed by hand, so that the question is another."""
        request, changed = asyncio.create_task(asking), asyncio.create_task(self._agreements.changed.wait())
        try:
            await asyncio.wait({request, changed}, return_when=asyncio.FIRST_COMPLETED)
            return request.result() if request.done() else None
        finally:
            for task in (request, changed):
                task.cancel()
                with suppress(asyncio.CancelledError, aiohttp.ClientError, TimeoutError, LedgerError):
                    await task
