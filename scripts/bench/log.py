"""What the log costs: building it, rebuilding it, and proofs out of it.

Each function answers numbers with the recipe that made them; `python -m scripts.bench.log` prints all of them.
Everything runs on SQLite as the application opens it (WAL, synchronous=FULL). Memory is the peak resident size of a
process of its own (ru_maxrss), interpreter and imports included; times are medians over `RUNS` runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from api import memory
from api.bootstrap import engine as make_engine
from ledger import log, merkle, rebuild, signing, sm, subject_map, tables, tiles
from ledger.facts import Fact, Signature, Statement
from ledger.merkle import Flat
from scripts.bench import NOW, ORIGIN, RUNS

LEAVES = 10_000_000
ENTRIES = 1_000_000
SLICE = 100_000
PROOFS = 200
LEDGER = [
    tables.fact, tables.part, tables.subject_secret, tables.outbox, tables.entry, tables.tile, tables.head,
    tables.chain_receipt, tables.map_leaf, tables.map_node,
]  # fmt: skip


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
            "inclusion_cpu_ms": _median(1_000 * timed(inclusion, time.process_time) / PROOFS for _ in range(RUNS)),
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
    """Seconds and peak memory of making tree and subject map again from 10^6 stored facts, every fact read.

    The database is filled once and rebuilt `RUNS` times: each run throws away what the one before has made.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filling = timed(lambda: _child("million", folder, ENTRIES))
        runs = []
        for number in range(1, RUNS + 1):
            runs.append(_child("rebuild", folder, ENTRIES))
            print(f"… rebuild {number} of {RUNS}: {runs[-1]['seconds']} s", file=sys.stderr, flush=True)
    return {
        "recipe": f"{ENTRIES:,} canonical facts in the log (one signature serves all: a rebuild reads digests, not "
        f"signatures), each of a subject of its own, with a stated subject map over them; the steps of `shuqing "
        "reindex`: every fact read and decoded in log order, tiles and map thrown away and made again, commit; each "
        f"run a fresh process on the one database, median of {RUNS}; beside it reading the same digests in log "
        "order without hashing them; peak_mb is the largest of all runs, wall_seconds what this took altogether",
        **{name: _median(run[name] for run in runs) for name in runs[0] if name != "peak_mb"},
        "peak_mb": max(run["peak_mb"] for run in runs),
        "seconds_of_each_run": [run["seconds"] for run in runs],
        "filling_seconds": round(filling, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
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
    command = [sys.executable, "-m", "scripts.bench.log", task, str(folder), str(count)]
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
    """Facts, their places in the log, tree and stated map: what every run of `_rebuild` starts from."""
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
    with Session(engine) as session:
        log.rebuild(session)
        subject_map.cover(session, ORIGIN, signing.SystemSigner(sm.generate(), "party:bench"), at=NOW)
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
            assert sum(1 for _ in log.leaves(session)) == count + 1

    with Session(engine) as session, memory.uncollected():  # as `shuqing reindex`
        steps = {
            "facts_seconds": lambda: rebuild.fold(session, session, {}),
            "tree_seconds": lambda: log.rebuild(session),
            "map_seconds": lambda: subject_map.rebuild(session, ORIGIN),
            "commit_seconds": session.commit,
        }
        found = {"plain_read_seconds": round(timed(plain), 2)}
        found |= {name: round(timed(step), 2) for name, step in steps.items()}
    engine.dispose()
    seconds = sum(value for name, value in found.items() if name != "plain_read_seconds")
    return {"seconds": round(seconds, 2), **found, "peak_mb": _peak_mb()}


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call by `clock`."""
    started = clock()
    work()
    return clock() - started


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
    for measure in (rebuild_million, build_10m_memory, proofs):
        print(f"… {measure.__name__}", file=sys.stderr)
        results[measure.__name__] = measure()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"machine": machine, "runs": RUNS, "results": results}, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
