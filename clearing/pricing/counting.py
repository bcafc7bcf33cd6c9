"""Counts a data file with DuckDB: full scans, integers out. The one stage of pricing that touches files.

A CSV column is read as text under a declared dialect; a typed value exists only where the text matches the type's
pattern and then casts (engines guess and cast differently). Parquet columns go through the same text. Each column is
grouped once into (value, count); rules, bins and profiles are computed on the groups, so the work per column follows
its distinct values. No ratio, average or approximate aggregate is ever asked of the engine.
"""

from __future__ import annotations

import csv
import hashlib
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from clearing.pricing.arithmetic import integer, number
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import Binning, ColumnCounts, Kind
from clearing.pricing.manifest import (
    ColumnSpec,
    Counted,
    DataSpec,
    Digests,
    Manifest,
    ManifestColumn,
    ValueType,
    equal_width_edges,
)
from clearing.pricing.policy import Calendar
from clearing.pricing.quality import Rule, RuleCount
from ledger.digest import TwinDigest

MEMORY_LIMIT = "1GB"
_BLOCK = 1 << 20
_MICRO = 1_000_000
_SHANGHAI_US = 8 * 3600 * _MICRO

# A text is a value of the type only if it matches this whole pattern and then casts.
_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
PATTERNS: dict[str, str] = {
    "integer": "-?(0|[1-9][0-9]{0,17})",
    "decimal": r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamp": _LOCAL + "(Z|[+-][0-9]{2}(:?[0-9]{2})?)?",
    "boolean": "true|false|0|1",
}
_CLASS_ESCAPE = re.compile(r"\\[dDwWsSbB]")
_KINDS: dict[ValueType, Kind] = {
    "integer": "discrete",
    "decimal": "continuous",
    "timestamp": "timestamp",
    "date": "timestamp",
    "boolean": "categorical",
    "text": "categorical",
    "nested": "nested",
}
_TYPES_OF_KIND: dict[Kind, tuple[ValueType, ...]] = {
    "continuous": ("integer", "decimal"),
    "timestamp": ("date", "timestamp"),
}
_COMPARE = {"lt": "<", "le": "<=", "eq": "=", "ne": "<>", "ge": ">=", "gt": ">"}
_MAX_DEPTH = 8


def engine() -> str:
    """Name and version of the counting engine, for the side record outside the digest."""
    return f"duckdb {duckdb.__version__}"


def count(path: Path, spec: DataSpec, *, bins: int, calendar: Calendar, as_of: int) -> Counted:
    """Counts the file at `path`: manifest, every rule of `spec`, and the profile of every column.

    `bins` and `calendar` come from the policy, `as_of` (UTC seconds) is what freshness is measured against. Raises
    `PricingRefused`: INPUT_FORM when file and declaration disagree, NO_DISTRIBUTION for a file without rows.
    """
    size, digest = _digest(path)
    if spec.sha256 is not None and spec.sha256 != digest.sha256.hex():
        raise PricingRefused("INPUT_FORM", "data.sha256", spec.sha256, digest.sha256.hex())
    with tempfile.TemporaryDirectory(prefix="shuqing-count-") as folder:
        connection = duckdb.connect(
            f"{folder}/count.db",
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": folder,
            },
        )
        try:
            table = _Table(connection, path, spec)
            if spec.rows is not None and spec.rows != table.rows:
                raise PricingRefused("INPUT_FORM", "data.rows", str(spec.rows), table.rows)
            if table.rows == 0:
                raise PricingRefused("NO_DISTRIBUTION", "data", "至少一行 / at least one row", 0)
            columns = tuple(table.profile(position, bins, calendar) for position in range(len(table.columns)))
            rules = tuple(table.rule(rule, as_of) for rule in spec.rules)
            manifest = Manifest(
                spec.name, spec.format, size, Digests.of(digest), table.rows,
                tuple(ManifestColumn(column.name, column.type) for column in table.columns),
                spec.dialect if spec.format == "csv" else None,
            )  # fmt: skip
        except (duckdb.Error, UnicodeDecodeError) as error:
            reason = str(error).replace(str(path), path.name).strip().splitlines()[0][:160]
            raise PricingRefused(
                "INPUT_FORM", "data", f"可读的 {spec.format} 文件 / a readable file", reason
            ) from error
        finally:
            connection.close()
    return Counted(manifest, rules, columns, spec.assessed)


