"""The seller's form of a listing: everything the gates find is told before anybody signs, and what is signed is what
was typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.office import listing_form
from clearing.market import gates
from clearing.market.listing import Listing, Move, PriceRegime, ProductType
from clearing.market.listing_moves import State
from clearing.market.product import (
    Circulation,
    Commerce,
    DataField,
    Delivering,
    ElementForm,
    ExternalId,
    Level,
    Masking,
    Mode,
    Operation,
    Origin,
    Paper,
    Persons,
    Proceeds,
    PublicPurpose,
    Quality,
    QualityGrade,
    Security,
    SellerKind,
)
from clearing.market.shelf import service, store
from registry.asset import Twin
from tests.api.office import typed_in, words
from tests.api.shop import Shop
from tests.api.trading import BUYER, PRODUCT, VENDOR, Trader, open_market, trader
from tests.clearing.market.house import NOW, PROVIDER, SELLER, contents_of, listing_of

DIGEST = Twin("a" * 64, "b" * 64)
PAPER = Paper("授权书", "演示单位", "2026-01-02", DIGEST)


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_market(tmp_path / "home", empty_database) as opened:
        yield opened


def made(**changes: object) -> Listing:
    return listing_of(product="6" * 32, **changes)


LISTINGS: dict[str, Listing] = {
    "api": made(),
    "element": made(
        type=ProductType.ELEMENT, sources=("420000260600029",), content=contents_of(element=ElementForm.FEATURE),
        delivery=Delivering((Mode.API, Mode.CUSTODY), "99%", "标准", "支持", "岗位", None, None, "没有；也许"),
        external_ids=(ExternalId("公共数据目录", "演示-1"),),
    ),
    "persons": made(
        security=Security(
            Level.IMPORTANT, Circulation.INDIRECT, Masking.DEIDENTIFIED, True, "掩码", Persons(1, 2, 3, True), PAPER
        ),
        content=contents_of(fields=(DataField("a", "甲", "text", Level.IMPORTANT, True), DataField("b", "乙", "text"))),
        provenance=replace(listing_of().provenance, origin=Origin.PERSONAL, chain=(PAPER, PAPER)),
    ),
    "public": made(
        regime=PriceRegime.GUIDED, guide_price="c" * 64,
        commerce=Commerce(
            SellerKind.STATE_OWNED, "42", "plan-2", Proceeds.NON_TAX, "fuse-1",
            Operation("1号", "某局（演示）", "2026-01-01", "2028-12-31", PublicPurpose.INDUSTRY, "cap-1"),
        ),
        quality=Quality("方法 1", PROVIDER, "2026-02-02", True, 10000, 9950, 9905, 100, 1, 0, QualityGrade.A, "承诺"),
        migration_guide="见手册",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTINGS)
def test_form__there_and_back__is_the_same_listing(name: str) -> None:
    """Every group of the metadata, each filled in at least one of these."""
    listing = LISTINGS[name]
    values = listing_form.values_of(listing)
    shown = {item.name: item.value for group in listing_form.groups(values) for item in group.widgets}
    checked = listing_form.read_form(shown, product=listing.product, version=listing.version, seller=SELLER)
    assert checked.messages == {}
    assert checked.listing == listing


def test_form__every_field_of_a_listing_is_asked_or_named_as_kept() -> None:
    """A field added to the metadata without a widget turns this red."""
    asked: set[str] = set()
    for listing in LISTINGS.values():
        values = listing_form.values_of(listing)
        shown = {item.name for group in listing_form.groups(values) for item in group.widgets}
        asked |= {name for name in values if name not in shown}
    assert asked == {"product", "version", "seller"}


def test_form__empty__says_what_is_missing_and_no_more() -> None:
    checked = listing_form.read_form({}, product="6" * 32, version=1, seller=SELLER)
    assert checked.listing is None
    assert {"name", "content.digest.sha256", "commerce.plan", "delivery.modes.t0"} <= set(checked.messages)
    optional = ("delivery.interface.", "quality.", "security.persons.", "commerce.operation.", "provenance.chain.")
    assert [name for name in checked.messages if name.startswith(optional)] == []


def test_form__half_a_row_or_group__is_asked_for_the_rest() -> None:
    values = listing_form.values_of(made()) | {
        "content.fields.2.name": "c", "quality.scheme": "方法", "commerce.operation.number": "1号",
    }  # fmt: skip
    checked = listing_form.read_form(values, product="6" * 32, version=1, seller=SELLER)
    assert {"content.fields.2.meaning", "quality.assessor", "commerce.operation.grantor"} <= set(checked.messages)


def test_defects__all_at_once_before_anybody_signs(shop: Shop) -> None:
    """The list of the page is the list of the gates; nothing is drafted as long as one of them stops it."""
    seller = trader(shop, VENDOR)
    bad = made(
        certificate="420000260600099", regime=PriceRegime.GUIDED,
        content=contents_of(industry="Z99", time_from="2025-12-31", time_to="2025-01-01"),
    )  # fmt: skip
    values = listing_form.values_of(bad)
    page = seller.post("/office/listings/drafts", begun(seller) | values | {"do": "submit"}, 422).text
    with shop.platform.reading() as session:
        found = service.precheck(session, bad, at=NOW)
    assert {item.code for item in found} >= {"LP-02", "LP-03", "LP-10", "LP-14"}
    for item in found:
        assert f"<code>{item.code}</code>" in page, item.code
        assert item.zh.partition("，")[0] in words(page)
    assert len(gates.stopping(found)) <= words(page).count("必须改正")
    assert "没有等待您签署的文件" in words(seller.get("/office/desk"))
    draft = typed_in(page)
    assert draft["content.industry"] == "Z99", "what was typed is kept"
    assert seller.get(f"/office/listings/drafts/{draft['draft']}").count("LP-02") >= 1


def begun(seller: Trader) -> dict[str, str]:
    """The hidden fields of a new form."""
    fields = typed_in(seller.get("/office/listings/new"))
    return {name: fields[name] for name in ("draft", "listing")}


def submitted(shop: Shop, **changes: object) -> tuple[str, Listing]:
    """A listing typed, checked, signed and submitted at the pages; its id."""
    seller = trader(shop, VENDOR)
    hidden = begun(seller)
    values = hidden | listing_form.values_of(made(**changes))
    page = seller.post("/office/listings/drafts", values | {"do": "check"})
    assert "没有发现问题" in words(page.text) or "可以提交" in words(page.text)
    desk = seller.drafted("/office/listings/drafts", values | {"draft": typed_in(page.text)["draft"], "do": "submit"})
    text = words(seller.get(f"/office/desk/{desk}"))
    assert "上架申请" in text
    assert seller.sign_desk(desk) == "done", words(seller.get(f"/office/desk/{desk}"))
    with shop.platform.reading() as session:
        return hidden["listing"], store.listing(session, hidden["listing"]).value


def test_submission__is_what_was_typed__and_stands_in_the_state_table(shop: Shop) -> None:
    listing, value = submitted(shop)
    assert value == replace(made(), product=listing)
    seller = trader(shop, VENDOR)
    with shop.platform.reading() as session:
        assert store.listing(session, listing).state is State.SUBMITTED
    page = seller.get(f"/office/listings/{listing}")
    offered = {move for move in Move if f"/office/listings/{listing}/moves/{move.value}" in page}
    assert offered == {Move.WITHDRAW}
    assert "已提交" in words(page)
    assert "不含个人信息" in words(page)
    trader(shop, BUYER).get(f"/office/listings/{listing}", 403)


def test_withdrawal__then_the_number_is_free_again(shop: Shop) -> None:
    listing, _ = submitted(shop)
    seller = trader(shop, VENDOR)
    seller.says(f"/office/listings/{listing}/moves/withdraw", reason="改日再报")
    with shop.platform.reading() as session:
        assert store.listing(session, listing).state is State.DRAFT
    fields = typed_in(seller.get(f"/office/listings/new?of={listing}"))
    assert "第 1 版" in words(seller.get(f"/office/listings/new?of={listing}"))
    desk = seller.drafted("/office/listings/drafts", fields | {"overview": "另一概述", "do": "submit"})
    assert seller.sign_desk(desk) == "done"
    with shop.platform.reading() as session:
        assert store.listing(session, listing).value.overview == "另一概述"


def test_new_version__while_the_old_serves__its_changes_stand_beside_it(shop: Shop) -> None:
    """The house's listing is on the shelf; the form begins with it and counts the version up."""
    seller = trader(shop, VENDOR)
    fields = typed_in(seller.get(f"/office/listings/new?of={shop.listing}")) | {"overview": "新的概述", "do": "submit"}
    desk = seller.drafted("/office/listings/drafts", fields)
    assert seller.sign_desk(desk) == "done", words(seller.get(f"/office/desk/{desk}"))
    with shop.platform.reading() as session:
        row = store.listing(session, shop.listing)
        assert (row.state, row.value.version) == (State.UPDATING, 1)
        assert store.under_review(session, row) == replace(row.value, version=2, overview="新的概述")
    page = seller.get(f"/office/listings/{shop.listing}")
    assert "上一轮： 演示" in words(page)
    assert "可以订购" in words(seller.get(f"/market/{PRODUCT}"))


