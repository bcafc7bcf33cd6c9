"""Batch intake of real usage records, durable, unique, signed and provable, beside the same rows without evidence.

Recipe, the same for SQLite (WAL, synchronous=FULL) and PostgreSQL (fsync and synchronous_commit on):
1. An installation with one agreement and one connector a worker; batches of 1,000 `clearing.usage.record.UsageRecord`
   (about 975 bytes each) are made and signed beforehand and lie in memory as the bytes a connector sends.
2. Evidence: each worker process takes its batches as the route does: `read_batch` (canonical profile, hashes, twin
   root, record chain, ranges, SM2 signature), then one transaction of the program's own engine with `service.admit`
   (connector's key on record, number and link, overlap, classification against the agreement, fact, parts, outbox,
   rows, signed promise) and its commit. Measured from a common start to the last commit, with one and two workers.
3. Plain: the same rows, ready as tuples, into the same table of the same database, 1,000 a commit, nothing else.
4. Where the time goes: CPU microseconds a record of each step in one process, medians over single batches.
5. HTTP: `shuqing serve` as one process and as two on one database, four client threads in a process of their own;
   server and clients share the cores.

Evidence and plain alternate, `RUNS` times each; medians, and the best run, because other work on the machine only ever
slows a run. The tables grow through all runs; the number of rows at the end is printed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import bootstrap, memory, settings
from clearing.usage import service, tables
from clearing.usage.batch import Received, read_batch
from clearing.usage.record import read_records
from ledger import bulk
from ledger.facts import Parts
from scripts.demo.world import processes
from tests.clearing.market.house import NOW
from tests.services.server import postgresql
from tests.usage_world import Source, World, world

RUNS = 5
SIZE = 1_000
BATCHES = 20
"""Batches a worker takes in one run."""
CLIENTS = 4


@dataclass(frozen=True)
class Rate:
    """Records per second: the median of the runs and the best of them."""

    median: int
    best: int

    @classmethod
    def of(cls, seconds: Sequence[float], records: int) -> Rate:
        return cls(round(records / statistics.median(seconds)), round(records / min(seconds)))


def batch_intake(database_url: str | None = None) -> dict[str, Any]:
    """The numbers of one database: an empty one at this address, or an SQLite file in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        made = world(Path(folder) / "home", 4, database_url or "")
        try:
            return _measure(made, Path(folder))
        finally:
            made.close()


def http_intake(database_url: str | None = None) -> dict[str, Any]:
    """The same over HTTP, with one and two server processes."""
    with tempfile.TemporaryDirectory() as folder:
        made = world(Path(folder) / "home", CLIENTS, database_url or "")
        try:
            return {f"http_{servers}_process": vars(_http(made, Path(folder), servers)) for servers in (1, 2)}
        finally:
            made.close()


