"""The Dataspace Protocol 2025-1: signed peers conclude a contract, unsigned ones never, every refusal is its document.

The shapes asked for here are typed off the JSON schemas of the protocol (required fields and types), not taken from
our code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlmodel import select

from api.desk.tables import WaitingStatement
from api.dsp import SIGNED
from clearing.market import store as market
from clearing.market.listing import Move
from clearing.market.negotiation.dataspace import BASE, CONTEXT
from clearing.market.negotiation.message import Message, Side
from clearing.market.negotiation.moves import State
from clearing.market.odrl import render_agreement, render_offer
from ledger.facts import Signed
from tests.api.routes import DSP_POSTS, POSTS, name_of, path_of
from tests.api.shop import BY, Shop, body_of, open_shop
from tests.api.test_hostile import BODIES
from tests.clearing.market.house import COURT, NOW
from tests.clearing.market.talks import UNTIL, C, P, Talk

CONSUMER_, SELLER_, COURT_ = BY[C], BY[P], f"party:{COURT}"
PID = "urn:uuid:32541fe6-c580-409e-85a8-8a9a32fbe833"
TYPES = {
    Message.REQUEST: ("ContractRequestMessage", "request"),
    Message.OFFER: ("ContractOfferMessage", "offers"),
    Message.ACCEPT: ("ContractNegotiationEventMessage", "events"),
    Message.AGREEMENT: ("ContractAgreementMessage", "agreement"),
    Message.VERIFICATION: ("ContractAgreementVerificationMessage", "agreement/verification"),
    Message.FINALISE: ("ContractNegotiationEventMessage", "events"),
    Message.TERMINATE: ("ContractNegotiationTerminationMessage", "termination"),
}


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "home", empty_database) as opened:
        yield opened


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Shop]:
    """A shop that a module's tests share because none of them may change it."""
    with open_shop(tmp_path_factory.mktemp("still") / "home", empty_database) as opened:
        yield opened


# What the schemas of the protocol ask for ----------------------------------------


def is_negotiation(document: dict[str, Any], state: str) -> None:
    assert CONTEXT in document["@context"]
    assert document["@type"] == "ContractNegotiation"
    assert all(isinstance(document[name], str) and document[name] for name in ("providerPid", "consumerPid"))
    assert document["state"] == state
    assert state in {"REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED"}


def is_error(answer: httpx.Response, *statuses: int, type_: str = "ContractNegotiationError") -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    document = answer.json()
    assert CONTEXT in document["@context"]
    assert document["@type"] == type_
    if type_ == "ContractNegotiationError":
        assert isinstance(document["providerPid"], str)
        assert isinstance(document["consumerPid"], str)
    assert isinstance(document["code"], str)
    assert isinstance(document["reason"], list)
    assert document["reason"]
    assert not document["reason"][0]["message"].partition(" / ")[0].isascii()
    return dict(document)


def is_offer(document: dict[str, Any], *, target: str | None) -> None:
    assert document["@type"] == "Offer"
    assert isinstance(document["@id"], str)
    assert document.get("target") == target
    assert isinstance(document["permission"], list)
    assert document["permission"]
    for rule in document["permission"]:
        assert isinstance(rule["action"], str)
        assert "target" not in rule
        for constraint in rule.get("constraint", []):
            assert {"leftOperand", "operator", "rightOperand"} <= constraint.keys()
            assert isinstance(constraint["rightOperand"], str | dict | list)


def is_dataset(document: dict[str, Any]) -> None:
    assert isinstance(document["@id"], str)
    assert document["@type"] == "Dataset"
    assert document["hasPolicy"]
    for offer in document["hasPolicy"]:
        is_offer(offer, target=None)
    assert document["distribution"]
    for distribution in document["distribution"]:
        assert isinstance(distribution["format"], str)
        assert distribution["accessService"]


# Messages ----------------------------------------


