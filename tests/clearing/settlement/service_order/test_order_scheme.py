"""The tender's numbers, and what a signed scheme may not say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import BadTerms
from clearing.settlement.service_order.card import Card, Effect, Measure, Row, ScoreClass, SurveyBand
from clearing.settlement.service_order.scheme import (
    TENDER,
    Grade,
    IncidentRow,
    MonthBand,
    Rectified,
    Scheme,
    check,
)
from ledger.reading import body_of, read
from tests.clearing.settlement.service_order import naive
from tests.counts import few


def rows_of(card: Card) -> dict[str, Row]:
    return {row.code: row for item in card.classes for row in item.rows}


def word_of(row: Row) -> str:
    """The row in the writing of the naive table."""
    if row.measure is Measure.SHORTFALL:
        return "availability"
    if row.measure is Measure.RATE:
        return "performance" if row.target else "rate"
    if row.measure is Measure.SURVEY:
        return "survey"
    if row.measure is Measure.FORFEIT:
        return "all"
    if row.measure is Measure.COMPLAINTS:
        return f"complaint{row.points}"
    if row.measure is Measure.STEPS:
        return f"tenths{row.points}"
    text = row.points + (f"-{row.most}" if row.most else "")
    if row.per_week != "0":
        text = (
            (f"{text}+" if row.points != "0" else "")
            + f"{row.per_week}/w"
            + (f"-{row.grace_weeks}" * (row.grace_weeks > 0))
        )
    if row.effect is Effect.TOTAL:
        return f"total{text}"
    return f"+{text}max{row.cap}" if row.effect is Effect.BONUS else text


@pytest.mark.parametrize(
    ("card", "text", "weights"),
    [(TENDER.month_card, naive.MONTH, naive.MONTH_WEIGHTS), (TENDER.order_card, naive.ORDER, naive.ORDER_WEIGHTS)],
)
def test_cards__every_row__as_the_text_has_it(card: Card, text: dict[str, str], weights: dict[str, int]) -> None:
    assert {code: word_of(row) for code, row in rows_of(card).items()} == naive.rows(text)
    assert {item.code: item.weight for item in card.classes} == weights
    assert sum(weights.values()) == 100


def test_tender__is_accepted__and_survives_writing_and_reading() -> None:
    check(TENDER)
    assert read(Scheme, body_of(TENDER)) == TENDER
    assert [row.fen for row in TENDER.incidents] == [naive.INCIDENT_FEN[n] for n in range(1, 7)]
    assert (TENDER.first, TENDER.second, TENDER.settled) == (35, 45, 90)


A, B = Grade("A", "90", None, "1"), Grade("B", "0", "90", "0.5")
LATE = Row("1.1", "逾期", Measure.EVENT, "1", "2")


def of_rows(*rows: Row, weight: int = 100) -> Card:
    classes = [ScoreClass("1", "类", weight, rows)]
    if weight < 100:
        classes.append(ScoreClass("2", "余", 100 - weight, (Row("2.1", "行", Measure.EVENT, "1"),)))
    return Card("x", 1, tuple(classes))


BAD_BANDS = [
    ("grades", (replace(B, end="89"), A), "gap"),
    ("grades", (replace(B, end="91"), A), "overlap"),
    ("grades", (replace(B, start="1"), A), "from 0"),
    ("grades", (B, replace(A, end="100")), "an end"),
    ("grades", (replace(B, end=None), A), "no end"),
    ("grades", (A, B), "order"),
    ("grades", (replace(B, coefficient="1"), replace(A, coefficient="0.9")), "falls"),
    ("grades", (B, replace(A, coefficient=None)), "top waits"),
    ("grades", (B, replace(A, coefficient="1.1")), "above 1"),
    ("grades", (B, replace(A, name="B")), "twice"),
    ("grades", (replace(B, coefficient=None), replace(A, coefficient="0.7")), "below the rectified"),
    ("rectified", Rectified("60", "0", "0.8"), "rectified falls"),
    ("month_bands", (MonthBand("0", 0, "60"), MonthBand("60", 5)), "rises"),
    ("month_bands", (MonthBand("0", 9, "60"), MonthBand("61", 5)), "gap"),
    ("incidents", (IncidentRow(1, "甲", 1), IncidentRow(1, "乙", 2)), "twice"),
    ("levels", TENDER.levels[1:4] + TENDER.levels[:1] + TENDER.levels[4:], "order"),
    ("levels", TENDER.levels[:5], "one missing"),
    ("levels", TENDER.levels[:3] + TENDER.levels[4:], "gap above 0"),
    ("levels", (replace(TENDER.levels[0], row="99.1"), *TENDER.levels[1:]), "row"),
    ("fault_rows", replace(TENDER.fault_rows, recovery="3.99"), "row"),
    ("second", 66, "more than all"),
    ("order_card", of_rows(LATE, LATE), "code twice"),
    ("order_card", replace(of_rows(LATE), classes=of_rows(LATE, weight=99).classes[:1]), "99"),
    ("order_card", of_rows(replace(LATE, measure=Measure.STEPS, step="0.1")), "per week"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.STEPS)), "step"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.STEPS, step="0")), "step 0"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.SHORTFALL, step="0.1")), "target"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.RATE, target="1.5")), "target"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.STATED)), "most"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.STATED, points="3", most="2")), "most"),
    ("order_card", of_rows(replace(LATE, per_week="0", effect=Effect.BONUS)), "cap"),
    ("order_card", of_rows(replace(LATE, effect=Effect.BONUS, cap="5")), "weekly bonus"),
    ("order_card", of_rows(replace(LATE, cap="5")), "cap of a deduction"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.SURVEY)), "bands"),
    ("order_card", of_rows(replace(LATE, per_week="0", measure=Measure.SURVEY,
                                   bands=(SurveyBand("0", "1", "60"), SurveyBand("60", "2")))), "rises"),
    ("order_card", replace(of_rows(LATE), classes=(ScoreClass("1", "类", 100, (LATE,)),
                                                   ScoreClass("2", "他", 0, (replace(LATE, code="2.1"),)))), "class"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "why"), BAD_BANDS, ids=[f"{n}-{w}" for n, _, w in BAD_BANDS])
def test_check__what_cannot_be_settled__names_the_field(name: str, value: object, why: str) -> None:
    with pytest.raises(BadTerms) as refused:
        check(replace(TENDER, **{name: value}))
    expected = {"rectified": "grades", "fault_rows": "levels"}.get(name, name)
    assert refused.value.field.startswith(f"scheme.{expected}"), refused.value.field


bounds = st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(sorted)


@settings(deadline=None, max_examples=few(60))
@given(bounds, st.data())
def test_check__bands_moved_by_anything__are_refused(cuts: list[int], data: st.DataObject) -> None:
    """Bands of any number that meet are accepted; one bound moved leaves a gap or an overlap and is refused."""
    edges = [0, *cuts]
    ends: list[str | None] = [*map(str, cuts), None]
    bands = [MonthBand(str(a), 1000 - 10 * n, b) for n, (a, b) in enumerate(zip(edges, ends, strict=True))]
    check(replace(TENDER, month_bands=tuple(bands)))
    place = data.draw(st.integers(0, len(bands) - 1))
    move = data.draw(st.sampled_from([Fraction(1, 8), Fraction(1, 2), Fraction(40)]))
    moved = str(float(Fraction(bands[place].start) + move)).removesuffix(".0")
    broken = [*bands[:place], replace(bands[place], start=moved), *bands[place + 1 :]]
    with pytest.raises(BadTerms, match="month_bands"):
        check(replace(TENDER, month_bands=tuple(broken)))
