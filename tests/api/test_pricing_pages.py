"""The pricing workbench over HTTP: a stranger prices an element from a file to a signed quote; what is typed moves the
price; what cannot be priced is said beside its field; the file itself never stays.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from openpyxl import Workbook
from sqlmodel import select

from api import uploads
from api.office import pricing_form
from api.office import words as labels
from api.office.tables import PricingCaseRow
from clearing.pricing import store
from clearing.pricing.element.moves import State
from clearing.pricing.policies import POLICIES
from clearing.pricing.price_report import verify
from clearing.pricing.quote import PriceQuote
from clearing.pricing.trial import price_case
from ledger import canonical
from tests.api.office import JSON, typed_in, words
from tests.api.shop import Shop
from tests.api.trading import BUYER, VENDOR, Trader, open_market, trader
from tests.clearing.market.house import CODE, NOW, OPERATOR
from tests.clearing.pricing.elements import ID, SCENE, Workshop
from tests.clearing.pricing.pricing_cases import DEMO

POLICY = "demo.civil-aviation.element.1"
MARK = "EWR-raw-mark"
CSV = "origin,hour,delay\n" + "".join(
    f"{MARK if row % 3 else 'JFK'},2026-05-{row % 28 + 1:02d}T{row % 24:02d}:00:00,{row % 41 - 5}\n"
    for row in range(400)
)
ASSESSED = ("accuracy", "consistency", "timeliness", "accessibility")
"""What the file itself cannot show: no column of it is a key."""
KNOWN = {
    "scene": SCENE, "expected_return": "0.1", "citable": "1",
    "evaluator.evaluator": "91110000MA00000001", "evaluator.applicant": "91110000MA00000002",
    "evaluator.registrar": "91110000MA00000003",
    **{f"gate.{item}.passed": "1" for item in ("source_lawful", "authorised", "registered", "content_reviewed",
                                               "desensitised")},
    **{f"gate.{item}.evidence": "演示依据" for item in ("source_lawful", "authorised", "registered", "content_reviewed",
                                                    "desensitised")},
    **{f"assessed.{name}.value": "0.95" for name in ASSESSED},
    **{f"assessed.{name}.evidence": "演示评价" for name in ASSESSED},
    "costs.0.amount": "20000", "costs.0.period": "2026", "costs.0.voucher": "v1",
    "costs.1.amount": "5000", "costs.1.period": "2026", "costs.1.voucher": "v2",
    "sources.0.resource": "resource:flights", "sources.0.certificate": CODE,
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    from tests.api.house import template

    folder = tmp_path_factory.mktemp("pricing")
    with open_market(folder / "home", template(folder)) as opened:
        Workshop(opened.house).to(State.PUBLISHED)
        opened.house.session.commit()
        yield opened


@pytest.fixture
def scratch(shop: Shop) -> Path:
    """Where the server puts what it looks at."""
    folder = shop.platform.system.settings.home / uploads.PASSING
    folder.mkdir(exist_ok=True)
    return folder


def send(person: Trader, data: bytes, name: str = "hourly.csv", status: int = 200, **fields: str) -> str:
    """Uploads a file as the form of the page does; the page it leads to."""
    texts = {"csrf": person.csrf, "what": "data", "element": "", "element_id": "try", "version": "1", "policy": POLICY,
             "part": "", **fields}  # fmt: skip
    answer = person.http.post("/office/pricing", data=texts, files={"file": (name, data)})
    assert answer.status_code == status, words(answer.text)
    return answer.text


def begun(person: Trader, data: bytes = CSV.encode(), **fields: str) -> tuple[str, dict[str, str]]:
    """A case begun from a file: its id and what stands in its form."""
    page = send(person, data, **fields)
    found = re.search(r'data-price="/office/pricing/([0-9a-f]{32})/price"', page)
    assert found, words(page)
    return found[1], {name: text for name, text in typed_in(page).items() if name != "do"}


def moved(person: Trader, case: str, fields: dict[str, str], status: int = 200) -> dict[str, Any]:
    """What the script is told of the price of these fields."""
    answer = person.http.post(
        f"/office/pricing/{case}/price", headers=JSON | {"X-CSRF-Token": person.csrf},
        content=json.dumps({"fields": fields}).encode(),
    )  # fmt: skip
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def guide(person: Trader, case: str, fields: dict[str, str]) -> int:
    told = moved(person, case, fields)
    assert told["messages"] == {}, told["messages"]
    return int(told["price"]["guide_fen"])


def cases(shop: Shop) -> int:
    with shop.platform.reading() as session:
        return len(session.exec(select(PricingCaseRow.id)).all())


def own(shop: Shop, **fields: str) -> tuple[Trader, str, dict[str, str]]:
    seller = trader(shop, VENDOR)
    case, form = begun(seller, element=f"element:{ID}.1", **fields)
    return seller, case, form | KNOWN


def quoted(seller: Trader, case: str, fields: dict[str, str]) -> str:
    desk = seller.drafted(f"/office/pricing/{case}/quote", fields)
    assert seller.sign_desk(desk) == "done", words(seller.get(f"/office/desk/{desk}"))
    found = re.search(r"/office/pricing/quotes/([0-9a-f]{32})", seller.get(f"/office/desk/{desk}"))
    assert found
    return found[1]


def test_file_to_quote__priced_signed_stored_recomputed_and_on_paper(shop: Shop) -> None:
    seller, case, fields = own(shop)
    assert "演示分时延误特征" in seller.get("/office/pricing/new")
    told = moved(seller, case, fields)
    assert told["messages"] == {}
    assert told["price"]["kind"] == "bidding_guide"
    report = quoted(seller, case, fields)
    page = seller.get(f"/office/pricing/quotes/{report}")
    assert "相等" in words(page)
    for picture in ("quality", "density", "chain", "sensitivity"):
        assert f"&#34;id&#34;: &#34;{picture}&#34;" in page
    with shop.platform.reading() as session:
        data, evidence = store.documents(session, report)
        row = store.quote(session, report)
    assert row.quote.guide_fen == told["price"]["guide_fen"]
    assert row.quote.issuer == VENDOR
    assert verify(data, evidence).equal
    path = f"/office/pricing/quotes/{report}/"
    assert seller.http.get(path + "report.json").content == data
    assert seller.http.get(path + "evidence.json").content == evidence
    paper = seller.http.get(path + "report.pdf").content
    assert paper.startswith(b"%PDF")
    assert pypdf.PdfReader(io.BytesIO(paper)).attachments["price-report.json"] == [data]
    buyer = trader(shop, BUYER)
    buyer.get(f"/office/pricing/quotes/{report}", 403)
    buyer.get(path + "report.json", 403)
    assert report not in buyer.get("/office/pricing")


def test_price__is_the_cores_own(shop: Shop) -> None:
    """The evidence a trial hands out gives the same report by the product's own pricing, without the pages."""
    seller, case, fields = own(shop)
    fields = {**fields, "citable": ""}
    form, path = {"csrf": seller.csrf, **fields}, f"/office/pricing/{case}"
    evidence = seller.http.post(path, data=form | {"do": "evidence.json"}).content
    report = seller.http.post(path, data=form | {"do": "report.json"}).content
    stored = canonical.decode(evidence)
    again = price_case({name: stored[name] for name in ("request", "policy", "counted")})
    assert (again.data, again.evidence) == (report, evidence)
    assert json.loads(report)["identity"]["kind"] == "trial"
    assert stored["counted"]["manifest"]["rows"] == CSV.count("\n") - 1
    assert MARK.encode() not in evidence


