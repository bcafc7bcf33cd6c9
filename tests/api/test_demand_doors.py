"""Demands over HTTP: stated, worked on, seen by whom they may be seen; their pages; and the views from the facts."""

from __future__ import annotations

import secrets
from html import unescape
from typing import Any

import pytest

from api import checks, jobs
from clearing.market.demand.demand import (
    DEMAND,
    DEMAND_BUDGET,
    DEMAND_MOVE,
    OFFICER,
    Budget,
    DemandMove,
    Evaluation,
    Link,
    Move,
    Part,
    Visibility,
)
from ledger import sm
from registry.calendar import day_of
from registry.party import Staff
from tests.api.house import DEVELOPER, OPERATOR, Platform
from tests.api.office import person
from tests.api.test_market import Market
from tests.clearing.market.demands import demand_of
from tests.registry.registry_house import PROVIDER, RIVAL

DEMANDER, OWNER, OTHER = f"party:{RIVAL}", f"party:{PROVIDER}", f"party:{DEVELOPER}"
OFFICE = ("staff:dem", OFFICER)
XSS = '"><script>alert(1)</script>'


class Wishes:
    """A platform whose RIVAL looks for data, with a demand officer of the operator."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        key = platform.keys.setdefault(OFFICE[0], sm.generate())
        body = Staff(OPERATOR, key.public, (OFFICER,))
        platform.state("/api/staff", "staff/v1", OFFICE[0], body, (f"party:{OPERATOR}", ""))

    def day(self, days: int) -> str:
        return day_of(self.platform.now + days * 86_400).isoformat()

    def state(self, **changes: Any) -> str:
        identity = secrets.token_hex(16)
        value = demand_of(**{"demander": RIVAL, "deadline": self.day(60), **changes})
        self.platform.state("/api/demands", DEMAND, f"demand:{identity}", value, (DEMANDER, ""))
        return identity

    def move(self, identity: str, body: DemandMove, who: tuple[str, str] = OFFICE) -> None:
        self.platform.state("/api/demands/moves", DEMAND_MOVE, f"demand:{identity}", body, who)

    def get(self, path: str, by: str = "", **query: str) -> Any:
        headers = self.platform.headers(by) if by else {}
        return self.platform.client.get(path, params=query, headers=headers)


@pytest.fixture
def wishes(platform: Platform) -> Wishes:
    return Wishes(platform)


def test_demand__over_http__from_the_draft_to_its_analysis(wishes: Wishes) -> None:
    identity = wishes.state()
    wishes.platform.state(
        "/api/demands/budgets", DEMAND_BUDGET, f"demand-budget:{identity}", Budget(100, 250_000), (DEMANDER, "")
    )
    assert wishes.get("/api/market/demands").json()["demands"] == []
    assert wishes.get(f"/demands/{identity}").status_code == 404
    assert wishes.get(f"/api/demands/{identity}", OWNER).status_code == 404
    own = wishes.get("/api/demands", DEMANDER).json()
    assert ([row["state"] for row in own["own"]], own["seen"]) == (["DRAFT"], [])
    for move in (Move.CHECK, Move.MERGE):
        wishes.move(identity, DemandMove(move))
    part = Part("延误特征", PROVIDER, wishes.day(20))
    wishes.move(identity, DemandMove(Move.SPLIT, parts=(part,)))
    [line] = wishes.get("/api/worklist", OWNER).json()["lines"]
    assert line["subject"] == f"demand:{identity}"
    wishes.move(identity, DemandMove(Move.CLAIM, number=0), (OWNER, ""))
    link = Link(promise="下月提供", due=wishes.day(15))
    wishes.move(identity, DemandMove(Move.LINK, number=0, link=link), (OWNER, ""))
    wishes.move(identity, DemandMove(Move.EVALUATE, evaluation=Evaluation(5, True, True)), (DEMANDER, ""))
    inside = wishes.get(f"/api/demands/{identity}", DEMANDER).json()
    assert inside["demand"]["budget"] == {"low_fen": 100, "high_fen": 250_000}
    assert inside["moves"] == ["analyse"]
    outside = wishes.get(f"/api/demands/{identity}", OTHER).json()["demand"]
    assert "budget" not in outside
    figures = wishes.get(f"/api/demands/{identity}/figures", OFFICE[0]).json()["figures"]
    assert figures["satisfaction"] == "5.00"
    page = unescape(wishes.get(f"/demands/{identity}").text)
    for text in ("机场延误预测所需特征", "评价", "延误特征", "下月提供", "满意度 5 / 5"):
        assert text in page, text
    assert "2500.00" not in page
    assert "2500.00" in wishes.get(f"/demands/mine/{identity}", DEMANDER).text
    with jobs.snapshot(wishes.platform.system) as session:
        assert list(checks.views(wishes.platform.system, session)) == []


def test_budget__in_no_bundle_others_may_have(wishes: Wishes) -> None:
    identity = wishes.state()
    said = wishes.platform.state(
        "/api/demands/budgets", DEMAND_BUDGET, f"demand-budget:{identity}", Budget(100, 200), (DEMANDER, "")
    )
    assert wishes.get(f"/api/bundles/{said['fact']}", OWNER).status_code == 403
    assert wishes.get(f"/api/bundles/{said['fact']}", DEMANDER).status_code in (200, 409)


def test_invited__only_they_see_it__and_no_search_finds_it(wishes: Wishes) -> None:
    identity = wishes.state(visibility=Visibility.INVITED, invited=(PROVIDER,))
    wishes.move(identity, DemandMove(Move.CHECK))
    seen = {by: wishes.get(f"/api/demands/{identity}", by).status_code for by in (DEMANDER, OWNER, OTHER, OFFICE[0])}
    assert seen == {DEMANDER: 200, OWNER: 200, OTHER: 404, OFFICE[0]: 200}
    assert wishes.get(f"/demands/{identity}").status_code == 404
    assert wishes.get("/api/market/demands", shown="all").json()["demands"] == []
    assert wishes.get("/demands/mine", OWNER).text.count(identity) == 1
    assert identity not in wishes.get("/demands/mine", OTHER).text


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [("q", "延误", 1), ("q", "客流", 0), ("sector", "G56", 1), ("sector", "J66", 0), ("scene", "预测", 1),
     ("scene", "描述", 0), ("output", "API", 1), ("output", "DS", 0), ("shown", "all", 1)],
)  # fmt: skip
def test_search__filters__on_page_and_api(shared: Platform, name: str, value: str, count: int) -> None:
    if "staff:dem" not in shared.keys:
        made = Wishes(shared)
        made.move(made.state(output=("API",)), DemandMove(Move.CHECK))
    found = shared.client.get("/api/market/demands", params={name: value}).json()["demands"]
    assert len(found) == count
    page = shared.client.get("/demands", params={name: value})
    assert page.status_code == 200
    assert ("没有符合条件的需求" in page.text) is (count == 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sector", "G99"), ("scene", "x"), ("output", "XX"), ("shown", "some"), ("after", "-1"), ("limit", "0")],
)
def test_search__what_is_not_understood__is_named(shared: Platform, name: str, value: str) -> None:
    answer = shared.client.get("/api/market/demands", params={name: value})
    assert answer.status_code == 422
    assert name in answer.json()["field"]


def test_page__hostile_words__stay_text(wishes: Wishes) -> None:
    identity = wishes.state(title=XSS, step=XSS, metric=XSS, note=XSS, purpose=XSS, scenario=XSS)
    wishes.move(identity, DemandMove(Move.CHECK, XSS))
    pages = [wishes.get("/demands", q=XSS), wishes.get("/demands"), wishes.get(f"/demands/{identity}"),
             wishes.get("/demands/mine", OWNER), wishes.get(f"/demands/mine/{identity}", OWNER)]  # fmt: skip
    for page in pages:
        assert page.status_code == 200
        assert "<script" not in page.text


def test_move__broken_bodies__are_named_and_write_nothing(wishes: Wishes) -> None:
    identity = wishes.state()
    before = wishes.platform.count()
    for body, status in (
        ({"move": "fly"}, 422), ({}, 422), ({"move": "check", "colour": "red"}, 422), ({"move": "claim"}, 409),
        ({"move": "split"}, 409), ({"move": "check", "number": "0"}, 422), ({"move": "check", "listings": ["x"]}, 422),
    ):  # fmt: skip
        signed = wishes.platform.signed(DEMAND_MOVE, f"demand:{identity}", body, OFFICE)
        answer = wishes.platform.post("/api/demands/moves", signed.document(), OFFICE[0])
        assert answer.status_code == status, (body, answer.text)
        assert answer.json()["message"]
    assert wishes.platform.count() == before


def test_timers__escalate_under_the_operators_key(wishes: Wishes) -> None:
    identity = wishes.state()
    for move in (Move.CHECK, Move.MERGE):
        wishes.move(identity, DemandMove(move))
    wishes.move(identity, DemandMove(Move.SPLIT, parts=(Part("一", PROVIDER, wishes.day(20)),)))
    assert jobs.market_timers(wishes.platform.system) == 0
    wishes.platform.now += 5 * 86_400
    assert jobs.market_timers(wishes.platform.system) == 1
    assert jobs.market_timers(wishes.platform.system) == 0
    assert "已升级督办" in wishes.get(f"/demands/{identity}").text


def test_matching__kept_for_demander_and_operator__with_every_component(wishes: Wishes) -> None:
    market = Market(wishes.platform)
    market.listed()
    identity = wishes.state()
    assert wishes.platform.post(f"/api/demands/{identity}/rankings", {}, OTHER).status_code == 403
    answer = wishes.platform.post(f"/api/demands/{identity}/rankings", {}, DEMANDER).json()
    assert "不提供付费推广" in answer["promotion"]
    [found] = answer["ranking"]["ranked"]
    assert len(found["components"]) == 9
    assert len(answer["ranking"]["removed"]) == 6
    kept = wishes.get(f"/api/demands/{identity}/rankings", OFFICE[0]).json()["rankings"]
    assert [row["fact_id"] for row in kept] == [answer["fact"]]
    again = wishes.get(f"/api/demands/{identity}/rankings/0", DEMANDER).json()
    assert again["ranking"] == answer["ranking"]
    for path in (f"/api/demands/{identity}/rankings", f"/api/demands/{identity}/rankings/0",
                 f"/demands/mine/{identity}/matches"):  # fmt: skip
        assert wishes.get(path, OTHER).status_code == 403
    assert wishes.get(f"/api/demands/{identity}/rankings/7", DEMANDER).status_code == 404
    page = unescape(wishes.get(f"/demands/mine/{identity}/matches", DEMANDER).text)
    for text in (found["score"], "未评", "筛除", "不提供付费推广", "覆盖", "卖方已发布的现行信用等级"):
        assert text in page, text
    with jobs.snapshot(wishes.platform.system) as session:
        assert list(checks.views(wishes.platform.system, session)) == []


def test_matching__pressed_on_the_page_by_who_is_logged_in(wishes: Wishes) -> None:
    identity = wishes.state()
    somebody, other = person(wishes.platform, DEMANDER), person(wishes.platform, OTHER)
    assert "现在匹配并留存" in somebody.get(f"/demands/mine/{identity}/matches")
    page = somebody.post(f"/demands/mine/{identity}/matches", {}).text
    assert "没有产品通过筛选" in page
    other.post(f"/demands/mine/{identity}/matches", {}, 403)
    assert len(wishes.get(f"/api/demands/{identity}/rankings", DEMANDER).json()["rankings"]) == 1
