"""Connectors that report to a test platform record by record."""

from __future__ import annotations

from typing import Any

import httpx

from clearing.usage import tables
from clearing.usage.held import HeldAnswer
from clearing.usage.record import Admitted
from ledger import canonical, sm
from registry.party import Connector
from tests.api.house import Platform
from tests.clearing.usage.batches import Line
from tests.registry.registry_house import PROVIDER

PATH = "/api/usage/records"


def line(platform: Platform, name: str = "conn-1") -> Line:
    """A registered connector of PROVIDER with an empty chain; its agreement is unknown, which holding does not ask."""
    key = platform.keys.setdefault(f"connector:{name}", sm.generate())
    body = Connector(PROVIDER, key.public, "test")
    platform.state("/api/connectors", "connector/v1", f"connector:{name}", body, (f"party:{PROVIDER}", ""))
    return Line("a" * 64, "b" * 32, "c" * 64, connector=name)


def send(platform: Platform, item: Admitted | bytes, by: str = "connector:conn-1") -> httpx.Response:
    return platform.post(PATH, item if isinstance(item, bytes) else item.data, by)


def proved(platform: Platform, item: Admitted, answer: httpx.Response) -> HeldAnswer:
    """The answer, verified with nothing but the operator's name and key."""
    assert answer.status_code == 200, answer.text
    found = HeldAnswer.of_document(canonical.decode(answer.content))
    found.verify(item.data, platform.system.operator.by, platform.system.operator.sm2.public)
    return found


def stored(platform: Platform) -> list[Any]:
    """Rows of held records."""
    with platform.reading() as session:
        table = tables.held
        return list(session.execute(table.select().order_by(table.c.connector, table.c.seq)))
