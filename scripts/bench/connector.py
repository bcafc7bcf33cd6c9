"""What a connector costs a call, and what it keeps through kill -9: `overhead()`, `buffer()`, or run this module.

Recipe of `overhead`: three processes: a data API (asyncio on uvloop, a fixed answer of some 60 bytes), the connector
as it ships (`python -m api.connector`: SQLite WAL, synchronous=FULL, policy, record and fsync before release), and
this one as the client. The connector has the first core to itself; client and data API share the second. Keep-alive
connections, a request id each, no pipelining. `direct` and `through` take turns: one connection, CALLS (1,000) calls
one after the other, the median of each; `added_ms` is the difference of these medians, beside what one fdatasync of a
thousand bytes takes on the same disk. Then WIDE (64) connections with WIDE_CALLS (50) calls each: calls per second.
Medians of RUNS (7) after a warm-up.

Recipe of `buffer`: RECORDS (10^6) uses put into the connector's book (its own writer, its own fsync, groups of 512)
by a process that is killed with SIGKILL at a third and at two thirds and started again on the same file; every use it
had said was durable must be there. Then the connector as it ships sends them, killed with SIGKILL half way, to a
platform that runs the real intake on SQLite. Counted at the end: records on the platform, gaps and forks, records
sent twice that counted twice. One run.

Recipe of `revocation`: the platform behind a real server, a connector process that watches it; an agreement is
suspended and resumed 20 times by facts committed past HTTP, while calls are made one after the other.

    python -m scripts.bench.connector overhead|revocation|buffer [--records N]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from sqlmodel import Session

from api.connector.agreements import Agreements
from api.connector.settings import load_settings
from api.connector.state import Use, open_book
from clearing.market.agreement import Act, State
from clearing.market.policy import Action, Request, Standing
from clearing.usage import store
from clearing.usage.record import StatusClass
from tests.api.connecting import TOKEN, Process, Scene, platform_handler, serving
from tests.api.watched import dealing

RUNS, CALLS, WIDE, WIDE_CALLS = 7, 1_000, 64, 50
RECORDS = 1_000_000
GROUP = 512
ANSWER = b'{"flights":[{"no":"DEMO1","minute":611},{"no":"DEMO2"}]}'


# what a call costs ----------------------------------------------------------------------------------------------------


class _Api(asyncio.Protocol):
    """The data API: the same answer to everything."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            _, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))


