"""A month of use: real calls through the connector, within the agreed limit and past it."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx

from api import jobs
from api.apikey import issue
from clearing.market.agreement import (
    subject_of,
)
from clearing.terms import month
from ledger import store
from ledger.facts import Signed
from scripts.demo import papers
from scripts.demo.cast import (
    BROKER,
    CONSUMER,
)
from scripts.demo.stage import CONNECTOR, PERIOD, Stage
from scripts.demo.world import (
    answers,
    free_port,
    write_json,
)

BROKER_LIMIT = 120
LATE = 5
"""Calls of September whose records the connector sends only when the period is closed."""


class Month(Stage):
    """The part of the journey in which the data are used."""

    def use(self, agreements: dict[str, str]) -> None:
        self.clock.move_to(month(PERIOD).start + 9 * 3600)
        self.say(
            f"九月里，买方经连接器真实调用数据接口 {self.calls} 次", f"{self.calls} real calls through the connector"
        )
        tokens = self._start_connector(agreements)
        started = time.monotonic()
        done = self._call(tokens[CONSUMER], self.calls, days=20)
        seconds = time.monotonic() - started
        self.note(f"{done} 次成功，{done / seconds:.0f} 次/秒；每次使用先落盘、再放行")
        served = self._call(tokens[BROKER], BROKER_LIMIT + 5, days=1)
        self.note(f"经纪方约定上限 {BROKER_LIMIT} 次：放行 {served} 次，其余以 UC25 拒绝且不计费")
        status = self._connector("POST", "/connector/flush")
        self.note(f"使用记录分批提交，每批一个签名：{json.dumps(status, ensure_ascii=False)[:160]}")
        self.publish()
        self.tokens = tokens
        self._call(tokens[CONSUMER], LATE, days=1)

    def _start_connector(self, agreements: dict[str, str]) -> dict[str, str]:
        data_port, self.gate_port = free_port(), free_port()
        data_url = f"http://127.0.0.1:{data_port}"
        self.children.python(
            "data-api", "scripts.counterparties.data_api", "--home", str(self.world / "data-api"), "--port",
            str(data_port), "--data", str(self.element), ready=answers(f"{data_url}/v1/health"),
        )  # fmt: skip
        folder = self.world / "connector"
        folder.mkdir()
        self.admin = secrets.token_hex(16)
        with jobs.transaction(self.system) as session:
            key = issue(session, f"connector:{CONNECTOR}", at=self.clock.now)
        (folder / "api.key").write_text(key, encoding="ascii")
        (folder / "api.key").chmod(0o600)
        shutil.copy(self.keys / f"connector-{CONNECTOR}.json", folder / "key.json")
        config = {
            "id": CONNECTOR, "key_file": "key.json", "state": "state.db", "upstream": data_url, "platform": self.url,
            "admin_token_sha256": hashlib.sha256(self.admin.encode()).hexdigest(), "api_key_file": "api.key",
            "log_key": self.system.operator.sm2.public, "clock_file": str(self.clock.file), "port": self.gate_port,
            "flush_seconds": 0,
        }  # fmt: skip
        write_json(folder / "config.json", config)
        self.gate = f"http://127.0.0.1:{self.gate_port}"
        self.children.python(
            "connector", "api.connector", str(folder / "config.json"), ready=answers(f"{self.gate}/connector/status")
        )
        tokens = {}
        for buyer, identity in agreements.items():
            tokens[buyer] = secrets.token_hex(24)
            with jobs.snapshot(self.system) as session:
                fact = store.facts_of(session, subject_of(identity))[0]
                parts = [part.decode() for part in store.parts_of(session, fact.id)]
            signed = Signed(fact.statement, fact.signatures).document()
            token = hashlib.sha256(tokens[buyer].encode()).hexdigest()
            self._connector("PUT", "/connector/agreements", {"signed": signed, "parts": parts, "token_sha256": token})
        return tokens

    def _connector(self, method: str, path: str, document: object = None) -> Any:
        answer = httpx.request(
            method, self.gate + path, json=document, timeout=60, trust_env=False,
            headers={"Authorization": f"Bearer {self.admin}"},
        )  # fmt: skip
        if answer.status_code >= 300:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def _call(self, token: str, count: int, *, days: int) -> int:
        """Calls the data API `count` times over `days` days of the month; returns how many were answered."""
        hours = list(self._hours(count))
        share = -(-count // days)
        answered = 0
        with httpx.Client(base_url=self.gate, timeout=30, trust_env=False) as client, ThreadPoolExecutor(8) as pool:
            for day in range(days):
                wanted = hours[day * share : (day + 1) * share]
                answered += sum(pool.map(lambda item: self._one(client, token, *item), wanted))
                self.clock.move_to(self.clock.now + 86_400 if days > 1 else self.clock.now)
        return answered

    def _hours(self, count: int) -> Iterator[tuple[str, str]]:
        with self.element.open(encoding="utf-8") as file:
            next(file)
            for _, line in zip(range(count), file, strict=False):
                origin, hour = line.split(",")[:2]
                yield origin, hour

    @staticmethod
    def _one(client: httpx.Client, token: str, origin: str, hour: str) -> bool:
        headers = {
            "Authorization": f"Bearer {token}", "X-Request-Id": f"req-{secrets.token_hex(12)}",
            "X-Purpose": quote(papers.PURPOSE),
        }  # fmt: skip
        answer = client.get("/v1/delays", params={"origin": origin, "hour": hour}, headers=headers)
        if answer.status_code not in (200, 403):
            raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
        return answer.status_code == 200
