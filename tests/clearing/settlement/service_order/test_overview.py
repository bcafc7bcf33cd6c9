"""A contract read whole: what waits for whom at each step of the example, and the figures its settlement stands on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearing.settlement.service_order import service
from clearing.settlement.service_order.settling import Advances
from clearing.settlement.service_order.statements import (
    MONTHLY_SCORE,
    ORDER_ACCEPTANCE,
    ORDER_SCORE,
    ORDER_ZEROED,
    PROJECT_ACCEPTANCE,
    PROJECT_INVOICE,
    PROJECT_PAYMENT,
    PROJECT_SETTLEMENT,
    CycleInvoiced,
    happening,
)
from tests.clearing.market.house import House
from tests.clearing.settlement.service_order.making import instant
from tests.clearing.settlement.service_order.playing import ACCEPTED_AT, ORDERS, PARTIES, C, Office
from tests.databases import Place

LATER = instant(2026, 5, 20)


@pytest.fixture
def office(place: Place) -> Iterator[Office]:
    house = House(place.engine())
    yield Office(house)
    house.close()


def waits(office: Office, at: int = LATER) -> list[tuple[str, str]]:
    return [(turn.kind, turn.about) for turn in service.reading(office.session, C, at=at).turns]


def test_turns__through_the_example__name_each_statement_that_is_waited_for(office: Office) -> None:
    office.conclude()
    assert waits(office, instant(2026, 4, 1) - 1) == []
    assert waits(office) == [(MONTHLY_SCORE, "2026-03"), (MONTHLY_SCORE, "2026-04")]
    office.place()
    orders = [(kind, ORDERS[name]) for name in sorted(ORDERS) for kind in (ORDER_SCORE, ORDER_ACCEPTANCE)]
    assert waits(office)[:6] == orders
    office.score()
    held = [(kind, ORDERS[name]) for name in ("O-2", "O-3") for kind in (ORDER_SCORE, ORDER_ZEROED)]
    assert waits(office) == [*held, (PROJECT_ACCEPTANCE, "2026-03")]
    office.rescore()
    office.accept()
    assert waits(office) == [*held[2:], (PROJECT_SETTLEMENT, "2026-1")]
    body = service.draft(office.session, C, "2026-1", Advances())
    office.say(body, ACCEPTED_AT + 60)
    assert waits(office) == [(PROJECT_INVOICE, "2026-1"), *held[2:]]
    pay = body.settlement.pay
    office.say(CycleInvoiced(**PARTIES, cycle="2026-1", number="1", fen=pay), ACCEPTED_AT + 120)
    seen = service.reading(office.session, C, at=LATER)
    assert (seen.turns[0].kind, seen.turns[0].until) == (PROJECT_PAYMENT, seen.cycles[0].due)
    assert seen.cycles[0].due
    office.pay("2026-1", pay, ACCEPTED_AT + 180)
    assert waits(office) == held[2:]
    assert seen.running == ("2026-05", "")
    assert {order.name: order.settled for order in seen.orders} == {"O-1": "2026-1", "O-2": "2026-1", "O-3": ""}


def test_happening__same_words__same_id_in_a_contract_and_another_elsewhere() -> None:
    assert happening(C, "断电") == happening(C, "断电")
    assert len({happening(C, "断电"), happening(C, "断网"), happening("d" * 32, "断电")}) == 3