def envelope(
    talk: Talk, message: Message, made: tuple[Signed, tuple[bytes, ...]] | None, side: Side = C, **more: object
) -> dict[str, Any]:
    """A message as a peer sends it: with the extension if it signs."""
    pid = f"negotiation:{talk.id}"
    document: dict[str, Any] = {
        "@context": [CONTEXT], "@type": TYPES[message][0], "providerPid": pid, "consumerPid": pid,
    }  # fmt: skip
    policy = talk.house.terms(talk.listing).policy
    talk.house.session.commit()
    if message in (Message.REQUEST, Message.OFFER):
        document["offer"] = render_offer(policy, "offer:x")
    if message is Message.AGREEMENT and made is not None:
        body = made[0].statement.body
        document["agreement"] = render_agreement(policy, f"agreement:{body['agreement']}", NOW)
    if message in (Message.ACCEPT, Message.FINALISE):
        document["eventType"] = "ACCEPTED" if message is Message.ACCEPT else "FINALIZED"
    if made is not None:
        document[SIGNED] = body_of(*made)
    return document | more


def first(talk: Talk, made: tuple[Signed, tuple[bytes, ...]] | None, **more: object) -> dict[str, Any]:
    """The request that begins a negotiation."""
    document = envelope(talk, Message.REQUEST, made)
    del document["providerPid"]
    return document | {"callbackAddress": "https://consumer.example/callback"} | more


def post(shop: Shop, path: str, document: dict[str, Any], by: str) -> httpx.Response:
    return shop.platform.client.post(
        f"{BASE}/negotiations/{path}", content=json.dumps(document), headers=shop.platform.headers(by)
    )


def state(shop: Shop, talk: Talk, by: str = CONSUMER_, pid: str = "") -> dict[str, Any]:
    answer = shop.get(f"{BASE}/negotiations/{pid or f'negotiation:{talk.id}'}", by)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# Version and catalogue ----------------------------------------


def test_version__well_known__without_a_key(still: Shop) -> None:
    document = still.platform.client.get("/.well-known/dspace-version").json()
    [version] = document["protocolVersions"]
    assert (version["version"], version["binding"]) == ("2025-1", "HTTPS")
    assert version["path"] == BASE


def test_catalog__what_is_on_the_shelf__as_datasets_whose_offers_have_no_target(still: Shop) -> None:
    request = {"@context": [CONTEXT], "@type": "CatalogRequestMessage", "filter": []}
    answer = still.platform.post(f"{BASE}/catalog/request", request, CONSUMER_)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["@type"] == "Catalog"
    assert CONTEXT in document["@context"]
    assert isinstance(document["participantId"], str)
    assert {"@id", "@type", "endpointURL"} <= document["service"][0].keys()
    assert [item["@id"] for item in document["dataset"]] == [f"listing:{still.listing}"]
    is_dataset(document["dataset"][0])
    one = still.get(f"{BASE}/catalog/datasets/listing:{still.listing}", CONSUMER_).json()
    assert one.pop("@context") == [CONTEXT]
    assert one == document["dataset"][0]


def test_catalog__filter_or_unknown_dataset_or_no_key__catalog_error(still: Shop) -> None:
    request = {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}
    path = f"{BASE}/catalog/request"
    is_error(still.platform.post(path, request | {"filter": ["x"]}, CONSUMER_), 400, type_="CatalogError")
    is_error(still.platform.client.post(path, json=request), 401, type_="CatalogError")
    for dataset in ("listing:" + "0" * 32, "x", "listing:" + still.listing + "0"):
        is_error(still.get(f"{BASE}/catalog/datasets/{dataset}", CONSUMER_), 404, type_="CatalogError")


def test_catalog__a_suspended_product__is_not_in_it(shop: Shop) -> None:
    shop.house.review(shop.listing, Move.SUSPEND, reason="演示")
    shop.house.session.commit()
    request = {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}
    assert "dataset" not in shop.platform.post(f"{BASE}/catalog/request", request, CONSUMER_).json()
    is_error(shop.get(f"{BASE}/catalog/datasets/listing:{shop.listing}", CONSUMER_), 404, type_="CatalogError")
    is_error(post(shop, "request", first(shop.talk(), None, consumerPid=PID), CONSUMER_), 404)


