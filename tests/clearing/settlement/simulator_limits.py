"""Net debit caps and limits of pairs in the simulated market: set and lifted by two persons, or tried otherwise."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from clearing.errors import ClearingError, TooEarly
from clearing.settlement import service, store
from clearing.settlement.netting import Run
from clearing.settlement.netting.limits import NETTING_LIMITS, Cap, NettingLimits, PairLimit, subject_of
from clearing.settlement.notice import PartB, Reason
from clearing.settlement.statement import ObligationPart
from clearing.usage.finding import CHECKER, MAKER
from ledger import store as ledger
from ledger.errors import LedgerError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from tests.clearing.market.house import OPERATOR
from tests.clearing.settlement.limits_oracle import Limits, broken, chosen
from tests.clearing.settlement.settlement_oracle import Cycle
from tests.clearing.settlement.simulator import PLATFORM, TRIPLES, Kind, Simulator

TWO = (("staff:maker", MAKER), ("staff:checker", CHECKER))


def drafted(m: Simulator, limits: Limits) -> Signed:
    caps = [Cap(party, fen) for party, fen in limits.caps]
    pairs = [PairLimit(*pair) for pair in limits.pairs]
    return m.signed(service.draft_limits(m.session, operator=OPERATOR, caps=caps, pairs=pairs), *TWO)


def refused_in_the_second(m: Simulator) -> None:
    """Something was netted in this second, so limits set in it would leave open which came first."""
    before = ledger.count(m.session)
    signed = drafted(m, Limits())
    with pytest.raises(TooEarly):
        service.set_limits(m.session, m.office, signed, at=m.at)
    assert ledger.count(m.session) == before


class SetLimits(Kind):
    """Maker and checker set what stands from the next second on, or lift all of it. A cycle that waits to be netted
    cannot be in the same second."""

    weight = 4

    def options(self, m: Simulator) -> list[Any]:
        return [True]

    def draw(self, m: Simulator, options: list[Any]) -> Limits:
        if m.rng.random() < 0.2:
            return Limits()

        def fen() -> int:
            return m.rng.choice((0, m.rng.randint(1, 3000), m.rng.randint(1, 60_000)))

        parties = sorted({party for triple in TRIPLES for party in triple} | {PLATFORM})
        caps = [(party, fen()) for party in m.rng.sample(parties, m.rng.randint(0, 3))]
        pairs = {(debtor, creditor): fen() for debtor, creditor in
                 (m.rng.sample(parties, 2) for _ in range(m.rng.randint(0, 4)))}  # fmt: skip
        return Limits(tuple(caps), tuple((*pair, most) for pair, most in pairs.items()))

    def act(self, m: Simulator, what: Limits) -> None:
        assert not service.set_limits(m.session, m.office, drafted(m, what), at=m.at).replayed
        before = ledger.count(m.session)
        for cycle in m.model.cycles.values():
            if cycle.state == "confirmed":
                with pytest.raises(TooEarly):
                    service.net(m.session, m.office, cycle=m.cycle_name(cycle), at=m.at)
        assert ledger.count(m.session) == before

    def know(self, m: Simulator, what: Limits) -> None:
        m.model.limits = what
        m.done["limits lifted"] += not (what.caps or what.pairs)


class WrongLimits(Kind):
    """Limits that one person signs, that name somebody twice or let somebody owe itself, of another operator, or below
    0: refused, and what stands goes on standing."""

    weight = 2
    kills = False

    def options(self, m: Simulator) -> list[Any]:
        return ["one signs", "named twice", "out of order", "owes itself", "another's", "below 0"]

    def act(self, m: Simulator, what: str) -> None:
        before, parties = ledger.count(m.session), sorted(m.house.keys)
        caps, pairs, operator, who = [Cap(parties[0], 5)], list[PairLimit](), OPERATOR, TWO
        if what == "one signs":
            who = TWO[:1]
        elif what == "named twice":
            caps *= 2
        elif what == "out of order":
            caps.insert(0, Cap(parties[1], 5))
        elif what == "owes itself":
            pairs.append(PairLimit(parties[0], parties[0], 5))
        elif what == "another's":
            operator = parties[0] if parties[0] != OPERATOR else parties[1]
        else:
            caps = [Cap(parties[0], -1)]
        subject = subject_of(operator)
        body = body_of(NettingLimits(operator, tuple(caps), tuple(pairs)))
        signed = m.signed(Statement(NETTING_LIMITS, subject, *ledger.next_of(m.session, subject), body), *who)
        with pytest.raises((ClearingError, LedgerError)):
            service.set_limits(m.session, m.office, signed, at=m.at)
        m.session.rollback()
        assert ledger.count(m.session) == before


LIMIT_STEPS: tuple[Kind, ...] = (SetLimits(), WrongLimits())


def limits(m: Simulator) -> None:
    """16, after a netting: its run breaks no cap and no limit of a pair that stood then; what they kept out is told to
    both sides with its reason, and would break one of them beside the run; no choice lets more through."""
    cycle = m.model.cycles[m.steps[-1].split()[3]]
    run_id = store.netting_of(m.session, m.cycle_name(cycle))
    assert run_id is not None
    run = read(Run, ledger.fact(m.session, run_id).body)
    if run.choice is None:
        assert cycle.limits == Limits()
    went = {(p.debtor, p.creditor): p.amount for p in store.part_documents(m.session, run_id)
            if isinstance(p, ObligationPart)}  # fmt: skip
    assert broken(went, cycle.limits) == []
    told = _told(m, cycle)
    waits = {pair: sum(n for _, _, n in items) for pair, items in cycle.limited.items()}
    assert told == {pair: [amount] * 2 for pair, amount in waits.items()}
    kept_out = {pair: sum(n for _, _, n in items) for pair, items in cycle.waiting.items()}
    for pair, amount in kept_out.items():
        assert broken(went | {pair: amount}, cycle.limits), f"{pair} would fit beside the run"
    assert chosen(went | kept_out, cycle.limits) == set(went)
    m.done["limits kept out"] += len(waits)


def _told(m: Simulator, cycle: Cycle) -> dict[tuple[str, str], list[int]]:
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for item in store.statements(m.session, m.cycle_name(cycle)):
        notice = read(PartB, ledger.fact(m.session, item.notice or "").body)
        for held in notice.held:
            if held.reason is Reason.LIMITED:
                found[held.debtor, held.creditor].append(held.amount)
    return dict(found)
