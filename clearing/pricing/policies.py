"""The published policies. A released document is never edited: a change is a new version (tests pin every digest).

Those below are made for the demonstration and marked 演示; their constants are calibrated on nothing but it.
"""

from __future__ import annotations

from typing import Any

from clearing.pricing.policy import Policy, read_policy

DEMO_DOMAIN = "民航运行(演示)"

_FROM = 1767196800  # 2026-01-01T00:00:00+08:00
_JOINT_FROM = 1796054400  # 2026-12-01T00:00:00+08:00

_SCHEME: dict[str, Any] = {
    "id": "six-dimensions",
    "version": 1,
    "weights": {
        "normativity": "0.2",
        "completeness": "0.25",
        "accuracy": "0.25",
        "consistency": "0.15",
        "timeliness": "0.1",
        "accessibility": "0.05",
    },
    "bands": [
        {"grade": "A", "low": "80"},
        {"grade": "B", "low": "60"},
        {"grade": "C", "low": "40"},
        {"grade": "D", "low": "20"},
        {"grade": "E", "low": "0"},
    ],
    "gate": ["source_lawful", "authorised", "registered", "content_reviewed", "desensitised"],
}
_BASE = {
    "volume": "volume.logistic@1",
    "quality": "quality.weighted_square@1",
    "entropy": "entropy.shannon_bits@1",
    "columns": "columns.mean@1",
    "density": "density.identity@1",
    "value": "value.product@1",
    "cost": "cost.domain@1",
    "agreed": "agreed.markup@1",
    "round": "round.half_up_fen@1",
    "cap": "cap.public@1",
}
_MARKET = {
    "scarcity": "scarcity.substitutes@1",
    "decay": "decay.half_life@1",
    "scale": "scale.centred_volume@1",
    "completeness": "completeness.dimension@1",
    "history": "history.weighted_median@1",
    "market": "market.weighted_adjustment@1",
    "bidding": "bidding.factor@1",
}
_CONSTANTS: dict[str, Any] = {
    "volume_increment": 20000,
    "volume_unit": "rows",
    "unit_value_fen": 6000,
    "unit_value_evidence": "演示口径，未经校准",
    "billing_unit": "call",
    "billing_size": 1000,
    # One billing unit of 1,000 calls carries a thousandth of the cost: a million calls are planned.
    "domain_factor": "0.001",
    "bins": 64,
    "calendar": "hour",
    "identifier_threshold": "0.9",
    "nulls": "drop",
}
_MARKET_CONSTANTS: dict[str, Any] = {
    "half_life_s": 730 * 86400,
    "scale_increment": 20000,
    "adjust_scarcity": "0.1",
    "history_weight": "0.3",
}


def _demo(stage: str, joint: str, market: bool, **constants: Any) -> dict[str, Any]:
    return {
        "id": f"demo.civil-aviation.{stage}",
        "version": 1,
        "mark": "演示",
        "domain": DEMO_DOMAIN,
        "stage": stage,
        "effective_from": _FROM,
        "strategies": {**_BASE, **(_MARKET if market else {}), "joint": joint},
        "constants": {**_CONSTANTS, **(_MARKET_CONSTANTS if market else {}), **constants},
        "scheme": _SCHEME,
    }


def _joint() -> dict[str, Any]:
    """The element's policy with the joint entropy of all admitted columns; in force only where a case names it."""
    element = _demo("element", "joint.linear@1", True, joint_share="0.6")
    return element | {
        "id": "demo.civil-aviation.element-joint",
        "effective_from": _JOINT_FROM,
        "strategies": element["strategies"] | {"columns": "columns.joint@1"},
    }


POLICIES: tuple[Policy, ...] = (
    read_policy(_demo("resource", "joint.cost_plus@1", False)),
    read_policy(_demo("element", "joint.linear@1", True, joint_share="0.6")),
    read_policy(_demo("product", "joint.cobb_douglas@1", True, joint_share="0.7")),
    read_policy(_joint()),  # after the one that `choose` gives for the element
)


def published(id_: str, version: int) -> Policy | None:
    """The published policy of that name and version, or None."""
    return next((policy for policy in POLICIES if (policy.id, policy.version) == (id_, version)), None)
