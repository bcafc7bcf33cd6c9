"""The evidence of a price, read and judged: everything that is decided before the formula runs (pricing rule 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from clearing.pricing import information
from clearing.pricing.arithmetic import ONE, ZERO, exact, from_stored, number
from clearing.pricing.cap import Limit, limit_of
from clearing.pricing.cost import CostSums, collect
from clearing.pricing.element_price import Figures, Method, Outcome
from clearing.pricing.errors import PricingRefused
from clearing.pricing.history import Comparable, Reference, reference_price
from clearing.pricing.information import Admission, ColumnInformation
from clearing.pricing.inputs import read_decoded
from clearing.pricing.manifest import Counted, check_rows
from clearing.pricing.policy import Policy, method_of, read_policy, threshold_of, tuples_of
from clearing.pricing.quality import DIMENSIONS, Evaluation, Score
from clearing.pricing.quality import evaluate as evaluate_quality
from clearing.pricing.request import Request, check_evaluator, read_request

EVIDENCE_KIND = "price-evidence/v1"


@dataclass(frozen=True, slots=True)
class Case:
    """The evidence, read, and everything decided before the formula runs."""

    request: Request
    policy: Policy
    counted: Counted
    method: Method
    admission: Admission
    information: tuple[ColumnInformation, ...]
    evaluation: Evaluation
    costs: CostSums
    reference: Reference | None
    limit: Limit
    figures: Figures


@exact
def read_case(evidence: Any) -> Case:
    """Reads and judges an evidence document, as it was decoded: gate, rights, dates, units, costs, trades, cap; or
    `PricingRefused`."""
    wanted = {"kind", "request", "policy", "counted", "information"}
    if not isinstance(evidence, dict) or set(evidence) != wanted or evidence["kind"] != EVIDENCE_KIND:
        raise PricingRefused("INPUT_FORM", "evidence", f"{EVIDENCE_KIND}: {sorted(wanted)}", repr(evidence)[:120])
    request = read_request(evidence["request"])
    policy = read_policy(evidence["policy"])
    counted = read_decoded(Counted, evidence["counted"], "counted")
    check_rows(counted)
    _check_request(request, policy)
    given = {"expected_return": request.expected_return, "market_factor": request.market_factor}
    method, share = method_of(policy, request.as_of, given)
    evaluation = evaluate_quality(policy.scheme, request.gate, counted.rules, counted.assessed)
    admission = information.admit(counted.columns, threshold_of(policy))
    _check_bins(counted, policy)
    measured = _read_information(evidence["information"], admission)
    entropy, maximum = _entropy(policy, method, counted, admission, measured)
    costs = collect(request.costs)
    reference = _reference(request, policy, method) if method.market else None
    figures = Figures(
        volume=counted.manifest.rows if policy.constants.volume_unit == "rows" else counted.manifest.size,
        scores=tuple(ZERO if score is None else score.value for score in evaluation.scores),
        weights=evaluation.weights,
        entropy=entropy,
        maximum=maximum,
        unit_value_fen=policy.constants.unit_value_fen,
        data_cost_fen=costs.data_cost_fen,
        model_cost_fen=costs.model_cost_fen,
        expected_return=number(request.expected_return, "request.expected_return", ZERO, ONE),
        joint_share=share,
        history_weight=number(policy.constants.history_weight or "0", "constants.history_weight", ZERO, ONE),
        history_fen=reference.price_fen if reference else None,
        market_factor=number(request.market_factor, "request.market_factor"),
    )
    if method.market:
        figures = replace(figures, positions=_positions(request, method, figures, evaluation.scores))
    limit = limit_of(
        request.regime, request.purpose, request.cap, product=request.element.id, version=request.element.version,
        billing_unit=request.billing_unit, billing_size=request.billing_size, at=request.as_of,
    )  # fmt: skip
    return Case(request, policy, counted, method, admission, measured, evaluation, costs, reference, limit, figures)


def _check_request(request: Request, policy: Policy) -> None:
    """What must hold before anything is computed: policy, units, dates, quality report, rights, approval."""
    as_of = request.as_of
    if (policy.domain, policy.stage) != (request.domain, request.stage) or not policy.in_force(as_of):
        expected = f"{request.domain} / {request.stage} @ {as_of}"
        raise PricingRefused(
            "NO_POLICY", "policy", expected, f"{policy.id} v{policy.version}: {policy.domain} / {policy.stage}"
        )
    unit = (policy.constants.billing_unit, policy.constants.billing_size)
    if (request.billing_unit, request.billing_size) != unit:
        given = f"{request.billing_size} {request.billing_unit}"
        raise PricingRefused("UNIT_MISMATCH", "request.billing_unit", f"{unit[1]} {unit[0]}", given)
    if request.valid_until <= as_of:
        raise PricingRefused("INPUT_FORM", "request.valid_until", f"> {as_of}", request.valid_until)
    if request.data_time > as_of:
        raise PricingRefused("NEGATIVE_AGE", "request.data_time", f"≤ {as_of}", request.data_time)
    check_evaluator(request.evaluator, as_of)
    if request.stage != "resource" and not request.sources:
        raise PricingRefused("RIGHT_MISSING", "request.sources", "至少一个来源 / at least one source", "无 / none")
    for position, source in enumerate(request.sources):
        inside = source.valid_from <= as_of and (source.valid_to is None or as_of < source.valid_to)
        if source.right != "USE" or not inside:
            raise PricingRefused("RIGHT_MISSING", f"request.sources[{position}]", f"USE @ {as_of}", repr(source))
    if request.mode == "bidding" and request.stage == "resource":
        raise PricingRefused("METHOD_NOT_ALLOWED", "request.mode", "agreed", request.mode)
    if (request.income is None) == (request.stage == "resource"):
        expected = "收益法对照 / an income approach" if request.stage == "resource" else "不使用 / none"
        raise PricingRefused("METHOD_NOT_ALLOWED", "request.income", expected, repr(request.income))
    factor = number(request.market_factor, "request.market_factor")
    if factor <= 0:
        raise PricingRefused("SCORE_RANGE", "request.market_factor", "> 0", request.market_factor)
    if factor != 1 and not request.market_factor_approval:
        raise PricingRefused(
            "INPUT_FORM", "request.market_factor_approval", "不为 1 时须有批准文号 / required", "缺失 / missing"
        )


def _check_bins(counted: Counted, policy: Policy) -> None:
    """Bins bound the entropy, so their number and the calendar unit are the policy's alone."""
    for column in counted.columns:
        binning, where = column.binning, f"counted.columns.{column.name}.binning"
        if (binning is not None) != (column.kind in ("continuous", "timestamp")):
            raise PricingRefused(
                "METHOD_NOT_ALLOWED", where, "连续列和时间列须分箱 / continuous and timestamp only", column.kind
            )
        if binning is not None and binning.id == "bin.equal_width@1" and binning.bins != policy.constants.bins:
            raise PricingRefused("METHOD_NOT_ALLOWED", where, f"bins={policy.constants.bins}", binning.bins)
        if binning is not None and binning.id == "bin.calendar@1" and binning.unit != policy.constants.calendar:
            raise PricingRefused("METHOD_NOT_ALLOWED", where, policy.constants.calendar, binning.unit)


