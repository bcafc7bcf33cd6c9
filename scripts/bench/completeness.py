"""What the map of all subjects costs: proof bytes, update per integrated fact, bulk build; and SM2 checks in batches.

    python -m scripts.bench.completeness [SUBJECTS]

Recipe: SUBJECTS (default 1,000,000) subjects with one fact each stand in `fact` and `entry` of a SQLite file (WAL,
synchronous FULL), digests made up, bodies left out. Bulk: one `subject_map.advance` over all of them, read, sorted,
hashed and inserted, commit included. Update: `advance` over 1, 100 and 5,000 further facts of as many random subjects,
commit included, median of five. Proof: an answer without rows under a map fact at the end of a log of that size, three
witnesses, the largest and the median of 1,000 random subjects present and absent. Baseline of the bulk build: the same
leaf rows inserted without any hash. Processor seconds stand beside, because other programs may share the machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from api.bootstrap import engine
from ledger import checkpoint, sm, subject_map, tables
from ledger.anchoring import Place
from ledger.answer import Answer
from ledger.bundle import Bundle, Proved
from ledger.checkpoint import Checkpoint, LogKeys
from ledger.completeness import key_of, parted, root_of_path
from ledger.digest import TwinDigest, sha256, sm3, twin
from ledger.facts import Fact, Statement
from ledger.signing import SystemSigner

ORIGIN = "shuqing/bench"
ROUNDS = 5
TABLES = [tables.fact, tables.entry, tables.map_leaf, tables.map_node]


def completeness(subjects: int = 1_000_000) -> dict[str, Any]:
    """Proof bytes, bulk build and update at this number of subjects."""
    with tempfile.TemporaryDirectory() as folder:
        made = engine(f"sqlite:///{Path(folder) / 'map.db'}", write=True)
        tables.metadata.create_all(made, tables=TABLES)
        _facts(made, 0, list(range(subjects)), 0)
        cpu = time.process_time()
        bulk = _timed(lambda: _advance(made, 0, subjects))
        cpu = time.process_time() - cpu
        size, updates = subjects, {}
        number = dict.fromkeys(range(subjects), 0)
        for count in (1, 100, 5_000):
            took = []
            for _ in range(ROUNDS):
                chosen = sorted(set(_picked(size, subjects, count)))
                for i in chosen:
                    number[i] += 1
                _facts(made, size, chosen, number)
                spent = _timed(lambda first=size, more=len(chosen): _advance(made, first, first + more))
                took.append(spent / len(chosen))
                size += len(chosen)
            updates[f"update_us_per_fact_of_{count}"] = round(statistics.median(took) * 1e6)
        with Session(made) as session:
            names = [f"subject:{i}" for i in _picked(0, 2 * subjects, 1_000)]
            sizes = [len(_answer(session, name, size).bytes()) for name in names]
        plain = _timed(lambda: _plain(made, subjects))
        made.dispose()
    return {
        "subjects": subjects,
        "proof_bytes_max": max(sizes),
        "proof_bytes_median": round(statistics.median(sizes)),
        "bulk_build_s": round(bulk, 1),
        "bulk_build_cpu_s": round(cpu, 1),
        "bulk_rows_without_hashes_s": round(plain, 1),
        **updates,
    }


def verify_rates(count: int = 2_000) -> dict[str, Any]:
    """SM2 checks a second: one after the other, in threads, in processes; a signature over a fresh message each."""
    key = sm.generate()
    items = [(key.public, message, sm.sign(key, message)) for message in (sm3(b"%d" % i) for i in range(count))]
    workers = os.cpu_count() or 1
    parts = [items[i::workers] for i in range(workers)]
    with ThreadPoolExecutor(workers) as threads, ProcessPoolExecutor(workers) as processes:
        list(processes.map(_verified, parts))  # workers up and running
        ways: dict[str, Callable[[], Any]] = {
            "one_by_one": lambda: _verified(items),
            "threads": lambda: list(threads.map(_verified, parts)),
            "processes": lambda: list(processes.map(_verified, parts)),
        }
        took = {name: statistics.median(_timed(way) for _ in range(ROUNDS)) for name, way in ways.items()}
    return {"workers": workers} | {f"sm2_verify_{name}_per_s": round(count / seconds) for name, seconds in took.items()}


def _verified(items: Any) -> bool:
    return all(sm.verify(public, message, value) for public, message, value in items)


def _picked(seed: int, below: int, count: int) -> list[int]:
    """The same scattered numbers at every run."""
    return [int.from_bytes(sha256(b"%d.%d" % (seed, i))[:8], "big") % below for i in range(count)]


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _advance(made: Engine, first: int, size: int) -> None:
    with Session(made) as session:
        subject_map.advance(session, first, size, first)
        session.commit()


def _facts(made: Engine, first: int, subjects: list[int], number: Any) -> None:
    """Facts of these subjects with their places in the log from `first` on."""
    rows = []
    for place, i in enumerate(subjects, first):
        digest = sha256(b"%d" % place).hex()
        no = number[i] if isinstance(number, dict) else number
        rows.append((digest, digest, "bench/v1", f"subject:{i}", no, digest, digest, 0, place))
    with made.begin() as connection:
        raw = connection.connection.cursor()
        raw.executemany(
            "INSERT INTO fact (id, sm3, kind, subject, no, statement_sha256, statement_sm3, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [row[:8] for row in rows],
        )
        raw.executemany("INSERT INTO entry (log_index, fact_id) VALUES (?, ?)", [(row[8], row[0]) for row in rows])


def _plain(made: Engine, subjects: int) -> None:
    rows = [{"key": sha256(b"%d" % i) * 2, "size": -1, "count": 1, "last": bytes(64)} for i in range(subjects)]
    with Session(made) as session:
        session.execute(insert(tables.map_leaf), sorted(rows, key=lambda row: row["key"]))
        session.commit()


def _answer(session: Session, subject: str, size: int) -> Answer:
    """An answer without rows, its bundle as large as one from a log of `size` entries."""
    leaf, siblings = subject_map.prove(session, subject, size)
    root = root_of_path(key_of(subject), leaf, siblings)
    assert root is not None
    key = sm.from_private(b"\x01" * 32)
    body = {"root": parted(root).document(), "size": size, "subjects": size}
    statement = Statement(subject_map.KIND, subject_map.subject_of(ORIGIN), 1, twin(b""), body)
    signed = SystemSigner(key, "party:91330000MA00000000").sign(statement)
    fact = Fact(statement, (signed,), 1_785_718_800, "0" * 64)
    step = TwinDigest(sha256(b""), sm3(b""))
    keys = LogKeys(ORIGIN, b"\x01" * 32, key)
    note = checkpoint.sign_note(Checkpoint(ORIGIN, size + 1, step, 1_785_718_800), keys)
    witnesses = [checkpoint.cosign(note, f"witness.{i}", bytes([i]) * 32, 1_785_718_800) for i in (1, 2, 3)]
    place = Place(31337, "0x" + "0" * 40, "0x" + "0" * 64, 1_000_000)
    proved = Proved(fact, size, (step,) * size.bit_length())
    bundle = Bundle(proved, checkpoint.add_lines(note, witnesses), place)
    return Answer(subject, bundle, leaf, tuple(parted(one) for one in siblings), (), ())


def main() -> None:
    """Prints both results as JSON with the machine."""
    subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({"machine": machine, **completeness(subjects), **verify_rates()}, indent=2))


if __name__ == "__main__":
    main()
