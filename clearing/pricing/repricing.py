"""A stored price asked again: another time, another policy, the same counts (decisions D38). No data is read.

The entropy of a column follows from its profile and from what the policy does with empty cells; where that is as
before, the stored value is taken, which `price_report.verify` still recomputes. Counts of tuples are let go under a
policy that takes each column by itself.
"""

from __future__ import annotations

from dataclasses import replace

from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import Policy, read_policy, tuples_of
from clearing.pricing.price_report import PriceReport, build, from_evidence, seal
from clearing.pricing.request import read_request
from ledger import canonical
from ledger.reading import body_of


def reprice(
    evidence: bytes, policy: Policy, *, report_id: str, as_of: int, valid_until: int, supersedes: str | None = None,
    sensitivity: bool = False,
) -> PriceReport:  # fmt: skip
    """The price under this policy at `as_of` (seconds UTC), from the evidence of an earlier report; `supersedes` is the
    SHA-256 of that report. Gate, costs, rights and trades stay as they were stated there.

    Raises `PricingRefused` as pricing does: METHOD_NOT_ALLOWED for a policy with other bins or other tuples, since they
    are counted, INPUT_FORM where tuples are wanted and were not counted, QUALITY_EXPIRED, RIGHT_MISSING and the like
    where the earlier statements do not hold at `as_of`.
    """
    stored = decode(evidence, "evidence")
    if not isinstance(stored, dict) or not {"request", "policy", "counted", "information"} <= set(stored):
        raise PricingRefused("INPUT_FORM", "evidence", "request, policy, counted, information", repr(stored)[:80])
    request = replace(
        read_request(stored["request"]), report_id=report_id, as_of=as_of, valid_until=valid_until,
        supersedes=supersedes, sensitivity=sensitivity,
    )  # fmt: skip
    document = {**stored, "request": body_of(request), "policy": policy.document()}
    changed = ["request", "policy"]
    counted = stored["counted"]
    if tuples_of(policy) is None and isinstance(counted, dict) and "tuples" in counted:
        document["counted"] = {name: item for name, item in counted.items() if name != "tuples"}
        changed.append("counted")
    if document["policy"] != stored["policy"]:
        before, now = read_policy(stored["policy"]).constants, policy.constants
        if (before.nulls, before.identifier_threshold) != (now.nulls, now.identifier_threshold):
            return from_evidence(seal(request, policy, read_input(Counted, document["counted"], "counted")))
    # What was counted is by far the most of it and mostly stays as it is written.
    written = {name: canonical.encode(document[name]) for name in changed}
    return build(document, canonical.joined(canonical.members(evidence) | written))
