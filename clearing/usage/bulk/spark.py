"""The same plan on Spark: Ibis translates its text; the extra `scale` brings both. Nothing else here imports them.

The session is the caller's: local, or a cluster's. Spark sums in 64 bits; a sum that left them would stop the query.
Rows are taken as Spark gives them: Ibis would fetch them by way of pandas, where an integer may become a double.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from clearing.usage.bulk import plan
from clearing.usage.bulk.reading import Rows

DIALECT = "duckdb"
"""What the plan is written in."""
_TYPES = {"VARCHAR": "string", "BIGINT": "long", "BOOLEAN": "boolean"}


class Spark:
    """`known` is a view of Parquet files with the columns of `plan.COLUMNS`, up to the high-water mark."""

    def __init__(self, session: Any, paths: Sequence[str], high_water: int) -> None:
        self._session, self.high_water = session, high_water
        self._ibis = ibis.pyspark.connect(session)
        frame = session.read.parquet(*paths)
        columns = [frame[name].cast(_TYPES[kind]).alias(name) for name, kind in plan.COLUMNS]
        frame.where(frame["position"] <= high_water).select(*columns).createOrReplaceTempView("known")

    def give(self, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> None:
        schema = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in columns)
        self._session.createDataFrame(list(rows), schema).createOrReplaceTempView(name)

    def step(self, name: str, query: str, kept: bool) -> None:
        self._ibis.create_view(name, self._ibis.sql(query, dialect=DIALECT), overwrite=True)
        if kept:
            self._session.catalog.cacheTable(name)

    def rows(self, query: str) -> Rows:
        translated = self._ibis.compile(self._ibis.sql(query, dialect=DIALECT))
        return map(tuple, self._session.sql(translated).collect())
