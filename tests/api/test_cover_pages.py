"""担保备付 in the office and over the API: a guarantor signs, is called by two persons, pays, and is owed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.desk.waiting import Outcome
from clearing.settlement import store
from clearing.settlement.cycle import State
from clearing.settlement.payment import Direction
from clearing.usage.finding import CHECKER, MAKER
from ledger import sm
from ledger.facts import Signed, Statement
from ledger.signing import sign_sm2
from tests.api.office import person, typed_in, words
from tests.api.shop import open_shop
from tests.api.test_cycle_pages import ACCOUNT, PAIR, Till
from tests.api.trading import trader
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.bank import bank_file, entry

PAGE = "/office/funding-guarantees"
DAYS = {"first": "2026-01-01", "last": "2027-12-31"}


@pytest.fixture
def own(tmp_path: Path, empty_database: Path) -> Iterator[Till]:
    """A cycle of the platform's own operator."""
    with open_shop(tmp_path, empty_database) as shop:
        yield Till(shop, runs=shop.platform.system.settings.operator)


def run_out(own: Till) -> None:
    """Netted, instructed, nobody pays, the clock runs out."""
    own.netted()
    own.instruct()
    with own.platform.reading() as session:
        own.platform.now = store.cycle(session, own.cycle).until


def test_guarantor__signs_is_called_pays_and_is_owed__in_words_on_every_page(own: Till) -> None:
    court = trader(own.shop, f"party:{COURT}")
    assert "没有担保" in words(court.get(PAGE))
    desk = court.drafted(PAGE, {"party": CONSUMER, "most": "3", **DAYS})
    shown = words(court.get(f"/office/desk/{desk}"))
    for said in (f'"guarantor":"{COURT}"', '"most":300', '"last":"2027-12-31"'):
        assert said in shown
    assert court.signed(desk) == Outcome.OPEN.value
    assert "没有担保" in words(court.get(PAGE)), "not before the party has signed as well"
    party = trader(own.shop, f"party:{CONSUMER}")
    assert desk in party.get(PAGE)
    assert party.signed(desk) == Outcome.DONE.value
    page = words(court.get(PAGE))
    assert "有效" in page
    assert "3.00" in page
    assert "有效" in words(trader(own.shop, f"party:{CONSUMER}").get(PAGE)), "whom it stands for is told"
    assert "没有担保" in words(trader(own.shop, f"party:{PROVIDER}").get(PAGE)), "others are not"
    assert "有效" in words(own.maker.get(PAGE))
    assert PAGE in own.maker.get("/office/cycles")
    assert PAGE in court.get("/office/statements")

    run_out(own)
    page = own.page()
    assert "须先向担保方催付" in page
    assert "宣告逾期未备付" not in page
    assert "先向担保方催付" in own.step("default", 422)
    assert own.state() is State.INSTRUCTED
    path = f"{own.path}/cover-calls"
    fields = typed_in(own.maker.get(own.path))
    fields = {name: value for name, value in fields.items() if name.startswith("a0.")}
    assert fields["a0.of"] == COURT
    for name in ACCOUNT:
        fields[f"a0.{name}"] = ACCOUNT[name]
    assert "没有写入任何内容" in own.maker.post(path, fields | {"a0.code": "1"}, 422).text
    desk = own.maker.drafted(path, fields)
    shown = words(own.maker.get(f"/office/desk/{desk}"))
    for said in ("向担保方催付", '"missing":350', '"amount":300'):
        assert said in shown
    own.sign(desk)
    page = own.page()
    assert "未备付 3.50 元，请担保方" in page
    assert "代付 3.00 元" in page
    assert "净付款方备付到账：已向担保方催付" in page
    assert "宣告逾期未备付" not in page, "the guarantor has its own clock"

    page = words(court.get(PAGE))
    assert "待代付 3.00 元" in page
    file = court.http.get(f"{PAGE}/{own.cycle}/{CONSUMER}")
    assert file.content.startswith(b"PK")
    assert trader(own.shop, f"party:{SELLER}").http.get(f"{PAGE}/{own.cycle}/{CONSUMER}").status_code == 403
    api = own.shop.get(f"/api/cycles/{own.cycle}/cover/{CONSUMER}", f"party:{COURT}")
    with own.platform.reading() as session:
        (_, call), *_ = store.cover_calls(session, own.cycle)
    (order,) = call.batch.instructions
    assert order.end_to_end in api.content.decode("utf-8-sig")
    assert own.shop.get(f"/api/cycles/{own.cycle}/cover/{SELLER}", f"party:{COURT}").status_code == 404

    own.upload(bank_file("0.00", "3.00", entry("G0", "3.00", end_to_end=order.end_to_end)))
    page = own.page()
    assert "已代付 3.00 元，由被担保方直接偿还担保方，不与账单相抵" in page
    assert "备付已到账" not in own.step("payments")
    with own.platform.reading() as session:
        first = store.batch(session, own.cycle)
    [due] = [item for item in first.instructions if item.direction is Direction.FUNDING]
    own.upload(bank_file("3.00", "3.50", entry("G1", "0.50", end_to_end=due.end_to_end)))
    assert "备付已到账" in own.step("payments")
    assert "已另行付足" in own.page()
    for one in (court, trader(own.shop, f"party:{CONSUMER}")):
        page = words(one.get(PAGE))
        assert "已付足" in page
        assert page.count("3.00") >= 3, "what is owed for it"
    assert "确认，去签署" not in words(party.get(PAGE)), "the guarantor says what it got"
    with own.platform.reading() as session:
        period = store.cycle(session, own.cycle).period
    fields = {"party": CONSUMER, "period": period, "amount": "3.01"}
    assert "没有写入任何内容" in court.post(f"{PAGE}/repaid", fields, 422).text
    desk = court.drafted(f"{PAGE}/repaid", fields | {"amount": "1"})
    assert '"amount":100' in words(court.get(f"/office/desk/{desk}"))
    assert court.signed(desk) == Outcome.DONE.value
    assert "2.00" in words(party.get(PAGE))
    request = {"party": CONSUMER, "period": period, "amount": 200}
    own.platform.keys[f"party:{COURT}"] = key = own.shop.house.keys[COURT].sm2
    assert own.platform.post("/api/recourse-payments/draft", request | {"amount": 201}, f"party:{COURT}").is_error
    drafted = own.platform.post("/api/recourse-payments/draft", request, f"party:{COURT}")
    statement = Statement.of_document(drafted.json()["statement"])
    signed = Signed(statement, (sign_sm2(key, statement, by=f"party:{COURT}"),))
    assert own.platform.post("/api/recourse-payments", signed.document(), f"party:{COURT}").is_success
    assert "待偿还的代付款" not in words(court.get(PAGE))


