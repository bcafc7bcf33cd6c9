"""Taking in what is stated about service orders, drafting settlements, reading a contract whole, and recomputing
settlements from their facts.

Nothing here commits, reads a clock or repairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, ClearingError, TooEarly, WrongMove
from clearing.market.errors import NotEntitled
from clearing.settlement import store as settlement
from clearing.settlement.journal import ORDER_EVENT, Transaction, differences
from clearing.settlement.service_order import store
from clearing.settlement.service_order.case import (
    MonthSheet,
    OrderSheet,
    month_window,
    outcome,
    score_month,
    score_order,
)
from clearing.settlement.service_order.coefficient import standing_of
from clearing.settlement.service_order.damages import incident_fen
from clearing.settlement.service_order.overview import Overview, overview
from clearing.settlement.service_order.pass_through import PassAccount, passed
from clearing.settlement.service_order.posting import paid, posted
from clearing.settlement.service_order.settling import Advances, advance, months_of, order_fee
from clearing.settlement.service_order.statements import (
    KINDS,
    PROJECT_PAYMENT,
    PROJECT_SETTLEMENT,
    Contract,
    CycleAccepted,
    CycleInvoiced,
    CyclePaid,
    CycleSettled,
    IncidentFound,
    MonthlyScore,
    OrderAcceptance,
    OrderScore,
    OrderZeroed,
    Placed,
    Waiver,
    body_in,
    case_of,
    check_contract,
    folded,
    id_of,
    signers_of,
)
from clearing.settlement.service_order.store import CycleRow
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import signers
from registry.asset import Twin
from registry.calendar import day_of


def take(session: Session, signed: Signed, *, at: int) -> Appended:
    """Takes in a statement of one of `statements.KINDS` under exactly the signatures its kind asks for. The same
    statement again gets the first fact.

    Raises `BadTerms`, `FieldError`, `BadSignature`, `NotEntitled`, `WrongMove`, `TooEarly`, `UnknownFact`, `Clash` for
    a bank entry that paid another 项目周期, and the ledger's `Conflict`, `Stale`.
    """
    statement = signed.statement
    body = body_in(statement)
    signers.require_all(session, signed, signers_of(statement.kind, body), at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    rehearse(session, statement, at=at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def rehearse(session: Session, statement: Statement, *, at: int) -> None:
    """Would `take` take this in, once everybody has signed it? Writes nothing; raises what `take` raises otherwise."""
    body = body_in(statement)
    if isinstance(body, Contract):
        check_contract(body)
        taking.require_on_record(session, [("body.supervisor", body.supervisor)], at)
        return
    terms = store.contract(session, body.contract).terms
    _require_parties(statement.kind, body, terms)
    _CHECKS[type(body)](session, id_of(statement.subject), body, terms, at)


def reading(session: Session, contract: str, *, at: int) -> Overview:
    """The contract whole, as its facts make it, for those who look. Raises `UnknownFact`."""
    return overview(store.facts_about(session, contract), at)


def draft(
    session: Session, contract: str, cycle: str, advances: Advances, pass_through: tuple[PassAccount, ...] = ()
) -> CycleSettled:
    """What buyer and provider sign to settle a 项目周期: every figure follows from the facts and the advances paid.

    Raises `UnknownFact`, `WrongMove` while a month has no score, `BadTerms`.
    """
    row, terms = store.cycle(session, contract, cycle), store.contract(session, contract).terms
    facts = facts_for(session, row)
    case = case_of(facts, advances, pass_through)
    return CycleSettled(
        contract=contract, buyer=terms.buyer, provider=terms.provider, supervisor=terms.supervisor, cycle=cycle,
        advances=advances, settled_before=case.cycle.settled_before, facts=tuple(fact.id for fact in facts),
        settlement=outcome(case).settlement, pass_through=pass_through,
    )  # fmt: skip


def draft_payment(
    session: Session, contract: str, cycle: str, *, bank: str, reference: str, booked_on: str, evidence: Twin
) -> CyclePaid:  # fmt: skip
    """What buyer and provider sign when the bank has booked what a settlement pays. Raises `UnknownFact`, and
    `WrongMove` unless it is settled with something to pay, invoiced and not paid."""
    row, terms = store.cycle(session, contract, cycle), store.contract(session, contract).terms
    return CyclePaid(
        contract=contract, buyer=terms.buyer, provider=terms.provider, supervisor=terms.supervisor, cycle=cycle,
        fen=_to_pay(row), bank=bank, reference=reference, booked_on=booked_on, evidence=evidence,
    )  # fmt: skip


def facts_for(session: Session, row: CycleRow) -> list[Fact]:
    """All facts a settlement of this 项目周期 rests on: contract, acceptance, the settlement before, orders not settled
    yet, scores up to its last month with the waivers, incidents not counted yet; by subject and number."""
    contract = store.contract(session, row.contract)
    before = store.before(session, row)
    names = [contract.fact_id, row.acceptance, *store.incidents_unsettled(session, row.contract)]
    names += [before.settlement] if before and before.settlement else []
    facts = [ledger.fact(session, name) for name in names]
    facts += store.month_facts(session, row.contract, row.last)
    for order in store.orders(session, row.contract):
        if order.settled is None:
            facts += ledger.facts_of(session, f"service-order:{order.id}")
    return sorted(facts, key=lambda fact: (fact.subject, fact.statement.no))


def audit(session: Session) -> Iterator[str]:
    """Every settled 项目周期 computed again from the facts it names, what it posts and what was paid of it: one finding
    for each that differs."""
    rows = {f"{row.contract}.{row.cycle}": row for row in store.cycles(session)}
    settled = {id_of(fact.subject): fact for fact in ledger.facts_of_kind(session, PROJECT_SETTLEMENT)}
    payments = {id_of(fact.subject): fact for fact in ledger.facts_of_kind(session, PROJECT_PAYMENT)}
    expected: list[Transaction] = []
    for where in sorted(settled.keys() | rows.keys()):
        fact, row = settled.get(where), rows.get(where)
        wanted, held = fact.id if fact else None, row.settlement if row else None
        if wanted != held:
            yield f"{where} settlement: 应为 / expected {wanted}, 实为 / given {held}"
        if fact is None:
            continue
        try:
            stated = read(CycleSettled, fact.body)
            facts = [ledger.fact(session, name) for name in stated.facts]
            case = case_of(facts, stated.advances, stated.pass_through)
            again = outcome(case).settlement
            expected += posted(replace(stated, settlement=again), _cycle_before(facts), fact.id, fact.at)
        except (ClearingError, LedgerError) as error:
            yield f"{where} 不可重算 / not recomputable: {error}"
            continue
        given, found = body_of(stated.settlement), body_of(again)
        for name in sorted(given.keys() | found.keys()):
            if given.get(name) != found.get(name):
                yield f"{where} {name}: 应为 / expected {found.get(name)}, 实为 / given {given.get(name)}"[:400]
        if stated.settled_before != case.cycle.settled_before:
            yield f"{where} settled_before: {case.cycle.settled_before}, {stated.settled_before}"
        if row is not None and row.pay != again.pay:
            yield f"{where} pay: 应为 / expected {again.pay}, 实为 / given {row.pay}"
        if (payment := payments.pop(where, None)) is not None:
            body = read(CyclePaid, payment.body)
            expected.append(paid(replace(body, fen=again.pay), payment.id, payment.at))
            if body.fen != again.pay:
                yield f"{where} payment: 应为 / expected {again.pay}, 实为 / given {body.fen}"
    for where, payment in payments.items():
        yield f"{where} payment: 应为 / expected 已结算 / a settlement, 实为 / given {payment.id}"
    yield from _journal(session, expected)


def _cycle_before(facts: Sequence[Fact]) -> str:
    """The 项目周期 whose settlement is among the facts of the next, "" without one."""
    return next((read(CycleSettled, fact.body).cycle for fact in facts if fact.kind == PROJECT_SETTLEMENT), "")


def _journal(session: Session, expected: Iterable[Transaction]) -> Iterator[str]:
    """What every settlement posts against what is posted, and none beside it: whatever moves an account of service
    orders, and whatever calls itself an event of theirs."""
    torn = settlement.unbalanced(session)
    yield from (f"journal transaction {number}: 应为 / expected 0, 实为 / given {torn[number]}" for number in torn)
    stored = [
        item
        for _, item in settlement.transactions(session, without=torn)
        if item.event.startswith(ORDER_EVENT) or any(leg.account.ordered for leg in item.postings)
    ]
    yield from differences(expected, stored)


def sheet_of(session: Session, order: str) -> OrderSheet:
    """Where an order stands by its own facts. Raises `UnknownFact`."""
    row = store.order(session, order)
    sheet: OrderSheet | None = None
    for fact in ledger.facts_of(session, f"service-order:{order}"):
        sheet = folded(sheet, order, body_in(fact.statement))
    assert sheet is not None, row
    return sheet


def _require_parties(kind: str, body: Any, terms: Contract) -> None:
    stands = (terms.buyer, terms.provider, terms.supervisor)
    given = (body.buyer, body.provider, body.supervisor)
    if given != stands:
        raise NotEntitled(kind, " ".join(stands), " ".join(given))


def _check_placed(session: Session, own: str, body: Placed, terms: Contract, at: int) -> None:
    codes = [item.code for item in body.items]
    if len(set(codes)) != len(codes):
        raise BadTerms("body.items", "每项一次 / each item once", codes)


def _open_order(session: Session, own: str, contract: str) -> OrderSheet:
    row = store.order(session, own)
    if row.contract != contract:
        raise BadTerms("body.contract", row.contract, contract)
    if row.settled is not None:
        raise WrongMove(own, "未结算的服务单 / an order not settled", row.settled)
    return sheet_of(session, own)


def _score_text(sheet: OrderSheet, terms: Contract) -> str | None:
    return None if sheet.scored is None else score_order(sheet.order, sheet.scored, terms.scheme).score


def _check_score(session: Session, own: str, body: OrderScore, terms: Contract, at: int) -> None:
    sheet = _open_order(session, own, body.contract)
    found = score_order(own, body.events, terms.scheme).score
    if sheet.rescored is not None:
        raise WrongMove(own, "复评一次 / one re-score", "again")
    if sheet.scored is not None:
        standing_of(_score_text(sheet, terms), terms.scheme, rescore=found, zeroed=sheet.zeroed)


def _check_acceptance(session: Session, own: str, body: OrderAcceptance, terms: Contract, at: int) -> None:
    sheet = _open_order(session, own, body.contract)
    if sheet.accepted is not None:
        raise WrongMove(own, "未验收的服务单 / an order not accepted", "已验收 / accepted")
    order_fee(sheet.items, body.accepted, "1")


def _check_zeroed(session: Session, own: str, body: OrderZeroed, terms: Contract, at: int) -> None:
    sheet = _open_order(session, own, body.contract)
    if sheet.zeroed or sheet.rescored is not None:
        raise WrongMove(own, "整改待复评 / rectification, not re-scored", "已定 / decided")
    standing_of(_score_text(sheet, terms), terms.scheme, zeroed=True)


def _check_month(session: Session, own: str, body: MonthlyScore, terms: Contract, at: int) -> None:
    _, end = month_window(body.month)
    if at < end:
        raise TooEarly(own, end, at)
    score_month(MonthSheet(body.month, body.events, body.faults, body.outages), terms.scheme)


def _check_waiver(session: Session, own: str, body: Waiver, terms: Contract, at: int) -> None:
    if len(ledger.facts_of(session, f"service-month:{own}")) != 1:
        raise WrongMove(own, "未免除的月份 / a month not waived", "已免除 / waived")
    for row in store.cycles(session, body.contract):
        if row.first <= body.month <= row.last:
            raise WrongMove(own, "验收前的决定 / a decision before the acceptance", f"{row.cycle} {row.accepted_at}")


def _check_incident(session: Session, own: str, body: IncidentFound, terms: Contract, at: int) -> None:
    incident_fen(body.number, terms.scheme)


def _check_accepted(session: Session, own: str, body: CycleAccepted, terms: Contract, at: int) -> None:
    months_of(body.first, body.last)
    _, end = month_window(body.last)
    if at < end:
        raise TooEarly(own, end, at)
    known = store.cycles(session, body.contract)
    if not known:
        return
    if known[-1].settlement is None:
        raise WrongMove(own, f"{known[-1].cycle} 已结算 / settled", "未结算 / not settled")
    follows = months_of(known[-1].last, body.first)[1:] if known[-1].last <= body.first else ()
    if follows != (body.first,):
        raise BadTerms("body.first", f"{known[-1].last} 的下一月 / the month after", body.first)


def _check_settled(session: Session, own: str, body: CycleSettled, terms: Contract, at: int) -> None:
    row = store.cycle(session, body.contract, body.cycle)
    if row.settlement is not None:
        raise WrongMove(own, "未结算 / not settled", "已结算 / settled")
    for name in ("first", "second"):
        most, fen = advance(terms.award, getattr(terms.scheme, name)), getattr(body.advances, name)
        if fen > most:
            raise BadTerms(f"body.advances.{name}", f"≤ {most}", fen)
    passed(body.pass_through)
    expected = body_of(draft(session, body.contract, body.cycle, body.advances, body.pass_through))
    given = body_of(body)
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise BadTerms(f"body.{name}", str(expected.get(name))[:400], str(given.get(name))[:400])


def _check_invoice(session: Session, own: str, body: CycleInvoiced, terms: Contract, at: int) -> None:
    row = store.cycle(session, body.contract, body.cycle)
    if row.settlement is None or row.invoice is not None:
        raise WrongMove(own, "已结算、未开票 / settled and not invoiced", row.invoice or "未结算 / not settled")
    if not row.pay or body.fen != row.pay:
        raise BadTerms("body.fen", str(row.pay), body.fen)


def _to_pay(row: CycleRow) -> int:
    """What of a settlement is still to be paid, fen. Raises `WrongMove`."""
    if row.invoice is None or not row.pay or row.payment is not None:
        given = row.payment or ("未开票 / not invoiced" if row.pay else "无应付款 / nothing to pay")
        raise WrongMove(f"{row.contract}.{row.cycle}", "已开票、未付款 / invoiced and not paid", given)
    return row.pay


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadTerms("body.booked_on", "YYYY-MM-DD", text) from None


def _check_paid(session: Session, own: str, body: CyclePaid, terms: Contract, at: int) -> None:
    row = store.cycle(session, body.contract, body.cycle)
    if body.fen != (fen := _to_pay(row)):
        raise BadTerms("body.fen", str(fen), body.fen)
    first, last = day_of(row.accepted_at), day_of(at)
    if not first <= _day(body.booked_on) <= last:
        raise BadTerms("body.booked_on", f"{first} … {last}", body.booked_on)
    if (used := store.paid_by(session, body.bank, body.reference)) is not None:
        raise Clash(f"银行流水 / bank entry {body.bank} {body.reference}", "未用过 / not used before", used)


_CHECKS: dict[type, Callable[[Session, str, Any, Contract, int], None]] = {
    Placed: _check_placed,
    OrderScore: _check_score,
    OrderAcceptance: _check_acceptance,
    OrderZeroed: _check_zeroed,
    MonthlyScore: _check_month,
    Waiver: _check_waiver,
    IncidentFound: _check_incident,
    CycleAccepted: _check_accepted,
    CycleSettled: _check_settled,
    CycleInvoiced: _check_invoice,
    CyclePaid: _check_paid,
}
assert {body for body, _, _ in KINDS.values()} == {Contract, *_CHECKS}
