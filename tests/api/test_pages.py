"""The public pages and the check behind them: two separate answers, nothing that may not be published, no scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from api.jobs import transaction
from api.papers import path_of
from ledger import anchoring, log, outbox
from ledger.anchoring import Place
from ledger.digest import twin
from registry import store as views
from registry.case import Act
from registry.party import masked
from tests.api.house import Platform, open_platform
from tests.registry.registry_house import DEVELOPER, PASSED, PROVIDER, TWO, a_form

XSS = '"><script>alert(1)</script>'
PUBLIC_ADDRESSES = re.compile(r'(?:src|href|action)="([^"]*)"')


class Scene:
    """A platform with a public certificate (issued), a derived one (not issued) and one without publicity."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.code = platform.certificate(a_form())
        self.waived = _without_publicity(platform)
        self.plain = platform.certificate(a_form(content=b"b\n2\n"), issued=False)

    def paper(self, form: str, code: str = "") -> bytes:
        return path_of(self.platform.system, code or self.code, 1, form).read_bytes()

    def token(self, code: str) -> str:
        with self.platform.reading() as session:
            issued = views.issue_of(session, code, 1)
        assert issued is not None
        return issued.token

    def entry(self, code: str) -> str:
        with self.platform.reading() as session:
            return views.certificate(session, code).fact_id

    def page(self, path: str, **query: str) -> str:
        answer = self.platform.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def upload(self, code: str, file: bytes, **fields: str) -> httpx.Response:
        return self.platform.client.post("/check", data={"code": code, **fields}, files={"file": ("a.pdf", file)})

    def check(self, code: str, **query: str) -> dict[str, object]:
        answer = self.platform.client.get(f"/api/check/{code}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def _without_publicity(platform: Platform) -> str:
    """The way of 申请不公示: from review straight to deposit."""
    form = a_form(DEVELOPER, "宁波某某数据元件有限公司（演示）", b"a\n1\n", waiver_reason="涉及商业秘密")
    with platform.books() as house:
        identity = house.file(form)
        house.accept(identity)
        house.move(identity, Act("I-16", review=PASSED, reason="涉及商业秘密"), *TWO)
        code = house.deposit(identity).code
    platform.issue(code)
    return code


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Scene]:
    with open_platform(tmp_path_factory.mktemp("pages") / "home", empty_database) as platform:
        yield Scene(platform)


def test_check__valid__two_separate_answers(scene: Scene) -> None:
    page = scene.page("/check", code=scene.code, v="1", t=scene.token(scene.code))
    assert "NO_FILE_GIVEN" in page
    assert "VALID" in page
    assert page.index("完整性") < page.index("NO_FILE_GIVEN") < page.index("状态") < page.index("<code>VALID</code>")
    assert "截至" in page
    assert masked(PROVIDER) in page
    assert PROVIDER not in page
    assert "演示" in page
    assert "参照《数据产权登记工作指引（试行）》" in page


def test_check__paper_of_another_version__says_so(scene: Scene) -> None:
    assert "您手中的凭证标注版本 7" in scene.page("/check", code=scene.code, v="7")
    assert "您手中的凭证标注版本" not in scene.page("/check", code=scene.code, v="1")


def test_check__code_as_people_type_it(scene: Scene) -> None:
    typed = f" {scene.code[:5].lower()} {scene.code[5:]}\t"
    assert "<code>VALID</code>" in scene.page("/check", code=typed)


def test_check__unknown_and_malformed__200_with_a_clear_answer(scene: Scene) -> None:
    assert "UNKNOWN_CODE" in scene.page("/check", code="SJ3312020010001")
    for code in ("SJ1", "SJ331202608000１", "SJ3312026130001", "SJ3312026080000", XSS, "x" * 200, "%00"):
        page = scene.page("/check", code=code)
        assert "MALFORMED_CODE" in page
        assert "凭证编码为 15 位" in page
        assert "<code>VALID</code>" not in page
    assert scene.check("SJ3312020010001")["status"] == "UNKNOWN_CODE"
    assert scene.check("nonsense")["status"] == "MALFORMED_CODE"


def test_check__file_intact_and_altered(scene: Scene) -> None:
    for form in ("pdf", "json"):
        paper = scene.paper(form)
        assert ">文件完整 <code>INTACT</code>" in scene.upload(scene.code, paper).text
        flipped = paper[:-1] + bytes([paper[-1] ^ 1])
        altered = scene.upload(scene.code, flipped).text
        assert "<code>ALTERED</code>" in altered
        assert "<code>VALID</code>" in altered
    other = scene.upload(scene.code, scene.paper("pdf", scene.waived)).text
    assert "<code>ALTERED</code>" in other
    assert "<code>CANNOT_CHECK</code>" in scene.upload(scene.plain, b"anything").text
    assert "<code>CANNOT_CHECK</code>" in scene.upload("SJ3312020010001", b"anything").text
    assert "<code>NO_FILE_GIVEN</code>" in scene.upload(scene.code, b"").text


