"""Two strangers, one in a browser and one by command line, list, find, negotiate, sign and end an agreement.

The seller's every signature is made by the page's own script, the buyer's by `shuqing deals` in a process of its own
that knows an address, a key file and an API key, and nothing of the platform's database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import keyfiles
from clearing.market import store as agreements
from clearing.market.agreement import State
from clearing.market.listing_moves import State as Shelf
from clearing.market.negotiation import store
from clearing.market.negotiation.moves import State as Talking
from clearing.market.shelf import store as shelves
from ledger import store as facts
from ledger.facts import EIP712, SM2
from tests.api.house import template
from tests.api.shop import Shop
from tests.api.trading import BUYER, CONNECTOR, PRODUCT, VENDOR, open_market
from tests.played import shuqing
from tests.services.player import Player, opened, ready

pytestmark = pytest.mark.services

UNTIL = "2026-06-30"
SUBMIT = "main form.long-form .row button:last-of-type"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    ready()
    folder = tmp_path_factory.mktemp("market")
    with open_market(folder / "home", template(folder)) as found:
        yield found


def key_file(shop: Shop, folder: Path, by: str) -> Path:
    """Somebody's key file as the command line writes it."""
    file = folder / f"{by.removeprefix('party:')}.json"
    keyfiles.create(file, by)
    own = shop.house.keys[by.removeprefix("party:")]
    document = json.loads(file.read_text()) | {"sm2": own.sm2.private.hex(), "evm": own.evm.hex()}
    file.write_text(json.dumps(document))
    return file


