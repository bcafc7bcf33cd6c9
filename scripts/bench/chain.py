"""What the contracts cost: gas of whole transactions, read from the receipts of a real anvil with the rules of paris.

    python -m scripts.bench.chain [--json FILE]

Recipe. Gas is a function of code and data, not of the machine; where data is random (digests, codes, indexes) the
median of five draws is given, everything else is done once. Every figure includes the agency's or the log's signature.
- deposit: 500 certificates with random codes and digests in one call; the agency has deposited before.
- status: one signed call over 500 indexes, divided by 500. *Neighbours* are 500 deposited one after another. *Random of
  10^6*: instead of 2,000 deposits of 16 M gas each, only those status words that the 500 random indexes lie in are
  written with anvil_setStorageAt, exactly as the deposit of their first certificate leaves them, and the agency's next
  index is set to 10^6. *First*: words nobody has changed since the deposit. *Again*: the same certificates once more,
  other flags.
- one by one: `setStatus`, a single flag and a single end, and 100 of each in one call.
- successor: 100 certificates each of which ends another one and takes its place, per certificate.
- head: EvidenceLog.anchor after an earlier head. Inclusion: verifyInclusion sent as a transaction, 20 random siblings.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak

from ledger import eip712
from ledger.chain import Call, Deployment
from ledger.web3_chain import Web3Chain
from registry.certificate import PAPER_TYPE, Status
from registry.onchain import CONTRACT, agency_id, certificate_key, code_word
from registry.onchain_status import NUMBERS, State, bulk_status_call, status_call
from scripts.demo.world import CHAIN_ID, processes, rpc, start_anvil
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all

NOW = 1_785_000_000
DRAWS = 5
BATCH = 500
MILLION = 10**6
PER_WORD = 34
USCC = "91330200MA00000000"
LIMITS = {
    "deposit_x500": 32_000,
    "status_neighbours_first": 1_200,
    "status_neighbours_again": 1_200,
    "status_random_first": 6_000,
    "status_random_again": 6_000,
    "head_anchor": 60_000,
    "inclusion_2_20": 70_000,
}
"""What issue and decisions ask for, gas per certificate, head or check."""

Pair = tuple[str, int]
"""code and version of a certificate"""


def gas() -> dict[str, int]:
    """Every figure by name, in gas; those in LIMITS are the ones the issue asks for."""
    with tempfile.TemporaryDirectory() as name, processes(Path(name)) as children:
        url = start_anvil(children, Path(name) / "anvil.json", NOW)
        return _Bench(url).run()


@dataclass(frozen=True, slots=True)
class _Storage:
    """Where RightsRegistry keeps its mappings, found by looking: the slot under which a known key is not empty."""

    url: str
    address: str

    def place(self, key: bytes) -> str:
        for slot in range(32):
            place = "0x" + keccak(key + slot.to_bytes(32, "big")).hex()
            if self.read(place):
                return place
        raise LookupError(key.hex())

    def slot_of(self, key: bytes) -> int:
        place = self.place(key)
        return next(slot for slot in range(32) if "0x" + keccak(key + slot.to_bytes(32, "big")).hex() == place)

    def read(self, place: str) -> int:
        return int(str(rpc(self.url, "eth_getStorageAt", self.address, place, "latest")), 16)

    def write(self, place: str, value: int) -> None:
        rpc(self.url, "anvil_setStorageAt", self.address, place, f"0x{value:064x}")


class _Bench:
    def __init__(self, url: str) -> None:
        self.url = url
        self.agency, self.log = eip712.new_key(), eip712.new_key()
        members = tuple(eip712.new_key() for _ in range(3))
        council = Council(tuple(map(eip712.address_of, members)), 2, members)
        parties = Parties(eip712.address_of(self.log), {agency_id(USCC): eip712.address_of(self.agency)})
        self.chain = Web3Chain(url, Deployment(CHAIN_ID, {}, ARTIFACTS), eip712.new_key())
        deploy_all(self.chain, council, parties)
        self.codes = 0

    def run(self) -> dict[str, int]:
        found: dict[str, int] = {}
        self.deposit(self.fresh(BATCH))
        found["deposit_x500"] = _median(lambda: self.deposit(self.fresh(BATCH)) // BATCH)
        found["deposit_x1"] = _median(lambda: self.deposit(self.fresh(1)))
        neighbours = self.deposited(BATCH)
        indexes = [self.index(key) for key in neighbours]
        found["status_neighbours_first"] = self.in_bulk(indexes, True, False)
        found["status_neighbours_again"] = self.in_bulk(indexes, True, True)
        found["status_one_flag"] = self.one_by_one(self.deposited(1), Status.VALID)
        found["status_one_end"] = self.one_by_one(self.deposited(1), Status.CANCELLED)
        found["status_100_flags_one_by_one"] = self.one_by_one(self.deposited(100), Status.VALID)
        found["status_100_ends_one_by_one"] = self.one_by_one(self.deposited(100), Status.CANCELLED)
        pairs = self.fresh(100)
        self.deposit(pairs)
        found["deposit_successor_x100"] = self.deposit([(code, 2) for code, _ in pairs], succeeding=True) // 100
        found.update(self.random_of_a_million())
        found.update(self.log_figures())
        return found

    # --- RightsRegistry ---

    def fresh(self, many: int) -> list[Pair]:
        self.codes += many
        return [(f"SJ33A{number:010}", 1) for number in range(self.codes - many, self.codes)]

    def deposit(self, pairs: list[Pair], *, succeeding: bool = False) -> int:
        now = self.chain.head().time
        entries: list[tuple[Any, ...]] = []
        for code, version in pairs:
            old = (code_word(code), 1, version - 1, NUMBERS[Status.SUPERSEDED]) if succeeding else (bytes(32), 0, 0, 0)
            digests = (secrets.token_bytes(32), secrets.token_bytes(32))
            entries.append((code_word(code), 1, version, *digests, now, now + 94_608_000, *old))
        nonce, deadline = secrets.randbits(255), now + 3600
        message = eip712.deposit_batch(agency_id(USCC), entries, nonce, deadline)
        digest = eip712.digest_of(CONTRACT, CHAIN_ID, self.chain.address(CONTRACT), "DepositBatch", message)
        arguments = (agency_id(USCC), entries, nonce, deadline, self.sign(digest))
        return self.chain.send(Call(CONTRACT, "deposit", arguments)).gas_used

    def deposited(self, many: int) -> list[bytes]:
        pairs = self.fresh(many)
        self.deposit(pairs)
        return [certificate_key(USCC, PAPER_TYPE, code, version) for code, version in pairs]

    def index(self, key: bytes) -> int:
        return int(self.chain.read(CONTRACT, "certificate", key)["index"])

    def sign(self, digest: bytes) -> bytes:
        return eip712.sign(self.agency, digest)

    def in_bulk(self, indexes: list[int], encumbered: bool, objection: bool) -> int:
        state = State(Status.VALID, encumbered, objection, self.chain.head().time)
        receipt = self.chain.send(bulk_status_call(self.chain, USCC, indexes, state, self.sign))
        [event] = receipt.events
        assert event.args["indexes"] == struct.pack(f">{len(indexes)}I", *indexes)
        return receipt.gas_used // len(indexes)

    def one_by_one(self, keys: list[bytes], status: Status) -> int:
        state = State(status, True, False, self.chain.head().time)
        call = status_call(self.chain, USCC, [(key, state) for key in keys], self.sign)
        return self.chain.send(call).gas_used // len(keys)

    def random_of_a_million(self) -> dict[str, int]:
        """Medians of five draws of 500 indexes below 10^6; their words are written as a deposit opens them."""
        storage = _Storage(self.url, self.chain.address(CONTRACT))
        agency = storage.place(agency_id(USCC))
        word = storage.read(agency)
        # struct Agency: key 160 | suspended 8 | number 16 | next 32, from the low end
        number = (word >> 168) & 0xFFFF
        storage.write(agency, (word & ~(0xFFFFFFFF << 184)) | (MILLION << 184))
        statuses = storage.slot_of(bytes(32))
        dice = secrets.SystemRandom()
        first, again = [], []
        for _ in range(DRAWS):
            indexes = sorted(dice.sample(range(MILLION), BATCH))
            for place in {index // PER_WORD for index in indexes}:
                slot = "0x" + keccak(place.to_bytes(32, "big") + statuses.to_bytes(32, "big")).hex()
                storage.write(slot, number)
            first.append(self.in_bulk(indexes, True, False))
            again.append(self.in_bulk(indexes, True, True))
        return {
            "status_random_first": int(statistics.median(first)),
            "status_random_again": int(statistics.median(again)),
        }

    # --- EvidenceLog ---

    def anchor(self, size: int, root: bytes, sm3_root: bytes, time: int) -> int:
        head = {"size": size, "sha256Root": root, "sm3Root": sm3_root, "time": time}
        digest = eip712.digest_of("EvidenceLog", CHAIN_ID, self.chain.address("EvidenceLog"), "Head", head)
        call = Call("EvidenceLog", "anchor", (size, root, sm3_root, time, eip712.sign(self.log, digest)))
        return self.chain.send(call).gas_used

    def log_figures(self) -> dict[str, int]:
        anchors, checks = [], []
        self.anchor(1, secrets.token_bytes(32), secrets.token_bytes(32), NOW)
        for draw in range(DRAWS):
            # Not 2^20 sharp, so that every draw is a new head: a tree of 2^20 + draw leaves, of which we show one in
            # the complete left part. Its path has 20 siblings, and one more where leaves follow.
            size, index = 2**20 + draw, secrets.randbelow(2**20)
            leaf, path = secrets.token_bytes(32), [secrets.token_bytes(32) for _ in range(20 + (draw > 0))]
            root = leaf
            for level, sibling in enumerate(path):
                pair = sibling + root if level < 20 and (index >> level) & 1 else root + sibling
                root = sha256(b"\x01" + pair).digest()
            sm3_root = secrets.token_bytes(32)
            anchors.append(self.anchor(size, root, sm3_root, NOW))
            arguments = (leaf, index, size, path, root, sm3_root, NOW)
            assert self.chain.read("EvidenceLog", "verifyInclusion", *arguments) is True
            checks.append(self.chain.send(Call("EvidenceLog", "verifyInclusion", arguments)).gas_used)
        return {"head_anchor": int(statistics.median(anchors)), "inclusion_2_20": int(statistics.median(checks))}


def _median(run: Callable[[], int]) -> int:
    return int(statistics.median(run() for _ in range(DRAWS)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    figures = gas()
    for name, figure in figures.items():
        limit = LIMITS.get(name)
        print(f"{name:32}{figure:>8,}" + (f"   ≤ {limit:,} {'met' if figure <= limit else 'MISSED'}" if limit else ""))
    if given.json:
        given.json.write_text(json.dumps({"gas": figures, "limits": LIMITS}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
