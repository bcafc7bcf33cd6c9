"""The made-up market of `tests.clearing.market` behind the doors of a real server: two sides, one listing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from clearing.market.negotiation.message import Document, Message, Side
from clearing.market.negotiation.moves import State
from ledger.facts import Signed
from tests.api.house import Platform, open_platform
from tests.clearing.market.house import CONSUMER, NOW, SELLER, House
from tests.clearing.market.talks import PATHS, Talk

BY = {Side.CONSUMER: f"party:{CONSUMER}", Side.PROVIDER: f"party:{SELLER}"}
MESSAGES = "/api/negotiations/messages"


@dataclass
class Shop:
    """A platform with the market's house in its database; between two requests the house holds no lock."""

    platform: Platform
    house: House
    listing: str

    def talk(self) -> Talk:
        return Talk(self.house, self.listing, operator=self.platform.system.settings.operator)

    def make(
        self, talk: Talk, message: Message, side: Side, document: Document | None = None, **changes: object
    ) -> tuple[Signed, tuple[bytes, ...]]:
        made = talk.make(message, side, document, **changes)
        self.house.session.commit()
        return made

    def send(self, made: tuple[Signed, tuple[bytes, ...]], by: str) -> httpx.Response:
        return self.platform.post(MESSAGES, body_of(*made), by)

    def say(
        self, talk: Talk, message: Message, side: Side, document: Document | None = None, **changes: object
    ) -> httpx.Response:
        return self.send(self.make(talk, message, side, document, **changes), BY[side])

    def to(self, talk: Talk, state: State) -> Talk:
        for message, side in PATHS[state]:
            answer = self.say(talk, message, side)
            assert answer.status_code == 200, answer.text
        return talk

    def get(self, path: str, by: str) -> httpx.Response:
        return self.platform.client.get(path, headers=self.platform.headers(by))

    def kept(self, talk: Talk, by: str = BY[Side.CONSUMER]) -> list[dict[str, Any]]:
        return list(self.get(f"/api/negotiations/{talk.id}", by).json()["refused"])


def body_of(signed: Signed, parts: tuple[bytes, ...] = ()) -> dict[str, Any]:
    """A signed statement with its parts as the doors take it."""
    sent: dict[str, Any] = dict(signed.document())
    return sent | ({"parts": [part.decode() for part in parts]} if parts else {})


@contextmanager
def open_shop(home: Path, empty: Path, **more: Any) -> Iterator[Shop]:
    with open_platform(home, empty, peopled=False, **more) as platform:
        platform.now = NOW
        house = House(platform.system.engine, platform.system.agreement_domain)
        operator = platform.system.settings.operator
        house.admit(operator, platform.system.operator.sm2.public)
        listing = house.listed()
        house.session.commit()
        yield Shop(platform, house, listing)
        house.session.close()
