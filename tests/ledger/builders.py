"""Small real things for the ledger's tests: a database, keys, signed statements, a sealed, cosigned, anchored log.

Nothing here is a stand-in for the ledger: only the chain is in memory, and two contracts are models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from ledger import anchoring, checkpoint, eip712, log, outbox, signing, sm, store, subject_map, tables
from ledger.bundle import Bundle
from ledger.chain import Call, Chain, EvidenceLogModel, MemoryChain, Refused
from ledger.checkpoint import LogKeys
from ledger.digest import sha256
from ledger.errors import ChainError, Malformed
from ledger.facts import EIP712, Fact, PartsRoot, Signature, Signed, Statement
from ledger.log import Head
from ledger.sm import Sm2Key
from ledger.trust import ChainTrust, ContractTrust, Identity, LogTrust, Trust, WitnessTrust
from ledger.verify import Refused as StepRefused
from ledger.verify import Status

NOW = 1_772_413_200
ORIGIN = "shuqing/test"
LEDGER = [tables.fact, tables.part, tables.subject_secret, tables.outbox, tables.entry, tables.tile, tables.head,
          tables.chain_receipt, tables.map_leaf, tables.map_node, tables.head_lost, tables.leader, tables.incident,
          tables.chain_pending]  # fmt: skip


def engine(url: str = "sqlite://") -> Engine:
    """SQLite as the application opens it: a writer holds its lock from BEGIN on, SAVEPOINT belongs to it."""
    memory = {"poolclass": StaticPool} if url == "sqlite://" else {}
    made = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False}, **memory)

    @event.listens_for(made, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        if url != "sqlite://":
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(made, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    tables.metadata.create_all(made, tables=LEDGER)
    return made


@cache
def key(name: str) -> Sm2Key:
    """The SM2 key of a made-up signer: the same at every run."""
    return sm.from_private((int.from_bytes(sha256(name.encode()), "big") % (sm.N - 2) + 1).to_bytes(32, "big"))


def evm_key(name: str) -> bytes:
    """The secp256k1 key of a made-up signer."""
    return sha256(b"evm " + name.encode())


def sign(statement: Statement, *names: str, role: str = "") -> Signed:
    """The statement signed with SM2 by each of `names`, with their own keys."""
    return Signed(statement, tuple(signing.sign_sm2(key(name), statement, by=name, role=role) for name in names))


def state(
    session: Session,
    kind: str,
    subject: str,
    body: dict[str, Any],
    *names: str,
    at: int = NOW,
    parts: Sequence[bytes] = (),
) -> Fact:
    """The next act of `subject`, signed by `names` and stored."""
    no, prev = store.next_of(session, subject)
    root = PartsRoot.over(parts) if parts else None
    signed = sign(Statement(kind, subject, no, prev, body, root), *names)
    return store.append(session, signed, at=at, parts=parts).fact


class NotaryModel:
    """A contract that keeps one commitment per name, once."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.closed = False

    @property
    def writes(self) -> Mapping[str, Callable[..., Any]]:
        return {"keep": self._keep}

    @property
    def reads(self) -> Mapping[str, Callable[..., Any]]:
        return {"kept": lambda name: self.kept.get(name, bytes(32))}

    def _keep(self, _domain: Any, _now: int, rows: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, dict[str, Any]]]:
        if self.closed:
            raise Refused("Closed")
        for name, _ in rows:
            if name in self.kept:
                raise Refused("AlreadyKept", (name,))
        self.kept |= dict(rows)
        return [("Kept", {"name": name, "value": value}) for name, value in rows]


class NotaryFace:
    """Writes note/v1 facts to the notary."""

    contract = "Notary"
    kinds = frozenset({"note/v1"})
    limit = 3
    event = "Kept"

    def done(self, chain: Chain, fact: Fact) -> bool:
        kept = chain.read("Notary", "kept", sha256(fact.subject.encode()))
        if any(kept) and kept != fact.digest().sha256:
            raise ChainError(f"{fact.subject} 另有承诺 / another commitment")
        return any(kept)

    def call(self, chain: Chain, facts: Sequence[Fact]) -> Call:
        return Call("Notary", "keep", ([(sha256(f.subject.encode()), f.digest().sha256) for f in facts],))

    def fact_key(self, fact: Fact) -> str:
        return sha256(fact.subject.encode()).hex()

    def event_key(self, args: Mapping[str, Any]) -> str:
        return bytes(args["name"]).hex()


ACT_TYPES = {"Act": (("bytes32", "sha256"), ("bytes32", "sm3"), ("uint256", "nonce"))}


def act_digest(statement: Statement, nonce: str, domain: Mapping[str, Any]) -> bytes:
    """The typed digest of act/v1 in these tests."""
    digest = statement.digest()
    message = {"sha256": digest.sha256, "sm3": digest.sm3, "nonce": int(nonce)}
    typed = {"name": "Test", "chainId": domain["chain_id"], "verifyingContract": domain["contract"]}
    return eip712.typed_digest(typed, "Act", ACT_TYPES, message)


class ActRules:
    """Kind rules of act/v1: an EIP-712 struct, a status on the chain, a sum to recompute."""

    not_proved = ("付款是否到账 / whether anybody paid",)

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        domain = statement.body["domain"]
        if (domain["chain_id"], domain["contract"]) != (trust.chain.chain_id, trust.chain.contracts["Notary"].address):
            raise Malformed("另一条链或合约 / another chain or contract")
        return act_digest(statement, signature.nonce, domain)

    def status(self, fact: Fact, chain: Chain) -> Status:
        if chain.read("Notary", "kept", sha256(fact.subject.encode())) != fact.digest().sha256:
            raise StepRefused("V13", "链上同一承诺 / the same commitment", "没有 / none")
        return Status("IN_FORCE", "", chain.head().time)

    def recompute(self, bundle: Bundle) -> None:
        body = bundle.main.fact.body
        if sum(body["items"]) != body["total"]:
            raise StepRefused("V14", str(sum(body["items"])), str(body["total"]))


