"""Builds real proof bundles from scratch: real keys, a real log of facts, a real head with witnesses. For tests only.

The writing side is `ledger` and the packages above it; what reads the result, scripts/verify_bundle.py, shares nothing
with them. `World` also plays the forger: `reseal` recomputes every unsigned checksum of a changed bundle.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from clearing.market import agreement
from clearing.settlement import close, onchain
from ledger import canonical, checkpoint, disclosure, eip712, signing, sm
from ledger.bundle import path_document
from ledger.checkpoint import Checkpoint, LogKeys
from ledger.digest import TwinDigest, twin
from ledger.facts import Fact, PartsRoot, Signature, Statement
from ledger.merkle import MemoryTree
from ledger.reading import body_of
from ledger.sm import Sm2Key

START = 1_772_413_200
"""2026-03-02 01:00 UTC."""
CHAIN_ID = 31337
CONTRACTS = {
    name: f"0x{number:02x}" + "a1" * 19
    for number, name in enumerate(("EvidenceLog", "RightsRegistry", "AgreementRegistry", "SettlementBook"), 1)
}
CODE = {name: b"\x60\x80" + name.encode() for name in CONTRACTS}
AGENCY, OPERATOR, PROVIDER, CONSUMER, AUDITOR = (
    "91330000AGENCY0001", "91330000PERAT00002", "91330000PRQVDR0003", "91330000CQNSUM0004", "91330000AUDXTR0005",
)  # fmt: skip
CONNECTOR, STAFF = "c-0001", "s-0001"
AGREEMENT = hashlib.sha256(b"agreement").hexdigest()


def secret(name: str) -> bytes:
    """A fixed private key for a name."""
    return hashlib.sha256(b"bundle maker " + name.encode()).digest()


@lru_cache(maxsize=256)
def sm2_key(name: str) -> Sm2Key:
    """A fixed SM2 key pair for a name."""
    return sm.from_private(secret(name))


@dataclass
class World:
    """Parties with keys, a log with facts, a head. `origin` and `seed` make another, equally genuine world."""

    origin: str = "shuqing/demo-log"
    seed: str = ""
    facts: list[Fact] = field(default_factory=list)
    parts: dict[int, list[bytes]] = field(default_factory=dict)
    at: int = START

    # keys ------------------------------------------------------------------------------------------------------------

    def sm2(self, name: str) -> Sm2Key:
        return sm2_key(f"{self.seed}sm2 {name}")

    def evm(self, name: str) -> bytes:
        return secret(f"{self.seed}evm {name}")

    def address(self, name: str) -> str:
        return eip712.address_of(self.evm(name)).lower()

    def log_keys(self) -> LogKeys:
        return LogKeys(self.origin, secret(f"{self.seed}log ed25519"), self.sm2("log"))

    def witness(self, number: int) -> tuple[str, bytes]:
        return f"witness-{number}.demo", secret(f"{self.seed}witness {number}")

    # facts -----------------------------------------------------------------------------------------------------------

    def add(
        self, statement: Statement, *signatures: Signature, parts: list[bytes] | None = None, later: int = 10
    ) -> int:
        """Takes a signed statement in; answers its place in the log."""
        self.at += later
        salt = hashlib.sha256(f"{self.seed}salt {len(self.facts)}".encode()).hexdigest()
        self.facts.append(Fact(statement, signatures, self.at, salt))
        if parts:
            self.parts[len(self.facts) - 1] = parts
        return len(self.facts) - 1

    def sign(self, statement: Statement, name: str, by: str = "", role: str = "") -> Signature:
        return signing.sign_sm2(self.sm2(name), statement, by=by or f"party:{name}", role=role)

    def party(self, uscc: str, *signers: str) -> int:
        body = {"name": f"演示 {uscc}", "kind": "法人", "uscc": uscc, "sm2": self.sm2(uscc).public}
        body |= {"evm": self.address(uscc), "roles": []}
        statement = Statement("party/v1", f"party:{uscc}", 0, None, body)
        return self.add(statement, *[self.sign(statement, name) for name in (uscc, *signers)])

    def connector(self, identity: str, owner: str) -> int:
        body = {"owner": owner, "sm2": self.sm2(identity).public, "software": "演示 1.0"}
        statement = Statement("connector/v1", f"connector:{identity}", 0, None, body)
        return self.add(statement, self.sign(statement, owner))

    def staff(self, identity: str, organisation: str, active: bool = True) -> int:
        body = {"organisation": organisation, "sm2": self.sm2(identity).public, "roles": ["reviewer"], "active": active}
        statement = Statement("staff/v1", f"staff:{identity}", 0, None, body)
        return self.add(statement, self.sign(statement, organisation))

    def register_entry(self) -> int:
        record = {"agency": AGENCY, "application": "ab" * 16, "rights": [{"right": "持有权"}, {"right": "使用权"}]}
        record |= {"salt": "5a" * 32, "type": "初次登记"}
        tagged = canonical.encode({"record": record, "tag": "deposit-record/v1"})
        body = {"code": "SJ3312026030001", "version": 1, "paper_type": "REGISTRATION_CERT", "agency": AGENCY}
        body["fields"] = list(disclosure.names_of(record))
        body |= {"record_digest": twin(tagged).document(), "valid_from": START, "valid_until": START + 5 * 366 * 86400}
        body |= {
            "agency_name": "演示",
            "agency_catalogue_no": "",
            "receipt": twin(b"receipt").document(),
            "last_day": "2031-03-06",
        }
        body |= {"receipt_number": "演示-1", "authority_name": "演示", "deposited_at": START, "type": "初次登记"}
        parts = list(disclosure.parts_of(record))
        statement = Statement("register-entry/v1", "certificate:SJ3312026030001", 0, None, body, PartsRoot.over(parts))
        return self.add(statement, self.sign(statement, AGENCY), parts=parts)

    def agreement(self, domain: dict[str, Any] | None = None, prev: Statement | None = None) -> int:
        """CONCLUDE, or AMEND after `prev`; both signers sign with SM2 and EIP-712 as the market package does it."""
        signers = [("PROVIDER", PROVIDER), ("CONSUMER", CONSUMER)]
        body = {
            "act": "AMEND" if prev else "CONCLUDE",
            "from_state": "EFFECTIVE" if prev else "NONE",
            "to_state": "EFFECTIVE",
            "revision": 2 if prev else 1,
            "negotiation_id": hashlib.sha256(b"negotiation").hexdigest(),
            "signers": [{"role": role, "party": uscc, "address": self.address(uscc)} for role, uscc in signers],
            "domain": domain or {"chain_id": CHAIN_ID, "contract": CONTRACTS["AgreementRegistry"]},
            "deadline": START + 86400,
        }
        terms = {"price": 36 if prev else 35, "salt": "5c" * 32, "scope": "演示 航班"}
        body |= {"fields": list(disclosure.names_of(terms)), "terms_digest": twin(canonical.encode(terms)).document()}
        parts = list(disclosure.parts_of(terms))
        no, link = (prev.no + 1, prev.digest()) if prev else (0, None)
        statement = Statement("agreement-act/v1", f"agreement:{AGREEMENT}", no, link, body, PartsRoot.over(parts))
        signatures: list[Signature] = []
        for number, signer in enumerate(agreement.act_of(statement).signers):
            keys = (self.sm2(signer.party), self.evm(signer.party))
            signatures += agreement.sign_act(statement, signer, *keys, nonce=2**200 + number)
        return self.add(statement, *signatures, parts=parts)

    def batch(self, connector: str = CONNECTOR, count: int = 5) -> int:
        records = [
            {"schema": "usage-record/v1", "connector": connector, "seq": 11 + i, "quantity": i, "salt": "5a" * 32}
            for i in range(count)
        ]
        return self.with_parts(
            "usage-batch/v1", f"connector-log:{connector}", {"connector": connector, "first_seq": 11}, records,
            connector, f"connector:{connector}",
        )  # fmt: skip

    def statement(self) -> int:
        lines = [{"type": "line", "no": i, "party": PROVIDER, "amount": 100 * i, "salt": "5b" * 32} for i in range(7)]
        body = {"cycle": "2026-03", "operator": OPERATOR, "party": PROVIDER, "lines": 7}
        return self.with_parts("statement/v1", f"statement:2026-03.{PROVIDER}", body, lines, OPERATOR)

    def with_parts(
        self, kind: str, subject: str, body: dict[str, Any], rows: list[Any], name: str, by: str = ""
    ) -> int:
        parts = [canonical.encode(row) for row in rows]
        statement = Statement(kind, subject, 0, None, body, PartsRoot.over(parts))
        return self.add(statement, self.sign(statement, name, by), parts=parts)

    def cycle_closed(self) -> int:
        totals = close.Totals(700, 660, 700, 500, 700, 700, 0, "5c" * 32)
        auditor = eip712.address_of(self.evm(AUDITOR))
        body = close.close_of(
            cycle=f"{OPERATOR}.2026-03.CNY", operator=OPERATOR, period="2026-03", currency="CNY",
            statements=[twin(b"statement")], totals=totals, closed_at=self.at, auditor=auditor, deadline=self.at + 3600,
        )  # fmt: skip
        statement = Statement("cycle-closed/v1", f"close:{body.cycle}", 0, None, body_of(body))
        place = {"chain_id": CHAIN_ID, "address": CONTRACTS["SettlementBook"]}
        typed = [
            onchain.sign_close(self.evm(name), statement, by=f"party:{name}", role=role, **place)
            for name, role in ((OPERATOR, "operator"), (AUDITOR, "auditor"))
        ]
        return self.add(statement, self.sign(statement, OPERATOR, role="operator"), *typed)

    # head and bundle -------------------------------------------------------------------------------------------------

    def note(self, root: TwinDigest | None = None, time: int | None = None, witnesses: tuple[int, ...] = (1, 2)) -> str:
        """A head over all facts (or over `root`), signed by the log and cosigned by these witnesses."""
        time = self.at + 60 if time is None else time
        root = root or self.tree().root()
        note = checkpoint.sign_note(Checkpoint(self.origin, len(self.facts), root, time), self.log_keys())
        lines = [checkpoint.cosign(note, *self.witness(number), time + 5) for number in witnesses]
        return checkpoint.add_lines(note, lines)

    def tree(self) -> MemoryTree:
        return MemoryTree([fact.digest() for fact in self.facts])

    def bundle(self, place: int, *supports: int, parts: Sequence[int] = (), note: str = "") -> dict[str, Any]:
        """The bundle document of the fact at this place."""
        tree = self.tree()

        def proved(index: int) -> dict[str, Any]:
            entry = {"index": index, "path": path_document(tree.path(index))}
            return {"fact": copy.deepcopy(self.facts[index].document()), "entry": entry}

        result: dict[str, Any] = {
            "format": "shuqing-bundle/v1",
            **proved(place),
            "head": {"note": (note or self.note()).split("\n")},
            "chain": {"chain_id": CHAIN_ID, "contract": CONTRACTS["EvidenceLog"], "tx": "0x" + "7e" * 32, "block": 17},
            "supports": [proved(index) for index in sorted(supports)],
        }
        if parts:
            data = self.parts[place]
            shown = MemoryTree([twin(item) for item in data])
            result["parts"] = [
                {"data": data[part].decode(), "index": part, "path": path_document(shown.path(part))} for part in parts
            ]
        return result

    def trust(self) -> dict[str, Any]:
        """What an auditor would hold: keys of log, witnesses, agency, operator and auditor; nobody else's."""
        public = self.log_keys().public()
        return {
            "format": "shuqing-trust/v1",
            "made_at": START,
            "origin": self.origin,
            "log": {"name": self.origin, "ed25519": public.ed25519, "sm2": public.sm2},
            "witnesses": {
                "k": 2,
                "keys": {name: checkpoint.ed25519_public(key) for name, key in map(self.witness, (1, 2, 3))},
            },
            "chain": {
                "chain_id": CHAIN_ID,
                "contracts": {
                    name: {"address": address, "code_keccak256": "0x" + eip712.keccak(CODE[name]).hex()}
                    for name, address in CONTRACTS.items()
                },
            },
            "identities": {
                f"party:{uscc}": {"sm2": self.sm2(uscc).public, "evm": self.address(uscc), "roles": [role]}
                for uscc, role in ((AGENCY, "agency"), (OPERATOR, "operator"), (AUDITOR, "auditor"))
            },
            "vouchers": {"party/v1": "role:agency", "staff/v1": "body:organisation", "connector/v1": "body:owner"},
            "required": {
                "register-entry/v1": ["role:agency"],
                "agreement-act/v1": ["act=CONCLUDE|AMEND each:signers", "act=RESCIND one:signers"],
                "usage-batch/v1": ["by:connector:{id}"],
                "statement/v1": ["role:operator"],
                "cycle-closed/v1": ["role:operator", "role:auditor"],
                "staff-note/v1": ["by:staff:{id}"],
            },
        }

    # the forger ------------------------------------------------------------------------------------------------------

    def reseal(
        self, bundle: dict[str, Any], *, as_log: bool = False, witnesses: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """The changed bundle with every unsigned checksum recomputed: parts root and path, tree, paths, roots.

        An outsider keeps the old signature lines; `as_log` signs the new head with the log's keys, and `witnesses`
        are witnesses in league. The statement itself can't be signed again: that takes the parties' keys.
        """
        bundle = copy.deepcopy(bundle)
        items = [bundle, *bundle["supports"]]
        if "parts" in bundle:
            self._reseal_parts(bundle)
        digests = [fact.digest() for fact in self.facts]
        for item in items:
            if 0 <= item["entry"]["index"] < len(digests):
                digests[item["entry"]["index"]] = twin(canonical.encode(item["fact"]))
        tree = MemoryTree(digests)
        for item in items:
            if 0 <= item["entry"]["index"] < len(digests):
                item["entry"]["path"] = path_document(tree.path(item["entry"]["index"]))
        time = int(bundle["head"]["note"][4].removeprefix("time "))
        fresh = self.note(tree.root(), time, witnesses or (1,)).split("\n")
        if as_log:
            bundle["head"]["note"] = fresh if witnesses else [*fresh[:8], *bundle["head"]["note"][8:]]
        else:
            bundle["head"]["note"][1:5] = fresh[1:5]
        return bundle

    def _reseal_parts(self, bundle: dict[str, Any]) -> None:
        shown, statement = bundle["parts"], bundle["fact"]["statement"]
        data = list(self.parts.get(bundle["entry"]["index"], ()))
        known = "parts" in statement and statement["parts"]["count"] == len(data)
        if known and all(0 <= part["index"] < len(data) for part in shown):
            for part in shown:
                data[part["index"]] = part["data"].encode()
            tree = MemoryTree([twin(item) for item in data])
            statement["parts"]["root"] = tree.root().document()
            for part in shown:
                part["path"] = path_document(tree.path(part["index"]))


def encode(bundle: dict[str, Any]) -> bytes:
    """The file."""
    return canonical.encode(bundle) + b"\n"


@dataclass
class Made:
    """One world with its genuine bundles by name."""

    world: World
    bundles: dict[str, dict[str, Any]]
    note: str


def build(origin: str = "shuqing/demo-log", seed: str = "") -> Made:
    """A log of about twenty facts, and a bundle for each shape the format knows, all under one head."""
    world = World(origin, seed)
    provider, consumer = world.party(PROVIDER, AGENCY), world.party(CONSUMER, AGENCY)
    connector = world.connector(CONNECTOR, PROVIDER)
    clerk = world.staff(STAFF, AGENCY)
    entry, deal, usage = world.register_entry(), world.agreement(), world.batch()
    amended = world.agreement(prev=world.facts[deal].statement)
    bill, closed = world.statement(), world.cycle_closed()
    remark = Statement("staff-note/v1", f"note:{STAFF}", 0, None, {"text": "演示 审查意见"})
    noted = world.add(remark, world.sign(remark, STAFF, f"staff:{STAFF}", "reviewer"))
    for number in range(8):
        filler = Statement("filler/v1", f"filler:{number}", 0, None, {"number": number})
        world.add(filler, world.sign(filler, AGENCY))
    note = world.note()
    bundles = {
        "certificate": world.bundle(entry, parts=range(5), note=note),
        "agreement": world.bundle(deal, provider, consumer, note=note),
        "amendment": world.bundle(amended, consumer, provider, parts=(0, 2), note=note),
        "usage": world.bundle(usage, connector, provider, parts=(3,), note=note),
        "batch": world.bundle(usage, provider, connector, note=note),
        "line": world.bundle(bill, parts=(6,), note=note),
        "close": world.bundle(closed, note=note),
        "note": world.bundle(noted, clerk, note=note),
    }
    return Made(world, bundles, note)
