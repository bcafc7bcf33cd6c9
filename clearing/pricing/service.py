"""Pricing, step by step: count a file, price it, take in the quote that somebody signs. Nobody commits here.

A guide price never reaches an agreement or a bill by itself: whoever signs an agreement types the deal price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.errors import NotSigned
from clearing.pricing import policies, store
from clearing.pricing.element import service as elements
from clearing.pricing.errors import PricingRefused
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import Counted
from clearing.pricing.policy import choose
from clearing.pricing.price_report import PriceReport, PriceVerdict, from_evidence, price, verify
from clearing.pricing.quote import PRICE_QUOTE, PriceQuote, quote_of, statement_of, subject_of
from clearing.pricing.request import Request
from ledger import store as facts
from ledger.facts import Signed, Statement
from ledger.reading import body_of

RequireSignature = Callable[[Session, Signed, str, str, int], None]
"""(session, signed, by, role, at): raises unless `by` signed with the key on record at `at`."""

RightInForce = Callable[[Session, str, str, int], bool]
"""(session, certificate, right, at): does the registry say that this certificate carries the right then?"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verifier asks of a stored quote, each answered by itself: bytes, policy, validity, successor."""

    verdict: PriceVerdict
    signed_digests_match: bool
    valid_at: bool
    superseded_by: str | None


def draft(session: Session, request: Request, counted: Counted, right_in_force: RightInForce) -> PriceReport:
    """Prices a request under the policy in force, after asking the registry for every source right.

    Raises `PricingRefused`; RIGHT_MISSING where the registry does not confirm a right the request claims, STATE_FORBIDS
    where the state of an element known here does not allow it.
    """
    elements.require_quotable(session, request)
    _require_rights(session, request, right_in_force)
    return price(request, choose(policies.POLICIES, request.domain, request.stage, request.as_of), counted)


def statement(session: Session, report: PriceReport, issuer: str) -> Statement:
    """The statement for `issuer` ("party:⟨USCC⟩") to sign. Raises STATE_FORBIDS for a 试算."""
    no, prev = facts.next_of(session, subject_of(report.document["identity"]["report_id"]))
    return statement_of(report, issuer, no, prev)


def take_quote(
    session: Session,
    signed: Signed,
    parts: Sequence[bytes],
    *,
    at: int,
    require_signature: RequireSignature,
    right_in_force: RightInForce,
) -> PriceQuote:
    """Takes in a signed quote with its parts (report, evidence), once; the same quote again returns the first.

    The report is recomputed from the evidence and must be equal, under a published policy; the body must say what the
    report says; the issuer must have signed; an element known here is in review or published (§9). Raises
    `PricingRefused`, `NotSigned` or a ledger error; nothing is written then.
    """
    body = read_input(PriceQuote, signed.statement.body, "body")
    if signed.statement.kind != PRICE_QUOTE or signed.statement.subject != subject_of(body.report_id):
        raise PricingRefused(
            "INPUT_FORM", "statement.subject", f"{PRICE_QUOTE} {subject_of(body.report_id)}", signed.statement.subject
        )
    if len(parts) != 2:
        raise PricingRefused("INPUT_FORM", "parts", "报告与证据两项 / report and evidence", len(parts))
    if not any(signature.by == body.issuer for signature in signed.signatures):
        raise NotSigned(signed.statement.subject, body.issuer, str([s.by for s in signed.signatures]))
    require_signature(session, signed, body.issuer, "", at)
    report = _recomputed(*parts)
    if body_of(quote_of(report, body.issuer)) != signed.statement.body:
        raise PricingRefused("INPUT_FORM", "body", "与报告一致 / what the report says", "不一致 / differs")
    _require_order(session, body, at)
    if facts.next_of(session, signed.statement.subject)[0] == 0:
        request = read_input(Request, decode(parts[1], "evidence")["request"], "request")
        elements.require_quotable(session, request)
        _require_rights(session, request, right_in_force)
    appended = facts.append(session, signed, at=at, parts=parts)
    if not appended.replayed:
        store.project(session, appended.fact)
    return body


def check_quote(session: Session, report_id: str, *, at: int) -> Answer:
    """Recomputes a stored quote. Raises `UnknownFact`."""
    row = store.quote(session, report_id)
    report, evidence = store.documents(session, report_id)
    verdict = verify(report, evidence)
    rebuilt = from_evidence(evidence) if verdict.equal else None
    matches = rebuilt is not None and rebuilt.digest == store.report_digest(row.quote)
    return Answer(verdict, matches, row.quote.as_of <= at <= row.quote.valid_until, row.superseded_by)


def _recomputed(report: bytes, evidence: bytes) -> PriceReport:
    verdict = verify(report, evidence)
    if not verdict.equal:
        raise PricingRefused("INPUT_FORM", f"parts.{verdict.where}{verdict.pointer}", verdict.expected, verdict.given)
    if verdict.policy != "published":
        raise PricingRefused("NO_POLICY", "evidence.policy", "已发布的口径 / a published policy", verdict.policy)
    return from_evidence(evidence)


def _require_order(session: Session, body: PriceQuote, at: int) -> None:
    if body.as_of > at:
        raise PricingRefused("INPUT_FORM", "body.as_of", f"≤ {at}", body.as_of)
    if body.supersedes is not None:
        earlier = store.by_report(session, body.supersedes)
        if earlier is None or earlier.element != body.element:
            given = "无此报告 / no such report" if earlier is None else earlier.element
            raise PricingRefused("INPUT_FORM", "body.supersedes", f"{body.element} 的报告 / its report", given)


def _require_rights(session: Session, request: Request, right_in_force: RightInForce) -> None:
    for position, source in enumerate(request.sources):
        if not right_in_force(session, source.certificate, source.right, request.as_of):
            where = f"request.sources[{position}]"
            raise PricingRefused("RIGHT_MISSING", where, f"{source.right} @ {request.as_of}", source.certificate)
