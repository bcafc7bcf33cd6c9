"""Papers and imported drafts in the office: handed in with the session, named in the form, opened by whom they concern;
rows of an import opened, previewed, signed; what waits stands first."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry import store as views
from registry.intake import store as intake
from tests.api.house import Platform, open_platform
from tests.api.office import Person, applied, fields_of, person, words
from tests.registry.intake.intake_forms import filled, typed
from tests.registry.registry_house import PROVIDER, RIVAL, a_form

KINDS = ("身份佐证", "数据样例", "合法取得佐证")


@pytest.fixture
def strict(tmp_path: Path, empty_database: Path) -> Iterator[Platform]:
    """A platform that wants papers to be handed in, as a real installation does."""
    with open_platform(tmp_path / "home", empty_database, papers_received=True) as opened:
        yield opened


def pdf(kind: str) -> bytes:
    return b"%PDF-1.7\n" + kind.encode() + b"\n%%EOF\n"


def hand_in(somebody: Person, kind: str, data: bytes, *, name: str = "", token: str | None = None) -> httpx.Response:
    """What the page's script sends when a paper is chosen."""
    return somebody.http.post(
        "/api/attachments",
        data={"kind": kind},
        files={"file": (name or f"{kind}.pdf", data, "application/pdf")},
        headers={"Accept": "application/json", "X-CSRF-Token": somebody.csrf if token is None else token},
    )


def listed(kept: dict[str, Any]) -> dict[str, Any]:
    """The line of the form's list the script makes of the answer."""
    digest = {"sha256": kept["sha256"], "sm3": kept["sm3"]}
    return {name: kept[name] for name in ("kind", "media_type", "name", "size")} | {"digest": digest}


@pytest.mark.clause("G16", "PC-22")
def test_papers__handed_in_as_chosen__are_accepted_and_opened_by_the_agency_for_a_purpose(strict: Platform) -> None:
    applicant, clerk = person(strict, f"party:{PROVIDER}"), person(strict, "staff:clerk")
    form = a_form()
    refused = applicant.post("/office/drafts", {**fields_of(form), "do": "preview"})
    assert not refused.url.path.endswith("/preview")
    assert "无法读取或摘要不一致，请重新上传" in words(refused.text)

    assert hand_in(applicant, "身份佐证", pdf("x"), token="0" * 64).status_code == 403
    wrong = hand_in(applicant, "身份佐证", b"MZ\x90\x00")
    assert (wrong.status_code, "内容不是可以接收的类型" in wrong.json()["message"]) == (422, True)
    answers = [hand_in(applicant, kind, pdf(kind)) for kind in KINDS]
    assert [answer.status_code for answer in answers] == [200] * len(KINDS)
    named = [listed(answer.json()) for answer in answers]
    papers = {"attachments": json.dumps(named, ensure_ascii=False)}
    shown = applicant.post("/office/drafts", {**fields_of(form), **papers, "do": "preview"})
    assert shown.url.path.endswith("/preview"), words(shown.text)
    desk = applicant.drafted(shown.url.path.removesuffix("preview") + "submission", {})
    assert applicant.signed(desk) == "done"

    application = shown.url.path.split("/")[3]
    page = clerk.get(f"/office/cases/{application}")
    places = re.findall(r'formaction="(/api/attachments/[0-9a-f]{32})"', page)
    assert len(places) == len(KINDS)
    assert clerk.http.get(places[0]).status_code == 422, "no purpose"
    opened = clerk.http.get(places[0], params={"purpose": "受理核对"})
    assert opened.content == pdf(KINDS[0])
    with strict.reading() as session:
        looks = intake.accesses(session, places[0].rpartition("/")[2])
        assert [(row.reader, row.purpose) for row in looks] == [("staff:clerk", "受理核对")]
    own = applicant.get(f"/office/cases/{application}")
    assert len(re.findall('formaction="/api/attachments/', own)) == len(KINDS)
    assert 'name="purpose"' not in own


def imported(somebody: Person, rows: list[dict[str, str]]) -> None:
    """Uploads a file of applications on the page and waits for its end."""
    sent = somebody.http.post(
        "/intake", data={"csrf": somebody.csrf}, files={"file": ("申请.xlsx", filled(rows))}, follow_redirects=False
    )
    assert sent.status_code == 303, sent.text
    end = time.monotonic() + 30
    while "refresh" in somebody.http.get(sent.headers["location"]).headers:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.clause("G16", "I-01", "I-02")