def test_evidence_from_elsewhere__the_same_report_byte_for_byte(shop: Shop) -> None:
    seller, case, fields = own(shop)
    form = {"csrf": seller.csrf, **fields, "citable": ""}
    evidence = seller.http.post(f"/office/pricing/{case}", data=form | {"do": "evidence.json"}).content
    page = send(seller, evidence, "price-evidence.json", what="evidence")
    found = re.search(r"/office/pricing/([0-9a-f]{32})/price", page)
    assert found
    assert found[1] != case
    typed = {name: text for name, text in typed_in(page).items() if name != "do"}
    again = seller.http.post(f"/office/pricing/{found[1]}", data={"csrf": seller.csrf, **typed, "do": "evidence.json"})
    assert again.content == evidence
    said = send(seller, evidence.replace(b'"resource:flights"', b'""'), "x.json", 422, what="evidence")
    assert "没有写入任何内容" in words(said)
    said = send(trader(shop, BUYER), evidence, "x.json", 403, what="evidence")
    assert "开发方" in said


def test_what_if__moves_the_price_the_right_way_and_is_never_a_quote(shop: Shop) -> None:
    """Monotone: more unit value, more return, more cost, less increment never lower the price."""
    seller, case, fields = own(shop)
    base = guide(seller, case, fields)
    for name, more in (("expected_return", "0.2"), ("costs.0.amount", "30000"), ("policy.unit_value_fen", "80.00"),
                       ("policy.volume_increment", "100"), ("assessed.timeliness.value", "1")):  # fmt: skip
        told = moved(seller, case, {**fields, name: more})
        assert told["messages"] == {}, told["messages"]
        assert told["price"]["guide_fen"] > base, name
        assert told["own"] is name.startswith("policy.")
        assert ("自拟口径" in told["html"]) is told["own"]
        assert told["price"]["kind"] == ("trial" if told["own"] else "bidding_guide")
    assert guide(seller, case, {**fields, "market_factor": "0.5", "market_factor_approval": "演示 1 号"}) < base
    page = seller.post(f"/office/pricing/{case}/quote", {**fields, "policy.joint_share": "0.7"}, 422)
    assert "不能存为报价" in words(page.text)
    page = seller.post(f"/office/pricing/{case}/quote", {**fields, "citable": ""}, 422)
    assert 'id="said-citable"' in page.text
    assert "没有等待您签署的文件" in words(seller.get("/office/desk"))


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"costs.0.amount": "-5"}, "costs.0.amount", "元"),
        ({"costs.0.code": "infrastructure"}, "costs.0.pool", "间接成本"),
        ({"costs.1.voucher": "v1"}, "costs.1.voucher", "凭证"),
        ({"policy.weights.accuracy": "0.3"}, "policy", "权重"),
        ({"policy.joint_share": "1"}, "policy.joint_share", "不允许"),
        ({"sources.0.certificate": "420000260600099"}, "sources.0.certificate", "使用权"),
        ({"sources.0.right": "OPERATE"}, "sources.0.certificate", "使用权"),
        ({"gate.desensitised.passed": ""}, "gate.desensitised.passed", "符合性"),
        ({"assessed.timeliness.value": "1.5"}, "assessed.timeliness.value", "超出范围"),
        ({"expected_return": "1e-1"}, "expected_return", "十进制"),
        ({"market_factor": "2"}, "market_factor_approval", "批准"),
        ({"evaluator.evaluator": "91110000MA00000002"}, "evaluator.evaluator", "申请人"),
        ({"valid_until": "2020-01-01T00:00"}, "valid_until", "应为"),
        ({"as_of": "yesterday"}, "as_of", "日期"),
        ({"as_of": "1999-01-01T00:00"}, "as_of", "口径"),
        ({"scene": "别的场景"}, "scene", SCENE),
        ({"regime": "guided"}, "purpose", "用途"),
        ({"regime": "guided", "purpose": "industry"}, "cap.id", "上限"),
    ],
)
def test_refusal__beside_its_field_by_script_and_without(
    shop: Shop, changes: dict[str, str], field: str, word: str
) -> None:
    seller, case, fields = own(shop)
    told = moved(seller, case, fields | changes)
    assert list(told["messages"]) == [field]
    assert word in told["messages"][field][0]["zh"]
    assert told["price"] == {}
    page = seller.post(f"/office/pricing/{case}", fields | changes | {"do": "save"}).text
    assert f'id="said-{field}"' in page
    if field in typed_in(page) and field != "policy":
        at = re.search(rf'<(?:input|select)[^>]*name="{re.escape(field)}"[^>]*>', page)
        assert at
    assert seller.post(f"/office/pricing/{case}/quote", fields | changes, 422).status_code == 422


