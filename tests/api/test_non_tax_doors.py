"""Non-tax revenue over HTTP and by command: one door in, its four parties and the operator look, nobody else does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from api.cli import app
from api.trust_file import ALLOCATORS, REQUIRED
from clearing.settlement.public_revenue.statements import CHECKER, KINDS, MAKER, TWO, Plan
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import body_of as document_of
from ledger.store import Appended
from tests.api.shop import Shop, body_of, open_shop
from tests.clearing.market.house import CONSUMER, COURT, NOW, OPERATOR, PROVIDER, SELLER
from tests.clearing.settlement.public_revenue import collecting
from tests.clearing.settlement.public_revenue.collecting import (
    T1,
    T2,
    THIRDS,
    Cashier,
    D,
    P,
    a_due,
    a_notice,
    a_payment,
    a_ticket,
    paid_back,
)

DOOR = "/api/non-tax/statements"


class Counter(Cashier):
    """The cashier whose statements go through the door of a real server, sent by the first signer."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.house)
        self.session.commit()
        self.shop = shop
        shop.platform.now = self.at

    def send(self, signed: Signed) -> Appended:
        self.session.rollback()
        answer = self.shop.platform.post(DOOR, body_of(signed), signed.signatures[0].by)
        assert answer.status_code == 200, answer.text
        self.session.rollback()
        found = Appended(ledger.fact(self.session, answer.json()["fact"]), answer.json()["replayed"])
        self.session.rollback()
        return found

    def allocate(self, due: str = D, key: collecting.TicketKey = T1) -> Any:
        try:
            return super().allocate(due, key)
        finally:
            self.session.rollback()

    def get(self, path: str, by: str, code: int = 200) -> Any:
        answer = self.shop.get(f"/api/non-tax{path}", f"party:{by}")
        assert answer.status_code == code, answer.text
        return answer

    def post(self, signed: Signed, by: str, **changes: Any) -> tuple[int, dict[str, Any]]:
        self.session.rollback()
        sent = body_of(signed)
        answer = self.shop.platform.post(DOOR, {**sent, "statement": {**sent["statement"], **changes}}, by)
        return answer.status_code, answer.json()

    def run(self, by: str, *words: str, code: int = 0) -> str:
        url, token = str(self.shop.platform.client.base_url), self.shop.platform.token(by)
        done = CliRunner().invoke(app, ["nontax", *words, "--url", url, "--api-key", token])
        assert done.exit_code == code, done.output
        return str(done.output)


@pytest.fixture
def counter(tmp_path: Path, empty_database: Path) -> Iterator[Counter]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        yield Counter(shop)


def test_journey__at_the_door__seen_by_its_parties_and_the_operator__kept_from_others(counter: Counter) -> None:
    assert abs(counter.at - NOW) < 30 * 86_400
    counter.plan()
    counter.collect(100)
    path = f"/dues/{D}/tickets/{T1.code}/{T1.number}/division"
    lines = counter.get(f"{path}?plan={P}", PROVIDER).json()["division"]["lines"]
    assert [line["amount"] for line in lines] == [33, 33, 34]
    counter.allocate()
    refund = counter.refund(40).fact.id
    counter.session.rollback()
    counter.say(paid_back(40, refund))
    operator = counter.shop.platform.system.settings.operator
    for party in (PROVIDER, CONSUMER, COURT, SELLER, operator):
        seen = counter.get(f"/dues/{D}", party).json()["due"]
        assert (seen["state"], seen["tickets"][0]["refunds"][0]["refund"]["fen"]) == ("allocated", 40)
        assert counter.get("/dues", party).json()["dues"] == [D]
        assert counter.get("/book", party).json()["book"]["sums"]["net"] == 60
        book = load_workbook(io.BytesIO(counter.get("/book/xlsx", party).content))
        assert book.sheetnames == ["台账", "用途清分"]
        assert book["台账"].cell(2, 1).value == D
    counter.get(f"/dues/{D}", OPERATOR, 403)
    counter.get(f"{path}?plan={P}", OPERATOR, 403)
    assert counter.get("/dues", OPERATOR).json()["dues"] == []
    assert counter.get("/book", OPERATOR).json()["book"]["dues"] == []
    assert len(counter.get(f"/plans/{P}", PROVIDER).json()["versions"]) == 1
    counter.get(f"/plans/{P}", CONSUMER, 403)
    for wrong, code in (
        (f"/dues/{'e' * 32}", 404), (f"/plans/{'e' * 32}", 404), (f"{path}?refund=-1", 422), (f"{path}?refund=61", 422),
        (f"{path}?refund={10**15}", 422), (f"{path}?plan={'e' * 32}", 404), (f"/dues/{D}/tickets/x/y/division", 422),
    ):  # fmt: skip
        counter.get(wrong, PROVIDER, code)


