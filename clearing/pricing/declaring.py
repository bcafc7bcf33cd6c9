"""Declares a file nobody has declared: format, dialect, types and kinds as they are found, and a rule set as data.

What is written down counts as declared from then on; a person may change it first. Only rules that the data itself can
answer are proposed: filled cells and types of every column, uniqueness of every column that looks like a key. Ranges,
code lists, freshness and relations between fields need someone who knows the data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clearing.pricing.column_types import infer
from clearing.pricing.errors import PricingRefused
from clearing.pricing.file_format import check_name, format_of
from clearing.pricing.manifest import ColumnSpec, DataSpec
from clearing.pricing.quality import DEFAULT_DIMENSION, Rule, RuleKind
from clearing.pricing.scratch import Scratch, opened, text
from clearing.pricing.source_table import Address
from clearing.pricing.text_file import detect

NULL_TOKENS = ("NA", "N/A", "#N/A", "NULL", "null", "NaN", "nan", "\\N", "-", "--", "无", "空")
"""Texts that may mean "no value": one counts only where it alone keeps a column from being numbers or times."""
_KEY_TYPES = ("integer", "text", "date", "timestamp")
_WHOLE = 10**18


def declare(source: Path | Address, part: str | None = None, *, name: str | None = None) -> DataSpec:
    """A `DataSpec` for the file or table at `source`; `part` is the sheet (the first without it) or the table.

    A column looks like a key when every row has a value and no two are the same, two rows at least, and it is no
    decimal. Weights are equal within each dimension and sum to exactly 1. Number of rows and digest are written down
    too. Raises `PricingRefused` as `counting.count` does, `data.path` for a file that is not what its name says, and
    `data.encoding` for a CSV that is neither UTF-8 nor GB 18030.
    """
    if isinstance(source, Address):
        spec = DataSpec(name or part or "table", "table", part=part)
    else:
        format_ = format_of(source)
        check_name(source, format_)
        if part is not None and format_ in ("csv", "parquet"):
            raise PricingRefused("INPUT_FORM", "data.part", "该格式没有分表 / this format has no parts", part)
        spec = DataSpec(name or source.name, format_, part=part)
        if format_ == "csv":
            with source.open("rb") as file:
                spec = replace(spec, dialect=detect(file))
    with opened(source, spec) as scratch:
        columns, keys, tokens = _columns(scratch, spec.format in ("csv", "xlsx"))
        sha256, rows = scratch.digest.sha256.hex(), scratch.rows
    dialect = replace(spec.dialect, nulls=tokens) if tokens else spec.dialect
    names = [column.name for column in columns]
    rules = (*_rules("null_ratio", names), *_rules("type", names), *_rules("unique_key", keys))
    return replace(spec, columns=columns, rules=rules, dialect=dialect, rows=rows, sha256=sha256)


def _columns(scratch: Scratch, written: bool) -> tuple[tuple[ColumnSpec, ...], list[str], tuple[str, ...]]:
    """Columns, names of those that look like a key, and null tokens; tokens only of what was written as text."""
    columns, keys, tokens = [], [], set()
    listed = f"v IN ({', '.join(text(token) for token in NULL_TOKENS)})"
    for position, name in enumerate(scratch.names):
        scratch.group(position)
        column = infer(scratch, name)
        if written and column.type == "text":
            bare = infer(scratch, name, besides=listed)
            if bare.type != "text":
                column = bare
                tokens |= {str(row[0]) for row in scratch.run(f"SELECT v FROM g WHERE {listed}")}
        columns.append(column)
        distinct = scratch.integer("SELECT count(*) FROM g WHERE v IS NOT NULL")
        if distinct == scratch.rows > 1 and column.type in _KEY_TYPES:
            keys.append(name)
    return tuple(columns), keys, tuple(token for token in NULL_TOKENS if token in tokens)


def _rules(kind: RuleKind, names: list[str]) -> list[Rule]:
    """One rule of the kind for each column; the first takes what equal weights of 18 decimals leave over."""
    if not names:
        return []
    each = _WHOLE // len(names)
    first = _WHOLE - each * (len(names) - 1)
    weights = [_weight(first if place == 0 else each) for place in range(len(names))]
    return [
        Rule(f"{kind}.{place}", kind, DEFAULT_DIMENSION[kind], weight, (name,))
        for place, (name, weight) in enumerate(zip(names, weights, strict=True), 1)
    ]


def _weight(share: int) -> str:
    whole, rest = divmod(share, _WHOLE)
    return str(whole) if not rest else f"{whole}.{rest:018d}"
