"""The valuation report (估值报告): approaches side by side, one of them concluded on, nothing averaged (pricing §10).

    evidence = what the appraiser was given and decided        (`seal_valuation`)
    report   = a pure function of the evidence                 (`build_valuation`)
    verify   = build again, name the first leaf that differs   (`verify_valuation`)

The layout is ours; we have not checked it against the appraisers' guideline and claim no conformity with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from clearing.pricing.approaches import COST, INCOME, MARKET, NAMES, approach
from clearing.pricing.arithmetic import CONTEXT_DOCUMENT, exact, number, recorded
from clearing.pricing.comparables import CORRECTIONS, Market, MarketCase, select
from clearing.pricing.difference import first_difference
from clearing.pricing.element_price import STRATEGIES
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Positive, decode, read_input
from clearing.pricing.manifest import Digests
from clearing.pricing.quality import Count
from clearing.pricing.replacement import Replacement, quality_factor, remade_fen, remaining
from clearing.pricing.report import Report, Verdict
from clearing.pricing.request import Name, ReportId
from clearing.pricing.valuation import Income, IncomeLimits, check_income
from clearing.pricing.value_kinds import AppraisalAmount, AppraisalValue, Stated
from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.reading import body_of

EVIDENCE_KIND = "valuation-evidence/v1"
REPORT_KIND = "valuation-report/v1"
ROUNDING = "round.half_up_fen@1"
Approach = Literal[
    "valuation.replacement_cost@1", "valuation.income_dcf@1", "valuation.market_comparables@1"
]  # fmt: skip
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


@dataclass(frozen=True, slots=True)
class Subject:
    """The asset valued: its id and version, and the right in it that the value is of."""

    asset: Name
    version: Positive
    right: Name


@dataclass(frozen=True, slots=True)
class Appraiser:
    """Who issues the report, for whom, and who registered the asset, by code. All three differ."""

    appraiser: Name
    applicant: Name
    registrar: Name


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality factor q = Z·β (decimal text) and where it comes from; above one only with a reason."""

    factor: str
    evidence: Text
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class Factors:
    """What moves the value, in words: 成本, 场景, 市场, 质量."""

    cost: Text
    scene: Text
    market: Text
    quality: Text


@dataclass(frozen=True, slots=True)
class Chosen:
    """An approach and why it was taken, or why it was left out."""

    approach: Approach
    reason: Text


@dataclass(frozen=True, slots=True)
class ValuationRequest:
    """One valuation. Times are UTC seconds, fractions decimal text, money integer fen, tax-exclusive.

    Each approach present is computed; `left_out` says of each absent one why. `conclusion` names one computed.
    """

    report_id: ReportId
    status: Literal["trial", "issued"]
    subject: Subject
    purpose: Text
    base_date: Count
    valid_until: Count
    issuer: Appraiser
    assumptions: tuple[Text, ...]
    limits_of_use: tuple[Text, ...]
    quality: Quality
    factors: Factors
    used: tuple[Chosen, ...]
    conclusion: Chosen
    left_out: tuple[Chosen, ...] = ()
    replacement: Replacement | None = None
    income: Income | None = None
    income_limits: IncomeLimits | None = None
    market: Market | None = None
    mark: Name | None = None


@dataclass(frozen=True, slots=True)
class ValuationReport(Report):
    """A finished valuation."""


def seal_valuation(request: ValuationRequest) -> bytes:
    """The evidence bytes of a valuation. Raises INPUT_FORM."""
    try:
        return canonical.encode({"kind": EVIDENCE_KIND, "request": body_of(request)})
    except FieldError as error:
        raise PricingRefused("INPUT_FORM", error.field, error.expected, error.given) from error


def value(request: ValuationRequest) -> ValuationReport:
    """Values one asset by every approach given; or `PricingRefused`, never half a report."""
    return valuation_from_evidence(seal_valuation(request))


def valuation_from_evidence(evidence: bytes) -> ValuationReport:
    """The report of stored evidence. Raises `PricingRefused`."""
    document = build_valuation(decode(evidence, "evidence"), twin(evidence))
    return ValuationReport(document, canonical.encode(document), evidence)


