"""Random histories of all five types against the real house: whatever is tried, what must never be never is."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from ledger import rebuild, store, tables
from ledger.errors import LedgerError
from ledger.facts import Fact
from ledger.reading import read
from registry import application, entries, moving, validity
from registry import store as views
from registry.asset import Twin, content_of, data_file
from registry.calendar import add_years, day_of, end_of, last_day
from registry.case import DECISION, FINAL, Act, Actor, AgencyDecision, Answer, Case, Item, State, publicity_ends
from registry.certificate import ENDING, ENTRY, IN_FORCE
from registry.errors import RegistryError
from registry.form import SUBMITTED, Form, Held, RegistrationType, publicity_text
from registry.objection import OBJECTION, Decision, Objection, Outcome
from registry.projecting import PROJECTORS
from registry.scheme import NATIONAL_2026
from registry.succession import announcement_needed, cancellation_form, change_form
from registry.tables import ApplicationRow, CertificateRow
from registry.telling import CertificateState, state_at
from tests.counts import NIGHT
from tests.registry.contract_model import Contract
from tests.registry.registry_house import (
    CALENDAR,
    DEVELOPER,
    PASSED,
    PROVIDER,
    RIVAL,
    TWO,
    House,
    a_form,
    an_item,
    applicant,
    copied_house,
    decision,
    dump,
    open_house,
)

TRANSFER, CHANGE, RENEWAL, CANCELLATION = list(RegistrationType)[1:]
NAMES = {
    PROVIDER: "杭州某某航空数据有限公司（演示）",
    DEVELOPER: "宁波某某数据元件有限公司（演示）",
    RIVAL: "绍兴某某数据有限公司（演示）",
}
HOLDERS = st.sampled_from(sorted(NAMES))
CONTENTS = st.sampled_from([b"a\n", b"b\n"])
SIGNERS = st.sampled_from(
    [
        (f"party:{PROVIDER}",), (f"party:{DEVELOPER}",), ("staff:clerk",), ("staff:reviewer",), TWO, ("staff:officer",),
        ("staff:second", "staff:approver"), ("staff:approver",),
    ]
)  # fmt: skip
MOVES = st.sampled_from([f"I-{n:02d}" for n in range(1, 28)])
ENDS = st.sampled_from([None, "2026-09-30", "2026-10-20", "2026-12-10"])


@cache
def beginning() -> House:
    """A house with one certificate of two holders that ends soon, so that histories need not begin at nothing."""
    house = open_house(Path(tempfile.mkdtemp()) / "beginning.db")
    both = (a_form().applicants[0], applicant(RIVAL, NAMES[RIVAL]))
    shared = replace(a_form().rights[1], holder_id=RIVAL, holder_name=NAMES[RIVAL])
    form = a_form(content=b"a\n", waiver_reason="商业秘密", authorised_until="2026-10-20")
    identity = house.file(replace(form, applicants=both, rights=(*form.rights, shared)))
    house.accept(identity)
    house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
    house.deposit(identity)
    house.session.commit()
    house.session.close()
    house.engine.dispose()
    return house


class Histories(RuleBasedStateMachine):
    """Applications of three holders over two data sets, and whatever follows them, moved at random by anybody."""

    house: House

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.house = copied_house(beginning(), Path(self.folder.name) / "machine.db")
        self.cases: list[str] = list(self.house.session.scalars(select(ApplicationRow.id)))
        self.final: dict[str, State] = {}
        self.known: list[Fact] = []
        self.last = -1

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        try:
            self.house.timers()
            self.the_contract_takes_every_fact_and_agrees()
            self.an_empty_database_gets_the_same_rows()
        finally:
            self.house.session.close()
            self.house.engine.dispose()
            self.folder.cleanup()

    def attempt(self, act: Callable[[], object]) -> None:
        """Runs one step; what is refused leaves nothing behind."""
        before = store.count(self.house.session)
        try:
            with self.house.session.begin_nested():
                act()
        except (RegistryError, LedgerError):
            assert store.count(self.house.session) == before

    # What people do ---------------------------------------------------------------------------------------------------

    @rule(holder=HOLDERS, content=CONTENTS, waiver=st.booleans(), until=ENDS)
    def file(self, holder: str, content: bytes, waiver: bool, until: str | None) -> None:
        identity = secrets.token_hex(16)
        form = a_form(
            holder, NAMES[holder], content, waiver_reason="商业秘密" if waiver else "", authorised_until=until
        )
        self.cases.append(self.house.file(form, identity=identity))

    @precondition(lambda self: self.codes())
    @rule(
        data=st.data(),
        kind=st.sampled_from([TRANSFER, CHANGE, RENEWAL, CANCELLATION]),
        steps=st.sampled_from([0, 0, 2, 6]),
    )
    def file_later(self, data: st.DataObject, kind: RegistrationType, steps: int) -> None:
        """Some later registration of some certificate, as its holders would file it, lawful or not; perhaps some
        diligent steps at once."""
        code = data.draw(st.sampled_from(self.codes()))
        entry = entries.entry_in_force(self.house.session, code, self.house.now)
        rows = [Held(row.holder_id, row.right) for row in entry.record.rights]
        chosen = tuple(data.draw(st.lists(st.sampled_from(rows), unique=True, max_size=len(rows))))
        wish: dict[str, Any] = {}
        if kind is TRANSFER:
            giver, receiver = data.draw(st.sampled_from(rows)).holder, data.draw(HOLDERS)
            his = tuple(held for held in rows if held.holder == giver)
            moved = tuple(held for held in chosen if held.holder == giver) or his
            wish = {"moved": moved, "receivers": (applicant(receiver, NAMES[receiver]),)}
        elif kind is RENEWAL:
            wish = {"years": data.draw(st.integers(1, 6))}
        elif kind is CANCELLATION:
            wish = {"ended": chosen}
        elif data.draw(st.booleans()):
            person = data.draw(st.sampled_from(entry.applicants))
            wish = {"applicants": (replace(person, name=person.name + "新"),)}
        else:
            content = content_of((data_file("flights.csv", data.draw(CONTENTS), 1),))
            overview = data.draw(st.sampled_from(["甲", "乙", "丙"]))
            wish = {"description": replace(entry.record.description, overview=overview, content=content)}
        identity = secrets.token_hex(16)

        def act() -> None:
            form = self.house.draft(code, kind, **wish)
            if kind is RENEWAL:
                form = replace(form, authorised_until=data.draw(ENDS))
            self.house.file(form, identity=identity)
            self.cases.append(identity)

        self.attempt(act)
        if identity in self.cases:
            self.go_on(identity, steps)

    @precondition(lambda self: self.codes())
    @rule(data=st.data(), move=st.sampled_from(["B-04", "Z-03", "Z-04", "Z-05"]), whole=st.booleans())
    def decide_by_agency(self, data: st.DataObject, move: str, whole: bool) -> None:
        code = data.draw(st.sampled_from(self.codes()))
        entry = entries.entry_in_force(self.house.session, code, self.house.now)
        base = self.house.case(views.certificate(self.house.session, code).application).form
        identity = secrets.token_hex(16)

        def act() -> None:
            if move == "B-04":
                rights = tuple(replace(row, limits=row.limits + "改") for row in entry.record.rights)
                form = change_form(entry, base, rights=rights)
            else:
                row = entry.record.rights[0]
                form = cancellation_form(entry, base, move, () if whole else (Held(row.holder_id, row.right),))
            self.house.open_by_agency(decision(move, form), identity=identity)
            self.cases.append(identity)

        self.attempt(act)

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 4, 24 * 9, 24 * 20]))
    def wait(self, hours: int) -> None:
        self.house.now += hours * 3600
        self.house.timers()
        for row in self.rows():
            told = views.last_told(self.house.session, row.code, row.version)
            assert self.state(row) == told, "after the timers nothing is left to be told"

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), move=MOVES, who=SIGNERS)
    def anything(self, data: st.DataObject, move: str, who: tuple[str, ...]) -> None:
        identity = data.draw(st.sampled_from(self.cases))
        self.attempt(lambda: self.house.move(identity, self.filled(identity, move), *who))

    @precondition(lambda self: self.open_cases())
    @rule(data=st.data())
    def forward(self, data: st.DataObject) -> None:
        """The step a diligent agency would take, so that histories also reach the end."""
        self.advance(data.draw(st.sampled_from(self.open_cases())))

    @precondition(lambda self: self.open_cases())
    @rule(data=st.data(), steps=st.integers(3, 6))
    def hurry(self, data: st.DataObject, steps: int) -> None:
        """Some diligent steps in a row; a publicity is waited out."""
        self.go_on(data.draw(st.sampled_from(self.open_cases())), steps)

    def go_on(self, identity: str, steps: int) -> None:
        for _ in range(steps):
            self.advance(identity)
            self.house.now += 3600
            case = self.house.case(identity)
            if case.state is State.PUBLICITY and day_of(self.house.now).year == 2026:
                world = moving.world_of(self.house.session, self.house.agency, case, self.house.now, CALENDAR)
                if day_of(case.released_at or 0).isoformat() < "2026-12-20":
                    self.house.now = max(self.house.now, publicity_ends(case, world))
            self.house.timers()

    @precondition(lambda self: self.cases)
    @rule(data=st.data(), who=HOLDERS)
    def object(self, data: st.DataObject, who: str) -> None:
        identity = data.draw(st.sampled_from(self.cases))
        self.attempt(lambda: self.house.object(identity, (f"party:{who}", "")))

    def advance(self, identity: str) -> None:
        case = self.house.case(identity)
        people = tuple(f"party:{item.identity}" for item in case.form.applicants)
        review = lambda move: self.house.move(identity, self.filled(identity, move), *TWO)  # noqa: E731
        waive = not announcement_needed(case.form, NATIONAL_2026) or bool(case.form.waiver_reason)
        steps: dict[State, Callable[[], object]] = {
            State.SUBMITTED: lambda: self.house.accept(identity),
            State.CORRECTION: lambda: self.house.move(identity, self.filled(identity, "I-05"), *people),
            State.UNDER_REVIEW: lambda: (
                self.house.move(identity, self.filled(identity, "I-16"), *TWO)
                if waive
                else self.house.publish(identity)
            ),
            State.SUPPLEMENT: lambda: self.house.move(identity, self.filled(identity, "I-11"), *people),
            State.OBJECTION: lambda: review("I-19"),
            State.READY: lambda: self.house.ask_deposit(identity),
            State.DEPOSITING: lambda: self.house.take_receipt(self.house.receipt(identity)),
        }
        if case.state in steps:
            self.attempt(steps[case.state])

    def filled(self, identity: str, move: str) -> Act:
        """A plausible body for a move: it must be the table that refuses, not an empty field."""
        case, now = self.house.case(identity), self.house.now
        tomorrow = end_of(last_day(day_of(min(now, 1_798_000_000)), 2, CALENDAR))
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

    # What is looked at ------------------------------------------------------------------------------------------------

    def facts(self) -> list[Fact]:
        """Every fact so far; only new ones are read."""
        table = tables.fact
        query = select(table.c.seq, table.c.bytes).where(table.c.seq > self.last).order_by(table.c.seq)
        for seq, data in self.house.session.execute(query):
            self.last = seq
            self.known.append(Fact.of_bytes(data))
        return self.known

    def state_of(self, identity: str) -> State:
        row = self.house.session.get(ApplicationRow, identity)
        assert row is not None
        return State(row.state)

    def rows(self) -> list[CertificateRow]:
        return list(self.house.session.scalars(select(CertificateRow)))

    def codes(self) -> list[str]:
        return sorted({row.code for row in self.rows()})

    def open_cases(self) -> list[str]:
        return [name for name in self.cases if self.state_of(name) not in FINAL | {State.REGISTERED}]

    def state(self, row: CertificateRow) -> CertificateState:
        found = state_at(views.standing_of(self.house.session, row), self.house.now)
        assert found is not None
        return found

    # What must never be -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_leaves_a_final_state(self) -> None:
        if not hasattr(self, "house"):
            return
        for identity in self.cases:
            state = self.state_of(identity)
            assert self.final.get(identity, state) is state
            if state in FINAL:
                self.final[identity] = state

    @invariant()
    def never_two_versions_in_force_nor_two_certificates_for_one_right(self) -> None:
        """Judged from the facts, by an oracle that knows entries, endings and applications, and no view."""
        if not hasattr(self, "house"):
            return
        forced = in_force_by_facts(self.facts(), self.house.now)
        codes = [code for code, _ in forced]
        assert len(codes) == len(set(codes)), "two versions of one code"
        triples = [
            (held.content, held.right, held.holder)
            for code, version in forced
            for held in views.holdings(self.house.session, code, version)
        ]
        assert len(triples) == len(set(triples)), "two certificates for one (data, right, holder)"
        for row in self.rows():
            if row.version == views.certificate(self.house.session, row.code).version:
                answer = validity.certificate_status(self.house.session, row.code, self.house.now)
                assert answer.in_force == ((row.code, row.version) in forced)

    @invariant()
    def no_certificate_with_an_open_objection_or_a_long_term(self) -> None:
        if not hasattr(self, "house"):
            return
        for row in self.rows():
            case = self.house.case(row.application)
            assert case.state in (State.REGISTERED, State.ISSUED)
            assert all(item.outcome is not None for item in case.objections)
            if row.type in (RegistrationType.INITIAL, RegistrationType.RENEWAL):
                until = case.form.authorised_until
                assert row.last_day < add_years(day_of(row.deposited_at), 5).isoformat()
                assert until is None or row.last_day <= until
            else:
                assert (
                    row.last_day
                    == views.certificate_version(self.house.session, row.predecessor, row.predecessor_version).last_day
                )
            assert case.waived or case.released_at is not None or not published(case)
            assert not set(case.reviewers) & set(case.approvers)

    @invariant()
    def replay_gives_the_same_case(self) -> None:
        """The newest case folded again from its own facts is the stored one."""
        if not hasattr(self, "house") or not self.cases:
            return
        identity = self.cases[-1]
        folded: Case | None = None
        for fact in self.facts():
            if fact.subject == f"application:{identity}":
                folded = fold(identity, folded, fact)
            elif fact.kind == OBJECTION and folded and read(Objection, fact.body).application == identity:
                folded = application.objected(folded, fact.subject.partition(":")[2], fact.at)
        assert folded == self.house.case(identity)

    def the_contract_takes_every_fact_and_agrees(self) -> None:
        contract = Contract()
        for fact in self.facts():
            contract.take(fact)
        rows = self.rows()
        assert {(row.code, row.version) for row in rows} == set(contract.held)
        for row in rows:
            status = self.state(row)
            assert contract.held[row.code, row.version].status == status.status.value
            in_force = contract.in_force((row.code, row.version), self.house.now)
            assert in_force == (status.status in IN_FORCE)

    def an_empty_database_gets_the_same_rows(self) -> None:
        before = dump(self.house)
        rebuild.clear_views(self.house.session)
        self.house.session.expunge_all()
        rebuild.fold(self.house.session, self.house.session, PROJECTORS)
        assert dump(self.house) == before


def in_force_by_facts(known: list[Fact], now: int) -> set[tuple[str, int]]:
    """Which (code, version) are in force: begun, not continued or ended, and not past their term without a renewal."""
    begun: dict[tuple[str, int], dict[str, Any]] = {}
    gone: set[tuple[str, int]] = set()
    renewals: dict[str, tuple[str, int]] = {}
    waiting: dict[str, bool] = {}
    for fact in known:
        identity = fact.subject.partition(":")[2]
        if fact.kind == ENTRY:
            begun[fact.body["code"], fact.body["version"]] = dict(fact.body)
            before = fact.body.get("predecessor")
            if before:
                gone.add((before["code"], before["version"]))
        elif fact.kind == ENDING:
            gone.add((fact.body["code"], fact.body["version"]))
        elif fact.kind == SUBMITTED and fact.body["type"] == RENEWAL:
            renewals[identity], waiting[identity] = (fact.body["certificate"], fact.at), True
        elif identity in waiting and fact.body.get("move") in {"I-03", "I-06", "I-09", "I-12", "I-14", "I-21", "I-25"}:
            waiting[identity] = False
    pending = {code for identity, (code, _) in renewals.items() if waiting[identity]}
    return {
        key
        for key, body in begun.items()
        if key not in gone and body["valid_from"] <= now and (now < body["valid_until"] or key[0] in pending)
    }


def published(case: Case) -> bool:
    return not case.opened_by and announcement_needed(case.form, NATIONAL_2026)


def fold(identity: str, known: Case | None, fact: Fact) -> Case:
    if fact.kind == DECISION:
        body = read(AgencyDecision, fact.body)
        actors = [Actor(item.by, application.role_of(body.form, item), "") for item in fact.signatures]
        return application.opened(identity, body, actors, fact.at)
    if known is None:
        return application.submitted(identity, read(Form, fact.body), fact.at)
    roles = [(item.by, application.role_of(known.form, item)) for item in fact.signatures]
    return application.apply(known, read(Act, fact.body), roles, fact.at)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=1_000 if NIGHT else 12,
    stateful_step_count=50 if NIGHT else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
