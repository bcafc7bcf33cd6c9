"""Heartbeats and closes on a real database: what a connector says of the end of its records, held against them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from clearing.errors import Clash, TooEarly, UnknownFact
from clearing.market import service as market
from clearing.market.agreement import Act, State
from clearing.market.errors import NotEntitled
from clearing.market.policy import Decision, Reason
from clearing.terms import month
from clearing.usage import service, store, tables
from clearing.usage.closing import (
    HEARTBEAT,
    PERIOD_CLOSE,
    Heartbeat,
    Lapse,
    Line,
    PeriodClose,
    Tally,
    UnitTotal,
    check_heartbeats,
    close_of,
    days_of,
    freeze,
    months_of,
    subject_of,
)
from clearing.usage.record import Admitted, Side, StatusClass
from ledger import sm
from ledger import store as ledger
from ledger.errors import BadSignature, FieldError, Stale
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from ledger.sm import Sm2Key
from ledger.store import Appended
from registry.asset import Twin
from registry.calendar import day_of, start_of
from registry.errors import Unknown
from tests.clearing.market.house import CONNECTOR, DAY, DOMAIN, NOW, House
from tests.clearing.usage.batches import TwoSides
from tests.counts import few

check = settings(deadline=None, max_examples=few(50))
MAY, JUNE = month("2026-05"), month("2026-06")
"""NOW is 2026-05-29 in Shanghai, so the agreements of these tests begin near the end of May."""
DENIED = {"decision": Decision.DENY, "reasons": (Reason.COUNT,), "billable": False, "status": StatusClass.NONE}


def provided(two: TwoSides) -> Line:
    return Line(CONNECTOR, two.agreement, Side.PROVIDE)


def signed(house: House, body: PeriodClose | Heartbeat, key: Sm2Key | None = None) -> Signed:
    return freeze(body, *ledger.next_of(house.session, subject_of(body.connector)), key or house.connector)


def take(house: House, body: PeriodClose | Heartbeat, at: int = JUNE.start, key: Sm2Key | None = None) -> Appended:
    return service.take_report(house.session, signed(house, body, key), at=at)


def beat(two: TwoSides, day: str, **changes: object) -> Heartbeat:
    return replace(Heartbeat(CONNECTOR, two.agreement, Side.PROVIDE, day, 0), **changes)  # type: ignore[arg-type]


def lapses(two: TwoSides, at: int, *, silent: bool = False) -> list[tuple[Lapse, int, int]]:
    """What the provider's connector is found to have left out in May, without the heartbeats unless asked."""
    found = service.tail_findings(two.house.session, two.agreement, MAY, DAY, at=at)
    own = [item for item in found if item.connector == CONNECTOR and (item.kind is Lapse.SILENT) == silent]
    return [(item.kind, item.expected, item.found) for item in own]


# What is taken in ----------------------------------------------------------------------------------------------------


def test_take_report__close_and_heartbeat__one_chain_and_a_replay_changes_nothing(house: House) -> None:
    two = TwoSides(house)
    first = signed(house, beat(two, "2026-05-29"))
    taken = service.take_report(house.session, first, at=NOW)
    closed = take(house, close_of(provided(two), "2026-05", []))
    assert [fact.kind for fact in ledger.facts_of(house.session, subject_of(CONNECTOR))] == [HEARTBEAT, PERIOD_CLOSE]
    again = service.take_report(house.session, first, at=JUNE.start)
    assert (again.replayed, again.fact) == (True, taken.fact)
    assert not closed.replayed
    assert len(house.session.execute(tables.close.select()).all()) == 1
    assert len(house.session.execute(tables.heartbeat.select()).all()) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("other key", BadSignature), ("unsigned", BadSignature), ("other subject", FieldError),
        ("other kind", FieldError), ("count without last", FieldError), ("last without count", FieldError),
        ("totals unordered", FieldError), ("totals of nothing", FieldError), ("no such day", FieldError),
        ("other side", NotEntitled), ("other agreement", UnknownFact), ("unknown connector", Unknown),
        ("month not over", TooEarly), ("day not begun", TooEarly), ("stale", Stale),
    ],
)  # fmt: skip
def test_take_report__anything_wrong__refused_and_nothing_written(
    house: House, fault: str, error: type[Exception]
) -> None:
    two = TwoSides(house)
    good = close_of(provided(two), "2026-05", [])
    some = Twin("1" * 64, "2" * 64)
    changed: dict[str, PeriodClose | Heartbeat] = {
        "count without last": replace(good, count=1),
        "last without count": replace(good, last_hash=some),
        "totals unordered": replace(good, count=2, last_hash=some, totals=(UnitTotal("row", 1), UnitTotal("call", 1))),
        "totals of nothing": replace(good, totals=(UnitTotal("call", 1),)),
        "no such day": beat(two, "2026-05-32"),
        "other side": replace(good, side=Side.CONSUME),
        "other agreement": replace(good, agreement="f" * 64),
        "unknown connector": replace(good, connector="conn-x"),
        "month not over": replace(good, period="2026-06"),
        "day not begun": beat(two, "2026-06-02"),
    }
    sent = signed(house, changed.get(fault, good), sm.generate() if fault == "other key" else None)
    if fault == "unsigned":
        sent = replace(sent, signatures=())
    elif fault in ("other subject", "other kind", "stale"):
        spoilt: dict[str, object] = {
            "other subject": {"subject": subject_of("conn-x")}, "other kind": {"kind": "usage-batch/v1"},
            "stale": {"no": 4, "prev": sent.statement.digest()},
        }  # fmt: skip
        sent = freeze_as(replace(sent.statement, **spoilt[fault]), house.connector)  # type: ignore[arg-type]
    with pytest.raises(error):
        service.take_report(house.session, sent, at=JUNE.start)
    for table in (tables.close, tables.heartbeat):
        assert house.session.execute(table.select()).first() is None


