"""The connector's own disk: agreements, records, batches and reports, and the one writer of them all (D11).

What was used, by whom and under which terms is sealed (`api.connector.vault`); ids, numbers and times are not.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.connector.settings import SIDES, Settings
from api.connector.vault import Vault, load
from clearing.market.agreement import Domain, Signer, State, Terms
from clearing.market.policy import Decision, Outcome
from clearing.terms import month
from clearing.usage.batch import freeze
from clearing.usage.closing import PERIOD_CLOSE, Heartbeat, Line, PeriodClose, close_of
from clearing.usage.closing import freeze as freeze_report
from clearing.usage.control import Meter
from clearing.usage.record import Direction, Link, Side, StatusClass, UsageRecord, decode, encode
from ledger import canonical
from ledger.digest import twin
from ledger.facts import Signed
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agreement (
  id TEXT PRIMARY KEY, token_sha256 TEXT NOT NULL UNIQUE, no INTEGER NOT NULL, prev TEXT NOT NULL,
  state TEXT NOT NULL, revision INTEGER NOT NULL, terms TEXT NOT NULL, secret BLOB NOT NULL,
  access TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, known TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY, agreement TEXT NOT NULL, request_id TEXT NOT NULL, occurred_at INTEGER NOT NULL,
  data BLOB NOT NULL,  repeats INTEGER NOT NULL DEFAULT 0, UNIQUE (agreement, request_id));
CREATE TABLE IF NOT EXISTS batch (
  no INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, signed TEXT NOT NULL,
  answer TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS report (
  no INTEGER PRIMARY KEY, agreement TEXT NOT NULL, kind TEXT NOT NULL, time TEXT NOT NULL, signed TEXT NOT NULL,
  answer TEXT, UNIQUE (agreement, kind, time));
CREATE TABLE IF NOT EXISTS seal (proof BLOB NOT NULL);
"""
_ADDED = {
    "agreement": {
        "access": "TEXT NOT NULL DEFAULT ''", "since": "INTEGER NOT NULL DEFAULT 0", "until": "INTEGER",
        "known": "TEXT NOT NULL DEFAULT ''",
    },
    "record": {"repeats": "INTEGER NOT NULL DEFAULT 0"},
}  # fmt: skip
"""Columns that older state files lack, and what they mean there."""
_SEALED = {
    "agreement": ("id", {"terms": "terms", "secret": "secret", "access": "access", "known": "known"}),
    "record": ("seq", {"data": "record"}),
    "batch": ("no", {"signed": "batch", "answer": "promise"}),
    "report": ("no", {"signed": "report"}),
}
"""By table its key, and the columns that are sealed, each for its place."""


@dataclass(frozen=True, slots=True)
class Known:
    """What later acts of an agreement are measured by: who signs them, where, over which terms, with which SM2 keys (by
    party); `stopped` is the authority that suspended it last, `stopped_sm2` the key it did so with."""

    signers: tuple[Signer, ...]
    domain: Domain
    terms_digest: Twin
    sm2: dict[str, str]
    stopped: Signer | None = None
    stopped_sm2: str = ""


@dataclass(slots=True)
class Held:
    """An agreement the connector serves, with its live counters. `secret` salts user and request references.

    `access` is the token by which the provider's connector lets a consumer's in. It serves the agreement from `since`,
    seconds UTC, and was told at `until` that it had ended. `known` is absent in older state files
    until an act is handed in again.
    """

    id: str
    token_sha256: str
    no: int
    prev: Twin
    state: State
    revision: int
    terms: Terms
    secret: bytes
    meter: Meter
    since: int
    access: str = ""
    until: int | None = None
    agr_seq: int = 0
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a use before it has a place in the chain; `quantity` in the units of its tariff."""

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
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A durable record: its place, its digest and what it says."""

    record: UsageRecord
    sha256: str
    repeats: int = 0


