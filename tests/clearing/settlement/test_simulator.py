"""Business days of a whole market, drawn from a seed: all invariants after every step, killed and restarted on the way.

Fifty-six business days here, twenty markets of sixty-five in `make nightly`. A failure prints its seed and every step
up to it; `SHUQING_SEED=… pytest tests/clearing/settlement/test_simulator.py -k business_days` lives through that seed
again.
"""

from __future__ import annotations

import ast
import csv
import io
import os
import secrets
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import Session, create_engine

from clearing.errors import ProofRefused
from clearing.market.delivery import service as delivering
from clearing.market.delivery import store as deliveries
from clearing.settlement import (
    cover,
    guarantee,
    journal,
    notice,
    payment,
    projecting,
    sharing,
    statement,
    store,
    suspense,
    tables,
)
from clearing.settlement.dispute import store as disputes
from clearing.settlement.journal import Kind
from clearing.settlement.netting import Funded, Run
from clearing.settlement.netting import limits as limiting
from clearing.settlement.netting.gridlock import Reason as Limit
from clearing.settlement.netting.gridlock import Waiting
from clearing.settlement.notice import PartB
from clearing.settlement.payment import Direction
from clearing.settlement.service_order import settling
from clearing.settlement.service_order import store as order_store
from clearing.settlement.service_order.settling import Carry
from clearing.settlement.statement import Line, Obligation, ObligationPart
from clearing.terms import StepKind
from ledger import store as ledger
from ledger import tables as ledger_tables
from ledger.digest import sha256
from ledger.reading import read
from tests.clearing.market.house import DAY, NOW
from tests.clearing.settlement import deliveries_oracle, guarantors_oracle, limits_oracle, orders_oracle
from tests.clearing.settlement import settlement_oracle as oracle
from tests.clearing.settlement.service_order import naive
from tests.clearing.settlement.settlement_oracle import Cycle
from tests.clearing.settlement.simulator import Simulator
from tests.clearing.settlement.simulator_goods import accepted
from tests.clearing.settlement.simulator_guarantors import guarantors
from tests.clearing.settlement.simulator_limits import limits
from tests.clearing.settlement.simulator_orders import orders
from tests.clearing.settlement.simulator_steps import STEPS
from tests.counts import NIGHT, few
from tests.databases import Place, with_tables
from tests.telling import Tell

DAYS, RUNS = 65 if NIGHT else 56, few(1)
DAYLIGHT = 19
"""The seed of `make test`; by night every run has a fresh one."""


# Invariants of domain clearing §12, by their numbers ------------------------------------------------------------------


def check(m: Simulator) -> None:
    """Everything that must hold after every step; what is dear only when the step could have moved it."""
    for invariant, _ in AFTER:
        if due(m, invariant):
            invariant(m)


def due(m: Simulator, invariant: Callable[[Simulator], None]) -> bool:
    """Could the last step have moved what it is about?"""
    told = m.steps[-1].split(" ", 2)[2]
    after = dict(AFTER)[invariant]
    return not after or any(told == step or told.startswith(f"{step} ") for step in after)


def balances(m: Simulator) -> None:
    """1, 13, 17, 20: the journal is the model's book to the fen; every transaction and everything sums to 0; REV = 0;
    HOLD is what is frozen under the disputes that run; BNK is the bank's balance, and the list of SUS explains it."""
    found = {(str(a.kind), a.party, a.agreement, a.period): n for a, n in store.balance(m.session).items()}
    wanted = m.model.balances()
    assert found == wanted, {key: (found.get(key), wanted.get(key)) for key in {*found, *wanted}
                             if found.get(key) != wanted.get(key)}  # fmt: skip
    assert sum(found.values()) == 0
    assert store.unbalanced(m.session) == {}
    kinds: defaultdict[str, int] = defaultdict(int)
    for key, amount in found.items():
        kinds[key[0]] += amount
    frozen = sum(sum(d.parts.values()) for d in m.model.disputes.values() if d.running)
    assert kinds["REV"] == 0
    assert (-kinds["HOLD"], kinds["RCVD"]) == (frozen, frozen)
    assert kinds["BNK"] == m.model.bank
    assert store.bank_closing(m.session, "102100099996", oracle.BANK_ACCOUNT) in (m.model.bank, None)


