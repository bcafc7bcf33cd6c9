"""Pricing §14 from outside: properties of whole prices and of counted files, each against a reading of its own."""

import ast
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import duckdb
import pricing_oracle as oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pricing_cases import (
    AS_OF,
    CAP,
    EXCLUDED_TRADES,
    ROOT,
    case_of,
    changed,
    clinic_csv,
    digits_csv,
    example,
    flights_csv,
    leaves,
    penguins_csv,
    trade,
)
from test_pricing_formulas import _column, _method, figures, profiles

from clearing.pricing import information, policies, sensitivity
from clearing.pricing.arithmetic import CONTEXT, ZERO, recorded
from clearing.pricing.counting import count
from clearing.pricing.declaring import declare
from clearing.pricing.element_price import STRATEGIES, evaluate
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import admit, mean, measure
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec
from clearing.pricing.price_report import from_evidence, verify
from clearing.pricing.quality import DIMENSIONS, Rule
from clearing.pricing.trial import price_case
from ledger import canonical
from tests.counts import few

SOME = settings(max_examples=few(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
THRESHOLD = Decimal("0.9")


@pytest.fixture(autouse=True, scope="module")
def _working_precision():
    """Comparisons in this file need 50 digits too."""
    with localcontext(CONTEXT):
        yield


def report(document: dict) -> dict:
    return price_case(document).document


# 1, 2: bounds and monotone, from the question to the price in fen ----------------------------------------------------

GROWING = {
    "/counted/manifest/rows": 10**12, "/request/costs/0/amount_fen": 10**12, "/request/costs/2/amount_fen": 10**12,
    **{f"/counted/rules/{place}/passed": top for place, top in enumerate((980, 1000, 1000, 980, 1000, 1000))},
}  # fmt: skip
RISING = ("V", "Q", "I", "value_fen", "g", "P1", "assessment", "P2")


def grown(pointer: str, value: int) -> dict:
    """The example with the value there; more rows are rows with nothing in them."""
    if pointer != "/counted/manifest/rows":
        return changed(example(), pointer, value)
    document = changed(example(), pointer, 1000 + value)
    for column in document["counted"]["columns"]:
        column["nulls"], column["rows"] = column["nulls"] + value, column["rows"] + value
    return document


@pytest.mark.parametrize("pointer", GROWING)
@SOME
@given(st.data())
def test_price__volume_each_quality_dimension_or_a_cost_grows__nothing_falls(pointer, data):
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, GROWING[pointer])] * 2)))
    one, other = (report(grown(pointer, value)) for value in (low, high))
    for name in RISING:
        assert Decimal(one["intermediate"][name]) <= Decimal(other["intermediate"][name]), name
    for name in ("guide_fen", "agreed_guide_fen", "bidding_guide_fen"):
        assert one["result"][name] <= other["result"][name], name
    for said in (one["intermediate"], other["intermediate"]):
        assert Fraction(1, 2) <= Fraction(said["V"]) <= 1
        assert 0 <= Fraction(said["Q"]) <= 1
        assert Fraction(said["I"]) >= 0
        assert 0 <= Fraction(said["E"]) <= Fraction(said["L"])


@SOME
@given(figures(), st.integers(0, 5), st.integers(0, 10**9))
def test_model__any_of_six_scores_or_part_of_the_entropy_grows__no_price_falls(base, index, part):
    raised = base.scores[index] + (1 - base.scores[index]) * part / 10**9
    scores = (*base.scores[:index], raised, *base.scores[index + 1 :])
    entropy = base.entropy + (base.maximum - base.entropy) * part / 10**9
    before = evaluate(_method(), base)
    for after in (
        evaluate(_method(), replace(base, scores=scores)), evaluate(_method(), replace(base, entropy=entropy)),
    ):  # fmt: skip
        for slot in ("quality", "information", "joint", "agreed", "assessment", "bidding"):
            assert getattr(after, slot) >= getattr(before, slot), slot


# 4: money scaling -----------------------------------------------------------------------------------------------------


