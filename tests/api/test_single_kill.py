"""kill -9 of the server in a storm of single records: what was acknowledged is there, once, and proved."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from api import checks, jobs, settings
from clearing.usage import tables
from clearing.usage.held import HeldAnswer
from clearing.usage.record import Admitted
from ledger import canonical, store
from scripts.demo.world import free_port
from tests.api.house import Platform
from tests.api.reporting import PATH, line, proved, send, stored
from tests.counts import few
from tests.played import ROOT
from tests.telling import Tell

CONNECTORS, KILLS = 8, few(3)


class Sender(threading.Thread):
    """A connector that posts its chain, every third record twice, until the server goes away; then it is given up."""

    def __init__(self, url: str, key: str, items: list[Admitted], seed: int) -> None:
        super().__init__()
        self._url, self._key, self._items, self._random = url, key, items, random.Random(seed)
        self.answers: list[tuple[Admitted, bytes]] = []
        self.others: list[int] = []

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=30, trust_env=False) as client:
            for item in self._items:
                for _ in range(1 + (self._random.random() < 0.3)):
                    try:
                        answer = client.post(PATH, content=item.data)
                    except httpx.HTTPError:
                        return
                    if answer.status_code == 200:
                        self.answers.append((item, answer.content))
                    else:
                        self.others.append(answer.status_code)


def _serve(platform: Platform, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """`shuqing serve` on this platform's home; comes back once it answers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHUQING_")}
    port = free_port()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "serve", "--home", str(platform.system.settings.home), "--port",
             str(port)],
            cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    while True:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            httpx.get(f"{url}/api/log", timeout=5, trust_env=False).raise_for_status()
            return process, url
        except httpx.TransportError:
            time.sleep(0.05)


def test_server__killed_in_a_storm__every_acknowledged_record_once_and_proved(
    platform: Platform, tmp_path: Path, tell: Tell
) -> None:
    settings.save(platform.system.settings)
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    lines = [line(platform, f"conn-{number}") for number in range(CONNECTORS)]
    keys = [platform.token(f"connector:conn-{number}") for number in range(CONNECTORS)]
    pending: list[list[Admitted]] = [[] for _ in lines]
    sent: dict[tuple[str, int], Admitted] = {}
    acknowledged: dict[tuple[str, int], bytes] = {}
    for _ in range(KILLS):
        process, url = _serve(platform, tmp_path / "server.log")
        senders = []
        for number, chain in enumerate(lines):
            pending[number] += chain.more(150 - len(pending[number]))
            senders.append(Sender(url, keys[number], pending[number], rng.randrange(2**32)))
        for sender in senders:
            sender.start()
        while sum(len(sender.answers) for sender in senders) < 50:
            assert any(sender.is_alive() for sender in senders), (tmp_path / "server.log").read_text()[-2000:]
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        for number, sender in enumerate(senders):
            sender.join()
            assert sender.others == []
            sent |= {(f"conn-{number}", item.record.seq): item for item in pending[number]}
            for item, answer in sender.answers:
                acknowledged.setdefault((f"conn-{number}", item.record.seq), answer)
            done = {seq for name, seq in acknowledged if name == f"conn-{number}"}
            pending[number] = [item for item in pending[number] if item.record.seq not in done]
    rows = {(row.connector, row.seq): row for row in stored(platform)}
    with jobs.snapshot(platform.system) as session:
        parts = {row.fact_id: store.parts_of(session, row.fact_id) for row in rows.values()}
        kept = Counter(part for group in parts.values() for part in group)
        assert set(kept.values()) == {1}, "a record stands in two facts"
        assert len(kept) == len(rows)
        assert session.execute(tables.refusal.select()).first() is None
    operator = platform.system.operator
    for key, answer in acknowledged.items():
        found = HeldAnswer.of_document(canonical.decode(answer))
        found.verify(sent[key].data, operator.by, operator.sm2.public)
        assert (rows[key].fact_id, rows[key].position) == (found.fact.id, found.index)
        assert parts[found.fact.id][found.index] == sent[key].data
    silent = [key for key in rows if key not in acknowledged]
    for key in silent:
        found = proved(platform, sent[key], send(platform, sent[key], f"connector:{key[0]}"))
        assert (rows[key].fact_id, rows[key].position) == (found.fact.id, found.index)
    with jobs.snapshot(platform.system) as session:
        assert list(checks.facts(platform.system, session)) == []
        assert list(checks.views(platform.system, session)) == []
    tell(f"seed {seed}: {KILLS} kills, {len(acknowledged)} acknowledged, {len(silent)} stored but not answered")