# Peers that sign ----------------------------------------


def test_signed_peers__through_the_protocol_alone__finalized_with_the_agreement_in_force(shop: Shop) -> None:
    talk = shop.talk()
    terms = shop.house.terms(shop.listing)
    made = shop.make(talk, Message.REQUEST, C, terms, pid=PID)
    answer = post(shop, "request", first(talk, made, consumerPid=PID), CONSUMER_)
    assert answer.status_code == 201, answer.text
    is_negotiation(answer.json(), "REQUESTED")
    assert answer.json()["consumerPid"] == PID
    way = [
        (Message.COUNTER, P, "offers", "OFFERED"), (Message.ACCEPT, C, "events", "ACCEPTED"),
        (Message.AGREEMENT, P, "agreement", "AGREED"),
        (Message.VERIFICATION, C, "agreement/verification", "VERIFIED"),
        (Message.FINALISE, P, "events", "FINALIZED"),
    ]  # fmt: skip
    for message, side, path, reached in way:
        made = shop.make(talk, message, side)
        sort = Message.OFFER if message is Message.COUNTER else message
        document = envelope(talk, sort, made, side, consumerPid=PID)
        answer = post(shop, f"negotiation:{talk.id}/{path}", document, BY[side])
        assert answer.status_code == 200, answer.text
        is_negotiation(answer.json(), reached)
        again = post(shop, f"negotiation:{talk.id}/{path}", document, BY[side])
        assert again.json() == answer.json()
        seen = state(shop, talk)
        is_negotiation({name: seen[name] for name in answer.json()}, reached)
        assert seen[SIGNED]["statement"] == made[0].statement.document()
    with shop.platform.reading() as session:
        [row] = market.agreements(session)
    assert seen["urn:shuqing:dsp:agreement"]["@id"] == f"agreement:{row.id}"
    assert seen["urn:shuqing:dsp:agreement"]["target"] == f"listing:{shop.listing}"


def test_signed_provider__begins__201_offered(shop: Shop) -> None:
    talk = shop.talk()
    made = shop.make(talk, Message.OFFER, P)
    answer = post(shop, "offers", envelope(talk, Message.OFFER, made, P), SELLER_)
    assert answer.status_code == 201, answer.text
    is_negotiation(answer.json(), "OFFERED")


def test_termination__by_either_side_with_and_without_a_signature(shop: Shop) -> None:
    for side, signs in ((C, True), (P, True), (C, False)):
        talk = shop.to(shop.talk(), State.OFFERED)
        made = shop.make(talk, Message.TERMINATE, side) if signs else None
        document = envelope(talk, Message.TERMINATE, made, code="changed", reason=["演示"])
        answer = post(shop, f"negotiation:{talk.id}/termination", document, BY[side])
        assert answer.status_code == 200, answer.text
        is_negotiation(answer.json(), "TERMINATED")


# The envelope and the statement ----------------------------------------


def test_envelope__that_says_something_else_than_the_statement__refused_and_nothing_written(shop: Shop) -> None:
    talk = shop.talk()
    terms = shop.house.terms(shop.listing)
    made = shop.make(talk, Message.REQUEST, C, terms)
    good = first(talk, made)
    other_rule = [{"action": "read"}]
    before = shop.platform.count()
    for spoiled in (
        good | {"consumerPid": PID},
        good | {"providerPid": f"negotiation:{talk.id}"},
        good | {"@type": "ContractOfferMessage"},
        good | {"@context": ["https://w3id.org/dspace/2024/1/context.json"]},
        good | {"offer": good["offer"] | {"permission": other_rule}},
        good | {"offer": {name: value for name, value in good["offer"].items() if name != "target"}},
        good | {"offer": good["offer"] | {"target": "listing:" + "b" * 32}},
        good | {"offer": good["offer"] | {"assignee": COURT_}},
        good | {"offer": good["offer"] | {"permission": [other_rule[0] | {"target": f"listing:{shop.listing}"}]}},
        good | {"offer": "offer:x"},
        good | {"callbackAddress": ""},
        good | {SIGNED: []},
        good | {SIGNED: {"statement": {}, "signatures": []}},
        good | {SIGNED: body_of(*shop.make(talk, Message.INQUIRE, C))},
        {name: value for name, value in good.items() if name != "offer"},
    ):
        is_error(post(shop, "request", spoiled, CONSUMER_), 400)
        assert shop.platform.count() == before
    is_error(post(shop, "request", good, SELLER_), 404)
    assert post(shop, "request", good, CONSUMER_).status_code == 201