def states(m: Simulator) -> None:
    """18: each cycle is where the model says, on the clock it says."""
    for cycle in m.model.cycles.values():
        stored = store.cycle(m.session, m.cycle_name(cycle))
        assert (str(stored.state), stored.until) == (cycle.state, cycle.until)


def readings(m: Simulator) -> None:
    """6, 7: the last reading of every period is what the admitted records say, whatever came when and how often."""
    table = tables.reading
    rows = m.session.execute(select(table).order_by(table.c.agreement, table.c.period, table.c.sequence))
    last = {(row.agreement, row.revision, row.period): row.quantity for row in rows}
    assert last == m.model.readings


def charges(m: Simulator) -> None:
    """2, 3, 4, 5, 10, 11: every charge is the model's; its shares sum to its net; what each party has had in all is its
    exact entitlement rounded, strictly within a fen; credits never exceed what was charged."""
    table, divided, part = tables.charge, tables.shares, tables.share
    rows = m.session.execute(select(table.c.agreement, table.c.period, table.c.booked, table.c.gross, table.c.net,
                                    table.c.tax)).all()  # fmt: skip
    assert sorted(map(tuple, rows)) == sorted((c.agreement, c.period, c.booked, c.gross, c.net, c.tax)
                                              for c in m.model.charges)  # fmt: skip
    assert all(row.net + row.tax == row.gross for row in rows)
    query = (
        select(divided.c.charge, table.c.net, func.sum(part.c.amount).label("shared"))
        .join(divided, divided.c.charge == table.c.fact_id).join(part, part.c.fact_id == divided.c.fact_id)
        .group_by(divided.c.charge, table.c.net)
    )  # fmt: skip
    torn = [row for row in m.session.execute(query) if row.net != row.shared]
    assert torn == []
    given = given_in_all(m)
    for deal in m.model.deals.values():
        if deal.lineage in given:
            total = m.model.totals[deal.lineage]
            exact = oracle.entitled(deal.plan, total)
            assert given[deal.lineage] == oracle.paid(deal.plan, deal.lineage, total)
            assert all(abs(exact[party] - amount) < 1 for party, amount in given[deal.lineage].items())
            assert all(amount == exact[party] for party, amount in given[deal.lineage].items()
                       if exact[party].denominator == 1)  # fmt: skip
    for charge in m.model.charges:
        assert 0 <= charge.credited <= max(charge.gross, 0)
        if charge.credited == charge.gross:
            assert charge.credited_net == charge.net


def given_in_all(m: Simulator) -> dict[str, dict[str, int]]:
    """What every plan version has given each party, as the stored shares add up."""
    divided, part = tables.shares, tables.share
    sums = (
        select(divided.c.lineage, part.c.party, func.sum(part.c.amount).label("amount"))
        .join(part, part.c.fact_id == divided.c.fact_id).group_by(divided.c.lineage, part.c.party)
    )  # fmt: skip
    given: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in m.session.execute(sums):
        given[row.lineage][row.party] = int(row.amount)
    return given


