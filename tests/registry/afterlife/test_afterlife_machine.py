"""Random after-lives against the real house: the flags are a naive oracle's, and what must never happen never does."""

from __future__ import annotations

import random
import secrets
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy.orm import Session

from api.bootstrap import projectors
from ledger import rebuild
from ledger import store as facts
from ledger.errors import LedgerError
from ledger.reading import read
from registry import store as views
from registry.afterlife import dispute_moves, store
from registry.afterlife import remark as remarks_
from registry.afterlife.dispute import MOVE, OPEN, Conclusion, DisputeAct, DisputeState
from registry.afterlife.remark import REMARK, Consentable, RemarkAct, RemarkKind
from registry.calendar import day_of
from registry.case import Answer
from registry.certificate import ENDING
from registry.errors import RegistryError
from registry.form import Operation
from registry.rights import Right
from tests.counts import few
from tests.databases import in_memory
from tests.registry.afterlife.afterlife_house import (
    ALL,
    CLERK,
    OBJECTOR,
    REGISTRANT,
    After,
    after,
    instrument,
    opened,
    pledge_of,
)
from tests.registry.registry_house import RIVAL, TWO, House, an_item, attachment, judgment, open_house


@dataclass
class Entry:
    """What the oracle knows of one remark: a line in a list, nothing else."""

    identity: str
    kind: str
    rights: frozenset[Right]
    from_day: str
    to_day: str | None
    over: bool = False
    consents: frozenset[str] = frozenset()


BLOCKED_BY = {
    "PRESERVATION": {"transfer", "change_description", "cancellation", "repledge"},
    "TEMP_CONTROL": {"transfer", "change_description", "cancellation", "repledge", "contract"},
    "PLEDGE": {"transfer", "change_description", "cancellation"},
}


