"""One transaction gets into a block once, whatever the node does: a real node that mines only when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_account import Account

from ledger import eip712
from ledger.chain import Call, ChainReceipt, Deployment, Pending
from ledger.errors import ChainUnavailable, NodeRefused, NotLeader, TransactionReverted
from ledger.sending import Policy
from ledger.web3_chain import Web3Chain
from scripts.deploy_contracts import ARTIFACTS
from tests.chain_fixture import anvil, rpc
from tests.ledger.test_chain import LOG, MEMBERS, NOW, anchor

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil(timestamp=NOW) as url:
        yield url


class Desk:
    """Remembers what waited; may forbid sending."""

    def __init__(self) -> None:
        self.seen: list[Pending] = []
        self.open = True

    def may_send(self) -> None:
        if not self.open:
            raise NotLeader("publisher", "another")

    def waits(self, pending: Pending | None) -> None:
        if pending is not None:
            self.seen.append(pending)

    @property
    def tx(self) -> str:
        return self.seen[-1].tx


class Bench:
    """A node that mines on command, an EvidenceLog on it, and a relay with a key and funds of its own."""

    def __init__(self, url: str) -> None:
        self.url, self.relay = url, eip712.new_key()
        self.address = eip712.address_of(self.relay)
        rpc(url, "anvil_setBalance", self.address, hex(10**20))
        chain = Web3Chain(url, Deployment(31337, {}, ARTIFACTS), self.relay)
        chain.deploy("EvidenceLog", list(map(eip712.address_of, MEMBERS)), 2, 1, eip712.address_of(LOG))
        self.deployment = chain.deployment
        rpc(url, "evm_setAutomine", False)

    def chain(self, desk: Desk | None = None, **policy: int) -> Web3Chain:
        return Web3Chain(self.url, self.deployment, self.relay, policy=Policy(**policy), desk=desk)

    def mine(self, blocks: int = 1) -> None:
        rpc(self.url, "anvil_mine", hex(blocks))

    def known(self, tx: str) -> bool:
        return rpc(self.url, "eth_getTransactionByHash", tx) is not None

    def leave(self, call: Call, price: int = 0) -> str:
        """A transaction of this relay from another life, waiting at the node."""
        chain = self.chain()
        transaction = {
            "nonce": chain.counts()[1], "gasPrice": price, "gas": 300_000, "to": chain.address(call.contract),
            "value": 0, "data": chain._encode(call.contract, call.function, call.args), "chainId": 31337,
        }  # fmt: skip
        signed = Account.sign_transaction(transaction, self.relay)
        return str(rpc(self.url, "eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()))

    def sizes(self) -> list[int]:
        return [event.args["size"] for event in self.chain().events("EvidenceLog", "Anchored")]


@pytest.fixture
def bench(node: str) -> Iterator[Bench]:
    made = Bench(node)
    yield made
    rpc(node, "anvil_dropAllTransactions")
    rpc(node, "evm_setAutomine", True)


class Sending:
    """`chain.send(call)` in a thread of its own."""

    def __init__(self, chain: Web3Chain, call: Call) -> None:
        self._result: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(chain, call))
        self._thread.start()

    def _run(self, chain: Web3Chain, call: Call) -> None:
        try:
            self._result.append(chain.send(call))
        except Exception as error:
            self._result.append(error)

    def receipt(self) -> ChainReceipt:
        self._thread.join(30)
        assert not self._thread.is_alive()
        if isinstance(self._result[0], Exception):
            raise self._result[0]
        return self._result[0]  # type: ignore[no-any-return]


def until(holds: Callable[[], bool], seconds: int = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not come to pass"
        time.sleep(0.01)


def test_stuck__outbid_under_the_same_nonce_by_an_eighth_up_to_the_cap(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=102, replace_after=1)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen) and desk.seen[-1].replacements == 2)
    until(lambda: bench.known(desk.tx))
    bench.mine()
    receipt = sending.receipt()
    assert receipt.tx == desk.tx
    mined = rpc(bench.url, "eth_getTransactionByHash", receipt.tx)
    assert int(mined["gasPrice"], 16) == 102, "80, 90, then 102: an eighth more each time"  # type: ignore[index]
    assert len({pending.nonce for pending in desk.seen}) == 1
    assert bench.sizes() == [7]


def test_stuck__where_gas_is_free_or_the_cap_is_reached__the_same_bytes_again(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, replace_after=1)
    sent: list[str] = []
    told(chain, lambda method, params: sent.append(params[0]) if method == "eth_sendRawTransaction" else None)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: len(sent) == 3)
    assert len(set(sent)) == 1
    assert desk.seen[-1].replacements == 0
    bench.mine()
    sending.receipt()
    assert bench.sizes() == [7]


def test_dropped__sent_again(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=1_000, replace_after=1)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    first = desk.tx
    rpc(bench.url, "anvil_dropTransaction", first)
    assert not bench.known(first)
    until(lambda: bench.known(first))
    assert desk.seen[-1].replacements == 0, "a dropped transaction need not become dearer"
    bench.mine()
    assert sending.receipt().tx == first


def test_replaced__the_earlier_attempt_is_mined__counts(bench: Bench) -> None:
    """The dearer attempt never reaches the node, as when the miner is another node that did not hear of it."""
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=1_000, replace_after=1)
    sent: list[str] = []

    def swallow(method: str, params: Any) -> str | None:
        if method != "eth_sendRawTransaction":
            return None
        sent.append(params[0])
        return "0x" + "00" * 32 if len(sent) > 1 else None

    told(chain, swallow)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: len(sent) == 2)
    until(lambda: desk.seen[-1].replacements == 1)
    bench.mine()
    assert sending.receipt().tx == desk.seen[0].tx != desk.tx
    assert bench.sizes() == [7]


def told(chain: Web3Chain, answer: Callable[[str, Any], str | None]) -> None:
    """Looks at every call of the sender; what `answer` returns is answered in the node's place."""
    ask = chain._outgoing._rpc

    def look(method: str, params: Any, *, again: bool = True) -> Any:
        instead = answer(method, params)
        return ask(method, params, again=again) if instead is None else instead

    chain._outgoing._rpc = look


