"""Wrong and hostile input at every route: a clear refusal, no 500, and not one fact more than before."""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import canonical, store
from ledger.digest import twin
from ledger.errors import Malformed
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.case import Act
from registry.party import Staff
from tests.api.house import NAMES, OPERATOR, Platform, open_platform
from tests.api.routes import (
    BODILESS_POSTS,
    CSV_POSTS,
    DESK_POSTS,
    DSP_POSTS,
    FILE_POSTS,
    GETS,
    LINES_POSTS,
    OFFICE_ROUTES,
    PAGE_POSTS,
    PLACEHOLDERS,
    POSTS,
    PUBLIC_POSTS,
    RECORD_POSTS,
    STATING_POSTS,
    WAITING_POSTS,
    name_of,
    path_of,
)
from tests.counts import few
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, STAFF, a_form

BY, CLERK = f"party:{OPERATOR}", next(iter(STAFF))
JSON = "application/json"
JSON_POSTS = [
    route
    for route in POSTS
    if (route.openapi_extra or {}).get("requestBody") and route.path not in LINES_POSTS | DSP_POSTS
]
SIGNED = [route for route in JSON_POSTS if route.path not in RECORD_POSTS | DESK_POSTS | WAITING_POSTS]
BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"<xml/>",
    "cut off": b'{"statement": {"no"',
    "array": b"[]",
    "text": b'"statement"',
    "number": b"1",
    "float": b'{"statement": 1.5}',
    "NaN": b'{"statement": NaN}',
    "null": b"null",
    "null inside": b'{"statement": null, "signatures": null}',
    "duplicate key": b'{"statement": {}, "statement": {}}',
    "duplicate surrogate key": b'{"\\ud800": 1, "\\ud800": 2}',
    "surrogate": b'{"statement": "\\ud800"}',
    "bidi mark": '{"statement": "\u202e"}'.encode(),
    "unknown field": b'{"statement": {}, "signatures": [], "extra": 1}',
    "deep": b"[" * 100_000,
    "deep and closed": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "huge integer": b'{"statement": ' + b"9" * 5_000 + b"}",
    "large integer": b'{"statement": 9007199254740992}',
    "bad UTF-8": b'{"statement": "\xff\xfe"}',
    "UTF-16": '{"statement": {}}'.encode("utf-16"),
    "NUL": b'{"statement": "\\u0000"}',
    "empty parts": b'{"statement": {}, "signatures": [], "parts": [1]}',
}


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """A refusal in our form: an error's name, and a message that begins in Chinese."""
    assert answer.status_code in (statuses or (400, 401, 403, 404, 409, 413, 415, 422)), answer.text[:500]
    document = answer.json()
    assert set(document) >= {"error", "message"}
    chinese, slash, _ = document["message"].partition(" / ")
    assert not (chinese if slash else document["message"][:40]).isascii(), document
    return dict(document)


@pytest.fixture
def unchanged(shared: Platform) -> Iterator[None]:
    before = shared.count()
    yield
    assert shared.count() == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "route", [r for r in POSTS if r.path not in PUBLIC_POSTS | LINES_POSTS | PAGE_POSTS | DSP_POSTS], ids=name_of
)
def test_post__hostile_body__refused(route: APIRoute, shared: Platform) -> None:
    before = shared.count()
    for name, body in BODIES.items():
        answer = shared.client.post(path_of(route), content=body, headers=shared.headers(BY))
        if route.path in BODILESS_POSTS:
            refused(answer)
            continue
        if route.path in STATING_POSTS:
            assert answer.json() == {"facts": []}
            continue
        document = refused(answer, 422)
        if route.path not in CSV_POSTS | RECORD_POSTS | FILE_POSTS and name in {
            "array",
            "null inside",
            "unknown field",
            "duplicate key",
        }:
            assert document.keys() >= {"field", "expected", "given"}, (name, document)
        assert shared.count() == before, name


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", [*JSON_POSTS, *(r for r in POSTS if r.path == "/api/precheck")], ids=name_of)
def test_post__wrong_content_type__415(route: APIRoute, shared: Platform) -> None:
    for given_type in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"):
        headers = {**shared.headers(BY), "Content-Type": given_type}
        document = refused(shared.client.post(path_of(route), content=b"{}", headers=headers), 415)
        assert document["field"] == "Content-Type"
        assert document["expected"] == JSON