class Oracle:
    """The rules of 1.7 in a few lines, over a plain list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def live(self, entry: Entry, today: str) -> bool:
        ended = entry.to_day is not None and today > entry.to_day
        if entry.kind in BLOCKED_BY:
            return not entry.over
        return not entry.over and not ended and today >= entry.from_day

    def encumbered(self) -> bool:
        return any(not entry.over and entry.kind in BLOCKED_BY for entry in self.entries)

    def blocks(self, operation: str, right: Right, today: str) -> bool:
        return any(
            self.live(entry, today)
            and right in entry.rights
            and operation in BLOCKED_BY.get(entry.kind, ())
            and not (entry.kind == "PLEDGE" and operation in entry.consents)
            for entry in self.entries
        )


@pytest.mark.clause("G23", "E-01", "E-02", "E-03", "E-04", "E-05")
@pytest.mark.parametrize("seed", range(few(6)))
def test_any_history_of_remarks__flag_and_blocks_are_the_oracles(later: After, seed: int) -> None:
    dice, oracle = random.Random(seed), Oracle()
    flags: list[bool] = []
    done = 0
    for _ in range(25):
        today = later.today
        turn = dice.choice(["record", "record", "extend", "lift", "confirm", "consent", "wait", "timers"])
        standing = [entry for entry in oracle.entries if not entry.over]
        entry = dice.choice(standing) if standing else None
        try:
            with later.house.session.begin_nested():
                if turn == "record":
                    kind = dice.choice(list(RemarkKind))
                    rights = frozenset(dice.sample(ALL, dice.randrange(1, 4)))
                    end = dice.choice([None, after(today, dice.randrange(0, 20))])
                    paper = pledge_of(RIVAL) if kind is RemarkKind.PLEDGE else instrument(kind)
                    first = after(today, dice.randrange(0, 3)) if kind is RemarkKind.AGREED else today
                    stopped = kind is RemarkKind.PLEDGE and any(
                        oracle.blocks("repledge", right, today) for right in rights
                    )
                    identity = later.record(
                        kind, paper=paper, rights=tuple(sorted(rights)), from_day=first, to_day=end
                    )  # fmt: skip
                    assert not stopped, "a pledge was recorded under a seizure"
                    oracle.entries.append(Entry(identity, kind.value, rights, first, end))
                elif turn == "extend" and entry:
                    end = after(today, dice.randrange(1, 30))
                    paper = pledge_of(RIVAL) if entry.kind == "PLEDGE" else None
                    later.extend(entry.identity, end, paper=paper)
                    assert entry.to_day is not None
                    assert end > entry.to_day
                    entry.to_day = end
                elif turn == "lift" and entry:
                    later.lift(entry.identity, paper=pledge_of(RIVAL) if entry.kind == "PLEDGE" else None)
                    entry.over = True
                elif turn == "confirm" and entry:
                    later.confirm(entry.identity)
                    assert entry.kind in ("PRESERVATION", "TEMP_CONTROL")
                    assert entry.to_day is not None
                    assert today > entry.to_day
                    entry.over = True
                elif turn == "consent" and entry:
                    operation = dice.choice([item for item in Consentable if item is not Consentable.LIFT])
                    later.consent(entry.identity, operation, OBJECTOR)
                    assert entry.kind == "PLEDGE"
                    entry.consents |= {operation.value}
                elif turn == "wait":
                    later.house.now += dice.randrange(1, 12) * 86_400
                else:
                    later.timers()
            done += 1
        except RegistryError:
            pass
        today = later.today
        for entry in oracle.entries:
            if entry.kind not in BLOCKED_BY and entry.to_day is not None and today > entry.to_day:
                entry.over = True
        assert later.standing.encumbered == oracle.encumbered()
        if oracle.encumbered() != (flags[-1] if flags else False):
            flags.append(oracle.encumbered())
        for operation in Operation:
            right = dice.choice(ALL)
            found = store.stops(later.house.session, later.code, operation, later.house.now, {right})
            assert bool(found) == oracle.blocks(operation.value, right, today), (operation, right)
    assert [encumbered for _, encumbered, _ in later.told()] == flags
    assert done > 8
    assert differences(later.house) == []
    for entry in oracle.entries:
        assert refolded(later.house, entry.identity) == later.remark(entry.identity)


def differences(house: House) -> list[str]:
    """Every view row against the same row made again from the facts in an empty database."""
    engine = in_memory()
    try:
        with Session(engine) as scratch:
            rebuild.copy_facts(house.session, scratch)
            rebuild.fold(scratch, scratch, projectors())
            return [str(finding) for finding in rebuild.differences(house.session, scratch)]
    finally:
        engine.dispose()


def refolded(house: House, identity: str) -> remarks_.Remark:
    """The remark folded again from its own facts, without any table."""
    known: Any = None
    for fact in facts.facts_of(house.session, f"remark:{identity}"):
        if fact.kind == REMARK:
            act = read(RemarkAct, fact.body)
            role = "staff" if fact.signatures[0].by.startswith("staff:") else "system"
            signer = dispute_moves.Role.REVIEWER if role == "staff" else dispute_moves.Role.SYSTEM
            known = (
                remarks_.recorded(identity, act, fact.at)
                if act.move == "E-01"
                else remarks_.apply(known, act, signer, fact.at)
            )
        else:
            known = remarks_.consented(known, read(remarks_.Consent, fact.body), fact.at)
    return known  # type: ignore[no-any-return]


WHO = st.sampled_from([(REGISTRANT,), (OBJECTOR,), (CLERK,), ("staff:reviewer",), TWO])
MOVES = st.sampled_from([f"O-{number:02d}" for number in range(2, 12)])


class Disputes(RuleBasedStateMachine):
    """Objections against one certificate, moved at random by anybody, acted on at random by two persons."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.later = opened(open_house(Path(self.folder.name) / "machine.db"))
        self.disputes: list[str] = []
        self.final: dict[str, DisputeState] = {}
        self.may_end = False
        self.decided: dict[str, str] = {}
        self.corrected = 0

    def teardown(self) -> None:
        if hasattr(self, "later"):
            self.later.house.session.close()
            self.later.house.engine.dispose()
            self.folder.cleanup()

    def attempt(self, act: Any) -> bool:
        """Runs one step; what is refused leaves nothing behind."""
        before = facts.count(self.later.house.session)
        try:
            with self.later.house.session.begin_nested():
                act()
        except (RegistryError, LedgerError):
            assert facts.count(self.later.house.session) == before
            return False
        return True

    @rule(who=st.sampled_from([(OBJECTOR,), (CLERK,)]))
    def file(self, who: tuple[str, ...]) -> None:
        if len(self.disputes) < 4 and self.later.status == "VALID":
            self.disputes.append(self.later.object(*who))

    @rule(days=st.sampled_from([1, 4, 20]))
    def wait(self, days: int) -> None:
        if day_of(self.later.house.now).isoformat() < "2026-11-20":
            self.later.house.now += days * 86_400
            self.later.timers()

    @precondition(lambda self: self.disputes)
    @rule(data=st.data(), move=MOVES, who=WHO)
    def anything(self, data: st.DataObject, move: str, who: tuple[str, ...]) -> None:
        identity = data.draw(st.sampled_from(self.disputes))
        self.attempt(lambda: self.later.move(identity, self.filled(move, data), *who))

    @precondition(lambda self: self.disputes)
    @rule(data=st.data())
    def forward(self, data: st.DataObject) -> None:
        """Three steps that diligent people would take, so that histories also reach the end."""
        identity = data.draw(st.sampled_from(self.disputes))
        by_clerk = not self.later.dispute(identity).objector
        for _ in range(3):
            known = self.later.dispute(identity)
            side = REGISTRANT if not known.registrant_accepts else (CLERK if by_clerk else OBJECTOR)
            accept = partial(self.later.move, identity, DisputeAct("O-08", papers=(attachment("认可书"),)), side)
            steps = {
                DisputeState.FILED: lambda: self.later.notify(identity),
                DisputeState.NOTIFIED: lambda: self.later.contest(identity),
                DisputeState.CONTESTED: lambda: self.later.conclude(identity, data.draw(st.sampled_from(Conclusion))),
                DisputeState.CONCLUDED: accept,
            }
            if known.state in steps:
                self.attempt(steps[known.state])

    @precondition(lambda self: self.disputes)
    @rule(data=st.data(), with_judgment=st.booleans(), correct=st.booleans())
    def act_on(self, data: st.DataObject, with_judgment: bool, correct: bool) -> None:
        """Two persons try to act on an objection, in whatever state it is."""
        identity = data.draw(st.sampled_from(self.disputes))
        known = self.later.dispute(identity)
        accepted = known.registrant_accepts and known.objector_accepts
        allowed = (
            known.state is DisputeState.ADMITTED
            or (known.state is DisputeState.CONCLUDED and accepted and known.conclusion is not Conclusion.NOT_UPHELD)
            or (known.state is DisputeState.DISPUTED and with_judgment)
        )
        paper = judgment(self.later.today) if with_judgment else None
        valid = self.later.status == "VALID"
        asked: dict[str, Any] = {"objection": identity, "instrument": paper}
        if correct:
            self.corrected += 1
            data_now = self.later.house.case(self.later.row.application).form.description
            asked["description"] = replace(data_now, overview=f"更正后的概述 {self.corrected}")
        opened: list[str] = []
        move = "B-04" if correct else "Z-03"
        done = self.attempt(lambda: opened.append(self.later.decide(move, **asked)))
        assert done == (allowed and valid and identity not in self.decided.values()), (known.state, with_judgment)
        if done:
            self.decided[opened[0]] = identity
            assert self.later.dispute(identity) == known, "deciding changes nothing yet"

    @precondition(lambda self: self.decided)
    @rule(data=st.data())
    def deposit(self, data: st.DataObject) -> None:
        """What was decided takes effect with its deposit, unless its ground is gone by then."""
        case = data.draw(st.sampled_from(sorted(self.decided)))
        identity = self.decided[case]
        stands = self.later.dispute(identity).state in OPEN and self.later.status == "VALID"
        whole = self.later.house.case(case).form.cancellation is not None
        done = self.attempt(lambda: self.later.house.deposit(case))
        assert done == stands
        if done:
            self.may_end = self.may_end or whole
            del self.decided[case]
            assert self.later.dispute(identity).state is DisputeState.CLOSED

    @rule()
    def of_own_motion(self) -> None:
        """Z-04 cannot go round an open objection."""
        if any(self.later.dispute(identity).state in OPEN for identity in self.disputes):
            assert not self.attempt(lambda: self.later.decide("Z-04"))

    def filled(self, move: str, data: st.DataObject) -> DisputeAct:
        """A plausible body for a move: it must be the table that refuses, not an empty field."""
        paper = (attachment("材料"),)
        bodies = {
            "O-02": data.draw(
                st.sampled_from([
                    DisputeAct(move, items=(an_item(),)), DisputeAct(move, answers=(Answer(1, "已补"),), papers=paper),
                ])
            ),
            "O-03": DisputeAct(move, papers=paper),
            "O-05": data.draw(
                st.sampled_from([
                    DisputeAct(move, reason="不认可", papers=paper), DisputeAct(move, items=(an_item(),)),
                ])
            ),
            "O-06": DisputeAct(move, rule="C12", calendar="x"),
            "O-07": DisputeAct(move, conclusion=Conclusion.UPHELD, reason="经查", papers=paper),
            "O-09": DisputeAct(move, reason="不认可", papers=paper),
            "O-10": DisputeAct(move, instrument=judgment(self.later.today), reason="驳回"),
        }  # fmt: skip
        return bodies.get(move, DisputeAct(move, papers=paper))

    @invariant()
    def the_status_changes_only_by_what_was_acted_on(self) -> None:
        if not hasattr(self, "later"):
            return
        assert (self.later.status == "CANCELLED") == self.may_end
        stated = [fact for fact in facts.all_facts(self.later.house.session) if fact.kind == ENDING]
        assert len(stated) == self.may_end

    @invariant()
    def the_flag_is_up_while_one_is_open_and_told_so(self) -> None:
        if not hasattr(self, "later"):
            return
        states = [self.later.dispute(identity).state for identity in self.disputes]
        flag = any(state.value not in ("CLOSED", "WITHDRAWN") for state in states)
        assert self.later.standing.objection == flag
        told = self.later.told()
        assert (told[-1] if told else ("VALID", False, False)) == (
            ("CANCELLED", False, False) if self.may_end else ("VALID", False, flag)
        )
        assert all(one != other for one, other in pairwise(told))

    @invariant()
    def nothing_leaves_a_final_state(self) -> None:
        for identity in getattr(self, "disputes", []):
            state = self.later.dispute(identity).state
            assert self.final.get(identity, state) is state
            if state not in OPEN:
                self.final[identity] = state

    @invariant()
    def replay_gives_the_same_disputes(self) -> None:
        if not getattr(self, "disputes", []):
            return
        identity = self.disputes[-1]
        known = replace(self.later.dispute(identity))
        folded: Any = None
        for fact in facts.facts_of(self.later.house.session, f"register-objection:{identity}"):
            if fact.kind == MOVE:
                roles = [(item.by, dispute_moves.role_of(folded, item)) for item in fact.signatures]
                folded = dispute_moves.apply(folded, read(DisputeAct, fact.body), roles, fact.at)
            else:
                folded = replace(
                    known, state=DisputeState.FILED, complete_at=fact.at, changed_at=fact.at, open_items=(),
                    notified_at=None, deadline=None, explained=False, conclusion=None, registrant_accepts=False,
                    objector_accepts=False, instrument=None, result="", reviewers=(), approvers=(),
                )  # fmt: skip
        assert folded == known

    @rule()
    def rebuilt_views_are_the_same(self) -> None:
        if secrets.randbelow(4) == 0:
            assert differences(self.later.house) == []


TestDisputes = Disputes.TestCase
TestDisputes.settings = settings(
    max_examples=few(12), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_views__are_all_rebuilt_from_facts_after_a_full_history(later: After) -> None:
    """Rows in every table of the after-life, and each column of them the same after a rebuild."""
    later.record(RemarkKind.PLEDGE, paper=pledge_of(RIVAL), to_day=later.today)
    identity = later.object()
    later.move(identity, DisputeAct("O-11"), OBJECTOR)
    later.cancel(move="Z-05")
    later.house.now += 2 * 86_400
    later.timers()
    for table in store.TABLES:
        assert later.house.session.query(table).count(), table.__tablename__
    assert differences(later.house) == []
    assert views.certificate(later.house.session, later.code)
