"""Figures at the doors: a party sees its own, operator and authorities all; the grade on a page, objected to by key."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.desk.waiting import Outcome
from clearing.settlement.reporting import service, store
from clearing.settlement.reporting.objection import ANSWER, OFFICER, Answer, objection_subject
from ledger import sm
from tests.api.shop import Shop, open_shop
from tests.api.test_statement_pages import desk_of, post
from tests.api.trading import trader
from tests.clearing.market.house import CONSUMER, COURT, NOW, PROVIDER, SELLER
from tests.clearing.settlement.reporting_story import Story, stored

DAY = 86_400
JUNE = "2026-06"
IN_MARCH = 1_803_900_000
"""2027-03-01 in Shanghai, hours after the second the disclosure of 2026 is of."""
XSS = '"><script>alert(1)</script>'


class Doors:
    """Six settled orders in the shop's database; the operator has an officer."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.platform = shop, shop.platform
        self.operator = shop.platform.system.settings.operator
        self.officer = sm.generate()
        house = shop.house
        house.hire("officer", self.officer, OFFICER, self.operator)
        story = Story()
        agreement = story.agreement("a", SELLER, CONSUMER, NOW)
        for month in range(1, 7):
            at = NOW + month * DAY
            story.order(agreement, f"2026-0{month}", CONSUMER, {SELLER: 100}, at)
            story.payment(CONSUMER, 100, at, at, [("2026-07-01", 100, at)])
        stored(house.session, story)
        house.session.commit()
        shop.platform.now = NOW + 60 * DAY

    def get(self, path: str, party: str, status: int = 200) -> dict[str, object]:
        answer = self.shop.get(path, f"party:{party}")
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def publish(self) -> None:
        answer = self.platform.client.post(
            "/api/reports/credit", headers=self.platform.headers(f"party:{self.operator}")
        )
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["facts"]) == 2


@pytest.fixture
def doors(tmp_path: Path, empty_database: Path) -> Iterator[Doors]:
    with open_shop(tmp_path, empty_database) as shop:
        yield Doors(shop)


def test_doors__own_figures_to_a_party_all_to_operator_and_authority(doors: Doors) -> None:
    own = doors.get(f"/api/reports/credit/{CONSUMER}", CONSUMER)
    assert own["credit"]["grade"] == "A"  # type: ignore[index]
    assert own["credit"]["inputs"][0]["facts"]  # type: ignore[index]
    for path in (f"/api/reports/credit/{CONSUMER}", f"/api/reports/totals/{JUNE}", f"/api/reports/totals/{JUNE}/xlsx"):
        assert doors.shop.get(path, f"party:{PROVIDER}").status_code == 403
        for party in (doors.operator, COURT):
            assert doors.shop.get(path, f"party:{party}").status_code == 200
    assert doors.platform.client.get(f"/api/reports/credit/{CONSUMER}").status_code == 401
    assert [row["party"] for row in doors.get(f"/api/reports/assessment/{JUNE}", SELLER)["parties"]] == [SELLER]  # type: ignore[attr-defined]
    rows = doors.get(f"/api/reports/assessment/{JUNE}", COURT)["parties"]
    assert {row["party"] for row in rows} >= {SELLER, CONSUMER}  # type: ignore[attr-defined]
    assert len(doors.get("/api/reports/definitions", PROVIDER)["definitions"]) == 11  # type: ignore[arg-type]


def test_doors__strange_questions__refused_by_name_and_never_500(doors: Doors) -> None:
    for path, status in (
        ("/api/reports/assessment/2026-13", 422), ("/api/reports/assessment/x", 422),
        ("/api/reports/assessment/2031-01", 409), (f"/api/reports/assessment/{JUNE}?as_of=4000000000", 422),
        (f"/api/reports/assessment/{JUNE}?as_of=abc", 422), ("/api/reports/trades/2026-01", 404),
        (f"/api/reports/credit/{CONSUMER}?as_of=1000", 422), ("/api/reports/objections/zz", 404),
        ("/api/reports/credit/nobody", 200),
    ):  # fmt: skip
        answer = doors.shop.get(path, f"party:{doors.operator}")
        assert answer.status_code == status, (path, answer.text)
    answer = doors.platform.client.post("/api/reports/credit", headers=doors.platform.headers(f"party:{SELLER}"))
    assert answer.status_code == 403


