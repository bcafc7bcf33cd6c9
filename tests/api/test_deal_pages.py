"""Two strangers make a deal at the pages: inquiry, price, terms, agreement, and what follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from api.desk.tables import WaitingStatement
from api.desk.waiting import Outcome
from clearing.market import store as agreements
from clearing.market.agreement import Act, Role, Signer, State, Terms, sign_act
from clearing.market.negotiation import store
from clearing.market.negotiation.message import Inquiry, Message, Quote
from clearing.market.negotiation.moves import State as Talking
from clearing.market.policy import Decision, Reason
from clearing.usage.record import StatusClass
from ledger import canonical
from ledger import store as facts
from ledger.facts import EIP712, SM2, Signature, Statement
from registry.calendar import day_of
from tests.api.office import attribute, words
from tests.api.shop import Shop, open_shop
from tests.api.trading import BUYER, CONNECTOR, PRODUCT, TERMS, VENDOR, Trader, open_market, trader
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER
from tests.clearing.market.talks import PATHS, P
from tests.clearing.usage.batches import admit, line_of

COURT_, STRANGER = f"party:{COURT}", f"party:{PROVIDER}"


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_market(tmp_path / "home", empty_database) as opened:
        yield opened


def the_deal(shop: Shop) -> str:
    with shop.platform.reading() as session:
        (row,) = store.negotiations(session)
        return row.id


def state_of(shop: Shop, deal: str) -> Talking:
    with shop.platform.reading() as session:
        return store.negotiation(session, deal).state


def offered(shop: Shop) -> tuple[Trader, Trader, str]:
    """From an inquiry on the product's page to an offer of the seller."""
    buyer, seller = trader(shop, BUYER), trader(shop, VENDOR)
    buyer.says(f"/office/market/{PRODUCT}/INQUIRE", quantity="1000")
    deal = the_deal(shop)
    seller.says(f"/office/deals/{deal}/moves/QUOTE", tiers__0__price="0.40", tiers__0__per="10")
    buyer.says(f"/office/deals/{deal}/moves/BARGAIN", tiers__0__price="0.30")
    seller.says(f"/office/deals/{deal}/moves/QUOTE", tiers__0__price="0.35", binding="1")
    buyer.says(f"/office/deals/{deal}/moves/SELECT")
    buyer.says(f"/office/deals/{deal}/moves/ORDER")
    seller.says(f"/office/deals/{deal}/moves/OFFER", **TERMS)
    return buyer, seller, deal


def concluded(shop: Shop) -> tuple[Trader, Trader, str]:
    """An agreement made at the pages; its id."""
    buyer, seller, deal = offered(shop)
    buyer.says(f"/office/deals/{deal}/moves/ACCEPT")
    seller.says(f"/office/deals/{deal}/moves/AGREEMENT")
    for one in (buyer, seller):
        assert one.sign_desk(act_at(shop, one)) in ("open", "ready")
    buyer.says(f"/office/deals/{deal}/moves/VERIFICATION")
    seller.says(f"/office/deals/{deal}/moves/FINALISE")
    with shop.platform.reading() as session:
        return buyer, seller, store.negotiation(session, deal).agreement


def act_at(shop: Shop, one: Trader) -> str:
    """The id of the act that waits for somebody."""
    found = re.findall(r'/office/desk/([0-9a-f]{32})">数字合约', one.get("/office/desk"))
    assert len(found) == 1, found
    return str(found[0])


