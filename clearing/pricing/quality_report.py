"""The quality report (质量评价报告): step 5 of the evaluation, a document of its own that prices and elements cite.

Everything in it follows from the counts, the scheme and what the evaluator states, so anyone who holds them recomputes
it. It carries no value of the data. Source: pricing.md §8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clearing.pricing.arithmetic import exact, recorded
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import Policy
from clearing.pricing.quality import Count, GateItem, evaluate, evaluated_document, scores_document
from clearing.pricing.request import Element, Evaluator, Name, ReportId, check_evaluator
from ledger import canonical
from ledger.digest import twin
from ledger.reading import body_of

QUALITY_REPORT = "quality-report/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is evaluated for whom: the part of a price question that quality needs. `as_of` in seconds UTC."""

    report_id: ReportId
    element: Element
    domain: Name
    stage: str
    as_of: Count
    evaluator: Evaluator
    gate: tuple[GateItem, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """A finished report: its document, and the canonical bytes that are kept."""

    document: dict[str, Any]
    data: bytes


def read_asked(request: Any) -> Asked:
    """The question out of a price question, whose other fields may still be open. Raises INPUT_FORM."""
    if not isinstance(request, dict):
        raise PricingRefused("INPUT_FORM", "request", "对象 / an object", repr(request)[:80])
    names = Asked.__dataclass_fields__
    return read_input(Asked, {name: value for name, value in request.items() if name in names}, "request")


@exact
def quality_report(asked: Asked, policy: Policy, counted: Counted) -> QualityReport:
    """The report on the data that was counted, under the policy's scheme.

    Raises `PricingRefused`: GATE_FAILED, and then there is no score; NOT_INDEPENDENT, QUALITY_EXPIRED, NOT_ASSESSED,
    SCORE_RANGE, INPUT_FORM.
    """
    check_evaluator(asked.evaluator, asked.as_of)
    found = evaluate(policy.scheme, asked.gate, counted.rules, counted.assessed)
    document: dict[str, Any] = {
        "kind": QUALITY_REPORT,
        "identity": {
            "report_id": asked.report_id,
            "element": {"id": asked.element.id, "version": asked.element.version},
            "domain": asked.domain,
            "as_of": asked.as_of,
            "mark": policy.mark,
        },
        "data": body_of(counted.manifest),
        "quality": evaluated_document(
            policy.scheme, asked.gate, body_of(asked.evaluator), counted.rules, counted.assessed
        ),
        "result": {"scores": scores_document(found), "hundred": recorded(found.hundred), "grade": found.grade},
    }
    document["digest"] = twin(canonical.encode(document)).document()
    return QualityReport(document, canonical.encode(document))


def read_report(data: bytes) -> dict[str, Any]:
    """The document of a quality report whose own digest is right. Raises INPUT_FORM."""
    document = decode(data, "report")
    if not isinstance(document, dict) or document.get("kind") != QUALITY_REPORT:
        raise PricingRefused("INPUT_FORM", "report.kind", QUALITY_REPORT, repr(document)[:80])
    found = twin(canonical.encode({name: value for name, value in document.items() if name != "digest"})).document()
    if document.get("digest") != found:
        raise PricingRefused("INPUT_FORM", "report.digest", found["sha256"], repr(document.get("digest"))[:160])
    return document
