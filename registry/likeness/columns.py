"""What a value is, whatever its spelling or unit: three 64-bit names, so that a change of unit leaves one of them.

*digits*: the value's digits without its scale, so that metres and kilometres are the same number; text is folded (NFKC,
one case, no white space). *multiples*: how many steps of the column's own usual distance the value is, so that miles
and kilometres are the same number. *offsets*: the same, counted from the most frequent value, so that Celsius and
Fahrenheit are. All is integer arithmetic on the text of the value.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Names = npt.NDArray[np.uint64]

_NUMBER = re.compile(r"([+-]?)([0-9]{1,15})(?:\.([0-9]{1,12}))?")
_SCALE = 12
"""Decimal places kept while counting steps."""
_FITTED = 2_000
"""So many distinct values decide the exact step."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its distinct values: `codes` name one of `values` for each row, −1 where there is none."""

    name: str
    values: tuple[str, ...]
    codes: npt.NDArray[np.int64]

    @property
    def collisions(self) -> int:
        """Σ count², no value counted as one value: the smaller, the more a value of this column tells of its row."""
        counts = np.bincount(self.codes + 1, minlength=len(self.values) + 1).astype(object)
        return int(sum(int(count) ** 2 for count in counts))

    @property
    def is_numbering(self) -> bool:
        """Do the values only number the rows? Every table of so many rows has those."""
        numbers = _scaled(self.values)
        if numbers is None or len(numbers) < 2 or len(self.values) * 100 < len(self.codes) * 98:
            return False
        ordered = sorted(set(numbers))
        step = usual_distance(ordered)
        steps = sum(_rounded(b - a) == step for a, b in pairwise(ordered))
        return steps * 5 >= len(ordered) and ordered[-1] - ordered[0] < 4 * len(self.codes) * step


FAMILIES = ("digits", "multiples", "offsets")


def names(column: Column) -> tuple[Names, Names, Names]:
    """The names of each row's value in the order of `FAMILIES` (one and the same for text); 0 where there is none."""
    digits = _of_rows(column, [_folded(value) for value in column.values])
    numbers = _scaled(column.values)
    step = _step_of(sorted(set(numbers))) if numbers is not None else 0
    if numbers is None or step == 0:
        return digits, digits, digits
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(numbers))
    usual = numbers[int(np.argmax(counts))]
    multiples = _of_rows(column, [_counted(number, step) for number in numbers])
    return digits, multiples, _of_rows(column, [_counted(number - usual, step) for number in numbers])


def usual_distance(ordered: Sequence[int]) -> int:
    """The most frequent distance between neighbours of ascending distinct numbers, to three digits; 0 without any."""
    distances = Counter(_rounded(b - a) for a, b in pairwise(ordered))
    if not distances:
        return 0
    most = max(distances.values())
    return min(distance for distance, count in distances.items() if count == most)


def _of_rows(column: Column, texts: Sequence[str]) -> Names:
    table = np.zeros(len(texts) + 1, dtype=np.uint64)
    for place, text in enumerate(texts):
        table[place] = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") | 1
    return np.asarray(table[column.codes], dtype=np.uint64)  # code −1 is the last place, which stays 0


def _folded(value: str) -> str:
    found = _NUMBER.fullmatch(value.strip())
    if found is None:
        return "t" + "".join(unicodedata.normalize("NFKC", value).casefold().split())
    digits = (found[2] + (found[3] or "")).strip("0")
    return f"n{found[1] if found[1] == '-' and digits else ''}{digits[:7]}"


def _scaled(values: Sequence[str]) -> list[int] | None:
    """The values as integers of 10^-12, or `None` unless nineteen of twenty are numbers; others count as 0."""
    numbers, odd = [], 0
    for value in values:
        found = _NUMBER.fullmatch(value.strip())
        if found is None:
            odd += 1
            numbers.append(0)
            continue
        size = int(found[2]) * 10**_SCALE + int((found[3] or "").ljust(_SCALE, "0"))
        numbers.append(-size if found[1] == "-" else size)
    return numbers if numbers and odd * 20 <= len(values) else None


def _step_of(ordered: Sequence[int]) -> int:
    """The usual distance, made exact: fitted to ever more distant values, as far as it still names them surely."""
    step = usual_distance(ordered)
    if step == 0:
        return 0
    near = [b - a for a, b in pairwise(ordered) if _rounded(b - a) == step]
    step = sum(near) // len(near)
    sample = [value - ordered[0] for value in ordered[:: len(ordered) // _FITTED + 1]]
    for reach in (8, 64, 512, 4096, 32768):
        counted = [(value, (value + step // 2) // step) for value in sample]
        fits = [(value, k) for value, k in counted if 0 < k <= reach and abs(value - k * step) * 4 <= step]
        if fits:
            step = sum(value * k for value, k in fits) // sum(k * k for _, k in fits)
    return step


def _counted(distance: int, step: int) -> str:
    whole = (distance + step // 2) // step
    off = abs(distance - whole * step)
    return f"s{whole}" if off * 4 <= step else f"o{distance * 8 // step}"


def _rounded(distance: int) -> int:
    unit: int = 10 ** max(0, len(str(distance)) - 3)
    return (distance + unit // 2) // unit * unit
