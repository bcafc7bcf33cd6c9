"""The operator's two persons take a period from its statements to a payment that came back, in a browser: what they
sign reads in Chinese, and every page fits a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.settlement import store
from clearing.settlement.cycle import State
from clearing.settlement.payment import Direction
from ledger import eip712
from tests.api.house import template
from tests.api.shop import Shop, open_shop
from tests.api.test_cycle_pages import ACCOUNT, Till, rows_of
from tests.clearing.market.house import Keys
from tests.clearing.settlement.bank import bank_file, entry
from tests.services.player import Player, opened, ready
from tests.services.test_deal_in_browser import key_file

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    ready()
    folder = tmp_path_factory.mktemp("cycles")
    with open_shop(folder / "home", template(folder)) as found:
        yield found


def looked_at(player: Player, name: str) -> None:
    player.picture(name)
    player.picture(name, 390)


def test_period__from_statements_to_what_came_back__on_a_phone_too(
    shop: Shop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    till = Till(shop)
    url = str(shop.platform.client.base_url).rstrip("/")
    shop.house.keys |= {by: Keys(key, eip712.new_key()) for by, key in till.month.staff.items()}
    files = {by: key_file(shop, tmp_path, by) for by in ("staff:maker", "staff:checker")}

    def uploaded(data: bytes, said: str) -> None:
        (tmp_path / "bank.csv").write_bytes(data)
        player.page.choose("#file", tmp_path / "bank.csv")
        player.press('form[action="/office/bank-files"] button')
        assert said in player.text(), player.text()

    with opened(tmp_path_factory.mktemp("browser"), url) as player:
        player.log_in(files["staff:maker"], to="/office/cycles")
        looked_at(player, "cycles")
        player.press("main table a")
        looked_at(player, "issued")
        till.confirm()
        player.go(till.path)
        for _ in ("window", "netting"):
            player.press('form[action$="/steps"] button')
        looked_at(player, "netted")
        for head in ("account", "a0", "a1", "a2"):
            player.fill(**{f"{head}__{name}": text for name, text in ACCOUNT.items()})
        player.press('form[action$="/instructions"] button')
        player.sign(done=False)
        player.log_out()
        player.log_in(files["staff:checker"], to="/office/desk")
        player.press("main table a")
        player.wait("document.querySelector('[data-words] dl')")
        said = player.text()
        for word in ("收付方向", "备付合计", "3.50 元（350 分）", "联行号", "付款复核"):
            assert word in said, (word, said)
        looked_at(player, "desk")
        player.sign()
        player.go(till.path)
        looked_at(player, "instructed")
        with shop.platform.reading() as session:
            batch = store.batch(session, till.cycle)
        came, out = (rows_of(batch, way, way.value[0].upper()) for way in (Direction.FUNDING, Direction.PAYOUT))
        uploaded(bank_file("0.00", "3.51", *came), "银行文件整份拒收")
        looked_at(player, "refused")
        odd = entry("S1", "12.00", name="一个名字很长而且谁都不认识的有限责任公司（演示）", remark="预付")
        uploaded(bank_file("0.00", "15.50", *came, odd), "银行文件已导入")
        player.press('form[action$="/steps"] button')
        amount = out[0]["amount"].removeprefix("-")
        back = entry("R1", amount, end_to_end=out[0]["end_to_end"], return_code="AC01")
        uploaded(bank_file("15.50", f"{12 + float(amount):.2f}", *out, back), "退汇，待重付")
        looked_at(player, "returned")
        assert [line for line in player.page.said if "Content Security Policy" in line or "xception" in line] == []
    assert till.state() is State.FUNDED
