"""Calendars, rule sets, the work list and the pre-check over HTTP and on the command line of a real installation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import checks, cli, jobs, keyfiles, settings
from ledger.reading import body_of
from registry import store as views
from registry.calendar import published
from registry.case import State
from registry.form import SUBMITTED
from registry.party import Staff
from registry.rulebook import store
from registry.rulebook.rule_set import RULE_SET, rule_set_of
from registry.rulebook.year_table import CALENDAR
from registry.scheme import NATIONAL_2026
from tests.api.house import Platform
from tests.registry.registry_house import AGENCY, DEVELOPER, PROVIDER, RIVAL, a_form, moment
from tests.registry.rulebook.test_year_table import LINES, YEAR, csv_of

BOTH = (("staff:clerk", "intake"), ("staff:reviewer", "reviewer"))
BASE = published().version


def publish(platform: Platform) -> dict[str, Any]:
    return platform.state("/api/calendars", CALENDAR, "calendar:2027", YEAR, *BOTH)


def shuqing(*words: str) -> Result:
    return CliRunner().invoke(cli.app, words)


@pytest.fixture
def home(platform: Platform) -> Path:
    """The installation's folder, with its settings written and key files of two members of staff beside it."""
    folder = platform.system.settings.home
    settings.save(platform.system.settings)
    for name, role in (("first", "intake"), ("second", "approver")):
        keys = keyfiles.create(folder / f"{name}.json", f"staff:{name}")
        body = Staff(AGENCY, keys.sm2.public, (role,))
        platform.state("/api/staff", "staff/v1", f"staff:{name}", body, (f"party:{AGENCY}", ""))
    return folder


# HTTP -----------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("G17", "A19")
def test_calendar__published_over_http__is_in_force_for_routes_and_worker_at_once(platform: Platform) -> None:
    platform.now = moment("2026-12-30 09:00")
    identity = "a" * 32
    by = f"party:{PROVIDER}"
    platform.state("/api/applications", SUBMITTED, f"application:{identity}", a_form(), (by, ""))
    assert platform.client.get("/api/calendars").json()["version"] == BASE
    platform.now = moment("2027-01-07 09:00")
    jobs.timers(platform.system)
    with platform.reading() as session:
        assert views.case(session, identity).state is State.SUBMITTED
    publish(platform)
    shown = platform.client.get("/api/calendars").json()
    assert (shown["version"], 2027 in shown["years"]) == (f"{BASE}+2027.1", True)
    assert "2027-02-14" in shown["workdays"]
    assert shown["published"][0]["document_no"] == YEAR.document_no
    jobs.timers(platform.system)
    with platform.reading() as session:
        case = views.case(session, identity)
    assert (case.state, case.accepted_on) == (State.UNDER_REVIEW, "2027-01-06")
    assert platform.system.office.working_days(moment("2026-12-31 10:00"), 1) == moment("2027-01-05 00:00")


def test_calendar__one_signature_or_wrong_rows__are_refused_and_nothing_is_written(platform: Platform) -> None:
    before = platform.count()
    alone = platform.signed(CALENDAR, "calendar:2027", YEAR, BOTH[0])
    assert platform.post("/api/calendars", alone.document(), "staff:clerk").status_code == 403
    empty = platform.signed(CALENDAR, "calendar:2027", body_of(YEAR) | {"rows": []}, *BOTH)
    answer = platform.post("/api/calendars", empty.document(), "staff:clerk")
    assert (answer.status_code, answer.json()["field"]) == (422, "body.rows")
    outsider = platform.signed(CALENDAR, "calendar:2027", YEAR, *BOTH)
    assert platform.post("/api/calendars", outsider.document(), f"party:{RIVAL}").status_code == 403
    assert platform.count() == before


@pytest.mark.clause("G14", "A19")
def test_rule_sets__with_digests__and_recorded_by_two(platform: Platform) -> None:
    listed = {item["scheme"]: item for item in platform.client.get("/api/rule-sets").json()["rule_sets"]}
    assert set(listed) == {"national_2026", "public_data_2025", "data_ip_local", "legacy"}
    assert listed["national_2026"]["fact_id"] == ""
    taken = platform.state("/api/rule-sets", RULE_SET, "rule-set:national_2026", rule_set_of(NATIONAL_2026), *BOTH)
    listed = {item["scheme"]: item for item in platform.client.get("/api/rule-sets").json()["rule_sets"]}
    assert (listed["national_2026"]["fact_id"], listed["national_2026"]["agrees"]) == (taken["fact"], True)


