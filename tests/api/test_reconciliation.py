"""Closes, heartbeats and the reconciliation report over HTTP: for the parties of the agreement and nobody else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openpyxl
import pytest

from api import bootstrap
from api.apikey import issue
from api.app import create
from clearing.usage.closing import Heartbeat, close_of, freeze, subject_of
from clearing.usage.closing import Line as Reporting
from clearing.usage.record import Side
from ledger import canonical, sm
from ledger import store as ledger
from tests.api.house import OPERATOR, installation, serving
from tests.clearing.market.house import CONNECTOR, CONSUMER, NOW, PROVIDER, SELLER, House, uscc
from tests.clearing.usage.batches import TwoSides

DAY = 86_400
WINDOW = {"from": NOW - DAY, "to": NOW + DAY}
STRANGER = uscc(77)


@dataclass
class Desk:
    """An installation whose two connectors reported three uses each, the last of them with another quantity."""

    client: httpx.Client
    house: House
    two: TwoSides
    tokens: dict[str, str]

    def get(self, holder: str, suffix: str = "", **params: Any) -> httpx.Response:
        path = f"/api/agreements/{self.two.agreement}/reconciliation{suffix}"
        headers = {"Authorization": f"Bearer {self.tokens[holder]}"}
        return self.client.get(path, params=params or WINDOW, headers=headers)

    def post(self, body: Any, holder: str = f"connector:{CONNECTOR}") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[holder]}", "Content-Type": "application/json"}
        return self.client.post("/api/usage/reports", content=canonical.encode(body), headers=headers)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("reconciliation") / "home"
    configured = installation(home, sm.generate().public)
    (home / "clock").write_text(str(NOW + 60))
    bootstrap.migrate(configured.database)
    system = bootstrap.build(configured)
    house = House(system.engine)
    two = TwoSides(house)
    two.report(2)
    two.report(1, provide={"quantity": 3})
    holders = [f"party:{name}" for name in (PROVIDER, CONSUMER, SELLER, OPERATOR, STRANGER)]
    holders += [f"connector:{CONNECTOR}", f"connector:{TwoSides.CONSUMING}"]
    tokens = {name: issue(house.session, name, at=NOW) for name in holders}
    house.session.commit()
    with serving(create(system)) as client:
        yield Desk(client, house, two, tokens)
    house.close()
    system.reader.dispose()


@pytest.mark.parametrize("party", [PROVIDER, CONSUMER, SELLER, OPERATOR])
def test_report__for_a_party_and_the_operator__item_by_item(desk: Desk, party: str) -> None:
    answer = desk.get(f"party:{party}")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["agreement"], said["billing"], said["billed"], said["held"]) == (desk.two.agreement, "BOTH", 3, 2)
    assert {item["match"]: item["count"] for item in said["classes"] if item["count"]} == {"OK": 2, "QTY": 1}
    (item,) = said["differences"]
    assert (item["match"], item["provide"]["quantity"], item["consume"]["quantity"]) == ("QTY", 3, 1)
    assert (item["provide"]["connector"], item["consume"]["connector"]) == (CONNECTOR, TwoSides.CONSUMING)


def test_report__as_xlsx__same_difference(desk: Desk) -> None:
    answer = desk.get(f"party:{CONSUMER}", "/xlsx")
    assert answer.status_code == 200
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    rows = list(openpyxl.load_workbook(io.BytesIO(answer.content))["差异明细"].iter_rows(min_row=2, values_only=True))
    assert [(row[0], row[2], row[3]) for row in rows] == [("QTY 数量不符", "1", "2")]


@pytest.mark.parametrize("suffix", ["", "/xlsx"])
@pytest.mark.parametrize("holder", [f"party:{STRANGER}", f"connector:{CONNECTOR}"])
def test_report__for_anybody_else__403(desk: Desk, holder: str, suffix: str) -> None:
    assert desk.get(holder, suffix).status_code == 403
    path = f"/api/agreements/{desk.two.agreement}/reconciliation{suffix}"
    assert desk.client.get(path, params=WINDOW).status_code == 401


@pytest.mark.parametrize(
    "params",
    [
        {"from": NOW}, {"to": NOW}, {"from": NOW, "to": NOW}, {"from": NOW, "to": NOW - 1}, {"from": -1, "to": NOW},
        {"from": NOW, "to": 2**60}, {"from": "x", "to": NOW}, {"from": NOW, "to": NOW + 367 * DAY},
    ],
)  # fmt: skip
def test_report__impossible_window__422(desk: Desk, params: dict[str, Any]) -> None:
    answer = desk.get(f"party:{PROVIDER}", **params)
    assert (answer.status_code, answer.json()["error"] != "") == (422, True)


def test_report__unknown_agreement__404(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.tokens[f'party:{PROVIDER}']}"}
    for name in ("f" * 64, "x", "..%2f"):
        assert (
            desk.client.get(f"/api/agreements/{name}/reconciliation", params=WINDOW, headers=headers).status_code == 404
        )


def test_reports__heartbeat_then_a_close_too_early__answer_and_refusal(desk: Desk) -> None:
    session = desk.house.session
    place = ledger.next_of(session, subject_of(CONNECTOR))
    beat = freeze(Heartbeat(CONNECTOR, desk.two.agreement, Side.PROVIDE, "2026-05-29", 0), *place, desk.house.connector)
    session.rollback()
    first = desk.post(beat.document())
    assert (first.status_code, first.json()["replayed"]) == (200, False), first.text
    assert desk.post(beat.document()).json() == first.json() | {"replayed": True}
    assert desk.post(beat.document(), f"connector:{TwoSides.CONSUMING}").status_code == 403
    close = close_of(Reporting(CONNECTOR, desk.two.agreement, Side.PROVIDE), "2026-05", [])
    early = desk.post(freeze(close, 1, beat.statement.digest(), desk.house.connector).document())
    assert (early.status_code, early.json()["error"]) == (409, "TooEarly")
    again = Heartbeat(CONNECTOR, desk.two.agreement, Side.PROVIDE, "2026-05-29", 0)
    clash = desk.post(freeze(again, 1, beat.statement.digest(), desk.house.connector).document())
    assert (clash.status_code, clash.json()["error"]) == (409, "Clash")
