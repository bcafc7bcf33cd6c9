"""A table's sketch: for small groups of its telling columns, the smallest names over its rows.

Which rows have a small name is decided by the row alone, so two tables that share rows share the smallest of them,
whatever their order, column names or the other columns (bottom-k sampling; A. Broder, 1997). A group of columns is
kept only if two disjoint halves of this very table hardly share names in it: then a shared name means a shared row.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np
from msgspec import Meta

from ledger import canonical
from ledger.errors import FieldError
from ledger.reading import body_of, read
from registry.likeness.columns import FAMILIES, Column, Names, names

METHOD = "shuqing-rows/v1"
KEPT = 64
"""Smallest names kept of each group."""
TELLING = {2: 14, 3: 8}
"""By size of a group, how many columns are grouped: those whose values tell most of their row."""
BY_CHANCE = 150
"""‰ of names that two halves of a table may share in a group that is kept."""
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its columns by name, the family of names used, and its smallest names, ascending, 8 bytes each."""

    family: Annotated[str, Meta(pattern=r"^(digits|multiples|offsets)\Z")]
    columns: tuple[str, ...]
    smallest: str

    @property
    def names(self) -> tuple[int, ...]:
        """The smallest names as integers, ascending."""
        data = base64.b64decode(self.smallest)
        return tuple(int.from_bytes(data[i : i + 8], "big") for i in range(0, len(data), 8))


@dataclass(frozen=True, slots=True)
class Sketch:
    """A table's sketch; without a group there is nothing that tells its rows from rows of the same sort."""

    rows: int
    columns: int
    groups: tuple[Group, ...]


def sketch(columns: Sequence[Column]) -> Sketch:
    """The sketch of a table whose columns all have the same number of rows."""
    rows = len(columns[0].codes) if columns else 0
    if rows < LEAST_ROWS:
        return Sketch(rows, len(columns), ())
    telling = sorted((column for column in columns if not column.is_numbering), key=lambda item: item.collisions)
    named = [(column.name, names(column)) for column in telling[: max(TELLING.values())]]
    half = _halves(rows)
    return Sketch(rows, len(columns), tuple(_groups(named, half)))


def lines_of(made: Sketch) -> tuple[bytes, ...]:
    """A sketch as parts of a fact: one canonical document a group."""
    return tuple(canonical.encode(body_of(group)) for group in made.groups)


def groups_of(lines: Sequence[bytes]) -> tuple[Group, ...]:
    """The groups in such lines. Raises `FieldError`."""
    groups = tuple(read(Group, canonical.decode(line), f"parts[{place}]") for place, line in enumerate(lines))
    for place, group in enumerate(groups):
        try:
            found = group.names
        except ValueError:
            found = ()
        if not 0 < len(found) <= KEPT or list(found) != sorted(set(found)):
            raise FieldError(
                f"parts[{place}].smallest", f"1–{KEPT} 个递增的 8 字节 / ascending names", group.smallest[:40]
            )
    return groups


def _groups(named: Sequence[tuple[str, tuple[Names, Names, Names]]], half: np.ndarray) -> Iterator[Group]:
    for place, family in enumerate(FAMILIES):
        for size, among in TELLING.items():
            for chosen in combinations(named[:among], size):
                values = [item[1][place] for item in chosen]
                if place and all(np.shares_memory(item[1][place], item[1][0]) for item in chosen):
                    continue  # text only: the same names as by digits
                rows, whole = _together(values)
                one, other = _smallest(rows[half[whole]]), _smallest(rows[~half[whole]])
                if len(one) and len(other) and shared(one, other) <= BY_CHANCE:
                    smallest = _smallest(rows)
                    if len(smallest) == KEPT or len(smallest) * 2 > LEAST_ROWS:
                        yield Group(family, tuple(item[0] for item in chosen), _text(smallest))


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """‰ of the names of `one` that the table of `other` has too, as far as both sketches reach; 0 if none reach."""
    end = min(one[-1], other[-1])
    reached = [name for name in one if name <= end]
    return 1000 * len(set(reached) & set(other)) // len(reached) if reached else 0


def _together(values: Sequence[Names]) -> tuple[Names, np.ndarray]:
    """One name a row for a group, whatever the order of its columns, and the rows that have all of its values."""
    whole = np.logical_and.reduce([item != 0 for item in values])
    total = np.zeros(int(whole.sum()), dtype=np.uint64)
    for item in values:
        total += _mixed(item[whole])
    return _mixed(total), np.flatnonzero(whole)


def _mixed(value: Names) -> Names:
    """splitmix64's finisher (G. Steele and others, 2014): every bit of the input moves every bit of the output."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)), dtype=np.uint64)


def _smallest(rows: Names) -> list[int]:
    if len(rows) > 16 * KEPT:
        # Names may repeat, so more than KEPT are taken before they are made distinct.
        few = np.unique(np.partition(rows, 8 * KEPT)[: 8 * KEPT])
        if len(few) >= KEPT:
            return [int(name) for name in few[:KEPT]]
    return [int(name) for name in np.unique(rows)[:KEPT]]


def _halves(rows: int) -> np.ndarray:
    """Which rows belong to one half: by a fixed mixing of the row's place, so every run has the same halves."""
    return np.asarray(_mixed(np.arange(1, rows + 1, dtype=np.uint64)) & np.uint64(1), dtype=bool)


def _text(smallest: Sequence[int]) -> str:
    return base64.b64encode(b"".join(name.to_bytes(8, "big") for name in smallest)).decode()


def digest_of(lines: Sequence[bytes]) -> str:
    """SHA-256 over the lines of a sketch: the value that a form may name (art. 26: 数据指纹, voluntary)."""
    return hashlib.sha256(b"\n".join(lines)).hexdigest()
