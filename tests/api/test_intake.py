"""Intake over HTTP: papers in and out, drafts, two steps, an import with its page, each for whom it concerns."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openpyxl
import pytest

from api import sealed
from api.importing import CHUNK, ENDS, Importer, run
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.intake import store
from registry.intake.attachment import LIMITS
from tests.api.house import Platform, open_platform
from tests.registry.intake.intake_forms import as_csv, filled, table, typed
from tests.registry.registry_house import AGENCY, PROVIDER, RIVAL, a_form

HOLDER, OTHER, CLERK = f"party:{PROVIDER}", f"party:{RIVAL}", "staff:clerk"
PDF = b"%PDF-1.7\n" + b"secret words of an applicant " * 100 + b"\n%%EOF\n"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Platform]:
    """A platform that wants papers to be handed in, shared by tests that leave each other alone."""
    home = tmp_path_factory.mktemp("strict") / "home"
    with open_platform(home, empty_database, papers_received=True) as opened:
        yield opened


def key(platform: Platform, by: str) -> dict[str, str]:
    return {"Authorization": platform.headers(by)["Authorization"]}


def hand_in(platform: Platform, data: bytes = PDF, *, by: str = HOLDER, name: str = "证.pdf", kind: str = "身份佐证",
            media: str = "application/pdf", **texts: str) -> httpx.Response:  # fmt: skip
    return platform.client.post(
        "/api/attachments", data={"kind": kind, **texts}, files={"file": (name, data, media)}, headers=key(platform, by)
    )


def good(answer: httpx.Response) -> dict[str, object]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text


def folders(platform: Platform) -> set[Path]:
    return {path for path in platform.system.settings.home.rglob("*") if path.is_file() and "attachments" in path.parts}


def test_paper__as_a_form_or_as_bare_bytes__is_kept_sealed_and_once(strict: Platform) -> None:
    first = good(hand_in(strict))
    bare = strict.client.post(
        "/api/attachments", params={"kind": "身份佐证", "name": "证.pdf"}, content=PDF,
        headers={**key(strict, HOLDER), "Content-Type": "application/pdf"},
    )  # fmt: skip
    assert good(bare) == first
    assert (first["version"], first["size"], first["holder"]) == (1, len(PDF), HOLDER)
    place = sealed.paper_file(strict.system.settings.home, str(first["sha256"]))
    assert b"secret words" not in place.read_bytes()
    assert place.stat().st_mode & 0o077 == 0
    assert not list((strict.system.settings.home / sealed.INCOMING).iterdir())


def test_paper__of_another_type_size_or_name__refused_and_nothing_left(strict: Platform) -> None:
    before = folders(strict)
    refused(hand_in(strict, b"MZ\x90\x00"), 422, "内容不是可以接收的类型")
    refused(hand_in(strict, b""), 422, "文件是空的")
    refused(hand_in(strict, PDF, name="a.png", media="image/png"), 422, "扩展名为 png，内容却是 application/pdf")
    refused(hand_in(strict, PDF, media="image/png"), 422, "声明的类型为 image/png")
    refused(hand_in(strict, PDF, name="a.exe"), 422, "扩展名应为")
    refused(hand_in(strict, PDF, kind=""), 422, "kind")
    refused(hand_in(strict, PDF, draft="0" * 32), 404, "没有登记")
    refused(hand_in(strict, PDF + b"x" * LIMITS.file), 422, "上限")
    refused(hand_in(strict, PDF + b"x" * (LIMITS.file + (2 << 20))), 413, "超过")
    assert folders(strict) == before
    assert not list((strict.system.settings.home / sealed.INCOMING).iterdir())


BOUNDARY = b"--x\r\n"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
BAD_FORMS = {
    "no end": BOUNDARY + FILE + PDF,
    "no file": BOUNDARY + b'Content-Disposition: form-data; name="kind"\r\n\r\nx\r\n--x--\r\n',
    "not a form": b"hello",
    "two files": (BOUNDARY + FILE + b"x\r\n") * 2 + b"--x--\r\n",
    "long text": BOUNDARY + b'Content-Disposition: form-data; name="kind"\r\n\r\n' + b"x" * 5000 + b"\r\n--x--\r\n",
    "bad header": BOUNDARY + b"\x00\x01: x\r\n\r\nx\r\n--x--\r\n",
    "empty": b"",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/api/attachments", "/api/intake/imports", "/intake"])
@pytest.mark.parametrize("name", BAD_FORMS)
def test_form__wrong__refused(strict: Platform, path: str, name: str) -> None:
    for content_type in ("multipart/form-data; boundary=x", "multipart/form-data"):
        headers = {**key(strict, HOLDER), "Content-Type": content_type}
        answer = strict.client.post(path, content=BAD_FORMS[name], headers=headers)
        assert answer.status_code == 422, (name, answer.text)


def test_page__upload_without_a_key__401_and_nothing_is_read(strict: Platform) -> None:
    answer = strict.client.post("/intake", files={"file": ("a.csv", b"x")})
    assert answer.status_code == 401
    assert "缺少接口密钥" in answer.text
    assert (
        strict.client.post("/intake", files={"file": ("a.exe", b"x")}, headers=key(strict, HOLDER)).status_code == 422
    )


def test_download__for_applicant_and_agency__noted_with_its_purpose(strict: Platform) -> None:
    paper = str(good(hand_in(strict, PDF + b"other", name="另证.pdf"))["id"])
    path = f"/api/attachments/{paper}"
    answer = strict.client.get(path, headers=key(strict, HOLDER))
    assert answer.content == PDF + b"other"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    refused(strict.client.get(path, headers=key(strict, OTHER)), 403, "只有申请人和登记机构")
    refused(strict.client.get(path, headers=key(strict, CLERK)), 422, "purpose")
    assert strict.client.get(path, params={"purpose": "审查"}, headers=key(strict, CLERK)).status_code == 200
    with strict.reading() as session:
        looks = [(row.reader, row.purpose) for row in store.accesses(session, paper)]
    assert sorted(looks) == sorted([(HOLDER, ""), (CLERK, "审查")]), "both in one second"
    listed = strict.client.get("/api/attachments", headers=key(strict, OTHER)).json()["attachments"]
    assert listed == []


def test_download__file_damaged_on_the_disk__refused_not_handed_out(strict: Platform) -> None:
    kept = good(hand_in(strict, PDF + b"damaged", name="损.pdf"))
    place = sealed.paper_file(strict.system.settings.home, str(kept["sha256"]))
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(data)
    refused(strict.client.get(f"/api/attachments/{kept['id']}", headers=key(strict, HOLDER)), 422, "已损坏")
    place.unlink()
    refused(strict.client.get(f"/api/attachments/{kept['id']}", headers=key(strict, HOLDER)), 422, "不在或与摘要不一致")


def post(platform: Platform, path: str, body: object, by: str = HOLDER) -> httpx.Response:
    return platform.client.post(path, json=body, headers=platform.headers(by))


@pytest.mark.clause("G16", "PC-22")
def test_two_steps__over_http__only_with_papers_handed_in(platform: Platform) -> None:
    object.__setattr__(platform.system.house, "papers_received", True)
    form = body_of(a_form())
    made = good(post(platform, "/api/drafts", {"body": {"years": "五"}}))
    path = f"/api/drafts/{made['id']}"
    findings = good(platform.client.get(f"{path}/check", headers=key(platform, HOLDER)))["findings"]
    assert {"申请年限：应为1至100的整数，实为“五”。"} <= {item["zh"] for item in findings}  # type: ignore[attr-defined]
    assert good(post(platform, path, {"body": form}))["body"] == form
    stopped = good(platform.client.get(f"{path}/preview", headers=key(platform, HOLDER)))
    assert "statement" not in stopped
    papers = []
    for kind in ("身份佐证", "数据样例", "合法取得佐证"):
        kept = good(hand_in(platform, PDF + kind.encode(), name=f"{kind}.pdf", kind=kind, draft=str(made["id"])))
        digest = {"sha256": kept["sha256"], "sm3": kept["sm3"]}
        papers.append({name: kept[name] for name in ("kind", "name", "media_type", "size")} | {"digest": digest})
    post(platform, path, {"body": form | {"attachments": papers}})
    seen = good(platform.client.get(f"{path}/preview", headers=key(platform, HOLDER)))
    assert seen["publicity"]["data_name"] == form["description"]["data_name"]  # type: ignore[index]
    statement = Statement.of_document(seen["statement"])
    signature = sign_sm2(platform.keys[HOLDER], statement, by=HOLDER)
    request = Signed(statement, (signature,)).document() | {"publicity_sha256": seen["publicity_sha256"]}
    refused(post(platform, f"{path}/submission", request, OTHER), 403, "不能提交他人签署的内容")
    refused(post(platform, f"{path}/submission", request | {"publicity_sha256": "0" * 64}), 409, "publicity_sha256")
    first = good(post(platform, f"{path}/submission", request))
    assert first["replayed"] is False
    assert good(post(platform, f"{path}/submission", request))["replayed"] is True
    assert platform.client.get(path, headers=key(platform, HOLDER)).status_code == 404
    state = platform.client.get(f"/api/applications/{made['id']}", headers=key(platform, HOLDER)).json()
    assert state["state"] == "SUBMITTED"


def test_drafts__of_one_holder__listed_edited_withdrawn_by_no_other(strict: Platform) -> None:
    made = good(post(strict, "/api/drafts", {"body": {"a": 1}}, OTHER))
    path = f"/api/drafts/{made['id']}"
    for call in ("", "/check", "/preview"):
        assert strict.client.get(path + call, headers=key(strict, HOLDER)).status_code == 404
    assert post(strict, path, {"body": {}}).status_code == 404
    assert post(strict, f"{path}/withdrawal", {}).status_code == 404
    refused(post(strict, path, {"body": []}, OTHER), 422, "body")
    refused(post(strict, "/api/drafts", {"body": {}, "kind": "party/v1"}, OTHER), 422, "kind")
    listed = good(strict.client.get("/api/drafts", headers=key(strict, OTHER)))
    assert (listed["count"], [item["id"] for item in listed["drafts"]]) == (1, [made["id"]])  # type: ignore[attr-defined]
    assert good(post(strict, f"{path}/withdrawal", {}, OTHER))["withdrawn"] is True
    assert strict.client.get(path, headers=key(strict, OTHER)).status_code == 404


def ended(platform: Platform, identity: str) -> dict[str, object]:
    for _ in range(600):
        found = good(platform.client.get(f"/api/intake/imports/{identity}", headers=key(platform, HOLDER)))
        if found["state"] in ENDS:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_template__downloaded__opens(strict: Platform) -> None:
    for path in ("/api/intake/template", "/intake/template"):
        answer = strict.client.get(path, headers=key(strict, HOLDER))
        assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames == ["申请", "权利", "说明"]
        text = strict.client.get(path, params={"format": "csv"}, headers=key(strict, HOLDER)).content
        assert text.decode("utf-8-sig").startswith("内部编号,申请人名称")
    assert strict.client.get("/api/intake/template?format=doc", headers=key(strict, HOLDER)).status_code == 422


def test_import__by_the_page__progress_drafts_and_error_file(strict: Platform) -> None:
    """As a browser does it: the form, the page that renews itself, the error file, corrected and sent again."""
    form = a_form(attachments=())
    rows = [typed(str(number), form) for number in range(30)]
    rows[7]["地域范围"] = "=省内"
    browser = httpx.Client(base_url=strict.client.base_url, headers=key(strict, HOLDER), trust_env=False)
    with browser:
        assert "还没有导入过文件" in browser.get("/intake").text
        sent = browser.post("/intake", files={"file": ("申请.xlsx", filled(rows))})
        assert sent.status_code == 303
        path = sent.headers["location"]
        found = ended(strict, path.rpartition("/")[2])
        assert (found["total"], found["written"], found["wrong"], found["red"]) == (30, 29, 1, 29)
        page = browser.get(path)
        assert "refresh" not in page.headers
        assert "下载错误文件" in page.text
        assert "申请.xlsx" in browser.get("/intake").text
        errors = browser.get(f"{path}/errors")
        (line,) = table(errors.content)
        assert line["地域范围"] == "=省内"
        assert line["错误"] == "地域范围：应为国际、全国、省级、市级、区县级、区县级以下之一，实为“=省内”"
        book = openpyxl.load_workbook(io.BytesIO(errors.content))
        place = [cell.value for cell in book["申请"][1]].index("地域范围") + 1
        book["申请"].cell(2, place).value = "全国"
        out = io.BytesIO()
        book.save(out)
        again = browser.post("/intake", files={"file": ("改好.xlsx", out.getvalue())})
        assert ended(strict, again.headers["location"].rpartition("/")[2])["written"] == 1
        same = browser.post("/intake", files={"file": ("申请.xlsx", filled(rows))})
        assert ended(strict, same.headers["location"].rpartition("/")[2])["written"] == 0
    drafts = good(strict.client.get("/api/drafts", headers=key(strict, HOLDER)))
    assert drafts["count"] == 30
    other = key(strict, OTHER)
    for address in (path, f"{path}/errors", f"/api/intake/imports/{path.rpartition('/')[2]}"):
        assert strict.client.get(address, headers=other).status_code == 404
    assert not list((strict.system.settings.home / "intake").rglob("source"))


def test_import__refused_whole__says_why_on_the_page_and_to_programs(strict: Platform) -> None:
    sent = strict.client.post(
        "/api/intake/imports", params={"name": "错.csv"}, content="编号\n1\n".encode(), headers=key(strict, HOLDER)
    )
    identity = str(good(sent)["id"])
    found = ended(strict, identity)
    assert (found["state"], found["written"]) == ("REFUSED", 0)
    assert "表头缺少" in str(found["message"])
    page = strict.client.get(f"/intake/{identity}", headers=key(strict, HOLDER)).text
    assert "整份退回" in page
    assert "表头缺少" in page
    assert strict.client.get(f"/intake/{identity}/errors", headers=key(strict, HOLDER)).status_code == 404


def test_import__left_by_a_server_that_died__is_carried_on_by_whoever_looks(platform: Platform) -> None:
    """The upload is stored and committed, then nobody runs it: as after a power cut."""
    data = filled([typed("1", a_form(attachments=()))])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Importer, "start", lambda *_: None)
        sent = platform.client.post(
            "/api/intake/imports", params={"name": "a.xlsx"}, content=data, headers=key(platform, HOLDER)
        )
    identity = str(good(sent)["id"])
    found = ended(platform, identity)
    assert (found["state"], found["written"]) == ("DONE", 1)


def test_agency_staff__see_their_own_agencys_drafts_not_the_applicants(strict: Platform) -> None:
    mine = good(post(strict, "/api/drafts", {"body": {}}, f"party:{AGENCY}"))
    listed = good(strict.client.get("/api/drafts", headers=key(strict, CLERK)))
    assert [item["id"] for item in listed["drafts"]] == [mine["id"]]  # type: ignore[attr-defined]


def test_importer__stopped_between_two_chunks__leaves_an_import_to_be_carried_on(platform: Platform) -> None:
    """What the end of a server process does; the next one finishes it, and nothing is there twice."""
    rows = [typed(str(number), a_form(attachments=())) for number in range(CHUNK + 20)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Importer, "start", lambda *_: None)
        sent = platform.client.post(
            "/api/intake/imports", params={"name": "a.csv"}, content=as_csv(rows), headers=key(platform, HOLDER)
        )
    identity = str(good(sent)["id"])
    stop = threading.Event()
    stop.set()
    run(platform.system, identity, stop=stop)
    with platform.reading() as session:
        row = store.import_(session, identity)
        assert (row.state, row.total, row.written) == ("RUNNING", CHUNK + 20, CHUNK)
    found = ended(platform, identity)
    assert (found["state"], found["written"], found["same"]) == ("DONE", 20, CHUNK)
