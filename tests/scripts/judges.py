"""Both verifiers side by side on one node whose answers are recorded, so that a hundred thousand questions are cheap.

The recorded answers are those of the demonstration's real node; a question not asked before goes to it once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_hash.auto import keccak
from mutants import HEAD, NODE, Mutant

from api import bootstrap, settings
from ledger import checkpoint, eip712, sm, trust, verify
from ledger.chain import Chain, ChainEvent, Head, head_commitment
from ledger.digest import sm3
from ledger.errors import LedgerError
from scripts import verify_bundle as vb

ANCHORED = "0x" + vb.keccak256(b"Anchored(uint64,bytes32,bytes32,uint64)").hex()


class RecordedNode(vb.Node):
    """The stand-alone verifier's node; `believed` answers stand before the recorded ones."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.known: dict[str, Any] = {}
        self.believed: dict[str, Any] = {}

    def ask_json(self, method: str, *params: Any) -> Any:
        question = json.dumps([method, *params])
        if question in self.believed:
            return self.believed[question]
        if question not in self.known:
            self.known[question] = super().ask_json(method, *params)
        return self.known[question]


class RecordedChain:
    """The library's chain, likewise; only reading."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.chain_id = chain.chain_id
        self._known: dict[Any, Any] = {}
        self.believed: dict[Any, Any] = {}

    def _ask(self, question: Any, ask: Callable[[], Any]) -> Any:
        if question in self.believed:
            return self.believed[question]
        if question not in self._known:
            self._known[question] = ask()
        return self._known[question]

    def head(self) -> Head:
        return self._ask("head", self._chain.head)  # type: ignore[no-any-return]

    def address(self, contract: str) -> str:
        return self._chain.address(contract)

    def code_hash(self, contract: str) -> str:
        return self._ask(("code", contract), lambda: self._chain.code_hash(contract))  # type: ignore[no-any-return]

    def read(self, contract: str, function: str, *args: Any) -> Any:
        return self._ask((contract, function, args), lambda: self._chain.read(contract, function, *args))

    def events(self, contract: str, event: str, *, first: int, last: int, where: Mapping[str, Any]) -> Any:
        question = (contract, event, first, last, tuple(where.items()))
        ask = self._chain.events
        return self._ask(question, lambda: ask(contract, event, first=first, last=last, where=where))


class Judges:
    """The first failing step of each verifier, "" when intact."""

    def __init__(self, out: Path, home: Path, rpc: str, trusted: Mapping[str, Any], recorded: bool = True) -> None:
        text = json.dumps(trusted, ensure_ascii=False).encode()
        self.trust, self.own_trust = trust.read(trusted), vb.read_trust(text)
        self.note = (out / "head.note").read_text(encoding="utf-8")
        chain = bootstrap.connect(settings.load(home).model_copy(update={"rpc_url": rpc}), None)
        self.chain: Any = RecordedChain(chain) if recorded else chain
        self.node = RecordedNode(rpc) if recorded else vb.Node(rpc)
        self.rules = bootstrap.rules()

    def judge(self, mutant: Mutant) -> tuple[str, str]:
        """(library, stand-alone)."""
        if mutant.believed:
            self._believe(mutant.data)
        note = self.note if mutant.anchor == HEAD else mutant.note
        try:
            return self._library(mutant, note), self._alone(mutant, note)
        finally:
            if mutant.believed:
                self.chain.believed, self.node.believed = {}, {}

    def _library(self, mutant: Mutant, note: str) -> str:
        online = mutant.anchor == NODE
        anchor = {"chain": self.chain} if online else {"head": checkpoint.parse(note)[0]}
        failed = verify.verify(mutant.data, self.trust, rules=self.rules, **anchor).failed
        return failed.code if failed else ""

    def _alone(self, mutant: Mutant, note: str) -> str:
        online = mutant.anchor == NODE
        given = None if online else given_of(note)
        last = vb.run(vb.Case(mutant.data, self.own_trust, self.node if online else None, given))[-1]
        return str(last["code"]) if last["ok"] is False else ""

    def _believe(self, data: bytes) -> None:
        """The log has anchored the forged head too: the node knows its commitment and its event."""
        document = json.loads(data)
        point, place = checkpoint.parse("\n".join(document["head"]["note"]))[0], document["chain"]
        log = self.trust.chain.contracts["EvidenceLog"].address
        commitment = head_commitment(point.size, point.root.sha256, point.root.sm3, point.at)
        selector = vb.keccak256(b"commitmentAt(uint64)")[:4] + point.size.to_bytes(32, "big")
        call = {"to": log.lower(), "data": "0x" + selector.hex()}
        receipt = {
            "status": "0x1", "blockNumber": hex(place["block"]),
            "logs": [{"address": log, "topics": [ANCHORED, f"0x{point.size:064x}"]}],
        }  # fmt: skip
        self.node.believed = {
            json.dumps(["eth_call", call, "latest"]): "0x" + commitment.hex(),
            json.dumps(["eth_getTransactionReceipt", place["tx"]]): receipt,
        }
        event = ChainEvent("EvidenceLog", "Anchored", {"size": point.size}, place["block"], place["tx"], 0, "")
        where = (("size", point.size),)
        self.chain.believed = {
            ("EvidenceLog", "commitmentAt", (point.size,)): commitment,
            ("EvidenceLog", "Anchored", place["block"], place["block"], where): (event,),
        }


@lru_cache(maxsize=4096)
def given_of(note: str) -> tuple[int, str, str, int]:
    """A head the verifier already holds, as the stand-alone file compares it."""
    point = checkpoint.parse(note)[0]
    return point.size, point.root.sha256.hex(), point.root.sm3.hex(), point.at


def quick() -> Callable[[], None]:
    """Puts the machine's own algorithms into the stand-alone file, which other tests compare with its own; undo it.

    Only answers are exchanged, never a decision: every step still runs, a hundred times faster.
    """
    names = ("sm3", "keccak256", "sm2_verify", "ed25519_verify", "evm_address_of")
    plain = {name: getattr(vb, name) for name in names}
    vb.sm3, vb.keccak256 = sm3, keccak
    for name, function in (
        ("sm2_verify", _sm2_verify), ("ed25519_verify", _ed25519_verify), ("evm_address_of", _evm_address_of),
    ):  # fmt: skip
        setattr(vb, name, lru_cache(maxsize=1 << 16)(function))

    def undo() -> None:
        for name, function in plain.items():
            setattr(vb, name, function)

    return undo


def _ed25519_verify(public: bytes, message: bytes, value: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _evm_address_of(digest: bytes, value: bytes) -> str:
    try:
        return eip712.recover(digest, value).lower()
    except LedgerError:
        return ""


def _sm2_verify(public: str, message: bytes, value: bytes, signer_id: str) -> bool:
    try:
        return sm.verify(public, message, value, signer_id)
    except LedgerError:
        return False
