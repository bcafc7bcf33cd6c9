"""演示 counterparties: organisations outside the platform, each its own process with its own keys and state (D27).

    python -m scripts.counterparties.⟨name⟩ --home DIR --port N [--clock FILE]

with the names deposit_authority, bank, witness, data_api, certificate_authority and time_stamp_authority.
Each listens on 127.0.0.1 (port 0: a free one), prints "ready ⟨url⟩" when it answers, gives its public key at GET /key,
keeps everything in DIR (keys with mode 0600, made on first start; one SQLite file) and stops on TERM. The clock file
holds the current time as text, whole seconds UTC, so that the demo can move time (D42); without it the system's clock
is read. Every answer carries "notice": "演示". A refusal is {"error", "message", "notice"} and, when one field is
wrong, "field", "expected" and "given".

This file holds what they share: arguments, key files, clock, transactions and a small HTTP server.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ledger import canonical, eip712, sm
from ledger.checkpoint import generate_ed25519
from ledger.digest import TwinDigest, sm3, twin
from ledger.errors import FieldError, Malformed
from ledger.facts import DEFAULT_SIGNER_ID, SM2
from ledger.sm import Sm2Key

NOTICE = "演示"
MAX_BODY = 16 * 1024 * 1024
IDLE_SECONDS = 2


class Refusal(Exception):
    """A request is refused with an HTTP status; nothing was written."""

    def __init__(self, status: int, error: str, message: str, **more: Any) -> None:
        self.status = status
        self.document = {"error": error, "message": message, "notice": NOTICE, **more}
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler sees: the groups of its path, the query (each name once) and the body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def document(self, required: set[str]) -> dict[str, Any]:
        """The body as a JSON object with exactly these fields. Raises `Malformed`, `FieldError`."""
        return exactly(canonical.parse(self.body), required, "body")

    def only(self, *names: str) -> Mapping[str, str]:
        """The query, when it has no other names than these. Raises `FieldError`."""
        for name in sorted(set(self.query) - set(names)):
            raise FieldError(name, f"{sorted(names)}", "未知参数 / unknown parameter")
        return self.query


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and content type of an answer; `headers` go out as they are."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Which handler answers which method and path (a full-match regular expression with named groups)."""

    method: str
    path: str
    handler: Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Clock:
    """The current second: from the file, if there is one, else the system's."""

    file: Path | None = None

    def now(self) -> int:
        """Seconds UTC. Raises `Refusal` 503 when the clock file is missing or not a number."""
        if self.file is None:
            return int(time.time())
        try:
            content = self.file.read_text().strip()
        except OSError as error:
            raise Refusal(503, "clock", f"时钟文件不可读：{error}。 / The clock file cannot be read.") from error
        if not re.fullmatch(r"[1-9][0-9]{0,11}", content):
            raise Refusal(
                503, "clock", f"时钟文件应为整秒数，实为 {content[:40]!r}。 / The clock file is not a number."
            )
        return int(content)


def exactly(value: Any, names: set[str], where: str) -> dict[str, Any]:
    """`value` as an object with exactly these fields. Raises `FieldError`; a field of the body is named without it."""
    if not isinstance(value, dict):
        raise FieldError(where, "对象 / an object", repr(value)[:80])
    prefix = "" if where == "body" else f"{where}."
    for name in sorted(names - set(value)):
        raise FieldError(prefix + name, "必填 / required", "缺失 / missing")
    for name in sorted(set(value) - names):
        raise FieldError(prefix + name, f"{sorted(names)}", "未知字段 / unknown field")
    return value


def parser(description: str, name: str) -> argparse.ArgumentParser:
    """The arguments every counterparty has; `name` is the default of --name."""
    result = argparse.ArgumentParser(description=f"{description}（{NOTICE}）")
    result.add_argument("--home", type=Path, required=True, help="directory of keys and state")
    result.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 = any free one")
    result.add_argument("--clock", type=Path, help="file with the current second UTC; without it the system's clock")
    result.add_argument("--name", default=name, help="name shown in answers and on papers")
    return result


def sm2_key(home: Path) -> Sm2Key:
    """The process's SM2 key, made on first start."""
    return sm.from_private(_private(home / "sm2.key", lambda: sm.generate().private))


def ed25519_key(home: Path) -> bytes:
    """The process's Ed25519 private key, made on first start."""
    return _private(home / "ed25519.key", generate_ed25519)


def evm_key(home: Path) -> bytes:
    """The process's secp256k1 private key, made on first start; it is named in the party statement, nothing more."""
    return _private(home / "evm.key", eip712.new_key)


def p256_key(home: Path) -> ec.EllipticCurvePrivateKey:
    """The process's P-256 key, made on first start."""
    key = pem_key(home / "p256.key", lambda: ec.generate_private_key(ec.SECP256R1()))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def pem_key(path: Path, make: Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]) -> PrivateKeyTypes:
    """A private key as PEM in a file of mode 0600, made on first start."""

    def text() -> str:
        return make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    return load_pem_private_key(_kept(path, text).encode(), None)


def _private(path: Path, make: Callable[[], bytes]) -> bytes:
    """32 private bytes as hex in a file of mode 0600."""
    return bytes.fromhex(_kept(path, lambda: make().hex()).strip())


