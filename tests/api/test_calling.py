"""Peers of the Dataspace Protocol are called back: in order, until they answer, and nobody else is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api import calling, jobs
from api.calling import PeerCall
from api.dsp import SIGNED
from api.settings import PeerSettings, SettingsError, check
from clearing.market.negotiation.dataspace import CONTEXT
from clearing.market.negotiation.message import Message
from ledger.facts import Signed
from ledger.signing import verify_sm2
from tests.api.shop import Shop, open_shop
from tests.api.test_dsp import PID, begin_unsigned, envelope, first, post
from tests.clearing.market.house import CONSUMER, SELLER
from tests.clearing.market.talks import C, P, Talk
from tests.registry.registry_house import AGENCY

CONSUMER_, SELLER_ = f"party:{CONSUMER}", f"party:{SELLER}"


@dataclass
class Peer:
    """A peer's server: what it was told, and what it answers next (200 once nothing is set)."""

    url: str = ""
    told: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.told]


@contextmanager
def listening() -> Iterator[Peer]:
    peer = Peer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            peer.told.append((self.path, body, self.headers.get("Authorization", "")))
            status, location = peer.answers.pop(0) if peer.answers else (200, "")
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *said: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with listening() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, empty_database: Path, peer: Peer) -> Iterator[Shop]:
    """A shop whose consumer and seller may be called at the peer's server, below /consumer and /seller."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "peer.token").write_text("Bearer of-the-peer\n")
    (home / "peer.token").chmod(0o600)
    peers = (
        PeerSettings(uscc=CONSUMER, url=f"{peer.url}/consumer", authorization=Path("peer.token")),
        PeerSettings(uscc=SELLER, url=f"{peer.url}/seller"),
    )
    with open_shop(home, empty_database, dataspace_peers=peers) as opened:
        yield opened


def begun(shop: Shop, address: str) -> Talk:
    """A negotiation an unsigned peer began, naming this address."""
    talk = shop.talk()
    named = {"@id": f"offer:{shop.listing}:1"}
    answer = post(shop, "request", first(talk, None, consumerPid=PID, offer=named, callbackAddress=address), CONSUMER_)
    assert answer.status_code == 201, answer.text
    talk.id = answer.json()["providerPid"].removeprefix("negotiation:")
    return talk


def told_all(shop: Shop) -> None:
    while calling.once(shop.platform.system):
        pass


def rows(shop: Shop) -> list[PeerCall]:
    with shop.platform.reading() as session:
        return list(session.exec(select(PeerCall)))


def test_unsigned_consumer__is_told_every_message_of_the_seller_once_in_order_with_its_signature(
    shop: Shop, peer: Peer
) -> None:
    talk = begun(shop, f"{peer.url}/consumer/dsp/")
    shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing))
    told_all(shop)
    for message, path in ((Message.ACCEPT, "events"), (Message.VERIFICATION, "agreement/verification")):
        sent = envelope(talk, message, None, consumerPid=PID)
        assert post(shop, f"negotiation:{talk.id}/{path}", sent, CONSUMER_).status_code == 200
        shop.say(talk, Message.AGREEMENT if message is Message.ACCEPT else Message.FINALISE, P)
    told_all(shop)
    told_all(shop)
    base = f"/consumer/dsp/negotiations/{PID}"
    assert peer.paths() == [f"{base}/offers", f"{base}/agreement", f"{base}/events"]
    assert {token for _, _, token in peer.told} == {"Bearer of-the-peer"}
    types = ["ContractOfferMessage", "ContractAgreementMessage", "ContractNegotiationEventMessage"]
    assert [document["@type"] for _, document, _ in peer.told] == types
    for _, document, _ in peer.told:
        assert CONTEXT in document["@context"]
        assert (document["providerPid"], document["consumerPid"]) == (f"negotiation:{talk.id}", PID)
        signed = Signed.of_document({name: document[SIGNED][name] for name in ("statement", "signatures")})
        [signature] = signed.signatures
        assert (signature.by, signature.key) == (SELLER_, shop.house.keys[SELLER].sm2.public)
        assert verify_sm2(signed.statement, signature)
    offer, agreement, event = (document for _, document, _ in peer.told)
    assert offer["offer"]["target"] == agreement["agreement"]["target"] == f"listing:{shop.listing}"
    assert agreement["agreement"]["assignee"] == CONSUMER_
    assert event["eventType"] == "FINALIZED"


def test_termination__is_told_with_its_reason(shop: Shop, peer: Peer) -> None:
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.TERMINATE, P, reason="演示：不再销售")
    told_all(shop)
    [(path, document, _)] = peer.told
    assert path == f"/consumer/negotiations/{PID}/termination"
    assert document["@type"] == "ContractNegotiationTerminationMessage"
    assert document["reason"] == [{"message": "演示：不再销售"}]


def test_termination__without_a_reason__brings_no_empty_list(shop: Shop, peer: Peer) -> None:
    """As the protocol's schema wants it: the kit refused an empty one."""
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.TERMINATE, P)
    told_all(shop)
    [(_, document, _)] = peer.told
    assert "reason" not in document
    assert document["code"]