def guaranteed(m: Simulator) -> None:
    """保底, after a rating: of a plan version that is over, what it gave a guaranteed party and what was called for it
    are the guarantee together, or the party has more already and nothing is called; before it is over nothing is. In
    exact fractions the party is below its guarantee only when the funder has nothing left."""
    cycle, given, exact = _last(m, "rated"), given_in_all(m), _entitled_in_all(m)
    table = tables.guarantee_call
    rows = m.session.execute(select(table.c.claim, table.c.amount, table.c.guarantor)).all()
    called: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        called[row.claim] += row.amount
    m.done["guarantee calls"] = len(rows)
    m.done["guarantee called back"] = sum(row.amount < 0 for row in rows)
    m.done["guarantee funded"] = 0
    for deal in {deal.lineage: deal for deal in m.model.deals.values()}.values():
        moved = {party for cap in deal.plan.caps for party in (cap[0], cap[2])}
        for party, least, funder, guarantor in deal.plan.guarantees:
            claim, got = f"guarantee/{deal.lineage}/{party}", given.get(deal.lineage, {}).get(party, 0)
            calls = called.pop(claim, 0)
            over = oracle.over(m.model.deals, deal.lineage, cycle.cut)
            assert got + calls == (max(got, least) if over else got)
            assert {row.guarantor for row in rows if row.claim == claim} <= {guarantor}
            if deal.lineage in exact and not moved & {party, funder}:
                own = exact[deal.lineage]
                assert own[party] >= least or own[funder] <= 0
                m.done["guarantee funded"] += own[party] == least
    assert not any(called.values()), called


def _entitled_in_all(m: Simulator) -> dict[str, dict[str, Fraction]]:
    """As `given_in_all`, what every stored share says its party was exactly entitled to."""
    divided, part = tables.shares, tables.share
    rows = m.session.execute(select(divided.c.lineage, part.c.party, part.c.entitlement)
                             .join(part, part.c.fact_id == divided.c.fact_id))  # fmt: skip
    found: dict[str, dict[str, Fraction]] = {}
    for row in rows:
        own = found.setdefault(row.lineage, {})
        own[row.party] = own.get(row.party, Fraction(0)) + Fraction(row.entitlement)
    return found


def statements(m: Simulator) -> None:
    """13: opening + lines = closing, closing(n) = opening(n+1), and over all parties the journal."""
    cycle = _last(m, "statements_issued")
    issued = store.statements(m.session, m.cycle_name(cycle))
    assert {item.body.party for item in issued} == set(cycle.statements)
    seen: dict[tuple[str, str], oracle.Items] = {}
    for item in issued:
        parts = store.part_documents(m.session, item.fact_id)
        statement.check(item.body, parts)
        stated = cycle.statements[item.body.party]
        assert (item.body.opening, item.body.closing) == (stated.opening, stated.closing)
        for part in parts:
            assert len(part.salt) == 64, "29: nothing that can be guessed"
            if isinstance(part, Line):
                assert not part.agreement.startswith("order/"), "service orders stay out of the monthly cycle"
            else:
                items = tuple((i.agreement, i.period, i.amount) for i in part.items)
                assert seen.setdefault((part.debtor, part.creditor), items) == items
    assert seen == cycle.stated
    owned = sum(n for a, n in store.balance(m.session).items() if _monthly(a))
    assert sum(m.model.closing.values()) == -owned


def netting(m: Simulator) -> None:
    """14, 15: positions are the model's and sum to 0; F ≤ B ≤ G; each party's proof holds, and no longer with one
    obligation less; who is owed and owes what is the same after as before."""
    cycle = m.model.cycles[m.steps[-1].split()[3]]
    run_id = store.netting_of(m.session, m.cycle_name(cycle))
    if run_id is None:
        assert cycle.runs == 0
        return
    run = read(Run, ledger.fact(m.session, run_id).body)
    positions = {item.party: item.net for item in run.certificate.positions}
    assert positions == m.model.positions(cycle)
    assert sum(positions.values()) == 0
    pairs: defaultdict[frozenset[str], int] = defaultdict(int)
    gross = 0
    for (debtor, creditor), items in cycle.run.items():
        amount = sum(part for _, _, part in items)
        gross += amount
        pairs[frozenset((debtor, creditor))] += amount if debtor < creditor else -amount
    least = sum(amount for amount in positions.values() if amount > 0)
    assert least <= sum(map(abs, pairs.values())) <= gross == run.certificate.gross
    assert {party: n for party, n in run.final.items() if n} == {p: n for p, n in m.model.final(cycle).items() if n}
    counted = 0
    for item in store.statements(m.session, m.cycle_name(cycle)):
        part_b = read(PartB, ledger.fact(m.session, item.notice or "").body)
        own = [
            Obligation(part.debtor, part.creditor, part.amount, part.items)
            for part in store.part_documents(m.session, item.fact_id)
            if isinstance(part, ObligationPart)
        ]
        if part_b.root is not None and part_b.proof.leaves:
            notice.check(part_b, own)
            mine = [one for one in own if (one.debtor, one.creditor) in cycle.run]
            counted += len(mine)
            with pytest.raises(ProofRefused):
                notice.check(part_b, [one for one in own if one is not mine[0]])
        else:
            assert item.body.party not in positions
    assert counted == 2 * len(cycle.run)


