"""Many connectors send batches while the server is killed and started again; afterwards everything is counted.

Each writer sends its batches in order and repeats one until it is answered; three in ten submissions repeat a batch
that was answered before, and must get the first answer's bytes. The kills come after a random number of answers, so
they fall between taking in and answering as well.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import func, select
from sqlmodel import Session

from clearing.usage import tables
from clearing.usage.batch import USAGE_BATCH, batch_bytes
from ledger import audit, canonical, store
from ledger.tables import fact as facts
from scripts.demo.world import processes
from tests.usage_world import Source, World, world

WRITERS = 32
DUPLICATES = 0.3
SIZE = 5


@dataclass
class Tally:
    """What the writers saw; `answered` wakes the killer."""

    answers: dict[tuple[str, int], bytes] = field(default_factory=dict)
    repeated: int = 0
    lost_connections: int = 0
    answered: threading.Condition = field(default_factory=threading.Condition)


def storm(home: Path, batches: int, kills: int, database_url: str = "") -> Tally:
    """Runs it and asserts that nothing was lost and nothing counted twice."""
    made, tally = world(home, WRITERS, database_url), Tally()
    try:
        bodies = [_bodies(source, batches) for source in made.sources]
        with processes(home / "logs") as children, ThreadPoolExecutor(WRITERS) as pool:
            made.serve(children)
            writers = [
                pool.submit(_write, made, source, work, tally, random.Random(number))
                for number, (source, work) in enumerate(zip(made.sources, bodies, strict=True))
            ]
            rng = random.Random(0)
            for kill in range(kills):
                target = (kill + 1) * WRITERS * batches // (kills + 1) + rng.randrange(WRITERS)
                with tally.answered:
                    tally.answered.wait_for(lambda n=target: len(tally.answers) >= n, timeout=300)
                children.kill("server")
                made.serve(children)
            for writer in writers:
                writer.result()
        _count(made, tally, batches)
        return tally
    finally:
        made.close()


def _bodies(source: Source, batches: int) -> list[tuple[int, bytes]]:
    made = []
    for _ in range(batches):
        records = source.records(SIZE)
        signed = source.freeze(records)
        made.append((signed.statement.no, batch_bytes(signed, [item.data for item in records])))
    return made


def _write(made: World, source: Source, work: list[tuple[int, bytes]], tally: Tally, rng: random.Random) -> None:
    name = source.line.connector
    with made.client(source) as client:
        for place, (no, body) in enumerate(work):
            first = _send(client, body, tally)
            with tally.answered:
                tally.answers[name, no] = first
                tally.answered.notify_all()
            while rng.random() < DUPLICATES:
                again_no, again = work[rng.randrange(place + 1)]
                assert _send(client, again, tally) == tally.answers[name, again_no], (name, again_no)
                with tally.answered:
                    tally.repeated += 1


def _send(client: httpx.Client, body: bytes, tally: Tally) -> bytes:
    """The answer to a batch, asked for until it comes: a dead server and a busy database are asked again."""
    while True:
        try:
            answer = client.post("/api/usage/batches", content=body)
        except httpx.HTTPError:
            with tally.answered:
                tally.lost_connections += 1
                tally.answered.wait(0.2)
            continue
        if answer.status_code == 503:
            continue
        assert answer.status_code == 200, answer.text
        return answer.content


def _count(made: World, tally: Tally, batches: int) -> None:
    with Session(made.system.reader) as session:
        assert len(tally.answers) == WRITERS * batches
        for (name, no), answer in tally.answers.items():
            taken = store.fact(session, canonical.decode(answer)["fact"])
            assert (taken.subject, taken.statement.no) == (f"connector-log:{name}", no)
        kept = select(func.count()).select_from(facts).where(facts.c.kind == USAGE_BATCH)
        assert session.execute(kept).scalar_one() == WRITERS * batches
        rows = session.execute(select(tables.record.c.connector, tables.record.c.seq)).all()
        wanted = {(source.line.connector, seq) for source in made.sources for seq in range(1, batches * SIZE + 1)}
        assert len(rows) == len(wanted)
        assert {tuple(row) for row in rows} == wanted
        assert session.execute(select(tables.finding)).first() is None
        assert list(audit.facts(session)) == []
