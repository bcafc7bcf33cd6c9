"""The demonstration's world after the curtain: its files, its database, and its chain running again from its state."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import bootstrap, settings
from api.bootstrap import System
from ledger.chain import Chain

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Played:
    """What one run of `shuqing demo` left: exit code, what it said, its folder, and the chain's address now."""

    code: int
    told: str
    out: Path
    rpc: str

    @property
    def home(self) -> Path:
        return self.out / "world" / "platform"

    @property
    def database(self) -> Path:
        return self.home / "shuqing.db"

    def copy(self, folder: Path) -> Path:
        """A second home with the same keys, settings, papers and database."""
        shutil.copytree(self.home, folder)
        return folder

    @contextmanager
    def system(self, home: Path | None = None, chain: Chain | None = None) -> Iterator[System]:
        """The installation of `home` (default: the demo's) on the restarted chain; engines are closed at the end."""
        found = settings.load(home or self.home).model_copy(update={"rpc_url": self.rpc})
        system = bootstrap.build(found)
        if chain is not None:
            system._chain.append(chain)
        try:
            yield system
        finally:
            system.engine.dispose()
            system.reader.dispose()

    def shuqing(self, *arguments: str | Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The real command against `home` and the restarted chain."""
        return shuqing(*arguments, "--home", home or self.home, environment={"SHUQING_RPC_URL": self.rpc})


def shuqing(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, seconds: int = 120
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m api …` from the repository, as an operator would run `shuqing …`."""
    command = [sys.executable, "-m", "api", *map(str, arguments)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHUQING_")}
    return subprocess.run(
        command, cwd=ROOT, env=inherited | dict(environment or {}), capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip


@contextmanager
def raw(database: Path) -> Iterator[sqlite3.Connection]:
    """A database as somebody with the file and no program of ours sees it: triggers dropped, no constraint checked."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys=OFF")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def rows(database: Path, table: str, order: str) -> list[tuple[Any, ...]]:
    """Every row of a table."""
    connection = sqlite3.connect(database)
    try:
        return connection.execute(f'SELECT * FROM "{table}" ORDER BY {order}').fetchall()
    finally:
        connection.close()
