"""Counts the tuples of columns: how many rows have the same category in every one of them (pricing §4 columns.joint@1).

Categories are those of the single columns, from the same types, bins and calendar. All integers, all rows; the engine
groups within its memory limit and spills. Few columns are grouped at once. Of more, rows are numbered by the columns
so far, and that number stands for these columns in the next step: work and memory then follow the columns one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clearing.pricing.binning import category_of
from clearing.pricing.column_types import typed
from clearing.pricing.information import ColumnCounts, Nulls, TupleCounts
from clearing.pricing.manifest import ValueType
from clearing.pricing.scratch import Scratch

AT_ONCE = 24
"""Columns grouped in one statement: the engine plans a statement of a hundred binned columns for half a minute."""


def count_tuples(
    scratch: Scratch, columns: Sequence[ColumnCounts], types: Mapping[str, ValueType], nulls: Nulls
) -> TupleCounts:
    """The profile of the tuples of `columns`, which have been counted singly; `types` by column name.

    A row in which a cell is not of its column's type has no tuple. One with an empty cell has none under `drop`; under
    `as_value` empty is a category of that column, and its tuple counts.
    """
    steps = [columns[first : first + AT_ONCE] for first in range(0, len(columns), AT_ONCE)]
    source, key = "t", list[str]()
    if len(steps) > 1:
        table = scratch.table()
        source = f"(SELECT *, rowid AS r FROM {table})"
        for place, step in enumerate(steps[:-1], 1):
            cells, keys = _cells(scratch, step, types, nulls, source, key)
            scratch.run(
                f"CREATE TEMP TABLE u{place} AS SELECT r, dense_rank() OVER (ORDER BY {keys}) AS k FROM ({cells})"
            )
            scratch.run(f"DROP TABLE IF EXISTS u{place - 1}")
            source, key = f"{table} JOIN u{place} ON u{place}.r = {table}.rowid", ["k"]
    cells, keys = _cells(scratch, steps[-1], types, nulls, source, key)
    groups = f"SELECT count(*) AS c FROM ({cells}) GROUP BY {keys}"
    pairs = scratch.run(f"SELECT c, count(*) FROM ({groups}) GROUP BY c ORDER BY c DESC")
    taken = sum(int(c) * int(times) for c, times in pairs)
    return TupleCounts(
        columns=tuple(column.name for column in columns),
        nulls=nulls,
        rows=scratch.rows,
        left_out=scratch.rows - taken,
        distinct=sum(int(times) for _, times in pairs),
        profile=tuple((int(c), int(times)) for c, times in pairs),
    )


def _cells(
    scratch: Scratch, columns: Sequence[ColumnCounts], types: Mapping[str, ValueType], nulls: Nulls, source: str,
    key: list[str],
) -> tuple[str, str]:  # fmt: skip
    """SQL of the rows of `source` that have a tuple, with its parts; and the list of parts: `key`, one a column."""
    values, parts, filled = [], [], []
    for column in columns:
        place, type_ = scratch.names.index(column.name), types[column.name]
        value, cell = f"x{place}", f"c{place}"
        category = category_of(column.binning, whole=type_ == "integer", value=value)
        values.append(f"{typed(cell, type_)} AS {value}")
        parts.append(f"CASE WHEN {value} IS NOT NULL THEN {category} END AS p{place}")
        filled.append(f"{value} IS NOT NULL" if nulls == "drop" else f"({value} IS NOT NULL OR {cell} IS NULL)")
    read = f"SELECT *, {', '.join(values)} FROM {source}"
    rows = f"SELECT *, {', '.join(parts)} FROM ({read}) WHERE {' AND '.join(filled)}"
    return rows, ", ".join([*key, *(part.rpartition(" AS ")[2] for part in parts)])
