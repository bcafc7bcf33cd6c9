"""Service orders in the simulated market: placed, accepted, scored, damaged, settled by 项目周期 and invoiced, one
statement a step, beside the monthly cycle. Everything is 演示."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from clearing.errors import ClearingError
from clearing.settlement import store as journal_store
from clearing.settlement.service_order import service
from clearing.settlement.service_order.pass_through import Cost, Fee, PassAccount, passed
from clearing.settlement.service_order.scheme import TENDER, Negative, NettingBasis
from clearing.settlement.service_order.scorecard import Event
from clearing.settlement.service_order.settling import Accepted, Advances, Item
from clearing.settlement.service_order.statements import (
    KINDS,
    PROJECT_SETTLEMENT,
    Contract,
    CycleAccepted,
    CycleInvoiced,
    CycleSettled,
    IncidentFound,
    MonthlyScore,
    OrderAcceptance,
    OrderScore,
    OrderZeroed,
    Stated,
    Waiver,
    signers_of,
    subject_of,
)
from clearing.settlement.service_order.statements import Placed as OrderPlaced
from clearing.terms import month
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from tests.clearing.market.house import CONSUMER, COURT, DAY, PROVIDER, SELLER
from tests.clearing.settlement.orders_oracle import Month, Orders, Placed
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import document, event, fact, naive_of
from tests.clearing.settlement.settlement_oracle import month_after
from tests.clearing.settlement.simulator import FIFTH, Kind, Simulator, period_of

PARTIES = ((CONSUMER, PROVIDER, COURT), (FIFTH, SELLER, COURT))
KIND_OF: dict[type, str] = {body: kind for kind, (body, _, _) in KINDS.items()}
ORDER_ROWS = ("1.1", "1.2", "2.3", "2.4", "2.7", "2.8", "2.9", "3.1", "3.2", "3.7", "3.8", "4.2", "5.1", "5.3", "5.6",
              "5.8")  # fmt: skip
MONTH_ROWS = ("1.1", "1.2", "2.6", "2.14", "3.1", "3.2", "4.5", "5.1", "6.6", "8.2", "9.1", "9.2", "10.1", "10.3",
              "10.6", "10.8")  # fmt: skip


def signed(m: Simulator, body: Stated, order: str = "", leave_out: int = 0) -> Signed:
    """The statement under every signature its kind asks for, or without the first few of them."""
    kind = KIND_OF[type(body)]
    subject = subject_of(kind, body, order)
    statement = Statement(kind, subject, *ledger.next_of(m.session, subject), body_of(body))
    return m.signed(statement, *((name, "") for name in sorted(signers_of(kind, body))[leave_out:]))


def say(m: Simulator, body: Stated, order: str = "") -> None:
    assert not service.take(m.session, signed(m, body, order), at=m.at).replayed


def named(of: Orders) -> dict[str, str]:
    return {"contract": of.name, "buyer": of.buyer, "provider": of.provider, "supervisor": of.supervisor}


def drawn_events(rng: random.Random, text: dict[str, str], rows: tuple[str, ...], name: str) -> tuple[Event, ...]:
    """Events of a card: what it must have once, and some others of these rows."""
    words = naive.rows(text)
    once = [code for code, word in words.items() if word in ("rate", "performance", "survey")]
    codes = [*once, *sorted(rng.sample(rows, rng.choice((0, 1, 1, 2, 4, 8))))]
    return tuple(event(code, name, authority=document("责任"), **_told(rng, words[code])) for code in codes)


def _told(rng: random.Random, word: str) -> dict[str, Any]:
    if word == "survey":
        return {"points": rng.choice(("59.9", "60", "79.9999", "80", "95"))}
    if word == "availability":
        return {"part": 2_592_000 - rng.choice((1, 259, 300, 1000)), "whole": 2_592_000}
    if word.startswith("tenths") or word in ("rate", "performance"):
        whole = rng.choice((3, 10, 100))
        return {"part": rng.randint(whole // 2, whole), "whole": whole}
    if "/w" in word:
        return {"due_at": 10 * DAY, "done_at": 10 * DAY + rng.choice((1, naive.WEEK, 25 * DAY)), "count": 1}
    if "-" in word:
        least, most = word.removeprefix("total").removeprefix("+").partition("max")[0].split("-")
        return {"points": rng.choice((least, most))}
    return {} if word == "all" else {"count": rng.randint(1, 2)}


def scored(events: tuple[Event, ...], text: dict[str, str], weights: dict[str, int]) -> Fraction:
    return naive.score([naive_of(one) for one in events], text, weights)


class Tender(Kind):
    """A contract of service orders, signed by buyer and provider."""

    weight = 0.5
    first = 1

    def options(self, m: Simulator) -> list[Any]:
        done = len(m.model.orders_of)
        return [done] if done < len(PARTIES) else []

    def prepared(self, m: Simulator, number: int) -> Orders:
        rng = random.Random(m.name("contract", number))
        award = rng.choice((100_000_000, 400_000_001))
        negative = rng.choice(("carry", "carry", "collect", "zero"))
        name = m.name("contract", number)[:32]
        return Orders(name, *PARTIES[number], award, negative, rng.random() < 0.5, period_of(m.at).name)

    def act(self, m: Simulator, number: int) -> None:
        of = self.prepared(m, number)
        basis = NettingBasis.BOTH if of.both else NettingBasis.FIRST
        scheme = replace(TENDER, negative=Negative(of.negative), netting_basis=basis)
        say(m, Contract(**named(of), award=of.award, scheme=scheme))

    def know(self, m: Simulator, number: int) -> None:
        of = self.prepared(m, number)
        m.model.orders_of[of.name] = of


LIKELY = {"place": 2, "zero": 0.5, "waive": 5, "incident": 0.4, "settle": 6, "cycle": 3, "month": 3, "rescore": 2}


class ServiceOrder(Kind):
    """One statement about one contract: each of them is an option where it may be made."""

    weight = 16

    def options(self, m: Simulator) -> list[Any]:
        return [(of, *one) for of in m.model.orders_of.values() for one in _open(m, of)]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        [(of, what, about)] = m.rng.choices(options, [LIKELY.get(what, 1.5) for _, what, _ in options])
        return of, what, about, _DRAWN.get(what, _nothing)(m, of, about)

    def act(self, m: Simulator, what: Any) -> None:
        of, act, about, drawn = what
        order = about.name if isinstance(about, Placed) else ""
        say(m, _BODIES[act](m, of, about, drawn), order or (drawn[0] if act == "place" else ""))

    def know(self, m: Simulator, what: Any) -> None:
        of, act, about, drawn = what
        _KNOWN[act](of, about, drawn)
        m.done[f"order {act}"] += 1
        if act == "settle":
            outcome = drawn[-1]
            m.done["order settled below 0"] += outcome.settlement < 0
            m.done["order carried in"] += outcome.carry_in > 0
            m.done["order passed through"] += len(drawn[2])

    def tell(self, what: Any) -> str:
        of, act, about, drawn = what
        told = about.name[:8] if isinstance(about, Placed) else about
        return f"{act} {of.name[:8]} {told} {drawn}"[:200]


def _open(m: Simulator, of: Orders) -> list[tuple[str, Any]]:
    """What may be said about a contract now."""
    found: list[tuple[str, Any]] = []
    unsettled = [order for order in of.placed.values() if not order.settled]
    if len(unsettled) < 6:
        found.append(("place", None))
    for order in unsettled:
        if order.accepted is None:
            found.append(("accept", order))
        if order.score is None:
            found.append(("score", order))
        elif order.score < 60 and order.again is None and not order.zeroed:
            found += [("rescore", order), ("zero", order)]
    over = _months(of.since, m.at)
    found += [("month", name) for name in over if name not in of.months]
    found += [("waive", name) for name, one in of.months.items()
              if not one.waived and not of.accepted(name) and one.score < 80]  # fmt: skip
    if len(of.incidents) < 2 * len(of.months):
        found.append(("incident", None))
    first = month_after(of.bounds[-1][1]) if of.bounds else of.since
    if of.running is None:
        found += [("cycle", (first, last)) for last in over if last >= first]
    elif all(name in of.months for name in _between(*of.running)):
        found.append(("settle", None))
    if of.owed:
        found.append(("invoice", None))
    return found


def _months(since: str, at: int) -> list[str]:
    """The months from `since` on that are over."""
    found, name = [], since
    while month(name).end <= at:
        found.append(name)
        name = month_after(name)
    return found


def _between(first: str, last: str) -> list[str]:
    found = [first]
    while found[-1] < last:
        found.append(month_after(found[-1]))
    return found


def _nothing(m: Simulator, of: Orders, about: Any) -> Any:
    return None


def _drawn_place(m: Simulator, of: Orders, about: Any) -> Any:
    return (
        m.name("order", of.name, len(of.placed))[:32],
        m.rng.choice((1, 7, 1_000_003, 30_000_000, 60_000_000)),
        m.rng.choice((1, 3)),
    )


def _drawn_score(m: Simulator, of: Orders, about: Placed) -> Any:
    return drawn_events(m.rng, naive.ORDER, ORDER_ROWS, about.name + ("again" if about.score is not None else ""))


def _drawn_month(m: Simulator, of: Orders, about: str) -> Any:
    return drawn_events(m.rng, naive.MONTH, MONTH_ROWS, f"{of.name} {about}")


def _drawn_settle(m: Simulator, of: Orders, about: Any) -> Any:
    def up_to(percent: int) -> int:
        most = naive.half_up(Fraction(of.award * percent, 100))
        return m.rng.choice((0, 0, 1, most // 3, most))

    first, second = up_to(35), up_to(45)
    fees = {}
    for fee in ("supervision", "security", "review", "audit"):
        if m.rng.random() < 0.4:
            put_in = m.rng.choice((0, 1, 5_000_001))
            fees[fee] = (put_in, m.rng.choice((0, put_in // 2, put_in)))
    return first, second, fees, of.settle(first, second)


_DRAWN: dict[str, Callable[[Simulator, Orders, Any], Any]] = {
    "place": _drawn_place,
    "accept": lambda m, of, about: m.rng.randint(0, about.ordered),
    "score": _drawn_score,
    "rescore": _drawn_score,
    "month": _drawn_month,
    "incident": lambda m, of, about: (fact(f"{of.name} {len(of.incidents)}"), m.rng.randint(1, 6)),
    "settle": _drawn_settle,
}


def _settled(m: Simulator, of: Orders, about: Any, drawn: Any) -> CycleSettled:
    first, second, fees, _ = drawn
    assert of.running is not None
    accounts = tuple(
        PassAccount(
            Fee(fee), put_in, (Cost("第三方", spent, document(of.name + of.running[0] + fee)),) if spent else ()
        )
        for fee, (put_in, spent) in fees.items()
    )
    return service.draft(m.session, of.name, of.running[0], Advances(first, second), accounts)


_BODIES: dict[str, Callable[[Simulator, Orders, Any, Any], Stated]] = {
    "place": lambda m, of, about, d: OrderPlaced(**named(of), name="O", items=(Item("I", "项", d[1], 10, d[2]),)),
    "accept": lambda m, of, about, d: OrderAcceptance(
        **named(of), accepted=(Accepted("I", 10, d),), document=document(about.name)
    ),
    "score": lambda m, of, about, d: OrderScore(**named(of), events=d),
    "rescore": lambda m, of, about, d: OrderScore(**named(of), events=d),
    "zero": lambda m, of, about, d: OrderZeroed(**named(of), document=document(about.name + "0")),
    "month": lambda m, of, about, d: MonthlyScore(**named(of), month=about, events=d),
    "waive": lambda m, of, about, d: Waiver(**named(of), month=about, document=document(of.name + about)),
    "incident": lambda m, of, about, d: IncidentFound(
        **named(of), fact=d[0], number=d[1], document=document(d[0])
    ),
    "cycle": lambda m, of, about, d: CycleAccepted(
        **named(of), cycle=about[0], first=about[0], last=about[1], report=document(about[0])
    ),
    "settle": _settled,
    "invoice": lambda m, of, about, d: CycleInvoiced(
        **named(of), cycle=of.cycles[-1][0], number=of.cycles[-1][0], fen=of.owed
    ),
}  # fmt: skip


def _know_place(of: Orders, about: Any, drawn: Any) -> None:
    name, price, per = drawn
    of.placed[name] = Placed(name, Fraction(price, per), 10)


def _know_accept(of: Orders, about: Placed, drawn: int) -> None:
    about.accepted = drawn


def _know_score(of: Orders, about: Placed, drawn: tuple[Event, ...]) -> None:
    found = scored(drawn, naive.ORDER, naive.ORDER_WEIGHTS)
    if about.score is None:
        about.score = found
    else:
        about.again = found


def _know_zero(of: Orders, about: Placed, drawn: Any) -> None:
    about.zeroed = True


def _know_month(of: Orders, about: str, drawn: tuple[Event, ...]) -> None:
    of.months[about] = Month(scored(drawn, naive.MONTH, naive.MONTH_WEIGHTS))


def _know_waive(of: Orders, about: str, drawn: Any) -> None:
    of.months[about].waived = True


def _know_cycle(of: Orders, about: tuple[str, str], drawn: Any) -> None:
    of.running = about
    of.bounds.append(about)


def _know_settle(of: Orders, about: Any, drawn: Any) -> None:
    of.settled(drawn[-1], drawn[2])


def _know_invoice(of: Orders, about: Any, drawn: Any) -> None:
    of.owed = 0


_KNOWN: dict[str, Callable[[Orders, Any, Any], None]] = {
    "place": _know_place, "accept": _know_accept, "score": _know_score, "rescore": _know_score, "zero": _know_zero,
    "month": _know_month, "waive": _know_waive, "incident": lambda of, about, drawn: of.incidents.append(drawn),
    "cycle": _know_cycle, "settle": _know_settle, "invoice": _know_invoice,
}  # fmt: skip


class WrongOrder(Kind):
    """A waiver after the acceptance, an invoice or a settlement off by a fen or signed by one side, a month that is not
    over, a score too many, more accepted than was ordered: refused, and nothing is written."""

    weight = 2
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return list(m.model.orders_of.values())

    def act(self, m: Simulator, of: Orders) -> None:
        before, who = ledger.count(m.session), named(of)
        tries: list[tuple[Stated, str, int]] = [(MonthlyScore(**who, month=period_of(m.at).name), "", 0)]
        tries += [(Waiver(**who, month=name, document=document("late")), "", 0) for name in of.months
                  if of.accepted(name)]  # fmt: skip
        if of.owed:
            for off in (-1, 1):
                tries.append((CycleInvoiced(**who, cycle=of.cycles[-1][0], number="off", fen=of.owed + off), "", 0))
        for order in of.placed.values():
            if order.score is not None and (order.settled or order.score >= 60 or order.again is not None):
                events = drawn_events(random.Random(order.name), naive.ORDER, ORDER_ROWS, order.name + "more")
                tries.append((OrderScore(**who, events=events), order.name, 0))
            if not order.settled and order.accepted is None:
                more = (Accepted("I", 99, order.ordered + 1),)
                tries.append((OrderAcceptance(**who, accepted=more, document=document("more")), order.name, 0))
        if of.running is not None and all(name in of.months for name in _between(*of.running)):
            body = service.draft(m.session, of.name, of.running[0], Advances())
            pay = replace(body.settlement, pay=body.settlement.pay + 1)
            tries += [(body, "", 1), (replace(body, settlement=pay), "", 0)]
            earned = replace(body.settlement, earned=body.settlement.earned + 1)
            tries.append((replace(body, settlement=earned), "", 0))
        elif of.running is not None:
            with pytest.raises(ClearingError):
                service.draft(m.session, of.name, of.running[0], Advances())
        if of.running is not None:
            follows = month_after(of.running[1])
            tries.append((CycleAccepted(**who, cycle="next", first=follows, last=follows, report=document("n")), "", 0))
        for body_, order_, leave_out in tries:
            with pytest.raises((ClearingError, LedgerError)):
                service.take(m.session, signed(m, body_, order_, leave_out), at=m.at)
            m.session.rollback()
        assert ledger.count(m.session) == before

    def know(self, m: Simulator, of: Orders) -> None:
        m.done["wrong order statements"] += 1

    def tell(self, what: Any) -> str:
        return str(what.name[:8])


ORDER_STEPS: tuple[Kind, ...] = (Tender(), ServiceOrder(), WrongOrder())


def orders(m: Simulator) -> None:
    """24, 26 and the like, after a settlement: every figure is that of the naive formulas; pay − carry out = settlement
    − netted advances − carry in, of which one side is 0; what was put in for a fee is spent or left; the audit of
    service orders has nothing to say. That the books are right and kept apart is checked with all others."""
    facts = ledger.facts_of_kind(m.session, PROJECT_SETTLEMENT)
    stated = read(CycleSettled, facts[-1].body)
    of = m.model.orders_of[stated.contract]
    name, left, fees = of.cycles[-1]
    found = stated.settlement
    outcome = of.outcome
    assert outcome is not None
    assert (stated.cycle, found.cycle) == (name, name)
    told = (found.earned, found.damages, found.settlement, found.netted, found.carry_in.total, found.pay)
    assert told == (outcome.earned, outcome.damages, outcome.settlement, outcome.netted, outcome.carry_in, outcome.pay)
    assert (found.carry_out.advance, found.carry_out.penalty) == (left["unused"], left["open"])
    assert (found.collected, found.settlement + found.collected + outcome.forgiven) == (left["claimed"], found.counted)
    assert found.pay - found.carry_out.total == found.counted - found.netted - found.carry_in.total
    assert min(found.pay, found.carry_out.total) == 0
    assert {one.fee: (one.deposited, one.spent) for one in passed(stated.pass_through)} == fees
    assert all(one.deposited == one.spent + one.residue for one in passed(stated.pass_through))
    own = [n for a, n in journal_store.balance(m.session).items() if a.agreement.startswith(f"order/{of.name}")]
    assert sum(own) == 0
    assert list(service.audit(m.session)) == []
