"""数据提供方的数据接口（演示）: the provider's real HTTP API over a file of hourly delay features.

--data FILE is CSV or Parquet with the columns origin (airport code), hour (text YYYY-MM-DDTHH, or a timestamp; local
time as in the data) and otherwise whole numbers only; an empty value is left out of its row. The file is read into
memory at start.

GET /v1/delays?origin=JFK&hour=2013-01-01T05 → 200 {"count": n, "notice", "rows": [{"hour", "origin", …}, …]}; 404
                    when the file has no such hour, 400 for a malformed or unknown parameter (errors as everywhere here)
GET /v1/health      {"notice", "rows": n in all, "status": "ok"}
GET /key            {"alg": "sm2-sm3", "key", "kind": "data-api", "name", "signer_id", "dataset": {"digest": {"sha256",
                    "sm3"} of the file, "rows", "signature": SM2 with tag "shuqing/dataset/v1" over the file}}

Plain ASGI under uvicorn: answers are encoded once at start, since the two thousand metered calls of the demo share two
cores with everything else.
"""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import duckdb
import uvicorn

from ledger.digest import twin
from ledger.sm import Sm2Key
from scripts.counterparties import NOTICE, parser, signed_over, sm2_key, sm2_key_document

DATASET_TAG = "shuqing/dataset/v1"
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_ORIGIN = re.compile(r"[A-Z]{3}")
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}")

Answers = dict[tuple[str, str], bytes]


def load(file: Path) -> tuple[Answers, int]:
    """The encoded answer of each (origin, hour) and the number of rows. Raises `SystemExit` on another kind of file."""
    with duckdb.connect() as database:
        reader = "read_parquet" if file.suffix == ".parquet" else "read_csv"
        table = database.execute(f"SELECT * FROM {reader}(?)", [str(file)])
        columns = [(column[0], str(column[1]).upper()) for column in table.description]
        rows = table.fetchall()
    names = [name for name, _ in columns]
    if not {"origin", "hour"} <= set(names):
        raise SystemExit(f"{file}: 需要 origin 与 hour 列 / needs the columns origin and hour: {names}")
    for name, kind in columns:
        if name not in ("origin", "hour") and kind not in _INTEGERS:
            raise SystemExit(f"{file}: {name} 应为整数列，实为 {kind}。 / {name} must hold whole numbers.")
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        values = {name: value for name, value in zip(names, row, strict=True) if value is not None}
        hour = str(values.get("hour"))[:13].replace(" ", "T")
        if not _ORIGIN.fullmatch(str(values.get("origin"))) or not _HOUR.fullmatch(hour):
            raise SystemExit(f"{file}: 行不合格 / a row is not as it should be: {row!r:.200}")
        grouped.setdefault((values["origin"], hour), []).append({**values, "hour": hour})
    return {
        key: _encode({"count": len(found), "notice": NOTICE, "rows": found}) for key, found in grouped.items()
    }, len(rows)


class DataApi:
    """The ASGI application."""

    def __init__(self, file: Path, name: str, key: Sm2Key) -> None:
        data = file.read_bytes()
        self._answers, count = load(file)
        self._health = _encode({"notice": NOTICE, "rows": count, "status": "ok"})
        dataset = {"digest": twin(data).document(), "rows": count, "signature": signed_over(DATASET_TAG, data, key)}
        self._key = _encode({**sm2_key_document(name, "data-api", key), "dataset": dataset})

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        status, body = self._respond(scope["method"], scope["path"], scope["query_string"])
        headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _respond(self, method: str, path: str, query: bytes) -> tuple[int, bytes]:
        if path not in ("/v1/delays", "/v1/health", "/key"):
            return 404, _error("not-found", f"没有 {path[:80]}。 / There is no {path[:80]}.")
        if method not in ("GET", "HEAD"):
            return 405, _error("method", f"不支持 {method}。 / {method} is not allowed here.")
        if path == "/v1/health":
            return 200, self._health
        if path == "/key":
            return 200, self._key
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        given = dict(pairs)
        for name in sorted({"origin", "hour"} ^ set(given)):
            return 400, _field(name, "origin, hour", "缺失 / missing" if name not in given else "未知参数 / unknown")
        if len(pairs) != 2:
            return 400, _field("query", "每个参数一次 / each parameter once", query.decode("latin-1")[:80])
        if not _ORIGIN.fullmatch(given["origin"]):
            return 400, _field("origin", "三个大写字母 / three capital letters", repr(given["origin"])[:40])
        if not _HOUR.fullmatch(given["hour"]):
            return 400, _field("hour", "YYYY-MM-DDTHH", repr(given["hour"])[:40])
        found = self._answers.get((given["origin"], given["hour"]))
        if found is None:
            return 404, _error("no-data", "该机场该小时没有数据。 / There is no data for that airport and hour.")
        return 200, found


def _encode(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _error(error: str, message: str, **more: str) -> bytes:
    return _encode({"error": error, "message": message, "notice": NOTICE, **more})


def _field(field: str, expected: str, given: str) -> bytes:
    message = (
        f"参数 {field} 不符合要求：应为 {expected}，实为 {given}。"
        f" / Parameter {field}: expected {expected}, given {given}."
    )
    return _error("field", message, field=field, expected=expected, given=given)


class Server(uvicorn.Server):
    """uvicorn that says when it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets
        print(f"ready http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    options = parser("数据提供方的数据接口", "航班小时延误特征接口（演示）")
    options.add_argument("--data", type=Path, required=True, help="CSV or Parquet file of hourly features")
    given = options.parse_args()
    api = DataApi(given.data, given.name, sm2_key(given.home))
    config = uvicorn.Config(
        api, log_level="warning", access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=5
    )
    # uvicorn raises the signal it was stopped by once more when it is done; that must not look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with socket.create_server(("127.0.0.1", given.port), backlog=2048) as listener:
        Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
