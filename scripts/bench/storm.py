"""The exactly-once storm: events sent again and out of order, admitted by their unique key, then rated: `storm()`.

Recipe: EVENTS (10^7) events, each later than the one before, arrive: 30 % repeat an event sent before, byte for byte,
and 20 % come out of order, by up to 50,000 places. 1,000 connectors, 10,000 agreements. Admission is by (connector,
seq), the primary key of the program's own table `usage_record` with its indexes, on the program's own connection to
SQLite (WAL, synchronous=FULL): CHUNK (50,000) events a commit, one statement, which passes over an event that is there
already and refuses the chunk whole when one is there with another digest. Signatures and hashing are not part of it:
`intake` measures batches with all their evidence.
Baseline in the same run: `plain`, the same distinct rows in order into the same table of another file, without replays.
Then the admitted rows are written to Parquet (`export`, timed apart), metered by the plan in DuckDB and priced; `rated`
is metering and pricing together, per admitted event.
Checked: 0 double and 0 lost, by count and by sum of quantities, and one changed event is refused with its chunk.

    python -m scripts.bench.storm [EVENTS]
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from api.bootstrap import engine
from clearing.settlement import rating
from clearing.usage import tables
from clearing.usage.bulk.duck import opened, over_files
from clearing.usage.bulk.reading import read_meters
from scripts.bench.month import MARCH, agreed

EVENTS, CHUNK, CONNECTORS, AGREEMENTS, DISORDER = 10_000_000, 50_000, 1_000, 10_000, 50_000
ADMITTED, RATED = 50_000, 500_000
_COLUMNS = [column.name for column in tables.record.columns]
_ADMIT = (
    f"INSERT INTO usage_record ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (connector, seq) DO UPDATE SET sha256 = NULL WHERE excluded.sha256 <> usage_record.sha256"
)
"""A replay changes nothing; another digest under the same key breaks NOT NULL and with it the chunk."""

Row = tuple[Any, ...]


def event(number: int) -> Row:
    """The event of a number, always the same: a row of `usage_record`. What has a larger number happened later."""
    connector, seq = number % CONNECTORS, number // CONNECTORS + 1
    agreement = connector * (AGREEMENTS // CONNECTORS) + seq % (AGREEMENTS // CONNECTORS)
    at = MARCH.start + number % EVENTS * (MARCH.end - MARCH.start) // EVENTS
    return (
        f"connector:{connector:06d}", seq, f"agreement:OP-2026-{agreement:06d}", 1, "PROVIDE", f"req-{number}", at,
        "call", 1 + number * 31 % 97, "allow", "OK", 12, 1 + seq // 5_000, "OK", f"{number * 40_503:064x}",
    )  # fmt: skip


def arrivals(events: int) -> tuple[np.ndarray[Any, Any], int]:
    """The numbers of the events in order of arrival, and how many different ones there are."""
    draw = np.random.default_rng(20260731)
    distinct = events * 7 // 10
    again = draw.integers(0, distinct, size=events - distinct)
    numbers = np.concatenate([np.arange(distinct), again])
    place = np.concatenate([np.arange(distinct), again + draw.integers(1, distinct // 2, size=len(again))]).astype(
        float
    )
    late = draw.random(events) < 0.2
    place[late] += draw.integers(1, min(DISORDER, distinct // 2), size=int(late.sum()))
    return numbers[np.argsort(place, kind="stable")], distinct


def chunks(numbers: np.ndarray[Any, Any]) -> Iterator[list[Row]]:
    for start in range(0, len(numbers), CHUNK):
        yield list(map(event, numbers[start : start + CHUNK].tolist()))


def admit(file: Path, source: Iterator[list[Row]]) -> tuple[float, float]:
    """Seconds, and processor seconds, of the statements and commits; making the rows is the sender's work."""
    made = engine(f"sqlite:///{file}", write=True)
    tables.record.create(made)
    taken = used = 0.0
    with closing(made.raw_connection()) as connection:
        cursor = connection.cursor()
        for rows in source:
            started, begun = time.perf_counter(), time.process_time()
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(_ADMIT, rows)
            cursor.execute("COMMIT")
            taken, used = taken + time.perf_counter() - started, used + time.process_time() - begun
        cursor.close()
    made.dispose()
    return taken, used


