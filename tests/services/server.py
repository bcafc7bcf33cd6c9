"""A real PostgreSQL server and a real browser, from Debian's packages; started here, ended here, by their pids.

As root, missing packages are installed; otherwise `Missing` says why the tests cannot run. `initdb` refuses root, so
the server runs as another user, in a folder of its own, with a password nobody else knows. Its collation is ICU's
Chinese one on purpose: whatever relies on text being sorted by its bytes would show here. It does not wait for the
disk (-F): no test cuts its power.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT
from typing import Any

import psycopg
from psycopg import sql

from scripts.demo.world import free_port

BINARIES = Path("/usr/lib/postgresql")
PACKAGES = ("postgresql", "chromium", "fonts-noto-cjk")


class Missing(Exception):
    """A package is not there and cannot be installed; the text says which and why (Chinese first)."""


def provide() -> None:
    """Installs what is missing, when root. Raises `Missing`."""
    missing = [name for name, there in zip(PACKAGES, (bool(_postgres()), bool(_chromium()), _font()), strict=True)
               if not there]  # fmt: skip
    if not missing:
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0:
        raise Missing(
            f"缺少 Debian 软件包，且不是 root，请先运行：{command} / Packages missing and not root: run that first."
        )
    if shutil.which("apt-get") is None:
        raise Missing(f"没有 apt-get，无法安装 {' '.join(missing)}。 / No apt-get to install them with.")
    for step in ("apt-get update -q", command):
        done = subprocess.run(
            step.split(), env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise Missing(f"{step}：{done.stderr[-600:]}")


def _postgres() -> Path | None:
    """The newest server's folder; ICU collations of a cluster exist from 15 on."""
    versions = [folder for folder in BINARIES.glob("*/bin") if (folder / "initdb").exists()]
    newest = max(versions, key=lambda folder: int(folder.parent.name), default=None)
    return newest if newest and int(newest.parent.name) >= 15 else None


def _chromium() -> str | None:
    return shutil.which("chromium")


def _font() -> bool:
    return Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").exists()


@dataclass(frozen=True)
class Server:
    """A running server; `database()` makes a new database, empty or a copy of another that nobody has open, and gives
    its SQLAlchemy address; `drop` takes that."""

    port: int
    password: str = field(repr=False)

    def database(self, copied: str = "") -> str:
        name = f"sq_{secrets.token_hex(6)}"
        names = sql.Identifier(name), sql.Identifier(_name(copied) or "template1")
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return f"postgresql+psycopg://shuqing:{self.password}@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def holds(self, url: str, tables: Sequence[str]) -> bool:
        """Is there a row in any of these tables?"""
        any_row = sql.SQL(" OR ").join(
            sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(name)) for name in tables
        )  # fmt: skip
        with self.connect(_name(url)) as connection:
            [(found,)] = connection.execute(sql.SQL("SELECT {}").format(any_row)).fetchall()
        return bool(found)

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """A connection beside the program, committing every statement."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="shuqing", password=self.password, dbname=name, autocommit=True
        )


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[Server]:
    """A cluster in a temporary folder, listening on 127.0.0.1 and a socket in that folder; gone afterwards.

    Tests need not survive a power loss; `durable` keeps fsync on, for measurements.
    """
    binaries = _postgres()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="shuqing-pg-"))
    server = Server(free_port(), secrets.token_hex(16))
    who: dict[str, Any] = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    if os.geteuid() == 0:
        user = _unprivileged()
        os.chown(folder, user.pw_uid, user.pw_gid)
        who |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    secret = folder / "password"
    secret.write_text(server.password)
    secret.chmod(0o644 if os.geteuid() == 0 else 0o600)  # the folder itself is its owner's only
    made = subprocess.run(
        [
            binaries / "initdb", "-D", folder / "data", "-U", "shuqing", "-A", "scram-sha-256", "--pwfile", secret,
            "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=zh-CN", "--no-sync",
        ],
        check=False, **who,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout.decode()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binaries / "postgres",
                "-D",
                folder / "data",
                "-h",
                "127.0.0.1",
                "-p",
                str(server.port),
                "-k",
                folder,
                *(() if durable else ("-F",)),
            ],
            **(who | {"stdout": log}),
        )
    try:
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(SIGINT)  # "fast": ends the sessions, then writes everything down
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder)


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            server.connect("postgres").close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.1)


def browse(url: str, folder: Path, *arguments: str) -> tuple[str, str]:
    """Opens `url` in a headless browser that can reach 127.0.0.1 only; returns (what it wrote to its log, its DOM or
    nothing when a screenshot was asked for)."""
    chromium = _chromium()
    assert chromium is not None
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr",
            "--virtual-time-budget=5000", "--window-size=1000,1400", *arguments, url,
        ],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr, done.stdout


if __name__ == "__main__":
    try:
        provide()
    except Missing as missing:
        raise SystemExit(f"make test-services：{missing}") from None