def test_deal__from_inquiry_to_agreement__every_act_signed_at_the_pages(shop: Shop) -> None:
    buyer, seller, agreement = concluded(shop)
    deal = the_deal(shop)
    assert state_of(shop, deal) is Talking.FINALIZED
    with shop.platform.reading() as session:
        row = agreements.agreement(session, agreement)
        terms = agreements.terms_of(session, agreement, 1)
        act = facts.facts_of(session, f"agreement:{agreement}")[0]
        said = [item.message for item in store.said(session, deal)]
        quotes = [store.proposal_of(session, item.fact_id)[2] for item in store.said(session, deal)[:4]]
    assert row.state is State.EFFECTIVE
    assert said[-5:] == [Message.OFFER, Message.ACCEPT, Message.AGREEMENT, Message.VERIFICATION, Message.FINALISE]
    assert [(s.alg, s.by) for s in act.signatures] == [
        (alg, by) for by in (VENDOR, BUYER) for alg in (SM2, EIP712)
    ]  # fmt: skip
    # What was typed in yuan is fen, what was ordered is what was agreed, and the policy is bound to the purposes.
    assert isinstance(quotes[0], Inquiry)
    assert [q.tariff.tiers[0].numerator for q in quotes[1:] if isinstance(q, Quote)] == [40, 30, 35]
    assert (terms.settlement.tariff.tiers[0].numerator, terms.settlement.tariff.tiers[0].divisor) == (35, 10)
    assert terms.parties[0].connectors == (CONNECTOR,)
    assert [str(each.right) for each in terms.policy.permission[0].constraints] == ["('research',)", "2000"]
    for one in (buyer, seller):
        page = words(one.get("/office/deals"))
        assert "签署完成" in page
        assert "履行中" in page
        assert "协商解除" in words(one.get(f"/office/agreements/{agreement}"))
    assert outcomes(shop) == {Outcome.DONE}


def outcomes(shop: Shop) -> set[Outcome]:
    """What has become of everything that was drafted."""
    with shop.platform.reading() as session:
        return {Outcome(row.outcome) for row in session.exec(select(WaitingStatement))}


