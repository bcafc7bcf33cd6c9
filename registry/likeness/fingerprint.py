"""数据指纹 as a fact (guide art. 26, voluntary): whose data, which content, which method; the groups are its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ledger.errors import FieldError
from registry.asset import Count, Short, Twin
from registry.form import Identity
from registry.likeness.compare import Likeness
from registry.likeness.sketch import METHOD, Group, Sketch, digest_of, groups_of, lines_of

FINGERPRINT = "fingerprint/v1"
FIRST = 8
"""Names of each group that are looked up; the smallest, so two sketches of shared rows share about half of them."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Body of fingerprint/v1, signed by the holder: `content` is the digest the form names, `value` that of the lines.

    `rows` and `columns` count the table, `groups` the parts.
    """

    holder: Identity
    content: Twin
    method: Short
    value: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    rows: Count
    columns: Count
    groups: Annotated[int, Meta(ge=1, le=1000)]


@dataclass(frozen=True, slots=True)
class Similar:
    """Data that shares rows: whose, under which certificates and applications, and how much."""

    fingerprint: str
    holder: str
    certificates: tuple[str, ...]
    applications: tuple[str, ...]
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Report:
    """What the reviewer reads: other matters about the very same content, and similar data, most similar first.

    `sketched` is False when no sketch of this data was handed in: then only the exact digest was compared.
    """

    application: str
    sketched: bool
    same_certificates: tuple[str, ...]
    same_applications: tuple[str, ...]
    similar: tuple[Similar, ...]


def fingerprint_of(holder: str, content: Twin, made: Sketch) -> tuple[Fingerprint, tuple[bytes, ...]]:
    """Body and parts of a sketch. Raises `FieldError` if the table has nothing that tells its rows apart."""
    if not made.groups:
        raise FieldError(
            "file",
            "能区分行的数据（至少 20 行，且有取值多样的列） / rows that can be told apart",
            f"{made.rows} 行 × {made.columns} 列 / rows × columns",
        )
    lines = lines_of(made)
    body = Fingerprint(holder, content, METHOD, digest_of(lines), made.rows, made.columns, len(lines))
    return body, lines


def check_fingerprint(body: Fingerprint, lines: Sequence[bytes]) -> tuple[Group, ...]:
    """The groups of a fingerprint. Raises `FieldError` unless body and parts belong together."""
    if body.method != METHOD:
        raise FieldError("body.method", METHOD, body.method)
    if len(lines) != body.groups or digest_of(lines) != body.value:
        raise FieldError(
            "body.value", f"{body.groups} 个分组的摘要 / the digest of the groups", f"{len(lines)} 个 / parts"
        )
    return groups_of(lines)


def looked_up(groups: Sequence[Group]) -> frozenset[int]:
    """The names by which candidates are found, as signed 64-bit integers."""
    return frozenset(_signed(name) for group in groups for name in group.names[:FIRST])


def _signed(name: int) -> int:
    return name - 2**64 if name >= 2**63 else name
