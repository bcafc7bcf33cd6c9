"""The connector 连接器: a process in front of a real HTTP data API that meters every use and signs for it.

    consumer ──▶ connector ──▶ data API
                    │ record durable before the body is released (D11)
                    └──▶ platform: batches, frozen before they are sent, the same bytes each time

It decides by the agreement's use policy before delivery, chains each use to the one before, keeps the records on disk
through a kill or an outage of the platform, and sends them later without loss or doubling. A power loss is survived as
far as the disk keeps its word on fsync. Its settings are one JSON file named on the command line; see `Settings`.

    GET|POST … /<path>         Authorization: Bearer <access token>, X-Request-Id, X-Purpose, X-User (optional);
                               text other than ASCII percent-encoded
    PUT  /connector/agreements {"signed": {statement, signatures}, "parts": [terms fields], "token_sha256": hex}
                                                                                           administrator's token
    POST /connector/flush      send what is waiting                                        administrator's token
    GET  /connector/status     counts, agreements, last error                              administrator's token
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import httpx
import uvicorn
from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import keyfiles
from api.client import PlatformClient, PlatformError, PlatformUnavailable
from clearing.errors import ClearingError
from clearing.market import policy as policies
from clearing.market.agreement import CARRIES_TERMS, State, Terms, act_of, id_of, read_terms, standing
from clearing.market.policy import Action, Decision, Outcome
from clearing.usage.batch import LOG_PROMISE, Promise, freeze
from clearing.usage.control import Meter
from clearing.usage.record import Direction, Link, Side, StatusClass, UsageRecord, decode, encode
from ledger import canonical, signing, sm
from ledger.digest import TwinDigest, twin
from ledger.errors import BadSignature, FieldError, LedgerError
from ledger.facts import SM2, Signed
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin

CALL_UNITS = frozenset({"call", "次"})
"""Units that one API call is one of; other units are measured by other modes."""
MAX_REQUEST = 1024 * 1024
MAX_REPEATS = 3
REPEAT_SECONDS = 600
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}")
_NOT_FORWARDED = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "content-length", "content-encoding", "accept-encoding", "authorization", "x-request-id",
        "x-purpose", "x-user",
    }
)  # fmt: skip

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agreement (
  id TEXT PRIMARY KEY, token_sha256 TEXT NOT NULL UNIQUE, no INTEGER NOT NULL, prev TEXT NOT NULL,
  state TEXT NOT NULL, revision INTEGER NOT NULL, terms TEXT NOT NULL, secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY, agreement TEXT NOT NULL, request_id TEXT NOT NULL, data BLOB NOT NULL,
  repeats INTEGER NOT NULL DEFAULT 0, UNIQUE (agreement, request_id));
CREATE TABLE IF NOT EXISTS batch (
  no INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, signed TEXT NOT NULL,
  answer TEXT, error TEXT);
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file. Paths are taken relative to the file; secrets are in files of their own.

    `admin_token_sha256` is the SHA-256 of the administrator's token, `log_key` the operator's SM2 public key (empty:
    promises are kept unchecked), `clock_file` a file with the present second (the demo's fixed timeline).
    """

    id: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    key_file: str
    state: str
    upstream: str
    platform: str
    admin_token_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    api_key_file: str = ""
    log_key: str = ""
    clock_file: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    batch_size: Annotated[int, Meta(ge=1, le=5000)] = 500
    flush_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 30
    upstream_timeout: Annotated[int, Meta(ge=1, le=600)] = 30


def load_settings(path: Path) -> Settings:
    """Reads a configuration file. Raises `FieldError` or `Malformed`."""
    settings = read(Settings, canonical.parse(path.read_bytes()), "config")
    base = path.resolve().parent

    def placed(name: str) -> str:
        return str(base / name) if name else ""

    return replace(
        settings,
        key_file=placed(settings.key_file),
        state=placed(settings.state),
        api_key_file=placed(settings.api_key_file),
        clock_file=placed(settings.clock_file),
    )