def _entropy(
    policy: Policy, method: Method, counted: Counted, admission: Admission, measured: Sequence[ColumnInformation]
) -> tuple[Decimal, Decimal]:
    """E and L by the policy's columns strategy: of the single columns, or of their tuples, which then must be there.

    Tuples that nobody asked for are refused: evidence keeps no frequencies it does not need.
    """
    rule, tuples, where = tuples_of(policy), counted.tuples, "counted.tuples"
    if rule is None or tuples is None:
        if (rule is None) != (tuples is None):
            wanted = "取值组合的计数 / counts of the tuples" if tuples is None else "不使用 / not used"
            given = "缺失 / missing" if tuples is None else "有 / present"
            raise PricingRefused("INPUT_FORM", where, f"{policy.strategies['columns']}: {wanted}", given)
        return method.functions["columns"](measured)  # type: ignore[no-any-return]
    names = tuple(column.name for column in admission.admitted)
    if tuples.columns != names:
        raise PricingRefused("METHOD_NOT_ALLOWED", f"{where}.columns", " | ".join(names), " | ".join(tuples.columns))
    if tuples.nulls != rule.nulls:
        raise PricingRefused("METHOD_NOT_ALLOWED", f"{where}.nulls", rule.nulls, tuples.nulls)
    information.check_tuples(tuples)
    return method.functions["columns"](tuples.profile, rule.threshold)  # type: ignore[no-any-return]


