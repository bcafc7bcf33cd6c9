"""A broker in the house's market, with mandates of its parties."""

from __future__ import annotations

import secrets

from clearing.market.broker import service, store
from clearing.market.broker.mandate import (
    BROKER,
    MANDATE,
    MANDATE_ENDING,
    Commission,
    Held,
    Mandate,
    MandateEnding,
    Task,
)
from clearing.market.negotiation.message import Document, Message, Side
from clearing.market.negotiation.service import Refusal
from ledger.facts import Signed
from ledger.signing import sign_sm2
from ledger.store import Appended
from registry.calendar import day_of
from registry.tables import PartyRow
from tests.clearing.market.house import CONSUMER, DAY, NOW, SELLER, House, new_keys, uscc
from tests.clearing.market.talks import Talk

BRK = uscc(77)


def mandate_of(**changes: object) -> Mandate:
    fields: dict[str, object] = {
        "principal": CONSUMER, "broker": BRK, "tasks": (Task.DEMAND, Task.INQUIRE, Task.ORDER),
        "commission": Commission(bp=150), "scope": "航空数据的询价与下单", "first": day_of(NOW).isoformat(),
        "last": day_of(NOW + 30 * DAY).isoformat(),
    }  # fmt: skip
    return Mandate(**fields | changes)  # type: ignore[arg-type]


class Broker:
    """A party on the register of brokers, or not, with keys of its own."""

    def __init__(self, house: House, roles: str = BROKER) -> None:
        self.house = house
        house.keys[BRK] = new_keys()
        house.session.add(
            PartyRow(id=BRK, no=0, name="演示经纪", kind="法人", sm2=house.keys[BRK].sm2.public,
                     evm=house.keys[BRK].address, roles=roles, from_at=NOW - 90 * DAY, fact_id=BRK.ljust(64, "0"))
        )  # fmt: skip
        house.session.flush()

    def make(self, identity: str = "", by: tuple[str, ...] = (), **changes: object) -> Signed:
        value = mandate_of(**changes)
        subject = f"mandate:{identity or secrets.token_hex(16)}"
        first, *others = by or (value.principal, value.broker)
        signed = self.house.signed(MANDATE, subject, value, f"party:{first}", self.house.keys[first].sm2)
        more = [sign_sm2(self.house.keys[party].sm2, signed.statement, by=f"party:{party}") for party in others]
        return Signed(signed.statement, (*signed.signatures, *more))

    def give(self, at: int = NOW, **changes: object) -> str:
        signed = self.make(**changes)
        service.give(self.house.session, signed, at=at)
        return signed.statement.subject.removeprefix("mandate:")

    def end(self, mandate: str, by: str, at: int = NOW) -> None:
        signed = self.house.signed(
            MANDATE_ENDING, f"mandate:{mandate}", MandateEnding("不再需要"), f"party:{by}", self.house.keys[by].sm2
        )
        service.end(self.house.session, signed, at=at)

    def held(self, mandate: str) -> Held:
        return store.mandate(self.house.session, mandate)

    def say(
        self, talk: Talk, mandate: str, message: Message, side: Side, document: Document | None = None, at: int = NOW
    ) -> Appended | Refusal:
        """The next message of the side, said by the broker."""
        signed, parts = talk.make(message, side, document, broker=BRK, mandate=mandate)
        statement = signed.statement
        by_broker = sign_sm2(self.house.keys[BRK].sm2, statement, by=f"party:{BRK}", role=side.value)
        return talk.put(Signed(statement, (by_broker,)), parts, at)


SIDES = {Side.CONSUMER: CONSUMER, Side.PROVIDER: SELLER}