def _kept(path: Path, make: Callable[[], str]) -> str:
    """A text in a file of mode 0600, made on first start; two first starts at once agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


def signed_over(tag: str, content: bytes, key: Sm2Key) -> dict[str, str]:
    """SM2 signature over SM3(tag ‖ 00 ‖ SHA-256(content) ‖ SM3(content)), as {alg, key, signer_id, value}."""
    value = sm.sign(key, signed_message(tag, twin(content)))
    return {"alg": SM2, "key": key.public, "signer_id": DEFAULT_SIGNER_ID, "value": value.hex()}


def signed_message(tag: str, digest: TwinDigest) -> bytes:
    """The 32 bytes that `signed_over` signs (decisions D13)."""
    return sm3(tag.encode() + b"\x00" + digest.sha256 + digest.sm3)


def sm2_key_document(name: str, kind: str, key: Sm2Key) -> dict[str, Any]:
    """What GET /key answers for an SM2 key."""
    return {"alg": SM2, "key": key.public, "kind": kind, "name": name, "notice": NOTICE, "signer_id": DEFAULT_SIGNER_ID}


def store(home: Path, schema: str) -> Callable[[], Any]:
    """Makes DIR/state.sqlite with `schema` (statements that may run again) and returns its `transaction`.

    `with transaction() as db:` holds the write lock from its first line (BEGIN IMMEDIATE), also against other
    processes; it is durable on disk after the block (synchronous=FULL) and undone when the block raises.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = home / "state.sqlite"

    @contextmanager
    def transaction() -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(file, isolation_level=None, timeout=20)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA synchronous=FULL")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
        finally:
            database.close()

    with transaction() as database:
        for statement in schema.split(";"):
            database.execute(statement)
    return transaction


def answer(document: Mapping[str, Any], status: int = 200) -> Answer:
    """A JSON answer, marked 演示."""
    return Answer(status, json.dumps({"notice": NOTICE, **document}, ensure_ascii=False, sort_keys=True).encode())


def signed_answer(text: str, status: int = 200) -> Answer:
    """A stored signed document, byte for byte as it was first given."""
    return Answer(status, text.encode())


def serve(routes: Sequence[Route], port: int) -> None:
    """Answers on 127.0.0.1:port until TERM or INT; requests under way are finished first."""
    compiled = [(route.method, re.compile(route.path), route.handler) for route in routes]

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS
        server_version = "shuqing-demo"
        sys_version = ""

        def do_GET(self) -> None:
            self._send(_answer(compiled, "GET", self.path, b""))

        def do_POST(self) -> None:
            self._with_body("POST")

        def do_PUT(self) -> None:
            self._with_body("PUT")

        def _with_body(self, method: str) -> None:
            length = self.headers.get("Content-Length", "")
            if not re.fullmatch(r"[0-9]{1,9}", length):
                self._send(_refused(Refusal(411, "length", "需要 Content-Length。 / Content-Length is required.")))
            elif int(length) > MAX_BODY:
                self._send(_refused(Refusal(413, "length", f"正文超过 {MAX_BODY} 字节。 / The body is too long.")))
            else:
                body = self.rfile.read(int(length))
                if len(body) == int(length):
                    self._send(_answer(compiled, method, self.path, body))

        def _send(self, result: Answer) -> None:
            self.send_response(result.status)
            self.send_header("Content-Type", result.content_type)
            self.send_header("Content-Length", str(len(result.body)))
            for name, value in result.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(result.body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent: the demo prints its own account."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 128

    with Server(("127.0.0.1", port), Handler) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown() waits for the loop that runs in this very thread, so another thread has to call it.
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"ready http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever(poll_interval=0.05)


def _answer(
    routes: Sequence[tuple[str, re.Pattern[str], Callable[[Request], Answer]]], method: str, target: str, body: bytes
) -> Answer:
    try:
        parts = urlsplit(target)
        path = unquote(parts.path, errors="strict")
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="strict")
        query = dict(pairs)
        if len(query) != len(pairs):
            raise FieldError("query", "每个参数一次 / each parameter once", parts.query[:80])
        found = [(verb, match, handler) for verb, pattern, handler in routes if (match := pattern.fullmatch(path))]
        if not found:
            raise Refusal(404, "not-found", f"没有 {path[:80]}。 / There is no {path[:80]}.")
        for verb, match, handler in found:
            if verb == method:
                return handler(Request(match.groupdict(), query, body))
        raise Refusal(405, "method", f"{path[:80]} 不支持 {method}。 / {method} is not allowed here.")
    except Refusal as refusal:
        return _refused(refusal)
    except FieldError as error:
        more = {"field": error.field, "expected": error.expected, "given": error.given}
        return _refused(Refusal(400, "field", str(error), **more))
    except (Malformed, ValueError) as error:
        return _refused(Refusal(400, "malformed", str(error)))
    except sqlite3.Error as error:
        return _refused(Refusal(503, "state", f"未写入：{error}。 / Nothing was written."))


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, json.dumps(refusal.document, ensure_ascii=False, sort_keys=True).encode())
