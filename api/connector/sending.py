"""Towards the platform: batches of records, closes and heartbeats, frozen before they are sent and sent until taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from api.client import PlatformClient, PlatformError, PlatformUnavailable
from api.connector.agreements import RUNNING, Agreements
from api.connector.settings import Settings
from api.connector.state import Book
from clearing.usage.batch import LOG_PROMISE, Promise
from clearing.usage.closing import HEARTBEAT, PERIOD_CLOSE, months_of
from ledger import canonical, signing
from ledger.digest import TwinDigest
from ledger.errors import FieldError, LedgerError
from ledger.facts import Signed
from ledger.reading import read
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.calendar import day_of

REPORT_PATH = "/api/usage/reports"
CLOSE_DELAY = 1_800
"""Seconds after the end of a month until it is closed: longer than a call that began in it may still take."""


class Sender:
    """Freezes what is due and sends what waits. `clock` answers the present second UTC."""

    def __init__(
        self,
        settings: Settings,
        key: Sm2Key,
        platform: PlatformClient,
        clock: Callable[[], int],
        book: Book,
        agreements: Agreements,
    ) -> None:
        self._settings, self._key, self._platform, self._clock = settings, key, platform, clock
        self._book, self._agreements = book, agreements
        self._flushing = asyncio.Lock()
        self.last_error = ""

    def close(self) -> None:
        self._platform.close()

    async def flush(self) -> dict[str, Any]:
        """Sends everything that waits, oldest first, records before what is said of them; stops at the first batch or
        report that is not taken."""
        async with self._flushing:
            self.last_error = ""
            await self._make_reports()
            if await self._send_batches():
                await self._send_reports()
        return {**self._book.counts(), "error": self.last_error}

    async def flush_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.flush_seconds)
            await self.flush()

    async def _send(self, no: int, signed: Signed, parts: list[bytes]) -> bool:
        try:
            answer = await asyncio.to_thread(self._platform.send_batch, signed, parts)
            promise = _check_promise(answer, signed, self._settings.log_key)
        except (PlatformError, PlatformUnavailable, LedgerError) as error:
            self.last_error = str(error)[:1000]
            await self._book.note_answer(no, None, self.last_error)
            return False
        await self._book.note_answer(no, canonical.encode(promise.document()).decode(), None)
        return True

    async def _send_batches(self) -> bool:
        while True:
            batch = await self._book.unsent()
            if batch is not None:
                if not await self._send(*batch):
                    return False
            elif not await self._book.freeze_next(self._key, self._settings.batch_size):
                return True

    async def _make_reports(self) -> None:
        """Makes today's heartbeat of every agreement in force, and the close of every month that is over."""
        now = self._clock()
        for held in list(self._agreements):
            end = min(held.terms.expiry, held.until or held.terms.expiry)
            for period in months_of(max(held.since, held.terms.effective), min(now, end)):
                if now >= period.end + CLOSE_DELAY:
                    await self._book.report(self._key, held.id, PERIOD_CLOSE, period.name)
            if held.terms.effective <= now < end and held.state in RUNNING:
                await self._book.report(self._key, held.id, HEARTBEAT, day_of(now).isoformat())

    async def _send_reports(self) -> None:
        while (waiting := self._book.unsent_report()) is not None:
            no, signed = waiting
            try:
                answer = await asyncio.to_thread(self._platform.post, REPORT_PATH, signed.document())
            except (PlatformError, PlatformUnavailable) as error:
                self.last_error = str(error)[:1000]
                return
            await self._book.note_report(no, str(answer["fact"]))


def _check_promise(answer: Any, signed: Signed, log_key: str) -> Signed:
    """The operator's promise speaks of this very batch and is signed. Raises `FieldError`, `BadSignature`."""
    if not isinstance(answer, dict) or "promise" not in answer:
        raise FieldError("answer.promise", "平台的入库承诺 / the platform's promise", repr(answer)[:80])
    promise = Signed.of_document(answer["promise"])
    if promise.statement.kind != LOG_PROMISE:
        raise FieldError("promise.kind", LOG_PROMISE, promise.statement.kind)
    stated: TwinDigest = signed.statement.digest()
    if read(Promise, promise.statement.body).statement != Twin.of(stated):
        raise FieldError("promise.statement", stated.sha256.hex(), "另一批次 / another batch")
    if log_key:
        by = promise.signatures[0].by if promise.signatures else "—"
        signing.require_sm2(promise.statement, promise.signatures, by=by, key=log_key)
    return promise
