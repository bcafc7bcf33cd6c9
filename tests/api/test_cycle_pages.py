"""The operator's account periods in the office: who may look, what each state shows, what a bank's file changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from api import keyfiles
from api.cli import app
from api.desk.waiting import Outcome
from api.routes.settlement import XLSX
from api.trust_file import REQUIRED
from clearing.money import parse_yuan, yuan
from clearing.settlement import service as settlement
from clearing.settlement import store
from clearing.settlement.cycle import State
from clearing.settlement.pain001 import read_pain001
from clearing.settlement.payment import BankAccount, Batch, Direction
from clearing.settlement.workbook import text_book
from clearing.terms import DAY
from clearing.usage.finding import CHECKER, MAKER
from ledger import signing, sm
from ledger import store as facts
from ledger.facts import Signed, Statement
from registry.calendar import day_of
from tests.api.office import Person, person, typed_in, words
from tests.api.shop import Shop, open_shop
from tests.api.trading import trader
from tests.clearing.market.house import CONSUMER, COURT, OPERATOR, PROVIDER, SELLER
from tests.clearing.settlement.bank import bank_file, entry
from tests.clearing.settlement.disputing import MAY, Month

ACCOUNT = {"code": "102100099996", "bank": "演示银行", "number": "0100000000000001", "name": "演示监管户"}
PAIR = ("staff:maker", "staff:checker")


class Till:
    """May of one agreement, issued, and the operator's two persons at their browsers."""

    def __init__(self, shop: Shop, runs: str = OPERATOR) -> None:
        self.shop, self.platform = shop, shop.platform
        self.operator = shop.platform.system.settings.operator
        self.month = Month(shop.house, operator=self.operator, runs=runs)
        self.cycle = self.month.issue(MAY)
        shop.house.session.commit()
        self.platform.now = MAY.end + 2 * DAY
        self.platform.keys |= self.month.staff
        self.maker, self.checker = (person(self.platform, by) for by in PAIR)

    @property
    def path(self) -> str:
        return f"/office/cycles/{self.cycle}"

    def page(self) -> str:
        return words(self.maker.get(self.path))

    def step(self, name: str, status: int = 200) -> str:
        return words(self.maker.post(f"{self.path}/steps", {"step": name}, status).text)

    def state(self) -> State:
        with self.platform.reading() as session:
            return store.cycle(session, self.cycle).state

    def confirm(self) -> None:
        self.month.confirm(self.cycle, self.platform.now)
        self.shop.house.session.commit()

    def netted(self) -> None:
        self.confirm()
        self.step("window")
        self.step("netting")

    def instruct(self) -> Batch:
        """The form as it stands, with accounts typed in, signed by maker and checker."""
        fields = typed_in(self.maker.get(self.path))
        for name in fields:
            head, _, last = name.partition(".")
            if last in ACCOUNT:
                fields[name] = ACCOUNT[last] if head == "account" else {**ACCOUNT, "number": f"02{head[1:]}"}[last]
        self.sign(self.maker.drafted(f"{self.path}/instructions", fields))
        with self.platform.reading() as session:
            return store.batch(session, self.cycle)

    def sign(self, desk: str) -> None:
        assert self.maker.signed(desk) == Outcome.OPEN.value
        assert self.checker.signed(desk) == Outcome.DONE.value, words(self.maker.get(f"/office/desk/{desk}"))

    def upload(self, data: bytes, status: int = 200) -> str:
        answer = send(self.maker, data, cycle=self.cycle)
        assert answer.status_code == status, words(answer.text)
        return words(answer.text)


def send(who: Person, data: bytes, **fields: str) -> httpx.Response:
    return who.http.post(
        "/office/bank-files", files={"file": ("bank.csv", data)}, data={"csrf": who.csrf, **fields}
    )  # fmt: skip


def rows_of(batch: Batch, direction: Direction, first: str) -> list[dict[str, str]]:
    """The bank's rows for one direction of a batch."""
    sign = 1 if direction is Direction.FUNDING else -1
    return [
        entry(f"{first}{number}", yuan(sign * item.amount), end_to_end=item.end_to_end)
        for number, item in enumerate(batch.instructions)
        if item.direction is direction
    ]


