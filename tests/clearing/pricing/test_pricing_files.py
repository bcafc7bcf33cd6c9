"""Files of strangers: the same table gives the same counts in every format, and a bad file is refused by its field."""

import csv
import io
import re
import sqlite3
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pricing_cases import flights_folder, penguins_csv

from clearing.pricing import information
from clearing.pricing.cell_text import cell_text
from clearing.pricing.counting import count
from clearing.pricing.declaring import declare
from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec, Dialect
from clearing.pricing.quality import DIMENSIONS, dimension_score
from clearing.pricing.source_table import Address, canonical_bytes, table_rows
from clearing.pricing.text_file import detect

Row = tuple[int | None, Decimal | None, str | None, date | None]
HEAD = ("编号", "amount", "名称", "day")
COLUMNS = (
    ColumnSpec("编号", "integer", "discrete"),
    ColumnSpec("amount", "decimal", "continuous"),
    ColumnSpec("名称", "text", "categorical"),
    ColumnSpec("day", "date", "timestamp"),
)
ROWS: list[Row] = [
    (1, Decimal("1.5"), "北京", date(2024, 2, 29)),
    (2, Decimal("-0.25"), '引号"、逗号,', date(2024, 3, 1)),
    (2, None, "行\n行", None),
    (None, Decimal(1000), "𠮷", date(2024, 3, 1)),
    (-7, Decimal("1.5"), None, date(1999, 12, 31)),
]


def counted(path: Path | Address, spec: DataSpec, **other: object) -> Counted:
    return count(path, spec, bins=4, calendar="day", as_of=1_700_000_000, **other)


def as_csv(path: Path, rows: Sequence[Row], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(HEAD)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return path


def as_xlsx(path: Path, rows: Sequence[Row]) -> Path:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("数据")
    sheet.append(HEAD)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def as_sqlite(path: Path, rows: Sequence[Row], key: str = "") -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f'CREATE TABLE "表" ("编号" INTEGER, amount REAL, "名称" TEXT, day TEXT {key})')
        shown = [(a, None if b is None else float(b), c, None if d is None else d.isoformat()) for a, b, c, d in rows]
        connection.executemany('INSERT INTO "表" VALUES (?, ?, ?, ?)', shown)
        connection.commit()
    return path


def as_parquet(path: Path, rows: Sequence[Row]) -> Path:
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE r ("编号" BIGINT, amount DOUBLE, "名称" VARCHAR, day DATE)')
        connection.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", rows)
        connection.execute(f"COPY r TO '{path}' (FORMAT parquet)")
    return path


def written(folder: Path, rows: Sequence[Row]) -> dict[str, Counted]:
    """The table counted in every format."""
    specs = {
        "utf8.csv": (as_csv, DataSpec("d", "csv", COLUMNS)),
        "bom.csv": (lambda p, r: as_csv(p, r, "utf-8-sig"), DataSpec("d", "csv", COLUMNS)),
        "gb.csv": (
            lambda p, r: as_csv(p, r, "gb18030", ";"),
            DataSpec("d", "csv", COLUMNS, dialect=Dialect("gb18030", ";")),
        ),
        "d.parquet": (as_parquet, DataSpec("d", "parquet", COLUMNS)),
        "d.xlsx": (as_xlsx, DataSpec("d", "xlsx", COLUMNS, part="数据")),
        "d.db": (as_sqlite, DataSpec("d", "table", COLUMNS, part="表")),
    }
    found = {}
    for name, (write, spec) in specs.items():
        (folder / name).unlink(missing_ok=True)
        found[name] = counted(write(folder / name, rows), spec)
    return found


def by_hand(rows: Sequence[Row], position: int) -> tuple[tuple[int, int], ...]:
    values = Counter(row[position] for row in rows if row[position] is not None)
    return tuple(sorted(Counter(values.values()).items(), reverse=True))


def assert_alike(rows: Sequence[Row], found: dict[str, Counted]) -> None:
    first = found["utf8.csv"]
    for name, other in found.items():
        assert other.columns == first.columns, name
        assert other.manifest.rows == len(rows)
    for position in (0, 2, 3):
        assert first.columns[position].profile == by_hand(rows, position)
        assert first.columns[position].nulls == sum(row[position] is None for row in rows)


def test_every_format__the_same_counts_as_by_hand(tmp_path):
    found = written(tmp_path, ROWS)
    assert_alike(ROWS, found)
    amount = found["d.xlsx"].columns[1]
    assert (amount.nulls, amount.profile) == (1, ((3, 1), (1, 1))), "−0.25 and twice 1.5 in the first bin; 1000"


