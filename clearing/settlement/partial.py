"""A partial payment, spread over what its payer owes, in proportion, by the rounding of sharing.

Spreading is cumulative: what each claim has got follows from the sum paid so far alone, so the number and
sizes of the payments have no effect and nobody is ever a fen off. Amounts are fen. Source: domain clearing §4 and §10;
decision D33.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from clearing import money
from clearing.errors import BadMoney
from clearing.money import tie_key


def spread(lineage: str, dues: Mapping[str, int], before: int, amount: int) -> dict[str, int]:
    """How one payment of `amount` > 0 is divided among `dues` (name → fen ≥ 0 originally due) after `before` was paid.

    `lineage` names the debt, say its statement: it decides between equal fractions. The parts sum to the amount; with
    the last payment every due is met exactly. A part may be −1 fen where an earlier rounding is taken back. Raises
    BadMoney for a negative due, or for more money than is still due: the excess is no discharge.
    """
    total = sum(money.fen(due, name, least=0) for name, due in dues.items())
    money.fen(before, "before", least=0)
    if not 0 < money.fen(amount, "amount") <= total - before:
        raise BadMoney("amount", f"from 1 to {total - before}, what is still due", amount)
    now, then = _paid(lineage, dues, total, before + amount), _paid(lineage, dues, total, before)
    return {name: now[name] - then[name] for name in dues}


def _paid(lineage: str, dues: Mapping[str, int], total: int, paid: int) -> dict[str, int]:
    """What every due has got when `paid` of `total` came in."""
    exact = {name: Fraction(paid * due, total) for name, due in dues.items()}
    return money.round_together(exact, {name: tie_key(lineage, name) for name in dues})
