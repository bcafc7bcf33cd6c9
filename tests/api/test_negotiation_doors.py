"""The door of signed messages: what is answered, what a party sees, and that an error is kept and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.market import store as market
from clearing.market.negotiation.message import Message
from clearing.market.negotiation.moves import State
from tests.api.shop import BY, MESSAGES, Shop, body_of, open_shop
from tests.clearing.market.house import COURT, PROVIDER
from tests.clearing.market.talks import PATHS, UNTIL, C, P, quote

CONSUMER_, SELLER_, COURT_, PROVIDER_ = BY[C], BY[P], f"party:{COURT}", f"party:{PROVIDER}"


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "home", empty_database) as opened:
        yield opened


def test_negotiation__over_http__from_inquiry_to_agreement(shop: Shop) -> None:
    talk = shop.talk()
    for message, side in (*PATHS[State.ORDERED], *PATHS[State.FINALIZED]):
        made = shop.make(talk, message, side)
        first = shop.send(made, BY[side])
        assert first.status_code == 200, first.text
        again = shop.send(made, BY[side]).json()
        assert again.pop("replayed") is True
        assert again == {name: value for name, value in first.json().items() if name != "replayed"}
    found = shop.get(f"/api/negotiations/{talk.id}", CONSUMER_).json()
    assert found["negotiation"]["state"] == "FINALIZED"
    assert [line["message"] for line in found["messages"]] == [
        message.value for message, _ in (*PATHS[State.ORDERED], *PATHS[State.FINALIZED])
    ]
    assert found["act"]["subject"] == f"agreement:{found['negotiation']['agreement']}"
    with shop.platform.reading() as session:
        assert [row.id for row in market.agreements(session)] == [found["negotiation"]["agreement"]]


def test_refused__said_to_the_sender_kept_for_both_sides_and_no_fact(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.OFFERED)
    before = shop.platform.count()
    answer = shop.say(talk, Message.FINALISE, P)
    assert (answer.status_code, answer.json()["error"]) == (409, "WrongMove")
    assert "状态不符" in answer.json()["message"]
    late = shop.make(talk, Message.ACCEPT, C)
    shop.platform.now = UNTIL + 1
    answer = shop.send(late, CONSUMER_)
    assert (answer.status_code, answer.json()["error"], answer.json()["field"]) == (409, "Lapsed", "valid_until")
    assert shop.platform.count() == before
    for by in (CONSUMER_, SELLER_):
        assert [row["error"] for row in shop.kept(talk, by)] == ["WrongMove", "Lapsed"]


def test_refused__the_same_error_again__kept_once(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.OFFERED)
    made = shop.make(talk, Message.FINALISE, P)
    assert [shop.send(made, SELLER_).status_code for _ in range(3)] == [409, 409, 409]
    assert len(shop.kept(talk)) == 1


def test_sender__with_the_key_of_another__403(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.OFFERED)
    made = shop.make(talk, Message.ACCEPT, C)
    for by in (SELLER_, COURT_):
        assert shop.send(made, by).status_code == 403
    assert shop.platform.client.post(MESSAGES, json=body_of(*made)).status_code == 401


def test_negotiation__shown_to_its_sides_and_to_the_signers_of_its_act_only(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.REQUESTED)
    path = f"/api/negotiations/{talk.id}"
    seen = {by: shop.get(path, by).status_code for by in (CONSUMER_, SELLER_, PROVIDER_, COURT_)}
    assert seen == {CONSUMER_: 200, SELLER_: 200, PROVIDER_: 403, COURT_: 403}
    assert shop.get(f"/api/negotiations/{'0' * 64}", CONSUMER_).status_code == 404
    for message, side in PATHS[State.VERIFIED][1:]:
        assert shop.say(talk, message, side).status_code == 200
    found = shop.get(path, PROVIDER_).json()
    assert found["act"]["body"]["negotiation_id"] == talk.id
    assert shop.get(path, COURT_).status_code == 403


def test_list__own_negotiations_only(shop: Shop) -> None:
    talks = [shop.to(shop.talk(), state) for state in (State.INQUIRY, State.OFFERED)]
    for by in (CONSUMER_, SELLER_):
        rows = shop.get("/api/negotiations", by).json()["negotiations"]
        assert {row["id"] for row in rows} == {talk.id for talk in talks}
    assert shop.get("/api/negotiations", COURT_).json()["negotiations"] == []
    shop.to(shop.talk(), State.QUOTED)
    shop.platform.now = UNTIL + 1
    rows = shop.get("/api/negotiations", CONSUMER_).json()["negotiations"]
    assert "LAPSED" in {row["state"] for row in rows}


def test_worklist__a_negotiation_waits_for_whoever_must_answer_and_for_nobody_else(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.QUOTED)

    def waiting(by: str) -> list[str]:
        return [line["subject"] for line in shop.get("/api/worklist", by).json()["lines"]]

    subject = f"negotiation:{talk.id}"
    assert waiting(CONSUMER_) == [subject]
    assert waiting(SELLER_) == []
    agency = f"party:{shop.platform.system.settings.agency}"
    assert waiting(agency) == []
    shop.say(talk, Message.BARGAIN, C, quote(7))
    assert (waiting(CONSUMER_), waiting(SELLER_)) == ([], [subject])
    line = shop.get("/api/worklist", SELLER_).json()["lines"][0]
    assert (line["type"], line["state"], line["ends"]) == ("negotiation", "COUNTERED", UNTIL + 1)
    assert [step["move"] for step in line["steps"]] == ["QUOTE", "WITHDRAW"]
    assert line["role"] == "PROVIDER"


def test_bundle__of_a_message__for_both_sides(shop: Shop) -> None:
    """The parties may have the proof of what was said; it waits for the log like any other."""
    talk = shop.to(shop.talk(), State.INQUIRY)
    fact = shop.get(f"/api/negotiations/{talk.id}", SELLER_).json()["messages"][0]["fact_id"]
    seen = {by: shop.get(f"/api/bundles/{fact}", by).status_code for by in (CONSUMER_, SELLER_, COURT_)}
    assert seen == {CONSUMER_: 409, SELLER_: 409, COURT_: 403}
