"""Every refusal code of pricing §12 and every bad file, as it is met at a terminal: one line, nothing written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from clearing.pricing import element_price, policies
from clearing.pricing.errors import CODES
from ledger import canonical
from tests.api.test_price_commands import case, filled
from tests.clearing.pricing.pricing_cases import AS_OF, CAP, ROOT, changed, example, trade

R = "/request"
GUIDED = {f"{R}/regime": "guided", f"{R}/purpose": "industry"}
WEIGHTS = {"/policy": changed(policies.POLICIES[1].document(), "/scheme/weights/accuracy", "0.26")}
PERCENT = {"dimension": "accessibility", "scale": "percent", "value": "0.97", "evidence": "演示"}

REPORT_CODES: dict[str, dict[str, Any]] = {
    "NO_STAGE": {f"{R}/stage": ...},
    "NO_POLICY": {"/policy": ..., f"{R}/domain": "别的领域"},
    "GATE_FAILED": {f"{R}/gate/0/passed": False},
    "SCORE_RANGE": WEIGHTS,
    "UNIT_MISMATCH": {f"{R}/billing_size": 1},
    "INPUT_FORM": {f"{R}/costs/0/amount_fen": -1},
    "RIGHT_MISSING": {f"{R}/sources/0/right": "HOLD"},
    "INDIRECT_COST": {f"{R}/costs/3/pool": "data"},
    "PURPOSE_MISSING": {f"{R}/regime": "guided"},
    "FUTURE_TRADE": {f"{R}/trades": [trade("t1", 100, at=AS_OF + 1)]},
    "METHOD_NOT_ALLOWED": {
        f"{R}/income": {"rate": "0.1", "derivation": "x", "flows": [{"cash_fen": 1, "attribution": "0.5"}]}
    },
    "QUALITY_EXPIRED": {f"{R}/evaluator/valid_until": AS_OF - 1},
    "SCALE_SUSPECT": {"/data/rules/5": ..., "/data/assessed": [PERCENT]},
    "NO_DISTRIBUTION": {
        "/data/columns": [{"name": name, "kind": "text"} for name in ("origin", "hour", "row_id", "delay")],
        "/data/rules": [item["rule"] for item in example()["counted"]["rules"] if item["rule"]["id"] in ("r1",)],
        "/data/assessed": [
            {"dimension": name, "scale": "unit", "value": "0.9", "evidence": "演示"}
            for name in ("normativity", "completeness", "accuracy", "consistency", "timeliness")
        ],
    },
    "NEGATIVE_AGE": {f"{R}/data_time": AS_OF + 1},
    "ROUNDS_TO_ZERO": {f"{R}/market_factor": "0.00001", f"{R}/market_factor_approval": "演示批文"},
    "CAP_MISSING": {**GUIDED, f"{R}/cap": CAP | {"effective_to": AS_OF}},
    "STRATEGY_RETIRED": {},
}
ELSEWHERE = {"STATE_FORBIDS": "trial price", "CAP_EXCEEDED": "trial allowance"}
"""A report cannot meet these: a trial may not be citable, and a cap is exceeded by what was sold."""
SECTION_12 = frozenset((
    "NO_STAGE", "METHOD_NOT_ALLOWED", "NO_POLICY", "STRATEGY_RETIRED", "GATE_FAILED", "QUALITY_EXPIRED", "SCORE_RANGE",
    "SCALE_SUSPECT", "UNIT_MISMATCH", "NO_DISTRIBUTION", "INPUT_FORM", "NEGATIVE_AGE", "RIGHT_MISSING", "STATE_FORBIDS",
    "INDIRECT_COST", "ROUNDS_TO_ZERO", "PURPOSE_MISSING", "FUTURE_TRADE", "CAP_MISSING", "CAP_EXCEEDED",
))  # fmt: skip


def refused(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(item) for item in arguments])
    assert done.exit_code == 2, (done.output, done.exception)
    assert "Traceback" not in done.output
    return str(done.output)


def says(output: str, code: str) -> None:
    zh, en = CODES[code]
    assert code in output
    assert zh in output
    assert en in output
    assert "指导价 " not in output


def test_codes__every_one_of_section_12__is_met_here():
    assert REPORT_CODES.keys() | ELSEWHERE.keys() == SECTION_12


@pytest.mark.parametrize("code", REPORT_CODES)
def test_report__each_refusal_code__one_line_and_nothing_written(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code == "STRATEGY_RETIRED":
        row = element_price.STRATEGIES["volume.logistic@1"]
        monkeypatch.setitem(element_price.STRATEGIES, row.id, replace(row, retired=AS_OF))
    place = case(tmp_path, **REPORT_CODES[code])
    before = sorted(tmp_path.rglob("*"))
    says(refused("price", "report", place, "--out", tmp_path / "out"), code)
    assert sorted(tmp_path.rglob("*")) == before


def test_trial__citable_element_and_sale_above_its_cap__refused(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes(canonical.encode(changed(example(), f"{R}/element/citable", True)))
    says(refused("trial", "price", tmp_path / "case.json"), "STATE_FORBIDS")
    operation = json.loads((ROOT / "scripts" / "examples" / "trial_allowance.json").read_bytes())
    sold = changed(operation, "/operation/years/0/sales/0/unit_price_fen", 5001)
    (tmp_path / "case.json").write_bytes(canonical.encode(sold))
    says(refused("trial", "allowance", tmp_path / "case.json"), "CAP_EXCEEDED")


WIDE = ",".join(f"c{place}" for place in range(10_000))
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "data.path"),
    "header": (b"a,b\n", "NO_DISTRIBUTION"),
    "latin-1": ("é,1\n".encode("latin-1"), "data.encoding"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "10,000 columns": (f"{WIDE}\n{WIDE}\n".encode(), "data.columns"),
    "names twice": (b"a,a\n1,2\n", "data.header"),
    "ragged": (b"a,b\n1,2\n1,2,3\n", "data"),
}


@pytest.mark.parametrize("bad", BAD_FILES)
def test_case__bad_file__one_line_and_nothing_written(tmp_path: Path, bad: str) -> None:
    data, word = BAD_FILES[bad]
    (tmp_path / "d.csv").write_bytes(data)
    said = refused("price", "case", tmp_path / "d.csv", "--out", tmp_path / "case.json", "--as-of", "2026-12-01")
    assert word in said
    assert "应为" in said
    assert sorted(item.name for item in tmp_path.iterdir()) == ["d.csv"]


@pytest.mark.parametrize(
    ("text", "encoding", "refusal"),
    [
        ("城市,延误\n" + "".join(f"{'北京' if row % 3 else '上海'},{row % 7}\n" for row in range(200)), "gb18030", ""),
        ("city,delay\n甲,1\n", "utf-8", ""),
        ("city,delay\n甲,1\n乙,x\n丙,2.5\n,\n", "utf-8", ""),
        ("city,none\n甲,\n乙,\n", "utf-8", "NOT_ASSESSED NO_DISTRIBUTION"),
    ],
    ids=["gb18030", "one row", "mixed types", "all-null column"],
)
def test_strange_file__from_case_to_report__priced_or_refused_in_words(
    tmp_path: Path, text: str, encoding: str, refusal: str
) -> None:
    (tmp_path / "d.csv").write_bytes(text.encode(encoding))
    place = tmp_path / "case.json"
    arguments = ("price", "case", tmp_path / "d.csv", "--out", place, "--as-of", "2026-12-01")
    assert CliRunner().invoke(app, [str(item) for item in arguments]).exit_code == 0
    document = json.loads(place.read_bytes())
    assert document["data"]["dialect"]["encoding"] == encoding
    place.write_bytes(canonical.encode(filled(document)))
    if refusal:
        said = refused("price", "report", place, "--out", tmp_path / "out")
        assert any(code in said for code in refusal.split()), said
        assert not (tmp_path / "out").exists()
    else:
        done = CliRunner().invoke(app, ["price", "report", str(place), "--out", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "out" / "price-report.json").exists()
