"""服务单 in the office: three parties go from placing an order to the paid 项目周期 by pages alone, in yuan, and nobody
else sees that there is a contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from api.desk.waiting import Outcome
from api.office.service_orders import ACTS
from api.pages.ordering import OF_CYCLE, OF_ORDER
from clearing.settlement.service_order import store
from clearing.settlement.service_order.statements import KINDS, Contract
from ledger import sm
from registry.calendar import day_of
from tests.api.office import Person, person, typed_in, words
from tests.api.shop import open_shop
from tests.api.test_service_order_doors import Counter
from tests.api.trading import trader
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import document
from tests.clearing.settlement.service_order.playing import C

LIST = "/office/service-orders"
PAGE = f"{LIST}/{C}"
MARKUP = "<script>alert(1)</script>&{{7*7}}"


class Hall(Counter):
    """The three parties of a contract, each with a browser."""

    @property
    def buyer(self) -> Person:
        return self.of(CONSUMER)

    @property
    def provider(self) -> Person:
        return self.of(PROVIDER)

    @property
    def supervisor(self) -> Person:
        return self.of(COURT)

    def of(self, party: str) -> Person:
        return trader(self.shop, f"party:{party}")

    def state(self, act: str, fields: dict[str, str], *parties: str, about: str = "new") -> str:
        """The first drafts, all sign in turn; the id at the desk."""
        people = [self.of(party) for party in parties]
        desk = people[0].drafted(f"{PAGE}/acts/{act}/{about}", fields)
        outcomes = [somebody.signed(desk) for somebody in people]
        said = words(people[0].get(f"/office/desk/{desk}"))
        assert outcomes == [Outcome.OPEN.value] * (len(parties) - 1) + [Outcome.DONE.value], said
        return desk

    def placed(self, name: str = "O-1") -> str:
        """An order of two items, placed by both; its id."""
        self.state("place", order(name), CONSUMER, PROVIDER)
        with self.shop.platform.reading() as session:
            return next(one.id for one in store.orders(session, C) if one.name == name)

    def scored(self, about: str) -> None:
        self.state("score", scores(), COURT, about=about)


def paper(name: str) -> str:
    """What the page's script lists for one file."""
    twin = document(name)
    digest = {"sha256": twin.sha256, "sm3": twin.sm3}
    one = {"kind": "说明材料", "name": f"{name}.pdf", "media_type": "application/pdf", "size": 9, "digest": digest}
    return json.dumps([one], ensure_ascii=False)


def order(name: str = "O-1", service: str = "接口调用") -> dict[str, str]:
    return {
        "name": name,
        "items.0.code": "I-1", "items.0.name": service, "items.0.price": "10010.07", "items.0.per": "3",
        "items.0.quantity": "10",
        "items.1.code": "I-2", "items.1.name": "平台运维", "items.1.price": "500000", "items.1.quantity": "4",
        "items.2.code": "", "items.2.per": "1",
    }  # fmt: skip


def event(place: int, row: str, fact: str, **more: str) -> dict[str, str]:
    said = {"row": row, "fact": fact, "document": paper(f"{row} {fact}"), **more}
    return {f"events.{place}.{name}": text for name, text in said.items()}


def scores() -> dict[str, str]:
    return {
        **event(0, "2.1", "达标", part="5", whole="10"), **event(1, "2.2", "绩效", part="10", whole="10"),
        **event(2, "4.1", "调查", points="75"),
    }  # fmt: skip


def accepted() -> dict[str, str]:
    return {
        "accepted.0.claimed": "8", "accepted.0.accepted": "7", "accepted.1.claimed": "4", "accepted.1.accepted": "4",
        "document": paper("验收"),
    }  # fmt: skip


def month(name: str, *rows: str) -> dict[str, str]:
    found = {"month": name}
    for place, row in enumerate(rows):
        found |= event(place, row, f"{name} 泄露 {row}")
    return found


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


@pytest.fixture
def hall(tmp_path: Path, empty_database: Path) -> Iterator[Hall]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        made = Hall(shop)
        made.conclude()
        yield made


