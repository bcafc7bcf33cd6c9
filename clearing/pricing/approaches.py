"""The three approaches to value as named, versioned strategies, like the table of the price (pricing §4, §10).

A row is never altered: tests pin every function to reference vectors from an independent computation.
"""

from __future__ import annotations

from clearing.pricing.comparables import market_comparables
from clearing.pricing.element_price import INTRODUCED, Parameter, Strategy
from clearing.pricing.errors import PricingRefused
from clearing.pricing.replacement import replacement_cost
from clearing.pricing.valuation import income_dcf

COST, INCOME, MARKET = "valuation.replacement_cost@1", "valuation.income_dcf@1", "valuation.market_comparables@1"
NAMES = {COST: "成本法", INCOME: "收益法", MARKET: "市场法"}

APPROACHES: dict[str, Strategy] = {
    row.id: row
    for row in (
        Strategy(
            COST,
            replacement_cost,
            (Parameter("price_index", "0"), Parameter("profit", "0"), Parameter("quality", "0", "1")),
            INTRODUCED,
            None,
            "fb6ff89c1c955b4c560961317abb6f72801b63d100cd6822b4d7e6e03a90d370",
        ),
        Strategy(
            INCOME,
            income_dcf,
            (Parameter("rate", "0"), Parameter("attribution", "0", "1")),
            INTRODUCED,
            None,
            "023a49bb5ccee16aa5f68c90d8ac03200cf61ac9def11ef7392368027130e02f",
        ),
        Strategy(
            MARKET,
            market_comparables,
            (Parameter("correction", "0.5", "2"), Parameter("weight", "1")),
            INTRODUCED,
            None,
            "bead2844aca912348f99fdba60d34f389c48acab311e85dbcd85d8ec64302b77",
        ),
    )
}
"""`vectors` is the SHA-256 of the row's reference vectors (tests/clearing/pricing/vectors/approaches.json)."""


def approach(id_: str, as_of: int) -> Strategy:
    """The row `id_`, in use at `as_of`. Raises METHOD_NOT_ALLOWED for an unknown id, STRATEGY_RETIRED."""
    row = APPROACHES.get(id_)
    if row is None:
        raise PricingRefused("METHOD_NOT_ALLOWED", "strategy", " | ".join(APPROACHES), id_)
    if row.retired is not None and row.retired <= as_of:
        raise PricingRefused("STRATEGY_RETIRED", "strategy", "在用版本 / a version in use", id_)
    return row