@pytest.mark.clause("G14")
def test_application__under_a_rule_set_without_its_steps__is_refused_with_a_clear_message(platform: Platform) -> None:
    by = f"party:{PROVIDER}"
    form = replace(a_form(), scheme="public_data_2025")
    for path, document in (
        ("/api/precheck", body_of(form)),
        ("/api/applications", platform.signed(SUBMITTED, f"application:{'b' * 32}", form, (by, "")).document()),
    ):
        answer = platform.post(path, document, by)
        assert (answer.status_code, answer.json()["error"]) == (422, "NotDefined")
        assert "没有规定步骤 审查" in answer.json()["message"]


@pytest.mark.clause("G17", "PC-24", "PC-25")
def test_precheck__asks_the_register__and_keeps_others_pending_cases_to_itself(platform: Platform) -> None:
    by, identity = f"party:{PROVIDER}", "c" * 32
    platform.state("/api/applications", SUBMITTED, f"application:{identity}", a_form(), (by, ""))
    own = platform.post("/api/precheck", body_of(a_form()), by).json()["findings"]
    assert {item["rule"] for item in own} == {"PC-24"}
    assert all(identity in item["zh"] for item in own)
    other = platform.post("/api/precheck", body_of(a_form(DEVELOPER, "乙")), f"party:{DEVELOPER}").json()["findings"]
    assert [(item["rule"], item["level"]) for item in other] == [("PC-25", "W")]
    assert identity not in json.dumps(other)