def test_contract__by_pages_alone__comes_to_the_fen_of_an_independent_reckoning(hall: Hall) -> None:
    page = words(hall.buyer.get(PAGE))
    for said in (
        "中标金额 1000000.00 元", "首笔预付（P1）为中标金额的 35%，最多 350000.00 元",
        "B 级，80 分（含）至 90 分（不含）：质量系数 0.95",
        "第 4 项，因运营服务的责任事故导致数据丢失：500000.00 元", "5 个工作日内下达服务单", "30 日内",
        "冲抵首笔与二笔预付款",
    ):  # fmt: skip
        assert said in page, said
    own = hall.placed()
    assert "自 2026-05 起，尚未验收" in words(hall.provider.get(LIST))
    assert "服务单“O-1” 评分" in words(hall.supervisor.get(LIST))
    hall.scored(own)
    page = words(hall.provider.get(PAGE))
    assert "89 分，B 级，系数 0.95" in page
    assert "未验收" in page
    hall.state("accept", accepted(), CONSUMER, COURT, about=own)
    assert "已评分、已验收，待结算" in words(hall.provider.get(PAGE))
    hall.state("month", month("2026-03", "10.3", "8.1"), COURT)
    hall.state("month", month("2026-04", "10.3", "10.5"), COURT)
    hall.state("waive", {"month": "2026-03", "document": paper("免除")}, CONSUMER)
    hall.state("incident", {"number": "1", "fact": "2026-04 泄露 10.3", "document": paper("事故")}, COURT)
    cycle = {"cycle": "2026-1", "first": "2026-03", "last": "2026-04", "report": paper("报告")}
    hall.shop.platform.now += 60  # a waiver counts if it came before the acceptance
    hall.state("cycle", cycle, CONSUMER, COURT)
    assert "项目周期 2026-1 结算" in words(hall.provider.get(LIST))

    lost = [{"row": "2.1", "part": 5, "whole": 10}, {"row": "2.2", "part": 10, "whole": 10},
            {"row": "4.1", "points": "75"}]  # fmt: skip
    factor = naive.coefficient(naive.score(lost, naive.ORDER, naive.ORDER_WEIGHTS), None, False)
    assert factor is not None
    fees = factor * (Fraction(1_001_007 * 7, 3) + 50_000_000 * 4)
    april = naive.score([{"row": "10.3"}, {"row": "10.5"}], naive.MONTH, naive.MONTH_WEIGHTS)
    damages = naive.month_fen(april) + naive.INCIDENT_FEN[1]
    earned = naive.half_up(fees * Fraction(90, 100))
    left = naive.left_over(earned - damages, 35_000_000 + 10_000_001, 0, "carry")
    advances = {"first": "350000", "second": "100000.01", "deposits.audit": "50", "costs.0.fee": "audit",
                "costs.0.payee": "某事务所", "costs.0.amount": "12.34", "costs.0.document": paper("审计")}  # fmt: skip
    before = hall.shop.platform.count()
    shown = words(hall.buyer.post(f"{PAGE}/acts/settle/2026-1", advances | {"do": "preview"}).text)
    figures = (yuan(earned), f"−{yuan(damages)}", yuan(earned - damages), yuan(left["pay"]), "37.66")
    for figure in figures:
        assert figure in shown, figure
    assert "尚未起草" in shown
    assert hall.shop.platform.count() == before
    hall.state("settle", advances, PROVIDER, CONSUMER, about="2026-1")
    for somebody in (hall.buyer, hall.provider, hall.supervisor):
        page = words(somebody.get(PAGE))
        for figure in (*figures, "× 质量系数 0.95（B 级）", "应计 200000.00 元，已免除", "已在考核中扣分", "审计费"):
            assert figure in page, figure
    assert "待开等额发票" in page
    form = hall.provider.get(f"{PAGE}/acts/invoice/2026-1")
    assert typed_in(form)["shown"] == yuan(left["pay"])
    hall.state("invoice", {"number": "F-1"}, PROVIDER, about="2026-1")
    assert f"待付款 {yuan(left['pay'])} 元" in words(hall.buyer.get(PAGE))
    with hall.shop.platform.reading() as session:
        due = store.cycle(session, C, "2026-1").due
    assert due
    now, hall.shop.platform.now = hall.shop.platform.now, due
    assert "已逾期" in words(hall.buyer.get(LIST))
    hall.shop.platform.now = now
    entry = {"bank": "102100099996", "reference": "P3-1", "booked_on": day_of(now).isoformat()}
    hall.state("pay", entry | {"evidence": paper("回单")}, CONSUMER, PROVIDER, about="2026-1")
    page = words(hall.provider.get(PAGE))
    assert f"已付款 {yuan(left['pay'])} 元" in page
    assert "流水号 P3-1" in page
    with hall.shop.platform.reading() as session:
        assert store.cycle(session, C, "2026-1").pay == left["pay"]


