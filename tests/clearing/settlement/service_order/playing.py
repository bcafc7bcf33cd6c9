"""The parties of a made-up contract and what they sign, in order: the example of `shuqing trial order` as facts."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

from clearing.settlement.service_order import service
from clearing.settlement.service_order.case import Case
from clearing.settlement.service_order.pass_through import Cost, Fee, PassAccount
from clearing.settlement.service_order.scheme import TENDER, Negative, NettingBasis
from clearing.settlement.service_order.settling import Accepted, Advances, Item
from clearing.settlement.service_order.statements import (
    KINDS,
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
    Stated,
    Waiver,
    signers_of,
    subject_of,
)
from ledger import signing
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry.calendar import day_of
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, House
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.service_order.making import document, event, fact, instant, naive_of

EXAMPLE = Path(__file__).resolve().parents[4] / "scripts" / "examples" / "trial_order.json"
CASE = read(Case, json.loads(EXAMPLE.read_text("utf-8")), "case")
C = "c" * 32
PARTIES = {"contract": C, "buyer": CONSUMER, "provider": PROVIDER, "supervisor": COURT}
ORDERS = {"O-1": "1" * 32, "O-2": "2" * 32, "O-3": "3" * 32}
KIND_OF: dict[type, str] = {body: kind for kind, (body, _, _) in KINDS.items()}
MARCH, MAY_5 = instant(2026, 3, 1), instant(2026, 5, 5)
ACCEPTED_AT = CASE.cycle.accepted_at


class Office:
    """The three parties and what they say, in order."""

    def __init__(self, house: House) -> None:
        self.house, self.session = house, house.session

    def say(self, body: Stated, at: int, order: str = "", by: list[str] | None = None) -> Appended:
        kind = KIND_OF[type(body)]
        subject = subject_of(kind, body, order)
        statement = Statement(kind, subject, *ledger.next_of(self.session, subject), body_of(body))
        names = sorted(signers_of(kind, body)) if by is None else [f"party:{party}" for party in by]
        keys = {f"party:{party}": keys.sm2 for party, keys in self.house.keys.items()}
        return self.send(
            Signed(statement, tuple(signing.sign_sm2(keys[name], statement, by=name) for name in names)), at
        )

    def send(self, signed: Signed, at: int) -> Appended:
        return service.take(self.session, signed, at=at)

    def conclude(self) -> Appended:
        return self.say(Contract(**PARTIES, award=100_000_000, scheme=TENDER, budget=150_000_000), MARCH)

    def place(self) -> None:
        for sheet in CASE.orders:
            self.say(Placed(**PARTIES, name=sheet.order, items=sheet.items), MARCH + 60, ORDERS[sheet.order])

    def score(self) -> None:
        """Everything of the example but the re-score of O-2, the acceptance and the settlement."""
        for sheet in CASE.orders:
            assert sheet.accepted
            assert sheet.scored
            self.say(OrderScore(**PARTIES, events=sheet.scored), MAY_5, ORDERS[sheet.order])
            accepted = OrderAcceptance(**PARTIES, accepted=sheet.accepted, document=document(sheet.order))
            self.say(accepted, MAY_5, ORDERS[sheet.order])
        for month in CASE.months:
            said = MonthlyScore(**PARTIES, month=month.month, events=month.events, faults=month.faults,
                                outages=month.outages)  # fmt: skip
            self.say(said, MAY_5)
        self.say(IncidentFound(**PARTIES, fact=CASE.incidents[0].fact, number=5, document=document("leak")), MAY_5)

    def rescore(self, at: int = MAY_5) -> Appended:
        events = CASE.orders[1].rescored
        assert events
        return self.say(OrderScore(**PARTIES, events=events), at, ORDERS["O-2"])

    def waive(self, month: str = "2026-03", at: int = ACCEPTED_AT - 1) -> Appended:
        return self.say(Waiver(**PARTIES, month=month, document=document("waiver")), at)

    def accept(
        self, name: str = "2026-1", first: str = "2026-03", last: str = "2026-04", at: int = ACCEPTED_AT
    ) -> None:
        self.say(CycleAccepted(**PARTIES, cycle=name, first=first, last=last, report=document(name)), at)

    def draft(self, name: str = "2026-1", advances: Advances = CASE.cycle.advances) -> CycleSettled:
        return service.draft(self.session, C, name, advances, CASE.pass_through)

    def settle(self, at: int = ACCEPTED_AT + 60) -> CycleSettled:
        body = self.draft()
        self.say(body, at)
        return body

    def pay(self, name: str, fen: int, at: int, **changes: str) -> Appended:
        """What a settlement pays, booked on that very day."""
        booked = {"bank": "102100099996", "reference": f"P3-{name}", "booked_on": day_of(at).isoformat()} | changes
        return self.say(CyclePaid(**PARTIES, cycle=name, fen=fen, evidence=document(f"P3 {name}"), **booked), at)

    def play(self) -> CycleSettled:
        self.conclude()
        self.place()
        self.score()
        self.rescore()
        self.waive()
        self.accept()
        return self.settle()


class Player:
    """Plays a contract at random, a month a 项目周期 from March on, and keeps its books by the naive formulas alone."""

    def __init__(self, office: Office, dice: Random) -> None:
        self.office, self.dice = office, dice
        self.negative, self.basis = dice.choice(list(Negative)), dice.choice(list(NettingBasis))
        self.award = dice.choice([100_000_000, 400_000_001])
        self.cycles: list[tuple[str, dict[str, int], dict[str, tuple[int, int]]]] = []
        self.paid: list[str] = []
        scheme = replace(TENDER, negative=self.negative, netting_basis=self.basis)
        office.say(Contract(**PARTIES, award=self.award, scheme=scheme), MARCH)

    def round(self) -> CycleSettled:
        """One 项目周期: an order, its month, an incident perhaps, acceptance, settlement and invoice."""
        number = len(self.cycles)
        month, at = f"2026-{3 + number:02}", instant(2026, 4 + number, 5)
        fees = self._order(number, at)
        damages = self._month(month, at) + self._incident(number, at)
        self.office.accept(month, month, month, at + 2)
        advances = Advances(self._up_to(35), self._up_to(45))
        accounts = tuple(self._account(fee, number) for fee in Fee if self.dice.random() < 0.5)
        body = service.draft(self.office.session, C, month, advances, accounts)
        self.office.say(body, at + 3)
        netted = advances.first + (advances.second if self.basis is NettingBasis.BOTH else 0)
        _, before, _ = self.cycles[-1] if self.cycles else ("", {"unused": 0, "open": 0}, {})
        settlement = naive.half_up(Fraction(90, 100) * fees - damages)
        left = naive.left_over(settlement, netted + before["unused"], before["open"], self.negative.value)
        passed = {item.fee.value: (item.deposited, sum(cost.fen for cost in item.costs)) for item in accounts}
        self.cycles.append((month, left, passed))
        if left["pay"]:
            self.office.say(CycleInvoiced(**PARTIES, cycle=month, number=month, fen=left["pay"]), at + 4)
        for name, other, _ in self.cycles:
            if other["pay"] and name not in self.paid and self.dice.random() < 0.6:
                self.office.pay(name, other["pay"], at + 5)
                self.paid.append(name)
        return body

    @property
    def book(self) -> dict[str, int]:
        return naive.book(C, CONSUMER, PROVIDER, self.cycles, self.paid)

    def _up_to(self, percent: int) -> int:
        most = naive.half_up(Fraction(self.award * percent, 100))
        return self.dice.choice([0, 0, 1, most // 3, most])

    def _order(self, number: int, at: int) -> Fraction:
        """The exact fee of the one order of this 项目周期; 0 while it is held."""
        dice, order = self.dice, f"{number:032x}"
        price, per = dice.choice([1, 7, 1_000_003, 30_000_000]), dice.choice([1, 3])
        quantity = dice.randint(0, 10)
        self.office.say(Placed(**PARTIES, name="O", items=(Item("I", "项", price, 10, per),)), at, order)
        accepted = (Accepted("I", 10, quantity),)
        self.office.say(OrderAcceptance(**PARTIES, accepted=accepted, document=document(order)), at, order)
        first, again, zeroed = self._score(order, at), None, False
        if first < 60:
            what = dice.choice(["hold", "again", "zero"])
            if what == "again":
                again = self._score(order, at)
            elif what == "zero":
                self.office.say(OrderZeroed(**PARTIES, document=document(order + "0")), at, order)
                zeroed = True
        return (naive.coefficient(first, again, zeroed) or Fraction(0)) * Fraction(price * quantity, per)

    def _score(self, order: str, at: int) -> Fraction:
        rates = [event(row, order, part=self.dice.randint(7, 10), whole=10) for row in ("2.1", "2.2")]
        survey = event("4.1", order, points=self.dice.choice(["59", "75", "95"]))
        serious = [event("5.1", order, authority=document("责任"))] if self.dice.random() < 0.3 else []
        events = (*rates, survey, *serious)
        self.office.say(OrderScore(**PARTIES, events=events), at, order)
        return naive.score([naive_of(item) for item in events], naive.ORDER, naive.ORDER_WEIGHTS)

    def _month(self, month: str, at: int) -> int:
        """What the month costs, nothing where the buyer forgoes it."""
        rows = self.dice.choice([(), (), ("10.3",), ("10.3", "10.5"), ("10.1",)])
        events = tuple(event(row, month, authority=document("责任")) for row in rows)
        self.office.say(MonthlyScore(**PARTIES, month=month, events=events), at)
        score = naive.score([naive_of(item) for item in events], naive.MONTH, naive.MONTH_WEIGHTS)
        if self.dice.random() < 0.2:
            self.office.waive(month, at + 1)
            return 0
        return naive.month_fen(score)

    def _incident(self, number: int, at: int) -> int:
        if self.dice.random() < 0.6:
            return 0
        row = self.dice.randint(1, 6)
        said = IncidentFound(**PARTIES, fact=fact(f"{number}"), number=row, document=document(f"i{number}"))
        self.office.say(said, at)
        return naive.INCIDENT_FEN[row]

    def _account(self, fee: Fee, number: int) -> PassAccount:
        put_in = self.dice.choice([0, 1, 5_000_001])
        spent = self.dice.choice([0, put_in // 2, put_in])
        costs = (Cost("第三方", spent, document(f"{fee}{number}")),) if spent else ()
        return PassAccount(fee, put_in, costs)
