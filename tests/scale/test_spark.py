"""`make test-scale`: the metering plan on Spark, translated by Ibis; every reading and every fen as in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings

from clearing.settlement import rating, sharing
from clearing.terms import AgreementTerms
from clearing.usage.bulk import plan
from clearing.usage.bulk.duck import over_files
from clearing.usage.bulk.reading import read_meters
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import MeterReading
from tests.clearing.usage.bulk_cases import MARK, cases, one_by_one, parquet
from tests.clearing.usage.test_reconcile import MARCH
from tests.counts import few

pytestmark = [
    pytest.mark.scale,
    # Spark's bridge to Java leaves its sockets to the collector, its half for pandas warns of new versions.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:pyspark.*"),
]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Spark in this process's own Java machine, two workers of it, on the loopback address."""
    if shutil.which("java") is None:
        pytest.exit("make test-scale：没有 java / java is not there (Debian: default-jre-headless)", returncode=1)
    try:
        import ibis  # noqa: F401
        from pyspark.sql import SparkSession
    except ImportError as missing:
        pytest.exit(f"make test-scale：{missing} (pip install 'shuqing[scale]')", returncode=1)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    options = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "3",
        "spark.ui.enabled": "false",
    }
    builder = SparkSession.builder.master("local[2]").appName("shuqing")
    for name, value in options.items():
        builder = builder.config(name, value)
    running = builder.getOrCreate()
    yield running
    running.stop()


def many_cases(count: int) -> tuple[list[MeteredUse], list[AgreementTerms]]:
    """So many drawn cases as one: each with agreements and connectors of its own."""
    uses: list[MeteredUse] = []
    wanted: list[AgreementTerms] = []

    @seed(20260731)
    @settings(max_examples=count, phases=[Phase.generate], database=None, deadline=None)
    @given(cases())
    def keep(case: tuple[list[MeteredUse], list[AgreementTerms]]) -> None:
        number = len(wanted)
        for use in case[0]:
            own = {"agreement": f"{use.agreement}{number}", "connector": f"{use.connector}{number}"}
            uses.append(replace(use, **own))  # type: ignore[arg-type]
        wanted.extend(replace(item, agreement=f"{item.agreement}{number}") for item in case[1])

    keep()
    return uses, wanted


def fen(items: list[AgreementTerms], readings: tuple[MeterReading, ...]) -> list[tuple[rating.Charge, sharing.Shares]]:
    """What the readings come to: each priced and divided."""
    found = []
    for item, reading in zip(items, readings, strict=True):
        charge = rating.rate(f"reading:{reading.label}", reading, item.terms, free=item.free)
        found.append((charge, sharing.share(f"charge:{reading.label}", charge, item.terms.plan, 0)))
    return found


def test_spark__many_agreements__the_readings_and_the_fen_of_duckdb_and_of_read_meter(
    session: Any, tmp_path: Path
) -> None:
    from clearing.usage.bulk.spark import Spark

    uses, wanted = many_cases(few(300))
    file = parquet(uses, tmp_path / "uses.parquet")
    there = read_meters(wanted, MARCH, Spark(session, [str(file)], MARK))
    with over_files([file], MARK) as engine:
        here = read_meters(wanted, MARCH, engine)
    assert here == one_by_one(uses, wanted)
    assert there == here
    assert fen(wanted, there) == fen(wanted, here)
    reasons = {one.reason for reading in there for one in reading.excluded}
    assert len(reasons) >= 12, f"the cases show too little: {sorted(reasons)}"
    assert sum(reading.held for reading in there) > 0


def test_spark__the_types_of_the_rows__those_of_the_plan(session: Any, tmp_path: Path) -> None:
    from clearing.usage.bulk.spark import Spark

    file = parquet([], tmp_path / "none.parquet")
    engine = Spark(session, [str(file)], MARK)
    assert [name for name, _ in plan.COLUMNS] == session.table("known").columns
    assert list(engine.rows("SELECT * FROM known")) == []
