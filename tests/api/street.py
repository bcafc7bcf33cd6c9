"""A provider's and a consumer's connector as real processes in one line.

application ──▶ consumer's connector ──▶ provider's connector ──▶ data API
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from sqlmodel import Session

from clearing.usage import service
from clearing.usage.report import Report
from ledger import eip712
from ledger import store as ledger
from ledger.facts import Signed
from ledger.sm import Sm2Key
from scripts.demo.world import free_port
from tests.api.connecting import ADMIN, TOKEN, Process, Upstream, platform_handler, serving
from tests.clearing.market.house import CONNECTOR, NOW, House
from tests.clearing.usage.batches import TwoSides
from tests.clearing.usage.test_closing import MAY

ACCESS = "access-token-of-the-provider"


class Street:
    """Both connectors' folders, the clock they share, and the platform's database."""

    def __init__(self, folder: Path, limit: int, unit: str = "call") -> None:
        self.folder, self.house = folder, House(folder / "platform.db")
        self.two = TwoSides(self.house, limit=limit, unit=unit)
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
def street(
    tmp_path: Path,
    limit: int = 10**6,
    unit: str = "call",
    data: type[BaseHTTPRequestHandler] = Upstream,
    provider: dict[str, Any] | None = None,
    consumer: dict[str, Any] | None = None,
    access: bool = True,
) -> Iterator[tuple[Street, int, Process, Process]]:
    """Both connectors before a data API; the test lets the platform run, at the port it gets. Each side's further
    settings may be given; `access`: the consumer's is handed the provider's token."""
    made, port = Street(tmp_path, limit, unit), free_port()
    platform = f"http://127.0.0.1:{port}"
    processes: list[Process] = []
    handed = {"access_token": ACCESS} if access else {}
    with serving(data) as upstream:
        try:
            first = made.config(
                CONNECTOR, made.house.connector, upstream=upstream, platform=platform, **(provider or {})
            )
            processes.append(Process(first))
            taken = processes[0].admin("PUT", "/connector/agreements", made.agreement(ACCESS))
            assert taken.status_code == 200, taken.text
            second = made.config(
                TwoSides.CONSUMING,
                made.two.key,
                upstream=processes[0].url,
                platform=platform,
                mode="consumer",
                **(consumer or {}),
            )
            processes.append(Process(second))
            taken = processes[1].admin("PUT", "/connector/agreements", made.agreement(TOKEN, **handed))
            assert taken.status_code == 200, taken.text
            yield made, port, processes[0], processes[1]
        finally:
            for process in processes:
                process.kill()
                process.http.close()
            made.house.close()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