@pytest.mark.usefixtures("unchanged")
def test_post__body_too_large__413(shared: Platform) -> None:
    large = b" " * (17 * 1024 * 1024)
    for path in ("/api/parties", "/api/bank-files", "/api/usage/records"):
        refused(shared.client.post(path, content=large, headers=shared.headers(BY)), 413)
        refused(shared.client.post(path, content=_in_pieces(large), headers=shared.headers(BY)), 413)


def _in_pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1 << 20):
        yield data[start : start + (1 << 20)]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", SIGNED, ids=name_of)
def test_signed_post__statement_that_does_not_belong__refused(route: APIRoute, shared: Platform) -> None:
    before = shared.count()
    for change in STATEMENTS:
        statement = Statement("nonsense/v1", "nonsense:1", 0, None, {"x": 1})
        document = Signed(statement, (sign_sm2(shared.keys[BY], statement, by=BY, role=""),)).document()
        change(document)
        refused(shared.post(route.path, json.dumps(document).encode(), BY), 403, 404, 409, 422)
        assert shared.count() == before


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *way, last, value = path

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in way:
            place = place[step]
        place[last] = value

    return change


STATEMENTS: tuple[Callable[[dict[str, Any]], None], ...] = (
    lambda _: None,
    _set("statement", "kind", "party/v2"),
    _set("statement", "kind", 7),
    _set("statement", "subject", "party"),
    _set("statement", "subject", ["party:x"]),
    _set("statement", "no", -1),
    _set("statement", "no", True),
    _set("statement", "no", 2**53 - 1),
    _set("statement", "body", []),
    _set("statement", "prev", {"sha256": "0" * 64}),
    _set("statement", "parts", {"count": 0, "root": {"sha256": "0" * 64, "sm3": "0" * 64}}),
    _set("statement", "parts", {"count": 1, "root": {"sha256": "0" * 64, "sm3": "0" * 64}}),
    _set("statement", "extra", 1),
    _set("signatures", []),
    _set("signatures", [{}] * 65),
    _set("signatures", 0, "alg", "none"),
    _set("signatures", 0, "value", "0" * 128),
    _set("signatures", 0, "key", "04" + "f" * 128),
    _set("signatures", 0, "role", "x" * 65),
    _set("signatures", 0, "extra", ""),
    _set("signatures", 0, "by", f"party:{PROVIDER}"),
    _set("parts", [1]),
    _set("parts", "x"),
)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", SIGNED, ids=name_of)
def test_signed_post__right_kind_and_wrong_body__refused(route: APIRoute, shared: Platform) -> None:
    """The kind is right and the signature good; body and subject are not."""
    schema = route.openapi_extra["requestBody"]["content"][JSON]["schema"]  # type: ignore[index]
    kind = schema["properties"]["statement"]["properties"]["kind"]
    for name in kind.get("enum", [kind.get("const")]):
        for subject in (f"party:{OPERATOR}", "application:" + "0" * 32, f"{name.split('/')[0]}:" + "0" * 64):
            for body in ({}, {"x": 1}, {"act": "CONCLUDE"}, {"move": "I-07"}):
                statement = Statement(name, subject, 0, None, body)
                signed = Signed(statement, (sign_sm2(shared.keys[BY], statement, by=BY, role=""),))
                refused(shared.post(route.path, signed.document(), BY), 403, 404, 409, 422)


HOSTILE_TEXTS = (
    "' OR 1=1 --", "..%2f..%2fetc%2fpasswd", "%00", "%ff%fe", "%E2%80%AE", "x" * 5_000, "0" * 64, "-1",
    "9" * 400, "%3Cscript%3E", "SJ3312026080001%0A",
)  # fmt: skip
HOSTILE_NUMBERS = ("-1", "9" * 400, str(2**63), str(2**64), "1.5", "NaN", "", "0x10", "١", str(2**53 - 1))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", GETS + POSTS, ids=name_of)
def test_path__hostile_names__no_fault(route: APIRoute, shared: Platform) -> None:
    names = re.findall(r"{(\w+)", route.path)
    for name in names:
        for text in HOSTILE_TEXTS:
            path = path_of(route, **{name: text})
            method = "GET" if "GET" in route.methods else "POST"
            answer = shared.client.request(method, path, headers=shared.headers(BY), content=b"")
            assert answer.status_code < 500, (path[:80], answer.text[:300])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", [r for r in GETS if r.dependant.query_params], ids=name_of)