def _read_information(value: Any, admission: Admission) -> tuple[ColumnInformation, ...]:
    names = [column.name for column in admission.admitted]
    if not isinstance(value, list) or [item.get("name") if isinstance(item, dict) else "" for item in value] != names:
        raise PricingRefused("INPUT_FORM", "evidence.information", " | ".join(names), repr(value)[:120])
    return tuple(
        ColumnInformation(
            item["name"],
            from_stored(item.get("entropy_bits", ""), f"evidence.information.{item['name']}.entropy_bits"),
            from_stored(item.get("maximum_bits", ""), f"evidence.information.{item['name']}.maximum_bits"),
        )
        for item in value
    )


def _reference(request: Request, policy: Policy, method: Method) -> Reference:
    constants = policy.constants
    wanted = Comparable(
        element=request.element.id,
        versions=(request.element.version, *request.element.predecessors),
        stage=request.stage,
        scene=request.scene,
        billing_unit=request.billing_unit,
        billing_size=request.billing_size,
        right=request.right,
        as_of=request.as_of,
        window_s=constants.history_window_s,
        minimum=constants.history_minimum,
        weights=constants.history_weights,
    )
    return reference_price(request.trades, wanted, method.functions["history"])


def _positions(
    request: Request, method: Method, figures: Figures, scores: Sequence[Score | None]
) -> tuple[Decimal | None, ...]:
    """x_S, x_T, x_N, x_W by the policy's strategies; x_W is None when 完整性 was not assessed."""
    return (
        _scarcity(request, method),
        method.functions["decay"](request.as_of - request.data_time, method.half_life_s),
        method.functions["scale"](figures.volume, method.scale_increment),
        _completeness(method, scores),
    )


def _completeness(method: Method, scores: Sequence[Score | None]) -> Decimal | None:
    score = scores[DIMENSIONS.index("completeness")]
    return None if score is None else method.functions["completeness"](score.value)


def _scarcity(request: Request, method: Method) -> Decimal:
    given = request.scarcity
    if method.functions["scarcity"].__name__ == "scarcity_substitutes":
        if given.declared is not None:
            raise PricingRefused(
                "METHOD_NOT_ALLOWED", "request.scarcity.declared", "替代品清单 / substitutes", given.declared
            )
        return method.functions["scarcity"](len(set(given.substitutes)))  # type: ignore[no-any-return]
    if given.declared is None or not given.assessor or not given.evidence:
        raise PricingRefused("INPUT_FORM", "request.scarcity", "declared, assessor, evidence", "缺失 / missing")
    return method.functions["scarcity"](number(given.declared, "request.scarcity.declared"))  # type: ignore[no-any-return]


def final_fen(case: Case, unrounded: Decimal) -> tuple[int, int]:
    """(rounded, after the cap) in fen. A positive price that rounds to nothing is ROUNDS_TO_ZERO unless it is free."""
    rounded: int = case.method.functions["round"](unrounded)
    if case.limit.free:
        return rounded, 0
    if rounded == 0 and unrounded > 0:
        raise PricingRefused(
            "ROUNDS_TO_ZERO", "billing_size", "更大的计费单位 / a larger billing unit", str(unrounded)[:24]
        )
    if case.limit.cap_fen is None:
        return rounded, rounded
    return rounded, case.method.functions["cap"](rounded, case.limit.cap_fen)


def shown_price(case: Case, outcome: Outcome) -> Decimal:
    """The unrounded price the request's mode shows as the guide: P2 for bidding, P1 for agreed."""
    return outcome.last if case.request.mode == "bidding" else outcome.agreed
