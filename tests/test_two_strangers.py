"""Two strangers on two machines: list, find, negotiate, sign, use, be refused past the limit, prove it to an auditor.

Each has a home of its own with a key file, an API key and a connector, and nothing else: no key, no database and no
function of the platform. What they do, they do with `shuqing` commands and HTTP. The world around them is the
demonstration's: chain, worker, witnesses, deposit authority, each a process. The platform is killed while the data is
used. That the same is signed in a browser is shown in tests/services/test_deal_in_browser.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.trust_file import trust_of
from clearing.terms import month
from ledger.answer import Answer
from ledger.reading import body_of
from scripts.demo import forgery, papers
from scripts.demo.cast import CONSUMER, DEVELOPER
from scripts.demo.story import Story
from scripts.demo.world import answers, free_port, processes, write_json
from tests.played import shuqing

LIMIT = 5
UNTIL = "2026-09-30"


class Town(Story):
    """The demonstration's world up to the day on which the product is on the shelf; from then on others act."""

    def open(self) -> None:
        self.start_world()
        self.admit_parties()
        flights, source = self.register_flights()
        self.certificate = self.register_element(flights, source)
        self.product = self.list_product(self.certificate, flights, self.price_element(flights))
        port = free_port()
        self.data_url = f"http://127.0.0.1:{port}"
        self.children.python(
            "data-api", "scripts.counterparties.data_api", "--home", str(self.world / "data-api"), "--port", str(port),
            "--data", str(self.element), ready=answers(f"{self.data_url}/v1/health"),
        )  # fmt: skip
        self.trust = self.out / "trust.json"
        write_json(self.trust, trust_of(self.system, {}, at=self.clock.now).document())

    def api_key(self, holder: str, file: Path) -> None:
        """What the operator hands to somebody it knows."""
        done = shuqing("keys", "api", holder, "--home", self.home)
        assert done.returncode == 0, done.stderr
        file.write_text(done.stdout)
        file.chmod(0o600)

    def revived(self) -> None:
        """The platform and its worker, killed without warning, begin again on what their disk holds."""
        self.children.python(
            "platform", "api", "serve", "--home", str(self.home), "--port", str(self.port),
            ready=answers(f"{self.url}/api/log"),
        )  # fmt: skip
        self.children.python("worker", "api", "worker", "--home", str(self.home), ready=self._worker_ready)


class Stranger:
    """A home with a key file and an API key, and what its owner does with commands."""

    def __init__(self, town: Town, folder: Path, party: str, connector: str) -> None:
        folder.mkdir()
        self.town, self.folder, self.connector = town, folder, connector
        self.key, self.api_key = folder / "key.json", folder / "api.key"
        shutil.copy(town.keys / f"party-{party}.json", self.key)
        town.api_key(f"party:{party}", self.api_key)
        self.config = folder / "connector" / "config.json"

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        done = shuqing(*arguments, environment={"HOME": str(self.folder)})
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return str(done.stdout + done.stderr)

    def deal(self, *arguments: str | Path, code: int = 0) -> str:
        own = () if arguments[0] in ("show", "list") else ("--key", self.key, "--yes")
        return self.run("deals", *arguments, "--url", self.town.url, "--api-key", self.api_key, *own, code=code)

    def get(self, path: str, **query: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.api_key.read_text().strip()}"}
        answer = httpx.get(self.town.url + path, params=query, headers=headers, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer

    def set_up(self, upstream: str, mode: str) -> None:
        """Its connector: folder, registration, API key, and a process of its own."""
        port = free_port()
        self.gate = f"http://127.0.0.1:{port}"
        self.run(
            "connector", "new", self.config.parent, "--id", self.connector, "--upstream", upstream, "--url",
            self.town.url, "--trust", self.town.trust, "--mode", mode, "--port", str(port),
        )  # fmt: skip
        settings = json.loads(self.config.read_text()) | {"clock_file": str(self.town.clock.file), "flush_seconds": 0}
        self.config.write_text(json.dumps(settings))
        self.run("connector", "register", self.config, "--key", self.key, "--api-key", self.api_key)
        self.town.api_key(f"connector:{self.connector}", self.config.parent / "api.key")
        self.start()

    def start(self) -> None:
        self.town.children.python(
            self.connector, "api", "connector", "run", str(self.config),
            ready=answers(f"{self.gate}/connector/status"),
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.run("connector", "status", self.config)))

    def facts(self, subject: str) -> list[str]:
        """The ids of everything that is on record about a subject, from the proof that it is everything."""
        found = Answer.of_bytes(self.get(f"/api/subjects/{subject}/facts").content)
        return [row.fact.id for row in (*found.facts, *found.newer) if row.fact is not None]

    def bundle(self, fact: str, name: str, **query: str) -> Path:
        file = self.folder / f"{name}.json"
        file.write_bytes(self.get(f"/api/bundles/{fact}", **query).content)
        return file


