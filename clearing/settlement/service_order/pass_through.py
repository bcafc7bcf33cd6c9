"""代列费用: fees inside 中标金额 that are not the provider's. A sub-account each: in = actual cost out + residue.

Never shared, never netted, never set off against damages: nothing here meets a settlement. The residue is the
buyer's. Source: domain clearing §5, §7 (PASS); invariant 26.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clearing import money
from clearing.errors import BadTerms
from clearing.terms import Fen, Positive, Short
from registry.asset import Twin


class Fee(StrEnum):
    """监理 · 数据安全 · 工程结算审核 · 财务审计."""

    SUPERVISION = "supervision"
    SECURITY = "security"
    REVIEW = "review"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Cost:
    """An actual cost in fen, paid to a third party, with its document."""

    payee: Short
    fen: Positive
    document: Twin


@dataclass(frozen=True, slots=True)
class PassAccount:
    """One sub-account: what the buyer put in for one fee, fen, and what it actually cost."""

    fee: Fee
    deposited: Fen
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True, slots=True)
class Passed:
    """`deposited == spent + residue`, fen; the residue goes back to the buyer."""

    fee: str
    deposited: int
    spent: int
    residue: int


def passed(accounts: Sequence[PassAccount]) -> tuple[Passed, ...]:
    """Each sub-account by itself; none pays for another. Raises BadTerms for a fee that comes twice, a cost above what
    is in, and a document used twice."""
    names = [account.fee for account in accounts]
    if len(set(names)) != len(names):
        raise BadTerms("pass_through", "每项费用一户 / one account a fee", [str(name) for name in names])
    documents = [cost.document for account in accounts for cost in account.costs]
    if len(set(documents)) != len(documents):
        raise BadTerms("pass_through.costs", "每份单据一次 / each document once", "one twice")
    return tuple(_passed(account) for account in accounts)


def _passed(account: PassAccount) -> Passed:
    spent = money.fen(sum(cost.fen for cost in account.costs), f"pass_through.{account.fee}.costs")
    if spent > account.deposited:
        raise BadTerms(f"pass_through.{account.fee}.costs", f"≤ {account.deposited}", spent)
    return Passed(account.fee.value, account.deposited, spent, account.deposited - spent)
