"""Taking in what is stated about non-tax revenue, dividing for those who sign, and recomputing all of it from facts.

Nothing here commits, reads a clock or repairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, ClearingError
from clearing.market.errors import NotEntitled
from clearing.settlement import store as settlement
from clearing.settlement.journal import Transaction, differences
from clearing.settlement.public_revenue import store
from clearing.settlement.public_revenue.allocation import Line, divide, sharing_plan
from clearing.settlement.public_revenue.book import Book, book_of
from clearing.settlement.public_revenue.posting import posted
from clearing.settlement.public_revenue.standing import Standing, fold
from clearing.settlement.public_revenue.statements import (
    AUTHORITY,
    CHECKER,
    ISSUER,
    KINDS,
    MAKER,
    TREASURY,
    Allocation,
    Divided,
    Due,
    Notice,
    Payment,
    Plan,
    Refund,
    RefundPaid,
    Ticket,
    TicketKey,
    Withdrawal,
    body_in,
    id_of,
    signer_of,
)
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Signed
from ledger.reading import body_of
from ledger.store import Appended
from registry import signers
from registry.calendar import day_of


@dataclass(frozen=True, slots=True)
class Division:
    """What two persons sign to allocate a ticket or to take a refund back: all but the refund's reason and document."""

    ticket: TicketKey
    plan: str
    version: int
    before: int
    lines: tuple[Line, ...]