@contextmanager
def opened(folder: Path) -> Iterator[Town]:
    with processes(folder / "world" / "logs") as children:
        town = Town(folder, 0, children)
        town.open()
        yield town
        for actor in town.actors.values():
            actor.client.close()
        town.system.engine.dispose()
        town.system.reader.dispose()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    (folder / "world").mkdir()
    with opened(folder) as found:
        yield found


def test_two_strangers__from_the_shelf_to_the_auditor(town: Town, tmp_path: Path) -> None:
    seller = Stranger(town, tmp_path / "seller", DEVELOPER, "conn-seller")
    buyer = Stranger(town, tmp_path / "buyer", CONSUMER, "conn-buyer")
    seller.set_up(town.data_url, "provider")
    buyer.set_up(seller.gate, "consumer")
    deal = negotiated(town, seller, buyer)
    agreement = concluded(seller, buyer, deal)
    served(seller, buyer, agreement)
    used(town, seller, buyer, agreement)
    audited(town, seller, buyer, agreement)


def negotiated(town: Town, seller: Stranger, buyer: Stranger) -> str:
    """The buyer finds the product by a word of it; price, order, terms and a counter-offer."""
    found = buyer.get("/api/market/products", words="延误").json()
    (product,) = [hit["summary"]["product"] for hit in found["products"]]
    start = month("2026-09").start
    inquiry = buyer.folder / "inquiry.json"
    write_json(inquiry, {"version": 1, "scope": "全部字段", "mode": "M1", "quantity": LIMIT, "effective": start,
                         "expiry": start + 100 * 86_400})  # fmt: skip
    buyer.deal("say", "INQUIRE", "--product", product, "--document", inquiry, "--until", UNTIL)
    deal = buyer.get("/api/negotiations").json()["negotiations"][0]["id"]
    assert deal in seller.deal("list")
    terms = papers.terms(CONSUMER, town.listing, town.listing_digest, town.certificate, "conn-seller", LIMIT, start,
                         start + 100 * 86_400)  # fmt: skip
    document = body_of(terms)
    document["parties"] = [
        {"party": DEVELOPER, "role": "PROVIDER", "connectors": ["conn-seller"]},
        {"party": CONSUMER, "role": "CONSUMER", "connectors": ["conn-buyer"]},
    ]
    price, offer = seller.folder / "quote.json", seller.folder / "terms.json"
    settlement = document["settlement"]
    write_json(price, {"tariff": settlement["tariff"], "tax": settlement["tax"]})
    seller.deal("say", "QUOTE", "--negotiation", deal, "--document", price, "--until", UNTIL)
    for message in ("SELECT", "ORDER"):
        buyer.deal("say", message, "--negotiation", deal)
    write_json(offer, document)
    seller.deal("say", "OFFER", "--negotiation", deal, "--document", offer, "--until", UNTIL)
    counter = buyer.folder / "counter.json"
    buyer.deal("show", deal, "--document", counter)
    write_json(counter, json.loads(counter.read_text()) | {"acceptance_days": 9})
    buyer.deal("say", "COUNTER", "--negotiation", deal, "--document", counter, "--until", UNTIL)
    write_json(offer, document | {"acceptance_days": 8})
    seller.deal("say", "COUNTER", "--negotiation", deal, "--document", offer, "--until", UNTIL)
    buyer.deal("say", "ACCEPT", "--negotiation", deal)
    return str(deal)


def concluded(seller: Stranger, buyer: Stranger, deal: str) -> str:
    """Frozen, signed by both with SM2 and EIP-712, verified, finalised: each by its own command."""
    assert "提供方" in buyer.deal("say", "AGREEMENT", "--negotiation", deal, code=2)
    assert "验收" in seller.deal("say", "AGREEMENT", "--negotiation", deal)
    seller.deal("sign")
    buyer.deal("say", "VERIFICATION", "--negotiation", deal)
    assert "ready" in buyer.deal("sign")
    seller.deal("say", "FINALISE", "--negotiation", deal)
    row = buyer.get(f"/api/negotiations/{deal}").json()["negotiation"]
    assert row["state"] == "FINALIZED"
    return str(row["agreement"])