def _digest(path: Path) -> tuple[int, TwinDigest]:
    both, size = (hashlib.sha256(), hashlib.new("sm3")), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                size += len(block)
                for state in both:
                    state.update(block)
    except OSError as error:
        raise PricingRefused(
            "INPUT_FORM", "data.path", "可读的文件 / a readable file", error.strerror or "?"
        ) from error
    return size, TwinDigest(both[0].digest(), both[1].digest())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _typed(cell: str, type_: ValueType) -> str:
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
            f"epoch_us(TRY_CAST(CASE WHEN regexp_full_match({cell}, {_text(_LOCAL)}) "
            f"THEN {cell} || '+08:00' ELSE {cell} END AS TIMESTAMPTZ))"
        ),
    }
    return f"CASE WHEN regexp_full_match({cell}, {_text(PATTERNS[type_])}) THEN {casts[type_]} END"


class _Table:
    """The file as a table of text columns c0, c1, … in a scratch database, and what is counted on it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, spec: DataSpec) -> None:
        self._run = connection.execute
        self._run("SET TimeZone = 'UTC'")
        names, select = self._csv(path, spec) if spec.format == "csv" else self._parquet(path)
        self._run(f"CREATE TABLE t AS {select}")
        self._run("SET enable_external_access = false")
        self.rows = self._int("SELECT count(*) FROM t")
        declared = {column.name: column for column in spec.columns}
        if len(declared) != len(spec.columns):
            raise PricingRefused(
                "INPUT_FORM", "data.columns", "列名唯一 / unique names", [c.name for c in spec.columns]
            )
        for name in declared:
            if name not in names:
                raise PricingRefused(
                    "INPUT_FORM", f"data.columns.{name}"[:120], " | ".join(names)[:200], "无此列 / no such column"
                )
        for position in range(len(names)):
            self._run(f"CREATE TABLE g{position} AS SELECT c{position} AS v, count(*) AS n FROM t GROUP BY c{position}")
        self._inferred = [name not in declared or declared[name].kind is None for name in names]
        self.columns = [
            self._infer(position, name) if name not in declared else self._kind(declared[name])
            for position, name in enumerate(names)
        ]
        self._index = {name: position for position, name in enumerate(names)}

    def _int(self, query: str) -> int:
        row = self._run(query).fetchone()
        return int(row[0] or 0) if row else 0

    def _csv(self, path: Path, spec: DataSpec) -> tuple[list[str], str]:
        dialect = spec.dialect
        with path.open(encoding=dialect.encoding, newline="") as file:
            names = next(csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote), [])
        if not names or len(set(names)) != len(names) or "" in names:
            raise PricingRefused(
                "INPUT_FORM", "data.header", "一行互不相同的列名 / one row of distinct names", names[:20]
            )
        types = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(names)))
        nulls = ", ".join(_text(token) for token in ("", *dialect.nulls))
        return names, (
            f"SELECT * FROM read_csv({_text(str(path))}, auto_detect=false, header=true, columns={{{types}}}, "
            f"delim={_text(dialect.delimiter)}, quote={_text(dialect.quote)}, escape={_text(dialect.quote)}, "
            f"nullstr=[{nulls}], encoding={_text(dialect.encoding)}, ignore_errors=false, null_padding=false)"
        )

    def _parquet(self, path: Path) -> tuple[list[str], str]:
        source = f"read_parquet({_text(str(path))})"
        columns = [(str(row[0]), str(row[1])) for row in self._run(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        cells = []
        for position, (name, type_) in enumerate(columns):
            cell = _name(name)
            text = f"CAST({cell} AS VARCHAR)"
            if type_ in ("FLOAT", "DOUBLE"):
                # The shortest text of the number, written without exponent, so CSV and Parquet count alike.
                plain = f"CAST(TRY_CAST({text} AS DECIMAL(38,18)) AS VARCHAR)"
                text = f"CASE WHEN isnan({cell}) THEN NULL ELSE COALESCE({plain}, {text}) END"
            cells.append(f"NULLIF({text}, '') AS c{position}")
        return [name for name, _ in columns], f"SELECT {', '.join(cells)} FROM {source}"

    def _kind(self, column: ColumnSpec) -> ColumnSpec:
        kind = column.kind or _KINDS[column.type]
        if column.type not in _TYPES_OF_KIND.get(kind, (column.type,)):
            expected = " | ".join(_TYPES_OF_KIND[kind])
            raise PricingRefused("INPUT_FORM", f"data.columns.{column.name}.type", expected, column.type)
        if column.edges and kind != "continuous":
            raise PricingRefused("INPUT_FORM", f"data.columns.{column.name}.kind", "continuous", kind)
        return replace(column, kind=kind)

    def _infer(self, position: int, name: str) -> ColumnSpec:
        """The narrowest type that every value of the column has, and the kind that goes with it."""
        types: tuple[ValueType, ...] = ("integer", "decimal", "date", "timestamp")
        if self._int(f"SELECT count(*) FROM g{position} WHERE v IS NOT NULL"):
            for type_ in types:
                misses = f"SELECT count(*) FROM g{position} WHERE v IS NOT NULL AND ({_typed('v', type_)}) IS NULL"
                if self._int(misses) == 0:
                    return ColumnSpec(name, type_, _KINDS[type_])
        return ColumnSpec(name, "text", "categorical")

    def profile(self, position: int, bins: int, calendar: Calendar) -> ColumnCounts:
        """Counts of one column: empty, invalid and distinct cells and the (count, multiplicity) pairs."""
        column = self.columns[position]
        self._run(f"CREATE OR REPLACE TEMP TABLE x AS SELECT {_typed('v', column.type)} AS x, v, n FROM g{position}")
        category, binning = self._binned(column, bins, calendar)
        nulls = self._int("SELECT sum(n) FROM x WHERE v IS NULL")
        invalid = self._int("SELECT sum(n) FROM x WHERE v IS NOT NULL AND x IS NULL")
        groups = f"SELECT {category} AS k, CAST(sum(n) AS BIGINT) AS c FROM x WHERE x IS NOT NULL GROUP BY k"
        pairs = self._run(f"SELECT c, count(*) FROM ({groups}) GROUP BY c ORDER BY c DESC").fetchall()
        return ColumnCounts(
            name=column.name,
            kind=column.kind or "categorical",
            inferred=self._inferred[position],
            rows=self.rows,
            nulls=nulls,
            invalid=invalid,
            distinct=sum(times for _, times in pairs),
            profile=tuple((int(c), int(times)) for c, times in pairs),
            binning=binning,
        )

    def _binned(self, column: ColumnSpec, bins: int, calendar: Calendar) -> tuple[str, Binning | None]:
        if column.kind == "timestamp":
            local = f"make_timestamp(x + {_SHANGHAI_US})"
            return f"date_trunc('{calendar}', {local})", Binning("bin.calendar@1", unit=calendar)
        if column.kind != "continuous":
            return "x", None
        if column.edges:
            edges = [number(edge, f"data.columns.{column.name}.edges") for edge in column.edges]
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise PricingRefused(
                    "INPUT_FORM", f"data.columns.{column.name}.edges", "严格递增 / rising", column.edges
                )
            found = Binning("bin.fixed_edges@1", edges=column.edges)
            return _bin_of(column.edges, outside=True), found
        row = self._run("SELECT min(x), max(x) FROM x").fetchone()
        if row is None or row[0] is None:
            return "x", Binning("bin.equal_width@1", bins=bins)
        texts = equal_width_edges(Decimal(row[0]), Decimal(row[1]), bins)
        return _bin_of(texts, outside=False), Binning("bin.equal_width@1", edges=texts, bins=bins)

    def _column(self, rule: Rule) -> tuple[int, ColumnSpec]:
        if len(rule.columns) != 1:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "一列 / one column", list(rule.columns))
        return self._position(rule, rule.columns[0])

    def _position(self, rule: Rule, name: str) -> tuple[int, ColumnSpec]:
        if name not in self._index:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", " | ".join(self._index)[:200], name)
        position = self._index[name]
        return position, self.columns[position]

    def rule(self, rule: Rule, as_of: int) -> RuleCount:
        """Runs one rule over all rows. Raises INPUT_FORM for a rule that does not fit its column or parameters."""
        runners: dict[str, Callable[[Rule, int], tuple[int, int]]] = {
            "null_ratio": lambda rule, _: self._on_values(rule, "v IS NOT NULL", over="true"),
            "record_count": self._record_count,
            "format_regex": self._format,
            "type": self._type,
            "code_list": self._code_list,
            "range": self._range,
            "unique_key": self._unique_key,
            "duplicate_rows": lambda *_: (self.rows, self._int("SELECT count(*) FROM (SELECT DISTINCT * FROM t)")),
            "cross_field": self._cross_field,
            "freshness": self._freshness,
            "reported": _reported,
        }
        applicable, passed = runners[rule.kind](rule, as_of)
        return RuleCount(rule, applicable, passed)

    def _on_values(self, rule: Rule, test: str, over: str = "v IS NOT NULL") -> tuple[int, int]:
        position, _ = self._column(rule)
        applicable = self._int(f"SELECT sum(n) FROM g{position} WHERE {over}")
        return applicable, self._int(f"SELECT sum(n) FROM g{position} WHERE ({over}) AND ({test})")

    def _record_count(self, rule: Rule, as_of: int) -> tuple[int, int]:
        expected = integer(_needed(rule, "expected"), f"rules.{rule.id}.parameters.expected", 1)
        return expected, min(self.rows, expected)

    def _format(self, rule: Rule, as_of: int) -> tuple[int, int]:
        pattern = _needed(rule, "pattern")
        where = f"rules.{rule.id}.parameters.pattern"
        if not isinstance(pattern, str) or _CLASS_ESCAPE.search(pattern) or not pattern.isascii():
            raise PricingRefused("INPUT_FORM", where, "明写字符类 / explicit ASCII classes such as [0-9]", pattern)
        return self._on_values(rule, f"regexp_full_match(v, {_text(pattern)})")

    def _type(self, rule: Rule, as_of: int) -> tuple[int, int]:
        _, column = self._column(rule)
        return self._on_values(rule, f"({_typed('v', column.type)}) IS NOT NULL")

    def _code_list(self, rule: Rule, as_of: int) -> tuple[int, int]:
        values = _needed(rule, "values")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters.values", "文本列表 / list of text", values)
        return self._on_values(rule, f"v IN ({', '.join(_text(value) for value in values)})")

    def _range(self, rule: Rule, as_of: int) -> tuple[int, int]:
        _, column = self._column(rule)
        low, high = (_operand(rule, column, _needed(rule, end)) for end in ("low", "high"))
        return self._on_values(rule, f"({_typed('v', column.type)}) BETWEEN {low} AND {high}")

    def _unique_key(self, rule: Rule, as_of: int) -> tuple[int, int]:
        cells = [f"c{self._position(rule, name)[0]}" for name in rule.columns]
        if not cells:
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "至少一列 / at least one", [])
        full = f"FROM t WHERE {' AND '.join(f'{cell} IS NOT NULL' for cell in cells)}"
        return (
            self._int(f"SELECT count(*) {full}"),
            self._int(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(cells)} {full})"),
        )

    def _freshness(self, rule: Rule, as_of: int) -> tuple[int, int]:
        _, column = self._column(rule)
        if column.type not in ("date", "timestamp"):
            raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.columns", "date | timestamp", column.type)
        age = integer(_needed(rule, "max_age_s"), f"rules.{rule.id}.parameters.max_age_s") * _MICRO
        return self._on_values(rule, f"{as_of * _MICRO} - ({_typed('v', column.type)}) BETWEEN 0 AND {age}")

    def _cross_field(self, rule: Rule, as_of: int) -> tuple[int, int]:
        expression = self._expression(rule, _needed(rule, "expression"), 0)
        row = self._run(f"SELECT count(e), count(*) FILTER (WHERE e) FROM (SELECT {expression} AS e FROM t)").fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

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
                operand = f"({_typed(f'c{other_position}', other.type)})"
            else:
                operand = _operand(rule, column, right)
            return f"(({_typed(f'c{position}', column.type)}) {_COMPARE[op]} {operand})"
        raise PricingRefused("INPUT_FORM", where, "and | or | not | lt | le | eq | ne | ge | gt", node)


def _needed(rule: Rule, name: str) -> Any:
    if name not in rule.parameters:
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters.{name}", "必填 / required", "缺失 / missing")
    return rule.parameters[name]


def _reported(rule: Rule, as_of: int) -> tuple[int, int]:
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
        return f"CAST({_text(format(number(value, f'rules.{rule.id}.parameters'), 'f'))} AS DECIMAL(38,18))"
    if not isinstance(value, str):
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters", f"{column.type} 文本 / text", value)
    if column.type in PATTERNS and not re.fullmatch(PATTERNS[column.type], value):
        raise PricingRefused("INPUT_FORM", f"rules.{rule.id}.parameters", PATTERNS[column.type], value)
    return f"({_typed(_text(value), column.type)})"


def _edge(text: str) -> str:
    return f"CAST({_text(text)} AS DECIMAL(38,18))"


def _bin_of(edges: Sequence[str], *, outside: bool) -> str:
    """SQL of the bin number of x: edge_j ≤ x < edge_j+1, the last bin closed; below and above them when `outside`."""
    last = len(edges) - 2
    below = [f"WHEN x < {_edge(edges[0])} THEN -1"] if outside else []
    inner = [f"WHEN x < {_edge(edge)} THEN {j}" for j, edge in enumerate(edges[1:-1])]
    end = [f"WHEN x <= {_edge(edges[-1])} THEN {last}"] if outside else []
    return " ".join(["CASE", *below, *inner, *end, f"ELSE {last + 1 if outside else last} END"])