def test_month__with_a_fault_and_an_outage_by_form__deducts_what_the_cards_say(hall: Hall) -> None:
    form = hall.supervisor.post(f"{PAGE}/acts/month/2026-04", {"do": "more.faults.fact.0"}).text
    form = hall.supervisor.post(f"{PAGE}/acts/month/2026-04", typed_in(form) | {"do": "more.outages.fact.0"}).text
    fields = typed_in(form)
    assert fields["month"] == "2026-04"
    fault = {"fact": "断电", "cause": "电源", "document": paper("故障"), "unusable": "1900", "response": "60",
             "reporting": "60", "recovery": "1900", "handling": "3000"}  # fmt: skip
    outage = {"fact": "断电", "start": "2026-04-03T01:00", "end": "2026-04-03T02:00", "document": paper("停机")}
    fields |= {f"faults.0.{name}": text for name, text in fault.items()}
    fields |= {f"outages.0.{name}": text for name, text in outage.items()}
    hall.state("month", fields, COURT, about="2026-04")
    page = words(hall.buyer.get(PAGE))
    month_seconds = 30 * 86_400
    below = naive.lost("availability", {"part": month_seconds - 3600, "whole": month_seconds})
    assert f"可用率低于 99.99 %：扣本类 {below.numerator / below.denominator:g} 分" in page
    assert "故障 A2：恢复超时" in page


def test_held_order__counted_as_zero_by_form__waits_no_longer(hall: Hall) -> None:
    own = hall.placed()
    low = scores() | event(3, "5.1", "事故", authority=paper("责任"))
    hall.state("score", low, COURT, about=own)
    page = words(hall.buyer.get(PAGE))
    assert "评分（整改后复评）" in page
    assert "整改待复评，未验收" in page
    hall.state("zero", {"document": paper("决定")}, CONSUMER, COURT, about=own)
    page = words(hall.buyer.get(PAGE))
    assert "决定按零计，E 级，系数 0" in page
    assert "评分（整改后复评）" not in page


def test_settlement__while_a_month_has_no_score__says_which_and_waits_for_the_supervisor(hall: Hall) -> None:
    hall.state("month", month("2026-03"), COURT)
    cycle = {"cycle": "2026-1", "first": "2026-03", "last": "2026-04", "report": paper("报告")}
    hall.state("cycle", cycle, CONSUMER, COURT)
    page = words(hall.buyer.get(LIST))
    assert "2026-04 月度评分：监理" in page
    assert "项目周期 2026-1 结算" not in page
    refusal = words(hall.buyer.post(f"{PAGE}/acts/settle/2026-1", {"first": "0"}, 422).text)
    assert "应为“每月有评分”，实为“缺 2026-04”" in refusal
    assert "expected a score for every month, given missing: 2026-04" in refusal


def test_stranger__sees_neither_entry_nor_page__as_if_there_were_no_contract(hall: Hall) -> None:
    stranger, other = hall.of(SELLER), "d" * 32
    assert C[:12] in hall.buyer.get(LIST)
    assert C[:12] not in stranger.get(LIST)
    for path in (PAGE, f"{PAGE}/acts/place/new", f"{PAGE}/acts/nothing/new"):
        unknown = path.replace(C, other)
        assert stranger.get(path, 404).replace(C, other) == stranger.get(unknown, 404)
        assert hall.buyer.get(unknown, 404)
    for path in (f"{PAGE}/acts/place/new", f"{PAGE}/acts/pay/2026-1"):
        refused = stranger.post(path, order(), 404).text.replace(C, other)
        assert refused == stranger.post(path.replace(C, other), order(), 404).text


