"""Deliveries as plain items that wait, and how much of each was accepted when.

Written from exchange.md §4.8 and 民法典 203, 621 alone: silence after five natural days, the last of them a working
day, accepts what waits; what is objected to later is taken out of that again. Nothing here imports the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import chinese_calendar

DAYS = 5
ROUNDS = 2
"""How often an item may be delivered again where the terms say nothing."""
DAY = 86_400
LASTS = (2 * DAYS + 31) * DAY
"""An inspection is over by then, whatever the calendar."""
FINAL = ("ACCEPTED", "REJECTED", "DECIDED", "WITHDRAWN")
DISPUTED = ("OBJECTED", "CONTESTED", "RECTIFYING")
MAY: dict[str, tuple[tuple[str, str], ...]] = {
    "SENT": (("RECEIVE", "CONSUMER"), ("REFUSE", "CONSUMER"), ("WITHDRAW", "PROVIDER")),
    "INSPECTION": (("ACCEPT", "CONSUMER"), ("OBJECT", "CONSUMER")),
    "DEEMED": (("ACCEPT", "CONSUMER"), ("LATE", "CONSUMER")),
    "OBJECTED": (("ACCEPT", "CONSUMER"), ("ESCALATE", "CONSUMER"), ("ADMIT", "PROVIDER"), ("CONTEST", "PROVIDER"),
                 ("REDELIVER", "PROVIDER"), ("CONCEDE", "PROVIDER")),
    "CONTESTED": (("ACCEPT", "CONSUMER"), ("ESCALATE", "CONSUMER"), ("ESCALATE", "PROVIDER"), ("ADMIT", "PROVIDER"),
                  ("REDELIVER", "PROVIDER"), ("CONCEDE", "PROVIDER")),
    "RECTIFYING": (("ACCEPT", "CONSUMER"), ("ESCALATE", "CONSUMER"), ("REDELIVER", "PROVIDER"),
                   ("CONCEDE", "PROVIDER")),
    "ESCALATED": (("ACCEPT", "CONSUMER"), ("CONCEDE", "PROVIDER"), ("DECIDE", "DECIDER")),
}  # fmt: skip
"""What may be done about an item, and by whom."""
TO = {
    "RECEIVE": "INSPECTION", "REFUSE": "OBJECTED", "WITHDRAW": "WITHDRAWN", "ACCEPT": "ACCEPTED", "OBJECT": "OBJECTED",
    "LATE": "OBJECTED", "ADMIT": "RECTIFYING", "CONTEST": "CONTESTED", "REDELIVER": "SENT", "CONCEDE": "REJECTED",
    "ESCALATE": "ESCALATED", "DECIDE": "DECIDED",
}  # fmt: skip


def inspected(received: int) -> int:
    """The first second after the inspection of what was received then."""
    zone = timezone(timedelta(hours=8))
    day = datetime.fromtimestamp(received, UTC).astimezone(zone).date() + timedelta(days=DAYS)
    while not chinese_calendar.is_workday(day):
        day += timedelta(days=1)
    following = day + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=zone).timestamp())


@dataclass
class Said:
    """One act about one item: `quantity` is what is delivered, objected to or granted; `logged` when it came in the
    log."""

    act: str
    item: str
    at: int
    quantity: int = 0
    logged: int | None = None

    @property
    def lasts(self) -> int:
        """How long it may bear on a period."""
        return self.at + (LASTS if self.act == "RECEIVE" else 0)


@dataclass
class Thing:
    """An item of a delivery as it stands: of `quantity` so much `waits`. `silent`: nobody will say a word about it
    while it is inspected."""

    quantity: int
    waits: int
    number: int
    silent: bool = False
    state: str = "SENT"
    round: int = 1
    received: int = 0

    def at(self, now: int) -> str:
        """How it reads then."""
        return "DEEMED" if self.state == "INSPECTION" and now >= inspected(self.received) else self.state

    def may(self, now: int) -> list[tuple[str, str]]:
        """(act, side) that is open now, or will be drawn at all."""
        state = self.at(now)
        acts = MAY.get(state, ()) if not (self.silent and state == "INSPECTION") else ()
        never = {"WITHDRAW": self.round > 1, "REDELIVER": self.round > ROUNDS}
        return [one for one in acts if not never.get(one[0])]


@dataclass
class Delivery:
    """What was delivered under an agreement revision and everything said about it since."""

    name: str
    agreement: str
    revision: int
    things: dict[str, Thing]
    said: list[Said] = field(default_factory=list)

    def take(self, said: Said) -> None:
        """One more act."""
        self.said.append(said)
        if said.act == "DELIVER":
            return
        thing = self.things[said.item]
        thing.state = TO[said.act]
        thing.received = said.at if said.act == "RECEIVE" else 0
        if said.act in ("OBJECT", "LATE"):
            thing.waits = said.quantity
        elif said.act == "REDELIVER":
            thing.round += 1
        elif thing.state in FINAL:
            thing.waits = 0

    def accepted(self, upto: int) -> list[tuple[str, int, int]]:
        """(item, second, units) of all that is accepted as the acts say that were in the log by then."""
        known = [said for said in self.said if (said.logged or upto + 1) <= upto]
        return [(item, at, n) for item in self.things for at, n in _accepted([s for s in known if s.item == item]) if n]


def _accepted(acts: list[Said]) -> list[tuple[int, int]]:
    """(second, units) of one item: what silence accepted is so at the end of the inspection, whatever is said later."""
    found: list[tuple[int, int]] = []
    waits, ends = 0, 0
    for said in acts:
        at = min(said.at, ends) if ends else said.at
        if said.act == "DELIVER":
            waits = said.quantity
        elif said.act == "ACCEPT":
            found.append((at, waits))
        elif said.act in ("OBJECT", "LATE"):
            found.append((at, waits - said.quantity))
            waits = said.quantity
        elif said.act == "DECIDE":
            found.append((said.at, said.quantity))
        if TO.get(said.act) in FINAL:
            waits = 0
        ends = inspected(said.at) if said.act == "RECEIVE" else 0
    return [*found, (ends, waits)] if ends else found
