"""Random histories against the real house: whatever is tried, what must never be never is."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from registry_house import PASSED, PROVIDER, TWO, a_form, an_item, open_house
from sqlalchemy import select

from ledger import store
from ledger.errors import LedgerError
from ledger.reading import read
from registry import application
from registry import store as views
from registry.asset import Twin
from registry.calendar import day_of, end_of, last_day, published
from registry.case import FINAL, Act, Answer, Item, State
from registry.errors import RegistryError
from registry.form import Form, publicity_text
from registry.objection import OBJECTION, Decision, Objection, Outcome
from registry.tables import CertificateRow, HoldingRow
from tests.counts import few

TABLE = published()
SIGNERS = st.sampled_from(
    [
        (f"party:{PROVIDER}",), ("staff:clerk",), ("staff:reviewer",), TWO, ("staff:officer",),
        ("staff:second", "staff:approver"), ("staff:approver",),
    ]
)  # fmt: skip
MOVES = st.sampled_from([f"I-{n:02d}" for n in range(1, 28)])


class Histories(RuleBasedStateMachine):
    """Applications of two holders over two data sets, moved at random by anybody."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.house = open_house(Path(self.folder.name) / "machine.db")
        self.cases: list[str] = []
        self.final: dict[str, State] = {}

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.session.close()
            self.house.engine.dispose()
            self.folder.cleanup()

    def attempt(self, act: object) -> None:
        """Runs one step; what is refused leaves nothing behind."""
        before = store.count(self.house.session)
        try:
            with self.house.session.begin_nested():
                act()  # type: ignore[operator]
        except (RegistryError, LedgerError):
            assert store.count(self.house.session) == before

    @rule(content=st.sampled_from([b"a\n", b"b\n"]), waiver=st.booleans())
    def file(self, content: bytes, waiver: bool) -> None:
        identity = secrets.token_hex(16)
        form = a_form(content=content, waiver_reason="商业秘密" if waiver else "")
        self.cases.append(self.house.file(form, identity=identity))

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 4, 24 * 9]))
    def wait(self, hours: int) -> None:
        self.house.now += hours * 3600
        self.house.timers()

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), move=MOVES, who=SIGNERS)
    def anything(self, data: st.DataObject, move: str, who: tuple[str, ...]) -> None:
        identity = data.draw(st.sampled_from(self.cases))
        self.attempt(lambda: self.house.move(identity, self.filled(identity, move), *who))

    @precondition(lambda self: self.cases)
    @rule(data=st.data())
    def forward(self, data: st.DataObject) -> None:
        """The step a diligent agency would take, so that histories also reach the end."""
        self.advance(data.draw(st.sampled_from(self.cases)))

    def advance(self, identity: str) -> None:
        state = self.house.case(identity).state
        steps = {
            State.SUBMITTED: lambda: self.house.accept(identity),
            State.CORRECTION: lambda: self.house.move(identity, self.filled(identity, "I-05"), f"party:{PROVIDER}"),
            State.UNDER_REVIEW: lambda: self.house.publish(identity),
            State.SUPPLEMENT: lambda: self.house.move(identity, self.filled(identity, "I-11"), f"party:{PROVIDER}"),
            State.OBJECTION: lambda: self.house.move(identity, self.filled(identity, "I-19"), *TWO),
            State.READY: lambda: self.house.ask_deposit(identity),
            State.DEPOSITING: lambda: self.house.take_receipt(self.house.receipt(identity)),
        }
        if state in steps:
            self.attempt(steps[state])

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), steps=st.integers(2, 5))
    def hurry(self, data: st.DataObject, steps: int) -> None:
        """Some diligent steps in a row with two weeks between them."""
        identity = data.draw(st.sampled_from(self.cases))
        for _ in range(steps):
            self.advance(identity)
            self.house.now += 14 * 86400
            self.house.timers()

    @precondition(lambda self: self.cases)
    @rule(data=st.data())
    def object(self, data: st.DataObject) -> None:
        identity = data.draw(st.sampled_from(self.cases))
        self.attempt(lambda: self.house.object(identity))

    def filled(self, identity: str, move: str) -> Act:
        """A plausible body for a move: it must be the table that refuses, not an empty field."""
        case, now = self.house.case(identity), self.house.now
        tomorrow = end_of(last_day(day_of(now), 2, TABLE))
        open_ids = [item.id for item in case.objections if item.outcome is None]
        decisions = tuple(Decision(item, Outcome.REJECTED, "证据不足") for item in open_ids)
        asked = tuple(Item(number, "材料", "缺失") for number in case.asked) or (an_item(),)
        bodies = {
            "I-04": Act(move, items=asked, deadline=tomorrow),
            "I-05": Act(move, answers=tuple(Answer(item.no, "已补") for item in case.open_items)),
            "I-07": Act(move, accepted_on=day_of(now).isoformat()),
            "I-10": Act(move, items=(an_item(),), deadline=tomorrow),
            "I-11": Act(move, answers=tuple(Answer(item.no, "已补") for item in case.open_items)),
            "I-12": Act(move, ground="TM-1", reason="无法核实", cannot_supply=True, cannot_verify=True),
            "I-13": Act(move, days=4, reason="来源复杂"),
            "I-14": Act(move, ground="RF-2", reason="来源违法"),
            "I-15": Act(move, review=PASSED, publicity=publicity_text(case.form)),
            "I-16": Act(move, review=PASSED, reason="同意"),
            "I-19": Act(move, decisions=decisions),
            "I-20": Act(move, decisions=decisions),
            "I-21": Act(move, decisions=tuple(replace(d, outcome=Outcome.UPHELD) for d in decisions),
                        ground="RF-3", reason="纠纷"),
            "I-22": Act(move, decisions=tuple(replace(d, outcome=Outcome.UPHELD) for d in decisions), reason="更正"),
            "I-24": Act(move, record=Twin("0" * 64, "0" * 64)),
        }  # fmt: skip
        return bodies.get(move, Act(move))

    @invariant()
    def nothing_leaves_a_final_state(self) -> None:
        if not hasattr(self, "house"):
            return
        for identity in self.cases:
            state = self.house.case(identity).state
            assert self.final.get(identity, state) is state
            if state in FINAL:
                self.final[identity] = state

    @invariant()
    def never_two_certificates_for_one_data_right_holder(self) -> None:
        if not hasattr(self, "house"):
            return
        rows = self.house.session.scalars(select(HoldingRow)).all()
        triples = [(row.content, row.right, row.holder) for row in rows]
        assert len(triples) == len(set(triples))

    @invariant()
    def no_certificate_with_an_open_objection_or_a_long_term(self) -> None:
        if not hasattr(self, "house"):
            return
        for row in self.house.session.scalars(select(CertificateRow)):
            case = self.house.case(row.application)
            assert case.state in (State.REGISTERED, State.ISSUED)
            assert all(item.outcome is not None for item in case.objections)
            assert row.valid_until - row.deposited_at <= (5 * 366 + 1) * 86400
            assert case.waived or case.released_at is not None
            assert not set(case.reviewers) & set(case.approvers)

    @invariant()
    def replay_gives_the_same_cases(self) -> None:
        """Each case folded again from its own facts is the stored one."""
        if not hasattr(self, "house") or not self.cases:
            return
        identity = self.cases[-1]
        folded = None
        for fact in store.all_facts(self.house.session):
            if fact.subject == f"application:{identity}" and fact.statement.no == 0:
                folded = application.submitted(identity, read(Form, fact.body), fact.at)
            elif fact.subject == f"application:{identity}" and folded is not None:
                roles = [(item.by, application.role_of(folded.form, item)) for item in fact.signatures]
                folded = application.apply(folded, read(Act, fact.body), roles, fact.at)
            elif fact.kind == OBJECTION and folded and read(Objection, fact.body).application == identity:
                folded = application.objected(folded, fact.subject.partition(":")[2], fact.at)
        assert folded == self.house.case(identity) == views.case(self.house.session, identity)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=few(15), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
