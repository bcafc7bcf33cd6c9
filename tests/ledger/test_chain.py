"""The chain seam: one suite over the chain in memory and a real node, then what only a real node can show."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import keyfiles
from ledger import eip712
from ledger.chain import (
    Call,
    Chain,
    ChainReceipt,
    Deployment,
    EvidenceLogModel,
    MemoryChain,
    head_commitment,
    read_deployment,
)
from ledger.errors import ChainError, ChainUnavailable, FieldError, TransactionReverted, WrongChain
from ledger.web3_chain import Web3Chain
from scripts import deploy_contracts
from scripts.deploy_contracts import ACTS, ARTIFACTS, CODES, Council, Parties, deploy_all
from tests.chain_fixture import ROOT, anvil, rpc

NOW = 1_780_000_000
AGENCY, OPERATOR = b"\x01" * 32, b"\x02" * 32
LOG, AGENCY_KEY, OPERATOR_KEY, AUDITOR, COURT, RELAY = (eip712.new_key() for _ in range(6))
MEMBERS = tuple(eip712.new_key() for _ in range(3))
COUNCIL = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
PARTIES = Parties(
    log_key=eip712.address_of(LOG),
    agencies={AGENCY: eip712.address_of(AGENCY_KEY)},
    operators={OPERATOR: eip712.address_of(OPERATOR_KEY)},
    auditors=(eip712.address_of(AUDITOR),),
    authorities=(eip712.address_of(COURT),),
)


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil(timestamp=NOW) as url:
        yield url


@pytest.fixture(scope="module")
def deployed(node: str) -> Deployment:
    return deploy_all(Web3Chain(node, Deployment(31337, {}, ARTIFACTS), RELAY), COUNCIL, PARTIES)


@pytest.fixture
def web3(node: str, deployed: Deployment) -> Web3Chain:
    return Web3Chain(node, deployed, RELAY)


@pytest.fixture(params=["memory", pytest.param("anvil", marks=pytest.mark.chain)])
def chain(request: pytest.FixtureRequest) -> Chain:
    """A chain with an empty EvidenceLog on it."""
    if request.param == "memory":
        return MemoryChain({"EvidenceLog": EvidenceLogModel(eip712.address_of(LOG))}, now=NOW)
    fresh = Web3Chain(request.getfixturevalue("node"), Deployment(31337, {}, ARTIFACTS), RELAY)
    fresh.deploy("EvidenceLog", list(COUNCIL.members), 2, 1, eip712.address_of(LOG))
    return fresh


def anchor(chain: Chain, size: int, *, root: bytes = b"a" * 32, key: bytes = LOG) -> Call:
    head = {"size": size, "sha256Root": root, "sm3Root": b"b" * 32, "time": NOW}
    digest = eip712.digest_of("EvidenceLog", chain.chain_id, chain.address("EvidenceLog"), "Head", head)
    return Call("EvidenceLog", "anchor", (size, root, b"b" * 32, NOW, eip712.sign(key, digest)))


# --- one suite, both chains ---


def test_send__a_head__receipt_event_and_view_agree(chain: Chain) -> None:
    receipt = chain.send(anchor(chain, 7))
    assert (receipt.chain_id, receipt.contract, receipt.function) == (chain.chain_id, "EvidenceLog", "anchor")
    assert (receipt.status, receipt.block) == (1, chain.head().number)
    assert (receipt.block_hash, receipt.time) == (chain.head().hash, chain.head().time)
    assert receipt.address == chain.address("EvidenceLog")
    [event] = receipt.events
    assert (event.name, event.block, event.tx) == ("Anchored", receipt.block, receipt.tx)
    assert event.args == {"size": 7, "sha256Root": b"a" * 32, "sm3Root": b"b" * 32, "time": NOW}
    assert chain.read("EvidenceLog", "latestSize") == 7
    assert chain.read("EvidenceLog", "commitmentAt", 7) == head_commitment(7, b"a" * 32, b"b" * 32, NOW)
    assert chain.read("EvidenceLog", "commitmentAt", 8) == bytes(32)


def test_send__again_smaller_forked_forged_empty__refused_by_name_and_nothing_changes(chain: Chain) -> None:
    chain.send(anchor(chain, 7))
    before = chain.head().number
    committed = head_commitment(7, b"a" * 32, b"b" * 32, NOW)
    forked = head_commitment(7, b"c" * 32, b"b" * 32, NOW)
    for call, error, arguments in (
        (anchor(chain, 7), "AlreadyAnchored", (7,)),
        (anchor(chain, 6), "SizeNotGrowing", (6, 7)),
        (anchor(chain, 7, root=b"c" * 32), "ForkedHead", (7, committed, forked)),
        (anchor(chain, 8, key=RELAY), "InvalidSignature", (eip712.address_of(LOG),)),
        (anchor(chain, 0), "HeadIncomplete", ()),
    ):
        with pytest.raises(TransactionReverted) as refused:
            chain.send(call)
        assert (refused.value.error, refused.value.arguments) == (error, arguments)
        assert (refused.value.contract, refused.value.function) == ("EvidenceLog", "anchor")
    assert chain.read("EvidenceLog", "latestSize") == 7
    assert chain.head().number == before


def test_events__range_and_indexed_argument(chain: Chain) -> None:
    blocks = [chain.send(anchor(chain, size)).block for size in (1, 5, 9)]
    found = chain.events("EvidenceLog", "Anchored")
    assert [event.args["size"] for event in found] == [1, 5, 9]
    assert [event.block for event in found] == blocks
    assert [e.args["size"] for e in chain.events("EvidenceLog", "Anchored", first=blocks[1])] == [5, 9]
    assert [e.args["size"] for e in chain.events("EvidenceLog", "Anchored", last=blocks[1])] == [1, 5]
    assert [e.args["size"] for e in chain.events("EvidenceLog", "Anchored", where={"size": 5})] == [5]
    assert chain.events("EvidenceLog", "Anchored", where={"size": 6}) == ()


def test_unknown_contract_function_and_view__chain_error(chain: Chain) -> None:
    for ask in (
        lambda: chain.address("Nothing"),
        lambda: chain.code_hash("Nothing"),
        lambda: chain.read("Nothing", "x"),
        lambda: chain.read("EvidenceLog", "nothing"),
        lambda: chain.events("Nothing", "x"),
        lambda: chain.send(Call("Nothing", "x", ())),
        lambda: chain.send(Call("EvidenceLog", "nothing", ())),
    ):
        with pytest.raises(ChainError):
            ask()


def test_block_hash__of_every_block__none_above_the_head(chain: Chain) -> None:
    receipt = chain.send(anchor(chain, 1))
    assert chain.block_hash(receipt.block) == receipt.block_hash == chain.head().hash
    assert chain.block_hash(receipt.block + 1) is None
    assert chain.confirmed() == receipt.block
    [event] = chain.events("EvidenceLog", "Anchored")
    assert (event.block, event.block_hash) == (receipt.block, receipt.block_hash)
    chain.check()


def test_node_goes_back__blocks_made_again_have_other_hashes(chain: Chain) -> None:
    first = chain.send(anchor(chain, 1))
    back = goes_back(chain)
    second = chain.send(anchor(chain, 2))
    back()
    assert chain.block_hash(first.block) == first.block_hash
    assert chain.block_hash(second.block) is None
    assert chain.read("EvidenceLog", "latestSize") == 1
    again = chain.send(anchor(chain, 3))
    assert again.block == second.block
    assert chain.block_hash(second.block) == again.block_hash != second.block_hash
    assert [event.args["size"] for event in chain.events("EvidenceLog", "Anchored")] == [1, 3]


def goes_back(chain: Chain) -> Callable[[], object]:
    """Marks a moment; what it returns takes the chain back there."""
    if isinstance(chain, MemoryChain):
        moment = chain.snapshot()
        return lambda: chain.revert(moment)
    assert isinstance(chain, Web3Chain)
    url, number = chain._rpc_url, rpc(chain._rpc_url, "evm_snapshot")
    return lambda: rpc(url, "evm_revert", number)


def test_code_hash__stable(chain: Chain) -> None:
    assert chain.code_hash("EvidenceLog") == chain.code_hash("EvidenceLog")
    assert len(chain.code_hash("EvidenceLog")) == 66


# --- receipts, the chain in memory, deployments ---


def test_receipt__any_status_but_one__cannot_be_built() -> None:
    with pytest.raises(ChainError):
        ChainReceipt(1, "C", "f", "0x", "0x", 1, "0x", 1, 1, status=0)


def test_memory__says_by_its_chain_id_that_nothing_was_published() -> None:
    chain = MemoryChain({"EvidenceLog": EvidenceLogModel(eip712.address_of(LOG))}, now=NOW)
    assert chain.send(anchor(chain, 1)).chain_id == 0


def test_deployment__round_trip_and_bad_text() -> None:
    deployment = Deployment(5, {"A": eip712.to_checksum("0x" + "ab" * 20)}, ARTIFACTS, 1000, 9, {"A": "0x00"})
    assert read_deployment(deployment.to_json(), ARTIFACTS) == deployment
    for text, field in (("[", "deployment"), ("[]", "deployment"), ('{"chainId": "1"}', "chainId")):
        with pytest.raises(FieldError) as error:
            read_deployment(text, ARTIFACTS)
        assert error.value.field == field


# --- only a real node ---


def sign(web3: Web3Chain, key: bytes, contract: str, type_name: str, message: dict[str, Any]) -> bytes:
    return eip712.sign(key, eip712.digest_of(contract, web3.chain_id, web3.address(contract), type_name, message))


@pytest.mark.chain
def test_rights__deposit_status_and_reads__as_python_hashes_them(web3: Web3Chain) -> None:
    now = web3.head().time
    digests = (b"\x0a" * 32, b"\x0b" * 32)
    code = b"SJ33A2026030001".ljust(32, b"\0")
    entries = [(code, 1, 1, *digests, now, now + 1000, bytes(32), 0, 0, 0)]
    message = eip712.deposit_batch(AGENCY, entries, 77, now + 600)
    signature = sign(web3, AGENCY_KEY, "RightsRegistry", "DepositBatch", message)
    receipt = web3.send(Call("RightsRegistry", "deposit", (AGENCY, entries, 77, now + 600, signature)))
    key = eip712.commitment(("bytes32", "uint8", "bytes32", "uint32"), (AGENCY, 1, code, 1))
    assert web3.read("RightsRegistry", "certificateKey", AGENCY, 1, code, 1) == key
    full = eip712.commitment(("bytes32", "bytes32", "bytes32", "uint32", "uint32"), (*digests, key, now, now + 1000))
    [event] = receipt.events
    assert (event.args["key"], event.args["agencyId"], event.args["factSm3"]) == (key, AGENCY, digests[1])
    stored = web3.read("RightsRegistry", "certificate", key)
    assert (stored["commitment"], stored["status"]) == (full[:20], CODES["certificateStatus"]["VALID"])
    assert web3.read("RightsRegistry", "matches", key, *digests) is True
    assert web3.read("RightsRegistry", "matches", key, digests[1], digests[0]) is False
    assert web3.read("RightsRegistry", "inForce", key)["code"] == CODES["inForceCodes"]["IN_FORCE"]

    changes = [(key, CODES["certificateStatus"]["VALID"], True, False, now)]
    message = eip712.status_batch(AGENCY, changes, 78, now + 600)
    signature = sign(web3, AGENCY_KEY, "RightsRegistry", "StatusBatch", message)
    web3.send(Call("RightsRegistry", "setStatus", (AGENCY, changes, 78, now + 600, signature)))
    answer = web3.read("RightsRegistry", "inForce", key)
    assert (answer["code"], answer["reason"]) == (
        CODES["inForceCodes"]["IN_FORCE_LIMITED"],
        CODES["inForceReasons"]["ENCUMBERED"],
    )
    with pytest.raises(TransactionReverted) as refused:
        web3.send(Call("RightsRegistry", "deposit", (AGENCY, entries, 77, now + 600, b"\0" * 65)))
    assert refused.value.error == "InvalidSignature"


@pytest.mark.chain
def test_agreement__concluded_and_rescinded__as_python_hashes_them(web3: Web3Chain) -> None:
    provider, consumer = eip712.new_key(), eip712.new_key()
    signers = [(1, eip712.address_of(provider), provider), (2, eip712.address_of(consumer), consumer)]
    acts, states = CODES["agreementActs"], CODES["agreementStates"]
    act: dict[str, Any] = {
        "agreementId": eip712.new_key(),
        "negotiationId": eip712.new_key(),
        "revision": 1,
        "act": acts["CONCLUDE"],
        "fromState": states["NONE"],
        "toState": states["EFFECTIVE"],
        "signersHash": eip712.signers_hash([(role, address) for role, address, _ in signers]),
        "termsSha256": b"\x01" * 32,
        "termsSm3": b"\x02" * 32,
        "actSha256": b"\x03" * 32,
        "actSm3": b"\x04" * 32,
        "prevActSha256": bytes(32),
        "prevActSm3": bytes(32),
        "groundSha256": bytes(32),
        "groundSm3": bytes(32),
        "deadline": web3.head().time + 600,
    }

    def submit(act: dict[str, Any], nonce: int, signing: set[int]) -> ChainReceipt:
        rows = []
        for role, address, key in signers:
            message = eip712.agreement_act(act, role, address, nonce)
            signature = sign(web3, key, "AgreementRegistry", "AgreementAct", message) if role in signing else b""
            rows.append((role, address, nonce, signature))
        return web3.send(Call("AgreementRegistry", "submit", (eip712.act_tuple(act), rows)))

    with pytest.raises(TransactionReverted) as refused:
        submit(act, 1, {1})
    assert (refused.value.error, refused.value.arguments) == ("InvalidSignature", (signers[1][1],))
    receipt = submit(act, 2, {1, 2})
    [event] = receipt.events
    assert event.args["act"]["termsSm3"] == act["termsSm3"]
    assert [signer["signer"] for signer in event.args["signers"]] == [address for _, address, _ in signers]
    assert event.args["contractSigners"] == 0
    pair = ("bytes32", "bytes32")
    stored = web3.read("AgreementRegistry", "agreement", act["agreementId"])
    assert stored["state"] == states["EFFECTIVE"]
    assert stored["termsCommitment"] == eip712.commitment(pair, (act["termsSha256"], act["termsSm3"]))
    assert stored["lastActCommitment"] == eip712.commitment(pair, (act["actSha256"], act["actSm3"]))
    following = {
        **act,
        "act": acts["RESCIND"],
        "fromState": states["EFFECTIVE"],
        "toState": states["RESCINDED"],
        "prevActSha256": act["actSha256"],
        "prevActSm3": act["actSm3"],
        "actSha256": b"\x05" * 32,
        "groundSha256": b"\x06" * 32,
        "groundSm3": b"\x07" * 32,
    }
    submit(following, 3, {2})
    assert web3.read("AgreementRegistry", "agreement", act["agreementId"])["state"] == states["RESCINDED"]


@pytest.mark.chain
def test_settlement__closed_once_under_two_signatures(web3: Web3Chain) -> None:
    now = web3.head().time
    close = {
        "operatorId": OPERATOR,
        "cycle": b"2026-03".ljust(32, b"\0"),
        "currency": b"CNY",
        "rootSha256": b"\x01" * 32,
        "rootSm3": b"\x02" * 32,
        "totalsCommitment": b"\x03" * 32,
        "closedAt": now,
        "auditor": eip712.address_of(AUDITOR),
        "deadline": now + 600,
    }
    one, two = (sign(web3, key, "SettlementBook", "CycleClose", close) for key in (OPERATOR_KEY, AUDITOR))
    call = Call("SettlementBook", "close", (tuple(close.values()), one, two))
    web3.send(call)
    expected = eip712.commitment(
        ("bytes32", "bytes32", "bytes32", "uint64"), (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, now)
    )
    assert web3.read("SettlementBook", "closed", OPERATOR, close["cycle"], b"CNY") == expected
    with pytest.raises(TransactionReverted) as refused:
        web3.send(call)
    assert refused.value.error == "AlreadyClosed"


@pytest.mark.chain
def test_start__wrong_chain_code_unit_or_key__refused(node: str, deployed: Deployment) -> None:
    known = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    Web3Chain(node, deployed, known)
    log = deployed.addresses["EvidenceLog"]
    for wrong in (
        Deployment(1, {}, ARTIFACTS),
        Deployment(31337, {"EvidenceLog": "0x" + "11" * 20}, ARTIFACTS),
        Deployment(31337, {"EvidenceLog": log}, ARTIFACTS, time_unit=1000),
        Deployment(31337, {"EvidenceLog": log}, ARTIFACTS, code_hashes={"EvidenceLog": "0x" + "00" * 32}),
    ):
        with pytest.raises(WrongChain):
            Web3Chain(node, wrong, RELAY)
    with anvil(chain_id=4242) as other:
        Web3Chain(other, Deployment(4242, {}, ARTIFACTS), RELAY)
        with pytest.raises(WrongChain, match="known to everybody"):
            Web3Chain(other, Deployment(4242, {}, ARTIFACTS), known)


@pytest.mark.chain
def test_reader__without_key__cannot_send(node: str, deployed: Deployment) -> None:
    reader = Web3Chain(node, deployed, None)
    assert reader.relay_address == ""
    assert reader.read("EvidenceLog", "logKey") == eip712.address_of(LOG)
    with pytest.raises(ChainError, match="no relay key"):
        reader.send(anchor(reader, 1))


@pytest.mark.chain
def test_send__argument_of_the_wrong_shape__chain_error(web3: Web3Chain) -> None:
    for args in ((1,), (1, b"short", b"b" * 32, NOW, b""), (-1, b"a" * 32, b"b" * 32, NOW, b"")):
        with pytest.raises(ChainError):
            web3.send(Call("EvidenceLog", "anchor", args))
    with pytest.raises(ChainError, match="indexed"):
        web3.events("EvidenceLog", "Anchored", where={"sm3Root": b"b" * 32})


@pytest.mark.chain
def test_nonce__used_by_somebody_else__read_again(node: str, deployed: Deployment) -> None:
    """Two gateways with one key: each holds its own nonce, and the second finds it taken."""
    one, two = Web3Chain(node, deployed, RELAY), Web3Chain(node, deployed, RELAY)
    size = one.read("EvidenceLog", "latestSize")
    for step in range(1, 7):
        sender = (one, two)[step % 2]
        sender.send(anchor(sender, size + step))
    assert one.read("EvidenceLog", "latestSize") == size + 6


@pytest.mark.chain
def test_mined_but_failed__error_found_by_running_it_again(
    node: str, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls that are each good alone: the estimate of the second was made before the first was mined."""
    chain = Web3Chain(node, deployed, RELAY)
    size = chain.read("EvidenceLog", "latestSize") + 1
    call = anchor(chain, size)
    chain.send(call)
    monkeypatch.setattr(chain, "_gas", lambda *_: 200_000)
    with pytest.raises(TransactionReverted) as refused:
        chain.send(call)
    assert (refused.value.error, refused.value.arguments) == ("AlreadyAnchored", (size,))


