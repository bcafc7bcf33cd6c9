"""Value by cost, income and market: vectors and properties against fractions, refusals, the report and its check."""

import copy
import hashlib
import json
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import approach_oracle
import pricing_oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_cases import ROOT, changed, leaves

from clearing.pricing.approaches import APPROACHES, COST, INCOME, MARKET, approach
from clearing.pricing.arithmetic import CONTEXT, recorded
from clearing.pricing.comparables import CORRECTIONS, Market, market_comparables, select
from clearing.pricing.errors import CODES, PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.replacement import Depreciation, Remade, Replacement, replacement_cost
from clearing.pricing.trial import trial_value
from clearing.pricing.valuation import Flow, Income, IncomeLimits, check_income, income_dcf
from clearing.pricing.valuation_report import (
    ValuationRequest,
    appraisal_value,
    valuation_from_evidence,
    value,
    verify_valuation,
)
from clearing.pricing.value_kinds import AppraisalAmount
from ledger import canonical
from ledger.digest import twin
from tests.counts import few

EXAMPLE = json.loads((ROOT / "scripts" / "examples" / "trial_value.json").read_bytes())
REPORT = canonical.encode(trial_value(EXAMPLE)["report"])
EVIDENCE = canonical.encode(trial_value(EXAMPLE)["evidence"])
FILE = json.loads((Path(__file__).parent / "vectors" / "approaches.json").read_bytes())
TYPES = {COST: Replacement, INCOME: Income, MARKET: Market}
QUICK = settings(max_examples=few(60), deadline=None)


@pytest.fixture(autouse=True, scope="module")
def _working_precision():
    with localcontext(CONTEXT):
        yield


def text(x: Fraction) -> str:
    return pricing_oracle.text(x)


def decimal_text(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


shares = st.integers(0, 1000).map(decimal_text)
rates = st.integers(1, 2000).map(decimal_text)
flows = st.lists(st.tuples(st.integers(0, 10**12), shares), min_size=1, max_size=12)


def income(rate: str, items: list[tuple[int, str]]) -> Income:
    return Income(rate, "演示", tuple(Flow(cash, part) for cash, part in items))


def test_table__every_approach__gives_the_vectors_of_the_oracle():
    assert set(FILE) == set(APPROACHES) == set(approach_oracle.FORMULAS)
    for id_, rows in FILE.items():
        assert hashlib.sha256(canonical.encode(rows)).hexdigest() == APPROACHES[id_].vectors, id_
        for row in rows:
            assert text(approach_oracle.FORMULAS[id_](row["case"])) == row["result"], id_
            case = read_input(TYPES[id_], row["case"], "case")
            assert recorded(APPROACHES[id_].function(case)) == row["result"], (id_, row)


def test_approach__unknown_or_retired__is_refused(monkeypatch):
    from dataclasses import replace

    with pytest.raises(PricingRefused, match="METHOD_NOT_ALLOWED"):
        approach("valuation.average@1", 0)
    monkeypatch.setitem(APPROACHES, COST, replace(APPROACHES[COST], retired=5))
    assert approach(COST, 4).id == COST
    with pytest.raises(PricingRefused, match="STRATEGY_RETIRED"):
        approach(COST, 5)


@QUICK
@given(rates, rates, flows)
def test_income__never_rises_with_the_rate_nor_falls_with_life(rate, other, items):
    low, high = sorted((rate, other), key=Decimal)
    found = income_dcf(income(low, items))
    assert income_dcf(income(high, items)) <= found
    assert income_dcf(income(low, items[:-1] or items)) <= found
    document = {"rate": low, "flows": [{"cash_fen": cash, "attribution": part} for cash, part in items]}
    assert recorded(found) == text(approach_oracle.income(document))


@QUICK
@given(rates, st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 500), st.integers(0, 500)), min_size=1))
def test_income__is_linear_in_attribution(rate, items):
    def of(pick):
        return income_dcf(income(rate, [(cash, decimal_text(pick(one, two))) for cash, one, two in items]))

    both, parts = of(lambda one, two: one + two), of(lambda one, _: one) + of(lambda _, two: two)
    assert abs(both - parts) < Decimal("1E-12")


LIMITS = IncomeLimits("5", "3.5", "3", "before_income_tax", "演示")


def test_income__life_within_the_shortest_of_three_terms():
    assert check_income(income("0.1", [(1, "1")] * 3), LIMITS) == 3
    shorter = IncomeLimits("9", "3.999", "4", "after_income_tax", "演示")
    for limits, named in ((LIMITS, "source_authorisation"), (shorter, "right_remaining")):
        with pytest.raises(PricingRefused) as error:
            check_income(income("0.1", [(1, "1")] * 4), limits)
        assert (error.value.code, error.value.field) == ("TERM_EXCEEDED", "income.flows")
        assert named in error.value.expected