def files(m: Simulator) -> None:
    """19: instructions are the model's; Σ pay-outs = Σ positive positions; the bank's table has their total."""
    cycle = m.model.cycles[m.steps[-1].split()[3]]
    batch = store.batch(m.session, m.cycle_name(cycle))
    found = sorted((str(i.direction), i.party, i.amount) for i in batch.instructions)
    live = [*m.model.live(cycle, "funding"), *m.model.live(cycle, "payout")]
    assert found == sorted((o.direction, o.party, o.amount) for o in live)
    payouts = sum(i.amount for i in batch.instructions if i.direction is Direction.PAYOUT)
    assert payouts == sum(amount for amount in m.model.final(cycle).values() if amount > 0) == batch.payout
    rows = list(csv.DictReader(io.StringIO(payment.batch_csv(batch).decode("utf-8-sig"))))
    assert sum(Fraction(row["金额(元)"]) * 100 for row in rows) == payouts


def closed(m: Simulator) -> None:
    """8, 18, 20, 28: the audit of the closed cycle finds nothing, with the sum tree rebuilt; one posting off by a fen
    is found; what waits in suspense is listed to the fen."""
    cycle = m.model.cycles[m.steps[-1].split()[3]]
    assert m.audit(cycle) == [], "the audit of a closed cycle"
    table = tables.posting
    events = ("charge", "share", "tax", "netting", "instruction", "hold", "cover-recourse", "cover-returned",
              "recourse-repaid")  # fmt: skip
    numbers = list(m.session.execute(
        select(table.c.no, table.c.line)
        .join(tables.journal_transaction, tables.journal_transaction.c.no == table.c.no)
        .where(table.c.period == cycle.period, tables.journal_transaction.c.event.in_(events))
        .order_by(table.c.no, table.c.line)
    ))  # fmt: skip
    if numbers:
        row = m.chance.choice(numbers)
        here = (table.c.no == row.no) & (table.c.line == row.line)
        m.session.execute(update(table).where(here).values(amount=table.c.amount + 1))
        assert m.audit(cycle) != []
        m.session.rollback()
    waiting = [
        waits
        for item in store.bank_entries(m.session, "102100099996", oracle.BANK_ACCOUNT).values()
        if (waits := suspense.suspended(oracle.BANK_ACCOUNT, item, _posted(m, item.reference)))
    ]
    held = -sum(n for a, n in store.balance(m.session).items() if a.kind is Kind.SUS)
    assert suspense.aged(waiting, held, on="2099-01-01").total == held


def _posted(m: Simulator, reference: str) -> journal.BankPosting:
    table = tables.bank_entry
    row = m.session.execute(select(table).where(table.c.reference == reference)).one()
    return journal.BankPosting(journal.BankEffect(row.effect), row.amount, row.applied, "", "")


