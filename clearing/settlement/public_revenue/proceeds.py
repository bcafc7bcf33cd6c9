"""One amount, one kind: what earned money is taxed, invoiced and divided; what belongs to the budget is none of these.

non_tax: no VAT split, no VAT invoice, a 财政电子票据; paid gross, never netted, and only to the treasury's 财政专户 or
国库, never to a department's own account. Source: domain clearing §6, §12 invariant 12, §13 trap 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clearing import money
from clearing.errors import BadTerms
from clearing.money import TaxSplit
from clearing.settlement.netting.eligibility import Proceeds
from clearing.settlement.payment import BankAccount, check_account
from clearing.terms import Tax


class Paper(StrEnum):
    """What is given for money received."""

    VAT_INVOICE = "vat_invoice"  # 增值税发票
    FISCAL_TICKET = "fiscal_ticket"  # 财政电子票据


class AccountKind(StrEnum):
    """Whose account it is; only the first two take non-tax revenue."""

    FISCAL = "fiscal"  # 财政专户
    TREASURY = "treasury"  # 国库
    DEPARTMENT = "department"  # 部门自有账户
    SUPERVISED = "supervised"  # 监管账户
    OTHER = "other"


OF_THE_TREASURY = frozenset({AccountKind.FISCAL, AccountKind.TREASURY})
PAPERS = {Proceeds.TAXABLE: Paper.VAT_INVOICE, Proceeds.NON_TAX: Paper.FISCAL_TICKET}
"""The one paper of each kind; passed-through costs and advances have no paper of their own here."""


@dataclass(frozen=True, slots=True)
class Collecting:
    """收缴账户: where non-tax revenue is paid, held by the treasury named in the statement."""

    kind: AccountKind
    account: BankAccount


def require_non_tax(kind: Proceeds, field: str) -> None:
    """Raises BadTerms unless the amount is non-tax revenue: nothing else goes this way."""
    if kind is not Proceeds.NON_TAX:
        raise BadTerms(field, "non_tax（应税收入走发票与清分 / taxable money is invoiced and shared)", kind.value)


def separate(kind: Proceeds, amount: int, tax: Tax | None) -> TaxSplit:
    """Net and tax of one amount ≥ 0, fen: taxable by §6, half up; non-tax whole, with no tax at all.

    Raises BadTerms for taxable money without a tax rule, for non-tax money with one, and for the kinds that are neither
    revenue; BadMoney for an amount out of bounds.
    """
    if kind is Proceeds.TAXABLE and tax is not None:
        return money.split_tax(amount, tax)
    if kind is Proceeds.NON_TAX and tax is None:
        whole = money.fen(amount, "amount", least=0)
        return TaxSplit(whole, whole, 0)
    if kind in PAPERS:
        expected = "税率 / a tax rule" if tax is None else "非税收入不分税 / none: non-tax revenue has no VAT"
        raise BadTerms("tax", expected, None if tax is None else tax.bp)
    raise BadTerms("proceeds_kind", " | ".join(PAPERS), kind.value)


def require_paper(kind: Proceeds, paper: Paper, field: str) -> None:
    """Raises BadTerms unless this is the paper of that kind of money."""
    expected = PAPERS.get(kind)
    if paper is not expected:
        raise BadTerms(field, str(expected), paper.value)


def check_collecting(to: Collecting, field: str) -> None:
    """Raises BadTerms for an account that is not the treasury's or that a bank would misread."""
    if to.kind not in OF_THE_TREASURY:
        raise BadTerms(
            f"{field}.kind", "财政专户 fiscal | 国库 treasury（不得缴入部门账户 / never a department's)", to.kind.value
        )
    check_account(to.account, f"{field}.account")
