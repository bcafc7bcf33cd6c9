"""The parties of a made-up contract and what they sign, in order: the example of `shuqing trial order` as facts."""

from __future__ import annotations

import json
from pathlib import Path

from clearing.settlement.service_order import service
from clearing.settlement.service_order.case import Case
from clearing.settlement.service_order.scheme import TENDER
from clearing.settlement.service_order.settling import Advances
from clearing.settlement.service_order.statements import (
    KINDS,
    Contract,
    CycleAccepted,
    CycleSettled,
    IncidentFound,
    MonthlyScore,
    OrderAcceptance,
    OrderScore,
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
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, House
from tests.clearing.settlement.service_order.making import document, instant

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

    def play(self) -> CycleSettled:
        self.conclude()
        self.place()
        self.score()
        self.rescore()
        self.waive()
        self.accept()
        return self.settle()