def test_page__whose_turn_it_is_and_only_the_moves_of_the_table(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    own, other = buyer.get(f"/office/deals/{deal}"), seller.get(f"/office/deals/{deal}")
    offered_to = {m for m in Message if f"/office/deals/{deal}/moves/{m}" in own}
    assert offered_to == {Message.COUNTER, Message.ACCEPT, Message.TERMINATE}
    assert "轮到本方办理" in words(own)
    assert "轮到本方办理" not in words(other)
    assert {m for m in Message if f"/office/deals/{deal}/moves/{m}" in other} == {Message.TERMINATE}


def test_page__every_element_of_the_terms_in_words__and_what_the_round_changed(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    buyer.says(f"/office/deals/{deal}/moves/COUNTER", tiers__0__price="0.35", acceptance_days="9", hours="5x8",
               deviation__5="数据以加密介质交付。")  # fmt: skip
    text = seller.get(f"/office/deals/{deal}")
    page = words(text)
    with shop.platform.reading() as session:
        row = store.negotiation(session, deal)
        _, body, terms = store.proposal_of(session, row.proposal)
    assert isinstance(terms, Terms)
    assert body.digest
    for said in (
        "0.35 元（35 分）", "含税", "6%", "100%", "演示仲裁委员会", "数据使用权（USE）", "5x8", "读取（read）",
        "不超过（lteq）",
        f"{day_of(terms.expiry).isoformat()} 00:00:00 北京时间", "以提供方记录为准（PROVIDER）", "发生日（occurred）",
        *(" ".join(re.findall(".{8}", digest)) for digest in (body.digest.sha256, body.digest.sm3)),
    ):  # fmt: skip
        assert said in page, said
    changed = re.findall(r'<div class="changed"><dt>([^<]*)</dt>', text)
    assert changed == ["服务时间", "检验期（天）", "另行约定 1 · 代替第几条", "另行约定 1 · 约定", "另行约定"], changed
    assert re.search(r"交付 ?另行约定 instead of the model ?数据以加密介质交付。 ?模板原文： ?交付方式、地点", page), (
        page
    )
    assert "数据提供合约（第 1 版）" in page
    assert "期满沉默的效果见本约“沉默的效果”" in page
    assert "上一轮： 7x24" in page
    # The first round compares with nothing; an earlier round is still there to be read.
    first = seller.get(f"/office/deals/{deal}?round=6")
    assert 'class="changed"' not in first
    assert "7x24" in first


def test_price__ordered_as_a_binding_offer__another_is_refused_in_words(shop: Shop) -> None:
    buyer, _, deal = offered(shop)
    path = f"/office/deals/{deal}/moves/COUNTER"
    fields = buyer.filled(path) | {"tiers.0.price": "0.20"}
    before = shop.platform.count()
    page = words(buyer.post(path, fields, 409).text)
    assert "尚不能办理" in page
    assert "要约报价选定后不能另定" in page
    assert 'value="0.20"' in buyer.post(path, fields, 409).text, "what was typed stays"
    assert shop.platform.count() == before


def test_form__everything_wrong_at_its_field_and_nothing_drafted(shop: Shop) -> None:
    buyer = trader(shop, BUYER)
    path = f"/office/market/{PRODUCT}/REQUEST"
    fields = buyer.filled(path) | {
        "tiers.0.price": "0.355", "endpoint": "", "expiry": "x", "plan.steps.0.percent.0": "60", "granted.use": "",
        "dispute.body": "", "liability": "", "acceptance_days": "-1",
    }  # fmt: skip
    page = buyer.post(path, fields, 422).text
    for name in (
        "tiers.0.price",
        "endpoint",
        "expiry",
        "plan.steps.0",
        "granted.use",
        "dispute.body",
        "acceptance_days",
    ):
        assert f'id="said-{name}"' in page, name
    assert "第 1 步（按比例）：比例合计应为 100%，现为 60%" in page
    assert outcomes(shop) == set()


def test_opening__from_the_public_page__by_way_of_the_login(shop: Shop) -> None:
    """Whoever is logged in goes on at once; nobody is led to another site."""
    nobody, buyer = Trader(shop.platform), trader(shop, BUYER)
    (way,) = re.findall(r'href="(/office/login[^"]*INQUIRE)"', nobody.get(f"/market/{PRODUCT}"))
    assert f'data-next="/office/market/{PRODUCT}/INQUIRE"' in nobody.get(way)
    nobody.get(f"/office/market/{PRODUCT}/INQUIRE", 401)
    assert buyer.http.get(way).url.path == f"/office/market/{PRODUCT}/INQUIRE"
    assert buyer.http.get("/office/login?next=//elsewhere.example/office").url.path == "/office/login"


def test_opening__the_seller_inquires_nothing_of_itself__a_consumer_offers_nothing(shop: Shop) -> None:
    buyer, seller = trader(shop, BUYER), trader(shop, VENDOR)
    seller.get(f"/office/market/{PRODUCT}/INQUIRE", 403)
    buyer.get(f"/office/market/{PRODUCT}/OFFER", 403)
    buyer.get(f"/office/market/{PRODUCT}/ACCEPT", 404)
    buyer.get(f"/office/market/{'8' * 32}/INQUIRE", 404)
    path = f"/office/market/{PRODUCT}/OFFER"
    fields = seller.filled(path) | {n.replace("__", "."): t for n, t in TERMS.items()} | {"tiers.0.price": "1"}
    assert 'id="said-consumer"' in seller.post(path, fields | {"consumer": "nobody"}, 422).text
    desk = seller.drafted(path, fields | {"consumer": CONSUMER})
    assert seller.sign_desk(desk) == "done", words(seller.get(f"/office/desk/{desk}"))
    assert state_of(shop, the_deal(shop)) is Talking.OFFERED


def test_pages__of_two_sides__are_nobody_elses(shop: Shop) -> None:
    _, _, agreement = concluded(shop)
    deal, court, stranger = the_deal(shop), trader(shop, COURT_), trader(shop, STRANGER)
    for one in (court, stranger):
        one.get(f"/office/deals/{deal}", 403)
        one.get(f"/office/deals/{deal}/moves/TERMINATE", 403)
        assert deal not in one.get("/office/deals")
    stranger.get(f"/office/agreements/{agreement}", 403)
    assert "中止" in words(court.get(f"/office/agreements/{agreement}")), "an authority may decide"
    stranger.get(f"/office/deals/{'0' * 64}", 404)


def test_act__both_signatures_of_the_address_the_act_names__or_nothing_is_kept(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    buyer.says(f"/office/deals/{deal}/moves/ACCEPT")
    seller.says(f"/office/deals/{deal}/moves/AGREEMENT")
    desk = act_at(shop, buyer)
    text = buyer.get(f"/office/desk/{desk}")
    statement = Statement.of_document(canonical.decode(attribute(text, "statement").encode()))
    signer, other = Signer(Role.CONSUMER, CONSUMER, buyer.keys.address), seller.keys
    sm2, typed = sign_act(statement, signer, buyer.keys.sm2, buyer.keys.evm)
    foreign = sign_act(statement, signer, buyer.keys.sm2, other.evm)[1]
    alien = sign_act(statement, Signer(Role.PROVIDER, CONSUMER, buyer.keys.address), buyer.keys.sm2, buyer.keys.evm)[1]
    swapped = Signature.of_document(typed.document() | {"nonce": "1"})
    for wrong in (None, foreign, alien, swapped, sm2):
        document = {"signature": sm2.document()} | ({"typed": wrong.document()} if wrong else {})
        buyer.send_desk(desk, document, 403)
    assert "未签" in words(buyer.get(f"/office/deals/{deal}"))
    assert buyer.send_desk(desk, {"signature": sm2.document(), "typed": typed.document()}) == "open"
    buyer.send_desk(desk, {"signature": sm2.document(), "typed": typed.document()}, 409)
    with shop.platform.reading() as session:
        assert agreements.agreements(session) == [], "one signature forms nothing"


def test_finalise__before_everybody_signed__says_who_is_missing(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    buyer.says(f"/office/deals/{deal}/moves/ACCEPT")
    seller.says(f"/office/deals/{deal}/moves/AGREEMENT")
    assert seller.sign_desk(act_at(shop, seller)) == "open"
    buyer.says(f"/office/deals/{deal}/moves/VERIFICATION")
    page = seller.get(f"/office/deals/{deal}")
    assert f"/office/deals/{deal}/moves/FINALISE" not in page
    assert "等待签署" in words(page)
    # Whoever goes there by hand and signs is refused in words, and the refusal stands in the log of both sides.
    desk = seller.drafted(f"/office/deals/{deal}/moves/FINALISE", {})
    assert seller.sign_desk(desk) == "refused"
    said = words(seller.get(f"/office/desk/{desk}"))
    assert "没有写入任何内容" in said
    assert "签署并生效" in words(buyer.get(f"/office/deals/{deal}"))
    assert state_of(shop, deal) is Talking.VERIFIED


def test_act__of_a_terminated_negotiation__leaves_the_desk_and_cannot_be_withdrawn_before(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    buyer.says(f"/office/deals/{deal}/moves/ACCEPT")
    seller.says(f"/office/deals/{deal}/moves/AGREEMENT")
    desk = act_at(shop, seller)
    assert "撤回这份文件" not in words(seller.get(f"/office/desk/{desk}"))
    seller.post(f"/office/desk/{desk}/withdrawal", {}, 409)
    buyer.says(f"/office/deals/{deal}/moves/TERMINATE", reason="条件不合")
    assert "协商已终止" in words(seller.get(f"/office/desk/{desk}"))
    assert Outcome.WITHDRAWN in outcomes(shop)


def test_lapsed__an_offer_after_its_last_day__is_refused_in_words(shop: Shop) -> None:
    buyer, _, deal = offered(shop)
    with shop.platform.reading() as session:
        until = store.negotiation(session, deal).valid_until
    early = buyer.drafted(f"/office/deals/{deal}/moves/ACCEPT", {})
    shop.platform.now = until + 1
    assert "已失效" in words(buyer.post(f"/office/deals/{deal}/moves/ACCEPT", {}, 409).text)
    assert buyer.sign_desk(early) == "refused"
    assert "不能再接受" in words(buyer.get(f"/office/desk/{early}"))
    assert state_of(shop, deal) is Talking.OFFERED


def test_move__the_state_does_not_allow__is_refused_in_words(shop: Shop) -> None:
    buyer, seller, deal = offered(shop)
    page = words(seller.post(f"/office/deals/{deal}/moves/AGREEMENT", {"deadline": "2026-12-31"}, 409).text)
    assert "供方要约" in page
    assert "现在可以：终止协商" in page
    stale = buyer.drafted(f"/office/deals/{deal}/moves/ACCEPT", {})
    buyer.says(f"/office/deals/{deal}/moves/COUNTER", hours="5x8")
    assert buyer.sign_desk(stale) == "stale"


# What follows the agreement -----------------------------------------------------------------------------------------


def test_termination__both_sign__then_the_agreement_has_ended(shop: Shop) -> None:
    buyer, seller, agreement = concluded(shop)
    path = f"/office/agreements/{agreement}/acts/{Act.TERMINATE}"
    desk = buyer.drafted(path, buyer.filled(path))
    assert buyer.sign_desk(desk) == "open"
    assert desk in seller.get(f"/office/agreements/{agreement}")
    with shop.platform.reading() as session:
        assert agreements.agreement(session, agreement).state is State.EFFECTIVE
    assert seller.sign_desk(desk) == "done"
    with shop.platform.reading() as session:
        assert agreements.agreement(session, agreement).state is State.TERMINATED
    page = words(buyer.get(f"/office/agreements/{agreement}"))
    assert "已协商解除" in page
    assert "本方现在可以" not in page


def test_amendment__both_sign__the_new_price_stands_beside_the_old(shop: Shop) -> None:
    buyer, seller, agreement = concluded(shop)
    path = f"/office/agreements/{agreement}/acts/{Act.AMEND}"
    assert "相同" not in words(seller.get(path))
    same = seller.post(path, seller.filled(path))
    assert "/office/desk/" in same.url.path, "a fresh salt makes other terms"
    fields = seller.filled(path) | {"tiers.0.price": "0.50"}
    desk = seller.drafted(path, fields)
    assert seller.sign_desk(desk) == "open"
    assert buyer.sign_desk(desk) == "done"
    with shop.platform.reading() as session:
        terms = agreements.terms_of(session, agreement, 2)
    assert (terms.settlement.tariff.tiers[0].numerator, terms.settlement.tariff.version) == (50, 2)
    text = buyer.get(f"/office/agreements/{agreement}")
    assert "0.50 元（50 分）" in words(text)
    assert "上一轮： 0.35 元（35 分）" in words(text)


def test_suspension__by_an_authority_alone__with_the_digests_of_its_decision(shop: Shop) -> None:
    buyer, _, agreement = concluded(shop)
    court = trader(shop, COURT_)
    path = f"/office/agreements/{agreement}/acts/{Act.SUSPEND}"
    buyer.get(path, 409)
    fields = court.filled(path) | {"ground.text": "（2026）演示1号", "ground.sha256": "x", "ground.sm3": "b" * 64}
    assert 'id="said-ground.sha256"' in court.post(path, fields, 422).text
    assert court.sign_desk(court.drafted(path, fields | {"ground.sha256": "a" * 64})) == "done"
    with shop.platform.reading() as session:
        assert agreements.agreement(session, agreement).state is State.SUSPENDED
    page = words(buyer.get(f"/office/agreements/{agreement}"))
    assert "已中止" in page
    assert "（2026）演示1号" in page


def test_rescission__by_one_side__with_its_ground(shop: Shop) -> None:
    buyer, _, agreement = concluded(shop)
    path = f"/office/agreements/{agreement}/acts/{Act.RESCIND}"
    fields = buyer.filled(path) | {"ground.kind": "statutory"}
    assert 'id="said-ground.text"' in buyer.post(path, fields, 422).text
    assert buyer.sign_desk(buyer.drafted(path, fields | {"ground.text": "民法典第563条（演示）"})) == "done"
    with shop.platform.reading() as session:
        assert agreements.agreement(session, agreement).state is State.RESCINDED


# The other doors ----------------------------------------------------------------------------------------------------


def test_desk__over_the_api__the_same_places_and_the_same_refusals(shop: Shop) -> None:
    """A party that signs by program: sees the act, signs it, and brings FINALISE without parts."""
    talk = shop.to(shop.talk(), Talking.VERIFIED)
    signers = {f"party:{signer.party}": signer for signer in shop.house.signers()}
    for by, signer in signers.items():
        (item,) = shop.get("/api/desk", by).json()["waiting"]
        statement = Statement.of_document(item["statement"])
        assert (item["role"], item["address"]) == (signer.role, signer.address)
        keys = shop.house.keys[signer.party]
        made = {each.alg: each.document() for each in sign_act(statement, signer, keys.sm2, keys.evm)}
        path = f"/api/desk/{item['id']}/signatures"
        assert shop.platform.post(path, {"signature": made[SM2]}, by).status_code == 403
        both = {"signature": made[SM2], "typed": made[EIP712]}
        assert shop.platform.post(path, both, VENDOR if by != VENDOR else BUYER).status_code == 403
        assert shop.platform.post(path, both, by).status_code == 200
        assert shop.get("/api/desk", by).json()["waiting"] == []
    signed, _ = shop.make(talk, Message.FINALISE, P)
    answer = shop.send((signed, ()), VENDOR)
    assert answer.status_code == 200, answer.text
    with shop.platform.reading() as session:
        assert [row.state for row in agreements.agreements(session)] == [State.EFFECTIVE]


def test_api__finalise_with_the_act_of_its_own__clears_the_desk(shop: Shop) -> None:
    talk = shop.to(shop.talk(), Talking.VERIFIED)
    assert shop.say(talk, Message.FINALISE, P).status_code == 200
    for by in (BUYER, VENDOR):
        assert shop.get("/api/desk", by).json()["waiting"] == []


@pytest.mark.parametrize("state", [s for s in PATHS if s not in (Talking.FINALIZED,)])
def test_page__in_every_state__shows_and_offers_each_side_its_moves(shop: Shop, state: Talking) -> None:
    """Every form of every move opens with fields that can be sent back; three-party terms keep what the form does not
    ask."""
    talk = shop.to(shop.talk(), state)
    for by in (BUYER, VENDOR):
        one = trader(shop, by)
        page = one.get(f"/office/deals/{talk.id}")
        for path in set(re.findall(rf"/office/deals/{talk.id}/moves/[A-Z]+", page)):
            one.get(path)


def test_counter__of_terms_made_by_program__keeps_every_element_the_form_does_not_ask(shop: Shop) -> None:
    """Three parties, a plan of halves and a price of their own: only what was typed differs."""
    talk = shop.to(shop.talk(), Talking.OFFERED)
    with shop.platform.reading() as session:
        row = store.negotiation(session, talk.id)
        before = store.proposal_of(session, row.proposal)[2]
    assert isinstance(before, Terms)
    trader(shop, BUYER).says(f"/office/deals/{talk.id}/moves/COUNTER", scope="只要出发机场")
    with shop.platform.reading() as session:
        after = store.proposal_of(session, store.negotiation(session, talk.id).proposal)[2]
    assert isinstance(after, Terms)
    assert after.salt != before.salt
    assert replace(after, salt="") == replace(before, salt="", scope="只要出发机场")


@pytest.mark.parametrize(
    ("limit", "denied", "said", "unsaid"),
    [
        (6, 0, ("4，上限 6（call）",), ("接近上限", "已超上限", "被拒绝")),
        (5, 1, ("4，上限 5（call）", "被拒绝 1 次", "接近上限", "有被拒绝的使用"), ("已超上限",)),
        (3, 0, ("4，上限 3（call）", "已超上限"), ("接近上限", "被拒绝")),
    ],
)
def test_page__of_four_uses__says_how_they_stand_to_the_limit_agreed(
    tmp_path: Path, empty_database: Path, limit: int, denied: int, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    refused = {"decision": Decision.DENY, "reasons": (Reason.COUNT,), "billable": False, "status": StatusClass.NONE}
    with open_shop(tmp_path / "home", empty_database) as opened:
        line = line_of(opened.house, limit=limit)
        admit(opened.house, line.more(4) + line.more(denied, **refused))
        opened.house.session.commit()
        for party in (CONSUMER, PROVIDER):
            page = words(trader(opened, f"party:{party}").get(f"/office/agreements/{line.agreement}"))
            assert [text for text in said if text not in page] == []
            assert [text for text in unsaid if text in page] == []
