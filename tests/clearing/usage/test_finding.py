"""A gap or fork in a connector's chain keeps a period from being cut off until it is mended or explained (D9)."""

from __future__ import annotations

import io
import itertools

import openpyxl
import pytest

from clearing.errors import Clash, WrongMove
from clearing.market.errors import NotEntitled
from clearing.settlement import service as settlement
from clearing.settlement.cycle import State
from clearing.terms import month
from clearing.usage import service, store
from clearing.usage.finding import (
    CHECKER,
    MAKER,
    Explanation,
    Finding,
    FindingKind,
    read_explanation,
    subject_of,
    unexplained,
)
from clearing.usage.workbook import report_xlsx
from ledger import log, signing, sm
from ledger import store as ledger
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.store import Appended
from registry.errors import NotEntitled as NoSuchCapacity
from tests.clearing.market.house import CONNECTOR, DAY, NOW, OPERATOR, PROVIDER, House
from tests.clearing.settlement.market import OFFICE
from tests.clearing.usage.batches import TwoSides, admit

MAY = month("2026-05")
LATE = MAY.end + 2 * DAY


class Persons:
    """Maker and checker of the operator, one who may be either, and one person who is nobody's colleague."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keys = {name: sm.generate() for name in ("maker", "checker", "stranger", "both")}
        house.hire("maker", self.keys["maker"], MAKER)
        house.hire("checker", self.keys["checker"], CHECKER)
        house.hire("both", self.keys["both"], f"{MAKER} {CHECKER}")
        house.hire("stranger", self.keys["stranger"], f"{MAKER} {CHECKER}", PROVIDER)

    def statement(self, first: int, last: int, kind: FindingKind, reason: str = "断电，记录已失") -> Statement:
        no, prev = ledger.next_of(self.house.session, subject_of(CONNECTOR))
        body = Explanation(CONNECTOR, kind, first, last, reason)
        return Statement("usage-finding-explained/v1", subject_of(CONNECTOR), no, prev, body_of(body))

    def explain(
        self, first: int, last: int, kind: FindingKind = FindingKind.GAP,
        by: tuple[tuple[str, str], ...] = (("maker", MAKER), ("checker", CHECKER)),
    ) -> Appended:  # fmt: skip
        statement = self.statement(first, last, kind)
        signatures = [signing.sign_sm2(self.keys[who], statement, by=f"staff:{who}", role=role) for who, role in by]
        signed = Signed(statement, tuple(signatures))
        return service.explain(self.house.session, signed, operator=OPERATOR, at=LATE)


def cut_off(house: House) -> State:
    return settlement.cut_off(
        house.session, OFFICE, cycle=f"{OPERATOR}.2026-05.CNY", high_water=log.size(house.session), at=LATE
    ).state


@pytest.fixture
def two(house: House) -> TwoSides:
    """An agreement with one use on both sides, and May's cycle, open."""
    found = TwoSides(house)
    found.report(1)
    settlement.open_cycle(house.session, OFFICE, operator=OPERATOR, period=MAY, grace=DAY, at=NOW)
    return found


def test_gap__blocks_the_cut_off_and_nothing_else__until_the_numbers_came(house: House, two: TwoSides) -> None:
    lost, kept = two.provide.more(2), two.provide.more(1)
    two.send_provided(kept)
    with pytest.raises(WrongMove, match=r"conn-demo-1 GAP #2–3"):
        cut_off(house)
    two.send_provided(lost)
    assert cut_off(house) is State.CUT_OFF


