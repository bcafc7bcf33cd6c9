"""A provider's and a consumer's connector as real processes in one line, and the platform gone in between.

    application ──▶ consumer's connector ──▶ provider's connector ──▶ data API

Each meters the same uses for its own side. What both sent afterwards must agree use by use, whatever was killed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.connector.agreements import Agreements
from api.connector.settings import SIDES, Mode, Settings
from api.connector.state import Book
from api.connector.vault import Vault
from clearing.usage.closing import Lapse
from clearing.usage.reconcile import Match
from clearing.usage.report import Report
from ledger.errors import FieldError
from tests.api.connecting import TOKEN, Process
from tests.api.street import ACCESS, Street, street
from tests.clearing.market.house import CONNECTOR, DAY, NOW
from tests.clearing.usage.batches import TwoSides
from tests.clearing.usage.test_closing import JUNE, MAY


def counts(found: Report) -> dict[Match, int]:
    return {item.match: item.count for item in found.classes if item.count}


def test_both_sides__platform_gone_while_they_meter__every_use_agrees_in_the_end(tmp_path: Path) -> None:
    """Delivered, failed and refused uses; the platform is there, gone, answers nothing, and is there again."""

    def calls(consumer: Process, round_: int) -> int:
        def one(number: int) -> bool:
            purpose = "marketing" if number % 7 == 3 else "research"
            path = "/broken" if number % 5 == 4 else f"/flights?n={number}"
            return consumer.call(f"round{round_}-{number:04d}", path, purpose).status_code == 200

        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(one, range(35)))

    with street(tmp_path) as (made, port, provider, consumer):
        with made.platform(port):
            delivered = calls(consumer, 1)
            assert consumer.flush()["pending"] == 0
        delivered += calls(consumer, 2)
        for process in (provider, consumer):
            status = process.flush()
            assert status["pending"] > 0
            assert "平台无应答" in status["error"]
        with made.platform(port):
            made.gate["swallow"] = 1
            delivered += calls(consumer, 3)
            provider.flush()
            for process in (provider, consumer):
                status = process.flush()
                assert (status["pending"], status["reports"], status["error"]) == (0, 0, "")
        found = made.report()
        assert delivered == 3 * 24
        assert counts(found) == {Match.OK: 3 * 35}
        assert (found.billed, found.held, found.differences, found.seams) == (delivered, 0, (), ())


def test_both_sides__consumer_killed_while_it_calls_and_the_calls_repeated__every_use_agrees(tmp_path: Path) -> None:
    """What the provider delivered and the killed connector could not record is fetched again under its request id."""
    with street(tmp_path) as (made, port, provider, consumer), made.platform(port):
        for round_ in range(3):
            ids = [f"round{round_}-{number:04d}" for number in range(40)]
            with ThreadPoolExecutor(4) as pool:
                first = list(pool.map(lambda name: _answered(consumer, name), ids[:10]))
                rest = [pool.submit(_answered, consumer, name) for name in ids[10:]]
                rest[3].result()
                consumer.kill()
                answered = first + [call.result() for call in rest]
            consumer.start()
            assert all(first)
            again = [name for name, done in zip(ids, answered, strict=True) if not done]
            assert all(_answered(consumer, name) for name in again)
        for process in (provider, consumer):
            status = process.flush()
            assert (status["pending"], status["error"]) == (0, "")
        found = made.report()
        assert (counts(found), found.billed) == ({Match.OK: 120}, 120)


def test_both_sides__days_and_a_month_pass__heartbeats_and_closes_leave_nothing_to_find(tmp_path: Path) -> None:
    with street(tmp_path) as (made, port, provider, consumer), made.platform(port):
        assert consumer.call("request-0001").status_code == 200
        for at in (NOW + 30, MAY.end - 2 * DAY + 60, MAY.end - DAY + 60, MAY.end + 60):
            made.clock.write_text(str(at))
            for process in (provider, consumer):
                assert (process.flush()["error"], process.flush()["reports"]) == ("", 0)
        due = MAY.end + 2 * DAY
        assert {item.kind for item in made.report(due).tails} == {Lapse.NO_CLOSE}
        made.clock.write_text(str(MAY.end + 3600))
        provider.kill()
        provider.start()
        assert provider.flush()["error"] == ""
        left = made.report(due)
        assert [(item.connector, item.kind) for item in left.tails] == [(TwoSides.CONSUMING, Lapse.NO_CLOSE)]
        assert consumer.flush()["error"] == ""
        assert made.report(due).tails == ()
        assert JUNE.start == MAY.end


def test_consumers_connector__limit_reached_and_no_request_id__recorded_on_its_side(tmp_path: Path) -> None:
    with street(tmp_path, limit=2) as (made, port, provider, consumer), made.platform(port):
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Purpose": "research"}
        own = httpx.get(consumer.url + "/x", headers=headers, timeout=30, trust_env=False)
        assert (own.status_code, own.headers["x-usage-record"]) == (200, f"{TwoSides.CONSUMING}/1")
        assert consumer.call("request-0002").status_code == 200
        assert consumer.call("request-0003").json()["code"] == "UC25"  # refused before it left
        assert provider.admin("GET", "/connector/status").json()["records"] == 2
        for process in (provider, consumer):
            assert process.flush()["error"] == ""
        assert counts(made.report()) == {Match.OK: 3}


@pytest.mark.parametrize(
    ("mode", "name", "more", "field"),
    [
        (Mode.CONSUMER, TwoSides.CONSUMING, {"access_token": ACCESS}, ""),
        (Mode.CONSUMER, TwoSides.CONSUMING, {}, ""),
        (Mode.PROVIDER, CONNECTOR, {}, ""),
        (Mode.CONSUMER, CONNECTOR, {"access_token": ACCESS}, "terms.parties.connectors"),
        (Mode.PROVIDER, TwoSides.CONSUMING, {}, "terms.parties.connectors"),
        (Mode.PROVIDER, "conn-other", {}, "terms.parties.connectors"),
        (Mode.PROVIDER, CONNECTOR, {"access_token": ACCESS}, "access_token"),
        (Mode.PROVIDER, CONNECTOR, {"access": ACCESS}, "request"),
        *(
            (Mode.CONSUMER, TwoSides.CONSUMING, more, "access_token")
            for more in ({"access_token": token} for token in ("", "two words", "x" * 513, 7, "令牌"))
        ),
    ],
)
def test_agreement__for_the_other_side_or_with_an_unusable_token__refused(
    tmp_path: Path, mode: Mode, name: str, more: dict[str, Any], field: str
) -> None:
    """A connector serves the side that names it; only a consumer's has a token for the provider's."""
    made = Street(tmp_path, 10)
    settings = Settings(name, "", "", "", "", "0" * 64, mode=mode)
    book = Book(tmp_path / "state.db", name, SIDES[mode], Vault(b"k" * 32))
    agreements = Agreements(settings, lambda: NOW, book)
    try:
        if field:
            with pytest.raises(FieldError) as refused:
                asyncio.run(agreements.put(made.agreement(TOKEN, **more)))
            assert refused.value.field == field
            assert book.agreements() == list(agreements) == []
        else:
            asyncio.run(agreements.put(made.agreement(TOKEN, **more)))
            (kept,) = book.agreements()
            assert (kept.access, kept.since, kept.until) == (more.get("access_token", ""), NOW, None)
    finally:
        book.close()
        made.house.close()


def _answered(process: Process, request_id: str) -> bool:
    try:
        return process.call(request_id).status_code == 200
    except httpx.HTTPError:
        return False
