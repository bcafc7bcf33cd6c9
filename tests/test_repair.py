"""The chain misbehaves while a real worker publishes: it forgets, vanishes, forks, refuses or falls silent.

Whatever can be put right is put right without anybody's help; whatever cannot is said, and holds up nothing else.
"""

from __future__ import annotations

import json
import random
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import jobs
from clearing.market.agreement import AgreementAct, sign_act, subject_of
from ledger import anchoring, incidents, log, outbox, store
from ledger.errors import ForkedLog
from ledger.facts import Fact, Signed, Statement
from ledger.log import Head
from ledger.reading import body_of, read
from tests.chain_fixture import rpc
from tests.counts import rounds
from tests.played import ROOT, Played, shuqing
from tests.publishing import (
    World,
    arriving,
    at_rest,
    audited,
    nothing_lost,
    nothing_twice,
    open_world,
    until,
    working,
)

pytestmark = pytest.mark.chain


@pytest.fixture
def world(played: Played, tmp_path: Path) -> Iterator[World]:
    with open_world(played, tmp_path, lease_seconds=2) as made:
        yield made


def published(world: World) -> int:
    with jobs.snapshot(world.system) as session:
        return outbox.published_size(session)


def sealed(world: World) -> int:
    with jobs.snapshot(world.system) as session:
        head = log.latest(session)
        return head.checkpoint.size if head else 0


def grown(world: World, facts: int) -> None:
    """Waits until so many more entries stand under an anchored head."""
    goal = published(world) + facts
    until(lambda: published(world) >= goal, 60, world)


def all_repaired(world: World, kind: str) -> bool:
    found = world.incidents(kind)
    return bool(found) and all(incident.repaired_at is not None for incident in found)


def bundle_now(world: World, file: Path) -> Path:
    """A certificate's bundle under the head that is the newest on the chain now."""
    done = shuqing("bundle", world.entry.id, "--out", file, "--home", world.home)
    assert done.returncode == 0, done.stderr
    return file


def checked(world: World, played: Played, bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ROOT / "scripts" / "verify_bundle.py"), str(bundle), "--trust",
               str(played.out / "trust.json"), "--rpc", world.node.url]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def verified(world: World, played: Played, *bundles: Path) -> None:
    """The stand-alone verifier accepts these bundles and all of the demonstration's against the node as it is now."""
    shipped = sorted(played.out.glob("bundle-*.json"))
    assert len(shipped) >= 5
    for bundle in (*bundles, *shipped):
        done = checked(world, played, bundle)
        assert done.returncode == 0, (bundle, done.stdout[-800:], done.stderr)


def stands(world: World, bundle: Path) -> bool:
    """Is the transaction a bundle names in its block on the chain as it is now? One that was forgotten and is sent
    again with nothing before it changed is the same transaction."""
    place = json.loads(bundle.read_text())["chain"]
    found: Any = rpc(world.node.url, "eth_getTransactionReceipt", place["tx"])
    return found is not None and int(found["blockNumber"], 16) == place["block"]


def still(world: World) -> None:
    """No block is made until automine is on again: a node that takes blocks away while it makes one keeps the half."""
    rpc(world.node.url, "evm_setAutomine", False)
    seen: list[int] = []

    def steady() -> bool:
        seen.append(int(str(rpc(world.node.url, "eth_blockNumber")), 16))
        return len(seen) > 2 and len(set(seen[-3:])) == 1

    until(steady, 30, world)


def test_node_restarted_from_an_older_state__detected_and_repaired(
    world: World, played: Played, tmp_path: Path
) -> None:
    before = world.count()
    state, old = tmp_path / "anvil.json", tmp_path / "old.json"
    bundles = []
    with working(world), arriving(world, random.Random(secrets.randbits(32))):
        for number in range(rounds(2)):
            grown(world, 5)
            world.node.stop()
            shutil.copy(state, old)
            world.node.start(state)
            grown(world, 15)
            bundles.append(bundle_now(world, tmp_path / f"bundle-{number}.json"))
            world.node.kill()
            world.node.start(old)
            until(lambda n=number: len(world.incidents(incidents.ROLLBACK)) > n, 60, world)  # type: ignore[misc]
            until(lambda: all_repaired(world, incidents.ROLLBACK), 60, world)
            shutil.copy(old, state)
    with working(world):
        until(lambda: at_rest(world), 60, world)
    nothing_lost(world, before)
    nothing_twice(world)
    assert audited(world) == []
    verified(world, played, bundle_now(world, tmp_path / "bundle-again.json"))
    for bundle in bundles:
        done = checked(world, played, bundle)
        assert ("REFUSED (V11)" in done.stdout) is not stands(world, bundle), (bundle, done.stdout[-800:])
        assert done.returncode == int(not stands(world, bundle))
    code, found = world.status()
    assert (code, found["chain"]["holds"]) == (0, True), found["attention"]
    # A write that the moment of the rollback fell into may have been refused, and was tried again.
    assert "rollback" in {incident["kind"] for incident in found["incidents"]}
    assert found["open"] == []


def test_reorganised__blocks_taken_away_and_others_put_there__repaired(world: World, played: Played) -> None:
    before = world.count()
    with working(world), arriving(world, random.Random(secrets.randbits(32))):
        for number in range(rounds(2)):
            grown(world, 3)
            moment = rpc(world.node.url, "evm_snapshot")
            grown(world, 10)
            still(world)
            rpc(world.node.url, "evm_revert", moment)
            rpc(world.node.url, "anvil_mine", hex(40))  # higher than before: only hashes tell
            rpc(world.node.url, "evm_setAutomine", True)
            until(lambda n=number: len(world.incidents(incidents.ROLLBACK)) > n, 60, world)  # type: ignore[misc]
            until(lambda: all_repaired(world, incidents.ROLLBACK), 60, world)
    with working(world):
        until(lambda: at_rest(world), 60, world)
    nothing_lost(world, before)
    nothing_twice(world)
    assert audited(world) == []
    verified(world, played)


