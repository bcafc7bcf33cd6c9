"""Decisions D1: nothing is answered with 2xx before it is committed, and nothing written through a reader stays."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from api import errors
from api.apikey import ApiKey
from api.deps import read_session, write_session
from ledger import canonical, sm
from registry.party import Staff
from tests.api.house import OPERATOR, Platform, serving
from tests.api.routes import (
    DSP_POSTS,
    GETS,
    LINES_POSTS,
    PAGE_POSTS,
    POSTS,
    READING_POSTS,
    WRITES,
    depends_on,
    name_of,
    path_of,
)
from tests.clearing.usage.batches import Line
from tests.registry.registry_house import AGENCY
from tests.usage_world import Source


def failing_commit(_session: Session) -> None:
    raise OperationalError("COMMIT", {}, Exception("disk I/O error"))


@pytest.mark.parametrize("route", WRITES, ids=name_of)
def test_write_route__its_session_is_committed_before_the_answer(route: APIRoute) -> None:
    found = depends_on(route, write_session)
    assert found, "a POST that writes must ask for WriteDep"
    assert {dependant.scope for dependant in found} == {"function"}


@pytest.mark.parametrize("route", GETS + [route for route in POSTS if route.path in READING_POSTS], ids=name_of)
def test_reading_route__asks_for_no_write_session(route: APIRoute) -> None:
    assert not depends_on(route, write_session)
    assert {dependant.scope for dependant in depends_on(route, read_session)} <= {"function"}


@pytest.fixture(scope="module")
def bare(shared: Platform) -> Any:
    """Every write route with its real dependencies and a body that does nothing, behind a real server."""
    app = FastAPI()
    app.state.system = shared.system
    errors.install(app)
    for route in WRITES:
        app.post(route.path)(_without_body(route))
    with serving(app) as client:
        yield client


def _without_body(route: APIRoute) -> Any:
    def nothing(**_: Any) -> dict[str, Any]:
        return {}

    nothing.__signature__ = inspect.signature(route.endpoint, eval_str=True)  # type: ignore[attr-defined]
    return nothing


@pytest.mark.parametrize("route", WRITES, ids=name_of)
def test_write_route__commit_fails__never_2xx(
    route: APIRoute, shared: Platform, bare: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = {"kind": "party/v1", "subject": "party:x", "no": 0, "body": {}}
    body = canonical.encode({"statement": statement, "signatures": [_signature(f"party:{OPERATOR}")]})
    headers = shared.headers(f"party:{OPERATOR}")
    if route.path in LINES_POSTS:
        body = Source(Line("a" * 64, "b" * 32, "e" * 64), sm.generate(), "").body(1)
        headers["Content-Type"] = "application/x-ndjson"
    assert bare.post(path_of(route), content=body, headers=headers).status_code == 200
    monkeypatch.setattr(Session, "commit", failing_commit)
    answer = bare.post(path_of(route), content=body, headers=headers)
    assert answer.status_code == 503
    assert "未写入" in answer.text
    said = "code" if route.path in DSP_POSTS else "error"
    assert route.path in PAGE_POSTS or answer.json()[said] == "Busy"


def test_real_write__commit_fails__no_2xx_and_nothing_stored(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = platform.count()
    body = Staff(AGENCY, platform.keys["staff:clerk"].public, ("intake",))
    signed = platform.signed("staff/v1", "staff:late", body, (f"party:{AGENCY}", ""))
    platform.token(f"party:{AGENCY}")
    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", failing_commit)
        assert platform.post("/api/staff", signed.document(), f"party:{AGENCY}").status_code == 503
    assert platform.count() == before
    assert platform.post("/api/staff", signed.document(), f"party:{AGENCY}").json()["replayed"] is False
    assert platform.count() == before + 1


def test_read_session__what_is_written_through_it_is_not_kept(shared: Platform) -> None:
    generator = read_session(shared.system)
    session = next(generator)
    with suppress(OperationalError):  # a reader that refuses the write at once is as good
        session.add(ApiKey(prefix="0" * 12, sha256="0" * 64, holder="party:x", made_at=0))
        session.flush()
    assert next(generator, None) is None
    with shared.reading() as again:
        assert again.get(ApiKey, "0" * 12) is None


def _signature(by: str) -> dict[str, str]:
    return {"alg": "sm2-sm3", "by": by, "key": "04" + "0" * 128, "value": "0" * 128, "signer_id": "1234567812345678"}
