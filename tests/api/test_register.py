"""The register, access to the files and foreign certificates over HTTP and from the command line."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import cli, keyfiles
from ledger import store
from ledger.digest import twin
from ledger.reading import body_of
from registry.asset import Twin
from registry.case import Act
from registry.foreign import store as foreign
from registry.foreign.check import CHECKED, ForeignCheck, ForeignState, Method
from registry.foreign.link import LINKED, ForeignLink
from registry.foreign.paper import FOREIGN, ForeignPaper, PaperType, subject_of
from registry.inspection.access import DECIDED, REQUESTED, Basis, Decision, Request
from registry.party import Staff
from tests.api.house import Platform
from tests.registry.registry_house import AGENCY, PASSED, PROVIDER, RIVAL, TWO, a_form

PROVIDER_BY, RIVAL_BY = f"party:{PROVIDER}", f"party:{RIVAL}"


@pytest.mark.clause("G24", "D29")
def test_register__as_json__search_filters_and_paging(platform: Platform) -> None:
    codes = [platform.certificate(a_form(content=f"{n}\n".encode()), issued=False) for n in range(2)]
    get = platform.client.get
    page = get("/api/certificates", params={"q": "航班", "limit": 1}).json()
    assert [item["code"] for item in page["certificates"]] == [codes[1]]
    page = get("/api/certificates", params={"q": "航班", "limit": 1, "after": page["next"]}).json()
    assert ([item["code"] for item in page["certificates"]], page["next"]) == ([codes[0]], "")
    for name, value, count in (
        ("kind", "resource", 2), ("kind", "element", 0), ("right", "OPERATE", 2), ("status", "VALID", 2),
        ("status", "LAPSED", 0), ("agency", AGENCY, 2), ("agency", PROVIDER, 0), ("since", "2026-08-03", 2),
        ("until", "2026-08-03", 0), ("q", "客流", 0), ("q", "航空运输", 2),
    ):  # fmt: skip
        assert len(get("/api/certificates", params={name: value}).json()["certificates"]) == count, (name, value)
    wrong = get("/api/certificates", params={"since": "2026-02-30"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "since")


@pytest.mark.clause("G11", "trap-21")
def test_statistics__page_json_and_csv__say_the_same(platform: Platform) -> None:
    platform.certificate(a_form(), issued=False)
    with platform.books() as house:
        identity = house.file(replace(a_form(content=b"secret\n"), waiver_reason="商业秘密"))
        house.accept(identity)
        house.move(identity, Act("I-16", review=PASSED, reason="同意"), *TWO)
        house.deposit(identity)
    figures = {f["dimension"]: f for f in platform.client.get("/api/statistics").json()["figures"]}
    assert [line["count"] for line in figures["kind"]["lines"]] == [1]
    assert {line["value"]: line["count"] for line in figures["publicity"]["lines"]} == {"已公示": 1, "经申请不公示": 1}
    assert {line["value"]: line["count"] for line in figures["status"]["lines"]} == {"VALID": 2}
    assert all(f["as_of"] == platform.now and f["scope"] and f["rule"] for f in figures.values())
    answer = platform.client.get("/api/statistics.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert sum(len(f["lines"]) for f in figures.values()) == len(answer.content.decode("utf-8-sig").splitlines()) - 1
    page = platform.client.get("/statistics").text
    assert "数据使用权" in page
    assert "初次登记" in page
    assert page.count("statistics/1") == len(figures)


@pytest.mark.clause("G30", "A17")
def test_inspection__over_http__purpose_decision_copy_and_log(platform: Platform) -> None:
    with platform.books() as house:
        application = house.file(a_form())
    matter, name = f"application:{application}", "杭州某某航空数据有限公司（演示）"
    body = Request(name, PROVIDER, Basis.APPLICANT, "核对", matter, ("form",))

    def ask(body: Request, by: str) -> tuple[int, str]:
        identity = secrets.token_hex(16)
        signed = platform.signed(REQUESTED, f"inspection:{identity}", body, (by, ""))
        return platform.post("/api/inspections", signed.document(), by).status_code, identity

    def copy(identity: str, by: str) -> Any:
        return platform.client.post(f"/api/inspections/{identity}/copies/form", headers=platform.headers(by))

    before = platform.count()
    assert ask(replace(body, purpose=" "), PROVIDER_BY)[0] == 422
    assert ask(replace(body, reader_id=RIVAL), RIVAL_BY)[0] == 403
    assert platform.count() == before
    status, own = ask(body, PROVIDER_BY)
    assert status == 200
    assert copy(own, RIVAL_BY).status_code == 403
    answer = copy(own, PROVIDER_BY)
    assert answer.status_code == 200
    assert answer.headers["copy-mark"] in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        assert json.loads(package.read("mark.json"))["purpose"] == "核对"

    status, other = ask(
        replace(body, reader_id=RIVAL, basis=Basis.INTERESTED, interest="主张权利", purpose="准备异议"), RIVAL_BY
    )
    assert (status, copy(other, RIVAL_BY).status_code) == (200, 409)
    waiting = platform.client.get("/api/inspections", headers=platform.headers("staff:clerk")).json()["waiting"]
    assert [row["id"] for row in waiting] == [other]
    assert platform.client.get("/api/inspections", headers=platform.headers(RIVAL_BY)).status_code == 403
    granted = Decision(True, "有利害关系", ("form",))
    platform.state(
        "/api/inspections/decisions", DECIDED, f"inspection:{other}", granted, ("staff:reviewer", "reviewer")
    )
    assert copy(other, RIVAL_BY).status_code == 200
    headers = platform.headers("staff:clerk")
    log = platform.client.get("/api/inspections", params={"matter": matter}, headers=headers).json()["log"]
    assert sorted(row["purpose"] for row in log) == ["准备异议", "核对"]


@pytest.mark.clause("G41", "7.3")
def test_foreign__over_http__import_check_link_and_what_the_reviewer_sees(platform: Platform) -> None:
    with platform.books() as house:
        application = house.file(a_form())
    paper = ForeignPaper(
        "演示-33-9", "某某大数据中心（演示）", PaperType.DATA_IP, "演示知2025001", "1", "某某公司", "某某数据",
        Twin.of(twin(b"paper")),
    )  # fmt: skip
    subject = subject_of(paper)
    identity = subject.partition(":")[2]
    platform.state("/api/foreign-certificates", FOREIGN, subject, paper, ("staff:clerk", "intake"))
    again = platform.signed(FOREIGN, subject, paper, ("staff:clerk", "intake"))
    assert platform.post("/api/foreign-certificates", again.document(), "staff:clerk").status_code == 422
    check = ForeignCheck(ForeignState.VERIFIED, Method.ISSUER_SITE, platform.now, Twin.of(twin(b"screen")))
    platform.state("/api/foreign-certificates/checks", CHECKED, subject, check, ("staff:reviewer", "reviewer"))
    link = ForeignLink(application, identity)
    platform.state("/api/foreign-certificates/links", LINKED, f"foreign-link:{application}", link, (PROVIDER_BY, ""))
    headers = platform.headers("staff:reviewer")
    standing = platform.client.get(f"/api/foreign-certificates/{identity}", headers=headers).json()
    assert (standing["state"], standing["must_recheck"], standing["method"]) == ("VERIFIED", False, "签发方查询网站")
    path = f"/api/applications/{application}/earlier"
    (earlier,) = platform.client.get(path, headers=headers).json()["earlier"]
    assert (earlier["id"], earlier["relied_upon"], earlier["items"][0]["agrees"]) == (identity, True, False)
    assert platform.client.get(path, headers=platform.headers(RIVAL_BY)).status_code == 403


@pytest.mark.clause("7.3")
def test_foreign__from_the_command_line__all_or_none(platform: Platform, tmp_path: Path) -> None:
    key = tmp_path / "clerk.json"
    platform.keys["staff:typist"] = keyfiles.create(key, "staff:typist").sm2
    body = Staff(AGENCY, platform.keys["staff:typist"].public, ("intake", "reviewer"))
    platform.state("/api/staff", "staff/v1", "staff:typist", body, (f"party:{AGENCY}", ""))
    (tmp_path / "paper.pdf").write_bytes(b"%PDF a paper")
    item = {
        "issuer": "演示-33-9", "issuer_name": "某某大数据中心（演示）", "paper_type": "EVIDENCE_CERT",
        "number": "202503010001", "version": "1", "holder_name": "某某公司", "data_name": "某某数据",
        "transcript_file": "paper.pdf",
    }  # fmt: skip
    common = [
        "--key", str(key), "--by", "staff:typist", "--url", str(platform.client.base_url), "--api-key",
        platform.token("staff:typist"),
    ]  # fmt: skip

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, ["foreign", *arguments, *common])

    file = tmp_path / "papers.json"
    file.write_text(json.dumps([item, item | {"paper_type": "TRADE_CERT"}]), encoding="utf-8")
    before = platform.count()
    refused = run("import", str(file))
    assert refused.exit_code == 2
    assert "[1].body.number" in refused.output
    assert platform.count() == before
    file.write_text(json.dumps([item]), encoding="utf-8")
    for _ in range(2):
        done = run("import", str(file))
        assert done.exit_code == 0, done.output
    assert platform.count() == before + 1
    subject = done.output.split()[0]
    done = run(
        "check", subject, "--result", "VERIFIED", "--method", "核对原件", "--evidence", str(tmp_path / "paper.pdf"),
        "--as-of", str(platform.now),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with platform.reading() as session:
        row = foreign.foreign(session, subject.partition(":")[2])
        assert (row.state, row.evidence) == ("VERIFIED", twin(b"%PDF a paper").sha256.hex())
        assert store.facts_of(session, subject)[0].body == body_of(
            ForeignPaper(
                item["issuer"], item["issuer_name"], PaperType.EVIDENCE, "202503010001", "1", "某某公司", "某某数据",
                Twin.of(twin(b"%PDF a paper")),
            )
        )  # fmt: skip
