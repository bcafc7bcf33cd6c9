"""资金流向: the obligations of one party's own statement, each divided into what it is: 不含税款, 税额, 保底差额.

Only the party's own statement and the charges it pays are read, so nothing is told that the statement does not tell.
Every obligation keeps its amount to the fen: what cannot be divided exactly (frozen, corrected, given back or carried
parts among it) stays whole. Source: domain clearing §1 row 8, §9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clearing.settlement.guarantee import is_claim
from clearing.settlement.journal import Account, Kind
from clearing.settlement.rating import Charge
from clearing.settlement.statement import Line, ObligationPart

Key = tuple[str, str]
"""(agreement, period)."""


class What(StrEnum):
    """What flows."""

    NET = "net"  # 不含税款
    TAX = "tax"  # 税额
    GUARANTEE = "guarantee"  # 保底差额
    WHOLE = "whole"  # 不能分开的


@dataclass(frozen=True, slots=True)
class Flow:
    """`amount` > 0 fen from `payer` to `payee`, being `what`."""

    payer: str
    payee: str
    what: What
    amount: int


def flows_of(
    party: str, obligations: Sequence[ObligationPart], lines: Sequence[Line], charges: Sequence[Charge]
) -> tuple[Flow, ...]:
    """The obligations as flows, in their order. `lines` are those of the party's statement, `charges` the ones that
    its lines name.

    Who is paid knows its shares and the tax it invoiced from its own lines. Who pays knows of each charge net and tax,
    and that the tax goes to whom issues the invoice; what it owes of a charge's agreement and period must be just the
    charges' gross (invoiced) or just their net (not yet), or nothing is divided. A guarantee has no tax in it.
    """
    received = _received(party, lines)
    taxes = _taxes(party, obligations, charges)
    found: list[Flow] = []
    for owed in obligations:
        guaranteed = sum(item.amount for item in owed.items if is_claim(item.agreement))
        keys = [(item.agreement, item.period) for item in owed.items if not is_claim(item.agreement)]
        rest = owed.amount - guaranteed
        if owed.creditor == party:
            net = sum(received[What.NET, key] for key in keys)
            tax = sum(received[What.TAX, key] for key in keys)
        else:
            tax = -1
            if all(key in taxes for key in keys):
                tax = sum(taxes[key].get(owed.creditor, 0) for key in keys)
            net = rest - tax
        if min(net, tax, guaranteed) < 0 or net + tax != rest:
            parts = {What.WHOLE: owed.amount}
        else:
            parts = {What.NET: net, What.TAX: tax, What.GUARANTEE: guaranteed}
        found += [Flow(owed.debtor, owed.creditor, what, amount) for what, amount in parts.items() if amount]
    return tuple(found)


def _received(party: str, lines: Sequence[Line]) -> Counter[tuple[What, Key]]:
    """Shares and tax that the party's lines gave it, by agreement and period."""
    kinds = {"share": What.NET, "tax": What.TAX}
    found: Counter[tuple[What, Key]] = Counter()
    for line in lines:
        if line.event in kinds and line.account == Account(Kind.PAY, party, line.agreement, line.period).name:
            found[kinds[line.event], (line.agreement, line.period)] += line.amount
    return found


def _taxes(party: str, obligations: Sequence[ObligationPart], charges: Sequence[Charge]) -> dict[Key, Counter[str]]:
    """Of each agreement and period that can be divided: the tax that the party owes to whom."""
    owes: Counter[Key] = Counter()
    for owed in obligations:
        if owed.debtor == party:
            for item in owed.items:
                owes[item.agreement, item.period] += item.amount
    found: dict[Key, Counter[str]] = {}
    for key, amount in owes.items():
        own = [item for item in charges if (item.agreement, item.period) == key]
        if own and amount == sum(item.gross for item in own):
            found[key] = Counter()
            for charge in own:
                found[key][charge.invoice_issuer] += charge.tax
        elif own and amount == sum(item.net for item in own):
            found[key] = Counter()
    return found