def refused(file: Path) -> bool:
    """Is an event under a known key with another digest refused, with everything of its chunk?"""
    changed, fresh = [*event(0)], [*event(10**9)]
    changed[-1] = "f" * 64
    with closing(sqlite3.connect(file)) as connection:
        before = connection.execute("SELECT count(*), sum(quantity) FROM usage_record").fetchone()
        try:
            with connection:
                connection.executemany(_ADMIT, [fresh, changed])
        except sqlite3.IntegrityError:
            return bool(connection.execute("SELECT count(*), sum(quantity) FROM usage_record").fetchone() == before)
        return False


def export(file: Path, parquet: Path) -> None:
    """The admitted rows as Parquet, through a CSV file; receipt and batch stand as the storm's recipe has them."""
    text = parquet.with_suffix(".csv")
    with closing(sqlite3.connect(file)) as connection, text.open("w", newline="", encoding="utf-8") as out:
        query = (
            "SELECT connector, seq, agreement, revision, request_id, side, unit, quantity, decision, status = 'OK' "
            "AS outcome_ok, use_class, occurred_at, occurred_at + 60 AS received_at, connector || '/' || no AS batch, "
            "'x' AS root_sha256, 'y' AS root_sm3, 1 AS position, sha256 AS digest FROM usage_record"
        )
        cursor = connection.execute(query)
        writer = csv.writer(out)
        writer.writerow([column[0] for column in cursor.description])
        while rows := list(islice(cursor, 100_000)):
            writer.writerows(rows)
    with opened() as duck:
        duck.execute(f"COPY (SELECT * FROM read_csv('{text}', all_varchar = true)) TO '{parquet}' (FORMAT parquet)")
    text.unlink()


def storm(events: int = EVENTS) -> dict[str, Any]:
    """The figures of one storm."""
    numbers, distinct = arrivals(events)
    disorder = float(np.mean(np.diff(numbers) < 0))
    with tempfile.TemporaryDirectory(prefix="shuqing-storm-") as name:
        folder = Path(name)
        taken, used = admit(folder / "storm.db", chunks(numbers))
        plain, _ = admit(folder / "plain.db", chunks(np.arange(distinct)))
        with closing(sqlite3.connect(folder / "storm.db")) as connection:
            count, quantity = connection.execute("SELECT count(*), sum(quantity) FROM usage_record").fetchone()
        expected = sum(1 + number * 31 % 97 for number in range(distinct))
        assert (count, quantity) == (distinct, expected)
        assert refused(folder / "storm.db")
        started = time.perf_counter()
        export(folder / "storm.db", folder / "uses.parquet")
        exported = time.perf_counter() - started
        items = agreed(AGREEMENTS)
        started, begun = time.perf_counter(), time.process_time()
        with over_files([folder / "uses.parquet"], 1) as duck:
            readings = read_meters(items, MARCH, duck)
        charges = [rating.rate("r", reading, item.terms) for reading, item in zip(readings, items, strict=True)]
        rated, rated_used = time.perf_counter() - started, time.process_time() - begun
        assert sum(reading.counted for reading in readings) == distinct
        assert sum(charge.quantity for charge in charges) == expected
    return {
        "events": events,
        "replays": events - distinct,
        "steps_back": round(disorder, 3),
        "double": count - distinct,
        "lost": distinct - count,
        "admitted_per_s": round(events / taken),
        "rated_per_s": round(distinct / rated),
        "seconds": {"admission": round(taken, 1), "export": round(exported, 1), "rated": round(rated, 2)},
        "per_processor_s": {"admitted": round(events / used), "rated": round(distinct / rated_used)},
        "baseline_per_s": {"plain": round(distinct / plain)},
        "recipe": " ".join((__doc__ or "").split()),
    }


if __name__ == "__main__":
    print(json.dumps(storm(*map(int, sys.argv[1:2])), ensure_ascii=False, indent=1))
