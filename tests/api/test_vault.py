"""What a connector keeps is of no use to whoever copies its state: real process, real files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from api.connector.settings import load_settings
from api.connector.state import open_book
from api.connector.vault import Vault, load
from ledger.errors import FieldError
from tests.api.connecting import ROOT, TOKEN, Process, Scene, Upstream, platform_handler, serving
from tests.api.test_connector import running

REQUEST = "order-of-a-patient-4711"


@pytest.fixture
def used(tmp_path: Path) -> Scene:
    """A connector that was used and killed; its folder is as the disk holds it."""
    with running(tmp_path, limit=5) as (scene, process):
        answer = process.call(REQUEST, **{"X-User": "%E6%9F%90"})
        assert answer.status_code in (200, 403)
        assert process.call("request-0001").status_code == 200
        assert process.flush()["pending"] == 0
        assert process.call("request-0002").status_code == 200
    return scene


def bytes_of(scene: Scene) -> bytes:
    folder = scene.folder / "state"
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def book_of(scene: Scene) -> dict[str, int]:
    book = open_book(load_settings(scene.config))
    counts = book.counts()
    book.close()
    return counts


def refused(scene: Scene) -> str:
    """What a connector that cannot begin says; it ends at once and does not answer."""
    command = [sys.executable, "-m", "api.connector", str(scene.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_state__holds_nothing_of_the_uses_the_terms_or_the_tokens_in_the_clear(used: Scene) -> None:
    data = bytes_of(used)
    assert b"SQLite format 3" in data
    for text in (REQUEST, "request-0001", TOKEN, "research", "certificate", "tariff", '"user_ref"', '"sm2"'):
        assert text.encode() not in data, text
    assert book_of(used) == {"records": 3, "frozen": 2, "sent": 2, "pending": 1, "reports": 0}


def test_key__is_made_once_readable_by_its_owner_and_beside_the_key_file(used: Scene) -> None:
    key = used.folder / "state.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert load_settings(used.config).state_key_file == str(key)
    before = key.read_text()
    book_of(used)
    assert key.read_text() == before


def test_key__gone_or_another_or_open_to_others__the_connector_does_not_begin_and_says_so(used: Scene) -> None:
    key = used.folder / "state.key"
    good = key.read_text()
    key.unlink()
    assert "没有该文件" in refused(used)
    assert not key.exists()
    for text, said in (("0" * 64, "无法解密"), ("short", "64 位十六进制"), ("", "64 位十六进制")):
        key.write_text(text)
        key.chmod(0o600)
        assert said in refused(used)
    key.write_text(good)
    key.chmod(0o644)
    assert "0600" in refused(used)
    key.chmod(0o600)
    assert book_of(used)["records"] == 3


@pytest.mark.parametrize("spoil", [
    "UPDATE record SET data = (SELECT data FROM record WHERE seq = 1) WHERE seq = 3",
    "UPDATE record SET data = zeroblob(40) WHERE seq = 3",
    "UPDATE record SET data = x'' WHERE seq = 3",
    "UPDATE agreement SET terms = known",
    "UPDATE agreement SET access = zeroblob(30)",
])  # fmt: skip
def test_value__altered_or_put_in_the_place_of_another__refused(used: Scene, spoil: str) -> None:
    with closing(sqlite3.connect(used.folder / "state" / "connector.db")) as database:
        database.execute(spoil)
        database.commit()
    assert "无法解密" in refused(used)


def test_state__of_a_connector_without_a_key__is_sealed_whole_and_goes_on(used: Scene) -> None:
    """A file as the connector kept it before: opened with the vault and written back plain, by hand."""
    place = used.folder / "state" / "connector.db"
    vault = load(used.folder / "state.key", begun=True)
    with closing(sqlite3.connect(place)) as database:
        for table, key, columns in (
            ("agreement", "id", {"terms": "terms", "secret": "secret", "access": "access", "known": "known"}),
            ("record", "seq", {"data": "record"}), ("batch", "no", {"signed": "batch", "answer": "promise"}),
        ):  # fmt: skip
            for column, at in columns.items():
                rows = database.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
                for identity, value in rows:
                    plain: object = vault.open(value, f"{at}/{identity}")
                    if column not in ("secret", "data"):
                        assert isinstance(plain, bytes)
                        plain = plain.decode()
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (plain, identity))
        names = {1: REQUEST, 2: "request-0001", 3: "request-0002"}
        database.executemany("UPDATE record SET request_id = ? WHERE seq = ?", [(v, k) for k, v in names.items()])
        database.execute("DROP TABLE seal")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (used.folder / "state.key").unlink()
    assert REQUEST.encode() in bytes_of(used)
    with serving(Upstream) as upstream, serving(platform_handler(used.house, used.gate, used.clock)) as platform:
        process = Process(used.write_config(upstream, platform))
        try:
            assert process.call("request-0002").status_code == 200
            assert process.call("request-0002", "/other").status_code == 409
            assert process.call("request-0003").status_code == 200
            assert process.flush()["pending"] == 0
        finally:
            process.kill()
            process.http.close()
    assert len(used.uses()) == 4
    data = bytes_of(used)
    assert all(text not in data for text in (REQUEST.encode(), b"request-0001", b"research", b"tariff"))


def test_vault__nonces_differ_and_names_do_not() -> None:
    one, other = Vault(b"a" * 32), Vault(b"b" * 32)
    assert one.seal(b"x", "p") != one.seal(b"x", "p")
    assert one.open(one.seal(b"x", "p"), "p") == b"x"
    assert one.name("x") == one.name("x") != other.name("x")
    for vault, place in ((other, "p"), (one, "q")):
        with pytest.raises(FieldError):
            vault.open(one.seal(b"x", "p"), place)