def test_fresh_case__says_how_much_is_missing_and_shows_what_the_file_shows(shop: Shop) -> None:
    seller = trader(shop, VENDOR)
    case, fields = begun(seller)
    page = seller.get(f"/office/pricing/{case}")
    assert "处未填" in words(page)
    assert "必须改正" not in words(page), "nothing has been asked for yet"
    assert "&#34;id&#34;: &#34;density&#34;" in page
    assert "&#34;id&#34;: &#34;quality&#34;" not in page, "no score before the gate"
    told = moved(seller, case, fields)
    assert {"scene", "expected_return", "costs", "evaluator.evaluator"} <= set(told["messages"])


def xlsx() -> bytes:
    book, stream = Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet("数据")
    for row in [("编号", "名称"), *((number, MARK) for number in range(150))]:
        sheet.append(row)
    book.save(stream)
    return stream.getvalue()


BAD: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "hourly.csv", "空文件"),
    "no rows": (b"a,b\n", "hourly.csv", "至少一行"),
    "neither encoding": (b"a,b\n\xff\xfe\xff,1\n", "hourly.csv", "utf-8"),
    "another kind": (b"%PDF-1.7 " + MARK.encode(), "hourly.pdf", "PDF"),
    "name and content": (b"PAR1" + MARK.encode() + b"PAR1", "hourly.csv", "parquet"),
    "too wide": ((",".join(f"c{place}" for place in range(10_000)) + "\n" + ",".join(["1"] * 10_000) + "\n").encode(),
                 "wide.csv", "2000"),
    "a column without values": (b"a,b\n" + b"".join(b"%d,\n" % (row % 7) for row in range(150)), "hourly.csv",
                                "至少一个取值"),
    "names twice": (b"a,a\n1,2\n", "hourly.csv", "列名"),
    "ragged": (b"a,b\n1,2\n3,4,5\n", "hourly.csv", "csv"),
    "SQLite": (b"SQLite format 3\0" + MARK.encode(), "x.db", "shuqing price"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_file__said_on_the_page_and_nothing_is_written_or_left(shop: Shop, scratch: Path, name: str) -> None:
    data, file, word = BAD[name]
    seller, before = trader(shop, VENDOR), cases(shop)
    page = words(send(seller, data, file, 422))
    assert "没有写入任何内容" in page
    assert word in page
    assert cases(shop) == before
    assert list(scratch.iterdir()) == []


def left(folder: Path) -> list[Path]:
    return [item for item in folder.rglob("*") if item.is_file() and MARK.encode() in item.read_bytes()]


def test_good_file__counted_and_gone(shop: Shop, scratch: Path) -> None:
    """In every format; of its values nothing is in the home folder afterwards, its name and counts are."""
    seller = trader(shop, VENDOR)
    for data, name in ((CSV.encode(), "a.csv"), (CSV.encode("gb18030"), "b.csv"), (xlsx(), "c.xlsx")):
        assert name in send(seller, data, name)
        assert list(scratch.iterdir()) == []
    assert left(shop.platform.system.settings.home) == []


def test_cash_flow__below_zero_in_the_income_approach(shop: Shop) -> None:
    """A resource may cost money before it earns any."""
    seller = trader(shop, VENDOR)
    case, form = begun(seller, policy="demo.civil-aviation.resource.1")
    fields = form | KNOWN | {"citable": "", "income.rate": "0.1", "income.derivation": "演示",
                             "flows.0.attribution": "1", "flows.1.attribution": "1",
                             "flows.1.cash": "500.00"}  # fmt: skip
    prices = []
    for cash in ("-1200.5", "0.01", "900"):
        told = moved(seller, case, {**fields, "flows.0.cash": cash})
        assert told["messages"] == {}, told["messages"]
        prices.append(told["html"])
    assert len(set(prices)) == 3
    told = moved(seller, case, {**fields, "flows.0.cash": "--5"})
    assert list(told["messages"]) == ["flows.0.cash"]


def test_killed_server__what_it_left_is_swept_at_the_next_start(tmp_path: Path) -> None:
    """A process that dies while a file is coming leaves it; one that is alive keeps its own."""
    code = f"from pathlib import Path; from api.uploads import Passing; p = Passing(Path({str(tmp_path)!r}))"
    code += f"; p.__enter__(); p.write({MARK.encode()!r}); p._file.flush(); import os; os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(left(tmp_path)) == 1
    with uploads.Passing(tmp_path) as alive:
        alive.write(MARK.encode())
        uploads.sweep(tmp_path)
        assert alive.finish().read_bytes() == MARK.encode()
    assert list((tmp_path / uploads.PASSING).iterdir()) == []


def test_mixed_types_and_one_row__counted_as_they_are(shop: Shop) -> None:
    seller = trader(shop, VENDOR)
    rows = "".join(f"{row if row % 5 else 'x'},{row % 9}\n" for row in range(200))
    page = send(seller, f"mixed,b\n{rows}".encode())
    assert "文本" in words(page) or "类别" in words(page)
    assert "1 行" in words(send(seller, b"a,b\n1,x\n"))


def test_upload__too_large__names_the_command_line(shop: Shop, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads.MAX_DATA", 1 << 10)
    seller, before = trader(shop, VENDOR), cases(shop)
    assert "shuqing price" in send(seller, b"a\n" + b"1\n" * (600 << 10), status=413)
    assert cases(shop) == before
    assert list(scratch.iterdir()) == []


def test_upload__without_the_token_or_a_session__nothing(shop: Shop, scratch: Path) -> None:
    seller, before = trader(shop, VENDOR), cases(shop)
    seller.csrf, true = "0" * 64, seller.csrf
    send(seller, CSV.encode(), status=403)
    answer = seller.http.post("/office/pricing/x/price", headers=JSON, content=b'{"fields":{}}')
    assert answer.status_code == 403
    assert shop.platform.client.post("/office/pricing", files={"file": ("a.csv", b"a\n1\n")}).status_code == 401
    assert cases(shop) == before
    assert list(scratch.iterdir()) == []
    seller.csrf = true
    case, _ = begun(seller)
    answer = seller.http.post(
        f"/office/pricing/{case}/price", headers=JSON | {"X-CSRF-Token": true}, content=b'{"fields":{"A":"1"}}'
    )
    assert answer.status_code == 422


def test_others__see_neither_case_nor_element(shop: Shop) -> None:
    seller, case, fields = own(shop)
    buyer = trader(shop, BUYER)
    buyer.get(f"/office/pricing/{case}", 404)
    moved(buyer, case, fields, 404)
    buyer.post(f"/office/pricing/{case}", {"do": "discard"}, 404)
    buyer.post(f"/office/pricing/{case}/quote", fields, 404)
    assert case not in buyer.get("/office/pricing")
    assert ID not in buyer.get("/office/pricing/new")
    send(buyer, CSV.encode(), element=f"element:{ID}.1", status=403)
    seller.post(f"/office/pricing/{case}", {"do": "discard"})
    seller.get(f"/office/pricing/{case}", 404)


def test_compare__side_by_side_what_differs_and_the_deal_beside_the_guide(shop: Shop) -> None:
    seller, case, fields = own(shop)
    first = quoted(seller, case, fields)
    with shop.platform.reading() as session:
        digest = store.quote(session, first).quote.report.sha256
    second = quoted(seller, case, {**fields, "expected_return": "0.3", "supersedes": digest})
    page = seller.get(f"/office/pricing/compare?report={first}&report={second}")
    differing = re.findall(r'<tr class="differs"><th scope="row">([^<]+?) <span', page)
    assert "预期收益率 r" in differing
    assert "P1" in differing
    assert "V(N)" not in differing
    assert "还没有以该元件成交的协议" in words(page)
    assert "已被取代" in words(seller.get("/office/pricing"))
    assert second in seller.get(f"/office/pricing/quotes/{first}")
    trader(shop, BUYER).get(f"/office/pricing/compare?report={first}", 403)
    seller.get("/office/pricing/compare", 422)
    seller.get("/office/pricing/compare?" + "&".join(f"report={'0' * 32}" for _ in range(6)), 422)
    # A listing that cites the guide, and an agreement over it: its price as agreed stands beside, and is not the guide.
    listing = shop.house.listed(guide_price=digest)
    agreement, _ = shop.house.conclude(listing=listing)
    shop.house.session.commit()
    page = words(seller.get(f"/office/pricing/compare?report={first}&report={second}"))
    assert agreement[:12] in page
    assert "成交价" in page
    with shop.platform.reading() as session:
        assert store.quote(session, first).quote.guide_fen > 0


def test_policies__every_constant_and_step_has_a_chinese_name() -> None:
    for policy in POLICIES:
        names = [name.removeprefix("算法：") for name, _ in pricing_form.constants_of(policy)]
        assert [name for name in names if name.isascii()] == []


def test_desk__a_quote_in_words_with_its_own_names(shop: Shop) -> None:
    seller, case, fields = own(shop)
    desk = seller.drafted(f"/office/pricing/{case}/quote", fields)
    page = seller.get(f"/office/desk/{desk}")
    assert "指导价报价" in words(page)
    assert "data-parts=" in page
    assert {f"quote.{name}" for name in PriceQuote.__dataclass_fields__} <= set(labels.FIELDS)
    seller.post(f"/office/desk/{desk}/withdrawal", {})


def test_form__there_and_back__every_field_of_a_request(shop: Shop) -> None:
    """What the worked example of the domain asks stands in the fields, and the fields ask it again."""
    from api.office.pricing_cases import PricingCase
    from clearing.pricing.inputs import read_input
    from clearing.pricing.manifest import Counted
    from clearing.pricing.policies import published
    from clearing.pricing.request import read_request
    from ledger.reading import body_of
    from tests.clearing.pricing.pricing_cases import example, trade

    document = example()
    document["request"]["trades"] = [trade("t1", 12_000), trade("t2", 13_000, relation="related", subsidised=True)]
    policy = published("demo.civil-aviation.element", 1)
    assert policy
    counted = read_input(Counted, document["counted"], "counted")
    asked = read_request(document["request"])
    values = pricing_form.values_of(body_of(asked), [body_of(item) for item in counted.assessed], policy)
    case = PricingCase("", asked.element.id, asked.element.version, DEMO, "element", "x", VENDOR, NOW, values)
    question = pricing_form.read_form(values, case, counted)
    assert question.messages == {}
    assert not question.own
    assert read_request(question.request) == asked
    assert question.counted == counted
    shown = {w.name for group in pricing_form.groups(values, case, counted, policy) for w in group.widgets}
    hidden = {"report_id"} | {
        f"trades.{place}.{name}" for place in (0, 1)
        for name in ("element", "stage", "billing_unit", "billing_size", "right", "currency")
    }  # fmt: skip
    assert set(values) - shown == hidden, "what the form does not show it does not lose"
    assert OPERATOR
