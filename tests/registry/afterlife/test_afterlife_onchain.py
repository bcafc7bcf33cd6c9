"""The flags and the status that the chain answers are the register's, after every step of an after-life (real node)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ledger import anchoring, eip712
from ledger import store as facts
from ledger.chain import Deployment
from ledger.web3_chain import Web3Chain
from registry import store as views
from registry.afterlife.dispute import Conclusion, DisputeAct
from registry.afterlife.remark import RemarkKind
from registry.certificate import ENTRY, PAPER_TYPE, Status
from registry.onchain import RegisterEntryFace, agency_id, certificate_key
from registry.onchain_status import NUMBERS, StatusFace
from registry.proof import IN_FORCE, REASONS
from registry.telling import TOLD, state_at
from scripts.deploy_contracts import ARTIFACTS, Council, Parties, deploy_all
from tests.chain_fixture import anvil, rpc
from tests.registry.afterlife.afterlife_house import CLERK, OBJECTOR, REGISTRANT, After, after, pledge_of
from tests.registry.registry_house import AGENCY, RIVAL, TWO, a_form, attachment, judgment

AGENCY_KEY, RELAY, LOG = (eip712.new_key() for _ in range(3))
MEMBERS = tuple(eip712.new_key() for _ in range(3))


class Mirror:
    """A node beside the house: whatever the register states for the chain is written there in the order of the log."""

    def __init__(self, later: After, url: str) -> None:
        self.later, self.url = later, url
        council = Council(tuple(map(eip712.address_of, MEMBERS)), 2, MEMBERS)
        parties = Parties(eip712.address_of(LOG), {agency_id(AGENCY): eip712.address_of(AGENCY_KEY)})
        deployment = deploy_all(Web3Chain(url, Deployment(31337, {}, ARTIFACTS), RELAY), council, parties)
        self.chain = Web3Chain(url, deployment, RELAY)
        sign = partial(eip712.sign, AGENCY_KEY)
        self.faces = {ENTRY: RegisterEntryFace(AGENCY, sign), TOLD: StatusFace(AGENCY, sign)}
        self.written: set[str] = set()

    def catch_up(self) -> int:
        """Writes what is due; how many facts that were."""
        if self.chain.head().time < self.later.house.now:
            rpc(self.url, "evm_setNextBlockTimestamp", hex(self.later.house.now))
            rpc(self.url, "evm_mine")
        due = [
            fact
            for fact in facts.all_facts(self.later.house.session)
            if fact.kind in self.faces and fact.id not in self.written
        ]
        for fact in due:
            anchoring.write_facts(self.chain, self.faces[fact.kind], [fact])
            self.written.add(fact.id)
        return len(due)

    def told(self) -> tuple[int, bool, bool]:
        found = self.chain.read("RightsRegistry", "certificate", self.key)
        return int(found["status"]), bool(found["encumbered"]), bool(found["objection"])

    def answer(self) -> tuple[str, str]:
        found = self.chain.read("RightsRegistry", "inForce", self.key)
        return IN_FORCE[found["code"]], REASONS[found["reason"]]

    @property
    def key(self) -> bytes:
        return certificate_key(AGENCY, PAPER_TYPE, self.later.code, 1)

    def register(self) -> tuple[int, bool, bool]:
        state = state_at(views.standing_of(self.later.house.session, self.later.row), self.later.house.now)
        assert state is not None
        return NUMBERS[state.status], state.encumbered, state.objection


@pytest.fixture
def mirror(later: After) -> Iterator[Mirror]:
    with anvil(timestamp=later.house.now) as url:
        yield Mirror(later, url)


@pytest.mark.chain
@pytest.mark.clause("G23", "G29", "E-06", "O-10")
def test_history__the_chain_says_what_the_register_says_after_every_step(mirror: Mirror) -> None:
    later = mirror.later
    assert mirror.catch_up() == 1
    assert (mirror.told(), mirror.answer()) == ((1, False, False), ("IN_FORCE", "VALID"))
    seizure = pledge = objection = ""

    def seize() -> None:
        nonlocal seizure
        seizure = later.record(RemarkKind.PRESERVATION, to_day=after(later.today, 1))

    def pledged() -> None:
        nonlocal pledge
        later.house.now += 60
        pledge = later.record(RemarkKind.PLEDGE, paper=pledge_of(RIVAL))

    def object_() -> None:
        nonlocal objection
        objection = later.object()

    def silence() -> None:
        later.house.now += 30 * 86_400
        assert sorted(later.timers()) == ["E-04", "O-06"]

    steps: list[tuple[Callable[[], object], int, tuple[str, str]]] = [
        (lambda: later.record(RemarkKind.AGREED), 0, ("IN_FORCE", "VALID")),
        (pledged, 1, ("IN_FORCE_LIMITED", "ENCUMBERED")),
        (lambda: later.lift(pledge, paper=pledge_of(RIVAL)), 1, ("IN_FORCE", "VALID")),
        (seize, 1, ("IN_FORCE_LIMITED", "ENCUMBERED")),
        (object_, 1, ("IN_FORCE_LIMITED", "ENCUMBERED_AND_OBJECTION")),
        (lambda: later.notify(objection), 0, ("IN_FORCE_LIMITED", "ENCUMBERED_AND_OBJECTION")),
        (silence, 0, ("IN_FORCE_LIMITED", "ENCUMBERED_AND_OBJECTION")),
        (lambda: later.confirm(seizure), 1, ("IN_FORCE_LIMITED", "OBJECTION")),
        (lambda: later.conclude(objection, Conclusion.UPHELD), 0, ("IN_FORCE_LIMITED", "OBJECTION")),
        (lambda: later.accept(objection, OBJECTOR), 0, ("IN_FORCE_LIMITED", "OBJECTION")),
        (lambda: later.reject(objection, REGISTRANT), 0, ("IN_FORCE_LIMITED", "OBJECTION")),
        (
            lambda: later.cancel(
                move="Z-03", objection=objection, instrument=judgment(later.today)
            ),
            1,
            ("NOT_IN_FORCE", "CANCELLED"),
        ),
    ]  # fmt: skip
    for number, (step, expected, answer) in enumerate(steps):
        later.house.now += 60
        step()
        assert mirror.catch_up() == expected, number
        assert mirror.told() == mirror.register(), number
        assert mirror.answer() == answer, number
    assert later.dispute(objection).state.value == "CLOSED"
    assert NUMBERS[Status.CANCELLED] == mirror.told()[0]


@pytest.mark.chain
@pytest.mark.clause("E-01", "O-11")
def test_remark_before_deposit__reaches_the_chain_after_its_entry(mirror: Mirror) -> None:
    house = mirror.later.house
    identity = house.file(a_form(content=b"other\n1\n"))
    house.accept(identity)
    house.publish(identity)
    early = After(house, "")
    early.record(RemarkKind.TEMP_CONTROL, *TWO, application=identity)
    house.now += 14 * 86_400
    house.timers()
    early.code = house.deposit(identity).code
    mirror.later = early
    assert mirror.catch_up() == 3, "two entries and one telling"
    assert mirror.told() == mirror.register() == (1, True, False)
    contact = early.object(CLERK)
    early.move(contact, DisputeAct("O-11", papers=(attachment("撤回书"),)), CLERK)
    house.now += 1
    assert mirror.catch_up() == 2, "what was up and down again within a second is told, not taken for the first telling"
    assert mirror.told() == mirror.register() == (1, True, False)
