"""A case begun from a data file: what the file says of itself is filled in, what only people know stays open.

An open text is "", an open gate item is not passed, so that pricing refuses the case by the first field nobody filled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clearing.pricing.declaring import declare
from clearing.pricing.policy import Policy
from clearing.pricing.quality import DIMENSIONS
from ledger.reading import body_of

VALID_DAYS = 180
DAY = 86_400


def begun(path: Path, policy: Policy, *, report_id: str, as_of: int, part: str | None = None) -> dict[str, Any]:
    """The case document for the file at `path` under this policy; `part` names a sheet or table.

    Dimensions the policy weighs and no rule of the file can show stand under `assessed`, to be stated with their
    evidence. Raises `PricingRefused` as `declare` does.
    """
    spec = declare(path, part)
    shown = {rule.dimension for rule in spec.rules}
    asked = [name for name in DIMENSIONS if name not in shown and policy.scheme.weights.get(name, "0") != "0"]
    data = body_of(spec) | {"path": path.name}
    data["assessed"] = [{"dimension": name, "scale": "unit", "value": "", "evidence": ""} for name in asked]
    return {"request": _request(policy, report_id, as_of, path), "data": data}


def _request(policy: Policy, report_id: str, as_of: int, path: Path) -> dict[str, Any]:
    constants, until = policy.constants, as_of + VALID_DAYS * DAY
    request: dict[str, Any] = {
        "report_id": report_id,
        "element": {"id": f"element:{path.stem}", "version": 1, "citable": False},
        "stage": policy.stage,
        "domain": policy.domain,
        "scene": "",
        "billing_unit": constants.billing_unit,
        "billing_size": constants.billing_size,
        "right": "USE",
        "mode": "bidding" if "market" in policy.strategies else "agreed",
        "as_of": as_of,
        "valid_until": until,
        "data_time": as_of,
        "evaluator": {
            "evaluator": "", "applicant": "", "registrar": "", "evaluated_at": as_of, "valid_until": until,
        },
        "gate": [{"item": item, "passed": False, "evidence": ""} for item in policy.scheme.gate],
        "costs": [
            {"code": "collection_passive", "pool": "data", "amount_fen": 0, "period": "", "attribution": "direct",
             "voucher": ""},
            {"code": "development", "pool": "model", "amount_fen": 0, "period": "", "attribution": "direct",
             "voucher": ""},
        ],
        "expected_return": "",
        "sources": [{"resource": "", "certificate": "", "right": "USE", "valid_from": as_of}],
        "trades": [],
    }  # fmt: skip
    if "market" in policy.strategies:
        request["scarcity"] = {"substitutes": []}
    if policy.stage == "resource":
        request["income"] = {"rate": "", "derivation": "", "flows": []}
    return request
