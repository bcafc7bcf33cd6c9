"""A statement in the office: read, traced to its evidence, confirmed and disputed with the party's own key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.desk.waiting import Outcome
from clearing.money import parse_yuan as fen
from clearing.money import yuan
from clearing.settlement import store
from clearing.settlement.dispute import store as disputes
from clearing.terms import DAY
from clearing.usage.finding import MAKER
from ledger import sm
from tests.api.office import Person, attribute
from tests.api.shop import Shop, open_shop
from tests.api.trading import Trader, trader
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.disputing import MAY, Month

XSS = '"><script>alert(1)</script>'


class Office:
    """May's statements of one agreement, issued; everybody has a browser."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.month = Month(shop.house, operator=shop.platform.system.settings.operator)
        self.cycle = self.month.issue(MAY)
        shop.house.session.commit()
        shop.platform.now = MAY.end + 2 * DAY

    @property
    def path(self) -> str:
        return f"/office/statements/{self.cycle}"

    def person(self, party: str) -> Trader:
        return trader(self.shop, f"party:{party}")


@pytest.fixture
def office(tmp_path: Path, empty_database: Path) -> Iterator[Office]:
    with open_shop(tmp_path, empty_database) as shop:
        yield Office(shop)


def desk_of(answer_url: str) -> str:
    found = re.search(r"/office/desk/([0-9a-f]{32})", answer_url)
    assert found, answer_url
    return found[1]


def post(one: Trader, path: str, **fields: str) -> tuple[int, str, str]:
    """(status, address after redirects, text) of a form of our page."""
    answer = one.http.post(
        path, data={**fields, "csrf": one.csrf}, headers={"Origin": str(one.http.base_url).rstrip("/")}
    )
    return answer.status_code, str(answer.url), answer.text


def test_statement__read_and_confirmed_with_one_s_own_key(office: Office) -> None:
    buyer = office.person(CONSUMER)
    assert office.path in buyer.get("/office/statements")
    page = buyer.get(office.path)
    assert "3.50 元" in page
    assert "确认账单，去签署" in page
    status, url, text = post(buyer, f"{office.path}/confirmation")
    assert status == 200, text
    assert "确认账单：2026-05" in text
    assert buyer.sign_desk(desk_of(url)) == Outcome.DONE.value
    page = buyer.get(office.path)
    assert "确认账单，去签署" not in page
    assert "本单位已于" in page
    with office.shop.platform.reading() as session:
        assert store.statement_of(session, office.cycle, CONSUMER).confirmed_at is not None
        assert store.statement_of(session, office.cycle, SELLER).confirmed_at is None


def test_line__leads_to_its_facts_on_a_page_of_its_own(office: Office) -> None:
    for party, names in ((CONSUMER, ("计费结果", "发票", "计量读数", "合约条款")), (PROVIDER, ("应分额", "计费结果"))):
        one = office.person(party)
        page = one.get(f"{office.path}/lines/0")
        for name in names:
            assert f"<strong>{name}</strong>" in page
        assert "100 call" in page
        assert "证明包" in page
        assert "使用记录的批次" in page


def test_charge__disputed_at_the_page__frozen_when_it_is_signed(office: Office) -> None:
    buyer = office.person(CONSUMER)
    page = buyer.get(office.path)
    assert "对计费有异议" in page
    assert "对计费有异议" not in office.person(PROVIDER).get(office.path), "who is paid has no charge to dispute"
    words = {"charge": office.month.charge, "amount": "1.06", "text": f"多计 {XSS}", "demand": "退还"}
    for wrong, said in (
        ({"amount": "1.061"}, "两位小数"), ({"amount": "3.51"}, "3.50"), ({"amount": "0.00"}, "0.01"),
        ({"text": " "}, "必填"), ({"charge": "0" * 64}, "charge"), ({"demand": ""}, "必填"),
    ):  # fmt: skip
        status, _, text = post(buyer, f"{office.path}/disputes", **(words | wrong))
        assert status in (404, 422), (wrong, status)
        assert said in text, wrong
        assert XSS not in text
    status, url, text = post(buyer, f"{office.path}/disputes", **words)
    assert status == 200, text
    assert XSS not in text
    with office.shop.platform.reading() as session:
        assert disputes.disputes(session, CONSUMER) == [], "nothing before it is signed"
    assert buyer.sign_desk(desk_of(url)) == Outcome.DONE.value
    with office.shop.platform.reading() as session:
        [row] = disputes.disputes(session, CONSUMER)
        held = store.hold(session, row.id)
        assert held is not None
        assert sum(part.amount for part in held.parts) == 106
    assert "查看争议" in buyer.get(f"/office/desk/{desk_of(url)}")
    assert "争议金额" in buyer.get(f"/disputes/{row.id}")


def test_flows__drawn_and_tabled_from_one_s_own_statement(office: Office) -> None:
    """The picture's links and the table say the same; a payee's page holds nobody else's money."""
    gross, tax = office.month.body.gross, office.month.body.tax
    page = office.person(CONSUMER).get(office.path)
    drawn = json.loads(attribute(page, "picture"))
    links = [(link["source"], link["target"], fen(link["amount"])) for link in drawn["links"]]
    assert sum(amount for source, _, amount in links if source == f"from:{CONSUMER}") == gross
    assert sum(amount for source, _, amount in links if source == "is:tax") == tax
    assert {target for _, target, _ in links} >= {f"to:{SELLER}", f"to:{PROVIDER}"}
    for _, _, amount in links:
        assert yuan(amount) in page.partition("data-picture")[2].partition("<table")[2]
    page = office.person(PROVIDER).get(office.path)
    assert SELLER not in page
    assert {link["target"] for link in json.loads(attribute(page, "picture"))["links"]} == {"is:net", f"to:{PROVIDER}"}


def test_staff_of_a_party__finds_the_party_s_pages(office: Office) -> None:
    key = sm.generate()
    office.shop.house.hire("bookkeeper", key, MAKER, CONSUMER)
    office.shop.house.session.commit()
    office.shop.platform.keys["staff:bookkeeper"] = key
    somebody = Person(office.shop.platform, "staff:bookkeeper")
    assert somebody.log_in().status_code == 200
    page = somebody.get("/office/statements")
    assert office.path in page
    assert 'href="/office/pricing"' in page
    assert 'href="/office/work"' not in page


def test_statement__downloaded_from_its_page__also_by_staff(office: Office) -> None:
    """As PDF and as workbook, each from a link of the page; another form is none."""
    key = sm.generate()
    office.shop.house.hire("bookkeeper", key, MAKER, CONSUMER)
    office.shop.house.session.commit()
    office.shop.platform.keys["staff:bookkeeper"] = key
    somebody = Person(office.shop.platform, "staff:bookkeeper")
    assert somebody.log_in().status_code == 200
    for form, begins in (("pdf", b"%PDF-"), ("xlsx", b"PK")):
        assert f'href="{office.path}/{form}"' in somebody.get(office.path)
        answer = somebody.http.get(f"{office.path}/{form}")
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(begins)
        assert office.person(COURT).http.get(f"{office.path}/{form}").status_code == 404
    assert somebody.http.get(f"{office.path}/doc").status_code == 422


def test_statement__of_nobody_s_concern__is_not_shown(office: Office) -> None:
    stranger = office.person(COURT)
    assert "还没有账单" in stranger.get("/office/statements")
    assert stranger.http.get(office.path).status_code == 404
    assert stranger.http.get(f"{office.path}/lines/0").status_code == 404
    assert office.person(CONSUMER).http.get(f"{office.path}/lines/99").status_code == 404
