"""The status of certificates on a real EVM node: what the agency signs, what the contract answers, what events tell."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from ledger import anchoring, eip712
from ledger.chain import Call, Deployment
from ledger.digest import twin
from ledger.errors import FieldError, TransactionReverted
from ledger.facts import Fact, Statement
from ledger.reading import body_of
from ledger.web3_chain import Web3Chain
from registry.certificate import PAPER_TYPE, Status
from registry.onchain import agency_id, certificate_key, code_word
from registry.onchain_status import NUMBERS, State, StatusFace, bulk_status_call, status_at, status_call, status_history
from registry.proof import IN_FORCE, REASONS
from registry.telling import TOLD, Telling
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all
from tests.chain_fixture import anvil, rpc
from tests.counts import few
from tests.registry.registry_house import AGENCY

AGENCY_KEY, RELAY, LOG = (eip712.new_key() for _ in range(3))
MEMBERS = tuple(eip712.new_key() for _ in range(3))
START = 1_788_000_000
YEAR = 365 * 86_400
PLAIN = (Status.VALID, False, False)


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[Web3Chain, str]]:
    council = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
    parties = Parties(eip712.address_of(LOG), {agency_id(AGENCY): eip712.address_of(AGENCY_KEY)})
    with anvil(timestamp=START) as url:
        deployment = deploy_all(Web3Chain(url, Deployment(31337, {}, ARTIFACTS), RELAY), council, parties)
        yield Web3Chain(url, deployment, RELAY), url


def sign(digest: bytes) -> bytes:
    return eip712.sign(AGENCY_KEY, digest)


Row = tuple[str, int, int, int, tuple[str, int, Status] | None]
"""code, version, valid_from, valid_until, (code, version, status) of the predecessor"""


def deposit(chain: Web3Chain, *rows: Row) -> list[bytes]:
    """Deposits certificates with digests of their own; returns their keys."""
    entries: list[tuple[Any, ...]] = []
    for code, version, start, end, before in rows:
        digest = twin(f"{code} {version}".encode())
        old = (code_word(before[0]), 1, before[1], NUMBERS[before[2]]) if before else (bytes(32), 0, 0, 0)
        entries.append((code_word(code), 1, version, digest.sha256, digest.sm3, start, end, *old))
    nonce, deadline = secrets.randbits(255), chain.head().time + 600
    message = eip712.deposit_batch(agency_id(AGENCY), entries, nonce, deadline)
    digest_ = eip712.digest_of(
        "RightsRegistry", chain.chain_id, chain.address("RightsRegistry"), "DepositBatch", message
    )
    chain.send(Call("RightsRegistry", "deposit", (agency_id(AGENCY), entries, nonce, deadline, sign(digest_))))
    return [certificate_key(AGENCY, PAPER_TYPE, code, version) for code, version, *_ in rows]


def index_of(chain: Web3Chain, key: bytes) -> int:
    return int(chain.read("RightsRegistry", "certificate", key)["index"])


def alive(chain: Web3Chain, key: bytes) -> bool:
    return int(chain.read("RightsRegistry", "certificate", key)["status"]) <= NUMBERS[Status.RENEWAL_PENDING]


def move(url: str, chain: Web3Chain, seconds: int) -> None:
    rpc(url, "evm_setNextBlockTimestamp", hex(chain.head().time + seconds))
    rpc(url, "evm_mine")


def test_numbers__are_those_of_codes_json() -> None:
    codes = json.loads((ARTIFACTS.parent / "codes.json").read_text("utf-8"))
    assert {status.value: number for status, number in NUMBERS.items()} == codes["certificateStatus"]


@pytest.mark.chain
def test_alone_and_in_bulk__chain_and_events_say_the_same(node: tuple[Web3Chain, str]) -> None:
    chain, url = node
    now = chain.head().time
    keys = deposit(chain, *((f"SJ33A20260{number:05}", 1, now, now + YEAR, None) for number in range(5)))
    move(url, chain, 100)
    chain.send(status_call(chain, AGENCY, [(keys[0], State(Status.VALID, True, False, now + 50))], sign))
    indexes = [index_of(chain, key) for key in keys[1:4]]
    receipt = chain.send(
        bulk_status_call(chain, AGENCY, indexes, State(Status.CANCELLED, False, False, now + 80), sign)
    )
    assert [event.name for event in receipt.events] == ["StatusChangedInBulk"]
    answer = chain.read("RightsRegistry", "inForce", keys[0])
    assert (IN_FORCE[answer["code"]], REASONS[answer["reason"]]) == ("IN_FORCE_LIMITED", "ENCUMBERED")
    assert REASONS[chain.read("RightsRegistry", "inForceAt", keys[0], now + 10)["reason"]] == "HISTORY"
    assert status_at(chain, keys[0], now + 10).reason == "VALID"
    assert status_at(chain, keys[0], now + 50).reason == "ENCUMBERED"
    assert [status_at(chain, keys[2], now + at).reason for at in (79, 80)] == ["VALID", "CANCELLED"]
    assert status_at(chain, keys[4], now + 99).code == "IN_FORCE"
    assert status_at(chain, b"\x01" * 32, now).reason == "UNKNOWN_KEY"
    assert status_history(chain, keys[4]) == status_history(chain, b"\x01" * 32) == ()
    [told] = status_history(chain, keys[3])
    assert (told.state, told.tx) == (State(Status.CANCELLED, False, False, now + 80), receipt.tx)


@pytest.mark.chain
def test_refusals__by_name(node: tuple[Web3Chain, str]) -> None:
    chain, _ = node
    now = chain.head().time
    [key] = deposit(chain, ("SJ33A2026100001", 1, now, now + YEAR, None))
    index = index_of(chain, key)

    def refused(call: Call) -> str:
        with pytest.raises(TransactionReverted) as error:
            chain.send(call)
        return error.value.error

    encumbered = State(Status.VALID, True, False, now)
    assert refused(status_call(chain, AGENCY, [(key, State(*PLAIN, now))], sign)) == "NoChange"
    assert refused(status_call(chain, AGENCY, [(b"\x01" * 32, encumbered)], sign)) == "UnknownCertificate"
    assert (
        refused(status_call(chain, AGENCY, [(key, State(Status.LAPSED, False, False, now))], sign)) == "NotAtThisTime"
    )
    ahead = State(Status.VALID, True, False, now + 5_000)
    assert refused(status_call(chain, AGENCY, [(key, ahead)], sign)) == "InstantInFuture"
    assert refused(bulk_status_call(chain, AGENCY, [index], ahead, sign)) == "InstantInFuture"
    assert refused(bulk_status_call(chain, AGENCY, [index + 1], encumbered, sign)) == "IndexNotOfAgency"
    stranger = eip712.new_key()
    by_stranger = bulk_status_call(chain, AGENCY, [index], encumbered, lambda digest: eip712.sign(stranger, digest))
    assert refused(by_stranger) == "InvalidSignature"
    for indexes in ([], [2, 1], [1, 1], [-1], [2**32]):
        with pytest.raises(FieldError, match="indexes"):
            bulk_status_call(chain, AGENCY, indexes, encumbered, sign)
    for status in (Status.RENEWAL_PENDING, Status.LAPSED):
        with pytest.raises(FieldError, match="status"):
            bulk_status_call(chain, AGENCY, [index], State(status, False, False, now), sign)


@pytest.mark.chain
@pytest.mark.parametrize("seed", range(few(2)))
def test_any_history__the_contract_never_says_what_the_events_do_not(node: tuple[Web3Chain, str], seed: int) -> None:
    """Random lives of twelve certificates in one status word: changes alone and in bulk, dated back, and successors
    dated ahead. At every instant the contract answers what the events tell, or UNKNOWN / HISTORY; of the present it
    always answers."""
    chain, url = node
    dice = random.Random(seed)
    born = chain.head().time
    codes = [f"SJ33A2026{20 + seed:02}{number:04}" for number in range(12)]
    keys = deposit(chain, *((code, 1, born, born + 2_000, None) for code in codes))
    accepted, refusals = 0, set()
    for turn in range(20):
        move(url, chain, dice.randrange(1, 150))
        now = chain.head().time
        state = State(
            dice.choice([*[Status.VALID] * 7, Status.RENEWAL_PENDING, Status.LAPSED, Status.CANCELLED]),
            dice.random() < 0.5,
            dice.random() < 0.5,
            now - dice.randrange(0, 60),
        )
        living = [place for place in range(12) if alive(chain, keys[place])]
        if not living:
            break
        chosen = sorted(dice.sample(living, min(len(living), 1 + turn % 2)))
        try:
            if turn % 5 == 4:
                before = (codes[chosen[0]], 1, Status.SUPERSEDED)
                start = now + dice.randrange(-100, 400)
                keys += deposit(chain, (codes[chosen[0]], 2, start, start + 2_000, before))
            elif turn % 2:
                indexes = [index_of(chain, keys[place]) for place in chosen]
                later = State(
                    dice.choice([*[Status.VALID] * 9, Status.CANCELLED]), state.encumbered, state.objection, now
                )
                chain.send(bulk_status_call(chain, AGENCY, indexes, later, sign))
            else:
                chain.send(status_call(chain, AGENCY, [(keys[place], state) for place in chosen], sign))
            accepted += 1
        except TransactionReverted as refused:
            refusals.add(refused.error)
    known = asked = 0
    end = chain.head().time
    for key in keys:
        for instant in sorted({end, *(dice.randrange(born - 100, end + 800) for _ in range(8))}):
            said = chain.read("RightsRegistry", "inForceAt", key, instant)
            told = status_at(chain, key, instant)
            asked += 1
            if REASONS[said["reason"]] == "HISTORY":
                assert (IN_FORCE[said["code"]], instant < end) == ("UNKNOWN", True)
                continue
            known += 1
            assert (IN_FORCE[said["code"]], REASONS[said["reason"]]) == (told.code, told.reason)
    print(f"seed {seed}: {accepted} of 20 changes accepted, {known} of {asked} instants answered by storage")
    assert accepted >= 6
    assert refusals <= {"NoChange", "StatusIsFinal", "NotAtThisTime", "ChangeOutOfOrder", "StartsTooEarly"}


@pytest.mark.chain
def test_face__writes_tellings_in_order__knows_its_own_and_finds_them_again(node: tuple[Web3Chain, str]) -> None:
    """Pledged, then cancelled: two facts, one call, and a third that says something else is not on the chain."""
    chain, url = node
    code = "SJ3312026119001"
    start = chain.head().time
    deposit(chain, (code, 1, start, start + YEAR, None))
    move(url, chain, 100)
    face = StatusFace(AGENCY, sign)
    pledged, cancelled, other = (
        fact_of(Telling(code, 1, status, encumbered, False, start + seconds, "test"), seconds)
        for status, encumbered, seconds in (
            (Status.VALID, True, 10), (Status.CANCELLED, False, 20), (Status.CANCELLED, False, 30),
        )
    )  # fmt: skip
    assert not face.done(chain, pledged)
    places = anchoring.write_facts(chain, face, [pledged, cancelled])
    assert face.done(chain, pledged)
    assert face.done(chain, cancelled)
    assert not face.done(chain, other)
    assert anchoring.find_facts(chain, face, [pledged, cancelled, other]) == places
    assert anchoring.write_facts(chain, face, [pledged, cancelled]) == places, "a second time nothing is sent"


def fact_of(telling: Telling, no: int) -> Fact:
    statement = Statement(TOLD, f"certificate:{telling.code}", no, twin(b"before"), body_of(telling))
    return Fact(statement, (), telling.effective_at, "0" * 64)
