"""Runs quality rules on a scratch table: each returns two integers, `applicable` and `passed` (pricing §8).

A rule over the values of one column runs on its groups (value, number of cells); the others run over the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from clearing.pricing.arithmetic import integer, number
from clearing.pricing.column_types import PATTERNS, typed
from clearing.pricing.errors import PricingRefused
from clearing.pricing.manifest import ColumnSpec
from clearing.pricing.quality import Rule, RuleCount
from clearing.pricing.scratch import Scratch, text

ON_VALUES = ("null_ratio", "format_regex", "type", "code_list", "range", "freshness")
_MICRO = 1_000_000
_CLASS_ESCAPE = re.compile(r"\\[dDwWsSbB]")
_COMPARE = {"lt": "<", "le": "<=", "eq": "=", "ne": "<>", "ge": ">=", "gt": ">"}
_MAX_DEPTH = 8


class RuleCounter:
    """Counts rules over one table; `as_of` (UTC seconds) is what freshness is measured against."""

    def __init__(self, scratch: Scratch, columns: Sequence[ColumnSpec], as_of: int) -> None:
        self._scratch, self._columns, self._as_of = scratch, columns, as_of
        self._index = {name: position for position, name in enumerate(scratch.names)}

    def _column(self, rule: Rule) -> tuple[int, ColumnSpec]:
        if len(rule.columns) != 1:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "一列 / one column", list(rule.columns))
        return self._position(rule, rule.columns[0])

    def _position(self, rule: Rule, name: str) -> tuple[int, ColumnSpec]:
        if name not in self._index:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", " | ".join(self._index)[:200], name)
        position = self._index[name]
        return position, self._columns[position]

    def on_group(self, rule: Rule) -> int | None:
        """The position of the column that must be grouped in `g` when the rule runs; None for a rule over rows.

        Raises INPUT_FORM for a column that is not there.
        """
        return self._column(rule)[0] if rule.kind in ON_VALUES else None

    def count(self, rule: Rule) -> RuleCount:
        """Runs one rule over all rows. Raises INPUT_FORM for a rule that does not fit its column or parameters."""
        runners: dict[str, Callable[[Rule], tuple[int, int]]] = {
            "null_ratio": lambda rule: self._on_values(rule, "v IS NOT NULL", over="true"),
            "record_count": self._record_count,
            "format_regex": self._format,
            "type": self._type,
            "code_list": self._code_list,
            "range": self._range,
            "unique_key": self._unique_key,
            "duplicate_rows": lambda _: (
                self._scratch.rows,
                self._scratch.integer("SELECT count(*) FROM (SELECT DISTINCT * FROM t)"),
            ),
            "cross_field": self._cross_field,
            "freshness": self._freshness,
            "reported": _reported,
        }
        applicable, passed = runners[rule.kind](rule)
        return RuleCount(rule, applicable, passed)

    def _on_values(self, rule: Rule, test: str, over: str = "v IS NOT NULL") -> tuple[int, int]:
        counted = f"SELECT sum(n), sum(n) FILTER (WHERE {test}) FROM g WHERE {over}"
        applicable, passed = self._scratch.run(counted)[0]
        return int(applicable or 0), int(passed or 0)

    def _record_count(self, rule: Rule) -> tuple[int, int]:
        expected = integer(_needed(rule, "expected"), f"rules.{rule.id}.parameters.expected", 1)
        return expected, min(self._scratch.rows, expected)

    def _format(self, rule: Rule) -> tuple[int, int]:
        pattern = _needed(rule, "pattern")
        where = f"rules.{rule.id}.parameters.pattern"
        if not isinstance(pattern, str) or _CLASS_ESCAPE.search(pattern) or not pattern.isascii():
            raise PricingRefused("INPUT_FORM", where, "明写字符类 / explicit ASCII classes such as [0-9]", pattern)
        return self._on_values(rule, f"regexp_full_match(v, {text(pattern)})")

    def _type(self, rule: Rule) -> tuple[int, int]:
        _, column = self._column(rule)
        return self._on_values(rule, f"({typed('v', column.type)}) IS NOT NULL")

    def _code_list(self, rule: Rule) -> tuple[int, int]:
        values = _needed(rule, "values")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters.values", "文本列表 / list of text", values)
        return self._on_values(rule, f"v IN ({', '.join(text(value) for value in values)})")

    def _range(self, rule: Rule) -> tuple[int, int]:
        _, column = self._column(rule)
        low, high = (_operand(rule, column, _needed(rule, end)) for end in ("low", "high"))
        return self._on_values(rule, f"({typed('v', column.type)}) BETWEEN {low} AND {high}")

    def _unique_key(self, rule: Rule) -> tuple[int, int]:
        cells = [f"c{self._position(rule, name)[0]}" for name in rule.columns]
        if not cells:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "至少一列 / at least one", [])
        full = f"FROM t WHERE {' AND '.join(f'{cell} IS NOT NULL' for cell in cells)}"
        return (
            self._scratch.integer(f"SELECT count(*) {full}"),
            self._scratch.integer(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(cells)} {full})"),
        )

    def _freshness(self, rule: Rule) -> tuple[int, int]:
        _, column = self._column(rule)
        if column.type not in ("date", "timestamp"):
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "date | timestamp", column.type)
        age = integer(_needed(rule, "max_age_s"), f"rules.{rule.id}.parameters.max_age_s") * _MICRO
        return self._on_values(rule, f"{self._as_of * _MICRO} - ({typed('v', column.type)}) BETWEEN 0 AND {age}")

    def _cross_field(self, rule: Rule) -> tuple[int, int]:
        expression = self._expression(rule, _needed(rule, "expression"), 0)
        counted = f"SELECT count(e), count(*) FILTER (WHERE e) FROM (SELECT {expression} AS e FROM t)"
        applicable, passed = self._scratch.run(counted)[0]
        return int(applicable), int(passed)

    def _expression(self, rule: Rule, node: Any, depth: int) -> str:
        """SQL of the closed grammar: {op: and|or, terms}, {op: not, term}, {op: lt|le|eq|ne|ge|gt, left, right}."""
        where = f"rules.{rule.id}.parameters.expression"
        op = node.get("op") if isinstance(node, dict) else None
        if depth > _MAX_DEPTH or not isinstance(node, dict):
            raise PricingRefused("INPUT_FORM", where, f"对象，不超过 {_MAX_DEPTH} 层 / an object", node)
        if op in ("and", "or") and set(node) == {"op", "terms"} and isinstance(node["terms"], list) and node["terms"]:
            return "(" + f" {op.upper()} ".join(self._expression(rule, term, depth + 1) for term in node["terms"]) + ")"
        if op == "not" and set(node) == {"op", "term"}:
            return f"(NOT {self._expression(rule, node['term'], depth + 1)})"
        if op in _COMPARE and set(node) == {"op", "left", "right"} and isinstance(node["left"], str):
            position, column = self._position(rule, node["left"])
            right = node["right"]
            if isinstance(right, dict) and set(right) == {"column"}:
                other_position, other = self._position(rule, right["column"])
                if (column.type in ("text", "nested")) != (other.type in ("text", "nested")):
                    raise PricingRefused("INPUT_FORM", where, f"同类的列 / a column like {column.type}", other.type)
                operand = f"({typed(f'c{other_position}', other.type)})"
            else:
                operand = _operand(rule, column, right)
            return f"(({typed(f'c{position}', column.type)}) {_COMPARE[op]} {operand})"
        raise PricingRefused("INPUT_FORM", where, "and | or | not | lt | le | eq | ne | ge | gt", node)


def _needed(rule: Rule, name: str) -> Any:
    if name not in rule.parameters:
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters.{name}", "必填 / required", "缺失 / missing")
    return rule.parameters[name]


def _reported(rule: Rule) -> tuple[int, int]:
    where = f"rules.{rule.id}.parameters"
    if not isinstance(_needed(rule, "source"), str):
        raise PricingRefused(
            "INPUT_FORM", f"{where}.source", "来源摘要 / digest of the source", rule.parameters["source"]
        )
    return (
        integer(_needed(rule, "applicable"), f"{where}.applicable"),
        integer(_needed(rule, "passed"), f"{where}.passed"),
    )


def _operand(rule: Rule, column: ColumnSpec, value: Any) -> str:
    """SQL of a literal that a column is compared with, read by the same pattern and cast as the column."""
    if column.type == "decimal" or column.type == "integer":
        return f"CAST({text(format(number(value, f'rules.{rule.id}.parameters'), 'f'))} AS DECIMAL(38,18))"
    if not isinstance(value, str):
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters", f"{column.type} 文本 / text", value)
    if column.type in PATTERNS and not re.fullmatch(PATTERNS[column.type], value):
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters", PATTERNS[column.type], value)
    return f"({typed(text(value), column.type)})"