def test_signing_provider__that_began_here__is_told_what_the_consumer_says(shop: Shop, peer: Peer) -> None:
    talk = shop.talk()
    made = shop.make(talk, Message.OFFER, P, shop.house.terms(shop.listing))
    document = envelope(talk, Message.OFFER, made, P, callbackAddress=f"{peer.url}/seller")
    del document["consumerPid"]
    assert post(shop, "offers", document, SELLER_).status_code == 201
    shop.say(talk, Message.COUNTER, C)
    shop.say(talk, Message.TERMINATE, C)
    told_all(shop)
    base = f"/seller/negotiations/negotiation:{talk.id}"
    assert peer.paths() == [f"{base}/request", f"{base}/termination"]
    assert [token for _, _, token in peer.told] == ["", ""]


@pytest.mark.parametrize("address", [
    "{root}", "{root}/other", "{root}/consumerx", "{root}/consumer/../seller", "{root}/seller", "{root}/consumer?x=1",
    "{root}/consumer/%2e%2e/seller",
    "{root}/consumer#x", "http://u:p@{host}/consumer", "https://{host}/consumer", "http://127.0.0.1:1/consumer",
    "http://{host}.example.org/consumer", "http://{host}\\@example.org/consumer", "file:///consumer", "//x", "x",
    "http://[::1/consumer", "{root}/consumer/" + "a" * 500,
])  # fmt: skip
def test_address__the_operator_has_not_listed__is_never_called(shop: Shop, peer: Peer, address: str) -> None:
    host = peer.url.removeprefix("http://")
    talk = shop.talk()
    named = {"@id": f"offer:{shop.listing}:1"}
    spelled = address.format(root=peer.url, host=host)
    sent = first(talk, None, consumerPid=PID, offer=named, callbackAddress=spelled)
    answer = post(shop, "request", sent, CONSUMER_)
    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        talk.id = answer.json()["providerPid"].removeprefix("negotiation:")
        shop.say(talk, Message.TERMINATE, P)
    told_all(shop)
    assert (peer.told, rows(shop)) == ([], [])


def test_listed_no_more__no_call_is_made(shop: Shop, peer: Peer) -> None:
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.TERMINATE, P)
    shop.platform.system.settings = shop.platform.system.settings.model_copy(update={"dataspace_peers": ()})
    told_all(shop)
    assert peer.told == []


def test_silent_peer__is_asked_again_ever_more_seldom_and_in_order(
    shop: Shop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [jobs.wall()]
    monkeypatch.setattr(jobs, "wall", lambda: now[0])
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing))
    shop.say(talk, Message.TERMINATE, P)
    peer.answers = [(503, ""), (429, ""), (408, "")]
    told_all(shop)
    for wait in (1_000, 2_000, 4_000):
        told = len(peer.told)
        now[0] += wait - 1
        told_all(shop)
        assert len(peer.told) == told
        now[0] += 1
        told_all(shop)
    offers, ended = f"/consumer/negotiations/{PID}/offers", f"/consumer/negotiations/{PID}/termination"
    assert peer.paths() == [offers] * 4 + [ended]
    assert [(row.done, row.tries, row.answer) for row in rows(shop)] == [(3, 0, "HTTP 200")]


