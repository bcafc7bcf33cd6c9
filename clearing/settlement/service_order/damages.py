"""违约金: of months by their score, of incidents by 5.5.2; and the right to terminate, which nobody exercises here.

A month's damages fall away by a signed decision dated before the acceptance, and by nothing else; the score stays and
still counts towards termination (S6). An incident costs the one row its 监理 document names (S9).
Source: domain clearing §5 (4.5, 5.5.1, 5.5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from clearing.errors import BadTerms
from clearing.settlement.service_order.scheme import MonthBand, Scheme


@dataclass(frozen=True, slots=True)
class MonthScore:
    """A month "YYYY-MM" of the 项目周期 with its exact score and when its waiver went on record, seconds UTC."""

    month: str
    score: str
    waived_at: int | None = None


@dataclass(frozen=True, slots=True)
class MonthDamages:
    """What a month costs in fen; `waived` is what it would have cost."""

    month: str
    score: str
    fen: int
    waived: int


@dataclass(frozen=True, slots=True)
class IncidentDamages:
    """What an incident costs under row `number` of 5.5.2: 0 where the stacking rule leaves it to the score."""

    fact: str
    number: int
    fen: int
    also_scored: bool


@dataclass(frozen=True, slots=True)
class Right:
    """可以解除: a right the buyer has since `month`, on the ground of these months."""

    month: str
    months: tuple[str, ...]
    ground: str


def band_of(score: str, scheme: Scheme) -> MonthBand:
    """The band a monthly score in [0, 100] falls into, looked up on the exact number."""
    exact = Fraction(score)
    if not 0 <= exact <= 100:
        raise BadTerms("score", "0 … 100", score)
    return next(band for band in reversed(scheme.month_bands) if Fraction(band.start) <= exact)


def month_fen(score: str, scheme: Scheme) -> int:
    """Damages of a monthly score in [0, 100], fen."""
    return band_of(score, scheme).fen


def month_damages(month: MonthScore, accepted_at: int, scheme: Scheme) -> MonthDamages:
    """Damages of a month; its waiver counts if it went on record before the acceptance (seconds UTC)."""
    due = month_fen(month.score, scheme)
    waived = month.waived_at is not None and month.waived_at < accepted_at
    return MonthDamages(month.month, month.score, 0 if waived else due, due if waived else 0)


def incident_fen(number: int, scheme: Scheme) -> int:
    """Damages of a row of 5.5.2, fen. Raises BadTerms for a number that is none."""
    found = [row.fen for row in scheme.incidents if row.number == number]
    if not found:
        raise BadTerms("incident.number", " | ".join(str(row.number) for row in scheme.incidents), number)
    return found[0]


def termination(months: Sequence[MonthScore], scheme: Scheme) -> Right | None:
    """The right to terminate as the months give it, in their order, the first ground alone; waived months count.

    `months` follow each other without a gap.
    """
    bad: list[str] = []
    row: list[str] = []
    for item in months:
        if Fraction(item.score) >= Fraction(scheme.below):
            row = []
            continue
        row.append(item.month)
        bad.append(item.month)
        if len(row) >= scheme.in_a_row:
            return Right(item.month, tuple(row), f"连续 {scheme.in_a_row} 次 / {scheme.in_a_row} in a row")
        if len(bad) >= scheme.in_total:
            return Right(item.month, tuple(bad), f"累计 {scheme.in_total} 次 / {scheme.in_total} in total")
    return None