class Buyer:
    """The other stranger: `shuqing deals` and nothing else."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.folder, self.url = folder, str(shop.platform.client.base_url).rstrip("/")
        self.key, self.api_key = key_file(shop, folder, BUYER), folder / "api-key"
        self.api_key.write_text(shop.platform.token(BUYER))
        self.api_key.chmod(0o600)

    def run(self, *arguments: str | Path, keyed: bool = True, code: int = 0) -> str:
        own = ("--key", self.key, "--yes") if keyed else ()
        done = shuqing("deals", *arguments, "--url", self.url, "--api-key", self.api_key, *own)
        assert done.returncode == code, done.stdout + done.stderr
        return str(done.stdout + done.stderr)


def acts(player: Player, path: str, **fields: str) -> None:
    """Opens a form, fills it in, drafts and signs."""
    player.go(path)
    player.fill(**fields)
    player.picture(path.rpartition("/")[2].lower())
    player.press(SUBMIT)
    player.sign()


def test_deal__seller_in_a_browser_buyer_by_command_line(
    shop: Shop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    buyer = Buyer(shop, tmp_path)
    vendor = key_file(shop, tmp_path, VENDOR)
    with opened(tmp_path_factory.mktemp("seller"), buyer.url) as seller:
        seller.log_in(vendor, to="/office/deals")
        deal = negotiated(shop, seller, buyer, tmp_path)
        agreement = concluded(shop, seller, buyer, deal)
        ended(shop, seller, buyer, agreement)
        listed_anew(shop, seller)
        # The browser spoke to this site only, and no policy was broken.
        assert all(address.startswith((seller.url, "blob:", "data:")) for address in seller.page.requested)
        assert [line for line in seller.page.said if "Content Security Policy" in line or "xception" in line] == []


def negotiated(shop: Shop, seller: Player, buyer: Buyer, folder: Path) -> str:
    """询价 by command line, 报价 in the browser, 下单, an offer with terms, a counter-offer, accepted."""
    inquiry = folder / "inquiry.json"
    inquiry.write_text(json.dumps({
        "version": 1, "scope": "全部字段", "mode": "M1", "quantity": 1000, "effective": 1_780_000_000,
        "expiry": 1_790_000_000,
    }, ensure_ascii=False), encoding="utf-8")  # fmt: skip
    told = buyer.run("say", "INQUIRE", "--product", PRODUCT, "--document", inquiry, "--until", UNTIL)
    assert "使用范围：全部字段" in told
    with shop.platform.reading() as session:
        (row,) = store.negotiations(session)
    deal = row.id
    seller.go("/office/deals")
    assert "轮到谁" in seller.text()
    seller.picture("deals")
    seller.press("main table a")
    seller.picture("deal-inquiry")
    assert "轮到本方办理" in seller.text()
    acts(seller, f"/office/deals/{deal}/moves/QUOTE", tiers__0__price="0.35", tiers__0__per="10", binding="1")
    assert "查看磋商" in seller.text()
    assert "0.35 元（35 分）" in buyer.run("show", deal, keyed=False)
    for message in ("SELECT", "ORDER"):
        buyer.run("say", message, "--negotiation", deal)
    seller.go(f"/office/deals/{deal}/moves/OFFER")
    seller.press(SUBMIT)
    assert "处须改正" in seller.text()
    seller.picture("offer-errors")
    acts(
        seller, f"/office/deals/{deal}/moves/OFFER", endpoint="https://data.example/delays", hours="7x24",
        liability="按约定", dispute__body="演示仲裁委员会", connectors__0=CONNECTOR, policy__limit="2000",
        particular__ownership="权利人不变（演示）", particular__acceptance="按抽样核对（演示）",
        particular__personal="不含",
    )  # fmt: skip
    proposal = folder / "terms.json"
    assert "总用量" not in buyer.run("show", deal, "--document", proposal, keyed=False)
    terms = json.loads(proposal.read_text(encoding="utf-8"))
    proposal.write_text(json.dumps(terms | {"acceptance_days": 9}, ensure_ascii=False), encoding="utf-8")
    buyer.run("say", "COUNTER", "--negotiation", deal, "--document", proposal, "--until", UNTIL)
    refused = buyer.run("say", "ACCEPT", "--negotiation", deal, code=2)
    assert "状态不符" in refused
    seller.go(f"/office/deals/{deal}")
    assert "本轮改动" in seller.text()
    assert "未被接受的文书" in seller.text()
    seller.picture("deal-counter")
    seller.picture("deal-counter", 360)
    acts(seller, f"/office/deals/{deal}/moves/COUNTER", acceptance_days="8")
    buyer.run("say", "ACCEPT", "--negotiation", deal)
    return deal


def concluded(shop: Shop, seller: Player, buyer: Buyer, deal: str) -> str:
    """定稿, both sign the act with both keys, 核验, 签署并生效."""
    acts(seller, f"/office/deals/{deal}/moves/AGREEMENT")
    seller.go(f"/office/deals/{deal}")
    seller.press('section[aria-labelledby="act"] a.button')
    seller.wait("document.querySelector('[data-words] dl')")
    assert "0.35 元（35 分）" in seller.text()
    seller.picture("act")
    seller.sign(done=False)
    assert "等待签署" in seller.text()
    buyer.run("say", "VERIFICATION", "--negotiation", deal)
    seller.go(f"/office/deals/{deal}")
    assert "等待签署：" in seller.text()
    seller.picture("deal-verified")
    told = buyer.run("sign")
    assert "数字合约" in told
    assert "ready" in told
    acts(seller, f"/office/deals/{deal}/moves/FINALISE")
    with shop.platform.reading() as session:
        row = store.negotiation(session, deal)
        assert row.state is Talking.FINALIZED
        held = agreements.agreement(session, row.agreement)
        act = facts.facts_of(session, f"agreement:{row.agreement}")[0]
    assert held.state is State.EFFECTIVE
    assert [(s.alg, s.by) for s in act.signatures] == [(a, by) for by in (VENDOR, BUYER) for a in (SM2, EIP712)]
    assert act.statement.digest().sha256.hex() == row.act_sha256
    seller.go(f"/office/deals/{deal}")
    seller.picture("deal-finalized")
    seller.press('a[href^="/office/agreements/"]')
    assert "履行中" in seller.text()
    seller.picture("agreement")
    seller.picture("agreement", 360)
    return row.agreement


def ended(shop: Shop, seller: Player, buyer: Buyer, agreement: str) -> None:
    """协商解除: drafted in the browser, in force when both have signed."""
    seller.go(f"/office/agreements/{agreement}/acts/TERMINATE")
    seller.press(SUBMIT)
    seller.sign(done=False)
    assert "done" in buyer.run("sign")
    seller.go(f"/office/agreements/{agreement}")
    assert "已协商解除" in seller.text()
    with shop.platform.reading() as session:
        assert agreements.agreement(session, agreement).state is State.TERMINATED


def listed_anew(shop: Shop, seller: Player) -> None:
    """The next version of the product: the gates' list first, then signed and submitted."""
    seller.go(f"/office/listings/new?of={shop.listing}")
    seller.fill(content__industry="Z99")
    seller.press('button[value="check"]')
    assert "LP-02" in seller.text()
    seller.picture("listing-defects")
    seller.fill(content__industry="G56", overview="新的概述")
    seller.press('button[value="submit"]')
    seller.sign()
    with shop.platform.reading() as session:
        row = shelves.listing(session, shop.listing)
        assert (row.state, shelves.under_review(session, row).overview) == (Shelf.UPDATING, "新的概述")
    seller.press('a[href^="/office/listings/"].button')
    seller.picture("listing")
    assert re.search(r"审核中的版本\s*第 2 版", seller.text())