def remade(*amounts: int, index: str = "1", **other: object) -> Replacement:
    items = tuple(Remade("planning", amount, index, "演示") for amount in amounts)
    base = {"profit": "0.1", "depreciation": Depreciation("straight_line", 0, 12), "quality": "0.9"}
    return Replacement(items, **(base | other))


@QUICK
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=6), st.integers(1, 600), st.integers(0, 600), shares)
def test_replacement__zero_from_the_end_of_life_and_never_above_cost(amounts, span, more, quality):
    case = remade(*amounts, depreciation=Depreciation("straight_line", span + more, span), quality=quality)
    assert replacement_cost(case) == 0
    young = remade(*amounts, depreciation=Depreciation("straight_line", 0, span), quality=quality, profit="0")
    assert 0 <= replacement_cost(young) <= sum(amounts)


@QUICK
@given(st.sampled_from(["straight_line", "half_life"]), st.integers(1, 240), st.integers(0, 240), st.integers(0, 240))
def test_replacement__never_rises_with_age__and_halves(method, span, age, more):
    def at(months):
        return replacement_cost(remade(10**9, depreciation=Depreciation(method, months, span)))

    assert 0 <= at(age + more) <= at(age)
    if method == "half_life":
        assert recorded(at(age + span) * 2) == recorded(at(age))


def test_replacement__quality_above_one__needs_a_reason():
    with pytest.raises(PricingRefused, match="SCORE_RANGE"):
        replacement_cost(remade(100, quality="1.1"))
    assert replacement_cost(remade(100, quality="1.1", quality_reason="高于同类")) == Decimal("121")


def market(prices: list[tuple[int, int]], statistic: str = "weighted_median", **changes: object) -> dict:
    plain = {**dict.fromkeys(CORRECTIONS, "1"), "justified": {}}
    cases = [
        {"id": f"c{i}", "price_fen": price, "weight": weight, "at": 1, "seller": f"S{i}", "buyer": f"B{i}",
         "relation": "none", "tax_basis": "exclusive", "corrections": plain, "evidence": "演示"} | changes
        for i, (price, weight) in enumerate(prices)
    ]  # fmt: skip
    return {"base_date": 2, "statistic": statistic, "cases": cases}


def valued(document: dict) -> Decimal:
    return market_comparables(read_input(Market, document, "market"))


cases = st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 40)), min_size=3, max_size=9)


@QUICK
@given(cases, st.randoms(use_true_random=False), st.integers(1, 9), st.integers(500, 2000).map(decimal_text))
def test_market__median_is_one_of_the_prices__mean_lies_between(prices, random, k, factor):
    document = market(prices)
    median = valued(document)
    assert median in {price for price, _ in prices}
    assert median == approach_oracle.market(document)
    shuffled = document | {"cases": random.sample(document["cases"], len(prices))}
    assert valued(shuffled) == median
    assert valued(market([(price, weight * k) for price, weight in prices])) == median
    mean = document | {"statistic": "weighted_mean"}
    assert recorded(valued(mean)) == text(approach_oracle.market(mean))
    assert min(price for price, _ in prices) <= valued(mean) <= max(price for price, _ in prices)
    scaled = copy.deepcopy(document)
    for case in scaled["cases"]:
        case["corrections"] = case["corrections"] | {"density": factor}
    assert valued(scaled) == median * Decimal(factor)


SPOILED = {
    "related_party": {"relation": "related"},
    "relation_not_checked": {"relation": "unchecked"},
    "self_dealing": {"seller": "X", "buyer": "X"},
    "circle": {"seller": "B0", "buyer": "S0"},
    "non_cash": {"consideration": "equity"},
    "subsidised": {"subsidised": True},
    "refunded": {"refunded": True},
    "disputed": {"disputed": True},
    "bound_by_cap": {"capped": True},
    "zero_price": {"price_fen": 0},
    "not_comparable:tax_basis": {"tax_basis": "inclusive"},
}


@pytest.mark.parametrize("reason", SPOILED)
def test_market__not_at_arms_length__is_left_out_with_its_reason_and_moves_nothing(reason):
    document = market([(100, 1), (200, 1), (300, 1), (400, 1)])
    spoiled = copy.deepcopy(document["cases"][1]) | {"id": "x", "price_fen": 999, "weight": 1000} | SPOILED[reason]
    both = document | {"cases": [*document["cases"], spoiled]}
    selection = select(read_input(Market, both, "market"))
    assert ("x", reason) in [(case.id, why) for case, why in selection.excluded]
    if reason != "circle":
        assert valued(both) == valued(document) == 200
    else:
        # A→B beside B→A: neither of the two is believed.
        assert valued(both) == 300


