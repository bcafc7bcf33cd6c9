"""Deliveries in the simulated market: handed over, received, accepted by act, by silence and by decision, objected to
in time and late, delivered again; and what is billed of them. Everything is 演示."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from clearing.errors import ClearingError
from clearing.market.delivery import service as delivering
from clearing.market.delivery.act import (
    DELIVERY_ACT,
    Act,
    DeliveryAct,
    Objection,
    Reason,
    Ruling,
    Sent,
    Shipment,
    Side,
    subject_of,
)
from clearing.settlement import tables
from clearing.usage.metering import MeterReading
from ledger import canonical
from ledger import store as ledger
from ledger.facts import Statement
from ledger.reading import body_of, read
from tests.clearing.market import house as houses
from tests.clearing.market.handing import CALENDAR, digest, found, sent
from tests.clearing.market.house import COURT
from tests.clearing.settlement.deliveries_oracle import MAY, Delivery, Said, Thing
from tests.clearing.settlement.simulator import Kind, Simulator


def say(m: Simulator, delivery: Delivery, act: Act, side: Side, **fields: Any) -> None:
    """One act, signed by its side and taken in."""
    buyer, provider, _ = m.triples[delivery.agreement]
    body = DeliveryAct(act, side, delivery.agreement, provider, buyer, **fields)
    subject = subject_of(delivery.name)
    statement = Statement(DELIVERY_ACT, subject, *ledger.next_of(m.session, subject), body_of(body))
    signed = m.signed(statement, (body.sender, side.value))
    delivering.take(m.session, signed, calendar=CALENDAR, at=m.at)


def shipped(m: Simulator, delivery: Delivery, things: dict[str, Thing]) -> Shipment:
    listing = m.listings[m.triples[delivery.agreement][2], "item"]
    version = houses.shelf_store.listing(m.session, listing).digest
    items = tuple(_sent(name, thing) for name, thing in things.items())
    return Shipment(delivery.revision, version, "M2", "sftp", m.at, items)


def _sent(name: str, thing: Thing) -> Sent:
    return sent(name, thing.waits, thing.number, unit="item")


class Deliver(Kind):
    """Up to three items under the revision in force; about some of them the buyer will say nothing in time."""

    weight = 5

    def options(self, m: Simulator) -> list[Any]:
        now = [m.deal_at(name, m.at) for name in m.triples if name not in m.lines]
        return [deal for deal in now if deal]

    def draw(self, m: Simulator, options: list[Any]) -> Delivery:
        deal, count = m.rng.choice(options), len(m.model.deliveries)
        things = {}
        for number in range(m.rng.randint(1, 3)):
            quantity = m.rng.choice((1, 2, 9, 60, 700))
            things[f"i{number}"] = Thing(quantity, quantity, 10 * count + number, silent=m.rng.random() < 0.5)
        return Delivery(m.name("delivery", count)[:32], deal.agreement, deal.revision, things)

    def act(self, m: Simulator, what: Delivery) -> None:
        say(m, what, Act.DELIVER, Side.PROVIDER, shipment=shipped(m, what, what.things))

    def know(self, m: Simulator, what: Delivery) -> None:
        m.model.deliveries[what.name] = what
        for name, thing in what.things.items():
            what.take(Said("DELIVER", name, m.at, thing.quantity))

    def tell(self, what: Any) -> str:
        return f"{what.name[:8]} {what.agreement[:8]}#{what.revision} {[t.quantity for t in what.things.values()]}"


class Handle(Kind):
    """One act about one item, by whoever may do it."""

    weight = 14

    def options(self, m: Simulator) -> list[Any]:
        return [(one, name) for one in m.model.deliveries.values() for name, thing in one.things.items()
                if thing.may(m.at)]  # fmt: skip

    def draw(self, m: Simulator, options: list[Any]) -> tuple[Delivery, str, str, str, int]:
        delivery, name = m.rng.choice(options)
        thing = delivery.things[name]
        likely = {"RECEIVE": 8, "ACCEPT": 2, "OBJECT": 2, "LATE": 1, "ESCALATE": 2, "DECIDE": 4, "REDELIVER": 2}
        acts = thing.may(m.at)
        act, side = m.rng.choices(acts, [likely.get(act, 1) for act, _ in acts])[0]
        part = m.rng.choice((thing.waits, m.rng.randint(1, thing.waits), 1))
        if act == "DECIDE":
            part = m.rng.choice((0, part))
        return delivery, name, act, side, part

    def act(self, m: Simulator, what: tuple[Delivery, str, str, str, int]) -> None:
        delivery, name, act, side, part = what
        thing, fields = delivery.things[name], dict[str, Any]()
        if act in ("RECEIVE", "REFUSE"):
            entry = _sent(name, thing)
            fields["found"] = (found(entry) if act == "RECEIVE" else found(entry, bytes=entry.bytes + 1),)
        elif act in ("OBJECT", "LATE"):
            fields = {"objections": (Objection(name, part, Reason.QUALITY, "演示"),), "evidence": (digest(1),)}
        elif act == "REDELIVER":
            fields["shipment"] = shipped(m, delivery, {name: thing})
        elif act == "DECIDE":
            fields = {"rulings": (Ruling(name, part),), "decider": COURT, "document": digest(3)}
        else:
            fields["items"] = (name,)
        if act in ("LATE", "CONTEST", "ESCALATE"):
            fields["text"] = "供方明知（演示）"
        say(m, delivery, Act(act), Side(side), **fields)

    def know(self, m: Simulator, what: tuple[Delivery, str, str, str, int]) -> None:
        delivery, name, act, _, part = what
        m.done[f"delivery {act}"] += 1
        delivery.take(Said(act, name, m.at, part if act in ("OBJECT", "LATE", "DECIDE") else 0))

    def tell(self, what: Any) -> str:
        return f"{what[0].name[:8]} {what[1]} {what[2]} of {what[3]} {what[4]}"


class WrongHand(Kind):
    """An act that the item does not allow now, such as an objection after silence accepted it, or more than waits:
    refused."""

    weight = 2
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return [(one, name) for one in m.model.deliveries.values() for name in one.things][-30:]

    def act(self, m: Simulator, what: tuple[Delivery, str]) -> None:
        delivery, name = what
        thing, before = delivery.things[name], ledger.count(m.session)
        open_ = {act for act, _ in MAY.get(thing.at(m.at), ())}
        most = thing.waits + ("OBJECT" in open_)
        objection = (Objection(name, max(most, 1), Reason.QUALITY, "演示"),)
        tries: list[tuple[Act, Side, dict[str, Any]]] = [
            (Act.OBJECT, Side.CONSUMER, {"objections": objection, "evidence": (digest(1),)}),
            (Act.ACCEPT, Side.PROVIDER, {"items": (name,)}),
        ]
        if "DECIDE" not in open_:
            fields = {"rulings": (Ruling(name, 0),), "decider": COURT, "document": digest(3)}
            tries.append((Act.DECIDE, Side.DECIDER, fields))
        if "ACCEPT" not in open_:
            tries.append((Act.ACCEPT, Side.CONSUMER, {"items": (name,)}))
        for act, side, fields in tries:
            with pytest.raises(ClearingError):
                say(m, delivery, act, side, **fields)
            m.session.rollback()
        assert ledger.count(m.session) == before

    def tell(self, what: Any) -> str:
        return f"{what[0].name[:8]} {what[1]}"


GOODS_STEPS: tuple[Kind, ...] = (Deliver(), Handle(), WrongHand())


def accepted(m: Simulator) -> None:
    """6, 7 of what is accepted: each period bills the units accepted in it as the acts say that were in the log then,
    every unit of an item once, and never more of it than was delivered."""
    table = tables.reading
    rows = m.session.execute(select(table.c.agreement, table.c.period, table.c.document).order_by(table.c.sequence))
    last: dict[tuple[str, int, str], MeterReading] = {}
    for row in rows:
        if row.agreement not in m.lines:
            body = read(MeterReading, canonical.decode(row.document.encode()))
            last[body.agreement, body.revision, body.period] = body
    rated = [cycle for cycle in m.model.cycles.values() if cycle.cut and cycle.state not in ("open", "cut_off")]
    upto = max((cycle.upto for cycle in rated), default=0)
    due: Counter[tuple[str, int, str]] = Counter()
    units: Counter[tuple[str, str]] = Counter()
    for delivery in m.model.deliveries.values():
        for item, at, n in delivery.accepted(upto):
            for cycle in rated:
                if cycle.start <= at < cycle.end:
                    due[delivery.agreement, delivery.revision, cycle.period] += n
                    units[delivery.name, item] += n
    billed = {key: body.quantity for key, body in last.items() if body.quantity}
    assert billed == +due
    entries = [one for body in last.values() for one in body.accepted or ()]
    assert len({(one.delivery, one.item, one.fact, one.deemed) for one in entries}) == len(entries)
    counted: Counter[tuple[str, str]] = Counter()
    for one in entries:
        counted[one.delivery, one.item] += one.quantity
    assert +counted == +units
    for (name, item), n in counted.items():
        assert n <= m.model.deliveries[name].things[item].quantity
    m.done["units billed"] = sum(billed.values())
    m.done["units deemed"] = sum(one.quantity for one in entries if one.deemed)
