"""One amount, one kind: what earned money is taxed, invoiced and divided; what belongs to the budget is none of these.

non_tax: no VAT split, no VAT invoice, a 财政电子票据; paid gross, never netted, and only to the treasury's 财政专户 or
国库, never to a department's own account. Source: domain clearing §6, §12 invariant 12, §13 trap 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clearing.errors import BadTerms
from clearing.settlement.netting.eligibility import Proceeds
from clearing.settlement.payment import BankAccount, check_account


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
