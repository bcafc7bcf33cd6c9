"""What the application offers, as tables a test compares with the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

PUBLIC_GETS = {
    "/",
    "/check",
    "/register",
    "/log",
    "/api/subjects/{subject}",
    "/api/log",
    "/api/log/entries/{fact_id}",
    "/api/bundles/{fact_id}",
    "/api/certificates",
    "/api/check/{code}",
    "/api/certificates/{code}/{form}",
    "/api/listings",
    "/api/quotes/{report_id}",
}
"""Whoever needs no API key. A paper additionally wants the token of its QR code."""

PUBLIC_POSTS = {"/check"}
"""The check page's file: compared and forgotten, nothing is written."""

READING_POSTS = {"/check", "/api/precheck", "/api/cycles/{cycle}/instructions/draft"}
"""POST because they take a body, but they write nothing."""

BODILESS_POSTS = {
    f"/api/cycles/{{cycle}}/{step}" for step in ("cut-off", "rating", "statements", "window", "netting", "payments")
}
CSV_POSTS = {"/api/bank-files"}

PLACEHOLDERS = {
    "subject": "party:unknown",
    "fact_id": "0" * 64,
    "code": "SJ3312026080001",
    "form": "pdf",
    "report_id": "0" * 32,
    "application": "0" * 32,
    "cycle": "cycle:2026-09",
    "party": "91330100MA0000001X",
    "charge": "0" * 64,
}


def routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def of_method(app: FastAPI, method: str) -> list[APIRoute]:
    return [route for route in routes(app) if method in route.methods]


def path_of(route: APIRoute, **values: str) -> str:
    return route.path.format(**{**PLACEHOLDERS, **values})


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    """A dependency and everything below it."""
    for below in dependant.dependencies:
        yield below
        yield from dependants(below)


def depends_on(route: APIRoute, call: Any) -> list[Dependant]:
    return [found for found in dependants(route.dependant) if found.call is call]
