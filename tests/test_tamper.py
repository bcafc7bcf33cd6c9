"""Whoever edits a stored column, deletes a row or inserts one is named by the audit (decisions D3).

The columns come from the metadata, not from a list here: a column added tomorrow is tampered with tomorrow. Every
change is made alone, by a hand that has the database file and none of our programs, and undone afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import (
    Column,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import Boolean, Integer, LargeBinary
from sqlmodel import Session, col

from api import bootstrap, checks, jobs, keyfiles, schema, settings
from api.bootstrap import System
from clearing.market import store as market
from clearing.market.agreement import Role
from clearing.market.broker import service as brokers
from clearing.market.broker.mandate import Commission, Mandate, Task
from clearing.market.delivery import service as delivering
from clearing.market.delivery.act import DELIVERY_ACT, DeliveryAct, Found, Sent, Shipment
from clearing.market.delivery.act import Act as DeliveryMove
from clearing.market.delivery.act import Side as DeliverySide
from clearing.market.demand import service as demanding
from clearing.market.demand.demand import OFFICER, Budget, DemandMove, Part
from clearing.market.demand.demand import Move as DemandMoves
from clearing.market.matching import service as matching
from clearing.market.negotiation import service as negotiating
from clearing.market.negotiation.message import (
    Inquiry,
    Message,
    NegotiationMessage,
    Quote,
    Side,
    document_parts,
    message_statement,
)
from clearing.market.profile import service as profiles
from clearing.market.profile.kinds import Kind
from clearing.market.profile.profile import DealEvaluation, DealReply, Profile, evaluation_subject_of
from clearing.market.recommending import service as recommending
from clearing.market.shelf import store as shelf
from clearing.settlement import service as settlement
from clearing.settlement.dispute import opening
from clearing.settlement.dispute import service as disputes
from clearing.settlement.guarantee import GUARANTEE_CALL, GuaranteeCall
from clearing.settlement.netting.eligibility import Proceeds
from clearing.settlement.payment import BankAccount
from clearing.settlement.public_revenue import service as public_revenue
from clearing.settlement.public_revenue import statements as collecting
from clearing.settlement.public_revenue.allocation import Purpose
from clearing.settlement.public_revenue.proceeds import AccountKind, Collecting, Paper
from clearing.settlement.service_order import service as service_orders
from clearing.settlement.service_order import statements as ordering
from clearing.settlement.service_order.scheme import TENDER
from clearing.settlement.service_order.scorecard import Event
from clearing.settlement.service_order.settling import Accepted, Advances, Item
from clearing.terms import Tariff, TariffKind, Tax, TaxBasis
from clearing.usage import closing
from clearing.usage import service as usage
from clearing.usage import store as usage_store
from clearing.usage.batch import USAGE_BATCH, freeze, receive
from clearing.usage.record import decode, encode
from clearing.usage.service_level import notice
from clearing.usage.service_level import service as service_level
from ledger import audit as ledger_audit
from ledger import eip712, rebuild, sm, store
from ledger.chain import Chain
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of
from ledger.rebuild import column_class
from ledger.signing import sign_sm2
from ledger.store import Appended
from registry import admitting, filing
from registry.afterlife import service as after
from registry.afterlife.dispute import DisputeGround, RegisterObjection
from registry.afterlife.instrument import AuthorityType, Instrument
from registry.afterlife.remark import Recorded, RemarkAct, RemarkKind
from registry.asset import (
    Twin,
)
from registry.calendar import day_of
from registry.form import SUBMITTED, Attachment
from registry.party import Party, PartyKind, Staff, commitment_of, party_subject, uscc_is_valid
from registry.rights import Right
from registry.rulebook import service as rulebook
from registry.rulebook.rule_set import RULE_SET, rule_set_of
from registry.rulebook.year_table import CALENDAR, DayRow, YearTable
from registry.scheme import NATIONAL_2026
from registry.tables import CertificateRow
from tests.clearing.market.demands import demand_of
from tests.counts import NIGHT
from tests.played import Played, raw
from tests.registry.registry_house import a_person, by_persons
from tests.telling import Tell

OPERATIONAL_TABLES = {
    "api_key",
    "attachment",
    "attachment_access",
    "chain_pending",
    "dataspace_call",
    "draft",
    "head_lost",
    "incident",
    "intake_import",
    "leader",
    "market_negotiation_refusal",
    "market_search",
    "market_search_total",
    "objection_request",
    "outbox",
    "pricing_case",
    "subject_secret",
    "usage_answer",
    "usage_refusal",
    "waiting_signature",
    "waiting_statement",
    "web_session",
}  # fmt: skip
OPERATIONAL_COLUMNS = {"fact.seq"}
"""The closed list of decisions D3: what the audit need not recompute. Nothing else may be operational."""

LEDGER = {"fact", "part", "entry", "tile", "head", "chain_receipt", "map_leaf", "map_node"}


class RememberedChain:
    """Answers of a chain that stands still, asked once. The node is real; only repeated questions are saved."""

    def __init__(self, chain: Chain) -> None:
        self._chain, self._known = chain, {}  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._chain, name)
        if not callable(value):
            return value

        def remembered(*arguments: Any, **keywords: Any) -> Any:
            key = (name, repr(arguments), repr(keywords))
            if key not in self._known:
                self._known[key] = value(*arguments, **keywords)
            return self._known[key]

        return remembered


def _remembered(verify: Callable[[Statement, Signature], bool]) -> Callable[[Statement, Signature], bool]:
    """The same answer for the same bytes and signature, computed once: it is asked eighty times in each audit."""
    known: dict[tuple[bytes, Signature], bool] = {}

    def check(statement: Statement, signature: Signature) -> bool:
        key = (statement.bytes(), signature)
        if key not in known:
            known[key] = verify(statement, signature)
        return known[key]

    return check


class Bench:
    """A copy of the played database, a connection that changes it behind our back, and an audit over the copy."""

    def __init__(
        self, played: Played, folder: Path, system: System, hand: sqlite3.Connection, rebuilt: Session
    ) -> None:
        self.played, self.home, self.system, self.hand = played, folder, system, hand
        self.rebuilt = rebuilt

    def audit(self) -> list[str]:
        return [finding for _, found in checks.audit(self.system, offline=False) for finding in found]

    def audited(self, table: Table) -> list[str]:
        """The audit; for a view, whose edit leaves facts, tree and chain as they were, only what looks at views."""
        if table.name in LEDGER:
            return self.audit()
        with jobs.snapshot(self.system) as session:
            against = partial(rebuild.differences, rebuilt=self.rebuilt)
            found = checks.findings(self.system, session, lambda _, stored: against(stored))
            return found + checks.findings(self.system, session, checks.settled)

    @contextmanager
    def tampered(self, statement: str, *values: Any) -> Iterator[None]:
        """One statement run directly on the file; the row images are put back afterwards."""
        table = statement.split('"')[1]
        before = self.hand.execute(f'SELECT rowid, * FROM "{table}"').fetchall()
        assert self.hand.execute(statement, values).rowcount == 1, statement
        try:
            yield
        finally:
            self.hand.execute("BEGIN")
            self.hand.execute(f'DELETE FROM "{table}"')
            columns = [row[1] for row in self.hand.execute(f'PRAGMA table_info("{table}")')]
            alias = "rowid" if "seq" not in columns else None
            names = ([alias] if alias else []) + [f'"{name}"' for name in columns]
            marks = ",".join("?" * len(names))
            self.hand.executemany(
                f'INSERT INTO "{table}" ({",".join(names)}) VALUES ({marks})',
                [row if alias else row[1:] for row in before],
            )
            self.hand.execute("COMMIT")


@pytest.fixture(scope="module")
def bench(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = played.copy(tmp_path_factory.mktemp("tamper") / "home")
    _hold(played, home)
    _lay_down(played, home)
    _burden(played, home)
    _bargain(played, home)
    _hand_over(played, home)
    _let_a_person_in(played, home)
    _trade(played, home)
    _order(played, home)
    _guarantee(played, home)
    _collect(played, home)
    chain = bootstrap.connect(settings.load(home).model_copy(update={"rpc_url": played.rpc}), None)
    patch = pytest.MonkeyPatch()
    patch.setattr(ledger_audit, "verify_sm2", _remembered(ledger_audit.verify_sm2))
    still: Any = RememberedChain(chain)
    with (
        raw(home / "shuqing.db") as hand,
        played.system(home, still) as system,
        jobs.snapshot(system) as session,
        checks.replayed(system, session) as rebuilt,
    ):
        session.rollback()
        yield Bench(played, home, system, hand, rebuilt)
    patch.undo()


def _hold(played: Played, home: Path) -> None:
    """Single records on top of what the demonstration left: four held, two of them signed for by a batch."""
    keys = keyfiles.load(next((played.out / "world" / "keys").glob("connector-*.json")))
    with played.system(home) as system, jobs.transaction(system) as session:
        signer, at = system.operator.signer, system.clock()
        last = max(store.facts_of_kind(session, USAGE_BATCH), key=lambda fact: fact.statement.no)
        items = [decode(store.parts_of(session, last.id)[-1])]
        for _ in range(4):
            before = items[-1]
            record = structs.replace(before.record, seq=before.record.seq + 1, prev=Twin.of(before.digest))
            items.append(decode(encode(record)))
        usage.hold(session, items[1:], signer=signer, at=at)
        signed = freeze(items[1:3], *store.next_of(session, last.subject), keys.sm2)
        usage.admit(session, receive(signed, [item.data for item in items[1:3]]), signer=signer, at=at)
        # The connector is there today, and closes a month in which it had nothing.
        made = items[0].record
        line = closing.Line(made.connector, made.agreement, made.side)
        beat = closing.Heartbeat(made.connector, made.agreement, made.side, "2026-01-01", 0)
        for body in (closing.close_of(line, "2026-01", []), beat):
            place = store.next_of(session, closing.subject_of(made.connector))
            usage.take_report(session, closing.freeze(body, *place, keys.sm2), at=at)


def _lay_down(played: Played, home: Path) -> None:
    """A year's working days and the rule set in force, each stated by two members of the agency's staff."""
    found = [keyfiles.load(path) for path in sorted((played.out / "world" / "keys").glob("staff-*.json"))]
    staff = [keys for keys in found if keys.by in ("staff:intake-1", "staff:reviewer-1")]
    assert len(staff) == 2, [keys.by for keys in found]
    days = ("2027-01-01", "2027-05-01", "2027-10-01", "2027-10-02", "2027-10-03")
    year = YearTable(2027, 1, "演示", tuple(DayRow(day, False) for day in days))

    def signed(session: Session, kind: str, subject: str, body: Any) -> Signed:
        statement = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
        return Signed(statement, tuple(sign_sm2(keys.sm2, statement, by=keys.by) for keys in staff))

    with played.system(home) as system, jobs.transaction(system) as session:
        house, at = system.house, system.clock()
        rulebook.publish_calendar(session, house, signed(session, CALENDAR, "calendar:2027", year), at=at)
        rules = rule_set_of(NATIONAL_2026)
        rulebook.record_rule_set(session, house, signed(session, RULE_SET, "rule-set:national_2026", rules), at=at)


def _burden(played: Played, home: Path) -> None:
    """What follows the issue of a certificate, stated about one of the demonstration's: a row in each of its tables."""
    with played.system(home) as system, jobs.transaction(system) as session:
        signer, at, agency = system.agency.signer, system.clock(), system.house
        keys = {name: sm.generate() for name in ("reviewer", "approver", "intake")}

        def signed(kind: str, subject: str, body: Any, *roles: str) -> Signed:
            statement = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
            staff = tuple(sign_sm2(keys[role], statement, by=f"staff:after-{role}", role=role) for role in roles)
            return Signed(statement, staff or (signer.sign(statement),))

        for role, key in keys.items():
            hired = signed("staff/v1", f"staff:after-{role}", Staff(agency.uscc, key.public, (role,)))
            admitting.register_staff(session, agency, hired, at=at)
        row = session.scalars(select(CertificateRow).order_by(col(CertificateRow.code))).all()[0]
        paper, day = Twin("1" * 64, "2" * 64), day_of(at).isoformat()
        ruling = Instrument(AuthorityType.COURT, "演示法院", "演示", "1号", day, paper, day)
        record = Recorded(RemarkKind.PRESERVATION, (Right.HOLD,), day, day, certificate=row.code)
        two = ("reviewer", "approver")
        act = signed("remark/v1", f"remark:{'a' * 32}", RemarkAct("E-01", record, ruling), *two)
        after.remark(session, agency, act, signer, at=at)
        after.run_timers(session, agency, signer, at=at + 3 * 86_400, calendar=system.calendar)
        file = Attachment("异议申请书", "a.pdf", "application/pdf", 1, paper)
        objection = RegisterObjection(row.code, "演示", "演示", DisputeGround.ERROR, (Right.HOLD,), "演示", (file,))
        stated = signed("register-objection/v1", f"register-objection:{'b' * 32}", objection, "intake")
        after.object_to(session, agency, stated, signer, at=at)


