"""Who may come in: no write without a key, no key that speaks for somebody else, and nothing public by accident."""

from __future__ import annotations

import httpx
import pytest
from fastapi.routing import APIRoute

from api.apikey import ApiKey
from api.client import PlatformClient
from clearing.settlement import service as settlement
from ledger import store
from ledger.facts import Statement
from tests.api.house import OPERATOR, Platform
from tests.api.routes import DSP_POSTS, GETS, PAGE_POSTS, POSTS, PUBLIC_GETS, PUBLIC_POSTS, name_of, path_of
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form

WRONG_KEYS = ("", "Bearer", "Bearer sq_1_2", "Basic c3E6c3E=", "Bearer sq_" + "0" * 12 + "_" + "0" * 64, "Bearer ☃")


@pytest.mark.parametrize("route", POSTS, ids=name_of)
def test_post__no_or_wrong_key__401_before_anything_is_read(route: APIRoute, shared: Platform) -> None:
    if route.path in PUBLIC_POSTS:
        return
    before = shared.count()
    for key in WRONG_KEYS:
        headers = {"Authorization": key.encode()} if key else {}
        for content in (b"{}", b"not json", b"\xff"):
            answer = shared.client.post(path_of(route), content=content, headers=headers)
            assert answer.status_code == 401, (key, answer.text)
            said = answer.text if route.path in PAGE_POSTS | DSP_POSTS else answer.json()["message"]
            assert "缺少接口密钥" in said or "接口密钥无效" in said
    assert shared.count() == before


@pytest.mark.parametrize("route", GETS, ids=name_of)
def test_get__without_key__only_what_the_table_calls_public(route: APIRoute, shared: Platform) -> None:
    status = shared.client.get(path_of(route)).status_code
    if route.path in PUBLIC_GETS:
        assert status in {200, 403, 404}
    else:
        assert status == 401


def test_tables__name_only_routes_that_exist() -> None:
    assert {route.path for route in GETS} >= PUBLIC_GETS
    assert {route.path for route in POSTS} >= PUBLIC_POSTS


def test_openapi__lists_every_route_and_who_needs_a_key(shared: Platform) -> None:
    answer = shared.client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    routes = {(route.path, method) for route in GETS + POSTS for method in route.methods if route.include_in_schema}
    assert described == routes
    for path, item in document["paths"].items():
        for method, operation in item.items():
            public = path in (PUBLIC_GETS if method == "get" else PUBLIC_POSTS)
            assert ("security" in operation) != public, (method, path)
            assert operation["summary"]
            assert "4XX" in operation["responses"]
    named = {name for path in document["paths"] for name in path.split("/") if name.startswith("{")}
    assert named
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_foreign_key__403_and_nothing_written(shared: Platform) -> None:
    before = shared.count()
    form = shared.signed("application-submitted/v1", "application:" + "a" * 32, a_form(), (f"party:{PROVIDER}", ""))
    answer = shared.post("/api/applications", form.document(), f"party:{RIVAL}")
    assert answer.status_code == 403
    assert answer.json()["error"] == "Forbidden"
    assert "不能提交他人签署的内容" in answer.json()["message"]
    assert shared.count() == before


def test_cycle__driven_by_a_party__403(shared: Platform) -> None:
    body = {"period": "2026-08", "grace": 86_400}
    assert shared.post("/api/cycles", body, f"party:{PROVIDER}").status_code == 403
    assert shared.post("/api/cycles/cycle:2026-08/netting", {}, f"party:{AGENCY}").status_code == 403


def test_statement__of_another_party__403(shared: Platform) -> None:
    path = f"/api/cycles/cycle:2026-08/statements/{PROVIDER}"
    answer = shared.client.get(path, headers=shared.headers(f"party:{RIVAL}"))
    assert answer.status_code == 403
    assert shared.client.get(path, headers=shared.headers(f"party:{OPERATOR}")).status_code == 404


def test_bundle__for_whom_the_fact_concerns(shared: Platform) -> None:
    with shared.reading() as session:
        fact = store.facts_of(session, f"party:{PROVIDER}")[0].id
    path = f"/api/bundles/{fact}"
    assert shared.client.get(path).status_code == 401
    assert shared.client.get(path, headers=shared.headers(f"party:{RIVAL}")).status_code == 403
    assert shared.client.get(path, headers=shared.headers("staff:clerk")).status_code == 403
    for holder in (PROVIDER, AGENCY, OPERATOR):
        answer = shared.client.get(path, headers=shared.headers(f"party:{holder}"))
        assert (answer.status_code, answer.json()["error"]) == (409, "NotPublished")


def test_key__ended__is_refused(platform: Platform) -> None:
    by = f"party:{PROVIDER}"
    headers = platform.headers(by)
    assert platform.client.post("/api/precheck", json={}, headers=headers).status_code == 422
    with platform.books() as house:
        row = house.session.get(ApiKey, platform.tokens[by].split("_")[1])
        assert row is not None
        row.ended_at = platform.now
    assert platform.client.post("/api/precheck", json={}, headers=headers).status_code == 401


def test_client__speaks_to_the_real_server(shared: Platform) -> None:
    with PlatformClient(str(shared.client.base_url)) as client:
        following = client.next_of(f"party:{PROVIDER}")
        assert following.no == 1
        assert following.prev is not None


def test_answers__carry_protective_headers(shared: Platform) -> None:
    for path in ("/", "/api/log", "/nowhere", "/api/nowhere", "/static/shuqing.css"):
        headers = shared.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; script-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"


def test_unknown_route__says_so_in_the_form_of_its_kind(shared: Platform) -> None:
    answer: httpx.Response = shared.client.get("/api/nowhere")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("没有此页面或接口")
    page = shared.client.get("/nowhere")
    assert page.status_code == 404
    assert "text/html" in page.headers["content-type"]
    assert "没有此页面或接口" in page.text
    assert shared.client.delete("/api/log").json()["message"].startswith("此接口不支持该方法")


def test_application__seen_by_those_it_concerns_and_their_staff_only(platform: Platform) -> None:
    """A staff key of another organisation opened every case before; it is the organisation that counts."""
    with platform.books() as house:
        application = house.file(a_form())
        house.hire("outsider", "reviewer", organisation=RIVAL)
    for path in (f"/api/applications/{application}", f"/api/applications/{application}/record"):
        for holder in (f"party:{RIVAL}", "staff:outsider"):
            assert platform.client.get(path, headers=platform.headers(holder)).status_code == 403, (path, holder)
        for holder in (f"party:{PROVIDER}", f"party:{AGENCY}", "staff:clerk"):
            assert platform.client.get(path, headers=platform.headers(holder)).status_code == 200, (path, holder)


def test_drafts__of_another_partys_money__403(shared: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft shows amounts: an invoice to its issuer, a confirmation to its party, both to the operator."""
    draft = Statement("invoice/v1", "invoice:1", 0, None, {"issuer": PROVIDER, "gross": 100, "tax": 6})
    monkeypatch.setattr(settlement, "draft_invoice", lambda *_, **__: draft)
    monkeypatch.setattr(settlement, "draft_confirmation", lambda *_, **__: draft)
    confirmation = f"/api/cycles/cycle:2026-08/statements/{PROVIDER}/confirmation"
    for path in ("/api/charges/1/invoice?number=1&issued_at=1", confirmation):
        assert shared.client.get(path, headers=shared.headers(f"party:{RIVAL}")).status_code == 403
        for holder in (PROVIDER, OPERATOR):
            assert shared.client.get(path, headers=shared.headers(f"party:{holder}")).status_code == 200
