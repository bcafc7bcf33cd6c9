"""What connectors and providers say to each other by the Dataspace Protocol: sent, kept sealed, read."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from api.connector.vault import Vault
from clearing.errors import BadTerms
from clearing.market.negotiation.dataspace import CONTEXT

PATIENCE = 15
"""Seconds a peer has to answer."""


class Said:
    """Every message of some exchanges, in a table `name` of the state; all that was said is sealed."""

    def __init__(self, db: sqlite3.Connection, vault: Vault, name: str) -> None:
        self._db, self._vault, self._name = db, vault, name
        db.execute(
            f"CREATE TABLE IF NOT EXISTS {name} (id TEXT NOT NULL, no INTEGER NOT NULL, side TEXT NOT NULL, "
            "at INTEGER NOT NULL, message BLOB NOT NULL, PRIMARY KEY (id, no))"
        )

    def keep(self, identity: str, side: str, at: int, message: Mapping[str, Any]) -> None:
        """Keeps the next message of an exchange, durably."""
        (no,) = self._db.execute(f"SELECT count(*) FROM {self._name} WHERE id = ?", (identity,)).fetchone()
        sealed = self._vault.seal(json.dumps(message, ensure_ascii=False).encode(), f"said/{identity}/{no}")
        self._db.execute(f"INSERT INTO {self._name} VALUES (?, ?, ?, ?, ?)", (identity, no, side, at, sealed))

    def of(self, identity: str) -> list[dict[str, Any]]:
        """What was said in an exchange, in order."""
        question = f"SELECT no, side, at, message FROM {self._name} WHERE id = ? ORDER BY no"
        return [
            {"no": no, "side": side, "at": at, "message": json.loads(self._vault.open(sealed, f"said/{identity}/{no}"))}
            for no, side, at, sealed in self._db.execute(question, (identity,))
        ]


def opened(path: Path) -> sqlite3.Connection:
    """The connector's state, for exchanges with others: every statement is durable by itself."""
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA synchronous=FULL")
    return db


def compose(type_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A message of ours."""
    return {"@context": [CONTEXT], "@id": f"urn:uuid:{uuid.uuid4()}", "@type": type_, **fields}


def require_message(value: Any, type_: str) -> dict[str, Any]:
    """A message of this type in compact form. Raises `BadTerms`."""
    if not isinstance(value, dict) or value.get("@type") != type_:
        raise BadTerms("@type", type_, repr(value)[:80])
    context = value.get("@context")
    if CONTEXT not in (context if isinstance(context, list) else [context]):
        raise BadTerms("@context", CONTEXT, repr(context)[:80])
    return value


async def ask(method: str, url: str, authorization: str = "", document: Mapping[str, Any] | None = None) -> Any:
    """What a peer answers: its document, {} if it has none. Redirections are not followed. Raises `BadTerms` for a
    refusal, with what it said, and for no answer."""
    content = json.dumps(document, ensure_ascii=False).encode() if document is not None else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.request(method, url, data=content, headers=headers, allow_redirects=False) as answer,
        ):
            text = await answer.text()
            found = json.loads(text) if text.strip() else {}
            if answer.status >= 300:
                raise BadTerms("provider", "接受 / that it takes it", f"HTTP {answer.status} {text[:300]}")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise BadTerms("provider", "应答 / an answer", f"{type(error).__name__} {error}"[:300]) from error
    return found if isinstance(found, dict) else {}