def _measure(made: World, folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for workers in (1, 2):
        sources = made.sources[:workers] if workers == 1 else made.sources[1:3]
        seconds: dict[str, list[float]] = {"evidence": [], "plain": []}
        for run in range(RUNS + 1):
            files = [_write(folder / f"{workers}-{run}-{n}", source) for n, source in enumerate(sources)]
            for mode, found in seconds.items():
                found.append(_run(made.home, mode, files))
        records = workers * BATCHES * SIZE
        rates = {mode: Rate.of(found[1:], records) for mode, found in seconds.items()}  # the first run warms up
        results[f"{workers}_worker"] = {
            **{mode: vars(rate) for mode, rate in rates.items()},
            "ratio": round(rates["plain"].median / rates["evidence"].median, 2),
        }
    results["cpu_us_per_record"] = _steps(made, made.sources[3])
    results["record_bytes"] = len(made.sources[3].records(1)[0].data)
    with Session(made.system.reader) as session:
        results["rows_at_the_end"] = session.execute(select(func.count()).select_from(tables.record)).scalar_one()
    return results


def _write(folder: Path, source: Source) -> Path:
    """A worker's batches of one run, one file each."""
    folder.mkdir()
    for number in range(BATCHES):
        (folder / f"{number:04d}").write_bytes(source.body(SIZE))
    return folder


def _run(home: Path, mode: str, folders: Sequence[Path]) -> float:
    """Seconds from the common start of the worker processes to the end of the last one."""
    context = multiprocessing.get_context("spawn")
    start, end = context.Barrier(len(folders) + 1), context.Barrier(len(folders) + 1)
    children = [context.Process(target=_worker, args=(home, mode, folder, start, end)) for folder in folders]
    for child in children:
        child.start()
    start.wait(120)
    started = time.perf_counter()
    end.wait(120)
    taken = time.perf_counter() - started
    for child in children:
        child.join()
    return taken


def _worker(home: Path, mode: str, folder: Path, start: Barrier, end: Barrier) -> None:
    system = bootstrap.build(settings.load(home))
    bodies = [file.read_bytes() for file in sorted(folder.iterdir())]

    def evidence(body: bytes) -> None:
        received = read_batch(body)
        with Session(system.engine) as session:
            answer = service.admit(session, received, signer=system.operator.signer, at=NOW + 60)
            session.commit()
        assert isinstance(answer, service.Admission)
        assert not answer.replayed

    def plain(rows: list[tuple[Any, ...]]) -> None:
        with Session(system.engine) as session:
            bulk.insert_rows(session, tables.record, rows)
            session.commit()

    work: Callable[[Any], None] = evidence if mode == "evidence" else plain
    items: list[Any] = bodies if mode == "evidence" else [_rows(read_batch(body)) for body in bodies]
    with system.engine.connect():
        pass
    memory.settle()  # as `shuqing serve` does
    start.wait(120)
    for item in items:
        work(item)
    end.wait(120)


def _rows(received: Received) -> list[tuple[Any, ...]]:
    """The rows that admission writes, under the name of another connector."""
    no = received.signed.statement.no
    return [
        ("plain-" + r.connector, r.seq, r.agreement, r.revision, r.side.value, r.request_id, r.occurred_at, r.unit,
         r.quantity, r.decision.value, r.status.value, r.latency_ms, no, "OK", digest.hex())
        for r, digest in zip(received.batch.records, received.batch.parts.sha256, strict=True)
    ]  # fmt: skip


def _steps(made: World, source: Source) -> dict[str, float]:
    """CPU microseconds a record, of this process alone: with PostgreSQL the server's come on top."""
    spent: dict[str, list[float]] = {}

    def lap(name: str, work: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = work()
        spent.setdefault(name, []).append(time.process_time() - started)
        return result

    signer = made.system.operator.signer
    for _ in range(BATCHES):
        body = source.body(SIZE)
        received = lap("read_batch", lambda body=body: read_batch(body))
        data = received.batch.parts.data
        lap("of it: hashes and twin root", lambda data=data: Parts.of(data))
        lap("of it: decode, encode again, compare", lambda data=data: read_records(data))
        with Session(made.system.engine) as session:
            lap("admit", lambda r=received, s=session: service.admit(s, r, signer=signer, at=NOW + 60))
            lap("commit", session.commit)
    return {name: round(1e6 * statistics.median(found[2:]) / SIZE, 1) for name, found in spent.items()}


def _http(made: World, folder: Path, servers: int) -> Rate:
    context = multiprocessing.get_context("spawn")
    seconds = []
    with processes(folder / f"logs-{servers}") as children:
        urls = []
        for number in range(servers):
            made.port = 0
            made.serve(children, f"server-{number}")
            urls.append(made.url)
        tokens = [source.token for source in made.sources]
        for run in range(RUNS + 1):
            folders = [_write(folder / f"http-{servers}-{run}-{n}", source) for n, source in enumerate(made.sources)]
            with context.Pool(1) as pool:
                seconds.append(pool.apply(_post, (urls, tokens, folders)))
    return Rate.of(seconds[1:], len(made.sources) * BATCHES * SIZE)


def _post(urls: Sequence[str], tokens: Sequence[str], folders: Sequence[Path]) -> float:
    """Seconds for the clients of one run, each a thread with its own connector, server by server in turn."""
    bodies = [[file.read_bytes() for file in sorted(folder.iterdir())] for folder in folders]
    turn = count()

    def client(token: str, work: list[bytes]) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        url = urls[next(turn) % len(urls)]
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
            for body in work:
                assert http.post("/api/usage/batches", content=body).status_code == 200

    started = time.perf_counter()
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(client, tokens, bodies))
    return time.perf_counter() - started


def main() -> int:
    """Every number of this file, on SQLite and on a PostgreSQL server of its own."""
    results: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0], "runs": RUNS}
    print("… SQLite", file=sys.stderr)
    results["sqlite"] = batch_intake() | http_intake()
    with postgresql(durable=True) as server:
        print("… PostgreSQL", file=sys.stderr)
        results["postgresql"] = batch_intake(server.database()) | http_intake(server.database())
    results["load_after"] = os.getloadavg()[0]
    print(json.dumps(results, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
