"""The clause table: article of the national guide → moves, clocks and rules → tests that show it.

`python -m scripts.clause_table` collects every test marked `@pytest.mark.clause("G24", "I-15", …)` and writes
registry/CLAUSES.md; a test fails while that file is not what the tests say, or an article has none.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from registry.application import RULES
from registry.scheme import NATIONAL_2026

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "registry" / "CLAUSES.md"

ARTICLES: Mapping[str, str] = {
    "G1": "目的和依据 purpose",
    "G2": "适用范围，参照执行 scope",
    "G3": "数据产权、三项权利、登记、登记机构、申请人、衍生数据 terms",
    "G4": "登记原则 principles",
    "G5": "国家和省级数据管理部门职责 authorities",
    "G6": "国家数据产权登记服务系统 the national system",
    "G7": "登记机构基本条件 conditions for an agency",
    "G8": "推荐、遴选、目录 the catalogue of agencies",
    "G9": "推荐工作 recommendation",
    "G10": "登记机构业务要求 duties",
    "G11": "日常管理、年度报告、考核 reports",
    "G12": "机构变更报告 changes of an agency",
    "G13": "退出和移交 exit and hand-over",
    "G14": "登记程序 seven steps",
    "G15": "公共数据 public data",
    "G16": "申请 application",
    "G17": "受理、补正、视为受理 acceptance",
    "G18": "审查、补充佐证、终止 review",
    "G19": "数据描述准确性 description",
    "G20": "数据来源合规性 source",
    "G21": "数据产权明确性 the rights",
    "G22": "不予登记 refusal",
    "G23": "备注 remarks",
    "G24": "公示 publicity",
    "G25": "公示异议 objection to a publicity",
    "G26": "信息存证、有效期 deposit and validity",
    "G27": "凭证核发 the certificate",
    "G28": "办结期限、延长、扣除 completion",
    "G29": "登记后异议 objection after registration",
    "G30": "查询、复制 inspection",
    "G31": "凭证的用途和采信 uses",
    "G32": "登记类型 types",
    "G33": "初次登记 first registration",
    "G34": "转让登记 transfer",
    "G35": "变更登记 change",
    "G36": "续期登记、自动失效 renewal and lapse",
    "G37": "注销登记 cancellation",
    "G38": "登记机构责任 liability of the agency",
    "G39": "申请人责任 liability of the applicant",
    "G40": "管理部门工作人员责任 liability of officials",
    "G41": "施行前的其他登记 earlier registrations",
    "G42": "“以上”“以内”含本数 counting",
}
_ARTICLE = re.compile(r"G([1-9]|[1-3][0-9]|4[0-2])")


_BY_FAMILY: Mapping[str, str] = {"E-": "G23", "O-": "G29", "Z-": "G37", "C11": "G29", "C12": "G29", "7.2": "G31",
                                 "7.3": "G41", "D24": "G23"}  # fmt: skip
"""The article of a move, clock or decision whose test names none itself."""


def articles_of(name: str) -> set[str]:
    """The articles that a move of an application or a clock rests on, or the one its family belongs to."""
    basis = RULES[name].basis if name in RULES else ""
    if name in NATIONAL_2026.clocks:
        basis = NATIONAL_2026.clocks[name].basis
    if named := {f"G{number}" for number in re.findall(r"G([0-9]+)", basis)}:
        return named
    return {article for family, article in _BY_FAMILY.items() if name.startswith(family)}


class Collected:
    """A pytest plugin that keeps which test shows which article."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.tests: dict[str, set[str]] = defaultdict(set)
        self.strays: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for mark in item.iter_markers("clause"):
                named = {name for name in mark.args if _ARTICLE.fullmatch(name)}
                articles = named or {article for name in mark.args for article in articles_of(name)}
                if not articles:
                    self.strays.add(f"{item.nodeid.partition('[')[0]}: clause{mark.args}")
                for article in articles:
                    self.ids[article] |= set(mark.args) - named
                    self.tests[article].add(item.nodeid.partition("[")[0])


def table() -> tuple[str, frozenset[str]]:
    """The table as Markdown, and the articles no test shows."""
    found = Collected()
    quiet = ["--collect-only", "-qq", "--no-header", "--no-summary", "-m", "", "-p", "no:cacheprovider"]
    marked = [
        str(file) for file in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.clause" in file.read_text("utf-8")
    ]
    if pytest.main([*quiet, "--rootdir", str(ROOT), *marked], plugins=[found]) != pytest.ExitCode.OK:
        raise SystemExit("the tests cannot be collected")
    if found.strays:
        raise SystemExit("these marks lead to no article G1…G42:\n" + "\n".join(sorted(found.strays)))
    lines = [
        "# 条款对照表 / The clause table",
        "",
        "Made by `scripts/clause_table.py` from the marks of the tests; not edited by hand. Articles are those of",
        "《数据产权登记工作指引（试行）》 (国数综政策〔2026〕35号), 参照; moves, clocks and rules as in the package.",
        "",
        "| article | about | moves, clocks, rules | tests |",
        "|---|---|---|---|",
    ]
    for article, about in ARTICLES.items():
        ids = " ".join(sorted(found.ids[article]))
        tests = "<br>".join(f"{name.removeprefix('tests/')}" for name in sorted(found.tests[article]))
        lines.append(f"| {article} | {about} | {ids} | {tests} |")
    return "\n".join(lines) + "\n", frozenset(ARTICLES) - frozenset(name for name in found.tests if found.tests[name])


if __name__ == "__main__":
    text, missing = table()
    if sys.argv[1:] == ["--check"]:
        if missing or FILE.read_text(encoding="utf-8") != text:
            raise SystemExit(f"registry/CLAUSES.md 与测试不一致 / differs from the tests; missing: {sorted(missing)}")
    else:
        FILE.write_text(text, encoding="utf-8")
        print(f"{len(ARTICLES) - len(missing)} of {len(ARTICLES)} articles; missing: {sorted(missing)}")