def test_query__hostile_values__no_fault(route: APIRoute, shared: Platform) -> None:
    names = [parameter.alias for parameter in route.dependant.query_params]
    for name in names:
        for text in (*HOSTILE_TEXTS, *HOSTILE_NUMBERS):
            others = "&".join(f"{other}=1" for other in names if other != name)
            url = f"{path_of(route)}?{name}={text}&{others}"
            answer = shared.client.get(url, headers=shared.headers(BY))
            assert answer.status_code < 500, (url[:120], answer.text[:300])
            if answer.status_code >= 400 and route.path.startswith("/api/"):
                refused(answer)


@pytest.mark.usefixtures("unchanged")
def test_cycle__hostile_period__refused(shared: Platform) -> None:
    for period in ("", "2026-13", "2026-8", "20261-01", "0000-01", "9999-12", "2026-08\n", 202608, [], {}, True):
        for grace in (86_400, -1, "1", 2**53 - 1, None, True):
            body = {"period": period, "grace": grace}
            answer = shared.client.post("/api/cycles", content=json.dumps(body), headers=shared.headers(BY))
            refused(answer, 422)
    for grace in (-1, "1", 2**53 - 1, None, True, []):
        body = {"period": "2026-08", "grace": grace}
        answer = shared.client.post("/api/cycles", content=json.dumps(body), headers=shared.headers(BY))
        assert refused(answer, 422)["field"].endswith("grace")


@pytest.mark.usefixtures("unchanged")
def test_move__of_an_unknown_application__404(shared: Platform) -> None:
    act = shared.signed("application-move/v1", "application:" + "b" * 32, Act("I-03", reason="x"), (BY, ""))
    document = refused(shared.post("/api/applications/moves", act.document(), BY), 404)
    assert "b" * 32 in document["message"]


def test_replay__first_result__and_other_content_under_the_number__409(platform: Platform) -> None:
    body = Staff(AGENCY, platform.keys["staff:clerk"].public, ("intake",))
    by = f"party:{AGENCY}"
    signed = platform.signed("staff/v1", "staff:new", body, (by, ""))
    first = platform.post("/api/staff", signed.document(), by).json()
    count = platform.count()
    platform.now += 3600
    again = platform.post("/api/staff", signed.document(), by).json()
    assert (first.pop("replayed"), again.pop("replayed")) == (False, True)
    assert again == first
    other = Statement("staff/v1", "staff:new", 0, None, body_of(Staff(AGENCY, body.sm2, ("reviewer",))))
    resent = Signed(other, (sign_sm2(platform.keys[by], other, by=by, role=""),))
    assert refused(platform.post("/api/staff", resent.document(), by), 409)["error"] == "Conflict"
    wrong = Statement("staff/v1", "staff:new", 1, twin(b"another"), body_of(body))
    stale = Signed(wrong, (sign_sm2(platform.keys[by], wrong, by=by, role=""),))
    document = refused(platform.post("/api/staff", stale.document(), by), 409)
    assert (document["error"], document["field"]) == ("Stale", "prev")
    skipped = Statement("staff/v1", "staff:new", 2, twin(b"another"), body_of(body))
    late = Signed(skipped, (sign_sm2(platform.keys[by], skipped, by=by, role=""),))
    assert refused(platform.post("/api/staff", late.document(), by), 409)["field"] == "no"
    assert platform.count() == count


def test_application__replay_and_conflict(platform: Platform) -> None:
    by, subject = f"party:{PROVIDER}", "application:" + secrets.token_hex(16)
    signed = platform.signed("application-submitted/v1", subject, a_form(), (by, ""))
    assert platform.post("/api/applications", signed.document(), by).json()["replayed"] is False
    count = platform.count()
    assert platform.post("/api/applications", signed.document(), by).json()["replayed"] is True
    other = Statement("application-submitted/v1", subject, 0, None, body_of(a_form(years=3)))
    resent = Signed(other, (sign_sm2(platform.keys[by], other, by=by, role=""),))
    refused(platform.post("/api/applications", resent.document(), by), 409)
    assert platform.count() == count


