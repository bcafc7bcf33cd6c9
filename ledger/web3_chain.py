"""The chain over JSON-RPC: the only importer of web3 and eth_account.

Keeps to what every EVM network answers alike: legacy transactions with explicit gas, price, nonce and chain id;
eth_sendRawTransaction only; reads at `latest`; events by eth_getLogs in bounded ranges; no filters, no
subscriptions, no node-held keys. A timeout stands on every call.
"""

from __future__ import annotations

import json
import threading
import time
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
from ledger.chain import Call, ChainEvent, ChainReceipt, Deployment, Head
from ledger.errors import ChainError, ChainUnavailable, TransactionReverted, WrongChain

DEVELOPMENT_CHAIN: Final = 31337
EMPTY_KECCAK: Final = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
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
_ALREADY_THERE: Final = ("already known", "already imported", "known transaction", "alreadyknown", "already in")
_NONCE_TROUBLE: Final = ("nonce too low", "nonce is too low", "nonce too small", "replacement transaction underpriced")


class _RpcError(ChainError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, message: str, data: Any) -> None:
        self.message, self.data = message, data
        super().__init__(f"节点报错：{message}。 / The node answered with an error: {message}.")


class Web3Chain:
    """A chain behind a JSON-RPC address.

    `relay_private_key` (32 bytes) only pays and orders; None makes a reader that cannot send. `gas_price` in wei,
    `confirmations` >= 1 counts the block itself, `timeout` seconds for one RPC answer, `receipt_timeout` for a
    transaction, `gas_cap` the most gas one transaction may ask for.
    Raises WrongChain at once when the node is another chain, computes another keccak256, lacks one of the contracts or
    counts time differently, and when a key that everybody knows would be used outside a development chain.
    """

    def __init__(
        self,
        rpc_url: str,
        deployment: Deployment,
        relay_private_key: bytes | None,
        *,
        gas_price: int = 0,
        confirmations: int = 1,
        timeout: int = 10,
        receipt_timeout: int = 60,
        gas_cap: int = 30_000_000,
    ) -> None:
        if confirmations < 1:
            raise ChainError(f"confirmations 应不小于 1，实为 {confirmations}。 / confirmations must be at least 1.")
        self._provider = HTTPProvider(rpc_url, {"timeout": timeout}, exception_retry_configuration=None)
        self._web3 = Web3(self._provider)
        self._web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._rpc_url = rpc_url
        self._deployment = deployment
        self._key = relay_private_key
        self._sender = eip712.address_of(relay_private_key) if relay_private_key is not None else ""
        self._gas_price, self._confirmations = gas_price, confirmations
        self._receipt_timeout, self._gas_cap = receipt_timeout, gas_cap
        self._nonce: int | None = None
        self._sending = threading.Lock()
        self._abis: dict[str, list[dict[str, Any]]] = {}
        self._contracts: dict[str, Contract] = {}
        self._check_chain()
        for name, address in deployment.addresses.items():
            self._attach(name, address)
        self._check_contracts()

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

    def address(self, contract: str) -> str:
        return str(self._contract(contract).address)

    def code_hash(self, contract: str) -> str:
        code = self._rpc("eth_getCode", [self.address(contract), "latest"])
        return "0x" + keccak(bytes.fromhex(code[2:])).hex()

    # --- reading ---

    def read(self, contract: str, function: str, *args: Any) -> Any:
        target = self._contract(contract)
        data = self._encode(contract, function, args)
        try:
            answer = self._rpc("eth_call", [{"to": target.address, "data": data}, "latest"])
        except _RpcError as error:
            raise self._reverted(contract, function, error) from error
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
        with self._sending:
            gas = self._gas(contract, function, bare)
            tx = self._send_raw(contract, function, bare, gas)
            receipt = self._wait(tx)
        if int(receipt["status"], 16) != 1:
            raise self._why(contract, function, bare, tx)
        return receipt

    def _gas(self, contract: str, function: str, bare: dict[str, Any]) -> int:
        # No block id: old nodes refuse one here.
        try:
            estimate = int(self._rpc("eth_estimateGas", [{**bare, "gasPrice": hex(self._gas_price)}]), 16)
        except _RpcError as error:
            raise self._reverted(contract, function, error) from error
        gas = estimate * GAS_MARGIN[0] // GAS_MARGIN[1]
        if gas > self._gas_cap:
            raise ChainError(
                f"{contract}.{function} 需要 {gas} gas，超过上限 {self._gas_cap}。"
                f" / {contract}.{function} needs {gas} gas, the cap is {self._gas_cap}."
            )
        return gas

    def _send_raw(self, contract: str, function: str, bare: dict[str, Any], gas: int) -> str:
        """Signs and sends, and settles every doubt by the transaction's own hash. Returns that hash."""
        last: Exception | None = None
        for _ in range(3):
            if self._nonce is None:
                self._nonce = int(self._rpc("eth_getTransactionCount", [self._sender, "pending"]), 16)
            signed = Account.sign_transaction(
                {
                    "nonce": self._nonce,
                    "gasPrice": self._gas_price,
                    "gas": gas,
                    "to": bare.get("to", b""),
                    "value": 0,
                    "data": bare["data"],
                    "chainId": self.chain_id,
                },
                self._key,
            )
            tx = "0x" + bytes(signed.hash).hex()
            try:
                self._rpc("eth_sendRawTransaction", ["0x" + bytes(signed.raw_transaction).hex()], again=False)
            except (_RpcError, ChainUnavailable) as error:
                last = error
                if not self._knows(tx):
                    self._nonce = None
                    if isinstance(error, _RpcError) and not _mentions(error, (*_ALREADY_THERE, *_NONCE_TROUBLE)):
                        raise self._reverted(contract, function, error) from error
                    continue
            self._nonce += 1
            return tx
        raise ChainUnavailable(
            f"{contract}.{function} 未能送达节点：{last}。"
            f" / {contract}.{function} could not be handed to the node: {last}."
        )

    def _knows(self, tx: str) -> bool:
        for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            try:
                if self._rpc(method, [tx]) is not None:
                    return True
            except (_RpcError, ChainUnavailable):
                continue
        return False

    def _wait(self, tx: str) -> dict[str, Any]:
        """The receipt, once it is as deep as asked for."""
        end = time.monotonic() + self._receipt_timeout
        pause = 0.01
        while time.monotonic() < end:
            receipt: dict[str, Any] | None = self._rpc("eth_getTransactionReceipt", [tx])
            if receipt is not None and receipt.get("blockNumber") is not None:
                depth = 1
                if self._confirmations > 1:
                    depth += self.head().number - int(receipt["blockNumber"], 16)
                if depth >= self._confirmations:
                    return receipt
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        self._nonce = None
        raise ChainUnavailable(
            f"交易 {tx} 在 {self._receipt_timeout} 秒内未入块，可能稍后入块，重发前请先读取合约。"
            f" / Transaction {tx} was not mined within {self._receipt_timeout} s; it may be later, so read first."
        )

    def _why(self, contract: str, function: str, bare: dict[str, Any], tx: str) -> ChainError:
        """Name of the custom error of a mined but failed transaction, found by running it again."""
        try:
            self._rpc("eth_call", [bare, "latest"])
        except _RpcError as error:
            return self._reverted(contract, function, error)
        return TransactionReverted(contract, function, "", (tx,))

    # --- errors ---

    def _reverted(self, contract: str, function: str, error: _RpcError) -> ChainError:
        data = _revert_data(error.data)
        if data is None and not _mentions(error, ("revert", "execution", "vm exception", "out of gas")):
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
        if keccak(b"") != EMPTY_KECCAK:
            raise WrongChain("本机 keccak256 自检失败。 / This machine's keccak256 fails its self-test.")
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

    def _check_contracts(self) -> None:
        for name, address in self._deployment.addresses.items():
            if self._rpc("eth_getCode", [address, "latest"]) in ("0x", "0x0", ""):
                raise WrongChain(f"地址 {address} 上没有合约 {name}。 / There is no code of {name} at {address}.")
            expected = self._deployment.code_hashes.get(name)
            if expected is not None and expected != self.code_hash(name):
                raise WrongChain(
                    f"合约 {name} 的代码与登记不符。 / The code of {name} at {address} is not the one expected."
                )
            self._check_keccak(self.read(name, "keccakOf", b""))
            unit = self.read(name, "timeUnit")
            if unit != self._deployment.time_unit:
                raise WrongChain(
                    f"合约 {name} 的时间单位应为 {self._deployment.time_unit}，实为 {unit}。"
                    f" / timeUnit of {name}: expected {self._deployment.time_unit}, given {unit}."
                )

    def _check_keccak(self, answer: bytes) -> None:
        if answer != EMPTY_KECCAK:
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
            raise _RpcError(refusal, None)
        raise _RpcError(str(refusal.get("message", "")), refusal.get("data"))

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


def _mentions(error: _RpcError, words: Sequence[str]) -> bool:
    return any(word in error.message.lower() for word in words)


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
