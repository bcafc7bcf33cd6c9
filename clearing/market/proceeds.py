"""What kind of money a product earns, and that its price and terms say the same: taxable money is taxed, divided and
netted, non-tax revenue is none of these. Source: domain clearing §6, exchange.md §2.2.
"""

from __future__ import annotations

from clearing.errors import BadTerms
from clearing.market.product import Proceeds
from clearing.terms import Tax, Terms


def check_proceeds(proceeds: Proceeds, terms: Terms) -> None:
    """Refuse settlement terms of the other kind of money than the listing's. Raises BadTerms naming the field."""
    check_tax(proceeds, terms.tax, "terms.settlement.tax")
    if proceeds is Proceeds.NON_TAX and terms.non_tax is None:
        expected = "非税收入产品须约定收缴（执收单位、财政、开票单位、收费项目） / how non-tax revenue is collected"
        raise BadTerms("terms.settlement.non_tax", expected, "无 / none")
    if proceeds is Proceeds.OPERATING and terms.non_tax is not None:
        expected = "无：经营收入产品按应税办理 / none: the listing earns taxable money"
        raise BadTerms("terms.settlement.non_tax", expected, f"收费项目 / item {terms.non_tax.item}")


def check_tax(proceeds: Proceeds, tax: Tax, field: str) -> None:
    """Refuse VAT on non-tax revenue. Raises BadTerms naming the rate below `field`."""
    if proceeds is Proceeds.NON_TAX and tax.bp != 0:
        expected = "0：非税收入产品不计增值税 / 0: the listing earns non-tax revenue"
        raise BadTerms(f"{field}.bp", expected, tax.bp)