@pytest.mark.usefixtures("unchanged")
def test_application__incomplete_form__names_what_is_missing(shared: Platform) -> None:
    form = a_form()
    form = replace(form, description=replace(form.description, data_name=" "))
    by = f"party:{PROVIDER}"
    signed = shared.signed("application-submitted/v1", "application:" + "c" * 32, form, (by, ""))
    assert (
        refused(shared.post("/api/applications", signed.document(), by), 422)["field"] == "body.description.data_name"
    )
    assert shared.client.post("/api/precheck", json=body_of(form), headers=shared.headers(by)).json()["findings"]


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False)
VALUES: Any = (
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=6), SCALARS, max_size=3)
)  # fmt: skip


@given(request=st.integers(0, 1), place=st.integers(0, 10_000), value=VALUES)
@settings(max_examples=few(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fuzz__one_place_of_a_signed_body_replaced__no_fault_and_nothing_written(
    request: int, place: int, value: Any, shared: Platform
) -> None:
    """A request that was taken in before, changed in one place: refused, unless it is the same after all."""
    path, document, by = _good_requests(shared)[request]
    changed = copy.deepcopy(document)
    places = list(_places(changed["statement"], ()))
    *way, last = places[place % len(places)]
    target: Any = changed["statement"]
    for step in way:
        target = target[step]
    target[last] = value
    before = shared.count()
    answer = shared.client.post(path, content=json.dumps(changed).encode(), headers=shared.headers(by))
    if _same(changed, document):
        assert answer.json()["replayed"] is True
    else:
        refused(answer, 403, 404, 409, 422)
    assert shared.count() == before


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Platform]:
    with open_platform(tmp_path_factory.mktemp("fuzzed") / "home", empty_database) as opened:
        yield opened


@given(place=st.integers(0, 10_000), value=VALUES, identity=st.integers(0, 2**128 - 1))
@settings(max_examples=few(150), deadline=None)
def test_fuzz__form_changed_in_one_place_and_signed_again__taken_in_once_or_refused(
    place: int, value: Any, identity: int, fuzzed: Platform
) -> None:
    """The signature is good, so every refusal comes from the form; what is taken in is one fact that reads back."""
    by, body = f"party:{PROVIDER}", body_of(a_form())
    places = list(_places(body, ()))
    *way, last = places[place % len(places)]
    target: Any = body
    for step in way:
        target = target[step]
    target[last] = value
    statement = Statement("application-submitted/v1", f"application:{identity:032x}", 0, None, body)
    try:
        data = canonical.encode(Signed(statement, (sign_sm2(fuzzed.keys[by], statement, by=by, role=""),)).document())
    except Malformed:  # nobody can sign what has no canonical form; it may still be sent
        signature = fuzzed.signed("x/v1", "x:1", {}, (by, "")).signatures[0]
        data = json.dumps(
            {"statement": {"kind": statement.kind, "subject": statement.subject, "no": 0, "body": body},
             "signatures": [signature.document()]}
        ).encode()  # fmt: skip
    before = fuzzed.count()
    answer = fuzzed.post("/api/applications", data, by)
    if answer.status_code == 200:
        assert fuzzed.count() == before + (not answer.json()["replayed"])
        with fuzzed.reading() as session:
            assert store.fact(session, answer.json()["fact"]).body == body
    else:
        refused(answer, 403, 404, 409, 422)
        assert fuzzed.count() == before


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: True is not 1, and 0.0 is not 0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _good_requests(shared: Platform) -> list[tuple[str, dict[str, Any], str]]:
    """What was taken in before (a replay) as material for the changes."""
    sent = (("/api/parties", f"party:{RIVAL}", f"party:{RIVAL}"), ("/api/staff", f"staff:{CLERK}", f"party:{AGENCY}"))
    with shared.reading() as session:
        taken = [(path, store.facts_of(session, subject)[0], by) for path, subject, by in sent]
    return [(path, Signed(fact.statement, fact.signatures).document(), by) for path, fact, by in taken]


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))


def test_placeholders__cover_every_path() -> None:
    used = {name for route in GETS + POSTS + OFFICE_ROUTES for name in re.findall(r"{(\w+)", route.path)}
    assert used == set(PLACEHOLDERS)
    assert set(NAMES) >= {AGENCY, OPERATOR}