@pytest.fixture
def till(tmp_path: Path, empty_database: Path) -> Iterator[Till]:
    with open_shop(tmp_path, empty_database) as shop:
        yield Till(shop)


@pytest.fixture
def own(tmp_path: Path, empty_database: Path) -> Iterator[Till]:
    """The same with a cycle of the platform's own operator."""
    with open_shop(tmp_path, empty_database) as shop:
        yield Till(shop, runs=shop.platform.system.settings.operator)


def test_pages__for_the_operator_s_own_people__and_no_party(till: Till) -> None:
    key = sm.generate()
    till.shop.house.hire("gone", key, MAKER, SELLER)
    till.shop.house.hire("looker", sm_key := sm.generate(), "market_officer", till.operator)
    till.shop.house.session.commit()
    till.platform.keys |= {"staff:gone": key, "staff:looker": sm_key}
    till.platform.keys[f"party:{till.operator}"] = till.platform.system.operator.sm2
    outside = [trader(till.shop, f"party:{party}") for party in (CONSUMER, PROVIDER, COURT)]
    outside.append(person(till.platform, "staff:gone"))
    gets = ("/office/cycles", till.path, f"{till.path}/statements/{CONSUMER}/pdf",
            f"/office/payment-batches/{'0' * 64}/csv")  # fmt: skip
    before = till.platform.count()
    for one in outside:
        for path in gets:
            assert one.http.get(path).status_code == 403, (one.by, path)
        for path in ("/office/cycles", f"{till.path}/steps", f"{till.path}/instructions", f"{till.path}/reissues"):
            one.post(path, {"step": "window", "period": "2026-06", "grace": "1"}, 403)
        assert send(one, b"x").status_code == 403
        assert 'href="/office/cycles"' not in one.get("/office/desk")
    for one in (till.maker, person(till.platform, f"party:{till.operator}")):
        page = one.get("/office/cycles")
        assert till.path in page
        assert "导入银行对账文件" in page
        assert one.http.get(f"{till.path}/statements/{CONSUMER}/pdf").content.startswith(b"%PDF-")
    looker = person(till.platform, "staff:looker")
    assert "等待" in looker.get(till.path)
    assert "导入银行对账文件" not in looker.get("/office/cycles")
    looker.post(f"{till.path}/steps", {"step": "window"}, 403)
    till.maker.get("/office/cycles/nobody.2026-05.CNY", 404)
    assert till.platform.count() == before


def test_states__shown_with_what_they_wait_for__from_statements_to_settled(till: Till) -> None:
    page = till.page()
    assert "已出账，待确认" in page
    assert "已确认 0 份，共 3 份" in page
    assert "结束确认期" not in page, "the window runs and nobody confirmed"
    assert "状态已变" in till.step("netting", 422), "no step out of order"
    assert till.state() is State.ISSUED
    till.confirm()
    assert "已确认 3 份，共 3 份" in till.page()
    assert "确认期已结束" in till.step("window")
    page = till.step("netting")
    assert "已轧差" in page
    with till.platform.reading() as session:
        run = store.netting_of(session, till.cycle) or ""
        positions = {item.body.party: item for item in store.statements(session, till.cycle)}
    assert run in page
    assert "应付义务总额 Gross 3.50 元" in page
    assert "起草付款指令" in page

    batch = till.instruct()
    assert batch.funding == batch.payout == 350
    assert {item.party for item in batch.instructions} == set(positions)
    page = till.page()
    assert "付款指令已发出" in page
    assert page.count("已指令，待到账") == 1
    assert page.count("已指令，待付款") == 2
    assert "尚有款项在途" in page
    [released] = re.findall(r"/office/payment-batches/([0-9a-f]{64})/csv", till.maker.get(till.path))
    for form, begins in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("xml?day=2026-06-10", b"<?xml")):
        answer = till.maker.http.get(f"/office/payment-batches/{released}/{form}")
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(begins)
    assert till.maker.http.get(f"/office/payment-batches/{released}/xml?day=never").status_code == 422

    part = entry("F0", "1.00", end_to_end=next(item.end_to_end for item in batch.instructions if item.amount == 350))
    assert "新入账 1 笔，账户余额 1.00 元" in till.upload(bank_file("0.00", "1.00", part))
    assert "部分到账" in till.page()
    rest = entry("F1", "2.50", end_to_end=part["end_to_end"])
    stranger = entry("F2", "0.07", name="不知是谁")
    page = till.upload(bank_file("1.00", "3.57", rest, stranger))
    assert "不知是谁" in page, "what no instruction explains is listed"
    assert "不符" not in page
    assert "备付已到账" in till.step("payments")
    till.upload(bank_file("3.57", "0.07", *rows_of(batch, Direction.PAYOUT, "P")))
    page = till.step("payments")
    assert "已结算" in page
    assert page.count("已付款") == 2
    assert "入金 = 出金，银行文件与账簿相符" in page
    assert "shuqing settle close-draft" in page
    listed = words(till.maker.get("/office/cycles"))
    assert "运营方与审计方签署关账" in listed
    assert "3.50 / 3.50" in listed


