"""The chain over JSON-RPC: the only importer of web3 and eth_account.

Keeps to what every EVM network answers alike: legacy transactions with explicit gas, price, nonce and chain id;
eth_sendRawTransaction only; reads at `latest`; events by eth_getLogs in bounded ranges; no filters, no
subscriptions, no node-held keys. A timeout stands on every call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import requests
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_hash.auto import keccak
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint

from ledger import eip712
from ledger.chain import Call, ChainEvent, ChainReceipt, Deployment, Desk, Head, OpenDesk
from ledger.errors import ChainError, ChainUnavailable, NodeRefused, TransactionReverted, WrongChain
from ledger.sending import Order, Policy, Sender, mentions

DEVELOPMENT_CHAIN: Final = 31337
LOG_RANGE: Final = 2000
"""Blocks asked for in one eth_getLogs."""
GAS_MARGIN: Final = (5, 4)
"""Estimates are multiplied by 5/4: the state may move between estimate and block."""

# The accounts every anvil shows on its screen (mnemonic "test test ... junk").
_KNOWN_TO_ALL: Final = frozenset(
    {
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
        "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
    }
)
# Code that returns keccak256 of nothing, run by eth_call before any contract of ours stands on the chain.
_KECCAK_PROBE: Final = "0x600060002060005260206000f3"


class Web3Chain:
    """A chain behind a JSON-RPC address.

    `relay_private_key` (32 bytes) only pays and orders; None makes a reader that cannot send. `policy` says what a
    transaction may cost and when it is replaced or confirmed (`ledger.sending`), `desk` who must agree before anything
    is sent; `timeout` seconds for one RPC answer, `gas_cap` the most gas one transaction may ask for.
    Raises WrongChain at once when the node is another chain, computes another keccak256, lacks one of the contracts or
    counts time differently, and when a key that everybody knows would be used outside a development chain.
    """

    def __init__(
        self,
        rpc_url: str,
        deployment: Deployment,
        relay_private_key: bytes | None,
        *,
        policy: Policy | None = None,
        desk: Desk | None = None,
        timeout: int = 10,
        gas_cap: int = 30_000_000,
    ) -> None:
        self._provider = HTTPProvider(rpc_url, {"timeout": timeout}, exception_retry_configuration=None)
        self._web3 = Web3(self._provider)
        self._web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._rpc_url = rpc_url
        self._deployment = deployment
        self._key = relay_private_key
        self._sender = eip712.address_of(relay_private_key) if relay_private_key is not None else ""
        self._policy, self._gas_cap = policy or Policy(), gas_cap
        self._outgoing = Sender(
            self._rpc, self._sign, self._sender, deployment.chain_id, self._policy, desk or OpenDesk()
        )
        self._sending = threading.Lock()
        self._abis: dict[str, list[dict[str, Any]]] = {}
        self._contracts: dict[str, Contract] = {}
        for name, address in deployment.addresses.items():
            self._attach(name, address)
        self.check()

    # --- what the node is ---

    @property
    def chain_id(self) -> int:
        return self._deployment.chain_id

    @property
    def deployment(self) -> Deployment:
        """The deployment as it stands, with what `deploy` has added."""
        return self._deployment

    @property
    def relay_address(self) -> str:
        """The address that pays, or "" for a reader."""
        return self._sender

    def head(self) -> Head:
        return self._block("latest")

    def next_time(self) -> int:
        newest = self.head().time
        try:
            block = self._rpc("eth_getBlockByNumber", ["pending", False])
        except NodeRefused:  # a node that makes no pending block
            return newest
        return max(newest, int(block["timestamp"], 16) // self._deployment.time_unit) if block else newest

    def address(self, contract: str) -> str:
        return str(self._contract(contract).address)

    def check(self) -> None:
        self._check_chain()
        self._check_contracts()

    def block_hash(self, number: int) -> str | None:
        block: dict[str, Any] | None = self._rpc("eth_getBlockByNumber", [hex(number), False])
        return block["hash"] if block is not None else None

    def confirmed(self) -> int:
        return self.head().number - self._policy.confirmations + 1

    def counts(self) -> tuple[int, int]:
        """How many transactions of the relay are mined, and how many with those that wait at the node."""
        mined, all_ = (
            int(self._rpc("eth_getTransactionCount", [self._sender, at]), 16) for at in ("latest", "pending")
        )
        return mined, all_

    def code_hash(self, contract: str) -> str:
        code = self._rpc("eth_getCode", [self.address(contract), "latest"])
        return "0x" + keccak(bytes.fromhex(code[2:])).hex()

    # --- reading ---

    def read(self, contract: str, function: str, *args: Any) -> Any:
        target = self._contract(contract)
        data = self._encode(contract, function, args)
        try:
            answer = self._rpc("eth_call", [{"to": target.address, "data": data}, "latest"])
        except NodeRefused as error:
            raise self._reverted(contract, function, error) from error
        if answer in ("0x", ""):
            self._check_code()  # nothing answers at an address without code
        outputs = self._function_abi(contract, function)["outputs"]
        try:
            values = decode([_type(output) for output in outputs], bytes.fromhex(answer[2:]))
        except DecodingError as error:
            raise ChainError(
                f"{contract}.{function} 的返回值无法解码：{answer[:80]}。 / Answer of {contract}.{function} unreadable."
            ) from error
        shaped = tuple(_shape(output, value) for output, value in zip(outputs, values, strict=True))
        return shaped[0] if len(shaped) == 1 else shaped

    def events(
        self,
        contract: str,
        event: str,
        *,
        first: int | None = None,
        last: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> tuple[ChainEvent, ...]:
        abi = self._event_abi(contract, event)
        topics: list[str | None] = ["0x" + keccak(_signature(abi).encode()).hex()]
        for item in abi["inputs"]:
            if item["indexed"]:
                fixed = (where or {}).get(item["name"])
                topics.append(None if fixed is None else "0x" + encode([_type(item)], [fixed]).hex())
        unknown = set(where or {}) - {item["name"] for item in abi["inputs"] if item["indexed"]}
        if unknown:
            raise ChainError(f"事件 {event} 没有索引参数 {sorted(unknown)}。 / {event} has no such indexed argument.")
        found: list[ChainEvent] = []
        start = self._deployment.first_block if first is None else first
        end = self.head().number if last is None else last
        for low in range(start, end + 1, LOG_RANGE):
            query = {
                "address": self.address(contract),
                "topics": topics,
                "fromBlock": hex(low),
                "toBlock": hex(min(low + LOG_RANGE - 1, end)),
            }
            found.extend(self._event(contract, log) for log in self._rpc("eth_getLogs", [query]))
        return tuple(found)

    # --- writing ---

    def send(self, call: Call) -> ChainReceipt:
        data = self._encode(call.contract, call.function, call.args)
        receipt = self._transact(call.contract, call.function, self.address(call.contract), data)
        logs = [log for log in receipt["logs"] if eip712.to_checksum(log["address"]) == self.address(call.contract)]
        if not logs:
            self._check_code()  # a call to an address without code succeeds, and does nothing
        return ChainReceipt(
            chain_id=self.chain_id,
            contract=call.contract,
            function=call.function,
            address=self.address(call.contract),
            tx=receipt["transactionHash"],
            block=int(receipt["blockNumber"], 16),
            block_hash=receipt["blockHash"],
            time=self._block(receipt["blockNumber"]).time,
            gas_used=int(receipt["gasUsed"], 16),
            status=int(receipt["status"], 16),
            events=tuple(self._event(call.contract, log) for log in logs),
        )

    def deploy(self, name: str, *args: Any) -> str:
        """Deploys contracts/artifacts/<name>.json with constructor arguments; returns the address from the receipt
        and adds it to the deployment. Raises TransactionReverted when the constructor refuses."""
        artifact = self._artifact(name)
        empty: dict[str, Any] = {"inputs": []}
        constructor = next((item for item in artifact["abi"] if item["type"] == "constructor"), empty)
        self._abis[name] = artifact["abi"]
        arguments = encode([_type(item) for item in constructor["inputs"]], args).hex()
        receipt = self._transact(name, "constructor", None, artifact["bytecode"] + arguments)
        address = eip712.to_checksum(receipt["contractAddress"])
        addresses = {**self._deployment.addresses, name: address}
        block = int(receipt["blockNumber"], 16)
        first = min(self._deployment.first_block, block) if self._deployment.addresses else block
        self._deployment = replace(self._deployment, addresses=addresses, first_block=first)
        self._attach(name, address)
        hashes = {**self._deployment.code_hashes, name: self.code_hash(name)}
        self._deployment = replace(self._deployment, code_hashes=hashes)
        self._check_contracts()
        return address

    def _transact(self, contract: str, function: str, to: str | None, data: str) -> dict[str, Any]:
        if self._key is None:
            raise ChainError("此连接只读，没有付费密钥。 / This connection only reads: it has no relay key.")
        bare: dict[str, Any] = {"from": self._sender, "data": data}
        if to is not None:
            bare["to"] = to
        order = Order(
            contract,
            function,
            bare,
            gas=lambda: self._gas(contract, function, bare),
            refused=lambda error: self._reverted(contract, function, error),
        )
        with self._sending:
            receipt = self._outgoing.send(order)
        if int(receipt["status"], 16) != 1:
            raise self._why(contract, function, bare, receipt["transactionHash"])
        return receipt

    def _sign(self, transaction: Mapping[str, Any]) -> tuple[str, str]:
        signed = Account.sign_transaction(dict(transaction), self._key)
        return "0x" + bytes(signed.hash).hex(), "0x" + bytes(signed.raw_transaction).hex()

    def _gas(self, contract: str, function: str, bare: dict[str, Any]) -> int:
        # No block id: old nodes refuse one here.
        call = [{**bare, "gasPrice": hex(self._policy.price)}]
        try:
            estimate = int(self._rpc("eth_estimateGas", call), 16)
        except NodeRefused as error:
            mined, all_ = self.counts()
            if all_ == mined:
                raise self._reverted(contract, function, error) from error
            # The node estimated on top of a transaction of ours that may be stuck and may be this very call.
            try:
                estimate = int(self._rpc("eth_estimateGas", [*call, "latest"]), 16)
            except NodeRefused:
                raise self._reverted(contract, function, error) from error
        gas = estimate * GAS_MARGIN[0] // GAS_MARGIN[1]
        if gas > self._gas_cap:
            raise ChainError(
                f"{contract}.{function} 需要 {gas} gas，超过上限 {self._gas_cap}。"
                f" / {contract}.{function} needs {gas} gas, the cap is {self._gas_cap}."
            )
        return gas

    def _why(self, contract: str, function: str, bare: dict[str, Any], tx: str) -> ChainError:
        """Name of the custom error of a mined but failed transaction, found by running it again."""
        try:
            self._rpc("eth_call", [bare, "latest"])
        except NodeRefused as error:
            return self._reverted(contract, function, error)
        return TransactionReverted(contract, function, "", (tx,))

    # --- errors ---

    def _reverted(self, contract: str, function: str, error: NodeRefused) -> ChainError:
        data = _revert_data(error.data)
        if data is None and not mentions(error, ("revert", "execution", "vm exception", "out of gas")):
            return ChainError(f"节点拒绝 {contract}.{function}：{error.message}。 / The node refused: {error.message}.")
        name, arguments = self._decode_error(contract, data or b"")
        return TransactionReverted(contract, function, name, arguments or ((error.message,) if not name else ()))

    def _decode_error(self, contract: str, data: bytes) -> tuple[str, tuple[Any, ...]]:
        known = [item for item in self._abis.get(contract, []) if item["type"] == "error"]
        builtin = [
            {"name": "Error", "inputs": [{"type": "string", "name": "reason"}]},
            {"name": "Panic", "inputs": [{"type": "uint256", "name": "code"}]},
        ]
        for item in [*known, *builtin]:
            if data[:4] == keccak(_signature(item).encode())[:4]:
                values = decode([_type(field) for field in item["inputs"]], data[4:])
                shaped = (_shape(field, value) for field, value in zip(item["inputs"], values, strict=True))
                return item["name"], tuple(shaped)
        return "", ()

    # --- start-up checks ---

    def _check_chain(self) -> None:
        eip712.self_check()
        actual = int(self._rpc("eth_chainId", []), 16)
        if actual != self.chain_id:
            raise WrongChain(
                f"链编号应为 {self.chain_id}，节点答 {actual}。 / Expected chain {self.chain_id}, the node is {actual}."
            )
        if self._sender in _KNOWN_TO_ALL and self.chain_id != DEVELOPMENT_CHAIN:
            raise WrongChain(
                f"公开的开发密钥 {self._sender} 不得用于链 {self.chain_id}。"
                f" / The key of {self._sender} is known to everybody and refused on chain {self.chain_id}."
            )
        if not self._deployment.addresses:
            self._check_keccak(bytes.fromhex(self._rpc("eth_call", [{"data": _KECCAK_PROBE}, "latest"])[2:]))

    def _check_code(self) -> None:
        for name, address in self._deployment.addresses.items():
            if self._rpc("eth_getCode", [address, "latest"]) in ("0x", "0x0", ""):
                raise WrongChain(
                    f"链上地址 {address} 没有合约 {name}：链可能从部署之前的状态重启。请恢复链的状态，或重新部署并更换"
                    f"部署文件后重启后台任务。 / There is no code of {name} at {address}: the chain may have restarted"
                    " from a state before the deployment. Restore its state, or deploy again, replace the deployment"
                    " file and restart the worker."
                )
            expected = self._deployment.code_hashes.get(name)
            if expected is not None and expected != self.code_hash(name):
                raise WrongChain(
                    f"合约 {name} 的代码与登记不符。 / The code of {name} at {address} is not the one expected."
                )

    def _check_contracts(self) -> None:
        self._check_code()
        for name in self._deployment.addresses:
            self._check_keccak(self.read(name, "keccakOf", b""))
            unit = self.read(name, "timeUnit")
            if unit != self._deployment.time_unit:
                raise WrongChain(
                    f"合约 {name} 的时间单位应为 {self._deployment.time_unit}，实为 {unit}。"
                    f" / timeUnit of {name}: expected {self._deployment.time_unit}, given {unit}."
                )

    def _check_keccak(self, answer: bytes) -> None:
        if answer != eip712.EMPTY_KECCAK:
            raise WrongChain(
                f"链上 keccak256 自检失败，得 {answer.hex()}（国密链不适用本接口）。"
                f" / The chain's keccak256 is another function: {answer.hex()}."
            )

    # --- plumbing ---

    def _rpc(self, method: str, params: Sequence[Any], *, again: bool = True) -> Any:
        """The result of one JSON-RPC call. An idle connection may have been reset, so a read is tried twice."""
        try:
            response = self._provider.make_request(RPCEndpoint(method), list(params))
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if again and not isinstance(error, requests.ConnectTimeout):
                return self._rpc(method, params, again=False)
            raise self._unavailable(method, error) from error
        except (requests.RequestException, Web3Exception, ValueError) as error:
            raise self._unavailable(method, error) from error
        refusal = response.get("error")
        if refusal is None:
            return response.get("result")
        if isinstance(refusal, str):
            raise NodeRefused(refusal, None)
        raise NodeRefused(str(refusal.get("message", "")), refusal.get("data"))

    def _unavailable(self, method: str, error: Exception) -> ChainUnavailable:
        return ChainUnavailable(
            f"节点 {self._rpc_url} 没有应答 {method}：{type(error).__name__}。"
            f" / {self._rpc_url} did not answer {method}: {type(error).__name__}."
        )

    def _block(self, which: str) -> Head:
        # web3's own call here, because its middleware copes with the long extraData of proof-of-authority chains.
        block_id: Any = which if which == "latest" else int(which, 16)
        for attempt in (1, 2):
            try:
                block = self._web3.eth.get_block(block_id)
                break
            except requests.ConnectionError as error:
                if attempt == 2:
                    raise self._unavailable("eth_getBlockByNumber", error) from error
            except (requests.RequestException, Web3Exception, ValueError) as error:
                raise self._unavailable("eth_getBlockByNumber", error) from error
        return Head(
            number=int(block["number"]),
            hash="0x" + bytes(block["hash"]).hex(),
            time=int(block["timestamp"]) // self._deployment.time_unit,
        )

    def _artifact(self, name: str) -> dict[str, Any]:
        path = self._deployment.artifacts / f"{name}.json"
        if not path.is_file():
            raise WrongChain(f"没有合约产物 {name}.json。 / There is no artifact {name}.json.")
        artifact: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return artifact

    def _attach(self, name: str, address: str) -> None:
        if name not in self._abis:
            self._abis[name] = self._artifact(name)["abi"]
        checksummed = Web3.to_checksum_address(address)
        self._contracts[name] = self._web3.eth.contract(address=checksummed, abi=self._abis[name])

    def _contract(self, name: str) -> Contract:
        if name not in self._contracts:
            raise WrongChain(f"链 {self.chain_id} 上没有登记合约 {name}。 / {name} is not deployed on {self.chain_id}.")
        return self._contracts[name]

    def _function_abi(self, contract: str, function: str) -> dict[str, Any]:
        self._contract(contract)
        for item in self._abis[contract]:
            if item["type"] == "function" and item["name"] == function:
                return item
        raise ChainError(f"合约 {contract} 没有函数 {function}。 / {contract} has no function {function}.")

    def _event_abi(self, contract: str, event: str) -> dict[str, Any]:
        self._contract(contract)
        for item in self._abis[contract]:
            if item["type"] == "event" and item["name"] == event:
                return item
        raise ChainError(f"合约 {contract} 没有事件 {event}。 / {contract} has no event {event}.")

    def _encode(self, contract: str, function: str, args: Sequence[Any]) -> str:
        abi = self._function_abi(contract, function)
        types = [_type(item) for item in abi["inputs"]]
        if len(types) != len(args):
            raise ChainError(
                f"{contract}.{function} 需要 {len(types)} 个参数，实为 {len(args)}。"
                f" / {contract}.{function} takes {len(types)} arguments, given {len(args)}."
            )
        try:
            body = encode(types, list(args))
        except Exception as error:  # eth_abi raises many unrelated types for a value that does not fit
            raise ChainError(f"{contract}.{function} 的参数不合类型：{error} / arguments do not fit.") from error
        return "0x" + keccak(_signature(abi).encode())[:4].hex() + body.hex()

    def _event(self, contract: str, log: Mapping[str, Any]) -> ChainEvent:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        for item in self._abis[contract]:
            if item["type"] == "event" and keccak(_signature(item).encode()) == topics[0]:
                break
        else:
            raise WrongChain(f"合约 {contract} 发出未知事件。 / {contract} emitted an event that is not in its ABI.")
        indexed = [field for field in item["inputs"] if field["indexed"]]
        plain = [field for field in item["inputs"] if not field["indexed"]]
        args: dict[str, Any] = {}
        for field, topic in zip(indexed, topics[1:], strict=True):
            args[field["name"]] = _shape(field, decode([_type(field)], topic)[0])
        values = decode([_type(field) for field in plain], bytes.fromhex(log["data"][2:]))
        for field, value in zip(plain, values, strict=True):
            args[field["name"]] = _shape(field, value)
        return ChainEvent(
            contract=contract,
            name=item["name"],
            args=args,
            block=int(log["blockNumber"], 16),
            tx=log["transactionHash"],
            log_index=int(log["logIndex"], 16),
            block_hash=log["blockHash"],
        )


def _type(item: Mapping[str, Any]) -> str:
    """The ABI type with structs spelt out: (uint8,address)[] for tuple[]."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind[5:]}"


def _signature(item: Mapping[str, Any]) -> str:
    return f"{item['name']}({','.join(_type(field) for field in item['inputs'])})"


def _shape(item: Mapping[str, Any], value: Any) -> Any:
    """A decoded value as it crosses the seam: structs by field name, addresses checksummed, arrays as tuples."""
    kind: str = item["type"]
    if kind.endswith("]"):
        inner = {**item, "type": kind[: kind.rindex("[")]}
        return tuple(_shape(inner, part) for part in value)
    if kind == "tuple":
        return {part["name"]: _shape(part, field) for part, field in zip(item["components"], value, strict=True)}
    if kind == "address":
        return eip712.to_checksum(value)
    return value


def _revert_data(data: Any) -> bytes | None:
    """The revert data in an error answer; nodes put it at different depths."""
    if isinstance(data, Mapping):
        for value in data.values():
            found = _revert_data(value)
            if found is not None:
                return found
        return None
    if isinstance(data, str):
        text = data[data.find("0x") :] if "0x" in data else ""
        try:
            return bytes.fromhex(text[2:]) if text else None
        except ValueError:
            return None
    return None
