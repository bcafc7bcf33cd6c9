"""The stage of the demonstration: its processes, its parties with their keys, and how it is told and waited for."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_csr

from api import bootstrap, jobs, keyfiles, sealing
from api.apikey import issue
from api.client import PlatformClient
from api.settings import AuthoritySettings, Settings, StampSettings, WitnessSettings, save
from clearing.settlement import close as closing
from ledger import anchoring, eip712, log, outbox
from ledger.chain import Deployment
from ledger.web3_chain import Web3Chain
from registry.calendar import SHANGHAI
from registry.onchain import agency_id
from registry.party import Party, PartyKind, Staff
from scripts.demo.cast import (
    AGENCY,
    AUDITOR,
    NAMES,
    OPERATOR,
    ROLES,
    STAFF,
    Actor,
    key_file,
)
from scripts.demo.world import (
    CHAIN_ID,
    Clock,
    Processes,
    answers,
    free_port,
    public_keys,
    start_anvil,
    write_json,
)
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all

PERIOD = "2026-09"
CONNECTOR = "flights-gate-1"
WITNESSES = ("registry-witness", "notary-witness", "court-witness")
BANK_CODE = "999290000016"


def at(text: str) -> int:
    """Seconds UTC of a Beijing time such as "2026-03-02 09:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp())


