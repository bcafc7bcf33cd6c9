"""The whole demonstration on PostgreSQL: nothing differs, every bundle is proved, and the facts move to SQLite and back
with the same views. The public page of that world in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, select

from api import schema, settings
from ledger.rebuild import view_tables
from ledger.tables import metadata
from scripts.demo.world import answers, free_port, processes
from tests.played import ROOT, Played
from tests.services.server import Server, browse

pytestmark = pytest.mark.services

BUNDLES = ("certificate", "agreement", "usage-record", "statement-line", "period-close")


def test_demo__on_postgresql__no_difference_and_every_bundle_intact(played_here: Played) -> None:
    stored = json.loads((played_here.home / "settings.json").read_text(encoding="utf-8"))
    assert stored["database_url"].startswith("postgresql")
    assert not played_here.database.exists()
    assert (played_here.out / "audit-report.txt").read_text(encoding="utf-8").endswith("differences: 0\n")
    assert "differences: 0" in _ok(played_here, played_here.home, "audit")
    for name in BUNDLES:
        done = subprocess.run(
            [
                sys.executable, ROOT / "scripts" / "verify_bundle.py", played_here.out / f"bundle-{name}.json",
                "--trust", played_here.out / "trust.json", "--rpc", played_here.rpc,
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (name, done.stdout, done.stderr)


def test_facts__from_postgresql_to_sqlite_and_back__are_the_same_rows(
    played_here: Played, server: Server, tmp_path: Path
) -> None:
    first = settings.load(played_here.home).database
    before = _content(first)
    assert all(before[name] for name in ("certificate", "market_agreement", "head", "clearing_statement", "entry"))
    archive = tmp_path / "0.jsonl"
    _ok(played_here, played_here.home, "facts", "export", archive)
    for step, url in enumerate(("", server.database()), 1):
        home = _home(played_here, tmp_path / f"home-{step}", url)
        _ok(played_here, home, "facts", "import", archive)
        _ok(played_here, home, "reindex")
        after = _content(settings.load(home).database)
        assert {name: len(found) for name, found in after.items()} == {
            name: len(found) for name, found in before.items()
        }
        assert [name for name in before if before[name] != after[name]] == []
        assert "differences: 0" in _ok(played_here, home, "audit")
        again = tmp_path / f"{step}.jsonl"
        _ok(played_here, home, "facts", "export", again)
        assert again.read_bytes() == archive.read_bytes()
        archive = again


def test_check_page__in_a_browser__both_answers_and_nobody_else_is_asked(played_here: Played, tmp_path: Path) -> None:
    code = next(played_here.out.glob("certificate-*.pdf")).name.split("-")[1]
    with _served(played_here, tmp_path) as url:
        page = f"{url}/check?code={code}"
        log, dom = browse(page, tmp_path / "dom", "--dump-dom", f"--log-net-log={tmp_path / 'net.json'}")
        told, _ = browse(page, tmp_path / "shot", f"--screenshot={tmp_path / 'check.png'}")
    integrity, status = re.findall(r'<p class="verdict">.*?<code>([A-Z_]+)</code>', dom)
    assert (integrity, status) == ("NO_FILE_GIVEN", "VALID")
    assert code in dom
    for spoken in (log, told):
        assert "CONSOLE" not in spoken, spoken
    for address in re.findall(r"""(?:src|href|action)=["']([^"']*)""", dom):
        assert urlsplit(address).netloc in ("", urlsplit(url).netloc), address
    asked = _asked_by(url, tmp_path / "net.json")
    assert f"{url}/static/shuqing.css" in asked
    assert [address for address in asked if not address.startswith(f"{url}/")] == []
    assert (tmp_path / "check.png").stat().st_size > 10_000


def _asked_by(origin: str, net_log: Path) -> set[str]:
    """Every address that pages of `origin` made a request for; what the browser wants for itself is not theirs."""
    events = json.loads(net_log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if "url" in event.get("params", {})]
    return {params["url"] for params in asked if params.get("initiator") == origin}


@contextmanager
def _served(played: Played, folder: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with processes(folder / "logs") as children:
        children.python(
            "platform", "api", "serve", "--home", str(played.home), "--port", str(port),
            ready=answers(f"{url}/api/log"),
        )  # fmt: skip
        yield url


def _home(played: Played, folder: Path, database_url: str) -> Path:
    """A second installation with the same keys and papers on another, empty database."""
    home = played.copy(folder)
    file = home / "settings.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(stored | {"database_url": database_url}, ensure_ascii=False), encoding="utf-8")
    return home


def _ok(played: Played, home: Path, *arguments: str | Path) -> str:
    done = played.shuqing(*arguments, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table the audit answers for, sorted here; a fact's running number is not part of it."""
    assert schema.TABLES
    wanted = {*(table.name for table in view_tables()), "entry", "tile", "head", "chain_receipt", "part", "fact"}
    content = {}
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.name in wanted:
                columns = [column for column in table.columns if (table.name, column.name) != ("fact", "seq")]
                content[table.name] = sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)
    engine.dispose()
    return content