def test_operators_people__see_every_contract_and_draft_nothing__nor_does_a_party_for_another(hall: Hall) -> None:
    looker = sm.generate()
    hall.shop.house.hire("looker", looker, "market_officer", hall.shop.platform.system.settings.operator)
    hall.shop.house.session.commit()
    hall.shop.platform.keys["staff:looker"] = looker
    somebody = person(hall.shop.platform, "staff:looker")
    assert C[:12] in somebody.get(LIST)
    assert "下达服务单 Place an order" not in words(somebody.get(PAGE))
    somebody.post(f"{PAGE}/acts/place/new", order(), 403)
    for party, act in ((PROVIDER, "month"), (COURT, "place"), (CONSUMER, "score"), (PROVIDER, "waive")):
        hall.of(party).get(f"{PAGE}/acts/{act}/new", 403)


def test_clerk_of_a_party__drafts_and_the_party_signs(hall: Hall) -> None:
    clerk = sm.generate()
    hall.shop.house.hire("clerk-b", clerk, "market_officer", CONSUMER)
    hall.shop.house.session.commit()
    hall.shop.platform.keys["staff:clerk-b"] = clerk
    desk = person(hall.shop.platform, "staff:clerk-b").drafted(f"{PAGE}/acts/place/new", order())
    page = words(hall.buyer.get(PAGE))
    assert "2 处未签" in page
    assert [hall.buyer.signed(desk), hall.provider.signed(desk)] == [Outcome.OPEN.value, Outcome.DONE.value]


