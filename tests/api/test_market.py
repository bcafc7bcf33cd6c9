"""The market over HTTP and as pages: from the seller's pre-check to the public page, and who may see what."""

from __future__ import annotations

import secrets
from html import unescape
from typing import Any

import pytest

from api import jobs
from clearing.market.listing import (
    APPROVER,
    LISTING_MOVE,
    LISTING_SUBMITTED,
    REVIEWER,
    Listing,
    ListingMove,
    MigrationPlan,
    Move,
)
from clearing.market.product import DataField
from clearing.market.sample import SAMPLE_ANNOUNCED, Announced, Group, Measure, Preview, Sample, Statistic
from ledger import log, sm, store
from ledger.reading import body_of
from registry.asset import Twin
from registry.calendar import day_of
from registry.party import Staff
from tests.api.house import OPERATOR, Platform
from tests.clearing.market.house import contents_of, listing_of
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form

SELLER = f"party:{PROVIDER}"
REV, APP = ("staff:rev", REVIEWER), ("staff:app", APPROVER)
XSS = '"><script>alert(1)</script>'


class Market:
    """A platform whose PROVIDER holds a certificate, with a reviewer and an approver of the operator."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        form = a_form()
        self.code = platform.certificate(form, issued=False)
        self.content = form.description.content.digest
        for by, role in (REV, APP):
            key = platform.keys.setdefault(by, sm.generate())
            platform.state(
                "/api/staff", "staff/v1", by, Staff(OPERATOR, key.public, (role,)), (f"party:{OPERATOR}", "")
            )

    def listing(self, **changes: object) -> Listing:
        day = day_of(self.platform.now).isoformat()
        fields: dict[str, Any] = {
            "seller": PROVIDER, "certificate": self.code, "name": "2025年全国航空运输航班延误数据接口",
            "content": contents_of(digest=self.content, updated_on=day),
        }  # fmt: skip
        return listing_of(**fields | changes)

    def submit(self, value: Listing, identity: str = "") -> str:
        identity = identity or secrets.token_hex(16)
        self.platform.state("/api/listings", LISTING_SUBMITTED, f"listing:{identity}", value, (SELLER, ""))
        return identity

    def move(self, identity: str, body: ListingMove, *who: tuple[str, str]) -> None:
        self.platform.state("/api/listings/moves", LISTING_MOVE, f"listing:{identity}", body, *who)

    def listed(self, **changes: object) -> str:
        identity = self.submit(self.listing(**changes))
        for move, who in ((Move.TAKE_UP, REV), (Move.PASS_FORM, REV), (Move.APPROVE, APP)):
            self.move(identity, ListingMove(move), who)
        return identity

    def get(self, path: str, by: str = "", **query: str) -> Any:
        headers = self.platform.headers(by) if by else {}
        return self.platform.client.get(path, params=query, headers=headers)


@pytest.fixture
def market(platform: Platform) -> Market:
    return Market(platform)


def test_precheck__one_list_of_all_defects_in_both_languages_and_nothing_written(market: Market) -> None:
    before = market.platform.count()
    bad = market.listing(content=contents_of(digest=market.content, industry="G99", fields=(), tags=("a", "a")))
    answer = market.platform.post("/api/listings/precheck", body_of(bad), SELLER)
    assert answer.status_code == 200, answer.text
    found = answer.json()["defects"]
    assert {item["code"] for item in found} >= {"LP-02", "LP-04"}
    assert all(item["zh"] and item["en"] and item["field"] for item in found)
    signed = market.platform.signed(LISTING_SUBMITTED, f"listing:{'a' * 32}", bad, (SELLER, ""))
    refused = market.platform.post("/api/listings", signed.document(), SELLER)
    assert refused.status_code == 422
    assert [item["code"] for item in refused.json()["defects"]] == [
        item["code"] for item in found if item["weight"] == "stop"
    ]
    assert market.platform.count() == before
    good = market.platform.post("/api/listings/precheck", body_of(market.listing()), SELLER).json()
    assert [item for item in good["defects"] if item["weight"] == "stop"] == []


def test_listing__from_submission_to_the_public_page(market: Market) -> None:
    identity = market.submit(market.listing())
    assert market.get("/api/market/products", q="延误").json()["products"] == []
    product = market.listing().product
    assert market.get(f"/market/{product}").status_code == 404
    own = market.get("/api/listings", SELLER).json()["listings"]
    assert [(row["id"], row["state"]) for row in own] == [(identity, "SUBMITTED")]
    assert own[0]["due"]["review"] > market.platform.now
    assert market.get("/api/listings", f"party:{RIVAL}").json()["listings"] == []
    assert [row["id"] for row in market.get("/api/listings", "staff:rev").json()["listings"]] == [identity]
    assert market.get(f"/api/listings/{identity}", f"party:{RIVAL}").status_code == 403
    assert market.get(f"/api/listings/{identity}", SELLER).json()["under_review"]["name"] == market.listing().name
    for move, who in ((Move.TAKE_UP, REV), (Move.PASS_FORM, REV)):
        market.move(identity, ListingMove(move), who)
    alone = market.platform.signed(LISTING_MOVE, f"listing:{identity}", ListingMove(Move.APPROVE), REV)
    assert market.platform.post("/api/listings/moves", alone.document(), "staff:rev").status_code == 403
    market.move(identity, ListingMove(Move.APPROVE), APP)
    [offer] = market.get("/api/market/products", q="平均延误").json()["products"]
    assert (offer["summary"]["product"], offer["orderable"]) == (product, True)
    page = market.get("/market", q="延误").text
    assert f'href="/market/{product}"' in page
    assert "可订购" in page
    page = unescape(market.get(f"/market/{product}").text)
    for text in (market.code, f"/check?code={market.code}", "自主定价", "可以订购", "按次读取", "平均延误", "没有样例"):
        assert text in page, text
    assert "staff:" not in page


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("type", "API", 1), ("type", "DS", 0), ("industry", "G56", 1), ("industry", "J66", 0), ("grade", "A", 0),
        ("level", "一般数据", 1), ("level", "重要数据", 0), ("regime", "自主定价", 1), ("regime", "免费", 0),
        ("q", "航班", 1), ("q", "客流", 0), ("shown", "all", 1),
    ],
)  # fmt: skip
def test_search__filters__on_page_and_api(listed: Market, name: str, value: str, count: int) -> None:
    assert len(listed.get("/api/market/products", **{name: value}).json()["products"]) == count
    page = listed.get("/market", **{name: value})
    assert page.status_code == 200
    assert ("没有符合条件的产品" in page.text) is (count == 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("type", "XX"), ("industry", "G99"), ("grade", "F"), ("level", "高"), ("regime", "0"), ("shown", "some"),
     ("after", "-1"), ("after", "9" * 19)],
)  # fmt: skip
def test_search__what_is_not_understood__is_named(listed: Market, name: str, value: str) -> None:
    answer = listed.get("/api/market/products", **{name: value})
    assert (answer.status_code, answer.json()["field"]) == (422, name)


@pytest.fixture(scope="module")
def listed(shared: Platform) -> Market:
    """One product on the shelf, that no test here may change."""
    made = Market(shared)
    made.listed()
    return made


def test_page__hostile_words_and_names__stay_text(market: Market) -> None:
    fields = (DataField("f", XSS, "text"),)
    content = contents_of(digest=market.content, fields=fields, updated_on=day_of(market.platform.now).isoformat())
    market.listed(name=XSS, content=content)
    for path, query in (("/market", {"q": XSS}), (f"/market/{market.listing().product}", {})):
        assert "<script" not in market.get(path, **query).text


def test_suspension_and_notice__said_on_the_page_and_to_licensees(market: Market) -> None:
    identity, product = market.listed(), market.listing().product
    market.move(identity, ListingMove(Move.SUSPEND, "演示核查"), REV)
    page = market.get(f"/market/{product}").text
    assert "不接受新订单" in page
    assert "演示核查" in page
    assert market.get("/api/market/products").json()["products"] == []
    [offer] = market.get("/api/market/products", shown="all").json()["products"]
    assert (offer["state"], offer["orderable"]) == ("SUSPENDED", False)
    ends = day_of(market.platform.now + 45 * 86_400).isoformat()
    market.move(
        identity, ListingMove(Move.NOTICE, "停止运营", plan=MigrationPlan("按月导出文件", ends, "客服岗")), (SELLER, "")
    )
    page = market.get(f"/market/{product}").text
    assert "下架预告" in page
    assert "按月导出文件" in page
    assert market.get("/api/market/notices", SELLER).json()["notices"] == []
    assert market.get("/api/market/notices").status_code == 401


def test_timers__certificate_cancelled__stated_under_the_operators_key(market: Market) -> None:
    identity, product = market.listed(), market.listing().product
    with market.platform.books() as house:
        house.now += 86_400 * 365 * 6
    shown = market.get(f"/api/market/products/{product}").json()["product"]
    assert (shown["state"], shown["orderable"]) == ("LISTED", False)
    assert jobs.market_timers(market.platform.system) == 1
    assert market.get(f"/api/market/products/{product}").json()["product"]["state"] == "SUSPENDED"
    assert jobs.market_timers(market.platform.system) == 0
    with market.platform.reading() as session:
        last = store.facts_of(session, f"listing:{identity}")[-1]
    assert (last.signatures[0].by, last.signatures[0].role) == (f"party:{OPERATOR}", "system")


def test_catalogue__as_json_ld__one_data_set_and_its_own_document(listed: Market) -> None:
    answer = listed.get("/api/market/catalogue.jsonld")
    assert answer.headers["content-type"] == "application/ld+json"
    document = answer.json()
    assert document["dspace:participantId"] == OPERATOR
    [dataset] = document["dcat:dataset"]
    product = listed.listing().product
    alone = listed.get(f"/api/market/catalogue/{product}.jsonld").json()
    assert alone.pop("@context")
    assert alone == dataset
    assert listed.get(f"/api/market/catalogue/{'0' * 32}.jsonld").status_code == 404


def test_sample__announced_drawn_by_a_head_named_by_the_listing(market: Market) -> None:
    platform, announced = market.platform, secrets.token_hex(16)
    body = Announced(PROVIDER, market.code, market.content, 1_000, 20)
    platform.state("/api/samples", SAMPLE_ANNOUNCED, f"sample:{announced}", body, (SELLER, ""))
    assert market.get(f"/api/samples/{announced}").json().get("rows") is None
    with jobs.transaction(platform.system) as session:
        log.integrate(session)
        log.seal(session, platform.system.log_keys, at=platform.now)
    found = market.get(f"/api/samples/{announced}").json()
    assert len(found["rows"]) == 20
    draw, some = found["draw"], Twin("c" * 64, "d" * 64)
    sample = Sample(announced, draw["head"], Twin(**draw["root"]), some, "水印-7", platform.now + 86_400, some)
    groups = (Group("JFK", 500, "500"), Group("LGA", 500, "500"))
    preview = Preview((Statistic("origin", Measure.COUNT, 1_000, groups, "无"),), sample)
    market.listed(preview=preview)
    page = market.get(f"/market/{market.listing().product}").text
    for text in ("公开信标", "水印-7", "每组不少于 10 行", f"/api/samples/{announced}"):
        assert text in page, text
    assert market.get(f"/api/samples/{'0' * 32}").status_code == 404


def test_review__by_staff_of_another_house__refused(market: Market) -> None:
    """The agency's staff may carry the role: the market's operator did not give it."""
    identity = market.submit(market.listing())
    platform = market.platform
    key = platform.keys.setdefault("staff:other", sm.generate())
    platform.state(
        "/api/staff", "staff/v1", "staff:other", Staff(AGENCY, key.public, (REVIEWER,)), (f"party:{AGENCY}", "")
    )
    signed = platform.signed(LISTING_MOVE, f"listing:{identity}", ListingMove(Move.TAKE_UP), ("staff:other", REVIEWER))
    assert platform.post("/api/listings/moves", signed.document(), "staff:other").status_code == 403
