"""Files and long answers through the connector: whole, in order, once on record, and nothing else of the disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.connector.source import MEMORY, Body
from tests.api.connecting import TOKEN, Process, Scene, platform_handler, serving

LONG = 3 * MEMORY + 17
SMALL = "航班,延误\n甲,12\n".encode()


class Long(BaseHTTPRequestHandler):
    """An API with long answers: with their length, in pieces, and one that breaks off."""

    protocol_version = "HTTP/1.1"
    data = secrets.token_bytes(LONG)

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/pieces":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, LONG, 100_000):
                piece = self.data[start : start + 100_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(LONG))
        self.end_headers()
        self.wfile.write(self.data if self.path == "/whole" else self.data[: LONG // 2])
        self.close_connection = True

    def log_message(self, *said: object) -> None:
        return


@contextmanager
def between(tmp_path: Path, upstream: str) -> Iterator[tuple[Scene, Process]]:
    scene = Scene(tmp_path, 20)
    with serving(platform_handler(scene.house, scene.gate, scene.clock)) as platform:
        process = Process(scene.write_config(upstream, platform))
        try:
            assert process.admin("PUT", "/connector/agreements", scene.request()).status_code == 200
            yield scene, process
        finally:
            process.kill()
            process.http.close()
            scene.house.close()


def the_uses(scene: Scene, process: Process) -> list[Any]:
    assert process.flush()["pending"] == 0
    return scene.uses()


def catalogue(process: Process, token: str = TOKEN) -> httpx.Response:
    return process.http.get(f"{process.url}/connector/catalogue", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("path", ["/whole", "/pieces"])
def test_long_answer__comes_whole_and_its_length_is_on_record(tmp_path: Path, path: str) -> None:
    with serving(Long) as upstream, between(tmp_path, upstream) as (scene, process):
        answer = process.call("request-0001", path)
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(LONG))
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(Long.data).digest()
        assert process.call("request-0001", path).content == Long.data
        (use,) = the_uses(scene, process)
        assert use.request_id == "request-0001"
        assert {file.name for file in (tmp_path / "state").iterdir()} <= {
            "connector.db", "connector.db-wal", "connector.db-shm",
        }  # fmt: skip


def test_long_answer__memory_stays_bounded(tmp_path: Path) -> None:
    """Eight long answers wait for readers that do not read on: they wait on disk."""
    with serving(Long) as upstream, between(tmp_path, upstream) as (_, process):
        before = resident(process)
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Purpose": "research"}
        with httpx.Client(trust_env=False, timeout=60) as client:
            open_ = []
            for number in range(8):
                asked = client.build_request(
                    "GET", process.url + "/whole", headers=headers | {"X-Request-Id": f"request-{number:04d}"}
                )
                open_.append(client.send(asked, stream=True))
            assert resident(process) - before < 4 * LONG
            assert all(len(answer.read()) == LONG for answer in open_)


def resident(process: Process) -> int:
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_answer_that_breaks_off__is_no_answer_and_is_not_billed(tmp_path: Path) -> None:
    with serving(Long) as upstream, between(tmp_path, upstream) as (scene, process):
        assert process.call("request-0001", "/broken").status_code == 502
        (use,) = the_uses(scene, process)
        assert use.use_class.value == "FAILED"


# A folder ----------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is sold, and beside it what is not."""
    root = tmp_path / "sold"
    (root / "九月").mkdir(parents=True)
    (root / "delays.csv").write_bytes(SMALL)
    (root / "九月" / "报告 一.pdf").write_bytes(b"%PDF" + secrets.token_bytes(MEMORY + 5))
    (root / ".hidden").write_text("hidden")
    (tmp_path / "secret.txt").write_text("not for sale")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "away").symlink_to(tmp_path)
    return root


