"""Logging in with a key: who gets a session, what a session may do, and when it is over."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api import sessions
from ledger import canonical, sm
from ledger.facts import Signed, Statement
from ledger.signing import sign_sm2
from registry.party import Staff
from tests.api.house import Platform
from tests.api.office import JSON, Person, csrf_of, person
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form

BY = f"party:{PROVIDER}"


def challenge(somebody: Person) -> Statement:
    asked = somebody.http.post("/office/login/challenge", headers=JSON, content=canonical.encode({"by": somebody.by}))
    return Statement.of_document(canonical.decode(asked.json()["statement"].encode()))


def test_login__with_the_key_on_record__opens_a_session_no_script_can_read(shared: Platform) -> None:
    somebody = Person(shared, BY)
    answer = somebody.log_in()
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie, "plain http on this machine"
    token = somebody.http.cookies[sessions.COOKIE]
    with shared.reading() as session:
        rows = [row for row in session.exec(sessions.select(sessions.WebSession)) if row.holder == BY]
    assert rows
    assert all(token not in (row.sha256, row.nonce) for row in rows), "the table keeps no cookie"


def test_login__over_tls__the_cookie_is_sent_over_tls_only(shared: Platform) -> None:
    request = sessions.Request({"type": "http", "scheme": "https", "server": ("x", 443), "path": "/", "headers": []})
    answer = sessions.Response()
    sessions.set_cookie(request, answer, "x")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "changes",
    [
        {"site": "https://elsewhere.example"},
        {"by": f"party:{RIVAL}"},
        {"ends": 2**50},
        {"mac": "0" * 64},
        {"mac": 7},
        {"extra": "x"},
    ],
    ids=str,
)
def test_login__a_changed_challenge__403(shared: Platform, changes: dict[str, Any]) -> None:
    somebody = Person(shared, BY)
    answer = somebody.log_in(**changes)
    assert answer.status_code == 403, answer.text
    assert sessions.COOKIE not in somebody.http.cookies


def test_login__with_somebody_elses_key__403(shared: Platform) -> None:
    somebody, statement = Person(shared, BY), challenge(Person(shared, BY))
    for key, by in ((shared.keys[f"party:{RIVAL}"], BY), (sm.generate(), BY)):
        signed = Signed(statement, (sign_sm2(key, statement, by=by),))
        answer = somebody.http.post("/office/login", headers=JSON, content=canonical.encode(signed.document()))
        assert answer.status_code == 403


def test_login__the_same_challenge_twice__403(shared: Platform) -> None:
    somebody = Person(shared, BY)
    statement = challenge(somebody)
    assert somebody.answer(statement).status_code == 200
    again = somebody.answer(statement)
    assert again.status_code == 403
    assert "已用过" in again.json()["message"]


def test_login__challenge_after_its_time__403(shared: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = Person(shared, BY)
    statement = challenge(somebody)
    later = sessions.wall() + sessions.CHALLENGE_SECONDS
    monkeypatch.setattr(sessions, "wall", lambda: later)
    assert "已过期" in somebody.answer(statement).json()["message"]


def test_login__a_statement_that_is_no_login__403(shared: Platform) -> None:
    """What is signed elsewhere opens no session, and a login is taken in nowhere as a fact."""
    somebody, statement = Person(shared, BY), challenge(Person(shared, BY))
    other = Statement("objection/v1", statement.subject, 0, None, statement.body)
    assert somebody.answer(other).status_code == 403
    signed = Signed(statement, (sign_sm2(somebody.key, statement, by=BY),))
    for path in ("/api/parties", "/api/applications", "/api/objections"):
        assert shared.post(path, signed.document(), BY).status_code == 422


def test_login__unknown_holder__404_and_bad_names_422(shared: Platform) -> None:
    stranger = Person(shared, "staff:nobody")
    shared.keys["staff:nobody"] = sm.generate()
    assert stranger.log_in().status_code == 404
    for by in ("connector:x", "", 7, "nobody"):
        answer = stranger.http.post("/office/login/challenge", headers=JSON, content=canonical.encode({"by": by}))
        assert answer.status_code == 422


def test_next_page__is_always_one_of_ours(shared: Platform) -> None:
    somebody = Person(shared, BY)
    for there in ("https://elsewhere.example", "//elsewhere.example", "/officex", "javascript:1"):
        signed = Signed(statement := challenge(somebody), (sign_sm2(somebody.key, statement, by=BY),))
        document = signed.document() | {"next": there}
        answer = somebody.http.post("/office/login", headers=JSON, content=canonical.encode(document))
        assert answer.json()["location"] == "/office"


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 403, answer.text
    assert "不是从本站页面发出" in answer.text


def test_writes__need_the_token_of_the_session_and_our_own_origin(shared: Platform) -> None:
    somebody, other = person(shared, BY), person(shared, f"party:{RIVAL}")
    for token in ("", "0" * 64, other.csrf):
        refused(somebody.http.post("/office/drafts", data={"csrf": token, "do": "save"}))
    for headers in ({"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        refused(somebody.http.post("/office/drafts", data={"csrf": somebody.csrf, "do": "save"}, headers=headers))
    own = {"Origin": str(shared.client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert somebody.http.post(
        "/office/session", json={}, headers=own | JSON | {"X-CSRF-Token": somebody.csrf}
    ).is_success
    assert "草稿" not in somebody.get("/office/applications")


def test_api__takes_the_session_as_caller__writes_with_the_token_only(platform: Platform) -> None:
    somebody = person(platform, BY)
    form = platform.signed("application-submitted/v1", "application:" + "a" * 32, a_form(), (BY, ""))
    data = canonical.encode(form.document())
    bare = {"Content-Type": "application/json"}
    refused(somebody.http.post("/api/applications", content=data, headers=bare))
    refused(somebody.http.post("/api/applications", content=data, headers=bare | {"X-CSRF-Token": "0" * 64}))
    good = bare | {"X-CSRF-Token": somebody.csrf}
    assert somebody.http.post("/api/applications", content=data, headers=good).status_code == 200
    assert somebody.http.get("/api/applications/" + "a" * 32).json()["state"] == "SUBMITTED"
    assert Person(platform).http.get("/api/applications/" + "a" * 32).status_code == 401
    wrong = somebody.http.get("/api/applications/" + "a" * 32, headers={"Authorization": "Bearer sq_1_2"})
    assert wrong.status_code == 401, "a key that is wrong is not made good by a session"


def test_session__ends_with_logout(shared: Platform) -> None:
    somebody = person(shared, BY)
    kept = somebody.http.cookies[sessions.COOKIE]
    somebody.post("/office/logout", {})
    somebody.get("/office/desk", 401)
    somebody.http.cookies.set(sessions.COOKIE, kept)
    somebody.get("/office/desk", 401)


def test_session__idle__ends_after_half_an_hour_and_in_any_case_after_half_a_day(
    shared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = sessions.wall()
    clock = {"now": start}
    monkeypatch.setattr(sessions, "wall", lambda: clock["now"])
    somebody = person(shared, BY)
    headers = JSON | {"X-CSRF-Token": somebody.csrf}
    while clock["now"] < start + sessions.LONGEST_SECONDS - 1500:
        clock["now"] += 1500
        assert somebody.http.post("/office/session", json={}, headers=headers).is_success
    clock["now"] = start + sessions.LONGEST_SECONDS
    somebody.get("/office/desk", 401)
    again = person(shared, BY)
    clock["now"] += sessions.IDLE_SECONDS - 1
    again.get("/office/desk")
    clock["now"] += 1
    again.get("/office/desk", 401)


def test_session__ends_when_the_holder_is_dismissed_or_changes_keys(platform: Platform) -> None:
    clerk, reviewer = person(platform, "staff:clerk"), person(platform, "staff:reviewer")
    gone = Staff(AGENCY, clerk.key.public, ("intake",), active=False)
    changed = Staff(AGENCY, sm.generate().public, ("reviewer",))
    platform.now += 1
    for name, body in (("clerk", gone), ("reviewer", changed)):
        platform.state("/api/staff", "staff/v1", f"staff:{name}", body, (f"party:{AGENCY}", ""))
    clerk.get("/office/work", 401)
    reviewer.get("/office/work", 401)
    assert clerk.log_in().status_code == 403


def test_csrf_token__differs_from_the_cookie_and_between_sessions(shared: Platform) -> None:
    one, two = person(shared, BY), person(shared, BY)
    assert one.csrf != two.csrf
    assert one.csrf not in one.http.cookies[sessions.COOKIE]
    assert csrf_of(one.get("/office/desk")) == one.csrf