def unchanged(m: Simulator) -> None:
    """1: no stored fact is ever changed, and a balance of the past is still what it was then."""
    table = ledger_tables.fact
    rows = m.session.execute(select(table.c.seq, table.c.id, table.c.sm3).order_by(table.c.seq)).all()
    count, digest, at, book = PAST.get(m, (0, sha256(b""), 0, {}))
    assert _digest(rows[:count]) == digest
    if at:
        found = {
            (str(a.kind), a.party, a.agreement, a.period): n for a, n in store.balance(m.session, until=at).items()
        }
        assert found == book
    PAST[m] = (len(rows), _digest(rows), m.at, m.model.balances())


PAST: dict[Simulator, tuple[int, bytes, int, dict[oracle.Key, int]]] = {}


def _digest(rows: list[object]) -> bytes:
    return sha256("\n".join(map(str, rows)).encode()) if rows else sha256(b"")


def earned(m: Simulator) -> None:
    """3, 4, 6, 14, 21: from scratch, in no order at all: what a party was entitled to and charged is what it got from
    the bank, what is on its way, and what stands open; nobody gains or loses beside that."""
    got: defaultdict[str, int] = defaultdict(int)
    for account, amount in store.balance(m.session).items():
        if _monthly(account) or account.kind is Kind.TRN:
            got[account.party] -= amount
    for party, amount in m.model.cash.items():
        got[party] += amount
    assert {p: n for p, n in got.items() if n} == {p: n for p, n in m.model.earned().items() if n}


def _monthly(account: journal.Account) -> bool:
    """Is it what a party owes or is owed in the monthly cycle?"""
    return account.kind in journal.PARTY_KINDS and not account.agreement.startswith("order/")


def _last(m: Simulator, state: str) -> Cycle:
    name = m.steps[-1].split()[3]
    assert m.model.cycles[name].state == state
    return m.model.cycles[name]


def refolded(m: Simulator, path: Path) -> None:
    """8, 27: all facts folded into an empty database give the same rows of settlement, disputes, deliveries and service
    orders."""
    projectors = projecting.PROJECTORS | disputes.PROJECTORS | deliveries.PROJECTORS | order_store.PROJECTORS
    views = [tables.cycle, tables.reading, tables.charge, tables.shares, tables.share, tables.journal_transaction,
             tables.posting, tables.hold, tables.statement, tables.position, tables.instruction, tables.bank_file,
             tables.bank_entry, tables.guarantee_call, *disputes.VIEWS, *deliveries.VIEWS,
             *order_store.VIEWS]  # fmt: skip
    engine = create_engine(with_tables(path))
    with m.opened() as first, Session(engine) as second:
        for fact in ledger.all_facts(first):
            ledger.restore(second, fact, ledger.parts_of(first, fact.id))
            if fact.kind in projectors:
                projectors[fact.kind](second, fact)
        for view in views:
            order = list(view.primary_key.columns)
            left = first.execute(select(view).order_by(*order)).all()
            assert left == second.execute(select(view).order_by(*order)).all(), view.name
    engine.dispose()


AFTER: tuple[tuple[Callable[[Simulator], None], tuple[str, ...]], ...] = (
    (balances, ()), (states, ()), (charges, ("Rate", "Speak", "Conclude")), (readings, ("Rate",)),
    (guaranteed, ("Rate",)), (accepted, ("Rate",)), (statements, ("Issue",)), (netting, ("Net", "Default")),
    (limits, ("Net", "Default")),
    (guarantors, ("Net", "CallGuarantors", "BankDay", "Default", "Repay")),
    (orders, ("ServiceOrder settle",)), (files, ("Instruct",)), (closed, ("Close",)),
    (unchanged, ("Integrate", "Close")), (earned, ("Integrate", "Close")),
)  # fmt: skip
"""Every invariant, and after which steps it is looked at; after all of them where none is named."""


# The runs -------------------------------------------------------------------------------------------------------------


def lived(seed: int, url: str, days: int, folder: Path, *, kills: bool = True) -> Simulator:
    """A market that lived so many business days from this seed, folded again now and then, audited to the end."""
    m = Simulator(seed, url, STEPS, check, kills=kills)
    try:
        for number in range(0, days, 20):
            m.live(min(20, days - number))
            refolded(m, folder / f"again-{number}.db")
        with m.opened():
            for cycle in m.model.cycles.values():
                assert m.audit(cycle) == [], f"seed {seed}: audit of {cycle.period} at the end"
    finally:
        m.dispose()
        PAST.pop(m, None)
    return m


