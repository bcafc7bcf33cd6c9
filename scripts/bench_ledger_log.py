"""What the log costs: building it, rebuilding it, proofs out of it, and how soon an entry is provable.

Each function answers numbers with the recipe that made them; `python -m scripts.bench_ledger_log` prints all of them.
Everything runs on SQLite as the application opens it (WAL, synchronous=FULL). Memory is the peak resident size of a
process of its own (ru_maxrss), interpreter and imports included; times are medians over `RUNS` runs.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from api import jobs
from api.bootstrap import engine as make_engine
from ledger import canonical, checkpoint, log, merkle, outbox, signing, sm, store, tables, tiles
from ledger.checkpoint import LogKeys
from ledger.facts import Fact, PartsRoot, Signature, Signed, Statement
from ledger.merkle import Flat
from scripts.bench_spine import NOW, ORIGIN, RUNS, timed

LEAVES = 10_000_000
ENTRIES = 1_000_000
SLICE = 100_000
PROOFS = 200
LEDGER = [
    tables.fact, tables.part, tables.subject_secret, tables.outbox, tables.entry, tables.tile, tables.head,
]  # fmt: skip

SECONDS = 15
"""How long one run of `accepted_to_provable` takes facts in."""
BATCHES = 20
"""Batches a second it offers."""
PARTS = 200
"""Records of a batch: 4,000 records a second."""
SINGLES = 10
"""Facts admitted beside each batch in the same transaction: 220 entries a second."""


def build_10m_memory() -> dict[str, Any]:
    """Peak memory and seconds of growing the tree to 10^7 leaves in transactions of 100,000."""
    _, figures = _ten_million()
    return {
        "recipe": f"{LEAVES:,} leaves, each the twin digest of a canonical record, streamed through log.grow into an "
        f"empty database, one commit per {SLICE:,}; one run in a fresh process",
        **figures,
    }


def proofs() -> dict[str, Any]:
    """Tile reads and time of proofs out of the tree of 10^7 leaves, each with a reader that knows nothing yet."""
    folder, _ = _ten_million()
    engine = _engine(folder)
    reads: list[int] = []
    with Session(engine) as session:
        root = merkle.root(log.reader(session), LEAVES)

        def counted() -> merkle.Read:
            reads.append(0)

            def load(level: int, position: int) -> Flat:
                reads[-1] += 1
                return log.load(session, level, position)

            return tiles.reader(load)

        def inclusion() -> None:
            for _ in range(PROOFS):
                index, read = secrets.randbelow(LEAVES), counted()
                path = merkle.inclusion_path(read, index, LEAVES)
                assert merkle.verify_inclusion(read(0, index), index, LEAVES, path, root)

        def consistency() -> None:
            for _ in range(PROOFS):
                merkle.consistency_path(counted(), secrets.randbelow(LEAVES), LEAVES)

        def one_reader() -> None:
            read = log.reader(session)
            for _ in range(PROOFS):
                merkle.inclusion_path(read, LEAVES - 1 - secrets.randbelow(5_000), LEAVES)

        def rows() -> None:
            for _ in range(PROOFS):
                log.load(session, 0, secrets.randbelow(LEAVES // tiles.WIDTH))

        figures = {
            "inclusion_ms": _median_ms(inclusion, PROOFS),
            "consistency_ms": _median_ms(consistency, PROOFS),
            "inclusion_ms_newest_5000_one_reader": _median_ms(one_reader, PROOFS),
            "one_row_read_ms": _median_ms(rows, PROOFS),
            "most_tile_reads": max(reads),
        }
    engine.dispose()
    return {
        "recipe": f"{PROOFS} random places in the tree of {LEAVES:,} leaves, a fresh reader for each (inclusion: "
        f"verified too), median of {RUNS} runs; beside it reading one tile row and nothing else",
        **figures,
    }


def rebuild_million() -> dict[str, Any]:
    """Seconds and peak memory of making the tree again from 10^6 stored facts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _child("million", folder, ENTRIES)
        runs = [_child("rebuild", folder, ENTRIES) for _ in range(RUNS)]
    return {
        "recipe": f"{ENTRIES:,} canonical facts in the log (one signature serves all: a rebuild reads digests, not "
        f"signatures), tiles thrown away, log.rebuild and commit; each run a fresh process, median of {RUNS}; "
        "beside it reading the same digests in log order without hashing them",
        "seconds": _median(run["seconds"] for run in runs),
        "plain_read_seconds": _median(run["plain_read_seconds"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
    }


def accepted_to_provable() -> dict[str, Any]:
    """p99 from the commit that takes an entry in to the commit of the signed head that covers it, under load."""
    runs = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as name:
            runs.append(_load(Path(name)))
    return {
        "recipe": f"{BATCHES} transactions a second for {SECONDS} s, each one signed fact with {PARTS} records as "
        f"parts (signature checked, root recomputed) and {SINGLES} single facts; beside them the worker's step "
        f"jobs.seal (integrate, commit, seal, commit), again after 50 ms; {RUNS} runs, median of their p99",
        "p99_s": _median(run["p99"] for run in runs),
        "p50_s": _median(run["p50"] for run in runs),
        "worst_s": max(run["worst"] for run in runs),
        "entries_per_s": round(_median(run["entries_per_s"] for run in runs)),
        "records_per_s": round(_median(run["records_per_s"] for run in runs)),
        "heads": round(_median(run["heads"] for run in runs)),
    }


# --- parts ------------------------------------------------------------------------------------------------------------


def _engine(folder: Path) -> Engine:
    made = make_engine(f"sqlite:///{folder / 'log.db'}", write=True)
    tables.metadata.create_all(made, tables=LEDGER)
    return made


@cache
def _ten_million() -> tuple[Path, dict[str, Any]]:
    """The database of 10^7 leaves, built once a process, and what building it took."""
    folder = Path(_kept().name)
    return folder, _child("build", folder, LEAVES)


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _child(task: str, folder: Path, count: int) -> dict[str, Any]:
    """One task in a process of its own; its figures."""
    command = [sys.executable, "-m", "scripts.bench_ledger_log", task, str(folder), str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _build(folder: Path, count: int) -> dict[str, Any]:
    engine = _engine(folder)

    def leaves(first: int, end: int) -> Iterator[bytes]:
        empty = hashlib.new("sm3")
        for number in range(first, end):
            record = b'{"no":%d}' % number
            state = empty.copy()
            state.update(record)
            yield hashlib.sha256(record).digest() + state.digest()

    def work() -> None:
        for first in range(0, count, SLICE):
            with Session(engine) as session:
                log.grow(session, first, leaves(first, min(first + SLICE, count)))
                session.commit()

    seconds = timed(work)
    with Session(engine) as session:
        pages, size = (session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
    engine.dispose()
    return {"peak_mb": _peak_mb(), "seconds": round(seconds, 1), "leaves_per_s": round(count / seconds),
            "database_bytes_per_leaf": round(pages * size / count, 1)}  # fmt: skip


def _million(folder: Path, count: int) -> dict[str, Any]:
    """Facts and their places in the log, without tiles."""
    engine = _engine(folder)
    key = sm.generate()
    first = Statement("bench/v1", "entry:0", 0, None, {"n": 0})
    signature = signing.sign_sm2(key, first, by="party:bench")
    for start in range(0, count, SLICE):
        facts = [_fact_row(number, signature) for number in range(start, min(start + SLICE, count))]
        with Session(engine) as session:
            session.execute(insert(tables.fact), facts)
            entries = [{"log_index": start + i, "fact_id": row["id"]} for i, row in enumerate(facts)]
            session.execute(insert(tables.entry), entries)
            session.commit()
    engine.dispose()
    return {}


def _fact_row(number: int, signature: Signature) -> dict[str, Any]:
    statement = Statement("bench/v1", f"entry:{number}", 0, None, {"n": number})
    fact = Fact(statement, (signature,), NOW, "0" * 64)
    digest, stated = fact.digest(), statement.digest()
    return {
        "id": digest.sha256.hex(), "sm3": digest.sm3.hex(), "kind": fact.kind, "subject": fact.subject, "no": 0,
        "statement_sha256": stated.sha256.hex(), "statement_sm3": stated.sm3.hex(), "at": NOW, "bytes": fact.bytes(),
    }  # fmt: skip


def _rebuild(folder: Path, count: int) -> dict[str, Any]:
    engine = _engine(folder)

    def plain() -> None:
        with Session(engine) as session:
            assert sum(1 for _ in log.leaves(session)) == count

    def work() -> None:
        with Session(engine) as session:
            assert log.rebuild(session) == count
            session.commit()

    read, seconds = timed(plain), timed(work)
    engine.dispose()
    return {"seconds": round(seconds, 2), "plain_read_seconds": round(read, 2), "peak_mb": _peak_mb()}


def _load(folder: Path) -> dict[str, float]:
    """One run: who takes in notes when each entry was accepted, who seals notes what each head covers and when."""
    engine = _engine(folder)
    keys = LogKeys(ORIGIN, checkpoint.generate_ed25519(), sm.generate())
    key = sm.generate()
    offers = [_offer(key) for _ in range(BATCHES * SECONDS)]
    accepted: dict[str, float] = {}
    heads: list[tuple[int, float]] = []
    ended = threading.Event()

    def take_in() -> None:
        started = time.perf_counter()
        for number, batch in enumerate(offers):
            wait = started + number / BATCHES - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            with Session(engine) as session:
                ids = []
                for signed, parts in batch:
                    if parts:
                        signing.require_sm2(signed.statement, signed.signatures, by="party:bench", key=key.public)
                    ids.append(store.append(session, signed, at=NOW, parts=parts).fact.id)
                session.commit()
            accepted.update(dict.fromkeys(ids, time.perf_counter()))
        ended.set()

    worker: Any = SimpleNamespace(engine=engine, log_keys=keys, clock=lambda: int(time.time()))

    def seal() -> None:
        while True:
            last = ended.is_set()
            _, size = jobs.seal(worker)
            if size:
                heads.append((size, time.perf_counter()))
            if last:
                return
            ended.wait(0.05)

    workers = [threading.Thread(target=take_in), threading.Thread(target=seal)]
    seconds = timed(lambda: [[worker.start() for worker in workers], [worker.join() for worker in workers]])
    with Session(engine) as session:
        assert outbox.backlog(session) == 0
        order = [leaf[:32].hex() for leaf in log.leaves(session)]
    engine.dispose()
    assert len(order) == len(accepted) == heads[-1][0]
    covering = iter(heads)
    size, sealed = next(covering)
    waits = []
    for index, fact_id in enumerate(order):
        while size <= index:
            size, sealed = next(covering)
        waits.append(sealed - accepted[fact_id])
    waits.sort()
    return {
        "p99": waits[math.ceil(0.99 * len(waits)) - 1], "p50": waits[len(waits) // 2], "worst": waits[-1],
        "entries_per_s": len(order) / seconds, "records_per_s": len(offers) * PARTS / seconds, "heads": len(heads),
    }  # fmt: skip


def _offer(key: sm.Sm2Key) -> list[tuple[Signed, tuple[bytes, ...]]]:
    parts = tuple(canonical.encode({"n": number, "salt": secrets.token_hex(32)}) for number in range(PARTS))
    batch = Statement("bench/v1", f"batch:{secrets.token_hex(8)}", 0, None, {}, PartsRoot.over(parts))
    signature = signing.sign_sm2(key, batch, by="party:bench")
    singles = [Statement("bench/v1", f"entry:{secrets.token_hex(8)}", 0, None, {}) for _ in range(SINGLES)]
    return [(Signed(batch, (signature,)), parts), *((Signed(single, (signature,)), ()) for single in singles)]


def _median(values: Iterator[float]) -> float:
    return round(statistics.median(values), 3)


def _median_ms(work: Callable[[], None], count: int) -> float:
    return _median(1_000 * timed(work) / count for _ in range(RUNS))


def main() -> int:
    if len(sys.argv) > 1:
        task = {"build": _build, "million": _million, "rebuild": _rebuild}[sys.argv[1]]
        print(json.dumps(task(Path(sys.argv[2]), int(sys.argv[3]))))
        return 0
    results = {}
    for measure in (accepted_to_provable, rebuild_million, build_10m_memory, proofs):
        print(f"… {measure.__name__}", file=sys.stderr)
        results[measure.__name__] = measure()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "runs": RUNS, "results": results}, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