@dataclass
class World:
    """A log with its witnesses, chain and database."""

    engine: Engine = field(default_factory=engine)
    keys: LogKeys = field(default_factory=lambda: LogKeys(ORIGIN, b"\x01" * 32, key("log")))
    witness_keys: Mapping[str, bytes] = field(default_factory=lambda: {"w.a": b"\x0a" * 32, "w.b": b"\x0b" * 32})
    notary: NotaryModel = field(default_factory=NotaryModel)

    def __post_init__(self) -> None:
        self.head_key = evm_key("log")
        models = {"EvidenceLog": EvidenceLogModel(eip712.address_of(self.head_key)), "Notary": self.notary}
        self.chain = MemoryChain(models, now=NOW)
        self.face = NotaryFace()

    def session(self) -> Session:
        return Session(self.engine)

    def sign_head(self, chain: Chain, head: Head) -> bytes:
        point = head.checkpoint
        message = {"size": point.size, "sha256Root": point.root.sha256, "sm3Root": point.root.sm3, "time": point.at}
        address = chain.address("EvidenceLog")
        return eip712.sign(self.head_key, eip712.digest_of("EvidenceLog", chain.chain_id, address, "Head", message))

    def witnesses(self) -> dict[str, str]:
        return {name: checkpoint.ed25519_public(value) for name, value in self.witness_keys.items()}

    def log_trust(self) -> LogTrust:
        public = self.keys.public()
        return LogTrust(public.origin, public.ed25519, public.sm2)

    def cover(self, session: Session, *, at: int = NOW) -> Fact | None:
        """States the map of all subjects over what is stored by now; party:A signs it."""
        return subject_map.cover(session, ORIGIN, signing.SystemSigner(key("party:A"), "party:A"), at=at)

    def seal(self, session: Session, *, at: int = NOW, witnessed_at: int | None = None) -> Head:
        """Integrates everything, seals and cosigns a head; not anchored yet."""
        while log.integrate(session):
            pass
        head = log.seal(session, self.keys, at=at)
        assert head is not None
        seen = at if witnessed_at is None else witnessed_at
        lines = [checkpoint.cosign(head.note, name, value, seen) for name, value in self.witness_keys.items()]
        log.cosigned(session, head.checkpoint.size, checkpoint.add_lines(head.note, lines), len(lines))
        found = log.latest(session)
        assert found is not None
        return found

    def publish(self, session: Session, *, at: int = NOW, witnessed_at: int | None = None) -> Head:
        """`seal`, then the head goes to the chain and its place is noted."""
        head = self.seal(session, at=at, witnessed_at=witnessed_at)
        place = anchoring.anchor_head(self.chain, head, self.sign_head)
        anchoring.note_places(session, outbox.HEADS, {outbox.head_key(head.checkpoint.size): place})
        return head

    def trust(self, **changes: Any) -> Trust:
        contracts = {
            name: ContractTrust(self.chain.address(name), self.chain.code_hash(name))
            for name in ("EvidenceLog", "Notary")
        }
        values: dict[str, Any] = {
            "format": "shuqing-trust/v1",
            "made_at": NOW,
            "origin": ORIGIN,
            "log": self.log_trust(),
            "witnesses": WitnessTrust(len(self.witness_keys), self.witnesses()),
            "chain": ChainTrust(self.chain.chain_id, contracts),
            "identities": {"party:A": Identity(key("party:A").public, roles=("agency",))},
            "vouchers": {"party/v1": "role:agency", "connector/v1": "body:owner"},
            "required": {
                "entry/v1": ("role:agency",),
                "batch/v1": ("by:connector:{id}",),
                "act/v1": ("each:signers",),
                "subject-map/v1": ("role:agency",),
            },
        }
        return Trust(**(values | changes))


SIGNERS = ("X", "Y")


def act_statement(world: World, session: Session, *, subject: str = "act:1", total: int = 6, **body: Any) -> Statement:
    """An act/v1 of two signers in the domain of the trusted notary."""
    no, prev = store.next_of(session, subject)
    domain = {"chain_id": world.chain.chain_id, "contract": world.chain.address("Notary")}
    signers = [
        {"party": name, "role": f"R{name}", "address": eip712.address_of(evm_key(f"party:{name}"))} for name in SIGNERS
    ]
    return Statement(
        "act/v1", subject, no, prev, {"domain": domain, "items": [1, 2, 3], "signers": signers, "total": total} | body
    )


def act_signatures(statement: Statement, names: Sequence[str] = SIGNERS) -> tuple[Signature, ...]:
    """Both signatures of each signer."""
    found: list[Signature] = []
    for name in names:
        by, role = f"party:{name}", f"R{name}"
        found.append(signing.sign_sm2(key(by), statement, by=by, role=role))
        value = eip712.sign(evm_key(by), act_digest(statement, "7", statement.body["domain"]))
        found.append(Signature(EIP712, by, eip712.address_of(evm_key(by)), value.hex(), role, nonce="7"))
    return tuple(found)


def introduce(session: Session, name: str, *by: str) -> Fact:
    """The identity fact of a party or connector, signed by itself and by `by`; the first of `by` owns a connector."""
    body = {"sm2": key(name).public}
    if name.startswith("connector:") and by:
        body["owner"] = by[0].removeprefix("party:")
    if name.startswith("party:"):
        body["evm"] = eip712.address_of(evm_key(name))
    kind = name.partition(":")[0]
    return state(session, f"{kind}/v1", name, body, name, *by)