def test_gap__explained_by_two_persons__cut_off_and_both_sides_read_why(house: House, two: TwoSides) -> None:
    two.provide.more(2)
    two.send_provided(two.provide.more(1))
    taken = Persons(house).explain(2, 3)
    assert taken.fact.kind == "usage-finding-explained/v1"
    assert cut_off(house) is State.CUT_OFF
    report = service.reconciliation(house.session, two.agreement, MAY.start, MAY.end, at=LATE)
    assert [(item.kind, item.explained) for item in report.seams] == [(FindingKind.GAP, "断电，记录已失")]
    sheets = openpyxl.load_workbook(io.BytesIO(report_xlsx(report)))
    assert "断电，记录已失" in {cell.value for sheet in sheets for row in sheet.iter_rows() for cell in row}


def test_gap__partly_filled_after_it_was_explained__is_still_explained(house: House, two: TwoSides) -> None:
    first, second = two.provide.more(1), two.provide.more(1)
    two.send_provided(two.provide.more(1))
    Persons(house).explain(2, 3)
    two.send_provided(first)
    assert [(item.first_seq, item.last_seq) for item in store.findings(house.session, CONNECTOR)] == [(3, 3)]
    assert cut_off(house) is State.CUT_OFF
    assert second


@pytest.mark.parametrize("kind", [FindingKind.FORK, FindingKind.UNSIGNED])
def test_fork_and_unsigned__block_and_can_be_explained(house: House, two: TwoSides, kind: FindingKind) -> None:
    if kind is FindingKind.FORK:
        two.provide.prev = two.consume.prev  # continues somebody else's record
        two.send_provided(two.provide.more(1))
    else:
        service.hold(house.session, two.provide.more(1), signer=house.operator, at=NOW + 60)
    with pytest.raises(WrongMove, match=f"{kind} #2–2"):
        cut_off(house)
    with pytest.raises(Clash):
        Persons(house).explain(2, 2)  # no gap
    house.session.rollback()
    assert kind


@pytest.mark.parametrize("kind", [FindingKind.FORK, FindingKind.UNSIGNED])
def test_fork_and_unsigned__explained__cut_off(house: House, two: TwoSides, kind: FindingKind) -> None:
    if kind is FindingKind.FORK:
        two.provide.prev = two.consume.prev
        two.send_provided(two.provide.more(1))
    else:
        service.hold(house.session, two.provide.more(1), signer=house.operator, at=NOW + 60)
    Persons(house).explain(2, 2, kind)
    assert cut_off(house) is State.CUT_OFF


def test_gap__after_the_period__blocks_nothing(house: House, two: TwoSides) -> None:
    """A connector that works on has a hole now and then, which is next month's matter."""
    two.send_provided(two.provide.more(1, occurred_at=MAY.end + 10), MAY.end + 60)
    two.provide.more(1, occurred_at=MAY.end + 11)
    two.send_provided(two.provide.more(1, occurred_at=MAY.end + 12), MAY.end + 60)
    assert [item.kind for item in store.findings(house.session, CONNECTOR)] == [FindingKind.GAP]
    assert cut_off(house) is State.CUT_OFF


def test_unsigned__uses_after_the_period__block_nothing(house: House, two: TwoSides) -> None:
    """A connector that sends single records has some that wait for a batch at any time."""
    late = two.provide.more(2, occurred_at=MAY.end + 10)
    service.hold(house.session, late, signer=house.operator, at=MAY.end + 60)
    assert [item.kind for item in store.findings(house.session, CONNECTOR)] == [FindingKind.UNSIGNED]
    assert cut_off(house) is State.CUT_OFF


def test_unsigned__one_use_of_the_period_among_later_ones__blocks(house: House, two: TwoSides) -> None:
    early, late = two.provide.more(1), two.provide.more(1, occurred_at=MAY.end + 10)
    service.hold(house.session, [*early, *late], signer=house.operator, at=MAY.end + 60)
    with pytest.raises(WrongMove, match="UNSIGNED #2–3"):
        cut_off(house)


