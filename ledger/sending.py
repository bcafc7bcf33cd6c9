"""One transaction at a time gets into a block, whatever the node does with it, and has one effect at most.

The nonce is the lock: every attempt at one call carries the lowest nonce the chain has not used, so of all attempts,
ours and those of a life before this one, at most one is mined. The loop knows four troubles:

* *stuck* (the node has it, no block takes it): the same call under the same nonce at a price an eighth higher, up to a
  cap; at the cap (or where gas is free) the same bytes again;
* *dropped* (the node does not know it any more): the same bytes again;
* *left over* (a transaction from before a restart holds the nonce): waited for; if it is stuck, outbid;
* *overtaken* (the nonce went to another transaction of ours): estimated and sent anew under the next nonce. If that
  other one had the same effect, the contract refuses the estimate and the caller looks at the chain again.

Any attempt that is mined counts. A receipt that disappears (a reorganisation) is waited for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.chain import Desk, Pending
from ledger.errors import ChainError, ChainUnavailable, NodeRefused

ALREADY_THERE: Final = ("already known", "already imported", "known transaction", "alreadyknown", "already in")
NONCE_USED: Final = ("nonce too low", "nonce is too low", "nonce too small")
UNDERPRICED: Final = ("underpriced",)
FIRST_PAUSE, LONGEST_PAUSE = 10, 500
"""Milliseconds between two looks for the receipt; each pause is twice the one before."""
LOOKS: Final = 3
"""So often the nonce must be seen used without a receipt of ours: a node may count before it shows receipts."""
HANDINGS: Final = 3
"""So often a transaction is handed over when the node's answer was lost."""


class Rpc(Protocol):
    """One JSON-RPC call. Raises NodeRefused, ChainUnavailable; a read is tried again on a reset connection."""

    def __call__(self, method: str, params: Sequence[Any], *, again: bool = True) -> Any: ...