@SOME
@given(figures(), st.integers(0, 4), st.integers(1, 1000), st.sampled_from(["joint.linear@1", "joint.cost_plus@1"]))
def test_money_scaling__powers_of_ten_exact__other_multiples_within_as_many_fen(base, power, k, joint):
    def priced(times: int) -> Decimal:
        history = None if base.history_fen is None else base.history_fen * times
        money = {name: getattr(base, name) * times for name in ("unit_value_fen", "data_cost_fen", "model_cost_fen")}
        last = evaluate(_method(joint), replace(base, **money, history_fen=history)).bidding
        assert last is not None
        return last

    one = priced(1)
    assert priced(10**power) == one * 10**power
    rounded = STRATEGIES["round.half_up_fen@1"].function
    if one * k < 10**15:
        assert abs(rounded(priced(k)) - k * rounded(one)) <= k


# 5, 17: entropy and rules of a file -----------------------------------------------------------------------------------

WORDS = ("a1", "b2", "c3", "zz", "A1", "a1\n", "é", "１", "")
NUMBERS = (
    "0", "1.50", "1.5", "5", "4.999999999999999999", "10", "10.000000000000000001", "-0.1", " 1", "1e0", "0x1F",
    "1_000", "01", "+1", "١", ".5", "",
)  # fmt: skip
TIMES = (
    "2013-01-01T10:00:00Z", "2013-01-01 18:00:00", "2013-01-01T09:59:59.5+00", "2013-01-01T10:00:01Z",
    "2012-12-31T10:00:00+00:00", "2012-12-31 17:59:59", "2013-02-30T00:00:00Z", "2013-01-01", "not a time", "",
)  # fmt: skip
NOW = 1357034400  # 2013-01-01T10:00:00Z
RULES = (
    Rule("null", "null_ratio", "completeness", "1", ("x",)),
    Rule("size", "record_count", "completeness", "1", (), {"expected": 5000}),
    Rule("form", "format_regex", "normativity", "1", ("k",), {"pattern": "[a-z][0-9]"}),
    Rule("type", "type", "normativity", "1", ("x",)),
    Rule("when", "type", "normativity", "1", ("t",)),
    Rule("code", "code_list", "accuracy", "1", ("k",), {"values": ["a1", "b2", "é"]}),
    Rule("range", "range", "accuracy", "1", ("x",), {"low": "0", "high": "10"}),
    Rule("key", "unique_key", "accuracy", "1", ("k", "t")),
    Rule("rows", "duplicate_rows", "accuracy", "1"),
    Rule("cross", "cross_field", "consistency", "1", (), {"expression": {
        "op": "or", "terms": [{"op": "lt", "left": "x", "right": "5"},
                              {"op": "not", "term": {"op": "eq", "left": "k", "right": "b2"}}]}}),
    Rule("fresh", "freshness", "timeliness", "1", ("t",), {"max_age_s": 86400}),
    Rule("told", "reported", "accessibility", "1", (), {"applicable": 7, "passed": 5, "source": "x"}),
)  # fmt: skip
COLUMNS = (ColumnSpec("k", "text", "categorical"), ColumnSpec("x", "decimal", "discrete"),
           ColumnSpec("t", "timestamp", "timestamp"))  # fmt: skip
Row = tuple[str, str, str]


def number_of(text: str) -> Fraction | None:
    whole = re.fullmatch(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?", text, re.ASCII)
    return Fraction(text) if whole else None


def time_of(text: str) -> Fraction | None:
    """Seconds UTC; a time without offset is Chinese standard time."""
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:", text):
        return None
    try:
        value = datetime.fromisoformat(text.replace(".5", ".500"))
    except ValueError:
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone(timedelta(hours=8)))
    return Fraction((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), 10**6)


def either(one: bool | None, other: bool | None) -> bool | None:
    """OR of three values."""
    return True if one or other else (None if None in (one, other) else False)