UNWRITABLE = ("Cc", "Cs", "Cn", "Co")
"""Control and unassigned characters: XML has none of them."""
TEXTS = st.text(st.characters(exclude_categories=UNWRITABLE), min_size=1).map(lambda text: text.lstrip("=") or None)
CELLS = st.tuples(
    st.none() | st.integers(-(10**9), 10**9),
    st.none() | st.decimals(-(10**6), 10**6, places=3).map(lambda value: value + 0),
    st.none() | TEXTS | st.sampled_from(["001", "true", " x ", "\ufeff", "NULL", "1.0"]),
    st.none() | st.dates(date(1990, 1, 1), date(2030, 1, 1)),
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CELLS, min_size=1, max_size=8).filter(lambda rows: any(c is not None for c in rows[-1])))
def test_every_format__any_small_table__the_same_counts(tmp_path, rows):
    rows = [row for row in rows if any(cell is not None for cell in row)]
    assert_alike(rows, written(tmp_path, rows))


def test_byte_order_mark__is_no_part_of_a_name_and_digest_is_the_original_file(tmp_path):
    path = as_csv(tmp_path / "a.csv", ROWS, "utf-8-sig")
    found = counted(path, DataSpec("a", "csv"))
    assert found.columns[0].name == "编号"
    gb = as_csv(tmp_path / "b.csv", ROWS, "gb18030")
    assert counted(gb, DataSpec("b", "csv", dialect=Dialect("gb18030"))).manifest.size == gb.stat().st_size


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_detect__finds_how_it_was_written(tmp_path, encoding, delimiter):
    with as_csv(tmp_path / "a.csv", ROWS, encoding, delimiter).open("rb") as file:
        assert detect(file) == Dialect(encoding, delimiter)


def test_detect__the_wrong_byte_stands_after_the_first_block(tmp_path):
    """GB 18030 is found although the first megabyte is ASCII, and a character cut by the block's end is whole."""
    data = b"a,b\n" + b"1,2\n" * 262_142 + b"123"
    assert len(data) < 1 << 20
    data = data.ljust((1 << 20) - 1, b"9") + "汉,2\n".encode("gb18030")
    assert detect(io.BytesIO(data)).encoding == "gb18030"


@pytest.mark.parametrize("data", ["é,1\n".encode("latin-1"), b"a,b\n1,\xff\n", "a,b\n1,2\n".encode("utf-16-le")])
def test_detect__neither_encoding__is_refused_by_its_field(data):
    with pytest.raises(PricingRefused) as caught:
        detect(io.BytesIO(data))
    assert (caught.value.code, caught.value.field) == ("INPUT_FORM", "data.encoding")
    assert "字段 data.encoding 应为" in caught.value.zh
    assert "expected utf-8 | gb18030" in caught.value.en


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("", None), (1, "1"), (1.0, "1"), (0.1, "0.1"), (1e-7, "0.0000001"), (-0.0, "0"), (True, "true"),
     (float("nan"), None), (float("inf"), "inf"), (Decimal("1.500"), "1.5"), (1e17, "100000000000000000"),
     (date(2024, 2, 29), "2024-02-29"), (datetime(2024, 2, 29, 8), "2024-02-29 08:00:00"), (b"\x01\xff", "01ff"),
     (0.0012345678901234567, "0.001234567890123457")],
)  # fmt: skip
def test_cell__is_the_text_of_the_csv(value, text):
    assert cell_text(value) == text


# --- declarations ----------------------------------------------------------------------------------------------------


def test_declare__writes_down_what_it_found(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes("号;度;备注;全空\n1;1.5;甲;\n2;NA;乙;\n3;2;甲;\n".encode("gb18030"))
    spec = declare(path)
    assert spec.dialect == Dialect("gb18030", ";", nulls=("NA",)), "NA alone keeps 度 from being numbers"
    assert [(c.name, c.type, c.kind) for c in spec.columns] == [
        ("号", "integer", "discrete"), ("度", "decimal", "continuous"),
        ("备注", "text", "categorical"), ("全空", "text", "categorical"),
    ]  # fmt: skip
    assert [(r.kind, r.columns[0]) for r in spec.rules if r.kind == "unique_key"] == [("unique_key", "号")]
    assert sum(Decimal(rule.weight) for rule in spec.rules if rule.kind == "type") == 1
    found = counted(path, spec)
    assert [(item.applicable, item.passed) for item in found.rules] == [
        (3, 3), (3, 2), (3, 3), (3, 0), (3, 3), (2, 2), (3, 3), (0, 0), (3, 3)
    ]  # fmt: skip
    assert not any(column.inferred for column in found.columns)


def real_tables() -> list[Path]:
    return [flights_folder() / "airports.csv", flights_folder() / "planes.csv", penguins_csv(raw=True)]


@pytest.mark.parametrize("path", real_tables(), ids=lambda path: path.name)
def test_declare__real_table__is_counted_scored_and_measured_without_a_word_from_anybody(path):
    spec = declare(path)
    found = counted(path, spec)
    scores = [dimension_score(found.rules, name) for name in DIMENSIONS]
    assert all(score is None or 0 <= score.value <= 1 for score in scores)
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0].value == 1, "inferred types hold for every value"
    filled = [column for column in found.columns if column.values]
    assert information.measure(information.admit(filled, Decimal("0.9")).admitted, "drop")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for column in found.columns:
        values = Counter(row[column.name] for row in rows if row[column.name] not in ("", *spec.dialect.nulls))
        assert column.values + column.invalid == values.total()
        if column.kind == "categorical":
            assert column.profile == tuple(sorted(Counter(values.values()).items(), reverse=True))