def test_forms__bad_input__is_named_at_its_field_kept_and_writes_nothing(hall: Hall) -> None:
    own = hall.placed()
    hall.scored(own)
    hall.state("month", month("2026-03"), COURT)
    happened = {"number": "1", "fact": "泄露", "document": paper("事故")}
    hall.state("incident", happened, COURT)
    late = {"events.0.due_at": "2026-03-01T09:00", "events.0.done_at": "2026-03-01T08:00"}
    fault = {"faults.0.fact": "断电", "faults.0.cause": "电源", "faults.0.document": paper("故障")}
    lengths = {f"faults.0.{name}": "60" for name in ("unusable", "response", "reporting", "recovery", "handling")}
    cycle = {"cycle": "2026-1", "first": "2026-03", "last": "2026-03", "report": paper("报告")}
    month_of = month("2026-04", "1.1")
    cases: list[tuple[str, str, str, dict[str, str], dict[str, str], str]] = [
        (CONSUMER, "place", "new", order(), {"name": ""}, "name"),
        (CONSUMER, "place", "new", order(), {"items.0.price": "1.001"}, "items.0.price"),
        (CONSUMER, "place", "new", order(), {"items.1.quantity": "0"}, "items.1.quantity"),
        (CONSUMER, "place", "new", order(), {"items.1.code": ""}, "items.1.code"),
        (CONSUMER, "place", "new", order(), {"items.1.code": "I-1"}, "items.0"),
        (CONSUMER, "place", "new", {"name": "O"}, {"name": "O"}, "items.0"),
        (COURT, "score", own, scores(), {"events.0.part": "11"}, "events.0.part"),
        (COURT, "accept", own, accepted(), {"accepted.0.accepted": "11"}, "accepted.0.accepted"),
        (CONSUMER, "accept", own, accepted(), {"accepted.1.claimed": "x"}, "accepted.1.claimed"),
        (CONSUMER, "accept", own, accepted(), {"document": ""}, "document"),
        (CONSUMER, "accept", own, accepted(), {"document": "["}, "document"),
        (COURT, "zero", own, {}, {"document": ""}, "document"),
        (COURT, "month", "new", month_of, late, "events.0.done_at"),
        (COURT, "month", "new", month_of, {}, "events.0.due_at"),
        (COURT, "month", "new", month_of, {"events.0.row": "99"}, "events.0.row"),
        (COURT, "month", "new", month_of, {"events.0.due_at": "gestern"}, "events.0.due_at"),
        (COURT, "month", "new", month_of, {"events.0.fact": ""}, "events.0.fact"),
        (COURT, "month", "new", {"month": "2026-13"}, {}, "month"),
        (COURT, "month", "new", {"month": "2026-12"}, {}, "month"),
        (COURT, "month", "new", {"month": "2026-03"}, {}, "month"),
        (COURT, "month", "2026-04", fault | lengths, {"faults.0.recovery": "1", "month": "2026-04"},
         "faults.0.recovery"),
        (CONSUMER, "waive", "new", {"document": paper("免除")}, {"month": ""}, "month"),
        (COURT, "incident", "new", happened, {"number": "7"}, "number"),
        (COURT, "incident", "new", happened, {}, "fact"),
        (CONSUMER, "cycle", "new", cycle, {"cycle": "a b"}, "cycle"),
        (CONSUMER, "cycle", "new", cycle, {"last": "2026-12"}, "last"),
        (CONSUMER, "cycle", "new", cycle, {"last": "2026-02"}, "last"),
        (CONSUMER, "cycle", "new", cycle, {"report": ""}, "report"),
    ]  # fmt: skip
    refused(hall, cases)
    hall.state("accept", accepted(), CONSUMER, COURT, about=own)
    hall.state("cycle", cycle, CONSUMER, COURT)
    settle = {"first": "350000", "second": "450000"}
    cost = {"costs.0.fee": "audit", "costs.0.payee": "甲", "costs.0.amount": "2", "costs.0.document": paper("审计")}
    refused(hall, [
        (PROVIDER, "settle", "2026-1", settle, {"first": "350000.01"}, "first"),
        (CONSUMER, "settle", "2026-1", settle, {"second": "-1"}, "second"),
        (CONSUMER, "settle", "2026-1", settle, cost | {"deposits.audit": "1"}, "deposits.audit"),
        (CONSUMER, "settle", "2026-1", settle, cost | {"costs.0.payee": ""}, "costs.0.payee"),
        (PROVIDER, "invoice", "2026-1", {"number": "1"}, {}, ""),
    ])  # fmt: skip
    hall.state("settle", {"first": "0"}, CONSUMER, PROVIDER, about="2026-1")
    refused(hall, [(PROVIDER, "invoice", "2026-1", {}, {"number": ""}, "number")])
    hall.state("invoice", {"number": "1"}, PROVIDER, about="2026-1")
    entry = {"bank": "102100099996", "reference": "P3-1", "booked_on": "2026-05-01", "evidence": paper("回单")}
    refused(hall, [
        (CONSUMER, "pay", "2026-1", entry, {"bank": "12"}, "bank"),
        (CONSUMER, "pay", "2026-1", entry, {"reference": "有字"}, "reference"),
        (CONSUMER, "pay", "2026-1", entry, {"booked_on": ""}, "booked_on"),
        (PROVIDER, "pay", "2026-1", entry, {}, "booked_on"),
        (PROVIDER, "pay", "2026-1", entry, {"evidence": ""}, "evidence"),
    ])  # fmt: skip


def refused(hall: Hall, cases: list[tuple[str, str, str, dict[str, str], dict[str, str], str]]) -> None:
    """Each is refused with a note at its field ("" above the form), keeps what was typed and drafts nothing."""
    before = hall.shop.platform.count()
    for party, act, about, good, change, name in cases:
        somebody = hall.of(party)
        desk = words(somebody.get("/office/desk"))
        answer = somebody.post(f"{PAGE}/acts/{act}/{about}", good | change, 422).text
        where = (act, change, words(answer)[-1500:])
        assert "没有写入任何内容" in answer, where
        assert (f'id="said-{name}"' in answer) if name else ("必须改正" not in answer), where
        notes = re.findall(r"必须改正：(.*?) <small lang=\"en\">(.*?)</small>", answer)
        assert all(re.search("[一-鿿]", zh) and not re.search("[一-鿿]", en) for zh, en in notes), (where, notes)
        kept = typed_in(answer)
        typed = {key: text for key, text in (good | change).items() if key not in ("events.0.row", "number")}
        assert {key: kept.get(key, text) for key, text in typed.items()} == typed, where
        assert words(somebody.get("/office/desk")) == desk
    assert hall.shop.platform.count() == before


