"""What the application offers, as tables a test compares with the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.app import MODULES, OFFICE
from clearing.market.negotiation.dataspace import BASE

PUBLIC_GETS = {
    "/",
    "/check",
    "/register",
    "/statistics",
    "/log",
    "/verify",
    "/verifier",
    "/verifier.py",
    "/api/subjects/{subject}",
    "/api/log",
    "/api/log/entries/{fact_id}",
    "/api/certificates/{code}/bundle",
    "/api/certificates",
    "/api/calendars",
    "/api/rule-sets",
    "/api/statistics",
    "/api/statistics.csv",
    "/api/check/{code}",
    "/api/certificates/{code}/{form}",
    "/market",
    "/market/{product}",
    "/api/market/products",
    "/api/market/products/{product}",
    "/api/market/catalogue.jsonld",
    "/api/market/catalogue/{product}.jsonld",
    "/api/samples/{sample}",
    "/market/{product}/service/{month}",
    "/api/market/products/{product}/service/{month}",
    "/demands",
    "/demands/{demand}",
    "/api/market/demands",
    "/profiles",
    "/profiles/{party}",
    "/api/profiles",
    "/api/profiles/{party}",
    "/disclosure",
    "/disclosure/{year}",
    "/api/reports/disclosure/{year}",
    "/api/reports/disclosure/{year}/xlsx",
    "/.well-known/did.json",
    "/did.json",
    "/contexts/registration/v1",
    "/credentials/status/{purpose}/{number}",
    "/api/agency",
    "/api/agency/papers/{sha256}",
    "/api/certificates/{code}/custodian",
    "/log/checkpoint",
    "/log/vkey",
    "/log/tile/{place:path}",
    "/log/sm3/tile/{place:path}",
    "/.well-known/dspace-version",
}
"""What needs no API key. A paper and its bundle additionally want the token of the QR code."""

PUBLIC_POSTS = {"/check"}
"""The check page's file: compared and forgotten, nothing is written."""

READING_POSTS = {
    "/check",
    "/api/precheck",
    "/api/listings/precheck",
    f"{BASE}/catalog/request",
    "/api/connectors/{connector}/acts",
    "/api/certificates/{code}/draft",
    "/api/netting-limits/draft",
    "/api/funding-guarantees/draft",
    "/api/recourse-payments/draft",
    "/api/cycles/{cycle}/cover-calls/draft",
    "/api/cycles/{cycle}/instructions/draft",
    "/api/cycles/{cycle}/reissue/draft",
    "/api/payment-batches/{fact_id}/results.{form}",
}
"""POST because they take a body, but they write nothing."""

BODILESS_POSTS = {
    f"/api/cycles/{{cycle}}/{step}"
    for step in ("cut-off", "rating", "statements", "window", "netting", "default", "payments")
}
BODILESS_POSTS |= {"/api/drafts/{draft}/withdrawal", "/api/inspections/{inspection}/copies/{paper}"}
BODILESS_POSTS |= {"/api/demands/{demand}/rankings"}
STATING_POSTS = {"/api/reports/credit"}
"""Asks for no body either; where there is nothing to state, that is the answer."""
FILE_POSTS = {"/api/attachments", "/api/intake/imports"}
"""A file, as a form or as bare bytes; `test_intake_files` is their test of wrong bodies."""
PAGE_POSTS = {"/intake"}
"""The same from a page: answered with a page."""
CSV_POSTS = {"/api/bank-files", "/api/payment-batches/{fact_id}/results.{form}"}
RECORD_POSTS = {"/api/usage/records"}
"""One canonical record, no statement; stored by a group commit, whose failures `test_single_intake` shows (D11)."""
WAITING_POSTS = {"/api/connectors/{connector}/acts"}
"""A question whose answer may take a while; `test_watching` is their test of wrong ones."""
DESK_POSTS = {"/api/desk/{identity}/signatures"}
"""Signatures of a statement that waits, not a statement; `test_deal_pages` is their test of wrong ones."""
LINES_POSTS = {"/api/usage/batches"}
"""Signed statement and parts as lines; `test_usage_batches` is their test of wrong bodies."""

PLACEHOLDERS = {
    "subject": "party:unknown",
    "fact_id": "0" * 64,
    "code": "SJ3312026080001",
    "form": "pdf",
    "purpose": "revocation",
    "number": "1",
    "report_id": "0" * 32,
    "application": "0" * 32,
    "objection": "0" * 32,
    "inspection": "0" * 32,
    "paper": "form",
    "cycle": "cycle:2026-09",
    "party": "91330100MA0000001X",
    "charge": "0" * 64,
    "agreement": "0" * 64,
    "place": "0/000",
    "draft": "0" * 32,
    "attachment": "0" * 32,
    "identity": "0" * 32,
    "move": "I-07",
    "kind": "renewal",
    "card": "0" * 32,
    "listing": "0" * 32,
    "product": "0" * 32,
    "sample": "0" * 32,
    "demand": "0" * 32,
    "element": "0" * 20,
    "mandate": "0" * 32,
    "gratis": "0" * 32,
    "no": "0",
    "sha256": "0" * 64,
    "negotiation": "0" * 64,
    "delivery": "0" * 32,
    "dispute": "0" * 32,
    "month": "2026-05",
    "period": "2026-05",
    "year": "2026",
    "pid": "negotiation:" + "0" * 64,
    "dataset": "listing:" + "0" * 32,
    "message": "INQUIRE",
    "act": "TERMINATE",
    "connector": "conn-demo-1",
    "report": "0" * 32,
    "file": "report.json",
    "case": "0" * 32,
    "contract": "0" * 64,
    "about": "new",
    "due": "0" * 32,
    "plan": "0" * 32,
}


def of_method(method: str) -> list[APIRoute]:
    """Every route of the application with this method; `test_doors` compares them with the API's own description."""
    found = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    return [route for route in found if method in route.methods]


GETS, POSTS = of_method("GET"), of_method("POST")
OFFICE_ROUTES = [route for module in OFFICE for route in module.router.routes if isinstance(route, APIRoute)]
OFFICE_PUBLIC = {
    "/office.js",
    "/pictures.js",
    "/office",
    "/office/login",
    "/office/login/challenge",
    "/office/keys",
    "/office/enrol",
    "/notices",
    "/notices/{application}",
    "/notices/{application}/objection",
    "/certificates/{code}/objection",
}
"""Office pages that need no session: the way in, what is published, and objections of people without a key."""
OFFICE_READING = {
    "/office/login/challenge",
    "/office/pricing/{case}/price",
    "/office/payment-batches/{fact_id}/results",
}
DSP_POSTS = {route.path for route in POSTS if route.path.startswith(BASE)}
"""Answered with the documents of the Dataspace Protocol; `test_dsp` is their test of wrong bodies."""
WRITES = [route for route in POSTS if route.path not in READING_POSTS | RECORD_POSTS]


def name_of(route: APIRoute) -> str:
    return route.path


def path_of(route: APIRoute, **values: str) -> str:
    return route.path.replace(":path}", "}").format(**{**PLACEHOLDERS, **values})


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    """A dependency and everything below it."""
    for below in dependant.dependencies:
        yield below
        yield from dependants(below)


def depends_on(route: APIRoute, call: Any) -> list[Dependant]:
    return [found for found in dependants(route.dependant) if found.call is call]