@pytest.mark.parametrize(
    ("name", "field"),
    [("a.parquet", "data.path"), ("a.xlsx", "data.path"), ("a.db", "data.path")],
)
def test_declare__a_file_that_is_not_what_its_name_says__is_refused(tmp_path, name, field):
    with pytest.raises(PricingRefused) as caught:
        declare(as_csv(tmp_path / name, ROWS))
    assert caught.value.field == field


# --- what is refused -------------------------------------------------------------------------------------------------


def refusal(path: Path, spec: DataSpec) -> tuple[str, str]:
    before = sorted(path.parent.iterdir())
    with pytest.raises(PricingRefused) as caught:
        counted(path, spec)
    assert sorted(path.parent.iterdir()) == before, "nothing is written"
    assert str(path.parent) not in str(caught.value)
    assert "应为" in caught.value.zh
    assert "expected" in caught.value.en
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("data", "dialect", "expected"),
    [
        (b"", Dialect(), ("INPUT_FORM", "data.path")),
        (b"a,b\n", Dialect(), ("NO_DISTRIBUTION", "data")),
        (b"a,a\n1,2\n", Dialect(), ("INPUT_FORM", "data.header")),
        (b"a,\n1,2\n", Dialect(), ("INPUT_FORM", "data.header")),
        ("a,b\n1,汉\n".encode("gb18030"), Dialect(), ("INPUT_FORM", "data.encoding")),
        ("汉,b\n1,2\n".encode("gb18030"), Dialect(), ("INPUT_FORM", "data.encoding")),
        (b"a,b\n1,\xff\n", Dialect("gb18030"), ("INPUT_FORM", "data.encoding")),
        (",".join(f"c{i}" for i in range(10_000)).encode() + b"\n", Dialect(), ("INPUT_FORM", "data.columns")),
        (b"PAR1 and no more", Dialect(), ("INPUT_FORM", "data.format")),
        (b"\x1f\x8b\x08", Dialect(), ("INPUT_FORM", "data.path")),
    ],
    ids=["empty", "header", "twice", "nameless", "cells", "names", "neither", "wide", "parquet", "gzip"],
)
def test_csv__bad_file__is_refused_by_its_field(tmp_path, data, dialect, expected):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert refusal(path, DataSpec("a", "csv", dialect=dialect)) == expected


def test_one_row_all_null_and_mixed_types__are_counted(tmp_path):
    path = tmp_path / "a [1]*.csv"
    path.write_text("一,空,mixed\n1,,x1\n")
    one = counted(path, DataSpec("a", "csv"))
    assert [(c.values, c.nulls, c.distinct) for c in one.columns] == [(1, 0, 1), (0, 1, 0), (1, 0, 1)]
    path.write_text('mixed\n1\n2.5\nx\n""\n')
    (mixed,) = counted(path, DataSpec("a", "csv", (ColumnSpec("mixed", "integer"),))).columns
    assert (mixed.values, mixed.invalid, mixed.nulls) == (1, 2, 1)
    (inferred,) = counted(path, DataSpec("a", "csv")).columns
    assert (inferred.kind, inferred.values, inferred.invalid) == ("categorical", 3, 0)


