"""`shuqing price`: a report on paper, recomputed on another machine, and sent as a quote that the platform takes."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest
from typer.testing import CliRunner

from api import price_paper
from api.cli_price import EVIDENCE, PAPER, QUALITY, QUALITY_PAGE, REPORT, TABLE, app
from api.settings import fonts_folder
from clearing.pricing import trial
from clearing.pricing.errors import PricingRefused
from clearing.pricing.price_report import PriceReport
from clearing.pricing.quality_report import read_report
from clearing.pricing.telling import INPUTS, REASONS, TRADES, told
from ledger import canonical
from registry.calendar import text_of
from tests.api.shop import BY, open_shop
from tests.clearing.market.house import CODE, NOW
from tests.clearing.market.talks import P
from tests.clearing.pricing.pricing_cases import (
    AS_OF,
    EXAMPLE,
    ROOT,
    changed,
    example,
    flights_csv,
    penguins_csv,
    trade,
)

CSV = "origin,hour,row_id,delay\n" + "".join(
    f"{'EWR' if row % 3 else 'JFK'},2026-05-{row % 28 + 1:02d}T{row % 24:02d}:00:00,r{row},{row % 41 - 5}\n"
    for row in range(400)
)


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return str(done.output)


def case(folder: Path, **changes: object) -> Path:
    """A case over a data file that lies beside it."""
    (folder / "data.csv").write_text(CSV, encoding="utf-8")
    document = {name: value for name, value in example().items() if name != "counted"}
    columns = [{"name": "origin"}, {"name": "hour", "type": "timestamp"}, {"name": "row_id", "kind": "identifier"}]
    rules = [item["rule"] for item in example()["counted"]["rules"]]
    for rule in rules:
        rule["columns"] = [{"time_hour": "hour"}.get(name, name) for name in rule["columns"]]
    document["data"] = {
        "path": "data.csv", "name": "data.csv", "format": "csv", "columns": columns, "rules": rules,
    }  # fmt: skip
    for pointer, value in changes.items():
        document = changed(document, pointer, value)
    path = folder / "case.json"
    path.write_bytes(canonical.encode(document))
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    run("report", case(tmp_path), "--out", tmp_path / "out")
    return tmp_path / "out"


def test_report__paper_and_json_say_the_same_and_the_json_lies_in_the_paper(made: Path) -> None:
    data = (made / REPORT).read_bytes()
    document = json.loads(data)
    reader = pypdf.PdfReader(io.BytesIO((made / PAPER).read_bytes()))
    text = "".join(page.extract_text() for page in reader.pages).replace("\n", "").replace("\u200b", "")
    price = f"{document['result']['guide_fen'] // 100}.{document['result']['guide_fen'] % 100:02d} 元"
    for said in (
        price,
        document["intermediate"]["grade"],
        "冷启动",
        "敏感性",
        document["digests"]["report"]["sha256"][:20],
    ):
        assert said in text, said
    assert reader.attachments["price-report.json"] == [data]
    again = price_paper.render(document, data, fonts_folder())
    assert again == (made / PAPER).read_bytes()


def test_verify__on_a_second_machine__equal_byte_for_byte_and_by_the_file(made: Path, tmp_path: Path) -> None:
    elsewhere = {**os.environ, "HOME": str(tmp_path), "LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-m", "api", "price", "verify", str(made / REPORT), str(made / EVIDENCE), "--data"]
    done = subprocess.run(
        [*command, str(tmp_path / "data.csv")], cwd=ROOT, env=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A 级" in done.stdout
    assert "B 级" in done.stdout
    assert "已发布" in done.stdout


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/inputs/quality/counts/1/passed", 1),
        ("/inputs/quality/scheme/weights/accuracy", "0.26"),
        ("/method/strategies/joint", "joint.linear@2"),
        ("/result/guide_fen", 1),
        ("/inputs/columns/0/distinct", 3),
    ],
)
def test_verify__one_leaf_of_the_report_changed__named_as_the_first_difference(
    made: Path, pointer: str, value: object
) -> None:
    document = changed(json.loads((made / REPORT).read_bytes()), pointer, value)
    (made / REPORT).write_bytes(canonical.encode(document))
    said = run("verify", made / REPORT, made / EVIDENCE, code=1)
    assert f"report{pointer}" in said
    assert str(value) in said


@pytest.mark.parametrize(
    ("pointer", "value", "named"),
    [
        ("/counted/rules/1/passed", 1, "/inputs/quality/counts/1/passed"),
        ("/policy/scheme/weights", {"accuracy": "0.5", "completeness": "0.5"}, "/inputs/quality/scheme/weights"),
        ("/request/costs/0/amount_fen", 7, "/inputs/cost/table"),
    ],
)
def test_verify__evidence_changed__the_leaf_of_the_report_it_touches_first_is_named(
    made: Path, pointer: str, value: object, named: str
) -> None:
    document = changed(json.loads((made / EVIDENCE).read_bytes()), pointer, value)
    (made / EVIDENCE).write_bytes(canonical.encode(document))
    assert f"report{named}" in run("verify", made / REPORT, made / EVIDENCE, code=1)


def test_verify__file_with_one_other_cell__the_report_stands_and_the_file_does_not(made: Path, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(CSV.replace("EWR", "JFK", 1), encoding="utf-8")
    said = run("verify", made / REPORT, made / EVIDENCE, "--data", tmp_path / "data.csv", code=1)
    assert "A 级" in said
    assert "/manifest/digest/sha256" in said


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        (REPORT, b"{", "JSON"),
        (REPORT, b"[]", "report"),
        (EVIDENCE, b"{}", "evidence"),
        (EVIDENCE, b"\xff", "evidence"),
        (EVIDENCE, b"[]", "evidence"),
    ],
)
def test_verify__no_report_or_no_evidence__one_clear_line(made: Path, name: str, content: bytes, word: str) -> None:
    (made / name).write_bytes(content)
    done = CliRunner().invoke(app, ["verify", str(made / REPORT), str(made / EVIDENCE)])
    assert done.exit_code in (1, 2), done.exception
    assert word in done.output


@pytest.mark.parametrize(
    ("pointer", "value", "word"),
    [
        ("/request/expected_return", "1.2", "expected_return"),
        ("/request/costs/0/amount_fen", -1, "amount_fen"),
        ("/request/gate/4/passed", False, "gate.desensitised"),
        ("/request/sources/0/right", "OPERATE", "sources"),
        ("/data/path", "nowhere.csv", "data.path"),
    ],
)
def test_report__bad_case__one_clear_line_and_nothing_written(
    tmp_path: Path, pointer: str, value: object, word: str
) -> None:
    said = run("report", case(tmp_path, **{pointer: value}), "--out", tmp_path / "out", code=2)
    assert word in said
    assert not (tmp_path / "out").exists()


def test_send__signed_and_taken_in__the_quote_is_there(tmp_path: Path, empty_database: Path) -> None:
    with open_shop(tmp_path / "home", empty_database) as shop:
        path = case(
            tmp_path,
            **{
                "/request/element/citable": True, "/request/as_of": NOW - 60, "/request/valid_until": NOW + 10**6,
                "/request/data_time": NOW - 10**6, "/request/evaluator/valid_until": NOW + 10**6,
                "/request/evaluator/evaluated_at": NOW - 120,
                "/request/sources": [{"resource": "r", "certificate": CODE, "right": "USE", "valid_from": NOW - 10**6}],
            },
        )  # fmt: skip
        run("report", path, "--out", tmp_path / "out")
        key, token = tmp_path / "key.json", tmp_path / "api.key"
        signer = shop.house.keys[BY[P].removeprefix("party:")]
        key.write_text(json.dumps({"by": BY[P], "sm2": signer.sm2.private.hex(), "evm": signer.evm.hex(),
                                   "ed25519": "1" * 64}))  # fmt: skip
        token.write_text(shop.platform.headers(BY[P])["Authorization"].removeprefix("Bearer "))
        key.chmod(0o600)
        token.chmod(0o600)
        url = str(shop.platform.client.base_url).rstrip("/")
        files = (tmp_path / "out" / REPORT, tmp_path / "out" / EVIDENCE)
        sent = ("send", *files, "--key", key, "--url", url, "--api-key", token)
        first = json.loads(run(*sent))
        identity = json.loads(files[0].read_bytes())["identity"]["report_id"]
        answer = shop.get(f"/api/quotes/{identity}", BY[P])
        assert answer.status_code == 200, answer.text
        assert first["report_id"] == identity
        document = json.loads(files[0].read_bytes())
        files[0].write_bytes(canonical.encode(changed(document, "/result/guide_fen", 1)))
        assert "/result/guide_fen" in run(*sent, code=2)


# in words -------------------------------------------------------------------------------------------------------------


def priced(document: dict[str, Any]) -> PriceReport:
    return trial.price_case(document)


def test_told__every_number_comes_from_the_report_and_every_name_is_known() -> None:
    document = example()
    document["request"]["trades"] = [
        trade("t1", 12_000), trade("t2", 13_000, relation="related"), trade("t3", 0),
        trade("t4", 9_000, stage="product"),
    ]  # fmt: skip
    report = priced(document).document
    said = told(report, text_of)
    everything = json.dumps(msgspec.to_builtins(said), ensure_ascii=False)
    for word in ("关联方", "零价", "不可比（stage）", "历史参考价 C0"):
        assert word in everything, word
    for bar in (bar for chapter in said.chapters for bar in chapter.bars):
        assert 0 <= bar.share <= 1000
    titles = [chapter.title[:2] for chapter in said.chapters]
    assert len(titles) == len(set(titles)) == 12
    names = {item["input"] for item in report["sensitivity"]}
    assert {name for name in names if "." not in name} <= set(INPUTS)
    assert {column.get("reason") for column in report["inputs"]["columns"]} - {None} <= set(REASONS)
    assert {item["reason"].split(":")[0] for item in report["inputs"]["trades"]["excluded"]} <= set(TRADES)


def test_told__resource_stage_and_capped_price__said_in_words() -> None:
    resource = copy.deepcopy(example())
    resource["request"] |= {
        "stage": "resource", "mode": "agreed",
        "income": {"rate": "0.1", "derivation": "演示", "flows": [{"cash_fen": 100_000, "attribution": "0.5"}]},
    }  # fmt: skip
    resource["policy"] = {"id": "demo.civil-aviation.resource", "version": 1}
    resource["request"].pop("scarcity")
    said = told(priced(resource).document, text_of)
    assert any("收益法对照" in label for label, _ in said.chapters[0].rows)
    assert not any(chapter.title.startswith("九") for chapter in said.chapters)
    assert EXAMPLE.exists()


# many -----------------------------------------------------------------------------------------------------------------


def test_batch__cases_and_refusals__one_line_each_and_evidence_is_priced_again(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    for number in range(3):
        document = changed(example(), "/request/report_id", f"{number:032x}")
        (cases / f"case-{number}.json").write_bytes(canonical.encode(document))
    (cases / "case-9.json").write_bytes(canonical.encode(changed(example(), "/request/gate/0/passed", False)))
    (cases / "not-json.json").write_text("{")
    formula = changed(example(), "/request/element/id", '=HYPERLINK("x")')
    (cases / "a-formula.json").write_bytes(canonical.encode(formula))
    said = run("batch", cases, "--out", tmp_path / "out", code=1)
    assert "6 份，拒绝 2 份" in said
    with (tmp_path / "out" / TABLE).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines.pop(0)["元件 element"].startswith("'=")
    assert [line["文件 file"] for line in lines] == [f"case-{number}.json" for number in (0, 1, 2, 9)] + [
        "not-json.json"
    ]
    assert lines[0]["指导价（元） guide"] == "113.61"
    assert "gate.source_lawful" in lines[3]["拒绝原因 refused because"]
    assert not (tmp_path / "out" / "case-9.report.json").exists()
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for file_ in (tmp_path / "out").glob("*.evidence.json"):
        (evidence / file_.name).write_bytes(file_.read_bytes())
    assert "--as-of" in run_table(evidence, tmp_path / "bad", code=1)
    assert run_table(evidence, tmp_path / "again", "--as-of", str(AS_OF + 86_400), code=0).count(",A,") == 4
    one = tmp_path / "again" / "case-0.evidence"
    assert "相等" in run("verify", f"{one}.report.json", f"{one}.evidence.json")


def test_batch__nothing_there__says_so(tmp_path: Path) -> None:
    assert "*.json" in run("batch", tmp_path, "--out", tmp_path / "out", code=2)


def run_table(folder: Path, out: Path, *more: str, code: int) -> str:
    run("batch", folder, "--out", out, *more, code=code)
    return (out / TABLE).read_text(encoding="utf-8-sig")


# from a file that nobody has declared ---------------------------------------------------------------------------------


def filled(document: dict[str, Any]) -> dict[str, Any]:
    """What a person adds to a case begun from a file."""
    request, data = document["request"], document["data"]
    request |= {"scene": "运行分析", "expected_return": "0.08", "data_time": request["as_of"] - 86_400}
    request["evaluator"] |= {"evaluator": "评价机构", "applicant": "开发商", "registrar": "登记机构"}
    for item in request["gate"]:
        item |= {"passed": True, "evidence": "材料一"}
    for number, item in enumerate(request["costs"]):
        item |= {"amount_fen": 1_000_000, "period": "2026-07", "voucher": f"{number:064x}"}
    request["sources"][0] |= {"resource": "resource:flights", "certificate": "凭证一号"}
    for item in data["assessed"]:
        item |= {"value": "0.95", "evidence": "评价记录"}
    return document


def test_case__real_flights_from_file_to_paper__and_the_file_counts_alike_elsewhere(tmp_path: Path) -> None:
    flights = flights_csv(tmp_path)
    place = tmp_path / "case.json"
    assert "19 列" in run("case", flights, "--out", place, "--as-of", "2026-12-01")
    first = run("report", place, "--out", tmp_path / "out", code=2)
    assert "request.scene" in first
    place.write_bytes(canonical.encode(filled(json.loads(place.read_bytes()))))
    assert "试算" in run("report", place, "--out", tmp_path / "out")
    files = (tmp_path / "out" / REPORT, tmp_path / "out" / EVIDENCE)
    said = run("verify", *files, "--data", flights)
    assert "B 级" in said
    document = json.loads(files[0].read_bytes())
    assert document["inputs"]["data"]["rows"] == 336_776
    assert pypdf.PdfReader(tmp_path / "out" / PAPER).attachments["price-report.json"]


def test_case__real_birds_by_the_joint_policy__from_file_to_paper__and_all_columns_refused(tmp_path: Path) -> None:
    with penguins_csv().open(encoding="utf-8", newline="") as file:
        birds = list(csv.reader(file))
    columns = [birds[0].index(name) for name in ("species", "island", "sex", "year")]
    tables = {"few": [[row[place] for place in columns] for row in birds], "all": birds}
    for name, rows in tables.items():
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        place = tmp_path / f"{name}.json"
        run("case", tmp_path / f"{name}.csv", "--out", place, "--as-of", "2026-12-01")
        document = filled(json.loads(place.read_bytes()))
        document["policy"] = {"id": "demo.civil-aviation.element-joint", "version": 1}
        document["data"]["dialect"]["nulls"] = ["NA"]  # the sex of eleven birds
        place.write_bytes(canonical.encode(document))
    assert "试算" in run("report", tmp_path / "few.json", "--out", tmp_path / "out")
    files = (tmp_path / "out" / REPORT, tmp_path / "out" / EVIDENCE)
    verified = run("verify", *files, "--data", tmp_path / "few.csv")
    assert "A 级" in verified
    assert "B 级" in verified
    assert "demo.civil-aviation.element-joint v1 已发布" in verified
    report = json.loads(files[0].read_bytes())
    density = next(chapter for chapter in told(report, text_of).chapters if chapter.title.startswith("六"))
    kept = {tuple(row) for row in tables["few"][1:] if "NA" not in row}
    assert ("取值组合", f"4 列，{len(kept)} 种不同组合") in density.rows
    assert ("不计的行", "11 行（有空值或不合类型的单元格）") in density.rows
    pages = pypdf.PdfReader(tmp_path / "out" / PAPER).pages
    assert "联合熵" in "".join(page.extract_text() for page in pages)
    refused = run("report", tmp_path / "all.json", "--out", tmp_path / "none", code=2)
    assert "TUPLES_UNIQUE" in refused
    assert "counted.tuples.distinct" in refused
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--as-of", "2026-12-01", "--domain", "别的"), "domain"),
        (("--as-of", "2026-12-01", "--stage", "别的"), "stage"),
        (("--as-of", "2020-01-01"), "domain"),
        (("--as-of", "2026-12-01", "--part", "nowhere"), "part"),
    ],
)
def test_case__bad_question__one_clear_line_and_nothing_written(
    tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    (tmp_path / "data.csv").write_text(CSV, encoding="utf-8")
    said = run("case", tmp_path / "data.csv", "--out", tmp_path / "case.json", *arguments, code=2)
    assert word in said
    assert not (tmp_path / "case.json").exists()
    elsewhere = tmp_path / "x" / "case.json"
    assert "同一文件夹" in run("case", tmp_path / "data.csv", "--out", elsewhere, "--as-of", "2026-12-01", code=2)


def test_case__empty_or_missing_file__one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    for name in ("empty.csv", "missing.csv"):
        said = run("case", tmp_path / name, "--out", tmp_path / "case.json", "--as-of", "2026-12-01", code=2)
        assert "data" in said


# quality --------------------------------------------------------------------------------------------------------------


def test_quality__json_and_page_say_the_same_and_the_page_asks_for_nothing(tmp_path: Path) -> None:
    place = case(tmp_path)
    document = json.loads(place.read_bytes())
    for name in ("costs", "expected_return", "sources"):
        del document["request"][name]  # a price needs them, an evaluation does not
    place.write_bytes(canonical.encode(document))
    said = run("quality", place, "--out", tmp_path / "out")
    data, page = (tmp_path / "out" / QUALITY).read_bytes(), (tmp_path / "out" / QUALITY_PAGE).read_text("utf-8")
    report = read_report(data)
    result = report["result"]
    assert f"{result['grade']} 级" in said
    for word in ("符合性", result["grade"], *(item["name"] for item in result["scores"]), report["digest"]["sm3"]):
        assert word in page, word
    assert page.count("<svg") == 6
    assert not re.search(r"(?:src|href)=|https?:|url\(|<script", page)
    assert "JFK" not in page
    assert "EWR" not in data.decode()
    for pointer, value in (("/result/grade", "S"), ("/quality/counts/0/passed", 1), ("/digest/sm3", "0" * 64)):
        with pytest.raises(PricingRefused):
            read_report(canonical.encode(changed(report, pointer, value)))


@pytest.mark.parametrize(
    ("pointer", "value", "word"),
    [
        ("/request/gate/2/passed", False, "gate.registered"),
        ("/request/gate/2", ..., "gate.registered"),
        ("/request/evaluator/evaluator", "演示开发商", "evaluator"),
        ("/request/evaluator/valid_until", 1, "as_of"),
        ("/data/rules/0/weight", "0.5", "rules[normativity].weight"),
        ("/data/rules/0/columns/0", "nowhere", "rules.n1.columns"),
    ],
)
def test_quality__gate_failed_or_rule_that_does_not_fit__no_score_and_nothing_written(
    tmp_path: Path, pointer: str, value: object, word: str
) -> None:
    said = run("quality", case(tmp_path, **{pointer: value}), "--out", tmp_path / "out", code=2)
    assert word in said
    assert not (tmp_path / "out").exists()


def test_quality_page__names_that_look_like_markup__stand_as_they_are_written(tmp_path: Path) -> None:
    place = case(tmp_path, **{"/request/element/id": "<script>alert(1)</script>"})
    run("quality", place, "--out", tmp_path / "out")
    page = (tmp_path / "out" / QUALITY_PAGE).read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
