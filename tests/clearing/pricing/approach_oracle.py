"""An independent reading of the three approaches to value: fractions over the plain documents, no Decimal."""

from fractions import Fraction

import pricing_oracle

F = Fraction
NAMES = ("quality", "density", "date", "capacity", "supply_demand", "other")


def cost(case: dict) -> Fraction:
    made = sum((F(item["amount_fen"]) * F(item["price_index"]) for item in case["items"]), F(0))
    wear = case["depreciation"]
    age = F(wear["age_months"], wear["span_months"])
    left = max(F(0), 1 - age) if wear["method"] == "straight_line" else pricing_oracle.exp(-pricing_oracle.LN2 * age)
    return made * (1 + F(case["profit"])) * left * F(case["quality"])


def income(case: dict) -> Fraction:
    return sum(
        (
            F(flow["attribution"]) * flow["cash_fen"] / (1 + F(case["rate"])) ** year
            for year, flow in enumerate(case["flows"], 1)
        ),
        F(0),
    )


def fair(case: dict, cases: list[dict]) -> bool:
    backwards = any((other["buyer"], other["seller"]) == (case["seller"], case["buyer"]) for other in cases)
    spoiled = any(case.get(name) for name in ("subsidised", "refunded", "disputed", "capped"))
    cash = case.get("consideration", "cash") == "cash"
    clean = case["relation"] == "none" and case["tax_basis"] == "exclusive"
    return clean and cash and case["price_fen"] > 0 and not backwards and not spoiled


def corrected(case: dict) -> Fraction:
    result = F(case["price_fen"])
    for name in NAMES:
        result *= F(case["corrections"][name])
    return result


def market(case: dict) -> Fraction:
    kept = [(corrected(one), one["id"], one["weight"]) for one in case["cases"] if fair(one, case["cases"])]
    if case["statistic"] == "weighted_mean":
        return sum(value * weight for value, _, weight in kept) / sum(weight for _, _, weight in kept)
    line = [value for value, _, weight in sorted(kept) for _ in range(weight)]
    return line[(len(line) - 1) // 2]


FORMULAS = {
    "valuation.replacement_cost@1": cost,
    "valuation.income_dcf@1": income,
    "valuation.market_comparables@1": market,
}