class Stage:
    """One run's folder, clock and children, the actors with their keys, and what has been made so far."""

    def __init__(self, out: Path, calls: int, children: Processes) -> None:
        self.out, self.calls, self.children = out, calls, children
        self.world = out / "world"
        self.home = self.world / "platform"
        self.keys = self.world / "keys"
        self.clock = Clock(self.world / "clock", at("2026-08-03 09:00"))
        self.steps = 0
        self.actors: dict[str, Actor] = {}
        self.kept = True

    # --- set-up ------------------------------------------------------------------------------------------------------

    def start_world(self) -> None:
        self.say(
            "启动各方进程：链、存证机构、认证机构、时间戳机构、三个见证方、银行（均为演示）",
            "starting chain, deposit authority, certification and time-stamp authority, witnesses, bank",
        )
        self.home.mkdir(parents=True)
        for name in bootstrap.KEY_FILES:
            holder = AGENCY if name == bootstrap.AGENCY_KEYS else OPERATOR
            keyfiles.create(self.home / "keys" / name, f"party:{holder}")
        self.rpc = start_anvil(self.children, self.world / "anvil.json", self.clock.now)
        self.clock.node = self.rpc
        self._deploy()
        log_keys = keyfiles.load(self.home / "keys" / "log.json")
        origin = "shuqing/demo"
        public = bootstrap.LogKeys(origin, log_keys.ed25519, log_keys.sm2).public()
        write_json(self.world / "log-public.json", public.document())
        witnesses = [
            self._counterparty(name, "witness", "--log", str(self.world / "log-public.json")) for name in WITNESSES
        ]
        self.authority = self._counterparty("deposit-authority", "deposit_authority", title="数据存证服务机构（演示）")
        self.bank = self._counterparty("bank", "bank", "--code", BANK_CODE)
        stamps = self._seal()
        authority = public_keys(self.authority)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = Settings(
            home=self.home,
            origin=origin,
            rpc_url=self.rpc,
            chain_id=CHAIN_ID,
            agency=AGENCY,
            agency_name=NAMES[AGENCY],
            agency_region="33",
            agency_digit="1",
            agency_catalogue_no="演示-33-1",
            operator=OPERATOR,
            witnesses=tuple(
                WitnessSettings(name=name, url=url, public=public_keys(url)["key"])
                for name, url in zip(WITNESSES, witnesses, strict=True)
            ),
            deposit_authority=AuthoritySettings(
                url=self.authority, uscc=authority["by"].removeprefix("party:"), name=authority["name"],
                sm2=authority["key"],
            ),
            time_stamp_authority=stamps,
            check_base_url=self.url,
            clock_file=self.clock.file,
            papers_received=False,
            demo=True,
        )  # fmt: skip
        save(settings)
        bootstrap.migrate(settings.database)
        self.system = bootstrap.build(settings)
        self.children.python(
            "platform", "api", "serve", "--home", str(self.home), "--port", str(self.port),
            ready=answers(f"{self.url}/api/log"),
        )  # fmt: skip
        self.children.python("worker", "api", "worker", "--home", str(self.home), ready=self._worker_ready)
        self.note(f"链 {CHAIN_ID} 上部署了四个合约；平台在 {self.url}，后台任务独立运行")

    def _seal(self) -> StampSettings:
        """The agency's seal with a certificate of the 演示 certification authority, and the time-stamp authority."""
        ca = self._counterparty("certificate-authority", "certificate_authority", title="电子认证服务机构（演示）")
        stamps = self._counterparty(
            "time-stamp-authority", "time_stamp_authority", "--ca", ca, title="时间戳服务机构（演示）"
        )
        root = self.home / "time-stamp-root.pem"
        root.write_text(public_keys(ca)["certificate"], encoding="ascii")
        seal = sealing.path_of(self.home)
        sealing.create(seal, NAMES[AGENCY], at=self.clock.now)
        wanted = load_pem_x509_csr(sealing.request(seal, NAMES[AGENCY])).public_bytes(Encoding.DER)
        asked = {"request": base64.b64encode(wanted).decode(), "use": "seal"}
        given = httpx.post(f"{ca}/certificates", json=asked, timeout=10, trust_env=False).raise_for_status().json()
        sealing.install(seal, given["certificates"].encode(), at=self.clock.now)
        return StampSettings(url=stamps, root=Path(root.name))

    def _worker_ready(self) -> bool:
        return "worker ready" in (self.world / "logs" / "worker.log").read_text(encoding="utf-8", errors="replace")

    def _deploy(self) -> None:
        members = [eip712.new_key() for _ in range(3)]
        council = Council(tuple(eip712.address_of(key) for key in members), 2, tuple(members[:2]))
        relay = keyfiles.load(self.home / "keys" / "relay.json")
        log_keys = keyfiles.load(self.home / "keys" / "log.json")
        operator = keyfiles.load(self.home / "keys" / "operator.json")
        agency = keyfiles.load(self.home / "keys" / "agency.json")
        self.auditor_keys = key_file(self.keys, f"party:{AUDITOR}")
        chain = Web3Chain(self.rpc, Deployment(CHAIN_ID, {}, ARTIFACTS), relay.evm)
        parties = Parties(
            log_key=log_keys.address,
            agencies={agency_id(AGENCY): agency.address},
            operators={bytes.fromhex(closing.operator_id(OPERATOR)): operator.address},
            auditors=(self.auditor_keys.address,),
        )
        placed = deploy_all(chain, council, parties)
        (self.home / "deployment.json").write_text(placed.to_json(), encoding="utf-8")

    def _counterparty(self, name: str, module: str, *arguments: str, title: str = "") -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self.children.python(
            name, f"scripts.counterparties.{module}", "--home", str(self.world / name), "--port", str(port),
            "--clock", str(self.clock.file), "--name", title or name, *arguments, ready=answers(f"{url}/key"),
        )  # fmt: skip
        return url

    # --- parties -----------------------------------------------------------------------------------------------------

    def admit_parties(self) -> None:
        self.say(
            "七个主体入册，各持自己的密钥（SM2 与 secp256k1）", "seven parties are admitted, each with its own keys"
        )
        for party in NAMES:
            self._admit(party)
        for name, (organisation, role) in STAFF.items():
            actor = self._actor(f"staff:{name}")
            body = Staff(organisation, actor.keys.sm2.public, (role,))
            self.actors[f"party:{organisation}"].state("/api/staff", "staff/v1", actor.by, body)
        self.note(f"{len(NAMES)} 个主体、{len(STAFF)} 名工作人员，均为已签名事实")

    def _admit(self, party: str) -> None:
        actor = self._actor(f"party:{party}")
        body = Party(NAMES[party], PartyKind.LEGAL, party, actor.keys.sm2.public, actor.keys.address, ROLES[party])
        also = [] if party == AGENCY else [self.actors[f"party:{AGENCY}"].signer()]
        actor.state("/api/parties", "party/v1", actor.by, body, also=also)

    def _actor(self, by: str) -> Actor:
        """An actor with its key file (the operator's and the agency's lie in the platform's home) and an API key."""
        own = {f"party:{OPERATOR}": "operator.json", f"party:{AGENCY}": "agency.json"}
        keys = keyfiles.load(self.home / "keys" / own[by]) if by in own else key_file(self.keys, by)
        with jobs.transaction(self.system) as session:
            token = issue(session, by, at=self.clock.now)
        self.actors[by] = Actor(keys, PlatformClient(self.url, token))
        return self.actors[by]

    # --- telling and waiting -----------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Waits until the worker has every fact in a published head and every chain-bound fact on the chain."""
        self.wait("published", self._all_published)

    def _all_published(self) -> bool:
        with jobs.snapshot(self.system) as session:
            due = any(anchoring.due_facts(session, face) for face in self.system.faces)
            return not due and not outbox.backlog(session) and outbox.published_size(session) == log.size(session)

    @staticmethod
    def wait(what: str, done: Callable[[], bool], seconds: int = 60) -> None:
        """Waits for `done`. Raises RuntimeError after `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError(f"等待超时 / timed out: {what}")
            time.sleep(0.1)

    def say(self, chinese: str, english: str) -> None:
        self.steps += 1
        today = datetime.fromtimestamp(self.clock.now, SHANGHAI).strftime("%Y-%m-%d")
        print(f"\n[{self.steps:2}] {today} {chinese}\n     {english}", flush=True)

    def note(self, text: str) -> None:
        print(f"     {text}", flush=True)