def test_imported_draft__is_listed_opened_previewed_and_signed_in_the_office(strict: Platform) -> None:
    applicant, rival = person(strict, f"party:{PROVIDER}"), person(strict, f"party:{RIVAL}")
    assert '<a href="/intake">' in applicant.get("/office/applications")
    assert f'name="csrf" value="{applicant.csrf}"' in applicant.get("/intake")
    file = {"file": ("申请.xlsx", filled([]))}
    for token in ("", "0" * 64, rival.csrf):
        assert applicant.http.post("/intake", data={"csrf": token}, files=file).status_code == 403

    for kind in KINDS:
        assert hand_in(applicant, kind, pdf(kind)).status_code == 200
    with strict.reading() as session:
        kept = intake.papers_by_name(session, f"party:{PROVIDER}")
    form = replace(a_form(), attachments=tuple(kept[kind, f"{kind}.pdf"] for kind in KINDS))
    imported(applicant, [typed(str(number), form) for number in range(60)])
    page = applicant.get("/office/applications")
    assert "共 60 份，第 1 / 2 页" in words(page)
    shown = re.findall(r'<a href="/office/drafts/([0-9a-f]{32})"', page)
    more = re.findall(r'<a href="/office/drafts/([0-9a-f]{32})"', applicant.get("/office/applications?page=2"))
    assert (len(shown), len(more), len({*shown, *more})) == (50, 10, 60)
    rival.get(f"/office/drafts/{shown[0]}", 404)

    assert form.description.data_name in applicant.get(f"/office/drafts/{shown[0]}")
    assert "公示时公开的内容" in applicant.get(f"/office/drafts/{shown[0]}/preview")
    desk = applicant.drafted(f"/office/drafts/{shown[0]}/submission", {})
    assert applicant.signed(desk) == "done"
    with strict.reading() as session:
        assert views.case(session, shown[0]).form == form, "the row became an application under its own number"
    assert "共 59 份" in words(applicant.get("/office/applications"))

    # edited here first, it stays one draft
    fields = {**fields_of(form), "description.data_name": "改过名称的数据集（演示）", "draft": shown[1]}
    assert "改过名称的数据集" in applicant.post("/office/drafts", {**fields, "do": "save"}).text
    assert "共 59 份" in words(applicant.get("/office/applications"))
    imported(applicant, [typed(str(number), form) for number in range(60)])
    assert "共 59 份" in words(applicant.get("/office/applications")), "the same rows again are nothing new"


@pytest.mark.parametrize("body", [{}, {"description": "x"}, {"description": {"content": []}, "attachments": {}},
                                  {"applicants": "x", "rights": [1, []]}, {"years": []}])  # fmt: skip
def test_draft_of_a_program__however_unfinished__opens(strict: Platform, body: dict[str, Any]) -> None:
    applicant = person(strict, f"party:{PROVIDER}")
    made = strict.client.post("/api/drafts", json={"body": body}, headers=strict.headers(f"party:{PROVIDER}")).json()
    assert "必须改正" in applicant.get(f"/office/drafts/{made['id']}")
    applicant.get(f"/office/drafts/{made['id']}/preview", 422)


@pytest.mark.clause("C01", "C03")
def test_work_list__least_time_first_with_badges__and_the_applicants_own(platform: Platform) -> None:
    applicant, clerk = person(platform, f"party:{PROVIDER}"), person(platform, "staff:clerk")
    reviewer, rival = person(platform, "staff:reviewer"), person(platform, f"party:{RIVAL}")
    first = applied(applicant, a_form())
    platform.now += 86400
    second = applied(applicant, a_form(content=b"other\n1\n"))
    page = clerk.get("/office/work")
    assert page.index(first) < page.index(second)
    assert "C01 受理告知" in page
    assert "两个工作日内" in words(page)
    platform.now += 2 * 86400
    page = words(clerk.get("/office/work"))
    assert "今日届满 1" in page
    platform.now += 86400
    assert "已超期 1" in words(clerk.get("/office/work"))
    assert first in applicant.get("/office/applications")
    assert "待我办理" in applicant.get("/office/applications")
    assert first not in rival.get("/office/applications")

    assert "相同与相似数据" not in clerk.get(f"/office/cases/{first}")
    third = applied(applicant, a_form())
    report = words(reviewer.get(f"/office/cases/{third}"))
    assert f"同一内容的其他申请 {first}" in report
    assert "申请人未提供，只能比对摘要" in report
