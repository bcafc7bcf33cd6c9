"""The price report (定价报告): everything a price rests on, in one document that anyone can recompute (pricing §11).

    evidence = request + policy + counted integers + 50-digit entropy        (`seal`)
    report   = a pure function of the evidence                               (`build`)
    verify   = build again, compare, name the first leaf that differs        (`verify`)

Both are canonical bytes with a twin digest. The evidence holds frequency profiles and stays in the restricted store;
the report carries only their digests. Level A of recomputation is this file; level B counts the data again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearing.pricing import information
from clearing.pricing.arithmetic import (
    CONTEXT_DOCUMENT,
    ZERO,
    exact,
    recorded,
    stored,
)
from clearing.pricing.difference import first_difference
from clearing.pricing.element_price import ADJUSTMENTS, Outcome, evaluate
from clearing.pricing.errors import PricingRefused
from clearing.pricing.history import Trade
from clearing.pricing.information import ColumnInformation
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.policies import published
from clearing.pricing.policy import Policy, read_policy, threshold_of
from clearing.pricing.price_case import EVIDENCE_KIND, Case, final_fen, read_case, shown_price
from clearing.pricing.quality import NOT_ASSESSED, evaluated_document, scores_document
from clearing.pricing.report import Report, Verdict
from clearing.pricing.request import Request
from clearing.pricing.sensitivity import sensitivity
from clearing.pricing.valuation import income_dcf
from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.reading import body_of

REPORT_KIND = "price-report/v1"


@dataclass(frozen=True, slots=True)
class PriceReport(Report):
    """A finished price report."""


@dataclass(frozen=True, slots=True)
class PriceVerdict(Verdict):
    """The answer of `verify`. `policy`: published | unpublished (made for a trial) | altered (published name and
    version, other digest)."""

    policy: str = ""


@exact
def seal(request: Request, policy: Policy, counted: Counted) -> bytes:
    """The evidence bytes of a price: request, policy, counts, and E_j and L_j at full precision (decisions D38)."""
    admission = information.admit(counted.columns, threshold_of(policy))
    measured = information.measure(admission.admitted, policy.constants.nulls)
    document = {
        "kind": EVIDENCE_KIND,
        "request": body_of(request),
        "policy": policy.document(),
        "counted": body_of(counted),
        "information": _information_document(measured),
    }
    try:
        return canonical.encode(document)
    except FieldError as error:
        raise PricingRefused("INPUT_FORM", error.field, error.expected, error.given) from error


def price(request: Request, policy: Policy, counted: Counted) -> PriceReport:
    """Prices one request: gate → quality → value → cost → price → report; or `PricingRefused`, never half a price."""
    return from_evidence(seal(request, policy, counted))


def from_evidence(evidence: bytes) -> PriceReport:
    """The report of stored evidence, without reading any data again."""
    return build(decode(evidence, "evidence"), evidence)


@exact
def build(document: Any, evidence: bytes) -> PriceReport:
    """The report as a pure function of the evidence: its document, and the canonical bytes that this is. Raises
    `PricingRefused`."""
    case, parts = read_case(document), canonical.members(evidence)
    outcome = evaluate(case.method, case.figures)
    result = _result(case, outcome)
    report: dict[str, Any] = {
        "kind": REPORT_KIND,
        "identity": _identity(case),
        "inputs": _inputs(case, canonical.members(parts["counted"])),
        "method": _method(case),
        "intermediate": _intermediate(case, outcome),
        "result": result,
        "sensitivity": sensitivity(case, result["guide_fen"]) if case.request.sensitivity else [],
    }
    asked = canonical.joined({key: parts[key] for key in ("request", "policy", "counted")})
    report["digests"] = {"input": twin(asked).document(), "evidence": twin(evidence).document()}
    undigested = canonical.encode(report)
    report["digests"]["report"] = twin(undigested).document()
    digests = {"digests": canonical.encode(report["digests"])}
    return PriceReport(report, canonical.joined(canonical.members(undigested) | digests), evidence)


def verify(report: bytes, evidence: bytes) -> PriceVerdict:
    """Recomputes the report from its evidence, and the stored entropy from its profiles; equal, or what differs first.

    "First" is first in the order `build` writes: what was asked, then method, intermediate values, result, digests.
    Raises INPUT_FORM only when one of the two is not a canonical document at all.
    """
    given, stored_evidence = decode(report, "report"), decode(evidence, "evidence")
    try:
        rebuilt = build(stored_evidence, evidence).document
        policy = read_policy(stored_evidence["policy"])
        counted = read_input(Counted, stored_evidence["counted"], "counted")
        admission = information.admit(counted.columns, threshold_of(policy))
        measured = _information_document(information.measure(admission.admitted, policy.constants.nulls))
    except PricingRefused as refused:
        return PriceVerdict(False, "evidence", "", f"可重算 / recomputable ({refused.code})", str(refused))
    known = published(policy.id, policy.version)
    standing = "unpublished" if known is None else "published" if known == policy else "altered"
    found = first_difference(rebuilt, given)
    if found is not None:
        return PriceVerdict(False, "report", *found, standing)
    found = first_difference({"information": measured}, {"information": stored_evidence["information"]})
    if found is not None:
        return PriceVerdict(False, "evidence", *found, standing)
    return PriceVerdict(True, policy=standing)


def _information_document(columns: Sequence[ColumnInformation]) -> list[dict[str, str]]:
    return [
        {"name": column.name, "entropy_bits": stored(column.entropy), "maximum_bits": stored(column.maximum)}
        for column in columns
    ]


def _result(case: Case, outcome: Outcome) -> dict[str, Any]:
    unrounded = shown_price(case, outcome)
    rounded, final = final_fen(case, unrounded)
    cold = bool(case.reference and case.reference.price_fen is None)
    warnings = list(case.admission.warnings)
    warnings += [f"kind_inferred:{column.name}" for column in case.counted.columns if column.inferred]
    if case.policy.strategies["volume"] == "volume.logistic@1":
        warnings.append("volume_is_one_half_at_zero_rows")
    if cold:
        warnings.append("cold_start")
    result: dict[str, Any] = {
        "guide_fen": final,
        "rounded_fen": rounded,
        "unrounded_fen": recorded(unrounded),
        "agreed_guide_fen": final_fen(case, outcome.agreed)[1],
        "capped": final != rounded,
        "cold_start": cold,
        "warnings": warnings,
    }
    if outcome.bidding is not None:
        result["bidding_guide_fen"] = final_fen(case, outcome.bidding)[1]
    if case.limit.cap_fen is not None:
        result["cap"] = {"id": case.limit.cap_id or "free", "fen": case.limit.cap_fen}
    if case.request.income is not None:
        result["income_approach_fen"] = recorded(income_dcf(case.request.income))
    return result


def kind_of(request: Request) -> str:
    """trial | agreed_guide | bidding_guide: a quote nobody may cite is a 试算 whatever it shows."""
    if not request.element.citable:
        return "trial"
    return f"{request.mode}_guide"


def _identity(case: Case) -> dict[str, Any]:
    request = case.request
    identity = {
        "report_id": request.report_id,
        "kind": kind_of(request),
        "element": body_of(request.element),
        "stage": request.stage,
        "domain": request.domain,
        "scene": request.scene,
        "billing": {"unit": request.billing_unit, "size": request.billing_size},
        "currency": "CNY",
        "tax_basis": "exclusive",
        "right": request.right,
        "mode": request.mode,
        "regime": request.regime,
        "venue_mandatory": request.venue_mandatory,
        "purpose": request.purpose,
        "as_of": request.as_of,
        "valid_until": request.valid_until,
        "supersedes": request.supersedes,
        "mark": case.policy.mark,
    }
    return {key: value for key, value in identity.items() if value is not None}


def _digest_of(value: Any) -> dict[str, str]:
    return twin(canonical.encode(body_of(value))).document()


def _trade_digest(trade: Trade) -> str:
    return _digest_of(trade)["sha256"]


def _inputs(case: Case, written: Mapping[str, bytes]) -> dict[str, Any]:
    request, counted = case.request, case.counted
    constants, figures = case.policy.constants, case.figures
    inputs: dict[str, Any] = {
        "data": body_of(counted.manifest),
        "volume": {"value": figures.volume, "unit": constants.volume_unit, "increment": constants.volume_increment},
        "quality": evaluated_document(
            case.policy.scheme, request.gate, body_of(request.evaluator), counted.rules, counted.assessed
        ),
        "columns": _columns(case, written["columns"]),
        "cost": {
            "table": twin(canonical.encode(body_of(request.costs))).document(),
            "data_cost_fen": case.costs.data_cost_fen,
            "model_cost_fen": case.costs.model_cost_fen,
            "memo_fen": case.costs.memo_fen,
        },
        "expected_return": request.expected_return,
        "unit_value": {"fen": constants.unit_value_fen, "evidence": constants.unit_value_evidence},
        "sources": body_of(request.sources),
    }
    if counted.tuples is not None:
        profile = twin(canonical.members(written["tuples"])["profile"]).document()
        inputs["tuples"] = body_of(replace(counted.tuples, profile=())) | {"profile": profile}
    if case.reference is not None:
        inputs["trades"] = {
            "admitted": [_trade_digest(trade) for trade in case.reference.admitted],
            "excluded": [{"trade": _trade_digest(trade), "reason": why} for trade, why in case.reference.excluded],
            "buyers": case.reference.buyers,
        }
        inputs["adjustments"] = {"data_time": request.data_time, "scarcity": body_of(request.scarcity)}
        inputs["market_factor"] = {"value": request.market_factor, "approval": request.market_factor_approval or ""}
    if request.cap is not None:
        inputs["cap"] = body_of(request.cap)
    if request.income is not None:
        inputs["income"] = body_of(request.income)
    return inputs


def _columns(case: Case, written: bytes) -> list[dict[str, Any]]:
    """The columns as the report has them: a profile only by the digest of its bytes, as they stand in the evidence."""
    reasons = dict(case.admission.excluded)
    result = []
    for column, given in zip(case.counted.columns, canonical.items(written), strict=True):
        described = body_of(replace(column, profile=()))
        described["profile"] = twin(canonical.members(given)["profile"]).document()
        described["admitted"] = column.name not in reasons
        if column.name in reasons:
            described["reason"] = reasons[column.name]
        result.append(described)
    return result


def _method(case: Case) -> dict[str, Any]:
    policy = case.policy
    return {
        "strategies": dict(policy.strategies),
        "constants": body_of(policy.constants),
        "arithmetic": dict(CONTEXT_DOCUMENT),
        "policy": {"id": policy.id, "version": policy.version, "digest": policy.digest().document()},
    }


def _intermediate(case: Case, outcome: Outcome) -> dict[str, Any]:
    figures = case.figures
    values: dict[str, Any] = {
        "scores": scores_document(case.evaluation),
        "hundred": recorded(case.evaluation.hundred),
        "grade": case.evaluation.grade,
        "columns": [
            {"name": column.name, "E": recorded(column.entropy), "L": recorded(column.maximum)}
            for column in case.information
        ],
        "E": recorded(figures.entropy),
        "L": recorded(figures.maximum),
        "V": recorded(outcome.volume),
        "Q": recorded(outcome.quality),
        "D": recorded(outcome.density),
        "I": recorded(outcome.information),
        "value_fen": recorded(outcome.value),
        "Cy": recorded(outcome.cost),
        "g": recorded(outcome.joint),
        "P1": recorded(outcome.agreed),
    }
    if outcome.factors is not None and outcome.assessment is not None and outcome.bidding is not None:
        values["history_weight"] = recorded(outcome.history_weight or ZERO)
        if figures.history_fen is not None:
            values["C0_fen"] = figures.history_fen
        values["adjustments"] = [
            {
                "name": name,
                "strength": recorded(strength),
                "x": NOT_ASSESSED if position is None else recorded(position),
                "factor": recorded(factor),
            }
            for name, strength, position, factor in zip(
                ADJUSTMENTS, case.method.strengths, figures.positions, outcome.factors, strict=True
            )
        ]
        values["assessment"] = recorded(outcome.assessment)
        values["P2"] = recorded(outcome.bidding)
    return values
