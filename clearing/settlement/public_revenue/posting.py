"""The journal transaction of each act about a due; acts that move no obligation have none.

RCV against NTX when it is assessed, back when it is withdrawn, discharged by the ticket; REF against NTX for a refund.
At the end of every path all four are 0. Source: domain clearing §7.
"""

from __future__ import annotations

from typing import Any

from clearing.settlement import journal
from clearing.settlement.journal import Transaction
from clearing.settlement.public_revenue.standing import Standing
from clearing.settlement.public_revenue.statements import Due, Refund, RefundPaid, Ticket, Withdrawal


def posted(standing: Standing, body: Any, fact: str, at: int) -> Transaction | None:
    """What this act posts; `standing` is the due after it, `fact` and `at` are those of the act."""
    due = standing.due
    who = (standing.id, due.payer, due.treasury)
    match body:
        case Due():
            return journal.non_tax_assessed(fact, *who, due.fen, at)
        case Withdrawal():
            return journal.non_tax_assessed(standing.fact, *who, due.fen, at).mirror(fact, at)
        case Ticket():
            return journal.non_tax_paid(fact, *who, body.fen, at)
        case Refund():
            return journal.non_tax_refund(fact, *who, body.fen, at)
        case RefundPaid():
            return journal.non_tax_refunded(fact, *who, body.fen, at)
        case _:
            return None
