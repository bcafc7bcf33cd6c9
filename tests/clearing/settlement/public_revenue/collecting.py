"""Made-up non-tax revenue (演示): an authority with two persons, a treasury, a ticket office, a payer; a naive oracle.

The oracle is written from the text of domain clearing §4 alone; no stage of ours is imported by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

from sqlalchemy import update

from clearing.settlement.netting.eligibility import Proceeds
from clearing.settlement.payment import BankAccount
from clearing.settlement.public_revenue import service
from clearing.settlement.public_revenue.allocation import Line, Purpose, divide
from clearing.settlement.public_revenue.path import Move, State
from clearing.settlement.public_revenue.proceeds import AccountKind, Collecting, Paper
from clearing.settlement.public_revenue.standing import Standing, fold
from clearing.settlement.public_revenue.statements import (
    AUTHORITY,
    CHECKER,
    ISSUER,
    KINDS,
    MAKER,
    TREASURY,
    Allocation,
    Due,
    Notice,
    Payment,
    Plan,
    Refund,
    RefundPaid,
    Source,
    Ticket,
    TicketKey,
    Withdrawal,
    due_subject,
    plan_subject,
    signer_of,
)
from ledger import signing, sm
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.asset import Twin
from registry.tables import PartyRow
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER, House

D, P = "d" * 32, "a" * 32
PARTIES = {"authority": PROVIDER, "payer": CONSUMER, "treasury": COURT, "issuer": SELLER}
SHANGHAI = timezone(timedelta(hours=8))
NOON = int(datetime(2026, 6, 10, 12, tzinfo=SHANGHAI).timestamp())
TODAY, TOMORROW, YESTERDAY = "2026-06-10", "2026-06-11", "2026-06-09"
ACCOUNT = BankAccount("103301000001", "演示银行", "0330100100000001", "演示财政专户")
KIND_OF: dict[type, str] = {body: kind for kind, (body, _, _) in KINDS.items()}
T1, T2 = TicketKey("33060126", "0000000001"), TicketKey("33060126", "0000000002")


def document(name: str = "") -> Twin:
    digests = [hashlib.sha256(f"{side} {name}".encode()).hexdigest() for side in ("one", "two")]
    return Twin(*digests)


def purposes(weights: Mapping[str, int]) -> tuple[Purpose, ...]:
    return tuple(Purpose(code, f"用途 {code}", "1030499", document(code), weight) for code, weight in weights.items())


THIRDS = purposes({"A": 333_333_333, "B": 333_333_333, "C": 333_333_334})


def a_due(fen: int = 100, basis: str = "due", **more: Any) -> Due:
    given: dict[str, Any] = {
        **PARTIES, "proceeds_kind": Proceeds.NON_TAX, "item": "103049901", "name": "数据使用费", "period": "2026-05",
        "fen": fen, "basis": document(basis),
    }  # fmt: skip
    return Due(**(given | more))


def a_notice(fen: int = 100, code: str = "3306012600000001", **more: Any) -> Notice:
    given: dict[str, Any] = {
        **PARTIES, "code": code, "fen": fen, "to": Collecting(AccountKind.FISCAL, ACCOUNT), "due_on": TODAY,
    }  # fmt: skip
    return Notice(**(given | more))


def a_payment(fen: int = 100, reference: str = "E-1", code: str = "3306012600000001", **more: Any) -> Payment:
    given: dict[str, Any] = {
        **PARTIES, "source": Source.TREASURY, "code": code, "fen": fen, "account": ACCOUNT.number,
        "bank": "103301000001", "reference": reference, "booked_on": TODAY, "evidence": document("bank"),
    }  # fmt: skip
    return Payment(**(given | more))


def a_ticket(fen: int = 100, key: TicketKey = T1, **more: Any) -> Ticket:
    given: dict[str, Any] = {
        **PARTIES, "paper": Paper.FISCAL_TICKET, "ticket": key, "check": "a1B2c3", "fen": fen, "issued_on": TODAY,
    }  # fmt: skip
    return Ticket(**(given | more))


def an_allocation(lines: tuple[Line, ...], key: TicketKey = T1, before: int = 0, **more: Any) -> Allocation:
    given: dict[str, Any] = {**PARTIES, "ticket": key, "plan": P, "version": 1, "before": before, "lines": lines}
    return Allocation(**(given | more))


def a_refund(fen: int, lines: tuple[Line, ...], key: TicketKey = T1, before: int = 100, **more: Any) -> Refund:
    given: dict[str, Any] = {
        **PARTIES, "ticket": key, "plan": P, "version": 1, "before": before, "lines": lines, "fen": fen,
        "reason": "多缴", "document": document("refund"),
    }  # fmt: skip
    return Refund(**(given | more))


def paid_back(fen: int, refund: str, reference: str = "R-1", **more: Any) -> RefundPaid:
    given: dict[str, Any] = {
        **PARTIES, "refund": refund, "fen": fen, "bank": "103301000001", "reference": reference, "booked_on": TODAY,
        "evidence": document("back"),
    }  # fmt: skip
    return RefundPaid(**(given | more))


def a_withdrawal() -> Withdrawal:
    return Withdrawal(**PARTIES, reason="重复核定", document=document("withdrawal"))


# states without a database --------------------------------------------------------------------------------------------


def body_for(move: Move, now: Standing | None) -> Any:
    """A body that fits the due of 100 fen as far as one can where its state does not allow the move."""
    left = 100 - (now.refunded if now else 0)
    match move:
        case Move.ASSESS:
            return a_due()
        case Move.WITHDRAW:
            return a_withdrawal()
        case Move.NOTIFY:
            return a_notice()
        case Move.PAY:
            return a_payment()
        case Move.TICKET:
            return a_ticket(max(1, 100 - (now.ticketed if now else 0)), T2)
        case Move.ALLOCATE:
            return an_allocation(
                divide(P, 1, THIRDS, 0, 100), now.tickets[0].ticket.ticket if now and now.tickets else T2
            )
        case Move.REFUND:
            return a_refund(max(1, left), divide(P, 1, THIRDS, 100, -max(1, left)), T2)
        case Move.PAY_BACK:
            found = now.open_refund if now else None
            return paid_back(found.refund.fen if found else 1, found.fact if found else "f" * 64)


WAYS: dict[State, tuple[Move, ...]] = {
    State.ASSESSED: (Move.ASSESS,),
    State.WITHDRAWN: (Move.ASSESS, Move.WITHDRAW),
    State.NOTIFIED: (Move.ASSESS, Move.NOTIFY),
    State.PAID: (Move.ASSESS, Move.NOTIFY, Move.PAY),
    State.TICKETED: (Move.ASSESS, Move.NOTIFY, Move.PAY, Move.TICKET),
    State.ALLOCATED: (Move.ASSESS, Move.NOTIFY, Move.PAY, Move.TICKET, Move.ALLOCATE),
    State.REFUNDING: (Move.ASSESS, Move.NOTIFY, Move.PAY, Move.TICKET, Move.ALLOCATE, Move.REFUND),
    State.REFUNDED: (Move.ASSESS, Move.NOTIFY, Move.PAY, Move.TICKET, Move.ALLOCATE, Move.REFUND, Move.PAY_BACK),
}


def brought_to(state: State | None) -> Standing | None:
    """A due of 100 fen in this state."""
    now: Standing | None = None
    for number, move in enumerate(WAYS[state] if state else ()):
        now = fold(now, D, body_for(move, now), str(number).rjust(64, "0"))
    return now


# the oracle -----------------------------------------------------------------------------------------------------------


def naive_given(lineage: str, weights: Mapping[str, int], total: int) -> dict[str, int]:
    """paid_i of §4: everybody's exact part rounded down, then one fen each for the largest fractions."""
    exact = {name: Fraction(total * weight, 10**9) for name, weight in weights.items()}
    down = {name: part.numerator // part.denominator for name, part in exact.items()}
    order = sorted(
        exact, key=lambda name: (down[name] - exact[name], hashlib.sha256((lineage + name).encode()).hexdigest())
    )
    for name in order[: total - sum(down.values())]:
        down[name] += 1
    return down


# facts ----------------------------------------------------------------------------------------------------------------


class Cashier:
    """The parties and persons and what they say, in order."""

    def __init__(self, house: House) -> None:
        self.house, self.session = house, house.session
        self.keys = {f"party:{party}": keys.sm2 for party, keys in house.keys.items()}
        for party, role in ((PROVIDER, AUTHORITY), (COURT, TREASURY), (SELLER, ISSUER)):
            self.session.execute(update(PartyRow).where(PartyRow.id == party).values(roles=role))
        for name, role in (("mak1", MAKER), ("che1", CHECKER)):
            self.keys[f"staff:{name}"] = sm.generate()
            house.hire(name, self.keys[f"staff:{name}"], role, PROVIDER)
        self.session.flush()
        self.at = NOON

    def signed(
        self, body: Any, subject: str = due_subject(D), by: list[tuple[str, str]] | None = None, **more: Any
    ) -> Signed:
        kind = KIND_OF[type(body)]
        if isinstance(body, Plan) and subject == due_subject(D):
            subject = plan_subject(P)
        statement = Statement(kind, subject, *ledger.next_of(self.session, subject), body_of(body) | more)
        if by is None:
            one = signer_of(kind, body)
            by = [(one, "")] if one else [("staff:mak1", MAKER), ("staff:che1", CHECKER)]
        signatures = (signing.sign_sm2(self.keys[name], statement, by=name, role=role) for name, role in by)
        return Signed(statement, tuple(signatures))

    def say(
        self, body: Any, subject: str = due_subject(D), by: list[tuple[str, str]] | None = None, **more: Any
    ) -> Appended:
        return self.send(self.signed(body, subject, by, **more))

    def send(self, signed: Signed) -> Appended:
        return service.take(self.session, signed, at=self.at)

    def plan(self, weights: tuple[Purpose, ...] = THIRDS, version: int = 1) -> Appended:
        return self.say(Plan(PROVIDER, version, weights))

    def collect(self, fen: int, due: str = D, tickets: tuple[TicketKey, ...] = (T1,)) -> None:
        """A due up to its tickets: the first ticket takes what the others (1 fen each) leave."""
        number = str(int(hashlib.sha256(due.encode()).hexdigest()[:12], 16)).zfill(16)
        subject = due_subject(due)
        self.say(a_due(fen, due), subject)
        self.say(a_notice(fen, number), subject)
        self.say(a_payment(fen, f"E-{due[:40]}", number), subject)
        for place, key in enumerate(tickets):
            self.say(a_ticket(fen - len(tickets) + 1 if place == 0 else 1, key), subject)

    def allocate(self, due: str = D, key: TicketKey = T1) -> Allocation:
        found = service.division(self.session, due, key, P)
        body = an_allocation(found.lines, key, found.before, version=found.version)
        self.say(body, due_subject(due))
        return body

    def refund(self, fen: int, due: str = D, key: TicketKey = T1) -> Appended:
        found = service.division(self.session, due, key, refund=fen)
        return self.say(a_refund(fen, found.lines, key, found.before, version=found.version), due_subject(due))

    def play(self, fen: int = 100) -> None:
        """One due from its assessment to its purposes."""
        self.plan()
        self.collect(fen)
        self.allocate()