def _bargain(played: Played, home: Path) -> None:
    """A negotiation about the demonstration's product: an inquiry, and the seller's price."""
    with played.system(home) as system, jobs.transaction(system) as session:
        row, at = shelf.listings(session)[0], system.clock()
        buyer = next(item for item in market.agreements(session) if item.seller == row.value.seller).consumer
        keys = _party_keys(played)
        inquiry = Inquiry(row.value.version, "演示", "M1", 1_000, at, at + 86_400, "1" * 64)
        quote = Quote(Tariff(TariffKind.FIXED, row.value.unit, 100), Tax(TaxBasis.INCLUSIVE, 600), "2" * 64,
                      row.value.guide_price)  # fmt: skip
        for message, side, document in (
            (Message.INQUIRE, Side.CONSUMER, inquiry),
            (Message.QUOTE, Side.PROVIDER, quote),
        ):
            subject = f"negotiation:{'c' * 64}"
            body = NegotiationMessage(message, side, buyer, row.value.seller, row.id, valid_until=at + 86_400)
            statement = message_statement(subject, *store.next_of(session, subject), body, document)
            signed = Signed(statement, (sign_sm2(keys[body.sender], statement, by=body.sender, role=side.value),))
            place = {"domain": system.agreement_domain, "operator": system.settings.operator}
            assert isinstance(negotiating.send(session, signed, document_parts(document), **place, at=at), Appended)