def test_left_over_from_another_life__waited_for_then_the_next_nonce(bench: Bench) -> None:
    left = bench.leave(anchor(bench.chain(), 5))
    desk = Desk()
    chain = bench.chain(desk, replace_after=1)
    assert chain.counts() == (1, 2)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    assert bench.known(left)
    bench.mine()
    until(lambda: desk.seen[-1].nonce == 2)
    bench.mine()
    sending.receipt()
    assert bench.sizes() == [5, 7]


def test_left_over_with_the_same_effect__mined__refused_by_name_and_once_on_the_chain(bench: Bench) -> None:
    left = bench.leave(anchor(bench.chain(), 7))
    desk = Desk()
    chain = bench.chain(desk, replace_after=1)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    assert bench.known(left)
    bench.mine()
    with pytest.raises(TransactionReverted, match="AlreadyAnchored"):
        sending.receipt()
    assert bench.sizes() == [7]


def test_left_over_that_is_stuck__outbid(bench: Bench) -> None:
    left = bench.leave(anchor(bench.chain(), 5), price=100)
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=1_000, replace_after=1)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: not bench.known(left))
    bench.mine()
    sending.receipt()
    assert bench.sizes() == [7]
    assert chain.counts() == (2, 2)


def test_not_mined_in_time__unavailable_and_a_second_try_has_one_effect(bench: Bench) -> None:
    chain = bench.chain(give_up_after=1)
    with pytest.raises(ChainUnavailable, match="not confirmed within 1 s"):
        chain.send(anchor(chain, 7))
    desk = Desk()
    again = bench.chain(desk)
    sending = Sending(again, anchor(again, 7))
    until(lambda: bool(desk.seen))
    bench.mine(3)
    sending.receipt()
    assert bench.sizes() == [7]


def test_desk__forbids__nothing_leaves(bench: Bench) -> None:
    desk = Desk()
    desk.open = False
    chain = bench.chain(desk)
    with pytest.raises(NotLeader):
        chain.send(anchor(chain, 7))
    assert chain.counts() == (1, 1)


def test_desk__forbids_later__no_replacement_leaves(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=1_000, replace_after=1)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    desk.open = False
    with pytest.raises(NotLeader):
        sending.receipt()
    assert bench.known(desk.seen[0].tx)


def test_confirmations__receipt_when_deep_enough__events_too(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, confirmations=3)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    bench.mine()
    place = chain.head().number
    assert chain.confirmed() == place - 2
    assert len(chain.events("EvidenceLog", "Anchored")) == 1
    assert chain.events("EvidenceLog", "Anchored", last=chain.confirmed()) == ()
    bench.mine(1)
    looks = len(desk.seen)
    until(lambda: len(desk.seen) > looks + 1)
    bench.mine(1)
    assert sending.receipt().block == place
    assert len(chain.events("EvidenceLog", "Anchored", last=chain.confirmed())) == 1


def test_block_taken_away_while_waiting_to_be_confirmed__sent_again(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, confirmations=3, replace_after=1)
    before = rpc(bench.url, "evm_snapshot")
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: bool(desk.seen))
    bench.mine()
    looks = len(desk.seen)
    until(lambda: len(desk.seen) > looks)
    rpc(bench.url, "evm_revert", before)
    assert bench.sizes() == []
    rpc(bench.url, "anvil_dropAllTransactions")
    until(lambda: bench.known(desk.tx))
    bench.mine(3)
    sending.receipt()
    assert bench.sizes() == [7]


def test_refusal_of_a_replacement__the_first_attempt_stands(bench: Bench) -> None:
    desk = Desk()
    chain = bench.chain(desk, price=80, price_cap=1_000, replace_after=1)
    sent: list[str] = []

    def poor(method: str, params: Any) -> str | None:
        if method == "eth_sendRawTransaction":
            sent.append(params[0])
            if len(sent) > 1:
                raise NodeRefused("insufficient funds for gas * price + value", None)
        return None

    told(chain, poor)
    sending = Sending(chain, anchor(chain, 7))
    until(lambda: len(sent) == 3)
    bench.mine()
    assert sending.receipt().tx == desk.seen[0].tx


def test_address_without_code__a_call_that_does_nothing_is_no_success(bench: Bench) -> None:
    """The contract is taken away between the estimate and the block: the node would answer status 1."""
    rpc(bench.url, "evm_setAutomine", True)
    chain = bench.chain()
    rpc(bench.url, "anvil_setCode", chain.address("EvidenceLog"), "0x")
    with pytest.raises(Exception, match="no code of EvidenceLog"):
        chain.send(anchor(chain, 7))
    with pytest.raises(Exception, match="no code of EvidenceLog"):
        chain.read("EvidenceLog", "latestSize")