def by_hand(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Every rule in plain Python: nothing of it is shared with what is tested."""
    total = len(rows)
    k, x, t = ([cell for cell in column if cell] for column in zip(*rows, strict=True))
    numbers, times = [number_of(cell) for cell in x], [time_of(cell) for cell in t]
    keys = [(a, c) for a, _, c in rows if a and c]
    crossed = []
    for a, b, _ in rows:
        found = number_of(b) if b else None
        crossed.append(either(None if found is None else found < 5, None if not a else a != "b2"))
    return {
        "null": (total, len(x)),
        "size": (5000, min(5000, total)),
        "form": (len(k), sum(re.fullmatch("[a-z][0-9]", cell) is not None for cell in k)),
        "type": (len(x), sum(found is not None for found in numbers)),
        "when": (len(t), sum(found is not None for found in times)),
        "code": (len(k), sum(cell in ("a1", "b2", "é") for cell in k)),
        "range": (len(x), sum(found is not None and 0 <= found <= 10 for found in numbers)),
        "key": (len(keys), len(set(keys))),
        "rows": (total, len(set(rows))),
        "cross": (sum(found is not None for found in crossed), sum(found is True for found in crossed)),
        "fresh": (len(t), sum(found is not None and 0 <= NOW - found <= 86400 for found in times)),
        "told": (7, 5),
    }


def profile_of(values: Sequence[object]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(Counter(Counter(values).values()).items(), reverse=True))


def as_csv(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow("kxt")
        writer.writerows(rows)
    return path


def counted(path: Path, format_: str = "csv", rules: tuple[Rule, ...] = RULES, **other: object) -> Counted:
    return count(path, DataSpec("d", format_, COLUMNS, rules), bins=4, calendar="hour", as_of=NOW, **other)


@SOME
@given(st.lists(st.tuples(*map(st.sampled_from, (WORDS, NUMBERS, TIMES))), min_size=1, max_size=12))
def test_engine__every_rule_kind__as_counted_by_hand_in_csv_and_parquet_of_any_row_group(tmp_path, drawn):
    rows = [row for row in drawn for _ in range(600)]
    path, target = as_csv(tmp_path / "d.csv", rows), tmp_path / "d.parquet"
    expected = by_hand(rows)
    first = counted(path)
    assert {item.rule.id: (item.applicable, item.passed) for item in first.rules} == expected
    assert first.columns[0].profile == profile_of([row[0] for row in rows if row[0]])
    assert first.columns[1].profile == profile_of([found for row in rows if (found := number_of(row[1])) is not None])
    hours = [found // 3600 for row in rows if (found := time_of(row[2])) is not None]
    assert first.columns[2].profile == profile_of(hours)
    cells = ", ".join(f"coalesce({name}, '') AS {name}" for name in "kxt")
    for size in (2048, 100_000):
        with duckdb.connect() as connection:
            source = f"read_csv('{path}', all_varchar=true, header=true, delim=',', quote='\"', escape='\"')"
            connection.execute(
                f"COPY (SELECT {cells} FROM {source}) TO '{target}' (FORMAT parquet, ROW_GROUP_SIZE {size})"
            )
            groups = connection.execute(f"SELECT max(row_group_id) FROM parquet_metadata('{target}')").fetchone()
        assert groups == ((len(rows) - 1) // size,)
        other = counted(target, "parquet", threads=4)
        assert (other.rules, other.columns) == (first.rules, first.columns), size


@SOME
@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40), st.randoms(use_true_random=False),
    st.permutations([f"值{place}" for place in range(7)]), st.integers(1, 5),
)  # fmt: skip
def test_entropy__rows_shuffled_renamed_and_repeated__not_a_digit_moves(tmp_path, cells, random, names, times):
    renamed = dict(zip("abcdefg", names, strict=True))
    others = [renamed[cell] for cell in cells] * times
    random.shuffle(others)
    found = []
    for place, column in enumerate((cells, others)):
        path = as_csv(tmp_path / f"{place}.csv", [(cell, "1", "2013-01-01") for cell in column])
        found.append(measure([counted(path, rules=()).columns[0]], "drop")[0])
    assert found[0].entropy == found[1].entropy
    assert found[0].maximum == found[1].maximum
    assert recorded(found[0].entropy) == oracle.text(oracle.entropy(list(Counter(cells).values())))


# 6: columns -----------------------------------------------------------------------------------------------------------


@SOME
@given(st.lists(profiles, min_size=1, max_size=5), st.integers(1, 10**6), st.integers(100, 10**6))
def test_columns__a_constant_one_never_raises_the_mean__a_key_changes_only_the_list(drawn, rows, keys):
    columns = [_column(f"c{place}", profile, "continuous") for place, profile in enumerate(drawn)]
    columns = [replace(column, binning=information.Binning("bin.equal_width@1", bins=64)) for column in columns]
    plain = mean(measure(admit(columns, THRESHOLD).admitted, "drop"))
    constant = admit([*columns, _column("constant", ((rows, 1),))], THRESHOLD)
    assert mean(measure(constant.admitted, "drop"))[0] <= plain[0]
    profile = ((1, keys),)
    for key in (_column("key", profile), _column("key", profile, "identifier"), _column("key", profile, "text")):
        keyed = admit([*columns, key], THRESHOLD)
        assert keyed.admitted == tuple(columns)
        assert [name for name, _ in keyed.excluded] == ["key"]


# 8: the market's adjustment -------------------------------------------------------------------------------------------


@SOME
@given(figures())
def test_market__no_strength_or_middle_position_is_exactly_neutral__else_within_the_product_of_strengths(base):
    method = _method()
    outcome = evaluate(method, base)
    lam = ZERO if base.history_fen is None else base.history_weight
    joined = lam * Decimal(base.history_fen or 0) + (1 - lam) * outcome.agreed
    assert evaluate(replace(method, strengths=(ZERO,) * 4), base).assessment == joined
    assert evaluate(method, replace(base, positions=(Decimal("0.5"),) * 4)).assessment == joined
    low = high = Fraction(joined)
    for strength in method.strengths:
        low, high = low * (1 - Fraction(strength)), high * (1 + Fraction(strength))
    slack = 1 + Fraction(1, 10**45)
    assert outcome.assessment is not None
    assert low / slack <= Fraction(outcome.assessment) <= high * slack


# 9: cold start and excluded trades ------------------------------------------------------------------------------------

SINGLE, CIRCLE = [item for item in EXCLUDED_TRADES if item["id"] not in "no"], [
    item for item in EXCLUDED_TRADES if item["id"] in "no"
]  # fmt: skip


@SOME
@given(
    st.lists(st.integers(1, 10**6), max_size=4), st.sets(st.sampled_from(range(len(SINGLE)))), st.booleans(),
    st.integers(0, 10**9), st.randoms(use_true_random=False),
)  # fmt: skip
def test_trades__left_out_ones__never_move_a_price_whatever_they_say(prices, chosen, circle, price, random):
    honest = [trade(f"r{place}", each) for place, each in enumerate(prices)]
    left_out = [item | ({} if item["id"] == "h" else {"unit_price_fen": price}) for item in
                [SINGLE[place] for place in chosen] + CIRCLE * circle]  # fmt: skip
    mixed = honest + left_out
    random.shuffle(mixed)
    one, other = (report(changed(example(), "/request/trades", trades)) for trades in (honest, mixed))
    assert one["result"] == other["result"]
    assert one["intermediate"] == other["intermediate"]
    assert len(other["inputs"]["trades"]["excluded"]) == len(left_out)
    assert one["result"]["cold_start"] is (not prices)
    if prices:
        assert one["intermediate"]["C0_fen"] == sorted(prices)[(len(prices) - 1) // 2]
    else:
        assert one["intermediate"]["history_weight"] == "0.000000000000"
        assert "C0_fen" not in one["intermediate"]


# 12, 13: caps and free purposes ---------------------------------------------------------------------------------------


@SOME
@given(st.integers(0, 10**6), st.integers(0, 10**8))
def test_cap__the_guide_is_the_lower_of_both__free_purposes_cost_nothing(cap, cost):
    document = changed(changed(example(), "/request/costs/0/amount_fen", cost), "/request/regime", "guided")
    free = changed(example(), "/request/costs/0/amount_fen", cost)
    bare = report(free)["result"]
    industry = changed(changed(document, "/request/purpose", "industry"), "/request/cap", CAP | {"fen": cap})
    capped = report(industry)["result"]
    assert capped["rounded_fen"] == bare["guide_fen"]
    assert capped["guide_fen"] == min(cap, bare["guide_fen"])
    assert capped["capped"] is (cap < bare["guide_fen"])
    with pytest.raises(PricingRefused, match="CAP_MISSING"):
        report(changed(industry, "/request/cap", ...))
    for purpose in ("governance", "welfare"):
        given_free = report(changed(document, "/request/purpose", purpose))["result"]
        assert (given_free["guide_fen"], given_free["rounded_fen"]) == (0, bare["guide_fen"])


# 16: threads ----------------------------------------------------------------------------------------------------------


def test_flights__one_thread_or_four__the_same_counts(tmp_path):
    flights = flights_csv(tmp_path)
    spec = declare(flights)
    one, four = (count(flights, spec, bins=64, calendar="hour", as_of=AS_OF, threads=n) for n in (1, 4))
    assert one == four


# 18: recomputation ----------------------------------------------------------------------------------------------------


def real_case() -> dict:
    """Real birds under a guided price with a cap, trades, and an approved factor: every block is there."""
    return case_of(
        penguins_csv(),
        **{
            "/request/regime": "guided", "/request/purpose": "industry", "/request/cap": CAP,
            "/request/trades": [trade("t1", 9000), trade("t2", 11000, relation="related"), trade("t3", 70000)],
            "/request/market_factor": "1.1", "/request/market_factor_approval": "演示批文",
            "/request/supersedes": "ab" * 32, "/request/element/predecessors": [2],
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def real() -> tuple[bytes, bytes]:
    made = price_case(real_case(), penguins_csv().parent)
    assert verify(made.data, made.evidence).equal
    return made.data, made.evidence


def at(document: object, pointer: str) -> object:
    """The value at /a/b/0."""
    return dict(leaves(document))[pointer]


def other(value: object) -> object:
    """Another value that is still of the leaf's form wherever it has one."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if re.fullmatch("[0-9a-f]{32,}", value):
            return ("1" if value[0] == "0" else "0") + value[1:]
        case str() if re.fullmatch(r"[0-9]+\.[0-9]+", value):
            return value + "1"
        case str() if value.endswith("@1"):
            return value[:-1] + "2"
        case str():
            return value + "x"
        case _:
            return ["x"]


def test_verify__every_leaf_of_the_report_changed__is_named(real):
    data, evidence = real
    document = canonical.decode(data)
    pointers = [pointer for pointer, _ in leaves(document)]
    wanted = {f"/method/strategies/{slot}" for slot in ("volume", "joint", "round", "cap", "history", "density")}
    wanted |= {f"/inputs/quality/scheme/weights/{name}" for name in DIMENSIONS}
    wanted |= {"/method/policy/version", "/method/policy/digest/sm3", "/inputs/cap/fen", "/digests/report/sha256"}
    assert wanted <= set(pointers)
    for pointer, value in leaves(document):
        forged = changed(document, pointer, other(value))
        verdict = verify(canonical.encode(forged), evidence)
        assert (verdict.equal, verdict.where) == (False, "report"), pointer
        assert verdict.pointer in (pointer, f"{pointer}/0")
        assert verdict.expected != verdict.given


def test_verify__every_leaf_of_the_evidence_changed__the_report_no_longer_follows_and_where_is_said(real):
    data, evidence = real
    document = canonical.decode(evidence)
    silent = []
    for pointer, value in leaves(document):
        verdict = verify(data, canonical.encode(changed(document, pointer, other(value))))
        assert not verdict.equal, pointer
        assert verdict.expected != verdict.given, pointer
        assert verdict.pointer or "（" in verdict.given, pointer
        if verdict.where == "report" and verdict.pointer.startswith("/digests"):
            silent.append(pointer)
    assert silent, "a digit behind the twelve that a report records"
    for pointer in silent:
        assert re.fullmatch("/information/[0-9]+/(entropy|maximum)_bits", pointer)
        forged = canonical.encode(changed(document, pointer, other(at(document, pointer))))
        verdict = verify(from_evidence(forged).data, forged)
        assert (verdict.where, verdict.pointer) == ("evidence", pointer)


def nodes(value: object, pointer: str = ""):
    """JSON pointer of every value, containers too."""
    if pointer:
        yield pointer
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(item, f"{pointer}/{key}")


STRANGE = st.sampled_from([5, -1, True, "", "x", "1", [], [5], [[]], {}, {"name": 5}, {"a": [1]}, [1, "a"], [{}, 5]])


@settings(max_examples=few(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1), st.integers(0, 10**6), STRANGE)
def test_verify__anything_of_another_shape_anywhere__is_answered_and_never_equal(real, which, place, strange):
    documents = [canonical.decode(each) for each in real]
    pointers = ["", *nodes(documents[which])]
    pointer = pointers[place % len(pointers)]
    forged = changed(documents[which], pointer, strange) if pointer else strange
    files = [canonical.encode(forged) if place == which else real[place] for place in (0, 1)]
    assert verify(*files).equal is (files == list(real))


@pytest.mark.parametrize("extra", [5, "x", []])
def test_verify__information_with_something_beside_its_columns__is_answered(real, extra):
    document = canonical.decode(real[1])
    verdict = verify(real[0], canonical.encode(document | {"information": [*document["information"], extra]}))
    assert (verdict.equal, verdict.where) == (False, "evidence")


# 24: sensitivity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trades", [[], [trade("t1", 9000)]], ids=["cold", "history"])
def test_sensitivity__nothing_changed__every_row_is_the_price_itself(monkeypatch, trades):
    monkeypatch.setattr(sensitivity, "_UP", (1, 1))
    monkeypatch.setattr(sensitivity, "_DOWN", (7, 7))
    made = report(changed(example(), "/request/trades", trades))
    assert {row["input"] for row in made["sensitivity"]} >= {"volume", "entropy", "model_cost", "x.scale"}
    assert {(row["price_fen"], row["change_fen"]) for row in made["sensitivity"]} == {(made["result"]["guide_fen"], 0)}


# 26: separation -------------------------------------------------------------------------------------------------------


def test_separation__nothing_that_agrees_meters_or_bills__sees_pricing():
    files = [path for path in (ROOT / "clearing").rglob("*.py") if "pricing" not in path.relative_to(ROOT).parts]
    assert len(files) > 50
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("clearing.pricing") or name == "pricing"], path


# real tables, from the file to a price --------------------------------------------------------------------------------


TABLES = {"birds": lambda folder: penguins_csv(raw=True), "clinic": clinic_csv, "digits": digits_csv}


@pytest.mark.parametrize("table", TABLES)
def test_real_table_of_another_package__priced_from_its_file__entropy_is_that_of_the_oracle(tmp_path, table):
    path = TABLES[table](tmp_path)
    made = price_case(case_of(path), path.parent)
    assert verify(made.data, made.evidence).equal
    document = made.document
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert document["inputs"]["volume"]["value"] == document["inputs"]["data"]["rows"] == len(rows)
    nulls = document["inputs"]["data"]["dialect"].get("nulls", [])
    unbinned = {column["name"] for column in document["inputs"]["columns"] if "binning" not in column}
    said = {column["name"]: column["E"] for column in document["intermediate"]["columns"]}
    compared = sorted(unbinned & set(said))
    assert compared
    for name in compared:
        values = Counter(row[name] for row in rows if row[name] not in ("", *nulls))
        assert said[name] == oracle.text(oracle.entropy(list(values.values()))), name
    assert document["result"]["guide_fen"] > 0
    assert policies.published(document["method"]["policy"]["id"], 1) is not None