@pytest.mark.clause("G25", "PC-26")
def test_precheck__certificate_of_another_and_open_objection__are_said(platform: Platform) -> None:
    form = a_form()
    with platform.books() as house:
        code = house.certificate(form)
        house.at("2026-09-01 09:00")
        disputed = house.file(replace(form, rights=form.rights[:1]))
        house.accept(disputed)
        house.publish(disputed)
        house.object(disputed)
    findings = platform.post(
        "/api/precheck", body_of(a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）")), f"party:{DEVELOPER}"
    ).json()["findings"]
    said = {item["rule"]: item["zh"] for item in findings if item["rule"] in ("PC-25", "PC-26")}
    assert set(said) == {"PC-25", "PC-26"}
    assert any(code in item["zh"] for item in findings if item["rule"] == "PC-25")
    assert disputed not in json.dumps(findings)


@pytest.mark.clause("G17", "C01")
def test_worklist__each_caller_sees_their_own(platform: Platform) -> None:
    by, identity = f"party:{PROVIDER}", "d" * 32
    platform.state("/api/applications", SUBMITTED, f"application:{identity}", a_form(), (by, ""))

    def ask(who: str, query: str = "") -> Any:
        return platform.client.get(f"/api/worklist{query}", headers=platform.headers(who))

    clerk = ask("staff:clerk").json()
    assert (clerk["total"], clerk["counts"]["later"], clerk["calendar"]) == (1, 1, BASE)
    line = clerk["lines"][0]
    assert (line["clock"], line["last"], line["left"]) == ("C01", "2026-08-06", 3)
    assert {"move": "I-07", "zh": "受理", "en": "accept"} in line["steps"]
    assert ask("staff:reviewer").json()["lines"] == []
    assert ask(by).json()["lines"][0]["subject"] == f"application:{identity}"
    assert ask(f"party:{RIVAL}").json()["total"] == 0
    assert ask(f"party:{AGENCY}").json()["total"] == 1
    assert ask("staff:clerk", "?role=approver").status_code == 403
    assert ask("staff:clerk", "?limit=0").status_code == 422
    assert platform.client.get("/api/worklist").status_code == 401


def test_audit__replays_calendar_and_rule_set_rows_and_finds_a_changed_one(platform: Platform) -> None:
    publish(platform)
    platform.state("/api/rule-sets", RULE_SET, "rule-set:national_2026", rule_set_of(NATIONAL_2026), *BOTH)
    with platform.reading() as session:
        assert checks.findings(platform.system, session, checks.views) == []
    with jobs.transaction(platform.system) as session:
        store.years(session)[0].document_no = "改"
    with platform.reading() as session:
        assert "calendar_year" in checks.findings(platform.system, session, checks.views)[0]


# Command line ---------------------------------------------------------------------------------------------------------


def test_cli__calendar_import__shows_first_then_takes_in_under_two_keys(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "2027.csv"
    file.write_bytes(csv_of(*LINES))
    seen = shuqing("calendar", "import", str(file), "--home", str(home))
    assert seen.exit_code == 0
    assert "2027-02-14 星期日 上班" in seen.output
    assert "未载入" in seen.output
    one = shuqing("calendar", "import", str(file), "--home", str(home), "--key", str(home / "first.json"))
    assert one.exit_code == 2
    keys = ("--key", str(home / "first.json"), "--key", str(home / "second.json"))
    done = shuqing("calendar", "import", str(file), "--home", str(home), *keys)
    assert done.exit_code == 0, done.output
    assert f"{BASE}+2027.1" in done.output
    again = shuqing("calendar", "import", str(file), "--home", str(home), *keys)
    assert (again.exit_code, "body.version" in again.output) == (2, True)
    shown = shuqing("calendar", "show", "--year", "2027", "--home", str(home))
    assert "演示〔2026〕1号" in shown.output
    assert "2027-02-08 星期一 放假" in shown.output
    assert shuqing("calendar", "show", "--year", "2028", "--home", str(home)).exit_code == 2


def test_cli__calendar_import__of_a_broken_file__names_row_and_column(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "2027.csv"
    file.write_bytes(csv_of(LINES[0].replace("否", "也许"), *LINES[1:]))
    refused = shuqing("calendar", "import", str(file), "--home", str(home))
    assert (refused.exit_code, "第2行 working" in refused.output) == (2, True)


def test_cli__rules__recorded_by_two_and_shown(home: Path) -> None:
    keys = ("--key", str(home / "first.json"), "--key", str(home / "second.json"))
    assert "未入" in shuqing("rules", "show", "--home", str(home)).output
    done = shuqing("rules", "record", "national_2026", "1", "--home", str(home), *keys)
    assert done.exit_code == 0, done.output
    shown = shuqing("rules", "show", "--home", str(home))
    assert (shown.exit_code, done.output.split()[-1] in shown.output) == (0, True)
    assert shuqing("rules", "record", "national_2026", "1", "--home", str(home), *keys).exit_code == 2
    assert shuqing("rules", "record", "national_2026", "7", "--home", str(home), *keys).exit_code == 2


def written(folder: Path, form: Any) -> Path:
    file = folder / "form.json"
    file.write_text(json.dumps(body_of(form), ensure_ascii=False), encoding="utf-8")
    return file


@pytest.mark.clause("G16", "PC-02", "PC-22")
def test_cli__precheck__prints_findings_and_stops_on_s(tmp_path: Path) -> None:
    good = shuqing("precheck", str(written(tmp_path, a_form())))
    assert "S 0，R 0" in good.output
    assert good.exit_code == 0
    bad = a_form()
    bad = replace(bad, applicants=(replace(bad.applicants[0], id_no="91350100M000100Y34"),))
    stopped = shuqing("precheck", str(written(tmp_path, bad)))
    assert stopped.exit_code == 1
    assert "S PC-02 applicants[0].id_no：统一社会信用代码格式或校验位不正确" in stopped.output
    red = shuqing("precheck", str(written(tmp_path, replace(a_form(), rights=()))))
    assert (red.exit_code, "R PC-17" in red.output) == (0, True)
    (tmp_path / "form.json").write_text("{}")
    assert shuqing("precheck", str(tmp_path / "form.json")).exit_code == 2
    assert shuqing("precheck", str(tmp_path / "none.json")).exit_code == 2


def test_cli__precheck__with_papers__compares_digests_and_reads_the_sample(tmp_path: Path) -> None:
    form, papers = a_form(), tmp_path / "papers"
    papers.mkdir()
    for item in form.attachments:
        (papers / item.name).write_bytes(item.kind.encode())
    file = written(tmp_path, form)
    assert shuqing("precheck", str(file), "--papers", str(papers)).exit_code == 0
    (papers / "身份佐证.pdf").write_bytes(b"other")
    stopped = shuqing("precheck", str(file), "--papers", str(papers))
    assert (stopped.exit_code, "材料身份佐证.pdf无法读取或摘要不一致" in stopped.output) == (1, True)


def test_cli__precheck__with_an_installation__asks_its_register(platform: Platform, home: Path, tmp_path: Path) -> None:
    by = f"party:{PROVIDER}"
    platform.state("/api/applications", SUBMITTED, f"application:{'e' * 32}", a_form(), (by, ""))
    found = shuqing("precheck", str(written(tmp_path, a_form())), "--home", str(home))
    assert (found.exit_code, "R PC-24" in found.output) == (0, True)
