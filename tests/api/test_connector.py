"""The connector as a real process between a real data API and a platform that runs the real intake.

It is killed with SIGKILL in the middle of calls and of sending; then every answered call must have exactly one record,
the platform must hold each record once, and nothing may be billed twice.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlmodel import Session

from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.usage import store
from clearing.usage.intake import UseClass
from tests.api.connecting import TOKEN, Process, Scene, Upstream, platform_handler, serving
from tests.clearing.market.house import CONNECTOR, DOMAIN, NOW


@contextmanager
def running(tmp_path: Path, limit: int) -> Iterator[tuple[Scene, Process]]:
    scene = Scene(tmp_path, limit)
    with serving(Upstream) as upstream, serving(platform_handler(scene.house, scene.gate, scene.clock)) as platform:
        process = Process(scene.write_config(upstream, platform))
        try:
            answer = process.admin("PUT", "/connector/agreements", scene.request())
            assert answer.status_code == 200, answer.text
            yield scene, process
        finally:
            process.kill()
            process.http.close()
            scene.house.close()


def test_connector__limit_purpose_repeat_and_failure__each_recorded_once_with_its_reason(tmp_path: Path):
    with running(tmp_path, limit=3) as (scene, process):
        assert httpx.get(process.url + "/x", timeout=10).status_code == 401
        assert process.call("short").status_code == 400
        before = Upstream.calls
        first = process.call("request-0001")
        assert (first.status_code, first.json()["rows"]) == (200, [1, 2, 3])
        assert first.headers["x-usage-record"] == f"{CONNECTOR}/1"
        again = process.call("request-0001")
        assert (again.status_code, again.headers["x-usage-digest"]) == (200, first.headers["x-usage-digest"])
        assert process.call("request-0001", "/other").status_code == 409
        assert process.call("request-0002", purpose="marketing").json()["code"] == "UC21"
        assert process.call("request-0003", "/broken").status_code == 500
        assert process.call("request-0003", "/broken").status_code == 409
        assert [process.call(f"request-001{i}").status_code for i in range(2)] == [200, 200]
        refused = process.call("request-0020")
        assert (refused.status_code, refused.json()["code"]) == (403, "UC25")
        assert process.call("request-0020").json()["record"] == refused.json()["record"]
        assert Upstream.calls == before + 5
        assert process.admin("POST", "/connector/flush").json()["pending"] == 0
        with Session(scene.house.engine) as session:
            assert store.classes(session, scene.agreement) == {"FAILED": 1, "OK": 3, "REFUSED": 2}
            assert store.counter(session, scene.agreement).used == 3
            assert store.findings(session) == []
        suspended = scene.house.by_court(scene.agreement, Act.SUSPEND, State.SUSPENDED)
        market.record_act(scene.house.session, suspended, domain=DOMAIN, at=NOW + 70)
        assert process.admin("PUT", "/connector/agreements", {"signed": suspended.document()}).status_code == 200
        assert process.call("request-0030").json()["code"] == "UC12"
        scene.house.session.rollback()


def test_connector__killed_while_calls_and_sending_run__no_record_lost_or_doubled(tmp_path: Path):
    """Four rounds: calls from eight threads, sending at the same time, SIGKILL at an odd moment, start again."""
    answered: list[str] = []
    with running(tmp_path, limit=100_000) as (scene, process):
        for round_ in range(4):
            stop = threading.Event()

            def consume(worker: int, round_: int = round_, stop: threading.Event = stop) -> None:
                number = 0
                while not stop.is_set():
                    request_id = f"r{round_}-w{worker}-{number:06d}"
                    try:
                        if process.call(request_id, f"/flights?n={number}").status_code == 200:
                            answered.append(request_id)
                    except httpx.HTTPError:
                        return
                    number += 1

            scene.gate["down"] = round_ == 1
            scene.gate["swallow"] = 2 if round_ == 2 else 0
            with ThreadPoolExecutor(8) as pool:
                workers = [pool.submit(consume, worker) for worker in range(6)]
                await_answers(answered, len(answered) + 30 + 9 * round_)
                sender = pool.submit(lambda: _quietly(process))
                time.sleep(0.05 + 0.04 * round_)
                process.kill()
                stop.set()
                for worker in workers:
                    worker.result()
                sender.result()
            process.start()
        scene.gate.update(down=False, swallow=0)
        status = process.admin("POST", "/connector/flush").json()
        assert (status["pending"], status["error"]) == (0, "")
        uses = scene.uses()
        assert len(answered) > 100
        assert sorted(use.seq for use in uses) == list(range(1, status["records"] + 1))
        ids = [use.request_id for use in uses]
        assert len(ids) == len(set(ids))
        assert set(answered) <= set(ids)
        assert all(use.took_place and use.use_class is UseClass.OK for use in uses)
        with Session(scene.house.engine) as session:
            assert store.findings(session) == []
            assert set(store.classes(session, scene.agreement)) == {"OK"}
        used = process.admin("GET", "/connector/status").json()["agreements"][0]["used"]
        assert used == len(uses)


def test_connector__platform_down__same_bytes_are_sent_later(tmp_path: Path):
    with running(tmp_path, limit=100) as (scene, process):
        scene.gate["swallow"] = 1
        assert process.call("request-0001").status_code == 200
        assert process.admin("POST", "/connector/flush").json()["pending"] == 1
        process.kill()
        process.start()
        assert process.call("request-0002").status_code == 200
        assert process.admin("POST", "/connector/flush").json()["pending"] == 0
        assert scene.gate["seen"][0] == scene.gate["seen"][1]
        assert [use.request_id for use in scene.uses()] == ["request-0001", "request-0002"]


def test_connector__call_and_answer__go_through_as_they_came(tmp_path: Path) -> None:
    """The path byte for byte, no header of the client's own, every header of the answer, an encoded body as it is."""
    with running(tmp_path, limit=9) as (_, process):
        headers = {"Accept": "text/csv", "X-Own": "1", "User-Agent": "station/1"}
        answer = process.call("request-0001", "/echo/a%20b%2Fc/%E4%B8%AD?x=%2F&y=%20&z", **headers)
        said = answer.json()
        assert (answer.status_code, said["line"]) == (201, "GET /echo/a%20b%2Fc/%E4%B8%AD?x=%2F&y=%20&z HTTP/1.1")
        passed = dict(said["headers"])
        assert {name: passed[name] for name in ("accept", "x-own", "user-agent")} == {
            "accept": "text/csv", "x-own": "1", "user-agent": "station/1",
        }  # fmt: skip
        assert set(passed) == {"host", "accept", "x-own", "user-agent", "accept-encoding"}
        assert passed["accept-encoding"] == "identity"
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers.get_list("x-usage-record") == [f"{CONNECTOR}/1"]
        assert httpx.request("TRACE", process.url + "/echo", timeout=10).status_code == 404


