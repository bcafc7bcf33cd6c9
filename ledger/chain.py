"""The chain as the ledger sees it: call, read, receipt, event; and a chain in memory for unit tests.

Values cross this seam as plain Python: bytesN as bytes, addresses as checksummed 0x text, integers, a struct as a tuple
on the way in and as a dict by field name on the way out. Instants are seconds UTC whatever the chain counts in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from eth_hash.auto import keccak

from ledger import eip712
from ledger.errors import BadSignature, ChainError, FieldError, TransactionReverted, WrongChain

MEMORY_CHAIN_ID: Final = 0
"""No real chain has id 0, so a receipt of the chain in memory says by itself that nothing was published."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract's function that is to be sent as a transaction."""

    contract: str
    function: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block a node knows: number, hash (0x hex) and time in seconds."""

    number: int
    hash: str
    time: int


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """One event a contract emitted. `args` by name; place = (block, tx, log_index); `block_hash` 0x hex."""

    contract: str
    name: str
    args: Mapping[str, Any]
    block: int
    tx: str
    log_index: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class ChainReceipt:
    """Proof that a transaction was executed and succeeded: it cannot be built from any status but 1.

    `time` is the block's, in seconds; `events` are those of the called contract.
    """

    chain_id: int
    contract: str
    function: str
    address: str
    tx: str
    block: int
    block_hash: str
    time: int
    gas_used: int
    status: int
    events: tuple[ChainEvent, ...] = ()

    def __post_init__(self) -> None:
        if self.status != 1:
            raise ChainError(
                f"交易 {self.tx} 未成功（status {self.status}），不得生成回执。"
                f" / Transaction {self.tx} has status {self.status}; only status 1 gives a receipt."
            )


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where our contracts stand on one chain.

    `artifacts` is the folder with <Name>.json; `time_unit` the chain's clock units per second (1 or 1000);
    `first_block` where searching for events starts; `code_hashes` (keccak256, 0x hex) are compared at start if given.
    """

    chain_id: int
    addresses: Mapping[str, str]
    artifacts: Path
    time_unit: int = 1
    first_block: int = 0
    code_hashes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of contracts/deployments/<chain_id>.json (the artifacts folder is not part of it)."""
        return (
            json.dumps(
                {
                    "chainId": self.chain_id,
                    "timeUnit": self.time_unit,
                    "firstBlock": self.first_block,
                    "addresses": dict(self.addresses),
                    "codeHashes": dict(self.code_hashes),
                },
                indent=1,
                sort_keys=True,
            )
            + "\n"
        )


def read_deployment(text: str, artifacts: Path) -> Deployment:
    """The deployment written by `Deployment.to_json`. Raises FieldError naming the part that is missing or wrong."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise FieldError("deployment", "JSON", text[:40]) from error
    if not isinstance(value, dict):
        raise FieldError("deployment", "JSON object", type(value).__name__)
    for name, kind in (("chainId", int), ("timeUnit", int), ("firstBlock", int), ("addresses", dict)):
        if not isinstance(value.get(name), kind):
            raise FieldError(name, kind.__name__, repr(value.get(name)))
    return Deployment(
        chain_id=value["chainId"],
        addresses={name: eip712.to_checksum(address) for name, address in value["addresses"].items()},
        artifacts=artifacts,
        time_unit=value["timeUnit"],
        first_block=value["firstBlock"],
        code_hashes=dict(value.get("codeHashes", {})),
    )


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction that is sent and not mined yet: the newest one under its nonce, how often it took the place of
    an earlier one, and for how many seconds its caller has waited."""

    sender: str
    contract: str
    function: str
    nonce: int
    tx: str
    replacements: int
    seconds: int


class Desk(Protocol):
    """Who stands behind a sender: asked before anything leaves, told while something waits."""

    def may_send(self) -> None:
        """Raises if this process must not send any more (`NotLeader`)."""

    def waits(self, pending: Pending | None) -> None:
        """This transaction waits for its block; None: it waits no longer. Raises to have the waiting given up."""


class OpenDesk:
    """Anybody may send, and nobody looks: for a process that is alone."""

    def may_send(self) -> None:
        """Always."""

    def waits(self, pending: Pending | None) -> None:
        """Nobody wants to know."""


class Chain(Protocol):
    """What the ledger needs of a chain. All errors are ChainError's."""

    @property
    def chain_id(self) -> int:
        """EIP-155 id of the chain."""

    def head(self) -> Head:
        """The newest block."""

    def next_time(self) -> int:
        """The time a transaction sent now will meet, seconds UTC, as far as the node says; never before the newest
        block's, which is old where nothing was written for long."""

    def address(self, contract: str) -> str:
        """Checksummed address of the contract. Raises WrongChain if it is not deployed here."""

    def code_hash(self, contract: str) -> str:
        """keccak256 of the contract's code on the chain, 0x hex."""

    def check(self) -> None:
        """Raises WrongChain unless the chain and every contract of the deployment are those expected."""

    def block_hash(self, number: int) -> str | None:
        """Hash of the block with this number, or None if the chain is not that high. It covers all blocks below."""

    def confirmed(self) -> int:
        """Number of the newest block that is as deep as a receipt must be; below 0 on a chain too young."""

    def read(self, contract: str, function: str, *args: Any) -> Any:
        """The answer of a view function, at the newest block. Raises TransactionReverted, ChainUnavailable."""

    def send(self, call: Call) -> ChainReceipt:
        """Sends the call and waits for its success. Raises TransactionReverted with the contract's error name,
        ChainUnavailable when no answer came in time (the transaction may still be mined: read before resending)."""

    def events(
        self,
        contract: str,
        event: str,
        *,
        first: int | None = None,
        last: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> tuple[ChainEvent, ...]:
        """Events in blocks first..last (both included; default: since deployment, up to the head), in order;
        `where` fixes indexed arguments by name."""


# --- a chain in memory: unit tests only --------------------------------------------------------------------------


class Refused(Exception):
    """A model contract reverts: name and arguments of the custom error."""

    def __init__(self, error: str, arguments: tuple[Any, ...] = ()) -> None:
        self.error, self.arguments = error, arguments
        super().__init__(error, arguments)


Emitted = Iterable[tuple[str, Mapping[str, Any]]]
"""Events as (name, arguments) that a model's function returns."""


class Model(Protocol):
    """A contract in memory: the functions that write and the ones that only read, by their Solidity names.

    A writing function gets (domain, now, *args), changes the model and returns its events, or raises Refused before
    changing anything.
    """

    @property
    def writes(self) -> Mapping[str, Callable[..., Emitted]]:
        """Writing functions by name."""

    @property
    def reads(self) -> Mapping[str, Callable[..., Any]]:
        """View functions by name."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of the chain in memory."""

    blocks: tuple[str, ...]
    events: tuple[ChainEvent, ...]
    states: Mapping[str, Mapping[str, Any]]


class MemoryChain:
    """A chain in memory for unit tests (decisions D45). Its id is 0 and stands in every receipt.

    Each call is one block; the clock stands where the test puts it. `snapshot` and `revert` play a node that comes
    back with an older state: blocks made afterwards have other hashes. `lost` plays a chain without our contracts.
    """

    def __init__(self, models: Mapping[str, Model], *, now: int, desk: Desk | None = None) -> None:
        self._models = dict(models)
        self._events: list[ChainEvent] = []
        self._blocks = [_block_hash("", 0)]
        self._branch = 0
        self._desk = desk or OpenDesk()
        self.now = now
        self.lost = False

    def snapshot(self) -> Snapshot:
        """The state of chain and models, to `revert` to."""
        states = {name: deepcopy(vars(model)) for name, model in self._models.items()}
        return Snapshot(tuple(self._blocks), tuple(self._events), states)

    def revert(self, to: Snapshot) -> None:
        """Forgets everything since the snapshot."""
        self._blocks, self._events = list(to.blocks), list(to.events)
        self._branch += 1
        for name, model in self._models.items():
            vars(model).clear()
            vars(model).update(deepcopy(to.states[name]))

    @property
    def chain_id(self) -> int:
        return MEMORY_CHAIN_ID

    def head(self) -> Head:
        return Head(self._height, self._blocks[-1], self.now)

    def next_time(self) -> int:
        return self.now

    def check(self) -> None:
        if self.lost:
            raise WrongChain("链上没有合约。 / The contracts are not on the chain.")

    def block_hash(self, number: int) -> str | None:
        return self._blocks[number] if 0 <= number <= self._height else None

    def confirmed(self) -> int:
        return self._height

    @property
    def _height(self) -> int:
        return len(self._blocks) - 1

    def address(self, contract: str) -> str:
        self._model(contract)
        return eip712.to_checksum("0x" + keccak(contract.encode())[12:].hex())

    def code_hash(self, contract: str) -> str:
        self._model(contract)
        return "0x" + keccak(b"memory:" + contract.encode()).hex()

    def read(self, contract: str, function: str, *args: Any) -> Any:
        reads = self._model(contract).reads
        if function not in reads:
            raise ChainError(f"合约 {contract} 没有读函数 {function}。 / {contract} has no view function {function}.")
        return reads[function](*args)

    def send(self, call: Call) -> ChainReceipt:
        writes = self._model(call.contract).writes
        if call.function not in writes:
            raise ChainError(
                f"合约 {call.contract} 没有函数 {call.function}。 / {call.contract} has no {call.function}."
            )
        domain = {"chain_id": MEMORY_CHAIN_ID, "address": self.address(call.contract)}
        try:
            emitted = list(writes[call.function](domain, self.now, *call.args))
        except Refused as refused:
            raise TransactionReverted(call.contract, call.function, refused.error, refused.arguments) from None
        self._desk.may_send()
        self._blocks.append(_block_hash(self._blocks[-1], self._branch))
        tx = "0x" + keccak(b"memory-tx:" + self._blocks[-1].encode()).hex()
        events = tuple(
            ChainEvent(call.contract, name, dict(args), self._height, tx, position, self._blocks[-1])
            for position, (name, args) in enumerate(emitted)
        )
        self._events.extend(events)
        return ChainReceipt(
            chain_id=MEMORY_CHAIN_ID,
            contract=call.contract,
            function=call.function,
            address=self.address(call.contract),
            tx=tx,
            block=self._height,
            block_hash=self._blocks[-1],
            time=self.now,
            gas_used=0,
            status=1,
            events=events,
        )

    def events(
        self,
        contract: str,
        event: str,
        *,
        first: int | None = None,
        last: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> tuple[ChainEvent, ...]:
        self._model(contract)
        return tuple(
            found
            for found in self._events
            if (found.contract, found.name) == (contract, event)
            and (first or 0) <= found.block <= (self._height if last is None else last)
            and all(found.args[name] == value for name, value in (where or {}).items())
        )

    def _model(self, contract: str) -> Model:
        self.check()
        if contract not in self._models:
            raise ChainError(f"链上没有合约 {contract}。 / There is no contract {contract} on this chain.")
        return self._models[contract]


def _block_hash(parent: str, branch: int) -> str:
    return "0x" + keccak(f"memory-block:{parent}:{branch}".encode()).hex()


class EvidenceLogModel:
    """EvidenceLog.sol in memory: the same order of checks, the same error names."""

    def __init__(self, log_key: str) -> None:
        self._log_key = log_key
        self._latest = 0
        self._commitments: dict[int, bytes] = {}

    @property
    def writes(self) -> Mapping[str, Callable[..., Emitted]]:
        return {"anchor": self._anchor}

    @property
    def reads(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "latestSize": lambda: self._latest,
            "commitmentAt": lambda size: self._commitments.get(size, bytes(32)),
            "logKey": lambda: self._log_key,
        }

    def _anchor(
        self,
        domain: Mapping[str, Any],
        now: int,
        size: int,
        sha256_root: bytes,
        sm3_root: bytes,
        time: int,
        signature: bytes,
    ) -> Emitted:
        if not (size and any(sha256_root) and any(sm3_root) and time):
            raise Refused("HeadIncomplete")
        head = {"size": size, "sha256Root": sha256_root, "sm3Root": sm3_root, "time": time}
        digest = eip712.digest_of("EvidenceLog", domain["chain_id"], domain["address"], "Head", head)
        try:
            signer = eip712.recover(digest, signature)
        except BadSignature:
            signer = ""
        if signer != self._log_key:
            raise Refused("InvalidSignature", (self._log_key,))
        offered = head_commitment(size, sha256_root, sm3_root, time)
        if size <= self._latest:
            committed = self._commitments.get(size)
            if committed == offered:
                raise Refused("AlreadyAnchored", (size,))
            if committed is not None:
                raise Refused("ForkedHead", (size, committed, offered))
            raise Refused("SizeNotGrowing", (size, self._latest))
        self._latest = size
        self._commitments[size] = offered
        return [("Anchored", head)]


def head_commitment(size: int, sha256_root: bytes, sm3_root: bytes, time: int) -> bytes:
    """The word EvidenceLog keeps of a head."""
    return eip712.commitment(("uint64", "bytes32", "bytes32", "uint64"), (size, sha256_root, sm3_root, time))
