"""Counts a data file: full scans, integers out (pricing §5.1, §8).

Each column is grouped once into (value, number of cells); types, rules, bins and profiles are computed on the groups,
so the work per column follows its distinct values. No ratio, average or approximate aggregate is ever asked of the
engine, and nothing depends on the order of rows, the threads, the locale or the time zone.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from clearing.pricing.arithmetic import number
from clearing.pricing.binning import category_of
from clearing.pricing.column_types import checked, infer, typed
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import Binning, ColumnCounts, TupleRule, admit
from clearing.pricing.manifest import (
    ColumnSpec,
    Counted,
    DataSpec,
    Dialect,
    Digests,
    Manifest,
    ManifestColumn,
    equal_width_edges,
)
from clearing.pricing.policy import Calendar
from clearing.pricing.quality import RuleCount
from clearing.pricing.rule_counting import RuleCounter
from clearing.pricing.scratch import Scratch, engine, opened
from clearing.pricing.source_table import Address
from clearing.pricing.tuple_counting import count_tuples

Progress = Callable[[int, int], None]
"""Called with (columns done, columns) before the first column and after each."""

__all__ = ["Progress", "count", "engine"]


def count(
    source: Path | Address,
    spec: DataSpec,
    *,
    bins: int,
    calendar: Calendar,
    as_of: int,
    tuples: TupleRule | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Counted:
    """Counts the file or table at `source`: manifest, every rule of `spec`, the profile of every column, and with
    `tuples` the profile of the tuples of the columns that this rule admits.

    `bins`, `calendar` and `tuples` come from the policy, `as_of` (UTC seconds) is what freshness is measured against;
    `threads` of the engine change how long it takes and nothing else. Raises `PricingRefused`: INPUT_FORM when source
    and declaration disagree, NO_DISTRIBUTION for a source without rows or, with `tuples`, without a column to admit.
    """
    said = progress or (lambda done, columns: None)
    with opened(source, spec, threads) as scratch:
        columns = _declared(scratch, spec)
        inferred = [column is None or column.kind is None for column in columns]
        known = [ColumnSpec(name) if column is None else checked(column)
                 for name, column in zip(scratch.names, columns, strict=True)]  # fmt: skip
        rules = RuleCounter(scratch, known, as_of)
        waiting: dict[int | None, list[int]] = {}
        for place, rule in enumerate(spec.rules):
            waiting.setdefault(rules.on_group(rule), []).append(place)
        found: dict[int, RuleCount] = {}
        profiles = []
        said(0, len(known))
        for position, column in enumerate(columns):
            scratch.group(position)
            if column is None:
                known[position] = infer(scratch, scratch.names[position])
            found |= {place: rules.count(spec.rules[place]) for place in waiting.get(position, ())}
            profiles.append(_profile(scratch, known[position], inferred[position], bins, calendar))
            said(position + 1, len(known))
        found |= {place: rules.count(spec.rules[place]) for place in waiting.get(None, ())}
        taken = None
        if tuples is not None:
            types = {column.name: column.type for column in known}
            taken = count_tuples(scratch, admit(profiles, tuples.threshold).admitted, types, tuples.nulls)
        manifest = Manifest(
            spec.name, spec.format, scratch.size, Digests.of(scratch.digest), scratch.rows,
            tuple(ManifestColumn(column.name, column.type) for column in known), _written(spec), spec.part,
        )  # fmt: skip
    counts = tuple(found[place] for place in range(len(spec.rules)))
    return Counted(manifest, counts, tuple(profiles), spec.assessed, taken)


def _written(spec: DataSpec) -> Dialect | None:
    """The dialect that shaped what was read: a workbook has none but its null tokens."""
    if spec.format == "csv":
        return spec.dialect
    return Dialect(nulls=spec.dialect.nulls) if spec.format == "xlsx" and spec.dialect.nulls else None


def _declared(scratch: Scratch, spec: DataSpec) -> list[ColumnSpec | None]:
    """The declared column of each position, None for one that nobody declared."""
    declared = {column.name: column for column in spec.columns}
    if len(declared) != len(spec.columns):
        raise PricingRefused("INPUT_FORM", "data.columns", "列名唯一 / unique names", [c.name for c in spec.columns])
    for name in sorted(set(declared) - set(scratch.names)):
        raise PricingRefused(
            "INPUT_FORM", f"data.columns.{name}"[:120], " | ".join(scratch.names)[:200], "无此列 / no such column"
        )
    return [declared.get(name) for name in scratch.names]


def _profile(scratch: Scratch, column: ColumnSpec, inferred: bool, bins: int, calendar: Calendar) -> ColumnCounts:
    """Counts of the column in `g`: empty, invalid and distinct cells and the (count, multiplicity) pairs."""
    source = f"(SELECT {typed('v', column.type)} AS x, v, n FROM g)"
    if column.type not in ("text", "nested"):
        scratch.run(f"CREATE OR REPLACE TEMP TABLE x AS SELECT * FROM {source}")
        source = "x"
    bounds = "NULL, NULL" if column.kind != "continuous" else "min(x), max(x)"
    nulls, invalid, low, high = scratch.run(
        "SELECT sum(n) FILTER (WHERE v IS NULL), sum(n) FILTER (WHERE v IS NOT NULL AND x IS NULL), "
        f"{bounds} FROM {source}"
    )[0]
    binning = _binned(column, bins, calendar, low, high)
    category = category_of(binning, whole=column.type == "integer")
    groups = f"SELECT n AS c FROM {source} WHERE x IS NOT NULL"
    if category != "x" or column.type not in ("text", "nested"):
        groups = f"SELECT {category} AS k, CAST(sum(n) AS BIGINT) AS c FROM {source} WHERE x IS NOT NULL GROUP BY k"
    pairs = scratch.run(f"SELECT c, count(*) FROM ({groups}) GROUP BY c ORDER BY c DESC")
    return ColumnCounts(
        name=column.name,
        kind=column.kind or "categorical",
        inferred=inferred,
        rows=scratch.rows,
        nulls=int(nulls or 0),
        invalid=int(invalid or 0),
        distinct=sum(times for _, times in pairs),
        profile=tuple((int(c), int(times)) for c, times in pairs),
        binning=binning,
    )


def _binned(column: ColumnSpec, bins: int, calendar: Calendar, low: object, high: object) -> Binning | None:
    """How the values of the column become categories; `low` and `high` bound those of a continuous one."""
    if column.kind == "timestamp":
        return Binning("bin.calendar@1", unit=calendar)
    if column.kind != "continuous":
        return None
    if column.edges:
        edges = [number(edge, f"data.columns.{column.name}.edges") for edge in column.edges]
        if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
            raise PricingRefused("INPUT_FORM", f"data.columns.{column.name}.edges", "严格递增 / rising", column.edges)
        return Binning("bin.fixed_edges@1", edges=column.edges)
    if low is None or high is None:
        return Binning("bin.equal_width@1", bins=bins)
    return Binning("bin.equal_width@1", edges=equal_width_edges(Decimal(str(low)), Decimal(str(high)), bins), bins=bins)
