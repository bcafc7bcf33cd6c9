"""A connector as a consumer in another data space: real process, real provider over HTTP, the protocol's own shapes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearing.market.negotiation.dataspace import CONTEXT
from scripts.demo.world import free_port
from tests.api.connecting import ADMIN, Process, Scene

DATASET, PEER = "urn:dataset:1", "urn:uuid:provider-1"
OFFER = {"@id": "urn:offer:1", "@type": "Offer", "target": DATASET, "permission": [{"action": "use"}]}
AGREEMENT = OFFER | {"@type": "Agreement", "timestamp": "2026-01-01T00:00:00Z"}
HEARD = {
    "offers": ("ContractOfferMessage", {"offer": OFFER}),
    "agreement": ("ContractAgreementMessage", {"agreement": AGREEMENT}),
    "events": ("ContractNegotiationEventMessage", {"eventType": "FINALIZED"}),
    "termination": ("ContractNegotiationTerminationMessage", {"code": "1"}),
}  # fmt: skip


class Provider:
    """The other side: what it was told; what it answers; whether it stands where we think."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any], str]] = []
        self.status, self.state, self.silent = 200, "REQUESTED", False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.told.append((self.path, body, self.headers.get("Authorization", "")))
                if provider.silent:
                    self.close_connection = True
                    return
                status = (
                    201 if self.path.endswith("negotiations/request") and provider.status == 200 else provider.status
                )
                self._answer(
                    status, {"providerPid": PEER, "consumerPid": body.get("consumerPid"), "state": provider.state}
                )

            def do_GET(self) -> None:
                self._answer(200, {"state": provider.state})

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *said: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/dsp"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Consumer:
    """Our connector's process, its administrator and what the provider may say to it."""

    def __init__(self, folder: Path) -> None:
        self.scene, port = Scene(folder, 5), free_port()
        own = f"http://127.0.0.1:{port}"
        self.process = Process(
            self.scene.write_config("http://127.0.0.1:9", "http://127.0.0.1:9", port=port, dataspace_url=own + "/")
        )

    def ask(self, path: str, document: object = None) -> httpx.Response:
        content = json.dumps(document).encode() if document is not None else b""
        return self.process.http.post(
            self.process.url + path, content=content, headers={"Authorization": f"Bearer {ADMIN}"}
        )

    def begin(self, provider: Provider) -> str:
        answer = self.ask(
            "/connector/negotiations", {"provider": provider.url, "offer": OFFER, "token": "Bearer of-ours"}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def say(self, identity: str, word: str, document: object = None) -> httpx.Response:
        return self.ask(f"/connector/negotiations/{identity}/{word}", document)

    def hear(self, identity: str, path: str, **changes: object) -> httpx.Response:
        type_, more = HEARD[path]
        message = {
            "@context": [CONTEXT],
            "@type": type_,
            "providerPid": PEER,
            "consumerPid": identity,
            **more,
            **changes,
        }
        return self.process.http.post(f"{self.process.url}/dsp/2025/1/negotiations/{identity}/{path}", json=message)

    def state(self, identity: str) -> str:
        answer = self.process.http.get(f"{self.process.url}/dsp/2025/1/negotiations/{identity}")
        assert answer.json()["@type"] == "ContractNegotiation"
        return str(answer.json()["state"])

    def all(self) -> list[dict[str, Any]]:
        answer = self.process.http.get(
            self.process.url + "/connector/negotiations", headers={"Authorization": f"Bearer {ADMIN}"}
        )
        return list(answer.json()["negotiations"])


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Consumer]:
    made = Consumer(tmp_path)
    yield made
    made.process.kill()
    made.process.http.close()
    made.scene.house.close()


def test_consumer__negotiates_to_the_end_and_keeps_everything_through_a_kill(
    consumer: Consumer, provider: Provider
) -> None:
    identity = consumer.begin(provider)
    assert consumer.hear(identity, "offers").json()["state"] == "OFFERED"
    assert consumer.say(identity, "counter", OFFER | {"@id": "urn:offer:2"}).json()["state"] == "REQUESTED"
    consumer.hear(identity, "offers")
    assert consumer.say(identity, "accept").json()["state"] == "ACCEPTED"
    consumer.process.kill()
    consumer.process.start()
    assert consumer.hear(identity, "agreement").json()["state"] == "AGREED"
    assert consumer.say(identity, "verify").json()["state"] == "VERIFIED"
    assert consumer.hear(identity, "events").json()["state"] == "FINALIZED"
    assert consumer.state(identity) == "FINALIZED"
    paths = [path.removeprefix(f"/dsp/negotiations/{PEER}") for path, _, _ in provider.told]
    assert paths == ["/dsp/negotiations/request", "/request", "/events", "/agreement/verification"]
    assert {token for _, _, token in provider.told} == {"Bearer of-ours"}
    first = provider.told[0][1]
    assert first["callbackAddress"] == f"{consumer.process.url}/dsp/2025/1"
    assert "providerPid" not in first
    assert all(body["providerPid"] == PEER for _, body, _ in provider.told[1:])
    (shown,) = consumer.all()
    assert [item["side"] for item in shown["said"]] == [
        "CONSUMER", "PROVIDER", "CONSUMER", "PROVIDER", "CONSUMER", "PROVIDER", "CONSUMER", "PROVIDER",
    ]  # fmt: skip
    state = b"".join(file.read_bytes() for file in (consumer.scene.folder / "state").iterdir())
    assert b"of-ours" not in state
    assert b"urn:offer:1" not in state


