"""Information density from counts: which columns take part, and their entropy, one by one or joint (pricing §5.1, §4).

A column arrives as its profile: pairs (c, m), "m categories occur c times each", c falling. Nothing else of the data is
needed, so a quote is repriced from the stored profile for ever (decisions D38).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import gt, mul
from typing import Literal

from clearing.pricing.arithmetic import TWO, ZERO, exact
from clearing.pricing.errors import PricingRefused
from clearing.pricing.quality import Count

Kind = Literal["categorical", "discrete", "continuous", "timestamp", "identifier", "text", "nested"]
Nulls = Literal["drop", "as_value"]
Pair = tuple[Count, Count]

EXCLUDED_KINDS = ("identifier", "text", "nested")
SMALL_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Binning:
    """How values became categories. `edges`: decimal texts, rising, for the two edge binnings; `unit` for calendar."""

    id: Literal["bin.equal_width@1", "bin.fixed_edges@1", "bin.calendar@1"]
    edges: tuple[str, ...] = ()
    unit: str = ""
    bins: Count = 0


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """One counted column: all integers. rows = n + nulls + invalid, n = Σ c·m, distinct = Σ m.

    `nulls` counts empty cells (and NaN), `invalid` cells that are not of the declared type; both carry no value.
    """

    name: str
    kind: Kind
    inferred: bool
    rows: Count
    nulls: Count
    invalid: Count
    distinct: Count
    profile: tuple[Pair, ...]
    binning: Binning | None = None

    @property
    def values(self) -> int:
        """n: the number of cells that carry a value."""
        return self.rows - self.nulls - self.invalid


@dataclass(frozen=True, slots=True)
class TupleRule:
    """What a policy asks of the tuples of columns: whom it admits (`admit`) and what an empty cell is."""

    threshold: Decimal
    nulls: Nulls


@dataclass(frozen=True, slots=True)
class TupleCounts:
    """The tuples of the admitted columns (schema order), categories as of the single columns: all integers.

    Σ c·m = rows − left_out, distinct = Σ m. Left out are rows with a cell that is not of its declared type and, where
    `nulls` is `drop`, rows with an empty cell: a tuple counts only where every admitted column carries a value. Under
    `as_value` an empty cell is a category of its column.
    """

    columns: tuple[str, ...]
    nulls: Nulls
    rows: Count
    left_out: Count
    distinct: Count
    profile: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """Which columns take part (schema order) and which do not, each with its reason, and warnings."""

    admitted: tuple[ColumnCounts, ...]
    excluded: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnInformation:
    """E_j and L_j of one admitted column, in bits, at full working precision."""

    name: str
    entropy: Decimal
    maximum: Decimal


def check_profile(column: ColumnCounts) -> None:
    """The integers of one column belong together, or INPUT_FORM: n = Σ c·m, distinct = Σ m, c strictly falling."""
    _check_pairs(f"columns.{column.name}.profile", column.profile, column.values, column.distinct)


def check_tuples(tuples: TupleCounts) -> None:
    """As `check_profile`, for tuples: rows − left_out = Σ c·m."""
    _check_pairs("counted.tuples.profile", tuples.profile, tuples.rows - tuples.left_out, tuples.distinct)


def _check_pairs(where: str, profile: tuple[Pair, ...], values: int, distinct: int) -> None:
    counts, times = zip(*profile, strict=True) if profile else ((), ())
    if counts and min(*counts, *times) < 1:
        raise PricingRefused("INPUT_FORM", where, "正整数对 / pairs of positive integers", profile)
    if not all(map(gt, counts, counts[1:])):
        raise PricingRefused("INPUT_FORM", where, "次数严格递减 / counts strictly falling", list(counts[:8]))
    total = sum(map(mul, counts, times))
    if values < 0 or total != values:
        raise PricingRefused("INPUT_FORM", where, f"Σ c·m = {values}", total)
    found = sum(times)
    if found != distinct:
        raise PricingRefused("INPUT_FORM", where, f"Σ m = {distinct}", found)


@exact
def admit(columns: Sequence[ColumnCounts], threshold: Decimal) -> Admission:
    """Every delivered column takes part unless its kind excludes it or it is identifier-like (pricing §5.1).

    Identifier-like: unbinned, at least 100 values, distinct ÷ values > threshold. Sellers cannot leave columns out.
    Raises NO_DISTRIBUTION when nothing is admitted or an admitted column has no value at all.
    """
    admitted: list[ColumnCounts] = []
    excluded: list[tuple[str, str]] = []
    warnings: list[str] = []
    for column in columns:
        check_profile(column)
        if column.kind in EXCLUDED_KINDS:
            excluded.append((column.name, column.kind))
        elif column.values == 0:
            raise PricingRefused("NO_DISTRIBUTION", f"columns.{column.name}", "至少一个取值 / at least one value", 0)
        elif column.binning is None and column.values < SMALL_SAMPLE:
            warnings.append(f"small_sample:{column.name}")
            admitted.append(column)
        elif column.binning is None and Decimal(column.distinct) > threshold * column.values:
            excluded.append((column.name, "identifier_like"))
        else:
            admitted.append(column)
    if not admitted:
        raise PricingRefused("NO_DISTRIBUTION", "columns", "至少一列可计算 / at least one column", excluded)
    return Admission(tuple(admitted), tuple(excluded), tuple(warnings))


@exact
def shannon_bits(profile: Sequence[Pair]) -> Decimal:
    """E in bits over pairs (c, m), c falling: p = c/n; s = s + m·(p·ln p); E = 0 − s/ln 2.

    Raises NO_DISTRIBUTION when n = 0.
    """
    total = sum(count * times for count, times in profile)
    if total == 0:
        raise PricingRefused("NO_DISTRIBUTION", "profile", "n > 0", 0)
    n, s = Decimal(total), ZERO
    for count, times in profile:
        p = Decimal(count) / n
        s = s + times * (p * p.ln())
    return ZERO - s / TWO.ln()


@exact
def maximum_bits(categories: int) -> Decimal:
    """L = log2 of the number of categories, by ln n / ln 2."""
    return Decimal(categories).ln() / TWO.ln()


def with_nulls(column: ColumnCounts, nulls: Nulls) -> tuple[Pair, ...]:
    """The profile that counts: as it is (`drop`), or with the empty cells as one more category (`as_value`)."""
    if nulls == "drop" or column.nulls == 0:
        return column.profile
    pairs = dict(column.profile)
    pairs[column.nulls] = pairs.get(column.nulls, 0) + 1
    return tuple(sorted(pairs.items(), reverse=True))


@exact
def measure(admitted: Sequence[ColumnCounts], nulls: Nulls) -> tuple[ColumnInformation, ...]:
    """E_j and L_j of every admitted column, in schema order."""
    result = []
    for column in admitted:
        profile = with_nulls(column, nulls)
        categories = sum(times for _, times in profile)
        result.append(ColumnInformation(column.name, shannon_bits(profile), maximum_bits(categories)))
    return tuple(result)


@exact
def mean(columns: Sequence[ColumnInformation]) -> tuple[Decimal, Decimal]:
    """(E, L): sums in schema order divided by the number of columns. Strategy columns.mean@1."""
    entropy = maximum = ZERO
    for column in columns:
        entropy = entropy + column.entropy
        maximum = maximum + column.maximum
    return entropy / len(columns), maximum / len(columns)


@exact
def joint(profile: Sequence[Pair], threshold: Decimal) -> tuple[Decimal, Decimal]:
    """(E, L) of the tuple of all admitted columns, from the profile of the tuples. Strategy columns.joint@1.

    Refused, TUPLES_UNIQUE, when distinct tuples ÷ rows that have one > threshold: then E is log2 of the rows whatever
    they hold (pricing §13.6). NO_DISTRIBUTION when no row has a tuple. Where every row has one, E is at least the
    greatest and at most the sum of the E_j; rows left out for an empty cell count in the E_j of the other columns.
    """
    rows, distinct = sum(count * times for count, times in profile), sum(times for _, times in profile)
    if rows == 0:
        raise PricingRefused("NO_DISTRIBUTION", "counted.tuples", "至少一行各列有值 / one row without an empty cell", 0)
    if Decimal(distinct) > threshold * rows:
        raise PricingRefused("TUPLES_UNIQUE", "counted.tuples.distinct", f"≤ {threshold} × {rows}", distinct)
    return shannon_bits(profile), maximum_bits(distinct)
