"""A buyer reads its statement in a browser, sees where the money goes, confirms it and disputes a charge, each with
its own key. The picture is drawn under the pages' own policy, from the party's own statement only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.settlement import store
from clearing.settlement.dispute import store as disputes
from clearing.terms import DAY
from tests.api.house import template
from tests.api.shop import Shop, open_shop
from tests.clearing.market.house import CONSUMER, PROVIDER, SELLER
from tests.clearing.settlement.disputing import MAY, Month
from tests.services.player import Player, opened, ready
from tests.services.test_deal_in_browser import key_file

pytestmark = pytest.mark.services
INKED = """[...document.querySelectorAll('[data-picture]')].map((box) => {
  const at = box.querySelector('canvas');
  return at.getContext('2d').getImageData(0, 0, at.width, at.height).data.some((value) => value !== 0); })"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    ready()
    folder = tmp_path_factory.mktemp("statements")
    with open_shop(folder / "home", template(folder)) as found:
        yield found


def looked_at(player: Player, name: str) -> None:
    player.picture(name)
    player.picture(name, 390)


def test_statement__read_drawn_confirmed_and_disputed(
    shop: Shop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    month = Month(shop.house, operator=shop.platform.system.settings.operator)
    cycle = month.issue(MAY)
    shop.house.session.commit()
    shop.platform.now = MAY.end + 2 * DAY
    url, path = str(shop.platform.client.base_url).rstrip("/"), f"/office/statements/{cycle}"
    with opened(tmp_path_factory.mktemp("browser"), url) as player:
        player.log_in(key_file(shop, tmp_path, f"party:{CONSUMER}"), to="/office/statements")
        looked_at(player, "statements")
        player.press("main table a")
        player.wait("document.querySelector('[data-picture]')?.dataset.drawn === 'yes'")
        assert player.page.value(INKED) == [True]
        looked_at(player, "account")
        player.press('main a[href$="/lines/0"]')
        looked_at(player, "line")
        player.go(path)
        player.press('form[action$="/confirmation"] button')
        looked_at(player, "confirmation")
        player.sign()
        player.go(path)
        assert "本单位已于" in player.text()
        looked_at(player, "confirmed")
        player.fill(amount="1.06", text="五月二十日的调用重复计数。", demand="退还多计的一元零六分。")
        player.press('form[action$="/disputes"] button')
        looked_at(player, "complaint")
        player.sign()
        assert "查看争议" in player.text()
        player.log_out()
        for party in (SELLER, PROVIDER):
            player.log_in(key_file(shop, tmp_path, f"party:{party}"), to=path)
            player.wait("document.querySelector('[data-picture]')?.dataset.drawn === 'yes'")
            player.picture(f"account-{party[-4:]}")
            player.log_out()
        assert all(address.startswith((url, "blob:", "data:")) for address in player.page.requested)
        assert [line for line in player.page.said if "Content Security Policy" in line or "xception" in line] == []
    with shop.platform.reading() as session:
        assert store.statement_of(session, cycle, CONSUMER).confirmed_at is not None
        [row] = disputes.disputes(session, CONSUMER)
        held = store.hold(session, row.id)
        assert held is not None
        assert sum(part.amount for part in held.parts) == 106