def test_peer_that_is_gone__is_left_after_a_day_and_a_later_message_still_tried(
    shop: Shop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [jobs.wall()]
    monkeypatch.setattr(jobs, "wall", lambda: now[0])
    talk = begun(shop, f"{peer.url}/consumer")
    begun_at = now[0]
    shop.say(talk, Message.COUNTER, P, shop.house.terms(shop.listing))
    peer.answers = [(500, "")] * calling.TRIES
    while len(peer.told) < calling.TRIES:
        told_all(shop)
        now[0] += calling.LONGEST
    assert [(row.done, row.answer) for row in rows(shop)] == [(2, "HTTP 500")]
    assert now[0] - begun_at >= 86_400_000
    shop.say(talk, Message.TERMINATE, P)
    told_all(shop)
    assert peer.paths()[-1] == f"/consumer/negotiations/{PID}/termination"


@pytest.mark.parametrize("status", [400, 404, 302, 307])
def test_refusal__stands_after_a_few_tries_and_no_redirection_is_followed(
    shop: Shop, peer: Peer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [jobs.wall()]
    monkeypatch.setattr(jobs, "wall", lambda: now[0])
    with listening() as elsewhere:
        talk = begun(shop, f"{peer.url}/consumer")
        shop.say(talk, Message.TERMINATE, P)
        peer.answers = [(status, f"{elsewhere.url}/consumer" if status < 400 else "")] * 10
        for _ in range(10):
            told_all(shop)
            now[0] += 4_000
        assert (len(peer.told), elsewhere.told) == (calling.REFUSALS, [])
        assert [(row.done, row.answer) for row in rows(shop)] == [(2, f"HTTP {status}")]


def test_died_between_the_call_and_the_note__is_told_again_never_left_out(
    shop: Shop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.TERMINATE, P)
    post_ = calling._post

    def died(call: calling.Call) -> tuple[int, str]:
        answered = post_(call)
        if call.url:
            raise KeyboardInterrupt
        return answered

    with monkeypatch.context() as broken:
        broken.setattr(calling, "_post", died)
        with pytest.raises(KeyboardInterrupt):
            told_all(shop)
    assert len(peer.told) == 1
    told_all(shop)
    assert peer.paths() == [f"/consumer/negotiations/{PID}/termination"] * 2


def test_header_file__gone_or_open_to_others__waits_and_keeps_nobody_else_from_being_called(
    shop: Shop, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [jobs.wall()]
    monkeypatch.setattr(jobs, "wall", lambda: now[0])
    talk = begun(shop, f"{peer.url}/consumer")
    shop.say(talk, Message.TERMINATE, P)
    header = shop.platform.system.settings.home / "peer.token"
    header.chmod(0o644)
    told_all(shop)
    assert (peer.told, "0600" in rows(shop)[0].answer) == ([], True)
    header.unlink()
    now[0] += 2_000
    told_all(shop)
    assert (peer.told, "peer.token" in rows(shop)[0].answer) == ([], True)
    header.write_text("Bearer anew")
    header.chmod(0o600)
    now[0] += 4_000
    told_all(shop)
    assert [token for _, _, token in peer.told] == ["Bearer anew"]


def test_refused_beginning__calls_nobody(shop: Shop, peer: Peer) -> None:
    talk = shop.talk()
    named = {"@id": f"offer:{'0' * 32}:1"}
    sent = first(talk, None, consumerPid=PID, offer=named, callbackAddress=f"{peer.url}/consumer")
    assert post(shop, "request", sent, CONSUMER_).status_code == 404
    assert rows(shop) == []


def test_without_listed_peers__a_negotiation_goes_on_as_before(tmp_path: Path, empty_database: Path) -> None:
    with open_shop(tmp_path / "home", empty_database) as shop:
        talk = begin_unsigned(shop)
        shop.say(talk, Message.TERMINATE, P)
        assert calling.once(shop.platform.system) == 0


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "http://", "http://u@x/", "http://x/?q", "http://x/#f", "http://x/\n", "x"]
)
def test_settings__peer_address_that_is_none__named(tmp_path: Path, url: str, shop: Shop) -> None:
    stored = shop.platform.system.settings.model_dump(mode="json", exclude={"home"}, exclude_none=True)
    stored["dataspace_peers"] = [{"uscc": AGENCY, "url": url}]
    with pytest.raises(SettingsError) as error:
        check(stored, tmp_path)
    assert "dataspace_peers.0.url" in str(error.value)
