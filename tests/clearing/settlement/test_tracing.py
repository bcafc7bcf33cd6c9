"""From every line of every statement back to the records: nothing is missing, and nothing of a neighbour is needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from clearing.errors import UnknownFact
from clearing.settlement import service, store, tracing
from clearing.settlement.statement import Line
from clearing.settlement.tracing import What
from clearing.terms import DAY
from tests.clearing.market.house import House
from tests.clearing.settlement import market as demo
from tests.clearing.settlement.disputing import MAY, Month
from tests.clearing.settlement.market import APRIL, MARCH, Market
from tests.databases import Place

CHARGE = [What.CHARGE, What.INVOICE, What.READING]
EXPECTED = {
    "charge": CHARGE,
    "share": [What.SHARES, *CHARGE],
    "tax": [What.INVOICE, *CHARGE],
    "netting": [What.NETTING, What.NOTICE],
    "instruction": [What.INSTRUCTIONS],
    "bank-receipt": [What.BANK, What.INSTRUCTIONS],
}


def lines(session: Session, cycle: str) -> Iterator[tuple[str, Line]]:
    for item in store.statements(session, cycle):
        for part in store.part_documents(session, item.fact_id):
            if isinstance(part, Line):
                yield item.fact_id, part


def test_every_line__leads_to_the_facts_its_event_needs_and_to_the_batches(session: Session) -> None:
    market = Market()
    market.call(MARCH, g1=1001, g2=500, g3=40)
    demo.whole_cycle(session, market, MARCH)
    market.call(APRIL, g1=7)
    april = demo.to_statements(session, market, APRIL, APRIL.end + DAY)
    seen = set()
    for statement, line in lines(session, april):
        found = tracing.trace(session, tracing.line_of(session, statement, line.no))
        assert found.line == line
        kinds = [step.what for step in found.steps]
        assert kinds == EXPECTED[line.event], line
        if What.READING in kinds:
            assert [root.batch for root in found.batches] == [f"b-{line.agreement}"]
        seen.add(line.event)
    assert seen == set(EXPECTED)


def test_correction__names_what_it_corrects(session: Session) -> None:
    market = Market()
    market.call(MARCH, g1=10)
    demo.whole_cycle(session, market, MARCH)
    market.uses["g1"].append(
        demo.use("g1", 10, MARCH.end - 5, received_at=MARCH.end + DAY, position=15)
    )  # fmt: skip
    april = demo.to_statements(session, market, APRIL, APRIL.end + DAY, mark=20)
    corrected = [line for _, line in lines(session, april) if line.event == "charge" and line.period == "2026-03"]
    assert sorted(line.amount > 0 for line in corrected) == [False, True], "the reversal and the new charge"
    for line in corrected:
        kinds = [step.what for step in tracing.trace(session, line).steps]
        assert kinds[:2] == [What.CHARGE, What.CORRECTED]


def test_default__its_reversals_lead_to_it_and_to_the_run_it_undid(session: Session) -> None:
    market = Market()
    market.call(MARCH, g1=1001, g2=500, g3=4000)
    cycle = demo.to_netted(session, market, MARCH)
    demo.instruct(session, cycle, MARCH.end + DAY)
    service.declare_default(session, demo.OFFICE, cycle=cycle, at=store.cycle(session, cycle).until)
    market.call(APRIL, g1=7)
    april = demo.to_statements(session, market, APRIL, APRIL.end + 9 * DAY)
    undone = [line for _, line in lines(session, april) if line.event.startswith("reversal-")]
    assert {line.event for line in undone} == {"reversal-netting", "reversal-instruction"}
    for line in undone:
        assert [step.what for step in tracing.trace(session, line).steps] == [What.DEFAULT, What.NETTING]


def test_hold__leads_to_the_dispute_and_the_charge(place: Place) -> None:
    house = House(place.engine())
    may = Month(house)
    may.open(106)
    cycle = may.issue(MAY)
    held = [
        tracing.trace(may.session, line) for _, line in lines(may.session, cycle) if line.event == "hold"
    ]  # fmt: skip
    assert held
    for found in held:
        kinds = [step.what for step in found.steps]
        assert kinds[:3] == [What.HOLD, What.DISPUTE, What.CHARGE]
        assert What.AGREEMENT in kinds
        assert found.batches
    house.close()


def test_line__that_is_not_there__is_unknown(session: Session) -> None:
    market = Market()
    market.call(MARCH, g1=10)
    cycle = demo.to_statements(session, market, MARCH, MARCH.end + DAY)
    statement = store.statements(session, cycle)[0]
    count = statement.body.lines + statement.body.obligations
    for no in (-1, statement.body.lines, count, 10**6):
        with pytest.raises(UnknownFact):
            tracing.line_of(session, statement.fact_id, no)
    with pytest.raises(UnknownFact):
        tracing.line_of(session, "0" * 64, 0)
    assert service.audit(session, cycle=cycle, agreements=demo.AGREEMENTS, uses=market.of) == []
