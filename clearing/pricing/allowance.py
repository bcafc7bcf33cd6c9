"""The yearly account of public-data operation: allowed revenue from its parts, caps against revenue (pricing §7).

    base(t) = operating cost − government subsidy + profit + tax;   the rest is `cap.allowances`

Government subsidy lowers operating cost here, while in an element's cost it is memo only: the two rules are opposite.
The source is 发改价格〔2025〕65号 through secondary copies; article wording is not checked, and the report's layout is
ours. All figures of an account are fen on one tax basis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from clearing.pricing.cap import Cap, Purpose, Year, allowances, check_price, limit_of
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Fen, Positive
from clearing.pricing.quality import Count
from clearing.pricing.request import Name
from ledger import canonical
from ledger.digest import twin
from ledger.reading import body_of

REPORT_KIND = "allowance-report/v1"
TaxBasis = Literal["exclusive", "inclusive"]
CostCode = Literal["platform", "transfer", "storage", "processing", "labour"]
COSTS: dict[CostCode, str] = {
    "platform": "平台建设运维",
    "transfer": "数据传输",
    "storage": "数据存储",
    "processing": "数据加工",
    "labour": "人工",
}


@dataclass(frozen=True, slots=True)
class OperatingCost:
    """One item of operating cost in fen, before subsidy, with its evidence."""

    code: CostCode
    amount_fen: Fen
    tax_basis: TaxBasis
    evidence: Name


@dataclass(frozen=True, slots=True)
class Sale:
    """What one product earned in the year at one price: fen per `billing_size` `billing_unit`, `quantity` in units.

    `contract_at` (UTC seconds) is when the price was agreed; `bills` is how many bills were rounded to whole fen.
    """

    product: Name
    version: Positive
    name: Name
    purpose: Purpose
    billing_unit: Name
    billing_size: Positive
    unit_price_fen: Fen
    quantity: Count
    bills: Count
    revenue_fen: Fen
    tax_basis: TaxBasis
    contract_at: Count
    cap: Cap | None = None


@dataclass(frozen=True, slots=True)
class OperatingYear:
    """One year: cost items, subsidy, profit and tax that make the base, and what each product earned. Fen."""

    year: Annotated[int, msgspec.Meta(ge=2000, le=2999)]
    tax_basis: TaxBasis
    costs: tuple[OperatingCost, ...]
    subsidy_fen: Fen
    profit_fen: Fen
    tax_fen: Fen
    sales: tuple[Sale, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator's public-data business from its first year on, under one authorising body."""

    operator: Name
    authority: Name
    years: tuple[OperatingYear, ...]
    mark: Name | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """base = cost − subsidy + profit + tax, fen; `cost_net_fen` is the first two."""

    cost_fen: int
    subsidy_fen: int
    cost_net_fen: int
    profit_fen: int
    tax_fen: int
    base_fen: int


def base_of(year: OperatingYear) -> Base:
    """The base of a year's allowed revenue.

    Raises UNIT_MISMATCH for a cost item on another tax basis, INPUT_FORM for a subsidy above the cost it is for.
    """
    for position, item in enumerate(year.costs):
        if item.tax_basis != year.tax_basis:
            where = f"years.{year.year}.costs[{position}].tax_basis"
            raise PricingRefused("UNIT_MISMATCH", where, year.tax_basis, item.tax_basis)
    cost = sum(item.amount_fen for item in year.costs)
    net = cost - year.subsidy_fen
    if net < 0:
        raise PricingRefused("INPUT_FORM", f"years.{year.year}.subsidy_fen", f"≤ {cost}", year.subsidy_fen)
    return Base(cost, year.subsidy_fen, net, year.profit_fen, year.tax_fen, net + year.profit_fen + year.tax_fen)


def check_sale(sale: Sale, tax_basis: TaxBasis, where: str) -> int:
    """The cap in fen that binds a sale (0 = free of charge), after price and revenue were found to keep it.

    Revenue may exceed cap·quantity by half a fen a bill, which is what rounding each bill allows. Raises CAP_MISSING,
    CAP_EXCEEDED, UNIT_MISMATCH (billing or tax basis).
    """
    if sale.tax_basis != tax_basis:
        raise PricingRefused("UNIT_MISMATCH", f"{where}.tax_basis", tax_basis, sale.tax_basis)
    limit = limit_of(
        "guided", sale.purpose, sale.cap, product=sale.product, version=sale.version,
        billing_unit=sale.billing_unit, billing_size=sale.billing_size, at=sale.contract_at,
    )  # fmt: skip
    check_price(limit, sale.unit_price_fen)
    cap = limit.cap_fen or 0
    rounding = 0 if limit.free else sale.bills * sale.billing_size
    if 2 * sale.revenue_fen * sale.billing_size > 2 * cap * sale.quantity + rounding:
        expected = f"≤ {cap} × {sale.quantity} / {sale.billing_size}"
        raise PricingRefused("CAP_EXCEEDED", f"{where}.revenue_fen", expected, sale.revenue_fen)
    return cap


def allowance_reports(operation: Operation) -> tuple[dict[str, Any], ...]:
    """The report of every year (年度经营情况报告) as JSON-ready values with a twin digest, oldest first.

    Each lists products, caps, prices and revenue (项目清单), the base with its parts, and revenue against allowance;
    an excess of one year is deducted in the next. Raises INPUT_FORM for years that do not follow each other, and what
    `base_of` and `check_sale` raise.
    """
    years = operation.years
    labels = [year.year for year in years]
    if not years or labels != list(range(labels[0], labels[0] + len(labels))):
        raise PricingRefused("INPUT_FORM", "years", "连续的年度 / consecutive years", labels)
    bases = [base_of(year) for year in years]
    actual = [sum(sale.revenue_fen for sale in year.sales) for year in years]
    products = [_products(year) for year in years]
    carried = allowances([Year(base.base_fen, earned) for base, earned in zip(bases, actual, strict=True)])
    reports = []
    for position, year in enumerate(years):
        allowance = carried[position]
        document: dict[str, Any] = {
            "kind": REPORT_KIND,
            "operator": operation.operator,
            "authority": operation.authority,
            "year": year.year,
            "currency": "CNY",
            "tax_basis": year.tax_basis,
            "products": products[position],
            "costs": [body_of(item) | {"name": COSTS[item.code]} for item in year.costs],
            "base": body_of(bases[position]),
            "allowance": {
                "deduct_fen": allowance.deduct_fen,
                "allowed_fen": allowance.allowed_fen,
                "actual_fen": actual[position],
                "within": actual[position] <= allowance.allowed_fen,
                "shortfall_fen": max(0, allowance.allowed_fen - actual[position]),
                "over_fen": allowance.over_fen,
            },
        }
        if operation.mark is not None:
            document["mark"] = operation.mark
        document["digests"] = {"report": twin(canonical.encode(document)).document()}
        reports.append(document)
    return tuple(reports)


def _products(year: OperatingYear) -> Sequence[dict[str, Any]]:
    rows = []
    for position, sale in enumerate(year.sales):
        cap = check_sale(sale, year.tax_basis, f"years.{year.year}.sales[{position}]")
        row = body_of(sale)
        row["cap_fen"] = cap
        row["free"] = sale.purpose != "industry"
        rows.append(row)
    return rows