def freeze_as(statement: Statement, key: Sm2Key) -> Signed:
    return Signed(statement, (sign_sm2(key, statement, by=f"connector:{CONNECTOR}"),))


def test_take_report__a_second_close_or_heartbeat_for_the_same_time__refused(house: House) -> None:
    two = TwoSides(house)
    take(house, close_of(provided(two), "2026-05", []))
    take(house, beat(two, "2026-05-29"))
    other = replace(close_of(provided(two), "2026-05", []), count=1, last_hash=Twin("1" * 64, "2" * 64))
    for body in (other, beat(two, "2026-05-29", count=1, last_hash=Twin("1" * 64, "2" * 64))):
        with pytest.raises(Clash):
            take(house, body)
    row = house.session.execute(tables.close.select()).one()
    with pytest.raises(IntegrityError), house.session.begin_nested():
        house.session.execute(tables.close.insert().values(**row._mapping))


# The tail ------------------------------------------------------------------------------------------------------------


def test_close__all_records_there_or_none_at_all__nothing_is_found(house: House) -> None:
    two = TwoSides(house)
    assert lapses(two, MAY.end + DAY - 1) == []
    assert lapses(two, MAY.end + DAY) == [(Lapse.NO_CLOSE, 1, 0)]
    records = [*two.provide.more(3), *two.provide.more(1, **DENIED)]
    two.send_provided(records)
    body = close_of(provided(two), "2026-05", records)
    assert (body.count, body.totals) == (4, (UnitTotal("call", 3),))
    take(house, body)
    assert lapses(two, MAY.end + DAY) == []


def test_close__of_nothing__is_a_close(house: House) -> None:
    two = TwoSides(house)
    take(house, close_of(provided(two), "2026-05", []))
    assert lapses(two, MAY.end + DAY) == []


def test_close__tail_cut_then_sent__found_and_gone(house: House) -> None:
    """The chain of what came is whole, so only the close shows that something is missing."""
    two = TwoSides(house)
    first, tail = two.provide.more(2), two.provide.more(2)
    two.send_provided(first)
    take(house, close_of(provided(two), "2026-05", first + tail))
    assert store.findings(house.session) == []
    assert lapses(two, MAY.end) == [(Lapse.CUT_TAIL, 4, 2)]
    two.send_provided(tail, JUNE.start + 60)
    assert lapses(two, MAY.end) == []


def test_close__records_it_left_out__found(house: House) -> None:
    two = TwoSides(house)
    records = two.provide.more(3)
    two.send_provided(records)
    take(house, close_of(provided(two), "2026-05", records[:2]))
    assert lapses(two, MAY.end) == [(Lapse.AFTER_CLOSE, 2, 3)]


@pytest.mark.parametrize("what", ["last", "totals"])
def test_close__as_many_records_but_others__found(house: House, what: str) -> None:
    two = TwoSides(house)
    records = two.provide.more(2)
    two.send_provided(records)
    body = close_of(provided(two), "2026-05", records)
    other = {"last_hash": Twin("1" * 64, "2" * 64)} if what == "last" else {"totals": (UnitTotal("call", 5),)}
    take(house, replace(body, **other))  # type: ignore[arg-type]
    assert lapses(two, MAY.end) == [(Lapse.OTHER_END, 2, 2)]


