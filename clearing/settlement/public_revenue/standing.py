"""Where one due stands by what was stated about it, folded act by act; an act that does not follow is refused.

The service asks this before it stores, the views keep what it answers, the audit folds the facts again. Times and what
other dues used (tickets, bank entries, the plan's lineage) are the service's to ask. Source: domain clearing §6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearing.errors import BadTerms, WrongMove
from clearing.settlement.public_revenue.allocation import Line
from clearing.settlement.public_revenue.path import State, after
from clearing.settlement.public_revenue.proceeds import Paper, check_collecting, require_non_tax, require_paper
from clearing.settlement.public_revenue.statements import (
    MOVE_OF,
    Allocation,
    Due,
    Notice,
    Payment,
    Refund,
    RefundPaid,
    Stated,
    Ticket,
    TicketKey,
    Withdrawal,
    check_parties,
)


@dataclass(frozen=True, slots=True)
class Refunding:
    """A refund with its fact and, once the treasury paid it, that statement."""

    fact: str
    refund: Refund
    paid: RefundPaid | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A ticket with its fact, what it was allocated to and what was given back of it."""

    fact: str
    ticket: Ticket
    allocation: Allocation | None = None
    refunds: tuple[Refunding, ...] = ()

    @property
    def refunded(self) -> int:
        """Fen decided to go back, paid or not."""
        return sum(item.refund.fen for item in self.refunds)

    def net_of(self, code: str) -> int:
        """Fen a purpose has of this ticket, refunds taken off."""
        divided = [self.allocation] if self.allocation else []
        parts = [*divided, *(item.refund for item in self.refunds)]
        return sum(line.amount for part in parts for line in part.lines if line.code == code)


@dataclass(frozen=True, slots=True)
class Standing:
    """One due whole; amounts in fen."""

    id: str
    state: State
    due: Due
    fact: str
    notice: Notice | None = None
    payment: Payment | None = None
    tickets: tuple[Issued, ...] = ()

    @property
    def paid(self) -> int:
        return self.payment.fen if self.payment else 0

    @property
    def ticketed(self) -> int:
        return sum(item.ticket.fen for item in self.tickets)

    @property
    def allocated(self) -> int:
        return sum(item.ticket.fen for item in self.tickets if item.allocation)

    @property
    def refunded(self) -> int:
        return sum(item.refunded for item in self.tickets)

    @property
    def open_refund(self) -> Refunding | None:
        """The refund that was decided and not paid yet; there is one at most."""
        return next((item for issued in self.tickets for item in issued.refunds if item.paid is None), None)

    def issued(self, ticket: TicketKey) -> Issued:
        """One ticket of this due. Raises BadTerms."""
        for item in self.tickets:
            if item.ticket.ticket == ticket:
                return item
        known = " | ".join(str(item.ticket.ticket) for item in self.tickets) or "—"
        raise BadTerms("body.ticket", f"本笔的票据 / a ticket of this due: {known}"[:300], str(ticket))


def fold(standing: Standing | None, due: str, body: Any, fact: str = "") -> Standing:
    """The due after one more act; `fact` is the id of the fact that states it.

    Raises WrongMove where the table has no such move, BadTerms where amounts, account, paper or parties do not fit.
    """
    move = MOVE_OF[type(body)]
    after(due, standing.state if standing else None, move, complete=True)
    if standing is None:
        check_parties(body)
        require_non_tax(body.proceeds_kind, "body.proceeds_kind")
        return Standing(due, after(due, None, move, complete=True), body, fact)
    _require_same_parties(standing.due, body)
    changed = _CHANGES[type(body)](standing, body, fact)
    return replace(changed, state=after(due, standing.state, move, complete=_complete(changed, body)))


def folded(due: str, acts: Iterable[tuple[Any, str]]) -> Standing:
    """The due after all its acts, (body, fact id) in order. Raises as `fold`, and BadTerms where there is none."""
    standing: Standing | None = None
    for body, fact in acts:
        standing = fold(standing, due, body, fact)
    if standing is None:
        raise BadTerms("facts", "应缴核定 / an assessment", "缺 / missing")
    return standing


def _complete(standing: Standing, body: Any) -> bool:
    match body:
        case Ticket():
            return standing.ticketed == standing.paid
        case Allocation():
            return all(item.allocation for item in standing.tickets)
        case RefundPaid():
            return standing.refunded == standing.paid
        case _:
            return True


