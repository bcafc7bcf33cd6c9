"""Allowed revenue of public-data operation: base from its parts, caps against revenue, the report of each year."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_cases import ROOT, changed

from clearing.pricing.allowance import OperatingCost, OperatingYear, Operation, allowance_reports, base_of
from clearing.pricing.errors import CODES, PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.trial import trial_allowance
from ledger import canonical
from ledger.digest import twin
from tests.counts import few

EXAMPLE = json.loads((ROOT / "scripts" / "examples" / "trial_allowance.json").read_bytes())
O = "/operation"  # noqa: E741
SALE = f"{O}/years/0/sales/0"
fen = st.integers(0, 10**12)


def test_reports__the_example__as_worked_out_by_hand():
    """2025: 6,300,000 − 800,000 + 300,000 + 100,000 = 5,900,000 against 7,200,000; 1,300,000 is deducted in 2026."""
    first, second = trial_allowance(EXAMPLE)["reports"]
    assert first["base"]["base_fen"] == 5_900_000
    assert first["allowance"]["over_fen"] == 1_300_000
    assert first["allowance"]["within"] is False
    assert second["allowance"] == {
        "deduct_fen": 1_300_000,
        "allowed_fen": 6_100_000 - 1_300_000,
        "actual_fen": 5_760_000,
        "within": False,
        "shortfall_fen": 0,
        "over_fen": 960_000,
    }
    assert [(row["unit_price_fen"], row["cap_fen"], row["free"]) for row in first["products"]] == [
        (4800, 5000, False), (0, 0, True),
    ]  # fmt: skip
    assert first["mark"] == "演示"
    own = {key: value for key, value in first.items() if key != "digests"}
    assert first["digests"]["report"] == twin(canonical.encode(own)).document()


years = st.lists(st.tuples(st.lists(fen, max_size=5), fen, fen, fen, fen), min_size=1, max_size=6)


@settings(max_examples=few(60), deadline=None)
@given(years)
def test_allowance__an_excess_is_never_forgotten(drawn):
    made, expected = [], 0
    for position, (costs, subsidy, profit, tax, actual) in enumerate(drawn):
        subsidy = min(subsidy, sum(costs))
        items = tuple(OperatingCost("platform", amount, "inclusive", "演示") for amount in costs)
        sale = {
            "product": "p", "version": 1, "name": "p", "purpose": "industry", "billing_unit": "call",
            "billing_size": 1, "unit_price_fen": 1, "quantity": actual, "bills": 0, "revenue_fen": actual,
            "tax_basis": "inclusive", "contract_at": 5,
            "cap": {"id": "c", "product": "p", "version": 1, "billing_unit": "call", "billing_size": 1, "fen": 1,
                    "kind": "formal", "issuer": "演示", "document": "演示", "effective_from": 0},
        }  # fmt: skip
        year = {"year": 2020 + position, "tax_basis": "inclusive", "costs": [], "subsidy_fen": 0, "profit_fen": 0,
                "tax_fen": 0, "sales": [sale]}  # fmt: skip
        plain = read_input(OperatingYear, year, "year")
        made.append(OperatingYear(plain.year, "inclusive", items, subsidy, profit, tax, plain.sales))
        assert base_of(made[-1]).base_fen == sum(costs) - subsidy + profit + tax
        expected += actual - (sum(costs) - subsidy + profit + tax)
    reports = allowance_reports(Operation("演示", "演示", tuple(made)))
    last = reports[-1]["allowance"]
    assert last["over_fen"] >= max(0, expected)
    assert all(report["allowance"]["allowed_fen"] >= 0 for report in reports)
    for earlier, later in pairwise(reports):
        assert later["allowance"]["deduct_fen"] == earlier["allowance"]["over_fen"]


def test_cap__against_revenue__half_a_fen_a_bill_and_not_more():
    at_cap = changed(changed(EXAMPLE, f"{SALE}/unit_price_fen", 5000), f"{SALE}/revenue_fen", 5000 * 1500 + 6)
    assert trial_allowance(at_cap)["reports"][0]["products"][0]["revenue_fen"] == 7_500_006
    with pytest.raises(PricingRefused, match="CAP_EXCEEDED"):
        trial_allowance(changed(at_cap, f"{SALE}/revenue_fen", 5000 * 1500 + 7))


REFUSALS = [
    (f"{SALE}/unit_price_fen", 5001, "CAP_EXCEEDED", "unit_price_fen"),
    (f"{SALE}/revenue_fen", 9_000_000, "CAP_EXCEEDED", "sales[0].revenue_fen"),
    (f"{SALE}/cap", ..., "CAP_MISSING", "cap"),
    (f"{SALE}/cap/effective_from", 1738339201, "CAP_MISSING", "cap.effective_from"),
    (f"{SALE}/cap/product", "product:other", "CAP_MISSING", "cap.product"),
    (f"{SALE}/cap/billing_size", 1, "UNIT_MISMATCH", "cap.billing_unit"),
    (f"{SALE}/tax_basis", "inclusive", "UNIT_MISMATCH", "sales[0].tax_basis"),
    (f"{SALE}/purpose", "welfare", "CAP_EXCEEDED", "unit_price_fen"),
    (f"{O}/years/0/sales/1/revenue_fen", 1, "CAP_EXCEEDED", "sales[1].revenue_fen"),
    (f"{O}/years/0/costs/1/tax_basis", "inclusive", "UNIT_MISMATCH", "costs[1].tax_basis"),
    (f"{O}/years/0/costs/1/code", "colour", "INPUT_FORM", "costs[1].code"),
    (f"{O}/years/0/subsidy_fen", 6_300_001, "INPUT_FORM", "subsidy_fen"),
    (f"{O}/years/0/profit_fen", -1, "INPUT_FORM", "profit_fen"),
    (f"{O}/years/0/tax_fen", 1.5, "INPUT_FORM", ""),
    (f"{O}/years/1/year", 2027, "INPUT_FORM", "years"),
    (f"{O}/years", [], "INPUT_FORM", "years"),
    (f"{O}/colour", 1, "INPUT_FORM", "colour"),
    ("/colour", 1, "INPUT_FORM", "colour"),
    (O, ..., "INPUT_FORM", "operation"),
]


@pytest.mark.parametrize(("pointer", "given_", "code", "field"), REFUSALS)
def test_allowance__wrong_input__is_refused_by_code_and_field_in_both_languages(pointer, given_, code, field):
    with pytest.raises(PricingRefused) as error:
        trial_allowance(changed(EXAMPLE, pointer, given_))
    assert error.value.code == code
    assert field in error.value.field
    assert error.value.expected
    assert error.value.given
    assert CODES[code][0] in error.value.zh
    assert CODES[code][1] in error.value.en