HOSTILE = ("9" * 40, "-1", "1e5", "NaN", "0.1", "٣", "\u202e", "[]", "[{}]", "null", "2026-13", "0000-00", "x" * 3_000)


def test_forms__anything_at_all_in_any_field__never_500_and_no_fact(hall: Hall) -> None:
    """Every field of every form in turn, and rows and buttons that no page offers."""
    own = hall.placed()
    hall.scored(own)
    hall.state("accept", accepted(), CONSUMER, COURT, about=own)
    hall.state("month", month("2026-03"), COURT)
    cycle = {"cycle": "2026-1", "first": "2026-03", "last": "2026-03", "report": paper("报告")}
    hall.state("cycle", cycle, CONSUMER, COURT)
    before, people = hall.shop.platform.count(), [hall.buyer, hall.provider, hall.supervisor]
    tried = 0
    for name, act in ACTS.items():
        about = own if name in OF_ORDER else "2026-1" if name in OF_CYCLE else "new"
        path = f"{PAGE}/acts/{name}/{about}"
        somebody = next(one for one in people if one.http.get(path).status_code == 200)
        good = typed_in(somebody.get(path)) | {"items.59.code": "", "events.60.row": "1", "costs.0.fee": "", "do": ""}
        for number, field in enumerate(sorted(good)):
            for bad in (HOSTILE[number % len(HOSTILE)], HOSTILE[(number + 5) % len(HOSTILE)]):
                answer = somebody.http.post(path, data={"csrf": somebody.csrf, **good, field: bad})
                assert answer.status_code in (200, 422), (act.kind, field, bad, answer.status_code)
                tried += 1
        for do in ("more", "more.items.code.٣", "more.events.row.999999", "more.x.y.1", "more.costs.a-b.0"):
            assert somebody.http.post(path, data={"csrf": somebody.csrf, "do": do}).status_code in (200, 422), do
    assert tried > 150
    assert hall.shop.platform.count() == before, "only signatures make facts"


def test_pages__texts_of_parties_are_never_markup(hall: Hall) -> None:
    desk = hall.buyer.drafted(f"{PAGE}/acts/place/new", order(MARKUP, MARKUP))
    seen = [hall.buyer.get(PAGE), hall.buyer.get(LIST), hall.buyer.get(f"/office/desk/{desk}")]
    assert [hall.buyer.signed(desk), hall.provider.signed(desk)] == [Outcome.OPEN.value, Outcome.DONE.value]
    with hall.shop.platform.reading() as session:
        (own,) = (one.id for one in store.orders(session, C))
    seen += [hall.supervisor.get(PAGE), hall.supervisor.get(LIST), hall.buyer.get(f"{PAGE}/acts/accept/{own}")]
    seen.append(hall.buyer.post(f"{PAGE}/acts/place/new", order(MARKUP) | {"items.0.price": MARKUP}, 422).text)
    for text in seen:
        assert "<script>alert" not in text
        assert "&{49}" not in text
        assert "alert(1)" in text


def test_request_day__shows_the_clocks_of_the_scheme__and_a_wrong_one_is_said(hall: Hall) -> None:
    page = words(hall.buyer.get(f"{PAGE}?requested=2026-04-30"))
    assert "下达服务单至 2026-05-12 00:00:00" in page
    assert "考核以此为准 2026-05-08 00:00:00" in page
    for wrong in ("gestern", "2026-13-01", "0001-01-01", "9999-12-31"):
        assert "需求提出日" in words(hall.buyer.get(f"{PAGE}?requested={wrong}"))


def test_words__every_kind_with_a_form_reads_in_chinese_at_the_desk() -> None:
    from api.office import words as named

    for kind, (body, _, _) in KINDS.items():
        assert kind in named.KINDS
        fields = {name for name in body.__dataclass_fields__ if body is not Contract or name != "scheme"}
        assert {f"service.{name}" for name in fields} <= set(named.FIELDS), kind