def test_close__records_of_other_months_sides_and_agreements__are_not_its_own(house: House) -> None:
    two = TwoSides(house)
    may = two.provide.more(2)
    june = two.provide.more(2, occurred_at=JUNE.start)
    foreign = two.provide.more(1, agreement="e" * 64, agr_seq=1)
    two.send_provided([*may, *june, *foreign], JUNE.start + 60)
    two.send_consumed(two.consume.more(3, side=Side.CONSUME))
    take(house, close_of(provided(two), "2026-05", may))
    assert lapses(two, MAY.end) == []
    assert store.tally(house.session, provided(two), JUNE) == _tally(june)


def _tally(records: list[Admitted]) -> Tally:
    return Tally(len(records), (UnitTotal("call", len(records)),), records[-1].digest.sha256.hex())


# Heartbeats ----------------------------------------------------------------------------------------------------------


def test_heartbeats__days_left_out__found_as_runs_once_their_grace_is_over(house: House) -> None:
    """The agreement runs from within the 29th on, so the 30th is the first whole day; silence of the other side counts
    for itself."""
    two = TwoSides(house)
    start = start_of(day_of(NOW)) + DAY
    assert str(day_of(NOW)) == "2026-05-29"
    assert lapses(two, start + 2 * DAY - 1, silent=True) == []
    assert lapses(two, start + 2 * DAY, silent=True) == [(Lapse.SILENT, 1, 0)]
    assert lapses(two, start + 9 * DAY, silent=True) == [(Lapse.SILENT, 2, 0)]
    take(house, beat(two, "2026-05-30"))
    assert lapses(two, start + 9 * DAY, silent=True) == [(Lapse.SILENT, 1, 0)]
    take(house, beat(two, "2026-05-31"))
    assert lapses(two, start + 9 * DAY, silent=True) == []
    others = service.tail_findings(house.session, two.agreement, MAY, DAY, at=start + 9 * DAY)
    assert {(item.connector, item.kind) for item in others} == {
        (TwoSides.CONSUMING, Lapse.SILENT), (TwoSides.CONSUMING, Lapse.NO_CLOSE), (CONNECTOR, Lapse.NO_CLOSE),
    }  # fmt: skip


def test_heartbeats__after_the_agreement_ended__are_not_expected(house: House) -> None:
    two = TwoSides(house)
    before = service.tail_findings(house.session, two.agreement, JUNE, DAY, at=JUNE.end + 9 * DAY)
    assert [item.kind for item in before if item.connector == CONNECTOR] == [Lapse.NO_CLOSE, Lapse.SILENT]
    ended = house.sign(house.act(two.agreement, Act.TERMINATE, State.TERMINATED))
    market.record_act(house.session, ended, domain=DOMAIN, at=JUNE.start)
    assert service.tail_findings(house.session, two.agreement, JUNE, DAY, at=JUNE.end + 9 * DAY) == []


@check
@given(st.integers(MAY.start, JUNE.end), st.integers(MAY.start, JUNE.end), st.data())
def test_check_heartbeats__any_days__the_runs_cover_exactly_the_whole_days_without_one(
    start: int, end: int, data: st.DataObject
) -> None:
    line = Line("c", "a" * 64, Side.CONSUME)
    whole = [
        str(day_of(second)) for second in range(MAY.start, JUNE.end, DAY) if start <= second and second + DAY <= end
    ]
    assert [str(day) for day in days_of(start, end)] == whole
    beats = {day for day in whole if data.draw(st.booleans())}
    found = check_heartbeats(line, beats, start, end, JUNE.end + 9 * DAY)
    covered = [str(day_of(second)) for item in found for second in range(item.start, item.end, DAY)]
    assert covered == [day for day in whole if day not in beats]
    assert all(before.end < after.start for before, after in pairwise(found))
    assert sum(item.expected for item in found) == len(covered)


def test_months_of__any_span__every_month_it_touches() -> None:
    assert [found.name for found in months_of(MAY.start + 5, JUNE.start + 1)] == ["2026-05", "2026-06"]
    assert [found.name for found in months_of(MAY.start, MAY.end)] == ["2026-05"]
    assert list(months_of(MAY.start, MAY.start)) == []


def test_project__replaying_every_fact__gives_the_same_rows(house: House) -> None:
    two = TwoSides(house)
    take(house, beat(two, "2026-05-29"))
    take(house, close_of(provided(two), "2026-05", []))
    views = (tables.close, tables.heartbeat)
    before = [house.session.execute(table.select()).all() for table in views]
    for table in views:
        house.session.execute(table.delete())
    for fact in ledger.facts_of_kind(house.session, PERIOD_CLOSE, HEARTBEAT):
        store.project(house.session, fact)
    assert [house.session.execute(table.select()).all() for table in views] == before
    assert body_of(store.closes(house.session, two.agreement)[provided(two), "2026-05"])["count"] == 0