def test_suspense__money_without_an_id__says_whose_it_may_be_until_that_is_met__and_what_came_late(till: Till) -> None:
    till.netted()
    [order] = [item for item in till.instruct().instructions if item.direction is Direction.FUNDING]
    with till.platform.reading() as session:
        last = day_of(store.cycle(session, till.cycle).until - 1)
    day, after = ((last + timedelta(days)).isoformat() for days in (2, 3))
    meant = entry("F1", "3.50", name=" 演示监管户", booking_date=day, value_date=day)
    other = entry("F2", "3.49", name="演示监管户", booking_date=day, value_date=day)
    page = till.upload(bank_file("0.00", "6.99", meant, other, day=day))
    said = f"可能是演示的指令 {order.end_to_end} ：户名、金额相同，晚于应入账日 2 日"
    assert page.count("可能是") == page.count(said) == 1
    assert till.state() is State.INSTRUCTED
    assert "逾期备付" not in page
    assert "已指令，待到账" in page, "nothing is discharged by a name"
    right = entry("F3", "3.50", end_to_end=order.end_to_end, booking_date=after, value_date=after)
    page = till.upload(bank_file("6.99", "10.49", right, day=after))
    assert "可能是" not in page, "nothing waits for that amount any more"
    assert f"演示 {order.party} {last.isoformat()} {after} 3 日 {order.end_to_end} 3.50" in page


