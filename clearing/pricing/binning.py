"""SQL of the bin of a value: by comparison with the written edges only, halving the edges each time (pricing §5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from clearing.pricing.arithmetic import exact


@exact
def bin_of(edges: Sequence[str], *, outside: bool, whole: bool) -> str:
    """SQL of the bin number of x: edge_j ≤ x < edge_j+1, the last bin closed; below and above them when `outside`.

    `edges`: rising decimal texts. `whole`: x is a BIGINT, which is compared with whole numbers that part the integers
    alike (x < e exactly if x < ⌈e⌉); otherwise x is a DECIMAL(38,18).
    """
    starts = [_below(edge, whole) for edge in edges[1:-1]]
    inner = _halved(starts, 0)
    if not outside:
        return inner
    last = len(edges) - 2
    below, within = _below(edges[0], whole), _at_most(edges[-1], whole)
    return f"CASE WHEN {below} THEN -1 WHEN {within} THEN {inner} ELSE {last + 1} END"


def _halved(starts: Sequence[str], first: int) -> str:
    """`first` plus the number of inner edges that x has reached; `starts` says of each that x is below it."""
    if not starts:
        return str(first)
    middle = len(starts) // 2
    lower, upper = _halved(starts[:middle], first), _halved(starts[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {starts[middle]} THEN {lower} ELSE {upper} END"


def _below(edge: str, whole: bool) -> str:
    return f"x < {_literal(edge, ROUND_CEILING if whole else None)}"


def _at_most(edge: str, whole: bool) -> str:
    return f"x <= {_literal(edge, ROUND_FLOOR if whole else None)}"


def _literal(edge: str, rounding: str | None) -> str:
    if rounding is None:
        return f"CAST('{edge}' AS DECIMAL(38,18))"
    return str(Decimal(edge).to_integral_value(rounding=rounding))