@pytest.mark.chain
def test_gas__as_receipts_tell_it(web3: Web3Chain) -> None:
    """D21's figures with the signature in them: 60,000 for a head."""
    size = web3.read("EvidenceLog", "latestSize")
    web3.send(anchor(web3, size + 1))
    used = web3.send(anchor(web3, size + 4097)).gas_used
    print(f"gas: EvidenceLog.anchor {used}")
    assert used <= 60_000


class Proxy(BaseHTTPRequestHandler):
    """Stands before a node and spoils answers: `plan` maps a method to what happens to its next calls."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    node = ""
    client: httpx.Client
    plan: dict[str, list[str]]
    seen: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        method = json.loads(body)["method"]
        self.seen.append(method)
        step = self.plan.get(method, [])
        what = step.pop(0) if step else "pass"
        if what == "reset":
            self.hang_up()
            return
        answer = self.client.post(self.node, content=body, headers={"Content-Type": "application/json"}).content
        if what == "lost":
            self.hang_up()
            return
        if what.startswith("error:"):
            error = {"code": -32000, "message": what.removeprefix("error:")}
            answer = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def proxy(node: str) -> Iterator[tuple[str, dict[str, list[str]], list[str]]]:
    plan: dict[str, list[str]] = {}
    seen: list[str] = []
    client = httpx.Client(verify=False, trust_env=False)
    handler = type("Spoiler", (Proxy,), {"node": node, "plan": plan, "seen": seen, "client": client})
    with client, socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", plan, seen
        server.shutdown()


@pytest.mark.chain
@pytest.mark.parametrize(
    "trouble",
    ["lost", "reset", "error:already known", "error:nonce too low", "error:some words nobody foresaw"],
)
def test_send__answer_of_the_node_lost_or_odd__one_transaction_and_a_receipt(
    proxy: tuple[str, dict[str, list[str]], list[str]], deployed: Deployment, trouble: str
) -> None:
    """The node may have taken the transaction although its answer says or shows otherwise: its hash decides."""
    url, plan, _ = proxy
    chain = Web3Chain(url, deployed, RELAY)
    size = chain.read("EvidenceLog", "latestSize") + 1
    plan["eth_sendRawTransaction"] = [trouble]
    receipt = chain.send(anchor(chain, size))
    assert len(chain.events("EvidenceLog", "Anchored", where={"size": size})) == 1
    assert chain.send(anchor(chain, size + 1)).block > receipt.block


@pytest.mark.chain
def test_read__connection_reset_once__asked_again__twice__unavailable(
    proxy: tuple[str, dict[str, list[str]], list[str]], deployed: Deployment
) -> None:
    url, plan, _ = proxy
    chain = Web3Chain(url, deployed, RELAY)
    plan["eth_call"] = ["reset"]
    chain.read("EvidenceLog", "latestSize")
    plan["eth_call"] = ["reset", "reset"]
    with pytest.raises(ChainUnavailable):
        chain.read("EvidenceLog", "latestSize")
    plan["eth_getBlockByNumber"] = ["reset"]
    chain.head()


@pytest.mark.chain
def test_next_time__nothing_written_for_long__what_comes__and_the_newest_block_s_where_the_node_says_nothing(
    proxy: tuple[str, dict[str, list[str]], list[str]], deployed: Deployment
) -> None:
    url, plan, _ = proxy
    chain = Web3Chain(url, deployed, RELAY)
    chain.send(anchor(chain, chain.read("EvidenceLog", "latestSize") + 1))
    newest = chain.head().time
    assert newest <= chain.next_time() < newest + 600
    rpc(url, "evm_increaseTime", 36_000)
    assert newest + 36_000 <= chain.next_time() < newest + 36_600
    plan["eth_getBlockByNumber"] = ["pass", "error:no pending block here"]
    assert chain.next_time() == chain.head().time == newest


@pytest.mark.chain
def test_profile__only_portable_methods_are_called(
    proxy: tuple[str, dict[str, list[str]], list[str]], deployed: Deployment
) -> None:
    url, _, seen = proxy
    chain = Web3Chain(url, deployed, RELAY)
    chain.send(anchor(chain, chain.read("EvidenceLog", "latestSize") + 1))
    chain.events("EvidenceLog", "Anchored")
    assert set(seen) <= {
        "eth_chainId", "eth_call", "eth_getCode", "eth_estimateGas", "eth_getTransactionCount",
        "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByNumber",
        "eth_blockNumber", "eth_getLogs",
    }  # fmt: skip


def test_node_away__unavailable() -> None:
    with pytest.raises(ChainUnavailable):
        Web3Chain("http://127.0.0.1:9", Deployment(1, {}, ARTIFACTS), None, timeout=2)


# --- the deployment script ---


@pytest.mark.chain
def test_deploy_script__twice__one_deployment(node: str, tmp_path: Path) -> None:
    def hexed(value: bytes) -> str:
        return "0x" + value.hex()

    (tmp_path / "council.json").write_text(
        json.dumps({"threshold": 2, "members": COUNCIL.members, "keys": [hexed(key) for key in MEMBERS[:2]]}), "utf-8"
    )
    parties = {
        "logKey": PARTIES.log_key,
        "agencies": {hexed(AGENCY): PARTIES.agencies[AGENCY]},
        "operators": {hexed(OPERATOR): PARTIES.operators[OPERATOR]},
        "auditors": list(PARTIES.auditors),
        "authorities": list(PARTIES.authorities),
    }
    (tmp_path / "parties.json").write_text(json.dumps(parties), "utf-8")
    keyfiles.create(tmp_path / "relay.json", "party:relay")
    out = tmp_path / "deployments" / "31337.json"
    command = [
        sys.executable, "-m", "scripts.deploy_contracts", "--rpc", node, "--chain-id", "31337",
        "--council", str(tmp_path / "council.json"), "--parties", str(tmp_path / "parties.json"),
        "--relay-key", str(tmp_path / "relay.json"), "--out", str(out),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    first = out.read_text("utf-8")
    head = rpc(node, "eth_blockNumber")
    assert deploy_contracts.main(command[3:]) == 0
    assert out.read_text("utf-8") == first
    assert rpc(node, "eth_blockNumber") == head
    chain = Web3Chain(node, read_deployment(first, ARTIFACTS), None)
    assert chain.read("RightsRegistry", "agency", AGENCY) == (PARTIES.agencies[AGENCY], False)
    parties["agencies"] = {hexed(AGENCY): PARTIES.log_key}
    (tmp_path / "parties.json").write_text(json.dumps(parties), "utf-8")
    assert deploy_contracts.main(command[3:]) == 1


def test_codes__acts_of_the_script__are_those_of_the_table() -> None:
    assert json.loads((ROOT / "contracts" / "codes.json").read_text("utf-8"))["councilActs"] == ACTS