def seed_of_run() -> int:
    """The seed asked for by SHUQING_SEED, else one that is always the same by day."""
    return int(os.environ.get("SHUQING_SEED", 0)) or (secrets.randbits(32) if NIGHT else DAYLIGHT)


@pytest.mark.parametrize("run", range(RUNS))
def test_business_days__from_a_seed__every_invariant_after_every_step(
    run: int, place: Place, tmp_path: Path, tell: Tell
) -> None:
    seed = seed_of_run()
    m = lived(seed, place.url(), DAYS, tmp_path)
    tell(f"seed {seed}: {dict(m.done)}; killed {dict(m.killed)}; cycles {[c.state for c in m.model.cycles.values()]}")
    assert m.done["business day"] == DAYS
    assert sum(m.killed.values()) > 0
    assert any(cycle.state == "closed" for cycle in m.model.cycles.values())
    if seed == DAYLIGHT:  # another market may be without one of these
        told = ("guarantee calls", "limits kept out", "units deemed", "delivery LATE", "order settle", "order waive",
                "order passed through", "guarantors called", "guarantor paid", "default after a call",
                "Repay")  # fmt: skip
        assert [what for what in told if not m.done[what]] == []


def test_seed__lived_through_again__takes_the_same_steps(sqlite: Place) -> None:
    """What is drawn hangs on the seed alone: not on keys, ids, or who was killed."""
    told = []
    for kills in (False, True):
        m = Simulator(4, sqlite.url(), STEPS, lambda _: None, kills=kills)
        m.live(12)
        m.dispose()
        told.append([step.split(" (killed")[0] for step in m.steps])
    assert told[0] == told[1]
    assert len(told[0]) > 70


def test_failure__prints_its_seed_and_every_step(sqlite: Place) -> None:
    def breaks(m: Simulator) -> None:
        assert len(m.steps) < 9, "演示"

    m = Simulator(5, sqlite.url(), STEPS, breaks, kills=False)
    with pytest.raises(AssertionError, match="seed 5, after 9 steps") as caught:
        m.live(3)
    m.dispose()
    assert all(step in str(caught.value) for step in m.steps)


