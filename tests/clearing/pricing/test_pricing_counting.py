"""Counting real and hostile files: integers that an independent reading of the same file confirms."""

import csv
import hashlib
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from pricing_cases import AS_OF, HOURLY_DATA, changed, example, flights_csv, flights_folder, hourly_csv

from clearing.pricing import information
from clearing.pricing.counting import count
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import read_input
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec, Dialect, equal_width_edges
from clearing.pricing.quality import Rule
from clearing.pricing.trial import trial_price
from ledger.reading import body_of

RULES = (
    Rule("null", "null_ratio", "completeness", "1", ("x",)),
    Rule("type", "type", "normativity", "0.5", ("x",)),
    Rule("form", "format_regex", "normativity", "0.5", ("k",), {"pattern": "[a-z][0-9]"}),
    Rule("code", "code_list", "accuracy", "0.25", ("k",), {"values": ["a1", "b2"]}),
    Rule("range", "range", "accuracy", "0.25", ("x",), {"low": "0", "high": "10"}),
    Rule("key", "unique_key", "accuracy", "0.25", ("k", "t")),
    Rule("rows", "duplicate_rows", "accuracy", "0.25"),
    Rule("size", "record_count", "completeness", "1", (), {"expected": 10}),
    Rule("cross", "cross_field", "consistency", "1", (), {"expression": {
        "op": "or", "terms": [{"op": "lt", "left": "x", "right": "5"}, {"op": "eq", "left": "k", "right": "b2"}]}}),
    Rule("fresh", "freshness", "timeliness", "1", ("t",), {"max_age_s": 86400}),
)  # fmt: skip
COLUMNS = (
    ColumnSpec("k", "text", "categorical"),
    ColumnSpec("x", "decimal", "continuous"),
    ColumnSpec("t", "timestamp", "timestamp"),
)
NOW = 1357034400  # 2013-01-01T10:00:00Z
TEXT = """k,x,t
a1,1.50,2013-01-01T10:00:00Z
a1,1.5,2013-01-01 18:00:00
b2,,2013-01-01T09:59:59Z
b2,1e1,2013-01-01T10:00:01Z
"c,3",10,2012-12-31T10:00:00+00:00
NA,-0.1,not a time
a1,1.50,2013-01-01T10:00:00Z
"""


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def spec(**other: object) -> DataSpec:
    values = {"name": "a", "format": "csv", "columns": COLUMNS, "rules": RULES, "dialect": Dialect(nulls=("NA",))}
    return DataSpec(**(values | other))


def counted(path: Path, spec_: DataSpec | None = None, **other: object) -> Counted:
    return count(path, spec_ or spec(), bins=4, calendar="hour", as_of=NOW, **other)


def test_rules__hand_counted_table(tmp_path):
    found = {item.rule.id: (item.applicable, item.passed) for item in counted(write(tmp_path, TEXT)).rules}
    assert found == {
        "null": (7, 6),
        "type": (6, 5),  # 1e1 is not a decimal here
        "form": (6, 5),  # "c,3" is not
        "code": (6, 5),
        "range": (6, 4),  # 1e1 is no number, −0.1 is below
        "key": (6, 5),  # the last row repeats the first; keys are compared as written
        "rows": (7, 6),
        "size": (10, 7),
        "cross": (7, 6),
        "fresh": (7, 5),  # the future and "not a time" fail; exactly one day old passes
    }


def test_columns__hand_counted_table(tmp_path):
    k, x, t = counted(write(tmp_path, TEXT)).columns
    assert (k.nulls, k.invalid, k.distinct, k.profile) == (1, 0, 3, ((3, 1), (2, 1), (1, 1)))
    assert (x.nulls, x.invalid, x.distinct) == (1, 1, 2)
    assert x.binning is not None
    assert x.binning.edges[0] == "-0.100000000000000000"
    assert x.profile == ((4, 1), (1, 1)), "three 1.5 and −0.1 in the first bin, 10 in the last"
    assert (t.nulls, t.invalid, t.distinct, t.profile) == (0, 1, 3, ((4, 1), (1, 2)))


def test_counting__shuffled_rows_and_threads__same_counts(tmp_path):
    head, *rows = TEXT.strip().split("\n")
    one = counted(write(tmp_path, TEXT))
    other = counted(write(tmp_path, "\n".join([head, *reversed(rows)]) + "\n"))
    assert (one.rules, one.columns) == (other.rules, other.columns)
    assert one.manifest.digest != other.manifest.digest


