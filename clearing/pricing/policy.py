"""A pricing policy (定价口径): strategies and constants per domain and stage, versioned, dated, never edited.

A policy is a plain document. Its digest stands in every report, and the document itself in the evidence, so a report
is recomputed without asking anybody which policy was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from clearing.pricing.arithmetic import ONE, ZERO, exact, number
from clearing.pricing.element_price import (
    ADJUSTMENTS,
    MARKET_SLOTS,
    SLOTS,
    STAGES,
    TUPLES,
    Method,
    check_stage,
    strategy,
)
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import Nulls, TupleRule
from clearing.pricing.inputs import Positive, read_input
from clearing.pricing.quality import Count, Scheme
from ledger import canonical
from ledger.digest import TwinDigest, twin
from ledger.reading import body_of

Calendar = Literal["hour", "day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Constants:
    """The numbers of a policy. Fractions are decimal text, times seconds, money integer fen per billing unit.

    The second group is needed where the stage has a market model. `unit_value_evidence` names the calibration.
    """

    volume_increment: Positive
    volume_unit: Literal["rows", "bytes"]
    unit_value_fen: Count
    unit_value_evidence: str
    billing_unit: str
    billing_size: Positive
    bins: Annotated[int, msgspec.Meta(ge=2, le=4096)]
    calendar: Calendar
    identifier_threshold: str
    nulls: Nulls
    domain_factor: str = "1"
    joint_share: str | None = None
    half_life_s: Positive | None = None
    scale_increment: Positive | None = None
    adjust_scarcity: str = "0"
    adjust_timeliness: str = "0"
    adjust_scale: str = "0"
    adjust_completeness: str = "0"
    history_weight: str | None = None
    history_window_s: Positive = 365 * 86400
    history_minimum: Positive = 1
    history_weights: Literal["equal", "quantity"] = "equal"


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one policy. In force when effective_from ≤ t < effective_to (UTC seconds; no end = open)."""

    id: str
    version: Positive
    mark: str
    domain: str
    stage: str
    effective_from: Count
    strategies: dict[str, str]
    constants: Constants
    scheme: Scheme
    effective_to: Count | None = None

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = body_of(self)
        return document

    def digest(self) -> TwinDigest:
        """Twin digest of the canonical document."""
        return twin(canonical.encode(self.document()))

    def in_force(self, at: int) -> bool:
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)


def read_policy(document: Any) -> Policy:
    """A policy from its document. Raises INPUT_FORM with the field."""
    return read_input(Policy, document, "policy")


def choose(policies: Sequence[Policy], domain: str, stage: str, as_of: int) -> Policy:
    """The newest version in force for domain and stage, the first listed of equals.

    Raises NO_STAGE or NO_POLICY; free text never matches.
    """
    if stage not in STAGES:
        raise PricingRefused("NO_STAGE", "stage", " | ".join(STAGES), stage)
    found = [
        policy for policy in policies if (policy.domain, policy.stage) == (domain, stage) and policy.in_force(as_of)
    ]
    if not found:
        known = " | ".join(sorted({policy.domain for policy in policies}))
        raise PricingRefused("NO_POLICY", "domain", known, f"{domain} / {stage} @ {as_of}")
    return max(found, key=lambda policy: policy.version)


def threshold_of(policy: Policy) -> Decimal:
    """The policy's identifier threshold, in [0, 1]."""
    return number(policy.constants.identifier_threshold, "constants.identifier_threshold", ZERO, ONE)


def tuples_of(policy: Policy) -> TupleRule | None:
    """What must be counted of the tuples of columns; None under a strategy that takes every column by itself."""
    if policy.strategies.get("columns") not in TUPLES:
        return None
    return TupleRule(threshold_of(policy), policy.constants.nulls)


@exact
def method_of(policy: Policy, as_of: int, values: Mapping[str, str]) -> tuple[Method, Decimal]:
    """The policy's functions and numbers, checked against stage rules and strategy table; and the joint share.

    `values` are parameters that come with the request (expected_return, market_factor). Raises METHOD_NOT_ALLOWED,
    STRATEGY_RETIRED, SCORE_RANGE, INPUT_FORM.
    """
    market = "market" in policy.strategies
    share = ZERO if policy.constants.joint_share is None else number(policy.constants.joint_share, "joint_share")
    check_stage(policy.stage, policy.strategies.get("joint", ""), share, market)
    wanted = [slot for slot in SLOTS if market or slot not in MARKET_SLOTS]
    for slot in sorted(set(policy.strategies) ^ set(wanted)):
        expected = "有策略 / a strategy" if slot in wanted else "不使用 / not used at this stage"
        raise PricingRefused("METHOD_NOT_ALLOWED", f"strategies.{slot}", expected, policy.strategies.get(slot, "—"))
    rows = {slot: strategy(policy.strategies[slot], slot, as_of) for slot in wanted}
    given: dict[str, Any] = {**body_of(policy.constants), **values, "increment": policy.constants.volume_increment}
    for slot, row in rows.items():
        for parameter in row.parameters:
            if parameter.name not in given:
                raise PricingRefused(
                    "INPUT_FORM", f"constants.{parameter.name}", f"{row.id} 必填 / required", "缺失 / missing"
                )
            high = Decimal(parameter.high) if parameter.high else None
            number(given[parameter.name], f"{slot}.{parameter.name}", Decimal(parameter.low), high)
    constants = policy.constants
    method = Method(
        functions={slot: row.function for slot, row in rows.items()},
        volume_increment=constants.volume_increment,
        domain_factor=number(constants.domain_factor, "domain_factor"),
        scale_increment=constants.scale_increment or 1,
        half_life_s=constants.half_life_s or 1,
        strengths=tuple(number(getattr(constants, f"adjust_{name}"), f"adjust_{name}") for name in ADJUSTMENTS),
    )
    if method.domain_factor <= 0:
        raise PricingRefused("SCORE_RANGE", "domain_factor", "> 0", constants.domain_factor)
    return method, share
