"""`make bench`: what the spine costs, measured now on this machine; medians of five runs, printed and as JSON.

Recipe, in order:
1. intake: batches of 1,000 records of about 300 bytes as parts of one signed fact into SQLite (WAL, synchronous=FULL):
   signature checked, every record decoded from canonical bytes, twin root recomputed, one commit a batch; beside it the
   same rows written into the same store without any evidence (executemany, one commit a batch), in the same run.
2. log: integrating 10,000 facts into the twin tree, then proving and verifying 1,000 of them.
3. chain: gas of one anchored head and of one certificate in a deposit of 100, from receipts of a real anvil (paris).
4. proof: size of a bundle; time of the library verifier and of the stand-alone file (its whole process).

Machine: whatever runs it; it is printed. The numbers mean nothing on another one.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, SQLModel

from api.bootstrap import engine as make_engine
from ledger import bundle, canonical, checkpoint, eip712, log, merkle, outbox, signing, sm, store, tables
from ledger.anchoring import Place, anchor_head, note_places
from ledger.chain import Call, Deployment
from ledger.checkpoint import LogKeys
from ledger.digest import sha256, twin
from ledger.facts import PartsRoot, Signed, Statement
from ledger.trust import ChainTrust, ContractTrust, Identity, LogTrust, Trust, WitnessTrust
from ledger.verify import verify
from ledger.web3_chain import Web3Chain
from scripts.demo.world import CHAIN_ID, processes, rpc, start_anvil
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all

RUNS = 5
NOW = 1_785_000_000
ORIGIN = "shuqing/bench"
ROOT = Path(__file__).resolve().parent.parent


def median(run: Callable[[], float]) -> float:
    """Median of five runs."""
    return statistics.median(run() for _ in range(RUNS))


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Bench:
    """One temporary database and the keys of a log, a signer and one witness."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = make_engine(f"sqlite:///{folder / 'bench.db'}", write=True)
        SQLModel.metadata.create_all(self.engine)
        self.key = sm.generate()
        self.keys = LogKeys(ORIGIN, checkpoint.generate_ed25519(), sm.generate())
        self.log_evm, self.relay = eip712.new_key(), eip712.new_key()
        self.witness = checkpoint.generate_ed25519()
        self.results: dict[str, Any] = {}

    def fact(self, session: Session, subject: str, body: dict[str, Any], parts: tuple[bytes, ...] = ()) -> str:
        no, prev = store.next_of(session, subject)
        statement = Statement("bench/v1", subject, no, prev, body, PartsRoot.over(parts) if parts else None)
        signature = signing.sign_sm2(self.key, statement, by="party:bench")
        return store.append(session, Signed(statement, (signature,)), at=NOW, parts=parts).fact.id

    def intake(self) -> None:
        """Rows per second with evidence, and the same rows without."""
        size = 1_000

        def batch() -> tuple[Signed, tuple[bytes, ...]]:
            parts = tuple(canonical.encode(_record(i)) for i in range(size))
            subject = f"batch:{secrets.token_hex(8)}"
            statement = Statement("bench/v1", subject, 0, None, {"count": size}, PartsRoot.over(parts))
            return Signed(statement, (signing.sign_sm2(self.key, statement, by="party:bench"),)), parts

        def with_evidence() -> float:
            signed, parts = batch()
            return size / timed(lambda: self._take(signed, parts))

        def plain() -> float:
            _, parts = batch()
            return size / timed(lambda: self._write(parts))

        self.results["intake_records_per_s"] = round(median(with_evidence))
        self.results["same_rows_without_evidence_per_s"] = round(median(plain))

    def _take(self, signed: Signed, parts: tuple[bytes, ...]) -> None:
        with Session(self.engine) as session:
            signing.require_sm2(signed.statement, signed.signatures, by="party:bench", key=self.key.public)
            for part in parts:
                canonical.decode(part)
            store.append(session, signed, at=NOW, parts=parts)
            session.commit()

    def _write(self, parts: tuple[bytes, ...]) -> None:
        with Session(self.engine) as session:
            any_fact = session.execute(select(tables.fact.c.id).limit(1)).scalar_one()
            rows = [{"fact_id": any_fact, "position": secrets.randbits(60), "bytes": part} for part in parts]
            session.execute(insert(tables.part), rows)
            session.commit()

    def tree(self) -> None:
        """Leaves per second into the tree, proofs per second out of it."""
        count = 10_000
        with Session(self.engine) as session:
            ids = [self.fact(session, f"leaf:{i}", {"n": i}) for i in range(count)]
            session.commit()
        with Session(self.engine) as session:

            def all_in() -> None:
                while log.integrate(session):
                    pass
                session.commit()

            self.results["integrated_leaves_per_s"] = round(count / timed(all_in))
            size = log.size(session)
            read = log.reader(session)
            root = merkle.root(read, size)
            chosen = [ids[secrets.randbelow(count)] for _ in range(1_000)]

            def prove() -> float:
                return 1_000 / timed(lambda: [log.prove(session, id_, size) for id_ in chosen])

            self.results["proofs_per_s"] = round(median(prove))
            proofs = [log.prove(session, id_, size) for id_ in chosen]
            digests = [store.fact(session, id_).digest() for id_ in chosen]

            def check() -> float:
                def work() -> None:
                    for proof, digest in zip(proofs, digests, strict=True):
                        leaf = merkle.leaf_hash(digest)
                        assert merkle.verify_inclusion(leaf, proof.index, size, proof.path, root)

                return 1_000 / timed(work)

            self.results["twin_proof_checks_per_s"] = round(median(check))

    def chain(self) -> None:
        """Gas on a real node, and a bundle under an anchored head."""
        with processes(self.folder / "logs") as children:
            url = start_anvil(children, self.folder / "anvil.json", NOW)
            agency, members = eip712.new_key(), [eip712.new_key() for _ in range(3)]
            council = Council(tuple(eip712.address_of(key) for key in members), 2, tuple(members[:2]))
            agency_id = sha256(b"agency:bench")
            parties = Parties(eip712.address_of(self.log_evm), agencies={agency_id: eip712.address_of(agency)})
            web3 = Web3Chain(url, Deployment(CHAIN_ID, {}, ARTIFACTS), self.relay)
            deploy_all(web3, council, parties)
            self.results["gas_per_certificate_x100"] = self._deposit_gas(web3, agency_id, agency) // 100
            self._bundle(web3, url)

    def _deposit_gas(self, chain: Web3Chain, agency_id: bytes, agency: bytes) -> int:
        entries = [
            (
                f"SJ331202607{i:04d}".encode().ljust(32, b"\0"), 1, 1, secrets.token_bytes(32), secrets.token_bytes(32),
                NOW, NOW + 157_680_000, bytes(32), 0, 0, 0,
            )
            for i in range(100)
        ]  # fmt: skip
        nonce, deadline = secrets.randbits(255), chain.head().time + 3_600
        message = eip712.deposit_batch(agency_id, entries, nonce, deadline)
        digest = eip712.digest_of("RightsRegistry", CHAIN_ID, chain.address("RightsRegistry"), "DepositBatch", message)
        arguments = (agency_id, entries, nonce, deadline, eip712.sign(agency, digest))
        return chain.send(Call("RightsRegistry", "deposit", arguments)).gas_used

    def _bundle(self, chain: Web3Chain, url: str) -> None:
        with Session(self.engine) as session:
            fact_id = self.fact(session, "subject:bundle", {"text": "一份普通的事实"})
            log.integrate(session)
            head = log.seal(session, self.keys, at=NOW)
            assert head is not None
            line = checkpoint.cosign(head.note, "bench-witness", self.witness, NOW)
            note = checkpoint.add_lines(head.note, [line])
            log.cosigned(session, head.checkpoint.size, note, 1)
            place = anchor_head(chain, log.Head(head.checkpoint, note, 1), self._sign_head)
            note_places(session, outbox.HEADS, {outbox.head_key(head.checkpoint.size): place})
            data = bundle.assemble(session, fact_id).bytes()
            session.commit()
        trust = self._trust(chain)
        self.results["bundle_bytes"] = len(data)
        self.results["gas_per_head"] = self._anchor_gas(url, place)
        assert verify(data, trust, chain=chain).intact
        milliseconds = 1_000 * median(lambda: timed(lambda: verify(data, trust, chain=chain)))
        self.results["library_verification_ms"] = round(milliseconds, 1)
        (self.folder / "bundle.json").write_bytes(data)
        (self.folder / "trust.json").write_bytes(canonical.encode(trust.document()))
        verifier, trusted = ROOT / "scripts" / "verify_bundle.py", self.folder / "trust.json"
        command = [
            sys.executable, "-I", str(verifier), str(self.folder / "bundle.json"), "--trust", str(trusted),
            "--rpc", url,
        ]  # fmt: skip
        stand_alone = median(lambda: timed(lambda: subprocess.run(command, check=True, capture_output=True)))
        self.results["stand_alone_verification_ms"] = round(1_000 * stand_alone)

    def _sign_head(self, chain: Any, head: log.Head) -> bytes:
        point = head.checkpoint
        message = {"size": point.size, "sha256Root": point.root.sha256, "sm3Root": point.root.sm3, "time": point.at}
        digest = eip712.digest_of("EvidenceLog", chain.chain_id, chain.address("EvidenceLog"), "Head", message)
        return eip712.sign(self.log_evm, digest)

    @staticmethod
    def _anchor_gas(url: str, place: Place) -> int:
        receipt = rpc(url, "eth_getTransactionReceipt", place.tx)
        assert isinstance(receipt, dict)
        return int(receipt["gasUsed"], 16)

    def _trust(self, chain: Web3Chain) -> Trust:
        public = self.keys.public()
        contracts = {name: ContractTrust(chain.address(name), chain.code_hash(name)) for name in ("EvidenceLog",)}
        return Trust(
            format="shuqing-trust/v1",
            made_at=NOW,
            origin=ORIGIN,
            log=LogTrust(ORIGIN, public.ed25519, public.sm2),
            witnesses=WitnessTrust(1, {"bench-witness": checkpoint.ed25519_public(self.witness)}),
            chain=ChainTrust(CHAIN_ID, contracts),
            identities={"party:bench": Identity(self.key.public, roles=("operator",))},
            required={"bench/v1": ("role:operator",)},
            vouchers={},
        )


def _record(number: int) -> dict[str, Any]:
    return {
        "agreement": twin(b"agreement").sha256.hex(), "seq": number, "request_id": secrets.token_hex(12),
        "occurred_at": NOW + number, "purpose": "出行规划", "quantity": 1, "unit": "call", "decision": "allow",
        "salt": secrets.token_hex(32),
    }  # fmt: skip


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for step in (bench.intake, bench.tree, bench.chain):
            print(f"… {step.__name__}", file=sys.stderr)
            step()
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    bench.results["intake_cost_ratio"] = round(
        bench.results["same_rows_without_evidence_per_s"] / bench.results["intake_records_per_s"], 1
    )
    print(json.dumps({"machine": machine, "runs": RUNS, "results": bench.results}, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