def test_funding_file__for_the_net_payer_s_own_bank__in_each_form_and_for_nobody_else(till: Till) -> None:
    till.netted()
    batch = till.instruct()
    [order] = [item for item in batch.instructions if item.direction is Direction.FUNDING]
    [receiver, *_] = [item.party for item in batch.instructions if item.direction is Direction.PAYOUT]
    path = f"/api/cycles/{till.cycle}/funding"
    answer = till.shop.get(f"{path}/{order.party}?form=xml&day=2026-06-10", f"party:{order.party}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    made = read_pain001(answer.content)
    assert (made.execution, made.payer) == ("2026-06-10", order.account)
    assert [(item.end_to_end, item.account, item.amount) for item in made.transfers] == [
        (order.end_to_end, batch.account, 350)
    ]
    for form, begins in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK")):
        answer = till.shop.get(f"{path}/{order.party}?form={form}", f"party:{order.party}")
        assert answer.content.startswith(begins)
    for party, query, by, code in (
        (order.party, "form=xml", order.party, 422),
        (order.party, "form=xml&day=never", order.party, 422),
        (order.party, "form=xml&day=2026-06-10", receiver, 403),
        (receiver, "form=xml&day=2026-06-10", receiver, 422),
    ):
        answer = till.shop.get(f"{path}/{party}?{query}", f"party:{by}")
        assert answer.status_code == code, answer.text


def test_bank_file__whose_total_is_wrong__refused_on_the_page__nothing_changed(till: Till) -> None:
    till.netted()
    batch = till.instruct()
    before = till.platform.count()
    money = rows_of(batch, Direction.FUNDING, "F")
    page = till.upload(bank_file("0.00", "3.51", *money), 422)
    assert "银行文件整份拒收，没有写入任何内容" in page
    assert "期末余额：应为“期初加各笔 = 3.50”，现为“3.51”" in page
    assert till.platform.count() == before
    assert "已指令，待到账" in till.page()
    assert "银行文件整份拒收" in till.upload(b"\xff\x00nonsense", 422)
    till.upload(bank_file("0.00", "3.50", *money))
    after = till.platform.count()
    assert after > before
    assert "该文件已导入过" in till.upload(bank_file("0.00", "3.50", *money))
    page = till.upload(bank_file("0.00", "1.00", entry("G1", "1.00")), 422)
    assert "期初余额" in page, "it does not continue the balance"
    assert till.platform.count() == after


def test_payment__that_came_back__is_seen_and_issued_again(till: Till) -> None:
    till.netted()
    batch = till.instruct()
    page = till.upload(bank_file("5.00", "8.50", *rows_of(batch, Direction.FUNDING, "F")))
    assert "账户期初余额" in page, "money the account held before is nobody's income"
    assert "不符" not in page
    till.step("payments")
    out = rows_of(batch, Direction.PAYOUT, "P")
    back = entry("R1", out[0]["amount"].removeprefix("-"), end_to_end=out[0]["end_to_end"], return_code="AC01")
    left = yuan(500 + parse_yuan(back["amount"], "amount"))
    page = till.upload(bank_file("8.50", left, *out, back))
    assert "退汇，待重付" in page
    assert "退汇待重付" in page
    page = till.step("payments")
    assert "尚有款项在途" in page, "what came back is still to be paid"
    fields = typed_in(till.maker.get(till.path)) | {"a0.number": "030"}
    till.maker.post(f"{till.path}/reissues", fields | {"a0.code": "1"}, 422)
    till.sign(till.maker.drafted(f"{till.path}/reissues", fields))
    page = till.page()
    assert "退汇，已重付" in page
    assert "退汇待重付" not in page
    with till.platform.reading() as session:
        [new] = store.batch_in(facts.facts_of(session, f"payments:{till.cycle}")[-1]).instructions
    assert new.account.number == "030"
    till.upload(bank_file(left, "5.00", entry("P9", f"-{back['amount']}", end_to_end=new.end_to_end)))
    assert "入金 = 出金，银行文件与账簿相符" in till.page()


def test_default__declared_when_the_clock_has_run_out__and_a_new_batch_is_asked_for(till: Till) -> None:
    till.netted()
    till.instruct()
    assert "宣告逾期未备付" not in till.page()
    assert "时限未到" in till.step("default", 422)
    with till.platform.reading() as session:
        till.platform.now = store.cycle(session, till.cycle).until
    assert "宣告逾期未备付" in till.page()
    page = till.step("default")
    assert "逾期未备付，已移出轧差" in page
    assert "已作废" in page
    assert "须重新签署付款指令" in page
    assert "没有要收付的款项" in page, "the only payer has left"


def test_instructions__signed_by_two_persons_of_somebody_else__refused(till: Till) -> None:
    """A party's own maker and checker cannot send the others' money anywhere, by no door."""
    till.netted()
    pair = {f"staff:{name}": sm.generate() for name in ("evil1", "evil2")}
    for (by, key), role in zip(pair.items(), (MAKER, CHECKER), strict=True):
        till.shop.house.hire(by.partition(":")[2], key, role, SELLER)
    till.shop.house.session.commit()
    own = BankAccount("102100099996", "演示银行", "6", "卖方自己")
    with till.platform.reading() as session:
        drafted = settlement.draft_instructions(
            session, cycle=till.cycle, account=own, accounts=dict.fromkeys((CONSUMER, PROVIDER, SELLER), own)
        )
    before = till.platform.count()
    signatures = [
        signing.sign_sm2(key, drafted, by=by, role=role)
        for (by, key), role in zip(pair.items(), (MAKER, CHECKER), strict=True)
    ]
    answer = till.platform.post("/api/instructions", Signed(drafted, tuple(signatures)).document(), "staff:evil1")
    assert answer.status_code == 403, answer.text
    parties = [
        signing.sign_sm2(till.shop.house.keys[party].sm2, drafted, by=f"party:{party}", role=role)
        for party, role in ((SELLER, MAKER), (PROVIDER, CHECKER))
    ]
    answer = till.platform.post("/api/instructions", Signed(drafted, tuple(parties)).document(), f"party:{SELLER}")
    assert answer.status_code == 403, answer.text
    assert till.platform.count() == before
    assert till.state() is State.NETTED


def test_cycle__opened_from_the_list__once_for_a_month(till: Till) -> None:
    page = till.maker.post("/office/cycles", {"period": "2026-07", "grace": "2"}).text
    assert "账期 2026-07" in words(page)
    assert "开放" in words(page)
    for month, grace in (("2026-13", "1"), ("2026-08", "x"), ("2026-08", "99999"), ("2026-08", "0001000000"), ("", "")):
        answer = till.maker.post("/office/cycles", {"period": month, "grace": grace}, 422)
        assert "没有写入任何内容" in answer.text
    with till.platform.reading() as session:
        assert [item.period for item in store.cycles(session)] == ["2026-05", "2026-07"]


def test_close__a_file_from_hand_to_hand__signed_by_both_and_taken_in_once(till: Till, tmp_path: Path) -> None:
    till.netted()
    batch = till.instruct()
    till.upload(bank_file("0.00", "3.50", *rows_of(batch, Direction.FUNDING, "F")))
    till.step("payments")
    till.upload(bank_file("3.50", "0.00", *rows_of(batch, Direction.PAYOUT, "P")))
    till.step("payments")
    file, token, auditor = tmp_path / "close.json", tmp_path / "token", till.shop.house.keys[COURT]
    keys = {name: tmp_path / f"{name}.json" for name in ("operator", "auditor", "other")}
    for path, party in zip(keys.values(), (OPERATOR, COURT, SELLER), strict=True):
        made = keyfiles.create(path, f"party:{party}")
        path.write_text(path.read_text().replace(made.evm.hex(), till.shop.house.keys[party].evm.hex()))
    token.write_text(till.platform.token(f"party:{COURT}"))
    token.chmod(0o600)
    url = ["--url", str(till.platform.client.base_url), "--api-key", str(token)]

    def run(*arguments: object, code: int = 0, given: str = "") -> str:
        done = CliRunner().invoke(app, ["settle", *(str(item) for item in arguments)], input=given)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    before = till.platform.count()
    run("close-draft", till.cycle, file, "--auditor", auditor.address, *url)
    assert "缺 / without auditor + operator" in run("close", file, *url, code=2)
    said = run("close-sign", file, "--key", keys["operator"], given="n\n", code=1)
    assert "入金 / money in：3.50 元" in said
    assert "出金 / money out：3.50 元" in said
    assert "以运营方身份签署" in said
    assert "party:" in run("close-sign", file, "--key", keys["other"], "--yes", code=2)
    run("close-sign", file, "--key", keys["operator"], "--yes")
    assert "缺 / without auditor" in run("close", file, *url, code=2)
    assert "以审计方身份签署" in run("close-sign", file, "--key", keys["auditor"], given="y\n")
    kept = file.read_bytes()
    file.write_bytes(kept.replace(b'"money_in":350', b'"money_in":351'))
    assert "totals_commitment" in run("close-sign", file, "--key", keys["auditor"], "--yes", code=2)
    run("close", file, *url, code=2)
    assert till.platform.count() == before, "nothing was taken in so far"
    file.write_bytes(kept)
    assert "已关账" in run("close", file, *url)
    after = till.platform.count()
    run("close", file, *url)
    assert till.platform.count() == after, "once"
    assert till.state() is State.CLOSED
    assert "已由运营方与审计方签署关账" in till.page()


def test_register_and_results__taken_from_the_page__and_a_second_booking_is_named(till: Till) -> None:
    till.netted()
    batch = till.instruct()
    answer = till.maker.http.get(f"{till.path}/register")
    assert answer.headers["content-type"] == XLSX
    lines = sheet_of(answer.content)
    assert lines[0][:3] == ("应付义务", "付款方", "收款方")
    assert sum(parse_yuan(line[5], "amount") for line in lines[1:-1]) == parse_yuan(lines[-1][5], "amount") > 0

    with till.platform.reading() as session:
        fact = store.instructions_of(session, till.cycle)
    sent = sheet_of(till.maker.http.get(f"/office/payment-batches/{fact}/xlsx").content)
    told = [
        (*sent[0], "处理结果", "失败原因"),
        *((*row, "失败", "户名不符") for row in sent[1:-1]),
        (*sent[-1], "", ""),
    ]
    path = f"/office/payment-batches/{fact}/results"

    def returned(rows: list[tuple[str, ...]]) -> httpx.Response:
        data = text_book({"付款": rows}, (20,) * len(rows[0]))
        fields = {"csrf": till.maker.csrf, "cycle": till.cycle}
        return till.maker.http.post(path, files={"file": ("back.xlsx", data)}, data=fields)

    before = till.platform.count()
    failed = sheet_of(returned(told).content)
    assert [row[1] for row in failed[1:-1]] == [row[8] for row in sent[1:-1]]
    assert {row[5] for row in failed[1:-1]} == {"户名不符"}
    changed = [told[0], (*told[1][:6], "99.00", *told[1][7:]), *told[2:]]
    assert returned(changed).status_code == 422
    assert "99.00" in words(returned(changed).text)
    assert till.platform.count() == before, "what a bank says of a row is no booking"

    money = rows_of(batch, Direction.FUNDING, "F")
    twice = {**money[0], "reference": "F9"}
    page = till.upload(bank_file("0.00", "7.00", *money, twice))
    assert "重复入账" in page
    assert "应退还" in page
    assert "又收到 3.50 元" in page
    lines = sheet_of(till.maker.http.get(f"{till.path}/register").content)
    assert {line[16] for line in lines[1:-1]} == {"已到账"}
    assert lines[-1][5] == lines[-1][15]


LIMITS = "/office/netting-limits"


def test_limits__typed_signed_by_both_and_shown__and_what_does_not_fit_waits(own: Till) -> None:
    assert "现无限额" in words(own.maker.get("/office/cycles"))
    given = {"caps": f"{CONSUMER} 2.3\r\n{SELLER} 100", "pairs": f"{CONSUMER} {PROVIDER} 30.00"}
    desk = own.maker.drafted(LIMITS, given)
    shown = words(own.maker.get(f"/office/desk/{desk}"))
    assert "轧差限额" in shown
    assert "230" in shown, "the very amount that is signed"
    page = words(own.maker.get("/office/cycles"))
    assert "等待签署的文件" in page
    assert "现无限额" in page, "one signature, or none, limits nobody"
    own.sign(desk)
    page = own.maker.get("/office/cycles")
    assert typed_in(page) | {"period": "", "grace": ""} == {
        "caps": "\n".join(f"{code} {amount}" for code, amount in sorted([(CONSUMER, "2.30"), (SELLER, "100.00")])),
        "pairs": f"{CONSUMER} {PROVIDER} 30.00", "period": "", "grace": "", "file": "",
    }  # fmt: skip
    assert words(page).count(f"演示 {CONSUMER}") == 2
    assert "经办人 maker、经办人 checker签署" in words(page)

    own.platform.now += 1
    own.netted()
    page = own.page()
    with own.platform.reading() as session:
        run, held = (
            store.netting_of(session, own.cycle) or "",
            settlement.netted_in(session, own.cycle, store.netting_of(session, own.cycle) or "")[1],
        )
    waits = sum(item.amount for item in held)
    assert [item.debtor for item in held] == [CONSUMER]
    assert f"限额内通过 Let through {yuan(350 - waits)} 元，上界" in page
    assert "因限额留待下期" in page
    assert f"合计 {yuan(waits)}" in page
    assert run in page
    assert "付款方净借记限额" in page
    for party, whose in ((CONSUMER, "本方"), (held[0].creditor, "付款方")):
        told = words(trader(own.shop, f"party:{party}").get(f"/office/statements/{own.cycle}"))
        assert f"超出{whose}净借记限额，留待下期" in told
        assert "2.30" not in told, "a cap is told to nobody but the operator"


def test_limits__that_cannot_be__are_refused_by_field_and_kept_in_the_form(own: Till) -> None:
    before = own.platform.count()
    for given, said in (
        ({"caps": f"{CONSUMER}"}, "净借记限额：应为第 1 行：代码 限额"),
        ({"caps": f"{CONSUMER} 1 {SELLER} 0.001"}, "净借记限额：应为第 2 行：代码 限额"),
        ({"caps": f"{CONSUMER} -1"}, "净借记限额：应为第 1 行"),
        ({"caps": f"{CONSUMER} 10000000000000"}, "净借记限额：应为第 1 行"),
        ({"caps": f"{CONSUMER} 1 {CONSUMER} 2"}, "净借记限额每方只列一次"),
        ({"caps": "nobody 5"}, "单位：应为在册单位的代码，现为nobody"),
        ({"pairs": f"{CONSUMER} {CONSUMER} 5"}, "付款方与收款方不能是同一方"),
        ({"pairs": f"{CONSUMER} 5"}, "双边限额：应为第 1 行：付款方代码 收款方代码 限额"),
        ({"pairs": f"{CONSUMER} {SELLER} 5 {CONSUMER} {SELLER} 5"}, "双边限额每对只列一次"),
    ):
        answer = own.maker.post(LIMITS, given, 422)
        assert said in words(answer.text), (given, words(answer.text))
        assert "没有写入任何内容" in answer.text
        kept = typed_in(answer.text)
        assert {name: " ".join(kept[name].split()) for name in given} == given
    assert own.platform.count() == before
    looker = sm.generate()
    own.shop.house.hire("looker", looker, "market_officer", own.operator)
    own.shop.house.session.commit()
    own.platform.keys["staff:looker"] = looker
    person(own.platform, "staff:looker").post(LIMITS, {"caps": ""}, 403)
    trader(own.shop, f"party:{CONSUMER}").post(LIMITS, {"caps": ""}, 403)


def test_limits__over_the_api__drafted_read_and_taken_from_the_operator_s_two_only(own: Till) -> None:
    operator = f"party:{own.operator}"
    own.platform.keys[operator] = own.platform.system.operator.sm2
    stands = "/api/netting-limits"
    assert own.shop.get(stands, operator).json() == {"limits": None}
    request = {"caps": [{"party": CONSUMER, "fen": 250}], "pairs": []}
    drafted = own.platform.post(f"{stands}/draft", request, operator)
    assert drafted.status_code == 200, drafted.text
    statement = Statement.of_document(drafted.json()["statement"])
    for wrong, field in (
        ({"caps": [{"party": CONSUMER, "fen": -1}], "pairs": []}, "caps[0].fen"),
        ({"caps": [{"party": "nobody", "fen": 1}], "pairs": []}, "party"),
        ({"caps": []}, "request.pairs"),
    ):
        answer = own.platform.post(f"{stands}/draft", wrong, operator)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    before = own.platform.count()
    foreign = {f"staff:{name}": sm.generate() for name in ("evil1", "evil2")}
    for (by, key), role in zip(foreign.items(), (MAKER, CHECKER), strict=True):
        own.shop.house.hire(by.partition(":")[2], key, role, SELLER)
    own.shop.house.session.commit()
    for keys, expected in ((foreign, 403), ({PAIR[0]: own.month.staff[PAIR[0]]}, 403)):
        answer = own.platform.post(stands, _signed(statement, keys).document(), next(iter(keys)))
        assert answer.status_code == expected, answer.text
    assert own.platform.count() == before
    both = {by: own.month.staff[by] for by in PAIR}
    for replayed in (False, True):
        answer = own.platform.post(stands, _signed(statement, both).document(), PAIR[0])
        assert (answer.status_code, answer.json()["replayed"]) == (200, replayed), answer.text
    found = own.shop.get(stands, operator).json()["limits"]
    assert (found["fact"], found["caps"]) == (answer.json()["fact"], request["caps"])
    assert own.shop.get(stands, f"party:{CONSUMER}").status_code == 403
    assert REQUIRED[statement.kind] == (f"staff:{MAKER}|{CHECKER}@operator",), "a stranger asks for the same two"
    assert own.shop.get(f"/api/bundles/{found['fact']}", f"party:{CONSUMER}").status_code == 403


def _signed(statement: Statement, keys: Mapping[str, sm.Sm2Key]) -> Signed:
    """By the first as maker, by the second, if there is one, as checker."""
    signers = zip(keys.items(), (MAKER, CHECKER), strict=False)
    return Signed(statement, tuple(signing.sign_sm2(key, statement, by=by, role=role) for (by, key), role in signers))


def sheet_of(data: bytes) -> list[tuple[str, ...]]:
    [sheet] = load_workbook(BytesIO(data)).worksheets
    return [tuple(cell or "" for cell in row) for row in sheet.iter_rows(values_only=True)]