def test_counting__csv_and_parquet__same_counts(tmp_path):
    path = write(tmp_path, TEXT)
    target = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT k, x, t FROM read_csv('{path}', all_varchar=true, nullstr=['', 'NA'])) "
            f"TO '{target}' (FORMAT parquet)"
        )
    one, other = counted(path), counted(target, spec(format="parquet"))
    assert (one.rules, one.columns) == (other.rules, other.columns)


def test_counting__parquet_doubles__nan_is_null_and_negative_zero_is_zero(tmp_path):
    target = tmp_path / "d.parquet"
    with duckdb.connect() as connection:
        values = "(0.1::DOUBLE), (0.1), ('NaN'), (NULL), (-0.0), (0.0), (1e-5)"
        connection.execute(f"COPY (SELECT * FROM (VALUES {values}) v(x)) TO '{target}' (FORMAT parquet)")
    (x,) = counted(target, DataSpec("d", "parquet", (ColumnSpec("x", "decimal", "discrete"),))).columns
    assert (x.nulls, x.invalid, x.profile) == (2, 0, ((2, 2), (1, 1)))


def test_bins__edges_are_closed_below_and_the_last_also_above(tmp_path):
    path = write(tmp_path, "v\n0\n1\n2\n3\n4\n")
    (v,) = counted(path, DataSpec("v", "csv", (ColumnSpec("v", "integer", "continuous"),))).columns
    assert v.profile == ((2, 1), (1, 3)), "0 | 1 | 2 | 3 and 4"
    fixed = DataSpec("v", "csv", (ColumnSpec("v", "integer", "continuous", ("1", "2", "3")),))
    (v,) = counted(path, fixed).columns
    assert v.profile == ((2, 1), (1, 3)), "below | [1,2) | [2,3] | above"
    assert equal_width_edges(Decimal(7), Decimal(7), 64) == ("7.000000000000000000",) * 2


def test_counting__undeclared_columns__are_inferred_once_and_said(tmp_path):
    path = write(tmp_path, "n,d,w,s,zip\n1,1.5,2013-01-01,a,001\n2,2,2013-01-02,b,002\n")
    found = counted(path, DataSpec("i", "csv"))
    assert [(c.name, c.kind, c.inferred) for c in found.columns] == [
        ("n", "discrete", True),
        ("d", "continuous", True),
        ("w", "timestamp", True),
        ("s", "categorical", True),
        ("zip", "categorical", True),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "INPUT_FORM"),
        ("k,x,t\n", "NO_DISTRIBUTION"),
        ("k,x,x\n1,2,3\n", "INPUT_FORM"),
        ("k,x\n1,2\n", "INPUT_FORM"),
        ("k,x,t\n1,2\n", "INPUT_FORM"),
        ("k,x,t\n1,2,3,4\n", "INPUT_FORM"),
        ("k,x,t\n名,2,3\n".encode("gb18030"), "INPUT_FORM"),
        (b"\x00\xff\xfe", "INPUT_FORM"),
    ],
    ids=["empty", "header", "twice", "missing", "short", "long", "gb18030", "binary"],
)
def test_counting__hostile_file__is_refused_without_the_path(tmp_path, text, code):
    with pytest.raises(PricingRefused) as caught:
        counted(write(tmp_path, text))
    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("r", "format_regex", "accuracy", "1", ("k",), {"pattern": r"\d+"}),
        Rule("r", "format_regex", "accuracy", "1", ("k",), {"pattern": "["}),
        Rule("r", "format_regex", "accuracy", "1", ("k",)),
        Rule("r", "null_ratio", "accuracy", "1", ("nope",)),
        Rule("r", "null_ratio", "accuracy", "1", ("k", "x")),
        Rule("r", "range", "accuracy", "1", ("x",), {"low": "0); DROP TABLE t; --", "high": "1"}),
        Rule("r", "freshness", "accuracy", "1", ("k",), {"max_age_s": 1}),
        Rule("r", "cross_field", "accuracy", "1", (), {"expression": {"op": "sql", "text": "1=1"}}),
        Rule(
            "r", "cross_field", "accuracy", "1", (),
            {"expression": {"op": "lt", "left": "k", "right": {"column": "x"}}},
        ),
        Rule("r", "code_list", "accuracy", "1", ("k",), {"values": []}),
    ],
    ids=lambda rule: f"{rule.kind}-{rule.parameters}"[:40],
)  # fmt: skip
def test_rule__that_does_not_fit__is_refused(tmp_path, rule):
    with pytest.raises(PricingRefused, match="INPUT_FORM"):
        counted(write(tmp_path, TEXT), spec(rules=(rule,)))


