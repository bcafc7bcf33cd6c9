"""Quality in five steps: 确认数据 → 匹配规则 → 执行 → 结果 → 报告 (pricing §8). Counts come in, Decimal scores go out.

The gate (符合性) stands before any score: a failed item yields neither score nor grade nor price. Rules and schemes are
data. A dimension nobody assessed is `None` and printed 未评价; it is never 0 and never 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec

from clearing.pricing.arithmetic import ONE, ZERO, exact, integer, number, recorded
from clearing.pricing.errors import PricingRefused
from ledger.reading import body_of

Dimension = Literal["normativity", "completeness", "accuracy", "consistency", "timeliness", "accessibility"]
DIMENSION_NAMES: dict[Dimension, str] = {
    "normativity": "规范性",
    "completeness": "完整性",
    "accuracy": "准确性",
    "consistency": "一致性",
    "timeliness": "时效性",
    "accessibility": "可访问性",
}
"""The six dimensions of GB/T 36344-2018, in the fixed order of the formula."""
DIMENSIONS = tuple(DIMENSION_NAMES)
Scale = Literal["unit", "percent", "grade"]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
NOT_ASSESSED = "未评价"
HUNDRED = Decimal(100)

DEFAULT_DIMENSION: dict[str, Dimension] = {
    "null_ratio": "completeness",
    "record_count": "completeness",
    "format_regex": "normativity",
    "type": "normativity",
    "code_list": "normativity",
    "range": "accuracy",
    "unique_key": "accuracy",
    "duplicate_rows": "accuracy",
    "cross_field": "consistency",
    "freshness": "timeliness",
    "reported": "accessibility",
}
RuleKind = Literal[
    "null_ratio", "record_count", "format_regex", "type", "code_list", "range",
    "unique_key", "duplicate_rows", "cross_field", "freshness", "reported",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as data. `columns` and `parameters` depend on the kind (see `counting`); `weight` within its dimension.

    Kind `reported` carries counts taken elsewhere (a probe log, a delivery calendar) with the digest of their source.
    """

    id: str
    kind: RuleKind
    dimension: Dimension
    weight: str
    columns: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What running one rule returned: `passed` of `applicable`, both integers."""

    rule: Rule
    applicable: Count
    passed: Count


@dataclass(frozen=True, slots=True)
class Assessed:
    """A dimension score assessed elsewhere, on its own scale; `value` is a number as text, or the grade."""

    dimension: Dimension
    scale: Scale
    value: str
    evidence: str


@dataclass(frozen=True, slots=True)
class GateItem:
    """One 符合性 item with the reference or digest it rests on."""

    item: str
    passed: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class Band:
    """A grade from its inclusive lower bound on the 0–100 scale."""

    grade: str
    low: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """Weights β per dimension (sum exactly 1 as written), grade bands from the highest down, required gate items."""

    id: str
    version: Count
    weights: dict[Dimension, str]
    bands: tuple[Band, ...]
    gate: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A normalised score in [0,1]. A distinct type, so that it cannot be normalised a second time."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of the five steps: six scores in fixed order (None = 未评价), weights, s on 0–100, and the grade."""

    scores: tuple[Score | None, ...]
    weights: tuple[Decimal, ...]
    hundred: Decimal
    grade: str


def check_gate(scheme: Scheme, items: Sequence[GateItem]) -> None:
    """Every item the scheme names is present once and passed; else GATE_FAILED. Runs before any score."""
    answers = {item.item: item for item in items}
    if len(answers) != len(items):
        raise PricingRefused("GATE_FAILED", "gate", "每项一次 / each item once", [item.item for item in items])
    for name in scheme.gate:
        if name not in answers:
            raise PricingRefused(
                "GATE_FAILED", f"gate.{name}", "有结论和依据 / answered, with evidence", "缺失 / missing"
            )
        if not answers[name].passed or not answers[name].evidence:
            raise PricingRefused(
                "GATE_FAILED", f"gate.{name}", "通过并有依据 / passed, with evidence", repr(answers[name])
            )


@exact
def weights_of(scheme: Scheme) -> tuple[Decimal, ...]:
    """β in the fixed order; a dimension the scheme lacks weighs 0. Raises SCORE_RANGE unless they sum to exactly 1."""
    weights = tuple(number(scheme.weights.get(name, "0"), f"scheme.weights.{name}", ZERO, ONE) for name in DIMENSIONS)
    if sum(weights, ZERO) != 1:
        raise PricingRefused("SCORE_RANGE", "scheme.weights", "合计恰为 1 / sum exactly 1", str(sum(weights, ZERO)))
    return weights


@exact
def dimension_score(counts: Sequence[RuleCount], name: str) -> Score | None:
    """Σ weight·(passed/applicable) in rule-id order; a rule with nothing applicable gives its weight to the others.

    None when no rule of the dimension was applicable. Raises SCORE_RANGE when the weights of the rules present do not
    sum to one, INPUT_FORM when passed > applicable.
    """
    mine = sorted((count for count in counts if count.rule.dimension == name), key=lambda count: count.rule.id)
    if not mine:
        return None
    total, used, score = ZERO, ZERO, ZERO
    for count in mine:
        where = f"rules.{count.rule.id}"
        weight = number(count.rule.weight, f"{where}.weight", ZERO, ONE)
        total = total + weight
        integer(count.passed, f"{where}.passed", 0, integer(count.applicable, f"{where}.applicable"))
        if count.applicable:
            used = used + weight
            score = score + weight * (Decimal(count.passed) / Decimal(count.applicable))
    if total != 1:
        raise PricingRefused("SCORE_RANGE", f"rules[{name}].weight", "维度内合计恰为 1 / sum exactly 1", str(total))
    return Score(score / used) if used else None


