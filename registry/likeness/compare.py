"""How much of one table's rows another one holds, by the groups of columns in which they agree best.

Both directions count: the smaller table may be a part of the larger one. A change of unit spoils a column in some
families, a dropped column spoils its groups; so the best groups speak, several of them, never one alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from registry.likeness.sketch import Group, shared

ALARM = 500
"""‰ of rows shared from which a person should look."""
VOICES = 2
"""Groups that must agree (one, where the smaller sketch has no more)."""
REACH = 12
"""Names below which the sketches of two groups say too little."""


@dataclass(frozen=True, slots=True)
class Match:
    """Two groups that agree: their columns, and the ‰ of the first's names the second has, and the other way."""

    columns: tuple[str, ...]
    others: tuple[str, ...]
    ours: int
    theirs: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a reviewer is told: ‰ of rows shared (the greater direction), the groups that say so, best first."""

    permille: int
    matches: tuple[Match, ...]

    @property
    def alarming(self) -> bool:
        """Should a person look?"""
        return self.permille >= ALARM


def compare(ours: Sequence[Group], theirs: Sequence[Group]) -> Likeness:
    """The likeness of two tables by their groups."""
    where: dict[tuple[str, int], list[int]] = defaultdict(list)
    named = [group.names for group in theirs]
    for place, group in enumerate(theirs):
        for name in named[place]:
            where[group.family, name].append(place)
    matches = []
    for group in ours:
        own = group.names
        met = Counter(place for name in own for place in where.get((group.family, name), ()))
        for place, _ in met.most_common(3):
            other = named[place]
            match = Match(group.columns, theirs[place].columns, _held(own, other), _held(other, own))
            if match.ours or match.theirs:
                matches.append(match)
    matches.sort(key=lambda item: (-max(item.ours, item.theirs), item.columns, item.others))
    voices = min(VOICES, len(ours), len(theirs))
    best = _distinct(matches)[: max(voices, 5)]
    if voices == 0 or len(best) < voices:
        return Likeness(0, tuple(best))
    return Likeness(max(best[voices - 1].ours, best[voices - 1].theirs), tuple(best))


def _held(one: Sequence[int], other: Sequence[int]) -> int:
    """‰ of the names of `one` that `other` has; 0 where the sketches overlap in too few to say."""
    end = min(one[-1], other[-1])
    return shared(one, other) if sum(name <= end for name in one) >= REACH else 0


def _distinct(matches: Sequence[Match]) -> list[Match]:
    """The best match of each group of ours."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for match in matches:
        if match.columns not in seen:
            seen.add(match.columns)
            kept.append(match)
    return kept
