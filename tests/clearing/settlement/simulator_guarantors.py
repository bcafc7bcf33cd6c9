"""Guarantors of funding in the simulated market: they stand for a party, are called when it is short, pay or do not,
get back what it does not need, and say what it repaid to them; or all of it is tried otherwise. Everything is 演示."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clearing.errors import ClearingError, TooEarly, WrongMove
from clearing.settlement import service, store
from clearing.settlement.cover import (
    FUNDING_GUARANTEE,
    RECOURSE_REPAID,
    FundingGuarantee,
    RecourseRepaid,
    repaid_subject_of,
    subject_of,
)
from clearing.settlement.journal import Kind as Ledger
from clearing.settlement.netting import Run
from clearing.settlement.payment import BankAccount
from clearing.usage.finding import CHECKER, MAKER
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from tests.clearing.market.house import DAY, OPERATOR
from tests.clearing.settlement.guarantors_oracle import Guarantee
from tests.clearing.settlement.settlement_oracle import ORDER, Cycle
from tests.clearing.settlement.simulator import PLATFORM, TRIPLES, Kind, Simulator, day_of, working_days

TWO = (("staff:maker", MAKER), ("staff:checker", CHECKER))
PARTIES = sorted({party for triple in TRIPLES for party in triple})


def accounts_of(m: Simulator) -> dict[str, BankAccount]:
    return {
        party: BankAccount("102100099996", "演示银行", f"00{number}", f"演示{number}公司")
        for number, party in enumerate(m.house.keys)
    }


def agreed(m: Simulator, what: Guarantee, *signers: str, operator: str = OPERATOR) -> Appended:
    """Taken in as these sign it, guarantor and party if nobody is named."""
    body = body_of(FundingGuarantee(operator, what.guarantor, what.party, what.most, what.first, what.last))
    subject = subject_of(operator, what.party)
    statement = Statement(FUNDING_GUARANTEE, subject, *ledger.next_of(m.session, subject), body)
    who = [(f"party:{by}", "") for by in signers or (what.guarantor, what.party)]
    return service.give_guarantee(m.session, m.office, m.signed(statement, *who), at=m.at)


def repaid(m: Simulator, owed: tuple[str, str, str], amount: int, *, by: str = "") -> Appended:
    """What a guarantor says it got of what (guarantor, party, period) says it is owed; or another says it."""
    subject = repaid_subject_of(OPERATOR, *owed[:2])
    body = body_of(RecourseRepaid(OPERATOR, *owed, amount))
    statement = Statement(RECOURSE_REPAID, subject, *ledger.next_of(m.session, subject), body)
    return service.take_repaid(m.session, m.office, m.signed(statement, (f"party:{by or owed[0]}", "")), at=m.at)


def called(m: Simulator, cycle: Cycle) -> Signed:
    draft = service.draft_call(m.session, m.office, cycle=m.cycle_name(cycle), accounts=accounts_of(m), at=m.at)
    return m.signed(draft, *TWO)


class AgreeGuarantee(Kind):
    """A guarantor and its party agree what stands from now on, more or less than before, for other days, or nothing
    any more. Nobody else may stand meanwhile."""

    weight = 6

    def options(self, m: Simulator) -> list[Any]:
        return [party for party in PARTIES if not m.model.locked(party)]

    def draw(self, m: Simulator, options: list[Any]) -> Guarantee:
        party, today = m.rng.choice(options), day_of(m.at)
        before = m.model.cover.agreed.get(party)
        guarantor = m.rng.choice([other for other in (*PARTIES, PLATFORM, PLATFORM) if other != party])
        if before and before.lasts(today):
            guarantor = before.guarantor
        most = m.rng.choice((0, m.rng.randint(1, 3000), m.rng.randint(1, 60_000), 10**9, 10**9))
        first = day_of(m.at + m.rng.choice((-30, 0, 0, 0, 9)) * DAY)
        last = max(first, day_of(m.at + m.rng.choice((-1, 9, 40, 90, 90)) * DAY))
        return Guarantee(guarantor, party, most, first, last)

    def act(self, m: Simulator, what: Guarantee) -> None:
        assert not agreed(m, what).replayed

    def know(self, m: Simulator, what: Guarantee) -> None:
        before = m.model.cover.agreed.get(what.party)
        m.done["guarantee changed"] += bool(before and before.most and what.most)
        m.done["guarantee ended"] += bool(before and before.most and not what.most)
        m.model.cover.agreed[what.party] = what


class CallGuarantors(Kind):
    """Maker and checker call the guarantors of who is short when the clock has run out; how they will pay is drawn
    now."""

    weight = 20

    def options(self, m: Simulator) -> list[Any]:
        return [cycle for cycle in m.model.cycles.values() if self._may(m, cycle)]

    def _may(self, m: Simulator, cycle: Cycle) -> bool:
        waits = cycle.state == "instructed" and cycle.instructed and m.at >= cycle.until
        return waits and bool(m.model.asked(cycle)) and not m.model.called_elsewhere(cycle)

    def draw(self, m: Simulator, options: list[Any]) -> tuple[Cycle, dict[str, str]]:
        cycle = m.rng.choice(options)
        manners = ("pays", "pays", "pays", "part", "part", "part", "never", "over", "late")
        return cycle, {party: m.rng.choice(manners) for party in sorted(m.model.asked(cycle))}

    def act(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        with pytest.raises(WrongMove):
            service.declare_default(m.session, m.office, cycle=m.cycle_name(what[0]), at=m.at)
        service.call_cover(m.session, m.office, called(m, what[0]), at=m.at)

    def know(self, m: Simulator, what: tuple[Cycle, dict[str, str]]) -> None:
        m.done["guarantors called"] += len(m.model.asked(what[0]))
        m.model.call(*what)
        what[0].until = working_days(m.at, 3)

    def tell(self, what: Any) -> str:
        return f"{what[0].period} {what[1]}"


class Repay(Kind):
    """A party has repaid its guarantor, all or a part: the guarantor says so."""

    weight = 4

    def options(self, m: Simulator) -> list[Any]:
        return [owed for owed, amount in sorted(m.model.cover.owed.items()) if amount and funded(m, owed[2])]

    def draw(self, m: Simulator, options: list[Any]) -> tuple[tuple[str, str, str], int]:
        owed = m.rng.choice(options)
        amount = m.model.cover.owed[owed]
        return owed, m.rng.choice((amount, m.rng.randint(1, amount)))

    def act(self, m: Simulator, what: tuple[tuple[str, str, str], int]) -> None:
        assert not repaid(m, *what).replayed

    def know(self, m: Simulator, what: tuple[tuple[str, str, str], int]) -> None:
        m.model.repay(*what[0], what[1])


def funded(m: Simulator, period: str) -> bool:
    return ORDER.index(m.model.cycles[period].state) >= ORDER.index("funded")


class WrongGuarantor(Kind):
    """A guarantee that the wrong persons sign, of nobody's days or money, of another operator or of a second guarantor,
    or while a cycle under it is not funded; a call too early, of nobody, or not of what is missing; a repayment that is
    not owed, not yet sure, or told by another: refused, and what stands goes on standing."""

    weight = 3
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        free = [party for party in PARTIES if not m.model.locked(party)]
        wrong = ("one signs", "another signs", "owes itself", "no days", "another's", "below 0")
        standing = [party for party in free if party in m.model.cover.agreed]
        second = [party for party in standing if m.model.cover.agreed[party].lasts(day_of(m.at))]
        cycles = list(m.model.cycles.values())
        kinds: list[list[Any]] = [
            [(what, party) for what in wrong for party in PARTIES],
            [("second", party) for party in second],
            [("not funded", party) for party in PARTIES if m.model.locked(party)],
            [("call", cycle) for cycle in cycles],
            [("call", cycle) for cycle in cycles if cycle.state == "instructed"],
            [("repaid", owed) for owed in sorted(m.model.cover.owed)],
        ]
        return [options for options in kinds if options]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return m.rng.choice(m.rng.choice(options))

    def act(self, m: Simulator, what: tuple[str, Any]) -> None:
        before = ledger.count(m.session)
        if what[0] == "call":
            self._call(m, what[1])
        elif what[0] == "repaid":
            self._repaid(m, what[1])
        else:
            self._agree(m, *what)
        m.session.rollback()
        assert ledger.count(m.session) == before

    def _agree(self, m: Simulator, what: str, party: str) -> None:
        others, today = [other for other in PARTIES if other != party], day_of(m.at)
        stands = m.model.cover.agreed.get(party)
        right = Guarantee(stands.guarantor if stands else others[0], party, 5, today, today)
        strangers = [other for other in others if other != right.guarantor]
        tried: dict[str, Callable[[], object]] = {
            "one signs": lambda: agreed(m, right, right.guarantor),
            "another signs": lambda: agreed(m, right, right.guarantor, strangers[0]),
            "owes itself": lambda: agreed(m, replace(right, guarantor=party), party),
            "no days": lambda: agreed(m, replace(right, first=day_of(m.at + DAY))),
            "another's": lambda: agreed(m, right, operator=PLATFORM),
            "below 0": lambda: agreed(m, replace(right, most=-1)),
            "second": lambda: agreed(m, replace(right, guarantor=strangers[0])),
            "not funded": lambda: agreed(m, right),
        }
        with pytest.raises(WrongMove if what == "not funded" else (ClearingError, LedgerError)):
            tried[what]()

    def _call(self, m: Simulator, cycle: Cycle) -> None:
        asked = m.model.asked(cycle) if cycle.state == "instructed" and cycle.instructed else {}
        if not asked or m.at < cycle.until or m.model.called_elsewhere(cycle):
            with pytest.raises(TooEarly if asked and m.at < cycle.until else WrongMove):
                called(m, cycle)
            return
        with pytest.raises(WrongMove):
            service.declare_default(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)
        right = called(m, cycle)
        body = dict(right.statement.body)
        for wrong in ({"asked": [dict(one) | {"amount": 1_000_000_000} for one in body["asked"]]},
                      {"until": body["until"] + DAY * 9}):  # fmt: skip
            changed = replace(right.statement, body=body | wrong)
            with pytest.raises((ClearingError, LedgerError)):
                service.call_cover(m.session, m.office, m.signed(changed, *TWO), at=m.at)
            m.session.rollback()
        with pytest.raises((ClearingError, LedgerError)):
            service.call_cover(m.session, m.office, m.signed(right.statement, TWO[0]), at=m.at)

    def _repaid(self, m: Simulator, owed: tuple[str, str, str]) -> None:
        amount = m.model.cover.owed[owed]
        tried: list[Callable[[], object]] = [lambda: repaid(m, owed, amount + 1), lambda: repaid(m, owed, 0)]
        if amount:
            tried.append(lambda: repaid(m, owed, 1, by=owed[1]))
            if not funded(m, owed[2]):
                tried.append(lambda: repaid(m, owed, 1))
        for wrong in tried:
            with pytest.raises((ClearingError, LedgerError)):
                wrong()
            m.session.rollback()

    def tell(self, what: Any) -> str:
        return f"{what[0]} {what[1].period if isinstance(what[1], Cycle) else what[1]}"

    def know(self, m: Simulator, what: Any) -> None:
        m.done[f"wrong guarantor {what[0]}"] += 1


GUARANTOR_STEPS: tuple[Kind, ...] = (AgreeGuarantee(), CallGuarantors(), Repay(), WrongGuarantor())
TAKEN: dict[str, tuple[str, Callable[..., Appended]]] = {
    "AgreeGuarantee": (FUNDING_GUARANTEE, service.give_guarantee),
    "Repay": (RECOURSE_REPAID, service.take_repaid),
}
"""By the step, the kind of statement it makes and the call that takes it in again."""


def guarantors(m: Simulator) -> None:
    """16 of guarantors: each is asked for what its party did not bring and until it is owed the most that was agreed;
    it is owed just what it paid, less what came back to it and was repaid; what it paid counts for its party as far as
    that needs it, and else for itself."""
    assert _owed(m) == {owed: amount for owed, amount in m.model.cover.owed.items() if amount}
    for cycle in m.model.cycles.values():
        run_id = store.netting_of(m.session, m.cycle_name(cycle))
        if run_id is not None:
            brought = read(Run, ledger.fact(m.session, run_id).body).funded or ()
            assert {one.party: one.amount for one in brought if one.by} == cycle.covered
            assert {one.party: one.by for one in brought if one.by}.items() <= {
                party: one.guarantor for party, one in cycle.stood.items()
            }.items()
            assert {one.party: one.amount for one in brought if not one.by} == {
                party: amount for party, amount in cycle.funded.items() if amount
            }
            _asked(m, cycle)


def _owed(m: Simulator) -> dict[tuple[str, str, str], int]:
    """What parties owe guarantors, by (guarantor, party, period), which is what those are owed by them."""
    sides: dict[Ledger, dict[tuple[str, str, str], int]] = {Ledger.RCV: {}, Ledger.PAY: {}}
    for account, amount in store.balance(m.session).items():
        name, _, other = account.agreement.partition("/")
        if name == "recourse":
            pair = (other, account.party) if account.kind is Ledger.RCV else (account.party, other)
            sides[account.kind][*pair, account.period] = amount if account.kind is Ledger.RCV else -amount
    assert sides[Ledger.RCV] == sides[Ledger.PAY]
    assert all(amount > 0 for amount in sides[Ledger.RCV].values())
    return sides[Ledger.RCV]


def _asked(m: Simulator, cycle: Cycle) -> None:
    batch = store.instructions_of(m.session, m.cycle_name(cycle))
    call = store.cover_call(m.session, m.cycle_name(cycle), batch) if batch else None
    assert bool(call) == cycle.called
    if call:
        asked = {(one.party, one.guarantor, one.amount) for one in call[1].asked}
        orders = [order for order in m.model.live(cycle, "funding") if order.by]
        assert asked == {(order.party, order.by, order.amount) for order in orders}
        for order in orders:
            due = m.model.due(order)
            assert not due or m.model.cover.owes(order.party, order.by) + due <= cycle.stood[order.party].most