Sign = Callable[[Mapping[str, Any]], tuple[str, str]]
"""Signs a legacy transaction: (hash, raw bytes), both 0x hex."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Prices in wei, times in seconds: what a transaction costs at first and at most, after how long it is replaced,
    how long its caller waits, and how many blocks deep (its own counted) a receipt must be."""

    price: int = 0
    price_cap: int = 0
    replace_after: int = 15
    give_up_after: int = 60
    confirmations: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done on the chain: names for messages, the unsigned call, its gas, and the words of a refusal."""

    contract: str
    function: str
    call: Mapping[str, str]
    gas: Callable[[], int]
    refused: Callable[[NodeRefused], ChainError]


@dataclass(frozen=True, slots=True)
class _Attempt:
    tx: str
    raw: str
    price: int


class Sender:
    """Sends from one address. Not for several threads at once."""

    def __init__(self, rpc: Rpc, sign: Sign, address: str, chain_id: int, policy: Policy, desk: Desk) -> None:
        self._rpc, self._sign, self._desk = rpc, sign, desk
        self._address, self._chain_id, self._policy = address, chain_id, policy

    def send(self, order: Order) -> dict[str, Any]:
        """The receipt of the one attempt that was mined, of whatever status, once it is deep enough.

        Raises ChainUnavailable when nothing was mined in time (it still may be: read before sending again), what the
        desk raises, and `order.refused` of a node that executes before it answers.
        """
        end = time.monotonic() + self._policy.give_up_after
        while time.monotonic() < end:
            receipt = self._under_one_nonce(order, end)
            if receipt is not None:
                return receipt
        raise self._late(order, "")

    def _under_one_nonce(self, order: Order, end: float) -> dict[str, Any] | None:
        """The receipt, or None when none of these attempts can be mined any more or soon: the nonce went to another
        transaction, or the chain forgot the ones before it."""
        gas, nonce = order.gas(), self._count("latest")
        attempts = [self._attempt(order, nonce, gas, self._policy.price)]
        self._offer(order, attempts[0], first=True)
        begun = offered = time.monotonic()
        used, pause = 0, FIRST_PAUSE
        while time.monotonic() < end:
            receipt = self._receipt(attempts)
            if receipt is not None:
                if self._deep(receipt):
                    self._desk.waits(None)
                    return receipt
            elif self._count("latest") != nonce:  # used by another, or the chain went back behind it
                used += 1
                if used == LOOKS:
                    self._desk.waits(None)
                    return None
            elif time.monotonic() - offered >= self._policy.replace_after:
                self._again(order, attempts, nonce, gas)
                offered, pause = time.monotonic(), FIRST_PAUSE
            waited = int(time.monotonic() - begun)
            names = (self._address, order.contract, order.function, nonce)
            self._desk.waits(Pending(*names, attempts[-1].tx, len(attempts) - 1, waited))
            time.sleep(pause / 1_000)
            pause = min(pause * 2, LONGEST_PAUSE)
        raise self._late(order, attempts[-1].tx)

    def _again(self, order: Order, attempts: list[_Attempt], nonce: int, gas: int) -> None:
        """Sends again what was dropped, outbids what is stuck. A refusal changes nothing: the attempts before stand."""
        last = attempts[-1]
        if self._known(last.tx):
            dearer = self._dearer(last.price)
            if dearer is None:
                self._offer(order, last, first=False)
                return
        else:
            accepted = self._offer(order, last, first=False)
            dearer = None if accepted else self._dearer(last.price)
            if dearer is None:
                return
        attempts.append(self._attempt(order, nonce, gas, dearer))
        self._offer(order, attempts[-1], first=False)

    def _offer(self, order: Order, attempt: _Attempt, *, first: bool) -> bool:
        """Hands the bytes to the node; False if it wants a higher price for this nonce."""
        failure: ChainError | None = None
        for _ in range(HANDINGS):
            self._desk.may_send()
            try:
                self._rpc("eth_sendRawTransaction", [attempt.raw], again=False)
                return True
            except NodeRefused as error:
                if mentions(error, (*ALREADY_THERE, *NONCE_USED)) or self._known(attempt.tx):
                    return True
                if mentions(error, UNDERPRICED):
                    return False
                if first:
                    raise order.refused(error) from error
                return True
            except ChainUnavailable as error:
                if self._known(attempt.tx):
                    return True
                failure = error
        if first:
            raise ChainUnavailable(
                f"{order.contract}.{order.function} 未能送达节点：{failure}。"
                f" / {order.contract}.{order.function} could not be handed to the node: {failure}."
            )
        return True

    def _attempt(self, order: Order, nonce: int, gas: int, price: int) -> _Attempt:
        tx, raw = self._sign(
            {
                "nonce": nonce,
                "gasPrice": price,
                "gas": gas,
                "to": order.call.get("to", b""),
                "value": 0,
                "data": order.call["data"],
                "chainId": self._chain_id,
            }
        )
        return _Attempt(tx, raw, price)

    def _dearer(self, price: int) -> int | None:
        """An eighth more (nodes ask for a tenth), or None where the cap forbids it."""
        higher = price + max(1, -(-price // 8))
        return higher if higher <= self._policy.price_cap else None

    def _count(self, at: str) -> int:
        return int(self._rpc("eth_getTransactionCount", [self._address, at]), 16)

    def _receipt(self, attempts: Sequence[_Attempt]) -> dict[str, Any] | None:
        for attempt in reversed(attempts):
            receipt: dict[str, Any] | None = self._rpc("eth_getTransactionReceipt", [attempt.tx])
            if receipt is not None and receipt.get("blockNumber") is not None:
                return receipt
        return None

    def _deep(self, receipt: Mapping[str, Any]) -> bool:
        if self._policy.confirmations == 1:
            return True
        depth = 1 + int(self._rpc("eth_blockNumber", []), 16) - int(receipt["blockNumber"], 16)
        return depth >= self._policy.confirmations

    def _known(self, tx: str) -> bool:
        for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            try:
                if self._rpc(method, [tx]) is not None:
                    return True
            except (NodeRefused, ChainUnavailable):
                continue
        return False

    def _late(self, order: Order, tx: str) -> ChainUnavailable:
        seconds = self._policy.give_up_after
        return ChainUnavailable(
            f"{order.contract}.{order.function} 的交易 {tx} 在 {seconds} 秒内未确认，可能稍后入块，重发前请先读取合约。"
            f" / The transaction {tx} of {order.contract}.{order.function} was not confirmed within {seconds} s;"
            " it may be later, so read before sending again."
        )


def mentions(error: NodeRefused, words: Sequence[str]) -> bool:
    """Does the node's message contain one of these words?"""
    return any(word in error.message.lower() for word in words)