def refused(document: dict) -> PricingRefused:
    with pytest.raises(PricingRefused) as error:
        trial_value(document)
    return error.value


R = "/request"
REFUSALS = [
    (f"{R}/replacement/items/0/code", "infrastructure", "INDIRECT_COST", "items[0].code"),
    (f"{R}/replacement/items/0/code", "subsidy", "INPUT_FORM", "items[0].code"),
    (f"{R}/replacement/items/0/evidence", " ", "INPUT_FORM", "items[0].evidence"),
    (f"{R}/replacement/items/0/price_index", "0", "SCORE_RANGE", "items[0].price_index"),
    (f"{R}/replacement/items/0/amount_fen", -1, "INPUT_FORM", "amount_fen"),
    (f"{R}/replacement/items", [], "INPUT_FORM", "replacement.items"),
    (f"{R}/replacement/profit", "-0.1", "SCORE_RANGE", "replacement.profit"),
    (f"{R}/replacement/profit", 0.1, "INPUT_FORM", ""),
    (f"{R}/replacement/depreciation/span_months", 0, "INPUT_FORM", "span_months"),
    (f"{R}/replacement/depreciation/age_months", -1, "INPUT_FORM", "age_months"),
    (f"{R}/replacement/quality", "0.91", "INPUT_FORM", "replacement.quality"),
    (f"{R}/quality/factor", "1.2", "SCORE_RANGE", "quality.factor"),
    (f"{R}/income/rate", "0", "SCORE_RANGE", "income.rate"),
    (f"{R}/income/rate", "1e-1", "INPUT_FORM", "income.rate"),
    (f"{R}/income/derivation", "", "INPUT_FORM", "income.derivation"),
    (f"{R}/income/flows", [], "INPUT_FORM", "income.flows"),
    (f"{R}/income/flows/0/attribution", "1.01", "SCORE_RANGE", "attribution"),
    (f"{R}/income_limits/right_remaining", "2.9", "TERM_EXCEEDED", "income.flows"),
    (f"{R}/income_limits/economic_life", "2", "TERM_EXCEEDED", "income.flows"),
    (f"{R}/income_limits/tax_basis", ..., "INPUT_FORM", "tax_basis"),
    (f"{R}/income_limits/evidence", "", "INPUT_FORM", "limits.evidence"),
    (f"{R}/income_limits", ..., "INPUT_FORM", "income_limits"),
    (f"{R}/market/cases/0/corrections/other", "2.01", "SCORE_RANGE", "corrections.other"),
    (f"{R}/market/cases/0/corrections/density", "0", "SCORE_RANGE", "corrections.density"),
    (f"{R}/market/cases/0/corrections/justified", {"colour": "x"}, "INPUT_FORM", "justified"),
    (f"{R}/market/cases/2/corrections/justified", {}, "SCORE_RANGE", "corrections.other"),
    (f"{R}/market/cases/0/at", 1796083201, "FUTURE_TRADE", ".at"),
    (f"{R}/market/cases/0/evidence", " ", "INPUT_FORM", ".evidence"),
    (f"{R}/market/cases/0/id", "演示案例2", "INPUT_FORM", "market.cases"),
    (f"{R}/market/base_date", 1, "INPUT_FORM", "market.base_date"),
    (f"{R}/issuer/appraiser", "演示登记机构", "NOT_INDEPENDENT", "issuer"),
    (f"{R}/issuer/appraiser", "演示开发商", "NOT_INDEPENDENT", "issuer"),
    (f"{R}/valid_until", 1796083200, "INPUT_FORM", "valid_until"),
    (f"{R}/assumptions", [], "INPUT_FORM", "assumptions"),
    (f"{R}/limits_of_use", [], "INPUT_FORM", "limits_of_use"),
    (f"{R}/used/0/approach", "valuation.income_dcf@1", "METHOD_NOT_ALLOWED", "used"),
    (f"{R}/used", [], "METHOD_NOT_ALLOWED", "used"),
    (f"{R}/market", ..., "METHOD_NOT_ALLOWED", "used"),
    (f"{R}/conclusion/approach", "valuation.average@1", "INPUT_FORM", "conclusion"),
    (f"{R}/conclusion/reason", "", "INPUT_FORM", "conclusion.reason"),
    (f"{R}/status", "issued", "STATE_FORBIDS", "status"),
    (f"{R}/colour", 1, "INPUT_FORM", "colour"),
    ("/colour", 1, "INPUT_FORM", "colour"),
    ("/request", ..., "INPUT_FORM", "request"),
]


@pytest.mark.parametrize(("pointer", "given_", "code", "field"), REFUSALS)
def test_valuation__wrong_input__is_refused_by_code_and_field_in_both_languages(pointer, given_, code, field):
    error = refused(changed(EXAMPLE, pointer, given_))
    assert error.code == code
    assert field in error.field
    assert error.expected
    assert error.given
    assert CODES[code][0] in error.zh
    assert CODES[code][1] in error.en
    assert "value_fen" not in str(error)