def test_guarantor__who_does_not_pay__the_default_is_declared_after_its_clock(own: Till) -> None:
    court = trader(own.shop, f"party:{COURT}")
    desk = court.drafted(PAGE, {"party": CONSUMER, "most": "9", **DAYS})
    court.signed(desk)
    assert trader(own.shop, f"party:{CONSUMER}").signed(desk) == Outcome.DONE.value
    run_out(own)
    fields = {"a0.of": COURT, **{f"a0.{name}": value for name, value in ACCOUNT.items()}}
    own.sign(own.maker.drafted(f"{own.path}/cover-calls", fields))
    with own.platform.reading() as session:
        own.platform.now = store.cycle(session, own.cycle).until
    assert "宣告逾期未备付" in own.page()
    assert "已移出轧差" in own.step("default")
    assert own.page().count("已作废") >= 2, "the instructions and the call with them"
    assert "已作废，重新轧差" in words(court.get(PAGE))


def test_guarantee__that_cannot_be__is_refused_by_field_and_kept_in_the_form(own: Till) -> None:
    court = trader(own.shop, f"party:{COURT}")
    before = own.platform.count()
    good = {"party": CONSUMER, "most": "3", **DAYS}
    for change, said in (
        ({"party": "nobody"}, "单位：应为在册单位的代码"),
        ({"party": COURT}, "不能为自己担保"),
        ({"most": "0.001"}, "最高担保：应为元"),
        ({"most": ""}, "最高担保：应为元"),
        ({"first": "1.1.2026"}, "起始日"),
        ({"last": "2025-12-31"}, "截止日不得早于起始日"),
    ):
        answer = court.post(PAGE, good | change, 422)
        assert said in words(answer.text), (change, words(answer.text))
        kept = typed_in(answer.text)
        assert {name: kept[name] for name in good} == good | change
    assert own.platform.count() == before
    looker = sm.generate()
    own.shop.house.hire("looker", looker, "market_officer", own.operator)
    own.shop.house.session.commit()
    own.platform.keys["staff:looker"] = looker
    assert "为他方担保" not in words(person(own.platform, "staff:looker").get(PAGE)), "a party signs with its own key"
    person(own.platform, "staff:looker").post(f"{own.path}/cover-calls", {}, 403)
    court.post(f"{own.path}/cover-calls", {}, 403)


