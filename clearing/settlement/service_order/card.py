"""What a score card is made of: classes with weights, rows with points, as one signed value (4.3.1, 4.3.2).

Points are exact decimals written as text. A row says how what happened becomes points, so a card is data and the
scoring has no word of any one tender in it. 「扣完为止」 is the class's (S7): a tender in which a part of a class runs
out by itself signs that part as a class of its own. Source: domain clearing §5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from clearing.terms import Positive, Short

Figure = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,11})(\.[0-9]{0,7}[1-9])?\Z")]
"""An exact decimal ≥ 0 in its one writing: "2", "0.5"."""
Code = Annotated[str, Meta(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?\Z")]
FULL = 100


class Measure(StrEnum):
    """How one event of a row becomes points.

    - EVENT 每次: `points`, and `per_week` for each week of delay after `grace_weeks`, times the count
    - STEPS 每档: `points` for each whole `step` in the share part/whole
    - SHORTFALL 每低一档: `points` for each whole `step` by which part/whole is below `target`
    - STATED 按认定: what the deciding document states, from `points` to `most`
    - COMPLAINTS 投诉: one costs `points`, two or more leave nothing of the class
    - FORFEIT 不得分: one leaves nothing of the class
    - RATE 按率得分: of `points` the share part/whole is kept, nothing below `target`
    - SURVEY 按分档: the `bands` of a surveyed score
    """

    EVENT = "event"
    STEPS = "steps"
    SHORTFALL = "shortfall"
    STATED = "stated"
    COMPLAINTS = "complaints"
    FORFEIT = "forfeit"
    RATE = "rate"
    SURVEY = "survey"


class Effect(StrEnum):
    """扣本类 · 扣总分 · 加分: what the points are taken from, or given to."""

    CLASS = "class"
    TOTAL = "total"
    BONUS = "bonus"


ONCE = frozenset({Measure.RATE, Measure.SURVEY})
"""Measures without which a card has no score: each such row has exactly one event."""


@dataclass(frozen=True, slots=True)
class SurveyBand:
    """`points` lost for a surveyed score from `start` (inclusive) to `end` (exclusive, none in the last)."""

    start: Figure
    points: Figure
    end: Figure | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a card. Which fields count depends on `measure`; `check_card` refuses the others.

    `cap` is the most a bonus row can give. `elsewhere`: a fact that another row of the card deducts is not taken here
    (「除按照本考核体系已完成扣分的以外」). `liable`: counts only what an authority's document says the provider answers
    for (有责、乙方原因、责任事故, S11).
    """

    code: Code
    name: Short
    measure: Measure
    points: Figure = "0"
    per_week: Figure = "0"
    grace_weeks: Annotated[int, Meta(ge=0, le=52)] = 0
    most: Figure | None = None
    step: Figure | None = None
    target: Figure | None = None
    bands: tuple[SurveyBand, ...] = ()
    effect: Effect = Effect.CLASS
    cap: Figure | None = None
    elsewhere: bool = False
    liable: bool = False


@dataclass(frozen=True, slots=True)
class ScoreClass:
    """A class of a card; `weight` 0 is 其他, whose rows meet the total."""

    code: Code
    name: Short
    weight: Annotated[int, Meta(ge=0, le=FULL)]
    rows: Annotated[tuple[Row, ...], Meta(min_length=1, max_length=60)]


@dataclass(frozen=True, slots=True)
class Card:
    """A score card: its classes' weights sum to 100."""

    name: Short
    version: Positive
    classes: Annotated[tuple[ScoreClass, ...], Meta(min_length=1, max_length=40)]


def check_card(card: Card, field: str) -> None:
    """Raises BadTerms for weights that do not sum to 100, codes that come twice, and rows that cannot be counted."""
    _require(sum(item.weight for item in card.classes) == FULL, f"{field}.classes", f"weights of {FULL}", card.name)
    codes = [item.code for item in card.classes] + [row.code for item in card.classes for row in item.rows]
    _require(len(set(codes)) == len(codes), f"{field}.classes", "每个编号一次 / each code once", sorted(codes)[:5])
    for place, item in enumerate(card.classes):
        for position, row in enumerate(item.rows):
            _check_row(row, item.weight, f"{field}.classes[{place}].rows[{position}]")


def check_bands(bounds: tuple[tuple[str, str | None], ...], field: str) -> None:
    """Bands (start inclusive, end exclusive) that cover every decimal ≥ 0 once: ascending from 0, no gap, no overlap,
    the last without end. Raises BadTerms."""
    expected = Fraction(0)
    _require(bool(bounds), field, "至少一档 / one band at least", "none")
    for place, (start, end) in enumerate(bounds):
        _require(Fraction(start) == expected, f"{field}[{place}].start", str(expected), start)
        last = place == len(bounds) - 1
        _require(
            (end is None) == last, f"{field}[{place}].end", "最后一档无上限，其余有 / absent in the last only", end
        )
        if end is not None:
            _require(Fraction(end) > Fraction(start), f"{field}[{place}].end", f"> {start}", end)
            expected = Fraction(end)


def _check_row(row: Row, weight: int, field: str) -> None:
    given = {name: getattr(row, name) is not None for name in ("most", "step", "target")}
    wanted = {
        "most": (row.measure is Measure.STATED,),
        "step": (row.measure in (Measure.STEPS, Measure.SHORTFALL),),
        "target": (True,) if row.measure is Measure.SHORTFALL else (row.measure is Measure.RATE, False),
    }
    for name, allowed in wanted.items():
        expected = f"{row.measure}: {'必填 / given' if allowed[0] else '不填 / absent'}"
        _require(given[name] in allowed, f"{field}.{name}", expected, getattr(row, name))
    _require(
        (row.measure is Measure.SURVEY) == bool(row.bands), f"{field}.bands", f"{Measure.SURVEY} only", row.measure
    )
    weekly = row.per_week != "0" or row.grace_weeks != 0
    _require(not weekly or row.measure is Measure.EVENT, f"{field}.per_week", f"{Measure.EVENT} only", row.measure)
    if row.bands:
        check_bands(tuple((band.start, band.end) for band in row.bands), f"{field}.bands")
        lost = [Fraction(band.points) for band in row.bands]
        falling = all(one >= other for one, other in pairwise(lost))
        _require(falling, f"{field}.bands", "分高不多扣 / a higher survey loses no more", [b.points for b in row.bands])
    if row.most is not None:
        _require(Fraction(row.most) >= Fraction(row.points), f"{field}.most", f"≥ {row.points}", row.most)
    if row.step is not None:
        _require(Fraction(row.step) > 0, f"{field}.step", "> 0", row.step)
    if row.target is not None:
        _require(Fraction(row.target) <= 1, f"{field}.target", "≤ 1", row.target)
    bonus = row.effect is Effect.BONUS
    _require(bonus == (row.cap is not None), f"{field}.cap", "加分必填，其余不填 / of a bonus only", row.cap)
    plain = row.measure in (Measure.EVENT, Measure.STATED) and row.per_week == "0"
    _require(not bonus or plain, f"{field}.measure", f"{Measure.EVENT} | {Measure.STATED}", row.measure)
    _require(weight > 0 or row.effect is not Effect.CLASS, f"{field}.effect", "其他无本类 / no class to take from", 0)


def _require(holds: bool, field: str, expected: str, given: object) -> None:
    if not holds:
        raise BadTerms(field, expected, given)