class _Client(asyncio.Protocol):
    """One keep-alive connection: a call, its answer, the next call."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[None]) -> None:
        self._requests, self._done, self._buffer, self._sent = requests, done, b"", 0.0
        self.took: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._requests[len(self.took)])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._buffer.endswith(ANSWER):
            return
        assert self._buffer.startswith(b"HTTP/1.1 200"), self._buffer[:500]
        self._buffer = b""
        self.took.append(time.perf_counter() - self._sent)
        if len(self.took) == len(self._requests):
            self._transport.close()
            self._done.set_result(None)
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError(self._buffer[:500]))


def _requests(number: int) -> list[bytes]:
    return [
        (
            f"GET /flights?hour=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"X-Request-Id: {secrets.token_hex(16)}\r\nX-Purpose: research\r\n\r\n"
        ).encode()
        for _ in range(number)
    ]


async def _calls(port: int, connections: int, each: int) -> tuple[float, list[float]]:
    """Seconds in all, and of each call."""
    loop = asyncio.get_running_loop()
    work = [_requests(each) for _ in range(connections)]
    clients, waiting = [], []
    started = time.perf_counter()
    for requests in work:
        done: asyncio.Future[None] = loop.create_future()
        client = _Client(requests, done)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        clients.append(client)
        waiting.append(done)
    await asyncio.gather(*waiting)
    return time.perf_counter() - started, [took for client in clients for took in client.took]


async def _data_api() -> None:
    server = await asyncio.get_running_loop().create_server(_Api, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def overhead(runs: int = RUNS) -> dict[str, Any]:
    """Milliseconds added to a call, and calls per second on one core."""
    own = os.sched_getaffinity(0)
    first, *others = sorted(own)
    rest = set(others) or {first}
    command = [sys.executable, "-m", "scripts.bench.connector", "data-api"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
        assert api.stdout is not None
        port = int(api.stdout.readline())
        scene = Scene(Path(folder), limit=10**9)
        connector = Process(scene.write_config(f"http://127.0.0.1:{port}", "http://127.0.0.1:9"))
        try:
            for pid, cores in ((api.pid, rest), (0, rest), (connector.process.pid, {first})):
                _pin(pid, cores)
            assert connector.admin("PUT", "/connector/agreements", scene.request()).status_code == 200
            ports = {"direct": port, "through": int(connector.url.rpartition(":")[2])}
            medians: dict[str, list[float]] = {name: [] for name in ports}
            p99: list[float] = []
            cpu: list[float] = []
            rates: list[float] = []
            for run in range(runs + 1):
                for name, where in ports.items():
                    _, took = uvloop.run(_calls(where, 1, CALLS if run else 200))
                    if run:
                        medians[name].append(1_000 * statistics.median(took))
                before = _cpu_seconds(connector.process.pid)
                seconds, took = uvloop.run(_calls(ports["through"], WIDE, WIDE_CALLS if run else 5))
                if run:
                    cpu.append(1e6 * (_cpu_seconds(connector.process.pid) - before) / (WIDE * WIDE_CALLS))
                    rates.append(WIDE * WIDE_CALLS / seconds)
                    p99.append(1_000 * statistics.quantiles(took, n=100)[98])
            synced = _fsync_ms(Path(folder) / "state" / "plain")
            kept = connector.admin("GET", "/connector/status").json()["records"]
            assert kept == 200 + CALLS * runs + WIDE * (5 + WIDE_CALLS * runs), kept
        finally:
            _pin(0, own)
            connector.kill()
            connector.http.close()
            scene.house.close()
            api.kill()
    direct, through = (statistics.median(medians[name]) for name in ("direct", "through"))
    return {
        "direct_ms": round(direct, 3),
        "through_ms": round(through, 3),
        "added_ms": round(through - direct, 3),
        "of_it_one_fsync_ms": round(synced, 3),
        "calls_per_s": round(statistics.median(rates)),
        "cpu_us_per_call": round(statistics.median(cpu)),
        "wide_p99_ms": round(statistics.median(p99), 1),
        "runs": {"through_ms": [round(value, 3) for value in medians["through"]], "rates": [round(r) for r in rates]},
        "recipe": " ".join((__doc__ or "").split()),
    }


def _fsync_ms(place: Path) -> float:
    """Milliseconds of writing a record's bytes behind others and waiting until the disk has them: no use is cheaper."""
    took = []
    with place.open("wb", buffering=0) as file:
        for _ in range(CALLS):
            started = time.perf_counter()
            file.write(b"x" * 1_000)
            os.fdatasync(file.fileno())
            took.append(1_000 * (time.perf_counter() - started))
    return statistics.median(took)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pin(pid: int, cores: set[int]) -> None:
    """Every thread of a process to these cores."""
    for thread in os.listdir(f"/proc/{pid or os.getpid()}/task"):
        os.sched_setaffinity(int(thread), cores)


# what is kept ---------------------------------------------------------------------------------------------------------


async def _fill(config: Path, total: int) -> None:
    """Puts uses into the book until it holds `total`; says how far it is after each durable group."""
    settings = load_settings(config)
    at = int(Path(settings.clock_file).read_text())
    book = open_book(settings)
    (held,) = Agreements(settings, lambda: at, book)
    writer = asyncio.create_task(book.write_forever())
    ask = Request(Action.READ, "research", held.terms.policy.assignee, 1, Standing.EFFECTIVE)
    have = book.counts()["records"]
    while have < total:
        uses = []
        for number in range(have, min(have + GROUP, total)):
            asked = hashlib.sha256(b"%d" % number).hexdigest()
            outcome, counted = held.meter.take(ask, at)
            uses.append(
                Use(held, held.revision, held.terms, f"offline-{number:09d}", asked,
                    "research", held.terms.policy.assignee, at, counted, outcome, StatusClass.OK, 60, 1)
            )  # fmt: skip
        await asyncio.gather(*(book.keep(use) for use in uses))
        have += len(uses)
        print(have, flush=True)
    writer.cancel()
    book.close()