def test_check__json__digests_of_a_file__both_or_none(scene: Scene) -> None:
    digest = twin(scene.paper("pdf")).document()
    assert scene.check(scene.code, **digest)["integrity"] == "INTACT"
    assert scene.check(scene.code, **{**digest, "sm3": "0" * 64})["integrity"] == "ALTERED"
    assert scene.check(scene.code)["integrity"] == "NO_FILE_GIVEN"
    one_sided = scene.platform.client.get(f"/api/check/{scene.code}", params={"sha256": digest["sha256"]})
    assert one_sided.status_code == 422
    assert one_sided.json()["error"] == "OneSided"


def test_check__intact_file_of_a_lapsed_certificate__is_not_called_valid(platform: Platform) -> None:
    code = platform.certificate(a_form())
    paper = path_of(platform.system, code, 1, "pdf").read_bytes()
    with platform.reading() as session:
        until = views.certificate(session, code).valid_until
    for second, status in ((until - 1, "VALID"), (until, "LAPSED")):
        platform.now = second
        page = platform.client.post("/check", data={"code": code}, files={"file": ("a.pdf", paper)}).text
        assert "<code>INTACT</code>" in page
        assert f"<code>{status}</code>" in page
        assert ('class="card answer good"' in page) is (status == "VALID")
        assert platform.client.get(f"/api/check/{code}").json()["status"] == status
        assert ('warn">自动失效' in platform.client.get("/register").text) is (status == "LAPSED")


def test_check__publicity_waived__only_code_status_and_agency(scene: Scene) -> None:
    page = scene.page("/check", code=scene.waived)
    assert "经申请不公示" in page
    assert "宁波某某数据元件" not in page
    assert "2013年全国民航运输航班" not in page
    assert "存证时间" not in page
    document = scene.check(scene.waived)
    assert set(document) <= {
        "code", "status", "integrity", "as_of", "agency", "version", "deposited_at", "valid_from", "valid_until",
        "last_day", "issued", "token_matches", "ok",
    }  # fmt: skip
    assert not any(document[name] for name in set(document) - {"code", "status", "integrity", "as_of", "agency"})
    for text in ("2013年全国", scene.waived):
        listed = scene.page("/register", q=text)
        assert (scene.waived in listed) is (text == scene.waived)
        assert "宁波" not in listed


def test_check__register_entry_only_for_the_token_of_the_paper(scene: Scene) -> None:
    entry = scene.entry(scene.code)
    for token in ("", "wrong", scene.token(scene.waived)):
        document = scene.check(scene.code, t=token)
        assert document["token_matches"] is False
        assert entry not in str(document)
        assert entry not in scene.page("/check", code=scene.code, t=token).replace(" ", "")
    document = scene.check(scene.code, t=scene.token(scene.code))
    assert document["entry_id"] == entry
    assert entry in scene.page("/check", code=scene.code, t=scene.token(scene.code)).replace(" ", "")
    assert scene.check(scene.waived, t=scene.token(scene.waived))["entry_id"] == scene.entry(scene.waived)


def test_check__not_anchored_is_said_and_anchored_is_shown(platform: Platform) -> None:
    code = platform.certificate(a_form())
    with platform.reading() as session:
        entry = views.certificate(session, code).fact_id
        token = views.issue_of(session, code, 1).token  # type: ignore[union-attr]
    query = {"code": code, "t": token}
    page = platform.client.get("/check", params=query).text
    assert "未锚定" in page
    assert "已锚定" not in page
    assert "/bundle?" not in page
    answer = platform.client.get(f"/api/check/{code}").json()
    assert (answer["anchored"], answer["log"]) == (False, "sequenced")
    with transaction(platform.system) as session:
        log.integrate(session)
        head = log.seal(session, platform.system.log_keys, at=platform.now)
        assert head is not None
        place = Place(31337, "0x" + "ab" * 20, "0x" + "cd" * 32, 42)
        anchoring.note_places(session, "RightsRegistry", {entry: place})
    page = platform.client.get("/check", params=query).text
    for shown in ("已锚定", place.address, place.tx, "42", "integrated"):
        assert shown in page
    assert "/bundle?" not in page, "not published yet: there is no bundle to fetch"
    with transaction(platform.system) as session:
        key = outbox.head_key(head.checkpoint.size)
        anchoring.note_places(session, "EvidenceLog", {key: place})
    link = f"/api/certificates/{code}/bundle"
    assert f'href="{link}?t={token}"' in platform.client.get("/check", params=query).text
    assert platform.client.get(link).status_code == 403
    assert platform.client.get(link, params={"t": "wrong"}).status_code == 403
    bundle = platform.client.get(link, params={"t": token})
    assert bundle.json()["fact"]["statement"]["kind"] == "register-entry/v1"
    page = platform.client.get("/log").text
    assert "区块 42" in page
    assert head.checkpoint.root.sm3.hex() in page.replace(" ", "")