def test_consumer__what_the_state_does_not_allow__is_refused_on_both_sides(
    consumer: Consumer, provider: Provider
) -> None:
    identity = consumer.begin(provider)
    for word in ("accept", "verify", "counter", "sing"):
        assert consumer.say(identity, word, OFFER).status_code == 422
    for path in ("events",):
        answer = consumer.hear(identity, path)
        assert (answer.status_code, answer.json()["@type"]) == (400, "ContractNegotiationError")
    assert consumer.hear(identity, "offers").status_code == 200
    assert consumer.hear(identity, "agreement").status_code == 400
    assert consumer.state(identity) == "OFFERED"
    assert len(provider.told) == 1


@pytest.mark.parametrize(("path", "changes"), [
    ("offers", {"providerPid": "urn:uuid:another"}), ("offers", {"consumerPid": "urn:uuid:another"}),
    ("offers", {"@type": "ContractAgreementMessage"}), ("offers", {"@context": []}), ("offers", {"offer": None}),
    ("offers", {"offer": OFFER | {"target": "urn:dataset:2"}}), ("agreement", {"agreement": {}}),
    ("events", {"eventType": "ACCEPTED"}), ("termination", {"providerPid": 7}),
])  # fmt: skip
def test_consumer__message_that_does_not_fit__400_and_nothing_moves(
    consumer: Consumer, provider: Provider, path: str, changes: dict[str, object]
) -> None:
    identity = consumer.begin(provider)
    assert consumer.hear(identity, path, **changes).status_code == 400
    assert consumer.state(identity) == "REQUESTED"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b"1" * 2_000_000])
def test_consumer__body_that_is_no_message__400(consumer: Consumer, provider: Provider, body: bytes) -> None:
    identity = consumer.begin(provider)
    url = f"{consumer.process.url}/dsp/2025/1/negotiations/{identity}/offers"
    assert consumer.process.http.post(url, content=body).status_code == 400
    assert consumer.process.http.post(url.replace(identity, "urn:uuid:nobody"), json={}).status_code == 404


def test_consumer__provider_refuses_or_is_silent__what_was_said_is_taken_back(
    consumer: Consumer, provider: Provider
) -> None:
    identity = consumer.begin(provider)
    consumer.hear(identity, "offers")
    provider.status, provider.state = 400, "OFFERED"
    assert "400" in consumer.say(identity, "accept").json()["message"]
    assert consumer.state(identity) == "OFFERED"
    provider.status, provider.silent = 200, True
    assert consumer.say(identity, "accept").status_code == 422
    assert consumer.state(identity) == "OFFERED"


def test_consumer__answer_lost_but_the_provider_stands_there__it_counts(consumer: Consumer, provider: Provider) -> None:
    identity = consumer.begin(provider)
    consumer.hear(identity, "offers")
    provider.silent, provider.state = True, "ACCEPTED"
    assert consumer.say(identity, "accept").json()["state"] == "ACCEPTED"


def test_consumer__without_an_address_or_with_nobody_there__says_so(consumer: Consumer, provider: Provider) -> None:
    gone = consumer.ask("/connector/negotiations", {"provider": "http://127.0.0.1:9", "offer": OFFER})
    assert gone.status_code == 422
    assert [item["state"] for item in consumer.all()] == ["TERMINATED"]
    assert consumer.ask("/connector/negotiations", {"provider": provider.url}).status_code == 422
    consumer.process.kill()
    settings = json.loads(consumer.scene.config.read_text()) | {"dataspace_url": ""}
    consumer.scene.config.write_text(json.dumps(settings))
    consumer.process.start()
    refused = consumer.ask("/connector/negotiations", {"provider": provider.url, "offer": OFFER})
    assert "dataspace_url" in refused.json()["message"]
    assert consumer.process.http.get(consumer.process.url + "/dsp/2025/1/negotiations/x").status_code == 401