@pytest.mark.parametrize(("first", "last"), [(1, 3), (2, 4), (2, 2), (3, 3), (2, 2**53 - 1)])
def test_explain__more_or_less_than_the_gap__is_refused(house: House, two: TwoSides, first: int, last: int) -> None:
    """A reason for numbers still to come would excuse every later gap."""
    two.provide.more(2)
    two.send_provided(two.provide.more(1))
    with pytest.raises(Clash, match=r"GAP #2–3"):
        Persons(house).explain(first, last)


def test_gap__of_a_connector_no_agreement_names__blocks_nothing(house: House, two: TwoSides) -> None:
    house.hire_connector("conn-elsewhere", key := sm.generate())
    line = type(two.provide)(two.agreement, two.provide.listing, two.provide.policy, "conn-elsewhere")
    line.more(1)
    admit(house, line.more(1), key=key)
    assert [item.kind for item in store.findings(house.session, "conn-elsewhere")] == [FindingKind.GAP]
    assert cut_off(house) is State.CUT_OFF


@pytest.mark.parametrize(
    "by",
    [
        (("maker", MAKER),),
        (("maker", MAKER), ("maker", MAKER)),
        (("maker", MAKER), ("checker", MAKER)),
        (("maker", MAKER), ("stranger", CHECKER)),
        (("maker", MAKER), ("checker", CHECKER), ("stranger", MAKER)),
        (("stranger", MAKER), ("stranger", CHECKER)),
        (("both", MAKER), ("both", CHECKER)),
    ],
)
def test_explain__by_anybody_but_two_persons_of_the_operator__is_refused(
    house: House, two: TwoSides, by: tuple[tuple[str, str], ...]
) -> None:
    two.provide.more(1)
    two.send_provided(two.provide.more(1))
    with pytest.raises((NotEntitled, NoSuchCapacity)):
        Persons(house).explain(2, 2, by=by)
    with pytest.raises(WrongMove):
        cut_off(house)


def test_explain__the_same_again__gets_the_first_fact(house: House, two: TwoSides) -> None:
    two.provide.more(1)
    two.send_provided(two.provide.more(1))
    persons = Persons(house)
    statement = persons.statement(2, 2, FindingKind.GAP)
    signed = Signed(
        statement,
        tuple(
            signing.sign_sm2(persons.keys[who], statement, by=f"staff:{who}", role=role)
            for who, role in (("maker", MAKER), ("checker", CHECKER))
        ),
    )
    first = service.explain(house.session, signed, operator=OPERATOR, at=LATE)
    again = service.explain(house.session, signed, operator=OPERATOR, at=LATE + 5)
    assert (again.replayed, again.fact) == (True, first.fact)
    assert len(store.explanations(house.session, CONNECTOR)) == 1


def test_explanation__covers_exactly_what_it_holds() -> None:
    """Every pair of ranges within six numbers, against sets."""
    ranges = [(first, last) for first in range(1, 7) for last in range(first, 7)]
    for (a, b), (c, d), kind in itertools.product(ranges, ranges, FindingKind):
        said = Explanation("conn", FindingKind.GAP, a, b, "x")
        finding = Finding("conn", kind, c, d, 0)
        expected = kind is FindingKind.GAP and set(range(c, d + 1)) <= set(range(a, b + 1))
        assert said.covers(finding) is expected
        assert unexplained([finding], [said]) == ([] if expected else [finding])
        assert not said.covers(Finding("other", kind, c, d, 0))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"last_seq": 1}, "last_seq"),
        ({"first_seq": 0}, "first_seq"),
        ({"reason": ""}, "reason"),
        ({"finding": "HOLE"}, "finding"),
        ({"connector": "conn-other"}, "subject"),
        ({"more": 1}, "more"),
    ],
)
def test_read_explanation__names_the_field(change: dict[str, object], field: str) -> None:
    body = body_of(Explanation(CONNECTOR, FindingKind.GAP, 2, 3, "x")) | change
    with pytest.raises(FieldError, match=field):
        read_explanation(Statement("usage-finding-explained/v1", subject_of(CONNECTOR), 0, None, body))
