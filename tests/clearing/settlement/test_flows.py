"""Flows of a statement: every obligation to the fen, net and tax only where the statement itself tells them apart."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.office import statements as office
from clearing.settlement.flows import Flow, What, flows_of
from clearing.settlement.rating import Charge
from clearing.settlement.statement import Item, Line, ObligationPart
from tests.clearing.market.house import CONSUMER, PROVIDER, SELLER, House
from tests.clearing.settlement.disputing import MAY, Month
from tests.counts import few
from tests.databases import Place

BUYER, ISSUER, OTHER = "9111000000000000B1", "9111000000000000S1", "9111000000000000P1"


def charge(net: int, tax: int, agreement: str = "a", period: str = "2026-05") -> Charge:
    return Charge("r", agreement, 0, period, BUYER, ISSUER, "CNY", 1, "call", 1, (), "", "1", "half_up",
                  net + tax, net, tax, 600)  # fmt: skip


def owed(creditor: str, amount: int, agreement: str = "a", period: str = "2026-05") -> ObligationPart:
    return ObligationPart("obligation", 0, BUYER, creditor, amount, (Item(agreement, period, amount),))


def line(party: str, event: str, amount: int, agreement: str = "a", period: str = "2026-05") -> Line:
    return Line("line", 0, party, event, "e", f"PAY:{party}:{agreement}:{period}", agreement, period, amount, 0)


@settings(deadline=None, max_examples=few(100))
@given(st.integers(1, 10**12), st.integers(0, 10**11), st.fractions(0, 1, max_denominator=1000), st.booleans())
def test_one_charge__buyer_and_payees_see_the_same_flows(net: int, tax: int, part: Fraction, invoiced: bool) -> None:
    """The buyer derives from charges what each payee reads in its own lines."""
    mine = net * part.numerator // part.denominator
    shares = {ISSUER: mine + (tax if invoiced else 0), OTHER: net - mine}
    obligations = [owed(name, amount) for name, amount in sorted(shares.items()) if amount]
    seen = flows_of(BUYER, obligations, (), [charge(net, tax)])
    for name in shares:
        own = [item for item in obligations if item.creditor == name]
        lines = [line(name, "share", shares[name] - (tax if name == ISSUER and invoiced else 0))]
        lines += [line(name, "tax", tax)] if name == ISSUER and invoiced else []
        assert flows_of(name, own, lines, ()) == tuple(item for item in seen if item.payee == name)
    assert sum(item.amount for item in seen) == net + (tax if invoiced else 0)
    assert sum(item.amount for item in seen if item.what is What.TAX) == (tax if invoiced else 0)
    assert What.WHOLE not in {item.what for item in seen}


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (line(OTHER, "share", 99),),
        (line(OTHER, "share", 101), line(OTHER, "tax", -1)),
        (line(OTHER, "share", 100, period="2026-04"),),
        (line(OTHER, "share", 100), line(OTHER, "share", 7)),
        (line(BUYER, "share", 100),),
    ],
)
def test_amount_the_lines_do_not_tell__stays_whole(lines: tuple[Line, ...]) -> None:
    assert flows_of(OTHER, [owed(OTHER, 100)], lines, ()) == (Flow(BUYER, OTHER, What.WHOLE, 100),)


def test_charge_that_is_not_owed_as_it_was_priced__stays_whole() -> None:
    """A part is frozen, or was carried: neither gross nor net is what is owed."""
    for amount in (105, 99, 101):
        assert flows_of(BUYER, [owed(ISSUER, amount)], (), [charge(100, 6)]) == (
            Flow(BUYER, ISSUER, What.WHOLE, amount),
        )
    assert flows_of(BUYER, [owed(ISSUER, 106)], (), ()) == (Flow(BUYER, ISSUER, What.WHOLE, 106),)
    assert flows_of(BUYER, [owed(ISSUER, 100)], (), [charge(100, 6)]) == (Flow(BUYER, ISSUER, What.NET, 100),)


def test_month__each_party_sees_its_own_money_only(place: Place) -> None:
    house = House(place.engine())
    month = Month(house)
    cycle = month.issue(MAY)
    told = {party: office.account(house.session, cycle, party) for party in (CONSUMER, SELLER, PROVIDER)}
    every = told[CONSUMER].flows
    assert sum(flow.amount for flow in every) == month.body.gross
    assert sum(flow.amount for flow in every if flow.what is What.TAX) == month.body.tax
    for party in (SELLER, PROVIDER):
        assert told[party].flows == tuple(flow for flow in every if flow.payee == party)
    assert {flow.payee for flow in every} >= {SELLER, PROVIDER}
    house.close()
