"""A provider's and a consumer's connector as real processes in one line, and the platform gone in between.

    application ──▶ consumer's connector ──▶ provider's connector ──▶ data API

Each meters the same uses for its own side. What both sent afterwards must agree use by use, whatever was killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session

from api.connector.agreements import Agreements
from api.connector.settings import SIDES, Mode, Settings
from api.connector.state import Book
from api.connector.vault import Vault
from clearing.usage import service
from clearing.usage.closing import Lapse
from clearing.usage.reconcile import Match
from clearing.usage.report import Report
from ledger import eip712
from ledger import store as ledger
from ledger.errors import FieldError
from ledger.facts import Signed
from ledger.sm import Sm2Key
from scripts.demo.world import free_port
from tests.api.connecting import ADMIN, TOKEN, Process, Upstream, platform_handler, serving
from tests.clearing.market.house import CONNECTOR, DAY, NOW, House
from tests.clearing.usage.batches import TwoSides
from tests.clearing.usage.test_closing import JUNE, MAY

ACCESS = "access-token-of-the-provider"


class Street:
    """Both connectors' folders, the clock they share, and the platform's database."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.house = folder, House(folder / "platform.db")
        self.two = TwoSides(self.house, limit=limit)
        self.house.session.commit()
        self.gate: dict[str, Any] = {"down": False, "seen": [], "swallow": 0}
        self.clock = folder / "clock"
        self.clock.write_text(str(NOW + 30))

    def config(self, name: str, key: Sm2Key, **more: Any) -> Path:
        home = self.folder / name
        home.mkdir()
        document = {"by": f"connector:{name}", "sm2": key.private.hex(), "evm": eip712.new_key().hex(),
                    "ed25519": secrets.token_hex(32)}  # fmt: skip
        (home / "key.json").write_text(json.dumps(document))
        (home / "key.json").chmod(0o600)
        config = home / "config.json"
        operator = self.house.keys[self.house.operator.by.removeprefix("party:")].sm2.public
        settings = {
            "id": name, "key_file": "key.json", "state": "state.db", "log_key": operator, "flush_seconds": 0,
            "watch": False, "admin_token_sha256": _sha256(ADMIN), "clock_file": str(self.clock), "batch_size": 20,
        }  # fmt: skip
        config.write_text(json.dumps(settings | more))
        return config

    def agreement(self, token: str, **more: str) -> dict[str, Any]:
        """What an administrator hands to a connector: the act, and who gets in by which token."""
        fact = ledger.facts_of(self.house.session, f"agreement:{self.two.agreement}")[0]
        self.house.session.rollback()
        return {**self.house.sent(Signed(fact.statement, fact.signatures)), "token_sha256": _sha256(token), **more}

    def report(self, at: int = NOW + 600) -> Report:
        with Session(self.house.engine) as session:
            return service.reconciliation(session, self.two.agreement, MAY.start, MAY.end, at=at)

    def platform(self, port: int) -> Any:
        return serving(platform_handler(self.house, self.gate, self.clock), port)


@contextmanager
def street(tmp_path: Path, limit: int = 10**6) -> Iterator[tuple[Street, int, Process, Process]]:
    made, port = Street(tmp_path, limit), free_port()
    platform = f"http://127.0.0.1:{port}"
    processes: list[Process] = []
    with serving(Upstream) as upstream:
        try:
            first = made.config(CONNECTOR, made.house.connector, upstream=upstream, platform=platform)
            processes.append(Process(first))
            taken = processes[0].admin("PUT", "/connector/agreements", made.agreement(ACCESS))
            assert taken.status_code == 200, taken.text
            second = made.config(
                TwoSides.CONSUMING, made.two.key, upstream=processes[0].url, platform=platform, mode="consumer"
            )
            processes.append(Process(second))
            taken = processes[1].admin("PUT", "/connector/agreements", made.agreement(TOKEN, access_token=ACCESS))
            assert taken.status_code == 200, taken.text
            yield made, port, processes[0], processes[1]
        finally:
            for process in processes:
                process.kill()
                process.http.close()
            made.house.close()


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
        (Mode.PROVIDER, CONNECTOR, {}, ""),
        (Mode.CONSUMER, CONNECTOR, {"access_token": ACCESS}, "terms.parties.connectors"),
        (Mode.PROVIDER, TwoSides.CONSUMING, {}, "terms.parties.connectors"),
        (Mode.PROVIDER, "conn-other", {}, "terms.parties.connectors"),
        (Mode.PROVIDER, CONNECTOR, {"access_token": ACCESS}, "access_token"),
        (Mode.PROVIDER, CONNECTOR, {"access": ACCESS}, "request"),
        *(
            (Mode.CONSUMER, TwoSides.CONSUMING, more, "access_token")
            for more in ({}, *({"access_token": token} for token in ("", "two words", "x" * 513, 7, "令牌")))
        ),
    ],
)
def test_agreement__for_the_other_side_or_without_the_providers_token__refused(
    tmp_path: Path, mode: Mode, name: str, more: dict[str, Any], field: str
) -> None:
    """A connector serves the side that names it; a consumer's must know how the provider's lets it in."""
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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
