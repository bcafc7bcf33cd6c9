"""Transfers between two connectors as real processes: opened by a signed request, shut by either side, and killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli_connector import app
from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.market.negotiation.dataspace import BASE, CONTEXT
from ledger import canonical
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.party import CONNECTOR as REGISTERED
from registry.party import Connector
from scripts.demo.world import free_port
from tests.api.connecting import ADMIN, Process
from tests.api.street import Street, street
from tests.clearing.market.house import CONSUMER, DOMAIN, NOW
from tests.clearing.usage.batches import TwoSides

START, COMPLETE, SUSPEND, TERMINATE = "start", "completion", "suspension", "termination"


@contextmanager
def two(tmp_path: Path, *, called_back: bool = True, heard: bool = False) -> Iterator[tuple[Street, Process, Process]]:
    """The consumer's connector has its owner's word, and no token of the provider's; `heard`: it listens to others."""
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    peers = [urls[1] + BASE] if called_back else []
    with street(
        tmp_path,
        access=False,
        provider={"port": ports[0], "dataspace_url": urls[0], "dataspace_peers": peers},
        consumer={"port": ports[1], "registration_file": "registration.json"}
        | ({"dataspace_url": urls[1]} if called_back or heard else {}),
    ) as (made, _port, provider, consumer):
        body = body_of(Connector(CONSUMER, made.two.key.public, "shuqing-connector/1"))
        statement = Statement(REGISTERED, f"connector:{TwoSides.CONSUMING}", 0, None, body)
        word = Signed(statement, (sign_sm2(made.house.keys[CONSUMER].sm2, statement, by=f"party:{CONSUMER}"),))
        (consumer.config.parent / "registration.json").write_bytes(canonical.encode(word.document()))
        yield made, provider, consumer


def begin(made: Street, consumer: Process) -> dict[str, Any]:
    """A transfer that was begun. The provider's start comes by another way than its answer, perhaps after it."""
    answer = consumer.admin("POST", "/connector/transfers", {"agreement": made.two.agreement})
    assert answer.status_code == 200, answer.text
    begun, until = dict(answer.json()), monotonic() + 30
    while begun["state"] == "REQUESTED" and monotonic() < until:
        shown = consumer.admin("GET", "/connector/transfers").json()["transfers"]
        begun = next(one for one in shown if one["id"] == begun["id"])
    return begun


def state(process: Process, place: int = 0) -> str:
    found = process.admin("GET", "/connector/transfers").json()["transfers"]
    return str(found[place]["state"])


def say(process: Process, word: str) -> httpx.Response:
    (one,) = process.admin("GET", "/connector/transfers").json()["transfers"]
    return process.admin("POST", f"/connector/transfers/{one['id']}/{word}")


@pytest.mark.parametrize("called_back", [True, False])
def test_transfer__opened_suspended_resumed_and_completed__the_door_follows(tmp_path: Path, called_back: bool) -> None:
    with two(tmp_path, called_back=called_back) as (made, provider, consumer):
        assert consumer.call("request-0001").json()["code"] == "TRANSFER"
        begun = begin(made, consumer)
        assert begun["state"] == "STARTED"
        assert consumer.call("request-0002").status_code == 200
        assert say(provider, SUSPEND).json()["state"] == "SUSPENDED"
        assert consumer.call("request-0003").status_code == 401
        assert state(consumer) == "SUSPENDED"
        assert say(consumer, START).status_code == 422  # who suspended goes on
        for process in (provider, consumer):
            process.kill()
            process.start()
        assert consumer.call("request-0004").status_code == 401
        assert say(provider, START).json()["state"] == "STARTED"
        assert consumer.call("request-0005").status_code == 200
        assert say(consumer, SUSPEND).json()["state"] == "SUSPENDED"
        assert say(provider, START).status_code == 422
        assert say(consumer, START).json()["state"] == "STARTED"
        for process in (provider, consumer):
            process.kill()
            process.start()
        assert consumer.call("request-0006").status_code == 200
        assert say(consumer, COMPLETE).json()["state"] == "COMPLETED"
        assert consumer.call("request-0007").status_code == 401
        assert (state(provider), state(consumer)) == ("COMPLETED", "COMPLETED")
        assert say(provider, START).status_code == 422
        (shown,) = provider.admin("GET", "/connector/transfers").json()["transfers"]
        assert [item["message"]["@type"] for item in shown["said"]][:2] == [
            "TransferRequestMessage", "TransferStartMessage",
        ]  # fmt: skip
        kept = b"".join(file.read_bytes() for file in consumer.config.parent.glob("state.db*"))
        assert begun["id"].encode() in kept
        assert b"TransferRequestMessage" not in kept