@dataclass(slots=True)
class Held:
    """An agreement the connector serves, with its live counters. `secret` salts user and request references."""

    id: str
    token_sha256: str
    no: int
    prev: Twin
    state: State
    revision: int
    terms: Terms
    secret: bytes
    meter: Meter
    agr_seq: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a use before it has a place in the chain."""

    held: Held
    revision: int
    terms: Terms
    request_id: str
    request: str
    purpose: str
    user: str
    at: int
    counted: int
    outcome: Outcome
    status: StatusClass
    size: int
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A durable record: its place, its digest and what it says."""

    record: UsageRecord
    sha256: str
    repeats: int = 0


class Book:
    """The connector's own state on disk, and its only writer: concurrent calls share one fsync (D11)."""

    def __init__(self, path: Path, connector: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connector = connector
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="book")
        self._reader = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._waiting: asyncio.Queue[tuple[Use, asyncio.Future[Kept]]] = asyncio.Queue()
        self._seq, self._prev = self._last()
        self.groups = 0

    def close(self) -> None:
        self._thread.shutdown()
        self._db.close()
        self._reader.close()

    # records -----------------------------------------------------------------------------------------------------

    async def keep(self, use: Use) -> Kept:
        """The record of this use, once it is durable."""
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        await self._waiting.put((use, future))
        return await future

    async def write_forever(self) -> None:
        """Takes whatever is waiting, gives it places in the chain, and commits it in one transaction."""
        loop = asyncio.get_running_loop()
        while True:
            group = [await self._waiting.get()]
            while not self._waiting.empty() and len(group) < 512:
                group.append(self._waiting.get_nowait())
            before = (self._seq, self._prev, {id(use.held): use.held.agr_seq for use, _ in group})
            try:
                kept = [self._chain(use) for use, _ in group]
                rows = [(item.record.seq, item.record.agreement, item.record.request_id, data) for item, data in kept]
                await loop.run_in_executor(self._thread, self._insert, rows)
            except Exception as error:
                self._seq, self._prev = before[:2]
                for use, future in group:
                    use.held.agr_seq = before[2][id(use.held)]
                    if not future.done():
                        future.set_exception(error)
                continue
            self.groups += 1
            for (_, future), (item, _) in zip(group, kept, strict=True):
                if not future.done():
                    future.set_result(item)

    def find(self, agreement: str, request_id: str) -> Kept | None:
        """The record of this request, if there is one."""
        row = self._reader.execute(
            "SELECT data, repeats FROM record WHERE agreement = ? AND request_id = ?", (agreement, request_id)
        ).fetchone()
        if row is None:
            return None
        admitted = decode(bytes(row[0]))
        return Kept(admitted.record, admitted.digest.sha256.hex(), row[1])

    async def note_repeat(self, kept: Kept) -> None:
        """Counts one more delivery under the same request id, durably, before it is made."""

        def write() -> None:
            self._db.execute("UPDATE record SET repeats = repeats + 1 WHERE seq = ?", (kept.record.seq,))

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    def counts(self) -> dict[str, int]:
        """Records kept, records in frozen batches, records the platform has promised to integrate."""
        sent = "coalesce(max(CASE WHEN answer IS NOT NULL THEN last_seq END), 0)"
        frozen, sent = self._reader.execute(f"SELECT coalesce(max(last_seq), 0), {sent} FROM batch").fetchone()
        return {"records": self._seq, "frozen": frozen, "sent": sent, "pending": self._seq - sent}

    def _chain(self, use: Use) -> tuple[Kept, bytes]:
        held = use.held
        denied = use.outcome.decision is Decision.DENY
        held.agr_seq += 1
        record = UsageRecord(
            connector=self._connector,
            seq=self._seq + 1,
            agreement=held.id,
            revision=use.revision,
            agr_seq=held.agr_seq,
            side=Side.PROVIDE,
            direction=Direction.CONSUMPTION,
            request_id=use.request_id,
            occurred_at=use.at,
            listing=use.terms.product.listing,
            version=use.terms.product.version,
            certificate=use.terms.product.certificate,
            policy=use.terms.policy_digest.sha256,
            purpose=use.purpose,
            user_ref=_reference(held.secret, "user", use.user),
            request=use.request,
            counted=use.counted,
            decision=use.outcome.decision,
            reasons=use.outcome.reasons,
            unit=use.terms.settlement.tariff.unit,
            quantity=1,
            billable=not denied,
            bytes=use.size,
            latency_ms=use.latency_ms,
            status=use.status,
            salt=secrets.token_hex(32),
            prev=self._prev,
        )
        data = encode(record)
        digest = twin(data)
        self._seq, self._prev = record.seq, Link.to(digest)
        return Kept(record, digest.sha256.hex()), data

    def _insert(self, rows: Sequence[tuple[int, str, str, bytes]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO record (seq, agreement, request_id, data) VALUES (?, ?, ?, ?)", rows)
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise

    def _last(self) -> tuple[int, Link | None]:
        row = self._db.execute("SELECT seq, data FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], Link.to(twin(bytes(row[1])))) if row else (0, None)

    # batches -----------------------------------------------------------------------------------------------------

    async def freeze_next(self, key: Sm2Key, size: int) -> bool:
        """Makes the next batch and stores it before anything is sent; False when no record waits."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._freeze, key, size)

    def _freeze(self, key: Sm2Key, size: int) -> bool:
        last = self._db.execute("SELECT no, last_seq, signed FROM batch ORDER BY no DESC LIMIT 1").fetchone()
        start = last[1] if last else 0
        rows = self._db.execute("SELECT data FROM record WHERE seq > ? ORDER BY seq LIMIT ?", (start, size)).fetchall()
        if not rows:
            return False
        records = [decode(bytes(row[0])) for row in rows]
        prev = Signed.of_document(json.loads(last[2])).statement.digest() if last else None
        signed = freeze(records, last[0] + 1 if last else 0, prev, key)
        document = canonical.encode(signed.document()).decode()
        values = (signed.statement.no, records[0].record.seq, records[-1].record.seq, document)
        self._db.execute("INSERT INTO batch (no, first_seq, last_seq, signed) VALUES (?, ?, ?, ?)", values)
        return True

    async def unsent(self) -> tuple[int, Signed, list[bytes]] | None:
        """The oldest batch the platform has not answered, with its records; None when there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._unsent)

    def _unsent(self) -> tuple[int, Signed, list[bytes]] | None:
        row = self._db.execute(
            "SELECT no, first_seq, last_seq, signed FROM batch WHERE answer IS NULL ORDER BY no LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        parts = self._db.execute("SELECT data FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq", row[1:3]).fetchall()
        return row[0], Signed.of_document(json.loads(row[3])), [bytes(part[0]) for part in parts]

    async def note_answer(self, no: int, answer: str | None, error: str | None) -> None:
        """Keeps the platform's promise for a batch, or why it was not taken."""

        def write() -> None:
            self._db.execute("UPDATE batch SET answer = ?, error = ? WHERE no = ?", (answer, error, no))

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    # agreements --------------------------------------------------------------------------------------------------

    def agreements(self) -> list[Held]:
        """Every agreement with its counters as the records imply them."""
        rows = self._db.execute(
            "SELECT id, token_sha256, no, prev, state, revision, terms, secret FROM agreement"
        ).fetchall()
        return [self._held(row) for row in rows]

    async def store_agreement(self, held: Held) -> None:
        document = canonical.encode(body_of(held.terms)).decode()
        prev = json.dumps({"sha256": held.prev.sha256, "sm3": held.prev.sm3})
        values = (held.id, held.token_sha256, held.no, prev, held.state.value, held.revision, document, held.secret)

        def write() -> None:
            self._db.execute("INSERT OR REPLACE INTO agreement VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    def _held(self, row: tuple[Any, ...]) -> Held:
        terms = read(Terms, json.loads(row[6]), "terms")
        agr_seq, uses = 0, []
        for (data,) in self._db.execute("SELECT data FROM record WHERE agreement = ? ORDER BY seq", (row[0],)):
            record = decode(bytes(data)).record
            agr_seq = max(agr_seq, record.agr_seq)
            if record.decision is not Decision.DENY and record.status is StatusClass.OK:
                uses.append((record.occurred_at, record.quantity))
        meter = Meter(terms.policy, sum(units for _, units in uses), sorted(uses))
        return Held(
            id=row[0], token_sha256=row[1], no=row[2], prev=read(Twin, json.loads(row[3]), "prev"), state=State(row[4]),
            revision=row[5], terms=terms, secret=bytes(row[7]), meter=meter,
            agr_seq=agr_seq,
        )  # fmt: skip


class Connector:
    """Decides, forwards, records and sends. `clock` answers the present second UTC."""

    def __init__(
        self, settings: Settings, key: Sm2Key, platform: PlatformClient, clock: Callable[[], int], book: Book
    ) -> None:
        self.settings, self.book = settings, book
        self._key, self._platform, self._clock = key, platform, clock
        self._by_token = {held.token_sha256: held for held in book.agreements()}
        self._by_id = {held.id: held for held in self._by_token.values()}
        self._in_flight: set[tuple[str, str]] = set()
        self._flushing = asyncio.Lock()
        self._tls = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncClient] = []
        self.last_error = ""

    async def close(self) -> None:
        for client in self._idle:
            await client.aclose()
        self._platform.close()
        self.book.close()

    # the data path -----------------------------------------------------------------------------------------------

    async def proxy(self, request: Request) -> Response:
        """One use: decide, deliver, record, release."""
        held = self._by_token.get(_sha256(_bearer(request)))
        if held is None:
            return _problem(401, "ACCESS", "没有此访问令牌对应的合约。 / No agreement for this access token.")
        request_id = request.headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            return _problem(400, "X-Request-Id", "应为 8 至 128 个字符。 / Expected 8 to 128 of [A-Za-z0-9._:-].")
        try:
            purpose, user = _words(request, "x-purpose"), _words(request, "x-user")
        except FieldError as error:
            return _problem(400, error.field, str(error))
        body = await request.body()
        if len(body) > MAX_REQUEST:
            return _problem(413, "body", f"不超过 {MAX_REQUEST} 字节。 / At most {MAX_REQUEST} bytes.")
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        reference = _reference(held.secret, "request", f"{request.method} {target} {hashlib.sha256(body).hexdigest()}")
        slot = (held.id, request_id)
        if slot in self._in_flight:
            return _problem(409, "X-Request-Id", "同号请求正在处理。 / A request with this id is under way.")
        self._in_flight.add(slot)
        try:
            known = self.book.find(held.id, request_id)
            if known is not None:
                return await self._again(known, reference, request, target, body)
            return await self._first(held, request, target, body, request_id, reference, purpose, user)
        finally:
            self._in_flight.discard(slot)

    async def _first(
        self, held: Held, request: Request, target: str, body: bytes, request_id: str, reference: str, purpose: str,
        user: str,
    ) -> Response:  # fmt: skip
        now = self._clock()
        stands = standing(held.state, held.terms.effective, held.terms.expiry, now)
        user = user or held.terms.policy.assignee
        # No environment is attested over plain HTTP, so a policy that asks for one refuses here (UC22).
        asked = policies.Request(Action.READ, purpose, user, 1, stands)
        outcome, counted = held.meter.take(asked, now)
        use = Use(
            held=held, revision=held.revision, terms=held.terms, request_id=request_id, request=reference,
            purpose=purpose, user=user, at=now, counted=counted, outcome=outcome, status=StatusClass.NONE, size=0,
            latency_ms=0,
        )  # fmt: skip
        if outcome.decision is Decision.DENY:
            return _refused(await self.book.keep(use))
        delivered = False
        try:
            started = time.perf_counter_ns()
            answer = await self._ask(request, target, body)
            use = replace(
                use,
                status=_status_class(answer),
                size=len(answer.content) if answer else 0,
                latency_ms=(time.perf_counter_ns() - started) // 1_000_000,
            )
            kept = await self.book.keep(use)
            delivered = use.status is StatusClass.OK
        finally:
            if not delivered:
                held.meter.give_back(1, now)
        return _release(answer, kept)

    async def _again(self, kept: Kept, reference: str, request: Request, target: str, body: bytes) -> Response:
        """The same request id again: never recorded twice. A delivered use may be fetched again a few times, soon."""
        record = kept.record
        if record.request != reference:
            return _problem(409, "X-Request-Id", "该编号已用于另一请求。 / This id was used for another request.", kept)
        if record.decision is Decision.DENY:
            return _refused(kept)
        if record.status is not StatusClass.OK:
            return _problem(409, "X-Request-Id", "该次调用已失败，请换新编号。 / That call failed; use a new id.", kept)
        if kept.repeats >= MAX_REPEATS or self._clock() > record.occurred_at + REPEAT_SECONDS:
            return _problem(409, "X-Request-Id", "该次调用已交付。 / That call was delivered.", kept)
        await self.book.note_repeat(kept)
        return _release(await self._ask(request, target, body), kept)

    async def _ask(self, request: Request, target: str, body: bytes) -> httpx.Response | None:
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        headers["accept-encoding"] = "identity"
        # One pooled client slows down with the number of calls it has open, so each call borrows one of its own.
        client = self._idle.pop() if self._idle else self._client()
        try:
            return await client.request(request.method, target, content=body, headers=headers)
        except httpx.HTTPError:
            return None
        finally:
            self._idle.append(client)

    def _client(self) -> httpx.AsyncClient:
        settings = self.settings
        timeout = settings.upstream_timeout
        return httpx.AsyncClient(base_url=settings.upstream, timeout=timeout, trust_env=False, verify=self._tls)

    # towards the platform ----------------------------------------------------------------------------------------

    async def flush(self) -> dict[str, Any]:
        """Sends everything that waits, oldest first; stops at the first batch that is not taken."""
        async with self._flushing:
            self.last_error = ""
            while True:
                batch = await self.book.unsent()
                if batch is None:
                    if not await self.book.freeze_next(self._key, self.settings.batch_size):
                        break
                    continue
                if not await self._send(*batch):
                    break
        return {**self.book.counts(), "error": self.last_error}

    async def flush_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.flush_seconds)
            await self.flush()

    async def _send(self, no: int, signed: Signed, parts: list[bytes]) -> bool:
        try:
            answer = await asyncio.to_thread(self._platform.send_batch, signed, parts)
            promise = _check_promise(answer, signed, self.settings.log_key)
        except (PlatformError, PlatformUnavailable, LedgerError) as error:
            self.last_error = str(error)[:1000]
            await self.book.note_answer(no, None, self.last_error)
            return False
        await self.book.note_answer(no, canonical.encode(promise.document()).decode(), None)
        return True

    # administration ----------------------------------------------------------------------------------------------

    async def put_agreement(self, document: Any) -> dict[str, Any]:
        """Takes an agreement act as concluded; acts of one agreement must come in order. Raises `LedgerError`."""
        if not isinstance(document, dict) or not {"signed"} <= set(document) <= {"signed", "parts", "token_sha256"}:
            raise FieldError("request", "signed, parts, token_sha256", "其他字段 / other fields")
        signed, parts = Signed.of_document(document["signed"]), document.get("parts", [])
        if not isinstance(parts, list) or not all(isinstance(text, str) for text in parts):
            raise FieldError("parts", "文本的列表 / a list of texts", repr(parts)[:80])
        statement, act = signed.statement, act_of(signed.statement)
        for signature in signed.signatures:
            if signature.alg == SM2 and not signing.verify_sm2(statement, signature):
                raise BadSignature(signature.by, "与内容不符 / does not match the act")
        held = self._by_id.get(id_of(statement.subject))
        digest = Twin.of(statement.digest())
        if held is not None and (statement.no, digest) == (held.no, held.prev):
            return self._summary(held)
        expected = (held.no + 1, held.prev) if held else (0, None)
        if (statement.no, Twin.of(statement.prev) if statement.prev else None) != expected:
            raise FieldError(
                "signed.statement.no", f"{expected[0]}，承接上一事项 / after the act before", str(statement.no)
            )
        brought = read_terms(statement, act, [text.encode() for text in parts])
        if (brought is not None) != (act.act in CARRIES_TERMS):
            raise FieldError("signed.statement.body.fields", f"{act.act}", "terms" if brought else "—")
        terms = brought or (held.terms if held else None)
        if terms is None:
            raise FieldError("signed.statement.body.act", "CONCLUDE", act.act)
        self._check_terms(terms)
        token = document.get("token_sha256", held.token_sha256 if held else "")
        if not isinstance(token, str) or not re.fullmatch("[0-9a-f]{64}", token):
            raise FieldError("token_sha256", "64 位小写十六进制 / 64 lower-case hex characters", repr(token)[:80])
        taken = self._by_token.get(token)
        if taken is not None and taken.id != id_of(statement.subject):
            raise FieldError("token_sha256", "未用于其他合约的令牌 / a token of no other agreement", token[:8] + "…")
        if held is None:
            held = Held(
                id_of(statement.subject), token, 0, digest, act.to_state, act.revision, terms, secrets.token_bytes(32),
                Meter(terms.policy),
            )  # fmt: skip
        else:
            self._by_token.pop(held.token_sha256, None)
            held.meter.adopt(terms.policy)
            held.token_sha256, held.no, held.prev, held.state = token, statement.no, digest, act.to_state
            held.revision, held.terms = act.revision, terms
        self._by_id[held.id] = self._by_token[token] = held
        await self.book.store_agreement(held)
        return self._summary(held)

    def status(self) -> dict[str, Any]:
        agreements = [self._summary(held) for held in self._by_id.values()]
        return {**self.book.counts(), "agreements": agreements, "error": self.last_error, "groups": self.book.groups}

    def _check_terms(self, terms: Terms) -> None:
        if not any(self.settings.id in party.connectors for party in terms.parties):
            raise FieldError(
                "terms.parties.connectors", self.settings.id, "未列入本连接器 / this connector is not named"
            )
        if terms.settlement.tariff.unit not in CALL_UNITS:
            raise FieldError(
                "terms.settlement.tariff.unit", " | ".join(sorted(CALL_UNITS)), terms.settlement.tariff.unit
            )

    def _summary(self, held: Held) -> dict[str, Any]:
        return {
            "agreement": held.id,
            "limit": policies.limit_of(held.terms.policy, Action.READ),
            "revision": held.revision,
            "state": held.state.value,
            "used": held.meter.total,
        }


def application(connector: Connector) -> Starlette:
    """The connector as an ASGI application."""

    def guarded(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def route(request: Request) -> Response:
            given = _sha256(_bearer(request))
            if not hmac.compare_digest(given, connector.settings.admin_token_sha256):
                return _problem(401, "ACCESS", "需要管理员令牌。 / The administrator's token is needed.")
            try:
                return JSONResponse(await handler(request))
            except (LedgerError, ClearingError) as error:
                return _problem(422, type(error).__name__, str(error))

        return route

    async def put(request: Request) -> Any:
        return await connector.put_agreement(canonical.parse(await request.body()))

    async def flush(_request: Request) -> Any:
        return await connector.flush()

    async def status(_request: Request) -> Any:
        return connector.status()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(connector.book.write_forever())]
        if connector.settings.flush_seconds:
            tasks.append(asyncio.create_task(connector.flush_forever()))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await connector.close()

    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]
    routes = [
        Route("/connector/agreements", guarded(put), methods=["PUT"]),
        Route("/connector/flush", guarded(flush), methods=["POST"]),
        Route("/connector/status", guarded(status), methods=["GET"]),
        Route("/{path:path}", connector.proxy, methods=methods),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def build(settings: Settings) -> Starlette:
    """The application of these settings: opens the state, reads the key."""
    sm.self_check()
    key = keyfiles.load(Path(settings.key_file)).sm2
    api_key = Path(settings.api_key_file).read_text(encoding="ascii").strip() if settings.api_key_file else ""
    platform = PlatformClient(settings.platform, api_key)
    book = Book(Path(settings.state), settings.id)
    return application(Connector(settings, key, platform, clock_of(settings), book))


def clock_of(settings: Settings) -> Callable[[], int]:
    """The present second: the machine's, or the number in the clock file."""
    if not settings.clock_file:
        return lambda: int(time.time())
    path = Path(settings.clock_file)
    return lambda: int(path.read_text(encoding="ascii"))


def run(config: Path) -> None:
    """Serves until stopped; prints one JSON line with its address when it can be called."""
    settings = load_settings(config)
    app = build(settings)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
        host, port = listener.getsockname()[:2]
        print(json.dumps({"connector": settings.id, "listening": f"http://{host}:{port}"}), flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        server.run(sockets=[listener])


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


def _refused(kept: Kept) -> Response:
    reason = kept.record.reasons[0].value
    return _problem(403, reason, _REFUSALS.get(reason, "拒绝。 / Refused."), kept)


_REFUSALS = {
    "UC10": "合约尚未生效。 / The agreement is not effective yet.",
    "UC11": "合约已到期或终止。 / The agreement has ended.",
    "UC12": "合约已中止。 / The agreement is suspended.",
    "UC20": "使用者不在约定范围。 / The user is not named.",
    "UC21": "用途不在约定范围。 / The purpose is outside the agreement.",
    "UC22": "使用环境未证明。 / The environment is unproven.",
    "UC23": "区域不在约定范围。 / The region is outside the agreement.",
    "UC24": "不在约定时间内。 / Outside the agreed time.",
    "UC25": "约定次数已用完。 / The agreed count is used up.",
    "UC26": "超过约定频率。 / The agreed rate is exceeded.",
    "UC27": "超出授权范围。 / Outside the granted scope.",
    "UC90": "策略无法判定，按拒绝处理。 / The policy cannot be decided: refused.",
}


def _release(answer: httpx.Response | None, kept: Kept) -> Response:
    if answer is None:
        return _problem(502, "UPSTREAM", "数据源无应答。 / The data source does not answer.", kept)
    headers = {name: value for name, value in answer.headers.items() if name not in _NOT_FORWARDED}
    return Response(answer.content, answer.status_code, {**headers, **_marks(kept)})


def _problem(status: int, code: str, message: str, kept: Kept | None = None) -> Response:
    document: dict[str, Any] = {"code": code, "message": message}
    if kept is not None:
        record = kept.record
        document["record"] = {"connector": record.connector, "seq": record.seq, "sha256": kept.sha256}
        document["reasons"] = [reason.value for reason in record.reasons]
    return JSONResponse(document, status, _marks(kept) if kept else None)


def _marks(kept: Kept) -> dict[str, str]:
    return {"X-Usage-Record": f"{kept.record.connector}/{kept.record.seq}", "X-Usage-Digest": kept.sha256}


def _status_class(answer: httpx.Response | None) -> StatusClass:
    if answer is None:
        return StatusClass.ERROR
    classes = {2: StatusClass.OK, 3: StatusClass.REDIRECT, 4: StatusClass.CLIENT}
    return classes.get(answer.status_code // 100, StatusClass.SERVER)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _words(request: Request, name: str) -> str:
    """A header of at most 200 characters; other than ASCII it comes percent-encoded in UTF-8."""
    value = unquote(request.headers.get(name, ""), errors="replace")
    if len(value) > 200:
        raise FieldError(name, "不超过 200 个字符 / at most 200 characters", str(len(value)))
    try:
        canonical.encode(value)
    except FieldError as error:
        raise FieldError(name, error.expected, error.given) from error
    return value


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _reference(secret: bytes, tag: str, value: str) -> str:
    return hmac.new(secret, f"{tag}\x00{value}".encode(), hashlib.sha256).hexdigest()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