def _require_same_parties(due: Due, body: Stated) -> None:
    for name in ("authority", "payer", "treasury", "issuer"):
        if getattr(body, name) != getattr(due, name):
            raise BadTerms(f"body.{name}", getattr(due, name), getattr(body, name))


def _require_whole(given: int, whole: int) -> None:
    if given != whole:
        raise BadTerms("body.fen", f"{whole}（全额 / the whole amount）", given)


def _withdrawn(standing: Standing, body: Withdrawal, fact: str) -> Standing:
    return standing


def _notified(standing: Standing, body: Notice, fact: str) -> Standing:
    _require_whole(body.fen, standing.due.fen)
    check_collecting(body.to, "body.to")
    return replace(standing, notice=body)


def _paid(standing: Standing, body: Payment, fact: str) -> Standing:
    notice = standing.notice
    assert notice is not None, standing.state
    _require_whole(body.fen, notice.fen)
    for field, expected, given in (
        ("body.code", notice.code, body.code),
        ("body.account", notice.to.account.number, body.account),
    ):
        if expected != given:
            raise BadTerms(field, expected, given)
    return replace(standing, payment=body)


def _ticketed(standing: Standing, body: Ticket, fact: str) -> Standing:
    require_paper(standing.due.proceeds_kind, body.paper, "body.paper")
    assert Paper.FISCAL_TICKET is body.paper
    if any(item.ticket.ticket == body.ticket for item in standing.tickets):
        raise WrongMove(str(body.ticket), "未用过的票据 / a ticket not used yet", "已开具 / issued")
    left = standing.paid - standing.ticketed
    if body.fen > left:
        raise BadTerms("body.fen", f"≤ {left}（未开票的到账 / paid and not ticketed）", body.fen)
    return replace(standing, tickets=(*standing.tickets, Issued(fact, body)))


def _allocated(standing: Standing, body: Allocation, fact: str) -> Standing:
    issued = standing.issued(body.ticket)
    if issued.allocation is not None:
        raise WrongMove(str(body.ticket), "未清分的票据 / a ticket not allocated", "已清分 / allocated")
    _require_sum(body.lines, issued.ticket.fen)
    return _with(standing, replace(issued, allocation=body))


def _refunded(standing: Standing, body: Refund, fact: str) -> Standing:
    issued = standing.issued(body.ticket)
    left = issued.ticket.fen - issued.refunded
    if body.fen > left:
        raise BadTerms("body.fen", f"≤ {left}（已缴未退 / paid and not given back）", body.fen)
    assert issued.allocation is not None, standing.state
    lineage = (issued.allocation.plan, issued.allocation.version)
    if (body.plan, body.version) != lineage:
        raise BadTerms("body.version", "{} {}".format(*lineage), f"{body.plan} {body.version}")
    _require_sum(body.lines, -body.fen)
    return _with(standing, replace(issued, refunds=(*issued.refunds, Refunding(fact, body))))


def _paid_back(standing: Standing, body: RefundPaid, fact: str) -> Standing:
    found = standing.open_refund
    assert found is not None, standing.state
    if body.refund != found.fact:
        raise BadTerms("body.refund", found.fact, body.refund)
    _require_whole(body.fen, found.refund.fen)
    issued = standing.issued(found.refund.ticket)
    paid = tuple(replace(item, paid=body) if item.fact == found.fact else item for item in issued.refunds)
    return _with(standing, replace(issued, refunds=paid))


def _require_sum(lines: Sequence[Line], amount: int) -> None:
    if (total := sum(line.amount for line in lines)) != amount:
        raise BadTerms("body.lines", f"Σ = {amount}", total)


def _with(standing: Standing, issued: Issued) -> Standing:
    key = issued.ticket.ticket
    return replace(standing, tickets=tuple(issued if item.ticket.ticket == key else item for item in standing.tickets))


_CHANGES: dict[type[Any], Callable[[Standing, Any, str], Standing]] = {
    Withdrawal: _withdrawn,
    Notice: _notified,
    Payment: _paid,
    Ticket: _ticketed,
    Allocation: _allocated,
    Refund: _refunded,
    RefundPaid: _paid_back,
}
assert {Due, *_CHANGES} == set(MOVE_OF)