def test_envelope__of_another_negotiation_message_or_side__refused(shop: Shop) -> None:
    one, other = (shop.to(shop.talk(), State.OFFERED) for _ in range(2))
    made = shop.make(one, Message.ACCEPT, C)
    good = envelope(one, Message.ACCEPT, made)
    before = shop.platform.count()
    is_error(post(shop, f"negotiation:{other.id}/events", good, CONSUMER_), 400)
    swapped = envelope(other, Message.ACCEPT, made)
    is_error(post(shop, f"negotiation:{other.id}/events", swapped, CONSUMER_), 400)
    for event in ("FINALIZED", "dspace:ACCEPTED", "HELLO", 1):
        is_error(post(shop, f"negotiation:{one.id}/events", good | {"eventType": event}, CONSUMER_), 400)
    is_error(post(shop, f"negotiation:{one.id}/termination", good, CONSUMER_), 400)
    counter = shop.make(one, Message.COUNTER, C)
    is_error(post(shop, f"negotiation:{one.id}/offers", envelope(one, Message.OFFER, counter), CONSUMER_), 400)
    assert shop.platform.count() == before


def test_agreement__of_another_id_or_policy__refused(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.ACCEPTED)
    made = shop.make(talk, Message.AGREEMENT, P)
    good = envelope(talk, Message.AGREEMENT, made, P)
    stated = good["agreement"]
    for spoiled in (
        stated | {"@id": "agreement:" + "0" * 64},
        stated | {"permission": [{"action": "sell"}]},
        stated | {"assigner": COURT_},
        {name: value for name, value in stated.items() if name != "target"},
    ):
        is_error(post(shop, f"negotiation:{talk.id}/agreement", good | {"agreement": spoiled}, SELLER_), 400)
    assert post(shop, f"negotiation:{talk.id}/agreement", good, SELLER_).status_code == 200


def test_state_machine__illegal_message__400_kept_and_no_transition(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.OFFERED)
    made = shop.make(talk, Message.VERIFICATION, C)
    document = envelope(talk, Message.VERIFICATION, made)
    error = is_error(post(shop, f"negotiation:{talk.id}/agreement/verification", document, CONSUMER_), 400)
    assert (error["code"], error["providerPid"]) == ("WrongMove", f"negotiation:{talk.id}")
    assert state(shop, talk)["state"] == "OFFERED"
    assert [row["error"] for row in shop.kept(talk)] == ["WrongMove"]


def test_negotiation__of_others_or_in_its_lead_in__does_not_exist(shop: Shop) -> None:
    talk, lead = shop.to(shop.talk(), State.OFFERED), shop.to(shop.talk(), State.QUOTED)
    is_error(shop.get(f"{BASE}/negotiations/negotiation:{talk.id}", COURT_), 404)
    is_error(shop.get(f"{BASE}/negotiations/negotiation:{lead.id}", CONSUMER_), 404)
    for pid in ("negotiation:" + "0" * 64, talk.id, "x", "negotiation:" + "%FF"):
        is_error(shop.get(f"{BASE}/negotiations/{pid}", CONSUMER_), 404)
    is_error(post(shop, f"negotiation:{talk.id}/events", envelope(talk, Message.ACCEPT, None), COURT_), 404)
    is_error(shop.platform.client.get(f"{BASE}/negotiations/negotiation:{talk.id}"), 401)