def served(seller: Stranger, buyer: Stranger, agreement: str) -> None:
    """Both read the terms and tell their connectors; the buyer's asks the seller's to let it in."""
    seller.town.clock.move_to(month("2026-09").start + 9 * 3600)
    seller.run("connector", "serve", seller.config, agreement, "--key", seller.key, "--yes")
    told = buyer.run("connector", "serve", buyer.config, agreement, "--key", buyer.key, "--yes")
    assert "使用范围：全部字段" in told
    assert "STARTED" in buyer.run("connector", "transfer", buyer.config, agreement)
    assert "STARTED" in seller.run("connector", "transfers", seller.config)


def used(town: Town, seller: Stranger, buyer: Stranger, agreement: str) -> None:
    """Calls through both connectors; the platform and its worker are killed in between; past the limit is refused."""
    token = (buyer.config.parent / "tokens" / f"{agreement}.token").read_text().strip()

    def call(number: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": f"request-{number:04d}",
                   "X-Purpose": "".join(f"%{byte:02X}" for byte in papers.PURPOSE.encode())}  # fmt: skip
        with town.element.open(encoding="utf-8") as file:
            origin, hour = file.read().splitlines()[number].split(",")[:2]
        return httpx.get(f"{buyer.gate}/v1/delays", params={"origin": origin, "hour": hour}, headers=headers,
                         timeout=30, trust_env=False)  # fmt: skip

    assert [call(number).status_code for number in (1, 2)] == [200, 200]
    seller.run("connector", "flush", seller.config)
    for name in ("worker", "platform"):
        town.children.kill(name)
    assert [call(number).status_code for number in (3, 4, 5)] == [200, 200, 200]
    refused = call(6)
    assert (refused.status_code, refused.json()["code"]) == (403, "UC25")
    for one in (seller, buyer):
        town.children.kill(one.connector)
        one.start()
        assert one.status()["pending"] > 0
        one.run("connector", "flush", one.config)
    assert buyer.status()["pending"] > 0  # nobody is there to take it
    town.revived()
    for one in (seller, buyer):
        one.run("connector", "flush", one.config)
        assert one.status()["pending"] == 0
    period = month("2026-09")
    for one in (seller, buyer):
        window = {"from": str(period.start), "to": str(period.end)}
        report = one.get(f"/api/agreements/{agreement}/reconciliation", **window).json()
        assert {row["match"]: row["count"] for row in report["classes"] if row["count"]} == {"OK": LIMIT + 1}
        assert (report["billed"], report["held"], report["differences"]) == (LIMIT, 0, [])


def audited(town: Town, seller: Stranger, buyer: Stranger, agreement: str) -> None:
    """Each proves the agreement and its own connector's records with the stand-alone program; an altered one fails."""
    town.publish()
    auditor = seller.folder.parent / "auditor"
    auditor.mkdir()
    shutil.copy(town.trust, auditor / "trust.json")
    for one in (seller, buyer):
        proofs = [one.bundle(one.facts(f"agreement:{agreement}")[0], "agreement", fields="all")]
        batches = one.facts(f"connector-log:{one.connector}")
        proofs += [one.bundle(batch, f"use-{number}", part="0") for number, batch in enumerate(batches)]
        for proof in proofs:
            handed = auditor / f"{one.connector}-{proof.name}"
            shutil.copy(proof, handed)
            assert forgery.verify(handed, auditor / "trust.json", town.rpc)[0] == 0
            text = handed.read_text(encoding="utf-8")
            for word, other in (("CONCLUDE", "TERMINATE"), ('"decision":"', '"decision":"X')):
                if word in text:
                    handed.write_text(text.replace(word, other, 1), encoding="utf-8")
                    assert forgery.verify(handed, auditor / "trust.json", town.rpc)[0] == 1
    refused = buyer.bundle(buyer.facts("connector-log:conn-buyer")[-1], "refused", part=str(LIMIT))
    assert "UC25" in refused.read_text(encoding="utf-8")
    assert forgery.verify(refused, auditor / "trust.json", town.rpc)[0] == 0
    assert shuqing("audit", "--home", town.home).returncode == 0