def take(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a statement of one of `statements.KINDS` under exactly the signatures its kind asks for. The same
    statement again gets the first fact.

    Raises `BadTerms`, `BadMoney`, `FieldError`, `BadSignature`, `NotEntitled`, `WrongMove`, `Clash`, `UnknownFact`, the
    registry's `Unknown`, and the ledger's `Conflict`, `Stale`.
    """
    statement = signed.statement
    body, own = body_in(statement), id_of(statement.subject)
    _require_signers(session, signed, body, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    before = store.standing(session, own) if statement.no and not isinstance(body, Plan) else None
    if not isinstance(body, Plan):
        fold(before, own, body)
    _CHECKS[type(body)](session, own, body, before, at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def division(session: Session, due: str, ticket: TicketKey, plan: str = "", refund: int = 0) -> Division:
    """A ticket divided as it would be now: whole under the newest version of `plan`, or `refund` fen taken back under
    the version it was allocated by.

    Raises `UnknownFact`, `BadTerms`, `BadMoney`.
    """
    issued = store.standing(session, due).issued(ticket)
    if not refund:
        found = store.plan(session, plan)
        return _divided(found, ticket, issued.ticket.fen)
    if issued.allocation is None:
        raise BadTerms("ticket", "已清分的票据 / an allocated ticket", str(ticket))
    if refund > (left := issued.ticket.fen - issued.refunded):
        raise BadTerms("refund", f"≤ {left}（已缴未退 / paid and not given back）", refund)
    found = store.plan(session, issued.allocation.plan, issued.allocation.version)
    return _divided(found, ticket, -refund)


def book(session: Session, party: str | None) -> Book:
    """The 台账 of the dues a party takes part in, of all without one."""
    return book_of([store.standing(session, due) for due in store.dues(session, party)])


def audit(session: Session) -> Iterator[str]:
    """All acts folded again in the order they were taken in: one finding for each figure that differs. Lines are
    divided anew, lineages summed anew, journal transactions made anew."""
    standings: dict[str, Standing] = {}
    plans: dict[tuple[str, int], Plan] = {}
    totals: dict[tuple[str, int], int] = {}
    expected: list[Transaction] = []
    for fact in ledger.facts_of_kind(session, *KINDS):
        own = id_of(fact.subject)
        try:
            body = body_in(fact.statement)
            if isinstance(body, Plan):
                plans[own, body.version], totals[own, body.version] = body, 0
                continue
            standings[own] = fold(standings.get(own), own, body, fact.id)
            if isinstance(body, Divided):
                key = (body.plan, body.version)
                moved = -body.fen if isinstance(body, Refund) else standings[own].issued(body.ticket).ticket.fen
                again = divide(*key, plans[key].purposes, totals[key], moved)
                if body.before != totals[key]:
                    yield f"{own} {fact.kind} before: 应为 / expected {totals[key]}, 实为 / given {body.before}"
                yield from _lines(f"{own} {fact.kind} {body.ticket}", again, body.lines)
                totals[key] += moved
        except (ClearingError, LedgerError, KeyError) as error:
            yield f"{own} {fact.kind} 不可重算 / not recomputable: {error}"[:400]
            continue
        if (made := posted(standings[own], body, fact.id, fact.at)) is not None:
            expected.append(made)
    yield from _rows(session, standings, totals)
    yield from _journal(session, expected)


def _lines(where: str, expected: tuple[Line, ...], given: tuple[Line, ...]) -> Iterator[str]:
    codes, other_codes = [line.code for line in expected], [line.code for line in given]
    if codes != other_codes:
        yield f"{where} lines: 应为 / expected {codes}, 实为 / given {other_codes}"[:400]
        return
    for one, other in zip(expected, given, strict=True):
        wanted, found = body_of(one), body_of(other)
        for name in sorted(wanted):
            if wanted[name] != found.get(name):
                yield f"{where} {one.code} {name}: 应为 / expected {wanted[name]}, 实为 / given {found.get(name)}"[:400]


def _rows(session: Session, standings: Mapping[str, Standing], totals: Mapping[tuple[str, int], int]) -> Iterator[str]:
    rows = {row["id"]: row for row in store.due_rows(session)}
    for due in sorted(standings.keys() | rows.keys()):
        wanted = store.row_of(standings[due]) if due in standings else {}
        found = rows.get(due, {})
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                yield f"{due} {name}: 应为 / expected {wanted.get(name)}, 实为 / given {found.get(name)}"
    held = store.totals(session)
    for plan, version in sorted(totals.keys() | held.keys()):
        key = (plan, version)
        if totals.get(key) != held.get(key):
            yield f"{plan} {version} total: 应为 / expected {totals.get(key)}, 实为 / given {held.get(key)}"


def _journal(session: Session, expected: Iterable[Transaction]) -> Iterator[str]:
    """Each act against its transaction, and none beside them."""
    torn = settlement.unbalanced(session)
    yield from (f"journal transaction {number}: 应为 / expected 0, 实为 / given {torn[number]}" for number in torn)
    stored = [
        item
        for _, item in settlement.transactions(session, without=torn)
        if any(posting.account.non_tax for posting in item.postings)
    ]
    yield from differences(expected, stored)


def _require_signers(session: Session, signed: Signed, body: Any, at: int) -> None:
    by = signer_of(signed.statement.kind, body)
    if by is not None:
        signers.require_all(session, signed, {by}, at)
        return
    organisations = signers.organisations_of(session, signed, at)
    roles = sorted(signature.role for signature in signed.signatures)
    keys = {signature.key for signature in signed.signatures}
    if roles != sorted((MAKER, CHECKER)) or list(organisations.values()) != [body.authority] * 2 or len(keys) != 2:
        expected = f"{body.authority} 的 {MAKER} 与 {CHECKER}，两人 / two persons"
        raise NotEntitled(signed.statement.kind, expected, ", ".join(roles) or "—")


def _require_role(session: Session, party: str, role: str, field: str, at: int) -> None:
    taking.require_on_record(session, [(field, party)], at)
    if role not in (roles := taking.roles_of(session, party, at)):
        raise NotEntitled(field, f"{party} 具有角色 / in the role {role}", ", ".join(sorted(roles)) or "—")


def _require_unused(what: str, used: str | None) -> None:
    if used is not None:
        raise Clash(what, "未用过 / not used before", used)


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadTerms(field, "YYYY-MM-DD", text) from None


def _past(text: str, field: str, at: int) -> date:
    if (day := _day(text, field)) > day_of(at):
        raise BadTerms(field, f"≤ {day_of(at)}", text)
    return day


def _check_plan(session: Session, own: str, body: Plan, before: None, at: int) -> None:
    sharing_plan(body.version, body.purposes)
    _require_role(session, body.authority, AUTHORITY, "body.authority", at)
    if body.version > 1 and (first := store.plan(session, own).body.authority) != body.authority:
        raise NotEntitled("body.authority", first, body.authority)


def _check_due(session: Session, own: str, body: Due, before: None, at: int) -> None:
    for party, role, field in (
        (body.authority, AUTHORITY, "body.authority"),
        (body.treasury, TREASURY, "body.treasury"),
        (body.issuer, ISSUER, "body.issuer"),
    ):
        _require_role(session, party, role, field, at)
    taking.require_on_record(session, [("body.payer", body.payer)], at)
    _require_unused(f"basis {body.basis.sha256}", store.due_with(session, basis=body.basis.sha256))
    if body.origin is None:
        return
    ledger.fact(session, body.origin)
    if store.charged(session, body.origin):
        raise BadTerms("body.origin", "未按应税计费的事实 / a fact that was not charged as taxable", body.origin)
    _require_unused(f"origin {body.origin}", store.due_with(session, origin=body.origin))


def _check_withdrawal(session: Session, own: str, body: Withdrawal, before: Standing, at: int) -> None:
    """The table says until when; nothing else is asked."""


def _check_notice(session: Session, own: str, body: Notice, before: Standing, at: int) -> None:
    if _day(body.due_on, "body.due_on") < day_of(at):
        raise BadTerms("body.due_on", f"≥ {day_of(at)}", body.due_on)
    _require_unused(f"缴款码 / notice code {body.code}", store.due_with(session, notice=body.code))


def _check_payment(session: Session, own: str, body: Payment, before: Standing, at: int) -> None:
    _past(body.booked_on, "body.booked_on", at)
    used = store.due_of_entry(session, body.bank, body.reference)
    _require_unused(f"银行流水 / bank entry {body.bank} {body.reference}", used)


def _check_ticket(session: Session, own: str, body: Ticket, before: Standing, at: int) -> None:
    day = _past(body.issued_on, "body.issued_on", at)
    assert before.payment is not None, own
    if day < _day(before.payment.booked_on, "body.booked_on"):
        raise BadTerms("body.issued_on", f"≥ {before.payment.booked_on}", body.issued_on)
    _require_unused(f"财政电子票据 / ticket {body.ticket}", store.due_of_ticket(session, body.ticket))


def _check_allocation(session: Session, own: str, body: Allocation, before: Standing, at: int) -> None:
    found = store.plan(session, body.plan)
    if found.body.authority != body.authority:
        raise NotEntitled("body.plan", found.body.authority, body.authority)
    _require_division(_divided(found, body.ticket, before.issued(body.ticket).ticket.fen), body)


def _check_refund(session: Session, own: str, body: Refund, before: Standing, at: int) -> None:
    _require_division(_divided(store.plan(session, body.plan, body.version), body.ticket, -body.fen), body)


def _check_paid_back(session: Session, own: str, body: RefundPaid, before: Standing, at: int) -> None:
    _past(body.booked_on, "body.booked_on", at)
    used = store.due_of_entry(session, body.bank, body.reference)
    _require_unused(f"银行流水 / bank entry {body.bank} {body.reference}", used)


def _divided(found: store.PlanVersion, ticket: TicketKey, amount: int) -> Division:
    version, purposes = found.body.version, found.body.purposes
    lines = divide(found.plan, version, purposes, found.total, amount)
    return Division(ticket, found.plan, version, found.total, lines)


def _require_division(expected: Division, body: Divided) -> None:
    for name in ("version", "before", "lines"):
        wanted, given = getattr(expected, name), getattr(body, name)
        if wanted != given:
            told = str(body_of(wanted))[:400], str(body_of(given))[:400]
            raise BadTerms(f"body.{name}", *told)


_CHECKS: dict[type[Any], Callable[[Session, str, Any, Any, int], None]] = {
    Plan: _check_plan,
    Due: _check_due,
    Withdrawal: _check_withdrawal,
    Notice: _check_notice,
    Payment: _check_payment,
    Ticket: _check_ticket,
    Allocation: _check_allocation,
    Refund: _check_refund,
    RefundPaid: _check_paid_back,
}
assert {body for body, _, _ in KINDS.values()} == set(_CHECKS)
