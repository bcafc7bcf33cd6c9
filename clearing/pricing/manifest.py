"""What a data file is declared to be, and what counting it returned: integers, kinds, digests; nothing of the data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from clearing.pricing.arithmetic import exact
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import ColumnCounts, Kind, TupleCounts
from clearing.pricing.quality import Assessed, Count, Rule, RuleCount
from ledger.digest import TwinDigest

Format = Literal["csv", "parquet", "xlsx", "table"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]
ValueType = Literal["text", "integer", "decimal", "date", "timestamp", "boolean", "nested"]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_PLACES = Decimal("1E-18")


@dataclass(frozen=True, slots=True)
class Digests:
    """A twin digest inside a document, lower-case hex."""

    sha256: Hex32
    sm3: Hex32

    @classmethod
    def of(cls, digest: TwinDigest) -> Digests:
        return cls(digest.sha256.hex(), digest.sm3.hex())


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written. `nulls` are the texts that mean "no value", besides the empty cell.

    A byte order mark is never part of a name, under "utf-8" as under "utf-8-sig". Of a workbook only `nulls` counts.
    """

    encoding: Encoding = "utf-8"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = '"'
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One declared column. Without `kind` both are inferred once and written down; `edges` asks for fixed bins."""

    name: str
    type: ValueType = "text"
    kind: Kind | None = None
    edges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataSpec:
    """A declared data file: format, dialect (CSV), columns (any not named is inferred), quality rules.

    `rows` and `sha256`, when given, must equal what is found (step 1 of the evaluation). `part` names the sheet of a
    workbook (absent: the first) or the table or view of a database (needed).
    """

    name: str
    format: Format
    columns: tuple[ColumnSpec, ...] = ()
    rules: tuple[Rule, ...] = ()
    assessed: tuple[Assessed, ...] = ()
    dialect: Dialect = Dialect()
    rows: Count | None = None
    sha256: Hex32 | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestColumn:
    """A column as it was read."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Manifest:
    """Step 1 确认数据: the file, its digests, size in bytes, rows and schema.

    `dialect` for CSV, and for a workbook read with null tokens. Digest and size are those of the file as it lies, of a
    table those of its canonical bytes (`source_table`).
    """

    name: str
    format: Format
    size: Count
    digest: Digests
    rows: Count
    columns: tuple[ManifestColumn, ...]
    dialect: Dialect | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Everything pricing needs from the data: manifest, rule counts, assessed dimensions, column profiles.

    `tuples` only where the policy's columns strategy asks for them.
    """

    manifest: Manifest
    rules: tuple[RuleCount, ...]
    columns: tuple[ColumnCounts, ...]
    assessed: tuple[Assessed, ...] = ()
    tuples: TupleCounts | None = None


def check_rows(counted: Counted) -> None:
    """Every column, and the tuples, have as many cells as the manifest has rows. Raises INPUT_FORM with the column."""
    rows = counted.manifest.rows
    for column in counted.columns:
        if column.rows != rows:
            raise PricingRefused(
                "INPUT_FORM", f"counted.columns.{column.name}.rows", f"manifest.rows = {rows}", column.rows
            )
    if counted.tuples is not None and counted.tuples.rows != rows:
        raise PricingRefused("INPUT_FORM", "counted.tuples.rows", f"manifest.rows = {rows}", counted.tuples.rows)


@exact
def equal_width_edges(low: Decimal, high: Decimal, bins: int) -> tuple[str, ...]:
    """`bins`+1 rising edges over [low, high] as texts of 18 decimals; rows are assigned by comparison with them only.

    A constant column has the two edges (low, low): one bin. Edges that would coincide at 18 decimals are merged.
    """
    edges = [low + (high - low) * j / bins for j in range(bins)] + [high]
    texts = list(dict.fromkeys(format(edge.quantize(_PLACES) + 0, "f") for edge in edges))
    return tuple(texts) if len(texts) > 1 else (texts[0], texts[0])