def test_connector__repeat_after_its_time__answered_with_the_record_only(tmp_path: Path):
    with running(tmp_path, limit=100) as (scene, process):
        assert process.call("request-0001").status_code == 200
        scene.clock.write_text(str(NOW + 30 + 601))
        late = process.call("request-0001")
        assert (late.status_code, late.json()["record"]["seq"]) == (409, 1)


def test_connector__agreement_out_of_order_or_with_another_token_holder__refused(tmp_path: Path):
    with running(tmp_path, limit=100) as (scene, process):
        other, signed = scene.house.conclude(at=NOW)
        token = hashlib.sha256(TOKEN.encode()).hexdigest()
        clash = process.admin("PUT", "/connector/agreements", {**scene.house.sent(signed), "token_sha256": token})
        assert (clash.status_code, "token_sha256" in clash.text) == (422, True)
        suspend = scene.house.by_court(other, Act.SUSPEND, State.SUSPENDED)
        assert process.admin("PUT", "/connector/agreements", {"signed": suspend.document()}).status_code == 422
        assert httpx.put(process.url + "/connector/agreements", json={}, timeout=10).status_code == 401
        assert process.admin("PUT", "/connector/agreements", {"x": 1}).status_code == 422
        scene.house.session.rollback()


def await_answers(answered: list[str], number: int) -> None:
    """Waits until so many calls were answered, however busy the machine is."""
    end = time.monotonic() + 120
    while len(answered) < number:
        assert time.monotonic() < end, len(answered)
        time.sleep(0.005)


def _quietly(process: Process) -> None:
    try:
        process.admin("POST", "/connector/flush")
    except httpx.HTTPError:
        return
