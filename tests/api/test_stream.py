"""Endless streams through the connector: every message that leaves is on record, and none leaves that may not."""

from __future__ import annotations

import asyncio
import json
import queue
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from api.connector import stream
from api.connector.stream import LONGEST, Overlong, Window, mark
from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.market.policy import Action, Constraint, Decision, Effect, Left, Operator, Policy, Request, Rule, Standing
from clearing.usage import store
from clearing.usage.control import Meter
from clearing.usage.reconcile import Match
from tests.api.connecting import TOKEN, Process, Scene, platform_handler, serving
from tests.api.street import street
from tests.clearing.market.house import CONSUMER, DOMAIN, NOW, SELLER

MARK = re.compile(r": usage ([A-Za-z0-9._-]+)/(\d+) [0-9a-f]{64} (\d+)")


class Tap(BaseHTTPRequestHandler):
    """A stream that says what the test puts into `flow`; None ends it."""

    protocol_version = "HTTP/1.1"
    flow: queue.Queue[bytes | None] = queue.Queue()
    gone = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.close_connection = True
        try:
            while (data := Tap.flow.get()) is not None:
                self.wfile.write(data)
        except OSError:
            Tap.gone.set()

    def log_message(self, *said: object) -> None:
        return


def messages(*numbers: int) -> bytes:
    return b"".join(b"id: %d\ndata: %d\n\n" % (number, number) for number in numbers)


