"""columns.joint@1: the tuples of the admitted columns, from the file to the price, against a reading of its own."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb
import pricing_oracle as oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pricing_cases import AS_OF, case_of, changed, example, leaves, penguins_csv

from clearing.pricing import policies, tuple_counting
from clearing.pricing.arithmetic import recorded
from clearing.pricing.counting import count
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import TupleCounts, TupleRule, admit, joint, measure
from clearing.pricing.inputs import read_input
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec
from clearing.pricing.policy import choose, read_policy
from clearing.pricing.price_report import from_evidence, verify
from clearing.pricing.repricing import reprice
from clearing.pricing.trial import evaluated, price_case, recount
from ledger import canonical
from ledger.reading import body_of
from tests.counts import few

SOME = settings(max_examples=few(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JOINT = {"id": "demo.civil-aviation.element-joint", "version": 1}
COLUMNS = (
    ColumnSpec("k", "text", "categorical"),
    ColumnSpec("x", "decimal", "continuous", ("0", "1", "2")),
    ColumnSpec("t", "timestamp", "timestamp"),
    ColumnSpec("id", "text", "identifier"),
)
EVERY = TupleRule(Decimal(1), "drop")
Row = tuple[str, str, str]
CELLS = st.tuples(
    st.sampled_from(["a", "b", "é", ""]),
    st.sampled_from(["0", "0.0", "0.5", "1", "1.5", "2", "7", "-3", "1e0", ""]),
    st.sampled_from(["2013-01-01T10:00:00Z", "2013-01-01 18:30:00", "2013-01-01T11:00:00Z", "no time", ""]),
)
FULL = st.tuples(
    st.sampled_from(["a", "b", "é"]), st.sampled_from(["0", "0.5", "1", "2", "7", "-3"]),
    st.sampled_from(["2013-01-01T10:00:00Z", "2013-01-01 18:30:00", "2013-01-01T11:00:00Z"]),
)  # fmt: skip
TABLES = st.lists(CELLS, min_size=1, max_size=12)
OTHER = dict(zip("abé", "bca", strict=True))
"""The values of k under other names."""


def as_csv(path: Path, rows: Sequence[Sequence[str]], head: Sequence[str] = ("k", "x", "t", "id")) -> Path:
    """The rows, each with a number of its own in the last column."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows((*row, f"r{place}") for place, row in enumerate(rows))
    return path


def counted(path: Path, rule: TupleRule | None = EVERY, format_: str = "csv", **other: object) -> Counted:
    return count(path, DataSpec("d", format_, COLUMNS), bins=4, calendar="hour", as_of=AS_OF, tuples=rule, **other)


def categories(row: Row, nulls: str) -> tuple[object, ...] | None:
    """The tuple of one row, read by hand: fixed bins below, [0,1), [1,2] and above; hours of UTC; None without one."""
    k, x, t = row
    if "" in row and nulls == "drop":
        return None
    if x == "1e0" or t == "no time":
        return None
    number = None if x == "" else Fraction(x)
    bin_ = None if number is None else sum((number >= 0, number >= 1, number > 2))
    hour = {"": None, "2013-01-01T11:00:00Z": 11}.get(t, 10)
    return (k or None, bin_, hour)


def profile_of(values: Sequence[object]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(Counter(Counter(values).values()).items(), reverse=True))


def tuples(found: Counted) -> TupleCounts:
    assert found.tuples is not None
    return found.tuples


# counting -------------------------------------------------------------------------------------------------------------


