"""A listing of non-tax revenue at the doors: refused by its field over the API, asked for by the form of the terms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.market.agreement import Terms
from clearing.market.negotiation import store
from clearing.market.negotiation.message import Message, Quote
from clearing.market.negotiation.moves import State
from clearing.market.shelf import store as shelf
from clearing.terms import WHOLE, Holder, Step, StepKind, TaxBasis, Weight
from tests.api.office import typed_in, words
from tests.api.shop import Shop
from tests.api.trading import BUYER, TERMS, VENDOR, Trader, open_market, trader
from tests.clearing.market.talks import C, P, Talk, document_for
from tests.clearing.market.test_proceeds import AUTHORITY, ISSUER, NON_TAX, OF_BUDGET, TREASURY, collected, seat

PRODUCT = "8" * 32
PATH = f"/office/market/{PRODUCT}/REQUEST"
COLLECTED = {
    "non_tax.authority": AUTHORITY, "non_tax.treasury": TREASURY, "non_tax.issuer": ISSUER,
    "non_tax.item": NON_TAX.item,
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_market(tmp_path / "home", empty_database) as opened:
        seat(opened.house)
        opened.house.listed(product=PRODUCT, commerce=OF_BUDGET)
        opened.house.session.commit()
        yield opened


def talk_of(shop: Shop) -> Talk:
    """A negotiation about the product, spoken over the API."""
    with shop.platform.reading() as session:
        (row,) = shelf.of_product(session, PRODUCT)
    return Talk(shop.house, row.id, operator=shop.platform.system.settings.operator)


def filled(buyer: Trader) -> dict[str, str]:
    """The form with all that taxable terms would need; what is collected is still to be typed."""
    given = {name.replace("__", "."): text for name, text in TERMS.items()}
    return buyer.filled(PATH) | given | {"tiers.0.price": "0.35"}


def test_api__terms_without_the_collection__refused_by_the_field__chinese_first(shop: Shop) -> None:
    talk = talk_of(shop)
    terms = document_for(Message.REQUEST, talk.listing, shop.house.terms(talk.listing).product.digest)
    assert isinstance(terms, Terms)
    assert shop.say(talk, Message.REQUEST, C, terms).status_code == 200
    answer = shop.say(talk, Message.AGREEMENT, P)
    assert answer.status_code in (409, 422), answer.text
    assert "terms.settlement.tax.bp" in answer.text
    assert "非税收入产品不计增值税" in answer.text
    again = talk_of(shop)
    assert shop.say(again, Message.REQUEST, C, collected(terms)).status_code == 200
    for message, side in ((Message.AGREEMENT, P), (Message.VERIFICATION, C), (Message.FINALISE, P)):
        answer = shop.say(again, message, side)
        assert answer.status_code == 200, answer.text
    assert again.state is State.FINALIZED


def test_api__a_collection_for_a_taxable_listing__refused(shop: Shop) -> None:
    talk = shop.talk()
    terms = document_for(Message.REQUEST, talk.listing, shop.house.terms(talk.listing).product.digest)
    assert isinstance(terms, Terms)
    assert shop.say(talk, Message.REQUEST, C, collected(terms)).status_code == 200
    answer = shop.say(talk, Message.AGREEMENT, P)
    assert answer.status_code in (409, 422), answer.text
    assert "terms.settlement.non_tax" in answer.text
    assert "经营收入产品按应税办理" in answer.text


def test_form__locks_the_tax__asks_the_collection__and_no_division(shop: Shop) -> None:
    buyer = trader(shop, BUYER)
    text = buyer.get(PATH)
    fields = typed_in(text)
    assert fields["tax.rate"] == "0"
    assert set(COLLECTED) <= set(fields)
    assert not [name for name in fields if name.startswith(("plan.", "invoice_issuer"))]
    assert "非税收入：全额缴入财政" in words(text)
    refused = buyer.post(PATH, filled(buyer) | {"non_tax.item": "10x", "non_tax.treasury": ""}, 422).text
    assert 'id="said-non_tax.treasury"' in refused
    assert "收费项目代码：应为 2 至 20 位数字，现为 10x" in refused


def test_form__proposes_the_terms_of_a_collection__whatever_rate_is_sent(shop: Shop) -> None:
    buyer = trader(shop, BUYER)
    fields = filled(buyer) | COLLECTED | {"tax.rate": "6", "tiers.0.price": "1.20"}
    desk = buyer.drafted(PATH, fields)
    assert buyer.sign_desk(desk) == "done", words(buyer.get(f"/office/desk/{desk}"))
    with shop.platform.reading() as session:
        (row,) = store.negotiations(session)
        terms = store.proposal_of(session, row.proposal)[2]
    assert isinstance(terms, Terms)
    settlement = terms.settlement
    assert (settlement.tax.basis, settlement.tax.bp) == (TaxBasis.INCLUSIVE, 0)
    assert (settlement.non_tax, settlement.invoice_issuer) == (NON_TAX, TREASURY)
    assert settlement.plan.holders == (Holder(TREASURY, "treasury"),)
    assert settlement.plan.steps == (Step(StepKind.RATIO, weights=(Weight(TREASURY, WHOLE),)),)
    seller = trader(shop, VENDOR)
    page = words(seller.get(f"/office/deals/{row.id}"))
    assert "核定应缴（收费项目 103049901），全额缴入" in page
    desk = seller.drafted(f"/office/deals/{row.id}/moves/AGREEMENT", seller.filled(
        f"/office/deals/{row.id}/moves/AGREEMENT"))  # fmt: skip
    assert seller.sign_desk(desk) == "done", "the gates take what the form made"


def test_form__a_price_of_non_tax_revenue__has_no_vat(shop: Shop) -> None:
    buyer, seller = trader(shop, BUYER), trader(shop, VENDOR)
    buyer.says(f"/office/market/{PRODUCT}/INQUIRE", quantity="1000")
    with shop.platform.reading() as session:
        (row,) = store.negotiations(session)
    path = f"/office/deals/{row.id}/moves/QUOTE"
    fields = seller.filled(path, tiers__0__price="0.40")
    assert fields["tax.rate"] == "0"
    assert "不计增值税" in words(seller.post(path, fields | {"tax.rate": "6"}, 409).text)
    seller.says(path, tiers__0__price="0.40")
    with shop.platform.reading() as session:
        price = store.proposal_of(session, store.negotiation(session, row.id).proposal)[2]
    assert isinstance(price, Quote)
    assert price.tax.bp == 0