def test_transfer__begun_again_after_termination__a_fresh_door(tmp_path: Path) -> None:
    with two(tmp_path) as (made, provider, consumer):
        begin(made, consumer)
        assert say(provider, TERMINATE).json()["state"] == "TERMINATED"
        assert consumer.call("request-0001").status_code == 401
        begin(made, consumer)
        assert consumer.call("request-0002").status_code == 200
        states = [one["state"] for one in consumer.admin("GET", "/connector/transfers").json()["transfers"]]
        assert sorted(states) == ["STARTED", "TERMINATED"]


def test_transfer__its_agreement_suspended_or_over__not_begun_and_ended(tmp_path: Path) -> None:
    with two(tmp_path) as (made, provider, consumer):
        begin(made, consumer)
        for act, target in ((Act.SUSPEND, State.SUSPENDED), (Act.TERMINATE, State.TERMINATED)):
            if act is Act.TERMINATE:
                signed = made.house.sign(made.house.act(made.two.agreement, act, target))
            else:
                signed = made.house.by_court(made.two.agreement, act, target)
            market.record_act(made.house.session, signed, domain=DOMAIN, at=NOW + 20)
            for process in (provider, consumer):
                taken = process.admin("PUT", "/connector/agreements", {"signed": signed.document()})
                assert taken.status_code == 200, taken.text
            refused = consumer.admin("POST", "/connector/transfers", {"agreement": made.two.agreement})
            assert "EFFECTIVE" in refused.json()["message"]
        assert (state(provider), state(consumer)) == ("TERMINATED", "TERMINATED")
        made.house.session.rollback()


def test_transfer__same_request_twice__one_transfer_and_another_under_its_name_refused(tmp_path: Path) -> None:
    with two(tmp_path) as (made, provider, consumer):
        (first, *_rest) = begin(made, consumer)["said"]
        again = httpx.post(f"{provider.url}{BASE}/transfers/request", json=first["message"], timeout=10)
        assert (again.status_code, again.json()["state"]) == (201, "STARTED")
        (kept,) = provider.admin("GET", "/connector/transfers").json()["transfers"]
        assert [item["message"]["@type"] for item in kept["said"]] == ["TransferRequestMessage", "TransferStartMessage"]
        assert httpx.get(provider.url + again.headers["location"], timeout=10).json() == again.json()
        begin(made, consumer)
        second = consumer.admin("GET", "/connector/transfers").json()["transfers"]
        other = next(one["said"][0]["message"] for one in second if one["id"] != first["message"]["consumerPid"])
        mixed = first["message"] | {"urn:shuqing:dsp:signed": other["urn:shuqing:dsp:signed"]}
        refused = httpx.post(f"{provider.url}{BASE}/transfers/request", json=mixed, timeout=10)
        assert (refused.status_code, refused.json()["@type"]) == (400, "TransferError")


