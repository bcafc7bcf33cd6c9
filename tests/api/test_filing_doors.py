"""备案 over HTTP: stated by a party, reported to the parties as JSON and as a workbook."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import openpyxl
import pytest

from clearing.market import store as market
from clearing.market.agreement import terms_digest
from clearing.market.filing.filing import AGREEMENT_FILING, Act, AgreementFiling, subject_of
from clearing.market.negotiation.moves import State
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from tests.api.office import words
from tests.api.shop import BY, Shop, open_shop
from tests.api.shop import body_of as sent
from tests.api.trading import trader
from tests.clearing.market.house import COURT
from tests.clearing.market.talks import C, P

SELLER_, CONSUMER_, COURT_ = BY[P], BY[C], f"party:{COURT}"


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "home", empty_database) as opened:
        yield opened


def state(shop: Shop, agreement: str, act: Act, by: str = SELLER_, **more: object) -> httpx.Response:
    session = shop.house.session
    terms = terms_digest(market.terms_of(session, agreement, 1))
    body = AgreementFiling(act, by.removeprefix("party:"), "浙江省数据局（演示）", terms, **more)  # type: ignore[arg-type]
    subject = subject_of(agreement, 1)
    statement = Statement(AGREEMENT_FILING, subject, *ledger.next_of(session, subject), body_of(body))
    session.commit()
    key = shop.house.keys[by.removeprefix("party:")].sm2
    signed = Signed(statement, (sign_sm2(key, statement, by=by, role=""),))
    return shop.platform.post("/api/filings", sent(signed), by)


def test_filing__submitted_filed_and_reported_to_the_parties_alone(shop: Shop) -> None:
    agreement = shop.to(shop.talk(), State.FINALIZED).agreement
    shop.house.session.commit()
    path = f"/api/agreements/{agreement}/filing"
    assert shop.get(path, CONSUMER_).json()["filing"] == "UNFILED"
    assert state(shop, agreement, Act.SUBMIT).status_code == 200
    assert state(shop, agreement, Act.FILE, CONSUMER_, number="1", answered=shop.platform.now).status_code == 422
    assert state(shop, agreement, Act.FILE, number="浙数合备〔2026〕1号", answered=shop.platform.now).status_code == 200
    found = shop.get(path, CONSUMER_).json()
    assert (found["filing"], found["number"]) == ("FILED", "浙数合备〔2026〕1号")
    assert len(found["parties"]) >= 2
    assert "tariff" not in shop.get(path, CONSUMER_).text
    assert shop.get(path + "?revision=2", CONSUMER_).status_code == 404
    assert shop.get(path, COURT_).status_code == 403
    assert shop.get(path, SELLER_).status_code == 200


def test_workbook__says_it_in_words(shop: Shop) -> None:
    agreement = shop.to(shop.talk(), State.FINALIZED).agreement
    shop.house.session.commit()
    answer = shop.get(f"/api/agreements/{agreement}/filing/xlsx", SELLER_)
    assert answer.status_code == 200
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    shown = {str(row[0].value): str(row[1].value) for row in book["合约备案"].iter_rows()}
    assert shown["合约编号"] == agreement
    assert shown["备案状态"] == "未备案"
    assert any(name.endswith("使用范围") for name in shown)
    assert not any("价" in name or "分成" in name for name in shown)
    assert shop.get(f"/api/agreements/{agreement}/filing/xlsx", COURT_).status_code == 403


def test_page__shows_where_the_filing_stands_and_hands_out_the_report(shop: Shop) -> None:
    agreement = shop.to(shop.talk(), State.FINALIZED).agreement
    shop.house.session.commit()
    seller = trader(shop, SELLER_)
    page = f"/office/agreements/{agreement}"
    assert "未备案" in words(seller.get(page))
    state(shop, agreement, Act.SUBMIT)
    state(shop, agreement, Act.FILE, number="浙数合备〔2026〕1号", answered=shop.platform.now)
    assert "已备案，备案号 浙数合备〔2026〕1号" in words(seller.get(page))
    assert f"/api/agreements/{agreement}/filing/xlsx" in seller.get(page)
    assert seller.http.get(f"/api/agreements/{agreement}/filing/xlsx").content[:2] == b"PK"
