"""Single records over HTTP: durable before the answer, one commit for many, nobody harmed by a neighbour."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from msgspec import structs
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from api import checks, jobs
from api.apikey import ApiKey
from api.client import PlatformClient
from api.group import GroupCommit, NotStored, Overloaded
from clearing.usage import store as usage_store
from clearing.usage.batch import BATCH_TYPE, batch_bytes, freeze
from clearing.usage.record import Admitted, decode, encode
from ledger import canonical
from ledger.reading import body_of
from tests.api.house import OPERATOR, Platform
from tests.api.reporting import PATH, line, proved, send, stored
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL

BY = "connector:conn-1"


def many(platform: Platform, items: Sequence[Admitted | bytes], workers: int = 16) -> list[httpx.Response]:
    platform.token(BY)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda item: send(platform, item), items))


def test_post__many_at_once__each_durable_proved_and_in_few_facts(platform: Platform) -> None:
    items = line(platform).more(120)
    facts = platform.count()
    answers = many(platform, items)
    found = [proved(platform, item, answer) for item, answer in zip(items, answers, strict=True)]
    assert [row.seq for row in stored(platform)] == list(range(1, 121))
    assert {row.fact_id for row in stored(platform)} == {answer.fact.id for answer in found}
    assert facts < platform.count() < facts + 120
    with jobs.snapshot(platform.system) as session:
        assert list(checks.facts(platform.system, session)) == []
        assert list(checks.views(platform.system, session)) == []


def test_post__duplicates_and_contradictions_among_good_ones__each_its_own_answer(platform: Platform) -> None:
    items = line(platform).more(40)
    false = [decode(encode(structs.replace(item.record, quantity=7))) for item in items[:10]]
    first = many(platform, items)
    answers = many(platform, [*items, *false])
    assert Counter(answer.status_code for answer in answers) == {200: 40, 409: 10}
    assert [answer.content for answer in answers[:40]] == [answer.content for answer in first]
    for item, answer in zip(false, answers[40:], strict=True):
        document = answer.json()
        assert (document["error"], document["given"]) == ("Conflict", item.digest.sha256.hex())
        assert document["stored"] == items[item.record.seq - 1].digest.sha256.hex()
        assert (document["connector"], document["first_seq"]) == ("conn-1", item.record.seq)
    with platform.reading() as session:
        kept = session.execute(usage_store.tables.refusal.select()).all()
    assert {row.given_sha256 for row in kept} == {item.digest.sha256.hex() for item in false}
    assert len(stored(platform)) == 40


def test_client__hold__answer_that_verifies(platform: Platform) -> None:
    item = line(platform).more(1)[0]
    with PlatformClient(str(platform.client.base_url), platform.token(BY)) as client:
        operator = platform.system.operator
        first, again = client.hold(item.data), client.hold(item.data)
        assert first.verify(item.data, operator.by, operator.sm2.public).received_at == platform.now
        assert again == first


# --- who may come in -------------------------------------------------------------------------------------------------


def test_post__key_of_the_connector_or_of_its_owner__taken_in_and_of_nobody_else(platform: Platform) -> None:
    items = line(platform).more(2)
    line(platform, "conn-2")
    for by in ("connector:conn-2", f"party:{RIVAL}", f"party:{OPERATOR}", f"party:{AGENCY}"):
        answer = send(platform, items[0], by)
        assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")
    assert send(platform, items[0], BY).status_code == 200
    assert send(platform, items[1], f"party:{PROVIDER}").status_code == 200


def test_post__connector_that_is_not_on_record__404_until_it_is(platform: Platform) -> None:
    items = line(platform).more(1)
    unknown = [decode(encode(structs.replace(items[0].record, connector="conn-9")))]
    answer = send(platform, unknown[0], "connector:conn-9")
    assert (answer.status_code, answer.json()["error"]) == (404, "Unknown")
    line(platform, "conn-9")
    assert send(platform, unknown[0], "connector:conn-9").status_code == 200


def test_post__key_ended_while_in_use__refused_within_a_second(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = line(platform).more(2)
    now = [1_000.0]
    monkeypatch.setattr("api.auth.time", SimpleNamespace(monotonic=lambda: now[0]))
    assert send(platform, items[0]).status_code == 200
    with jobs.transaction(platform.system) as session:
        row = session.exec(select(ApiKey).where(ApiKey.holder == BY)).one()
        row.ended_at = platform.now
        session.add(row)
    now[0] += 1
    answer = send(platform, items[1])
    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorised")
    assert [row.seq for row in stored(platform)] == [1]


def test_post__fresh_key_after_a_refused_one__counts_at_once(platform: Platform) -> None:
    item = line(platform).more(1)[0]
    for key in ("", "Bearer sq_1_2", "Basic c3E6c3E="):
        headers = {"Authorization": key, "Content-Type": "application/json"}
        assert platform.client.post(PATH, content=item.data, headers=headers).status_code == 401
    assert send(platform, item).status_code == 200


# --- bad input -------------------------------------------------------------------------------------------------------


def _changed(**changes: Any) -> Any:
    return lambda value: value | changes


BAD: dict[str, Any] = {
    "number as text": _changed(seq="1"),
    "zero": _changed(seq=0),
    "later record without prev": _changed(seq=2**53 - 1),
    "negative quantity": _changed(quantity=-1),
    "connector with a space": _changed(connector="conn 1"),
    "connector too long": _changed(connector="c" * 65),
    "capital digest": _changed(agreement="A" * 64),
    "other schema": _changed(schema="usage-record/v2"),
    "other mode": _changed(mode="M2"),
    "unknown field": _changed(colour="red"),
    "true for a number": _changed(quantity=True),
    "number for true": _changed(billable=1),
    "prev in record 1": _changed(prev={"sha256": "0" * 64, "sm3": "0" * 64}),
    "prev half": _changed(seq=2, prev={"sha256": "0" * 64}),
    "denied and billable": _changed(decision="deny", reasons=["UC25"]),
    "reason without refusal": _changed(reasons=["UC25"]),
    "list": lambda value: [value],
    "wrapped": lambda value: {"record": value},
    "missing": lambda value: {name: item for name, item in value.items() if name != "salt"},
}  # fmt: skip


def test_post__record_that_is_wrong__422_and_nothing_stored(platform: Platform) -> None:
    value = body_of(line(platform).more(1)[0].record)
    before = platform.count()
    for name, change in BAD.items():
        answer = send(platform, canonical.encode(change(value)))
        assert answer.status_code == 422, (name, answer.text)
        assert {"error", "message"} <= answer.json().keys()
    assert (platform.count(), stored(platform)) == (before, [])


def test_post__bytes_that_are_not_canonical__422(platform: Platform) -> None:
    data = line(platform).more(1)[0].data
    loose = (b" " + data, data + b"\n", data.replace(b'"agr_seq":1', b'"agr_seq": 1'), data[:-1], b"", b"\xff" + data,
             data.replace(b'"agr_seq":1,', b'"agr_seq":1,"agr_seq":1,'), data.replace(b"research", b"\\u0072esearch"),
             data.replace(b'"quantity":1', b'"quantity":1.0'), b"null", b"[" * 100_000)  # fmt: skip
    for body in loose:
        assert send(platform, body).status_code == 422, body[:40]
    assert send(platform, b"[" * 200_000).status_code == 413
    headers = platform.headers(BY) | {"Content-Type": "text/plain"}
    assert platform.client.post(PATH, content=data, headers=headers).status_code == 415
    assert platform.client.get(PATH).status_code == 405
    assert stored(platform) == []


def test_direct__same_answers_and_headers_as_the_framework_gives(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = line(platform).more(1)[0]
    assert send(platform, item).status_code == 200
    unknown = decode(encode(structs.replace(item.record, connector="conn-9"))).data
    false = decode(encode(structs.replace(item.record, quantity=7))).data
    sent = [(item.data, BY), (b"{}", BY), (b"", BY), (unknown, BY), (false, BY), (item.data, f"party:{RIVAL}"),
            (b" " * 200_000, BY)]  # fmt: skip
    direct = [send(platform, data, by) for data, by in sent]
    monkeypatch.setattr("api.routes.usage.RECORD_PATH", "/elsewhere")
    for one, (data, by) in zip(direct, sent, strict=True):
        other = send(platform, data, by)
        assert (one.status_code, set(one.headers)) == (other.status_code, set(other.headers))
        assert one.headers["content-security-policy"] == other.headers["content-security-policy"]
        assert one.content == other.content
    assert [answer.status_code for answer in direct] == [200, 422, 422, 404, 409, 403, 413]


# --- held, then signed for -------------------------------------------------------------------------------------------


def test_batch__over_held_records__taken_in_or_refused_with_evidence(platform: Platform) -> None:
    chain = line(platform)
    items = chain.more(6)
    assert {answer.status_code for answer in many(platform, items[1:4])} == {200}
    with platform.reading() as session:
        assert [(f.kind, f.first_seq, f.last_seq) for f in usage_store.findings(session)] == [("UNSIGNED", 2, 4)]
    second_history = type(chain)("a" * 64, "b" * 32, "c" * 64, connector="conn-1").more(6)
    key = platform.keys[BY]

    def post(records: list[Admitted]) -> httpx.Response:
        signed = freeze(records, 0, None, key)
        headers = platform.headers(BY) | {"Content-Type": BATCH_TYPE}
        lines = batch_bytes(signed, [item.data for item in records])
        return platform.client.post("/api/usage/batches", content=lines, headers=headers)

    refused = post(second_history)
    assert refused.status_code == 409
    assert refused.json()["stored"] == items[1].digest.sha256.hex()
    assert post(items).status_code == 200
    with jobs.snapshot(platform.system) as session:
        assert usage_store.findings(session) == []
        assert usage_store.classes(session, "a" * 64) == {"UNKNOWN": 6}
        assert list(checks.views(platform.system, session)) == []
    late = send(platform, items[5])
    assert proved(platform, items[5], late).fact.kind == "usage-batch/v1"


def test_bundle__of_a_held_record__for_its_connector_owner_and_the_operator(platform: Platform) -> None:
    """Nothing is published here, so whoever may have the bundle hears 409, and whoever may not 403."""
    items = line(platform).more(1)
    line(platform, "conn-2")
    fact = proved(platform, items[0], send(platform, items[0])).fact.id
    expected = {BY: 409, f"party:{PROVIDER}": 409, f"party:{OPERATOR}": 409, "connector:conn-2": 403,
                f"party:{RIVAL}": 403}  # fmt: skip
    for by, status in expected.items():
        answer = platform.client.get(f"/api/bundles/{fact}?part=0", headers=platform.headers(by))
        assert answer.status_code == status, (by, answer.text)
    for part in (1, 2**53):
        answer = platform.client.get(f"/api/bundles/{fact}?part={part}", headers=platform.headers(BY))
        assert answer.status_code in {403, 422}


# --- commits that fail, queues that are full -------------------------------------------------------------------------


def test_commit_fails__every_waiting_caller_503_and_nothing_stored(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = line(platform).more(30)
    platform.token(BY)
    before = platform.count()

    def failing(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", failing)
        answers = many(platform, items)
    assert Counter(answer.status_code for answer in answers) == {503: 30}
    assert all("未写入" in answer.json()["message"] for answer in answers)
    assert (platform.count(), stored(platform)) == (before, [])
    again = many(platform, items)
    assert {proved(platform, item, answer).fact.id for item, answer in zip(items, again, strict=True)} == {
        row.fact_id for row in stored(platform)
    }


class Slow:
    """Work that waits until it may go on."""

    def __init__(self) -> None:
        self.may_go, self.groups = threading.Event(), []  # type: ignore[var-annotated]

    def __call__(self, _session: Session, items: Sequence[int]) -> list[Any]:
        self.may_go.wait(10)
        self.groups.append(list(items))
        return [ValueError(str(item)) if item < 0 else item * 2 for item in items]


@pytest.fixture
def slow() -> Slow:
    return Slow()


def test_group__closes_when_the_commit_before_is_done_or_when_full(platform: Platform, slow: Slow) -> None:
    async def play() -> list[Any]:
        group: GroupCommit[int, int] = GroupCommit(platform.system.engine, slow, most=4, waiting=100)
        waiting = [asyncio.create_task(group.take(number)) for number in (1, 2, 3, 4, -5, 6)]
        await asyncio.sleep(0)
        slow.may_go.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(play())
    assert [answer for answer in answers if isinstance(answer, int)] == [2, 4, 6, 8, 12]
    assert isinstance(answers[4], ValueError)
    assert [len(group) for group in slow.groups] == [4, 2]


def test_group__full__further_ones_are_sent_away_and_callers_who_left_do_no_harm(
    platform: Platform, slow: Slow
) -> None:
    async def play() -> tuple[list[Any], int]:
        group: GroupCommit[int, int] = GroupCommit(platform.system.engine, slow, most=2, waiting=3)
        first = asyncio.create_task(group.take(0))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(group.take(number)) for number in range(1, 6)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        slow.may_go.set()
        answers = await asyncio.gather(first, *waiting, return_exceptions=True)
        return answers, await group.take(50)

    answers, last = asyncio.run(play())
    assert isinstance(answers[1], asyncio.CancelledError)
    assert [type(answer) for answer in answers[4:]] == [Overloaded, Overloaded]
    assert (answers[0], answers[2], answers[3], last) == (0, 4, 6, 100)


def test_group__work_fails__each_caller_hears_it_and_the_next_group_is_stored(platform: Platform) -> None:
    fail = [True]

    def work(_session: Session, items: Sequence[int]) -> list[int]:
        if fail.pop() if fail else False:
            raise RuntimeError("a fault")
        return list(items)

    async def play() -> tuple[list[Any], int]:
        group: GroupCommit[int, int] = GroupCommit(platform.system.engine, work)
        answers = await asyncio.gather(*(group.take(number) for number in range(3)), return_exceptions=True)
        return answers, await group.take(7)

    answers, last = asyncio.run(play())
    assert [type(answer) for answer in answers] == [NotStored] * 3
    assert last == 7


def test_overloaded__503_with_retry_after(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    item = line(platform).more(1)[0]
    monkeypatch.setattr(platform.app.state.desk.group, "_limit", 0)
    answer = send(platform, item)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]) == (503, "1", "Overloaded")
    assert stored(platform) == []