def test_node_restarted_from_before_the_deployment__said__intake_goes_on__heals_with_the_state(
    world: World, tmp_path: Path
) -> None:
    before = world.count()
    with working(world), arriving(world, random.Random(secrets.randbits(32))):
        grown(world, 3)
        world.node.stop()
        noted = published(world)
        world.node.start()
        until(lambda: bool(world.incidents(incidents.CONTRACTS)), 60, world)
        size = sealed(world)
        until(lambda: sealed(world) > size + 5, 30, world)
        code, found = world.status()
        assert code == 1
        assert any("no code of" in line and "deploy again" in line for line in found["attention"])
        assert published(world) == noted, "what was noted is not forgotten because a node lost its memory"
        world.node.kill()
        world.node.start(tmp_path / "anvil.json")
        until(lambda: all_repaired(world, incidents.CONTRACTS), 60, world)
        grown(world, 3)
    with working(world):
        until(lambda: at_rest(world), 60, world)
    nothing_lost(world, before)
    nothing_twice(world)
    assert audited(world) == []


def test_another_head_of_this_log_on_the_chain__fork__said_loudly_and_nothing_overwritten(world: World) -> None:
    with jobs.snapshot(world.system) as session:
        head = log.latest(session)
    assert head is not None
    size = head.checkpoint.size + 2
    forged = Head(replace(head.checkpoint, size=size), "", 3)
    chain = world.system.chain()
    anchoring.anchor_head(chain, forged, world.system.sign_head)
    commitment = chain.read(outbox.HEADS, "commitmentAt", size)
    for _ in range(4):
        world.arrive(random.Random(1))
    with working(world):
        until(lambda: bool(world.incidents(incidents.FORK)), 60, world)
        until(lambda: sealed(world) >= head.checkpoint.size + 4 and jobs.unsealed(world.system, 1) == 0, 30, world)
        code, found = world.status()
    assert code == 1
    assert any(line.startswith("fork") for line in found["attention"])
    assert chain.read(outbox.HEADS, "latestSize") == size
    assert chain.read(outbox.HEADS, "commitmentAt", size) == commitment
    assert published(world) == head.checkpoint.size
    with pytest.raises(ForkedLog):
        jobs.reindex(world.system)


def test_contract_refuses_a_fact__said__no_other_fact_waits_for_it(world: World) -> None:
    refused = unsigned_agreement(world)
    good = [world.certificate() for _ in range(2)]
    with working(world):
        until(lambda: bool(world.incidents(incidents.REFUSED)), 60, world)
        until(lambda: all(placed(world, "RightsRegistry", fact) for fact in good), 60, world)
        until(lambda: published(world) == sealed(world) and jobs.unsealed(world.system, 1) == 0, 60, world)
        code, found = world.status()
    assert code == 1
    [incident] = world.incidents(incidents.REFUSED)
    assert incident.key == f"AgreementRegistry/{refused.id}"
    assert "InvalidSignature" in incident.detail
    assert found["contracts"]["AgreementRegistry"]["waiting"] == 1
    assert not placed(world, "AgreementRegistry", refused)


def placed(world: World, contract: str, fact: Fact) -> bool:
    with jobs.snapshot(world.system) as session:
        return anchoring.place_of(session, contract, fact.id) is not None


def unsigned_agreement(world: World) -> Fact:
    """An agreement whose typed signatures are all made with one and the same foreign key."""
    act = replace(
        read(AgreementAct, world.act.body), negotiation_id=secrets.token_hex(32), deadline=world.at + 86_400 * 365
    )
    statement = Statement("agreement-act/v1", subject_of(secrets.token_hex(32)), 0, None, body_of(act))
    signatures = [
        signature
        for signer in act.signers
        for signature in sign_act(statement, signer, world.keys[f"party:{signer.party}"].sm2, b"\x07" * 32)
    ]
    with jobs.transaction(world.system) as session:
        return store.append(session, Signed(statement, tuple(signatures)), at=world.at).fact


def test_silent_node__heads_are_signed_all_the_same__the_waiting_transaction_is_shown_and_settled_by_the_next_worker(
    world: World,
) -> None:
    before = world.count()
    url = world.node.url
    with working(world):
        until(lambda: at_rest(world), 60, world)
        rpc(url, "evm_setAutomine", False)
        world.arrive(random.Random(5))  # somebody's new key: only a head carries it to the chain
        until(lambda: world.status()[1]["pending"] is not None, 60, world)
        for _ in range(3):
            size = sealed(world)
            world.arrive(random.Random(2))
            until(lambda old=size: sealed(world) > old, 10, world)  # type: ignore[misc]
        code, found = world.status()
        assert (code, found["log"]["sequenced"], found["pending"]["contract"]) == (0, 0, outbox.HEADS)
        assert found["waiting_heads"] == 1
        mined, with_waiting = found["chain"]["nonces"]
        assert (found["pending"]["nonce"], with_waiting) == (mined, mined + 1)
    # The worker was stopped while its transaction waited; the next one finds the nonce taken.
    with working(world):
        rpc(url, "evm_setAutomine", True)
        rpc(url, "anvil_mine", "0x1")
        until(lambda: at_rest(world), 60, world)
    assert world.status()[1]["pending"] is None
    nothing_lost(world, before)
    nothing_twice(world)
    assert audited(world) == []