def _party_keys(played: Played) -> dict[str, sm.Sm2Key]:
    found = [keyfiles.load(file) for file in (played.out / "world" / "keys").glob("party-*.json")]
    return {keys.by: keys.sm2 for keys in found}


def _hand_over(played: Played, home: Path) -> None:
    """A month of the demonstration's interface, delivered and received under its agreement."""
    with played.system(home) as system, jobs.transaction(system) as session:
        at, keys = system.clock(), _party_keys(played)
        row = market.agreements_in_force(session, at)[0]
        terms = market.terms_of(session, row.id, row.revision)
        provider = next(party.party for party in terms.parties if party.role is Role.PROVIDER)
        last = (day_of(at).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        sent = Sent("calls", "演示", "call", 5, 100, first=1, last=5)
        shipment = Shipment(row.revision, terms.product.digest, terms.delivery.mode, "演示", at, (sent,), period=last)
        about = (row.id, provider, row.consumer)
        for body in (
            DeliveryAct(DeliveryMove.DELIVER, DeliverySide.PROVIDER, *about, shipment=shipment),
            DeliveryAct(DeliveryMove.RECEIVE, DeliverySide.CONSUMER, *about, found=(Found("calls", 100, None, 1, 5),)),
        ):
            subject = f"delivery:{'d' * 32}"
            statement = Statement(DELIVERY_ACT, subject, *store.next_of(session, subject), body_of(body))
            signature = sign_sm2(keys[body.sender], statement, by=body.sender, role=body.side.value)
            delivering.take(session, Signed(statement, (signature,)), calendar=system.calendar, at=at)
        _complain(session, system, at, keys, row, provider)


def _complain(
    session: Session, system: System, at: int, keys: dict[str, sm.Sm2Key], row: market.AgreementRow, provider: str
) -> None:
    """An incident, a check, and a complaint about the delivery, each stated by a party."""

    def signed(kind: str, subject: str, body: Any, by: str, role: str = "") -> Signed:
        statement = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
        return Signed(statement, (sign_sm2(keys[by], statement, by=by, role=role),))

    seller = f"party:{row.seller}"
    outage = notice.OutageAct(
        notice.Act.REPORT, notice.Speaker.SELLER, row.seller, row.listing, start=at, detected_at=at, text="演示"
    )
    service_level.take_outage(session, signed(notice.OUTAGE_ACT, f"outage:{'e' * 32}", outage, seller), at=at)
    check = notice.QualityCheck(
        row.seller, notice.Source.SELLER, row.listing, notice.Metric.ACCURACY, day_of(at).strftime("%Y-%m"), 10, 9,
        "演示", Twin("1" * 64, "2" * 64),
    )  # fmt: skip
    service_level.take_check(session, signed(notice.QUALITY_CHECK, f"quality-check:{'e' * 32}", check, seller), at=at)
    facts = disputes.evidence_of(session, row.id, opening.Topic.DELIVERY, delivery="d" * 32)
    evidence = tuple(map(disputes.entry_of, facts))
    complaint = opening.Complaint(opening.Topic.DELIVERY, "演示", "演示", evidence, "d" * 32)
    body = opening.DisputeAct(opening.Act.OPEN, opening.Side.FILER, row.id, row.consumer, provider, complaint)
    said = signed(opening.DISPUTE_ACT, f"dispute:{'e' * 32}", body, body.sender, body.side.value)
    disputes.take(session, said, system.office, operator=system.settings.operator, at=at)


def _let_a_person_in(played: Played, home: Path) -> None:
    """A natural person admitted and applying, for the table that says whose an identity paper is."""
    me, key = a_person(), sm.generate()
    by = party_subject(me.party)
    with played.system(home) as system, jobs.transaction(system) as session:
        signer, at, agency = system.agency.signer, system.clock(), replace(system.house, papers_received=False)
        evm = eip712.address_of(eip712.new_key())
        body = Party(me.shown, PartyKind.NATURAL, "", key.public, evm, (), commitment_of(me.person))
        said = Statement("party/v1", by, 0, None, body_of(body))
        asked = Signed(said, (sign_sm2(key, said, by=by), signer.sign(said)))
        admitting.register_party(session, agency, asked, at=at)
        form = replace(by_persons(me), agency=agency.uscc)
        said = Statement(SUBMITTED, f"application:{'c' * 32}", 0, None, body_of(form))
        filed = Signed(said, (sign_sm2(key, said, by=by),))
        filing.submit_application(session, agency, filed, at=at, calendar=system.calendar)


def _trade(played: Played, home: Path) -> None:
    """A demand worked on and matched, a broker's mandate, a profile, an evaluation with its answer: a row of each."""
    with played.system(home) as system, jobs.transaction(system) as session:
        at, agency, operator = system.clock(), system.house, system.settings.operator
        held = next(item for item in market.agreements(session) if usage_store.has_billable(session, item.id))
        files = map(keyfiles.load, (played.out / "world" / "keys").glob("party-*.json"))
        keys = {found.by: found.sm2 for found in files}
        buyer, seller = party_subject(held.consumer), party_subject(held.seller)
        officer, broker = "staff:dem", sm.generate()
        keys[officer] = sm.generate()

        def signed(kind: str, subject: str, body: Any, *who: str, role: str = "") -> Signed:
            statement = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
            return Signed(statement, tuple(sign_sm2(keys[by], statement, by=by, role=role) for by in who))

        staff = Statement("staff/v1", officer, 0, None, body_of(Staff(operator, keys[officer].public, (OFFICER,))))
        admitting.register_staff(session, agency, Signed(staff, (system.operator.signer.sign(staff),)), at=at)
        codes = (f"91330100MA0000009{last}" for last in "0123456789ABCDEFGHJKLMNPQRTUWXY")
        uscc = next(code for code in codes if uscc_is_valid(code))
        by_broker, keys[party_subject(uscc)] = party_subject(uscc), broker
        body = Party("演示", PartyKind.LEGAL, uscc, broker.public, eip712.address_of(eip712.new_key()), ("broker",))
        said = Statement("party/v1", by_broker, 0, None, body_of(body))
        both = (sign_sm2(broker, said, by=by_broker), system.agency.signer.sign(said))
        admitting.register_party(session, agency, Signed(said, both), at=at)

        identity, day = "d" * 32, day_of(at).isoformat()
        wish = demand_of(demander=held.consumer, deadline=day)
        demanding.state(session, signed("demand/v1", f"demand:{identity}", wish, buyer), at=at)
        band = signed("demand-budget/v1", f"demand-budget:{identity}", Budget(1, 2), buyer)
        demanding.set_budget(session, band, at=at)
        split = DemandMove(DemandMoves.SPLIT, parts=(Part("演示", held.seller, day),))
        for move in (DemandMove(DemandMoves.CHECK), DemandMove(DemandMoves.MERGE), split):
            act = signed("demand-move/v1", f"demand:{identity}", move, officer, role=OFFICER)
            demanding.move(session, act, operator=operator, signer=system.operator.signer, at=at)
        matching.take_ranking(session, identity, signer=system.operator.signer, at=at)
        mandate = Mandate(held.consumer, uscc, (Task.INQUIRE,), Commission(bp=1), "演示", day, day)
        brokers.give(session, signed("mandate/v1", f"mandate:{identity}", mandate, buyer, by_broker), at=at)
        profile = Profile((Kind.RESOURCE,), ("G56",), "演示")
        profiles.declare(session, signed("party-profile/v1", f"party-profile:{held.seller}", profile, seller), at=at)
        about = evaluation_subject_of(held.id, held.consumer)
        given = signed("deal-evaluation/v1", about, DealEvaluation(held.id, held.consumer, held.seller, 5), buyer)
        profiles.evaluate(session, given, delivered=usage_store.has_billable, at=at)
        recommending.switch(session, held.consumer, on=False, signer=system.operator.signer, at=at)
        profiles.reply(session, signed("deal-reply/v1", about, DealReply("谢谢"), seller), at=at)


def _order(played: Played, home: Path) -> None:
    """A service contract with an order, a month, an incident, and its 项目周期 settled and invoiced: a row of each."""
    with played.system(home) as system, jobs.transaction(system) as session:
        at, keys = system.clock(), _party_keys(played)
        buyer, provider, supervisor = sorted(keys)[:3]
        names = [by.removeprefix("party:") for by in (buyer, provider, supervisor)]
        about = dict(zip(("buyer", "provider", "supervisor"), names, strict=True)) | {"contract": "d" * 32}
        month = (day_of(at).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        paper = Twin("1" * 64, "2" * 64)

        def say(body: ordering.Stated) -> None:
            kind = next(kind for kind, (type_, _, _) in ordering.KINDS.items() if type_ is type(body))
            subject = ordering.subject_of(kind, body, "e" * 32)
            said = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
            who = ordering.signers_of(kind, body)
            service_orders.take(session, Signed(said, tuple(sign_sm2(keys[by], said, by=by) for by in who)), at=at)

        def event(row: str, **more: Any) -> Event:
            return Event(row, paper, row.replace(".", "").ljust(64, "0"), **more)

        rates = (event("2.1", part=1, whole=1), event("2.2", part=1, whole=1), event("4.1", points="90"))
        say(ordering.Contract(**about, award=100, scheme=TENDER))
        say(ordering.Placed(**about, name="演示", items=(Item("I", "演示", 100_000_000, 1),)))
        say(ordering.OrderScore(**about, events=rates))
        say(ordering.OrderAcceptance(**about, accepted=(Accepted("I", 1, 1),), document=paper))
        say(ordering.MonthlyScore(**about, month=month))
        say(ordering.IncidentFound(**about, fact="f" * 64, number=1, document=paper))
        say(ordering.CycleAccepted(**about, cycle="2026-1", first=month, last=month, report=paper))
        body = service_orders.draft(session, "d" * 32, "2026-1", Advances())
        say(body)
        say(ordering.CycleInvoiced(**about, cycle="2026-1", number="1", fen=body.settlement.pay))
        booked = {"bank": "102100099996", "reference": "P3-1", "booked_on": day_of(at).isoformat(), "evidence": paper}
        say(ordering.CyclePaid(**about, cycle="2026-1", fen=body.settlement.pay, **booked))


def _guarantee(played: Played, home: Path) -> None:
    """A guarantee called by a cycle that nobody opened yet, so that its own audit does not say it is none: a row."""
    with played.system(home) as system, jobs.transaction(system) as session:
        held, at = market.agreements(session)[0], system.clock()
        body = GuaranteeCall(
            held.id, held.revision, "2027-01", 1, "CNY", held.seller, held.consumer, 100, 58, 0, 42, at
        )
        subject = settlement.guarantee_subject(body.claim)
        settlement.state_fact(session, system.office, GUARANTEE_CALL, subject, body, at)


def _collect(played: Played, home: Path) -> None:
    """Non-tax revenue from its plan to a refund that was paid: a row of each."""
    with played.system(home) as system, jobs.transaction(system) as session:
        at, agency, keys = system.clock(), system.house, _party_keys(played)
        payer, day, paper = sorted(keys)[0], day_of(at).isoformat(), Twin("1" * 64, "2" * 64)
        codes = [f"11330100MA0000007{last}" for last in "0123456789ABCDEFGHJKLMNPQRTUWXY"]
        codes += [code.replace("0007", "0008") for code in codes]
        authority, treasury = (code for code in codes if uscc_is_valid(code))
        roles = {authority: (collecting.AUTHORITY, collecting.ISSUER), treasury: (collecting.TREASURY,)}
        for code, has in roles.items():
            by, key = party_subject(code), sm.generate()
            keys[by] = key
            evm = eip712.address_of(eip712.new_key())
            said = Statement(
                "party/v1", by, 0, None, body_of(Party("演示", PartyKind.LEGAL, code, key.public, evm, has))
            )
            both = (sign_sm2(key, said, by=by), system.agency.signer.sign(said))
            admitting.register_party(session, agency, Signed(said, both), at=at)
        persons = {"staff:nt-maker": collecting.MAKER, "staff:nt-checker": collecting.CHECKER}
        for by, role in persons.items():
            keys[by] = sm.generate()
            said = Statement("staff/v1", by, 0, None, body_of(Staff(authority, keys[by].public, (role,))))
            signed = Signed(said, (sign_sm2(keys[party_subject(authority)], said, by=party_subject(authority)),))
            admitting.register_staff(session, agency, signed, at=at)
        due, plan, ticket = "d" * 32, "e" * 32, collecting.TicketKey("1" * 8, "2" * 10)
        about = {"authority": authority, "payer": payer.removeprefix("party:"), "treasury": treasury,
                 "issuer": authority}  # fmt: skip

        def say(body: Any) -> str:
            kind = next(kind for kind, (type_, _, _) in collecting.KINDS.items() if type_ is type(body))
            stated_plan = kind == collecting.ALLOCATION_PLAN
            subject = collecting.plan_subject(plan) if stated_plan else collecting.due_subject(due)
            said = Statement(kind, subject, *store.next_of(session, subject), body_of(body))
            one = collecting.signer_of(kind, body)
            who = {one: ""} if one else persons
            signatures = tuple(sign_sm2(keys[by], said, by=by, role=role) for by, role in who.items())
            return public_revenue.take(session, Signed(said, signatures), at=at).fact.id

        def divided(refund: int = 0) -> dict[str, Any]:
            found = public_revenue.division(session, due, ticket, plan, refund)
            return {
                **about,
                **{name: getattr(found, name) for name in ("ticket", "plan", "version", "before", "lines")},
            }

        origin = say(collecting.Plan(authority, 1, (Purpose("A", "演示", "103", paper, 10**9),)))
        to = Collecting(AccountKind.FISCAL, BankAccount("1" * 12, "演示", "1", "演示"))
        say(collecting.Due(**about, proceeds_kind=Proceeds.NON_TAX, item="103", name="演示", period=day[:7], fen=100,
                           basis=paper, origin=origin))  # fmt: skip
        say(collecting.Notice(**about, code="1" * 8, fen=100, to=to, due_on=day))
        say(collecting.Payment(**about, source=collecting.Source.TREASURY, code="1" * 8, fen=100, account="1",
                               bank="1" * 12, reference="E", booked_on=day, evidence=paper))  # fmt: skip
        say(collecting.Ticket(**about, paper=Paper.FISCAL_TICKET, ticket=ticket, check="a" * 6, fen=100, issued_on=day))
        say(collecting.Allocation(**divided()))
        back = say(collecting.Refund(**divided(40), fen=40, reason="演示", document=paper))
        say(collecting.RefundPaid(**about, refund=back, fen=40, bank="1" * 12, reference="R", booked_on=day,
                                  evidence=paper))  # fmt: skip


def test_operational__tables_and_columns_are_a_closed_list() -> None:
    found_tables, found_columns = set(), set()
    for table in schema.TABLES:
        classes = {column_class(column) for column in table.columns}
        assert classes <= {"fact", "derived", "operational"}, table.name
        if classes == {"operational"}:
            found_tables.add(table.name)
        else:
            found_columns |= {str(c) for c in table.columns if column_class(c) == "operational"}
    assert found_tables == OPERATIONAL_TABLES
    assert found_columns == OPERATIONAL_COLUMNS


@pytest.mark.chain
def test_audit__untouched_and_with_operational_columns_scrambled__finds_nothing(bench: Bench) -> None:
    assert bench.audit() == []
    with bench.tampered('UPDATE "subject_secret" SET secret = zeroblob(32) WHERE rowid = 1'):
        assert bench.audit() == []
    with bench.tampered('UPDATE "fact" SET seq = 100000 WHERE seq = 5'):
        assert bench.audit() == []


def _tables() -> list[Table]:
    return [table for table in schema.TABLES if table.name not in OPERATIONAL_TABLES]


@pytest.mark.chain
def test_tamper__every_column_of_every_table_with_rows__is_named(bench: Bench, tell: Tell) -> None:
    """A plausible other value, and at night one of a wrong type and none too, for each fact and derived column of the
    metadata."""
    tried, missed = 0, []
    for table in _tables():
        for column in table.columns:
            if column_class(column) == "operational":
                continue
            row = _row(bench, table, column)
            if row is None:
                continue
            for other in islice(_others(column, row[column.name]), None if NIGHT else 1):
                where, key = _where(table, row)
                with bench.tampered(f'UPDATE "{table.name}" SET "{column.name}" = ? WHERE {where}', other, *key):
                    tried += 1
                    found = bench.audited(table)
                    if not _names(found, table, row, column, other):
                        missed.append((str(column), row[column.name], other, found[:3]))
    tell(f"{tried} single-column changes in {len(_tables())} tables, each found and named")
    assert missed == [], "\n".join(map(str, missed))
    assert tried > 400


@pytest.mark.chain
def test_tamper__a_row_deleted_from_every_table__is_named(bench: Bench) -> None:
    missed = []
    for table in _tables():
        row = _row(bench, table, None)
        if row is None:
            continue
        where, key = _where(table, row)
        with bench.tampered(f'DELETE FROM "{table.name}" WHERE {where}', *key):
            found = bench.audited(table)
            if not _names(found, table, row, None, None):
                missed.append((table.name, found[:3]))
    assert missed == []


@pytest.mark.chain
def test_tamper__a_row_inserted_into_every_table__is_named(bench: Bench) -> None:
    missed = []
    for table in _tables():
        row = _row(bench, table, None)
        fresh = _fresh_row(table, row)
        names, marks = ",".join(f'"{name}"' for name in fresh), ",".join("?" * len(fresh))
        with bench.tampered(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', *fresh.values()):
            found = bench.audited(table)
            if not _names(found, table, fresh, None, None):
                missed.append((table.name, fresh, found[:3]))
    assert missed == []


@pytest.mark.chain
@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ('UPDATE "clearing_share" SET amount = amount + 1 WHERE rowid = 1', "clearing_share["),
        ('UPDATE "fact" SET bytes = replace(bytes, \'"at":\', \'"at":1\') WHERE seq = 9', "fact["),
        ('DELETE FROM "market_nonce" WHERE rowid = 2', "market_nonce["),
        ("UPDATE \"certificate\" SET valid_until = 'forever' WHERE rowid = 1", "certificate["),
    ],
)
def test_shuqing_audit__a_tampered_database__exit_code_1_and_the_row(
    played: Played, tmp_path: Path, statement: str, wanted: str
) -> None:
    home = played.copy(tmp_path / "home")
    with raw(home / "shuqing.db") as hand:
        assert hand.execute(statement).rowcount == 1
    done = played.shuqing("audit", home=home)
    assert done.returncode == 1, done.stderr
    assert wanted in done.stdout
    assert "Traceback" not in done.stderr


def _names(found: list[str], table: Table, row: dict[str, Any], column: Column[Any] | None, other: Any) -> bool:
    """Does a finding name this table and row, before or after the change?"""
    keys = {_key(table, row)}
    if table.name == "entry":  # the last place of the log leaves no gap: what is missing is its fact's place
        keys.add(str(row["fact_id"]))
    if column is not None:
        keys.add(_key(table, row | {column.name: other}))
    rows = [finding for finding in found if any(finding.startswith(f"{table.name}[{key}") for key in keys)]
    return bool(rows)


def _key(table: Table, row: dict[str, Any]) -> str:
    """How findings write a row: its primary key; a fact by its id, a place of the log by its index."""
    if table.name == "fact":
        return str(row["id"])
    values = [row[c.name] for c in table.primary_key.columns]
    return "/".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)