def test_moves__of_the_table_only__refused_in_words(shop: Shop) -> None:
    seller = trader(shop, VENDOR)
    path = f"/office/listings/{shop.listing}/moves/"
    seller.get(path + "approve", 409)
    seller.get(path + "withdraw", 409)
    assert 'id="said-plan.ends"' in seller.post(path + "notice", {"reason": "x"}, 422).text
    plan = {"reason": "停产", "plan.export": "下载", "plan.contact": "演示岗位"}
    page = seller.post(path + "notice", plan | {"plan.ends": "2026-06-01"}, 409)
    assert "预告不少于 30 日" in words(page.text)
    desk = seller.drafted(path + "notice", plan | {"plan.ends": "2026-12-01"})
    assert seller.sign_desk(desk) == "done"
    seller.says(path + "call_off_notice")
    seller.says(path + "suspend", reason="检修")
    with shop.platform.reading() as session:
        assert store.listing(session, shop.listing).state is State.SUSPENDED
    assert "询价" not in words(seller.get(f"/market/{PRODUCT}"))
    buyer = trader(shop, BUYER)
    buyer.get(f"/office/market/{PRODUCT}/INQUIRE", 404)


def test_drafts__are_the_holders_own(shop: Shop) -> None:
    seller, buyer = trader(shop, VENDOR), trader(shop, BUYER)
    hidden = begun(seller)
    page = seller.post("/office/listings/drafts", hidden | {"name": "半成品", "do": "save"})
    draft = typed_in(page.text)["draft"]
    assert "半成品" in seller.get("/office/listings")
    buyer.get(f"/office/listings/drafts/{draft}", 404)
    buyer.post("/office/listings/drafts", {"draft": draft, "listing": hidden["listing"], "name": "x"}, 404)
    buyer.post("/office/listings/drafts", {"draft": "", "listing": shop.listing, "name": "x"}, 403)
    buyer.post("/office/listings/drafts", {"draft": "", "listing": "nonsense", "name": "x"}, 403)
    seller.post("/office/listings/drafts", {"draft": draft, "do": "discard"})
    assert "半成品" not in seller.get("/office/listings")