# Peers without signatures ----------------------------------------


def begin_unsigned(shop: Shop, offer: dict[str, Any] | None = None, pid: str = PID) -> Talk:
    """A negotiation an unsigned peer began."""
    talk = shop.talk()
    named = offer or {"@id": f"offer:{shop.listing}:1"}
    answer = post(shop, "request", first(talk, None, consumerPid=pid, offer=named), CONSUMER_)
    assert answer.status_code == 201, answer.text
    is_negotiation(answer.json(), "REQUESTED")
    assert answer.json()["consumerPid"] == pid
    talk.id = answer.json()["providerPid"].removeprefix("negotiation:")
    return talk


@pytest.mark.parametrize("counter", [True, False])
def test_unsigned_peer__negotiates_to_finalized_and_no_contract_comes_of_it(shop: Shop, counter: bool) -> None:
    """D30: over its request as it stands, or over full terms the seller offers instead."""
    talk = begin_unsigned(shop)
    if counter:
        assert shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing)).status_code == 200
        seen = state(shop, talk)
        is_offer(seen["urn:shuqing:dsp:offer"], target=f"listing:{shop.listing}")
    else:
        assert shop.say(talk, Message.AGREEMENT, P).status_code == 200
    for message, path, reached in ((Message.ACCEPT, "events", "ACCEPTED"),
                                   (Message.VERIFICATION, "agreement/verification", "VERIFIED")):  # fmt: skip
        if message is Message.ACCEPT and not counter:
            continue
        answer = post(shop, f"negotiation:{talk.id}/{path}", envelope(talk, message, None, consumerPid=PID), CONSUMER_)
        assert answer.status_code == 200, answer.text
        is_negotiation(answer.json(), reached)
        if message is Message.ACCEPT:
            assert shop.say(talk, Message.AGREEMENT, P).status_code == 200
    document = envelope(talk, Message.FINALISE, shop.make(talk, Message.FINALISE, P), P, consumerPid=PID)
    is_negotiation(post(shop, f"negotiation:{talk.id}/events", document, SELLER_).json(), "FINALIZED")
    assert state(shop, talk)["urn:shuqing:dsp:agreement"]["@type"] == "Agreement"
    with shop.platform.reading() as session:
        assert market.agreements(session) == []
        assert session.exec(select(WaitingStatement)).all() == []
    is_error(post(shop, f"negotiation:{talk.id}/termination", envelope(talk, Message.TERMINATE, None, consumerPid=PID),
                  CONSUMER_), 400)  # fmt: skip


def test_unsigned_peer__whose_consumer_signs_late__still_no_contract(shop: Shop) -> None:
    talk = begin_unsigned(shop)
    shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing))
    for message, side in ((Message.ACCEPT, C), (Message.AGREEMENT, P), (Message.VERIFICATION, C)):
        assert shop.say(talk, message, side).status_code == 200
    assert shop.say(talk, Message.FINALISE, P).status_code == 200
    with shop.platform.reading() as session:
        assert market.agreements(session) == []


def test_unsigned_request__sent_again__first_answer__other_content_under_its_pid__400(shop: Shop) -> None:
    talk = begin_unsigned(shop)
    before = shop.platform.count()
    assert begin_unsigned(shop).id == talk.id
    offer = {"@id": "offer:x", "@type": "Offer", "target": f"listing:{shop.listing}", "permission": [{"action": "use"}]}
    other = first(talk, None, consumerPid=PID, offer=offer)
    assert is_error(post(shop, "request", other, CONSUMER_), 400)["code"] == "Clash"
    assert shop.platform.count() == before