def test_guarantee__over_the_api__drafted_signed_listed_and_called(own: Till) -> None:
    by = f"party:{COURT}"
    key = own.shop.house.keys[COURT].sm2
    own.platform.keys[by] = key
    request = {"party": CONSUMER, "most": 350, **DAYS}
    for wrong, field in (
        ({"party": "nobody"}, "party"), ({"most": -1}, "most"), ({"most": "3"}, "most"), ({"first": "x"}, "first"),
        ({"last": "2025-01-01"}, "body.last"), ({"note": 1}, "request.note"),
    ):  # fmt: skip
        answer = own.platform.post("/api/funding-guarantees/draft", request | wrong, by)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    drafted = own.platform.post("/api/funding-guarantees/draft", request, by)
    statement = Statement.of_document(drafted.json()["statement"])
    assert statement.body["guarantor"] == COURT
    alone = Signed(statement, (sign_sm2(key, statement, by=by),))
    assert own.platform.post("/api/funding-guarantees", alone.document(), by).status_code == 403
    other = sign_sm2(own.shop.house.keys[CONSUMER].sm2, statement, by=f"party:{CONSUMER}")
    signed = Signed(statement, (*alone.signatures, other))
    own.platform.keys[f"party:{SELLER}"] = own.shop.house.keys[SELLER].sm2
    assert own.platform.post("/api/funding-guarantees", signed.document(), f"party:{SELLER}").status_code == 403
    answer = own.platform.post("/api/funding-guarantees", signed.document(), by)
    assert answer.status_code in (200, 201), answer.text
    [row] = own.shop.get("/api/funding-guarantees", by).json()["guarantees"]
    assert (row["party"], row["most"], row["owed"], row["stands"]) == (CONSUMER, 350, 0, True)
    assert own.shop.get("/api/funding-guarantees", f"party:{SELLER}").json() == {"guarantees": []}

    run_out(own)
    operator = f"party:{own.operator}"
    own.platform.keys[operator] = own.platform.system.operator.sm2
    path = f"/api/cycles/{own.cycle}/cover-calls/draft"
    assert own.platform.post(path, {"accounts": {COURT: ACCOUNT}}, by).status_code == 403
    assert own.platform.post(path, {"accounts": {}}, operator).json()["field"] == "accounts"
    drafted = own.platform.post(path, {"accounts": {COURT: ACCOUNT}}, operator)
    call = Statement.of_document(drafted.json()["statement"])
    both = [sign_sm2(own.month.staff[name], call, by=name, role=role)
            for name, role in zip(PAIR, (MAKER, CHECKER), strict=True)]  # fmt: skip
    one = own.platform.post("/api/cover-calls", Signed(call, tuple(both[:1])).document(), PAIR[0])
    assert one.status_code == 403, one.text
    answer = own.platform.post("/api/cover-calls", Signed(call, tuple(both)).document(), PAIR[0])
    assert answer.status_code in (200, 201), answer.text
    fact = answer.json()["fact"]
    assert own.shop.get(f"/api/bundles/{fact}", f"party:{SELLER}").status_code == 403


def test_repaid__by_another_key_a_float_two_at_once_or_again__owed_falls_once_and_never_below_nothing(
    own: Till,
) -> None:
    by, key = f"party:{COURT}", own.shop.house.keys[COURT].sm2
    own.platform.keys[by] = key
    desk = trader(own.shop, by).drafted(PAGE, {"party": CONSUMER, "most": "9", **DAYS})
    for one in (by, f"party:{CONSUMER}"):
        trader(own.shop, one).signed(desk)
    run_out(own)
    own.sign(
        own.maker.drafted(f"{own.path}/cover-calls", {"a0.of": COURT} | {f"a0.{n}": v for n, v in ACCOUNT.items()})
    )
    with own.platform.reading() as session:
        (_, call), *_ = store.cover_calls(session, own.cycle)
        period = store.cycle(session, own.cycle).period
    own.upload(bank_file("0.00", "3.50", entry("G0", "3.50", end_to_end=call.batch.instructions[0].end_to_end)))
    own.step("payments")

    def owed() -> int:
        return int(own.shop.get("/api/funding-guarantees", by).json()["guarantees"][0]["owed"])

    def said(amount: int, signed_with: sm.KeyPair) -> Signed:
        request = {"party": CONSUMER, "period": period, "amount": amount}
        drafted = own.platform.post("/api/recourse-payments/draft", request, by)
        statement = Statement.of_document(drafted.json()["statement"])
        return Signed(statement, (sign_sm2(signed_with, statement, by=by),))

    def sent(signed: Signed) -> int:
        return own.platform.post("/api/recourse-payments", signed.document(), by).status_code

    assert owed() == 350
    assert sent(said(100, own.shop.house.keys[CONSUMER].sm2)) in (401, 403), "the debtor's key is not the creditor's"
    for amount in (b"1.0", b'"100"', b"true", b"1e2", b"{}"):
        request = b'{"amount":%b,"party":"%b","period":"%b"}' % (amount, CONSUMER.encode(), period.encode())
        for body in (request, b""):
            assert own.platform.post("/api/recourse-payments/draft", body, by).status_code in (400, 422), body
    assert owed() == 350
    first, second = said(300, key), said(200, key)  # drafted by two at once, for the same place in the chain
    assert (sent(first), sent(second)) == (200, 409)
    assert sent(first) == 200, "the first answer again"
    assert owed() == 50