@pytest.mark.parametrize(
    "changes",
    [
        {"@type": "ContractRequestMessage"}, {"@context": []}, {"providerPid": "urn:uuid:1"},
        {"format": "HttpData-PUSH"}, {"dataAddress": {}}, {"agreementId": "agreement:" + "0" * 64},
        {"agreementId": "x"}, {"agreementId": 7}, {"callbackAddress": ""}, {"urn:shuqing:dsp:signed": None},
        {"urn:shuqing:dsp:signed": {"request": {}}},
        {"urn:shuqing:dsp:signed": {"request": {}, "registration": {}}}, {"consumerPid": "x" * 501},
    ],
)  # fmt: skip
def test_transfer__request_that_does_not_fit__refused_and_nothing_kept(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with two(tmp_path) as (made, provider, consumer):
        (first, *_rest) = begin(made, consumer)["said"]
        message = first["message"] | {"consumerPid": "urn:uuid:new"} | changes
        refused = httpx.post(f"{provider.url}{BASE}/transfers/request", json=message, timeout=10)
        assert refused.status_code in (400, 404), refused.text
        assert refused.json()["@type"] == "TransferError"
        assert len(provider.admin("GET", "/connector/transfers").json()["transfers"]) == 1


def test_transfer__word_that_does_not_fit__refused_and_nothing_moves(tmp_path: Path) -> None:
    with two(tmp_path) as (made, provider, consumer):
        one = begin(made, consumer)
        place = f"{provider.url}{BASE}/transfers/{one['peer']}"
        good = {"@context": [CONTEXT], "@type": "TransferCompletionMessage", "consumerPid": one["id"],
                "providerPid": one["peer"]}  # fmt: skip
        for changes in ({"@type": "TransferStartMessage"}, {"providerPid": "urn:uuid:1"}, {"consumerPid": "urn:uuid:1"},
                        {"consumerPid": 7}, {"@context": "x"}):  # fmt: skip
            assert httpx.post(f"{place}/completion", json=good | changes, timeout=10).status_code == 400
        start = good | {"@type": "TransferStartMessage"}
        assert httpx.post(f"{place}/start", json=start, timeout=10).status_code == 400
        assert httpx.post(f"{place}x/completion", json=good, timeout=10).status_code == 404
        assert httpx.post(f"{place}/completion", content=b"[" * 100_000, timeout=10).status_code == 400
        assert state(provider) == "STARTED"
        assert httpx.post(f"{place}/completion", json=good, timeout=10).json()["state"] == "COMPLETED"


def test_transfer__started_as_asking_told__the_start_that_comes_later_is_kept_once(tmp_path: Path) -> None:
    with two(tmp_path, called_back=False, heard=True) as (made, _provider, consumer):
        one = begin(made, consumer)
        assert [item["message"]["@type"] for item in one["said"]] == ["TransferRequestMessage"]
        start = {"@context": [CONTEXT], "@type": "TransferStartMessage", "consumerPid": one["id"],
                 "providerPid": one["peer"]}  # fmt: skip
        place = f"{consumer.url}{BASE}/transfers/{one['id']}"
        assert httpx.post(f"{place}/start", json=start | {"providerPid": "urn:uuid:1"}, timeout=10).status_code == 400
        assert httpx.post(f"{place}/start", json=start, timeout=10).json()["state"] == "STARTED"
        assert httpx.post(f"{place}/start", json=start, timeout=10).status_code == 400
        (shown,) = consumer.admin("GET", "/connector/transfers").json()["transfers"]
        assert [item["message"]["@type"] for item in shown["said"]] == [
            "TransferRequestMessage", "TransferStartMessage",
        ]  # fmt: skip
        assert shown["state"] == "STARTED"


def test_commands__transfer_steer_and_transfers__in_words(tmp_path: Path) -> None:
    def run(*arguments: object, code: int = 0) -> str:
        done = CliRunner().invoke(app, [str(item) for item in arguments])
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    with two(tmp_path) as (made, provider, consumer):
        for process in (provider, consumer):
            (process.config.parent / "admin.token").write_text(ADMIN)
            (process.config.parent / "admin.token").chmod(0o600)
        begun = run("transfer", consumer.config, made.two.agreement)
        identity = begun.split()[0]
        assert "STARTED" in begun
        assert "SUSPENDED (CONSUMER)" in run("steer", consumer.config, identity, "suspend")
        assert "STARTED" in run("steer", consumer.config, identity, "resume")
        assert "TransferStartMessage" in run("transfers", provider.config)
        assert "suspend | resume" in run("steer", consumer.config, identity, "sing", code=2)
        assert "config.mode" in run("transfer", provider.config, made.two.agreement, code=2)
        (consumer.config.parent / "registration.json").unlink()
        assert "connector register" in run("transfer", consumer.config, made.two.agreement, code=2)
        run("steer", consumer.config, identity, "complete")
        assert json.loads(consumer.config.read_text())["id"] == TwoSides.CONSUMING