def _filled(config: Path, total: int, kill_at: int) -> int:
    """Runs the filler until it has said `kill_at`, then SIGKILL; answers the last number it had said was durable."""
    command = [sys.executable, "-m", "scripts.bench.connector", "fill", str(config), str(total)]
    said = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as filler:
        assert filler.stdout is not None
        for line in filler.stdout:
            said = int(line)
            if said >= kill_at and kill_at < total:
                filler.send_signal(signal.SIGKILL)
                break
        return max([said, *(int(line) for line in filler.stdout if line.endswith("\n"))])


def buffer(total: int = RECORDS) -> dict[str, Any]:
    """Records kept through two kills, and sent through a third."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), limit=2**53 - 1)
        with serving(platform_handler(scene.house, scene.gate, scene.clock)) as platform:
            config = scene.write_config("http://127.0.0.1:9", platform, batch_size=1_000)
            connector = Process(config)
            assert connector.admin("PUT", "/connector/agreements", scene.request()).status_code == 200
            connector.kill()
            started, lost = time.monotonic(), 0
            for kill_at in (total // 3, 2 * total // 3, total):
                said = _filled(config, total, kill_at)
                book = open_book(load_settings(config))
                lost += max(0, said - book.counts()["records"])
                book.close()
            filled = time.monotonic() - started
            started = time.monotonic()
            connector.start()
            killed = _killed_while_sending(connector, scene, total // 2)
            connector.start()
            connector.http.timeout = 3_600
            left = connector.flush()
            sent = time.monotonic() - started
            connector.kill()
            connector.http.close()
        with Session(scene.house.engine) as session:
            uses = store.metered_uses(session, scene.agreement)
            ids = {use.request_id for use in uses}
            findings = len(store.findings(session))
        scene.house.close()
    return {
        "records": total,
        "said_durable_and_lost": lost,
        "on_the_platform": len(uses),
        "different_requests": len(ids),
        "findings": findings,
        "left": left["pending"],
        "sent_when_killed": killed,
        "filled_s": round(filled),
        "sent_s": round(sent),
    }


def _killed_while_sending(connector: Process, scene: Scene, batches_after: int) -> int:
    """Lets the connector send, kills it when the platform has seen half; answers how many batches it had seen."""
    request = subprocess.Popen(
        [sys.executable, "-c", "import httpx,sys; httpx.post(sys.argv[1], headers={'Authorization': sys.argv[2]}, "
         "timeout=None)", connector.url + "/connector/flush", "Bearer demo-admin-token"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while len(scene.gate["seen"]) * 1_000 < batches_after:
        time.sleep(0.05)
    connector.kill()
    request.wait()
    return len(scene.gate["seen"])


# how soon it stops --------------------------------------------------------------------------------------------------


def revocation(rounds: int = 20) -> dict[str, Any]:
    """Milliseconds from the commit of a suspension on a real platform to the first call its connector refuses."""
    stopped, resumed = [], []
    with tempfile.TemporaryDirectory() as folder, dealing(Path(folder)) as deal:
        for _ in range(rounds):
            for act, state, answer, took in (
                (Act.SUSPEND, State.SUSPENDED, "UC12", stopped),
                (Act.RESUME, State.EFFECTIVE, "200", resumed),
            ):
                deal.taken(deal.house.by_court(deal.scene.agreement, act, state))
                started = time.perf_counter()
                deal.until(lambda answer=answer: deal.answer() == answer)  # type: ignore[misc]
                took.append(1_000 * (time.perf_counter() - started))
    return {
        "rounds": rounds,
        "suspended_ms": {"median": round(statistics.median(stopped)), "max": round(max(stopped))},
        "resumed_ms": {"median": round(statistics.median(resumed)), "max": round(max(resumed))},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["overhead", "buffer", "revocation", "data-api", "fill"])
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--records", type=int, default=RECORDS)
    given = parser.parse_args()
    if given.what == "data-api":
        uvloop.run(_data_api())
    elif given.what == "fill":
        asyncio.run(_fill(Path(given.rest[0]), int(given.rest[1])))
    else:
        parts = {"overhead": overhead, "revocation": revocation, "buffer": lambda: buffer(given.records)}
        found = parts[given.what]()
        print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
