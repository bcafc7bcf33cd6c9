"""A seeded machine that lives through business days of a small market and checks everything after every step.

World: parties with keys on a real register, real agreements, connectors and usage batches, the settlement services, and
a bank that books, delays, returns and pays twice. Each step is one transaction, drawn from `simulator_steps` by a
generator seeded once; the model (`settlement_oracle`) is told the same step and says what must be there. A step may be
taken by a child that is killed in the middle of it or after its commit; the parent goes on from what is on disk.

Every draw is made from the seed and the model alone, never from an id or a key, so a seed lives through the same steps
again. Source: domain clearing §9, §12, §13; everything is 演示.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event, func, select
from sqlmodel import Session

from api import bootstrap
from clearing import taking
from clearing.market import service as contracts
from clearing.market.delivery import service as delivering
from clearing.settlement import onchain, service, store, tables
from clearing.settlement.audit import Finding
from clearing.settlement.cycle import cycle_id
from clearing.settlement.dispute.opening import Decision
from clearing.settlement.payment import BankAccount, Batch
from clearing.settlement.service import Office
from clearing.terms import (
    LATEST,
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
from clearing.usage import store as records
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.record import Admitted
from ledger import log, signing, sm
from ledger import store as ledger
from ledger import tables as ledger_tables
from ledger.facts import Signature, Signed, Statement
from registry import signers
from registry.asset import Twin
from registry.rights import Right
from registry.tables import CertificateRow, HoldingRow, PartyRow
from tests.clearing.market import house as houses
from tests.clearing.market.house import CODE, CONSUMER, COURT, DAY, NOW, OPERATOR, PROVIDER, SELLER, House, uscc
from tests.clearing.settlement.bank import bank_file, entry
from tests.clearing.settlement.settlement_oracle import (
    BANK_ACCOUNT,
    Charge,
    Cycle,
    Deal,
    Oracle,
    Order,
    Plan,
)
from tests.clearing.usage.batches import Line

FOURTH, FIFTH, PLATFORM = uscc(6), uscc(7), uscc(8)
AUDITOR = "party:AUDIT"
BOOK = "0x" + "11" * 20
LAST = NOW + 40 * 366 * DAY
CODES = {SELLER: CODE, PROVIDER: "420000260600012", FOURTH: "420000260600013"}
TRIPLES = ((CONSUMER, PROVIDER, SELLER), (FIFTH, PROVIDER, FOURTH), (SELLER, FOURTH, PROVIDER),
           (CONSUMER, FIFTH, FOURTH), (FOURTH, SELLER, PROVIDER), (FIFTH, SELLER, PROVIDER),
           (PROVIDER, SELLER, FOURTH), (CONSUMER, FOURTH, SELLER), (SELLER, FIFTH, PROVIDER),
           (FOURTH, PROVIDER, SELLER))  # fmt: skip
"""(buyer, provider, seller) of the agreements about use, in the order in which they are concluded."""
GOODS = ((CONSUMER, PROVIDER, SELLER), (FIFTH, FOURTH, SELLER), (PROVIDER, FIFTH, FOURTH))
"""As `TRIPLES`, of the agreements that bill what is accepted of deliveries."""
SUPERVISED = BankAccount("102100099996", "演示银行", BANK_ACCOUNT, "演示监管账户")
DECISION = Decision("演示仲裁委员会", "（2026）演示裁字第 1 号", "2026-06-20", "2026-06-21", Twin("1" * 64, "2" * 64))


def working_days(at: int, days: int) -> int:
    """The instant so many working days on; here only Saturday and Sunday are none."""
    now = datetime.fromtimestamp(at, SHANGHAI)
    while days:
        now += timedelta(days=1)
        days -= now.weekday() < 5
    return int(now.timestamp())


def day_of(at: int) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m-%d")


def period_of(at: int) -> Period:
    return month(day_of(at)[:7])


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
    steps += [
        Step(StepKind.GUARANTEE, party, least, funder=funder, guarantor=guarantor)
        for party, least, funder, guarantor in plan.guarantees
    ]
    steps += [Step(StepKind.CAP, party, most, overflow=to) for party, most, to in plan.caps]
    holders = tuple(Holder(party, "holder") for party in plan.holders)
    return SharingPlan(plan.version, 0, holders, tuple(steps), plan.holders[-1])


def unit_of(deal: Deal) -> str:
    return "item" if deal.accepted else "call"


def settlement_terms(deal: Deal) -> SettlementTerms:
    tiers = tuple(Tier(start, number, divisor) for start, number, divisor in deal.tiers)
    tariff = Tariff(
        TariffKind(deal.kind), unit_of(deal), deal.fixed, tiers, deal.allowance, deal.block, deal.least, deal.most
    )  # fmt: skip
    tax = Tax(TaxBasis.INCLUSIVE if deal.inclusive else TaxBasis.EXCLUSIVE, deal.bp)
    return SettlementTerms(deal.buyer, deal.issuer, tariff, tax, sharing_plan(deal.plan))


# The machine ----------------------------------------------------------------------------------------------------------


class Kind:
    """One kind of step. `options` says what it could be done with now, from the model alone; `draw` picks one and fixes
    everything it needs; `act` does it on the database; `know` tells the model. `kills`: may a child die in it? The
    market begins with `first` of it, by their numbers."""

    weight: float = 4
    kills = True
    first = 0

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

    def __init__(
        self, seed: int, url: str, steps: Sequence[Kind], check: Callable[[Simulator], None], *, kills: bool = True
    ) -> None:
        self.seed, self.url, self.table, self.check = seed, url, steps, check
        self.rng, self.chance = random.Random(seed), random.Random(seed + 1)
        self.kills = kills
        self.at = NOW + 18 * DAY  # in the middle of a month, so that forty business days see two cycles closed
        self.model = Oracle()
        self.done: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.steps: list[str] = []
        self.lines: dict[str, Line] = {}
        self.triples: dict[str, tuple[str, str, str]] = {}
        self.sent: list[list[Admitted]] = []
        self.missing: list[list[Admitted]] = []
        self.files: list[tuple[int, list[tuple[int, Order | None, str]], int]] = []
        self.engine = self._engine()
        self.house = House(self.engine)
        self.keys = {}
        self.auditor = houses.new_keys()
        self.staff = {"staff:maker": sm.generate(), "staff:checker": sm.generate()}
        self._people()
        self.listings = {(seller, unit): self._listing(seller, unit) for seller in CODES for unit in ("call", "item")}
        self.house.session.commit()
        self.house.session.close()
        self.office = Office(
            signer=self.house.operator,
            secret=b"o" * 32,
            working_days=working_days,
            require_signature=lambda session, signed, by, role, at: signers.require_signature(
                session, signed, by, role, at=at
            ),
            require_on_record=taking.require_on_record,
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

    def _listing(self, seller: str, unit: str) -> str:
        identity, product = (self.name(what, seller, unit)[:32] for what in ("listing", "product"))
        about = {"seller": seller, "certificate": CODES[seller], "product": product, "unit": unit}
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
                for kind in self.table:
                    for number in range(kind.first):
                        self.take(kind, number)
            for _ in range(days):
                self._morning()
                for _ in range(self.rng.randint(9, 14)):
                    self.at += self.rng.randint(60, 2000)
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
        ready = [(kind, options) for kind in self.table if (options := kind.options(self))]
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
        with warnings.catch_warnings():
            # Newer Pythons warn where other threads run: this child uses nothing of theirs, and never returns.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                self.engine = self._engine()
                self._die(kind, what, way, number)
            except BaseException:
                traceback.print_exc()
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
        """Those about use, in the order in which they were concluded."""
        return list(self.lines)

    def deal_at(self, agreement: str, at: int) -> Deal | None:
        """The revision in force then."""
        for (name, _), deal in self.model.deals.items():
            if name == agreement and deal.since <= at < (deal.until or LAST):
                return deal
        return None

    def cycle_name(self, cycle: Cycle) -> str:
        return cycle_id(OPERATOR, cycle.period)

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
        """The end-to-end id of an instruction of the model; calls of guarantors are batches of their own."""
        batch = self.batches(order.period)[order.batch]
        [found] = [i.end_to_end for i in batch.instructions if (i.direction, i.party) == (order.direction, order.party)]
        return found

    def batches(self, period: str) -> list[Batch]:
        subject = f"payments:{cycle_id(OPERATOR, period)}"
        return [store.batch_in(fact) for fact in ledger.facts_of(self.session, subject)]

    def bank_bytes(self, opening: int, entries: list[tuple[int, Order | None, str]], first: int) -> bytes:
        rows, closing = [], opening
        for number, (amount, order, code) in enumerate(entries, first):
            closing += amount
            id_ = self.order_id(order) if order else ""
            rows.append(entry(f"R{number}", _yuan(amount), end_to_end=id_, return_code=code))
        return bank_file(_yuan(opening), _yuan(closing), *rows)

    def evidence(self, cycle: Cycle) -> dict[str, Any]:
        """What a cycle is rated by, and audited."""
        return {
            "agreements": delivering.settling(self.session, cycle.start, cycle.end),
            "earlier": delivering.settling(self.session, cycle.start - LATEST, cycle.start),
            "uses": records.metered_uses, "served": contracts.served, "accepted": delivering.accepted_under,
        }  # fmt: skip

    def audit(self, cycle: Cycle) -> list[Finding]:
        name = self.cycle_name(cycle)
        secret = service.netting_secret(self.office, name)
        revision = contracts.revision_terms
        return service.audit(self.session, cycle=name, secret=secret, revision=revision, **self.evidence(cycle))


def _content(session: Session) -> tuple[int, ...]:
    counted = (ledger_tables.fact, ledger_tables.part, tables.posting, tables.journal_transaction, tables.bank_entry,
               tables.share)  # fmt: skip
    counts = [session.execute(select(func.count()).select_from(table)).scalar_one() for table in counted]
    return (*counts, log.size(session))


def _yuan(amount: int) -> str:
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"
