"""Certificate codes under concurrency: 32 writer processes, no number twice, no gap, on SQLite and PostgreSQL.

    python -m scripts.bench.codes [WRITERS [TURNS]]

Recipe: WRITERS processes (default 32) are started together; each takes a serial TURNS times (default 20), each time in
a transaction of its own through the program's engine, SQLite in a file (WAL, synchronous FULL) and PostgreSQL with
fsync. Every seventh turn is rolled back after the number was taken, and every eighth process is killed (SIGKILL) while
its last transaction, which has taken a number, is open. Afterwards: the numbers that a process saw committed must be
1 … last of the counter, each once. PostgreSQL is asked a second time with plain connections that do not queue on the
program's writer lock, so that the counter alone must keep them apart. Then the last 5 of the 9,999 are given to 32
writers at once: 5 get one, 27 get CODE_EXHAUSTED.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from api import bootstrap
from registry.code import LAST_SERIAL
from registry.errors import CodeExhausted
from registry.numbering import last_serial, take_serial
from registry.tables import CodeCounterRow

PLACE = ("33", "1", "202611")
LAST_DAYS = ("33", "1", "202612")
LEFT = 5


def codes(writers: int = 32, turns: int = 20) -> dict[str, Any]:
    """Both databases; see the recipe above."""
    from tests.services.server import Missing, postgresql, provide

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'codes.db'}"
        bootstrap.migrate(url)
        found: dict[str, Any] = {"sqlite": contest(url, writers, turns)}
    try:
        provide()
        with postgresql(durable=True) as server:
            for name, queued in (("postgresql", True), ("postgresql_unqueued", False)):
                url = server.database()
                bootstrap.migrate(url)
                found[name] = contest(url, writers, turns, queued=queued)
    except Missing as why:
        found["postgresql"] = {"missing": str(why)}
    return found


def contest(url: str, writers: int, turns: int, *, queued: bool = True) -> dict[str, Any]:
    """One run on one database: what was taken, what is missing, what came twice."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        everybody = context.Barrier(writers)
        jobs = [
            context.Process(target=_write, args=(url, queued, turns, n, Path(folder) / str(n), everybody))
            for n in range(writers)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        seconds = time.monotonic() - started
        seen = [int(line) for file in Path(folder).iterdir() for line in file.read_text().split()]
        killed = sum(job.exitcode == -signal.SIGKILL for job in jobs)
        failed = [job.exitcode for job in jobs if job.exitcode not in (0, -signal.SIGKILL)]
        engine = _engine(url, queued)
        with Session(engine) as session:
            last = last_serial(session, *PLACE)
            session.add(CodeCounterRow(region="33", agency="1", month="202612", last=LAST_SERIAL - LEFT))
            session.commit()
        engine.dispose()
        ends = context.Queue()
        rush = [context.Process(target=_rush, args=(url, queued, ends)) for _ in range(writers)]
        for job in rush:
            job.start()
        answers = [ends.get(timeout=120) for _ in rush]
        for job in rush:
            job.join()
    given = sorted(number for number in answers if number)
    return {
        "writers": writers,
        "killed_while_holding_a_number": killed,
        "failed": failed,
        "committed": len(seen),
        "duplicates": len(seen) - len(set(seen)),
        "gaps": sorted(set(range(1, last + 1)) - set(seen)),
        "beyond_counter": sorted(set(seen) - set(range(1, last + 1))),
        "overflow": {"given": given, "refused": answers.count(0)},
        "seconds_with_start": round(seconds, 1),
    }


def _write(url: str, queued: bool, turns: int, number: int, out: Path, everybody: Any) -> None:
    engine = _engine(url, queued)
    everybody.wait()
    with out.open("w") as file:
        for turn in range(turns):
            doomed = number % 8 == 3 and turn == turns - 1
            with Session(engine) as session:
                serial = take_serial(session, *PLACE)
                if doomed:
                    os.kill(os.getpid(), signal.SIGKILL)
                if turn % 7 == 6:
                    session.rollback()
                    continue
                session.commit()
            file.write(f"{serial}\n")
            file.flush()
    engine.dispose()


def _rush(url: str, queued: bool, ends: Any) -> None:
    engine = _engine(url, queued)
    try:
        with Session(engine) as session:
            serial = take_serial(session, *LAST_DAYS)
            session.commit()
        ends.put(serial)
    except CodeExhausted:
        ends.put(0)
    engine.dispose()


def _engine(url: str, queued: bool) -> Engine:
    make: Callable[[str], Engine] = create_engine if not queued else lambda text: bootstrap.engine(text, write=True)
    return make(url)


if __name__ == "__main__":
    print(json.dumps(codes(*map(int, sys.argv[1:])), indent=1))
