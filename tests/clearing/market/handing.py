"""Deliveries for tests: acts made to fit what stands, so that a test can spoil exactly one thing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from clearing.market import store as market
from clearing.market.agreement import Delivery, Terms
from clearing.market.delivery import service, store
from clearing.market.delivery.act import (
    DELIVERY_ACT,
    Act,
    DeliveryAct,
    Found,
    Objection,
    Reason,
    Ruling,
    Sent,
    Shipment,
    Side,
    subject_of,
)
from clearing.market.delivery.moves import Case, Item, State
from clearing.market.promise import Inspection, Silence
from ledger import signing
from ledger import store as ledger
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.asset import Twin
from registry.calendar import published
from tests.clearing.market.house import CONSUMER, COURT, DAY, NOW, PROVIDER, House, terms_of

CALENDAR = published()
AGREEMENT = "a" * 64
VERSION = Twin("5" * 64, "6" * 64)
ROWS = 100
P, C, D = Side.PROVIDER, Side.CONSUMER, Side.DECIDER
PARTIES = {P: PROVIDER, C: CONSUMER, D: COURT}
SIDES = {
    Act.DELIVER: P, Act.WITHDRAW: P, Act.ADMIT: P, Act.CONTEST: P, Act.CONCEDE: P, Act.REDELIVER: P, Act.RECEIVE: C,
    Act.REFUSE: C, Act.ACCEPT: C, Act.OBJECT: C, Act.LATE: C, Act.ESCALATE: C, Act.DECIDE: D,
}  # fmt: skip


def digest(number: int) -> Twin:
    return Twin(f"{number:064x}", f"{number + 1:064x}")


def sent(item: str = "data.csv", quantity: int = ROWS, number: int = 7, **changes: object) -> Sent:
    return replace(Sent(item, "演示数据", "row", quantity, 1_000, digest(number)), **changes)


def found(entry: Sent, **changes: object) -> Found:
    """What an honest receiver finds."""
    return replace(Found(entry.item, entry.bytes, entry.digest, entry.first, entry.last), **changes)


def shipment(*items: Sent, **changes: object) -> Shipment:
    made = Shipment(1, VERSION, "M2", "sftp", NOW, items or (sent(),))
    return replace(made, **changes)


def delivery_terms(**changes: object) -> Terms:
    """Terms of a data set, inspected within 5 days; silence accepts."""
    return terms_of("b" * 32, VERSION, **{"delivery": Delivery("M2", "sftp", "7x24"), **changes})  # type: ignore[arg-type]


def act_for(act: Act, item: Item | None, **changes: object) -> DeliveryAct:
    """The act as its side would say it about this item."""
    about = item.sent if item else sent()
    pending = item.pending if item else ROWS
    fields: dict[str, object] = {
        Act.DELIVER: {"shipment": shipment(about)},
        Act.REDELIVER: {"shipment": shipment(replace(about, quantity=max(pending, 1)))},
        Act.RECEIVE: {"found": (found(about),)},
        Act.REFUSE: {"found": (found(about, bytes=about.bytes + 1),)},
        Act.OBJECT: {
            "objections": (Objection(about.item, max(pending, 1), Reason.QUALITY, "演示"),),
            "evidence": (digest(1),),
        },
        Act.LATE: {
            "objections": (Objection(about.item, max(pending, 1), Reason.QUALITY, "演示"),),
            "evidence": (digest(1),),
            "text": "供方明知（演示）",
        },
        Act.CONTEST: {"items": (about.item,), "text": "演示"},
        Act.ESCALATE: {"items": (about.item,), "text": "演示"},
        Act.DECIDE: {"rulings": (Ruling(about.item, pending),), "decider": COURT, "document": digest(2)},
    }.get(act, {"items": (about.item,)})  # type: ignore[assignment]
    return DeliveryAct(act, SIDES[act], AGREEMENT, PROVIDER, CONSUMER, **{**fields, **changes})  # type: ignore[arg-type]


def case_in(state: State, at: int = NOW, **changes: object) -> Case | None:
    """A delivery of one item that reads `state` at `at`; None for NONE."""
    if state is State.NONE:
        return None
    stored = State.INSPECTION if state is State.DEEMED else state
    done = state in (State.ACCEPTED, State.DECIDED, State.REJECTED, State.WITHDRAWN)
    item = Item(
        sent(), ROWS, 0 if done else ROWS, stored,
        accepted=ROWS if state in (State.ACCEPTED, State.DECIDED) else 0,
        rejected=ROWS if state is State.REJECTED else 0,
        received_at={State.DEEMED: at - 30 * DAY, State.INSPECTION: at - DAY}.get(state),
    )  # fmt: skip
    return Case(AGREEMENT, PROVIDER, CONSUMER, shipment(), (replace(item, **changes),), at)


@dataclass
class Handing:
    """A delivery in the house under an agreement of a data set: each act signed by its side and sent."""

    house: House
    silence: Silence = Silence.ACCEPT
    inspection: Inspection | None = None
    mode: str = "M2"
    days: int = 5
    agreement: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        if not self.agreement:
            self.agreement, _ = self.house.conclude(
                delivery=Delivery(self.mode, "sftp", "7x24"), silence=self.silence, inspection=self.inspection,
                acceptance_days=self.days,
            )  # fmt: skip

    @property
    def case(self) -> Case:
        return store.delivery(self.house.session, self.id).case

    def shipment(self, *items: Sent, **changes: object) -> Shipment:
        """What fits the terms."""
        terms = market.terms_of(self.house.session, self.agreement, 1)
        return shipment(*items, version=terms.product.digest, mode=terms.delivery.mode, **changes)

    def body(self, act: Act, **fields: object) -> DeliveryAct:
        return DeliveryAct(act, SIDES[act], self.agreement, PROVIDER, CONSUMER, **fields)  # type: ignore[arg-type]

    def make(self, body: DeliveryAct, by: str = "", role: str = "") -> Signed:
        """The next act, signed by its side or by another party."""
        subject = subject_of(self.id)
        statement = Statement(DELIVERY_ACT, subject, *ledger.next_of(self.house.session, subject), body_of(body))
        party = by or PARTIES[body.side]
        key = self.house.keys[party].sm2
        signature = signing.sign_sm2(key, statement, by=f"party:{party}", role=role or body.side.value)
        return Signed(statement, (signature,))

    def put(self, signed: Signed, at: int = NOW) -> Appended:
        return service.take(self.house.session, signed, calendar=CALENDAR, at=at)

    def say(self, act: Act, at: int = NOW, **fields: object) -> Appended:
        return self.put(self.make(self.body(act, **fields)), at)

    def deliver(self, *items: Sent, at: int = NOW, **changes: object) -> Appended:
        return self.say(Act.DELIVER, at, shipment=self.shipment(*items, **changes))

    def receive(self, at: int = NOW) -> Appended:
        waits = [item.sent for item in self.case.items if item.state is State.SENT]
        return self.say(Act.RECEIVE, at, found=tuple(found(entry) for entry in waits))

    def object_to(self, at: int = NOW, **amounts: int) -> Appended:
        entries = tuple(Objection(name, amount, Reason.QUALITY, "演示") for name, amount in amounts.items())
        return self.say(Act.OBJECT, at, objections=entries, evidence=(digest(1),))

    def reading(self, at: int = NOW) -> service.Reading:
        return service.reading(self.house.session, self.id, calendar=CALENDAR, at=at)

    def accepted(self, at: int = NOW) -> list[tuple[int, int]]:
        """(accepted, delivered) of each line settlement would read."""
        lines = service.accepted_quantities(self.house.session, self.agreement, calendar=CALENDAR, at=at)
        return [(line.quantity.accepted, line.quantity.delivered) for line in lines]