def test_door__strangers_false_bodies_used_numbers_and_wrong_sums__are_refused_by_name(counter: Counter) -> None:
    first = counter.signed(a_due())
    counter.send(first)
    assert counter.post(first, f"party:{PROVIDER}")[1]["replayed"] is True
    assert counter.post(first, f"party:{CONSUMER}")[0] == 403
    facts = counter.shop.platform.count()
    for changed in ({"kind": "non-tax-refund/v1"}, {"subject": "non-tax:x"}, {"body": {}}):
        assert counter.post(first, f"party:{PROVIDER}", **changed)[0] in (400, 403, 422), changed
    for more in ({"fen": -1}, {"fen": 0}, {"fen": 10**15}, {"tax": 6}, {"proceeds_kind": "taxable"}):
        status, said = counter.post(counter.signed(a_due(), "non-tax:" + "e" * 32, **more), f"party:{PROVIDER}")
        assert status == 422, (more, said)
        assert next(iter(more)) in said["field"]
    status, said = counter.post(counter.signed(a_notice(99)), f"party:{PROVIDER}")
    assert (status, said["field"]) == (422, "body.fen")
    status, said = counter.post(counter.signed(a_payment()), f"party:{COURT}")
    assert (status, "缴款到账" in said["message"]) == (409, True)
    assert counter.post(counter.signed(a_due(5, "due"), "non-tax:" + "e" * 32), f"party:{PROVIDER}")[0] == 409
    assert counter.shop.platform.count() == facts
    counter.say(a_notice())
    counter.say(a_payment())
    counter.say(a_ticket(60))
    facts = counter.shop.platform.count()
    assert counter.post(counter.signed(a_ticket(40)), f"party:{SELLER}")[0] == 409, "the ticket twice"
    status, said = counter.post(counter.signed(a_ticket(41, T2)), f"party:{SELLER}")
    assert (status, said["field"]) == (422, "body.fen")
    assert counter.shop.platform.count() == facts


def test_commands__state_allocate_refund_show_and_book__with_two_key_files(counter: Counter, tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for by, key in counter.keys.items():
        path = tmp_path / f"{by.replace(':', '-')}.json"
        made = {"by": by, "ed25519": "11" * 32, "evm": "22" * 32, "sm2": key.private.hex()}
        path.write_text(json.dumps(made), "utf-8")
        path.chmod(0o600)
        files[by] = str(path)
    two = ("--key", files["staff:mak1"], "--checker", files["staff:che1"])
    paper = tmp_path / "paper.txt"
    paper.write_text("退付依据", "utf-8")

    def state(kind: str, body: Any, by: str, *more: str, code: int = 0) -> str:
        file = tmp_path / "body.json"
        file.write_text(json.dumps(document_of(body)), "utf-8")
        keys = more or ("--key", files[by])
        return counter.run(by, "state", kind, str(file), *keys, code=code)

    plan = json.loads(state("allocation-plan/v1", Plan(PROVIDER, 1, THIRDS), "staff:mak1", *two))["id"]
    assert "--checker" in state("allocation-plan/v1", Plan(PROVIDER, 1, THIRDS), "staff:mak1", code=2)
    due = json.loads(state("non-tax-due/v1", a_due(), f"party:{PROVIDER}"))["id"]
    own = ("--id", due, "--key")
    state("non-tax-notice/v1", a_notice(), f"party:{PROVIDER}", *own, files[f"party:{PROVIDER}"])
    state("non-tax-payment/v1", a_payment(), f"party:{COURT}", *own, files[f"party:{COURT}"])
    state("fiscal-ticket/v1", a_ticket(), f"party:{SELLER}", *own, files[f"party:{SELLER}"])
    assert "--id" in state("fiscal-ticket/v1", a_ticket(), f"party:{SELLER}", code=2)
    counter.run("staff:mak1", "allocate", due, str(T1), "--plan", plan, *two)
    words = ("refund", due, str(T1), "--reason", "多缴", "--document", str(paper), *two)
    assert "≤ 100" in counter.run("staff:mak1", *words, "--amount", "1.01", code=2)
    counter.run("staff:mak1", *words, "--amount", "0.40")
    assert counter.run(f"party:{CONSUMER}", "show", due).startswith("退付中 / refunding")
    book = json.loads(counter.run(f"party:{CONSUMER}", "book"))["book"]
    assert book["sums"] == {"due": 100, "paid": 100, "ticketed": 100, "allocated": 100, "refunded": 40, "net": 60}
    out = tmp_path / "book.xlsx"
    counter.run(f"party:{CONSUMER}", "book", "--xlsx", str(out))
    assert load_workbook(out).sheetnames == ["台账", "用途清分"]


def test_trust_file__asks_for_the_signers_the_service_asks_for() -> None:
    for kind, (_, _, who) in KINDS.items():
        if who == TWO:
            assert REQUIRED[kind] == (ALLOCATORS,)
        elif who == "source":
            assert REQUIRED[kind] == ("source=bank by:party:{payer}", "source=treasury by:party:{treasury}")
        else:
            assert REQUIRED[kind] == (f"by:party:{{{who}}}",), kind
    assert f"staff:{MAKER}|{CHECKER}@" in ALLOCATORS