@pytest.mark.parametrize(
    ("path", "query"),
    [("/check", "code"), ("/check", "v"), ("/check", "t"), ("/register", "q")],
)
def test_page__markup_in_a_query__is_escaped(scene: Scene, path: str, query: str) -> None:
    more = {"code": scene.code} if path == "/check" and query != "code" else {}
    value = XSS[:20] if query == "v" else XSS
    page = scene.page(path, **{**more, query: value})
    assert "<script" not in page.lower()
    assert "alert(1)" in unescape(page).lower() or query == "v"


def test_upload__markup_in_fields__is_escaped(scene: Scene) -> None:
    page = scene.upload(XSS, b"x", v=XSS, t=XSS).text
    assert "<script" not in page.lower()


def test_pages__fetch_nothing_from_elsewhere_and_run_nothing(scene: Scene) -> None:
    for path in ("/", "/check", f"/check?code={scene.code}", "/register", "/statistics", "/log", "/nowhere"):
        page = scene.platform.client.get(path).text
        assert "<script" not in page
        assert "style=" not in page
        assert not re.search(r"\son[a-z]+=", page)
        for address in PUBLIC_ADDRESSES.findall(page):
            assert address.startswith(("/", "#")), address
            assert not address.startswith("//")
        assert '<html lang="zh-CN">' in page
        assert 'name="viewport"' in page
    css = scene.platform.client.get("/static/shuqing.css")
    assert css.status_code == 200
    assert css.headers["content-type"].startswith("text/css")
    assert "url(" not in css.text
    assert "@import" not in css.text


def test_pages__every_link_leads_somewhere(scene: Scene) -> None:
    for path in ("/", "/check", f"/check?code={scene.code}", "/register", "/statistics", "/log"):
        for address in PUBLIC_ADDRESSES.findall(scene.platform.client.get(path).text):
            if address.startswith("/"):
                found = scene.platform.client.get(unescape(address), follow_redirects=True)
                assert found.status_code == 200, address


def test_pages__every_input_has_a_label(scene: Scene) -> None:
    for path in ("/", "/check", "/register", "/statistics"):
        page = scene.page(path)
        named = set(re.findall(r'<label for="([^"]+)"', page))
        inputs = re.findall(r"<input([^>]*)>", page)
        for attributes in inputs:
            if 'type="hidden"' not in attributes:
                found = re.search(r'id="([^"]+)"', attributes)
                assert found is not None
                assert found[1] in named


def test_register__search_and_paging(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.pages.register.PAGE_SIZE", 2)
    codes = [platform.certificate(a_form(content=f"{n}\n".encode()), issued=False) for n in range(3)]
    first = platform.client.get("/register").text
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = platform.client.get(unescape(link[1])).text
    assert sum(code in first for code in codes) == 2
    assert sum(code in second for code in codes) == 1
    assert ("下一页" in first, "下一页" in second, "第一页" in first, "第一页" in second) == (True, False, False, True)
    found = platform.client.get("/register", params={"q": codes[0]}).text
    assert [code in found for code in codes] == [True, False, False]
    assert "没有符合条件的凭证" in platform.client.get("/register", params={"q": "%"}).text
    for name, value in (
        ("after", "-1"), ("after", "x"), ("after", "9" * 19), ("after", "9" * 30), ("kind", "film"), ("right", "OWN"),
        ("status", "GOOD"), ("agency", "9133"), ("since", "2026-02-30"), ("until", "1.9.2026"),
    ):  # fmt: skip
        answer = platform.client.get("/register", params={name: value})
        assert answer.status_code == 422, (name, value)
        assert "text/html" in answer.headers["content-type"]


def test_log_page__sizes(scene: Scene) -> None:
    page = scene.page("/log")
    assert f"<strong>{scene.platform.count()}</strong>" in page
    assert "尚无树头" in page


def test_paper__only_for_the_token(scene: Scene) -> None:
    path = f"/api/certificates/{scene.code}/pdf"
    assert scene.platform.client.get(path).status_code == 403
    assert scene.platform.client.get(path, params={"t": "wrong"}).status_code == 403
    answer = scene.platform.client.get(path, params={"t": scene.token(scene.code)})
    assert answer.content == scene.paper("pdf")
    assert answer.headers["content-type"] == "application/pdf"
    wrong = scene.platform.client.get(f"/api/certificates/{scene.code}/exe", params={"t": scene.token(scene.code)})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "form")