def changed_zip(path: Path, target: Path, change: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as result:
        for item in source.namelist():
            result.writestr(item, change.get(item, source.read(item)))
        for name in set(change) - set(source.namelist()):
            result.writestr(name, change[name])
    return target


def test_xlsx__bad_workbook__is_refused_by_its_field(tmp_path):
    good = as_xlsx(tmp_path / "good.xlsx", ROWS)
    spec = DataSpec("a", "xlsx")
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(good.read_bytes()[:-300])
    assert refusal(bad, spec) == ("INPUT_FORM", "data")
    bad.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert refusal(bad, spec) == ("INPUT_FORM", "data")
    assert refusal(changed_zip(good, bad, {"xl/vbaProject.bin": b"x"}), spec) == ("INPUT_FORM", "data.macros")
    with zipfile.ZipFile(bad, "w") as other:
        other.writestr("readme.txt", "no workbook")
    assert refusal(bad, spec) == ("INPUT_FORM", "data")
    assert refusal(as_xlsx(bad, []), spec) == ("NO_DISTRIBUTION", "data")
    assert refusal(good, replace(spec, part="没有")) == ("INPUT_FORM", "data.part")
    Workbook().save(bad)
    assert refusal(bad, spec) == ("INPUT_FORM", "data.header")
    book = Workbook()
    book.active.append(["a"])
    book.active.append([1, 2])
    book.save(bad)
    assert refusal(bad, spec) == ("INPUT_FORM", "data.cells.B2")
    assert refusal(as_csv(bad, ROWS), spec) == ("INPUT_FORM", "data.format")


def test_xlsx__formula__counts_by_its_saved_value_or_is_refused(tmp_path):
    book = Workbook()
    book.active.append(["a", "b"])
    book.active.append([1, "=A2+1"])
    bare, saved = tmp_path / "bare.xlsx", tmp_path / "saved.xlsx"
    book.save(bare)
    assert refusal(bare, DataSpec("a", "xlsx")) == ("INPUT_FORM", "data.cells.B2")
    member = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(bare) as packed:
        xml = re.sub(rb"</f><v\s*/>|</f><v></v>|</f>", b"</f><v>2</v>", packed.read(member), count=1)
    found = counted(changed_zip(bare, saved, {member: xml}), DataSpec("a", "xlsx"))
    assert [c.profile for c in found.columns] == [((1, 1),), ((1, 1),)]
    assert found.manifest.columns[1].type == "integer"


def test_sqlite__digest_follows_content_not_order_and_names_are_data(tmp_path):
    one = as_sqlite(tmp_path / "a.db", ROWS)
    other = as_sqlite(tmp_path / "b.db", ROWS[::-1])
    spec = DataSpec("a", "table", COLUMNS, part="表")
    first, second = counted(one, spec).manifest, counted(other, spec).manifest
    assert (first.digest, first.size) == (second.digest, second.size)
    assert first.size == sum(len(canonical_bytes(row)) for row in table_rows(one, "表"))
    assert canonical_bytes(["é", None]) == b"2:\xc3\xa9-\n"
    assert counted(as_sqlite(tmp_path / "c.db", ROWS[1:]), spec).manifest.digest != first.digest
    assert refusal(one, replace(spec, part='表" UNION SELECT 1 --')) == ("INPUT_FORM", "data.part")
    assert refusal(one, replace(spec, part=None)) == ("INPUT_FORM", "data.part")
    broken = tmp_path / "broken.db"
    broken.write_bytes(one.read_bytes()[:1500])
    assert refusal(broken, spec) == ("INPUT_FORM", "data")


@pytest.mark.parametrize(
    "url",
    ["", "postgresql://host/db", "postgresql://u@/db", "postgresql://u@host", "mysql://u@h/d",
     "postgresql://u:secret@h:x/d", "postgresql://u:secret@h/d?host=elsewhere"],
)  # fmt: skip
def test_address__that_leaves_a_part_to_the_environment__is_refused_and_not_shown(url):
    with pytest.raises(PricingRefused) as caught:
        Address(url).parts()
    assert caught.value.field == "data.address"
    assert "secret" not in str(caught.value) + repr(Address(url))


# --- determinism and progress ----------------------------------------------------------------------------------------


def test_counts__do_not_follow_rows_threads_zone_or_locale(tmp_path, monkeypatch):
    spec = DataSpec("d", "csv", COLUMNS)
    first = counted(as_csv(tmp_path / "a.csv", ROWS), spec, threads=1)
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    time.tzset()
    try:
        other = counted(as_csv(tmp_path / "b.csv", ROWS[::-1]), spec, threads=7)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (first.columns, first.rules) == (other.columns, other.rules)


def test_progress__columns_done_of_columns(tmp_path):
    said: list[tuple[int, int]] = []
    counted(as_csv(tmp_path / "a.csv", ROWS), DataSpec("d", "csv"), progress=lambda done, of: said.append((done, of)))
    assert said == [(place, 4) for place in range(5)]
