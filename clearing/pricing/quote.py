"""A quote (报价): the signed statement that a report says this price. Advice only: no bill is ever made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import Positive
from clearing.pricing.manifest import Digests, Hex32
from clearing.pricing.price_report import PriceReport, from_evidence, verify
from clearing.pricing.quality import Count
from clearing.pricing.request import Name, ReportId
from ledger.digest import TwinDigest, twin
from ledger.facts import PartsRoot, Statement
from ledger.reading import body_of

PRICE_QUOTE = "price-quote/v1"
Issuer = Annotated[str, msgspec.Meta(pattern=r"^party:[0-9A-Z]{18}\Z")]


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """Body of price-quote/v1, subject "quote:⟨report id⟩", act 0; its two parts are the report and the evidence.

    `report` is the report's own digest (over the report without it), `evidence` that of the evidence bytes. Money is
    fen per `billing_size` `billing_unit`, tax-exclusive; `guide_fen` is the one shown, after any cap.
    """

    report_id: ReportId
    issuer: Issuer
    element: Name
    version: Positive
    stage: Literal["resource", "element", "product"]
    kind: Literal["agreed_guide", "bidding_guide"]
    scene: Name
    billing_unit: Name
    billing_size: Positive
    as_of: Count
    valid_until: Count
    policy: Name
    policy_version: Positive
    report: Digests
    evidence: Digests
    guide_fen: Count
    agreed_guide_fen: Count
    capped: bool
    cold_start: bool
    bidding_guide_fen: Count | None = None
    supersedes: Hex32 | None = None


def subject_of(report_id: str) -> str:
    """The subject of the quote that states this report."""
    return f"quote:{report_id}"


def quote_of(report: PriceReport, issuer: str) -> PriceQuote:
    """The quote that a report supports. Raises STATE_FORBIDS for a 试算, which nobody may cite."""
    identity, result, method = (report.document[block] for block in ("identity", "result", "method"))
    if identity["kind"] == "trial":
        raise PricingRefused(
            "STATE_FORBIDS", "element.citable", "true：发布审核中或已发布 / in review or published", False
        )
    return PriceQuote(
        report_id=identity["report_id"],
        issuer=issuer,
        element=identity["element"]["id"],
        version=identity["element"]["version"],
        stage=identity["stage"],
        kind=identity["kind"],
        scene=identity["scene"],
        billing_unit=identity["billing"]["unit"],
        billing_size=identity["billing"]["size"],
        as_of=identity["as_of"],
        valid_until=identity["valid_until"],
        policy=method["policy"]["id"],
        policy_version=method["policy"]["version"],
        report=Digests.of(report.digest),
        evidence=Digests.of(twin(report.evidence)),
        guide_fen=result["guide_fen"],
        agreed_guide_fen=result["agreed_guide_fen"],
        capped=result["capped"],
        cold_start=result["cold_start"],
        bidding_guide_fen=result.get("bidding_guide_fen"),
        supersedes=identity.get("supersedes"),
    )


def statement_of(report: PriceReport, issuer: str, no: int = 0, prev: TwinDigest | None = None) -> Statement:
    """The unsigned statement the issuer signs; send `(report.data, report.evidence)` along as its parts."""
    quote = quote_of(report, issuer)
    parts = PartsRoot.over((report.data, report.evidence))
    return Statement(PRICE_QUOTE, subject_of(quote.report_id), no, prev, body_of(quote), parts)


def check_parts(statement: Statement, parts: Sequence[bytes]) -> None:
    """The parts are the report and the evidence this statement commits to, and its body says what they say, recomputed
    here: for whoever is about to sign. Raises INPUT_FORM."""
    if len(parts) != 2 or statement.parts != PartsRoot.over(tuple(parts)):
        raise PricingRefused("INPUT_FORM", "parts", "报告与证据两项 / report and evidence", len(parts))
    verdict = verify(*parts)
    if not verdict.equal:
        raise PricingRefused("INPUT_FORM", f"parts.{verdict.where}{verdict.pointer}", verdict.expected, verdict.given)
    if body_of(quote_of(from_evidence(parts[1]), str(statement.body.get("issuer")))) != statement.body:
        raise PricingRefused("INPUT_FORM", "body", "与报告一致 / what the report says", "不一致 / differs")
