"""What a text cell is worth under a type, in SQL; and the narrowest type that every value of a column has.

A typed value exists only where the text matches the type's whole pattern and then casts: engines guess and cast
differently.
"""

from __future__ import annotations

from dataclasses import replace

from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import Kind
from clearing.pricing.manifest import ColumnSpec, ValueType
from clearing.pricing.scratch import Scratch, text

_MICRO = 1_000_000
SHANGHAI_US = 8 * 3600 * _MICRO
"""Microseconds that Asia/Shanghai is ahead of UTC."""
INFERRED: tuple[ValueType, ...] = ("integer", "decimal", "date", "timestamp")
"""The types that inference tries, narrowest first; what fits none is text."""
_LOOKED_AT = 2_000

# A text is a value of the type only if it matches this whole pattern and then casts.
_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
PATTERNS: dict[str, str] = {
    "integer": "-?(0|[1-9][0-9]{0,17})",
    "decimal": r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamp": _LOCAL + "(Z|[+-][0-9]{2}(:?[0-9]{2})?)?",
    "boolean": "true|false|0|1",
}
KINDS: dict[ValueType, Kind] = {
    "integer": "discrete",
    "decimal": "continuous",
    "timestamp": "timestamp",
    "date": "timestamp",
    "boolean": "categorical",
    "text": "categorical",
    "nested": "nested",
}
TYPES_OF_KIND: dict[Kind, tuple[ValueType, ...]] = {
    "continuous": ("integer", "decimal"),
    "timestamp": ("date", "timestamp"),
}


def typed(cell: str, type_: ValueType) -> str:
    """SQL of the typed value of a text cell; NULL where the text is not of the type."""
    if type_ in ("text", "nested"):
        return cell
    casts = {
        "integer": f"TRY_CAST({cell} AS BIGINT)",
        "decimal": f"TRY_CAST({cell} AS DECIMAL(38,18))",
        "boolean": f"({cell} IN ('true', '1'))",
        # Text without an offset is Chinese standard time; the offset is written out, never a session setting.
        "date": f"epoch_us(TRY_CAST({cell} || ' 00:00:00+08:00' AS TIMESTAMPTZ))",
        "timestamp": (
            f"epoch_us(TRY_CAST(CASE WHEN regexp_full_match({cell}, {text(_LOCAL)}) "
            f"THEN {cell} || '+08:00' ELSE {cell} END AS TIMESTAMPTZ))"
        ),
    }
    return f"CASE WHEN regexp_full_match({cell}, {text(PATTERNS[type_])}) THEN {casts[type_]} END"


def checked(column: ColumnSpec) -> ColumnSpec:
    """A declared column with its kind. Raises INPUT_FORM for a type or edges that do not go with the kind."""
    kind = column.kind or KINDS[column.type]
    if column.type not in TYPES_OF_KIND.get(kind, (column.type,)):
        expected = " | ".join(TYPES_OF_KIND[kind])
        raise PricingRefused("INPUT_FORM", f"data.columns.{column.name}.type", expected, column.type)
    if column.edges and kind != "continuous":
        raise PricingRefused("INPUT_FORM", f"data.columns.{column.name}.kind", "continuous", kind)
    return replace(column, kind=kind)


def infer(scratch: Scratch, name: str, besides: str = "false") -> ColumnSpec:
    """Type and kind of the column now grouped in `g`; `besides` is SQL of the texts v that are left out of account."""
    values = f"v IS NOT NULL AND NOT ({besides})"
    if scratch.some(f"g WHERE {values}"):
        for type_ in INFERRED:
            missing = f"({typed('v', type_)}) IS NULL"
            few = f"(SELECT v FROM g WHERE {values} LIMIT {_LOOKED_AT}) WHERE {missing}"
            if not scratch.some(few) and not scratch.some(f"g WHERE {values} AND {missing}"):
                return ColumnSpec(name, type_, KINDS[type_])
    return ColumnSpec(name, "text", "categorical")
