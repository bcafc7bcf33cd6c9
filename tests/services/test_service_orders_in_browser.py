"""A buyer and a provider place an order in a browser: what they sign reads in Chinese and in yuan, and every page of a
settled contract fits a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.house import template
from tests.api.shop import open_shop
from tests.api.test_service_order_pages import LIST, PAGE, Hall, accepted, month, order, paper
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER
from tests.services.player import Player, opened, ready
from tests.services.test_deal_in_browser import key_file

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    ready()
    folder = tmp_path_factory.mktemp("orders")
    with open_shop(folder / "home", template(folder)) as shop:
        made = Hall(shop)
        made.conclude()
        yield made


def settled(hall: Hall) -> None:
    """A 项目周期 of one accepted order, two months and an incident, to its settlement."""
    own = hall.placed()
    hall.scored(own)
    hall.state("accept", accepted(), CONSUMER, COURT, about=own)
    hall.state("month", month("2026-03", "10.3", "8.1"), COURT)
    hall.state("month", month("2026-04", "10.3", "10.5"), COURT)
    hall.state("incident", {"number": "1", "fact": "2026-04 泄露 10.3", "document": paper("事故")}, COURT)
    cycle = {"cycle": "2026-1", "first": "2026-03", "last": "2026-04", "report": paper("报告")}
    hall.state("cycle", cycle, CONSUMER, COURT)


def looked_at(player: Player, name: str) -> None:
    player.picture(name)
    player.picture(name, 390)


def test_order__placed_and_settled__in_a_browser_on_a_phone_too(
    hall: Hall, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settled(hall)
    url = str(hall.shop.platform.client.base_url).rstrip("/")
    files = {by: key_file(hall.shop, tmp_path, f"party:{by}") for by in (CONSUMER, PROVIDER)}
    with opened(tmp_path_factory.mktemp("browser"), url) as player:
        player.log_in(files[CONSUMER], to=LIST)
        looked_at(player, "list")
        player.go(f"{PAGE}/acts/place/new")
        player.fill(**{name.replace(".", "__"): text for name, text in order("O-9").items()})
        looked_at(player, "place")
        player.press(".long-form p.row button")
        player.wait("document.querySelector('[data-words] dl')")
        said = player.text()
        for word in ("下达服务单", "招标人", "单价", "10010.07 元（1001007 分）", "下达数量"):
            assert word in said, (word, said)
        player.sign(done=False)
        player.log_out()
        player.log_in(files[PROVIDER], to="/office/desk")
        player.press("main table a")
        player.sign()
        player.go(f"{PAGE}/acts/settle/2026-1")
        player.fill(first="350000", second="1")
        player.press('button[value="preview"]')
        assert "试算结果，尚未起草" in player.text()
        looked_at(player, "preview")
        player.fill(first="350000.01")
        player.press(".long-form p.row button")
        assert "不得超过合同约定的首笔预付款" in player.text()
        looked_at(player, "refused")
        hall.state("settle", {"first": "350000", "deposits.audit": "5"}, PROVIDER, CONSUMER, about="2026-1")
        player.go(f"{PAGE}?requested=2026-04-30")
        looked_at(player, "contract")
        assert [line for line in player.page.said if "Content Security Policy" in line or "xception" in line] == []