class Book:
    """The connector's own state on disk, and its only writer: concurrent calls share one fsync (D11)."""

    def __init__(self, path: Path, connector: str, side: Side, vault: Vault) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._connector, self._side, self.vault = path, connector, side, vault
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        for table, columns in _ADDED.items():
            known = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for name in columns.keys() - known:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {columns[name]}")
        self._require_seal()
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
                rows = [self._row(item.record, data) for item, data in kept]
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
            "SELECT seq, data, repeats FROM record WHERE agreement = ? AND request_id = ?",
            (agreement, self.vault.name(request_id)),
        ).fetchone()
        if row is None:
            return None
        admitted = decode(self._record(row[0], row[1]))
        return Kept(admitted.record, admitted.digest.sha256.hex(), row[2])

    async def note_repeat(self, kept: Kept) -> None:
        """Counts one more delivery under the same request id, durably, before it is made."""

        def write() -> None:
            self._db.execute("UPDATE record SET repeats = repeats + 1 WHERE seq = ?", (kept.record.seq,))

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    def counts(self) -> dict[str, int]:
        """Records kept, records in frozen batches, records the platform has promised to integrate, and the closes and
        heartbeats that wait to be sent."""
        sent = "coalesce(max(CASE WHEN answer IS NOT NULL THEN last_seq END), 0)"
        frozen, sent = self._reader.execute(f"SELECT coalesce(max(last_seq), 0), {sent} FROM batch").fetchone()
        (reports,) = self._reader.execute("SELECT count(*) FROM report WHERE answer IS NULL").fetchone()
        return {"records": self._seq, "frozen": frozen, "sent": sent, "pending": self._seq - sent, "reports": reports}

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
            side=self._side,
            direction=Direction.CONSUMPTION,
            request_id=use.request_id,
            occurred_at=use.at,
            listing=use.terms.product.listing,
            version=use.terms.product.version,
            certificate=use.terms.product.certificate,
            policy=use.terms.policy_digest.sha256,
            purpose=use.purpose,
            user_ref=reference(held.secret, "user", use.user),
            request=use.request,
            counted=use.counted,
            decision=use.outcome.decision,
            reasons=use.outcome.reasons,
            unit=use.terms.settlement.tariff.unit,
            quantity=use.quantity,
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

    def _insert(self, rows: Sequence[tuple[int, str, str, int, bytes]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO record (seq, agreement, request_id, occurred_at, data) VALUES (?, ?, ?, ?, ?)", rows
            )
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise

    def _last(self) -> tuple[int, Link | None]:
        row = self._db.execute("SELECT seq, data FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], Link.to(twin(self._record(row[0], row[1])))) if row else (0, None)

    # batches -----------------------------------------------------------------------------------------------------

    async def freeze_next(self, key: Sm2Key, size: int) -> bool:
        """Makes the next batch and stores it before anything is sent; False when no record waits."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._freeze, key, size)

    def _freeze(self, key: Sm2Key, size: int) -> bool:
        last = self._db.execute("SELECT no, last_seq, signed FROM batch ORDER BY no DESC LIMIT 1").fetchone()
        start = last[1] if last else 0
        question = "SELECT seq, data FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
        rows = self._db.execute(question, (start, size)).fetchall()
        if not rows:
            return False
        records = [decode(self._record(*row)) for row in rows]
        prev = self._signed(last[2], f"batch/{last[0]}").statement.digest() if last else None
        signed = freeze(records, last[0] + 1 if last else 0, prev, key)
        no = signed.statement.no
        values = (no, records[0].record.seq, records[-1].record.seq, self._sealed(signed, f"batch/{no}"))
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
        question = "SELECT seq, data FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq"
        parts = self._db.execute(question, row[1:3]).fetchall()
        return row[0], self._signed(row[3], f"batch/{row[0]}"), [self._record(*part) for part in parts]

    async def note_answer(self, no: int, answer: str | None, error: str | None) -> None:
        """Keeps the platform's promise for a batch, or why it was not taken."""
        sealed = self.vault.seal(answer.encode(), f"promise/{no}") if answer is not None else None

        def write() -> None:
            self._db.execute("UPDATE batch SET answer = ?, error = ? WHERE no = ?", (sealed, error, no))

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    # reports -----------------------------------------------------------------------------------------------------

    async def report(self, key: Sm2Key, agreement: str, kind: str, time: str) -> None:
        """Makes the heartbeat of a day or the close of a month, once, and stores it before anything is sent."""
        question = "SELECT 1 FROM report WHERE agreement = ? AND kind = ? AND time = ?"
        if self._reader.execute(question, (agreement, kind, time)).fetchone() is None:
            # A month may be millions of records: they are read beside the writer, not in its turn.
            body = await asyncio.to_thread(self._said_of, Line(self._connector, agreement, self._side), kind, time)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._put_report, key, body, kind, time)

    def _said_of(self, line: Line, kind: str, time: str) -> PeriodClose | Heartbeat:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as reader:
            if kind == PERIOD_CLOSE:
                period = month(time)
                rows = reader.execute(
                    "SELECT seq, data FROM record WHERE agreement = ? AND occurred_at >= ? AND occurred_at < ? "
                    "ORDER BY seq",
                    (line.agreement, period.start, period.end),
                )
                return close_of(line, time, (decode(self._record(*row)) for row in rows))
            row = reader.execute(
                "SELECT seq, data FROM record WHERE agreement = ? ORDER BY seq DESC LIMIT 1", (line.agreement,)
            ).fetchone()
        last = decode(self._record(*row)) if row else None
        count, link = (last.record.agr_seq, Twin.of(last.digest)) if last else (0, None)
        return Heartbeat(line.connector, line.agreement, line.side, time, count, link)

    def _put_report(self, key: Sm2Key, body: PeriodClose | Heartbeat, kind: str, time: str) -> None:
        last = self._db.execute("SELECT no, signed FROM report ORDER BY no DESC LIMIT 1").fetchone()
        prev = self._signed(last[1], f"report/{last[0]}").statement.digest() if last else None
        signed = freeze_report(body, last[0] + 1 if last else 0, prev, key)
        no = signed.statement.no
        values = (no, body.agreement, kind, time, self._sealed(signed, f"report/{no}"))
        self._db.execute("INSERT INTO report (no, agreement, kind, time, signed) VALUES (?, ?, ?, ?, ?)", values)

    def unsent_report(self) -> tuple[int, Signed] | None:
        """The oldest close or heartbeat the platform has not answered."""
        row = self._reader.execute("SELECT no, signed FROM report WHERE answer IS NULL ORDER BY no LIMIT 1").fetchone()
        return (row[0], self._signed(row[1], f"report/{row[0]}")) if row else None

    async def note_report(self, no: int, fact: str) -> None:
        """Keeps the id of the fact the platform made of a report."""

        def write() -> None:
            self._db.execute("UPDATE report SET answer = ? WHERE no = ?", (fact, no))

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    # agreements --------------------------------------------------------------------------------------------------

    def agreements(self) -> list[Held]:
        """Every agreement with its counters as the records imply them."""
        rows = self._db.execute(
            "SELECT id, token_sha256, no, prev, state, revision, terms, secret, access, since, until, known "
            "FROM agreement"
        ).fetchall()
        return [self._held(row) for row in rows]

    async def store_agreement(self, held: Held) -> None:
        prev = json.dumps({"sha256": held.prev.sha256, "sm3": held.prev.sm3})
        known = canonical.encode(body_of(held.known)) if held.known else b""
        terms, secret, access, known = (
            self.vault.seal(value, f"{name}/{held.id}")
            for name, value in (
                ("terms", canonical.encode(body_of(held.terms))), ("secret", held.secret),
                ("access", held.access.encode()), ("known", known),
            )
        )  # fmt: skip
        values = (
            held.id, held.token_sha256, held.no, prev, held.state.value, held.revision, terms, secret, access,
            held.since, held.until, known,
        )  # fmt: skip
        names = "id, token_sha256, no, prev, state, revision, terms, secret, access, since, until, known"
        marks = ", ".join("?" * len(values))

        def write() -> None:
            self._db.execute(f"INSERT OR REPLACE INTO agreement ({names}) VALUES ({marks})", values)

        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    def _held(self, row: tuple[Any, ...]) -> Held:
        terms_, secret, access, known = (
            self.vault.open(bytes(value), f"{name}/{row[0]}")
            for name, value in (("terms", row[6]), ("secret", row[7]), ("access", row[8]), ("known", row[11]))
        )
        terms = read(Terms, json.loads(terms_), "terms")
        agr_seq, uses = 0, []
        for kept in self._db.execute("SELECT seq, data FROM record WHERE agreement = ? ORDER BY seq", (row[0],)):
            record = decode(self._record(*kept)).record
            agr_seq = max(agr_seq, record.agr_seq)
            if record.decision is not Decision.DENY and record.status is StatusClass.OK:
                uses.append((record.occurred_at, record.quantity))
        meter = Meter(terms.policy, sum(units for _, units in uses), sorted(uses))
        return Held(
            id=row[0], token_sha256=row[1], no=row[2], prev=read(Twin, json.loads(row[3]), "prev"), state=State(row[4]),
            revision=row[5], terms=terms, secret=secret, meter=meter, access=access.decode(), since=row[9],
            until=row[10], agr_seq=agr_seq, known=read(Known, json.loads(known), "known") if known else None,
        )  # fmt: skip

    # sealing -----------------------------------------------------------------------------------------------------

    def _row(self, record: UsageRecord, data: bytes) -> tuple[int, str, str, int, bytes]:
        sealed = self.vault.seal(data, f"record/{record.seq}")
        return record.seq, record.agreement, self.vault.name(record.request_id), record.occurred_at, sealed

    def _record(self, seq: int, sealed: bytes) -> bytes:
        return self.vault.open(bytes(sealed), f"record/{seq}")

    def _sealed(self, signed: Signed, place: str) -> bytes:
        return self.vault.seal(canonical.encode(signed.document()), place)

    def _signed(self, sealed: bytes, place: str) -> Signed:
        return Signed.of_document(json.loads(self.vault.open(bytes(sealed), place)))

    def _require_seal(self) -> None:
        """The key of this state is the one it was begun with; what was kept before there was a key is sealed, and
        nothing of it left behind. Raises `FieldError`."""
        row = self._db.execute("SELECT proof FROM seal").fetchone()
        if row is not None:
            self.vault.open(bytes(row[0]), "seal")
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for table, (key, places) in _SEALED.items():
                for name, place in places.items():
                    question = f"SELECT {key}, {name} FROM {table} WHERE {name} IS NOT NULL"
                    for identity, value in self._db.execute(question).fetchall():
                        plain = value.encode() if isinstance(value, str) else bytes(value)
                        sealed = self.vault.seal(plain, f"{place}/{identity}")
                        self._db.execute(f"UPDATE {table} SET {name} = ? WHERE {key} = ?", (sealed, identity))
            for seq, request_id in self._db.execute("SELECT seq, request_id FROM record").fetchall():
                named = (self.vault.name(request_id), seq)
                self._db.execute("UPDATE record SET request_id = ? WHERE seq = ?", named)
            self._db.execute("INSERT INTO seal (proof) VALUES (?)", (self.vault.seal(b"shuqing connector", "seal"),))
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def reference(secret: bytes, tag: str, value: str) -> str:
    """A salted reference to a user or a request, 64 hex characters."""
    return hmac.new(secret, f"{tag}\x00{value}".encode(), hashlib.sha256).hexdigest()


def open_book(settings: Settings) -> Book:
    """The state of the connector these settings describe. Raises `FieldError` where its key is missing or another."""
    place = Path(settings.state)
    return Book(place, settings.id, SIDES[settings.mode], load(Path(settings.state_key_file), begun=_is_sealed(place)))


def _is_sealed(place: Path) -> bool:
    if not place.exists():
        return False
    with closing(sqlite3.connect(place)) as database:
        return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'seal'").fetchone() is not None
