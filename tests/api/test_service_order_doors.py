"""Service orders over HTTP: stated through one door, seen by the three parties, drafted, settled, kept from others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.trust_file import REQUIRED
from clearing.settlement.service_order.statements import KINDS, CycleInvoiced, CyclePaid, CycleSettled
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry.calendar import day_of
from tests.api.shop import Shop, body_of, open_shop
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.service_order.making import instant
from tests.clearing.settlement.service_order.playing import PARTIES, C, Office

DOOR = "/api/service-orders/statements"


class Counter(Office):
    """The office whose statements go through the door of a real server, at its time, sent by the first signer."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.house)
        self.shop = shop
        self.answers: list[Any] = []

    def send(self, signed: Signed, at: int) -> Appended:
        self.session.rollback()
        answer = self.shop.platform.post(DOOR, body_of(signed), signed.signatures[0].by)
        self.answers.append(answer)
        assert answer.status_code == 200, answer.text
        self.session.rollback()
        found = Appended(ledger.fact(self.session, answer.json()["fact"]), answer.json()["replayed"])
        self.session.rollback()
        return found

    def get(self, path: str, by: str, code: int = 200) -> Any:
        answer = self.shop.get(f"/api/service-orders{path}", f"party:{by}")
        assert answer.status_code == code, answer.text
        return answer.json()


@pytest.fixture
def counter(tmp_path: Path, empty_database: Path) -> Iterator[Counter]:
    with open_shop(tmp_path / "home", empty_database) as shop:
        yield Counter(shop)


def test_journey__from_the_scheme_to_the_payment__drafted_by_the_server_and_signed_by_both(counter: Counter) -> None:
    counter.conclude()
    counter.place()
    counter.score()
    counter.rescore()
    counter.accept()
    path = f"/{C}/cycles/2026-1/draft?first=35000000&second=45000000"
    drafts = [counter.get(path, by)["body"] for by in (CONSUMER, PROVIDER, COURT)]
    assert drafts[0] == drafts[1] == drafts[2]
    body = read(CycleSettled, drafts[0])
    # 155,002,102 of the example less 100,000,000 of March, which nobody waived here: all of it used up by advances
    assert body.settlement.settlement == 55_002_102
    assert (body.settlement.pay, body.settlement.carry_out.advance) == (0, 80_000_000 - 55_002_102)
    body = read(CycleSettled, counter.get(f"/{C}/cycles/2026-1/draft", PROVIDER)["body"])
    assert body.settlement.pay == 55_002_102
    counter.say(body, 0)
    counter.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=55_002_102), 0)
    seen = counter.get(f"/{C}", COURT)
    [cycle] = seen["cycles"]
    assert (cycle["pay"], cycle["settlement"] is not None, cycle["due"] > seen["as_of"]) == (55_002_102, True, True)
    assert {order["name"]: order.get("settled") for order in seen["orders"]} == {
        "O-1": "2026-1", "O-2": "2026-1", "O-3": None,
    }  # fmt: skip
    assert counter.get("", CONSUMER)["contracts"] == [C]
    assert cycle.get("payment") is None

    day = day_of(seen["as_of"]).isoformat()
    entry = f"bank=102100099996&reference=P3-1&booked_on={day}&sha256={'1' * 64}&sm3={'2' * 64}"
    counter.get(f"/{C}/cycles/2026-1/payment-draft?{entry}", SELLER, 403)
    counter.get(f"/{C}/cycles/2026-1/payment-draft?{entry.replace('=P3', '==P3')}", CONSUMER, 422)
    drafts = [counter.get(f"/{C}/cycles/2026-1/payment-draft?{entry}", by)["body"] for by in (CONSUMER, PROVIDER)]
    assert drafts[0] == drafts[1]
    counter.say(read(CyclePaid, drafts[0]), 0)
    [cycle] = counter.get(f"/{C}", PROVIDER)["cycles"]
    assert (cycle["payment"] is not None, cycle["reference"], cycle["paid_on"]) == (True, "P3-1", day)
    counter.get(f"/{C}/cycles/2026-1/payment-draft?{entry}", CONSUMER, 409)


def test_clocks__of_a_request_and_of_money_in__are_those_of_the_signed_scheme(counter: Counter) -> None:
    """Asked on Thursday 30 April 2026, noon: 1–5 May are holidays, Saturday 9 May is a working day. Two working days
    end with 7 May, three days with 3 May, five working days with 11 May; ten after money of that day with 18 May."""
    counter.conclude()
    asked = instant(2026, 4, 30, 12)
    found = counter.get(f"/{C}/clocks?requested_at={asked}&money_in_at={asked}", COURT)
    ends = {"working_days": instant(2026, 5, 8), "calendar_days": instant(2026, 5, 4), "scores": instant(2026, 5, 8)}
    assert found["response"] == ends
    assert (found["placing"], found["supplier"]) == (instant(2026, 5, 12), instant(2026, 5, 19))
    assert counter.get(f"/{C}/clocks", CONSUMER).keys() == {"as_of"}
    counter.get(f"/{C}/clocks?requested_at={asked}", SELLER, 403)
    counter.get(f"/{C}/clocks?requested_at=-1", CONSUMER, 422)


def test_doors__strangers_false_bodies_and_wrong_times__are_refused_with_the_field(counter: Counter) -> None:
    first = counter.conclude()
    counter.get(f"/{C}", SELLER, 403)
    counter.get(f"/{C}/cycles/2026-1/draft", SELLER, 403)
    assert counter.get("", SELLER)["contracts"] == []
    counter.get(f"/{'d' * 32}", CONSUMER, 404)
    counter.get(f"/{C}/cycles/2026-1/draft", CONSUMER, 404)
    counter.get(f"/{C}/cycles/2026-1/draft?first=-1", CONSUMER, 422)
    again = body_of(Signed(first.fact.statement, first.fact.signatures))
    answer = counter.shop.platform.post(DOOR, again, f"party:{CONSUMER}")
    assert (answer.status_code, answer.json()["replayed"]) == (200, True)
    assert counter.shop.platform.post(DOOR, again, f"party:{SELLER}").status_code == 403
    for changed in ({"kind": "order-score/v1"}, {"subject": "service-scheme:x"}, {"body": {}}):
        false = {**again, "statement": {**again["statement"], **changed}}
        answer = counter.shop.platform.post(DOOR, false, f"party:{CONSUMER}")
        assert answer.status_code in (400, 422), (changed, answer.text)


def test_trust_file__asks_for_the_signers_the_service_asks_for() -> None:
    for kind, (_, _, roles) in KINDS.items():
        assert REQUIRED[kind] == tuple(f"by:party:{{{role}}}" for role in roles), kind