@exact
def build_valuation(evidence: Any, digest: TwinDigest) -> dict[str, Any]:
    """The report document as a pure function of the evidence document and its digest.

    Raises NOT_INDEPENDENT, METHOD_NOT_ALLOWED, INPUT_FORM and what the approaches raise.
    """
    if not isinstance(evidence, dict) or set(evidence) != {"kind", "request"} or evidence["kind"] != EVIDENCE_KIND:
        raise PricingRefused("INPUT_FORM", "evidence", f"{EVIDENCE_KIND}: kind, request", repr(evidence)[:80])
    request = read_input(ValuationRequest, evidence["request"], "request")
    _check(request)
    results = [_result(request, chosen) for chosen in request.used]
    concluded = next(row for row in results if row["approach"] == request.conclusion.approach)
    document: dict[str, Any] = {
        "kind": REPORT_KIND,
        "identity": _identity(request),
        "statement": {
            "assumptions": list(request.assumptions),
            "limits_of_use": list(request.limits_of_use),
            "quality": body_of(request.quality),
            "factors": body_of(request.factors),
        },
        "inputs": _inputs(request),
        "method": {
            "used": [_named(chosen) for chosen in request.used],
            "left_out": [_named(chosen) for chosen in request.left_out],
            "rounding": ROUNDING,
            "arithmetic": dict(CONTEXT_DOCUMENT),
        },
        "results": results,
        "conclusion": {**_named(request.conclusion), "value_fen": _concluded(concluded)},
    }
    document["digests"] = {"evidence": digest.document()}
    document["digests"]["report"] = twin(canonical.encode(document)).document()
    return document


def verify_valuation(report: bytes, evidence: bytes) -> Verdict:
    """Recomputes the report from its evidence; equal, or what differs first in the order the report is written.

    Raises INPUT_FORM only when one of the two is not a canonical document at all.
    """
    given, stored_evidence = decode(report, "report"), decode(evidence, "evidence")
    try:
        rebuilt = build_valuation(stored_evidence, twin(evidence))
    except PricingRefused as refused:
        expected = f"可重算 / recomputable ({refused.code})"
        return Verdict(False, "evidence", "", expected, str(refused))
    found = first_difference(rebuilt, given)
    return Verdict(True) if found is None else Verdict(False, "report", *found)


def appraisal_value(report: ValuationReport) -> AppraisalValue:
    """The concluded figure as an appraisal amount, and nothing else. Raises STATE_FORBIDS for a 试算."""
    identity = report.document["identity"]
    if identity["status"] == "trial":
        raise PricingRefused("STATE_FORBIDS", "status", "issued：试算不是评估结论 / a trial concludes nothing", "trial")
    return Stated(
        AppraisalAmount(report.document["conclusion"]["value_fen"]),
        "exact",
        identity["base_date"],
        (identity["subject"]["asset"],),
        identity["issuer"]["appraiser"],
        Digests.of(report.digest),
    )


def _check(request: ValuationRequest) -> None:
    """What must hold before anything is computed: issuer, dates, statements, and each approach accounted for."""
    issuer = request.issuer
    if issuer.appraiser in (issuer.registrar, issuer.applicant):
        raise PricingRefused("NOT_INDEPENDENT", "request.issuer", "第三方 / a third party", issuer.appraiser)
    if request.valid_until <= request.base_date:
        raise PricingRefused("INPUT_FORM", "request.valid_until", f"> {request.base_date}", request.valid_until)
    for name in ("assumptions", "limits_of_use"):
        if not getattr(request, name):
            raise PricingRefused("INPUT_FORM", f"request.{name}", "至少一条 / at least one", "无 / none")
    _check_choice(request)
    quality = quality_factor(request.quality.factor, request.quality.reason, "request.quality.factor")
    made_again = request.replacement
    if made_again is not None and number(made_again.quality, "request.replacement.quality") != quality:
        raise PricingRefused("INPUT_FORM", "request.replacement.quality", request.quality.factor, made_again.quality)
    if (request.income is None) != (request.income_limits is None):
        raise PricingRefused(
            "INPUT_FORM", "request.income_limits", "与收益法同在 / with the income approach only", "不符 / mismatch"
        )
    if request.income is not None and request.income_limits is not None:
        check_income(request.income, request.income_limits)
    if request.market is not None and request.market.base_date != request.base_date:
        raise PricingRefused("INPUT_FORM", "request.market.base_date", str(request.base_date), request.market.base_date)