def test_disclosure__public_once_its_second_is_over__nobody_named(doors: Doors, tmp_path: Path) -> None:
    client = doors.platform.client
    for path in ("/api/reports/disclosure/2026", "/api/reports/disclosure/2026/xlsx", "/disclosure/2026"):
        assert client.get(path).status_code == 404, "not before its last second is over"
    assert "尚无已公布的年度" in client.get("/disclosure").text
    doors.platform.now = IN_MARCH
    answer = client.get("/api/reports/disclosure/2026")
    assert answer.status_code == 200, answer.text
    report = answer.json()
    # Two parties: every number is absent, and no name is anywhere.
    assert (report["year"], report["k"], report["hidden"]) == ("2026", 10, 1)
    assert [line.keys() for line in report["deals"]] == [{"product_class", "mode"}]
    assert "amount" not in report["total"]
    page = client.get("/disclosure/2026").text
    assert "不列示" in page
    assert "K-11/1" in page
    assert 'href="/disclosure/2026"' in client.get("/disclosure").text
    for text in (answer.text, page):
        assert CONSUMER not in text
        assert SELLER not in text
    assert client.get("/api/reports/disclosure/2026?as_of=1790000000").json() == report, "one second, whoever asks"
    for wrong in ("2025", "2026-05", "2026-Q1", "x", XSS.replace("/", "")):
        assert client.get(f"/api/reports/disclosure/{wrong}").status_code == 422
        found = client.get(f"/disclosure/{wrong}")
        assert found.status_code == 422
        assert "<script>" not in found.text
    assert client.get("/disclosure/2027").status_code == 404
    preview = "/api/reports/disclosure/2026/preview"
    assert client.get(preview).status_code == 401
    assert doors.shop.get(preview, f"party:{SELLER}").status_code == 403
    for party in (doors.operator, COURT):
        assert doors.shop.get(f"{preview}?as_of={NOW + 2 * DAY}", f"party:{party}").status_code == 200
    url, book = str(client.base_url), tmp_path / "disclosure.xlsx"
    for words in (["2026"], ["2026", "--xlsx", str(book)]):
        done = CliRunner().invoke(app, ["report", "disclosure", *words, "--url", url])
        assert done.exit_code == 0, done.output
    assert zipfile.is_zipfile(book)


def test_workbooks__open_and_hold_no_formula(doors: Doors) -> None:
    for path in (f"/api/reports/assessment/{JUNE}/xlsx", f"/api/reports/totals/{JUNE}/xlsx"):
        answer = doors.shop.get(path, f"party:{doors.operator}")
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            sheets = [book.read(name) for name in book.namelist() if "worksheets/sheet" in name]
        assert sheets
        assert not any(b"<f>" in sheet or b"<f " in sheet for sheet in sheets)


def test_page__own_grade_with_its_evidence_objected_to_and_answered(doors: Doors) -> None:
    doors.publish()
    one = trader(doors.shop, f"party:{CONSUMER}")
    page = one.get("/office/credit")
    assert "<strong>A</strong>" in page
    assert "按时付款" not in page
    assert "逾期付款" in page
    assert "/api/bundles/" in page
    key = f"payment:{page.split('payment:')[1][:34]}"
    status, url, text = post(one, "/office/credit/objections", reason=XSS, input=key)
    assert status == 200, text
    assert XSS not in text
    assert one.sign_desk(desk_of(url)) == Outcome.DONE.value
    page = one.get("/office/credit")
    assert "有异议，待答复" in page
    assert XSS not in page
    assert "A（有异议）" in doors.platform.client.get(f"/profiles/{CONSUMER}").text
    [found] = doors.get("/api/reports/objections", doors.operator)["objections"]  # type: ignore[misc]
    assert doors.get("/api/reports/objections", PROVIDER)["objections"] == []
    identity = found["id"]
    again = doors.get(f"/api/reports/objections/{identity}?set_aside={key}", doors.operator)["recomputed"]
    body = Answer(CONSUMER, True, "银行差错", str(again), (key,))
    signed = doors.shop.house.signed(
        ANSWER, objection_subject(identity), body, "staff:officer", doors.officer, OFFICER
    )  # fmt: skip
    doors.shop.house.session.commit()
    answer = doors.platform.post("/api/reports/objections/answers", dict(signed.document()), "staff:officer")
    assert answer.status_code == 200, answer.text
    page = one.get("/office/credit")
    assert "采纳" in page
    assert "已更正" in page
    with doors.platform.reading() as session:
        figure = store.newest(session, CONSUMER)
        assert figure is not None
        assert figure.body.set_aside == (key,)
        assert service.verify(session, figure.body, operator=doors.operator)