@exact
def normalise(value: str, scale: Scale, bands: Sequence[Band] = (), where: str = "score") -> Score:
    """A score given on another scale, normalised once: percent ÷ 100, a grade to the lower bound of its band ÷ 100.

    Raises SCORE_RANGE outside the scale or for a grade outside the scheme. A `Score` cannot come in again (TypeError).
    """
    if isinstance(value, Score):
        raise TypeError("a Score is normalised already")
    if scale == "grade":
        lows = {band.grade: number(band.low, f"bands.{band.grade}", ZERO, HUNDRED) for band in bands}
        if value not in lows:
            raise PricingRefused("SCORE_RANGE", where, " | ".join(lows), value)
        return Score(lows[value] / HUNDRED)
    top = HUNDRED if scale == "percent" else ONE
    return Score(number(value, where, ZERO, top) / top)


def _scores(scheme: Scheme, counts: Sequence[RuleCount], assessed: Sequence[Assessed]) -> tuple[Score | None, ...]:
    given = {item.dimension: item for item in assessed}
    counted = {count.rule.dimension for count in counts}
    twice: list[str] = sorted(counted & set(given)) or (["assessed"] if len(given) != len(assessed) else [])
    if twice:
        raise PricingRefused(
            "INPUT_FORM", f"assessed.{twice[0]}", "每个维度一个来源 / one source per dimension", "两个 / two"
        )
    percents = [number(item.value, f"assessed.{item.dimension}") for item in assessed if item.scale == "percent"]
    if percents and max(percents) <= 1:
        raise PricingRefused("SCALE_SUSPECT", "assessed", "0–100", [str(value) for value in percents])
    return tuple(
        normalise(given[name].value, given[name].scale, scheme.bands, f"assessed.{name}")
        if name in given
        else dimension_score(counts, name)
        for name in DIMENSIONS
    )


@exact
def grade_of(scheme: Scheme, hundred: Decimal) -> str:
    """The grade of s in [0,100]; lower bounds are inclusive, and the bands must start at 0 and fall strictly."""
    lows = [number(band.low, f"scheme.bands.{band.grade}", ZERO, HUNDRED) for band in scheme.bands]
    if not lows or lows[-1] != 0 or any(a <= b for a, b in pairwise(lows)):
        raise PricingRefused(
            "SCORE_RANGE", "scheme.bands", "自高到低，最低为 0 / falling to 0", [str(low) for low in lows]
        )
    return next(band.grade for band, low in zip(scheme.bands, lows, strict=True) if hundred >= low)


@exact
def evaluate(
    scheme: Scheme, gate: Sequence[GateItem], counts: Sequence[RuleCount], assessed: Sequence[Assessed] = ()
) -> Evaluation:
    """Steps 2 to 4: the gate, the six dimension scores, s = 100·Σ β·z and the grade.

    Raises GATE_FAILED, SCORE_RANGE, INPUT_FORM, or NOT_ASSESSED for a weighted dimension without an applicable rule.
    """
    check_gate(scheme, gate)
    ids = [count.rule.id for count in counts]
    if len(set(ids)) != len(ids):
        raise PricingRefused("INPUT_FORM", "rules", "规则编号唯一 / unique rule ids", ids)
    weights = weights_of(scheme)
    scores = _scores(scheme, counts, assessed)
    total = ZERO
    for name, weight, score in zip(DIMENSIONS, weights, scores, strict=True):
        if score is None:
            if weight:
                raise PricingRefused(
                    "NOT_ASSESSED", f"scheme.weights.{name}", "有可适用规则 / an applicable rule", "无 / none"
                )
        else:
            total = total + weight * score.value
    hundred = 100 * total
    return Evaluation(scores, weights, hundred, grade_of(scheme, hundred))


def evaluated_document(
    scheme: Scheme, gate: Sequence[GateItem], evaluator: dict[str, Any], counts: Sequence[RuleCount],
    assessed: Sequence[Assessed],
) -> dict[str, Any]:  # fmt: skip
    """What an evaluation rests on, as it stands in a report: scheme, gate, evaluator, every rule with its counts."""
    return {
        "scheme": body_of(scheme),
        "gate": body_of(gate),
        "evaluator": evaluator,
        "counts": [{**body_of(item.rule), "applicable": item.applicable, "passed": item.passed} for item in counts],
        "assessed": body_of(assessed),
    }


def scores_document(evaluation: Evaluation) -> list[dict[str, str]]:
    """The six scores with their weights, as they stand in a report."""
    return [
        {
            "dimension": name,
            "name": DIMENSION_NAMES[name],
            "weight": recorded(weight),
            "score": NOT_ASSESSED if score is None else recorded(score.value),
        }
        for name, weight, score in zip(DIMENSIONS, evaluation.weights, evaluation.scores, strict=True)
    ]
