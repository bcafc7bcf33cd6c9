"""Single-record intake over HTTP, measured now on this machine: `single_intake()`, or run this module for its JSON.

Recipe: the real server (`shuqing serve`: uvicorn, uvloop, httptools, one worker) on SQLite (WAL, synchronous=FULL), in
a process of its own. The client is this process: 128 keep-alive connections, raw sockets on uvloop, one request at a
time on each (no pipelining), each connection one connector with its own API key that posts its chain of records of
about one kilobyte. Client and server share the machine's cores. A run is 128 × 80 records; rates and latencies are
medians of seven runs after a warm-up. One answer of every connection is verified without the platform.

Beside it, in turns in the same session: the same server, client and group commit with a route that checks the API key,
reads the record as JSON and inserts one plain row: no strict form, no digest, tree, signature, log or promise.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, insert
from sqlmodel import Session

from api import auth, bootstrap, jobs, keyfiles, settings
from api.apikey import issue
from api.bodies import read_body
from api.client import RECORD_PATH
from api.group import GroupCommit
from api.settings import AuthoritySettings, Settings
from clearing.market.policy import Decision
from clearing.usage.held import HeldAnswer
from clearing.usage.record import Direction, Side, StatusClass, UsageRecord, encode
from ledger import canonical, signing, sm
from ledger.digest import twin
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from registry import admitting
from registry.asset import Twin
from registry.party import Connector, Party, PartyKind
from scripts.demo.cast import AGENCY, AUDITOR, OPERATOR
from scripts.demo.world import answers, free_port, processes

RUNS, CONNECTIONS, EACH = 7, 128, 80
ADDRESSES = ("AgreementRegistry", "EvidenceLog", "RightsRegistry", "SettlementBook")
PLAIN = Table(
    "plain",
    MetaData(),
    Column("connector", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("bytes", LargeBinary, nullable=False),
)


@dataclass
class Reporter:
    """A connector with its API key and its chain of records."""

    name: str
    key: str
    seq: int = 0
    prev: Twin | None = None
    latencies: list[float] = field(default_factory=list)
    last: tuple[bytes, bytes] = (b"", b"")

    def requests(self, number: int) -> list[tuple[bytes, bytes]]:
        """The next records of the chain: (record, whole HTTP request)."""
        made = []
        for _ in range(number):
            self.seq += 1
            data = encode(_record(self.name, self.seq, self.prev))
            self.prev = Twin.of(twin(data))
            head = (
                f"POST {RECORD_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            )
            made.append((data, head.encode() + data))
        return made


def single_intake(runs: int = RUNS) -> dict[str, Any]:
    """Records per second and latencies through the real route and through the plain one, medians of `runs`."""
    with tempfile.TemporaryDirectory() as folder, processes(Path(folder) / "logs") as children:
        home = Path(folder) / "home"
        reporters, operator = _install(home)
        rates: dict[str, list[float]] = {}
        delays: dict[str, list[float]] = {}
        ports = {"held": free_port(), "plain": free_port()}
        own = ["--home", str(home), "--port", str(ports["held"])]
        children.python("held", "api", "serve", *own, ready=answers(f"http://127.0.0.1:{ports['held']}/api/log"))
        own = ["plain", str(home), str(ports["plain"])]
        ready = answers(f"http://127.0.0.1:{ports['plain']}/ready")
        children.python("plain", "scripts.bench.single", *own, ready=ready)
        for run in range(runs + 1):
            number = EACH if run else 20
            for name, port in ports.items():
                work = [reporter.requests(number) for reporter in reporters]
                seconds = uvloop.run(_storm(port, reporters, work))
                if run:
                    rates.setdefault(name, []).append(len(reporters) * number / seconds)
                    taken = [delay for reporter in reporters for delay in reporter.latencies]
                    cuts = statistics.quantiles(taken, n=100)
                    delays.setdefault(f"{name}_p50", []).append(1_000 * cuts[49])
                    delays.setdefault(f"{name}_p99", []).append(1_000 * cuts[98])
                if name == "held":
                    for reporter in reporters:
                        data, answer = reporter.last
                        document = HeldAnswer.of_document(canonical.decode(answer))
                        document.verify(data, operator.by, operator.sm2.public)
    held, plain = statistics.median(rates["held"]), statistics.median(rates["plain"])
    return {
        "single_intake_records_per_s": round(held),
        "single_intake_p50_ms": round(statistics.median(delays["held_p50"]), 1),
        "single_intake_p99_ms": round(statistics.median(delays["held_p99"]), 1),
        "plain_records_per_s": round(plain),
        "plain_p50_ms": round(statistics.median(delays["plain_p50"]), 1),
        "plain_p99_ms": round(statistics.median(delays["plain_p99"]), 1),
        "ratio_to_plain": round(plain / held, 2),
        "runs": {name: [round(rate) for rate in found] for name, found in rates.items()},
        "recipe": " ".join((__doc__ or "").split()),
    }


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, reporter: Reporter, work: list[tuple[bytes, bytes]], done: asyncio.Future[None]) -> None:
        self._reporter, self._work, self._done, self._place, self._buffer = reporter, work, done, 0, b""
        self._sent = 0.0
        reporter.latencies.clear()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            return
        self._reporter.latencies.append(time.perf_counter() - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(RuntimeError(self._buffer.decode(errors="replace")))
            self._transport.close()
            return
        self._reporter.last = (self._work[self._place][0], body)
        self._buffer, self._place = b"", self._place + 1
        if self._place == len(self._work):
            self._transport.close()
            self._done.set_result(None)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or RuntimeError("connection closed"))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._work[self._place][1])


async def _storm(port: int, reporters: list[Reporter], work: list[list[tuple[bytes, bytes]]]) -> float:
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in reporters]
    started = time.perf_counter()
    for reporter, requests, end in zip(reporters, work, ends, strict=True):
        await loop.create_connection(lambda r=reporter, q=requests, e=end: _Connection(r, q, e), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return time.perf_counter() - started


def _install(home: Path) -> tuple[list[Reporter], keyfiles.KeyFile]:
    """An installation with an agency that owns the connectors; no chain is asked, so its addresses are placeholders."""
    home.mkdir()
    for name in bootstrap.KEY_FILES:
        keyfiles.create(home / "keys" / name, f"party:{AGENCY if name == bootstrap.AGENCY_KEYS else OPERATOR}")
    addresses = {name: f"0x{number:040x}" for number, name in enumerate(ADDRESSES, 1)}
    deployment = {"chainId": 31337, "timeUnit": 1, "firstBlock": 1, "addresses": addresses, "codeHashes": {}}
    (home / "deployment.json").write_text(json.dumps(deployment))
    authority = AuthoritySettings(url="http://127.0.0.1:9", uscc=AUDITOR, name="演示", sm2=sm.generate().public)
    made = Settings(
        home=home, origin="shuqing/bench", rpc_url="http://127.0.0.1:9", agency=AGENCY, operator=OPERATOR,
        agency_name="演示", agency_region="33", agency_digit="1", agency_catalogue_no="演示",
        deposit_authority=authority,
    )  # fmt: skip
    settings.save(made)
    bootstrap.migrate(made.database)
    system = bootstrap.build(made)
    at, by = system.clock(), f"party:{AGENCY}"
    reporters = []
    with jobs.transaction(system) as session:

        def signed(kind: str, subject: str, body: Any) -> Signed:
            statement = Statement(kind, subject, 0, None, body_of(body))
            return Signed(statement, (signing.sign_sm2(system.agency.sm2, statement, by=by),))

        party = Party("演示", PartyKind.LEGAL, AGENCY, system.agency.sm2.public, system.agency.address, ("agency",))
        admitting.register_party(session, system.house, signed("party/v1", by, party), at=at)
        for number in range(CONNECTIONS):
            name = f"bench-{number:02}"
            body = Connector(AGENCY, sm.generate().public, "bench")
            admitting.register_connector(
                session, system.house, signed("connector/v1", f"connector:{name}", body), at=at
            )
            reporters.append(Reporter(name, issue(session, f"connector:{name}", at=at)))
    system.engine.dispose()
    system.reader.dispose()
    return reporters, system.operator


def _record(connector: str, seq: int, prev: Twin | None) -> UsageRecord:
    return UsageRecord(
        connector=connector, seq=seq, agreement="a" * 64, revision=1, agr_seq=seq, side=Side.PROVIDE,
        direction=Direction.CONSUMPTION, request_id=secrets.token_hex(12), occurred_at=int(time.time()),
        listing="b" * 32, version=1, certificate="SJ3312026080001", policy="c" * 64, purpose="research",
        user_ref=secrets.token_hex(32), request=secrets.token_hex(32), counted=seq, decision=Decision.ALLOW,
        reasons=(), unit="call", quantity=1, billable=True, bytes=1_024, latency_ms=3, status=StatusClass.OK,
        salt=secrets.token_hex(32), prev=prev,
    )  # fmt: skip


def serve_plain(home: Path, port: int) -> None:
    """The server of the comparison."""
    system = bootstrap.build(settings.load(home))
    PLAIN.create(system.engine, checkfirst=True)

    def store(session: Session, rows: Sequence[dict[str, Any]]) -> list[bytes]:
        session.execute(insert(PLAIN), list(rows))
        return [b'{"stored":true}'] * len(rows)

    app = FastAPI()
    group = GroupCommit(system.engine, store)
    known = auth.callers(system.reader, system.clock)

    @app.get("/ready")
    async def ready() -> Response:
        return Response(b"{}")

    @app.post(RECORD_PATH)
    async def take(request: Request) -> Response:
        await known.get(auth.key_of(request))
        body = await read_body(request)
        value = msgspec.json.decode(body)
        answer = await group.take({"connector": value["connector"], "seq": value["seq"], "bytes": body})
        return Response(answer, media_type="application/json")

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def main() -> int:
    """Prints the results as JSON; with "plain HOME PORT" it is the server of the comparison."""
    if sys.argv[1:2] == ["plain"]:
        serve_plain(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "results": single_intake()}, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
