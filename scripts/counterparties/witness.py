"""见证方（演示）: watches one log and cosigns its heads while they tell one growing history (C2SP tlog-witness).

--log FILE holds the log's public keys {"origin", "ed25519", "sm2"}; on first start they are pinned in DIR/log.json,
and later starts refuse other ones.

GET  /key             {"alg": "ed25519", "key": 64 hex, "kind": "witness", "name"}
POST /add-checkpoint  see ledger/witness.py; 200 {"line"}; refusals 400 malformed, 403 bad-signature, 404 unknown-log,
                      409 rollback | equivocation | stale-size (with "size"), 422 inconsistent
GET  /latest          {"size", "root": {"sha256", "sm3"}, "note": [line, …]} of the head cosigned last; 404 before
GET  /evidence        {"evidence": [{"reason", "at", "offered": [line, …], "cosigned": [line, …]}, …]}: pairs of notes,
                      both signed by the log, that contradict each other
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import canonical
from ledger.canonical import MAX_INT
from ledger.checkpoint import Checkpoint, LogPublic, ed25519_public, parse
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.witness import MAX_PATH, Reason, Refused, add_checkpoint
from scripts.counterparties import (
    NOTICE,
    Answer,
    Clock,
    Refusal,
    Request,
    Route,
    answer,
    ed25519_key,
    parser,
    serve,
    store,
)  # fmt: skip

SCHEMA = """
CREATE TABLE IF NOT EXISTS cosigned (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (
  digest TEXT PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL, offered TEXT NOT NULL, cosigned TEXT NOT NULL)
"""
STATUS = {
    Reason.UNKNOWN_LOG: 404,
    Reason.BAD_SIGNATURE: 403,
    Reason.ROLLBACK: 409,
    Reason.EQUIVOCATION: 409,
    Reason.STALE_SIZE: 409,
    Reason.INCONSISTENT: 422,
}


@dataclass(frozen=True, slots=True)
class SqliteState:
    """What the witness remembers, inside one open transaction."""

    database: sqlite3.Connection
    now: int

    def latest(self, origin: str) -> str | None:
        row = self.database.execute("SELECT note FROM cosigned WHERE origin = ?", (origin,)).fetchone()
        return row["note"] if row else None

    def keep(self, checkpoint: Checkpoint, note: str) -> None:
        self.database.execute(
            "INSERT INTO cosigned VALUES (?, ?, ?)"
            " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, note = excluded.note",
            (checkpoint.origin, checkpoint.size, note),
        )

    def keep_evidence(self, reason: Reason, offered: str, cosigned: str) -> None:
        # Keyed by what the log signed, not by its signatures: SM2 signs differently each time.
        key = twin(repr((reason.value, parse(offered)[0], parse(cosigned)[0])).encode()).sha256.hex()
        self.database.execute(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?)", (key, reason.value, self.now, offered, cosigned)
        )


@dataclass(frozen=True, slots=True)
class Witness:
    name: str
    key: bytes
    log: LogPublic
    clock: Clock
    transaction: Any

    def show_key(self, request: Request) -> Answer:
        return answer(
            {"alg": "ed25519", "key": ed25519_public(self.key), "kind": "witness", "name": self.name, "notice": NOTICE}
        )

    def add(self, request: Request) -> Answer:
        document = request.document({"note", "old_size", "path"})
        note, old_size, path = _note(document["note"]), document["old_size"], document["path"]
        if type(old_size) is not int or not 0 <= old_size <= MAX_INT:
            raise FieldError("old_size", "0…2^53-1", repr(old_size)[:80])
        if not isinstance(path, list) or len(path) > MAX_PATH:
            raise FieldError("path", f"不超过 {MAX_PATH} 项的列表 / a list of at most {MAX_PATH}", repr(path)[:80])
        steps = [TwinDigest.of_document(step, f"path[{i}]") for i, step in enumerate(path)]
        now = self.clock.now()
        refused: Refused | None = None
        with self.transaction() as database:
            try:
                line = add_checkpoint(
                    SqliteState(database, now), note=note, old_size=old_size, path=steps,
                    log=self.log, name=self.name, key=self.key, now=now,
                )  # fmt: skip
            except Refused as error:
                # The evidence is part of the transaction, so the refusal must not undo it.
                refused = error
        if refused:
            more = {} if refused.size is None else {"size": refused.size}
            raise Refusal(STATUS[refused.reason], refused.reason.value, str(refused), **more)
        return answer({"line": line})

    def latest(self, request: Request) -> Answer:
        with self.transaction() as database:
            note = SqliteState(database, 0).latest(self.log.origin)
        if note is None:
            raise Refusal(404, "not-found", "尚未联署任何检查点。 / Nothing has been cosigned yet.")
        checkpoint = parse(note)[0]
        return answer({"note": _lines(note), "root": checkpoint.root.document(), "size": checkpoint.size})

    def evidence(self, request: Request) -> Answer:
        with self.transaction() as database:
            rows = database.execute("SELECT * FROM evidence ORDER BY at, digest").fetchall()
        return answer(
            {
                "evidence": [
                    {
                        "at": row["at"],
                        "cosigned": _lines(row["cosigned"]),
                        "offered": _lines(row["offered"]),
                        "reason": row["reason"],
                    }
                    for row in rows
                ]
            }
        )


def _note(lines: Any) -> str:
    if not isinstance(lines, list) or not all(isinstance(line, str) and "\n" not in line for line in lines):
        raise FieldError("note", "文本行的列表 / a list of text lines", repr(lines)[:80])
    return "".join(line + "\n" for line in lines)


def _lines(note: str) -> list[str]:
    return note.split("\n")[:-1]


def pinned_log(home: Path, file: Path | None) -> LogPublic:
    """The log's keys as pinned in DIR/log.json; pins those of `file` first. Raises `SystemExit` when they differ."""
    pin = home / "log.json"
    given = LogPublic.of_document(canonical.parse(file.read_bytes())) if file else None
    if not pin.exists():
        if given is None:
            raise SystemExit("首次启动需要 --log FILE。 / The first start needs --log FILE.")
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = home / ".log.json"
        draft.write_bytes(canonical.encode(given.document()))
        draft.replace(pin)
    kept = LogPublic.of_document(canonical.parse(pin.read_bytes()))
    if given not in (None, kept):
        raise SystemExit(f"--log 与已固定的日志公钥 {pin} 不同。 / --log differs from the pinned log keys.")
    return kept


def main() -> None:
    options = parser("见证方", "demo-witness")
    options.add_argument("--log", type=Path, help='public keys of the log: {"origin", "ed25519", "sm2"}')
    given = options.parse_args()
    witness = Witness(
        given.name, ed25519_key(given.home), pinned_log(given.home, given.log), Clock(given.clock),
        store(given.home, SCHEMA),
    )  # fmt: skip
    routes = (
        Route("GET", "/key", witness.show_key),
        Route("POST", "/add-checkpoint", witness.add),
        Route("GET", "/latest", witness.latest),
        Route("GET", "/evidence", witness.evidence),
    )
    serve(routes, given.port)


if __name__ == "__main__":
    main()