def _check_choice(request: ValuationRequest) -> None:
    """Each of the three is used with its inputs, or left out with a reason; the conclusion is one of those used."""
    given = {COST: request.replacement, INCOME: request.income, MARKET: request.market}
    used = [chosen.approach for chosen in request.used]
    named = used + [chosen.approach for chosen in request.left_out]
    if sorted(named) != sorted(given):
        expected = f"每种方法恰一次 / each once: {', '.join(given)}"
        raise PricingRefused(
            "METHOD_NOT_ALLOWED", "request.used, request.left_out", expected, ", ".join(named) or "无 / none"
        )
    for id_, inputs in given.items():
        if (inputs is not None) != (id_ in used):
            expected = "采用的有数据，未采用的没有 / inputs exactly for what is used"
            raise PricingRefused("METHOD_NOT_ALLOWED", "request.used", expected, id_)
    if request.conclusion.approach not in used:
        raise PricingRefused("METHOD_NOT_ALLOWED", "request.conclusion", " | ".join(used), request.conclusion.approach)


def _identity(request: ValuationRequest) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "report_id": request.report_id,
        "status": request.status,
        "subject": body_of(request.subject),
        "purpose": request.purpose,
        "base_date": request.base_date,
        "valid_until": request.valid_until,
        "issuer": body_of(request.issuer),
        "currency": "CNY",
        "tax_basis": "exclusive",
    }
    if request.mark is not None:
        identity["mark"] = request.mark
    return identity


def _inputs(request: ValuationRequest) -> dict[str, Any]:
    """The inputs as given; of market cases only the digest, since a report names no parties."""
    inputs: dict[str, Any] = {}
    if request.replacement is not None:
        inputs["replacement"] = body_of(request.replacement)
    if request.income is not None:
        inputs["income"] = body_of(request.income) | {"limits": body_of(request.income_limits)}
    if request.market is not None:
        inputs["market"] = {
            "statistic": request.market.statistic,
            "cases": [_case_digest(case) for case in request.market.cases],
        }
    return inputs


def _case_digest(case: MarketCase) -> str:
    return twin(canonical.encode(body_of(case))).document()["sha256"]


def _named(chosen: Chosen) -> dict[str, str]:
    return {"approach": chosen.approach, "name": NAMES[chosen.approach], "reason": chosen.reason}


def _result(request: ValuationRequest, chosen: Chosen) -> dict[str, Any]:
    function = approach(chosen.approach, request.base_date).function
    given = {COST: request.replacement, INCOME: request.income, MARKET: request.market}[chosen.approach]
    unrounded: Decimal = function(given)
    row: dict[str, Any] = {"approach": chosen.approach, "unrounded_fen": recorded(unrounded)}
    row["value_fen"] = STRATEGIES[ROUNDING].function(unrounded)
    if row["value_fen"] == 0 and unrounded != 0:
        raise PricingRefused("ROUNDS_TO_ZERO", chosen.approach, "≥ 1", str(unrounded)[:24])
    if request.replacement is not None and chosen.approach == COST:
        row["replacement_fen"] = recorded(remade_fen(request.replacement))
        row["remaining"] = recorded(remaining(request.replacement.depreciation))
    if request.income is not None and chosen.approach == INCOME:
        row["life_years"] = len(request.income.flows)
    if request.market is not None and chosen.approach == MARKET:
        selection = select(request.market)
        row["admitted"] = [
            {
                "case": _case_digest(case),
                "price_fen": case.price_fen,
                "weight": case.weight,
                "corrections": {name: getattr(case.corrections, name) for name in CORRECTIONS},
                "justified": dict(case.corrections.justified),
                "corrected_fen": recorded(corrected),
            }
            for case, corrected in selection.admitted
        ]
        row["excluded"] = [{"case": _case_digest(case), "reason": why} for case, why in selection.excluded]
    return row


def _concluded(row: dict[str, Any]) -> int:
    fen: int = row["value_fen"]
    if fen < 0:
        raise PricingRefused("SCORE_RANGE", "conclusion.value_fen", "≥ 0", fen)
    return fen