class Reader:
    """Reads a stream line by line."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer, self.lines, self.windows = answer, answer.iter_lines(), list[int]()

    def until(self, data: str) -> list[str]:
        """The data that come, as far as this one."""
        found = []
        for line in self.lines:
            if (marked := MARK.fullmatch(line)) is not None:
                self.windows.append(int(marked[3]))
            elif line.startswith("data:"):
                found.append(line.removeprefix("data:").strip())
                if found[-1] == data:
                    break
        return found

    def rest(self) -> list[str]:
        return self.until("nothing says this")


@contextmanager
def reading(process: Process, request_id: str, purpose: str = "research") -> Iterator[Reader]:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": request_id, "X-Purpose": purpose}
    with process.http.stream("GET", process.url + "/delays", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Reader(answer)


@contextmanager
def tapped(tmp_path: Path, limit: int, unit: str = "message") -> Iterator[tuple[Scene, Process]]:
    Tap.flow, Tap.gone = queue.Queue(), threading.Event()
    scene = Scene(tmp_path, limit, unit=unit)
    with serving(Tap) as upstream, serving(platform_handler(scene.house, scene.gate, scene.clock)) as platform:
        process = Process(scene.write_config(upstream, platform))
        try:
            assert process.admin("PUT", "/connector/agreements", scene.request()).status_code == 200
            yield scene, process
        finally:
            Tap.flow.put(None)
            process.kill()
            process.http.close()
            scene.house.close()


def used(scene: Scene) -> tuple[int, dict[str, int]]:
    with Session(scene.house.engine) as session:
        assert store.findings(session) == []
        return store.counter(session, scene.agreement).used, store.classes(session, scene.agreement)


def test_stream__limit_within_a_window__delivered_to_the_limit_then_refused_on_record(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=5) as (scene, process):
        with reading(process, "stream-0001") as reader:
            Tap.flow.put(b": a word of the source\n\nretry: 10\n\n" + messages(1, 2, 3))
            assert reader.until("3") == ["1", "2", "3"]
            Tap.flow.put(messages(4, 5, 6, 7))
            *left, refusal = reader.rest()
            assert (left, json.loads(refusal)["code"]) == (["4", "5"], "UC25")
            assert reader.windows == [3, 2, 0]
        assert process.flush()["error"] == ""
        assert used(scene) == (5, {"OK": 2, "REFUSED": 1})
        assert process.call("stream-0001").status_code == 409
        assert process.call("stream-0002").json()["code"] == "UC25"
        assert [use.quantity for use in scene.uses()] == [3, 2, 1]


def test_stream__source_that_makes_marks_itself__every_message_is_counted_all_the_same(tmp_path: Path) -> None:
    """Seller and buyer in league would save the others their share by a mark that says "refused, not billed"."""
    with tapped(tmp_path, limit=100) as (scene, process):
        with reading(process, "stream-0001") as reader:
            Tap.flow.put(mark("conn-a", 1, "a" * 64, 0) + messages(1) + mark("conn-a", 2, "a" * 64, 999) + messages(2))
            assert reader.until("2") == ["1", "2"]
            Tap.flow.put(None)
            assert reader.rest() == []
        assert sum(reader.windows) == 2
        assert process.flush()["error"] == ""
        used_, classes = used(scene)
        assert (used_, set(classes)) == (2, {"OK"})


def test_stream__agreement_suspended_while_it_runs__no_message_leaves_after_that(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=100) as (scene, process), reading(process, "stream-0001") as reader:
        Tap.flow.put(messages(1))
        assert reader.until("1") == ["1"]
        suspended = scene.house.by_court(scene.agreement, Act.SUSPEND, State.SUSPENDED)
        market.record_act(scene.house.session, suspended, domain=DOMAIN, at=NOW + 20)
        assert process.admin("PUT", "/connector/agreements", {"signed": suspended.document()}).status_code == 200
        Tap.flow.put(messages(2))
        (refusal,) = reader.rest()
        assert json.loads(refusal)["code"] == "UC12"
        assert process.admin("GET", "/connector/status").json()["agreements"][0]["used"] == 1
        scene.house.session.rollback()


def test_stream__its_request_id_is_taken_while_it_runs_and_long_ids_are_refused(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=100) as (_scene, process):
        with reading(process, "stream-0001") as reader:
            Tap.flow.put(messages(1))
            assert reader.until("1") == ["1"]
            assert process.call("stream-0001").status_code == 409
            assert process.call("s" * 113).status_code == 400
        # The reader has gone away; the source hears of it as soon as it says more.
        while not Tap.gone.wait(0.05):
            Tap.flow.put(messages(2))


def test_stream__under_an_agreement_by_the_call__not_delivered_and_not_billed(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=5, unit="call") as (scene, process):
        Tap.flow.put(messages(1))
        answer = process.call("stream-0001")
        assert (answer.status_code, answer.json()["code"]) == (502, "STREAM")
        process.flush()
        assert used(scene) == (0, {"FAILED": 1})


def test_stream__purpose_outside__refused_before_the_source_is_asked(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=5) as (_scene, process):
        assert process.call("stream-0001", purpose="marketing").json()["code"] == "UC21"


def test_stream__connector_killed_while_messages_flow__what_was_read_is_on_record(tmp_path: Path) -> None:
    with tapped(tmp_path, limit=10**6) as (scene, process):
        read, next_ = 0, 1
        for round_ in range(4):
            with reading(process, f"stream-{round_:04d}") as reader:
                for _ in range(5):
                    Tap.flow.put(messages(*range(next_, next_ + 7)))
                    next_ += 7
                    read += len(reader.until(str(next_ - 1)))
                Tap.flow.put(messages(*range(next_, next_ + 7)))
                process.kill()
                with pytest.raises(httpx.HTTPError):
                    read += len(reader.rest())
            while not Tap.gone.wait(0.05):
                Tap.flow.put(messages(0))
            Tap.flow, Tap.gone = queue.Queue(), threading.Event()
            process.start()
        assert process.flush()["error"] == ""
        counted, classes = used(scene)
        assert read == 4 * 35
        assert read <= counted <= read + 4 * 7
        assert set(classes) == {"OK"}


def test_stream__through_both_connectors__the_same_windows_on_both_sides(tmp_path: Path) -> None:
    Tap.flow, Tap.gone = queue.Queue(), threading.Event()
    with street(tmp_path, limit=20, unit="message", data=Tap) as (made, port, provider, consumer):
        with made.platform(port):
            with reading(consumer, "stream-0001") as reader:
                for numbers in ((1, 2, 3), (4,), range(5, 12)):
                    Tap.flow.put(messages(*numbers))
                    assert reader.until(str(numbers[-1])) == [str(number) for number in numbers]
                Tap.flow.put(messages(*range(12, 25)))
                *left, refusal = reader.rest()
                assert left == [str(number) for number in range(12, 21)]
                assert json.loads(refusal)["code"] == "UC25"
            for process in (provider, consumer):
                assert (process.flush()["pending"], process.flush()["error"]) == (0, "")
        found = made.report()
        assert {item.match: item.count for item in found.classes if item.count} == {Match.OK: 5}
        assert (found.billed, found.held, found.differences) == (20, 0, ())
    Tap.flow.put(None)


def test_stream__provider_suspended_first__refused_there_and_a_failed_use_on_the_consumers_side(tmp_path: Path) -> None:
    Tap.flow, Tap.gone = queue.Queue(), threading.Event()
    with street(tmp_path, limit=20, unit="message", data=Tap) as (made, port, provider, consumer), made.platform(port):
        with reading(consumer, "stream-0001") as reader:
            Tap.flow.put(messages(1))
            assert reader.until("1") == ["1"]
            suspended = made.house.by_court(made.two.agreement, Act.SUSPEND, State.SUSPENDED)
            taken = provider.admin("PUT", "/connector/agreements", {"signed": suspended.document()})
            assert taken.status_code == 200, taken.text
            Tap.flow.put(messages(2))
            (refusal,) = reader.rest()
            assert json.loads(refusal)["code"] == "UC12"
        for process in (provider, consumer):
            assert (process.flush()["pending"], process.flush()["error"]) == (0, "")
        assert consumer.admin("GET", "/connector/status").json()["agreements"][0]["used"] == 1
        made.house.session.rollback()
    Tap.flow.put(None)


# the format -----------------------------------------------------------------------------------------------------------


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


async def _all(pieces: list[bytes]) -> list[bytes | int]:
    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return [item async for item in stream.read(chunks())]


WORD = st.text("abc: ", max_size=6).map(str.encode)


@given(
    st.lists(st.tuples(st.lists(WORD, max_size=3), st.booleans(), st.booleans()), max_size=8),
    st.sampled_from((b"\n", b"\r\n", b"\r")),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_read__however_cut_and_whatever_the_line_ends__the_messages_and_nothing_else(
    events: list[tuple[list[bytes], bool, bool]], end: bytes, cuts: list[int]
) -> None:
    sent, expected = b"", list[bytes]()
    for data, has_id, has_comment in events:
        lines = [b"id: 7"] * has_id + [b": a comment"] * has_comment + [b"data:" + word for word in data]
        sent += end.join([*lines, b"", b""]) if lines else end
        if data:
            expected.append(b"\n".join(line for line in lines if not line.startswith(b":")) + b"\n\n")
    # A last CR may be the half of a line end: the event after it tells.
    assert asyncio.run(_all(_pieces(sent + b"x", cuts))) == expected


def test_read__a_mark_tells_its_number_and_an_overlong_message_ends_it() -> None:
    data = mark("conn-a", 12, "a" * 64, 2) + b"data: 1\n\ndata: 2\n\n"
    assert asyncio.run(_all([data])) == [2, b"data: 1\n\n", b"data: 2\n\n"]
    with pytest.raises(Overlong):
        asyncio.run(_all([b"data: " + b"x" * LONGEST]))
    with pytest.raises(Overlong):
        asyncio.run(_all([b"data: x\n" * LONGEST]))


def test_windows__by_number_by_time_and_by_mark_and_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ALIVE", 0.01)
    monkeypatch.setattr(stream, "WINDOW", 5)

    class Fed:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
            self.closed = False

        async def chunks(self) -> AsyncIterator[bytes]:
            while (data := await self.queue.get()) is not None:
                yield data

        def close(self) -> None:
            self.closed = True

    async def run() -> list[Any]:
        fed, found = Fed(), []
        async with stream.windows(fed, marked=True) as windows:

            async def next_() -> Window:
                return await anext(windows)

            assert (await next_()).messages == []
            fed.queue.put_nowait(messages(1, 2, 3, 4, 5, 6))
            found += [await next_(), await next_()]
            fed.queue.put_nowait(mark("conn-a", 1, "a" * 64, 5) + messages(1, 2))
            assert (await next_()).messages == []
            fed.queue.put_nowait(messages(3, 4, 5, 6) + mark("conn-a", 2, "a" * 64, 0) + messages(7))
            found += [await next_(), await next_(), await next_()]
            fed.queue.put_nowait(None)
            assert [item async for item in windows] == []
        assert fed.closed
        return [(window.marked, len(window.messages)) for window in found]

    assert asyncio.run(run()) == [(None, 5), (None, 1), (5, 5), (None, 1), (0, 1)]


@given(st.integers(0, 30), st.integers(0, 40), st.integers(1, 40), st.integers(0, 12))
def test_take_most__as_many_as_fit_below_the_limit_and_within_the_rate(
    limit: int, before: int, asked: int, rate: int
) -> None:
    bounds = (
        Constraint(Left.COUNT, Operator.LTEQ, limit),
        Constraint(Left.RATE, Operator.LTEQ, rate, window=60),
        Constraint(Left.COUNT, Operator.LTEQ, 3, effect=Effect.FLAG),
    )
    policy = Policy(1, SELLER, CONSUMER, "a" * 32, (Rule(Action.READ, bounds),))
    meter = Meter(policy, before)
    request = Request(Action.READ, "research", CONSUMER, asked, Standing.EFFECTIVE)
    outcome, counted, allowed = meter.take_most(request, NOW)
    fitting = max(min(asked, limit - before, rate), 0)
    assert (allowed, counted, meter.total) == (fitting, before, before + fitting)
    assert (outcome.decision is Decision.DENY) == (fitting == 0)
    if fitting:
        again = Meter(policy, before).take(replace(request, quantity=fitting), NOW)
        assert again == (outcome, before)