def test_rule__quotes_in_values_and_names__are_data(tmp_path):
    path = write(tmp_path, '"a""b\'c"\nx\'y\n')
    rule = Rule("r", "code_list", "accuracy", "1", ("a\"b'c",), {"values": ["x'y"]})
    found = counted(path, DataSpec("q", "csv", (), (rule,)))
    assert (found.rules[0].applicable, found.rules[0].passed) == (1, 1)


def test_counting__declared_digest_and_rows__must_hold(tmp_path):
    path = write(tmp_path, TEXT)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert counted(path, spec(rows=7, sha256=digest)).manifest.digest.sha256 == digest
    for wrong in ({"rows": 8}, {"sha256": "0" * 64}):
        with pytest.raises(PricingRefused, match="INPUT_FORM"):
            counted(path, spec(**wrong))


def test_counting__three_hundred_columns__are_counted(tmp_path):
    names = ",".join(f"c{i}" for i in range(300))
    path = write(tmp_path, f"{names}\n{','.join('1' * 300)}\n")
    found = counted(path, DataSpec("wide", "csv", tuple(ColumnSpec(f"c{i}", "integer") for i in range(300))))
    assert len(found.columns) == 300


@pytest.fixture(scope="module")
def flights(tmp_path_factory) -> Path:
    return flights_csv(tmp_path_factory.mktemp("flights"))


def test_flights__every_profile__equals_a_count_by_hand(flights):
    columns = (
        ColumnSpec("dep_delay", "integer", "discrete"),
        ColumnSpec("carrier", "text", "categorical"),
        ColumnSpec("tailnum", "text", "identifier"),
        ColumnSpec("time_hour", "timestamp", "timestamp"),
    )
    rules = (
        Rule("null", "null_ratio", "completeness", "1", ("dep_delay",)),
        Rule("key", "unique_key", "accuracy", "1", ("year", "month", "day", "carrier", "flight", "origin")),
    )
    found = counted(flights, DataSpec("flights", "csv", columns, rules, dialect=Dialect(nulls=("NA",))))
    assert found.manifest.rows == 336776
    assert len(found.columns) == 19
    with flights.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_name = {column.name: column for column in found.columns}
    for name in ("dep_delay", "carrier", "tailnum", "distance", "time_hour"):
        values = Counter(row[name] for row in rows)
        values.pop("NA", None)
        expected = Counter(values.values())
        assert by_name[name].profile == tuple(sorted(expected.items(), reverse=True)), name
    assert (found.rules[0].applicable, found.rules[0].passed) == (336776, 336776 - 8255)
    assert found.rules[1].applicable == found.rules[1].passed == 336776
    admission = information.admit(found.columns, Decimal("0.9"))
    assert ("tailnum", "identifier") in admission.excluded


def test_flights__the_demonstration_element__is_priced_from_its_file(flights, tmp_path):
    path = hourly_csv(flights, tmp_path / "hourly.csv")
    document = changed(example(), "/counted", ...)
    document["data"] = HOURLY_DATA | {"path": "hourly.csv"}
    answer = trial_price(document, tmp_path)
    report = answer["report"]
    assert report["inputs"]["volume"]["value"] == len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert report["intermediate"]["grade"] == "A"
    assert report["result"]["guide_fen"] > 0
    again = changed(document, "/data", ...) | {"counted": answer["evidence"]["counted"]}
    assert trial_price(again)["report"] == report, "file or its counts: the same report"
    shuffled = path.read_text(encoding="utf-8").splitlines()
    (tmp_path / "hourly.csv").write_text("\n".join([shuffled[0], *sorted(shuffled[1:], reverse=True)]) + "\n")
    other = trial_price(document, tmp_path)["report"]
    assert other["intermediate"] == report["intermediate"]
    assert other["result"] == report["result"]


@pytest.mark.parametrize("name", ["planes.csv", "weather.csv"])
def test_other_real_tables__are_counted_and_measured(name):
    found = counted(flights_folder() / name, DataSpec(name, "csv", dialect=Dialect(nulls=("NA",))))
    admission = information.admit(found.columns, Decimal("0.9"))
    measured = information.measure(admission.admitted, "drop")
    assert all(0 <= column.entropy <= column.maximum + Decimal("1E-12") for column in measured)
    if name == "planes.csv":
        assert ("tailnum", "identifier_like") in admission.excluded


def test_counted__document__reads_back():
    document = example()["counted"]
    assert body_of(read_input(Counted, document, "counted")) == document
    assert AS_OF > NOW
