"""A year's working days: what is refused, what an amendment may change, and how files are read."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from ledger.errors import FieldError, Malformed
from ledger.reading import body_of
from registry.calendar import Pause, last_day, published
from registry.errors import CalendarPending
from registry.rulebook.table_file import read_table
from registry.rulebook.year_table import DayRow, YearTable, amended, check_rows, differences, require_future
from tests.counts import few

pytestmark = pytest.mark.clause("G17", "A19")
TABLE = published()
OFF = ("2027-01-01", "2027-02-08", "2027-05-01", "2027-10-01", "2027-10-02", "2027-10-03", "2027-10-04")
WORKED = ("2027-02-14",)
ROWS = tuple(DayRow(day, day in WORKED) for day in sorted((*OFF, *WORKED)))
YEAR = YearTable(2027, 1, "演示〔2026〕1号", ROWS)
day = date.fromisoformat


def days(*changed: tuple[str, bool]) -> YearTable:
    rows = {row.date: row.working for row in ROWS} | dict(changed)
    return replace(YEAR, version=2, rows=tuple(DayRow(key, rows[key]) for key in sorted(rows)))


def test_table__makes_the_year_known() -> None:
    calendar = amended(TABLE, (YEAR,))
    assert not calendar.is_working(day("2027-02-08"))  # a Monday off
    assert calendar.is_working(day("2027-02-14"))  # a Sunday worked
    assert calendar.is_working(day("2027-02-09"))
    assert calendar.version == f"{TABLE.version}+2027.1"
    assert last_day(day("2026-12-25"), 5, calendar) == day("2027-01-04")
    with pytest.raises(CalendarPending):
        calendar.is_working(day("2028-01-03"))
    assert all(calendar.is_working(item) == TABLE.is_working(item) for item in _year(2026))


def _year(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range(366) if (first + timedelta(days=n)).year == year]


def test_table__naming_every_day__is_as_good() -> None:
    short = amended(TABLE, (YEAR,))
    full = replace(YEAR, rows=tuple(DayRow(str(item), short.is_working(item)) for item in _year(2027)))
    assert all(amended(TABLE, (check_rows(full),)).is_working(item) == short.is_working(item) for item in _year(2027))


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ((DayRow("2027-02-30", False), *ROWS), "body.rows[0].date"),
        ((DayRow("2026-12-31", False), *ROWS), "body.rows[0].date"),
        ((*ROWS, ROWS[-1]), "body.rows[8].date"),
        (tuple(reversed(ROWS)), "body.rows[1].date"),
        (ROWS[1:], "body.rows"),
        (tuple(DayRow(row.date, True) for row in ROWS), "body.rows"),
    ],
)
def test_rows__that_cannot_be_a_notice__are_refused_by_place(rows: Sequence[DayRow], field: str) -> None:
    with pytest.raises(FieldError) as refused:
        check_rows(replace(YEAR, rows=tuple(rows)))
    assert refused.value.field == field


def test_differences__against_what_is_known_or_monday_to_friday() -> None:
    first = {(row.date, row.working) for row in differences(TABLE, YEAR)}
    weekdays_off = {(text, False) for text in OFF if day(text).weekday() < 5}
    assert first == weekdays_off | {("2027-02-14", True)}
    known = amended(TABLE, (YEAR,))
    assert differences(known, YEAR) == ()
    assert differences(known, days(("2027-09-06", False))) == (DayRow("2027-09-06", False),)


def test_amendment__may_change_only_days_to_come() -> None:
    known = amended(TABLE, (YEAR,))
    change = days(("2027-09-06", False))
    require_future(known, change, day("2027-09-05"))
    for today in ("2027-09-06", "2027-09-07"):
        with pytest.raises(FieldError, match="2027-09-06"):
            require_future(known, change, day(today))
    require_future(TABLE, YEAR, day("2027-06-01"))  # the first table of a year may come late: nothing was counted by it


@settings(max_examples=few(80), deadline=None)
@given(
    st.dates(day("2026-11-01"), day("2027-11-30")),
    st.integers(1, 15),
    st.dates(day("2027-01-01"), day("2027-12-20")),
    st.sets(st.integers(1, 11), max_size=5),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=2),
)
def test_amendment__ended_periods_keep_their_end(
    trigger: date, length: int, today: date, changed: set[int], pauses: list[tuple[int, int]]
) -> None:
    """Whatever an admitted amendment changes, a period whose last day is over ends where it ended."""
    before = amended(TABLE, (YEAR,))
    moved = [(today + timedelta(days=n), not before.is_working(today + timedelta(days=n))) for n in changed]
    version = days(*((str(item), working) for item, working in moved if item.year == 2027))
    require_future(before, version, today)
    after = amended(before, (version,))
    spans = [Pause("x", str(trigger + timedelta(days=a)), str(trigger + timedelta(days=a + b))) for a, b in pauses]
    try:
        end = last_day(trigger, length, before, spans)
    except CalendarPending:
        return
    if end <= today:
        assert last_day(trigger, length, after, spans) == end


# Files ----------------------------------------------------------------------------------------------------------------

HEAD = "日期,上班,年,文号,版本"


def csv_of(*lines: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *lines]).encode()


LINES = [f"{row.date},{'是' if row.working else '否'},2027,演示〔2026〕1号,1" for row in ROWS]


def test_csv__with_chinese_or_english_heads__in_any_order_of_rows() -> None:
    assert read_table("2027.csv", csv_of(*LINES)) == YEAR
    assert read_table("2027.CSV", b"\xef\xbb\xbf" + csv_of(*reversed(LINES))) == YEAR
    slashed = [line.replace("是", "yes").replace("否", "NO").replace("-", "/") for line in LINES]
    assert read_table("x.csv", csv_of(*slashed, head="Date,working,year,document_no,version")) == YEAR


def test_json__is_the_body_itself() -> None:
    assert read_table("x.json", json.dumps(body_of(YEAR)).encode()) == YEAR
    with pytest.raises(FieldError, match="rows"):
        read_table("x.json", json.dumps(body_of(YEAR) | {"rows": []}).encode())
    with pytest.raises((FieldError, Malformed)):
        read_table("x.json", b"{")


def workbook(rows: list[list[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_xlsx__dates_numbers_and_booleans_as_excel_keeps_them() -> None:
    rows: list[list[Any]] = [HEAD.split(",")]
    rows += [[day(row.date), row.working, 2027, "演示〔2026〕1号", 1] for row in ROWS]
    assert read_table("x.xlsx", workbook(rows)) == YEAR


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("x.csv", csv_of(), "x.csv"),
        ("x.csv", b"\xff\xfe", "x.csv"),
        ("x.csv", csv_of(*LINES, head="日期,上班,年,文号"), "x.csv 表头 / head"),
        ("x.csv", csv_of(LINES[0].replace("否", "也许"), *LINES[1:]), "x.csv 第2行 working"),
        ("x.csv", csv_of(LINES[0], LINES[1].replace("1号", "2号"), *LINES[2:]), "x.csv 第3行 document_no"),
        ("x.csv", csv_of(*(line.replace("2027,", "廿七,") for line in LINES)), "x.csv 第2行 year"),
        ("x.csv", csv_of(LINES[0].replace("01-01", "13-01"), *LINES[1:]), "x.csv.rows[7].date"),
        ("x.csv", csv_of(*LINES, LINES[0]), "x.csv.rows[1].date"),
        ("x.csv", csv_of(*(LINES * 60)), "x.csv"),
        ("x.xlsx", b"PK\x03\x04 no", "x.xlsx"),
        ("x.xlsx", b"not a zip", "x.xlsx"),
        ("x.txt", b"", "x.txt"),
        ("x.csv", b"x" * (2**20 + 1), "x.csv"),
    ],
)
def test_file__that_cannot_be_read__is_refused_by_row_and_column(name: str, data: bytes, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        read_table(name, data)
    assert refused.value.field == field
