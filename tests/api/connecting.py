"""Connector processes and what stands around them: a data API and a platform that runs the real intake."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session

from clearing.errors import ClearingError
from clearing.usage import service, store
from clearing.usage.batch import read_batch
from clearing.usage.service import Refusal
from ledger import canonical, eip712
from ledger.errors import LedgerError
from ledger.facts import Signed
from tests.clearing.market.house import CONNECTOR, NOW, House

ROOT = Path(__file__).resolve().parents[2]
TOKEN, ADMIN = "demo-access-token", "demo-admin-token"


class Scene:
    """A platform with one agreement, and the configuration of the connector that serves it."""

    def __init__(self, folder: Path, limit: int, house: House | None = None, unit: str = "call") -> None:
        self.house = house or House(folder / "platform.db")
        self.gate: dict[str, Any] = {"down": False, "seen": [], "swallow": 0}
        self.agreement, self.signed = self.house.conclude(limit=limit, unit=unit)
        self.house.session.commit()
        self.clock = folder / "clock"
        self.clock.write_text(str(NOW + 30))
        key = folder / "connector.key"
        private = self.house.connector.private.hex()
        key.write_text(json.dumps({"by": f"connector:{CONNECTOR}", "sm2": private, "evm": eip712.new_key().hex(),
                                   "ed25519": secrets.token_hex(32)}))  # fmt: skip
        key.chmod(0o600)
        self.config = folder / "connector.json"
        self.folder = folder

    def write_config(self, upstream: str, platform: str, **changes: Any) -> Path:
        document = {
            "id": CONNECTOR, "key_file": "connector.key", "state": "state/connector.db", "upstream": upstream,
            "platform": platform, "admin_token_sha256": hashlib.sha256(ADMIN.encode()).hexdigest(),
            "clock_file": "clock", "flush_seconds": 0, "batch_size": 50, "watch": False,
            "log_key": self.house.keys[self.house.operator.by.removeprefix("party:")].sm2.public,
        }  # fmt: skip
        self.config.write_text(json.dumps(document | changes))
        return self.config

    def request(self) -> dict[str, Any]:
        return {**self.house.sent(self.signed), "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}

    def uses(self) -> list[Any]:
        with Session(self.house.engine) as session:
            return store.metered_uses(session, self.agreement)


class Upstream(BaseHTTPRequestHandler):
    """A data API: a JSON document per path; /broken fails, /echo says in gzip what came."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_GET(self) -> None:
        Upstream.calls += 1
        if self.path.startswith("/echo"):
            self._echo()
            return
        status = 500 if self.path.startswith("/broken") else 200
        data = json.dumps({"path": self.path, "rows": [1, 2, 3]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _echo(self) -> None:
        said = {"line": self.requestline, "headers": [[name.lower(), value] for name, value in self.headers.items()]}
        data = gzip.compress(json.dumps(said).encode())
        self.send_response(201)
        for name, value in (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Encoding", "gzip"),
                            ("X-Usage-Record", "somebody/7"), ("Content-Length", str(len(data)))):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


def platform_handler(house: House, gate: dict[str, Any], clock: Path) -> type[BaseHTTPRequestHandler]:
    """Takes in batches, closes and heartbeats half a minute after what `clock` says; `gate` lets it fail."""
    lock = threading.Lock()

    class Platform(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if gate["down"]:
                self._answer(503, {"message": "down"})
                return
            at = int(clock.read_text()) + 30
            if self.path == "/api/usage/reports":
                self._take_report(data, at)
                return
            batch = read_batch(data)
            gate["seen"].append(hashlib.sha256(data).hexdigest())
            with lock, Session(house.engine) as session:
                answer = service.admit(session, batch, signer=house.operator, at=at)
                session.commit()
            if isinstance(answer, Refusal):
                self._answer(409, answer.answer())
            elif gate["swallow"]:
                gate["swallow"] -= 1
                self.close_connection = True  # taken in, but the answer is lost on the way
            else:
                self._answer(200, answer.document())

        def _take_report(self, data: bytes, at: int) -> None:
            with lock, Session(house.engine) as session:
                try:
                    taken = service.take_report(session, Signed.of_document(canonical.parse(data)), at=at)
                except (ClearingError, LedgerError) as error:
                    self._answer(422, {"message": str(error)})
                    return
                session.commit()
            self._answer(200, {"fact": taken.fact.id})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            data = canonical.encode(document)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    return Platform


class _Server(ThreadingHTTPServer):
    """Its end is that of a process: the connections it keeps open end with it."""

    daemon_threads = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.open: list[Any] = []
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    server = _Server(port, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Process:
    """The connector process; `kill` is SIGKILL, `start` begins again on the same state."""

    def __init__(self, config: Path) -> None:
        self.config, self.process, self.url = config, None, ""
        self.http = httpx.Client(timeout=30, trust_env=False, verify=False)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "api.connector", str(self.config)]
        self.process: Any = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["listening"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def admin(self, method: str, path: str, document: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        content = canonical.encode(document) if document is not None else None
        return self.http.request(method, self.url + path, headers=headers, content=content)

    def flush(self) -> Any:
        return self.admin("POST", "/connector/flush").json()

    def call(
        self, request_id: str, path: str = "/flights?hour=1", purpose: str = "research", **more: str
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": request_id, "X-Purpose": purpose, **more}
        return self.http.get(self.url + path, headers=headers)