def test_folder__catalogue_names_what_is_sold_with_both_digests_and_is_no_use(tmp_path: Path, folder: Path) -> None:
    with between(tmp_path, "folder:sold") as (scene, process):
        assert catalogue(process, "another").status_code == 401
        found = catalogue(process).json()["files"]
        assert [item["name"] for item in found] == ["delays.csv", "九月/报告 一.pdf"]
        for item in found:
            data = (folder / item["name"]).read_bytes()
            assert (item["bytes"], item["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            assert item["sm3"] == hashlib.new("sm3", data).hexdigest()
        assert the_uses(scene, process) == []


def test_folder__file_is_handed_out_with_its_digests_counted_once_and_limited(tmp_path: Path, folder: Path) -> None:
    with between(tmp_path, "folder:sold") as (scene, process):
        report = folder / "九月" / "报告 一.pdf"
        answer = process.call("request-0001", f"/files/{quote('九月/报告 一.pdf')}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content == report.read_bytes()
        digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
        assert f"sha-256=:{digest}:" in answer.headers["repr-digest"]
        assert "sm3=:" in answer.headers["repr-digest"]
        assert quote("报告 一.pdf") in answer.headers["content-disposition"]
        assert process.call("request-0002", "/files/delays.csv").content == SMALL
        (folder / "delays.csv").write_bytes(SMALL + b"more")
        assert process.call("request-0003", "/files/delays.csv").content == SMALL + b"more"
        changed = process.call("request-0004", "/files/delays.csv").headers["repr-digest"]
        assert base64.b64encode(hashlib.sha256(SMALL + b"more").digest()).decode() in changed
        for number in range(5, 21):
            assert process.call(f"request-{number:04d}", "/files/delays.csv").status_code == 200
        assert process.call("request-0021", "/files/delays.csv").json()["code"] == "UC25"
        uses = the_uses(scene, process)
        assert [use.use_class.value for use in uses].count("OK") == 20


@pytest.mark.parametrize("path", [
    "/files/", "/files/nothing.csv", "/files/.hidden", "/files/link.txt", "/files/away/secret.txt", "/delays.csv",
    "/files/../secret.txt", "/files/%2e%2e/secret.txt", "/files/..%2fsecret.txt", "/files//etc/passwd", "/files/%FF",
    "/files/%2Fetc%2Fpasswd", "/files/%E4%B9%9D%E6%9C%88", "/files/delays.csv%00", "/files/a%5Cb",
])  # fmt: skip
def test_folder__what_is_not_for_sale__is_not_there(tmp_path: Path, folder: Path, path: str) -> None:
    with between(tmp_path, "folder:sold") as (scene, process):
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": "request-0001", "X-Purpose": "research"}
        raw = httpx.URL(process.url).copy_with(raw_path=path.encode())
        answer = process.http.get(raw, headers=headers)
        assert answer.status_code == 404
        assert b"not for sale" not in answer.content
        (use,) = the_uses(scene, process)
        assert use.use_class.value == "FAILED"


def test_folder__that_is_gone__nothing_is_billed(tmp_path: Path, folder: Path) -> None:
    with between(tmp_path, "folder:sold") as (_, process):
        folder.rename(tmp_path / "moved")
        assert process.call("request-0001", "/files/delays.csv").status_code == 404
        assert catalogue(process).json() == {"files": []}


def test_api__has_no_catalogue(tmp_path: Path) -> None:
    with serving(Long) as upstream, between(tmp_path, upstream) as (_, process):
        assert catalogue(process).json()["code"] == "CATALOGUE"
        assert json.loads(catalogue(process).text)["message"]


def test_body__file_that_grows_while_it_is_read__ends_where_it_ended(tmp_path: Path) -> None:
    place = tmp_path / "growing.csv"
    place.write_bytes(SMALL)

    async def read() -> bytes:
        body, parts = Body(place.open("rb"), len(SMALL)), []
        with place.open("ab") as more:
            more.write(b"later")
        async for data in body.chunks():
            parts.append(data)
        return b"".join(parts)

    assert asyncio.run(read()) == SMALL
