"""A real platform and a connector that watches it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from api import bootstrap
from api.apikey import issue
from api.app import create
from ledger import canonical, sm
from ledger.facts import Signed
from tests.api.connecting import Process, Scene, Upstream, serving
from tests.api.house import installation
from tests.api.house import serving as platform_serving
from tests.clearing.market.house import CONNECTOR, NOW, PROVIDER, House

PATH = f"/api/connectors/{CONNECTOR}/acts"
WITHIN = 30
"""Seconds until a test gives up; how long it really takes is measured by `make bench`."""


class Deal:
    """A real platform with one agreement, and the process of its connector, which watches."""

    def __init__(self, folder: Path, client: httpx.Client, house: House, upstream: str) -> None:
        self.client, self.house = client, house
        (folder / "connector").mkdir()
        self.scene = Scene(folder / "connector", 100, house)
        token = issue(house.session, f"connector:{CONNECTOR}", at=NOW)
        self.stranger = issue(house.session, f"party:{PROVIDER}", at=NOW)
        house.session.commit()
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        api_key = folder / "connector" / "api.key"
        api_key.write_text(token)
        api_key.chmod(0o600)
        config = self.scene.write_config(upstream, str(client.base_url), api_key_file="api.key", watch=True)
        self.process = Process(config)
        assert self.process.admin("PUT", "/connector/agreements", self.scene.request()).status_code == 200
        self.numbers = itertools.count()

    def answer(self) -> str:
        """What the next call is answered: "200", or the code it is refused with."""
        answer = self.process.call(f"request-{next(self.numbers):06d}")
        return "200" if answer.status_code == 200 else str(answer.json()["code"])

    def until(self, found: Callable[[], bool]) -> None:
        """Asks again until it is so."""
        end = time.monotonic() + WITHIN
        while not found():
            assert time.monotonic() < end, self.status()
            time.sleep(0.01)

    def status(self) -> Any:
        return self.process.admin("GET", "/connector/status").json()

    def taken(self, signed: Signed) -> None:
        self.house.take(signed, NOW + 40)
        self.house.session.commit()

    def ask(self, known: dict[str, int], wait: int = 0, headers: dict[str, str] | None = None) -> httpx.Response:
        data = canonical.encode({"known": known, "wait": wait})
        return self.client.post(PATH, content=data, headers=self.headers if headers is None else headers, timeout=60)


@contextmanager
def dealing(folder: Path) -> Iterator[Deal]:
    home = folder / "home"
    configured = installation(home, sm.generate().public)
    (home / "clock").write_text(str(NOW + 40))
    bootstrap.migrate(configured.database)
    system = bootstrap.build(configured)
    house = House(system.engine)
    with platform_serving(create(system)) as client, serving(Upstream) as upstream:
        deal = Deal(folder, client, house, upstream)
        try:
            yield deal
        finally:
            deal.process.kill()
            deal.process.http.close()
            house.close()
            system.reader.dispose()