def _row(bench: Bench, table: Table, column: Column[Any] | None) -> dict[str, Any] | None:
    """A row of the table; for a column that may be empty, one where it is not."""
    empty = f'WHERE "{column.name}" IS NOT NULL' if column is not None and column.nullable else ""
    order = ",".join(f'"{c.name}"' for c in table.primary_key.columns)
    cursor = bench.hand.execute(f'SELECT * FROM "{table.name}" {empty} ORDER BY {order} DESC LIMIT 1')
    found = cursor.fetchone()
    return dict(zip([item[0] for item in cursor.description], found, strict=True)) if found else None


def _where(table: Table, row: dict[str, Any]) -> tuple[str, list[Any]]:
    names = [c.name for c in table.primary_key.columns]
    return " AND ".join(f'"{name}" = ?' for name in names), [row[name] for name in names]


def _others(column: Column[Any], value: Any) -> Iterator[Any]:
    """Another value of the right type, one of a wrong type, and nothing where nothing is allowed."""
    kind = column.type
    if isinstance(kind, Boolean):
        yield 1 - value
        yield 7
    elif isinstance(kind, Integer):
        yield value + (1_000_000 if column.name in _unique(column.table) else 1)
        if not _is_rowid(column):
            yield "one"
    elif isinstance(kind, LargeBinary):
        yield value[:-1] + bytes([value[-1] ^ 1])
        yield "text"
    else:
        text = str(value)
        yield (text[:-1] + ("0" if text[-1] != "0" else "1")) if text else "x"
        yield b"\xff\x00"
    if column.nullable:
        yield None


def _is_rowid(column: Column[Any]) -> bool:
    """SQLite's own row number: it takes nothing but integers there."""
    alone = list(column.table.primary_key.columns) == [column]
    return alone and column.type.compile(sqlite.dialect()) == "INTEGER"


def _fresh_row(table: Table, row: dict[str, Any] | None) -> dict[str, Any]:
    """A copy of a row under another key, with everything unique made different; made up where there is no row."""
    if row is None:
        row = {c.name: _plain(c) for c in table.columns}
    changed = _unique(table)
    return {
        name: _moved(table.columns[name], value) if name in changed and value is not None else value
        for name, value in row.items()
    }


def _unique(table: Table) -> set[str]:
    """Columns whose value, alone or with others, stands once."""
    names = {c.name for c in table.primary_key.columns} | {c.name for c in table.columns if c.unique}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            names |= {c.name for c in constraint.columns}
    for index in table.indexes:
        if index.unique:
            names |= {c.name for c in index.columns}
    return names


def _plain(column: Column[Any]) -> Any:
    return 0 if isinstance(column.type, Integer | Boolean) else b"" if isinstance(column.type, LargeBinary) else "x"


def _moved(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, Integer):
        return value + 1_000_000
    return next(iter(_others(column, value)))
