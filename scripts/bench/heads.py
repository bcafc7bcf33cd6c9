"""How long an accepted fact waits for a signed head, while another process writes facts as fast as it can.

Recipe: SQLite (WAL, synchronous=FULL) in a temporary folder. A writer process signs facts and commits them in groups of
20, without a pause, for ten seconds; it notes the moment each commit returned (accepted). This process runs the
worker's sequencer (tree, subject map, signed head) with its default settings and notes the moment each head's commit
returned. The wait of a fact is the time between the two on the machine's monotonic clock. Median of five runs of p50,
p99 and the longest wait; beside it the writer's rate with the sequencer and without it.

`python -m scripts.bench.heads` prints the figures as JSON with the machine. They mean nothing on another one.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlmodel import Session, SQLModel

from api.bootstrap import engine
from api.settings import Settings
from api.worker import Sequencer
from ledger import checkpoint, log, signing, sm, store, subject_map
from ledger.checkpoint import LogKeys
from ledger.facts import Signed, Statement
from scripts.bench import NOW, ORIGIN, RUNS

SECONDS, GROUP = 10, 20


def write(folder: Path) -> None:
    """The writer process: for each accepted fact a line with the moment of its commit, in nanoseconds."""
    made, key = engine(f"sqlite:///{folder / 'bench.db'}", write=True), sm.generate()
    end, number = time.monotonic() + SECONDS, 0
    with (folder / "accepted").open("w") as accepted:
        while time.monotonic() < end:
            group = []
            for _ in range(GROUP):
                statement = Statement("bench/v1", f"bench:{number}", 0, None, {"number": number})
                group.append(Signed(statement, (signing.sign_sm2(key, statement, by="party:bench"),)))
                number += 1
            with Session(made) as session:
                for signed in group:
                    store.append(session, signed, at=NOW)
                session.commit()
            accepted.write(f"{time.monotonic_ns()}\n" * GROUP)
    made.dispose()


def run(*, sequenced: bool) -> dict[str, float]:
    """One run; `sequenced` False: only the writer, for comparison."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = engine(f"sqlite:///{folder / 'bench.db'}", write=True)
        SQLModel.metadata.create_all(made)
        fields = Settings.model_fields
        settings = SimpleNamespace(
            seal_entries=fields["seal_entries"].default,
            seal_milliseconds=fields["seal_milliseconds"].default,
            origin=ORIGIN,
        )
        keys = LogKeys(ORIGIN, checkpoint.generate_ed25519(), sm.generate())
        system: Any = SimpleNamespace(
            engine=made, reader=engine(f"sqlite:///{folder / 'bench.db'}", write=False), settings=settings,
            clock=lambda: NOW, log_keys=keys, duty=None,
            operator=SimpleNamespace(signer=signing.SystemSigner(sm.generate(), "party:bench")),
        )  # fmt: skip
        writer = subprocess.Popen([sys.executable, "-m", "scripts.bench.heads", "--write", name])
        heads: list[tuple[int, int]] = []
        sequencer = Sequencer(system, threading.Event(), threading.Event())
        while sequenced:
            ended = writer.poll() is not None
            size = sequencer.step()
            if size:
                heads.append((size, time.monotonic_ns()))
            elif ended and not sequencer.waiting:
                break
        assert writer.wait() == 0
        accepted = [int(line) for line in (folder / "accepted").read_text().split()]
        with Session(system.reader) as session:
            maps = [log.index_of(session, fact.id) for fact in store.facts_of_kind(session, subject_map.KIND)]
        made.dispose()
        system.reader.dispose()
    found = {"facts_per_s": len(accepted) / SECONDS}
    if sequenced:
        waits: list[float] = []
        for size, signed in heads:
            covered = size - sum(index < size for index in maps)
            waits += [(signed - at) / 1e9 for at in accepted[len(waits) : covered]]
        assert len(waits) == len(accepted)
        ordered = sorted(waits)
        found |= {
            "p50_s": ordered[len(ordered) // 2], "p99_s": ordered[len(ordered) * 99 // 100], "longest_s": ordered[-1],
            "heads_per_s": len(heads) / SECONDS,
        }  # fmt: skip
    return found


def accepted_to_signed() -> dict[str, float]:
    """Medians over the runs, the writer's rate with and without the sequencer beside it."""
    runs, plain = [run(sequenced=True) for _ in range(RUNS)], [run(sequenced=False) for _ in range(RUNS)]
    result = {name: round(statistics.median(one[name] for one in runs), 3) for name in runs[0]}
    result["facts_per_s_without_sequencer"] = round(statistics.median(one["facts_per_s"] for one in plain), 1)
    return result


def main() -> int:
    """Prints the medians."""
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({"accepted_to_head_signed": accepted_to_signed(), "runs": RUNS, "machine": machine}, indent=2))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]))
    else:
        sys.exit(main())