def test_page__nothing_published_and_an_empty_reason__said_clearly(doors: Doors) -> None:
    one = trader(doors.shop, f"party:{CONSUMER}")
    assert "尚未发布" in one.get("/office/credit")
    assert post(one, "/office/credit/objections", reason="不服")[0] == 422
    doors.publish()
    assert post(one, "/office/credit/objections", reason=" ")[0] == 422
    assert "未评级" in trader(doors.shop, f"party:{PROVIDER}").get("/office/credit")


class Commands:
    """`shuqing report` against the shop's server, with key files."""

    def __init__(self, doors: Doors, folder: Path) -> None:
        self.doors, self.folder = doors, folder

    def key_file(self, by: str, key: sm.Sm2Key) -> str:
        path = self.folder / f"{by.replace(':', '-')}.json"
        path.write_text(
            json.dumps({"by": by, "ed25519": "11" * 32, "evm": "22" * 32, "sm2": key.private.hex()})
        )  # fmt: skip
        path.chmod(0o600)
        return str(path)

    def run(self, by: str, *words: str, code: int = 0, key: str = "") -> str:
        url, token = str(self.doors.platform.client.base_url), self.doors.platform.token(by)
        more = ["--url", url, "--api-key", token, *(["--key", key] if key else [])]
        done = CliRunner().invoke(app, ["report", *words, *more])
        assert done.exit_code == code, done.output
        return str(done.output)


def test_commands__published_objected_to_answered_and_related(doors: Doors, tmp_path: Path) -> None:
    say = Commands(doors, tmp_path)
    buyer, operator = f"party:{CONSUMER}", f"party:{doors.operator}"
    own = say.key_file(buyer, doors.shop.house.keys[CONSUMER].sm2)
    officer = say.key_file("staff:officer", doors.officer)
    assert "K-01/1  信用评分与等级" in CliRunner().invoke(app, ["report", "definitions"]).output
    assert "已发布的信用评分" in say.run(buyer, "object", "--reason", "不服", key=own, code=2)
    assert len(json.loads(say.run(operator, "publish"))["facts"]) == 2
    shown = json.loads(say.run(buyer, "credit", CONSUMER))
    key = next(one["key"] for one in shown["credit"]["inputs"] if one["what"] == "late")
    filed = json.loads(say.run(buyer, "object", "--reason", "银行差错", "--input", key, key=own))
    words = ("answer", filed["objection"], "--reason", "属实", "--upheld", "--set-aside")
    assert "set_aside" in say.run("staff:officer", *words, "payment:none", key=officer, code=2)
    answered = json.loads(say.run("staff:officer", *words, key, key=officer))
    shown = json.loads(say.run(buyer, "credit", CONSUMER))
    assert answered["recomputed"] == f"{shown['published']['body']['grade']} {shown['published']['body']['score']}"
    assert shown["objected"] is False
    book = tmp_path / "report.xlsx"
    say.run(operator, "assessment", JUNE, "--xlsx", str(book))
    assert zipfile.is_zipfile(book)
    assert "信用等级" in say.run(operator, "totals", JUNE)
    assert "cycle" in say.run(operator, "trades", JUNE, code=2)
    say.run(buyer, "relate", CONSUMER, SELLER, "--reason", "同一控制人", key=own)
    say.run("staff:officer", "relate", CONSUMER, SELLER, "--unrelated", "--reason", "已解除", key=officer)
