"""SQL of the category of a value: bins by comparison with the written edges only, halving them each time (§5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from clearing.pricing.arithmetic import exact
from clearing.pricing.column_types import SHANGHAI_US
from clearing.pricing.information import Binning


def category_of(binning: Binning | None, *, whole: bool, value: str = "x") -> str:
    """SQL of the category of a typed value (`value` is its SQL name): itself, its bin, or its hour, day, month or year
    in Asia/Shanghai. `whole` as in `bin_of`. A null has no bin: the caller keeps nulls away.
    """
    if binning is None:
        return value
    if binning.id == "bin.calendar@1":
        return f"date_trunc('{binning.unit}', make_timestamp({value} + {SHANGHAI_US}))"
    return bin_of(binning.edges, outside=binning.id == "bin.fixed_edges@1", whole=whole, value=value)


@exact
def bin_of(edges: Sequence[str], *, outside: bool, whole: bool, value: str = "x") -> str:
    """SQL of the bin number of x: edge_j ≤ x < edge_j+1, the last bin closed; below and above them when `outside`.

    `value`: the SQL name of x. `edges`: rising decimal texts. `whole`: x is a BIGINT, which is compared with whole
    numbers that part the integers alike (x < e exactly if x < ⌈e⌉); otherwise x is a DECIMAL(38,18).
    """
    starts = [_below(value, edge, whole) for edge in edges[1:-1]]
    inner = _halved(starts, 0)
    if not outside:
        return inner
    last = len(edges) - 2
    below, within = _below(value, edges[0], whole), _at_most(value, edges[-1], whole)
    return f"CASE WHEN {below} THEN -1 WHEN {within} THEN {inner} ELSE {last + 1} END"


def _halved(starts: Sequence[str], first: int) -> str:
    """`first` plus the number of inner edges that x has reached; `starts` says of each that x is below it."""
    if not starts:
        return str(first)
    middle = len(starts) // 2
    lower, upper = _halved(starts[:middle], first), _halved(starts[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {starts[middle]} THEN {lower} ELSE {upper} END"


def _below(value: str, edge: str, whole: bool) -> str:
    return f"{value} < {_literal(edge, ROUND_CEILING if whole else None)}"


def _at_most(value: str, edge: str, whole: bool) -> str:
    return f"{value} <= {_literal(edge, ROUND_FLOOR if whole else None)}"


def _literal(edge: str, rounding: str | None) -> str:
    if rounding is None:
        return f"CAST('{edge}' AS DECIMAL(38,18))"
    return str(Decimal(edge).to_integral_value(rounding=rounding))