def test_valuation__two_cases_left__are_too_few():
    document = changed(EXAMPLE, f"{R}/market/cases/0/relation", "unchecked")
    document = changed(document, f"{R}/market/cases/1/disputed", True)
    error = refused(document)
    assert error.code == "TOO_FEW_CASES"
    assert "relation_not_checked" in error.given


def test_report__methods_stand_side_by_side__the_conclusion_is_one_of_them():
    report = canonical.decode(REPORT)
    figures = {row["approach"]: row["value_fen"] for row in report["results"]}
    assert len(set(figures.values())) == 3
    given_ = {COST: "replacement", INCOME: "income", MARKET: "market"}
    for id_, fen in figures.items():
        exact = approach_oracle.FORMULAS[id_](EXAMPLE["request"][given_[id_]])
        assert fen == int(exact + Fraction(1, 2))
    assert report["conclusion"]["value_fen"] == figures[INCOME]
    assert sum(figures.values()) not in [value for _, value in leaves(report)]
    assert report["statement"]["limits_of_use"]
    assert report["identity"]["issuer"]["appraiser"] == "演示评估机构"
    assert "S1" not in REPORT.decode()
    own = dict(report, digests={"evidence": report["digests"]["evidence"]})
    assert report["digests"]["report"] == twin(canonical.encode(own)).document()


def test_report__one_approach_only__the_others_left_out_with_reasons():
    request = copy.deepcopy(EXAMPLE["request"])
    for name in ("replacement", "market"):
        del request[name]
    request["used"] = [{"approach": INCOME, "reason": "演示"}]
    request["left_out"] = [{"approach": COST, "reason": "无归集"}, {"approach": MARKET, "reason": "无案例"}]
    report = trial_value({"request": request})["report"]
    assert [row["approach"] for row in report["results"]] == [INCOME]
    request["left_out"].pop()
    assert refused({"request": request}).code == "METHOD_NOT_ALLOWED"


def test_report__a_negative_value__is_shown_but_not_concluded_on():
    document = changed(EXAMPLE, f"{R}/income/flows/0/cash_fen", -(10**9))
    assert refused(document).field == "conclusion.value_fen"
    document = changed(document, f"{R}/conclusion/approach", COST)
    assert trial_value(document)["report"]["results"][1]["value_fen"] < 0


def _replaced(value_: object) -> object:
    if isinstance(value_, bool):
        return not value_
    if isinstance(value_, int):
        return value_ + 1
    return value_ + "x" if isinstance(value_, str) else ["x"]


def test_verify__any_leaf_of_the_report_changed__is_named():
    assert verify_valuation(REPORT, EVIDENCE).equal
    report = canonical.decode(REPORT)
    for pointer, leaf in list(leaves(report))[::3]:
        verdict = verify_valuation(canonical.encode(changed(report, pointer, _replaced(leaf))), EVIDENCE)
        assert (verdict.equal, verdict.where) == (False, "report")
        assert verdict.pointer in (pointer, f"{pointer}/0"), pointer
        assert not verify_valuation(canonical.encode(changed(report, pointer, ...)), EVIDENCE).equal


def test_verify__changed_evidence__names_what_follows_from_it():
    forged = changed(canonical.decode(EVIDENCE), "/request/income/flows/0/cash_fen", 1500001)
    verdict = verify_valuation(REPORT, canonical.encode(forged))
    assert verdict.pointer == "/inputs/income/flows/0/cash_fen"
    broken = verify_valuation(REPORT, canonical.encode(changed(forged, "/request/income/rate", "0")))
    assert (broken.equal, broken.where) == (False, "evidence")
    assert "SCORE_RANGE" in broken.expected


def test_report__same_evidence__same_bytes_whatever_the_ambient_context():
    request = read_input(ValuationRequest, EXAMPLE["request"], "request")
    with localcontext() as context:
        context.prec = 5
        assert (value(request).data, value(request).evidence) == (REPORT, EVIDENCE)
        assert valuation_from_evidence(EVIDENCE).data == REPORT


def test_appraisal__comes_from_an_issued_report_only():
    issued = value(read_input(ValuationRequest, EXAMPLE["request"] | {"status": "issued"}, "request"))
    stated = appraisal_value(issued)
    assert stated.amount == AppraisalAmount(issued.document["conclusion"]["value_fen"])
    assert stated.issuer == "演示评估机构"
    assert stated.document.sha256 == issued.digest.sha256.hex()
    with pytest.raises(PricingRefused, match="STATE_FORBIDS"):
        appraisal_value(valuation_from_evidence(EVIDENCE))
