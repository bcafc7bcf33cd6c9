"""What somebody asks to have priced: element, scene, references to evidence, and every figure only they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from clearing.pricing.cap import Cap, Purpose, Regime
from clearing.pricing.cost import CostItem
from clearing.pricing.errors import PricingRefused
from clearing.pricing.history import Trade
from clearing.pricing.inputs import Positive, read_input
from clearing.pricing.manifest import Hex32
from clearing.pricing.quality import Count, GateItem
from clearing.pricing.valuation import Income

ReportId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Element:
    """The priced version; `predecessors` are versions whose trades still compare; `citable` is false while 开发中."""

    id: Name
    version: Positive
    citable: bool
    predecessors: tuple[Positive, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A resource the element is made from, and the right its developer holds in it, valid from ≤ t < to."""

    resource: Name
    certificate: Name
    right: Literal["HOLD", "USE", "OPERATE"]
    valid_from: Count
    valid_to: Count | None = None


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who evaluated quality, for whom, and until when it holds. Codes are 统一社会信用代码."""

    evaluator: Name
    applicant: Name
    registrar: Name
    evaluated_at: Count
    valid_until: Count


@dataclass(frozen=True, slots=True)
class Scarcity:
    """Substitutable elements listed at `as_of`, or x as an assessor declares it, with assessor and evidence."""

    substitutes: tuple[Name, ...] = ()
    declared: str | None = None
    assessor: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One price question. Times are UTC seconds, fractions decimal text, money integer fen per billing unit.

    `mode` says which guide is shown: 协议 (agreed, P1) or 竞价 (bidding, P2). `data_time` is the data's reference time.
    """

    report_id: ReportId
    element: Element
    stage: str
    domain: Name
    scene: Name
    billing_unit: Name
    billing_size: Positive
    right: Name
    mode: Literal["agreed", "bidding"]
    as_of: Count
    valid_until: Count
    data_time: Count
    evaluator: Evaluator
    gate: tuple[GateItem, ...]
    costs: tuple[CostItem, ...]
    expected_return: str
    regime: Regime = "market"
    venue_mandatory: bool = False
    purpose: Purpose | None = None
    cap: Cap | None = None
    supersedes: Hex32 | None = None
    sources: tuple[Source, ...] = ()
    scarcity: Scarcity = Scarcity()
    market_factor: str = "1"
    market_factor_approval: str | None = None
    trades: tuple[Trade, ...] = ()
    income: Income | None = None
    sensitivity: bool = True


def check_evaluator(told: Evaluator, at: int) -> None:
    """A third party evaluated, and what it found holds at `at`. Raises NOT_INDEPENDENT, QUALITY_EXPIRED."""
    if told.evaluator in (told.applicant, told.registrar):
        raise PricingRefused("NOT_INDEPENDENT", "request.evaluator", "第三方 / a third party", told.evaluator)
    if not told.evaluated_at <= at <= told.valid_until:
        raise PricingRefused("QUALITY_EXPIRED", "request.as_of", f"[{told.evaluated_at}, {told.valid_until}]", at)


def read_request(value: Any) -> Request:
    """A request from its document. Raises NO_STAGE for a missing stage, else INPUT_FORM with the field."""
    if isinstance(value, dict) and "stage" not in value:
        raise PricingRefused("NO_STAGE", "request.stage", "resource | element | product", "缺失 / missing")
    return read_input(Request, value, "request")