@pytest.mark.parametrize("wrong", ["a fen more for the first payee", "a record counted twice", "tax of another rate"])
def test_oracle__of_another_opinion__stops_the_run(wrong: str, sqlite: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: a model that is wrong by one fen, one record or one rate is found at the first rating."""
    if wrong.startswith("a fen"):
        right = oracle.paid

        def moved(plan: oracle.Plan, lineage: str, total: int) -> dict[str, int]:
            found = right(plan, lineage, total)
            first, second = list(found)[:2]
            return found | ({first: found[first] + 1, second: found[second] - 1} if total else {})

        monkeypatch.setattr(oracle, "paid", moved)
    elif wrong.startswith("a record"):
        quantity = oracle.Oracle.quantity
        monkeypatch.setattr(oracle.Oracle, "quantity", lambda self, *about: quantity(self, *about) + 1)
    else:
        taxed = oracle.taxed
        monkeypatch.setattr(oracle, "taxed", lambda deal, amount: taxed(replace(deal, bp=deal.bp + 500), amount))
    m = Simulator(6, sqlite.url(), STEPS, check, kills=False)
    m.at = NOW + 20 * DAY
    with pytest.raises(AssertionError, match="Rate 2026-06"):
        m.live(40)
    m.dispose()
    PAST.pop(m, None)


# Faults of the product that an invariant must see ---------------------------------------------------------------------


def _a_fen_less_is_called(patch: pytest.MonkeyPatch) -> None:
    real = guarantee.due
    patch.setattr(guarantee, "due", lambda *about: tuple(replace(c, amount=c.amount - 1) for c in real(*about)))


def _a_version_that_runs_is_over(patch: pytest.MonkeyPatch) -> None:
    """The 30 days of late records are not waited for."""
    real = guarantee.ended
    patch.setattr(guarantee, "ended", lambda served, cut_off: real(served, cut_off + 30 * DAY))


def _the_funder_keeps_its_share(patch: pytest.MonkeyPatch) -> None:
    """Guarantees are left out of the division."""
    real = sharing._bound
    patch.setattr(sharing, "_bound", lambda plan, exact: real(
        replace(plan, steps=tuple(s for s in plan.steps if s.kind is not StepKind.GUARANTEE)), exact))  # fmt: skip


def _limits_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limiting, "applied", lambda obligations, *about: (tuple(obligations), (), None))


def _one_waits_that_would_fit(patch: pytest.MonkeyPatch) -> None:
    real = limiting.limited

    def less(*about: Any) -> Any:
        kept, waiting, found = real(*about)
        again = [Waiting("more", one.amount, Limit.DEBIT_CAP, 0) for one in kept[:1]]
        return kept[1:], (*waiting, *kept[:1]), replace(found, waiting=(*found.waiting, *again))

    patch.setattr(limiting, "limited", less)


def _nobody_is_told_what_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(notice, "limited", lambda waiting: ())


def _a_unit_more_is_accepted(patch: pytest.MonkeyPatch) -> None:
    real = delivering.accepted_under
    patch.setattr(delivering, "accepted_under",
                  lambda *about: [replace(a, quantity=a.quantity + 1) for a in real(*about)])  # fmt: skip


def _accepted_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """By another fact, or it would be the same acceptance."""
    real = delivering.accepted_under
    patch.setattr(delivering, "accepted_under",
                  lambda *about: [replace(a, fact=fact) for a in real(*about) for fact in (a.fact, "f" * 64)]
    )  # fmt: skip


def _silence_accepts_nothing(patch: pytest.MonkeyPatch) -> None:
    real = delivering.accepted_under
    patch.setattr(delivering, "accepted_under", lambda *about: [a for a in real(*about) if not a.deemed])


def _silence_counts_from_the_receipt(patch: pytest.MonkeyPatch) -> None:
    """What silence accepted is dated eight days too early, so some of it falls into the month before."""
    real = delivering.accepted_under
    patch.setattr(delivering, "accepted_under",
                  lambda *about: [replace(a, at=a.at - 8 * DAY) if a.deemed else a for a in real(*about)])  # fmt: skip


def _carry_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = settling._balance
    patch.setattr(settling, "_balance", lambda counted, netted, carry: real(counted, netted, Carry()))


def _ninety_percent_twice(patch: pytest.MonkeyPatch) -> None:
    real = settling.order_fee
    patch.setattr(settling, "order_fee", lambda *about: real(*about) * Fraction(9, 10))


def _waivers_count_for_nothing(patch: pytest.MonkeyPatch) -> None:
    real = settling.month_damages
    patch.setattr(settling, "month_damages", lambda month, at, scheme: real(replace(month, waived_at=None), at, scheme))


def _damages_are_not_offset(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "order_offset", lambda of, amount: of.transaction("offset", []))


def _orders_stand_in_the_month(patch: pytest.MonkeyPatch) -> None:
    stated = property(lambda account: account.kind in journal.PARTY_KINDS and not account.non_tax)
    patch.setattr(journal.Account, "stated", stated)


def _guarantors_are_asked_for_all(patch: pytest.MonkeyPatch) -> None:
    """Whatever they agreed, for everything that is missing."""
    real = cover.asked_of

    def asked(short: Any, standing: Any, owed: Any) -> Any:
        found = real(short, standing, owed)
        return tuple(replace(one, amount=one.missing) for one in found)

    patch.setattr(cover, "asked_of", asked)


def _what_a_guarantor_paid_is_owed_to_nobody(patch: pytest.MonkeyPatch) -> None:
    real = journal.recourse
    patch.setattr(journal, "recourse", lambda entry, party, by, period, amount, *about: real(
        entry, party, by, period, 0, *about))  # fmt: skip


def _what_a_guarantor_paid_too_much_goes_to_its_party(patch: pytest.MonkeyPatch) -> None:
    real = cover.carried

    def kept(*about: Any) -> Any:
        found = real(*about)
        back = {one.by: one.amount for one in found.returned}
        funded = [one if one.by else replace(one, amount=one.amount - back.get(one.party, 0)) for one in found.funded]
        own = [Funded(one.party, one.amount) for one in found.returned]
        return replace(found, funded=tuple(one for one in (*funded, *own) if one.amount), returned=())

    patch.setattr(cover, "carried", kept)


@pytest.mark.parametrize(
    ("fault", "invariant", "seed", "start"),
    [
        (_a_fen_less_is_called, guaranteed, 11, 26),
        (_a_version_that_runs_is_over, guaranteed, 11, 26),
        (_the_funder_keeps_its_share, guaranteed, 11, 26),
        (_limits_are_forgotten, limits, 11, 26),
        (_one_waits_that_would_fit, limits, 11, 26),
        (_nobody_is_told_what_waits, limits, 1, 26),
        (_a_unit_more_is_accepted, accepted, 11, 26),
        (_accepted_counts_twice, accepted, 11, 26),
        (_silence_accepts_nothing, accepted, 1, 18),
        (_silence_counts_from_the_receipt, accepted, 1, 26),
        (_carry_is_forgotten, orders, 1, 26),
        (_ninety_percent_twice, orders, 1, 26),
        (_waivers_count_for_nothing, orders, 1, 18),
        (_damages_are_not_offset, balances, 1, 26),
        (_orders_stand_in_the_month, statements, 11, 26),
        (_guarantors_are_asked_for_all, guarantors, 11, 26),
        (_what_a_guarantor_paid_is_owed_to_nobody, guarantors, 11, 26),
        (_what_a_guarantor_paid_too_much_goes_to_its_party, guarantors, 27, 18),
    ],
)
def test_fault__of_the_product__is_seen_by_the_invariant_alone(
    fault: Callable[[pytest.MonkeyPatch], None], invariant: Callable[[Simulator], None], seed: int, start: int,
    sqlite: Place, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nothing but one invariant is checked of a market that the product settles by a wrong rule: it fails, and does not
    while the rule is right."""
    fault(monkeypatch)
    m = Simulator(seed, sqlite.url(), STEPS, lambda m: invariant(m) if due(m, invariant) else None,
                  kills=False)  # fmt: skip
    m.at = NOW + start * DAY
    with pytest.raises(AssertionError, match=f"seed {seed}") as caught:
        m.live(DAYS)
    m.dispose()
    assert isinstance(caught.value.__cause__, AssertionError)
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__cause__.__traceback__)]
    assert invariant.__name__ in frames


ORACLES: dict[ModuleType, set[str]] = {
    oracle: {"hashlib", "collections", "collections.abc", "dataclasses", "fractions",
             *(f"tests.clearing.settlement.{name}_oracle"
               for name in ("deliveries", "guarantors", "limits", "orders"))},
    deliveries_oracle: {"dataclasses", "datetime", "chinese_calendar"},
    guarantors_oracle: {"collections", "collections.abc", "dataclasses"},
    limits_oracle: {"collections.abc", "dataclasses", "itertools"},
    orders_oracle: {"dataclasses", "fractions", "tests.clearing.settlement.service_order"},
    naive: {"collections.abc", "fractions", "itertools"},
}  # fmt: skip


@pytest.mark.parametrize("module", ORACLES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_oracle__knows_nothing_of_the_product(module: ModuleType) -> None:
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    named = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert named == {"__future__"} | ORACLES[module]