@SOME
@given(TABLES, st.sampled_from(["drop", "as_value"]), st.sampled_from([1, 2, 24]))
def test_tuples__as_counted_by_hand__csv_and_parquet_at_once_and_step_by_step(tmp_path, drawn, nulls, at_once):
    rows = [("a", "0", "2013-01-01T10:00:00Z"), *drawn]  # no column without a value
    path, rule = as_csv(tmp_path / "d.csv", rows), TupleRule(Decimal(1), nulls)
    expected = [found for row in rows if (found := categories(row, nulls)) is not None]
    target = tmp_path / "d.parquet"
    with duckdb.connect() as connection:
        source = f"read_csv('{path}', all_varchar=true, header=true, delim=',', quote='\"', escape='\"')"
        connection.execute(f"COPY (SELECT * FROM {source}) TO '{target}' (FORMAT parquet)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuple_counting, "AT_ONCE", at_once)
        one, other = tuples(counted(path, rule)), tuples(counted(target, rule, "parquet", threads=3))
    assert one == other
    assert one.columns == ("k", "x", "t"), "an identifier is no part of a tuple"
    assert (one.rows, one.rows - one.left_out, one.distinct) == (len(rows), len(expected), len(set(expected)))
    assert one.profile == profile_of(expected)


@SOME
@given(st.lists(FULL, min_size=1, max_size=12), st.randoms(use_true_random=False), st.integers(1, 4))
def test_joint__between_the_greatest_and_the_sum__as_the_oracle__and_moved_by_nothing_it_should_not_see(
    tmp_path, drawn, random, times
):
    found = counted(as_csv(tmp_path / "d.csv", drawn))
    entropy, maximum = joint(tuples(found).profile, Decimal(1))
    expected = Counter(categories(row, "drop") for row in drawn)
    assert recorded(entropy) == oracle.text(oracle.entropy(list(expected.values())))
    assert recorded(maximum) == oracle.text(oracle.ln(Fraction(len(expected))) / oracle.LN2)
    single = [
        Fraction(recorded(column.entropy)) for column in measure(admit(found.columns, Decimal(1)).admitted, "drop")
    ]
    last = Fraction(len(single), 10**12)
    assert max(single) - last <= Fraction(recorded(entropy)) <= sum(single) + last
    others = [(OTHER[k], x, t) for k, x, t in drawn] * times
    random.shuffle(others)
    assert joint(tuples(counted(as_csv(tmp_path / "e.csv", others))).profile, Decimal(1)) == (entropy, maximum)
    path = as_csv(tmp_path / "f.csv", [("same", *row) for row in drawn], ("constant", "k", "x", "t", "id"))
    assert tuples(counted(path)).columns == ("constant", "k", "x", "t")
    assert joint(tuples(counted(path)).profile, Decimal(1)) == (entropy, maximum)


def test_joint__threshold_itself_passes__above_it_is_refused_by_its_own_code():
    profile = ((2, 1), (1, 8))
    assert joint(profile, Decimal("0.9"))[1] > 3
    with pytest.raises(PricingRefused) as caught:
        joint(profile, Decimal("0.899999999999999999"))
    assert (caught.value.code, caught.value.field) == ("TUPLES_UNIQUE", "counted.tuples.distinct")
    assert caught.value.given == "9"
    with pytest.raises(PricingRefused, match="NO_DISTRIBUTION"):
        joint((), Decimal(1))


def test_tuples__unasked__are_not_counted_and_leave_no_trace(tmp_path):
    path = as_csv(tmp_path / "d.csv", [("a", "1", "2013-01-01T10:00:00Z")] * 3)
    plain, full = counted(path, None), counted(path)
    assert "tuples" not in body_of(plain)
    assert replace(full, tuples=None) == plain
    assert read_input(Counted, body_of(full), "counted") == full


# pricing --------------------------------------------------------------------------------------------------------------


def birds(folder: Path, *, swapped: bool = False) -> Path:
    """Species, island, sex and year of the penguins. `swapped`: two birds have changed their islands."""
    with penguins_csv().open(encoding="utf-8", newline="") as file:
        rows = [[row[name] for name in ("species", "island", "sex", "year")] for row in csv.DictReader(file)]
    if swapped:
        assert (rows[0][1], rows[343][1]) == ("Torgersen", "Dream")
        rows[0][1], rows[343][1] = rows[343][1], rows[0][1]
    path = folder / "birds.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("species", "island", "sex", "year"), *rows])
    return path


def asked(path: Path, policy: object = JOINT) -> dict:
    """The case by the joint policy, or another; NA is no value, as the sex of eleven birds."""
    return changed(case_of(path), "/data/dialect/nulls", ["NA"]) | {"policy": policy}


def test_real_birds__joint_entropy_is_that_of_the_oracle__verified_and_counted_alike(tmp_path):
    path = birds(tmp_path)
    made = price_case(asked(path), tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    kept = Counter(row for row in rows if "NA" not in row)
    document = made.document
    assert document["intermediate"]["E"] == oracle.text(oracle.entropy(list(kept.values())))
    assert document["inputs"]["tuples"]["distinct"] == len(kept)
    assert document["inputs"]["tuples"]["left_out"] == len(rows) - kept.total() > 0
    assert set(document["inputs"]["tuples"]["profile"]) == {"sha256", "sm3"}, "frequencies stay in the evidence"
    assert [column["name"] for column in document["intermediate"]["columns"]] == ["species", "island", "sex", "year"]
    verdict = verify(made.data, made.evidence)
    assert (verdict.equal, verdict.policy) == (True, "published")
    assert recount(made.evidence, path) is None
    assert price_case(asked(path), tmp_path).data == made.data
    assert from_evidence(made.evidence).data == made.data
    assert evaluated(asked(path), tmp_path).document["result"]["grade"] == document["intermediate"]["grade"]


def test_recount__two_cells_of_a_column_changed_places__seen_in_the_tuples_alone(tmp_path):
    documents = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        documents.append(asked(birds(tmp_path / name, swapped=name == "other")))
    one, other = (price_case(item, tmp_path / name) for item, name in zip(documents, ("one", "other"), strict=True))
    before, after = (canonical.decode(made.evidence)["counted"] for made in (one, other))
    assert before["columns"] == after["columns"]
    assert before["tuples"] != after["tuples"]
    assert before["manifest"]["size"] == after["manifest"]["size"]
    by_mean = [price_case(item | {"policy": {"id": "demo.civil-aviation.element", "version": 1}}, tmp_path / name)
               for item, name in zip(documents, ("one", "other"), strict=True)]  # fmt: skip
    assert by_mean[0].document["intermediate"] == by_mean[1].document["intermediate"]
    assert one.document["intermediate"]["E"] != other.document["intermediate"]["E"]
    evidence = canonical.decode(one.evidence)
    forged = canonical.encode(changed(evidence, "/counted/manifest/digest", after["manifest"]["digest"]))
    assert verify(from_evidence(forged).data, forged).equal, "nothing in the evidence contradicts it"
    found = recount(forged, tmp_path / "other" / "birds.csv")
    assert found is not None
    assert found[0].startswith("/tuples/")


def test_verify__any_number_of_the_tuples_changed_in_the_evidence__the_report_no_longer_follows(tmp_path):
    made = price_case(asked(birds(tmp_path)), tmp_path)
    evidence = canonical.decode(made.evidence)
    pointers = [(at, value) for at, value in leaves(evidence) if at.startswith("/counted/tuples/")]
    assert len(pointers) > 20
    for pointer, value in pointers:
        other = value + 1 if isinstance(value, int) else {"drop": "as_value"}.get(value, value + "x")
        verdict = verify(made.data, canonical.encode(changed(evidence, pointer, other)))
        assert (verdict.equal, verdict.where) == (False, "evidence"), pointer
        assert "counted.tuples" in verdict.given
    # Another distribution that is in itself sound: the first thing the report says of it is its digest.
    profile = evidence["counted"]["tuples"]["profile"]
    (c, m), total = profile[0], evidence["counted"]["tuples"]["distinct"]
    moved = changed(evidence, "/counted/tuples/profile", [[c + 1, 1], *([[c, m - 1]] if m > 1 else []), *profile[1:]])
    moved["counted"]["tuples"]["left_out"] -= 1
    assert sum(item[1] for item in moved["counted"]["tuples"]["profile"]) == total
    verdict = verify(made.data, canonical.encode(moved))
    assert (verdict.equal, verdict.where) == (False, "report")
    assert verdict.pointer.startswith("/inputs/tuples/")


def code_of(document: dict, folder: Path) -> tuple[str, str]:
    with pytest.raises(PricingRefused) as caught:
        price_case(document, folder)
    assert "应为" in caught.value.zh
    assert "expected" in caught.value.en
    return caught.value.code, caught.value.field


def test_refusal__every_row_another_tuple__missing_unasked_or_other_tuples(tmp_path):
    assert code_of(asked(penguins_csv()), penguins_csv().parent) == ("TUPLES_UNIQUE", "counted.tuples.distinct")
    made = price_case(asked(birds(tmp_path)), tmp_path)
    bare = {"request": asked(birds(tmp_path))["request"], "policy": JOINT}
    full = bare | {"counted": canonical.decode(made.evidence)["counted"]}
    assert price_case(full).data == made.data, "file or its counts: the same report"
    assert code_of(changed(full, "/counted/tuples", ...), tmp_path) == ("INPUT_FORM", "counted.tuples")
    mean = {"id": "demo.civil-aviation.element", "version": 1}
    assert code_of(full | {"policy": mean}, tmp_path) == ("INPUT_FORM", "counted.tuples")
    fewer = changed(full, "/counted/tuples/columns/0", ...)
    assert code_of(fewer, tmp_path) == ("METHOD_NOT_ALLOWED", "counted.tuples.columns")
    assert code_of(changed(full, "/counted/tuples/nulls", "as_value"), tmp_path)[1] == "counted.tuples.nulls"
    more = changed(full, "/counted/tuples/rows", 345)
    assert code_of(more, tmp_path) == ("INPUT_FORM", "counted.tuples.rows")
    assert code_of(changed(full, "/counted/tuples/left_out", 345), tmp_path)[1] == "counted.tuples.profile"


def test_refusal__no_row_in_which_every_column_has_a_value(tmp_path):
    path = tmp_path / "halves.csv"
    path.write_text("a,b\n" + "x,\ny,\n,1\n,2\n" * 50, encoding="utf-8")
    assert code_of(asked(path), tmp_path) == ("NO_DISTRIBUTION", "counted.tuples")
    own = policies.POLICIES[3].document() | {"id": "own"}
    own["constants"] = own["constants"] | {"nulls": "as_value"}
    made = price_case(asked(path, own), tmp_path)
    assert made.document["intermediate"]["E"] == "2.000000000000"
    assert verify(made.data, made.evidence).policy == "unpublished"


@pytest.mark.parametrize("column", range(4))
def test_rows__a_column_that_has_more_cells_than_the_manifest_has_rows__refused_by_its_name(column):
    document = example()
    name = document["counted"]["columns"][column]["name"]
    more = changed(document, f"/counted/columns/{column}/rows", 1001)
    more["counted"]["columns"][column]["nulls"] += 1
    with pytest.raises(PricingRefused) as caught:
        price_case(more)
    assert (caught.value.code, caught.value.field) == ("INPUT_FORM", f"counted.columns.{name}.rows")
    made = price_case(document)
    evidence = canonical.decode(made.evidence)
    verdict = verify(made.data, canonical.encode(evidence | {"counted": more["counted"]}))
    assert (verdict.equal, verdict.where) == (False, "evidence")
    assert f"counted.columns.{name}.rows" in verdict.given


# policies -------------------------------------------------------------------------------------------------------------


def test_choose__the_joint_policy_is_there_by_name_and_chosen_for_nobody():
    found = {policy.stage: policy.id for stage in ("resource", "element", "product")
             for policy in [choose(policies.POLICIES, policies.DEMO_DOMAIN, stage, AS_OF)]}  # fmt: skip
    assert found == {stage: f"demo.civil-aviation.{stage}" for stage in found}
    joint_policy = policies.published(id_=JOINT["id"], version=1)
    assert joint_policy is not None
    assert joint_policy.strategies["columns"] == "columns.joint@1"
    assert joint_policy.mark == "演示"


LATER = {"report_id": "f" * 32, "as_of": AS_OF + 86400, "valid_until": AS_OF + 10 * 86400}


def test_reprice__to_each_column_by_itself__the_tuples_are_let_go__and_not_the_other_way(tmp_path):
    path = birds(tmp_path)
    first = price_case(asked(path), tmp_path)
    mean = policies.POLICIES[1]
    again = reprice(first.evidence, mean, **LATER)
    question = asked(path, {"id": mean.id, "version": 1})
    question["request"] |= LATER | {"sensitivity": False}
    assert again.data == price_case(question, tmp_path).data
    assert verify(again.data, again.evidence).equal
    assert recount(again.evidence, path) is None
    same = reprice(first.evidence, policies.POLICIES[3], **LATER)
    assert same.document["intermediate"]["E"] == first.document["intermediate"]["E"]
    assert verify(same.data, same.evidence).equal
    with pytest.raises(PricingRefused) as caught:
        reprice(again.evidence, policies.POLICIES[3], **LATER)
    assert (caught.value.code, caught.value.field) == ("INPUT_FORM", "counted.tuples")
    other = policies.POLICIES[3].document()
    other["constants"] = other["constants"] | {"nulls": "as_value"}
    with pytest.raises(PricingRefused, match="METHOD_NOT_ALLOWED"):
        reprice(first.evidence, read_policy(other), **LATER)