def test_unsigned_request__with_a_policy__its_own_is_on_the_table(shop: Shop) -> None:
    rule = {"action": "read", "constraint": [{"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"}]}
    offer = {"@id": "offer:x", "@type": "Offer", "target": f"listing:{shop.listing}", "permission": [rule]}
    talk = begin_unsigned(shop, offer)
    [permission] = state(shop, talk)["urn:shuqing:dsp:offer"]["permission"]
    assert permission["action"] == "read"
    shop.say(talk, Message.COUNTER, P)
    narrower = {**offer, "permission": [{**rule, "action": "derive"}]}
    document = envelope(talk, Message.REQUEST, None, consumerPid=PID, offer=narrower)
    answer = post(shop, f"negotiation:{talk.id}/request", document, CONSUMER_)
    is_negotiation(answer.json(), "REQUESTED")
    again = post(shop, f"negotiation:{talk.id}/request", document, CONSUMER_)
    assert again.json() == answer.json()


def test_unsigned_request__of_an_unknown_offer_target_or_action__refused(shop: Shop) -> None:
    talk = shop.talk()
    whole = {"@id": "offer:x", "@type": "Offer", "target": f"listing:{shop.listing}"}
    before = shop.platform.count()
    for offer in (
        {"@id": "offer:x"},
        {"@id": f"offer:{shop.listing}:2"},
        {"@id": f"offer:{'0' * 32}:1"},
        {"@id": 7},
        whole,
        {**whole, "permission": [{"action": "http://example.org/mine"}]},
        {**whole, "permission": [{"action": "use"}], "obligation": [{"action": "delete"}]},
        {"@id": f"offer:{shop.listing}:1", "permission": [{"action": "use"}]},
    ):
        is_error(post(shop, "request", first(talk, None, consumerPid=PID, offer=offer), CONSUMER_), 400, 404)
    assert shop.platform.count() == before


def test_unsigned_provider__is_asked_to_sign(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.REQUESTED)
    for path, message in (("offers", Message.OFFER), ("agreement", Message.AGREEMENT), ("events", Message.FINALISE),
                          ("termination", Message.TERMINATE)):  # fmt: skip
        error = is_error(post(shop, f"negotiation:{talk.id}/{path}", envelope(talk, message, None), SELLER_), 400)
        assert error["reason"][0]["field"] == SIGNED
    is_error(post(shop, "offers", envelope(shop.talk(), Message.OFFER, None), SELLER_), 400)


def test_unsigned_message__where_the_consumer_signed_before__refused(shop: Shop) -> None:
    talk = shop.talk()
    shop.to(talk, State.REQUESTED)
    shop.say(talk, Message.COUNTER, P)
    error = is_error(post(shop, f"negotiation:{talk.id}/events", envelope(talk, Message.ACCEPT, None), CONSUMER_), 400)
    assert error["code"] == "NotEntitled"
    assert state(shop, talk)["state"] == "OFFERED"


def test_lapsed_offer__accepted_by_an_unsigned_peer__refused(shop: Shop) -> None:
    talk = shop.to(shop.talk(), State.OFFERED)
    shop.platform.now = UNTIL + 1
    error = is_error(post(shop, f"negotiation:{talk.id}/events", envelope(talk, Message.ACCEPT, None), CONSUMER_), 400)
    assert error["code"] == "Lapsed"


# Wrong and hostile input ----------------------------------------


@pytest.mark.parametrize("route", [route for route in POSTS if route.path in DSP_POSTS], ids=name_of)
def test_post__hostile_body_or_type__a_document_of_the_protocol_and_nothing_written(
    route: APIRoute, still: Shop
) -> None:
    type_ = "CatalogError" if "/catalog/" in route.path else "ContractNegotiationError"
    before = still.platform.count()
    for body in BODIES.values():
        answer = still.platform.client.post(path_of(route), content=body, headers=still.platform.headers(CONSUMER_))
        is_error(answer, 400, 404, type_=type_)
    headers = {**still.platform.headers(CONSUMER_), "Content-Type": "text/plain"}
    is_error(still.platform.client.post(path_of(route), content=b"{}", headers=headers), 415, type_=type_)
    is_error(still.platform.client.put(path_of(route), headers=headers), 405, type_=type_)
    assert still.platform.count() == before
