"""A seeded machine that lives through business days of a small market and checks everything after every step.

World: parties with keys on a real register, real agreements, connectors and usage batches, the settlement services, and
a bank that books, delays, returns and pays twice. Each step is one transaction, drawn from `STEPS` by a generator
seeded once; the model (`settlement_oracle`) is told the same step and says what must be there. A step may be taken by a
child process that is killed in the middle of it or after its commit; the parent goes on from what is on disk.

Every draw is made from the seed and the model alone, never from an id or a key, so a seed lives through the same steps
again. One more kind of step is one more entry of `STEPS`. Source: domain clearing §9, §12, §13; everything is 演示.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session

from api import bootstrap
from clearing.errors import BankFileRefused, ClearingError, TooEarly, WrongMove
from clearing.market import store as market
from clearing.market.agreement import Act as Deed
from clearing.market.agreement import Role, Signer, State, TermsParty, sorted_signers
from clearing.market.agreement import Product as Licensed
from clearing.market.policy import Action, Constraint, Left, Operator, Policy, Reason, Rule, policy_digest
from clearing.market.policy import Decision as Gate
from clearing.settlement import onchain, service, store
from clearing.settlement.dispute import service as disputes
from clearing.settlement.dispute.opening import DISPUTE_ACT, Act, Complaint, Decision, DisputeAct, Side, Topic
from clearing.settlement.payment import BankAccount, Batch
from clearing.settlement.service import Office
from clearing.terms import (
    SHANGHAI,
    Holder,
    Period,
    SharingPlan,
    Slice,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Tier,
    Weight,
    month,
)
from clearing.terms import Terms as SettlementTerms
from clearing.usage import service as usage
from clearing.usage.batch import freeze, receive
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.record import Admitted, StatusClass
from clearing.usage.service import Admission, Refusal
from ledger import log, signing, sm
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Fact, Signature, Signed, Statement
from ledger.reading import body_of, read
from registry import signers
from registry.asset import Twin
from registry.rights import Right
from registry.tables import CertificateRow, HoldingRow, PartyRow
from tests.clearing.market import house as houses
from tests.clearing.market.house import CODE, CONSUMER, COURT, DAY, DOMAIN, NOW, OPERATOR, PROVIDER, SELLER, House, uscc
from tests.clearing.settlement.bank import bank_file, entry
from tests.clearing.settlement.settlement_oracle import (
    BANK_ACCOUNT,
    ORDER,
    WHOLE,
    Charge,
    Cycle,
    Deal,
    Dispute,
    Oracle,
    Order,
    Plan,
    Use,
)
from tests.clearing.usage.batches import Line

FOURTH, FIFTH, PLATFORM = uscc(6), uscc(7), uscc(8)
AUDITOR = "party:AUDIT"
BOOK = "0x" + "11" * 20
LAST = NOW + 40 * 366 * DAY
CODES = {SELLER: CODE, PROVIDER: "420000260600012", FOURTH: "420000260600013"}
TRIPLES = ((CONSUMER, PROVIDER, SELLER), (FIFTH, PROVIDER, FOURTH), (SELLER, FOURTH, PROVIDER),
           (CONSUMER, FIFTH, FOURTH), (FOURTH, SELLER, PROVIDER), (FIFTH, SELLER, PROVIDER))  # fmt: skip
"""(buyer, provider, seller) of the agreements, in the order in which they are concluded."""
SUPERVISED = BankAccount("102100099996", "演示银行", BANK_ACCOUNT, "演示监管账户")
DECISION = Decision("演示仲裁委员会", "（2026）演示裁字第 1 号", "2026-06-20", "2026-06-21", Twin("1" * 64, "2" * 64))


def working_days(at: int, days: int) -> int:
    """The instant so many working days on; here only Saturday and Sunday are none."""
    now = datetime.fromtimestamp(at, SHANGHAI)
    while days:
        now += timedelta(days=1)
        days -= now.weekday() < 5
    return int(now.timestamp())


def period_of(at: int) -> Period:
    return month(datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m"))


# Terms from the plain description -------------------------------------------------------------------------------------


def _weights(weights: dict[str, int]) -> tuple[Weight, ...]:
    return tuple(Weight(party, weight) for party, weight in weights.items())


def sharing_plan(plan: Plan) -> SharingPlan:
    steps = [Step(StepKind.COST_RECOVERY, party, limit) for party, limit in plan.costs]
    if len(plan.slices) == 1:
        steps.append(Step(StepKind.RATIO, weights=_weights(plan.slices[0][1])))
    else:
        slices = tuple(Slice(start, _weights(weights)) for start, weights in plan.slices)
        steps.append(Step(StepKind.TIERED, slices=slices))
    for party, least, funder in plan.guarantees:
        steps.append(Step(StepKind.GUARANTEE, party, least, funder=funder, guarantor=PLATFORM))
    steps += [Step(StepKind.CAP, party, most, overflow=to) for party, most, to in plan.caps]
    holders = tuple(Holder(party, "holder") for party in plan.holders)
    return SharingPlan(plan.version, 0, holders, tuple(steps), plan.holders[-1])


def settlement_terms(deal: Deal) -> SettlementTerms:
    tiers = tuple(Tier(start, number, divisor) for start, number, divisor in deal.tiers)
    tariff = Tariff(
        TariffKind(deal.kind), "call", deal.fixed, tiers, deal.allowance, deal.block, deal.least, deal.most
    )  # fmt: skip
    tax = Tax(TaxBasis.INCLUSIVE if deal.inclusive else TaxBasis.EXCLUSIVE, deal.bp)
    return SettlementTerms(deal.buyer, deal.issuer, tariff, tax, sharing_plan(deal.plan))


# The machine ----------------------------------------------------------------------------------------------------------


class Kind:
    """One kind of step. `options` says what it could be done with now, from the model alone; `draw` picks one and fixes
    everything it needs; `act` does it on the database; `know` tells the model. `kills`: may a child die in it?"""

    weight: float = 4
    kills = True

    def options(self, m: Simulator) -> list[Any]:
        raise NotImplementedError

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return m.rng.choice(options)

    def act(self, m: Simulator, what: Any) -> None:
        raise NotImplementedError

    def know(self, m: Simulator, what: Any) -> None:
        """Nothing changes."""

    def tell(self, what: Any) -> str:
        return str(what)[:150]


class Simulator:
    """The world, its clock and its model. `url` names an empty, migrated database."""

    def __init__(self, seed: int, url: str, *, kills: bool = True, check: Callable[[Simulator], None]) -> None:
        self.seed, self.url, self.check = seed, url, check
        self.rng, self.chance = random.Random(seed), random.Random(seed + 1)  # noqa: S311
        self.kills = kills
        self.at = NOW + 18 * DAY  # in the middle of a month, so that forty business days see two cycles closed
        self.model = Oracle()
        self.done: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.steps: list[str] = []
        self.lines: dict[str, Line] = {}
        self.sent: list[list[Admitted]] = []
        self.missing: list[list[Admitted]] = []
        self.files: list[tuple[int, list[tuple[int, Order | None, str]], int]] = []
        self.engine = self._engine()
        self.house = House(self.engine)
        self.keys = {}
        self.auditor = houses.new_keys()
        self.staff = {"staff:maker": sm.generate(), "staff:checker": sm.generate()}
        self._people()
        self.listings = {seller: self._listing(seller) for seller in CODES}
        self.house.session.commit()
        self.house.session.close()
        self.office = Office(
            signer=self.house.operator,
            secret=b"o" * 32,
            working_days=working_days,
            require_signature=lambda session, signed, by, role, at: signers.require_signature(
                session, signed, by, role, at=at
            ),
            typed_signer_ok=self._typed,
        )

    def _engine(self) -> Engine:
        made = bootstrap.engine(self.url, write=True)
        if self.url.startswith("sqlite"):
            # A killed process loses nothing of what it wrote; only a power loss would.
            event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        return made

    def _people(self) -> None:
        session = self.house.session
        for party in (FOURTH, FIFTH, PLATFORM):
            keys = self.house.keys[party] = houses.new_keys()
            session.add(
                PartyRow(id=party, no=0, name="演示", kind="法人", sm2=keys.sm2.public, evm=keys.address, roles="",
                         from_at=NOW - 90 * DAY, fact_id=party.ljust(64, "8"))
            )  # fmt: skip
        for name, roles in (("maker", MAKER), ("checker", CHECKER)):
            self.house.hire(name, self.staff[f"staff:{name}"], roles)
        for holder, code in CODES.items():
            if code != CODE:
                session.add(
                    CertificateRow(code=code, version=1, application=code[-2:] * 16, agency=COURT, agency_name="演示",
                                   data_name="演示", kind="element", content="4" * 64, public=True,
                                   deposited_at=NOW - 60 * DAY, valid_from=NOW - 60 * DAY, valid_until=LAST + DAY,
                                   last_day="2099-01-01", fact_id=code[-2:] * 32, entry_sm3="6" * 64)
                )  # fmt: skip
                for right in Right:
                    session.add(
                        HoldingRow(code=code, version=1, right=right.value, holder=holder, holder_name="演示",
                                   holder_kind="法人", content="4" * 64)
                    )  # fmt: skip
        session.flush()
        row = session.get(CertificateRow, (CODE, 1))
        assert row is not None
        row.valid_until = LAST + DAY
        session.flush()

    def _listing(self, seller: str) -> str:
        identity = self.name("listing", seller)[:32]
        about = {"seller": seller, "certificate": CODES[seller], "product": self.name("product", seller)[:32]}
        self.house.submit(houses.listing_of(**about), identity, NOW - DAY, by=seller)
        self.house.approve(identity, NOW - DAY)
        return identity

    def _typed(self, session: Session, statement: Statement, signature: Signature, by: str, at: int) -> bool:
        keys = self.auditor if by == AUDITOR else self.house.keys[OPERATOR]
        return bool(onchain.signer_of(statement, signature, 31337, BOOK).lower() == keys.address)

    def name(self, *about: object) -> str:
        """64 hex digits of the seed: the same ones again when it is played again."""
        return hashlib.sha256("/".join(map(str, (self.seed, *about))).encode()).hexdigest()

    @property
    def session(self) -> Session:
        return self.house.session

    def dispose(self) -> None:
        self.session.close()
        self.engine.dispose()

    # A day ------------------------------------------------------------------------------------------------------------

    def live(self, days: int) -> None:
        """So many business days. What goes wrong is told with the seed and every step before it."""
        try:
            if not self.model.deals:
                for _ in range(3):
                    self.take(CONCLUDE, len(self.agreements()))
            for _ in range(days):
                self._morning()
                for _ in range(self.rng.randint(6, 10)):
                    self.at += self.rng.randint(60, 2400)
                    self.step()
                self.done["business day"] += 1
        except BaseException as error:
            told = "\n".join(self.steps[-400:])
            raise AssertionError(f"seed {self.seed}, after {len(self.steps)} steps:\n{told}\n{error!r}") from error

    def _morning(self) -> None:
        now = datetime.fromtimestamp(self.at, SHANGHAI)
        now = now.replace(hour=9, minute=0, second=0) + timedelta(days=1)
        while now.weekday() >= 5:
            now += timedelta(days=1)
        self.at = int(now.timestamp())

    def step(self) -> None:
        ready = [(kind, options) for kind in STEPS if (options := kind.options(self))]
        [(kind, options)] = self.rng.choices(ready, [kind.weight for kind, _ in ready])
        self.take(kind, kind.draw(self, options))

    def take(self, kind: Kind, what: Any) -> None:
        """One step on the database and in the model, then everything is checked."""
        day = datetime.fromtimestamp(self.at, SHANGHAI).strftime("%Y-%m-%d %H:%M")
        self.steps.append(f"{day} {type(kind).__name__} {kind.tell(what)}")
        landed = False
        if self.kills and kind.kills and self.chance.random() < 0.06:
            landed = self._killed(kind, what)
        if not landed:
            with self.opened() as session:
                kind.act(self, what)
                session.commit()
        kind.know(self, what)
        self.done[type(kind).__name__] += 1
        with self.opened():
            self.check(self)

    @contextmanager
    def opened(self) -> Iterator[Session]:
        """A session of its own, as a request or a job has one."""
        with Session(self.engine, expire_on_commit=False) as session:
            self.house.session = session
            yield session

    def _killed(self, kind: Kind, what: Any) -> bool:
        """The step in a child that dies by SIGKILL before its commit, at some statement, or just after. All of the step
        must be on disk then, or nothing of it. Returns whether it is."""
        way = self.chance.choice(("before the commit", "at a statement", "after the commit"))
        number = self.chance.randint(1, 60)
        with self.opened():
            before = _content(self.session)
        self.engine.dispose()
        child = os.fork()
        if child == 0:
            try:
                self.engine = self._engine()
                self._die(kind, what, way, number)
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"the child ended by itself: {status}"
        assert os.WTERMSIG(status) == signal.SIGKILL
        with self.opened():
            landed = _content(self.session) != before
        assert landed <= (way == "after the commit"), f"{way}: something is on disk"
        self.killed[way] += 1
        self.steps[-1] += f" (killed {way})"
        return way == "after the commit"

    def _die(self, kind: Kind, what: Any, way: str, number: int) -> None:
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        with self.opened() as session:
            if way == "at a statement":
                event.listen(self.engine, "before_cursor_execute", count)
            kind.act(self, what)
            session.flush()
            if way == "after the commit":
                session.commit()
            os.kill(os.getpid(), signal.SIGKILL)

    # Who signs and what is found --------------------------------------------------------------------------------------

    def signed(self, statement: Statement, *who: tuple[str, str]) -> Signed:
        """The statement under the SM2 signatures of (by, role)."""
        return Signed(statement, tuple(self._sign(statement, by, role) for by, role in who))

    def _sign(self, statement: Statement, by: str, role: str) -> Signature:
        key = self.staff[by] if by in self.staff else self.house.keys[by.removeprefix("party:")].sm2
        return signing.sign_sm2(key, statement, by=by, role=role)

    def agreements(self) -> list[str]:
        return sorted({agreement for agreement, _ in self.model.deals}, key=list(self.lines).index)

    def deal_at(self, agreement: str, at: int) -> Deal | None:
        """The revision in force then."""
        for (name, _), deal in self.model.deals.items():
            if name == agreement and deal.since <= at < (deal.until or LAST):
                return deal
        return None

    def cycle_name(self, cycle: Cycle) -> str:
        return service.cycles.cycle_id(OPERATOR, cycle.period)

    def charge_id(self, charge: Charge) -> str:
        """The fact id of a charge of the model."""
        if charge.kind == "credit":
            assert charge.of is not None
            same = [c for c in self.model.charges if c.kind == "credit" and c.of == charge.of]
            credits_ = store.credits_of(self.session, self.charge_id(self.model.charges[charge.of]))
            return credits_[same.index(charge)][0]
        own = (charge.agreement, charge.revision, charge.period, charge.kind)
        [found] = [
            name
            for name, body in store.charges(self.session, charge.booked)
            if own == (body.agreement, body.revision, body.period, body.corrects.kind if body.corrects else "first")
        ]
        return found

    def order_id(self, order: Order) -> str:
        """The end-to-end id of an instruction of the model."""
        batch = self.batches(order.period)[order.batch]
        [found] = [i.end_to_end for i in batch.instructions if (i.direction, i.party) == (order.direction, order.party)]
        return found

    def batches(self, period: str) -> list[Batch]:
        subject = f"payments:{service.cycles.cycle_id(OPERATOR, period)}"
        return [read(Batch, fact.body) for fact in ledger.facts_of(self.session, subject)]

    def bank_bytes(self, opening: int, entries: list[tuple[int, Order | None, str]], first: int) -> bytes:
        rows, closing = [], opening
        for number, (amount, order, code) in enumerate(entries, first):
            closing += amount
            id_ = self.order_id(order) if order else ""
            rows.append(entry(f"R{number}", _yuan(amount), end_to_end=id_, return_code=code))
        return bank_file(_yuan(opening), _yuan(closing), *rows)

    def audit(self, cycle: Cycle) -> list[service.Finding]:
        from clearing.market import service as contracts
        from clearing.terms import LATEST
        from clearing.usage import store as records

        name = self.cycle_name(cycle)
        return service.audit(
            self.session, cycle=name, agreements=contracts.agreement_terms(self.session, cycle.start, cycle.end),
            uses=records.metered_uses, secret=service.netting_secret(self.office, name),
            earlier=contracts.agreement_terms(self.session, cycle.start - LATEST, cycle.start),
        )  # fmt: skip


def _content(session: Session) -> tuple[int, ...]:
    from sqlalchemy import func, select

    from clearing.settlement import tables
    from ledger import tables as ledger_tables

    counted = (ledger_tables.fact, ledger_tables.part, tables.posting, tables.journal_transaction, tables.bank_entry,
               tables.share)  # fmt: skip
    counts = [session.execute(select(func.count()).select_from(table)).scalar_one() for table in counted]
    return (*counts, log.size(session))


def _yuan(amount: int) -> str:
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"


# Agreements -----------------------------------------------------------------------------------------------------------


def drawn_plan(rng: random.Random, holders: tuple[str, ...], version: int) -> Plan:
    def weights() -> dict[str, int]:
        parts = [0 if rng.random() < 0.15 else rng.randint(1, 1000) for _ in holders]
        total = sum(parts) or 1
        shares = [WHOLE * part // total for part in parts]
        shares[0] += WHOLE - sum(shares)
        return dict(zip(holders, shares, strict=True))

    slices = [(0, weights())]
    if rng.random() < 0.3:
        slices.append((rng.randint(500, 20_000), weights()))
    costs = ((holders[0], rng.randint(1, 3000)),) if rng.random() < 0.3 else ()
    guarantees = ((holders[0], rng.randint(1, 5000), holders[-1]),) if rng.random() < 0.25 else ()
    least = guarantees[0][1] if guarantees else 0
    caps = ((holders[0], least + rng.randint(1, 30_000), holders[1]),) if rng.random() < 0.25 else ()
    return Plan(version, holders, tuple(slices), costs, guarantees, caps)


def drawn_deal(rng: random.Random, agreement: str, revision: int, roles: tuple[str, str, str], plan: Plan, at: int) -> Deal:
    buyer, provider, seller = roles
    kind = rng.choice(("per_unit", "per_unit", "graduated", "volume", "subscription", "fixed"))
    starts = [0] if kind in ("per_unit", "fixed") else sorted({0, rng.randint(1, 500), rng.randint(501, 5000)})
    tiers = tuple((start, rng.randint(1, 400), rng.choice((1, 3, 7, 10))) for start in starts)
    more: dict[str, Any] = {"inclusive": rng.random() < 0.7, "bp": rng.choice((600, 600, 1300, 300, 0))}
    if kind in ("fixed", "subscription"):
        more["fixed"] = rng.randint(0, 9000)
    if kind == "subscription":
        more["allowance"] = rng.randint(0, 1500)
    if kind == "per_unit" and rng.random() < 0.4:
        more["block"] = rng.choice((10, 25))
    if rng.random() < 0.25:
        more["least"] = rng.randint(1, 4000)
    if rng.random() < 0.25:
        more["most"] = (more.get("least") or 0) + rng.randint(1, 60_000)
    issuer = rng.choice((provider, seller))
    return Deal(agreement, revision, buyer, issuer, kind, () if kind == "fixed" else tiers, plan, at, **more)


class Conclude(Kind):
    """A new agreement, signed by its three parties with both of their keys."""

    weight = 0.4

    def options(self, m: Simulator) -> list[Any]:
        return [len(m.lines)] if len(m.lines) < len(TRIPLES) else []

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return options[0]

    def prepared(self, m: Simulator, number: int) -> Deal:
        rng = random.Random(m.name("deal", number))  # noqa: S311
        buyer, provider, seller = TRIPLES[number]
        holders = (provider, seller, *((PLATFORM,) if rng.random() < 0.6 else ()))
        return drawn_deal(rng, m.name("agreement", number), 1, TRIPLES[number], drawn_plan(rng, holders, 1), m.at)

    def act(self, m: Simulator, number: int) -> None:
        deal = self.prepared(m, number)
        seller = TRIPLES[number][2]
        m.house.hire_connector(connector_of(number), connector_key(m, number), TRIPLES[number][1])
        m.session.flush()
        deed(m, deal, number, seller, Deed.CONCLUDE)

    def know(self, m: Simulator, number: int) -> None:
        deal = self.prepared(m, number)
        m.model.deals[deal.agreement, 1] = deal
        m.lines[deal.agreement] = Line(deal.agreement, m.listings[TRIPLES[number][2]], "a" * 64, connector_of(number))


def connector_of(number: int) -> str:
    return f"conn-sim-{number}"


def connector_key(m: Simulator, number: int) -> sm.Sm2Key:
    return sm.from_private(hashlib.sha256(f"connector {m.seed} {number}".encode()).digest())


def deed(m: Simulator, deal: Deal, number: int, seller: str, act: Deed) -> None:
    """Concludes or amends under every signature."""
    buyer, provider, _ = TRIPLES[number]
    listing, house = m.listings[seller], m.house
    rules = (Rule(Action.READ, (Constraint(Left.PURPOSE, Operator.ANY, ("research",)),
                                Constraint(Left.COUNT, Operator.LTEQ, 10**12))),)  # fmt: skip
    policy = Policy(1, seller, buyer, listing, rules)
    row = houses.shelf_store.listing(m.session, listing)
    base = houses.terms_of(listing, row.digest)
    terms = replace(
        base,
        parties=(
            TermsParty(provider, Role.PROVIDER, (connector_of(number),)),
            TermsParty(buyer, Role.CONSUMER),
            TermsParty(seller, Role.OPERATOR),
        ),
        product=Licensed(listing, 1, row.digest, CODES[seller], (Right.USE,)),
        users=(buyer,),
        effective=deal.since,
        expiry=LAST,
        settlement=settlement_terms(deal),
        policy=policy,
        policy_digest=Twin.of(policy_digest(policy)),
    )
    roles = ((Role.PROVIDER, provider), (Role.CONSUMER, buyer), (Role.OPERATOR, seller))
    named = sorted_signers(tuple(Signer(role, party, house.keys[party].address) for role, party in roles))
    statement = house.act(deal.agreement, act, State.EFFECTIVE, terms=terms, signers=named, deadline=m.at + DAY)
    house.take(house.sign(statement, named), m.at)


class Amend(Kind):
    """A new revision: other prices, or another version of the plan, or both."""

    weight = 1

    def options(self, m: Simulator) -> list[Any]:
        now = [m.deal_at(agreement, m.at) for agreement in m.agreements()]
        return [deal for deal in now if deal and deal.since + 15 * DAY < m.at]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        old = m.rng.choice(options)
        rng = random.Random(m.name("amend", old.agreement, old.revision))  # noqa: S311
        roles = TRIPLES[list(m.lines).index(old.agreement)]
        plan = old.plan if rng.random() < 0.5 else drawn_plan(rng, old.plan.holders, old.plan.version + 1)
        return drawn_deal(rng, old.agreement, old.revision + 1, roles, plan, m.at)

    def act(self, m: Simulator, deal: Deal) -> None:
        number = list(m.lines).index(deal.agreement)
        deed(m, deal, number, TRIPLES[number][2], Deed.AMEND)

    def know(self, m: Simulator, deal: Deal) -> None:
        m.model.deals[deal.agreement, deal.revision - 1].until = deal.since
        m.model.deals[deal.agreement, deal.revision] = deal


# Use ------------------------------------------------------------------------------------------------------------------


class Report(Kind):
    """Usage of one agreement arrives in a signed batch: in time, in any order, late up to the limit and beyond, failed,
    refused, or under a request id that was used before."""

    weight = 14

    def options(self, m: Simulator) -> list[Any]:
        return m.agreements()

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return drawn_records(m, m.rng.choice(options), m.rng.randint(1, 5))

    def act(self, m: Simulator, what: tuple[list[Admitted], list[Use]]) -> None:
        assert isinstance(admitted(m, what[0]), Admission)

    def know(self, m: Simulator, what: tuple[list[Admitted], list[Use]]) -> None:
        m.sent.append(what[0])
        m.model.uses += [replace(use, received=m.at) for use in what[1]]

    def tell(self, what: Any) -> str:
        return f"{what[1][0].agreement[:8]} {[(u.request, u.quantity, u.occurred, u.sound) for u in what[1]]}"


def drawn_records(m: Simulator, agreement: str, count: int) -> tuple[list[Admitted], list[Use]]:
    line, made, uses = m.lines[agreement], [], []
    certificate = CODES[TRIPLES[list(m.lines).index(agreement)][2]]
    start = m.model.deals[agreement, 1].since
    for _ in range(count):
        back = m.rng.choice((0, 0, 0, 1, 3, 12, 29, 30, 31, 45)) * DAY
        occurred = max(start, m.at - back - m.rng.randint(0, 20_000))
        deal = m.deal_at(agreement, occurred)
        assert deal is not None
        quantity, luck = m.rng.choice((1, 1, 7, 90, 600, 2500)), m.rng.random()
        request = f"request-{line.seq + 1:06d}"
        known = [use for use in m.model.uses if use.agreement == agreement]
        if known and luck > 0.95:
            request = m.rng.choice(known).request
        changes: dict[str, Any] = {"occurred_at": occurred, "quantity": quantity, "request_id": request,
                                   "certificate": certificate}  # fmt: skip
        if luck < 0.05:
            changes["status"] = StatusClass.SERVER
        elif luck < 0.08:
            refused = {"decision": Gate.DENY, "reasons": (Reason.PURPOSE,), "billable": False}
            changes |= {**refused, "status": StatusClass.NONE}
        sound = luck >= 0.08
        made += line.more(revision=deal.revision, **changes)
        uses.append(Use(agreement, deal.revision, request, quantity, occurred, m.at, line.seq, sound))
    return made, uses


def admitted(m: Simulator, records: list[Admitted]) -> Admission | Refusal:
    number = next(n for n in range(len(TRIPLES)) if connector_of(n) == records[0].record.connector)
    subject = f"connector-log:{records[0].record.connector}"
    signed, parts = freeze(records, *ledger.next_of(m.session, subject), connector_key(m, number)), [
        item.data for item in records
    ]
    return usage.admit(m.session, receive(signed, parts), signer=m.house.operator, at=m.at)


class Replay(Kind):
    """Records that were taken in come again in another batch: refused, and nothing changes."""

    weight = 2
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return m.sent[-30:]

    def act(self, m: Simulator, records: list[Admitted]) -> None:
        assert isinstance(admitted(m, records), Refusal)
        m.session.rollback()

    def tell(self, what: Any) -> str:
        return f"{what[0].record.connector} {what[0].record.seq}"


class Skip(Kind):
    """A batch comes before the one it follows: a gap, which blocks the cut-off until it is mended."""

    weight = 1

    def options(self, m: Simulator) -> list[Any]:
        return [] if m.missing else m.agreements()

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        agreement = m.rng.choice(options)
        return drawn_records(m, agreement, 1), drawn_records(m, agreement, 2)

    def act(self, m: Simulator, what: Any) -> None:
        assert isinstance(admitted(m, what[1][0]), Admission)

    def know(self, m: Simulator, what: Any) -> None:
        m.missing.append(what[0])
        m.sent.append(what[1][0])
        m.model.uses += [replace(use, received=m.at) for use in what[1][1]]

    def tell(self, what: Any) -> str:
        return f"{what[1][1][0].agreement[:8]} {what[1][1][0].seq}"


class Mend(Report):
    """What was missing comes after all."""

    weight = 6

    def options(self, m: Simulator) -> list[Any]:
        return list(m.missing)

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return options[0]

    def know(self, m: Simulator, what: Any) -> None:
        super().know(m, what)
        m.missing.remove(what)


class Integrate(Kind):
    """The worker takes what waits into the log."""

    weight = 6

    def options(self, m: Simulator) -> list[Any]:
        return [m.model.logged + 1]

    def act(self, m: Simulator, what: int) -> None:
        while log.integrate(m.session):
            pass

    def know(self, m: Simulator, what: int) -> None:
        m.model.logged = what
        for use in m.model.uses:
            if use.logged is None:
                use.logged = what


# The cycle ------------------------------------------------------------------------------------------------------------


class Stage(Kind):
    """Something that a cycle in a certain state is taken through."""

    weight = 20
    state = ""
    to = ""

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.cycles.values() if c.state == self.state and self.may(m, c)]

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return True

    def know(self, m: Simulator, what: Cycle) -> None:
        move(m, what, self.to)

    def tell(self, what: Any) -> str:
        return what.period if isinstance(what, Cycle) else f"{what[0].period} {what[1:]}"[:150]


def move(m: Simulator, cycle: Cycle, to: str) -> None:
    from tests.clearing.settlement.settlement_oracle import CLOCK

    assert ORDER.index(to) == ORDER.index(cycle.state) + 1
    cycle.state, cycle.until = to, working_days(m.at, CLOCK[to])


class OpenCycle(Kind):
    weight = 60

    def options(self, m: Simulator) -> list[Any]:
        period = period_of(m.at)
        return [] if period.name in m.model.cycles else [period]

    def act(self, m: Simulator, period: Period) -> None:
        for _ in range(2):
            service.open_cycle(m.session, m.office, operator=OPERATOR, period=period, grace=DAY, at=m.at)

    def know(self, m: Simulator, period: Period) -> None:
        m.model.cycles[period.name] = Cycle(period.name, period.start, period.end, period.end + DAY)


class CutOff(Stage):
    state, to = "open", "cut_off"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return m.at >= cycle.until and not m.missing

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.cut_off(m.session, m.office, cycle=m.cycle_name(cycle), high_water=log.size(m.session), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        cycle.upto = m.model.logged
        move(m, cycle, self.to)


class Rate(Stage):
    """After the cycle before it has stated what it owes: months are settled in their order."""

    state, to = "cut_off", "rated"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return all(ORDER.index(c.state) > 2 for c in m.model.cycles.values() if c.period < cycle.period)

    def act(self, m: Simulator, cycle: Cycle) -> None:
        from clearing.market import service as contracts
        from clearing.terms import LATEST
        from clearing.usage import store as records

        service.rate(
            m.session, m.office, cycle=m.cycle_name(cycle), uses=records.metered_uses, at=m.at,
            agreements=contracts.agreement_terms(m.session, cycle.start, cycle.end),
            earlier=contracts.agreement_terms(m.session, cycle.start - LATEST, cycle.start),
        )  # fmt: skip

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.model.rate(cycle)
        move(m, cycle, self.to)


class Bill(Kind):
    """Issuers record invoices, red ones for what is given back."""

    weight = 16

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.charges if c.tax and not c.invoiced]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return m.rng.sample(options, min(len(options), m.rng.randint(1, 5)))

    def act(self, m: Simulator, what: list[Charge]) -> None:
        for charge in what:
            name = m.charge_id(charge)
            draft = service.draft_invoice(m.session, charge=name, number=f"INV-{charge.number}", issued_at=m.at)
            issuer = m.model.deals[charge.agreement, charge.revision].issuer
            service.record_invoice(m.session, m.office, m.signed(draft, (f"party:{issuer}", "")), at=m.at)

    def know(self, m: Simulator, what: list[Charge]) -> None:
        for charge in what:
            m.model.invoice(charge)

    def tell(self, what: Any) -> str:
        return str([charge.number for charge in what])


class Issue(Stage):
    state, to = "rated", "statements_issued"
    weight = 8

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        parties = sorted(m.house.keys)
        everybody = m.rng.random() < 0.08
        return m.rng.choice(options), {party for party in parties if everybody or m.rng.random() < 0.12}

    def act(self, m: Simulator, what: tuple[Cycle, set[str]]) -> None:
        service.issue_statements(m.session, m.office, cycle=m.cycle_name(what[0]), at=m.at)

    def know(self, m: Simulator, what: tuple[Cycle, set[str]]) -> None:
        m.model.issue(*what)
        move(m, what[0], self.to)

    def tell(self, what: Any) -> str:
        return f"{what[0].period} silent {sorted(what[1])}"


class Confirm(Stage):
    state = "statements_issued"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return bool(self.waiting(cycle))

    def waiting(self, cycle: Cycle) -> list[str]:
        return [party for party, stated in cycle.statements.items() if not (stated.confirmed or stated.silent)]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        cycle = m.rng.choice(options)
        waiting = self.waiting(cycle)
        return cycle, m.rng.sample(waiting, min(len(waiting), m.rng.randint(1, 3)))

    def act(self, m: Simulator, what: tuple[Cycle, list[str]]) -> None:
        for party in what[1]:
            draft = service.draft_confirmation(m.session, cycle=m.cycle_name(what[0]), party=party)
            service.confirm_statement(m.session, m.office, m.signed(draft, (f"party:{party}", "")), at=m.at)

    def know(self, m: Simulator, what: tuple[Cycle, list[str]]) -> None:
        for party in what[1]:
            what[0].statements[party].confirmed = True


class CloseWindow(Stage):
    state, to = "statements_issued", "confirmed"

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return m.at >= cycle.until or all(stated.confirmed for stated in cycle.statements.values())

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.close_window(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)


class Net(Stage):
    state, to = "confirmed", "netted"

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.net(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.model.net(cycle)
        move(m, cycle, self.to)


class Instruct(Kind):
    """Maker and checker release the instructions; who will pay how is drawn now."""

    weight = 20

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.cycles.values() if c.state == "netted" or (c.state == "instructed" and not c.instructed)]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        cycle = m.rng.choice(options)
        manners = {}
        for party, amount in sorted(m.model.final(cycle).items()):
            if amount < 0:
                manners[party] = m.rng.choice(("pays",) * 6 + ("late", "late", "part", "never", "over"))
            else:
                manners[party] = m.rng.choice(("pays",) * 6 + ("returns", "twice", "wrong"))
        return cycle, manners

    def act(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        accounts = {
            party: BankAccount("102100099996", "演示银行", f"00{number}", f"演示{number}公司")
            for number, party in enumerate(m.house.keys)
        }
        draft = service.draft_instructions(
            m.session, cycle=m.cycle_name(what[0]), account=SUPERVISED, accounts=accounts
        )
        service.instruct(
            m.session, m.office, m.signed(draft, ("staff:maker", MAKER), ("staff:checker", CHECKER)), at=m.at
        )

    def know(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        m.model.instruct(*what)
        if what[0].state == "netted":
            move(m, what[0], "instructed")
        else:
            what[0].until = working_days(m.at, 3)

    def tell(self, what: Any) -> str:
        return f"{what[0].period} {what[1]}"


class BankDay(Kind):
    """The bank books some of what is due, sends some back, books twice, gets money nobody knows."""

    weight = 18

    def options(self, m: Simulator) -> list[Any]:
        return [True] if m.model.orders else []

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        entries: list[tuple[int, Order | None, str]] = []
        for order in m.model.orders:
            cycle = m.model.cycles[order.period]
            if m.rng.random() < 0.4:
                continue
            amount = booking(m, cycle, order)
            if amount:
                code = "AC04" if order.direction == "payout" and amount > 0 else ""
                entries.append((amount, order, code))
        if m.rng.random() < 0.1:
            entries.append((m.rng.choice((1, 77, 12_345, -3)), None, ""))
        m.rng.shuffle(entries)
        return m.model.bank, entries, m.model.entries + 1

    def act(self, m: Simulator, what: tuple[int, list[tuple[int, Order | None, str]], int]) -> None:
        data = m.bank_bytes(*what)
        done = service.import_bank_file(m.session, m.office, data, at=m.at)
        assert done.entries == len(what[1])
        assert done.closing == what[0] + sum(amount for amount, _, _ in what[1])

    def know(self, m: Simulator, what: tuple[int, list[tuple[int, Order | None, str]], int]) -> None:
        for one in what[1]:
            m.model.entry(*one)
        if what[1]:
            m.files.append(what)

    def tell(self, what: Any) -> str:
        return str([(amount, f"{o.period}/{o.batch} {o.direction} {o.party}" if o else "?", code) for amount, o, code in what[1]])


def booking(m: Simulator, cycle: Cycle, order: Order) -> int:
    """What the bank books of an instruction this time, by the manner in which it was drawn to go; 0 for nothing."""
    due = order.amount - order.booked
    if order.void:
        return m.rng.randint(1, order.amount) if order.direction == "funding" and m.rng.random() < 0.01 else 0
    if order.direction == "funding":
        if not due or cycle.state != "instructed" or order.manner == "never":
            return 0
        if order.manner == "late" and m.at < cycle.until:
            return 0
        if order.manner == "part":
            return m.rng.randint(1, order.amount - 1) if not order.booked and order.amount > 1 else 0
        return due + (m.rng.randint(1, 500) if order.manner == "over" else 0)
    if ORDER.index(cycle.state) < ORDER.index("funded"):
        return 0
    if not order.booked:
        wrong = order.manner == "wrong" and m.rng.random() < 0.5
        return -order.amount - (1 if wrong else 0)
    if order.manner == "returns" and not order.returned:
        return order.amount
    if order.manner == "twice" and m.rng.random() < 0.1:
        return -order.amount
    return 0


class Advance(Kind):
    weight = 20

    def options(self, m: Simulator) -> list[Any]:
        return [c for c in m.model.cycles.values() if m.model.advance(c) != c.state]

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.advance_payments(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        while (to := m.model.advance(cycle)) != cycle.state:
            move(m, cycle, ORDER[min(ORDER.index(cycle.state) + 1, ORDER.index(to))])

    def tell(self, what: Any) -> str:
        return str(what.period)


class Default(Stage):
    """Somebody is short when the clock has run out."""

    state = "instructed"
    weight = 10

    def may(self, m: Simulator, cycle: Cycle) -> bool:
        return cycle.instructed and m.at >= cycle.until and not all(o.done for o in m.model.live(cycle, "funding"))

    def act(self, m: Simulator, cycle: Cycle) -> None:
        service.declare_default(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)

    def know(self, m: Simulator, cycle: Cycle) -> None:
        m.model.default(cycle)


class Close(Stage):
    """Operator and auditor sign."""

    state, to = "settled", "closed"

    def act(self, m: Simulator, cycle: Cycle) -> None:
        draft = service.draft_close(
            m.session, m.office, cycle=m.cycle_name(cycle), auditor=m.auditor.address, closed_at=m.at,
            deadline=m.at + DAY,
        )  # fmt: skip
        keys = ((m.house.keys[OPERATOR].evm, f"party:{OPERATOR}", "operator"), (m.auditor.evm, AUDITOR, "auditor"))
        signatures = tuple(
            onchain.sign_close(key, draft, by=by, role=role, chain_id=31337, address=BOOK) for key, by, role in keys
        )
        service.close(m.session, m.office, Signed(draft, signatures), at=m.at)


# Disputes -------------------------------------------------------------------------------------------------------------


class Complain(Kind):
    """The buyer disputes a part of a charge, in whatever state its cycle is."""

    weight = 3

    def options(self, m: Simulator) -> list[Any]:
        recent = m.model.charges[-60:]
        return [c for c in recent if c.kind in ("first", "anew") and not c.undone and m.model.left(c) > 0]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        charge = m.rng.choice(options)
        left = m.model.left(charge)
        amount = m.rng.choice((left, m.rng.randint(1, left)))
        return Dispute(m.name("dispute", len(m.model.disputes))[:32], charge.number, amount)

    def act(self, m: Simulator, what: Dispute) -> None:
        charge = m.model.charges[what.charge]
        name = m.charge_id(charge)
        found = disputes.evidence_of(m.session, charge.agreement, Topic.STATEMENT, charge=name)
        evidence = tuple(disputes.entry_of(fact) for fact in found)
        complaint = Complaint(Topic.STATEMENT, "多计", "退还", evidence, charge=name, amount=what.amount)
        speak(m, what, Act.OPEN, Side.FILER, complaint=complaint)

    def know(self, m: Simulator, what: Dispute) -> None:
        m.model.open(what)

    def tell(self, what: Any) -> str:
        return f"{what.name[:8]} about charge {what.charge}: {what.amount}"


def speak(m: Simulator, dispute: Dispute, act: Act, side: Side, **fields: Any) -> None:
    charge = m.model.charges[dispute.charge]
    deal = m.model.deals[charge.agreement, charge.revision]
    body = replace(DisputeAct(act, side, charge.agreement, deal.buyer, deal.issuer), **fields)
    subject = f"dispute:{dispute.name}"
    statement = Statement(DISPUTE_ACT, subject, *ledger.next_of(m.session, subject), body_of(body))
    two = (("staff:maker", MAKER), ("staff:checker", CHECKER))
    who = two if side is Side.OPERATOR else ((body.sender, side.value),)
    disputes.take(m.session, m.signed(statement, *who), m.office, operator=OPERATOR, at=m.at)


class Speak(Kind):
    """One act in a dispute that runs: answer, offer, accept, mediate, propose, leave, decide, withdraw."""

    weight = 8

    def options(self, m: Simulator) -> list[Any]:
        return [d for d in m.model.disputes.values() if d.running]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        dispute = m.rng.choice(options)
        acts = [("OFFER", "FILER"), ("OFFER", "RESPONDENT"), ("LEAVE", "FILER"), ("DECIDE", "OPERATOR"),
                ("WITHDRAW", "FILER")]  # fmt: skip
        if dispute.state == "OUTSIDE":
            acts.remove(("LEAVE", "FILER"))
        if dispute.state == "OPEN":
            acts.append(("ANSWER", "RESPONDENT"))
        if dispute.state in ("OPEN", "ANSWERED"):
            acts.append(("MEDIATE", m.rng.choice(("FILER", "RESPONDENT"))))
        if dispute.state == "MEDIATION":
            acts += [("PROPOSE", "MEDIATOR")] * 3
        if dispute.by:
            acts += [("ACCEPT", s) for s in ("FILER", "RESPONDENT") if s not in dispute.accepted] * 3
        act, side = m.rng.choice(acts)
        upheld = m.rng.choice((0, dispute.amount, m.rng.randint(0, dispute.amount)))
        return dispute, act, side, upheld if act in ("OFFER", "PROPOSE", "DECIDE") else None

    def act(self, m: Simulator, what: tuple[Dispute, str, str, int | None]) -> None:
        dispute, act, side, upheld = what
        fields: dict[str, Any] = {}
        if act in ("ANSWER", "OFFER", "PROPOSE"):
            fields["text"] = "演示"
        if act == "PROPOSE":
            fields["mediator"] = OPERATOR
        if act == "DECIDE":
            fields["decision"] = DECISION
        speak(m, dispute, Act(act), Side(side), upheld=upheld, **fields)

    def know(self, m: Simulator, what: tuple[Dispute, str, str, int | None]) -> None:
        dispute, act, side, upheld = what
        m.done[f"dispute {act}"] += 1
        if act == "ANSWER":
            dispute.state = "ANSWERED"
        elif act == "MEDIATE":
            dispute.state = "MEDIATION"
        elif act == "LEAVE":
            dispute.state = "OUTSIDE"
        elif act in ("OFFER", "PROPOSE"):
            dispute.by, dispute.table = side, upheld
            dispute.accepted = frozenset({side}) if act == "OFFER" else frozenset()
        elif act == "ACCEPT":
            dispute.accepted |= {side}
            if len(dispute.accepted) == 2:
                m.model.end(dispute, "SETTLED", dispute.table or 0)
        elif act == "DECIDE":
            m.model.end(dispute, "DECIDED", upheld or 0)
        else:
            m.model.end(dispute, "WITHDRAWN", 0)

    def tell(self, what: Any) -> str:
        return f"{what[0].name[:8]} {what[1]} of {what[2]} {what[3]}"


# What changes nothing -------------------------------------------------------------------------------------------------


class Again(Kind):
    """What somebody signed is sent once more, or a bank file: the first answer, and nothing new."""

    weight = 3
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        found: list[Any] = [("file", file) for file in m.files[-3:]]
        for cycle in m.model.cycles.values():
            found += [("confirmation", cycle, party) for party, s in cycle.statements.items() if s.confirmed]
            found += [("close", cycle)] * (cycle.state == "closed")
            found += [("instructions", cycle)] * cycle.instructed
        return found[-40:] + [("invoice", charge) for charge in m.model.charges[-40:] if charge.invoiced]

    def act(self, m: Simulator, what: Any) -> None:
        kind, before = what[0], ledger.count(m.session)
        if kind == "file":
            data = m.bank_bytes(*what[1])
            again = service.import_bank_file(m.session, m.office, data, at=m.at)
            assert (again.repeated, again.entries) == (True, 0)
            changed = data.replace(b",2026-04-15,", b",2026-04-14,", 1)
            with pytest.raises(BankFileRefused):
                service.import_bank_file(m.session, m.office, changed, at=m.at)
        elif kind == "confirmation":
            subject = service.statement_subject(m.cycle_name(what[1]), what[2])
            again_ = ledger.facts_of(m.session, subject)[1]
            assert service.confirm_statement(m.session, m.office, _signed(again_), at=m.at).id == again_.id
        elif kind == "close":
            first = ledger.facts_of(m.session, f"close:{m.cycle_name(what[1])}")[0]
            assert service.close(m.session, m.office, _signed(first), at=m.at).id == first.id
        elif kind == "instructions":
            for first in ledger.facts_of(m.session, f"payments:{m.cycle_name(what[1])}"):
                assert service.instruct(m.session, m.office, _signed(first), at=m.at).id == first.id
        else:
            first = ledger.fact(m.session, store.charge(m.session, m.charge_id(what[1]))[1] or "")
            assert service.record_invoice(m.session, m.office, _signed(first), at=m.at).id == first.id
        assert ledger.count(m.session) == before

    def know(self, m: Simulator, what: Any) -> None:
        m.done[f"again {what[0]}"] += 1

    def tell(self, what: Any) -> str:
        return str(what[0])


def _signed(fact: Fact) -> Signed:
    return Signed(fact.statement, fact.signatures)


class WrongTurn(Kind):
    """A step of a cycle that is not its next one, or too early: refused, and nothing is written."""

    weight = 3
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return list(m.model.cycles.values())

    def act(self, m: Simulator, cycle: Cycle) -> None:
        name, at, office, before = m.cycle_name(cycle), m.at, m.office, ledger.count(m.session)
        moves: list[tuple[str, Callable[[], object]]] = [
            ("cut_off", lambda: service.cut_off(m.session, office, cycle=name, high_water=1, at=at)),
            ("rated", lambda: service.rate(m.session, office, cycle=name, agreements=(), uses=lambda *_: (), at=at)),
            ("statements_issued", lambda: service.issue_statements(m.session, office, cycle=name, at=at)),
            ("confirmed", lambda: service.close_window(m.session, office, cycle=name, at=at)),
            ("netted", lambda: service.net(m.session, office, cycle=name, at=at)),
            ("closed", lambda: CLOSE.act(m, cycle)),
        ]
        for to, wrong in moves:
            if ORDER.index(to) != ORDER.index(cycle.state) + 1:
                with pytest.raises((ClearingError, LedgerError)):
                    wrong()
                m.session.rollback()
        if cycle.state == "instructed" and cycle.instructed and at < cycle.until:
            with pytest.raises(TooEarly):
                service.declare_default(m.session, office, cycle=name, at=at)
        elif not (cycle.state == "instructed"):
            with pytest.raises(WrongMove):
                service.declare_default(m.session, office, cycle=name, at=at)
        m.session.rollback()
        assert ledger.count(m.session) == before

    def tell(self, what: Any) -> str:
        return f"{what.period} {what.state}"


CONCLUDE, CLOSE = Conclude(), Close()
STEPS: tuple[Kind, ...] = (
    CONCLUDE, Amend(), Report(), Replay(), Skip(), Mend(), Integrate(),
    OpenCycle(), CutOff(), Rate(), Bill(), Issue(), Confirm(), CloseWindow(), Net(), Instruct(), BankDay(), Advance(),
    Default(), CLOSE, Complain(), Speak(), Again(), WrongTurn(),
)  # fmt: skip
