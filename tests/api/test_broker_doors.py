"""A broker at the door of negotiations: what it says is taken in, it sees its talks, its commission is disclosed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.market.negotiation.message import Message
from ledger.facts import Signed
from ledger.signing import sign_sm2
from tests.api.shop import BY, Shop, open_shop
from tests.clearing.market.brokers import BRK, Broker
from tests.clearing.market.house import COURT
from tests.clearing.market.talks import C, P

BROKER_ = f"party:{BRK}"


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "home", empty_database) as opened:
        yield opened


def test_inquiry__under_a_mandate__and_who_sees_talk_and_commission(shop: Shop) -> None:
    broker, talk = Broker(shop.house), shop.talk()
    mandate = broker.give()
    shop.house.session.commit()
    signed, parts = shop.make(talk, Message.INQUIRE, C, broker=BRK, mandate=mandate)
    statement = signed.statement
    by_broker = Signed(statement, (sign_sm2(shop.house.keys[BRK].sm2, statement, by=BROKER_, role=C.value),))
    assert shop.send((by_broker, parts), BY[C]).status_code == 403  # who sends it is not who signed it
    answer = shop.send((by_broker, parts), BROKER_)
    assert answer.status_code == 200, answer.text
    everybody = (BROKER_, BY[C], BY[P], f"party:{COURT}")
    for path in (f"/api/negotiations/{talk.id}", f"/api/mandates/{mandate}"):
        assert [shop.get(path, by).status_code for by in everybody] == [200, 200, 200, 403], path
    assert shop.get(f"/api/mandates/{mandate}", BY[P]).json()["mandate"]["mandate"]["commission"]["bp"] == 150
    [line] = shop.get("/api/negotiations", BROKER_).json()["negotiations"]
    assert (line["id"], line["consumer_mandate"]) == (talk.id, mandate)
    refused = shop.make(talk, Message.REQUEST, C, broker=BRK, mandate=mandate)
    assert shop.send(refused, BY[C]).status_code == 422
