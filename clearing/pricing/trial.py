"""试算: a price from one JSON document and, if it names one, a data file. Nothing is stored.

The document (`scripts/examples/trial_price.json` is one):

    {
      "request": { … `request.Request`: element, stage, scene, costs, gate, … },
      "policy":  {"id": …, "version": …}      a published policy, or the whole document of one's own; or absent:
                                              the newest in force for the request's domain and stage
      "data":    {"path": "hourly.csv", … `manifest.DataSpec`}     counted now, path relative to the document
      "counted": { … `manifest.Counted` }                          or the counts themselves, exactly one of the two
    }

Fractions are decimal text, money integer fen, times UTC seconds; floats, nulls and unknown fields are refused.
The answer is {"report": …, "evidence": …, "side": {"engine": …}}; `side` stands outside every digest.

A valuation is {"request": { … `valuation_report.ValuationRequest` }} and answers {"report": …, "evidence": …}; an
account of public-data operation is {"operation": { … `allowance.Operation` }} and answers {"reports": [one a year]}
(`trial_value.json` and `trial_allowance.json` beside the other example).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clearing.pricing import counting, policies
from clearing.pricing.allowance import Operation, allowance_reports
from clearing.pricing.difference import first_difference
from clearing.pricing.errors import PricingRefused
from clearing.pricing.information import ColumnCounts
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import ColumnSpec, Counted, DataSpec, Dialect
from clearing.pricing.policy import Policy, choose, read_policy, tuples_of
from clearing.pricing.price_report import PriceReport, price
from clearing.pricing.quality_report import Asked, QualityReport, quality_report, read_asked
from clearing.pricing.request import Request, read_request
from clearing.pricing.valuation_report import ValuationRequest, value
from ledger.reading import body_of

_FIELDS = {"request", "policy", "data", "counted"}


def trial_price(document: dict[str, Any], folder: Path = Path(".")) -> dict[str, Any]:
    """Prices the case in `document`; a data path is taken relative to `folder`. The quote is a 试算 and not citable.

    Raises as `price_case`, and STATE_FORBIDS for an element that is citable.
    """
    element = document["request"].get("element") if isinstance(document.get("request"), dict) else None
    if isinstance(element, dict) and element.get("citable") is True:
        raise PricingRefused(
            "STATE_FORBIDS", "request.element.citable", "false：试算不可引用 / a trial is not citable", True
        )
    result = price_case(document, folder)
    return {
        "report": result.document,
        "evidence": decode(result.evidence, "evidence"),
        "side": {"engine": counting.engine()},
    }


def price_case(
    document: dict[str, Any], folder: Path = Path("."), seen: counting.Progress | None = None
) -> PriceReport:
    """The report of the case in `document`; a data path is taken relative to `folder`. Whether it may be cited is what
    its element says; `seen` is told how many columns were counted.

    Raises `PricingRefused` with the code, the field, what was expected and what was given.
    """
    _check_fields(document)
    request = read_request(document["request"])
    policy = _policy(document.get("policy"), request)
    return price(request, policy, _counted(document, policy, request.as_of, folder, seen))


def evaluated(
    document: dict[str, Any], folder: Path = Path("."), seen: counting.Progress | None = None
) -> QualityReport:
    """The quality report of the case in `document`; of its request only what quality needs is read. As `price_case`."""
    _check_fields(document)
    asked = read_asked(document["request"])
    policy = _policy(document.get("policy"), asked)
    return quality_report(asked, policy, _counted(document, policy, asked.as_of, folder, seen, tuples=False))


def _check_fields(document: dict[str, Any]) -> None:
    for name in sorted(set(document) - _FIELDS):
        raise PricingRefused("INPUT_FORM", name, " | ".join(sorted(_FIELDS)), "未知字段 / unknown field")
    if "request" not in document or ("data" in document) == ("counted" in document):
        raise PricingRefused(
            "INPUT_FORM", "request, data | counted", "request 与其一 / and one of them", sorted(document)
        )


def _counted(
    document: dict[str, Any], policy: Policy, as_of: int, folder: Path, seen: counting.Progress | None,
    tuples: bool = True,
) -> Counted:  # fmt: skip
    if "counted" in document:
        return read_input(Counted, document["counted"], "counted")
    return count_data(document["data"], policy, as_of, folder, seen, tuples)


def trial_value(document: dict[str, Any]) -> dict[str, Any]:
    """Values the asset in `document` by every approach it gives. A 试算 concludes nothing and is marked `trial`.

    Raises `PricingRefused` with the code, the field, what was expected and what was given.
    """
    request = read_input(ValuationRequest, _only(document, "request"), "request")
    if request.status != "trial":
        raise PricingRefused("STATE_FORBIDS", "request.status", "trial", request.status)
    result = value(request)
    return {"report": result.document, "evidence": decode(result.evidence, "evidence")}


def trial_allowance(document: dict[str, Any]) -> dict[str, Any]:
    """The yearly reports of a public-data operation: allowed revenue, caps, revenue. Raises `PricingRefused`."""
    operation = read_input(Operation, _only(document, "operation"), "operation")
    return {"reports": list(allowance_reports(operation))}


def _only(document: dict[str, Any], name: str) -> Any:
    for other in sorted(set(document) - {name}):
        raise PricingRefused("INPUT_FORM", other, name, "未知字段 / unknown field")
    if name not in document:
        raise PricingRefused("INPUT_FORM", name, "必填 / required", "缺失 / missing")
    return document[name]


def count_data(
    data: Any, policy: Policy, as_of: int, folder: Path, seen: counting.Progress | None = None, tuples: bool = True
) -> Counted:
    """Counts the file of a `data` block under the policy's bins and calendar, and with `tuples` its rule of tuples: of
    use to a price only."""
    if not isinstance(data, dict) or not isinstance(data.get("path"), str):
        raise PricingRefused("INPUT_FORM", "data.path", "文件路径 / a file path", repr(data)[:80])
    spec = read_input(DataSpec, {key: value for key, value in data.items() if key != "path"}, "data")
    constants = policy.constants
    return counting.count(
        folder / data["path"], spec, bins=constants.bins, calendar=constants.calendar, as_of=as_of,
        tuples=tuples_of(policy) if tuples else None, progress=seen,
    )  # fmt: skip


def recount(evidence: bytes, path: Path) -> tuple[str, str, str] | None:
    """Counts the data file of a report again (level B): None when all is alike, else where the first difference is,
    what the evidence says and what the file gives.

    Raises `PricingRefused` when the file cannot be counted as the evidence declares it.
    """
    stored = decode(evidence, "evidence")
    counted, policy = read_input(Counted, stored["counted"], "counted"), read_policy(stored["policy"])
    manifest = counted.manifest
    types = {column.name: column.type for column in manifest.columns}
    declared = tuple(
        ColumnSpec(column.name, types[column.name], column.kind, _fixed(column))
        for column in counted.columns
        if not column.inferred
    )
    rules = tuple(item.rule for item in counted.rules)
    spec = DataSpec(
        manifest.name, manifest.format, declared, rules, counted.assessed, manifest.dialect or Dialect(),
        part=manifest.part,
    )  # fmt: skip
    constants, as_of = policy.constants, read_request(stored["request"]).as_of
    found = counting.count(
        path, spec, bins=constants.bins, calendar=constants.calendar, as_of=as_of, tuples=tuples_of(policy)
    )
    return first_difference(body_of(counted), body_of(found))


def _fixed(column: ColumnCounts) -> tuple[str, ...]:
    binning = column.binning
    return binning.edges if binning is not None and binning.id == "bin.fixed_edges@1" else ()


def _policy(given: Any, request: Request | Asked) -> Policy:
    if given is None:
        return choose(policies.POLICIES, request.domain, request.stage, request.as_of)
    if isinstance(given, dict) and set(given) == {"id", "version"}:
        found = policies.published(given["id"], given["version"])
        if found is None:
            known = " | ".join(f"{policy.id} v{policy.version}" for policy in policies.POLICIES)
            raise PricingRefused("NO_POLICY", "policy", known, f"{given['id']} v{given['version']}")
        return found
    return read_policy(given)
