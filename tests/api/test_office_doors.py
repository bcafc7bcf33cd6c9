"""The doors of the office: nothing without a session but what is public, nothing of others' cases, no script but ours,
no answer of 500 whatever is sent, and nothing of a stranger's text as markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from api import verifiers
from api.deps import write_session
from tests.api.house import Platform, open_platform
from tests.api.office import Person, applied, fields_of, person, words
from tests.api.routes import OFFICE_PUBLIC, OFFICE_READING, OFFICE_ROUTES, depends_on, name_of, path_of
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form

GETS = [route for route in OFFICE_ROUTES if "GET" in route.methods]
POSTS = [route for route in OFFICE_ROUTES if "POST" in route.methods]
MARKUP = "<script>alert(1)</script>\"'><img src=x>&{{7*7}}"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[tuple[Platform, str]]:
    """A platform with one case in publicity whose texts are full of markup."""
    with open_platform(tmp_path_factory.mktemp("doors") / "home", empty_database) as platform:
        form = a_form()
        hostile = replace(form.description, data_name=MARKUP, overview=MARKUP, limits=MARKUP)
        with platform.books() as house:
            application = house.file(replace(form, description=hostile, waiver_reason=""))
            house.accept(application)
            house.publish(application)
        yield platform, application


def test_tables__name_only_routes_that_exist() -> None:
    assert {route.path for route in OFFICE_ROUTES} >= OFFICE_PUBLIC | OFFICE_READING


@pytest.mark.parametrize("route", GETS, ids=name_of)
def test_get__without_session__the_way_in_and_what_is_public_only(route: APIRoute, shared: Platform) -> None:
    answer = Person(shared).http.get(path_of(route), follow_redirects=False)
    if route.path in OFFICE_PUBLIC:
        assert answer.status_code in {200, 303, 404}
    else:
        assert answer.status_code == 401
        assert "请先登录" in answer.text


@pytest.mark.parametrize("route", POSTS, ids=name_of)
def test_post__without_session_or_with_nonsense__refused_and_never_500(route: APIRoute, shared: Platform) -> None:
    before, stranger, somebody = shared.count(), Person(shared), person(shared, f"party:{PROVIDER}")
    path = path_of(route)
    bodies = (b"", b"{}", b"\xff", b"[" * 9000, b"a=%ff", b"csrf=1&csrf=2", "名=1".encode(), b"a=1&" * 5000)
    for body in bodies:
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            for who, more in ((stranger, {}), (somebody, {"X-CSRF-Token": somebody.csrf})):
                answer = who.http.post(path, content=body, headers={"Content-Type": kind, **more})
                assert answer.status_code in {400, 401, 403, 404, 409, 413, 415, 422, 200}, (body, kind, answer.text)
                if answer.status_code == 200:
                    assert route.path == "/office/session", (body, kind)
                if who is stranger and route.path not in OFFICE_PUBLIC | {"/office/login"}:
                    assert answer.status_code == 401
    assert shared.count() == before


@pytest.mark.parametrize("route", POSTS, ids=name_of)
def test_post__commits_before_the_answer(route: APIRoute) -> None:
    found = depends_on(route, write_session)
    assert bool(found) == (route.path not in OFFICE_READING)
    assert {dependant.scope for dependant in found} <= {"function"}


@pytest.mark.parametrize("route", GETS, ids=name_of)
def test_get__asks_for_no_write_session(route: APIRoute) -> None:
    assert not depends_on(route, write_session)


def test_case__of_others__403_for_party_and_foreign_staff(scene: tuple[Platform, str]) -> None:
    platform, application = scene
    with platform.books() as house:
        house.hire("outsider", "reviewer", organisation=RIVAL)
    for by in (f"party:{RIVAL}", "staff:outsider"):
        somebody = person(platform, by)
        for path in ("", "/moves/I-15", "/correction/I-05"):
            somebody.get(f"/office/cases/{application}{path}", 403)
        somebody.post(f"/office/cases/{application}/moves/I-15", {}, 403)
        somebody.get("/office/work", 403)
        somebody.get("/office/objections", 403)
    person(platform, f"party:{PROVIDER}").get(f"/office/cases/{application}")
    person(platform, "staff:clerk").get(f"/office/cases/{application}/moves/I-15", 409)


def test_draft__of_others__404(shared: Platform) -> None:
    one, other = person(shared, f"party:{PROVIDER}"), person(shared, f"party:{RIVAL}")
    page = one.post("/office/drafts", {"description.data_name": "私下的名称", "do": "save"}).text
    draft = re.search(r'name="draft" value="([0-9a-f]{32})"', page)
    assert draft
    other.get(f"/office/drafts/{draft[1]}", 404)
    other.post(f"/office/drafts/{draft[1]}/discard", {}, 404)
    other.post("/office/drafts", {"draft": draft[1], "do": "save"}, 404)
    assert "私下的名称" in one.get(f"/office/drafts/{draft[1]}")
    one.post(f"/office/drafts/{draft[1]}/discard", {})


def test_pages__texts_of_strangers_are_never_markup(scene: tuple[Platform, str]) -> None:
    platform, application = scene
    party, clerk = person(platform, f"party:{PROVIDER}"), person(platform, "staff:clerk")
    reviewer, public = person(platform, "staff:reviewer"), Person(platform)
    party.post("/office/drafts", {**fields_of(a_form()), "description.data_name": MARKUP, "do": "preview"})
    left = {"objector": MARKUP, "contact": MARKUP, "reason": MARKUP, "papers": ""}
    public.post(f"/notices/{application}/objection", left)
    request = clerk.get("/office/objections").split("/office/objections/")[1][:32]
    desk = clerk.drafted(f"/office/objections/{request}/statement", {"verified": "1"})
    seen = [clerk.get(f"/office/desk/{desk}"), clerk.get("/office/desk")]
    assert clerk.signed(desk) == "done"
    seen += [
        public.get("/notices"),
        public.get(f"/notices/{application}"),
        party.get(f"/office/cases/{application}"),
        party.get("/office/applications"),
        clerk.get(f"/office/cases/{application}"),
        reviewer.get("/office/work"),
        clerk.get(f"/office/objections/{request}"),
        reviewer.get(f"/office/cases/{application}/moves/I-20"),
        clerk.get(f"/office/desk/{desk}"),
    ]
    for text in seen:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert ">49<" not in text
        assert "alert(1)" in text


def test_pages__run_one_script_of_our_own_and_nothing_inline(scene: tuple[Platform, str]) -> None:
    platform, application = scene
    clerk = person(platform, "staff:clerk")
    for path in ("/office/login", "/office/enrol", "/notices", f"/office/cases/{application}", "/office/desk"):
        answer = clerk.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script([^>]*)>", answer.text) == [' src="/office.js" defer']
        assert not re.search(r'\son[a-z]+=|href="javascript:|style="', answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
    for path in ("/", "/check", "/register", "/log", "/verify"):
        assert "script-src 'none'" in clerk.http.get(path).headers["content-security-policy"]


def test_fields__every_one_has_a_label(scene: tuple[Platform, str]) -> None:
    platform, application = scene
    party, reviewer = person(platform, f"party:{PROVIDER}"), person(platform, "staff:reviewer")
    pages = [
        party.get("/office/applications/new"),
        reviewer.get(f"/office/cases/{application}/moves/I-14"),
        Person(platform).get("/office/login"),
        Person(platform).get("/office/enrol"),
        Person(platform).get("/office/keys"),
        Person(platform).get(f"/notices/{application}"),
        person(platform, f"party:{AGENCY}").get("/office/colleagues"),
    ]
    for text in pages:
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", text):
            hidden = 'type="hidden"' in tag or " hidden" in tag
            identity = re.search(r' id="([^"]+)"', tag)
            inside = re.search(r"<label>\s*" + re.escape(tag), text)
            assert hidden or inside or (identity and identity[1] in labelled), tag
        assert 'tabindex="1"' not in text


def test_script__not_built__says_so(shared: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(verifiers, "SCRIPT", tmp_path / "none.js")
    answer = shared.client.get("/office.js")
    assert answer.status_code == 404
    assert "make setup" in answer.text


def test_notice__of_what_was_never_published__does_not_exist(shared: Platform) -> None:
    party = person(shared, f"party:{PROVIDER}")
    application = applied(party, a_form(content=b"not published\n"))
    assert shared.client.get(f"/notices/{application}").status_code == 404
    refused = Person(shared).http.post(f"/notices/{application}/objection", data={"objector": "x"})
    assert refused.status_code == 404
    assert application not in words(shared.client.get("/notices").text)


@pytest.mark.clause("G24", "G25", "C06", "I-17")
def test_notice__after_the_last_day__takes_no_objection(platform: Platform) -> None:
    with platform.books() as house:
        application = house.file(a_form())
        house.accept(application)
        house.publish(application)
    left = {"objector": "某人", "contact": "演示", "reason": "理由", "papers": ""}
    public, rival = Person(platform), person(platform, f"party:{RIVAL}")
    platform.now += 7 * 86400 + 15 * 3600 - 1  # the last second of the fifth working day
    public.post(f"/notices/{application}/objection", left)
    platform.now += 1
    assert "已截止" in words(public.get("/notices"))
    for somebody, path in ((public, f"/notices/{application}"), (rival, f"/office/notices/{application}")):
        answer = somebody.post(f"{path}/objection", left, 409)
        assert "不能再提出异议" in answer.text


def test_objection__what_is_missing_is_named_and_what_was_typed_is_kept(scene: tuple[Platform, str]) -> None:
    platform, application = scene
    typed = {"objector": "某市民甲", "contact": "", "reason": "理由一二三"}
    answer = Person(platform).post(f"/notices/{application}/objection", typed, 422)
    assert "请填写联系方式" in answer.text
    assert "某市民甲" in answer.text
    assert "理由一二三" in answer.text
    for papers in ("[", "{}", '[{"kind":"x"}]', "[" * 5000):
        answer = Person(platform).post(
            f"/notices/{application}/objection", typed | {"contact": "演示", "papers": papers}, 422
        )
        assert "某市民甲" in answer.text
