"""质量系数: from the score of a 服务单 to the number its fee is multiplied with, or to a hold.

An order under the lowest bound is rectified first and scored once more; until then it has no coefficient, which is
not 0: only a re-score or a signed decision makes one. Source: domain clearing §5, S5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from clearing.errors import BadTerms, WrongMove
from clearing.settlement.service_order.scheme import Grade, Scheme


@dataclass(frozen=True, slots=True)
class Standing:
    """The grade of an order and its exact `coefficient`; None while the order is held, and why: `held`."""

    grade: str
    coefficient: str | None
    held: str = ""


UNSCORED, RECTIFYING = "未评分 / not scored", "整改待复评 / rectification, not re-scored"


def grade_of(score: str, scheme: Scheme) -> Grade:
    """The band a score in [0, 100] falls into, looked up on the exact number."""
    exact = Fraction(score)
    if not 0 <= exact <= 100:
        raise BadTerms("score", "0 … 100", score)
    return next(grade for grade in reversed(scheme.grades) if Fraction(grade.start) <= exact)


def standing_of(score: str | None, scheme: Scheme, *, rescore: str | None = None, zeroed: bool = False) -> Standing:
    """Where an order stands: scores are exact text, `zeroed` is a signed decision that sets a missing re-score to 0.

    Raises WrongMove for a re-score of an order that needs none, and for a decision on one that is not held.
    """
    if score is None:
        if rescore is not None or zeroed:
            raise WrongMove("order-score", "先有首次评分 / a first score", "rescore" if rescore else "zeroed")
        return Standing("", None, UNSCORED)
    grade = grade_of(score, scheme)
    if grade.coefficient is not None:
        if rescore is not None or zeroed:
            raise WrongMove("order-score", f"< {grade.start}", f"{score} ({grade.name})")
        return Standing(grade.name, str(Fraction(grade.coefficient)))
    if rescore is not None and zeroed:
        raise WrongMove("order-score", "未复评 / not re-scored", rescore)
    if rescore is not None:
        kept = Fraction(rescore) >= Fraction(scheme.rectified.least)
        return Standing(grade.name, str(Fraction(scheme.rectified.passed if kept else scheme.rectified.failed)))
    return Standing(grade.name, "0") if zeroed else Standing(grade.name, None, RECTIFYING)
