"""Mandates, profiles, recommendations over HTTP and as pages: who may, who sees, what is said."""

from __future__ import annotations

import secrets
from html import unescape
from typing import Any

import pytest

from api import checks, jobs
from clearing.market.broker.mandate import MANDATE, MANDATE_ENDING, Commission, Mandate, MandateEnding, Task
from clearing.market.gratis.request import GRATIS_MOVE, GRATIS_REQUEST, GratisMove, GratisRequest, Move
from clearing.market.listing import PriceRegime
from clearing.market.profile.kinds import Kind
from clearing.market.profile.profile import (
    DEAL_EVALUATION,
    PARTY_PROFILE,
    DealEvaluation,
    Profile,
    evaluation_subject_of,
)
from ledger import eip712
from registry.calendar import day_of
from registry.party import Party, PartyKind
from tests.api.house import DEVELOPER, NAMES, Platform
from tests.api.office import person
from tests.api.test_demand_doors import OFFICE, Wishes
from tests.api.test_market import Market
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL

PRINCIPAL, SELLER, OTHER = f"party:{RIVAL}", f"party:{PROVIDER}", f"party:{DEVELOPER}"
XSS = '"><script>alert(1)</script>'


class Dealing:
    """A platform whose DEVELOPER is a broker on the register."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        key = platform.keys[OTHER]
        body = Party(NAMES[DEVELOPER], PartyKind.LEGAL, DEVELOPER, key.public, eip712.address_of(eip712.new_key()),
                     ("developer", "broker"))  # fmt: skip
        platform.state("/api/parties", "party/v1", OTHER, body, (OTHER, ""), (f"party:{AGENCY}", ""))

    def mandate(self, **changes: Any) -> Mandate:
        days = [day_of(self.platform.now + n * 86_400).isoformat() for n in (0, 30)]
        fields = {"principal": RIVAL, "broker": DEVELOPER, "tasks": (Task.INQUIRE,), "commission": Commission(bp=150),
                  "scope": "航空数据", "first": days[0], "last": days[1]}  # fmt: skip
        return Mandate(**fields | changes)

    def give(self, **changes: Any) -> str:
        identity = secrets.token_hex(16)
        who = ((PRINCIPAL, ""), (OTHER, ""))
        self.platform.state("/api/mandates", MANDATE, f"mandate:{identity}", self.mandate(**changes), *who)
        return identity

    def get(self, path: str, by: str = "", **query: str) -> Any:
        headers = self.platform.headers(by) if by else {}
        return self.platform.client.get(path, params=query, headers=headers)


@pytest.fixture
def dealing(platform: Platform) -> Dealing:
    return Dealing(platform)


def test_mandate__given_shown_to_both_with_its_commission_and_ended(dealing: Dealing) -> None:
    identity = dealing.give()
    for by in (PRINCIPAL, OTHER):
        [found] = dealing.get("/api/mandates", by).json()["mandates"]
        assert (found["id"], found["in_force"], found["mandate"]["commission"]["bp"]) == (identity, True, 150)
        page = unescape(dealing.get("/mandates", by).text)
        assert "1.50 %" in page
        assert "有效" in page
    seen = {by: dealing.get(f"/api/mandates/{identity}", by).status_code for by in (PRINCIPAL, OTHER, SELLER)}
    assert seen == {PRINCIPAL: 200, OTHER: 200, SELLER: 403}
    dealing.platform.state(
        "/api/mandates/endings", MANDATE_ENDING, f"mandate:{identity}", MandateEnding("不再需要"), (PRINCIPAL, "")
    )
    assert "已解除" in dealing.get("/mandates", PRINCIPAL).text
    with jobs.snapshot(dealing.platform.system) as session:
        assert list(checks.views(dealing.platform.system, session)) == []


def test_mandate__by_the_principal_alone_or_for_nobody_on_the_register__refused(dealing: Dealing) -> None:
    before = dealing.platform.count()
    for who, body, status in (
        (((PRINCIPAL, ""),), dealing.mandate(), 403),
        (((PRINCIPAL, ""), (SELLER, "")), dealing.mandate(broker=PROVIDER), 403),
        (((PRINCIPAL, ""), (OTHER, "")), dealing.mandate(commission=Commission()), 422),
    ):
        signed = dealing.platform.signed(MANDATE, f"mandate:{'a' * 32}", body, *who)
        assert dealing.platform.post("/api/mandates", signed.document(), PRINCIPAL).status_code == status
    assert dealing.platform.count() == before


def test_profile__declared_and_on_its_page__with_what_is_in_force(platform: Platform) -> None:
    market = Market(platform)
    market.listed()
    subject = f"party-profile:{PROVIDER}"
    body = Profile((Kind.RESOURCE, Kind.PRODUCT), ("G56",), XSS)
    platform.state("/api/profiles", PARTY_PROFILE, subject, body, (SELLER, ""))
    raw = market.get(f"/profiles/{PROVIDER}").text
    assert "<script" not in raw
    page = unescape(raw)
    for text in (
        NAMES[PROVIDER],
        "资源、产品",
        "数据资源企业",
        "未评级",
        market.code,
        market.listing().name,
        "没有评价",
    ):
        assert text in page, text
    found = market.get(f"/api/profiles/{PROVIDER}").json()
    assert (found["mean"], set(found["figures"].values())) == ("", {""})
    assert [row["code"] for row in found["certificates"]] == [market.code]
    assert [row["party"] for row in market.get("/api/profiles").json()["profiles"]] == [PROVIDER]
    listed = unescape(market.get("/profiles").text)
    assert NAMES[PROVIDER] in listed
    assert "上海六类" in listed
    assert f'href="/profiles/{PROVIDER}"' in market.get(f"/market/{market.listing().product}").text
    assert market.get("/profiles/91420100MA4K200995").status_code == 404
    assert "未申报" in market.get(f"/profiles/{RIVAL}").text
    with jobs.snapshot(platform.system) as session:
        assert list(checks.views(platform.system, session)) == []


def test_evaluation__of_no_agreement__404(platform: Platform) -> None:
    body = DealEvaluation("e" * 64, RIVAL, PROVIDER, 5)
    signed = platform.signed(DEAL_EVALUATION, evaluation_subject_of("e" * 64, RIVAL), body, (PRINCIPAL, ""))
    assert platform.post("/api/evaluations", signed.document(), PRINCIPAL).status_code == 404


def test_recommendations__searched_shown_why_and_switched_off(platform: Platform) -> None:
    market = Market(platform)
    market.listed()
    assert market.get("/api/recommendations", PRINCIPAL).json()["items"] == []
    answer = platform.post("/api/market/searches", {"q": "延误"}, PRINCIPAL).json()
    assert (answer["kept"], len(answer["products"])) == (True, 1)
    assert platform.post("/api/market/searches", {"type": "XX"}, PRINCIPAL).status_code == 422
    [item] = market.get("/api/recommendations", PRINCIPAL).json()["items"]
    assert [why["basis"] for why in item["why"]] == ["search"]
    page = unescape(market.get("/recommendations", PRINCIPAL).text)
    for text in ("为什么显示", "检索过“延误”", "不针对个人的列表"):
        assert text in page, text
    somebody = person(platform, PRINCIPAL)
    assert "已关闭" in somebody.post("/recommendations", {"switch": "off"}).text
    assert market.get("/api/market/searches", PRINCIPAL).json()["searches"] == []
    found = market.get("/api/recommendations", PRINCIPAL).json()
    assert (found["on"], found["items"], len(found["plain"])) == (False, [], 1)
    assert platform.post("/api/market/searches", {"q": "延误"}, PRINCIPAL).json()["kept"] is False
    assert platform.post("/api/recommendations", {"on": True}, PRINCIPAL).json()["on"] is True
    somebody.post("/recommendations", {"switch": "sideways"}, 422)
    with jobs.snapshot(platform.system) as session:
        assert list(checks.views(platform.system, session)) == []
    assert market.get("/recommendations").status_code == 401


def test_searches__kept_90_days__forgotten_by_the_worker(platform: Platform) -> None:
    platform.post("/api/market/searches", {"q": "延误"}, PRINCIPAL)
    jobs.market_timers(platform.system)
    assert len(Market(platform).get("/api/market/searches", PRINCIPAL).json()["searches"]) == 1
    platform.now += 90 * 86_400
    jobs.market_timers(platform.system)
    headers = platform.headers(PRINCIPAL)
    assert platform.client.get("/api/market/searches", headers=headers).json()["searches"] == []


def test_gratis__applied_granted_and_shown_to_its_two_sides(platform: Platform) -> None:
    market = Market(platform)
    Wishes(platform)
    listing = market.listed(regime=PriceRegime.GRATIS)
    until, identity = day_of(platform.now + 30 * 86_400).isoformat(), secrets.token_hex(16)
    subject = f"gratis-request:{identity}"
    body = GratisRequest(RIVAL, PROVIDER, listing, "research", "全部字段", until)
    platform.state("/api/gratis", GRATIS_REQUEST, subject, body, (PRINCIPAL, ""))
    for act, who in (
        (GratisMove(Move.SCREEN), OFFICE), (GratisMove(Move.ACCEPT), OFFICE), (GratisMove(Move.APPROVE), (SELLER, "")),
        (GratisMove(Move.GRANT, until=until), (SELLER, "")),
    ):  # fmt: skip
        platform.state("/api/gratis/moves", GRATIS_MOVE, subject, act, who)
    seen = {by: market.get(f"/api/gratis/{identity}", by).status_code for by in (PRINCIPAL, SELLER, OTHER, OFFICE[0])}
    assert seen == {PRINCIPAL: 200, SELLER: 200, OTHER: 403, OFFICE[0]: 200}
    assert [len(market.get("/api/gratis", by).json()["requests"]) for by in (PRINCIPAL, OTHER, OFFICE[0])] == [1, 0, 1]
    page = unescape(market.get("/gratis", PRINCIPAL).text)
    assert "授权" in page
    assert until in page
    platform.now += 31 * 86_400
    assert jobs.market_timers(platform.system) == 1
    assert "到期" in market.get("/gratis", SELLER).text
    with jobs.snapshot(platform.system) as session:
        assert list(checks.views(platform.system, session)) == []
